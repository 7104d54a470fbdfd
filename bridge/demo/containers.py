"""The containers behind Traefik: small web servers that say who they are and what they were asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from bridge.demo.answers import LOCALHOST

_SAYS = "My hostname is "


def who_answered(body: bytes) -> str:
    """The container that answered so; empty where none did."""
    first = body.decode("utf-8", "replace").partition("\n")[0]
    return first.removeprefix(_SAYS) if first.startswith(_SAYS) else ""


class Containers:
    """All that may run, by name. Each has its port from the beginning; whoever does not run refuses connections."""

    def __init__(self, names: Iterable[str]) -> None:
        self._lock = Lock()  # a world is changed by the story, or by hand
        self._running: dict[str, _Server] = {}
        self._waiting = {name: _Server(name, 0) for name in names}
        self.ports: Mapping[str, int] = {name: server.server_address[1] for name, server in self._waiting.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop(list(self._running))
        for server in self._waiting.values():
            server.server_close()

    def start(self, names: Collection[str]) -> None:
        """They answer from now on, if they did not."""
        with self._lock:
            for name in sorted(set(names) - self._running.keys()):
                server = self._running[name] = self._waiting.pop(name)
                server.server_activate()
                Thread(target=server.serve_forever, args=(0.05,), name=name, daemon=True).start()

    def stop(self, names: Collection[str]) -> None:
        """They refuse connections from now on, if they did not."""
        with self._lock:
            for name in sorted(self._running.keys() & set(names)):
                server = self._running.pop(name)
                server.shutdown()
                server.server_close()
                self._waiting[name] = _Server(name, self.ports[name])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        super().__init__((LOCALHOST, port), _Handler, bind_and_activate=False)
        self.server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # a connection a request: a container that has stopped keeps none
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the demonstration tells what is to be told."""

    def do_GET(self) -> None:
        """Its name, and the headers that came."""
        lines = [_SAYS + self.server.name, *(f"{name}: {value}" for name, value in self.headers.items())]
        body = "".join(f"{line}\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        with suppress(OSError):  # who asked hung up
            self.end_headers()
            self.wfile.write(body)
