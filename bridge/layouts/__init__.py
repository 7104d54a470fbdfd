"""Routes become entries: one module a key layout."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, TypeAlias

from bridge.layouts.lint import Finding
from bridge.model.keys import Entry, Layout, Wish
from bridge.model.native import Native
from bridge.model.problem import Problem
from bridge.model.route import Route

LAYOUTS = {"traefik1": "bridge.layouts.traefik1", "traefik3": "bridge.layouts.traefik3"}


@dataclass(frozen=True, slots=True)
class Target:
    """What the operator says of the Traefik that reads; Traefik 1 needs none of it."""

    version: tuple[int, int] = (3, 0)  # the oldest that reads: a newer one's keys may make it refuse the whole tree
    entry_points: tuple[str, ...] = ()  # of routes whose labels name none; empty: Traefik's default ones
    tls: tuple[tuple[str, int], ...] = (("https", 443), ("websecure", 443))  # those that speak TLS, and clients' port
    resolver: str = ""  # who gets the certificates of all routers with TLS; empty: nobody


@dataclass(frozen=True, slots=True)
class Natives:
    """What labels of Traefik 2 and 3 come to, of all services together: their names are global."""

    wishes: Mapping[str, Wish]  # by group; a group is one object
    problems: tuple[Problem, ...]
    origins: Mapping[str, str]  # what asked for a key, by its path
    beaten: frozenset[str] = frozenset()  # stack/service of routes beside, whose requests some of these get


# What the cluster's claim on a group asks for (path: value); None where there is none. Asked only where it matters.
Claimed: TypeAlias = Callable[[str], Mapping[str, str] | None]


NO_ROUTES: Mapping[str, Wish] = {}


def nothing_claimed(_group: str) -> None:
    """Where no store says who was there first, the names decide."""


class NoCounterpart(ValueError):
    """What protects a route and cannot be said in a layout: it costs the route there."""

    def __init__(self, label: str, value: str, reason: str) -> None:
        """`value`: what the label says; empty where it may let somebody in."""
        super().__init__(f"{label} {value!r}: {reason}" if value else f"{label}: {reason}")
        self.label, self.value, self.reason = label, value, reason


class RouteLayout(Layout, Protocol):
    """A layout that lays routes out, besides what ownership must know of it."""

    has_backstop: bool  # its standing group answers requests
    speaks_native: bool  # it publishes what labels of Traefik 2 and 3 ask for

    def entries(self, route: Route, cluster: str) -> tuple[Entry, ...]:
        """All keys of `route` as `cluster` wants them, sorted by path.

        Raises ValueError when Traefik would choke on one, and NoCounterpart: then the route gets no key at all.
        """

    def wish(self, route: Route, cluster: str) -> Wish:
        """The same keys, shared and own apart. Raises ValueError as `entries`."""

    def losses(self, route: Route) -> tuple[Problem, ...]:
        """What of `route` has no counterpart here, and what is done instead. Of a route that has entries."""

    def natives(
        self,
        asking: Sequence[Native],
        cluster: str,
        claimed: Claimed = nothing_claimed,
        routes: Mapping[str, Wish] = NO_ROUTES,
    ) -> Natives:
        """What services ask for in labels of Traefik 2 and 3, as `cluster` wants it.

        Where they ask for one object in different words, or for the same requests, who asks for what `claimed` says
        was there first. `routes`: what is laid out beside it, by stack/service.
        """

    def grounded(self, route: Route, published: Collection[str]) -> tuple[Route, tuple[Problem, ...]]:
        """`route` without what refers to other routes' backends and would cost it itself: they are missing.

        `published`: the backends of all routes that are laid out, as `route_name` names them.
        """

    def lint(
        self, keys: Mapping[str, str], elsewhere: Mapping[str, str], prefix: str, store_kind: str
    ) -> tuple[Finding, ...]:
        """What in a tree its Traefik refuses, loses or misreads, whoever wrote it, the worst first.

        `keys`: all that begin with `prefix` without its closing slash; `elsewhere`: all that begin likewise with the
        prefix that has, or lacks, a slash in front.
        """

    def poison(self, keys: Mapping[str, str], prefix: str) -> tuple[Finding, ...]:
        """Of the findings of `lint` those by which its Traefik ends, or takes no change of anybody any more.

        `keys`: all below `prefix`.
        """

    def tree_prefix(self, prefix: str, store_kind: str) -> str:
        """How keys begin in a store of this kind (a URL's scheme: etcd, consul) for the prefix of its URL.

        With the closing slash. Raises ValueError when nothing of `prefix` is left without outer slashes.
        """


def layout(name: str, target: Target = Target()) -> RouteLayout:
    """The layout of this name, for one Traefik; its module builds it."""
    build: Callable[[Target], RouteLayout] = import_module(LAYOUTS[name]).build
    return build(target)


def layout_of(paths: Iterable[str], own: Layout) -> str:
    """The name of the layout whose keys these are, told by the first; `own`'s where it is in doubt."""
    first = next(iter(paths), "")
    if own.place(first):
        return own.name
    return next((name for name in LAYOUTS if name != own.name and layout(name).place(first)), own.name)
