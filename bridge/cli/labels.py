"""List all labels: what each means, may say and says by default, and the keys that its example becomes.

Reads no source and no store. docs/labels.md is what --output markdown prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge import config as options
from bridge.cli.label_facts import Fact, facts
from bridge.cli.label_page import page
from bridge.cli.label_patterns import GROUP, patterns
from bridge.cli.render import say, say_json
from bridge.config import Config, Output
from bridge.views.words import Json


def run(config: Config) -> int:
    """The exit code."""
    match config.get(options.OUTPUT):
        case Output.JSON:
            newer = [{"name": one.name, "type": one.type, "since": f"3.{one.since}"} for one in patterns()]
            say_json({"labels": [_json(fact) for fact in facts()], "newer": newer})
        case Output.MARKDOWN:
            say(page(facts()))
        case _:
            say(_lines(facts()))
    return 0


def _lines(found: Sequence[Fact]) -> Iterator[str]:
    group = ""
    for fact in found:
        if fact.group != group:
            yield f"{chr(10) if group else ''}{fact.group}"
            group = fact.group
        row = fact.row
        yield f"  {row.name}"
        yield f"      {row.means}"
        yield f"      {'; '.join(_told(fact))}"
        yield f"      for example {row.example}"
        yield from (f"        {path} = {value}" for path, value in fact.keys.items())
    yield f"\n{GROUP}, in layout traefik3"
    for one in patterns():
        yield f"  {one.name}"
        yield f"      {one.type}{f'; since Traefik 3.{one.since}' if one.since else ''}"


def _told(fact: Fact) -> Iterator[str]:
    row = fact.row
    yield fact.type
    if fact.default:
        yield f"default {fact.default}"
    if fact.native_default:
        yield f"with Traefik 1's labels {fact.native_default}"
    yield f"of {row.vocabulary.value}{f' {row.since}' if row.since else ''}"
    if row.segmented:
        yield "also for a segment"
    if row.protects:
        yield "protects"
    if row.unwritten:
        yield f"no key: {row.unwritten}"


def _json(fact: Fact) -> dict[str, Json]:
    row = fact.row
    return {
        "name": row.name,
        "forms": list(fact.forms),
        "group": fact.group,
        "vocabulary": row.vocabulary.value,
        "since": row.since or None,
        "type": fact.type,
        "default": fact.default or None,
        "native_default": fact.native_default or None,
        "meaning": row.means,
        "example": row.example,
        "beside": list(row.beside),
        "beats": list(row.beats),
        "protects": row.protects,
        "secret": row.secret,
        "no_key": row.unwritten or None,
        "keys": fact.keys,
    }
