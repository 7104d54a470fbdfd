"""What labels ask for, a real Traefik 3 does: real requests, by both stores, through the newest and the oldest.

All services are published once, together, for each Traefik: one that spoiled the tree would spoil it for all.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from threading import Thread

import pytest

from tests.proxied import Place, container, publication, seen, service, world, write
from tests.servers import ConsulServer, EtcdServer
from tests.traefik import NEWEST, OLDEST, Answer, TraefikServer, WebServer, running_traefik, until, web_servers
from tests.worlds.generate import Object

NOBODY = "127.0.1.99"  # an address at which nobody listens
BASIC = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"  # the password is test
DIGEST = "test:traefik:a2688e031edb4be6a3797f3882655c05"  # and here
CREDENTIALS = {"Authorization": "Basic dGVzdDp0ZXN0"}
WRONG = {"Authorization": "Basic dGVzdDp3cm9uZw=="}
PLAIN_AND_TLS = {"frontend.entryPoints": "web,websecure"}
COMBINATIONS = [(NEWEST, "etcd"), (NEWEST, "consul"), (OLDEST, "etcd")]


def services(web: dict[str, WebServer]) -> Iterator[Object]:
    """One for each thing that labels can ask for. Each is reached as NAME.shop.local where no rule is said."""
    port = str(web["one"].port)

    def made(name: str, *containers: Object, domain: str = "local", **labels: str) -> Object:
        at = containers or (container(web["one"], of=name),)
        told = {"enable": "true", "port": port, "domain": domain}
        return service(name, at, told | {label.replace("__", "."): value for label, value in labels.items()})

    def native(name: str, labels: dict[str, str], *containers: Object) -> Object:
        """In Traefik 1's vocabulary, which brings no breaker by default."""
        return made(name, *containers, **{"frontend.entryPoints": "web", **labels})

    def each(name: str) -> list[Object]:
        return [container(web[one], of=name) for one in ("one", "two", "three")]

    # Which requests
    yield made("plain", *each("plain"), domain="local,internal", alias="alt")
    yield made("pattern", domain__regexp="{sub:[a-z]+}.pattern.local")
    yield made("path", path="/login,/user/{id:[0-9]+}")
    yield made("path-strip", path__strip="/admin")
    yield made("prefix", path__prefix="/api")
    yield made("prefix-strip", path__prefix__strip="/files,/files/deep")
    yield made("four", path="/a", path__strip="/b", path__prefix="/c", path__prefix__strip="/d")
    for name, rule in {
        "strip-regex": "PathPrefixStripRegex:/v{n:[0-9]+}",
        "whole-regex": "PathStripRegex:/w{n:[0-9]+}/x",
        "add": "AddPrefix:/added",
        "replace": "ReplacePath:/fixed",
        "replace-regex": "ReplacePathRegex: ^/old/(.*) /new/$1",
        "method": "Method:POST,PUT",
        "header": "Headers:X-Kind,odd",
        "header-regexp": "HeadersRegexp:X-Kind,^od+$",
        "query": "Query:kind=odd",
        "query-regexp": "Query:id={n:[0-9]+}",
    }.items():
        yield native(name, {"frontend.rule": f"Host:{name}.shop.local;{rule}"})
    # Which of two
    yield native("long", {"frontend.rule": "Host:length.local;PathPrefix:/deep"})
    yield native("short", {"frontend.rule": "Host:length.local"}, container(web["two"], of="short"))
    yield native("weak", {"frontend.rule": "Host:priority.local;PathPrefix:/deep"})
    strong = {"frontend.rule": "Host:priority.local", "frontend.priority": "1000"}
    yield native("strong", strong, container(web["two"], of="strong"))
    # Which server
    yield made("sticky", *each("sticky"), sticky="true")
    heavy, light = container(web["one"], of="weights", weight="3"), container(web["two"], of="weights", weight="1")
    yield made("weights", heavy, light)
    yield made("none-healthy", container(web["one"], of="none-healthy", healthy=False))
    yield made("drained", weight="0")
    half = container(web["one"], of="half", weight="0"), container(web["two"], of="half")
    yield made("half", *half)
    segments = {"front.frontend.rule": "Host:front.local", "back.frontend.rule": "Host:back.local"}
    segments |= {"front.port": port, "back.port": port, "back.frontend.passHostHeader": "false"}
    yield native("segments", segments)
    # Who may
    asked = {"frontend.auth.basic.users": BASIC, "frontend.auth.basic.removeHeader": "true"}
    yield native("basic", asked | {"frontend.auth.headerField": "X-User"})
    yield native("digest", {"frontend.auth.digest.users": DIGEST})
    address = f"http://{web['guard'].address}:{port}/ask"
    forward = {"address": address, "authResponseHeaders": "X-Server"}
    yield native("forward", {f"frontend.auth.forward.{name}": value for name, value in forward.items()})
    yield native("inside", {"frontend.whiteList.sourceRange": "127.0.0.0/8"})
    yield native("outside", {"frontend.whiteList.sourceRange": "10.0.0.0/8,192.0.2.1"})
    yield native(
        "own-name", {"frontend.rule": "Host:a.names.local,b.names.local"} | _header("allowedHosts", "a.names.local")
    )
    # How many
    yield made("rate", ratelimit__enable="true", ratelimit__period="1000", ratelimit__average="1", ratelimit__burst="3")
    rates = {"extractorFunc": "request.header.X-Who", "rateSet.one.period": "1000s"}
    rates |= {"rateSet.one.average": "1", "rateSet.one.burst": "2"}
    yield native("rate-header", {f"frontend.rateLimit.{name}": value for name, value in rates.items()})
    yield native("conn", {"backend.maxconn.amount": "1"})
    yield native("size", {"backend.buffering.maxRequestBodyBytes": "10"})
    # Where to
    sent = {"regex": "^http://moved.shop.local/(.*)", "replacement": "http://new.local/$1", "permanent": "true"}
    yield native("moved", {f"frontend.redirect.{name}": value for name, value in sent.items()})
    yield native("to-tls", {"frontend.redirect.entryPoint": "websecure"})
    yield native("ssl", PLAIN_AND_TLS | _header("SSLRedirect", "true") | _header("STSSeconds", "100"))
    yield native("both", PLAIN_AND_TLS)
    yield native("secure", {"frontend.entryPoints": "websecure"})
    # What is changed
    custom = _header("customRequestHeaders", "X-Told:yes||X-Secret:")
    custom |= _header("customResponseHeaders", "X-Made:here||X-Server:") | _header("frameDeny", "true")
    yield native("headers", custom)
    page = {"status": "500-599", "backend": "pages", "query": "/page/{status}"}
    yield native("broken", {f"frontend.errors.main.{name}": value for name, value in page.items()})
    yield native("pages", {}, container(web["two"], of="pages"))
    # What fails
    yield native("breaker", {"backend.circuitbreaker.expression": "ResponseCodeRatio(500, 600, 0, 600) > 0.5"})
    yield native(
        "retried",
        {"backend.buffering.retryExpression": "IsNetworkError() && Attempts() <= 2"},
        *_one_dead(web, "retried"),
    )
    yield native("not-retried", {}, *_one_dead(web, "not-retried"))
    check = {"backend.healthcheck.path": "/health", "backend.healthcheck.interval": "300ms"}
    yield native("checked", check, *_one_dead(web, "checked"))


