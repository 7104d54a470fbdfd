"""What is wrong with a rule of Traefik 3."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bridge.labels.newer_rules import parse
from bridge.layouts.go_values import is_range
from bridge.layouts.lint import Flaw, Grade
from bridge.layouts.traefik3_fields import Version
from bridge.layouts.traefik3_regexp import has_capitals, regexp_fault

LENGTH = 20_000  # characters of a rule that is looked at

Flaws = Iterator[Flaw]

_LOST = "this router is disabled: 404"
_NEVER = "Traefik takes it, and it never matches"
_BRACES = re.compile(r"\{[A-Za-z0-9_-]+(?::[^}]*)?\}")
_COUNT = re.compile(r"\{[0-9]+\}")  # of copies, in an expression
_SNI = re.compile(r"(?:\*\.)?[\w.:-]+|\*", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Matcher:
    counts: tuple[int, ...]  # how many values it takes
    check: Callable[[tuple[str, ...], Version], Flaws]


def http_flaws(text: str, version: Version) -> Flaws:
    """What is wrong with the rule of an HTTP router."""
    yield from _flaws(text, version, _HTTP)


def tcp_flaws(text: str, version: Version) -> Flaws:
    """What is wrong with the rule of a TCP router."""
    yield from _flaws(text, version, _TCP)


def asks_for_tls(text: str, version: Version) -> bool:
    """Whether a TCP router of this rule must have TLS: it asks for a server's name. Raises ValueError as `parse`."""
    plain = version >= (3, 7)  # it lets a name pass that must not be
    names = [one.values for one in parse(text) if one.name.lower() == "hostsni" and not (plain and one.negated)]
    return bool(names) and names[0] != ("*",)


def _flaws(text: str, version: Version, known: Mapping[str, _Matcher]) -> Flaws:
    if len(text) > LENGTH:
        yield Flaw(
            Grade.NOTICE, f"it is longer than {LENGTH} characters", "it is not looked at here", "make it shorter"
        )
        return
    try:
        calls = parse(text)
    except ValueError as err:
        remedy = "write Host(`name`) && PathPrefix(`/path`)" if ":" in text else "mend the rule"
        yield Flaw(Grade.LOST, str(err), _LOST, remedy)
        return
    for call in calls:
        name = _NAMES.get(call.name, "")
        matcher = known.get(name)
        if matcher is None:
            remedy = f"use {', '.join(known)}"
            yield Flaw(Grade.LOST, f"{call.name!r} is no matcher of this kind of router", _LOST, remedy)
        elif not any(call.values):
            yield Flaw(Grade.LOST, f"{name} without a value", _LOST, "write one")
        elif len(call.values) not in matcher.counts:
            reason = f"{name} with {len(call.values)} values"
            remedy = f"give it {matcher.counts[-1]}; join several matchers by ||"
            yield Flaw(Grade.LOST, reason, _LOST, remedy)
        else:
            yield from matcher.check(call.values, version)


def _lost(reason: str, remedy: str) -> Flaw:
    return Flaw(Grade.LOST, reason, _LOST, remedy)


def _never(reason: str, remedy: str) -> Flaw:
    return Flaw(Grade.WRONG, reason, _NEVER, remedy)


def _ascii(name: str, value: str) -> Flaws:
    if not value.isascii():
        yield _lost(f"{value!r} in {name} has other than ASCII characters", "write the host in punycode: xn--…")


def _braces(value: str, instead: str) -> Flaws:
    if _BRACES.search(value):
        yield _never(f"{value!r}: braces are no patterns in Traefik 3", f"write {instead} with Go's expression")


def _host(values: tuple[str, ...], version: Version) -> Flaws:
    value = values[0]
    yield from _ascii("Host", value)
    yield from _braces(value, "HostRegexp")
    if re.search(r"(?<!:):[0-9]+\Z", value):
        yield _never(f"{value!r}: a host is compared without its port", "leave the port out")
    elif "*" in value and not re.fullmatch(r"\*\.[^*]+", value):
        yield _never(f"{value!r}: a star can only stand for the first label", "write HostRegexp with Go's expression")
    elif "*" in value and version < (3, 7):
        yield _never(f"{value!r}: only the newest Traefiks know the star", "write HostRegexp with Go's expression")
    elif re.search(r"[\s/]", value):
        yield _never(f"{value!r} is no host", "write a host's name alone")


def _regexp(value: str) -> Flaws:
    if fault := regexp_fault(value):
        yield _lost(fault, "mend the expression; it is Go's RE2")


def _host_regexp(values: tuple[str, ...], _version: Version) -> Flaws:
    yield from _ascii("HostRegexp", values[0])
    yield from _regexp(values[0])
    if _BRACES.search(_COUNT.sub("", values[0])):
        yield from _braces(values[0], "(…)")
    if has_capitals(values[0]):
        reason = f"{values[0]!r}: hosts are compared in small letters"
        yield _never(reason, "write small letters, or begin it with (?i)")


def _path(values: tuple[str, ...], _version: Version) -> Flaws:
    if not values[0].startswith("/"):
        yield _lost(f"the path {values[0]!r} does not begin with a slash", "write one")
    yield from _braces(values[0], "PathRegexp")


def _last_regexp(values: tuple[str, ...], _version: Version) -> Flaws:
    yield from _regexp(values[-1])


def _query(values: tuple[str, ...], _version: Version) -> Flaws:
    if len(values) == 1 and "=" in values[0]:
        yield _never(f"Query of {values[0]!r}: name and value are two values", "write Query(`name`, `value`)")


def _query_regexp(values: tuple[str, ...], _version: Version) -> Flaws:
    if len(values) == 2:
        yield from _regexp(values[1])


def _address(values: tuple[str, ...], _version: Version) -> Flaws:
    if not is_range(values[0]):
        yield _lost(f"{values[0]!r} is no address and no range", "write 10.0.0.0/8")


def _server_name(values: tuple[str, ...], _version: Version) -> Flaws:
    if not _SNI.fullmatch(values[0]):
        yield _lost(f"HostSNI of {values[0]!r}: no host", "write a host, or a star alone")


def _protocol(values: tuple[str, ...], _version: Version) -> Flaws:
    if values[0] == "acme-tls/1":
        yield _lost("ALPN of acme-tls/1 is Traefik's own", "delete it")


def _any(_values: tuple[str, ...], _version: Version) -> Flaws:
    yield from ()


_HTTP = {
    "Host": _Matcher((1,), _host),
    "HostRegexp": _Matcher((1,), _host_regexp),
    "Path": _Matcher((1,), _path),
    "PathPrefix": _Matcher((1,), _path),
    "PathRegexp": _Matcher((1,), _last_regexp),
    "Method": _Matcher((1,), _any),
    "Header": _Matcher((2,), _any),
    "HeaderRegexp": _Matcher((2,), _last_regexp),
    "Query": _Matcher((1, 2), _query),
    "QueryRegexp": _Matcher((1, 2), _query_regexp),
    "ClientIP": _Matcher((1,), _address),
}
_TCP = {
    "HostSNI": _Matcher((1,), _server_name),
    "HostSNIRegexp": _Matcher((1,), _last_regexp),
    "ClientIP": _Matcher((1,), _address),
    "ALPN": _Matcher((1,), _protocol),
}
# A matcher's name may be written in four ways.
_NAMES = {
    written: name for name in (*_HTTP, *_TCP) for written in (name, name.lower(), name.upper(), name.capitalize())
}
