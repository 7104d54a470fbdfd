"""A cluster's own frontends: whose they are by name, on its lease, out of everybody else's reach."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.layouts import LAYOUTS, RouteLayout, Target, layout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik3_names import PROTECTING
from bridge.model.change import Create, Delete, LeaseName
from bridge.model.keys import (
    STANDING,
    Role,
    Wish,
    group_name,
    group_title,
    other_form,
    route_name,
    server_name,
    split_owner,
)
from bridge.model.world import Service
from bridge.ownership.records import cluster_family, named
from bridge.routes import Policy, judge_all
from bridge.routes.judge import AHEAD
from bridge.sync import lay_out, seniority
from tests.golden_reader import Configuration, Store, configuration
from tests.odd_labels import Odd
from tests.planning import READ_TIME, RECORDS, TTL, Process, Scene, changes, waits
from tests.publishing import service, with_labels
from tests.publishing import world as world_of
from tests.test_containment import patient, several, world

clusters = st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
parts = st.text(st.characters(exclude_categories=()), min_size=1, max_size=4)  # what is odd takes 12 bytes of 200
segments = st.one_of(st.just(""), parts)

OWNED = "c0--web__shop"
SHARED = "web__shop"


# Names


@settings(deadline=None)
@given(clusters, parts, parts, segments, st.booleans())
def test_a_name_tells_whose_alone_it_is(cluster: str, service: str, stack: str, segment: str, capitals: bool) -> None:
    """Whatever service, stack and segment are called: no shared name looks like a cluster's, nor the reverse."""
    shared = route_name(service, stack, segment, capitals=capitals)
    owned = route_name(service, stack, segment, owner=cluster, capitals=capitals)
    assert split_owner(shared) == ("", shared)
    assert split_owner(owned) == (cluster, shared)
    assert split_owner(group_name(owned)) == (cluster, group_name(shared))
    assert other_form(group_name(owned), cluster) == group_name(shared)
    assert other_form(group_name(shared), cluster) == group_name(owned)
    assert group_title(group_name(owned)) == group_title(group_name(shared))


@given(clusters, parts, parts, st.sampled_from(["tls", "own-host", *sorted(PROTECTING), "rate-a__b", "tls--rate-x"]))
def test_words_behind_a_name_change_nothing_of_whose_it_is(cluster: str, service: str, stack: str, word: str) -> None:
    for owner in ("", cluster):
        name = route_name(service, stack, owner=owner, capitals=False)
        assert split_owner(f"{name}--{word}")[0] == owner


@given(clusters, parts)
def test_no_server_and_no_standing_group_is_taken_for_a_clusters_frontend(cluster: str, identity: str) -> None:
    name = server_name(cluster, identity)
    assert split_owner(name) == ("", name) or "__" in identity
    assert split_owner(STANDING) == ("", STANDING)


# Keys


@pytest.mark.timeout(600)  # to make a failure small takes longer than to find it
@patient
@given(several, st.sampled_from([layout("traefik1"), layout("traefik3", Target((3, 7), ("web", "websecure")))]))
def test_all_keys_begin_with_their_cluster_whatever_labels_say(odd: list[Odd], chosen: RouteLayout) -> None:
    """So that rights by prefix reach all of them, and nothing of others."""
    laid = {}
    for separate in (False, True):
        verdicts = judge_all(world(odd), Policy("east-1", separate=separate))
        laid[separate], _ = lay_out(verdicts, chosen, "east-1")
    assert {other_form(group, "east-1") for group in laid[False]} >= laid[True].keys()  # a longer name may be too long
    assert laid[True]
    for group, wish in laid[True].items():
        assert split_owner(group)[0] == "east-1"
        for path in (*wish.shared, *wish.own):
            place = chosen.place(path)
            assert place is not None
            assert (place.group, place.cluster) == (group, "east-1")
            assert any(path.startswith(f"{folder}east-1--") for folder in chosen.folders)
    for wish in laid[False].values():
        places = [place for path in wish.shared if (place := chosen.place(path))]
        assert {place.cluster for place in places} == {None}


@pytest.mark.parametrize("name", LAYOUTS)
def test_but_for_its_name_and_its_priority_a_route_is_the_same(name: str) -> None:
    found = (replace(service("web"), labels=ASKED), replace(service("page"), stack="other"))
    shared, owned = (
        {path: value for one in wishes_of(layout(name), policy, *found) for path, value in one}
        for policy in (Policy("a"), Policy("a", separate=True, raised=-AHEAD))
    )
    assert len(owned) > 20

    def named_anew(text: str) -> str:
        return text.replace("web__shop", "a--web__shop").replace("page__other", "a--page__other")

    assert owned == {named_anew(path): named_anew(value) for path, value in shared.items()}


