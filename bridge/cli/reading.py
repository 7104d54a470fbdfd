"""A source read and judged, for commands that say what becomes of its labels."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from bridge.cli.wiring import LAYOUT, policy, source_opener
from bridge.config import Config
from bridge.labels.lookup import spot
from bridge.labels.notes import told
from bridge.layouts import layout
from bridge.model.problem import Problem
from bridge.model.route import Verdict
from bridge.model.world import Service, Snapshot, is_ours
from bridge.routes import judge_all
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


def read_world(config: Config) -> World:
    """Raises SourceError, UsageError."""
    with closing(source_opener(config)()) as source:
        snapshot = source.read()
    judged_by = policy(config)
    verdicts = judge_all(snapshot, judged_by)
    _, unwritten = lay_out(verdicts, layout(LAYOUT), judged_by.cluster)
    found = {*snapshot.problems, *unwritten, *(problem for verdict in verdicts for problem in verdict.problems)}
    locate = source.locate if isinstance(source, Locating) else lambda _service, _label: None
    return World(snapshot, verdicts, tuple(sorted(found)), locate)


def is_labelled(service: Service) -> bool:
    """Whether it says anything to the bridge, and so has a verdict."""
    return any(map(is_ours, service.labels))


def example(label: str) -> str:
    """What a known label may say; empty for one that is not known."""
    found = spot(label)
    return found.row.example if found else ""


def shows(label: str, text: str) -> bool:
    """Whether a label's text may stand in a report: one that is not known may be a slip for a secret one."""
    found = spot(label)
    return found is not None and told(found.row, text) == text
