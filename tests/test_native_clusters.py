"""Native labels of two clusters that share a store: one object is of all who ask for it, in the words of the first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.commands import Bridge, Ran, silent
from tests.publishing import Publication
from tests.servers import EtcdServer

bridge = pytest.fixture(silent)

LABELS = {
    "traefik.http.routers.web.rule": "Host(`a.test`)",
    "traefik.http.routers.web.middlewares": "users@rancher",
    "traefik.http.middlewares.users.basicauth.users": "joe:x",
    "traefik.http.services.web.loadbalancer.server.port": "80",
}
Publish = Callable[..., Ran]


def document(cluster: str, labels: Mapping[str, str]) -> str:
    """A stack with one service, of one container, and these labels."""
    box = {
        "uuid": f"box-{cluster}",
        "name": "shop-web-1",
        "state": "running",
        "primary_ip": f"10.42.0.{ord(cluster)}",
        "labels": {},
    }
    service = {
        "uuid": "s",
        "name": "web",
        "stack_name": "shop",
        "kind": "service",
        "labels": {"traefik.enable": "true", **labels},
        "containers": [box],
    }
    idle = {**service, "uuid": "i", "name": "idle", "labels": {}}
    stack = {"uuid": "st", "name": "shop", "environment_uuid": f"e-{cluster}", "services": [idle, service]}
    return json.dumps([stack if labels else {**stack, "services": [idle]}])


@pytest.fixture
def publication(etcd_server: EtcdServer, tmp_path: Path) -> Iterator[Publication]:
    found = Publication(etcd_server, f"clusters{tmp_path.name.replace('_', '-')}")
    yield found
    found.close()


@pytest.fixture
def publish(bridge: Bridge, publication: Publication, tmp_path: Path) -> Publish:
    """One pass of a cluster, of which the source shows one service with these labels."""

    def run(cluster: str, labels: Mapping[str, str] = LABELS) -> Ran:
        source = tmp_path / f"{cluster}.json"
        source.write_text(document(cluster, labels))
        said = ("--layout", "traefik3", "--store", publication.url, "--read-time", "0", "--cluster", cluster)
        ran = bridge("sync", *said, "--source", f"file:{source}", "--output", "json", "--force")
        assert ran.code == 0, ran.err + ran.out
        return ran

    return run


def stands(publication: Publication, below: str = "http/") -> dict[str, str]:
    held = publication.held(f"{publication.prefix}/")
    return {path: item.value for path, item in held.items() if path.startswith(below) and "zz-bridge" not in path}


def problems(ran: Ran) -> list[str]:
    return [str(one["reason"]) for one in ran.rows("problems") if not one["notice"]]


def test_equal_labels_of_two_clusters_are_one_route_with_the_servers_of_both(
    publish: Publish, publication: Publication
) -> None:
    assert problems(publish("a")) == problems(publish("b")) == []
    assert stands(publication, "http/services/") == {
        "http/services/web/loadBalancer/passHostHeader": "true",
        "http/services/web/loadBalancer/servers/a--box-a/url": "http://10.42.0.97:80",
        "http/services/web/loadBalancer/servers/b--box-b/url": "http://10.42.0.98:80",
    }
    for cluster in ("a", "b", "a"):
        assert publish(cluster).rows("written") == []
    publish("a", {})
    assert stands(publication).keys() == {
        "http/middlewares/users/basicAuth/users",
        *(f"http/routers/web/{field}" for field in ("middlewares", "priority", "rule", "service")),
        "http/services/web/loadBalancer/passHostHeader",
        "http/services/web/loadBalancer/servers/b--box-b/url",
    }
    publish("b", {})
    assert stands(publication) == {}


@pytest.mark.parametrize(("protocol", "kept"), [("tcp", "loadBalancer/proxyProtocol"), ("udp", "loadBalancer/servers")])
def test_connections_of_two_clusters_are_shared_by_the_servers_of_both(
    publish: Publish, publication: Publication, protocol: str, kept: str
) -> None:
    short = {"traefik.protocol": protocol, "traefik.port": "53", "traefik.frontend.entryPoints": "dns"}
    assert problems(publish("a", short)) == problems(publish("b", short)) == []
    service = f"{protocol}/services/web_shop"
    servers = {f"{service}/loadBalancer/servers/{one}--box-{one}/address": f"10.42.0.{ord(one)}:53" for one in "ab"}
    assert stands(publication, service).items() >= servers.items()
    for cluster in ("a", "b"):
        assert publish(cluster, short).rows("written") == []
    other = {**short, "traefik.frontend.entryPoints": "another"}
    assert problems(publish("b", other))
    assert stands(publication, f"{protocol}/routers/")[f"{protocol}/routers/web_shop/entryPoints"] == "dns"
    publish("b", short)
    publish("a", {})
    left = {f"{service}/{kept}", f"{service}/loadBalancer/servers/b--box-b/address"}
    assert stands(publication, service).keys() == left
    assert f"{protocol}/routers/web_shop/service" in stands(publication, "")
    publish("b", {})
    assert stands(publication, "") == {}


def test_the_first_cluster_decides_what_a_name_means_and_the_other_is_told(
    publish: Publish, publication: Publication
) -> None:
    publish("a")
    other = LABELS | {"traefik.http.middlewares.users.basicauth.users": "eve:x"}
    assert problems(publish("b", other))
    users = "http/middlewares/users/basicAuth/users"
    assert stands(publication, users) == {users: "joe:x"}
    publish("a", LABELS | {"traefik.http.middlewares.users.basicauth.users": "ann:x"})
    assert stands(publication, users) == {users: "ann:x"}
    assert publish("b", other).rows("written") == []
    publish("a", {})
    publish("b", other)
    assert stands(publication, users) == {users: "eve:x"}


USERS = "http/middlewares/users/basicAuth/users"
OPEN = {"traefik.http.middlewares.users.compress": "true"}
GUARDED = {
    "traefik.http.middlewares.users.basicauth.users": "joe:x",
    "traefik.http.routers.web.middlewares": "users",
    "traefik.http.routers.web.rule": "Host(`b.test`)",
    "traefik.http.services.web.loadbalancer.server.port": "80",
}


def test_a_router_is_withheld_whose_middleware_another_cluster_decides_otherwise(
    publish: Publish, publication: Publication
) -> None:
    """Else b's host would be open to everybody: who decides the name means no password by it."""
    publish("a", OPEN)
    (reason,) = [reason for reason in problems(publish("b", GUARDED)) if "needs" in reason]
    assert reason == "http.routers.web needs http.middlewares.users, which cluster a decides and wants otherwise"
    assert stands(publication, "http/routers/") == {}
    assert stands(publication, "http/middlewares/") == {"http/middlewares/users/compress": "true"}
    assert publish("b", GUARDED).rows("written") == []
    publish("a", {})
    publish("b", GUARDED)
    assert stands(publication, "http/routers/web/middlewares") == {"http/routers/web/middlewares": "users"}
    assert stands(publication, "http/middlewares/") == {USERS: "joe:x"}


