"""Worlds whose containers are web servers on loopback, bridges that publish them, and requests that never end."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import cast

from tests.metadata_server import MetadataServer
from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ROOT, ConsulServer, EtcdServer
from tests.traefik import NEWEST, Answer, TraefikServer, WebServer, running_traefik, until
from tests.worlds import generate
from tests.worlds.generate import Json, Object, encode

STACK = "shop"
HOST = "web.shop.local"  # of the service web
RATE = 100.0  # requests a second
_prefixes = itertools.count(1)


def container(server: WebServer | str, *, of: str, healthy: bool = True, **labels: str) -> Object:
    """One container of service `of` at the address of `server`, with more labels of its own."""
    address = server if isinstance(server, str) else server.address
    found = cast(list[Object], _template()["containers"])[0]
    found |= {
        "name": f"{STACK}-{of}-{address}",
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{of}/{address}")),
        "primary_ip": address,
        "ips": [address],
        "health_state": "healthy" if healthy else "unhealthy",
        "service_name": of,
        "stack_name": STACK,
        "labels": {f"traefik.{name}": value for name, value in labels.items()},
    }
    return found


def service(name: str, containers: Iterable[Object], labels: Mapping[str, str]) -> Object:
    """A service of the stack `shop`; its labels are said without `traefik.`."""
    found = _template()
    asked = {f"traefik.{label}": value for label, value in labels.items()}
    made = list(containers)
    for one in made:
        one["labels"] = {**asked, **cast(dict[str, str], one["labels"])}
    found |= {
        "name": name,
        "primary_service_name": name,
        "stack_name": STACK,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "labels": cast(Object, asked),
        "containers": cast("list[Json]", made),
        "scale": len(made),
    }
    return found


def world(services: Sequence[Object], environment: str = "") -> list[Object]:
    """The stack `shop` with these services; `environment`: its uuid, where it is not the usual one."""
    (stack,) = generate.stacks(1, 1)
    stack |= {"name": STACK, "services": cast("list[Json]", list(services))}
    if environment:
        stack["environment_uuid"] = environment
        for one in services:
            one["environment_uuid"] = environment
    return [stack]


def write(path: Path, found: list[Object]) -> Path:
    """The world replaces, at once, what the file holds."""
    new = path.with_suffix(".new")
    new.write_bytes(encode(found))
    new.replace(path)
    return path


def _template() -> Object:
    return cast(list[Object], generate.stacks(1, 1)[0]["services"])[0]


def publication(store: EtcdServer | ConsulServer) -> Publishing:
    """A prefix that no other test uses."""
    prefix = f"proxied{next(_prefixes)}x"  # none is the beginning of another
    return Publication(store, prefix) if isinstance(store, EtcdServer) else ConsulPublication(store, prefix)


def silence() -> dict[str, str]:
    """An environment that says nothing to a bridge."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}


