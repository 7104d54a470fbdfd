"""Show what a sync would change.

Reads source and store. Writes nothing, and grants and renews no lease.
"""

from __future__ import annotations

from collections.abc import Iterator

from bridge import config as options
from bridge.cli.render import (
    PLANNED,
    Json,
    beside_lines,
    counts_json,
    difference_lines,
    differences_json,
    merged,
    number,
    problems_json,
    safe,
    say,
    say_json,
    span,
    tally,
    waits_json,
    warn_problems,
)
from bridge.cli.wiring import ask_beside, opened_store, settings
from bridge.config import Config, Output
from bridge.model.change import Check
from bridge.model.problem import Problem
from bridge.ownership.brake import Brake, brake
from bridge.ownership.pack import pack
from bridge.ownership.plan import Plan
from bridge.ownership.records import leader_path
from bridge.sync import preview
from bridge.writer import Settings

PENDING = 4  # exit code


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    with opened_store(config) as store:
        asked = ask_beside(config, store)
        chosen = settings(config, asked.environment)
        found = preview(asked.wishes, store, chosen)
        leader = Check(chosen.publisher.records + leader_path(chosen.publisher.cluster), 0)
        transactions = len(pack(found.units, store.limits, leader))
    problems = tuple(sorted({*asked.all_problems, *found.problems}))
    if config.get(options.OUTPUT) is Output.JSON:
        say_json(_json(found, chosen, problems, transactions))
    else:
        warn_problems(problems)
        say(_lines(found, chosen, transactions, verbose=config.get(options.VERBOSE)))
    return PENDING if config.get(options.EXIT_CODE) and _pending(found) else 0


def _pending(found: Plan) -> bool:
    """Whether a sync would write, now or after a wait."""
    return bool(found.units) or any(wait.seconds is not None for wait in found.waits)


def _held(found: Plan, chosen: Settings) -> bool:
    return not chosen.force and brake(found.removed, found.servers, chosen.brake) is Brake.SHUT


def _lines(found: Plan, chosen: Settings, transactions: int, *, verbose: bool) -> Iterator[str]:
    yield from difference_lines(found.differences, PLANNED, chosen.publisher.layout, verbose=verbose)
    changes = (change for unit in found.units for change in unit.changes)
    yield from beside_lines(changes, found.differences, chosen.publisher.tree, done=False)
    if not _pending(found):
        yield f"Nothing to change: {number(found.unchanged, 'key')} unchanged"
    else:
        yield f"{tally(found.differences, PLANNED, all_kinds=True)}, {found.unchanged} unchanged"
        yield _steps(found, transactions)
    for what, seconds in merged(found.waits):
        yield f"  waits {'' if seconds is None else span(seconds) + ' '}{safe(what)}"
    if _held(found, chosen):
        yield (
            f"the brake would hold {found.removed} of {number(found.servers, 'server')}: a sync without --force "
            "removes nothing"
        )


def _steps(found: Plan, transactions: int) -> str:
    first = f"{number(transactions, 'transaction')} now" if transactions else "nothing now"
    if not any(wait.seconds is not None for wait in found.waits):
        return f"in one step: {first}"
    return f"in several steps: {first}, the rest after waits"


def _json(found: Plan, chosen: Settings, problems: tuple[Problem, ...], transactions: int) -> Json:
    publisher = chosen.publisher
    return {
        "cluster": publisher.cluster,
        "layout": publisher.layout.name,
        "pending": _pending(found),
        "changes": differences_json(found.differences, publisher),
        "counts": counts_json(found.differences, found.unchanged),
        "transactions": transactions,
        "waits": waits_json(found.waits),
        "problems": problems_json(problems),
        "removed_servers": found.removed,
        "servers": found.servers,
        "held": _held(found, chosen),
    }
