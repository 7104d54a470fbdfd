"""One pass: read what stands, plan, lead, commit, and go on until nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import median

from bridge.layouts import RouteLayout
from bridge.leases import REPLICA_TTL, Keeper
from bridge.model.change import Change, Check, Committed, Create, Delete, LeaseName, Transaction, Update
from bridge.model.keys import STANDING, Publisher, Wish
from bridge.model.problem import Problem, UsageError
from bridge.model.route import Route, Verdict
from bridge.ownership.brake import Brake, BrakeRule, brake
from bridge.ownership.claims import unclaimed
from bridge.ownership.mirror import Held, Mirror
from bridge.ownership.pack import Packed, fenced, pack
from bridge.ownership.plan import Plan, Unit, plan
from bridge.ownership.records import (
    FLEET,
    STANDING_FAMILY,
    Leader,
    cluster_family,
    leader_path,
    presence_path,
    read_leader,
    read_presence,
    replica_family,
    write_leader,
)
from bridge.ownership.steps import Wait
from bridge.ownership.terms import ReadTime, Terms, lease_names
from bridge.report import Outcome, Report
from bridge.stores.base import LeaseLost, OutcomeUnknown, Store, StoreError, Unavailable

FAILURES = 8  # commits in a row that conflicted or got no answer, before a pass gives up
POLL = 0.5  # seconds between two looks at a leader that may have died
SAMPLES = 3  # small reads whose median is taken for the round trip


@dataclass(frozen=True, slots=True)
class Settings:
    """How one process publishes with one publisher."""

    publisher: Publisher
    environment: str  # the Rancher environment's uuid; empty: unknown
    version: str
    ttl: int  # seconds that this cluster's keys outlive it; 0: for ever
    replica: str  # names this process among those of its cluster
    token: str  # and tells it from another of the same name
    read_time: float | None = None  # seconds; None: reckoned
    brake: BrakeRule = field(default_factory=BrakeRule)
    force: bool = False  # the brake stays open
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time comes from: in tests, a clock that is moved by hand."""

    now: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass is, for whoever shows it."""

    written: int  # changes
    planned: int  # changes, of those that are due now
    waiting: tuple[Wait, ...] = ()  # what the pass waits for before it goes on
    seconds: float = 0.0  # how long it waits


def lay_out(
    verdicts: Iterable[Verdict], layout: RouteLayout, cluster: str
) -> tuple[dict[str, Wish], tuple[Problem, ...]]:
    """What the routes ask of a layout, by group; a route that cannot be laid out is a problem and nothing else."""
    wishes: dict[str, Wish] = {}
    problems = []
    for route in (verdict.route for verdict in verdicts if verdict.route):
        try:
            wish = layout.wish(route, cluster)
        except ValueError as err:
            problems.append(_cannot(route, err))
        else:
            wishes[wish.group] = wish
    return wishes, tuple(problems)


def _cannot(route: Route, err: ValueError) -> Problem:
    return Problem(route.title, "", "", f"no key of it may be written: {err}", "published no route")


def with_standing(wishes: Mapping[str, Wish], layout: RouteLayout) -> dict[str, Wish]:
    """The wishes and that for the layout's standing group."""
    return {**wishes, STANDING: Wish(STANDING, layout.standing(), {}, title=STANDING)}


def preview(wishes: Mapping[str, Wish], store: Store, settings: Settings) -> Plan:
    """What a sync would change. Reads only: grants, renews and writes nothing. Raises StoreError, UsageError."""
    run = _Pass(wishes, store, settings, Timing(), lambda _: None)
    run.look()
    return run.plan(hold=False)


def sync(
    wishes: Mapping[str, Wish],
    store: Store,
    settings: Settings,
    tell: Callable[[Progress], None] = lambda _: None,
    timing: Timing = Timing(),
) -> Report:
    """Bring the store to `wishes`, by group. Raises StoreError, and UsageError for another environment's cluster."""
    return _Pass(wishes, store, settings, timing, tell).run()


