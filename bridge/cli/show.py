"""Show what the store holds, whose it is, and how long it would live.

Reads the store and no source. Writes nothing, and grants and renews no lease. A server is its cluster's; rules and the
like are of all clusters that claim the service, and the decider's wish for them counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from bridge import config as options
from bridge.cli.render import Json, heading, number, safe, say, say_each_json, shown, span
from bridge.cli.wiring import Site, opened_store, publisher, sites
from bridge.config import Config, Output
from bridge.model.change import LeaseName
from bridge.model.keys import STANDING, Layout, Place, Publisher, Role, group_title, is_cluster_name
from bridge.ownership.claims import Claim
from bridge.ownership.mirror import Held, Mirror, Side
from bridge.ownership.records import FLEET, STANDING_FAMILY, cluster_family, leader_path, named, read_leader
from bridge.ownership.standing import Standing, stand
from bridge.stores.base import Store

BY_HAND = "hand-written"


class State(Enum):
    """What becomes of a group."""

    CLAIMED = "claimed"
    UNCLAIMED = "unclaimed"  # its clusters are gone; a sync that wants it claims it, any other clears it
    STANDING = "standing"  # never cleared while a cluster publishes
    BY_HAND = BY_HAND  # no key of it is a bridge's


@dataclass(frozen=True, slots=True)
class Life:
    """Whose a key is and how long it would live if all bridges ended now."""

    whose: str  # a cluster, "all clusters", or hand-written
    seconds: float  # inf: for ever


@dataclass(frozen=True, slots=True)
class ShownRule:
    """One frontend."""

    frontend: str
    rule: str  # as it is stored; empty where none stands
    open: bool  # it leads to a backend
    life: Life


@dataclass(frozen=True, slots=True)
class ShownServer:
    """One server."""

    name: str
    url: str
    weight: str
    life: Life


@dataclass(frozen=True, slots=True)
class Shown:
    """One group."""

    group: str
    state: State
    decider: str  # a cluster; empty where none claims the group
    claims: tuple[str, ...]  # clusters, the decider first
    rules: tuple[ShownRule, ...]
    servers: tuple[ShownServer, ...]
    by_hand: int  # keys that no bridge wrote


@dataclass(frozen=True, slots=True)
class Survey:
    """All that one publisher's prefixes hold."""

    publisher: Publisher
    groups: tuple[Shown, ...]
    leases: Mapping[LeaseName, float]  # seconds that each would live; inf: for ever
    leaders: Mapping[str, str]  # the replica that writes, by cluster


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    found = [_survey(config, site) for site in sites(config)]
    if config.get(options.OUTPUT) is Output.JSON:
        say_each_json([_json(one) for one in found])
    else:
        for one in found:
            say([heading(one.publisher)] if len(found) > 1 else [])
            say(_lines(one))
    return 0


def _survey(config: Config, site: Site) -> Survey:
    chosen = publisher(site, cluster="")
    with opened_store(config, site) as store:
        mirror = _read(store, chosen)
        leases = _lives(store, mirror)
    return Survey(chosen, survey(stand(mirror, chosen), leases), leases, _leaders(mirror.records))


# What stands


def _read(store: Store, chosen: Publisher) -> Mirror:
    """Both sides, read once the families of all clusters are known, so that their leases are told from others."""
    mirror = Mirror.empty(chosen.tree, chosen.records)
    for prefix in (chosen.records, chosen.tree):
        mirror = mirror.fold(store.read(prefix), 0.0)
    clusters = {named(path).cluster for path in mirror.records.held} - {""}
    places = (chosen.layout.place(path) for path in mirror.tree.held)
    clusters |= {place.cluster for place in places if place and place.cluster}
    real = sorted(cluster for cluster in clusters if is_cluster_name(cluster))  # others may be any bytes
    store.know((FLEET, STANDING_FAMILY, *map(cluster_family, real)))
    mirror = Mirror.empty(chosen.tree, chosen.records)
    for prefix in (chosen.records, chosen.tree):
        mirror = mirror.fold(store.read(prefix), 0.0)
    return mirror


