"""The default rule of Traefik 2's Rancher provider: a template of Go, as far as its documentation uses it.

    template = *( text | "{{" action "}}" )
    action   = pipeline | "if" pipeline … [ "else" [ "if" … ] … ] "end" | comment
    pipeline = command *( "|" command )
    command  = [ "normalize" | "index" ".Labels" ] operand
    operand  = ".Name" | text in quotes | "(" pipeline ")"

Go would take more, and fail when it fills it in; here that is said when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from bridge.labels.faults import Fault, place

OPENS = "{{"

_DEPTH = 50  # of if in if, and of parentheses
_TOKEN = re.compile(
    r"(?P<close>(?:\s+-)?\}\})|(?P<blank>\s+)|(?P<comment>/\*.*?\*/)|(?P<raw>`[^`]*`)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\[\"\\])*\")|(?P<field>\.[A-Za-z_][\w.]*)|(?P<word>[A-Za-z_]\w*)|(?P<sign>[|()])",
    re.S,
)
_ESCAPED = re.compile(r"\\(.)")
_RUNS = re.compile(r"[^\W_]+")
_KNOWN = 'use .Name, index .Labels "a-label", normalize, if, else and end'


@dataclass(frozen=True, slots=True)
class _Name:
    """The service's name."""


@dataclass(frozen=True, slots=True)
class _Label:
    """What the label of this name says; empty where the service lacks it."""

    name: str


@dataclass(frozen=True, slots=True)
class _Normalized:
    """Without what a host's name cannot hold."""

    of: _Value


@dataclass(frozen=True, slots=True)
class _If:
    """One of two pieces: the first where something is not empty."""

    of: _Value
    then: tuple[_Piece, ...]
    otherwise: tuple[_Piece, ...]


_Value: TypeAlias = str | _Name | _Label | _Normalized
_Piece: TypeAlias = _Value | _If


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was understood."""

    pieces: tuple[_Piece, ...]
    names: frozenset[str]  # of the labels that it looks at

    def filled(self, name: str, labels: Mapping[str, str]) -> str:
        """The text for one service; `name`: as `automatic_name`."""
        return "".join(_written(self.pieces, name, labels)).strip()


def automatic_name(service: str, stack: str) -> str:
    """Of the router and the service that no label names, and in default rules."""
    return f"{service}_{stack}".lower()


def normalized(name: str) -> str:
    """As in the default rule of Traefik 2's provider: what is neither letter nor digit becomes one dash."""
    return "-".join(_RUNS.findall(name))


@lru_cache
def template(text: str) -> Template:
    """Raises ValueError, which points at the character."""
    try:
        parser = _Parser(text)
        pieces = parser.pieces(0)
        if parser.ended:
            raise Fault(f"{parser.ended} without an if", parser.at)
    except Fault as err:
        raise ValueError(f"{err.reason} {place(text, err.at)}") from err
    return Template(tuple(pieces), frozenset(parser.names))


def _written(pieces: tuple[_Piece, ...], name: str, labels: Mapping[str, str]) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, _If):
            yield from _written(piece.then if _value(piece.of, name, labels) else piece.otherwise, name, labels)
        else:
            yield _value(piece, name, labels)


def _value(of: _Value, name: str, labels: Mapping[str, str]) -> str:
    match of:
        case str():
            return of
        case _Name():
            return name
        case _Label(label):
            return labels.get(label, "")
        case _Normalized(inner):
            return normalized(_value(inner, name, labels))


