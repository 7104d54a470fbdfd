"""What one pass did: a value that every command, page and log prints from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bridge.model.change import Change
from bridge.model.problem import Problem
from bridge.model.route import Verdict
from bridge.ownership.differences import Difference
from bridge.ownership.steps import Wait


class Outcome(Enum):
    """How a pass ended, and the exit code that says so."""

    DONE = 0
    HELD = 3  # the brake held removals
    FOLLOWS = 5  # another replica leads

    @property
    def exit_code(self) -> int:
        """See `bridge --help`."""
        return self.value


@dataclass(frozen=True, slots=True)
class Report:
    """One pass of one publisher."""

    cluster: str
    layout: str
    outcome: Outcome
    problems: tuple[Problem, ...]  # sorted, each once
    differences: tuple[Difference, ...]  # that were found, whether they were written or held
    unchanged: int  # keys
    left: tuple[Difference, ...] = ()  # that are not written
    verdicts: tuple[Verdict, ...] = ()
    written: tuple[Change, ...] = ()  # in the order of the transactions
    transactions: int = 0  # that wrote more than who leads
    waits: tuple[Wait, ...] = ()  # that are left, for others to act
    leader: str = ""  # the replica that leads instead
    held: int = 0  # servers that the brake kept
    servers: int = 0  # servers of this cluster that stood when the pass began
    seconds: float = 0.0
