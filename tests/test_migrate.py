"""`bridge migrate`: what becomes of each route of Traefik 1 in Traefik 3, of labels and of live keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import pytest

from bridge.layouts.traefik3_moved import kept_name
from tests.commands import Bridge, Ran, silent
from tests.servers import ConsulServer, EtcdServer
from tests.test_schemas import check

SAMPLES = Path(__file__).parent / "samples"
Object = Mapping[str, object]
Put = Callable[[Mapping[str, str]], str]
GOOD = {"traefik.enable": "true", "traefik.port": "80", "traefik.domain": "local"}
_prefixes = count(1)

bridge = pytest.fixture(silent)


def write_world(path: Path, services: Mapping[str, Mapping[str, str]], **fields: object) -> str:
    """A document with services of the stack `shop` that have these labels, and these fields; the source's URL."""
    found = [
        {
            "name": name,
            "uuid": f"s-{name}",
            "kind": "service",
            "labels": dict(labels),
            "health_check": {"port": 80},
            "containers": [
                {
                    "name": f"c-{name}",
                    "uuid": f"c-{name}",
                    "state": "running",
                    "health_state": "healthy",
                    "primary_ip": f"10.42.0.{at}",
                }
            ],
            **fields,
        }
        for at, (name, labels) in enumerate(services.items(), 1)
    ]
    path.write_text(json.dumps([{"name": "shop", "uuid": "st", "services": found}]))
    return f"file:{path}"


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., str]:
    """Writes a document with services that have these labels beside the usual ones; the source's URL."""

    def write(**services: Mapping[str, str]) -> str:
        return write_world(tmp_path / "world.json", {name: GOOD | dict(labels) for name, labels in services.items()})

    return write


@pytest.fixture(params=["etcd", "consul"])
def store(request: pytest.FixtureRequest) -> tuple[str, Put]:
    """A prefix in a real store, and how somebody else writes below it."""
    kind, prefix = request.param, f"migrate{next(_prefixes)}"
    server: EtcdServer | ConsulServer = request.getfixturevalue(f"{kind}_server")
    url = f"{kind}://{server.endpoint}/{prefix}"
    slash = "/" if kind == "etcd" else ""

    def put(keys: Mapping[str, str]) -> str:
        for path, value in keys.items():
            server.put(f"{slash}{prefix}/{path}", value)
        return url

    return url, put


def of(ran: Ran, service: str) -> Object:
    (found,) = [one for one in ran.rows("services") if one["service"] == service]
    return found


def rows(found: Object, name: str) -> list[dict[str, object]]:
    its = found[name]
    assert isinstance(its, list)
    return its


def lost(found: Object) -> list[object]:
    return [one["label"] for one in rows(found, "problems") if not one["notice"]]


HAND = {
    "frontends/frontend1/backend": "backend1",
    "frontends/frontend1/routes/r/rule": "Host:hand.local",
    "frontends/frontend1/entrypoints/0": "http",
    "frontends/frontend1/entrypoints/1": "https",
    "frontends/frontend1/basicauth": "bob:$apr1$zzz0zzz0$IgXLP6ewTrSuBkTrqE8wj/",
    "frontends/frontend1/errors/e/backend": "Pages",
    "frontends/frontend1/errors/e/status": "500-599",
    "backends/backend1/servers/server1/url": "http://10.0.0.1:8080",
    "backends/backend1/servers/server2/url": "https://10.0.0.2",
    "backends/backend1/servers/server2/weight": "3",
    "backends/backend1/loadbalancer/stickiness": "true",
    "backends/Pages/servers/p/url": "http://10.0.0.3",
}


# A source.


