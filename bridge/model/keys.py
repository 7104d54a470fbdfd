"""Names of keys, and what a key's path alone says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

NAME_LIMIT = 200  # bytes of a name, escaped
STANDING = "zz-bridge"  # the group, and every object in it, that no service can have: see `escape`

_SEPARATING = rb"|\A[_-]|[_-]\Z|(?<=_)_|(?<=-)-"
_ODD = re.compile(rb"[^A-Za-z0-9_-]" + _SEPARATING)
_ODD_OR_CAPITAL = re.compile(rb"[^a-z0-9_-]" + _SEPARATING)
_ESCAPED = re.compile(r"\.([0-9a-f]{2})")
_CLUSTER = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def escape(part: str, *, capitals: bool = True) -> str:
    """`part` with a dot and two hex digits for each byte that may not stand in a name.

    `_` and `-` stand alone only inside a part, so that `__` and `--` only ever separate parts.
    Without `capitals`, letters in upper case are escaped too: Traefik 3 merges names that differ in case.
    """
    odd = _ODD if capitals else _ODD_OR_CAPITAL
    return odd.sub(lambda found: b".%02x" % found[0][0], part.encode("utf-8", "surrogatepass")).decode("ascii")


def unescape(name: str) -> str:
    """What `escape` was given. Raises ValueError where `name` is not its output."""
    raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name).encode("latin-1")
    part = raw.decode("utf-8", "surrogatepass")
    if name not in (escape(part), escape(part, capitals=False)):
        raise ValueError(f"{name!r} is no escaped name")
    return part


def route_name(service: str, stack: str, segment: str = "", *, owner: str = "", capitals: bool = True) -> str:
    """`<service>__<stack>`, `<service>__<stack>__<segment>`: of a frontend, a backend, a router.

    `owner`: the cluster whose alone it is, which then stands in front: `<cluster>--<service>__<stack>`.
    Raises ValueError when service or stack is empty or the name is longer than NAME_LIMIT bytes.
    """
    if not service or not stack:
        raise ValueError("a name needs a service and a stack")
    parts = (service, stack, segment) if segment else (service, stack)
    name = "__".join(escape(part, capitals=capitals) for part in parts)
    return _within_limit(owned_name(owner, name))


def owned_name(owner: str, name: str) -> str:
    """The name that `name`, which clusters share, has where it is one cluster's alone. `owner` may be empty."""
    return f"{owner}--{name}" if owner else name


def split_owner(name: str) -> tuple[str, str]:
    """The cluster whose alone a frontend, a backend or a group of this name is, and the name without it.

    Empty for what clusters share. A cluster's name has no `__`, and of a shared name what stands before a `--` has it:
    so the two are never taken for each other.
    """
    owner, dashes, rest = name.partition("--")
    if dashes and is_cluster_name(owner) and "__" in rest.partition("--")[0]:
        return owner, rest
    return "", name


def other_form(group: str, cluster: str) -> str:
    """What a service's group is called where it is the cluster's alone, if clusters share `group`, and the reverse."""
    owner, name = split_owner(group)
    return name if owner else owned_name(cluster, name)


def is_cluster_name(text: str) -> bool:
    """Whether a cluster can be named so."""
    return _CLUSTER.fullmatch(text) is not None


def server_name(cluster: str, identity: str, *, capitals: bool = True) -> str:
    """`<cluster>--<container uuid>`, or the external IP or host name. Raises ValueError as `route_name`."""
    if not cluster or not identity:
        raise ValueError("a server's name needs a cluster and an identity")
    return _within_limit("--".join(escape(part, capitals=capitals) for part in (cluster, identity)))


def _within_limit(name: str) -> str:
    if len(name) > NAME_LIMIT:
        raise ValueError(f"the name is longer than {NAME_LIMIT} bytes")
    return name


def group_name(name: str) -> str:
    """The group of a frontend's or backend's name: its first two parts, with the cluster whose alone it is."""
    return "__".join(name.split("__", 2)[:2])


def group_title(group: str) -> str:
    """How reports name a group: stack/service; the name itself where it is of no service."""
    try:
        service, stack = (unescape(part) for part in split_owner(group)[1].split("__"))
    except ValueError:
        return group
    return f"{stack}/{service}"


