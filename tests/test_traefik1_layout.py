"""What the bridge writes for Traefik 1.7, and what it never writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.layouts import LAYOUTS, layout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_guard import check, harmful
from bridge.layouts.traefik1_text import escape_value, unescape_value
from bridge.model.keys import STANDING, Entry, Place, Role, server_name
from bridge.model.route import (
    Auth,
    Backend,
    BasicAuth,
    Buffering,
    ClientCert,
    ClientTls,
    DigestAuth,
    ErrorPage,
    ForwardAuth,
    Frontend,
    Headers,
    HealthCheck,
    Kind,
    Matcher,
    MaxConn,
    RateLimit,
    RateSet,
    Redirect,
    Route,
    Rule,
    Server,
    Whitelist,
)
from tests.golden_reader import Store, verdict

GOLDEN = Path(__file__).parent / "golden" / "traefik1"


def rule(host: str = "web-test.proxy-test.local") -> Rule:
    return Rule((Matcher(Kind.HOST, (host,)),))


WEB = Route(
    "web-test",
    "proxy-test",
    (Frontend("", rule()),),
    (
        Backend(
            "drr",
            breaker="NetworkErrorRatio() > 0.5",
            servers=(Server("c-1", "http", "10.42.0.1", 8080, 5), Server("c-2", "http", "10.42.0.2", 8080)),
        ),
    ),
)
PEM = "-----BEGIN X-----\nAA==\n-----END X-----\n"
LIMIT = RateLimit("client.ip", (("main", RateSet(10, 100, 200)),))


def keys(route: Route, cluster: str = "default") -> dict[str, str]:
    return {entry.path: entry.value for entry in TRAEFIK1.entries(route, cluster)}


def with_backend(**settings: object) -> Route:
    """Without servers."""
    return replace(WEB, backends=(Backend(**settings),))  # type: ignore[arg-type]  # whatever a test names


def with_frontend(frontend: Frontend) -> dict[str, str]:
    return keys(replace(WEB, frontends=(frontend,)))


# What is written.


def test_the_classic_service_becomes_these_keys() -> None:
    assert keys(WEB) == {
        "backends/web-test__proxy-test/circuitbreaker/expression": "NetworkErrorRatio() > 0.5",
        "backends/web-test__proxy-test/loadbalancer/method": "drr",
        "backends/web-test__proxy-test/servers/default--c-1/url": "http://10.42.0.1:8080",
        "backends/web-test__proxy-test/servers/default--c-1/weight": "5",
        "backends/web-test__proxy-test/servers/default--c-2/url": "http://10.42.0.2:8080",
        "frontends/web-test__proxy-test/backend": "web-test__proxy-test",
        "frontends/web-test__proxy-test/routes/main/rule": "Host:web-test.proxy-test.local",
    }


def test_entries_are_sorted_by_path() -> None:
    paths = [entry.path for entry in TRAEFIK1.entries(WEB, "default")]
    assert paths == sorted(paths)


def test_a_service_without_servers_keeps_its_constant_key_and_its_frontend() -> None:
    assert keys(with_backend()) == {
        "backends/web-test__proxy-test/loadbalancer/method": "wrr",
        "frontends/web-test__proxy-test/backend": "web-test__proxy-test",
        "frontends/web-test__proxy-test/routes/main/rule": "Host:web-test.proxy-test.local",
    }


def test_only_asked_settings_are_written() -> None:
    asked = with_frontend(Frontend("", rule(), priority=7, pass_host_header=False, rate_limit=LIMIT))
    base = "frontends/web-test__proxy-test"
    assert dict(asked.items() - keys(WEB).items()) == {
        f"{base}/passhostheader": "false",
        f"{base}/priority": "7",
        f"{base}/ratelimit/extractorfunc": "client.ip",
        f"{base}/ratelimit/rateset/main/average": "100",
        f"{base}/ratelimit/rateset/main/burst": "200",
        f"{base}/ratelimit/rateset/main/period": "10s",
    }


F_NAME, B_NAME = "frontends/web-test__proxy-test/", "backends/web-test__proxy-test/"


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"entry_points": ("http", "https")}, {"entrypoints": "http,https"}),
        ({"entry_points": ("a,b", 'c"')}, {"entrypoints": r"a\u002cb,c\""}),
        ({"pass_tls_cert": True}, {"passtlscert": "true"}),
        ({"client_cert": ClientCert()}, {}),
        ({"client_cert": ClientCert(pem=True)}, {"passtlsclientcert/pem": "true"}),
        (
            {"client_cert": ClientCert(infos=("notAfter", "subject.domainComponent"))},
            {
                "passtlsclientcert/infos/notafter": "true",
                "passtlsclientcert/infos/subject/domaincomponent": "true",
            },
        ),
        (
            {"auth": Auth(BasicAuth(("a:$apr1$x$y", "b,c:{SHA}z=")), "x-webAuth-user")},
            {"auth/basic/users": r"a:$apr1$x$y,b\u002cc:{SHA}z=", "auth/headerfield": "X-Webauth-User"},
        ),
        (
            {"auth": Auth(BasicAuth(users_file="/etc/users", remove_header=True))},
            {"auth/basic/usersfile": "/etc/users", "auth/basic/removeheader": "true"},
        ),
        (
            {"auth": Auth(DigestAuth(("a:realm:0f",), "/etc/more", remove_header=True))},
            {
                "auth/digest/users": "a:realm:0f",
                "auth/digest/usersfile": "/etc/more",
                "auth/digest/removeheader": "true",
            },
        ),
        (
            {"auth": Auth(ForwardAuth("https://auth.local:8443/x?y=1"))},
            {"auth/forward/address": "https://auth.local:8443/x?y=1"},
        ),
        (
            {
                "auth": Auth(
                    ForwardAuth("http://a.local", True, ("X-A", "X-B"), ClientTls("/ca", True, "/c", "/k", True))
                )
            },
            {
                "auth/forward/address": "http://a.local",
                "auth/forward/trustforwardheader": "true",
                "auth/forward/.authresponseheaders": "X-A,X-B",
                "auth/forward/tls/ca": "/ca",
                "auth/forward/tls/caoptional": "true",
                "auth/forward/tls/cert": "/c",
                "auth/forward/tls/key": "/k",
                "auth/forward/tls/insecureskipverify": "true",
            },
        ),
        (
            {"whitelist": Whitelist(("10.0.0.0/8", "fd00::1"), True)},
            {"whitelist/sourcerange": "10.0.0.0/8,fd00::1", "whitelist/usexforwardedfor": "true"},
        ),
        ({"whitelist": Whitelist(("10.0.0.1",))}, {"whitelist/sourcerange": "10.0.0.1"}),
        (
            {"redirect": Redirect("https", permanent=True)},
            {"redirect/entrypoint": "https", "redirect/permanent": "true"},
        ),
        (
            {"redirect": Redirect(regex=r"^http://a\.b/(.*)", replacement="https://c/$1")},
            {"redirect/regex": r"^http://a\\.b/(.*)", "redirect/replacement": "https://c/$1"},
        ),
        (
            {"errors": (ErrorPage("not found", ("404", "500-599"), "pages__shared", "/{status}.html"),)},
            {
                "errors/not.20found/backend": "pages__shared",
                "errors/not.20found/query": "/{status}.html",
                "errors/not.20found/status": "404,500-599",
            },
        ),
        ({"headers": Headers()}, {}),
        (
            {"headers": Headers(custom_request=(("x-gone", ""), ("x_a", "1, 2")), custom_response=(("X-B", 'a"'),))},
            {
                "headers/customrequestheaders/X-Gone": "",
                "headers/customrequestheaders/X_a": "1, 2",
                "headers/customresponseheaders/X-B": r"a\"",
            },
        ),
        (
            {
                "headers": Headers(
                    allowed_hosts=("a.local", "b.local"),
                    hosts_proxy_headers=("X-H",),
                    ssl_redirect=True,
                    ssl_temporary_redirect=True,
                    ssl_host="s.local",
                    ssl_force_host=True,
                    ssl_proxy_headers=(("x-p", "https"),),
                    sts_seconds=10,
                    sts_include_subdomains=True,
                    sts_preload=True,
                    force_sts_header=True,
                    frame_deny=True,
                    custom_frame_options="SAMEORIGIN",
                    content_type_nosniff=True,
                    browser_xss_filter=True,
                    custom_browser_xss="x",
                    content_security_policy="script-src 'self'",
                    public_key="pk",
                    referrer_policy="rp",
                )
            },
            {
                "headers/allowedhosts": "a.local,b.local",
                "headers/browserxssfilter": "true",
                "headers/contentsecuritypolicy": "script-src 'self'",
                "headers/contenttypenosniff": "true",
                "headers/custombrowserxssvalue": "x",
                "headers/customframeoptionsvalue": "SAMEORIGIN",
                "headers/forcestsheader": "true",
                "headers/framedeny": "true",
                "headers/hostsproxyheaders": "X-H",
                "headers/publickey": "pk",
                "headers/referrerpolicy": "rp",
                "headers/sslforcehost": "true",
                "headers/sslhost": "s.local",
                "headers/sslproxyheaders/X-P": "https",
                "headers/sslredirect": "true",
                "headers/ssltemporaryredirect": "true",
                "headers/stsincludesubdomains": "true",
                "headers/stspreload": "true",
                "headers/stsseconds": "10",
            },
        ),
    ],
)
def test_a_frontends_settings_are_these_keys_and_no_more(settings: dict[str, object], asked: dict[str, str]) -> None:
    frontend = Frontend("", rule(), **settings)  # type: ignore[arg-type]  # whatever a case names
    assert with_frontend(frontend) == {**keys(WEB), **{F_NAME + path: value for path, value in asked.items()}}


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"max_conn": MaxConn(10)}, {"maxconn/amount": "10"}),
        (
            {"max_conn": MaxConn(10, "client.ip")},
            {"maxconn/amount": "10", "maxconn/extractorfunc": "client.ip"},
        ),
        ({"health_check": HealthCheck("/health?x=1")}, {"healthcheck/path": "/health?x=1"}),
        (
            {"health_check": HealthCheck("/h", 1.5, 8081, "https", "h.local", (("x-a", "b: c"),))},
            {
                "healthcheck/headers/X-A": "b: c",
                "healthcheck/hostname": "h.local",
                "healthcheck/interval": "1500ms",
                "healthcheck/path": "/h",
                "healthcheck/port": "8081",
                "healthcheck/scheme": "https",
            },
        ),
        (
            {"buffering": Buffering(1, 2, 3)},
            {
                "buffering/maxrequestbodybytes": "1",
                "buffering/memrequestbodybytes": "2",
                "buffering/maxresponsebodybytes": "3",
            },
        ),
        (
            {"buffering": Buffering(mem_response=4, retry="Attempts() <= 2")},
            {"buffering/memresponsebodybytes": "4", "buffering/retryexpression": "Attempts() <= 2"},
        ),
        ({"tags": ("api",)}, {}),
    ],
)
def test_a_backends_settings_are_these_keys_and_no_more(settings: dict[str, object], asked: dict[str, str]) -> None:
    plain = keys(with_backend())
    assert keys(with_backend(**settings)) == {**plain, **{B_NAME + path: value for path, value in asked.items()}}


def test_buffering_that_asks_for_nothing_else_is_switched_on_by_one_key() -> None:
    """Any key below it is the switch, and none would be none."""
    asked = keys(with_backend(buffering=Buffering()))
    assert {path: value for path, value in asked.items() if "buffering" in path} == {
        f"{B_NAME}buffering/maxrequestbodybytes": "0"
    }


def test_tags_are_each_servers_own_and_stand_as_traefik_compares_them() -> None:
    (backend,) = WEB.backends
    wish = TRAEFIK1.wish(replace(WEB, backends=(replace(backend, tags=("api", 'a "b"\\é')),)), "east")
    assert {path: value for path, value in wish.own.items() if path.endswith("/tags")} == {
        f"{B_NAME}servers/east--{identity}/tags": 'api,a "b"\\é' for identity in ("c-1", "c-2")
    }


def test_certificates_keep_their_line_ends_where_traefik_takes_them_and_are_escaped_where_not() -> None:
    tls = ClientTls(PEM, cert=PEM, key=PEM)
    written = with_frontend(Frontend("", rule(), auth=Auth(ForwardAuth("http://a.local", tls=tls))))
    assert written[f"{F_NAME}auth/forward/tls/ca"] == PEM.replace("\n", r"\n")
    assert written[f"{F_NAME}auth/forward/tls/cert"] == written[f"{F_NAME}auth/forward/tls/key"] == PEM


def test_each_segment_leads_to_its_own_backend_and_its_pages_to_another() -> None:
    page = ErrorPage("e", ("404",), "")
    route = replace(
        WEB,
        frontends=(Frontend("", rule()), Frontend("b.c", rule("b.local"), "b.c", errors=(page,))),
        backends=(Backend(), Backend(segment="b.c", servers=(Server("c-1", "http", "10.42.0.1", 81),))),
    )
    written = keys(route)
    assert written["frontends/web-test__proxy-test/backend"] == "web-test__proxy-test"
    assert written["frontends/web-test__proxy-test__b.2ec/backend"] == "web-test__proxy-test__b.2ec"
    assert written["frontends/web-test__proxy-test__b.2ec/errors/e/backend"] == "web-test__proxy-test"
    assert written["backends/web-test__proxy-test__b.2ec/servers/default--c-1/url"] == "http://10.42.0.1:81"
    origins = {entry.path: entry.origin for entry in TRAEFIK1.entries(route, "default")}
    assert origins["frontends/web-test__proxy-test__b.2ec/errors/e/backend"] == "labels"


def test_a_segment_that_looks_like_another_services_backend_is_a_segment() -> None:
    page = ErrorPage("e", ("404",), "a__b")
    route = replace(
        WEB,
        frontends=(Frontend("", rule(), errors=(page,)), Frontend("a__b", rule("b.local"), "a__b")),
        backends=(Backend(), Backend(segment="a__b")),
    )
    assert keys(route)[f"{F_NAME}errors/e/backend"] == "web-test__proxy-test__a_.5fb"


@pytest.mark.parametrize(
    "asked", ["err", "backend-err-shop", "a__", "__a", "a__b__c__d", "a b__c", "a.41__b", "a.2__b"]
)
def test_a_page_of_what_is_no_backends_name_never_leaves(asked: str) -> None:
    with pytest.raises(ValueError, match=r"backend's name|escaped name"):
        with_frontend(Frontend("", rule(), errors=(ErrorPage("e", ("404",), asked),)))


@pytest.mark.parametrize(
    ("backend", "fault"), [("", "own backend"), ("idle", "no frontend uses"), ("web-test__proxy-test", "own backend")]
)
def test_a_page_that_traefik_does_not_serve_or_answers_with_500_never_leaves(backend: str, fault: str) -> None:
    frontend = Frontend("", rule(), errors=(ErrorPage("e", ("404",), backend),))
    with pytest.raises(ValueError, match=fault):
        keys(replace(WEB, frontends=(frontend,), backends=(Backend(), Backend(segment="idle"))))


def test_sticky_is_one_key_alone() -> None:
    sticky = keys(with_backend(sticky=True))
    assert [path for path in sticky if "stick" in path] == ["backends/web-test__proxy-test/loadbalancer/stickiness"]
    assert sticky["backends/web-test__proxy-test/loadbalancer/stickiness"] == "true"


def test_several_frontends_share_one_backend_and_one_group() -> None:
    route = replace(WEB, frontends=(Frontend("", rule()), Frontend("path.strip", rule("a.local"))))
    written = keys(route)
    assert written["frontends/web-test__proxy-test/backend"] == "web-test__proxy-test"
    assert written["frontends/web-test__proxy-test__path.2estrip/backend"] == "web-test__proxy-test"
    assert {entry.place.group for entry in TRAEFIK1.entries(route, "default")} == {"web-test__proxy-test"}


def test_an_ipv6_server_stands_in_brackets() -> None:
    written = keys(with_backend(servers=(Server("c-1", "https", "fd00::1", 443),)))
    assert written["backends/web-test__proxy-test/servers/default--c-1/url"] == "https://[fd00::1]:443"


def test_servers_with_one_url_are_one_server() -> None:
    twins = (Server("c-1", "http", "10.42.0.1", 80), Server("c-2", "http", "10.42.0.1", 80, 9))
    assert [path for path in keys(with_backend(servers=twins)) if "/servers/" in path] == [
        "backends/web-test__proxy-test/servers/default--c-1/url"
    ]


def test_values_are_escaped_for_the_template() -> None:
    quoted = Rule((Matcher(Kind.PATH, ('/a"b\\c\n\x01d',)),))
    assert with_frontend(Frontend("", quoted))["frontends/web-test__proxy-test/routes/main/rule"] == (
        r"Path:/a\"b\\c\n\u0001d"
    )


def test_each_entry_says_what_asked_for_it() -> None:
    origins = {entry.path: entry.origin for entry in TRAEFIK1.entries(WEB, "default")}
    assert origins["backends/web-test__proxy-test/servers/default--c-1/weight"] == "containers"
    assert origins["backends/web-test__proxy-test/loadbalancer/method"] == "layout"
    assert origins["frontends/web-test__proxy-test/backend"] == "layout"
    assert origins["frontends/web-test__proxy-test/routes/main/rule"] == "labels"


def test_no_name_hides_what_asked_for_an_entry() -> None:
    named = RateLimit("client.ip", (("servers", RateSet(1, 1, 1)),))
    route = replace(WEB, frontends=(Frontend("", rule(), rate_limit=named),))
    assert {entry.origin for entry in TRAEFIK1.entries(route, "default") if "/rateset/" in entry.path} == {"labels"}


def test_a_wish_holds_every_entry_once_and_names_what_retires() -> None:
    (backend,) = WEB.backends
    wish = TRAEFIK1.wish(replace(WEB, backends=(replace(backend, retiring=("c-9",)),)), "east")
    assert wish.group == "web-test__proxy-test"
    assert wish.title == "proxy-test/web-test"
    assert {**wish.shared, **wish.own} == keys(WEB, "east")
    assert set(wish.own) == {path for path in keys(WEB, "east") if "/servers/" in path}
    assert wish.retiring == {"backends/web-test__proxy-test/servers/east--c-9"}


def test_the_backstop_takes_what_nobody_asks_for_at_the_lowest_priority() -> None:
    standing = TRAEFIK1.standing()
    assert standing == {
        "backends/zz-bridge/loadbalancer/method": "wrr",
        "frontends/zz-bridge/backend": "zz-bridge",
        "frontends/zz-bridge/priority": "1",
        "frontends/zz-bridge/routes/main/rule": "PathPrefix:/",
    }
    check(entries_of(standing))
    assert {place.group for path in standing if (place := TRAEFIK1.place(path))} == {STANDING}


@pytest.mark.parametrize(
    ("prefix", "kind", "tree"),
    [
        ("traefik", "etcd", "/traefik/"),
        ("/traefik/", "etcd", "/traefik/"),
        ("a/b/traefik", "etcd", "/a/b/traefik/"),
        ("/traefik", "consul", "traefik/"),
        ("traefik/", "consul", "traefik/"),
    ],
)
def test_keys_begin_as_this_stores_traefik_reads_them(prefix: str, kind: str, tree: str) -> None:
    assert TRAEFIK1.tree_prefix(prefix, kind) == tree


def test_an_empty_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match="without a prefix"):
        TRAEFIK1.tree_prefix("//", "etcd")


def test_every_registered_layout_loads_under_its_name() -> None:
    assert [layout(name).name for name in LAYOUTS] == list(LAYOUTS)


# Whose a key is, and what it does: from its path alone.

F, B = "frontends/web__shop", "backends/web__shop"
WEAKENING = (
    "whitelist/usexforwardedfor",
    "auth/forward/trustforwardheader",
    "auth/forward/tls/insecureskipverify",
    "auth/forward/tls/caoptional",
    "headers/hostsproxyheaders",
    "headers/sslproxyheaders/X-Forwarded-Proto",
    "headers/sslproxyheaders/a\nb",
)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (f"{F}/backend", Role.OPENS),
        (f"{F}/routes/main/rule", Role.RULE),
        (f"{F}/routes/other/rule", Role.RULE),
        *(
            (f"{F}/{rest}", Role.PROTECTS)
            for rest in (
                "auth/basic/users",
                "auth/basic/users/0",
                "auth/headerfield",
                "auth/forward/.authresponseheaders",
                "auth/forward/tls/ca",
                "auth/forward/tls/caoptional",
                "auth/forward/tls/insecureskipverify",
                "auth/forward/trustforwardheader",
                "auth/",
                "basicauth",
                "basicauth/0",
                "whitelist/sourcerange",
                "whitelist/sourcerange/0",
                "whitelist/usexforwardedfor",
                "entrypoints",
                "entrypoints/0",
                "redirect/entrypoint",
                "redirect/regex",
                "passtlscert",
                "headers/allowedhosts",
                "headers/allowedhosts/0",
                "headers/hostsproxyheaders",
                "headers/sslredirect",
                "headers/sslproxyheaders/X-Forwarded-Proto",
                "headers/sslproxyheaders/a\nb",
            )
        ),
        *(
            (f"{F}{rest}", Role.REST)
            for rest in (
                "",
                "/",
                "/backend/",
                "/Backend",
                "/priority",
                "/passhostheader",
                "/passHostHeader",
                "/passtlsclientcert/pem",
                "/errors/main/backend",
                "/ratelimit/rateset/main/average",
                "/headers/customrequestheaders/X-A",
                "/headers/stsseconds",
                "/routes/main",
                "/routes/main/rule/x",
                "/routes/rule",
                "/whitelist",
                "/auth",
                "/entrypointsx",
                "/zzz",
            )
        ),
    ],
)
def test_a_frontends_key_does_what_its_path_says(path: str, role: Role) -> None:
    below = path.removeprefix(f"{F}/").split("/")
    kind = f"{F}/auth/{below[1]}" if below[0] == "auth" and below[1:2] in (["basic"], ["digest"], ["forward"]) else ""
    weakens = "/".join(below) in WEAKENING
    assert TRAEFIK1.place(path) == Place("web__shop", F, role, weakens=weakens, kind=kind)


@pytest.mark.parametrize(
    ("rest", "place"),
    [
        ("/loadbalancer/method", Place("web__shop", B, Role.REST)),
        ("/healthcheck/headers/X-A", Place("web__shop", B, Role.REST)),
        ("", Place("web__shop", B, Role.REST)),
        ("/servers", Place("web__shop", B, Role.REST)),
        ("/servers/", Place("web__shop", B, Role.REST)),
        ("/servers/east--c-1", Place("web__shop", B, Role.REST)),
        ("/servers/east--c-1/", Place("web__shop", f"{B}/servers/east--c-1", Role.SERVER, "east")),
        ("/servers/east--c-1/url", Place("web__shop", f"{B}/servers/east--c-1", Role.SERVER, "east")),
        ("/servers/east--c-1/tags", Place("web__shop", f"{B}/servers/east--c-1", Role.SERVER, "east")),
        ("/servers/s1/url", Place("web__shop", f"{B}/servers/s1", Role.REST)),
        ("/servers/--c-1/url", Place("web__shop", f"{B}/servers/--c-1", Role.REST)),
    ],
)
def test_a_backends_key_is_own_only_below_a_server_that_names_its_cluster(rest: str, place: Place) -> None:
    assert TRAEFIK1.place(B + rest) == place


@pytest.mark.parametrize("path", ["", "leader", "frontends", "frontends/", "frontends//backend", "tls/0/entrypoints"])
def test_what_no_route_consists_of_has_no_place(path: str) -> None:
    assert TRAEFIK1.place(path) is None


def test_a_segments_objects_are_in_the_services_group_and_hand_written_ones_in_their_own() -> None:
    for path, group in {
        "frontends/web__shop__admin/backend": "web__shop",
        "backends/web__shop__admin/loadbalancer/method": "web__shop",
        "frontends/my own/backend": "my own",
        "frontends/zz-bridge/backend": STANDING,
    }.items():
        place = TRAEFIK1.place(path)
        assert place is not None
        assert place.group == group


def test_only_a_frontend_is_opened() -> None:
    assert TRAEFIK1.opening(F) == (f"{F}/backend",)
    assert TRAEFIK1.opening(B) == ()
    assert TRAEFIK1.opening(f"{B}/servers/east--c-1") == ()


# Hosts.


def test_hosts_are_those_of_all_rules_in_lower_case() -> None:
    stored = {
        f"{F}/routes/main/rule": "Host: A.local ,b.local;PathPrefix:/c.local",
        f"{F}/routes/x/rule": r"HostRegexp:{sub:\\d+}.F.local,plain.local",
        f"{F}/backend": "Host:no-rule.local",
    }
    assert TRAEFIK1.hosts(stored) == {"a.local", "b.local", r"{sub:\d+}.f.local", "plain.local"}


@pytest.mark.parametrize("broken", ["", ";", "host:a.local", r"Host:\d.local", 'Host:"a"', "Host:a.local;Nonsense:x"])
def test_what_is_no_rule_asks_for_no_host(broken: str) -> None:
    assert TRAEFIK1.hosts({f"{F}/routes/main/rule": broken}) == frozenset()


# Escapes.


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_escaped_text_reads_back_and_holds_nothing_that_freezes(text: str) -> None:
    value = escape_value(text)
    assert unescape_value(value) == text
    assert re.fullmatch(r'(?:[^\x00-\x1f"\\]|\\["\\nrt]|\\u00[0-9a-f]{2})*', value)


@pytest.mark.parametrize("value", [r"\d", "\\", r"\u12", r"\ud800", r"\U00110000", r"\x41", 'a"', "a\nb", "a\r", "\0"])
def test_what_would_freeze_traefik_is_not_unescaped(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a TOML string"):
        unescape_value(value)


def test_a_text_that_utf8_cannot_carry_never_leaves() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        with_frontend(Frontend("", Rule((Matcher(Kind.PATH, ("/\ud800",)),))))
    with pytest.raises(ValueError, match="surrogates"):
        keys(with_backend(tags=("\ud800",), servers=(Server("c-1", "http", "10.0.0.1", 80),)))


def test_every_escape_of_the_template_is_understood() -> None:
    assert unescape_value(r"\b\t\n\f\r\"\\\u00e9\U0001f600") == '\b\t\n\f\r"\\é😀'


# The guard.


def entries_of(stored: Mapping[str, str]) -> list[Entry]:
    nowhere = Place("", "", Role.REST)
    return [Entry(path, value, "test", TRAEFIK1.place(path) or nowhere) for path, value in stored.items()]


@dataclass(frozen=True)
class Pair:
    """A tree that the real Traefik was given, and what became of it."""

    name: str
    verdict: str
    stored: Mapping[str, str]  # path below the prefix: value, without the canary's keys

    def refused(self) -> bool:
        if any(harmful(path, value) for path, value in self.stored.items()):
            return True
        backends = {path.split("/")[1] for path in self.stored if path.startswith("backends/")}
        constant = {f"backends/{name}/loadbalancer/method": "wrr" for name in backends}
        try:
            check(entries_of({**constant, **self.stored}))
        except ValueError:
            return True
        return False


def pairs() -> list[Pair]:
    found = []
    for path in sorted(GOLDEN.glob("*.json")):
        read = json.loads(path.read_text())
        prefix = read["prefix"] + "/"
        stored = {key.removeprefix(prefix): value for key, value in read["kv"].items() if "/canary/" not in key}
        if read["group"] != "prefix":  # the same keys under a prefix that is not read
            found.append(Pair(path.stem, read["verdict"], stored))
    return found


def test_every_recorded_tree_that_hurt_traefik_is_refused() -> None:
    hurt = [pair for pair in pairs() if pair.verdict != "ok"]
    assert len(hurt) > 70
    # Which entry points a Traefik has is not seen in its tree.
    unseen = ["178-ep-unknown", "198-redirect-unknown-ep"]
    assert [pair.name for pair in hurt if not pair.refused()] == unseen


def test_the_plain_good_recorded_trees_are_not_refused() -> None:
    plain = {
        "001-minimal",
        "002-two-servers",
        "007-server-ids-cluster",
        "010-frontends-several",
        "013-server-url-https",
        "017-server-url-ipv6-ok",
        "080-lb-method-drr",
        "084-sticky-stickiness",
        "101-maxconn-header",
        "111-hc-failing",
        "122-buffering-full",
        "126-buffering-retry-method-raw-string",
        "165-priority",
        "177-ep-other-only",
        "186-whitelist-deny",
        "192-redirect-entrypoint-permanent",
        "195-redirect-regex-port",
        "201-errors",
        "210-ratelimit",
        "222-passtlscert-https",
        "223-pctc-pem",
        "235-segments-like",
        "243-headers-ssl-redirect-temp",
        "245-headers-allowedhosts-deny",
        "255-auth-basic-removeheader",
        "257-auth-basic-sha-bcrypt",
        "267-auth-forward-deny",
        "270-auth-forward-tls",
        "288-rule-hostregexp-any",
        "291-rule-hostregexp-escaped-backslash",
        "303-rule-pathprefixstrip-slash",
        "354-rule-1000-hosts",
    }
    assert {pair.name for pair in pairs() if pair.name in plain and not pair.refused()} == plain


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{F}/Backend", "web__shop"),
        (f"{F}/auth/basic", "a:b"),
        (f"{F}/basicauth", "a:b"),
        (f"{F}/auth/basic/users", "a"),
        (f"{F}/auth/basic/users", "a:b:c"),
        (f"{F}/auth/basic/users", ""),
        (f"{F}/auth/basic/users", "a:b,"),
        (f"{F}/auth/basic/users", "a:b, c:d"),
        (f"{F}/auth/basic/users/0", "a:b"),
        (f"{F}/auth/basic/removeheader", "false"),
        (f"{F}/auth/basic/usersfile", "/a\\nb"),
        (f"{F}/auth/digest/users", "a:b"),
        (f"{F}/auth/headerfield", "x-user"),
        (f"{F}/auth/headerfield", "X.User"),
        (f"{F}/auth/forward/authresponseheaders", "X-A"),
        (f"{F}/auth/forward/.authresponseheaders", "X A"),
        (f"{F}/auth/forward/address", "auth.local"),
        (f"{F}/auth/forward/address", "http:///x"),
        (f"{F}/auth/forward/address", "http://u:p@auth.local/"),
        (f"{F}/auth/forward/address", "http://auth.local:0/"),
        (f"{F}/auth/forward/address", "http://auth.local:65536/"),
        (f"{F}/auth/forward/address", "http://auth.local/%zz"),
        (f"{F}/auth/forward/address", "http://auth.lo\\ncal/"),
        (f"{F}/auth/forward/address", "http://[fe80::1%eth0]/"),
        (f"{F}/auth/forward/tls/ca", "-----BEGIN X\ny"),
        (f"{F}/auth/forward/tls/ca", "a\\nb"),
        (f"{F}/auth/forward/tls/cert", "-----BEGIN X\\ny"),
        (f"{F}/auth/forward/tls/cert", '-----BEGIN """'),
        (f"{F}/auth/forward/tls/key", "a\nb"),
        (f"{F}/whitelist/sourcerange", ""),
        (f"{F}/whitelist/sourcerange", "10.0.0.0/33"),
        (f"{F}/whitelist/sourcerange", "10.0.0.0/255.0.0.0"),
        (f"{F}/whitelist/sourcerange", "10.0.0.0/8,zzz"),
        (f"{F}/whitelist/sourcerange", "fe80::1%eth0"),
        (f"{F}/whitelist/sourcerange", r"10.0.0.0\u002f8"),
        (f"{F}/redirect/entrypoint", ""),
        (f"{F}/redirect/regex", "["),
        (f"{F}/redirect/regex", "(?=a)"),
        (f"{F}/redirect/replacement", ""),
        (f"{F}/redirect/permanent", "1"),
        (f"{F}/errors/a b/status", "404"),
        (f"{F}/errors/p/status", "abc"),
        (f"{F}/errors/p/status", "500-"),
        (f"{F}/errors/p/status", "599-500"),
        (f"{F}/errors/p/status", "99"),
        (f"{F}/errors/p/backend", "a/b"),
        (f"{F}/errors/p/query", "x"),
        (f"{F}/errors/p/query", "//other.local/x"),
        (f"{F}/entrypoints", "http, other"),
        (f"{F}/entrypoints", 'ht"tp'),
        (f"{F}/entrypoints/0", "http"),
        (f"{F}/passtlscert", "false"),
        (f"{F}/passtlsclientcert", "true"),
        (f"{F}/passtlsclientcert/pem", "yes"),
        (f"{F}/passtlsclientcert/infos/issuer/country", "true"),
        (f"{F}/headers/isdevelopment", "true"),
        (f"{F}/headers/SSLRedirect", "true"),
        (f"{F}/headers/sslredirect", "false"),
        (f"{F}/headers/sslproxyheaders/X.Foo", "v"),
        (f"{F}/headers/sslproxyheaders/X-Foo", ""),
        (f"{F}/headers/customrequestheaders/x-a", "v"),
        (f"{F}/headers/customrequestheaders/X-\u00c9", "v"),
        (f"{F}/headers/customrequestheaders/", "v"),
        (f"{F}/headers/customresponseheaders/X-A", r"a\nb"),
        (f"{F}/headers/customresponseheaders/X-A", 'a"b'),
        (f"{F}/headers/allowedhosts", "*.local"),
        (f"{F}/headers/allowedhosts", "a.local:0"),
        (f"{F}/headers/sslhost", "https://a.local"),
        (f"{F}/headers/stsseconds", "0"),
        (f"{F}/headers/referrerpolicy", ""),
        (f"{B}/healthcheck/path", "health"),
        (f"{B}/healthcheck/path", "http://other.local/"),
        (f"{B}/healthcheck/path", "//other.local/"),
        (f"{B}/healthcheck/path", "/%zz"),
        (f"{B}/healthcheck/interval", "10"),
        (f"{B}/healthcheck/interval", "0s"),
        (f"{B}/healthcheck/interval", "9223372037s"),
        (f"{B}/healthcheck/port", "0"),
        (f"{B}/healthcheck/port", "65536"),
        (f"{B}/healthcheck/scheme", "ftp"),
        (f"{B}/healthcheck/hostname", "a b"),
        (f"{B}/healthcheck/headers/X.A", "v"),
        (f"{B}/buffering/maxrequestbodybytes", "-1"),
        (f"{B}/buffering/maxrequestbodybytes", "10MB"),
        (f"{B}/buffering/zzz", "1"),
        (f"{B}/buffering/retryexpression", "Attempts() < 2.5"),
        (f"{B}/maxconn/amount", "0"),
        (f"{B}/maxconn/amount", "-5"),
        (f"{B}/maxconn/extractorfunc", "request.header."),
        (f"{B}/servers/s/tags", "a\nb"),
        (f"{B}/servers/s/tags", "a, b"),
        (f"{B}/servers/s/tags", "a,,b"),
        (f"{B}/servers/s/tags", ""),
        ("frontends/*/backend", "web__shop"),
        ("frontends/../backend", "web__shop"),
        ("frontends/a___lock/backend", "web__shop"),
        (f"frontends/{'a' * 201}/backend", "web__shop"),
        ("frontends//backend", "web__shop"),
        ("tls/0/entrypoints", "https"),
        (f"{B}/responseforwarding/flushinterval", "1s"),
        (f"{B}/loadbalancer/stickiness/cookiename", "c"),
        (f"{B}/loadbalancer/stickiness", "false"),
        (f"{B}/loadbalancer/method", "DRR"),
        (f"{B}/servers/s/weight", "0"),
        (f"{B}/servers/s/weight", "2147483648"),
        (f"{B}/servers/s/weight", "01"),
        (f"{B}/servers/s/weight", r"\u0031"),
        (f"{B}/servers/s/weight", "\u0661"),
        (f"{B}/servers/s/url", "http://10.0.0.1"),
        (f"{B}/servers/s/url", "http://10.0.0.1:0"),
        (f"{B}/servers/s/url", "http://10.0.0.1:65536"),
        (f"{B}/servers/s/url", "http://10.0.0.1:80/"),
        (f"{B}/servers/s/url", "http://u@10.0.0.1:80"),
        (f"{B}/servers/s/url", "http://fd00::1:80"),
        (f"{B}/servers/s/url", "http://[fd00::1%eth0]:80"),
        (f"{B}/servers/s/url", "http://[]:80"),
        (f"{B}/servers/s/url", "ftp://10.0.0.1:80"),
        (f"{B}/circuitbreaker/expression", "NetworkErrorRatio() > 1"),
        (f"{F}/priority", "1"),
        (f"{F}/priority", "-2"),
        (f"{F}/passhostheader", "no"),
        (f"{F}/ratelimit/extractorfunc", "client"),
        (f"{F}/ratelimit/rateset/main/period", "10"),
        (f"{F}/ratelimit/rateset/main/period", "0s"),
        (f"{F}/ratelimit/rateset/main/average", "1000000001"),
        (f"{F}/routes/main/rule", ";"),
        (f"{F}/routes/main/rule", ""),
        (f"{F}/routes/main/rule", "AddPrefix:/x"),
        (f"{F}/routes/main/rule", "Host:A.local"),
        (f"{F}/routes/main/rule", "Host:a.local."),
        (f"{F}/routes/main/rule", "Host:*.local"),
        (f"{F}/routes/main/rule", "Host:a.local:80"),
        (f"{F}/routes/main/rule", "Path:a"),
        (f"{F}/routes/main/rule", "PathPrefix:/{x"),
        (f"{F}/routes/main/rule", "HostRegexp:{x:[}.local"),
        (f"{F}/routes/main/rule", 'Path:/"'),
        (f"{F}/routes/main/rule", "Path:/a\nb"),
        (f"{F}/routes/main/rule", r"Path:/\d"),
    ],
)
def test_a_harmful_key_never_leaves(path: str, value: str) -> None:
    assert harmful(path, value)
    with pytest.raises(ValueError, match=r".+"):
        check(entries_of({**whole(), path: value}))


