"""Keys change hands on a real etcd and a real Consul, in both layouts: adopt, release, and leave of a dead cluster."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import jsonschema
import pytest

from bridge.cli.naming import means
from bridge.cli.schemas import schema
from bridge.layouts import layout
from bridge.model.change import Committed, Conflict, Item, LeaseName, Transaction
from bridge.model.keys import STANDING, records_prefix
from bridge.ownership.records import FLEET, STANDING_FAMILY, Leader, leader_path, replica_family, write_leader
from bridge.stores import open_store
from bridge.stores.base import Store
from bridge.stores.consul import Consul
from bridge.stores.etcd import Etcd
from tests.commands import Bridge, Ran, silent
from tests.golden_reader import Configuration, configuration
from tests.golden_reader import Store as Kind
from tests.grounds import create
from tests.publishing import ConsulPublication, Publication
from tests.servers import ConsulServer, EtcdServer
from tests.test_run_etcd import ROOT, Process, eventually
from tests.traefik import Answer, WebServer, running_traefik, until
from tests.worlds.generate import Object, encode, stacks

NAME, TITLE, HOST = "web-0__stack-0", "stack-0/web-0", "web-0.stack-0.local"
OTHER = "db__stack-0"  # a service that the source does not ask for
READ_TIME = ("--read-time", "0.2")

Commit = Callable[..., Committed | Conflict]

_numbers = itertools.count(1)
bridge = pytest.fixture(silent)


@dataclass
class Place:
    """A prefix in a real store, and what Traefik reads there."""

    server: EtcdServer | ConsulServer
    kind: str  # etcd or consul
    layout: str
    folder: Path
    prefix: str = field(default_factory=lambda: f"hand{next(_numbers)}/traefik")

    @property
    def url(self) -> str:
        return f"{self.kind}://{self.server.endpoint}/{self.prefix}"

    @property
    def tree(self) -> str:
        return layout(self.layout).tree_prefix(self.prefix, self.kind)

    @property
    def records(self) -> str:
        return records_prefix(self.prefix)

    def told(self, *clusters: str) -> tuple[str, ...]:
        """The options of every command here."""
        return ("--store", self.url, "--layout", self.layout, *READ_TIME, *clusters)

    def world(self, port: int = 8080, containers: int = 1) -> tuple[str, ...]:
        """The option for a source of one service, whose containers listen on this machine."""
        world = stacks(1, containers)
        for thing in _things(world):
            labels = thing["labels"]
            assert isinstance(labels, dict)
            labels["traefik.port"] = str(port)
            labels["traefik.domain"] = "local"
            labels.pop("traefik.alias")
            if containers == 1 and "primary_ip" in thing:
                thing["primary_ip"], thing["ips"] = "127.0.0.1", ["127.0.0.1"]
        path = self.folder / f"world-{port}-{containers}.json"
        path.write_bytes(encode(world))
        return ("--source", f"file:{path}")

    def client(self, *clusters: str) -> Store:
        found = open_store(self.url, records_root=self.records)
        found.know((FLEET, STANDING_FAMILY, *(f"c/{cluster}" for cluster in (*clusters, "default", "berlin"))))
        return found

    def items(self) -> dict[str, Item]:
        """Traefik's keys, by path."""
        return self._below(self.tree)

    def values(self) -> dict[str, str]:
        return {path: item.value for path, item in self.items().items()}

    def recorded(self) -> dict[str, Item]:
        return self._below(self.records)

    def everything(self) -> tuple[dict[str, Item], dict[str, Item]]:
        return self.items(), self.recorded()

    def _below(self, prefix: str) -> dict[str, Item]:
        with closing(self.client()) as client:
            found = client.read(prefix).items
        return {key.removeprefix(prefix): item for key, item in found.items() if item}

    def write(self, keys: Mapping[str, str]) -> None:
        """By an operator's hand, or as a writer that knows no lease."""
        for path, value in keys.items():
            self.server.put(self.tree + path, value)

    def old(self, port: int, name: str = NAME, host: str = HOST) -> dict[str, str]:
        """A tree of one service with one server, as it was written before the bridge came."""
        url = f"http://127.0.0.1:{port}"
        if self.layout == "traefik1":  # as rancher-traefik's template has it
            return {
                f"backends/{name}/circuitbreaker/expression": "NetworkErrorRatio() > 0.5",
                f"backends/{name}/loadbalancer/method": "drr",
                f"backends/{name}/servers/stack-0-web-0-1/url": url,
                f"backends/{name}/servers/stack-0-web-0-1/weight": "5",
                f"frontends/{name}/backend": name,
                f"frontends/{name}/passhostheader": "true",
                f"frontends/{name}/priority": "5",
                f"frontends/{name}/routes/service/rule": f"Host:{host};",
            }
        return {
            f"http/routers/{name}/rule": f"Host(`{host}`)",
            f"http/routers/{name}/service": name,
            f"http/routers/{name}/priority": "50",
            f"http/services/{name}/loadBalancer/servers/0/url": url,
        }

    def opening(self, name: str = NAME) -> str:
        """The path of the key that opens the service."""
        return f"frontends/{name}/backend" if self.layout == "traefik1" else f"http/routers/{name}/service"

    def surplus(self) -> str:
        """One of the old keys that the source does not ask for, and that freezes nothing."""
        if self.layout == "traefik1":
            return f"frontends/{NAME}/priority"
        return f"http/services/{NAME}/loadBalancer/servers/0/url"


