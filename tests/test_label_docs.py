"""What is told of labels is what the code does: the page, the command, and the words for the types."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.label_facts import NAME, Fact, facts, laid_out
from bridge.cli.label_page import page
from bridge.cli.label_patterns import GROUP, Pattern, patterns
from bridge.labels.kinds import kind, pattern
from bridge.labels.native_names import where
from bridge.labels.table import GROUPS, TABLE, Label, Listed, Row
from bridge.labels.types import TRUTH_WORDS
from bridge.layouts.traefik3_fields import field_of
from tests.commands import Bridge, silent
from tests.golden_reader import Configuration, Store, configuration

PAGE = Path(__file__).parent.parent / "docs" / "labels.md"
FACTS = {fact.row.name: fact for fact in facts()}
bridge = pytest.fixture(silent)


def test_the_page_is_what_the_code_says_of_itself() -> None:
    """`make docs` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == "\n".join(page(facts())) + "\n"


def test_every_label_is_on_the_page_once_in_its_group() -> None:
    told = re.findall(r"^\| `(traefik\.[^`]*)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert told == [*(row.name for _, rows in GROUPS for row in rows), *(one.name for one in patterns())]


def test_every_table_of_the_page_has_as_many_cells_in_each_row() -> None:
    older, _, newer = PAGE.read_text(encoding="utf-8").partition(f"## {GROUP}")
    for part, cells in ((older, 9), (newer, 4)):
        rows = [line for line in part.splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {cells}


def test_each_group_has_an_example_whose_keys_are_those_that_appear() -> None:
    """What stands on the page is read back as a compose file is: quoted, a doubled dollar sign for a single one."""
    text = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```\n\nbecomes\n\n```text\n(.*?)```", text, re.S)
    assert len(examples) == len(GROUPS)
    for written, keys in examples:
        labels = {name: value.replace("$$", "$") for name, value in yaml.safe_load(written)["labels"].items()}
        found = laid_out(labels)
        assert found
        assert keys.splitlines() == [f"{path} = {value}".rstrip() for path, value in found.items()]


@pytest.mark.parametrize("fact", FACTS.values(), ids=lambda fact: fact.row.name)
def test_an_example_becomes_keys_unless_the_table_says_that_it_does_not(fact: Fact) -> None:
    silent = bool(fact.row.unwritten) or fact.row.name == "traefik.frontend.headers.isDevelopment"
    assert (fact.keys == {}) is silent
    assert all(path.split("/")[1] == NAME for path in fact.keys)


def test_traefik_takes_the_keys_of_a_worked_example() -> None:
    tree = {f"/traefik/{path}": value for path, value in FACTS["traefik.enable"].keys.items()}
    found = configuration(tree, "/traefik", Store.ETCD)
    assert isinstance(found, Configuration)
    assert found.verdict == "ok"


def taken(row: Row, text: str) -> bool:
    try:
        row.parse(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_pattern_of_a_type_takes_its_example_and_its_default(row: Row) -> None:
    """And every parser has words for what it takes: one that has none fails here."""
    assert kind(row).words
    default = FACTS[row.name].default if isinstance(row, Label) else ""
    for text in filter(None, (row.example, default)):
        assert not pattern(row) or re.fullmatch(pattern(row), text)


# What one or another parser takes though few would write it so.
ODD = r"""
stack ¦ +5 ¦ -0 ¦ -00 ¦ 0005 ¦ +1.5s ¦ .5s ¦ 1h30m ¦ +10 ¦ 0 ¦ WRR ¦ Https ¦ CONTAINER
Bücher.example ¦ EXAMPLE.org ¦ _a.example ¦ ::1 ¦ ::ffff:10.0.0.0/104 ¦ 10.0.0.1 ¦ / ¦ /a?b=%20
/{a:b} ¦ HTTP://a/ ¦ http://[::1]:80 ¦ a:80 ¦ {a}.b ¦ a-b.{c:[a-z]+} ¦ host:a ¦  Host : a  ¦ 404-404
x_y ¦ a b ¦ a:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M= ¦ a b:$1$x$IgXLP6ewTrSuBkTrqE8wj/
a:b:A2688E031EDB4BE6A3797F3882655C05 ¦ X: ¦ x: a:b || Y: ¦ request.header.x_y
-----BEGIN A-----\nAAAA\n-----END A----- ¦ ~/x ¦ AB12 ¦ 1 ¦ -1
"""
SPELLINGS = [*TRUTH_WORDS, *(text for line in ODD.strip().splitlines() for text in line.split(" ¦ "))]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_pattern_of_a_type_takes_odd_spellings_that_the_parser_takes(row: Row) -> None:
    found = [text for text in SPELLINGS if taken(row, text)]
    assert [text for text in found if pattern(row) and not re.fullmatch(pattern(row), text)] == []


@given(st.data())
def test_the_pattern_of_a_type_never_refuses_what_the_parser_takes(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(TABLE))
    cuts = sorted(data.draw(st.tuples(*[st.integers(0, len(row.example))] * 2)))
    middle = data.draw(st.sampled_from(["", "0", "+", " ", "a", "A", "-", "/", ":", "s", "true", "STACK"]) | st.text())
    text = row.example[: cuts[0]] + middle + row.example[cuts[1] :]
    if text and "," not in text and taken(row, text.strip() if isinstance(row, Listed) else text):
        assert not pattern(row) or re.fullmatch(pattern(row), text), (row.name, text)


def test_labels_are_listed_in_each_form(bridge: Bridge) -> None:
    """Nothing is asked for and nothing is read: neither a source nor a store is named."""
    lines = bridge("labels").out.splitlines()
    named = [line.strip() for line in lines if re.fullmatch(r"  traefik\.\S+", line)]
    assert named == [*(row.name for row in TABLE), *(one.name for one in patterns())]
    assert bridge("labels", "--output", "markdown").out == PAGE.read_text(encoding="utf-8")
    ran = bridge("labels", "--output", "json")
    assert (ran.code, ran.err) == (0, "")
    rows = {str(row["name"]): row for row in ran.rows("labels")}
    assert list(rows) == [row.name for row in TABLE]
    assert [one["name"] for one in ran.rows("newer")] == [one.name for one in patterns()]
    assert rows["traefik.frontend.priority"] == {
        "name": "traefik.frontend.priority",
        "forms": ["traefik.frontend.priority", "traefik.<segment>.frontend.priority"],
        "group": "Which requests",
        "vocabulary": "Traefik 1",
        "since": "1.2",
        "type": "a whole number",
        "default": None,
        "native_default": None,
        "meaning": FACTS["traefik.frontend.priority"].row.means,
        "example": "50",
        "beside": [],
        "beats": ["traefik.priority"],
        "protects": False,
        "secret": False,
        "no_key": None,
        "keys": {"frontends/web__shop/priority": "50"},
    }


@pytest.mark.parametrize("one", patterns(), ids=lambda one: one.name)
def test_each_label_of_traefik_2_and_3_that_is_listed_can_be_read(one: Pattern) -> None:
    found = where(re.sub("<[a-z]+>", "x", one.name))
    assert found is not None
    assert not found.wrong
    known = field_of(f"{found.place}/{found.path}", (3, 99))
    of_servers = found.path.lower().startswith("loadbalancer/server/")
    assert of_servers or (known is not None and known.native and known.since == one.since)


@pytest.mark.parametrize(("command", "output", "only"), [("labels", "github", "check"), ("plan", "markdown", "labels")])
def test_a_form_that_only_one_command_has_is_refused_by_others(
    bridge: Bridge, command: str, output: str, only: str
) -> None:
    ran = bridge(command, "--output", output)
    assert (ran.code, ran.out) == (2, "")
    assert f"only {only} prints so" in ran.err
