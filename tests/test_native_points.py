"""What a successor of Traefik 2's Rancher provider must do, and which tests say that this one does.

Each promise names tests; that they are there is tested too, so that none goes without its promise being seen to go.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from bridge.labels.native_names import newer
from bridge.labels.table import INNER, TABLE
from bridge.model.world import ADDRESS_LABEL
from bridge.routes import Policy
from tests.publishing import external
from tests.test_native_objects import ANY, WEB, asks, publish

HERE = Path(__file__).parent
ROWS = "test_native_rows.test_a_row"  # with the rows of native_rows.py

PROMISES = {
    "labels are read whatever their case behind the first part": (ROWS, "test_native_objects.test_a_value_is_typed*"),
    "the same services are chosen": (
        ROWS,
        "test_native_points.test_what_is_exposed*",
        "test_native_points.test_stack*",
    ),
    "labels of both vocabularies are told apart": (
        "test_native_objects.test_labels_of_an_older_traefik*",
        "test_native_labels.test_a_native_service_needs_no_health_check",
    ),
    "containers are asked one by one, whatever their service's state": (ROWS,),
    "no server is without an address, or twice": ("test_native_objects.test_servers_are_each_once*", ROWS),
    "names stand as written, or are refused": ("test_native_objects.test_names_stand*", ROWS),
    "routers find their services as before": ("test_native_objects.test_which_service_a_router_gets", ROWS),
    "equal names merge, and of unequal ones the outcome is stated": (
        "test_native_objects.test_equal_words*",
        "test_native_objects.test_of_unequal_words*",
        "test_native_clusters.test_equal_labels_of_two_clusters*",
        "test_native_clusters.test_the_first_cluster_decides*",
        "test_native_clusters.test_who_asked_for_a_name_first*",
        "test_native_contests.test_who_stands_stays*",
    ),
    "what refers to nothing is told, and the old provider's name is taken off": (
        ROWS,
        "test_native_objects.test_a_middleware_of_another_service_counts",
    ),
    "no router stands without its guard, or with another": (
        "test_native_real.test_requests_go_where_traefik_2_sent_them_and_none_past_its_guard",
        "test_native_clusters.test_a_router_never_stands_without_what_it_names",
        "test_native_clusters.test_a_router_is_withheld*",
        "test_native_clusters.test_servers_stay_out*",
        "test_native_contests.test_of_two_that_lead_to_one_service*",
    ),
    "rules are translated": ("test_newer_rules.test_a_rule_of_traefik_2*", ROWS),
    "the priority is the old rule's length": ("test_native_objects.test_the_priority*", ROWS),
    "a bad label is contained, and told with what was meant": (
        ROWS,
        "test_native_objects.test_slips_get_a_suggestion",
        "test_newer_rules.test_what_is_no_rule*",
        "test_native_objects.test_no_labels_of_one_service*",
        "test_native_containment.test_a_real_traefik_takes*",
    ),
    "values are typed for the Traefik that reads": (
        "test_native_objects.test_a_value_is_typed*",
        "test_native_objects.test_what_only_a_newer_traefik_knows*",
    ),
    "dead options are told": (ROWS, "test_native_points.test_what_does_nothing_any_more*"),
    "plugins are passed on, and named": (
        "test_native_points.test_the_plugins*",
        "test_native_real.test_every_router_of_real_labels*",
    ),
    "false switches off all below": ("test_native_objects.test_false_switches_off*", ROWS),
    "lists are trimmed": ("test_native_objects.test_a_value_is_typed*", ROWS),
    "without servers a service answers 503": ("test_native_objects.test_a_service_without_servers*", ROWS),
    "external services and aliases have servers": ("test_native_points.test_external_services_and_aliases*",),
    "entry points are the labels', the operator's or Traefik's": ("test_native_objects.test_entry_points*", ROWS),
    "changes are heard of, and what is known outlives a source that is down": (
        "test_run_metadata.*",
        "test_source_metadata.*",
    ),
    "the same labels serve Traefik 2 meanwhile": ("test_native_points.test_no_label_of_the_bridge*",),
}


@cache
def named_in(module: str) -> frozenset[str]:
    tree = ast.parse((HERE / f"{module}.py").read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_has_its_tests(promise: str) -> None:
    for named in PROMISES[promise]:
        module, _, test = named.partition(".")
        begin = test.removesuffix("*") or "test_"
        assert any(name == test or (test.endswith("*") and name.startswith(begin)) for name in named_in(module)), named


def test_what_is_exposed_without_being_asked_is_what_has_such_labels() -> None:
    plain = replace(
        asks(WEB), labels={name: text for name, text in asks(WEB).labels.items() if name != "traefik.enable"}
    )
    assert publish(plain).places == set()
    assert publish(plain, policy=Policy(expose=True)).places == {"routers/web", "services/web"}
    off = replace(plain, labels={**plain.labels, "traefik.enable": "false"})
    assert publish(off, policy=Policy(expose=True)).places == set()


def test_stack_is_a_word_of_short_labels_alone() -> None:
    one = asks(WEB)
    found = publish(replace(one, labels={**one.labels, "traefik.enable": "stack"}))
    assert found.places == {"routers/web", "services/web"}
    assert [problem.did for problem in found.problems if problem.label == "traefik.enable"] == ["took true"]


@pytest.mark.parametrize(
    ("option", "text", "notice"),
    [
        ("headers.featurepolicy", "none", False),
        ("headers.sslhost", "x", False),
        ("headers.ssltemporaryredirect", "true", False),
        ("stripprefix.forceslash", "false", True),
        ("forwardauth.tls.caoptional", "true", True),
        ("ipwhitelist.sourcerange", "10.0.0.0/8", True),
    ],
)
def test_what_does_nothing_any_more_is_left_out_and_told(option: str, text: str, notice: bool) -> None:
    beside = {
        "headers": {"framedeny": "true"},
        "stripprefix": {"prefixes": "/a"},
        "forwardauth": {"address": "http://x"},
    }
    kind = option.partition(".")[0]
    said = {f"middlewares.m.{kind}.{name}": value for name, value in beside.get(kind, {}).items()}
    found = publish(asks(WEB | said | {f"middlewares.m.{option}": text, "routers.web.middlewares": "m"}))
    assert "routers/web" in found.places
    if kind != "ipwhitelist":
        assert not any(path.lower() == option.replace(".", "/") for path in found.of("middlewares/m"))
    told = [problem for problem in found.problems if problem.label == f"traefik.http.middlewares.m.{option}"]
    assert [problem.notice for problem in told] == [notice]


@pytest.mark.parametrize("option", ["sslredirect", "sslforcehost"])
def test_what_kept_requests_away_and_does_nothing_costs_the_router(option: str) -> None:
    found = publish(asks(WEB | {f"middlewares.m.headers.{option}": "true", "routers.web.middlewares": "m"}))
    assert found.places == {"services/web"}
    assert found.told[0] == (f"middlewares.m.headers.{option}", "use a middleware redirectScheme with scheme https")


def test_the_plugins_that_traefik_must_have_are_named() -> None:
    plugins = {"middlewares.m.plugin.geoblock.countries": "RU,BY", "middlewares.n.plugin.other.a.b[0]": "1"}
    found = publish(asks(WEB | plugins))
    named = [problem.reason for problem in found.problems if problem.notice]
    assert len(named) == 2
    assert any("the plugin geoblock" in reason for reason in named)
    assert found.of("middlewares/m") == {"plugin/geoblock/countries": "RU,BY"}


def test_external_services_and_aliases_have_servers() -> None:
    """The old provider gave them none."""
    labels = {f"traefik.http.{label}": text for label, text in WEB.items()} | {"traefik.enable": "true"}
    outside = replace(external("web", "192.0.2.1", "192.0.2.2"), labels=labels)
    urls = [value for path, value in publish(outside).keys.items() if path.endswith("/url")]
    assert sorted(urls) == ["http://192.0.2.1:80", "http://192.0.2.2:80"]
    alias = replace(asks(WEB, "alias", 0), kind="dnsService", links=("shop/behind",))
    behind = replace(asks({}, "behind"), labels={})
    found = publish(alias, behind, policy=replace(ANY, kinds=ANY.kinds | {"dnsService"}))
    assert [value for path, value in found.keys.items() if path.endswith("/url")] == [
        f"http://{behind.containers[0].address}:80"
    ]


def test_no_label_of_the_bridge_makes_traefik_2_skip_a_service() -> None:
    """It skips one with a label that looks like its own and is none."""
    own = [
        row.name.replace(INNER, "x")
        for row in TABLE
        if not row.name.startswith(("traefik.frontend", "traefik.backend"))
    ]
    for label in (*own, ADDRESS_LABEL):
        rest = label.removeprefix("traefik.")
        assert rest == "enable" or not rest.startswith(("enable", "rancher.", "http", "udp", "tls.stores.default")), (
            label
        )
        assert not newer([label])
