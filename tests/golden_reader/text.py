"""How Traefik understands a value's text: TOML strings, and Go's numbers, truths and durations."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r'["\\\n\r\0]')
_ESCAPE = re.compile(r'\\(?:(?P<letter>[btnfr"\\])|u(?P<short>[0-9A-Fa-f]{4})|U(?P<long>[0-9A-Fa-f]{8}))')
_LETTERS = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_TRUTHS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_INT64 = range(-(2**63), 2**63)


class Freezes(Exception):
    """The tree cannot become a configuration: Traefik takes nothing of it, for nobody."""


def pasted(text: str) -> str:
    """What is left of `text` after it was pasted between quotes into TOML and read back. Raises Freezes."""
    if not _SPECIAL.search(text):
        return text
    if _SPECIAL.search(_ESCAPE.sub("", text)):
        raise Freezes(f"{text!r} does not stand in a TOML string")
    return _ESCAPE.sub(_unescape, text)


def pasted_lines(text: str) -> str:
    """As `pasted`, between triple quotes: line ends and lone quotes may stand."""
    if '"""' in text or "\\" in _ESCAPE.sub("", text):
        raise Freezes(f"{text!r} does not stand in a TOML string of several lines")
    return _ESCAPE.sub(_unescape, text)


def pasted_header(name: str) -> str:
    """A header's name in canonical form; it is pasted without quotes. Raises Freezes."""
    if not _HEADER_NAME.fullmatch(name):
        raise Freezes(f"{name!r} does not stand as a bare TOML key")
    return canonical_header(name)


def canonical_header(name: str) -> str:
    """`x-a` as `X-A`: the form in which Go keeps header names."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def integer(text: str, default: int) -> int:
    """A whole number in base 10 that fits 64 bits; else `default`."""
    number = int(text) if _INTEGER.fullmatch(text) else default
    return number if number in _INT64 else default


def truth(text: str, default: bool) -> bool:
    """One of Go's words for true and false; else `default`."""
    return _TRUTHS.get(text, default)


def period(text: str) -> int | None:
    """A rate set's period in nanoseconds: a plain number is seconds. None: not understood."""
    if _INTEGER.fullmatch(text):
        return int(text) * _NANOSECONDS["s"]
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if not body or _DURATION_PART.sub("", body):
        return None
    return sign * sum(round(float(number) * _NANOSECONDS[unit]) for number, unit in _DURATION_PART.findall(body))


def comma_items(text: str) -> tuple[str, ...]:
    """The items of a comma list, trimmed; empty ones do not count."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _unescape(found: re.Match[str]) -> str:
    if letter := found["letter"]:
        return _LETTERS[letter]
    point = int(found["short"] or found["long"], 16)
    if 0xD800 <= point <= 0xDFFF or point > 0x10FFFF:
        raise Freezes(f"{found[0]!r} is no character")
    return chr(point)
