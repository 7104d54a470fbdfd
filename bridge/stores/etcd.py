"""etcd v3 over gRPC. What its servers and its client library do was measured with etcd 3.5.1 and grpcio 1.85."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import TypeVar

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # read at import; our errors say what gRPC would write to stderr

import grpc
from google.protobuf.message import Message

from bridge.model.change import (
    FOR_EVER,
    Committed,
    Conflict,
    Create,
    Delete,
    Item,
    LeaseName,
    Limits,
    Reading,
    Transaction,
    Update,
)
from bridge.model.problem import UsageError
from bridge.stores import etcdrpc
from bridge.stores.access import Access
from bridge.stores.address import StoreAddress
from bridge.stores.base import LeaseLost, OutcomeUnknown, Refused, StoreError, Unavailable
from bridge.stores.etcdrpc import Metadata, message

T = TypeVar("T")

# A server takes 128 comparisons and 128 operations; each change of ours is one of both, a check only the first.
# It takes requests of 1.5 MiB; the difference to `size` pays for keys, which a change sends twice, and framing.
LIMITS = Limits(operations=128, size=1_500_000, create=1, update=1, move=1, delete=1, check=1)

USUAL_PORT = 2379
TIMEOUT = 3.0  # seconds for every call: without one a stopped server holds a call for ever
BEAT = 25.0  # seconds after which a watch in which nothing happened is begun again: so a dead one is not trusted
PAGE = 10_000  # keys read at a time, so that no read of a big tree runs into the time-out
CENTURY = 3_155_760_000  # seconds; etcd knows no lease without end
LEAST_TTL = 75  # seconds: as much at most etcd grants to who asks for less; one and a half of its longest time-out

_TTL_BITS = 23  # of a lease's id, below the 40 of its family
LONGEST_TTL = (1 << _TTL_BITS) - 1  # seconds

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # a whole tree may be larger than the default, 4 MiB
    ("grpc.enable_retries", 0),  # what may be sent twice is decided here
    ("grpc.enable_http_proxy", 0),  # a proxy for the web is none for the store
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),  # the default waits on for half a minute after a server is back
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5000),
    ("grpc.http2.ping_timeout_ms", 5000),  # without it grpcio ignores the two above
    ("grpc.http2.max_pings_without_data", 0),
)


class _Quiet(Exception):
    """Nothing happened for a while."""


class _LeaseStands(Refused):
    """A grant of a lease that lives."""


class _LoginOff(Refused):
    """A login at a server that wants none."""


class _LoginNeeded(Refused):
    """A request with an expired token, or without one."""


# What an answer means: its code, a part of its text, our error and what to do about it; the first row that fits.
# What fits no row may or may not have happened, and counts as no answer.
_CODE = grpc.StatusCode
_ANSWERS: tuple[tuple[grpc.StatusCode, str, type[StoreError], str], ...] = (
    (_CODE.NOT_FOUND, "requested lease not found", LeaseLost, "ensure the lease and plan again"),
    (_CODE.FAILED_PRECONDITION, "lease already exists", _LeaseStands, "adopt it"),
    (_CODE.FAILED_PRECONDITION, "authentication is not enabled", _LoginOff, "go on without a user"),
    (_CODE.UNAUTHENTICATED, "", _LoginNeeded, "check the user and its password"),
    (_CODE.UNKNOWN, "revision in header is old", _LoginNeeded, "check the user and its password"),
    (_CODE.INVALID_ARGUMENT, "user name is empty", _LoginNeeded, "give --store-user and its password"),
    (_CODE.INVALID_ARGUMENT, "authentication failed", Refused, "check --store-user and its password"),
    (_CODE.PERMISSION_DENIED, "", Refused, "grant its user the rights that bridge policy etcd prints"),
    (_CODE.OUT_OF_RANGE, "has been compacted", Unavailable, "read again"),
    (_CODE.RESOURCE_EXHAUSTED, "space exceeded", Unavailable, "it is full: compact, defragment, disarm its alarm"),
    (_CODE.RESOURCE_EXHAUSTED, "larger than max", Refused, "make the request smaller"),
    (_CODE.INVALID_ARGUMENT, "", Refused, "etcd will never take this request"),
    (_CODE.FAILED_PRECONDITION, "", Refused, "etcd will never take this request"),
    (_CODE.OUT_OF_RANGE, "", Refused, "etcd will never take this request"),
    (_CODE.UNIMPLEMENTED, "", Refused, "is this a server of etcd v3?"),
)
_SILENT = {
    False: "is it up, and does it speak plain etcd:// rather than etcd+https://?",
    True: "is it up, and do --store-ca, --store-cert and --store-key fit it?",
}


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks."""

    user: str
    password: str = field(repr=False)


