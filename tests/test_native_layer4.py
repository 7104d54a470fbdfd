"""What labels of TCP, UDP and certificates come to, and `traefik.protocol`: nothing that takes HTTP's ports over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.layouts import Target, layout
from bridge.layouts.lint import Grade
from bridge.layouts.traefik3_lint import lint
from bridge.model.problem import Problem
from bridge.model.world import Service
from bridge.routes import Policy, judge_all
from bridge.sync import lay_out
from tests.commands import Bridge, silent
from tests.publishing import container, external, service, world

bridge = pytest.fixture(silent)

NEWEST = Target((3, 7))
ANY = Policy()
SHORT = {"protocol": "tcp", "port": "3306", "frontend.entryPoints": "sql"}
TCP = {
    "tcp.routers.r.rule": "HostSNI(`*`)",
    "tcp.routers.r.entrypoints": "sql",
    "tcp.services.s.loadbalancer.server.port": "3306",
}
UDP = {"udp.routers.r.entrypoints": "dns", "udp.services.s.loadbalancer.server.port": "53"}
WEB = {"http.routers.web.rule": "Host(`a.test`)", "http.services.web.loadbalancer.server.port": "80"}
KEPT = {"tcp": ("loadBalancer/proxyProtocol", "false"), "udp": ("loadBalancer/servers", "true")}


def asks(labels: Mapping[str, str], name: str = "db", boxes: int = 1) -> Service:
    """A service of the stack shop whose labels are these, below traefik."""
    said = {f"traefik.{label}": text for label, text in labels.items()}
    return replace(service(name, boxes), labels={"traefik.enable": "true", **said}, has_check=False)


def publish(
    *services: Service, policy: Policy = ANY, target: Target = NEWEST, of: str = "traefik3"
) -> tuple[dict[str, str], list[Problem]]:
    """The keys, and the problems that are no notices."""
    wishes, problems = lay_out(judge_all(world(*services), policy), layout(of, target), "default")
    keys = {path: value for wish in wishes.values() for path, value in (*wish.shared.items(), *wish.own.items())}
    found = lint({f"traefik/{path}": value for path, value in keys.items()}, "traefik/", target.version)
    assert of != "traefik3" or {one.flaw.grade for one in found} <= {Grade.NOTICE}
    return keys, [one for one in problems if not one.notice]


def below(keys: Mapping[str, str], place: str) -> dict[str, str]:
    return {path.removeprefix(f"{place}/"): value for path, value in keys.items() if path.startswith(f"{place}/")}


# The short form.


@pytest.mark.parametrize("protocol", ["tcp", "udp", "TCP"])
def test_a_service_whose_protocol_is_tcp_or_udp_gets_a_router_at_its_entry_points(protocol: str) -> None:
    keys, problems = publish(asks(SHORT | {"protocol": protocol}))
    kind = protocol.lower()
    router = {"entryPoints": "sql", "service": "db_shop"} | ({"rule": "HostSNI(`*`)"} if kind == "tcp" else {})
    assert below(keys, f"{kind}/routers/db_shop") == router
    servers = {"loadBalancer/servers/default--db-1/address": "10.42.198.1:3306"}
    assert below(keys, f"{kind}/services/db_shop") == servers | dict([KEPT[kind]])
    assert (len(keys), problems) == (len(router) + 2, [])


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ({"frontend.entryPoints": ""}, "traefik.protocol"),
        ({"frontend.entryPoints": "web"}, "traefik.frontend.entryPoints"),
        ({"frontend.entryPoints": "sql,websecure"}, "traefik.frontend.entryPoints"),
        ({"frontend.entryPoints": "inner"}, "traefik.frontend.entryPoints"),
        ({"frontend.entryPoints": "sq l"}, "traefik.frontend.entryPoints"),
        ({"port": ""}, "traefik.port"),
        ({"port": "many"}, "traefik.port"),
        ({"frontend.auth.basic.users": "joe:$apr1$x"}, "traefik.frontend.auth.basic.users"),
        ({"frontend.whiteList.sourceRange": "10.0.0.0/8"}, "traefik.frontend.whiteList.sourceRange"),
        ({"frontend.whitelst.sourceRange": "10.0.0.0/8"}, "traefik.frontend.whitelst.sourceRange"),
    ],
)
def test_without_an_entry_point_of_its_own_or_a_port_or_with_a_protection_nothing_is_published(
    said: dict[str, str], label: str
) -> None:
    found = asks({name: text for name, text in (SHORT | said).items() if text})
    keys, problems = publish(found, target=Target((3, 7), entry_points=("inner",)))
    assert [path for path in keys if "/routers/" in path] == []
    assert label in {problem.label for problem in problems}


def test_no_http_is_made_of_it_and_traefik_1_says_that_it_has_no_such_thing() -> None:
    one = asks(SHORT | {"domain": "a.test", "frontend.rule": "Host:a.test", "web.port": "80"})
    assert not any(path.startswith("http") for path in publish(one)[0])
    assert publish(one, of="traefik1") == ({}, [])
    _, problems = lay_out(judge_all(world(one), Policy()), layout("traefik1"), "default")
    assert [(one.label, one.reason) for one in problems] == [("traefik.protocol", "Traefik 1 knows HTTP alone")]


def test_a_port_that_no_label_says_is_the_published_one_of_its_protocol() -> None:
    ports = ("0.0.0.0:5353:53/udp", "0.0.0.0:8080:80/tcp")
    one = asks({"protocol": "udp", "frontend.entryPoints": "dns"})
    one = replace(one, containers=(replace(container("c", "10.0.0.1"), ports=ports),))
    keys, _ = publish(one)
    assert "10.0.0.1:53" in keys.values()


def test_servers_are_reached_at_their_hosts_too_and_old_ones_keep_their_port() -> None:
    ports = ("0.0.0.0:7001:53/udp", "0.0.0.0:7000:53/tcp")
    old = replace(
        container("old", "10.0.0.2"), labels={"traefik.port": "54", "traefik.address": "container"}, host_uuid="h"
    )
    new = replace(container("new", "10.0.0.1"), ports=ports, host_uuid="h")
    one = asks({"protocol": "udp", "port": "53", "frontend.entryPoints": "dns", "address": "host"})
    seen = replace(world(replace(one, containers=(new, old))), hosts={"h": "192.0.2.1"})
    wishes, _ = lay_out(judge_all(seen, Policy()), layout("traefik3", NEWEST), "default")
    own = wishes["udp.services.db_shop"].own
    assert sorted(own.values()) == ["10.0.0.2:54", "192.0.2.1:7001"]


def test_external_services_get_their_addresses_and_a_weight_of_0_takes_all() -> None:
    one = replace(external("db", "192.0.2.7", "fd00::7"), labels=asks(SHORT).labels)
    keys, _ = publish(one)
    assert {"192.0.2.7:3306", "[fd00::7]:3306"} <= set(keys.values())
    assert below(publish(asks(SHORT | {"weight": "0"}))[0], "tcp/services/db_shop") == dict([KEPT["tcp"]])


# Labels of Traefik 2 and 3.


@pytest.mark.parametrize(
    ("rule", "written", "priority"),
    [
        ("HostSNI(`*`)", "HostSNI(`*`)", ""),
        ("hostsni(`*`)", "HostSNI(`*`)", ""),
        ("HostSNI(`a.test`, `B.test`)", "HostSNI(`a.test`) || HostSNI(`b.test`)", "27"),
        ("HostSNIRegexp(`{any:[a-z]+}.test`)", r"HostSNIRegexp(`^[a-z]+\.test$`)", "34"),
        ("HostSNIRegexp(`a.test`)", "HostSNI(`a.test`)", "23"),
        ("HostSNIRegexp(`^a[.]test$`)", "HostSNIRegexp(`^a[.]test$`)", "27"),
        (
            "HostSNI(`a.test`) && ClientIP(`10.0.0.0/8`, `::1`)",
            "HostSNI(`a.test`) && (ClientIP(`10.0.0.0/8`) || ClientIP(`::1`))",
            "50",
        ),
        ("HostSNI(`a.test`) && !ALPN(`h2`)", "HostSNI(`a.test`) && !ALPN(`h2`)", "32"),
        ("Host(`a.test`)", "", ""),
        ("HostSNI(a.test)", "", ""),
        ("HostSNI(`b c`)", "", ""),
        ("ClientIP(`many`)", "", ""),
        ("", "", ""),
    ],
)
def test_rules_are_written_in_traefik_3s_language_with_the_priority_that_they_had(
    rule: str, written: str, priority: str
) -> None:
    labels = {**TCP, "tcp.routers.r.rule": rule, "tcp.routers.r.tls": "true"}
    keys, problems = publish(asks(labels))
    found = below(keys, "tcp/routers/r")
    assert (found.get("rule", ""), found.get("priority", "")) == (written, priority)
    assert bool(problems) is not bool(written)


def test_tls_and_middlewares_and_servers_options_are_kept() -> None:
    labels = TCP | {
        "tcp.routers.r.rule": "HostSNI(`a.test`)",
        "tcp.routers.r.tls.passthrough": "true",
        "tcp.routers.r.tls.options": "strict@file",
        "tcp.routers.r.middlewares": "few@rancher,local",
        "tcp.middlewares.few.inflightconn.amount": "+5",
        "tcp.middlewares.local.ipwhitelist.sourcerange": "10.0.0.0/8",
        "tcp.services.s.loadbalancer.server.tls": "TRUE",
        "tcp.services.s.loadbalancer.proxyprotocol.version": "1",
        "tcp.services.s.loadbalancer.serverstransport": "x@file",
    }
    keys, problems = publish(asks(labels))
    assert problems == []
    assert below(keys, "tcp/routers/r").items() >= {
        ("tls/passthrough", "true"),
        ("tls/options", "strict@file"),
        ("middlewares", "few,local"),
    }
    assert below(keys, "tcp/middlewares") == {
        "few/inFlightConn/amount": "5",
        "local/ipAllowList/sourceRange": "10.0.0.0/8",
    }
    assert below(keys, "tcp/services/s").items() >= {
        ("loadBalancer/servers/default--db-1/tls", "true"),
        ("loadBalancer/proxyProtocol/version", "1"),
    }


@pytest.mark.parametrize(
    "said",
    [
        {"tcp.routers.r.entrypoints": ""},
        {"tcp.routers.r.entrypoints": "web"},
        {"tcp.routers.r.entrypoints": "sql,https"},
        {"tcp.routers.r.entrypoints": "websecure", "tcp.routers.r.tls": "true"},
        {
            "tcp.routers.r.entrypoints": "websecure",
            "tcp.routers.r.tls": "true",
            "tcp.routers.r.rule": "ClientIP(`::1`)",
        },
        {"tcp.routers.r.rule": "HostSNI(`a.test`)"},
        {"tcp.routers.r.middlewares": "nobodys"},
        {"tcp.routers.r.service": "nobodys"},
        {"tcp.routers.r.middlewares": "m", "tcp.middlewares.m.ipallowlist.sourcerange": "everybody"},
        {"tcp.services.s.loadbalancer.server.weight": "2"},
        {"tcp.services.s.loadbalancer.server.port": "many"},
    ],
)
def test_a_router_that_cannot_be_had_as_its_labels_ask_is_lost_alone(said: dict[str, str]) -> None:
    keys, problems = publish(asks({**TCP, **said} | WEB))
    assert below(keys, "tcp/routers/r") == {}
    assert problems
    assert below(keys, "http/routers/web")


@pytest.mark.parametrize("labels", [TCP, {**TCP, "tcp.routers.r.tls": "true"}, {**UDP, "udp.routers.r.service": "s"}])
def test_a_router_that_names_no_entry_point_is_lost(labels: dict[str, str]) -> None:
    said = {label: text for label, text in labels.items() if not label.endswith("entrypoints")}
    keys, problems = publish(asks(said))
    assert {path.split("/")[1] for path in keys} == {"services"}
    assert ["it names no entry point" in one.reason for one in problems] == [True]


def test_a_name_of_its_own_may_be_asked_for_where_https_is_served() -> None:
    said = {"tcp.routers.r.rule": "HostSNI(`a.test`)", "tcp.routers.r.entrypoints": "websecure"}
    keys, problems = publish(asks(TCP | said | {"tcp.routers.r.tls.passthrough": "true"}))
    assert (below(keys, "tcp/routers/r")["entryPoints"], problems) == ("websecure", [])


@pytest.mark.parametrize(
    ("labels", "places"),
    [
        (TCP, {"tcp/routers/r", "tcp/services/s"}),
        ({**TCP, "tcp.services.s.loadbalancer.server.port": ""}, {"tcp/routers/r", "tcp/services/s"}),
        (
            {"tcp.routers.r.rule": "HostSNI(`*`)", "tcp.routers.r.entrypoints": "sql"},
            {"tcp/routers/r", "tcp/services/db_shop"},
        ),
        ({"tcp.services.s.loadbalancer.server.port": "1"}, {"tcp/services/s"}),
        (TCP | WEB, {"tcp/routers/r", "tcp/services/s", "http/routers/web", "http/services/web"}),
        (
            {"tcp.middlewares.m.inflightconn.amount": "1"},
            {"tcp/middlewares/m", "http/routers/db_shop", "http/services/db_shop"},
        ),
        ({"tcp.nonsense.m.inflightconn.amount": "1"} | {"tcp.middlewares.m.inflightconn.amount": "1"}, set()),
        (UDP, {"udp/routers/r", "udp/services/s"}),
        ({"udp.routers.r.entrypoints": "dns"}, {"udp/routers/r", "udp/services/db_shop"}),
        ({"udp.services.s.loadbalancer.server.port": "53", "udp.routers.r.service": "s"}, {"udp/services/s"}),
    ],
)
def test_what_no_label_names_is_as_traefik_2_had_it(labels: dict[str, str], places: set[str]) -> None:
    one = asks(labels)
    ports = ("0.0.0.0:1:3306/tcp", "0.0.0.0:2:53/udp")
    one = replace(one, containers=(replace(one.containers[0], ports=ports),))
    assert {"/".join(path.split("/")[:3]) for path in publish(one)[0]} == places


def test_a_store_has_a_generated_certificate_and_none_of_a_file_which_could_end_all_tls() -> None:
    generated = {"tls.stores.default.defaultgeneratedcert.resolver": "le"}
    generated |= {"tls.stores.default.defaultgeneratedcert.domain.main": "a.test"}
    keys, problems = publish(asks(generated))
    made = {"resolver": "le", "domain/main": "a.test"}
    assert (below(keys, "tls/stores/default/defaultGeneratedCert"), problems) == (made, [])
    keys, problems = publish(asks({"tls.stores.default.defaultcertificate.keyfile": "a-secret"}))
    assert keys == {}
    assert "ends the TLS of all" in problems[0].reason
    assert "a-secret" not in str(problems)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"tcp/routers/t/entryPoints": "web", "http/routers/h/entryPoints": "web"}, "the TCP router t takes all plain"),
        ({"tcp/routers/t/entryPoints": "sql", "http/routers/h/entryPoints": "web"}, ""),
        ({"tcp/routers/t/entryPoints": "web", "http/routers/h/entryPoints": "web", "http/routers/h/tls": "true"}, ""),
        ({"udp/routers/u/entryPoints": "dns", "udp/routers/v/entryPoints": "dns"}, "router u has the same entry point"),
        ({"udp/routers/u/entryPoints": "dns", "udp/routers/v/entryPoints": "log"}, ""),
        ({"udp/routers/u/service": "u"}, "it is missing, or names none"),
        ({"tls/stores/default/defaultCertificate/certFile": "-----BEGIN CERTIFICATE"}, "it is missing, or empty"),
        ({"tls/stores/other/defaultCertificate/certFile": "-----BEGIN CERTIFICATE"}, ""),
    ],
)
def test_check_tells_of_entry_points_and_certificates_that_others_lose_by(tree: dict[str, str], said: str) -> None:
    """Whoever wrote it."""
    keys = dict(tree)
    for kind, name in {(path.split("/")[0], path.split("/")[2]) for path in tree if "/routers/" in path}:
        rule = {"http": "Path(`/`)", "tcp": "HostSNI(`*`)"}.get(kind)
        keys |= {f"{kind}/routers/{name}/service": name} | ({f"{kind}/routers/{name}/rule": rule} if rule else {})
        server = {"http": ("url", "http://a:1")}.get(kind, ("address", "a:1"))
        keys[f"{kind}/services/{name}/loadBalancer/servers/x/{server[0]}"] = server[1]
    found = lint({f"traefik/{path}": value for path, value in keys.items()}, "traefik/", (3, 0))
    wrong = [one.flaw.reason for one in found if one.flaw.grade is not Grade.NOTICE]
    assert len(wrong) == bool(said)
    assert not said or wrong[0].startswith(said)


def test_explain_says_what_becomes_of_connections_without_a_server(tmp_path: Path, bridge: Bridge) -> None:
    said = {"traefik.enable": "true", **{f"traefik.{label}": text for label, text in SHORT.items()}}
    one = {"uuid": "s", "name": "db", "stack_name": "shop", "kind": "service", "labels": said, "containers": []}
    source = tmp_path / "world.json"
    source.write_text(json.dumps([{"uuid": "st", "name": "shop", "environment_uuid": "e", "services": [one]}]))
    ran = bridge("explain", "shop/db", "--layout", "traefik3", "--source", f"file:{source}", "--output", "json")
    (found,) = ran.rows("services")
    assert found["summary"] == (
        "published, without a server of this cluster: other clusters answer, else what comes for it is dropped"
    )
    labels = found["labels"]
    assert isinstance(labels, list)
    assert {each["name"]: each["fate"] for each in labels} == dict.fromkeys(said, "used")


# Several services.


def test_of_two_that_want_all_of_an_entry_point_the_first_has_it() -> None:
    other = {label.replace(".r.", ".q.").replace(".s.", ".t."): text for label, text in TCP.items()}
    keys, problems = publish(asks(TCP, "a"), asks(other, "b"))
    assert (bool(below(keys, "tcp/routers/r")), below(keys, "tcp/routers/q")) == (True, {})
    assert {problem.service for problem in problems} == {"shop/a", "shop/b"}
    keys, problems = publish(
        asks(UDP, "a"), asks({"protocol": "udp", "port": "53", "frontend.entryPoints": "dns"}, "b")
    )
    assert {problem.suggestion for problem in problems} == {"name another entry point"}
    assert [path for path in keys if "/routers/" in path and path.endswith("/service")] == ["udp/routers/r/service"]


def test_of_two_that_lead_to_one_service_and_are_not_guarded_alike_none_stays() -> None:
    guarded = {"tcp.routers.q.rule": "HostSNI(`*`)", "tcp.routers.q.entrypoints": "sql", "tcp.routers.q.service": "s"}
    guarded |= {"tcp.routers.q.middlewares": "m", "tcp.middlewares.m.ipallowlist.sourcerange": "10.0.0.0/8"}
    keys, problems = publish(
        asks(TCP | {"tcp.routers.r.service": "s"}, "a"),
        asks(guarded | {"tcp.services.s.loadbalancer.server.port": "3306"}, "b"),
    )
    assert [path for path in keys if "/routers/" in path] == []
    assert {problem.service for problem in problems} == {"shop/a", "shop/b"}


@pytest.mark.parametrize(("first", "second"), [(TCP, WEB), (WEB, TCP)])
def test_of_http_and_tcp_at_one_entry_point_the_first_has_it(first: dict[str, str], second: dict[str, str]) -> None:
    at = {"http.routers.web.entrypoints": "sql"}
    with_points = [labels | (at if labels is WEB else {}) for labels in (first, second)]
    keys, problems = publish(asks(with_points[0], "a"), asks(with_points[1], "b"))
    routers = {path.split("/")[0] for path in keys if "/routers/" in path}
    assert routers == {"tcp" if first is TCP else "http"}
    assert [problem.service for problem in problems] == ["shop/b"]


@pytest.mark.parametrize(("tcp", "http"), [("a", "b"), ("b", "a")])
def test_of_tcp_and_a_route_of_older_words_at_one_entry_point_the_first_has_it(tcp: str, http: str) -> None:
    older = {"port": "80", "frontend.rule": "Host:a.test", "frontend.entryPoints": "sql,http"}
    keys, problems = publish(asks(TCP, tcp), asks(older, http))
    assert {path.split("/")[0] for path in keys if "/routers/" in path} == {"tcp" if tcp == "a" else "http"}
    assert [(problem.service, problem.suggestion) for problem in problems] == [("shop/b", "name another entry point")]
    apart = older | {"frontend.entryPoints": "http"}
    assert publish(asks(TCP, tcp), asks(apart, http))[1] == []


def test_who_lost_its_entry_point_takes_no_requests_from_others() -> None:
    both = {"http.routers.web.entrypoints": "sql,web"}
    web = {label.replace("web", "www"): text for label, text in (WEB | {"http.routers.web.entrypoints": "web"}).items()}
    keys, _ = publish(asks(TCP, "a"), asks(WEB | both, "b"), asks(web, "c"))
    assert sorted(path for path in keys if path.endswith("/service")) == [
        "http/routers/www/service",
        "tcp/routers/r/service",
    ]


def test_who_stands_at_an_entry_point_stays_whatever_a_newcomer_of_another_protocol_is_called() -> None:
    web = asks(WEB | {"http.routers.web.entrypoints": "sql"}, "a")
    older = asks({"port": "80", "frontend.rule": "Host:b.test", "frontend.entryPoints": "sql"}, "a")
    for newcomer in (web, older):
        for first, second in ((asks(TCP, "b"), newcomer), (newcomer, replace(asks(TCP, "b"), name="0"))):
            stood, _ = lay_out(judge_all(world(first), ANY), layout("traefik3", NEWEST), "default")
            shared = {group: wish.shared for group, wish in stood.items()}
            both, _ = lay_out(
                judge_all(world(first, second), ANY), layout("traefik3", NEWEST), "default", claimed=shared.get
            )
            assert {path for wish in both.values() for path in wish.shared if "/routers/" in path} == {
                path for keys in shared.values() for path in keys if "/routers/" in path
            }


def test_rules_of_tcp_meet_where_a_way_through_both_is_the_same() -> None:
    tls = {**TCP, "tcp.routers.r.tls": "true", "tcp.routers.r.priority": "7"}
    one = tls | {"tcp.routers.r.rule": "HostSNI(`a.test`, `b.test`)"}
    for rule, meet in (("HostSNI(`b.test`)", True), ("HostSNI(`c.test`)", False)):
        other = {name.replace(".r.", ".q.").replace(".s.", ".t."): text for name, text in tls.items()}
        keys, problems = publish(asks(one, "a"), asks(other | {"tcp.routers.q.rule": rule}, "b"))
        assert (below(keys, "tcp/routers/q") == {}) is meet
        assert any("TCP router r asks for the same requests" in one.reason for one in problems) is meet


def test_servers_are_not_behind_a_router_of_tcp_that_their_own_labels_guard_otherwise() -> None:
    guarded = TCP | {"tcp.middlewares.near.ipallowlist.sourcerange": "10.0.0.0/8", "tcp.routers.r.middlewares": "near"}
    keys, problems = publish(asks(TCP, "a"), asks(guarded, "b"))
    assert len([path for path in keys if path.endswith("/address")]) == 1
    assert any("TCP router r leads to them as shop/a asks for it" in one.reason for one in problems)
    keys, _ = publish(asks(guarded, "a"), asks(guarded, "b"))
    assert len([path for path in keys if path.endswith("/address")]) == 2


@pytest.mark.parametrize("label", ["tcp.services.s.weighted.services[0].name", "udp.services.s.weighted.services"])
def test_a_service_of_services_is_none_that_labels_can_ask_for(label: str) -> None:
    keys, problems = publish(asks((TCP if label.startswith("tcp") else UDP) | {label: "x"}))
    assert keys == {}
    assert any("a load balancer alone" in one.reason for one in problems)


def test_slips_in_rules_of_tcp_get_a_suggestion_in_its_words_and_plain_patterns_a_notice() -> None:
    _, (problem,) = publish(asks(TCP | {"tcp.routers.r.rule": "Host(`a.test`)", "tcp.routers.r.tls": "true"}))
    assert problem.suggestion == "write HostSNI(`a.test`)"
    plain = TCP | {"tcp.routers.r.rule": "HostSNIRegexp(`A.test`)", "tcp.routers.r.tls": "true"}
    wishes, problems = lay_out(judge_all(world(asks(plain)), ANY), layout("traefik3", NEWEST), "default")
    assert wishes["tcp.routers.r"].shared["tcp/routers/r/rule"] == "HostSNI(`a.test`)"
    assert [one.did for one in problems if one.notice] == ["wrote HostSNI(`a.test`)"]


def test_equal_words_are_one_service_with_the_servers_of_all() -> None:
    keys, problems = publish(asks(TCP, "a", 2), asks(TCP, "b"))
    servers = [value for path, value in keys.items() if path.endswith("/address")]
    assert (len(servers), problems) == (3, [])


def test_where_only_some_hosts_are_allowed_nothing_is_for_all_of_them() -> None:
    policy = Policy(domains=("*.test",))
    tls = {**TCP, "tcp.routers.r.tls": "true"}
    assert publish(asks(tls | {"tcp.routers.r.rule": "HostSNI(`a.test`)"}), policy=policy)[1] == []
    for labels in (TCP, tls, UDP, SHORT, tls | {"tcp.routers.r.rule": "HostSNI(`a.other`)"}):
        keys, problems = publish(asks(labels), policy=policy)
        assert [path for path in keys if "/routers/" in path] == []
        assert "--allow-domain" in problems[0].reason


def test_where_clusters_share_nothing_it_is_not_published() -> None:
    keys, problems = publish(asks(SHORT), policy=Policy(separate=True))
    assert keys == {}
    assert "--fan-in merge" in problems[0].suggestion


# Containment.

PARTS = st.sampled_from(
    ("tcp", "udp", "tls", "http", "routers", "services", "middlewares", "stores", "default", "r", "s")
)
PARTS |= st.sampled_from(("rule", "entrypoints", "service", "middlewares", "loadbalancer", "server", "port", "tls", ""))
PARTS |= st.sampled_from(
    ("passthrough", "proxyprotocol", "ipallowlist", "sourcerange", "defaultcertificate", "certfile")
)
NAMES = st.lists(PARTS, min_size=3, max_size=6).map(".".join)
NAMES |= st.sampled_from((*TCP, *UDP, *SHORT, "tcp.routers.r.tls", "tcp.routers.r.service", "udp.routers.r.service"))
TEXTS = st.sampled_from(
    ("HostSNI(`*`)", "HostSNI(`a.test`)", "ClientIP(`::1`)", "web", "websecure", "sql", "dns", "mine")
)
TEXTS |= st.sampled_from(("tcp", "udp", "true", "false", "80", "s", "", "/nowhere", "x@file", "\n", "é")) | st.text(
    max_size=5
)
POINTS = st.sampled_from(("mine", "sql", "dns", "web", "https", "other", "other,mine", ""))
# Labels that nearly make sense: a router of each kind, somewhere, and odd ones beside it.
NEARLY = st.builds(
    lambda asked, point, odd: {**asked[0], asked[1]: point, **odd},
    st.sampled_from(
        (
            (TCP, "tcp.routers.r.entrypoints"),
            (TCP | {"tcp.routers.r.tls": "true"}, "tcp.routers.r.entrypoints"),
            (UDP, "udp.routers.r.entrypoints"),
            (SHORT, "frontend.entryPoints"),
            (SHORT | {"protocol": "udp"}, "frontend.entryPoints"),
            ({label.replace("web", "r"): text for label, text in WEB.items()}, "http.routers.r.entrypoints"),
        )
    ),
    POINTS,
    st.dictionaries(NAMES, TEXTS, max_size=2),
)


@given(st.dictionaries(NAMES, TEXTS, max_size=9) | NEARLY)
@settings(max_examples=250, deadline=None)
def test_no_labels_of_one_service_freeze_the_tree_or_take_another_services_connections(labels: dict[str, str]) -> None:
    mine = WEB | {"http.routers.web.entrypoints": "web,mine", "http.routers.other.rule": "Path(`/`)"}
    mine |= {"tcp.routers.mine.rule": "HostSNI(`*`)", "tcp.routers.mine.entrypoints": "sql"}
    mine |= {"tcp.services.mine.loadbalancer.server.port": "1", "tcp.routers.mine.service": "mine"}
    mine |= {"udp.routers.mine.entrypoints": "dns", "udp.services.mine.loadbalancer.server.port": "1"}
    quiet, problems = publish(asks(mine, "a"))
    assert problems == []
    keys, _ = publish(asks(mine, "a"), asks(labels, "b"))  # which looks for what is lost or taken over
    assert keys.items() >= quiet.items()
    assert not any("/defaultcertificate/" in path.lower() for path in keys)
    for path, value in keys.items():
        if path.startswith("tcp/routers/") and path.endswith("/entryPoints"):
            fields = below(keys, path.rpartition("/")[0])
            tls = any(name.partition("/")[0] == "tls" for name in fields)
            assert (tls and "HostSNI(`a.test`)" in fields["rule"]) or not {"web", "websecure", "mine"} & set(
                value.split(",")
            )
