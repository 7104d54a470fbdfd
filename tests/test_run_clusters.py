"""Two and three clusters that share groups, as real processes on a real store, beneath a real Traefik 3.

A judge reads all that the store ever held, and requests come all the time: none may fail, since every web server lives.
Leases are of some seconds, and what waits ten seconds waits two: see `tests.storm.child`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest

from bridge.ownership.records import FLEET
from tests.servers import ConsulServer, EtcdServer
from tests.storm.load import Load
from tests.storm.town import GOES_LATE, PLAIN, STACK, STEADY, Cluster, Town, eventually, host, town
from tests.storm.weather import METHOD

pytestmark = pytest.mark.timeout(400)  # on a machine that runs other things too

TTL = {"etcd": 4, "consul": 6}  # seconds; a Consul's session takes up to twice what it is asked for
APP = "app"
OPENS = f"frontends/{APP}__{STACK}/backend"
RULE = f"frontends/{APP}__{STACK}/routes/main/rule"
BY_HAND = "frontends/by-hand/backend"
LATE = 3.0  # seconds: longer than what asks for a shorter lease waits for others in a hurry


@dataclass
class Scene:
    """Who is there, and who asks."""

    town: Town
    clusters: list[Cluster]
    load: Load

    def has_gone(self, cluster: Cluster) -> bool:
        """Whether nothing of the cluster stands."""
        return not any(f"/c/{cluster.name}/" in key or f"/{cluster.name}--" in key for key in self.town.now().items)

    def await_end(self, cluster: Cluster) -> None:
        """Until its lease has ended, and what follows from that is done."""
        eventually(lambda: self.has_gone(cluster))
        self.town.settle()

    def is_claimed(self, cluster: Cluster) -> bool:
        """Whether it claims all that it shall."""
        items = self.town.now().items
        return all(claim in items for claim in self.town.claims(cluster))

    def routes(self) -> dict[str, int]:
        """When each of Traefik's keys was last written."""
        trees = tuple(one.tree for one in self.town.publishers)
        return {key: item.revision for key, item in self.town.now().items.items() if key.startswith(trees)}

    def fleet(self) -> dict[str, int]:
        """The TTL of what Traefik's shared keys are on, by key."""
        items = self.town.now().items.items()
        return {key: item.lease.ttl for key, item in items if item.lease and item.lease.family == FLEET}

    def close(self) -> list[str]:
        """All leave; what went wrong."""
        self.load.due(frozenset())
        for cluster in self.clusters:
            if cluster.process:
                cluster.leave()
        self.load.end()
        return [*self.town.judged(), *self.load.failed, *self.town.left()]


Begin = Callable[..., Scene]


@pytest.fixture(params=["etcd", "consul"])
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Begin]:
    """Clusters that join one after the other, so that the first decides; both publish one service."""
    kind = request.param
    with town(kind, tmp_path, ttl=TTL[kind]) as place:

        def scene(*names: str, ttl: int = TTL[kind], **environment: str) -> Scene:
            """`environment`: of the first."""
            place.ttl = ttl
            place.write_by_hand(0, BY_HAND, "by-hand")
            for cluster in place.found(*names):
                cluster.want({STEADY: PLAIN})
                cluster.start(**(environment if cluster.name == names[0] else {}))
                eventually(lambda: place.missing() == [])
            load = Load(place.traefik(), (host(STEADY),))
            place.stack.callback(load.end)
            load.due(frozenset(load.hosts))
            eventually(lambda: load.counted > 10)
            return Scene(place, list(place.clusters.values()), load)

        yield scene


def test_of_two_either_may_crash_for_good_and_no_shared_key_moves(begin: Begin) -> None:
    """Also who decides: then the other's word stands."""
    scene = begin("a", "b")
    first, second = scene.clusters
    second.want({STEADY: METHOD})
    scene.town.settle()
    method = f"{scene.town.publishers[0].tree}backends/{STEADY}__{STACK}/loadbalancer/method"
    assert scene.town.now().items[method].value == "drr"
    first.kill()
    scene.await_end(first)
    assert scene.town.now().items[method].value == "wrr"
    first.start()
    eventually(lambda: first.leads)
    scene.town.settle()
    first.kill()
    scene.await_end(first)
    assert scene.close() == []


def test_when_both_crash_all_goes_with_their_leases(begin: Begin) -> None:
    scene = begin("a", "b")
    scene.load.due(frozenset())
    for cluster in scene.clusters:
        cluster.kill()
    eventually(lambda: scene.town.left() == [])
    assert scene.close() == []


def test_they_leave_in_every_order_and_nothing_is_left(begin: Begin) -> None:
    """All but the last leave what they shared as it was; of three, so that the last two are tried both ways too."""
    scene = begin("a", "b", "c", ttl=15)  # no lease has to end
    for cluster in scene.clusters:
        cluster.end()
    for order in permutations(scene.clusters):
        for cluster in scene.clusters:
            cluster.start("--leave-on-exit")
        eventually(lambda: scene.town.missing() == [])
        scene.load.due(frozenset(scene.load.hosts))
        eventually(lambda: scene.load.is_armed(host(STEADY)))
        for cluster in order[:-1]:
            cluster.end()
        scene.load.due(frozenset())
        order[-1].end()
        assert scene.town.left() == []
    assert scene.close() == []


