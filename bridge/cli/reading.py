"""A source read and judged, for commands that say what becomes of its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from bridge import config as options
from bridge.cli.wiring import (
    NO_DRAINS,
    Site,
    claimed_there,
    read_source,
    settled,
    sites,
    source_opener,
    standing_in_store,
)
from bridge.config import Config
from bridge.model.keys import Wish
from bridge.model.problem import Problem
from bridge.model.route import Verdict
from bridge.model.world import Snapshot
from bridge.ownership.drains import Drains, union
from bridge.sources.base import Locating, Place
from bridge.sync import lay_out

Locate = Callable[[str, str], Place | None]


@dataclass(frozen=True, slots=True)
class World:
    """What a source says, and what is decided of it."""

    snapshot: Snapshot
    verdicts: tuple[Verdict, ...]
    problems: tuple[Problem, ...]  # of all services and of the document; sorted, each once
    locate: Locate  # where a service's label is written; None where the source cannot tell
    laid: tuple[tuple[Site, Mapping[str, Wish]], ...]  # what is published of it for each layout, by group
    undecided: frozenset[str]  # stack/service of those in a contest that only a store can decide, and none was named


def read_world(config: Config, drains: Sequence[Drains] = ()) -> World:
    """Where services ask for the same requests, a named store is asked who was there first, as `run` asks it.

    `drains`: what is drained for each layout; the verdicts know of all of it, the keys of each layout of its own.
    Raises SourceError, StoreError, UsageError.
    """
    asked = sites(config)
    of_all = union(drains)
    with closing(source_opener(config)()) as source:
        snapshot = read_source(source, of_all)
    standing = standing_in_store(config, asked[0])
    decided = settled(config, asked[0].layout, snapshot, standing, of_all)
    verdicts, contested = decided.verdicts, decided.contested
    cluster, laid = config.get(options.CLUSTER), []
    found = {*snapshot.problems, *decided.problems, *(one for verdict in verdicts for one in verdict.problems)}
    for site, its in zip(asked, drains or [NO_DRAINS] * len(asked), strict=True):
        own = decided if its == of_all else settled(config, asked[0].layout, snapshot, standing, its)
        claimed = claimed_there(standing_in_store(config, site), snapshot.environment, cluster)
        wishes, unwritten = lay_out(own.verdicts, site.layout, cluster, claimed=claimed)
        laid.append((site, wishes))
        found.update(unwritten)
    locate = source.locate if isinstance(source, Locating) else lambda _service, _label: None
    undecided = frozenset() if standing else contested
    return World(snapshot, verdicts, tuple(sorted(found)), locate, tuple(laid), undecided)
