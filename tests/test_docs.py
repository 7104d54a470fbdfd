"""The pages: every link leads somewhere, every command that they tell is one, and what they set exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bridge.cli import BRIDGE
from bridge.config import TABLE

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("compose/**/*.md"))
    if path.is_file()
)
VARIABLES = {row.variable for row in TABLE} | {"BRIDGE_DEBUG", "BRIDGE_TLL"}  # the last is told as a slip


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Those of its headings, as a forge makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_page_and_to_a_heading_there(page: Path) -> None:
    for link, anchor in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8")):
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


def told(page: Path) -> Iterator[tuple[str, bool]]:
    """What begins with `bridge` in blocks of code, and within a line; whether it is whole.

    What goes on behind a backslash is one.
    """
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^ {4,}(?:\$ )?(bridge [a-z].*)$", text, re.M)
    for fenced in re.findall(r"^```(?:sh|text)?\n(.*?)^```", text, re.M | re.S):
        blocks += re.findall(r"^(?:\s*\$ )?(bridge [a-z].*)$", fenced, re.M)
    yield from ((line, True) for line in blocks)
    yield from ((line, False) for line in re.findall(r"(?<!`)`(bridge [a-z][^`\n]*)`(?!`)", text))


COMMAND_LINES = sorted({(name_of(page), *found) for page in PAGES for found in told(page)})


@pytest.mark.parametrize(("page", "line", "whole"), COMMAND_LINES)
def test_every_command_that_is_told_is_one(page: str, line: str, whole: bool) -> None:
    """Asked of the real parser, which reads nothing and runs nothing."""
    words = shlex.split(re.split(r"\s(?:\||>|&&)\s?", line)[0], comments=True)[1:]
    name, arguments = words[0], [word for word in words[1:] if word != "[OPTIONS]"]
    if arguments[-1:] == ["…"] and arguments[-2:-1] != ["--store"]:  # and so on; behind --store it is the value
        arguments.pop()
    command = BRIDGE.get_command(click.Context(BRIDGE), name)
    assert command is not None, f"{page}: {line}"
    try:
        command.make_context(name, arguments)
    except (click.MissingParameter, click.BadOptionUsage):  # in a sentence one may name a command by its first words
        assert not whole, f"{page}: {line}"


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMAND_LINES) > 100
    assert {page for page, _, whole in COMMAND_LINES if whole} >= {"README.md", "docs/moving.md", "docs/security.md"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_that_is_told_exists(page: Path) -> None:
    named = set(re.findall(r"\bBRIDGE_[A-Z_]+\b", page.read_text(encoding="utf-8")))
    assert named <= VARIABLES
