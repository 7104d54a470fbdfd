"""Take the requests from a host, a service or a container of this cluster until undrain; without any, from all of it.

Writes a record, in each layout's place, and no route: the bridge that leads sees it and takes the servers out, at once,
and so does every later bridge and sync, whatever ends and starts again meanwhile. Requests go to other servers; a
service that has none left answers 503. What is drained may be unknown now: the record stays.
"""

from __future__ import annotations

from collections.abc import Iterable

from bridge import config as options
from bridge.cli.draining import Done, Draining, What, asked, say_drained
from bridge.cli.naming import means
from bridge.cli.seen import look
from bridge.cli.undrained import undrained
from bridge.cli.wiring import Site, opened_store, publisher, sites
from bridge.config import Config
from bridge.labels.faults import meant
from bridge.model.drain import Scope
from bridge.model.keys import group_title
from bridge.model.problem import UsageError


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    only_lists = config.get(options.DRAIN_LIST)
    said = next((one.flag for one in options.DRAINED if one.name in config.said), "")
    if only_lists and said:
        raise UsageError(options.DRAIN_LIST.flag, "", f"drains nothing; leave it out, or {said}")
    what = None if only_lists else asked(config)
    return say_drained(config, [_drain(config, site, what) for site in sites(config)])


def _drain(config: Config, site: Site, what: What | None) -> Draining:
    with opened_store(config, site) as store:
        here = Draining(store, publisher(site, config.get(options.CLUSTER)))
        if what is not None:
            here.did = Done.DRAINED if here.drain(what) else Done.ALREADY
        here.look()
        seen = look(config, site)
        here.by_hand = tuple(key for key, _ in undrained(seen, here.publisher.cluster, here.found))
        if what is not None and what.scope is Scope.SERVICE:
            here.unknown = _unknown(what.name, seen.standing.groups)
        return here


def _unknown(name: str, groups: Iterable[str]) -> str:
    """What to say of a service of whose name no group is: it may be misspelt. Empty: one is."""
    if any(means(name, group) for group in groups):
        return ""
    near = meant(name, map(group_title, groups))
    hint = f"; was {near} meant?" if near else ", unless its labels of Traefik 2 and 3 named it otherwise"
    return f"nothing is published as {name} here now{hint}"
