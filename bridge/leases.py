"""Leases are kept alive by a thread that does nothing else, so that no slow read or write lets one end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from bridge.model.change import FOR_EVER, LeaseName
from bridge.stores.base import Refused, Store, StoreError

REPLICA_TTL = 10  # seconds; of a replica's leadership, where the store grants a lease so short
RETRY = 0.5  # seconds until a renewal that failed is tried again


class Keeper:
    """Renews what it was given at a third of each TTL, until the `with` block ends."""

    def __init__(
        self,
        store: Store,
        tell: Callable[[StoreError], None] = lambda _: None,
        known: Mapping[LeaseName, float] = {},
        lost: Iterable[LeaseName] = (),
    ) -> None:
        """`tell`: hears, in the thread that renews, why a lease could not be renewed; once, until it can be again.

        `known`: what another kept until now, by another client, as its `renewed` says; renewed at once, where it lives.
        `lost`: what that one found lost.
        """
        self._store, self._tell = store, tell
        self._ensured: set[LeaseName] = set()  # granted or adopted here, so that keys may be attached
        self._due = dict.fromkeys(known, 0.0)  # on the monotonic clock
        self._renewed = dict(known)  # when each was last granted or renewed, on the same clock
        self._lost = set(lost)  # that were kept, ended, and took their keys along, which nobody put right yet
        self._failing: set[LeaseName] = set()  # of which was told that they could not be renewed
        self._lock = Lock()
        self._wake = Event()
        self._ended = False
        self._busy_since: float | None = None  # seconds, monotonic; of the renewal that is under way

    @property
    def renewed(self) -> Mapping[LeaseName, float]:
        """What is kept, and when each was last granted or renewed: seconds, monotonic."""
        with self._lock:
            return dict(self._renewed)

    @property
    def lost(self) -> frozenset[LeaseName]:
        """What was kept and has ended, until `put_right`."""
        with self._lock:
            return frozenset(self._lost)

    def put_right(self) -> None:
        """A pass saw what the leases that were lost took along, and wrote what of it may be written at once."""
        with self._lock:
            self._lost.clear()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def busy_for(self) -> float:
        """Seconds that the present renewal takes; 0 where none is under way."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def start(self) -> None:
        """Begin to renew, also again, where the thread ended."""
        self._busy_since = None
        self._thread = Thread(target=self._run, name="leases", daemon=True)
        self._thread.start()

    def abandon(self) -> None:
        """Renew nothing any more; a renewal that hangs is left behind."""
        self._ended = True
        self._wake.set()

    def end(self) -> None:
        """Renew nothing any more, once the renewal that is under way is over."""
        self.abandon()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def keep(self, names: Iterable[LeaseName]) -> None:
        """Grant, or adopt, these leases and renew them from now on. Raises StoreError."""
        for name in names:
            with self._lock:
                known = name in self._ensured
            if not known:
                self._store.ensure(name)
                with self._lock:
                    self._ensured.add(name)
                self._schedule((name,))

    def adopt(self, names: Iterable[LeaseName]) -> None:
        """Renew those of these leases that live, now and from now on; grant none. Raises StoreError."""
        with self._lock:
            new = [name for name in names if name not in self._due]
        if new:
            lost = self._store.renew(new)
            self._schedule(name for name in new if name not in lost)

    def drop(self, name: LeaseName) -> None:
        """Renew this lease no more."""
        with self._lock:
            self._ensured.discard(name)
            self._due.pop(name, None)
            self._renewed.pop(name, None)

    def forget(self) -> None:
        """A lease may have been lost: grant all afresh with the next `keep`."""
        with self._lock:
            self._ensured.clear()
            self._due.clear()
            self._renewed.clear()

    def _schedule(self, names: Iterable[LeaseName]) -> None:
        with self._lock:
            for name in names:
                self._due[name], self._renewed[name] = _next(name), time.monotonic()
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            now = time.monotonic()
            with self._lock:
                due = {name: at for name, at in self._due.items() if at <= now}
            if due:
                self._busy_since = now
                self._renew(due)
                self._busy_since = None
            with self._lock:
                rest = min(self._due.values(), default=now + 60) - time.monotonic()
            self._wake.wait(max(0.05, min(rest, 60)))
            self._wake.clear()

    def _renew(self, due: Mapping[LeaseName, float]) -> None:
        asked = time.monotonic()  # the store counts from when it heard of it, which is no earlier
        try:
            lost = self._store.renew(due)
        except StoreError as err:
            if isinstance(err, Refused) and len(due) > 1:  # perhaps one of them: the others must not end with it
                for name, at in due.items():
                    self._renew({name: at})
            else:
                self._failed(due, err)
            return
        self._failing -= due.keys()
        with self._lock:
            # The answer says nothing of a lease that was forgotten, or granted afresh, while it was under way.
            for name in [name for name, at in due.items() if self._due.get(name) == at]:
                if name in lost:
                    del self._due[name]
                    self._renewed.pop(name, None)
                    self._ensured.discard(name)
                    self._lost.add(name)
                else:
                    self._due[name], self._renewed[name] = _next(name), asked

    def _failed(self, due: Mapping[LeaseName, float], err: StoreError) -> None:
        if self._ended:
            return  # its store was closed
        if not due.keys() <= self._failing:
            self._failing |= due.keys()
            self._tell(err)
        with self._lock:
            self._due.update((name, time.monotonic() + RETRY) for name in due if name in self._due)


def replica_ttl(store: Store) -> int:
    """Seconds that a replica's leadership outlives it."""
    return max(REPLICA_TTL, store.limits.shortest_ttl)


def _next(name: LeaseName) -> float:
    return time.monotonic() + (60.0 if name.ttl == FOR_EVER else name.ttl / 3)
