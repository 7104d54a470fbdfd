"""What changes while requests come through a real Traefik 3, and loses none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import pytest

from tests.proxied import HOST, Live, Load, Mode, Rolling, container, live, service, under_load
from tests.servers import ConsulServer, EtcdServer, free_ports
from tests.traefik import WebServer, until, web_servers
from tests.worlds.generate import Object

USERS = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"  # the password is test
CREDENTIALS = {"Authorization": "Basic dGVzdDp0ZXN0"}
THROTTLE = 0.5  # seconds
REPLACED = 4


@pytest.fixture(params=["etcd", "consul"])
def store(request: pytest.FixtureRequest) -> EtcdServer | ConsulServer:
    found: EtcdServer | ConsulServer = request.getfixturevalue(f"{request.param}_server")
    return found


def test_containers_that_outlive_their_keys_are_replaced_and_no_request_is_lost(
    store: EtcdServer | ConsulServer, tmp_path: Path
) -> None:
    """Each for as long as Traefik may wait before it looks again, and a second."""
    (port,) = free_ports(1)
    rolling = Rolling(port, THROTTLE)
    rolling.start(3)
    first = {one.address for one in rolling.servers}
    with live(tmp_path, store, [rolling.service()], throttle=f"{THROTTLE}s") as site:
        load = Load(site.traefik, HOST)
        with under_load(load):
            for _ in range(REPLACED):
                rolling.replace(site, Mode.OUTLIVES)
        rolling.stop()
    assert not first & {one.address for one in rolling.servers}
    assert len(load.answers) > 100
    assert len({answer.server for _, answer in load.answers}) == 3 + REPLACED
    assert load.failed() == []


class Changing:
    """The service web with two containers, whose labels change."""

    def __init__(self, site: Live, web: Mapping[str, WebServer]) -> None:
        self.site, self._web = site, web
        self.labels: dict[str, str] = first_labels(web)

    def say(self, **labels: str | None) -> None:
        """Other labels, dots written as two underscores, None: no longer. Returns once Traefik has taken them."""
        for name, value in labels.items():
            self.labels[name.replace("__", ".")] = value or ""
        self.labels = {name: value for name, value in self.labels.items() if value}
        before = self.site.place.tree()
        self.site.show(web_service(self._web, self.labels))
        self.site.wait(lambda tree: tree != before)
        until(self._taken)

    def _taken(self) -> bool:
        """Whether Traefik's routers, middlewares and services are those of the store, which stands still."""
        before = self.site.place.tree()
        for kind in ("routers", "middlewares", "services"):
            stands = {path.split("/")[2] for path in before if path.startswith(f"http/{kind}/")}
            if stands != self.site.traefik.objects(kind).keys():
                return False
        rules = {one["rule"] for one in self.site.traefik.objects("routers").values()}
        return rules == {value for path, value in before.items() if path.endswith("/rule")}


def first_labels(web: Mapping[str, WebServer]) -> dict[str, str]:
    return {"enable": "true", "port": str(web["one"].port), "frontend.rule": f"Host:{HOST}"}


def web_service(web: Mapping[str, WebServer], labels: Mapping[str, str]) -> Object:
    return service("web", [container(web[name], of="web") for name in ("one", "two")], labels)


@pytest.fixture
def web() -> Iterator[dict[str, WebServer]]:
    with web_servers("one", "two") as found:
        yield found


@pytest.fixture
def changing(store: EtcdServer | ConsulServer, tmp_path: Path, web: dict[str, WebServer]) -> Iterator[Changing]:
    with live(tmp_path, store, [web_service(web, first_labels(web))], "--tls-entry-points", "websecure") as site:
        until(lambda: site.traefik.request(HOST).status, lambda status: status == 200)
        yield Changing(site, web)


