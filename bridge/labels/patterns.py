"""Patterns in rules: literal text with `{name:expression}` parts, the expressions held to Go's RE2.

Traefik 1.7 says nothing of a pattern that does not compile: its frontend just never matches. So what is not surely
good is refused here. Syntax after the documentation of Go's regexp/syntax; how braces are found after Traefik's
router, which counts them and knows no escape.
"""

from __future__ import annotations

import re

from bridge.labels.faults import Fault

DEPTH = 20  # groups in groups; keeps our own recursion short
REPEAT_LIMIT = 1000  # RE2 refuses more copies of one piece, counted through all groups around it

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SINGLE = r"\\(?:x[0-9A-Fa-f]{2}|[aftnrv]|[!-/:-@\[-`{-~])"  # an escape that stands for one character
_SET = r"\\[dDsSwW]"
_ANCHOR = re.compile(r"[\^$]|\\[bBAz]")
_ATOM = re.compile(rf"[^\\.+*?()|\[\]{{}}^$]|\.|{_SET}|{_SINGLE}")
_GROUP = re.compile(r"\((?:\?[is]{0,2}:|(?!\?))")
_REPEAT = re.compile(r"(?:[*+?]|\{(?P<count>[0-9]{1,4})(?:,(?P<most>[0-9]{0,4}))?\})\??")
_CLASS_ITEM = re.compile(
    r"\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]"
    rf"|{_SET}"
    rf"|(?P<low>[^\\\[\]]|{_SINGLE})(?:-(?P<high>[^\\\[\]]|{_SINGLE})|(?!-[^\]]))"
)
_CODES = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}


def split_pattern(text: str) -> tuple[str, ...]:
    """Literals at even places, what stands between braces at odd ones; each of the latter is checked.

    Raises Fault.
    """
    pieces, depth, begin, opened = [], 0, 0, 0
    for at, char in enumerate(text):
        if char == "{":
            if depth == 0:
                pieces.append(text[begin:at])
                begin, opened = at + 1, at
            depth += 1
        elif char == "}":
            depth -= 1
            if depth < 0:
                opened = at
                break
            if depth == 0:
                _check_variable(text[begin:at], begin)
                pieces.append(text[begin:at])
                begin = at + 1
    if depth:
        raise Fault("its braces do not pair", opened)
    return (*pieces, text[begin:])


def variables(text: str) -> tuple[str, ...]:
    """The names in the braces of a pattern, in order. Raises Fault."""
    return tuple(inside.partition(":")[0] for inside in split_pattern(text)[1::2])


def _check_variable(inside: str, begin: int) -> None:
    """Of a pattern in which `inside` begins at `begin`."""
    name, colon, expression = inside.partition(":")
    if not _NAME.fullmatch(name) or (colon and not expression):
        raise Fault("braces must hold {name} or {name:expression}", begin)
    try:
        check_expression(expression)
    except Fault as err:
        raise Fault(err.reason, begin + len(name) + 1 + err.at) from err


def check_expression(text: str) -> None:
    """Raises Fault unless `text` is surely a regular expression that RE2 takes."""
    cursor = _Cursor(text)
    cursor.alternation(DEPTH)
    if cursor.at < len(text):
        cursor.fail()


class _Cursor:
    """A place in an expression. Each method steps over what it is named after, or raises Fault.

    alternation = concatenation *( "|" concatenation ); concatenation = *( anchor | atom [ repeat ] )
    atom = character | escape | "." | class | group; each answers how many copies of a piece it asks for.
    """

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def fail(self) -> None:
        raise Fault(f"its regular expression is wrong, or none of RE2's, at {self.text[self.at :][:20]!r}", self.at)

    def step(self, piece: re.Pattern[str]) -> re.Match[str] | None:
        found = piece.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def meets(self, char: str) -> bool:
        met = self.text.startswith(char, self.at)
        self.at += met
        return met

    def alternation(self, depth: int) -> int:
        copies = self.concatenation(depth)
        while self.meets("|"):
            copies = max(copies, self.concatenation(depth))
        return copies

    def concatenation(self, depth: int) -> int:
        most = 1
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            if self.step(_ANCHOR):
                continue  # a repeat behind it finds no atom, and is refused as one
            copies = self.atom(depth)
            repeat = self.step(_REPEAT)
            if repeat and repeat["count"]:
                least, most_of_it = int(repeat["count"]), int(repeat["most"] or repeat["count"])
                if most_of_it < least:
                    raise Fault(f"the repeat {repeat[0]!r} in its regular expression is upside down", repeat.start())
                copies *= max(1, most_of_it)
            if copies > REPEAT_LIMIT:
                raise Fault(f"its regular expression repeats a piece more than {REPEAT_LIMIT} times", self.at)
            most = max(most, copies)
        return most

    def atom(self, depth: int) -> int:
        if self.text[self.at] == "[":
            self.character_class()
        elif self.step(_GROUP):
            if depth == 0:
                raise Fault(f"its regular expression has more than {DEPTH} groups in groups", self.at)
            copies = self.alternation(depth - 1)
            if not self.meets(")"):
                self.fail()
            return copies
        elif not self.step(_ATOM):
            self.fail()
        return 1

    def character_class(self) -> None:
        begin = self.at
        self.at += 2 if self.text.startswith("[^", self.at) else 1
        first = self.at
        while item := self.step(_CLASS_ITEM):
            if item["high"] and _code(item["low"]) > _code(item["high"]):
                raise Fault(f"the range {item[0]!r} in its regular expression is upside down", item.start())
        if self.at == first or not self.meets("]"):
            self.at = begin
            self.fail()


def _code(char: str) -> int:
    """The code point of one character of a class, written plainly or as an escape."""
    if not char.startswith("\\") or len(char) == 1:
        return ord(char)
    return int(char[2:], 16) if char[1] == "x" and len(char) == 4 else _CODES.get(char[1], ord(char[1]))
