"""Traefik 1's own labels beside rancher-traefik's: who wins, what segments are, what protection costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.cli.label_facts import laid_out
from bridge.labels.read import Asked, Pool, read
from bridge.labels.rules import write_rule
from bridge.labels.table import INNER, PREFIX, SEGMENT, TABLE, Label, Listed, forms
from bridge.labels.types import Publish
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.keys import group_name
from bridge.model.route import (
    Auth,
    Backend,
    BasicAuth,
    ClientTls,
    DigestAuth,
    ErrorPage,
    ForwardAuth,
    Frontend,
    Headers,
    HealthCheck,
    MaxConn,
    RateLimit,
    RateSet,
    Redirect,
    Server,
    Whitelist,
)
from bridge.model.world import Snapshot
from bridge.routes import Health, Judge, Policy, judge, judge_all
from tests.golden_reader import Store, verdict
from tests.test_routes import container, faults, rules, service

AUTO = Policy()
RULE = "traefik.frontend.rule"
USER = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
SECRET = "IgXLP6ewTrSuBkTrqE8wj"
NATIVE = {"traefik.enable": "true", "traefik.port": "80", RULE: "Host:a.org"}
AUTH = "traefik.frontend.auth"
HEADERS = "traefik.frontend.headers"
RATE = "traefik.frontend.rateLimit"
LIMITED = {
    f"{RATE}.extractorFunc": "client.ip",
    f"{RATE}.rateSet.a.period": "1m",
    f"{RATE}.rateSet.a.average": "7",
    f"{RATE}.rateSet.a.burst": "8",
}


def asked(labels: dict[str, str]) -> Asked:
    return read("shop/web", "web", "shop", Publish.SERVICE, labels)


def frontend(labels: dict[str, str]) -> Frontend:
    found = asked(NATIVE | labels)
    assert found.refusals == ()
    (one,) = found.frontends
    return one


def backend(labels: dict[str, str]) -> Backend:
    (pool,) = asked(NATIVE | labels).pools
    return pool.backend


def pools(labels: dict[str, str]) -> dict[str, Pool]:
    return {pool.view.segment: pool for pool in asked(labels).pools}


def told(labels: dict[str, str], *, notice: bool) -> list[tuple[str, str]]:
    """Labels and what was done instead."""
    return [(one.label, one.did) for one in asked(labels).problems if one.notice is notice]


def only_rules(labels: dict[str, str]) -> list[str]:
    return [write_rule(one.rule) for one in asked(labels).frontends]


class TestDefaults:
    def test_a_label_that_only_traefik_knows_brings_traefiks_defaults(self) -> None:
        (pool,) = asked(NATIVE).pools
        assert (pool.port, pool.protocol, pool.weight) == (80, "http", 1)
        assert pool.backend == Backend(method="wrr", breaker="")

    @pytest.mark.parametrize(
        "labels",
        [
            {"traefik.domain": "local", "traefik.weight": "3"},
            {"traefik.frontend.passHostHeader": "false", "traefik.backend.loadbalancer.method": "drr"},
            {"traefik.sticky": "true"},
            {RULE: ""},
            {"traefik.backend.zzz": "1"},
            {"traefik.address": "host"},
        ],
    )
    def test_one_that_both_know_or_nobody_brings_none(self, labels: dict[str, str]) -> None:
        found = asked({"traefik.enable": "true"} | labels)
        assert not found.native
        assert found.pools[0].port == 80
        assert found.pools[0].backend.breaker == "NetworkErrorRatio() > 0.5"

    def test_a_native_service_must_say_its_port(self) -> None:
        verdict = judge(replace(service(), labels={"traefik.enable": "true", RULE: "Host:a.org"}), AUTO)
        assert (verdict.gates[-1].name, verdict.gates[-1].passed) == ("port", False)
        assert [(one.label, one.did) for one in faults(verdict)] == [("traefik.port", "no route")]

    @pytest.mark.parametrize(
        ("health", "servers"),
        [(Health.AUTO, 2), (Health.REQUIRE, 0), (Health.OPTIONAL, 2), (Health.IGNORE, 2)],
    )
    def test_a_native_service_needs_no_health_check(self, health: Health, servers: int) -> None:
        plain = service({RULE: "Host:a.org"}, container(1, health_state=""), container(2, health_state=""))
        found = judge(replace(plain, has_check=False), Policy(health=health)).route
        assert found is not None
        assert len(found.backends[0].servers) == servers

    def test_but_what_its_check_says_counts(self) -> None:
        found = judge(service({RULE: "Host:a.org"}, container(1, health_state="unhealthy"), container(2)), AUTO).route
        assert found is not None
        assert [server.identity for server in found.backends[0].servers] == ["c-2"]


class TestWhoWins:
    def test_the_rule_wins_over_all_that_makes_one(self) -> None:
        short = {
            "traefik.alias": "www",
            "traefik.alias.fqdn": "b .org",
            "traefik.domain.regexp": "{x}.org",
            "traefik.path": "/a",
            "traefik.path.strip": "nonsense",
            "traefik.domain": "local",
        }
        assert only_rules(NATIVE | short) == ["Host:a.org"]
        assert told(NATIVE | short, notice=True) == [
            ("traefik.alias", "ignored it"),
            ("traefik.alias.fqdn", "ignored it"),
            ("traefik.domain.regexp", "ignored it"),
            ("traefik.path", "ignored it"),
            ("traefik.path.strip", "ignored it"),
        ]
        assert told(NATIVE | short, notice=False) == []

    def test_without_a_rule_all_that_makes_one_still_counts(self) -> None:
        labels = {
            "traefik.port": "80",
            "traefik.frontend.priority": "7",
            "traefik.domain": "local",
            "traefik.alias": "www",
            "traefik.path": "/a",
        }
        assert only_rules(labels) == ["Host:web.shop.local,www.local;Path:/a"]
        assert told(labels, notice=True) == []

    @pytest.mark.parametrize(
        ("short", "native"),
        [
            ({"traefik.priority": "9"}, {"traefik.frontend.priority": "50"}),
            ({"traefik.sticky": "true"}, {"traefik.backend.loadbalancer.stickiness": "false"}),
            ({"traefik.ratelimit.enable": "true", "traefik.ratelimit.average": "x"}, LIMITED),
        ],
    )
    def test_where_both_say_the_same_the_native_one_wins_with_a_notice(
        self, short: dict[str, str], native: dict[str, str]
    ) -> None:
        both, alone = asked(NATIVE | short | native), asked(NATIVE | native)
        assert both.frontends == alone.frontends
        assert both.pools[0].backend == alone.pools[0].backend
        assert told(NATIVE | short | native, notice=True) == [(name, "ignored it") for name in short]
        assert told(NATIVE | short | native, notice=False) == []

    def test_what_only_the_short_one_says_counts_on_a_native_service(self) -> None:
        labels = NATIVE | {"traefik.priority": "9", "traefik.sticky": "true", "traefik.ratelimit.enable": "true"}
        found = asked(labels)
        assert found.frontends[0].priority == 9
        assert found.frontends[0].rate_limit == RateLimit("client.ip", (("main", RateSet(10, 100, 200)),))
        assert found.pools[0].backend.sticky
        assert found.problems == ()

    @pytest.mark.parametrize(("text", "priority"), [("50", 50), ("2", 2), ("1", 2), ("0", None), ("-3", None)])
    def test_a_priority_of_nothing_means_the_rules_length_and_one_is_the_backstops(
        self, text: str, priority: int | None
    ) -> None:
        assert frontend({"traefik.frontend.priority": text}).priority == priority
        notices = told(NATIVE | {"traefik.frontend.priority": text}, notice=True)
        assert len(notices) == (text not in ("50", "2"))


class TestRules:
    def test_a_rule_is_written_canonically(self) -> None:
        assert only_rules(NATIVE | {RULE: " Host: A.org , b.org;;PathPrefix:/x ;"}) == [
            "Host:a.org,b.org;PathPrefix:/x"
        ]

    @pytest.mark.parametrize("text", [";", "Host:", "host:a.org", "Host(`a.org`)", "AddPrefix:/x", "Host:a b"])
    def test_a_bad_rule_costs_the_route_and_is_pointed_at(self, text: str) -> None:
        found = judge(service({RULE: text}), AUTO)
        assert (found.route, found.gates[-1].name) == (None, "rule")
        assert [(one.label, one.did) for one in faults(found)] == [(RULE, "no route")]

    def test_a_rule_without_a_host_is_published_with_a_notice(self) -> None:
        labels = NATIVE | {RULE: "PathPrefix:/api"}
        assert only_rules(labels) == ["PathPrefix:/api"]
        assert told(labels, notice=True) == [(RULE, "published it")]


SEGMENTS = {
    "traefik.enable": "true",
    "traefik.frontend.passHostHeader": "false",
    "traefik.backend.loadbalancer.method": "drr",
    "traefik.backend.loadbalancer.stickiness": "true",
    "traefik.http.port": "80",
    "traefik.http.frontend.rule": "Host:a.org",
    "traefik.admin.port": "8080",
    "traefik.admin.protocol": "https",
    "traefik.admin.weight": "4",
    "traefik.admin.frontend.rule": "Host:admin.org",
    "traefik.admin.frontend.priority": "9",
    "traefik.admin.frontend.passHostHeader": "true",
}


class TestSegments:
    def test_each_has_its_frontend_and_its_backend(self) -> None:
        admin, http = asked(SEGMENTS).frontends
        assert (admin.segment, admin.backend, write_rule(admin.rule)) == ("admin", "admin", "Host:admin.org")
        assert (http.segment, http.backend, write_rule(http.rule)) == ("http", "http", "Host:a.org")
        assert (admin.priority, admin.pass_host_header) == (9, True)
        assert (http.priority, http.pass_host_header) == (None, False)
        found = pools(SEGMENTS)
        assert [(one.port, one.protocol, one.weight) for one in found.values()] == [(8080, "https", 4), (80, "http", 1)]
        assert {name: one.backend for name, one in found.items()} == {
            name: Backend("drr", sticky=True, segment=name) for name in ("admin", "http")
        }
        assert asked(SEGMENTS).problems == ()

    def test_each_has_its_own_servers(self) -> None:
        found = judge(replace(service(), labels=SEGMENTS), AUTO)
        assert found.route is not None
        assert {one.segment: one.servers for one in found.route.backends} == {
            "admin": tuple(Server(f"c-{n}", "https", f"10.42.0.{n}", 8080, 4) for n in (1, 2)),
            "http": tuple(Server(f"c-{n}", "http", f"10.42.0.{n}", 80, 1) for n in (1, 2)),
        }
        assert {one.name for one in found.settings} >= {"admin: port", "http: port", "method", "admin: servers"}

    def test_the_plain_labels_are_no_frontend_of_their_own(self) -> None:
        labels = NATIVE | {"traefik.admin.port": "81"}
        assert [one.segment for one in asked(labels).frontends] == ["admin"]
        assert only_rules(labels) == ["Host:a.org"]

    def test_a_plain_protection_protects_each_of_them(self) -> None:
        labels = SEGMENTS | {f"{AUTH}.basic.users": USER, "traefik.admin.frontend.whiteList.sourceRange": "::1"}
        admin, http = asked(labels).frontends
        assert admin.auth == http.auth == Auth(BasicAuth((USER,)))
        assert (admin.whitelist, http.whitelist) == (Whitelist(("::1",)), None)

    def test_one_without_a_port_costs_the_route_as_with_traefiks_provider(self) -> None:
        labels = {name: text for name, text in SEGMENTS.items() if name != "traefik.http.port"}
        found = judge(replace(service(), labels=labels), AUTO)
        assert (found.route, found.gates[-1].name) == (None, "port")
        assert [(one.label, one.did) for one in faults(found)] == [("traefik.port", "no route")]
        assert judge(replace(service(), labels=labels | {"traefik.port": "1"}), AUTO).route is not None

    def test_what_is_wrong_with_a_plain_label_is_told_once(self) -> None:
        labels = SEGMENTS | {"traefik.frontend.priority": "x", "traefik.backend": "shared"}
        assert told(labels, notice=False) == [
            ("traefik.backend", "ignored it"),
            ("traefik.frontend.priority", "used the default, none"),
        ]

    def test_an_empty_text_makes_no_segment(self) -> None:
        assert [one.segment for one in asked(NATIVE | {"traefik.admin.port": ""}).frontends] == [""]

    @pytest.mark.parametrize(
        "name",
        [
            "traefik.http.services.x.loadbalancer.server.port",
            "traefik.tcp.routers.frontend.rule",
            "traefik.backend.x.port",
        ],
    )
    def test_a_label_of_a_newer_traefik_or_of_the_backend_is_no_segment(self, name: str) -> None:
        found = asked(NATIVE | {name: "80"})
        assert [one.segment for one in found.frontends] == [""]
        assert found.refusals == ()

    def test_a_name_may_hold_dots_and_what_keys_escape(self) -> None:
        labels = NATIVE | {"traefik.a.b/c .port": "81"}
        (one,) = asked(labels).frontends
        assert one.segment == "a.b/c "
        found = judge(replace(service(), labels=labels), AUTO).route
        assert found is not None
        paths = {entry.path for entry in TRAEFIK1.entries(found, "default")}
        assert "frontends/web__shop__a.2eb.2fc.20/backend" in paths

    def test_a_name_that_no_key_can_have_costs_the_route(self) -> None:
        found = judge(service({f"traefik.{'a' * 250}.port": "81"}), AUTO)
        assert (found.route, found.gates[-1].name) == (None, "name")
        assert len(faults(found)) == 1

    def test_two_that_ask_for_the_same_requests_are_told(self) -> None:
        """As where neither has a rule: each then takes the service's hosts."""
        labels = {"traefik.a.port": "80", "traefik.b.port": "81"}
        assert only_rules(labels) == ["Host:web.shop"] * 2
        ((_, did),) = told(labels, notice=False)
        assert did == "published both, and Traefik chooses one"
        assert told(labels | {"traefik.a.frontend.priority": "9"}, notice=False) == []

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("Host:a.x,b.x", "Host:b.x,a.x", True),
            ("Host:a.x;PathPrefix:/p", "PathPrefix:/p;Host:a.x", True),
            ("Host:a.x;AddPrefix:/p", "Host:a.x;AddPrefix:/q", True),
            ("Host:a.x;AddPrefix:/p", "Host:a.x", False),  # the longer rule comes first
            ("Host:a.x", "Host:b.x", False),
            ("Headers:A,b", "Headers:B,a", False),
        ],
    )
    def test_the_same_requests_may_be_asked_for_in_other_words(self, one: str, other: str, same: bool) -> None:
        labels = {"traefik.a.frontend.rule": one, "traefik.b.frontend.rule": other, "traefik.port": "80"}
        assert len(told(labels, notice=False)) == same

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("auth.basic.users", USER),
            ("whiteList.sourceRange", "10.0.0.0/8"),
            ("redirect.entryPoint", "https"),
            ("headers.SSLRedirect", "true"),
            ("headers.allowedHosts", "web.shop"),
            ("passTLSCert", "true"),
        ],
    )
    def test_where_two_ask_for_the_same_requests_and_one_protects_there_is_no_route(self, name: str, text: str) -> None:
        """Traefik might choose the other."""
        labels = {"traefik.a.port": "80", "traefik.b.port": "81"}
        found = judge(service(labels | {f"traefik.a.frontend.{name}": text}), AUTO)
        assert (found.route, found.gates[-1].name) == (None, "protection")
        assert [one.did for one in found.problems] == ["no route"]
        assert judge(service(labels | {f"traefik.frontend.{name}": text}), AUTO).route

    def test_a_short_label_counts_where_a_segment_has_no_rule(self) -> None:
        labels = {
            "traefik.a.port": "80",
            "traefik.a.frontend.rule": "Host:a.org",
            "traefik.b.port": "81",
            "traefik.alias.fqdn": "b.org",
        }
        assert only_rules(labels) == ["Host:a.org", "Host:web.shop,b.org"]
        assert told(labels, notice=True) == []
        assert told(labels | {"traefik.b.frontend.rule": "Host:b.org"}, notice=True) == [
            ("traefik.alias.fqdn", "ignored it")
        ]

    def test_paths_make_several_frontends_of_a_segment(self) -> None:
        labels = {"traefik.a.port": "80", "traefik.path": "/x", "traefik.path.prefix": "/y"}
        assert [(one.segment, one.backend) for one in asked(labels).frontends] == [("a", "a"), ("a.path.prefix", "a")]
        clash = asked(labels | {"traefik.a.path.prefix.port": "81"})
        assert (clash.frontends, [one.gate for one in clash.refusals]) == ((), ["rule"])

    @pytest.mark.parametrize(
        ("own", "server"),
        [
            ({"traefik.web.port": "81"}, Server("c-1", "http", "10.42.0.1", 81)),
            ({"traefik.port": "82"}, Server("c-1", "http", "10.42.0.1", 82)),
            (
                {"traefik.web.port": "83", "traefik.web.protocol": "https", "traefik.web.weight": "7"},
                Server("c-1", "https", "10.42.0.1", 83, 7),
            ),
            ({}, Server("c-1", "http", "10.42.0.1", 90)),
            ({"traefik.weight": "3"}, Server("c-1", "http", "10.42.0.1", 90, 3)),
        ],
    )
    def test_during_an_upgrade_an_old_container_keeps_what_its_own_labels_name(
        self, own: dict[str, str], server: Server
    ) -> None:
        new = {"traefik.enable": "true", "traefik.web.port": "90", "traefik.web.frontend.rule": "Host:a.org"}
        one = replace(service({}, container(1, labels=own), container(2, labels=new)), labels=new)
        found = judge(one, AUTO).route
        assert found is not None
        assert found.backends[0].servers == (server, Server("c-2", "http", "10.42.0.2", 90))

    def test_an_upgrade_may_take_segments_away(self) -> None:
        old = container(1, labels={"traefik.web.port": "81", RULE: "Host:a.org"})
        found = judge(replace(service({}, old, container(2)), labels=NATIVE), AUTO).route
        assert found is not None
        assert [server.port for server in found.backends[0].servers] == [81, 80]

    def test_a_containers_bad_port_of_its_segment_is_no_server(self) -> None:
        new = {"traefik.enable": "true", "traefik.web.port": "90"}
        bad = container(1, labels={"traefik.web.port": "odd"})
        found = judge(replace(service({}, bad, container(2, labels=new)), labels=new), AUTO)
        assert found.route is not None
        assert [server.identity for server in found.route.backends[0].servers] == ["c-2"]
        assert [(one.label, one.value, one.did) for one in faults(found)] == [
            ("traefik.web.port", "odd", "published no server")
        ]


