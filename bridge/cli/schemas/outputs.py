"""What commands print with --output json."""

from __future__ import annotations

from bridge.cli.check import LEVELS
from bridge.cli.draining import Done
from bridge.cli.moves import Moved
from bridge.cli.policy import ACCESS, POLICIES, RESOURCES
from bridge.cli.schemas.words import COUNT, SECONDS, TEXT, TRUTH, Schema, by_name, many, one_of, or_null, said, thing
from bridge.cli.show import State
from bridge.labels.fates import Fate
from bridge.model.drain import Scope
from bridge.ownership.adopt import Fate as KeyFate
from bridge.report import Outcome
from bridge.views.clusters import State as ClusterState

PROBLEM: dict[str, Schema] = {
    "service": said("stack/service; empty where no service is concerned", TEXT),
    "label": said("the label, or the key, that is wrong", TEXT),
    "value": said("as it was found; empty where it may be a secret", TEXT),
    "reason": TEXT,
    "did": said("what the bridge did instead", TEXT),
    "notice": said("worth knowing, nothing to mend", TRUTH),
    "suggestion": said("what may help; empty where nobody knows", TEXT),
}
_PROBLEMS = many(thing(**PROBLEM))
_CHANGES = many(
    thing(
        action=one_of(("add", "change", "remove")),
        service=TEXT,
        key=TEXT,
        before=said("null: it does not stand", or_null(TEXT)),
        after=said("null: it shall not stand", or_null(TEXT)),
    )
)
_COUNTS = said("keys", thing(added=COUNT, changed=COUNT, removed=COUNT, unchanged=COUNT))
_WAITS = many(thing(group=TEXT, what=TEXT, seconds=said("null: another has to act first", or_null(SECONDS))))
_DRAINS = many(
    thing(
        scope=one_of(one.value for one in Scope),
        name=said("empty for the whole cluster", TEXT),
        when=TEXT,
        record=said("its key", TEXT),
    )
)
CONTAINERS = many(
    thing(
        name=TEXT,
        uuid=TEXT,
        state=TEXT,
        health=TEXT,
        address=TEXT,
        external=said("an address that an external service names, no container", TRUTH),
        servers=many(TEXT),
        why=said("it has none, or another one than the rest", TEXT),
    )
)
_ONE: Schema = {"$ref": "#/$defs/one"}
_SECONDS_LEFT = said("null: for ever", or_null(SECONDS))


def _each_layout(**fields: Schema) -> Schema:
    """One object, or where several layouts are published a list of them."""
    return {"$defs": {"one": thing(**fields)}, "anyOf": [_ONE, many(_ONE)]}


def plan() -> Schema:
    """What a sync would change."""
    return _each_layout(
        cluster=TEXT,
        layout=TEXT,
        pending=said("whether a sync would write", TRUTH),
        changes=_CHANGES,
        counts=_COUNTS,
        transactions=COUNT,
        waits=_WAITS,
        problems=_PROBLEMS,
        removed_servers=COUNT,
        servers=COUNT,
        held=said("whether the brake would hold removals", TRUTH),
    )


def report() -> Schema:
    """What a pass did."""
    return _each_layout(
        cluster=TEXT,
        layout=TEXT,
        outcome=one_of(one.name.lower() for one in Outcome),
        changes=_CHANGES,
        left=said("what was not done", _CHANGES),
        counts=_COUNTS,
        written=said("every key, records too", many(thing(action=one_of(("create", "update", "delete")), key=TEXT))),
        transactions=COUNT,
        problems=_PROBLEMS,
        waits=_WAITS,
        leader=said("the replica that leads, where it is another", TEXT),
        held=said("servers whose removal the brake held", COUNT),
        servers=COUNT,
        seconds=SECONDS,
    )


def handing() -> Schema:
    """What becomes of keys that change hands."""
    key = thing(
        service=TEXT,
        key=TEXT,
        fate=said("stays: its value does", one_of(fate.value for fate in KeyFate)),
        before=TEXT,
        after=said("null: it goes", or_null(TEXT)),
        why=said("it is left; else empty", TEXT),
        done=TRUTH,
    )
    return _each_layout(
        cluster=TEXT,
        layout=TEXT,
        outcome=one_of(("planned", *(one.name.lower() for one in Outcome))),
        keys=many(key),
        changes=said("of other keys", _CHANGES),
        transactions=COUNT,
        leader=said("the replica that leads, where it is another", TEXT),
        waits=_WAITS,
        problems=_PROBLEMS,
    )


