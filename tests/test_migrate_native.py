"""`bridge migrate` from Traefik 2's Rancher provider: each router on both sides, and what its flags become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bridge.layouts.traefik3_moved import routers, services
from tests.commands import Bridge, Ran, silent
from tests.servers import EtcdServer
from tests.test_migrate import lost, of, rows, write_world
from tests.test_schemas import check

SAMPLES = Path(__file__).parent / "samples"
ENABLE = {"traefik.enable": "true"}
PORT = "traefik.http.services.web.loadbalancer.server.port"
RULE = "traefik.http.routers.web.rule"
NATIVE = ENABLE | {PORT: "80", RULE: "Host(`a.test`, `b.test`)"}
OLDER = ENABLE | {"traefik.port": "80", "traefik.domain": "local"}
LAYOUT = ("--layout", "traefik3")

bridge = pytest.fixture(silent)


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., str]:
    """Writes a document with services of the stack `shop` that have these labels; the source's URL."""

    def write(**services: Mapping[str, str]) -> str:
        return write_world(tmp_path / "world.json", services, ports=["9080:80/tcp"])

    return write


def told(bridge: Bridge, *arguments: str) -> Ran:
    ran = bridge("migrate", *arguments, "--output", "json")
    assert ran.code in (0, 4), ran.err
    check("migrate", ran.json)
    return ran


def options(ran: Ran, name: str = "settings") -> dict[str, str]:
    return {str(one["option"]): str(one["value"]) for one in ran.rows(name)}


def test_each_router_is_told_on_both_sides(bridge: Bridge, source: Callable[..., str]) -> None:
    """Old rule, new rule, and the priority: that of the old rule's length, wherever no label says one."""
    labels = NATIVE | {
        "traefik.http.routers.web.entrypoints": "web, websecure",
        "traefik.http.routers.web.middlewares": "only@rancher",
        "traefik.http.middlewares.only.ipwhitelist.sourcerange": "10.0.0.0/8",
        "traefik.http.routers.prio.rule": "HostRegexp(`{x:[a-z]+}.test`)",
        "traefik.http.routers.prio.priority": "-3",
        "traefik.http.routers.prio.service": "web@rancher",
    }
    ran = told(bridge, "--source", source(web=labels), *LAYOUT)
    assert (ran.code, ran.json["summary"]) == (0, {"whole": 1, "losses": 0, "missing": 0})
    found = of(ran, "shop/web")
    assert found["frontends"] == []
    assert rows(found, "old_routers") == [
        {
            "name": "prio",
            "protocol": "http",
            "rule": "HostRegexp(`{x:[a-z]+}.test`)",
            "by_default": False,
            "priority": -3,
            "by_length": False,
            "entry_points": [],
            "middlewares": [],
            "service": "web@rancher",
        },
        {
            "name": "web",
            "protocol": "http",
            "rule": "Host(`a.test`, `b.test`)",
            "by_default": False,
            "priority": 24,
            "by_length": True,
            "entry_points": ["web", "websecure"],
            "middlewares": ["only@rancher"],
            "service": "",
        },
    ]
    prio, web = rows(found, "routers")
    assert (prio["rule"], prio["priority"], prio["service"]) == (r"HostRegexp(`^[a-z]+\.test$`)", -3, "web")
    assert (web["rule"], web["priority"], web["service"]) == ("Host(`a.test`) || Host(`b.test`)", 24, "web")
    assert web["middlewares"] == [
        {"name": "only", "settings": [{"key": "ipAllowList/sourceRange", "value": "10.0.0.0/8"}]}
    ]
    notices = [(one["label"], one["did"]) for one in rows(found, "problems")]
    assert notices == [("traefik.http.middlewares.only.ipwhitelist.sourcerange", "wrote that")]
    text = bridge("migrate", "--source", source(web=labels), *LAYOUT).out
    assert "  Traefik 1\n" not in text
    assert "      rule          Host(`a.test`, `b.test`)\n      priority      24, the length of its rule\n" in text
    assert "      rule          Host(`a.test`) || Host(`b.test`)\n      priority      24\n" in text


