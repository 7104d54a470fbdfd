"""What will be another than it is when all is done, and how much of that goes."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from bridge.model.keys import Layout
from bridge.ownership.claims import Group


@dataclass(frozen=True, slots=True)
class Difference:
    """A key below Traefik's prefix that shall become another than it is."""

    path: str
    service: str  # stack/service, or the name of a group that is of no service
    before: str | None  # None: it does not stand
    after: str | None


class Differences:
    """Those of one plan, as its groups are looked at."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.found: list[Difference] = []
        self.unchanged = 0  # keys that stand and shall stand as they are
        self.removed = 0  # servers that go by the source's word without another coming for them
        self.drained: set[str] = set()  # paths of what goes by an operator's word

    def add(
        self, group: Group, title: str, target: Mapping[str, str] | None, decides: bool, own: Mapping[str, str]
    ) -> None:
        """Where the group's keys lead; `target` None: the shared keys stay as they are."""
        before = {path: held.value for path, held in group.mine.items()}
        after = dict(own)
        if target is not None:
            stands = {path: held.value for path, held in group.shared.items()}
            before |= stands
            after |= target if decides else {**target, **stands}
        for path in (before.keys() | after.keys()) - group.foreign.keys():
            old, new = before.get(path), after.get(path)
            if old == new:
                self.unchanged += 1
            else:
                self.found.append(Difference(path, title, old, new))

    def count_removed(self, group: Group, own: Mapping[str, str], drained: Set[str] = frozenset()) -> None:
        """Servers that go without another coming in their group: a replaced container is no loss.

        `drained`: holders that go because an operator says so, whatever the source does.
        """
        before = group.servers - drained
        if drained:
            self.drained.update(path for path in group.mine if self._holder(path) in drained)
        after = {place.holder for path in own if (place := self._layout.place(path))}
        self.removed += max(0, len(before - after) - len(after - before))

    def _holder(self, path: str) -> str:
        place = self._layout.place(path)
        return place.holder if place else ""