def test_a_live_route_changes_and_serves_all_who_may_pass_before_and_after(
    changing: Changing, web: dict[str, WebServer]
) -> None:
    knows = Load(changing.site.traefik, HOST, headers=CREDENTIALS)
    knows_not = Load(changing.site.traefik, HOST)
    (other_port,) = free_ports(1)
    moved = [WebServer(f"moved-{name}", other_port, one.address) for name, one in web.items()]
    with under_load(knows, knows_not):
        knows.go_on()
        changing.say(frontend__rule=f"Host:{HOST},more.local")
        knows.go_on()
        assert knows_not.failed() == []
        changing.say(frontend__auth__basic__users=USERS)
        until(lambda: knows_not.statuses[-1], lambda status: status == 401)
        changing.say(frontend__headers__customResponseHeaders="X-Made:here")
        knows.go_on()
        changing.say(frontend__rule=f"Host:{HOST};PathPrefix:/", frontend__whiteList__sourceRange="127.0.0.0/8")
        knows.go_on()
        changing.say(frontend__entryPoints="web,websecure")
        knows.go_on()
        changing.say(frontend__headers__customResponseHeaders=None, frontend__whiteList__sourceRange=None)
        knows.go_on()
        changing.say(port=str(other_port))
        until(lambda: knows.answers[-1][1].server, lambda server: server.startswith("moved"))
        changing.say(frontend__entryPoints=None, frontend__priority="7")
        knows.go_on()
    for one in moved:
        one.stop()
    assert knows.failed() == []
    # Open until the password is asked for, and from then on never again.
    assert [status for status, _ in groupby(knows_not.statuses)] == [200, 401]


def test_a_live_route_gets_another_router_and_another_service(changing: Changing) -> None:
    """Whose labels name a segment gets both under another name, for the same requests."""
    changing.say(frontend__auth__basic__users=USERS)
    until(lambda: changing.site.traefik.request(HOST).status, lambda status: status == 401)
    knows = Load(changing.site.traefik, HOST, headers=CREDENTIALS)
    knows_not = Load(changing.site.traefik, HOST)
    port = changing.labels["port"]
    with under_load(knows, knows_not):
        knows.go_on()
        changing.say(front__port=port, front__frontend__rule=f"Host:{HOST}", frontend__rule=None)
        assert "http/routers/web__shop__front/rule" in changing.site.place.tree()
        knows.go_on()
        changing.say(front__port=None, front__frontend__rule=None, frontend__rule=f"Host:{HOST}")
        assert "http/routers/web__shop/rule" in changing.site.place.tree()
        knows.go_on()
    assert knows.failed() == []
    assert set(knows_not.statuses) == {401}


SEGMENTS = {"etcd": 70, "consul": 40}  # too many for one transaction


def many(segments: int, port: str, **more: str) -> dict[str, str]:
    """Labels of a service with so many segments, each at a host of its own, and what is said of all of them."""
    labels = {"enable": "true"} | {name.replace("__", "."): value for name, value in more.items()}
    for at in range(segments):
        labels |= {f"s{at}.port": port, f"s{at}.frontend.rule": f"Host:s{at}.local"}
    return labels


def test_a_change_too_large_for_one_transaction_loses_nothing_either(
    store: EtcdServer | ConsulServer, tmp_path: Path, web: dict[str, WebServer]
) -> None:
    port, segments = str(web["one"].port), SEGMENTS[store.name]
    with live(tmp_path, store, [web_service(web, many(segments, port))]) as site:
        traefik = site.traefik
        hosts = ("s0.local", f"s{segments - 1}.local")
        until(lambda: [traefik.request(host).status for host in hosts], lambda found: found == [200, 200])
        know = [Load(traefik, host, headers=CREDENTIALS) for host in hosts]
        know_not = [Load(traefik, host) for host in hosts]
        with under_load(*know, *know_not):
            for one in (*know, *know_not):
                one.go_on()
            more: dict[str, str] = {"frontend__auth__basic__users": USERS}
            site.show(web_service(web, many(segments, port, **more)))
            until(lambda: [one.statuses[-1] for one in know_not], lambda found: found == [401, 401])
            more |= {"frontend__headers__customResponseHeaders": "X-Made:here", "frontend__priority": "9"}
            site.show(web_service(web, many(segments, port, **more)))
            until(lambda: ["x-made" in one.answers[-1][1].headers for one in know], all)
            more.pop("frontend__headers__customResponseHeaders")
            site.show(web_service(web, many(segments, port, **more)))
            until(lambda: ["x-made" in one.answers[-1][1].headers for one in know], lambda found: not any(found))
            for one in know:
                one.go_on()
    assert [one.failed() for one in know] == [[], []]
    for one in know_not:
        assert [status for status, _ in groupby(one.statuses)] == [200, 401]
