"""Does what a Dockerfile says in an empty folder, where no Docker is. It knows what ours uses, and refuses the rest."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# A path that begins at the root: not the slash inside another path, nor the two of an address.
_ABSOLUTE = re.compile(r"(?<![\w./:$}-])/(?=[a-z])")
_PATIENCE = 600.0  # seconds for one RUN, which may fetch


@dataclass(frozen=True)
class Instruction:
    """One of a Dockerfile: RUN and what is to be run."""

    word: str
    text: str

    def listed(self) -> tuple[str, ...]:
        """The words of its exec form. Raises ValueError for the shell form, by which a shell would be process 1."""
        words = json.loads(self.text)
        return tuple(str(word) for word in words)

    def pairs(self) -> dict[str, str]:
        """What ENV or LABEL sets."""
        return dict(pair.split("=", 1) for pair in shlex.split(self.text))


def instructions(text: str) -> list[Instruction]:
    """All of a Dockerfile, continued lines joined."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    found = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return [Instruction(word.upper(), " ".join(rest.split())) for word, rest in found]


def stages(text: str) -> list[list[Instruction]]:
    """Each begins with its FROM."""
    found: list[list[Instruction]] = []
    for one in instructions(text):
        if one.word == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def let_through(patterns: Sequence[str], path: str) -> bool:
    """Whether .dockerignore lets `path` (relative, with slashes) be copied. The last pattern that matches decides."""
    parts = path.split("/")
    kept = True
    for pattern in patterns:
        negated, name = pattern.startswith("!"), pattern.removeprefix("!")
        anywhere, name = name.startswith("**/"), name.removeprefix("**/")
        if "/" in name:
            raise ValueError(f"{pattern}: write what it should mean here first")
        if any(fnmatch.fnmatchcase(part, name) for part in (parts if anywhere else parts[:1])):
            kept = negated
    return kept


