"""Frontends of several clusters that ask for the same requests: of these one gets all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.model.keys import STANDING, group_title, split_owner
from bridge.model.problem import Problem
from bridge.ownership.claims import Group
from bridge.ownership.standing import Standing

_BLANKS = re.compile(r"^(\w+:) +")  # by which a layout makes a rule longer
_DIGITS = re.compile("[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One that is open."""

    holder: str
    key: str  # of its rule, below the prefix
    group: str
    owner: str  # whose alone it is; empty: clusters share it
    clusters: tuple[str, ...]
    priority: int


def rivals(standing: Standing) -> Iterator[tuple[Problem, tuple[str, ...]]]:
    """Each with the clusters that it concerns.

    Those that clusters keep apart may differ in priority: then one stands by. Between one that is kept apart and one
    that is shared that is no plan, unless a single cluster is on its way from one to the other.
    """
    first: dict[tuple[str, ...], list[_Asking]] = {}
    opened = _opened(standing)
    for name, group in sorted(standing.groups.items()):
        for asked, one in _asking(name, group, opened) if name != STANDING else ():
            for other in first.setdefault(asked, []):
                clusters = tuple(dict.fromkeys((*other.clusters, *one.clusters)))
                apart = bool(other.owner) == bool(one.owner)
                if other.owner == one.owner or len(clusters) < 2 or (apart and other.priority != one.priority):
                    continue
                yield _problem(standing, other, one), clusters
            first[asked].append(one)


def _problem(standing: Standing, other: _Asking, one: _Asking) -> Problem:
    reason = f"{_whose(other)} and {_whose(one)} ask for the same requests"
    if other.priority == one.priority:
        did, suggestion = "Traefik gives all of them to either", "let --priority say which comes first"
    else:
        winner = max(other, one, key=lambda each: each.priority)
        did, suggestion = f"Traefik gives all of them to {winner.holder}", "give all clusters one --fan-in"
    title = group_title(one.group)
    return Problem(title, standing.publisher.tree + one.key, "", reason, did, suggestion=suggestion)


def _whose(one: _Asking) -> str:
    return f"{one.holder}, of cluster {one.owner} alone," if one.owner else f"{one.holder}, which clusters share,"


def _asking(name: str, group: Group, of: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[tuple[str, ...], _Asking]]:
    """What is open in the group, with its rule, its entry points, and whether it speaks TLS. `of`: see `_opened`."""
    clusters = tuple(claim.cluster for claim in group.claims)
    for holder in sorted(group.frontends & of.keys()) if clusters else ():
        below = of[holder]
        rules = {path: value for path, value in below.items() if path.lower().endswith("/rule")}
        if len(rules) != 1:
            continue
        ((path, rule),) = rules.items()
        places = sorted(
            value for key, value in below.items() if key.lower().startswith(f"{holder}/entrypoints".lower())
        )
        secure = any(key == f"{holder}/tls" or key.startswith(f"{holder}/tls/") for key in below)
        said = below.get(f"{holder}/priority", "")
        priority = int(said) if _DIGITS.fullmatch(said) else len(rule)
        asked = (_BLANKS.sub(r"\1", rule), str(secure), *places)
        yield asked, _Asking(holder, path, name, split_owner(name)[0], clusters, priority)


def _opened(standing: Standing) -> dict[str, dict[str, str]]:
    """The keys (path: value) of each frontend or router that is open, whose ever they are."""
    layout, found = standing.publisher.layout, dict[str, dict[str, str]]()
    for path, held in standing.mirror.tree.held.items():
        place = layout.place(path)
        if place is not None and layout.opening(place.holder):
            found.setdefault(place.holder, {})[path] = held.value
    return {holder: keys for holder, keys in found.items() if keys.keys() & set(layout.opening(holder))}
