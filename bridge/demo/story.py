"""What the demonstration shows, step by step. Every figure is measured while it runs, and every claim is checked."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bridge.demo.children import Child, Children
from bridge.demo.etcd import Etcd, start_again, start_etcd
from bridge.demo.metadata import FAULTS, Metadata
from bridge.demo.tell import INDENT, changes, number, quote, result, route, say, title, tree
from bridge.demo.world import PORTS, STACK, World, labels
from bridge.model.change import Item, Reading
from bridge.model.keys import STANDING, records_prefix
from bridge.model.problem import BridgeError
from bridge.ownership.records import cluster_family, leader_path, read_leader
from bridge.stores import open_store
from bridge.stores.base import Store

PREFIX, CLUSTER = "traefik", "default"
TREE, RECORDS = f"/{PREFIX}/", records_prefix(PREFIX)
LEADER = RECORDS + leader_path(CLUSTER)
PATIENCE = 30.0  # seconds for whatever shall happen; a machine that is busy with other things too
LOOK = 0.01  # seconds between two looks at the store: how exact the times are

T = TypeVar("T")
NOTHING = Reading("", 0, {}, whole=True)
_MOMENT = re.compile(r"^\S+ \S+ [A-Z]+ ")  # before what a line of the log says

SERVICE, SICK = "web-test", "web-test-2"
THREE = World(frozenset({"web-test-1", "web-test-2", "web-test-3"}))
FLIPPED = World(THREE.running, frozenset({SICK}))
FIVE = World(THREE.running | {"web-test-4", "web-test-5"})
TWO_SERVICES = World(FIVE.running | {"api-1", "api-2"})
SICK_AGAIN = World(TWO_SERVICES.running, frozenset({SICK}))
SCALED_BACK = World(THREE.running | {"api-1", "api-2"})


@dataclass(slots=True)
class Stage:
    """What the story plays on."""

    children: Children
    metadata: Metadata
    etcd: Etcd
    etcd_took: float  # seconds from its start to its first answer

    @property
    def url(self) -> str:
        """The store's, with Traefik's prefix."""
        return f"etcd://{self.etcd.endpoint}/{PREFIX}"

    def variables(self) -> dict[str, str]:
        """What the bridges are told. The last two are less than usual, so that nobody has to wait for long."""
        return {
            "BRIDGE_SOURCE": self.metadata.url,
            "BRIDGE_STORE": self.url,
            "BRIDGE_CONFIRM": "1",
            "BRIDGE_READ_TIME": "2",
        }


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A real etcd and a metadata service that shows the first world. Raises BridgeError."""
    with Metadata(THREE.document()) as metadata, Children(folder) as children:
        began = time.monotonic()
        etcd = start_etcd(children)
        yield Stage(children, metadata, etcd, time.monotonic() - began)


