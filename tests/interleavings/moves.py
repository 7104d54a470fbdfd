"""All that may happen next: a step of a bridge, by the real planning, packing and writing code, or a disturbance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

from bridge.leases import Keeper
from bridge.model.change import Committed, Conflict, Delete, LeaseName, Limits, Reading, Transaction
from bridge.model.keys import Role, Wish
from bridge.ownership.mirror import Mirror, Side
from bridge.ownership.plan import Plan
from bridge.ownership.records import FLEET, STANDING_FAMILY, cluster_family
from bridge.stores.base import LeaseLost, Store
from bridge.stores.memory import Memory, MemoryServer, _Lease
from bridge.writer import Settings, Writer
from tests.interleavings.promises import Promises
from tests.interleavings.world import (
    READ_TIME,
    RECORDS,
    TREE,
    Answer,
    Hand,
    Phase,
    Process,
    Scenario,
    State,
    Thought,
    cluster_name,
    publisher,
    symbol,
)

Move = tuple[str, Callable[[], State]]  # what happens, and what then is
T = TypeVar("T")


class _Sends(Exception):
    """A writer comes to a transaction that nobody has answered yet."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction


class _Looks(Exception):
    """A writer reads afresh."""


class _Desk:
    """The store as one writer sees it while its commit is gone through again, with the answers known so far."""

    url = "memory:"

    def __init__(self, limits: Limits, now: float, answers: Iterable[Answer] = ()) -> None:
        self.limits, self.now, self.answers = limits, now, list(answers)
        self.readings: list[tuple[Reading, float]] = []  # and when

    def know(self, families: Iterable[str]) -> None:
        """See `Store`."""

    def read(self, prefix: str) -> Reading:
        """See `Store`."""
        if not self.readings:
            raise _Looks(prefix)
        reading, self.now = self.readings.pop(0)
        return reading

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        """See `Store`."""
        if not self.answers:
            raise _Sends(transaction)
        answer = self.answers.pop(0)
        self.now = answer.at
        return answer.said


class _Leases:
    """A keeper whose leases live as the state says."""

    def __init__(self) -> None:
        self.kept: frozenset[LeaseName] = frozenset()

    def keep(self, names: Iterable[LeaseName]) -> None:
        """See `Keeper`."""
        self.kept |= frozenset(names)

    def forget(self) -> None:
        """See `Keeper`."""


