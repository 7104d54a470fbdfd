"""Where a store is tested: a server, clients of it, an operator's hand, and time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bridge.model.change import (
    Change,
    Check,
    Committed,
    Conflict,
    Create,
    Item,
    LeaseName,
    Reading,
    Transaction,
)
from bridge.stores import open_store
from bridge.stores.base import Store
from bridge.stores.etcd import lease_id
from bridge.stores.memory import Memory, MemoryServer
from tests.servers import ConsulServer, EtcdServer

PATIENCE = 15.0  # seconds that a real server may take for what it does by itself
LASTING = LeaseName("c/a", 600)


class Ground(Protocol):
    """A server and its surroundings. Each test has its own keys and its own leases."""

    prefix: str
    plain_write_detaches: bool  # an operator's write takes the lease off, else the key keeps it
    tells_rest: bool  # how long a lease would live, not only the most

    def client(self) -> Store:
        """Another client of the same server."""

    def write(self, key: str, value: str) -> None:
        """As an operator does it: without comparison, without a lease."""

    def erase(self, key: str) -> None:
        """As an operator does it."""

    def end(self, name: LeaseName) -> None:
        """The lease ends now."""

    def let_pass(self, seconds: float, until: Callable[[], bool]) -> None:
        """Time goes by; what is awaited happens then, or the test fails."""

    def close(self) -> None:
        """All clients are closed."""


class MemoryGround:
    """The store in memory, with a clock that is moved by hand."""

    prefix = "t/"
    plain_write_detaches = True
    tells_rest = True

    def __init__(self) -> None:
        self._now = 0.0
        self._server = MemoryServer(lambda: self._now)

    def client(self) -> Memory:
        """See `Ground`."""
        return Memory(self._server)

    def write(self, key: str, value: str) -> None:
        """See `Ground`."""
        self._server.write(key, value)

    def erase(self, key: str) -> None:
        """See `Ground`."""
        self._server.erase(key)

    def end(self, name: LeaseName) -> None:
        """See `Ground`."""
        self._server.end(name)

    def let_pass(self, seconds: float, until: Callable[[], bool]) -> None:
        """See `Ground`."""
        self._now += seconds
        assert until()

    def close(self) -> None:
        """See `Ground`."""


@dataclass
class EtcdGround:
    """A real etcd, which other tests use too."""

    server: EtcdServer
    prefix: str
    plain_write_detaches = True
    tells_rest = True
    _clients: list[Store] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The store's, with Traefik's prefix."""
        return f"etcd://{self.server.endpoint}/{self.prefix}"

    @property
    def records_root(self) -> str:
        """Below which the leases are named."""
        return f"bridge/{self.prefix}"

    def client(self) -> Store:
        """See `Ground`."""
        self._clients.append(open_store(self.url, records_root=self.records_root))
        return self._clients[-1]

    def write(self, key: str, value: str) -> None:
        """See `Ground`."""
        self.server.put(key, value)

    def erase(self, key: str) -> None:
        """See `Ground`."""
        self.server.delete(key)

    def end(self, name: LeaseName) -> None:
        """See `Ground`."""
        self.server.revoke(lease_id(self.records_root.rstrip("/"), name))

    def let_pass(self, seconds: float, until: Callable[[], bool]) -> None:
        """See `Ground`."""
        eventually(seconds + PATIENCE, until)

    def close(self) -> None:
        """See `Ground`."""
        for client in self._clients:
            client.close()


@dataclass
class ConsulGround:
    """A real Consul, which other tests use too."""

    server: ConsulServer
    prefix: str
    plain_write_detaches = False
    tells_rest = False
    _clients: list[Store] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The store's, with Traefik's prefix."""
        return f"consul://{self.server.endpoint}/{self.prefix}"

    @property
    def records_root(self) -> str:
        """Below which the leases are named."""
        return f"bridge/{self.prefix}".rstrip("/")

    def client(self) -> Store:
        """See `Ground`."""
        self._clients.append(open_store(self.url, records_root=self.records_root))
        return self._clients[-1]

    def write(self, key: str, value: str) -> None:
        """See `Ground`."""
        self.server.put(key, value)

    def erase(self, key: str) -> None:
        """See `Ground`."""
        self.server.delete(key)

    def end(self, name: LeaseName) -> None:
        """See `Ground`."""
        self.server.end(f"{self.records_root}/{name}")

    def let_pass(self, seconds: float, until: Callable[[], bool]) -> None:
        """See `Ground`."""
        eventually(seconds + PATIENCE, until)

    def close(self) -> None:
        """See `Ground`."""
        for client in self._clients:
            client.close()


def eventually(within: float, until: Callable[[], bool]) -> None:
    """What is awaited happens within so many seconds, or the test fails."""
    deadline = time.monotonic() + within
    while not until():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def commit(store: Store, *changes: Change, checks: tuple[Check, ...] = ()) -> Reading | None:
    """The committed reading; None: a conflict."""
    answer = store.commit(Transaction(checks, changes))
    assert isinstance(answer, Committed | Conflict)
    return answer.reading if isinstance(answer, Committed) else None


def create(store: Store, key: str, value: str = "v", lease: LeaseName = LASTING) -> Item:
    """A key that stands now."""
    reading = commit(store, Create(key, value, lease))
    assert reading is not None, f"{key} stood already"
    item = reading.items[key]
    assert item is not None
    return item


def standing(store: Store, prefix: str) -> dict[str, Item]:
    """What stands below the prefix, by the rest of the key."""
    return {key.removeprefix(prefix): item for key, item in store.read(prefix).items.items() if item is not None}
