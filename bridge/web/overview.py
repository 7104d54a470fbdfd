"""All that the page and /api/ tell, as one value each: nothing is said in one that the other has not."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bridge.daemon.notes import KINDS
from bridge.daemon.status import Result, Status, Sync, Trouble
from bridge.model.problem import Problem
from bridge.ownership.records import Presence
from bridge.views.clusters import Row
from bridge.views.explained import Explained, explained_json, in_order, is_labelled
from bridge.views.words import Json, problems_json, safe
from bridge.web.board import Board
from bridge.web.health import health, readiness
from bridge.web.view import Viewer

MOST_ROUTES = 200  # rows of the table; a search finds the others
MOST_PROBLEMS = 200
MOST_SYNCS = 30  # that are told with what they changed
MOST_HELD = 30  # services that are named of those whose removal waits


class Pages:
    """What is asked of a board."""

    def __init__(self, board: Board) -> None:
        self._board, self.version = board, board.version
        self._viewers = tuple(map(Viewer, board.publishers))

    def overview(self, search: str = "") -> dict[str, Json]:
        """Everything, or what holds `search`: its words in any order, in any case."""
        statuses = [viewer.publishes.status for viewer in self._viewers]
        views = [viewer.view(status) for viewer, status in zip(self._viewers, statuses, strict=True)]
        words = search.lower().split()
        services = sorted({safe(one.service.title) for view in views for one in view.explained})
        routes = [row for view in views for row in view.routes]
        labelled = {safe(str(row["service"])) for row in routes}
        bare = [title for title in services if title not in labelled]
        routes = _holding(sorted(routes, key=lambda row: (str(row["service"]), str(row["layout"]))), words)
        problems = _holding(_problems(statuses), words)
        wrong = sum(not one["notice"] for one in problems)
        return {
            "version": self.version,
            "at": time.time(),
            "search": search,
            "publishers": [
                _publisher(status, view.clusters, reasons)
                for status, view, reasons in zip(statuses, views, self._reasons(), strict=True)
            ],
            "routes": routes[:MOST_ROUTES],
            "routes_found": len(routes),
            "problems": problems[:MOST_PROBLEMS],
            "problems_found": wrong,
            "notices_found": len(problems) - wrong,
            "unlabelled": [title for title in bare if words and _holds(title, words)][:MOST_ROUTES],
            "unlabelled_found": len([title for title in bare if _holds(title, words)]),
        }

    def _reasons(self) -> Iterator[list[str]]:
        """Why a publisher is not well, or not ready."""
        for ill, unready in zip(health(self._board), readiness(self._board), strict=True):
            yield list(dict.fromkeys((*ill.reasons, *unready.reasons)))

    def service(self, title: str) -> list[dict[str, Json]]:
        """All services of this name, as `safe` writes it, as `explain` tells them; none where there is none."""
        found: list[Explained] = []
        for viewer in self._viewers:
            for one in viewer.view(viewer.publishes.status).explained:
                if safe(one.service.title) == title:
                    _join(found, one)
        return list(map(explained_json, found))

    def elsewhere(self, title: str) -> list[Mapping[str, Json]]:
        """The rows of what only other clusters publish under this name."""
        rows = (row for viewer in self._viewers for row in viewer.view(viewer.publishes.status).routes)
        return [row for row in rows if not row["here"] and safe(str(row["service"])) == title]


def _join(found: list[Explained], one: Explained) -> None:
    """Where another publisher decided the same, one explanation has the keys of both."""
    for at, known in enumerate(found):
        if (
            known.service == one.service
            and known.verdict == one.verdict
            and known.trees[0].prefix != one.trees[0].prefix
        ):
            problems = in_order((*known.problems, *one.problems))
            found[at] = replace(known, trees=(*known.trees, *one.trees), problems=problems)
            return
    found.append(one)


# Search


def _holding(rows: Iterable[Mapping[str, Json]], words: Sequence[str]) -> list[Mapping[str, Json]]:
    return [row for row in rows if not words or _holds(" ".join(_texts(row)), words)]


def _texts(value: Json) -> Iterator[str]:
    """All that is written in it, but for the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, Sequence):
        for one in value:
            yield from _texts(one)


