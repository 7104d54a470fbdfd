"""What must hold in every interleaving of some bridges, gone through wholly; and that a broken protocol is found."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import pytest

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Item
from bridge.model.keys import Wish
from tests.golden_reader import Configuration, HalvesReader, Store
from tests.interleavings.breaks import BREAKS, Break
from tests.interleavings.readings import Requests, Seen
from tests.interleavings.scenarios import BRIEF, OPEN, OPENS, PROTECTED, TWO_PROTECTED, WIDER_PROTECTED, wish
from tests.interleavings.search import explore
from tests.interleavings.world import GROUP, TREE, Scenario


@pytest.mark.parametrize("scenario", BRIEF, ids=lambda scenario: scenario.name)
def test_every_interleaving_keeps_the_promises_and_comes_to_peace(scenario: Scenario) -> None:
    """No request without the protection that was asked for, nobody's key touched, no blink, no fight, all cleared."""
    found = explore(scenario, states=1_000_000)
    assert not found.broken, str(found)
    assert found.is_complete


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_a_protocol_that_leaves_a_line_out_is_found(one: Break) -> None:
    with one.applied() as scenario:
        assert explore(scenario, states=20_000, peace=one.costs_peace).broken


# The readings: those that the model of Traefik makes, which was built from recordings.

Served = tuple[frozenset[tuple[str, str | None, bool]], frozenset[str]]  # frontends with rule and users; servers


def _trees() -> list[Mapping[str, str]]:
    """What may stand, one after the other."""
    closed = {path: value for path, value in PROTECTED.items() if path != OPENS}
    wishes = (
        wish(0, OPEN),
        wish(0, PROTECTED, ""),
        wish(0, closed),
        wish(0, WIDER_PROTECTED, "01"),
        wish(1, TWO_PROTECTED),
    )
    return [{}, *({TREE + path: value for path, value in {**one.shared, **one.own}.items()} for one in wishes)]


def _by_requests(before: Mapping[str, str], after: Mapping[str, str]) -> set[Served]:
    """Whatever a reading may come to that began before the change and ends behind it, or was not hit by it."""
    everything = {path.removeprefix(TREE): value for tree in _trees() for path, value in tree.items()}
    own = {path: value for path, value in everything.items() if "/servers/" in path}
    shared = {path: value for path, value in everything.items() if path not in own}
    requests = Requests(TRAEFIK1, [Wish(GROUP, shared, own)])
    was, now = (
        requests.answers({key: Item(text, 1, 1, None) for key, text in tree.items()}) for tree in (before, after)
    )
    readings = [requests.seen(begun, now) for begun in ((), *requests.under_way({}, was, now))]
    return {_of(seen) for seen in (requests.seen((), was), *readings)}


def _of(seen: Seen) -> Served:
    frontends = frozenset((one.name, one.rule, bool(one.protects)) for one in seen.frontends)
    return frontends, frozenset(path.split("/")[3] for path in seen.servers) if frontends else frozenset()


def _by_model(before: Mapping[str, str], after: Mapping[str, str]) -> set[Served]:
    """The same, by the model: the change meets it before each of its requests in turn."""
    found, meets_at, last = set(), 0, 0
    while meets_at <= last:
        reader, tree = HalvesReader("traefik", Store.CONSUL), before
        for last, _ in enumerate(reader.run(lambda: tree)):  # noqa: B023 asked for here and now
            tree = after if last >= meets_at else before
        found.add(_served(reader.configuration))
        meets_at += 1
    return found


def _served(configuration: Configuration) -> Served:
    frontends, servers = set(), set[str]()
    for live in configuration.live:
        frontend = configuration.frontends[live.name]
        rules = [route.rule for route in frontend.routes.values()]
        frontends.add((live.name, rules[0] if rules else None, bool(frontend.protections)))
        servers |= configuration.backends[frontend.backend].servers.keys()
    return frozenset(frontends), frozenset(servers)


@pytest.mark.parametrize(("before", "after"), [*permutations(_trees(), 2)])
def test_readings_under_way_see_what_the_model_of_traefik_may_see(
    before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """No half that it may see is left out, and none is made up."""
    assert _by_requests(before, after) == _by_model(before, after)
