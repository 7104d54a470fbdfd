"""Say what is wrong: with the labels of a source, with the keys in a store, or with both, as far as they are named.

Of a source, each problem with its label, what the bridge does instead, and how the label is written; compose:DIR reads
a stack's files before anything of it runs. Of a store, each key below Traefik's prefix, whoever wrote it, that makes
its Traefik stop, lose a route or do something else than the key says. Reads only. Ends with 4 when something is
wrong; notices alone are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bridge import config as options
from bridge.cli.reading import Locate, World, read_world
from bridge.cli.render import Level, github_line, say, say_json
from bridge.cli.wiring import Site, opened_store, sites
from bridge.config import Config, Output
from bridge.layouts.lint import Finding, Grade
from bridge.model.change import Item
from bridge.model.problem import Problem, UsageError
from bridge.sources.base import Place
from bridge.stores.base import StoreError
from bridge.views.explained import is_labelled
from bridge.views.words import Json, cut, number, problems_json, safe, suggestion

WRONG = 4  # exit code

LEVELS = {Grade.DEAD: Level.ERROR, Grade.FROZEN: Level.ERROR, Grade.LOST: Level.ERROR}
LEVELS |= {Grade.WRONG: Level.WARNING, Grade.NOTICE: Level.NOTICE}


@dataclass(frozen=True, slots=True)
class Tree:
    """What stands in a store."""

    layout: str  # a layout's name
    prefix: str  # that Traefik reads
    keys: int
    findings: tuple[Finding, ...]


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    named = [option for option in (options.SOURCE, options.STORE) if config.find(option) is not None]
    if not named:
        raise UsageError("check", "", f"give {options.SOURCE.flag}, {options.STORE.flag}, or both")
    world = read_world(config) if options.SOURCE in named else None
    trees: list[Tree] = []
    failure: StoreError | None = None
    try:
        for site in sites(config) if options.STORE in named else ():
            trees.append(read_tree(config, site))
    except StoreError as err:
        if world is None:
            raise
        failure = err  # what is known of the source is told all the same
    match config.get(options.OUTPUT):
        case Output.JSON:
            say_json({**(_world_json(world) if world else {}), **(_trees_json(trees) if trees else {})})
        case Output.GITHUB:
            say([*(_world_github(world) if world else ()), *_trees_github(trees)])
        case Output.TEXT:
            say([*(_world_lines(world) if world else ()), *_trees_lines(trees)])
    if failure:
        raise failure
    problems = world.problems if world else ()
    findings = [finding for tree in trees for finding in tree.findings]
    wrong = any(not one.notice for one in problems) or any(one.flaw.grade is not Grade.NOTICE for one in findings)
    return WRONG if wrong else 0


def read_tree(config: Config, site: Site) -> Tree:
    """What stands below Traefik's prefix, and where a slash in front makes another of it. Raises StoreError."""
    prefix = site.tree
    with opened_store(config, site) as store:
        keys = _values(store.read(prefix.removesuffix("/")).items.items())
        elsewhere = _values(store.read(site.elsewhere).items.items()) if site.elsewhere else {}
    count = sum(key.startswith(prefix) for key in keys)
    return Tree(site.layout.name, prefix, count, site.layout.lint(keys, elsewhere, prefix, site.store_kind))


def _values(items: Iterable[tuple[str, Item | None]]) -> dict[str, str]:
    return {key: item.value for key, item in items if item is not None}


# A source.


