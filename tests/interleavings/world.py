"""One state of several bridges, their store and all Traefiks that read it, and what makes two states the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from functools import cached_property, lru_cache

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.leases import REPLICA_TTL
from bridge.model.change import Change, Committed, Conflict, Delete, Item, LeaseName, Limits, Reading, Transaction
from bridge.model.keys import Layout, Publisher, Wish
from bridge.ownership.mirror import Held, Mirror, Side
from bridge.ownership.plan import Plan
from bridge.ownership.records import named, read_leader, replica_family
from bridge.ownership.standing import Standing
from bridge.stores.memory import LIKE_ETCD
from tests.histories import Mutation, honest

TREE, RECORDS = "traefik/", "bridge/traefik/"
GROUP = "app__shop"
READ_TIME = 16.0  # seconds; a power of two, so that a presence says no more, and longer than a lost claim is waited for
TTL = 60  # seconds


@dataclass(frozen=True, slots=True)
class Hand:
    """What an operator does without asking anybody."""

    path: str  # below Traefik's prefix, or the whole key of a record
    value: str | None  # None: deletes it

    @property
    def key(self) -> str:
        """The whole key."""
        return self.path if self.path.startswith(RECORDS) else TREE + self.path


@dataclass(frozen=True, slots=True)
class Budget:
    """How often each of what disturbs may happen."""

    changes: int = 0  # of what a source wishes
    crashes: int = 0
    ends: int = 0  # of leases
    hands: int = 0
    losses: int = 0  # of a commit's answer

    def __str__(self) -> str:
        told = [f"{count} {name}" for name, count in asdict(self).items() if count]
        return f" ({', '.join(told)})" if told else ""


@dataclass(frozen=True)
class Scenario:
    """Who publishes what, and what may happen to them."""

    name: str
    menus: tuple[tuple[Wish | None, ...], ...]  # by cluster: what its source may come to wish; first: at the start
    budget: Budget
    processes: tuple[int, ...] = (0, 1)  # by process: its cluster
    older: tuple[int, ...] = ()  # processes that have published when it begins, the oldest first
    layout: Layout = TRAEFIK1
    limits: Limits = LIKE_ETCD
    detaches: bool = True  # a hand's write takes the lease off
    ticks: int = 1  # that a read-time has
    looks_split: bool = True  # others may move between the two readings of a look
    watches: bool = False  # news of either prefix come by themselves, in any order, and before time goes by
    ends: tuple[LeaseName, ...] = ()  # leases that may end
    hands: tuple[Hand, ...] = ()
    ttls: tuple[int, ...] = (TTL, TTL, TTL)  # seconds, by cluster
    departs: bool = False  # a cluster that wishes nothing leaves as `bridge leave` does
    held: bool = False  # the brake is shut: nothing goes but what is drained
    mutation: Mutation = honest

    @cached_property
    def tick(self) -> float:
        """Seconds."""
        return READ_TIME / self.ticks

    @cached_property
    def oldest(self) -> int:
        """Ticks after which nothing grows older: all that a plan waits for is shorter."""
        asks_otherwise = any(hand.path.endswith("/presence") for hand in self.hands)
        return self.ticks * (2 if asks_otherwise or len({*self.ttls[: len(self.menus)]}) > 1 else 1)


class Phase(IntEnum):
    """How far a process is."""

    DOWN = 0
    BLIND = 1  # it reads our records next, …
    HALF = 2  # … then Traefik's keys
    SEES = 3  # it may plan
    SENDS = 4  # its next transaction is in its hands


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store said to one transaction, and when."""

    said: Committed | Conflict
    at: float


@dataclass(frozen=True, slots=True)
class Thought:
    """What a process would do, and whether another one leads."""

    due: Plan
    follows: bool


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """One bridge. Never changed."""

    cluster: int
    replica: str
    phase: Phase = Phase.DOWN
    lives: int = 0  # how often it was started
    mirror: Mirror = field(default_factory=lambda: Mirror.empty(TREE, RECORDS))
    records: Reading | None = None  # between the two readings of a look: what the first one saw, …
    read_at: float = 0.0  # … and when
    due: Plan | None = None  # what it commits; the mirror is then the one that was planned from
    symbol: int = 0  # the same, without revisions
    answers: tuple[Answer, ...] = ()
    pending: Transaction | None = None
    takes_over: int = 0  # revision
    is_gone: bool = False  # it left, and said farewell
    thoughts: dict[tuple[float, int], Thought] = field(default_factory=dict)  # by time and wish: of this very mirror
    sorted: list[Standing] = field(default_factory=list)  # its mirror by groups, once that was needed

    @property
    def token(self) -> str:
        """Tells one life from another."""
        return f"{cluster_name(self.cluster)}.{self.replica}.{self.lives}"

    @property
    def lease(self) -> LeaseName:
        """Of its leadership."""
        return LeaseName(replica_family(cluster_name(self.cluster), self.replica), REPLICA_TTL)


