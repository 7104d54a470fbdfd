"""What the demonstration shows, step by step. Every figure is measured while it runs, and every claim is checked."""

from __future__ import annotations

import signal
import time

from bridge.demo.byhand import ByHand
from bridge.demo.etcd import start_again
from bridge.demo.ledger import LEADER, TRAEFIK1, TRAEFIK3, named
from bridge.demo.metadata import FAULTS
from bridge.demo.plot import Plot
from bridge.demo.stage import GRACE, PREFIX, Stage
from bridge.demo.tell import INDENT, changes, listed, result, say, tree
from bridge.demo.traefik import THROTTLE
from bridge.demo.visitors import EVERY, visit
from bridge.demo.world import CONTAINERS, PORTS, STACK, World, asked_as, labels
from bridge.model.keys import STANDING

SERVICE, SICK, SECOND = "web-test", "web-test-2", "api"
THREE = World(frozenset({"web-test-1", "web-test-2", "web-test-3"}))
FLIPPED = World(THREE.running, frozenset({SICK}))
FIVE = World(THREE.running | {"web-test-4", "web-test-5"})
TWO_SERVICES = World(FIVE.running | {"api-1", "api-2"})
SICK_AGAIN = World(TWO_SERVICES.running, frozenset({SICK}))
SCALED_BACK = World(THREE.running | {"api-1", "api-2"})

SHOWN = ("My hostname", "Host:", "X-Forwarded-For:")  # of an answer
ROUNDS = 2  # of requests that are shown


