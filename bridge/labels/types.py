"""Values that an owner writes: each function makes one kind of value from text, or raises ValueError that says why."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from ipaddress import ip_address

from bridge.labels.patterns import split_pattern

MOST = 2**31 - 1  # of a number that Traefik reads as Go's int, on any machine
TEXT_LIMIT = 1000  # characters of one host, pattern or path
HOST_LIMIT = 253  # characters of a host name, after RFC 1035

# What strconv.ParseBool of Go takes, and nothing else.
_TRUTH = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PATTERN_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_HOST_LITERAL = re.compile(r"(?:[a-z0-9_-]|\.(?!\.))*")
# IDNA 2003, which Python speaks, turns these into another name than browsers ask for today.
_DEVIATING = frozenset("ßẞς\u200c\u200d")
_ESCAPE = re.compile(r"\\(?:([btnfr\"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|.|$)", re.DOTALL)
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


class Publish(Enum):
    """Whether a service asks for a route, and under which name."""

    NO = "false"
    SERVICE = "true"  # <service>.<stack>.<domain>
    STACK = "stack"  # <stack>.<domain>


class Address(Enum):
    """Where Traefik reaches containers."""

    CONTAINER = "container"  # at their own IP, on Rancher's network
    HOST = "host"  # at their host's IP and the port that is published there, for a Traefik outside of the environment


def truth(text: str) -> bool:
    """One of Go's words for true and false."""
    if text not in _TRUTH:
        raise ValueError(f"it is none of {' '.join(_TRUTH)}")
    return _TRUTH[text]


def publish(text: str) -> Publish:
    """`stack`, or one of Go's words for true and false."""
    if text == "stack":
        return Publish.STACK
    if text not in _TRUTH:
        raise ValueError(f"it is none of {' '.join(_TRUTH)} stack")
    return Publish.SERVICE if _TRUTH[text] else Publish.NO


def number(text: str) -> int:
    """A whole number as Go reads it: base ten, no blanks, no unit; up to MOST either way."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("it is no whole number")
    value = int(text)
    if abs(value) > MOST:
        raise ValueError(f"it is beyond {MOST}")
    return value


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """A parser of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        value = number(text)
        if not least <= value <= most:
            raise ValueError(f"it is not between {least} and {most}")
        return value

    return parse


def write_seconds(seconds: float) -> str:
    """A time as Go reads it: a whole number of the largest unit that holds it. Raises ValueError below a nanosecond."""
    nanoseconds = round(seconds * 10**9)
    for unit, length in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)):
        if nanoseconds > 0 and nanoseconds % length == 0:
            return f"{nanoseconds // length}{unit}"
    raise ValueError(f"{seconds} s is no time that can be waited for")


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of some lower-case words, whose case is ignored."""

    def parse(text: str) -> str:
        word = text.lower()
        if word not in words:
            raise ValueError(f"it is none of {' '.join(words)}")
        return word

    return parse


def decoded(text: str) -> str:
    r"""The text without its TOML escapes, if it is validly escaped as a whole; else the text itself.

    Owners wrote `\\d` where `\d` was meant, because both rancher-traefik and Traefik's own provider paste labels into
    TOML. Text that would become a control character is taken as written: `\b` in a pattern is a word's edge.
    """
    if "\\" not in text or '"' in re.sub(r"\\.", "", text):
        return text
    out: list[str] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        code = found[2] or found[3]
        if code and int(code, 16) <= 0x10FFFF:
            char = chr(int(code, 16))
        elif found[1]:
            char = _SHORT[found[1]]
        else:
            return text
        out += (text[at : found.start()], char)
        at = found.end()
    plain = "".join(out) + text[at:]
    return plain if plain.isprintable() else text


def host(text: str) -> str:
    """A host name in lower case, in ASCII (IDNA). Underscores may stand: Traefik and browsers take them."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"it is longer than {TEXT_LIMIT} characters")
    name = text.lower()
    if not name.isascii():
        name = _ascii(name)
    if len(name) > HOST_LIMIT or not _HOST.fullmatch(name):
        raise ValueError("it is no host name (letters, digits, '-', '_' and single dots; no port, no wildcard)")
    return name


def _ascii(name: str) -> str:
    if _DEVIATING & set(name):
        raise ValueError("browsers disagree about its letters: write it in its xn-- form")
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError as err:
        raise ValueError("it is no host name that can be written in ASCII") from err


def host_pattern(text: str) -> str:
    """A host name, or one with `{name:expression}` parts; the case of expressions is kept."""
    pieces = _pieces(text)
    if len(pieces) == 1:
        return host(text)
    literals = [piece.lower() for piece in pieces[::2]]
    edges = literals[0].startswith(".") or literals[-1].endswith(".")
    if edges or not all(_HOST_LITERAL.fullmatch(literal) for literal in literals):
        raise ValueError("outside its braces it is no part of a host name")
    escapes = (found[0] for piece in pieces[1::2] for found in _PATTERN_ESCAPE.finditer(piece))
    if escape := next((escape for escape in escapes if escape != escape.lower()), ""):
        raise ValueError(f"Traefik lowers the letters of a host's pattern, and {escape.lower()} is not {escape}")
    return _joined(literals, pieces)


def path(text: str) -> str:
    """A path, taken letter by letter."""
    if len(_pieces(text)) > 1:
        raise ValueError("Traefik strips only what is written, not what a pattern in braces matches")
    return path_pattern(text)


def path_pattern(text: str) -> str:
    """A path, or one with `{name:expression}` parts."""
    pieces = _pieces(text)
    if not text.startswith("/"):
        raise ValueError("a path begins with /")
    if text.endswith(":"):
        raise ValueError("Traefik drops a colon at the end of a rule")
    return _joined(pieces[::2], pieces)


def address(text: str) -> str:
    """An IP address in canonical form, without brackets, port or zone."""
    found = ip_address(text)
    if found.is_unspecified or "%" in text:
        raise ValueError(f"{text!r} is no address that can be reached")
    return str(found)


def _pieces(text: str) -> tuple[str, ...]:
    """Literals and the insides of braces, in turn, of text that may stand in a rule."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"it is longer than {TEXT_LIMIT} characters")
    if not text.isprintable() or text != text.strip():
        raise ValueError("it holds a character that cannot be printed, or begins or ends with a blank")
    for mark in (",", ";", "::"):
        if mark in text:
            raise ValueError(f"Traefik's rules cannot hold {mark!r}")
    return split_pattern(text)


def _joined(literals: list[str] | tuple[str, ...], pieces: tuple[str, ...]) -> str:
    """The literals with the insides of `pieces` between them, in their braces again."""
    insides = [f"{{{inside}}}" for inside in pieces[1::2]]
    return "".join(part for pair in zip(literals, [*insides, ""], strict=True) for part in pair)
