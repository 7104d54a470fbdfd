"""One protection in another's place, and keys that weaken a protection: however a Traefik's reading falls between the
transactions, it serves at least what was asked for before, or what is asked for now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

import pytest

from bridge.model.change import Limits
from bridge.model.keys import Wish
from tests.golden_reader import Configuration, HalvesReader, Store
from tests.golden_reader.objects import Frontend, Headers
from tests.planning import (
    GROUP,
    OPENS,
    PROTECTED,
    READ_TIME,
    RULE,
    SOURCES,
    TREE,
    Process,
    Scene,
    changes,
    server,
    wish,
)
from tests.test_plan import TIGHT, settled

F = f"frontends/{GROUP}"
FORWARDED = f"{F}/whitelist/usexforwardedfor"
LISTED = {SOURCES: "10.0.0.0/8"}
LAX = {**LISTED, FORWARDED: "true"}
FORWARD = {f"{F}/auth/forward/address": "https://auth.local"}
TRUSTING = {**FORWARD, f"{F}/auth/forward/trustforwardheader": "true"}
UNVERIFIED = {**FORWARD, f"{F}/auth/forward/tls/insecureskipverify": "true"}
TLS = {f"{F}/headers/sslredirect": "true"}
PROXIED = {**TLS, f"{F}/headers/sslproxyheaders/X-Forwarded-Proto": "https"}
HOSTS = {f"{F}/headers/allowedhosts": "a.local"}
NAMED = {**HOSTS, f"{F}/headers/hostsproxyheaders": "X-Host"}
NAMED_OTHERWISE = {**HOSTS, f"{F}/headers/hostsproxyheaders": "X-Other"}
ALL = {**LAX, **NAMED, **PROXIED, **TRUSTING}
STRICT = {**LISTED, **HOSTS, **TLS, **FORWARD}
ELSEWHERE = "Host:b.local"

PAIRS = [
    pytest.param(LISTED, PROTECTED, id="users for a whitelist"),
    pytest.param(PROTECTED, LISTED, id="a whitelist for users"),
    pytest.param(LISTED, LAX, id="a whitelist weakens"),
    pytest.param({**LISTED, **PROTECTED}, LAX, id="a whitelist weakens for users"),
    pytest.param({**PROTECTED, **LAX}, LISTED, id="users for a whole whitelist"),
    pytest.param(TLS, {**PROXIED, **HOSTS}, id="TLS weakens, hosts come"),
    pytest.param(FORWARD, TRUSTING, id="forward trusts"),
    pytest.param(FORWARD, UNVERIFIED, id="forward verifies nobody"),
    pytest.param(HOSTS, NAMED, id="hosts weaken"),
    pytest.param(STRICT, ALL, id="all weaken"),
    pytest.param(NAMED, NAMED_OTHERWISE, id="another header names the host"),
]


def told(frontend: Frontend) -> frozenset[str]:
    """What stands between a client and the service, and who is believed in nothing."""
    headers = frontend.headers or Headers()
    forward = frontend.auth.forward if frontend.auth else None
    whole = {
        "whole whitelist": frontend.white_list and not frontend.white_list.use_x_forwarded_for,
        "whole hosts": headers.allowed_hosts and not headers.hosts_proxy_headers,
        f"hosts but for {headers.hosts_proxy_headers}": headers.allowed_hosts,
        "whole TLS": headers.ssl_redirect and not headers.ssl_proxy_headers,
        "own word": forward and not forward.trust_forward_header,
        "verified": forward and not (forward.tls and forward.tls.insecure_skip_verify),
        "users": frontend.auth and frontend.auth.basic,
    }
    if "whole hosts" in (found := {name for name, stands in whole.items() if stands}):
        found |= {f"hosts but for {headers}" for headers in (("X-Host",), ("X-Other",))}
    return frontend.protections | found


def served(reader: HalvesReader) -> tuple[str, frozenset[str]] | None:
    """Rule and protections; None: closed."""
    assert isinstance(reader.configuration, Configuration)
    frontend = next((one for one in reader.configuration.live if one.name == GROUP), None)
    if frontend is None:
        return None
    found = reader.configuration.frontends[GROUP]
    return next(route.rule for route in found.routes.values()), told(found)


def whole(tree: Mapping[str, str]) -> tuple[str, frozenset[str]] | None:
    reader = HalvesReader("/traefik", Store.ETCD)
    assert list(reader.run(lambda: tree))
    return served(reader)


def trees(scene: Scene, process: Process, wanted: Wish) -> Iterator[tuple[float, Mapping[str, str]]]:
    """What stands from when on, on the way to the wish."""
    for _ in range(50):
        yield scene.now, {TREE + path: value for path, value in scene.values().items()}
        if not process.act(wanted):
            pauses = [wait.seconds for wait in process.plan(wanted).waits if wait.seconds is not None]
            if not pauses:
                return
            scene.now += min(pauses)
    raise AssertionError("it does not come to rest")


def halves(first: Mapping[str, str], then: Mapping[str, str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What readings serve of which any number of requests come before the change."""
    for cut in count():
        reader = HalvesReader("/traefik", Store.ETCD)
        now = dict(first)  # the reader asks this very tree
        requests = 0
        for requests, _ in enumerate(reader.run(now.copy), 1):
            if requests == cut:
                now.clear()
                now.update(then)
        if (found := served(reader)) is not None:
            yield found
        if requests < cut:
            return


