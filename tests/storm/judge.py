"""What must hold of each state that a store was in, and of what leads from one to the next.

Who lives is told by the history alone: a cluster whose claim stands, on a lease that lives. Where the fleet's lease
ends with all who renewed it, their claims end too, and nobody did anything meanwhile: that is no fault.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from bridge.model.change import Item
from bridge.model.keys import Place, Publisher, Role
from bridge.ownership.records import FLEET, STANDING_FAMILY, cluster_family, named, read_claim
from tests.storm.history import State


@dataclass(frozen=True, slots=True)
class Claim:
    """A cluster's word."""

    cluster: str
    created: int
    revision: int
    keys: Mapping[str, str]

    @property
    def age(self) -> tuple[int, str]:
        """The oldest decides."""
        return self.created, self.cluster


@dataclass
class Step:
    """From one state to the next, as one publisher's keys tell it."""

    publisher: Publisher
    before: State
    after: State

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The publisher's keys that are not what they were, made anew, or no more."""
        before, after = self.before.items, self.after.items
        mine = (self.publisher.tree, self.publisher.records)
        keys = [key for key in before.keys() | after.keys() if key.startswith(mine)]
        return tuple(sorted(key for key in keys if before.get(key) != after.get(key)))

    @cached_property
    def claims(self) -> tuple[Mapping[str, list[Claim]], Mapping[str, list[Claim]]]:
        """By group, oldest first: before and after."""
        return _claims(self.publisher, self.before), _claims(self.publisher, self.after)

    def place(self, key: str) -> Place | None:
        """Of a key below Traefik's prefix."""
        tree = self.publisher.tree
        return self.publisher.layout.place(key[len(tree) :]) if key.startswith(tree) else None

    def owner(self, key: str) -> str | None:
        """Whose alone the key is."""
        place = self.place(key)
        if place is not None:
            return place.cluster
        records = self.publisher.records
        return named(key[len(records) :]).cluster or None if key.startswith(records) else None

    @cached_property
    def ended(self) -> str:
        """The family of the lease that ended here and took all its keys with it; empty: somebody wrote."""
        leases = {item.lease for key in self.changed if (item := self.before.items.get(key))}
        if any(key in self.after.items for key in self.changed) or len(leases) != 1:
            return ""
        (lease,) = leases
        mine = (self.publisher.tree, self.publisher.records)
        if lease is None or any(item.lease == lease and key.startswith(mine) for key, item in self.after.items.items()):
            return ""
        return lease.family

    @property
    def fleet_ended(self) -> bool:
        """Whether the fleet's lease took all shared keys with it; where not each state is seen, others may end too."""
        if self.after.exact:
            return self.ended == FLEET
        tree = self.publisher.tree
        return not any(
            key.startswith(tree) and item.lease is not None and item.lease.family == FLEET
            for key, item in self.after.items.items()
        )


def _claims(publisher: Publisher, state: State) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = {}
    for key, item in state.items.items():
        if key.startswith(f"{publisher.records}c/"):
            name = named(key[len(publisher.records) :])
            if name.kind == "claim":
                claim = Claim(name.cluster, item.created, item.revision, read_claim(item.value) or {})
                found.setdefault(name.group, []).append(claim)
    for claims in found.values():
        claims.sort(key=lambda claim: claim.age)
    return found


