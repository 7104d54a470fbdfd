"""What becomes of Traefik 1's and 2's routes in Traefik 3: each side as it has it, and what is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from bridge.cli.native_moves import Router2, routers2
from bridge.layouts import Claimed, Natives, NoCounterpart, RouteLayout, nothing_claimed
from bridge.layouts.go_values import is_whole
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_back import FOREIGN, Back, length_of, rules_of
from bridge.layouts.traefik1_labels import items_of
from bridge.layouts.traefik3_moved import Fields, Router, Service, routers, services, with_kept_names
from bridge.model.keys import Role, Wish, route_name
from bridge.model.native import Native
from bridge.model.problem import Problem
from bridge.model.route import Route, Verdict
from bridge.model.world import Service as WorldService

NO_ROUTE = "Traefik 3 will not have this route"
ITSELF = "Traefik 3 gets nothing of what its older labels ask for"


class Moved(Enum):
    """What becomes of a route."""

    WHOLE = "whole"
    LOSSES = "losses"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Frontend1:
    """A frontend as Traefik 1 has it."""

    name: str
    rule: str
    priority: int  # that counts
    by_length: bool  # no key says it
    entry_points: tuple[str, ...]  # empty: Traefik's default ones
    backend: str
    protects: Fields
    more: Fields


@dataclass(frozen=True, slots=True)
class Backend1:
    """A backend as Traefik 1 has it."""

    name: str
    fields: Fields
    servers: tuple[tuple[str, str], ...]  # url and weight


@dataclass(frozen=True, slots=True)
class Candidate:
    """What Traefik 1 has of one service, or of what belongs together."""

    title: str
    keys: Mapping[str, str] = field(repr=False)  # by path below the prefix; some hold secrets
    route: Route | None  # None: they cannot be read back, or native labels speak in its place
    problems: tuple[Problem, ...] = ()
    native: Native | None = None  # what its labels of Traefik 2 ask for
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)  # of a service with such labels

    def backends(self) -> frozenset[str]:
        """Their names in Traefik 1."""
        return frozenset(path.split("/")[1] for path in self.keys if path.startswith("backends/"))


@dataclass(frozen=True, slots=True)
class Move:
    """One of them, and what becomes of it."""

    title: str
    frontends: tuple[Frontend1, ...]
    backends: tuple[Backend1, ...]
    routers: tuple[Router, ...]
    services: tuple[Service, ...]
    problems: tuple[Problem, ...]  # of all that is lost; notices: of what is done otherwise
    old_routers: tuple[Router2, ...] = ()  # of Traefik 2
    native: bool = False  # Traefik 3's side is what native labels ask for
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # of Traefik 3; some hold secrets

    @property
    def moved(self) -> Moved:
        """Whether it moves. A service that only lends a middleware has no router to lose."""
        if not self.routers and (self.old_routers or not self.native):
            return Moved.MISSING
        return Moved.LOSSES if any(not one.notice for one in self.problems) else Moved.WHOLE


def of_verdicts(judged: Iterable[tuple[WorldService, Verdict]], cluster: str) -> list[Candidate]:
    """What a source asks for. Of what Traefik 1 cannot have there is no key."""
    found = []
    for service, verdict in judged:
        route, native = verdict.route, verdict.native
        try:
            keys = {entry.path: entry.value for entry in TRAEFIK1.entries(route, cluster)} if route else {}
        except ValueError:
            keys = {}
        if native:
            left = None if native.asked else route
            found.append(Candidate(service.title, keys, left, native=native, labels=service.labels))
        elif route:
            found.append(Candidate(route.title, keys, route))
    return found


def of_tree(routes: Iterable[Back], keys: Mapping[str, str]) -> list[Candidate]:
    """What was read back from keys, by path below the prefix."""
    objects: dict[str, dict[str, str]] = {}
    for path, value in keys.items():
        objects.setdefault("/".join(path.split("/", 2)[:2]), {})[path] = value
    found = []
    for back in routes:
        names = (*(f"frontends/{name}" for name in back.frontends), *(f"backends/{name}" for name in back.backends))
        its = {path: value for name in names for path, value in objects[name].items()}
        found.append(Candidate(back.title, its, back.route, back.problems))
    return found


def moves(
    candidates: Sequence[Candidate], layout: RouteLayout, cluster: str, claimed: Claimed = nothing_claimed
) -> list[Move]:
    """What becomes of each, in `layout`. `claimed`: what the cluster's claims ask for there."""
    refused: dict[str, Problem] = {}
    while True:
        moving = [one for one in candidates if one.route and one.title not in refused]
        published = frozenset(name for one in moving for name in _names(one))
        laid: dict[str, tuple[dict[str, str], tuple[Problem, ...]]] = {}
        before = len(refused)
        for one in moving:
            try:
                laid[one.title] = _laid_out(one, layout, cluster, published)
            except ValueError as err:
                refused[one.title] = _refusal(one.title, err)
        if len(refused) == before:  # else a page of another may be missing now
            break
    natives = layout.natives([one.native for one in candidates if one.native], cluster, claimed)
    found = []
    for one in candidates:
        move = _move(one, *laid.get(one.title, ({}, ())), refused.get(one.title))
        found.append(_with_native(move, one, one.native, natives) if one.native else move)
    return found


