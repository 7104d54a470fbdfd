"""What `bridge run` and `bridge sync` make of a live metadata service, and of its faults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.metadata_server import Fault, MetadataServer
from tests.publishing import Publication
from tests.servers import EtcdServer
from tests.test_run_etcd import PATIENCE, ROOT, Fleet, World, eventually, revisions, servers
from tests.worlds.generate import stacks


@pytest.fixture
def metadata() -> Iterator[MetadataServer]:
    """Two services with two containers each."""
    with MetadataServer(stacks(2, 2)) as server:
        yield server


@pytest.fixture
def fleet(etcd_server: EtcdServer, tmp_path: Path, metadata: MetadataServer) -> Iterator[Fleet]:
    publication = Publication(etcd_server, f"live{tmp_path.name}")
    with ExitStack() as stack:
        stack.callback(publication.close)
        yield Fleet(publication, World(tmp_path / "world.json"), stack, metadata.url)


def without_one(fleet: Fleet, metadata: MetadataServer) -> None:
    """One container turns unhealthy."""
    fleet.world.turn("unhealthy")
    metadata.show(fleet.world.stacks)


def test_a_change_is_heard_when_it_happens_and_the_first_removal_is_confirmed(
    fleet: Fleet, metadata: MetadataServer
) -> None:
    process = fleet.ready(fleet.start("a", "--confirm", "1"))
    read = metadata.times_asked("/stacks")
    without_one(fleet, metadata)
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    assert process.said("removals wait for a second reading of the source in 1 s")
    eventually(lambda: process.said("2 removed, because the source said it twice"), process)
    assert metadata.times_asked("/stacks") >= read + 2


def test_a_removal_that_the_second_reading_does_not_confirm_never_happens(
    fleet: Fleet, metadata: MetadataServer
) -> None:
    """An older or half-filled document that is right the next time."""
    process = fleet.ready(fleet.start("a", "--confirm", "1"))
    before = revisions(fleet.publication)
    whole = stacks(2, 2)
    without_one(fleet, metadata)
    eventually(lambda: process.said("removals wait for a second reading"), process)
    metadata.show(whole)
    metadata.wait_until_polled()
    read = metadata.times_asked("/stacks")
    metadata.reload()
    metadata.wait_until_asked("/stacks", read + 1)
    assert revisions(fleet.publication) == before


@pytest.mark.parametrize(
    "fault", [Fault.BOOTING, Fault.NULL, Fault.EMPTY, Fault.NONSENSE, Fault.CUT, Fault.HANGS_UP, Fault.ERROR]
)
def test_whatever_a_failing_service_answers_nothing_is_removed(
    fleet: Fleet, metadata: MetadataServer, fault: Fault
) -> None:
    process = fleet.ready(fleet.start("a", "--confirm", "0.2"))
    before = revisions(fleet.publication)
    metadata.fault = fault
    metadata.reload()
    eventually(lambda: process.said("WARNING source:"), process)
    assert revisions(fleet.publication) == before
    metadata.fault = None
    without_one(fleet, metadata)
    eventually(lambda: len(servers(fleet.publication)) == 3, process)


def test_a_sync_that_would_remove_something_reads_a_second_time(fleet: Fleet, metadata: MetadataServer) -> None:
    def sync() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bridge", "sync", "--store", fleet.publication.url, "--source", metadata.url]
        return subprocess.run(
            [*command, "--confirm", "0.3", "--read-time", "0.2"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    assert sync().returncode == 0
    assert len(servers(fleet.publication)) == 4
    assert "second reading" not in sync().stderr
    without_one(fleet, metadata)
    ran = sync()
    assert ran.returncode == 0
    assert "second reading of the source" in ran.stderr
    assert len(servers(fleet.publication)) == 3


def test_a_burst_of_changes_is_written_in_one_transaction(fleet: Fleet, metadata: MetadataServer) -> None:
    """Each wakes every Traefik, and makes it read its whole tree. Here each change is read before the next comes."""
    process = fleet.ready(fleet.start("a", "--confirm", "0", "--settle", "1"))
    assert isinstance(fleet.publication, Publication)
    since = fleet.publication.revision()
    for service in (0, 1):
        read = metadata.times_asked("/stacks")
        metadata.wait_until_polled()
        fleet.world.turn("unhealthy", service, 0)
        metadata.show(fleet.world.stacks)
        metadata.wait_until_asked("/stacks", read + 1)
    eventually(lambda: len(servers(fleet.publication)) == 2, process)
    assert len(fleet.publication.wakes(since)) == 1