def test_routers_of_tcp_and_udp_are_told_as_their_labels_have_them(bridge: Bridge, source: Callable[..., str]) -> None:
    tcp = {
        "traefik.tcp.routers.r.rule": "HostSNI(`a.test`, `b.test`)",
        "traefik.tcp.routers.r.tls": "true",
        "traefik.tcp.routers.r.entrypoints": "sql",
        "traefik.tcp.services.s.loadbalancer.server.port": "5432",
    }
    udp = {"traefik.udp.routers.u.entrypoints": "dns", "traefik.udp.services.u.loadbalancer.server.port": "53"}
    short = {"traefik.protocol": "tcp", "traefik.port": "1", "traefik.frontend.entryPoints": "x"}
    named = ("--source", source(db=ENABLE | tcp, dns=ENABLE | udp, short=ENABLE | short), *LAYOUT)
    ran = told(bridge, *named)
    (old,), (new,) = (rows(of(ran, "shop/db"), kind) for kind in ("old_routers", "routers"))
    assert (old["protocol"], old["rule"], old["priority"]) == ("tcp", "HostSNI(`a.test`, `b.test`)", 27)
    assert (new["protocol"], new["rule"], new["priority"]) == ("tcp", "HostSNI(`a.test`) || HostSNI(`b.test`)", 27)
    (old,) = rows(of(ran, "shop/dns"), "old_routers")
    assert (old["protocol"], old["rule"], old["by_default"], old["by_length"]) == ("udp", "", False, False)
    assert rows(of(ran, "shop/short"), "old_routers") == [], "Traefik 2 knows no traefik.protocol"
    assert [one["name"] for one in rows(of(ran, "shop/short"), "routers")] == ["short_shop"]
    text = bridge("migrate", *named).out
    assert "    udp router u\n      rule          none\n      entry points  dns\n      service" in text
    assert "shop/short  moves whole\n  Traefik 2\n    nothing\n  Traefik 3\n" in text


def test_a_tcp_router_for_all_names_has_no_priority_by_length(bridge: Bridge, source: Callable[..., str]) -> None:
    labels = {
        "traefik.tcp.routers.r.rule": "HostSNI(`*`)",
        "traefik.tcp.routers.r.entrypoints": "sql",
        "traefik.tcp.services.s.loadbalancer.server.port": "5432",
    }
    ran = told(bridge, "--source", source(db=ENABLE | labels), *LAYOUT)
    (old,), (new,) = (rows(of(ran, "shop/db"), kind) for kind in ("old_routers", "routers"))
    assert (old["priority"], old["by_length"], new["priority"]) == (0, False, 0)
    text = bridge("migrate", "--source", source(db=ENABLE | labels), *LAYOUT).out
    assert text.count("      priority      behind all others\n") == 2
    first = bridge("migrate", "--source", source(db=ENABLE | labels | {"traefik.tcp.routers.r.priority": "7"}), *LAYOUT)
    assert first.out.count("      priority      7\n") == 2


def test_what_no_label_names_is_told_with_the_default_rule(bridge: Bridge, source: Callable[..., str]) -> None:
    named = ("--source", source(web=ENABLE | {"traefik.http.middlewares.m.compress": "true"}), *LAYOUT)
    for said, rule in (
        ((), "Host(`web-shop`)"),
        (("--default-rule", "Host(`{{ .Name }}`, `b`)"), "Host(`web_shop`, `b`)"),
    ):
        (old,) = rows(of(told(bridge, *named, *said), "shop/web"), "old_routers")
        assert (old["name"], old["rule"], old["by_default"], old["priority"]) == ("web_shop", rule, True, len(rule))
    assert f"{rule}, the default one\n" in bridge("migrate", *named, *said).out


