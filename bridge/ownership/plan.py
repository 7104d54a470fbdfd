"""What to write next, so that the store comes to hold what this cluster wants and nothing else of it.

A pure function of the wishes, what stands and the time: the same input gives the same plan. It writes what is safe now
and says what waits; the next pass plans afresh, so a crash between two passes is only unfinished.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bridge.model.change import Change, Check, Create, Delete, LeaseName, Update
from bridge.model.keys import STANDING, Layout, Role, Wish, group_title, other_form, split_owner
from bridge.model.problem import Problem
from bridge.ownership.adopt import adopting
from bridge.ownership.claiming import Claiming
from bridge.ownership.claims import Claim, Group, by_role, may_merge
from bridge.ownership.differences import Difference, Differences
from bridge.ownership.foreign import foreign_keys
from bridge.ownership.leaning import Leaning
from bridge.ownership.mirror import Held
from bridge.ownership.presence import Said, farewell, say_presence, unread
from bridge.ownership.problems import Problems
from bridge.ownership.records import claim_path, guard_path, is_newer, presence_path
from bridge.ownership.standing import Standing
from bridge.ownership.steps import Clock, Draft, ServerSteps, SharedSteps, Wait
from bridge.ownership.terms import Terms, outlives
from bridge.ownership.units import Unit, Units

LEAST_UNCLAIMED = 10.0  # seconds that a group whose claim another cluster lost stays open, so that it can come back


@dataclass(frozen=True, slots=True)
class Settled:
    """The groups that a plan found as they shall be, with what it found that from: they need no second look."""

    leases: tuple[LeaseName, ...] = ()
    groups: Mapping[str, tuple[Group, Wish]] = field(default_factory=dict)  # by name


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write now, what waits, and where it leads."""

    units: tuple[Unit, ...]
    waits: tuple[Wait, ...]
    problems: tuple[Problem, ...]
    differences: tuple[Difference, ...]  # between what stands and what shall stand in the end, sorted by path
    unchanged: int  # keys that stand and shall stand as they are
    removed: int  # servers of this cluster that go by the source's word without another coming for them
    servers: int  # servers of this cluster that stand
    settled: Settled = field(default_factory=Settled)  # for the next plan
    farewell: tuple[Delete, ...] = ()  # what a leaving cluster deletes in its last transaction, with its leader key
    drained: frozenset[str] = frozenset()  # paths of what goes by an operator's word: nobody need confirm it

    @property
    def removals(self) -> frozenset[str]:
        """The paths of what shall go by the source's word, now or later."""
        return frozenset(one.path for one in self.differences if one.after is None) - self.drained

    @property
    def removes(self) -> bool:
        """Whether anything that stands shall go by the source's word, a server or a key, now or later."""
        return self.removed > 0 or bool(self.removals)

    @property
    def done(self) -> bool:
        """Nothing is left to do, now or later."""
        return not self.units and not self.waits


def plan(
    wishes: Mapping[str, Wish],
    standing: Standing,
    terms: Terms,
    now: float,
    *,
    hold: bool = False,
    known: Settled | None = None,
) -> Plan:
    """The next changes that bring the store towards `wishes`, by group.

    `now`: seconds on the clock that the mirror was folded by. `hold`: remove no server but what was drained, no shared
    key of a group that stays, and leave no group of ours.
    `known`: of an earlier plan; it changes what the plan costs, not what it says.
    """
    if terms.errand is not None:
        standing = adopting(standing, wishes, terms.errand.adopted)
    return _Planner(standing, wishes, terms, now, hold, known or Settled()).plan()


