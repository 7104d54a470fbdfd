"""Names of the objects in Traefik 3's tree, and whose a name is.

Without capitals, since Traefik 3 merges names that differ in case. `--` stands inside no escaped part, so what follows
it can only be a word of ours: no service, stack or segment makes a name look like another's.
"""

from __future__ import annotations

from bridge.model.keys import NAME_LIMIT, STANDING, escape, route_name, server_name, unescape
from bridge.model.route import Route

TLS = "--tls"  # ends the name of the router of a frontend's entry points with TLS
OWN_HOST = "--own-host"  # ends the name of a service whose servers get their own host, where others' get the client's

# What keeps requests away, of a router's middlewares.
AUTH, ALLOW, REDIRECT, HOSTS, SSL = "auth", "allow", "redirect", "hosts", "ssl"
PROTECTING = frozenset((AUTH, ALLOW, REDIRECT, HOSTS, SSL))
# What does something with them.
STRIP, STRIP_REGEX, ADD, REPLACE, REPLACE_REGEX = "strip", "strip-regex", "add", "replace", "replace-regex"
ERROR, HEADERS, CERT, BREAKER, BUFFERING = "error", "headers", "cert", "breaker", "buffering"
RETRY, CONN, RATE = "retry", "conn", "rate"

# What each kind of service has, so that it stands without servers: a router without its service is disabled. With TCP
# its entry points would answer HTTP meanwhile. Of the last two keys Traefik makes nothing else.
KEEPING = {
    "http/services/": ("loadBalancer/passHostHeader", "true"),
    "tcp/services/": ("loadBalancer/proxyProtocol", "false"),
    "udp/services/": ("loadBalancer/servers", "true"),
}


def keeps(path: str, value: str) -> bool:
    """Whether a key of TCP or UDP is there so that its service stands, and for nothing else."""
    above, _, name = path.partition("/services/")
    found = KEEPING.get(f"{above}/services/") if above != "http" else None
    return found is not None and (name.partition("/")[2], value) == found


def object_name(route: Route, segment: str) -> str:
    """The name of the router, or of the service, of a segment. Raises ValueError as `route_name`."""
    return route_name(route.service, route.stack, segment, owner=route.owner, capitals=False)


def middleware_name(router: str, what: str, inner: str = "") -> str:
    """The name of a router's middleware; `inner` tells apart several that do the same.

    Raises ValueError where `inner` becomes longer than a name may be.
    """
    if not inner:
        return f"{router}--{what}"
    escaped = escape(inner, capitals=False)
    if len(escaped) > NAME_LIMIT:
        raise ValueError(f"a name is longer than {NAME_LIMIT} bytes")
    return f"{router}--{what}-{escaped}"


def is_native(name: str) -> bool:
    """Whether a router, service or middleware of this name is asked for by native labels: they use no `__`."""
    return "__" not in name and name != STANDING


def native_group(place: str) -> str:
    """The group of one object of native labels, http/routers/<name>: no service's group has no `__`."""
    return place.replace("/", ".")


def server_base(service: str, cluster: str, identity: str, protocol: str = "http") -> str:
    """Where a server's keys lie. Raises ValueError as `server_name`."""
    return f"{protocol}/services/{service}/loadBalancer/servers/{server_name(cluster, identity, capitals=False)}"


def foreign_service(backend: str, owner: str) -> str:
    """The service of a backend that an error page asks for by its whole name. Raises ValueError where it is none.

    `owner`: as a route has it.
    """
    parts = [unescape(part) for part in backend.split("__")]
    if len(parts) not in (2, 3) or "" in parts or "__".join(map(escape, parts)) != backend:
        raise ValueError(f"an error page asks for {backend!r}, which is no backend's name")
    return route_name(*parts, owner=owner, capitals=False)
