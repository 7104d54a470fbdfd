"""Names and values of our records, below `bridge/<root>/`; values are compact JSON with a format number."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bridge.model.keys import split_owner

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
    """What a record's path says: `kind` is claim, guard, presence, leader or other."""

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


def read_counter(text: str) -> int:
    """A guard's count; 0 where somebody wrote something else over it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def rounded_read_time(seconds: float) -> float:
    """The next power of two, so that a presence is seldom rewritten; at most what a presence may say."""
    return min(LONGEST_READ_TIME, 2.0 ** math.ceil(math.log2(seconds))) if seconds > 0 else 0.0
