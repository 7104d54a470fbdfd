"""What every source can do, and how it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bridge.model.problem import BridgeError
from bridge.model.world import Snapshot


class SourceError(BridgeError):
    """The source failed, or what it answers is no world yet. `value` is the source's URL, without secrets."""


class Source(Protocol):
    """Where a world is read from. Raises `SourceError`, nothing of its client's."""

    url: str  # for messages: without user and password

    def read(self) -> Snapshot:
        """The whole world as it stands now, with at least one stack: "nothing there" is never an answer."""

    def changes(self) -> Iterator[Snapshot]:
        """The world at once, and again whenever it changed; unchanged, as a sign of life, at least every minute.

        Raises SourceError when it fails: whoever wants more asks anew, after a pause. Ends when `close` is called.
        """

    def close(self) -> None:
        """End `changes` and what else is under way, from any thread. May be called twice."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file."""

    file: str
    line: int  # from 1


@runtime_checkable
class Locating(Protocol):
    """A source that knows where its labels were written."""

    def locate(self, service: str, label: str) -> Place | None:
        """Where a label of a service (stack/name) stood in what was read last, or else the service itself."""


@runtime_checkable
class TellsHosts(Protocol):
    """A source that reads hosts only where it is told to."""

    def tell_hosts(self) -> None:
        """From the next reading on a snapshot has the hosts, and where they cannot be read there is none."""


def without_user(url: str) -> str:
    """`url` with whatever stands before its last `@` cut out: a password may hold any character."""
    return re.sub(r"^([A-Za-z0-9+]*:/*)?.*@", r"\1…@", url, flags=re.DOTALL)
