"""`bridge config`: what `run` would be told, and by whom."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bridge.config import TABLE, default_of, load
from tests.commands import Bridge, silent
from tests.test_schemas import check

bridge = pytest.fixture(silent)


def test_each_value_is_shown_with_where_it_was_said(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text('ttl = "10m"\ncluster = "berlin"\nhealth = "require"\n')
    monkeypatch.setenv("BRIDGE_CLUSTER", "munich")
    monkeypatch.setenv("BRIDGE_HEALTH", "ignore")
    ran = bridge("config", "--config", str(path), "--health", "optional")
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert f'ttl = "10m" # ttl in {path}' in lines
    assert 'cluster = "munich" # BRIDGE_CLUSTER' in lines
    assert 'health = "optional" # --health' in lines
    assert 'brake = "50%" # default' in lines
    assert "# store = # nobody says it" in lines
    assert "force = false # default" in lines


def test_its_default_is_that_of_run(bridge: Bridge) -> None:
    shown = bridge("config", "--output", "json").json
    for row in TABLE:
        if "run" in row.commands and row.name != "config":
            assert shown[row.name] == {
                "value": default_of(row, "run") or None,
                "origin": "default" if default_of(row, "run") else "",
                "secret": row.secret,
            }
    check("configured", shown)


def test_what_it_prints_is_a_file_that_says_the_same(bridge: Bridge, tmp_path: Path) -> None:
    flags: tuple[str, ...]
    flags = ("--store", "etcd://a:1/x", "--constraint", "tag==a", "--constraint", 'LabelRegex(`b`, `"c\\d`)', "--force")
    flags += ("--cert-resolver", 'a"\\\u2028\u202e\x1bü\U0001f600')
    ran = bridge("config", *flags)
    assert all(line.isprintable() for line in ran.out.split("\n"))
    path = tmp_path / "again.toml"
    path.write_text(ran.out)
    assert tomllib.loads(ran.out)["force"] is True
    said = {name: one.text for name, one in load("run", {"config": str(path)}, {}).said.items() if name != "config"}
    again = bridge("config", "--config", str(path), "--output", "json").json
    first = bridge("config", *flags, "--output", "json").json
    assert {name: row["value"] for name, row in again.items()} == {name: row["value"] for name, row in first.items()}  # type: ignore[index]
    assert said["constraint"] == 'tag==a,LabelRegex(`b`, `"c\\d`)'


@pytest.mark.parametrize("output", ["text", "json"])
def test_no_secret_is_shown(bridge: Bridge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str) -> None:
    monkeypatch.setenv("BRIDGE_STORE_PASSWORD", "correct-horse")
    token = tmp_path / "token"
    token.write_text("battery-staple")
    ran = bridge("config", "--store-token-file", str(token), "--output", output)
    assert ran.code == 0
    assert "correct-horse" not in ran.out + ran.err
    assert "battery-staple" not in ran.out + ran.err
    assert "BRIDGE_STORE_PASSWORD" in ran.out


def test_a_secret_that_is_said_twice_is_a_fault(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_STORE_TOKEN", "t")
    ran = bridge("config", "--store-token-file", "/nowhere")
    assert ran.code == 2
    assert "BRIDGE_STORE_TOKEN is given too" in ran.err


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BRIDGE_TLL", "BRIDGE_TTL"),
        ("BRIDGE_CLUSTERS", "BRIDGE_CLUSTER"),
        ("BRIDGE_STORE_USR", "BRIDGE_STORE_USER"),
        ("BRIDGE_ALLOW_DOMAINS", "BRIDGE_ALLOW_DOMAIN"),
        ("BRIDGE_DEFAULTRULE", "BRIDGE_DEFAULT_RULE"),
    ],
)
def test_a_variable_that_is_a_slip_is_refused(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "x")
    ran = bridge("config")
    assert (ran.code, ran.err) == (2, f"bridge: {name}: is no option; you may mean {meant}\n")


@pytest.mark.parametrize(
    "name",
    [
        *("BRIDGE_PORT", "BRIDGE_NAME", "BRIDGE_PORT_80_TCP", "BRIDGE_PORT_80_TCP_ADDR", "BRIDGE_1_PORT"),
        *("BRIDGE_ENV_PATH", "BRIDGE_DEBUG", "BRIDGE_SERVICE_HOST", "BRIDGE_SERVICE_PORT"),
    ],
)
def test_what_links_and_others_set_is_nobodys_slip(bridge: Bridge, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "tcp://172.17.0.2:80")
    assert bridge("config").code == 0
