"""A Traefik 1.7 that reads beside a working daemon sees halves, and yet fails no request for a service that is well.

The reader is the model that recordings of the real one confirm (tests/golden_reader), on the real store: it lists
names, then asks for each value, and rests now and then, most in each reading where a half of one service hurts most:
between the names of its servers and their values, and between what opens its frontend and its rule. It reads without
end, so a reading begins at any moment of the daemon's work; the real one reads only when something changed.

What is promised holds for readings that are shorter than the daemon's read-time. So that is set to READ_TIME, a
reading's rests are shorter than half of it together, and one that lasted longer nevertheless, on a machine that is
busy, is not believed and not counted.

No label protects a route yet: nothing is tried of protection.
"""

from __future__ import annotations

import copy
import http.client
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest

from bridge.model.change import Item
from tests.golden_reader import Configuration, Raw, Store, configure, requests
from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ConsulServer, EtcdServer
from tests.test_run_etcd import Fleet, Process, World, eventually, servers
from tests.worlds.generate import Object, encode, stacks

SEED = 1
READERS = 2
LASTS = 14.0  # seconds of work
READ_TIME = 2.0  # seconds that the daemon lets pass between two steps
RESTS = 0.8  # seconds, at most, that one reading rests
OVERLAPPED = 15  # readings, at least, in whose middle something of Traefik's was committed

STEADY, BUSY, MOVES, GUEST = SERVICES = range(4)
ALWAYS_WELL = (STEADY, BUSY, MOVES)
ADDRESSES = ("10.43.0.1", "10.43.0.2")  # of the service that moves

_numbers = itertools.count(1)


@dataclass
class Questions:
    """The two questions that a reader asks the store, each a request of its own."""

    names: Callable[[str], Collection[str]]  # the keys that begin so
    value: Callable[[str], str | None]
    close: Callable[[], None]


def ask_etcd(publication: Publication) -> Questions:
    client = publication.client()

    def value(key: str) -> str | None:
        found = client.read(key).items.get(key)
        return found.value if found else None

    return Questions(lambda beginning: client.read(beginning).items, value, client.close)


def ask_consul(server: ConsulServer) -> Questions:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)

    def get(path: str) -> bytes | None:
        connection.request("GET", f"/v1/kv/{path}")
        answer = connection.getresponse()
        body = answer.read()
        return body if answer.status == 200 else None

    def value(key: str) -> str | None:
        found = get(f"{key}?raw")
        return None if found is None else found.decode()

    return Questions(lambda beginning: json.loads(get(f"{beginning}?keys") or b"[]"), value, connection.close)


@dataclass
class Town:
    """What there is, and what happens to it by chance."""

    world: World
    chance: Random
    away_until: float = 0.0  # on the monotonic clock: the guest does not come back before

    def __post_init__(self) -> None:
        self.world.stacks = stacks(len(SERVICES), 3)
        # External, and one address at a time: nobody knows whether the old one still lives.
        self.service(MOVES).update(kind="externalService", external_ips=[ADDRESSES[0]], containers=None)
        # Were it ever without its rule, it would take the requests of all.
        self.labels(GUEST)["traefik.priority"] = "1000"
        self.world.write()
        self.whole = copy.deepcopy(self.world.stacks)

    def service(self, number: int) -> Object:
        return _services(self.world.stacks)[number]

    def labels(self, number: int) -> Object:
        found = self.service(number)["labels"]
        assert isinstance(found, dict)
        return found

    def happen(self) -> str:
        """One thing, and its name."""
        what = self.chance.choice((self.flip, self.scale, self.relabel, self.move, self.move, self.guest))
        what()
        self.world.write()
        return what.__name__

    def flip(self) -> None:
        """All but the first container of a service fall ill or recover by chance."""
        for container in self.world.containers(BUSY)[1:]:
            container["health_state"] = self.chance.choice(("healthy", "unhealthy"))

    def scale(self) -> None:
        """To one, two or three containers; the first stays."""
        whole = copy.deepcopy(_services(self.whole)[BUSY]["containers"])
        assert isinstance(whole, list)
        self.service(BUSY)["containers"] = whole[: self.chance.randint(1, 3)]

    def relabel(self) -> None:
        """Another rule, in which the first hosts stay; another weight and another method."""
        labels = self.labels(BUSY)
        labels["traefik.alias"] = self.chance.choice(("alias-1", "another", "one,two"))
        labels["traefik.weight"] = self.chance.choice(("1", "5"))
        labels["traefik.backend.loadbalancer.method"] = self.chance.choice(("wrr", "drr"))

    def move(self) -> None:
        """The external service's one address becomes another."""
        addresses = self.service(MOVES)["external_ips"]
        assert isinstance(addresses, list)
        self.service(MOVES)["external_ips"] = [one for one in ADDRESSES if one not in addresses]

    def guest(self) -> None:
        """A service comes or goes; now and then it stays away for long enough to be cleared."""
        found = self.world.stacks[0]["services"]
        assert isinstance(found, list)
        if len(found) > GUEST:
            found.pop()
            self.away_until = time.monotonic() + self.chance.choice((0.0, 1.5 * READ_TIME))
        elif time.monotonic() > self.away_until:
            found.append(copy.deepcopy(_services(self.whole)[GUEST]))

    def healthy(self, number: int) -> frozenset[str]:
        """The servers that shall stand now."""
        if number == MOVES:
            addresses = self.service(MOVES)["external_ips"]
            assert isinstance(addresses, list)
            return frozenset(f"http://{address}:8080" for address in addresses)
        containers = self.world.containers(number)
        return frozenset(_url(one) for one in containers if one["health_state"] == "healthy")


