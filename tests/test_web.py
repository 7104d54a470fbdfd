"""What `bridge run --http` answers, by real processes on a real etcd."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.publishing import Publication
from tests.servers import EtcdServer, free_ports, running_etcd
from tests.test_run_etcd import ENDS_WITHIN, ROOT, Fleet, Process, World, eventually
from tests.worlds.generate import stacks


def ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body; status 0 where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except ConnectionRefusedError:
        return 0, b""
    finally:
        connection.close()


def reasons(port: int, path: str) -> list[str]:
    """Why not; empty where all is well."""
    status, body = ask(port, path)
    said = json.loads(body)
    found = [reason for one in said["publishers"] for reason in one["reasons"]]
    assert (status == 200) == said["ok"] == (not found)
    return found


def figures(port: int) -> dict[tuple[str, ...], float]:
    """Each figure of /metrics, by its name and the values of its labels but for cluster and layout."""
    found = {}
    for family in text_string_to_metric_families(ask(port, "/metrics")[1].decode()):
        for one in family.samples:
            labels = [value for name, value in sorted(one.labels.items()) if name not in ("cluster", "layout")]
            found[(one.name, *labels)] = one.value
    return found


def checked(port: int) -> subprocess.CompletedProcess[str]:
    """What `bridge healthcheck` says."""
    return subprocess.run(
        [sys.executable, "-m", "bridge", "healthcheck"],
        cwd=ROOT,
        env=os.environ | {"BRIDGE_HTTP": f"0.0.0.0:{port}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[EtcdServer, Fleet]]:
    """A server that may be frozen, and a fleet on it."""
    folder = tmp_path / "etcd"
    folder.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(running_etcd(folder))
        publication = Publication(server, "web")
        stack.callback(publication.close)
        yield server, Fleet(publication, World(tmp_path / "world.json"), stack)


@pytest.fixture
def fleet(etcd_server: EtcdServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    with ExitStack() as stack:
        publication = Publication(etcd_server, f"web-{request.node.name}")
        stack.callback(publication.close)
        yield Fleet(publication, World(tmp_path / "world.json"), stack)


def started(fleet: Fleet, port: int, *options: str) -> Process:
    return fleet.ready(fleet.start("a", "--http", f"127.0.0.1:{port}", *options))


def test_one_that_publishes_is_well_and_ready_and_its_figures_say_what_it_did(fleet: Fleet, port: int) -> None:
    began = time.time()
    started(fleet, port)
    eventually(lambda: reasons(port, "/readyz") == [])
    assert reasons(port, "/healthz") == []
    before = figures(port)
    assert before["bridge_syncs_total", "wrote"] >= 1
    assert before["bridge_changes_total", "added"] == len(fleet.publication.published())
    assert before["bridge_sync_duration_seconds_count",] == before["bridge_syncs_total", "wrote"]
    assert before["bridge_leader",] == before["bridge_ready",] == before["bridge_healthy",] == 1
    assert before["bridge_brake_shut",] == before["bridge_held_removals",] == before["bridge_conflicts_total",] == 0
    assert before["bridge_routes",] == 2
    assert before["bridge_errors_total", "source"] == before["bridge_errors_total", "store"] == 0
    for name in ("bridge_snapshot_timestamp_seconds", "bridge_last_success_timestamp_seconds"):
        assert began - 1 < before[name,] < time.time() + 1
    for lease in ("cluster", "fleet", "replica"):
        assert began - 1 < before["bridge_lease_renewal_timestamp_seconds", lease] < time.time() + 1
    assert before["bridge_lease_ttl_seconds", "cluster"] == 300
    assert any(name == "bridge_build_info" for name, *_ in before)
    assert any(name == "process_resident_memory_bytes" for name, *_ in before)
    fleet.world.turn("unhealthy")
    eventually(lambda: figures(port)["bridge_changes_total", "removed"] > 0)


def test_a_quiet_or_a_dead_source_is_no_fault_of_the_process_and_its_age_is_told(fleet: Fleet, port: int) -> None:
    started(fleet, port)
    eventually(lambda: reasons(port, "/readyz") == [])  # its first pass is over, and counted
    fleet.world.path.unlink()
    eventually(lambda: figures(port)["bridge_errors_total", "source"] > 0)
    read_at = figures(port)["bridge_snapshot_timestamp_seconds",]
    until = time.monotonic() + 2.0
    eventually(lambda: time.monotonic() > until)
    assert figures(port)["bridge_snapshot_timestamp_seconds",] == read_at
    assert reasons(port, "/healthz") == reasons(port, "/readyz") == []
    assert checked(port).returncode == 0


def test_without_a_source_it_is_not_ready_and_says_why(fleet: Fleet, port: int) -> None:
    fleet.source = f"file:{fleet.world.path.with_name('none.json')}"
    fleet.start("a", "--http", f"127.0.0.1:{port}")
    eventually(lambda: ask(port, "/readyz")[0] == 503 and "none.json" in str(reasons(port, "/readyz")))
    assert reasons(port, "/healthz") == []


def test_a_frozen_store_costs_readiness_once_a_lease_is_past_and_health_never(
    own: tuple[EtcdServer, Fleet], port: int
) -> None:
    server, fleet = own
    started(fleet, port, "--ttl", "12")
    eventually(lambda: reasons(port, "/readyz") == [])
    server.freeze()
    try:
        eventually(lambda: figures(port)["bridge_errors_total", "store"] > 0)
        eventually(lambda: any("lease" in one for one in reasons(port, "/readyz")))
        assert reasons(port, "/healthz") == []
        assert figures(port)["bridge_ready",] == 0
    finally:
        server.thaw()
    eventually(lambda: reasons(port, "/readyz") == [])


def test_the_page_is_shown_by_a_bridge_that_runs_and_while_its_store_hangs(
    own: tuple[EtcdServer, Fleet], port: int
) -> None:
    server, fleet = own
    started(fleet, port)
    eventually(lambda: reasons(port, "/readyz") == [])
    title = json.loads(ask(port, "/api/")[1])["routes"][0]["service"].encode()
    assert title in ask(port, "/")[1]
    assert ask(port, "/routes/" + title.decode())[0] == 200
    server.freeze()
    try:
        eventually(lambda: b"the store fails" in ask(port, "/")[1])
        assert title in ask(port, "/")[1]
    finally:
        server.thaw()
    eventually(lambda: b"the store fails" not in ask(port, "/")[1])


def test_one_that_follows_is_ready_to_lead(fleet: Fleet, port: int) -> None:
    fleet.ready(fleet.start("b"), "b")
    fleet.start("a", "--http", f"127.0.0.1:{port}")
    eventually(lambda: ask(port, "/readyz")[0] == 200)
    found = figures(port)
    assert found["bridge_leader",] == 0
    assert found["bridge_syncs_total", "follows"] >= 1


def test_the_brake_is_told_with_what_it_holds(fleet: Fleet, port: int) -> None:
    fleet.world.stacks = stacks(4, 10)
    fleet.world.write()
    fleet.start("a", "--http", f"127.0.0.1:{port}", "--confirm", "0")
    eventually(lambda: ask(port, "/readyz")[0] == 200)
    found: Any = fleet.world.stacks
    for one in (one for stack in found for its in stack["services"] for one in its["containers"]):
        one["health_state"] = "unhealthy"
    fleet.world.write()
    eventually(lambda: figures(port)["bridge_brake_shut",] == 1)
    eventually(lambda: figures(port)["bridge_held_removals",] >= 10)
    assert figures(port)["bridge_syncs_total", "held"] >= 1


def test_problems_are_counted_by_few_words_whatever_labels_say(fleet: Fleet, port: int) -> None:
    service: Any = fleet.world.stacks[0]["services"][0]  # type: ignore[index]
    service["labels"]["traefik.port"] = "no number"
    fleet.world.write()
    fleet.start("a", "--http", f"127.0.0.1:{port}")
    eventually(lambda: ask(port, "/readyz")[0] == 200 and figures(port)["bridge_problems", "no_route"] == 1)
    assert b"no number" not in ask(port, "/metrics")[1]


def test_it_can_only_be_read(fleet: Fleet, port: int) -> None:
    started(fleet, port)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        assert ask(port, "/healthz", method)[0] == 405
    assert ask(port, "/healthz", "HEAD") == (200, b"")
    assert ask(port, "/elsewhere")[0] == 404


def test_an_address_that_is_taken_ends_it_and_says_so(fleet: Fleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = fleet.start("a", "--http", f"127.0.0.1:{taken.getsockname()[1]}")
        assert process.popen.wait(30) == 2
        eventually(lambda: process.said("--http") and process.said("nothing can listen there"))


def test_requests_that_never_end_hold_up_neither_routes_nor_other_requests(fleet: Fleet, port: int) -> None:
    started(fleet, port)
    with ExitStack() as stack:
        for _ in range(30):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        before = set(fleet.publication.published())
        fleet.world.turn("unhealthy")
        eventually(lambda: set(fleet.publication.published()) != before)
        assert ask(port, "/healthz")[0] == 200


def test_it_ends_within_two_seconds_also_with_requests_under_way(fleet: Fleet, port: int) -> None:
    process = started(fleet, port)
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert process.end() < ENDS_WITHIN
    assert process.popen.returncode == 0


# The command


def test_the_command_says_that_nobody_answers(port: int) -> None:
    found = checked(port)
    assert found.returncode == 1
    assert "does not answer" in found.stderr


def asked(answers: Iterable[bytes], pause: float = 0.0) -> subprocess.CompletedProcess[str]:
    """What the command makes of a server that sends these, with a pause between two, until nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        popen = subprocess.Popen(
            [sys.executable, "-m", "bridge", "healthcheck", "--http", f"127.0.0.1:{other.getsockname()[1]}"],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = other.accept()
        with connection, suppress(OSError):
            connection.recv(4096)
            for answer in answers:
                connection.sendall(answer)
                time.sleep(pause)
        said = popen.communicate(timeout=30)[1]
        return subprocess.CompletedProcess((), popen.returncode, "", said)


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.0 404 No\r\n\r\n",
        "HTTP/1.0 503 No\r\n\r\n[1]",
        "nonsense\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nOK",
        'HTTP/1.0 200 OK\r\n\r\n{"ok": true}',
        'HTTP/1.0 302 Found\r\nLocation: /elsewhere\r\n\r\n{"ok": true, "publishers": []}',
    ],
)
def test_the_command_takes_no_other_server_for_a_bridge(answer: str) -> None:
    found = asked([answer.encode()])
    assert found.stderr
    assert found.returncode == 1


