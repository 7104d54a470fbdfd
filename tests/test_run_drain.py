"""`bridge drain` under bridges that run: they obey at once, and after every restart; on real stores."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.metadata_server import MetadataServer
from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ConsulServer, EtcdServer
from tests.test_run_etcd import ROOT, Fleet, World, beside, eventually, revisions, servers
from tests.worlds.generate import stacks

AT_ONCE = 3.0  # seconds, on a machine that runs other things too: a second reading would come after five
_prefixes = count(1)


@pytest.fixture(params=["etcd", "consul"])
def publication(request: pytest.FixtureRequest) -> Iterator[Publishing]:
    server = request.getfixturevalue(f"{request.param}_server")
    prefix = f"rundrain{next(_prefixes)}"
    made: Publishing
    if isinstance(server, EtcdServer):
        made = Publication(server, prefix)
    else:
        assert isinstance(server, ConsulServer)
        made = ConsulPublication(server, prefix)
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Each container of the two services is on a host of its own."""
    return World(tmp_path / "world.json")


@pytest.fixture
def fleet(publication: Publishing, world: World) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(publication, world, stack)


def host(world: World, service: int = 0, container: int = 0) -> str:
    return str(world.containers(service)[container]["host_uuid"])


def uuid(world: World, service: int = 0, container: int = 0) -> str:
    return str(world.containers(service)[container]["uuid"])


