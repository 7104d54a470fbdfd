"""What `bridge sync` promises holds through the daemon too, on a real etcd and on a real Consul."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.model.change import Item, LeaseName
from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ConsulServer, EtcdServer, running_consul, running_etcd
from tests.test_run_etcd import Fleet, Process, World, eventually, revisions, servers
from tests.worlds.generate import Object, stacks

FIRST, SECOND = "web-0__stack-0", "web-1__stack-0"
BY_HAND = "frontends/by-hand/backend"
METHOD = f"backends/{FIRST}/loadbalancer/method"

_numbers = itertools.count(1)


@pytest.fixture(params=["etcd", "consul"])
def publication(request: pytest.FixtureRequest) -> Iterator[Publishing]:
    server: EtcdServer | ConsulServer = request.getfixturevalue(f"{request.param}_server")
    prefix = f"promise{next(_numbers)}"
    made = Publication(server, prefix) if isinstance(server, EtcdServer) else ConsulPublication(server, prefix)
    yield made
    made.close()


@pytest.fixture
def fleet(publication: Publishing, tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(publication, World(tmp_path / "world.json"), stack)


def label(world: World, name: str, value: str) -> None:
    """A label of the first service."""
    labels = services(world)[0]["labels"]
    assert isinstance(labels, dict)
    labels[name] = value
    world.write()


def services(world: World) -> list[Object]:
    return world.stacks[0]["services"]  # type: ignore[return-value]


def of(group: str, found: dict[str, str]) -> dict[str, str]:
    """The keys of one group."""
    return {path: value for path, value in found.items() if path.split("/")[1] == group}


def shared(found: dict[str, str]) -> dict[str, str]:
    """Those that no cluster has for itself."""
    return {path: value for path, value in found.items() if "/servers/" not in path}


# Other people's keys


@pytest.mark.parametrize("path", [f"frontends/{FIRST}/backend", f"frontends/{FIRST}/basicauth"])
def test_a_hand_written_key_freezes_its_group_only_until_it_is_deleted(fleet: Fleet, path: str) -> None:
    published = fleet.publication.published
    fleet.publication.write(path, "by hand")
    process = fleet.start()
    eventually(lambda: process.said("froze") and len(servers(fleet.publication)) == 2, process)
    assert of(FIRST, published()) == {path: "by hand"}
    fleet.publication.erase(path)
    eventually(lambda: len(servers(fleet.publication)) == 4, process)
    eventually(lambda: process.said("problem over"), process)
    assert published()[f"frontends/{FIRST}/backend"] == FIRST


def test_in_a_group_that_is_frozen_servers_go_and_its_other_keys_stay(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start())
    published, path = fleet.publication.published, f"frontends/{FIRST}/basicauth"
    before = shared(of(FIRST, published()))
    fleet.publication.write(path, "by hand")
    eventually(lambda: process.said("froze"), process)
    label(fleet.world, "traefik.backend.loadbalancer.method", "wrr")
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    assert shared(of(FIRST, published())) == {**before, path: "by hand"}
    del services(fleet.world)[0]
    fleet.world.write()
    eventually(lambda: len(servers(fleet.publication)) == 2, process)
    assert of(FIRST, published()) == {**before, path: "by hand"}


def test_who_leaves_takes_all_that_is_ours_and_nothing_else(fleet: Fleet) -> None:
    by_hand = {BY_HAND: "by hand", f"frontends/{FIRST}x/backend": "by hand", "tls/one/entrypoints": "https"}
    for path, value in by_hand.items():
        fleet.publication.write(path, value)
    process = fleet.ready(fleet.start("a", "--leave-on-exit"))
    process.end()
    assert process.popen.returncode == 0
    assert fleet.publication.published() == by_hand
    assert fleet.publication.recorded() == {}


# Our own


def test_each_record_of_ours_that_somebody_deletes_is_put_back_and_no_route_key_moves(fleet: Fleet) -> None:
    """The leader's too: then it leads again."""
    publication = fleet.publication
    process = fleet.ready(fleet.start())
    before, records = revisions(publication), publication.recorded()
    said = [path for path in sorted(records) if "/session/" not in path and path != "fleet/standing"]
    assert {path.split("/")[2] for path in said if path.startswith("c/")} >= {"claim", "presence", "leader"}
    for path in said:
        publication.hand.delete(publication.records + path)
        eventually(lambda: publication.recorded().keys() == records.keys(), process)
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(publication)) == 3, process)
    assert revisions(publication).items() <= before.items()


