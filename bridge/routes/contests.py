"""Two services, one request: what is proved of their rules alone, and who is published where both would take it.

Traefik 1 gives a request to the frontend of the highest priority; of equal ones an unrelated route decides which gets
it. So of two services that surely ask for a common request at one priority only one is published. Whatever stands
beside a host and a path in a rule may tell two of them apart, so such a rule proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge, nsmallest
from itertools import chain, islice, takewhile
from typing import NamedTuple, TypeAlias

from bridge.model.problem import Problem
from bridge.model.route import MODIFIERS, Frontend, Gate, Kind, Matcher, Route, Rule, Verdict

# Tuples: an Enum's hash is slow, and every rule is looked at.
_HOSTS = (Kind.HOST, Kind.HOST_REGEXP)
_PATHS = tuple(kind for kind in Kind if kind.value.startswith("Path"))
_PREFIXES = tuple(kind for kind in _PATHS if kind.value.startswith("PathPrefix"))
ANY_HOST = ""
TAKERS = 4  # of one request that are known: one is told, of those that are published

REMEDY = "say traefik.priority, or another host or path"
CONTESTED = "contest"  # the gate


class Request(NamedTuple):
    """Requests that a frontend surely takes, where no other does. A tuple, because every route has some."""

    host: str  # as the rule writes it, a pattern too; ANY_HOST where it names none
    path: str  # as the rule writes it, a pattern too; "" where it names none
    exact: bool  # the path is whole; else it is how paths begin
    priority: int  # that counts: the label's, or the rule's length
    entry_points: tuple[str, ...]  # sorted; empty: Traefik's default ones

    def __str__(self) -> str:
        path = f"{'Path' if self.exact else 'PathPrefix'}:{self.path}" if self.path else ""
        return " ".join(filter(None, (self.host or "any host", path)))

    def covers(self, other: Request) -> bool:
        """Whether it takes all paths that the other does. A pattern stands in a text as a whole: it cannot be cut."""
        return self.path == other.path if self.exact else other.path.startswith(self.path)


@dataclass(frozen=True, slots=True)
class Contested:
    """A request for which another service may ask as well, at the same priority."""

    request: Request
    askers: tuple[str, ...]  # services, sorted
    rivals: tuple[Request, ...]  # others that have requests in common with it


@dataclass(frozen=True, slots=True)
class Taken:
    """Requests of one service that go to others first."""

    service: str
    request: Request
    takers: tuple[str, ...]  # not empty; who comes first is first


@dataclass(frozen=True, slots=True)
class Overlaps:
    """What the routes of one snapshot have in common."""

    contested: Mapping[Request, Contested]
    taken: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a service is not published."""

    winner: str
    request: Request  # that it asked for


# Lower comes first. It must depend on nothing that the outcome changes, unless it changes it in favour of the winner.
Rank: TypeAlias = Callable[[Route], tuple[int, int]]


def all_alike(_route: Route) -> tuple[int, int]:
    """Where no store says who was there first, the names decide."""
    return (0, 0)


# What is asked for


def requests(route: Route | None) -> tuple[Request, ...]:
    """What the route's rules surely take."""
    if route is None:
        return ()
    found = [_asked_by(frontend) for frontend in route.frontends]
    return found[0] if len(found) == 1 else tuple(dict.fromkeys(chain.from_iterable(found)))


def _asked_by(frontend: Frontend) -> tuple[Request, ...]:
    hosts: Matcher | None = None
    paths: Matcher | None = None
    for one in frontend.rule.matchers:
        if one.kind in _HOSTS and hosts is None:
            hosts = one
        elif one.kind in _PATHS and paths is None:
            paths = one
        elif one.kind not in MODIFIERS:
            return ()
    priority = frontend.priority or length(frontend.rule)
    entry_points = tuple(sorted(frontend.entry_points))
    exact = paths is not None and paths.kind not in _PREFIXES
    names, texts = hosts.values if hosts else (ANY_HOST,), paths.values if paths else ("",)
    if not exact and "/" in texts:
        texts = ("",)  # no path begins otherwise
    return tuple([Request(name.lower(), text, exact, priority, entry_points) for name in names for text in texts])


def length(rule: Rule) -> int:
    """The bytes of the rule's text: its priority where no label says another."""
    total = len(rule.matchers) - 1  # semicolons
    for one in rule.matchers:
        text = ",".join(one.values)
        total += len(one.kind.value) + 1 + (len(text) if text.isascii() else len(text.encode()))
    return total


