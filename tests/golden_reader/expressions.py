"""Expressions of circuit breakers and of retries: which are taken, and when a breaker's holds."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

Number = int | float
Measure = Callable[[str, tuple[Number, ...]], Number]  # what a function of the expression has measured
Condition = Callable[[Measure], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<float>[0-9]+\.[0-9]*|\.[0-9]+) | (?P<int>[0-9]+) | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>"[^"\n]*"|`[^`]*`) | (?P<sign>&&|\|\||[<>=!]=|[<>(),])
    )""",
    re.VERBOSE,
)
_COMPARISONS: dict[str, Callable[[Number, Number], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Function:
    """What it takes and what its value is compared with, as kinds of literals; none: it is the condition itself."""

    takes: tuple[str, ...]
    compares: str = ""


BREAKER = {
    "NetworkErrorRatio": Function((), "float"),
    "ResponseCodeRatio": Function(("int",) * 4, "float"),
    "LatencyAtQuantileMS": Function(("float",), "int"),
}
RETRY = {
    "Attempts": Function((), "int"),
    "ResponseCode": Function((), "int"),
    "RequestMethod": Function((), "text"),
    "IsNetworkError": Function(()),
}


@functools.cache
def breaker(text: str) -> Condition:
    """Raises ValueError where Traefik does not take it."""
    return _Parser(text, BREAKER).whole()


@functools.cache
def check_retry(text: str) -> None:
    """Raises ValueError where Traefik does not take it."""
    _Parser(text, RETRY).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


class _Parser:
    def __init__(self, text: str, functions: dict[str, Function]) -> None:
        self._functions = functions
        self._tokens: list[_Token] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if not found or not found.lastgroup:
                raise ValueError(f"{text[at:]!r} is no part of an expression")
            self._tokens.append(_Token(found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._tokens.append(_Token("end", ""))

    def whole(self) -> Condition:
        """whole = either, end."""
        condition = self._either()
        self._expect("end")
        return condition

    def _either(self) -> Condition:
        """either = both, {"||", both}."""
        left = self._both()
        while self._accept("||"):
            left = _or(left, self._both())
        return left

    def _both(self) -> Condition:
        """both = single, {"&&", single}."""
        left = self._single()
        while self._accept("&&"):
            left = _and(left, self._single())
        return left

    def _single(self) -> Condition:
        """single = "(", either, ")" | function, [comparison, literal]."""
        if self._accept("("):
            inner = self._either()
            self._expect("sign", ")")
            return inner
        name = self._expect("name").text
        if name not in self._functions:
            raise ValueError(f"unsupported function: {name}")
        function = self._functions[name]
        arguments = self._arguments(function.takes)
        if not function.compares:
            return _holds(name)
        sign = self._expect("sign").text
        if sign not in _COMPARISONS or (function.compares == "text" and sign not in ("==", "!=")):
            raise ValueError(f"{sign!r} compares nothing with {name}")
        literal = self._expect(function.compares).text
        wanted = 0 if function.compares == "text" else _number(literal)
        return _compared(name, arguments, _COMPARISONS[sign], wanted)

    def _arguments(self, takes: tuple[str, ...]) -> tuple[Number, ...]:
        self._expect("sign", "(")
        found = []
        for at, kind in enumerate(takes):
            if at:
                self._expect("sign", ",")
            found.append(_number(self._expect(kind).text))
        self._expect("sign", ")")
        return tuple(found)

    def _accept(self, sign: str) -> bool:
        if self._tokens[0] != _Token("sign", sign):
            return False
        self._tokens.pop(0)
        return True

    def _expect(self, kind: str, text: str | None = None) -> _Token:
        token = self._tokens.pop(0)
        if token.kind != kind or (text is not None and token.text != text):
            raise ValueError(f"expected {text or kind}, found {token.text!r}")
        return token


def _number(text: str) -> Number:
    return float(text) if "." in text else int(text)


def _or(left: Condition, right: Condition) -> Condition:
    return lambda measure: left(measure) or right(measure)


def _and(left: Condition, right: Condition) -> Condition:
    return lambda measure: left(measure) and right(measure)


def _holds(name: str) -> Condition:
    return lambda measure: bool(measure(name, ()))


def _compared(
    name: str, arguments: tuple[Number, ...], compare: Callable[[Number, Number], bool], wanted: Number
) -> Condition:
    return lambda measure: compare(measure(name, arguments), wanted)
