"""What a cluster's bridge must be allowed in a store: by prefix, since that is how stores give rights."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.model.keys import Publisher
from bridge.ownership.records import FLEET_RECORDS, cluster_records


@dataclass(frozen=True, slots=True)
class Right:
    """Upon all keys that begin so."""

    prefix: str  # with the closing slash, so that no longer name begins with it
    writes: bool  # else it only reads them; who writes them reads them too
    why: str


def key_rights(publisher: Publisher) -> tuple[Right, ...]:
    """All that the publisher's commands need, and nothing more."""
    tree, records, cluster = publisher.tree, publisher.records, publisher.cluster
    return (
        Right(tree, False, "Traefik's keys, the hand-written ones among them"),
        *(Right(tree + folder, True, "what clusters share, and their servers") for folder in publisher.layout.folders),
        Right(records, False, "what all clusters claim"),
        Right(records + FLEET_RECORDS, True, "the guards, which all clusters bump"),
        Right(records + cluster_records(cluster), True, "this cluster's own records: nobody else's bridge may write them"),
    )
