"""What is wrong with one value of Traefik 1.7's tree, whoever wrote it: how far that reaches, and what helps.

More lenient than the guard: what Traefik reads as it is meant has no flaw, in whatever form. All of it was measured on
1.7.28.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from bridge.labels import types
from bridge.labels.expressions import breaker, no_floats, retry
from bridge.labels.patterns import check_expression, split_pattern
from bridge.layouts.go_values import SCHEME, TRUTHS, is_whole, parsed_url
from bridge.layouts.lint import Flaw, Grade
from bridge.layouts.traefik1_checks import cidr, extractor
from bridge.layouts.traefik1_reads import As
from bridge.layouts.traefik1_rules import rule_fault
from bridge.layouts.traefik1_text import unescape_value
from bridge.model.route import MODIFIERS, Kind

FREEZES = "stops Traefik from taking any change, of anybody, until it is gone"
LOST_HERE = "this frontend is lost"
LOST_ALL = "each frontend of this backend is lost"
EVERY_HOST = "this frontend takes requests for every host"

_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_PERIOD = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
_LINE_ESCAPE = re.compile(r'\\(?:[btnfr"\\]|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})')
_KINDS = {kind.value: kind for kind in Kind}


def pasting(how: As, value: str) -> Flaw | None:
    """What keeps a value from being pasted into Traefik's configuration; None where nothing does."""
    if how is As.NOTHING:
        return Flaw(Grade.FROZEN, "it can be read in no way", FREEZES, "delete it") if value else None
    texts = value.split(",") if how is As.LIST else (value,) if how in (As.TEXT, As.LINES) else ()
    try:
        for text in texts:
            _pasted_lines(text) if how is As.LINES else unescape_value(text.strip() if how is As.LIST else text)
    except ValueError as err:
        wrong = f"text between quotes cannot hold this ({err})"
        if '"' in value or "\n" in value:
            wrong += ", and what stands behind a quote may become configuration of its own"
        return Flaw(Grade.FROZEN, wrong, FREEZES, r"escape it: \\ for \, \" for a quote, \n for a line's end")
    return None


def _pasted_lines(text: str) -> None:
    if '"""' in text:
        raise ValueError("three quotes end the text")
    for escape in _LINE_ESCAPE.findall(text):
        unescape_value(escape)
    if "\\" in _LINE_ESCAPE.sub("", text):
        raise ValueError("a backslash that escapes nothing")


def flaws(shape: str, how: As, value: str) -> Iterator[Flaw]:
    """What is wrong with a value that can be pasted and is not empty. `shape`: its path, a star for each name."""
    match how:
        case As.TRUTH if value not in TRUTHS:
            yield Flaw(Grade.WRONG, "it is neither true nor false", "the default counts", "write true or false")
        case As.WHOLE if not is_whole(value):
            lost = shape.startswith("frontends/*/ratelimit/")
            yield Flaw(
                Grade.LOST if lost else Grade.WRONG,
                "it is no whole number",
                LOST_HERE if lost else "the default counts",
                "write decimal digits alone",
            )
        case As.WHOLE if found := _number(shape, int(value)):
            yield found
        case As.TEXT | As.LIST | As.PERIOD if shape in _TEXTS:
            yield from _TEXTS[shape](unescape_value(value) if how is As.TEXT else value)


def is_period(text: str) -> bool:
    """Whether Traefik reads it as a time, of whatever length."""
    return bool(_WHOLE.fullmatch(text)) or _PERIOD.fullmatch(text) is not None


def _number(shape: str, value: int) -> Flaw | None:
    match shape.rpartition("/")[2]:
        case "weight" if value < 0:
            return Flaw(Grade.LOST, "it is negative", LOST_ALL, "write 1 or more, or delete the server")
        case "weight" if value == 0:
            return Flaw(Grade.WRONG, "0 counts as 1", "the server gets its share", "delete the server's url instead")
        case "amount" if value < 0:
            return Flaw(Grade.WRONG, "it is negative", "every request is answered with 429", "write 1 or more")
        case "average" | "burst" if value <= 0:
            return Flaw(Grade.LOST, "it is not above 0", LOST_HERE, "write 1 or more")
        case "port" if not 0 <= value <= 65535:
            return Flaw(Grade.WRONG, "it is no port", "every server fails its check: 503", "write 1 to 65535")
        case name if name.endswith("bytes") and value < 0:
            return Flaw(Grade.LOST, "it is negative", LOST_ALL, "write 0 or more")
    return None


# Texts, by the shape of their path. Each is not empty, and unescaped where Traefik unescapes it.

Flaws = Iterator[Flaw]


