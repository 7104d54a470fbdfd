"""What the daemon's loop promises where sources, stores and clocks behave badly: on a store in memory, sources by hand.

Real ones do not do these things when they are told.
"""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event, Thread

import pytest

from bridge.daemon.gate import Manners
from bridge.daemon.loop import Loop
from bridge.daemon.rules import Rules
from bridge.daemon.wakes import Broke, Seen
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Committed, Conflict, LeaseName, Limits, Reading, Transaction, Update
from bridge.model.drain import Scope
from bridge.model.keys import Publisher
from bridge.model.problem import UsageError
from bridge.model.world import Snapshot
from bridge.ownership.brake import BrakeRule
from bridge.ownership.records import drain_path, write_drain
from bridge.routes import Policy
from bridge.routes.constraints import constraints
from bridge.sources.base import SourceError
from bridge.stores.base import Refused, Unavailable
from bridge.stores.memory import Memory, MemoryServer
from bridge.web.board import Board
from bridge.web.health import readiness
from bridge.writer import Settings
from tests.grounds import commit
from tests.publishing import keys, service, with_containers, with_labels, without_health, world
from tests.test_run_etcd import eventually

TREE, RECORDS = "/traefik/", "bridge/traefik/"
SHOES = world(service("shoes"))
BOTH = world(service("shoes"), service("socks"))
SICK = world(without_health(service("shoes"), "shoes-1"))
LEADER = RECORDS + "c/default/leader"


@dataclass
class Shown:
    """A source that says what is appended to `worlds`: a world, or why there is none."""

    worlds: list[Snapshot | SourceError]
    url = "shown:"
    read_hangs: bool = False
    closed: Event = field(default_factory=Event)

    def read(self) -> Snapshot:
        if self.read_hangs:
            self.closed.wait(30)
        return next(one for one in reversed(self.worlds) if isinstance(one, Snapshot))

    def changes(self) -> Iterator[Snapshot]:
        told = 0
        while not self.closed.is_set():
            if told == len(self.worlds):
                self.closed.wait(0.01)
                continue
            told += 1
            one = self.worlds[told - 1]
            if isinstance(one, Snapshot):
                yield one

    def close(self) -> None:
        self.closed.set()


@dataclass
class Trouble:
    """What happens to every client of the store."""

    down: bool = False
    watch_fails: bool = False
    reads_fail: bool = False
    delay: float = 0.0  # seconds that a commit takes
    refuses: Callable[[Transaction], bool] = lambda _: False
    reads: int = 0


class Client(Memory):
    """A client to which it happens."""

    def __init__(self, server: MemoryServer, trouble: Trouble) -> None:
        super().__init__(server)
        self.trouble = trouble

    def read(self, prefix: str) -> Reading:
        self.trouble.reads += 1
        self._fail()
        if self.trouble.reads_fail:
            raise Unavailable("the store", "memory", "is too slow")
        return super().read(prefix)

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        self._fail()
        return super().renew(names)

    def watch(self, prefix: str, after: int) -> Iterator[Reading]:
        if self.trouble.watch_fails:
            raise Unavailable("the store", "memory", "lets nobody watch")
        return super().watch(prefix, after)

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        time.sleep(self.trouble.delay)
        self._fail()
        if self.trouble.refuses(transaction):
            raise Refused("the store", "memory", "lets this client write other keys only")
        return super().commit(transaction)

    def _fail(self) -> None:
        if self.trouble.down:
            raise Unavailable("the store", "memory", "is down")


@dataclass
class Daemon:
    """One loop that runs, its source, its store, and what happens to them."""

    loop: Loop
    worlds: list[Snapshot | SourceError]
    server: MemoryServer
    trouble: Trouble

    def published(self) -> dict[str, str]:
        items = Memory(self.server).read(TREE).items
        return {key.removeprefix(TREE): item.value for key, item in items.items() if item is not None}

    def holds(self, seen: Snapshot, seconds: float = 30.0) -> None:
        """Return once the store holds exactly this world."""
        began = time.monotonic()
        eventually(lambda: self.published() == keys(seen))
        assert time.monotonic() < began + seconds

    def leader(self) -> str:
        """The leader record, empty where there is none."""
        item = Memory(self.server).read(LEADER).items.get(LEADER)
        return item.value if item else ""


