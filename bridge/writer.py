"""What one process knows of its publisher's keys and may write there: the mirror, the fence and the commits."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median

from bridge.layouts import layout_of
from bridge.leases import Keeper, replica_ttl
from bridge.model.change import Change, Check, Committed, Create, Delete, LeaseName, Reading, Transaction, Update
from bridge.model.keys import Publisher, Wish, group_title
from bridge.model.problem import Problem, UsageError
from bridge.ownership.brake import BrakeRule
from bridge.ownership.mirror import Held, Mirror
from bridge.ownership.pack import Packed, fenced, pack
from bridge.ownership.plan import Plan, Settled, plan
from bridge.ownership.records import (
    FLEET,
    STANDING_FAMILY,
    Leader,
    cluster_family,
    is_newer,
    leader_path,
    presence_path,
    read_leader,
    read_presence,
    replica_family,
    write_leader,
)
from bridge.ownership.standing import Standing, stand
from bridge.ownership.terms import Errand, ReadTime, Terms, lease_names
from bridge.ownership.units import Unit
from bridge.stores.base import LeaseLost, OutcomeUnknown, Refused, Store, StoreError, Unavailable

FAILURES = 8  # commits in a row that conflicted or got no answer, before a pass gives up
REFUSALS = 64  # refused transactions after which a commit gives up
SAMPLES = 3  # small reads each time the round trip is measured


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
    errand: Errand | None = None  # None: all groups
    keeps_ttl: bool = False  # where the cluster publishes already, its TTL counts, and `ttl` where it does not


class Writer:
    """One process's hand on its publisher's keys. Used by one thread."""

    def __init__(self, store: Store, settings: Settings, now: Callable[[], float]) -> None:
        """`now`: seconds, monotonic. Raises StoreError where the round trip has to be measured, and UsageError."""
        publisher = settings.publisher
        self.store, self.settings, self.publisher, self.now = store, settings, publisher, now
        self.environment = settings.environment
        if 0 < settings.ttl < store.limits.shortest_ttl:
            remedy = f"on this store use at least {store.limits.shortest_ttl} seconds, or 0 for ever"
            raise UsageError("--ttl", str(settings.ttl), remedy)
        self.mirror = Mirror.empty(publisher.tree, publisher.records)
        self._standing = stand(self.mirror, publisher)
        self._settled = Settled()
        self.replica_lease = LeaseName(replica_family(publisher.cluster, settings.replica), replica_ttl(store))
        self.leader_key = publisher.records + leader_path(publisher.cluster)
        self.families = (cluster_family(publisher.cluster), FLEET, STANDING_FAMILY, self.replica_lease.family)
        store.know(self.families)
        self._took: deque[float] = deque(maxlen=5 * SAMPLES)  # seconds; a store that is slow for once moves it little
        self.round_trip = 0.0  # seconds, this bridge's own median to the store
        self.measure()
        self.written: list[Change] = []
        self.transactions = self.failures = 0
        self.conflicts = 0  # transactions that found something else than was read, since this process began
        self.is_fresh = False  # nothing was written since the last look
        self._unanswered = False  # a transaction was sent, and nobody knows what came of it
        self.takes_over = 0  # revision of the leader record that this process may replace
        self.problems: list[Problem] = []

    def use(self, store: Store) -> None:
        """Go on with another client of the same store."""
        store.know(self.families)
        self.store = store

    def measure(self) -> None:
        """Measure the round trip, where the read-time is reckoned by it. Raises StoreError."""
        if self.settings.read_time is not None or not self.publisher.layout.reads_halves:
            return
        for _ in range(SAMPLES):
            began = time.perf_counter()
            self.store.read(self.leader_key)
            self._took.append(time.perf_counter() - began)
        self.round_trip = median(self._took)

    # What stands

    @property
    def terms(self) -> Terms:
        """As this process publishes."""
        settings = self.settings
        halves = self.publisher.layout.reads_halves
        read_time = ReadTime(settings.read_time, self.round_trip) if halves else ReadTime(0.0)
        return Terms(self.environment, settings.version, self._ttl(), read_time, settings.leaving, settings.errand)

    def _ttl(self) -> int:
        if not self.settings.keeps_ttl:
            return self.settings.ttl
        presence = self.mirror.records.held.get(presence_path(self.publisher.cluster))
        said = read_presence(presence.value) if presence else None
        return said.ttl if said else self.settings.ttl

    @property
    def leases(self) -> tuple[LeaseName, ...]:
        """All that this process keeps, but its leadership's."""
        return lease_names(self.standing, self.terms)

    @property
    def standing(self) -> Standing:
        """What stands, by groups; sorted when it is asked for, and only what changed since the last time."""
        if self._standing.mirror is not self.mirror:
            self._standing = stand(self.mirror, self.publisher, self._standing)
        return self._standing

    def look(self) -> None:
        """Read our records, then Traefik's prefix: no plan may rest on keys that are older than the claims.

        What either says is new since both were read: meanwhile a server may have come and gone of which nothing tells.
        Raises StoreError, and UsageError where another environment publishes under this cluster's name, or this
        cluster in another layout.
        """
        for news in [self.store.read(prefix) for prefix in (self.publisher.records, self.publisher.tree)]:
            self.fold(news)
        self.is_fresh = True
        self.know_environment()
        self._refuse_another_layout()

    def fold(self, news: Reading) -> None:
        """Take news into the mirror."""
        self.mirror = self.mirror.fold(news, self.now())

    def know_environment(self) -> None:
        """Learn the environment that publishes under this cluster's name. Raises as `require_environment`."""
        records, cluster = self.mirror.records.held, self.publisher.cluster
        presence, leader = records.get(presence_path(cluster)), records.get(leader_path(cluster))
        said = [read_presence(presence.value) if presence else None, read_leader(leader.value) if leader else None]
        for other in (record.environment for record in said if record is not None and record.environment):
            self.require_environment(other)

    def require_environment(self, other: str) -> None:
        """Two environments under one cluster name would each remove what the other publishes. Raises UsageError."""
        if self.environment not in ("", other):
            raise UsageError(
                "--cluster",
                self.publisher.cluster,
                f"two Rancher environments, {other} and {self.environment}, publish under this name: "
                "give each environment a cluster name of its own",
            )
        self.environment = other

    def _refuse_another_layout(self) -> None:
        """Layouts of one prefix share records and leases: the keys of one that went would live on with the other's.

        Another cluster's claim stops nobody but itself: who decides says which layout it is. Raises UsageError.
        """
        own = self.publisher.layout
        claims = (group.claim_of(self.publisher.cluster) for group in self.standing.groups.values())
        for other in (layout_of(claim.keys, own) for claim in claims if claim and claim.keys):
            if other == own.name:
                continue
            remedy = (
                f"this cluster publishes {other} below {self.publisher.tree.strip('/')}; say --layout {other}, or give "
                f"{own.name} a prefix of its own, as {own.name}=PREFIX, or first take those keys away: "
                f"bridge leave --layout {other}"
            )
            raise UsageError("--layout", own.name, remedy)

    def plan(self, wishes: Mapping[str, Wish], *, hold: bool) -> Plan:
        """What is to be done now."""
        due = plan(wishes, self.standing, self.terms, self.now(), hold=hold, known=self._settled)
        self._settled = due.settled
        return due

    # Leadership

    def leader(self) -> tuple[Held | None, Leader | None]:
        """The leader record as it stands, and what it says where it can be read."""
        held = self.mirror.records.held.get(leader_path(self.publisher.cluster))
        return held, read_leader(held.value) if held else None

    @property
    def leads(self) -> bool:
        """Whether the leader record is this process's."""
        _, leader = self.leader()
        return leader is not None and leader.token == self.settings.token

    def other_leader(self) -> str:
        """The replica that leads instead; empty where none does, or one that this process may replace."""
        held, leader = self.leader()
        if held is None or self.leads or held.revision == self.takes_over:
            return ""
        if leader is not None:
            return leader.name
        return "unknown, of a newer bridge," if is_newer(held.value) else "unknown"

    def fence(self) -> Create | Update | Check:
        """What proves in each transaction that this process leads; the first transaction makes it so."""
        held, _ = self.leader()
        if held is not None and self.leads:
            return Check(self.leader_key, held.revision)
        value = write_leader(Leader(self.settings.replica, self.environment, self.settings.token))
        if held is not None and held.revision == self.takes_over:
            return Update(self.leader_key, value, self.replica_lease, held.revision, held.lease)
        return Create(self.leader_key, value, self.replica_lease)

    def take_over_forged(self) -> bool:
        """Whether the leader record is on no lease, so no replica's: then this process may replace it."""
        held, _ = self.leader()
        if held is None or held.lease is not None or self.leads:
            return False
        self.takes_over = held.revision
        reason, did = "somebody else wrote over this record of the bridge", "wrote it again"
        self.problems.append(Problem(f"cluster {self.publisher.cluster}", self.leader_key, "", reason, did))
        return True

    def lead(self, keeper: Keeper) -> bool:
        """Take the leadership, where nobody has it; whether this process has it now. Raises StoreError."""
        fence = self.fence()
        if isinstance(fence, Check):
            return True
        if self.other_leader():
            return False
        keeper.keep((self.replica_lease,))
        return self._send(Transaction((), (fence,)))

    def step_down(self) -> None:
        """Let the next process lead at once."""
        if self._unanswered:  # a signal came before the answer, which would have said whether this process leads
            with suppress(StoreError, UsageError):
                self.look()
        held, _ = self.leader()
        if held is not None and self.leads:
            with suppress(StoreError):  # then the lease ends it
                self._send(Transaction((), (Delete(self.leader_key, held.revision),)))

    # Writing

    def commit(self, keeper: Keeper, due: Plan, tell: Callable[[int, int], None]) -> bool:
        """Commit what is due, and read afresh where something went wrong; whether all happened.

        `tell`: hears how many changes were written, and of how many. Raises StoreError when it goes on going wrong.
        """
        try:
            keeper.keep((self.replica_lease, *self.leases))
            happened = self._commit_all(due, tell)
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
        return happened

    def _commit_all(self, due: Plan, tell: Callable[[int, int], None]) -> bool:
        if not due.units:
            return self._say_farewell(due)
        planned = len(self.written) + sum(len(unit.changes) for unit in due.units)
        happened = True
        refused: list[Refused] = []
        for packed in pack(due.units, self.store.limits, self.fence()):
            before = len(refused)
            happened = self._commit_packed(packed, refused) and happened
            tell(len(self.written), planned)
            if (packed.cut and len(refused) == before) or len(refused) > REFUSALS:
                break  # its rest rests on what stands now; or nothing may be written at all
        if refused:
            raise refused[0]
        return happened

    def _commit_packed(self, packed: Packed, refused: list[Refused]) -> bool:
        """Whether all of it happened. Where it conflicts or is refused, its units go alone: none suffers for another.

        `refused`: takes what the store refused, as where this process lacks a right to some keys, or surely would.
        """
        if not packed.fits:
            refused.append(self._too_large(packed.units[0]))
            return False
        try:
            if self._send(fenced(packed.transaction, self.fence())):
                return True
        except Refused as err:
            if len(packed.units) == 1:
                refused.append(err)
        if len(packed.units) == 1:
            return False
        alone = [pack((unit,), self.store.limits, self.fence())[0] for unit in packed.units]
        outcomes = [self._commit_packed(one, refused) for one in alone]
        return all(outcomes)

    def _too_large(self, unit: Unit) -> Refused:
        told = f"takes no transaction as large as {group_title(unit.group)} needs; give that service fewer segments"
        return Refused("the store", self.store.url, told)

    def _say_farewell(self, due: Plan) -> bool:
        fence = self.fence()
        if not isinstance(fence, Check):
            return self._send(Transaction((), (fence,)))
        return self._send(Transaction((), (*due.farewell, Delete(fence.key, fence.revision))))

    def _send(self, transaction: Transaction) -> bool:
        self._unanswered = True
        answer = self.store.commit(transaction)
        self._unanswered = False
        if not isinstance(answer, Committed):
            self.conflicts += 1
            return False
        self.fold(answer.reading)
        written = [change for change in transaction.changes if change.key != self.leader_key]
        self.written += written
        self.transactions += bool(written)
        self.is_fresh = False
        return True

    def forget_written(self) -> tuple[Change, ...]:
        """What was written since the last time."""
        written = tuple(self.written)
        self.written, self.transactions = [], 0
        return written
