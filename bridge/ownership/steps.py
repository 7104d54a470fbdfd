"""What of a group may change now, and what waits for a reader to finish.

Traefik 1.7 lists names first and fetches values one by one, so whatever changes during its read is seen half, for as
long as the read takes: the read-time. What opens a route must therefore never be seen without what protects it:

- what protects more is written before what opens more, what protects less after what opens less; any change of a rule
  counts as both;
- what protects more is written before what protects less as well, so one protection in another's place leaves no gap;
- a key that weakens the protection beside it goes first and comes last; with another value it does both;
- an object that becomes of another kind, as where another server is asked instead of for a password: for a reader that
  sees each transaction whole it goes in one, or waits wholly, since of two kinds it is none. Where the first of two
  counts, as in Traefik 1.7, the new one comes no sooner than another value of the old one would;
- a frontend that was opened less than a read-time ago may still be read as open;
- servers are written before those that they replace go.

Nothing is remembered between passes: each plans afresh from ages on this process's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from bridge.model.change import Change, Check, Create, Delete, LeaseName, Update
from bridge.model.keys import Layout, Role
from bridge.ownership.claims import LONG_AGO, Group, kinds, server_home
from bridge.ownership.mirror import Held
from bridge.ownership.standing import Standing


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that is due later."""

    group: str
    what: str  # for whom: what is waited for
    seconds: float | None  # at least; None: until somebody else has acted


@dataclass(slots=True)
class Draft:
    """The changes of one group, under the making."""

    prefix: str
    lease: LeaseName
    held: Mapping[str, Held]
    changes: dict[str, Change] = field(default_factory=dict)  # by path

    def put(self, path: str, value: str) -> None:
        """Create or update `path`; nothing where it stands so already."""
        held = self.held.get(path)
        if held is None:
            self.changes[path] = Create(self.prefix + path, value, self.lease)
        elif held.value != value or held.lease != self.lease:
            self.changes[path] = Update(self.prefix + path, value, self.lease, held.revision, held.lease)

    def drop(self, path: str) -> None:
        """Delete `path`."""
        self.changes[path] = Delete(self.prefix + path, self.held[path].revision)

    def check(self, path: str) -> Check:
        """That `path` still stands, or is absent, as it was read."""
        held = self.held.get(path)
        return Check(self.prefix + path, held.revision if held else 0)


@dataclass(frozen=True, slots=True)
class Clock:
    """What time means to one plan."""

    now: float  # seconds, monotonic
    read_time: float  # seconds, the longest among those who publish here

    def due(self, since: float) -> float:
        """Seconds until `since` is a read-time ago; 0 when it is."""
        return max(0.0, since + self.read_time - self.now)


