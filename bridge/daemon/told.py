"""What the daemon says: one line an event, each problem once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from bridge.model.change import Create, Delete, Update
from bridge.model.keys import group_title
from bridge.model.problem import Problem
from bridge.ownership.plan import Difference, Plan, Unit
from bridge.ownership.steps import Wait

log = logging.getLogger("bridge")

_WORDS = {Create: "added", Update: "changed", Delete: "removed"}


def one_line(text: str) -> str:
    """`text` as one line without control characters: labels and keys are anybody's words."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class Told:
    """Says each problem and each wait when it is new."""

    def __init__(self) -> None:
        self._problems: frozenset[Problem] = frozenset()
        self._waits: frozenset[tuple[str, str]] = frozenset()
        self._planned: tuple[Difference, ...] = ()

    def problems(self, problems: Iterable[Problem]) -> None:
        """Those that were not there the last time, and those that are over."""
        now = frozenset(problems)
        for problem in sorted(now - self._problems):
            log.log(logging.INFO if problem.notice else logging.WARNING, "problem: %s", one_line(str(problem)))
        for problem in sorted(self._problems - now):
            log.info("problem over: %s", one_line(" ".join((problem.service, problem.label)).strip()))
        self._problems = now

    def waits(self, waits: Iterable[Wait]) -> None:
        """Those that are new."""
        named = {(group_title(wait.group), wait.what): wait for wait in waits}
        for title, what in sorted(named.keys() - self._waits):
            log.info("%s: waits %s", one_line(title), what)
        self._waits = frozenset(named)

    def dry_run(self, due: Plan) -> None:
        """What would be written, where that is new."""
        if due.differences != self._planned:
            for one in due.differences:
                verb = "add" if one.before is None else "remove" if one.after is None else "change"
                log.info("dry run: %s: would %s %s", one_line(one.service), verb, one_line(one.path))
        self._planned = due.differences


def say_written(due: Plan, why: str) -> None:
    """What was committed, a line a service, and why."""
    for unit in due.units:
        title = group_title(unit.group) if unit.group else "this cluster"
        log.info("%s: %s, %s, because %s", one_line(title), unit.why, _tally(unit), why)


def _tally(unit: Unit) -> str:
    counts = Counter(_WORDS[type(change)] for change in unit.changes)
    return ", ".join(f"{counts[word]} {word}" for word in _WORDS.values() if counts[word])
