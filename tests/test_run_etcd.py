"""What `bridge run` promises, by real processes on a real etcd."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridge.leases import REPLICA_TTL
from bridge.model.change import LeaseName
from tests.publishing import Publication, Publishing
from tests.servers import EtcdServer, running_etcd
from tests.worlds.generate import Object, encode, stacks

PATIENCE = 30.0  # seconds; a machine that runs other things too
ENDS_WITHIN = 5.0  # seconds: two are promised, to a machine that does not run other things too; Docker waits for ten
ROOT = Path(__file__).parent.parent
_numbers = itertools.count(1)


@dataclass
class Process:
    """One `bridge run`, and what it said."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.lines.append(line.rstrip())

    def said(self, text: str) -> bool:
        """Whether a line holds `text`."""
        return any(text in line for line in self.lines)

    def end(self, number: int = signal.SIGTERM) -> float:
        """Seconds from the signal to the end."""
        began = time.monotonic()
        self.popen.send_signal(number)
        self.popen.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return time.monotonic() - began

    def close(self) -> None:
        """End it as kill -9 does, if it still runs."""
        self.popen.kill()
        self.popen.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.popen.stderr is not None
        self.popen.stderr.close()


@dataclass
class World:
    """A file that the bridges read."""

    path: Path
    stacks: list[Object] = field(default_factory=lambda: stacks(2, 2))

    def __post_init__(self) -> None:
        self.write()

    def write(self) -> None:
        """Replaced at once, as a careful writer does."""
        new = self.path.with_suffix(".new")
        new.write_bytes(encode(self.stacks))
        new.replace(self.path)

    def containers(self, service: int) -> list[Object]:
        found = self.stacks[0]["services"][service]["containers"]  # type: ignore[index, call-overload]
        assert isinstance(found, list)
        return found  # type: ignore[return-value]

    def turn(self, health: str, service: int = 0, container: int = 0) -> str:
        """Another health of one container; its uuid."""
        one = self.containers(service)[container]
        one["health_state"] = health
        self.write()
        return str(one["uuid"])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world.json")


@pytest.fixture
def publication(etcd_server: EtcdServer) -> Iterator[Publication]:
    found = Publication(etcd_server, f"run{next(_numbers)}")
    yield found
    found.close()


@dataclass
class Fleet:
    """The processes of one test."""

    publication: Publishing
    world: World
    stack: ExitStack
    source: str = ""  # instead of the world's file

    def start(self, replica: str = "a", *options: str) -> Process:
        """One more `bridge run`."""
        popen = subprocess.Popen(
            [
                *(sys.executable, "-m", "bridge", "run", "--store", self.publication.url),
                *("--source", self.source or f"file:{self.world.path}", "--replica", replica),
                *("--read-time", "0.3", "--settle", "0.05", *options),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        process = Process(popen)
        self.stack.callback(process.close)
        return process

    def leader(self) -> str:
        """The replica that leads."""
        record = self.publication.recorded().get("c/default/leader")
        return json.loads(record)["name"] if record else ""

    def ready(self, process: Process, replica: str = "a") -> Process:
        """Once it leads and all is published."""
        eventually(lambda: self.leader() == replica and len(servers(self.publication)) == 4, process)
        return process


@pytest.fixture
def fleet(publication: Publication, world: World) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(publication, world, stack)


def servers(publication: Publishing) -> set[str]:
    """The servers' urls."""
    return {path for path in publication.published() if path.endswith("/url")}


def eventually(happens: Callable[[], bool], process: Process | None = None) -> None:
    """Wait for what the daemon does."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, process.lines if process else "it did not happen"
        time.sleep(0.02)


def revisions(publication: Publishing) -> dict[str, int]:
    """When each of Traefik's keys was last written."""
    return {path: item.revision for path, item in publication.held(publication.tree).items()}


def test_a_flip_changes_the_containers_keys_alone_and_in_one_revision(fleet: Fleet, publication: Publication) -> None:
    process = fleet.ready(fleet.start())
    before, since = fleet.publication.published(), fleet.publication.revision()
    uuid = fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    gone = before.keys() - fleet.publication.published().keys()
    assert gone
    assert all(f"default--{uuid}/" in path for path in gone)
    assert len(publication.wakes(since)) == 1
    fleet.world.turn("healthy")
    eventually(lambda: fleet.publication.published() == before, process)
    assert process.said("because the source changed")


def test_a_process_that_is_told_to_end_ends_within_two_seconds_and_its_routes_stay(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start())
    before = revisions(fleet.publication)
    assert process.end() < ENDS_WITHIN
    assert process.popen.returncode == 0
    assert fleet.leader() == ""
    assert revisions(fleet.publication) == before


def test_killed_and_started_again_within_the_ttl_no_route_key_moves(fleet: Fleet) -> None:
    fleet.ready(fleet.start())
    before = revisions(fleet.publication)
    fleet.stack.pop_all().close()
    again = fleet.start()
    eventually(lambda: again.said("leads cluster"), again)
    uuid = fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, again)
    after = revisions(fleet.publication)
    assert after == {path: revision for path, revision in before.items() if uuid not in path}


def test_killed_for_good_its_routes_are_gone_after_the_ttl(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start("a", "--ttl", "2"))
    process.end(signal.SIGKILL)
    eventually(lambda: not any("__stack" in path for path in fleet.publication.published()))
    assert any("zz-bridge" in path for path in fleet.publication.published())


def test_another_replica_takes_over_and_no_key_changes_but_the_leaders(fleet: Fleet) -> None:
    leader = fleet.ready(fleet.start("a"))
    other = fleet.start("b")
    eventually(lambda: other.said("follows: replica a leads"), other)
    before = fleet.publication.everything()
    leader.end(signal.SIGKILL)
    eventually(lambda: fleet.leader() == "b", other)
    after = fleet.publication.everything()
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} == {
        fleet.publication.records + "c/default/leader"
    }
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, other)