# What they have in common


def overlaps(asked: Iterable[tuple[str, Sequence[Request]]]) -> Overlaps:
    """What services (title, requests) have in common. Costs little where hosts are not shared."""
    by_host: dict[str, list[tuple[str, Request]]] = {}
    wide: dict[str, list[tuple[str, Request]]] = {}  # by how a host must end
    for title, its in asked:
        for request in its:
            by_host.setdefault(request.host, []).append((title, request))
            if not request.host or "{" in request.host:
                wide.setdefault(request.host.rpartition("}")[2], []).append((title, request))
    contested: dict[Request, Contested] = {}
    taken: list[Taken] = []
    for there in by_host.values():
        if len(there) > 1 and any(title != there[0][0] for title, _ in there):
            _on_one_host(there, contested, taken)
    if wide:
        taken += _by_wide(by_host, wide)
    return Overlaps(contested, tuple(taken))


def _on_one_host(its: Sequence[tuple[str, Request]], contested: dict[Request, Contested], taken: list[Taken]) -> None:
    """Adds what those that ask for one host have in common."""
    askers: dict[Request, list[str]] = {}
    for title, request in its:
        askers.setdefault(request, []).append(title)
    there = _There(askers)
    rivals: dict[Request, set[Request]] = {request: set() for request in askers}
    for request in askers:
        for other in there.equal(request):
            rivals[request].add(other)
            rivals[other].add(request)
    for request, titles in askers.items():
        if len(titles) > 1 or rivals[request]:
            contested[request] = Contested(request, tuple(sorted(titles)), tuple(sorted(rivals[request])))
        names = tuple(dict.fromkeys(name for other in there.before(request) for name in sorted(askers[other])))
        taken.extend(_taken(titles, request, names))


class _There:
    """What is asked for at one host, found by the path that it covers."""

    def __init__(self, asked: Iterable[Request]) -> None:
        self._at: dict[tuple[str, bool], list[Request]] = {}  # by path, and whether it is whole; who is first is first
        self._equal: dict[tuple[str, bool, int], list[Request]] = {}  # the same, by priority too
        for request in sorted(asked, key=_first):
            self._at.setdefault((request.path, request.exact), []).append(request)
            self._equal.setdefault((request.path, request.exact, request.priority), []).append(request)
        self._lengths = sorted({len(path) for path, exact in self._at if not exact})

    def equal(self, request: Request) -> Iterator[Request]:
        """The others of its priority that surely take all that it asks for, at a common entry point."""
        for path, exact in self._places(request):
            for other in self._equal.get((path, exact, request.priority), ()):
                if other is not request and _meet(other, request):
                    yield other

    def before(self, request: Request) -> list[Request]:
        """The first TAKERS of a higher priority that do."""
        found: list[Request] = []
        for place in self._places(request):
            higher = takewhile(lambda other: other.priority > request.priority, self._at.get(place, ()))
            found += islice((other for other in higher if _meet(other, request)), TAKERS)
        return nsmallest(TAKERS, found, key=_first)

    def _places(self, request: Request) -> Iterator[tuple[str, bool]]:
        """Where those stand that cover its path: those that are how it begins, and itself."""
        for end in self._lengths:
            if end <= len(request.path):
                yield request.path[:end], False
        if request.exact:
            yield request.path, True


def _meet(one: Request, other: Request) -> bool:
    """Whether both are surely asked at one entry point. Which ones the default ones are is not known here."""
    if one.entry_points and other.entry_points:
        return not set(one.entry_points).isdisjoint(other.entry_points)
    return one.entry_points == other.entry_points


def _first(request: Request) -> tuple[int, Request]:
    return -request.priority, request


def _taken(titles: Iterable[str], request: Request, takers: tuple[str, ...]) -> Iterator[Taken]:
    for title in titles:
        others = tuple(name for name in takers if name != title)
        if others:
            yield Taken(title, request, others)


def _by_wide(
    by_host: Mapping[str, Sequence[tuple[str, Request]]], wide: Mapping[str, list[tuple[str, Request]]]
) -> Iterator[Taken]:
    """What rules for any host, or with a pattern that may match it, take of one host that another asks for."""
    ordered = {end: sorted([(_first(request), title) for title, request in its]) for end, its in wide.items()}
    lengths = sorted({len(end) for end in wide})
    for host, its in by_host.items():
        if not host or "{" in host:
            continue
        near = [ordered.get(host[len(host) - end :], []) for end in lengths if end <= len(host)]
        for title, request in its:
            takers = (name for (_, other), name in merge(*near) if name != title and _may_take(other, request))
            if names := tuple(islice(takers, TAKERS)):
                yield Taken(title, request, names)


