"""What README and configuration.md say is so: commands run as they stand there, no option or label is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.cli import COMMANDS, main
from bridge.config import STORE, TABLE, load
from bridge.labels import table
from tests.servers import EtcdServer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the table in it, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def said(cell: str) -> str:
    """A flag, variable or key out of its backticks; the long flag where there are two."""
    return re.findall(r"`([^`]*)`", cell)[-1] if cell else ""


def test_every_option_is_told_with_its_flag_its_variable_and_its_key() -> None:
    told = [tuple(map(said, row[:3])) for row in rows(CONFIGURATION)]
    assert told == [
        ("" if row.secret else row.flag, row.variable, "" if row.secret or not row.in_file else row.name)
        for row in TABLE
    ]


def test_every_default_is_told() -> None:
    told = {said(row[1]): said(row[4]) for row in rows(CONFIGURATION) if row[4].startswith("`")}
    assert told == {row.variable: row.default for row in TABLE if row.default}


def test_the_labels_that_are_told_exist_and_their_number_is_right() -> None:
    """All of them are told on a page of their own."""
    names = [label.name for label in table.TABLE]
    told = [said(row[0]) for row in rows(section("Labels"))]
    assert len(told) >= 12
    assert [name for name in told if name not in names] == []
    assert f"has all {len(names)} labels" in section("Labels")


def test_every_command_and_every_exit_code_is_told() -> None:
    assert [said(row[0]) for row in rows(section("Commands"))] == [f"bridge {name}" for name in COMMANDS]
    assert re.findall(r"\*\*(\d)\*\*", section("Commands")) == list("012345")


def test_the_configuration_file_can_be_used_as_it_stands(tmp_path: Path) -> None:
    example = tmp_path / "bridge.toml"
    example.write_text(re.findall(r"```toml\n(.*?)```", CONFIGURATION, re.S)[0])
    config = load("sync", {"config": str(example)}, {})
    assert config.get(STORE).prefix == "traefik"


def test_the_quick_start_works_as_it_stands(
    etcd_server: EtcdServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = section("Quick start")
    for name, value in re.findall(r"^    export (\w+)=(\S+)$", steps, re.M):
        monkeypatch.setenv(name, value.replace("127.0.0.1:2379/traefik", f"{etcd_server.endpoint}/readme"))
    monkeypatch.chdir(ROOT)
    printed = {}
    for command in re.findall(r"^    bridge (\w+)$", steps, re.M):
        assert main([command]) == 0
        printed[command] = capsys.readouterr().out
    assert list(printed) == ["plan", "sync", "show", "leave"]
    assert "14 to add" in printed["plan"]
    assert "14 added" in printed["sync"]
    assert "Host:web-test.proxy-test.local" in printed["show"]
    assert "14 removed" in printed["leave"]


def test_the_design_names_every_room_and_every_part_of_ownership() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rooms = {path.stem for path in (ROOT / "bridge").iterdir() if not path.name.startswith("__") and path.stem != "py"}
    parts = {path.stem for path in (ROOT / "bridge" / "ownership").glob("[a-z]*.py")}
    words = set(re.findall(r"\w+", design))
    assert {"model", "ownership"} <= rooms
    assert "claims" in parts
    assert rooms | parts <= words
