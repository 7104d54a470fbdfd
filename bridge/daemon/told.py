"""What the daemon says: one line an event, each problem once."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable
from threading import Lock

from bridge.model.change import Change, Create, Delete, Update
from bridge.model.keys import group_title
from bridge.model.problem import Problem
from bridge.ownership.plan import Difference, Plan
from bridge.ownership.steps import Wait

log = logging.getLogger("bridge")

SAID_AGAIN = 600.0  # seconds after which a failure that stays is said once more

_WORDS = {Create: "added", Update: "changed", Delete: "removed"}


def one_line(text: str) -> str:
    """`text` as one line without control characters: labels and keys are anybody's words."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class Known:
    """The problems of a process's publishers: those of a source are said once, however many publish it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._problems: dict[object, frozenset[Problem]] = {}  # by whose they are

    def tell(self, whose: object, problems: Iterable[Problem]) -> None:
        """Those that nobody had, and those that nobody has any more."""
        with self._lock:
            before = self._all()
            self._problems[whose] = frozenset(problems)
            now = self._all()
        for problem in sorted(now - before):
            level = logging.INFO if problem.notice else logging.WARNING
            log.log(level, "%s: %s", problem.kind, one_line(str(problem)))
        for problem in sorted(before - now):
            log.info("%s over: %s", problem.kind, one_line(" ".join((problem.service, problem.label)).strip()))

    def _all(self) -> frozenset[Problem]:
        return frozenset().union(*self._problems.values())


class Told:
    """Says each problem and each wait when it is new."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._waits: frozenset[tuple[str, str]] = frozenset()
        self._planned: tuple[Difference, ...] = ()
        self._broken: dict[str, tuple[str, float, float]] = {}  # what was last said of whom, when, and since when

    def broke(self, who: str, why: str, pause: float | None = None) -> None:
        """Somebody failed, and tries again in so many seconds: said when it is new, and then now and then."""
        now = time.monotonic()
        said, when, since = self._broken.get(who, ("", 0.0, now))
        if why != said or now - when >= SAID_AGAIN:
            then = "" if pause is None else f"; tries again in {pause:.1f} s"
            log.warning("%s: %s%s", who, one_line(why).removesuffix("." if then else ""), then)
            when = now
        self._broken[who] = why, when, since

    def well(self, who: str) -> None:
        """Somebody works; said where it failed before."""
        if who in self._broken:
            _, _, since = self._broken.pop(who)
            log.info("%s: well again, after %.0f s", who, time.monotonic() - since)

    def problems(self, problems: Iterable[Problem]) -> None:
        """Those that were not there the last time, and those that are over."""
        self._known.tell(self, problems)

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


def say_written(due: Plan, written: Iterable[Change], why: str) -> None:
    """What of a plan was committed, a line a service, and why."""
    happened = set(written)
    for unit in due.units:
        changes = [change for change in unit.changes if change in happened]
        if changes:
            title = group_title(unit.group) if unit.group else "this cluster"
            log.info("%s: %s, %s, because %s", one_line(title), unit.why, _tally(changes), why)


def _tally(changes: Iterable[Change]) -> str:
    counts = Counter(_WORDS[type(change)] for change in changes)
    return ", ".join(f"{counts[word]} {word}" for word in _WORDS.values() if counts[word])
