"""Routes are read back from Traefik 1's tree, whoever wrote it, and nothing of them is guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.labels.read import read
from bridge.labels.types import Publish, header_name
from bridge.layouts.headers import counting
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_back import Back, Tree, read_back
from bridge.layouts.traefik1_labels import BESIDE, ROWS
from bridge.layouts.traefik1_reads import READ, As
from bridge.model.keys import escape
from bridge.model.problem import Problem
from bridge.model.route import Headers, Kind, Route, Server
from tests.odd_labels import label_sets
from tests.test_label_pairs import RECORDINGS, verdicts
from tests.test_traefik1_layout import odd_routes, routes
from tests.test_traefik1_pairs import PAIRS

GOLDEN = Path(__file__).parent / "golden" / "traefik1"
TREES = sorted(GOLDEN.glob("*.json"))
MINIMAL = {
    "frontends/frontend1/backend": "backend1",
    "frontends/frontend1/routes/r/rule": "Host:a.local",
    "backends/backend1/servers/s/url": "http://10.0.0.1:8080",
}


def tree(*of: Route, cluster: str = "c1") -> dict[str, str]:
    """The keys that the bridge writes for these routes."""
    return {entry.path: entry.value for route in of for entry in TRAEFIK1.entries(route, cluster)}


def one(keys: Mapping[str, str], cluster: str = "c1") -> Back:
    (found,) = read_back(keys, cluster).routes
    return found


def in_order(route: Route) -> Route:
    """The route as its keys tell it: in their order, and without what is in no key."""
    frontends = (
        replace(
            frontend,
            headers=canonical(counting(frontend.headers)),
            auth=frontend.auth and replace(frontend.auth, header_field=written(frontend.auth.header_field)),
            errors=tuple(sorted(frontend.errors, key=lambda page: page.name)),
        )
        for frontend in route.frontends
    )
    backends = (replace(backend, servers=distinct(backend.servers), retiring=()) for backend in route.backends)
    return replace(
        route,
        frontends=tuple(sorted(frontends, key=lambda frontend: escape(frontend.segment))),
        backends=tuple(sorted(backends, key=lambda backend: escape(backend.segment))),
        unchecked=False,
    )


def canonical(headers: Headers) -> Headers:
    return replace(
        headers,
        custom_request=tuple(sorted((written(name), value) for name, value in headers.custom_request)),
        custom_response=tuple(sorted((written(name), value) for name, value in headers.custom_response)),
        is_development=False,
    )


def written(header: str) -> str:
    """A header's name as it stands in a key."""
    return header_name(header) if header else ""


def distinct(servers: tuple[Server, ...]) -> tuple[Server, ...]:
    """As the layout has it: of those that share a url the first."""
    first: dict[tuple[str, str, int], Server] = {}
    for server in servers:
        first.setdefault((server.scheme, server.host, server.port), server)
    return tuple(sorted(first.values(), key=lambda server: server.identity))


