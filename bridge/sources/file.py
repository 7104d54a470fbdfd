"""Source `file`: a saved answer of the metadata service."""

from __future__ import annotations

import time
from collections.abc import Iterator, Set
from pathlib import Path
from threading import Event

from bridge.model.problem import UsageError
from bridge.model.world import Snapshot
from bridge.sources.base import SourceError
from bridge.sources.document import Reader

LOOK = 1.0  # seconds between two looks at the file
BEAT = 60.0  # seconds after which it is read afresh though it looks the same: a clock may be too coarse for two writes


class FileSource:
    """One file, read afresh each time: the answer of /2016-07-29/stacks, or of /2016-07-29, which has hosts too."""

    def __init__(self, url: str, path: Path, named: Set[str] = frozenset()) -> None:
        self.url, self._path = url, path
        self._reader = Reader(named)
        self._closed = Event()

    def read(self) -> Snapshot:
        """The file's world. Raises SourceError where the file cannot be read or holds none."""
        try:
            data = self._path.read_bytes()
        except OSError as err:
            raise self._unreadable(err) from err
        return self._reader.snapshot(data, self.url)

    def changes(self) -> Iterator[Snapshot]:
        """As `Source` says; `close` ends it at once. A file that is half written is an error, and soon read again."""
        known: Snapshot | None = None
        looked: tuple[int, int, int] | None = None
        read_at = 0.0
        while not self._closed.is_set():
            look, due = self._look(), time.monotonic() >= read_at + BEAT
            if look != looked or due:
                # The look came first: what is written while we read looks different the next time.
                seen, read_at, looked = self.read(), time.monotonic(), look
                if due or seen != known:
                    known = seen
                    yield seen
            self._closed.wait(LOOK)

    def close(self) -> None:
        """As `Source` says."""
        self._closed.set()

    def _look(self) -> tuple[int, int, int]:
        """What differs when the file was written or replaced. Raises SourceError."""
        try:
            found = self._path.stat()
        except OSError as err:
            raise self._unreadable(err) from err
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _unreadable(self, err: OSError) -> SourceError:
        why = (err.strerror or str(err)).lower()
        return SourceError("source", self.url, f"{why}; name a file that holds a metadata document")


def from_url(url: str, *, hosts: bool, named: Set[str] = frozenset()) -> FileSource:  # noqa: ARG001  # a file holds hosts or none
    """The source for `file:PATH` or `file:///PATH`. Raises UsageError where that names no path."""
    path = url.removeprefix("file:")
    if path.startswith("///"):
        path = path.removeprefix("//")
    if not path or path.startswith("//") or "\0" in path:
        raise UsageError("--source", url, "names no file; use file:PATH or file:///PATH")
    return FileSource(url, Path(path), named)