def _names(one: Candidate) -> frozenset[str]:
    route = one.route
    if not route or route.stack == FOREIGN:
        return one.backends()
    return frozenset(route_name(route.service, route.stack, backend.segment) for backend in route.backends)


def _laid_out(
    one: Candidate, layout: RouteLayout, cluster: str, published: frozenset[str]
) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The keys, and what is lost of the route. Raises ValueError where it has no keys."""
    assert one.route
    route, missing = layout.grounded(one.route, published)
    keys = {entry.path: entry.value for entry in layout.entries(route, cluster)}
    if route.stack == FOREIGN:
        keys = with_kept_names(keys, route)
    lost = (*layout.losses(route), *missing)
    return keys, tuple(replace(problem, service=one.title) if problem.service else problem for problem in lost)


def _refusal(title: str, err: ValueError) -> Problem:
    if isinstance(err, NoCounterpart):
        return Problem(title, err.label, err.value, err.reason, NO_ROUTE)
    return Problem(title, "", "", f"no key of it may be written: {err}", NO_ROUTE)


def _move(one: Candidate, keys: Mapping[str, str], lost: Iterable[Problem], refusal: Problem | None) -> Move:
    return Move(
        title=one.title,
        frontends=tuple(_frontend(name, one.keys) for name in _named("frontends", one.keys)),
        backends=tuple(_backend(name, one.keys) for name in _named("backends", one.keys)),
        routers=tuple(routers(keys)),
        services=tuple(services(keys)),
        problems=(*one.problems, *lost, *((refusal,) if refusal else ())),
        keys=keys,
    )


def _with_native(move: Move, one: Candidate, native: Native, natives: Natives) -> Move:
    """With what native labels ask for, in the place of a route. What they refer to may be another service's."""
    problems = (*move.problems, *(problem for problem in natives.problems if problem.service == one.title))
    move = replace(move, old_routers=routers2(one.labels, native), problems=problems)
    if one.route:
        return move
    if one.keys:
        beaten = Problem(one.title, native.label, "", "it speaks to Traefik 3 itself", ITSELF, notice=True)
        move = replace(move, problems=(*problems, beaten))
    everything = {path: value for wish in natives.wishes.values() for path, value in _keys(wish)}
    its = {path: value for wish in natives.wishes.values() if one.title in wish.holders for path, value in _keys(wish)}
    held = {tuple(path.split("/")[:3]) for path in its}
    return replace(
        move,
        routers=tuple(each for each in routers(everything) if (each.protocol, "routers", each.name) in held),
        services=tuple(services(its)),
        native=True,
        keys=its,
    )


def _keys(wish: Wish) -> Iterator[tuple[str, str]]:
    yield from wish.shared.items()
    yield from wish.own.items()


# Traefik 1's side.


def _named(kind: str, keys: Mapping[str, str]) -> list[str]:
    return sorted({path.split("/")[1] for path in keys if path.startswith(f"{kind}/")})


def _frontend(name: str, keys: Mapping[str, str]) -> Frontend1:
    base = f"frontends/{name}"
    its = {path: value for path, value in keys.items() if path.startswith(f"{base}/")}
    try:
        rules = rules_of(base, its)
        entry_points = items_of(f"{base}/entrypoints", its)
    except ValueError:  # Traefik reads nothing at all of such a tree
        rules, entry_points = tuple(value for path, value in sorted(its.items()) if path.endswith("/rule")), ()
    said = its.get(f"{base}/priority", "")
    counts = is_whole(said) and int(said) > 0
    protects: list[tuple[str, str]] = []
    more: list[tuple[str, str]] = []
    for path, value in sorted(its.items()):
        field_name, place = path.removeprefix(f"{base}/"), TRAEFIK1.place(path)
        if field_name in ("backend", "priority") or field_name.partition("/")[0] in ("routes", "entrypoints"):
            continue
        (protects if place and place.role is Role.PROTECTS else more).append((field_name, value))
    return Frontend1(
        name=name,
        rule=";".join(rules),
        priority=int(said) if counts else length_of(rules),
        by_length=not counts,
        entry_points=entry_points,
        backend=its.get(f"{base}/backend", ""),
        protects=tuple(protects),
        more=tuple(more),
    )


def _backend(name: str, keys: Mapping[str, str]) -> Backend1:
    base = f"backends/{name}/"
    its = {path.removeprefix(base): value for path, value in sorted(keys.items()) if path.startswith(base)}
    urls = [path for path in its if path.startswith("servers/") and path.endswith("/url")]
    return Backend1(
        name=name,
        fields=tuple((path, value) for path, value in its.items() if not path.startswith("servers/")),
        servers=tuple((its[url], its.get(f"{url.removesuffix('url')}weight", "1")) for url in urls),
    )
