"""What is wrong among those who share a store, as far as it follows from what stands: for whoever only looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.layouts import layout_of
from bridge.model.keys import STANDING, group_title
from bridge.model.problem import Problem
from bridge.ownership.claims import Claim, Group, differing, may_merge
from bridge.ownership.foreign import foreign_keys
from bridge.ownership.records import claim_path, guard_path, is_newer
from bridge.ownership.standing import Standing


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One key that two clusters want otherwise. What may let somebody in is left out."""

    path: str  # below Traefik's prefix
    decider: str  # the cluster whose value counts
    value: str | None  # None: no such key
    cluster: str  # that wants another
    other: str | None


HIDDEN = "(hidden)"


def disagreements(group: Group, standing: Standing) -> tuple[Disagreement, ...]:
    """Of all who claim the group with the one who decides, the decider's words first."""
    layout = standing.publisher.layout

    def shown(path: str, value: str | None) -> str | None:
        return HIDDEN if value is not None and layout.is_secret(path, value) else value

    decider, others = group.claims[:1], group.claims[1:]
    return tuple(
        Disagreement(path, first.cluster, shown(path, value), claim.cluster, shown(path, other))
        for first in decider
        for claim in others
        for path, value, other in differing(first.keys or {}, claim.keys or {})
        if first.keys is not None
        and claim.keys is not None
        and layout_of(first.keys, layout) == layout_of(claim.keys, layout)
    )


def problems(standing: Standing) -> Mapping[str, tuple[Problem, ...]]:
    """By cluster: each is a problem of all whom it concerns."""
    found: dict[str, list[Problem]] = {}
    for name, group in sorted(standing.groups.items()):
        for problem, clusters in _of_group(name, group, standing):
            for cluster in clusters:
                found.setdefault(cluster, []).append(problem)
    return {cluster: tuple(its) for cluster, its in found.items()}


def _of_group(name: str, group: Group, standing: Standing) -> Iterator[tuple[Problem, tuple[str, ...]]]:
    title, records = group_title(name), standing.mirror.records.prefix
    claimants = tuple(claim.cluster for claim in group.claims)
    for one in disagreements(group, standing):
        reason = f"cluster {one.decider} decides and wants {_said(one.value)}"
        reason += f" where cluster {one.cluster} wants {_said(one.other)}"
        key = standing.publisher.tree + one.path
        yield Problem(title, key, "", reason, "the decider's value stands"), (one.decider, one.cluster)
    yield from _kept_out(title, group, standing)
    for claim in group.claims:
        if claim.keys is None:
            yield _unread(title, records + claim_path(claim.cluster, name), claim), claimants
    if group.guard is not None and is_newer(group.guard.value):
        reason = "a newer bridge wrote this record"
        yield Problem(title, records + guard_path(name), "", reason, "older ones leave the group as it is"), claimants
    for foreign in foreign_keys(group, None, "", standing.publisher.layout) if name != STANDING else ():
        if foreign.freezes:
            reason, key = "this key was not written by a bridge", standing.publisher.tree + foreign.path
            yield Problem(title, key, "", reason, "froze the group: its shared keys stay as they are"), claimants


def _kept_out(title: str, group: Group, standing: Standing) -> Iterator[tuple[Problem, tuple[str, ...]]]:
    first = group.claims[0] if group.claims else None
    for claim in group.claims[1:]:
        if first is None or first.keys is None or claim.keys is None:
            continue
        did, layout = f"cluster {claim.cluster} keeps its servers out", standing.publisher.layout
        theirs, its = layout_of(first.keys, layout), layout_of(claim.keys, layout)
        if theirs != its:
            reason = f"cluster {first.cluster}, which decides, publishes {theirs} below this prefix, and cluster "
            reason += f"{claim.cluster} {its}; give each layout a prefix of its own, or all clusters the same --layout"
            yield Problem(title, "", "", reason, did), (first.cluster, claim.cluster)
        elif not may_merge(claim.keys, first.keys, layout):
            reason = f"no host in common with cluster {first.cluster}, which decides, or it does not protect alike"
            yield Problem(title, "", "", reason, did), (first.cluster, claim.cluster)


def _unread(title: str, key: str, claim: Claim) -> Problem:
    wrote = "a newer bridge wrote this record" if is_newer(claim.held.value) else "nobody can read this record"
    return Problem(title, key, "", wrote, f"what cluster {claim.cluster} wants is not known")


def _said(value: str | None) -> str:
    if value is None:
        return "no such key"
    return "a value of its own" if value == HIDDEN else repr(value)
