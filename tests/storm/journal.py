"""What each process says that it wrote: from it the states follow that a look at a Consul misses.

A look sees what stands, and not each state that stood since the look before. Every transaction in between whose
process told of it is done again here, in the order of their indices. What nobody told of shows as a difference to what
the next look sees; then nothing is known of what lies between the two.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bridge.model.change import Delete, Item, LeaseName, Transaction
from tests.storm.state import State


@dataclass(frozen=True, slots=True)
class Written:
    """One transaction that was committed."""

    author: str  # the cluster whose process says so
    revision: int
    compared: Mapping[str, int]  # by key: the revision that it had before, 0: it did not stand
    puts: Mapping[str, tuple[str, LeaseName | None]]  # value and lease
    deletes: Sequence[str]


def told(transaction: Transaction, revision: int) -> str:
    """A line of a journal."""
    compared = {one.key: one.revision for one in transaction.checks}
    puts: dict[str, tuple[str, str, int] | tuple[str]] = {}
    deletes = []
    for change in transaction.changes:
        compared[change.key] = getattr(change, "read_at", 0)
        if isinstance(change, Delete):
            deletes.append(change.key)
        else:
            lease = change.lease
            puts[change.key] = (change.value, lease.family, lease.ttl) if lease else (change.value,)
    return json.dumps([revision, compared, puts, deletes])


def read_journal(path: Path, author: str) -> list[Written]:
    """All that is told there."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        revision, compared, puts, deletes = json.loads(line)
        leases = {key: (value, LeaseName(*lease) if lease else None) for key, (value, *lease) in puts.items()}
        found.append(Written(author, revision, compared, leases, deletes))
    return found


def replayed(looks: Sequence[State], journals: Sequence[Written], part: Callable[[str], str]) -> list[State]:
    """These states, and those between them.

    `part`: of which publisher a key is; each has leases of its own, whose names are alike.
    """
    written = sorted(journals, key=lambda one: one.revision)
    revisions = [one.revision for one in written]
    found = list(looks[:1])
    for before, after in pairwise(looks):
        first, last = bisect_right(revisions, before.revision), bisect_right(revisions, after.revision)
        found += _Between(before, after, written[first:last], part).states() or [after]
    return found


class _Unknown(Exception):
    """Somebody did what nobody told of."""


Lease = tuple[str, LeaseName | None]


class _Between:
    """From one look to the next."""

    def __init__(self, before: State, after: State, written: Sequence[Written], part: Callable[[str], str]) -> None:
        self.before, self.after, self.written, self.part = before, after, written, part

    def states(self) -> list[State]:
        """All that stood since; none where not all is known."""
        try:
            lost = self._run({})[1]
            ends = self._ends(lost)
            states, lost = self._run(ends)
        except _Unknown:
            return []
        if lost:
            return []
        return states

    def _lease(self, key: str, item: Item) -> Lease:
        return self.part(key), item.lease

    def _ends(self, lost: Mapping[str, Item]) -> dict[int, list[Lease]]:
        """Behind how many transactions each lease ended of which keys are over.

        As early as it may have been: who writes because a lease ended comes behind it, and who relies on what stands
        there compares it.
        """
        ends: dict[int, list[Lease]] = {}
        for lease in {self._lease(key, item) for key, item in lost.items()}:
            if any(self._lease(key, item) == lease for key, item in self.after.items.items()):
                raise _Unknown
            ends.setdefault(self._last_use(lease), []).append(lease)
        return ends

    def _last_use(self, lease: Lease) -> int:
        """How many transactions there are to the last that needs a key on this lease."""
        items = dict(self.before.items)
        last = 0
        for number, one in enumerate(self.written, 1):
            stood = [key for key, revision in one.compared.items() if revision]
            if any(key in items and self._lease(key, items[key]) == lease for key in stood):
                last = number
            if any((self.part(key), put[1]) == lease for key, put in one.puts.items()):
                last = number
            self._do(one, items)
        return last

    def _run(self, ends: Mapping[int, Sequence[Lease]]) -> tuple[list[State], dict[str, Item]]:
        """The states, and what stands in the last of them and not in the next look."""
        items, states = dict(self.before.items), []
        revision = self.before.revision

        def end(lease: Lease) -> None:
            for key in [key for key, item in items.items() if self._lease(key, item) == lease]:
                del items[key]
            states.append(State(revision, dict(items), exact=True, seen=self.after.seen))

        for lease in ends.get(0, ()):
            end(lease)
        for number, one in enumerate(self.written, 1):
            for key, stood in one.compared.items():
                if key in items and not stood:
                    end(self._lease(key, items[key]))  # it must have gone before
                if stood and (key not in items or items[key].revision != stood):
                    raise _Unknown
            self._do(one, items)
            revision = one.revision
            states.append(State(revision, dict(items), exact=True, seen=self.after.seen))
            for lease in ends.get(number, ()):
                end(lease)
        lost = {key: item for key, item in items.items() if key not in self.after.items}
        for key, item in self.after.items.items():
            mine = items.get(key)
            if mine is None or (mine.value, mine.created, mine.revision) != (item.value, item.created, item.revision):
                raise _Unknown
        return states, lost

    def _do(self, one: Written, items: dict[str, Item]) -> None:
        for key in one.deletes:
            items.pop(key, None)
        for key, (value, lease) in one.puts.items():
            stood = items.get(key) if one.compared[key] else None
            items[key] = Item(value, stood.created if stood else one.revision, one.revision, lease)
