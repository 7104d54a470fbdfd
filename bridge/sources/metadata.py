"""Source `metadata`: Rancher's metadata service, long-polled.

One answer of /stacks is a whole world. The version is a new random text at each reload of the service, and another one
on each host: that it differs says that it is time to look, and nothing else. So the order is: ask for the version, then
for the world, then wait for another version than that one. What changes in between makes the wait end at once.

Only a full answer is a world. A service that is down, boots, reloads or was cut half-way answers with errors, null, or
a part of its lists, and none of that says that anything has gone. After a reboot of its host it serves what it saved
before: see `_refuse_older`.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Timer
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from bridge.model.problem import UsageError
from bridge.model.world import ADDRESS_LABEL, Snapshot
from bridge.sources.base import SourceError, without_user
from bridge.sources.document import Reader, gap, hosts

API = "2016-07-29"
REMEDY = "what was published stays; see whether this is Rancher's metadata service, and whether it is well"

CONNECT = 2.0  # seconds
READ = 30.0  # seconds between two pieces of an answer; the largest world took 1.4 s
TOTAL = 60.0  # seconds for a whole answer: a server that drips never runs into READ
POLL = 25  # seconds that the service may hold a poll …
POLL_READ = 40.0  # … and how long we wait: it looks at its clock every 5 s, and keeps a waiter that hung up until then
REREAD = 60.0  # seconds after which the world is read though its version is the same
FIRST_GAP, LONGEST_GAP = 0.1, 1.0  # seconds from one reading to the next; twice as long after each that brought nothing
LARGEST = 512 * 1024 * 1024  # bytes of an answer; 11 000 containers took 25 MB
TRIES = 3  # to read two lists of one and the same version


class MetadataSource:
    """The service at one URL. One thread reads; any may close."""

    def __init__(self, url: str, *, hosts: bool, named: Set[str] = frozenset()) -> None:
        self.url, self._hosts = url, hosts
        self._asked_for_hosts = False  # by a label, in the last world
        self._closed = Event()
        self._line = _Line(self._closed)
        self._session = requests.Session()
        self._session.trust_env = False  # else a proxy of the environment gets our requests, and netrc adds a login
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._line)
        self._reader = Reader(named)
        self._newest: dict[tuple[str, str], int] = {}  # by a service's uuid and name; grows by services only

    def read(self) -> Snapshot:
        """As `Source` says. Raises SourceError for an answer that is no whole world, or older than one before."""
        world = self._with_hosts() if self._hosts or self._asked_for_hosts else self._stacks()
        self._asked_for_hosts = _asks_for_hosts(world)
        if self._asked_for_hosts and not world.hosts:
            world = self._with_hosts()
        self._refuse_older(world)
        return world

    def changes(self) -> Iterator[Snapshot]:
        """As `Source` says. `close` cuts the connection, so this ends at once; while it is being made, in CONNECT."""
        with suppress(_Closed):
            version, known, pause = self._version(), None, FIRST_GAP
            while True:
                began = time.monotonic()
                seen = self.read()
                if known is None or seen != known:
                    known, pause = seen, FIRST_GAP
                else:
                    pause = min(2 * pause, LONGEST_GAP)
                yield known
                self._rest(began + pause - time.monotonic())
                while (polled := self._poll(version)) == version and time.monotonic() < began + REREAD:
                    yield known
                version = polled

    def tell_hosts(self) -> None:
        """As `TellsHosts` says."""
        self._hosts = True

    def close(self) -> None:
        """As `Source` says."""
        self._closed.set()
        self._line.cut()
        self._session.close()

    def _stacks(self) -> Snapshot:
        where = f"/{API}/stacks"
        world = self._reader.snapshot(self._get(where), self.url + where, REMEDY)
        missing = gap(world.problems)
        if missing is not None:
            raise self._error(where, f"is only half there ({missing})")
        if not any(service.containers for service in world.services):
            # The service that answers is a container of this world itself.
            raise self._error(where, "holds no container")
        return world

    def _with_hosts(self) -> Snapshot:
        """The world and its hosts, both of one version: else a new container may stand on a host not yet listed."""
        where = f"/{API}/hosts"
        for _ in range(TRIES):
            version, world = self._version(), self._stacks()
            found = hosts(self._get(where), self.url + where, REMEDY)
            missing = gap(found.problems)
            if missing is not None:
                raise self._error(where, f"is only half there ({missing})")
            if self._version() == version:
                problems = tuple(sorted({*world.problems, *found.problems}))
                return replace(world, hosts=found.addresses, host_names=found.names, problems=problems)
        raise self._error(where, f"changed {TRIES} times while it was read")

    def _refuse_older(self, world: Snapshot) -> None:
        """Refuse a document that is older than one we took.

        A service's create_index counts the containers that it was ever given, so in truth it never goes back; where it
        does, the service shows a state that it had before. What is older but gave no service a container since cannot
        be told from the truth. A Rancher that was restored from a backup does count back: then restart the bridge.
        Raises SourceError.
        """
        seen: dict[tuple[str, str], int] = {}
        for service in world.services:
            key = (service.uuid, service.name)
            seen[key] = max(service.create_index, seen.get(key, 0))
        for (uuid, name), index in seen.items():
            newest = self._newest.get((uuid, name), 0)
            if 0 < index < newest:
                why = f"is an older document: create_index of service {name} went from {newest} back to {index}"
                raise self._error(f"/{API}/stacks", why)
        self._newest |= {key: index for key, index in seen.items() if index}

    def _version(self) -> str:
        return self._text(self._get(f"/{API}/version"))

    def _poll(self, version: str) -> str:
        """Another version than `version`, or the same after a while, also where the server does not wait."""
        began, asked = time.monotonic(), {"wait": "true", "value": version, "maxWait": str(POLL)}
        found = self._text(self._get(f"/{API}/version", asked))
        if found == version:
            self._rest(began + LONGEST_GAP - time.monotonic())
        return found

    def _text(self, data: bytes) -> str:
        where = f"/{API}/version"
        try:
            found: object = json.loads(data)
        except (ValueError, RecursionError) as err:
            raise self._error(where, "is no JSON") from err
        if not isinstance(found, str) or not found:
            raise self._error(where, "is no text")
        return found

    def _get(self, where: str, poll: Mapping[str, str] | None = None) -> bytes:
        """A whole answer, now or, with `poll`, when there is something to say. Raises SourceError, or _Closed."""
        patience = (CONNECT, READ if poll is None else POLL_READ)
        with self._asking(where), _cut_after(TOTAL, self._line):
            answer = self._session.get(
                self.url + where, params=poll, timeout=patience, allow_redirects=False, stream=True
            )
            with answer:
                if answer.status_code != 200:
                    raise self._error(where, f"answered {answer.status_code}, not 200")
                return self._body(answer, where)

    def _body(self, answer: requests.Response, where: str) -> bytes:
        data = bytearray()
        for piece in answer.iter_content(1 << 18):
            data += piece
            if len(data) > LARGEST:
                raise self._error(where, f"is larger than {LARGEST} bytes")
        return bytes(data)

    @contextmanager
    def _asking(self, where: str) -> Iterator[None]:
        """The client's exceptions as ours."""
        self._rest(0)
        began = time.monotonic()
        try:
            yield
        except (requests.RequestException, HTTPError, ValueError) as err:
            # Some of urllib3's come through as they are; a redirect to what is no address is a ValueError.
            self._rest(0)
            raise self._error(where, _why(err, time.monotonic() - began)) from err
        # An answer whose end is that of the connection looks whole where we cut it.
        self._rest(0)
        if time.monotonic() - began >= TOTAL:
            raise self._error(where, f"was not finished within {TOTAL:.0f} s")

    def _error(self, where: str, why: str) -> SourceError:
        return SourceError("source", self.url + where, f"{why}; {REMEDY}")

    def _rest(self, seconds: float) -> None:
        """Wait. Raises _Closed."""
        if self._closed.wait(max(0.0, seconds)):
            raise _Closed("source", self.url, "is closed")


