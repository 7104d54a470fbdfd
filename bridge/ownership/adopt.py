"""Hand-written keys that become ours: what becomes of each, and the groups as they stand once they are taken.

All that is taken moves to our lease first, as it stands; from then on the group is one of ours that changes in the
steps of any other, and a crash is only unfinished.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from bridge.model.keys import Layout, Wish
from bridge.ownership.claims import Group, server_home
from bridge.ownership.foreign import foreign_keys, is_kin
from bridge.ownership.mirror import Held
from bridge.ownership.standing import Standing


class Fate(Enum):
    """What becomes of a key that changes hands."""

    STAYS = "stays"  # its value
    CHANGES = "changes"
    GOES = "goes"
    LEFT = "left"  # it does not change hands


@dataclass(frozen=True, slots=True)
class Handed:
    """A key, and what becomes of it."""

    path: str
    service: str  # stack/service
    held: Held
    after: str | None  # None: it goes
    fate: Fate
    why: str = ""  # where it is left


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the operator named."""

    services: frozenset[str] | None  # stack/service; None: all that the source asks for
    paths: frozenset[str]
    surplus: bool  # also what the source does not ask for


def judge(standing: Standing, wishes: Mapping[str, Wish], chosen: Chosen) -> tuple[Handed, ...]:
    """What becomes of each hand-written key of the groups that were named, by service and path."""
    found: list[Handed] = []
    for name, wish in sorted(wishes.items()):
        group = standing.groups.get(name)
        if group is None or not group.foreign:
            continue
        is_named = chosen.services is None or wish.title in chosen.services
        if is_named or chosen.paths & group.foreign.keys():
            found += _Judge(standing, group, wish, chosen, is_named=is_named).run()
    return tuple(sorted(found, key=lambda one: (one.service, one.path)))


class _Judge:
    """The hand-written keys of one group."""

    def __init__(self, standing: Standing, group: Group, wish: Wish, chosen: Chosen, *, is_named: bool) -> None:
        self.standing, self.group, self.wish, self.chosen, self.is_named = standing, group, wish, chosen, is_named
        self.layout: Layout = standing.publisher.layout
        self.me = standing.publisher.cluster
        decider = group.claims[0] if group.claims else None
        shared = wish.shared if decider is None or decider.cluster == self.me else decider.keys
        self.is_readable = shared is not None
        self.target = {**(shared or {}), **wish.own}

    def run(self) -> Iterator[Handed]:
        found = [self._one(path, held) for path, held in sorted(self.group.foreign.items())]
        taken = {one.path for one in found if one.fate is not Fate.LEFT}
        freezing = self._freezing(taken)
        for one in found:
            if freezing and one.fate in (Fate.CHANGES, Fate.GOES):
                yield self._left(one.path, one.held, f"{freezing} freezes its service: adopt or delete that too")
            else:
                yield one

    def _one(self, path: str, held: Held) -> Handed:
        if why := self._why_left(path):
            return self._left(path, held, why)
        after = self.target.get(path)
        fate = Fate.GOES if after is None else Fate.STAYS if after == held.value else Fate.CHANGES
        return Handed(path, self.wish.title, held, after, fate)

    def _left(self, path: str, held: Held, why: str) -> Handed:
        return Handed(path, self.wish.title, held, held.value, Fate.LEFT, why)

    def _why_left(self, path: str) -> str:
        is_chosen = path in self.chosen.paths
        if not is_chosen and not self.is_named:
            return "nobody named it"
        if not self.is_readable:
            return f"the claim of cluster {self.group.claims[0].cluster}, which decides, cannot be read"
        if is_kin(path, {*self.group.shared, *self.group.mine, *self.target}):
            return "a key of the bridge lies above or below it, and no Traefik may find both: delete it by hand"
        if path in self.target:
            return ""
        place = self.layout.place(path)
        if place is not None and place.cluster not in (None, self.me) and self._is_known(place.cluster):
            return f"it names cluster {place.cluster}"
        if is_chosen:
            return ""
        if not self.chosen.surplus:
            return "the source does not ask for it: name it, or say --all, and it goes"
        if place is not None and self._has_no_heir(server_home(place.holder)):
            return "the source has no server to take its place: name it, and it goes"
        return ""

    def _is_known(self, cluster: str | None) -> bool:
        return cluster in self.standing.presences or any(claim.cluster == cluster for claim in self.group.claims)

    def _has_no_heir(self, home: str) -> bool:
        """Whether a backend that stays would have no server."""
        if not home:
            return False
        backend = home.removesuffix("servers")
        heirs = (place for path in self.wish.own if (place := self.layout.place(path)) is not None)
        return any(path.startswith(backend) for path in self.target) and not any(
            server_home(place.holder) == home for place in heirs
        )

    def _freezing(self, taken: Collection[str]) -> str:
        """The key that freezes the group though all of `taken` is ours."""
        after = _taken(self.group, taken, self.wish)
        found = foreign_keys(after, self.wish, self.me, self.layout)
        return next((one.path for one in found if one.freezes), "")


def adopting(standing: Standing, wishes: Mapping[str, Wish], adopted: Mapping[str, int]) -> Standing:
    """`standing` as if the hand-written keys of `adopted` (path: revision) were ours; not those written since."""
    layout, groups = standing.publisher.layout, dict(standing.groups)
    by_group: dict[str, list[str]] = {}
    for path, revision in adopted.items():
        place = layout.place(path)
        held = groups[place.group].foreign.get(path) if place is not None and place.group in groups else None
        if place is not None and held is not None and held.revision == revision:
            by_group.setdefault(place.group, []).append(path)
    for name, paths in by_group.items():
        if name in wishes:
            groups[name] = _taken(groups[name], paths, wishes[name])
    return replace(standing, groups=groups)


def _taken(group: Group, paths: Collection[str], wish: Wish) -> Group:
    """The group with these keys of its foreign ones as ours. What is wished as own is; all else is shared."""
    own = {path: group.foreign[path] for path in paths if path in wish.own}
    shared = {path: group.foreign[path] for path in paths if path not in own}
    return replace(
        group,
        shared={**group.shared, **shared},
        mine={**group.mine, **own},
        foreign={path: held for path, held in group.foreign.items() if path not in paths},
    )
