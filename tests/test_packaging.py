"""What is handed out: an archive of the sources, and a wheel made of it that works where nothing else is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from bridge import __version__

ROOT = Path(__file__).parent.parent
MADE = (".git", ".venv", ".cache", ".*_cache", ".hypothesis", "*.egg-info", "__pycache__", "build", "dist")
VERSIONS = ("3.11", "3.12", "3.13")

pytestmark = pytest.mark.timeout(600)  # pip fetches what the wheel needs


@dataclass(frozen=True)
class Built:
    """What one build made, and what it said meanwhile."""

    source: Path
    wheel: Path
    said: str

    @property
    def metadata(self) -> Message:
        """What the wheel says of itself."""
        with zipfile.ZipFile(self.wheel) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            return Parser().parsestr(wheel.read(name).decode())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """From a copy of the working tree: no build writes into it."""
    folder = tmp_path_factory.mktemp("built")
    copy = shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(*MADE))
    said = _output(sys.executable, "-m", "build", "--outdir", folder / "dist", copy)
    (source,), (wheel,) = folder.glob("dist/*.tar.gz"), folder.glob("dist/*.whl")
    return Built(source, wheel, said)


@pytest.fixture(scope="module")
def python(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel, and what pip takes along."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    _output(sys.executable, "-m", "venv", folder)
    _output(folder / "bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install", built.wheel)
    return folder / "bin/python"


def _output(*command: object, **extra: str) -> str:
    """What it said, standard error too. Fails with that where the command fails."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "PYTHON"))}
    ran = subprocess.run([str(word) for word in command], env=known | extra, cwd="/", capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_nothing_is_amiss_when_it_is_built(built: Built) -> None:
    assert not re.findall(r"^.*(?:[Ww]arning:|Deprecat).*$", built.said, re.MULTILINE)


def test_the_archive_holds_all_that_is_worked_with_and_nothing_that_was_made(built: Built) -> None:
    with tarfile.open(built.source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    here = {
        str(path.relative_to(ROOT))
        for folder in ("bridge", "tests", "benchmarks", "compose", "docs", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(".pyc")
    }
    assert here <= names
    assert not {name for name in names if re.search(r"\.py[co]$|(^|/)\.(git|venv|cache)(/|$)", name)}


def test_the_wheel_is_the_package_alone_and_says_that_it_is_typed(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = wheel.namelist()
    assert {"bridge/py.typed", "bridge/web/templates/index.html", "bridge/web/static/page.css"} <= {*names}
    assert {name.partition("/")[0] for name in names} == {"bridge", f"rancher_traefik_bridge-{__version__}.dist-info"}


def test_it_says_for_which_pythons_it_is(built: Built) -> None:
    found = built.metadata
    assert found["Requires-Python"] == ">=3.11"
    said = [one.rpartition(" :: ")[2] for one in found.get_all("Classifier", []) if ":: Python :: 3." in one]
    assert tuple(said) == VERSIONS
    assert "Typing :: Typed" in found.get_all("Classifier", [])
    assert "MIT" in (found["License-Expression"], found["License"])


def test_in_an_empty_environment_it_works(python: Path) -> None:
    bridge = python.with_name("bridge")
    world = f"file:{ROOT / 'tests/samples/web-test.stacks.json'}"
    assert _output(bridge, "--version").startswith(f"bridge {__version__}")
    assert "Usage: bridge" in _output(python, "-m", "bridge", "--help")
    rendered = json.loads(_output(bridge, "render", "--source", world, "--output", "json"))
    assert rendered["/traefik/frontends/web-test__proxy-test/routes/main/rule"] == "Host:web-test.proxy-test.local"
    _output(bridge, "check", "--source", world)


def test_every_part_of_it_can_be_loaded_there(python: Path) -> None:
    """What is imported only when it is asked for, as one source's client, comes with the wheel too."""
    load = (
        "import importlib, pkgutil, bridge\n"
        "for one in pkgutil.walk_packages(bridge.__path__, 'bridge.'):\n"
        "    if not one.name.endswith('__main__'): importlib.import_module(one.name); print(one.name)"
    )
    assert {"bridge.sources.compose", "bridge.stores.consul", "bridge.demo.story"} <= {
        *_output(python, "-c", load).split()
    }
