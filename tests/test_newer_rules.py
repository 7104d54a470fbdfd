"""Traefik 2's rules in Traefik 3's language, row by row, and what is no rule for either."""

from __future__ import annotations

import pytest

from bridge.labels.newer_rules import parse
from bridge.labels.newer_translation import confined, mended, translated
from bridge.layouts.traefik3_language import http_flaws

ROWS = [
    ("Host(`a`)", "Host(`a`)"),
    ("Host(`a`, `b`)", "Host(`a`) || Host(`b`)"),
    ("Host(`a`,`b`) && Path(`/x`)", "(Host(`a`) || Host(`b`)) && Path(`/x`)"),
    ("!Host(`a`, `b`)", "!(Host(`a`) || Host(`b`))"),
    ("HostHeader(`a`)", "Host(`a`)"),
    ("host(`a`) || HOST(`B`)", "Host(`a`) || Host(`b`)"),
    ('Host("a")', "Host(`a`)"),
    ("Headers(`X-A`, `b`)", "Header(`X-A`, `b`)"),
    ("HeadersRegexp(`X-A`, `b.*`)", "HeaderRegexp(`X-A`, `b.*`)"),
    ("Header(`X-A`, `b`)", "Header(`X-A`, `b`)"),
    ("HostRegexp(`{s:[a-z]+}.x`)", r"HostRegexp(`^[a-z]+\.x$`)"),
    ("HostRegexp(`{s}.x`)", r"HostRegexp(`^[^.]+\.x$`)"),
    ("HostRegexp(`{s:a|b}.x`)", r"HostRegexp(`^(a|b)\.x$`)"),
    ("HostRegexp(`X.{s}`)", r"HostRegexp(`(?i)^X\.[^.]+$`)"),
    (r"HostRegexp(`^[a-z]{2,3}\.x$`)", r"HostRegexp(`^[a-z]{2,3}\.x$`)"),
    ("HostRegexp(`a.example`)", "Host(`a.example`)"),
    ("HostRegexp(`.+`)", "HostRegexp(`.+`)"),
    ("Path(`/p/{id}`)", "PathRegexp(`^/p/[^/]+$`)"),
    ("PathPrefix(`/p/{id:[0-9]+}`)", "PathRegexp(`^/p/[0-9]+`)"),
    ("PathPrefix(`/a`, `/b`)", "PathPrefix(`/a`) || PathPrefix(`/b`)"),
    ("Query(`a=b`)", "Query(`a`, `b`)"),
    ("Query(`a=b`, `c=d`)", "Query(`a`, `b`) && Query(`c`, `d`)"),
    ("Query(`a=`)", "QueryRegexp(`a`, `^.*$`)"),
    ("Query(`a`, `b`)", "Query(`a`, `b`)"),
    ("Method(`GET`, `POST`)", "Method(`GET`) || Method(`POST`)"),
    ("ClientIP(`10.0.0.0/8`, `::1`)", "ClientIP(`10.0.0.0/8`) || ClientIP(`::1`)"),
    ("Host(`a`) && (Path(`/x`) || !Path(`/y`))", "Host(`a`) && (Path(`/x`) || !Path(`/y`))"),
    ("Host(`a`) || Host(`b`) && Path(`/x`)", "Host(`a`) || Host(`b`) && Path(`/x`)"),
    ("(Host(`a`) && Path(`/x`)) && Method(`GET`)", "Host(`a`) && Path(`/x`) && Method(`GET`)"),
]


@pytest.mark.parametrize(("old", "new"), ROWS, ids=[old for old, _ in ROWS])
def test_a_rule_of_traefik_2_is_written_as_traefik_3_reads_it(old: str, new: str) -> None:
    assert translated(old)[0] == new
    assert parse(new) == parse(translated(new)[0])
    assert not list(http_flaws(new, (3, 7)))


@pytest.mark.parametrize(
    ("rule", "suggestion"),
    [
        ("Host(a.example)", "Host(`a.example`)"),
        ("Host(a.example, b.example)", "Host(`a.example`) || Host(`b.example`)"),
        ("Host('a') && Path(/x)", "Host(`a`) && Path(`/x`)"),
        ("Host(`a.example)", "Host(`a.example`)"),
        ("Host()", ""),
        ("Hst(`a`)", ""),
        ("Host:a", ""),
        ("Host(`ä.example`)", ""),
        ("Host(`a`) &&", ""),
        ("Headers(`a`)", ""),
        ("Path(`{id}/x`)", ""),
        ("PathPrefix(`/{id:(}`)", ""),
        ("", ""),
    ],
)
def test_what_is_no_rule_is_refused_and_forgotten_back_quotes_are_suggested(rule: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        translated(rule)
    assert mended(rule) == suggestion


@pytest.mark.parametrize(
    ("rule", "is_confined"),
    [
        ("Host(`a.x`)", True),
        ("Host(`b.y`)", False),
        ("Host(`a.x`, `b.y`)", False),
        ("Host(`a.x`) || Path(`/`)", False),
        ("Host(`a.x`) && Path(`/`)", True),
        ("Host(`a.x`) && (Host(`b.y`) || Path(`/`))", True),
        ("!Host(`a.x`)", False),
        ("!!Host(`a.x`)", False),
        ("HostRegexp(`{s:a}.x`)", False),
        ("(Host(`a.x`) || Host(`b.x`)) && Method(`GET`)", True),
    ],
)
def test_a_rule_is_confined_to_hosts_only_where_each_way_through_it_is(rule: str, is_confined: bool) -> None:
    assert confined(translated(rule)[1], lambda host: host.endswith(".x")) is is_confined
