"""Source `file`: a saved answer of the metadata service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bridge.model.problem import UsageError
from bridge.model.world import Snapshot
from bridge.sources.base import SourceError
from bridge.sources.document import snapshot


@dataclass(frozen=True, slots=True)
class FileSource:
    """One file, read afresh each time."""

    url: str
    path: Path

    def read(self) -> Snapshot:
        """The file's world. Raises SourceError where the file cannot be read or holds none."""
        try:
            data = self.path.read_bytes()
        except OSError as err:
            why = (err.strerror or str(err)).lower()
            raise SourceError("source", self.url, f"{why}; name a file that holds a metadata document") from err
        return snapshot(data, self.url)


def from_url(url: str) -> FileSource:
    """The source for `file:PATH` or `file:///PATH`. Raises UsageError where that names no path."""
    path = url.removeprefix("file:")
    if path.startswith("///"):
        path = path.removeprefix("//")
    if not path or path.startswith("//") or "\0" in path:
        raise UsageError("--source", url, "names no file; use file:PATH or file:///PATH")
    return FileSource(url, Path(path))
