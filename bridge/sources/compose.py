"""Source `compose`: a stack's docker-compose.yml and rancher-compose.yml, before anything of them runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Set
from pathlib import Path
from threading import Event

from bridge.model.problem import UsageError
from bridge.model.world import Snapshot
from bridge.sources.base import Place, SourceError
from bridge.sources.composed import NOTHING, Files, Found, defaults, made_up_hosts, read_stack, services_of
from bridge.sources.yamltree import NotReadable, Tree, parse

COMPOSE, RANCHER = "docker-compose", "rancher-compose"
ENDINGS = (".yml", ".yaml")
LARGEST = 4 * 1024 * 1024  # bytes of a file

# A line of Go's template language, in which catalogs write their files. A brace elsewhere may be anybody's.
_TEMPLATE = re.compile(r"\{\{-?\s*(?:if|else|end|range|with|define|template|block|/\*|\.Values\.|\.Stack)")


class ComposeSource:
    """A folder with a stack's files, or one with such folders. Variables come from the environment of the process."""

    def __init__(self, url: str, folder: Path, stack: str, named: Set[str] = frozenset()) -> None:
        self.url, self._folder, self._stack, self._named = url, folder, stack, named
        self._closed = Event()
        self._found = Found()

    def read(self) -> Snapshot:
        """As `Source` says. Raises SourceError, which names the file and the line."""
        found = Found()
        for name, folder in self._stacks():
            self._read_stack(name.lower(), folder, found)
        self._found = found
        return Snapshot(
            services=tuple(sorted(found.services, key=lambda one: (one.stack, one.name, one.stack_uuid, one.uuid))),
            environment="",
            problems=tuple(sorted(set(found.problems))),
            hosts=made_up_hosts(),
        )

    def changes(self) -> Iterator[Snapshot]:
        """The world once: nothing follows files that are not deployed. Raises SourceError."""
        yield self.read()
        self._closed.wait()

    def close(self) -> None:
        """As `Source` says."""
        self._closed.set()

    def locate(self, service: str, label: str) -> Place | None:
        """Where the label of a service (stack/name) stands in what was read last, or else the service."""
        places = self._found.places
        return places.get((service, label)) or places.get((service, ""))

    def _stacks(self) -> list[tuple[str, Path]]:
        """The stacks' names and folders."""
        if not self._folder.is_dir():
            raise self._error("there is no such folder; name one with a docker-compose.yml in it")
        if self._has_files(self._folder):
            return [(self._stack or self._folder.resolve().name, self._folder)]
        try:
            below = [(one.name, one) for one in sorted(self._folder.iterdir()) if one.is_dir() and self._has_files(one)]
        except OSError as err:
            raise self._error(f"{(err.strerror or str(err)).lower()}; name a folder that can be read") from err
        if not below:
            raise self._error("no docker-compose.yml stands in it, nor in a folder of it; name a stack's folder")
        if self._stack:
            raise self._error("?stack= names one stack, and here are several; name the folder of one")
        return below

    @staticmethod
    def _has_files(folder: Path) -> bool:
        return any((folder / f"{COMPOSE}{ending}").exists() for ending in (*ENDINGS, ".yml.tpl", ".yaml.tpl"))

    def _read_stack(self, name: str, folder: Path, found: Found) -> None:
        compose_file, compose = self._file(folder, COMPOSE)
        rancher_file, rancher = self._file(folder, RANCHER)
        file = compose_file
        try:
            services = services_of(compose)
            file = rancher_file
            more = services_of(rancher)
            file = compose_file
            values = {**defaults(rancher), **os.environ}
            read_stack(Files(name, services, more, str(compose_file), str(rancher_file), values, self._named), found)
        except NotReadable as err:
            raise self._at(file, err) from err

    def _file(self, folder: Path, name: str) -> tuple[Path, Tree]:
        """A file's path and tree; NOTHING where it is not there."""
        there = [path for ending in ENDINGS if (path := folder / f"{name}{ending}").exists()]
        if len(there) > 1:
            raise self._error(f"{there[0]} and {there[1]} both stand there; delete one of them")
        if not there:
            template = next((path for ending in ENDINGS if (path := folder / f"{name}{ending}.tpl").exists()), None)
            if template:
                raise self._error(f"{template} is a template; render it first, as Rancher's catalog does")
            return folder / f"{name}.yml", NOTHING
        try:
            text = self._text(there[0])
            return there[0], parse(text)
        except NotReadable as err:
            raise self._at(there[0], err) from err

    def _text(self, path: Path) -> str:
        """Raises NotReadable."""
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as err:
            raise NotReadable((err.strerror or str(err)).lower(), 1) from err
        if len(data) > LARGEST:
            raise NotReadable(f"is larger than {LARGEST} bytes", 1)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as err:
            raise NotReadable("is no UTF-8", data.count(b"\n", 0, err.start) + 1) from err
        if template := _TEMPLATE.search(text):
            line = text.count("\n", 0, template.start()) + 1
            raise NotReadable("holds Go's template language; render it first, as Rancher's catalog does", line)
        return text

    def _at(self, path: Path, err: NotReadable) -> SourceError:
        return SourceError("source", self.url, f"{path}, line {err.line}: {err.reason}")

    def _error(self, why: str) -> SourceError:
        return SourceError("source", self.url, why)


def from_url(url: str, *, hosts: bool, named: Set[str] = frozenset()) -> ComposeSource:  # noqa: ARG001  # hosts are made up anyway
    """The source for `compose:DIR` or `compose:DIR?stack=NAME`. Raises UsageError where that names no folder."""
    path, _, query = url.removeprefix("compose:").partition("?")
    if path.startswith("///"):
        path = path.removeprefix("//")
    name, _, stack = query.partition("=")
    if not path or path.startswith("//") or "\0" in url or (query and (name != "stack" or not stack)):
        raise UsageError("--source", url, "use compose:DIR or compose:DIR?stack=NAME")
    return ComposeSource(url, Path(path), stack, named)
