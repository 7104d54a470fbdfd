"""Routers of all services that ask for the same requests at one priority: Traefik would give these to either.

Of those that lead to different services the first stays: whose words stand already, else that of the smallest
stack/service. Of those that lead to one service and are not guarded alike none stays, since it may be the open one that
is asked. Of one entry point HTTP and a router of TCP that takes all connections cannot both have any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from bridge.labels.native import ANY_NAME
from bridge.labels.newer_rules import All, Any, Call, Not, Tree, parse_tree

_RULES = 1 << 12  # remembered
_WAYS = 64  # through one rule that are told apart

Way = frozenset[str]  # matchers, all of which must match
# With the priority, whether it comes over TLS, and the entry point. HTTP and TCP, whose rules can read alike where no
# host is named, do not meet there: see `crowded`.
Request = tuple[Way, str, bool, str]


@dataclass(frozen=True, slots=True)
class Asker:
    """Routers that are published together or not at all."""

    title: str  # stack/service
    place: str  # <protocol>/routers/<name>; empty: all of a route that was translated
    routers: tuple[Mapping[str, str], ...]  # their keys, by the path below each
    words: str  # for reports

    @property
    def key(self) -> tuple[str, str]:
        """Which one it is."""
        return self.title, self.place

    @property
    def protocol(self) -> str:
        """What its routers speak: http, tcp, udp."""
        return self.place.partition("/")[0] or "http"


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


def crowded(askers: Iterable[Asker], stands: Callable[[Asker], bool]) -> list[tuple[Loss, str]]:
    """Who is not published since an entry point has routers of HTTP, or of TCP that take all; with the point.

    `stands`: as `losses` has it.
    """
    at: dict[str, list[Asker]] = {}
    for asker in askers:
        for router in asker.routers:
            if asker.protocol == "http" or (asker.protocol == "tcp" and takes_all(router)):
                for point in filter(None, router.get("entryPoints", "").split(",")):
                    at.setdefault(point, []).append(asker)
    lost: dict[tuple[str, str], tuple[Loss, str]] = {}
    for point, its in at.items():
        left = [one for one in its if one.key not in lost]
        if len({one.protocol for one in left}) > 1:
            first = min(left, key=lambda one: (not stands(one), one.key))
            lost |= {one.key: (Loss(one, first, first), point) for one in left if one.protocol != first.protocol}
    return list(lost.values())


def takes_all(router: Mapping[str, str]) -> bool:
    """Whether a router of TCP is not for the names alone that clients ask for: it leaves HTTP nothing."""
    rule = router.get("rule", "")
    return not _is_secure(router) or ANY_NAME in rule or "HostSNI" not in rule


def _is_secure(router: Iterable[str]) -> bool:
    return any(path.partition("/")[0] == "tls" for path in router)


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
    """What a router asks for at each of its entry points. Of UDP there is no rule: an entry point is all."""
    secure, points = _is_secure(router), router.get("entryPoints", "").split(",")
    ways, priority = _ways(router.get("rule", "")), router.get("priority", "")
    return [(way, priority, secure, point) for way in ways for point in points]


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
