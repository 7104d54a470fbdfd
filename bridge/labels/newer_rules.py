"""Rules of Traefik 2 and 3, which are written alike, as trees of matchers.

    rule = all *( "||" all )
    all  = one *( "&&" one )
    one  = "!" one | "(" rule ")" | matcher "(" text *( "," text ) [ "," ] ")"

Traefik reads a rule as an expression of Go: with its two kinds of text, its comments, and line ends only where Go would
not end a statement there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from bridge.labels.faults import Fault, place

DEPTH = 100  # parentheses in parentheses; keeps our own recursion short

_TOKEN = re.compile(
    r"(?P<blank>[ \t\r]+|/\*.*?\*/)|(?P<end>\n|//[^\n]*)|(?P<name>[^\W\d]\w*)"
    r"|(?P<raw>`[^`]*`)|(?P<text>\"(?:[^\"\\\n]|\\.)*\")|(?P<sign>&&|\|\||[!(),])",
    re.S,
)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|([0-7]{3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.S
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Call:
    """One matcher with its values."""

    name: str
    values: tuple[str, ...]
    at: int  # where it begins
    negated: bool  # by all that stands around it


@dataclass(frozen=True, slots=True)
class Not:
    """What does not match."""

    of: Tree


@dataclass(frozen=True, slots=True)
class All:
    """All must match."""

    of: tuple[Tree, ...]  # at least two


@dataclass(frozen=True, slots=True)
class Any:
    """One must match."""

    of: tuple[Tree, ...]  # at least two


Tree: TypeAlias = Call | Not | All | Any


def parse_tree(text: str) -> Tree:
    """A rule as a tree. Raises ValueError, which points at the character."""
    try:
        parser = _Parser(_tokens(text), len(text))
        tree = parser.rule(DEPTH, negated=False)
        if parser.left:
            raise Fault(f"{parser.left[-1].text!r} is not expected there", parser.left[-1].at)
    except Fault as err:
        raise ValueError(f"{err.reason} {place(text, err.at)}") from err
    return tree


def parse(text: str) -> tuple[Call, ...]:
    """All matchers of a rule, in its order. Raises ValueError as `parse_tree`."""
    return tuple(calls(parse_tree(text)))


def calls(tree: Tree) -> Iterator[Call]:
    """All matchers of a tree, in its order."""
    match tree:
        case Call():
            yield tree
        case Not(of):
            yield from calls(of)
        case All(of) | Any(of):
            for one in of:
                yield from calls(one)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # a group of _TOKEN
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    """Raises Fault."""
    tokens = list[_Token]()
    at, ended = 0, False
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise Fault(f"{text[at : at + 10]!r} is not understood", at)
        kind = found.lastgroup
        if kind == "end" or (kind == "blank" and "\n" in found[0]):
            ended = bool(tokens and (tokens[-1].kind != "sign" or tokens[-1].text == ")"))
        elif kind != "blank":
            if ended:
                raise Fault("the line ends before it", at)
            tokens.append(_Token(kind, found[0], at))
        at = found.end()
    return tokens


class _Parser:
    """The tokens that are left. Each method takes what it is named after."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self.left, self.end = tokens[::-1], end

    def next(self, what: str) -> _Token:
        if not self.left:
            raise Fault(f"it ends where {what} is expected", self.end)
        return self.left.pop()

    def meets(self, sign: str) -> bool:
        met = bool(self.left) and self.left[-1].text == sign
        if met:
            self.left.pop()
        return met

    def sign(self, sign: str) -> None:
        found = self.next(repr(sign))
        if found.text != sign:
            raise Fault(f"{found.text!r} stands where {sign!r} is expected", found.at)

    def rule(self, depth: int, negated: bool) -> Tree:
        found = [self.all(depth, negated)]
        while self.meets("||"):
            found.append(self.all(depth, negated))
        return found[0] if len(found) == 1 else Any(tuple(found))

    def all(self, depth: int, negated: bool) -> Tree:
        found = [self.one(depth, negated)]
        while self.meets("&&"):
            found.append(self.one(depth, negated))
        return found[0] if len(found) == 1 else All(tuple(found))

    def one(self, depth: int, negated: bool) -> Tree:
        token = self.next("a matcher")
        if depth == 0:
            raise Fault(f"it has more than {DEPTH} parentheses in parentheses", token.at)
        if token.text == "!":
            return Not(self.one(depth - 1, not negated))
        if token.text == "(":
            found = self.rule(depth - 1, negated)
            self.sign(")")
            return found
        if token.kind != "name":
            raise Fault(f"{token.text!r} stands where a matcher is expected", token.at)
        self.sign("(")
        return Call(token.text, tuple(self.texts()), token.at, negated)

    def texts(self) -> Iterator[str]:
        while not self.meets(")"):
            token = self.next("a text in quotes")
            if token.kind == "raw":
                yield token.text[1:-1].replace("\r", "")
            elif token.kind == "text":
                yield _ESCAPE.sub(_unescaped, token.text[1:-1])
            else:
                raise Fault(f"{token.text!r} stands where a text in quotes is expected", token.at)
            if not self.meets(","):
                self.sign(")")
                return


def _unescaped(found: re.Match[str]) -> str:
    plain, octal, *codes, other = found.groups()
    if other is not None:
        raise Fault(f"{found[0]!r} escapes nothing", 0)
    code = int(octal, 8) if octal else next((int(code, 16) for code in codes if code), 0)
    if code > 0x10FFFF:
        raise Fault(f"{found[0]!r} is no character", 0)
    return _PLAIN.get(plain, plain) if plain else chr(code)