@pytest.mark.parametrize(
    ("sample", "services", "missing"), [("mixed", 13, []), ("real", 10, ["copernicus-land/apache"])]
)
def test_what_the_samples_ask_for_moves_whole(bridge: Bridge, sample: str, services: int, missing: list[str]) -> None:
    """But for one label of Traefik 2 that lacks its back quotes, and had no router there either."""
    named = (
        "--source",
        f"file:{SAMPLES / f'{sample}.stacks.json'}",
        "--cert-resolver",
        "le",
        "--entry-points",
        "https",
    )
    ran = bridge("migrate", *named, "--output", "json")
    assert ran.json["summary"] == {"whole": services, "losses": 0, "missing": len(missing)}
    assert ran.code == (4 if missing else 0)
    assert [one["service"] for one in ran.rows("services") if one["moved"] == "missing"] == missing
    check("migrate", ran.json)
    assert "certificates that Traefik 1 reads below its tls/ will not be in Traefik 3" in str(ran.json["notes"])
    text = bridge("migrate", *named)
    counts = f"{services + len(missing)} services: {services} move whole, 0 with losses, {len(missing)} not at all\n"
    assert counts in text.out


def test_each_side_is_told(bridge: Bridge, source: Callable[..., str]) -> None:
    labels = {
        "traefik.frontend.rule": "Host:a.local;PathPrefixStrip:/api",
        "traefik.frontend.entryPoints": "http,https",
        "traefik.frontend.whiteList.sourceRange": "10.0.0.0/8",
        "traefik.frontend.priority": "70",
    }
    ran = bridge("migrate", "--source", source(web=labels), "--output", "json", "--cert-resolver", "le")
    found = of(ran, "shop/web")
    (frontend,) = rows(found, "frontends")
    assert (frontend["rule"], frontend["priority"], frontend["by_length"], frontend["entry_points"]) == (
        "Host:a.local;PathPrefixStrip:/api",
        70,
        False,
        ["http", "https"],
    )
    assert frontend["protects"] == [{"key": "whitelist/sourcerange", "value": "10.0.0.0/8"}]
    plain, secure = rows(found, "routers")
    assert (plain["name"], plain["entry_points"], plain["tls"]) == ("web__shop", ["http"], False)
    assert (secure["name"], secure["entry_points"], secure["tls"]) == ("web__shop--tls", ["https"], True)
    assert (secure["rule"], secure["priority"]) == ("Host(`a.local`) && PathPrefix(`/api`)", 70)
    assert [one["name"] for one in rows(secure, "middlewares")] == ["web__shop--tls--allow", "web__shop--tls--strip"]
    assert rows(rows(found, "services")[0], "servers") == [{"url": "http://10.42.0.1:80", "weight": "1"}]
    settings = {str(one["option"]): one["value"] for one in ran.rows("settings")}
    assert {"entryPoints.http", "entryPoints.https", "certificatesResolvers.le"} <= settings.keys()
    assert settings["providers.etcd.rootKey"] == "v3/traefik"


def test_a_route_that_cannot_be_protected_is_said_to_be_missing(bridge: Bridge, source: Callable[..., str]) -> None:
    native = {"traefik.frontend.rule": "Host:a.local"}
    named = source(
        web=native | {"traefik.frontend.passTLSCert": "true"},
        api={"traefik.frontend.rule": "Host:b.local", "traefik.tags": "one"},
        whole={"traefik.frontend.rule": "Host:c.local", "traefik.backend.loadbalancer.stickiness": "true"},
    )
    ran = bridge("migrate", "--source", named, "--output", "json")
    assert (ran.code, ran.json["summary"]) == (4, {"whole": 1, "losses": 1, "missing": 1})
    check("migrate", ran.json)
    missing = of(ran, "shop/web")
    assert (missing["routers"], lost(missing)) == ([], ["traefik.frontend.passTLSCert"])
    assert lost(of(ran, "shop/api")) == ["traefik.tags"]
    assert [one["label"] for one in rows(of(ran, "shop/whole"), "problems")] == [
        "traefik.backend.loadbalancer.stickiness"
    ]
    text = bridge("migrate", "--source", named).out
    assert "shop/web  DOES NOT MOVE" in text
    assert "NOTHING: the whole route is missing" in text
    assert text.endswith("3 services: 1 move whole, 1 with losses, 1 not at all\nMISSING in Traefik 3: shop/web\n")


