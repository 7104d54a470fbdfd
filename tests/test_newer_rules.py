"""Traefik 2's rules in Traefik 3's language, row by row, and what is no rule for either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.labels.newer_rules import parse
from bridge.labels.newer_slips import plain_patterns, suggestion
from bridge.labels.newer_translation import confined, translated
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


SLIPS = [
    ("Host(a.example)", "Host(`a.example`)"),
    ("Host(a.example, b.example)", "Host(`a.example`) || Host(`b.example`)"),
    ("Host('a') && Path(/x)", "Host(`a`) && Path(`/x`)"),
    ("Host(“a.example”)", "Host(`a.example`)"),
    ("Host(`a.example)", "Host(`a.example`)"),
    ("Host(a.example`) && Path(`/x`)", "Host(`a.example`) && Path(`/x`)"),
    ("Host(`a.example`", "Host(`a.example`)"),
    ("Host(`a`) PathPrefix(`/x`)", "Host(`a`) && PathPrefix(`/x`)"),
    ("Host(`a`), PathPrefix(`/x`)", "Host(`a`) && PathPrefix(`/x`)"),
    ("Host(`a`); PathPrefix(`/x`);", "Host(`a`) && PathPrefix(`/x`)"),
    ("Host(`a`) & PathPrefix(`/x`)", "Host(`a`) && PathPrefix(`/x`)"),
    ("Host(`a`) and PathPrefix(`/x`)", "Host(`a`) && PathPrefix(`/x`)"),
    ("Host(`a`) | Host(`b`)", "Host(`a`) || Host(`b`)"),
    ("Host(`a`) OR Host(`b`)", "Host(`a`) || Host(`b`)"),
    ("Hots(`a`)", "Host(`a`)"),
    ("hostHeader(`a`)", "Host(`a`)"),
    ("PathPrefx(`/a`)", "PathPrefix(`/a`)"),
    ("Host:a.example", "Host(`a.example`)"),
    ("Host:a.example,b.example;PathPrefix:/x", "(Host(`a.example`) || Host(`b.example`)) && PathPrefix(`/x`)"),
    ("Headers:X-A,b,X-C,d", "Header(`X-A`, `b`) && Header(`X-C`, `d`)"),
    ("HostRegexp:{s:[a-z]+}.x", r"HostRegexp(`^[a-z]+\.x$`)"),
    ("Host()", ""),
    ("Xyz(`a`)", ""),
    ("Host(`ä.example`)", ""),
    ("Host(`a`) &&", ""),
    ("Headers(`a`)", ""),
    ("Path(`{id}/x`)", ""),
    ("PathPrefix(`/{id:(}`)", ""),
    ("", ""),
    ("Host(a.example)" * 100, ""),
]


@pytest.mark.parametrize(("rule", "better"), SLIPS, ids=[rule[:50] for rule, _ in SLIPS])
def test_what_is_no_rule_is_refused_and_what_it_may_be_a_slip_for_is_suggested(rule: str, better: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        translated(rule)
    assert suggestion(rule) == (f"write {better}" if better else "")


@pytest.mark.parametrize(
    ("rule", "better", "options"),
    [
        ("PathPrefixStrip(`/x`)", "PathPrefix(`/x`)", "stripPrefix.prefixes"),
        ("Host:a;PathPrefixStrip:/x", "Host(`a`) && PathPrefix(`/x`)", "stripPrefix.prefixes"),
        ("Host:a;AddPrefix:/x", "Host(`a`)", "addPrefix.prefix"),
        ("Host(a) && PathStripRegex(/{x})", "Host(`a`) && PathRegexp(`^/[^/]+$`)", "stripPrefixRegex.regex"),
    ],
)
def test_what_traefik_1_does_to_a_path_is_a_middleware_of_traefik_2(rule: str, better: str, options: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        translated(rule)
    assert suggestion(rule) == f"write {better}, and say traefik.http.middlewares.NAME.{options} for the rest"


TCP_SLIPS = [
    ("HostSNI(a.example)", "HostSNI(`a.example`)"),
    ("HostSNI('*')", "HostSNI(`*`)"),
    ("HostSNI(`a`) and ClientIP(`10.0.0.0/8`)", "HostSNI(`a`) && ClientIP(`10.0.0.0/8`)"),
    ("HostSni(`a`)", "HostSNI(`a`)"),
    ("Host(`a.example`)", "HostSNI(`a.example`)"),
    ("HostRegexp(`{s:[a-z]+}.x`)", r"HostSNIRegexp(`^[a-z]+\.x$`)"),
    ("Host:a.example,b.example", "HostSNI(`a.example`) || HostSNI(`b.example`)"),
    ("PathPrefix(`/x`)", ""),
    ("Host:a;PathPrefixStrip:/x", ""),
    ("Host:a;AddPrefix:/x", ""),
]


@pytest.mark.parametrize(("rule", "better"), TCP_SLIPS)
def test_what_is_no_rule_of_tcp_is_met_with_one_in_tcps_words(rule: str, better: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        translated(rule, tcp=True)
    assert suggestion(rule, tcp=True) == (f"write {better}" if better else "")


@given(
    st.lists(
        st.sampled_from(
            ["Host", "HostSNI", "Path", "(", ")", "`", "'", "a.x", "/x", ",", " ", "&&", "|", ":", ";", "{", "}", "\\"]
        )
    )
)
def test_whatever_is_suggested_is_a_rule(pieces: list[str]) -> None:
    text = "".join(pieces)
    for tcp in (False, True):
        if better := suggestion(text, tcp=tcp):
            rule = better.removeprefix("write ")
            assert translated(rule, tcp=tcp)[0] == rule


def test_a_plain_host_is_no_pattern() -> None:
    assert plain_patterns("HostRegexp(`a.example`, `{s}.x`) || hostregexp(`b.x`) || Host(`c.x`)") == (
        "a.example",
        "b.x",
    )
    assert plain_patterns("HostSNIRegexp(`a.example`)") == ("a.example",)
    assert plain_patterns(r"HostRegexp(`.+`, `a\.example`, `^a.example$`)") == ()


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
