"""Runs the program in the test's own process."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bridge.cli import main


@dataclass(frozen=True)
class Ran:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """What it printed, which is one object and nothing else."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    def rows(self, name: str) -> list[dict[str, object]]:
        """A list of objects in what it printed."""
        found = self.json[name]
        assert isinstance(found, list)
        return found


Bridge = Callable[..., Ran]


def silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """A fixture: the program, in an environment that says nothing to it."""
    for name in os.environ:
        if name.startswith("BRIDGE_"):
            monkeypatch.delenv(name)

    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # `run` has its own

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        root = logging.getLogger()
        handlers = root.handlers[:]
        try:
            code = main(arguments)
        finally:  # the log of `run` goes to what is captured now: the next test's threads would write to a closed file
            root.handlers[:] = handlers
            logging.captureWarnings(False)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run