class SharedSteps:
    """The shared keys of one group on their way to the decider's wish."""

    def __init__(
        self,
        standing: Standing,
        group: Group,
        target: Mapping[str, str],
        draft: Draft,
        clock: Clock,
        *,
        own: Iterable[str],
        decides: bool,
        hold: bool,
        barred: str,
        quiet_since: float,
    ) -> None:
        """`hold`: delete nothing. `barred`: why nothing may be opened or protected less now; empty when it may.

        `own`: the paths of the servers that this cluster wants in the group.
        `quiet_since`: when somebody was last seen to rely on another wish than `target`.
        """
        self.layout: Layout = standing.publisher.layout
        self.standing, self.group, self.target, self.draft, self.clock = standing, group, target, draft, clock
        self.decides, self.hold, self.barred, self.quiet_since = decides, hold, barred, quiet_since
        self.waits: list[Wait] = []
        self.unsettled = False  # a key of the wish will not stand as wished after this transaction
        self.guards_opening: set[str] = set()  # holders whose opening keys must be compared
        self.keys = group.shared
        places = ((path, self.layout.place(path)) for path in (*target, *group.shared, *group.shared_gone))
        self.places = {path: place for path, place in places if place is not None}
        self.is_old = _is_old(standing, group)
        self.turning = self._find_turning()
        self.heirs: dict[str, list[str]] = {}  # this cluster's keys that shall stand, by the home of their servers
        for path in own:
            if (place := self.layout.place(path)) is not None:
                self.heirs.setdefault(server_home(place.holder), []).append(path)

    def run(self) -> None:
        """Draft what may change now, and say what waits."""
        holders: dict[str, list[str]] = {}
        for path in sorted(self.target.keys() | self.keys.keys()):
            holders.setdefault(self.places[path].holder, []).append(path)
        wished = {self.places[path].holder for path in self.target}
        for holder, paths in sorted(holders.items()):
            if holder in wished:
                self._settle(holder, paths)
            elif self.decides and not self.hold:
                self._retire(holder, paths)
        for holder in sorted(wished):
            self._open(holder, holders[holder])

    def _role(self, path: str) -> Role:
        return self.places[path].role

    def _find_turning(self) -> set[str]:
        """The objects that stand as of another kind than they shall be."""
        stand, wished = kinds(self.keys, self.layout), kinds(self.target, self.layout)
        return {one for one, found in wished.items() if stand.get(one, found) != found}

    def _turns(self, path: str) -> bool:
        """Whether `path` is of the old or the new kind of an object that becomes of another one."""
        return self.places[path].kind.rpartition("/")[0] in self.turning

    def _differs(self, path: str) -> bool:
        return path in self.keys and path in self.target and self.keys[path].value != self.target[path]

    def _wait(self, what: str, seconds: float | None) -> None:
        self.waits.append(Wait(self.group.name, what, seconds))

    def _is_open(self, holder: str) -> bool:
        return any(path in self.keys or path in self.group.foreign for path in self.layout.opening(holder))

    def _closed_since(self, holder: str) -> float:
        """When an opening key of `holder` was last seen; what was there before this process counts as new."""
        if not self.standing.publisher.layout.reads_halves or self._is_new(holder):
            return LONG_AGO
        seen = [self.group.shared_gone[path] for path in self.layout.opening(holder) if path in self.group.shared_gone]
        return max(seen, default=self.standing.mirror.tree.first)

    def _is_new(self, holder: str) -> bool:
        """Whether `holder` cannot have been open before: nothing of it stood when this process began to look.

        Where other old keys of the group stand, it was not the loss of a lease that took this holder's away.
        """
        if any(path in self.group.shared_gone for path in self.layout.opening(holder)):
            return False
        first = self.standing.mirror.tree.first_at
        old = {path for path, held in self.keys.items() if held.created <= first}
        if any(self.places[path].holder == holder for path in old):
            return False
        return bool(old) or not self.is_old

    def _settle(self, holder: str, paths: list[str]) -> None:
        """Bring all but the opening keys of a wished holder to the wish."""
        turning = () if self.layout.reads_halves else tuple(path for path in paths if self._turns(path))
        stays = bool(turning) and not self._may_turn()
        if stays:
            self.unsettled = True
            paths = [path for path in paths if path not in turning]
        roles = {role: [path for path in paths if self._role(path) is role] for role in Role}
        rest = roles[Role.REST]
        for path in rest:
            if path in self.target:
                self._write(path)
        weakens = [path for path in roles[Role.PROTECTS] if self.places[path].weakens]
        protects = [path for path in roles[Role.PROTECTS] if path not in weakens]
        more = self._weaken_less(holder, weakens)
        more = self._protect_more(holder, protects) or more
        ruled = self._rule(holder, roles[Role.RULE], roles[Role.PROTECTS], more, stays=stays)
        if not stays:
            self._protect_less(holder, protects, weakens, roles[Role.RULE], more or ruled)
        if self.layout.reads_halves or all(self._stands(path) for path in roles[Role.RULE]):
            for path in rest:  # nothing goes that a router's list, which waits, still names
                if path not in self.target:
                    self._write(path)

    def _may_turn(self) -> bool:
        """Whether an object may become of another kind now, wholly; says what it waits for, but for the brake."""
        if self.barred:
            self._wait(self.barred, None)
        return self.decides and not self.hold and not self.barred

    def _stands(self, path: str) -> bool:
        """Whether `path` is, or becomes with this transaction, as wished."""
        held = self.keys.get(path)
        return path in self.draft.changes or (held.value if held else None) == self.target.get(path)

    def _write(self, path: str) -> bool:
        """Put one key as wished, or delete it where it is not wished; whether that changes its value."""
        wished, held = self.target.get(path), self.keys.get(path)
        if path in self.group.foreign or (held and wished == held.value) or (wished is None and self.hold):
            return False
        if held is not None and not self.decides:
            self.unsettled = self.unsettled or wished is not None
            return False
        if wished is None:
            self.draft.drop(path)
        else:
            self.draft.put(path, wished)
        return True

    def _protect_more(self, holder: str, paths: list[str]) -> bool:
        """Write the protecting keys that are missing or differ; whether one of them changes or still has to."""
        changed = False
        for path in paths:
            if path not in self.target:
                continue
            if self._comes_late(path):
                changed = self.unsettled = True
            elif self._write(path):
                changed = True
                self.guards_opening.add(holder)
        return changed or any(self._differs(path) for path in paths)

    def _comes_late(self, path: str) -> bool:
        """Whether a protecting key waits since it would protect otherwise than somebody may rely on."""
        hides = path not in self.keys and self._turns(path) and self.layout.reads_halves
        if not self.decides:
            return hides
        return (hides or self._differs(path)) and self._still_asked_for()

    def _still_asked_for(self) -> bool:
        """Whether a read may see servers that rely on what protects now; says what it waits for."""
        due = self.clock.due(self.quiet_since) if self.layout.reads_halves and self._is_shared() else 0.0
        if self.barred or due > 0:
            what = "until no read sees servers that ask for another protection"
            self._wait(self.barred or what, None if self.barred else due)
        return bool(self.barred) or due > 0

    def _is_shared(self) -> bool:
        """Whether another cluster claims the group, or was seen to."""
        return len(self.group.claims) > 1 or bool(self.group.gone.keys() - {self.standing.publisher.cluster})

    def _weaken_less(self, holder: str, paths: list[str]) -> bool:
        """Take away the weakening keys that shall not stand as they do; whether one goes or still has to."""
        going = [path for path in paths if path in self.keys and self.keys[path].value != self.target.get(path)]
        for path in going:
            if self.decides and not self.hold and not self.barred:
                self.draft.drop(path)
                self.guards_opening.add(holder)
                self.unsettled = self.unsettled or path in self.target
                continue
            self.unsettled = True
            if self.barred:
                self._wait(self.barred, None)
        return bool(going)

    def _rule(self, holder: str, rules: list[str], protects: list[str], more: bool, *, stays: bool) -> bool:
        """Write the rules when all that protects is surely read; whether a rule changes or still has to.

        `stays`: some of it still has to become of another kind.
        """
        changing = [path for path in rules if self._differs(path) or (path in self.target) != (path in self.keys)]
        changing = [path for path in changing if path not in self.group.foreign]
        changing = [path for path in changing if self.decides or path not in self.keys]
        narrowing = [path for path in changing if self._narrows(path)]
        for path in narrowing:  # no server is there that this does harm to
            self._write(path)
            self.guards_opening.add(holder)
        changing = [path for path in changing if path not in narrowing]
        if not changing:
            return bool(narrowing) or any(self._differs(path) for path in rules)
        if stays:
            return True  # that has said what it waits for
        heirs = [path for path in rules if path in self.target]
        if heirs and all(path not in self.target for path in changing):
            due, what = self._rule_due(holder, changing, [*protects, *heirs], more)
            what = "until the new rule was read"
        else:
            due, what = self._rule_due(holder, changing, protects, more)
        if due is None:
            self._wait(what, None)
        elif due > 0:
            self._wait(what, due)
        else:
            come = [path for path in changing if path in self.target]
            now = (come or changing) if self.layout.reads_halves else changing  # never an instant without a rule
            for path in now:
                self._write(path)
            self.guards_opening.add(holder)
            if now == changing:
                return True
            self._wait("until the new rule was read", self.clock.read_time)
        self.unsettled = True
        return True

    def _narrows(self, path: str) -> bool:
        """Whether the change of a rule, or of what stands for one, does nothing but keep more requests away."""
        return self._differs(path) and self.layout.narrows(path, self.keys[path].value, self.target[path])

    def _rule_due(self, holder: str, changing: list[str], protects: list[str], more: bool) -> tuple[float | None, str]:
        """Seconds until the rules of `holder` may change, None for an unknown time, and what is waited for."""
        if not self._is_open(holder):
            return self.clock.due(self._closed_since(holder)), "until no read sees it open any more"
        if all(path not in self.keys for path in changing):
            return 0.0, ""  # without its rule an open frontend takes every host: nothing is worse
        if self.barred:
            return None, self.barred
        if not self.layout.reads_halves:
            return 0.0, ""
        if more:
            return self.clock.read_time, "until what protects more was read"
        youngest = self._last_change(holder, protects)
        due = self.clock.due(max(youngest, self.quiet_since))
        return due, "until what protects it was read" if youngest > LONG_AGO else "until every cluster has seen it"

    def _last_change(self, holder: str, paths: Iterable[str]) -> float:
        """When one of these keys was last seen to come or to change, or one that weakened `holder` to go."""
        weakened = {path for path, at in self.places.items() if at.weakens and at.holder == holder}
        gone = [since for path, since in self.group.shared_gone.items() if path in weakened]
        return max([*gone, *(self.keys[path].since for path in paths if path in self.keys)], default=LONG_AGO)

    def _protect_less(
        self, holder: str, protects: list[str], weakens: list[str], rules: list[str], changing: bool
    ) -> None:
        """Take away what protects and is not wished, and write what weakens, when all else is surely read.

        `changing`: a rule, or what protects more, changes now or still has to.
        """
        surplus = [path for path in protects if path in self.keys and path not in self.target]
        if not self.decides or self.hold:
            surplus = []
        coming = [path for path in weakens if path in self.target and path not in self.keys]
        coming = [path for path in coming if path not in self.group.foreign]
        if not surplus and not coming:
            return
        if not self._may_protect_less(holder, [*rules, *(path for path in protects if path in self.target)], changing):
            # Behind a hand-written rule it never comes, and what opens need not wait for what only weakens.
            self.unsettled = self.unsettled or (bool(coming) and not self._has_foreign_rule(holder))
            return
        for path in surplus:
            self.draft.drop(path)
        for path in coming:
            self.draft.put(path, self.target[path])
        self.guards_opening.add(holder)

    def _may_protect_less(self, holder: str, before: list[str], changing: bool) -> bool:
        """Whether all of `before` is surely read; says what it waits for."""
        if self.barred or self._has_foreign_rule(holder):
            self._wait(self.barred or "until the hand-written rule is gone, for which the protection was asked", None)
            return False
        if self._is_open(holder):
            due = self.clock.due(max(self._last_change(holder, before), self.quiet_since))
            due = self.clock.read_time if changing else due
        else:
            due = self.clock.due(self._closed_since(holder))
        if due > 0 and self.layout.reads_halves:
            self._wait("until no read sees the old rule, or less protection, any more", due)
            return False
        return True

    def _has_foreign_rule(self, holder: str) -> bool:
        places = (self.layout.place(path) for path in self.group.foreign)
        return any(place and place.holder == holder and place.role is Role.RULE for place in places)

    def _retire(self, holder: str, paths: list[str]) -> None:
        """Take away a holder that the decider does not wish any more: what opens it first."""
        opening = [path for path in self.layout.opening(holder) if path in self.keys]
        if opening:
            if self.barred:
                self._wait(self.barred, None)
                return
            for path in opening:
                self.draft.drop(path)
            self._wait("until no read sees it open any more", self.clock.read_time)
            return
        if self._is_open(holder):
            return  # a foreign key opens it
        closed = self._closed_since(holder) if self.layout.opening(holder) else self._unused_since()
        due = self.clock.due(closed)
        heirs = self.heirs.get(server_home(holder), ()) if server_home(holder) else ()
        if heirs and not self._are_read(heirs):
            return
        if due > 0:
            self._wait("until no read sees it open any more", due)
            return
        for path in paths:
            self.draft.drop(path)
        self.guards_opening.add(holder)

    def _are_read(self, heirs: Iterable[str]) -> bool:
        """Whether a server that takes a hand-written one's place is surely known; says what it waits for."""
        known = [self.group.mine[path].since for path in heirs if path in self.group.mine]
        due = self.clock.due(max(known)) if known and self.layout.reads_halves else 0.0
        if due > 0 or not known:
            self._wait("until the new servers were read", due if known else None)
        return bool(known) and due <= 0

    def _unused_since(self) -> float:
        """When a reference to an object that nothing opens was last seen: any opening key of the group counts.

        One that has still to change may refer to it now.
        """
        now = self.clock.now
        opens = [
            held.since if self.target.get(path) == held.value else now
            for path, held in self.keys.items()
            if self._role(path) is Role.OPENS
        ]
        gone = [since for path, since in self.group.shared_gone.items() if self._role(path) is Role.OPENS]
        return max([*opens, *gone], default=LONG_AGO) if self.layout.reads_halves else LONG_AGO

    def _open(self, holder: str, paths: list[str]) -> None:
        """Open `holder` when all else of the group stands as wished, and nothing can be seen half."""
        opening = [path for path in self.layout.opening(holder) if path in self.target]
        for path in opening:
            if path in self.group.foreign:
                continue
            if path not in self.keys:
                self._create_opening(holder, path, paths)
            elif self._differs(path) and self.decides:
                self._repoint(path)

    def _create_opening(self, holder: str, path: str, paths: list[str]) -> None:
        if self.unsettled:
            return  # what is unsettled has said what it waits for
        if self.barred:
            self._wait(self.barred, None)
            return
        closed = self._closed_since(holder)
        guarded = [other for other in paths if self._role(other) in (Role.PROTECTS, Role.RULE)]
        # A reader that saw it open before it was closed must not now find another rule or protection.
        same = all(
            other in self.keys and other not in self.draft.changes and self.keys[other].since <= closed
            for other in guarded
        )
        since = closed if not self.is_old else max(closed, self.quiet_since)
        due = self.clock.due(since) if self.layout.reads_halves else 0.0
        if due > 0 and not same:
            self._wait("until no read sees what it was before", due)
            return
        self.draft.put(path, self.target[path])
        self.guards_opening.discard(holder)

    def _repoint(self, path: str) -> None:
        """Let an opening key refer to something else, once that is surely read."""
        if self.unsettled:
            return  # what is unsettled has said what it waits for
        if self.draft.changes and self.layout.reads_halves:
            self._wait("until what it refers to was read", self.clock.read_time)
            return
        if self.barred:
            self._wait(self.barred, None)
            return
        youngest = max(self.keys[other].since for other in self.keys if self._role(other) is not Role.OPENS)
        due = self.clock.due(youngest) if self.layout.reads_halves else 0.0
        if due > 0:
            self._wait("until what it refers to was read", due)
            return
        self.draft.put(path, self.target[path])


