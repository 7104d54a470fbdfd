"""What is wrong with one middleware of Traefik 3, for itself: tried on 3.0.4 and 3.7.15."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from bridge.labels.expressions import breaker, no_floats, retry
from bridge.layouts.go_values import TRUE, is_range, is_whole, nanoseconds
from bridge.layouts.lint import Flaw, Grade
from bridge.layouts.traefik3_fields import Type, Version, fold
from bridge.layouts.traefik3_regexp import regexp_fault
from bridge.layouts.traefik3_tree import ANYTHING, Node

Flaws = Iterator[tuple[str, Flaw]]  # by the path below the middleware's type, or below the object

LOST_HERE = "it is disabled, and each router that names it: 404"
DIES = (
    "the goroutine of Traefik's configuration dies (3.6.11 to 3.7.1): old routes stay, nothing is ever taken any more, "
    "even after the key is gone, until Traefik is started again"
)
_MEDIA = re.compile(r"[\w.+*-]+(?:/[\w.+*-]+)?(?:\s*;\s*[\w-]+=[^;]+)*")
_ENCODINGS = ("gzip", "br", "zstd")


def types_of(node: Node) -> list[str]:
    """The types that a middleware has, as they are written."""
    return [
        child.name
        for child in node.below.values()
        if child.shape is not ANYTHING and not _ignored(child) and not child.off
    ]


def _ignored(node: Node) -> bool:
    return bool(node.shape.field and node.shape.field.ignored)


def middleware_flaws(node: Node, version: Version) -> Flaws:
    """By path below the object. What it refers to is looked at elsewhere."""
    found = types_of(node)
    if len(found) != 1:
        reason = f"it has several types: {', '.join(found)}" if found else "it has no type"
        yield found[1] if found else "", _lost(reason, "leave one" if found else "give it one, or delete it")
        return
    kind = node.below[fold(found[0])]
    if check := _CHECKS.get(kind.name.lower()):
        for path, flaw in check(kind, version):
            yield f"{kind.name}/{path}" if path else kind.name, flaw


def _lost(reason: str, remedy: str) -> Flaw:
    return Flaw(Grade.LOST, reason, LOST_HERE, remedy)


def _wrong(reason: str, effect: str, remedy: str) -> Flaw:
    return Flaw(Grade.WRONG, reason, effect, remedy)


def _number(node: Node, path: str) -> int | None:
    """None where it is missing; where it is no number, another flaw says so."""
    text = node.text(path)
    return int(text) if is_whole(text) else None


def _file(node: Node, path: str) -> Flaws:
    text = node.text(path)
    if text and "-----BEGIN" not in text:
        yield (
            path,
            Flaw(Grade.NOTICE, "a file on Traefik's machine", f"where it is not there, {LOST_HERE}", "look there"),
        )


def _regexps(node: Node, path: str, items: bool = False) -> Flaws:
    for text in node.items(path) if items else [node.text(path)]:
        if fault := regexp_fault(text):
            yield path, _lost(fault, "mend the expression; it is Go's RE2")


def _ranges(node: Node, path: str) -> Flaws:
    for item in node.items(path):
        if not is_range(item):
            yield path, _lost(f"{item!r} is no address and no range", "write 10.0.0.0/8")


# By type.


def _add_prefix(node: Node, _version: Version) -> Flaws:
    if not node.text("prefix"):
        yield "prefix", _lost("it is missing, or empty", "write one")


def _strip_regex(node: Node, _version: Version) -> Flaws:
    yield from _regexps(node, "regex", items=True)


def _regex(node: Node, _version: Version) -> Flaws:
    yield from _regexps(node, "regex")


def _redirect_regex(node: Node, version: Version) -> Flaws:
    yield from _regex(node, version)
    for name in ("regex", "replacement"):
        if not node.text(name):
            yield name, _wrong("it is missing, or empty", "clients are sent to nonsense", "write both")


def _basic(node: Node, version: Version) -> Flaws:
    yield from _users(node, 2)
    if node.items("users") or node.text("usersFile"):
        return
    if version < (3, 6):
        yield "users", _wrong("it names nobody", "every request is answered with 401", "write users")
    else:
        yield "users", Flaw(Grade.DEAD, "it names nobody", DIES, "write users, and start Traefik again")


def _digest(node: Node, _version: Version) -> Flaws:
    yield from _users(node, 3)
    if not node.items("users") and not node.text("usersFile"):
        yield "users", _wrong("it names nobody", "every request is answered with 401", "write users")


def _users(node: Node, parts: int) -> Flaws:
    form = "name:hash" if parts == 2 else "name:realm:hash"
    for number, item in enumerate(node.items("users"), 1):
        if item.count(":") != parts - 1:
            yield "users", _lost(f"user {number} is not {form}", f"write {form}, as htpasswd does")
    yield from _file(node, "usersFile")


def _forward(node: Node, _version: Version) -> Flaws:
    if not re.match("(?i)https?://.", node.text("address")):
        effect = "every request is answered with 500"
        yield "address", _wrong("it is missing, or no URL", effect, "write http://host:port/path")
    yield from _regexps(node, "authResponseHeadersRegex")
    for name in ("ca", "cert", "key"):
        yield from _file(node, f"tls/{name}")
    halves = [name for name in ("cert", "key") if node.text(f"tls/{name}")]
    if len(halves) == 1:
        missing = "key" if halves == ["cert"] else "cert"
        yield f"tls/{missing}", _lost("it is missing", "write both")


def _allow(node: Node, _version: Version) -> Flaws:
    if not node.items("sourceRange"):
        yield "sourceRange", _lost("it names no address", "write ranges")
    yield from _ranges(node, "sourceRange")
    yield from _ranges(node, "ipStrategy/excludedIPs")
    code = _number(node, "rejectStatusCode")
    if code and not 100 <= code <= 511:
        yield "rejectStatusCode", _lost(f"{code} is no status of HTTP", "write 403")


def _rate(node: Node, _version: Version) -> Flaws:
    if (_number(node, "average") or 0) <= 0:
        yield "average", _wrong("it is missing, or not above 0", "there is no limit", "write 1 or more")
    if _negative(node.text("period")):
        yield "period", _lost("it is negative", "write 1s")
    yield from _source(node)


def _negative(text: str) -> bool:
    try:
        return nanoseconds(text) < 0
    except ValueError:
        return False


def _flight(node: Node, _version: Version) -> Flaws:
    if (_number(node, "amount") or 0) <= 0:
        yield "amount", _wrong("it is missing, or not above 0", "every request is answered with 429", "write 1 or more")
    yield from _source(node)


def _source(node: Node) -> Flaws:
    base = "sourceCriterion"
    given = [
        name
        for name, is_given in (
            ("ipStrategy", node.find(f"{base}/ipStrategy") is not None),
            ("requestHeaderName", bool(node.text(f"{base}/requestHeaderName"))),
            ("requestHost", node.text(f"{base}/requestHost") in TRUE),
        )
        if is_given
    ]
    if len(given) > 1:
        yield f"{base}/{given[1]}", _lost(f"{' and '.join(given)} exclude each other", "leave one")
    yield from _ranges(node, f"{base}/ipStrategy/excludedIPs")


def _headers(node: Node, _version: Version) -> Flaws:
    for name in ("sslRedirect", "sslTemporaryRedirect", "sslHost", "sslForceHost", "featurePolicy"):
        if node.text(name) not in ("", "false"):
            yield name, _wrong("Traefik 3 takes it and does nothing", "nobody is sent elsewhere", "use redirectScheme")
    if node.text("isDevelopment") in TRUE:
        effect = "allowed hosts and all that asks for TLS count for nothing"
        yield "isDevelopment", _wrong("it is meant for development", effect, "delete it")
    yield from _regexps(node, "accessControlAllowOriginListRegex", items=True)
    if not any(_says(child) for child in node.below.values()):
        yield "", _lost("none of its keys asks for anything", "write one, or delete it")


def _says(node: Node) -> bool:
    """Whether a header's key asks for anything."""
    if node.below:
        return True
    of, text = node.shape.field, node.value or ""
    if of and of.type is Type.TRUTH:
        return text in TRUE
    return bool(text) and not (of and of.type is Type.WHOLE and is_whole(text) and int(text) == 0)


