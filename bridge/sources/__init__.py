"""I/O in: where a world is read from."""

from __future__ import annotations

import re
from importlib import import_module

from bridge.model.problem import UsageError
from bridge.sources.base import Source

# Each module has `from_url(url) -> Source`. Imported when chosen: the client of one source costs the others nothing.
SOURCES = {"file": "bridge.sources.file"}


def open_source(url: str) -> Source:
    """The source that `url` names; nothing is read yet. Raises UsageError where it names none."""
    scheme, colon, _ = url.partition(":")
    if not colon or scheme not in SOURCES:
        raise UsageError("--source", _without_user(url), "no such source; use file:PATH")
    source: Source = import_module(SOURCES[scheme]).from_url(url)
    return source


def _without_user(url: str) -> str:
    """`url` with whatever stands before its last `@` cut out: a password may hold any character."""
    return re.sub(r"^([A-Za-z0-9+]*:/*)?.*@", r"\1…@", url, flags=re.DOTALL)