class _Pass:
    def __init__(
        self,
        wishes: Mapping[str, Wish],
        store: Store,
        settings: Settings,
        timing: Timing,
        tell: Callable[[Progress], None],
    ) -> None:
        self.wishes, self.store, self.settings, self.timing, self.tell = wishes, store, settings, timing, tell
        publisher = settings.publisher
        self.publisher = publisher
        self.mirror = Mirror.empty(publisher.tree, publisher.records)
        family = replica_family(publisher.cluster, settings.replica)
        self.replica_lease = LeaseName(family, REPLICA_TTL)
        self.leader_key = publisher.records + leader_path(publisher.cluster)
        self.store.know((cluster_family(publisher.cluster), FLEET, STANDING_FAMILY, family))
        self.environment = settings.environment
        self.round_trip = 0.0 if settings.read_time is not None else self._measure()
        self.written: list[Change] = []
        self.transactions = self.failures = 0
        self.is_fresh = False  # nothing was written since the last look
        self.keeper: Keeper | None = None  # while this process writes, or waits to
        self.usurped = 0  # revision of a leader record that nobody's lease holds
        self.problems: list[Problem] = []

    def _measure(self) -> float:
        took = []
        for _ in range(SAMPLES):
            began = time.perf_counter()
            self.store.read(self.leader_key)
            took.append(time.perf_counter() - began)
        return median(took)

    def terms(self) -> Terms:
        """As this process publishes."""
        settings = self.settings
        read_time = ReadTime(settings.read_time, self.round_trip)
        return Terms(self.environment, settings.version, settings.ttl, read_time, settings.leaving)

    def look(self) -> None:
        """Read our records, then Traefik's prefix: no plan may rest on keys that are older than the claims."""
        for prefix in (self.publisher.records, self.publisher.tree):
            self.mirror = self.mirror.fold(self.store.read(prefix), self.timing.now())
        self.is_fresh = True
        self._know_environment()
        self._keep_what_stands()

    def _keep_what_stands(self) -> None:
        """Nothing that this cluster or the fleet holds shall end while this process waits or writes."""
        if self.keeper is not None:
            self.keeper.adopt(lease_names(self.mirror, self.publisher, self.terms()))

    def _know_environment(self) -> None:
        """Two environments under one cluster name would each remove what the other publishes."""
        records, cluster = self.mirror.records.held, self.publisher.cluster
        presence, leader = records.get(presence_path(cluster)), records.get(leader_path(cluster))
        said = [read_presence(presence.value) if presence else None, read_leader(leader.value) if leader else None]
        for other in (record.environment for record in said if record is not None and record.environment):
            if not self.environment:
                self.environment = other
            elif other != self.environment:
                raise UsageError(
                    "--cluster",
                    cluster,
                    f"the Rancher environment {other} publishes under this name, and this is {self.environment}: "
                    "give each environment a cluster name of its own",
                )

    def plan(self, *, hold: bool) -> Plan:
        """What is to be done now."""
        return plan(self.wishes, self.mirror, self.publisher, self.terms(), self.timing.now(), hold=hold)

    def run(self) -> Report:
        """Until nothing is left to do."""
        began = self.timing.now()
        with Keeper(self.store) as self.keeper:
            self.look()
            first = self.plan(hold=False)
            shut = brake(first.removed, first.servers, self.settings.brake) is Brake.SHUT
            hold = shut and not self.settings.force and not self.settings.leaving
            try:
                last, leader = self._converge(self.keeper, self.plan(hold=True) if hold else first, hold)
            finally:
                self._step_down()
        self.store.renew(lease_names(self.mirror, self.publisher, self.terms()))
        outcome = Outcome.FOLLOWS if leader else Outcome.HELD if hold else Outcome.DONE
        return Report(
            cluster=self.publisher.cluster,
            layout=self.publisher.layout.name,
            outcome=outcome,
            problems=tuple(sorted({*first.problems, *last.problems, *self.problems})),
            differences=first.differences,
            unchanged=first.unchanged,
            written=tuple(self.written),
            transactions=self.transactions,
            waits=last.waits,
            leader=leader,
            held=first.removed if hold else 0,
            servers=first.servers,
            seconds=self.timing.now() - began,
        )

    def _converge(self, keeper: Keeper, due: Plan, hold: bool) -> tuple[Plan, str]:
        """The last plan, and who leads instead where another replica does."""
        while True:
            pauses = [wait.seconds for wait in due.waits if wait.seconds is not None]
            if due.units or (due.farewell and not pauses):
                leader = self._await_leadership()
                if leader:
                    return due, leader
                self._commit_safely(keeper, due)
            elif pauses:
                self._pause(due, min(pauses))
                self.look()
            elif self.is_fresh or self._is_all_claimed():
                return due, ""
            else:
                self.look()
            due = self.plan(hold=hold)

    def _is_all_claimed(self) -> bool:
        """Whether no group lost its last claim while this pass wrote: else all is read again."""
        records = self.mirror.fold(self.store.read(self.publisher.records), self.timing.now()).records
        return unclaimed(records) == unclaimed(self.mirror.records)

    def _pause(self, due: Plan, seconds: float) -> None:
        planned = len(self.written)
        self.tell(Progress(planned, planned, due.waits, seconds))
        self.timing.sleep(seconds)

    # Leadership

    def _leader(self) -> tuple[Held | None, Leader | None]:
        held = self.mirror.records.held.get(leader_path(self.publisher.cluster))
        return held, read_leader(held.value) if held else None

    def _fence(self) -> Create | Update | Check:
        """What proves in each transaction that this process leads; the first transaction makes it so."""
        held, leader = self._leader()
        if held is not None and leader is not None and leader.token == self.settings.token:
            return Check(self.leader_key, held.revision)
        value = write_leader(Leader(self.settings.replica, self.environment, self.settings.token))
        if held is not None and held.revision == self.usurped:
            return Update(self.leader_key, value, self.replica_lease, held.revision, held.lease)
        return Create(self.leader_key, value, self.replica_lease)

    def _other_leader(self) -> str:
        held, leader = self._leader()
        if held is None or held.revision == self.usurped:
            return ""
        if leader is not None and leader.token == self.settings.token:
            return ""
        return leader.name if leader is not None else "unknown"

    def _await_leadership(self) -> str:
        """The other replica that still leads after one replica TTL, and a second: a lease may end late."""
        until = self.timing.now() + REPLICA_TTL + 1
        while (leader := self._other_leader()) and self.timing.now() < until:
            wait = Wait("", f"for replica {leader}, which leads, to end", until - self.timing.now())
            self.tell(Progress(len(self.written), len(self.written), (wait,), POLL))
            self.timing.sleep(POLL)
            self.look()
        held, _ = self._leader()
        if leader and held is not None and held.lease is None:
            # Without a lease it would lead for ever: no replica wrote this.
            self.usurped = held.revision
            reason, did = "somebody else wrote over this record of the bridge", "wrote it again"
            self.problems.append(Problem(f"cluster {self.publisher.cluster}", self.leader_key, "", reason, did))
            return ""
        return leader

    def _step_down(self) -> None:
        """Let the next process lead at once."""
        held, leader = self._leader()
        if held is not None and leader is not None and leader.token == self.settings.token:
            with suppress(StoreError):  # then the lease ends it
                self._commit(Transaction((), (Delete(self.leader_key, held.revision),)))

    # Writing

    def _commit_safely(self, keeper: Keeper, due: Plan) -> None:
        """Commit what is due; whatever went wrong is read afresh and planned again, unless it goes on going wrong."""
        try:
            keeper.keep((self.replica_lease, *lease_names(self.mirror, self.publisher, self.terms())))
            happened = self._commit_all(due)
        except (LeaseLost, OutcomeUnknown) as err:
            if isinstance(err, LeaseLost):
                keeper.forget()
            happened = False
            if self.failures >= FAILURES:
                raise
        self.failures = 0 if happened else self.failures + 1
        if self.failures > FAILURES:
            raise Unavailable(
                "the store", self.store.url, "others change the same keys faster than this bridge can; try again"
            )
        if not happened:
            self.look()

    def _commit_all(self, due: Plan) -> bool:
        """Whether every transaction happened."""
        if not due.units:
            return self._say_farewell(due)
        planned = len(self.written) + sum(len(unit.changes) for unit in due.units)
        happened = True
        for packed in pack(due.units, self.store.limits, self._fence()):
            happened = self._commit_packed(packed) and happened
            self.tell(Progress(len(self.written), planned))
            if packed.cut:
                break  # its rest rests on what stands now
        return happened

    def _commit_packed(self, packed: Packed) -> bool:
        if self._commit(fenced(packed.transaction, self._fence())):
            return True
        if len(packed.units) == 1:
            return False
        outcomes = [self._commit_alone(unit) for unit in packed.units]
        return all(outcomes)

    def _commit_alone(self, unit: Unit) -> bool:
        """One unit of a packed transaction that conflicted: the others must not suffer for one."""
        (packed,) = pack((unit,), self.store.limits, self._fence())
        return self._commit(fenced(packed.transaction, self._fence()))

    def _say_farewell(self, due: Plan) -> bool:
        fence = self._fence()
        if not isinstance(fence, Check):
            return self._commit(Transaction((), (fence,)))
        return self._commit(Transaction((), (*due.farewell, Delete(fence.key, fence.revision))))

    def _commit(self, transaction: Transaction) -> bool:
        answer = self.store.commit(transaction)
        if not isinstance(answer, Committed):
            return False
        self.mirror = self.mirror.fold(answer.reading, self.timing.now())
        written = [change for change in transaction.changes if change.key != self.leader_key]
        self.written += written
        self.transactions += bool(written)
        self.is_fresh = False
        return True


def with_verdicts(report: Report, verdicts: tuple[Verdict, ...], problems: Iterable[Problem]) -> Report:
    """The report with what led to its wishes."""
    found = {problem for verdict in verdicts for problem in verdict.problems}
    return replace(report, verdicts=verdicts, problems=tuple(sorted({*report.problems, *found, *problems})))