@contextmanager
def running(
    *worlds: Snapshot,
    server: MemoryServer | None = None,
    replica: str = "a",
    read_time: float = 0.1,
    confirm: float = 0.0,
    read_hangs: bool = False,
    ttl: int = 300,
) -> Iterator[Daemon]:
    shared, trouble = server or MemoryServer(time.monotonic), Trouble()
    shown: list[Snapshot | SourceError] = [*worlds]
    settings = Settings(
        Publisher(TRAEFIK1, TREE, RECORDS, "default"), "", "1", ttl, replica, f"token-{replica}", read_time=read_time
    )
    loop = Loop(
        lambda: Shown(shown, read_hangs),
        lambda: Client(shared, trouble),
        settings,
        Policy("default"),
        TRAEFIK1,
        Manners(settle=0.01, confirm=confirm),
    )
    thread = Thread(target=loop.run, name=f"loop of {replica}", daemon=True)
    thread.start()
    try:
        yield Daemon(loop, shown, shared, trouble)
    finally:
        trouble.down = trouble.watch_fails = trouble.reads_fail = False
        trouble.delay = 0.0
        loop.stop()
        thread.join(10)
        assert not thread.is_alive()


def turns(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which the loop goes round, from now on."""
    moments: list[float] = []
    real = loop._try

    def counted() -> None:
        moments.append(time.monotonic())
        real()

    monkeypatch.setattr(loop, "_try", counted)
    return moments


# What waits, waits


def test_while_the_store_is_away_the_loop_rests_though_a_step_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(BOTH, read_time=1.0) as daemon:
        daemon.holds(BOTH)
        daemon.worlds.append(SHOES)  # a group closes, and is cleared a read-time later
        eventually(lambda: daemon.loop.due_at is not None)
        daemon.trouble.down = True
        due = daemon.loop.due_at or 0.0
        eventually(lambda: time.monotonic() > due and not daemon.loop.link.is_current)
        moments = turns(daemon.loop, monkeypatch)
        time.sleep(2)
        assert len(moments) < 20
        daemon.trouble.down = False
        daemon.holds(SHOES)


def test_a_watch_that_fails_at_once_is_begun_again_after_growing_pauses() -> None:
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        daemon.trouble.watch_fails = True
        daemon.loop.link.reread()
        before = daemon.trouble.reads
        time.sleep(3)
        assert daemon.trouble.reads - before < 20
        daemon.trouble.watch_fails = False
        daemon.worlds.append(BOTH)
        daemon.holds(BOTH)


def test_a_second_reading_that_hangs_is_one_thread_not_many() -> None:
    with running(SHOES, confirm=0.1, read_hangs=True) as daemon:
        daemon.holds(SHOES)
        daemon.worlds.append(SICK)
        eventually(lambda: daemon.loop.second is not None)
        began = time.monotonic()
        while time.monotonic() < began + 1.0:
            assert sum(thread.name == "second reading" for thread in threading.enumerate()) == 1
            time.sleep(0.05)


def test_a_time_of_day_that_was_set_back_delays_no_reading_of_all_that_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.daemon.loop.REREAD", 1)
    with running(SHOES) as daemon:
        daemon.holds(SHOES)

        real = datetime.datetime

        class Back(real):  # type: ignore[valid-type, misc]  # the class as it was before it is replaced
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
                return real.now(tz) - datetime.timedelta(hours=5)

        monkeypatch.setattr("schedule.datetime.datetime", Back)
        before = daemon.trouble.reads
        eventually(lambda: daemon.trouble.reads > before + 4)


# Slow commits


def test_a_slow_commit_is_a_sign_of_life() -> None:
    """A first sync of many transactions may take minutes, and the process must not be taken for dead."""
    small = MemoryServer(time.monotonic, limits=Limits(20, 10**6, create=1, update=1, move=1, delete=1, check=1))
    many = world(*(service(f"s{number}", 1) for number in range(20)))
    with running(SHOES, server=small) as daemon:
        daemon.holds(SHOES)
        daemon.trouble.delay = 0.2
        daemon.worlds.append(many)
        silences = []

        def is_written() -> bool:
            silences.append(time.monotonic() - daemon.loop.beat)
            return len(daemon.published()) >= len(keys(many))

        eventually(is_written)
        assert max(silences) < 2.0


def test_of_worlds_that_came_during_a_slow_commit_the_newest_alone_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        judged: list[Snapshot] = []
        real = daemon.loop.wanted.see

        def see(seen: Snapshot) -> bool:
            judged.append(seen)
            return real(seen)

        monkeypatch.setattr(daemon.loop.wanted, "see", see)
        daemon.trouble.delay = 1.0
        daemon.worlds.append(SICK)
        eventually(lambda: bool(judged))
        daemon.worlds.extend([SHOES, SICK] * 30)
        daemon.worlds.append(BOTH)
        eventually(lambda: daemon.loop.wakes.qsize() > 50)
        daemon.trouble.delay = 0.0
        daemon.holds(BOTH)
        assert len(judged) < 6


def test_what_was_written_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bridge")
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        for seen in [SICK, SHOES] * 5:
            daemon.worlds.append(seen)
            daemon.holds(seen)
        eventually(lambda: daemon.loop.wakes.empty())
        assert len(daemon.loop.link.writer("").written) == 0
    lines = [line for line in caplog.messages if line.startswith("shop/shoes: publish")]
    assert len(lines) == 11


def test_keys_that_may_not_be_written_hold_up_no_others(caplog: pytest.LogCaptureFixture) -> None:
    """As where a token has no right to one service's keys. Said once, not at each try."""
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        daemon.trouble.refuses = lambda sent: any("/aaa__shop/" in change.key for change in sent.changes)
        daemon.worlds.append(world(service("aaa"), service("shoes"), service("socks")))
        eventually(lambda: keys(BOTH).items() <= daemon.published().items())
        assert not any("aaa" in path for path in daemon.published())
        daemon.trouble.refuses = lambda _: False
        daemon.holds(world(service("aaa"), service("shoes"), service("socks")))
    assert sum("lets this client write other keys only" in line for line in caplog.messages) == 1


# Readings that mislead


def test_a_problem_is_told_also_while_the_store_takes_no_change(caplog: pytest.LogCaptureFixture) -> None:
    """Once, however often the change is tried again."""
    caplog.set_level(logging.INFO, "bridge")
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        daemon.trouble.refuses = lambda _: True
        reads = daemon.trouble.reads
        daemon.worlds.append(world(with_labels(service("shoes", 2), weight="heavy")))
        eventually(lambda: daemon.trouble.reads >= reads + 4)
        assert sum("traefik.weight" in line for line in caplog.messages) == 1


def test_a_second_reading_that_shows_an_older_world_does_not_become_the_world() -> None:
    """A source that was just opened cannot tell an older document; the one that lives on refuses it."""
    with running(BOTH) as daemon:
        daemon.holds(BOTH)
        daemon.loop.wakes.put(Seen(SHOES, again=True))
        changed = world(service("shoes"), with_containers(service("socks")))
        daemon.worlds.append(changed)
        daemon.holds(changed)
        assert daemon.loop.wanted.snapshot == changed


# What is drained


def test_until_the_source_tells_the_hosts_of_which_one_is_drained_all_is_kept_and_the_loop_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever judged by the world without hosts would bring back what is drained."""
    told: list[Shown] = []
    monkeypatch.setattr(Shown, "tell_hosts", lambda shown: told.append(shown), raising=False)
    housed = [replace(box, host_uuid=f"h-{at}") for at, box in enumerate(service("shoes").containers)]
    hosts = replace(world(with_containers(service("shoes"), *housed)), host_names={"h-0": ("one",)})
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        before = daemon.published()
        record = RECORDS + drain_path("default", Scope.HOST, "one")
        daemon.server.write(record, write_drain(Scope.HOST, "one", "now"))
        eventually(lambda: len(told) == 1)
        daemon.loop.due_at = time.monotonic()  # a step of an earlier plan
        moments = turns(daemon.loop, monkeypatch)
        daemon.worlds.append(BOTH)
        time.sleep(1)
        assert len(moments) < 20
        assert daemon.published() == before
        daemon.worlds.append(hosts)
        eventually(lambda: len(daemon.published()) < len(before))
        assert all("shoes-1/" in path for path in before.keys() - daemon.published().keys())
        daemon.server.write(record, "{}")
        eventually(lambda: daemon.published() == before)
        assert len(told) == 1


# Leases, secrets


def test_leases_that_were_all_lost_at_once_are_granted_at_once() -> None:
    """As where somebody deregistered a node of Consul's catalog."""
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        eventually(lambda: daemon.loop.wakes.empty())
        for name in list(daemon.server._leases):
            daemon.server.end(name)
        daemon.holds(SHOES, seconds=3.0)


def test_leases_that_ended_while_the_store_was_away_cost_readiness_until_a_pass_went_well() -> None:
    """A store that renews again, and answers no reading yet, says so by the first renewal."""
    with running(SHOES, ttl=3) as daemon:
        daemon.holds(SHOES)
        eventually(lambda: not readiness(Board("1", (daemon.loop,)))[0].reasons)
        daemon.trouble.reads_fail = True
        daemon.loop.link.reread()
        daemon.loop.wakes.put(Seen(SHOES))
        reads = daemon.trouble.reads
        eventually(lambda: daemon.trouble.reads > reads)
        for name in list(daemon.server._leases):
            daemon.server.end(name)
        eventually(lambda: any("has ended" in why for why in readiness(Board("1", (daemon.loop,)))[0].reasons))
        assert daemon.published() != keys(SHOES)
        daemon.trouble.reads_fail = False
        eventually(lambda: not readiness(Board("1", (daemon.loop,)))[0].reasons)
        daemon.holds(SHOES)


def test_rules_that_look_at_more_wait_for_a_source_that_was_asked_for_it() -> None:
    """What the source before still had to say may lack it, and a route would go for that."""
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        loop, asked = daemon.loop, list[Snapshot | SourceError]()
        policy, before = Policy("default", constraints=constraints("!Label(`team`, `none`)")), loop.source
        loop.reread(Rules(lambda: Shown(asked), policy, TRAEFIK1, loop.manners, BrakeRule()))
        eventually(lambda: loop.source is not before)
        loop.wakes.put(Seen(BOTH, source=before))
        for _ in range(3):  # it is taken, and the pass behind it is over
            at = loop.beat
            loop.reread(None)
            eventually(lambda: loop.wakes.empty() and loop.beat > at)  # noqa: B023
        assert daemon.published() == keys(SHOES)
        asked.append(BOTH)
        daemon.holds(BOTH)


def test_a_client_that_fails_is_replaced_by_one_that_reads_its_secrets_afresh(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A token that was replaced in its file; while the file is gone the old client is kept."""
    server, trouble = MemoryServer(time.monotonic), Trouble()
    token, right = ["old"], ["old"]

    class Tokened(Client):
        def __init__(self) -> None:
            if not token:
                raise UsageError("--store-token-file", "token", "cannot be read")
            super().__init__(server, trouble)
            self.token = token[0]

        def _fail(self) -> None:
            if self.token != right[0]:
                raise Refused("the store", "memory", "no such token")

    shown: list[Snapshot | SourceError] = [SHOES]
    settings = Settings(Publisher(TRAEFIK1, TREE, RECORDS, "default"), "", "1", 300, "a", "t", read_time=0.1)
    loop = Loop(lambda: Shown(shown), Tokened, settings, Policy("default"), TRAEFIK1, Manners(settle=0.01, confirm=0))
    thread = Thread(target=loop.run, daemon=True)
    thread.start()
    daemon = Daemon(loop, shown, server, trouble)
    daemon.holds(SHOES)
    token.clear()
    right[0] = "new"
    shown.append(BOTH)
    eventually(lambda: any("the old connection is kept" in line for line in caplog.messages))
    token.append("new")
    daemon.holds(BOTH)
    loop.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_leases_live_on_while_a_store_that_renews_them_answers_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than their TTL, and the leadership too: a reading of all that stands is the first that is too slow."""
    monkeypatch.setattr("bridge.leases.REPLICA_TTL", 2)
    with running(SHOES, ttl=2) as daemon:
        daemon.holds(SHOES)
        before, leader = Memory(daemon.server).read("").items, daemon.leader()
        daemon.trouble.reads_fail = True
        daemon.loop.link.reread()
        daemon.loop.wakes.put(Seen(SHOES))
        reads = daemon.trouble.reads
        eventually(lambda: daemon.trouble.reads >= reads + 4)  # tried again, by other clients, after 0.5, 1, 2 s
        assert Memory(daemon.server).read("").items == before
        daemon.trouble.reads_fail = False
        daemon.worlds.append(BOTH)
        daemon.holds(BOTH)
        assert daemon.leader() == leader


# Who leads


def test_a_leader_whose_record_somebody_wrote_over_leads_again_though_the_record_kept_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on Consul: it follows whoever that may be, and renews nothing for it."""
    monkeypatch.setattr("bridge.leases.REPLICA_TTL", 2)
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        client = Memory(daemon.server)
        lease = LeaseName("c/default/replica/a", 2)
        client.ensure(lease)
        held = client.read(LEADER).items[LEADER]
        assert held is not None
        assert commit(client, Update(LEADER, "by hand", lease, held.revision, lease))
        daemon.worlds.append(BOTH)
        daemon.holds(BOTH)
        assert "token-a" in daemon.leader()


def fails(daemon: Daemon) -> None:
    """Its source says no more than that it fails."""
    daemon.loop.wakes.put(Broke("source", SourceError("source", "shown:", "answers nothing")))


def test_a_follower_whose_source_fails_leaves_the_leadership_to_one_that_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it knows may be long past: it would publish what has died since."""
    monkeypatch.setattr("bridge.daemon.lead.WAITS", 3.0)
    server = MemoryServer(time.monotonic)
    with running(SHOES, server=server) as first:
        first.holds(SHOES)
        with running(SHOES, server=server, replica="b") as second:
            eventually(lambda: second.loop.wanted.snapshot == SHOES and second.loop.link.is_current)
            fails(second)
            first.worlds.append(SICK)
            first.holds(SICK)
            with running(SICK, server=server, replica="c") as third:
                eventually(lambda: third.loop.wanted.snapshot == SICK and third.loop.link.is_current)
                first.loop.stop()
                eventually(lambda: "token-c" in third.leader())
                assert third.published() == keys(SICK)


def test_where_nobody_else_leads_one_whose_source_fails_does_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.daemon.lead.WAITS", 0.5)
    server = MemoryServer(time.monotonic)
    with running(SHOES, server=server) as first:
        first.holds(SHOES)
        with running(SHOES, server=server, replica="b") as second:
            eventually(lambda: second.loop.wanted.snapshot == SHOES and second.loop.link.is_current)
            fails(second)
            first.loop.stop()
            eventually(lambda: "token-b" in second.leader())
            assert second.published() == keys(SHOES)


def test_a_leader_whose_source_fails_for_long_lets_one_that_sees_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no key of a route changes; when its source is well again it follows."""
    monkeypatch.setattr("bridge.daemon.lead.BLIND", 0.3)
    monkeypatch.setattr("bridge.daemon.loop.CHECKED", 0.05)
    server = MemoryServer(time.monotonic)
    with running(SHOES, server=server) as first:
        first.holds(SHOES)
        before = Memory(server).read(TREE).items
        with running(SHOES, server=server, replica="b") as second:
            eventually(lambda: second.loop.wanted.snapshot == SHOES and second.loop.link.is_current)
            fails(first)
            eventually(lambda: "token-b" in first.leader())
            assert Memory(server).read(TREE).items == before
            second.worlds.append(BOTH)
            second.holds(BOTH)


def test_a_leader_whose_source_fails_for_long_goes_on_where_nobody_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And gives the leadership back once an outage, not again and again."""
    caplog.set_level(logging.INFO, "bridge")
    monkeypatch.setattr("bridge.daemon.lead.BLIND", 0.2)
    monkeypatch.setattr("bridge.daemon.lead.WAITS", 0.3)
    monkeypatch.setattr("bridge.daemon.loop.CHECKED", 0.05)
    with running(SHOES) as daemon:
        daemon.holds(SHOES)
        fails(daemon)
        eventually(lambda: daemon.leader() == "")
        eventually(lambda: daemon.leader() != "")
        began = time.monotonic()
        eventually(lambda: time.monotonic() > began + 1.0)
        assert sum("another replica may lead" in line for line in caplog.messages) == 1
        path = "backends/shoes__shop/loadbalancer/method"
        daemon.server.erase(TREE + path)
        daemon.holds(SHOES)


def test_a_brake_that_is_shut_is_the_leaders_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that came to follow neither shows it, nor counts its time from then when it leads again."""
    monkeypatch.setattr("bridge.daemon.lead.BLIND", 0.3)
    monkeypatch.setattr("bridge.daemon.loop.CHECKED", 0.05)
    server, strict = MemoryServer(time.monotonic), BrakeRule(share=0.0, least=1)
    with running(SHOES, server=server) as first:
        first.holds(SHOES)
        first.loop.reread(Rules(lambda: Shown(first.worlds), first.loop.policy, TRAEFIK1, first.loop.manners, strict))
        first.worlds.append(SICK)
        eventually(lambda: first.loop.status.is_shut)
        with running(SHOES, server=server, replica="b") as second:
            eventually(lambda: second.loop.wanted.snapshot == SHOES and second.loop.link.is_current)
            fails(first)
            eventually(lambda: "token-b" in first.leader())
            eventually(lambda: not first.loop.status.is_shut)
            assert first.loop.gate.opens_at is None
