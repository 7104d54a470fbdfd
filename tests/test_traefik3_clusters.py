"""Two Rancher environments behind one real Traefik 3: what each does to the other's requests."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proxied import HOST, Load, Place, container, publication, seen, service, under_load, world, write
from tests.publishing import Publication
from tests.servers import ConsulServer, EtcdServer
from tests.test_run_etcd import Fleet, World, eventually
from tests.traefik import Answer, TraefikServer, WebServer, running_traefik, until, web_servers

THROTTLE = "100ms"
SENTINEL = "http/middlewares/zz-bridge/addPrefix/prefix"


@dataclass
class Site:
    """One prefix, its Traefik, and web servers for the containers of clusters berlin and paris."""

    place: Place
    traefik: TraefikServer
    web: dict[str, WebServer]
    folder: Path

    def sync(self, cluster: str, *servers: str, weight: str = "1", without: bool = False) -> None:
        """The service web has these containers in the cluster; `without`: it has no such service."""
        port = str(next(iter(self.web.values())).port)
        labels = {"enable": "true", "port": port, "domain": "local", "weight": weight}
        other = service("other", [], {})
        ours = service("web", [container(self.web[name], of="web") for name in servers], labels)
        found = world([other] if without else [other, ours], str(uuid.uuid5(uuid.NAMESPACE_URL, cluster)))
        self.place.sync(write(self.folder / f"{cluster}.json", found), "--cluster", cluster)

    def ask(self) -> Answer:
        return self.traefik.request(HOST)


@pytest.fixture(params=["etcd", "consul"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    server: EtcdServer | ConsulServer = request.getfixturevalue(f"{request.param}_server")
    with (
        closing(publication(server)) as here,
        web_servers("one", "two", "three") as web,
        running_traefik(tmp_path, request.param, server.endpoint, Place(here).root, throttle=THROTTLE) as traefik,
    ):
        yield Site(Place(here), traefik, web, tmp_path)


def test_one_router_leads_to_the_servers_of_both(site: Site) -> None:
    site.sync("berlin", "one", "two", weight="3")
    site.sync("paris", "three", weight="1")
    until(lambda: site.ask().status, lambda status: status == 200)
    until(lambda: seen(site.ask, 70), lambda found: len(found) == 3 and 9 <= found["three"] <= 11)
    assert set(site.traefik.objects("routers")) == {"web__shop"}


def test_one_leaves_and_no_request_is_lost_and_after_the_last_nobody_answers(site: Site) -> None:
    site.sync("berlin", "one")
    site.sync("paris", "two")
    until(lambda: seen(site.ask, 10), lambda found: set(found) == {"one", "two"})
    load = Load(site.traefik, HOST)
    with under_load(load):
        load.go_on()
        site.place.leave("--cluster", "berlin")
        until(lambda: seen(site.ask, 10), lambda found: found == {"two": 10})
        load.go_on()
        site.sync("berlin", "one", "three")
        until(lambda: seen(site.ask, 30), lambda found: len(found) == 3)
        load.go_on()
        site.place.leave("--cluster", "paris")
        until(lambda: seen(site.ask, 10), lambda found: set(found) == {"one", "three"})
        load.go_on()
    assert load.failed() == []
    site.place.leave("--cluster", "berlin")
    until(site.ask, lambda answer: answer.status == 404)
    assert site.place.tree() == {}


def test_the_last_service_goes_while_the_sentinel_stays(site: Site) -> None:
    site.sync("berlin", "one")
    until(site.ask, lambda answer: answer.status == 200)
    site.sync("berlin", without=True)
    until(site.ask, lambda answer: answer.status == 404)
    assert set(site.place.tree()) == {SENTINEL}
    site.sync("berlin", "one")
    until(site.ask, lambda answer: answer.status == 200)


def test_a_bridge_dies_and_its_routes_end_with_its_lease(etcd_server: EtcdServer, tmp_path: Path) -> None:
    """All at once: where some other key is left, a Traefik without the sentinel would serve the last routes on."""
    with ExitStack() as stack:
        here = stack.enter_context(closing(publication(etcd_server)))
        web = stack.enter_context(web_servers("one", "two"))
        place = Place(here)
        etcd_server.put(f"{place.root}/note", "somebody's")
        labels = {"enable": "true", "port": str(web["one"].port), "domain": "local"}
        stacks = {name: world([service("web", [container(web[name], of="web")], labels)], _uuid(name)) for name in web}
        assert isinstance(here, Publication)
        for name, found in stacks.items():
            fleet = Fleet(here, World(tmp_path / f"{name}.json", found), stack)
            options = ("--layout", place.placing[3], "--ttl", "5", "--cluster", name)
            process = fleet.start(name, *options)
            eventually(lambda process=process: process.said("leads cluster"), process)  # type: ignore[misc]
            if name == "one":
                dying = process
        read = running_traefik(tmp_path, "etcd", etcd_server.endpoint, place.root, throttle=THROTTLE)
        traefik = stack.enter_context(read)
        until(lambda: seen(lambda: traefik.request(HOST), 10), lambda found: set(found) == {"one", "two"})
        load = Load(traefik, HOST)
        with under_load(load):
            dying.end(signal.SIGKILL)
            until(lambda: seen(lambda: traefik.request(HOST), 10), lambda found: found == {"two": 10})
        assert load.failed() == []
        process.end(signal.SIGKILL)
        until(lambda: traefik.request(HOST), lambda answer: answer.status == 404)
        until(lambda: set(place.tree()) == {"note", SENTINEL})


def _uuid(cluster: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, cluster))
