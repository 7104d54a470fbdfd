"""What a route asks for, as paths and values of Traefik 3's tree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from bridge.labels.types import write_seconds
from bridge.layouts import Target
from bridge.layouts.server_urls import distinct, url
from bridge.layouts.traefik3_frontend import Keys, Router, Text, kept, priority, router_keys, routers
from bridge.layouts.traefik3_names import OWN_HOST, foreign_service, object_name, server_base
from bridge.layouts.traefik3_rules import translated
from bridge.model.keys import route_name
from bridge.model.route import Backend, Frontend, HealthCheck, Route, Server


def route_keys(route: Route, cluster: str, target: Target) -> Keys:
    """All keys of a route as `cluster` wants them. Raises ValueError where a name or a rule cannot be written."""
    backends = {backend.segment: backend for backend in route.backends}
    for frontend, router, winner in contested(route, target):
        if winner is None:
            pages = {page.name: page_service(route, page.backend) for page in frontend.errors}
            service = _service_of(route, frontend)
            raised = route.raised
            yield from router_keys(router, frontend, backends[frontend.backend], service, pages, target, raised)
    for backend in route.backends:
        for service, passes in services(route, backend):
            yield from _service_keys(service, passes, backend, route)
            for server in distinct(backend.servers):
                yield from _server_keys(server_base(service, cluster, server.identity), server)


def contested(route: Route, target: Target) -> Iterator[tuple[Frontend, Router, Frontend | None]]:
    """All routers, and beside one that never gets a request the frontend that gets all of them.

    Of two that ask for the same requests, at one priority and with other servers, the first gets them in Traefik 1. In
    Traefik 3 it could be either.
    """
    first: dict[tuple[str, int, bool, str], Frontend] = {}
    for frontend in route.frontends:
        asked = translated(frontend.rule), priority(frontend)
        for router in routers(object_name(route, frontend.segment), frontend, target):
            places = [(*asked, router.tls, entry_point) for entry_point in router.entry_points or ("",)]
            winners = [first.setdefault(place, frontend) for place in places]
            others = (one for one in winners if _service_of(route, one) != _service_of(route, frontend))
            yield frontend, router, next(others, None)


def services(route: Route, backend: Backend) -> Iterator[tuple[str, bool]]:
    """The services of a backend, and whether each passes the client's host on.

    In Traefik 3 the service says so, and not the router: where frontends differ, there are two of the same servers.
    """
    passes = {frontend.pass_host_header for frontend in route.frontends if frontend.backend == backend.segment}
    name = object_name(route, backend.segment)
    yield name, True in passes or not passes
    if len(passes) > 1:
        yield name + OWN_HOST, False


def _service_of(route: Route, frontend: Frontend) -> str:
    backend = next(one for one in route.backends if one.segment == frontend.backend)
    return next(name for name, passes in services(route, backend) if passes == frontend.pass_host_header)


def page_service(route: Route, asked: str) -> str:
    """The service of an error page, whose backend is named as in every layout. Raises ValueError where it is none."""
    return object_name(route, asked) if is_own(route, asked) else foreign_service(asked, route.owner)


def is_own(route: Route, asked: str) -> bool:
    """Whether an error page asks for one of the route's own backends."""
    return any(backend.segment == asked for backend in route.backends)


def written(text: Text) -> str:
    """The value that Traefik reads as `text`. Raises ValueError where no value can be read so."""
    if isinstance(text, str):
        text.encode()  # refuses half a surrogate pair
        return text
    for item in text:
        if not item or "," in item or item != item.strip():
            raise ValueError("an item of a list is empty, or holds a comma or blanks around it")
    return ",".join(map(written, text))


def _service_keys(name: str, passes: bool, backend: Backend, route: Route) -> Keys:
    base = f"http/services/{name}/loadBalancer"
    # Always there: a service without any key is none, and its router's requests go to a shorter rule.
    yield f"{base}/passHostHeader", "true" if passes else "false"
    if backend.sticky:
        in_traefik1 = route_name(route.service, route.stack, backend.segment, owner=route.owner)
        yield f"{base}/sticky/cookie/name", cookie(in_traefik1)
    if backend.health_check:
        yield from _health_check_keys(f"{base}/healthCheck", backend.health_check)


def cookie(backend: str) -> str:
    """The cookie's name in Traefik 1, where the backend has this name: who has one stays at its server."""
    digest = hashlib.sha1(f"_TRAEFIK_BACKEND_{backend}".encode(), usedforsecurity=False).hexdigest()
    return f"_{digest[:5]}"


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
    for name, value in kept(check.headers):
        yield f"{base}/headers/{name}", value


def _server_keys(base: str, server: Server) -> Keys:
    yield f"{base}/url", url(server)
    if server.weight != 1:
        yield f"{base}/weight", str(server.weight)
