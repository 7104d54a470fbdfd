"""What no drain reaches: servers of a drained cluster on no lease of a bridge, so that no bridge removes them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bridge.cli.naming import means
from bridge.model.drain import Drain, Scope
from bridge.model.keys import escape, server_cluster
from bridge.ownership.drains import Drains
from bridge.views.clusters import Seen, is_ours

WHY = "it was written by hand, or let go of, so it is not drained"
REMEDY = "bridge adopt takes it over"


def undrained(seen: Seen, cluster: str, drains: Drains) -> Iterator[tuple[str, str]]:
    """The key of each such server, and its group; of those whose names name no cluster too. By key.

    Of a drained host only what its URL names is known, of a container what its name does.
    """
    for path, held in sorted(seen.standing.mirror.tree.held.items()):
        server, _, field = path.rpartition("/")
        place = seen.publisher.layout.place(path)
        if field not in ("url", "address") or "/servers/" not in server or place is None or is_ours(held.lease):
            continue
        name = server.rpartition("/")[2]
        if server_cluster(name) in (None, cluster) and any(
            _reaches(one, place.group, name, held.value) for one in drains.drains
        ):
            yield seen.publisher.tree + path, place.group


def _reaches(drain: Drain, group: str, server: str, url: str) -> bool:
    """Whether the record would drain the server, were it a bridge's. `url`: of TCP and UDP host and port alone."""
    if drain.scope == Scope.SERVICE.value:
        return means(drain.name, group)
    if drain.scope == Scope.CONTAINER.value:
        return server.partition("--")[2] in (escape(drain.name), escape(drain.name, capitals=False))
    if drain.scope == Scope.HOST.value:
        try:
            return urlsplit(url if "://" in url else f"//{url}").hostname == drain.name
        except ValueError:  # anybody may have written it
            return False
    return True
