"""Routes become entries: one module a key layout."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from bridge.model.keys import Entry, Layout, Wish
from bridge.model.problem import UsageError
from bridge.model.route import Route

LAYOUTS = {"traefik1": "bridge.layouts.traefik1"}


class RouteLayout(Layout, Protocol):
    """A layout that lays routes out, besides what ownership must know of it."""

    def entries(self, route: Route, cluster: str) -> tuple[Entry, ...]:
        """All keys of `route` as `cluster` wants them, sorted by path.

        Raises ValueError when Traefik would choke on one: then the route gets no key at all.
        """

    def wish(self, route: Route, cluster: str) -> Wish:
        """The same keys, shared and own apart. Raises ValueError as `entries`."""

    def tree_prefix(self, prefix: str, store_kind: str) -> str:
        """How keys begin in a store of this kind (a URL's scheme: etcd, consul) for the prefix of its URL.

        With the closing slash. Raises ValueError when nothing of `prefix` is left without outer slashes.
        """


def layout(name: str) -> RouteLayout:
    """The layout of this name; its module holds it under the same name in capitals. Raises UsageError."""
    if name not in LAYOUTS:
        raise UsageError("--layout", name, f"use {' or '.join(sorted(LAYOUTS))}")
    found: RouteLayout = getattr(import_module(LAYOUTS[name]), name.upper())
    return found
