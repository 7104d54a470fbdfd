"""What a store holds, read once by a command that only looks: it grants, renews and writes nothing."""

from __future__ import annotations

import math

from bridge.cli.wiring import Site, opened_store, publisher
from bridge.config import Config
from bridge.model.change import LeaseName
from bridge.model.keys import Publisher, is_cluster_name
from bridge.ownership.mirror import Mirror
from bridge.ownership.records import FLEET, STANDING_FAMILY, cluster_family
from bridge.ownership.standing import stand
from bridge.stores.base import Store
from bridge.views.clusters import Seen, clusters_in, is_ours


def look(config: Config, site: Site) -> Seen:
    """Read it. Raises StoreError, UsageError."""
    chosen = publisher(site, cluster="")
    with opened_store(config, site) as store:
        mirror = _read(store, chosen)
        return Seen(chosen, stand(mirror, chosen), _lives(store, mirror))


def seconds_or_none(rest: float) -> float | None:
    """As JSON has it, which knows no infinity."""
    return None if math.isinf(rest) else rest


def _read(store: Store, chosen: Publisher) -> Mirror:
    """Both sides, read once the families of all clusters are known, so that their leases are told from others."""
    mirror = _read_once(store, chosen)
    real = sorted(filter(is_cluster_name, clusters_in(mirror, chosen)))  # others may be any bytes
    store.know((FLEET, STANDING_FAMILY, *map(cluster_family, real)))
    return _read_once(store, chosen)


def _read_once(store: Store, chosen: Publisher) -> Mirror:
    mirror = Mirror.empty(chosen.tree, chosen.records)
    for prefix in (chosen.records, chosen.tree):
        mirror = mirror.fold(store.read(prefix), 0.0)
    return mirror


def _lives(store: Store, mirror: Mirror) -> dict[LeaseName, float]:
    """One that just ended has none left."""
    held = {one.lease for side in mirror.sides for one in side.held.values()}
    names = sorted(lease for lease in held if lease is not None and is_ours(lease))
    return {name: store.remaining(name) or 0.0 for name in names}