def test_a_leader_that_ends_in_order_is_followed_at_once(fleet: Fleet) -> None:
    leader = fleet.ready(fleet.start("a"))
    other = fleet.start("b")
    eventually(lambda: other.said("follows: replica a leads"), other)
    leader.end()
    began = time.monotonic()
    eventually(lambda: fleet.leader() == "b", other)
    assert time.monotonic() - began < REPLICA_TTL / 2


def test_a_frozen_leader_that_wakes_up_writes_nothing(fleet: Fleet) -> None:
    leader = fleet.ready(fleet.start("a"))
    other = fleet.start("b")
    eventually(lambda: other.said("follows: replica a leads"), other)
    leader.popen.send_signal(signal.SIGSTOP)
    eventually(lambda: fleet.leader() == "b", other)
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, other)
    before = fleet.publication.everything()
    leader.popen.send_signal(signal.SIGCONT)
    eventually(lambda: leader.said("follows: replica b leads"), leader)
    assert fleet.publication.everything() == before


def test_a_key_that_somebody_deletes_is_put_back_and_one_that_is_overwritten_is_left_and_told(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start())
    before = fleet.publication.published()
    method = "backends/web-0__stack-0/loadbalancer/method"
    fleet.publication.erase(method)
    eventually(lambda: fleet.publication.published() == before, process)
    assert process.said("because the store changed")
    fleet.publication.write(method, "wrr")
    eventually(lambda: process.said("was not written by a bridge"), process)
    assert fleet.publication.published()[method] == "wrr"


def test_a_lease_that_ends_under_a_live_bridge_is_granted_again_with_its_keys(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start())
    before = fleet.publication.published()
    fleet.publication.write("frontends/by-hand/backend", "by hand")
    fleet.publication.end(LeaseName("c/default", 300))
    eventually(lambda: fleet.publication.published() == {**before, "frontends/by-hand/backend": "by hand"}, process)


@pytest.mark.parametrize("odd", [b"", b"[]", b"null", b'[{"name": "cut', b'{"code":404}'], ids=repr)
def test_a_source_that_answers_nonsense_removes_nothing(fleet: Fleet, odd: bytes) -> None:
    process = fleet.ready(fleet.start())
    before = revisions(fleet.publication)
    fleet.world.path.write_bytes(odd)
    eventually(lambda: process.said("WARNING source:"), process)
    assert revisions(fleet.publication) == before
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, process)