@pytest.mark.parametrize("path", [f"c/default/claim/{FIRST}", "c/default/presence"])
def test_a_record_that_somebody_overwrites_is_put_right_and_no_route_key_moves(fleet: Fleet, path: str) -> None:
    """Under our own prefix the path says whose a record is, on either store."""
    publication = fleet.publication
    process = fleet.ready(fleet.start())
    before, stood = revisions(publication), publication.held(publication.records)[path]
    publication.hand.put(publication.records + path, "by hand")
    eventually(lambda: publication.recorded()[path] != "by hand", process)
    eventually(lambda: process.said(f"{publication.records}{path}"), process)
    now = publication.held(publication.records)[path]
    assert (now.value, now.lease) == (stood.value, stood.lease)
    assert revisions(publication) == before


def test_a_guard_that_somebody_overwrites_is_put_right_and_stops_no_service_from_going_and_coming(fleet: Fleet) -> None:
    publication = fleet.publication
    process = fleet.ready(fleet.start())
    before, service = publication.published(), services(fleet.world)[0]
    guard = f"fleet/guard/{FIRST}"
    publication.hand.put(f"{publication.records}{guard}", "by hand")
    eventually(lambda: publication.recorded()[guard].isdecimal(), process)
    eventually(lambda: process.said(f"{publication.records}{guard}"), process)  # it stands before it is told
    assert publication.published() == before
    services(fleet.world).remove(service)
    fleet.world.write()
    eventually(lambda: of(FIRST, publication.published()) == {}, process)
    eventually(lambda: f"fleet/guard/{FIRST}" not in publication.recorded(), process)
    services(fleet.world).append(service)
    fleet.world.write()
    eventually(lambda: publication.published() == before, process)


def test_while_the_brake_holds_additions_go_and_once_it_opens_the_removals_follow(fleet: Fleet) -> None:
    fleet.world.stacks = stacks(2, 10)
    fleet.world.write()
    process = fleet.start("a", "--brake-hold", "2")
    eventually(lambda: len(servers(fleet.publication)) == 20, process)
    before = servers(fleet.publication)
    for container in (*fleet.world.containers(0), *fleet.world.containers(1)):
        container["health_state"] = "unhealthy"
    services(fleet.world).append(services(World(fleet.world.path.with_name("more.json"), stacks(3, 10)))[2])
    fleet.world.write()
    eventually(lambda: process.said("the brake holds the removal of 20 of"), process)
    eventually(lambda: len(servers(fleet.publication)) == 30, process)
    assert before < servers(fleet.publication)
    eventually(lambda: len(servers(fleet.publication)) == 10, process)
    assert not before & servers(fleet.publication)


@pytest.mark.parametrize("ttl", ["600", "0"])
def test_started_again_with_a_longer_ttl_it_moves_all_keys_and_none_was_ever_absent(fleet: Fleet, ttl: str) -> None:
    publication = fleet.publication
    fleet.ready(fleet.start()).end(signal.SIGKILL)
    created = {key: item.created for key, item in ours(publication)}
    process = fleet.start("a", "--ttl", ttl)
    wanted = {LeaseName("c/default", int(ttl)), LeaseName("fleet", int(ttl)), LeaseName("standing", 0)}
    eventually(lambda: {item.lease for _, item in ours(publication)} == wanted, process)
    assert {key: item.created for key, item in ours(publication)} == created


def ours(publication: Publishing) -> list[tuple[str, Item]]:
    """Our keys, but for those that say who leads and which session stands for which lease."""
    found = publication.everything().items()
    names = ("/leader", "/session/", "/replica/", "/standing")
    return [(key, item) for key, item in found if not any(name in key for name in names)]