Partial = tuple[object, ...]  # what a reading has seen so far


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All there is at one moment. Never changed."""

    now: float
    revision: int
    items: Mapping[str, Item]
    leases: frozenset[LeaseName]
    processes: tuple[Process, ...]
    wishes: tuple[int, ...]  # by cluster: which of its menu
    asked: tuple[int, ...]  # by cluster, a bit for each of its menu: what may still stand
    budget: Budget
    readings: Mapping[Partial, int]  # under way, by what they saw; ticks since they began
    foreign: Mapping[str, str] = field(default_factory=dict)  # what an operator wrote
    excused: int = 0  # ticks for which readings may be wrong: a lease or a hand took away what protects


def cluster_name(number: int) -> str:
    """c0, c1, …"""
    return f"c{number}"


def publisher(scenario: Scenario, cluster: int) -> Publisher:
    """That of a cluster."""
    return Publisher(scenario.layout, TREE, RECORDS, cluster_name(cluster))


def beginning(scenario: Scenario) -> State:
    """Nothing stands; all processes are down."""
    count: dict[int, int] = {}
    processes = []
    for cluster in scenario.processes:
        count[cluster] = count.get(cluster, -1) + 1
        processes.append(Process(cluster, f"r{count[cluster]}"))
    wishes = tuple(0 for _ in scenario.menus)
    return State(1000.0, 1, {}, frozenset(), tuple(processes), wishes, tuple(1 for _ in wishes), scenario.budget, {})


def claims_of(items: Mapping[str, Item], group: str) -> list[tuple[str, Item]]:
    """The claims of a group, the oldest first: cluster and record."""
    found = []
    for key, item in items.items():
        name = named(key[len(RECORDS) :]) if key.startswith(RECORDS) else None
        if name and name.kind == "claim" and name.group == group:
            found.append((item.created, name.cluster, item))
    return [(cluster, item) for _, cluster, item in sorted(found, key=lambda claim: claim[:2])]


# Which states are the same: revisions and times count only as far as a plan or a comparison can tell them apart.

_ids: dict[object, int] = {}


def _id(what: object) -> int:
    return _ids.setdefault(what, len(_ids))


@lru_cache(1 << 12)
def _token(value: str) -> str:
    leader = read_leader(value)
    return leader.token if leader else ""


def symbol(due: Plan) -> int:
    """A plan without its revisions: those are its mirror's."""
    units = tuple(
        (unit.group, unit.why, *map(_operation, unit.changes), *unit.checks, *unit.wide) for unit in due.units
    )
    return _id(repr([_without_revisions(unit) for unit in units]) + str(len(due.farewell)))


def _operation(change: Change) -> tuple[object, ...]:
    if isinstance(change, Delete):
        return ("delete", change.key)
    return (type(change).__name__, change.key, "" if "/guard/" in change.key else change.value, change.lease)


def _without_revisions(unit: tuple[object, ...]) -> list[object]:
    return [getattr(part, "key", part) for part in unit]


def key_of(state: State, scenario: Scenario, *, whole: bool = True) -> int:
    """Equal for states that go on in the same way. `whole`: with what may still happen and what is being read."""
    tokens = {process.token: number for number, process in enumerate(state.processes) if process.phase}
    parts: list[object] = [_stands(state.items, tokens), _id(state.leases), state.wishes, tuple(sorted(state.foreign))]
    parts += [_known(process, state, scenario, tokens) for process in state.processes]
    if whole:
        parts += [state.budget, state.asked, frozenset(state.readings.items()), state.excused]
    return hash(tuple(map(hash, parts)))


@dataclass(slots=True)
class _Shape:
    """What of one side never changes, found once."""

    of: object  # whose it is: keeps that alive, so that its id stays its own
    keys: list[tuple[str, int, int, float]] = field(default_factory=list)  # key, number, revision, since
    leaders: list[tuple[str, str, int]] = field(default_factory=list)  # key, token, revision
    gone: list[tuple[int, float]] = field(default_factory=list)
    order: int = 0  # of the claims