def _is_old(standing: Standing, group: Group) -> bool:
    """Whether anything of the group stood when this process began to look, or was opened since."""
    records, tree = standing.mirror.records, standing.mirror.tree
    if group.guard is not None and group.guard.created <= records.first_at:
        return True
    if any(held.created <= tree.first_at for held in group.shared.values()):
        return True
    return bool(group.shared_gone)


class ServerSteps:
    """The servers of this cluster in one group on their way to its wish."""

    def __init__(self, group: Group, draft: Draft, clock: Clock, layout: Layout, *, hold: bool) -> None:
        """`hold`: nothing is removed."""
        self.group, self.draft, self.clock, self.layout, self.hold = group, draft, clock, layout, hold
        self.waits: list[Wait] = []

    @property
    def brings(self) -> bool:
        """Whether a server comes."""
        return any(isinstance(change, Create) for change in self.draft.changes.values())

    def run(self, wished: Mapping[str, str], retiring: Set[str], drained: Set[str], *, may_enter: bool) -> None:
        """Draft what may change now. `drained`: those that go in any case."""
        stand, wish = self._by_holder(self.group.mine), self._by_holder(wished)
        foreign = self._by_holder(self.group.foreign)
        for holder in sorted(wish):
            if holder in foreign or (holder not in stand and not may_enter):
                continue
            for path in wish[holder]:
                self.draft.put(path, wished[path])
            for path in stand.get(holder, ()):
                if path not in wished:
                    self.draft.drop(path)
        for holder in sorted(stand.keys() - wish.keys()):
            held = self.hold and holder not in drained
            if not held and self._may_go(holder, {**foreign, **stand}, wish, retiring):
                self._drop(stand[holder])

    def leave(self) -> None:
        """All of this cluster's servers go."""
        self._drop(self.group.mine)

    def _drop(self, paths: Iterable[str]) -> None:
        for path in sorted(paths):
            self.draft.drop(path)

    def _by_holder(self, keys: Iterable[str]) -> dict[str, list[str]]:
        holders: dict[str, list[str]] = {}
        for path in sorted(keys):
            place = self.layout.place(path)
            if place is not None and place.role is Role.SERVER:
                holders.setdefault(place.holder, []).append(path)
        return holders

    def _may_go(
        self, holder: str, stand: Mapping[str, list[str]], wish: Mapping[str, list[str]], retiring: Set[str]
    ) -> bool:
        """A server that still lives goes only when a reader surely knows another one of its backend."""
        if holder not in retiring or not self.layout.reads_halves:
            return True
        backend = holder.rpartition("/")[0]
        heirs = [other for other in wish if other.rpartition("/")[0] == backend]
        if not heirs:
            return True
        held = {**self.group.foreign, **self.group.mine}
        known = [max(held[path].since for path in paths) for other in heirs if (paths := stand.get(other))]
        due = min((self.clock.due(since) for since in known), default=self.clock.read_time)
        if due > 0:
            coming = known or any(isinstance(change, Create) for change in self.draft.changes.values())
            self.waits.append(Wait(self.group.name, "until the new servers were read", due if coming else None))
        return due <= 0