def show() -> Schema:
    """What a store holds."""
    life: dict[str, Schema] = {"whose": TEXT, "seconds": _SECONDS_LEFT}
    group = thing(
        service=TEXT,
        group=TEXT,
        state=one_of(one.value for one in State),
        decider=said("a cluster; empty where none claims it", TEXT),
        claims=said("clusters, the decider first", many(TEXT)),
        by_hand=said("keys that no bridge wrote", COUNT),
        hand_written=said("these keys", many(thing(key=TEXT, value=said("hidden where it may be a secret", TEXT)))),
        keys=said("each, those too", many(thing(key=TEXT, value=TEXT, **life))),
        disagreements=said(
            "null: no such key",
            many(thing(path=TEXT, decider=TEXT, value=or_null(TEXT), cluster=TEXT, other=or_null(TEXT))),
        ),
        rules=many(thing(frontend=TEXT, rule=TEXT, open=TRUTH, **life)),
        servers=many(thing(name=TEXT, url=TEXT, weight=TEXT, **life)),
    )
    lease = thing(family=TEXT, ttl=said("seconds; 0: for ever", COUNT), seconds=_SECONDS_LEFT)
    return _each_layout(
        groups=many(group),
        leases=many(lease),
        leaders=said("replicas, by cluster", by_name(TEXT)),
        drains=said("by cluster", by_name(_DRAINS)),
    )


def drained() -> Schema:
    """What an operator drained."""
    return _each_layout(
        cluster=TEXT,
        layout=TEXT,
        outcome=one_of(one.value for one in Done),
        record=said("the key that was asked for; empty where none was", TEXT),
        drains=_DRAINS,
        unreadable=said("keys of records of a newer bridge, or of somebody else", many(TEXT)),
    )


def clusters() -> Schema:
    """Who publishes in a store."""
    row = thing(
        cluster=TEXT,
        state=one_of(one.value for one in ClusterState),
        leader=said("the replica; empty where none leads", TEXT),
        environment=said("Rancher's uuid; empty where nothing says it", TEXT),
        version=TEXT,
        ttl=said("seconds; 0: for ever; null where nothing says it", or_null(COUNT)),
        read_time=or_null(SECONDS),
        lease=said("whether its keys are on a lease that lives", TRUTH),
        seconds=_SECONDS_LEFT,
        routes=said("that are open and that it claims", COUNT),
        servers=COUNT,
        by_hand=said("keys of its name on no lease of a bridge", COUNT),
        problems=_PROBLEMS,
        drains=_DRAINS,
    )
    return _each_layout(layout=TEXT, clusters=many(row))


def policy() -> Schema:
    """The rights of a cluster's bridge."""
    rule = thing(
        resource=said("what it is about; a prefix: all that begins so", one_of(RESOURCES)),
        name=TEXT,
        access=one_of(ACCESS),
        why=TEXT,
    )
    return thing(store=one_of(POLICIES), cluster=TEXT, rules=many(rule))


def check() -> Schema:
    """What is wrong: with a source, with a store, or with both."""
    problem = thing(**PROBLEM, file=or_null(TEXT), line=or_null({"type": "integer", "minimum": 1}))
    world = thing(services=COUNT, labelled=COUNT, published=COUNT, problems=many(problem))
    finding = thing(
        key=TEXT,
        value=said("empty where it may let somebody in", TEXT),
        grade=one_of(grade.value for grade in LEVELS),
        level=one_of(dict.fromkeys(level.value for level in LEVELS.values())),
        reason=TEXT,
        effect=TEXT,
        remedy=TEXT,
    )
    tree = thing(trees=many(thing(layout=TEXT, prefix=TEXT, keys=COUNT)), findings=many(finding))
    both = thing(**_fields(world), **_fields(tree))
    return {"anyOf": [world, tree, both]}


def _fields(of: Schema) -> dict[str, Schema]:
    found = of["properties"]
    assert isinstance(found, dict)
    return found


