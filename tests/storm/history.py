"""Every state that a store was in, as its own history tells it: etcd each revision, Consul what a watch saw of them."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any, Protocol

from bridge.model.change import Item, LeaseName
from bridge.ownership.records import FLEET, STANDING_FAMILY, cluster_family, replica_family
from bridge.stores.etcd import lease_id
from tests.servers import CALL, ConsulServer, EtcdServer

MARK = "history/end"
_TTL_BITS = 23


@dataclass(frozen=True, slots=True)
class State:
    """All that stood after one revision."""

    revision: int
    items: Mapping[str, Item]  # by whole key
    exact: bool  # no other state lies between this one and the one before


class History(Protocol):
    """What a store has held since it was begun to look."""

    def states(self) -> list[State]:
        """Until now. Each call tells all since the last `cut`."""

    def now(self) -> State:
        """What stands."""

    def cut(self, revision: int) -> None:
        """What comes from here on is another history: the store is set back to `revision`."""

    def close(self) -> None:
        """No more is looked at."""


class EtcdHistory:
    """Read in one go by a watch from the first revision: etcd forgets nothing that nobody compacted."""

    def __init__(self, server: EtcdServer, roots: Iterable[str], clusters: Iterable[str]) -> None:
        self.server, self._since = server, 0
        self._families: dict[int, str] = {}
        for root in roots:
            families = [FLEET, STANDING_FAMILY]
            for cluster in clusters:
                families += [cluster_family(cluster), replica_family(cluster, cluster)]
            for family in families:
                self._families[lease_id(root.rstrip("/"), LeaseName(family, 0)) >> _TTL_BITS] = family

    def states(self) -> list[State]:
        """See `History`."""
        self.server.put(MARK, str(time.monotonic_ns()))
        end = self.server.revision()
        items: dict[str, Item] = {}
        found = []
        for revision, events in self._revisions(end):
            for event in events:
                kv = event["kv"]
                key = base64.b64decode(kv["key"]).decode()
                if event.get("type") == "DELETE":
                    items.pop(key, None)
                else:
                    items[key] = self._item(kv)
            if revision >= self._since:
                found.append(State(revision, dict(items), exact=True))
        return found

    def now(self) -> State:
        """See `History`."""
        nul = base64.b64encode(b"\0").decode()
        answer = self.server.ask("kv/range", key=nul, range_end=nul)
        header, kvs = answer["header"], answer.get("kvs", [])
        assert isinstance(header, dict)
        assert isinstance(kvs, list)
        items = {base64.b64decode(kv["key"]).decode(): self._item(kv) for kv in kvs}
        return State(int(header["revision"]), items, exact=False)

    def _revisions(self, end: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """The events of each, in order."""
        now = 0
        events: list[dict[str, Any]] = []
        for event in self._events(end):
            revision = int(event["kv"]["mod_revision"])
            if revision != now and events:
                yield now, events
                events = []
            now = revision
            events.append(event)
        yield now, events

    def _events(self, end: int) -> Iterator[dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=CALL)
        nul = base64.b64encode(b"\0").decode()
        asked = {"create_request": {"key": nul, "range_end": nul, "start_revision": "1"}}
        try:
            connection.request("POST", "/v3/watch", json.dumps(asked))
            answer = connection.getresponse()
            while True:
                for event in json.loads(answer.readline())["result"].get("events", ()):
                    yield event
                    if int(event["kv"]["mod_revision"]) == end:
                        return
        finally:
            connection.close()

    def _item(self, kv: Mapping[str, str]) -> Item:
        number = int(kv.get("lease", 0))
        lease = None
        if number:
            family = self._families.get(number >> _TTL_BITS, f"?{number:x}")
            lease = LeaseName(family, number & (1 << _TTL_BITS) - 1)
        value = base64.b64decode(kv.get("value", "")).decode()
        return Item(value, int(kv["create_revision"]), int(kv["mod_revision"]), lease)

    def cut(self, revision: int) -> None:
        """See `History`."""
        self._since = revision

    def close(self) -> None:
        """See `History`."""


@dataclass
class ConsulHistory:
    """A thread that asks for all keys whenever one of them changed. What came and went between two looks it misses."""

    server: ConsulServer
    roots: Sequence[str]
    _found: list[State] = field(default_factory=list)
    _leases: dict[str, LeaseName] = field(default_factory=dict)  # by the session's id

    def __post_init__(self) -> None:
        self._closed = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        index = 0
        while not self._closed.is_set():
            try:
                index = self._look(index)
            except (OSError, http.client.HTTPException, ValueError):
                index = 0  # it is away, or begins again
                time.sleep(0.01)

    def _look(self, index: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=CALL)
        try:
            connection.request("GET", f"/v1/kv/?recurse&consistent&index={index}&wait=2s")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status not in (200, 404):
                raise ValueError(body)
            now = int(answer.headers["X-Consul-Index"])
            if now > (self._found[-1].revision if self._found else 0):
                rows = json.loads(body) if answer.status == 200 else []
                self._found.append(State(now, self._items(rows), exact=False))
            return now if now > index else 0
        finally:
            connection.close()

    def _items(self, rows: Sequence[dict[str, Any]]) -> dict[str, Item]:
        if {row["Session"] for row in rows if row.get("Session")} - self._leases.keys():
            for session in self.server.sessions():
                lease = self._read(str(session["Name"]))
                if lease is not None:
                    self._leases[str(session["ID"])] = lease
        found = {}
        for row in rows:
            session = row.get("Session", "")
            lease = self._leases.get(session, LeaseName(f"?{session}", 0)) if session else None
            value = base64.b64decode(row["Value"] or "").decode()
            found[row["Key"]] = Item(value, int(row["CreateIndex"]), int(row["ModifyIndex"]), lease)
        return found

    def _read(self, name: str) -> LeaseName | None:
        """The lease that a session of this name stands for."""
        root = next((root for root in self.roots if name.startswith(root)), "")
        family, _, ttl = name.removeprefix(root).rpartition("/")
        return LeaseName(family, int(ttl)) if root and ttl.isdecimal() else None

    def states(self) -> list[State]:
        """See `History`."""
        index = self.server.revision()
        deadline = time.monotonic() + CALL
        while not self._found or self._found[-1].revision < index:
            if time.monotonic() > deadline:
                break  # what came last was no key
            time.sleep(0.01)
        return list(self._found)

    def now(self) -> State:
        """See `History`."""
        rows: list[Any] = list(self.server.pairs("").values())
        return State(max((int(row["ModifyIndex"]) for row in rows), default=0), self._items(rows), exact=False)

    def cut(self, revision: int) -> None:  # noqa: ARG002
        """See `History`."""
        self._found.clear()

    def close(self) -> None:
        """See `History`."""
        self._closed.set()
        self._thread.join(CALL)