def told(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    return [(problem.label, problem.reason) for problem in problems if not problem.notice]


# What the bridge wrote.


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_what_recorded_labels_ask_for_is_read_back_from_its_keys(path: Path) -> None:
    asked = [verdict.route for verdict in verdicts(path) if verdict.route]
    found = {back.title: back.route for back in read_back(tree(*asked), "c1").routes}
    assert found == {route.title: in_order(route) for route in asked}


# Of two segments the first in letters is the second in keys.
ODD_ORDER = {f"traefik.{name}.frontend.rule": "Host:shop.example.org" for name in ("admin", "Ä b")}

# A tabulator in a header, which no label can ask for.
NOT_SO = {"252-headers-value-escapes"}


@pytest.mark.parametrize("name", sorted(PAIRS.keys() - NOT_SO))
def test_the_route_of_each_recorded_setting_is_read_back(name: str) -> None:
    found = one(tree(PAIRS[name]))
    assert (found.route, told(found.problems)) == (in_order(PAIRS[name]), [])


@given(label_sets(), st.lists(st.integers(1, 9), max_size=2, unique=True), st.sampled_from(["c1", "other"]))
@example({"traefik.enable": "true", "traefik.port": "80", **ODD_ORDER}, [], "c1")
def test_what_any_labels_ask_for_is_read_back_from_its_keys(
    labels: dict[str, str], servers: list[int], cluster: str
) -> None:
    asked = read("shop/web", "web", "shop", Publish.SERVICE, labels)
    if asked.refusals:
        return
    answering = tuple(Server(f"c-{at}", "http", f"10.0.0.{at}", 80, at) for at in sorted(servers))
    backends = tuple(replace(pool.backend, servers=answering) for pool in asked.pools)
    if not answering:  # tags stand on servers
        backends = tuple(replace(backend, tags=()) for backend in backends)
    route = Route("web", "shop", asked.frontends, backends)
    found = one(tree(route, cluster=cluster), cluster)
    assert (found.route, told(found.problems)) == (in_order(route), [])
    assert found.route
    assert tree(found.route, cluster=cluster) == tree(route, cluster=cluster)


@given(routes() | odd_routes)
def test_of_any_route_that_leaves_the_same_keys_come_back_or_a_problem_says_why_not(route: Route) -> None:
    try:
        keys = tree(route)
    except ValueError:
        return
    (found,) = read_back(keys, "c1").routes
    if found.route and not told(found.problems):
        # But for the case of headers' names in lists, which nobody looks at.
        assert {path: value.lower() for path, value in tree(found.route).items()} == {
            path: value.lower() for path, value in keys.items()
        }


# What somebody else wrote.


def golden(path: Path) -> dict[str, str]:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    prefix = recorded["prefix"].strip("/") + "/"
    plain = {key.removeprefix("/"): value for key, value in recorded["kv"].items()}
    return {key.removeprefix(prefix): value for key, value in plain.items() if key.startswith(prefix)}


@pytest.mark.parametrize("path", TREES, ids=lambda path: path.stem)
def test_a_recorded_tree_is_read_back_or_a_key_of_it_is_named(path: Path) -> None:
    keys = golden(path)
    found = read_back(keys, "c1")
    for back in found.routes:
        assert back.route or told(back.problems)
        for problem in back.problems:
            assert any(key == problem.label or key.startswith(problem.label) for key in keys) or problem.label.endswith(
                ("/backend", "/routes")
            )


PATHS = sorted({path for tree in map(golden, TREES) for path in tree})


@given(st.dictionaries(st.sampled_from(PATHS) | st.text(max_size=20), st.text(max_size=20), max_size=20))
def test_no_tree_whatever_raises(keys: dict[str, str]) -> None:
    assert isinstance(read_back(keys, "c1"), Tree)


def test_names_that_are_not_the_bridges_are_kept() -> None:
    found = one(MINIMAL)
    assert (found.title, found.frontends, found.backends) == ("frontend1", ("frontend1",), ("backend1",))
    assert found.route
    assert [(front.segment, front.backend) for front in found.route.frontends] == [("frontend1", "backend1")]
    assert [(back.segment, back.servers) for back in found.route.backends] == [
        ("backend1", (Server("s", "http", "10.0.0.1", 8080),))
    ]


def test_frontends_of_one_backend_are_one_route_and_services_of_their_own_are_not() -> None:
    keys = MINIMAL | {"frontends/other/backend": "backend1", "frontends/other/routes/r/rule": "Host:b.local"}
    keys |= {path.replace("frontend1", "web__shop").replace("backend1", "web__shop"): MINIMAL[path] for path in MINIMAL}
    keys |= {"frontends/web__shop/backend": "web__shop"}
    found = {back.title: back.frontends for back in read_back(keys, "c1").routes}
    assert found == {"frontend1": ("frontend1", "other"), "shop/web": ("web__shop",)}


def test_several_rules_of_a_frontend_are_one_rule_whose_priority_is_the_sum_of_their_lengths() -> None:
    found = one(MINIMAL | {"frontends/frontend1/routes/p/rule": "PathPrefix:  /api"})
    assert found.route
    (frontend,) = found.route.frontends
    assert [matcher.kind for matcher in frontend.rule.matchers] == [Kind.PATH_PREFIX, Kind.HOST]
    assert frontend.priority == len("PathPrefix:  /api") + len("Host:a.local")


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"frontends/frontend1/routes/r/rule": ""}, "frontends/frontend1/routes"),
        ({"frontends/frontend1/routes/r/rule": ";"}, "frontends/frontend1/routes"),
        ({"frontends/frontend1/routes/r/rule": 'Host:"a'}, "frontends/frontend1/routes"),
        ({"frontends/frontend1/whitelist/sourcerange": "everybody"}, "frontends/frontend1/whitelist/sourcerange"),
        ({"frontends/frontend1/basicauth/0": "zzz"}, "frontends/frontend1/basicauth"),
        ({"frontends/frontend1/auth/basic/users": ""}, "frontends/frontend1/auth/basic/users"),
        ({"frontends/frontend1/headers/sslproxyheaders/X-A": ""}, "frontends/frontend1/headers/sslproxyheaders/X-A"),
        ({"frontends/frontend1/entrypoints": 'a"b'}, "frontends/frontend1/entrypoints"),
    ],
)
def test_what_would_be_less_protected_or_take_other_requests_is_no_route(keys: dict[str, str], name: str) -> None:
    found = one(MINIMAL | keys)
    assert found.route is None
    assert name in [problem.label for problem in found.problems]
    assert "zzz" not in str(found.problems)


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"backends/backend1/servers/t/url": "ftp://a"}, "backends/backend1/servers/t/url"),
        ({"backends/backend1/servers/s/weight": "much"}, "backends/backend1/servers/s/weight"),
        ({"backends/backend1/loadbalancer/method": "best"}, "backends/backend1/loadbalancer/method"),
        ({"backends/backend1/responseforwarding/flushinterval": "1s"}, "backends/backend1/responseforwarding/flush"),
        ({"frontends/frontend1/priority": "high"}, "frontends/frontend1/priority"),
        ({"frontends/frontend1/errors/e/backend": "gone", "frontends/frontend1/errors/e/status": "404"}, "frontends/"),
        ({"frontends/gone/backend": "backend1/x", "frontends/gone/routes/r/rule": "Host:a"}, "frontends/gone/backend"),
    ],
)
def test_what_else_cannot_be_read_back_names_its_key_and_the_rest_stands(keys: dict[str, str], name: str) -> None:
    found = read_back(MINIMAL | keys, "c1").routes
    assert [back.title for back in found if back.route] == ["frontend1"]
    assert any(label.startswith(name) for back in found for label, _ in told(back.problems))


