"""`--constraint` in Traefik 2's form: which services fit, what is refused at the start, and that no value hangs it."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.problem import UsageError
from bridge.model.world import Snapshot
from bridge.routes import Judge, Policy, judge
from bridge.routes.constraints import constraint, constraints
from bridge.routes.regexps import MOST, regexp
from tests.commands import Bridge, silent
from tests.test_policy import configured
from tests.test_routes import closed, service

bridge = pytest.fixture(silent)
OTHERS = {"env": "prod", "io.team": "shop", "empty": ""}


# Which services fit.


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Label(`env`, `prod`)", True),
        ('Label("env", "prod")', True),
        ("Label(`env`,`Prod`)", False),
        ("Label(`Env`,`prod`)", False),
        ("Label(`env`,`pro`)", False),
        ("Label(`none`,``)", True),
        ("Label(`empty`,``)", True),
        ("!Label(`env`,`prod`)", False),
        ("!Label(`none`,`x`)", True),
        ("Label(`env`,`prod`) && Label(`io.team`,`shop`)", True),
        ("Label(`env`,`prod`) && Label(`io.team`,`x`)", False),
        ("Label(`env`,`x`) || Label(`io.team`,`shop`)", True),
        ("Label(`env`,`prod`) || Label(`none`,`x`) && Label(`none`,`y`)", True),
        ("(Label(`env`,`prod`) || Label(`none`,`x`)) && Label(`none`,`y`)", False),
        ("!(Label(`env`,`x`) || Label(`io.team`,`x`))", True),
        ("LabelRegex(`env`, `ro`)", True),
        ("LabelRegex(`env`, `^ro`)", False),
        ("LabelRegex(`env`, `^pr(od|e)$`)", True),
        ("LabelRegex(`none`, `^$`)", True),
        ("LabelRegex(`none`, `.`)", False),
        ("Label(`traefik.tags`,`api`)", True),
    ],
)
def test_labels_are_compared_as_in_traefik_2(text: str, fits: bool) -> None:
    found = judge(replace(service({"traefik.tags": "api"}), named=OTHERS), Policy(constraints=(constraint(text),)))
    assert (found.route is not None) is fits
    if not fits:
        assert closed(found) == "constraint"
        assert text in found.gates[-1].why
        assert found.problems == ()
        assert "shop" not in found.gates[-1].why.removeprefix(f"--constraint {text}")


def test_who_changes_such_a_label_is_judged_anew() -> None:
    judged, policy = Judge(), Policy(constraints=(constraint("Label(`env`,`prod`)"),))
    for env, stands in (("prod", True), ("test", False), ("prod", True)):
        (verdict,) = judged(Snapshot((replace(service(), named={"env": env}),), "e-1"), policy).verdicts
        assert (verdict.route is not None) is stands


def test_both_forms_stand_beside_each_other_and_all_must_fit() -> None:
    policy = configured(("constraint", "tag==api, Label(`env`, `prod`) && LabelRegex(`env`, `a,b|(p)`),tag!=old"))
    assert [str(one) for one in policy.constraints] == [
        "tag==api",
        "Label(`env`, `prod`) && LabelRegex(`env`, `a,b|(p)`)",
        "tag!=old",
    ]
    assert policy.named == {"env", "traefik.tags"}
    assert judge(replace(service({"traefik.tags": "api"}), named=OTHERS), policy).route
    assert judge(service({"traefik.tags": "api"}), policy).route is None
    assert judge(replace(service(), named=OTHERS), policy).route is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Label(`a`)", "Label at character 1 takes"),
        ("Label(`a`,`b`) && Label(``,`b`)", "Label at character 19 takes"),
        ("Tag(`a`)", "Tag at character 1 is neither"),
        ("TagRegex(`a`)", "TagRegex at character 1 is neither"),
        ("label(`a`,`b`)", "label at character 1 is neither"),
        ("Label(`a`,`b`", "ends where"),
        ("Label(`a`,`b`) Label(`c`,`d`)", "at character 16"),
        ("Label(a,b)", "at character 7"),
        ("LabelRegex(`a`,`(`)", "LabelRegex at character 1: a parenthesis stays open at character 1 of '('"),
        (r"LabelRegex(`a`,`x\pL`)", "is not known at character 2"),
        ("", ""),
    ],
)
def test_another_form_is_refused_at_the_start_with_its_place(text: str, says: str) -> None:
    if not text:
        assert configured(("constraint", text)).constraints == ()
        return
    with pytest.raises(UsageError, match=re.escape(says)):
        configured(("constraint", text))


@given(st.lists(st.text(alphabet='tag=!,(`"\\a) ', max_size=20), max_size=3))
def test_whatever_the_text_it_is_read_or_refused(parts: list[str]) -> None:
    try:
        found = constraints(",".join(parts))
    except ValueError:
        return
    assert constraints(",".join(map(str, found))) == found


# Labels of others are read where somebody names them.


@pytest.mark.parametrize("odd", [{}, {"traefik.weight": 5}], ids=["fast", "value by value"])
def test_a_constraint_sees_labels_that_are_not_the_bridges(tmp_path: Path, bridge: Bridge, odd: dict[str, int]) -> None:
    labels = {"traefik.enable": "true", "traefik.domain": "local", "traefik.port": "80", "secret": "s3cret", **odd}
    services = [
        {"name": name, "uuid": name, "kind": "service", "labels": {**labels, "env": env}, "health_check": {"port": 1}}
        for name, env in (("web", "prod"), ("api", "test"))
    ]
    path = tmp_path / "world.json"
    path.write_text(json.dumps([{"name": "shop", "uuid": "st", "services": services}]))
    named = ("render", "--source", f"file:{path}", "--output", "json", "--constraint", "Label(`env`,`prod`)")
    ran = bridge(*named)
    assert ran.code == 0, ran.err
    assert "web__shop" in ran.out
    assert "api__shop" not in ran.out
    assert "s3cret" not in ran.out
    told = bridge("explain", "shop/api", *named[1:3], *named[-2:]).out
    assert "its labels say otherwise" in told


def test_a_constraint_sees_the_labels_of_compose_files(tmp_path: Path, bridge: Bridge) -> None:
    text = "web:\n  image: x\n  labels:\n    traefik.enable: 'true'\n    traefik.port: '80'\n    env: prod\n"
    (tmp_path / "docker-compose.yml").write_text(text)
    for env, stands in (("prod", True), ("test", False)):
        said = ("--source", f"compose:{tmp_path}?stack=shop", "--constraint", f"Label(`env`,`{env}`)")
        assert ("web__shop" in bridge("render", *said).out) is stands


# Regular expressions.


MEANINGS = [
    ("", "", True),
    ("a$", "a\n", False),
    ("(?m)a$", "a\n", True),
    ("^b", "a\nb", False),
    ("(?m)^b", "a\nb", True),
    (r"\Aa\z", "a", True),
    (r"\s", "\v", False),
    (r"\d", "٣", False),
    (r"^\w$", "ä", False),
    (r"\bprod\b", "eu-prod-1", True),
    (r"\bprod\b", "euprod", False),
    (r"\Bd", "prod", True),
    ("a.b", "a\nb", False),
    ("(?s)a.b", "a\nb", True),
    ("(?i)PROD", "Prod", True),
    ("(?i:P)ROD", "pROD", True),
    ("(?i:P)ROD", "prod", False),
    ("a(?i)b|c", "C", True),
    ("(?)a", "A", False),
    ("(?i-i)a|(?i-i:b)", "B", False),
    ("(?i)[a-c]x", "Bx", True),
    ("(?i)[^a]", "A", False),
    ("[[:alpha:]]+[[:^digit:]]", "ab", True),
    (r"^[\w-]+$", "a-b", True),
    (r"^[^\d\s]+$", "a1", False),
    ("^[]a]+$", "]a", True),
    ("^[a-]$", "-", True),
    (r"\x41\x{42}\.", "AB.", True),
    ("^a{2}$", "aaa", False),
    ("^a{2,}$", "aaa", True),
    ("^a{1,2}$", "aaa", False),
    ("^a{,2}$", "a{,2}", True),
    ("^(?:ab|c)*?d$", "abcabd", True),
    ("^(?P<x>a)(?<y>b)$", "ab", True),
    ("^(a|b|cd|)$", "cd", True),
    ("^(a|b|cd|)$", "", True),
    ("^(a|b|cd)$", "c", False),
    ("(a*)*b", "aab", True),
    ("^(a?){3}$", "aaaa", False),
]


@pytest.mark.parametrize(("expression", "text", "found"), MEANINGS)
def test_an_expression_means_what_it_means_in_go(expression: str, text: str, found: bool) -> None:
    assert regexp(expression).found_in(text) is found


REFUSED = [
    "(",
    ")",
    "[",
    "a**",
    "*",
    "a{2}{3}",
    "{2}",
    "[b-a]",
    "(?=a)",
    "(?P<)",
    r"\1",
    r"\Q",
    r"\pL",
    r"\C",
    "a{1001}",
    "a{2,1}",
    "(a{100}){100}",
    "[[:x:]]",
    "(" * 60 + ")" * 60,
    "\\",
    "[a\\",
    "(?i",
    r"\x{110000}",
]


@pytest.mark.parametrize("expression", REFUSED)
def test_what_go_refuses_or_nobody_knows_here_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="at character"):
        regexp(expression)


PIECES = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(ab|)", "(?:ba)", "x?", "^", "$"])
REPEATS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{0,}", "*?"])


@given(st.lists(st.tuples(PIECES, REPEATS), max_size=6), st.text(alphabet="abx", max_size=8))
def test_it_finds_what_python_finds_where_both_mean_the_same(pieces: list[tuple[str, str]], text: str) -> None:
    # Of `x?` a repeat would be one of a repeat.
    expression = "".join(one + ("" if one in ("x?", "^", "$") else repeat) for one, repeat in pieces)
    assert regexp(expression).found_in(text) is (re.search(expression, text) is not None)


@pytest.mark.parametrize("expression", ["^(a+)+$", "(a|a)*b", "(a*)*(a*)*c", "^(a|b|ab)*c", "a{1,40}a{1,40}b"])
def test_no_value_of_a_label_takes_longer_than_its_length(expression: str) -> None:
    """Python's own would take years for the first of these."""
    begun = time.process_time()
    assert not regexp(expression).found_in("a" * 20_000 + "!")
    assert time.process_time() - begun < 5


def test_an_expression_has_a_limit() -> None:
    regexp(f"a{{{MOST // 2}}}")
    with pytest.raises(ValueError, match=str(MOST)):
        regexp(f"a{{{MOST // 2}}}" * 3)
