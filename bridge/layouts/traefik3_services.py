"""What is wrong with one service of Traefik 3, for itself: tried on 3.0.4 and 3.7.15."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bridge.layouts.go_values import TRUE, is_whole, nanoseconds, parsed_url
from bridge.layouts.lint import Flaw, Grade
from bridge.layouts.traefik3_fields import Version
from bridge.layouts.traefik3_tree import Node

Flaws = Iterator[tuple[str, Flaw]]  # by the path below the object

LOST_HERE = "it is disabled, and each router that names it: 404"
HTTP_TYPES = ("loadBalancer", "weighted", "mirroring", "failover", "highestRandomWeight")
_STRATEGIES = {"wrr": (3, 0), "p2c": (3, 4), "hrw": (3, 6), "leasttime": (3, 6)}
_FAILS = "every request that it gets fails"
_ADDRESS = re.compile(r"(?:\[[^\]]+\]|[^:\[\]\s]*):[^:\s]+")


def _lost(reason: str, remedy: str) -> Flaw:
    return Flaw(Grade.LOST, reason, LOST_HERE, remedy)


def _wrong(reason: str, effect: str, remedy: str) -> Flaw:
    return Flaw(Grade.WRONG, reason, effect, remedy)


def _notice(reason: str, effect: str, remedy: str) -> Flaw:
    return Flaw(Grade.NOTICE, reason, effect, remedy)


def http_service_flaws(node: Node, version: Version) -> Flaws:
    """Of an HTTP service. What it refers to is looked at elsewhere."""
    kind, flaws = _kind(node, HTTP_TYPES)
    yield from flaws
    match kind:
        case "loadBalancer":
            yield from _balancer(node, version)
        case "weighted" | "highestRandomWeight":
            yield from _children(node, kind)
            yield from _cookie(node, f"{kind}/sticky/cookie", version)
        case "mirroring":
            yield from _named(node, "mirroring/service")
            for mirror in node.each("mirroring/mirrors"):
                percent = mirror.text("percent")
                if is_whole(percent) and not 0 <= int(percent) <= 100:
                    yield _at(node, mirror, "percent"), _lost("it is not from 0 to 100", "write 0 to 100")
        case "failover":
            yield from _named(node, "failover/service")
            yield from _named(node, "failover/fallback")


def layer4_service_flaws(node: Node, _version: Version) -> Flaws:
    """Of a TCP or a UDP service."""
    kind, flaws = _kind(node, HTTP_TYPES[:2])
    yield from flaws
    if kind == "weighted":
        yield from _children(node, kind)
    for server in node.each("loadBalancer/servers"):
        text = server.text("address")
        if not _ADDRESS.fullmatch(text):
            reason = "it has no port" if text else "it is missing, or empty"
            yield _at(node, server, "address"), _wrong(reason, "this server gets nothing", "write host:port")


def has_check(node: Node) -> bool:
    """Whether a service says of itself that it is up or down, as failover and weighted ones may ask."""
    if node.find("loadBalancer"):
        return node.find("loadBalancer/healthCheck") is not None
    return any(node.find(f"{kind}/healthCheck") for kind in ("weighted", "mirroring", "highestRandomWeight"))


def _kind(node: Node, known: tuple[str, ...]) -> tuple[str, list[tuple[str, Flaw]]]:
    found = [kind for kind in known if node.find(kind)]
    if len(found) == 1:
        return found[0], []
    if found:
        return "", [(found[1], _lost(f"it is {' and '.join(found)} at once", "make two services of it"))]
    return "", [("", _lost("it has no type", "write loadBalancer/servers/<name>/url, or delete it"))]


def _at(node: Node, inner: Node, field: str) -> str:
    return inner.path.removeprefix(node.path + "/") + "/" + field


def _named(node: Node, path: str) -> Flaws:
    if not node.text(path):
        yield path, _lost("it is missing, or empty", "write the name of a service")


def _children(node: Node, kind: str) -> Flaws:
    children = node.each(f"{kind}/services")
    if not children:
        yield f"{kind}/services", _wrong("it has no child", "every request is answered with 503", "write one")
    for child in children:
        weight = child.text("weight")
        if not child.text("name"):
            yield _at(node, child, "name"), _lost("it is missing, or empty", "write the name of a service")
        if is_whole(weight) and int(weight) < 0:
            yield _at(node, child, "weight"), _wrong("it is negative", "this child gets nothing", "write 0 or more")


def _balancer(node: Node, version: Version) -> Flaws:
    urls: dict[str, str] = {}
    for server in node.each("loadBalancer/servers"):
        path = _at(node, server, "url")
        text = server.text("url")
        if not text:
            effect = "its share of the requests is answered with 500, while it is reported as up"
            yield path, _wrong("it is missing, or empty", effect, "write it, or delete the server")
            continue
        for flaw in _url(text, server.text("preservePath") in TRUE):
            yield path, flaw
        if urls.setdefault(text, path) != path:
            effect = "it counts as often as it stands there"
            yield path, _notice(f"{urls[text]} is the same server", effect, "delete one, or write a weight")
        weight = server.text("weight")
        if is_whole(weight) and int(weight) <= 0:
            effect = "this server gets nothing; alone, every request is answered with 503"
            yield (
                _at(node, server, "weight"),
                _wrong("it is not above 0", effect, "write 1 or more, or delete the server"),
            )
    base = "loadBalancer/"
    strategy = node.text(base + "strategy")
    if strategy and version < _STRATEGIES.get(strategy, (4, 0)):
        reason = f"Traefik {version[0]}.{version[1]} knows no strategy {strategy!r}"
        yield base + "strategy", _lost(reason, "write wrr")
    if node.find(base + "sticky") and not node.find(base + "sticky/cookie"):
        effect = "no client stays with its server"
        yield base + "sticky", _wrong("it has no cookie", effect, "write sticky/cookie/name")
    yield from _cookie(node, base + "sticky/cookie", version)
    yield from _health_check(node, base + "healthCheck")


def _url(text: str, keeps_path: bool) -> Iterator[Flaw]:
    try:
        scheme, host, port, rest = parsed_url(text)
        if ":" in host and not host.startswith("["):
            raise ValueError("an IPv6 address without brackets")
    except ValueError as err:
        yield _lost(str(err), "write scheme://host:port")
        return
    if scheme not in ("http", "https", "h2c"):
        yield _wrong("its scheme is none of http, https and h2c", _FAILS, "write http://host:port")
    elif not host:
        yield _wrong("it names no host", _FAILS, "name one")
    elif port and not 0 < int(port[:9]) <= 65535:
        yield _wrong("its port is above 65535, or 0", _FAILS, "write 1 to 65535")
    elif rest.strip("/") and not keeps_path:
        yield _notice("the path of a server's url counts for nothing", "it is read without", "write scheme://host:port")


def _cookie(node: Node, path: str, version: Version) -> Flaws:
    cookie = node.find(path)
    if not cookie:
        return
    if not cookie.text("name"):
        effect = "Traefik makes one up, another one in another store"
        yield f"{path}/name", _notice("the cookie has no name", effect, "write one")
    text = cookie.text("sameSite")
    if (text.lower() if version >= (3, 7) else text) not in ("", "none", "lax", "strict"):
        effect = "the cookie says nothing of it"
        yield f"{path}/sameSite", _wrong("it is none of none, lax and strict", effect, "write lax")


def _health_check(node: Node, path: str) -> Flaws:
    check = node.find(path)
    if not check:
        return
    fails = "every server fails its check: 503"
    if check.text("scheme") not in ("", "http", "https"):
        yield f"{path}/scheme", _wrong("it is neither http nor https", fails, "write http")
    if check.text("mode") not in ("", "http", "grpc"):
        yield f"{path}/mode", _wrong("it is neither http nor grpc", "http is used", "write http")
    port = check.text("port")
    if is_whole(port) and not 0 <= int(port) <= 65535:
        yield f"{path}/port", _wrong("it is no port", fails, "write 1 to 65535")
    for name in ("interval", "timeout"):
        text = check.text(name)
        if text and _not_above_0(text):
            yield f"{path}/{name}", _wrong("it is not above 0", "the default counts", "write a time such as 10s")


def _not_above_0(text: str) -> bool:
    try:
        return nanoseconds(text) <= 0
    except ValueError:
        return False