class TestProtection:
    @pytest.mark.parametrize(
        "labels",
        [
            {f"{AUTH}.basic.users": "test:plain"},
            {f"{AUTH}.basic.users": f"{USER},broken"},
            {f"{AUTH}.basic.users": " , "},
            {f"{AUTH}.basic": "test"},
            {f"{AUTH}.basic.removeHeader": "true"},
            {f"{AUTH}.basic.usersFile": "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n"},
            {f"{AUTH}.basic.users": USER, f"{AUTH}.basic.removeHeader": "yes"},
            {f"{AUTH}.basic.users": USER, f"{AUTH}.digest.users": "a:traefik:" + "0" * 32},
            {f"{AUTH}.digest.users": "a:b:xyz"},
            {f"{AUTH}.digest.removeHeader": "true"},
            {f"{AUTH}.headerField": "X-User"},
            {f"{AUTH}.headerField": "X User", f"{AUTH}.basic.users": USER},
            {f"{AUTH}.forward.address": "auth.org"},
            {f"{AUTH}.forward.trustForwardHeader": "true"},
            {f"{AUTH}.forward.address": "http://auth.org", f"{AUTH}.forward.tls.ca": "/ca"},
            {f"{AUTH}.forward.address": "http://auth.org", f"{AUTH}.forward.tls.cert": "/cert"},
            {f"{AUTH}.forward.address": "http://auth.org//x"},
            {"traefik.frontend.whiteList.sourceRange": "10.0.0.0/8, nonsense"},
            {"traefik.frontend.whiteList.sourceRange": ","},
            {"traefik.frontend.whiteList.useXForwardedFor": "true"},
            {"traefik.frontend.whitelistSourceRange": "10.0.0.0/99"},
            {"traefik.frontend.redirect.regex": "^http://(.*)"},
            {"traefik.frontend.redirect.replacement": "https://$1"},
            {"traefik.frontend.redirect.regex": "^(", "traefik.frontend.redirect.replacement": "x"},
            {"traefik.frontend.redirect.permanent": "true"},
            {"traefik.frontend.redirect.entryPoint": "ht tps"},
            {"traefik.frontend.entryPoints": "http, ht tps"},
            {"traefik.frontend.entryPoints": ","},
            {"traefik.frontend.passTLSCert": "yes"},
            {f"{HEADERS}.SSLRedirect": "on"},
            {f"{HEADERS}.SSLHost": "a b"},
            {f"{HEADERS}.SSLHost": "a.org"},
            {f"{HEADERS}.SSLHost": "a.org", f"{HEADERS}.SSLRedirect": "false"},
            {f"{HEADERS}.SSLTemporaryRedirect": "true"},
            {f"{HEADERS}.SSLForceHost": "true"},
            {f"{HEADERS}.SSLForceHost": "true", f"{HEADERS}.SSLRedirect": "true"},
            {f"{HEADERS}.SSLForceHost": "false", f"{HEADERS}.SSLHost": "a.org"},
            {f"{HEADERS}.SSLProxyHeaders": "X-Forwarded-Proto"},
            {f"{HEADERS}.SSLProxyHeaders": "X-Forwarded-Proto:"},
            {f"{HEADERS}.allowedHosts": "*.a.org"},
            {f"{HEADERS}.allowedHosts": "a.org", f"{HEADERS}.isDevelopment": "true"},
            {f"{HEADERS}.SSLRedirect": "true", f"{HEADERS}.isDevelopment": "true"},
            {f"{AUTH}.basic.user": USER},
            {"traefik.admin.frontend.auth.basic.users": "x"},
        ],
        ids=lambda labels: " ".join(
            name.removeprefix("traefik.frontend.") + "=" + text for name, text in labels.items()
        ),
    )
    def test_one_that_cannot_be_kept_costs_the_route(self, labels: dict[str, str]) -> None:
        found = judge(service(NATIVE | labels), AUTO)
        assert (found.route, found.gates[-1].name) == (None, "protection")
        assert faults(found)
        assert {one.label.rpartition(".")[0] for one in faults(found)} <= {name.rpartition(".")[0] for name in labels}
        assert {one.did for one in faults(found)} == {"no route"}

    def test_a_host_may_be_forced_without_a_redirect_and_that_is_told(self) -> None:
        """Traefik does it, and leaves by http who asks for that very host by http."""
        labels = {f"{HEADERS}.SSLForceHost": "true", f"{HEADERS}.SSLHost": "a.org"}
        assert frontend(labels).headers == Headers(ssl_force_host=True, ssl_host="a.org")
        assert told(NATIVE | labels, notice=True) == [(f"{HEADERS}.SSLForceHost", "published it")]
        labels |= {f"{HEADERS}.SSLRedirect": "true", f"{HEADERS}.SSLTemporaryRedirect": "true"}
        assert asked(NATIVE | labels).problems == ()

    def test_a_digest_of_a_realm_that_traefik_does_not_ask_for_is_told(self) -> None:
        good, other = "a:traefik:" + "0" * 32, "b:secret realm:" + "0" * 32
        labels = NATIVE | {f"{AUTH}.digest.users": f"{good},{other}"}
        assert asked(labels).frontends[0].auth == Auth(DigestAuth((good, other)))
        (problem,) = asked(labels).problems
        assert (problem.label, problem.notice) == (f"{AUTH}.digest.users", False)
        assert problem.reason.startswith("1 of its users can never log in")
        assert "secret realm" not in str(problem)
        assert asked(NATIVE | {f"{AUTH}.digest.users": good}).problems == ()

    def test_a_digest_a_user_and_a_file_may_stand_together(self) -> None:
        found = frontend(
            {f"{AUTH}.basic.users": USER, f"{AUTH}.basic.usersFile": "/u", f"{AUTH}.headerField": "x-user"}
        )
        assert found.auth == Auth(BasicAuth((USER,), "/u"), "X-User")

    def test_the_deprecated_labels_count_as_in_traefik(self) -> None:
        other = USER.replace("test", "other")
        found = frontend({f"{AUTH}.basic": other, f"{AUTH}.basic.users": USER})
        assert found.auth == Auth(BasicAuth((other,)))
        ranges = {"traefik.frontend.whiteList.sourceRange": "::1", "traefik.frontend.whitelistSourceRange": "::2"}
        assert frontend(ranges).whitelist == Whitelist(("::1",))
        assert [name for name, _ in told(NATIVE | ranges, notice=True)] == ["traefik.frontend.whitelistSourceRange"]

    def test_an_entry_point_wins_over_a_regex(self) -> None:
        labels = {
            "traefik.frontend.redirect.entryPoint": "https",
            "traefik.frontend.redirect.regex": "x",
            "traefik.frontend.redirect.replacement": "y",
        }
        assert frontend(labels).redirect == Redirect("https")
        assert len(told(NATIVE | labels, notice=True)) == 2

    @pytest.mark.parametrize("text", [r"^http://a\.org", r"^http://a\\.org"])
    def test_a_regex_may_be_escaped_for_toml_or_not(self, text: str) -> None:
        labels = {"traefik.frontend.redirect.regex": text, "traefik.frontend.redirect.replacement": "x"}
        assert frontend(labels).redirect == Redirect(regex=r"^http://a\.org", replacement="x")

    def test_forward_authentication_keeps_its_tls(self) -> None:
        labels = {
            f"{AUTH}.forward.address": "https://auth.org/x",
            f"{AUTH}.forward.tls.ca": "/ca",
            f"{AUTH}.forward.tls.insecureSkipVerify": "true",
        }
        assert frontend(labels).auth == Auth(ForwardAuth("https://auth.org/x", tls=ClientTls("/ca", skip_verify=True)))
        unused = {f"{AUTH}.forward.address": "https://auth.org/x", f"{AUTH}.forward.tls.insecureSkipVerify": "false"}
        assert frontend(unused).auth == Auth(ForwardAuth("https://auth.org/x"))

    @pytest.mark.parametrize("text", ["", " ", ",", " , "])
    def test_a_protection_that_names_nothing_costs_the_route_beside_others_and_on_a_segment_too(
        self, text: str
    ) -> None:
        for name in (f"{AUTH}.basic.users", "traefik.admin.frontend.auth.basic.users"):
            labels = SEGMENTS | {"traefik.frontend.whiteList.sourceRange": "::1", f"{AUTH}.basic": USER, name: text}
            found = judge(replace(service(), labels=labels), AUTO)
            assert (found.route, found.gates[-1].name) == (None, "protection")
            assert (name, "no route") in [(one.label, one.did) for one in faults(found)]

    def test_an_unknown_label_where_nothing_protects_costs_nothing(self) -> None:
        for name in ("errors.a b.status", "errors.x.zzz", "rateLimit.rateSet.a.zzz", "passTLSClientCert.zzz"):
            found = asked(NATIVE | {f"traefik.frontend.{name}": "1", f"traefik.a.frontend.{name}": "1"})
            assert (found.refusals, [one.notice for one in found.problems]) == ((), [True, True])

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            (f"{AUTH}.basic.users", USER),
            (f"{AUTH}.basic.users", f"{USER}x"),
            (f"{AUTH}.basic", f"{USER}, {USER}"),
            (f"{AUTH}.basic.user", USER),
            (f"{AUTH}.digest.users", SECRET),
            (f"{AUTH}.forward.tls.key", f"-----BEGIN KEY-----\n{SECRET}"),
            (f"{AUTH}.forward.tls.cert", f"-----BEGIN CERTIFICATE-----\n{SECRET}\n-----END CERTIFICATE-----"),
            (f"{AUTH}.forward.tls.ca", f"{SECRET} "),
            (f"{HEADERS}.customRequestHeaders", f"X-A:{SECRET}"),
            (f"{HEADERS}.customRequestHeaders", f"X-A:1||{SECRET}"),
            (f"{HEADERS}.customResponseHeaders", f"X A:{SECRET}"),
            (f"{HEADERS}.SSLProxyHeaders", f"X-A:{SECRET}||X-A:{SECRET}"),
            ("traefik.backend.healthcheck.headers", f"X-A:{SECRET}\n"),
            ("traefik.backend.healthcheck.headers", f"X-A:{SECRET}"),
        ],
    )
    def test_no_secret_is_in_a_report(self, name: str, text: str) -> None:
        """Of what is right it is in the route, and nowhere else."""
        for where in (name, name.replace("traefik.frontend.", "traefik.admin.frontend.")):
            found = judge(service(NATIVE | {where: text}), AUTO)
            assert SECRET not in repr((found.gates, found.settings, found.problems))