@pytest.mark.parametrize("begins", ["HTTP/1.1 200 OK\r\nX-Slow: ", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_the_command_ends_soon_also_where_an_answer_does_not(begins: str) -> None:
    """Each byte within the time-out: what waits for the command may have nothing that ends it."""
    began = time.monotonic()
    found = asked([begins.encode(), *[b"x"] * 200], pause=0.1)
    assert time.monotonic() - began < 15
    assert found.returncode == 1
    assert "does not answer within" in found.stderr


# A loop that stands still

STUCK = """
import sys, threading
import bridge.cli.run, bridge.web.health
from bridge.cli import main
from bridge.stores.memory import Memory, MemoryServer

class Hangs(Memory):
    def read(self, prefix):
        threading.Event().wait()

bridge.web.health.LOOP = 3.0
bridge.cli.run.store_opener = lambda config, site: lambda: Hangs(MemoryServer())
sys.argv = ["bridge", "run", "--store", "etcd://127.0.0.1:1/traefik", "--source", sys.argv[1], "--read-time", "1",
            "--http", sys.argv[2]]
sys.exit(main())
"""


@contextmanager
def stuck(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    script = tmp_path / "stuck.py"
    script.write_text(STUCK)
    popen = subprocess.Popen(
        [sys.executable, str(script), f"file:{tmp_path / 'none.json'}", f"127.0.0.1:{port}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield popen
    finally:
        popen.kill()
        popen.wait()


def test_a_loop_that_stands_still_is_ill_and_the_command_says_so(tmp_path: Path, port: int) -> None:
    with stuck(tmp_path, port):
        eventually(lambda: ask(port, "/healthz")[0] == 503)
        assert any("the loop stands still" in one for one in reasons(port, "/healthz"))
        found = checked(port)
        assert found.returncode == 1
        assert "traefik1: the loop stands still" in found.stderr
        assert figures(port)["bridge_healthy",] == 0
