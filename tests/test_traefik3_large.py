"""A thousand services at once: a real Traefik 3 finds no fault in any of them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.proxied import Place, publication
from tests.servers import ConsulServer, EtcdServer
from tests.traefik import NEWEST, OLDEST, running_traefik, until
from tests.worlds.generate import document

SERVICES, CONTAINERS = 1000, 3


@pytest.mark.parametrize(("which", "store"), [(NEWEST, "etcd"), (NEWEST, "consul"), (OLDEST, "etcd")])
def test_every_object_of_a_large_world_is_enabled(
    request: pytest.FixtureRequest, tmp_path: Path, which: str, store: str
) -> None:
    server: EtcdServer | ConsulServer = request.getfixturevalue(f"{store}_server")
    world = tmp_path / "world.json"
    world.write_bytes(document(SERVICES, CONTAINERS))
    with closing(publication(server)) as here:
        place = Place(here)
        place.sync(world)
        with running_traefik(tmp_path, store, server.endpoint, place.root, which=which) as traefik:
            routers = until(lambda: traefik.objects("routers"), lambda found: len(found) == SERVICES)
            services, middlewares = traefik.objects("services"), traefik.objects("middlewares")
            faulty = {
                name: one
                for kind in (routers, services, middlewares)
                for name, one in kind.items()
                if one["status"] != "enabled"
            }
            assert faulty == {}
            assert {len(one["loadBalancer"]["servers"]) for one in services.values()} == {CONTAINERS}
            counts = traefik.api("overview")["http"]
            assert {(one["errors"], one["warnings"]) for one in counts.values()} == {(0, 0)}
            assert (len(services), len(middlewares)) == (SERVICES, SERVICES + 1)  # each its breaker, and the sentinel
