"""Expressions of Traefik 1.7, of circuit breakers and of retries: parsed, and written again in one canonical form.

    either    = both *( "||" both )
    both      = condition *( "&&" condition )
    condition = "(" either ")" | function [ operator literal ]

The left side is one of a few functions, the right side a literal of the function's own type: Traefik refuses an
integer where it wants a float, and then drops every frontend of the backend. Of retries, one function is a condition
by itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.labels.faults import Fault, meant, place, quoted

LENGTH = 1000  # characters
DEPTH = 20  # parentheses in parentheses
_MOST = 2**63 - 1  # of Go's int

_BLANKS = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z]+)|(?P<text>\"[^\"`\\\n]*\"|`[^`]*`)|(?P<sign>&&|\|\||[<>=!]=|[<>(),])"
)
_METHOD = re.compile(r"[A-Z]+")
_RATIO = re.compile(r"(?:NetworkErrorRatio|ResponseCodeRatio)\s*\([^)]*\)\s*[<>=!]=?\s*([0-9.eE+-]+)")
_QUANTILE = re.compile(r"LatencyAtQuantileMS\s*\(\s*([0-9.eE+-]+)")
_EQUALITIES = ("==", "!=")
_COMPARISONS = ("<", "<=", ">", ">=", *_EQUALITIES)


@dataclass(frozen=True, slots=True)
class _Function:
    """What a function is given and what it is compared with, as types of literals; None: it is a condition itself."""

    takes: tuple[type, ...]
    gives: type | None


_Functions = Mapping[str, _Function]

_BREAKER: _Functions = {
    "NetworkErrorRatio": _Function((), float),
    "ResponseCodeRatio": _Function((int, int, int, int), float),
    "LatencyAtQuantileMS": _Function((float,), int),
}
_RETRY: _Functions = {
    "Attempts": _Function((), int),
    "ResponseCode": _Function((), int),
    "IsNetworkError": _Function((), None),
    "RequestMethod": _Function((), str),
}


def breaker(text: str) -> str:
    """A circuit breaker's expression in canonical form, integers written as floats where Traefik wants floats.

    Raises ValueError, which points at the character.
    """
    return _canonical(text, _BREAKER)


def no_floats(text: str) -> tuple[str, ...]:
    """The whole numbers in a circuit breaker's expression that Traefik refuses, where it wants floats."""
    return tuple(found for found in (*_RATIO.findall(text), *_QUANTILE.findall(text)) if found.isdigit())


def retry(text: str) -> str:
    """The expression, in canonical form, that says when buffering sends a request once more; texts in back quotes.

    Raises ValueError, which points at the character.
    """
    return _canonical(text, _RETRY)


def _canonical(text: str, functions: _Functions) -> str:
    if len(text) > LENGTH:
        raise ValueError(f"it is longer than {LENGTH} characters")
    try:
        parser = _Parser(_tokens(text), functions, len(text))
        written = parser.either(DEPTH)
        if parser.left:
            raise Fault(f"{quoted(parser.left[0].text)} is not expected there", parser.left[0].at)
    except Fault as err:
        raise ValueError(f"{err.reason} {place(text, err.at)}") from err
    return written


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # a group of _TOKEN
    text: str
    at: int  # where it begins, from 0


def _tokens(text: str) -> list[_Token]:
    tokens = []
    at = _after_blanks(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise Fault(f"{text[at : at + 20].rstrip()!r} is not understood", at)
        tokens.append(_Token(found.lastgroup, found[0], at))
        at = _after_blanks(text, found.end())
    return tokens


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


class _Parser:
    """The tokens that are left. Each method takes the piece of the grammar it is named after, and writes it."""

    def __init__(self, tokens: list[_Token], functions: _Functions, end: int) -> None:
        self.left, self.functions, self.end = tokens, functions, end

    def next(self, what: str) -> _Token:
        if not self.left:
            raise Fault(f"it ends where {what} is expected", self.end)
        return self.left.pop(0)

    def meets(self, sign: str) -> bool:
        met = bool(self.left) and self.left[0].text == sign
        if met:
            self.left.pop(0)
        return met

    def sign(self, sign: str) -> None:
        found = self.next(repr(sign))
        if found.text != sign:
            raise Fault(f"{quoted(found.text)} stands where {sign!r} is expected", found.at)

    def either(self, depth: int) -> str:
        written = [self.both(depth)]
        while self.meets("||"):
            written.append(self.both(depth))
        return " || ".join(written)

    def both(self, depth: int) -> str:
        written = [self.condition(depth)]
        while self.meets("&&"):
            written.append(self.condition(depth))
        return " && ".join(written)

    def condition(self, depth: int) -> str:
        if self.left and self.left[0].text == "(":
            return self.group(depth)
        name = self.next("a function")
        function = self.functions.get(name.text)
        if not function:
            near = meant(name.text, self.functions)
            write = f" (write {near})" if near else ""
            raise Fault(f"{quoted(name.text)} is none of {', '.join(self.functions)}{write}", name.at)
        written = f"{name.text}({self.arguments(function.takes)})"
        if function.gives is None:
            return written
        return f"{written} {self.comparison(function.gives)} {self.literal(function.gives)}"

    def group(self, depth: int) -> str:
        opened = self.next("'('")
        if depth == 0:
            raise Fault(f"it has more than {DEPTH} parentheses in parentheses", opened.at)
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

    def comparison(self, wanted: type) -> str:
        known = _EQUALITIES if wanted is str else _COMPARISONS
        found = self.next("a comparison")
        if found.text not in known:
            raise Fault(f"{quoted(found.text)} is none of the comparisons {' '.join(known)}", found.at)
        return found.text

    def literal(self, wanted: type) -> str:
        if wanted is str:
            return self.method()
        found = self.next("a number")
        if found.kind != "number":
            raise Fault(f"{quoted(found.text)} stands where a number is expected", found.at)
        if wanted is float:
            number = float(found.text)
            if not math.isfinite(number):
                raise Fault(f"{quoted(found.text)} is too large", found.at)
            return repr(number)
        if not found.text.isdecimal() or int(found.text) > _MOST:
            raise Fault(f"{quoted(found.text)} stands where a whole number is expected", found.at)
        return str(int(found.text))

    def method(self) -> str:
        found = self.next("a method in quotes")
        if found.kind != "text":
            raise Fault(f"{quoted(found.text)} stands where a method in quotes is expected", found.at)
        if not _METHOD.fullmatch(found.text[1:-1]):
            raise Fault(f"{quoted(found.text)} is no method of HTTP, whose letters are capitals", found.at)
        return f"`{found.text[1:-1]}`"
