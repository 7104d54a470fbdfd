"""Retry expressions, and where both kinds of expressions say that they are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.labels.expressions import LENGTH, breaker, retry
from tests.golden_reader import expressions as reader
from tests.golden_reader.text import pasted

RECORDINGS = sorted((Path(__file__).parent / "golden" / "traefik1").glob("*.json"))


class TestRetry:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("IsNetworkError()&&Attempts()<=2", "IsNetworkError() && Attempts() <= 2"),
            ("( IsNetworkError( ) )", "(IsNetworkError())"),
            ('RequestMethod() == "GET" && Attempts() < 02', "RequestMethod() == `GET` && Attempts() < 2"),
            ("RequestMethod() != `POST`", "RequestMethod() != `POST`"),
            ("ResponseCode() >= 500 || IsNetworkError()", "ResponseCode() >= 500 || IsNetworkError()"),
        ],
    )
    def test_an_expression_is_written_as_traefik_wants_it(self, text: str, written: str) -> None:
        assert retry(text) == written
        assert retry(written) == written

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "it ends where a function is expected at character 1 of ''"),
            ("Attempts()", "it ends where a comparison is expected at character 11 of 'Attempts()'"),
            (
                "Attempts() < 2.0",
                "'2.0' stands where a whole number is expected at character 14 of 'Attempts() < 2.0'",
            ),
            ("IsNetworkError() > 1", "'>' is not expected there at character 18 of 'IsNetworkError() > 1'"),
            (
                "RequestMethod() == GET",
                "'GET' stands where a method in quotes is expected at character 20 of 'RequestMethod() == GET'",
            ),
            (
                "RequestMethod() == `get`",
                "'`get`' is no method of HTTP, whose letters are capitals"
                " at character 20 of 'RequestMethod() == `get`'",
            ),
            (
                "RequestMethod() < `GET`",
                "'<' is none of the comparisons == != at character 17 of 'RequestMethod() < `GET`'",
            ),
            (
                "attempts() < 2",
                "'attempts' is none of Attempts, ResponseCode, IsNetworkError, RequestMethod (write Attempts)"
                " at character 1 of 'attempts() < 2'",
            ),
            ("Attempts() < `2`", "'`2`' stands where a number is expected at character 14 of 'Attempts() < `2`'"),
            ('RequestMethod() == "GET', "'\"GET' is not understood at character 20 of 'RequestMethod() == \"GET'"),
        ],
    )
    def test_what_traefik_would_refuse_is_refused_at_its_character(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=r".+") as fault:
            retry(text)
        assert str(fault.value) == message


class TestBreaker:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                " networkErrorRatio() > 0.5",
                "'networkErrorRatio' is none of NetworkErrorRatio, ResponseCodeRatio, LatencyAtQuantileMS"
                " (write NetworkErrorRatio) at character 2 of ' networkErrorRatio() > 0.5'",
            ),
            (
                "IsNetworkError() > 1",
                "'IsNetworkError' is none of NetworkErrorRatio, ResponseCodeRatio, LatencyAtQuantileMS"
                " (write NetworkErrorRatio) at character 1 of 'IsNetworkError() > 1'",
            ),
            ("NetworkErrorRatio() > -1", "'-1' is not understood at character 23 of 'NetworkErrorRatio() > -1'"),
            (
                "LatencyAtQuantileMS(50.0) > 100.5",
                "'100.5' stands where a whole number is expected"
                " at character 29 of 'LatencyAtQuantileMS(50.0) > 100.5'",
            ),
            (
                "(NetworkErrorRatio() > 0.5",
                "it ends where ')' is expected at character 27 of '(NetworkErrorRatio() > 0.5'",
            ),
        ],
    )
    def test_what_is_wrong_is_shown_at_its_character(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=r".+") as fault:
            breaker(text)
        assert str(fault.value) == message

    def test_of_a_long_expression_only_what_stands_around_the_character_is_shown(self) -> None:
        with pytest.raises(ValueError, match=r"at character 42\d of '…") as fault:
            breaker("NetworkErrorRatio() > 0.5 && " * 14 + "NetworkErrorRatio() ! 1" + " " * 400)
        assert len(str(fault.value)) < 250


def recorded(key: str) -> list[tuple[str, str, bool]]:
    """Recording, expression as Traefik reads it, and whether it took it."""
    found = []
    for path in RECORDINGS:
        recording = json.loads(path.read_text("utf-8"))
        values = [value for name, value in recording["kv"].items() if name.endswith(f"/b/{key}") and value]
        if values and recording["verdict"] != "frozen":
            found.append((path.stem, pasted(values[0]), recording["verdict"] == "ok"))
    return found


BREAKERS, RETRIES = recorded("circuitbreaker/expression"), recorded("buffering/retryexpression")
NUMBERS_MENDED = {"093-cb-quantile-int"}  # Traefik refuses it, and it is written as Traefik wants it


@pytest.mark.parametrize(
    ("parse", "name", "text", "taken"),
    [(breaker, *one) for one in BREAKERS] + [(retry, *one) for one in RETRIES],
    ids=[one[0] for one in BREAKERS + RETRIES],
)
def test_recorded_expressions_are_taken_as_traefik_took_them(
    parse: Callable[[str], str], name: str, text: str, taken: bool
) -> None:
    if taken or name in NUMBERS_MENDED:
        assert parse(parse(text)) == parse(text)
    else:
        with pytest.raises(ValueError, match="at character"):
            parse(text)


def test_the_recordings_hold_expressions() -> None:
    assert {taken for _, _, taken in BREAKERS} == {True, False}
    assert len(RETRIES) >= 3


numbers = st.integers(0, 10**6).map(str)
ratios = st.decimals(0, 100, places=3).map(str) | numbers
signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
breakers = st.one_of(
    st.builds("NetworkErrorRatio(){}{}".format, signs, ratios),
    st.builds("LatencyAtQuantileMS( {} ) {} {}".format, ratios, signs, numbers),
    st.builds("ResponseCodeRatio({},{} ,{}, {}) {} {}".format, numbers, numbers, numbers, numbers, signs, ratios),
)
retries = st.one_of(
    st.builds("Attempts() {}{}".format, signs, numbers),
    st.builds("ResponseCode(){} {}".format, signs, numbers),
    st.just(" IsNetworkError()"),
    st.builds("RequestMethod() {}{}".format, st.sampled_from(["==", "!="]), st.sampled_from(['"GET"', "`PUT`"])),
)


def joined(conditions: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        conditions,
        lambda inner: (
            st.builds("{}{}{}".format, inner, st.sampled_from(["&&", " || "]), inner) | st.builds("( {})".format, inner)
        ),
        max_leaves=6,
    )


@given(joined(breakers))
def test_a_breaker_that_is_written_reads_back_and_is_taken_by_a_reader_built_from_recordings(text: str) -> None:
    written = breaker(text)
    assert breaker(written) == written
    reader.breaker(written)


@given(joined(retries))
def test_a_retry_that_is_written_reads_back_and_is_taken_by_a_reader_built_from_recordings(text: str) -> None:
    written = retry(text)
    assert retry(written) == written
    assert '"' not in written
    reader.check_retry(written)


PIECES = ["Attempts", "NetworkErrorRatio", "RequestMethod", "()", "(", ")", "<", "==", "&&", "||", "1", "0.5", "`GET`"]
PIECES += [" ", "!", '"', "1e9", "\n", ","]
texts = st.lists(st.sampled_from(PIECES), max_size=9).map("".join) | st.text(max_size=9)


@pytest.mark.parametrize("parse", [breaker, retry])
@given(texts)
def test_of_any_text_an_expression_is_made_or_one_line_is_said(parse: Callable[[str], str], text: str) -> None:
    try:
        written = parse(text)
    except ValueError as err:
        reason = str(err)
    else:
        reason = ""
        assert parse(written) == written
    assert reason.isprintable()


@pytest.mark.parametrize("parse", [breaker, retry])
def test_an_expression_without_end_is_refused_at_once(parse: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="longer"):
        parse("(" * (LENGTH + 1))
    with pytest.raises(ValueError, match="parentheses"):
        parse("(" * LENGTH)
