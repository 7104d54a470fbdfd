"""The threads that wait for one thing each, and when they try again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from queue import Queue

import pytest

from bridge.daemon import wakes
from bridge.daemon.wakes import FIRST_PAUSE, LONGEST_PAUSE, Feeder, Seen, Wake
from bridge.model.world import Snapshot
from bridge.sources.base import SourceError

WORLD = Seen(Snapshot((), ""))
PATIENCE = 10.0  # seconds until what must happen counts as missing


class Clock:
    """The monotonic clock, moved by what a thread lives through."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def pauses(monkeypatch: pytest.MonkeyPatch, count: int, lives: Callable[[int], float]) -> list[float]:
    """The first pauses of a thread that says something and fails; `lives`: after how many seconds, the n-th time."""
    clock, made = Clock(), list[float]()

    class Stopped(threading.Event):
        """Nobody waits really; set with the last pause."""

        def wait(self, timeout: float | None = None) -> bool:
            made.append(timeout or 0.0)
            if len(made) == count:
                self.set()
            return self.is_set()

    def produce() -> Iterator[Wake]:
        yield WORLD
        clock.now += lives(len(made))
        raise SourceError("source", "http://metadata", "is away")

    monkeypatch.setattr(wakes, "time", clock)
    monkeypatch.setattr(wakes, "Event", Stopped)
    ends(Feeder("source", produce, Queue(), again=True))
    return made


def ends(feeder: Feeder) -> None:
    deadline = time.monotonic() + PATIENCE
    while feeder.is_alive():
        assert time.monotonic() < deadline, "it did not end"
        time.sleep(0.01)


def test_what_speaks_and_then_fails_each_time_is_asked_more_and_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service whose long poll fails: its whole world was read, and the failure told, twice a second for ever."""
    made = pauses(monkeypatch, 8, lambda _: 0.1)
    assert made == [min(FIRST_PAUSE * 2**n, LONGEST_PAUSE) for n in range(8)]


def test_what_was_well_for_long_and_then_fails_is_asked_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pauses(monkeypatch, 4, lambda failed: 3600.0 if failed == 2 else 0.1)
    assert made == [FIRST_PAUSE, 2 * FIRST_PAUSE, FIRST_PAUSE, 2 * FIRST_PAUSE]


def test_a_thread_that_was_stopped_says_no_more_and_ends() -> None:
    def says_all_the_time() -> Iterator[Wake]:
        while True:
            yield WORLD
            time.sleep(0.01)

    queue: Queue[Wake] = Queue()
    feeder = Feeder("source", says_all_the_time, queue, again=True)
    assert queue.get(timeout=PATIENCE) is WORLD
    feeder.stop()
    ends(feeder)
