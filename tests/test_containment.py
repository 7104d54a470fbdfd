"""Whatever an owner writes on a service: nothing fails, and nobody else feels it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from bridge.labels.expressions import breaker, retry
from bridge.labels.rules import parse_rule, write_rule
from bridge.layouts import Target, layout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_guard import check, harmful
from bridge.layouts.traefik3_lint import faults
from bridge.model.keys import Entry, group_name, route_name
from bridge.model.route import Route
from bridge.model.world import Snapshot
from bridge.routes import Health, Policy, judge_all
from bridge.sources.document import snapshot
from bridge.sync import lay_out
from tests.golden_reader import Configuration, Store, configuration, leaves_and_directories
from tests.odd_labels import CALM, Odd, odd_services

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

# Those who write nothing odd: one in each vocabulary.
CALM_LABELS: Mapping[str, dict[str, str]] = {
    "one": {"traefik.enable": "true", "traefik.domain": "calm.example", "traefik.port": "8080"},
    "two": {
        "traefik.enable": "true",
        "traefik.port": "80",
        "traefik.frontend.rule": "Host:two.calm.example;PathPrefixStrip:/api",
        "traefik.frontend.auth.basic.users": "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
    },
}
# For these a Traefik must have what the model's has not, and drops the frontend, alone: files, entry points, TLS.
WANTING = ("/usersfile", "/tls/ca", "/tls/cert", "/tls/key", "/passtlscert", "/entrypoints", "/redirect/entrypoint")

# A draw costs more than what is done with it. `make fuzz` asks for many more.
patient = settings(deadline=None, max_examples=settings().max_examples // 2)
several = st.lists(odd_services, min_size=1, max_size=3, unique_by=lambda one: (one.name.lower(), one.stack.lower()))


def service(name: str, stack: str, at: int, labels: Mapping[str, str], of_containers: Mapping[str, str]) -> Json:
    return {
        "uuid": f"s-{at}",
        "name": name,
        "stack_name": stack,
        "kind": "service",
        "state": "active",
        "labels": dict(labels),
        "health_check": {"port": 80},
        "containers": [
            {
                "uuid": f"c-{at}-{number}",
                "name": f"{stack}-{name}-{number}",
                "state": "running",
                "health_state": "healthy",
                "primary_ip": f"10.42.{at}.{number}",
                "labels": dict(of_containers) if number == 2 else {},
            }
            for number in (1, 2)
        ],
    }


def world(odd: Iterable[Odd]) -> Snapshot:
    """As the metadata service tells it."""
    calm = [service(name, CALM, at, labels, {}) for at, (name, labels) in enumerate(CALM_LABELS.items())]
    stacks: list[Json] = [{"name": CALM, "uuid": "st-0", "environment_uuid": "e-1", "services": calm}]
    for at, one in enumerate(odd, 10):
        of = service(one.name, one.stack, at, one.labels, one.of_containers)
        stacks.append({"name": one.stack, "uuid": f"st-{at}", "environment_uuid": "e-1", "services": [of]})
    return snapshot(json.dumps(stacks).encode(), "document")


TARGETS = (Target(), Target((3, 7), ("web", "websecure"), resolver="le"))  # the oldest Traefik 3 and the newest
# Why a route that stands for Traefik 1 cannot be written for Traefik 3, where no label that protects is the reason.
ONLY_THERE = ("in a rule of Traefik 3", "longer than 200 bytes", "strips twice", "a comma or blanks")


def entries(route: Route) -> tuple[Entry, ...]:
    return TRAEFIK1.entries(route, "default")


def published(found: Snapshot) -> list[tuple[Route, tuple[Entry, ...]]]:
    """Each route with its keys. None is refused only here: by then it would look like a fault of the bridge."""
    routes = [verdict.route for verdict in judge_all(found, Policy(health=Health.OPTIONAL))]
    return [(route, entries(route)) for route in routes if route]


def of_the_calm(laid: Iterable[tuple[Route, tuple[Entry, ...]]]) -> dict[str, tuple[Entry, ...]]:
    return {route.title: keys for route, keys in laid if route.stack == CALM}


ALONE = of_the_calm(published(world(())))


def tree(laid: Iterable[tuple[Route, tuple[Entry, ...]]]) -> dict[str, str]:
    keys = [(entry.path, entry.value) for _, its in laid for entry in its] + [*TRAEFIK1.standing().items()]
    found = {f"/traefik/{path}": value for path, value in keys}
    assert len(found) == len(keys), "two services wrote one key"
    return found


def test_the_calm_are_published() -> None:
    """Or the promises below would promise nothing."""
    assert {title: len(keys) for title, keys in ALONE.items()} == {"calm/one": 8, "calm/two": 6}


@pytest.mark.timeout(600)  # to make a failure small takes longer than to find it
@patient
@given(several)
def test_odd_labels_hurt_nobody_else(odd: list[Odd]) -> None:
    laid = published(world(odd))
    assert of_the_calm(laid) == ALONE
    for route, keys in laid:
        group = group_name(route_name(route.service, route.stack))
        assert {entry.place.group for entry in keys} == {group}
        assert {group_name(entry.path.split("/")[1]) for entry in keys} == {group}


@pytest.mark.timeout(600)  # to make a failure small takes longer than to find it
@patient
@given(several)
def test_no_key_does_traefik_harm(odd: list[Odd]) -> None:
    """By the list of what may be written, and by the model that was built from recordings: each knows nothing of the
    other."""
    laid = published(world(odd))
    for _, keys in laid:
        check(keys)
        assert [entry for entry in keys if harmful(entry.path, entry.value)] == []
    whole = tree(laid)
    assert leaves_and_directories(whole, "/traefik") == []
    found = configuration(whole, "/traefik", Store.ETCD)
    assert isinstance(found, Configuration), found
    live = {frontend.name for frontend in found.live}
    meant = {path.split("/")[3] for path in whole if path.startswith("/traefik/frontends/")}
    note(str(sorted(meant - live)))
    for name in meant - live:
        its = f"/traefik/frontends/{name}/"
        assert any(path.startswith(its) and path.endswith(WANTING) for path in whole), name
    assert {"one__calm", "two__calm", "zz-bridge"} <= live


@pytest.mark.timeout(600)  # to make a failure small takes longer than to find it
@patient
@given(several)
def test_what_is_parsed_reads_back_as_it_was_written(odd: list[Odd]) -> None:
    for route, _ in published(world(odd)):
        for frontend in route.frontends:
            assert parse_rule(write_rule(frontend.rule)) == frontend.rule
        for backend in route.backends:
            assert not backend.breaker or breaker(backend.breaker) == backend.breaker
            if backend.buffering and backend.buffering.retry:
                assert retry(backend.buffering.retry) == backend.buffering.retry


@pytest.mark.timeout(600)  # to make a failure small takes longer than to find it
@patient
@given(several, st.sampled_from(TARGETS))
def test_odd_labels_hurt_nobody_in_traefik_3(odd: list[Odd], target: Target) -> None:
    """All of the tree is what Traefik takes; what of a route it would not, costs that route, and a problem says so."""
    chosen = layout("traefik3", target)
    verdicts = judge_all(world(odd), Policy(health=Health.OPTIONAL))
    wishes, problems = lay_out(verdicts, chosen, "default")
    refused = [problem for problem in problems if problem.did == "published no route for traefik3"]
    titles = [wish.title for wish in wishes.values()] + [problem.service for problem in refused]
    assert sorted(titles) == sorted(verdict.route.title for verdict in verdicts if verdict.route)
    assert {f"{CALM}/one", f"{CALM}/two"} <= {wish.title for wish in wishes.values()}
    for problem in refused:
        assert problem.label or any(known in problem.reason for known in ONLY_THERE), problem
    keys = [(path, value) for wish in wishes.values() for path, value in {**wish.shared, **wish.own}.items()]
    whole = dict(keys)
    assert len(keys) == len({path.lower() for path in whole}), "two services wrote one key"
    assert faults(whole, target.version) == ()
    assert {place.group for path in whole if (place := chosen.place(path))} == wishes.keys()