def test_what_is_lost_is_told_and_costs_no_more_than_it_must(bridge: Bridge, source: Callable[..., str]) -> None:
    headers = {
        "traefik.http.middlewares.tls.headers.sslredirect": "true",
        "traefik.http.routers.web.middlewares": "tls",
    }
    named = source(
        quotes=ENABLE | {PORT: "80", RULE.replace("web", "q"): "Host(a.test)"},
        guarded=NATIVE | headers | {"traefik.http.routers.open.rule": "Host(`c`)"},
        lender=ENABLE | {"traefik.http.middlewares.m.compress": "true", "traefik.tcp.routers.t.entrypoints": "x"},
    )
    ran = told(bridge, "--source", named, *LAYOUT)
    assert ran.code == 4
    quotes, guarded = of(ran, "shop/quotes"), of(ran, "shop/guarded")
    assert (quotes["moved"], lost(quotes), quotes["routers"]) == ("missing", ["traefik.http.routers.q.rule"], [])
    assert [one["rule"] for one in rows(quotes, "old_routers")] == ["Host(a.test)"]
    assert guarded["moved"] == "losses"
    assert [one["name"] for one in rows(guarded, "old_routers")] == ["open", "web"]
    assert [one["name"] for one in rows(guarded, "routers")] == ["open"]
    assert "MISSING in Traefik 3: " in bridge("migrate", "--source", named, *LAYOUT).out


def test_a_service_that_only_lends_a_middleware_has_no_router_to_lose(
    bridge: Bridge, source: Callable[..., str]
) -> None:
    lends = ENABLE | {
        "traefik.http.middlewares.m.basicauth.users": "joe:$apr1$zzz",
        "traefik.http.services.a.loadbalancer.server.port": "80",
        "traefik.http.services.b.loadbalancer.server.port": "81",
    }
    borrows = NATIVE | {"traefik.http.routers.web.middlewares": "m@rancher,x@file"}
    ran = told(bridge, "--source", source(lends=lends, web=borrows), *LAYOUT)
    assert (ran.code, ran.json["summary"]) == (0, {"whole": 2, "losses": 0, "missing": 0})
    assert (of(ran, "shop/lends")["old_routers"], of(ran, "shop/lends")["routers"]) == ([], [])
    (router,) = rows(of(ran, "shop/web"), "routers")
    assert router["middlewares"] == [
        {"name": "m", "settings": [{"key": "basicAuth/users", "value": "(hidden)"}]},
        {"name": "x@file", "settings": []},
    ]
    assert "zzz" not in ran.out


def test_services_that_share_a_name_have_it_both(bridge: Bridge, source: Callable[..., str]) -> None:
    ran = told(bridge, "--source", source(one=NATIVE, two=NATIVE), *LAYOUT)
    for name in ("shop/one", "shop/two"):
        assert [one["name"] for one in rows(of(ran, name), "routers")] == ["web"]
        (web,) = rows(of(ran, name), "services")
        assert len(rows(web, "servers")) == 2
    assert "1 router without entry points listen" in str(ran.rows("settings"))


def test_a_world_of_all_vocabularies_is_told_side_by_side(bridge: Bridge, source: Callable[..., str]) -> None:
    first = ENABLE | {"traefik.port": "80", "traefik.frontend.rule": "Host:f.test"}
    both = OLDER | {"traefik.frontend.rule": "Host:g.test", RULE.replace("web", "two"): "Host(`t.test`)"}
    named = source(short=OLDER, first=first, web=NATIVE, both=both)
    ran = told(bridge, "--source", named)
    assert ran.code == 0
    sides = {
        str(one["service"]): (
            [each["rule"] for each in rows(one, "frontends")],
            [each["rule"] for each in rows(one, "old_routers")],
            [each["rule"] for each in rows(one, "routers")],
        )
        for one in ran.rows("services")
    }
    assert sides == {
        "shop/short": (["Host:short.shop.local"], [], ["Host(`short.shop.local`)"]),
        "shop/first": (["Host:f.test"], [], ["Host(`f.test`)"]),
        "shop/web": ([], ["Host(`a.test`, `b.test`)"], ["Host(`a.test`) || Host(`b.test`)"]),
        "shop/both": (["Host:g.test"], ["Host(`t.test`)"], ["Host(`t.test`)"]),
    }
    told_of_both = [one["reason"] for one in rows(of(ran, "shop/both"), "problems") if one["notice"]]
    assert "it speaks to Traefik 3 itself" in told_of_both
    assert "certificates that Traefik 1 reads" in str(ran.json["notes"])
    assert "x@rancher" in str(ran.json["notes"])


