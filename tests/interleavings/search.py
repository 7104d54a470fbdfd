"""Goes through all states that can be reached, breadth first, each once; and from each to peace."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bridge.model.change import Item
from bridge.model.keys import Role, Wish
from bridge.ownership.claims import may_merge
from bridge.ownership.records import STANDING_FAMILY
from tests.interleavings.moves import Moves
from tests.interleavings.promises import Violation
from tests.interleavings.world import (
    GROUP,
    RECORDS,
    TREE,
    Phase,
    Process,
    Scenario,
    State,
    beginning,
    claims_of,
    cluster_name,
    key_of,
)

LONGEST = 400  # steps to peace: more is a fight


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to."""

    scenario: str
    states: int
    moves: int
    depth: int  # steps from the beginning to the farthest state
    seconds: float  # of the processor
    is_complete: bool  # nothing was left out
    broken: str = ""  # the promise that was broken
    story: tuple[str, ...] = ()  # the shortest way to it

    def __str__(self) -> str:
        extent = "all" if self.is_complete else "not all"
        figures = f"{self.states} states ({extent}), {self.moves} moves, depth {self.depth}, {self.seconds:.1f} s"
        told = [f"{self.scenario}: {figures}", *([self.broken] if self.broken else []), *self.story]
        return "\n  ".join(told)


def explore(scenario: Scenario, *, states: int, seconds: float = 3600.0, peace: bool = True) -> Found:
    """Breadth first until a promise breaks, nothing is new, or so many states or seconds are spent.

    `seconds`: of the processor. `peace`: try whether each state comes to a good end, too.
    """
    return _Search(scenario, peace).run(states, seconds)


class _Search:
    def __init__(self, scenario: Scenario, peace: bool) -> None:
        self.scenario, self.moves = scenario, Moves(scenario)
        self.peace = Peace(self.moves) if peace else None
        self.ways: dict[int, tuple[int, str]] = {}  # by state: the one before it, and what happened
        self.count = self.depth = 0
        self.last: tuple[int, str] = (0, "")  # the state that is gone on from, and what is tried

    def run(self, states: int, seconds: float) -> Found:
        began = time.process_time()
        broken, story = "", tuple[str, ...]()
        try:
            is_complete = self._go(states, began + seconds)
        except Violation as err:
            broken, story, is_complete = str(err), self._story(), False
        took = time.process_time() - began
        return Found(
            f"{self.scenario.name}{self.scenario.budget}",
            len(self.ways),
            self.count,
            self.depth,
            took,
            is_complete,
            broken,
            story,
        )

    def _go(self, states: int, until: float) -> bool:
        """Whether all states were gone through."""
        first = beginning_of(self.moves)
        level = [(self._new(first, (0, "")), first)]
        while level:
            following = []
            for key, state in level:
                for what, happen in self.moves.all(state):
                    self.last = key, what
                    self.count += 1
                    new = happen()
                    found = self._new(new, self.last)
                    if found:
                        following.append((found, new))
                if len(self.ways) >= states or time.process_time() > until:
                    return False
            level = following
            self.depth += bool(level)
        return True

    def _new(self, state: State, way: tuple[int, str]) -> int:
        """Its key; 0 where it is known."""
        key = key_of(state, self.scenario)
        if key in self.ways:
            return 0
        self.ways[key] = way
        if self.peace is not None:
            self.peace.must_come(state)
        return key

    def _story(self) -> tuple[str, ...]:
        key, what = self.last
        told = [what]
        while key:
            key, what = self.ways[key]
            told.append(what)
        return tuple(reversed(told))[1:]


def beginning_of(moves: Moves) -> State:
    """Those who have published before have done so, one after the other, and all is long past."""
    state = beginning(moves.scenario)
    peace = Peace(moves)
    for number in moves.scenario.older:
        state = peace.make(moves.start(state, number), revive=False)
    return replace(state, readings={}, excused=0, asked=tuple(1 << wish for wish in state.wishes))


