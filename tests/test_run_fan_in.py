"""Two clusters as real processes on one store, a real Traefik 3 before them, and one of the two dies under load."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread

import pytest

from bridge.model.keys import records_prefix
from tests.golden_reader import Configuration, Store, configuration
from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ConsulServer, EtcdServer
from tests.test_run_etcd import ROOT, Process, eventually
from tests.traefik import NEWEST, OLDEST, TraefikServer, WebServer, running_traefik, until, web_servers
from tests.worlds.generate import Object, encode

HOST = "web.shop.local"
TTL = {"etcd": 4, "consul": 20}  # seconds; a Consul takes none that is shorter
SETTLES = 3.0  # seconds until a Traefik has read what changed, on a machine that runs other things too
THREADS = 3
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Request:
    """What came of one."""

    sent: float  # seconds, monotonic
    answered: float
    server: str  # empty where it failed


@dataclass
class Load:
    """Requests without a pause, from several threads, until it ends."""

    traefik: TraefikServer
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = Event()
        self._threads = [Thread(target=self._send, daemon=True) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._ended.is_set():
            sent = time.monotonic()
            try:
                server = self.traefik.request(HOST).server
            except (OSError, HTTPException):
                server = ""
            self.requests.append(Request(sent, time.monotonic(), server))

    def end(self) -> list[Request]:
        """All of them, in order."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return sorted(self.requests, key=lambda one: one.sent)

    def since(self, when: float) -> list[str]:
        """Who answered what was sent since then."""
        return [one.server for one in list(self.requests) if one.sent >= when]


