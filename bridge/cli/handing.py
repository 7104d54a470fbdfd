"""What `adopt` and `release` have in common: keys change hands, and each is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import click

from bridge import config as options
from bridge.cli.naming import service_title
from bridge.cli.render import (
    DONE,
    PLANNED,
    difference_lines,
    differences_json,
    heading,
    merged,
    say,
    say_each_json,
    waits_json,
    warn,
    warn_outcome,
    warn_problems,
)
from bridge.cli.wiring import Site
from bridge.config import Config, Output
from bridge.model.keys import Publisher
from bridge.model.problem import Problem, UsageError
from bridge.ownership.adopt import Fate, Handed
from bridge.ownership.differences import Difference
from bridge.ownership.plan import Plan
from bridge.report import Report
from bridge.views.words import Json, number, problems_json, safe, shown, span

MARKS = {Fate.STAYS: ("=", "green"), Fate.CHANGES: ("~", "yellow"), Fate.GOES: ("-", "red"), Fate.LEFT: ("!", "cyan")}


@dataclass(frozen=True, slots=True)
class Handing:
    """What changes hands in one layout, and what came of it."""

    publisher: Publisher
    keys: tuple[Handed, ...]
    found: Plan | None = None  # what would be done; None: nothing
    report: Report | None = None  # what was done; None: nothing
    problems: tuple[Problem, ...] = ()

    @property
    def beside(self) -> tuple[Difference, ...]:
        """What changes besides the keys that change hands."""
        known = {one.path for one in self.keys}
        all_of_it = self.report.differences if self.report else self.found.differences if self.found else ()
        return tuple(one for one in all_of_it if one.path not in known)

    def is_done(self, one: Handed) -> bool:
        """Whether what was to become of the key was written."""
        if self.report is None:
            return False
        left = {difference.path for difference in self.report.left}
        written = {change.key for change in self.report.written}
        return one.fate is not Fate.LEFT and one.path not in left and self.publisher.tree + one.path in written


def in_trees(names: Sequence[str], sites: Collection[Site]) -> dict[str, str]:
    """The tree of each name that is a whole key below one; the others are stack/service. Raises UsageError."""
    found = {}
    for name in names:
        for site in sites:
            if name.startswith(tuple(site.tree + folder for folder in site.layout.folders)):
                found[name] = site.tree
        if name not in found and service_title(name).count("/") != 1:
            example = f"{next(iter(sites)).tree}{next(iter(sites)).layout.folders[0]}…"
            raise UsageError("argument", name, f"use STACK/SERVICE, or a whole key such as {example}")
    return found


def say_handing(config: Config, done: Sequence[Handing], nothing: str, what: str) -> int:
    """Print what changes hands; the exit code. `what`: the verb, as adopt."""
    dry = config.get(options.DRY_RUN)
    if config.get(options.OUTPUT) is Output.JSON:
        say_each_json([_json(one, dry=dry) for one in done])
    else:
        warn_problems(sorted({problem for one in done for problem in one.problems}))
        for one in done:
            say([heading(one.publisher)] if len(done) > 1 else [])
            say(_lines(one, dry=dry, nothing=nothing, what=what))
    reports = [one.report for one in done if one.report is not None]
    for report in reports:
        warn_outcome(report)
        if report.leader:
            warn(f"a bridge that was stopped leaves its routes for its TTL: stop it, {what}, and start it again")
    return next((code for report in reports if (code := report.outcome.exit_code)), 0)


def _lines(one: Handing, *, dry: bool, nothing: str, what: str) -> Iterator[str]:
    if not one.keys:
        yield nothing
        return
    services: dict[str, list[Handed]] = {}
    for handed in one.keys:
        services.setdefault(handed.service, []).append(handed)
    for name, its in sorted(services.items()):
        counts = Counter(handed.fate for handed in its)
        told = (f"{counts[fate]} {_word(fate, counts[fate])}" for fate in Fate if counts[fate])
        yield f"{safe(name)}  {', '.join(told)}"
        yield from (f"  {_key_line(one, handed, dry=dry)}" for handed in its)
    if one.beside:
        yield "Beside them:"
        yield from difference_lines(one.beside, PLANNED if dry else DONE, one.publisher.layout, verbose=True)
    taken = [handed for handed in one.keys if handed.fate is not Fate.LEFT]
    if dry:
        yield f"{number(len(taken), 'key')} to {what}; nothing was written"
        waits = one.found.waits if one.found else ()
        yield from (
            f"  waits {'' if seconds is None else span(seconds) + ' '}{safe(text)}" for text, seconds in merged(waits)
        )
        return
    done = sum(one.is_done(handed) for handed in taken)
    took = f"; {number(one.report.transactions, 'transaction')} in {one.report.seconds:.2f} s" if one.report else ""
    yield f"{what}: {done} of {number(len(taken), 'key')} done{took}"
    if one.report:
        yield from (f"left: {safe(text)}" for text, _ in merged(one.report.waits))


def _word(fate: Fate, count: int) -> str:
    return fate.value if count == 1 else {Fate.STAYS: "stay", Fate.CHANGES: "change", Fate.GOES: "go"}.get(fate, "left")


def _key_line(one: Handing, handed: Handed, *, dry: bool) -> str:
    mark, colour = MARKS[handed.fate]
    layout = one.publisher.layout
    text = f"{click.style(mark, fg=colour)} {safe(one.publisher.tree + handed.path)}"
    before = safe(shown(layout, handed.path, handed.held.value))
    if handed.fate is Fate.CHANGES and handed.after is not None:
        text += f": {before} -> {safe(shown(layout, handed.path, handed.after))}"
    else:
        text += f" = {before}"
    if handed.why:
        text += f"  ({safe(handed.why)})"
    elif not dry and not one.is_done(handed):
        text += "  (not done)"
    return text


def _json(one: Handing, *, dry: bool) -> Json:
    publisher, report = one.publisher, one.report
    waits = report.waits if report else one.found.waits if one.found else ()
    return {
        "cluster": publisher.cluster,
        "layout": publisher.layout.name,
        "outcome": report.outcome.name.lower() if report else "planned" if dry else "done",
        "keys": [
            {
                "service": handed.service,
                "key": publisher.tree + handed.path,
                "fate": handed.fate.value,
                "before": shown(publisher.layout, handed.path, handed.held.value),
                "after": None if handed.after is None else shown(publisher.layout, handed.path, handed.after),
                "why": handed.why,
                "done": one.is_done(handed),
            }
            for handed in one.keys
        ],
        "changes": differences_json(one.beside, publisher),
        "transactions": report.transactions if report else 0,
        "leader": report.leader if report else "",
        "waits": waits_json(waits),
        "problems": problems_json(one.problems),
    }