@pytest.mark.parametrize("rule", ["Host:a.local", ELSEWHERE])
@pytest.mark.parametrize("turned", [False, True], ids=["there", "back"])
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_reading_finds_less_protection_than_before_or_after(
    one: Mapping[str, str], other: Mapping[str, str], turned: bool, rule: str
) -> None:
    before, after = (wish(other), wish(one, rule=rule)) if turned else (wish(one), wish(other, rule=rule))
    scene, (process,) = settled(before)
    found = list(trees(scene, process, after))
    assert {path.removeprefix(TREE): value for path, value in found[-1][1].items()} == after.shared
    asked = [whole(found[0][1]), whole(found[-1][1])]
    for at, (_, first) in enumerate(found):
        for when, then in found[at + 1 :]:
            ended = found[at + 1][0]  # from then on `first` stands no more
            if when - ended < READ_TIME:
                for shown, protections in halves(first, then):
                    assert any(want and want[0] == shown and want[1] <= protections for want in asked), protections


def test_a_route_stays_open_while_its_protection_weakens() -> None:
    scene, (process,) = settled(wish(LISTED))
    for _, tree in trees(scene, process, wish(LAX, rule=ELSEWHERE)):
        assert TREE + OPENS in tree


@pytest.mark.parametrize(("before", "after"), [(LISTED, PROTECTED), (LISTED, LAX), (LAX, LISTED)])
def test_a_process_that_just_began_waits_as_long_as_one_that_saw_it(
    before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """What came, or went, before it looked may not have been read yet."""
    scene, (process,) = settled(wish(before))
    process.act(wish(after, rule=ELSEWHERE))
    process.act(wish(after, rule=ELSEWHERE))
    successor = scene.process()
    stands = scene.values()
    assert not successor.act(wish(after, rule=ELSEWHERE))
    scene.now += READ_TIME - 0.1
    assert not successor.act(wish(after, rule=ELSEWHERE))
    assert scene.values() == stands
    successor.settle(wish(after, rule=ELSEWHERE))
    assert scene.values() == wish(after, rule=ELSEWHERE).shared


def test_another_cluster_neither_weakens_early_nor_opens_what_is_still_weak() -> None:
    """The decider stood still after it had said what it comes to."""
    scene, (decider, guest) = settled(wish(LISTED), wish(LISTED))
    decider.act(wish(LAX, rule=ELSEWHERE))
    guest.look()
    for _ in range(5):
        guest.act(wish(LAX, rule=ELSEWHERE))
        scene.now += READ_TIME
    assert FORWARDED not in scene.values() or scene.values()[RULE] == ELSEWHERE

    scene, (decider, guest) = settled(wish(LAX), wish(LAX))
    decider.act(wish(LISTED))  # its claim only
    scene.server.erase(TREE + OPENS)
    for _ in range(5):
        guest.act(wish(LISTED))
        scene.now += READ_TIME
    assert FORWARDED in scene.values()
    assert OPENS not in scene.values()
    decider.settle(wish(LISTED))
    assert scene.values() == wish(LISTED).shared


def test_servers_that_come_with_a_weaker_protection_do_not_wait_for_it() -> None:
    """An upgrade brings new containers: without them the service would be away until the key may stand."""
    scene, (process,) = settled(wish(LISTED, "c0--1"))
    process.act(wish(LAX, "c0--2", rule="Host:a.local"))
    assert server("c0--2") in scene.values()


def test_a_hold_keeps_what_weakens_and_then_the_rule_as_well() -> None:
    scene, (process,) = settled(wish(LAX))
    after = wish(LISTED, rule=ELSEWHERE)
    process.look()
    for _ in range(3):
        due = process.plan(after, hold=True)
        written = {change.key for unit in due.units for change in unit.changes}
        assert not written & {TREE + RULE, TREE + FORWARDED}
        scene.now += READ_TIME
    process.settle(after)
    assert scene.values() == after.shared


@pytest.mark.parametrize("limits", [Scene().limits, TIGHT], ids=["whole", "cut"])
def test_a_closed_route_is_opened_behind_what_took_its_weakness_away(limits: Limits) -> None:
    many = {f"backends/{GROUP}/extra/{number}": "x" for number in range(20)}
    scene, (process,) = settled(wish({**LAX, **many}), scene=Scene(limits=limits))
    scene.server.erase(TREE + OPENS)
    process.look()
    scene.now += 100
    sent = process.settle(wish({**LISTED}, rule=ELSEWHERE))
    order = [path for transaction in sent for path in changes([transaction]) if path in (FORWARDED, OPENS)]
    assert order == [FORWARDED, OPENS]