def test_where_nothing_of_native_labels_can_be_had_the_older_ones_move_and_both_are_told(
    bridge: Bridge, source: Callable[..., str]
) -> None:
    labels = OLDER | {
        "traefik.frontend.rule": "Host:web.shop.local",
        "traefik.http.routers.7.rule": "Host(`x`)",
        "traefik.http.services.8.loadbalancer.server.port": "1",
    }
    ran = told(bridge, "--source", source(web=labels), *LAYOUT)
    found = of(ran, "shop/web")
    assert [one["rule"] for one in rows(found, "routers")] == ["Host(`web.shop.local`)"]
    assert [one["rule"] for one in rows(found, "old_routers")] == ["Host(`x`)"]
    assert lost(found) == ["traefik.http.routers.7.rule", "traefik.http.services.8.loadbalancer.server.port"]


def test_what_is_told_is_what_sync_writes(bridge: Bridge) -> None:
    named = ("--source", f"file:{SAMPLES / 'real.stacks.json'}", *LAYOUT)
    ran = bridge("render", *named, "--output", "json")
    keys = {str(key).removeprefix("traefik/"): str(value) for key, value in ran.json.items()}
    moved = {str(one["name"]): one for move in told(bridge, *named).rows("services") for one in rows(move, "routers")}
    assert {one.name: (one.rule, one.priority, one.service) for one in routers(keys)} == {
        name: (one["rule"], one["priority"], one["service"]) for name, one in moved.items()
    }


# Traefik's own configuration.


def test_flags_to_add_and_to_remove_are_told(bridge: Bridge, source: Callable[..., str]) -> None:
    labels = NATIVE | {
        "traefik.http.routers.web.entrypoints": "web",
        "traefik.http.routers.web.tls.certresolver": "le",
        "traefik.http.middlewares.geo.plugin.geoblock.countries": "RU,BY",
        "traefik.http.services.web.loadbalancer.sticky.cookie": "true",
    }
    ran = told(bridge, "--source", source(web=labels), "--layout", "traefik3=tree")
    assert options(ran) == {
        "providers.etcd.endpoints": "",
        "providers.etcd.rootKey": "tree",
        "providers.consul.endpoints": "",
        "providers.consul.rootKey": "tree",
        "entryPoints.web": "",
        "certificatesResolvers.le": "",
        "experimental.plugins.geoblock.moduleName": "",
        "providers.providersThrottleDuration": "2s",
    }
    assert options(ran, "removed") == {"providers.rancher": ""}
    assert "the sticky cookies of 1 service get another name" in str(ran.json["notes"])
    assert "certificates that Traefik 1 reads" not in str(ran.json["notes"])
    named = labels | {"traefik.http.services.web.loadbalancer.sticky.cookie.name": "x"}
    again = told(bridge, "--source", source(web=named), *LAYOUT)
    assert "sticky" not in str(again.json["notes"])


def test_the_named_store_is_where_traefik_3_reads(
    bridge: Bridge, source: Callable[..., str], etcd_server: EtcdServer
) -> None:
    endpoint = etcd_server.endpoint
    ran = told(bridge, "--source", source(web=NATIVE), *LAYOUT, "--store", f"etcd://{endpoint}/moved")
    assert options(ran)["providers.etcd.endpoints"] == endpoint
    assert options(ran)["providers.etcd.rootKey"] == "moved"
    assert "providers.consul.rootKey" not in options(ran)


def test_nothing_of_rancher_is_to_be_removed_where_no_label_is_traefik_2s(
    bridge: Bridge, source: Callable[..., str]
) -> None:
    ran = told(bridge, "--source", source(web=OLDER))
    assert (options(ran, "removed"), ran.json["exposed"]) == ({}, None)
    assert "exposedByDefault" not in bridge("migrate", "--source", source(web=OLDER)).out


