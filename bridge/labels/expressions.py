"""Circuit breaker expressions of Traefik 1.7: parsed, and written again in one canonical form.

    either    = both *( "||" both )
    both      = condition *( "&&" condition )
    condition = "(" either ")" | function operator literal

The left side is one of three functions, the right side a literal of the function's own type: Traefik refuses an
integer where it wants a float, and then drops every frontend of the backend.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

LENGTH = 1000  # characters
DEPTH = 20  # parentheses in parentheses
_MOST = 2**63 - 1  # of Go's int

_TOKEN = re.compile(
    r"[ \t\r\n]*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z]+)|(?P<sign>&&|\|\||[<>=!]=|[<>(),]))"
)
_COMPARISONS = frozenset(("<", "<=", ">", ">=", "==", "!="))


@dataclass(frozen=True, slots=True)
class _Function:
    """What a function is given and what it is compared with; each is int or float."""

    takes: tuple[type, ...]
    gives: type


_FUNCTIONS = {
    "NetworkErrorRatio": _Function((), float),
    "ResponseCodeRatio": _Function((int, int, int, int), float),
    "LatencyAtQuantileMS": _Function((float,), int),
}


def breaker(text: str) -> str:
    """The expression in canonical form, integers written as floats where Traefik wants floats. Raises ValueError."""
    if len(text) > LENGTH:
        raise ValueError(f"it is longer than {LENGTH} characters")
    parser = _Parser(_tokens(text))
    written = parser.either(DEPTH)
    if parser.left:
        raise ValueError(f"{parser.left[0]!r} is not expected there")
    return written


def _tokens(text: str) -> list[str]:
    tokens, at, end = [], 0, len(text.rstrip(" \t\r\n"))
    while at < end:
        found = _TOKEN.match(text, at, end)
        if not found:
            raise ValueError(f"{text[at:].strip()[:20]!r} is not understood")
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


class _Parser:
    """The tokens that are left. Each method takes the piece of the grammar it is named after, and writes it."""

    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens

    def next(self, what: str) -> str:
        if not self.left:
            raise ValueError(f"it ends where {what} is expected")
        return self.left.pop(0)

    def sign(self, sign: str) -> None:
        found = self.next(repr(sign))
        if found != sign:
            raise ValueError(f"{found!r} stands where {sign!r} is expected")

    def either(self, depth: int) -> str:
        written = [self.both(depth)]
        while self.left[:1] == ["||"]:
            self.left.pop(0)
            written.append(self.both(depth))
        return " || ".join(written)

    def both(self, depth: int) -> str:
        written = [self.condition(depth)]
        while self.left[:1] == ["&&"]:
            self.left.pop(0)
            written.append(self.condition(depth))
        return " && ".join(written)

    def condition(self, depth: int) -> str:
        if self.left[:1] == ["("]:
            return self.group(depth)
        name = self.next("a function")
        function = _FUNCTIONS.get(name)
        if not function:
            raise ValueError(f"{name!r} is none of {', '.join(_FUNCTIONS)}")
        arguments = self.arguments(function.takes)
        comparison = self.next("a comparison")
        if comparison not in _COMPARISONS:
            raise ValueError(f"{comparison!r} is no comparison")
        return f"{name}({arguments}) {comparison} {self.literal(function.gives)}"

    def group(self, depth: int) -> str:
        if depth == 0:
            raise ValueError(f"it has more than {DEPTH} parentheses in parentheses")
        self.sign("(")
        inside = self.either(depth - 1)
        self.sign(")")
        return f"({inside})"

    def arguments(self, types: tuple[type, ...]) -> str:
        self.sign("(")
        written = []
        for at, wanted in enumerate(types):
            if at:
                self.sign(",")
            written.append(self.literal(wanted))
        self.sign(")")
        return ", ".join(written)

    def literal(self, wanted: type) -> str:
        text = self.next("a number")
        if not text[0].isdigit() and text[0] != ".":
            raise ValueError(f"{text!r} stands where a number is expected")
        if wanted is float:
            number = float(text)
            if not math.isfinite(number):
                raise ValueError(f"{text!r} is too large")
            return repr(number)
        if not text.isdecimal() or int(text) > _MOST:
            raise ValueError(f"{text!r} stands where a whole number is expected")
        return str(int(text))
