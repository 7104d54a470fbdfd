"""What an owner may write on a service, and what becomes of everything else."""

from __future__ import annotations

import re
import warnings
from ipaddress import ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.labels import table
from bridge.labels.expressions import breaker
from bridge.labels.lookup import meant, speaks_only_newer, spot
from bridge.labels.notes import NO_ROUTE
from bridge.labels.patterns import check_expression, split_pattern
from bridge.labels.read import Asked, Pool, read
from bridge.labels.table import ADDRESS, TABLE, Label, Listed, Row, Vocabulary, forms
from bridge.labels.types import Publish, address, decoded, host, host_pattern, path, path_pattern, publish, truth
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.problem import Problem
from bridge.model.route import Frontend, Kind, Matcher, RateLimit, RateSet, Route
from bridge.model.world import is_ours
from tests.golden_reader import Store, verdict

NAMED = {row.name: row for row in TABLE}
SHORT = [row for row in TABLE if row.vocabulary is not Vocabulary.NATIVE]
WEB = {"traefik.enable": "true", "traefik.domain": "local"}


def asked(labels: dict[str, str], publish: Publish = Publish.SERVICE) -> Asked:
    return read("shop/web", "web", "shop", publish, labels)


def pool(found: Asked) -> Pool:
    """The one of a service without segments."""
    (one,) = found.pools
    return one


def hosts(labels: dict[str, str], publish: Publish = Publish.SERVICE) -> Matcher:
    return asked(labels, publish).frontends[0].rule.matchers[0]


def problems(labels: dict[str, str]) -> list[Problem]:
    return [problem for problem in asked(labels).problems if not problem.notice]


def notices(labels: dict[str, str]) -> list[Problem]:
    return [problem for problem in asked(labels).problems if problem.notice]


class TestTable:
    def test_every_row_is_found_by_its_own_name_alone(self) -> None:
        assert len({row.name for row in TABLE}) == len(TABLE) == 122
        for row in TABLE:
            for name in table.forms(row):
                found = spot(name.replace(table.SEGMENT, "admin").replace(table.INNER, "inner"))
                assert found is not None
                assert found.row is row
                assert bool(found.segment) is (table.SEGMENT in name)
                assert bool(found.inner) is (table.INNER in name)

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
    def test_a_rows_example_is_valid(self, row: Label[object] | Listed[object]) -> None:
        for text in row.example.split(",") if isinstance(row, Listed) else [row.example]:
            row.parse(text)

    @pytest.mark.parametrize("row", [row for row in TABLE if isinstance(row, Label)], ids=lambda row: row.name)
    def test_a_rows_default_is_a_value_that_its_own_parser_gives(self, row: Label[object]) -> None:
        """But for what is not there: no text, no number, no headers."""
        for default in (row.default, *(row.native or ())):
            if isinstance(default, bool):
                assert row.parse("true" if default else "false") is default
            elif default and not isinstance(default, Publish):
                assert row.parse(str(default)) == default

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
    def test_a_row_says_all_that_a_reader_wants_to_know(self, row: Row) -> None:
        assert row.means.endswith(".")
        assert row.sets
        assert bool(row.since) is (row.vocabulary in (Vocabulary.NATIVE, Vocabulary.BOTH))
        assert not row.beats or row.vocabulary is Vocabulary.NATIVE
        assert {NAMED[name].vocabulary for name in row.beats} <= {Vocabulary.SHORT}
        assert not row.segmented or row.vocabulary in (Vocabulary.NATIVE, Vocabulary.BOTH)

    def test_what_keeps_requests_away_protects(self) -> None:
        """The same that the layout's steps bring before what opens, as the design lists it."""
        protecting = re.compile(
            r"traefik\.frontend\.(auth\..*|whiteList\..*|whitelistSourceRange|redirect\..*|entryPoints|passTLSCert"
            r"|headers\.(allowedHosts|SSL.*))"
        )
        assert [row.name for row in TABLE if row.protects] == [
            row.name for row in TABLE if protecting.fullmatch(row.name)
        ]


