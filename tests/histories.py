"""Random histories of several clusters on one store in memory, over the real planning code.

Every step of a bridge (a reading, a transaction) is one event, and between any two of them anything may happen: another
bridge's step, a change of the world, a crash, a stall, the end of a lease, an operator's hand, one request of a Traefik
that reads key by key. A history is told wholly by its seed.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import Pool
from typing import Protocol

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.leases import REPLICA_TTL
from bridge.model.change import Change, Check, Committed, Create, Delete, LeaseName, Limits, Transaction, Update
from bridge.model.keys import STANDING, Place, Publisher, Role, Wish, other_form, owned_name
from bridge.ownership.claims import may_merge
from bridge.ownership.mirror import Mirror
from bridge.ownership.pack import fenced, pack
from bridge.ownership.plan import Plan
from bridge.ownership.records import (
    FLEET,
    STANDING_FAMILY,
    Leader,
    cluster_family,
    leader_path,
    named,
    read_claim,
    read_leader,
    replica_family,
    write_leader,
)
from bridge.ownership.terms import ReadTime, Terms, lease_names
from bridge.stores.base import LeaseLost, OutcomeUnknown
from bridge.stores.memory import LIKE_ETCD, Fault, Memory, MemoryServer
from tests.golden_reader import Configuration, HalvesReader, Store
from tests.golden_reader.objects import Frontend
from tests.planning import PlanMemory

TREE, RECORDS = "traefik/", "bridge/traefik/"
READ_TIME = 4.0  # seconds; every reader finishes within it
TTL = 60  # seconds
QUIET = 400.0  # seconds: enough for every lease to end and every step to follow
HOSTS = ("a.local", "b.local", "a.local,b.local")
USERS = ("u:{SHA}one", "u:{SHA}two")
GROUPS = ("app__shop", "web__shop")
UNKNOWN_HOST = "nobody.asks.for.this"

WHOLE = "whole whitelist"  # one that believes no client who it is

LEADER = "/leader"

Mutation = Callable[[Transaction, MemoryServer], Transaction]


def honest(transaction: Transaction, _server: MemoryServer) -> Transaction:
    """Nothing is left out."""
    return transaction


def without_comparing(part: str) -> Mutation:
    """A bridge that forgets one comparison: of the keys whose name holds `part`."""

    def blind(transaction: Transaction, server: MemoryServer) -> Transaction:
        items = Memory(server).read("").items

        def now(key: str) -> int:
            item = items.get(key)
            return item.revision if item else 0

        checks = tuple(check for check in transaction.checks if part not in check.key)
        changes: list[Change] = []
        for change in transaction.changes:
            if part == LEADER and part in change.key and now(change.key):
                continue
            if part in change.key and now(change.key):
                match change:
                    case Create(key, value, LeaseName() as lease):
                        changes.append(Update(key, value, lease, now(key), _lease_of(server, key)))
                        continue
                    case Update(key, value, lease):
                        changes.append(Update(key, value, lease, now(key), _lease_of(server, key)))
                        continue
                    case Delete(key):
                        changes.append(Delete(key, now(key)))
                        continue
            elif part in change.key and isinstance(change, Delete):
                continue
            changes.append(change)
        return Transaction(checks, tuple(changes))

    return blind


def claims_on(server: MemoryServer, records: str, group: str) -> list[tuple[int, str, Mapping[str, str]]]:
    """The claims of a group below the records of one publisher, oldest first: when it was made, whose, and what of."""
    found = []
    for key, item in server._items.items():
        name = named(key.removeprefix(records)) if key.startswith(records) else None
        if name and name.kind == "claim" and name.group == group:
            found.append((item.created, name.cluster, read_claim(item.value) or {}))
    return sorted(found, key=lambda claim: claim[:2])


def _lease_of(server: MemoryServer, key: str) -> LeaseName | None:
    item = server._items.get(key)
    return item.lease if item else None


@dataclass
class Cluster:
    """What one Rancher environment wants now, and wanted before."""

    name: str
    wishes: dict[str, Wish] = field(default_factory=dict)
    history: dict[str, list[Wish]] = field(default_factory=dict)
    leaving: bool = False
    separate: bool = False  # its groups are its own alone
    held: bool = False  # the brake is shut: nothing goes but what is drained

    def name_of(self, group: str) -> str:
        """As it names a group now."""
        return owned_name(self.name if self.separate else "", group)

    def turn(self) -> None:
        """To the other fan-in, with all its wishes."""
        self.separate = not self.separate
        before, self.wishes = self.wishes, {}
        for group, wish in before.items():
            old, new = f"/{group}", f"/{other_form(group, self.name)}"
            shared = {
                path.replace(old, new): new[1:] if path.endswith("/backend") else value
                for path, value in wish.shared.items()
            }
            own = {path.replace(old, new): value for path, value in wish.own.items()}
            self.want(Wish(new[1:], shared, own, title=wish.title))

    def want(self, wish: Wish) -> None:
        """Another wish for a group."""
        self.wishes[wish.group] = wish
        self.history.setdefault(wish.group, []).append(wish)


class Stage(Protocol):
    """Where bridges act: the store, the time, and who watches what they do."""

    now: float  # seconds
    count: int  # of the processes so far
    server: MemoryServer
    mutation: Mutation

    def tree(self) -> Mapping[str, str]:
        """All keys of Traefik's, and their values."""

    def after_commit(self, before: Mapping[str, str]) -> None:
        """Raises Violation where a transaction broke a promise. `before`: the tree."""


