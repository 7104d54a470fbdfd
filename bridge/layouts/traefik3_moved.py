"""The objects of Traefik 3 that the keys of a route make up, as people look at them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.layouts.traefik1_back import parts_of
from bridge.layouts.traefik3_keys import cookie
from bridge.layouts.traefik3_names import object_name
from bridge.model.keys import escape, route_name
from bridge.model.route import Route

Fields = tuple[tuple[str, str], ...]  # paths below the object, and values

_KEPT = re.compile(r"(?=.*[a-z])[a-z0-9_]+(?:-[a-z0-9_]+)*")
_SERVERS = "loadBalancer/servers/"
_PLACES = ("/url", "/address")  # HTTP's servers have the one, TCP's and UDP's the other
_PROTOCOLS = ("http", "tcp", "udp")
_COOKIE = "/sticky/cookie/name"
_REFERS = re.compile(r"http/(?:routers/[^/]+/(?:service|middlewares)|middlewares/[^/]+/errors/service)")


@dataclass(frozen=True, slots=True)
class Middleware:
    """What a router does with requests on their way."""

    name: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Router:
    """Which requests go to which service."""

    name: str
    rule: str
    priority: int
    entry_points: tuple[str, ...]  # empty: Traefik's default ones
    tls: bool
    resolver: str  # of certificates; empty: none
    middlewares: tuple[Middleware, ...]  # in their order
    service: str
    protocol: str = "http"


@dataclass(frozen=True, slots=True)
class Service:
    """Servers, and how requests are spread over them."""

    name: str
    fields: Fields
    servers: tuple[tuple[str, int], ...]  # url, or address, and weight
    protocol: str = "http"


def routers(keys: Mapping[str, str]) -> Iterator[Router]:
    """The routers among the keys of whole routes, by protocol and name."""
    for protocol, name, fields in _objects(keys, "routers"):
        chain = _items(fields.get("middlewares", ""))
        yield Router(
            name=name,
            rule=fields.get("rule", ""),  # UDP has none
            priority=int(fields.get("priority", "0")),
            entry_points=_items(fields.get("entryPoints", "")),
            tls=any(field.partition("/")[0] == "tls" for field in fields),
            resolver=fields.get("tls/certResolver", ""),
            middlewares=tuple(Middleware(one, _below(keys, f"{protocol}/middlewares/{one}/")) for one in chain),
            service=fields["service"],
            protocol=protocol,
        )


def services(keys: Mapping[str, str]) -> Iterator[Service]:
    """The services among them, by protocol and name."""
    for protocol, name, fields in _objects(keys, "services"):
        servers = [path for path in sorted(fields) if path.startswith(_SERVERS) and path.endswith(_PLACES)]
        yield Service(
            name=name,
            fields=tuple((path, value) for path, value in sorted(fields.items()) if not path.startswith(_SERVERS)),
            servers=tuple((fields[one], int(fields.get(f"{one.rpartition('/')[0]}/weight", "1"))) for one in servers),
            protocol=protocol,
        )


def _objects(keys: Mapping[str, str], kind: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    for protocol in _PROTOCOLS:
        base = f"{protocol}/{kind}/"
        for name in sorted({path.split("/")[2] for path in keys if path.startswith(base)}):
            yield protocol, name, dict(_below(keys, f"{base}{name}/"))


def _below(keys: Mapping[str, str], base: str) -> Fields:
    return tuple((path.removeprefix(base), value) for path, value in sorted(keys.items()) if path.startswith(base))


def _items(value: str) -> tuple[str, ...]:
    return tuple(value.split(",")) if value else ()


# Names that the bridge did not make.


def kept_name(name: str) -> str:
    """The name of a frontend or backend of Traefik 1 as far as Traefik 3 can have it: no two become one.

    Traefik 3 merges names that differ in case, and takes one of digits alone for another.
    """
    parts = parts_of(name)
    if parts:
        return route_name(*parts, capitals=False)
    if _KEPT.fullmatch(name):
        return name
    escaped = escape(name, capitals=False)
    return f".{ord(escaped[0]):02x}{escaped[1:]}" if escaped.isdecimal() else escaped


def with_kept_names(keys: Mapping[str, str], route: Route) -> dict[str, str]:
    """The keys of a route whose segments are the whole names of frontends and backends, under these names."""
    segments = {one.segment for one in route.frontends} | {one.segment for one in route.backends}
    names = {object_name(route, segment): kept_name(segment) for segment in segments}
    cookies = {
        cookie(route_name(route.service, route.stack, one.segment)): cookie(one.segment) for one in route.backends
    }

    def renamed(name: str) -> str:
        head, dashes, tail = name.partition("--")
        return names.get(head, head) + dashes + tail

    def value(path: str, text: str) -> str:
        if _REFERS.fullmatch(path):
            return ",".join(map(renamed, text.split(",")))
        return cookies.get(text, text) if path.endswith(_COOKIE) else text

    found = {}
    for path, text in keys.items():
        http, kind, name, field = path.split("/", 3)
        found[f"{http}/{kind}/{renamed(name)}/{field}"] = value(path, text)
    return found
