"""How a parser says what is wrong with a text: the reason, the character, and what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 80  # characters of a text that an error repeats
NAME_LIMIT = 40  # characters of a word that may be a slip for a name


class Fault(ValueError):
    """What is wrong with a text that somebody else holds, and at which of its characters."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason, self.at = reason, at  # at: counted from 0


def place(text: str, at: int) -> str:
    """`at character 7 of 'Host(a.local)'`, counted from 1; of a long text only what stands around the character."""
    begin = max(0, min(at - SHOWN // 2, len(text) - SHOWN))
    end = begin + SHOWN
    shown = ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")
    return f"at character {at + 1} of {shown!r}"


def quoted(text: str) -> str:
    """A piece of a text in quotes, cut where it is long."""
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


def meant(word: str, names: Iterable[str]) -> str:
    """The name that `word` is in another case, or nearly is; empty: none."""
    known = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), known, 1) if len(word) <= NAME_LIMIT else []
    return known[near[0]] if near else ""
