"""Routes become entries: one module a key layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from bridge.layouts.lint import Finding
from bridge.model.keys import Entry, Layout, Wish
from bridge.model.route import Route

LAYOUTS = {"traefik1": "bridge.layouts.traefik1", "traefik3": "bridge.layouts.traefik3"}


@dataclass(frozen=True, slots=True)
class Target:
    """What the operator says of the Traefik that reads; Traefik 1 needs none of it."""

    version: tuple[int, int] = (3, 0)  # the oldest that reads: a newer one's keys may make it refuse the whole tree
    entry_points: tuple[str, ...] = ()  # of routes whose labels name none; empty: Traefik's default ones
    tls: tuple[tuple[str, int], ...] = (("https", 443), ("websecure", 443))  # that speak TLS, and clients' ports
    resolver: str = ""  # certificate resolver of every TLS router; empty: none


class RouteLayout(Layout, Protocol):
    """A layout that lays routes out, besides what ownership must know of it."""

    has_backstop: bool  # its standing group answers requests

    def entries(self, route: Route, cluster: str) -> tuple[Entry, ...]:
        """All keys of `route` as `cluster` wants them, sorted by path.

        Raises ValueError when Traefik would choke on one: then the route gets no key at all.
        """

    def wish(self, route: Route, cluster: str) -> Wish:
        """The same keys, shared and own apart. Raises ValueError as `entries`."""

    def lint(
        self, keys: Mapping[str, str], elsewhere: Mapping[str, str], prefix: str, store_kind: str
    ) -> tuple[Finding, ...]:
        """What in a tree its Traefik refuses, loses or misreads, whoever wrote it, the worst first.

        `keys`: all that begin with `prefix` without its closing slash; `elsewhere`: all that begin likewise with the
        prefix that has, or lacks, a slash in front.
        """

    def tree_prefix(self, prefix: str, store_kind: str) -> str:
        """How keys begin in a store of this kind (a URL's scheme: etcd, consul) for the prefix of its URL.

        With the closing slash. Raises ValueError when nothing of `prefix` is left without outer slashes.
        """


def layout(name: str, target: Target = Target()) -> RouteLayout:
    """The layout of this name for such a Traefik; its module's `build` makes it."""
    found: RouteLayout = import_module(LAYOUTS[name]).build(target)
    return found