def _header(name: str, value: str) -> dict[str, str]:
    return {f"frontend.headers.{name}": value}


def _one_dead(web: dict[str, WebServer], of: str) -> tuple[Object, Object]:
    return container(web["one"], of=of), container(NOBODY, of=of)


@dataclass
class Stage:
    """A Traefik that reads what a sync published."""

    traefik: TraefikServer
    web: dict[str, WebServer]
    tree: dict[str, str]  # of Traefik 3, by path

    def get(self, name: str, path: str = "/", **more: object) -> Answer:
        """A request for a service of the stack."""
        return self.traefik.request(f"{name}.shop.local", path, **more)  # type: ignore[arg-type]

    def seen_path(self, name: str, path: str) -> str:
        """The path that a container sees; empty where the request reaches none."""
        return str(self.get(name, path).said.get("path", ""))


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda one: "-".join(one))
def stage(
    request: pytest.FixtureRequest,
    etcd_server: EtcdServer,
    consul_server: ConsulServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    which, store = request.param
    server = etcd_server if store == "etcd" else consul_server
    folder = tmp_path_factory.mktemp(f"{which}-{store}")
    with closing(publication(server)) as here, web_servers("one", "two", "three", "guard") as web:
        place = Place(here, ("--tls-entry-points", "websecure=8443"))
        place.sync(write(folder / "world.json", world([*services(web)])))
        with running_traefik(folder, store, server.endpoint, place.root, which=which) as traefik:
            until(lambda: len(traefik.objects("routers")) > 1)
            yield Stage(traefik, web, place.tree())


# What Traefik itself says


def test_every_service_has_its_routers_and_traefik_finds_no_fault(stage: Stage) -> None:
    expected = {str(one["name"]) for one in services(stage.web)}
    routers, middlewares = stage.traefik.objects("routers"), stage.traefik.objects("middlewares")
    assert {name.partition("__")[0] for name in routers} == expected
    assert {path.split("/")[2] for path in stage.tree if path.startswith("http/routers/")} == routers.keys()
    assert {path.split("/")[2] for path in stage.tree if path.startswith("http/middlewares/")} == middlewares.keys()
    faulty = {
        name: one
        for one_kind in (routers, middlewares, stage.traefik.objects("services"))
        for name, one in one_kind.items()
        if one["status"] != "enabled"
    }
    assert faulty == {}
    counts = stage.traefik.api("overview")["http"]
    assert {kind: (one["errors"], one["warnings"]) for kind, one in counts.items()} == dict.fromkeys(counts, (0, 0))
    assert [line for line in stage.traefik.log().splitlines() if re.search(r"\bERR\b|level=error", line)] == []


def test_every_router_has_the_priority_that_traefik_1_gives_it(stage: Stage) -> None:
    routers = stage.traefik.objects("routers")
    assert routers["strong__shop"]["priority"] == 1000
    assert routers["long__shop"]["priority"] == len("Host:length.local;PathPrefix:/deep")
    assert routers["short__shop"]["priority"] == len("Host:length.local")


# Which requests


@pytest.mark.parametrize("host", ["plain.shop.local", "plain.shop.internal", "alt.local", "PLAIN.shop.local"])
def test_each_host_is_answered_by_each_server(stage: Stage, host: str) -> None:
    assert set(seen(lambda: stage.traefik.request(host))) == {"one", "two", "three"}


@pytest.mark.parametrize("host", ["unknown.local", "plain.shop", "local", "1.pattern.local", "a.b.pattern.local"])
def test_unknown_hosts_get_404(stage: Stage, host: str) -> None:
    assert stage.traefik.request(host).status == 404


def test_hosts_may_be_patterns(stage: Stage) -> None:
    assert stage.traefik.request("any.pattern.local").server == "one"


@pytest.mark.parametrize(
    ("name", "path", "sees"),
    [
        ("path", "/login", "/login"),
        ("path", "/user/7", "/user/7"),
        ("path", "/user/x", ""),
        ("path", "/login/x", ""),
        ("path-strip", "/admin", "/"),
        ("path-strip", "/admin/x", ""),
        ("prefix", "/api/x?y=1", "/api/x?y=1"),
        ("prefix", "/", ""),
        ("prefix-strip", "/files/x", "/x"),
        ("prefix-strip", "/files/deep/x", "/x"),
        ("prefix-strip", "/other", ""),
        ("four", "/a", "/a"),
        ("four", "/b", "/"),
        ("four", "/c/x", "/c/x"),
        ("four", "/d/x", "/x"),
        ("four", "/e", ""),
        ("strip-regex", "/v12/x", "/x"),
        ("strip-regex", "/vx/x", ""),
        ("whole-regex", "/w12/x", "/"),
        ("whole-regex", "/w12/y", ""),
        ("add", "/x", "/added/x"),
        ("replace", "/x", "/fixed"),
        ("replace-regex", "/old/x", "/new/x"),
        ("replace-regex", "/x", "/x"),
        ("query", "/?kind=odd", "/?kind=odd"),
        ("query", "/?kind=even", ""),
        ("query-regexp", "/?id=12", "/?id=12"),
        ("query-regexp", "/?id=x1", ""),
    ],
)
def test_paths_and_queries_choose_and_the_container_sees_what_is_left(
    stage: Stage, name: str, path: str, sees: str
) -> None:
    """Empty: nobody sees the request."""
    assert stage.seen_path(name, path) == sees


def test_methods_choose(stage: Stage) -> None:
    assert [stage.get("method", method=one).status for one in ("GET", "POST", "PUT")] == [404, 200, 200]


@pytest.mark.parametrize("name", ["header", "header-regexp"])
def test_headers_choose(stage: Stage, name: str) -> None:
    asked: tuple[dict[str, str], ...] = ({}, {"X-Kind": "even"}, {"X-Kind": "odd"})
    assert [stage.get(name, headers=one).status for one in asked] == [404, 404, 200]


def test_the_longer_rule_wins_and_a_priority_wins_over_it(stage: Stage) -> None:
    assert stage.traefik.request("length.local", "/deep").server == "one"
    assert stage.traefik.request("length.local", "/else").server == "two"
    assert stage.traefik.request("priority.local", "/deep").server == "two"


# Which server


def cookie_of_traefik_1(backend: str) -> str:
    """The name that Traefik 1 makes for the cookie of a backend."""
    return "_" + hashlib.sha1(f"_TRAEFIK_BACKEND_{backend}".encode()).hexdigest()[:5]


def test_a_client_stays_with_its_server(stage: Stage) -> None:
    first = stage.get("sticky")
    cookie = first.headers["set-cookie"].partition(";")[0]
    assert cookie.partition("=")[0] == cookie_of_traefik_1("sticky__shop")
    assert seen(lambda: stage.get("sticky", headers={"Cookie": cookie})) == {first.server: 30}
    assert len(seen(lambda: stage.get("sticky"))) == 3


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_a_cookie_that_traefik_1_gave_leads_to_the_same_server(stage: Stage, name: str) -> None:
    """Its value there is the server's URL. The oldest Traefik 3 gives a cookie of its own instead, and says so."""
    server = stage.web[name]
    old = {"Cookie": f"{cookie_of_traefik_1('sticky__shop')}=http://{server.address}:{server.port}"}
    who = seen(lambda: stage.get("sticky", headers=old))
    if stage.traefik.which == OLDEST:
        assert "set-cookie" in stage.get("sticky", headers=old).headers
    else:
        assert who == {name: 30}


def test_servers_get_their_share_by_weight(stage: Stage) -> None:
    found = seen(lambda: stage.get("weights"), 40)
    assert set(found) == {"one", "two"}
    assert 28 <= found["one"] <= 32


def test_a_server_of_weight_0_gets_nothing(stage: Stage) -> None:
    assert seen(lambda: stage.get("half")) == {"two": 30}


@pytest.mark.parametrize("name", ["none-healthy", "drained"])
def test_a_service_without_servers_answers_503(stage: Stage, name: str) -> None:
    assert stage.get(name).status == 503


def test_segments_pass_the_host_on_or_do_not(stage: Stage) -> None:
    one = stage.web["one"]
    assert stage.traefik.request("front.local").said["host"] == "front.local"
    assert stage.traefik.request("back.local").said["host"] == f"{one.address}:{one.port}"


# Who may


def test_only_who_has_the_password_passes_and_the_container_learns_who_but_not_the_password(stage: Stage) -> None:
    for headers in ({}, WRONG):
        refused = stage.get("basic", headers=headers)
        assert (refused.status, refused.server) == (401, "")
    passed = stage.get("basic", headers=CREDENTIALS)
    assert passed.status == 200
    assert passed.said["headers"]["x-user"] == "test"
    assert "authorization" not in passed.said["headers"]


def test_a_digest_lets_in_who_knows_the_password(stage: Stage) -> None:
    refused = stage.get("digest")
    assert refused.status == 401
    told = dict(re.findall(r'(\w+)="?([^",]*)', refused.headers["www-authenticate"]))
    assert stage.get("digest", headers=answer_of_digest(told, "wrong")).status == 401
    assert stage.get("digest", headers=answer_of_digest(told, "test")).status == 200


def answer_of_digest(told: dict[str, str], password: str) -> dict[str, str]:
    """The header with which a client answers what Traefik asked, for GET /."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    secret, what = md5(f"test:{told['realm']}:{password}"), md5("GET:/")
    response = md5(f"{secret}:{told['nonce']}:00000001:abc:auth:{what}")
    said = {"username": "test", "realm": told["realm"], "nonce": told["nonce"], "uri": "/", "cnonce": "abc"}
    said |= {"response": response, "opaque": told["opaque"]}
    quoted = ", ".join(f'{name}="{value}"' for name, value in said.items())
    return {"Authorization": f"Digest {quoted}, qop=auth, nc=00000001, algorithm=MD5"}


def test_another_server_is_asked_who_may_pass(stage: Stage) -> None:
    refused = stage.get("forward")
    assert (refused.status, refused.server) == (401, "guard")
    passed = stage.get("forward", headers={"X-Pass": "please"})
    assert (passed.status, passed.server) == (200, "one")
    assert passed.said["headers"]["x-server"] == "guard"


def test_only_listed_addresses_pass(stage: Stage) -> None:
    assert stage.get("inside").status == 200
    assert stage.get("outside").status == 403
    assert stage.get("outside", headers={"X-Forwarded-For": "10.0.0.1"}).status == 403


def test_only_listed_names_pass(stage: Stage) -> None:
    assert stage.traefik.request("a.names.local").status == 200
    assert stage.traefik.request("b.names.local").status == 500


# How many


def test_who_asks_too_often_gets_429(stage: Stage) -> None:
    assert Counter(stage.get("rate").status for _ in range(6)) == {200: 3, 429: 3}


def test_requests_are_counted_by_what_the_label_says(stage: Stage) -> None:
    def counts(who: str) -> Counter[int]:
        return Counter(stage.get("rate-header", headers={"X-Who": who}).status for _ in range(4))

    assert counts("anna") == {200: 2, 429: 2}
    assert counts("otto") == {200: 2, 429: 2}


def test_only_so_many_requests_at_a_time(stage: Stage) -> None:
    got: list[int] = []
    one = stage.web["one"]
    first = Thread(target=lambda: got.append(stage.get("conn", "/hold").status), daemon=True)
    first.start()
    until(lambda: one.holding == 1)
    assert stage.get("conn").status == 429
    one.go_on()
    first.join(60)
    assert got == [200]
    assert until(lambda: stage.get("conn").status, lambda status: status == 200)


def test_too_large_a_request_gets_413(stage: Stage) -> None:
    assert stage.get("size", method="POST", body=b"x" * 10).said["body"] == 10
    assert stage.get("size", method="POST", body=b"x" * 11).status == 413


# Where to


def location(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.headers.get("location", "")


def test_clients_are_sent_elsewhere(stage: Stage) -> None:
    assert location(stage.get("moved", "/x?y=1")) == (301, "http://new.local/x?y=1")


def test_clients_are_sent_to_another_entry_point_at_the_port_that_they_use(stage: Stage) -> None:
    assert location(stage.get("to-tls", "/x")) == (302, "https://to-tls.shop.local:8443/x")


def test_clients_are_sent_to_https_and_stay_there(stage: Stage) -> None:
    assert location(stage.get("ssl", "/x")) == (301, "https://ssl.shop.local/x")
    secure = stage.get("ssl", "/x", tls=True)
    assert (secure.status, secure.headers["strict-transport-security"]) == (200, "max-age=100")


def test_a_service_answers_at_the_entry_points_that_it_asks_for(stage: Stage) -> None:
    assert [stage.get("both", tls=tls).status for tls in (False, True)] == [200, 200]
    assert [stage.get("secure", tls=tls).status for tls in (False, True)] == [404, 200]


# What is changed


def test_headers_are_set_and_taken_away(stage: Stage) -> None:
    answer = stage.get("headers", headers={"X-Secret": "s", "X-Told": "no"})
    assert answer.said["headers"]["x-told"] == "yes"
    assert "x-secret" not in answer.said["headers"]
    assert answer.headers["x-made"] == "here"
    assert "x-server" not in answer.headers
    assert answer.headers["x-frame-options"] == "DENY"


def test_errors_are_answered_with_another_services_page(stage: Stage) -> None:
    answer = stage.get("broken", "/status/503")
    assert (answer.status, answer.server, answer.said["path"]) == (503, "two", "/page/503")
    assert stage.get("broken", "/status/404").server == "one"


# What fails


def test_a_breaker_opens_when_its_server_fails(stage: Stage) -> None:
    assert stage.get("breaker").server == "one"

    def answered() -> Answer:
        for _ in range(5):
            stage.get("breaker", "/status/500")
        return stage.get("breaker")

    assert until(answered, lambda answer: answer.status == 503).server == ""


def test_a_request_that_no_server_took_is_sent_again(stage: Stage) -> None:
    assert {stage.get("not-retried").status for _ in range(10)} == {200, 502}
    assert Counter(stage.get("retried").status for _ in range(30)) == {200: 30}


def test_a_server_that_fails_traefiks_own_check_gets_nothing(stage: Stage) -> None:
    def statuses() -> Counter[int]:
        return Counter(stage.get("checked").status for _ in range(10))

    until(statuses, lambda found: found == {200: 10})
