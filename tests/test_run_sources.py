"""What `bridge run` makes of metadata that is down, slow, half there, older, or another from one answer to the next."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.metadata_server import Fault, MetadataServer
from tests.publishing import Publication
from tests.servers import EtcdServer, free_ports
from tests.test_run_etcd import Fleet, World, eventually, revisions, servers
from tests.worlds.generate import Object, stacks


@pytest.fixture
def metadata() -> Iterator[MetadataServer]:
    """Two services with two containers each."""
    with MetadataServer(stacks(2, 2)) as server:
        yield server


@pytest.fixture
def fleet(etcd_server: EtcdServer, tmp_path: Path, metadata: MetadataServer) -> Iterator[Fleet]:
    publication = Publication(etcd_server, f"source{tmp_path.name}")
    with ExitStack() as stack:
        stack.callback(publication.close)
        yield Fleet(publication, World(tmp_path / "world.json"), stack, metadata.url)


def without_one() -> list[Object]:
    """One container of the first service is unhealthy."""
    found = stacks(2, 2)
    containers_of(found)[0]["health_state"] = "unhealthy"
    return found


def services_of(world: list[Object]) -> list[Object]:
    return world[0]["services"]  # type: ignore[return-value]


def containers_of(world: list[Object]) -> list[Object]:
    return services_of(world)[0]["containers"]  # type: ignore[return-value]


def test_a_service_that_is_down_removes_nothing_and_once_it_is_back_it_is_followed(fleet: Fleet) -> None:
    (port,) = free_ports(1)
    with MetadataServer(stacks(2, 2), port=port) as first:
        fleet.source = first.url
        process = fleet.ready(fleet.start("a", "--confirm", "0.2"))
        before = revisions(fleet.publication)
        first.fault = Fault.HANGS_UP  # those that were connected lose their connections, too
    eventually(lambda: process.said("WARNING source:"), process)
    assert revisions(fleet.publication) == before
    with MetadataServer(without_one(), port=port):
        eventually(lambda: len(servers(fleet.publication)) == 3, process)
        process.close()


def test_an_answer_that_comes_byte_by_byte_is_waited_for(fleet: Fleet) -> None:
    """It counts once it is whole: what was read of it before removed nothing."""
    with MetadataServer(stacks(2, 2), drip=0.0001) as slow:
        fleet.source = slow.url
        process = fleet.ready(fleet.start("a", "--confirm", "0.2"))
        before = revisions(fleet.publication)
        slow.faulty, slow.fault = "/2016-07-29/stacks", Fault.DRIP
        changed = without_one()
        slow.show(changed)
        eventually(lambda: len(servers(fleet.publication)) == 3, process)
        gone = str(containers_of(changed)[0]["uuid"])
        after = revisions(fleet.publication)
        assert after == {path: revision for path, revision in before.items() if gone not in path}
        assert not process.said("WARNING")
        process.close()


def no_services(world: list[Object]) -> None:
    world[0]["services"] = None


def a_nameless_service(world: list[Object]) -> None:
    services_of(world)[1]["name"] = None


def no_containers(world: list[Object]) -> None:
    for service in services_of(world):
        service["containers"] = []


def a_container_that_is_none(world: list[Object]) -> None:
    services_of(world)[1]["containers"] = [*containers_of(world)[:1], None]


@pytest.mark.parametrize("spoil", [no_services, a_nameless_service, no_containers, a_container_that_is_none])
def test_a_document_that_is_half_there_removes_nothing(
    fleet: Fleet, metadata: MetadataServer, spoil: Callable[[list[Object]], None]
) -> None:
    """Also when it says the same a second time."""
    process = fleet.ready(fleet.start("a", "--confirm", "0.1"))
    before = revisions(fleet.publication)
    half = stacks(2, 2)
    spoil(half)
    metadata.show(half)
    eventually(lambda: process.said("WARNING source:"), process)
    metadata.wait_until_asked("/stacks", metadata.times_asked("/stacks") + 2)
    assert revisions(fleet.publication) == before
    metadata.show(without_one())
    eventually(lambda: len(servers(fleet.publication)) == 3, process)


def test_an_older_document_removes_nothing_until_the_service_knows_better(
    fleet: Fleet, metadata: MetadataServer
) -> None:
    """After its host was started again the service shows what it had saved: here a world with a container less."""
    process = fleet.ready(fleet.start("a", "--confirm", "0.1"))
    before = revisions(fleet.publication)
    older = stacks(2, 2)
    containers_of(older).pop()
    services_of(older)[0]["create_index"] = 1
    metadata.show(older)
    eventually(lambda: process.said("is an older document"), process)
    metadata.wait_until_asked("/stacks", metadata.times_asked("/stacks") + 2)
    assert revisions(fleet.publication) == before
    metadata.show(without_one())
    eventually(lambda: len(servers(fleet.publication)) == 3, process)


def test_a_replica_with_another_view_changes_nothing_while_it_follows_nor_when_it_leads_until_it_is_sure(
    fleet: Fleet, metadata: MetadataServer
) -> None:
    """Each host has a metadata service of its own, and only the leader's view counts."""
    with MetadataServer(without_one()) as behind:
        first = fleet.ready(fleet.start("a", "--confirm", "0.2"))
        fleet.source = behind.url
        second = fleet.start("b", "--confirm", "2")
        eventually(lambda: second.said("follows: replica a leads"), second)
        before = revisions(fleet.publication)
        truth = stacks(2, 2)
        containers_of(truth)[1]["health_state"] = "unhealthy"
        gone = str(containers_of(truth)[1]["uuid"])
        metadata.show(truth)
        eventually(lambda: len(servers(fleet.publication)) == 3, first)
        after = revisions(fleet.publication)
        assert after == {path: revision for path, revision in before.items() if gone not in path}
        first.end(signal.SIGTERM)
        eventually(lambda: second.said("removals wait for a second reading"), second)
        behind.show(truth)
        eventually(lambda: fleet.leader() == "b", second)
        behind.wait_until_polled()
        read = behind.times_asked("/stacks")
        behind.wait_until_asked("/stacks", read + 1)
        assert {path: revisions(fleet.publication).get(path) for path in after} == after
        second.close()


def test_of_two_views_that_take_turns_the_smaller_removes_nothing(fleet: Fleet, metadata: MetadataServer) -> None:
    """As behind a proxy of two hosts' services, one of which is behind: every answer has another version and view."""
    process = fleet.ready(fleet.start("a", "--confirm", "2"))
    before = revisions(fleet.publication)
    metadata.alternate([without_one(), stacks(2, 2)])
    for _ in range(30):
        read = metadata.times_asked("/stacks")
        metadata.reload()
        metadata.wait_until_asked("/stacks", read + 1)
    assert process.said("removals wait for a second reading")
    assert revisions(fleet.publication) == before
    metadata.show(without_one())
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
