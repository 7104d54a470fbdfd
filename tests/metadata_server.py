"""A stand-in for Rancher's metadata service, on loopback, in a thread.

Rancher 1.x itself cannot run in a test: it needs a server, agents and hosts of its own. This has the manners that were
seen on rancher-metadata 0.10.4: JSON for those who ask for it, called text/plain; a random version at each reload, and
lists in another order; long polls that look at the clock in ticks and answer with the old version when time is over;
no Content-Length above 2 kB; 404 for everything until there is something to serve. It can be told to misbehave.
"""

from __future__ import annotations

import copy
import json
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Condition, Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.worlds.generate import Json, Object, encode

API = "/2016-07-29"
CHUNKED_ABOVE = 2048  # bytes
PIECE = 1 << 16  # bytes of a chunk
DRIP = 0.02  # seconds between two bytes, where nothing else is said


class Fault(Enum):
    """How the service can fail."""

    BOOTING = "404 for everything"
    NULL = "lists are null"
    EMPTY = "lists are empty"
    NONSENSE = "200 with a page of some proxy"
    CUT = "hangs up in the middle of an answer with a length"
    CUT_CHUNKS = "hangs up between two chunks"
    BROKEN_CHUNK = "a chunk of another length than it says"
    DRIP = "an answer that comes byte by byte"
    DRIP_UNTIL_CLOSED = "the same, of which only the end of the connection tells the end"
    DRIP_HEADERS = "headers that never end"
    SILENT = "no answer"
    HANGS_UP = "closes each connection at once"
    MOVED = "301 to another path"
    MOVED_NOWHERE = "301 to what is no address"
    DEEP = "200 with more brackets than any program counts"
    ERROR = "500"


