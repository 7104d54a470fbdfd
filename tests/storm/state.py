"""What a store holds at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.model.change import Item


@dataclass(frozen=True, slots=True)
class State:
    """All that stood after one revision."""

    revision: int
    items: Mapping[str, Item]  # by whole key
    exact: bool  # no other state lies between this one and the one before
    seen: float  # when it was seen, on the monotonic clock: it may be older
