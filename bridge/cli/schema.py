"""Print a JSON Schema (2020-12) of what the bridge reads, prints or keeps; without NAME the names of all.

Editors and tests can use them; the folder schemas of the repository holds each as a file.
"""

from __future__ import annotations

from bridge.cli.render import say, say_json
from bridge.cli.schemas import SCHEMAS, schema
from bridge.config import Config
from bridge.model.problem import UsageError


def run(_config: Config, name: str = "") -> int:
    """The exit code. Raises UsageError."""
    if not name:
        width = max(map(len, SCHEMAS))
        say(f"{one:<{width}}  {known.title}" for one, known in SCHEMAS.items())
    elif name in SCHEMAS:
        say_json(schema(name))
    else:
        raise UsageError("schema", name, f"use one of {', '.join(SCHEMAS)}")
    return 0