def test_who_decides_changes_no_middleware_while_anothers_router_relies_on_it(
    publish: Publish, publication: Publication
) -> None:
    guard = {"traefik.http.middlewares.users.basicauth.users": "joe:x"}
    chain = {"traefik.http.middlewares.both.chain.middlewares": "users"}
    publish("a", guard)
    publish("b", GUARDED | chain | {"traefik.http.routers.web.middlewares": "both"})
    assert stands(publication, "http/routers/web/service")
    began = publication.revision()
    said = publish("a", OPEN)
    assert any("cluster b" in str(wait["what"]) for wait in said.rows("waits"))
    assert stands(publication, USERS) == {USERS: "joe:x"}
    publish("b", GUARDED | chain | {"traefik.http.routers.web.middlewares": "both"})
    assert stands(publication, "http/routers/") == {}
    publish("a", OPEN)
    assert stands(publication, "http/middlewares/users/") == {"http/middlewares/users/compress": "true"}
    prefix = f"{publication.prefix}/"
    for revision in range(began + 1, publication.revision() + 1):
        held = publication._range(prefix, revision)
        assert USERS in held or "http/routers/web/service" not in held


def test_servers_stay_out_from_behind_a_router_that_another_cluster_guards_otherwise(
    publish: Publish, publication: Publication
) -> None:
    """Also where who decides takes the guard away later: it waits until they are gone."""
    servers = "http/services/web/loadBalancer/servers/"
    alone = {path: text for path, text in LABELS.items() if not path.endswith("middlewares")}
    publish("a", alone)
    said = problems(publish("b"))
    assert (
        "what leads to http.services.web is or needs http.routers.web, which cluster a decides and wants otherwise"
        in said
    )
    assert {path.split("/")[-2] for path in stands(publication, servers)} == {"a--box-a"}
    publish("a", LABELS)
    publish("b")
    assert {path.split("/")[-2] for path in stands(publication, servers)} == {"a--box-a", "b--box-b"}
    publish("a", alone)
    assert stands(publication, "http/routers/web/middlewares"), "b's servers are there"
    publish("b")
    publish("a", alone)
    assert not stands(publication, "http/routers/web/middlewares")
    assert {path.split("/")[-2] for path in stands(publication, servers)} == {"a--box-a"}