class Story:
    """The steps in the order in which they are told. Each raises BridgeError where something is not as it says."""

    def __init__(self, stage: Stage, world: World = THREE) -> None:
        self.stage, self.world = stage, world
        self.plot = Plot(stage)
        self.ledger = self.plot.ledger

    def tell(self) -> None:
        """From the first key to the last but the end."""
        say("Healthy, labelled Rancher services answer through a real Traefik 3:")
        self.introduce()
        self.publish()
        self.serve()
        self.flip()
        self.flip_back()
        self.scale()
        self.kill_and_restart()
        self.follow()
        self.take_over()
        self.restart_etcd()
        self.fail_metadata()

    # The steps

    def introduce(self) -> None:
        """What plays along."""
        stage = self.stage
        stage.title("A real etcd, a Rancher world and its containers, for this demonstration")
        result(f"etcd {stage.etcd.version} listens on {stage.etcd.endpoint}", stage.etcd_took)
        result(f"stack {STACK}, service {SERVICE}: {len(THREE.running)} healthy containers on port {PORTS[SERVICE]}")
        result("  ".join(f"{name}={value}" for name, value in labels(SERVICE).items()))
        result("Traefik is outside of Rancher and reaches them at ports of their host.")
        say("", *(f"{INDENT}export {name}={value}" for name, value in stage.variables().items()))

    def publish(self) -> None:
        """The first world."""
        began = time.monotonic()
        self.stage.title("The bridge publishes it", self.stage.start("a", self.ledger.layouts))
        keys = self.ledger.published(TRAEFIK3, self.world)
        result(f"{len(keys)} keys in 1 transaction", time.monotonic() - began)
        values = {path: item.value for path, item in keys.items() if path.split("/")[2] != STANDING}
        say("", *tree(TRAEFIK3.prefix, values), "")
        result("One more stands alone: without it Traefik keeps the last route that goes.")

    def serve(self) -> None:
        """The first answer."""
        began = time.monotonic()
        traffic = self.plot.open(asked_as(SERVICE))
        traefik = traffic.traefik
        self.stage.title("A real Traefik 3 reads them")
        result(f"--providers.etcd.endpoints={self.stage.etcd.endpoint}")
        result(f"--providers.etcd.rootKey={PREFIX}")
        result(f"--providers.providersThrottleDuration={THROTTLE}")
        first = traffic.once(lambda found: bool(found.who), "Traefik serves")
        result(f"Traefik {traefik.version} listens on {traefik.web}; its first answer", first.at - began)
        say("", f"{INDENT}$ {traffic.curl()}")
        say(*(INDENT + line for line in first.said.splitlines() if line.startswith(SHOWN)), f"{INDENT}...", "")
        self._check_rounds([first.who])
        traffic.begin()
        result(f"From here on {1 / EVERY:.0f} requests a second ask for it, and each must be answered.")

    def flip(self) -> None:
        """A server goes."""
        self.stage.title(f"{SICK} turns unhealthy")
        before = self.ledger.last
        began = self._change("its server is gone", FLIPPED)
        say(*changes(self.ledger.marks(before)))
        self._left(SICK, began)
        self.stage.quote("a", "removals wait for a second reading")

    def flip_back(self) -> None:
        """And comes back."""
        self.stage.title(f"{SICK} is healthy again")
        before = self.ledger.last
        began = self._change("its server is back", THREE)
        say(*changes(self.ledger.marks(before)))
        self._joined(began, SICK)

    def scale(self) -> None:
        """Two more."""
        self.stage.title(f"{SERVICE} is scaled from {len(THREE.running)} to {len(FIVE.running)}")
        began = self._change("two more servers", FIVE)
        self._joined(began, *(FIVE.running - THREE.running))

    def kill_and_restart(self) -> None:
        """Nothing may change but the leader's record."""
        self.stage.bridges.pop("a").end(signal.SIGKILL)
        led = self.ledger.last.items[LEADER]
        began = time.monotonic()
        self.stage.title("kill -9, and started again", self.stage.start("a", self.ledger.layouts))
        result(f"its keys are on a lease that would have ended in {self.ledger.lease_left():.0f} s")
        told = self.ledger.only_leader_changes("a", lambda seen: seen.items.get(LEADER) != led)
        result(told, time.monotonic() - began)
        self._meanwhile()
        began = self._change(f"service {SECOND} is deployed", TWO_SERVICES)
        host = asked_as(SECOND)
        found = self.plot.traffic.once(lambda found: bool(found.who), f"{host} answers", host)
        result(f"first answer for {host}", found.at - began)

    def follow(self) -> None:
        """A second replica, which publishes for a Traefik 1.7 too, as during a move."""
        self.ledger.trees = (TRAEFIK3, TRAEFIK1)
        began = time.monotonic()
        command = self.stage.start("b", self.ledger.layouts)
        self.stage.title("A second replica starts, and writes for a Traefik 1.7 too", command)
        keys = self.ledger.published(TRAEFIK1, self.world)
        result(
            f"{len(keys)} keys in 1 transaction below {TRAEFIK1.prefix}, none of Traefik 3's", time.monotonic() - began
        )
        self.stage.quote("b", "follows: replica a leads")
        result(self.ledger.nothing_written())
        self._meanwhile()

    def take_over(self) -> None:
        """The leader ends in order."""
        self.stage.title("SIGTERM ends the leader")
        began = time.monotonic()
        self.stage.end("a")
        result("replica a has ended in order", time.monotonic() - began)
        result(self.ledger.only_leader_changes("b", lambda _: True), time.monotonic() - began)
        began = self._change(f"{SICK} turns unhealthy", SICK_AGAIN)
        self._left(SICK, began)

    def restart_etcd(self) -> None:
        """The world changes while etcd is away."""
        self.stage.title(f"etcd is killed and started again; meanwhile {SICK} recovers")
        (replica,) = self.stage.bridges
        self.stage.etcd.kill()
        self._hear_warning(replica, "store")
        old, self.world = self.world, TWO_SERVICES
        self.stage.show(self.world)
        began = time.monotonic()
        self.stage.etcd = start_again(self.stage.children, self.stage.etcd)
        seconds = time.monotonic() - began
        lost = self.ledger.last.items.keys() - self.ledger.look().items.keys()
        self.stage.check(not lost, f"etcd has lost {named(lost)}")
        result(f"etcd is back, of {len(self.ledger.last.items)} keys and records {len(lost)} are lost", seconds)
        began += seconds
        result(f"the change came through: {self.ledger.account_for(old, self.world)}", time.monotonic() - began)
        self._joined(began, SICK)

    def fail_metadata(self) -> None:
        """What is no world changes nothing."""
        self.stage.title("The metadata service fails")
        (replica,) = self.stage.bridges
        for fault in FAULTS:
            began = time.monotonic()
            self.stage.metadata.fail(fault)
            self._hear_warning(replica, "source", 1 + FAULTS.index(fault))
            result(fault.name, time.monotonic() - began)
        result(self.ledger.nothing_written())
        gone = sorted(self.world.running - SCALED_BACK.running)
        self._change(f"back, {SERVICE} scaled to 3", SCALED_BACK)
        time.sleep(GRACE)
        self.stage.containers.stop(gone)
        self.plot.traffic.pause(len(CONTAINERS))
        result(f"{listed(gone)} stop {GRACE:.0f} s later: {self.plot.traffic.answered()}")

    def keep(self) -> None:
        """All goes on until Ctrl-C, and the world changes by hand."""
        self.stage.title("It goes on until Ctrl-C")
        result(f"The visitors have gone home: {self.plot.traffic.end()}")
        self.stage.metadata.by_hand = ByHand(self.stage, self.world)
        url, api = self.stage.metadata.url, self.plot.traffic.traefik.api
        say(
            "",
            f"{INDENT}ask        {self.plot.traffic.curl()}",
            f"{INDENT}dashboard  http://{api}/dashboard/",
            f"{INDENT}etcd       etcdctl --endpoints={self.stage.etcd.endpoint} get --prefix {PREFIX}/",
            f"{INDENT}metadata   curl {url}/2016-07-29/stacks",
            f"{INDENT}change it  curl -d unhealthy {url}/{SICK}",
            f"{INDENT}           or healthy, or stopped; an unknown name is answered with all names",
        )
        try:
            while True:
                self.stage.check_bridges()
                time.sleep(0.5)
        except KeyboardInterrupt:
            say("")

    # Claims

    def _change(self, text: str, world: World) -> float:
        """The world changes, and the store with it, in one transaction a tree, and in nothing else. When it began."""
        old, self.world = self.world, world
        began = time.monotonic()
        self.stage.show(world)
        result(f"{text}: {self.ledger.account_for(old, world)}", time.monotonic() - began)
        return began

    def _check_rounds(self, names: list[str]) -> None:
        """Each container answers once a round, from the first answer on; `names`: who has answered until now."""
        healthy = self.world.healthy(SERVICE)
        traffic, size = self.plot.traffic, len(healthy)
        while len(names) < ROUNDS * size:
            names.append(visit(traffic.traefik.web, traffic.host).who)
        rounds = [names[at : at + size] for at in range(0, len(names), size)]
        goes_round = all(set(one) == healthy for one in rounds)
        self.stage.check(goes_round, f"requests do not go round: {' '.join(names)}")
        told = (" ".join(name.removeprefix(SERVICE) for name in one) for one in rounds)
        result(f"The answers go round: {SERVICE}{', then '.join(told)}")

    def _joined(self, began: float, *names: str) -> None:
        """They answer."""
        seconds = self.plot.traffic.joined(names, began)
        result(f"{listed(names)} {'answers' if len(names) == 1 else 'answer'}: {self.plot.traffic.answered()}", seconds)

    def _left(self, name: str, began: float) -> None:
        """It answers no more."""
        seconds = self.plot.traffic.left({name}, len(self.world.healthy(SERVICE)), began)
        result(f"Traefik leaves it out: {self.plot.traffic.answered()}", seconds)

    def _hear_warning(self, replica: str, of: str, times: int = 1) -> None:
        """From its publisher of Traefik 3's keys; of one among several the log gives the name."""
        name = f"{TRAEFIK3.layout}: " if len(self.ledger.trees) > 1 else ""
        self.stage.hear(replica, f"WARNING {name}{of}:", times)

    def _meanwhile(self) -> None:
        result(f"meanwhile {self.plot.traffic.answered()}")
