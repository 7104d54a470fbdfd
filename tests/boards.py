"""Boards of real loops: each reads worlds by hand and writes to a store in memory, in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Thread

from bridge import __version__
from bridge.daemon.gate import Manners
from bridge.daemon.loop import Loop
from bridge.layouts import layout
from bridge.model.keys import Publisher, records_prefix
from bridge.model.world import Snapshot
from bridge.routes import Policy
from bridge.sources.base import SourceError
from bridge.stores.memory import Memory, MemoryServer
from bridge.web.board import Board, Publishes
from bridge.writer import Settings
from tests.test_run_etcd import eventually


@dataclass
class ByHand:
    """A source that shows what `tell` was given last."""

    told: list[Snapshot | SourceError] = field(default_factory=list)
    url = "hand:"
    closed: Event = field(default_factory=Event)

    def read(self) -> Snapshot:
        return next(one for one in reversed(self.told) if isinstance(one, Snapshot))

    def changes(self) -> Iterator[Snapshot]:
        at = 0
        while not self.closed.is_set():
            if at == len(self.told):
                self.closed.wait(0.01)
                continue
            at += 1
            one = self.told[at - 1]
            if isinstance(one, SourceError):
                raise one
            yield one

    def close(self) -> None:
        self.closed.set()


@dataclass
class Stage:
    """Loops, their board, and what they read."""

    board: Board
    told: list[Snapshot | SourceError]  # what the source says, one after the other
    server: MemoryServer

    def shows(self, world: Snapshot) -> None:
        """The source says this, and all have taken it up."""
        self.told.append(world)
        for one in self.board.publishers:
            eventually(partial(_knows, one, world))


def _knows(one: Publishes, world: Snapshot) -> bool:
    status = one.status
    return status.decided is not None and status.decided.snapshot == world and status.synced_at is not None


AT_ONCE = Manners(settle=0.0, confirm=0.0)


@contextmanager
def running(
    world: Snapshot | None,
    *,
    layouts: Sequence[str] = ("traefik1",),
    cluster: str = "default",
    replica: str = "host-1",
    manners: Manners = AT_ONCE,
    server: MemoryServer | None = None,
) -> Iterator[Stage]:
    """One loop a layout, each of which has taken up `world`; without one the source says nothing yet.

    `server`: where others publish too.
    """
    server, told = server or MemoryServer(), list[Snapshot | SourceError]()
    loops = [_loop(name, Policy(cluster), replica, manners, server, told) for name in layouts]
    stage = Stage(Board(__version__, tuple(loops)), told, server)
    with ExitStack() as stack:
        for loop in loops:
            thread = Thread(target=loop.run, daemon=True)
            thread.start()
            stack.callback(thread.join, 30)
            stack.callback(loop.stop)
        if world is not None:
            stage.shows(world)
        yield stage


def _loop(
    name: str, policy: Policy, replica: str, manners: Manners, server: MemoryServer, told: list[Snapshot | SourceError]
) -> Loop:
    prefix = {"traefik1": "traefik", "traefik3": "v3/traefik"}[name]
    chosen = layout(name)
    publisher = Publisher(chosen, chosen.tree_prefix(prefix, "etcd"), records_prefix(prefix), policy.cluster)
    settings = Settings(publisher, "", __version__, 300, replica, f"token-{replica}-{name}", read_time=0.0)
    return Loop(lambda: ByHand(told), lambda: Memory(server), settings, policy, chosen, manners)