def _services(world: list[Object]) -> list[Object]:
    found = world[0]["services"]
    assert isinstance(found, list)
    return found  # type: ignore[return-value]


def _url(container: Object) -> str:
    return f"http://{container['primary_ip']}:8080"


@dataclass
class Reader:
    """One Traefik, and what it would have answered."""

    publication: Publishing
    kind: Store
    questions: Questions
    chance: Random
    own: list[frozenset[str]]  # each service's servers, whether they are well or not
    seen: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0  # seconds that a reading lasted, of those that count
    faults: list[str] = field(default_factory=list)
    last: Configuration = field(default_factory=lambda: Configuration({}, {}))
    ended: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.thread = Thread(target=self._read_on, name="traefik", daemon=True)

    def stop(self) -> None:
        self.ended.set()
        self.thread.join(30)
        assert not self.thread.is_alive()

    def _read_on(self) -> None:
        try:
            while not self.ended.is_set():
                self.read()
        except Exception as err:  # told by the test, which alone can fail
            self.faults.append(repr(err))

    def read(self) -> None:
        """One reading, and then all requests."""
        self._victim = f"/web-{self.chance.choice((MOVES, GUEST, *SERVICES))}__"
        before, began, self._left = self._standing(), time.monotonic(), RESTS
        raw = self._raw()
        lasted, after = time.monotonic() - began, self._standing()
        if lasted > READ_TIME * 0.9:
            self.seen["too slow to be promised anything"] += 1
            return
        self.longest = max(self.longest, lasted)
        self.seen["readings"] += 1
        self.seen["overlapped"] += before != after
        found = configure(raw)
        if isinstance(found, Configuration):
            self.last = found
            self.faults += self._request(found)
        else:
            self.faults.append(f"the tree is {found.verdict}: {found.reason}")

    def _raw(self) -> Raw:
        reading = requests(self._names, self._value, self.publication.tree, self.kind)
        while True:
            try:
                next(reading)
            except StopIteration as end:
                raw: Raw = end.value
                return raw

    def _standing(self) -> dict[str, Item]:
        return self.publication.held(self.publication.tree)

    def _names(self, beginning: str) -> Collection[str]:
        found = self.questions.names(beginning)
        self._rest(beginning)
        return found

    def _value(self, key: str) -> str | None:
        found = self.questions.value(key)
        self._rest(key)
        return found

    def _rest(self, behind: str) -> None:
        hurts = self._victim in behind and behind.endswith(("/servers/", "/backend"))
        if hurts or self.chance.random() < 0.01:
            rest = min(self._left, self.chance.uniform(0.2, 0.4))
            self._left -= rest
            time.sleep(rest)

    def _request(self, found: Configuration) -> Iterator[str]:
        """What goes wrong."""
        for number, own in enumerate(self.own):
            answer = found.answer(f"web-{number}.stack-0.local", "/")
            self.seen["requests"] += 1
            if not answer.servers <= own:
                yield f"web-{number} is answered by {sorted(answer.servers - own)}"
            if number in ALWAYS_WELL and (answer.status != 200 or not answer.servers):
                yield f"web-{number} gets {answer.status} from {answer.frontend}"
        answer = found.answer("nobody.local", "/")
        if answer.servers:
            yield f"an unknown host is answered by {answer.frontend}"