def _things(world: list[Object]) -> Iterator[Object]:
    """Services and containers."""
    for stack in world:
        services = stack["services"]
        assert isinstance(services, list)
        for service in services:
            assert isinstance(service, dict)
            yield service
            containers = service["containers"]
            assert isinstance(containers, list)
            yield from (one for one in containers if isinstance(one, dict))


@pytest.fixture(params=["etcd", "consul"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["traefik1", "traefik3"])
def place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    server = request.getfixturevalue(f"{kind}_server")
    return Place(server, kind, request.param, tmp_path)


@pytest.fixture
def place1(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """For what does not hang on the layout."""
    return Place(request.getfixturevalue(f"{kind}_server"), kind, "traefik1", tmp_path)


def fits(ran: Ran, name: str) -> dict[str, object]:
    """What a command printed as JSON, which is as its schema says."""
    jsonschema.validate(ran.json, schema(name))
    return ran.json


def fates(ran: Ran) -> dict[str, str]:
    return {str(row["key"]): str(row["fate"]) for row in ran.rows("keys")}


def of_group(keys: Collection[str], name: str = NAME) -> set[str]:
    return {path for path in keys if f"/{name}" in path}


# From another writer to the bridge, as docs/moving.md says it.


def test_who_moves_loses_no_request_and_ends_with_what_the_bridge_would_have_written(
    bridge: Bridge, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Traefik 3 is asked all the while, and has the time to take each state; so has the model of a Traefik 1."""
    slow_down(monkeypatch, 0.5)
    with ExitStack() as stack:
        server = WebServer("old")
        stack.callback(server.stop)
        old = place.old(server.port)
        strays = place.old(server.port, OTHER, "db.local")
        place.write({**old, **strays})
        world = place.world(server.port)
        watch = stack.enter_context(asking(place, server.port))
        beside = Place(place.server, place.kind, place.layout, place.folder)
        assert bridge("sync", *world, *beside.told()).code == 0  # first beside, where no Traefik reads
        before = place.everything()
        shown = fits(bridge("adopt", "--all", "--dry-run", *world, *place.told(), "--output", "json"), "adopt")
        assert shown["outcome"] == "planned"
        assert place.everything() == before
        ran = bridge("adopt", "--all", *world, *place.told(), "--output", "json")
        assert ran.code == 0, ran
        fits(ran, "adopt")
        assert all(row["done"] for row in ran.rows("keys"))
        assert fates(ran).keys() == {place.tree + path for path in old}
        assert bridge("sync", *world, *place.told()).code == 0
        until(watch.has_all)
        watch.stop()
        assert watch.wrong == []
        assert watch.asked > 20
    after = place.values()
    assert {path: after.pop(path) for path in strays} == strays
    assert after == beside.values()
    leases = {item.lease.family for path, item in place.items().items() if item.lease and path not in strays}
    assert leases == {FLEET, "c/default", STANDING_FAMILY}
    assert bridge("leave", *beside.told()).code == 0
    assert beside.items() == {}
    again = bridge("adopt", "--all", *world, *place.told())
    assert (again.code, again.out) == (0, "Nothing to adopt: no hand-written key of these services\n")


def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Each transaction is followed by so long a rest."""
    for store in (Etcd, Consul):

        def slow(self: Etcd | Consul, transaction: Transaction, commit: Commit = store.commit) -> Committed | Conflict:
            answer = commit(self, transaction)
            time.sleep(seconds)
            return answer

        monkeypatch.setattr(store, "commit", slow)


@dataclass
class Asking:
    """Requests for the service, one after the other, until it is stopped."""

    ask: Callable[[], str]  # what is wrong; empty: nothing
    has_all: Callable[[], bool]  # whether what reads has taken all that the bridge wrote
    asked: int = 0
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            try:
                found = self.ask()
            except OSError as err:
                found = str(err)
            self.wrong += [found] if found else []
            self.asked += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)


@contextmanager
def asking(place: Place, port: int) -> Iterator[Asking]:
    """Requests through what reads the place: a real Traefik 3, or the model of Traefik 1."""
    with ExitStack() as stack:
        if place.layout == "traefik1":
            found = Asking(lambda: _wrong_in_tree(place, f"http://127.0.0.1:{port}"), lambda: True)
        else:
            traefik = stack.enter_context(
                running_traefik(place.folder / "traefik", place.kind, place.server.endpoint, place.prefix)
            )
            until(lambda: traefik.request(HOST).status == 200)
            found = Asking(
                lambda: _wrong_answer(traefik.request(HOST)),
                lambda: STANDING in traefik.objects("middlewares"),  # it came last
            )
        stack.callback(found.stop)
        yield found


def _wrong_answer(answer: Answer) -> str:
    return "" if (answer.status, answer.server) == (200, "old") else f"{answer.status} {answer.body}"


def _wrong_in_tree(place: Place, url: str) -> str:
    """In the tree as a reading that nothing disturbs finds it."""
    tree = {place.tree + path: value for path, value in place.values().items()}
    found = configuration(tree, place.tree.removesuffix("/"), Kind(place.kind))
    if not isinstance(found, Configuration):
        return f"refused: {found.reason}"
    if (servers := found.answer(HOST, "/").servers) != {url}:
        return f"servers {sorted(servers)} of {sorted(tree)}"
    return "" if found.answer("unknown.local", "/").status in (404, 503) else "an unknown host is taken"


def test_a_service_alone_keeps_what_nobody_named_and_a_key_that_is_named_goes(bridge: Bridge, place: Place) -> None:
    place.write(place.old(8080))
    world = place.world()
    ran = bridge("adopt", TITLE, *world, *place.told(), "--output", "json")
    assert ran.code == 0, ran
    kept = {place.tree + path for path in place.old(8080)} - {
        key for key, fate in fates(ran).items() if fate in ("stays", "changes")
    }
    assert kept
    assert {key for key, fate in fates(ran).items() if fate == "left"} == kept
    surplus = place.surplus()
    ran = bridge("adopt", TITLE, place.tree + surplus, *world, *place.told(), "--output", "json")
    assert (ran.code, fates(ran)[place.tree + surplus]) == (0, "goes"), ran
    assert surplus not in place.values()
    assert {key.removeprefix(place.tree) for key in kept} - {surplus} <= place.values().keys()


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ((), "needs to know what"),
        (("stack-0/nothing",), "the source asks for no such service"),
        (("web-0",), "use STACK/SERVICE, or a whole key such as"),
        (("{tree}{folder}db__stack-0/x",), "is no hand-written key of a service that the source asks for"),
    ],
)
def test_what_cannot_be_adopted_is_told_before_anything_is_written(
    bridge: Bridge, place: Place, names: tuple[str, ...], why: str
) -> None:
    place.write(place.old(8080))
    before = place.everything()
    folder = layout(place.layout).folders[0] + ("" if place.layout == "traefik1" else "routers/")
    named = [name.format(tree=place.tree, folder=folder) for name in names]
    ran = bridge("adopt", *named, *place.world(), *place.told())
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert place.everything() == before