def migrate() -> Schema:
    """What becomes of Traefik 1's routes in Traefik 3."""
    priority: Schema = {"type": "integer"}
    servers = many(thing(url=TEXT, weight=TEXT))
    fields = said("keys below the object, secrets hidden", many(thing(key=TEXT, value=TEXT)))
    entry_points = said("empty: Traefik's default ones", many(TEXT))
    frontend = thing(
        name=TEXT,
        rule=TEXT,
        priority=said("that counts", priority),
        by_length=said("no key says the priority: the rule is so long", TRUTH),
        entry_points=entry_points,
        backend=TEXT,
        protects=said("keys that keep requests away", fields),
        more=fields,
    )
    protocol = one_of(("http", "tcp", "udp"))
    router = thing(
        name=TEXT,
        protocol=protocol,
        rule=TEXT,
        priority=priority,
        entry_points=entry_points,
        tls=TRUTH,
        cert_resolver=TEXT,
        middlewares=said("in their order", many(thing(name=TEXT, settings=fields))),
        service=TEXT,
    )
    old_router = thing(
        name=TEXT,
        protocol=protocol,
        rule=said("empty: none, or nobody knows it", TEXT),
        by_default=said("no label says the rule", TRUTH),
        priority=said("that counts", priority),
        by_length=said("no label says the priority: the rule is so long", TRUTH),
        entry_points=entry_points,
        middlewares=said("as labels name them", many(TEXT)),
        service=said("as a label names it; empty: the only one", TEXT),
    )
    part = many(thing(name=TEXT, settings=fields, servers=servers))
    new_part = many(thing(name=TEXT, protocol=protocol, settings=fields, servers=servers))
    service = thing(
        service=said("stack/service, or the name of the first frontend of what is of none", TEXT),
        moved=one_of(one.value for one in Moved),
        frontends=said("of Traefik 1", many(frontend)),
        backends=said("of Traefik 1", part),
        old_routers=said("of Traefik 2", many(old_router)),
        routers=said("of Traefik 3; empty: the route is missing there", many(router)),
        services=said("of Traefik 3", new_part),
        problems=said("what is lost; notices: what is done otherwise", _PROBLEMS),
    )
    layout = thing(layout=TEXT, prefix=said("how its keys begin; empty: it has none", TEXT))
    setting = thing(option=TEXT, value=said("empty: what only its operator knows", TEXT), why=TEXT)
    exposed = thing(
        said=said("--expose-by-default is", TRUTH),
        only=said("stack/service of those that it alone publishes", many(TEXT)),
        bare=said("of those with a published port that nothing publishes", many(TEXT)),
    )
    return thing(
        before=layout,
        after=layout,
        services=many(service),
        summary=thing(**{one.value: COUNT for one in Moved}),
        problems=said("of no service", _PROBLEMS),
        settings=said("to set in Traefik 3's own configuration", many(setting)),
        removed=said("to take away from it", many(setting)),
        exposed=said(
            "services without traefik.enable, which Traefik 2 published by default; null: no label is its",
            {"anyOf": [exposed, {"type": "null"}]},
        ),
        notes=many(TEXT),
    )


def explain() -> Schema:
    """Why services of one name are published, or are not."""
    service = thing(
        service=TEXT,
        uuid=TEXT,
        kind=TEXT,
        published=TRUTH,
        summary=TEXT,
        gates=many(
            thing(
                name=TEXT,
                passed=TRUTH,
                closes=said("not passed it closes the route; else it leaves it without servers", TRUTH),
                why=TEXT,
            )
        ),
        labels=many(thing(name=TEXT, value=TEXT, fate=one_of(fate.value for fate in Fate), why=TEXT)),
        settings=many(thing(name=TEXT, value=TEXT, origin=TEXT)),
        problems=_PROBLEMS,
        containers=CONTAINERS,
        keys=many(thing(layout=TEXT, key=TEXT, value=said("hidden where it may be a secret", TEXT), origin=TEXT)),
    )
    return thing(services=many(service))


def configured() -> Schema:
    """What `run` would be told."""
    return by_name(
        thing(
            value=said("as a user would write it; null: nobody says it, or it is a secret", or_null(TEXT)),
            origin=said("a flag, a variable, a key and its file, or default; empty: nobody says it", TEXT),
            secret=TRUTH,
        )
    )
