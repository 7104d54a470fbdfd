"""Plans for Traefik 3, which sees each transaction whole: what depends on each other changes in one, without waits."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bridge.layouts import layout
from bridge.model.change import Delete, Limits
from bridge.model.keys import Role, Wish
from bridge.ownership.plan import Plan
from tests.planning import GROUP, Process, Scene, changes, units, waits

TRAEFIK3 = layout("traefik3")
R, M, S = f"http/routers/{GROUP}", f"http/middlewares/{GROUP}", f"http/services/{GROUP}"
KEEPS, RULE, OPENS, LIST = f"{S}/loadBalancer/passHostHeader", f"{R}/rule", f"{R}/service", f"{R}/middlewares"
AUTH = {f"{M}--auth/basicAuth/users": "u:{SHA}secret"}
ADD = {f"{M}--add/addPrefix/prefix": "/x"}
OURS, THEIRS = "Host(`a.local`)", "Host(`b.local`)"


def server(name: str) -> str:
    return f"{S}/loadBalancer/servers/{name}/url"


def wish(middlewares: Mapping[str, str], *servers: str, rule: str = OURS, service: str = GROUP) -> Wish:
    names = ",".join(dict.fromkeys(path.split("/")[2] for path in middlewares))
    shared = {f"http/services/{service}/loadBalancer/passHostHeader": "true", OPENS: service, RULE: rule}
    shared |= {**middlewares, **({LIST: names} if names else {})}
    own = {f"http/services/{service}/loadBalancer/servers/{name}/url": f"http://{name}:80" for name in servers}
    return Wish(GROUP, shared, own, title="shop/web")


def process(scene: Scene, cluster: str = "c0") -> Process:
    """Whoever publishes for a whole reader asks for no time."""
    return scene.process(cluster, read_time=0.0, layout=TRAEFIK3)


@pytest.mark.parametrize(
    "after",
    [
        wish(AUTH, "c0--1", rule=THEIRS),
        wish({**AUTH, **ADD}, "c0--1"),
        wish(ADD, "c0--2"),
        wish({}, "c0--1", rule=THEIRS),
        wish(AUTH, "c0--1", service=f"{GROUP}__other"),
    ],
    ids=["rule", "more", "others", "none", "service"],
)
def test_whatever_changes_on_a_live_route_changes_at_once(after: Wish) -> None:
    """A router that names what is gone, or not yet there, answers 404 until Traefik reads again."""
    scene = Scene()
    bridge = process(scene)
    bridge.settle(wish(AUTH, "c0--1"))
    sent = [one for one in bridge.settle(after) if changes([one])]
    assert len(sent) == 1
    assert scene.values() == {**after.shared, **after.own}
    assert not any(isinstance(change, Delete) for change in changes(sent).values() if change.key.endswith(OPENS))


def test_a_protection_waits_for_no_other_cluster() -> None:
    """Its servers, which do not belong under the new rule, may be there until their cluster's lease ends."""
    scene = Scene()
    decider, other = process(scene), process(scene, "c1")
    decider.settle(wish(ADD, "c0--1"))
    other.settle(wish(ADD, "c1--1"))
    decider.settle(wish({**ADD, **AUTH}, "c0--1", rule=THEIRS))
    assert scene.values()[LIST] == f"{GROUP}--add,{GROUP}--auth"
    assert scene.values()[RULE] == OURS
    other.settle(wish(ADD, "c1--1"))
    decider.settle(wish({**ADD, **AUTH}, "c0--1", rule=THEIRS))
    assert scene.values()[RULE] == THEIRS


def test_nothing_goes_that_a_list_which_waits_still_names() -> None:
    scene = Scene()
    decider, other = process(scene), process(scene, "c1")
    decider.settle(wish({**ADD, **AUTH}, "c0--1"))
    other.settle(wish({**ADD, **AUTH}, "c1--1"))
    after = wish(AUTH, "c0--1", rule=THEIRS)  # the others' servers do not belong there
    decider.act(after)  # its claim says so first
    due = decider.due(after)
    assert any("taken its servers out" in what for what, _ in waits(due))
    assert scene.values().keys() >= ADD.keys()
    assert not gone(due) & ADD.keys()
    other.settle(wish({**ADD, **AUTH}, "c1--1"))
    decider.settle(after)
    assert not scene.values().keys() & ADD.keys()


