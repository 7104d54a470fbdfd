"""All that the web server shows: the publishers of one process, each by the values that its loop lays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bridge.daemon.status import Options, Status, Vitals
from bridge.layouts import RouteLayout
from bridge.writer import Settings


class Publishes(Protocol):
    """A publisher's loop, as far as anybody else may see it. Nothing of it waits for anything."""

    @property
    def settings(self) -> Settings: ...

    @property
    def layout(self) -> RouteLayout: ...

    @property
    def status(self) -> Status: ...

    def vitals(self) -> Vitals: ...


@dataclass(frozen=True, slots=True)
class Board:
    """One process."""

    version: str
    publishers: tuple[Publishes, ...]
    options: Callable[[], Options] | None = None  # how they were last read; None: nobody reads them again