def _is_ours(lease: LeaseName | None) -> bool:
    return lease is not None and not lease.family.startswith("?")


def _lives(store: Store, mirror: Mirror) -> dict[LeaseName, float]:
    """Seconds that each of our leases that holds a key would live; one that just ended has none left."""
    held = {one.lease for side in (mirror.tree, mirror.records) for one in side.held.values()}
    names = sorted(lease for lease in held if lease is not None and _is_ours(lease))
    return {name: store.remaining(name) or 0.0 for name in names}


def _leaders(records: Side) -> dict[str, str]:
    """The replica that writes, by cluster."""
    clusters = sorted({named(path).cluster for path in records.held} - {""})
    held = {cluster: records.held.get(leader_path(cluster)) for cluster in clusters}
    found = {cluster: read_leader(one.value) for cluster, one in held.items() if one is not None}
    return {cluster: leader.name if leader else "unknown" for cluster, leader in found.items()}


def survey(standing: Standing, leases: Mapping[LeaseName, float]) -> tuple[Shown, ...]:
    """Every group of which anything stands, by title."""
    layout = standing.publisher.layout
    keys: dict[str, dict[str, tuple[Place, Held]]] = {}
    for path, held in sorted(standing.mirror.tree.held.items()):
        place = layout.place(path)
        if place is not None:
            keys.setdefault(place.group, {})[path] = place, held
    names = keys.keys() | {name for name, group in standing.groups.items() if group.guard or group.claims}
    groups = standing.groups
    found = (_shown(name, keys.get(name, {}), groups[name].claims, leases, layout) for name in names)
    return tuple(sorted(found, key=lambda one: (one.state is State.STANDING, group_title(one.group))))


def _shown(
    name: str,
    keys: Mapping[str, tuple[Place, Held]],
    claims: tuple[Claim, ...],
    leases: Mapping[LeaseName, float],
    layout: Layout,
) -> Shown:
    by_hand = sum(not _is_ours(held.lease) for _, held in keys.values())
    if name == STANDING and claims:
        state = State.STANDING
    elif claims:
        state = State.CLAIMED
    else:
        state = State.BY_HAND if keys and by_hand == len(keys) else State.UNCLAIMED
    return Shown(
        group=name,
        state=state,
        decider=claims[0].cluster if claims else "",
        claims=tuple(claim.cluster for claim in claims),
        rules=tuple(_rules(keys, leases, layout)),
        servers=tuple(_servers(keys, leases, layout)),
        by_hand=by_hand,
    )


def _rules(
    keys: Mapping[str, tuple[Place, Held]], leases: Mapping[LeaseName, float], layout: Layout
) -> Iterator[ShownRule]:
    """A line a rule; one also for what is open without a rule."""
    holders: dict[str, dict[str, tuple[Place, Held]]] = {}
    for path, (place, held) in keys.items():
        if layout.opening(place.holder):
            holders.setdefault(place.holder, {})[path] = place, held
    for holder, its in holders.items():
        opened = any(path in its for path in layout.opening(holder))
        rules = [(place, held) for place, held in its.values() if place.role is Role.RULE]
        for place, held in rules or list(its.values())[:1]:
            text = held.value if rules else ""
            yield ShownRule(holder.rpartition("/")[2], text, opened, _life(place, held, leases))


def _servers(
    keys: Mapping[str, tuple[Place, Held]], leases: Mapping[LeaseName, float], layout: Layout
) -> Iterator[ShownServer]:
    """By the path alone: a server written by hand names no cluster, and its URL may name a user."""
    for path, (place, held) in keys.items():
        server, _, field = path.rpartition("/")
        if field == "url" and "/servers/" in server:
            weight = keys.get(f"{server}/weight")
            name = server.rpartition("/")[2]
            url = shown(layout, path, held.value)
            yield ShownServer(name, url, weight[1].value if weight else "1", _life(place, held, leases))


