"""To see what a plan holds before it is sent: a store in memory, a clock moved by hand, one service of one stack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from unittest import mock

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Check, Committed, Create, Delete, Item, LeaseName, Limits, Transaction, Update
from bridge.model.keys import Layout, Publisher, Wish
from bridge.ownership import plan as planning
from bridge.ownership.mirror import Mirror
from bridge.ownership.pack import pack
from bridge.ownership.plan import Plan, Settled, plan
from bridge.ownership.records import FLEET, STANDING_FAMILY, claim_path, cluster_family, guard_path
from bridge.ownership.standing import Standing, stand
from bridge.ownership.terms import ReadTime, Terms, lease_names
from bridge.ownership.units import Unit
from bridge.stores.memory import LIKE_ETCD, Memory, MemoryServer

TREE, RECORDS = "/traefik/", "bridge/traefik/"
READ_TIME = 4.0  # seconds
TTL = 60  # seconds

GROUP = "web__shop"
OPENS = f"frontends/{GROUP}/backend"
RULE = f"frontends/{GROUP}/routes/main/rule"
USERS = f"frontends/{GROUP}/auth/basic/users"
SOURCES = f"frontends/{GROUP}/whitelist/sourcerange"
METHOD = f"backends/{GROUP}/loadbalancer/method"
SECRET = "u:{SHA}secret"
PROTECTED = {USERS: SECRET}

# A second frontend of the same service.
OTHER_OPENS = f"frontends/{GROUP}__x/backend"
OTHER_RULE = f"frontends/{GROUP}__x/routes/main/rule"
OTHER = {OTHER_OPENS: GROUP, OTHER_RULE: "Host:a.local;PathPrefix:/x"}

GUARD = RECORDS + guard_path(GROUP)

# A leader record that nobody writes: what these plans say does not hang on who leads.
FENCE = Check(f"{RECORDS}c/nobody/leader", 0)


def claim(cluster: str) -> str:
    """The key of a cluster's claim."""
    return RECORDS + claim_path(cluster, GROUP)


def server(name: str) -> str:
    """The path of a server: c0--1 is one of cluster c0."""
    return f"backends/{GROUP}/servers/{name}/url"


def wish(more: Mapping[str, str] | None = None, *servers: str, rule: str = "Host:a.local") -> Wish:
    """One frontend on one backend, with `more` shared keys and these servers."""
    shared = {METHOD: "wrr", OPENS: GROUP, RULE: rule, **(more or {})}
    own = {server(name): f"http://{name}:80" for name in servers}
    return Wish(GROUP, shared, own, title="shop/web")


@dataclass
class Scene:
    """One store, in which no lease ends by itself, and the time."""

    limits: Limits = LIKE_ETCD
    now: float = 1000.0  # seconds

    def __post_init__(self) -> None:
        self.server = MemoryServer(limits=self.limits)

    def process(
        self, cluster: str = "c0", *, ttl: int = TTL, read_time: float = READ_TIME, layout: Layout = TRAEFIK1
    ) -> Process:
        """One that starts now and has seen nothing yet."""
        return Process(self, cluster, Terms("e", "1", ttl, ReadTime(read_time)), layout)

    def published(self) -> dict[str, Item]:
        """Traefik's keys, by path."""
        return self._below(TREE)

    def values(self) -> dict[str, str]:
        """The same, their values alone."""
        return {path: item.value for path, item in self.published().items()}

    def recorded(self) -> dict[str, Item]:
        """Our records, by path."""
        return self._below(RECORDS)

    def _below(self, prefix: str) -> dict[str, Item]:
        eyes = Memory(self.server)
        eyes.know((FLEET, STANDING_FAMILY, *(cluster_family(f"c{number}") for number in range(3))))
        items = eyes.read(prefix).items
        return {key.removeprefix(prefix): item for key, item in items.items() if item is not None}

    def die(self, cluster: str) -> None:
        """All that hangs on the cluster's lease goes."""
        self.server.end(LeaseName(cluster_family(cluster), TTL))