def test_each_key_is_shown_with_what_becomes_of_it_and_none_that_lets_somebody_in(
    bridge: Bridge, place1: Place
) -> None:
    place = place1
    users = f"frontends/{NAME}/auth/basic/users"
    place.write({**place.old(8080), f"backends/{NAME}/loadbalancer/method": "wrr", users: "joe:$apr1$secret"})
    for dry in (["--dry-run"], []):
        ran = bridge("adopt", "--all", *dry, *place.world(), *place.told())
        assert ran.code == 0, ran
        assert ran.out.splitlines()[0] == f"{TITLE}  2 stay, 1 changes, 6 go"
        assert f"  = {place.tree}frontends/{NAME}/backend = {NAME}" in ran.out.splitlines()
        assert f"  ~ {place.tree}backends/{NAME}/loadbalancer/method: wrr -> drr" in ran.out.splitlines()
        assert f"  - {place.tree}frontends/{NAME}/priority = 5" in ran.out.splitlines()
        assert f"  - {place.tree}{users} = (hidden)" in ran.out.splitlines()
        assert f"  + frontends/{NAME}/routes/main/rule = Host:{HOST}" in ran.out.splitlines()
        assert "$apr1$" not in ran.out + ran.err
    assert re.fullmatch(r"adopt: 9 of 9 keys done; \d+ transactions in \d+\.\d\d s", ran.out.splitlines()[-1])


