"""Who claims a group, who decides it, and what of it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.model.keys import Layout, Role
from bridge.ownership.mirror import Held

LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class Claim:
    """A cluster's word that it wants a group."""

    cluster: str
    keys: Mapping[str, str] | None  # its wish for the shared keys; None: written by a newer bridge, or by hand
    held: Held

    @property
    def age(self) -> tuple[int, str]:
        """The oldest claim decides: lowest creation revision, then name."""
        return self.held.created, self.cluster


@dataclass(slots=True)
class Group:
    """All that is known of one group. Once it is made it is only read."""

    name: str
    claims: tuple[Claim, ...] = ()  # oldest first
    guard: Held | None = None
    shared: dict[str, Held] = field(default_factory=dict)  # on our leases: all but servers, or what is ours alone of it
    mine: dict[str, Held] = field(default_factory=dict)  # this cluster's own keys, on its lease
    foreign: dict[str, Held] = field(default_factory=dict)  # keys on no lease of ours: never touched
    others: dict[str, set[str]] = field(default_factory=dict)  # other clusters: the holders of their own keys
    shared_gone: dict[str, float] = field(default_factory=dict)  # shared keys that were seen to go, and when
    gone: dict[str, float] = field(default_factory=dict)  # by cluster: when its last claim or server was seen to go
    claims_gone: float = LONG_AGO  # when the last claim of any cluster was seen to go
    frontends: set[str] = field(default_factory=set)  # holders that can be opened, open or closed, whoever wrote them
    servers: set[str] = field(default_factory=set)  # holders of `mine`

    def claim_of(self, cluster: str) -> Claim | None:
        """The cluster's claim."""
        return next((claim for claim in self.claims if claim.cluster == cluster), None)

    def saw_go(self, cluster: str, when: float) -> None:
        """A claim or a server of the cluster went."""
        self.gone[cluster] = max(when, self.gone.get(cluster, LONG_AGO))


def server_home(holder: str) -> str:
    """Where the servers of a backend lie, of the holder of one of them; empty for any other holder."""
    home, _, _ = holder.rpartition("/")
    return home if home.endswith("/servers") else ""


def differing(wish: Mapping[str, str], other: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    """The paths, sorted, that two clusters want otherwise, with the value of each; None: no such key."""
    paths = sorted(wish.keys() | other.keys())
    return [(path, wish.get(path), other.get(path)) for path in paths if wish.get(path) != other.get(path)]


def by_role(keys: Mapping[str, str], role: Role, layout: Layout) -> dict[str, str]:
    """Those of `keys` (path: value) that have this role."""
    found = {}
    for path, value in keys.items():
        place = layout.place(path)
        if place is not None and place.role is role:
            found[path] = value
    return found


def kinds(paths: Iterable[str], layout: Layout) -> dict[str, set[str]]:
    """By object, of which kind or kinds these keys make it, as the folders of these."""
    found: dict[str, set[str]] = {}
    for path in paths:
        place = layout.place(path)
        if place is not None and place.kind:
            found.setdefault(place.kind.rpartition("/")[0], set()).add(place.kind)
    return found


def may_merge(wish: Mapping[str, str], target: Mapping[str, str], layout: Layout) -> bool:
    """Whether servers of a cluster with this wish may stand where `target` routes.

    They must have a host in common, and `target` must protect by each key that the wish protects by, and by no other
    of that kind: some weaken those beside them, as whitelist/usexforwardedfor lets clients say who they are. One of
    these that `target` lacks keeps nobody out.
    A wish that protects anything merges into no group that is open in further ways: there nothing of it would protect.
    """
    if wish == target:
        return True
    protects = by_role(wish, Role.PROTECTS, layout)
    kinds = {_kind(path) for path in protects}
    protects = {path: value for path, value in protects.items() if path in target or not _weakens(path, layout)}
    if protects != {
        path: value for path, value in by_role(target, Role.PROTECTS, layout).items() if _kind(path) in kinds
    }:
        return False
    if protects and not by_role(target, Role.OPENS, layout).keys() <= wish.keys():
        return False
    rules, target_rules = by_role(wish, Role.RULE, layout), by_role(target, Role.RULE, layout)
    return rules == target_rules or bool(layout.hosts(rules) & layout.hosts(target_rules))


def _weakens(path: str, layout: Layout) -> bool:
    place = layout.place(path)
    return place is not None and place.weakens


def _kind(path: str) -> str:
    """The directory of a protecting key: its holder, and what stands below it, such as auth or whitelist."""
    return "/".join(path.split("/")[:3])