@dataclass
class Place:
    """Where a bridge publishes both layouts, by its command line."""

    here: Publishing
    options: tuple[str, ...] = ()  # of all commands

    @property
    def root(self) -> str:
        """What Traefik 3 reads."""
        return f"v3-{self.here.prefix}"

    @property
    def placing(self) -> tuple[str, ...]:
        """The options that say where."""
        return ("--store", self.here.url, "--layout", f"traefik1,traefik3={self.root}", *self.options)

    def bridge(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """A command of the program, to its end."""
        placing = self.placing
        if command == "leave":  # it reads no source, so it needs not know the Traefik that reads
            placing = placing[:4]
        return subprocess.run(
            [sys.executable, "-m", "bridge", command, "--read-time", "0", *placing, *options],
            cwd=ROOT,
            env=silence(),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def sync(self, source: Path, *options: str) -> None:
        """One pass, which must go well."""
        ran = self.bridge("sync", "--source", f"file:{source}", *options)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def leave(self, *options: str) -> None:
        """The cluster goes."""
        ran = self.bridge("leave", *options)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def tree(self) -> dict[str, str]:
        """What stands for Traefik 3, by path."""
        return {path: item.value for path, item in self.here.held(f"{self.root}/").items()}


@dataclass
class Load:
    """The same request again and again, at a steady rate, and what came of it."""

    traefik: TraefikServer
    host: str
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    rate: float = RATE  # requests a second
    answers: list[tuple[float, Answer]] = field(default_factory=list)  # by when they were asked; status 0: none came
    _stopped: Event = field(default_factory=Event)

    def run(self) -> None:
        """Until `stop`."""
        due = time.monotonic()
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                found = self.traefik.request(self.host, self.path, headers=self.headers)
            except (OSError, HTTPException) as err:
                found = Answer(0, {}, repr(err))
            self.answers.append((began, found))
            due = max(due + 1 / self.rate, time.monotonic() - 1)  # it catches up, but not for ever
            self._stopped.wait(max(0.0, due - time.monotonic()))

    def stop(self) -> None:
        """No request is sent from now on."""
        self._stopped.set()

    @property
    def statuses(self) -> list[int]:
        """In the order in which they were asked for."""
        return [answer.status for _, answer in self.answers]

    def failed(self, *right: int) -> list[Answer]:
        """All whose status is not among these; without any: is not 200."""
        return [answer for _, answer in self.answers if answer.status not in (right or (200,))]

    def counts(self) -> Counter[int]:
        """How often each status came."""
        return Counter(self.statuses)

    def go_on(self, requests: int = 20) -> None:
        """Wait until so many more were answered."""
        more = len(self.answers) + requests
        deadline = time.monotonic() + 60
        while len(self.answers) < more:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def under_load(*loads: Load) -> Iterator[None]:
    """All of them run during the block."""
    threads = [Thread(target=load.run, daemon=True) for load in loads]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for load in loads:
            load.stop()
        for thread in threads:
            thread.join(60)


def seen(ask: Callable[[], Answer], times: int = 30) -> Counter[str]:
    """Who answered how often."""
    return Counter(ask().server for _ in range(times))


@dataclass
class Live:
    """A `bridge run` between a metadata service and a store, and a Traefik 3 that reads what it writes."""

    place: Place
    metadata: MetadataServer
    traefik: TraefikServer

    def show(self, *services: Object) -> None:
        """The world is another one, and the bridge hears of it."""
        self.metadata.show(cast("list[Json]", world(services)))

    def wait(self, is_right: Callable[[dict[str, str]], bool]) -> None:
        """Until the keys of Traefik 3 are as they shall be."""
        until(self.place.tree, is_right)

    def servers(self) -> set[str]:
        """The urls that are published."""
        return {value for path, value in self.place.tree().items() if path.endswith("/url")}


@contextmanager
def live(
    folder: Path,
    server: EtcdServer | ConsulServer,
    services: Sequence[Object],
    *options: str,
    throttle: str = "100ms",
    which: str = NEWEST,
    stacks: Sequence[Object] = (),
) -> Iterator[Live]:
    """All of it for as long as the block runs, once the first world is published.

    `stacks`: the whole first world, instead of the stack `shop` with these services.
    """
    with ExitStack() as stack:
        place = Place(stack.enter_context(closing(publication(server))))
        first = cast("list[Json]", list(stacks) or world(services))
        metadata = stack.enter_context(MetadataServer(first, second=1, shuffles=False))
        command = [sys.executable, "-m", "bridge", "run", "--source", metadata.url, *place.placing]
        patience = ["--read-time", "0.3", "--settle", "0.05", "--confirm", "0"]
        with (folder / "bridge.log").open("w") as log:
            process = subprocess.Popen([*command, *patience, *options], cwd=ROOT, env=silence(), stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        store = "etcd" if isinstance(server, EtcdServer) else "consul"
        until(lambda: any(path.startswith("http/routers/") for path in place.tree()))
        read = running_traefik(folder, store, server.endpoint, place.root, which=which, throttle=throttle)
        traefik = stack.enter_context(read)
        until(lambda: len(traefik.objects("routers")) > 0)
        yield Live(place, metadata, traefik)


class Mode(Enum):
    """How one container takes another's place."""

    OUTLIVES = "old one stops a second after Traefik's throttle"
    AT_ONCE = "old one is killed when its key is told to go"
    STOP_FIRST = "old one is killed, the new one starts then"


STARTS = 0.3  # seconds until the world tells of a container that was killed, or is up


@dataclass
class Rolling:
    """The containers of one service, which are replaced one after the other."""

    port: int
    throttle: float  # Traefik's, in seconds
    labels: Mapping[str, str] = field(default_factory=dict)
    servers: list[WebServer] = field(default_factory=list)
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self, servers: int = 1) -> None:
        """More web servers; the world does not tell of them yet."""
        for at in itertools.islice(self._names, servers):
            self.servers.append(WebServer(f"web-{at}", self.port, f"127.0.1.{100 + at}"))

    def service(self) -> Object:
        """The service with its present containers."""
        told = {"enable": "true", "port": str(self.port), "domain": "local", **self.labels}
        return service("web", [container(one, of="web") for one in self.servers], told)

    def tell(self, site: Live) -> None:
        """The world is shown, and the bridge has written the present containers."""
        urls = {f"http://{one.address}:{one.port}" for one in self.servers}
        site.show(self.service())
        until(site.servers, lambda found: found == urls)

    def replace(self, site: Live, mode: Mode) -> None:
        """The oldest container makes room for a new one."""
        old = self.servers.pop(0)
        if mode is Mode.STOP_FIRST:
            old.stop()
            time.sleep(STARTS)
            self.tell(site)
            time.sleep(STARTS)
            self.start()
            self.tell(site)
            return
        self.start()
        if mode is Mode.AT_ONCE:
            site.show(self.service())
            old.stop()
            self.tell(site)
        else:
            self.tell(site)
            time.sleep(self.throttle + 1)  # this is what the container shall live longer, no hope
            old.stop()

    def stop(self) -> None:
        """All end."""
        for one in self.servers:
            one.stop()
