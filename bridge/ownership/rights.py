"""What a cluster's bridge must be allowed in a store: by prefix, since that is how stores give rights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.model.keys import STANDING, Publisher, owned_name
from bridge.ownership.records import FLEET_RECORDS, cluster_records


@dataclass(frozen=True, slots=True)
class Right:
    """Upon all keys that begin so."""

    prefix: str  # where it writes, with a slash or CLUSTER-- at its end: else a longer name would begin with it
    writes: bool  # else it only reads them; who writes them reads them too
    why: str


def key_rights(publisher: Publisher, elsewhere: str, *, separate: bool) -> Iterator[Right]:
    """All that the publisher's commands need, and nothing more.

    `elsewhere`: where keys lie that Traefik does not find for a slash in front; empty where none can.
    `separate`: the cluster has frontends of its own.
    """
    tree, records, cluster = publisher.tree, publisher.records, publisher.cluster
    yield Right(tree.removesuffix("/"), False, "all that Traefik reads: what begins as its prefix does")
    if elsewhere:
        yield Right(elsewhere, False, "for check: what Traefik does not find, for a slash in front")
    folders = publisher.layout.folders
    if separate:
        for folder in folders:
            yield Right(tree + folder + owned_name(cluster, ""), True, "its own routes, which no other cluster writes")
        for standing in (f"{folder}{STANDING}/" for folder in folders):
            if any(path.startswith(standing) for path in publisher.layout.standing()):
                yield Right(tree + standing, True, "what stands beside all routes, and clusters share")
    else:
        for folder in folders:
            yield Right(tree + folder, True, "what clusters share, and their servers")
    yield Right(records, False, "what all clusters claim")
    yield Right(records + FLEET_RECORDS, True, "the guards, which all clusters bump")
    yield Right(records + cluster_records(cluster), True, "its own records, which no other cluster needs to write")