def whole() -> dict[str, str]:
    """A frontend and a backend with nothing missing."""
    limit = f"{F}/ratelimit"
    return {
        f"{F}/backend": "web__shop",
        f"{F}/routes/main/rule": "Host:a.local",
        f"{limit}/extractorfunc": "client.ip",
        f"{limit}/rateset/main/average": "1",
        f"{limit}/rateset/main/burst": "1",
        f"{limit}/rateset/main/period": "1s",
        f"{B}/loadbalancer/method": "wrr",
        f"{B}/servers/east--c-1/url": "http://10.0.0.1:80",
        f"{B}/servers/east--c-1/weight": "2",
    }


def test_a_whole_object_passes() -> None:
    check(entries_of(whole()))


@pytest.mark.parametrize("missing", [path for path in whole() if not path.endswith("/weight")])
def test_half_an_object_never_leaves(missing: str) -> None:
    half = {path: value for path, value in whole().items() if path != missing}
    with pytest.raises(ValueError, match="without"):
        check(entries_of(half))


def test_a_rate_limit_without_a_set_never_leaves() -> None:
    with pytest.raises(ValueError, match="without"):
        check(entries_of({path: value for path, value in whole().items() if "/rateset/" not in path}))


BASE = f"{F}/auth"


@pytest.mark.parametrize(
    ("stored", "missing"),
    [
        ({f"{BASE}/headerfield": "X-User"}, "without .*/auth/basic or .*/auth/digest or .*/auth/forward"),
        ({f"{BASE}/basic/removeheader": "true"}, "without .*/users or .*/usersfile"),
        ({f"{BASE}/digest/removeheader": "true"}, "without .*/users or .*/usersfile"),
        ({f"{BASE}/forward/trustforwardheader": "true"}, "without .*/address"),
        (
            {f"{BASE}/forward/address": "http://a.local", f"{BASE}/forward/tls/ca": "/ca"},
            "without .*/cert or .*/insecureskipverify",
        ),
        (
            {
                f"{BASE}/forward/address": "http://a.local",
                f"{BASE}/forward/tls/cert": "/c",
                f"{BASE}/forward/tls/insecureskipverify": "true",
            },
            "without .*/key",
        ),
        ({f"{BASE}/basic/users": "a:b", f"{BASE}/digest/users": "a:r:b"}, "basic and digest: one kind"),
        ({f"{F}/whitelist/usexforwardedfor": "true"}, "without .*/sourcerange"),
        ({f"{F}/redirect/permanent": "true"}, "without .*/entrypoint or .*/regex"),
        ({f"{F}/redirect/regex": "a"}, "without .*/replacement"),
        ({f"{F}/redirect/replacement": "a"}, "without .*/regex"),
        (
            {f"{F}/redirect/entrypoint": "https", f"{F}/redirect/regex": "a", f"{F}/redirect/replacement": "b"},
            "beside an entry point",
        ),
        ({f"{F}/errors/e/backend": "a__b", f"{F}/errors/e/query": "/x"}, "without .*/status"),
        ({f"{F}/errors/e/status": "404"}, "without .*/backend"),
        ({f"{B}/healthcheck/interval": "1s"}, "without .*/path"),
        ({f"{B}/healthcheck/headers/X-A": "1"}, "without .*/path"),
        ({f"{B}/maxconn/extractorfunc": "client.ip"}, "without .*/amount"),
        ({f"{B}/servers/east--c-2/tags": "api"}, "without .*/url"),
        (
            {f"{F}/ratelimit/rateset/main/period": "1us", f"{F}/ratelimit/rateset/main/average": "1001"},
            "more requests than the period has nanoseconds",
        ),
    ],
)
def test_what_stands_for_nothing_alone_or_harms_together_never_leaves(stored: dict[str, str], missing: str) -> None:
    assert [path for path, value in stored.items() if harmful(path, value)] == []
    with pytest.raises(ValueError, match=missing):
        check(entries_of({**whole(), **stored}))


