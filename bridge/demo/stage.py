"""What the story plays on: the store, the world, what runs, and patience with all of them."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bridge.demo.children import Child, Children
from bridge.demo.containers import Containers
from bridge.demo.etcd import Etcd, start_etcd
from bridge.demo.metadata import Metadata
from bridge.demo.tell import quote, title
from bridge.demo.traefik import find_traefik
from bridge.demo.world import CONTAINERS, HOSTS, World
from bridge.model.problem import BridgeError

PREFIX = "traefik"  # of the store's URL, and of the first layout
PATIENCE = 30.0  # seconds for whatever shall happen; a machine that is busy with other things too
GRACE = 1.0  # seconds from a container's last key to its end: Traefik's throttle, and time for what it was asked
LOOK = 0.01  # seconds between two looks at the store: how exact the times are

T = TypeVar("T")
_MOMENT = re.compile(r"^\S+ \S+ [A-Z]+ ")  # before what a line of the log says


@dataclass(slots=True)
class Stage:
    """All that plays along. What raises, raises BridgeError."""

    ending: ExitStack  # what ends with it
    children: Children
    metadata: Metadata
    containers: Containers
    traefik: str  # its binary; it starts when there is something to read
    etcd: Etcd
    etcd_took: float  # seconds from its start to its first answer
    step: int = 0
    bridges: dict[str, Child] = field(default_factory=dict)  # that shall run, by replica

    @property
    def url(self) -> str:
        """The store's, with Traefik's prefix."""
        return f"etcd://{self.etcd.endpoint}/{PREFIX}"

    def variables(self) -> dict[str, str]:
        """What the bridges are told. The last two are less than usual, so that nobody has to wait for long."""
        return {
            "BRIDGE_SOURCE": self.metadata.url,
            "BRIDGE_STORE": self.url,
            "BRIDGE_ADDRESS": "host",
            "BRIDGE_CONFIRM": "1",
            "BRIDGE_READ_TIME": "2",
        }

    def show(self, world: World) -> None:
        """Rancher has this world now. Who left it goes on until somebody stops it."""
        self.containers.start(world.running)
        self.metadata.show(world.document(self.containers.ports))

    # Bridges

    def start(self, replica: str, layout: str, *more: str) -> str:
        """One more `bridge run`, with more arguments where there are some; the command as a user would give it."""
        arguments = ["run", "--replica", replica, "--layout", layout, *more]
        self.bridges[replica] = self.start_bridge(f"replica {replica}", arguments)
        return " ".join(("bridge", *arguments))

    def start_bridge(self, name: str, arguments: list[str]) -> Child:
        """A bridge that may end when it likes."""
        return self.children.start_bridge(name, arguments, self.variables())

    def run_bridge(self, *arguments: str) -> list[str]:
        """What a bridge said that did its work and ended."""
        child = self.start_bridge(arguments[0], [*arguments])
        code = child.wait(PATIENCE)
        self.check(code == 0, f"{arguments[0]} ended with code {code}: {' '.join(child.lines())}")
        return child.lines()

    def end(self, replica: str) -> None:
        """One less, in order."""
        code = self.bridges.pop(replica).end(signal.SIGTERM)
        self.check(code == 0, f"replica {replica} ended with code {code}")

    def hear(self, replica: str, text: str, times: int = 1) -> str:
        """The line of a bridge's log that says `text` for the so-manieth time, once it is there."""

        def heard() -> str | None:
            said = [line for line in self.bridges[replica].lines() if text in line]
            return said[times - 1] if len(said) >= times else None

        return self.wait(heard, f"replica {replica} says {text!r}")

    def quote(self, replica: str, text: str) -> None:
        """Print that line."""
        quote(f"{replica}: {_MOMENT.sub('', self.hear(replica, text))}")

    # Claims

    def title(self, text: str, command: str = "") -> None:
        """The next step."""
        self.step += 1
        title(self.step, text, command)

    def wait(self, find: Callable[[], T | None], what: str) -> T:
        """What is found, once it is. Raises also where a bridge ended by itself."""
        until = time.monotonic() + PATIENCE
        while (found := find()) is None:
            self.check_bridges()
            if time.monotonic() > until:
                raise self.fault(f"{what}: not within {PATIENCE:.0f} s; last was said: {self._last_words()}")
            time.sleep(LOOK)
        return found

    def check_bridges(self) -> None:
        """Those that shall run do."""
        ended = [bridge.name for bridge in self.bridges.values() if bridge.has_ended()]
        if ended:
            raise self.fault(f"{' and '.join(ended)} ended unasked; last was said: {self._last_words()}")

    def check(self, holds: bool, otherwise: str) -> None:
        """A claim."""
        if not holds:
            raise self.fault(f"{otherwise}; this is a fault of the bridge, please report it")

    def fault(self, text: str) -> BridgeError:
        """What ends the demonstration."""
        return BridgeError(f"step {self.step} of the demonstration", "", text)

    def _last_words(self) -> str:
        return "; ".join(line for bridge in self.bridges.values() for line in bridge.lines()[-1:]) or "nothing"


@contextmanager
def stage(folder: Path, first: World) -> Iterator[Stage]:
    """A real etcd, and a metadata service that shows the first world. Raises BridgeError."""
    traefik = find_traefik()
    with ExitStack() as ending:
        containers = ending.enter_context(Containers(CONTAINERS))
        containers.start(first.running)
        metadata = ending.enter_context(Metadata(first.document(containers.ports), HOSTS))
        children = ending.enter_context(Children(folder))
        began = time.monotonic()
        etcd = start_etcd(children)
        yield Stage(ending, children, metadata, containers, traefik, etcd, time.monotonic() - began)