@dataclass
class Place:
    """Where it happens, and how a Traefik asks there."""

    publication: Publishing
    kind: Store
    ask: Callable[[], Questions]


@pytest.fixture(params=["etcd", "consul"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    server: EtcdServer | ConsulServer = request.getfixturevalue(f"{request.param}_server")
    prefix = f"halves{next(_numbers)}"
    if isinstance(server, EtcdServer):
        on_etcd = Publication(server, prefix)
        yield Place(on_etcd, Store.ETCD, lambda: ask_etcd(on_etcd))
        on_etcd.close()
    else:
        on_consul = ConsulPublication(server, prefix)
        yield Place(on_consul, Store.CONSUL, lambda: ask_consul(server))
        on_consul.close()


def the_other_world(path: Path) -> World:
    """Another cluster's: the first service only, with containers of its own."""
    world = World(path, stacks(1, 2, seed=9))
    path.write_bytes(encode(world.stacks).replace(b'"10.42.', b'"10.99.'))
    world.stacks = json.loads(path.read_bytes())
    return world


def test_no_reading_fails_a_request_for_a_service_that_is_well(place: Place, tmp_path: Path) -> None:
    """Nor brings a request to another service's server, or one for an unknown host to any."""
    publication = place.publication
    town = Town(World(tmp_path / "world.json"), Random(f"town {SEED}"))
    other = the_other_world(tmp_path / "other.json")
    own = [town.healthy(number) for number in SERVICES]
    own[MOVES] = frozenset(f"http://{address}:8080" for address in ADDRESSES)
    own[STEADY] |= frozenset(map(_url, other.containers(0)))
    with ExitStack() as stack:
        fleet = Fleet(publication, town.world, stack)
        process = start(fleet)
        eventually(lambda: len(servers(publication)) == 3 * 3 + 1, process)
        readers = []
        for number in range(READERS):
            questions = place.ask()
            stack.callback(questions.close)
            readers.append(Reader(publication, place.kind, questions, Random(f"reader {number} {SEED}"), own))
            readers[-1].thread.start()
            stack.callback(readers[-1].stop)
        done = work(fleet, town, process, other)
        eventually(lambda: stands(publication, town))
        for reader in readers:
            reader.stop()
            reader.read()
            print(f"seed {SEED}: {dict(done)}; {dict(reader.seen)}; the longest reading: {reader.longest:.2f} s")
    faults = [fault for reader in readers for fault in reader.faults]
    assert faults == []
    for reader in readers:
        for number in ALWAYS_WELL:
            assert reader.last.answer(f"web-{number}.stack-0.local", "/").servers == town.healthy(number)
    assert sum(reader.seen["overlapped"] for reader in readers) >= OVERLAPPED


def start(fleet: Fleet, replica: str = "a", *options: str) -> Process:
    return fleet.start(replica, "--read-time", str(READ_TIME), *options)


def work(fleet: Fleet, town: Town, process: Process, other: World) -> Counter[str]:
    """What happened. The daemon is killed and started again, and another cluster comes and goes, twice each."""
    done: Counter[str] = Counter()
    began = time.monotonic()
    guest: Process | None = None
    for at in (0.2, 0.35, 0.5, 0.65, 0.8, 1.0):
        while time.monotonic() < began + at * LASTS:
            done[town.happen()] += 1
            time.sleep(town.chance.uniform(0.0, 0.2))
        if at in (0.35, 0.8):
            process.end(signal.SIGKILL)
            process = start(fleet)
        elif guest is None:
            options = ("--cluster", "other", "--source", f"file:{other.path}", "--leave-on-exit")
            guest = start(fleet, "b", *options)
        else:
            guest.popen.send_signal(signal.SIGTERM)
            guest = None
    if guest is not None:
        guest.end()
    return done


def stands(publication: Publishing, town: Town) -> bool:
    """Whether the store holds the servers of this world, and no others."""
    wanted = {url for number in range(len(_services(town.world.stacks))) for url in town.healthy(number)}
    published = publication.published()
    return {published[path] for path in published if path.endswith("/url")} == wanted
