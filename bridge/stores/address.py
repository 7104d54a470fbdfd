"""`--store` as a value: one URL says which store, where it listens and below which prefix Traefik reads."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from bridge.model.problem import UsageError

OPTION = "--store"
DEFAULT_PREFIX = "traefik"  # Traefik's own default

_FORM = "use SCHEME://HOST:PORT,HOST:PORT/PREFIX with one of the schemes"
_PARTS = re.compile(r"(?P<kind>[a-z][a-z0-9]*)(?P<tls>\+https)?://(?P<endpoints>[^/]*)(?P<path>/.*)?")
_ENDPOINT = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<host>[^\[\]:]*))(?::(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one server of a store listens."""

    host: str  # a name or an IP address, IPv6 without brackets
    port: int | None  # 1 to 65535; None: the store's usual one

    def at(self, usual: int) -> str:
        """`host:port`, IPv6 in brackets; `usual` where the URL names no port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port or usual}"


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A store's URL, taken apart."""

    url: str  # as it was given; holds no secret
    kind: str  # the scheme without "+https": a name in the registry of stores
    tls: bool
    endpoints: tuple[Endpoint, ...]  # not empty
    prefix: str  # Traefik's, without outer slashes; not empty


def parse_address(url: str, kinds: tuple[str, ...]) -> StoreAddress:
    """`kind://host:port,host:port/prefix` or `kind+https://…` as a value, `kind` being one of `kinds`.

    Raises UsageError; its text never shows a password, even one that was written into `url`.
    """
    shown = _without_login(url)
    if shown != url:
        raise UsageError(OPTION, shown, "no user and password in the URL; secrets come from the environment or files")
    if "?" in url:  # as other programs take a token
        raise UsageError(
            OPTION,
            f"{url.partition('?')[0]}?…",
            "nothing stands behind the prefix; secrets come from the environment or files",
        )
    schemes = " ".join(f"{kind}:// {kind}+https://" for kind in kinds)
    found = _PARTS.fullmatch(url)
    if found is None or found["kind"] not in kinds:
        raise UsageError(OPTION, url, f"{_FORM} {schemes}")
    return StoreAddress(
        url=url,
        kind=found["kind"],
        tls=found["tls"] is not None,
        endpoints=tuple(_endpoint(text, url) for text in found["endpoints"].split(",")),
        prefix=_prefix(found["path"] or "", url),
    )


def _without_login(url: str) -> str:
    """`url` with whatever stands before its last `@` cut out: a password may hold any character."""
    login, at, shown = url.rpartition("@")
    scheme = re.match(r"[a-z0-9+]*://", login)
    return f"{scheme[0] if scheme else ''}…@{shown}" if at else url


def _endpoint(text: str, url: str) -> Endpoint:
    found = _ENDPOINT.fullmatch(text)
    if found is None:
        raise UsageError(OPTION, url, f"{text!r} is no HOST:PORT; write IPv6 addresses in brackets")
    host = found["host"] if found["six"] is None else _six(found["six"], url)
    if not host:
        raise UsageError(OPTION, url, "names no host; write HOST:PORT after the slashes")
    if found["six"] is None and not _HOST.fullmatch(host):
        raise UsageError(OPTION, url, f"{host!r} is no host's name and no IP address")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise UsageError(OPTION, url, f"{port} is no port; use 1 to 65535")
    return Endpoint(host, port)


def _six(text: str, url: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as err:
        raise UsageError(OPTION, url, f"{text!r} is no IPv6 address") from err


def _prefix(path: str, url: str) -> str:
    try:
        return tree_prefix(path.strip("/") or DEFAULT_PREFIX)
    except ValueError as err:
        raise UsageError(OPTION, url, str(err)) from err


def tree_prefix(text: str) -> str:
    """Where a Traefik reads, without outer slashes. Raises ValueError where it cannot read there."""
    prefix = text.strip("/")
    if not prefix or re.search(r"[?#\s]", prefix) or "//" in prefix:
        raise ValueError(f"{prefix!r} is no prefix; write Traefik's, such as {DEFAULT_PREFIX}")
    if "bridge/".startswith(prefix) or prefix.startswith("bridge/"):  # each record would wake Traefik
        raise ValueError(f"below the prefix {prefix!r} the bridge keeps its own records; use another")
    return prefix