class _Closed(SourceError):
    """Somebody closed the source while it was read."""


class _Line(HTTPAdapter):
    """One connection that another thread can cut: neither a long poll nor a server that drips ends by itself."""

    def __init__(self, closed: Event) -> None:
        self._closed = closed
        self._socket: socket.socket | None = None  # of the last connection; a response that is read may own it alone
        super().__init__(pool_connections=1, pool_maxsize=1)
        self.poolmanager.pool_classes_by_scheme = _pools(self._enter)

    def cut(self) -> None:
        """End what is under way: whoever waits for an answer gets an error."""
        if self._socket is not None:
            with suppress(OSError):  # it ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)

    def _enter(self, made: socket.socket | None) -> None:
        self._socket = made
        if self._closed.is_set():  # while the connection was made, so that `cut` missed it
            raise ConnectionAbortedError("closed")


def _pools(enter: Callable[[socket.socket | None], None]) -> dict[str, type[HTTPConnectionPool]]:
    """Pools that tell of the socket of each connection they make."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            enter(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            enter(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


@contextmanager
def _cut_after(seconds: float, line: _Line) -> Iterator[None]:
    timer = Timer(seconds, line.cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _why(err: Exception, seconds: float) -> str:
    """What went wrong, without the client's own words: they are long, and name its classes."""
    match err:
        case requests.exceptions.SSLError():
            return "speaks no TLS, or shows a certificate that cannot be trusted"
        case requests.ConnectTimeout():
            return f"did not connect within {CONNECT:.0f} s"
        case requests.ReadTimeout():
            return f"did not answer within {seconds:.0f} s"
        case _ if seconds >= TOTAL:
            return f"was not finished within {TOTAL:.0f} s"
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return "was cut half-way"
        case requests.ConnectionError() if seconds >= READ:
            return "stopped half-way"
        case _:
            return "cannot be reached, or it hung up"


def _asks_for_hosts(world: Snapshot) -> bool:
    return any(
        ADDRESS_LABEL in labels
        for service in world.services
        for labels in (service.labels, *(container.labels for container in service.containers))
    )


def from_url(url: str, *, hosts: bool, named: Set[str] = frozenset()) -> MetadataSource:
    """The source for `http://HOST[:PORT]` or `https://…`. Raises UsageError where that is something else."""
    remedy = "use http://HOST or http://HOST:PORT, such as http://rancher-metadata"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as err:  # its text may hold half of a password
        raise UsageError("--source", without_user(url), f"is no address with a port from 1 to 65535; {remedy}") from err
    if not parts.hostname or port == 0 or "@" in url or not url.isprintable() or " " in url:
        raise UsageError("--source", without_user(url), f"is no plain address of a server; {remedy}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError("--source", url, f"names more than a server, and the bridge knows the paths; {remedy}")
    return MetadataSource(f"{parts.scheme}://{parts.netloc}", hosts=hosts, named=named)
