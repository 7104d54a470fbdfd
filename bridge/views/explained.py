"""Why each service is published, or is not: from what was decided, the keys, and what became of labels and containers.

Nothing is decided for this. `bridge explain` and the status page print it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.labels.fates import Said, fates
from bridge.layouts import RouteLayout
from bridge.model.keys import Role, Wish
from bridge.model.problem import Problem
from bridge.model.route import Gate, Server, Verdict
from bridge.model.world import Container, Service, Snapshot, is_ours
from bridge.ownership.quarrels import HIDDEN
from bridge.routes.aliases import by_title
from bridge.views.words import Json, number, problems_json, shown

_LAYER4 = ("tcp/", "udp/")
BY_NAME = "decided by name: only the store knows who was there first; give --store"


@dataclass(frozen=True, slots=True)
class Stands:
    """One container, or one external address, and what becomes of it."""

    name: str  # the container's, or the address
    container: Container | None  # None: an external address
    urls: tuple[str, ...]  # a server in each backend of the route
    why: str  # it has none, or another one than the rest; empty where there is nothing to say


@dataclass(frozen=True, slots=True)
class Laid:
    """What is published in one layout."""

    layout: RouteLayout
    tree: str  # how its keys begin
    wishes: Mapping[str, Wish]  # by group


@dataclass(frozen=True, slots=True)
class Tree:
    """The keys of one service in one layout."""

    layout: RouteLayout
    prefix: str  # how they begin
    keys: Mapping[str, str]  # path: value; none where the layout writes none of it, and a problem says why
    is_alone: bool  # nobody else asks for any of them
    verdict: Verdict | None
    cluster: str

    def origins(self) -> dict[str, str]:
        """What asked for a key, by path; where nothing is told the layout did."""
        verdict, found = self.verdict, dict[str, str]()
        if verdict and verdict.native:
            found.update(self.layout.natives((verdict.native,), self.cluster).origins)
        if verdict and verdict.route and self.is_alone:
            found.update({entry.path: entry.origin for entry in self.layout.entries(verdict.route, self.cluster)})
        return found


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


def is_labelled(service: Service) -> bool:
    """Whether it says anything to the bridge, and so has a verdict."""
    return any(map(is_ours, service.labels))


def explained(
    snapshot: Snapshot,
    verdicts: Iterable[Verdict],
    problems: Iterable[Problem],
    laid: Sequence[Laid],
    cluster: str,
    undecided: frozenset[str] = frozenset(),
) -> Iterator[Explained]:
    """All services; linked environments may bring several of one name.

    `verdicts`: of this snapshot. `problems`: of all. `undecided`: stack/service of those whose names decide in a
    contest, since no store was asked.
    """
    left: dict[str, list[Verdict]] = {}
    of_verdicts: set[Problem] = set()
    for judged in verdicts:
        left.setdefault(judged.service, []).append(judged)
        of_verdicts.update(judged.problems)
    of_all: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem not in of_verdicts:
            of_all.setdefault(problem.service, []).append(problem)
    asked = [(one, _by_asker(one.wishes.values())) for one in laid]
    known = by_title(snapshot.services)
    for service in snapshot.services:
        its = left.get(service.title)
        verdict = its.pop(0) if its and is_labelled(service) else None
        said = (*of_all.get(service.title, ()), *(verdict.problems if verdict else ()))
        yield Explained(
            service=service,
            verdict=verdict,
            problems=in_order(said),
            trees=tuple(_tree(one, wishes, verdict, cluster) for one, wishes in asked),
            containers=tuple(_containers(service, verdict, known)),
            undecided=service.title in undecided,
        )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, notices last."""
    return tuple(sorted(set(problems), key=lambda one: (one.notice, one)))


def _by_asker(wishes: Iterable[Wish]) -> dict[str, list[Wish]]:
    found: dict[str, list[Wish]] = {}
    for wish in wishes:
        for title in wish.holders or (wish.title,):
            found.setdefault(title, []).append(wish)
    return found


def _tree(laid: Laid, wishes: Mapping[str, list[Wish]], verdict: Verdict | None, cluster: str) -> Tree:
    its = wishes.get(verdict.service, []) if verdict and (verdict.route or verdict.native) else []
    keys = {path: value for one in its for path, value in (*one.shared.items(), *one.own.items())}
    return Tree(laid.layout, laid.tree, keys, any(not one.holders for one in its), verdict, cluster)


def _containers(service: Service, verdict: Verdict | None, known: Mapping[str, Service]) -> Iterator[Container]:
    """By service, then by name."""
    of = [known[title] for title in verdict.stands_for] if verdict and verdict.stands_for else [service]
    for one in of:
        yield from sorted(one.containers, key=lambda container: (container.name, container.uuid))


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


# What is told of it.


def summary(one: Explained) -> str:
    """The answer in one line."""
    if one.verdict is None:
        return "not published: it has no label that begins with traefik."
    guess = f" ({BY_NAME})" if one.undecided else ""
    if one.closed:
        return f"not published: {one.closed.why}{guess}"
    if not any(tree.keys for tree in one.trees):
        alone = one.verdict.native and not one.verdict.route
        if alone and one.verdict.native and one.verdict.native.withheld:
            return f"not published: {one.verdict.native.withheld}"
        if alone and not any(tree.layout.speaks_native for tree in one.trees):
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
    places = (tree.layout.place(path) for path in tree.keys if not path.startswith(but))
    return any(place and place.role is Role.OPENS for place in places)


def key_rows(tree: Tree) -> Iterator[tuple[str, str, str]]:
    """Path, value as it is shown, and what asked for it."""
    origins = tree.origins()
    for path, value in sorted(tree.keys.items()):
        yield path, shown(tree.layout, path, value), origins.get(path, "layout")


def label_value(said: Said) -> str:
    """As reports show it."""
    return HIDDEN if said.value is None else said.value


def explained_json(one: Explained) -> dict[str, Json]:
    """What `explain --output json` prints of it."""
    verdict = one.verdict
    return {
        "service": one.service.title,
        "uuid": one.service.uuid,
        "kind": one.service.kind,
        "published": any(tree.keys for tree in one.trees),
        "summary": summary(one),
        "gates": [
            {"name": gate.name, "passed": gate.passed, "closes": gate.closes, "why": gate.why}
            for gate in (verdict.gates if verdict else ())
        ],
        "labels": [
            {"name": said.name, "value": label_value(said), "fate": said.fate.value, "why": said.why}
            for said in one.labels
        ],
        "settings": [
            {"name": setting.name, "value": setting.value, "origin": setting.origin}
            for setting in (verdict.settings if verdict else ())
        ],
        "problems": problems_json(one.problems),
        "containers": containers_json(one),
        "keys": [
            {"layout": tree.layout.name, "key": tree.prefix + path, "value": text, "origin": why}
            for tree in one.trees
            for path, text, why in key_rows(tree)
        ],
    }


def containers_json(one: Explained) -> list[Json]:
    """Each container and each external address, with what becomes of it."""
    return list(map(_container_json, stands(one)))


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
