"""What becomes of hand-written keys that a bridge takes over, and of keys that it lets go of; on a store in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from bridge.model.change import Committed, Conflict, Create, Delete, Item, LeaseName, Limits, Transaction
from bridge.model.keys import Wish
from bridge.ownership.adopt import Chosen, Fate, Handed, judge
from bridge.ownership.records import FLEET
from bridge.ownership.standing import stand
from bridge.ownership.terms import Errand
from bridge.stores.memory import LIKE_CONSUL, LIKE_ETCD
from tests.golden_reader import Configuration, HalvesReader, Store
from tests.planning import GUARD, READ_TIME, TREE, Process, Scene, claim, waits
from tests.publishing import service, wishes, with_labels, without_health, world

WEB = service("web", 2)
NAME = "web__shop"
HOST = "web.shop.local"
OPENS = f"frontends/{NAME}/backend"
OLD_RULE = f"frontends/{NAME}/routes/service/rule"
NEW_RULE = f"frontends/{NAME}/routes/main/rule"
USERS = f"frontends/{NAME}/auth/basic/users"
PASSWORD = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
PROTECTED = with_labels(WEB, frontend_auth_basic_users=PASSWORD)
EVERYTHING = Chosen(None, frozenset(), surplus=True)
NOTHING = Chosen(frozenset(), frozenset(), surplus=False)


def wish(found: object = WEB) -> Wish:
    assert isinstance(found, type(WEB))
    return wishes(world(found))[NAME]


def old_tree(containers: int = 2, **more: str) -> dict[str, str]:
    """What rancher-traefik's template asks for, as keys; of `more` the names are paths in the frontend."""
    found = {
        f"backends/{NAME}/circuitbreaker/expression": "NetworkErrorRatio() > 0.5",
        f"backends/{NAME}/loadbalancer/method": "drr",
        OPENS: NAME,
        f"frontends/{NAME}/passhostheader": "true",
        f"frontends/{NAME}/priority": "5",
        OLD_RULE: f"Host:{HOST};",
    }
    for at in range(1, containers + 1):
        server = f"backends/{NAME}/servers/shop-web-{at}"
        found |= {f"{server}/url": old_url(at), f"{server}/weight": "5"}
    return found | {f"frontends/{NAME}/{path.replace('__', '/')}": value for path, value in more.items()}


def old_url(at: int) -> str:
    """That of container `at`, as the source knows it too."""
    net = sum(b"web") % 256
    return f"http://10.42.{net}.{at}:8080"


@dataclass
class Move:
    """A scene in which somebody wrote a tree by hand, and what stood after each transaction from then on."""

    tree: Mapping[str, str]
    limits: Limits = LIKE_ETCD
    trees: list[tuple[float, dict[str, str]]] = field(default_factory=list)  # with the time

    def __post_init__(self) -> None:
        self.scene = Scene(self.limits)
        for path, value in self.tree.items():
            self.scene.server.write(TREE + path, value)
        self.note()

    def note(self) -> None:
        self.trees.append((self.scene.now, self.scene.values()))

    def process(self, errand: Errand | None = None, cluster: str = "default", dies_after: int = 10**6) -> Process:
        """One that notes what stands after each of its transactions, and dies after so many of them."""
        found = self.scene.process(cluster)
        found.terms = replace(found.terms, errand=errand)
        commit, left = found.store.commit, [dies_after]

        def noted(transaction: Transaction) -> Committed | Conflict:
            if not left[0]:
                raise Killed
            left[0] -= 1
            answer = commit(transaction)
            self.note()
            return answer

        found.store.commit = noted  # type: ignore[method-assign]
        return found

    def judge(self, *asked: Wish, chosen: Chosen = EVERYTHING, cluster: str = "default") -> tuple[Handed, ...]:
        eyes = self.scene.process(cluster)
        eyes.look()
        return judge(stand(eyes.mirror, eyes.publisher), {one.group: one for one in asked}, chosen)

    def adopt(self, *asked: Wish, chosen: Chosen = EVERYTHING, dies_after: int = 10**6) -> list[Transaction]:
        """As the command does it."""
        keys = self.judge(*asked, chosen=chosen)
        process = self.process(errand_of(keys), dies_after=dies_after)
        return process.settle(*asked)

    def items(self) -> dict[str, Item]:
        """Traefik's keys with their leases."""
        eyes = self.process()
        eyes.store.know((FLEET, "c/default"))
        found = eyes.store.read(TREE).items
        return {key.removeprefix(TREE): item for key, item in found.items() if item}

    def families(self) -> set[str]:
        """Of all leases on which Traefik's keys stand; empty: none."""
        return {item.lease.family if item.lease else "" for item in self.items().values()}


