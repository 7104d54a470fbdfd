"""Whether the process works, and whether what it publishes can be relied on, with the reasons where not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.daemon.status import Status, Vitals
from bridge.model.change import FOR_EVER
from bridge.web.board import Board

LOOP = 30.0  # seconds that the loop may give no sign: a store that hangs takes some ten
RESTART = 15.0  # seconds: a loop that gave no sign for so long begins no dead thread again


@dataclass(frozen=True, slots=True)
class Health:
    """One publisher."""

    cluster: str
    layout: str
    reasons: tuple[str, ...]  # why not; empty: it is well


def health(board: Board) -> tuple[Health, ...]:
    """Whether each publisher's threads work. A source or a store that is quiet or fails is no fault of theirs."""
    return tuple(_told(one.status, _stuck(one.vitals())) for one in board.publishers)


def readiness(board: Board) -> tuple[Health, ...]:
    """Whether each publisher brought its store up to date once, and its leases live."""
    return tuple(_told(one.status, _unready(one.status, one.vitals())) for one in board.publishers)


def _told(status: Status, reasons: Iterator[str]) -> Health:
    return Health(status.cluster, status.layout, tuple(reasons))


def _stuck(vitals: Vitals) -> Iterator[str]:
    if vitals.loop > LOOP:
        yield f"the loop stands still for {vitals.loop:.0f} s"
    for one in vitals.threads:
        if one.is_alive and one.silent > one.longest:
            yield f"the thread of {one.name} gives no sign for {one.silent:.0f} s"
        elif not one.is_alive and vitals.loop > RESTART:
            yield f"the thread of {one.name} ended, and the loop has not begun it again for {vitals.loop:.0f} s"


def _unready(status: Status, vitals: Vitals) -> Iterator[str]:
    if status.synced_at is None:
        yield _not_yet(status)
    for name, age in sorted(vitals.leases.items(), key=lambda one: str(one[0])):
        if name.ttl != FOR_EVER and age > name.ttl:
            yield f"lease {name.family} of {name.ttl} s is not renewed for {age:.0f} s, so its keys are gone or will be"
    for name in sorted(vitals.lost, key=str):
        yield f"lease {name.family} has ended, and the keys that stood on it are not put right yet{_why(status)}"
    if status.leads and not vitals.leases:
        yield "leads, and keeps no lease"


def _not_yet(status: Status) -> str:
    if status.read_at is None:
        why = f": {status.source.why}" if status.source else ""
        return f"the source has not been read yet{why}"
    return f"the store has not been brought up to date yet{_why(status)}"


def _why(status: Status) -> str:
    return f": {status.store.why}" if status.store else ""
