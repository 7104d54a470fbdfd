"""Who publishes in a store: each cluster with what it has there, and what is wrong among them; from what stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from bridge.layouts import layout_of
from bridge.model.change import LeaseName
from bridge.model.keys import STANDING, Publisher, Role
from bridge.model.problem import Problem
from bridge.ownership.drains import Drains, read_drains
from bridge.ownership.mirror import Mirror, Side
from bridge.ownership.presence import unread
from bridge.ownership.quarrels import problems
from bridge.ownership.records import Leader, Presence, named, presence_path, read_leader, read_presence
from bridge.ownership.rivals import rivals
from bridge.ownership.standing import Standing


@dataclass(frozen=True, slots=True)
class Seen:
    """All below one publisher's prefixes."""

    publisher: Publisher  # of no cluster
    standing: Standing
    leases: Mapping[LeaseName, float]  # seconds that each of ours that holds a key would live; inf: for ever
    tells_leases: bool = True  # whose each is; where nobody knows, a key on any counts as its cluster's

    @property
    def clusters(self) -> tuple[str, ...]:
        """Who has a record or a key here."""
        return tuple(sorted(clusters_in(self.standing.mirror, self.publisher)))

    def is_kept(self, lease: LeaseName | None) -> bool:
        """Whether a key on this lease is a bridge's."""
        return is_ours(lease) if self.tells_leases else lease is not None

    @property
    def leaders(self) -> dict[str, Leader | None]:
        """Who writes, by cluster; None where nobody can read the record."""
        held = self.standing.mirror.records.held.items()
        return {name.cluster: read_leader(one.value) for path, one in held if (name := named(path)).kind == "leader"}

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Who publishes another layout below this prefix, in words: of it nothing is seen but its records."""
        own, found = self.publisher.layout, dict[str, set[str]]()
        for claim in (claim for group in self.standing.groups.values() for claim in group.claims if claim.keys):
            found.setdefault(layout_of(claim.keys or (), own), set()).add(claim.cluster)
        return tuple(
            f"{'clusters' if len(its) > 1 else 'cluster'} {', '.join(sorted(its))} "
            f"{'publish' if len(its) > 1 else 'publishes'} {name} below this prefix, and {own.name} was looked for; "
            f"say --layout {name}"
            for name, its in sorted(found.items())
            if name != own.name
        )


class State(Enum):
    """Whether a cluster's bridge is there."""

    LED = "led"  # a replica leads now
    UNLED = "not led"  # nobody writes for it now; its keys live until its lease ends
    GONE = "gone"  # it says no more that it publishes here, and something of it is left


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster."""

    cluster: str
    state: State
    leader: str  # the replica; empty where none leads
    presence: Presence | None  # None: none stands, or nobody can read it
    seconds: float | None  # that the lease of its keys would live; inf: for ever; None: it has none
    routes: int  # frontends, or routers, that are open and that it claims
    servers: int
    keys: int  # on no lease of a bridge, though their names are this cluster's
    problems: tuple[Problem, ...]
    drains: Drains  # what an operator took the requests from
    only_drains: bool  # nothing is left of it but records of what is drained, which leave keeps


def rows(seen: Seen) -> tuple[Row, ...]:
    """Every cluster that has a record or a key here, by name."""
    wrong, standing = problems(seen.standing), seen.standing
    drains, beside = drains_by_cluster(standing.mirror.records), tuple(rivals(standing))
    unread_presences = {problem.service: problem for problem in unread(standing)}
    twins = _twins(standing)
    routes, servers, keys, more = _routes(seen), _servers(seen), _by_hand(seen), _more_than_drains(seen)
    leaders, found = seen.leaders, []
    for cluster in seen.clusters:
        held = standing.mirror.records.held.get(presence_path(cluster))
        lease = held.lease if held else None
        leads = leaders.get(cluster)
        about = unread_presences.get(f"cluster {cluster}")
        row = Row(
            cluster=cluster,
            state=State.GONE if held is None else State.LED if cluster in leaders else State.UNLED,
            leader=leads.name if leads else "unknown" if cluster in leaders else "",
            presence=read_presence(held.value) if held else None,
            seconds=seen.leases.get(lease) if lease is not None else None,
            routes=routes.get(cluster, 0),
            servers=servers.get(cluster, 0),
            keys=keys.get(cluster, 0),
            problems=(
                *((about,) if about else ()),
                *twins.get(cluster, ()),
                *wrong.get(cluster, ()),
                *(problem for problem, clusters in beside if cluster in clusters),
            ),
            drains=drains.get(cluster, Drains()),
            only_drains=cluster not in more,
        )
        found.append(row)
    return tuple(found)


def _twins(standing: Standing) -> dict[str, tuple[Problem, ...]]:
    """A notice for all clusters of one Rancher environment: one of them may be the other's old name."""
    of: dict[str, list[str]] = {}
    for cluster, presence in sorted(standing.presences.items()):
        if presence.environment:
            of.setdefault(presence.environment, []).append(cluster)
    found: dict[str, tuple[Problem, ...]] = {}
    for environment, its in of.items():
        *names, last = its
        key = standing.mirror.records.prefix + presence_path(last)
        reason = (
            f"clusters {', '.join(names)} and {last} publish this Rancher environment: its containers may be servers"
        )
        reason += " of each"
        remedy = "was one renamed? bridge leave --cluster, with the old name, takes away what it left"
        twins = Problem("", key, environment, reason, "each publishes on", notice=True, suggestion=remedy)
        found |= dict.fromkeys(its if names else (), (twins,))
    return found


