"""Names of keys: no two services share one, no label reaches another service's keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.model.keys import (
    NAME_LIMIT,
    STANDING,
    escape,
    group_name,
    records_prefix,
    route_name,
    server_cluster,
    server_name,
    unescape,
)

# Separators, what escapes are made of, slashes, capitals, halves of surrogate pairs; or any characters at all.
HOSTILE = "_-.a2fA/%é\ud83d\ude00"
# Three of them fit into a name, each character escaped to twelve bytes at the most.
SHORT = st.text(st.sampled_from(HOSTILE), max_size=5) | st.text(st.characters(), max_size=5)
PART = SHORT.filter(bool)
CAPITALS = st.booleans()
WORD = st.text(st.sampled_from("abz09"), min_size=1, max_size=4)
CLUSTER = st.lists(WORD, min_size=1, max_size=3).map("-".join)
NAMED = st.tuples(PART, PART, SHORT)  # service, stack, segment


@given(SHORT, CAPITALS)
def test_an_escaped_part_reads_back_as_itself(part: str, capitals: bool) -> None:
    assert unescape(escape(part, capitals=capitals)) == part


@given(SHORT, SHORT, CAPITALS)
def test_two_parts_never_escape_alike(one: str, other: str, capitals: bool) -> None:
    assert (escape(one, capitals=capitals) == escape(other, capitals=capitals)) == (one == other)


@given(SHORT, CAPITALS)
def test_an_escaped_part_holds_only_what_may_stand(part: str, capitals: bool) -> None:
    """No slash, no percent sign, and no separator: `__` and `--` only ever stand between parts."""
    name = escape(part, capitals=capitals)
    assert re.fullmatch(r"([A-Za-z0-9_-]|\.[0-9a-f]{2})*" if capitals else r"([a-z0-9_-]|\.[0-9a-f]{2})*", name)
    assert "__" not in name
    assert "--" not in name
    assert name == "" or (name[0] not in "_-" and name[-1] not in "_-")


@given(st.lists(WORD, min_size=1, max_size=3), st.sampled_from("_-"))
def test_an_ordinary_name_stays_as_it_is(words: list[str], between: str) -> None:
    assert escape(between.join(words)) == between.join(words)
    assert escape(between.join(words).upper()) == between.join(words).upper()


@given(PART)
def test_names_that_differ_in_case_stay_two_for_a_reader_that_merges_them(part: str) -> None:
    assume(part.lower() != part)
    assert escape(part, capitals=False).lower() != escape(part.lower(), capitals=False).lower()


@given(st.text(st.sampled_from("._-a2fFé"), max_size=8))
def test_what_is_no_escaped_part_is_refused_and_never_read_as_one(name: str) -> None:
    try:
        part = unescape(name)
    except ValueError:
        return
    assert name in (escape(part), escape(part, capitals=False))


@pytest.mark.parametrize(
    "name", [".", ".2", ".2F", ".61", "a.2", "_a", "a-", "a__b", "a--b", "a/b", ".ff", "é", "a%2f"]
)
def test_a_crooked_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        unescape(name)


@given(NAMED, NAMED, CAPITALS)
def test_two_routes_never_share_a_name(one: tuple[str, str, str], other: tuple[str, str, str], capitals: bool) -> None:
    assert (route_name(*one, capitals=capitals) == route_name(*other, capitals=capitals)) == (one == other)


@given(NAMED, CAPITALS)
def test_a_route_name_tells_its_parts(named: tuple[str, str, str], capitals: bool) -> None:
    """So no text in one part can pass for another part."""
    name = route_name(*named, capitals=capitals)
    assert "/" not in name
    assert tuple(unescape(part) for part in name.split("__")) == tuple(filter(None, named[:2])) + named[2:] * bool(
        named[2]
    )


@given(NAMED, CAPITALS)
def test_all_of_a_service_is_in_one_group(named: tuple[str, str, str], capitals: bool) -> None:
    service, stack, segment = named
    group = route_name(service, stack, capitals=capitals)
    assert group_name(route_name(service, stack, segment, capitals=capitals)) == group


@given(NAMED)
def test_no_service_is_in_the_standing_group(named: tuple[str, str, str]) -> None:
    assert group_name(STANDING) == STANDING
    assert group_name(route_name(*named)) != STANDING


@given(CLUSTER, PART, CAPITALS)
def test_a_server_name_tells_its_cluster_and_its_container(cluster: str, identity: str, capitals: bool) -> None:
    name = server_name(cluster, identity, capitals=capitals)
    assert server_cluster(name) == cluster
    assert unescape(name.removeprefix(f"{cluster}--")) == identity
    assert "/" not in name


@given(CLUSTER, PART, CLUSTER, PART)
def test_two_servers_never_share_a_name(one: str, identity: str, other: str, another: str) -> None:
    same = server_name(one, identity) == server_name(other, another)
    assert same == ((one, identity) == (other, another))


@given(NAMED)
def test_the_name_of_a_route_names_no_cluster(named: tuple[str, str, str]) -> None:
    """An own key can be told from a shared one by its path."""
    assert server_cluster(route_name(*named)) is None


@pytest.mark.parametrize("name", ["", "--", "a--", "--b", "a-b", "a"])
def test_a_name_without_both_parts_names_no_cluster(name: str) -> None:
    assert server_cluster(name) is None


@pytest.mark.parametrize(("service", "stack"), [("", "shop"), ("web", ""), ("", "")])
def test_a_route_without_service_or_stack_has_no_name(service: str, stack: str) -> None:
    with pytest.raises(ValueError, match="needs a service and a stack"):
        route_name(service, stack)


@pytest.mark.parametrize(("cluster", "identity"), [("", "uuid"), ("default", "")])
def test_a_server_without_cluster_or_identity_has_no_name(cluster: str, identity: str) -> None:
    with pytest.raises(ValueError, match="needs a cluster and an identity"):
        server_name(cluster, identity)


def test_a_name_is_at_most_as_long_as_the_limit_escapes_counted() -> None:
    whole = route_name("a" * (NAME_LIMIT - 3), "b")
    assert len(whole) == NAME_LIMIT
    assert len(server_name("c", "/" * 65)) == 1 + 2 + 3 * 65
    too_long = pytest.raises(ValueError, match=f"longer than {NAME_LIMIT} bytes")
    with too_long:
        route_name("a" * (NAME_LIMIT - 2), "b")
    with too_long:
        route_name("/" * 66, "b")
    with too_long:
        server_name("c", "/" * 66)


@given(SHORT, SHORT)
def test_records_of_two_prefixes_never_meet(one: str, other: str) -> None:
    """Nor does one lie inside the other, nor in Traefik's own tree."""
    mine, theirs = records_prefix(one), records_prefix(other)
    assume(one.strip("/") != other.strip("/"))
    assert not mine.startswith(theirs)
    assert not theirs.startswith(mine)
    assert records_prefix(f"/{one}/") == mine


def test_records_lie_where_the_documentation_says() -> None:
    assert records_prefix("/traefik") == "bridge/traefik/"
    assert records_prefix("v3/traefik") == "bridge/v3.2ftraefik/"
