"""A thread of the daemon that dies or hangs is seen, told and begun again; a loop that stands still ends the process.

The loop itself, on a store in memory and a source by hand: real ones do not hang in a given thread when they are told.
What the loop calls long is made short.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import pytest

from bridge.cli import run
from bridge.daemon.gate import Manners
from bridge.daemon.loop import Loop
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Committed, Conflict, LeaseName, Limits, Reading, Transaction
from bridge.model.keys import Publisher
from bridge.model.problem import BridgeError
from bridge.model.world import Snapshot
from bridge.routes import Policy
from bridge.stores.memory import Memory, MemoryServer
from bridge.writer import Settings
from tests.publishing import keys, service, world
from tests.test_run_etcd import ROOT, eventually

TREE, RECORDS = "/traefik/", "bridge/traefik/"
SILENT = 1.0  # seconds; a watch of the store in memory gives a sign twice as often
TTL = 2  # seconds
METHOD = "backends/shoes__shop/loadbalancer/method"
SHOES, BOTH = world(service("shoes")), world(service("shoes"), service("socks"))

# Such a thread ends with a traceback: it is what is tried here.
dies = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@dataclass
class ByHand:
    """A source that shows what it is given, until it is told to hang or to die."""

    url = "hand:"
    shows: Snapshot
    dies: int = 0  # so many times, of what nobody thought of
    hangs: Event = field(default_factory=Event)  # once it is set, no sign comes any more
    wakes: Event = field(default_factory=Event)  # … until this one is set
    closed: Event = field(default_factory=Event)
    ended: Event = field(default_factory=Event)  # whoever listened listens no more

    def read(self) -> Snapshot:
        return self.shows

    def changes(self) -> Iterator[Snapshot]:
        try:
            while self.hangs.is_set() or not self.closed.is_set():
                if self.dies:
                    self.dies -= 1
                    raise RuntimeError("a fault that nobody thought of")
                if self.hangs.is_set():
                    self.wakes.wait()
                yield self.shows
                self.closed.wait(0.3)
        finally:
            self.ended.set()

    def close(self) -> None:
        self.closed.set()


@dataclass
class Troubled:
    """A client of the store in memory to which things happen."""

    real: Memory
    on_watch: Callable[[], None] = lambda: None
    on_renew: Callable[[], None] = lambda: None
    on_commit: Callable[[], None] = lambda: None
    reads: int = 0

    def __post_init__(self) -> None:
        self.limits: Limits = self.real.limits
        self.url = self.real.url

    def know(self, families: Iterable[str]) -> None:
        self.real.know(families)

    def read(self, prefix: str) -> Reading:
        self.reads += 1
        return self.real.read(prefix)

    def watch(self, prefix: str, after: int) -> Iterator[Reading]:
        for reading in self.real.watch(prefix, after):
            self.on_watch()
            yield reading

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        self.on_commit()
        return self.real.commit(transaction)

    def ensure(self, name: LeaseName) -> None:
        self.real.ensure(name)

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        self.on_renew()
        return self.real.renew(names)

    def remaining(self, name: LeaseName) -> float | None:
        return self.real.remaining(name)

    def close(self) -> None:
        self.real.close()


@dataclass
class Daemon:
    """One loop in a thread of its own, and all that it opened."""

    server: MemoryServer = field(default_factory=lambda: MemoryServer(time.monotonic))
    sources: Queue[ByHand] = field(default_factory=Queue)  # what is opened next; the last one again and again
    opened: list[ByHand] = field(default_factory=list)
    clients: list[Troubled] = field(default_factory=list)
    trouble: Callable[[Troubled], None] = lambda _: None  # happens to each client that is opened

    def start(self, *sources: ByHand) -> None:
        for source in sources:
            self.sources.put(source)
        publisher = Publisher(TRAEFIK1, TREE, RECORDS, "default")
        settings = Settings(publisher, "", "1", TTL, "a", "token", read_time=0.1)
        manners = Manners(settle=0.01, confirm=0)
        self.loop = Loop(self._source, self._store, settings, Policy("default"), TRAEFIK1, manners)
        self.thread = Thread(target=self.loop.run, name="loop", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.loop.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def _source(self) -> ByHand:
        source = ByHand(self.opened[-1].shows) if self.sources.empty() else self.sources.get()
        self.opened.append(source)
        return source

    def _store(self) -> Troubled:
        client = Troubled(Memory(self.server))
        self.trouble(client)
        self.clients.append(client)
        return client

    def published(self) -> dict[str, str]:
        items = Memory(self.server).read(TREE).items
        return {key.removeprefix(TREE): item.value for key, item in items.items() if item is not None}

    def holds(self, seen: Snapshot) -> None:
        """Return once the store holds exactly this world."""
        eventually(lambda: self.published() == keys(seen))


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Daemon]:
    caplog.set_level(logging.INFO, "bridge")
    monkeypatch.setattr("bridge.daemon.loop.CHECKED", 0.05)
    monkeypatch.setattr("bridge.daemon.loop.SILENT", SILENT)
    found = Daemon()
    with ExitStack() as stack:
        stack.callback(found.stop)
        yield found


def test_what_nobody_thought_of_in_a_source_is_told_and_it_is_asked_again(
    daemon: Daemon, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More and more seldom: a thread that ended would be begun again as soon as it was seen."""
    monkeypatch.setattr("bridge.daemon.loop.SILENT", 60.0)  # else its second pause passes for hanging, now and then
    source = ByHand(SHOES, dies=2)
    began = time.monotonic()
    daemon.start(source)
    daemon.holds(SHOES)
    assert time.monotonic() - began > 1.5
    assert caplog.messages.count("source: a fault of the bridge itself") == 2
    assert daemon.opened == [source]


