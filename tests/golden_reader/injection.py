"""A rule whose text ends its own string and goes on as configuration."""

from __future__ import annotations

import tomllib

from tests.golden_reader.flags import DEFAULT_ENTRY_POINTS
from tests.golden_reader.objects import Backend, Frontend, Route, Server
from tests.golden_reader.text import Freezes

Table = dict[str, "object"]


def injected(rule: str) -> tuple[str, dict[str, Backend], dict[str, Frontend]]:
    """What is left of the rule, and the objects that its text adds. Raises Freezes.

    Only a rule is looked at so: it is the last line of its table, so nothing of the template falls into what it opens.
    Of what an object can hold, servers, reference and rules are read.
    """
    try:
        found: Table = tomllib.loads(f'rule = "{rule}"')
    except tomllib.TOMLDecodeError as err:
        raise Freezes(str(err)) from err
    backends = {name: _backend(_table(value)) for name, value in _table(found.get("backends")).items()}
    frontends = {name: _frontend(_table(value)) for name, value in _table(found.get("frontends")).items()}
    return str(found["rule"]), backends, frontends


def _table(value: object) -> Table:
    return value if isinstance(value, dict) else {}


def _backend(table: Table) -> Backend:
    servers = {name: _table(value) for name, value in _table(table.get("servers")).items()}
    return Backend({name: Server(str(each.get("url", "")), _weight(each)) for name, each in servers.items()})


def _weight(table: Table) -> int:
    weight = table.get("weight")
    return weight if isinstance(weight, int) else 0


def _frontend(table: Table) -> Frontend:
    routes = {name: Route(str(_table(value).get("rule", ""))) for name, value in _table(table.get("routes")).items()}
    return Frontend(DEFAULT_ENTRY_POINTS, str(table.get("backend", "")), routes)