def _may_take(wide: Request, request: Request) -> bool:
    begins = wide.host.partition("{")[0]
    is_before = wide.priority >= request.priority
    return is_before and request.host.startswith(begins) and wide.covers(request) and _meet(wide, request)


# Who is published


def losses(verdicts: Iterable[Verdict], found: Overlaps, rank: Rank) -> Mapping[str, Loss]:
    """The services that are not published, by name.

    In the order of their rank, then of their names, each is published unless one before it has a request of its in
    common. So of two that are published none has, and who was first stays.
    """
    if not found.contested:
        return {}
    asked: dict[str, list[Contested]] = {}
    for _, one in sorted(found.contested.items()):
        for title in one.askers:
            asked.setdefault(title, []).append(one)
    routes = {one.service: one.route for one in verdicts if one.service in asked and one.route}
    holders: dict[Request, str] = {}
    lost: dict[str, Loss] = {}
    for title in sorted(routes, key=lambda title: (rank(routes[title]), title)):
        loss = next(_lost(title, asked[title], holders), None)
        if loss:
            lost[title] = loss
        else:
            holders.update((one.request, title) for one in asked[title])
    return lost


def _lost(title: str, asked: Iterable[Contested], holders: Mapping[Request, str]) -> Iterator[Loss]:
    for one in asked:
        for request in (one.request, *one.rivals):
            holder = holders.get(request, title)
            if holder != title:
                yield Loss(holder, one.request)


def settle(verdicts: Sequence[Verdict], found: Overlaps, lost: Mapping[str, Loss]) -> tuple[Verdict, ...]:
    """The verdicts without the routes of those that lost, and with a problem on both sides of each overlap."""
    problems: dict[str, list[Problem]] = {}
    for problem in (*_told(lost), *_warned(found, lost)):
        problems.setdefault(problem.service, []).append(problem)
    if not problems:
        return tuple(verdicts)
    return tuple(
        _settled(one, lost.get(one.service), problems[one.service]) if one.service in problems and one.route else one
        for one in verdicts
    )


def _settled(verdict: Verdict, loss: Loss | None, problems: Iterable[Problem]) -> Verdict:
    verdict = replace(verdict, problems=(*verdict.problems, *problems))
    if loss is None:
        return verdict
    gate = Gate(CONTESTED, False, f"{loss.winner} is published for requests that it asks for: {loss.request}")
    return replace(verdict, gates=(*verdict.gates[:-1], gate), route=None)


def _told(lost: Mapping[str, Loss]) -> Iterator[Problem]:
    beaten: dict[str, list[str]] = {}
    for title, loss in sorted(lost.items()):
        beaten.setdefault(loss.winner, []).append(title)
        why = f"{loss.winner} asks for the same requests, and is published"
        yield Problem(title, "", str(loss.request), why, "no route", suggestion=REMEDY)
    for winner, losers in beaten.items():
        why = f"{_and_others(losers)} asks for the same requests, and is not published"
        yield Problem(winner, "", str(lost[losers[0]].request), why, "published it alone", suggestion=REMEDY)


def _warned(found: Overlaps, lost: Mapping[str, Loss]) -> Iterator[Problem]:
    """One notice a service for what it loses to others, and one for what it takes from them."""
    robbed: dict[str, list[Taken]] = {}
    told = set(lost)
    for one in sorted(found.taken, key=lambda one: (one.service, one.request)):
        taker = next((name for name in one.takers if name not in lost), "")
        if taker and one.service not in told:
            told.add(one.service)
            why = f"{taker} may take these requests: its rule comes first"
            yield Problem(one.service, "", str(one.request), why, "published both", notice=True)
            robbed.setdefault(taker, []).append(one)
    for taker, its in robbed.items():
        why = f"its rule comes before that of {_and_others([one.service for one in its])}, and may take these requests"
        yield Problem(taker, "", str(its[0].request), why, "published both", notice=True)


def _and_others(titles: Sequence[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{titles[0]} (and {len(titles) - 1} more)"
