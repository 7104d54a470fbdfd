"""Visitors: requests through Traefik, one after another, for as long as they are let in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http.client import HTTPException
from threading import Event, Thread
from types import TracebackType
from typing import Self

from bridge.demo.answers import ask
from bridge.demo.containers import who_answered

EVERY = 0.01  # seconds from one request to the next
ANSWERS_WITHIN = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Visit:
    """One request and what came of it."""

    at: float  # when its answer was there, on the monotonic clock
    who: str  # the container that answered; empty: none did
    said: str  # what it said; where none did: a status, an error


def visit(endpoint: str, host: str) -> Visit:
    """One request for `host` to the Traefik at HOST:PORT."""
    try:
        answer = ask(endpoint, "/", host, ANSWERS_WITHIN)
    except (OSError, HTTPException) as err:
        return Visit(time.monotonic(), "", f"{type(err).__name__} {err}".strip())
    who = who_answered(answer.body) if answer.status == 200 else ""
    return Visit(time.monotonic(), who, answer.body.decode() if who else f"status {answer.status}")


class Visitors:
    """They ask from `with` to the end of the block, or until they are sent home."""

    def __init__(self, endpoint: str, host: str) -> None:
        self._endpoint, self._host = endpoint, host
        self._seen: list[Visit] = []  # only ever longer
        self._ends = Event()
        self._thread = Thread(target=self._work, name="visitors", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.go_home()

    def go_home(self) -> None:
        """The last request has its answer when this returns."""
        self._ends.set()
        self._thread.join()

    def since(self, moment: float) -> list[Visit]:
        """All whose answer came after `moment`, in their order."""
        seen = self._seen
        first = len(seen)
        while first and seen[first - 1].at > moment:
            first -= 1
        return seen[first:]

    def _work(self) -> None:
        begins = time.monotonic()
        while not self._ends.wait(max(0.0, begins - time.monotonic())):
            begins = max(begins + EVERY, time.monotonic())
            self._seen.append(visit(self._endpoint, self._host))
