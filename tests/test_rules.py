"""What the bridge reads and writes as Traefik 1's rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.labels.faults import SHOWN
from bridge.labels.rules import LENGTH, RuleError, asks_for_hosts, checked_rule, parse_rule, write_rule
from bridge.model.route import MODIFIERS, Kind, Matcher, Rule
from tests.golden_reader import Configuration, Store, configuration
from tests.golden_reader import rules as reader
from tests.golden_reader.text import pasted

RECORDINGS = sorted((Path(__file__).parent / "golden" / "traefik1").glob("*.json"))
OF_VALUES = tuple(kind for kind in Kind if kind.value.startswith(("Host", "Path")))  # any of which may match


def rule(*matchers: tuple[Kind, tuple[str, ...]]) -> Rule:
    return Rule(tuple(Matcher(kind, values) for kind, values in matchers))


def of_kind(kinds: st.SearchStrategy[Kind], values: st.SearchStrategy[str], least: int) -> st.SearchStrategy[Matcher]:
    return st.builds(Matcher, kinds, st.lists(values, min_size=least, max_size=4).map(tuple))


def rules(matchers: st.SearchStrategy[Matcher], least: int) -> st.SearchStrategy[Rule]:
    return st.builds(Rule, st.lists(matchers, min_size=least, max_size=4).map(tuple))


plain_text = st.text("ab09./{}-", min_size=1, max_size=8)
odd_text = st.text(st.one_of(st.sampled_from(':;, \t\u3000{}=aé/.\\"'), st.characters()), max_size=8)
any_kind = st.sampled_from(Kind)

# Values that their matchers take.
words = st.text("ab01", min_size=1, max_size=4)
hosts = st.lists(words, min_size=1, max_size=3).map(".".join)
paths = st.lists(words, max_size=3).map(lambda parts: "/" + "/".join(parts))
expressions = st.sampled_from(["[a-z]+", ".*", "^a$", "(a|b)", "x{2}", r"\d", r"a\.b"])
variables = st.builds("{{{}:{}}}".format, words, expressions) | st.builds("{{{}}}".format, words)
host_patterns = hosts | st.builds("{}.{}".format, variables, hosts)
path_patterns = paths | st.builds("{}/{}".format, st.just("/a"), variables)
names = st.sampled_from(["X-Key", "Content-Type", "Accept", "X_a"])


def pairs(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    found = st.lists(st.tuples(names, values), min_size=1, max_size=3, unique_by=lambda pair: pair[0])
    return found.map(lambda several: tuple(word for pair in several for word in pair))


def several(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


def one(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.tuples(values)


GOOD = {
    Kind.HOST: several(hosts),
    Kind.HOST_REGEXP: several(host_patterns),
    Kind.PATH: several(path_patterns),
    Kind.PATH_STRIP: several(paths),
    Kind.PATH_STRIP_REGEX: several(path_patterns),
    Kind.PATH_PREFIX: several(path_patterns),
    Kind.PATH_PREFIX_STRIP: several(paths),
    Kind.PATH_PREFIX_STRIP_REGEX: several(path_patterns),
    Kind.METHOD: several(st.sampled_from(["GET", "POST", "PUT"])),
    Kind.HEADERS: pairs(words | st.sampled_from(["a b", "http://a", '"q"', "'`", "{x}"])),
    Kind.HEADERS_REGEXP: pairs(expressions),
    Kind.QUERY: several(st.builds("{}={}".format, words, words | st.just("") | st.just("{v:[0-9]+}"))),
    Kind.ADD_PREFIX: one(paths),
    Kind.REPLACE_PATH: one(paths),
    Kind.REPLACE_PATH_REGEX: one(st.builds("{} {}".format, expressions, paths) | st.just("^/(.*) /0/$1")),
}
good_matchers = any_kind.flatmap(lambda kind: st.builds(Matcher, st.just(kind), GOOD[kind]))
good_rules = rules(good_matchers, 1).filter(lambda one: any(m.kind not in MODIFIERS for m in one.matchers))


def test_every_matcher_has_values_that_it_takes_in_these_tests() -> None:
    assert set(GOOD) == set(Kind)


@given(rules(of_kind(any_kind, plain_text | plain_text.map(":".join) | odd_text, 0) | good_matchers, 0))
def test_a_rule_reads_back_as_itself_or_cannot_be_written(given_rule: Rule) -> None:
    try:
        text = write_rule(given_rule)
    except ValueError:
        return
    assert parse_rule(text) == given_rule


@given(st.one_of(rules(st.builds(Matcher, st.sampled_from(OF_VALUES), several(plain_text)), 1), good_rules))
def test_a_rule_of_plain_values_can_be_written_and_reads_back(given_rule: Rule) -> None:
    assert parse_rule(write_rule(given_rule)) == given_rule


PIECES = [*(f"{kind.value}:" for kind in Kind), "Host", "host", ":", ";", ",", " ", "a.local", "/x", "\\", "a=", "{x}"]
PIECES += ["X-Key", "[", "a b", "\\u002c", "`", "("]
texts = st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


def faults(text: str) -> list[RuleError]:
    """What is wrong with a text that cannot be read. What can be, can be written and reads back."""
    found = []
    for read in (parse_rule, checked_rule):
        try:
            rule = read(text)
        except RuleError as err:
            found.append(err)
        else:
            assert parse_rule(write_rule(rule)) == rule
    return found


@given(texts | odd_text)
def test_any_text_is_a_writable_rule_or_a_rule_error_that_points_into_it(text: str) -> None:
    for fault in faults(text):
        assert 0 <= fault.at <= len(fault.text)
        assert str(fault).isprintable()


@given(texts | odd_text)
def test_what_a_label_may_ask_for_is_taken_and_canonical(text: str) -> None:
    """A checked rule is Traefik's rule too, and checking it again changes nothing."""
    try:
        found = checked_rule(text)
    except RuleError:
        return
    written = write_rule(found)
    if "\\" not in written:  # else it might be taken for escaped
        assert checked_rule(written) == found
    reader.parse_rule(written)


