"""The image: what the Dockerfile installs, in the same way, runs as another user in a folder that nobody may write."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from bridge import __version__
from bridge.cli import COMMANDS
from bridge.config import TABLE
from tests.dockerfile import (
    Builder,
    Image,
    Instruction,
    contents,
    ignore_patterns,
    instructions,
    let_through,
    lock,
    stages,
    unlock,
)
from tests.publishing import Publication
from tests.servers import EtcdServer, free_ports
from tests.test_run_etcd import ENDS_WITHIN

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = ignore_patterns((ROOT / ".dockerignore").read_text(encoding="utf-8"))
PATIENCE = 30.0  # seconds; a machine that runs other things too

pytestmark = pytest.mark.timeout(600)  # the first that asks for the image waits until pip has fetched


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The Dockerfile, played in a folder that everybody can reach; then nobody may write there."""
    folder = Path(tempfile.mkdtemp(prefix="bridge-image-"))
    folder.chmod(0o755)
    try:
        built = Builder(folder, ROOT, IGNORED).build(DOCKERFILE)
        lock(built.root)
        yield built
    finally:
        unlock(folder)
        shutil.rmtree(folder)


@pytest.fixture
def publication(etcd_server: EtcdServer) -> Iterator[Publication]:
    found = Publication(etcd_server, "container")
    yield found
    found.close()


@pytest.fixture
def world() -> Iterator[Path]:
    """A world that everybody can read: what pytest's own folders hold only their owner can."""
    with tempfile.TemporaryDirectory(prefix="bridge-world-") as folder:
        Path(folder).chmod(0o755)
        yield Path(shutil.copy(ROOT / "tests" / "samples" / "web-test.stacks.json", folder))


def test_what_the_dockerfile_installs_publishes_as_another_user_and_writes_no_file(
    image: Image, publication: Publication, world: Path
) -> None:
    before, left_before = contents(image.root), left_by(image)
    its = {"BRIDGE_HTTP": f"127.0.0.1:{free_ports(1)[0]}"}  # here other tests have the same address
    process = image.start({**its, "BRIDGE_SOURCE": f"file:{world}", "BRIDGE_STORE": publication.url})
    try:
        deadline = time.monotonic() + PATIENCE
        while sum(path.endswith("/url") for path in publication.published()) < 3:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert user_of(process.pid) == (int(image.user.split(":")[0]) if os.getuid() == 0 else os.getuid())
        assert image.check[:1] == image.entrypoint
        check = image.start(its, *image.check[1:])
        assert check.communicate(timeout=PATIENCE)[1] == ""
        assert check.returncode == 0
        asked = time.monotonic()
        process.send_signal(signal.Signals[image.stop_signal])
        said = process.communicate(timeout=PATIENCE)[1]
        assert time.monotonic() - asked < ENDS_WITHIN
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()
    assert contents(image.root) == before
    assert left_by(image) == left_before


def left_by(image: Image) -> set[Path]:
    """What the image's user has where everybody may write. Where it could not become that user, this is empty."""
    user, found = int(image.user.split(":")[0]), set()
    for place in ("/tmp", "/var/tmp", "/dev/shm"):
        for path in Path(place).glob("*"):
            with suppress(FileNotFoundError):  # others come and go
                if path.lstat().st_uid == user:
                    found.add(path)
    return found


def user_of(process: int) -> int:
    shown = subprocess.run(["ps", "-o", "uid=", "-p", str(process)], capture_output=True, text=True, check=True)
    return int(shown.stdout)


def test_without_a_store_it_says_which_variable_to_give(image: Image) -> None:
    process = image.start({"BRIDGE_HTTP": ""})
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 2
    assert "BRIDGE_STORE" in said


def test_the_image_holds_what_the_bridge_needs_and_nothing_else(image: Image) -> None:
    """Neither pip nor what only a build needs, nor another package that nobody asked for."""
    (packages,) = image.root.glob("opt/bridge/lib/python3*/site-packages")
    found = {canonicalize_name(one.metadata["Name"]): one for one in distributions(path=[str(packages)])}
    ours = canonicalize_name("rancher-traefik-bridge")
    assert needed(ours, found) == found.keys()
    assert found[ours].version == __version__


def needed(
    name: NormalizedName, found: dict[NormalizedName, Distribution], known: frozenset[NormalizedName] = frozenset()
) -> frozenset[NormalizedName]:
    """`name` and all that it asks for, at any remove; each is there in a version that suits."""
    known |= {name}
    for text in found[name].requires or ():
        asked = Requirement(text)
        if asked.marker is None or asked.marker.evaluate({"extra": ""}):
            other = canonicalize_name(asked.name)
            assert asked.specifier.contains(found[other].version), f"{name} asks for {asked}"
            known = known if other in known else needed(other, found, known)
    return known


