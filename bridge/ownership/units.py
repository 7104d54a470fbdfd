"""What belongs into one transaction, what it compares, and in which order it may be cut where not all fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bridge.model.change import Change, Check, Create, Delete, Update
from bridge.model.keys import Role
from bridge.ownership.claims import Group, kinds
from bridge.ownership.records import named
from bridge.ownership.standing import Standing
from bridge.ownership.steps import Draft
from bridge.ownership.terms import outlives

# The order in which a unit too large for one transaction is cut: what opens comes last.
_CLOSES, _GOES, _LAST = 2, 8, 9
_COMES = {Role.PROTECTS: 3, Role.REST: 4, Role.RULE: 5, Role.SERVER: 6, Role.OPENS: 7}


@dataclass(frozen=True, slots=True)
class Unit:
    """Changes that belong into one transaction."""

    group: str
    why: str
    changes: tuple[Change, ...]  # in the order in which they may be cut where not all fit
    checks: tuple[Check, ...] = ()
    wide: tuple[Check, ...] = ()  # further checks, …
    narrow: tuple[Check, ...] = ()  # … and those of them that stay where not all fit
    # Where not even one change fits beside all these: the checks that stay, and those that a change needs, by its key.
    least: tuple[Check, ...] = ()
    each: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    # Whose protection becomes of another kind, by the keys of the changes that make it so: where they fit, they are not
    # parted.
    turns: Mapping[str, str] = field(default_factory=dict)


class Units:
    """Those of one plan, as they are made; of groups that stand as `standing` shows."""

    def __init__(self, standing: Standing) -> None:
        self.found: list[Unit] = []
        self._layout = standing.publisher.layout
        self._tree, self._records = standing.mirror.tree.prefix, standing.mirror.records.prefix

    def add(
        self,
        group: Group,
        why: str,
        changes: Iterable[Change],
        checks: Iterable[Check],
        beside: Iterable[str] = (),
        least: Iterable[Check] | None = None,
        each: Mapping[str, tuple[Check, ...]] | None = None,
    ) -> None:
        """One more unit, if it changes anything; `beside`: paths that must stand as they were read.

        `least`, `each`: as `Unit` has them; without them all checks stay.
        """
        drafted = tuple(changes)
        turns = self._turns(drafted)
        ordered = tuple(
            sorted(drafted, key=lambda one: _turn(one, turns[one.key]) if one.key in turns else self.order(one))
        )
        if not ordered:
            return
        wide = [(path, self.check(group, path)) for path in beside]
        narrow = tuple(check for path, check in wide if self._role(path) in (Role.PROTECTS, Role.RULE))
        checks = tuple(dict.fromkeys(checks))
        stay = checks if least is None else tuple(dict.fromkeys(least))
        further = tuple(check for _, check in wide)
        self.found.append(Unit(group.name, why, ordered, checks, further, narrow, stay, each or {}, turns))

    def check(self, group: Group, path: str) -> Check:
        """That a key of Traefik's stands, or is absent, as it was read."""
        held = group.shared.get(path) or group.foreign.get(path)
        return Check(self._tree + path, held.revision if held else 0)

    def opened_beside(self, group: Group, shared: Draft) -> list[str]:
        """Where something is opened: all else of the group, what protects and the rule first."""
        opens = (path for path, change in shared.changes.items() if isinstance(change, Create))
        if not any(self._role(path) is Role.OPENS for path in opens):
            return []
        first = (Role.PROTECTS, Role.RULE)
        return sorted(group.shared, key=lambda path: (self._role(path) not in first, path))

    def checks_of_each(
        self, group: Group, changes: Iterable[tuple[str, Change]], opening: set[str], protects: Iterable[Check]
    ) -> dict[str, tuple[Check, ...]]:
        """What each change must compare, were it alone: of its own holder, but for a server's all that protects."""
        guarded: dict[str, list[str]] = {}
        for path in group.shared:
            place = self._layout.place(path)
            if place and place.role in (Role.PROTECTS, Role.RULE):
                guarded.setdefault(place.holder, []).append(path)
        found = {}
        for path, change in changes:
            place = self._layout.place(path)
            if place is None:
                continue
            beside: list[str] = []
            if place.role is Role.OPENS:
                beside = guarded.get(place.holder, [])
            elif place.holder in opening:
                beside = list(self._layout.opening(place.holder))
            brings = place.role is Role.SERVER and isinstance(change, Create)
            found[change.key] = (*map(partial(self.check, group), beside), *(protects if brings else ()))
        return found

    def order(self, change: Change) -> tuple[int, str]:
        """Records first, then what closes, what opens behind all that comes, the rest of what goes; last the guard."""
        if not change.key.startswith(self._tree):
            guard = named(change.key[len(self._records) :]).kind == "guard"
            return (_LAST if guard and isinstance(change, Delete) else int(guard)), change.key
        place = self._layout.place(change.key[len(self._tree) :])
        role = place.role if place else Role.REST
        if place and place.weakens:
            return (_CLOSES if isinstance(change, Delete) else _GOES), change.key
        if isinstance(change, Delete):
            return (_CLOSES if role is Role.OPENS else _GOES), change.key
        if role is Role.OPENS and isinstance(change, Update) and outlives(change.held_by, change.lease):
            return _CLOSES, change.key  # it shall not outlive what protects it
        return _COMES[role], change.key

    def _turns(self, changes: Iterable[Change]) -> dict[str, str]:
        """Of the changes by which an object becomes of another kind, and of the rules beside it, the holder, by key."""
        tree = self._tree
        paths = {one.key[len(tree) :]: one for one in changes if one.key.startswith(tree)}
        gone = kinds((path for path, one in paths.items() if isinstance(one, Delete)), self._layout)
        stay = kinds((path for path, one in paths.items() if not isinstance(one, Delete)), self._layout)
        turning = {one for one, found in stay.items() if gone.get(one, set()) - found}
        if not turning:
            return {}
        places = {path: place for path in paths if (place := self._layout.place(path)) is not None}
        parts = {path for path, place in places.items() if place.kind.rpartition("/")[0] in turning}
        holders = {places[path].holder for path in parts}
        parts |= {path for path, place in places.items() if place.role is Role.RULE and place.holder in holders}
        return {tree + path: places[path].holder for path in parts}

    def _role(self, path: str) -> Role | None:
        place = self._layout.place(path)
        return place.role if place else None


def _turn(change: Change, holder: str) -> tuple[int, str]:
    """Where it stands in the order of its unit: what goes first, so that a mere part of it leaves nothing open."""
    return _COMES[Role.RULE], f"{holder}\0{not isinstance(change, Delete):d}{change.key}"