_shapes: dict[int, _Shape] = {}
_SHAPES = 1 << 18  # kept at once


def _shape(of: Side | Mapping[str, Item | None]) -> _Shape:
    shape = _shapes.get(id(of))
    if shape is None:
        if len(_shapes) > _SHAPES:
            _shapes.clear()
        shape = _shapes[id(of)] = _side_shape(of) if isinstance(of, Side) else _items_shape(of)
    return shape


def _items_shape(items: Mapping[str, Item | None]) -> _Shape:
    there = {key: item for key, item in items.items() if item is not None}
    shape = _Shape(items, order=_ages(there.items()))
    for key, item in there.items():
        if key.endswith("/leader"):
            shape.leaders.append((key, _token(item.value), 0))
        else:
            shape.keys.append((key, _id((key, _shown(key, item.value), item.lease)), 0, 0.0))
    return shape


def _side_shape(side: Side) -> _Shape:
    shape = _Shape(side, order=_ages(side.held.items()))
    for path, held in side.held.items():
        key, is_old = side.prefix + path, held.created <= side.first_at
        if key.endswith("/leader"):
            shape.leaders.append((key, _token(held.value), held.revision))
        else:
            known = _id((key, _shown(key, held.value), held.lease, is_old))
            shape.keys.append((key, known, held.revision, held.since))
    shape.gone = [(_id((side.prefix, path)), lost.since) for path, lost in side.gone.items()]
    return shape


def _shown(key: str, value: str) -> object:
    """A value as far as it matters: a guard's count does not."""
    return value.isdecimal() if "/guard/" in key else value


def _stands(items: Mapping[str, Item | None], tokens: Mapping[str, int]) -> int:
    shape = _shape(items)
    keys = sorted(known for _, known, _, _ in shape.keys)
    leaders = sorted((key, tokens.get(token, -1)) for key, token, _ in shape.leaders)
    return hash((tuple(keys), tuple(leaders), shape.order))


def _ages(items: Iterable[tuple[str, Item | Held]]) -> int:
    """In which order the claims came."""
    claims = [(item.created, key) for key, item in items if "/claim/" in key]
    claims.sort()
    return _id(tuple(key for _, key in claims))


def _known(process: Process, state: State, scenario: Scenario, tokens: Mapping[str, int]) -> int:
    """What a process knows."""
    if process.phase is Phase.DOWN:
        return hash((process.cluster, process.is_gone))
    known: list[object] = [process.cluster, int(process.phase), process.symbol if process.due else -1]
    known += [_side(side, state, scenario, tokens) for side in process.mirror.sides]
    if process.records is not None:
        known += [_stands(process.records.items, tokens), _fresh(process.records.items, state.items)]
    known += [_answer(answer, state, scenario) for answer in process.answers]
    leader = state.items.get(f"{RECORDS}c/{cluster_name(process.cluster)}/leader")
    known.append(leader is not None and leader.revision == process.takes_over)
    return hash(tuple(known))


def _side(side: Side, state: State, scenario: Scenario, tokens: Mapping[str, int]) -> int:
    shape, now, tick, oldest, items = _shape(side), state.now, scenario.tick, scenario.oldest, state.items
    known = []
    for key, number, revision, since in shape.keys:
        item = items.get(key)
        age = int((now - since) / tick)
        is_fresh = item is not None and item.revision == revision
        known.append((number << 4) + (is_fresh << 3) + (age if age < oldest else oldest))
    known.sort()
    gone = sorted((number << 4) + min(oldest, int((now - since) / tick)) for number, since in shape.gone)
    leaders = sorted(
        (key, tokens.get(token, -1), (item := items.get(key)) is not None and item.revision == revision)
        for key, token, revision in shape.leaders
    )
    first = min(oldest, int((now - side.first) / tick)) if side.read_at else -1
    return hash((tuple(known), tuple(gone), tuple(leaders), shape.order, first))


def _fresh(items: Mapping[str, Item | None], now: Mapping[str, Item]) -> int:
    """Which of these stand as they are."""
    return _id(tuple(sorted(key for key, item in items.items() if item and now.get(key) == item)))


def _answer(answer: Answer, state: State, scenario: Scenario) -> object:
    if isinstance(answer.said, Conflict):
        return None
    fresh = []
    for key, item in answer.said.reading.items.items():
        now = state.items.get(key)
        fresh.append((key, (now and now.revision) == (item and item.revision)))
    return tuple(fresh), min(scenario.oldest, int((state.now - answer.at) / scenario.tick))