def _routes(seen: Seen) -> dict[str, int]:
    """Counted from the keys: what is open in the groups that a cluster claims."""
    layout, tree, counts = seen.publisher.layout, seen.standing.mirror.tree.held, dict[str, int]()
    for name, group in seen.standing.groups.items():
        opened = sum(any(path in tree for path in layout.opening(holder)) for holder in group.frontends)
        for claim in group.claims if name != STANDING else ():
            counts[claim.cluster] = counts.get(claim.cluster, 0) + opened
    return counts


def _servers(seen: Seen) -> dict[str, int]:
    holders: dict[str, set[str]] = {}
    for path, held in seen.standing.mirror.tree.held.items():
        place = seen.publisher.layout.place(path)
        if place is not None and place.role is Role.SERVER and place.cluster and seen.is_kept(held.lease):
            holders.setdefault(place.cluster, set()).add(place.holder)
    return {cluster: len(its) for cluster, its in holders.items()}


def _by_hand(seen: Seen) -> dict[str, int]:
    counts: dict[str, int] = {}
    for path, held in seen.standing.mirror.tree.held.items():
        place = seen.publisher.layout.place(path)
        if place is not None and place.cluster and not seen.is_kept(held.lease):
            counts[place.cluster] = counts.get(place.cluster, 0) + 1
    return counts


def drains_by_cluster(records: Side) -> dict[str, Drains]:
    """What is drained, of the clusters that have any record of it."""
    found = {path: held.value for path, held in records.held.items() if named(path).kind == "drain"}
    clusters = sorted({named(path).cluster for path in found})
    return {cluster: read_drains(records.prefix, cluster, found) for cluster in clusters}


def _more_than_drains(seen: Seen) -> set[str]:
    """The clusters that have a key, or a record that is no drain's."""
    names = map(named, seen.standing.mirror.records.held)
    places = map(seen.publisher.layout.place, seen.standing.mirror.tree.held)
    return {
        *(name.cluster for name in names if name.kind != "drain"),
        *(place.cluster for place in places if place and place.cluster),
    }


def clusters_in(mirror: Mirror, chosen: Publisher) -> set[str]:
    """Whoever has a record or a key here."""
    clusters = {named(path).cluster for path in mirror.records.held}
    places = (chosen.layout.place(path) for path in mirror.tree.held)
    return {*clusters, *(place.cluster for place in places if place and place.cluster)} - {""}


def is_ours(lease: LeaseName | None) -> bool:
    """Whether a key on this lease is a bridge's."""
    return lease is not None and not lease.family.startswith("?")
