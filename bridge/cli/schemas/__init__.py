"""JSON Schemas, made from the tables and types that the code itself reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.cli.schemas import inputs, kept, outputs, page
from bridge.cli.schemas.words import Schema
from bridge.views.words import Json

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Known:
    """One schema."""

    title: str
    make: Callable[[], Schema]


SCHEMAS = {
    "labels": Known("the labels of a service, as a compose file holds them", inputs.labels),
    "compose": Known("a stack's docker-compose.yml, of which only labels are looked at", inputs.compose),
    "metadata": Known("Rancher's metadata document, as far as it is read", inputs.metadata),
    "config": Known("the file that --config names", inputs.configuration),
    "keys": Known("Traefik 1's keys and values, by path below the prefix", kept.keys),
    "records": Known("the bridge's own records, by path below bridge/PREFIX/", kept.records),
    "render": Known("what render --output json prints", kept.rendered),
    "plan": Known("what plan --output json prints", outputs.plan),
    "sync": Known("what sync and leave --output json print", outputs.report),
    "adopt": Known("what adopt and release --output json print", outputs.handing),
    "show": Known("what show --output json prints", outputs.show),
    "drain": Known("what drain and undrain --output json print", outputs.drained),
    "clusters": Known("what clusters --output json prints", outputs.clusters),
    "check": Known("what check --output json prints", outputs.check),
    "migrate": Known("what migrate --output json prints", outputs.migrate),
    "policy": Known("what policy --output json prints", outputs.policy),
    "configured": Known("what config --output json prints", outputs.configured),
    "explain": Known("what explain --output json prints, and /api/routes/STACK/SERVICE answers", outputs.explain),
    "page": Known("what the status page answers at /api/", page.overview),
}


def schema(name: str) -> dict[str, Json]:
    """The whole schema of this name. Raises KeyError."""
    known = SCHEMAS[name]
    return {"$schema": DIALECT, "title": known.title, **known.make()}