class TestPages:
    @pytest.mark.parametrize(
        ("asked_for", "backend"),
        [
            ("web/errors", "errors__web"),
            ("errors", "errors__shop"),
            ("errors-shop", "errors__shop"),
            ("A/B.c", "b.2ec__a"),
        ],
    )
    def test_a_page_is_another_services(self, asked_for: str, backend: str) -> None:
        labels = {
            f"traefik.frontend.errors.x.{field}": text for field, text in (("status", "404"), ("backend", asked_for))
        }
        assert frontend(labels).errors == (ErrorPage("x", ("404",), backend),)

    @pytest.mark.parametrize(
        ("of_the_page", "notices"),
        [
            ({f"{AUTH}.basic.users": USER}, 1),
            ({f"{AUTH}.basic.users": USER, "traefik.frontend.whiteList.sourceRange": "::1"}, 2),
            ({f"{AUTH}.basic.users": "no user"}, 0),  # so it is not published, and no page of it seen
            ({"traefik.frontend.redirect.entryPoint": "https"}, 0),
            ({}, 0),
        ],
    )
    def test_a_page_of_a_service_that_keeps_clients_out_is_told(
        self, of_the_page: dict[str, str], notices: int
    ) -> None:
        asks = {"traefik.frontend.errors.x.status": "404", "traefik.frontend.errors.x.backend": "shop/errors"}
        web = service(NATIVE | asks)
        errors = service(NATIVE | {RULE: "Host:e.org"} | of_the_page, name="errors", uuid="s-e", primary="errors")
        judge_again = Judge()
        for _ in range(2):
            found = judge_again(Snapshot((errors, web), "e-1"), AUTO).verdicts[1]
            told = [one for one in found.problems if one.value == "shop/errors"]
            assert [(one.service, one.notice) for one in told] == [("shop/web", True)] * notices

    @pytest.mark.parametrize(
        ("of_the_page", "notices"),
        [
            ({RULE: "Host:e.org"}, 0),
            ({"traefik.enable": "false"}, 1),
            ({"traefik.a.frontend.rule": "Host:e.org"}, 1),  # whose backend has the segment in its name
        ],
    )
    def test_a_page_that_nobody_has_is_told(self, of_the_page: dict[str, str], notices: int) -> None:
        asks = {"traefik.frontend.errors.x.status": "404", "traefik.frontend.errors.x.backend": "shop/errors"}
        web = service(NATIVE | asks)
        errors = service(NATIVE | of_the_page, name="errors", uuid="s-e", primary="errors")
        found = Judge()(Snapshot((errors, web), "e-1"), AUTO).verdicts[1]
        assert found.route is not None
        assert [(one.notice, one.did) for one in found.problems] == [
            (True, "wrote it, and Traefik leaves the page out")
        ] * notices

    def test_a_page_may_be_a_segments(self) -> None:
        labels = SEGMENTS | {
            "traefik.http.frontend.errors.x.status": "500-599, 404",
            "traefik.http.frontend.errors.x.backend": "admin",
            "traefik.http.frontend.errors.x.query": "/{status}.html",
        }
        admin, http = asked(labels).frontends
        assert (admin.errors, http.errors) == ((), (ErrorPage("x", ("500-599", "404"), "admin", "/{status}.html"),))

    @pytest.mark.parametrize(
        "page",
        [
            {"status": "404"},
            {"backend": "err"},
            {"query": "/x"},
            {"status": "abc", "backend": "err"},
            {"status": "404", "backend": "web"},
            {"status": "404", "backend": "shop/web"},
            {"status": "404", "backend": "web-shop"},
            {"status": "404", "backend": "/"},
            {"status": "404", "backend": "a" * 300},
        ],
    )
    def test_half_a_page_or_its_own_is_left_out_and_told(self, page: dict[str, str]) -> None:
        labels = {f"traefik.frontend.errors.x.{field}": text for field, text in page.items()}
        assert frontend(labels).errors == ()
        assert told(NATIVE | labels, notice=False)

    def test_a_frontends_own_segment_is_no_page(self) -> None:
        for name in ("http", "web"):
            labels = {"traefik.http.frontend.errors.x.status": "404", "traefik.http.frontend.errors.x.backend": name}
            assert [one.errors for one in asked(SEGMENTS | labels).frontends] == [(), ()]
            assert told(SEGMENTS | labels, notice=False) == [
                ("traefik.http.frontend.errors.x.backend", "left the page out")
            ]

    def test_a_bad_status_among_several_costs_only_itself(self) -> None:
        labels = {"traefik.frontend.errors.x.status": "404,999", "traefik.frontend.errors.x.backend": "err"}
        assert frontend(labels).errors == (ErrorPage("x", ("404",), "err__shop"),)


