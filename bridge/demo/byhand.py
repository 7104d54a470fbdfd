"""The world changes by hand, while the demonstration is kept."""

from __future__ import annotations

import time
from threading import Lock

from bridge.demo.stage import GRACE, Stage
from bridge.demo.tell import listed
from bridge.demo.world import CONTAINERS, World


class ByHand:
    """What becomes of containers at somebody's word."""

    def __init__(self, stage: Stage, world: World) -> None:
        self._stage, self._world = stage, world
        self._lock = Lock()  # each word comes in a thread of its own

    def __call__(self, name: str, word: str) -> str:
        """What became of it. Raises ValueError for what is no container or no word."""
        if name not in CONTAINERS:
            raise ValueError(f"{name!r} is no container: name {listed(CONTAINERS, 'or')}")
        with self._lock:
            running, sick = self._world.running, self._world.unhealthy
            match word:
                case "healthy":
                    self._world = World(running | {name}, sick - {name})
                case "unhealthy":
                    self._world = World(running | {name}, sick | {name})
                case "stopped":
                    self._world = World(running - {name}, sick - {name})
                case _:
                    raise ValueError(f"{word!r} is nothing that it can be: say healthy, unhealthy or stopped")
            self._stage.show(self._world)
            if word == "stopped":
                time.sleep(GRACE)
                self._stage.containers.stop([name])
        return f"{name} is {word}"
