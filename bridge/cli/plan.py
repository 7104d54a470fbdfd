"""Show what a sync would change.

Reads source and store. Writes nothing, and grants and renews no lease.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge import config as options
from bridge.cli.render import (
    PLANNED,
    beside_lines,
    counts_json,
    difference_lines,
    differences_json,
    heading,
    merged,
    say,
    say_each_json,
    tally,
    waits_json,
    warn_problems,
)
from bridge.cli.wiring import Site, ask_beside, opened_store, settings, sites
from bridge.config import Config, Output
from bridge.model.change import Check
from bridge.model.problem import Problem
from bridge.ownership.brake import Brake, brake
from bridge.ownership.pack import pack
from bridge.ownership.plan import Plan
from bridge.ownership.records import leader_path
from bridge.sync import preview
from bridge.views.words import Json, number, problems_json, safe, span
from bridge.writer import Settings

PENDING = 4  # exit code


@dataclass(frozen=True, slots=True)
class Planned:
    """What a sync of one layout would change."""

    found: Plan
    chosen: Settings
    problems: tuple[Problem, ...]
    transactions: int  # of what is due now

    @property
    def pending(self) -> bool:
        """Whether a sync would write, now or after a wait."""
        return bool(self.found.units) or any(wait.seconds is not None for wait in self.found.waits)

    @property
    def held(self) -> bool:
        """Whether the brake would hold removals."""
        found, chosen = self.found, self.chosen
        return not chosen.force and brake(found.removed, found.servers, chosen.brake) is Brake.SHUT


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    planned = [_plan(config, site) for site in sites(config)]
    if config.get(options.OUTPUT) is Output.JSON:
        say_each_json([_json(one) for one in planned])
    else:
        warn_problems(sorted({problem for one in planned for problem in one.problems}))
        for one in planned:
            say([heading(one.chosen.publisher)] if len(planned) > 1 else [])
            say(_lines(one, verbose=config.get(options.VERBOSE)))
    return PENDING if config.get(options.EXIT_CODE) and any(one.pending for one in planned) else 0


def _plan(config: Config, site: Site) -> Planned:
    with opened_store(config, site) as store:
        asked = ask_beside(config, site, store)
        chosen = settings(config, site, asked.environment)
        found = preview(asked.wishes, store, chosen)
        leader = Check(chosen.publisher.records + leader_path(chosen.publisher.cluster), 0)
        transactions = len(pack(found.units, store.limits, leader))
    return Planned(found, chosen, tuple(sorted({*asked.all_problems, *found.problems})), transactions)


def _lines(one: Planned, *, verbose: bool) -> Iterator[str]:
    found, chosen = one.found, one.chosen
    yield from difference_lines(found.differences, PLANNED, chosen.publisher.layout, verbose=verbose)
    changes = (change for unit in found.units for change in unit.changes)
    yield from beside_lines(changes, found.differences, chosen.publisher.tree, done=False)
    if not one.pending:
        yield f"Nothing to change: {number(found.unchanged, 'key')} unchanged"
    else:
        yield f"{tally(found.differences, PLANNED, all_kinds=True)}, {found.unchanged} unchanged"
        yield _steps(found, one.transactions)
    for what, seconds in merged(found.waits):
        yield f"  waits {'' if seconds is None else span(seconds) + ' '}{safe(what)}"
    if one.held:
        yield (
            f"the brake would hold {found.removed} of {number(found.servers, 'server')}: a sync without --force "
            "removes nothing"
        )


def _steps(found: Plan, transactions: int) -> str:
    first = f"{number(transactions, 'transaction')} now" if transactions else "nothing now"
    if not any(wait.seconds is not None for wait in found.waits):
        return f"in one step: {first}"
    return f"in several steps: {first}, the rest after waits"


def _json(one: Planned) -> Json:
    found, publisher = one.found, one.chosen.publisher
    return {
        "cluster": publisher.cluster,
        "layout": publisher.layout.name,
        "pending": one.pending,
        "changes": differences_json(found.differences, publisher),
        "counts": counts_json(found.differences, found.unchanged),
        "transactions": one.transactions,
        "waits": waits_json(found.waits),
        "problems": problems_json(one.problems),
        "removed_servers": found.removed,
        "servers": found.servers,
        "held": one.held,
    }
