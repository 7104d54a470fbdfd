"""Values as Go reads them: both Traefiks do."""

from __future__ import annotations

import re
from fractions import Fraction
from ipaddress import ip_address, ip_network

TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
TRUTHS = TRUE | {"0", "f", "F", "false", "FALSE", "False"}
AT_ONCE = "-1ms"  # a time that makes Traefik wait for nothing, where it may be below 0
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")  # of a URL

_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_MOST = 2**63 - 1
_LENGTH = 200  # characters of a time


def is_whole(text: str) -> bool:
    """Whether it is read as a number."""
    return _WHOLE.fullmatch(text) is not None and -_MOST - 1 <= int(text) <= _MOST


def nanoseconds(text: str) -> float:
    """How long a time is; a plain number counts seconds. Raises ValueError where it is none."""
    if is_whole(text):
        return int(text) * 10.0**9
    if len(text) > _LENGTH:
        raise ValueError("no time")
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    pieces = _PIECE.findall(digits)
    length = sum(Fraction(number) * _UNITS[unit] for number, unit in pieces)
    if not pieces or "".join(map("".join, pieces)) != digits or length > _MOST + (sign == "-"):
        raise ValueError("no time")
    return float(-length if sign == "-" else length)


def is_range(text: str) -> bool:
    """Whether it is an address, or a range of them."""
    address, slash, bits = text.partition("/")
    try:
        if "%" in text or not address.isascii():
            return False
        if not slash:
            return bool(ip_address(address).max_prefixlen)
        return bits.isascii() and bits.isdecimal() and bool(ip_network(text, strict=False).max_prefixlen)
    except ValueError:
        return False


def parsed_url(text: str) -> tuple[str, str, str, str]:
    """Scheme, host, port, and what else there is of a URL. Raises ValueError where Go does not take it."""
    found = SCHEME.match(text)
    if not found:
        if re.search(r"[\x00-\x1f\x7f]", text) or ":" in text.partition("/")[0]:
            raise ValueError("it is no url")
        return "", "", "", text
    rest = text[found.end() :]
    way = rest.partition("#")[0].partition("?")[0]
    if re.search(r"[\x00-\x1f\x7f]", text) or (way.startswith("/") and re.search("%(?![0-9A-Fa-f]{2})", way)):
        raise ValueError("it is no url")
    if not way.startswith("//"):
        return found[1].lower(), "", "", way
    authority = way[2:].partition("/")[0]
    user, _, place = authority.rpartition("@")
    parts = re.fullmatch(r"(\[[^\]]*\]|[^\[\]]*?)(?::([0-9]*))?", place)
    if not parts or " " in place:
        raise ValueError("its host, or its port, cannot be read")
    return found[1].lower(), parts[1], parts[2] or "", user + rest[2 + len(authority) :]