def test_killed_and_back_within_the_ttl_no_route_key_moves(begin: Begin) -> None:
    scene = begin("a", "b", ttl=15)
    before = scene.routes()
    for cluster in scene.clusters:
        cluster.kill()
        cluster.start()
        scene.town.settle()
    assert scene.routes() == before
    assert scene.close() == []


def test_killed_and_back_beyond_the_ttl_it_brings_its_own_keys_alone(begin: Begin) -> None:
    scene = begin("a", "b")
    before = scene.routes()
    for cluster in scene.clusters:
        cluster.kill()
        scene.await_end(cluster)
        cluster.start()
        scene.town.settle()
    shared = {key: revision for key, revision in before.items() if "/servers/" not in key}
    assert scene.routes().items() >= shared.items()
    assert scene.close() == []


def test_what_clusters_share_lives_as_long_as_the_longest_ttl_that_one_who_lives_asks_for(begin: Begin) -> None:
    """The longer comes, the shorter dies and comes back, and the longer dies: no shared key is ever made anew."""
    scene = begin("a", "b")
    short, long = scene.town.ttl, scene.town.ttl * 3
    first, second = scene.clusters
    made = {key: scene.town.now().items[key].created for key in scene.fleet()}
    assert set(scene.fleet().values()) == {short}
    second.end()
    second.start("--ttl", str(long))
    eventually(lambda: set(scene.fleet().values()) == {long})
    scene.town.settle()
    moved = scene.routes()
    time.sleep(LATE)
    assert scene.routes() == moved
    first.kill()
    scene.await_end(first)
    assert set(scene.fleet().values()) == {long}
    first.start()
    scene.town.settle()
    second.kill()
    scene.await_end(second)
    eventually(lambda: set(scene.fleet().values()) == {short})
    assert {key: scene.town.now().items[key].created for key in scene.fleet()} == made
    assert scene.close() == []


def test_frozen_beyond_the_ttl_it_comes_back_with_its_own_keys_alone(begin: Begin) -> None:
    scene = begin("a", "b")
    for cluster in scene.clusters:
        cluster.freeze()
        scene.await_end(cluster)
        cluster.thaw()
        scene.town.settle()
        assert not scene.has_gone(cluster)
    assert scene.close() == []


def taken_up(scene: Scene, *, until: Callable[[], bool]) -> None:
    """The first gives up what it has alone, and stops before it deletes a key; the second takes it up meanwhile.

    Until then the second is frozen: it may clear a group that was closed, and now and then would be the faster.
    """
    first, second = scene.clusters
    first.want({STEADY: PLAIN, APP: PLAIN})
    scene.town.settle()
    second.freeze()
    first.want({STEADY: PLAIN})
    eventually(until)
    second.want({STEADY: PLAIN, APP: PLAIN})
    second.thaw()
    eventually(lambda: scene.is_claimed(second))


@pytest.mark.parametrize("long", [False, True], ids=["within the TTL", "beyond the TTL"])
@pytest.mark.parametrize("ending", [OPENS, RULE], ids=["between read and commit", "between two steps"])
def test_frozen_it_takes_nothing_from_who_came_meanwhile(begin: Begin, ending: str, long: bool) -> None:
    """Between what it read and the close of its group, or between close and clear."""
    first, _ = (scene := begin("a", "b", STORM_STOP=ending)).clusters
    taken_up(scene, until=first.has_stopped)
    if long:
        eventually(lambda: scene.has_gone(first))
    first.thaw()
    scene.town.settle()
    assert scene.close() == []


def test_without_the_guard_the_judge_finds_that_it_takes_what_another_claims(begin: Begin, tmp_path: Path) -> None:
    """The same, with a bridge that does not compare the guard: else the judge might see nothing.

    Of the process that commit alone is held up: one that was stopped for long no longer leads, and is refused for that.
    """
    gate = tmp_path / "gate"
    scene = begin("a", "b", STORM_STOP=OPENS, STORM_GATE=str(gate), STORM_BLIND="/fleet/guard/")
    taken_up(scene, until=gate.exists)
    gate.unlink()
    scene.town.settle()
    faults = scene.close()
    assert any(f"{OPENS} went while b claimed it" in fault for fault in faults), faults


def test_they_outlive_a_store_that_restarts(begin: Begin) -> None:
    """Shorter than a TTL, and longer: the store then renews what it holds."""
    scene = begin("a", "b")
    for seconds in (0.0, scene.town.ttl + GOES_LATE):
        scene.town.server.kill()
        time.sleep(seconds)
        scene.town.server.start()
        scene.town.settle()
    assert scene.close() == []


def test_they_outlive_a_store_that_is_set_back(begin: Begin) -> None:
    """To when the second had another service, and one of them decided what it does not any more."""
    scene = begin("a", "b")
    first, second = scene.clusters
    second.want({STEADY: PLAIN, APP: PLAIN})
    scene.town.settle()
    restore = saved(scene.town.server)
    second.want({STEADY: METHOD})
    first.want({STEADY: PLAIN, "api": PLAIN})
    scene.town.settle()
    scene.town.cut(restore)
    scene.town.settle()
    assert scene.close() == []


def saved(server: EtcdServer | ConsulServer) -> Callable[[], None]:
    """What sets the store back to now."""
    if isinstance(server, EtcdServer):
        path = server.snapshot()
        return lambda: server.restore(path)
    folder = server.folder
    server.kill()
    shutil.copytree(folder / "data", folder / "kept")
    server.start()

    def restore() -> None:
        server.kill()
        shutil.rmtree(folder / "data")
        (folder / "kept").rename(folder / "data")
        server.start()

    return restore