class Peace:
    """Nothing disturbs any more, and everybody works in turn until nobody has anything left to do."""

    def __init__(self, moves: Moves) -> None:
        self.moves, self.scenario = moves, moves.scenario
        self._good: set[tuple[int, bool]] = set()  # states that come to peace

    def must_come(self, state: State) -> None:
        """With all that are down coming back, and with none. Raises Violation where it comes to no good end."""
        for revive in (False, True):
            self.make(state, revive=revive)

    def make(self, state: State, *, revive: bool) -> State:
        """The state in the end. `revive`: who is down starts again; else its leases end."""
        way: dict[tuple[int, bool], str] = {}
        state = replace(state, excused=1 << 20, readings={})
        while True:
            key = key_of(state, self.scenario, whole=False), revive
            if key in self._good:
                break
            if key in way or len(way) > LONGEST:
                raise Violation(f"it does not come to rest: {' / '.join([*way.values()][-12:])}")
            step = self._step(state, revive)
            if step is None:
                self._reckon(state)
                self._good.add(key)
                break
            way[key], state = step
        self._good.update(way)
        return state

    def _step(self, state: State, revive: bool) -> tuple[str, State] | None:
        moves = self.moves
        timed = False
        turns = list(enumerate(state.processes))
        for number, process in reversed(turns) if revive else turns:  # once the one is first, once the other
            who = f"{cluster_name(process.cluster)}.{process.replica}"
            match process.phase:
                case Phase.DOWN:
                    if revive and not moves.stays_down(state, process):
                        return f"{who} starts", moves.start(state, number)
                case Phase.SENDS:
                    return f"{who} sends", moves.send(state, number)
                case Phase.BLIND | Phase.HALF:
                    return f"{who} reads", moves.read(state, number)
                case Phase.SEES if moves.is_behind(state, process):
                    return f"{who} reads", moves.read(state, number)
                case Phase.SEES if moves.may_commit(state, process):
                    return f"{who} plans", moves.begin(state, number)
                case Phase.SEES:
                    timed = timed or not moves.rests(state, process)
        return self._end_of_the_dead(state) or (("time goes by", moves.tick(state)) if timed else None)

    def _end_of_the_dead(self, state: State) -> tuple[str, State] | None:
        """A lease that nobody renews ends."""
        up = [process for process in state.processes if process.phase]
        families = {f"c/{cluster_name(process.cluster)}" for process in up}
        kept = {process.lease for process in up if self._leads_or_may(state, process)}
        for name in sorted(state.leases):
            if name.family == STANDING_FAMILY or name in kept or name.family in families:
                continue
            if name.family == "fleet" and up:
                continue
            return f"{name} ends", self.moves.end(state, name)
        return None

    def _leads_or_may(self, state: State, process: Process) -> bool:
        key = f"{RECORDS}c/{cluster_name(process.cluster)}/leader"
        item = state.items.get(key)
        return item is None or process.token in item.value

    def _reckon(self, state: State) -> None:
        """Exactly the wanted keys stand."""
        claims = claims_of(state.items, GROUP)
        wishes = self._wanted(state)
        if {cluster for cluster, _ in claims} != wishes.keys():
            raise Violation(f"claimed by {[cluster for cluster, _ in claims]}, wanted by {sorted(wishes)}")
        wanted: dict[str, str] = {}
        if claims:
            decider = wishes[claims[0][0]]
            wanted |= decider.shared
            for wish in wishes.values():
                if may_merge(wish.shared, decider.shared, self.scenario.layout):
                    wanted |= wish.own
        self._compare(state, wanted)
        is_alive = any(process.phase for process in state.processes)
        if is_alive and not claims and not state.foreign and any("/guard/" in key for key in state.items):
            raise Violation("a guard is left of a group that nobody claims")

    def _wanted(self, state: State) -> Mapping[str, Wish]:
        """By cluster, of those that live."""
        found = {}
        for process in state.processes:
            wish = self.moves.wish(state, process)
            if wish is not None and process.phase:
                found[cluster_name(process.cluster)] = wish
        return found

    def _compare(self, state: State, wanted: Mapping[str, str]) -> None:
        stands = {key[len(TREE) :]: item for key, item in state.items.items() if key.startswith(TREE)}
        places = {path: self.scenario.layout.place(path) for path in state.foreign}
        frozen = any(place and place.role in (Role.OPENS, Role.PROTECTS) for place in places.values())
        for path in sorted(wanted.keys() | stands.keys()):
            if path in state.foreign or frozen or state.foreign:
                continue
            found: Item | None = stands.get(path)
            if wanted.get(path) != (found.value if found else None):
                raise Violation(f"{path} is {found.value if found else None!r}, wanted {wanted.get(path)!r}")
        for path, value in state.foreign.items():
            if path not in stands or stands[path].value != value:
                raise Violation(f"the operator's {path} was changed")
