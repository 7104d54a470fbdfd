"""A store in memory, for tests: it conflicts, limits and expires as real ones do, by a clock that is moved by hand.

It is the strictest of the stores. What one of them would refuse it refuses, so that a plan that passes here passes
everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from threading import Condition

from bridge.model.change import (
    FOR_EVER,
    Change,
    Committed,
    Conflict,
    Create,
    Delete,
    Item,
    LeaseName,
    Limits,
    Reading,
    Transaction,
    Update,
)
from bridge.stores.base import LeaseLost, OutcomeUnknown, Refused, Unavailable

LIKE_ETCD = Limits(operations=128, size=1_500_000, create=1, update=1, move=1, delete=1, check=1)
LIKE_CONSUL = Limits(operations=64, size=370_000, create=2, update=1, move=3, delete=2, check=1, shortest_ttl=20)

_URL = "memory:"
_BEAT = 0.5  # seconds between two signs of a watch in which nothing happens


class Fault(Enum):
    """How a commit's answer gets lost."""

    BEFORE = "before"  # nothing happened
    AFTER = "after"  # the transaction happened


@dataclass(slots=True)
class _Lease:
    number: int
    expires: float  # on the server's clock


class MemoryServer:
    """What several clients share. Its methods without comparison are an operator's hand."""

    def __init__(
        self,
        clock: Callable[[], float] = lambda: 0.0,
        *,
        limits: Limits = LIKE_ETCD,
        plain_write_detaches: bool = True,
    ) -> None:
        """`clock` tells seconds. `plain_write_detaches`: a hand's write takes a key's lease off, as in etcd."""
        self.limits = limits
        self.revision = 1
        self._clock = clock
        self._plain_write_detaches = plain_write_detaches
        self._items: dict[str, Item] = {}
        self._leases: dict[LeaseName, _Lease] = {}
        self._granted = 0
        self._families: set[str] = set()  # of all leases that were ever granted
        self._next_end = math.inf  # no lease expires before this
        self._lock = Condition()

    def write(self, key: str, value: str) -> None:
        """A write without comparison."""
        with self._lock:
            self._expire()
            self._revise()
            held = self._items.get(key)
            lease = None if held is None or self._plain_write_detaches else held.lease
            self._items[key] = Item(value, held.created if held else self.revision, self.revision, lease)

    def erase(self, key: str) -> None:
        """A deletion without comparison."""
        with self._lock:
            self._expire()
            if self._items.pop(key, None) is not None:
                self._revise()

    def end(self, name: LeaseName) -> None:
        """The lease ends now; its keys go in one revision."""
        with self._lock:
            self._expire()
            self._leases.pop(name, None)
            self._drop_keys_of(name)

    def _revise(self) -> None:
        self.revision += 1
        self._lock.notify_all()

    def _wait(self, after: int) -> bool:
        """Whether something was written behind revision `after`; waits for it a little."""
        with self._lock:
            self._expire()
            return self._lock.wait_for(lambda: self.revision > after, timeout=_BEAT)

    def _expire(self) -> None:
        now = self._clock()
        if now < self._next_end:
            return
        ended = sorted((lease.expires, name) for name, lease in self._leases.items() if lease.expires <= now)
        for _, name in ended:
            del self._leases[name]
            self._drop_keys_of(name)
        self._next_end = min((lease.expires for lease in self._leases.values()), default=math.inf)

    def _drop_keys_of(self, name: LeaseName) -> None:
        kept = {key: item for key, item in self._items.items() if item.lease != name}
        if len(kept) < len(self._items):
            self._revise()
            self._items = kept

    def _read(self, prefix: str, families: set[str]) -> Reading:
        with self._lock:
            self._expire()
            items: dict[str, Item | None] = {key: item for key, item in self._items.items() if key.startswith(prefix)}
            if not self._families <= families:
                items = {key: self._seen(item, families) for key, item in items.items()}
            return Reading(prefix, self.revision, items, whole=True)

    def _seen(self, item: Item | None, families: set[str]) -> Item | None:
        """The item as one sees it who knows only `families`."""
        if item is None or item.lease is None or item.lease.family in families:
            return item
        return replace(item, lease=LeaseName(f"?{self._leases[item.lease].number:x}", 0))

    def _commit(self, transaction: Transaction) -> Committed | Conflict:
        with self._lock:
            self._expire()
            self._refuse_malformed(transaction)
            if not all(self._stands(check.key, check.revision) for check in transaction.checks):
                return Conflict()
            if not all(self._stands(change.key, _read_at(change)) for change in transaction.changes):
                return Conflict()
            self._refuse_lease(transaction)
            if transaction.changes:
                self._revise()
            items = {change.key: self._apply(change) for change in transaction.changes}
            return Committed(Reading("", self.revision, items, whole=False))

    def _stands(self, key: str, revision: int) -> bool:
        held = self._items.get(key)
        return revision == (held.revision if held else 0)

    def _refuse_malformed(self, transaction: Transaction) -> None:
        operations, size = _weigh(transaction, self.limits)
        if operations > self.limits.operations:
            raise _refused(f"{operations} operations; at most {self.limits.operations}")
        if size > self.limits.size:
            raise _refused(f"{size} bytes; at most {self.limits.size}")
        if len({change.key for change in transaction.changes}) < len(transaction.changes):
            raise _refused("a key is changed twice")

    def _refuse_lease(self, transaction: Transaction) -> None:
        for change in transaction.changes:
            if isinstance(change, Delete):
                continue
            if change.lease is not None and change.lease not in self._leases:
                raise LeaseLost("the store", _URL, f"the lease {change.lease} does not live; ensure it.")
            if isinstance(change, Update) and not self._tells_lease(change):
                raise _refused(f"{change.key} is not held by {change.held_by}")

    def _tells_lease(self, change: Update) -> bool:
        """Whether an update says truly by which lease its key is held; a stranger's lease has another name."""
        held = self._items[change.key].lease
        return change.held_by == held or (
            held is not None and change.held_by == LeaseName(f"?{self._leases[held].number:x}", 0)
        )

    def _apply(self, change: Change) -> Item | None:
        match change:
            case Create(key, value, lease):
                item = Item(value, self.revision, self.revision, lease)
            case Update(key, value, lease):
                item = Item(value, self._items[key].created, self.revision, lease)
            case Delete(key):
                del self._items[key]
                return None
        self._items[key] = item
        return item

    def _ensure(self, name: LeaseName) -> None:
        with self._lock:
            if not self._renew(name):
                self._granted += 1
                self._families.add(name.family)
                self._leases[name] = _Lease(self._granted, math.inf)
                self._renew(name)

    def _renew(self, name: LeaseName) -> bool:
        with self._lock:
            self._expire()
            lease = self._leases.get(name)
            if lease is not None and name.ttl != FOR_EVER:
                lease.expires = self._clock() + name.ttl
                self._next_end = min(self._next_end, lease.expires)
            return lease is not None

    def _remaining(self, name: LeaseName) -> float | None:
        with self._lock:
            self._expire()
            lease = self._leases.get(name)
            return None if lease is None else lease.expires - self._clock()


