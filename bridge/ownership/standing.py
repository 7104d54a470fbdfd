"""What stands, sorted by groups, as one publisher sees it; only what changed is sorted anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from bridge.model.change import LeaseName
from bridge.model.keys import Publisher, Role
from bridge.ownership.claims import Claim, Group
from bridge.ownership.mirror import Held, Mirror, Side
from bridge.ownership.records import (
    FLEET,
    STANDING_FAMILY,
    UNKNOWN_PRESENCE,
    Presence,
    cluster_family,
    named,
    read_claim,
    read_presence,
)

SHARED_FAMILIES = frozenset({FLEET, STANDING_FAMILY})


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the keys of one group stand, or stood."""

    tree: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """A mirror, sorted by groups."""

    mirror: Mirror
    publisher: Publisher
    groups: Mapping[str, Group]  # every group of which anything stands or was seen to go
    presences: Mapping[str, Presence]  # who publishes here, by cluster
    leases: Mapping[LeaseName, int]  # how many keys each holds
    paths: Mapping[str, Paths] = field(repr=False)  # by group


def stand(mirror: Mirror, publisher: Publisher, before: Standing | None = None) -> Standing:
    """Sort `mirror`. `before`: an earlier one of the same publisher; groups of which nothing changed are its."""
    if before is None:
        empty = Mirror.empty(mirror.tree.prefix, mirror.records.prefix)
        before = Standing(empty, publisher, {}, {}, {}, {})
    tree = _changed(before.mirror.tree, mirror.tree)
    records = _changed(before.mirror.records, mirror.records)
    layout = publisher.layout
    placed = ((place.group, path) for path in tree if (place := layout.place(path)) is not None)
    recorded = ((name.group, path) for path in records if (name := named(path)).group)
    in_tree, in_records = _by_group(placed), _by_group(recorded)
    groups, paths = dict(before.groups), dict(before.paths)
    for group in in_tree.keys() | in_records.keys():
        known = paths.get(group) or Paths()
        now = Paths(
            _known(known.tree, in_tree.get(group, ()), mirror.tree),
            _known(known.records, in_records.get(group, ()), mirror.records),
        )
        if now.tree or now.records:
            groups[group], paths[group] = _sort(group, now, mirror, publisher), now
        else:
            groups.pop(group, None)
            paths.pop(group, None)
    is_news = any(named(path).kind == "presence" for path in records)
    return Standing(
        mirror,
        publisher,
        groups,
        _presences(mirror.records) if is_news else before.presences,
        _count_leases(before, mirror, tree, records),
        paths,
    )


def unclaimed(records: Side) -> frozenset[str]:
    """The groups that have a guard and no claim: somebody has still to clear them."""
    names = [named(path) for path in records.held]
    claimed = {name.group for name in names if name.kind == "claim"}
    return frozenset(name.group for name in names if name.kind == "guard") - claimed


# What changed


def _changed(before: Side, now: Side) -> list[str]:
    """The paths of which something else is known."""
    return list(dict.fromkeys([*_differing(before.held, now.held), *_differing(before.gone, now.gone)]))


def _differing(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Whose value is another object: a mirror keeps those that did not change."""
    if before is now:
        return []
    differing = [path for path, value in now.items() if before.get(path) is not value]
    added = sum(path not in before for path in differing)
    if len(before) + added > len(now):
        differing.extend(before.keys() - now.keys())
    return differing


def _by_group(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group, path in pairs:
        found.setdefault(group, []).append(path)
    return found


def _known(before: frozenset[str], changed: Iterable[str], side: Side) -> frozenset[str]:
    """A group's paths of one side, of which these changed."""
    stay = [path for path in changed if path in side.held or path in side.gone]
    return before.difference(changed).union(stay)


def _count_leases(
    before: Standing, mirror: Mirror, tree: Iterable[str], records: Iterable[str]
) -> Mapping[LeaseName, int]:
    counts = Counter(before.leases)
    for was, now, paths in (
        (before.mirror.tree, mirror.tree, tree),
        (before.mirror.records, mirror.records, records),
    ):
        _count(was, paths, counts.subtract)
        _count(now, paths, counts.update)
    return +counts


def _count(side: Side, paths: Iterable[str], into: Callable[[Iterable[LeaseName]], None]) -> None:
    found = (side.held.get(path) for path in paths)
    into(held.lease for held in found if held is not None and held.lease is not None)


# How a group is sorted


def _presences(records: Side) -> Mapping[str, Presence]:
    named_records = ((named(path), held) for path, held in records.held.items())
    return {
        name.cluster: read_presence(held.value) or UNKNOWN_PRESENCE
        for name, held in named_records
        if name.kind == "presence"
    }


def _sort(name: str, paths: Paths, mirror: Mirror, publisher: Publisher) -> Group:
    group = Group(name)
    _sort_records(group, sorted(paths.records), mirror.records)
    for path in sorted(paths.tree):
        if (held := mirror.tree.held.get(path)) is not None:
            _sort_key(group, path, held, publisher)
        if (lost := mirror.tree.gone.get(path)) is not None:
            _sort_gone(group, path, lost.since, publisher)
    return group


def _sort_key(group: Group, path: str, held: Held, publisher: Publisher) -> None:
    place, me = publisher.layout.place(path), publisher.cluster
    if place is None:
        return
    family = held.lease.family if held.lease else ""
    if publisher.layout.opening(place.holder):
        group.frontends.add(place.holder)
    if place.cluster is None:
        (group.shared if family in SHARED_FAMILIES else group.foreign)[path] = held
    elif place.cluster == me and family == cluster_family(me) and place.role is not Role.SERVER:
        group.shared[path] = held
    elif place.cluster == me and family == cluster_family(me):
        group.mine[path] = held
        group.servers.add(place.holder)
    elif place.cluster == me or held.lease is None:
        group.foreign[path] = held
    else:
        group.others.setdefault(place.cluster, set()).add(place.holder)


def _sort_gone(group: Group, path: str, since: float, publisher: Publisher) -> None:
    place = publisher.layout.place(path)
    if place is None:
        return
    if place.cluster is None or (place.cluster == publisher.cluster and place.role is not Role.SERVER):
        group.shared_gone[path] = since
    else:
        group.saw_go(place.cluster, since)


def _sort_records(group: Group, paths: Iterable[str], records: Side) -> None:
    claims = []
    for path in paths:
        name, held, lost = named(path), records.held.get(path), records.gone.get(path)
        if held is not None and name.kind == "guard":
            group.guard = held
        elif held is not None:
            claims.append(Claim(name.cluster, read_claim(held.value), held))
        if lost is not None and name.kind == "claim":
            group.claims_gone = max(group.claims_gone, lost.since)
            group.saw_go(name.cluster, lost.since)
    group.claims = tuple(sorted(claims, key=lambda claim: claim.age))
