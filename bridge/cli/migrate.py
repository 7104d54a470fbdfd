"""Say what becomes of each route of Traefik 1 and 2 in Traefik 3: what both have of it, and what is lost on the way.

Of a source, what its labels ask for, those of Traefik 2's Rancher provider too; with --store alone, of what stands
below Traefik 1's prefix, whoever wrote it. Reads only. At the end stands what to set in Traefik 3's own configuration,
what to take away from it, and what was published without being asked for. Ends with 4 when something is lost; what is
merely done otherwise is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from bridge import config as options
from bridge.cli.move_settings import Setting, enabled_alone, files, native_notes, removed, settings
from bridge.cli.moves import Backend1, Frontend1, Move, Moved, moves, of_tree, of_verdicts
from bridge.cli.native_moves import Router2
from bridge.cli.reading import World, read_world
from bridge.cli.render import say, say_json
from bridge.cli.wiring import Site, claimed_there, opened_store, policy, sites, standing_in_store
from bridge.config import Config, Output, Placed
from bridge.labels import table
from bridge.layouts import RouteLayout, layout
from bridge.layouts.lint import Grade
from bridge.layouts.traefik1_back import read_back
from bridge.layouts.traefik3_moved import Fields, Router, Service
from bridge.model.problem import Problem, UsageError
from bridge.routes import judge_all
from bridge.stores import STORES
from bridge.views.explained import is_labelled
from bridge.views.words import Json, cut, number, problems_json, safe, shown

LOST = 4  # exit code
_USUAL = {"traefik1": Placed("traefik1", ""), "traefik3": Placed("traefik3", "v3/traefik")}


@dataclass(frozen=True, slots=True)
class Exposed:
    """Services without traefik.enable, which Traefik 2 published by default."""

    said: bool  # --expose-by-default is
    only: tuple[str, ...]  # stack/service of those that it alone would publish
    bare: tuple[str, ...]  # of those with a published port that nothing publishes


@dataclass(frozen=True, slots=True)
class Migration:
    """All that is told."""

    old_layout: RouteLayout  # Traefik 1's
    old_tree: str  # how its keys begin; empty where it has none
    after: Site
    moves: tuple[Move, ...]
    problems: tuple[Problem, ...]  # of no route
    settings: tuple[Setting, ...]
    removed: tuple[Setting, ...]
    exposed: Exposed | None  # None: nothing was Traefik 2's
    notes: tuple[str, ...]


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    found = _migration(config)
    if config.get(options.OUTPUT) is Output.JSON:
        say_json(_json(found))
    else:
        say(_lines(found))
    problems = (*found.problems, *(problem for move in found.moves for problem in move.problems))
    return LOST if any(not problem.notice for problem in problems) else 0


def _migration(config: Config) -> Migration:
    said = {one.layout: one for one in config.get(options.LAYOUT)}
    cluster, address = config.get(options.CLUSTER), config.find(options.STORE)
    if config.find(options.SOURCE) is not None:
        alone = [said["traefik3"]] if said.keys() == {"traefik3"} else ()
        *before, after = sites(config, layouts=alone or [said.get(name, usual) for name, usual in _USUAL.items()])
        world = read_world(config)
        judged = zip(filter(is_labelled, world.snapshot.services), world.verdicts, strict=True)
        claimed = claimed_there(standing_in_store(config, after), world.snapshot.environment, cluster)
        found = moves(of_verdicts(judged, cluster), after.layout, cluster, claimed)
        native = any(move.native for move in found)
        tree, broken, exposed = None, 0, _exposed(config, world) if native else None
        told = enabled_alone(world) if native else ()
    elif address:
        *before, after = sites(config, layouts=[said.get(name, usual) for name, usual in _USUAL.items()])
        keys = _keys(config, before[0])
        tree, exposed, told = read_back(keys, cluster), None, ()
        broken = _broken(keys, before[0])
        found = moves(of_tree(tree.routes, keys), after.layout, cluster)
    else:
        raise UsageError("migrate", "", f"give {options.SOURCE.flag} or {options.STORE.flag}")
    of_all = (problem for move in found for problem in move.problems if not problem.service)
    stores = {address.kind: address} if address else dict.fromkeys(STORES)
    older = any(not move.native or move.frontends for move in found)
    return Migration(
        old_layout=before[0].layout if before else layout("traefik1"),
        old_tree=before[0].tree if before else "",
        after=after,
        moves=tuple(found),
        problems=tuple(sorted({*(tree.problems if tree else ()), *of_all})),
        settings=tuple(settings(found, stores, after.prefix)),
        removed=tuple(removed(found)),
        exposed=exposed,
        notes=(
            *files(found),
            *native_notes(found),
            *told,
            *(_notes(tree.certificates if tree else None, broken) if older or not found else ()),
        ),
    )


def _exposed(config: Config, world: World) -> Exposed:
    """Traefik 2 published by default what nobody asked for, as far as its constraints went."""
    its = policy(config)
    asking = {one.service for one in world.verdicts if one.route or one.native}
    exposed = judge_all(world.snapshot, replace(its, expose=True))
    only = {one.service for one in exposed if one.route or one.native} - asking
    bare = {
        one.title
        for one in world.snapshot.services
        if one.ports and not one.labels.get(table.ENABLE.name) and its.closing(one.named, one.labels) is None
    }
    return Exposed(its.expose, tuple(sorted(only)), tuple(sorted(bare - only - asking)))


def _keys(config: Config, site: Site) -> dict[str, str]:
    """What stands below Traefik 1's prefix, by path below it. Raises StoreError."""
    with opened_store(config, site) as store:
        items = store.read(site.tree).items
    return {key.removeprefix(site.tree): item.value for key, item in items.items() if item is not None}


