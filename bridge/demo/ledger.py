"""What stands in the store: each write is accounted for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from bridge.demo.stage import PREFIX, Stage
from bridge.demo.tell import number
from bridge.demo.world import World
from bridge.model.change import Item, Reading
from bridge.model.keys import records_prefix
from bridge.ownership.records import cluster_family, leader_path, read_leader
from bridge.stores import open_store
from bridge.stores.base import Store

CLUSTER = "default"
RECORDS = records_prefix(PREFIX)
LEADER = RECORDS + leader_path(CLUSTER)
NOTHING = Reading("", 0, {}, whole=True)


@dataclass(frozen=True, slots=True)
class Tree:
    """What one Traefik reads."""

    layout: str  # as --layout names it, with its prefix where it has one of its own
    prefix: str  # how its keys begin, with the closing slash

    def keys(self, seen: Reading) -> dict[str, Item]:
        """Its keys, by path below the prefix."""
        items = seen.items.items()
        return {key.removeprefix(self.prefix): item for key, item in items if item and key.startswith(self.prefix)}


TRAEFIK3 = Tree("traefik3", f"{PREFIX}/")
TRAEFIK1 = Tree("traefik1=v1/traefik", "/v1/traefik/")


@dataclass(slots=True)
class Ledger:
    """Up to `last` each write is accounted for. What raises, raises BridgeError."""

    stage: Stage
    trees: tuple[Tree, ...] = (TRAEFIK3,)  # that are published
    last: Reading = NOTHING

    @property
    def layouts(self) -> str:
        """As --layout names them."""
        return ",".join(tree.layout for tree in self.trees)

    def published(self, tree: Tree, world: World) -> dict[str, Item]:
        """The keys of a tree that comes to show the world: all written in one transaction, and no other tree's."""
        now = self.until(lambda seen: _shows(tree, seen, self._urls(world)), "the world is published")
        keys = tree.keys(now)
        at = {item.revision for item in keys.values()}
        self.stage.check(len(at) == 1, f"Traefik's keys were written at {number(len(at), 'revision')}, not at one")
        others = tuple(other.prefix for other in self.trees if other != tree)
        strange = {key for key in _moved(self.last, now) if key.startswith(others)}
        self.stage.check(not strange, f"written without a reason: {named(strange)}")
        self.last = now
        return keys

    def account_for(self, old: World, world: World) -> str:
        """What the store needed to show `world`: a transaction a tree, and nothing without a reason."""
        urls, expected = self._urls(world), len(self.trees)
        now = self.until(lambda seen: all(_shows(tree, seen, urls) for tree in self.trees), "the change is in etcd")
        transactions = now.revision - self.last.revision
        otherwise = f"{transactions} transactions instead of {expected} wrote {self._written(now)}"
        self.stage.check(transactions == expected, otherwise)
        moved, parts = _moved(self.last, now), old.parts_that_differ(world)
        strange = {key for key in moved if not any(part in key for part in parts)}
        self.stage.check(not strange, f"written without a reason: {named(strange)}")
        prefixes = tuple(tree.prefix for tree in self.trees)
        keys = sum(key.startswith(prefixes) for key in moved)
        untouched = sum(key.startswith(prefixes) for key in self.last.items.keys() - moved)
        self.last = now
        return f"{keys} keys in {number(expected, 'transaction')}, {untouched} untouched"

    def only_leader_changes(self, replica: str, is_new: Callable[[Reading], bool]) -> str:
        """A replica comes to lead, and no other key or record changes."""
        now = self.until(lambda seen: _leader(seen) == replica and is_new(seen), f"replica {replica} leads")
        self.stage.check(_moved(self.last, now) == {LEADER}, f"it wrote {self._written(now)}")
        keys = sum(len(tree.keys(now)) for tree in self.trees)
        self.last = now
        return f"{replica} leads; of {keys} keys none was written, of the records the leader's"

    def nothing_written(self) -> str:
        """Nobody wrote anything since the last account."""
        now = self.look()
        self.stage.check(now.revision == self.last.revision, f"somebody wrote {self._written(now)}")
        return f"nothing was written: etcd's revision was {self.last.revision} and is {now.revision}"

    def marks(self, before: Reading) -> dict[str, str]:
        """What became of Traefik 3's keys since `before`, by path: + - or ~."""
        now, prefix = self.last, TRAEFIK3.prefix
        return {
            key.removeprefix(prefix): "+" if key not in before.items else "-" if key not in now.items else "~"
            for key in _moved(before, now)
            if key.startswith(prefix)
        }

    def lease_left(self) -> float:
        """Seconds that the servers' lease would live on by itself."""
        leases = {item.lease for path, item in TRAEFIK3.keys(self.last).items() if "/servers/" in path}
        with self._store() as store:
            left = [store.remaining(lease) for lease in leases if lease is not None]
        self.stage.check(len(left) == 1 and left[0] is not None, "the servers are not on one living lease")
        return left[0] or 0.0

    def comes(self, happens: Callable[[dict[str, Item]], bool], what: str, may_move: str) -> str:
        """Something happens to Traefik 3's keys, and to none that has not `may_move` in its path."""
        now = self.until(lambda seen: happens(TRAEFIK3.keys(seen)), what)
        before, after = TRAEFIK3.keys(self.last), TRAEFIK3.keys(now)
        moved = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        strange = {path for path in moved if may_move not in path}
        self.stage.check(not strange, f"written without a reason: {named(strange)}")
        self.last = now
        return f"{number(len(moved), 'key')} of Traefik's, {len(before.keys() - moved)} untouched"

    # Looking

    def look(self) -> Reading:
        """All that stands in etcd, at one revision."""
        with self._store() as store:
            return store.read("")

    def until(self, happens: Callable[[Reading], bool], what: str) -> Reading:
        """The first reading in which it has happened."""
        with self._store() as store:

            def seen() -> Reading | None:
                reading = store.read("")
                return reading if happens(reading) else None

            return self.stage.wait(seen, what)

    @contextmanager
    def _store(self) -> Iterator[Store]:
        """A client of its own each time: one from before etcd was killed would be slow to see it again."""
        with closing(open_store(self.stage.url, records_root=RECORDS)) as store:
            store.know([cluster_family(CLUSTER)])
            yield store

    def _urls(self, world: World) -> frozenset[str]:
        return world.urls(self.stage.containers.ports)

    def _written(self, now: Reading) -> str:
        return named(_moved(self.last, now))


def named(keys: Collection[str]) -> str:
    """Keys for a message."""
    return ", ".join(sorted(keys)) or "nothing that still stands"


def _shows(tree: Tree, seen: Reading, urls: frozenset[str]) -> bool:
    """Whether requests go where they shall."""
    return {item.value for path, item in tree.keys(seen).items() if path.endswith("/url")} == urls


def _leader(seen: Reading) -> str:
    """The replica that leads where Traefik 3 reads."""
    record = seen.items.get(LEADER)
    leader = read_leader(record.value) if record else None
    return leader.name if leader else ""


def _moved(before: Reading, now: Reading) -> set[str]:
    """The keys that came, went, or were written, were it with the same value."""
    keys = before.items.keys() | now.items.keys()
    return {key for key in keys if before.items.get(key) != now.items.get(key)}