class Killed(Exception):
    """The process is no more."""


def errand_of(keys: Iterable[Handed]) -> Errand:
    taken = {one.path: one.held.revision for one in keys if one.fate is not Fate.LEFT}
    return Errand(frozenset({NAME}) if taken else frozenset(), taken)


def fates(keys: Iterable[Handed]) -> dict[str, Fate]:
    return {one.path: one.fate for one in keys}


def readings(trees: list[tuple[float, dict[str, str]]], chance: Random) -> Iterator[Configuration]:
    """What a Traefik serves after readings shorter than a read-time: all changes of that time fall into one place of
    them, into each, or by chance into several.
    """
    for first in range(len(trees) - 1):
        until = trees[first + 1][0] + READ_TIME
        seen = [tree for at, tree in trees[first:] if at < until]
        whole = _requests(seen[0])
        at_once = [[at] * (len(seen) - 1) for at in range(1, whole + 1)]
        apart = [sorted(chance.randint(1, whole) for _ in seen[1:]) for _ in range(100 if len(seen) > 2 else 0)]
        for cuts in (*at_once, *apart):
            yield _reading(seen, cuts)


def _requests(tree: Mapping[str, str]) -> int:
    """How many of them a reading of a tree sends that stands still."""
    whole = {TREE + path: value for path, value in tree.items()}
    return sum(1 for _ in HalvesReader(TREE.rstrip("/"), Store.ETCD).run(lambda: whole))


def _reading(trees: list[dict[str, str]], cuts: list[int]) -> Configuration:
    whole = [{TREE + path: value for path, value in tree.items()} for tree in trees]
    reader, current = HalvesReader(TREE.rstrip("/"), Store.ETCD), [whole[0]]
    for request, _ in enumerate(reader.run(lambda: current[0]), start=1):
        current[0] = whole[sum(cut <= request for cut in cuts)]
    assert reader.refused is None
    return reader.configuration


# What becomes of each key


def test_each_key_of_an_old_tree_stays_changes_or_goes() -> None:
    tree = old_tree() | {f"backends/{NAME}/loadbalancer/method": "wrr"}
    found = fates(Move(tree).judge(wish()))
    assert {path for path, fate in found.items() if fate is Fate.STAYS} == {
        f"backends/{NAME}/circuitbreaker/expression",
        OPENS,
    }
    assert [path for path, fate in found.items() if fate is Fate.CHANGES] == [f"backends/{NAME}/loadbalancer/method"]
    assert {path for path, fate in found.items() if fate is Fate.GOES} == tree.keys() - wish().shared.keys()


def test_what_the_source_does_not_ask_for_goes_only_where_it_is_named() -> None:
    move, service_alone = Move(old_tree()), Chosen(frozenset({"shop/web"}), frozenset(), surplus=False)
    found = fates(move.judge(wish(), chosen=service_alone))
    assert {path for path, fate in found.items() if fate is Fate.LEFT} == old_tree().keys() - wish().shared.keys()
    named = replace(service_alone, paths=frozenset({f"frontends/{NAME}/priority"}))
    (goes,) = [path for path, fate in fates(move.judge(wish(), chosen=named)).items() if fate is Fate.GOES]
    assert goes == f"frontends/{NAME}/priority"
    assert move.judge(wish(), chosen=NOTHING) == ()


