"""Show what the store holds, whose it is, and how long it would live.

Reads the store and no source. Writes nothing, and grants and renews no lease. A server is its cluster's; rules and the
like are of all clusters that claim the service, and the decider's wish for them counts. With STACK/SERVICE only what
stands of that service; with --verbose each key. No record says which service's labels of Traefik 2 and 3 named a
router, service or middleware: name that itself, as NAME or http.routers.NAME. What none of them named is found by
STACK/SERVICE.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from bridge import config as options
from bridge.cli.draining import drained_lines, drains_json
from bridge.cli.naming import HINT, means
from bridge.cli.render import heading, say, say_each_json, warn
from bridge.cli.seen import look, seconds_or_none
from bridge.cli.wiring import Site, sites
from bridge.config import Config, Output
from bridge.model.change import LeaseName
from bridge.model.keys import STANDING, Layout, Place, Publisher, Role, group_title, split_owner
from bridge.model.problem import UsageError
from bridge.ownership.claims import Group
from bridge.ownership.drains import Drains
from bridge.ownership.mirror import Held
from bridge.ownership.quarrels import Disagreement, disagreements
from bridge.ownership.standing import Standing
from bridge.views.clusters import drains_by_cluster, is_ours
from bridge.views.words import Json, cut, number, safe, shown, span

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
class ByHand:
    """A key that no bridge wrote."""

    key: str
    value: str  # hidden where it may let somebody in


@dataclass(frozen=True, slots=True)
class ShownKey:
    """Any key of a group."""

    key: str
    value: str  # hidden where it may let somebody in
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
    by_hand: tuple[ByHand, ...]
    keys: tuple[ShownKey, ...]  # by key, those written by hand among them
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """All that one publisher's prefixes hold."""

    publisher: Publisher
    keeper: str  # what its standing group is called
    groups: tuple[Shown, ...]
    leases: Mapping[LeaseName, float]  # seconds that each would live; inf: for ever
    leaders: Mapping[str, str]  # the replica that writes, by cluster
    drains: Mapping[str, Drains]  # by cluster; of those that have any
    at_most: bool  # the store does not tell how much of a lease is left
    elsewhere: tuple[str, ...]  # who publishes another layout below this prefix


def run(config: Config, title: str = "") -> int:
    """The exit code. Raises BridgeError."""
    wanted = title.strip("/")
    found = [_survey(config, site, wanted) for site in sites(config)]
    if wanted and not any(one.groups for one in found):
        why = "nothing of it stands, and nobody claims it; bridge show names all that do"
        raise UsageError("service", title, f"{why}, and {HINT}")
    if config.get(options.OUTPUT) is Output.JSON:
        say_each_json([_json(one) for one in found])
    else:
        for one in found:
            say([heading(one.publisher)] if len(found) > 1 else [])
            say(_lines(one, verbose=config.get(options.VERBOSE)))
    for notice in (notice for one in found for notice in one.elsewhere):
        warn(f"notice: {notice}")
    return 0


def _survey(config: Config, site: Site, title: str) -> Survey:
    seen = look(config, site)
    groups = survey(seen.standing, seen.leases)
    if title:
        groups = tuple(group for group in groups if means(title, group.group))
    leaders = {cluster: leader.name if leader else "unknown" for cluster, leader in sorted(seen.leaders.items())}
    keeper = "backstop" if site.layout.has_backstop else "sentinel"
    drains = drains_by_cluster(seen.standing.mirror.records)
    at_most = site.store_kind == "consul"
    return Survey(seen.publisher, keeper, groups, seen.leases, leaders, drains, at_most, seen.elsewhere)


# What stands


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
    found = (_shown(groups.get(name) or Group(name), keys.get(name, {}), leases, standing) for name in names)
    return tuple(sorted(found, key=lambda one: (one.state is State.STANDING, group_title(one.group), one.group)))