ASKED = {
    "traefik.enable": "true",
    "traefik.port": "80",
    "traefik.frontend.rule": "Host:a.local",
    "traefik.frontend.auth.basic.users": "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
    "traefik.frontend.errors.x.backend": "other/page",
    "traefik.frontend.errors.x.status": "500",
    "traefik.frontend.errors.x.query": "/",
    "traefik.frontend.rateLimit.extractorFunc": "client.ip",
    "traefik.frontend.rateLimit.rateSet.one.period": "1s",
    "traefik.frontend.rateLimit.rateSet.one.average": "5",
    "traefik.frontend.rateLimit.rateSet.one.burst": "9",
}


def laid_out(chosen: RouteLayout, policy: Policy, *found: Service) -> dict[str, Wish]:
    wishes, problems = lay_out(judge_all(world_of(*found), policy), chosen, policy.cluster)
    assert not [problem for problem in problems if not problem.notice]
    return wishes


def wishes_of(chosen: RouteLayout, policy: Policy, *found: Service) -> list[list[tuple[str, str]]]:
    return [[*wish.shared.items(), *wish.own.items()] for wish in laid_out(chosen, policy, *found).values()]


def layout_of(chosen: RouteLayout, policy: Policy, found: Service) -> Wish:
    (wish,) = laid_out(chosen, policy, found).values()
    return wish


@pytest.mark.parametrize("raised", [0, 1, 7])
def test_a_priority_is_added_to_the_rules_length(raised: int) -> None:
    """In Traefik 1 as blanks that it counts and drops: without the rule nothing is left of the priority."""
    wish = layout_of(TRAEFIK1, Policy("a", separate=True, raised=raised), service("web"))
    plain = layout_of(TRAEFIK1, Policy("a", separate=True), service("web"))
    assert not [path for path in wish.shared if path.endswith("/priority")]
    assert TRAEFIK1.hosts(wish.shared) == TRAEFIK1.hosts(plain.shared) != frozenset()
    read = [reading(one) for one in (wish, plain)]
    lengths = [len(route.rule) for one in read for front in one.frontends.values() for route in front.routes.values()]
    assert lengths[0] == lengths[1] + raised
    assert read[0].answer("web.shop.local", "/").servers == read[1].answer("web.shop.local", "/").servers != frozenset()
    third = layout_of(layout("traefik3"), Policy("a", separate=True, raised=raised), service("web"))
    assert third.shared["http/routers/a--web__shop/priority"] == str(len("Host:web.shop.local") + AHEAD + raised)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_priority_is_added_to_a_labels_too(name: str) -> None:
    found = with_labels(service("web"), frontend_priority="20")
    wish = layout_of(layout(name), Policy("a", separate=True, raised=5), found)
    assert [value for path, value in wish.shared.items() if path.endswith("/priority")] == [str(25 + AHEAD)]


def test_of_two_clusters_the_one_of_the_higher_priority_gets_the_requests_and_then_the_other() -> None:
    first = layout_of(TRAEFIK1, Policy("z", separate=True, raised=1), service("web"))
    second = layout_of(TRAEFIK1, Policy("a", separate=True), service("web"))
    both = reading(first, second).answer("web.shop.local", "/")
    assert both.servers == reading(first).answer("web.shop.local", "/").servers
    alone = reading(second).answer("web.shop.local", "/")
    assert alone.servers


def reading(*wishes: Wish) -> Configuration:
    """What a Traefik 1 makes of these."""
    tree = {f"traefik/{path}": value for wish in wishes for path, value in {**wish.shared, **wish.own}.items()}
    found = configuration(tree, "traefik", Store.CONSUL)
    assert isinstance(found, Configuration)
    return found


# On the cluster's lease


def wish(group: str, *servers: str, users: str = "") -> Wish:
    shared = {
        f"backends/{group}/loadbalancer/method": "wrr",
        f"frontends/{group}/backend": group,
        f"frontends/{group}/routes/main/rule": "Host:a.local",
    }
    if users:
        shared[f"frontends/{group}/auth/basic/users"] = users
    own = {f"backends/{group}/servers/{name}/url": f"http://{name}:80" for name in servers}
    return Wish(group, shared, own, title="shop/web")


def test_all_of_it_is_on_the_clusters_lease_and_below_its_name() -> None:
    scene = Scene()
    scene.process().settle(wish(OWNED, "c0--1"))
    keys = {**scene.published(), **scene.recorded()}
    assert {item.lease for item in keys.values()} == {LeaseName(cluster_family("c0"), TTL)}
    assert set(scene.recorded()) == {"c/c0/presence", f"c/c0/claim/{OWNED}", f"c/c0/guard/{OWNED}"}
    assert {path.split("/")[1] for path in scene.published()} == {OWNED}


