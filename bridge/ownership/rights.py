"""What a cluster's bridge must be allowed in a store: by prefix, since that is how stores give rights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.model.keys import Publisher
from bridge.ownership.records import FLEET_RECORDS, cluster_records


@dataclass(frozen=True, slots=True)
class Right:
    """Upon all keys that begin so."""

    prefix: str  # with a slash at its end where it writes: else a longer name would begin with it
    writes: bool  # else it only reads them; who writes them reads them too
    why: str


def key_rights(publisher: Publisher, elsewhere: str) -> Iterator[Right]:
    """All that the publisher's commands need, and nothing more.

    `elsewhere`: where keys lie that Traefik does not find for a slash in front; empty where none can.
    """
    tree, records, cluster = publisher.tree, publisher.records, publisher.cluster
    yield Right(tree.removesuffix("/"), False, "all that Traefik reads: what begins as its prefix does")
    if elsewhere:
        yield Right(elsewhere, False, "for check: what Traefik does not find, for a slash in front")
    for folder in publisher.layout.folders:
        yield Right(tree + folder, True, "what clusters share, and their servers")
    yield Right(records, False, "what all clusters claim")
    yield Right(records + FLEET_RECORDS, True, "the guards, which all clusters bump")
    yield Right(records + cluster_records(cluster), True, "its own records, which no other cluster needs to write")
