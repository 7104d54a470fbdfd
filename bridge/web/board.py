"""All that the web server shows: the publishers of one process, each by the values that its loop lays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.daemon.status import Status, Vitals


class Publishes(Protocol):
    """A publisher's loop, as far as anybody else may see it. Neither waits for anything."""

    @property
    def status(self) -> Status: ...

    def vitals(self) -> Vitals: ...


@dataclass(frozen=True, slots=True)
class Board:
    """One process."""

    version: str
    publishers: tuple[Publishes, ...]
