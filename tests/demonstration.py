"""The demonstration as tests run it, and what it leaves behind."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEMO = (sys.executable, "-m", "bridge", "demo")
LIMIT = 60  # seconds


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Ours, with a folder for temporary files."""
    return {**os.environ, "TMPDIR": str(folder), **more}


def endpoints(text: str) -> list[tuple[str, int]]:
    """Where its servers listened, as far as it told."""
    found = re.findall(r"(127\.0\.0\.1):(\d+)", text)
    return sorted({(host, int(port)) for host, port in found})


def answers(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def at_work(folder: Path) -> set[int]:
    """The processes that run in a folder, or below it, as far as the system tells: Linux does."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "cwd").readlink()
        except OSError:  # somebody else's, or it has ended
            continue
        if folder in (where, *where.parents):
            found.add(int(process.name))
    return found
