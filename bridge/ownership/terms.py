"""How one process publishes, and the leases that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.model.change import FOR_EVER, LeaseName
from bridge.model.keys import Publisher
from bridge.ownership.records import FLEET, LONGEST_READ_TIME, STANDING_FAMILY, cluster_family
from bridge.ownership.standing import Standing

STANDING_LEASE = LeaseName(STANDING_FAMILY, FOR_EVER)


@dataclass(frozen=True, slots=True)
class ReadTime:
    """How long a Traefik that reads key by key may take for one read."""

    fixed: float | None = None  # seconds; None: reckoned
    round_trip: float = 0.0  # seconds, this bridge's own median to the store

    def seconds(self, frontends: int) -> float:
        """With `frontends` in the tree: Traefik's throttle, and some 70 reads a frontend, twice."""
        if self.fixed is not None:
            return self.fixed
        return min(LONGEST_READ_TIME, 2.0 + 2 * 70 * frontends * (0.0004 + self.round_trip))


@dataclass(frozen=True, slots=True)
class Errand:
    """What one command has to do with some groups; all others it leaves alone."""

    groups: frozenset[str]
    adopted: Mapping[str, int] = field(default_factory=dict)  # hand-written keys (path: revision) that become ours
    releases: bool = False  # our keys become hand-written ones


@dataclass(frozen=True, slots=True)
class Terms:
    """How one process publishes."""

    environment: str  # the Rancher environment's uuid
    version: str
    ttl: int  # seconds that this cluster's keys outlive it; 0: for ever
    read_time: ReadTime
    leaving: bool = False  # this cluster goes: nothing of it shall stand
    errand: Errand | None = None  # None: all groups


def cluster_lease(publisher: Publisher, terms: Terms) -> LeaseName:
    """That of this cluster's own entries, claims and presence."""
    return LeaseName(cluster_family(publisher.cluster), terms.ttl)


def fleet_lease(standing: Standing, terms: Terms) -> LeaseName:
    """That of the shared entries: it lives as long as the longest that a living cluster asks for."""
    others = [seen.ttl for cluster, seen in standing.presences.items() if cluster != standing.publisher.cluster]
    asked = others if terms.leaving and others else [terms.ttl, *others]
    return LeaseName(FLEET, FOR_EVER if FOR_EVER in asked else max(asked))


def lease_names(standing: Standing, terms: Terms) -> tuple[LeaseName, ...]:
    """Every lease that this process keeps: those it wants, and those of its families that still hold keys."""
    families = {cluster_family(standing.publisher.cluster), FLEET, STANDING_FAMILY}
    wanted = {cluster_lease(standing.publisher, terms), fleet_lease(standing, terms), STANDING_LEASE}
    return tuple(sorted(wanted | {lease for lease in standing.leases if lease.family in families}))


def outlives(lease: LeaseName | None, other: LeaseName | None) -> bool:
    """Whether keys on our `lease` live longer than on `other`; None: not on one of ours."""
    if lease is None or lease.family.startswith("?") or other is None or other.ttl == FOR_EVER:
        return False
    return lease.ttl == FOR_EVER or lease.ttl > other.ttl
