"""The demonstration of two clusters, run for real: it keeps its promises, ends what it started, and fails with one."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.demonstration import LIMIT, ROOT, answers, at_work, endpoints, environment
from tests.test_demo import Told, begun, told_until

COMMAND = (sys.executable, "-m", "bridge", "demo-fan-in")
SPOILT = """
import sys
from bridge.cli import main
from bridge.demo import stage
from bridge.demo.fan_in import FanIn
{spoil}
sys.exit(main(["demo-fan-in"]))
"""
NO_DRAIN = """
run = stage.Stage.run_bridge
def no_drain(self, *words):
    if words[0] != "drain":
        return run(self, *words)
    stage.PATIENCE = 10.0  # from now on: what came before may take its time
    return []
stage.Stage.run_bridge = no_drain
"""
A_DEAD_SERVER = "FanIn.see = lambda self: (self.stage.containers.stop(['web-test-3']), self.plot.traffic.pause(20))"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run once for all, by a user whose variables would lead a command elsewhere."""
    folder = tmp_path_factory.mktemp("fan-in")
    mine = environment(folder, BRIDGE_STORE="etcd://store.invalid", BRIDGE_CLUSTER="berlin", BRIDGE_FAN_IN="separate")
    began = time.monotonic()
    ran = subprocess.run(COMMAND, cwd=ROOT, env=mine, capture_output=True, text=True, timeout=3 * LIMIT, check=False)
    left = [*folder.iterdir(), *(Path(f"/proc/{process}") for process in at_work(folder))]
    return Told(ran.returncode, ran.stdout, ran.stderr, left, time.monotonic() - began)


def test_it_ends_well_and_leaves_nothing(told: Told) -> None:
    assert (told.code, told.err, told.left) == (0, "", [])
    assert len(endpoints(told.out)) == 4  # etcd, two metadata services, Traefik
    assert not any(map(answers, endpoints(told.out)))
    assert told.seconds < 1.5 * LIMIT


def test_what_is_no_terminal_gets_plain_lines_that_fit(told: Told) -> None:
    assert told.out.isascii()
    assert "\x1b" not in told.out
    assert max(map(len, told.out.splitlines())) <= 78


@pytest.mark.parametrize(
    ("title", "promises"),
    [
        ("Cluster east publishes", ["11 keys in 1 transaction", "west answered 0"]),
        ("Cluster west joins", ["2 servers more in one backend: 4 keys of Traefik's, 11 untouched", "both clusters"]),
        ("Cluster east is drained", ["4 keys of Traefik's, 11 untouched", "Traefik leaves east out"]),
        ("Cluster east is undrained", ["2 servers more in one backend: 4 keys of Traefik's, 11 unt", "both clusters"]),
        ("kill -9", ["its lease of 10 s has ended: 4 keys of Traefik's, 11 untouched", "nobody misses them"]),
        ("goes for good", ["requests in all, 0 failed", "11 removed", "and records 0 are left", "answers 404"]),
    ],
)
def test_each_step_says_what_was_promised(told: Told, title: str, promises: list[str]) -> None:
    step = told.step(title)
    assert [promise for promise in promises if promise not in step] == []


def test_requests_are_counted_by_cluster(told: Told) -> None:
    for title, last in (
        ("Cluster west joins", (True, True)),
        ("Cluster east is drained", (False, True)),
        ("Cluster east is undrained", (True, True)),
        ("kill -9", (False, True)),
    ):
        counts = re.findall(r"(\d+) requests, 0 failed: east answered (\d+), west answered (\d+)", told.step(title))
        assert all(int(total) == int(east) + int(west) for total, east, west in counts)
        assert (int(counts[-1][1]) > 0, int(counts[-1][2]) > 0) == last


def test_clusters_are_seen_until_their_lease_ends(told: Told) -> None:
    seen = re.findall(r"Who publishes here\?.*\n +cluster .*\n((?:    .*\n)+)", told.out)
    assert [[line.split()[:3] for line in table.splitlines()] for table in seen] == [
        [["east", "led", "east"], ["west", "led", "west"]],
        [["west", "led", "west"]],
    ]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (NO_DRAIN, r"step 5 of the demonstration: east is out: not within 10 s"),
        (A_DEAD_SERVER, r"step 4 of the demonstration: \d+ of \d+ requests failed, the first with status 50\d"),
    ],
)
def test_a_broken_promise_ends_it_with_an_error(tmp_path: Path, spoil: str, complaint: str) -> None:
    ran = subprocess.run(
        (sys.executable, "-c", SPOILT.format(spoil=spoil)),
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
        check=False,
    )
    assert ran.returncode == 1
    assert re.search(complaint, ran.stderr), ran.stderr
    assert at_work(tmp_path) == set()
    assert list(tmp_path.iterdir()) == []


def test_interrupted_it_ends_all_that_it_started(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, lambda *_: None)  # children inherit it where it is ignored
    try:
        with begun(tmp_path, *COMMAND) as process:
            addresses = endpoints(told_until(process, "both clusters answer"))
            assert all(map(answers, addresses))
            assert len(at_work(tmp_path)) == 4 or sys.platform != "linux"  # etcd, Traefik, two bridges
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert not any(map(answers, addresses))
    assert at_work(tmp_path) == set()
    assert list(tmp_path.iterdir()) == []