def _breaker(node: Node, _version: Version) -> Flaws:
    text = node.text("expression")
    try:
        breaker(text)
    except ValueError as err:
        yield "expression", _lost(str(err), "mend the expression")
        return
    for literal in no_floats(text):
        yield "expression", _lost(f"{literal} is no float", f"write {literal}.0")


def _buffering(node: Node, version: Version) -> Flaws:
    for name in ("maxRequestBodyBytes", "memRequestBodyBytes", "maxResponseBodyBytes", "memResponseBodyBytes"):
        if (_number(node, name) or 0) < 0:
            yield name, _lost("it is negative", "write 0 or more")
    text = node.text("retryExpression")
    if not text:
        return
    try:
        retry(text)
    except ValueError as err:
        yield "retryExpression", _lost(str(err), "mend the expression")
        return
    if version >= (3, 6):
        effect = "from 3.6.15 on nothing is sent again"
        yield "retryExpression", _wrong("newer Traefiks take it and do nothing", effect, "use a retry middleware")


def _redirect_scheme(node: Node, _version: Version) -> Flaws:
    if not node.text("scheme"):
        yield "scheme", _lost("it is missing, or empty", "write https")
    elif node.text("scheme") not in ("http", "https"):
        yield "scheme", _wrong("it is neither http nor https", "clients are sent there all the same", "write https")
    port = node.text("port")
    if port and not (is_whole(port) and 0 < int(port) <= 65535):
        yield "port", _wrong("it is no port", "every request fails", "write 443, or delete it")


