"""Names and values of our records, below `bridge/<root>/`; values are compact JSON with a format number."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bridge.model.drain import Drain, Scope, drained_name
from bridge.model.keys import NAME_LIMIT, escape, split_owner

FORMAT = 1
FLEET = "fleet"
FLEET_RECORDS = "fleet/"  # below it lies what all clusters write, and below `cluster_records` what only one may
STANDING_FAMILY = "standing"

LONGEST_TTL = (1 << 23) - 1  # seconds: what the id of an etcd lease has room for
LONGEST_READ_TIME = 1800.0  # seconds: deletions are remembered for longer


def cluster_records(cluster: str) -> str:
    """Below it lie all records of `cluster`."""
    return f"c/{cluster}/"


def claim_path(cluster: str, group: str) -> str:
    """The record with which `cluster` wants `group`."""
    return f"{cluster_records(cluster)}claim/{group}"


def presence_path(cluster: str) -> str:
    """The record that says that `cluster` publishes here."""
    return f"{cluster_records(cluster)}presence"


def leader_path(cluster: str) -> str:
    """The record of the replica that writes for `cluster`."""
    return f"{cluster_records(cluster)}leader"


def drain_records(cluster: str) -> str:
    """Below it lies what an operator drained of `cluster`."""
    return f"{cluster_records(cluster)}drain/"


def drain_path(cluster: str, scope: Scope, name: str) -> str:
    """The record that drains `name`, as `drained_name` writes it. Raises ValueError where that is too long."""
    what = "--".join([scope.value, *(escape(part) for part in name.split("/") if part)])
    if len(what) > NAME_LIMIT:
        raise ValueError(f"the name is longer than {NAME_LIMIT} bytes")
    return drain_records(cluster) + what


def guard_path(group: str) -> str:
    """The counter that whoever claims `group` bumps; of a group that is one cluster's alone its own record."""
    owner, _ = split_owner(group)
    return f"{cluster_records(owner) if owner else FLEET_RECORDS}guard/{group}"


def cluster_family(cluster: str) -> str:
    """The leases of a cluster's own entries, claims and presence."""
    return f"c/{cluster}"


def replica_family(cluster: str, replica: str) -> str:
    """The leases of one replica's leadership."""
    return f"c/{cluster}/replica/{replica}"


class Named(NamedTuple):
    """What a record's path says: `kind` is claim, guard, presence, leader, drain or other."""

    kind: str
    cluster: str  # empty for the fleet's records, whose path names none
    group: str  # of a claim or a guard, else empty


@lru_cache(maxsize=1 << 17)
def named(path: str) -> Named:
    """Read a record's path."""
    match path.split("/"):
        case ["c", cluster, "claim", group] if split_owner(group)[0] in ("", cluster):
            return Named("claim", cluster, group)
        case ["c", cluster, "guard", group] if split_owner(group)[0] == cluster:
            return Named("guard", cluster, group)
        case ["c", cluster, ("presence" | "leader") as kind]:
            return Named(kind, cluster, "")
        case ["c", cluster, "drain", _]:
            return Named("drain", cluster, "")
        case ["c", cluster, *_]:
            return Named("other", cluster, "")
        case ["fleet", "guard", group] if not split_owner(group)[0]:
            return Named("guard", "", group)
        case _:
            return Named("other", "", "")


def _write(**fields: object) -> str:
    return json.dumps({"format": FORMAT, **fields}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _read(text: str) -> dict[str, object] | None:
    """The fields of a record of our format; None for any other text."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) and fields.get("format") == FORMAT else None


@lru_cache(maxsize=1 << 15)
def is_newer(text: str) -> bool:
    """Whether a record's value was written by a newer bridge, in a format that this one does not know."""
    if '"format"' not in text:
        return False
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return False
    said = fields.get("format") if isinstance(fields, dict) else None
    return isinstance(said, int) and said > FORMAT


def write_claim(keys: Mapping[str, str]) -> str:
    """A claim's value: the whole wish for the shared keys, by path."""
    return _write(keys=dict(keys))


@lru_cache(maxsize=1 << 15)
def read_claim(text: str) -> Mapping[str, str] | None:
    """The wish in a claim's value; None where it cannot be read, as of a newer format."""
    fields = _read(text)
    keys = fields.get("keys") if fields else None
    if not isinstance(keys, dict) or not all(isinstance(value, str) for value in keys.values()):
        return None
    return keys


@dataclass(frozen=True, slots=True)
class Presence:
    """That a cluster publishes here, and how."""

    environment: str  # the Rancher environment's uuid
    ttl: int  # seconds; 0: for ever
    read_time: float  # seconds, a power of two
    version: str


# Of a presence that cannot be read: it may ask for any TTL, so the shared keys shall not end by this cluster's word.
UNKNOWN_PRESENCE = Presence(environment="", ttl=0, read_time=0.0, version="")


def write_presence(presence: Presence) -> str:
    """A presence's value."""
    return _write(
        environment=presence.environment, ttl=presence.ttl, read_time=presence.read_time, version=presence.version
    )


def read_presence(text: str) -> Presence | None:
    """The presence in a value; None where it cannot be read, as of a newer format."""
    fields = _read(text) or {}
    match fields.get("environment"), fields.get("ttl"), fields.get("read_time"), fields.get("version"):
        case str(environment), int(ttl), int() | float() as read_time, str(version):
            if not isinstance(ttl, bool) and 0 <= ttl <= LONGEST_TTL and 0 <= read_time <= LONGEST_READ_TIME:
                return Presence(environment, ttl, float(read_time), version)
    return None


@dataclass(frozen=True, slots=True)
class Leader:
    """Which process writes for a cluster."""

    name: str  # the replica's
    environment: str
    token: str  # of the process: two processes of one name differ in it


def write_leader(leader: Leader) -> str:
    """A leader's value."""
    return _write(name=leader.name, environment=leader.environment, token=leader.token)


def read_leader(text: str) -> Leader | None:
    """The leader in a value; None where it cannot be read."""
    match _read(text):
        case {"name": str(name), "environment": str(environment), "token": str(token)}:
            return Leader(name, environment, token)
    return None


def write_drain(scope: Scope, name: str, when: str) -> str:
    """The value of a record that drains something. `when`: a time in UTC."""
    return _write(name=name, scope=scope.value, when=when)


def read_drain(cluster: str, path: str, text: str) -> Drain | None:
    """What the record of `cluster` at `path` drains.

    None where it cannot be read, as of a newer format, or where it drains something else than its path names: by that
    it would be looked for.
    """
    match _read(text):
        case {"scope": str(scope), "name": str(name), "when": str(when)}:
            pass
        case _:
            return None
    try:
        said = Scope(scope)
        if drained_name(said, name) == name and drain_path(cluster, said, name) == path:
            return Drain(path, scope, name, when)
    except ValueError:
        pass
    return None


def read_counter(text: str) -> int:
    """A guard's count; 0 where somebody wrote something else over it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def rounded_read_time(seconds: float) -> float:
    """The next power of two, so that a presence is seldom rewritten; at most what a presence may say."""
    return min(LONGEST_READ_TIME, 2.0 ** math.ceil(math.log2(seconds))) if seconds > 0 else 0.0