def test_a_source_thread_that_hangs_is_told_and_begun_again(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    """Its old source is closed, and what that says at last is of long ago: nobody hears it."""
    first = ByHand(SHOES)
    daemon.start(first, ByHand(BOTH))
    daemon.holds(SHOES)
    first.hangs.set()
    daemon.holds(BOTH)
    assert "source: its thread stands still; it is begun again" in caplog.messages
    first.wakes.set()
    eventually(first.ended.is_set)
    daemon.server.erase(TREE + METHOD)  # what is put back comes behind all that was in the loop's queue
    daemon.holds(BOTH)
    assert not any("shop/socks: close" in message for message in caplog.messages)


@pytest.mark.parametrize(
    ("how", "silent", "told"),
    [("dies", 60.0, "a fault of the bridge itself"), ("hangs", SILENT, "a watch stands still")],
)
def test_a_watch_that_dies_or_hangs_is_told_and_begun_again_and_all_is_read_afresh(
    daemon: Daemon,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: str,
    silent: float,
    told: str,
) -> None:
    """What happened meanwhile is seen: a key that somebody deleted is put back. A death is seen without waiting."""
    monkeypatch.setattr("bridge.daemon.loop.SILENT", silent)
    struck, over = Event(), Event()

    def strike() -> None:
        if struck.is_set() and not over.is_set():
            if how == "dies":
                raise RuntimeError("a fault that nobody thought of")
            over.wait()

    daemon.trouble = lambda client: setattr(client, "on_watch", strike)
    daemon.start(ByHand(SHOES))
    daemon.holds(SHOES)
    watching = len(daemon.clients)
    struck.set()
    daemon.server.erase(TREE + METHOD)
    eventually(lambda: len(daemon.clients) >= watching + 2)
    over.set()
    daemon.holds(SHOES)
    assert any(told in message for message in caplog.messages)


@dies
def test_a_lease_thread_that_dies_is_told_and_begun_again(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    """And no lease ended meanwhile: not one key was written again."""
    faults = iter([RuntimeError("a fault that nobody thought of")])

    def strike() -> None:
        if renewed.is_set() and (fault := next(faults, None)):
            raise fault

    renewed = Event()
    daemon.trouble = lambda client: setattr(client, "on_renew", strike)
    daemon.start(ByHand(SHOES))
    daemon.holds(SHOES)
    revision = daemon.server.revision
    renewed.set()
    eventually(lambda: "leases: its thread ended; it is begun again" in caplog.messages)
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 1.5 * TTL)
    assert daemon.published() == keys(SHOES)
    assert daemon.server.revision == revision


def test_a_lease_thread_that_hangs_is_told_and_begun_again_before_a_lease_ends(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With another client: whatever the old one waits for may hold up whoever asks it next."""
    monkeypatch.setattr("bridge.daemon.link.HANGS", 0.3)
    hangs, over = Event(), Event()

    def strike() -> None:
        if hangs.is_set():
            hangs.clear()
            over.wait()

    daemon.trouble = lambda client: setattr(client, "on_renew", strike)
    daemon.start(ByHand(SHOES))
    daemon.holds(SHOES)
    revision = daemon.server.revision
    hangs.set()
    eventually(lambda: "leases: its thread hangs; it is begun again" in caplog.messages)
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 1.5 * TTL)
    over.set()
    assert daemon.published() == keys(SHOES)
    assert daemon.server.revision == revision


def test_a_process_whose_loop_stands_still_ends_and_says_so(tmp_path: Path) -> None:
    """It must not look alive: whoever runs it starts it again. Its store hangs for good in the first call."""
    script = tmp_path / "hangs.py"
    script.write_text(STANDS_STILL)
    ran = subprocess.run(
        [sys.executable, str(script), f"file:{tmp_path / 'none.json'}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert "the loop: it stands still; the process ends, so that it is started again" in ran.stderr


@dataclass
class Paused:
    """The clock, the event that ends the process, and the one loop, of a process that is paused before its first look.

    Which of its threads goes on first is chance: here it is the one that looks.
    """

    goes_on: bool  # the loop does, too
    now: float = 1000.0
    beat: float = 1000.0
    looks: int = 0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.looks += 1
        self.now += seconds if self.looks > 1 else 100.0
        if self.goes_on and self.looks > 1:
            self.beat = self.now

    def is_set(self) -> bool:
        return self.goes_on and self.looks == 3

    @property
    def loop(self) -> Paused:
        return self

    @property
    def ended(self) -> Event:
        return Event()


def watched_over(paused: Paused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "time", paused)
    run._watch_over([paused], paused, Event(), lambda: None)  # type: ignore[list-item, arg-type]


def test_a_process_that_was_paused_is_not_taken_for_one_whose_loop_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where a container is paused, or a virtual machine moves."""
    watched_over(Paused(goes_on=True), monkeypatch)


def test_a_loop_that_does_not_go_on_after_a_pause_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    paused = Paused(goes_on=False)
    with pytest.raises(BridgeError, match="stands still"):
        watched_over(paused, monkeypatch)
    assert paused.now <= 1000 + 100 + run.STANDS_STILL + 1


STANDS_STILL = """
import sys, threading
import bridge.cli.run
from bridge.cli import main
from bridge.stores.memory import Memory, MemoryServer

class Hangs(Memory):
    def read(self, prefix):
        threading.Event().wait()

bridge.cli.run.STANDS_STILL = 1.0
bridge.cli.run.store_opener = lambda config, site: lambda: Hangs(MemoryServer())
sys.argv = ["bridge", "run", "--store", "etcd://127.0.0.1:1/traefik", "--source", sys.argv[1], "--read-time", "1"]
sys.exit(main())
"""
