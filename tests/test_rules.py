"""What the bridge reads and writes as Traefik 1's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.labels.rules import RuleError, parse_rule, write_rule
from bridge.model.route import Kind, Matcher, Rule


def rule(*matchers: tuple[Kind, tuple[str, ...]]) -> Rule:
    return Rule(tuple(Matcher(kind, values) for kind, values in matchers))


def rules(values: st.SearchStrategy[str], least: int) -> st.SearchStrategy[Rule]:
    several = st.lists(values, min_size=least, max_size=4, unique=True).map(tuple)
    matchers = st.builds(Matcher, st.sampled_from(Kind), several)
    return st.builds(Rule, st.lists(matchers, min_size=least, max_size=4).map(tuple))


plain_text = st.text("ab09./{}-", min_size=1, max_size=8)
odd_text = st.text(st.one_of(st.sampled_from(':;, \t\u3000{}aé/.\\"'), st.characters()), max_size=8)


@given(rules(plain_text | plain_text.map(":".join) | odd_text, least=0))
def test_a_rule_reads_back_as_itself_or_cannot_be_written(given_rule: Rule) -> None:
    try:
        text = write_rule(given_rule)
    except ValueError:
        return
    assert parse_rule(text) == given_rule


@given(rules(plain_text, least=1))
def test_a_rule_of_plain_values_can_be_written_and_reads_back(given_rule: Rule) -> None:
    assert parse_rule(write_rule(given_rule)) == given_rule


@given(st.lists(st.sampled_from(["Host", "Path", "host", ":", ";", ",", " ", "a.local", "/x", "\\"])).map("".join))
def test_any_text_is_a_writable_rule_or_a_rule_error(text: str) -> None:
    try:
        found = parse_rule(text)
    except RuleError:
        return
    assert parse_rule(write_rule(found)) == found


def test_the_canonical_text_has_no_blanks_and_no_trailing_separators() -> None:
    one = rule((Kind.HOST, ("web-test.proxy-test.local",)))
    assert write_rule(one) == "Host:web-test.proxy-test.local"
    two = rule((Kind.HOST_REGEXP, ("{sub:[a-z]+}.f.local", "f.local")), (Kind.PATH_PREFIX_STRIP, ("/a", "/B")))
    assert write_rule(two) == "HostRegexp:{sub:[a-z]+}.f.local,f.local;PathPrefixStrip:/a,/B"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Host: F.local , g.local,,", rule((Kind.HOST, ("F.local", "g.local")))),
        (";;Host:f.local;;PathPrefix:/;", rule((Kind.HOST, ("f.local",)), (Kind.PATH_PREFIX, ("/",)))),
        ("  Host : f.local ; PathPrefix : /x ", rule((Kind.HOST, ("f.local",)), (Kind.PATH_PREFIX, ("/x",)))),
        ("PathPrefix:/a;PathPrefix:/a/b", rule((Kind.PATH_PREFIX, ("/a",)), (Kind.PATH_PREFIX, ("/a/b",)))),
        ("::Path::/a::b::", rule((Kind.PATH, ("/a:b",)))),
        ("Host:f.local:8080", rule((Kind.HOST, ("f.local:8080",)))),
        ("HostRegexp:{sub:\\d+}.f.local", rule((Kind.HOST_REGEXP, ("{sub:\\d+}.f.local",)))),
        ("PathPrefix:/a b", rule((Kind.PATH_PREFIX, ("/a b",)))),
        ("Host:\u3000f.local\xa0", rule((Kind.HOST, ("f.local",)))),
        ("Host:a.local,a.local", rule((Kind.HOST, ("a.local",)))),
    ],
)
def test_a_text_is_read_as_traefik_reads_it(text: str, meant: Rule) -> None:
    assert parse_rule(text) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no matcher at character 1 of ''"),
        (";;", "no matcher at character 1 of ';;'"),
        (":", "no matcher at character 1 of ':'"),
        ("Host:a; ", "no matcher at character 8 of 'Host:a; '"),
        ("garbage", "unknown matcher 'garbage' at character 1 of 'garbage'"),
        ("Host:a.local;host:f.local", "unknown matcher 'host' at character 14 of 'Host:a.local;host:f.local'"),
        ("Host:", "Host without a value at character 6 of 'Host:'"),
        ("Path:/a;Host: ,;", "Host without a value at character 16 of 'Path:/a;Host: ,;'"),
        (
            "Host:a, :b",
            "Host ':b': colons around a value, and all but one of several in a row, are lost"
            " at character 9 of 'Host:a, :b'",
        ),
    ],
)
def test_an_error_shows_the_text_and_points_at_the_character(text: str, message: str) -> None:
    with pytest.raises(RuleError) as fault:
        parse_rule(text)
    assert str(fault.value) == message


@pytest.mark.parametrize(
    "deadly",
    [
        Rule(()),
        rule((Kind.HOST, ())),
        *(rule((Kind.HOST, ("a.local", value))) for value in ("", " ", "a,b", ";", "a::b", ":a", "a:", " a", "a\n")),
    ],
    ids=repr,
)
def test_a_rule_that_traefik_would_die_of_or_misread_cannot_be_written(deadly: Rule) -> None:
    with pytest.raises(ValueError, match=r"^(a rule needs|Host needs|Host cannot hold)"):
        write_rule(deadly)
