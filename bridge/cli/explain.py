"""Say why one service is published, or is not: each question that was asked on the way, each container, label and
setting, and the keys that come of it.

Nothing is decided for this: it shows what was decided for the source as it stands. With --store it knows what is
drained, and who was there first of services that ask for the same requests. Without, their names decide, and that is
said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from bridge import config as options
from bridge.cli.naming import means, service_title
from bridge.cli.reading import World, is_labelled, read_world
from bridge.cli.render import Json, cut, number, problems_json, safe, say, say_json, shown, suggestion, warn
from bridge.cli.seen import look
from bridge.cli.undrained import REMEDY, WHY, undrained
from bridge.cli.wiring import Site, drains_in_store, sites
from bridge.config import Config, Output
from bridge.labels.fates import Said, fates
from bridge.model.keys import Role
from bridge.model.problem import Problem, UsageError
from bridge.model.route import Gate, Server, Verdict
from bridge.model.world import Container, Service
from bridge.ownership.drains import Drains
from bridge.ownership.quarrels import HIDDEN
from bridge.routes.aliases import by_title
from bridge.stores.base import StoreError

_LAYER4 = ("tcp/", "udp/")
CLOSE = 3  # names that are told where there is no such service
BY_NAME = "decided by name: only the store knows who was there first; give --store"


@dataclass(frozen=True, slots=True)
class Stands:
    """One container, or one external address, and what becomes of it."""

    name: str  # the container's, or the address
    container: Container | None  # None: an external address
    urls: tuple[str, ...]  # a server in each backend of the route
    why: str  # it has none, or another one than the rest; empty where there is nothing to say


@dataclass(frozen=True, slots=True)
class Tree:
    """The keys of one layout."""

    site: Site
    keys: Mapping[str, str]  # path: value; none where the layout writes none of it, and a problem says why
    origins: Mapping[str, str]  # path: what asked for it


@dataclass(frozen=True, slots=True)
class Explained:
    """All of one service."""

    service: Service
    verdict: Verdict | None  # None: it says nothing to the bridge
    problems: tuple[Problem, ...]
    trees: tuple[Tree, ...]  # one a layout
    containers: tuple[Container, ...]  # that its servers are made of: an alias has those of others
    undecided: bool  # its name decides in a contest, since no store was asked

    @property
    def closed(self) -> Gate | None:
        """The gate that closed; None where there is a route."""
        return self.verdict.closed if self.verdict else None

    @property
    def labels(self) -> Iterator[Said]:
        """Each label of the service, by name."""
        return fates(self.service.labels, self.verdict, self.problems)


def run(config: Config, title: str) -> int:
    """The exit code. Raises BridgeError."""
    drains = _drains(config)
    world = read_world(config, drains)
    wanted = service_title(title)
    world = replace(world, problems=(*world.problems, *_by_hand(config, drains, wanted)))
    found = list(_explained(world, wanted, config.get(options.CLUSTER)))
    if not found:
        raise UsageError("service", title, _none(wanted, world))
    if config.get(options.OUTPUT) is Output.JSON:
        say_json({"services": [_json(one) for one in found]})
    else:
        say(line for one in found for line in _lines(one))
    return 0


def _drains(config: Config) -> tuple[Drains, ...]:
    """What is drained for each layout, where a store is named; its being away keeps nobody from an explanation."""
    try:
        return tuple(drains_in_store(config, site) for site in sites(config))
    except StoreError as err:
        warn(f"notice: what is drained is not known: {err}")
        return ()


def _by_hand(config: Config, drains: Sequence[Drains], title: str) -> Iterator[Problem]:
    """The servers of the service that stay although they are drained."""
    for site, its in zip(sites(config), drains, strict=False):
        for key, group in undrained(look(config, site), config.get(options.CLUSTER), its) if its.drains else ():
            if means(title, group):
                yield Problem(title, key, "", WHY, "left it as it is", notice=True, suggestion=REMEDY)


def _explained(world: World, wanted: str, cluster: str) -> Iterator[Explained]:
    """All services of this name: linked environments may bring several."""
    verdicts = [verdict for verdict in world.verdicts if verdict.service == wanted]
    of_verdicts = {problem for verdict in verdicts for problem in verdict.problems}
    of_all = [one for one in world.problems if one.service == wanted and one not in of_verdicts]
    left = iter(verdicts)
    for service in world.snapshot.services:
        if service.title != wanted:
            continue
        verdict = next(left, None) if is_labelled(service) else None
        yield Explained(
            service=service,
            verdict=verdict,
            problems=tuple(
                sorted({*of_all, *(verdict.problems if verdict else ())}, key=lambda one: (one.notice, one))
            ),
            trees=tuple(_trees(world, verdict, cluster)),
            containers=tuple(_containers(service, verdict, world)),
            undecided=wanted in world.undecided,
        )


def _trees(world: World, verdict: Verdict | None, cluster: str) -> Iterator[Tree]:
    for site, wishes in world.laid:
        title = verdict.service if verdict and (verdict.route or verdict.native) else ""
        its = [one for one in wishes.values() if title and title in (one.holders or (one.title,))]
        keys = {path: value for one in its for path, value in (*one.shared.items(), *one.own.items())}
        origins: dict[str, str] = {}
        if verdict and verdict.native:
            origins.update(site.layout.natives((verdict.native,), cluster).origins)
        if verdict and verdict.route and any(not one.holders for one in its):
            origins.update({entry.path: entry.origin for entry in site.layout.entries(verdict.route, cluster)})
        yield Tree(site, keys, origins)


def _containers(service: Service, verdict: Verdict | None, world: World) -> Iterator[Container]:
    """By service, then by name."""
    known = by_title(world.snapshot.services) if verdict and verdict.stands_for else {}
    of = [known[title] for title in verdict.stands_for] if verdict and verdict.stands_for else [service]
    for one in of:
        yield from sorted(one.containers, key=lambda container: (container.name, container.uuid))


def _none(wanted: str, world: World) -> str:
    titles = sorted({service.title for service in world.snapshot.services})
    same = [title for title in titles if title.partition("/")[2] == wanted.rpartition("/")[2]]
    close = list(dict.fromkeys([*same, *get_close_matches(wanted, titles, CLOSE, 0.5)]))[:CLOSE]
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"is none of the {number(len(titles), 'service')} that the source has{hint}"


# What became of its containers and addresses, as the verdict has it.


def stands(one: Explained) -> Iterator[Stands]:
    """Each container behind the service, then each external address."""
    verdict = one.verdict
    servers: dict[str, list[Server]] = {}
    for server in _servers(verdict):
        if server not in servers.setdefault(server.identity, []):
            servers[server.identity].append(server)
    said: dict[str, list[str]] = {}
    for remark in verdict.remarks if verdict else ():
        said.setdefault(remark.identity, []).append(f"{remark.segment}: {remark.why}" if remark.segment else remark.why)
    closed = [f"no route: gate {one.closed.name} is closed"] if one.closed else ["no route"] if not verdict else []
    known = {container.uuid: container for container in one.containers}
    for identity in dict.fromkeys((*known, *servers, *said)):
        container = known.get(identity)
        urls = tuple(_url(server) for server in servers.get(identity, ()))
        why = "; ".join(dict.fromkeys(said.get(identity, closed)))
        yield Stands(container.name or identity if container else identity, container, urls, why)


def _servers(verdict: Verdict | None) -> Iterator[Server]:
    """All that its route leads to, and its labels of Traefik 2 and 3."""
    if verdict and verdict.route:
        yield from (server for backend in verdict.route.backends for server in backend.servers)
    if verdict and verdict.native:
        yield from (server for asked in verdict.native.asked for server in asked.servers)


def _url(server: Server) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{server.scheme}://{host}:{server.port} weight {server.weight}"


# What is printed.


def _summary(one: Explained) -> str:
    if one.verdict is None:
        return "not published: it has no label that begins with traefik."
    guess = f" ({BY_NAME})" if one.undecided else ""
    if one.closed:
        return f"not published: {one.closed.why}{guess}"
    if not any(tree.keys for tree in one.trees):
        alone = one.verdict.native and not one.verdict.route
        if alone and one.verdict.native and one.verdict.native.withheld:
            return f"not published: {one.verdict.native.withheld}"
        if alone and not any(tree.site.layout.speaks_native for tree in one.trees):
            return "not published: its labels speak to Traefik 2 and 3 only"
        return "not published: no key of it may be written"
    if not any(_opens(tree) for tree in one.trees):
        return "published without a router: its own labels lead no request anywhere"
    servers = len(set(_servers(one.verdict)))
    rivals = f", though others ask for the same requests{guess}" if guess else ""
    plain = not any(_opens(tree, but=_LAYER4) for tree in one.trees)
    closed = "what comes for it is dropped" if plain else "it is 503"
    nobody = f"without a server of this cluster: other clusters answer, else {closed}"
    outcome = f"with {number(servers, 'server')}" if servers else nobody
    return f"published, {outcome}{rivals}"


def _opens(tree: Tree, but: tuple[str, ...] = ()) -> bool:
    """Whether any of its keys opens a route; `but`: how the paths begin of those that do not count."""
    places = (tree.site.layout.place(path) for path in tree.keys if not path.startswith(but))
    return any(place and place.role is Role.OPENS for place in places)


def _lines(one: Explained) -> Iterator[str]:
    """The first screen says why; what comes of it stands below."""
    yield f"{safe(one.service.title)}  {safe(cut(_summary(one)))}"
    if one.verdict:
        yield from _part("gates", ((_passed(gate), gate.name, cut(gate.why)) for gate in one.verdict.gates))
    yield from _part("containers", map(_container, stands(one)))
    yield from _part("problems", map(_problem, one.problems))
    labels = ((said.fate.value, said.name, cut(_value(said)), cut(said.why)) for said in one.labels)
    yield from _part("labels", labels)
    if one.verdict:
        settings = ((setting.name, cut(setting.value), setting.origin) for setting in one.verdict.settings)
        yield from _part("settings", settings)
    for tree in one.trees:
        yield from _part(f"keys below {tree.site.tree}", ((path, cut(text), why) for path, text, why in _keys(tree)))


def _keys(tree: Tree) -> Iterator[tuple[str, str, str]]:
    """Path, value as it is shown, and what asked for it."""
    for path, value in sorted(tree.keys.items()):
        yield path, shown(tree.site.layout, path, value), tree.origins.get(path, "layout")


def _passed(gate: Gate) -> str:
    return "open" if gate.passed else "CLOSED" if gate.closes else "EMPTY"


def _value(said: Said) -> str:
    return HIDDEN if said.value is None else said.value


def _problem(problem: Problem) -> tuple[str, ...]:
    told = (cut(problem.reason), problem.did, suggestion(problem))
    return problem.kind, problem.label, "; ".join(filter(None, told))


def _container(one: Stands) -> tuple[str, ...]:
    outcome = "; ".join(filter(None, (*one.urls, cut(one.why)))) or "no server"
    if one.container is None:
        return one.name, "", "external", "", outcome
    health = one.container.health_state or "no health check"
    return one.name, one.container.state or "no state", health, one.container.address, outcome


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


def _json(one: Explained) -> Mapping[str, Json]:
    verdict = one.verdict
    return {
        "service": one.service.title,
        "uuid": one.service.uuid,
        "kind": one.service.kind,
        "published": any(tree.keys for tree in one.trees),
        "summary": _summary(one),
        "gates": [
            {"name": gate.name, "passed": gate.passed, "why": gate.why} for gate in (verdict.gates if verdict else ())
        ],
        "labels": [
            {"name": said.name, "value": _value(said), "fate": said.fate.value, "why": said.why} for said in one.labels
        ],
        "settings": [
            {"name": setting.name, "value": setting.value, "origin": setting.origin}
            for setting in (verdict.settings if verdict else ())
        ],
        "problems": problems_json(one.problems),
        "containers": [_container_json(each) for each in stands(one)],
        "keys": [
            {"key": tree.site.tree + path, "value": text, "origin": why}
            for tree in one.trees
            for path, text, why in _keys(tree)
        ],
    }


def _container_json(one: Stands) -> Json:
    container = one.container
    return {
        "name": one.name,
        "uuid": container.uuid if container else "",
        "state": container.state if container else "",
        "health": container.health_state if container else "",
        "address": container.address if container else one.name,
        "external": container is None,
        "servers": list(one.urls),
        "why": one.why,
    }
