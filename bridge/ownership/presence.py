"""That this cluster publishes here: said with the first change, and when it says something new."""

from __future__ import annotations

from bridge.model.change import Change, Delete
from bridge.ownership.claims import Standing
from bridge.ownership.records import Presence, presence_path, read_presence, rounded_read_time, write_presence
from bridge.ownership.steps import Draft
from bridge.ownership.terms import Terms, cluster_lease


def presence_changes(standing: Standing, terms: Terms, read_time: float, *, changing: bool) -> tuple[Change, ...]:
    """What makes the presence true. `changing`: the plan writes anyway; `read_time`: seconds, this bridge's own."""
    records, cluster = standing.mirror.records, standing.publisher.cluster
    held = records.held.get(presence_path(cluster))
    seen = read_presence(held.value) if held else None
    if seen is None:
        changing = changing or any(group.claim_of(cluster) for group in standing.groups.values())
    if not changing and (seen is None or seen.read_time >= read_time):
        return ()
    said = Presence(terms.environment, terms.ttl, _said_read_time(seen, read_time), terms.version)
    draft = Draft(records.prefix, cluster_lease(standing.publisher, terms), records.held)
    draft.put(presence_path(cluster), write_presence(said))
    return tuple(draft.changes.values())


def farewell(standing: Standing) -> tuple[Delete, ...]:
    """What a leaving cluster deletes in its last transaction, with its leader key."""
    path = presence_path(standing.publisher.cluster)
    held = standing.mirror.records.held.get(path)
    return (Delete(standing.publisher.records + path, held.revision),) if held else ()


def _said_read_time(seen: Presence | None, read_time: float) -> float:
    """The read-time for others to reckon with: it stays while it is enough and not four times too much."""
    if seen is not None and read_time <= seen.read_time <= 4 * read_time:
        return seen.read_time
    return rounded_read_time(read_time)