class _Parser:
    """A place in a template. Each method takes what it is named after, or raises Fault."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.names = set[str]()
        self.trims = False  # blanks at the beginning of what comes
        self.ended = ""  # by which word the last pieces did

    def pieces(self, depth: int) -> list[_Piece]:
        """Up to an end or an else, or to the end of all."""
        if depth > _DEPTH:
            raise Fault(f"it has more than {_DEPTH} ifs in ifs", self.at)
        found, self.ended = list[_Piece](), ""
        while not self.ended:
            opens = self.text.find(OPENS, self.at)
            text = self.text[self.at :] if opens < 0 else self.text[self.at : opens]
            text = text.lstrip() if self.trims else text
            if opens < 0:
                self.at = len(self.text)
                return [*found, text] if text else found
            self.at = opens + len(OPENS)
            if re.match(r"-\s", self.text[self.at :][:2]):
                self.at, text = self.at + 1, text.rstrip()
            if text:
                found.append(text)
            self.action(found, depth)
        return found

    def action(self, found: list[_Piece], depth: int) -> None:
        """One between double braces."""
        begin, (kind, text) = self.at, self.peek()
        if kind == "comment":
            self.next()
            self.close()
        elif text == "if":
            self.next()
            found.append(self.choice(depth, begin))
        elif text in ("else", "end"):
            self.next()
            self.ended = text
            if text == "end":
                self.close()
        else:
            found.append(self.pipeline(0))
            self.close()

    def choice(self, depth: int, begin: int) -> _If:
        """Behind an `if`, with its `end`."""
        of = self.pipeline(0)
        self.close()
        then, otherwise = tuple(self.pieces(depth + 1)), tuple[_Piece, ...]()
        if self.ended == "else":
            if self.peek()[1] == "if":
                self.next()
                otherwise = (self.choice(depth + 1, begin),)
                return _If(of, then, otherwise)
            self.close()
            otherwise = tuple(self.pieces(depth + 1))
        if self.ended != "end":
            raise Fault("an if has no end", begin)
        self.ended = ""
        return _If(of, then, otherwise)

    def pipeline(self, depth: int) -> _Value:
        value = self.command(None, depth)
        while self.peek()[1] == "|":
            self.next()
            value = self.command(value, depth)
        return value

    def command(self, piped: _Value | None, depth: int) -> _Value:
        """`piped`: what stands before the last bar, which is its last operand."""
        begin, (kind, text) = self.at, self.peek()
        if kind == "word" and text == "normalize":
            self.next()
            return _Normalized(self.operand(depth) if piped is None else piped)
        if kind == "word" and text == "index":
            self.next()
            if self.next() != ("field", ".Labels"):
                raise Fault(f"index is known of .Labels alone; {_KNOWN}", begin)
            label = self.operand(depth) if piped is None else piped
            if not isinstance(label, str):
                raise Fault(f"which label is meant must be said in quotes; {_KNOWN}", begin)
            self.names.add(label)
            return _Label(label)
        if piped is not None:
            raise Fault(f"{text!r} is no function that is known here; {_KNOWN}", begin)
        return self.operand(depth)

    def operand(self, depth: int) -> _Value:
        if depth > _DEPTH:
            raise Fault(f"it has more than {_DEPTH} parentheses in parentheses", self.at)
        begin, (kind, text) = self.at, self.next()
        if text == "(":
            value = self.pipeline(depth + 1)
            if self.next()[1] != ")":
                raise Fault("a parenthesis stays open", begin)
            return value
        if kind == "raw":
            return text[1:-1]
        if kind == "text":
            return _ESCAPED.sub(r"\1", text[1:-1])
        if text == ".Name":
            return _Name()
        raise Fault(f"{text!r} is not known here; {_KNOWN}", begin)

    # Tokens.

    def close(self) -> None:
        begin, (kind, text) = self.at, self.next()
        if kind != "close":
            raise Fault(f"{text!r} is not known here; {_KNOWN}", begin)
        self.trims = text.endswith("-}}")

    def peek(self) -> tuple[str, str]:
        at = self.at
        found = self.next()
        self.at = at
        return found

    def next(self) -> tuple[str, str]:
        """The kind of the next one, and its text."""
        while found := _TOKEN.match(self.text, self.at):
            self.at = found.end()
            if found.lastgroup and found.lastgroup != "blank":
                return found.lastgroup, found[0]
        if self.at == len(self.text):
            raise Fault("double braces stay open", self.text.rfind(OPENS))
        raise Fault(f"{self.text[self.at :][:10]!r} is not known here; {_KNOWN}", self.at)
