"""Go's regular expressions, asked whether they match anywhere in a text: in a time linear in its length, as in Go.

Python's own would read some of them otherwise (`$`, `\\s`, `\\w`), and may search for hours: who may set a label would
stop the bridge. So an expression becomes a list of steps, and all places where a match may stand go through the text
side by side. What is not known here is refused, never guessed: classes of Unicode (`\\pL`), `\\Q…\\E`, `\\C`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from bridge.labels.faults import Fault, place

MOST = 2000  # steps of an expression
_COPIES = 1000  # of a piece, as in Go
_DEPTH = 50  # groups in groups
_KEPT = 1000  # answers, so that no text takes more memory than that

Ranges = tuple[tuple[int, int], ...]  # of code points, both ends included

_LAST = 0x10FFFF
_SETS: dict[str, Ranges] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 10), (12, 13), (32, 32)),
}
_POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": ((48, 57),),
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _SETS["w"],
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_CODES = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_SINGLE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|([aftnrv])|([!-/:-@\[-`{-~]))")
_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_SET = re.compile(r"\\([dDsSwW])")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_NAMED = re.compile(r"\(\?P?<[A-Za-z0-9_]+>")
_REPEAT = re.compile(r"(?:([*+?])|\{([0-9]{1,9})(?:(,)([0-9]{0,9}))?\})\??")
_REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


@dataclass(frozen=True, slots=True)
class _Chars:
    """One character of these, or in another case where that does not matter."""

    ranges: Ranges
    folds: bool

    def holds(self, char: str) -> bool:
        forms = {char, char.lower(), char.upper()} if self.folds else (char,)
        codes = [ord(form) for form in forms if len(form) == 1]
        return any(low <= code <= high for low, high in self.ranges for code in codes)


@dataclass(frozen=True, slots=True)
class _Edge:
    """No character, but what stands around: of the text (A, z), of a line (^, $), of a word (b), or not of one (B)."""

    kind: str


@dataclass(frozen=True, slots=True)
class _Split:
    """Go on at each of these places, as far from here."""

    to: tuple[int, ...]


_Step = _Chars | _Edge | _Split


@dataclass(frozen=True, slots=True)
class Regexp:
    """An expression; `steps` are gone through from the first, and behind the last it has matched."""

    steps: tuple[_Step, ...]

    def found_in(self, text: str) -> bool:
        """Whether it matches somewhere in the text."""
        known: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        at, places = 0, self._reached((0,), text, 0)
        while len(self.steps) not in places and at < len(text):
            key = (places, text[at])
            if key not in known:
                if len(known) == _KEPT:
                    known.clear()
                known[key] = frozenset(
                    one + 1 for one in places if isinstance(step := self.steps[one], _Chars) and step.holds(text[at])
                )
            at += 1
            places = self._reached((0, *known[key]), text, at)
        return len(self.steps) in places

    def _reached(self, places: Iterable[int], text: str, at: int) -> frozenset[int]:
        """Where one may be without another character."""
        left, seen = list(places), set[int]()
        while left:
            one = left.pop()
            if one in seen:
                continue
            seen.add(one)
            step = self.steps[one] if one < len(self.steps) else None
            if isinstance(step, _Split):
                left += (one + by for by in step.to)
            elif isinstance(step, _Edge) and _is_edge(step.kind, text, at):
                left.append(one + 1)
        return frozenset(seen)


def _is_edge(kind: str, text: str, at: int) -> bool:
    match kind:
        case "A":
            return at == 0
        case "z":
            return at == len(text)
        case "^":
            return at == 0 or text[at - 1] == "\n"
        case "$":
            return at == len(text) or text[at] == "\n"
    before, behind = text[at - 1 : at] in _WORD, text[at : at + 1] in _WORD
    return (before != behind) is (kind == "b")


@lru_cache
def regexp(text: str) -> Regexp:
    """The expression. Raises ValueError, which points at the character, where Go or this module does not take it."""
    reader = _Reader(text)
    try:
        steps = reader.alternation(_Flags(), 0)
        if reader.at < len(text):
            raise Fault("a parenthesis is closed that was never opened", reader.at)
    except Fault as err:
        raise ValueError(f"{err.reason} {place(text, err.at)}") from err
    return Regexp(tuple(steps))


# Reading.


@dataclass(slots=True)
class _Flags:
    """What holds from a place on, up to the end of its group."""

    folds: bool = False  # i
    lines: bool = False  # m
    all: bool = False  # s

    def changed(self, on: str, off: str) -> _Flags:
        """Whether a match is as short as can be (U) decides nothing here."""
        said = (("i", self.folds), ("m", self.lines), ("s", self.all))
        return _Flags(*((flag in on or now) and flag not in off for flag, now in said))


class _Reader:
    """A place in an expression. Each method steps over what it is named after, or raises Fault; it gives the steps."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def step(self, piece: re.Pattern[str]) -> re.Match[str] | None:
        found = piece.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def meets(self, sign: str) -> bool:
        met = self.text.startswith(sign, self.at)
        self.at += len(sign) * met
        return met

    def alternation(self, flags: _Flags, depth: int) -> list[_Step]:
        flags = flags.changed("", "")  # a flag inside holds until the group ends
        found = [self.concatenation(flags, depth)]
        while self.meets("|"):
            found.append(self.concatenation(flags, depth))
        return self._bounded(_either(found))

    def concatenation(self, flags: _Flags, depth: int) -> list[_Step]:
        steps = list[_Step]()
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            begin = self.at
            piece = self.piece(flags, depth)
            if piece is None:
                continue
            if repeat := self.step(_REPEAT):
                piece = self._repeated(piece, repeat)
                if self.at < len(self.text) and _REPEAT.match(self.text, self.at):
                    raise Fault("a repeat is repeated", self.at)
            steps = self._bounded([*steps, *piece], begin)
        return steps

    def _bounded(self, steps: list[_Step], at: int = 0) -> list[_Step]:
        if len(steps) > MOST:
            raise Fault(f"it comes to more than {MOST} steps", at)
        return steps

    def _repeated(self, piece: Sequence[_Step], repeat: re.Match[str]) -> list[_Step]:
        sign, count, comma, limit = repeat.groups()
        least, most = _REPEATS[sign] if sign else (int(count), int(limit) if limit else None if comma else int(count))
        if max(least, most or 0) > _COPIES or (most is not None and most < least):
            raise Fault(f"{repeat[0]!r} is out of range", repeat.start())
        if len(piece) * max(least, most or 0, 1) > MOST:
            raise Fault(f"it comes to more than {MOST} steps", repeat.start())
        steps = [*piece] * least
        if most is None:
            return [*steps, _Split((1, len(piece) + 2)), *piece, _Split((-len(piece) - 1,))]
        for _ in range(most - least):
            steps += (_Split((1, len(piece) + 1)), *piece)
        return steps

    def piece(self, flags: _Flags, depth: int) -> Sequence[_Step] | None:
        """None where it is flags alone."""
        char = self.text[self.at]
        if char == "(":
            return self.group(flags, depth)
        if char == "[":
            return (self.characters(flags),)
        if char == "\\":
            return (self.escape(flags),)
        if char in "*+?" or _REPEAT.match(self.text, self.at):
            raise Fault(f"{char!r} repeats nothing", self.at)
        self.at += 1
        match char:
            case ".":
                return (_Chars(((0, _LAST),) if flags.all else _others(((10, 10),)), folds=False),)
            case "^":
                return (_Edge("^" if flags.lines else "A"),)
            case "$":
                return (_Edge("$" if flags.lines else "z"),)
        return (_Chars(((ord(char), ord(char)),), flags.folds),)

    def group(self, flags: _Flags, depth: int) -> list[_Step] | None:
        begin, inside = self.at, flags
        if depth == _DEPTH:
            raise Fault(f"it has more than {_DEPTH} groups in groups", begin)
        if found := self.step(_FLAGS):
            inside = flags.changed(found[1], found[2] or "")
            if found[3] == ")":
                flags.folds, flags.lines, flags.all = inside.folds, inside.lines, inside.all
                return None
        elif not self.step(_NAMED):
            if self.text.startswith("(?", begin):
                raise Fault("this kind of group is not known", begin)
            self.at += 1
        steps = self.alternation(inside, depth + 1)
        if not self.meets(")"):
            raise Fault("a parenthesis stays open", begin)
        return steps

    def escape(self, flags: _Flags) -> _Step:
        if found := self.step(_SET):
            return _Chars(_set(found[1]), folds=False)
        if self.text[self.at + 1 : self.at + 2] in ("A", "z", "b", "B"):
            self.at += 2
            return _Edge(self.text[self.at - 1])
        code = self.single()
        return _Chars(((code, code),), flags.folds)

    def single(self) -> int:
        """The code of one character."""
        if not self.text.startswith("\\", self.at):
            self.at += 1
            return ord(self.text[self.at - 1])
        found = self.step(_SINGLE)
        code = _LAST + 1
        if found:
            two, more, letter, sign = found.groups()
            code = int(two or more, 16) if two or more else _CODES[letter] if letter else ord(sign)
        if code > _LAST:
            raise Fault(f"{self.text[self.at :][:2]!r} is not known", self.at)
        return code

    def characters(self, flags: _Flags) -> _Chars:
        begin, ranges = self.at, list[tuple[int, int]]()
        negated = self.text.startswith("[^", self.at)
        self.at += 1 + negated
        first = self.at
        while not self.text.startswith("]", self.at) or self.at == first:
            if self.at >= len(self.text):
                raise Fault("a bracket stays open", begin)
            if found := self.step(_CLASS):
                if found[2] not in _POSIX:
                    raise Fault(f"{found[0]!r} is not known", found.start())
                ranges += _others(_POSIX[found[2]]) if found[1] else _POSIX[found[2]]
            elif found := self.step(_SET):
                ranges += _set(found[1])
            else:
                ranges.append(self.range())
        self.at += 1
        folded = [*ranges, *_folded(ranges)] if flags.folds else ranges
        return _Chars(_others(folded) if negated else tuple(folded), folds=False)

    def range(self) -> tuple[int, int]:
        begin, low = self.at, self.single()
        if not self.text.startswith("-", self.at) or self.text.startswith("-]", self.at):
            return low, low
        self.at += 1
        if self.at >= len(self.text):
            raise Fault("a bracket stays open", begin)
        high = self.single()
        if high < low:
            raise Fault(f"the range {self.text[begin : self.at]!r} is upside down", begin)
        return low, high


def _either(found: Sequence[list[_Step]]) -> list[_Step]:
    """The steps of one of these: each but the last ends with a way to the end of all."""
    steps = found[-1]
    for one in reversed(found[:-1]):
        steps = [_Split((1, len(one) + 2)), *one, _Split((len(steps) + 1,)), *steps]
    return steps


def _set(letter: str) -> Ranges:
    ranges = _SETS[letter.lower()]
    return _others(ranges) if letter.isupper() else ranges


def _others(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """All characters that are in none of the ranges."""
    merged = [(-1, -1), *sorted(ranges), (_LAST + 1, _LAST + 1)]
    found, end = list[tuple[int, int]](), -1
    for (_, high), (low, _) in pairwise(merged):
        end = max(end, high)
        if low > end + 1:
            found.append((end + 1, low - 1))
    return tuple(found)


def _folded(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The letters of ASCII among them in their other case."""
    for low, high in ranges:
        for begin, end, by in ((65, 90, 32), (97, 122, -32)):
            if max(low, begin) <= min(high, end):
                yield max(low, begin) + by, min(high, end) + by
