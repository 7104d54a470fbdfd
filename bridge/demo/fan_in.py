"""Two clusters on one store, step by step: they share a backend, one is drained, and one dies."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping

from bridge.demo.ledger import RECORDS, TRAEFIK3
from bridge.demo.metadata import Metadata
from bridge.demo.plot import Plot
from bridge.demo.stage import Stage
from bridge.demo.tell import INDENT, changes, listed, number, result, say
from bridge.demo.world import HOSTS, World, asked_as, labels
from bridge.model.change import Item, Reading

SERVICE, EAST, WEST = "web-test", "east", "west"
WORLDS = {
    EAST: World(frozenset({"web-test-1", "web-test-2"})),
    WEST: World(frozenset({"web-test-3", "web-test-4"}), environment="e1c75b28-40da-4f96-b3a7-5d08f2946c00"),
}
BOTH = WORLDS[EAST].running | WORLDS[WEST].running
TTL = 10  # seconds; usually five minutes, so that nobody has to wait for long
QUIET = 50  # rounds of requests, of which a cluster that gets nothing more must get none


class FanIn:
    """The steps in the order in which they are told. Each raises BridgeError where something is not as it says."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.plot = Plot(stage)
        self.ledger = self.plot.ledger
        second = WORLDS[WEST].document(stage.containers.ports)
        self._west = stage.ending.enter_context(Metadata(second, HOSTS))  # the first world's is the stage's

    def tell(self) -> None:
        """From the first key to the last."""
        say("Two Rancher environments share one store, and one Traefik 3 serves both:")
        self.introduce()
        self.publish()
        self.join()
        self.see()
        self.drain()
        self.undrain()
        self.kill()
        self.plot.leave("--cluster", WEST)

    # The steps

    def introduce(self) -> None:
        """What plays along."""
        stage = self.stage
        stage.containers.start(WORLDS[WEST].running)
        stage.title("A real etcd, and two Rancher worlds with a metadata service each")
        result(f"etcd {stage.etcd.version} listens on {stage.etcd.endpoint}", stage.etcd_took)
        for cluster, source in ((EAST, stage.metadata.url), (WEST, self._west.url)):
            result(f"{cluster}: {source}, containers {listed(WORLDS[cluster].running)}")
        result("  ".join(f"{name}={value}" for name, value in labels(SERVICE).items()))
        say("", *(f"{INDENT}export {name}={value}" for name, value in stage.variables().items()))

    def publish(self) -> None:
        """The first cluster, and the first answer."""
        began = time.monotonic()
        self.stage.title(f"Cluster {EAST} publishes", self._start(EAST))
        keys = self.ledger.published(TRAEFIK3, WORLDS[EAST])
        result(f"{len(keys)} keys in 1 transaction", time.monotonic() - began)
        traffic = self.plot.open(asked_as(SERVICE))
        traffic.once(lambda found: bool(found.who), "Traefik serves")
        result(f"Traefik {traffic.traefik.version} listens on {traffic.traefik.web} and serves it")
        traffic.begin()
        began = time.monotonic()
        traffic.joined(WORLDS[EAST].running, began)
        self._counted(EAST)

    def join(self) -> None:
        """The second cluster brings its servers into the same backend."""
        began = time.monotonic()
        self.stage.title(f"Cluster {WEST} joins", self._start(WEST, "--source", self._west.url))
        self._comes(WEST, began)

    def see(self) -> None:
        """Both are there."""
        self._clusters({EAST, WEST})

    def drain(self) -> None:
        """A cluster gets nothing more, and goes on running."""
        began = time.monotonic()
        self._say("drain", f"Cluster {EAST} is drained")
        self._goes(EAST, began)

    def undrain(self) -> None:
        """And gets requests again."""
        began = time.monotonic()
        self._say("undrain", f"Cluster {EAST} is undrained")
        self._comes(EAST, began)

    def kill(self) -> None:
        """A cluster's only bridge dies, its lease ends, and at last its containers stop."""
        began = time.monotonic()
        self.stage.title(f"kill -9 ends the bridge of {EAST}, and nobody starts it again")
        self.stage.bridges.pop(EAST).end(signal.SIGKILL)
        self._goes(EAST, began, f"its lease of {TTL} s has ended")
        self.ledger.last = self.ledger.until(_has_forgotten(EAST), f"{EAST}'s records have ended")
        self.stage.containers.stop(WORLDS[EAST].running)
        self.plot.traffic.pause(QUIET)
        result("its containers stop, and nobody misses them:")
        self._counted(WEST)
        self._clusters({WEST})

    # Claims

    def _start(self, cluster: str, *more: str) -> str:
        """Its bridge, as the replica of its name."""
        return self.stage.start(cluster, self.ledger.layouts, "--cluster", cluster, "--ttl", str(TTL), *more)

    def _say(self, command: str, text: str) -> None:
        """An operator's word about the first cluster."""
        arguments = [command, "--layout", self.ledger.layouts, "--cluster", EAST]
        self.stage.title(text, " ".join(("bridge", *arguments)))
        for line in self.stage.run_bridge(*arguments):
            result(line)

    def _clusters(self, expected: set[str]) -> None:
        """Who publishes: these, each led by its own replica, and nobody else."""
        arguments = ["clusters", "--layout", self.ledger.layouts]
        self.stage.title("Who publishes here?", " ".join(("bridge", *arguments)))
        lines = self.stage.run_bridge(*arguments)
        fits = lines[0].index("  version")  # the columns from there on are too many for a terminal's
        say(*(f"{INDENT}{line[:fits].rstrip()}" for line in lines))
        named = {line.split()[0] for line in lines if line.strip()} & WORLDS.keys()
        self.stage.check(named == expected, f"it names {listed(named) if named else 'nobody'}")

    def _comes(self, cluster: str, began: float) -> None:
        """Its servers stand in the one backend, nothing else has changed, and both clusters' answer."""
        before, count = self.ledger.last, len(WORLDS[cluster].running)
        told = self.ledger.comes(lambda keys: len(_urls(keys, cluster)) == count, f"{cluster} is in", f"{cluster}--")
        result(f"{number(count, 'server')} more in one backend: {told}", time.monotonic() - began)
        say(*changes(self.ledger.marks(before)))
        seconds = self.plot.traffic.joined(BOTH, began)
        result("both clusters answer", seconds)
        self.plot.traffic.pause(QUIET)
        self._counted(EAST, WEST)

    def _goes(self, cluster: str, began: float, why: str = "its servers are gone") -> None:
        """Its servers leave the backend, nothing else changes, and they get nothing more."""
        told = self.ledger.comes(lambda keys: not _urls(keys, cluster), f"{cluster} is out", f"{cluster}--")
        result(f"{why}: {told}", time.monotonic() - began)
        (other,) = WORLDS.keys() - {cluster}
        seconds = self.plot.traffic.left(WORLDS[cluster].running, len(WORLDS[other].running), began, QUIET)
        result(f"Traefik leaves {cluster} out", seconds)
        self._counted(EAST, WEST)
        self.plot.traffic.pause(QUIET)
        self._counted(other)

    def _counted(self, *clusters: str) -> None:
        """Who answered since the last count: each of these clusters, and no other."""
        visits = self.plot.traffic.account()
        answered = {name: sum(one.who in world.running for one in visits) for name, world in WORLDS.items()}
        told = ", ".join(f"{name} answered {count}" for name, count in answered.items())
        strange = {name for name, count in answered.items() if (count > 0) != (name in clusters)}
        self.stage.check(not strange, f"of {number(len(visits), 'request')} {told}")
        result(f"{number(len(visits), 'request')}, 0 failed: {told}")


def _urls(keys: Mapping[str, Item], cluster: str) -> set[str]:
    """Of its servers."""
    return {path for path in keys if f"/servers/{cluster}--" in path and path.endswith("/url")}


def _has_forgotten(cluster: str) -> Callable[[Reading], bool]:
    """Whether nothing of it stands any more, were it the word of who leads."""
    return lambda seen: not any(key.startswith(f"{RECORDS}c/{cluster}/") for key in seen.items)
