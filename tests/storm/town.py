"""Clusters that share groups on one store: their worlds, their processes, and requests through a real Traefik 3."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Event, Lock, Thread

from bridge.layouts import LAYOUTS, layout
from bridge.model.keys import Publisher, records_prefix
from tests.servers import ROOT, ConsulServer, EtcdServer, running_consul, running_etcd
from tests.storm.history import ConsulHistory, EtcdHistory, History, State
from tests.storm.judge import Judge, left, unsettled
from tests.test_run_etcd import Process
from tests.traefik import TraefikServer, WebServer, running_traefik, web_servers
from tests.worlds.generate import Object, encode

STACK, DOMAIN = "storm", "local"
STEADY = "steady"  # the service that somebody who lives always has
ROOTS = ("town", "v3-town")  # of Traefik 1, and of Traefik 3
SETTLES = 60.0  # seconds, at most, until all is as it shall be
STILL = 1.0  # seconds in which nothing may be written then
PAUSE = 0.02  # seconds between two requests

Labels = Mapping[str, str]
PLAIN: Labels = {}


@dataclass
class Cluster:
    """One Rancher environment: its world, and its bridge."""

    town: Town
    name: str
    web: WebServer
    services: dict[str, Labels] = field(default_factory=dict)
    process: Process | None = None
    frozen: bool = False
    going: set[str] = field(default_factory=set)  # services that it gave up and perhaps still claims
    leaves: bool = False  # with its end
    ending: bool = False  # it was told to end, and may take its time

    @property
    def path(self) -> Path:
        return self.town.folder / f"{self.name}.json"

    def want(self, services: Mapping[str, Labels]) -> None:
        """Another world, replaced at once."""
        self.going |= self.services.keys() - services.keys()
        self.services = dict(services)
        new = self.path.with_suffix(".new")
        new.write_bytes(encode(self._world()))
        new.replace(self.path)

    def _world(self) -> list[Object]:
        environment = f"{self.name * 8}-1111-4111-8111-111111111111"
        where = {"stack_name": STACK, "stack_uuid": "st-1", "environment_uuid": environment}
        port = {"traefik.enable": "true", "traefik.domain": DOMAIN, "traefik.port": str(self.web.port)}
        return [
            {
                "name": STACK,
                "uuid": "st-1",
                "environment_uuid": environment,
                "services": [
                    {
                        **where,
                        "uuid": f"s-{service}-{self.name}",
                        "name": service,
                        "kind": "service",
                        "state": "active",
                        "labels": {**port, **labels},
                        "health_check": {"port": self.web.port},
                        "containers": [
                            {
                                "uuid": f"c-{service}-{self.name}",
                                "name": f"{STACK}-{service}-1",
                                "state": "running",
                                "health_state": "healthy",
                                "primary_ip": self.web.address,
                                "labels": {},
                            }
                        ],
                    }
                    for service, labels in sorted(self.services.items())
                ],
            }
        ]

    def start(self, *options: str, **environment: str) -> Process:
        """Its bridge, a new process. What it is told beside that: options, and the environment of `child`."""
        source = ("--source", f"file:{self.path}", "--replica", self.name)
        times = ("--read-time", str(self.town.read_time), "--settle", "0.05", "--ttl", str(self.town.ttl))
        self.process = Process(self._child("run", *source, *times, *options, **environment))
        self.town.stack.callback(self.process.close)
        self.frozen = self.ending = False
        self.leaves = "--leave-on-exit" in options
        return self.process

    def leave(self) -> None:
        """In order: its bridge ends, and `bridge leave` takes the rest."""
        if self.process is not None:
            self.end()
        done = self._child("leave", "--replica", self.name, "--read-time", str(self.town.read_time))
        said = done.communicate(timeout=SETTLES)[1]
        assert done.returncode == 0, said

    def _child(self, command: str, *options: str, **environment: str) -> subprocess.Popen[str]:
        town = self.town
        journal = {"STORM_JOURNAL": str(town.folder / f"{self.name}.journal")}
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.storm.child", command, "--store", town.url, "--cluster", self.name),
                *("--layout", f"traefik1,traefik3={ROOTS[1]}", *options),
            ],
            cwd=ROOT,
            env={**os.environ, **journal, **({"STORM_HURRY": "1"} if town.hurry else {}), **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        """As kill -9."""
        assert self.process is not None
        self.process.end(signal.SIGKILL)
        self.process = None

    def end(self) -> None:
        """SIGTERM, to its end."""
        assert self.process is not None
        self.process.popen.send_signal(signal.SIGTERM)
        self.process.popen.wait(SETTLES)
        self.process = None

    def freeze(self) -> None:
        assert self.process is not None
        self.process.popen.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        assert self.process is not None
        self.process.popen.send_signal(signal.SIGCONT)
        self.frozen = False

    def has_stopped(self) -> bool:
        """Whether it stopped by itself since it was asked last: see `child`."""
        assert self.process is not None
        self.frozen = os.waitpid(self.process.popen.pid, os.WUNTRACED | os.WNOHANG)[0] != 0
        return self.frozen

    @property
    def leads(self) -> bool:
        """Whether its bridge lives and leads in both layouts."""
        process = self.process
        if process is None or self.frozen or self.ending:
            return False
        assert process.popen.poll() is None, process.lines
        return all(process.said(f"{layout}: leads cluster") for layout in ("traefik1", "traefik3"))


@dataclass
class Load:
    """Requests for each host without end. Those must be answered that were asked while they were due all the time."""

    traefik: TraefikServer
    hosts: tuple[str, ...]
    failed: list[str] = field(default_factory=list)
    counted: int = 0

    def __post_init__(self) -> None:
        self._lock, self._ended = Lock(), Event()
        self._due = dict.fromkeys(self.hosts, 0)  # 0: not due; else a number of its own each time
        self._armed: dict[str, int] = {}  # the number at which it answered first
        self._last = 0
        self._threads = [Thread(target=self._send, args=(host,), daemon=True) for host in self.hosts]
        for thread in self._threads:
            thread.start()

    def due(self, hosts: frozenset[str]) -> None:
        """These are well somewhere from now on, and the others perhaps not."""
        with self._lock:
            for host in self.hosts:
                if host not in hosts:
                    self._due[host] = 0
                elif not self._due[host]:
                    self._last += 1
                    self._due[host] = self._last

    def is_armed(self, host: str) -> bool:
        """Whether its failures count."""
        return 0 < self._due[host] == self._armed.get(host)

    def _send(self, host: str) -> None:
        while not self._ended.is_set():
            due = self._due[host]
            began = time.monotonic()
            try:
                answer = self.traefik.request(host)
                well, said = answer.status == 200 and answer.server != "", f"{answer.status} {answer.body[:80]}"
            except (OSError, HTTPException) as err:
                well, said = False, repr(err)
            with self._lock:
                if well and due:
                    self._armed[host] = due
                if due and self._armed.get(host) == due == self._due[host]:
                    self.counted += 1
                    if not well:
                        self.failed.append(f"{began:.2f} {host}: {said}")
            time.sleep(PAUSE)

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def host(service: str) -> str:
    """By which a service is asked for."""
    return f"{service}.{STACK}.{DOMAIN}"


@dataclass
class Town:
    """Some clusters on one store."""

    kind: str
    server: EtcdServer | ConsulServer
    folder: Path
    stack: ExitStack
    ttl: int  # seconds
    hurry: bool  # what waits ten seconds waits two
    read_time: float = 0.3  # seconds
    clusters: dict[str, Cluster] = field(default_factory=dict)
    by_hand: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # of histories that were cut
    seen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        layouts = zip(map(layout, LAYOUTS), ROOTS, strict=True)
        self.publishers = [
            Publisher(one, one.tree_prefix(root, self.kind), records_prefix(root), "") for one, root in layouts
        ]
        self.history: History

    @property
    def url(self) -> str:
        return f"{self.kind}://{self.server.endpoint}/{ROOTS[0]}"

    def found(self, *names: str) -> list[Cluster]:
        """These clusters, which are not yet there."""
        roots = [publisher.records for publisher in self.publishers]
        for name, web in self.stack.enter_context(web_servers(*names)).items():
            self.clusters[name] = Cluster(self, name, web)
        if isinstance(self.server, EtcdServer):
            self.history = EtcdHistory(self.server, roots, names)
        else:
            self.history = ConsulHistory(self.server, roots)
        self.stack.callback(self.history.close)
        return list(self.clusters.values())

    def write_by_hand(self, layout: int, path: str, value: str) -> None:
        """An operator's key, before all else."""
        key = self.publishers[layout].tree + path
        self.server.put(key, value)
        self.by_hand[key] = value

    def traefik(self) -> TraefikServer:
        """The newest, beside all that happens."""
        folder = self.folder / "traefik"
        return self.stack.enter_context(running_traefik(folder, self.kind, self.server.endpoint, ROOTS[1]))

    def now(self) -> State:
        """What stands."""
        return self.history.now()

    def well(self, *, but: Cluster | None = None) -> list[Cluster]:
        """The clusters whose bridges lead and whose services are claimed in both layouts."""
        items = self.now().items
        return [
            one
            for one in self.clusters.values()
            if one is not but and one.leads and all(claim in items for claim in self.claims(one))
        ]

    def claims(self, cluster: Cluster) -> list[str]:
        """The keys of the claims that it shall have."""
        return [claim for service in cluster.services for claim in self._claims_on(cluster, service)]

    def _claims_on(self, cluster: Cluster, service: str) -> list[str]:
        return [f"{one.records}c/{cluster.name}/claim/{service}__{STACK}" for one in self.publishers]

    def gone(self, cluster: Cluster) -> None:
        """Look which of the services that it gave up it claims no more."""
        items = self.now().items
        cluster.going = {
            name for name in cluster.going if any(claim in items for claim in self._claims_on(cluster, name))
        }

    def cut(self, restore: Callable[[], None]) -> None:
        """The store is set back, which begins another history."""
        self._judge()
        restore()
        for name in self.clusters:
            (self.folder / f"{name}.journal").write_text("")  # those revisions will be others
        self.history.cut(self.server.revision())

    def _judge(self) -> None:
        authors: dict[int, str] = {}
        for name in self.clusters:
            journal = self.folder / f"{name}.journal"
            if journal.exists():
                authors |= dict.fromkeys(map(int, journal.read_text().split()), name)
        judge = Judge(self.publishers, self.by_hand, authors)
        self.faults += judge.faults(self.history.states())
        for what, count in judge.seen.items():
            self.seen[what] = self.seen.get(what, 0) + count

    def judged(self) -> list[str]:
        """What went wrong until now. To be asked once."""
        self._judge()
        return self.faults

    def settle(self) -> None:
        """Until all is as it shall be; then nothing is written. Raises AssertionError where that never comes."""
        deadline = time.monotonic() + SETTLES
        while found := self.missing():
            assert time.monotonic() < deadline, [found[:10], self.said()]
            time.sleep(0.1)
        before = self.revision()
        deadline = time.monotonic() + SETTLES
        still = time.monotonic()
        while time.monotonic() < still + STILL:  # a lease of one who died may still end
            time.sleep(0.05)
            now = self.revision()
            if now != before:
                before, still = now, time.monotonic()
                assert time.monotonic() < deadline, ["it never rests", self.said()]

    def revision(self) -> int:
        """The last write of any key of ours."""
        mine = tuple(prefix for one in self.publishers for prefix in (one.tree, one.records))
        return max((item.revision for key, item in self.now().items.items() if key.startswith(mine)), default=0)

    def missing(self) -> list[str]:
        """What is not yet as it shall be."""
        state = self.now()
        found = unsettled(self.publishers, state, self.by_hand)
        for cluster in self.clusters.values():
            if cluster.leads:
                found += [f"no {claim}" for claim in self.claims(cluster) if claim not in state.items]
            elif cluster.process is not None and not cluster.frozen:
                found.append(f"{cluster.name} does not lead")
        return found

    def left(self) -> list[str]:
        """What stands but shall not once all are gone."""
        return left(self.publishers, self.now(), self.by_hand)

    def said(self) -> dict[str, list[str]]:
        """The last words of each bridge."""
        return {name: one.process.lines[-8:] for name, one in self.clusters.items() if one.process}


@contextmanager
def town(kind: str, folder: Path, *, ttl: int, hurry: bool = True) -> Iterator[Town]:
    """With a store of its own, which may be stopped and set back."""
    place = folder / "store"
    place.mkdir()
    with ExitStack() as stack:
        server: EtcdServer | ConsulServer
        if kind == "etcd":
            server = stack.enter_context(running_etcd(place))
        else:
            server = stack.enter_context(running_consul(place, lasting=True))
        yield Town(kind, server, folder, stack, ttl, hurry)
