"""Keys that somebody else wrote among ours: never changed, and some of them freeze their group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge.model.keys import Layout, Role, Wish
from bridge.ownership.claims import Group
from bridge.ownership.mirror import Held


@dataclass(frozen=True, slots=True)
class Foreign:
    """A key on no lease of ours that concerns a group."""

    path: str
    held: Held
    freezes: bool  # it opens or protects, or is the leaf or the folder of a key of the group


def foreign_keys(group: Group, wish: Wish | None, cluster: str, layout: Layout) -> Iterator[Foreign]:
    """What stands where keys of the group belong, or of this cluster; at most one that freezes."""
    ours = {*group.shared, *group.mine, *(wish.shared if wish else ()), *(wish.own if wish else ())}
    for claim in group.claims:
        ours.update(claim.keys or ())
    # A whole reader's routers name what protects them in such a key too: beside a strange one nothing may change.
    freezing = {Role.OPENS, Role.PROTECTS} if layout.reads_halves else {Role.OPENS, Role.PROTECTS, Role.RULE}
    frozen = False
    for path, held in sorted(group.foreign.items()):
        place = layout.place(path)
        if place is None:
            continue
        if ours and not frozen and (place.role in freezing or is_kin(path, ours)):
            frozen = True
            yield Foreign(path, held, freezes=True)
        elif path in ours or place.cluster == cluster:
            yield Foreign(path, held, freezes=False)


def is_kin(path: str, ours: Iterable[str]) -> bool:
    """Whether `path` is above or below one of our keys: as leaf and folder they keep Traefik from starting."""
    folder = path + "/"
    return any(other.startswith(folder) or path.startswith(other + "/") for other in ours)