def connect(address: StoreAddress, *, records_root: str, access: Access) -> Etcd:
    """The store at `address`. It is first asked by its methods.

    Raises UsageError when a file cannot be read, and for a token or a datacenter. Without `access.ca` a server is
    checked by the roots that gRPC brings along, not by the system's.
    """
    if access.token:
        remedy = "is for Consul, as --store-token-file is; etcd takes --store-user and its password"
        raise UsageError("BRIDGE_STORE_TOKEN", "", remedy)
    if access.datacenter:
        raise UsageError("--store-datacenter", access.datacenter, "is for Consul; leave it out")
    credentials = None
    if address.tls:
        ca, cert, key = access.read_files()
        credentials = grpc.ssl_channel_credentials(ca, key, cert)
    login = Login(access.user, access.password) if access.user else None
    return Etcd(address, records_root, credentials, login)


def lease_id(records_root: str, name: LeaseName) -> int:
    """The lease's id: 40 bits that say whose family it is of, 23 that say its TTL in seconds.

    Whoever knows root and name finds the living lease, and a family's leases are known by their ids.
    Raises UsageError where the TTL does not fit.
    """
    if not 0 <= name.ttl <= LONGEST_TTL:
        raise UsageError("--ttl", str(name.ttl), f"use at most {LONGEST_TTL} seconds, or 0 for ever")
    return _family_id(records_root, name.family) << _TTL_BITS | name.ttl


