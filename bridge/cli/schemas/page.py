"""What the status page answers under /api/. Of one service it is what `explain` prints."""

from __future__ import annotations

from bridge.cli.schemas.outputs import CONTAINERS, PROBLEM
from bridge.cli.schemas.words import COUNT, SECONDS, TEXT, TRUTH, Schema, many, one_of, or_null, said, thing
from bridge.daemon.notes import KINDS
from bridge.daemon.status import Result
from bridge.views.clusters import State

_WHEN = said("seconds since 1970", {"type": "number", "minimum": 0})
_WHEN_OR_NEVER = said("seconds since 1970; null: not yet", or_null(SECONDS))
_CHANGED: dict[str, Schema] = dict.fromkeys(KINDS.values(), COUNT)
_TROUBLE = said("null: it works", or_null(thing(why=TEXT, since=_WHEN)))
_TITLES = many(said("stack/service", TEXT))


def overview() -> Schema:
    """All that the page shows."""
    return thing(
        version=TEXT,
        at=said("seconds since 1970, when this was made", SECONDS),
        search=said("words, of which each is in every route and problem; empty: all", TEXT),
        publishers=said("one a layout", many(_publisher())),
        routes=said("by service; the first ones", many(_route())),
        routes_found=COUNT,
        problems=said("notices last; the first ones", many(thing(**PROBLEM, layouts=many(TEXT)))),
        problems_found=said("but for notices", COUNT),
        notices_found=COUNT,
        unlabelled=said("what a search found of services that say nothing to the bridge", _TITLES),
        unlabelled_found=COUNT,
    )


def _publisher() -> Schema:
    touched = thing(service=TEXT, what=said("the step", TEXT), **_CHANGED)
    return thing(
        cluster=TEXT,
        layout=TEXT,
        replica=TEXT,
        tree=said("how its keys begin", TEXT),
        dry_run=TRUTH,
        leads=TRUTH,
        leader=said("the replica that leads, where it is another", TEXT),
        ready=TRUTH,
        reasons=said("why not", many(TEXT)),
        read_at=said("when the source last answered", _WHEN_OR_NEVER),
        synced_at=said("when a pass last went well", _WHEN_OR_NEVER),
        source=_TROUBLE,
        store=_TROUBLE,
        brake=thing(
            shut=TRUTH,
            opens_at=said("seconds since 1970; null: with the next pass, or it is not shut", or_null(SECONDS)),
            held=said("servers whose removal waits", COUNT),
            servers=said("that stand", COUNT),
            services=said("of those that wait; the first ones", _TITLES),
        ),
        services=said("that the source has", COUNT),
        labelled=COUNT,
        routes=said("services with a route", COUNT),
        servers=COUNT,
        passes=said("since the process began", thing(**dict.fromkeys((one.value for one in Result), COUNT))),
        changes=said("keys, since the process began", thing(**_CHANGED)),
        conflicts=COUNT,
        errors=thing(source=COUNT, store=COUNT),
        clusters=many(
            thing(
                cluster=TEXT,
                state=one_of(one.value for one in State),
                leader=said("the replica; empty where none leads", TEXT),
                environment=said("Rancher's uuid; empty where nothing says it", TEXT),
                version=TEXT,
                ttl=said("seconds; 0: for ever; null where nothing says it", or_null(COUNT)),
                routes=said("that are open and that it claims", COUNT),
                servers=COUNT,
                problems=many(thing(**PROBLEM)),
                drained=said("what an operator took the requests from", many(TEXT)),
            )
        ),
        syncs=said(
            "passes of the last hour that wrote, or failed; the newest first, and the first ones",
            many(
                thing(
                    at=_WHEN,
                    seconds=SECONDS,
                    result=one_of(one.value for one in Result),
                    why=said("what moved it", TEXT),
                    keys=said("that were written, the bridge's own among them", COUNT),
                    touched=said("the first ones", many(touched)),
                )
            ),
        ),
        hour=said(
            "all of these passes, the oldest first", many(thing(at=_WHEN, seconds=SECONDS, keys=COUNT, failed=TRUTH))
        ),
    )


def _route() -> Schema:
    return thing(
        service=said("stack/service", TEXT),
        layout=TEXT,
        here=said("this cluster's source has it; else it only stands in the store", TRUTH),
        published=said("keys of it shall stand", TRUTH),
        open=said("requests reach it, as far as the store says", TRUTH),
        summary=TEXT,
        rules=said("as the layout's Traefik reads them", many(TEXT)),
        clusters=said("who claims it, or has servers there", many(thing(cluster=TEXT, servers=COUNT))),
        containers=CONTAINERS,
        problems=said("but for notices", COUNT),
    )
