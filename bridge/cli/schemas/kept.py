"""What stands in a store: Traefik's keys, and the bridge's own records."""

from __future__ import annotations

import re

from bridge.cli.schemas.words import COUNT, SECONDS, TEXT, Schema, by_name, one_of, said, thing
from bridge.layouts.traefik1_values import TRUE, WRITTEN
from bridge.model.drain import Scope
from bridge.ownership.records import FORMAT, LONGEST_READ_TIME, LONGEST_TTL

_NAME = r"(?!\.{1,2}/)[A-Za-z0-9_.-]{1,200}"
_HEADER = r"[A-Za-z0-9_-]{1,200}"
_NUMBER = "0|[1-9][0-9]{0,18}"
# Between quotes, as Traefik pastes it; a list the same.
_QUOTED = r'(?:[^\x00-\x1f\x7f"\\]|\\(?:["\\nrt]|u[0-9a-f]{4}))*'
# By the last part of a path: what a value looks like.
_VALUES = {
    **dict.fromkeys(("weight", "amount", "priority", "average", "burst", "stsseconds"), _NUMBER),
    **dict.fromkeys(("maxrequestbodybytes", "memrequestbodybytes", "maxresponsebodybytes"), _NUMBER),
    **dict.fromkeys(("memresponsebodybytes", "port"), _NUMBER),
    **dict.fromkeys(("interval", "period"), "[1-9][0-9]{0,18}(?:ns|us|ms|s)"),
    "url": r"(?:https?|h2c)://(?:\[[^\]]*\]|[A-Za-z0-9._-]+):[1-9][0-9]{0,4}",
    "method": "wrr|drr",
    "scheme": "https?",
    "passhostheader": "false",
    "backend": r"[A-Za-z0-9_.-]{1,200}",
    "extractorfunc": r"client\.ip|request\.host|request\.header\.[A-Za-z0-9_-]+",
    "address": r"https?://[!-~]+",
    "rule": rf"[A-Za-z]+:{_QUOTED}",
    "sourcerange": "[0-9A-Fa-f.:/]+(?:,[0-9A-Fa-f.:/]+)*",
    "status": "[1-5][0-9]{2}(?:-[1-5][0-9]{2})?(?:,[1-5][0-9]{2}(?:-[1-5][0-9]{2})?)*",
    "tags": r"[^\x00-\x1f]+",
}
_CERTIFICATE = r'[^"\\]+'  # cert and key stand between triple quotes: their line ends are bare


def keys() -> Schema:
    """All keys that are ever written, and what their values look like. Which must stand together it does not say."""
    return _tree("^")


def rendered() -> Schema:
    """The same with Traefik's prefix before each."""
    return _tree("^/?(?:[^/]+/)+")


def _tree(before: str) -> Schema:
    patterns: Schema = {f"{before}{_path(shape)}$": _value(shape) for shape in WRITTEN}
    return {"type": "object", "patternProperties": patterns, "additionalProperties": False}


def _path(shape: str) -> str:
    """A shape as a pattern. Its last name may be a header's."""
    found = re.escape(shape).replace(re.escape("*"), _NAME)
    return found.removesuffix(_NAME) + _HEADER if shape.endswith("headers/*") else found


def _value(shape: str) -> Schema:
    if WRITTEN[shape] is TRUE:
        return one_of(["true"])
    last = shape.rpartition("/")[2]
    found = _CERTIFICATE if shape.endswith(("/tls/cert", "/tls/key")) else _VALUES.get(last, _QUOTED)
    return {"type": "string", "pattern": f"^(?:{found})$"}


def records() -> Schema:
    """Each record as JSON, by its path. Others than these are marks of sessions, of any text."""
    number: Schema = {"const": FORMAT}
    claim = thing(format=number, keys=by_name(TEXT))
    presence = thing(
        format=number,
        environment=said("the Rancher environment's uuid", TEXT),
        ttl=said("seconds; 0: for ever", {**COUNT, "maximum": LONGEST_TTL}),
        read_time=said("seconds", {**SECONDS, "maximum": LONGEST_READ_TIME}),
        version=TEXT,
    )
    drain = thing(
        format=number,
        scope=one_of(one.value for one in Scope),
        name=said("a host's name, IP or uuid; stack/service; a container's name or uuid; empty: all of it", TEXT),
        when=said("a time in UTC", TEXT),
    )
    leader = thing(format=number, name=TEXT, environment=TEXT, token=TEXT)
    return {
        "type": "object",
        "patternProperties": {
            "^c/[^/]+/claim/[^/]+$": said("a cluster's whole wish for the shared keys of a group", claim),
            "^c/[^/]+/presence$": said("that a cluster publishes here", presence),
            "^c/[^/]+/drain/[^/]+$": said("what an operator drained of a cluster", drain),
            "^c/[^/]+/leader$": said("the replica that writes for a cluster", leader),
            "^(?:fleet|c/[^/]+)/guard/[^/]+$": said("bumped by whoever claims the group", COUNT),
        },
    }