def test_who_asked_for_a_name_first_keeps_it_in_its_cluster_too(
    publication: Publication, bridge: Bridge, tmp_path: Path
) -> None:
    """A newcomer with a smaller name takes nothing over; without a store the smaller name would decide."""
    users = "http/middlewares/users/basicAuth/users"
    source = tmp_path / "world.json"
    (stack,) = json.loads(document("a", LABELS))
    newcomer = json.loads(json.dumps(stack["services"][1]).replace("joe:x", "eve:x"))
    newcomer |= {"name": "another", "uuid": "n"}
    newcomer["labels"]["traefik.http.routers.other.rule"] = "Host(`a.test`)"
    newcomer["labels"]["traefik.http.routers.other.service"] = "theirs"
    newcomer["labels"]["traefik.http.services.theirs.loadbalancer.server.port"] = "80"
    said = ("--layout", "traefik3", "--store", publication.url, "--read-time", "0", "--source", f"file:{source}")
    for services in (stack["services"], [newcomer, *stack["services"]]):
        source.write_text(json.dumps([{**stack, "services": services}]))
        assert bridge("sync", *said).code == 0
        assert stands(publication, users) == {users: "joe:x"}
        assert "http/routers/web/rule" in stands(publication)
        assert "http/routers/other/rule" not in stands(publication)
    told = bridge("check", *said[:4], *said[6:], "--output", "json").rows("problems")
    assert {one["service"] for one in told if not one["notice"]} == {"shop/another", "shop/web"}
    alone = bridge("render", *said[:2], *said[6:], "--show-secrets", "--output", "json").json
    assert [value for path, value in alone.items() if path.endswith(users)] == ["eve:x"]


def test_show_tells_rules_and_no_list_of_middlewares_and_what_the_sentinel_is(
    publish: Publish, publication: Publication, bridge: Bridge
) -> None:
    publish("a")
    shown = bridge("show", "--store", publication.url, "--layout", "traefik3")
    rules = [line.split()[-1] for line in shown.out.splitlines() if line.startswith("  rule")]
    assert rules == ["Host(`a.test`)"]
    assert "zz-bridge  the sentinel of cluster a" in shown.out.splitlines()


def many(count: int, **more: str) -> dict[str, str]:
    """Routers with a service and a middleware each."""
    labels: dict[str, str] = {}
    for number in range(count):
        labels |= {
            f"traefik.http.routers.r{number}.rule": f"Host(`{number}.test`)",
            f"traefik.http.routers.r{number}.service": f"s{number}",
            f"traefik.http.routers.r{number}.middlewares": more.get("guard", f"m{number}"),
            f"traefik.http.middlewares.m{number}.basicauth.users": "joe:x",
            f"traefik.http.services.s{number}.loadbalancer.server.port": "80",
        }
    return labels