@pytest.mark.parametrize(
    "path", ["auth/basic/users", "whitelist/sourcerange", "headers/sslredirect", "errors/e/backend"]
)
def test_no_setting_stands_without_what_opens_its_frontend(path: str) -> None:
    values = {"auth/basic/users": "a:b", "whitelist/sourcerange": "10.0.0.1", "errors/e/backend": "a__b"}
    alone = {f"frontends/other__shop/{path}": values.get(path, "true")}
    with pytest.raises(ValueError, match="without frontends/other__shop/backend"):
        check(entries_of({**whole(), **alone}))


def test_a_refusal_tells_nothing_of_a_password() -> None:
    with pytest.raises(ValueError, match="not a user") as refusal:
        with_frontend(Frontend("", rule(), auth=Auth(BasicAuth(("alice$apr1$secret",)))))
    assert "secret" not in str(refusal.value)
    assert "alice" not in str(refusal.value)


def test_two_headers_that_go_takes_for_one_never_leave() -> None:
    with pytest.raises(ValueError, match="two values"):
        with_frontend(Frontend("", rule(), headers=Headers(custom_request=(("X-A", "1"), ("x-a", "2")))))


@pytest.mark.parametrize(
    "text",
    [
        "Host:a.local;AddPrefix:/x",
        "Host:a.local;ReplacePath:/x",
        "Host:a.local;ReplacePathRegex:^/a(.*) /b$1",
        "Headers:X-A,1,X-B,2",
        r"HeadersRegexp:X-A,^a\\.b$",
        "Query:a={v:[0-9]+},b=",
        "Method:GET,POST;Host:a.local",
        "PathPrefixStripRegex:/{x:[a-z]+}/y",
    ],
)
def test_every_kind_of_rule_may_stand(text: str) -> None:
    assert harmful(f"{F}/routes/main/rule", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "AddPrefix:/x;ReplacePath:/y",
        "Host:a.local;AddPrefix:x",
        "Host:a.local;ReplacePath:x",
        "Host:a.local;ReplacePathRegex:^/a",
        "Headers:X-A",
        "HeadersRegexp:X-A,[",
        "Query:a",
        "Query:a=b=c",
        "Query:a={v:[}",
        "PathStripRegex:/{x",
        "Host(`a.local`)",
    ],
)
def test_a_rule_that_loses_its_frontend_or_makes_no_path_never_leaves(text: str) -> None:
    assert harmful(f"{F}/routes/main/rule", text)


