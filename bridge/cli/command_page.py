"""The page of commands, docs/commands.md, made from what `--help` prints: `make docs` runs this module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module

from bridge.cli import COMMANDS, EXIT_CODES
from bridge.cli.render import say
from bridge.config import TABLE, Option, taken_by

_HEAD = """\
# Commands

<!-- Made by `make docs` from the code. Do not edit. -->

`bridge COMMAND --help` prints the same. Each [option](#options) may also be said as the variable beside it, or in \
the file that `--config` names, as the key that the option is called by without its dashes. A flag wins over a \
variable, a variable over the file.
"""


def page() -> Iterator[str]:
    """The lines of it."""
    yield from _HEAD.splitlines()
    for paragraph in _paragraphs(EXIT_CODES):
        yield from ("", *paragraph)
    for name, command in COMMANDS.items():
        yield from ("", f"## bridge {name}")
        if command.argument:
            yield from ("", "```text", f"bridge {name} [OPTIONS] {command.argument}", "```")
        for paragraph in _paragraphs(import_module(command.module).__doc__ or ""):
            yield from ("", *paragraph)
        if taken := [f"`{option.flag}`" for option in taken_by(name) if not option.secret]:
            yield from ("", f"Options: {', '.join(taken)}.")
    yield from ("", "## Options", "", "| option | variable | default | meaning |", "|---|---|---|---|")
    yield from map(_row, TABLE)


def _paragraphs(text: str) -> Iterator[list[str]]:
    """As click reads help: a paragraph behind \\b keeps its lines."""
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.splitlines()
        yield ["```text", *lines[1:], "```"] if lines[0] == "\b" else [_plain(" ".join(lines))]


def _row(option: Option[object]) -> str:
    flags = "none: it is a secret" if option.secret else f"`{' '.join((option.flag, option.metavar)).strip()}`"
    short = f", `{option.short}`" if option.short else ""
    default = f"`{option.default}`" if option.metavar and option.default else ""
    of_run = f"; of `run` `{option.run_default}`" if option.run_default else ""
    cells = (flags + short, f"`{option.variable}`", (default + of_run).removeprefix("; "), _plain(option.help))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Help is no Markdown: its signs stand for themselves."""
    for sign in "\\`*_<[":
        text = text.replace(sign, "\\" + sign)
    return text


if __name__ == "__main__":
    say(page())
    sys.exit()
