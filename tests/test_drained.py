"""What an operator drained gets nothing, and nothing else is touched: judged, planned and held, without a store."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.layouts import LAYOUTS, layout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.drain import Drain, Scope, drained_name
from bridge.model.route import Verdict
from bridge.model.world import Service, Snapshot
from bridge.ownership.brake import Brake, BrakeRule, brake
from bridge.ownership.drains import read_drains
from bridge.ownership.plan import Plan
from bridge.ownership.records import drain_path, drain_records, named, read_drain, write_drain
from bridge.routes import Judge, Policy
from bridge.routes.contests import all_alike
from bridge.routes.drained import needs_hosts, resolve
from bridge.routes.judge import AHEAD
from bridge.sources.document import snapshot
from bridge.sync import Laid, lay_out
from tests.planning import Scene, server, wish
from tests.publishing import external, service, with_containers, with_labels, without_health, world
from tests.worlds.generate import document

PLAIN = Policy()
WHEN = "2026-11-30T12:00:00Z"


def drain(scope: Scope, name: str = "", record: str = "") -> Drain:
    return Drain(record or f"r/{scope.value}", scope.value, name, WHEN)


def judged(seen: Snapshot, *drains: Drain, policy: Policy = PLAIN) -> dict[str, Verdict]:
    judgement = Judge()(seen, policy, resolve(drains, seen)[0])
    return {one.service: one for one in judgement.settled(judgement.losses(all_alike))}


def serving(verdicts: dict[str, Verdict]) -> set[str]:
    """The identities that get requests of any route."""
    routes = [one.route for one in verdicts.values() if one.route]
    return {each.identity for route in routes for backend in route.backends for each in backend.servers}


def leaving(verdicts: dict[str, Verdict]) -> set[str]:
    """Those that live, and are drained."""
    backends = [backend for one in verdicts.values() if one.route for backend in one.route.backends]
    assert all(set(backend.drained) <= set(backend.retiring) for backend in backends)
    return {identity for backend in backends for identity in backend.drained}


def on_hosts(one: Service, *uuids: str) -> Service:
    return with_containers(
        one, *(replace(box, host_uuid=uuid) for box, uuid in zip(one.containers, uuids, strict=True))
    )


SHOP = replace(
    world(on_hosts(service("web", 2), "h-1", "h-2"), on_hosts(service("api", 2), "h-2", "h-1")),
    hosts={"h-1": "192.0.2.1", "h-2": "192.0.2.2"},
    host_names={"h-1": ("one", "one.example.org"), "h-2": ("two",)},
)
ALL = {"web-1", "web-2", "api-1", "api-2"}


# What is meant


@pytest.mark.parametrize(
    ("meant", "gone"),
    [
        (drain(Scope.CLUSTER), ALL),
        (drain(Scope.HOST, "h-1"), {"web-1", "api-2"}),
        (drain(Scope.HOST, "192.0.2.1"), {"web-1", "api-2"}),
        (drain(Scope.HOST, "one"), {"web-1", "api-2"}),
        (drain(Scope.HOST, "one.example.org"), {"web-1", "api-2"}),
        (drain(Scope.SERVICE, "shop/web"), {"web-1", "web-2"}),
        (drain(Scope.CONTAINER, "api-1"), {"api-1"}),
        (drain(Scope.HOST, "three"), set()),
        (drain(Scope.SERVICE, "shop/we"), set()),
        (drain(Scope.CONTAINER, "h-1"), set()),
    ],
    ids=lambda one: one.title if isinstance(one, Drain) else "",
)
def test_what_is_named_gets_nothing_and_all_else_goes_on(meant: Drain, gone: set[str]) -> None:
    found = judged(SHOP, meant)
    assert serving(found) == ALL - gone
    assert leaving(found) == gone
    assert all(one.route for one in found.values())
    _, problems = resolve([meant], SHOP)
    assert [(one.label, one.notice) for one in problems] == ([] if gone else [(meant.record, True)])


def test_a_host_without_containers_is_known_and_no_notice() -> None:
    _, problems = resolve([drain(Scope.HOST, "two")], replace(SHOP, services=()))
    assert problems == ()


def test_where_the_source_tells_no_hosts_only_a_uuid_can_be_meant_and_the_notice_says_so() -> None:
    seen = replace(SHOP, hosts={}, host_names={})
    assert serving(judged(seen, drain(Scope.HOST, "h-1"))) == ALL - {"web-1", "api-2"}
    _, (problem,) = resolve([drain(Scope.HOST, "one")], seen)
    assert "by its uuid" in problem.suggestion
    assert needs_hosts([drain(Scope.CLUSTER), drain(Scope.HOST, "one")])
    assert not needs_hosts([drain(Scope.CLUSTER), drain(Scope.SERVICE, "a/b")])


def test_each_record_that_drains_a_container_is_told() -> None:
    """Who brings it back must take away all of them."""
    drains = [drain(Scope.HOST, "one"), drain(Scope.SERVICE, "shop/web")]
    remarks = {one.identity: one.why for one in judged(SHOP, *drains)["shop/web"].remarks}
    assert remarks == {"web-1": "it is drained, by r/service and r/host", "web-2": "it is drained, by r/service"}


def test_a_containers_service_is_drained_for_its_aliases_too_and_an_alias_for_itself_alone() -> None:
    target = service("web", 2)
    alias = replace(with_labels(service("web", 0), domain="b.local"), name="www", primary="www", uuid="uuid-www")
    alias = replace(alias, kind="dnsService", links=("shop/web",), has_check=False)
    policy = Policy(kinds=frozenset(("service", "dnsService")))
    seen = world(target, alias)
    assert len(judged(seen, policy=policy)["shop/www"].route.backends[0].servers) == 2  # type: ignore[union-attr]
    both = judged(seen, drain(Scope.SERVICE, "shop/web"), policy=policy)
    assert serving(both) == set()
    one = judged(seen, drain(Scope.SERVICE, "shop/www"), policy=policy)
    assert one["shop/www"].route.backends[0].servers == ()  # type: ignore[union-attr]
    assert serving(one) == {"web-1", "web-2"}


def test_external_addresses_go_with_their_service_or_the_cluster() -> None:
    seen = world(external("far", "203.0.113.1"), service("web", 1))
    assert serving(judged(seen, drain(Scope.SERVICE, "shop/far"))) == {"web-1"}
    assert serving(judged(seen, drain(Scope.CLUSTER))) == set()
    assert serving(judged(seen, drain(Scope.HOST, "203.0.113.1"))) == {"203.0.113.1", "web-1"}


def test_what_is_sick_is_no_servers_by_the_sources_word() -> None:
    """So its removal is doubted as ever."""
    seen = world(without_health(service("web", 2), "web-1"))
    found = judged(seen, drain(Scope.SERVICE, "shop/web"))
    assert leaving(found) == {"web-2"}


def test_kept_verdicts_are_those_that_would_be_made_afresh_whatever_is_drained() -> None:
    chance, judge, laid = Random(3), Judge(), dict[str, Laid]()
    seen = snapshot(document(6, 2), "file:made")
    boxes = [box for one in seen.services for box in one.containers]
    things = [
        drain(Scope.CLUSTER),
        *(drain(Scope.HOST, host, f"r/{host}") for host in sorted({box.host_uuid for box in boxes})),
        *(drain(Scope.SERVICE, one.title, f"r/{one.title}") for one in seen.services),
        *(drain(Scope.CONTAINER, box.uuid, f"r/{box.uuid}") for box in boxes),
    ]
    for _ in range(100):
        drained, _ = resolve(chance.sample(things, chance.randrange(3)), seen)
        kept, afresh = (made(seen, Policy(), drained).verdicts for made in (judge, Judge()))
        assert kept == afresh
        assert lay_out(kept, TRAEFIK1, "a", laid) == lay_out(afresh, TRAEFIK1, "a")


def test_a_drain_judges_those_alone_whom_it_concerns() -> None:
    judge = Judge()
    first = judge(SHOP, Policy()).verdicts
    then = judge(SHOP, Policy(), resolve([drain(Scope.CONTAINER, "web-1")], SHOP)[0]).verdicts
    assert [one is other for one, other in zip(first, then, strict=True)].count(False) == 1


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_names_the_keys_that_go_by_an_operators_word(name: str) -> None:
    chosen = layout(name)
    route = judged(SHOP, drain(Scope.CONTAINER, "web-1"))["shop/web"].route
    assert route is not None
    found = chosen.wish(route, "a")
    assert found.drained == found.retiring
    (holder,) = found.drained
    assert holder.endswith("/servers/a--web-1")
    assert not any(path.startswith(f"{holder}/") for path in found.own)


# Weights


@pytest.mark.parametrize(
    ("asked", "factor", "weight"),
    [
        (5, "1", 5),
        (5, "2", 10),
        (5, "0.5", 3),
        (5, "0.3", 2),
        (3, "0.5", 2),
        (1, "0.001", 1),
        (0, "7", 0),
        (5, "0", 0),
        (2**31 - 1, "1000", 2**31 - 1),
        (1, "0.499999", 1),
        (7, "1.5", 11),
    ],
)
def test_a_weight_is_scaled_half_up_and_nobody_who_gets_something_comes_to_get_nothing(
    asked: int, factor: str, weight: int
) -> None:
    assert Policy(weight_factor=Fraction(factor)).weight(asked) == weight


def test_the_factor_scales_each_server_and_says_so() -> None:
    found = judged(SHOP, policy=Policy(weight_factor=Fraction("0.5")))["shop/web"]
    assert found.route is not None
    assert {one.weight for one in found.route.backends[0].servers} == {3}
    assert [(one.value, one.origin) for one in found.settings if one.name == "weight factor"] == [
        ("0.5", "--weight-factor")
    ]
    plain = judged(SHOP)["shop/web"]
    assert not any(one.name == "weight factor" for one in plain.settings)


def test_a_factor_of_0_retires_all_servers_by_the_operators_word() -> None:
    found = judged(SHOP, policy=Policy(weight_factor=Fraction(0)))
    assert serving(found) == set()
    assert leaving(found) == ALL
    assert {one.why for one in found["shop/web"].remarks} == {"--weight-factor is 0, so it gets nothing"}


# The record

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(deadline=None)
@given(st.sampled_from(Scope), NAMES)
def test_a_record_reads_back_as_what_it_drains_and_two_things_have_two_records(scope: Scope, text: str) -> None:
    try:
        name = drained_name(scope, text)
        path = drain_path("a", scope, name)
    except ValueError:
        return
    assert path.startswith("c/a/drain/")
    assert path.count("/") == 3
    assert (named(path).kind, named(path).cluster) == ("drain", "a")
    found = read_drain("a", path, write_drain(scope, name, WHEN))
    assert found == Drain(path, scope.value, name, WHEN)
    assert read_drain("a", f"{path}x", write_drain(scope, name, WHEN)) is None
    assert drained_name(scope, name) == name


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (Scope.SERVICE, "web"),
        (Scope.SERVICE, "a/b/c"),
        (Scope.SERVICE, "/web"),
        (Scope.HOST, " "),
        (Scope.CONTAINER, ""),
        (Scope.HOST, "a\nb"),
        (Scope.CLUSTER, "x"),
    ],
)
def test_what_names_nothing_is_refused(scope: Scope, text: str) -> None:
    with pytest.raises(ValueError, match=r"use|name|takes|printed"):
        drained_name(scope, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"format":2,"name":"one","scope":"host","when":"x"}',
        '{"format":1,"name":"two","scope":"host","when":"x"}',
        '{"format":1,"name":"one","scope":"planet","when":"x"}',
        '{"format":1,"name":"one","scope":"host","when":1}',
        '{"format":1,"name":"ONE","scope":"host","when":"x"}',
    ],
)
def test_a_record_that_cannot_be_read_drains_nothing_and_is_a_problem_that_names_it(text: str) -> None:
    path = drain_path("a", Scope.HOST, "one")
    good = drain_path("a", Scope.CLUSTER, "")
    records = {path: text, good: write_drain(Scope.CLUSTER, "", WHEN), "c/b/drain/cluster": "", "c/a/presence": ""}
    found = read_drains("bridge/x/", "a", records)
    assert [one.record for one in found.drains] == [f"bridge/x/{good}"]
    assert [(one.label, one.notice) for one in found.problems] == [(f"bridge/x/{path}", False)]
    assert path.startswith(drain_records("a"))


# The plan

MANY = [f"c0--{number}" for number in range(20)]


def planned(after: int, drained: int, *, hold: bool = False) -> Plan:
    """What a plan says where of 20 servers the first `after` shall stay, and of the others so many were drained."""
    scene = Scene()
    process = scene.process()
    process.settle(wish(None, *MANY))
    gone = {server(name).rpartition("/")[0] for name in MANY[after:][:drained]}
    wanted = replace(wish(None, *MANY[:after]), retiring=frozenset(gone), drained=frozenset(gone))
    scene.now += 1000
    process.look()
    return process.plan(wanted, hold=hold)


def test_what_was_drained_needs_no_second_reading_and_shuts_no_brake() -> None:
    due = planned(after=0, drained=20)
    assert (due.removed, due.servers, due.removes) == (0, 20, False)
    assert due.drained == {server(name) for name in MANY}
    assert {change.key.removeprefix("/traefik/") for unit in due.units for change in unit.changes} >= due.drained


def test_what_the_source_takes_away_beside_it_is_doubted_as_ever() -> None:
    due = planned(after=0, drained=5)
    assert (due.removed, due.removes) == (15, True)
    assert due.removals == {server(name) for name in MANY[5:]}


def test_a_brake_that_holds_lets_go_what_was_drained_and_nothing_else() -> None:
    due = planned(after=0, drained=5, hold=True)
    changed = {change.key.removeprefix("/traefik/") for unit in due.units for change in unit.changes}
    assert {path for path in changed if path in map(server, MANY)} == {server(name) for name in MANY[:5]}
    assert brake(due.removed, due.servers, BrakeRule()) is Brake.SHUT


# Where another cluster stands by


def raised(seen: Snapshot, *drains: Drain, policy: Policy) -> dict[str, int]:
    return {title: one.route.raised for title, one in judged(seen, *drains, policy=policy).items() if one.route}


def test_a_route_that_is_drained_and_separate_comes_behind_all_others_of_its_rule() -> None:
    seen = world(service("web"), service("api"))
    policy = Policy("a", separate=True, raised=5)
    assert raised(seen, policy=policy) == {"shop/web": 5 + AHEAD, "shop/api": 5 + AHEAD}
    assert raised(seen, drain(Scope.CLUSTER), policy=policy) == {"shop/web": 0, "shop/api": 0}
    of_one = raised(seen, drain(Scope.SERVICE, "shop/web"), policy=policy)
    assert of_one == {"shop/web": 0, "shop/api": 5 + AHEAD}
    first, *_ = (box for one in seen.services for box in one.containers if one.name == "web")
    assert raised(seen, drain(Scope.CONTAINER, first.uuid), policy=policy)["shop/web"] == 5 + AHEAD
    assert set(raised(seen, policy=replace(policy, weight_factor=Fraction(0))).values()) == {0}
    assert set(raised(seen, drain(Scope.CLUSTER), policy=Policy("a")).values()) == {0}, "what clusters share"


def test_what_is_sick_yields_by_an_operators_word_alone() -> None:
    sick = service("web")
    sick = with_containers(sick, *(replace(box, health_state="unhealthy") for box in sick.containers))
    policy = Policy("a", separate=True)
    assert raised(world(sick), policy=policy) == {"shop/web": AHEAD}
    assert raised(world(sick), drain(Scope.CLUSTER), policy=policy) == {"shop/web": 0}
