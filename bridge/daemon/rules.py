"""What is decided for a loop, and may be decided otherwise while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.daemon.gate import Manners
from bridge.layouts import RouteLayout
from bridge.ownership.brake import BrakeRule
from bridge.routes import Policy
from bridge.sources.base import Source


@dataclass(frozen=True, slots=True)
class Rules:
    """All of one loop."""

    open_source: Callable[[], Source]  # what of its document is kept follows from the policy
    policy: Policy
    layout: RouteLayout
    manners: Manners
    brake: BrakeRule
