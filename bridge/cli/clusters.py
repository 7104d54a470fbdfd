"""Say who publishes here: each cluster with its leader, its lease, what it has in the store, what of it is drained, and
what is wrong.

Reads the store and no source. Writes nothing, and grants and renews no lease. A cluster whose lease ended, or that
left something behind, is told as gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from bridge import config as options
from bridge.cli.draining import drained_lines, drains_by_cluster, drains_json
from bridge.cli.render import Json, heading, number, problems_json, safe, say, say_each_json, span, warn
from bridge.cli.seen import Seen, is_ours, look, seconds_or_none
from bridge.cli.wiring import sites
from bridge.config import Config, Output
from bridge.model.change import FOR_EVER
from bridge.model.keys import STANDING, Publisher, Role
from bridge.model.problem import Problem
from bridge.ownership.drains import Drains
from bridge.ownership.presence import unread
from bridge.ownership.quarrels import problems
from bridge.ownership.records import Presence, named, presence_path, read_presence
from bridge.ownership.rivals import rivals


class State(Enum):
    """Whether a cluster's bridge is there."""

    LED = "led"  # a replica leads now
    UNLED = "not led"  # nobody writes for it now; its keys live until its lease ends
    GONE = "gone"  # it says no more that it publishes here, and something of it is left


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster."""

    cluster: str
    state: State
    leader: str  # the replica; empty where none leads
    presence: Presence | None  # None: none stands, or nobody can read it
    seconds: float | None  # that the lease of its keys would live; inf: for ever; None: it has none
    routes: int  # frontends, or routers, that are open and that it claims
    servers: int
    keys: int  # on no lease of a bridge, though their names are this cluster's
    problems: tuple[Problem, ...]
    drains: Drains  # what an operator took the requests from
    only_drains: bool  # nothing is left of it but records of what is drained, which leave keeps


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    found = [look(config, site) for site in sites(config)]
    tables = [(seen.publisher, rows(seen)) for seen in found]
    if config.get(options.OUTPUT) is Output.JSON:
        say_each_json([{"layout": one.layout.name, "clusters": [_json(row) for row in its]} for one, its in tables])
    else:
        for one, its in tables:
            say([heading(one)] if len(tables) > 1 else [])
            say(_lines(one, its))
    for notice in (notice for seen in found for notice in seen.elsewhere):
        warn(f"notice: {notice}")
    return 0


# What stands


def rows(seen: Seen) -> tuple[Row, ...]:
    """Every cluster that has a record or a key here, by name."""
    wrong, standing = problems(seen.standing), seen.standing
    drains, beside = drains_by_cluster(standing.mirror.records), tuple(rivals(standing))
    unread_presences = {problem.service: problem for problem in unread(standing)}
    routes, servers, keys, more = _routes(seen), _servers(seen), _by_hand(seen), _more_than_drains(seen)
    leaders, found = seen.leaders, []
    for cluster in seen.clusters:
        held = standing.mirror.records.held.get(presence_path(cluster))
        lease = held.lease if held else None
        leads = leaders.get(cluster)
        about = unread_presences.get(f"cluster {cluster}")
        row = Row(
            cluster=cluster,
            state=State.GONE if held is None else State.LED if cluster in leaders else State.UNLED,
            leader=leads.name if leads else "unknown" if cluster in leaders else "",
            presence=read_presence(held.value) if held else None,
            seconds=seen.leases.get(lease) if lease is not None else None,
            routes=routes.get(cluster, 0),
            servers=servers.get(cluster, 0),
            keys=keys.get(cluster, 0),
            problems=(
                *((about,) if about else ()),
                *wrong.get(cluster, ()),
                *(problem for problem, clusters in beside if cluster in clusters),
            ),
            drains=drains.get(cluster, Drains()),
            only_drains=cluster not in more,
        )
        found.append(row)
    return tuple(found)


def _routes(seen: Seen) -> dict[str, int]:
    """Counted from the keys: what is open in the groups that a cluster claims."""
    layout, tree, counts = seen.publisher.layout, seen.standing.mirror.tree.held, dict[str, int]()
    for name, group in seen.standing.groups.items():
        opened = sum(any(path in tree for path in layout.opening(holder)) for holder in group.frontends)
        for claim in group.claims if name != STANDING else ():
            counts[claim.cluster] = counts.get(claim.cluster, 0) + opened
    return counts


def _servers(seen: Seen) -> dict[str, int]:
    holders: dict[str, set[str]] = {}
    for path, held in seen.standing.mirror.tree.held.items():
        place = seen.publisher.layout.place(path)
        if place is not None and place.role is Role.SERVER and place.cluster and is_ours(held.lease):
            holders.setdefault(place.cluster, set()).add(place.holder)
    return {cluster: len(its) for cluster, its in holders.items()}


def _by_hand(seen: Seen) -> dict[str, int]:
    counts: dict[str, int] = {}
    for path, held in seen.standing.mirror.tree.held.items():
        place = seen.publisher.layout.place(path)
        if place is not None and place.cluster and not is_ours(held.lease):
            counts[place.cluster] = counts.get(place.cluster, 0) + 1
    return counts


def _more_than_drains(seen: Seen) -> set[str]:
    """The clusters that have a key, or a record that is no drain's."""
    names = map(named, seen.standing.mirror.records.held)
    places = map(seen.publisher.layout.place, seen.standing.mirror.tree.held)
    return {
        *(name.cluster for name in names if name.kind != "drain"),
        *(place.cluster for place in places if place and place.cluster),
    }


