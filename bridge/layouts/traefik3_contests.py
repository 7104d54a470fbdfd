"""Routers of all services that ask for the same requests at one priority: Traefik would give these to either.

Of those that lead to different services the first stays: whose words stand already, else that of the smallest
stack/service. Of those that lead to one service and are not guarded alike none stays, since it may be the open one that
is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from bridge.labels.newer_rules import All, Any, Call, Not, Tree, parse_tree

_RULES = 1 << 12  # remembered
_WAYS = 64  # through one rule that are told apart

Way = frozenset[str]  # matchers, all of which must match
Request = tuple[Way, str, bool, str]  # with the priority, whether it comes over TLS, and the entry point


@dataclass(frozen=True, slots=True)
class Asker:
    """Routers that are published together or not at all."""

    title: str  # stack/service
    place: str  # http/routers/<name>; empty: all of a route that was translated
    routers: tuple[Mapping[str, str], ...]  # their keys, by the path below each
    words: str  # for reports

    @property
    def key(self) -> tuple[str, str]:
        """Which one it is."""
        return self.title, self.place


@dataclass(frozen=True, slots=True)
class Loss:
    """One that is not published, and why."""

    asker: Asker
    winner: Asker | None  # None: it would be asked in another's stead, which is guarded otherwise
    other: Asker


def losses(askers: Iterable[Asker], stands: Callable[[Asker], bool]) -> list[Loss]:
    """Who is not published. `stands`: whether its words stand already; asked only of those in a contest."""
    asking: dict[Request, list[tuple[Asker, Mapping[str, str]]]] = {}
    for asker in askers:
        for router in asker.routers:
            for request in requests(router):
                asking.setdefault(request, []).append((asker, router))
    contested = {request: its for request, its in asking.items() if len({_outcome(router) for _, router in its}) > 1}
    lost = {one.asker.key: one for its in contested.values() for one in _unsafe(its)}
    named = {asker.key: asker for its in contested.values() for asker, _ in its}
    held: dict[Request, tuple[Asker, str]] = {}
    for asker in sorted(named.values(), key=lambda one: (not stands(one), one.key)):
        if asker.key in lost:
            continue
        wanted = [
            (request, router.get("service", ""))
            for router in asker.routers
            for request in requests(router)
            if request in contested
        ]
        beaten = next((held[one][0] for one, service in wanted if one in held and held[one][1] != service), None)
        if beaten and beaten.key != asker.key:
            lost[asker.key] = Loss(asker, beaten, beaten)
        else:
            for request, service in wanted:
                held.setdefault(request, (asker, service))
    return list(lost.values())


def _outcome(router: Mapping[str, str]) -> tuple[str, ...]:
    """What becomes of its requests, as far as it may let somebody in."""
    return tuple(router.get(path, "") for path in ("service", "middlewares", "tls/options"))


def _unsafe(asking: list[tuple[Asker, Mapping[str, str]]]) -> Iterator[Loss]:
    """Those that lead to one service and are not guarded alike."""
    natives = [(asker, router) for asker, router in asking if asker.place]  # a route has its services alone
    for asker, router in natives:
        for other, its in natives:
            if its.get("service") == router.get("service") and _outcome(its) != _outcome(router):
                yield Loss(asker, None, other)
                break


def requests(router: Mapping[str, str]) -> list[Request]:
    """What a router asks for at each of its entry points."""
    secure = any(path.partition("/")[0] == "tls" for path in router)
    points = router.get("entryPoints", "").split(",")
    return [
        (way, router.get("priority", ""), secure, point) for way in _ways(router.get("rule", "")) for point in points
    ]


@lru_cache(_RULES)
def _ways(rule: str) -> tuple[Way, ...]:
    """The ways through a rule; the rule itself where nobody can tell them apart."""
    try:
        found = _through(parse_tree(rule))
    except ValueError:
        found = None
    return tuple(dict.fromkeys(found)) if found else (frozenset((rule,)),)


def _through(tree: Tree) -> list[Way] | None:
    match tree:
        case Call(name, values):
            return [frozenset((repr((name, values)),))]
        case Not(of):
            return [frozenset((f"not {sorted(map(sorted, _through(of) or [frozenset((repr(of),))]))}",))]
        case Any(of):
            parts = [_through(one) for one in of]
            found = [way for part in parts for way in part or ()]
            return found if all(parts) and len(found) <= _WAYS else None
        case All(of):
            parts = [_through(one) for one in of]
            size = 1
            for part in parts:
                size *= len(part or ())
            if not 0 < size <= _WAYS:
                return None
            return [frozenset().union(*ways) for ways in product(*(part for part in parts if part))]