def test_one_path_has_one_value() -> None:
    with pytest.raises(ValueError, match="two values"):
        keys(with_backend(servers=(Server("c-1", "http", "10.0.0.1", 1), Server("c-1", "http", "10.0.0.1", 2))))


def test_one_url_stands_once_in_a_backend() -> None:
    twin = {**whole(), f"{B}/servers/west--c-1/url": "http://10.0.0.1:80"}
    with pytest.raises(ValueError, match="one url"):
        check(entries_of(twin))


# Whatever route comes.

clusters = st.sampled_from(["default", "east", "east-1", "e", "1"])
plain = st.text("ab1", min_size=1, max_size=3)
odd = st.text(st.one_of(st.sampled_from('ab_-./:;,"\\\n{}'), st.characters()), max_size=6)
expressions = st.sampled_from(["", "NetworkErrorRatio() > 0.5"])
no_words: st.SearchStrategy[str] = st.nothing()
numbers = st.integers(2, 99)
odd_numbers = st.one_of(numbers, st.integers(-1, 2**64))


T = TypeVar("T")
Drawing = st.SearchStrategy[object]


def some_of(
    make: Callable[..., T], needed: Mapping[str, Drawing], optional: Mapping[str, Drawing]
) -> st.SearchStrategy[T]:
    """What `make` builds from all that is needed and any of the rest."""
    return st.fixed_dictionaries(dict(needed), optional=dict(optional)).map(lambda settings: make(**settings))