def test_what_traefik_3_needs_beside_its_keys_is_told(bridge: Bridge, source: Callable[..., str]) -> None:
    """Entry points with TLS, files, and what helps against a loss."""
    labels = {"traefik.frontend.rule": "Host:a.local", "traefik.acme": "true"}
    labels |= {"traefik.frontend.auth.basic.usersFile": "/users", "traefik.frontend.headers.SSLRedirect": "true"}
    named = ("--source", source(web=labels))
    alone = bridge("migrate", *named)
    assert "without TLS; where Traefik 1's default ones speak TLS, name yours with --entry-points" in alone.out
    assert "/users must stand where Traefik 3 runs: without it 1 router would answer 404\n" in alone.out
    assert "           name it with --cert-resolver\n" in alone.out
    assert "otherwise  traefik.frontend.headers.SSLRedirect = true" in alone.out
    both = bridge("migrate", *named, "--entry-points", "http,https", "--cert-resolver", "le")
    assert both.code == 0
    assert "/users must stand where Traefik 3 runs: without it 2 routers would answer 404" in both.out
    assert "otherwise" not in both.out
    assert "without TLS" not in both.out


def test_a_page_of_a_route_that_does_not_move_is_lost_and_its_route_stands(
    bridge: Bridge, source: Callable[..., str]
) -> None:
    page = "traefik.frontend.errors.e"
    named = source(
        web={"traefik.frontend.rule": "Host:a.local", f"{page}.status": "500", f"{page}.backend": "shop/pages"},
        pages={"traefik.frontend.rule": "Host:b.local", "traefik.frontend.passTLSCert": "true"},
    )
    ran = bridge("migrate", "--source", named, "--output", "json")
    assert ran.json["summary"] == {"whole": 0, "losses": 1, "missing": 1}
    assert lost(of(ran, "shop/web")) == [f"{page}.backend"]


# Live keys.


def test_of_what_this_bridge_wrote_the_same_is_told_as_of_its_labels(bridge: Bridge, store: tuple[str, Put]) -> None:
    url, _ = store
    named = f"file:{SAMPLES / 'mixed.stacks.json'}"
    assert bridge("sync", "--source", named, "--store", url, "--read-time", "0").code == 0
    of_labels, of_keys = (
        bridge("migrate", *way, "--cert-resolver", "le", "--entry-points", "https", "--output", "json")
        for way in (("--source", named), ("--store", url))
    )
    assert of_keys.code == 0
    check("migrate", of_keys.json)
    by_name = sorted(of_labels.rows("services"), key=lambda one: str(one["service"]))
    assert by_name == of_keys.rows("services")
    assert of_labels.json["summary"] == of_keys.json["summary"]


def test_what_somebody_wrote_by_hand_is_told_under_its_names(bridge: Bridge, store: tuple[str, Put]) -> None:
    _, put = store
    url = put(HAND)
    ran = bridge("migrate", "--store", url, "--output", "json", "--traefik-version", "3.4")
    assert (ran.code, ran.json["summary"]) == (0, {"whole": 1, "losses": 0, "missing": 0})
    check("migrate", ran.json)
    found = of(ran, "frontend1")
    plain, secure = rows(found, "routers")
    assert (plain["name"], plain["service"], plain["rule"]) == ("frontend1", "backend1", "Host(`hand.local`)")
    assert [one["name"] for one in rows(plain, "middlewares")] == ["frontend1--error-e", "frontend1--auth"]
    assert secure["name"] == "frontend1--tls"
    page, auth = (rows(one, "settings") for one in rows(plain, "middlewares"))
    assert {"key": "errors/service", "value": ".50ages"} in page
    assert {"key": "basicAuth/users", "value": "(hidden)"} in auth
    services = {str(one["name"]): rows(one, "servers") for one in rows(found, "services")}
    assert services == {
        "backend1": [{"url": "http://10.0.0.1:8080", "weight": "1"}, {"url": "https://10.0.0.2:443", "weight": "3"}],
        ".50ages": [{"url": "http://10.0.0.3:80", "weight": "1"}],
    }
    # The cookie that Traefik 1 gave for backend1: who has it stays at its server.
    assert {"key": "loadBalancer/sticky/cookie/name", "value": "_73be0"} in rows(rows(found, "services")[1], "settings")


