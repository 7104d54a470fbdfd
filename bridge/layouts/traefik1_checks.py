"""What a value of Traefik 1.7's tree may say.

Each check answers what is wrong, None where nothing is, or raises ValueError. `text` and `items` make a check of a
stored value from one of the text that it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_network
from urllib.parse import urlsplit

from bridge.labels.patterns import check_expression
from bridge.labels.types import header_name
from bridge.layouts.traefik1_text import escape_list, escape_value, is_plain, unescape_value

Fault = str | None  # what is wrong; None: nothing
Check = Callable[[str], Fault]

_NAME = re.compile(r"(?!\.{1,2}$)(?!.*___)[A-Za-z0-9_.-]{1,200}")
_HEADER_WORD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 7230's token
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_SERVER_URL = re.compile(r"(?:https?|h2c)://(?:\[([^\]]*)\]|[A-Za-z0-9._-]+):([1-9][0-9]{0,4})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST_AND_PORT = re.compile(r"(?:\[([^\]]*)\]|[A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?")
_PATH = re.compile(r"/(?!/)(?:[^\x00-\x20\x7f%]|%[0-9A-Fa-f]{2})*")
_PEM = re.compile(r"-----BEGIN [\n\x20-\x7e]+|[\x20-\x7e]+")  # or a file's name

INT = 2**31 - 1
LONG = 2**63 - 1
_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}  # in nanoseconds


@lru_cache(1024)  # a route's few names stand in all of its paths
def is_name(text: str) -> bool:
    """Whether it may stand as the name of an object in a path."""
    return _NAME.fullmatch(text) is not None


def is_header_key(name: str) -> bool:
    """Whether it may stand as a header's name in a path: Traefik pastes it without quotes, and makes it canonical."""
    try:
        return header_name(name) == name
    except ValueError:
        return False


def nanoseconds(text: str) -> int:
    """The length of a time, one whole number with its unit. Raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,18})(ns|us|ms|s)", text)
    if not found or int(found[1]) * _UNITS[found[2]] > LONG:
        raise ValueError("not a time above 0 with its unit")
    return int(found[1]) * _UNITS[found[2]]


# How a value is written.


def text(check: Check) -> Check:
    """Of a value that is pasted between quotes, as the one text that `check` takes."""

    def fault(value: str) -> Fault:
        if is_plain(value):
            return check(value)
        text = unescape_value(value)
        return check(text) if escape_value(text) == value else "not escaped in the one form"

    return fault


def items(check: Check) -> Check:
    """Of a list in its comma form: not empty, each item as `check` takes it."""

    def fault(value: str) -> Fault:
        items = tuple(unescape_value(item) for item in value.split(","))
        if escape_list(items) != value:
            return "not escaped in the one form"
        if any(not item or item != item.strip() for item in items):
            return "an empty item, or blanks around one, are lost"
        return next((found for found in map(check, items) if found), None)

    return fault


def lines(value: str) -> Fault:
    """As `pem`, pasted between triple quotes: line ends stand as they are, and nothing is escaped."""
    return pem(value) if "\\" not in value and '"' not in value else "a backslash or a quote"


def tags(value: str) -> Fault:
    """A list in its comma form that Traefik compares with its constraints as it stands: nothing is escaped."""
    value.encode()  # refuses half a surrogate pair
    if any(item != item.strip() for item in value.split(",")):
        return "blanks around an item are lost"
    return next((found for found in map(words, value.split(",")) if found), None)


# What a text says.


def one_of(*texts: str) -> Check:
    """One of these texts."""
    return lambda text: None if text in texts else f"only {' or '.join(texts)} may stand here"


def whole(least: int, most: int) -> Check:
    """A whole number in decimal digits, without leading zeros."""

    def fault(text: str) -> Fault:
        fits = _NUMBER.fullmatch(text) and least <= int(text) <= most
        return None if fits else f"not a number from {least} to {most}"

    return fault


def name(text: str) -> Fault:
    """The name of an object."""
    return None if is_name(text) else "not a name"


def duration(text: str) -> Fault:
    """A time as `write_seconds` writes it."""
    nanoseconds(text)
    return None


def words(text: str) -> Fault:
    """Any text of one line."""
    return None if text and not _CONTROL.search(text) else "nothing, or a character that cannot be printed"


def header_value(text: str) -> Fault:
    """Empty takes the header away."""
    return "a character that no header can hold" if _CONTROL.search(text.replace("\t", " ")) else None


def set_header_value(text: str) -> Fault:
    """A header's value that is not empty."""
    return header_value(text) if text else "empty"


def header_field(text: str) -> Fault:
    """A header's name under which Traefik sets what it must not leave to the client."""
    return None if is_header_key(text) else "not a header's canonical name"


def host(text: str) -> Fault:
    """A host name or an address, and perhaps a port, as a Host header holds them."""
    found = _HOST_AND_PORT.fullmatch(text)
    if not found or int(found[2] or 1) > 65535:
        return "not a host, with or without a port"
    return _address_fault(found[1])


def _address_fault(bracketed: str | None) -> Fault:
    """What is wrong with what stands between brackets; None: there are none."""
    return "an address with a zone" if bracketed is not None and IPv6Address(bracketed).scope_id else None


def extractor(text: str) -> Fault:
    """What tells clients apart."""
    known = re.fullmatch(r"client\.ip|request\.host|request\.header\.[A-Za-z0-9_-]+", text)
    return None if known else "not client.ip, request.host or request.header.<Name>"


def canonical(parse: Callable[[str], str]) -> Check:
    """What `parse` takes, in the form in which it gives it back."""

    def fault(text: str) -> Fault:
        canonical = parse(text)
        return None if text == canonical else f"not as Traefik takes it: {canonical!r}"

    return fault


def path(text: str) -> Fault:
    """No other host: Traefik resolves it against an address."""
    return None if _PATH.fullmatch(text) else "not a path"


def pem(text: str) -> Fault:
    """A certificate, a key, or a file with one."""
    return None if _PEM.fullmatch(text) else "not PEM text, nor a file's name"


def header_word(text: str) -> Fault:
    """Any header's name."""
    return None if _HEADER_WORD.fullmatch(text) else "not a header's name"


def expression(text: str) -> Fault:
    """A regular expression."""
    check_expression(text)
    return words(text)


def server_url(text: str) -> Fault:
    """Of a server only scheme, host and port are used."""
    found = _SERVER_URL.fullmatch(text)
    if not found or int(found[2]) > 65535:
        return "not scheme://host:port"
    return _address_fault(found[1])


def absolute_url(text: str) -> Fault:
    """Where another server is asked; no user."""
    if re.search(r"[\x00-\x20\x7f]", text):
        return "a blank, or a character that cannot be printed"
    scheme, authority, way, _, _ = urlsplit(text)
    fits = scheme in ("http", "https") and not host(authority) and not (way and path(way))
    return None if fits else "not http://host/path or https://host/path"


def user(parts: int) -> Check:
    """A name, or a name and a realm, and a hash."""
    form = re.compile(":".join([r"[^:\x00-\x1f\x7f]+"] * parts))
    return lambda text: None if form.fullmatch(text) else "not a user with a hash"  # never the text: it is a secret


def cidr(text: str) -> Fault:
    """As Go reads it: no netmask, no zone."""
    if not re.fullmatch(r"[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?", text):
        return "not an address or a range in CIDR form"
    ip_network(text, strict=False)
    return None


def status(text: str) -> Fault:
    """`404`, `500-599`."""
    found = re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", text)
    return None if found and found[1] <= (found[2] or found[1]) else "not a status or a range of them in 100 to 599"
