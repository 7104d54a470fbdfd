"""`--default-rule` as Traefik 2's Rancher provider has it: an operator carries the old flag over as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.labels.fallback import Fallback
from bridge.labels.newer_translation import translated
from bridge.labels.older_rules import older
from bridge.labels.rules import write_rule
from bridge.labels.templates import automatic_name, normalized, template
from bridge.model.problem import UsageError
from bridge.routes import Policy, judge
from tests.test_native_objects import PORT, asks, publish
from tests.test_policy import configured
from tests.test_routes import closed, route, rules, service

USUAL = "Host(`{{ normalize .Name }}`)"
TEAM = (
    'Host(`{{ normalize .Name }}.{{ if index .Labels "team" }}{{ index .Labels "team" }}{{ else }}all{{ end }}.test`)'
)


FILLED: list[tuple[str, dict[str, str], str]] = [
    (USUAL, {}, "Host(`web-shop`)"),
    ("Host(`{{.Name}}.test`)", {}, "Host(`web_shop.test`)"),
    ("Host(`{{ .Name | normalize }}`)", {}, "Host(`web-shop`)"),
    ("Host(`{{ (normalize (.Name)) }}`)", {}, "Host(`web-shop`)"),
    (TEAM, {"team": "blue"}, "Host(`web-shop.blue.test`)"),
    (TEAM, {}, "Host(`web-shop.all.test`)"),
    ("{{ index .Labels `r` }}", {"r": "Host(`a`)"}, "Host(`a`)"),
    ('{{ "x_y" | normalize }}', {}, "x-y"),
    (r'{{ index .Labels "a\"b" | normalize }}', {'a"b': "x.y"}, "x-y"),
    ("{{ `r` | index .Labels }}", {"r": "x"}, "x"),
    ('{{if index .Labels "a"}}A{{else if index .Labels "b"}}B{{else}}C{{end}}', {"b": "1"}, "B"),
    ('{{if index .Labels "a"}}A{{else if index .Labels "b"}}B{{else}}C{{end}}', {}, "C"),
    ('{{if index .Labels "a"}}A{{end}}', {}, ""),
    ('{{if .Name}}{{if index .Labels "a"}}A{{else}}B{{end}}C{{end}}', {}, "BC"),
    ("a {{- /* why */ -}}  b", {}, "ab"),
    ("a {{ .Name }} b", {}, "a web_shop b"),
    ("a {{- .Name -}} b", {}, "aweb_shopb"),
    ("a {{- ` }} ` }}", {}, "a }}"),
]


@pytest.mark.parametrize(("text", "labels", "filled"), FILLED)
def test_a_template_is_filled_in_as_go_does(text: str, labels: Mapping[str, str], filled: str) -> None:
    found = template(text)
    assert found.filled(automatic_name("web", "shop"), labels) == filled
    assert labels.keys() <= found.names


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Host(`{{ lower .Name }}`)", "'lower' is not known here; use .Name, index .Labels"),
        ("Host(`{{ .Name | lower }}`)", "'lower' is no function that is known here"),
        ("Host(`{{ .Names }}`)", "'.Names' is not known here"),
        ("Host(`{{ .Labels.team }}`)", "at character 9 of"),
        ("Host(`{{ index .Labels .Name }}`)", "which label is meant must be said in quotes"),
        ('Host(`{{ index .Name "x" }}`)', "index is known of .Labels alone"),
        ("Host(`{{ .Name `)", "'`)' is not known here"),
        ("Host(`{{ .Name", "double braces stay open at character 7"),
        ("{{ if .Name }}Host(`a`)", "an if has no end"),
        ("Host(`a`){{ end }}", "end without an if"),
        ("Host(`a`){{ else }}", "else without an if"),
        ("{{ range .Labels }}{{ end }}", "'range' is not known here"),
        ("Host(`{{ .Name .Name }}`)", "'.Name' is not known here"),
        ("{{ if .Name }}" * 60, "ifs in ifs"),
        ("{{ " + "(" * 60 + " }}", "parentheses in parentheses"),
        ("Host({{ .Name }})", "is expected"),
        ("Hots(`{{ .Name }}`)", "Hots is no matcher"),
        ("{{/* nothing */}}", "it comes to nothing"),
    ],
)
def test_another_template_is_refused_at_the_start_with_its_place(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        configured(("default-rule", text))
    assert caught.value.thing == "--default-rule"


@pytest.mark.parametrize(
    "text",
    [
        USUAL,
        TEAM,
        '{{ index .Labels "rule" }}',
        'Host({{ index .Labels "hosts" }}) && PathPrefix(`{{ index .Labels "path" }}`)',
        'Host(`a.test`) && PathPrefix(`{{ index .Labels "path" }}`)',
        "HostRegexp(`{{ normalize .Name }}.{cluster:[a-z]+}.{domain:[a-z]+}`)",
    ],
)
def test_what_may_become_a_rule_by_labels_is_taken_as_it_is(text: str) -> None:
    found = configured(("default-rule", text)).fallback
    assert (found.template, found.names) == (text, template(text).names)


@given(
    st.lists(st.sampled_from(["{{", "}}", "-", " ", "if", "else", "end", ".Name", "index .Labels", '"a"', "|", "`"]))
)
def test_whatever_the_text_it_is_read_or_refused(pieces: list[str]) -> None:
    try:
        found = template("".join(pieces))
    except ValueError:
        return
    assert isinstance(found.filled("a_b", {"a": "x"}), str)


# Native labels.


def test_native_labels_get_it_with_the_length_of_the_rule_that_it_comes_to() -> None:
    policy = Policy(fallback=Fallback(template=TEAM))
    found = publish(replace(asks(PORT), named={"team": "blue"}), policy=policy)
    assert found.of("routers/web_shop")["rule"] == "Host(`web-shop.blue.test`)"
    assert found.of("routers/web_shop")["priority"] == str(len("Host(`web-shop.blue.test`)"))
    listed = Policy(fallback=Fallback(template="Host(`{{ normalize .Name }}`, `b`)"))
    router = publish(asks(PORT), policy=listed).of("routers/web_shop")
    assert (router["rule"], router["priority"]) == ("Host(`web-shop`) || Host(`b`)", "21")


def test_where_it_comes_to_nothing_or_no_rule_the_router_alone_is_lost() -> None:
    empty = Policy(fallback=Fallback(template='{{ index .Labels "rule" }}'))
    labels = PORT | {"middlewares.m.compress": "true"}
    for text, why in (("", "it comes to nothing for this service"), ("x", "'('")):
        found = publish(replace(asks(labels), named={"rule": text}), policy=empty)
        assert found.places == {"services/web", "middlewares/m"}
        assert any(why in problem.reason for problem in found.problems if problem.label == "--default-rule")
    found = publish(replace(asks(labels), named={"rule": "Host(`a.test`)"}), policy=empty)
    assert found.of("routers/web_shop")["rule"] == "Host(`a.test`)"


def test_what_a_label_adds_to_it_leads_to_no_host_that_is_not_allowed() -> None:
    said = (("default-rule", '{{ index .Labels "rule" }}'), ("allow-domain", "*.good.test"))
    for host, stands in (("a.good.test", True), ("evil.test", False)):
        found = publish(replace(asks(PORT), named={"rule": f"Host(`{host}`)"}), policy=configured(*said))
        assert ("routers/web_shop" in found.places) is stands


# Older labels.


def test_older_labels_get_the_same_rule_in_their_words() -> None:
    policy = configured(("default-rule", f"{USUAL[:-1]}, `all.test`) && PathPrefix(`/a`)"))
    verdict = judge(service(), policy)
    assert rules(verdict.route) == ["Host:web-shop,all.test;PathPrefix:/a"]
    assert {one.name: one.origin for one in verdict.settings}["rule"] == "--default-rule"
    assert rules(route(service({"traefik.domain": "a.org"}), policy)) != rules(verdict.route)


def test_a_rule_that_older_labels_cannot_say_costs_them_the_route_and_is_told() -> None:
    for more in (" && !Path(`/x`)", " || Path(`/x`)", " && ClientIP(`10.0.0.1`)"):
        verdict = judge(service(), Policy(fallback=Fallback(template=USUAL + more)))
        assert closed(verdict) == "rule"
        assert "labels of older Traefiks" in verdict.problems[0].reason


@pytest.mark.parametrize(
    ("rule", "same"),
    [
        ("Host(`a`) || Host(`b`, `c`)", "Host:a,b,c"),
        ("HostHeader(`a`) && Method(`GET`)", "Host:a;Method:GET"),
        ("HostRegexp(`{x:[a-z]+}.org`)", "HostRegexp:{x:[a-z]+}.org"),
        ("Headers(`X-A`, `b`) && Query(`a=b`)", "Headers:X-A,b;Query:a=b"),
        ("Path(`/a`) && (PathPrefix(`/b`) || PathPrefix(`/c`))", "Path:/a;PathPrefix:/b,/c"),
    ],
)
def test_a_rule_of_traefik_2_is_said_in_traefik_1s_words(rule: str, same: str) -> None:
    assert write_rule(older(rule)) == same
    assert translated(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "Host(`a;Path:/`)",
        "Host(`a,b`)",
        "Host()",
        "Headers(`a`,`b`) || Headers(`c`,`d`)",
        "Host(`a`) || (Host(`b`) && Path(`/`))",
        "PathRegexp(`a`)",
        "Host(`a`) || Path(`/`)",
        "!Host(`a`)",
        "Host(`a b`)",
        "Path(`a`)",
        "Nothing(`a`)",
    ],
)
def test_what_cannot_be_said_there_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        older(rule)


@pytest.mark.parametrize("name", ["a`) || Host(`evil", 'a"', "a\\"])
def test_no_name_becomes_more_of_the_rule_than_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a rule"):
        Fallback(template="Host(`{{ .Name }}`)").text(name, "shop")


def test_normalized_keeps_letters_and_digits_of_any_script() -> None:
    assert normalized("_a.b__ä1-") == "a-b-ä1"
