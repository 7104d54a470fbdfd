"""Whether Go takes a regular expression: what surely is none is refused, what nobody can tell here passes.

More lenient than what labels may hold: those are written by us, these by anybody. After Go's regexp/syntax, and tried
on the real one.
"""

from __future__ import annotations

import re

_GROUP = re.compile(r"\((?:\?(?:P?<[A-Za-z0-9_]+>|[imsU]*(?:-[imsU]+)?:))?")
_FLAGS = re.compile(r"\(\?(?:[imsU]+(?:-[imsU]+)?|-[imsU]+)\)")
_REPEAT = re.compile(r"(?:[*+?]|\{([0-9]+)(?:(,)([0-9]*))?\})\??")
_SINGLE = re.compile(
    r"\\(?:x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]{1,8}\}|[1-7][0-7]{1,2}|0[0-7]{0,2}|[afnrtv]|[!-/:-@\[-`{-~])"
)
_SET = re.compile(r"\\(?:[dDsSwW]|[pP](?:[A-Z]|\{\^?\w+\}))")
_EDGE = re.compile(r"\\[AbBz]|[\^$]")
_CLASS = re.compile(r"\[:\^?(\w+):\]")
_CLASSES = frozenset(
    (
        *("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph"),
        *("lower", "print", "punct", "space", "upper", "word", "xdigit"),
    )
)
_CODES = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_LITERAL = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\[pP](?:[A-Z]|\{[^}]*\})|\\x\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[^:)]*[:)>]", re.S
)
_MOST = 1000  # copies of a piece


def regexp_fault(text: str) -> str:
    """Why Go surely does not take it; empty where it may."""
    try:
        _Reader(text).read()
    except ValueError as err:
        return f"it is no regular expression of Go's: {err}"
    return ""


def has_capitals(text: str) -> bool:
    """Whether a capital letter stands in it as itself, where small ones do not match it too."""
    if re.search(r"\(\?[msU]*i", text):
        return False
    return re.search("[A-Z]", _LITERAL.sub("", text)) is not None


class _Reader:
    """Steps over an expression; raises ValueError at what Go refuses."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.last = ""  # what a repeat would repeat: nothing, a piece, or a repeat

    def step(self, piece: re.Pattern[str]) -> re.Match[str] | None:
        found = piece.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def read(self) -> None:
        while self.at < len(self.text):
            self.piece(self.text[self.at])
        if self.depth:
            raise ValueError("a parenthesis stays open")

    def piece(self, char: str) -> None:
        if char == "(":
            self.group()
        elif char == ")":
            if not self.depth:
                raise ValueError("a parenthesis is closed that was never opened")
            self.at, self.depth, self.last = self.at + 1, self.depth - 1, "piece"
        elif char == "|":
            self.at, self.last = self.at + 1, ""
        elif found := self.step(_REPEAT):
            self.repeat(found)
        elif char == "[":
            self.characters()
        elif char == "\\":
            self.escape()
        else:
            self.at, self.last = self.at + 1, "piece"

    def group(self) -> None:
        if self.step(_FLAGS):
            return
        opened = self.step(_GROUP)
        if not opened or (opened[0] == "(" and self.text.startswith("?", self.at)):
            raise ValueError(f"{self.text[self.at - 1 :][:4]!r} is not known there")
        self.depth, self.last = self.depth + 1, ""

    def repeat(self, found: re.Match[str]) -> None:
        least, _, most = found.groups()
        if self.last != "piece":
            raise ValueError(f"{found[0]!r} repeats {self.last or 'nothing'}")
        if least and (int(least) > _MOST or (most and not int(least) <= int(most) <= _MOST)):
            raise ValueError(f"{found[0]!r} is out of range")
        self.last = "a repeat"

    def escape(self) -> None:
        if self.text.startswith("\\Q", self.at):
            end = self.text.find("\\E", self.at)
            self.at = len(self.text) if end < 0 else end + 2
        elif not (self.step(_SET) or self.step(_EDGE) or self.step(_SINGLE)):
            raise ValueError(f"{self.text[self.at :][:2]!r} is not known")
        self.last = "piece"

    def characters(self) -> None:
        self.at += 2 if self.text.startswith("[^", self.at) else 1
        first = self.at
        while not self.text.startswith("]", self.at) or self.at == first:
            if self.at >= len(self.text):
                raise ValueError("a bracket stays open")
            if named := self.step(_CLASS):
                if named[1] not in _CLASSES:
                    raise ValueError(f"{named[0]!r} is not known")
            elif not self.step(_SET):
                low = self.single()
                if self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at):
                    self.at += 1
                    if self.at < len(self.text) and self.single() < low:
                        raise ValueError(f"the range {self.text[first : self.at]!r} is upside down")
        self.at, self.last = self.at + 1, "piece"

    def single(self) -> int:
        """The code of one character of a class."""
        if not self.text.startswith("\\", self.at):
            self.at += 1
            return ord(self.text[self.at - 1])
        found = self.step(_SINGLE)
        if not found:
            raise ValueError(f"{self.text[self.at :][:2]!r} is not known there")
        inside = found[0][1:]
        if inside[0] == "x":
            return int(inside[1:].strip("{}"), 16)
        return int(inside, 8) if inside[0] in "01234567" else _CODES.get(inside, ord(inside))