def _items(value: str) -> list[str]:
    return [unescape_value(text.strip()) for text in value.split(",") if text.strip()]


def server_url(text: str) -> Flaws:
    """As Go parses it; of a server's only scheme, host and port are used."""
    try:
        scheme, host, port, rest = parsed_url(text)
    except ValueError as err:
        yield Flaw(Grade.LOST, str(err), LOST_ALL, "write scheme://host:port")
        return
    fails = "every request that it gets fails"
    if scheme not in ("http", "https", "h2c"):
        yield Flaw(Grade.WRONG, "its scheme is none of http, https and h2c", fails, "write http://host:port")
    elif not host:
        yield Flaw(Grade.WRONG, "it names no host", fails + ", or Traefik's own machine answers", "name one")
    elif ":" in host and not host.startswith("["):
        yield Flaw(Grade.WRONG, "an IPv6 address without brackets", fails, "write [address]:port")
    elif port and not 0 < int(port[:9]) <= 65535:
        yield Flaw(Grade.WRONG, "its port is above 65535, or 0", fails, "write 1 to 65535")
    elif rest.strip("/"):
        wrong = "path, query and user of a server's url count for nothing"
        yield Flaw(Grade.NOTICE, wrong, "it is read without them", "write scheme://host:port")


def _breaker(text: str) -> Flaws:
    yield from _expression(text, breaker)
    for literal in no_floats(text):
        yield Flaw(Grade.LOST, f"{literal} is no float", LOST_ALL, f"write {literal}.0")


def _retry(text: str) -> Flaws:
    yield from _expression(text, retry)


def _expression(text: str, parse: Callable[[str], str]) -> Flaws:
    try:
        parse(text)
    except ValueError as err:
        yield Flaw(Grade.LOST, str(err), LOST_ALL, "mend the expression")


def _method(text: str) -> Flaws:
    if text.lower() not in ("wrr", "drr"):
        yield Flaw(Grade.WRONG, "it is neither wrr nor drr", "wrr is used", "write wrr or drr")


def _interval(text: str) -> Flaws:
    try:
        types.duration(text)
    except ValueError as err:
        yield Flaw(Grade.WRONG, str(err), "the check runs every 30s", "write a time such as 10s")


def _check_scheme(text: str) -> Flaws:
    if text not in ("http", "https"):
        yield Flaw(Grade.WRONG, "it is neither http nor https", "every server fails its check: 503", "write http")


def _check_path(text: str) -> Flaws:
    if SCHEME.match(text) or text.startswith("//"):
        yield Flaw(Grade.WRONG, "it is a whole url", "another host is checked", "write a path: /health")
    elif re.search("%(?![0-9A-Fa-f]{2})", text):
        yield Flaw(Grade.WRONG, "a % that escapes nothing", "every server fails its check: 503", "write %25 for it")


def _rule(text: str) -> Flaws:
    if not text.strip(";"):
        yield Flaw(
            Grade.DEAD,
            "a rule of nothing but ;",
            "Traefik takes no change of any provider until it is started again without it",
            "delete it, then restart Traefik",
        )
        return
    try:
        kinds = [_piece(piece) for piece in text.split(";") if piece]
    except ValueError as err:
        yield Flaw(Grade.LOST, str(err), LOST_HERE, "mend the rule: Host:name;PathPrefix:/path")
        return
    if all(kind in MODIFIERS for kind in kinds):
        yield Flaw(Grade.WRONG, "a rule of modifiers alone", EVERY_HOST, "add Host: or a path")
        return
    try:
        fault = rule_fault(text)
    except ValueError as err:
        fault = str(err)
    if fault and not _takes_blanks(text):
        yield Flaw(Grade.WRONG, fault, "Traefik takes it, and matches otherwise than it says, or nothing", "mend it")


def _piece(piece: str) -> Kind:
    """The matcher of one piece. Raises ValueError where Traefik refuses it."""
    name, *others = [part for part in piece.split(":") if part] or [""]
    kind = _KINDS.get(name.strip())
    if kind is None:
        raise ValueError(f"{name.strip()!r} is no matcher")
    words = [word.strip() for word in ":".join(others).split(",") if word]
    if not words:
        raise ValueError(f"{kind.value} without a value")
    if kind in (Kind.HEADERS, Kind.HEADERS_REGEXP) and len(words) % 2:
        raise ValueError(f"{kind.value} needs pairs of name and value")
    if kind is Kind.HEADERS_REGEXP:
        for word in words[1::2]:
            check_expression(word)
    if kind is Kind.QUERY:
        for word in words:
            if word.count("=") != 1:
                raise ValueError("Query needs one = in each value")
            split_pattern(word)
    return kind


