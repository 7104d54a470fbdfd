"""Pieces of schemas."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.views.words import Json

Schema = dict[str, Json]

TEXT: Schema = {"type": "string"}
TRUTH: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "number", "minimum": 0}


def thing(**fields: Schema) -> Schema:
    """An object with all of these fields and no other."""
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def many(each: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": each}


def by_name(each: Schema) -> Schema:
    """An object whose fields have any name."""
    return {"type": "object", "additionalProperties": each}


def one_of(words: Iterable[str]) -> Schema:
    """One of these texts."""
    return {"enum": list(words)}


def or_null(each: Schema) -> Schema:
    """The same, or nothing."""
    return {"anyOf": [each, {"type": "null"}]}


def said(description: str, each: Schema) -> Schema:
    """The same with a word for people."""
    return {"description": description, **each}
