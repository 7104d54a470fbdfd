"""Show what `run` would be told with these flags, variables and this file, and where each value comes from.

It is printed as such a file: what nobody says is a comment, and so is a secret, which is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from bridge import config as options
from bridge.cli.render import say, say_json
from bridge.config import Config, Option, Output, default_of, taken_by


@dataclass(frozen=True, slots=True)
class Value:
    """Of one option."""

    value: str | None  # as a user would write it; None: nobody says it, or it is a secret
    origin: str  # as an error names it, or `default`; empty: nobody says it
    secret: bool


def run(config: Config) -> int:
    """The exit code. Raises UsageError."""
    rows = [option for option in taken_by("run") if option is not options.CONFIG]
    found = {option.name: _value(config, option) for option in rows}
    options.store_password(config), options.store_token(config)  # said in two ways, or not to be read, it is a fault
    if config.get(options.OUTPUT) is Output.JSON:
        say_json({name: asdict(value) for name, value in found.items()})
    else:
        say(_lines(rows, found))
    return 0


def _value(config: Config, option: Option[object]) -> Value:
    said = config.said.get(option.name)
    if said is not None:
        return Value(None if option.secret else said.text, said.origin, option.secret)
    default = default_of(option, "run")
    return Value(default, "default", option.secret) if default else Value(None, "", option.secret)


def _lines(rows: list[Option[object]], found: dict[str, Value]) -> Iterator[str]:
    shown = {option.name: _assigned(option, found[option.name]) for option in rows}
    width = max(len(text) for text in shown.values() if len(text) <= 48)
    for option in rows:
        value = found[option.name]
        if value.secret and not value.origin:
            continue  # a file could not hold it, and nobody says it
        origin = "hidden; from " + value.origin if value.secret else value.origin or "nobody says it"
        yield f"{shown[option.name]:<{width}}  # {origin}"


def _assigned(option: Option[object], value: Value) -> str:
    """A line of TOML; a comment where there is no value to be shown."""
    if value.value is None:
        return f"# {option.name} ="
    is_switch = not option.metavar and not option.secret
    return f"{option.name} = {value.value if is_switch else _quoted(value.value)}"


def _quoted(text: str) -> str:
    """As TOML has it; nothing in it turns the direction of what follows, or begins a line."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