def _by_service(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Problems first, then notices."""
    found: dict[str, list[Problem]] = {}
    for problem in sorted(problems, key=lambda one: (one.service, one.notice, one)):
        found.setdefault(problem.service, []).append(problem)
    return found


def _world_lines(world: World) -> Iterator[str]:
    stack = None
    for service, problems in _by_service(world.problems).items():
        of, _, name = service.partition("/")
        if of != stack:
            yield f"stack {safe(of)}" if of else "the source"
            stack = of
        if name:
            yield f"  {safe(name)}"
        for problem in problems:
            yield from _problem_lines(problem, world.locate)
    counts = Counter(problem.notice for problem in world.problems)
    labelled = sum(map(is_labelled, world.snapshot.services))
    published = len(_published(world))
    yield (
        f"{number(len(world.snapshot.services), 'service')}, {labelled} with labels, {published} published: "
        f"{number(counts[False], 'problem')}, {number(counts[True], 'notice')}"
    )


def _published(world: World) -> set[str]:
    """The services of which a layout has any key."""
    wishes = [wish for _, its in world.laid for wish in its.values()]
    return {title for wish in wishes for title in wish.holders or (wish.title,)}


def _problem_lines(problem: Problem, locate: Locate) -> Iterator[str]:
    what = " = ".join(filter(None, (safe(problem.label), safe(cut(problem.value))))) or "the service"
    yield f"    {'notice ' if problem.notice else 'problem'}  {what}"
    yield f"             {safe(cut(problem.reason))}"
    yield f"             instead: {safe(problem.did)}"
    place = locate(problem.service, problem.label)
    if told := _as_written(suggestion(problem), place):
        yield f"             {safe(told)}"
    if place:
        yield f"             {safe(place.file)}, line {place.line}"


def _as_written(told: str, place: Place | None) -> str:
    """What is to be written into a compose file, where a single $ would begin a variable."""
    return told.replace("$", "$$") if place else told


def _world_json(world: World) -> dict[str, Json]:
    return {
        "services": len(world.snapshot.services),
        "labelled": sum(map(is_labelled, world.snapshot.services)),
        "published": len(_published(world)),
        "problems": [
            {**fields, **_place_json(problem, world.locate)}
            for problem, fields in zip(world.problems, problems_json(world.problems), strict=True)
        ],
    }


def _place_json(problem: Problem, locate: Locate) -> dict[str, Json]:
    place = locate(problem.service, problem.label)
    return {"file": place.file if place else None, "line": place.line if place else None}


def _world_github(world: World) -> Iterator[str]:
    for problem in world.problems:
        place = world.locate(problem.service, problem.label)
        told = (problem.reason, problem.did, _as_written(suggestion(problem), place))
        what = " = ".join(filter(None, (problem.label, cut(problem.value))))
        title = ": ".join(filter(None, (problem.service, what)))
        level = Level.NOTICE if problem.notice else Level.ERROR
        yield github_line(level, title, "; ".join(filter(None, told)), place)


# A store.


def _trees_lines(trees: Iterable[Tree]) -> Iterator[str]:
    for tree in trees:
        for finding in tree.findings:
            value = f" = {safe(cut(finding.value))}" if finding.value else ""
            yield f"{LEVELS[finding.flaw.grade].value:<8} {safe(finding.key)}{value}"
            yield f"         {safe(cut(finding.flaw.reason))}"
            yield f"         {safe(finding.flaw.effect)}"
            yield f"         to do: {safe(finding.flaw.remedy)}"
        yield f"{number(tree.keys, 'key')} below {safe(tree.prefix)}: {_tally(tree.findings)}"


def _tally(findings: Sequence[Finding]) -> str:
    counts = Counter(LEVELS[finding.flaw.grade] for finding in findings)
    return ", ".join(number(counts[level], level.value) for level in Level)


def _trees_json(trees: Iterable[Tree]) -> dict[str, Json]:
    return {
        "trees": [{"layout": tree.layout, "prefix": tree.prefix, "keys": tree.keys} for tree in trees],
        "findings": [
            {
                "key": finding.key,
                "value": finding.value,
                "grade": finding.flaw.grade.value,
                "level": LEVELS[finding.flaw.grade].value,
                "reason": finding.flaw.reason,
                "effect": finding.flaw.effect,
                "remedy": finding.flaw.remedy,
            }
            for tree in trees
            for finding in tree.findings
        ],
    }


def _trees_github(trees: Iterable[Tree]) -> Iterator[str]:
    for finding in (finding for tree in trees for finding in tree.findings):
        flaw = finding.flaw
        told = f"{cut(flaw.reason)}; {flaw.effect}; to do: {flaw.remedy}"
        title = " = ".join(filter(None, (finding.key, cut(finding.value))))
        yield github_line(LEVELS[flaw.grade], title, told, None)