def _broken(keys: Mapping[str, str], site: Site) -> int:
    """How many of them Traefik 1 itself cannot use."""
    whole = {site.tree + path: value for path, value in keys.items()}
    grades = (finding.flaw.grade for finding in site.layout.lint(whole, {}, site.tree, site.store_kind))
    return sum(grade in (Grade.DEAD, Grade.FROZEN, Grade.LOST) for grade in grades)


def _notes(certificates: int | None, broken: int) -> Iterator[str]:
    """`certificates`: how many stand below Traefik 1's tls/; None: nobody looked."""
    if broken:
        faults = number(broken, "fault")
        yield f"Traefik 1 itself loses routes by {faults} in its keys: bridge check {options.STORE.flag} names them"
    if certificates != 0:
        what = "certificates" if certificates is None else number(certificates, "certificate")
        yield (
            f"{what} that Traefik 1 reads below its tls/ will not be in Traefik 3: give it them in a file, or by a "
            "certificate resolver"
        )
    yield "unknown hosts, which the bridge's backstop answers with 503 in Traefik 1, get 404 from Traefik 3"


# What is printed.


def _lines(found: Migration) -> Iterator[str]:
    for move in found.moves:
        yield from _move_lines(move, found)
    for problem in found.problems:
        yield from _problem_lines(problem, "")
    yield "Traefik 3's own configuration"
    for setting in found.settings:
        value = f" = {safe(setting.value)}" if setting.value else ""
        yield f"  {safe(setting.option)}{value}  ({safe(setting.why)})"
    for setting in found.removed:
        yield f"  remove {safe(setting.option)}  ({safe(setting.why)})"
    yield from (f"  {note}" for note in found.notes)
    if found.exposed:
        yield from _exposed_lines(found.exposed)
    counts = Counter(move.moved for move in found.moves)
    yield (
        f"{number(len(found.moves), 'service')}: {counts[Moved.WHOLE]} move whole, {counts[Moved.LOSSES]} with losses, "
        f"{counts[Moved.MISSING]} not at all"
    )
    if missing := [move.title for move in found.moves if move.moved is Moved.MISSING]:
        yield f"MISSING in Traefik 3: {safe(', '.join(missing))}"


