"""What stops a plan that removes too much."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Brake(Enum):
    """Whether removals may go."""

    OPEN = "open"
    SHUT = "shut"


@dataclass(frozen=True, slots=True)
class BrakeRule:
    """When the brake shuts: more than `share` of the cluster's servers, and at least `least`."""

    share: float = 0.5  # 0 to 1
    least: int = 10


def brake(removed: int, held: int, rule: BrakeRule) -> Brake:
    """Shut when `removed` of the `held` servers of this cluster are too many to be believed."""
    return Brake.SHUT if removed >= rule.least and removed > rule.share * held else Brake.OPEN