@dataclass
class Two:
    """Clusters a and b, each with one web server, on one prefix a layout of one store."""

    place: Publishing
    kind: str
    folder: Path
    web: dict[str, WebServer]
    stack: ExitStack

    def start(self, cluster: str, *options: str) -> Process:
        """Its bridge."""
        path = self.folder / f"{cluster}.json"
        path.write_bytes(encode(world(cluster, self.web[cluster])))
        popen = subprocess.Popen(
            [
                *(sys.executable, "-m", "bridge", "run", "--store", self.place.url, "--source", f"file:{path}"),
                *("--layout", f"traefik1,traefik3={self.prefix3}", "--cluster", cluster, "--replica", cluster),
                *("--ttl", str(TTL[self.kind]), "--read-time", "0.3", "--settle", "0.05", *options),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        process = Process(popen)
        self.stack.callback(process.close)
        return process

    def url(self, cluster: str) -> str:
        """Of its web server."""
        return f"http://{self.web[cluster].address}:{self.web[cluster].port}"

    @property
    def prefix3(self) -> str:
        return f"v3-{self.place.prefix}"

    def stands(self, prefix: str) -> dict[str, str]:
        """By path below it."""
        return {path: item.value for path, item in self.place.held(prefix).items()}

    @property
    def trees(self) -> list[dict[str, str]]:
        """What stands for Traefik 1, and for Traefik 3."""
        return [self.place.published(), self.stands(f"{self.prefix3}/")]

    def holds(self, cluster: str) -> bool:
        """Whether anything of the cluster stands in either tree."""
        return any(f"/{cluster}--" in path for tree in self.trees for path in tree)

    def old_traefik(self) -> Configuration:
        """What a Traefik 1 makes of its tree."""
        tree = {self.place.tree + path: value for path, value in self.place.published().items()}
        found = configuration(tree, self.place.tree.rstrip("/"), Store(self.kind))
        assert isinstance(found, Configuration)
        return found


def world(cluster: str, web: WebServer) -> list[Object]:
    """One service with one container, which is this web server."""
    environment = f"{cluster}{cluster}111111-1111-4111-8111-111111111111"
    container: Object = {"uuid": f"c-{cluster}", "name": "shop-web-1", "state": "running", "health_state": "healthy"}
    return [
        {
            "name": "shop",
            "uuid": "st-1",
            "environment_uuid": environment,
            "services": [
                {
                    "uuid": f"s-{cluster}",
                    "name": "web",
                    "stack_name": "shop",
                    "stack_uuid": "st-1",
                    "environment_uuid": environment,
                    "kind": "service",
                    "state": "active",
                    "labels": {"traefik.enable": "true", "traefik.domain": "local", "traefik.port": str(web.port)},
                    "health_check": {"port": web.port},
                    "containers": [{**container, "primary_ip": web.address, "labels": {}}],
                }
            ],
        }
    ]


@pytest.fixture(params=["etcd", "consul"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Two]:
    prefix = f"fan{next(_numbers)}"
    place: Publishing
    if request.param == "etcd":
        etcd: EtcdServer = request.getfixturevalue("etcd_server")
        place = Publication(etcd, prefix)
    else:
        consul: ConsulServer = request.getfixturevalue("consul_server")
        place = ConsulPublication(consul, prefix)
    with ExitStack() as stack:
        stack.callback(place.close)
        web = stack.enter_context(web_servers("a", "b"))
        yield Two(place, request.param, tmp_path, web, stack)


def traefik(two: Two, which: str) -> TraefikServer:
    endpoint = two.place.server.endpoint  # type: ignore[attr-defined]
    running = running_traefik(two.folder / "traefik", two.kind, endpoint, two.prefix3, which=which)
    return two.stack.enter_context(running)


def both_up(two: Two, *, separate: bool) -> Process:
    """The bridge of a, once both have published."""
    options = ("--fan-in", "separate") if separate else ()
    first = two.start("a", *options, *(("--priority", "1") if separate else ()))
    two.start("b", *options)
    eventually(lambda: two.holds("a") and two.holds("b"), first)
    return first


def gone_at(two: Two) -> float:
    """When the last of a was seen to be gone."""
    deadline = time.monotonic() + 3 * TTL[two.kind] + SETTLES
    while two.holds("a"):
        assert time.monotonic() < deadline, "its lease did not end"
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.parametrize("which", [NEWEST, OLDEST])
def test_a_cluster_that_stands_by_takes_over_and_no_request_fails(two: Two, which: str) -> None:
    """The bridges of a die; its servers live on, and are asked until its lease ends."""
    first, server = both_up(two, separate=True), traefik(two, which)
    until(lambda: server.request(HOST).server, lambda answer: answer == "a")
    assert two.old_traefik().answer(HOST, "/").servers == {two.url("a")}
    load = Load(server)
    first.close()  # as kill -9
    ended = gone_at(two)
    until(lambda: load.since(ended)[-THREADS:], lambda last: len(last) == THREADS and set(last) == {"b"})
    settled = time.monotonic()
    until(lambda: len(load.since(settled)), lambda count: count > 100)
    sent = load.end()
    assert [one for one in sent if not one.server] == []
    assert {one.server for one in sent if one.sent >= settled} == {"b"}
    until_b = min(one.answered for one in sent if one.server == "b") - ended
    print(f"{until_b * 1000:.0f} ms until b answers; of {len(sent)} requests none failed")
    assert two.old_traefik().answer(HOST, "/").servers == {two.url("b")}
    records = [two.place.records, records_prefix(two.prefix3)]
    left = {path for prefix in records for path in two.stands(prefix) if path.startswith("c/a/")}
    assert left <= {"c/a/leader"}, "only its leadership, which may outlive so short a TTL"


def test_when_a_whole_environment_dies_no_request_fails_once_its_lease_has_ended(two: Two) -> None:
    """Bridges and servers: until then Traefik asks what is dead."""
    first, server = both_up(two, separate=True), traefik(two, NEWEST)
    until(lambda: server.request(HOST).server, lambda answer: answer == "a")
    load = Load(server)
    first.close()
    two.web["a"].stop()
    ended = gone_at(two)
    until(lambda: load.since(ended)[-THREADS:], lambda last: len(last) == THREADS and set(last) == {"b"})
    settled = time.monotonic()
    until(lambda: len(load.since(settled)), lambda count: count > 100)
    sent = load.end()
    failed = [one for one in sent if not one.server]
    late = max((one.sent for one in failed), default=ended) - ended
    print(f"the last failure {late * 1000:.0f} ms after the lease ended; {len(failed)} of {len(sent)} failed")
    assert failed, "nobody asked what was dead: the test tries nothing"
    assert late < SETTLES
    assert all(one.server == "b" for one in sent if one.sent > ended + max(0.0, late))


def said(two: Two, *arguments: str) -> None:
    """A command beside, for cluster a, in both layouts."""
    where = ("--store", two.place.url, "--layout", f"traefik1,traefik3={two.prefix3}", "--cluster", "a")
    command = [sys.executable, "-m", "bridge", *arguments, *where]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


def answers_alone(load: Load, server: str) -> None:
    """Return once no other has answered any request for a while."""
    began = time.monotonic()
    until(lambda: load.since(began)[-30:], lambda last: len(last) == 30 and set(last) == {server})


def test_a_cluster_that_is_drained_lets_the_other_answer_until_it_is_drained_no_more(two: Two) -> None:
    first, server = both_up(two, separate=True), traefik(two, NEWEST)
    until(lambda: server.request(HOST).server, lambda answer: answer == "a")
    load = Load(server)
    for _ in range(2):
        said(two, "drain")
        answers_alone(load, "b")
        assert two.old_traefik().answer(HOST, "/").servers == {two.url("b")}
        said(two, "undrain")
        answers_alone(load, "a")
        assert two.old_traefik().answer(HOST, "/").servers == {two.url("a")}
    sent = load.end()
    assert [one for one in sent if not one.server] == []
    assert first.popen.poll() is None


def test_a_cluster_that_is_drained_and_alone_answers_503(two: Two) -> None:
    two.start("a", "--fan-in", "separate", "--priority", "1")
    server = traefik(two, NEWEST)
    until(lambda: server.request(HOST).server, lambda answer: answer == "a")
    said(two, "drain")
    until(lambda: server.request(HOST).status, lambda status: status == 503)
    said(two, "undrain")
    until(lambda: server.request(HOST).server, lambda answer: answer == "a")


def test_merged_clusters_share_one_frontend_which_outlives_either(two: Two) -> None:
    first, server = both_up(two, separate=False), traefik(two, NEWEST)
    until(lambda: {server.request(HOST).server for _ in range(6)}, lambda answers: answers == {"a", "b"})
    assert len(two.old_traefik().answer(HOST, "/").servers) == 2
    load = Load(server)
    first.close()
    ended = gone_at(two)
    until(lambda: load.since(ended)[-3 * THREADS :], lambda last: len(last) == 3 * THREADS and set(last) == {"b"})
    sent = load.end()
    assert [one for one in sent if not one.server] == []
    assert two.old_traefik().answer(HOST, "/").servers == {two.url("b")}


def test_a_cluster_turns_from_one_fan_in_to_the_other_and_back_and_no_request_fails(two: Two) -> None:
    server, lives = traefik(two, NEWEST), ("--ttl", "60")  # as long as a busy machine may take to start it again
    process = two.start("a", *lives)
    until(lambda: server.request(HOST).server, lambda answer: answer == "a")
    load = Load(server)
    for separate in (True, False):
        process.end()
        process = two.start("a", *lives, *(("--fan-in", "separate") if separate else ()))
        wanted, other = ("a--web__shop", "web__shop")[:: 1 if separate else -1]

        def turned(wanted: str = wanted, other: str = other) -> bool:
            names = [{path.split("/")[at] for path in tree} for tree, at in zip(two.trees, (1, 2), strict=True)]
            return all(wanted in found and other not in found for found in names)

        eventually(turned, process)
    sent = load.end()
    assert len(sent) > 100
    assert [one for one in sent if not one.server] == []
