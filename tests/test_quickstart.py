"""The first route in five minutes: its blocks are run as they stand, one line after the other, in one shell."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers import free_ports

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S)
PATIENCE = 60.0  # seconds; a machine that runs other things too
ETCD = "etcd --data-dir etcd-data"
DONE = "~done~"


class Shell:
    """A bash that reads what one types: with job control, so that its jobs have names and groups of their own."""

    def __init__(self, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        self._popen = subprocess.Popen(
            ["bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**clean, "PATH": path, "PYTHONPATH": str(ROOT)},
        )
        self.type("set -m")

    def type(self, line: str) -> tuple[int, str]:
        """Exit code and output."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(f"{line}\necho {DONE} $?\n")
        self._popen.stdin.flush()
        said = ""
        for got in self._popen.stdout:
            before, found, code = got.partition(DONE)
            said += before
            if found:
                return int(code), said
        raise AssertionError(f"the shell ended: {said}")

    def until(self, line: str, what: str) -> str:
        """What it says once that is in it and it ends well."""
        deadline = time.monotonic() + PATIENCE
        while True:
            code, said = self.type(line)
            if code == 0 and what in said:
                return said
            assert time.monotonic() < deadline, f"{line}: {code} {said}"
            time.sleep(0.1)

    def close(self) -> None:
        """End what still runs."""
        for pid in map(int, self.type("jobs -rp")[1].split()):
            with suppress(ProcessLookupError):  # it may have ended since
                os.killpg(pid, signal.SIGKILL)
        self._popen.communicate("exit\n", timeout=PATIENCE)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    found = Shell(tmp_path)
    yield found
    found.close()


@pytest.mark.timeout(300)  # each step has its own limit
def test_each_step_does_what_is_said_of_it(shell: Shell, tmp_path: Path) -> None:
    client, peer, web, site, page = free_ports(5)
    ports = {"2379": client, "8000": web, "9001": site, "8090": page}

    def own(text: str) -> str:
        """With ports that are free here; of an etcd also the one for others of its kind."""
        text = re.sub(rf"\b({'|'.join(ports)})\b", lambda found: str(ports[found[0]]), text)
        at, others = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        return text.replace(
            ETCD,
            f"{ETCD} --listen-client-urls {at} --advertise-client-urls {at} --listen-peer-urls {others} "
            f"--initial-advertise-peer-urls {others} --initial-cluster default={others}",
        )

    assert ETCD in TEXT
    world = re.findall(r"^```json\n(.*?)^```", TEXT, re.M | re.S)
    (tmp_path / "world.json").write_text(own(world[0]))
    after = iter(("Hello from a container", "no available server", "Hello from a container"))
    shows = {"bridge plan": "to add", "bridge explain": "unhealthy", "cat bridge.log": "hello"}
    shows["bridge leave"] = "removed"
    for line in own("".join(BLOCKS)).splitlines():
        what = next(after) if line.startswith("curl") else shows.pop(" ".join(line.split()[:2]), "")
        if line.startswith(("curl", "bridge plan", "bridge explain", "bridge leave")):
            shell.until(line, what)  # what was begun in the background takes its time
        else:
            code, said = shell.type(line)
            assert code == 0, f"{line}: {said}"
            assert what in said, f"{line}: {said}"
    assert (next(after, None), shows) == (None, {})
    shell.until('[ -z "$(jobs -r)" ]', "")


def test_what_traefik_shall_answer_is_told() -> None:
    assert {"Hello from a container", "no available server"} <= set(re.findall(r"`([^`\n]+)`", TEXT))
