"""Traefik 1's rules in Traefik 3's language: they take the same requests, and nothing escapes from its quotes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.labels.rules import RuleError, checked_rule, parse_rule, write_rule
from bridge.layouts.traefik3_rules import asked_hosts, changes, length, translated
from bridge.model.route import MODIFIERS, Kind, Matcher, Rule
from tests.golden_reader import rules as reader
from tests.golden_reader.rules import Request
from tests.test_rules import any_kind, good_rules, odd_text, of_kind, plain_text, rules, texts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Host:a.test", "Host(`a.test`)"),
        ("Host:A.test,b.test", "Host(`a.test`) || Host(`b.test`)"),
        ("Host:a.test,b.test;PathPrefix:/p", "(Host(`a.test`) || Host(`b.test`)) && PathPrefix(`/p`)"),
        ("HostRegexp:{n:[a-z]+}.re.test", r"HostRegexp(`(?i)^([a-z]+)\.re\.test$`)"),
        ("HostRegexp:{n}.any.test", r"HostRegexp(`(?i)^([^.]+)\.any\.test$`)"),
        ("HostRegexp:{a:x|y}-{b:[0-9]+}.k.test", r"HostRegexp(`(?i)^(x|y)-([0-9]+)\.k\.test$`)"),
        ("HostRegexp:plain.test,{n}.b", r"Host(`plain.test`) || HostRegexp(`(?i)^([^.]+)\.b$`)"),
        ("Path:/a,/b", "Path(`/a`) || Path(`/b`)"),
        ("Path:/a/{id:[0-9]+}", "PathRegexp(`^/a/([0-9]+)$`)"),
        ("Path:/a.b/{id}", r"PathRegexp(`^/a\.b/([^/]+)$`)"),
        ("PathStrip:/a", "Path(`/a`)"),
        ("PathStripRegex:/w{n:[0-9]+}/x", "PathRegexp(`^/w([0-9]+)/x$`)"),
        ("PathPrefix:/p,/q/", "PathPrefix(`/p`) || PathPrefix(`/q/`)"),
        ("PathPrefix:/v{n:[0-9]+}", "PathRegexp(`^/v([0-9]+)`)"),
        ("PathPrefixStrip:/p", "PathPrefix(`/p`)"),
        ("PathPrefixStripRegex:/v{n:[0-9]+}", "PathRegexp(`^/v([0-9]+)`)"),
        ("Method:get,POST", "Method(`GET`) || Method(`POST`)"),
        ("Headers:A,1,B,2", "Header(`A`, `1`) && Header(`B`, `2`)"),
        ("HeadersRegexp:A,x{2}", "HeaderRegexp(`A`, `x{2}`)"),
        ("Query:a=b,c=d", "Query(`a`, `b`) && Query(`c`, `d`)"),
        ("Query:id={n:[0-9]+}", "QueryRegexp(`id`, `^([0-9]+)$`)"),
        ("Query:id=", "QueryRegexp(`id`, `^.*$`)"),
        ("Host:a.test;AddPrefix:/add", "Host(`a.test`)"),
    ],
)
def test_a_rule_is_translated(old: str, new: str) -> None:
    assert translated(parse_rule(old)) == new


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("Host:a.test", []),
        ("Host:a.test;PathStrip:/a,/a/long", [("strip", "stripPrefix/prefixes", ("/a/long", "/a"))]),
        ("PathPrefixStrip:/a;PathPrefixStrip:/a/b", [("strip", "stripPrefix/prefixes", ("/a/b",))]),
        ("PathPrefixStripRegex:/v{n:[0-9]+}", [("strip-regex", "stripPrefixRegex/regex", ("^/v([0-9]+)",))]),
        ("PathStripRegex:/w{n:[0-9]+}/x", [("strip-regex", "stripPrefixRegex/regex", ("^/w([0-9]+)/x",))]),
        ("Host:a.test;ReplacePath:/fixed", [("replace", "replacePath/path", "/fixed")]),
        (
            "Host:c.test;ReplacePathRegex: ^/api/v2/(.*) /api/$1",
            [
                ("replace-regex", "replacePathRegex/regex", "^/api/v2/(.*)"),
                ("replace-regex", "replacePathRegex/replacement", "/api/$1"),
            ],
        ),
        (
            "AddPrefix:/n;PathPrefixStrip:/p;AddPrefix:/m,/o",
            [
                ("strip", "stripPrefix/prefixes", ("/p",)),
                ("strip", "stripPrefix/forceSlash", "true"),
                ("add", "addPrefix/prefix", "/o"),
            ],
        ),
    ],
)
def test_what_a_rule_changes_becomes_middlewares(rule: str, asked: list[tuple[str, str, str]]) -> None:
    found = [(what, field, text) for what, fields in changes(parse_rule(rule)) for field, text in fields]
    assert found == asked


@pytest.mark.parametrize(
    "rule",
    [
        "Path:/a`) || Path(`/b",
        'Headers:A,"q"',
        "PathPrefix:/`",
        "Method:G`T",
        "Host:é.test",
        "Host:a.test:80",
        "Host:*.test",
        "PathPrefix:a",
        "PathStrip:/a/{x}",
        "ReplacePathRegex:^/a `",
        "AddPrefix:a",
    ],
)
def test_what_cannot_be_said_is_refused(rule: str) -> None:
    found = Rule((*parse_rule(f"PathPrefix:/;{rule}").matchers,))
    with pytest.raises(ValueError, match=r".+"):
        [translated(found), *changes(found)]


def test_a_rule_that_strips_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="strips twice"):
        list(changes(parse_rule("PathPrefixStrip:/a;PathPrefixStripRegex:/{b}")))


def test_modifiers_alone_are_no_rule() -> None:
    with pytest.raises(ValueError, match="needs a matcher"):
        translated(Rule((Matcher(Kind.ADD_PREFIX, ("/a",)),)))


def test_the_priority_is_what_traefik_1_counts() -> None:
    assert length(parse_rule("Host:p.test;PathPrefix:/x")) == 25
    assert length(parse_rule("PathPrefix:/é")) == 14  # bytes


def test_hosts_of_a_written_rule_are_found_again() -> None:
    rule = translated(parse_rule("Host:a.test,b.test;HostRegexp:{n}.c;PathPrefix:/Host(x)"))
    assert list(asked_hosts(rule)) == ["a.test", "b.test", r"(?i)^([^.]+)\.c$"]


# Laws.

_PARTS = re.compile(r"(?P<name>[A-Za-z]+)\((?P<values>`[^`]*`(?:, `[^`]*`)?)\)|(?P<sign> && | \|\| |\(|\))")


def parts(rule: str) -> list[re.Match[str]]:
    """All of a rule, cut into calls and signs: nothing is left over."""
    found = list(_PARTS.finditer(rule))
    assert "".join(one[0] for one in found) == rule
    return found


def values(call: re.Match[str]) -> list[str]:
    return str(call["values"])[1:-1].split("`, `")


@given(rules(of_kind(any_kind, plain_text | odd_text, 0), 0) | good_rules)
def test_any_rule_is_translated_or_refused_and_no_value_leaves_its_quotes(rule: Rule) -> None:
    try:
        found = translated(rule)
        list(changes(rule))
    except ValueError:
        return
    calls = [part for part in parts(found) if part["name"]]
    singly = {Kind.HEADERS, Kind.HEADERS_REGEXP}
    meant = sum(
        len(matcher.values) // (2 if matcher.kind in singly else 1)
        for matcher in rule.matchers
        if matcher.kind not in MODIFIERS
    )
    assert len(calls) == meant
    assert found.isprintable()


@given(texts | odd_text)
def test_any_label_is_translated_or_refused(text: str) -> None:
    try:
        rule = checked_rule(text)
    except RuleError:
        return
    try:
        parts(translated(rule))
        list(changes(rule))
    except ValueError:
        return


# Both rules asked of the same requests: Traefik 1's by the model of it, Traefik 3's by this one.


def takes(rule: str, request: Request) -> bool:
    """What Traefik 3 says, of a rule as the bridge writes it."""
    said = [str(_call(part["name"], values(part), request)) if part["name"] else part["sign"] for part in parts(rule)]
    words = "".join(said).replace("&&", "and").replace("||", "or")
    assert re.fullmatch(r"(?:True|False|and|or|[() ])+", words)
    return bool(eval(words))


def _call(name: str, given_values: list[str], request: Request) -> bool:
    return _CALLS[name](request, *given_values)


def _searched(pattern: str, text: str) -> bool:
    return re.search(pattern.replace("$", r"\Z") if pattern.endswith("$") else pattern, text, re.ASCII) is not None


def _query(request: Request, name: str) -> list[str]:
    return [text for key, text in parse_qsl(request.path.partition("?")[2], keep_blank_values=True) if key == name]


_CALLS: Mapping[str, Callable[..., bool]] = {
    "Host": lambda request, host: request.host_name == host,
    "HostRegexp": lambda request, pattern: _searched(pattern, request.host_name),
    "Path": lambda request, path: request.plain_path == path,
    "PathPrefix": lambda request, path: request.plain_path.startswith(path),
    "PathRegexp": lambda request, pattern: _searched(pattern, request.plain_path),
    "Method": lambda request, method: request.method == method,
    "Header": lambda request, name, value: request.header(name) == value,
    "HeaderRegexp": lambda request, name, pattern: (
        (sent := request.header(name)) is not None and _searched(pattern, sent)
    ),
    "Query": lambda request, name, value: value in _query(request, name),
    "QueryRegexp": lambda request, name, pattern: any(_searched(pattern, one) for one in _query(request, name)),
}

words = st.text("ab01", min_size=1, max_size=4)
hosts = st.lists(words, min_size=1, max_size=3).map(".".join)
paths = st.lists(words, max_size=3).map(lambda several: "/" + "/".join(several))
queries = st.lists(st.builds("{}={}".format, words, words), max_size=2, unique_by=lambda one: one.partition("=")[0])


@st.composite
def requests(draw: st.DrawFn, rule: Rule) -> Request:
    """One that is near to the rule."""
    near: dict[Kind, list[str]] = {}
    for matcher in rule.matchers:
        near.setdefault(matcher.kind, []).extend(matcher.values)

    def drawn(kinds: tuple[Kind, ...], otherwise: st.SearchStrategy[str]) -> str:
        of_rule = [value for kind in kinds for value in near.get(kind, [])]
        shown = [re.sub(r"\{[^{}]*(?:\{[0-9]\})?[^{}]*\}", draw(words), value) for value in of_rule]
        return draw(st.sampled_from(shown) | otherwise if shown else otherwise)

    path_kinds = tuple(kind for kind in Kind if kind.value.startswith("Path"))
    path = drawn(path_kinds, paths) + draw(st.just("") | words | st.just("/x"))
    query = [one for one in (drawn((Kind.QUERY,), st.just("")), *draw(queries)) if one]
    headers = draw(st.lists(st.tuples(st.sampled_from(["X-Key", "Accept"]), words | st.just("a b")), max_size=2))
    for kind in (Kind.HEADERS, Kind.HEADERS_REGEXP):
        pairs = near.get(kind, [])
        headers += [pair for pair in zip(pairs[::2], pairs[1::2], strict=True) if draw(st.booleans())]
    return Request(
        drawn((Kind.HOST, Kind.HOST_REGEXP), hosts),
        path + ("?" + "&".join(query) if query else ""),
        drawn((Kind.METHOD,), st.sampled_from(["GET", "PUT"])),
        dict(headers),
    )


@given(st.data(), good_rules)
def test_both_traefiks_take_the_same_requests(data: st.DataObject, rule: Rule) -> None:
    try:
        new = translated(rule)
    except ValueError:
        return
    request = data.draw(requests(rule))
    names = [name for name, _ in parse_qsl(request.path.partition("?")[2], keep_blank_values=True)]
    assume(len(set(names)) == len(names))  # of several values Traefik 1 asks for the first, Traefik 3 for any
    old = reader.parse_rule(write_rule(rule))
    assume(not (old.matches(request) and old.slash_moved(request)))  # Traefik 3 does not send clients on
    assert takes(new, request) == old.matches(request), f"{write_rule(rule)}\n{new}\n{request}"
