"""A middleware that becomes of another kind, on a real Traefik 3: never of both, and never of none."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.proxied import HOST, Live, Load, container, live, service, under_load
from tests.servers import EtcdServer
from tests.traefik import NEWEST, OLDEST, running_traefik, until, web_servers

USERS = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"  # the password is test
_roots = count(1)


@pytest.mark.parametrize("which", [NEWEST, OLDEST])
def test_a_middleware_of_two_kinds_costs_its_router_every_request_and_nobody_else(
    etcd_server: EtcdServer, tmp_path: Path, which: str
) -> None:
    """Which is why nothing of a second kind is written beside the first."""
    root = f"kinds{next(_roots)}x"
    with (
        web_servers("one") as web,
        running_traefik(tmp_path, "etcd", etcd_server.endpoint, root, which=which) as traefik,
    ):
        url = f"http://{web['one'].address}:{web['one'].port}"
        keys = {"http/services/s/loadBalancer/servers/1/url": url, "http/middlewares/auth/basicAuth/users": USERS}
        for name in ("guarded", "plain"):
            keys |= {f"http/routers/{name}/rule": f"Host(`{name}.local`)", f"http/routers/{name}/service": "s"}
        keys["http/routers/guarded/middlewares"] = "auth"
        for path, value in keys.items():
            etcd_server.put(f"{root}/{path}", value)
        until(lambda: traefik.request("guarded.local").status, lambda status: status == 401)
        etcd_server.put(f"{root}/http/middlewares/auth/forwardAuth/address", f"{url}/ask")
        until(lambda: traefik.request("guarded.local").status, lambda status: status == 404)
        assert traefik.objects("routers")["guarded"]["status"] == "disabled"
        assert "multi-types middleware" in str(traefik.objects("middlewares")["auth"]["error"])
        assert traefik.request("plain.local").status == 200


def test_a_live_route_asks_another_server_instead_of_for_a_password_and_back(
    etcd_server: EtcdServer, tmp_path: Path
) -> None:
    """Whoever may pass by neither is refused by one or the other, request by request: nothing is open, nothing 404."""
    with web_servers("one") as web:
        labels = {"enable": "true", "port": str(web["one"].port), "frontend.rule": f"Host:{HOST}"}
        by_password = labels | {"frontend.auth.basic.users": USERS}
        by_server = labels | {"frontend.auth.forward.address": f"http://{web['one'].address}:{web['one'].port}/ask"}
        with live(tmp_path, etcd_server, [service("web", [container(web["one"], of="web")], by_password)]) as site:
            until(lambda: site.traefik.request(HOST).status, lambda status: status == 401)
            nobody = Load(site.traefik, HOST)
            with under_load(nobody):
                for asked, kind in ((by_server, "forwardauth"), (by_password, "basicauth")):
                    nobody.go_on()
                    site.show(service("web", [container(web["one"], of="web")], asked))
                    until(lambda kind=kind: _kind(site) == kind)  # type: ignore[misc]
                    nobody.go_on()
    assert set(nobody.statuses) == {401}


def _kind(site: Live) -> str:
    """What Traefik takes the route's middleware for."""
    return str(site.traefik.objects("middlewares")["web__shop--auth"].get("type", ""))
