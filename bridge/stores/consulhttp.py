"""Consul's HTTP API as the client library py-consul speaks it, with types, time-outs and our errors.

What the library and Consul 1.8.7 do was measured. Nothing of the library's leaves this module.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from ssl import SSLContext
from threading import Lock, Thread, current_thread
from typing import Protocol, TypeVar

import consul
import requests
from consul.callback import CB
from consul.exceptions import ACLDisabled, ACLPermissionDenied, BadRequest, ClientError, ConsulException, NotFound
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from bridge.stores.base import Refused, StoreError, Unavailable

T = TypeVar("T")
Fields = Mapping[str, object]

CONNECT = 1.0  # seconds until a connection stands
TIMEOUT = 3.0  # seconds of silence after which a call has failed: less than a third of the shortest TTL
# Seconds for all of a call, beside what a query waits: neither a name server that hangs nor an answer that drips runs
# into a time-out of the library's, and nobody may be held up for as long as a loop that stands still.
LONGEST = 8.0

_RIGHTS = "give its token (BRIDGE_STORE_TOKEN or --store-token-file) the rights that bridge policy consul prints"
_NO_TOKEN = "Consul knows no such token: look at BRIDGE_STORE_TOKEN or --store-token-file"
_NEVER = "Consul will never take this request"
_INVALID_SESSION = "invalid session"
_HEADERS = re.compile(r"(?<=Missing index header): .*")  # all that came instead, which says nothing to anybody
_OBJECT = re.compile(r"^<?\w+\(host=[^)]*\)>?: ")


class NodeMissing(Unavailable):
    """A session was asked for on a node that the catalog does not know."""


# What an exception of the library's means: its class, a part of its text, our error and what to do about it; the
# first row that fits. What fits no row may or may not have happened, and counts as no answer.
_ANSWERS: tuple[tuple[type[ConsulException], str, type[StoreError], str], ...] = (
    (ACLPermissionDenied, "ACL not found", Refused, _NO_TOKEN),
    (ACLPermissionDenied, "", Refused, _RIGHTS),
    (ACLDisabled, "", Refused, "Consul's ACLs are off: leave the token out"),
    (ClientError, "Permission denied", Refused, _RIGHTS),
    (ClientError, "413 ", Refused, "make the request smaller"),
    (ClientError, "429 ", Unavailable, "it has too much to do"),
    (ClientError, "", Refused, _NEVER),
    (BadRequest, "to an HTTPS server", Refused, "use consul+https://"),
    (BadRequest, "", Refused, _NEVER),
    (NotFound, "", Refused, "is this an agent of Consul?"),
    (ConsulException, "Missing node registration", NodeMissing, "register the node"),
    (ConsulException, "No cluster leader", Unavailable, "does one of Consul's servers lead?"),
    (ConsulException, "No path to datacenter", Refused, "check --store-datacenter"),
    (ConsulException, "Permission denied", Refused, _RIGHTS),
    (ConsulException, "Invalid Session TTL", Refused, "use a TTL that Consul takes"),
    (ConsulException, "Failed to decode JSON", Unavailable, "is this an agent of Consul?"),
    (ConsulException, "Missing index header", Unavailable, "is this an agent of Consul?"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """One key as Consul holds it."""

    key: str
    value: bytes
    created: int  # CreateIndex
    revision: int  # ModifyIndex
    session: str  # that holds its lock; empty: none


@dataclass(frozen=True, slots=True)
class Session:
    """A session that lives."""

    id: str
    name: str
    created: int  # CreateIndex


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a transaction did not happen."""

    reasons: tuple[str, ...]  # one an operation that failed

    @property
    def is_lost_session(self) -> bool:
        """Whether all comparisons held, and only a session is no more."""
        return all(_INVALID_SESSION in reason for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where an agent listens, and how it is spoken to."""

    host: str  # IPv6 in brackets
    port: int
    tls: SSLContext | None  # None: it is not spoken
    datacenter: str  # empty: the agent's own


class _Client(Protocol):
    """What is used of the library's client."""

    kv: _Keys
    session: _Sessions
    catalog: _Catalog
    http: _Http
    token: str | None


class _Keys(Protocol):
    def get(self, key: str, *, index: int, wait: str, recurse: bool) -> tuple[str, object]: ...


class _Sessions(Protocol):
    def node(self, node: str) -> tuple[str, object]: ...

    def renew(self, session_id: str) -> object: ...

    def destroy(self, session_id: str) -> object: ...


class _Catalog(Protocol):
    def register(self, node: str, address: str) -> object: ...


class _Http(Protocol):
    session: requests.Session

    def put(self, callback: object, path: str, *, params: list[tuple[str, str]], data: str) -> object: ...


class Agent:
    """One agent of Consul. Raises Unavailable, Refused and NodeMissing. Used by several threads."""

    def __init__(self, url: str, reach: Reach, token: str) -> None:
        """`url`: the store's, for messages."""
        self._url = url
        self._silent = (
            "is it up, and do --store-ca, --store-cert and --store-key fit it?"
            if reach.tls
            else "is it up, and does it speak plain consul:// rather than consul+https://?"
        )
        self._where = [("dc", reach.datacenter)] if reach.datacenter else []
        # All is named: what is left out the library takes from variables of the environment.
        self._client: _Client = consul.Consul(
            host=reach.host,
            port=reach.port,
            scheme="https" if reach.tls else "http",
            verify=True,
            cert=None,
            dc=reach.datacenter or None,
            consistency="consistent",
            connections_timeout=TIMEOUT,
        )
        self._client.token = None  # one from the environment would win over ours
        self._connections = _Connections()
        http = self._client.http.session
        http.trust_env = False  # neither a proxy for the web nor a netrc is for the store
        http.max_redirects = 0  # the token would go along
        if token:
            http.headers["X-Consul-Token"] = token  # the library sends none with a transaction
        for scheme in ("http://", "https://"):
            http.mount(scheme, _Adapter(self._connections, reach.tls))

    def pairs(self, prefix: str, *, after: int = 0, wait: float = 0) -> tuple[int, tuple[Pair, ...]]:
        """All keys that begin with `prefix`, and the index of their last change.

        With `after` only once that index is higher, or `wait` seconds have passed.
        """

        def get() -> tuple[int, tuple[Pair, ...]]:
            index, found = self._get(prefix, after, wait, recurse=True)
            return index, _pairs(found)

        return self._ask("a read", get, wait=wait)

    def index(self, absent: str) -> int:
        """The index of the last change of any key, by asking for a key that does not stand."""
        index, _ = self._ask("a read", lambda: self._get(absent, 0, 0, recurse=False))
        return index

    def _get(self, key: str, after: int, wait: float, *, recurse: bool) -> tuple[int, object]:
        index, found = self._client.kv.get(key, index=after, wait=f"{wait:.0f}s", recurse=recurse)
        return int(index), found

    def transact(self, operations: Iterable[Fields]) -> tuple[Pair, ...] | Failed:
        """All operations in one transaction: the keys that it wrote or checked as they are now, without values."""
        data = json.dumps([{"KV": operation} for operation in operations])

        def put() -> tuple[Pair, ...]:
            answer = self._client.http.put(CB.json(), "/v1/txn", params=self._where, data=data)
            results = answer.get("Results") if isinstance(answer, dict) else None
            return _pairs([row["KV"] for row in _rows(results) if row["KV"] is not None])

        try:
            return self._ask("a transaction", put)
        except Refused as err:
            reasons = _reasons(err.__cause__)
            if not reasons or any("Permission denied" in reason for reason in reasons):
                raise
            return Failed(reasons)

    def sessions(self, node: str) -> tuple[Session, ...]:
        """All that live on a node of the catalog."""
        _, found = self._ask("its sessions", lambda: self._client.session.node(node))
        rows = _rows(found)
        return tuple(Session(_text(row, "ID"), _text(row, "Name"), _number(row, "CreateIndex")) for row in rows)

    def create_session(self, node: str, name: str, ttl: int) -> str:
        """The id of a new session, whose keys go with it. `ttl`: seconds, 0 for none. Raises NodeMissing."""
        asked = {"Node": node, "Name": name, "Checks": [], "LockDelay": "0s", "Behavior": "delete"}
        data = json.dumps(asked | ({"TTL": f"{ttl}s"} if ttl else {}))
        # Not by the library's own method: it takes no TTL that a server's session_ttl_min allows below 10 s.
        answer = self._ask(
            "a session",
            lambda: self._client.http.put(CB.json(is_id=True), "/v1/session/create", params=self._where, data=data),
        )
        return str(answer)

    def renew(self, session: str) -> bool:
        """Whether it lived, and so lives its whole time again."""
        try:
            self._ask("a renewal", lambda: self._client.session.renew(session))
        except Refused as err:
            if isinstance(err.__cause__, NotFound):
                return False
            raise
        return True

    def destroy(self, session: str) -> None:
        """The session ends, with its keys."""
        self._ask("the end of a session", lambda: self._client.session.destroy(session))

    def register(self, node: str) -> None:
        """A node in the catalog, on which no agent runs."""
        self._ask("a node", lambda: self._client.catalog.register(node, "127.0.0.1"))

    def close(self) -> None:
        """End all calls, also those that other threads wait for."""
        self._connections.close()

    def _ask(self, what: str, call: Callable[[], T], *, wait: float = 0) -> T:
        """The answer. The library's errors become ours here."""
        if self._connections.closed:
            raise Unavailable("the store", self._url, f"{what} came after the connection was closed.")
        seconds = LONGEST + wait * 17 / 16  # Consul adds up to a sixteenth
        try:
            return self._within(seconds, call)
        except TimeoutError as err:
            why = f"no whole answer to {what} within {seconds:.0f} s"
            raise Unavailable("the store", self._url, f"{why}; {self._silent}") from err
        except ConsulException as err:
            for kind, text, ours, remedy in _ANSWERS:
                if isinstance(err, kind) and text in str(err):
                    end = "" if remedy.endswith("?") else "."
                    raise ours("the store", self._url, f"answered {what} with {_said(err)!r}; {remedy}{end}") from err
            raise Unavailable("the store", self._url, f"answered {what} with {_said(err)!r}; try again.") from err
        except requests.RequestException as err:
            raise Unavailable("the store", self._url, f"no answer to {what} ({_why(err)}); {self._silent}") from err
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as err:
            # The library trusts JSON to be Consul's.
            raise Unavailable("the store", self._url, f"answered {what} with nonsense; is it Consul?") from err

    def _within(self, seconds: float, call: Callable[[], T]) -> T:
        """What `call` answers or raises. TimeoutError: it took longer; its thread is left behind, and sends no more."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(call())
            except Exception as err:
                future.set_exception(err)

        thread = Thread(target=run, name="call of Consul", daemon=True)
        thread.start()
        try:
            return future.result(seconds)
        except TimeoutError:
            self._connections.give_up(thread)
            raise


class _Connections:
    """All that are open, so that they can be ended while a thread waits for an answer on one."""

    def __init__(self) -> None:
        self.closed = False
        self._open: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._given_up: weakref.WeakSet[Thread] = weakref.WeakSet()
        self._lock = Lock()

    def opened(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._open.add(connection)
            given_up = current_thread() in self._given_up
        if self.closed or given_up:
            _shut(connection)

    def give_up(self, thread: Thread) -> None:
        """End what this thread waits for, and what it would begin; others that wait ask again."""
        with self._lock:
            self._given_up.add(thread)
        self._shut_all()

    def close(self) -> None:
        self.closed = True
        self._shut_all()

    def _shut_all(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _shut(connection)


def _shut(connection: HTTPConnection) -> None:
    """To close it would not wake the thread that reads from it."""
    held = connection.sock
    if held is not None:
        try:
            socket.socket.shutdown(held, socket.SHUT_RDWR)  # also beneath TLS, whose own needs an answer
        except OSError:
            return  # it was closed already


class _Adapter(HTTPAdapter):
    """One limit for a connection to stand, another for an answer to come; connections that can be ended.

    They speak TLS by a context of ours: requests goes by paths, and trusts its own roots beside those of a context.
    """

    def __init__(self, connections: _Connections, tls: SSLContext | None) -> None:
        super().__init__()
        self.poolmanager.connection_pool_kw["ssl_context"] = tls

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                connections.opened(self)

        class Tls(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                connections.opened(self)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = Tls

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """`timeout` as the library reckons it: a query that waits has its wait on top."""
        if isinstance(timeout, int | float):
            timeout = (CONNECT, timeout)
        return super().send(request, stream, timeout, verify, cert, proxies)

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Nothing: the context knows it."""


def _said(err: ConsulException) -> str:
    if reasons := _reasons(err):  # often the same of each operation
        return ", ".join(dict.fromkeys(reasons))[:300]
    return _HEADERS.sub("", " ".join(str(err).split()))[:300]


def _why(err: requests.RequestException) -> str:
    """The innermost cause, without the name of the object to which it happened."""
    inner: Exception = err
    while (cause := _within(inner)) is not None:
        inner = cause
    return _OBJECT.sub("", " ".join(str(inner).split()))[:300] or type(err).__name__


def _within(err: Exception) -> Exception | None:
    held = (getattr(err, "reason", None), *err.args[-1:])
    return next((one for one in held if isinstance(one, Exception)), None)


def _reasons(err: BaseException | None) -> tuple[str, ...]:
    """What a transaction that was refused says of each operation; nothing where it says another thing."""
    status, _, body = str(err).partition(" ")
    if status != "409":
        return ()
    try:
        answer = json.loads(body)
    except ValueError:
        return ()
    errors = answer.get("Errors") if isinstance(answer, dict) else None
    return tuple(_text(row, "What") for row in _rows(errors))


def _rows(found: object) -> list[Fields]:
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _pairs(found: object) -> tuple[Pair, ...]:
    """The keys of an answer. Raises ValueError: one that was left out would pass for deleted."""
    rows = _rows(found)
    if found is not None and (not isinstance(found, list) or len(rows) < len(found)):
        raise ValueError("no list of keys")
    return tuple(map(_pair, rows))


def _pair(row: Fields) -> Pair:
    value, key, revision = row.get("Value"), _text(row, "Key"), _number(row, "ModifyIndex")
    if not key or not revision:
        raise ValueError("no key")
    return Pair(
        key=key,
        value=value if isinstance(value, bytes) else b"",
        created=_number(row, "CreateIndex"),
        revision=revision,
        session=_text(row, "Session"),
    )


def _text(row: Fields, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _number(row: Fields, name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) else 0


def encoded(value: bytes) -> str:
    """A value as a transaction takes it."""
    return base64.b64encode(value).decode("ascii")