def gone(due: Plan) -> set[str]:
    return {
        change.key.removeprefix("/traefik/")
        for unit in units(due)
        for change in unit.changes
        if isinstance(change, Delete)
    }


@pytest.mark.parametrize("path", [RULE, LIST, OPENS, f"{R}/entryPoints"])
def test_a_strange_key_of_a_router_freezes_its_group(path: str) -> None:
    scene = Scene()
    bridge = process(scene)
    bridge.settle(wish(AUTH, "c0--1"))
    scene.server.write(f"/traefik/{path}", "by hand")
    due = bridge.due(wish(ADD, "c0--1", rule=THEIRS))
    assert any("froze the group" in problem.did for problem in due.problems)
    assert not any(change.key.startswith("/traefik/http/routers") for unit in units(due) for change in unit.changes)


def test_what_refers_is_written_behind_what_it_refers_to_also_in_another_group() -> None:
    """An error page of another service: where not all fits into one transaction, none names what is not there."""
    scene = Scene()
    bridge = process(scene)
    mine = wish(AUTH, "c0--1")
    page = Wish("a__shop", {"http/services/zz__shop/loadBalancer/passHostHeader": "true"}, {}, title="shop/zz")
    bridge.settle(mine)
    due = bridge.due(Wish(GROUP, {**mine.shared, RULE: THEIRS}, mine.own, title="shop/web"), page)
    order = [unit.group for unit in units(due)]
    assert order == ["a__shop", GROUP]
    later = Wish("zz__shop", page.shared, {}, title="shop/zz")
    due = bridge.due(Wish(GROUP, {**mine.shared, RULE: THEIRS}, mine.own, title="shop/web"), later)
    assert [unit.group for unit in units(due)] == ["zz__shop", GROUP]
    bridge.settle(mine, later)
    due = bridge.due(Wish(GROUP, {**mine.shared, RULE: THEIRS}, mine.own, title="shop/web"))
    assert [unit.group for unit in units(due)] == [GROUP, "zz__shop"]


def test_a_list_narrows_only_by_what_protects() -> None:
    def narrows(before: str, after: str, path: str = LIST) -> bool:
        return TRAEFIK3.narrows(path, before, after)

    assert narrows("r--add", "r--auth,r--add")
    assert narrows("r--add", "r--add,r--allow")
    assert not narrows("r--add", "r--add,r--strip")
    assert not narrows("r--auth,r--add", "r--add,r--allow")
    assert not narrows("r--a,r--b", "r--b,r--a,r--auth")
    assert not narrows("a", "b", RULE)


@pytest.mark.parametrize(
    ("path", "weakens"),
    [
        (f"{M}--auth/forwardAuth/trustForwardHeader", True),
        (f"{M}--auth/forwardAuth/tls/insecureSkipVerify", True),
        (f"{M}--hosts/headers/hostsProxyHeaders", True),
        (f"{M}--hosts/headers/allowedHosts", False),
        (f"{M}--auth/basicAuth/users", False),
    ],
)
def test_a_key_that_takes_away_from_a_protection_is_known_by_its_path(path: str, weakens: bool) -> None:
    place = TRAEFIK3.place(path)
    assert place is not None
    assert (place.role, place.weakens) == (Role.PROTECTS, weakens)


# What protects by another kind. Traefik 3 disables a middleware of two kinds, and each router that names it.

ASKS = {f"{M}--auth/forwardAuth/address": "http://auth.local/", f"{M}--auth/forwardAuth/trustForwardHeader": "true"}


