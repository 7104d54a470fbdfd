"""What a linter says of the keys in a store, whichever Traefik reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Grade(Enum):
    """How far a flaw reaches, the worst first."""

    DEAD = "dead"  # Traefik ends, stands still for good, or its next start fails
    FROZEN = "frozen"  # Traefik takes no change of anybody any more
    LOST = "lost"  # a route gets no request
    WRONG = "wrong"  # it does something else than it says
    NOTICE = "notice"  # worth knowing, nothing to mend


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong."""

    grade: Grade
    reason: str
    effect: str  # what Traefik makes of it
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one key."""

    key: str  # as it stands in the store, or should
    value: str  # empty where it may let somebody in
    flaw: Flaw


_GRADES = {grade: number for number, grade in enumerate(Grade)}


def worst_first(finding: Finding) -> tuple[int, str, str]:
    """How findings are sorted."""
    return (_GRADES[finding.flaw.grade], finding.key, finding.flaw.reason)
