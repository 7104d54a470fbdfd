"""A source that fails removes nothing from Consul either: the promises of `test_run_metadata.py`, on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.metadata_server import MetadataServer
from tests.publishing import ConsulPublication
from tests.servers import ConsulServer
from tests.test_run_etcd import Fleet, World
from tests.test_run_metadata import (
    metadata,
    test_a_change_is_heard_when_it_happens_and_the_first_removal_is_confirmed,
    test_a_removal_that_the_second_reading_does_not_confirm_never_happens,
    test_whatever_a_failing_service_answers_nothing_is_removed,
)

__all__ = [
    "metadata",
    "test_a_change_is_heard_when_it_happens_and_the_first_removal_is_confirmed",
    "test_a_removal_that_the_second_reading_does_not_confirm_never_happens",
    "test_whatever_a_failing_service_answers_nothing_is_removed",
]


@pytest.fixture
def fleet(consul_server: ConsulServer, tmp_path: Path, metadata: MetadataServer) -> Iterator[Fleet]:
    publication = ConsulPublication(consul_server, f"live{tmp_path.name}")
    with ExitStack() as stack:
        stack.callback(publication.close)
        yield Fleet(publication, World(tmp_path / "world.json"), stack, metadata.url)