@dataclass
class PlanMemory:
    """Plans as a process that lives on, with what it kept of the last time; fails where that changes the plan.

    It fails, too, where a plan that looks at every group says otherwise than one that passes by what is settled.
    """

    publisher: Publisher
    standing: Standing | None = None
    settled: Settled = field(default_factory=Settled)

    def stand(self, mirror: Mirror) -> Standing:
        """What stands."""
        self.standing = stand(mirror, self.publisher, self.standing)
        return self.standing

    def plan(self, wishes: Mapping[str, Wish], mirror: Mirror, terms: Terms, now: float, *, hold: bool = False) -> Plan:
        """The real plan."""
        due = plan(wishes, self.stand(mirror), terms, now, hold=hold, known=self.settled)
        afresh = stand(mirror, self.publisher)
        assert self.standing == afresh
        assert due == plan(wishes, afresh, terms, now, hold=hold)
        with mock.patch.object(planning._Planner, "_is_settled", return_value=False):
            assert replace(due, settled=Settled()) == replace(
                plan(wishes, afresh, terms, now, hold=hold), settled=Settled()
            )
        self.settled = due.settled
        return due


@dataclass
class Process:
    """One bridge: what it saw, and the real planning."""

    scene: Scene
    cluster: str
    terms: Terms
    layout: Layout = TRAEFIK1
    mirror: Mirror = field(default_factory=lambda: Mirror.empty(TREE, RECORDS))

    def __post_init__(self) -> None:
        self.store = Memory(self.scene.server)
        self.store.know((FLEET, STANDING_FAMILY, cluster_family(self.cluster)))
        self.publisher = Publisher(self.layout, TREE, RECORDS, self.cluster)
        self.memory = PlanMemory(self.publisher)

    def look(self) -> None:
        """Read all."""
        for prefix in (RECORDS, TREE):
            self.mirror = self.mirror.fold(self.store.read(prefix), self.scene.now)

    def plan(self, *wishes: Wish, hold: bool = False) -> Plan:
        """What it would do by what it saw last."""
        wanted = {one.group: one for one in wishes}
        return self.memory.plan(wanted, self.mirror, self.terms, self.scene.now, hold=hold)

    def due(self, *wishes: Wish) -> Plan:
        """What it would do now."""
        self.look()
        return self.plan(*wishes)

    def transactions(self, *wishes: Wish) -> list[Transaction]:
        """The same, as it would be sent."""
        return [packed.transaction for packed in pack(self.due(*wishes).units, self.scene.limits, FENCE)]

    def act(self, *wishes: Wish) -> list[Transaction]:
        """What is due now is done; all of it as it was sent."""
        sent = []
        for packed in pack(self.due(*wishes).units, self.scene.limits, FENCE):
            for name in lease_names(self.memory.stand(self.mirror), self.terms):
                self.store.ensure(name)
            answer = self.store.commit(packed.transaction)
            assert isinstance(answer, Committed)
            self.mirror = self.mirror.fold(answer.reading, self.scene.now)
            sent.append(packed.transaction)
            if packed.cut:
                break
        return sent

    def settle(self, *wishes: Wish) -> list[Transaction]:
        """All is done that time alone allows, and what was done last is long past; all of it as it was sent."""
        sent = []
        for _ in range(100):
            done = self.act(*wishes)
            sent += done
            pauses = [wait.seconds for wait in self.plan(*wishes).waits if wait.seconds is not None]
            if not done and not pauses:
                self.scene.now += 100
                self.look()
                return sent
            self.scene.now += 0 if done else min(pauses)
        raise AssertionError("it does not come to rest")


def changes(transactions: Iterable[Transaction]) -> dict[str, Create | Update | Delete]:
    """What becomes of Traefik's keys, by path."""
    return {
        change.key.removeprefix(TREE): change
        for transaction in transactions
        for change in transaction.changes
        if change.key.startswith(TREE)
    }


def compared(transaction: Transaction) -> dict[str, int]:
    """All keys that the transaction compares, and the revision at which it wants them; 0: absent."""
    checks = {check.key: check.revision for check in transaction.checks}
    return checks | {change.key: 0 if isinstance(change, Create) else change.read_at for change in transaction.changes}


def waits(due: Plan) -> list[tuple[str, float | None]]:
    """What a plan waits for, and for how many seconds at least."""
    return [(wait.what, wait.seconds) for wait in due.waits]


def units(due: Plan) -> list[Unit]:
    """All but the presence."""
    return [unit for unit in due.units if unit.group]
