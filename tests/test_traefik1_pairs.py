"""What the bridge writes comes to what the real Traefik made of a recorded tree with the same settings.

The model of Traefik that is asked here is held against the same recordings (test_golden_reader.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bridge.layouts.traefik1 import TRAEFIK1
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
from tests.golden_reader import Answer, Configuration, Reply, Store, configuration
from tests.golden_reader.objects import Json
from tests.golden_reader.urls import Url

GOLDEN = Path(__file__).parent / "golden" / "traefik1"

RULE = Rule((Matcher(Kind.HOST, ("f.local",)),))
SERVER = Server("s1", "http", "127.0.0.1", 18751)
CANARY = Route(
    "canary",
    "x",
    (Frontend("", Rule((Matcher(Kind.HOST, ("canary.local",)),))),),
    (Backend(servers=(Server("c", "http", "127.0.0.1", 18750),)),),
)
USER = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"


def asked(**settings: object) -> Route:
    """A service with one frontend that asks for these settings."""
    frontend = Frontend("", RULE, **settings)  # type: ignore[arg-type]  # whatever a pair names
    return Route("f", "s", (frontend,), (Backend(servers=(SERVER,)),))


def behind(**settings: object) -> Route:
    """A service whose backend asks for these settings."""
    backend = Backend(servers=(SERVER,), **settings)  # type: ignore[arg-type]  # whatever a pair names
    return Route("f", "s", (Frontend("", RULE),), (backend,))


def with_rule(*matchers: Matcher) -> Route:
    return Route("f", "s", (Frontend("", Rule(matchers)),), (Backend(servers=(SERVER,)),))


def limit(extractor: str, **sets: RateSet) -> Route:
    return asked(rate_limit=RateLimit(extractor, tuple(sorted(sets.items()))))


def forward(path: str, **settings: object) -> Route:
    address = f"http://127.0.0.1:18752{path}"
    return asked(auth=Auth(ForwardAuth(address, **settings)))  # type: ignore[arg-type]  # whatever a pair names


HOST = RULE.matchers[0]
PAIRS: Mapping[str, Route] = {
    "101-maxconn-header": behind(max_conn=MaxConn(10, "request.header.X-Key")),
    "102-maxconn-only-amount": behind(max_conn=MaxConn(5)),
    "110-hc-path-only": behind(health_check=HealthCheck("/health")),
    "111-hc-failing": behind(health_check=HealthCheck("/status/503", 1)),
    "117-hc-port-wrong": behind(health_check=HealthCheck("/health", port=18799)),
    "122-buffering-full": behind(
        buffering=Buffering(10485760, 2097152, 10485760, 2097152, "IsNetworkError() && Attempts() <= 2")
    ),
    "123-buffering-limit": behind(buffering=Buffering(10)),
    "126-buffering-retry-method-raw-string": behind(
        buffering=Buffering(retry="RequestMethod() == `GET` && Attempts() < 2")
    ),
    "175-ep-comma": asked(entry_points=("http", "other")),
    "177-ep-other-only": asked(entry_points=("other",)),
    "186-whitelist-deny": asked(whitelist=Whitelist(("10.9.9.9", "fd00::/8"))),
    "192-redirect-entrypoint-permanent": asked(redirect=Redirect("https", permanent=True)),
    "193-redirect-entrypoint-same": asked(redirect=Redirect("http")),
    "195-redirect-regex-port": asked(
        redirect=Redirect(regex="^http://f[.]local:[0-9]+/(.*)", replacement="http://new.local/$1")
    ),
    "201-errors": asked(errors=(ErrorPage("net", ("500-599", "404"), "canary__x", "/page-{status}"),)),
    "210-ratelimit": limit("client.ip", main=RateSet(60, 1, 3)),
    "211-ratelimit-two-sets": limit("request.host", a=RateSet(60, 100, 100), z=RateSet(90, 1, 2)),
    "222-passtlscert-https": asked(pass_tls_cert=True, entry_points=("https",)),
    "223-pctc-pem": asked(client_cert=ClientCert(pem=True), entry_points=("https",)),
    "226-pctc-subject-fills-issuer": asked(client_cert=ClientCert(infos=("subject.commonName",))),
    "239-headers-custom": asked(
        headers=Headers(
            custom_request=(("x-req", "one, two: three"), ("X-Gone", "")),
            custom_response=(("X-Resp", "it's <b>;="), ("X-App", "")),
        )
    ),
    "242-headers-ssl-redirect": asked(headers=Headers(ssl_redirect=True)),
    "243-headers-ssl-redirect-temp": asked(
        headers=Headers(ssl_redirect=True, ssl_temporary_redirect=True, ssl_host="secure.local", ssl_force_host=True)
    ),
    "245-headers-allowedhosts-deny": asked(headers=Headers(allowed_hosts=("g.local",))),
    "251-headers-name-underscore": asked(headers=Headers(custom_request=(("x_foo", "v"),))),
    "252-headers-value-escapes": asked(headers=Headers(custom_response=(("X-V", 'a"b\\cé\td'),))),
    "254-auth-basic": asked(auth=Auth(BasicAuth((USER,)), "X-WebAuth-User")),
    "255-auth-basic-removeheader": asked(auth=Auth(BasicAuth((USER,), remove_header=True))),
    "257-auth-basic-sha-bcrypt": asked(auth=Auth(BasicAuth(("test:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=",)))),
    "263-auth-digest": asked(
        auth=Auth(DigestAuth(("test:traefik:a2688e031edb4be6a3797f3882655c05",), remove_header=True), "X-WebAuth-User")
    ),
    "267-auth-forward-deny": forward("/status/401"),
    "270-auth-forward-tls": forward("/ok", tls=ClientTls(ca_optional=True, skip_verify=True)),
    "307-rule-headers-two": with_rule(Matcher(Kind.HEADERS, ("X-A", "1", "X-B", "2"))),
    "313-rule-query-regex": with_rule(Matcher(Kind.QUERY, ("a={v:[0-9]+}",))),
    "316-rule-addprefix": with_rule(HOST, Matcher(Kind.ADD_PREFIX, ("/pre",))),
    "318-rule-replacepathregex": with_rule(HOST, Matcher(Kind.REPLACE_PATH_REGEX, ("^/api/v2/(.*) /api/$1",))),
}
# The same to every request, in other words: what the deprecated key says, and what is switched off anyway.
SAME_ANSWERS: Mapping[str, Route] = {
    "246-headers-isdevelopment": asked(
        headers=Headers(allowed_hosts=("g.local",), ssl_redirect=True, is_development=True)
    ),
    "258-auth-basic-deprecated": asked(auth=Auth(BasicAuth((USER,)))),
}


def upstream(server: Url, path: str) -> Reply:
    """The servers of the recordings: a path may ask for a status."""
    if server.port not in ("18750", "18751", "18752", "18753"):
        return Reply(502, None)
    status = int(path.removeprefix("/status/")) if path.startswith("/status/") else 200
    return Reply(status, f"http://127.0.0.1:{server.port}")


@dataclass(frozen=True)
class Recorded:
    """A tree, what became of it, and the requests that were sent."""

    api: Mapping[str, Json]
    configuration: Configuration
    requests: tuple[Mapping[str, Json], ...]


def recorded(name: str) -> Recorded:
    read = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    found = configuration(read["kv"], read["prefix"], Store(read["store"]))
    assert isinstance(found, Configuration)
    return Recorded(read["api"], found, tuple(read["requests"]))


def written(*routes: Route) -> Configuration:
    """What Traefik makes of all that leaves for these routes."""
    entries = [entry for route in routes for entry in TRAEFIK1.entries(route, "c1")]
    found = configuration({f"/traefik/{entry.path}": entry.value for entry in entries}, "/traefik", Store.ETCD)
    assert isinstance(found, Configuration)
    assert found.verdict == "ok"
    return found


def answered(traefik: Configuration, request: Mapping[str, Json]) -> Answer:
    """What comes of a recorded request, without the names that only its own tree gives."""
    headers, body = request.get("headers", {}), request.get("body_bytes", 0)
    assert isinstance(headers, dict)
    assert isinstance(body, int)
    answer = traefik.answer(
        str(request["host"]),
        str(request["path"]),
        str(request.get("method", "GET")),
        {name: str(value) for name, value in headers.items()},
        str(request.get("entrypoint", "http")),
        body,
        upstream,
    )
    return replace(answer, frontend="", protections=frozenset())


def shown(api: Mapping[str, Json], kind: str, name: str) -> Json:
    """A frontend or a backend as the API shows it, without the names that only its own tree gives."""
    found = api[kind]
    assert isinstance(found, dict)
    one = found[name]
    assert isinstance(one, dict)
    kept: dict[str, Json] = {key: value for key, value in one.items() if key != "backend"}
    for objects in ("routes", "servers"):
        inner = kept.pop(objects, {})
        assert isinstance(inner, dict)
        kept[objects] = list(inner.values())
    # Our own names of what a recording calls otherwise; and Go's form of a header's name.
    text = json.dumps(kept).replace("canary__x", "canary").replace("X-WebAuth-User", "X-Webauth-User")
    plain: Json = json.loads(text)
    return plain


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_written_comes_to_the_recorded_configuration(name: str) -> None:
    theirs, ours = recorded(name).api, written(PAIRS[name], CANARY).api()
    assert shown(ours, "frontends", "f__s") == shown(theirs, "frontends", "f")
    assert shown(ours, "backends", "f__s") == shown(theirs, "backends", "b")


@pytest.mark.parametrize("name", [*PAIRS, *SAME_ANSWERS])
def test_what_is_written_answers_as_the_recorded_tree(name: str) -> None:
    theirs, ours = recorded(name), written({**PAIRS, **SAME_ANSWERS}[name], CANARY)
    for request in theirs.requests:
        assert answered(ours, request) == answered(theirs.configuration, request)


def test_segments_lead_each_to_its_own_backend_as_recorded() -> None:
    host = Matcher(Kind.HOST, ("web.shop.local",))
    admin = Rule((host, Matcher(Kind.PATH_PREFIX, ("/admin",))))
    route = Route(
        "web",
        "shop",
        (
            Frontend("admin", admin, "admin", auth=Auth(BasicAuth((USER,)))),
            Frontend("http", Rule((host,)), "http"),
        ),
        (
            Backend(segment="admin", servers=(Server("aaa", "http", "127.0.0.1", 18752),)),
            Backend(segment="http", servers=(Server("aaa", "http", "127.0.0.1", 18751),)),
        ),
    )
    theirs, ours = recorded("235-segments-like").api, written(route).api()
    for segment in ("admin", "http"):
        for kind in ("frontends", "backends"):
            assert shown(ours, kind, f"web__shop__{segment}") == shown(theirs, kind, f"web__shop--{segment}")


def test_a_development_frontend_is_written_without_what_that_switches_off() -> None:
    """The key itself would take protection away by being there, which nothing that orders changes knows of."""
    everything = Headers(
        allowed_hosts=("a.local",),
        ssl_redirect=True,
        ssl_host="b.local",
        ssl_force_host=True,
        ssl_temporary_redirect=True,
        ssl_proxy_headers=(("X-P", "https"),),
        sts_seconds=1,
        sts_include_subdomains=True,
        sts_preload=True,
        force_sts_header=True,
        public_key="pk",
        frame_deny=True,
        is_development=True,
    )
    paths = [entry.path for entry in TRAEFIK1.entries(asked(headers=everything), "c1")]
    found = [re.sub(".*/headers/", "", path) for path in paths if "/headers/" in path]
    assert found == ["framedeny", "sslforcehost", "sslhost", "ssltemporaryredirect"]