class TestWords:
    @pytest.mark.parametrize("text", ["1", "t", "T", "true", "TRUE", "True"])
    def test_gos_words_for_true_enable(self, text: str) -> None:
        assert truth(text) is True
        assert publish(text) is Publish.SERVICE

    @pytest.mark.parametrize("text", ["0", "f", "F", "false", "FALSE", "False"])
    def test_gos_words_for_false_do_not(self, text: str) -> None:
        assert truth(text) is False
        assert publish(text) is Publish.NO

    @pytest.mark.parametrize("text", ["yes", "on", "tRUE", " true", "Stack", "2", "stack ", "\u0661"])
    def test_any_other_word_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="none of"):
            publish(text)


class TestNumbers:
    @pytest.mark.parametrize(("text", "port"), [("1", 1), ("65535", 65535), ("080", 80), ("+80", 80)])
    def test_a_port_is_a_whole_number_as_go_reads_it(self, text: str, port: int) -> None:
        assert table.PORT.parse(text) == port

    @pytest.mark.parametrize(
        "text", ["0", "65536", "-1", " 80", "80 ", "http", "8_0", "0x50", "80.0", "٨٠", "9" * 5000]
    )
    def test_what_is_no_port_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"whole number|between|beyond"):
            table.PORT.parse(text)

    def test_a_weight_reaches_from_nothing_to_the_most_that_traefik_reads(self) -> None:
        assert (table.WEIGHT.parse("0"), table.WEIGHT.parse("2147483647")) == (0, 2**31 - 1)
        for text in ("-1", "2147483648"):
            with pytest.raises(ValueError, match=r"between|beyond"):
                table.WEIGHT.parse(text)


class TestEscapes:
    @pytest.mark.parametrize(
        ("text", "plain"),
        [
            (r"\\d+", r"\d+"),
            (r"\"x\" \u0041 \U0001F600", '"x" A 😀'),
            (r"\d+", r"\d+"),
            (r"\\d\d", r"\\d\d"),
            (r'"\\d"', r'"\\d"'),
            ("\\", "\\"),
            (r"\u00", r"\u00"),
            (r"\UFFFFFFFF", r"\UFFFFFFFF"),
            (r"\ud800", r"\ud800"),
            (r"\bfoo\b", r"\bfoo\b"),
            (r"\u000a", r"\u000a"),
            ("plain", "plain"),
        ],
    )
    def test_only_text_that_is_escaped_as_a_whole_is_decoded(self, text: str, plain: str) -> None:
        assert decoded(text) == plain

    def test_text_is_decoded_once(self) -> None:
        assert decoded(r"\\\\d") == r"\\d"

    @pytest.mark.parametrize("text", [r"{x:\d+}.local", r"{x:\\d+}.local"])
    def test_an_owner_may_write_a_pattern_escaped_or_plain(self, text: str) -> None:
        assert hosts({"traefik.domain.regexp": text}).values[0] == r"{x:\d+}.local"

    @pytest.mark.parametrize("escape", [r"\u002c", r"\u003b", r"\u003a\u003a", r"\u0020"])
    def test_no_escape_brings_a_separator_into_a_value(self, escape: str) -> None:
        assert not asked(WEB | {"traefik.path": f"/a{escape}"}).frontends


class TestHosts:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("Example.COM", "example.com"),
            ("a_b.local", "a_b.local"),
            ("10.0.0.1", "10.0.0.1"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("a" * 63 + ".x", "a" * 63 + ".x"),
        ],
    )
    def test_a_host_is_lower_case_and_ascii(self, text: str, name: str) -> None:
        assert host(text) == name

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a.",
            ".a",
            "a..b",
            "a:80",
            "*.a",
            "a b",
            "a/b",
            "http://a",
            "[::1]",
            "{x}.a",
            "a\n",
            "a" * 64,
            "a." * 127,
            "straße.de",
            "a\u200db",
            "\ud800.a",
            "ü" * 2000,
            "a\x00",
            "x" * 10**6,
            "ü..a",
            "a;b",
            "a\\u0062",
        ],
    )
    def test_what_traefik_would_never_match_is_no_host(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"host name|longer|letters"):
            host(text)

    @pytest.mark.parametrize("text", ["10.42.0.1", "::1", "fd00::5"])
    def test_an_address_is_written_canonically(self, text: str) -> None:
        assert address(text) == text
        assert address("FD00:0::5") == "fd00::5"

    @pytest.mark.parametrize(
        "text", ["", "10.42.0.1/16", "10.42.0", "0.0.0.0", "::", "fe80::1%eth0", "[::1]", "10.0.0.1:80"]
    )
    def test_what_no_request_can_be_sent_to_is_no_address(self, text: str) -> None:
        with pytest.raises(ValueError, match="address"):
            address(text)


