"""`${VAR}` in compose files, as rancher-compose fills it in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_DOLLAR = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<sign>:?-)(?P<default>[^}]*))?\}|)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with its variables filled in."""

    text: str
    missing: tuple[str, ...] = ()  # names that have no value; nothing stands in their place
    stray: bool = False  # a `$` begins no variable; it stands as it is


def fill(text: str, values: Mapping[str, str]) -> Filled:
    """`$$` is `$`, `${VAR}` and `$VAR` the value, `${VAR:-x}` and `${VAR-x}` that or x."""
    if "$" not in text:
        return Filled(text)
    missing: dict[str, None] = {}
    stray = False

    def value(found: re.Match[str]) -> str:
        nonlocal stray
        name = found["plain"] or found["name"]
        if found["dollar"]:
            return "$"
        if name is None:
            stray = True
            return "$"
        if name in values and (values[name] or found["sign"] != ":-"):
            return values[name]
        if found["sign"]:
            return found["default"]
        missing[name] = None
        return ""

    return Filled(_DOLLAR.sub(value, text), tuple(missing), stray)