class TestRates:
    def test_a_limit_has_its_extractor_and_its_sets(self) -> None:
        assert frontend(LIMITED).rate_limit == RateLimit("client.ip", (("a", RateSet(60, 7, 8)),))

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("extractorFunc", ""),
            ("extractorFunc", "client.zzz"),
            ("rateSet.a.period", ""),
            ("rateSet.a.period", "0"),
            ("rateSet.a.average", ""),
            ("rateSet.a.average", "0"),
            ("rateSet.a.burst", "x"),
        ],
    )
    def test_one_that_cannot_be_kept_is_told_and_the_route_published(self, name: str, text: str) -> None:
        labels = LIMITED | {f"{RATE}.{name}": text}
        assert frontend(labels).rate_limit is None
        assert [label for label, _ in told(NATIVE | labels, notice=False)] == [f"{RATE}.{name}"]

    def test_a_set_that_is_whole_counts_beside_one_that_is_not(self) -> None:
        labels = LIMITED | {f"{RATE}.rateSet.b.period": "1"}
        assert frontend(labels).rate_limit == RateLimit("client.ip", (("a", RateSet(60, 7, 8)),))
        assert len(told(NATIVE | labels, notice=False)) == 2

    def test_an_extractor_alone_limits_nothing(self) -> None:
        labels = {f"{RATE}.extractorFunc": "client.ip"}
        assert frontend(labels).rate_limit is None
        assert told(NATIVE | labels, notice=False) == [(f"{RATE}.extractorFunc", "published without this limit")]

    def test_more_requests_than_nanoseconds_are_too_many(self) -> None:
        labels = LIMITED | {f"{RATE}.rateSet.a.period": "6ns"}
        assert frontend(labels).rate_limit is None
        assert told(NATIVE | labels, notice=False)

    def test_a_name_that_no_key_can_have_costs_its_set(self) -> None:
        labels = {name.replace(".a.", f".{'/' * 100}."): text for name, text in LIMITED.items()}
        assert frontend(labels).rate_limit is None


