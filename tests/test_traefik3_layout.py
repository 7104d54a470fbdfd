"""What the bridge writes for Traefik 3, what it says is lost, and what it refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.labels.rules import parse_rule
from bridge.layouts import NoCounterpart, RouteLayout, Target, layout
from bridge.layouts.traefik3_guard import check
from bridge.layouts.traefik3_rules import translated
from bridge.model.keys import STANDING, Entry, Place, Role, group_name, route_name
from bridge.model.problem import Problem
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
    MaxConn,
    RateLimit,
    RateSet,
    Redirect,
    Route,
    Server,
    Verdict,
    Whitelist,
)
from bridge.sync import lay_out

RULE = parse_rule("Host:web-test.proxy-test.local")
WEB = Route(
    "web-test",
    "proxy-test",
    (Frontend("", RULE),),
    (
        Backend(
            breaker="NetworkErrorRatio() > 0.5",
            sticky=True,
            servers=(Server("c-1", "http", "10.42.0.1", 8080, 5), Server("c-2", "http", "fd00::2", 8080)),
        ),
    ),
)
PLAIN = replace(WEB, backends=(Backend(),))
R, M, S = (
    "http/routers/web-test__proxy-test",
    "http/middlewares/web-test__proxy-test",
    "http/services/web-test__proxy-test",
)
USER = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
PEM = "-----BEGIN X-----\nAA==\n-----END X-----\n"


OLDEST = Target()


def of(target: Target = OLDEST) -> RouteLayout:
    return layout("traefik3", target)


def keys(route: Route, target: Target = OLDEST, cluster: str = "default") -> dict[str, str]:
    return {entry.path: entry.value for entry in of(target).entries(route, cluster)}


def with_frontend(**settings: object) -> Route:
    return replace(PLAIN, frontends=(Frontend("", RULE, **settings),))  # type: ignore[arg-type]  # what a test names


def with_backend(**settings: object) -> Route:
    return replace(PLAIN, backends=(Backend(**settings),))  # type: ignore[arg-type]  # what a test names


def with_rule(text: str) -> Route:
    return replace(PLAIN, frontends=(Frontend("", parse_rule(text)),))


# What is written.


def test_the_classic_service_becomes_these_keys() -> None:
    cookie = "_" + hashlib.sha1(b"_TRAEFIK_BACKEND_web-test__proxy-test").hexdigest()[:5]
    assert keys(WEB) == {
        f"{M}--breaker/circuitBreaker/expression": "NetworkErrorRatio() > 0.5",
        f"{R}/middlewares": "web-test__proxy-test--breaker",
        f"{R}/priority": "30",
        f"{R}/rule": "Host(`web-test.proxy-test.local`)",
        f"{R}/service": "web-test__proxy-test",
        f"{S}/loadBalancer/passHostHeader": "true",
        f"{S}/loadBalancer/servers/default--c-1/url": "http://10.42.0.1:8080",
        f"{S}/loadBalancer/servers/default--c-1/weight": "5",
        f"{S}/loadBalancer/servers/default--c-2/url": "http://[fd00::2]:8080",
        f"{S}/loadBalancer/sticky/cookie/name": cookie,
    }


def test_entries_are_sorted_by_path() -> None:
    paths = [entry.path for entry in of().entries(WEB, "default")]
    assert paths == sorted(paths)


def test_a_service_without_servers_keeps_its_constant_key_and_its_router() -> None:
    assert keys(PLAIN) == {
        f"{R}/priority": "30",
        f"{R}/rule": "Host(`web-test.proxy-test.local`)",
        f"{R}/service": "web-test__proxy-test",
        f"{S}/loadBalancer/passHostHeader": "true",
    }


def test_capitals_are_escaped_since_traefik_3_merges_names_that_differ_in_case() -> None:
    found = keys(replace(PLAIN, service="Web", stack="proxy"))
    assert found["http/routers/.57eb__proxy/service"] == ".57eb__proxy"


def test_the_cookie_is_that_of_the_other_layouts_backend_with_its_capitals() -> None:
    cookie = "_" + hashlib.sha1(b"_TRAEFIK_BACKEND_Web__proxy").hexdigest()[:5]
    found = keys(replace(with_backend(sticky=True), service="Web", stack="proxy"))
    assert found["http/services/.57eb__proxy/loadBalancer/sticky/cookie/name"] == cookie


@pytest.mark.parametrize(("priority", "written"), [(None, "30"), (7, "7")])
def test_a_priority_always_stands(priority: int | None, written: str) -> None:
    assert keys(with_frontend(priority=priority))[f"{R}/priority"] == written


@pytest.mark.parametrize(
    ("asked", "target", "routers"),
    [
        ((), Target(), {"": {}}),
        ((), Target(entry_points=("web",)), {"": {"entryPoints": "web"}}),
        (("http",), Target(entry_points=("web",)), {"": {"entryPoints": "http"}}),
        (("https",), Target(), {"--tls": {"entryPoints": "https", "tls": "true"}}),
        (("https",), Target(resolver="le"), {"--tls": {"entryPoints": "https", "tls/certResolver": "le"}}),
        (
            ("http", "https", "other", "websecure"),
            Target(),
            {"": {"entryPoints": "http,other"}, "--tls": {"entryPoints": "https,websecure", "tls": "true"}},
        ),
        (
            (),
            Target(entry_points=("a", "b"), tls=(("b", 1),)),
            {"": {"entryPoints": "a"}, "--tls": {"entryPoints": "b", "tls": "true"}},
        ),
        (("https",), Target(tls=()), {"": {"entryPoints": "https"}}),
    ],
)
def test_plain_entry_points_and_those_with_tls_have_routers_of_their_own(
    asked: tuple[str, ...], target: Target, routers: Mapping[str, Mapping[str, str]]
) -> None:
    always = {
        "priority": "30",
        "rule": "Host(`web-test.proxy-test.local`)",
        "service": "web-test__proxy-test",
    }
    assert keys(with_frontend(entry_points=asked), target) == {
        f"{S}/loadBalancer/passHostHeader": "true",
        **{f"{R}{end}/{field}": value for end, more in routers.items() for field, value in {**always, **more}.items()},
    }


HEADERS = Headers(
    custom_request=(("X-A", "a,b"), ("X-Gone", "")),
    custom_response=(("Server", ""),),
    ssl_proxy_headers=(("X-Ssl", "on"),),
    sts_seconds=5,
    sts_include_subdomains=True,
    sts_preload=True,
    force_sts_header=True,
    frame_deny=True,
    custom_frame_options="SAMEORIGIN",
    content_type_nosniff=True,
    browser_xss_filter=True,
    custom_browser_xss="1",
    content_security_policy="script-src 'self'",
    public_key='pin="AAAA"',
    referrer_policy="same-origin",
)


@pytest.mark.parametrize(
    ("settings", "chain", "asked"),
    [
        ({"client_cert": ClientCert()}, "", {}),
        (
            {"client_cert": ClientCert(True, ("notAfter", "subject.commonName"))},
            "cert",
            {
                "cert/passTLSClientCert/pem": "true",
                "cert/passTLSClientCert/info/notAfter": "true",
                "cert/passTLSClientCert/info/subject/commonName": "true",
                "cert/passTLSClientCert/info/issuer/commonName": "true",
            },
        ),
        (
            {"auth": Auth(BasicAuth((USER, "b:{SHA}z="), remove_header=True), "x-webAuth-user")},
            "auth",
            {
                "auth/basicAuth/users": f"{USER},b:{{SHA}}z=",
                "auth/basicAuth/removeHeader": "true",
                "auth/basicAuth/headerField": "X-Webauth-User",
            },
        ),
        ({"auth": Auth(BasicAuth(users_file="/etc/u"))}, "auth", {"auth/basicAuth/usersFile": "/etc/u"}),
        (
            {"auth": Auth(DigestAuth(("a:r:0f",), remove_header=True), "X-User")},
            "auth",
            {
                "auth/digestAuth/users": "a:r:0f",
                "auth/digestAuth/removeHeader": "true",
                "auth/digestAuth/headerField": "X-User",
            },
        ),
        (
            {"auth": Auth(ForwardAuth("http://a.local", True, ("X-A", "X-B"), ClientTls(PEM, False, PEM, "/k", True)))},
            "auth",
            {
                "auth/forwardAuth/address": "http://a.local",
                "auth/forwardAuth/trustForwardHeader": "true",
                "auth/forwardAuth/authResponseHeaders": "X-A,X-B",
                "auth/forwardAuth/tls/ca": PEM,
                "auth/forwardAuth/tls/cert": PEM,
                "auth/forwardAuth/tls/key": "/k",
                "auth/forwardAuth/tls/insecureSkipVerify": "true",
            },
        ),
        (
            {"whitelist": Whitelist(("10.0.0.0/8", "fd00::1"))},
            "allow",
            {"allow/ipAllowList/sourceRange": "10.0.0.0/8,fd00::1"},
        ),
        (
            {"redirect": Redirect("https", permanent=True)},
            "redirect",
            {"redirect/redirectScheme/scheme": "https", "redirect/redirectScheme/permanent": "true"},
        ),
        (
            {"redirect": Redirect("odd")},
            "redirect",
            {"redirect/redirectScheme/scheme": "https", "redirect/redirectScheme/port": "8443"},
        ),
        (
            {"redirect": Redirect(regex=r"^http://a\.b/(.*),", replacement="https://c/$1")},
            "redirect",
            {
                "redirect/redirectRegex/regex": r"^http://a\.b/(.*),",
                "redirect/redirectRegex/replacement": "https://c/$1",
            },
        ),
        (
            {
                "rate_limit": RateLimit(
                    "request.header.X-Who", (("a B", RateSet(0.25, 1, 2)), ("main", RateSet(60, 3, 4)))
                )
            },
            "rate-a.20.42 rate-main",
            {
                "rate-a.20.42/rateLimit/average": "1",
                "rate-a.20.42/rateLimit/burst": "2",
                "rate-a.20.42/rateLimit/period": "250ms",
                "rate-a.20.42/rateLimit/sourceCriterion/requestHeaderName": "X-Who",
                "rate-main/rateLimit/average": "3",
                "rate-main/rateLimit/burst": "4",
                "rate-main/rateLimit/period": "60s",
                "rate-main/rateLimit/sourceCriterion/requestHeaderName": "X-Who",
            },
        ),
        (
            {"headers": Headers(allowed_hosts=("a.local", "b:80"), hosts_proxy_headers=("X-Forwarded-Host",))},
            "hosts",
            {
                "hosts/headers/allowedHosts": "a.local,b:80",
                "hosts/headers/hostsProxyHeaders": "X-Forwarded-Host",
            },
        ),
        (
            {"headers": Headers(ssl_redirect=True, ssl_proxy_headers=(("X-Forwarded-Proto", "https"),))},
            "ssl headers",
            {
                "ssl/redirectScheme/scheme": "https",
                "ssl/redirectScheme/permanent": "true",
                "headers/headers/sslProxyHeaders/X-Forwarded-Proto": "https",
            },
        ),
        (
            {"headers": Headers(ssl_redirect=True, ssl_temporary_redirect=True, ssl_host="a.local:8443")},
            "ssl",
            {
                "ssl/redirectRegex/regex": "^http://[^/]*(.*)$",
                "ssl/redirectRegex/replacement": "https://a.local:8443${1}",
            },
        ),
        ({"headers": Headers(ssl_force_host=True, ssl_temporary_redirect=True)}, "", {}),
        (
            {
                "headers": Headers(
                    is_development=True,
                    allowed_hosts=("a",),
                    ssl_redirect=True,
                    ssl_proxy_headers=(("X-Ssl", "on"),),
                    sts_seconds=5,
                    public_key="x",
                    frame_deny=True,
                )
            },
            "headers",
            {"headers/headers/frameDeny": "true"},
        ),
        (
            {"headers": HEADERS},
            "headers",
            {
                "headers/headers/customRequestHeaders/X-A": "a,b",
                "headers/headers/customRequestHeaders/X-Gone": "",
                "headers/headers/customResponseHeaders/Server": "",
                "headers/headers/sslProxyHeaders/X-Ssl": "on",
                "headers/headers/stsSeconds": "5",
                "headers/headers/stsIncludeSubdomains": "true",
                "headers/headers/stsPreload": "true",
                "headers/headers/forceSTSHeader": "true",
                "headers/headers/frameDeny": "true",
                "headers/headers/customFrameOptionsValue": "SAMEORIGIN",
                "headers/headers/contentTypeNosniff": "true",
                "headers/headers/browserXSSFilter": "true",
                "headers/headers/customBrowserXSSValue": "1",
                "headers/headers/contentSecurityPolicy": "script-src 'self'",
                "headers/headers/publicKey": 'pin="AAAA"',
                "headers/headers/referrerPolicy": "same-origin",
            },
        ),
    ],
)
def test_each_setting_of_a_frontend_becomes_a_middleware(
    settings: Mapping[str, object], chain: str, asked: Mapping[str, str]
) -> None:
    found = keys(with_frontend(**settings), Target(tls=(("https", 443), ("odd", 8443))))
    middlewares = {f"{R}/middlewares": ",".join(f"web-test__proxy-test--{what}" for what in chain.split())}
    wanted = {f"{M}--{path}": value for path, value in asked.items()} | (middlewares if chain else {})
    assert dict(found.items() - keys(PLAIN).items()) == wanted


@pytest.mark.parametrize(
    ("settings", "chain", "asked"),
    [
        ({"max_conn": MaxConn(3)}, "conn", {"amount": "3", "sourceCriterion/requestHost": "true"}),
        ({"max_conn": MaxConn(3, "client.ip")}, "conn", {"amount": "3", "sourceCriterion/ipStrategy/depth": "0"}),
        (
            {"max_conn": MaxConn(3, "request.header.X-A")},
            "conn",
            {"amount": "3", "sourceCriterion/requestHeaderName": "X-A"},
        ),
        ({"buffering": Buffering()}, "buffering", {"maxRequestBodyBytes": "0"}),
        (
            {"buffering": Buffering(1, 2, 3, 4)},
            "buffering",
            {
                "maxRequestBodyBytes": "1",
                "memRequestBodyBytes": "2",
                "maxResponseBodyBytes": "3",
                "memResponseBodyBytes": "4",
            },
        ),
    ],
)
def test_each_setting_of_a_backend_becomes_a_middleware(
    settings: Mapping[str, object], chain: str, asked: Mapping[str, str]
) -> None:
    kind = {"conn": "inFlightReq", "buffering": "buffering"}[chain]
    found = dict(keys(with_backend(**settings)).items() - keys(PLAIN).items())
    assert found == {
        f"{R}/middlewares": f"web-test__proxy-test--{chain}",
        **{f"{M}--{chain}/{kind}/{field}": value for field, value in asked.items()},
    }


@pytest.mark.parametrize(
    ("expression", "attempts"),
    [
        ("IsNetworkError() && Attempts() <= 2", "3"),
        ("Attempts() < 2 && IsNetworkError()", "2"),
        ("IsNetworkError() && Attempts() <= 0", None),
        ("ResponseCode() == 502 && Attempts() <= 2", None),
        ("IsNetworkError() && Attempts() <= 9223372036854775807", None),
    ],
)
def test_a_retry_expression_becomes_a_number_of_attempts_where_it_is_one(expression: str, attempts: str | None) -> None:
    assert keys(with_backend(buffering=Buffering(retry=expression))).get(f"{M}--retry/retry/attempts") == attempts


def test_a_health_check_is_the_services() -> None:
    check = HealthCheck("/up", 0.5, 81, "https", "a.local", (("X-A", "1"),))
    found = dict(keys(with_backend(health_check=check)).items() - keys(PLAIN).items())
    base = f"{S}/loadBalancer/healthCheck"
    assert found == {
        f"{base}/path": "/up",
        f"{base}/interval": "500ms",
        f"{base}/port": "81",
        f"{base}/scheme": "https",
        f"{base}/hostname": "a.local",
        f"{base}/headers/X-A": "1",
    }


def test_frontends_that_differ_in_the_host_they_pass_on_have_two_services_of_the_same_servers() -> None:
    others = Frontend("own", parse_rule("Host:b.local"), pass_host_header=False)
    found = keys(replace(WEB, frontends=(*WEB.frontends, others)))
    assert found[f"{R}/service"] == "web-test__proxy-test"
    assert found["http/routers/web-test__proxy-test__own/service"] == "web-test__proxy-test--own-host"
    for end, passes in (("", "true"), ("--own-host", "false")):
        assert found[f"{S}{end}/loadBalancer/passHostHeader"] == passes
        assert found[f"{S}{end}/loadBalancer/servers/default--c-1/url"] == "http://10.42.0.1:8080"
        assert found[f"{S}{end}/loadBalancer/servers/default--c-1/weight"] == "5"
    assert found[f"{S}/loadBalancer/sticky/cookie/name"] == found[f"{S}--own-host/loadBalancer/sticky/cookie/name"]


def test_a_service_whose_frontends_agree_says_what_they_say() -> None:
    found = keys(with_frontend(pass_host_header=False))
    assert found[f"{S}/loadBalancer/passHostHeader"] == "false"
    assert f"{S}--own-host/loadBalancer/passHostHeader" not in found


def test_two_servers_of_one_url_are_one() -> None:
    twice = (Server("c-1", "http", "10.42.0.1", 8080), Server("c-2", "http", "10.42.0.1", 8080))
    assert [path for path in keys(with_backend(servers=twice)) if path.endswith("/url")] == [
        f"{S}/loadBalancer/servers/default--c-1/url"
    ]


EVERYTHING = Frontend(
    "",
    parse_rule("Host:a.local;PathPrefixStrip:/p;AddPrefix:/n"),
    entry_points=("http", "https"),
    client_cert=ClientCert(pem=True),
    auth=Auth(BasicAuth((USER,))),
    whitelist=Whitelist(("10.0.0.0/8",)),
    redirect=Redirect("https"),
    errors=(ErrorPage("a", ("404",), "pages"), ErrorPage("b", ("500-599",), "pages", "/{status}")),
    rate_limit=RateLimit("client.ip", (("main", RateSet(10, 100, 200)),)),
    headers=Headers(allowed_hosts=("a.local",), ssl_redirect=True, frame_deny=True),
)
ALL = Route(
    "web-test",
    "proxy-test",
    (EVERYTHING, Frontend("pages", parse_rule("Host:b.local"), backend="pages")),
    (
        Backend(
            breaker="NetworkErrorRatio() > 0.5",
            sticky=True,
            max_conn=MaxConn(1),
            buffering=Buffering(retry="IsNetworkError() && Attempts() <= 2"),
            health_check=HealthCheck("/"),
            servers=(Server("c-1", "http", "10.42.0.1", 8080, 5),),
        ),
        Backend(segment="pages"),
    ),
)


def test_middlewares_stand_in_traefik_1s_order_and_what_answers_before_what_changes_the_path() -> None:
    order = (
        "error-a error-b allow redirect hosts ssl strip add headers cert auth breaker buffering retry conn rate-main"
    )
    found = keys(ALL)
    assert found[f"{R}/middlewares"] == ",".join(f"web-test__proxy-test--{what}" for what in order.split())


def test_each_router_has_middlewares_of_its_own_and_none_sends_tls_to_tls() -> None:
    found = keys(ALL)
    order = "error-a error-b allow redirect hosts strip add headers cert auth breaker buffering retry conn rate-main"
    assert found[f"{R}--tls/middlewares"] == ",".join(f"web-test__proxy-test--tls--{what}" for what in order.split())


def test_of_two_frontends_that_ask_for_the_same_the_first_is_written_as_in_traefik_1() -> None:
    """Traefik 3 would give the requests to either."""
    frontends = tuple(
        Frontend(segment, RULE, segment, entry_points=entry_points)
        for segment, entry_points in (("a", ("http",)), ("b", ("http", "https")), ("c", ("http",)))
    )
    same = replace(frontends[0], segment="d")  # it leads to the same servers
    route = replace(PLAIN, frontends=(*frontends, same), backends=tuple(Backend(segment=one) for one in "abc"))
    routers = {path.split("/")[2].removeprefix("web-test__proxy-test__") for path in keys(route) if "routers" in path}
    assert routers == {"a", "b--tls", "d"}
    assert [problem.did.rpartition("__")[2] for problem in of().losses(route)] == ["b", "c"]


# Error pages.


def page(backend: str) -> Route:
    return with_frontend(errors=(ErrorPage("x", ("404",), backend),))


def test_a_page_names_its_service_without_capitals() -> None:
    assert keys(page("Pages__shop"))[f"{M}--error-x/errors/service"] == ".50ages__shop"
    assert keys(ALL)[f"{M}--error-a/errors/service"] == "web-test__proxy-test__pages"


@pytest.mark.parametrize("backend", ["pages", "a__b__c__d", "a____b", "a__"])
def test_a_page_of_no_backend_is_refused(backend: str) -> None:
    with pytest.raises(ValueError, match=r"backend's name|escaped name"):
        keys(page(backend))


def laid(*routes: Route) -> tuple[dict[str, str], tuple[Problem, ...]]:
    verdicts = [Verdict(route.title, (), route=route) for route in routes]
    wishes, problems = lay_out(verdicts, of(), "default")
    return {path: value for wish in wishes.values() for path, value in wish.shared.items()}, problems


SHOP = replace(PLAIN, service="pages", stack="shop")


def test_a_page_of_a_service_that_is_published_stands() -> None:
    found, problems = laid(page("pages__shop"), SHOP)
    assert found[f"{M}--error-x/errors/service"] == "pages__shop"
    assert problems == ()


@pytest.mark.parametrize(
    "others",
    [(), (replace(SHOP, frontends=(replace(SHOP.frontends[0], pass_tls_cert=True),)),)],
    ids=["nobody's", "refused"],
)
def test_a_page_of_a_service_that_is_not_costs_the_page_alone(others: tuple[Route, ...]) -> None:
    found, problems = laid(page("pages__shop"), *others)
    assert found == keys(PLAIN)
    (problem,) = [one for one in problems if one.service == "proxy-test/web-test"]
    assert (problem.label, problem.value) == ("traefik.frontend.errors.x.backend", "pages__shop")
    assert problem.did == "left the page out"


# What is lost.


def lost(route: Route, target: Target = OLDEST) -> list[tuple[str, str]]:
    keys(route, target)  # it has entries
    problems = of(target).losses(route)
    assert problems == of(target).losses(route)
    return [(problem.label.removeprefix("traefik."), problem.value) for problem in problems]


FORWARD = Auth(ForwardAuth("http://a.local"), "X-User")


@pytest.mark.parametrize(
    ("route", "target", "named"),
    [
        (PLAIN, Target(), []),
        (with_rule("Path:/a"), Target(), [("frontend.rule", "Path:/a")]),
        (with_rule("Host:a;PathStrip:/a"), Target(), [("frontend.rule", "PathStrip:/a")]),
        (with_rule("Host:a;Query:a=b"), Target(), [("frontend.rule", "Query:a=b")]),
        (with_backend(method="drr"), Target(), [("backend.loadbalancer.method", "drr")]),
        (with_backend(tags=("a", "b")), Target(), [("tags", "a,b")]),
        (with_backend(sticky=True), Target(), [("backend.loadbalancer.stickiness", "true")]),
        (with_backend(sticky=True), Target((3, 3)), []),
        (
            with_backend(buffering=Buffering(retry="Attempts() <= 2")),
            Target(),
            [("backend.buffering.retryExpression", "Attempts() <= 2")],
        ),
        (with_backend(buffering=Buffering(retry="IsNetworkError() && Attempts() <= 2")), Target(), []),
        (
            with_frontend(client_cert=ClientCert(infos=("notAfter",))),
            Target(),
            [("frontend.passTLSClientCert.infos.notAfter", "true")],
        ),
        (with_frontend(auth=FORWARD), Target(), [("frontend.auth.headerField", "X-User")]),
        (with_frontend(auth=FORWARD), Target((3, 2)), []),
        (
            with_frontend(headers=Headers(ssl_redirect=True, ssl_temporary_redirect=True)),
            Target(),
            [("frontend.headers.SSLRedirect", "true"), ("frontend.headers.SSLTemporaryRedirect", "true")],
        ),
        (with_frontend(headers=Headers(ssl_redirect=True)), Target(entry_points=("http", "https")), []),
        (with_frontend(headers=Headers(ssl_redirect=True), entry_points=("http",)), Target(), []),
        (with_frontend(redirect=Redirect("https")), Target(), [("frontend.redirect.entryPoint", "https")]),
        (with_frontend(redirect=Redirect("https")), Target(entry_points=("https",)), []),
        (
            with_frontend(headers=Headers(custom_request=(("418", "secret"), ("Host", "secret")))),
            Target(),
            [("frontend.headers.customRequestHeaders", "")] * 2,
        ),
        (
            with_frontend(headers=Headers(custom_response=(("418", "secret"),))),
            Target(),
            [("frontend.headers.customResponseHeaders", "")],
        ),
        (
            with_backend(health_check=HealthCheck("/", headers=(("1", "secret"),))),
            Target(),
            [("backend.healthcheck.headers", "")],
        ),
    ],
)
def test_what_traefik_3_does_otherwise_is_said(route: Route, target: Target, named: list[tuple[str, str]]) -> None:
    assert lost(route, target) == named


def test_headers_that_cannot_be_written_leave_no_empty_middleware() -> None:
    assert keys(with_frontend(headers=Headers(custom_request=(("418", "x"), ("Host", "y"))))) == keys(PLAIN)


def test_a_forwarded_users_header_stands_where_traefik_knows_it() -> None:
    assert f"{M}--auth/forwardAuth/headerField" not in keys(with_frontend(auth=FORWARD))
    assert keys(with_frontend(auth=FORWARD), Target((3, 2)))[f"{M}--auth/forwardAuth/headerField"] == "X-User"


def test_what_a_whole_fleet_has_by_default_is_said_once() -> None:
    _, problems = laid(with_backend(method="drr"), replace(with_backend(method="drr"), service="other"))
    assert [problem.service for problem in problems] == [""]


@pytest.mark.parametrize(
    ("settings", "label", "value"),
    [
        ({"pass_tls_cert": True}, "frontend.passTLSCert", "true"),
        ({"whitelist": Whitelist(("::1",), True)}, "frontend.whiteList.useXForwardedFor", "true"),
        (
            {"auth": Auth(ForwardAuth("http://a.b", tls=ClientTls("/ca", True)))},
            "frontend.auth.forward.tls.caOptional",
            "true",
        ),
        ({"redirect": Redirect("http")}, "frontend.redirect.entryPoint", "http"),
        (
            {"redirect": Redirect(regex="a", replacement="{{.Host}}")},
            "frontend.redirect.replacement",
            "{{.Host}}",
        ),
        ({"headers": Headers(ssl_force_host=True, ssl_host="a")}, "frontend.headers.SSLForceHost", "true"),
        (
            {"headers": Headers(ssl_redirect=True, ssl_proxy_headers=(("X-Ssl", "secret"),))},
            "frontend.headers.SSLProxyHeaders",
            "",
        ),
        (
            {"headers": Headers(ssl_redirect=True, ssl_host="a", ssl_proxy_headers=(("X-Forwarded-Proto", "https"),))},
            "frontend.headers.SSLProxyHeaders",
            "",
        ),
        (
            {
                "headers": Headers(
                    allowed_hosts=("a",),
                    hosts_proxy_headers=("X-Forwarded-Host",),
                    custom_request=(("X-Forwarded-Host", "secret"),),
                )
            },
            "frontend.headers.hostsProxyHeaders",
            "X-Forwarded-Host",
        ),
    ],
)
def test_what_protects_and_cannot_be_said_costs_the_route(settings: dict[str, object], label: str, value: str) -> None:
    route = with_frontend(**settings)
    with pytest.raises(NoCounterpart) as refusal:
        keys(route)
    assert (refusal.value.label, refusal.value.value) == (f"traefik.{label}", value)
    wishes, (problem,) = lay_out([Verdict(route.title, (), route=route)], of(), "default")
    assert wishes == {}
    assert (problem.label, problem.value, problem.did) == (f"traefik.{label}", value, "published no route for traefik3")
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    "route",
    [
        with_frontend(entry_points=("a,b",)),
        with_frontend(auth=Auth(BasicAuth(("a,b:c",)))),
        with_rule("Path:/`"),
        replace(PLAIN, service="X" * 70),  # three letters each
        with_frontend(errors=(ErrorPage("X" * 70, ("404",), "a__b"),)),
        with_frontend(redirect=Redirect(regex="a", replacement="\ud800")),
    ],
)
def test_what_cannot_be_written_is_refused(route: Route) -> None:
    with pytest.raises(ValueError, match=r".+"):
        keys(route)


# Whose a key is, and what it does.

G = "web__shop"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (f"http/routers/{G}/service", Place(G, f"http/routers/{G}", Role.OPENS)),
        (f"http/routers/{G}/service/0", Place(G, f"http/routers/{G}", Role.OPENS)),
        (f"http/routers/{G}/rule", Place(G, f"http/routers/{G}", Role.RULE)),
        (f"http/routers/{G}/middlewares", Place(G, f"http/routers/{G}", Role.RULE)),
        (f"http/routers/{G}/middlewares/0", Place(G, f"http/routers/{G}", Role.RULE)),
        (f"http/routers/{G}/entryPoints", Place(G, f"http/routers/{G}", Role.PROTECTS)),
        (f"http/routers/{G}/tls", Place(G, f"http/routers/{G}", Role.PROTECTS)),
        (f"http/routers/{G}/tls/certResolver", Place(G, f"http/routers/{G}", Role.PROTECTS)),
        (f"http/routers/{G}/priority", Place(G, f"http/routers/{G}", Role.REST)),
        (f"http/routers/{G}", Place(G, f"http/routers/{G}", Role.REST)),
        (f"http/routers/{G}__seg--tls/service", Place(G, f"http/routers/{G}__seg--tls", Role.OPENS)),
        *(
            (
                f"http/middlewares/{G}--tls--{what}/x/y",
                Place(G, f"http/routers/{G}--tls", Role.PROTECTS, kind=f"http/middlewares/{G}--tls--{what}/x"),
            )
            for what in ("auth", "allow", "redirect", "hosts", "ssl")
        ),
        *(
            (
                f"http/middlewares/{G}__a--{what}/x/y",
                Place(G, f"http/routers/{G}__a", Role.REST, kind=f"http/middlewares/{G}__a--{what}/x"),
            )
            for what in ("error-auth", "rate-main", "headers", "cert", "strip", "strip-regex", "conn", "retry")
        ),
        (f"http/services/{G}/loadBalancer/passHostHeader", Place(G, f"http/services/{G}", Role.REST)),
        (f"http/services/{G}--own-host/loadBalancer/x", Place(G, f"http/services/{G}--own-host", Role.REST)),
        (
            f"http/services/{G}/loadBalancer/servers/east--c-1/url",
            Place(G, f"http/services/{G}/loadBalancer/servers/east--c-1", Role.SERVER, "east"),
        ),
        (
            f"http/services/{G}/loadBalancer/servers/mine/url",
            Place(G, f"http/services/{G}/loadBalancer/servers/mine", Role.REST),
        ),
        (
            "http/middlewares/zz-bridge/addPrefix/prefix",
            Place(STANDING, "http/middlewares/zz-bridge", Role.REST, kind="http/middlewares/zz-bridge/addprefix"),
        ),
        ("http/routers/mine/service", Place("http.routers.mine", "http/routers/mine", Role.OPENS)),
        (
            "http/middlewares/mine/headers/frameDeny",
            Place(
                "http.middlewares.mine",
                "http/middlewares/mine",
                Role.PROTECTS,
                kind="http/middlewares/mine/headers",
            ),
        ),
        ("tcp/routers/mine/service", Place("tcp.routers.mine", "tcp/routers/mine", Role.OPENS)),
        ("tcp/routers/mine/tls/passthrough", Place("tcp.routers.mine", "tcp/routers/mine", Role.PROTECTS)),
        (
            "tcp/middlewares/m/inFlightConn/amount",
            Place("tcp.middlewares.m", "tcp/middlewares/m", Role.PROTECTS, kind="tcp/middlewares/m/inflightconn"),
        ),
        ("tcp/services/s/loadBalancer/proxyProtocol", Place("tcp.services.s", "tcp/services/s", Role.REST)),
        ("udp/services/s/loadBalancer/servers", Place("udp.services.s", "udp/services/s", Role.REST)),
        (
            "udp/services/s/loadBalancer/servers/east--c-1/address",
            Place("udp.services.s", "udp/services/s/loadBalancer/servers/east--c-1", Role.SERVER, "east"),
        ),
        (
            "tls/stores/default/defaultGeneratedCert/resolver",
            Place("tls.stores.default", "tls/stores/default", Role.REST),
        ),
        # Traefik merges names that differ in case: such a key is one of ours to it.
        (f"HTTP/Routers/{G.upper()}/Rule", Place(G, f"http/routers/{G}", Role.RULE)),
        *(
            (path, None)
            for path in ("", "http", "http/routers", "http/routers/", f"tcp/routers/{G}/rule", "tls/options/x/y")
        ),
        *((path, None) for path in ("http/serversTransports/x/serverName", "http/models/x/tls", "frontends/a/b")),
    ],
)
def test_a_path_says_whose_it_is(path: str, place: Place | None) -> None:
    assert of().place(path) == place


def test_a_router_is_opened_by_its_service() -> None:
    assert of().opening(f"http/routers/{G}") == (f"http/routers/{G}/service",)
    assert of().opening(f"http/services/{G}") == ()


def test_all_keys_of_a_route_are_of_its_group_and_each_middlewares_of_its_router() -> None:
    for entry in of().entries(ALL, "default"):
        assert entry.place.group == "web-test__proxy-test"
        if entry.path.startswith("http/middlewares/"):
            assert f"{entry.place.holder}/service" in keys(ALL)
        elif entry.place.cluster is None:
            assert entry.path.startswith(entry.place.holder + "/")
        else:
            assert (entry.place.cluster, entry.place.role) == ("default", Role.SERVER)


def test_a_wish_tells_own_keys_apart_and_who_retires() -> None:
    others = Frontend("own", parse_rule("Host:b.local"), pass_host_header=False)
    route = replace(
        WEB, frontends=(*WEB.frontends, others), backends=(replace(WEB.backends[0], retiring=("c-9",)),), unchecked=True
    )
    wish = of().wish(route, "east")
    assert wish.group == "web-test__proxy-test"
    assert wish.title == "proxy-test/web-test"
    assert wish.unchecked
    assert {path.rpartition("/")[0] for path in wish.own} == {
        f"{S}{end}/loadBalancer/servers/east--{one}" for end in ("", "--own-host") for one in ("c-1", "c-2")
    }
    assert wish.retiring == {f"{S}{end}/loadBalancer/servers/east--c-9" for end in ("", "--own-host")}
    assert not wish.shared.keys() & wish.own.keys()


def test_hosts_of_rules_are_comparable() -> None:
    rule = translated(parse_rule("Host:a.b,c.d;PathPrefix:/"))
    found = of().hosts({f"{R}/rule": rule, f"{R}/middlewares": "Host(`x`)", "x/rule": "Host(`y`)"})
    assert found == {"a.b", "c.d"}


def test_the_sentinel_stands() -> None:
    assert of().standing() == {"http/middlewares/zz-bridge/addPrefix/prefix": "/"}


@pytest.mark.parametrize("kind", ["etcd", "consul"])
def test_no_key_begins_with_a_slash(kind: str) -> None:
    assert of().tree_prefix("/v3/traefik/", kind) == "v3/traefik/"
    with pytest.raises(ValueError, match="without a prefix"):
        of().tree_prefix("//", kind)


# The guard.


def entries(found: Mapping[str, str]) -> list[Entry]:
    return [Entry(path, value, "labels", Place("x", "y", Role.REST)) for path, value in found.items()]


def test_what_is_written_passes_the_guard() -> None:
    check(entries(keys(ALL)), (3, 0), ())


@pytest.mark.parametrize(
    ("gone", "more"),
    [
        ([f"{R}/rule"], {}),
        ([f"{R}/service"], {}),
        ([f"{R}/priority"], {}),
        ([f"{R}/middlewares"], {}),
        ([f"{S}/loadBalancer/passHostHeader"], {}),
        ([f"{S}/loadBalancer/servers/default--c-1/url"], {}),
        ([], {f"{S}/loadBalancer/servers/default--c-9/url": "http://10.42.0.1:8080"}),
        ([], {f"{M}--unused/addPrefix/prefix": "/"}),
        ([], {f"{R}--tls/middlewares": keys(ALL)[f"{R}/middlewares"]}),
        ([], {f"{M}--auth/headers/frameDeny": "true"}),
        ([], {f"{R}/priority": "high"}),
        ([], {f"{R}/nonsense": "x"}),
        ([], {f"{S}/loadBalancer/strategy": "p2c"}),
        ([], {f"{R}/service": "nobody__there"}),
        ([], {f"{M}--rate-main/rateLimit/period": "soon"}),
        ([], {f"{R}/rule": "Host:a.local"}),
        ([], {f"{M}--error-a/errors/service": "nobody__there"}),
    ],
)
def test_the_guard_lets_nothing_pass_that_is_not_whole(gone: list[str], more: dict[str, str]) -> None:
    found = {path: value for path, value in keys(ALL).items() if path not in gone} | more
    with pytest.raises(ValueError, match=r".+"):
        check(entries(found), (3, 0), ())


def test_one_path_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two values"):
        check(entries(keys(PLAIN)) * 2, (3, 0), ())


# Names of different services never meet.

parts = st.text(st.sampled_from("aA_-.1é"), min_size=1, max_size=4)
names = st.tuples(parts, parts, st.just("") | parts)


@given(names, names, st.sampled_from([("http",), ("https",), ("http", "https"), ()]))
def test_no_two_services_share_an_object(
    one: tuple[str, str, str], other: tuple[str, str, str], entry_points: tuple[str, ...]
) -> None:
    def objects(name: tuple[str, str, str]) -> set[str]:
        service, stack, segment = name
        frontends = (
            replace(EVERYTHING, segment=segment, errors=(), entry_points=entry_points),
            Frontend(f"{segment}x", RULE, pass_host_header=False),
        )
        found = of().entries(Route(service, stack, frontends, (Backend(),)), "default")
        assert {entry.place.group for entry in found} == {group_name(route_name(service, stack, capitals=False))}
        return {"/".join(entry.path.lower().split("/")[:3]) for entry in found}

    if one[:2] != other[:2]:
        assert not objects(one) & objects(other)