def test_keys_of_a_service_that_the_source_does_not_ask_for_are_never_touched() -> None:
    others = {f"frontends/db__shop/{path}": "x" for path in ("backend", "routes/service/rule", "priority")}
    others |= {"frontends/plain/backend": "x", "elsewhere": "x"}
    move = Move(old_tree() | others)
    before = {path: item for path, item in move.items().items() if path in others}
    move.adopt(wish())
    after = move.items()
    assert {path: item for path, item in after.items() if path in others} == before
    assert {path: item.value for path, item in after.items() if path not in others} == {**wish().shared, **wish().own}


def test_a_server_that_nothing_takes_the_place_of_is_left_unless_it_is_named() -> None:
    sick = wish(without_health(WEB))
    url = f"backends/{NAME}/servers/shop-web-1/url"
    found = {one.path: one for one in Move(old_tree()).judge(sick)}
    assert (found[url].fate, found[url].why) == (
        Fate.LEFT,
        "the source has no server to take its place: name it, and it goes",
    )
    named = Chosen(None, frozenset({url}), surplus=True)
    assert fates(Move(old_tree()).judge(sick, chosen=named))[url] is Fate.GOES


def test_a_key_above_or_below_one_of_ours_is_left_and_nothing_changes_that_it_freezes() -> None:
    leaf = f"frontends/{NAME}/auth"
    move = Move(old_tree() | {leaf: "x"})
    found = move.judge(wish(PROTECTED))
    assert {one.fate for one in found} == {Fate.STAYS, Fate.LEFT}
    assert next(one for one in found if one.path == OLD_RULE).why.startswith(f"{leaf} freezes its service")
    values = move.scene.values()
    move.adopt(wish(PROTECTED))
    after = move.scene.values()
    assert {path: after[path] for path in values} == values  # they stand, and servers may have come beside them


def test_a_server_that_names_a_cluster_which_publishes_here_is_left() -> None:
    guest = f"backends/{NAME}/servers/berlin--1/url"
    move = Move(old_tree() | {guest: "http://10.0.0.1:80"})
    assert fates(move.judge(wish()))[guest] is Fate.GOES  # a name like any other
    move.process(cluster="berlin").settle(wishes(world(WEB), "berlin")[NAME])
    assert fates(move.judge(wish()))[guest] is Fate.LEFT


# How it comes about


def test_an_old_server_whose_name_looks_like_a_clusters_goes_like_any_other() -> None:
    tree = {path.replace("shop-web-", "shop--web-"): value for path, value in old_tree().items()}
    move = Move(tree)
    move.adopt(wish())
    assert move.scene.values() == {**wish().shared, **wish().own}
    for served in readings(move.trees, Random(4)):
        assert served.answer(HOST, "/").servers


def test_all_is_ours_after_the_first_transaction_and_no_value_that_opens_or_serves_has_changed() -> None:
    move = Move(old_tree())
    first = move.adopt(wish())[0]
    _, tree = move.trees[1]
    kept = {path: value for path, value in old_tree().items() if not path.endswith(("priority", "passhostheader"))}
    assert {path: tree[path] for path in kept} == kept
    assert not [change for change in first.changes if isinstance(change, Delete) and "/servers/" in change.key]


@pytest.mark.parametrize("limits", [LIKE_ETCD, LIKE_CONSUL], ids=["etcd", "consul"])
@pytest.mark.parametrize("found", [WEB, with_labels(WEB, alias="www")], ids=["as it was", "with another rule"])
def test_in_the_end_exactly_what_the_source_asks_for_stands_on_our_leases(limits: Limits, found: object) -> None:
    move = Move(old_tree(), limits)
    move.adopt(wish(found))
    assert move.scene.values() == {**wish(found).shared, **wish(found).own}
    assert move.families() == {FLEET, "c/default"}
    assert move.process().settle(wish(found)) == []


