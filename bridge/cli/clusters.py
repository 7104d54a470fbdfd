"""Say who publishes here: each cluster with its leader, its lease, what it has in the store, what of it is drained, and
what is wrong.

Reads the store and no source. Writes nothing, and grants and renews no lease. A cluster whose lease ended, or that
left something behind, is told as gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bridge import config as options
from bridge.cli.draining import drained_lines, drains_json
from bridge.cli.render import heading, say, say_each_json, warn
from bridge.cli.seen import look, seconds_or_none
from bridge.cli.wiring import sites
from bridge.config import Config, Output
from bridge.model.change import FOR_EVER
from bridge.model.keys import Publisher
from bridge.views.clusters import Row, State, rows
from bridge.views.words import Json, number, problems_json, safe, span


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
    yield from (safe(f"{problem.kind}: {problem}") for problem in told)


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
    counts = (str(row.routes), str(row.servers), str(sum(not one.notice for one in row.problems)))
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