class Bridge:
    """One process, or one publisher of it: its own mirror and clock readings, the real plan, packing and fence."""

    def __init__(self, history: Stage, cluster: Cluster, replica: str, publisher: Publisher | None = None) -> None:
        self.history, self.cluster, self.name = history, cluster, replica
        self.publisher = publisher or Publisher(TRAEFIK1, TREE, RECORDS, cluster.name)
        self.stalled = False
        self.restart()

    def restart(self) -> None:
        """A new process of the same name."""
        self.history.count += 1
        self.token = f"t{self.history.count}"
        self.replica = f"{self.name}.{self.token}"
        self.store = Memory(self.history.server)
        self.lease = LeaseName(replica_family(self.cluster.name, self.replica), REPLICA_TTL)
        self.store.know((cluster_family(self.cluster.name), FLEET, STANDING_FAMILY, self.lease.family))
        self.mirror = Mirror.empty(self.publisher.tree, self.publisher.records)
        self.memory = PlanMemory(self.publisher)
        self.idle = False
        self.stalled = False
        self.last: Plan | None = None
        self.steps = self._run()

    def terms(self) -> Terms:
        return Terms("e", "1", TTL, ReadTime(READ_TIME), self.cluster.leaving)

    def renew(self) -> None:
        """What the lease thread does."""
        if not self.stalled and self.mirror.tree.read_at:
            self.store.renew((self.lease, *lease_names(self.memory.stand(self.mirror), self.terms())))

    def _fold(self, prefix: str) -> None:
        self.mirror = self.mirror.fold(self.store.read(prefix), self.history.now)

    def _run(self) -> Iterator[None]:
        while True:
            self._fold(self.publisher.records)
            yield
            self._fold(self.publisher.tree)
            yield
            held = self.cluster.held
            due = self.memory.plan(self._wishes(), self.mirror, self.terms(), self.history.now, hold=held)
            self.last = due
            if (due.units or due.farewell) and self._may_lead():
                try:
                    yield from self._commit(due)
                except (LeaseLost, OutcomeUnknown):
                    yield
            else:
                self.idle = True
                yield
                self.idle = False

    def _wishes(self) -> Mapping[str, Wish]:
        if self.cluster.leaving:
            return {}
        standing = self.publisher.layout.standing()
        return {**self.cluster.wishes, STANDING: Wish(STANDING, standing, {}, title=STANDING)}

    def _leader(self) -> tuple[int, str]:
        held = self.mirror.records.held.get(leader_path(self.cluster.name))
        leader = read_leader(held.value) if held else None
        return (held.revision if held else 0), (leader.token if leader else "")

    def _may_lead(self) -> bool:
        revision, token = self._leader()
        return revision == 0 or token == self.token

    def fence(self) -> Create | Check:
        """That this process leads."""
        key = self.publisher.records + leader_path(self.cluster.name)
        revision, token = self._leader()
        if revision and token == self.token:
            return Check(key, revision)
        return Create(key, write_leader(Leader(self.replica, "e", self.token)), self.lease)

    def _commit(self, due: Plan) -> Iterator[None]:
        for name in (self.lease, *lease_names(self.memory.stand(self.mirror), self.terms())):
            self.store.ensure(name)
        if not due.units:
            if due.waits:
                self.idle = True
                yield
                self.idle = False
                return
            yield
            fence = self.fence()
            goodbye = (fence,) if isinstance(fence, Create) else (*due.farewell, Delete(fence.key, fence.revision))
            self._send(Transaction((), goodbye))
            return
        for packed in pack(due.units, self.store.limits, self.fence()):
            yield  # here the process may stand still for as long as it likes, its plan in its hands
            if not self._send(fenced(packed.transaction, self.fence())):
                for unit in packed.units if len(packed.units) > 1 else ():
                    yield
                    (alone,) = pack((unit,), self.store.limits, self.fence())
                    self._send(fenced(alone.transaction, self.fence()))
            if packed.cut:
                return

    def _send(self, transaction: Transaction) -> bool:
        history = self.history
        transaction = history.mutation(transaction, history.server)
        before = history.tree()
        answer = self.store.commit(transaction)
        history.after_commit(before)
        if isinstance(answer, Committed):
            self._must_lead(transaction)
        if isinstance(answer, Committed):
            self.mirror = self.mirror.fold(answer.reading, history.now)
            return True
        return False

    def _must_lead(self, transaction: Transaction) -> None:
        key = self.publisher.records + leader_path(self.cluster.name)
        if any(change.key == key for change in transaction.changes):
            return
        item = self.history.server._items.get(key)
        leader = read_leader(item.value) if item else None
        if leader is None or leader.token != self.token:
            raise Violation(f"{self.replica} wrote and did not lead")


