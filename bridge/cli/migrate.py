"""Say what becomes of each route of Traefik 1 in Traefik 3: what both have of it, and what is lost on the way.

Of a source, what its labels ask for; with --store alone, of what stands below Traefik 1's prefix, whoever wrote it.
Reads only. At the end stands what to set in Traefik 3's own configuration. Ends with 4 when something is lost; what is
merely done otherwise is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge import config as options
from bridge.cli.moves import Backend1, Frontend1, Move, Moved, moves, of_tree, of_verdicts
from bridge.cli.reading import read_world
from bridge.cli.render import Json, cut, number, problems_json, safe, say, say_json, shown
from bridge.cli.wiring import Site, opened_store, sites
from bridge.config import Config, Output, Placed
from bridge.layouts import RouteLayout
from bridge.layouts.lint import Grade
from bridge.layouts.traefik1_back import read_back
from bridge.layouts.traefik3_moved import Fields, Router, Service
from bridge.model.problem import Problem, UsageError
from bridge.stores import STORES

LOST = 4  # exit code
THROTTLE = "providers.providersThrottleDuration"
_USUAL = {"traefik1": Placed("traefik1", ""), "traefik3": Placed("traefik3", "v3/traefik")}


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing to set in Traefik 3's own configuration."""

    option: str
    value: str  # empty: what only its operator knows
    why: str


@dataclass(frozen=True, slots=True)
class Migration:
    """All that is told."""

    before: Site
    after: Site
    moves: tuple[Move, ...]
    problems: tuple[Problem, ...]  # of no route
    settings: tuple[Setting, ...]
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
    before, after = sites(config, layouts=[said.get(name, usual) for name, usual in _USUAL.items()])
    cluster, stored = config.get(options.CLUSTER), config.find(options.STORE) is not None
    if config.find(options.SOURCE) is not None:
        tree, broken, candidates = None, 0, of_verdicts(read_world(config).verdicts, cluster)
    elif stored:
        keys = _keys(config, before)
        tree = read_back(keys, cluster)
        broken = _broken(keys, before)
        candidates = of_tree(tree.routes, keys)
    else:
        raise UsageError("migrate", "", f"give {options.SOURCE.flag} or {options.STORE.flag}")
    found = moves(candidates, after.layout, cluster)
    of_all = (problem for move in found for problem in move.problems if not problem.service)
    return Migration(
        before=before,
        after=after,
        moves=tuple(found),
        problems=tuple(sorted({*(tree.problems if tree else ()), *of_all})),
        settings=tuple(_settings(found, [after.store_kind] if stored else list(STORES), after.prefix)),
        notes=(*_files(found), *_notes(tree.certificates if tree else None, broken)),
    )


def _keys(config: Config, site: Site) -> dict[str, str]:
    """What stands below Traefik 1's prefix, by path below it. Raises StoreError."""
    with opened_store(config, site) as store:
        items = store.read(site.tree).items
    return {key.removeprefix(site.tree): item.value for key, item in items.items() if item is not None}


# Traefik 3's own configuration.


def _settings(found: Iterable[Move], kinds: Iterable[str], prefix: str) -> Iterator[Setting]:
    """`kinds`: of stores; several where none is named."""
    routers = [router for move in found for router in move.routers]
    for kind in kinds:
        why = f"where it reads in {kind}; with a slash at an end it finds nothing, and says nothing"
        yield Setting(f"providers.{kind}.rootKey", prefix, why)
    named = Counter((name, router.tls) for router in routers for name in router.entry_points)
    for name, tls in sorted(named):
        why = f"named by {number(named[name, tls], 'router')}{' with TLS' if tls else ''}"
        yield Setting(f"entryPoints.{name}", "", why)
    if count := sum(not router.entry_points for router in routers):
        why = (
            f"{number(count, 'router')} without entry points listen at all that are default, without TLS; where "
            "Traefik 1's default ones speak TLS, name yours with --entry-points"
        )
        yield Setting("entryPoints", "", why)
    for resolver, times in sorted(Counter(router.resolver for router in routers if router.resolver).items()):
        yield Setting(f"certificatesResolvers.{resolver}", "", f"gets the certificates of {number(times, 'router')}")
    why = "its default; a server must live for that and a second more when its key is gone"
    yield Setting(THROTTLE, "2s", why)


def _files(found: Iterable[Move]) -> Iterator[str]:
    """The files that Traefik 3 reads for its routers."""
    chains = (router.middlewares for move in found for router in move.routers)
    fields = (field for chain in chains for middleware in chain for field in middleware.fields)
    named = Counter(value for path, value in fields if path.endswith("/usersFile"))
    for path, times in sorted(named.items()):
        yield f"{safe(path)} must stand where Traefik 3 runs: without it {number(times, 'router')} would answer 404"


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
    yield from (f"  {note}" for note in found.notes)
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
    yield "  Traefik 1"
    if not move.frontends:
        yield "    nothing"
    for frontend in move.frontends:
        yield from _frontend_lines(frontend, found.before.layout)
    for backend in move.backends:
        yield from _backend_lines(backend, found.before.layout)
    yield "  Traefik 3"
    if not move.routers:
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


def _router_lines(router: Router, layout: RouteLayout) -> Iterator[str]:
    yield f"    router {safe(router.name)}"
    yield _row("rule", router.rule)
    yield _row("priority", str(router.priority))
    yield _row("entry points", ", ".join(router.entry_points) or "the default ones")
    tls = f"yes, certificates by {router.resolver}" if router.resolver else "yes" if router.tls else "no"
    yield _row("TLS", tls)
    for middleware in router.middlewares:
        fields = _fields(f"http/middlewares/{middleware.name}/", middleware.fields, layout)
        yield _row("middleware", f"{middleware.name}: {', '.join(fields)}")
    yield _row("service", router.service)


def _service_lines(service: Service, layout: RouteLayout) -> Iterator[str]:
    yield f"    service {safe(service.name)}"
    for field in _fields(f"http/services/{service.name}/", service.fields, layout):
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
        "before": {"layout": found.before.layout.name, "prefix": found.before.tree},
        "after": {"layout": found.after.layout.name, "prefix": found.after.tree},
        "services": [_move_json(move, found) for move in found.moves],
        "summary": {moved.value: counts[moved] for moved in Moved},
        "problems": problems_json(found.problems),
        "settings": [{"option": one.option, "value": one.value, "why": one.why} for one in found.settings],
        "notes": list(found.notes),
    }


def _move_json(move: Move, found: Migration) -> Json:
    before, after = found.before.layout, found.after.layout
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
        "routers": [_router_json(one, after) for one in move.routers],
        "services": [
            {
                "name": one.name,
                "settings": _fields_json(f"http/services/{one.name}/", one.fields, after),
                "servers": [{"url": url, "weight": str(weight)} for url, weight in one.servers],
            }
            for one in move.services
        ],
        "problems": problems_json(one for one in move.problems if one.service),
    }


def _router_json(router: Router, layout: RouteLayout) -> Json:
    return {
        "name": router.name,
        "rule": router.rule,
        "priority": router.priority,
        "entry_points": list(router.entry_points),
        "tls": router.tls,
        "cert_resolver": router.resolver,
        "middlewares": [
            {"name": one.name, "settings": _fields_json(f"http/middlewares/{one.name}/", one.fields, layout)}
            for one in router.middlewares
        ],
        "service": router.service,
    }


def _fields_json(base: str, fields: Sequence[tuple[str, str]], layout: RouteLayout) -> Json:
    return [{"key": path, "value": shown(layout, base + path, value)} for path, value in fields]