class TestBackends:
    @pytest.mark.parametrize(
        "name",
        [
            "traefik.backend",
            "traefik.backend.loadbalancer.stickiness.cookieName",
            "traefik.backend.loadbalancer.stickiness.secure",
            "traefik.backend.responseForwarding.flushInterval",
        ],
    )
    def test_a_label_that_no_key_can_say_is_told(self, name: str) -> None:
        found = asked(NATIVE | {name: "x"})
        assert found.frontends == asked(NATIVE).frontends
        assert found.pools[0].backend == asked(NATIVE).pools[0].backend
        assert [(one.label, one.value, one.did, one.notice) for one in found.problems] == [
            (name, "x", "ignored it", False)
        ]

    @pytest.mark.parametrize("name", ["traefik.portName", "traefik.portIndex", "traefik.backend.id"])
    def test_one_that_traefiks_provider_ignores_too_is_a_notice(self, name: str) -> None:
        assert told(NATIVE | {name: "1"}, notice=True) == [(name, "ignored it")]
        assert told(NATIVE | {name: "1"}, notice=False) == []

    @pytest.mark.parametrize(
        ("name", "without"),
        [
            ("traefik.backend.maxconn.extractorfunc", "traefik.backend.maxconn.amount"),
            ("traefik.backend.healthcheck.interval", "traefik.backend.healthcheck.path"),
            ("traefik.backend.healthcheck.headers", "traefik.backend.healthcheck.path"),
        ],
    )
    def test_half_a_setting_is_told(self, name: str, without: str) -> None:
        found = [
            one
            for one in asked(NATIVE | {name: "client.ip" if "max" in name else "10s"}).problems
            if without in one.reason
        ]
        assert [one.did for one in found] == ["ignored it"]

    @pytest.mark.parametrize("text", ["10", "0s", "-1s", "x"])
    def test_a_bad_interval_leaves_traefiks_own(self, text: str) -> None:
        labels = {"traefik.backend.healthcheck.path": "/", "traefik.backend.healthcheck.interval": text}
        assert backend(labels).health_check == HealthCheck("/")
        assert [name for name, _ in told(NATIVE | labels, notice=False)] == ["traefik.backend.healthcheck.interval"]

    def test_an_amount_of_nothing_is_no_limit(self) -> None:
        assert backend({"traefik.backend.maxconn.amount": "0"}).max_conn is None
        assert backend({"traefik.backend.maxconn.amount": "5"}).max_conn == MaxConn(5)

    def test_tags_are_a_list_without_what_traefik_would_not_unescape(self) -> None:
        assert backend({"traefik.tags": " api ,, x,a\\b"}).tags == ("api", "x")
        assert told(NATIVE | {"traefik.tags": "a\\b"}, notice=False) == [("traefik.tags", "left it out")]


