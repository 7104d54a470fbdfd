"""What `bridge run` promises, by real processes on a real Consul: what could come out otherwise there than on etcd."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.model.change import LeaseName
from tests.publishing import ConsulPublication
from tests.servers import ConsulServer, running_consul
from tests.test_run_etcd import ENDS_WITHIN, Fleet, World, eventually, revisions, servers

_numbers = itertools.count(1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world.json")


@pytest.fixture
def fleet(consul_server: ConsulServer, world: World) -> Iterator[Fleet]:
    publication = ConsulPublication(consul_server, f"run{next(_numbers)}/traefik")
    with ExitStack() as stack:
        yield Fleet(publication, world, stack)
    publication.close()


def test_a_flip_changes_the_containers_keys_alone_and_at_rest_nothing_is_written(tmp_path: Path, world: World) -> None:
    """On a Consul of its own: its index is that of all keys, and other tests' sessions end when they like."""
    with running_consul(tmp_path) as server, ExitStack() as stack:
        publication = ConsulPublication(server, "traefik")
        stack.callback(publication.close)
        fleet = Fleet(publication, world, stack)
        process = fleet.ready(fleet.start())
        before = revisions(publication)
        uuid = world.turn("unhealthy")
        eventually(lambda: len(servers(publication)) == 3, process)
        after = revisions(publication)
        assert all(uuid in path for path in before.keys() - after.keys())
        assert after == {path: at for path, at in before.items() if path in after}
        everything, index = publication.everything(), publication.revision()
        time.sleep(2)
        assert publication.revision() == index
        assert publication.everything() == everything


def test_another_replica_takes_over_and_no_route_key_moves(fleet: Fleet) -> None:
    first = fleet.ready(fleet.start("a"))
    second = fleet.start("b")
    eventually(lambda: second.said("follows: replica a leads"), second)
    before = revisions(fleet.publication)
    assert first.end() < ENDS_WITHIN
    eventually(lambda: fleet.leader() == "b", second)
    assert revisions(fleet.publication) == before


def test_a_key_that_somebody_deletes_or_edits_is_put_back(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start())
    published = fleet.publication.published()
    path = min(servers(fleet.publication))
    fleet.publication.erase(path)
    eventually(lambda: fleet.publication.published() == published, process)
    fleet.publication.write(path, "http://192.0.2.1:1")
    eventually(lambda: fleet.publication.published() == published, process)


def test_a_session_that_ends_under_a_live_bridge_is_made_again_with_its_keys(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start())
    before = servers(fleet.publication)
    fleet.publication.end(LeaseName("c/default", 300))
    eventually(lambda: servers(fleet.publication) == before, process)


def test_a_ttl_that_consul_does_not_grant_is_told_before_anything_is_written(fleet: Fleet) -> None:
    process = fleet.start("a", "--ttl", "5")
    eventually(lambda: process.popen.poll() is not None, process)
    assert process.popen.returncode == 2
    eventually(lambda: process.said("--ttl '5': on this store use at least 20 seconds"), process)
    assert fleet.publication.everything() == {}


def test_killed_and_started_again_within_the_ttl_no_route_key_moves(fleet: Fleet) -> None:
    first = fleet.ready(fleet.start())
    before = revisions(fleet.publication)
    first.end(signal.SIGKILL)
    second = fleet.start()
    eventually(lambda: second.said("leads cluster default"), second)
    assert revisions(fleet.publication) == before


def test_it_goes_on_with_a_consul_that_hung_restarted_and_was_set_back(tmp_path: Path, world: World) -> None:
    """Each time what the world asks for stands again."""
    with running_consul(tmp_path, lasting=True) as server, ExitStack() as stack:
        publication = ConsulPublication(server, "traefik")
        stack.callback(publication.close)
        fleet = Fleet(publication, world, stack)
        process = fleet.ready(fleet.start())

        server.freeze()
        world.turn("unhealthy")
        eventually(lambda: process.said("no answer"), process)
        server.thaw()
        eventually(lambda: len(servers(publication)) == 3, process)

        server.kill()
        world.turn("healthy")
        eventually(lambda: process.said("refused"), process)
        server.start()
        eventually(lambda: len(servers(publication)) == 4, process)

        snapshot = server.snapshot()
        world.turn("unhealthy")
        eventually(lambda: len(servers(publication)) == 3, process)
        server.restore(snapshot)
        eventually(lambda: process.said("was set back"), process)
        eventually(lambda: len(servers(publication)) == 3, process)


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