def test_what_traefik_2_published_without_being_asked_is_named(bridge: Bridge, source: Callable[..., str]) -> None:
    quiet = {name: text for name, text in NATIVE.items() if name != "traefik.enable"}
    quiet = {name.replace(".web.", ".quiet."): text.replace("a.test", "q.test") for name, text in quiet.items()}
    named = ("--source", source(web=NATIVE, quiet=quiet, off=quiet | {"traefik.enable": "false"}, bare={}), *LAYOUT)
    others = told(bridge, *named, "--constraint", "!LabelRegex(`env`, `^prod$`)")
    assert others.json["exposed"] == {"said": False, "only": ["shop/quiet"], "bare": ["shop/bare"]}
    none = told(bridge, *named, "--constraint", "Label(`env`, `prod`) || LabelRegex(`traefik.enable`, `true`)")
    assert none.json["exposed"] == {"said": False, "only": [], "bare": []}
    ran = told(bridge, *named)
    assert ran.json["exposed"] == {"said": False, "only": ["shop/quiet"], "bare": ["shop/bare"]}
    assert [one["service"] for one in ran.rows("services")] == ["shop/web"]
    text = bridge("migrate", *named).out
    assert "exposedByDefault was true unless you said otherwise" in text
    assert "published only with --expose-by-default: shop/quiet\n" in text
    assert "published by nothing here: shop/bare\n" in text
    exposed = told(bridge, *named, "--expose-by-default")
    assert exposed.json["exposed"] == {"said": True, "only": [], "bare": ["shop/bare"]}
    assert [one["service"] for one in exposed.rows("services")] == ["shop/quiet", "shop/web"]


def test_what_other_providers_give_is_named(bridge: Bridge, source: Callable[..., str]) -> None:
    labels = NATIVE | {
        "traefik.http.routers.web.middlewares": "login@file, own@rancher",
        "traefik.http.middlewares.own.chain.middlewares": "limit@docker",
        "traefik.http.routers.web.tls.options": "modern@file",
        "traefik.http.routers.dash.rule": "Host(`d.test`)",
        "traefik.http.routers.dash.service": "api@internal",
    }
    ran = bridge("migrate", "--source", source(web=labels), *LAYOUT)
    (note,) = (line for line in ran.out.splitlines() if "other providers" in line)
    assert "to Traefik 2: limit@docker, login@file, modern@file; give" in note
    assert "other providers" not in bridge("migrate", "--source", source(web=NATIVE), *LAYOUT).out


def test_a_service_that_only_says_enable_is_not_taken_for_traefik_2s(
    bridge: Bridge, source: Callable[..., str]
) -> None:
    """Traefik 2 gave it the default rule and the published port."""
    alone = "traefik.enable alone asks for rancher-traefik's route"
    ran = bridge("migrate", "--source", source(web=NATIVE, bare=ENABLE, older=OLDER), *LAYOUT)
    (note,) = (line for line in ran.out.splitlines() if alone in line)
    assert note.endswith("traefik.http.services.NAME.loadbalancer.server.port: shop/bare")
    assert alone not in bridge("migrate", "--source", source(web=NATIVE, older=OLDER), *LAYOUT).out


# Other protocols than HTTP.


def test_routers_of_other_protocols_are_read_too() -> None:
    keys = {
        "tcp/routers/db/rule": "HostSNI(`*`)",
        "tcp/routers/db/service": "db",
        "tcp/routers/db/entryPoints": "db",
        "tcp/services/db/loadBalancer/servers/c-1/address": "10.0.0.1:5432",
        "udp/routers/dns/service": "dns",
        "http/routers/db/rule": "Host(`a`)",
        "http/routers/db/service": "db",
        "http/routers/db/priority": "9",
    }
    assert [(one.protocol, one.name, one.rule, one.priority) for one in routers(keys)] == [
        ("http", "db", "Host(`a`)", 9),
        ("tcp", "db", "HostSNI(`*`)", 0),
        ("udp", "dns", "", 0),
    ]
    assert [(one.protocol, one.servers) for one in services(keys)] == [("tcp", (("10.0.0.1:5432", 1),))]