class TestPatterns:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a",
            ".+",
            "[a-z]+",
            "[^.]+",
            "(a|b)",
            "(?:a|b)?",
            "(?i:x)",
            r"\d{2}",
            r"\d{2,}",
            r"\d{1,3}?",
            r"a\.b",
            "[a-z]{63}",
            "[[:alpha:]]+",
            r"[\w-]+",
            "[a-]",
            "[-a]",
            "a*?",
            "a|",
            r"\bx\b",
            "^a$",
            "(a{10}){100}",
            r"[\x41-\x5a]",
            r"\x41",
            "[a-c-e]",
        ],
    )
    def test_what_re2_takes_is_taken(self, text: str) -> None:
        check_expression(text)

    @pytest.mark.parametrize(
        "text",
        [
            "(?=a)",
            "(?!a)",
            "(?<=a)b",
            "(?>a)",
            "(?P<n>a)",
            r"(a)\1",
            "a++",
            "a**",
            "a{2}{3}",
            "*a",
            "(",
            ")",
            "a)",
            "[",
            "[]",
            "[z-a]",
            r"[a-\d]",
            r"\Qa",
            r"\Z",
            r"\pL",
            "\\",
            "a{1001}",
            "a{2,1001}",
            "a{3,2}",
            "(a{100}){100}",
            "a{2",
            "[[:foo:]]",
            "+",
            "(?",
            "]",
            "(" * 10_000,
            "(" * 21 + ")" * 21,
            "^*",
            "|*",
            r"\8",
            r"\e",
            "[a",
            "[^",
            r"[\x5a-\x41]",
        ],
    )
    def test_what_re2_refuses_or_might_refuse_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="regular expression"):
            check_expression(text)

    @settings(deadline=None)
    @given(
        st.lists(
            st.sampled_from([*"abz09.-_^$*+?()|[]{}\\:=!<", "(?:", "[^", "{2}", r"\d", "a-z", "[a-z]"]), max_size=9
        )
    )
    def test_whatever_is_taken_compiles(self, pieces: list[str]) -> None:
        """Python's own engine knows all that is taken here, by one other name, but classes by name."""
        text = "".join(pieces)
        try:
            check_expression(text)
        except ValueError:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of sets that Python may nest one day
            re.compile(re.sub(r"\\(.)", lambda escape: escape[0].replace("z", "Z"), text))

    def test_braces_are_paired_as_traefiks_router_pairs_them(self) -> None:
        assert split_pattern("/a/{x:[a-z]{2}}/{y}") == ("/a/", "x:[a-z]{2}", "/", "y", "")

    @pytest.mark.parametrize("text", ["{", "}", "{x", "x}", "{}", "{:a}", "{x:}", "{a b}", r"{x:\{}", "{x}}", "{{x}}"])
    def test_braces_that_do_not_pair_or_hold_no_name_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"braces|regular"):
            split_pattern(text)

    def test_a_patterns_expression_keeps_its_case_and_the_rest_is_lowered(self) -> None:
        assert host_pattern(r"{Sub:[A-Z]\d+}.Example.COM") == r"{Sub:[A-Z]\d+}.example.com"
        assert host_pattern("Example.COM") == "example.com"

    @pytest.mark.parametrize("escape", [r"\S", r"\D", r"\W", r"\B"])
    def test_a_hosts_pattern_holds_nothing_that_means_another_thing_in_lower_case(self, escape: str) -> None:
        """Traefik lowers the whole pattern before it compiles it."""
        with pytest.raises(ValueError, match="lowers"):
            host_pattern(f"{{sub:a{escape}b}}.example.com")
        assert host_pattern(r"{sub:a\\S}.example.com")  # a backslash, then a letter

    @pytest.mark.parametrize(
        "text", [r"[a-z]+\.x.org", "{x}:80", "{x}.", ".{x}", "{x}..a", "ü{x}", "{x} a", "{x:a,b}", "{x:a;}"]
    )
    def test_outside_its_braces_a_pattern_is_part_of_a_host(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"host name|rules cannot|blank"):
            host_pattern(text)


