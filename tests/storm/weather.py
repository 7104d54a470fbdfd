"""What happens to five clusters by chance."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.storm.town import DOMAIN, PLAIN, STACK, STEADY, Cluster, Labels, Load, Town, host, town

NAMES = ("a", "b", "c", "d", "e")
TTL = {"etcd": 3, "consul": 4}  # seconds; a Consul's session takes up to twice what it is asked for
GOES_LATE = 2.0  # seconds, at most, that a lease outlives its TTL
METHOD: Labels = {"traefik.backend.loadbalancer.method": "wrr"}  # the default is another
ALIAS: Labels = {"traefik.alias": "other"}
GUARDED: Labels = {"traefik.frontend.whiteList.sourceRange": "10.0.0.0/8"}
WIDER: Labels = {"traefik.frontend.whiteList.sourceRange": "10.0.0.0/8,192.168.0.0/16"}
MENU: dict[str, tuple[Labels, ...]] = {
    STEADY: (PLAIN, METHOD, ALIAS),
    "app": (PLAIN, METHOD),
    "api": (PLAIN, ALIAS),
    "vault": (PLAIN, GUARDED, WIDER),  # which not all may share
    "odd": (PLAIN, METHOD),  # of which an operator wrote a key by hand
}
HAS = 0.3  # how likely a cluster has a service of which it need not have any
ASKED = (STEADY, "app", "api")


@dataclass
class Told:
    """What came of a storm."""

    kind: str
    seed: int
    rounds: int
    happened: Counter[str]
    faults: list[str]
    seen: dict[str, int]
    log: list[str]  # when which move was made, to whom
    requests: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.kind}, seed {self.seed}, {self.rounds} rounds in {self.seconds:.0f} s: {dict(self.happened)}; "
            f"{self.seen}; {self.requests} requests; {len(self.faults)} faults"
        )


@dataclass
class Weather:
    """The moves, and who can bear which."""

    town: Town
    chance: Random
    load: Load
    happened: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def round(self) -> None:
        """One move, and what was due."""
        for due, late in [one for one in self.later if one[0] <= time.monotonic()]:
            self.later.remove((due, late))
            late()
        self._reap()
        moves = (
            (6, self._service),
            (3, self._wish),
            (2, self._kill_and_return),
            (2, self._kill_for_long),
            (2, self._end_and_return),
            (2, self._freeze),
            (2, self._leave),
            (1, self._leave_by_command),
            (0.4, self._restart_store),
        )
        move = self.chance.choices([move for _, move in moves], [weight for weight, _ in moves])[0]
        cluster = self.chance.choice(list(self.town.clusters.values()))
        if move(cluster):
            self._note(move.__name__.strip("_"), cluster)
        self._due()
        time.sleep(self.chance.choice((0.0, 0.1, 0.3, 0.5)))

    def _note(self, what: str, cluster: Cluster) -> None:
        self.happened[what] += 1
        self.log.append(f"{time.monotonic():.2f} {what} {cluster.name} {dict(cluster.services)}")

    def _reap(self) -> None:
        for cluster in self.town.clusters.values():
            if cluster.ending and cluster.process and cluster.process.popen.poll() is not None:
                cluster.process, cluster.ending = None, False
                self.later.append((time.monotonic() + self.chance.uniform(0, 2), cluster.start))

    def _due(self, but: Cluster | None = None) -> None:
        """Which hosts are well somewhere, without that cluster."""
        served = {service for cluster in self.town.well(but=but) for service in cluster.services}
        self.load.due(frozenset(host(service) for service in served & set(ASKED)))

    def _bears(self, cluster: Cluster) -> bool:
        """Whether the cluster is up and may go; then its hosts are due by others only."""
        if cluster.process is None or cluster.frozen or cluster.ending or not self.town.well(but=cluster):
            return False
        self._due(but=cluster)
        return True

    # The moves. Each says whether it could be made.

    def _service(self, cluster: Cluster) -> bool:
        """Others of what it may have, each seldom enough that now and then nobody has one."""
        others = {
            name: self.chance.choice(MENU[name]) for name in MENU if self.chance.random() < HAS and name != STEADY
        }
        self._due(but=cluster)
        cluster.want({STEADY: cluster.services[STEADY], **others})
        return True

    def _wish(self, cluster: Cluster) -> bool:
        name = self.chance.choice(sorted(cluster.services))
        cluster.want({**cluster.services, name: self.chance.choice(MENU[name])})
        return True

    def _kill_and_return(self, cluster: Cluster) -> bool:
        if not self._bears(cluster):
            return False
        cluster.kill()
        cluster.start(*self._way())
        return True

    def _kill_for_long(self, cluster: Cluster) -> bool:
        if not self._bears(cluster):
            return False
        cluster.kill()
        self._after_the_ttl(lambda: cluster.start(*self._way()))
        return True

    def _end_and_return(self, cluster: Cluster) -> bool:
        if not self._bears(cluster):
            return False
        assert cluster.process is not None
        cluster.process.popen.send_signal(signal.SIGTERM)
        cluster.ending = True
        return True

    def _freeze(self, cluster: Cluster) -> bool:
        if not self._bears(cluster):
            return False
        cluster.freeze()
        self._after_the_ttl(cluster.thaw)
        return True

    def _leave(self, cluster: Cluster) -> bool:
        """It leaves with its end, if it was started so."""
        return cluster.leaves and self._end_and_return(cluster)

    def _leave_by_command(self, cluster: Cluster) -> bool:
        if not self._bears(cluster):
            return False
        cluster.kill()
        cluster.leave()
        cluster.start(*self._way())
        return True

    def _restart_store(self, _cluster: Cluster) -> bool:
        self.town.server.kill()
        time.sleep(self.chance.uniform(0, 0.5))
        self.town.server.start()
        return True

    def _way(self) -> tuple[str, ...]:
        return ("--leave-on-exit",) if self.chance.random() < 0.4 else ()

    def _after_the_ttl(self, move: Callable[[], object]) -> None:
        wait = self.town.ttl + GOES_LATE * self.chance.uniform(0, 1)
        self.later.append((time.monotonic() + wait, move))

    def calm(self) -> None:
        """All come back."""
        for _, move in self.later:
            move()
        self.later.clear()
        deadline = time.monotonic() + 60
        while any(cluster.process is None or cluster.ending for cluster in self.town.clusters.values()):
            assert time.monotonic() < deadline, self.town.said()
            self._reap()
            for _, move in self.later:
                move()
            self.later.clear()
            time.sleep(0.05)


def storm(kind: str, folder: Path, seed: int, rounds: int) -> Told:
    """Some rounds, then peace, then the end of all."""
    began = time.monotonic()
    chance = Random(f"storm {seed}")
    with town(kind, folder, ttl=TTL[kind]) as place:
        place.write_by_hand(0, "frontends/by-hand/backend", "by-hand")
        place.write_by_hand(0, f"frontends/odd__{STACK}/routes/main/rule", f"Host:odd.{STACK}.{DOMAIN}")
        place.write_by_hand(0, f"frontends/odd__{STACK}/backend", "by-hand")
        place.write_by_hand(1, "http/middlewares/by-hand/addPrefix/prefix", "/by-hand")
        for cluster in place.found(*NAMES):
            cluster.want({STEADY: PLAIN, "app": PLAIN})
            cluster.start()
        place.settle()
        load = Load(place.traefik(), tuple(map(host, ASKED)))
        place.stack.callback(load.end)
        weather = Weather(place, chance, load)
        for _ in range(rounds):
            weather.round()
        weather.calm()
        place.settle()
        load.end()
        for number, cluster in enumerate(place.clusters.values()):
            if number % 2:
                cluster.kill()
            else:
                cluster.end()
        deadline = time.monotonic() + place.ttl * 3 + 30
        while (found := place.left()) and time.monotonic() < deadline:
            time.sleep(0.2)
        faults = [*place.judged(), *load.failed, *(f"left: {one}" for one in found)]
        return Told(
            kind,
            seed,
            rounds,
            weather.happened,
            faults,
            place.seen,
            weather.log,
            load.counted,
            time.monotonic() - began,
        )
