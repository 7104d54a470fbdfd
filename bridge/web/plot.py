"""The last hour as two small plots: how long passes took, and how many keys they wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HOUR = 3600.0  # seconds
WIDTH, HEIGHT = 300, 48  # units of the picture
BARS = 60  # one a minute


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute in which something was written or failed."""

    x: float
    y: float
    width: float
    height: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """Ready to be drawn."""

    bars: tuple[Bar, ...]  # the oldest first
    most: float  # what the tallest bar stands for
    passes: int
    failed: int


def plot(hour: Sequence[Mapping[str, float]], of: str, at: float) -> Plot:
    """`of`: seconds, of which a minute's longest counts, or keys, which are summed. `at`: the right end.

    `hour`: passes with `at`, `seconds`, `keys` and `failed`.
    """
    minutes: dict[int, list[Mapping[str, float]]] = {}
    for one in hour:
        minute = int((at - one["at"]) // (HOUR / BARS))
        if 0 <= minute < BARS:
            minutes.setdefault(minute, []).append(one)
    sizes = {
        minute: max(one[of] for one in its) if of == "seconds" else sum(one[of] for one in its)
        for minute, its in minutes.items()
    }
    most, width = max(sizes.values(), default=0.0), WIDTH / BARS
    bars = []
    for minute, its in sorted(minutes.items(), reverse=True):
        height = max(2.0, HEIGHT * sizes[minute] / most) if most else 2.0
        failed = any(one["failed"] for one in its)
        bars.append(Bar(WIDTH - (minute + 1) * width, round(HEIGHT - height, 1), width - 1, round(height, 1), failed))
    shown = [one for its in minutes.values() for one in its]
    return Plot(tuple(bars), most, len(shown), sum(bool(one["failed"]) for one in shown))
