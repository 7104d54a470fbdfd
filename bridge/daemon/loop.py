"""The one thread that decides: it takes what came, settles, and makes one pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from queue import Empty, Queue

from schedule import Scheduler

from bridge.daemon.gate import Manners, RemovalGate
from bridge.daemon.lead import Leadership
from bridge.daemon.link import LEASES, WATCH, Link
from bridge.daemon.logs import about, facts, log
from bridge.daemon.notes import Notes, Planned
from bridge.daemon.poison import PoisonWatch
from bridge.daemon.rules import Rules
from bridge.daemon.status import Decided, Pulse, Status, Vitals
from bridge.daemon.told import Known, Told
from bridge.daemon.wakes import Broke, Feeder, News, Reread, Seen, Stop, Wake
from bridge.daemon.wanted import Wanted
from bridge.layouts import RouteLayout
from bridge.ownership.plan import Plan
from bridge.routes import Policy
from bridge.sources.base import Source, TellsHosts
from bridge.stores.base import Store, StoreError
from bridge.sync import sync
from bridge.writer import Settings, Writer

REREAD = 60  # seconds between two readings of all that stands: drift is found by then
SILENT = 120.0  # seconds: a thread that gave no sign for so long hangs
CHECKED = 5.0  # seconds between two looks at the threads, and at files that hold secrets, where nothing happens
OTHERWISE = "its options changed"  # why something is written


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
        known: Known | None = None,
    ) -> None:
        """`source` and `store` open a client each time: every thread has one of its own.

        `known`: the problems that are known, where other loops of the process say theirs too.
        """
        self._open_source, self._open_store = source, store
        self.settings, self.manners, self.layout, self.policy = settings, manners, layout, policy
        self.wakes: Queue[Wake] = Queue()
        self.beat = time.monotonic()  # when the loop last gave a sign
        self.wanted = Wanted(policy, layout, standing=manners.standing)
        self.told = Told(known or Known(), settings.publisher, self.wanted.roll)
        self.poison = PoisonWatch(layout)
        self.gate, self.leadership = RemovalGate(settings, manners), Leadership(settings)
        self.clock = Scheduler()
        self.clock.every(REREAD).seconds.do(self._reread)
        self.why = "it starts"
        self.due_at: float | None = None  # when the next step of the plan is due
        self.second: Feeder | None = None
        self.tells_hosts = False  # the source is to tell them: something of them is drained
        self.held: Plan | None = None  # whose removals wait
        publisher, dry_run = settings.publisher, manners.dry_run
        self.notes = Notes(Status(publisher.cluster, layout.name, settings.replica, publisher.tree, dry_run))
        self.has_begun = False  # its link and its reader are there

    def stop(self) -> None:
        """End soon; from any thread."""
        self.wakes.put(Stop())

    def reread(self, rules: Rules | None) -> None:
        """Read secrets again, and go by these rules soon, where there are any; from any thread."""
        self.wakes.put(Reread(rules))

    @property
    def status(self) -> Status:
        """What it last knew; from any thread."""
        return self.notes.status

    def vitals(self) -> Vitals:
        """Signs of life; from any thread, waits for nothing."""
        now = time.monotonic()
        if not self.has_begun:
            return Vitals(now - self.beat, (), {})
        link, reader = self.link, self.reader
        # Twice as long as the loop waits before it begins a thread again.
        source = Pulse("source", reader.is_alive(), reader.silent_for(), 2 * SILENT)
        leases = {name: now - at for name, at in link.keeper.renewed.items()}
        return Vitals(now - self.beat, (source, *link.pulses(2 * SILENT)), leases, link.keeper.lost)

    def run(self) -> int:
        """The exit code, once it was stopped. Raises UsageError for another environment's cluster."""
        publisher = self.settings.publisher
        with about(cluster=publisher.cluster, layout=publisher.layout.name):
            self.link = Link(self._open_store, self.settings, self.wakes)
            self.reader = self._feed_source()
            self.has_begun = True
            try:
                while self._take():
                    self._try()
            finally:
                self._end()
        return 0

    # What comes

    def _take(self) -> bool:
        """Wait for what comes next, and for the burst behind it to end; False when the process shall end.

        Of several worlds only the newest is judged: those that came during a slow commit are past.
        """
        newest: Seen | None = None
        wake = self._get(self._rest())
        until = time.monotonic() + self.manners.longest_settle
        while wake is not None:
            if isinstance(wake, Stop):
                return False
            newest = wake if isinstance(wake, Seen) and not wake.again else newest
            settles = self._know(wake)
            left = until - time.monotonic()
            wake = self._get(min(self.manners.settle if settles else 0.0, left)) if left > 0 else None
        is_first, is_blind = self.wanted.is_new, self.wanted.snapshot is None
        if newest is not None and not self._is_stale(newest) and self.wanted.see(newest.snapshot):
            self.why = "it starts" if is_first else OTHERWISE if is_blind else "the source changed"
            self.gate.forget()
        self._run_clock()
        self.link.look_at_secrets()
        self._look_after_threads()
        return True

    def _get(self, seconds: float) -> Wake | None:
        self._give_sign()
        try:
            return self.wakes.get(timeout=max(0.0, seconds)) if seconds > 0 else self.wakes.get_nowait()
        except Empty:
            return None

    def _give_sign(self) -> None:
        self.beat = time.monotonic()

    def _rest(self) -> float:
        """Seconds until something is due."""
        link, gate = self.link, self.gate
        # While the store is away no step can be taken, however long it has been due.
        of_store: tuple[float | None, ...]
        of_store = (self.due_at, gate.opens_at, self.leadership.due_at) if link.is_current else (link.retry_at,)
        due = [at for at in (gate.second_at, *of_store) if at is not None]
        idle: float = self.clock.idle_seconds or 0.0
        now = time.monotonic()
        rest: float = min([CHECKED, idle, *(at - now for at in due)])
        return max(0.0, rest)

    def _is_stale(self, seen: Seen) -> bool:
        """Whether a source read it that was closed since: it may lack what is looked at now."""
        return seen.source is not None and seen.source is not self.source

    def _know(self, wake: Seen | News | Broke | Reread) -> bool:
        """Take it in; whether more of its kind is to be waited for."""
        match wake:
            case Seen() if self._is_stale(wake):
                return False
            case Seen(snapshot, again):
                if again:  # it confirms or does not: a source that was just opened cannot tell an older document
                    agrees = snapshot == self.wanted.snapshot
                    self.gate.heard_again(agrees=agrees)
                    self.why = "the source said it twice" if agrees else self.why
                    return False
                is_new = snapshot != self.wanted.snapshot
                what = "it shows another world" if is_new else "nothing changed there"
                log.debug("source: it was read: %s", what, extra=facts("heard", what="source", reason=what))
                self.told.well("source")
                self.notes.source_read()
                self.leadership.sees()
                self.gate.hears()
                return is_new
            case News(reading):
                self.told.well(WATCH)
                if not self.link.fold(reading):
                    return False
                self.why = "the store changed"
                return True
            case Reread(rules):
                self.link.look_at_secrets(asked=True)
                if rules is not None:
                    self._obey(rules)
            case Broke(name, error):
                self.told.broke(name, str(error))
                self.notes.broke(name, str(error))
                if name == WATCH:
                    self.link.pause()
                elif name == LEASES:
                    self.link.reread()  # by the next pass, which opens another client where this one was shut out
                elif name == "source":
                    self.leadership.is_blind()
        return False

    def _obey(self, rules: Rules) -> None:
        """Judge and behave by other rules. Where they look at more than the source was asked for, it is read again."""
        before, now = self.policy, rules.policy
        blind = before.named != now.named or before.address is not now.address
        self.policy, self.layout, self.manners = now, rules.layout, rules.manners
        self.settings = replace(self.settings, brake=rules.brake)
        self.gate.obey(self.settings, self.manners)
        self.wanted.obey(now, self.layout, blind=blind)
        self._open_source = rules.open_source
        self.why = OTHERWISE
        if blind:
            self.due_at = None  # until then nothing is planned
            self._feed_source_anew()

    def _run_clock(self) -> None:
        if (self.clock.idle_seconds or 0.0) > REREAD:  # it goes by the time of day, and that was set back
            self.clock.clear()
            self.clock.every(REREAD).seconds.do(self._reread)
        self.clock.run_pending()

    def _reread(self) -> None:
        self.link.reread()

    # Threads

    def _feed_source(self) -> Feeder:
        source = self.source = self._opened_source()
        return Feeder("source", lambda: (Seen(one, source=source) for one in source.changes()), self.wakes, again=True)

    def _opened_source(self) -> Source:
        source = self._open_source()
        if self.tells_hosts and isinstance(source, TellsHosts):
            source.tell_hosts()
        return source

    def _feed_source_anew(self) -> None:
        self.reader.stop()
        self.source.close()
        self.reader = self._feed_source()

    def _look_after_threads(self) -> None:
        """A thread that ended or stands still is told and begun again."""
        if not self.reader.is_alive() or self.reader.silent_for() > SILENT:
            log.warning("source: its thread stands still; it is begun again", extra=facts("begun-again", what="source"))
            self._feed_source_anew()
        self.link.look_after(SILENT)
        if self.gate.is_second_due() and (self.second is None or not self.second.is_alive()):
            self.second = Feeder("second reading", self._read_again, self.wakes)

    def _read_again(self) -> Iterator[Wake]:
        with closing(self._opened_source()) as source:
            yield Seen(source.read(), again=True)

    # A pass

    def _try(self) -> None:
        """One pass; where the store fails, again after a growing pause, by another client."""
        if not self.link.is_current and time.monotonic() < self.link.retry_at:
            return
        failed = True
        self.notes.begin()
        try:
            self._pass(self.link.writer(self.wanted.environment))
            failed = False
        except StoreError as err:
            self.told.broke("store", str(err), self.link.pause())
            self.notes.broke("store", str(err))
            self.link.reopen()
        else:
            self.told.well("store")
        finally:
            self.notes.end(self.link.hand, self.gate, failed=failed)

    def _pass(self, writer: Writer) -> None:
        """Keep leases, lead, plan, brake, commit, and say what was done."""
        if not self.manners.dry_run:
            self.link.keeper.adopt(writer.leases)
        snapshot = self.wanted.snapshot
        if snapshot is None:
            return  # what stands is kept; nothing is known of what shall stand
        leads = not self.manners.dry_run and self.leadership.take(writer, self.link.keeper)
        if self._waits_for_hosts(writer):
            self.due_at = None
            return  # the same: what is drained would come back
        first = due = self._plan(writer, leads=leads)
        if not (leads and due.units):
            self.told.nothing_new(due, self.why, leads=leads)
        found = {*self.wanted.problems, *due.problems}  # also those that the commits put right
        try:
            while leads and due.units and self._commit(writer, due):
                due = self._plan(writer, leads=leads)
        finally:  # also where the store takes no change, day after day
            self.poison.look(writer.mirror.tree)  # by now the writes are done: what it costs delays no route
            urgent = self.poison.problems
            problems = frozenset({*found, *due.problems, *writer.problems, *urgent})
            self.told.problems(problems, urgent)
            writer.problems.clear()
            leader = "" if leads else writer.other_leader()
            decided = Decided(snapshot, self.wanted.verdicts, self.wanted.wishes)
            self.notes.planned(Planned(first, due, self.held, problems, decided, leads, leader))
        self.link.keeper.put_right()
        self.told.waits(due.waits if leads else ())
        if self.manners.dry_run:
            self.told.dry_run(due)
        seconds = [wait.seconds for wait in due.waits if wait.seconds is not None]
        again = 0.0 if leads and due.units else min(seconds, default=None)
        self.due_at = None if again is None or not leads else time.monotonic() + again
        self.why = "its time came"

    def _waits_for_hosts(self, writer: Writer) -> bool:
        """Whether a snapshot with hosts comes, which alone tells what is drained; it is asked for at once, once."""
        if not self.wanted.needs_hosts(writer.standing) or not isinstance(self.source, TellsHosts):
            return False
        if not self.tells_hosts:
            log.info("a host is drained: the source is read again, with its hosts", extra=facts("asks-for-hosts"))
            self.tells_hosts = True
            self._feed_source_anew()
        return True

    def _plan(self, writer: Writer, *, leads: bool) -> Plan:
        self.wanted.settle(writer.standing)
        due = writer.plan(self.wanted.wishes, hold=False)
        if not leads:
            self.gate.follows()
        self.held = due if leads and self.gate.holds(due) else None
        return due if self.held is None else writer.plan(self.wanted.wishes, hold=True)

    def _commit(self, writer: Writer, due: Plan) -> bool:
        """Whether all of it happened. What did is said. Raises StoreError."""
        before = writer.standing
        try:
            return writer.commit(self.link.keeper, due, lambda *_: self._give_sign())
        finally:
            written = writer.forget_written()
            self.told.written(due, written, before, self.wanted.wishes, self.why)
            self.notes.wrote(due, written, self.why)

    def _end(self) -> None:
        """Give the leadership back, and the routes to their lease, or take them along."""
        self.reader.stop()
        self.source.close()
        leads = self.link.leads
        writer = self.link.end_watches()
        if writer is not None and not self.manners.dry_run:
            writer.step_down()
            if self.manners.leave_on_exit and leads:
                settings = replace(self.settings, leaving=True, environment=writer.environment)
                report = sync({}, self.link.store, settings)
                keys, transactions = len(report.written), report.transactions
                its = facts("left", keys=keys, transactions=transactions)
                log.info("left: %d keys in %d transactions", keys, transactions, extra=its)
        self.link.close()
