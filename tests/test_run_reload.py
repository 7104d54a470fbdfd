"""SIGHUP to a real `bridge run`: what it takes up of its file, what it does not, and what it says of both."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest

from bridge.config import TABLE
from tests.publishing import Publication, Publishing
from tests.servers import EtcdServer, free_ports
from tests.test_run_etcd import Fleet, Process, World, eventually, revisions, servers
from tests.worlds.generate import stacks

_numbers = itertools.count(1)
LIVE = (
    *("entry-points", "tls-entry-points", "cert-resolver", "brake", "health", "address", "when-none-healthy"),
    *("weight-factor", "kind", "constraint", "allow-domain", "expose-by-default", "domain", "default-rule"),
    *("settle", "confirm", "brake-hold", "log-level"),
)


class Reloads(Fleet):
    """A fleet of one, with a file."""

    @property
    def file(self) -> Path:
        return self.world.path.with_name("bridge.toml")

    def begin(self, said: str, *options: str) -> Process:
        self.file.write_text(said)
        return self.start("a", "--config", str(self.file), *options)

    def hang_up(self, process: Process, said: str) -> None:
        """Another file, and the signal."""
        self.file.write_text(said)
        process.popen.send_signal(signal.SIGHUP)


@pytest.fixture
def fleet(etcd_server: EtcdServer, tmp_path: Path) -> Iterator[Reloads]:
    publication = Publication(etcd_server, f"reload{next(_numbers)}")
    with ExitStack() as stack:
        stack.callback(publication.close)
        yield Reloads(publication, World(tmp_path / "world.json"), stack)


def weights(publication: Publishing) -> set[str]:
    return {value for path, value in publication.published().items() if path.endswith("/weight")}


def test_the_options_that_may_change_are_these() -> None:
    assert {option.name for option in TABLE if option.live} == set(LIVE)


def test_the_keys_follow_a_policy_that_changed_and_the_log_names_it(fleet: Reloads) -> None:
    fleet.world.turn("unhealthy")
    process = fleet.begin('health = "require"')
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    fleet.hang_up(process, 'health = "ignore"')
    eventually(lambda: len(servers(fleet.publication)) == 4, process)
    assert process.said("read again: health 'require' -> 'ignore'")
    eventually(lambda: process.said("because its options changed"), process)
    fleet.hang_up(process, 'health = "require"\nweight-factor = 7')
    eventually(lambda: len(servers(fleet.publication)) == 3 and weights(fleet.publication) == {"35"}, process)
    assert process.said("read again: health 'ignore' -> 'require', weight-factor '1' -> '7'")
    fleet.hang_up(process, "")
    eventually(lambda: weights(fleet.publication) == {"5"}, process)
    process.end()
    assert process.popen.returncode == 0


def test_one_that_comes_at_its_start_is_taken_as_well(fleet: Reloads) -> None:
    """From its first line on, while it still loads what its page needs."""
    process = fleet.begin("weight-factor = 2", "--http", f"127.0.0.1:{free_ports(1)[0]}")
    eventually(lambda: process.said("reads file:"), process)
    fleet.hang_up(process, "weight-factor = 7")
    eventually(lambda: weights(fleet.publication) == {"35"}, process)


def test_each_layout_gets_them(fleet: Reloads) -> None:
    other = f"n-{fleet.publication.tree.strip('/')}"
    process = fleet.begin('entry-points = "one"', "--layout", f"traefik1,traefik3={other}")
    client = fleet.publication.client()

    def points() -> set[str]:
        found = client.read(f"{other}/http/routers/").items.items()
        return {item.value for path, item in found if item and "/entryPoints" in path}

    eventually(lambda: points() == {"one"}, process)
    eventually(lambda: len(servers(fleet.publication)) == 4, process)
    fleet.hang_up(process, 'entry-points = "two"')
    eventually(lambda: points() == {"two"}, process)
    fleet.hang_up(process, 'entry-points = "two"\nweight-factor = 7')
    eventually(lambda: points() == {"two"} and weights(fleet.publication) == {"35"}, process)


FAULTS = ['health = "maybe"\nweight-factor = 7', "health = ", 'hearth = "auto"', 'default-rule = "Host:{domain}"']


@pytest.mark.parametrize("said", FAULTS)
def test_a_file_with_a_fault_is_told_and_nothing_moves(fleet: Reloads, said: str) -> None:
    process = fleet.ready(fleet.begin(""))
    before = revisions(fleet.publication)
    fleet.hang_up(process, said)
    eventually(lambda: process.said("the options stay as they were"), process)
    told = next(line for line in process.lines if "the options stay as they were" in line)
    assert " ERROR " in told
    assert str(fleet.file) in told
    assert "then send SIGHUP again" in told
    uuid = fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    assert revisions(fleet.publication) == {path: at for path, at in before.items() if uuid not in path}


def test_what_only_a_restart_changes_is_told_and_stays_and_the_rest_is_taken(fleet: Reloads) -> None:
    process = fleet.ready(fleet.begin('ttl = "5m"\nread-time = 1'))
    fleet.hang_up(process, 'ttl = "10m"\nread-time = 1\nweight-factor = 7')
    eventually(lambda: weights(fleet.publication) == {"35"}, process)
    told = next(line for line in process.lines if "ttl stays '5m'" in line)
    assert " WARNING " in told
    assert "'10m'" in told
    assert "restart the bridge" in told
    process.popen.send_signal(signal.SIGHUP)  # it stands as it was, so it is told again
    eventually(lambda: sum("ttl stays '5m'" in line for line in process.lines) == 2, process)
    eventually(lambda: process.said(f"read again: no option that can change now in {fleet.file}"), process)
    assert '"ttl":300' in fleet.publication.recorded()["c/default/presence"]


def test_a_flag_goes_on_winning_over_the_file(fleet: Reloads) -> None:
    process = fleet.ready(fleet.begin("", "--weight-factor", "7"))
    eventually(lambda: weights(fleet.publication) == {"35"}, process)
    before = revisions(fleet.publication)
    fleet.hang_up(process, "weight-factor = 9")
    eventually(lambda: process.said(f"read again: no option changed in {fleet.file}"), process)
    assert revisions(fleet.publication) == before


def test_without_a_file_it_says_so(fleet: Reloads) -> None:
    process = fleet.ready(fleet.start("a"))
    before = revisions(fleet.publication)
    process.popen.send_signal(signal.SIGHUP)
    eventually(lambda: process.said("there is no --config file"), process)
    assert revisions(fleet.publication) == before
    fleet.world.turn("unhealthy")  # it hears of this after the signal
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    assert not process.said("secrets and certificates"), "there is no file of any"


def test_routes_that_a_policy_removes_wait_for_the_brake(fleet: Reloads) -> None:
    fleet.world.stacks = stacks(2, 10)
    fleet.world.write()
    process = fleet.begin("")
    eventually(lambda: len(servers(fleet.publication)) == 20, process)
    fleet.hang_up(process, 'constraint = "tag==nobody"')
    eventually(lambda: process.said("the brake holds the removal of 20 of 20 servers"), process)
    assert len(servers(fleet.publication)) == 20
    fleet.hang_up(process, 'constraint = "tag==nobody"\nbrake = "100%"')
    eventually(lambda: servers(fleet.publication) == set(), process)


def test_the_log_says_more_and_less(fleet: Reloads) -> None:
    process = fleet.ready(fleet.begin(""))
    fleet.hang_up(process, 'log-level = "debug"')
    eventually(lambda: process.said(" DEBUG "), process)
    fleet.hang_up(process, 'log-level = "warning"')
    eventually(lambda: process.said("read again: log-level 'debug' -> 'warning'"), process)
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    fleet.hang_up(process, 'log-level = "info"')
    eventually(lambda: process.said("read again: log-level 'warning' -> 'info'"), process)
    told = [line for line in process.lines if "removed, because" in line]
    assert told == []


def test_a_figure_says_whether_it_went_well_and_when_it_last_did(fleet: Reloads) -> None:
    (port,) = free_ports(1)
    process = fleet.ready(fleet.begin("", "--http", f"127.0.0.1:{port}"))

    def figure(name: str) -> float:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"bridge_config_last_reload_{name} "))

    began = figure("success_timestamp_seconds")
    assert figure("successful") == 1
    fleet.hang_up(process, "health = 5")
    eventually(lambda: figure("successful") == 0, process)
    assert figure("success_timestamp_seconds") == began
    fleet.hang_up(process, "")
    eventually(lambda: figure("successful") == 1, process)
    assert figure("success_timestamp_seconds") > began
