"""A live `bridge run` whose store is set back to what it held before, or forgets what was changed since.

The store's revision goes back, and keys stand again as they stood then: deleted ones too. The daemon is never started
again; it comes to hold what the world asks for, and leaves what others wrote as the store now has it.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import running_consul, running_etcd
from tests.test_run_etcd import Fleet, Process, World, eventually, servers
from tests.worlds.generate import Json, stacks

BY_HAND = "frontends/by-hand/backend"


@dataclass
class Backup:
    """A store with a server of its own, which can be set back."""

    publication: Publishing
    save: Callable[[], object]
    restore: Callable[[], None]

    def push(self) -> None:
        """Somebody writes: the store's revision moves on, beyond all that it ever was."""
        for number in range(200):
            self.publication.hand.put("elsewhere", str(number))
        self.publication.write(BY_HAND, "later")


@pytest.fixture(params=["etcd", "consul", "consul's folder"])
def backup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backup]:
    """etcd from a snapshot, Consul from a snapshot while it runs, and Consul from a copy of its folder."""
    folder = tmp_path / "server"
    folder.mkdir()
    with ExitStack() as stack:
        if request.param == "etcd":
            etcd = stack.enter_context(running_etcd(folder))
            publication: Publishing = Publication(etcd, "restored")
            stack.callback(publication.close)
            yield Backup(publication, etcd.snapshot, lambda: etcd.restore(folder / "snapshot.db"))
            return
        consul = stack.enter_context(running_consul(folder, lasting=True))
        publication = ConsulPublication(consul, "restored")
        stack.callback(publication.close)
        kept: list[bytes] = []

        def copy() -> None:
            consul.kill()
            shutil.copytree(folder / "data", folder / "kept")
            consul.start()

        def bring_back() -> None:
            consul.kill()
            shutil.rmtree(folder / "data")
            (folder / "kept").rename(folder / "data")
            consul.start()

        if request.param == "consul":
            yield Backup(publication, lambda: kept.append(consul.snapshot()), lambda: consul.restore(kept[0]))
        else:
            yield Backup(publication, copy, bring_back)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world.json")


@pytest.fixture
def fleet(backup: Backup, world: World) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(backup.publication, world, stack)


def label(world: World, service: int, name: str, value: str) -> None:
    """One label of a service in the first stack."""
    found = world.stacks[0]["services"][service]["labels"]  # type: ignore[index, call-overload]
    found[name] = value  # type: ignore[index, call-overload]
    world.write()


def named(found: Json) -> str:
    assert isinstance(found, dict)
    return str(found["name"])


def services(world: World) -> list[Json]:
    found = world.stacks[0]["services"]
    assert isinstance(found, list)
    return found


def live_on(fleet: Fleet, process: Process) -> None:
    """After the snapshot: a server goes, keys change, one service goes and another comes."""
    published = fleet.publication.published
    world = fleet.world
    world.turn("unhealthy")
    label(world, 0, "traefik.alias", "another")
    label(world, 0, "traefik.backend.loadbalancer.method", "drr")
    del services(world)[1]
    services(world).append(services(World(world.path.with_name("more.json"), stacks(3, 2)))[2])
    world.write()

    def is_there() -> bool:
        held = published()
        return (
            len(servers(fleet.publication)) == 3
            and "another" in held["frontends/web-0__stack-0/routes/main/rule"]
            and "frontends/web-2__stack-0/backend" in held
            and not any("web-1__stack-0" in path for path in held)
        )

    eventually(is_there, process)


def test_a_store_that_is_set_back_holds_what_the_world_asks_for_again(backup: Backup, fleet: Fleet) -> None:
    process = fleet.ready(fleet.start())
    backup.publication.write(BY_HAND, "before")
    backup.save()
    eventually(lambda: fleet.leader() == "a", process)
    live_on(fleet, process)
    backup.publication.write(BY_HAND, "after")
    wanted, records = backup.publication.published(), backup.publication.recorded().keys()
    backup.restore()
    eventually(lambda: backup.publication.published() == {**wanted, BY_HAND: "before"}, process)
    eventually(lambda: backup.publication.recorded().keys() == records, process)
    fleet.world.turn("healthy")
    eventually(lambda: len(servers(backup.publication)) == 4, process)
    assert process.popen.poll() is None
    assert backup.publication.published()[BY_HAND] == "before"


def test_a_watch_that_was_compacted_away_is_begun_again_and_nothing_is_missed(tmp_path: Path, world: World) -> None:
    """More happens than the server keeps for a daemon that is frozen; then it forgets all of it."""
    with running_etcd(tmp_path) as server, ExitStack() as stack:
        publication = Publication(server, "compacted")
        stack.callback(publication.close)
        fleet = Fleet(publication, world, stack)
        process = fleet.ready(fleet.start())
        before = publication.published()
        process.popen.send_signal(signal.SIGSTOP)
        for number in range(1500):
            publication.write(BY_HAND, f"{number} {'x' * 4000}")
        publication.erase(min(servers(publication)))
        publication.write(BY_HAND, "last")
        server.compact()
        process.popen.send_signal(signal.SIGCONT)
        eventually(lambda: process.said("what is watched was compacted"), process)
        eventually(lambda: publication.published() == {**before, BY_HAND: "last"}, process)
        world.turn("unhealthy")
        eventually(lambda: len(servers(publication)) == 3, process)
        assert process.popen.poll() is None


def test_a_store_that_was_set_back_and_overtook_is_no_trap(backup: Backup, fleet: Fleet) -> None:
    """While the daemon looks away: what it reads next is of a higher revision than all it knows, with older keys."""
    process = fleet.ready(fleet.start())
    backup.publication.write(BY_HAND, "before")
    backup.save()
    eventually(lambda: fleet.leader() == "a", process)
    live_on(fleet, process)
    wanted = {**backup.publication.published(), BY_HAND: "later"}
    process.popen.send_signal(signal.SIGSTOP)
    backup.restore()
    backup.push()
    assert backup.publication.published() != wanted
    process.popen.send_signal(signal.SIGCONT)
    eventually(lambda: backup.publication.published() == wanted, process)
    assert process.popen.poll() is None
