"""How texts and numbers of others are shown to people, by commands and by the page alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from bridge.labels.lookup import spot
from bridge.model.keys import Layout
from bridge.model.problem import Problem
from bridge.ownership.quarrels import HIDDEN

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

LONGEST = 200  # characters of a text of somebody else's that are shown of it


def safe(text: str) -> str:
    """`text` on one line: whoever can write to a store or on a service must not command a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def cut(text: str) -> str:
    """`text`, or what it begins with where it is long."""
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def span(seconds: float) -> str:
    """2.1 s, 4 min 59 s, 3 h 20 min, for ever."""
    if math.isinf(seconds):
        return "for ever"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(count: int, what: str) -> str:
    """1 key, 2 keys."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def shown(layout: Layout, path: str, value: str) -> str:
    """The value of the key at `path` below the prefix, or HIDDEN where it may let somebody in."""
    return HIDDEN if layout.is_secret(path, value) else value


def problems_json(problems: Iterable[Problem]) -> list[dict[str, Json]]:
    """A problem's fields under their own names."""
    return [
        {
            "service": one.service,
            "label": one.label,
            "value": one.value,
            "reason": one.reason,
            "did": one.did,
            "notice": one.notice,
            "suggestion": suggestion(one),
        }
        for one in problems
    ]


def suggestion(problem: Problem) -> str:
    """What may help: how the label is written, where nothing else is known. Empty where its text is not wrong."""
    if problem.suggestion or problem.notice:
        return problem.suggestion
    found = spot(problem.label)
    written = found.row.example if found else ""
    return f"for example {problem.label}={written}" if written not in ("", problem.value) else ""
