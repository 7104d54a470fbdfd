"""Where Traefik reaches a server, in every layout alike."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.model.route import Server


def address(server: Server) -> str:
    """Host and port; an IPv6 address in brackets."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{host}:{server.port}"


def url(server: Server) -> str:
    """Scheme, host and port, as `address` has them."""
    return f"{server.scheme}://{address(server)}"


def distinct(servers: Iterable[Server]) -> tuple[Server, ...]:
    """The first of those that share a url.

    Traefik 1 takes them for one server, with the weight of either; Traefik 3 would give it the requests of both.
    """
    first: dict[str, Server] = {}
    for server in servers:
        first.setdefault(url(server), server)
    return tuple(first.values())