# What is pinned


def pinned(name: str) -> dict[NormalizedName, tuple[Version, int]]:
    """Version and number of hashes of each package in a requirements file."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            wanted, *hashes = line.split(" --hash=sha256:")
            asked = Requirement(wanted)
            (only,) = asked.specifier
            assert only.operator == "==", line
            found[canonicalize_name(asked.name)] = (Version(only.version), len(hashes))
    return found


def asked_by_setup() -> dict[NormalizedName, Requirement]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    asked = map(Requirement, setup["options"]["install_requires"].split("\n")[1:])
    return {canonicalize_name(one.name): one for one in asked}


def test_each_dependency_of_setup_is_pinned_within_its_range() -> None:
    have, asked = pinned("requirements.txt"), asked_by_setup()
    assert asked.keys() <= have.keys()
    unfit = [name for name, one in asked.items() if not one.specifier.contains(have[name][0])]
    assert not unfit, "run make requirements"


def test_what_builds_is_pinned_within_the_range_that_pyproject_gives() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {canonicalize_name(one.name): one for one in map(Requirement, project["build-system"]["requires"])}
    have = pinned("requirements-build.txt")
    assert have.keys() == asked.keys()
    assert all(one.specifier.contains(have[name][0]) for name, one in asked.items())


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_each_pinned_package_has_hashes_and_no_place_to_fetch_it_from(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert all(hashes for _, hashes in pinned(name).values())
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.M)
    assert "make requirements" in text


# What the Dockerfile says


def said(word: str) -> list[Instruction]:
    return [one for one in instructions(DOCKERFILE) if one.word == word]


def test_all_stages_stand_on_one_slim_python_of_a_pinned_patch_that_the_bridge_runs_on() -> None:
    bases = {stage[0].text.split()[0] for stage in stages(DOCKERFILE)}
    (base,) = bases
    found = re.fullmatch(r"python:(\d+\.\d+\.\d+)-slim-[a-z]+", base)
    assert found, base
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert Requirement(f"python{setup['options']['python_requires']}").specifier.contains(found[1])


def test_the_user_is_a_number_and_not_root() -> None:
    (user,) = said("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user.text)


def test_the_bridge_itself_is_process_1_and_hears_the_signal_that_ends_it() -> None:
    """In the exec form: a shell would keep the signal to itself."""
    assert [one.listed() for one in said("ENTRYPOINT")] == [("bridge",)]
    (command,) = said("CMD")
    assert command.listed()[0] in COMMANDS
    assert [one.text for one in said("STOPSIGNAL")] == ["SIGTERM"]


def test_the_image_asks_itself_whether_it_works_without_a_shell() -> None:
    (check,) = said("HEALTHCHECK")
    *options, command = re.split(r"\s+(?=--|CMD)", check.text)
    assert Instruction("CMD", command.removeprefix("CMD ")).listed() == ("bridge", "healthcheck")
    assert all(re.fullmatch(r"--[a-z-]+=\d+s?", one) for one in options)


def test_a_shell_form_would_be_refused() -> None:
    with pytest.raises(json.JSONDecodeError):
        Instruction("ENTRYPOINT", "bridge run").listed()


def test_each_installation_checks_hashes_or_fetches_nothing() -> None:
    for one in said("RUN"):
        for command in re.split(r"&&|;", one.text):
            if re.match(r"\s*pip\b", command):
                words = command.split()
                assert "--no-deps" in words
                hashed, local = "--require-hashes" in words, words[-1] == "." or "--no-index" in words
                assert hashed or local, command
                assert "wheel" not in words or "--no-build-isolation" in words


def test_every_setting_in_the_image_is_an_option_that_can_be_read() -> None:
    options = {row.variable: row for row in TABLE}
    for one in said("ENV"):
        for name, value in one.pairs().items():
            if name.startswith("BRIDGE_"):
                options[name].parse(value)


def test_the_labels_version_is_the_bridges() -> None:
    (labels,) = said("LABEL")
    assert labels.pairs()["org.opencontainers.image.version"] == __version__


def test_what_is_copied_is_let_through_and_what_is_not_needed_is_not() -> None:
    for one in said("COPY"):
        if "--from=" not in one.text:
            *named, _ = one.text.split()
            for name in named:
                assert (ROOT / name).exists()
                assert let_through(IGNORED, name), name
    assert let_through(IGNORED, "bridge/cli/run.py")
    for name in (".git", ".venv", ".cache", "tests", "compose", "bridge/__pycache__", "bridge/cli/__pycache__"):
        assert not let_through(IGNORED, name), name