# Whatever is written.

JUNK = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", ",", ";", "\\", '"', "\n", "\x00", "\ud800", "{{x}}", "true", "0", "-1", "1" * 30, "/", "||", ":"]
    ),
)
EXAMPLES = sorted({row.example for row in TABLE} | {part for row in TABLE for part in row.example.split(",")})
TEXTS = st.one_of(st.sampled_from(EXAMPLES), JUNK, st.tuples(st.sampled_from(EXAMPLES), JUNK).map("".join))
SEGMENT_NAMES = st.sampled_from(["admin", "http", "a.b", "path.strip", "x y", "é", "a__b", "\ud800"])
INNER_NAMES = st.sampled_from(["x", "y", "é", "__", "/" * 70, "\n"])
NAMES = st.builds(
    lambda name, segment, inner: name.replace(SEGMENT, segment).replace(INNER, inner),
    st.sampled_from([name for row in TABLE for name in forms(row)]),
    SEGMENT_NAMES,
    INNER_NAMES,
) | st.text(max_size=12).map(lambda text: PREFIX + text)


def right(row: Label[object] | Listed[object]) -> dict[str, str]:
    return {
        name.replace(INNER, "x"): one.example
        for one in TABLE
        for name in (one.name,)
        if one is row or name in row.beside
    }


