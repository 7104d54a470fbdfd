"""That this cluster publishes here: said with the first change, and when it says something new."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.model.change import Change, Delete
from bridge.model.problem import Problem
from bridge.ownership.records import (
    Presence,
    is_newer,
    presence_path,
    read_presence,
    rounded_read_time,
    write_presence,
)
from bridge.ownership.standing import Standing
from bridge.ownership.steps import Draft
from bridge.ownership.terms import Terms, cluster_lease


@dataclass(frozen=True, slots=True)
class Said:
    """What makes this cluster's presence true."""

    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()


def say_presence(standing: Standing, terms: Terms, read_time: float, *, changing: bool) -> Said:
    """Written with the first change, and when it says something new or somebody else wrote over it.

    `changing`: the plan writes anyway; `read_time`: seconds, this bridge's own.
    """
    publisher, records = standing.publisher, standing.mirror.records
    path, lease = presence_path(publisher.cluster), cluster_lease(standing.publisher, terms)
    held = records.held.get(path)
    seen = read_presence(held.value) if held else None
    if held is not None and is_newer(held.value):
        return Said()  # another problem says so
    if held is None and not changing and not _claims_anything(standing):
        return Said()
    said = Presence(terms.environment, terms.ttl, _said_read_time(seen, read_time, changing), terms.version)
    draft = Draft(records.prefix, lease, records.held)
    draft.put(path, write_presence(said))
    if held is None or (seen is not None and held.lease is not None and held.lease.family == lease.family):
        return Said(tuple(draft.changes.values()))
    reason = "somebody else wrote over this record of the bridge"
    problem = Problem(f"cluster {publisher.cluster}", records.prefix + path, held.value, reason, "wrote it again")
    return Said(tuple(draft.changes.values()), (problem,))


def _claims_anything(standing: Standing) -> bool:
    return any(group.claim_of(standing.publisher.cluster) for group in standing.groups.values())


def unread(standing: Standing) -> tuple[Problem, ...]:
    """The presences that a newer bridge wrote, or somebody else."""
    records = standing.mirror.records
    problems = []
    for cluster in sorted(standing.presences):
        path = presence_path(cluster)
        text = records.held[path].value
        if is_newer(text):
            reason, did = "a newer bridge wrote this record: upgrade this one", "left it alone"
        elif read_presence(text) is None and cluster != standing.publisher.cluster:
            reason, did = "nobody can read this record", "left it to its cluster"
        else:
            continue
        did += "; what clusters share stays for ever, since it may ask for that"
        problems.append(Problem(f"cluster {cluster}", records.prefix + path, "", reason, did))
    return tuple(problems)


def farewell(standing: Standing) -> tuple[Delete, ...]:
    """What a leaving cluster deletes in its last transaction, with its leader key."""
    path = presence_path(standing.publisher.cluster)
    held = standing.mirror.records.held.get(path)
    if held is None or is_newer(held.value):
        return ()
    return (Delete(standing.publisher.records + path, held.revision),)


def _said_read_time(seen: Presence | None, read_time: float, changing: bool) -> float:
    """The read-time for others to reckon with: it stays while it is enough, and is lowered with another change."""
    if seen is not None and read_time <= seen.read_time and not (changing and seen.read_time > 4 * read_time):
        return seen.read_time
    return rounded_read_time(read_time)
