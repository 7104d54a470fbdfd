"""What the bridge reads: labels, the metadata document, its configuration."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import cast

import msgspec

from bridge import config as options
from bridge.cli.schemas.words import TRUTH, Schema, by_name, many, or_null
from bridge.config import Option
from bridge.labels.kinds import kind, pattern
from bridge.labels.lookup import NEWER
from bridge.labels.table import GROUPS, INNER, PREFIX, Row
from bridge.labels.types import TRUTH_WORDS
from bridge.sources.shapes import ContainerShape, HostShape, ServiceShape, StackShape
from bridge.views.words import Json


def _in_any_case(word: str) -> str:
    return "".join(f"[{char.upper()}{char}]" for char in word)


# As `is_ours`, but for a misspelt first word: also what is a slip for one of ours.
_OURS = rf"^[\W_]*{_in_any_case('traefik')}(?:[\W_]|{_in_any_case('frontend')})"
# A name as a pattern. A segment may hold dots, a page's name none.
_SEGMENT, _INNER = r"(?!(?:frontend|backend)\.).+", "[^ .]+"


# Labels.


def labels() -> Schema:
    """Of a mapping, or of a list of name=value. What is wrong in a value is shown at it, an unknown name at the name.

    A text with a dollar sign may be anything: a compose file puts a variable in its place.
    """
    plain: Schema = {row.name: _label(title, row) for title, rows in GROUPS for row in rows if INNER not in row.name}
    patterns: Schema = {}
    for title, rows in GROUPS:
        for row in rows:
            patterns |= {name: _label(title, row) for name in _name_patterns(row)}
    known = [*(f"^{re.escape(name)}$" for name in plain), *patterns, f"^{NEWER}"]
    mapping: Schema = {
        "type": "object",
        "properties": plain,
        "patternProperties": patterns,
        "propertyNames": {
            "anyOf": [{"not": {"pattern": _OURS}}, *({"pattern": one} for one in known)],
            "description": f"The bridge knows no other label that begins with {PREFIX}, or nearly so",
        },
    }
    return {"anyOf": [mapping, many({"type": "string"})]}


def compose() -> Schema:
    """Of a whole file, of version 1 or 2, as an editor wants it. All but labels is anybody's."""
    within: Schema = {"labels": or_null({"$ref": "#/$defs/labels"})}
    services = by_name({"properties": within})
    named: Schema = {"properties": {"services": services}}
    return {
        "type": "object",
        "if": {"anyOf": [{"required": ["version"]}, {"required": ["services"]}]},
        "then": named,
        "else": services,
        "$defs": {"labels": labels()},
    }


def _name_patterns(row: Row) -> list[str]:
    inner = re.escape(row.name).replace(re.escape(INNER), _INNER)
    found = [f"^{inner}$"] if INNER in row.name else []
    if row.segmented:
        found.append(f"^{re.escape(PREFIX)}{_SEGMENT}\\.{inner.removeprefix(re.escape(PREFIX))}$")
    return found


def _label(title: str, row: Row) -> Schema:
    told = f"{row.means} ({row.vocabulary.value}{f', {row.since}' if row.since else ''}; {title}; {kind(row).words})"
    if row.unwritten:
        told += f" No key: {row.unwritten}."
    return {"description": told, "examples": [row.example], "anyOf": [*_values(row)]}


def _values(row: Row) -> list[Schema]:
    found, value = pattern(row), kind(row)
    text: Schema = {"type": "string"}
    if value.truth:
        words = [*TRUTH_WORDS, *(["stack"] if "stack" in value.pattern else [])]
        return [
            {"enum": [*words] if row.protects else ["", *words]},
            {"type": "string", "pattern": r"\$"},
            TRUTH,
            {"enum": [0, 1]},
        ]
    if found:
        text["pattern"] = rf"^(?:{found}){'' if row.protects else '?'}$|\$"
    elif row.protects:
        text["minLength"] = 1
    if value.least is not None:
        return [text, {"type": "integer", "minimum": value.least, "maximum": value.most or 0}]
    return [text] if found else [text, {"type": ["number", "boolean"]}]


# The metadata document.


def metadata() -> Schema:
    """The answer of /2016-07-29/stacks, or of /2016-07-29: other fields may stand, and are skipped."""
    shapes = (ContainerShape, ServiceShape, StackShape, HostShape)
    _, found = msgspec.json.schema_components(shapes, ref_template="#/$defs/{name}")
    for one in found.values():  # not every msgspec takes the indentation of a docstring away
        one["description"] = cleandoc(one["description"])
    components = cast("dict[str, dict[str, dict[str, Json]]]", found)
    services: Schema = {"anyOf": [many({"$ref": "#/$defs/ServiceShape"}), {"type": "null"}]}
    components["StackShape"]["properties"]["services"] = services
    stacks: Schema = {**many({"$ref": "#/$defs/StackShape"}), "minItems": 1}
    hosts: Schema = {"anyOf": [many({"$ref": "#/$defs/HostShape"}), {"type": "null"}]}
    world: Schema = {"type": "object", "properties": {"stacks": stacks, "hosts": hosts}, "required": ["stacks"]}
    return {"anyOf": [stacks, world], "$defs": components}


# The configuration.

_DURATION = r"^[0-9]{1,9}(?:\.[0-9]{1,6})?[smh]?$"
_TEXTS: dict[object, Schema] = {
    options.whole_seconds: {"pattern": r"^[0-9]{1,9}[smh]?$"},
    options.read_seconds: {"pattern": _DURATION},
    options.share: {"pattern": r"^[0-9]{1,3}(?:\.[0-9]{1,6})?%?$"},
    options.cluster_name: {"pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$", "maxLength": 63},
    options.replica_name: {"pattern": "^[A-Za-z0-9._-]{0,253}$"},
    options.traefik_version: {"pattern": r"^v?3\.[0-9]{1,3}(?:\.[0-9]{1,4})?$"},
}
# Which may be said without quotes too.
_NUMBERS: dict[object, str] = {
    options.whole_seconds: "integer",
    options.read_seconds: "number",
    options.share: "number",
}


def configuration() -> Schema:
    """Of what the TOML file says. A secret is no part of it."""
    rows = [option for option in options.TABLE if option.in_file and not option.secret]
    return {
        "type": "object",
        "properties": {option.name: _option(option) for option in rows},
        "additionalProperties": False,
    }


def _option(option: Option[object]) -> Schema:
    told: Schema = {"description": option.help}
    if option.default:
        told["default"] = option.default
    if not option.metavar:
        return {**told, "anyOf": [TRUTH, {"enum": [*TRUTH_WORDS, 0, 1]}]}
    if option is options.OUTPUT:
        return {**told, "enum": [one.value for one in options.Output]}
    if "|" in option.metavar:
        return {**told, "enum": option.metavar.split("|")}
    text: Schema = {"type": "string", **_TEXTS.get(option.parse, {})}
    if option.parse in _NUMBERS:
        return {**told, "anyOf": [text, {"type": _NUMBERS[option.parse], "minimum": 0}]}
    if option.repeats:
        return {**told, "anyOf": [text, {"type": "array", "items": text}]}
    return {**told, **text}
