"""What an operator drained of one cluster, as its records say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bridge.model.drain import Drain
from bridge.model.problem import Problem
from bridge.ownership.records import drain_records, read_drain


@dataclass(frozen=True, slots=True)
class Drains:
    """The records of one cluster that drain something, and those of which nobody knows what they drain."""

    drains: tuple[Drain, ...] = ()  # sorted by record
    unreadable: tuple[str, ...] = ()  # keys, sorted

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Of what cannot be read."""
        reason = "this bridge cannot read what this record drains: upgrade it, or delete the key"
        return tuple(Problem("", key, "", reason, "drained nothing by it") for key in self.unreadable)


def read_drains(prefix: str, cluster: str, records: Mapping[str, str]) -> Drains:
    """All that is drained of `cluster`, by the records below `prefix`: path and value; others are passed over."""
    below = drain_records(cluster)
    found = {path: read_drain(cluster, path, text) for path, text in records.items() if path.startswith(below)}
    return Drains(
        tuple(sorted(replace(drain, record=prefix + path) for path, drain in found.items() if drain is not None)),
        tuple(sorted(prefix + path for path, drain in found.items() if drain is None)),
    )


def union(drains: Iterable[Drains]) -> Drains:
    """What any of them drains."""
    every = tuple(drains)
    return Drains(
        tuple(sorted({drain for one in every for drain in one.drains})),
        tuple(sorted({key for one in every for key in one.unreadable})),
    )
