"""Files that somebody named are read to their end, and hold nobody up."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from bridge.config import load
from bridge.model.problem import UsageError
from bridge.stores import files
from bridge.stores.access import Access
from bridge.stores.files import LARGEST, read_file


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path, said = tmp_path / "file", os.urandom(LARGEST)
    path.write_bytes(said)
    assert read_file(str(path)) == said


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """As a shell makes one for <(command)."""
    path, said = tmp_path / "pipe", os.urandom(LARGEST)
    os.mkfifo(path)
    writer = Thread(target=path.write_bytes, args=(said,))
    writer.start()
    assert read_file(str(path)) == said
    writer.join()


def test_a_pipe_that_nobody_writes_into_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it did not end within"):
        read_file(str(tmp_path / "pipe"))


@pytest.mark.parametrize("path", ["/dev/zero", "n\0ul", "/nope", "/"])
def test_what_cannot_be_read_is_a_fault_of_the_option_that_names_it(path: str) -> None:
    with pytest.raises(UsageError) as found:
        Access(ca=path).loaded()
    assert (found.value.thing, found.value.value) == ("--store-ca", path)
    with pytest.raises(UsageError, match="--config"):
        load("sync", {"config": path}, {})


def test_a_mark_at_the_beginning_of_a_file_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text('cluster = "berlin"', encoding="utf-8-sig")
    assert load("sync", {"config": str(path)}, {}).said["cluster"].text == "berlin"
