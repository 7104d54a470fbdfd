"""From a Rancher document to a Traefik's answers: what the labels ask for is what the recorded Traefik makes of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from bridge.labels.read import read
from bridge.labels.table import TABLE, Row
from bridge.labels.types import MOST, Publish
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.keys import STANDING
from bridge.model.route import Route
from bridge.sources.document import snapshot
from tests.golden_reader import Configuration, Store, configuration, verdict
from tests.publishing import keys

SAMPLES = Path(__file__).parent / "samples"
PREFIX = "/traefik"
SHOP = "10.42.0."


@cache
def tree(sample: str) -> dict[str, str]:
    """What stands in etcd after a sync of the sample, by whole key."""
    data = (SAMPLES / f"{sample}.stacks.json").read_bytes()
    return {f"{PREFIX}/{path}": value for path, value in keys(snapshot(data, sample)).items()}


@cache
def traefik(sample: str) -> Configuration:
    """What a Traefik that reads it serves."""
    found = configuration(tree(sample), PREFIX, Store.ETCD)
    assert isinstance(found, Configuration)
    return found


@pytest.mark.parametrize("sample", ["web-test", "mixed", "real"])
def test_nothing_of_a_sample_freezes_kills_or_misleads_traefik(sample: str) -> None:
    assert verdict(tree(sample), PREFIX, Store.ETCD) == "ok"


@pytest.mark.parametrize(
    ("sample", "frontends"),
    [
        ("web-test", {"web-test__proxy-test"}),
        (
            "mixed",
            {
                "aliased__shop",
                "as-stack__shop",
                "ext-host__shop",
                "ext-ip__shop",
                "lb__shop",
                "no-check__shop",
                "no-domain__shop",
                "paths__shop",
                "paths__shop__path.2eprefix.2estrip",
                "plain__shop",
                "regexp__shop",
                "tuned__shop",
                "two-domains__shop",
                "wordpress__blog",
            },
        ),
        ("real", {"backend__apix", "client__apix", "cloud9-sdk__cloud9", "kibana__elk", "redmine__redmine"}),
    ],
)
def test_exactly_the_services_that_ask_for_it_have_a_frontend(sample: str, frontends: set[str]) -> None:
    """And the backstop. Labels that only other Traefiks know, or that are not known yet, open nothing."""
    assert set(traefik(sample).frontends) == {*frontends, STANDING}


@pytest.mark.parametrize(
    ("sample", "url", "servers"),
    [
        ("web-test", "web-test.proxy-test.local/", [f"http://{SHOP}{n}:8080" for n in (11, 12, 13)]),
        ("mixed", "plain.shop.local/any/Path", [f"http://{SHOP}{n}:8080" for n in (11, 12)]),
        ("mixed", "two-domains.shop.local/", [f"http://{SHOP}{n}:8080" for n in (13, 14)]),
        ("mixed", "two-domains.shop.internal/", [f"http://{SHOP}{n}:8080" for n in (13, 14)]),
        ("mixed", "aliased.shop.local/", [f"http://{SHOP}{n}:8080" for n in (15, 16)]),
        ("mixed", "www.local/", [f"http://{SHOP}{n}:8080" for n in (15, 16)]),
        ("mixed", "shop2.local/", [f"http://{SHOP}{n}:8080" for n in (15, 16)]),
        ("mixed", "shop.example.com/", [f"http://{SHOP}{n}:8080" for n in (15, 16)]),
        ("mixed", "shop.local/", [f"http://{SHOP}{n}:8080" for n in (17, 18)]),
        ("mixed", "paths.shop.local/One", [f"http://{SHOP}{n}:8080" for n in (19, 20)]),
        ("mixed", "paths.shop.local/two", [f"http://{SHOP}{n}:8080" for n in (19, 20)]),
        ("mixed", "abc.example.com/", [f"http://{SHOP}{n}:8080" for n in (21, 22)]),
        ("mixed", "regexp.shop/", [f"http://{SHOP}{n}:8080" for n in (21, 22)]),
        ("mixed", "tuned.shop.local/", [f"https://{SHOP}{n}:8443" for n in (23, 24)]),
        ("mixed", "no-domain.shop/", [f"http://{SHOP}{n}:8080" for n in (25, 26)]),
        ("mixed", "wordpress.blog.local/", [f"http://{SHOP}{n}:8080" for n in (33, 35)]),
        ("mixed", "lb.shop.local/", [f"http://{SHOP}37:8080"]),
        ("mixed", "ext-ip.shop.local/", ["http://203.0.113.10:8080", "http://203.0.113.11:8080"]),
        ("mixed", "ext-host.shop.local/", ["http://legacy.example.org:8080"]),
        ("real", "redmine.redmine.example.net/", [f"http://{SHOP}{n}:80" for n in (76, 77)]),
        ("real", "redmine.example.net/", [f"http://{SHOP}{n}:80" for n in (76, 77)]),
        ("real", "cloud9.dev.local/", [f"http://{SHOP}{n}:8080" for n in (80, 81)]),
        ("real", "elk.example.net/", [f"http://{SHOP}{n}:5601" for n in (84, 85)]),
        ("real", "logs.example.net/", [f"http://{SHOP}{n}:5601" for n in (84, 85)]),
    ],
)
def test_a_request_reaches_the_healthy_servers_of_its_service(sample: str, url: str, servers: list[str]) -> None:
    host, _, path = url.partition("/")
    answer = traefik(sample).answer(host, f"/{path}")
    assert (answer.status, answer.servers, answer.path) == (200, frozenset(servers), f"/{path}")


def test_a_stripped_prefix_is_not_seen_by_the_server() -> None:
    answer = traefik("mixed").answer("paths.shop.local", "/api/items")
    assert answer.servers == {f"http://{SHOP}19:8080", f"http://{SHOP}20:8080"}
    assert answer.path == "/items"


@pytest.mark.parametrize(
    ("host", "path"),
    [
        pytest.param("nobody.example", "/", id="an unknown host"),
        pytest.param("disabled.shop.local", "/", id="a service that is not enabled"),
        pytest.param("alias.shop.local", "/", id="an alias of other services"),
        pytest.param("no-check.shop.local", "/", id="a service without a health check"),
        pytest.param("paths.shop.local", "/", id="a path that its service does not ask for"),
        pytest.param("paths.shop.local", "/one", id="a path in another case"),
        pytest.param("123.example.com", "/", id="a host that the pattern does not match"),
    ],
)
def test_whatever_nobody_serves_is_answered_with_503(host: str, path: str) -> None:
    """By the backstop, or by a service's own empty backend: never by another service's servers."""
    answer = traefik("mixed").answer(host, path)
    assert (answer.status, answer.servers) == (503, frozenset())


def test_each_setting_of_a_tuned_service_arrives() -> None:
    found = traefik("mixed")
    frontend, backend = found.frontends["tuned__shop"], found.backends["tuned__shop"]
    assert (frontend.priority, frontend.pass_host_header) == (20, False)
    assert frontend.ratelimit is not None
    assert frontend.ratelimit.extractor_func == "client.ip"
    assert [(one.period, one.average, one.burst) for one in frontend.ratelimit.rate_set.values()] == [
        (5_000_000_000, 100, 200)
    ]
    assert {server.weight for server in backend.servers.values()} == {3}
    assert backend.load_balancer.method == "wrr"
    assert backend.circuit_breaker is not None
    assert backend.circuit_breaker.expression == "LatencyAtQuantileMS(50.0) > 100"
    answer = found.answer("tuned.shop.local", "/")
    assert answer.cookie
    assert answer.host == f"{SHOP}23:8443"


def test_a_service_that_asks_for_nothing_has_the_defaults_of_the_original() -> None:
    found = traefik("mixed")
    frontend, backend = found.frontends["plain__shop"], found.backends["plain__shop"]
    assert (frontend.priority, frontend.pass_host_header, frontend.ratelimit) == (0, True, None)
    assert {server.weight for server in backend.servers.values()} == {5}
    assert backend.load_balancer.method == "drr"
    assert backend.circuit_breaker is not None
    assert backend.circuit_breaker.expression == "NetworkErrorRatio() > 0.5"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("text", [str(MOST), str(-MOST), "0", "1", "true", "example"])
def test_no_value_of_a_label_costs_the_route_only_when_it_is_laid_out(row: Row, text: str) -> None:
    """By then it would look like a fault of the bridge, and no default could stand in for it."""
    name = row.name.replace("<name>", "inner")
    labels = {"traefik.ratelimit.enable": "true", name: row.example if text == "example" else text}
    asked = read("shop/web", "web", "shop", Publish.SERVICE, {"traefik.port": "80"} | labels)
    if not asked.refusals:
        assert asked.frontends
        TRAEFIK1.entries(Route("web", "shop", asked.frontends, (asked.pools[0].backend,)), "default")
    else:
        gates = {row.gate, "rule"} if row.sets.startswith("path") else {row.gate, "protection"}
        assert {refusal.gate for refusal in asked.refusals} <= gates
