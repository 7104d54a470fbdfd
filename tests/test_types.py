"""The values of Traefik 1.7's labels: what is taken, in which one form, and why the rest is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.labels import types
from bridge.labels.types import LONG_LIMIT, MOST_SECONDS, TEXT_LIMIT, write_seconds
from tests.golden_reader import text as reader
from tests.golden_reader.losses import status_range
from tests.golden_reader.passwords import fits
from tests.golden_reader.urls import parse_url

RECORDINGS = sorted((Path(__file__).parent / "golden" / "traefik1").glob("*.json"))
MD5 = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
SHA = "test:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="
BCRYPT = "test:$2y$05$" + "aB./" * 13 + "c"
DIGEST = "test:traefik:a2688e031edb4be6a3797f3882655c05"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB+/09\nAA==\n-----END CERTIFICATE-----\n"

PARSERS: tuple[Callable[[str], object], ...] = (
    types.duration,
    types.period,
    types.cidr,
    types.header_name,
    types.header_map,
    types.basic_user,
    types.digest_user,
    types.url,
    types.url_path,
    types.status,
    types.extractor,
    types.entry_point,
    types.size,
    types.regex,
    types.text,
    types.file_or_pem,
)
each_parser = pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)


def refused(parse: Callable[[str], object], text: str) -> str:
    """Why `parse` does not take the text; fails where it does."""
    with pytest.raises(ValueError, match=r".+") as fault:
        parse(text)
    return str(fault.value)


def values(key: str) -> list[tuple[str, str, bool]]:
    """Recording, value of a key of one frontend or backend, and whether the frontend lives."""
    found = []
    for path in RECORDINGS:
        recording = json.loads(path.read_text("utf-8"))
        if recording["verdict"] == "frozen":
            continue
        for name, value in recording["kv"].items():
            if re.search(rf"/(?:f|b)/{key}$", name) and value:
                found.append((path.stem, value, recording["verdict"] == "ok"))
    return found


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("10s", 10),
            ("1.5s", 1.5),
            ("250ms", 0.25),
            ("1h2m3.5s", 3723.5),
            ("+1m", 60),
            (".5s", 0.5),
            ("1.s", 1),
            ("1m1m", 120),
            ("1us", 1e-6),
            ("1µs", 1e-6),
            ("1μs", 1e-6),
            ("1.9ns", 1e-9),
            (f"{MOST_SECONDS}s", MOST_SECONDS),
        ],
    )
    def test_a_duration_is_read_as_go_reads_it(self, text: str, seconds: float) -> None:
        assert types.duration(text) == seconds
        assert types.period(text) == seconds

    def test_a_duration_needs_a_unit_and_a_period_does_not(self) -> None:
        assert refused(types.duration, "10") == "it has no unit: write 10s if seconds are meant"
        assert types.period("10") == 10

    @pytest.mark.parametrize(
        "text",
        ["", "0s", "-1s", "1d", "1,5s", "1 s", " 1s", "1s ", "1s2", "s", ".s", "0.1ns", "1e3s", "٣s", "1S", "2562048h"],
    )
    def test_what_is_no_time_to_wait_for_is_refused(self, text: str) -> None:
        assert refused(types.duration, text)
        assert refused(types.period, text)

    @pytest.mark.parametrize("text", ["0", "-1", f"{MOST_SECONDS + 1}", "9" * 20, "1.5"])
    def test_a_period_is_above_nothing_and_within_what_go_can_hold(self, text: str) -> None:
        assert refused(types.period, text)

    @given(st.integers(1, 2**51))
    @example(86_399_999_999_999)
    def test_nothing_is_lost_of_a_duration_up_to_some_weeks(self, nanoseconds: int) -> None:
        """26 days: what a float holds to the nanosecond."""
        written = write_seconds(types.duration(f"{nanoseconds}ns"))
        assert reader.period(written) == nanoseconds
        assert write_seconds(types.duration(written)) == written

    @given(st.integers(1, MOST_SECONDS))
    def test_nothing_is_lost_of_whole_seconds(self, seconds: int) -> None:
        assert write_seconds(types.period(str(seconds))) == f"{seconds}s"

    @given(st.lists(st.tuples(st.decimals(0, 999, places=3), st.sampled_from(["h", "m", "s", "ms", "ns"])), min_size=1))
    def test_a_duration_is_what_a_reader_built_from_recordings_makes_of_it(
        self, parts: list[tuple[object, str]]
    ) -> None:
        text = "".join(f"{number}{unit}" for number, unit in parts)
        try:
            found = reader.period(write_seconds(types.duration(text)))
        except ValueError:
            found = 0
        assert abs((found or 0) - (reader.period(text) or 0)) <= len(parts)  # that one rounds each part, Go cuts it


class TestAddresses:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("FD00:0::1/8", "fd00::/8"),
            ("::1/128", "::1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::ffff:10.9.0.0/104", "10.0.0.0/8"),
            ("::/0", "::/0"),
        ],
    )
    def test_a_network_has_one_form(self, text: str, written: str) -> None:
        assert types.cidr(text) == written
        assert types.cidr(written) == written

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "zzz",
            "10",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "/8",
            "10.0.0.0/255.0.0.0",
            "fe80::1%eth0",
            "010.0.0.1",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "::/129",
            "10.0.0.1:80",
            "[::1]",
        ],
    )
    def test_what_traefik_does_not_take_is_refused(self, text: str) -> None:
        assert "such as 10.0.0.0/8" in refused(types.cidr, text)

    def test_recorded_ranges_are_taken_as_traefik_took_them(self) -> None:
        found = values("whitelist/sourcerange(?:/[0-9])?")
        assert {lives for _, _, lives in found} == {True, False}
        for _, value, lives in found:
            items = reader.comma_items(value)
            if lives:
                assert all(types.cidr(item) for item in items)
            else:
                assert refused(types.cidr, items[-1])


class TestHeaders:
    @pytest.mark.parametrize(
        ("text", "name"), [("x-a", "X-A"), ("X-ABC", "X-Abc"), ("x_b-cD", "X_b-Cd"), ("-", "-"), ("1a-2b", "1a-2b")]
    )
    def test_a_name_is_written_as_go_writes_it(self, text: str, name: str) -> None:
        assert types.header_name(text) == reader.canonical_header(text) == name

    @pytest.mark.parametrize("text", ["", "X.A", "X A", "X:A", "X%A", "é", "X-A\n", "X!", "a" * 201])
    def test_a_name_that_stops_traefik_is_refused(self, text: str) -> None:
        assert "no name of a header" in refused(types.header_name, text)

    def test_a_map_is_sorted_by_canonical_name(self) -> None:
        found = types.header_map("x-b:two:three|| X-A : one||x-c:")
        assert found == (("X-A", "one"), ("X-B", "two:three"), ("X-C", ""))

    def test_values_are_freed_of_their_escapes_and_names_hold_none(self) -> None:
        assert types.header_map(r"X-A:\"v\\w\"||X-B:a\u007c\u007cb") == (("X-A", r'"v\w"'), ("X-B", "a||b"))

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("X-A", "part 1: it has no colon"),
            ("X-A:1||", "part 2: it has no colon"),
            ("X-A:1||hidden", "part 2: it has no colon"),
            ("X-A:hidden||x-a:hidden", "part 2: its header stands in another part too"),
            ("X-A:1||X B:hidden", "part 2: it is no name of a header"),
            (":hidden", "part 1: it is no name of a header"),
            ("X-A:hid\nden", "part 1: it holds a line's end"),
            ("X-A:" + "hidden" * LONG_LIMIT, "part 1: it is longer"),
        ],
    )
    def test_what_is_wrong_with_a_map_is_told_without_its_values(self, text: str, reason: str) -> None:
        told = refused(types.header_map, text)
        assert told.startswith(reason)
        assert "hid" not in told


class TestUsers:
    @pytest.mark.parametrize(
        "text", [MD5, SHA, BCRYPT, "a b:$1$salt$" + "x" * 22, BCRYPT.replace("2y", "2a"), "ü,:" + SHA[5:]]
    )
    def test_a_hash_that_traefik_can_compare_is_taken(self, text: str) -> None:
        assert types.basic_user(text) == text

    def test_recorded_users_are_taken_as_traefik_took_them(self) -> None:
        found = values("(?:auth/basic/users|basicauth)")
        assert {lives for _, _, lives in found} == {True, False}
        for _, value, lives in found:
            if lives:
                assert fits("test", types.basic_user(value).partition(":")[2])
            else:
                assert refused(types.basic_user, reader.comma_items(value)[0])
        for _, value, lives in values("auth/digest/users"):
            assert types.digest_user(value) == value if lives else refused(types.digest_user, value)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "secret",
            ":secret",
            "name:secret",
            "name:",
            "a:" + MD5,
            f" {MD5}",
            f"\n{MD5}",
            MD5 + "x",
            SHA[:-1],
            SHA + "=",
            "a" * 201 + ":" + SHA,
            "name:$apr1$secret$",
            "name:$5$secret$" + "x" * 43,
            MD5 + ":x",
        ],
    )
    def test_what_nobody_could_log_in_with_is_refused_and_not_repeated(self, text: str) -> None:
        told = refused(types.basic_user, text)
        assert "secret" not in told
        assert "apr1" not in told

    def test_doubled_dollars_are_recognised(self) -> None:
        assert "doubled" in refused(types.basic_user, MD5.replace("$", "$$"))

    def test_a_digest_is_written_in_lower_case(self) -> None:
        assert types.digest_user(DIGEST) == DIGEST
        assert types.digest_user("test:traefik:" + DIGEST[13:].upper()) == DIGEST

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a:b",
            MD5,
            DIGEST[:-1],
            DIGEST + "0",
            ":" + DIGEST,
            "::" + DIGEST[13:],
            "a:b:secret",
            "\0" + DIGEST,
            "a::" + DIGEST[13:],
        ],
    )
    def test_what_is_no_digest_is_refused_and_not_repeated(self, text: str) -> None:
        told = refused(types.digest_user, text)
        assert "secret" not in told
        assert "a2688" not in told


class TestUrls:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("http://auth.org/x", "http://auth.org/x"),
            ("HTTPS://Auth.ORG:08443/X?a=/b@c", "https://auth.org:8443/X?a=/b@c"),
            ("http://10.0.0.1", "http://10.0.0.1"),
            ("http://[FD00::1]:80/%2f", "http://[fd00::1]:80/%2f"),
            ("http://auth_1?x", "http://auth_1?x"),
            ("http://fé.x/", "http://xn--f-bga.x/"),
        ],
    )
    def test_an_absolute_url_has_one_form(self, text: str, written: str) -> None:
        assert types.url(text) == written
        assert types.url(written) == written

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "/x",
            "auth.org",
            "ftp://a",
            "http:/a",
            "http://",
            "http:///x",
            "http://a b/",
            "http://a/b c",
            "http://a/%zz",
            "http://a:0",
            "http://a:65536",
            "http://a:x",
            "http://a:/",
            "http://a/#f",
            "http://[::1",
            "http://[::1%25e]/",
            "http://*.a/",
            'http://a/"',
            "http://a/\\",
            "http://a/\n",
            "http://a/é",
            "http://a/" + "x" * TEXT_LIMIT,
        ],
    )
    def test_what_is_no_url_of_a_server_is_refused(self, text: str) -> None:
        assert refused(types.url, text)

    def test_a_password_in_a_url_is_refused_and_not_repeated(self) -> None:
        assert "secret" not in refused(types.url, "http://name:secret@auth.org/")

    @given(st.text("ab:/?#@[]%.0 é\\", max_size=9).map("http://".__add__))
    def test_go_finds_the_same_host_in_a_url_that_is_taken(self, text: str) -> None:
        try:
            written = types.url(text)
        except ValueError:
            return
        found = parse_url(written)
        assert written.startswith(found.origin)
        assert found.host

    @pytest.mark.parametrize("text", ["/", "/health", "/a/b?x=1&y=%20", "/status/{status}.html", "/a//b", "/a:b@c"])
    def test_a_path_stays_as_it_is(self, text: str) -> None:
        assert types.url_path(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "health",
            "//other/x",
            "http://other/x",
            "/%zz",
            "/%",
            "/a b",
            "/a#b",
            "/é",
            '/"',
            "/\\",
            "/\n",
            "/" * TEXT_LIMIT,
        ],
    )
    def test_a_path_that_leads_elsewhere_or_nowhere_is_refused(self, text: str) -> None:
        assert refused(types.url_path, text)

    def test_recorded_paths_of_health_checks(self) -> None:
        found = {name: value for name, value, _ in values("healthcheck/path")}
        assert refused(types.url_path, found.pop("113-hc-path-noslash")) == "a path begins with /"
        assert refused(types.url_path, found.pop("114-hc-path-unparseable"))
        assert all(types.url_path(value) == value for value in found.values())
        assert len(found) > 3


class TestWords:
    @pytest.mark.parametrize(
        ("text", "written"), [("404", "404"), ("500-599", "500-599"), ("404-404", "404"), ("100-599", "100-599")]
    )
    def test_a_status_is_a_code_or_a_range(self, text: str, written: str) -> None:
        assert types.status(text) == written
        assert status_range(text) == status_range(written)

    @pytest.mark.parametrize(
        "text", ["", "abc", "99", "600", "500-", "-500", "599-500", "500 - 599", "4o4", "+404", "404\n"]
    )
    def test_what_is_no_status_is_refused(self, text: str) -> None:
        assert "such as 500-599" in refused(types.status, text)

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("client.ip", "client.ip"),
            ("request.host", "request.host"),
            ("request.header.x-key", "request.header.X-Key"),
        ],
    )
    def test_an_extractor_has_one_form(self, text: str, written: str) -> None:
        assert types.extractor(text) == written

    @pytest.mark.parametrize(
        "text", ["", "bogus", "Client.ip", "request.header.", "request.header.a b", "request.header"]
    )
    def test_what_is_no_extractor_is_refused(self, text: str) -> None:
        assert refused(types.extractor, text)

    @pytest.mark.parametrize("text", ["http", "Web-1", "traefik.x", "é"])
    def test_an_entry_points_name_stays_as_it_is(self, text: str) -> None:
        assert types.entry_point(text) == text

    @pytest.mark.parametrize(
        "text", ["", "a b", "a,b", '"a"', "'a'", "`a`", "a\\b", "a\n", "a\x00", "\u3000", "a" * 201]
    )
    def test_what_is_no_entry_point_is_refused(self, text: str) -> None:
        assert "entry point" in refused(types.entry_point, text)

    @pytest.mark.parametrize(
        ("text", "count"), [("0", 0), ("10485760", 10485760), ("010", 10), (str(2**63 - 1), 2**63 - 1)]
    )
    def test_a_size_is_a_number_of_bytes(self, text: str, count: int) -> None:
        assert types.size(text) == count

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("10MB", "write 10485760"),
            ("2k", "write 2048"),
            ("1 GiB", "write 1073741824"),
            ("", "whole number"),
            ("-1", "whole number"),
            ("1.5", "whole number"),
            ("1.5MB", "whole number"),
            (" 1", "whole number"),
            (str(2**63), "whole number"),
        ],
    )
    def test_a_size_with_a_unit_is_told_the_number(self, text: str, reason: str) -> None:
        assert reason in refused(types.size, text)

    def test_text_is_freed_of_its_escapes_and_stays_on_one_line(self) -> None:
        assert types.text(r"script-src \"self\"") == 'script-src "self"'
        assert types.text("script-src 'self'; é") == "script-src 'self'; é"
        for odd in ("a\nb", "a\x00", "x" * (LONG_LIMIT + 1), PEM, PEM.replace("\n", r"\n")):
            assert refused(types.text, odd)

    def test_an_expression_may_be_escaped_or_not(self) -> None:
        assert types.regex(r"^http://a\.org/(.*)") == types.regex(r"^http://a\\.org/(.*)") == r"^http://a\.org/(.*)"
        for odd in ("[", "(?=a)", "a\nb"):
            assert refused(types.regex, odd)


class TestFiles:
    @pytest.mark.parametrize("text", ["/run/secrets/ca.pem", "certs/a_b-1.crt"])
    def test_a_path_stays_as_it_is(self, text: str) -> None:
        assert types.file_or_pem(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            PEM,
            PEM.strip(),
            PEM.replace("\n", "\r\n"),
            PEM.replace("\n", "\\n"),
            PEM.replace("\n", "\\r\\n"),
            f"\n{PEM}",
        ],
    )
    def test_pem_text_has_one_form_however_its_lines_end(self, text: str) -> None:
        assert types.file_or_pem(text) == PEM

    def test_a_chain_of_certificates_is_pem_text(self) -> None:
        assert types.file_or_pem(PEM + PEM) == PEM + PEM

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a b",
            'a"b',
            "a\\b",
            "a\nb",
            "é",
            PEM + '"""',
            PEM.replace("A", "\\"),
            PEM.replace("A", '"'),
            PEM.replace("END CERTIFICATE", "END KEY"),
            PEM[:40],
            "secret " + PEM,
            PEM * LONG_LIMIT,
            PEM.replace("\n", " "),
        ],
    )
    def test_what_stops_traefik_or_is_no_certificate_is_refused_and_not_repeated(self, text: str) -> None:
        told = refused(types.file_or_pem, text)
        assert "secret" not in told
        assert "MIIB" not in told

    @given(
        st.lists(st.sampled_from([*PEM.splitlines(keepends=True), "\\n", "\\", '"""', "\r", "A", "=", " "])).map(
            "".join
        )
    )
    @example(PEM)
    def test_no_text_that_is_taken_stops_traefik(self, text: str) -> None:
        """As it stands between three quotes, and with its line ends escaped between single ones."""
        try:
            found = types.file_or_pem(text)
        except ValueError:
            return
        assert reader.pasted_lines(found) == found
        assert reader.pasted(found.replace("\n", r"\n")) == found


class TestEveryParser:
    @each_parser
    @settings(max_examples=25)
    @given(st.text(st.sampled_from('0123aAxX./:-|$,;= "\\{}[]%\n\0é\ud800') | st.characters(), max_size=12))
    def test_whatever_the_text_there_is_a_value_or_a_reason_of_one_line(
        self, parse: Callable[[str], object], text: str
    ) -> None:
        try:
            parse(text)
            reason = ""
        except ValueError as err:
            reason = str(err)
        assert reason.isprintable()

    @each_parser
    @pytest.mark.parametrize("text", ["1" * 10**6, "a" * 10**6, "(" * 10**6, "\\" * 10**6, "a:" * 10**6, "/" * 10**6])
    def test_a_text_without_end_is_refused_at_once(self, parse: Callable[[str], object], text: str) -> None:
        assert len(refused(parse, text)) < 200

    @each_parser
    @settings(max_examples=25)
    @given(st.text("ab01/.:-=x$ {}s", max_size=12))
    def test_what_is_taken_is_taken_again_in_its_one_form(self, parse: Callable[[str], object], text: str) -> None:
        try:
            found = parse(text)
        except ValueError:
            return
        if isinstance(found, str):
            assert parse(found) == found