def test_what_is_empty_says_as_little_as_it_does_to_traefik() -> None:
    empty = ("entrypoints", "whitelist/sourcerange", "redirect/entrypoint", "passtlscert", "priority")
    keys = {f"frontends/frontend1/{name}": "" for name in empty} | {"backends/backend1/servers//url": "http://a"}
    found = one(MINIMAL | keys)
    assert found.route == one(MINIMAL).route
    assert [problem.label for problem in found.problems] == ["backends/backend1/servers//url"]


def test_certificates_are_counted_and_an_alias_is_told() -> None:
    keys = {"tls/1/certificate/certfile": "a", "tls/1/entrypoints": "https", "tls/2/entrypoints": "https"}
    found = read_back(MINIMAL | keys | {"alias": "/other"}, "c1")
    assert (found.certificates, [problem.label for problem in found.problems]) == (2, ["alias"])


def test_servers_of_another_cluster_keep_the_name_of_their_key() -> None:
    keys = {f"backends/backend1/servers/{name}/url": f"http://{name}.local" for name in ("c1--u.5f", "c2--v")}
    found = one({**MINIMAL, **keys})
    assert found.route
    identities = [(server.identity, server.port) for server in found.route.backends[0].servers]
    assert identities == [("c2--v", 80), ("s", 8080), ("u_", 80)]


def test_every_key_that_traefik_reads_is_told_as_a_label() -> None:
    left = {shape for shape, how in READ.items() if shape not in ROWS and how is not As.NOTHING}
    assert left == BESIDE | {shape for shape in READ if shape.startswith("tls/")}