def test_a_router_never_stands_without_what_it_names(publish: Publish, publication: Publication) -> None:
    """Whatever stands after any revision is whole, also where not all fits into one transaction."""
    began = publication.revision()
    publish("a", many(40))
    publish("a", many(40, guard="m0,m1"))
    publish("a", many(30) | {"traefik.http.routers.r1.service": "s2"})
    publish("a", many(3))
    publish("a", {})
    prefix, transactions = f"{publication.prefix}/", set()
    for revision in range(began + 1, publication.revision() + 1):
        held = publication._range(prefix, revision)
        tree = {path.removeprefix(prefix): value for path, (value, _) in held.items()}
        routers = [
            path.split("/")[2] for path in tree if path.startswith("http/routers/") and path.endswith("/service")
        ]
        transactions.add(len(tree))
        for router in routers:
            service, guards = tree[f"http/routers/{router}/service"], tree[f"http/routers/{router}/middlewares"]
            assert f"http/services/{service}/loadBalancer/passHostHeader" in tree
            assert all(f"http/middlewares/{name}/basicAuth/users" in tree for name in guards.split(","))
    assert len(transactions) > 5


NEAR = {"traefik.tcp.middlewares.near.ipallowlist.sourcerange": "10.0.0.0/8"}
DATABASE = {
    "traefik.tcp.routers.db.rule": "HostSNI(`*`)",
    "traefik.tcp.routers.db.entrypoints": "sql",
    "traefik.tcp.services.db.loadbalancer.server.port": "5432",
}
BY_NEAR = {"traefik.tcp.routers.db.middlewares": "near"}


def test_a_router_of_tcp_is_withheld_whose_middleware_another_cluster_decides_otherwise(
    publish: Publish, publication: Publication
) -> None:
    publish("a", {"traefik.tcp.middlewares.near.ipallowlist.sourcerange": "0.0.0.0/0"})
    (reason,) = [reason for reason in problems(publish("b", DATABASE | NEAR | BY_NEAR)) if "needs" in reason]
    assert reason == "tcp.routers.db needs tcp.middlewares.near, which cluster a decides and wants otherwise"
    assert stands(publication, "tcp/routers/") == {}
    publish("a", {})
    publish("b", DATABASE | NEAR | BY_NEAR)
    assert stands(publication, "tcp/routers/db/middlewares") == {"tcp/routers/db/middlewares": "near"}
    assert list(stands(publication, "tcp/middlewares/").values()) == ["10.0.0.0/8"]


def test_servers_stay_out_from_behind_a_router_of_tcp_that_another_cluster_guards_otherwise(
    publish: Publish, publication: Publication
) -> None:
    servers = "tcp/services/db/loadBalancer/servers/"
    publish("a", DATABASE)
    assert any("is or needs tcp.routers.db" in one for one in problems(publish("b", DATABASE | NEAR | BY_NEAR)))
    assert {path.split("/")[-2] for path in stands(publication, servers)} == {"a--box-a"}
    publish("a", DATABASE | NEAR | BY_NEAR)
    publish("b", DATABASE | NEAR | BY_NEAR)
    assert {path.split("/")[-2] for path in stands(publication, servers)} == {"a--box-a", "b--box-b"}