@dataclass(frozen=True)
class Drawn:
    """What routes are made of."""

    names: st.SearchStrategy[str]
    values: st.SearchStrategy[str]
    words: st.SearchStrategy[str]  # in place of what has a form
    numbers: st.SearchStrategy[int]
    least: int  # items of a list

    def listed(self, items: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
        return st.lists(items, min_size=self.least, max_size=2, unique=True).map(tuple)

    def some(self, *texts: str) -> st.SearchStrategy[str]:
        return st.sampled_from(texts) | self.words

    def pairs(self) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
        pair = st.tuples(self.some("X-A", "x-b", "Servers"), self.values)
        return st.lists(pair, max_size=2, unique_by=lambda pair: pair[0]).map(tuple)

    def auth(self) -> st.SearchStrategy[Auth]:
        basic = st.builds(BasicAuth, self.listed(self.some("a:b", "c,d:$1$")), remove_header=st.booleans())
        digest = st.builds(DigestAuth, self.listed(self.some("a:r:b")), remove_header=st.booleans())
        pem = st.sampled_from(["", PEM]) | self.words
        both = pem.map(lambda text: {"cert": text, "key": text})
        tls = st.builds(
            lambda cert, **settings: ClientTls(skip_verify=True, **cert, **settings),
            both,
            ca_optional=st.booleans(),
            ca=pem,
        )
        forward = st.builds(
            ForwardAuth,
            self.some("http://a.local/x?y", "https://[::1]:8443"),
            st.booleans(),
            self.listed(self.some("X-A", "x-b")),
            st.none() | tls,
        )
        return st.builds(Auth, basic | digest | forward, st.just("") | self.some("x-user"))

    def errors(self) -> st.SearchStrategy[tuple[ErrorPage, ...]]:
        page = st.builds(
            ErrorPage,
            self.names,
            self.listed(self.some("404", "500-599")),
            self.some("other__stack", "other__stack__c.2ed"),
            st.just("") | self.values.map(lambda value: f"/{value.replace('%', '')}"),
        )
        return st.lists(page, max_size=2, unique_by=lambda page: page.name).map(tuple)

    def headers(self) -> st.SearchStrategy[Headers]:
        texts = ("custom_frame_options", "content_security_policy", "public_key", "referrer_policy")
        flags = ("ssl_redirect", "ssl_force_host", "sts_preload", "frame_deny", "is_development")
        settings = {
            **dict.fromkeys(texts, self.values),
            **dict.fromkeys(flags, st.booleans()),
            "sts_seconds": self.numbers,
            "ssl_host": self.some("a.local", "a.local:8443"),
            "allowed_hosts": self.listed(self.some("a.local", "b.local:80")),
            "hosts_proxy_headers": self.listed(self.some("X-Forwarded-Host")),
            "custom_request": self.pairs(),
            "custom_response": self.pairs(),
            "ssl_proxy_headers": st.just((("X-P", "https"),)),
        }
        return some_of(Headers, {}, settings)

    def rate_limit(self) -> st.SearchStrategy[RateLimit]:
        rate = st.tuples(self.names, st.builds(RateSet, self.numbers, self.numbers, self.numbers))
        sets = st.lists(rate, min_size=self.least, max_size=2, unique_by=lambda pair: pair[0]).map(tuple)
        return st.builds(RateLimit, self.some("client.ip"), sets)

    def frontend(self) -> st.SearchStrategy[Frontend]:
        host_kinds = st.sampled_from([Kind.HOST, Kind.HOST_REGEXP])
        hosts = st.builds(Matcher, host_kinds, self.listed(self.values))
        path_kinds = st.sampled_from([kind for kind in Kind if kind.value.startswith("Path")])
        paths = st.builds(Matcher, path_kinds, self.values.map(lambda value: (f"/{value}",)))
        others = st.sampled_from([Matcher(Kind.HEADERS, ("X-A", "b")), Matcher(Kind.QUERY, ("a=b",))])
        redirects = st.builds(Redirect, self.some("https"), permanent=st.booleans()) | st.builds(
            Redirect, regex=self.some("^http://(.*)"), replacement=self.some("https://$1"), permanent=st.booleans()
        )
        infos = self.listed(self.some("notAfter", "sans", "subject.commonName"))
        return some_of(
            Frontend,
            {
                "segment": self.names,
                "rule": st.builds(Rule, st.lists(hosts | paths | others, min_size=self.least, max_size=2).map(tuple)),
            },
            {
                "priority": self.numbers,
                "pass_host_header": st.booleans(),
                "entry_points": self.listed(st.sampled_from(["http", "other"])),
                "client_cert": st.builds(ClientCert, st.booleans(), infos),
                "auth": self.auth(),
                "whitelist": st.builds(Whitelist, self.listed(self.some("10.0.0.0/8", "fd00::1")), st.booleans()),
                "redirect": redirects,
                "errors": self.errors(),
                "rate_limit": self.rate_limit(),
                "headers": self.headers(),
            },
        )

    def backend(self, breakers: st.SearchStrategy[str]) -> st.SearchStrategy[Backend]:
        server = st.builds(Server, self.names, self.some("http", "https"), self.values, self.numbers, self.numbers)
        check = st.builds(
            HealthCheck,
            self.some("/health"),
            st.none() | self.numbers.map(lambda number: number / 4),
            self.numbers,
            self.some("", "https"),
            self.some("", "a.local"),
            st.just((("x-a", "b"),)),
        )
        sizes = st.integers(0, 2) | self.numbers
        retries = breakers.map(lambda text: text.replace("NetworkErrorRatio() > 0.5", "Attempts() < 2"))
        return some_of(
            Backend,
            {
                "servers": st.lists(server, max_size=3, unique_by=lambda one: one.identity).map(tuple),
                "breaker": breakers,
            },
            {
                "method": self.some("wrr", "drr"),
                "sticky": st.booleans(),
                "max_conn": st.builds(MaxConn, self.numbers, self.some("client.ip", "request.host")),
                "health_check": check,
                "buffering": st.builds(Buffering, sizes, sizes, sizes, sizes, retries),
                "tags": self.listed(self.some("api", "a b")),
                "retiring": st.lists(self.names, max_size=1).map(tuple),
            },
        )


def routes(
    *,
    names: st.SearchStrategy[str] = plain,
    values: st.SearchStrategy[str] = plain,
    breakers: st.SearchStrategy[str] = expressions,
    words: st.SearchStrategy[str] = no_words,
    numbers: st.SearchStrategy[int] = numbers,
    least: int = 1,
) -> st.SearchStrategy[Route]:
    """Routes that can be laid out, but for what the arguments make odd."""
    drawn = Drawn(names, values, words, numbers, least)
    frontends = st.lists(drawn.frontend(), min_size=1, max_size=2, unique_by=lambda one: one.segment)
    backends = st.tuples(drawn.backend(breakers))
    return st.builds(Route, service=names, stack=names, frontends=frontends.map(tuple), backends=backends)


odd_routes = st.one_of(
    routes(names=odd.filter(bool)),
    routes(values=odd),
    routes(breakers=odd),
    routes(words=odd),
    routes(numbers=odd_numbers),
    routes(least=0),
)


def assert_harmless(entries: tuple[Entry, ...]) -> None:
    paths = [entry.path for entry in entries]
    assert not set(paths) & {path[:at] for path in paths for at, char in enumerate(path) if char == "/"}
    for entry in entries:
        assert harmful(entry.path, entry.value) is None
        assert re.fullmatch(r"(frontends|backends)(/[A-Za-z0-9_.-]+)+", entry.path)
        value = (
            "" if entry.path.endswith(("/tls/cert", "/tls/key", "/tags")) else entry.value
        )  # these are not pasted so
        assert re.fullmatch(r'(?:[^\x00-\x1f"\\]|\\["\\nrt]|\\u00[0-9a-f]{2})*', value)
        assert TRAEFIK1.place(entry.path) == entry.place


@given(odd_routes, clusters)
def test_no_route_whatever_lets_a_harmful_key_out(route: Route, cluster: str) -> None:
    try:
        entries = TRAEFIK1.entries(route, cluster)
    except ValueError:
        return
    assert_harmless(entries)


@given(routes() | odd_routes, clusters)
def test_a_reader_built_from_recordings_takes_all_that_leaves(route: Route, cluster: str) -> None:
    try:
        laid_out = keys(route, cluster)
    except ValueError:
        return
    tree = {f"/traefik/{path}": value for path, value in {**laid_out, **TRAEFIK1.standing()}.items()}
    assert verdict(tree, "/traefik", Store.ETCD) == "ok"


@given(routes(names=odd.filter(bool)), clusters)
def test_names_cost_no_route_whatever_they_hold(route: Route, cluster: str) -> None:
    assert_harmless(TRAEFIK1.entries(route, cluster))


@given(routes(), clusters, clusters)
def test_an_own_path_names_its_cluster_where_nothing_else_can_stand_and_a_shared_one_does_not(
    route: Route, cluster: str, other: str
) -> None:
    ours, theirs = TRAEFIK1.entries(route, cluster), TRAEFIK1.entries(route, other)
    assert [e for e in ours if e.place.cluster is None] == [e for e in theirs if e.place.cluster is None]
    for entry in ours:
        if entry.place.cluster is not None:
            server = entry.path.split("/")[3]
            assert entry.place.cluster == cluster == server.split("--")[0]
            assert server in {
                server_name(cluster, one.identity) for backend in route.backends for one in backend.servers
            }