def _errors(node: Node, _version: Version) -> Flaws:
    if not node.items("status"):
        yield "status", _wrong("it names no status", "the page is never shown", "write 404 or 500-599")
    for item in node.items("status"):
        low, dash, high = item.partition("-")
        if not all(re.fullmatch("[+-]?[0-9]{1,18}", part) for part in ((low, high) if dash else (low,))):
            yield "status", _lost(f"{item!r} is no status and no range of them", "write 404 or 500-599")


def _retry(node: Node, _version: Version) -> Flaws:
    if (_number(node, "attempts") or 0) <= 0:
        yield "attempts", _lost("it is missing, or not above 0", "write 2 or more")


def _compress(node: Node, _version: Version) -> Flaws:
    if node.items("excludedContentTypes") and node.items("includedContentTypes"):
        yield "includedContentTypes", _lost("it stands beside excludedContentTypes", "leave one")
    for name in ("excludedContentTypes", "includedContentTypes"):
        for item in node.items(name):
            if not _MEDIA.fullmatch(item):
                yield name, _lost(f"{item!r} is no media type", "write text/plain")
    for item in node.items("encodings"):
        if item not in _ENCODINGS:
            yield "encodings", _lost(f"{item!r} is no encoding that Traefik knows", f"use {', '.join(_ENCODINGS)}")


def _default_encoding(node: Node, version: Version) -> Flaws:
    yield from _compress(node, version)
    known = node.items("encodings") or list(_ENCODINGS)
    text = node.text("defaultEncoding")
    if text and text not in known and version >= (3, 2):
        yield "defaultEncoding", _lost(f"{text!r} is none of the encodings", f"use {', '.join(known)}")


def _plugin(_node: Node, _version: Version) -> Flaws:
    yield "", Flaw(Grade.NOTICE, "a plugin", f"where Traefik does not load it, {LOST_HERE}", "look there")


def _conn(node: Node, _version: Version) -> Flaws:
    if (_number(node, "amount") or 0) <= 0:
        yield "amount", _wrong("it is missing, or not above 0", "it does not limit as it says", "write 1 or more")


_CHECKS: Mapping[str, Callable[[Node, Version], Flaws]] = {
    "addprefix": _add_prefix,
    "basicauth": _basic,
    "buffering": _buffering,
    "circuitbreaker": _breaker,
    "compress": _default_encoding,
    "digestauth": _digest,
    "errors": _errors,
    "forwardauth": _forward,
    "headers": _headers,
    "inflightconn": _conn,
    "inflightreq": _flight,
    "ipallowlist": _allow,
    "ipwhitelist": _allow,
    "plugin": _plugin,
    "ratelimit": _rate,
    "redirectregex": _redirect_regex,
    "redirectscheme": _redirect_scheme,
    "replacepathregex": _regex,
    "retry": _retry,
    "stripprefixregex": _strip_regex,
}