class Reader:
    """One Traefik, reading."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.halves = HalvesReader("traefik", Store.CONSUL)
        self.begin()

    def begin(self) -> None:
        self.began = self.history.now
        self.excused = self.history.now < self.history.excused_until or self.history.is_broken()
        self.steps = self.halves.run(self.history.tree)

    def step(self) -> None:
        """One request, and a judgement at the end of a reading."""
        if next(self.steps, self) is self:
            if not (self.excused or self.history.now < self.history.excused_until or self.history.is_broken()):
                self.history.judge(self.halves)
            else:
                self.history.judge_catch_all(self.halves)
            self.begin()

    def finish_by(self, when: float) -> None:
        """No reading takes longer than a read-time."""
        reading = self.steps
        while self.began + READ_TIME <= when and self.steps is reading:
            self.step()


class Violation(AssertionError):
    """A promise was broken."""


class History:
    """One random history."""

    def __init__(
        self,
        seed: int,
        *,
        clusters: int = 2,
        replicas: int = 1,
        mutation: Mutation = honest,
        hands: bool = True,
        losses: bool = True,
        detaches: bool = True,
        restless: bool = False,
        limits: Limits = LIKE_ETCD,
        separate: bool = False,
    ) -> None:
        """`restless`: the world changes often, in what protects above all. `separate`: clusters turn their fan-in."""
        self.restless, self.separate = restless, separate
        self.random = random.Random(seed)
        self.now = 1000.0
        self.server = MemoryServer(lambda: self.now, limits=limits, plain_write_detaches=detaches)
        self.mutation, self.hands, self.losses = mutation, hands, losses
        self.count = 0
        self.excused_until = 0.0
        self.lives: set[str] = set()  # families whose lease lives
        self.erased: set[str] = set()  # by the operator's hand, and not put back yet
        self.foreign: dict[str, tuple[str, int]] = {}  # what the operator wrote: value and revision
        self.clusters = [Cluster(f"c{number}") for number in range(clusters)]
        self.groups = [*GROUPS, *(owned_name(one.name, group) for one in self.clusters for group in GROUPS)]
        self.leases = {FLEET, *(cluster_family(one.name) for one in self.clusters if separate)}  # that hold rules
        for cluster in self.clusters:
            self._change_world(cluster)
        self.bridges = [Bridge(self, cluster, f"r{n}") for cluster in self.clusters for n in range(replicas)]
        self.readers = [Reader(self) for _ in range(2)]

    # The store, as everybody sees it

    def items(self) -> Mapping[str, object]:
        return self.server._items

    def tree(self) -> Mapping[str, str]:
        """All keys of Traefik's, and their values."""
        self.server._expire()
        return {key: item.value for key, item in self.server._items.items() if key.startswith(TREE)}

    def claims(self, group: str) -> list[tuple[int, str, Mapping[str, str]]]:
        """The claims of a group, oldest first."""
        return claims_on(self.server, RECORDS, group)

    # What happens

    def run(self, events: int) -> None:
        """Random events, then peace, then the reckoning."""
        for _ in range(events):
            self._event()
        self.settle()
        self.reckon()

    def _event(self) -> None:
        dice = self.random.random()
        bridge = self.random.choice(self.bridges)
        if self.separate and self.random.random() < 0.005:
            bridge.cluster.turn()
        if dice < 0.52:
            self._step(bridge)
        elif dice < 0.84:
            self.random.choice(self.readers).step()
        elif self.restless and dice < 0.88:
            self._change_world(bridge.cluster)
        elif self.restless and dice < 0.90:
            bridge.stalled = not bridge.stalled
        elif dice < 0.92:
            self.pass_time(self.random.choice((0.01, 0.3, 1.0, 2.5)))
        elif dice < 0.95:
            self._change_world(bridge.cluster)
        elif dice < 0.96:
            bridge.restart()
        elif dice < 0.97:
            bridge.stalled = not bridge.stalled
        elif dice < 0.975:
            bridge.store.next_commit = self.random.choice(tuple(Fault))
        elif dice < 0.98:
            self.pass_time(self.random.choice((11.0, 25.0, 70.0)))
        elif dice < 0.99:
            if self.losses:
                self._lose_lease()
        elif self.hands:
            self._use_hand()

    def _step(self, bridge: Bridge) -> None:
        if not bridge.stalled:
            next(bridge.steps)

    def pass_time(self, seconds: float) -> None:
        """Readers finish in time; whoever lives renews."""
        until = self.now + seconds
        while self.now < until:
            step = min(until - self.now, 1.0)
            for reader in self.readers:
                reader.finish_by(self.now + step)
            self.now += step
            for bridge in self.bridges:
                bridge.renew()
            eyes = Memory(self.server)
            lives = {family for family in self.leases if eyes.remaining(LeaseName(family, TTL)) is not None}
            if not self.lives <= lives:
                self.excuse()
            self.lives = lives

    def is_broken(self) -> bool:
        """Whether a shared key is missing that a decider wishes: a hand or a lost lease took it, not a bridge."""
        stands = self.tree()
        wished = {
            TREE + path
            for group in self.groups
            for _, _, keys in self.claims(group)[:1]
            for path in keys
            if not _weakens(path)  # these come last, and nothing is open without them
        }
        if (wished | self.erased) <= stands.keys():
            return False
        self.excuse()
        return True

    def excuse(self) -> None:
        """After the loss of what protects, a reading may be wrong until it was put back and read."""
        self.excused_until = max(self.excused_until, self.now + 4 * READ_TIME)
        for reader in self.readers:
            reader.excused = True

    def _change_world(self, cluster: Cluster) -> None:
        group = cluster.name_of(self.random.choice(GROUPS))
        if self.random.random() < 0.2:
            cluster.wishes.pop(group, None)
            return
        before = cluster.wishes.get(group)
        cluster.want(self._wish(cluster.name, group, before))

    def _wish(self, cluster: str, group: str, before: Wish | None) -> Wish:
        choose = self.random.choice
        keep = before is not None and choose((True, False))
        servers = {f"{cluster}--{n}" for n in range(4) if choose((True, False))}
        own = {f"backends/{group}/servers/{name}/url": f"http://{cluster}{name[-1]}:80" for name in sorted(servers)}
        gone = {path.rpartition("/")[0] for path in before.own if path not in own} if before else set()
        retiring = frozenset(holder for holder in sorted(gone) if choose((True, False)))
        if keep and before is not None:
            return Wish(group, before.shared, own, retiring, title=group)
        shared = {f"backends/{group}/loadbalancer/method": choose(("wrr", "drr"))}
        for frontend in (group, f"{group}__x") if choose((True, False, False)) else (group,):
            at = f"frontends/{frontend}"
            shared[f"{at}/backend"] = group
            path = ";PathPrefix:/x" if frontend != group else ""
            shared[f"{at}/routes/main/rule"] = f"Host:{choose(HOSTS)}{path}"
            if choose((True, False)):
                shared[f"{at}/auth/basic/users"] = choose(USERS)
            if choose((True, False, False)):
                shared[f"{at}/whitelist/sourcerange"] = "10.0.0.0/8"
                if choose((True, False)):
                    shared[f"{at}/whitelist/usexforwardedfor"] = choose(("true", "1"))
        return Wish(group, shared, own, retiring, title=group)

    def _lose_lease(self) -> None:
        cluster = self.random.choice(self.clusters)
        name = self.random.choice((LeaseName(cluster_family(cluster.name), TTL), LeaseName(FLEET, TTL)))
        self.server.end(name)
        self.excuse()

    def _use_hand(self) -> None:
        keys = sorted(self.tree())
        if not keys:
            return
        key = self.random.choice(keys)
        if self.random.random() < 0.5:
            self.server.erase(key)
            self.foreign.pop(key, None)
            self.erased.add(key)
        else:
            value = self.tree()[key]
            self.server.write(key, value)
            if self.server._items[key].lease is None:
                self.foreign[key] = (value, self.server._items[key].revision)
        self.excuse()

    # What must hold

    def after_commit(self, before: Mapping[str, str]) -> None:
        """No transaction takes away a shared key that a living decider wishes; no foreign key changes."""
        after = self.tree()
        self.erased -= after.keys()
        self.erased = {key for key in self.erased if f"{TREE}frontends/{key.split('/')[2]}/backend" in after}
        for key in before.keys() - after.keys():
            place = TRAEFIK1.place(key.removeprefix(TREE))
            claims = self.claims(place.group) if place and place.role is not Role.SERVER else []
            if claims and key.removeprefix(TREE) in claims[0][2] and not _weakens(key.removeprefix(TREE)):
                raise Violation(f"{key} was taken away while {claims[0][1]} claims it")
        if not (self.hands or self.losses or self.now < self.excused_until):
            self._judge_guests(after)
        for key, (value, revision) in self.foreign.items():
            item = self.server._items.get(key)
            if item is None or (item.value, item.revision) != (value, revision):
                raise Violation(f"the operator's {key} was changed")

    def _judge_guests(self, stands: Mapping[str, str]) -> None:
        """Servers of a cluster that does not decide stand behind all the protection that its claim asks for."""
        for group in self.groups:
            for _, cluster, keys in self.claims(group)[1:]:
                if not any(key.startswith(f"{TREE}backends/{group}/servers/{cluster}--") for key in stands):
                    continue
                for path, value in keys.items():
                    place = TRAEFIK1.place(path)
                    may_lack = place is not None and place.weakens and TREE + path not in stands
                    if place and place.role is Role.PROTECTS and not may_lack and stands.get(TREE + path) != value:
                        raise Violation(f"servers of {cluster} stand in {group} without {path}")

    def judge(self, halves: HalvesReader) -> None:
        """What a Traefik serves: nothing opened without its protection, nobody's servers under less than asked for."""
        served = halves.configuration
        if halves.refused is not None:
            raise Violation(f"Traefik takes nothing: {halves.refused.reason}")
        assert isinstance(served, Configuration)
        for live in served.live:
            if live.name == STANDING or self._is_frozen(live.name.removesuffix("__x")):
                continue
            rules = [route.rule for route in served.frontends[live.name].routes.values()]
            if not rules:
                raise Violation(f"{live.name} is open without a rule")
            self._judge_protection(live.name, rules[0], served)
        self.judge_catch_all(halves)

    def _judge_protection(self, name: str, rule: str, served: Configuration) -> None:
        frontend = served.frontends[name]
        group = name.removesuffix("__x")
        asked = [wish for cluster in self.clusters for wish in cluster.history.get(group, ())]
        key = f"frontends/{name}/routes/main/rule"
        by_hand = TREE + key in self.foreign
        wished = [wish for wish in asked if by_hand or wish.shared.get(key) == rule]
        stands = _standing(frontend)
        if not any(_protected(wish, name) <= stands for wish in wished):
            raise Violation(f"{name} is open by {rule} with {sorted(stands)}: nobody asked for that")
        for key, server in served.backends[frontend.backend].servers.items():
            if f"{TREE}backends/{group}/servers/{key}/url" in self.foreign:
                continue
            cluster = next(one for one in self.clusters if server.url.startswith(f"http://{one.name}"))
            if not any(_may_stand_behind(wish, name, stands) for wish in cluster.history[group]):
                raise Violation(f"{server.url} is reached through {name} with {sorted(stands)}")

    def judge_catch_all(self, halves: HalvesReader) -> None:
        """However a reading went: no request for a host that nobody asks for reaches a server."""
        served = halves.configuration
        standing = [f"{TREE}frontends/{STANDING}/backend", f"{TREE}frontends/{STANDING}/routes/main/rule"]
        if (
            isinstance(served, Configuration)
            and STANDING in served.frontends
            and not any(key in self.foreign for key in standing)
        ):
            answer = served.answer(UNKNOWN_HOST, "/")
            if answer.servers:
                raise Violation(f"a request for {UNKNOWN_HOST} reached {sorted(answer.servers)}")

    # Peace

    def settle(self) -> None:
        """Everybody lives and works until nobody has anything left to do."""
        for bridge in self.bridges:
            bridge.restart()
        deadline = self.now + QUIET
        rest = 0
        while self.now < deadline:
            for bridge in self.bridges:
                for _ in range(400):
                    next(bridge.steps)
                    if bridge.idle:
                        break
            busy = any(self._is_busy(bridge) for bridge in self.bridges)
            rest = 0 if busy else rest + 1
            if rest > REPLICA_TTL + 2:
                return
            self.pass_time(1.0)
        raise Violation("it does not come to rest")

    def _is_busy(self, bridge: Bridge) -> bool:
        if bridge.last is None:
            return True
        timed = any(wait.seconds is not None for wait in bridge.last.waits)
        return timed or bool(bridge.last.units and bridge._may_lead())

    def reckon(self) -> None:
        """Exactly the wanted keys stand."""
        wanted: dict[str, str] = {}
        free: set[str] = set()  # groups whose shared keys an operator's key froze
        for group in (*self.groups, STANDING):
            claims = self.claims(group)
            wishes = {
                cluster.name: wish
                for cluster in self.clusters
                if (wish := self.standing_or_wish(cluster, group)) is not None
            }
            if {name for _, name, _ in claims} != wishes.keys():
                raise Violation(f"{group} is claimed by {claims}, wanted by {sorted(wishes)}")
            if self._is_frozen(group):
                free.add(group)
            if claims:
                decider = wishes[claims[0][1]]
                wanted |= {TREE + path: value for path, value in decider.shared.items()}
                for wish in wishes.values():
                    if may_merge(wish.shared, decider.shared, TRAEFIK1):
                        wanted |= {TREE + path: value for path, value in wish.own.items()}
        stands = self.tree()
        for key in sorted(wanted.keys() | stands.keys()):
            place = TRAEFIK1.place(key.removeprefix(TREE))
            if key in self.foreign or place is None or place.group in free or self._beside_foreign(place):
                continue
            if wanted.get(key) != stands.get(key):
                raise Violation(f"{key} is {stands.get(key)!r}, wanted {wanted.get(key)!r}")

    def standing_or_wish(self, cluster: Cluster, group: str) -> Wish | None:
        if cluster.leaving:
            return None
        if group == STANDING:
            return Wish(STANDING, TRAEFIK1.standing(), {})
        return cluster.wishes.get(group)

    def _is_frozen(self, group: str) -> bool:
        places = (TRAEFIK1.place(key.removeprefix(TREE)) for key in self.foreign)
        return any(place and place.group == group and place.role in (Role.OPENS, Role.PROTECTS) for place in places)

    def _beside_foreign(self, place: Place) -> bool:
        """Whether a key is one of an operator's server, or guards an operator's rule or is a server behind it."""
        if place.role is Role.PROTECTS:
            return f"{TREE}{place.holder}/routes/main/rule" in self.foreign
        ruled = any(other.endswith("/rule") and f"/{place.group}" in other for other in self.foreign)
        beside = any(other.startswith(f"{TREE}{place.holder}/") for other in self.foreign)
        return place.role is Role.SERVER and (beside or ruled)