def _move_lines(move: Move, found: Migration) -> Iterator[str]:
    told = {Moved.WHOLE: "moves whole", Moved.LOSSES: "moves with losses", Moved.MISSING: "DOES NOT MOVE"}
    yield f"{safe(move.title)}  {told[move.moved]}"
    if move.frontends or not move.native:
        yield "  Traefik 1"
    if not move.frontends and not move.native:
        yield "    nothing"
    for frontend in move.frontends:
        yield from _frontend_lines(frontend, found.old_layout)
    for backend in move.backends:
        yield from _backend_lines(backend, found.old_layout)
    if move.native:
        yield "  Traefik 2"
    if move.native and not move.old_routers:
        yield "    nothing"
    for old in move.old_routers:
        yield from _router2_lines(old)
    yield "  Traefik 3"
    if not move.routers and move.moved is Moved.MISSING:
        yield "    NOTHING: the whole route is missing"
    for router in move.routers:
        yield from _router_lines(router, found.after.layout)
    for service in move.services:
        yield from _service_lines(service, found.after.layout)
    for problem in sorted((one for one in move.problems if one.service), key=lambda one: (one.notice, one)):
        yield from _problem_lines(problem, "  ")


def _row(name: str, value: str, depth: int = 3) -> str:
    return f"{'  ' * depth}{name:<13} {safe(cut(value))}".rstrip()


def _frontend_lines(frontend: Frontend1, layout: RouteLayout) -> Iterator[str]:
    yield f"    frontend {safe(frontend.name)}"
    yield _row("rule", frontend.rule)
    yield _row("priority", f"{frontend.priority}{', the length of its rule' if frontend.by_length else ''}")
    yield _row("entry points", ", ".join(frontend.entry_points) or "the default ones")
    for name, fields in (("protected by", frontend.protects), ("asks for", frontend.more)):
        for field in _fields(f"frontends/{frontend.name}/", fields, layout):
            yield _row(name, field)
    yield _row("backend", frontend.backend)


def _backend_lines(backend: Backend1, layout: RouteLayout) -> Iterator[str]:
    yield f"    backend {safe(backend.name)}"
    for field in _fields(f"backends/{backend.name}/", backend.fields, layout):
        yield _row("asks for", field)
    for url, weight in _servers(backend, layout):
        yield _row("server", f"{url} weight {weight}")


def _servers(backend: Backend1, layout: RouteLayout) -> Iterator[tuple[str, str]]:
    """A server's url may name a user."""
    for url, weight in backend.servers:
        yield shown(layout, f"backends/{backend.name}/servers/s/url", url), weight


def _protocol(name: str) -> str:
    return "" if name == "http" else f"{name} "


def _priority_lines(protocol: str, priority: int, *, by_length: bool = False) -> Iterator[str]:
    """UDP has none."""
    if protocol == "tcp" and not priority:
        yield _row("priority", "behind all others")
    elif protocol != "udp":
        yield _row("priority", f"{priority}{', the length of its rule' if by_length else ''}")


def _router2_lines(router: Router2) -> Iterator[str]:
    yield f"    {_protocol(router.protocol)}router {safe(router.name)}"
    yield _row("rule", f"{router.rule or 'none'}{', the default one' if router.by_default else ''}")
    yield from _priority_lines(router.protocol, router.priority, by_length=router.by_length)
    yield _row("entry points", ", ".join(router.entry_points) or "the default ones")
    if router.middlewares:
        yield _row("middlewares", ", ".join(router.middlewares))
    yield _row("service", router.service or "the only one")


def _exposed_lines(exposed: Exposed) -> Iterator[str]:
    yield (
        "Traefik 2's providers.rancher.exposedByDefault was true unless you said otherwise: it published services "
        f"without traefik.enable. {options.EXPOSE.flag} is {'said' if exposed.said else 'off'} here"
    )
    if exposed.only:
        yield f"  published only with {options.EXPOSE.flag}: {safe(', '.join(exposed.only))}"
    if exposed.bare:
        yield f"  published by nothing here: {safe(', '.join(exposed.bare))}"


def _router_lines(router: Router, layout: RouteLayout) -> Iterator[str]:
    yield f"    {_protocol(router.protocol)}router {safe(router.name)}"
    yield _row("rule", router.rule or "none")
    yield from _priority_lines(router.protocol, router.priority)
    yield _row("entry points", ", ".join(router.entry_points) or "the default ones")
    if router.protocol != "udp":
        tls = f"yes, certificates by {router.resolver}" if router.resolver else "yes" if router.tls else "no"
        yield _row("TLS", tls)
    for middleware in router.middlewares:
        fields = _fields(f"{router.protocol}/middlewares/{middleware.name}/", middleware.fields, layout)
        yield _row("middleware", f"{middleware.name}: {', '.join(fields)}")
    yield _row("service", router.service)


