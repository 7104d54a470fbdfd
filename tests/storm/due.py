"""Which requests had to be answered: those for a service that somebody claimed all the time, long enough to be known.

What the driver asks of a bridge it may not have heard of yet, or may have given up in between. What it made of it
stands in the store, so due is what the history says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bridge.model.keys import Publisher, Role
from tests.storm.judge import claims_of
from tests.storm.state import State

KNOWN = 2.0  # seconds behind a claim, from when on an answer follows from it: Traefik takes up to 0.5
NEVER = 20.0  # seconds behind a claim, from when on a service has to be answered whether it was before or not
LATE = 1.0  # seconds that a state may be seen later than by Traefik
SOON = 1.0  # seconds between failures of one cause
FOR_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request through Traefik."""

    began: float  # seconds on the monotonic clock
    ended: float
    well: bool  # some web server answered
    said: str


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which somebody claimed a group without a break."""

    began: float
    ended: float


def spans(states: Sequence[State], publisher: Publisher, group: str) -> list[Span]:
    """When somebody claimed it. Where states are missing it may have been nobody, if no claim outlasted them."""
    found: list[Span] = []
    before: set[tuple[int, str]] = set()
    began = 0.0
    for state in states:
        claims = {claim.age for claim in claims_of(publisher, state, group)}
        goes_on = bool(before & claims if not state.exact else before and claims)
        if before and not goes_on:
            found.append(Span(began, state.seen))
        if claims and not goes_on:
            began = state.seen
        before = claims
    return [*found, *([Span(began, FOR_EVER)] if before else [])]


@dataclass
class Due:
    """What was asked for one group, and what stood meanwhile."""

    asked: Sequence[Asked]
    spans: Sequence[Span]
    counted: int = 0
    failed: list[Asked] = field(default_factory=list)
    known: float = 0.0  # seconds behind a claim, at most, until Traefik knew of it

    def __post_init__(self) -> None:
        first = min((one.began for one in self.asked), default=0.0)
        for span in self.spans:
            armed = False
            since = max(span.began, first)  # Traefik may have come later
            for one in self.asked:
                behind = one.began - since
                if 0 < behind < KNOWN and one.ended < span.ended and not one.well:
                    self.known = max(self.known, behind)
                if behind < KNOWN or one.ended > span.ended - LATE:
                    continue
                armed = armed or one.well or behind > NEVER
                self.counted += armed
                if armed and not one.well:
                    self.failed.append(one)

    def streaks(self) -> list[list[Asked]]:
        """What failed, each with what failed soon after it."""
        found: list[list[Asked]] = []
        for one in self.failed:
            if found and one.began < found[-1][-1].ended + SOON:
                found[-1].append(one)
            else:
                found.append([one])
        return found


def around(states: Sequence[State], publisher: Publisher, group: str, began: float, ended: float) -> Iterator[str]:
    """What happened to a group at that time, in words."""
    told = ""
    for state in states:
        claims = ", ".join(f"{one.cluster} since {one.created}" for one in claims_of(publisher, state, group))
        keys = []
        for key, item in state.items.items():
            place = publisher.layout.place(key[len(publisher.tree) :]) if key.startswith(publisher.tree) else None
            if place is not None and place.group == group and place.role in (Role.OPENS, Role.SERVER):
                keys.append(f"{key[len(publisher.tree) :]} {item.created}/{item.revision}")
        now = f"claims: {claims or 'none'}; {'; '.join(sorted(keys)) or 'nothing stands'}"
        if now != told and began <= state.seen <= ended:
            yield f"{state.seen:.2f} revision {state.revision}{'' if state.exact else ' (states missed)'} {now}"
        told = now
