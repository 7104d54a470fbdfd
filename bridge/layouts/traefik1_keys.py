"""What a route asks for, as paths and plain texts of Traefik 1.7's tree; only what is asked for, no default."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.labels.types import header_name, write_seconds
from bridge.layouts.server_urls import distinct, url
from bridge.layouts.traefik1_frontend import frontend_keys
from bridge.layouts.traefik1_text import Text
from bridge.model.keys import escape, owned_name, route_name, server_name, unescape
from bridge.model.route import Backend, Buffering, HealthCheck, MaxConn, Route, Server

Keys = Iterator[tuple[str, Text]]


def route_keys(route: Route, cluster: str) -> Keys:
    """All keys of a route as `cluster` wants them. Raises ValueError where a name cannot be made."""
    named = [segment for frontend in route.frontends for segment in (frontend.segment, frontend.backend)]
    names = {segment: name_of(route, segment) for segment in dict.fromkeys(named)}
    for frontend in route.frontends:
        pages = {page.name: page_backend(route, page.backend) for page in frontend.errors}
        base = f"frontends/{names[frontend.segment]}"
        yield from frontend_keys(base, frontend, names[frontend.backend], pages, route.raised)
    for part in route.backends:
        name = names.get(part.segment) or name_of(route, part.segment)
        yield from _backend_keys(f"backends/{name}", part)
        for server in distinct(part.servers):
            yield from _server_keys(server_base(name, cluster, server.identity), server, part.tags)


def name_of(route: Route, segment: str) -> str:
    """The name of the frontend or backend of a segment. Raises ValueError as `route_name`."""
    return route_name(route.service, route.stack, segment, owner=route.owner)


def server_base(backend: str, cluster: str, identity: str) -> str:
    """Where a server's keys lie."""
    return f"backends/{backend}/servers/{server_name(cluster, identity)}"


def page_backend(route: Route, asked: str) -> str:
    """The name of the backend that an error page asks for.

    `asked` is the segment of one of the route's own backends, or else the whole name of any backend, as
    `route_name` makes it: the escaping lets no segment look like one. Raises ValueError where it is neither.
    A name of a backend that is not there, or goes, costs the page alone.
    """
    if any(backend.segment == asked for backend in route.backends):
        return name_of(route, asked)
    parts = [unescape(part) for part in asked.split("__")]
    if len(parts) not in (2, 3) or "" in parts or "__".join(map(escape, parts)) != asked:
        raise ValueError(f"an error page asks for {asked!r}, which is no backend's name")
    return owned_name(route.owner, asked)


def _backend_keys(base: str, backend: Backend) -> Keys:
    # Always there: a backend without any key hands its requests to a shorter rule, one without servers says 503.
    yield f"{base}/loadbalancer/method", backend.method
    if backend.sticky:
        # Never with a cookie's name below it: a key that is leaf and directory keeps Traefik from starting.
        yield f"{base}/loadbalancer/stickiness", "true"
    if backend.breaker:
        yield f"{base}/circuitbreaker/expression", backend.breaker
    if backend.max_conn:
        yield from _max_conn_keys(f"{base}/maxconn", backend.max_conn)
    if backend.health_check:
        yield from _health_check_keys(f"{base}/healthcheck", backend.health_check)
    if backend.buffering:
        yield from _buffering_keys(f"{base}/buffering", backend.buffering)


def _max_conn_keys(base: str, limit: MaxConn) -> Keys:
    yield f"{base}/amount", str(limit.amount)
    if limit.extractor != "request.host":
        yield f"{base}/extractorfunc", limit.extractor


def _health_check_keys(base: str, check: HealthCheck) -> Keys:
    yield f"{base}/path", check.path
    if check.interval is not None:
        yield f"{base}/interval", write_seconds(check.interval)
    if check.port:
        yield f"{base}/port", str(check.port)
    if check.scheme:
        yield f"{base}/scheme", check.scheme
    if check.hostname:
        yield f"{base}/hostname", check.hostname
    for name, value in check.headers:
        yield f"{base}/headers/{header_name(name)}", value


def _buffering_keys(base: str, buffering: Buffering) -> Keys:
    sizes = {
        "maxrequestbodybytes": buffering.max_request,
        "memrequestbodybytes": buffering.mem_request,
        "maxresponsebodybytes": buffering.max_response,
        "memresponsebodybytes": buffering.mem_response,
    }
    if not buffering.retry and not any(sizes.values()):
        yield f"{base}/maxrequestbodybytes", "0"  # the default, but one key must stand: it is what switches it on
    for name, size in sizes.items():
        if size:
            yield f"{base}/{name}", str(size)
    if buffering.retry:
        yield f"{base}/retryexpression", buffering.retry


def _server_keys(base: str, server: Server, tags: tuple[str, ...]) -> Keys:
    yield f"{base}/url", url(server)
    if server.weight != 1:
        yield f"{base}/weight", str(server.weight)
    if tags:
        yield f"{base}/tags", ",".join(tags)
