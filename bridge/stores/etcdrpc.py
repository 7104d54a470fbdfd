"""etcd's messages and calls, by the definitions that the package etcd3 carries.

etcd3's last release is generated code for protobuf 3, which no current protobuf imports. The definitions inside that
code are etcd's own and hold for every etcd v3: they are taken out of its files and given to the protobuf that is
installed. Nothing of etcd3 is imported.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_FILES = ("kv", "auth", "rpc")  # each after those that it imports
_DEFINITION = "  serialized_pb=_b("  # how the line with a file's definition begins
_PACKAGE = "etcdserverpb"

Metadata = tuple[tuple[str, str], ...]
Answer = TypeVar("Answer")


@cache
def _definitions() -> DescriptorPool:
    """All messages, in a pool of their own: any other package may have registered a file `rpc.proto`."""
    found = importlib.util.find_spec("etcd3")
    if found is None or not found.submodule_search_locations:
        raise ImportError("the package etcd3 is not installed; install the bridge with its dependencies")
    folder = Path(found.submodule_search_locations[0], "etcdrpc")
    pool = DescriptorPool()
    for name in _FILES:
        pool.AddSerializedFile(_definition(folder / f"{name}_pb2.py"))
    return pool


def _definition(path: Path) -> bytes:
    """The one literal in generated code that holds the file's definition."""
    for line in path.read_text("utf-8").split("\n"):
        if line.startswith(_DEFINITION):
            literal = line.removeprefix(_DEFINITION).removesuffix(",").removesuffix(")")
            return str(ast.literal_eval(literal)).encode("latin-1")
    raise ImportError(f"{path} holds no definition of etcd's messages; install etcd3==0.12.0")


def message(name: str) -> Callable[..., Message]:
    """The class of one of etcd's messages; it is called with the message's fields."""
    return _class(name)


@cache
def _class(name: str) -> type[Message]:
    return GetMessageClass(_definitions().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


class Header(Protocol):
    """At which revision an answer was true."""

    revision: int


class KeyValue(Protocol):
    """One key; what is absent reads as empty or 0."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    lease: int


class RangeAnswer(Protocol):
    """Keys, and whether the limit left some out."""

    header: Header
    kvs: Sequence[KeyValue]
    more: bool


class PutAnswer(Protocol):
    """What a put replaced, where it was asked for."""

    prev_kv: KeyValue


class OpAnswer(Protocol):
    """The answer to one operation of a transaction."""

    response_put: PutAnswer


class TxnAnswer(Protocol):
    """Whether all comparisons held, and the answers to the operations of that case, in order."""

    header: Header
    succeeded: bool
    responses: Sequence[OpAnswer]


class LeaseAnswer(Protocol):
    """Seconds that a lease lives; 0 or less: it does not."""

    TTL: int


class LifeAnswer(LeaseAnswer, Protocol):
    """Beside them those for which it was granted."""

    grantedTTL: int  # noqa: N815 - etcd's word


class Event(Protocol):
    """One change of one key."""

    type: int  # PUT or DELETE
    kv: KeyValue


class WatchAnswer(Protocol):
    """Events in the order of their revisions; none: the watch began, was ended, or nothing happened until now."""

    header: Header
    created: bool
    canceled: bool
    compact_revision: int
    cancel_reason: str
    events: Sequence[Event]


class TokenAnswer(Protocol):
    """What a login gives."""

    token: str


@dataclass(frozen=True, slots=True)
class Method(Generic[Answer]):
    """One call of etcd's: a request, an answer."""

    path: str  # <service>/<method>
    answer: str  # the answer's message

    def ask(self, channel: grpc.Channel, request: Message, timeout: float, metadata: Metadata) -> Answer:
        """The answer, within `timeout` seconds. Raises grpc.RpcError, and ValueError on a closed channel."""
        call: grpc.UnaryUnaryMultiCallable[Message, Answer] = channel.unary_unary(
            f"/{_PACKAGE}.{self.path}", _serialize, _class(self.answer).FromString
        )
        return call(request, timeout=timeout, metadata=metadata)

    def ask_each(
        self, channel: grpc.Channel, requests: Iterable[Message], timeout: float, metadata: Metadata
    ) -> list[Answer]:
        """The answers, in order, on one stream. Raises as `ask`."""
        call: grpc.StreamStreamMultiCallable[Message, Answer] = channel.stream_stream(
            f"/{_PACKAGE}.{self.path}", _serialize, _class(self.answer).FromString
        )
        return list(call(iter(requests), timeout=timeout, metadata=metadata))

    def follow(self, channel: grpc.Channel, request: Message, timeout: float, metadata: Metadata) -> Iterator[Answer]:
        """The answers to one request as they come, for `timeout` seconds at most. Raises as `ask`."""
        call: grpc.StreamStreamMultiCallable[Message, Answer] = channel.stream_stream(
            f"/{_PACKAGE}.{self.path}", _serialize, _class(self.answer).FromString
        )
        # The stream of requests stays open: that it ended would end the answers too.
        requests: SimpleQueue[Message | None] = SimpleQueue()
        requests.put(request)
        try:
            yield from call(iter(requests.get, None), timeout=timeout, metadata=metadata)
        finally:
            requests.put(None)


def _serialize(request: Message) -> bytes:
    return request.SerializeToString()


RANGE: Method[RangeAnswer] = Method("KV/Range", "RangeResponse")
TXN: Method[TxnAnswer] = Method("KV/Txn", "TxnResponse")
GRANT: Method[LeaseAnswer] = Method("Lease/LeaseGrant", "LeaseGrantResponse")
KEEP_ALIVE: Method[LeaseAnswer] = Method("Lease/LeaseKeepAlive", "LeaseKeepAliveResponse")
TIME_TO_LIVE: Method[LifeAnswer] = Method("Lease/LeaseTimeToLive", "LeaseTimeToLiveResponse")
WATCH: Method[WatchAnswer] = Method("Watch/Watch", "WatchResponse")
AUTHENTICATE: Method[TokenAnswer] = Method("Auth/Authenticate", "AuthenticateResponse")