def _protected(wish: Wish, frontend: str) -> frozenset[str]:
    """What a wish asks for on a frontend, in the reader's words."""
    at = f"frontends/{frontend}"
    whole = f"{at}/whitelist/usexforwardedfor" not in wish.shared
    kinds = {f"{at}/auth/basic/users": "auth", f"{at}/whitelist/sourcerange": WHOLE if whole else "whitelist"}
    return frozenset(kind for path, kind in kinds.items() if path in wish.shared)


def _standing(frontend: Frontend) -> frozenset[str]:
    """What stands before a frontend, in the same words."""
    whole = frontend.white_list and not frontend.white_list.use_x_forwarded_for
    return frontend.protections | ({WHOLE} if whole else set())


def _weakens(path: str) -> bool:
    place = TRAEFIK1.place(path)
    return place is not None and place.weakens


def _may_stand_behind(wish: Wish, frontend: str, protections: frozenset[str]) -> bool:
    """Whether servers of a cluster with this wish may be reached through a frontend with these protections."""
    if f"frontends/{frontend}/backend" in wish.shared:
        return _protected(wish, frontend) <= protections
    return not any(_protected(wish, other) for other in (wish.group, f"{wish.group}__x"))


def tell(seed: int, events: int, *, separate: bool = False) -> str:
    """One history of whatever kind its seed says; what it broke, or nothing.

    `separate`: clusters turn from one fan-in to the other. Then nobody else writes: a hand-written key where a route
    shall go keeps it where it was.
    """
    history = History(
        seed,
        clusters=1 + seed % 4,
        replicas=1 + (seed % 5 == 0),
        hands=seed % 2 == 0 and not separate,
        losses=seed % 4 < 2,
        detaches=seed % 7 != 0,
        restless=seed % 3 == 0,
        separate=separate,
    )
    try:
        history.run(events)
    except Violation as err:
        return f"seed {seed}: {err}"
    return ""


def main() -> None:
    """`python -m tests.histories FIRST LAST [separate]`: as many as one has time for."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    tell_one = _tell_separate if sys.argv[3:] == ["separate"] else _tell_long
    with Pool() as pool:
        broken = [told for told in pool.imap_unordered(tell_one, range(first, last)) if told]
    print(*broken, f"{last - first} histories, {len(broken)} broken", sep="\n")
    sys.exit(1 if broken else 0)


def _tell_long(seed: int) -> str:
    return tell(seed, 500)


def _tell_separate(seed: int) -> str:
    return tell(seed, 500, separate=True)


if __name__ == "__main__":
    main()
