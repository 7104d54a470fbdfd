"""From a route's entries to what a cluster wants of its group, in every layout alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bridge.model.keys import Entry, Role, Wish
from bridge.model.route import Backend, Route


def wish_of(route: Route, group: str, entries: Sequence[Entry], bases: Callable[[Backend, str], Iterable[str]]) -> Wish:
    """Shared keys and servers' keys apart. `bases`: where the keys of a backend's server of this identity lie."""

    def of(identities: Callable[[Backend], Iterable[str]]) -> frozenset[str]:
        return frozenset(
            base for backend in route.backends for identity in identities(backend) for base in bases(backend, identity)
        )

    return Wish(
        group=group,
        shared={entry.path: entry.value for entry in entries if entry.place.role is not Role.SERVER},
        own={entry.path: entry.value for entry in entries if entry.place.role is Role.SERVER},
        retiring=of(lambda backend: backend.retiring),
        drained=of(lambda backend: backend.drained),
        unchecked=route.unchecked,
        title=route.title,
    )