def server_cluster(name: str) -> str | None:
    """The cluster that a server's name names; None where it names none."""
    cluster, dashes, identity = name.partition("--")
    return cluster if cluster and dashes and identity else None


class Role(Enum):
    """What a key does for its route."""

    PROTECTS = "protects"  # without it the route would be open to more requests than its labels allow
    RULE = "rule"  # which requests: any change of it opens more and less
    REST = "rest"
    SERVER = "server"  # where requests go: always one cluster's own
    OPENS = "opens"  # without it the route gets no request


@dataclass(frozen=True, slots=True)
class Place:
    """What a key's path says: whose group it is in, whose key it is, what it does."""

    group: str
    holder: str  # the object that the key belongs to: a frontend, a backend, a server; a path
    role: Role
    cluster: str | None = None  # whose own key it is; None: shared
    weakens: bool = False  # it protects nothing, but takes away from the protection beside it
    kind: str = ""  # the folder of an object's kind, of which it may have one: beside another it is none, or hides it


@dataclass(frozen=True, slots=True)
class Entry:
    """One key that shall stand."""

    path: str  # below Traefik's prefix, without a leading slash
    value: str  # as it is stored, already escaped for its layout
    origin: str  # what asked for it: a label, "default", "containers"
    place: Place


@dataclass(frozen=True, slots=True)
class Wish:
    """All that a cluster wants of one group."""

    group: str
    shared: Mapping[str, str]  # path: value; all but the servers: whoever claims the group shares it
    own: Mapping[str, str]  # path: value; the keys of its servers
    retiring: frozenset[str] = frozenset()  # holders of own keys that go although what they lead to still lives
    drained: frozenset[str] = frozenset()  # those of them that an operator's word takes away: no doubt holds them
    unchecked: bool = False  # so do all others that go: nobody says when they die
    title: str = ""  # stack/service, for reports
    holders: tuple[str, ...] = ()  # stack/service of all that ask for it, where they may be several; sorted


class Layout(Protocol):
    """What ownership must know of a key layout; all of it follows from paths and values."""

    name: str
    reads_halves: bool  # its Traefik reads key by key, so a transaction can be seen half
    folders: tuple[str, ...]  # of objects by name, with closing slashes: no key of it lies anywhere else

    def place(self, path: str) -> Place | None:
        """What a key at `path` below the prefix is; None: nothing that a route consists of."""

    def opening(self, holder: str) -> tuple[str, ...]:
        """The paths of the keys that open `holder`, whether they stand or not; none for what opens nothing."""

    def narrows(self, path: str, before: str, after: str) -> bool:
        """Whether a key of the role RULE that becomes another does nothing but keep more requests away."""

    def leans_on(self, keys: Mapping[str, str]) -> frozenset[str]:
        """The other groups that `keys` (path: value) of one group refer to."""

    def hosts(self, keys: Mapping[str, str]) -> frozenset[str]:
        """The hosts that the rules among `keys` (path: value) ask for, as comparable text."""

    def is_secret(self, path: str, value: str) -> bool:
        """Whether reports hide the value of the key at `path` below the prefix, since it may let somebody in."""

    def standing(self) -> Mapping[str, str]:
        """The shared keys (path: value) of the standing group."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """One layout with its prefix in one store, as one cluster writes it."""

    layout: Layout
    tree: str  # Traefik's prefix as its keys begin in this store, with the closing slash: /traefik/
    records: str  # ours, with the closing slash: bridge/traefik/
    cluster: str


_RECORDS = "bridge/"


def records_prefix(prefix: str) -> str:
    """Where our records of Traefik's `prefix` lie: outside it, so that no record wakes Traefik."""
    return f"{_RECORDS}{escape(prefix.strip('/'))}/"


def lease_node(records: str, family: str) -> str:
    """The node of Consul's catalog that holds the leases of `family`, below `records` (bridge/<root>, or with a slash).

    Rights on leases are given by node, so no two clusters share one: neither an escaped root nor a cluster's name holds
    two dashes, so `bridge-<root>--<cluster>` is nobody else's, nor the fleet's, `bridge-<root>-fleet`.
    """
    kind, _, rest = family.partition("/")
    owner = f"-{rest.partition('/')[0]}" if kind == "c" else "fleet"
    return f"bridge-{records.removeprefix(_RECORDS).rstrip('/')}-{owner}"