class Moves:
    """What may happen in one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.promises = Promises(scenario)
        self._publishers = [publisher(scenario, cluster) for cluster in range(len(scenario.menus))]
        self._numbers: dict[LeaseName, int] = {}  # as the store shows leases that a process does not know

    def all(self, state: State) -> Iterator[Move]:
        """Everything that may happen next. Each raises Violation where it breaks a promise."""
        for number in range(len(state.processes)):
            yield from self._steps(state, number)
        if not self.scenario.watches or not any(map(partial(self._hears, state), state.processes)):
            yield "time goes by", partial(self.tick, state)
        yield from self._disturbances(state)

    # What a bridge does

    def _steps(self, state: State, number: int) -> Iterator[Move]:
        process = state.processes[number]
        who, budget = f"{cluster_name(process.cluster)}.{process.replica}", state.budget
        if process.phase is Phase.DOWN:
            if not self.stays_down(state, process):
                yield f"{who} starts", partial(self.start, state, number)
            return
        if process.phase is Phase.SENDS:
            sends = f"{who} sends {_told(process)}"
            yield sends, partial(self.send, state, number)
            if budget.losses:
                less = replace(state, budget=replace(budget, losses=budget.losses - 1))
                yield f"{sends}, unanswered", partial(self.send, less, number, answered=False)
        else:
            yield from self._readings(state, number, who)
        if process.phase is Phase.SEES and self.may_commit(state, process):
            yield f"{who} plans", partial(self.begin, state, number)
        if budget.crashes:
            less = replace(state, budget=replace(budget, crashes=budget.crashes - 1))
            yield f"{who} crashes", partial(self.crash, less, number)

    def _readings(self, state: State, number: int, who: str) -> Iterator[Move]:
        process = state.processes[number]
        if process.phase is Phase.HALF:
            yield f"{who} reads Traefik's keys", partial(self.read, state, number)
        elif process.phase is Phase.SEES and self.scenario.watches:
            for side in process.mirror.sides:
                if self._is_behind(state, side):
                    yield f"{who} hears of {side.prefix}", partial(self.hear, state, number, side.prefix)
        elif self.is_behind(state, process) or process.phase is Phase.BLIND:
            if self.scenario.looks_split:
                yield f"{who} reads our records", partial(self.read, state, number)
            else:
                yield f"{who} looks", lambda: self.read(self.read(state, number), number)

    def stays_down(self, state: State, process: Process) -> bool:
        """Whether nobody starts it: its cluster left."""
        return process.is_gone and self.wish(state, process) is None

    def wish(self, state: State, process: Process) -> Wish | None:
        """What its cluster's source wishes now."""
        return self.scenario.menus[process.cluster][state.wishes[process.cluster]]

    def is_behind(self, state: State, process: Process) -> bool:
        """Whether a reading would tell it anything new."""
        return any(self._is_behind(state, side) for side in process.mirror.sides)

    def _is_behind(self, state: State, side: Side) -> bool:
        known = {side.prefix + path: held.revision for path, held in side.held.items()}
        return known != {key: item.revision for key, item in state.items.items() if key.startswith(side.prefix)}

    def _hears(self, state: State, process: Process) -> bool:
        """Whether news are on their way to it."""
        return process.phase is Phase.SEES and self.is_behind(state, process)

    def hear(self, state: State, number: int, prefix: str) -> State:
        """News of one prefix, as a watch brings them."""
        process = state.processes[number]
        writer, _ = self._writer(state, process)
        writer.fold(self._client(self._server(state), process).read(prefix))
        return _with(state, number, replace(_blind(process, writer.mirror), phase=Phase.SEES, sorted=process.sorted))

    def crash(self, state: State, number: int) -> State:
        """It forgets everything."""
        old = state.processes[number]
        return _with(state, number, Process(old.cluster, old.replica, lives=old.lives))

    def start(self, state: State, number: int) -> State:
        """A new process of the same name, that has seen nothing."""
        old = state.processes[number]
        return _with(state, number, Process(old.cluster, old.replica, Phase.BLIND, old.lives + 1))

    def read(self, state: State, number: int) -> State:
        """One of the two readings of a look; both become known with the second."""
        process = state.processes[number]
        client = self._client(self._server(state), process)
        if process.phase is not Phase.HALF:
            half = replace(process, phase=Phase.HALF, records=client.read(RECORDS), read_at=state.now)
            return _with(state, number, half)
        writer, desk = self._writer(state, process)
        assert process.records is not None
        desk.readings = [(process.records, process.read_at), (client.read(TREE), state.now)]
        writer.look()
        seen = replace(_blind(process, writer.mirror), phase=Phase.SEES, sorted=process.sorted)
        if not process.mirror.tree.read_at:
            held, leader = writer.leader()
            if held is not None and leader is not None and leader.name == process.replica:
                seen = replace(seen, takes_over=held.revision)
        return _with(state, number, seen)

    def think(self, state: State, process: Process) -> Thought:
        """What it would do now, by what it knows."""
        at = state.now, state.wishes[process.cluster]
        thought = process.thoughts.get(at)
        if thought is None:
            wish = self.wish(state, process)
            writer, _ = self._writer(state, process)
            due = writer.plan({wish.group: wish} if wish else {}, hold=self.scenario.held)
            thought = process.thoughts[at] = Thought(due, bool(writer.other_leader()))
            process.sorted[:] = [writer.standing]
        return thought

    def may_commit(self, state: State, process: Process) -> bool:
        """Whether it has anything to send, and leads."""
        thought = self.think(state, process)
        due = thought.due
        return not thought.follows and bool(due.units or (due.farewell and not _pauses(due)))

    def rests(self, state: State, process: Process) -> bool:
        """Whether it knows all and has nothing to do, now or later, unless another one acts."""
        if process.phase is Phase.DOWN:
            return self.stays_down(state, process)
        if process.phase is not Phase.SEES or self.is_behind(state, process):
            return False
        thought = self.think(state, process)
        return thought.follows or not (thought.due.units or thought.due.farewell or _pauses(thought.due))

    def begin(self, state: State, number: int) -> State:
        """It has planned, holds its leases, and comes to its first transaction."""
        process = state.processes[number]
        due = self.think(state, process).due
        return self._go_on(state, number, replace(process, due=due, symbol=symbol(due)))

    def send(self, state: State, number: int, *, answered: bool = True) -> State:
        """Its next transaction reaches the store."""
        process = state.processes[number]
        assert process.pending is not None
        server = self._server(state)
        client = self._client(server, process)
        written = (change for change in process.pending.changes if not isinstance(change, Delete))
        client._ensured = {change.lease for change in written if change.lease is not None}
        transaction = self.scenario.mutation(process.pending, server)
        try:
            said = client.commit(transaction)
        except LeaseLost:
            return _with(state, number, _blind(process, process.mirror))
        if isinstance(said, Committed):
            self.promises.committed(state, process, transaction, server._items)
            state = self.promises.written(state, server._items, server.revision)
        if not answered:
            return _with(state, number, _blind(process, process.mirror))
        return self._go_on(state, number, replace(process, answers=(*process.answers, Answer(said, state.now))))

    def _go_on(self, state: State, number: int, process: Process) -> State:
        """To the next transaction of its plan, or to its end."""
        keeper = _Leases()
        writer, _ = self._writer(state, process, process.answers)
        assert process.due is not None
        try:
            writer.commit(cast(Keeper, keeper), process.due, lambda _written, _planned: None)
        except _Sends as stop:
            on = replace(process, phase=Phase.SENDS, pending=stop.transaction)
        except _Looks:
            on = _blind(process, writer.mirror)
        else:
            on = replace(_blind(process, writer.mirror), phase=Phase.SEES)
            if not process.due.units and writer.leader()[0] is None:  # it has said farewell
                on = Process(process.cluster, process.replica, lives=process.lives, is_gone=True)
        if not process.answers:
            state = replace(state, leases=state.leases | keeper.kept)
        return _with(state, number, on)

    def _writer(self, state: State, process: Process, answers: Iterable[Answer] = ()) -> tuple[Writer, _Desk]:
        """The real one, with what the process knows."""
        scenario = self.scenario
        settings = Settings(
            self._publishers[process.cluster],
            "e",
            "1",
            scenario.ttls[process.cluster],
            process.replica,
            process.token,
            READ_TIME,
            leaving=scenario.departs and self.wish(state, process) is None,
        )
        desk = _Desk(scenario.limits, state.now, answers)
        writer = Writer(cast(Store, desk), settings, lambda: desk.now)
        writer.mirror, writer.takes_over = process.mirror, process.takes_over
        if process.sorted:
            writer._standing = process.sorted[0]
        return writer, desk

    # What disturbs

    def tick(self, state: State) -> State:
        """A part of a read-time goes by; readings that began a read-time ago have ended.

        Where everybody rests, what was wished before shall stand no more, and what a hand did is put right.
        """
        readings = {seen: age + 1 for seen, age in state.readings.items() if age + 1 < self.scenario.ticks}
        asked, excused = tuple(1 << wish for wish in state.wishes), max(0, state.excused - 1)
        if state.readings or (asked, excused) == (state.asked, state.excused) or not self._all_rest(state):
            asked, excused = state.asked, state.excused
        return replace(state, now=state.now + self.scenario.tick, readings=readings, asked=asked, excused=excused)

    def _all_rest(self, state: State) -> bool:
        return all(self.rests(state, process) for process in state.processes)

    def _disturbances(self, state: State) -> Iterator[Move]:
        budget, scenario = state.budget, self.scenario
        if budget.changes:
            yield from self._changes(replace(state, budget=replace(budget, changes=budget.changes - 1)))
        if budget.ends:
            less = replace(state, budget=replace(budget, ends=budget.ends - 1))
            for name in scenario.ends:
                if name in state.leases:
                    yield f"the lease {name} ends", partial(self.end, less, name)
        if budget.hands:
            less = replace(state, budget=replace(budget, hands=budget.hands - 1))
            for hand in scenario.hands:
                item = state.items.get(hand.key)
                if (item.value if item else None) != hand.value:
                    yield f"a hand leaves {hand.path} as {hand.value}", partial(self._by_hand, less, hand)

    def _changes(self, state: State) -> Iterator[Move]:
        for cluster, menu in enumerate(self.scenario.menus):
            for number in range(len(menu)):
                if number != state.wishes[cluster]:
                    what = f"{cluster_name(cluster)} comes to wish its number {number}"
                    yield what, partial(self._change, state, cluster, number)

    def _change(self, state: State, cluster: int, number: int) -> State:
        asked = _put(state.asked, cluster, state.asked[cluster] | 1 << number)
        return replace(state, wishes=_put(state.wishes, cluster, number), asked=asked)

    def end(self, state: State, name: LeaseName) -> State:
        """A lease ends, and its keys go."""
        server = self._server(state)
        server.end(name)
        if name.family == FLEET:
            state = self.promises.excuse(state)
        ended = replace(state, leases=state.leases - {name})
        return self.promises.written(ended, server._items, server.revision)

    def _by_hand(self, state: State, hand: Hand) -> State:
        server = self._server(state)
        place = self.scenario.layout.place(hand.path)
        foreign = {path: value for path, value in state.foreign.items() if path != hand.path}
        if place is not None and place.role in (Role.PROTECTS, Role.RULE):
            state = self.promises.excuse(state)
        if hand.value is None:
            server.erase(hand.key)
        else:
            server.write(hand.key, hand.value)
            if place is not None and server._items[hand.key].lease is None:
                foreign[hand.path] = hand.value
        return self.promises.written(replace(state, foreign=foreign), server._items, server.revision)

    def _client(self, server: MemoryServer, process: Process) -> Memory:
        client = Memory(server)
        client.know((cluster_family(cluster_name(process.cluster)), FLEET, STANDING_FAMILY, process.lease.family))
        return client

    def _server(self, state: State) -> MemoryServer:
        """The store as it stands; what is done to it changes no state."""
        server = MemoryServer(limits=self.scenario.limits, plain_write_detaches=self.scenario.detaches)
        server._items, server.revision = dict(state.items), state.revision
        for name in state.leases:
            number = self._numbers.setdefault(name, len(self._numbers))
            server._leases[name] = _Lease(number, float("inf"))
            server._families.add(name.family)
        return server


def _with(state: State, number: int, process: Process) -> State:
    return replace(state, processes=_put(state.processes, number, process))


def _put(values: tuple[T, ...], at: int, value: T) -> tuple[T, ...]:
    return (*values[:at], value, *values[at + 1 :])


def _blind(process: Process, mirror: Mirror) -> Process:
    """It knows this, and has no plan."""
    return Process(process.cluster, process.replica, Phase.BLIND, process.lives, mirror, takes_over=process.takes_over)


def _pauses(due: Plan) -> bool:
    return any(wait.seconds is not None for wait in due.waits)


def _told(process: Process) -> str:
    """What its next transaction changes."""
    assert process.pending is not None
    changes = process.pending.changes
    return ", ".join(f"{type(change).__name__.lower()} {change.key}" for change in changes)
