"""Who claims a group, who decides it, and what of it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bridge.model.keys import Layout, Place, Publisher, Role
from bridge.ownership.mirror import Held, Mirror, Side
from bridge.ownership.records import (
    FLEET,
    STANDING_FAMILY,
    UNKNOWN_PRESENCE,
    Presence,
    cluster_family,
    named,
    read_claim,
    read_presence,
)

SHARED_FAMILIES = frozenset({FLEET, STANDING_FAMILY})
LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class Claim:
    """A cluster's word that it wants a group."""

    cluster: str
    keys: Mapping[str, str] | None  # its wish for the shared keys; None: written by a newer bridge, or by hand
    held: Held

    @property
    def age(self) -> tuple[int, str]:
        """The oldest claim decides: lowest creation revision, then name."""
        return self.held.created, self.cluster


@dataclass(slots=True)
class Group:
    """All that is known of one group. Made once a plan, then only read."""

    name: str
    claims: tuple[Claim, ...] = ()  # oldest first
    guard: Held | None = None
    shared: dict[str, Held] = field(default_factory=dict)  # shared keys on our leases
    mine: dict[str, Held] = field(default_factory=dict)  # this cluster's own keys, on its lease
    foreign: dict[str, Held] = field(default_factory=dict)  # keys on no lease of ours: never touched
    others: dict[str, set[str]] = field(default_factory=dict)  # other clusters: the holders of their own keys
    shared_gone: dict[str, float] = field(default_factory=dict)  # shared keys that were seen to go, and when
    gone: dict[str, float] = field(default_factory=dict)  # by cluster: when its last claim or server was seen to go
    claims_gone: float = LONG_AGO  # when the last claim of any cluster was seen to go

    def claim_of(self, cluster: str) -> Claim | None:
        """The cluster's claim."""
        return next((claim for claim in self.claims if claim.cluster == cluster), None)

    def saw_go(self, cluster: str, when: float) -> None:
        """A claim or a server of the cluster went."""
        self.gone[cluster] = max(when, self.gone.get(cluster, LONG_AGO))


@dataclass(frozen=True)
class Standing:
    """A mirror, sorted by groups, as one publisher sees it."""

    mirror: Mirror
    publisher: Publisher

    @cached_property
    def presences(self) -> Mapping[str, Presence]:
        """Who publishes here, by cluster."""
        named_records = ((named(path), held) for path, held in self.mirror.records.held.items())
        return {
            name.cluster: read_presence(held.value) or UNKNOWN_PRESENCE
            for name, held in named_records
            if name.kind == "presence"
        }

    @cached_property
    def groups(self) -> Mapping[str, Group]:
        """Every group of which anything stands or was seen to go."""
        groups: dict[str, Group] = {}

        def of(name: str) -> Group:
            if name not in groups:
                groups[name] = Group(name)
            return groups[name]

        me = self.publisher.cluster
        _sort_records(self.mirror.records, of)
        for path, held, place in _placed(self.mirror.tree, self.publisher.layout):
            _sort_key(path, held, place, of(place.group), me)
        for path, lost in self.mirror.tree.gone.items():
            where = self.publisher.layout.place(path)
            if where is None:
                continue
            group = of(where.group)
            if where.cluster is None:
                group.shared_gone[path] = lost.since
            else:
                group.saw_go(where.cluster, lost.since)
        return groups

    @cached_property
    def frontends(self) -> frozenset[str]:
        """Every holder that can be opened, open or closed, whoever wrote it: what a Traefik reads slowly.

        One that was closed counts until it is cleared: a read that began before still lists it.
        """
        layout = self.publisher.layout
        holders = {place.holder for _, _, place in _placed(self.mirror.tree, layout)}
        return frozenset(holder for holder in holders if layout.opening(holder))


def _placed(tree: Side, layout: Layout) -> Iterator[tuple[str, Held, Place]]:
    for path, held in tree.held.items():
        place = layout.place(path)
        if place is not None:
            yield path, held, place


def _sort_key(path: str, held: Held, place: Place, group: Group, me: str) -> None:
    family = held.lease.family if held.lease else ""
    if place.cluster is None:
        (group.shared if family in SHARED_FAMILIES else group.foreign)[path] = held
    elif place.cluster == me:
        (group.mine if family == cluster_family(me) else group.foreign)[path] = held
    elif held.lease is None:
        group.foreign[path] = held
    else:
        group.others.setdefault(place.cluster, set()).add(place.holder)


def _sort_records(records: Side, of: Callable[[str], Group]) -> None:
    claims: dict[str, list[Claim]] = {}
    for path, held in records.held.items():
        name = named(path)
        if name.kind == "guard":
            of(name.group).guard = held
        elif name.kind == "claim":
            claims.setdefault(name.group, []).append(Claim(name.cluster, read_claim(held.value), held))
    for group, found in claims.items():
        of(group).claims = tuple(sorted(found, key=lambda claim: claim.age))
    for path, lost in records.gone.items():
        name = named(path)
        if name.kind == "claim":
            group_seen = of(name.group)
            group_seen.claims_gone = max(group_seen.claims_gone, lost.since)
            group_seen.saw_go(name.cluster, lost.since)


def unclaimed(records: Side) -> frozenset[str]:
    """The groups that have a guard and no claim: somebody has still to clear them."""
    names = [named(path) for path in records.held]
    claimed = {name.group for name in names if name.kind == "claim"}
    return frozenset(name.group for name in names if name.kind == "guard") - claimed


def by_role(keys: Mapping[str, str], role: Role, layout: Layout) -> dict[str, str]:
    """Those of `keys` (path: value) that have this role."""
    found = {}
    for path, value in keys.items():
        place = layout.place(path)
        if place is not None and place.role is role:
            found[path] = value
    return found


def may_merge(wish: Mapping[str, str], target: Mapping[str, str], layout: Layout) -> bool:
    """Whether servers of a cluster with this wish may stand where `target` routes.

    They must have a host in common, and `target` must protect by each key that the wish protects by. A wish that
    protects anything merges into no group that is open in further ways: there nothing of it would protect.
    """
    if wish == target:
        return True
    protects = by_role(wish, Role.PROTECTS, layout)
    if any(target.get(path) != value for path, value in protects.items()):
        return False
    if protects and not by_role(target, Role.OPENS, layout).keys() <= wish.keys():
        return False
    rules, target_rules = by_role(wish, Role.RULE, layout), by_role(target, Role.RULE, layout)
    return rules == target_rules or bool(layout.hosts(rules) & layout.hosts(target_rules))
