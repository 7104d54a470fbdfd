"""The one thread that decides: it takes what came, settles, and makes one pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from queue import Empty, Queue

from schedule import Scheduler

from bridge.daemon.gate import Manners, RemovalGate
from bridge.daemon.told import Told, log, one_line, say_written
from bridge.daemon.wakes import FIRST_PAUSE, Broke, Feeder, News, Seen, Stop, Wake
from bridge.layouts import RouteLayout
from bridge.leases import REPLICA_TTL, Keeper
from bridge.model.change import Reading
from bridge.model.keys import Wish
from bridge.model.problem import Problem
from bridge.model.route import Route
from bridge.model.world import Snapshot
from bridge.ownership.plan import Plan
from bridge.routes import Judge, Policy
from bridge.sources.base import Source
from bridge.stores.base import Store, StoreError
from bridge.sync import lay_out, sync, with_standing
from bridge.writer import Settings, Writer

REREAD = 60  # seconds between two readings of all that stands: drift is found by then
SILENT = 120.0  # seconds: a thread that gave no sign for so long hangs
CHECKED = 5.0  # seconds between two looks at the threads
LONGEST_RETRY = 10.0  # seconds between two tries to reach a store that fails


class Loop:
    """One publisher of one cluster, for as long as the process lives."""

    def __init__(
        self,
        source: Callable[[], Source],
        store: Callable[[], Store],
        settings: Settings,
        policy: Policy,
        layout: RouteLayout,
        manners: Manners,
    ) -> None:
        """`source` and `store` open a client each time: every thread has one of its own."""
        self._open_source, self._open_store = source, store
        self.settings, self.policy, self.layout, self.manners = settings, policy, layout, manners
        self.wakes: Queue[Wake] = Queue()
        self.beat = time.monotonic()  # when the loop last gave a sign
        self.told, self.judge = Told(), Judge()
        self.clock = Scheduler()
        self.clock.every(REREAD).seconds.do(self._reread)
        self.snapshot: Snapshot | None = None
        self.wishes: Mapping[str, Wish] = {}
        self.laid: dict[str, tuple[Route, Wish]] = {}  # what each route comes to, kept for the next snapshot
        self.problems: tuple[Problem, ...] = ()
        self.why = "it starts"
        self.gate = RemovalGate(settings, manners)
        self.due_at: float | None = None  # when the next step of the plan is due
        self.retry_at, self.retry = 0.0, FIRST_PAUSE
        self.is_current = False  # the mirror follows the store
        self.writer: Writer | None = None
        self.watches: list[tuple[Feeder, Store]] = []
        self.second: Feeder | None = None
        self.follows = ""  # the replica that leads instead
        self.may_replace_namesake = True  # its own earlier process, once

    def stop(self) -> None:
        """End soon; from any thread."""
        self.wakes.put(Stop())

    def run(self) -> int:
        """The exit code, once it was stopped. Raises UsageError for another environment's cluster."""
        self.reader = self._feed_source()
        with closing(self._open_store()) as self.store, Keeper(self.store) as self.keeper:
            try:
                while self._take():
                    self._try()
            finally:
                self._end()
        return 0

    # What comes

    def _take(self) -> bool:
        """Wait for what comes next, and for the burst behind it to end; False when the process shall end."""
        wake = self._get(self._rest())
        until = time.monotonic() + self.manners.longest_settle
        while wake is not None:
            if isinstance(wake, Stop):
                return False
            settles = self._know(wake)
            left = until - time.monotonic()
            wake = self._get(min(self.manners.settle if settles else 0.0, left)) if left > 0 else None
        self.clock.run_pending()
        self._look_after_threads()
        return True

    def _get(self, seconds: float) -> Wake | None:
        self.beat = time.monotonic()
        try:
            return self.wakes.get(timeout=max(0.0, seconds)) if seconds > 0 else self.wakes.get_nowait()
        except Empty:
            return None

    def _rest(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        due = [at for at in (self.due_at, self.gate.second_at, self.gate.opens_at) if at is not None]
        if not self.is_current:
            due.append(self.retry_at)
        return max(0.0, min([CHECKED, self.clock.idle_seconds or 0.0, *(at - now for at in due)]))

    def _know(self, wake: Seen | News | Broke) -> bool:
        """Take it in; whether more of its kind is to be waited for."""
        match wake:
            case Seen(snapshot, again):
                if again:
                    self.gate.heard_again(agrees=snapshot == self.snapshot)
                return self._see(snapshot)
            case News(reading):
                return self._fold(reading)
            case Broke(name, error):
                log.warning("%s: %s", name, one_line(str(error)))
                self.is_current = self.is_current and not name.startswith("store")
                return False

    def _see(self, snapshot: Snapshot) -> bool:
        if snapshot == self.snapshot:
            return False
        if self.snapshot is None:
            log.info("source read: %d services", len(snapshot.services))
        self.snapshot, self.why = snapshot, "the source changed"
        self.gate.forget()
        verdicts = self.judge(snapshot, self.policy)
        wishes, problems = lay_out(verdicts, self.layout, self.policy.cluster, self.laid)
        self.wishes = with_standing(wishes, self.layout) if self.manners.backstop else wishes
        said = {problem for verdict in verdicts for problem in verdict.problems}
        self.problems = tuple({*snapshot.problems, *problems, *said})
        return True

    def _fold(self, reading: Reading) -> bool:
        """A watch's news; a whole reading from before our own last write is stale, and another will come."""
        if self.writer is None or not self.is_current:
            return False
        before = self.writer.mirror
        if reading.whole:
            side = before.tree if reading.prefix == before.tree.prefix else before.records
            if reading.revision < side.read_at:
                return False
        self.writer.fold(reading)
        after = self.writer.mirror
        if after.tree.held is before.tree.held and after.records.held is before.records.held:
            return False
        self.why = "the store changed"
        return True

    def _reread(self) -> None:
        self.is_current = False

    # Threads

    def _feed_source(self) -> Feeder:
        source = self._open_source()
        self.source = source
        return Feeder("source", lambda: map(Seen, source.changes()), self.wakes, again=True)

    def _look_after_threads(self) -> None:
        """A thread that ended or stands still is told and begun again."""
        if not self.reader.is_alive() or self.reader.silent_for() > SILENT:
            log.error("source: its thread stands still; it is begun again")
            self.reader.stop()
            self.source.close()
            self.reader = self._feed_source()
        if any(not feeder.is_alive() or feeder.silent_for() > SILENT for feeder, _ in self.watches):
            self.is_current = False
        if not self.keeper.is_alive():
            log.error("leases: its thread ended; it is begun again")
            self.keeper.restart()
        if self.gate.is_second_due():
            self.second = Feeder("second reading", self._read_again, self.wakes)

    def _read_again(self) -> Iterator[Wake]:
        with closing(self._open_source()) as source:
            yield Seen(source.read(), again=True)

    def _resync(self) -> Writer:
        """Read all afresh, and follow the store from there."""
        writer = self.writer or Writer(self.store, self.settings, time.monotonic)
        if self.snapshot is not None and self.snapshot.environment:
            writer.require_environment(self.snapshot.environment)
        writer.look()
        self.writer = writer
        for feeder, store in self.watches:
            feeder.stop()
            store.close()
        self.watches = [
            self._watch(writer, side.prefix, side.read_at) for side in (writer.mirror.records, writer.mirror.tree)
        ]
        self.is_current = True
        return writer

    def _watch(self, writer: Writer, prefix: str, after: int) -> tuple[Feeder, Store]:
        store = self._open_store()
        store.know(writer.families)
        return Feeder("store", lambda: map(News, store.watch(prefix, after)), self.wakes), store

    # A pass

    def _try(self) -> None:
        """One pass; where the store fails, again after a growing pause."""
        if not self.is_current and time.monotonic() < self.retry_at:
            return
        try:
            self._pass(self.writer if self.writer is not None and self.is_current else self._resync())
            self.retry = FIRST_PAUSE
        except StoreError as err:
            log.warning("store: %s; tries again in %.1f s", one_line(str(err)), self.retry)
            self.is_current = False
            self.retry_at = time.monotonic() + self.retry
            self.retry = min(2 * self.retry, LONGEST_RETRY)

    def _pass(self, writer: Writer) -> None:
        """Keep leases, lead, plan, brake, commit, and say what was done."""
        if self.snapshot is not None and self.snapshot.environment:
            writer.require_environment(self.snapshot.environment)
        if not self.manners.dry_run:
            self.keeper.adopt(writer.leases)
        if self.snapshot is None:
            return  # what stands is kept; nothing is known of what shall stand
        leads = not self.manners.dry_run and self._lead(writer)
        due = self._plan(writer, leads=leads)
        while leads and due.units and writer.commit(self.keeper, due, lambda *_: None):
            say_written(due, self.why)
            due = self._plan(writer, leads=leads)
        self.told.problems({*self.problems, *due.problems, *writer.problems})
        self.told.waits(due.waits if leads else ())
        if self.manners.dry_run:
            self.told.dry_run(due)
        seconds = [wait.seconds for wait in due.waits if wait.seconds is not None]
        again = 0.0 if leads and due.units else min(seconds, default=None)
        self.due_at = None if again is None or not leads else time.monotonic() + again
        self.why = "its time came"

    def _plan(self, writer: Writer, *, leads: bool) -> Plan:
        due = writer.plan(self.wishes, hold=False)
        if leads and self.gate.holds(due):
            return writer.plan(self.wishes, hold=True)
        return due

    def _lead(self, writer: Writer) -> bool:
        """Whether this process leads, or comes to lead now."""
        held, leader = writer.leader()
        if writer.leads:
            return True
        if (
            self.may_replace_namesake
            and leader is not None
            and held is not None
            and leader.name == self.settings.replica
        ):
            writer.takes_over = held.revision
        self.may_replace_namesake = False
        if held is not None and held.lease is None and time.monotonic() - held.since > REPLICA_TTL:
            writer.take_over_forged()
        if writer.lead(self.keeper):
            log.info("leads cluster %s as replica %s", writer.publisher.cluster, self.settings.replica)
            self.follows = ""
            return True
        other = writer.other_leader()
        if other and other != self.follows:
            log.info("follows: replica %s leads cluster %s", one_line(other), writer.publisher.cluster)
        self.follows = other
        return False

    def _end(self) -> None:
        """Give the leadership back, and the routes to their lease, or take them along."""
        self.reader.stop()
        self.source.close()
        for feeder, store in self.watches:
            feeder.stop()
            store.close()
        if self.writer is None or self.manners.dry_run:
            return
        leads = self.writer.leads
        self.writer.step_down()
        if self.manners.leave_on_exit and leads:
            settings = replace(self.settings, leaving=True, environment=self.writer.environment)
            report = sync({}, self.store, settings)
            log.info("left: %d keys in %d transactions", len(report.written), report.transactions)