def _shown(
    group: Group, keys: Mapping[str, tuple[Place, Held]], leases: Mapping[LeaseName, float], standing: Standing
) -> Shown:
    layout, claims = standing.publisher.layout, group.claims
    by_hand = tuple(
        ByHand(standing.publisher.tree + path, shown(layout, path, held.value))
        for path, (_, held) in keys.items()
        if not is_ours(held.lease)
    )
    if group.name == STANDING and claims:
        state = State.STANDING
    elif claims:
        state = State.CLAIMED
    else:
        state = State.BY_HAND if keys and len(by_hand) == len(keys) else State.UNCLAIMED
    return Shown(
        group=group.name,
        state=state,
        decider=claims[0].cluster if claims else "",
        claims=tuple(claim.cluster for claim in claims),
        rules=tuple(_rules(keys, leases, layout)),
        servers=tuple(_servers(keys, leases, layout)),
        by_hand=by_hand,
        keys=tuple(
            ShownKey(standing.publisher.tree + path, shown(layout, path, held.value), _life(place, held, leases))
            for path, (place, held) in keys.items()
        ),
        disagreements=disagreements(group, standing),
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
        # In Traefik 3 the list of middlewares says too which requests go through, and is no rule.
        rules = [its[path] for path in its if its[path][0].role is Role.RULE and path.lower().endswith("/rule")]
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
    if held.lease is None or not is_ours(held.lease):
        return Life(BY_HAND, math.inf)
    return Life(place.cluster or "all clusters", leases.get(held.lease, 0.0))


# What is printed


def _lines(found: Survey, *, verbose: bool) -> Iterator[str]:
    groups, leases, leaders = found.groups, found.leases, found.leaders
    if not groups:
        yield f"Nothing stands below {safe(found.publisher.tree)}"
        yield from _drained(found)
        return
    for group in groups:
        yield f"{safe(group_title(group.group))}  {_state(group, found.keeper)}"
        rows = [("rule", rule.life, "", _rule_text(rule)) for rule in group.rules]
        rows += [("server", server.life, f"weight {safe(server.weight)}", safe(server.url)) for server in group.servers]
        yield from _table(rows)
        if verbose:
            yield from _table(
                [("key", one.life, "", f"{safe(one.key)} = {safe(cut(one.value))}") for one in group.keys]
            )
        elif group.state is not State.BY_HAND:
            yield from (f"  hand-written  {safe(one.key)} = {safe(cut(one.value))}" for one in group.by_hand)
        yield from map(_quarrel, group.disagreements)
    yield ""
    of_services = [group for group in groups if group.state is not State.STANDING]
    servers = sum(len(group.servers) for group in groups)
    yield f"{number(len(of_services), 'service')}, {number(servers, 'server')}"
    width = max((len(lease.family) for lease in leases), default=0)
    for lease, seconds in sorted(leases.items()):
        most = "at most " if found.at_most and not math.isinf(seconds) else ""
        yield f"lease {lease.family:<{width}}  lives {most}{span(seconds)}"
    for cluster, leader in sorted(leaders.items()):
        yield f"replica {safe(leader)} leads cluster {safe(cluster)}"
    yield from _drained(found)


def _drained(found: Survey) -> Iterator[str]:
    for cluster, drains in found.drains.items():
        yield from drained_lines(cluster, drains)


def _state(group: Shown, keeper: str) -> str:
    hands = f", {number(len(group.by_hand), 'key')} {BY_HAND}" if group.by_hand else ""
    owner = split_owner(group.group)[0]
    match group.state:
        case State.BY_HAND:
            return BY_HAND
        case State.UNCLAIMED:
            return f"unclaimed: the next sync takes it up or clears it{hands}"
        case State.STANDING:
            return f"the {keeper} of {_clusters(group.claims)}{hands}"
        case State.CLAIMED:
            if owner:
                return f"of cluster {safe(owner)} alone{hands}"
            others = f", claimed too by {_clusters(group.claims[1:])}" if group.claims[1:] else ""
            return f"decided by cluster {safe(group.decider)}{others}{hands}"


def _quarrel(one: Disagreement) -> str:
    decided, other = (_wish(value) for value in (one.value, one.other))
    told = f"cluster {one.decider} decides and wants {decided} where cluster {one.cluster} wants {other}"
    return f"  disagreement  {safe(one.path)}: {safe(told)}"


def _wish(value: str | None) -> str:
    return "no such key" if value is None else cut(value)


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
            {"family": lease.family, "ttl": lease.ttl, "seconds": seconds_or_none(rest)}
            for lease, rest in sorted(found.leases.items())
        ],
        "leaders": dict(found.leaders),
        "drains": {cluster: drains_json(drains) for cluster, drains in found.drains.items()},
    }


def _group_json(group: Shown) -> Json:
    return {
        "service": group_title(group.group),
        "group": group.group,
        "state": group.state.value,
        "decider": group.decider,
        "claims": list(group.claims),
        "by_hand": len(group.by_hand),
        "hand_written": [{"key": one.key, "value": one.value} for one in group.by_hand],
        "keys": [{"key": one.key, "value": one.value, **_life_json(one.life)} for one in group.keys],
        "disagreements": [
            {
                "path": one.path,
                "decider": one.decider,
                "value": one.value,
                "cluster": one.cluster,
                "other": one.other,
            }
            for one in group.disagreements
        ],
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
    return {"whose": life.whose, "seconds": seconds_or_none(life.seconds)}