RIGHT = st.lists(st.sampled_from(TABLE), max_size=6).map(
    lambda rows: {k: v for row in rows for k, v in right(row).items()}
)
LABELS = st.builds(
    lambda good, odd: NATIVE | good | odd, RIGHT, st.dictionaries(NAMES, TEXTS, max_size=4)
) | st.dictionaries(NAMES, TEXTS, max_size=10)


@settings(max_examples=300, deadline=None)
@given(LABELS)
def test_whatever_the_labels_traefik_takes_what_comes_of_them_and_they_touch_no_other_service(
    labels: dict[str, str],
) -> None:
    odd = service(labels | {"traefik.enable": "true"}, container(1), container(2, labels=labels))
    good = replace(service({}, uuid="s-2"), name="zzz", primary="zzz")
    found, other = judge_all(Snapshot((odd, good), "e-1"), AUTO)
    assert other.route == judge(good, AUTO).route
    if found.route is None:
        assert faults(found)
        return
    entries = TRAEFIK1.entries(found.route, "default")
    assert {group_name(entry.path.split("/")[1]) for entry in entries} == {"web__shop"}
    tree = {f"/traefik/{entry.path}": entry.value for entry in entries}
    assert verdict(tree, "/traefik", Store.ETCD).partition(":")[0] in ("ok", "dropped")
    assert rules(found.route)


@pytest.mark.parametrize("name", ["traefik.fronted.auth.basic.users", "traefik.whitelist.sourceRange"])
def test_a_protection_whose_frontend_is_misspelt_or_missing_costs_the_route(name: str) -> None:
    labels = {"traefik.enable": "true", "traefik.port": "80"}
    assert laid_out(labels)
    assert not laid_out(labels | {name: "x"})
