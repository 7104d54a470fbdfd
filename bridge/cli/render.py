"""What is printed: lines for people, one JSON object for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum

import click

from bridge.config import Output
from bridge.model.change import Change, Create, Delete, Update
from bridge.model.keys import Layout, Publisher, group_title
from bridge.model.problem import BridgeError, Problem
from bridge.ownership.differences import Difference
from bridge.ownership.steps import Wait
from bridge.report import Outcome, Report
from bridge.sources.base import Place
from bridge.views.words import Json, number, problems_json, safe, shown

PLANNED, DONE = ("to add", "to change", "to remove"), ("added", "changed", "removed")
MARKS = (("+", "green"), ("~", "yellow"), ("-", "red"))
NAMED = 3  # services of one wait that are named


class Level(Enum):
    """How bad something is, as GitHub's workflows call it."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


def github_line(level: Level, title: str, text: str, place: Place | None) -> str:
    """A command of GitHub's workflows, which shows `text` at the place in the file. Escaped as GitHub unescapes it."""
    properties = {"title": title}
    if place:
        properties = {"file": place.file, "line": str(place.line)} | properties
    said = ",".join(f"{name}={_github_property(value)}" for name, value in properties.items())
    return f"::{level.value} {said}::{_github_text(text)}"


def _github_text(text: str) -> str:
    return safe(text).replace("%", "%25")  # no line's end is left


def _github_property(text: str) -> str:
    return _github_text(text).replace(":", "%3A").replace(",", "%2C")


def say(lines: Iterable[str]) -> None:
    """Print on stdout."""
    for line in lines:
        click.echo(line)


def say_json(value: Json) -> None:
    """Print the one object, with sorted keys."""
    click.echo(json.dumps(value, indent=2, sort_keys=True))


def say_each_json(values: Sequence[Json]) -> None:
    """Print an object a layout: the one, or an array of them."""
    say_json(values[0] if len(values) == 1 else values)


def heading(publisher: Publisher) -> str:
    """What stands above the lines of one layout where several are published."""
    return f"{publisher.layout.name} below {safe(publisher.tree)}"


def warn(line: str) -> None:
    """Print one line on stderr."""
    click.echo(safe(line), err=True)


def warn_problems(problems: Iterable[Problem]) -> None:
    """A line each on stderr."""
    for problem in problems:
        warn(f"{problem.kind}: {problem}")


# Differences


def _kind(difference: Difference) -> int:
    """0: it comes, 1: it changes, 2: it goes; as in PLANNED, DONE and MARKS."""
    return 0 if difference.before is None else 2 if difference.after is None else 1


def tally(differences: Iterable[Difference], words: Sequence[str], *, all_kinds: bool = False) -> str:
    """3 added, 1 changed; with `all_kinds` those too of which there is none."""
    counts = [0, 0, 0]
    for difference in differences:
        counts[_kind(difference)] += 1
    return ", ".join(f"{count} {word}" for count, word in zip(counts, words, strict=True) if count or all_kinds)


def difference_lines(
    differences: Iterable[Difference], words: Sequence[str], layout: Layout, *, verbose: bool
) -> Iterator[str]:
    """One line a service, with `verbose` one a key below it."""
    services: dict[str, list[Difference]] = {}
    for difference in differences:
        services.setdefault(difference.service, []).append(difference)
    width = max(map(len, services), default=0)
    for name, its in sorted(services.items()):
        yield f"{safe(name):<{width}}  {tally(its, words)}"
        if verbose:
            yield from (f"  {_key_line(one, layout)}" for one in its)


def _key_line(difference: Difference, layout: Layout) -> str:
    mark, colour = MARKS[_kind(difference)]
    text = safe(difference.path)
    before, after = _values(difference, layout)
    if before is None:
        text += f" = {safe(after or '')}"
    elif after is not None:
        text += f": {safe(before)} -> {safe(after)}"
    return f"{click.style(mark, fg=colour)} {text}"


def _values(difference: Difference, layout: Layout) -> tuple[str | None, str | None]:
    """Before and after, as they are shown."""
    before, after = difference.before, difference.after
    return (
        None if before is None else shown(layout, difference.path, before),
        None if after is None else shown(layout, difference.path, after),
    )


def beside_lines(changes: Iterable[Change], differences: Iterable[Difference], tree: str, *, done: bool) -> list[str]:
    """What is written beside `differences`: keys that only move; records, where nothing else is written."""
    known = {tree + one.path for one in differences}
    changed = {change.key: change for change in changes}
    moved = [
        key for key, one in changed.items() if isinstance(one, Update) and key.startswith(tree) and key not in known
    ]
    records = [key for key in changed if not key.startswith(tree)]
    lines = [f"{number(len(moved), 'key')} {'' if done else 'to be '}moved to another lease"] if moved else []
    if records and not moved and not known:
        lines.append(f"{number(len(records), 'record')} of the bridge {'' if done else 'to be '}written")
    return lines


def differences_json(differences: Iterable[Difference], publisher: Publisher) -> Json:
    """Each with its whole key; `before` or `after` is null where it does not stand."""
    found: list[Json] = []
    for one in differences:
        before, after = _values(one, publisher.layout)
        action = ("add", "change", "remove")[_kind(one)]
        key = publisher.tree + one.path
        found.append({"action": action, "service": one.service, "key": key, "before": before, "after": after})
    return found