class TestPaths:
    @pytest.mark.parametrize("text", ["/", "/One/Two", "/a b", "/%20", "/ü", "/{id:[0-9]+}/x", "/a:b", '/"', "/\\d"])
    def test_a_path_keeps_its_case_and_its_characters(self, text: str) -> None:
        assert path_pattern(text) == text

    @pytest.mark.parametrize(
        "text", ["", "a", "//::", "/a;b", "/a,b", "/a:", "/a::b", "/a\n", "/\x00", "/a ", "/{x", "/}", "/\ud800"]
    )
    def test_what_traefik_would_read_otherwise_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            path_pattern(text)

    def test_a_stripped_path_is_no_pattern(self) -> None:
        """Traefik matches the pattern, strips nothing and answers 404."""
        assert path("/api") == "/api"
        with pytest.raises(ValueError, match="strips only"):
            path("/{x:[a-z]+}")


class TestBreaker:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("NetworkErrorRatio() > 0.5", "NetworkErrorRatio() > 0.5"),
            ("NetworkErrorRatio()>1", "NetworkErrorRatio() > 1.0"),
            ("NetworkErrorRatio() >= .5", "NetworkErrorRatio() >= 0.5"),
            ("LatencyAtQuantileMS(50) > 0100", "LatencyAtQuantileMS(50.0) > 100"),
            ("ResponseCodeRatio( 500,600 , 0,600)==1e-3", "ResponseCodeRatio(500, 600, 0, 600) == 0.001"),
            (
                "(LatencyAtQuantileMS(50.0) > 100&&NetworkErrorRatio() >= 0.5) || NetworkErrorRatio() != 1",
                "(LatencyAtQuantileMS(50.0) > 100 && NetworkErrorRatio() >= 0.5) || NetworkErrorRatio() != 1.0",
            ),
        ],
    )
    def test_an_expression_is_written_as_traefik_wants_it(self, text: str, written: str) -> None:
        assert breaker(text) == written
        assert breaker(written) == written

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "NetworkErrorRatio()",
            "networkErrorRatio() > 0.5",
            "NetworkErrorRatio( > ",
            'Foo("',
            "0.5 < NetworkErrorRatio()",
            "LatencyAtQuantileMS(50.0) > 100.5",
            "!(NetworkErrorRatio() > 0.5)",
            "NetworkErrorRatio() > -1",
            "Foo() > 1",
            "ResponseCodeRatio(500, 600) > 0.5",
            "ResponseCodeRatio(500, 600, 0, 600.0) > 0.5",
            "NetworkErrorRatio() > 1e999",
            "NetworkErrorRatio() > 0.5 &&",
            "NetworkErrorRatio() > 0.5 NetworkErrorRatio() > 0.5",
            "(" * 5000,
            "()",
            "&&",
            "NetworkErrorRatio() + 1 > 2",
            "NetworkErrorRatio() > 0x1",
            "LatencyAtQuantileMS(50.0) > 9223372036854775808",
            "(NetworkErrorRatio() > 0.5",
            "NetworkErrorRatio() > 0.5)",
            "NetworkErrorRatio(0.5) > 1",
            "\ud800",
            "(" * 21,
        ],
    )
    def test_what_traefik_would_refuse_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            breaker(text)


