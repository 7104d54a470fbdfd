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
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import cast

from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ROOT, ConsulServer, EtcdServer
from tests.traefik import Answer, TraefikServer, WebServer
from tests.worlds.generate import Json, Object, encode, stacks

STACK = "shop"
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
    (stack,) = stacks(1, 1)
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
    return cast(list[Object], stacks(1, 1)[0]["services"])[0]


def publication(store: EtcdServer | ConsulServer) -> Publishing:
    """A prefix that no other test uses."""
    prefix = f"proxied{next(_prefixes)}"
    return Publication(store, prefix) if isinstance(store, EtcdServer) else ConsulPublication(store, prefix)


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
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        placing = self.placing
        if command == "leave":  # it reads no source, so it needs not know the Traefik that reads
            placing = placing[:4]
        return subprocess.run(
            [sys.executable, "-m", "bridge", command, "--read-time", "0", *placing, *options],
            cwd=ROOT,
            env=environment,
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