def _takes_blanks(text: str) -> bool:
    """Hosts in capitals, and blank values beside others, are as good."""
    tidy = ";".join(
        name + ":" + ",".join(word for word in words.split(",") if word.strip())
        for name, _, words in (piece.partition(":") for piece in text.split(";") if piece)
    )
    try:
        return rule_fault(re.sub(r"(Host\s*:)([^;]*)", lambda found: found[1] + found[2].lower(), tidy)) is None
    except ValueError:
        return False


def _sources(value: str) -> Flaws:
    for item in _items(value):
        try:
            fault = cidr(item)
        except ValueError as err:
            fault = str(err)
        if fault:
            yield Flaw(Grade.LOST, f"{item!r} is no address and no range", LOST_HERE, "write 10.0.0.0/8")


def _statuses(value: str) -> Flaws:
    for item in _items(value):
        low, dash, high = item.partition("-")
        if not all(re.fullmatch("[+-]?[0-9]{1,18}", part) for part in ((low, high) if dash else (low,))):
            yield Flaw(Grade.LOST, f"{item!r} is no status and no range of them", LOST_HERE, "write 404 or 500-599")


def users(parts: int) -> Callable[[str], Flaws]:
    """Names with hashes; no reason shows one."""

    def found(value: str) -> Flaws:
        for number, item in enumerate(_items(value), 1):
            if item.count(":") < parts - 1:
                form = "name:hash" if parts == 2 else "name:realm:hash"
                yield Flaw(Grade.LOST, f"user {number} is not {form}", LOST_HERE, f"write {form}, as htpasswd does")

    return found


def _extractor(lost: str) -> Callable[[str], Flaws]:
    def found(text: str) -> Flaws:
        if (fault := extractor(text)) and not re.fullmatch("request[.]header[.].+", text, re.S):
            yield Flaw(Grade.LOST, fault, lost, "write client.ip")

    return found


def _regex(text: str) -> Flaws:
    try:
        check_expression(text)
    except ValueError as err:
        yield Flaw(Grade.LOST, str(err), LOST_HERE, "mend the expression; it is Go's RE2")


def _period(text: str) -> Flaws:
    if not is_period(text):
        yield Flaw(Grade.WRONG, "it is no time", "this set limits nothing", "write seconds, or 1m")
    elif text.startswith("-") or not re.search("[1-9]", text):
        yield Flaw(Grade.LOST, "it is not above 0", LOST_HERE, "write seconds, or 1m")


def _entry_points(value: str) -> Flaws:
    odd = [item for item in _items(value) if item not in ("http", "https")]
    if odd:
        names = " and ".join(map(repr, odd))
        yield Flaw(
            Grade.NOTICE, f"only Traefik knows {names}", f"{LOST_HERE} where none of them is there", "look there"
        )


def _target(text: str) -> Flaws:
    if text not in ("http", "https"):
        yield Flaw(Grade.NOTICE, f"only Traefik knows {text!r}", f"{LOST_HERE} where it is not there", "look there")


def _file(_text: str) -> Flaws:
    yield Flaw(Grade.NOTICE, "a file on Traefik's machine", f"{LOST_HERE} where it is not there", "look there")


_TEXTS: Mapping[str, Callable[[str], Flaws]] = {
    "backends/*/servers/*/url": server_url,
    "backends/*/circuitbreaker/expression": _breaker,
    "backends/*/loadbalancer/method": _method,
    "backends/*/healthcheck/path": _check_path,
    "backends/*/healthcheck/interval": _interval,
    "backends/*/healthcheck/scheme": _check_scheme,
    "backends/*/buffering/retryexpression": _retry,
    "backends/*/maxconn/extractorfunc": _extractor(LOST_ALL),
    "frontends/*/routes/*/rule": _rule,
    "frontends/*/entrypoints": _entry_points,
    "frontends/*/basicauth": users(2),
    "frontends/*/auth/basic/users": users(2),
    "frontends/*/auth/basic/usersfile": _file,
    "frontends/*/auth/digest/users": users(3),
    "frontends/*/auth/digest/usersfile": _file,
    "frontends/*/whitelist/sourcerange": _sources,
    "frontends/*/redirect/entrypoint": _target,
    "frontends/*/redirect/regex": _regex,
    "frontends/*/errors/*/status": _statuses,
    "frontends/*/ratelimit/extractorfunc": _extractor(LOST_HERE),
    "frontends/*/ratelimit/rateset/*/period": _period,
}

# Of what these hold only Traefik knows whether it is there.
ELSEWHERE = frozenset(shape for shape, found in _TEXTS.items() if found in (_entry_points, _target, _file))