@pytest.mark.parametrize("limits", [LIKE_ETCD, LIKE_CONSUL], ids=["etcd", "consul"])
@pytest.mark.parametrize("containers", [1, 2, 9])
def test_no_reading_finds_the_service_without_a_server_or_its_rule(limits: Limits, containers: int) -> None:
    """As a Traefik reads it that sees halves: who asks for the service is answered, who asks for another is not."""
    move = Move(old_tree(containers), limits)
    move.adopt(wish(service("web", containers)))
    seen = 0
    for served in readings(move.trees, Random(1)):
        seen += 1
        assert served.answer(HOST, "/").servers <= {old_url(at) for at in range(1, containers + 1)}
        assert served.answer(HOST, "/").servers
        assert served.answer("unknown.local", "/").status == 404
    assert seen > 150


def test_old_servers_go_a_read_time_after_ours_came_though_only_a_strangers_frontend_leads_to_them() -> None:
    tree = {path: value for path, value in old_tree().items() if path.startswith("backends/")}
    move = Move(tree | {"frontends/www/backend": NAME, "frontends/www/routes/r/rule": "Host:www.local"})
    move.adopt(wish())
    assert not [path for path in move.scene.values() if "shop-web-" in path]
    for served in readings(move.trees, Random(5)):
        assert served.answer("www.local", "/").servers


def test_no_reading_finds_a_service_open_that_was_protected_or_open_anew_without_its_protection() -> None:
    tree = old_tree(auth__basic__users=PASSWORD)
    move = Move(tree)
    move.adopt(wish(with_labels(PROTECTED, alias="www")))
    for served in readings(move.trees, Random(2)):
        for host in (HOST, "www.local"):
            assert served.answer(host, "/").status in (401, 404)
        assert served.answer("unknown.local", "/").status == 404
    assert move.scene.values()[USERS] == wish(PROTECTED).shared[USERS]


def test_a_service_that_was_open_gets_its_protection_before_anything_else_is_open() -> None:
    move = Move(old_tree())
    move.adopt(wish(with_labels(PROTECTED, alias="www")))
    for served in readings(move.trees, Random(3)):
        assert served.answer("www.local", "/").status in (401, 404)
    assert move.scene.values() == {**(asked := wish(with_labels(PROTECTED, alias="www"))).shared, **asked.own}


@pytest.mark.parametrize("limits", [LIKE_ETCD, LIKE_CONSUL], ids=["etcd", "consul"])
def test_one_that_dies_after_any_transaction_is_only_unfinished(limits: Limits) -> None:
    asked = wish(service("web", 9))
    whole = len(Move(old_tree(9), limits).adopt(asked))
    assert whole >= 3
    for dies_after in range(1, whole):
        move = Move(old_tree(9), limits)
        with pytest.raises(Killed):
            move.adopt(asked, dies_after=dies_after)
        move.scene.now += 1
        move.adopt(asked)
        move.process().settle(asked)  # once all is attached, no key is left to adopt
        assert move.scene.values() == {**asked.shared, **asked.own}
        for served in readings(move.trees, Random(dies_after)):
            assert served.answer(HOST, "/").servers
            assert served.answer("unknown.local", "/").status == 404


def test_once_it_is_attached_any_later_pass_goes_on() -> None:
    """A bridge that is started again, and knows of no errand."""
    move = Move(old_tree(1))
    with pytest.raises(Killed):
        move.adopt(wish(service("web", 1)), dies_after=1)
    move.process().settle(wish(service("web", 1)))
    assert move.scene.values() == {**(asked := wish(service("web", 1))).shared, **asked.own}


def test_a_key_that_was_written_after_it_was_shown_stays_somebody_elses() -> None:
    move = Move(old_tree())
    errand = errand_of(move.judge(wish()))
    move.scene.server.write(TREE + OPENS, "mine-now")
    process = move.process(errand)
    due = process.due(wish())
    assert TREE + OPENS in {problem.label for problem in due.problems}
    process.settle(wish())
    assert move.scene.values()[OPENS] == "mine-now"
    assert move.items()[OPENS].lease is None


def test_other_groups_wait_for_the_next_sync() -> None:
    db = wishes(world(service("db", 1)))["db__shop"]
    move = Move(old_tree())
    move.adopt(wish(), db)
    assert not [path for path in move.scene.values() if "db__shop" in path]


