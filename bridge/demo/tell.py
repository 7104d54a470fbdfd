"""How the demonstration is told: lines that fit a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

import click

WIDTH = 78  # columns
INDENT = " " * 4
VALUES = 40  # columns before a key's value


def say(*lines: str) -> None:
    """Print them."""
    for line in lines:
        click.echo(line)


def title(step: int, text: str, command: str = "") -> None:
    """Head a step; `command` is what is run for it."""
    head, run = f"{step:>2}  {click.style(text, bold=True)}", f"$ {command}"
    room = WIDTH - len(text) - len(INDENT)
    say("")
    if not command:
        say(head)
    elif len(run) < room:
        say(head + click.style(f"{run:>{room}}", fg="cyan"))
    elif len(run) <= WIDTH:
        say(head, click.style(f"{run:>{WIDTH}}", fg="cyan"))
    else:
        lines = textwrap.wrap(
            run, WIDTH - 2, initial_indent=INDENT, subsequent_indent=2 * INDENT, break_on_hyphens=False
        )
        say(head, *(click.style(line, fg="cyan") for line in (*(f"{one} \\" for one in lines[:-1]), lines[-1])))


def result(text: str, seconds: float | None = None) -> None:
    """A line that says what came of a step, and how long it took."""
    if seconds is None:
        say(INDENT + text)
        return
    took = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    room = max(0, WIDTH - len(INDENT) - len(text) - 1)
    say(f"{INDENT}{text} {click.style(f'{took:>{room}}', fg='yellow')}")


def quote(text: str) -> None:
    """What a bridge said."""
    for line in textwrap.wrap(text, WIDTH, initial_indent=f"{INDENT}> ", subsequent_indent=f"{INDENT}  "):
        say(click.style(line, dim=True))


def number(count: int, what: str) -> str:
    """1 key, 2 keys."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def listed(names: Iterable[str], word: str = "and") -> str:
    """a; a and b; a, b and c."""
    *others, last = sorted(names)
    return f"{', '.join(others)} {word} {last}" if others else last


def changes(marks: Mapping[str, str]) -> Iterator[str]:
    """Servers' keys with `+`, `-` or `~` before each; others by their whole path."""
    colours = {"+": "green", "-": "red", "~": "yellow"}
    for path, mark in sorted(marks.items()):
        yield f"{INDENT}{click.style(mark, fg=colours[mark])} {path.rpartition('/loadBalancer/')[2]}"


def tree(prefix: str, keys: Mapping[str, str]) -> Iterator[str]:
    """Keys below `prefix` as a tree: an object a head, what is below it in lines."""
    shown: tuple[str, ...] = ()
    for path, value in sorted(keys.items()):
        *folders, leaf = _segments(prefix, path)
        for depth, folder in enumerate(folders):
            if shown[: depth + 1] != tuple(folders[: depth + 1]):
                yield f"{INDENT}{'  ' * depth}{folder}"
        shown = tuple(folders)
        name = f"{INDENT}{'  ' * len(folders)}{leaf}"
        yield f"{name:<{VALUES}}  {click.style(value, fg='green')}"


def _segments(prefix: str, path: str) -> list[str]:
    """The parts of a path that get a line of their own: an object, a server, a key."""
    http, kind, name, *below = path.split("/")
    head = f"{prefix}{http}/{kind}/{name}"
    if kind != "routers":
        head += f"/{below.pop(0)}"  # the object's type
    return [head, "/".join(below[:2]), *below[2:]] if below[0] == "servers" else [head, "/".join(below)]