class MetadataServer:
    """One service of one host. Runs from `with` to the end of the block."""

    def __init__(
        self,
        stacks: Sequence[Json],
        hosts: Sequence[Json] | None = None,
        *,
        second: float = 0.01,
        drip: float = DRIP,
        shuffles: bool = True,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`second`: how long a second of a poll lasts, five of which are a tick. `drip`: seconds between two bytes.

        `shuffles`: every list; the real one keeps a service's own lists in their order, and orders only services anew.
        Without `hosts` each host that a container names is there, at 192.0.2.1 and so on in the order of their uuids.
        """
        self.fault: Fault | None = None
        self.faulty = API  # paths that begin so have the fault
        self.asked: list[str] = []  # paths and queries, in the order in which they came
        self.headers: list[str] = []  # their names, of the last request
        self.polling = 0  # requests that wait now
        self.waits = True  # whether polls wait at all
        self.after_stacks: Callable[[], None] | None = None  # happens once, right after stacks were read
        self.drip = drip
        self._second, self._shuffles, self._chance = second, shuffles, Random(1)
        self._changed = Condition()
        self._is_ending = False
        self._views: list[bytes] = []
        self._hosts = b""
        self.show(stacks, hosts)
        self._server = _Server(("127.0.0.1", port), self)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), name="metadata", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def show(self, stacks: Sequence[Json], hosts: Sequence[Json] | None = None) -> None:
        """Another world, and a reload."""
        self.alternate([stacks], hosts)

    def alternate(self, views: Sequence[Sequence[Json]], hosts: Sequence[Json] | None = None) -> None:
        """Several worlds, each answer another one in turn, as behind a proxy of services that differ; and a reload."""
        listed = [*hosts] if hosts is not None else _hosts_of(views)
        with self._changed:
            self._views = [encode(self._shuffled(list(view))) for view in views]
            self._hosts = encode(self._shuffled(listed))
        self.reload()

    def reload(self) -> None:
        """The same world under another version, as Rancher does it many times a day."""
        with self._changed:
            self.version = str(uuid.uuid4())
            self._changed.notify_all()

    def wait_until_asked(self, path: str, times: int, seconds: float = 10.0) -> None:
        """Return when a path, such as /stacks, was asked for so often, or fail."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._count(path) >= times, seconds), f"nobody asks for {path}"

    def wait_until_polled(self, seconds: float = 10.0) -> None:
        """Return when somebody waits for another version, or fail."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.polling > 0, seconds), "nobody polls"

    def times_asked(self, path: str) -> int:
        """How often a path, such as /stacks, was asked for, with whatever query."""
        with self._changed:
            return self._count(path)

    def _count(self, path: str) -> int:
        return sum(asked.partition("?")[0] == API + path for asked in self.asked)

    def _shuffled(self, items: list[Json]) -> list[Object]:
        found = copy.deepcopy(items)
        for node in _lists(found) if self._shuffles else _lists_of_services(found):
            self._chance.shuffle(node)
        return found  # type: ignore[return-value]  # a test may well put what is no object into a world

    # For the handlers, each in a thread of its own

    def answer(self, path: str, query: str) -> bytes | None:
        """The body of 200; None: 404."""
        with self._changed:
            self.asked.append(f"{path}?{query}" if query else path)
            self._changed.notify_all()
            if path == f"{API}/stacks":
                view = self._views.pop(0)
                self._views.append(view)
                happens, self.after_stacks = self.after_stacks, None
                if happens:
                    happens()
                return view
            if path == f"{API}/hosts":
                return self._hosts
            return self._poll(query) if path == f"{API}/version" else None

    def _poll(self, query: str) -> bytes | None:
        """The version; if asked so, when it differs from `value`, or on the first tick after `maxWait`."""
        asked = parse_qs(query)
        if asked.get("wait") == ["true"] and "value" in asked and self.waits:
            self.polling += 1
            self._changed.notify_all()
            until = time.monotonic() + (int(asked.get("maxWait", ["60"])[0]) + 5) * self._second
            self._changed.wait_for(
                lambda: self.version != asked["value"][0] or self._is_ending, until - time.monotonic()
            )
            self.polling -= 1
        return json.dumps(self.version).encode()

    def ends_within(self, seconds: float) -> bool:
        """Whether the service ends; after `seconds` at the latest."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_ending, seconds)


def _hosts_of(views: Sequence[Sequence[Json]]) -> list[Json]:
    uuids = {node["host_uuid"] for node in _objects([*views]) if isinstance(node.get("host_uuid"), str)}
    return [
        {"uuid": uuid, "agent_ip": f"192.0.2.{number}", "hostname": f"host-{number}"}
        for number, uuid in enumerate(sorted(map(str, uuids)), 1)
    ]


def _lists(value: object) -> Iterator[list[Json]]:
    """Every list in a document, outermost first."""
    if isinstance(value, list):
        yield value
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _lists(part)


def _lists_of_services(stacks: list[Json]) -> Iterator[list[Json]]:
    yield stacks
    for stack in stacks:
        services = stack.get("services") if isinstance(stack, dict) else None
        if isinstance(services, list):
            yield services


def _objects(value: object) -> Iterator[Object]:
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _objects(part)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a thread that drips would hold up the end of the test

    def __init__(self, address: tuple[str, int], service: MetadataServer) -> None:
        self.service = service
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as Go does
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests look at what was asked."""

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        service = self.server.service
        service.headers = self.headers.keys()
        body = service.answer(path, query)
        # Looked at after the poll: a service that fails meanwhile fails those who wait, too.
        fault = service.fault if path.startswith(service.faulty) else None
        if fault is not None:
            with suppress(OSError):  # the client hung up: it is what most of these are for
                self._fail(fault, body or b"")
        elif body is None:
            self._send(404, b'{"code":404,"message":"Not found","type":"error"}')
        elif "application/json" in self.headers.get("Accept", ""):
            self._send(200, body)
        else:
            self._send(200, b"0=a listing that no program reads\n")

    def _fail(self, fault: Fault, body: bytes) -> None:
        match fault:
            case Fault.BOOTING:
                self._send(404, b'{"code":404,"message":"Not found","type":"error"}')
            case Fault.ERROR:
                self._send(500, b"oops")
            case Fault.NULL:
                self._send(200, b"null")
            case Fault.EMPTY:
                self._send(200, b"[]")
            case Fault.NONSENSE:
                self._send(200, b"<html><body>Please log in</body></html>")
            case Fault.MOVED_NOWHERE:
                self._headers(301, {"Location": "http://[", "Content-Length": "0"})
            case Fault.DEEP:
                self._send(200, b"[" * 100_000)
            case Fault.MOVED:
                self._headers(301, {"Location": f"{API}/elsewhere", "Content-Length": "0"})
            case Fault.CUT:
                self._headers(200, {"Content-Length": str(len(body))})
                self._hang_up(body[: len(body) // 2])
            case Fault.CUT_CHUNKS:
                self._headers(200, {"Transfer-Encoding": "chunked"})
                self._hang_up(_chunk(body[: len(body) // 2]))
            case Fault.BROKEN_CHUNK:
                self._headers(200, {"Transfer-Encoding": "chunked"})
                self._hang_up(_chunk(body[: len(body) // 2]) + b"zz\r\n" + body[len(body) // 2 :])
            case Fault.DRIP:
                self._headers(200, {"Content-Length": str(len(body))})
                self._drip(body)
            case Fault.DRIP_UNTIL_CLOSED:
                self._headers(200, {"Connection": "close"})
                self._drip(body)
            case Fault.DRIP_HEADERS:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                self._drip(b"x" * 60_000)
            case Fault.SILENT:
                self._drip(b"", 600.0)  # seconds
            case Fault.HANGS_UP:
                self._hang_up(b"")

    def _send(self, status: int, body: bytes) -> None:
        if len(body) <= CHUNKED_ABOVE:
            self._headers(status, {"Content-Length": str(len(body))})
            self.wfile.write(body)
            return
        self._headers(status, {"Transfer-Encoding": "chunked"})
        pieces = (body[at : at + PIECE] for at in range(0, len(body), PIECE))
        self.wfile.write(b"".join(map(_chunk, pieces)) + b"0\r\n\r\n")

    def _headers(self, status: int, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain; charset=utf-8", **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _hang_up(self, last: bytes) -> None:
        self.wfile.write(last)
        self.close_connection = True

    def _drip(self, body: bytes, seconds: float | None = None) -> None:
        """A byte now and then, until all is sent or the client hung up; no more is served on this connection."""
        self.close_connection = True
        for at in range(max(1, len(body))):
            self.wfile.write(body[at : at + 1])
            if self.server.service.ends_within(self.server.service.drip if seconds is None else seconds):
                return


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
