"""What every source can do, and how it fails."""

from __future__ import annotations

from typing import Protocol

from bridge.model.problem import BridgeError
from bridge.model.world import Snapshot


class SourceError(BridgeError):
    """The source failed, or what it answers is no world yet. `value` is the source's URL, without secrets."""


class Source(Protocol):
    """Where a world is read from. Raises `SourceError`, nothing of its client's."""

    url: str  # for messages: without user and password

    def read(self) -> Snapshot:
        """The whole world as it stands now, with at least one stack: "nothing there" is never an answer."""
