"""What every store can do, in a store's own words, and how it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from bridge.model.change import Committed, Conflict, LeaseName, Limits, Reading, Transaction
from bridge.model.problem import BridgeError


class StoreError(BridgeError):
    """The store failed, or refused. `value` is the store's URL, without secrets."""


class Unavailable(StoreError):
    """The store did not answer, or not in time. Nothing was written."""


class OutcomeUnknown(Unavailable):
    """A commit was sent and not answered: it may have happened. Read before planning again."""


class Refused(StoreError):
    """The store answered no: credentials, rights, or a request that it will never take."""


class LeaseLost(StoreError):
    """A lease that a change is attached to does not live any more. Nothing was written."""


class Store(Protocol):
    """A key-value store. Raises `StoreError`s, nothing of its client's. One may be used by several threads."""

    limits: Limits
    url: str  # for messages: without user and password

    def know(self, families: Iterable[str]) -> None:
        """Recognise the leases of these families from now on; other leases read as family `?<id>`, TTL 0.

        `ensure` knows the family of its lease.
        """

    def read(self, prefix: str) -> Reading:
        """All keys that begin with `prefix`, at one revision, not older than any write that was answered."""

    def watch(self, prefix: str, after: int) -> Iterator[Reading]:
        """News of a prefix behind revision `after`, as they come.

        Each is what one or more revisions changed, deletions as None, or all that stands, where the store tells no
        less. At least every 30 s one comes, an empty one where nothing happened: longer silence is a fault. Ends when
        the store is closed, also by another thread. Raises Unavailable when it broke off, or when what was changed
        since `after` is not known any more: read afresh, and watch from there.
        """

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        """Send it once. Every lease that it names must have been ensured by this store object.

        The answer's reading has prefix "" and names each changed key. Changes nothing where it raises, except
        OutcomeUnknown. A lease that does not live is a conflict where a comparison fails too, else LeaseLost.
        """

    def ensure(self, name: LeaseName) -> None:
        """Grant the lease, or adopt and renew the living one of this name."""

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        """Renew these leases; answers those that do not live any more. Grants none."""

    def remaining(self, name: LeaseName) -> float | None:
        """Seconds that the lease would live without renewal, inf for ever; None where it does not live.

        Where the store does not tell them, the most that they can be.
        """

    def close(self) -> None:
        """Give back connections and threads. Calls from then on raise Unavailable."""
