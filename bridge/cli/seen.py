"""What a store holds, read once by a command that only looks: it grants, renews and writes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.cli.wiring import Site, opened_store, publisher
from bridge.config import Config
from bridge.layouts import layout_of
from bridge.model.change import LeaseName
from bridge.model.keys import Publisher, is_cluster_name
from bridge.ownership.mirror import Mirror
from bridge.ownership.records import FLEET, STANDING_FAMILY, Leader, cluster_family, named, read_leader
from bridge.ownership.standing import Standing, stand
from bridge.stores.base import Store


@dataclass(frozen=True, slots=True)
class Seen:
    """All below one publisher's prefixes."""

    publisher: Publisher  # of no cluster
    standing: Standing
    leases: Mapping[LeaseName, float]  # seconds that each of ours that holds a key would live; inf: for ever

    @property
    def clusters(self) -> tuple[str, ...]:
        """Who has a record or a key here."""
        return tuple(sorted(_clusters(self.standing.mirror, self.publisher)))

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


def look(config: Config, site: Site) -> Seen:
    """Read it. Raises StoreError, UsageError."""
    chosen = publisher(site, cluster="")
    with opened_store(config, site) as store:
        mirror = _read(store, chosen)
        return Seen(chosen, stand(mirror, chosen), _lives(store, mirror))


def is_ours(lease: LeaseName | None) -> bool:
    """Whether a key on this lease is a bridge's."""
    return lease is not None and not lease.family.startswith("?")


def seconds_or_none(rest: float) -> float | None:
    """As JSON has it, which knows no infinity."""
    return None if math.isinf(rest) else rest


def _read(store: Store, chosen: Publisher) -> Mirror:
    """Both sides, read once the families of all clusters are known, so that their leases are told from others."""
    mirror = _read_once(store, chosen)
    real = sorted(filter(is_cluster_name, _clusters(mirror, chosen)))  # others may be any bytes
    store.know((FLEET, STANDING_FAMILY, *map(cluster_family, real)))
    return _read_once(store, chosen)


def _read_once(store: Store, chosen: Publisher) -> Mirror:
    mirror = Mirror.empty(chosen.tree, chosen.records)
    for prefix in (chosen.records, chosen.tree):
        mirror = mirror.fold(store.read(prefix), 0.0)
    return mirror


def _clusters(mirror: Mirror, chosen: Publisher) -> set[str]:
    clusters = {named(path).cluster for path in mirror.records.held}
    places = (chosen.layout.place(path) for path in mirror.tree.held)
    return {*clusters, *(place.cluster for place in places if place and place.cluster)} - {""}


def _lives(store: Store, mirror: Mirror) -> dict[LeaseName, float]:
    """One that just ended has none left."""
    held = {one.lease for side in mirror.sides for one in side.held.values()}
    names = sorted(lease for lease in held if lease is not None and is_ours(lease))
    return {name: store.remaining(name) or 0.0 for name in names}