@pytest.mark.parametrize(("before", "after"), [(AUTH, ASKS), (ASKS, AUTH)], ids=["to another server", "to a password"])
@pytest.mark.parametrize("rule", [OURS, THEIRS])
def test_what_protects_becomes_of_another_kind_at_once(
    before: Mapping[str, str], after: Mapping[str, str], rule: str
) -> None:
    """Together with the rule."""
    scene = Scene()
    bridge = process(scene)
    bridge.settle(wish(before, "c0--1"))
    assert len([one for one in bridge.settle(wish(after, "c0--1", rule=rule)) if changes([one])]) == 1
    assert scene.values() == {**wish(after, "c0--1", rule=rule).shared, **wish(after, "c0--1", rule=rule).own}


def test_what_protects_becomes_of_another_kind_when_no_servers_of_others_are_in_the_way() -> None:
    """Wholly: what would be written beside the old kind would cost them every request."""
    scene = Scene()
    decider, other = process(scene), process(scene, "c1")
    decider.settle(wish(AUTH, "c0--1"))
    other.settle(wish(AUTH, "c1--1"))
    before = scene.values()
    after = wish(ASKS, "c0--1", rule=THEIRS)
    decider.settle(after)
    assert scene.values() == before
    assert waits(decider.due(after)) == [("until cluster c1 has taken its servers out", None)]
    other.settle(wish(AUTH, "c1--1"))
    decider.settle(after)
    assert scene.values() == {**wish(ASKS, rule=THEIRS).shared, server("c0--1"): "http://c0--1:80"}


def test_a_guest_writes_nothing_of_the_kind_that_the_decider_has_still_to_turn_to() -> None:
    """Though it wishes the same, and may put back what is missing."""
    scene = Scene()
    decider, guest = process(scene), process(scene, "c1")
    decider.settle(wish(AUTH, "c0--1"))
    guest.settle(wish(ASKS))
    decider.act(wish(ASKS, "c0--1"))  # its claim says so first
    before = scene.values()
    guest.settle(wish(ASKS, "c1--1"))
    assert scene.values() == before
    decider.settle(wish(ASKS, "c0--1"))
    guest.settle(wish(ASKS, "c1--1"))
    assert scene.values() == {**wish(ASKS).shared, **{server(name): f"http://{name}:80" for name in ("c0--1", "c1--1")}}


def test_while_removals_are_held_what_protects_stays_of_its_kind_and_the_rule_with_it() -> None:
    scene = Scene()
    bridge = process(scene)
    bridge.settle(wish(AUTH, "c0--1"))
    held = bridge.plan(wish(ASKS, "c0--1", rule=THEIRS), hold=True)
    assert not [one for unit in units(held) for one in unit.changes if one.key.startswith("/traefik/")]


@pytest.mark.parametrize("operations", range(11, 30))
def test_no_limit_parts_what_makes_a_protection_of_another_kind(operations: int) -> None:
    """Where it fits into one transaction."""
    scene = Scene(limits=Limits(operations, size=1 << 20, create=2, update=1, move=3, delete=1, check=1))
    bridge = process(scene)
    bridge.settle(wish({**AUTH, **ADD}, "c0--1"))
    for one in bridge.settle(wish({**ASKS, **ADD}, "c0--1", "c0--2", "c0--3", rule=THEIRS)):
        touched = changes([one]).keys() & {*AUTH, *ASKS, RULE}
        assert touched in (set(), {*AUTH, *ASKS, RULE})
    assert scene.values().keys() >= ASKS.keys()


def test_what_is_too_large_for_one_transaction_closes_before_it_is_of_another_kind() -> None:
    many = {f"{M}--auth/forwardAuth/tls/{at}": "x" for at in range(20)}
    scene = Scene(limits=Limits(40, size=1 << 20, create=2, update=1, move=3, delete=1, check=1))
    bridge = process(scene)
    bridge.settle(wish(AUTH, "c0--1"))
    first = next(one for one in bridge.settle(wish({**ASKS, **many}, "c0--1")) if changes([one]))
    assert isinstance(changes([first])[next(iter(AUTH))], Delete)
    assert scene.values() == {**wish({**ASKS, **many}).shared, server("c0--1"): "http://c0--1:80"}
