"""Five clusters come and go by chance, as real processes on a real store, beneath requests through a real Traefik 3.

And what their judge makes of a history: what a look misses, it knows from those who wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bridge.layouts import layout
from bridge.model.change import Create, Delete, Item, LeaseName, Transaction, Update
from bridge.model.keys import Publisher
from bridge.ownership.records import claim_path, write_claim
from tests.storm.due import KNOWN, LATE, NEVER, Asked, Due, Span, spans
from tests.storm.journal import Written, read_journal, replayed, told
from tests.storm.judge import Judge
from tests.storm.state import State
from tests.storm.weather import storm


@pytest.mark.timeout(600)  # on a machine that runs other things too
@pytest.mark.parametrize("kind", ["etcd", "consul"])
def test_five_clusters_at_random_break_no_promise_and_fail_no_request(tmp_path: Path, kind: str) -> None:
    """More of it: `python -m tests.storm etcd 7 300`."""
    told = storm(kind, tmp_path, seed=1, rounds=40)
    print(told)
    assert told.faults == [], told.log
    assert told.requests > 100
    assert sum(told.happened.values()) > 20
    assert told.seen["seen whole"] > 10 * told.seen.get("states missed", 0)


# What the judge knows

HERE = Publisher(layout("traefik3"), "v3/", "bridge/v3/", "")
GROUP = "app__storm"
RULE = f"v3/http/routers/{GROUP}/rule"
FLEET, OF_A, OF_B = LeaseName("fleet", 9), LeaseName("c/a", 9), LeaseName("c/b", 9)
WISH = {RULE.removeprefix("v3/"): "right"}


def claim(cluster: str) -> str:
    return HERE.records + claim_path(cluster, GROUP)


def state(revision: int, items: Mapping[str, Item], *, exact: bool = False, seen: float = 0.0) -> State:
    return State(revision, items, exact=exact, seen=seen)


def claimed(lease: LeaseName, revision: int) -> Item:
    return Item(write_claim(WISH), revision, revision, lease)


def written(tmp_path: Path, **transactions: tuple[int, Transaction]) -> list[Written]:
    """As a journal brings it, by who wrote."""
    found = []
    for author, (revision, transaction) in transactions.items():
        journal = tmp_path / author
        journal.write_text(told(transaction, revision) + "\n")
        found += read_journal(journal, author)
    return found


def faults(looks: list[State], journals: list[Written]) -> list[str]:
    states = replayed(looks, journals, lambda _: "v3/")
    return Judge([HERE], (), {one.revision: one.author for one in journals}).faults(states)


def test_a_wrong_write_is_found_though_a_look_missed_the_state_that_shows_it(tmp_path: Path) -> None:
    """Another cluster joined before the next look: who decided what the key became, two looks alone do not tell."""
    before = {claim("a"): claimed(OF_A, 1), RULE: Item("right", 1, 1, FLEET)}
    wrong = Transaction((), (Update(RULE, "wrong", FLEET, 1, FLEET),))
    join = Transaction((), (Create(claim("b"), write_claim(WISH), OF_B),))
    journals = written(tmp_path, a=(2, wrong), b=(3, join))
    after = {**before, claim("b"): claimed(OF_B, 3), RULE: Item("wrong", 1, 2, FLEET)}
    looks = [state(1, before), state(3, after)]
    assert [one.revision for one in replayed(looks, journals, lambda _: "v3/") if one.exact] == [2, 3]
    assert [fault.partition(": ")[2] for fault in faults(looks, journals)] == [
        f"{RULE} became 'wrong', and who decides wants 'right'"
    ]
    assert faults(looks, []) == []


def test_a_lease_ends_before_who_takes_what_it_left(tmp_path: Path) -> None:
    """Else the last of two would close what the other, who is dead, still seems to claim."""
    before = {claim("a"): claimed(OF_A, 1), claim("b"): claimed(OF_B, 1), RULE: Item("right", 1, 1, FLEET)}
    close = Transaction((), (Delete(claim("b"), 1), Delete(RULE, 1)))
    looks = [state(1, before), state(3, {})]
    assert faults(looks, written(tmp_path, b=(3, close))) == []


def test_a_lease_ends_behind_who_needs_what_is_on_it(tmp_path: Path) -> None:
    before = {claim("a"): claimed(OF_A, 1), RULE: Item("right", 1, 1, FLEET)}
    change = Transaction((), (Update(claim("a"), write_claim({}), OF_A, 1, OF_A), Delete(RULE, 1)))
    found = replayed([state(1, before), state(3, {})], written(tmp_path, a=(2, change)), lambda _: "v3/")
    assert [sorted(one.items) for one in found] == [sorted(before), [claim("a")], []]


def test_what_nobody_told_of_is_not_guessed(tmp_path: Path) -> None:
    """Who was killed told of nothing: then there is the next look, and what was before it is not known."""
    before = {claim("a"): claimed(OF_A, 1)}
    join = written(tmp_path, b=(3, Transaction((), (Create(claim("b"), write_claim(WISH), OF_B),))))
    after = state(3, {**before, claim("b"): claimed(OF_B, 3), RULE: Item("right", 2, 2, FLEET)})
    assert replayed([state(1, before), after], join, lambda _: "v3/")[1:] == [after]


# Which requests had to be answered


def test_a_group_is_claimed_from_its_first_claim_to_its_last() -> None:
    of_a, of_b = {claim("a"): claimed(OF_A, 1)}, {claim("b"): claimed(OF_B, 2)}
    held = [{}, of_a, {**of_a, **of_b}, of_b, {}, of_a]
    exact = [state(number, items, exact=True, seen=float(number)) for number, items in enumerate(held)]
    assert spans(exact, HERE, GROUP) == [Span(1.0, 4.0), Span(5.0, float("inf"))]
    assert spans([state(1, of_a, seen=1.0), state(2, of_b, seen=2.0)], HERE, GROUP)[0] == Span(1.0, 2.0)


@pytest.mark.parametrize(
    ("before", "at", "due"),
    [
        (True, 10.0, True),
        (True, KNOWN - 0.5, False),  # Traefik may not know of it
        (True, 30.0 - LATE, False),  # Traefik may know before the history that it is over
        (False, 10.0, False),  # it was not yet seen to answer …
        (False, NEVER + 1, True),  # … but has to in the end
    ],
)
def test_a_request_is_due_while_somebody_claims_and_once_it_is_known(before: bool, at: float, due: bool) -> None:
    asked = [Asked(0.0, 0.1, False, "404"), Asked(KNOWN, KNOWN + 0.1, before, ""), Asked(at, at + 0.1, False, "404")]
    assert (asked[-1] in Due(asked, [Span(0.0, 30.0)]).failed) is due


def test_a_traefik_that_came_later_has_its_time_too() -> None:
    asked = [Asked(100.0 + late, 100.1 + late, False, "404") for late in (0.0, NEVER + 1)]
    assert Due(asked, [Span(0.0, 200.0)]).failed == asked[1:]