def test_a_dead_cluster_takes_all_of_it_along_and_nobody_has_anything_to_sweep() -> None:
    scene = Scene()
    a, b = scene.process("c0"), scene.process("c1")
    a.settle(wish(OWNED, "c0--1"))
    b.settle(wish("c1--web__shop", "c1--1"))
    scene.die("c0")
    assert {path.split("/")[1] for path in scene.published()} == {"c1--web__shop"}
    assert not [path for path in scene.recorded() if "c0" in path]
    due = b.due(wish("c1--web__shop", "c1--1"))
    assert (due.units, waits(due)) == ((), [])


def test_a_cluster_that_comes_back_writes_it_again_with_what_protects_first() -> None:
    scene = Scene()
    a = scene.process("c0")
    asked = wish(OWNED, "c0--1", users="u:{SHA}x")
    a.settle(asked)
    scene.die("c0")
    written = list(changes(a.act(asked)))
    assert f"frontends/{OWNED}/auth/basic/users" in written
    assert f"frontends/{OWNED}/backend" not in written, "a read that began before may see it without its rule"
    a.settle(asked)
    assert scene.values() == {**asked.shared, **asked.own}


def test_nobody_else_touches_it_even_where_only_a_half_of_it_stands() -> None:
    scene = Scene()
    scene.process("c0").settle(wish(OWNED, "c0--1"))
    scene.server.erase(f"{RECORDS}c/c0/claim/{OWNED}")
    scene.server.erase(f"/traefik/frontends/{OWNED}/backend")
    other = scene.process("c1")
    before = scene.published()
    other.settle(wish("c1--web__shop", "c1--1"))
    scene.now += 1000
    assert other.settle(wish("c1--web__shop", "c1--1")) == []
    assert before.items() <= scene.published().items()
    assert f"c/c0/guard/{OWNED}" in scene.recorded()


def test_a_claim_or_a_guard_of_anothers_counts_for_nothing() -> None:
    """Rights keep others from writing below its name, so what stands elsewhere is not its."""
    for path in (f"c/c1/claim/{OWNED}", f"c/c1/guard/{OWNED}", f"fleet/guard/{OWNED}"):
        assert named(path).group == ""
    scene = Scene()
    mine = scene.process("c0")
    scene.server.write(f"{RECORDS}c/c1/claim/{OWNED}", '{"format":1,"keys":{}}')
    mine.settle(wish(OWNED, "c0--1"))
    due = mine.due(wish(OWNED, "c0--1"))
    assert (due.units, due.problems) == ((), ())
    assert scene.values() == {**wish(OWNED, "c0--1").shared, **wish(OWNED, "c0--1").own}


def test_another_ttl_moves_all_of_it_guard_and_claim_too_and_is_no_problem() -> None:
    for shorter, longer in ((30, 60), (60, 30)):
        scene = Scene()
        scene.process(ttl=shorter).settle(wish(OWNED, "c0--1"))
        values = scene.values()
        late = scene.process(ttl=longer)
        assert late.due(wish(OWNED, "c0--1")).problems == ()
        late.settle(wish(OWNED, "c0--1"))
        keys = {**scene.published(), **scene.recorded()}
        assert {item.lease for item in keys.values()} == {LeaseName(cluster_family("c0"), longer)}
        assert scene.values() == values


def test_to_a_shorter_ttl_it_moves_at_once() -> None:
    """What is shared waits for whoever may still ask for the longer one; nobody else can ask for this."""
    scene = Scene()
    scene.process(ttl=60).settle(wish(OWNED, "c0--1"))
    late = scene.process(ttl=30)
    late.act(wish(OWNED, "c0--1"))
    keys = {**scene.published(), **scene.recorded()}
    assert {item.lease for item in keys.values()} == {LeaseName(cluster_family("c0"), 30)}


def test_it_leaves_in_the_same_steps_as_what_is_shared() -> None:
    scene = Scene()
    mine = scene.process()
    mine.settle(wish(OWNED, "c0--1"))
    (closing,) = mine.act()
    assert [change.key for change in closing.changes if isinstance(change, Delete)] == [
        f"{RECORDS}c/c0/claim/{OWNED}",
        f"/traefik/frontends/{OWNED}/backend",
    ]
    assert waits(mine.plan()) == [("until no read sees it open any more", READ_TIME)]
    mine.settle()
    assert (scene.values(), set(scene.recorded())) == ({}, {"c/c0/presence"})