def test_what_cannot_be_read_back_names_its_key_and_is_said_to_be_missing(
    bridge: Bridge, store: tuple[str, Put]
) -> None:
    _, put = store
    broken = {"frontends/frontend1/basicauth": "zzz", "tls/1/certificate/certfile": "PEM", "alias": ""}
    url = put(HAND | {path: value for path, value in broken.items() if value})
    ran = bridge("migrate", "--store", url, "--output", "json")
    assert (ran.code, ran.json["summary"]) == (4, {"whole": 0, "losses": 0, "missing": 1})
    assert lost(of(ran, "frontend1")) == ["frontends/frontend1/basicauth"]
    assert "1 certificate that Traefik 1 reads" in str(ran.json["notes"])
    assert "Traefik 1 itself loses routes by 1 fault in its keys" in str(ran.json["notes"])
    text = bridge("migrate", "--store", url).out
    assert "zzz" not in text
    assert text.endswith("MISSING in Traefik 3: frontend1\n")


def test_nothing_is_written(bridge: Bridge, etcd_server: EtcdServer) -> None:
    url = f"etcd://{etcd_server.endpoint}/migrate{next(_prefixes)}"
    bridge("sync", "--source", f"file:{SAMPLES / 'mixed.stacks.json'}", "--store", url, "--read-time", "0")
    before = etcd_server.revision()
    assert bridge("migrate", "--store", url).code == 0
    assert etcd_server.revision() == before


# What it needs.


def test_it_needs_something_to_read(bridge: Bridge) -> None:
    ran = bridge("migrate")
    assert (ran.code, "give --source or --store" in ran.err) == (2, True)


def test_both_layouts_need_a_prefix_of_their_own(bridge: Bridge) -> None:
    named = ("migrate", "--source", f"file:{SAMPLES / 'web-test.stacks.json'}", "--layout")
    assert bridge("migrate", "--store", "etcd://127.0.0.1:1/traefik", "--layout", "traefik3").code == 2
    ran = bridge(*named, "traefik1=old,traefik3=new/tree", "--output", "json")
    assert (ran.json["before"], ran.json["after"]) == (
        {"layout": "traefik1", "prefix": "/old/"},
        {"layout": "traefik3", "prefix": "new/tree/"},
    )


def test_where_traefik_1_has_no_tree_traefik_3_may_have_the_prefix_alone(bridge: Bridge) -> None:
    named = ("migrate", "--source", f"file:{SAMPLES / 'web-test.stacks.json'}", "--layout")
    ran = bridge(*named, "traefik3", "--output", "json")
    assert (ran.code, ran.json["before"]) == (0, {"layout": "traefik1", "prefix": ""})
    assert ran.json["after"] == {"layout": "traefik3", "prefix": "traefik/"}
    check("migrate", ran.json)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("frontend1", "frontend1"),
        ("frontend-Host-a", "frontend-.48ost-a"),
        ("Web__shop", ".57eb__shop"),
        ("42", ".342"),
        ("a--tls", "a-.2dtls"),
        ("a.b", "a.2eb"),
    ],
)
def test_a_name_is_kept_as_far_as_traefik_3_can_have_it(name: str, kept: str) -> None:
    assert kept_name(name) == kept
