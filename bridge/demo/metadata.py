"""A small metadata service: as much of Rancher's as the bridge asks for, and three ways to fail.

JSON under the name of text/plain, a random version at each change, and polls that wait for another version than theirs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

API = "/2016-07-29"
_LONGEST_WORD = 100  # bytes
_NOT_FOUND = b'{"code":404,"message":"Not found","type":"error"}'


@dataclass(frozen=True, slots=True)
class Fault:
    """What is answered instead of the truth."""

    name: str
    status: int
    body: bytes
    below: str = API  # to paths that begin so


FAULTS = (
    Fault("404 for everything, as while it boots", 404, _NOT_FOUND),
    Fault("some proxy's page with status 200", 200, b"<html><body>Please log in</body></html>"),
    Fault("a world without stacks", 200, b"[]", below=f"{API}/stacks"),
)


ByHand = Callable[[str, str], str]  # a container and a word for what becomes of it: the answer; raises ValueError


class Metadata:
    """One service on loopback. Runs from `with` to the end of the block."""

    def __init__(self, stacks: bytes, hosts: bytes) -> None:
        self._stacks, self._hosts, self._version = stacks, hosts, _new_version()
        self.by_hand: ByHand | None = None  # what a POST does; nothing, unless somebody says what
        self._fault: Fault | None = None
        self._changed = Condition()
        self._is_ending = False
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="metadata", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def show(self, stacks: bytes) -> None:
        """Another world. All is well."""
        self._change(stacks, None)

    def fail(self, fault: Fault) -> None:
        """Answer so from now on, also to those who wait."""
        self._change(self._stacks, fault)

    def _change(self, stacks: bytes, fault: Fault | None) -> None:
        with self._changed:
            self._stacks, self._fault, self._version = stacks, fault, _new_version()
            self._changed.notify_all()

    # For the handlers, each in a thread of its own

    def answer(self, path: str, query: str) -> tuple[int, bytes]:
        """Status and body."""
        with self._changed:
            if path == f"{API}/version":
                self._wait(parse_qs(query))
            if self._fault is not None and path.startswith(self._fault.below):
                return self._fault.status, self._fault.body
            known = {"version": json.dumps(self._version).encode(), "stacks": self._stacks, "hosts": self._hosts}
            found = known.get(path.removeprefix(f"{API}/"))
            return (404, _NOT_FOUND) if found is None else (200, found)

    def _wait(self, asked: dict[str, list[str]]) -> None:
        """For another version than `value`, if asked to `wait`, and for `maxWait` seconds at most."""
        if asked.get("wait") == ["true"] and "value" in asked:
            seconds = float(asked.get("maxWait", ["60"])[0])
            self._changed.wait_for(lambda: self._version != asked["value"][0] or self._is_ending, seconds)


def _new_version() -> str:
    return str(uuid.uuid4())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # who polls would hold up the end

    def __init__(self, service: Metadata) -> None:
        self.service = service
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A bridge that was killed while it was answered is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits for the acknowledgement of its head
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the demonstration tells what is to be told."""

    def do_GET(self) -> None:
        """One answer."""
        asked = urlsplit(self.path)
        self._answer(*self.server.service.answer(asked.path, asked.query))

    def do_POST(self) -> None:
        """Somebody plays Rancher: /web-test-2 becomes what the body says."""
        word = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _LONGEST_WORD))
        act, name = self.server.service.by_hand, urlsplit(self.path).path.strip("/")
        try:
            if act is None:
                raise ValueError("nothing is changed by hand now")
            self._answer(200, f"{act(name, word.decode('utf-8', 'replace').strip())}\n".encode())
        except ValueError as err:
            self._answer(400, f"{err}\n".encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        with suppress(OSError):  # the bridge hung up
            self.end_headers()
            self.wfile.write(body)