def counts_json(differences: Iterable[Difference], unchanged: int) -> Json:
    """How many keys, by what becomes of them."""
    kinds = [_kind(one) for one in differences]
    return {"added": kinds.count(0), "changed": kinds.count(1), "removed": kinds.count(2), "unchanged": unchanged}


# Waits


def merged(waits: Iterable[Wait]) -> list[tuple[str, float | None]]:
    """What is waited for, groups that wait for the same together, and how long; the longest counts."""
    same: dict[str, list[Wait]] = {}
    for wait in waits:
        same.setdefault(wait.what, []).append(wait)
    found = []
    for what, its in same.items():
        seconds = [wait.seconds for wait in its if wait.seconds is not None]
        found.append(
            (_about(what, sorted({group_title(wait.group) for wait in its if wait.group})), max(seconds, default=None))
        )
    return found


def _about(what: str, groups: Sequence[str]) -> str:
    """`what` with the services in the place of "it", or behind it."""
    if not groups:
        return what
    names = list(groups[:NAMED])
    if len(groups) > NAMED:
        names.append(number(len(groups) - NAMED, "other"))
    text = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    told, found = re.subn(r"\bit\b", lambda _: text, what, count=1)
    return told if found else f"{what} ({text})"


def waits_json(waits: Iterable[Wait]) -> Json:
    """`seconds` is null where another has to act first."""
    return [{"group": wait.group, "what": wait.what, "seconds": wait.seconds} for wait in waits]


# A pass


def say_reports(
    passes: Sequence[tuple[Report, Publisher]],
    failures: Mapping[str, BridgeError],
    output: Output,
    *,
    verbose: bool,
    nothing: Callable[[Report], str],
) -> int:
    """Print what a pass a layout did, `nothing` where it did nothing; the exit code, of the first that did not end.

    `failures`: why a layout, by its name, has no pass.
    """
    if output is Output.JSON:
        values = [_report_json(report, publisher) for report, publisher in passes]
        say_json(values) if failures else say_each_json(values)
    else:
        warn_problems(sorted({problem for report, _ in passes for problem in report.problems}))
        for report, publisher in passes:
            say([heading(publisher)] if len(passes) + len(failures) > 1 else [])
            say(_report_lines(report, publisher, verbose=verbose, nothing=nothing(report)))
    for report, _ in passes:
        warn_outcome(report)
    for name, error in failures.items():
        warn(f"bridge: {name}: {error}")
    codes = (*(error.exit_code for error in failures.values()), *(report.outcome.exit_code for report, _ in passes))
    return next(filter(None, codes), 0)


def warn_outcome(report: Report) -> None:
    """Say on stderr why a pass did not end."""
    if report.outcome is Outcome.HELD:
        warn(
            f"bridge: the brake held {report.held} of {number(report.servers, 'server')} of cluster {report.cluster} "
            "that the source has no more; all else went. If the source is right, sync with --force"
        )
    elif report.outcome is Outcome.FOLLOWS:
        wrote = "nothing was written" if not report.written else "the rest was not written"
        warn(
            f"bridge: replica {report.leader!r} leads cluster {report.cluster}: {wrote}; "
            "end it, or try again when it has ended"
        )


def _done(report: Report, publisher: Publisher) -> list[Difference]:
    """What was found and written."""
    written = {change.key for change in report.written}
    return [one for one in report.differences if publisher.tree + one.path in written]


def _report_lines(report: Report, publisher: Publisher, *, verbose: bool, nothing: str) -> Iterator[str]:
    layout, done, left = publisher.layout, _done(report, publisher), report.left
    yield from difference_lines(done, DONE, layout, verbose=verbose)
    if left:
        yield "Not done:"
        yield from difference_lines(left, PLANNED, layout, verbose=verbose)
    yield from (f"left: {safe(what)}" for what, _ in merged(report.waits))
    yield from beside_lines(report.written, report.differences, publisher.tree, done=True)
    took = f"{report.seconds:.2f} s"
    if not report.written and not left:
        yield f"{nothing} ({took})"
        return
    counts = f"{tally(done, DONE, all_kinds=True)}, {report.unchanged} unchanged"
    yield f"{counts}; {number(report.transactions, 'transaction')} in {took}"


def _report_json(report: Report, publisher: Publisher) -> Json:
    done = _done(report, publisher)
    return {
        "cluster": report.cluster,
        "layout": report.layout,
        "outcome": report.outcome.name.lower(),
        "changes": differences_json(done, publisher),
        "left": differences_json(report.left, publisher),
        "counts": counts_json(done, report.unchanged),
        "written": _written_json(report),
        "transactions": report.transactions,
        "problems": problems_json(report.problems),
        "waits": waits_json(report.waits),
        "leader": report.leader,
        "held": report.held,
        "servers": report.servers,
        "seconds": round(report.seconds, 3),
    }


def _written_json(report: Report) -> Json:
    """Every key that was written or deleted, the bridge's own records among them."""
    actions: dict[type, str] = {Create: "create", Delete: "delete"}
    return [{"action": actions.get(type(change), "update"), "key": change.key} for change in report.written]
