"""What an operator reads in the log of `bridge run` when it begins, when it ends, and when two have one name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge import __version__
from bridge.cli import main
from bridge.config import TTL, load
from bridge.daemon.roll import Roll
from bridge.daemon.told import Known, Told
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.keys import Publisher
from bridge.model.problem import Problem
from tests.publishing import Publication
from tests.servers import EtcdServer
from tests.test_run_etcd import Fleet, World, eventually

PUBLISHER = Publisher(TRAEFIK1, "traefik/", "bridge/traefik/", "default")
_numbers = itertools.count(1)


@pytest.fixture
def fleet(etcd_server: EtcdServer, tmp_path: Path) -> Iterator[Fleet]:
    publication = Publication(etcd_server, f"says{next(_numbers)}")
    with ExitStack() as stack:
        yield Fleet(publication, World(tmp_path / "world.json"), stack)
    publication.close()


def test_its_first_line_says_what_it_was_told_and_its_last_what_stays(fleet: Fleet) -> None:
    """A misspelt variable is seen there, and nowhere else."""
    process = fleet.ready(fleet.start("a", "--ttl", "2m"))
    process.end()
    first, last = process.lines[0], process.lines[-1]
    read, written = f"file:{fleet.world.path}", fleet.publication.url
    told = f"replica a of cluster default: reads {read}, publishes traefik1 to {written}, TTL 120 s"
    assert first.endswith(f"bridge {__version__}, {told}")
    assert last.endswith("ended as it was told; the routes stay on their leases")


def test_a_dry_run_says_so_first(fleet: Fleet) -> None:
    process = fleet.start("a", "--dry-run")
    eventually(lambda: process.said("would add"), process)
    process.end()
    assert "a dry run" in process.lines[0]
    assert process.lines[-1].endswith("ended as it was told")


def test_two_of_one_name_are_told_to_whom_it_happens(fleet: Fleet) -> None:
    """The second takes the first for its own past and replaces it."""
    first = fleet.ready(fleet.start("a"))
    second = fleet.start("a")
    eventually(lambda: first.said("another process is named replica a too: give each its own --replica"), first)
    assert not second.said("another process")


@pytest.mark.parametrize(("command", "ttl"), [("run", "5m"), ("sync", "0"), ("plan", "0")])
def test_each_help_says_the_ttl_that_its_command_takes(
    command: str, ttl: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"[default: {ttl}] [BRIDGE_TTL]" in told
    assert load(command, {"store": "etcd://h"}, {}).get(TTL) == TTL.parse(ttl)


def test_what_failed_and_when_it_is_tried_again_are_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(Known(), PUBLISHER, Roll())
    told.broke("store", "it is away.", 0.5)
    told.broke("source", "it is away.")
    assert caplog.messages == ["store: it is away; tries again in 0.5 s", "source: it is away."]


def test_a_notice_is_called_so_as_other_commands_call_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    told = Told(Known(), PUBLISHER, Roll())
    told.problems([Problem("shop/web", "traefik.x", "", "why", "did", notice=True), Problem("", "k", "", "why", "did")])
    told.problems([])
    assert [line.partition(":")[0] for line in caplog.messages] == ["problem", "notice", "problem over", "notice over"]