@dataclass
class Judge:
    """Of one history."""

    publishers: Sequence[Publisher]
    by_hand: Collection[str]  # keys that an operator wrote before all else and leaves as they are
    authors: Mapping[int, str] = field(default_factory=dict)  # revision: the cluster whose process said it wrote it
    seen: dict[str, int] = field(default_factory=dict)  # what was judged, and how often

    def faults(self, states: Sequence[State]) -> list[str]:
        """What went wrong, in words."""
        found: list[str] = []
        for publisher in self.publishers:
            steps = [Step(publisher, *pair) for pair in pairwise(states)]
            steps = [step for step in steps if step.changed]
            for number, step in enumerate(steps):
                for fault in self._of(step, steps[number + 1 :]):
                    found.append(f"{publisher.layout.name}, revision {step.after.revision}: {fault}")
        return found

    def _count(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    def _of(self, step: Step, later: Sequence[Step]) -> Iterator[str]:
        self._count("lease ended" if step.ended else "written")
        yield from self._hands(step)
        yield from self._owners(step)
        yield from self._leases(step)
        for key in step.changed:
            place = step.place(key)
            if place is None or place.cluster is not None or key in self.by_hand:
                continue
            before, after = step.before.items.get(key), step.after.items.get(key)
            if before is not None and (after is None or after.created != before.created):
                yield from self._went(step, key, place.group, later)
            if after is not None and (before is None or before.value != after.value):
                yield from self._came(step, key, place.group, after)

    def _hands(self, step: Step) -> Iterator[str]:
        """What an operator wrote is as it was, and no key of ours is without a lease."""
        for key in step.changed:
            before, after = step.before.items.get(key), step.after.items.get(key)
            if key in self.by_hand and before is not None:
                yield f"{key}, written by hand, is not what it was"
            elif key not in self.by_hand and after is not None and after.lease is None:
                yield f"{key} is on no lease"

    def _owners(self, step: Step) -> Iterator[str]:
        """One transaction changes the keys of one cluster."""
        revisions = {item.revision: key for key in step.changed if (item := step.after.items.get(key))}
        for revision, key in revisions.items():
            author, owner = self.authors.get(revision), step.owner(key)
            self._count("author known" if author else "author unknown")
            if author and owner and author != owner:
                yield f"{author} wrote {key}, which is {owner}'s"
        if not step.after.exact or step.ended:
            return
        owners = {owner for key in step.changed if (owner := step.owner(key))}
        author = self.authors.get(step.after.revision)
        if len(owners | ({author} if author else set())) > 1:
            yield f"{author or 'somebody'} changed keys of {sorted(owners)} at once"

    def _leases(self, step: Step) -> Iterator[str]:
        """Each key is on the lease of whose it is."""
        for key in step.changed:
            item, owner, place = step.after.items.get(key), step.owner(key), step.place(key)
            if item is None or item.lease is None or place is None:
                continue
            right = {cluster_family(owner)} if owner else {FLEET, STANDING_FAMILY}
            if item.lease.family not in right and not item.lease.family.startswith("?"):
                yield f"{key} is on {item.lease}"

    def _went(self, step: Step, key: str, group: str, later: Sequence[Step]) -> Iterator[str]:
        """A shared key goes only where nobody who lives, or who decides, wants it."""
        path = key[len(step.publisher.tree) :]
        before, after = step.claims[0].get(group, []), step.claims[1].get(group, [])
        stayed = [claim for claim in after if any(_same(claim, other) for other in before)]
        self._count("shared key went")
        if not stayed:
            return
        # Where something may have happened between: all who may have decided wanted it.
        deciders = after[:1] if step.after.exact else [*before, *after]
        wanted = all(path in claim.keys for claim in deciders)
        if wanted and not (step.fleet_ended and all(_dies(claim, group, later) for claim in stayed)):
            how = "went" if key not in step.after.items else "was made anew"
            clusters = ", ".join(claim.cluster for claim in stayed)
            yield f"{key} {how} while {clusters} claimed it{' (a lease ended)' if step.ended else ''}"

    def _came(self, step: Step, key: str, group: str, item: Item) -> Iterator[str]:
        """What is written of a shared key is the decider's word."""
        path = key[len(step.publisher.tree) :]
        before, after = step.claims[0].get(group, []), step.claims[1].get(group, [])
        self._count("shared key came")
        if not step.after.exact and (
            not after or before != after or any(claim.revision > item.revision for claim in after)
        ):
            return  # it may have been written before who decides now did, or said so
        said = after[0].keys.get(path) if after else None
        if item.value != said:
            yield f"{key} became {item.value!r}, and who decides wants {said!r}"


def _same(claim: Claim, other: Claim) -> bool:
    return claim.age == other.age


def _dies(claim: Claim, group: str, later: Sequence[Step]) -> bool:
    """Whether the claim's cluster does nothing any more until its claim ends."""
    for step in later:
        if any(step.owner(key) == claim.cluster and key in step.after.items for key in step.changed):
            return False
        if not any(_same(claim, other) for other in step.claims[1].get(group, [])):
            return True
    return False


def left(publishers: Sequence[Publisher], state: State, by_hand: Collection[str]) -> list[str]:
    """What stands though nobody is there: all but what is on the standing lease."""
    mine = tuple(prefix for one in publishers for prefix in (one.tree, one.records))
    return sorted(
        f"{key} on {item.lease}"
        for key, item in state.items.items()
        if key.startswith(mine) and key not in by_hand and (item.lease is None or item.lease.family != STANDING_FAMILY)
    )


def unsettled(publishers: Sequence[Publisher], state: State, by_hand: Collection[str]) -> list[str]:
    """What is not yet as those who claim it want it, and what nobody claims and yet stands."""
    found = []
    for publisher in publishers:
        claims = _claims(publisher, state)
        layout, tree = publisher.layout, publisher.tree
        frozen = {
            place.group
            for key in by_hand
            if key.startswith(tree)
            and (place := layout.place(key[len(tree) :]))
            and place.role in (Role.OPENS, Role.PROTECTS)
        }
        for group, wanted in claims.items():
            for path, value in wanted[0].keys.items() if group not in frozen else ():
                item = state.items.get(tree + path)
                if (item is None or item.value != value) and tree + path not in by_hand:
                    found.append(f"{tree}{path} is {item.value if item else None!r}, not {value!r}")
        for key in state.items:
            place = layout.place(key[len(tree) :]) if key.startswith(tree) else None
            if place is not None and place.group not in claims and key not in by_hand and place.group not in frozen:
                found.append(f"{key} stands and nobody claims it")
    return found