class TestRead:
    def test_without_labels_all_is_as_rancher_traefik_has_it(self) -> None:
        found = asked({"traefik.enable": "true"})
        assert (pool(found).port, pool(found).protocol, pool(found).weight) == (80, "http", 5)
        assert pool(found).backend.method == "drr"
        assert pool(found).backend.breaker == "NetworkErrorRatio() > 0.5"
        assert not pool(found).backend.sticky
        (frontend,) = found.frontends
        assert frontend == Frontend("", frontend.rule)
        assert frontend.rule.matchers == (Matcher(Kind.HOST, ("web.shop",)),)
        assert (found.problems, found.refusals) == ((), ())

    def test_empty_text_counts_as_no_label(self) -> None:
        labels = {row.name: "" for row in TABLE if not row.protects}
        assert asked(labels).frontends == asked({}).frontends
        assert (asked(labels).pools[0].port, asked(labels).pools[0].backend) == (80, asked({}).pools[0].backend)
        assert (asked(labels).problems, asked(labels).refusals) == ((), ())

    @pytest.mark.parametrize("name", [name for row in TABLE if row.protects for name in forms(row)])
    def test_an_empty_protection_costs_the_route(self, name: str) -> None:
        """A variable without a value may have left it so: published, it would be open."""
        name = name.replace("<segment>", "admin")
        found = asked(WEB | {name: ""})
        assert [refusal.gate for refusal in found.refusals] == ["protection"]
        assert [(one.label, one.did) for one in problems(WEB | {name: ""})] == [(name, "no route")]

    def test_each_setting_tells_where_it_comes_from(self) -> None:
        found = {one.name: (one.value, one.origin) for one in asked(WEB | {"traefik.weight": "3"}).settings}
        assert found["weight"] == ("3", "traefik.weight")
        assert found["port"] == ("80", "default")
        assert found["hosts"] == ("web.shop.local", "traefik.domain")

    def test_hosts_come_in_the_order_of_domains_aliases_and_full_names(self) -> None:
        labels = {"traefik.domain": "A.org, b.org", "traefik.alias": "www,", "traefik.alias.fqdn": "X.com,b.org"}
        assert hosts(labels) == Matcher(
            Kind.HOST, ("web.shop.a.org", "web.shop.b.org", "www.a.org", "www.b.org", "x.com", "b.org")
        )

    def test_stack_leaves_the_service_out_of_the_host(self) -> None:
        assert hosts(WEB, Publish.STACK).values == ("shop.local",)

    def test_without_a_domain_even_stack_means_service_and_stack(self) -> None:
        assert hosts({}, Publish.STACK).values == ("web.shop",)

    def test_a_full_alias_needs_no_domain(self) -> None:
        assert hosts({"traefik.alias.fqdn": "x.com"}).values == ("web.shop", "x.com")

    def test_an_alias_without_a_domain_is_a_problem_and_no_host(self) -> None:
        labels = {"traefik.alias": "www"}
        assert hosts(labels).values == ("web.shop",)
        assert [problem.label for problem in problems(labels)] == ["traefik.alias"]

    def test_a_bad_host_among_several_costs_only_itself(self) -> None:
        labels = {"traefik.domain": "local,*.org"}
        assert hosts(labels).values == ("web.shop.local",)
        assert [(problem.value, problem.did) for problem in problems(labels)] == [("*.org", "left it out")]

    def test_where_no_host_is_left_there_is_no_rule(self) -> None:
        """Not the default host: nobody asked for it."""
        found = asked({"traefik.domain": "*.org"})
        assert found.frontends == ()
        assert [refusal.gate for refusal in found.refusals] == ["rule"]
        assert [problem.did for problem in found.problems] == ["left it out", NO_ROUTE]

    def test_names_too_long_for_a_host_when_joined_are_a_problem(self) -> None:
        assert not asked({"traefik.domain": ".".join(["a" * 61] * 4)}).frontends

    def test_a_service_whose_name_is_no_part_of_a_host_needs_another_name(self) -> None:
        assert not read("shop/a b", "a b", "shop", Publish.SERVICE, WEB).frontends
        named = read("shop/a b", "a b", "shop", Publish.SERVICE, {"traefik.alias.fqdn": "x.com"})
        assert named.frontends[0].rule.matchers == (Matcher(Kind.HOST, ("x.com",)),)

    def test_one_frontend_for_each_path_label(self) -> None:
        labels = WEB | {
            "traefik.path.prefix.strip": "/d",
            "traefik.path.prefix": "/c",
            "traefik.path.strip": "/b",
            "traefik.path": "/a,/A",
        }
        host = Matcher(Kind.HOST, ("web.shop.local",))
        assert [(frontend.segment, frontend.rule.matchers) for frontend in asked(labels).frontends] == [
            ("", (host, Matcher(Kind.PATH, ("/a", "/A")))),
            ("path.strip", (host, Matcher(Kind.PATH_STRIP, ("/b",)))),
            ("path.prefix", (host, Matcher(Kind.PATH_PREFIX, ("/c",)))),
            ("path.prefix.strip", (host, Matcher(Kind.PATH_PREFIX_STRIP, ("/d",)))),
        ]

    def test_the_first_path_label_that_is_there_has_the_plain_name(self) -> None:
        assert [frontend.segment for frontend in asked(WEB | {"traefik.path.prefix": "/c"}).frontends] == [""]

    def test_a_frontend_is_never_published_without_the_paths_it_was_to_have(self) -> None:
        found = asked(WEB | {"traefik.path": "/a", "traefik.path.prefix": "api"})
        assert found.frontends == ()
        assert [refusal.gate for refusal in found.refusals] == ["rule"]

    def test_a_rule_too_long_for_a_store_costs_the_route(self) -> None:
        assert not asked({"traefik.alias.fqdn": ",".join(f"h{n}.example.org" for n in range(5000))}).frontends

    def test_names_too_many_for_a_rule_are_not_even_made(self) -> None:
        """Aliases times domains: two labels of some kilobytes could ask for more names than memory holds."""
        several = {name: ",".join(f"h{n}" for n in range(20_000)) for name in ("traefik.domain", "traefik.alias")}
        found = asked(several)
        assert found.frontends == ()
        assert [problem.label for problem in found.problems if problem.did == NO_ROUTE][:1] == ["traefik.alias"]

    def test_a_priority_below_two_is_written_as_two(self) -> None:
        for text in ("1", "0", "-5"):
            labels = WEB | {"traefik.priority": text}
            assert asked(labels).frontends[0].priority == 2
            assert [notice.value for notice in notices(labels)] == [text]

    def test_a_rate_limit_is_per_client(self) -> None:
        labels = WEB | {"traefik.ratelimit.enable": "true", "traefik.ratelimit.average": "7"}
        assert asked(labels).frontends[0].rate_limit == RateLimit("client.ip", (("main", RateSet(10, 7, 200)),))

    def test_a_rate_limit_that_is_not_enabled_is_none(self) -> None:
        labels = WEB | {"traefik.ratelimit.average": "x"}
        assert asked(labels).frontends[0].rate_limit is None
        assert problems(labels) == []

    @pytest.mark.parametrize("name", ["traefik.port", "traefik.protocol"])
    def test_a_bad_port_or_protocol_costs_the_route(self, name: str) -> None:
        found = asked(WEB | {name: "zzz"})
        assert [refusal.gate for refusal in found.refusals] == [name.removeprefix("traefik.")]
        assert [problem.did for problem in found.problems] == [NO_ROUTE]

    @pytest.mark.parametrize(
        "row",
        [
            row
            for row in SHORT
            if isinstance(row, Label) and not row.gate and row is not ADDRESS and "rate" not in row.sets
        ],
    )
    def test_every_other_bad_value_is_a_problem_and_the_default(self, row: Label[object]) -> None:
        found = asked(WEB | {row.name: "zzz"})
        assert found.refusals == ()
        assert [(problem.label, problem.value) for problem in found.problems] == [(row.name, "zzz")]
        assert found.frontends == asked(WEB).frontends
        assert (pool(found).weight, pool(found).backend) == (pool(asked(WEB)).weight, pool(asked(WEB)).backend)

    @pytest.mark.parametrize("name", ["period", "average", "burst"])
    def test_a_bad_rate_is_a_problem_and_the_default(self, name: str) -> None:
        labels = WEB | {"traefik.ratelimit.enable": "true", f"traefik.ratelimit.{name}": "0"}
        assert asked(labels).frontends[0].rate_limit == RateLimit("client.ip", (("main", RateSet(10, 100, 200)),))
        assert [problem.label for problem in problems(labels)] == [f"traefik.ratelimit.{name}"]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("traefik.ratelimit.enable", "yes"),
            ("traefik.frontend.rateLimit.extractorFunc", "ip"),
            ("traefik.backend.maxconn.amount", "ten"),
        ],
    )
    def test_a_limit_that_cannot_be_read_is_no_notice_but_a_problem_that_says_there_is_none(
        self, name: str, text: str
    ) -> None:
        found = asked(WEB | {"traefik.port": "80", name: text})
        assert (found.frontends[0].rate_limit, pool(found).backend.max_conn) == (None, None)
        (problem,) = problems(WEB | {"traefik.port": "80", name: text})
        assert (problem.label, problem.value, problem.did) == (name, text, "published without this limit")

    def test_a_label_that_is_not_known_is_ignored_with_a_notice(self) -> None:
        labels = WEB | {"traefik.enabled": "true", "traefik.PORT": "x", "other.label": "x", "traefik.zzzzzz": "y"}
        assert [(one.label, one.value, one.reason, one.suggestion) for one in notices(labels)] == [
            ("traefik.PORT", "", "it is not known", "did you mean traefik.port?"),
            ("traefik.enabled", "", "it is not known", "did you mean traefik.enable?"),
            ("traefik.zzzzzz", "", "it is not known", ""),
        ]
        assert asked(labels).refusals == ()

    @pytest.mark.parametrize(
        "name",
        [
            "traefik.frontend.auth.basic.user",
            "traefik.admin.frontend.rul",
            "traefik.Frontend.auth.basic",
            "traefik.frontend.frontend.rule",
            "traefik.backend.frontend.rule",
            "traefik.frontend.passhostheader",
            "Traefik.frontend.auth.basic.users",
            "TRAEFIK.FRONTEND.AUTH.BASIC.USERS",
            " traefik.frontend.auth.basic.users",
            "traefik.frontend.auth.basic.users ",
            "\ttraefik.admin.frontend.whiteList.sourceRange",
            "\ufefftraefik.frontend.redirect.entryPoint",
            "traefik-frontend-auth-basic-users",
            "traefik_frontend.headers.SSLRedirect",
            "traefik.frontend_headers.SSLHost",
            "traefikfrontend.auth.basic.users",
            "traefik .frontend.auth.basic.users",
            "traefik.fronted.whitlist.sourceRange",
            "traefik.basic.users",
        ],
    )
    def test_a_frontend_label_that_is_not_known_costs_the_route_and_keeps_its_secret(self, name: str) -> None:
        found = asked(WEB | {name: "user:$apr1$secret"})
        assert [refusal.gate for refusal in found.refusals] == ["protection"]
        assert "secret" not in repr(found)

    @pytest.mark.parametrize(
        ("name", "better"),
        [
            ("traefik.enabled", "traefik.enable"),
            ("traefik.Domain", "traefik.domain"),
            ("traefik.frontend.rul", "traefik.frontend.rule"),
            ("traefik.admin.frontend.auth.basic.user", "traefik.admin.frontend.auth.basic.users"),
            ("traefik.frontend.passhostheader", "traefik.frontend.passHostHeader"),
            ("traefik.backend.loadbalancer.metod", "traefik.backend.loadbalancer.method"),
            ("traefik.admin.prot", "traefik.admin.port"),
            ("traefik.a.b.Weight", "traefik.a.b.weight"),
            ("traefik.zzzzzz", ""),
            ("traefik.admin.zzzzzz", ""),
            ("traefik.http.routers.web.rule", ""),
            ("Traefik.port", "traefik.port"),
            (" traefik.frontend.auth.basic.users", "traefik.frontend.auth.basic.users"),
            ("traefik-frontend-auth-basic-users", "traefik.frontend.auth.basic.users"),
            ("traefik_admin_frontend_auth_basic_users", "traefik.admin.frontend.auth.basic.users"),
            ("TRAEFIK.FRONTEND.WHITELIST.SOURCERANGE", "traefik.frontend.whiteList.sourceRange"),
            ("traefik..frontend.auth.basic.users", "traefik.frontend.auth.basic.users"),
            ("treafik.frontend.auth.basic.users", "traefik.frontend.auth.basic.users"),
            ("traefic.admin.frontend.auth.basic.users", "traefik.admin.frontend.auth.basic.users"),
            ("raefik.frontend.auth.basic.users", "traefik.frontend.auth.basic.users"),
            ("traefil.admin.frontend.auth.basic.users", "traefik.admin.frontend.auth.basic.users"),
            ("traefik." + "port" * 100, ""),
        ],
    )
    def test_a_slip_is_met_with_the_label_that_was_meant(self, name: str, better: str) -> None:
        assert meant(name) == better

    @pytest.mark.parametrize("row", [table.BASIC_USERS, table.WHITELIST, table.SSL_REDIRECT], ids=lambda row: row.name)
    def test_no_slip_of_one_character_opens_a_route(self, row: Row) -> None:
        """One that is left out, doubled, added, another, in another case, or changed places with the next."""
        name, at = row.name, range(len(row.name))
        slips = {name[:i] + new + name[i + 1 :] for i in at for new in ("", name[i] * 2, "x", name[i].swapcase(), "-")}
        slips |= {name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in at[:-1]}
        slips |= {name[:i] + new + name[i:] for i in at for new in ("x", "-", " ")}
        slips = {slip for slip in slips if spot(slip) is None}
        assert len(slips) > 240
        open_ones = [slip for slip in slips if not is_ours(slip) or not asked(WEB | {slip: row.example}).refusals]
        assert open_ones == []

    def test_of_very_many_unknown_labels_some_get_a_hint(self) -> None:
        """Each hint is a look through the whole table."""
        found = notices(WEB | {f"traefik.enable{number:03}": "x" for number in range(300)})
        assert (len(found), sum("did you mean" in one.suggestion for one in found)) == (300, 20)

    @pytest.mark.parametrize(
        ("others", "only"),
        [
            ({}, True),
            ({"traefik.port": "80", "traefik.domain": "x"}, True),  # two vocabularies know them
            ({"traefik.path": "/a"}, False),
            ({"traefik.frontend.rule": "Host:a"}, False),
            ({"traefik.backend.maxconn.amount": "1"}, False),
            ({"traefik.odd": "1"}, True),
        ],
    )
    def test_a_label_that_two_vocabularies_know_speaks_for_none(self, others: dict[str, str], only: bool) -> None:
        newer = {"traefik.enable": "true", "traefik.http.routers.frontend.rule": "Host(`a`)"}
        assert bool(speaks_only_newer(newer | others)) is only

    def test_a_segment_of_traefik_1_may_be_called_http(self) -> None:
        assert not speaks_only_newer({"traefik.http.port": "80", "traefik.http.frontend.rule": "Host:a"})