def ignore_patterns(text: str) -> list[str]:
    """The lines of a .dockerignore that say something."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@dataclass
class Image:
    """What an image would be: a folder that stands for its root, and how it is started."""

    root: Path
    environment: dict[str, str]
    workdir: str = "/"
    user: str = ""
    stop_signal: str = "SIGTERM"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    check: tuple[str, ...] = ()  # what asks whether it is well
    labels: dict[str, str] = field(default_factory=dict)

    def below(self, path: str) -> Path:
        """Where `path` of the image lies on this machine."""
        return self.root / self.workdir.lstrip("/") / path if not path.startswith("/") else self.root / path.lstrip("/")

    def start(self, variables: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
        """As a container would be: another user where we may become one, no home, and no file may grow."""
        environment = {**self.environment, **variables}
        program = shutil.which(self.entrypoint[0], path=environment["PATH"])
        assert program is not None, f"{self.entrypoint[0]} is not on {environment['PATH']}"
        user, group = map(int, self.user.split(":")) if os.getuid() == 0 else (None, None)
        # To no file more than 0 bytes: what a read-only root refuses must not be tried in another folder either.
        return subprocess.Popen(
            ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", program, *self.entrypoint[1:], *(arguments or self.command)],
            env=environment,
            cwd=self.below("."),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            user=user,
            group=group,
            extra_groups=None if user is None else (),
        )


@dataclass
class Builder:
    """Plays a Dockerfile. All stages have the same root, one after the other, as they have in images."""

    folder: Path  # empty, and reachable for everybody
    context: Path
    ignored: list[str]
    _stages: dict[str, Path] = field(default_factory=dict)  # roots of stages that are done, by name

    def build(self, text: str) -> Image:
        """The last stage. Raises AssertionError with what a RUN said, ValueError for what is not known here."""
        interpreter = python_for_all(self.folder / "python")
        root, base = self.folder / "root", self.folder / "base"
        found = stages(text)
        environment = make_base(root, interpreter)
        shutil.copytree(root, base, symlinks=True)
        for number, stage in enumerate(found):
            if number:
                shutil.copytree(base, root, symlinks=True)
            image = Image(root, dict(environment))
            for one in stage[1:]:
                self._do(one, image)
            if number < len(found) - 1:
                name = stage[0].text.split()[-1]
                self._stages[name] = root.rename(self.folder / f"stage-{name}")
        for path in self._stages.values():  # an image does not have them either
            shutil.rmtree(path)
        return image

    def _do(self, one: Instruction, image: Image) -> None:
        match one.word:
            case "RUN":
                run(image, one.text)
            case "COPY":
                self._copy(one.text.split(), image)
            case "WORKDIR":
                image.workdir = one.text
                image.below(".").mkdir(parents=True, exist_ok=True)
            case "ENV":
                image.environment.update(dict(set_in(image, one)))
            case "LABEL":
                image.labels.update(one.pairs())
            case "USER":
                image.user = one.text
            case "STOPSIGNAL":
                image.stop_signal = one.text
            case "ENTRYPOINT":
                image.entrypoint = one.listed()
            case "CMD":
                image.command = one.listed()
            case "HEALTHCHECK":
                image.check = Instruction("CMD", one.text.partition("CMD ")[2]).listed()
            case _:
                raise ValueError(f"{one.word}: write what it should do here first")

    def _copy(self, words: list[str], image: Image) -> None:
        """A folder's contents go into the target, a file into it, as COPY has it."""
        *named, target = [word for word in words if not word.startswith("--")]
        stage = next((word.removeprefix("--from=") for word in words if word.startswith("--from=")), None)
        for name in named:
            source = self._stages[stage] / name.lstrip("/") if stage else self.context / name
            goal = image.below(target)
            if not source.is_dir():
                goal.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, goal)
            elif stage:
                shutil.copytree(source, goal, symlinks=True)
            else:
                shutil.copytree(source, goal, symlinks=True, ignore=self._left_out)

    def _left_out(self, folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(self.context)
        return {name for name in names if not let_through(self.ignored, (inside / name).as_posix())}


def make_base(root: Path, interpreter: Path) -> dict[str, str]:
    """What stands for python:…-slim: an empty /usr/local with Python and pip, and the variables that go with it."""
    home = root / "usr" / "local"
    environment = {"PATH": f"{home / 'bin'}:/usr/bin:/bin"}
    if interpreter != Path(sys.executable).resolve():
        environment["LD_LIBRARY_PATH"] = str(interpreter.parent.parent / "lib")
    subprocess.run([interpreter, "-m", "venv", home], env=os.environ | environment, check=True, capture_output=True)
    return environment


def run(image: Image, command: str) -> None:
    """A RUN. Only here the machine's own settings of pip hold."""
    done = subprocess.run(
        ["sh", "-euc", _ABSOLUTE.sub(f"{image.root}/", command)],
        cwd=image.below("."),
        env={name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")} | image.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE,
    )
    assert done.returncode == 0, f"RUN {command}\n{done.stdout[-3000:]}"


def set_in(image: Image, one: Instruction) -> Iterator[tuple[str, str]]:
    """What ENV sets: its $PATH is the one that was, its paths lie below the root."""
    for name, value in one.pairs().items():
        placed = _ABSOLUTE.sub(f"{image.root}/", value)
        yield name, re.sub(r"\$(\w+)", lambda found: image.environment[found[1]], placed)


def python_for_all(folder: Path) -> Path:
    """The Python that runs the tests; a copy in `folder` where others cannot reach it, as in root's home."""
    found = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & 0o001 for parent in found.parents):
        return found
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = found.parent.parent
    shutil.copytree(
        prefix / "lib" / version,
        folder / "lib" / version,
        ignore=shutil.ignore_patterns("config-*", "idlelib", "site-packages", "test", "tkinter"),
    )
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, folder / "lib")
    (folder / "bin").mkdir()
    return Path(shutil.copy2(found, folder / "bin" / version))


def lock(root: Path) -> None:
    """Nobody may write below `root`."""
    _change(root, lambda mode: mode & ~0o222)


def unlock(root: Path) -> None:
    """Its owner may again, so that it can be removed."""
    _change(root, lambda mode: mode | 0o200)


def _change(root: Path, mode: Callable[[int], int]) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(mode(path.stat().st_mode & 0o7777))


def contents(root: Path) -> dict[str, tuple[int, int, int]]:
    """All that is below `root`: kind and rights, size, and when it was written."""
    found = ((path, path.lstat()) for path in root.rglob("*"))
    return {str(path): (at.st_mode, at.st_size, at.st_mtime_ns) for path, at in found}