def _service_lines(service: Service, layout: RouteLayout) -> Iterator[str]:
    yield f"    {_protocol(service.protocol)}service {safe(service.name)}"
    for field in _fields(f"{service.protocol}/services/{service.name}/", service.fields, layout):
        yield _row("asks for", field)
    for url, weight in service.servers:
        yield _row("server", f"{url} weight {weight}")


def _fields(base: str, fields: Fields, layout: RouteLayout) -> Iterator[str]:
    for path, value in fields:
        yield f"{path} = {shown(layout, base + path, value)}"


def _problem_lines(problem: Problem, indent: str) -> Iterator[str]:
    what = " = ".join(filter(None, (safe(problem.label), safe(cut(problem.value))))) or "the route"
    yield f"{indent}{'otherwise' if problem.notice else 'LOST     '}  {what}"
    yield f"{indent}           {safe(cut(problem.reason))}: {safe(problem.did)}"
    if problem.suggestion:
        yield f"{indent}           {safe(problem.suggestion)}"


def _json(found: Migration) -> dict[str, Json]:
    counts = Counter(move.moved for move in found.moves)
    return {
        "before": {"layout": found.old_layout.name, "prefix": found.old_tree},
        "after": {"layout": found.after.layout.name, "prefix": found.after.tree},
        "services": [_move_json(move, found) for move in found.moves],
        "summary": {moved.value: counts[moved] for moved in Moved},
        "problems": problems_json(found.problems),
        "settings": [asdict(one) for one in found.settings],
        "removed": [asdict(one) for one in found.removed],
        "exposed": {"said": found.exposed.said, "only": [*found.exposed.only], "bare": [*found.exposed.bare]}
        if found.exposed
        else None,
        "notes": list(found.notes),
    }


def _move_json(move: Move, found: Migration) -> Json:
    before, after = found.old_layout, found.after.layout
    return {
        "service": move.title,
        "moved": move.moved.value,
        "frontends": [
            {
                "name": one.name,
                "rule": one.rule,
                "priority": one.priority,
                "by_length": one.by_length,
                "entry_points": list(one.entry_points),
                "backend": one.backend,
                "protects": _fields_json(f"frontends/{one.name}/", one.protects, before),
                "more": _fields_json(f"frontends/{one.name}/", one.more, before),
            }
            for one in move.frontends
        ],
        "backends": [
            {
                "name": one.name,
                "settings": _fields_json(f"backends/{one.name}/", one.fields, before),
                "servers": [{"url": url, "weight": weight} for url, weight in _servers(one, before)],
            }
            for one in move.backends
        ],
        "old_routers": [
            {**asdict(one), "entry_points": [*one.entry_points], "middlewares": [*one.middlewares]}
            for one in move.old_routers
        ],
        "routers": [_router_json(one, after) for one in move.routers],
        "services": [
            {
                "name": one.name,
                "protocol": one.protocol,
                "settings": _fields_json(f"{one.protocol}/services/{one.name}/", one.fields, after),
                "servers": [{"url": url, "weight": str(weight)} for url, weight in one.servers],
            }
            for one in move.services
        ],
        "problems": problems_json(one for one in move.problems if one.service),
    }


def _router_json(router: Router, layout: RouteLayout) -> Json:
    below = f"{router.protocol}/middlewares"
    return {
        "name": router.name,
        "protocol": router.protocol,
        "rule": router.rule,
        "priority": router.priority,
        "entry_points": list(router.entry_points),
        "tls": router.tls,
        "cert_resolver": router.resolver,
        "middlewares": [
            {"name": one.name, "settings": _fields_json(f"{below}/{one.name}/", one.fields, layout)}
            for one in router.middlewares
        ],
        "service": router.service,
    }


def _fields_json(base: str, fields: Sequence[tuple[str, str]], layout: RouteLayout) -> Json:
    return [{"key": path, "value": shown(layout, base + path, value)} for path, value in fields]