# From one fan-in to the other


def opened(process: Process, sent_at: dict[str, float], group: str, wished: Wish) -> None:
    """Act until all is at rest, and note when each opening key came and went."""
    for _ in range(20):
        for transaction in process.act(wished):
            for path, change in changes([transaction]).items():
                if path.startswith("frontends/") and path.endswith("/backend"):
                    sent_at[f"{type(change).__name__} {path.split('/')[1]}"] = process.scene.now
        due = process.due(wished)
        pauses = [wait.seconds for wait in due.waits if wait.seconds is not None]
        if not pauses and not due.units:
            return
        process.scene.now += 0.0 if due.units else min(pauses)
    raise AssertionError(f"{group} does not come to rest")


@pytest.mark.parametrize(("before", "after"), [(SHARED, OWNED), (OWNED, SHARED)])
def test_the_old_frontend_goes_when_every_reader_knows_the_new_one(before: str, after: str) -> None:
    scene = Scene()
    scene.process().settle(wish(before, *(f"c0--{n}" for n in range(12))))
    turned = scene.process()
    wished = wish(after, *(f"c0--{n}" for n in range(12)))
    turned.look()
    assert turned.plan(wished).removed == 0, "the brake must not hold it"
    when: dict[str, float] = {}
    opened(turned, when, after, wished)
    assert when.keys() == {f"Create {after}", f"Delete {before}"}
    assert when[f"Delete {before}"] >= when[f"Create {after}"] + READ_TIME
    turned.settle(wished)
    assert scene.values() == {**wished.shared, **wished.own}


def test_where_others_share_the_group_only_this_clusters_part_goes() -> None:
    scene = Scene()
    a, b = scene.process("c0"), scene.process("c1")
    a.settle(wish(SHARED, "c0--1"))
    b.settle(wish(SHARED, "c1--1"))
    turned = scene.process("c0")
    turned.settle(wish(OWNED, "c0--1"))
    b.settle(wish(SHARED, "c1--1"))
    assert scene.values() == {
        **wish(OWNED, "c0--1").shared,
        **wish(OWNED, "c0--1").own,
        **wish(SHARED, "c1--1").shared,
        **wish(SHARED, "c1--1").own,
    }


def test_it_does_not_wait_for_a_group_that_keeps_its_servers_out() -> None:
    """Else a route would stand for as long as two clusters disagree, and another one would not after a restart."""
    scene = Scene()
    scene.process("c1").settle(wish(SHARED, "c1--1", users="u:{SHA}x"))
    mine = scene.process("c0")
    mine.settle(wish(OWNED, "c0--1"))
    mine.settle(replace(wish(SHARED, "c0--1"), shared={**wish(SHARED).shared, **PROTECTED}))
    assert not [path for path in scene.values() if OWNED in path]


PROTECTED = {f"frontends/{SHARED}/auth/basic/users": "u:{SHA}y"}


def test_who_was_there_first_is_known_by_the_other_name_too() -> None:
    """Else a service that lost its requests to an older one would take them when the fan-in turns."""
    scene = Scene()
    mine = scene.process()
    mine.settle(wish(SHARED, "c0--1"))
    (verdict,) = judge_all(world_of(service("web")), Policy("c0", separate=True))
    assert verdict.route is not None
    rank = seniority(mine.memory.stand(mine.mirror), TRAEFIK1, "c0")
    claimed = scene.recorded()[f"c/c0/claim/{SHARED}"].created
    assert rank(verdict.route) == (1, claimed)


def test_places_say_what_each_key_does() -> None:
    """Roles are those of shared names; only whose the keys are is another."""
    paths = ("backend", "routes/main/rule", "auth/basic/users", "whitelist/usexforwardedfor", "passhostheader")
    for path in (f"frontends/{SHARED}/{path}" for path in paths):
        shared, owned = TRAEFIK1.place(path), TRAEFIK1.place(path.replace(SHARED, OWNED))
        assert shared is not None
        assert owned is not None
        assert (owned.role, owned.weakens) == (shared.role, shared.weakens)
        assert (shared.cluster, owned.cluster) == (None, "c0")
    theirs = TRAEFIK1.place(f"backends/{OWNED}/servers/c1--1/url")
    assert theirs is not None
    assert (theirs.role, theirs.cluster) == (Role.SERVER, "c0"), "what stands in it is its cluster's"


def test_a_new_route_goes_in_one_transaction() -> None:
    scene = Scene()
    (sent,) = scene.process().act(wish(OWNED, "c0--1"))
    assert all(isinstance(change, Create) for change in sent.changes)