@cache
def _family_id(records_root: str, family: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{records_root}\0{family}".encode()).digest()[:5])


def prefix_end(prefix: bytes) -> bytes:
    """The first key behind all that begin with `prefix`; a NUL, for etcd: the end of all keys."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else b"\0"


class Etcd:
    """A `Store`. One channel an endpoint; one endpoint is in use until it fails, then the next."""

    limits = LIMITS

    def __init__(
        self, address: StoreAddress, records_root: str, credentials: grpc.ChannelCredentials | None, login: Login | None
    ) -> None:
        self.url = address.url
        self._records_root = records_root
        self._silent = _SILENT[address.tls]
        self._channels = tuple(_channel(endpoint.at(USUAL_PORT), credentials) for endpoint in address.endpoints)
        self._in_use = 0
        self._families: dict[int, str] = {}  # by the upper bits of their leases' ids
        self._login = login
        self._token: str | None = None  # None: log in first; empty: the server wants no login
        self._logging_in = Lock()
        self._closed = False

    def know(self, families: Iterable[str]) -> None:
        """See `Store`."""
        self._families.update((_family_id(self._records_root, family), family) for family in families)

    def read(self, prefix: str) -> Reading:
        """See `Store`. Keys and values that are no UTF-8 come with surrogate escapes."""
        start, end = _bytes(prefix) or b"\0", prefix_end(_bytes(prefix))
        names: dict[int, LeaseName | None] = {}
        items: dict[str, Item | None] = {}
        revision, more = 0, True
        while more:
            page = self._page(start, end, revision)
            for kv in page.kvs:
                if kv.lease not in names:
                    names[kv.lease] = self._lease_name(kv.lease)
                items[_text(kv.key)] = Item(_text(kv.value), kv.create_revision, kv.mod_revision, names[kv.lease])
            revision, more = revision or page.header.revision, page.more
            start = page.kvs[-1].key + b"\0" if more else start
        return Reading(prefix, revision, items, whole=True)

    def _page(self, start: bytes, end: bytes, revision: int) -> etcdrpc.RangeAnswer:
        request = message("RangeRequest")(key=start, range_end=end, limit=PAGE, revision=revision)
        return self._ask_anywhere("a read", etcdrpc.RANGE, request)

    def watch(self, prefix: str, after: int) -> Iterator[Reading]:
        """See `Store`. Each reading is of one answer of etcd's, which may hold several revisions."""
        if not self._finds_living(prefix):
            return
        while not self._closed:
            try:
                for answer in self._follow(prefix, after):
                    after = max(after, answer.events[-1].kv.mod_revision if answer.events else answer.header.revision)
                    yield self._news(prefix, after, answer)
            except _Quiet:
                yield Reading(prefix, after, {}, whole=False)

    def _finds_living(self, prefix: str) -> bool:
        """Use an endpoint that answers: a watch would find out late, and begins with the first. False: closed."""
        try:
            if len(self._channels) > 1:
                request = message("RangeRequest")(key=_bytes(prefix) or b"\0", limit=1, keys_only=True)
                self._ask_anywhere("a watch", etcdrpc.RANGE, request)
        except Unavailable:
            if not self._closed:
                raise
        return not self._closed

    def _follow(self, prefix: str, after: int) -> Iterator[etcdrpc.WatchAnswer]:
        """Events and progress behind `after`. Raises _Quiet after BEAT seconds, and StoreError."""
        key = _bytes(prefix) or b"\0"
        asked = {"key": key, "range_end": prefix_end(_bytes(prefix)), "start_revision": after + 1}
        request = message("WatchRequest")(create_request={**asked, "progress_notify": True})
        for expired in (None, self._token):
            metadata = (*_metadata(self._logged_in(expired)), ("hasleader", "true"))
            began = False
            try:
                for answer in etcdrpc.WATCH.follow(self._channels[self._in_use], request, BEAT, metadata):
                    if answer.canceled:
                        break
                    began = began or answer.created
                    if not answer.created:
                        yield answer
                else:
                    raise Unavailable("the store", self.url, "it ended a watch; read again.")
            except (grpc.RpcError, ValueError) as err:
                self._after_watch(err, began=began)
                return
            if answer.compact_revision:
                raise Unavailable("the store", self.url, "what is watched was compacted; read again.")
            if self._login is None:
                break
        # An expired token shows as a refusal, so it was tried once more with a new one.
        remedy = "grant its user the rights that bridge policy etcd prints."
        raise Refused("the store", self.url, f"answered a watch with {answer.cancel_reason!r}; {remedy}")

    def _after_watch(self, err: grpc.RpcError | ValueError, *, began: bool) -> None:
        """A watch that ended. Raises _Quiet where only its time was over, else StoreError, unless we closed it."""
        if self._closed:
            return
        if isinstance(err, grpc.RpcError):
            if began and _ended_in_time(err):
                raise _Quiet from err
            self._in_use = (self._in_use + 1) % len(self._channels)
            raise self._failure("a watch", err) from err
        raise Unavailable("the store", self.url, "a watch came after the connection was closed.") from err

    def _news(self, prefix: str, revision: int, answer: etcdrpc.WatchAnswer) -> Reading:
        items: dict[str, Item | None] = {}
        for event in answer.events:
            kv = event.kv
            lease = self._lease_name(kv.lease)
            item = None if event.type else Item(_text(kv.value), kv.create_revision, kv.mod_revision, lease)
            items[_text(kv.key)] = item
        return Reading(prefix, revision, items, whole=False)

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        """See `Store`."""
        request = self._request(transaction)
        try:
            answer = self._ask("a transaction", etcdrpc.TXN, request)
        except Unavailable as err:
            raise OutcomeUnknown(err.thing, err.value, f"{err.remedy} The transaction may have happened.") from err
        if not answer.succeeded:
            return Conflict()
        revision = answer.header.revision
        return Committed(Reading("", revision, _written(transaction, answer), whole=False))

    def _request(self, transaction: Transaction) -> Message:
        comparisons = (
            *((check.key, check.revision) for check in transaction.checks),
            *map(_comparison, transaction.changes),
        )
        return message("TxnRequest")(
            compare=[
                {"target": "MOD", "result": "EQUAL", "key": _bytes(key), "mod_revision": revision}
                for key, revision in comparisons  # an absent key has revision 0
            ],
            success=[self._operation(change) for change in transaction.changes],
        )

    def _operation(self, change: Create | Update | Delete) -> Mapping[str, object]:
        if isinstance(change, Delete):
            return {"request_delete_range": {"key": _bytes(change.key)}}
        put = {
            "key": _bytes(change.key),
            "value": _bytes(change.value),
            "lease": lease_id(self._records_root, change.lease) if change.lease else 0,
            "prev_kv": isinstance(change, Update),  # the only way to learn when the key was created
        }
        return {"request_put": put}

    def ensure(self, name: LeaseName) -> None:
        """See `Store`. Raises UsageError for a TTL over LONGEST_TTL. etcd grants at least 2 s.

        Raises Refused where somebody else granted the lease for another TTL.
        """
        self.know((name.family,))
        number = lease_id(self._records_root, name)
        grant = message("LeaseGrantRequest")(ID=number, TTL=name.ttl or CENTURY)
        for _ in range(3):  # it may end after a grant saw it, or come to be after a keepalive missed it
            self._check_granted(name, self._life(name).grantedTTL)  # before it is renewed: one that is wrong shall end
            if not self.renew((name,)):
                return
            with contextlib.suppress(_LeaseStands):
                self._ask_anywhere("a lease", etcdrpc.GRANT, grant)
                return
        raise Unavailable("the store", self.url, f"the lease {name} came and went three times; try again.")

    def _check_granted(self, name: LeaseName, granted: int) -> None:
        """Raises Refused for a lease that lives, and not as long as its name says: keys would end with it unawares."""
        wanted = name.ttl or CENTURY
        if granted > 0 and granted != wanted and not wanted < granted <= LEAST_TTL:
            number = f"{lease_id(self._records_root, name):x}"
            reason = f"somebody else granted its lease {number}, {name.family}, for {granted} s, and not {wanted} s"
            remedy = f"let it end, or say etcdctl lease revoke {number}, which takes the keys that it holds along"
            raise Refused("the store", self.url, f"{reason}; {remedy}.")

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        """See `Store`. Raises Refused, once all are renewed, where somebody else granted one for another TTL."""
        wanted = tuple(names)
        if not wanted:
            return ()
        requests = [message("LeaseKeepAliveRequest")(ID=lease_id(self._records_root, name)) for name in wanted]

        def call(channel: grpc.Channel, metadata: Metadata) -> list[etcdrpc.LeaseAnswer]:
            return etcdrpc.KEEP_ALIVE.ask_each(channel, requests, TIMEOUT, metadata)

        answers = self._anywhere(lambda: self._call("a keepalive", call, ()))  # etcd wants no login here
        if len(answers) < len(wanted):
            raise Unavailable("the store", self.url, "it ended a keepalive half-way; try again.")
        for name, answer in zip(wanted, answers, strict=True):
            self._check_granted(name, answer.TTL)  # it answers a keepalive with what was granted
        return tuple(name for name, answer in zip(wanted, answers, strict=True) if answer.TTL == 0)

    def remaining(self, name: LeaseName) -> float | None:
        """See `Store`."""
        seconds = self._life(name).TTL
        if seconds < 0:
            return None
        return math.inf if name.ttl == FOR_EVER else float(seconds)

    def _life(self, name: LeaseName) -> etcdrpc.LifeAnswer:
        request = message("LeaseTimeToLiveRequest")(ID=lease_id(self._records_root, name))
        return self._ask_anywhere("a lease's rest", etcdrpc.TIME_TO_LIVE, request)

    def close(self) -> None:
        """See `Store`."""
        self._closed = True
        for channel in self._channels:
            channel.close()

    def _lease_name(self, number: int) -> LeaseName | None:
        if number == 0:
            return None
        family = self._families.get(number >> _TTL_BITS)
        return LeaseName(f"?{number:x}", 0) if family is None else LeaseName(family, number & LONGEST_TTL)

    def _ask_anywhere(self, what: str, method: etcdrpc.Method[T], request: Message) -> T:
        """The first answer that an endpoint gives: only for what does no harm when it happens twice."""
        return self._anywhere(lambda: self._ask(what, method, request))

    def _anywhere(self, attempt: Callable[[], T]) -> T:
        for _ in self._channels[1:]:
            with contextlib.suppress(Unavailable):
                return attempt()
        return attempt()

    def _ask(self, what: str, method: etcdrpc.Method[T], request: Message) -> T:
        """The answer of the endpoint in use; where the token has expired, once more with a new one."""

        def call(channel: grpc.Channel, metadata: Metadata) -> T:
            return method.ask(channel, request, TIMEOUT, metadata)

        token = self._logged_in(expired=None)
        try:
            return self._call(what, call, _metadata(token))
        except _LoginNeeded:  # refused before anything was done, so even a transaction may be sent again
            if self._login is None:
                raise
        return self._call(what, call, _metadata(self._logged_in(expired=token)))

    def _logged_in(self, expired: str | None) -> str:
        """A token that is not `expired`; empty where none is needed."""
        if self._login is None:
            return ""
        with self._logging_in:  # who waited here takes the token that the other brought
            if self._token is None or self._token == expired:
                self._token = self._new_token(self._login)
            return self._token

    def _new_token(self, login: Login) -> str:
        request = message("AuthenticateRequest")(name=login.user, password=login.password)

        def call(channel: grpc.Channel, metadata: Metadata) -> etcdrpc.TokenAnswer:
            return etcdrpc.AUTHENTICATE.ask(channel, request, TIMEOUT, metadata)

        try:
            return self._anywhere(lambda: self._call("a login", call, ())).token
        except _LoginOff:
            return ""  # a token would be refused, too

    def _call(self, what: str, call: Callable[[grpc.Channel, Metadata], T], metadata: Metadata) -> T:
        """One call to the endpoint in use. Errors become ours here; one that does not answer is left for the next."""
        at = self._in_use
        try:
            return call(self._channels[at], metadata)
        except grpc.RpcError as err:
            failure = self._failure(what, err)
            if isinstance(failure, Unavailable):
                self._in_use = (at + 1) % len(self._channels)
            raise failure from err
        except ValueError as err:  # gRPC's word for a channel that was closed
            raise Unavailable("the store", self.url, f"{what} came after the connection was closed.") from err

    def _failure(self, what: str, err: grpc.RpcError) -> StoreError:
        code, details = err.code(), err.details() or ""
        for row, text, kind, remedy in _ANSWERS:
            if code is row and text in details:
                return kind("the store", self.url, f"answered {what} with {details!r}; {remedy}.")
        return Unavailable("the store", self.url, f"no answer to {what} ({details}); {self._silent}")


def _ended_in_time(err: grpc.RpcError) -> bool:
    """Whether only the time was over that we gave the call. The server counts it too, and now and then says so first,
    with a code that says nothing."""
    return err.code() is grpc.StatusCode.DEADLINE_EXCEEDED or err.details() == "context deadline exceeded"


def _channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    if credentials is None:
        return grpc.insecure_channel(target, _OPTIONS)
    return grpc.secure_channel(target, credentials, _OPTIONS)


def _metadata(token: str) -> Metadata:
    return (("token", token),) if token else ()


def _comparison(change: Create | Update | Delete) -> tuple[str, int]:
    return change.key, 0 if isinstance(change, Create) else change.read_at


def _written(transaction: Transaction, answer: etcdrpc.TxnAnswer) -> Mapping[str, Item | None]:
    """What the transaction's keys are after it."""
    revision = answer.header.revision
    items: dict[str, Item | None] = {}
    for change, op in zip(transaction.changes, answer.responses, strict=True):
        match change:
            case Create(key, value, lease):
                items[key] = Item(value, revision, revision, lease)
            case Update(key, value, lease):
                items[key] = Item(value, op.response_put.prev_kv.create_revision, revision, lease)
            case Delete(key):
                items[key] = None
    return items


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    """Anybody may have written it, so no bytes are refused."""
    return raw.decode("utf-8", "surrogateescape")