def test_where_another_cluster_decides_a_key_is_attached_and_the_decider_changes_it() -> None:
    """Nobody but the decider changes a shared key."""
    ours, method = wish(), f"backends/{NAME}/loadbalancer/method"
    move = Move({})
    decider = move.process(cluster="berlin")
    theirs = wishes(world(WEB), "berlin")[NAME]
    decider.settle(theirs)
    move.scene.server.write(TREE + method, "wrr")  # in etcd its lease goes with it
    (key,) = move.judge(ours)
    assert (key.path, key.fate, key.after) == (method, Fate.CHANGES, "drr")
    move.process(errand_of([key])).settle(ours)
    held = move.items()[method]
    assert (held.value, held.lease and held.lease.family) == ("wrr", FLEET)
    decider.settle(theirs)
    assert move.scene.values()[method] == "drr"


# Letting go


RELEASE = Errand(frozenset({NAME}), releases=True)


@pytest.mark.parametrize(("limits", "containers"), [(LIKE_ETCD, 2), (LIKE_CONSUL, 30)], ids=["whole", "cut"])
def test_what_is_let_go_of_stands_as_it_stood_on_no_lease_and_claim_and_guard_are_gone(
    limits: Limits, containers: int
) -> None:
    asked = wish(service("web", containers))
    move = Move({}, limits)
    move.process().settle(asked)
    values = move.scene.values()
    sent = move.process(RELEASE).settle()
    assert len(sent) == 1 if containers == 2 else len(sent) > 1
    assert move.scene.values() == values
    assert move.families() == {""}
    assert {GUARD, claim("default")} & {"bridge/traefik/" + path for path in move.scene.recorded()} == set()
    assert move.process(RELEASE).settle() == []


def test_a_release_that_dies_half_way_leaves_the_claim_so_that_nobody_clears_the_rest() -> None:
    asked = wish(service("web", 30))
    move = Move({}, LIKE_CONSUL)
    move.process().settle(asked)
    values, whole = move.scene.values(), len(move.process().due(asked).units)
    assert whole == 0
    with pytest.raises(Killed):
        move.process(RELEASE, dies_after=1).settle()
    move.process(cluster="berlin").settle()  # would sweep what nobody claims
    assert move.scene.values() == values
    move.process(RELEASE).settle()
    assert move.families() == {""}


def test_a_bridge_does_not_take_back_what_was_let_go_of_and_says_so() -> None:
    move = Move({})
    move.process().settle(wish())
    move.process(RELEASE).settle()
    values, process = move.items(), move.process()
    process.settle(wish(with_labels(WEB, alias="www")))
    assert move.items() == values
    due = process.due(wish())
    (frozen,) = [problem for problem in due.problems if "froze the group" in problem.did]
    assert frozen.label == TREE + OPENS


def test_what_another_cluster_claims_too_is_not_let_go_of() -> None:
    move = Move({})
    move.process().settle(wish())
    move.process(cluster="berlin").settle(wishes(world(WEB), "berlin")[NAME])
    before = move.items()
    assert move.process(RELEASE).settle() == []
    assert move.items() == before


def test_what_was_let_go_of_is_taken_over_again_without_a_change_of_a_value() -> None:
    move = Move({})
    move.process().settle(wish())
    move.process(RELEASE).settle()
    assert {one.fate for one in move.judge(wish())} == {Fate.STAYS}
    (sent,) = move.adopt(wish())
    assert not [change for change in sent.changes if isinstance(change, Delete)]
    assert move.families() == {FLEET, "c/default"}


def test_keys_on_a_strangers_lease_are_taken_over_at_once() -> None:
    """The old writer's may end at any moment."""
    move = Move({})
    stranger = LeaseName("old-writer", 600)
    eyes = move.process()
    eyes.store.ensure(stranger)
    eyes.store.commit(Transaction((), tuple(Create(TREE + path, text, stranger) for path, text in old_tree().items())))
    process = move.process(errand_of(move.judge(wish())))
    assert "for others to ask for a longer TTL" not in dict(waits(process.due(wish())))
    process.act(wish())
    held = move.items()
    assert {held[path].lease for path in (OPENS, OLD_RULE)} == {LeaseName(FLEET, 60)}
