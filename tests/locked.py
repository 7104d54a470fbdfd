"""Real servers that refuse what nobody allowed, and the bridges that they know."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from bridge.model.change import LeaseName
from bridge.stores import open_store
from bridge.stores.base import Store
from bridge.stores.etcd import lease_id, prefix_end
from tests.servers import CALL, MANAGEMENT, ConsulServer, EtcdServer, etcd_binary

ROOT_PASSWORD = "root's"
PASSWORD = "correct horse"

Secrets = Mapping[str, str]  # the variables by which a bridge makes itself known to a store
NOBODY: Secrets = {}


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    text: str

    @property
    def is_refusal(self) -> bool:
        """For want of rights, and for nothing else."""
        return self.status >= 400 and "permission denied" in self.text.lower()


class Locked(Protocol):
    """A store that gives rights. All but `attempts` and `ask` is done with all rights."""

    kind: str
    root: Secrets

    @property
    def endpoint(self) -> str: ...

    def admit(self, policy: str) -> Secrets:
        """A new bridge, with what `bridge policy` printed."""

    def end(self, records: str, name: LeaseName) -> None:
        """A lease is over."""

    def put(self, key: str, value: str) -> None: ...

    def attempts(self, who: Secrets, key: str) -> Iterator[tuple[str, Answer]]:
        """All ways to write or to delete a key, tried."""


def url(server: Locked, prefix: str) -> str:
    return f"{server.kind}://{server.endpoint}/{prefix}"


def client(server: Locked, prefix: str, records: str, who: Secrets) -> Store:
    """A store as this bridge opens it."""
    return open_store(
        url(server, prefix),
        records_root=records,
        token=who.get("BRIDGE_STORE_TOKEN", ""),
        user=who.get("BRIDGE_STORE_USER", ""),
        password=who.get("BRIDGE_STORE_PASSWORD", ""),
    )


def _base64(text: bytes) -> str:
    return base64.b64encode(text).decode()


@dataclass
class LockedConsul:
    """Consul with ACLs that deny what they do not allow."""

    server: ConsulServer
    kind: str = "consul"
    root: Secrets = field(default_factory=lambda: {"BRIDGE_STORE_TOKEN": MANAGEMENT})

    @property
    def endpoint(self) -> str:
        return self.server.endpoint

    def admit(self, policy: str) -> Secrets:
        return {"BRIDGE_STORE_TOKEN": self.server.admit(policy)}

    def end(self, records: str, name: LeaseName) -> None:
        self.server.end(f"{records}{name}")

    def put(self, key: str, value: str) -> None:
        self.server.put(key, value)

    def session(self, records: str, name: LeaseName) -> str:
        """The id of the session that stands for a lease."""
        return next(str(one["ID"]) for one in self.server.sessions() if one["Name"] == f"{records}{name}")

    def ask(self, who: Secrets, method: str, path: str, body: object = None) -> Answer:
        """One call with this bridge's token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=CALL)
        headers = {"X-Consul-Token": who["BRIDGE_STORE_TOKEN"]} if who else {}
        try:
            connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode())
        finally:
            connection.close()

    def transact(self, who: Secrets, verb: str, key: str, **fields: object) -> Answer:
        """One operation, as the bridge sends it."""
        value = _base64(b"stolen")
        return self.ask(who, "PUT", "txn", [{"KV": {"Verb": verb, "Key": key, "Value": value, **fields}}])

    def attempts(self, who: Secrets, key: str) -> Iterator[tuple[str, Answer]]:
        path, held = quote(key), self.server.pairs(key).get(key, {})
        created = self.server.ask("PUT", "session/create", {"Node": "test"})
        assert isinstance(created, dict)
        session = created["ID"]
        yield "put", self.ask(who, "PUT", f"kv/{path}", "stolen")
        yield "acquire", self.ask(who, "PUT", f"kv/{path}?acquire={session}", "stolen")
        yield "release", self.ask(who, "PUT", f"kv/{path}?release={held.get('Session', session)}", "stolen")
        yield "delete", self.ask(who, "DELETE", f"kv/{path}")
        yield "delete what begins so", self.ask(who, "DELETE", f"kv/{path}?recurse")
        yield "set", self.transact(who, "set", key)
        yield "cas", self.transact(who, "cas", key, Index=held.get("ModifyIndex", 0))
        yield "lock", self.transact(who, "lock", key, Session=session)
        yield "unlock", self.transact(who, "unlock", key, Session=held.get("Session", session))
        yield "delete in a transaction", self.transact(who, "delete", key)
        yield "delete-cas", self.transact(who, "delete-cas", key, Index=held.get("ModifyIndex", 1))
        yield "delete-tree", self.transact(who, "delete-tree", key)