def beside(fleet: Fleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Another command on the same store."""
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments, "--store", fleet.publication.url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["sync", "leave"])
def test_who_would_write_beside_a_daemon_that_leads_writes_nothing_and_says_who_leads(
    fleet: Fleet, command: str
) -> None:
    process = fleet.ready(fleet.start())
    before = fleet.publication.everything()
    changed = World(fleet.world.path.with_name("changed.json"))
    changed.turn("unhealthy", 1, 1)
    source = ("--source", f"file:{changed.path}") if command == "sync" else ()
    ran = beside(fleet, command, *source)
    assert ran.returncode == 5
    assert "replica 'a' leads cluster default" in ran.stderr
    assert fleet.publication.everything().keys() == before.keys()
    fleet.publication.erase("frontends/web-0__stack-0/backend")
    eventually(lambda: fleet.publication.published().keys() == published(before, fleet), process)


def published(everything: Mapping[str, object], fleet: Fleet) -> set[str]:
    """The paths of Traefik's keys."""
    tree = fleet.publication.tree
    return {key.removeprefix(tree) for key in everything if key.startswith(tree)}


def test_a_dry_run_writes_renews_and_leads_nothing(tmp_path: Path, world: World) -> None:
    """On an etcd of its own: the revision is that of all keys, and other tests' leases end when they like."""
    with running_etcd(tmp_path) as server, ExitStack() as stack:
        publication = Publication(server, "/traefik")
        stack.callback(publication.close)
        fleet = Fleet(publication, world, stack)
        since = publication.revision()
        process = fleet.start("a", "--dry-run")
        eventually(lambda: process.said("dry run: stack-0/web-0: would add"), process)
        process.end()
        assert process.popen.returncode == 0
        assert publication.revision() == since


def test_with_leave_on_exit_all_of_the_cluster_goes(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start("a", "--leave-on-exit"))
    process.end()
    assert process.popen.returncode == 0
    assert fleet.publication.everything() == {}


def test_another_environments_world_under_our_clusters_name_ends_it(fleet: Fleet) -> None:
    fleet.ready(fleet.start("a"))
    before = fleet.publication.everything()
    other = World(fleet.world.path.with_name("other.json"), stacks(2, 2, seed=1))
    fleet.world = other
    process = fleet.start("b")
    eventually(lambda: process.popen.poll() is not None, process)
    assert process.popen.returncode == 2
    eventually(lambda: process.said("two Rancher environments"), process)
    assert fleet.publication.everything() == before


def test_too_many_removals_wait_until_the_brake_opens(fleet: Fleet) -> None:
    fleet.world.stacks = stacks(2, 10)
    fleet.world.write()
    process = fleet.start("a", "--brake-hold", "2")
    eventually(lambda: len(servers(fleet.publication)) == 20, process)
    for service in (0, 1):
        for container in fleet.world.containers(service):
            container["health_state"] = "unhealthy"
    fleet.world.write()
    eventually(lambda: process.said("the brake holds the removal of 20 of 20 servers"), process)
    assert len(servers(fleet.publication)) == 20
    eventually(lambda: servers(fleet.publication) == set(), process)


def test_it_goes_on_with_a_store_that_was_away(tmp_path: Path, world: World) -> None:
    """Killed and started again, then hung for longer than any time-out."""
    with running_etcd(tmp_path) as server, ExitStack() as stack:
        publication = Publication(server, "away")
        stack.callback(publication.close)
        fleet = Fleet(publication, world, stack)
        process = fleet.ready(fleet.start())
        before = revisions(publication)
        server.kill()
        eventually(lambda: process.said("WARNING store:"), process)
        server.start()
        world.turn("unhealthy")
        eventually(lambda: len(servers(publication)) == 3, process)
        assert revisions(publication).items() <= before.items()
        server.freeze()
        world.turn("healthy")
        eventually(lambda: sum("WARNING store:" in line for line in process.lines) > 2, process)
        server.thaw()
        eventually(lambda: len(servers(publication)) == 4, process)