def _holds(text: str, words: Sequence[str]) -> bool:
    lower = text.lower()
    return all(word in lower for word in words)


# One publisher


def _publisher(status: Status, clusters: Sequence[Row], reasons: list[str]) -> Mapping[str, Json]:
    report, verdicts = status.report, status.decided.verdicts if status.decided else ()
    held = sorted({one.service for one in report.left if one.after is None}) if report and report.held else []
    return {
        "cluster": status.cluster,
        "layout": status.layout,
        "replica": status.replica,
        "tree": status.tree,
        "dry_run": status.dry_run,
        "leads": status.leads,
        "leader": report.leader if report else "",
        "ready": not reasons,
        "reasons": list[Json](reasons),
        "read_at": status.read_at,
        "synced_at": status.synced_at,
        "source": _trouble(status.source),
        "store": _trouble(status.store),
        "brake": {
            "shut": status.is_shut,
            "opens_at": status.opens_at,
            "held": report.held if report else 0,
            "servers": report.servers if report else 0,
            "services": list[Json](held[:MOST_HELD]),
        },
        "services": len(status.decided.snapshot.services) if status.decided else 0,
        "labelled": sum(map(is_labelled, status.decided.snapshot.services)) if status.decided else 0,
        "routes": sum(one.route is not None or one.native is not None for one in verdicts),
        "servers": report.servers if report else 0,
        "passes": {one.value: status.counts.passes.get(one, 0) for one in Result},
        "changes": {kind: status.counts.changes.get(kind, 0) for kind in KINDS.values()},
        "conflicts": status.counts.conflicts,
        "errors": {side: status.counts.errors.get(side, 0) for side in ("source", "store")},
        "clusters": list(map(_cluster, clusters)),
        "syncs": [_sync(one) for one in reversed(status.syncs[-MOST_SYNCS:])],
        "hour": [_brief(one) for one in status.syncs],
    }


def _trouble(one: Trouble | None) -> Json:
    return {"why": one.why, "since": one.since} if one else None


def _sync(one: Sync) -> Json:
    return {
        "at": one.at,
        "seconds": one.seconds,
        "result": one.result.value,
        "why": one.why,
        "keys": one.keys,
        "touched": [
            {"service": its.title, "what": its.what, **{kind: its.changes.get(kind, 0) for kind in KINDS.values()}}
            for its in one.touched
        ],
    }


def _brief(one: Sync) -> Json:
    """For plots."""
    return {"at": one.at, "seconds": one.seconds, "keys": one.keys, "failed": one.result is Result.FAILED}


def _cluster(row: Row) -> Json:
    seen: Presence | None = row.presence
    return {
        "cluster": row.cluster,
        "state": row.state.value,
        "leader": row.leader,
        "environment": seen.environment if seen else "",
        "version": seen.version if seen else "",
        "ttl": seen.ttl if seen else None,
        "routes": row.routes,
        "servers": row.servers,
        "problems": problems_json(row.problems),
        "drained": [one.title for one in row.drains.drains],
    }


def _problems(statuses: Sequence[Status]) -> list[Mapping[str, Json]]:
    """Of all publishers, each once, with the layouts that have it; notices last."""
    layouts: dict[Problem, list[Json]] = {}
    for status in statuses:
        for problem in status.report.problems if status.report else ():
            layouts.setdefault(problem, []).append(status.layout)
    rows = [{**one, "layouts": its} for one, its in zip(problems_json(layouts), layouts.values(), strict=True)]
    return sorted(rows, key=lambda row: (bool(row["notice"]), str(row["service"]), str(row["label"])))
