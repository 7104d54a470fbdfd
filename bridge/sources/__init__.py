"""I/O in: where a world is read from."""

from __future__ import annotations

from collections.abc import Set
from importlib import import_module

from bridge.model.problem import UsageError
from bridge.sources.base import Source, without_user

# Each module has `from_url(url, *, hosts, named) -> Source`. Imported when chosen: the client of one source costs the
# others nothing.
SOURCES = {
    "file": "bridge.sources.file",
    "http": "bridge.sources.metadata",
    "https": "bridge.sources.metadata",
    "compose": "bridge.sources.compose",
}


def open_source(url: str, *, hosts: bool = False, named: Set[str] = frozenset()) -> Source:
    """The source that `url` names; nothing is read yet. Raises UsageError where it names none.

    `hosts`: the addresses of hosts are needed; without, a source reads them where a service asks for them by its label.
    `named`: labels of services that are read too, though they speak to others.
    """
    scheme, colon, _ = url.partition(":")
    if not colon or scheme not in SOURCES:
        remedy = "no such source; use http://rancher-metadata, file:PATH or compose:DIR"
        raise UsageError("--source", without_user(url), remedy)
    source: Source = import_module(SOURCES[scheme]).from_url(url, hosts=hosts, named=named)
    return source