def said(fleet: Fleet, *arguments: str) -> str:
    ran = beside(fleet, *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_drained_host_loses_its_keys_at_once_and_nothing_else_changes(fleet: Fleet, world: World) -> None:
    """With an instant's quiet, as without options; the brake at 0 and the first removal hold nothing of it."""
    publication = fleet.publication
    process = fleet.ready(fleet.start("a", "--settle", "0.2", "--brake", "0"))
    before, since = revisions(publication), publication.revision()
    said(fleet, "drain", "--host", host(world))
    began = time.monotonic()
    eventually(lambda: len(servers(publication)) == 3, process)
    assert time.monotonic() - began < AT_ONCE
    after = revisions(publication)
    assert before.keys() - after.keys()
    assert all(f"--{uuid(world)}/" in path for path in before.keys() - after.keys())
    assert after == {path: at for path, at in before.items() if path in after}
    if isinstance(publication, Publication):
        assert len(publication.wakes(since)) == 1
    eventually(lambda: process.said("because the store changed"), process)
    said(fleet, "undrain", "--host", host(world))
    began = time.monotonic()
    eventually(lambda: len(servers(publication)) == 4, process)
    assert time.monotonic() - began < AT_ONCE
    assert revisions(publication).keys() == before.keys()


def test_what_is_drained_stays_so_when_the_bridge_or_the_container_starts_again(fleet: Fleet, world: World) -> None:
    publication = fleet.publication
    process = fleet.ready(fleet.start())
    said(fleet, "drain", "--container", uuid(world))
    eventually(lambda: len(servers(publication)) == 3, process)
    drained = revisions(publication)
    process.end(signal.SIGKILL)
    again = fleet.start()
    eventually(lambda: again.said("leads cluster"), again)
    world.turn("unhealthy")
    world.turn("healthy")
    world.turn("unhealthy", 1, 1)  # so that a pass is seen that comes after the others
    eventually(lambda: len(servers(publication)) == 2, again)
    assert revisions(publication).items() <= drained.items()
    world.turn("healthy", 1, 1)
    eventually(lambda: len(servers(publication)) == 3, again)
    assert not any(uuid(world) in path for path in publication.published())


def test_a_follower_that_takes_over_obeys_and_undoes_it_when_it_is_told(fleet: Fleet) -> None:
    publication = fleet.publication
    leader = fleet.ready(fleet.start("a"))
    other = fleet.start("b")
    eventually(lambda: other.said("follows: replica a leads"), other)
    said(fleet, "drain")
    eventually(lambda: servers(publication) == set(), leader)
    before = revisions(publication)
    assert any(path.startswith("frontends/web-0__stack-0/") for path in before)
    leader.end()
    eventually(lambda: fleet.leader() == "b", other)
    said(fleet, "drain", "--host", "nowhere")
    eventually(lambda: other.said("it drains host nowhere, and there is none now"), other)
    assert revisions(publication) == before
    said(fleet, "undrain")
    eventually(lambda: len(servers(publication)) == 4, other)


def test_a_drain_goes_while_the_brake_holds_what_the_source_takes_away(fleet: Fleet, world: World) -> None:
    world.stacks = stacks(3, 10)
    world.write()
    publication = fleet.publication
    process = fleet.start()
    eventually(lambda: len(servers(publication)) == 30, process)
    for service in (0, 1):
        for container in world.containers(service):
            container["health_state"] = "unhealthy"
    world.write()
    eventually(lambda: process.said("the brake holds the removal of 20 of 30 servers"), process)
    said(fleet, "drain", "--service", "stack-0/web-2")
    eventually(lambda: len(servers(publication)) == 20, process)
    assert not any("web-2__" in path for path in servers(publication))


def test_beside_another_cluster_only_ones_own_records_and_servers_are_touched(fleet: Fleet) -> None:
    publication = fleet.publication
    fleet.ready(fleet.start("a"))
    second = fleet.start("a", "--cluster", "other")
    eventually(lambda: len(servers(publication)) == 8, second)
    before = publication.everything()
    said(fleet, "drain", "--service", "stack-0/web-0", "--cluster", "other")
    eventually(lambda: len(servers(publication)) == 6, second)
    after = publication.everything()
    assert {key for key in after if after[key] != before.get(key)} == {
        f"{publication.records}c/other/drain/service--stack-0--web-0"
    }
    gone = before.keys() - after.keys()
    assert gone
    assert all(f"{publication.tree}backends/web-0__stack-0/servers/other--" in key for key in gone)


# Hosts by what people call them


@pytest.fixture
def live(etcd_server: EtcdServer, tmp_path: Path) -> Iterator[tuple[Fleet, MetadataServer]]:
    """A bridge whose source tells hosts only to those who ask for them."""
    publication = Publication(etcd_server, f"rundrain{next(_prefixes)}")
    with MetadataServer(stacks(2, 2)) as server, ExitStack() as stack:
        stack.callback(publication.close)
        yield Fleet(publication, World(tmp_path / "world.json"), stack, server.url), server


@pytest.mark.parametrize("name", ["host-1", "192.0.2.1"])
def test_a_host_is_known_by_its_name_and_its_address_and_at_a_start_nothing_comes_back(
    live: tuple[Fleet, MetadataServer], name: str
) -> None:
    fleet, server = live
    publication = fleet.publication
    assert isinstance(publication, Publication)
    process = fleet.ready(fleet.start("a", "--settle", "0.2"))
    assert server.times_asked("/hosts") == 0
    said(fleet, "drain", "--host", name)
    began = time.monotonic()
    eventually(lambda: len(servers(publication)) == 3, process)
    assert time.monotonic() - began < AT_ONCE
    drained = host(fleet.world)
    boxes = [box for service in (0, 1) for box in fleet.world.containers(service)]
    assert drained == min(str(box["host_uuid"]) for box in boxes)
    gone = [str(box["uuid"]) for box in boxes if box["host_uuid"] == drained]
    assert not any(one in path for one in gone for path in publication.published())
    since = publication.revision()
    process.end()
    again = fleet.start()
    eventually(lambda: again.said("the source is read again, with its hosts"), again)
    eventually(lambda: again.said("leads cluster"), again)
    fleet.world.turn("unhealthy", 1, 1)
    server.show(fleet.world.stacks)
    eventually(lambda: len(servers(publication)) == 2, again)
    assert all(len([path for path in tree if path.endswith("/url")]) <= 3 for tree in publication.wakes(since))


def test_sync_knows_a_host_by_its_name(live: tuple[Fleet, MetadataServer]) -> None:
    fleet, server = live
    said(fleet, "drain", "--host", "host-1")
    ran = subprocess.run(
        [sys.executable, "-m", "bridge", "sync", "--store", fleet.publication.url, "--source", server.url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(servers(fleet.publication)) == 3
