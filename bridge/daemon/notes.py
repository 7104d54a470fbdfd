"""What a loop notes down while it works, from which its status is made. Used by the loop's thread."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.daemon.gate import RemovalGate
from bridge.daemon.status import BUCKETS, Counts, Decided, Result, Status, Sync, Touched, Trouble
from bridge.model.change import Change, Create, Delete, Update
from bridge.model.keys import group_title
from bridge.model.problem import Problem
from bridge.ownership.plan import Plan
from bridge.report import Outcome, Report
from bridge.writer import Writer

KEPT = 3600.0  # seconds that a pass which wrote is remembered …
MOST = 500  # … and how many are, …
NAMED = 50  # … each with the first so many services
SOURCES = ("source", "second reading")  # threads that read the source; all others are of the store
KINDS = {Create: "added", Update: "changed", Delete: "removed"}  # how a change is called
_OUTCOMES = {Result.HELD: Outcome.HELD, Result.FOLLOWS: Outcome.FOLLOWS}


@dataclass(frozen=True, slots=True)
class Planned:
    """What a pass found and left."""

    first: Plan
    last: Plan
    held: Plan | None  # whose removals wait
    problems: frozenset[Problem]
    decided: Decided
    leads: bool
    leader: str  # the replica that leads instead


class Notes:
    """`status` is replaced as a whole, so that any thread may read it."""

    def __init__(self, status: Status) -> None:
        self.status = status
        self._passes = Counter(dict.fromkeys(Result, 0))
        self._changes = Counter(dict.fromkeys(KINDS.values(), 0))
        self._errors = Counter({"source": 0, "store": 0})
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._syncs: deque[Sync] = deque(maxlen=MOST)
        self._problems: tuple[frozenset[Problem], tuple[Problem, ...]] = (frozenset(), ())  # as last found, and sorted
        self._began = 0.0
        self._written: list[Change] = []
        self._touched: list[Touched] = []
        self._why = ""
        self._planned: Planned | None = None

    # What the loop hears

    def source_read(self) -> None:
        """The source answered, whether or not with something new."""
        self.status = replace(self.status, read_at=time.time(), source=None)

    def broke(self, who: str, why: str) -> None:
        """A thread or a pass failed, of the source or of the store."""
        side = "source" if who in SOURCES else "store"
        self._errors[side] += 1
        before = self.status.source if side == "source" else self.status.store
        trouble = Trouble(why, before.since if before else time.time())
        counts = replace(self.status.counts, errors=dict(self._errors))
        if side == "source":
            self.status = replace(self.status, source=trouble, counts=counts)
        else:
            self.status = replace(self.status, store=trouble, counts=counts)

    # One pass

    def begin(self) -> None:
        """A pass begins."""
        self._began, self._written, self._touched, self._planned = time.monotonic(), [], [], None
        self._why = ""

    def wrote(self, due: Plan, written: Sequence[Change], why: str) -> None:
        """A commit, or a part of one, happened. `why`: what moved it."""
        self._why = why
        happened = set(written)
        self._written += written
        self._changes.update(KINDS[type(one)] for one in written if one.key.startswith(self.status.tree))
        for unit in due.units:
            its = Counter(KINDS[type(change)] for change in unit.changes if change in happened)
            if its and len(self._touched) < NAMED:
                self._touched.append(Touched(group_title(unit.group) if unit.group else "this cluster", unit.why, its))

    def planned(self, planned: Planned) -> None:
        """What the pass found and left; said once in each that had a snapshot."""
        self._planned = planned

    def end(self, writer: Writer | None, gate: RemovalGate, *, failed: bool) -> None:
        """The pass is over. `writer`: the hand on the store, where one could be had."""
        before, now = self.status, time.time()
        result, seconds = self._result(failed=failed), time.monotonic() - self._began
        if result is not None:
            self._count(result, seconds, now)
        opens_at = gate.opens_at
        self.status = replace(
            before,
            report=self._report(result, seconds) or before.report,
            decided=self._planned.decided if self._planned else before.decided,
            mirror=writer.mirror if writer else before.mirror,
            leads=writer.leads if writer else False,
            is_shut=gate.is_shut,
            opens_at=None if opens_at is None else now + opens_at - time.monotonic(),
            store=before.store if failed else None,
            synced_at=now if result is not None and not failed else before.synced_at,
            syncs=tuple(self._syncs),
            counts=Counts(
                dict(self._passes),
                dict(self._changes),
                writer.conflicts if writer else before.counts.conflicts,
                dict(self._errors),
                tuple(self._buckets),
                self._seconds,
            ),
        )

    def _result(self, *, failed: bool) -> Result | None:
        """None where there was nothing to plan from yet."""
        if failed:
            return Result.FAILED
        planned = self._planned
        if planned is None:
            return None
        if not planned.leads and not self.status.dry_run:
            return Result.FOLLOWS
        if planned.held is not None:
            return Result.HELD
        return Result.WROTE if self._written else Result.UNCHANGED

    def _count(self, result: Result, seconds: float, now: float) -> None:
        self._passes[result] += 1
        if self._written:
            self._buckets[bisect_left(BUCKETS, seconds)] += 1
            self._seconds += seconds
        if self._written or result is Result.FAILED:
            self._syncs.append(Sync(now, seconds, result, self._why, tuple(self._touched), len(self._written)))
        while self._syncs and self._syncs[0].at < now - KEPT:
            self._syncs.popleft()

    def _report(self, result: Result | None, seconds: float) -> Report | None:
        planned = self._planned
        if planned is None or result is None:
            return None
        if planned.problems != self._problems[0]:
            self._problems = planned.problems, tuple(sorted(planned.problems))
        held = planned.held
        return Report(
            cluster=self.status.cluster,
            layout=self.status.layout,
            outcome=_OUTCOMES.get(result, Outcome.DONE),
            problems=self._problems[1],
            differences=planned.first.differences,
            unchanged=planned.first.unchanged,
            left=held.differences if held else planned.last.differences,
            verdicts=planned.decided.verdicts,
            written=tuple(self._written),
            waits=planned.last.waits,
            leader=planned.leader,
            held=held.removed if held else 0,
            servers=planned.first.servers,
            seconds=seconds,
        )
