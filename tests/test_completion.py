"""A shell completes what the bridge knows: asked in a real bash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import COMMANDS
from tests.commands import Bridge, silent

ROOT = Path(__file__).parent.parent
bridge = pytest.fixture(silent)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bridge` as a shell finds it."""
    path = tmp_path_factory.mktemp("bin") / "bridge"
    path.write_text(f'#!/bin/sh\nexec env PYTHONPATH="{ROOT}" "{sys.executable}" -m bridge "$@"\n')
    path.chmod(0o755)
    return path


def completed(program: Path, *words: str) -> list[str]:
    """What bash offers behind these words, the last of which is begun."""
    script = """
        eval "$("$1" completion bash)"
        program=$1; shift
        COMP_WORDS=(bridge "$@"); COMP_CWORD=$#
        compopt() { echo "files"; }  # outside of a real key press bash refuses it
        _bridge_completion "$program"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    command = ["bash", "--norc", "-c", script, "bash", str(program), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["dr"], ["drain"]),
        (["run", "--fan"], ["--fan-in"]),
        (["run", "--fan-in", ""], ["merge", "separate"]),
        (["run", "--health", "op"], ["optional"]),
        (["policy", ""], ["consul", "etcd"]),
        (["sync", "--store-ca", ""], ["files"]),
        (["run", "--cluster", ""], []),
    ],
)
def test_bash_offers_what_may_follow(program: Path, words: list[str], offered: list[str]) -> None:
    assert completed(program, *words) == offered


def test_bash_offers_every_command(program: Path) -> None:
    assert sorted(completed(program, "")) == sorted(COMMANDS)


def test_an_unknown_shell_is_named_with_those_that_are_known(bridge: Bridge) -> None:
    ran = bridge("completion", "ksh")
    assert ran.code == 2
    assert ran.err == "bridge: completion 'ksh': use one of bash, zsh, fish\n"


@pytest.mark.parametrize(("shell", "begins"), [("zsh", "#compdef bridge"), ("fish", "function _bridge_completion")])
def test_the_other_shells_have_theirs(bridge: Bridge, shell: str, begins: str) -> None:
    assert bridge("completion", shell).out.startswith(begins)