def escaped(text: str) -> str:
    """As TOML takes it: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


@settings(max_examples=50)
@given(good_rules)
def test_a_reader_built_from_recordings_takes_every_rule(given_rule: Rule) -> None:
    tree = {
        "/traefik/frontends/f/backend": "b",
        "/traefik/frontends/f/routes/main/rule": escaped(write_rule(given_rule)),
        "/traefik/backends/b/servers/s/url": "http://10.0.0.1:80",
    }
    found = configuration(tree, "/traefik", Store.ETCD)
    assert isinstance(found, Configuration)
    assert found.verdict == "ok"


REQUESTS = [
    reader.Request(host, path, method, headers)
    for host in ("a.local", "0")
    for path in ("/", "/0", "/a/0", "/?a=")
    for method in ("GET", "POST")
    for headers in ({}, {"X-Key": "0"})
]


@given(
    good_rules,
    st.sampled_from([",", " , ", ",,", "\t,"]),
    st.sampled_from([";", ";;", " ;", ";\u3000"]),
    st.sampled_from([":", " : ", "::", ":,"]),
)
def test_a_text_with_all_that_traefik_forgives_means_the_rule(
    given_rule: Rule, comma: str, end: str, colon: str
) -> None:
    """To the reader built from recordings too, for each of some requests."""
    text = end.join(one.kind.value + colon + comma.join(one.values) for one in given_rule.matchers)
    assert parse_rule(text) == given_rule
    as_it_was, canonical = reader.parse_rule(text), reader.parse_rule(write_rule(given_rule))
    for request in REQUESTS:
        assert canonical.matches(request) == as_it_was.matches(request)
        assert canonical.changes.apply(request.path) == as_it_was.changes.apply(request.path)


# Rules that Traefik takes and that are refused here all the same, and why.
REFUSED = {
    "229-frontend-rule-empty": "an empty rule takes every host",
    "319-rule-replacepathregex-bad": "nothing is replaced",
    "321-rule-replacepathregex-comma": "its comma breaks it",
    "336-rule-host-blank-arg": "it matches nothing",
    "322-rule-modifier-only": "it takes every host",
}
# Rules that are read, and that no label may ask for.
MATCH_NOTHING = {
    "283-rule-host-port",
    "292-rule-hostregexp-bad",
    "295-rule-path-noslash",
    "298-rule-pathprefix-noslash",
    "340-rule-unbalanced",
}


def recorded() -> list[tuple[str, str, bool]]:
    """Recording, rule as Traefik reads it, and whether its frontend lives."""
    found = []
    for path in RECORDINGS:
        recording = json.loads(path.read_text("utf-8"))
        rules = [value for key, value in recording["kv"].items() if "/f/routes/" in key and key.endswith("/rule")]
        if recording["verdict"] != "frozen" and "rule-" in path.stem and len(rules) == 1:
            found.append((path.stem, pasted(rules[0]), recording["verdict"] == "ok"))
    return found


@pytest.mark.parametrize(("name", "text", "lives"), recorded(), ids=[name for name, _, _ in recorded()])
def test_recorded_rules_are_taken_as_traefik_took_them(name: str, text: str, lives: bool) -> None:
    if not lives or name in REFUSED:
        with pytest.raises(RuleError):
            parse_rule(text)
        return
    reader.parse_rule(write_rule(parse_rule(text)))
    if name in MATCH_NOTHING:
        with pytest.raises(RuleError):
            checked_rule(text)
    else:
        checked_rule(text)


def test_the_recordings_hold_rules() -> None:
    assert len(recorded()) > 40
    assert {name for name, _, _ in recorded()} >= MATCH_NOTHING | REFUSED.keys()


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
        ("Method: get,Put,GET", rule((Kind.METHOD, ("GET", "PUT")))),
        ("Headers:x-b, 1,X-A,1", rule((Kind.HEADERS, ("x-b", "1", "X-A", "1")))),
        ("HeadersRegexp:X-A,[a-z]{2}", rule((Kind.HEADERS_REGEXP, ("X-A", "[a-z]{2}")))),
        ("Query:b=,a={x:[0-9]+}", rule((Kind.QUERY, ("b=", "a={x:[0-9]+}")))),
        ("Host:a;AddPrefix:/a,/b", rule((Kind.HOST, ("a",)), (Kind.ADD_PREFIX, ("/b",)))),
        ("ReplacePath:/a, ,/b,;Host:a", rule((Kind.REPLACE_PATH, ("/b",)), (Kind.HOST, ("a",)))),
        ("Path:/;ReplacePathRegex: ^/a /$1 ", rule((Kind.PATH, ("/",)), (Kind.REPLACE_PATH_REGEX, ("^/a /$1",)))),
        ("PathStripRegex:/{x}", rule((Kind.PATH_STRIP_REGEX, ("/{x}",)))),
        ("PathPrefixStripRegex:/{x},/y", rule((Kind.PATH_PREFIX_STRIP_REGEX, ("/{x}", "/y")))),
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
        (
            "Host:a.local; host:f.local",
            "unknown matcher 'host' (write Host) at character 15 of 'Host:a.local; host:f.local'",
        ),
        ("HostRegex:a", "unknown matcher 'HostRegex' (write HostRegexp) at character 1 of 'HostRegex:a'"),
        ("a.local", "unknown matcher 'a.local' (write Host:a.local) at character 1 of 'a.local'"),
        ("/x", "unknown matcher '/x' (write PathPrefix:/x) at character 1 of '/x'"),
        (
            "Host(`a.b`) && Path(`/x`)",
            "that is Traefik 2's syntax; write Host:a.b at character 5 of 'Host(`a.b`) && Path(`/x`)'",
        ),
        ("Host(a.local)", "that is Traefik 2's syntax; write Host:a.local at character 5 of 'Host(a.local)'"),
        ("Host(`a\x1b`)", r"that is Traefik 2's syntax; write Host:VALUE at character 5 of 'Host(`a\x1b`)'"),
        ("ClientIP(`::1`)", "that is Traefik 2's syntax; write Host:::1 at character 9 of 'ClientIP(`::1`)'"),
        ("Host:a;Headers:X-A", "Headers needs a value for each name at character 16 of 'Host:a;Headers:X-A'"),
        ("Headers:X A,1", "Headers 'X A': it is no name of a header at character 9 of 'Headers:X A,1'"),
        (
            "Headers:X-A, ,X-B,1",
            "Headers takes a blank value for any (of HeadersRegexp, .* asks for that) at character 13 of"
            " 'Headers:X-A, ,X-B,1'",
        ),
        (
            "HeadersRegexp:X-A,a[",
            "HeadersRegexp 'a[': its regular expression is wrong, or none of RE2's, at '['"
            " at character 20 of 'HeadersRegexp:X-A,a['",
        ),
        ("Query:a,b=c", "Query 'a': it needs a name and exactly one = at character 7 of 'Query:a,b=c'"),
        ("Query:a=b=c", "Query 'a=b=c': it needs a name and exactly one = at character 7 of 'Query:a=b=c'"),
        ("Query:=b", "Query '=b': it needs a name and exactly one = at character 7 of 'Query:=b'"),
        ("Query:{a}=b", "Query '{a}=b': a name is no pattern, only a value is one at character 7 of 'Query:{a}=b'"),
        ("Query:a=x{y", "Query 'a=x{y': its braces do not pair at character 10 of 'Query:a=x{y'"),
        ("Method:G(T", "Method 'G(T': it is no method of HTTP at character 8 of 'Method:G(T'"),
        ("AddPrefix:/x", "nothing but modifiers matches every host at character 1 of 'AddPrefix:/x'"),
        (
            "Host:a;AddPrefix:/x, ",
            "AddPrefix does nothing when its last value is blank at character 21 of 'Host:a;AddPrefix:/x, '",
        ),
        (
            "Path:/;ReplacePathRegex:a{1,2} /z",
            "ReplacePathRegex cannot hold a comma, which ends its value at character 29 of"
            " 'Path:/;ReplacePathRegex:a{1,2} /z'",
        ),
        (
            "Path:/;ReplacePathRegex:/a /b /c",
            "ReplacePathRegex '/a /b /c': it must be an expression, one blank, and what takes the place of what matches"
            " at character 25 of 'Path:/;ReplacePathRegex:/a /b /c'",
        ),
        (
            "Path:/;ReplacePathRegex:/a[ /b",
            "ReplacePathRegex '/a[ /b': its regular expression is wrong, or none of RE2's, at '['"
            " at character 27 of 'Path:/;ReplacePathRegex:/a[ /b'",
        ),
        ("PathPrefix:/a, ", "PathPrefix with a blank value takes every path at character 15 of 'PathPrefix:/a, '"),
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
        rule((Kind.HOST, ("a.local", "a.local"))),
        rule((Kind.ADD_PREFIX, ("/x",))),
        rule((Kind.HOST, ("a",)), (Kind.ADD_PREFIX, ("/x", "/y"))),
        rule((Kind.METHOD, ("get",))),
        rule((Kind.HEADERS, ("X-A",))),
        rule((Kind.HEADERS, ("X.A", "1"))),
        rule((Kind.HEADERS_REGEXP, ("X-A", "["))),
        rule((Kind.QUERY, ("a",))),
        rule((Kind.HOST, ("a",)), (Kind.REPLACE_PATH_REGEX, ("/a",))),
    ],
    ids=repr,
)
def test_a_rule_that_traefik_would_die_of_or_misread_cannot_be_written(deadly: Rule) -> None:
    with pytest.raises(ValueError, match=r"^(a rule needs|[A-Za-z]+ needs|[A-Za-z]+ cannot hold)"):
        write_rule(deadly)


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("Host: A.Local,a.local , B", "Host:a.local,b"),
        ("Host:fé.local", "Host:xn--f-bga.local"),
        (r"HostRegexp:{Sub:\d+}.F.local", r"HostRegexp:{Sub:\d+}.f.local"),
        (r"HostRegexp:{sub:\\d+}.f.local", r"HostRegexp:{sub:\d+}.f.local"),
        (r"Host:\u0066.local", "Host:f.local"),
        (r"Host:a\u003bPath:/x", "Host:a;Path:/x"),
        (r"Headers:x-q,\"v\"", 'Headers:X-Q,"v"'),
        ("Host:a,b;Host:b,c", "Host:a,b;Host:b,c"),
        ("Method:get;Path:/x", "Method:GET;Path:/x"),
        ("Query:a={x:1},b={y:2};Path:/{z}", "Query:a={x:1},b={y:2};Path:/{z}"),
        (
            "Host:a;PathPrefixStripRegex:/{v:v[0-9]};AddPrefix:/x",
            "Host:a;PathPrefixStripRegex:/{v:v[0-9]};AddPrefix:/x",
        ),
        ("Host:a;ReplacePathRegex:^/api/(.*) /$1", "Host:a;ReplacePathRegex:^/api/(.*) /$1"),
    ],
)
def test_a_labels_rule_is_written_in_canonical_form(label: str, written: str) -> None:
    assert write_rule(checked_rule(label)) == written


@pytest.mark.parametrize(
    ("label", "reason", "character"),
    [
        ("Host:a,b:80", "Host 'b:80': it is no host name", 8),
        ("Host:*.a", "no wildcard", 6),
        ("Host:a.", "no host name", 6),
        ("Path:/a;HostRegexp:{x:[}.a", "regular expression is wrong", 23),
        ("HostRegexp:{x.a", "braces do not pair", 12),
        ("Path:foo", "a path begins with /", 6),
        ("PathPrefix:/a, foo", "a path begins with /", 16),
        ("PathPrefixStrip:/{x}", "strips only what is written", 17),
        ("PathStripRegex:/a/{x:(}", "regular expression is wrong", 23),
        ("PathStripRegex:/{x}/{x}", "one name stands in two", 16),
        ("Host:a;AddPrefix:x", "a path begins with /", 18),
        ("Host:a;ReplacePath:/{x}", "braces into the path as they are written", 20),
        ("Host:a;Host:b,c", "without a value in common", 13),
        ("Method:GET;Method:PUT", "without a value in common", 19),
        ("Headers:Host,a", "write Host:NAME", 9),
        ("Headers:X-A,1,x-a,2", "the last alone", 15),
        ("Headers:X-A,a\x01b", "cannot be printed", 13),
        ("Query:a={x:1},b={x:2}", "stands in another pattern too", 15),
        ("Query:a={x};Path:/{x}", "stands in another pattern too", 7),
        ("AddPrefix:/x", "matches every host", 1),
        ("Host:" + "a" * LENGTH, "longer than", LENGTH + 1),
    ],
)
def test_a_label_cannot_ask_for_what_matches_nothing(label: str, reason: str, character: int) -> None:
    with pytest.raises(RuleError, match=reason) as fault:
        checked_rule(label)
    assert fault.value.at + 1 == character


def test_of_a_long_rule_an_error_shows_what_stands_around_the_character() -> None:
    with pytest.raises(RuleError) as fault:
        parse_rule("Host:" + "a," * 500 + "b;Foo:1;" + "Host:a;" * 500)
    assert "at character 1008 of '…a,a," in str(fault.value)
    assert ";Foo:1;Host:a" in str(fault.value)
    assert len(str(fault.value)) < SHOWN + 60


@pytest.mark.parametrize(
    ("text", "asks"),
    [("Host:a", True), ("PathPrefix:/x;HostRegexp:{x}.a", True), ("PathPrefix:/x", False), ("Method:GET", False)],
)
def test_a_rule_tells_whether_it_asks_for_hosts(text: str, asks: bool) -> None:
    assert asks_for_hosts(parse_rule(text)) is asks
