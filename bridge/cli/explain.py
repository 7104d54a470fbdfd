"""Say why one service is published, or is not: each question that was asked on the way, each container, label and
setting, and the keys that come of it.

Nothing is decided for this: it shows what was decided for the source as it stands. With --store it knows what is
drained, and who was there first of services that ask for the same requests. Without, their names decide, and that is
said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from bridge import config as options
from bridge.cli.naming import means, service_title
from bridge.cli.reading import World, read_world
from bridge.cli.render import say, say_json, warn
from bridge.cli.seen import look
from bridge.cli.undrained import REMEDY, WHY, undrained
from bridge.cli.wiring import drains_in_store, sites
from bridge.config import Config, Output
from bridge.model.problem import Problem, UsageError
from bridge.model.route import Gate
from bridge.ownership.drains import Drains
from bridge.stores.base import StoreError
from bridge.views.explained import (
    Explained,
    Laid,
    Stands,
    explained,
    explained_json,
    key_rows,
    label_value,
    stands,
    summary,
)
from bridge.views.words import cut, number, safe, suggestion

CLOSE = 3  # names that are told where there is no such service


def run(config: Config, title: str) -> int:
    """The exit code. Raises BridgeError."""
    drains = _drains(config)
    world = read_world(config, drains)
    wanted = service_title(title)
    world = replace(world, problems=(*world.problems, *_by_hand(config, drains, wanted)))
    found = [one for one in _explained(world, config.get(options.CLUSTER)) if one.service.title == wanted]
    if not found:
        raise UsageError("service", title, _none(wanted, world))
    if config.get(options.OUTPUT) is Output.JSON:
        say_json({"services": [explained_json(one) for one in found]})
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


def _explained(world: World, cluster: str) -> Iterator[Explained]:
    laid = [Laid(site.layout, site.tree, wishes) for site, wishes in world.laid]
    return explained(world.snapshot, world.verdicts, world.problems, laid, cluster, world.undecided)


def _none(wanted: str, world: World) -> str:
    titles = sorted({service.title for service in world.snapshot.services})
    same = [title for title in titles if title.partition("/")[2] == wanted.rpartition("/")[2]]
    close = list(dict.fromkeys([*same, *get_close_matches(wanted, titles, CLOSE, 0.5)]))[:CLOSE]
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"is none of the {number(len(titles), 'service')} that the source has{hint}"


# What is printed.


def _lines(one: Explained) -> Iterator[str]:
    """The first screen says why; what comes of it stands below."""
    yield f"{safe(one.service.title)}  {safe(cut(summary(one)))}"
    if one.verdict:
        yield from _part("gates", ((_passed(gate), gate.name, cut(gate.why)) for gate in one.verdict.gates))
    yield from _part("containers", map(_container, stands(one)))
    yield from _part("problems", map(_problem, one.problems))
    labels = ((said.fate.value, said.name, cut(label_value(said)), cut(said.why)) for said in one.labels)
    yield from _part("labels", labels)
    if one.verdict:
        settings = ((setting.name, cut(setting.value), setting.origin) for setting in one.verdict.settings)
        yield from _part("settings", settings)
    for tree in one.trees:
        yield from _part(f"keys below {tree.prefix}", ((path, cut(text), why) for path, text, why in key_rows(tree)))


def _passed(gate: Gate) -> str:
    return "open" if gate.passed else "CLOSED" if gate.closes else "EMPTY"


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
