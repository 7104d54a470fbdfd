"""How text is written into a value of Traefik 1.7's tree, each in one form only.

Traefik's template pastes values into TOML: a text between quotes, each item of a list likewise after it was split at
its commas, PEM texts of certificates between triple quotes. Servers' tags it does not paste at all.
"""

from __future__ import annotations

import re

_MUST_ESCAPE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\]')
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPE = re.compile(r'\\(?:([btnfr"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|)|["\n\r\x00]')
_MEANT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_COMMA = "\\u002c"  # Traefik splits lists before it unescapes
_AS_THEY_STAND = ("/auth/forward/tls/cert", "/auth/forward/tls/key", "/tags")

Text = str | tuple[str, ...]  # what a key shall say: a text, or the items of a list


def stored(path: str, text: Text) -> str:
    """The value at `path` that Traefik reads as `text`. Raises ValueError where UTF-8 cannot carry it."""
    if isinstance(text, tuple):
        return escape_list(text)
    return text if is_plain(text) or path.endswith(_AS_THEY_STAND) else escape_value(text)


def escape_value(text: str) -> str:
    """`text` as a value that Traefik reads as `text`. Raises ValueError where UTF-8 cannot carry it."""
    text.encode()  # refuses half a surrogate pair
    return _MUST_ESCAPE.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def escape_list(items: tuple[str, ...]) -> str:
    """A list in its comma form. Raises ValueError as `escape_value`."""
    return ",".join(escape_value(item).replace(",", _COMMA) for item in items)


def unescape_value(value: str) -> str:
    """What Traefik reads where `value` stands. Raises ValueError where `value` would stop it from reading at all."""
    return _ESCAPE.sub(_unescaped, value)


def is_plain(value: str) -> bool:
    """Whether `value` is read as it stands: the quick answer for most values."""
    return value.isascii() and not _MUST_ESCAPE.search(value)


def _unescaped(found: re.Match[str]) -> str:
    short, four, eight = found.groups()
    if short:
        return _MEANT[short]
    code = int(four or eight or "110000", 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"{found[0]!r} at character {found.start() + 1} cannot stand in a TOML string")
    return chr(code)
