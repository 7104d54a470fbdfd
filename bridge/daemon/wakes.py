"""What wakes the loop, and the threads that wait for it: each for one thing, and none of them decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread

from bridge.daemon.logs import facts, log
from bridge.daemon.rules import Rules
from bridge.model.change import Reading
from bridge.model.problem import BridgeError
from bridge.model.world import Snapshot
from bridge.sources.base import Source

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a thread that failed tries again; each time twice as long


@dataclass(frozen=True, slots=True)
class Seen:
    """The source was read."""

    snapshot: Snapshot
    again: bool = False  # read once more, to confirm what was seen before
    source: Source | None = None  # that read it; another may have been opened since


@dataclass(frozen=True, slots=True)
class News:
    """Something changed in the store, or nothing did for a while."""

    reading: Reading


@dataclass(frozen=True, slots=True)
class Broke:
    """A thread failed."""

    name: str
    error: BridgeError


@dataclass(frozen=True, slots=True)
class Reread:
    """Somebody asked to have options and secrets read again."""

    rules: Rules | None  # None: no option changed


@dataclass(frozen=True, slots=True)
class Stop:
    """The process shall end."""


Wake = Seen | News | Broke | Reread | Stop


class Feeder:
    """A thread that waits for one thing and puts what comes into the loop's queue."""

    def __init__(
        self, name: str, produce: Callable[[], Iterator[Wake]], wakes: Queue[Wake], *, again: bool = False
    ) -> None:
        """`again`: begin afresh, after a pause, where it failed or came to an end."""
        self.name, self._produce, self._wakes, self._again = name, produce, wakes, again
        self.beat = time.monotonic()  # when it last gave a sign
        self._stopped = Event()
        self._thread = Thread(target=copy_context().run, args=(self._run,), name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Put nothing any more; the thread ends when what it waits for ends."""
        self._stopped.set()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def silent_for(self) -> float:
        """Seconds since its last sign."""
        return time.monotonic() - self.beat

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                for wake in self._produce():
                    self.beat = time.monotonic()
                    self._put(wake)
                    if self._stopped.is_set():
                        return
            except Exception as err:
                self._put(Broke(self.name, err if isinstance(err, BridgeError) else self._unforeseen(err)))
            self.beat = time.monotonic()
            if self.beat - began > LONGEST_PAUSE:
                pause = FIRST_PAUSE  # it was well: one that says something and fails, again and again, is not
            if not self._again or self._stopped.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE)

    def _unforeseen(self, err: Exception) -> BridgeError:
        """What nobody thought of, as a failure like others: a thread that died of it would come back without pause."""
        log.error("%s: a fault of the bridge itself", self.name, exc_info=err, extra=facts("fault", what=self.name))
        return BridgeError(self.name, "", f"{type(err).__name__}: {err}")

    def _put(self, wake: Wake) -> None:
        if not self._stopped.is_set():
            self._wakes.put(wake)
