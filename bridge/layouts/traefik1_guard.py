"""What may stand in Traefik 1.7's tree: how text is written into a value, and which keys and values do no harm.

Measured on 1.7.28: one odd value in one key stops it from taking any change of any service, one rule of `;` ends it.
So a value is written in exactly one form, only keys of known use are written, and both are held here once more
before they may leave.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv6Address

from bridge.labels.expressions import breaker
from bridge.labels.patterns import split_pattern
from bridge.labels.rules import parse_rule
from bridge.model.keys import STANDING, Entry
from bridge.model.route import MODIFIERS, Kind

# Traefik's template pastes values into TOML basic strings.
_MUST_ESCAPE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\]')
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPE = re.compile(r'\\(?:([btnfr"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|)|["\n\r\x00]')
_MEANT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def escape_value(text: str) -> str:
    """`text` as a value that Traefik reads as `text`. Raises ValueError where UTF-8 cannot carry it."""
    text.encode()  # refuses half a surrogate pair
    return _MUST_ESCAPE.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def unescape_value(value: str) -> str:
    """What Traefik reads where `value` stands. Raises ValueError where `value` would stop it from reading at all."""
    return _ESCAPE.sub(_unescaped, value)


def _unescaped(found: re.Match[str]) -> str:
    short, four, eight = found.groups()
    if short:
        return _MEANT[short]
    code = int(four or eight or "110000", 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"{found[0]!r} at character {found.start() + 1} cannot stand in a TOML string")
    return chr(code)


def check(entries: Iterable[Entry]) -> None:
    """Raises ValueError unless Traefik takes these keys, whole objects, and does with them what they say.

    Right entries come from right routes, so an error is a fault of this program; it costs one route, not all.
    """
    keys: dict[str, str] = {}
    for entry in entries:
        if entry.path in keys:
            raise ValueError(f"{entry.path}: two values")
        if fault := harmful(entry.path, entry.value):
            raise ValueError(f"{entry.path} {entry.value!r}: {fault}")
        keys[entry.path] = entry.value
    _check_whole(keys)


def harmful(path: str, value: str) -> str | None:
    """Why this key must never stand in a store; None where it may."""
    check_text = _WRITTEN.get(_shape(path))
    if check_text is None:
        return "not a key that is ever written"
    try:
        text = unescape_value(value)
        if escape_value(text) != value:
            return "not escaped in the one form"
        if path == _BACKSTOP_PRIORITY and text == "1":
            return None
        return check_text(text)
    except ValueError as err:
        return str(err)


def _check_whole(keys: Mapping[str, str]) -> None:
    directories = {directory for path in keys for directory in _directories(path)}
    for path, value in keys.items():
        if missing := [needed for needed in _needs(path, value) if needed not in keys and needed not in directories]:
            raise ValueError(f"{path} without {missing[0]}")
    urls = [(path.split("/")[1], value) for path, value in keys.items() if path.endswith("/url")]
    if len(set(urls)) < len(urls):
        raise ValueError("two servers of one backend with one url")


def _directories(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _needs(path: str, value: str) -> tuple[str, ...]:
    """The keys, or directories, without which this key does not do what it says, or does harm."""
    kind, name, *rest = path.split("/")
    base = f"{kind}/{name}"
    match rest:
        case ["backend"]:  # a frontend without a rule takes every host
            return (f"{base}/routes", f"backends/{value}/loadbalancer/method")
        case ["ratelimit", "extractorfunc"]:
            return (f"{base}/backend", f"{base}/ratelimit/rateset")
        case ["ratelimit", "rateset", rate, _]:
            fields = (f"{base}/ratelimit/rateset/{rate}/{field}" for field in ("average", "burst", "period"))
            return (f"{base}/ratelimit/extractorfunc", *fields)
        case ["servers", server, "weight"]:
            return (f"{base}/servers/{server}/url",)
        case _:
            return (f"{base}/backend" if kind == "frontends" else f"{base}/loadbalancer/method",)


_NAME = re.compile(r"(?!\.{1,2}$)(?!.*___)[A-Za-z0-9_.-]{1,200}")
_NAMED_BELOW = frozenset(("frontends", "backends", "routes", "servers", "rateset"))


def _shape(path: str) -> str:
    """`path` with a star for each name; empty where a name is none that may stand."""
    parts = path.split("/")
    for at in range(1, len(parts)):
        if parts[at - 1] in _NAMED_BELOW:
            if not _NAME.fullmatch(parts[at]):
                return ""
            parts[at] = "*"
    return "/".join(parts)


Fault = str | None  # what is wrong with a text; None: nothing


def _one_of(*texts: str) -> Callable[[str], Fault]:
    return lambda text: None if text in texts else f"only {' or '.join(texts)} may stand here"


def _whole(least: int, most: int, unit: str = "") -> Callable[[str], Fault]:
    form = re.compile(rf"([1-9][0-9]{{0,18}}){unit}")

    def fault(text: str) -> Fault:
        found = form.fullmatch(text)
        return None if found and least <= int(found[1]) <= most else f"not a number from {least} to {most}{unit}"

    return fault


def _name(text: str) -> Fault:
    return None if _NAME.fullmatch(text) else "not a name"


def _extractor(text: str) -> Fault:
    known = re.fullmatch(r"client\.ip|request\.host|request\.header\.[A-Za-z0-9_-]+", text)
    return None if known else "not client.ip, request.host or request.header.<Name>"


def _expression(text: str) -> Fault:
    canonical = breaker(text)
    return None if text == canonical else f"not as Traefik takes it: {canonical!r}"


def _server_url(text: str) -> Fault:
    found = re.fullmatch(r"(?:https?|h2c)://(?:\[([^\]]*)\]|[A-Za-z0-9._-]+):([1-9][0-9]{0,4})", text)
    if not found or int(found[2]) > 65535:
        return "not scheme://host:port"
    if found[1] is not None and IPv6Address(found[1]).scope_id:
        return "an address with a zone"
    return None


def _rule(text: str) -> Fault:
    matchers = parse_rule(text).matchers
    if all(matcher.kind in MODIFIERS for matcher in matchers):
        return "nothing but modifiers matches every host"
    for matcher in matchers:
        for value in matcher.values:
            if not _can_match(matcher.kind, value):
                return f"{matcher.kind.value} {value!r} matches nothing"
    return None


def _can_match(kind: Kind, value: str) -> bool:
    """False where Traefik takes the value, says nothing, and never finds a request for it. Raises ValueError."""
    if kind is Kind.HOST:
        return re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", value) is not None
    split_pattern(value)
    return kind is Kind.HOST_REGEXP or value.startswith("/")


_INT = 2**31 - 1
_SECONDS = 2**63 // 10**9  # the longest duration that Go can hold
_RATE = 10**9  # Traefik's limiter counts whole nanoseconds from request to request, and divides by them

_BACKSTOP_PRIORITY = f"frontends/{STANDING}/priority"

# All that is ever written, and what each may hold; a fault is answered, or raised as ValueError. None is a directory
# of another: a key that is both keeps Traefik from starting, now and then.
_WRITTEN: Mapping[str, Callable[[str], Fault]] = {
    "backends/*/circuitbreaker/expression": _expression,
    "backends/*/loadbalancer/method": _one_of("wrr", "drr"),
    "backends/*/loadbalancer/stickiness": _one_of("true"),
    "backends/*/servers/*/url": _server_url,
    "backends/*/servers/*/weight": _whole(1, _INT),
    "frontends/*/backend": _name,
    "frontends/*/passhostheader": _one_of("false"),
    "frontends/*/priority": _whole(2, _INT),  # above the backstop's
    "frontends/*/ratelimit/extractorfunc": _extractor,
    "frontends/*/ratelimit/rateset/*/average": _whole(1, _RATE),
    "frontends/*/ratelimit/rateset/*/burst": _whole(1, _INT),
    "frontends/*/ratelimit/rateset/*/period": _whole(1, _SECONDS, "s"),
    "frontends/*/routes/*/rule": _rule,
}
