"""A server's url, as Go's parser takes it."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Url:
    """What is used of it: no user, query or fragment, and of a server's no path."""

    scheme: str
    host: str  # IPv6 with its brackets
    port: str
    path: str

    @property
    def origin(self) -> str:
        """scheme://host:port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}" if self.port else self.host


@functools.cache
def parse_url(text: str) -> Url:
    """Raises ValueError where Go does not take it."""
    if _CONTROL.search(text):
        raise ValueError("invalid control character in URL")
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    rest = text[found.end() :] if found else text
    if text.startswith(":"):
        raise ValueError("missing protocol scheme")
    rest = rest.partition("#")[0].partition("?")[0]
    if not rest.startswith("/"):
        if scheme:  # opaque, as in mailto:x
            return Url(scheme, "", "", "")
        if ":" in rest.partition("/")[0]:
            raise ValueError("first path segment in URL cannot contain colon")
    host = port = ""
    if rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        host, port = _host_and_port(authority.rpartition("@")[2])
        rest = slash + path
    if _BAD_ESCAPE.search(rest):
        raise ValueError("invalid URL escape")
    return Url(scheme, host, port, rest)


def _host_and_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, after = text.partition("]")
        if not bracket:
            raise ValueError("missing ']' in host")
        host += bracket
    else:
        host, colon, digits = text.rpartition(":")
        host, after = (host, colon + digits) if colon else (text, "")
    if after and not re.fullmatch(r":[0-9]*", after):
        raise ValueError(f"invalid port {after!r} after host")
    if "%" in host or " " in host:
        raise ValueError("invalid character in host name")
    return host, after[1:]