@dataclass
class LockedEtcd:
    """etcd with logins."""

    server: EtcdServer
    kind: str = "etcd"
    root: Secrets = field(default_factory=lambda: {"BRIDGE_STORE_USER": "root", "BRIDGE_STORE_PASSWORD": ROOT_PASSWORD})

    def __post_init__(self) -> None:
        self.server.require_login(ROOT_PASSWORD)

    @property
    def endpoint(self) -> str:
        return self.server.endpoint

    def admit(self, policy: str) -> Secrets:
        """The lines run in a shell, with etcd's own etcdctl."""
        said = {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": self.endpoint, "ETCDCTL_USER": f"root:{ROOT_PASSWORD}"}
        path = os.pathsep.join((str(Path(etcd_binary()).parent), os.environ["PATH"]))
        subprocess.run(
            ["sh", "-eu"],
            input=policy.encode(),
            env={**said, "PATH": path},
            check=True,
            capture_output=True,
            timeout=60,
        )
        user = re.findall(r"^etcdctl role add (\S+)$", policy, re.M)[0]
        self.server.ask("auth/user/add", name=user, password=PASSWORD)
        self.server.ask("auth/user/grant", user=user, role=user)
        return {"BRIDGE_STORE_USER": user, "BRIDGE_STORE_PASSWORD": PASSWORD}

    def end(self, records: str, name: LeaseName) -> None:
        self.server.revoke(lease_id(records.rstrip("/"), name))

    def put(self, key: str, value: str) -> None:
        self.server.put(key, value)

    def ask(self, who: Secrets, path: str, **fields: object) -> Answer:
        """One call of the JSON gateway, as this bridge's user."""
        return self._post(self._log_in(who), path, fields)

    def _log_in(self, who: Secrets) -> str:
        if not who:
            return ""
        login = {"name": who["BRIDGE_STORE_USER"], "password": who["BRIDGE_STORE_PASSWORD"]}
        return str(json.loads(self._post("", "auth/authenticate", login).text)["token"])

    def _post(self, token: str, path: str, fields: Mapping[str, object]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=CALL)
        try:
            headers = {"Authorization": token} if token else {}
            connection.request("POST", f"/v3/{path}", json.dumps(fields), headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode())
        finally:
            connection.close()

    def attempts(self, who: Secrets, key: str) -> Iterator[tuple[str, Answer]]:
        named, token = _base64(key.encode()), self._log_in(who)
        put, gone = {"key": named, "value": _base64(b"stolen")}, {"key": named}
        all_below = {"key": named, "range_end": _base64(prefix_end(key.encode()))}
        yield "put", self._post(token, "kv/put", put)
        yield "delete", self._post(token, "kv/deleterange", gone)
        yield "delete what begins so", self._post(token, "kv/deleterange", all_below)
        for branch in ("success", "failure"):  # rights count also in the one that is not taken
            for what, operation in (("put", {"request_put": put}), ("delete", {"request_delete_range": gone})):
                yield f"{what} in a transaction: {branch}", self._post(token, "kv/txn", {branch: [operation]})