class Memory:
    """A `Store`: one client of a MemoryServer."""

    url = _URL

    def __init__(self, server: MemoryServer) -> None:
        self.limits = server.limits
        self.unreachable = False  # True: every call raises Unavailable
        self.next_commit: Fault | None = None  # what happens to the answer of the next commit, once
        self._server = server
        self._families: set[str] = set()
        self._ensured: set[LeaseName] = set()

    def know(self, families: Iterable[str]) -> None:
        """See `Store`."""
        self._families.update(families)

    def read(self, prefix: str) -> Reading:
        """See `Store`."""
        return self._reached()._read(prefix, self._families)

    def watch(self, prefix: str, after: int) -> Iterator[Reading]:
        """See `Store`. Tells all that stands, as Consul does."""
        server = self._reached()
        while not self.unreachable:
            came = server._wait(after)
            if self.unreachable:
                return
            reading = self.read(prefix) if came else Reading(prefix, after, {}, whole=False)
            after = reading.revision
            yield reading

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        """See `Store`. Refuses a lease that was not ensured here, and an update that is wrong about `held_by`."""
        server = self._reached()
        for change in transaction.changes:
            if not isinstance(change, Delete) and change.lease not in {None, *self._ensured}:
                raise _refused(f"the lease {change.lease} was not ensured by this client")
        fault, self.next_commit = self.next_commit, None
        answer = Conflict() if fault is Fault.BEFORE else server._commit(transaction)
        if fault is not None:
            raise OutcomeUnknown("the store", _URL, "no answer. The transaction may have happened.")
        return answer

    def ensure(self, name: LeaseName) -> None:
        """See `Store`."""
        self._reached()._ensure(name)
        self._families.add(name.family)
        self._ensured.add(name)

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        """See `Store`."""
        server = self._reached()
        return tuple(name for name in names if not server._renew(name))

    def remaining(self, name: LeaseName) -> float | None:
        """See `Store`."""
        return self._reached()._remaining(name)

    def close(self) -> None:
        """See `Store`."""
        self.unreachable = True

    def _reached(self) -> MemoryServer:
        if self.unreachable:
            raise Unavailable("the store", _URL, "no answer.")
        return self._server


def _read_at(change: Change) -> int:
    return 0 if isinstance(change, Create) else change.read_at


def _weigh(transaction: Transaction, limits: Limits) -> tuple[int, int]:
    """Operations and bytes."""
    operations = limits.check * len(transaction.checks)
    size = sum(len(check.key.encode()) for check in transaction.checks)
    for change in transaction.changes:
        size += len(change.key.encode())
        match change:
            case Create(_, value):
                operations, size = operations + limits.create, size + len(value.encode())
            case Update(_, value, lease, _, held_by):
                cost = limits.update if lease == held_by else limits.move
                operations, size = operations + cost, size + len(value.encode())
            case Delete():
                operations += limits.delete
    return operations, size


def _refused(why: str) -> Refused:
    return Refused("the store", _URL, f"takes no such transaction: {why}.")