def _life(place: Place, held: Held, leases: Mapping[LeaseName, float]) -> Life:
    if held.lease is None or not _is_ours(held.lease):
        return Life(BY_HAND, math.inf)
    return Life(place.cluster or "all clusters", leases.get(held.lease, 0.0))


# What is printed


def _lines(found: Survey) -> Iterator[str]:
    groups, leases, leaders = found.groups, found.leases, found.leaders
    if not groups:
        yield f"Nothing stands below {safe(found.publisher.tree)}"
        return
    for group in groups:
        yield f"{safe(group_title(group.group))}  {_state(group)}"
        rows = [("rule", rule.life, "", _rule_text(rule)) for rule in group.rules]
        rows += [("server", server.life, f"weight {safe(server.weight)}", safe(server.url)) for server in group.servers]
        yield from _table(rows)
    yield ""
    of_services = [group for group in groups if group.state is not State.STANDING]
    servers = sum(len(group.servers) for group in groups)
    yield f"{number(len(of_services), 'service')}, {number(servers, 'server')}"
    width = max((len(lease.family) for lease in leases), default=0)
    for lease, seconds in sorted(leases.items()):
        yield f"lease {lease.family:<{width}}  lives {span(seconds)}"
    for cluster, leader in sorted(leaders.items()):
        yield f"replica {safe(leader)} leads cluster {safe(cluster)}"


def _state(group: Shown) -> str:
    hands = f", {number(group.by_hand, 'key')} {BY_HAND}" if group.by_hand else ""
    match group.state:
        case State.BY_HAND:
            return BY_HAND
        case State.UNCLAIMED:
            return f"unclaimed: the next sync takes it up or clears it{hands}"
        case State.STANDING:
            return f"the backstop of {_clusters(group.claims)}{hands}"
        case State.CLAIMED:
            others = f", claimed too by {_clusters(group.claims[1:])}" if group.claims[1:] else ""
            return f"decided by cluster {safe(group.decider)}{others}{hands}"


def _clusters(names: Sequence[str]) -> str:
    """With the word: a cluster may be called default, and nothing is so by default."""
    return f"cluster{'s' if names[1:] else ''} {', '.join(map(safe, names))}"


def _rule_text(rule: ShownRule) -> str:
    text = safe(rule.rule) or "none"
    return text if rule.open else f"{text} (closed)"


def _table(rows: list[tuple[str, Life, str, str]]) -> Iterator[str]:
    """The text of any length comes last, so that it moves no column."""
    cells = [(kind, safe(life.whose), span(life.seconds), weight, text) for kind, life, weight, text in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        filled = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True) if width)
        yield f"  {'  '.join(filled)}".rstrip()


def _json(found: Survey) -> Json:
    """`seconds` is null for ever."""
    return {
        "groups": [_group_json(group) for group in found.groups],
        "leases": [
            {"family": lease.family, "ttl": lease.ttl, "seconds": _seconds(rest)}
            for lease, rest in sorted(found.leases.items())
        ],
        "leaders": dict(found.leaders),
    }


def _group_json(group: Shown) -> Json:
    return {
        "service": group_title(group.group),
        "group": group.group,
        "state": group.state.value,
        "decider": group.decider,
        "claims": list(group.claims),
        "by_hand": group.by_hand,
        "rules": [
            {"frontend": rule.frontend, "rule": rule.rule, "open": rule.open, **_life_json(rule.life)}
            for rule in group.rules
        ],
        "servers": [
            {"name": server.name, "url": server.url, "weight": server.weight, **_life_json(server.life)}
            for server in group.servers
        ],
    }


def _life_json(life: Life) -> dict[str, Json]:
    return {"whose": life.whose, "seconds": _seconds(life.seconds)}


def _seconds(rest: float) -> float | None:
    return None if math.isinf(rest) else rest
