"""What a publisher's loop tells of itself: values that it replaces as a whole, for whoever reads them in a thread of
its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from bridge.model.change import LeaseName
from bridge.model.keys import Wish
from bridge.model.route import Verdict
from bridge.model.world import Snapshot
from bridge.ownership.mirror import Mirror
from bridge.report import Report

# Seconds; upper ends of the buckets into which the passes that wrote are counted. One flip takes some 20 ms; a whole
# environment a second; a store that is slow some more.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Result(Enum):
    """How one pass went."""

    WROTE = "wrote"  # something, and all of it
    UNCHANGED = "unchanged"  # nothing was to be written
    HELD = "held"  # removals wait for the brake, or for a second reading of the source
    FOLLOWS = "follows"  # another replica leads
    FAILED = "failed"  # the store did


@dataclass(frozen=True, slots=True)
class Trouble:
    """Somebody fails."""

    why: str  # as it was last told; may hold anybody's words
    since: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Touched:
    """What one pass changed of one service."""

    title: str  # stack/service, or what else `group_title` names
    what: str  # how the plan calls the step: join, close, …
    changes: Mapping[str, int]  # by kind: added, changed, removed


@dataclass(frozen=True, slots=True)
class Sync:
    """One pass that wrote, or failed."""

    at: float  # seconds since the epoch, of its end
    seconds: float
    result: Result
    why: str  # what moved it
    touched: tuple[Touched, ...] = ()  # the first ones
    keys: int = 0  # that were written, ours among them


@dataclass(frozen=True, slots=True)
class Counts:
    """How often what happened, since the process began. They only grow."""

    passes: Mapping[Result, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)  # of Traefik's keys, by kind: added, changed, removed
    conflicts: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)  # by who failed: source, store
    buckets: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)  # passes that wrote, by how long they took; the last: longer
    seconds: float = 0.0  # that all those took


@dataclass(frozen=True, slots=True)
class Decided:
    """What the last plan was made from: it belongs together, whatever the source has said since."""

    snapshot: Snapshot
    verdicts: tuple[Verdict, ...]
    wishes: Mapping[str, Wish]  # by group


@dataclass(frozen=True, slots=True)
class Status:
    """All that is known of one publisher after a pass."""

    cluster: str
    layout: str
    replica: str
    tree: str  # how its keys begin
    dry_run: bool
    report: Report | None = None  # of the last pass that had a snapshot
    decided: Decided | None = None
    read_at: float | None = None  # seconds since the epoch, when the source last answered
    mirror: Mirror | None = None  # what stands
    leads: bool = False
    opens_at: float | None = None  # seconds since the epoch, when the brake that is shut opens by itself
    is_shut: bool = False  # the brake is
    source: Trouble | None = None
    store: Trouble | None = None
    synced_at: float | None = None  # seconds since the epoch, of the last pass that went well; a follower's too
    syncs: tuple[Sync, ...] = ()  # of the last hour, the newest last
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True, slots=True)
class Options:
    """How the options of the process were last read."""

    read_at: float  # seconds since the epoch, when it last went well
    is_well: bool = True  # the last time did


@dataclass(frozen=True, slots=True)
class Pulse:
    """When a thread last gave a sign."""

    name: str
    is_alive: bool
    silent: float  # seconds
    longest: float  # seconds that it may be silent


@dataclass(frozen=True, slots=True)
class Vitals:
    """Signs of life of one publisher's threads, at one moment."""

    loop: float  # seconds since the loop's last sign
    threads: tuple[Pulse, ...]  # that wait for it
    leases: Mapping[LeaseName, float]  # that are kept: seconds since each was last granted or renewed
    lost: frozenset[LeaseName] = frozenset()  # that ended, and no pass has put right yet what they took along