# What is printed

_HEAD = (
    "cluster",
    "state",
    "leader",
    "lease",
    "ttl",
    "read-time",
    "routes",
    "servers",
    "problems",
    "version",
    "environment",
)


def _lines(chosen: Publisher, found: Sequence[Row]) -> Iterator[str]:
    if not found:
        yield f"Nobody publishes below {safe(chosen.tree)}"
        return
    yield from _table([_HEAD, *map(_cells, found)])
    for row in found:
        if row.state is State.GONE:
            yield f"cluster {safe(row.cluster)} is gone; {_remedy(row)}"
    for row in found:
        yield from drained_lines(row.cluster, row.drains)
    told = dict.fromkeys(problem for row in found for problem in row.problems)  # one may concern two clusters
    yield from (safe(f"problem: {problem}") for problem in told)


def _remedy(row: Row) -> str:
    if row.only_drains:
        return f"until bridge undrain stays drained what bridge drain --list --cluster {safe(row.cluster)} tells"
    if row.keys:
        return f"what it left can be removed: {number(row.keys, 'key')} on no lease of a bridge, by hand"
    return f"what it left can be removed: bridge leave --cluster {safe(row.cluster)}"


def _cells(row: Row) -> tuple[str, ...]:
    seen = row.presence
    lives = "-" if row.seconds is None else span(row.seconds)
    ttl = read_time = version = environment = "-" if row.state is State.GONE else "?"
    if seen is not None:
        ttl = span(math.inf if seen.ttl == FOR_EVER else seen.ttl)
        read_time, version, environment = span(seen.read_time), safe(seen.version), safe(seen.environment)
    counts = (str(row.routes), str(row.servers), str(len(row.problems)))
    said = (ttl, read_time, *counts, version, environment)
    return (safe(row.cluster), row.state.value, safe(row.leader) or "-", lives, *said)


def _table(cells: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _json(row: Row) -> Json:
    """`seconds` and `ttl` are null for ever, or where nothing says them; `lease` tells which."""
    seen = row.presence
    return {
        "cluster": row.cluster,
        "state": row.state.value,
        "leader": row.leader,
        "environment": seen.environment if seen else "",
        "version": seen.version if seen else "",
        "ttl": seen.ttl if seen else None,
        "read_time": seen.read_time if seen else None,
        "lease": row.seconds is not None,
        "seconds": None if row.seconds is None else seconds_or_none(row.seconds),
        "routes": row.routes,
        "servers": row.servers,
        "by_hand": row.keys,
        "problems": problems_json(row.problems),
        "drains": drains_json(row.drains),
    }