@pytest.mark.parametrize(("count", "held"), [(12, True), (9, False)])
def test_who_goes_to_separate_is_held_by_the_brake_since_nothing_comes_for_these_routes(
    publish: Publish, publication: Publication, bridge: Bridge, tmp_path: Path, count: int, held: bool
) -> None:
    """As any removal of so many servers: `plan` shows it, `sync` holds it, and --force lets it go."""
    publish("a", many(count))
    before = stands(publication)
    assert sum(path.endswith("/url") for path in before) == count
    said: tuple[str, ...] = (
        "--layout",
        "traefik3",
        "--store",
        publication.url,
        "--cluster",
        "a",
        "--fan-in",
        "separate",
    )
    said += ("--source", f"file:{tmp_path / 'a.json'}", "--output", "json")
    planned = bridge("plan", *said).json
    assert (planned["removed_servers"], planned["held"]) == (count, held)
    assert {one["key"] for one in bridge("plan", *said).rows("changes") if one["after"] is None} == {
        f"{publication.prefix}/{path}" for path in before
    }
    if held:
        assert bridge("sync", *said, "--read-time", "0").code == 3
        assert stands(publication) == before
    assert bridge("sync", *said, "--read-time", "0", *(("--force",) if held else ())).code == 0
    assert stands(publication) == {}


USUAL = {
    "traefik.tcp.routers.line.rule": "HostSNI(`*`)",
    "traefik.tcp.routers.line.entrypoints": "sql",
    "traefik.tcp.routers.line.service": "line",
    "traefik.tcp.services.line.loadbalancer.server.port": "1",
    "traefik.tls.stores.default.defaultgeneratedcert.resolver": "le",
    "traefik.tls.stores.default.defaultgeneratedcert.domain.main": "a.test",
    "traefik.http.middlewares.r.addprefix.prefix": "/x",
    "traefik.http.routers.r.rule": "Host(`a.test`)",
    "traefik.http.routers.r.service": "web_shop",
    "traefik.http.services.web_shop.loadbalancer.server.port": "80",  # as it is called where no label does
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("r", {"http.routers.r", "http.middlewares.r"}),
        ("R@rancher", {"http.routers.r", "http.middlewares.r"}),
        ("http.routers.r", {"http.routers.r"}),
        ("line", {"tcp.routers.line", "tcp.services.line"}),
        ("tcp.services.line", {"tcp.services.line"}),
        ("default", {"tls.stores.default"}),
        ("shop/web", {"http.services.web_shop"}),
    ],
)
def test_show_and_release_know_what_native_labels_named_and_what_is_called_after_its_service(
    publish: Publish, publication: Publication, bridge: Bridge, words: str, found: set[str]
) -> None:
    publish("a", USUAL)
    at = ("--store", publication.url, "--layout", "traefik3")
    (shown,) = [bridge("show", words, *at, "--output", "json").json]
    assert isinstance(shown["groups"], list)
    assert {one["group"] for one in shown["groups"]} == found
    ran = bridge("release", words, *at, "--cluster", "a", "--output", "json")
    assert ran.code == 0, ran
    assert {one["service"] for one in ran.rows("keys")} == found
    held = publication.held(f"{publication.prefix}/")
    free = {".".join(path.split("/")[:3]) for path, item in held.items() if item.lease is None}
    assert free == found


@pytest.mark.parametrize("words", ["shop/idle", "rr", "http", "routers.r"])
def test_what_nothing_is_called_is_refused_with_how_things_are_called(
    publish: Publish, publication: Publication, bridge: Bridge, words: str
) -> None:
    publish("a", USUAL)
    at = ("--store", publication.url, "--layout", "traefik3")
    for command in ("show", "release"):
        ran = bridge(command, words, *at, *(("--cluster", "a") if command == "release" else ()))
        assert (ran.code, "http.routers.NAME" in ran.err) == (2, True)


def test_who_takes_a_name_over_opens_nothing_before_it_means_what_its_labels_say(
    publish: Publish, publication: Publication
) -> None:
    mine = many(40, guard="users") | {"traefik.http.middlewares.users.basicauth.users": "joe:x"}
    publish("a", OPEN)
    publish("b", mine)
    publish("a", {})
    began, prefix = publication.revision(), f"{publication.prefix}/"
    publish("b", mine)
    opened = 0
    for revision in range(began + 1, publication.revision() + 1):
        held = publication._range(prefix, revision)
        opened = sum(path.endswith("/service") for path in held)
        assert not opened or USERS in held
    assert opened == 40