# Two clusters


@pytest.fixture
def other(tmp_path: Path) -> World:
    """Another environment: the first service only, with containers of its own."""
    return World(tmp_path / "other.json", stacks(1, 2, seed=9))


def join(fleet: Fleet, other: World, *options: str) -> Process:
    """A bridge of the other cluster."""
    return fleet.start("o", "--cluster", "other", "--source", f"file:{other.path}", *options)


def test_two_clusters_that_disagree_do_not_fight_and_who_is_left_decides(fleet: Fleet, other: World) -> None:
    """The older one's word stands, and the younger says so; once the older has left, the younger's stands."""
    publication = fleet.publication
    first = fleet.ready(fleet.start("a", "--leave-on-exit"))
    label(other, "traefik.backend.loadbalancer.method", "wrr")
    second = join(fleet, other)
    eventually(lambda: len(servers(publication)) == 6, second)
    eventually(lambda: second.said("WARNING problem: stack-0/web-0") and second.said("default"), second)
    assert publication.published()[METHOD] == "drr"
    decided = {path: at for path, at in revisions(publication).items() if path in shared(publication.published())}
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(publication)) == 5, first)
    other.turn("unhealthy")
    eventually(lambda: len(servers(publication)) == 4, second)
    assert revisions(publication).items() >= decided.items()
    first.end()
    eventually(lambda: publication.published()[METHOD] == "wrr", second)
    eventually(lambda: len(servers(publication)) == 1, second)
    eventually(lambda: second.said("problem over: stack-0/web-0"), second)


def test_the_routes_of_a_cluster_that_died_are_swept_by_another_ones_daemon_after_ten_seconds(
    fleet: Fleet, other: World
) -> None:
    """So long it may come back. What both published stands, without the dead one's servers."""
    publication = fleet.publication
    services(other).append(services(World(other.path.with_name("more.json"), stacks(3, 2, seed=9)))[2])
    other.write()
    process = fleet.ready(fleet.start())
    before = publication.published()
    guest = join(fleet, other)
    eventually(lambda: len(servers(publication)) == 8, guest)
    guest.end(signal.SIGKILL)
    publication.end(LeaseName("c/other", 300))
    began = time.monotonic()
    eventually(lambda: "frontends/web-2__stack-0/backend" not in publication.published(), process)
    assert time.monotonic() - began > 9
    eventually(lambda: publication.published() == before, process)


# The end


@pytest.mark.parametrize("store", ["etcd", "consul"])
def test_killed_for_good_its_routes_are_gone_within_the_ttl_and_not_much_before(
    tmp_path: Path, store: str, record_property: Callable[[str, object], None]
) -> None:
    """Renewed at a third of the TTL, so at least two thirds of it are left. Consul: its least, 20 s, on its own terms.

    Consul takes no session below 10 s, of which each lives twice as long as it says.
    """
    folder = tmp_path / "server"
    folder.mkdir()
    with ExitStack() as stack:
        publication: Publishing
        if store == "etcd":
            ttl, publication = 10, Publication(stack.enter_context(running_etcd(folder)), "killed")
        else:
            consul = stack.enter_context(running_consul(folder, shortest_session="10s"))
            ttl, publication = 20, ConsulPublication(consul, "killed")
        stack.callback(publication.close)
        fleet = Fleet(publication, World(tmp_path / "world.json"), stack)
        process = fleet.ready(fleet.start("a", "--ttl", str(ttl)))
        process.end(signal.SIGKILL)
        began = time.monotonic()
        eventually(lambda: servers(publication) == set())
        no_server = time.monotonic() - began
        eventually(lambda: not any("__stack" in path for path in publication.published()))
        no_route = time.monotonic() - began
        print(
            f"{store}, TTL {ttl} s: the last server was gone after {no_server:.1f} s, all routes after {no_route:.1f} s"
        )
        record_property("seconds", round(no_route, 1))
        assert ttl * 2 / 3 - 1 < no_server
        assert no_route < ttl + 5
        assert any("zz-bridge" in path for path in publication.published())