class _Planner:
    def __init__(
        self,
        standing: Standing,
        wishes: Mapping[str, Wish],
        terms: Terms,
        now: float,
        hold: bool,
        known: Settled,
    ) -> None:
        self.standing, self.wishes, self.terms, self.now, self.hold = standing, wishes, terms, now, hold
        self.publisher, self.layout = standing.publisher, standing.publisher.layout
        self.me = standing.publisher.cluster
        self.releases = terms.errand is not None and terms.errand.releases
        self.tree, self.records = standing.mirror.tree, standing.mirror.records
        self.leaning = Leaning(standing, wishes)
        self.problems = Problems(standing)
        self.claiming = Claiming(standing, terms, self.problems)
        self.settled = Settled((self.claiming.own, self.claiming.fleet), dict(self._find_settled(known)))
        self.my_read_time = terms.read_time.seconds(self._frontends())
        theirs = (seen.read_time for cluster, seen in standing.presences.items() if cluster != self.me)
        self.clock = Clock(now, max([self.my_read_time, *theirs]))
        self.units = Units(standing)
        self.waits: list[Wait] = []
        self.differences = Differences(self.layout)

    def _frontends(self) -> int:
        """How many frontends stand, open or closed, or will after this plan: what a Traefik reads slowly.

        One that was closed counts until it is cleared: a read that began before still lists it.
        """
        standing = {name: group.frontends for name, group in self.standing.groups.items()}
        for name in self.wishes.keys() - self.settled.groups.keys():
            standing[name] = standing.get(name, set()) | _opened(self.wishes[name], self.layout)
        return sum(map(len, standing.values()))

    def _find_settled(self, known: Settled) -> Iterator[tuple[str, tuple[Group, Wish]]]:
        """The groups of which nothing is to be done or said: by far the most of most passes."""
        before = known.groups if known.leases == (self.claiming.own, self.claiming.fleet) else {}
        for name, wish in self.wishes.items():
            group = self.standing.groups.get(name)
            if group is None:
                continue
            pair = before.get(name)
            if self.leaning.otherwise(wish)[0] or self.leaning.kept_out(group, wish)[0]:
                continue  # other groups say so, which this one does not show
            if pair is not None and pair[0] is group and pair[1] is wish:
                yield name, pair
            elif self._is_settled(group, wish):
                yield name, (group, wish)

    def plan(self) -> Plan:
        for name in self._names():
            group = self.standing.groups.get(name) or Group(name)
            if self.releases:
                self._let_go(group)
            else:
                self._group(group, self.wishes.get(name))
        units, found = sorted(self.units.found, key=self._turn), self.differences
        found.unchanged += sum(len(group.shared) + len(group.mine) for group, _ in self.settled.groups.values())
        leaving = self.terms.leaving
        said = Said()
        if not leaving and not self.releases:
            said = say_presence(self.standing, self.terms, self.my_read_time, changing=bool(units))
        problems = (*self.problems.found, *said.problems, *unread(self.standing))
        if said.changes:
            units.insert(0, Unit("", "presence", said.changes))
        return Plan(
            tuple(units),
            tuple(self.waits),
            tuple(sorted(problems)),
            tuple(sorted(found.found, key=lambda difference: difference.path)),
            found.unchanged,
            found.removed,
            sum(len(group.servers) for group in self.standing.groups.values()),
            self.settled,
            farewell(self.standing) if leaving else (),
            frozenset(found.drained),
        )

    def _names(self) -> list[str]:
        """The groups to look at."""
        names = (self.standing.groups.keys() | self.wishes.keys()) - self.settled.groups.keys()
        errand = self.terms.errand
        return sorted(names if errand is None else names & errand.groups)

    def _turn(self, unit: Unit) -> tuple[int, bool]:
        """What is new comes first and what goes last: one group may refer to another, and what opens to what does not.

        So of what is new what opens comes last, and of what goes it goes first.
        """
        group, wish = self.standing.groups.get(unit.group), self.wishes.get(unit.group)
        if group is None or not group.shared:
            return 0, bool(wish and self._opens(wish.shared))
        return (1, False) if wish else (2, not self._opens(group.shared))

    def _opens(self, keys: Iterable[str]) -> bool:
        places = (self.layout.place(path) for path in keys)
        return any(place and place.role is Role.OPENS for place in places)

    def _group(self, group: Group, wish: Wish | None) -> None:
        if split_owner(group.name)[0] not in ("", self.me):
            return  # another's alone
        mine = group.claim_of(self.me)
        if self._is_newers(group, mine, wish):
            return
        frozen = self._frozen(group, wish)
        if wish is not None:
            if self._is_withheld(wish):
                wish = None
            elif name := self.leaning.unready(group, wish):
                self.waits.append(Wait(group.name, f"until {name}, which it needs, stands as it shall", None))
                return
        if wish is not None:
            self._claimed(group, wish, mine, frozen)
        elif mine is not None:
            self._left(group, mine, frozen)
        elif group.claims:
            self._stray(group)
        else:
            self._unclaimed(group, frozen)

    # What stands in the way

    def _is_newers(self, group: Group, mine: Claim | None, wish: Wish | None) -> bool:
        """Whether a newer bridge wrote what this one would have to write over: then only dead servers go."""
        records = [(claim_path(self.me, group.name), mine.held)] if mine else []
        records += [(guard_path(group.name), group.guard)] if group.guard else []
        newer = [path for path, held in records if is_newer(held.value)]
        for path in newer:
            self.problems.of_newer(group, wish, path)
        if newer and wish is not None:
            own = Draft(self.publisher.tree, self.claiming.own, group.mine)
            self._serve(group, wish, own, merges=True, enters=False)
            self.units.add(group, "publish", own.changes.values(), ())
        return bool(newer)

    def _frozen(self, group: Group, wish: Wish | None) -> bool:
        """Whether a foreign key freezes the group; each that concerns it is a problem."""
        frozen = False
        for found in foreign_keys(group, wish, self.me, self.layout) if group.foreign else ():
            frozen = frozen or found.freezes
            self.problems.of_foreign(group, wish, found)
        return frozen

    def _is_withheld(self, wish: Wish) -> bool:
        """Whether what the wish rests on means something else now."""
        name, cluster = self.leaning.withheld(wish)
        if name:
            self.problems.of_withheld(wish, name, cluster)
        return bool(name)

    # The cases of a group

    def _claimed(self, group: Group, wish: Wish, mine: Claim | None, frozen: bool) -> None:
        """This cluster wants the group."""
        decider = group.claims[0] if group.claims else None
        decides = decider is None or decider.cluster == self.me
        target = wish.shared if decides or decider is None else decider.keys
        if target is None:
            assert decider is not None
            self.problems.of_unreadable(group, wish, decider)
            own = Draft(self.publisher.tree, self.claiming.own, group.mine)
            self._serve(group, wish, own, merges=True, enters=False)
            changes = (*self.claiming.claim(group, wish, mine), *own.changes.values())
            self.units.add(group, "claim", changes, self._checks(group, decider, True))
            return
        self.problems.of_unread(group, wish, self.me)
        if not decides and decider is not None:
            self.problems.of_wishes(wish, target, decider.cluster)
        elif decider is not None:
            self.problems.of_claims(group, wish)
        target = self._shared_only(group, target)
        records = self.claiming.claim(group, wish, mine)
        shared, own = self._draft(group), Draft(self.publisher.tree, self.claiming.own, group.mine)
        opening: set[str] = set()
        # A decider tells the others first what it will come to: they may have to take their servers out.
        claims_first = decides and len(group.claims) > 1 and mine is not None and mine.keys != wish.shared
        merges = may_merge(wish.shared, target, self.layout)
        # Of what opens nothing itself no key may come either: with another beside it it would mean something else.
        inert = not by_role(target, Role.OPENS, self.layout)
        held_up = self._relied_on(group, target) if inert else ""
        foreign_words = inert and not merges
        lead, by = self.leaning.kept_out(group, wish) if merges else ("", "")
        if lead:
            merges = False
            self.problems.of_kept_out(wish, lead, by)
        if frozen:
            self._move(group, shared)  # no change of what anybody reads
        elif held_up:
            self.waits.append(Wait(group.name, held_up, None))
        elif not claims_first and not foreign_words:
            opening = self._share(group, target, shared, wish.own if merges else (), decides=decides, merges=merges)
        enters = self._enters(group, wish, shared) and self.leaning.may_enter(wish)
        if merges and group.foreign and not enters and wish.own.keys() - group.mine.keys() - group.foreign.keys():
            self.problems.of_open(wish)
        self._serve(group, wish, own, merges=merges, enters=enters)
        wanted = wish.own if merges else {}
        self.differences.add(group, wish.title, None if frozen else target, decides, wanted)
        self.differences.count_removed(group, wanted, wish.drained if merges else frozenset())
        brings = any(isinstance(change, Create) for change in own.changes.values())
        # A guest tells by the guard that it comes: who decides shall not change its wish without knowing of it.
        if not records and (group.guard is None or (brings and not decides and not group.mine)):
            records = self.claiming.bump(group)
        checks = self._checks(group, decider, bool(records or shared.changes or brings))
        if records or shared.changes or brings:
            checks += self.leaning.checks(wish, self.records.prefix)
        if shared.changes and group.guard is not None:
            checks.append(Check(self._record(guard_path(group.name)), group.guard.revision))
        opens = [self.units.check(group, path) for holder in sorted(opening) for path in self.layout.opening(holder)]
        protects = [self.units.check(group, path) for path in sorted(by_role(wish.shared, Role.PROTECTS, self.layout))]
        each = self.units.checks_of_each(group, (*shared.changes.items(), *own.changes.items()), opening, protects)
        each |= {change.key: tuple(protects) for change in records}
        changes = (*records, *shared.changes.values(), *own.changes.values())
        every = (*checks, *opens, *(protects if records or brings else ()))
        self.units.add(group, "publish", changes, every, self.units.opened_beside(group, shared), checks, each)

    def _is_settled(self, group: Group, wish: Wish) -> bool:
        """Whether everybody who claims it agrees and all stands as wished: then nobody has anything to do or to say."""
        claim = group.claim_of(self.me)
        if group.foreign or claim is None or group.guard is None:
            return False
        return (
            all(one.keys == wish.shared for one in group.claims)
            and claim.held.lease == self.claiming.own
            and self.claiming.is_sound(group, group.guard)
            and group.guard.lease == self.claiming.guard_lease(group.name)
            and _stand(wish.shared, group.shared, self.claiming.shared_lease(group.name))
            and _stand(wish.own, group.mine, self.claiming.own)
        )

    def _share(
        self, group: Group, target: Mapping[str, str], shared: Draft, own: Iterable[str], *, decides: bool, merges: bool
    ) -> set[str]:
        """Draft the shared keys; the holders whose opening keys must be compared."""
        if group == Group(group.name):  # a name that nobody lists is not read at all
            for path, value in target.items():
                shared.put(path, value)
            return set()
        stay = group.others.keys() if merges or not group.mine else {*group.others, self.me}
        steps = SharedSteps(
            self.standing,
            group,
            target,
            shared,
            self.clock,
            own=own,
            decides=decides,
            hold=self.hold,
            barred=self._barred(group, stay, target) or (self._relied_on(group, target) if decides else ""),
            quiet_since=self._quiet_since(group, target, merges=merges),
        )
        steps.run()
        self.waits.extend(steps.waits)
        self._move(group, shared)
        return steps.guards_opening

    def _enters(self, group: Group, wish: Wish, shared: Draft) -> bool:
        """Whether what will stand after this transaction is what this cluster's servers may stand behind."""
        after = {path: held.value for path, held in (*group.foreign.items(), *group.shared.items())}
        for path, change in shared.changes.items():
            if isinstance(change, Delete):
                del after[path]
            else:
                after[path] = change.value
        return may_merge(wish.shared, after, self.layout)

    def _serve(self, group: Group, wish: Wish, own: Draft, *, merges: bool, enters: bool) -> None:
        """Draft this cluster's servers."""
        servers = ServerSteps(group, own, self.clock, self.layout, hold=self.hold)
        if merges:
            retiring = group.servers if wish.unchecked else wish.retiring
            servers.run(wish.own, retiring, wish.drained, may_enter=enters)
        else:
            servers.leave()
        self.waits.extend(servers.waits)

    def _left(self, group: Group, mine: Claim, frozen: bool) -> None:
        """This cluster claims the group and wants it no more."""
        if self.hold:
            return
        others = len(group.claims) > 1
        records: list[Change] = [Delete(self._record(claim_path(self.me, group.name)), mine.held.revision)]
        heir = self.wishes.get(other_form(group.name, self.me))
        self.differences.count_removed(group, heir.own if heir else {})
        due = self._comes_in(heir) if heir else 0.0
        if due is None or due > 0:
            self.differences.add(group, group_title(group.name), None if others or frozen else {}, not others, {})
            self.waits.append(Wait(group.name, "until the same route by its other name was read", due))
            return
        own = Draft(self.publisher.tree, self.claiming.own, group.mine)
        if others or frozen:
            ServerSteps(group, own, self.clock, self.layout, hold=False).leave()
            self.differences.add(group, group_title(group.name), None, False, {})
            self.units.add(group, "leave", (*records, *own.changes.values()), ())
            return
        self.differences.add(group, group_title(group.name), {}, True, {})
        self._close(group, records)

    def _comes_in(self, heir: Wish) -> float | None:
        """Seconds until every reader knows the routes and servers of a wish; None: first they have to stand.

        None of it comes where this cluster's servers are kept out.
        """
        group = self.standing.groups.get(heir.group)
        target = heir.shared
        if group is not None and group.claims and group.claims[0].cluster != self.me:
            decided = group.claims[0].keys
            if decided is None or not may_merge(heir.shared, decided, self.layout):
                return 0.0
            target = decided
        opens = by_role(target, Role.OPENS, self.layout)
        if group is None or not opens.keys() <= group.shared.keys() or not heir.own.keys() <= group.mine.keys():
            return None
        youngest = max([group.shared[path].since for path in opens] + [group.mine[path].since for path in heir.own])
        return self.clock.due(youngest) if self.layout.reads_halves else 0.0

    def _close(self, group: Group, records: list[Change]) -> None:
        """Take away what opens the group, so that no request is routed by a half of it."""
        shared = self._draft(group)
        for path in group.shared:
            if self._role(path) is Role.OPENS:
                shared.drop(path)
        records += self.claiming.bump(group)
        self.units.add(group, "close", (*records, *shared.changes.values()), ())
        self.waits.append(Wait(group.name, "until no read sees it open any more", self.clock.read_time))

    def _stray(self, group: Group) -> None:
        """Others claim the group; servers of this cluster stand there without a claim."""
        if group.mine and not self.hold:
            own = Draft(self.publisher.tree, self.claiming.own, group.mine)
            ServerSteps(group, own, self.clock, self.layout, hold=False).leave()
            self.differences.add(group, group_title(group.name), None, False, {})
            self.units.add(group, "leave", tuple(own.changes.values()), ())

    def _unclaimed(self, group: Group, frozen: bool) -> None:
        """Nobody claims the group: its last cluster died, or is leaving."""
        if frozen or (self.hold and group.mine) or not (group.shared or group.guard or group.mine):
            return
        opens = [path for path in group.shared if self._role(path) is Role.OPENS]
        if group.name == STANDING and opens and not self.terms.leaving:
            return  # never swept
        self.differences.add(group, group_title(group.name), {}, True, {})
        if opens:
            since = max(group.claims_gone, self.records.first)
            due = since + max(self.clock.read_time, LEAST_UNCLAIMED) - self.now
            if due > 0:
                self.waits.append(Wait(group.name, "for its cluster to come back", due))
            else:
                self._close(group, [])
        elif group.guard is None and group.shared:
            self._close(group, [])
        else:
            self._clear(group)

    def _clear(self, group: Group) -> None:
        """Take away the rest of a closed group, when no read sees it open any more."""
        closed = [since for path, since in group.shared_gone.items() if self._role(path) is Role.OPENS]
        due = self.clock.due(max([group.guard.since if group.guard else 0.0, *closed])) if group.guard else 0.0
        if due > 0:
            self.waits.append(Wait(group.name, "until no read sees it open any more", due))
            return
        drafted = Draft(self.publisher.tree, self.claiming.own, {**group.mine, **group.shared})
        for path in (*group.mine, *group.shared):
            drafted.drop(path)
        holders = {place.holder for path in group.shared if (place := self.layout.place(path))}
        checks = [drafted.check(path) for holder in sorted(holders) for path in self.layout.opening(holder)]
        guard, revision = self._record(guard_path(group.name)), group.guard.revision if group.guard else 0
        checks.append(Check(guard, revision))
        last = (Delete(guard, revision),) if revision else ()
        self.units.add(group, "clear", (*drafted.changes.values(), *last), checks)

    def _let_go(self, group: Group) -> None:
        """All keys of the group become hand-written ones, as they stand. Nobody else may rely on them."""
        mine = group.claim_of(self.me)
        if mine is None or len(group.claims) > 1:
            return
        held = {self.publisher.tree + path: one for path, one in (*group.shared.items(), *group.mine.items())}
        changes = [Update(key, one.value, None, one.revision, one.lease) for key, one in held.items()]
        # Where not all fit, the claim holds the group to the last.
        last = [Delete(self._record(claim_path(self.me, group.name)), mine.held.revision)]
        checks: tuple[Check, ...] = ()
        if group.guard is not None:
            guard = self._record(guard_path(group.name))
            last.append(Delete(guard, group.guard.revision))
            checks = (Check(guard, group.guard.revision),)
        self.differences.unchanged += len(held)
        self.units.found.append(Unit(group.name, "release", (*sorted(changes, key=self.units.order), *last), checks))

    # Parts of a unit

    def _record(self, path: str) -> str:
        return self.records.prefix + path

    def _role(self, path: str) -> Role | None:
        place = self.layout.place(path)
        return place.role if place else None

    def _draft(self, group: Group) -> Draft:
        return Draft(self.publisher.tree, self.claiming.shared_lease(group.name), group.shared)

    def _shared_only(self, group: Group, target: Mapping[str, str]) -> dict[str, str]:
        """Those keys of a decider's wish that lie in this group and are shared: a claim reaches no further."""
        places = ((path, value, self.layout.place(path)) for path, value in target.items())
        return {
            path: value
            for path, value, place in places
            if place and place.group == group.name and place.role is not Role.SERVER
        }

    def _barred(self, group: Group, clusters: Iterable[str], target: Mapping[str, str]) -> str:
        """Why nothing may be opened or protected less: servers stand that do not belong under the new wish."""
        for cluster in sorted(clusters):
            if cluster == self.me or not self._belongs(group, cluster, target):
                return f"until cluster {cluster} has taken its servers out"
        return ""

    def _relied_on(self, group: Group, target: Mapping[str, str]) -> str:
        """Why it may not come to mean something else yet: what rests on it elsewhere has to go first."""
        cluster = self.leaning.relied_on(group, target)
        return f"until cluster {cluster} has withheld what relies on it" if cluster else ""

    def _belongs(self, group: Group, cluster: str, target: Mapping[str, str]) -> bool:
        claim = group.claim_of(cluster)
        return claim is not None and claim.keys is not None and may_merge(claim.keys, target, self.layout)

    def _quiet_since(self, group: Group, target: Mapping[str, str], *, merges: bool) -> float:
        """When somebody was last seen to rely on another wish; what went before this process began counts as new.

        Servers of a cluster that belongs under the wish may come and go; its claim may have asked for another before.
        This cluster's own claim counts where others claim, too: of a server that came before it was changed, the news
        may still be on their way.
        """
        seen = [self.records.first]
        for claim in group.claims:
            if claim.cluster != self.me or len(group.claims) > 1:
                seen.append(claim.held.since)
        for cluster, since in group.gone.items():
            if not (merges if cluster == self.me else self._belongs(group, cluster, target)):
                seen.append(since)
        return max(seen)

    def _move(self, group: Group, shared: Draft) -> None:
        """Keys move to the lease of the wanted TTL; to a shorter one only when nobody asks for the longer."""
        moving = [
            path for path, held in group.shared.items() if held.lease != shared.lease and path not in shared.changes
        ]
        # A hand-written server that names a cluster would look like that cluster's on our lease: it only goes.
        moving = [
            path
            for path in moving
            if not ((place := self.layout.place(path)) and place.cluster and place.role is Role.SERVER)
        ]
        longer = [path for path in moving if outlives(group.shared[path].lease, shared.lease)]
        if longer and not split_owner(group.name)[0]:
            due = self._presences_changed() + self.clock.read_time + LEAST_UNCLAIMED - self.now
            if due > 0:
                self.waits.append(Wait(group.name, "for others to ask for a longer TTL", due))
                moving = [path for path in moving if path not in longer]
        for path in moving:
            shared.put(path, group.shared[path].value)

    def _presences_changed(self) -> float:
        """When a presence was last seen to change or go; those before this process began to look count as new."""
        paths = [presence_path(cluster) for cluster in self.standing.presences if cluster != self.me]
        standing = [self.records.held[path].since for path in paths]
        gone = [lost.since for path, lost in self.records.gone.items() if path.endswith("/presence")]
        return max([self.records.first, *standing, *gone])

    def _checks(self, group: Group, decider: Claim | None, writes: bool) -> list[Check]:
        """That who decides still wishes what was read: what is written rests on it."""
        if decider is None or not writes:
            return []
        return [Check(self._record(claim_path(decider.cluster, group.name)), decider.held.revision)]


def _opened(wish: Wish, layout: Layout) -> set[str]:
    places = (layout.place(path) for path in wish.shared)
    return {place.holder for place in places if place is not None and place.role is Role.OPENS}


def _stand(wished: Mapping[str, str], held: Mapping[str, Held], lease: LeaseName) -> bool:
    """Whether exactly the wished keys stand, on this lease."""
    return len(wished) == len(held) and all(
        (key := held.get(path)) is not None and key.value == value and key.lease == lease
        for path, value in wished.items()
    )