# Letting go.


def test_what_is_let_go_of_stands_by_hand_and_the_next_sync_says_that_it_is_frozen(
    bridge: Bridge, place: Place
) -> None:
    world = place.world(containers=3)
    assert bridge("sync", *world, *place.told(), "--ttl", "10m").code == 0
    values = place.values()
    written = of_group(values)
    shown = fits(bridge("release", TITLE, "--dry-run", *place.told(), "--output", "json"), "adopt")
    assert shown["outcome"] == "planned"
    ran = bridge("release", TITLE, *place.told(), "--output", "json")
    assert ran.code == 0, ran
    fits(ran, "adopt")
    assert fates(ran) == dict.fromkeys((place.tree + path for path in written), "stays")
    assert all(row["done"] for row in ran.rows("keys"))
    assert place.values() == values
    assert {path for path, item in place.items().items() if item.lease is None} == written
    assert not [path for path in place.recorded() if NAME in path]
    for lease in ("c/default", FLEET):  # as if this cluster had died
        end(place, LeaseName(lease, 600))
    assert of_group(place.values()) == written
    again = bridge("sync", *world, *place.told(), "--ttl", "10m")
    assert again.code == 0
    assert f"{place.tree}{place.opening()}" in again.err
    assert "froze the group" in again.err
    assert {path: item for path, item in place.items().items() if path in written}.keys() == written
    assert {path for path, item in place.items().items() if item.lease is None} == written


def test_a_service_is_meant_however_its_name_is_written(bridge: Bridge, place: Place) -> None:
    """As Rancher shows it, with capitals, or with a slash at its ends; a snapshot has it in lower case."""
    world, odd = place.world(containers=2), f"/{TITLE.title()}/"
    assert bridge("sync", *world, *place.told()).code == 0
    shown = bridge("show", odd, "--store", place.url, "--layout", place.layout, "--output", "json")
    assert [row["service"] for row in shown.rows("groups")] == [TITLE], shown
    assert bridge("release", odd, *place.told()).code == 0
    assert {item.lease for path, item in place.items().items() if NAME in path} == {None}
    assert bridge("adopt", odd, *world, *place.told()).code == 0
    assert None not in {item.lease for item in place.items().values()}


def test_what_somebody_wrote_by_hand_with_capitals_is_meant_by_its_own_name() -> None:
    assert means("Stack/Web", "Web__Stack")
    assert means("/Stack/Web/", "web__stack")
    assert not means("stack/web", "Web__Stack")


def end(place: Place, lease: LeaseName) -> None:
    """The lease ends now."""
    publication = Publication if place.kind == "etcd" else ConsulPublication
    found = publication(place.server, place.prefix)  # type: ignore[arg-type]
    with closing(found):
        found.end(lease)


def test_what_another_cluster_claims_is_not_let_go_of(bridge: Bridge, place: Place) -> None:
    world = place.world(containers=2)
    for cluster in ("default", "berlin"):
        assert bridge("sync", *world, *place.told("--cluster", cluster)).code == 0
    before = place.everything()
    ran = bridge("release", TITLE, *place.told())
    assert (ran.code, ran.out) == (2, "")
    assert "cluster berlin claims its service too" in ran.err
    ran = bridge("release", "--all", *place.told(), "--output", "json")
    assert (ran.code, set(fates(ran).values())) == (0, {"left"})
    assert place.everything() == before
    assert bridge("release", "stack-0/nothing", *place.told()).code == 2
    assert bridge("release", *place.told()).code == 2


