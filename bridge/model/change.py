"""What a store is asked and what it answers: keys, values, revisions, leases; nothing of routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FOR_EVER = 0  # a TTL


@dataclass(frozen=True, slots=True, order=True)
class LeaseName:
    """A lease by name: whoever knows the name finds the living lease and adopts it."""

    family: str  # c/<cluster>, fleet, standing, c/<cluster>/replica/<name>; of a lease that is not ours: ?<id>
    ttl: int  # seconds; FOR_EVER: does not expire

    def __str__(self) -> str:
        return f"{self.family}/{self.ttl}"


@dataclass(frozen=True, slots=True)
class Item:
    """One key as the store holds it."""

    value: str
    created: int  # revision at which the key came to be
    revision: int  # revision of its last write
    lease: LeaseName | None  # None: no lease, so it outlives everybody


@dataclass(frozen=True, slots=True)
class Reading:
    """News of a prefix: all that stands there, or what one revision changed."""

    prefix: str
    revision: int  # the store's, at which this was true
    items: Mapping[str, Item | None]  # by whole key; None: deleted
    whole: bool  # True: what is not named does not stand


@dataclass(frozen=True, slots=True)
class Check:
    """The transaction holds only while this key stands as it was read."""

    key: str
    revision: int  # 0: the key must not stand


@dataclass(frozen=True, slots=True)
class Create:
    """A key that must not stand yet."""

    key: str
    value: str
    lease: LeaseName | None  # None: no lease, so it outlives everybody


@dataclass(frozen=True, slots=True)
class Update:
    """Another value, another lease, or both, for a key that stands as it was read."""

    key: str
    value: str
    lease: LeaseName | None  # None: it becomes a hand-written key
    read_at: int  # the revision that was read
    held_by: LeaseName | None  # the lease it was read with: a store that locks must unlock it first


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of a key that stands as it was read."""

    key: str
    read_at: int


Change = Create | Update | Delete


@dataclass(frozen=True, slots=True)
class Transaction:
    """All of it happens, or nothing."""

    checks: tuple[Check, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a store takes: in one transaction, and as a lease."""

    operations: int  # at most, by `cost`
    size: int  # bytes, as sent
    create: int  # operations that a create, …
    update: int
    move: int  # … an update with another lease, …
    delete: int
    check: int  # … and a check cost
    shortest_ttl: int = 0  # seconds that a lease which expires must ask for at least


@dataclass(frozen=True, slots=True)
class Committed:
    """The transaction happened; what its keys are now."""

    reading: Reading


@dataclass(frozen=True, slots=True)
class Conflict:
    """A comparison failed; nothing happened. An answer, not an error."""
