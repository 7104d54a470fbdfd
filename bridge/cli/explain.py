"""Say why one service is published, or is not: each question that was asked on the way, each label, setting and
container, and the keys that come of it.

Nothing is decided for this: it shows what was decided for the source as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bridge import config as options
from bridge.cli.reading import World, is_labelled, read_world, shows
from bridge.cli.render import HIDDEN, Json, cut, number, problems_json, safe, say, say_json, shown
from bridge.cli.wiring import LAYOUT, policy, tree_prefix
from bridge.config import Config, Output
from bridge.labels.lookup import meant, spot
from bridge.layouts import layout
from bridge.model.keys import Entry
from bridge.model.problem import Problem, UsageError
from bridge.model.route import Gate, Server, Verdict
from bridge.model.world import Container, Service

CLOSE = 3  # names that are told where there is no such service


@dataclass(frozen=True, slots=True)
class Said:
    """One of its labels, and what became of it."""

    name: str
    value: str  # HIDDEN where it may let somebody in
    fate: str  # used, not used, refused, ignored, unknown
    why: str


@dataclass(frozen=True, slots=True)
class Stands:
    """One of its containers, and what becomes of it."""

    container: Container
    urls: tuple[str, ...]  # a server in each backend of the route
    why: str  # it has none


@dataclass(frozen=True, slots=True)
class Explained:
    """All of one service."""

    service: Service
    verdict: Verdict | None  # None: it says nothing to the bridge
    problems: tuple[Problem, ...]
    entries: tuple[Entry, ...]

    @property
    def closed(self) -> Gate | None:
        """The gate that closed; None where all are open."""
        return next((gate for gate in self.verdict.gates if not gate.passed), None) if self.verdict else None


def run(config: Config, title: str) -> int:
    """The exit code. Raises BridgeError."""
    world = read_world(config)
    wanted = title.strip("/").lower()  # names are in lower case
    services = [service for service in world.snapshot.services if service.title == wanted]
    if not services:
        raise UsageError("service", title, _none(wanted, world))
    cluster, chosen = policy(config).cluster, layout(LAYOUT)
    verdicts = iter([verdict for verdict in world.verdicts if verdict.service == wanted])
    problems = tuple(problem for problem in world.problems if problem.service == wanted)
    found = []
    for service in services:
        verdict = next(verdicts, None) if is_labelled(service) else None
        try:
            entries = chosen.entries(verdict.route, cluster) if verdict and verdict.route else ()
        except ValueError:  # the layout writes no key of it: a problem says why
            entries = ()
        found.append(Explained(service, verdict, problems, entries))
    tree = tree_prefix(chosen, config.find(options.STORE))
    if config.get(options.OUTPUT) is Output.JSON:
        say_json({"services": [_json(one, tree) for one in found]})
    else:
        say(line for one in found for line in _lines(one, tree))
    return 0


def _none(wanted: str, world: World) -> str:
    titles = sorted({service.title for service in world.snapshot.services})
    same = [title for title in titles if title.partition("/")[2] == wanted.rpartition("/")[2]]
    close = list(dict.fromkeys([*same, *get_close_matches(wanted, titles, CLOSE, 0.5)]))[:CLOSE]
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"is none of the {number(len(titles), 'service')} that the source has{hint}"


# What became of its labels and containers, as the verdict has it.


def labels_of(one: Explained) -> Iterator[Said]:
    """Each label of the service, by name."""
    origins = [setting.origin for setting in one.verdict.settings] if one.verdict else []
    used = {name for origin in origins for name in (origin, *origin.split(","))}  # one setting may be of several
    problems: dict[str, list[Problem]] = {}
    for problem in one.problems:
        problems.setdefault(problem.label, []).append(problem)
    for name, text in sorted(one.service.labels.items()):
        value = text if shows(name, text) else HIDDEN
        its = problems.get(name, [])
        if its:
            fate = "unknown" if spot(name) is None else "ignored" if all(each.notice for each in its) else "refused"
            yield Said(name, value, fate, "; ".join(f"{each.reason}; {each.did}" for each in its))
        elif name in used:
            yield Said(name, value, "used", "")
        elif spot(name) is None:
            near = meant(name)
            yield Said(name, value, "unknown", f"did you mean {near}?" if near else "")
        else:
            yield Said(name, value, "not used", "not asked for" if one.closed else "")


def containers_of(one: Explained) -> Iterator[Stands]:
    """Each container of the service, by name."""
    backends = one.verdict.route.backends if one.verdict and one.verdict.route else ()
    for container in sorted(one.service.containers, key=lambda each: (each.name, each.uuid)):
        servers = [server for each in backends for server in each.servers if server.identity == container.uuid]
        retires = any(container.uuid in each.retiring for each in backends)
        yield Stands(container, tuple(map(_url, servers)), "" if servers else _why_not(one, container, retires))


def _why_not(one: Explained, container: Container, retires: bool) -> str:
    told = [problem.reason for problem in one.problems if f"container {container.name}:" in problem.reason]
    if told or one.closed or not one.verdict:
        return told[0] if told else "no route"
    return "it shall get nothing" if retires else "no server"


def _url(server: Server) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{server.scheme}://{host}:{server.port} weight {server.weight}"


def _shown(entry: Entry) -> str:
    return shown(layout(LAYOUT), entry.path, entry.value)


# What is printed.


def _summary(one: Explained) -> str:
    if one.verdict is None:
        return "not published: it has no label that begins with traefik."
    if one.closed:
        return f"not published: {one.closed.why}"
    if not one.entries:
        return "not published: no key of it may be written"
    servers = sum(len(backend.servers) for backend in one.verdict.route.backends) if one.verdict.route else 0
    return f"published, with {number(servers, 'server')}"


def _lines(one: Explained, tree: str) -> Iterator[str]:
    yield f"{safe(one.service.title)}  {safe(cut(_summary(one)))}"
    if one.verdict:
        yield from _part("gates", ((_passed(gate), gate.name, cut(gate.why)) for gate in one.verdict.gates))
    yield from _part("labels", ((said.fate, said.name, cut(said.value), said.why) for said in labels_of(one)))
    if one.verdict:
        settings = ((setting.name, cut(setting.value), setting.origin) for setting in one.verdict.settings)
        yield from _part("settings", settings)
    yield from _part("problems", (_problem(problem) for problem in one.problems))
    containers = containers_of(one)
    yield from _part("containers", (_container(stands) for stands in containers))
    yield from _part(f"keys below {tree}", ((entry.path, cut(_shown(entry)), entry.origin) for entry in one.entries))


def _passed(gate: Gate) -> str:
    return "open" if gate.passed else "CLOSED"


def _problem(problem: Problem) -> tuple[str, ...]:
    what = "notice" if problem.notice else "problem"
    return what, problem.label, f"{cut(problem.reason)}; {problem.did}"


def _container(stands: Stands) -> tuple[str, ...]:
    container = stands.container
    health = container.health_state or "no health check"
    outcome = ", ".join(stands.urls) or cut(stands.why)
    return container.name or container.uuid, container.state or "no state", health, container.address, outcome


def _part(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A heading and columns; nothing where there are no rows."""
    cells = [[safe(cell) for cell in row] for row in rows]
    if not cells:
        return
    yield f"  {safe(title)}"
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        filled = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True) if width)
        yield f"    {'  '.join(filled)}".rstrip()


def _json(one: Explained, tree: str) -> Mapping[str, Json]:
    verdict = one.verdict
    return {
        "service": one.service.title,
        "uuid": one.service.uuid,
        "kind": one.service.kind,
        "published": bool(one.entries),
        "summary": _summary(one),
        "gates": [
            {"name": gate.name, "passed": gate.passed, "why": gate.why} for gate in (verdict.gates if verdict else ())
        ],
        "labels": [
            {"name": said.name, "value": said.value, "fate": said.fate, "why": said.why} for said in labels_of(one)
        ],
        "settings": [
            {"name": setting.name, "value": setting.value, "origin": setting.origin}
            for setting in (verdict.settings if verdict else ())
        ],
        "problems": problems_json(one.problems),
        "containers": [
            {
                "name": stands.container.name,
                "uuid": stands.container.uuid,
                "state": stands.container.state,
                "health": stands.container.health_state,
                "address": stands.container.address,
                "servers": list(stands.urls),
                "why": stands.why,
            }
            for stands in containers_of(one)
        ],
        "keys": [{"key": tree + entry.path, "value": _shown(entry), "origin": entry.origin} for entry in one.entries],
    }
