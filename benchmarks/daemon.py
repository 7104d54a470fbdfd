"""`bridge run` beside a live metadata service: one flip, a rest, and memory, on a real etcd and a real Consul.

A flip is one container that turns unhealthy or healthy again, while the bridge is at rest; it is timed from the
service's new version to the changed key, without the pause in which bursts are gathered. Beside it, in the same run:
the same answer by the bare clients, fetched, decoded by json.loads, and one key written.

python -m benchmarks.daemon [--services 1000] [--containers 3] [--store etcd consul]
"""

from __future__ import annotations

import argparse
import copy
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from queue import Queue
from statistics import median
from threading import Thread
from time import monotonic, sleep
from typing import cast

import requests

from bridge.model.change import Reading
from tests.metadata_server import API, MetadataServer
from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import running_consul, running_etcd
from tests.worlds.generate import Object, stacks

ROOT = Path(__file__).parent.parent
FLIPS = 20
PATIENCE = 120.0  # seconds
QUIET = 0.2  # seconds without any CPU used: it rests
REST = 15.0  # seconds in which nothing happens
SECOND = 1.0  # of the metadata service, as long as it is


@contextmanager
def publishing(store: str) -> Iterator[Publishing]:
    """An empty prefix in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if store == "consul":
            with running_consul(Path(folder)) as consul, closing(ConsulPublication(consul, "traefik")) as found:
                yield found
        else:
            with running_etcd(Path(folder)) as etcd, closing(Publication(etcd, "traefik")) as found:
                yield found


@contextmanager
def bridge(url: str, source: str) -> Iterator[subprocess.Popen[bytes]]:
    """One `bridge run` that gathers no bursts and believes its first removal."""
    command = [sys.executable, "-m", "bridge", "run", "--store", url, "--source", source]
    options = ["--settle", "0", "--confirm", "0"]
    with subprocess.Popen([*command, *options], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


class Eyes:
    """The moments at which one key comes and goes."""

    def __init__(self, here: Publishing, key: str) -> None:
        self._seen: Queue[tuple[float, bool]] = Queue()
        self._key = key
        self._store = here.client()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        now = self._store.read(self._key)
        self._see(now)
        for news in self._store.watch(self._key, now.revision):
            self._see(news)

    def _see(self, news: Reading) -> None:
        self._seen.put((monotonic(), news.items.get(self._key) is not None))

    def wait(self, *, stands: bool) -> float:
        """When the key came to stand, or to be gone: monotonic seconds."""
        while True:
            when, is_there = self._seen.get(timeout=PATIENCE)
            if is_there is stands:
                return when


def of_process(process: subprocess.Popen[bytes], name: str) -> float:
    """MB of one of the kernel's counts."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that the process used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rest(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has nothing to do."""
    used = -1.0
    while used != (used := cpu(process)):
        sleep(QUIET)


def flipped(world: list[Object]) -> tuple[list[Object], str]:
    """The same world with one unhealthy container, and that container's uuid."""
    other = copy.deepcopy(world)
    service = cast(list[Object], other[0]["services"])[0]
    container = cast(list[Object], service["containers"])[0]
    container["health_state"] = "unhealthy"
    return other, str(container["uuid"])


def bare(source: str, here: Publishing) -> float:
    """Seconds to fetch and decode the same answer and to write one key, by nothing but the clients."""
    with requests.Session() as session:
        session.headers["Accept"] = "application/json"
        session.get(f"{source}{API}/version", timeout=PATIENCE)
        began = monotonic()
        session.get(f"{source}{API}/stacks", timeout=PATIENCE).json()
        here.hand.put("elsewhere", "x")
        return monotonic() - began


def measure(store: str, services: int, containers: int) -> None:
    """Print what one daemon costs on one store."""
    world = stacks(services, containers)
    other, uuid = flipped(world)
    with ExitStack() as stack:
        here = stack.enter_context(publishing(store))
        service = stack.enter_context(MetadataServer(world, second=SECOND, shuffles=False))
        service.alternate([world, other])
        began = monotonic()
        process = stack.enter_context(bridge(here.url, service.url))
        service.wait_until_polled(PATIENCE)
        keys = settled(here)
        first = monotonic() - began
        key = next(here.tree + path for path in here.published() if uuid in path and path.endswith("/url"))
        eyes = Eyes(here, key)
        eyes.wait(stands=True)
        took, plain = [], []
        for flip in range(FLIPS):
            service.wait_until_polled(PATIENCE)
            rest(process)
            woke = monotonic()
            service.reload()
            took.append(eyes.wait(stands=bool(flip % 2)) - woke)
        for _ in range(FLIPS):
            plain.append(bare(service.url, here))
        service.wait_until_polled(PATIENCE)
        settled(here)
        used, revision = cpu(process), here.revision()
        sleep(REST)
        resting, written = cpu(process) - used, here.revision() - revision
        memory, most = of_process(process, "VmRSS"), of_process(process, "VmHWM")
    print(f"{store}, {services} services x {containers}, {keys} keys, first published within {first:.1f} s")
    print(f"  one flip {1e3 * median(took):.0f} ms (worst of {FLIPS}: {1e3 * max(took):.0f} ms), ", end="")
    print(f"bare clients {1e3 * median(plain):.0f} ms: {median(plain) / median(took):.2f} of their speed")
    print(f"  at rest {100 * resting / REST:.1f} % of one CPU, {written} revisions in {REST:.0f} s")
    print(f"  memory {memory:.0f} MB, at most {most:.0f} MB")


def settled(here: Publishing) -> int:
    """Wait until two looks in a row find the same keys; how many stand."""
    before = -1
    while True:
        now = len(here.published())
        if now == before and now > 1:
            return now
        before = now
        sleep(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--containers", type=int, default=3, help="a service")
    parser.add_argument("--store", nargs="+", choices=("etcd", "consul"), default=("etcd", "consul"))
    asked = parser.parse_args()
    for store in asked.store:
        measure(store, asked.services, asked.containers)


if __name__ == "__main__":
    main()