def test_a_bridge_that_runs_takes_up_what_was_adopted_and_leaves_what_was_let_go_of(
    bridge: Bridge, place1: Place
) -> None:
    place = place1
    place.write(place.old(8080))
    world = place.world()
    assert bridge("adopt", "--all", *world, *place.told()).code == 0
    values = place.values()
    with running(place, world) as process:
        eventually(lambda: {item.lease for item in place.items().values() if item.lease and item.lease.ttl} != set())
        eventually(lambda: place.values().keys() > values.keys())  # the backstop came too
        ran = bridge("release", TITLE, *place.told())
        assert (ran.code, "nothing was written" in ran.err) == (5, True)
        process.end()
    assert bridge("release", TITLE, *place.told()).code == 0
    freed = {path: item for path, item in place.items().items() if item.lease is None}
    assert freed.keys() == values.keys()
    with running(place, world) as process:
        eventually(lambda: process.said("froze the group"), process)
        eventually(lambda: bool([path for path in place.recorded() if path.endswith(f"claim/{NAME}")]), process)
        process.end()
    assert {path: item for path, item in place.items().items() if path in freed} == freed


@contextmanager
def running(place: Place, world: tuple[str, ...]) -> Iterator[Process]:
    """A `bridge run` that leads."""
    command = [sys.executable, "-m", "bridge", "run", "--replica", "a", *world, *place.told()]
    process = Process(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True))
    try:
        eventually(lambda: process.said("leads cluster default"), process)
        yield process
    finally:
        process.close()


# Beside one that leads, and after one that is dead.


@pytest.fixture
def led(place: Place, bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place in which a replica of cluster default leads that does not end."""
    monkeypatch.setattr("bridge.sync.replica_ttl", lambda _store: 0.3)
    monkeypatch.setattr("bridge.sync.POLL", 0.1)
    assert bridge("sync", *place.world(), *place.told()).code == 0
    environment = json.loads(place.recorded()["c/default/presence"].value)["environment"]
    with closing(place.client()) as store:
        lease = LeaseName(replica_family("default", "web7"), 600)
        store.ensure(lease)
        create(store, place.records + leader_path("default"), write_leader(Leader("web7", environment, "abc")), lease)
        yield place


def test_beside_a_leader_nothing_changes_hands_and_nothing_leaves(bridge: Bridge, led: Place) -> None:
    led.write({led.surplus(): "7"})
    before = led.everything()
    for arguments in (("adopt", "--all", *led.world()), ("release", "--all"), ("leave", "--cluster", "default")):
        ran = bridge(*arguments, *led.told())
        assert ran.code == 5, ran
        assert "replica 'web7' leads cluster default: nothing was written" in ran.err
        assert "stop it" in ran.err or arguments[0] == "leave"
        assert led.everything() == before


@pytest.mark.parametrize("ttl", ["0", "10m"])
def test_a_cluster_that_is_no_more_is_removed_from_anywhere(bridge: Bridge, place: Place, ttl: str) -> None:
    """Nobody has its source, and its keys may stand for ever; what others publish stays, the same service too."""
    world = place.world(containers=2)
    assert bridge("sync", *world, *place.told("--cluster", "berlin"), "--ttl", ttl).code == 0
    assert bridge("sync", *world, *place.told(), "--ttl", "0").code == 0
    ours = {path for path in place.values() if "berlin--" not in path}
    ran = bridge("leave", *place.told("--cluster", "berlin"), "--output", "json")
    assert ran.code == 0, ran
    fits(ran, "sync")
    assert place.values().keys() == ours
    assert not [path for path in place.recorded() if path.startswith("c/berlin")]
    assert bridge("leave", *place.told()).code == 0
    assert place.everything() == ({}, {})
    ran = bridge("leave", *place.told("--cluster", "berlin"))
    assert (ran.code, ran.out.split(" (")[0]) == (0, "Nothing to remove: cluster berlin publishes nothing here")