@dataclass(slots=True)
class Story:
    """The steps in the order in which they are told. Each raises BridgeError where something is not as it says."""

    stage: Stage
    world: World = THREE
    step: int = 0
    bridges: dict[str, Child] = field(default_factory=dict)  # that shall run, by replica
    last: Reading = NOTHING  # up to which each write is accounted for

    def tell(self) -> None:
        """From the first key to the last."""
        say("Healthy, labelled Rancher services become the keys that Traefik 1.7 reads:")
        self.introduce()
        self.publish()
        self.flip()
        self.flip_back()
        self.scale()
        self.kill_and_restart()
        self.follow()
        self.take_over()
        self.restart_etcd()
        self.fail_metadata()
        self.leave()

    # The steps

    def introduce(self) -> None:
        """What plays along."""
        self._title("A real etcd and a Rancher world, for this demonstration only")
        result(f"etcd {self.stage.etcd.version} listens on {self.stage.etcd.endpoint}", self.stage.etcd_took)
        result(f"stack {STACK}, service {SERVICE}: {len(THREE.running)} healthy containers on port {PORTS[SERVICE]}")
        result("  ".join(f"{name}={value}" for name, value in labels(SERVICE).items()))
        say("", *(f"{INDENT}export {name}={value}" for name, value in self.stage.variables().items()))

    def publish(self) -> None:
        """The first world."""
        began = time.monotonic()
        self._title("The bridge publishes it", self._start("a"))
        self.last = self._until(self._shows_world, "the world is published")
        seconds = time.monotonic() - began
        keys = _tree(self.last)
        at = {item.revision for item in keys.values()}
        self._check(len(at) == 1, f"Traefik's keys were written at {number(len(at), 'revision')}, not at one")
        result(f"{len(keys)} keys in 1 transaction, which stand below {TREE}", seconds)
        values = {path: item.value for path, item in sorted(keys.items()) if path.split("/")[1] != STANDING}
        say("", *tree(TREE, values), "")
        urls = [value for path, value in values.items() if path.endswith("/url")]
        for rule in (value for path, value in values.items() if path.endswith("/rule")):
            say(*route(rule, urls), "")
        result(f"The {len(keys) - len(values)} others are the backstop, which answers unknown hosts with 503.")

    def flip(self) -> None:
        """A server goes."""
        self._title(f"{SICK} turns unhealthy")
        before = self.last
        self._change_world("its server is gone", FLIPPED)
        say(*changes(_marks(before, self.last)))
        self._quote("a", "removals wait for a second reading")

    def flip_back(self) -> None:
        """And comes back."""
        self._title(f"{SICK} is healthy again")
        before = self.last
        self._change_world("its server is back", THREE)
        say(*changes(_marks(before, self.last)))

    def scale(self) -> None:
        """Two more."""
        self._title(f"{SERVICE} is scaled from {len(THREE.running)} to {len(FIVE.running)}")
        self._change_world(f"{len(FIVE.urls())} servers", FIVE)

    def kill_and_restart(self) -> None:
        """Nothing may change but the leader's record."""
        self.bridges.pop("a").end(signal.SIGKILL)
        led = self.last.items[LEADER]
        began = time.monotonic()
        self._title("kill -9, and started again", self._start("a"))
        result(f"its keys are on a lease that would have ended in {self._lease_left():.0f} s")
        self._only_leader_changes("a", lambda seen: seen.items.get(LEADER) != led, began)
        self._change_world("service api is deployed", TWO_SERVICES)

    def follow(self) -> None:
        """A second replica."""
        began = time.monotonic()
        self._title("A second replica starts", self._start("b"))
        self._quote("b", "follows: replica a leads")
        result(self._nothing_written(), time.monotonic() - began)

    def take_over(self) -> None:
        """The leader ends in order."""
        self._title("SIGTERM ends the leader")
        began = time.monotonic()
        self._end("a")
        result("replica a has ended in order", time.monotonic() - began)
        self._only_leader_changes("b", lambda _: True, began)
        self._change_world(f"{SICK} turns unhealthy", SICK_AGAIN)

    def restart_etcd(self) -> None:
        """The world changes while etcd is away."""
        self._title(f"etcd is killed and started again; meanwhile {SICK} recovers")
        (replica,) = self.bridges
        self.stage.etcd.kill()
        self._hear(replica, "WARNING store:")
        old, self.world = self.world, TWO_SERVICES
        self.stage.metadata.show(self.world.document())
        began = time.monotonic()
        self.stage.etcd = start_again(self.stage.children, self.stage.etcd)
        seconds = time.monotonic() - began
        lost = self.last.items.keys() - self._look().items.keys()
        self._check(not lost, f"etcd has lost {_named(lost)}")
        result(f"etcd is back, of {len(self.last.items)} keys and records {len(lost)} are lost", seconds)
        self._account_for("the change came through", old, began + seconds)

    def fail_metadata(self) -> None:
        """What is no world changes nothing."""
        self._title("The metadata service fails")
        (replica,) = self.bridges
        for fault in FAULTS:
            began = time.monotonic()
            self.stage.metadata.fail(fault)
            self._hear(replica, "WARNING source:", 1 + FAULTS.index(fault))
            result(fault.name, time.monotonic() - began)
        result(self._nothing_written())
        self._change_world(f"back, {SERVICE} scaled to 3", SCALED_BACK)

    def leave(self) -> None:
        """The last key."""
        (replica,) = self.bridges
        self._end(replica)
        began = time.monotonic()
        self._title("The bridge goes for good", "bridge leave")
        child = self._start_bridge("leave", ["leave"])
        code = child.wait(PATIENCE)
        self._check(code == 0, f"leave ended with code {code}: {' '.join(child.lines())}")
        for line in child.lines():
            quote(line)
        left = self._look().items
        self._check(not left, f"etcd still holds {_named(left)}")
        result(f"of {len(self.last.items)} keys and records {len(left)} are left", time.monotonic() - began)

    # Bridges

    def _start(self, replica: str) -> str:
        """One more `bridge run`; the command as a user would give it."""
        arguments = ["run", "--replica", replica]
        self.bridges[replica] = self._start_bridge(f"replica {replica}", arguments)
        return " ".join(("bridge", *arguments))

    def _start_bridge(self, name: str, arguments: list[str]) -> Child:
        return self.stage.children.start_bridge(name, arguments, self.stage.variables())

    def _end(self, replica: str) -> None:
        code = self.bridges.pop(replica).end(signal.SIGTERM)
        self._check(code == 0, f"replica {replica} ended with code {code}")

    def _hear(self, replica: str, text: str, times: int = 1) -> str:
        """The line of a bridge's log that says `text` for the so-manieth time, once it is there."""

        def heard() -> str | None:
            said = [line for line in self.bridges[replica].lines() if text in line]
            return said[times - 1] if len(said) >= times else None

        return self._wait(heard, f"replica {replica} says {text!r}")

    def _quote(self, replica: str, text: str) -> None:
        quote(f"{replica}: {_MOMENT.sub('', self._hear(replica, text))}")

    # Claims

    def _change_world(self, text: str, world: World) -> None:
        """The world changes, and the store with it, in one transaction, and in nothing else."""
        old, self.world = self.world, world
        began = time.monotonic()
        self.stage.metadata.show(world.document())
        self._account_for(text, old, began)

    def _account_for(self, text: str, old: World, began: float) -> None:
        now = self._until(self._shows_world, text)
        seconds = time.monotonic() - began
        transactions = now.revision - self.last.revision
        self._check(transactions == 1, f"{transactions} transactions instead of one wrote {self._written(now)}")
        moved, parts = _moved(self.last, now), old.parts_that_differ(self.world)
        strange = {key for key in moved if not any(part in key for part in parts)}
        self._check(not strange, f"written without a reason: {_named(strange)}")
        keys = sum(key.startswith(TREE) for key in moved)
        untouched = len(_tree(self.last).keys() - {key.removeprefix(TREE) for key in moved})
        result(f"{text}: {keys} keys in 1 transaction, {untouched} untouched", seconds)
        self.last = now

    def _only_leader_changes(self, replica: str, is_new: Callable[[Reading], bool], began: float) -> None:
        """A replica comes to lead, and no other key or record changes."""
        now = self._until(lambda seen: _leader(seen) == replica and is_new(seen), f"replica {replica} leads")
        seconds = time.monotonic() - began
        self._check(_moved(self.last, now) == {LEADER}, f"it wrote {self._written(now)}")
        result(f"{replica} leads; of {len(_tree(now))} keys none was written, of the records the leader's", seconds)
        self.last = now

    def _nothing_written(self) -> str:
        now = self._look()
        self._check(now.revision == self.last.revision, f"somebody wrote {self._written(now)}")
        return f"nothing was written: etcd's revision was {self.last.revision} and is {now.revision}"

    def _check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise self._fault(f"{otherwise}; this is a fault of the bridge, please report it")

    def _fault(self, text: str) -> BridgeError:
        return BridgeError(f"step {self.step} of the demonstration", "", text)

    # Looking

    @contextmanager
    def _store(self) -> Iterator[Store]:
        """A client of its own each time: one from before etcd was killed would be slow to see it again."""
        with closing(open_store(self.stage.url, records_root=RECORDS)) as store:
            store.know([cluster_family(CLUSTER)])
            yield store

    def _look(self) -> Reading:
        """All that stands in etcd, at one revision."""
        with self._store() as store:
            return store.read("")

    def _until(self, happens: Callable[[Reading], bool], what: str) -> Reading:
        """The first reading in which it has happened."""
        with self._store() as store:

            def seen() -> Reading | None:
                reading = store.read("")
                return reading if happens(reading) else None

            return self._wait(seen, what)

    def _wait(self, find: Callable[[], T | None], what: str) -> T:
        """What is found, once it is. Raises BridgeError where it is not, or where a bridge ended by itself."""
        until = time.monotonic() + PATIENCE
        while (found := find()) is None:
            ended = [bridge.name for bridge in self.bridges.values() if bridge.has_ended()]
            if ended:
                raise self._fault(f"{' and '.join(ended)} ended unasked; last was said: {self._last_words()}")
            if time.monotonic() > until:
                raise self._fault(f"{what}: not within {PATIENCE:.0f} s; last was said: {self._last_words()}")
            time.sleep(LOOK)
        return found

    def _last_words(self) -> str:
        return "; ".join(line for bridge in self.bridges.values() for line in bridge.lines()[-1:]) or "nothing"

    def _shows_world(self, seen: Reading) -> bool:
        """Whether requests go where they shall."""
        return {item.value for path, item in _tree(seen).items() if path.endswith("/url")} == self.world.urls()

    def _written(self, now: Reading) -> str:
        return _named(_moved(self.last, now))

    def _lease_left(self) -> float:
        """Seconds that the servers' lease would live on by itself."""
        leases = {item.lease for path, item in _tree(self.last).items() if "/servers/" in path}
        with self._store() as store:
            left = [store.remaining(lease) for lease in leases if lease is not None]
        self._check(len(left) == 1 and left[0] is not None, "the servers are not on one living lease")
        return left[0] or 0.0

    def _title(self, text: str, command: str = "") -> None:
        self.step += 1
        title(self.step, text, command)


def _tree(seen: Reading) -> dict[str, Item]:
    """Traefik's keys, by path."""
    return {key.removeprefix(TREE): item for key, item in seen.items.items() if item and key.startswith(TREE)}


def _leader(seen: Reading) -> str:
    """The replica that leads."""
    record = seen.items.get(LEADER)
    leader = read_leader(record.value) if record else None
    return leader.name if leader else ""


def _moved(before: Reading, now: Reading) -> set[str]:
    """The keys that came, went, or were written, were it with the same value."""
    keys = before.items.keys() | now.items.keys()
    return {key for key in keys if before.items.get(key) != now.items.get(key)}


def _marks(before: Reading, now: Reading) -> dict[str, str]:
    """What became of Traefik's keys that moved, by path."""
    moved = {key for key in _moved(before, now) if key.startswith(TREE)}
    return {
        key.removeprefix(TREE): "+" if key not in before.items else "-" if key not in now.items else "~"
        for key in moved
    }


def _named(keys: Collection[str]) -> str:
    return ", ".join(sorted(keys)) or "nothing that still stands"
