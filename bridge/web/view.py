"""One publisher as the page shows it, made from its loop's values; made anew only where one of them is another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Lock

from bridge.daemon.status import Status
from bridge.layouts import RouteLayout
from bridge.model.keys import STANDING, Role, group_title
from bridge.ownership.claims import Group
from bridge.ownership.mirror import Mirror
from bridge.ownership.standing import Standing, stand
from bridge.views.clusters import Row, Seen, rows
from bridge.views.explained import Explained, Laid, Tree, containers_json, explained, summary
from bridge.views.words import Json, shown
from bridge.web.board import Publishes

MOST_RULES = 20  # of one service that are shown in the table


@dataclass(frozen=True, slots=True)
class View:
    """What one publisher knows, sorted for people."""

    explained: tuple[Explained, ...]  # every service of the source; none before the first plan
    routes: tuple[Mapping[str, Json], ...]  # each labelled one, then what stands of other clusters; by name
    clusters: tuple[Row, ...]  # who has something in the store


class Viewer:
    """Keeps the last view. Used by several threads."""

    def __init__(self, publishes: Publishes) -> None:
        self.publishes = publishes
        self._lock = Lock()
        self._made_of: tuple[object, ...] = ()
        self._standing: Standing | None = None
        self._view = View((), (), ())

    def view(self, status: Status) -> View:
        """Of this status."""
        with self._lock:
            mirror, report = status.mirror, status.report
            sides = (mirror.tree.held, mirror.records.held) if mirror else ()
            made_of = (status.decided, report.problems if report else (), *sides)
            if len(made_of) != len(self._made_of) or any(
                now is not then for now, then in zip(made_of, self._made_of, strict=True)
            ):
                self._view, self._made_of = self._made(status), made_of
            return self._view

    def _made(self, status: Status) -> View:
        layout = self.publishes.layout
        services = tuple(_explained(status, layout))
        seen = self._seen(status.mirror) if status.mirror else None
        standing = _Standing(seen.standing, layout) if seen else None
        found = [_route(one, status.layout, standing) for one in services if one.verdict]
        known = {str(one["service"]) for one in found}
        if standing:
            found += standing.others(known)
        found.sort(key=lambda one: str(one["service"]))
        return View(services, tuple(found), rows(seen) if seen else ())

    def _seen(self, mirror: Mirror) -> Seen:
        """Other clusters' leases are not known to a bridge that does not touch them."""
        publisher = replace(self.publishes.settings.publisher, cluster="")
        self._standing = stand(mirror, publisher, self._standing)
        return Seen(publisher, self._standing, {}, tells_leases=False)


def _explained(status: Status, layout: RouteLayout) -> Iterator[Explained]:
    decided, report = status.decided, status.report
    if decided and report:
        laid = (Laid(layout, status.tree, decided.wishes),)
        yield from explained(decided.snapshot, decided.verdicts, report.problems, laid, status.cluster)


def _route(one: Explained, layout: str, standing: _Standing | None) -> Mapping[str, Json]:
    """A row of the table: a service of this cluster."""
    tree = one.trees[0]
    title = one.service.title
    groups = standing.groups(title, tree) if standing else ()
    problems = [problem for problem in one.problems if not problem.notice]
    return {
        "service": title,
        "layout": layout,
        "here": True,
        "published": bool(tree.keys),
        "open": any(standing.is_open(group) for group in groups) if standing else False,
        "summary": summary(one),
        "rules": list(_rules(tree.layout, tree.keys))[:MOST_RULES],
        "clusters": standing.servers(groups) if standing else [],
        "containers": containers_json(one),
        "problems": len(problems),
    }


def _rules(layout: RouteLayout, keys: Mapping[str, str]) -> Iterator[str]:
    """In Traefik 3 the list of middlewares counts as one too, and is none."""
    for path, value in sorted(keys.items()):
        place = layout.place(path)
        if place and place.role is Role.RULE and path.lower().endswith("/rule"):
            yield shown(layout, path, value)


class _Standing:
    """What stands, asked by service."""

    def __init__(self, standing: Standing, layout: RouteLayout) -> None:
        self._standing, self._layout = standing, layout
        self._of: dict[str, list[str]] = {}  # names of groups, by stack/service
        for name in standing.groups:
            if name != STANDING:
                self._of.setdefault(group_title(name), []).append(name)

    def groups(self, title: str, tree: Tree | None = None) -> tuple[Group, ...]:
        """Those of a service, whoever claims them, and those of its own that are named otherwise."""
        named = {place.group for path in tree.keys if (place := self._layout.place(path))} if tree else set()
        found = dict.fromkeys((*self._of.get(title, ()), *sorted(named)))
        return tuple(self._standing.groups[name] for name in found if name in self._standing.groups)

    def is_open(self, group: Group) -> bool:
        """Whether requests reach it."""
        held = self._standing.mirror.tree.held
        return any(path in held for holder in group.frontends for path in self._layout.opening(holder))

    def servers(self, groups: tuple[Group, ...]) -> list[Json]:
        """How many each cluster has there, those that claim it without one too."""
        found: dict[str, set[str]] = {}
        for group in groups:
            for claim in group.claims:
                found.setdefault(claim.cluster, set())
            for cluster, holders in group.others.items():
                found.setdefault(cluster, set()).update(holders)
        return [{"cluster": cluster, "servers": len(its)} for cluster, its in sorted(found.items())]

    def others(self, known: set[str]) -> Iterator[Mapping[str, Json]]:
        """What stands of services that this cluster's source has not."""
        held = self._standing.mirror.tree.held
        for title in sorted(self._of.keys() - known):
            groups = self.groups(title)
            paths = {path for group in groups for path in self._standing.paths[group.name].tree if path in held}
            if not any(group.frontends or group.others for group in groups) or not paths:
                continue
            yield {
                "service": title,
                "layout": self._layout.name,
                "here": False,
                "published": True,
                "open": any(map(self.is_open, groups)),
                "summary": self._whose(groups, paths),
                "rules": list(_rules(self._layout, {path: held[path].value for path in paths}))[:MOST_RULES],
                "clusters": self.servers(groups),
                "containers": [],
                "problems": 0,
            }

    def _whose(self, groups: tuple[Group, ...], paths: set[str]) -> str:
        clusters = sorted({claim.cluster for group in groups for claim in group.claims})
        if clusters:
            return f"of cluster{'s' if clusters[1:] else ''} {', '.join(clusters)}"
        held = self._standing.mirror.tree.held
        by_hand = all(held[path].lease is None for path in paths)
        return "hand-written" if by_hand else "nobody claims it: the next pass takes it up or clears it"
