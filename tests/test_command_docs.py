"""What is told of commands and options is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.cli import COMMANDS
from bridge.cli.command_page import page
from bridge.config import TABLE

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_code_says_of_itself() -> None:
    """`make docs` writes it anew."""
    assert "\n".join(page()) + "\n" == TEXT


def test_every_command_has_its_part_and_every_option_its_row() -> None:
    assert re.findall(r"^## bridge (\S+)$", TEXT, re.MULTILINE) == list(COMMANDS)
    rows = re.findall(r"^\| [^|]*(?:\\\|[^|]*)*\| `(BRIDGE_[A-Z_]+)` \|.*\|$", TEXT, re.MULTILINE)
    assert rows == [option.variable for option in TABLE]


def test_no_row_of_the_table_has_other_cells_than_its_head() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {6}