NASTY = [
    "",
    ",",
    ";",
    "::",
    '"',
    "\\",
    "\n",
    "\x00",
    "\ud800",
    "{{ .x }}",
    "a" * 2000,
    "1" * 50,
    "-1",
    "/",
    "{x:",
    "[",
    "true",
]
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(NASTY),
    st.lists(
        st.sampled_from([*NASTY, "/a", "local", "{x:[a-z]+}", "80", "NetworkErrorRatio()", " > ", ".", "*"]), max_size=8
    ).map("".join),
)
NAMES = st.one_of(
    st.sampled_from([row.name for row in TABLE]), st.text(max_size=10).map(lambda text: f"traefik.{text}")
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, TEXTS, max_size=8), st.text(max_size=8), st.sampled_from(Publish))
@example({"traefik.domain": ";"}, "web", Publish.SERVICE)
def test_no_text_whatever_raises_or_leaves_an_invalid_value(
    labels: dict[str, str], name: str, publish: Publish
) -> None:
    """Nothing that Traefik would choke on can be in a route."""
    found = read("shop/web", name, "shop", publish, labels)
    for one in found.pools:
        assert 1 <= one.port <= 65535
        assert one.protocol in ("http", "https")
        assert 0 <= one.weight < 2**31
    assert bool(found.frontends) is not any(refusal.gate == "rule" for refusal in found.refusals)
    for frontend in found.frontends:
        assert frontend.priority is None or 2 <= frontend.priority < 2**31
        for matcher in frontend.rule.matchers:
            assert matcher.values
    if not found.refusals:
        route = Route("web", "shop", found.frontends, tuple(one.backend for one in found.pools))
        keys = {f"traefik/{entry.path}": entry.value for entry in TRAEFIK1.entries(route, "default")}
        assert verdict(keys, "traefik", Store.CONSUL).partition(":")[0] in ("ok", "dropped")


@settings(deadline=None)
@given(st.ip_addresses())
def test_every_address_is_read_as_itself(ip: object) -> None:
    text = str(ip)
    if not ip_address(text).is_unspecified:
        assert address(text) == text
