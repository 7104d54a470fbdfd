"""What holds removals, and for how long."""

from __future__ import annotations

import pytest

from bridge.daemon import gate
from bridge.daemon.gate import Manners, RemovalGate
from bridge.layouts import layout
from bridge.model.keys import Publisher
from bridge.ownership.differences import Difference
from bridge.ownership.plan import Plan, Settled
from bridge.writer import Settings

SETTINGS = Settings(Publisher(layout("traefik1"), "/traefik/", "bridge/traefik/", "a"), "", "1", 300, "r", "t")
NOTHING = Plan((), (), (), (), 0, 0, 20, Settled())


class Clock:
    """The monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(gate, "time", found)
    return found


def removing(*paths: str, removed: int = 1) -> Plan:
    """A plan by which these paths go, and so many of 20 servers."""
    gone = tuple(Difference(path, "stack/web", "http", None) for path in paths)
    return Plan((), (), (), gone, 0, removed, 20, Settled())


ALL = removing("a", removed=20)


def braked() -> RemovalGate:
    """One that needs no second reading, and whose brake opens after 600 s."""
    return RemovalGate(SETTINGS, Manners(confirm=0))


def doubting() -> RemovalGate:
    """One that needs a second reading after 5 s."""
    return RemovalGate(SETTINGS, Manners(confirm=5))


def test_the_brake_holds_for_its_whole_time_and_opens(clock: Clock) -> None:
    held = braked()
    assert held.holds(ALL)
    assert held.opens_at == clock.now + 600
    clock.now += 599
    assert held.holds(ALL)
    clock.now += 1
    assert not held.holds(ALL)


def test_what_passed_by_itself_leaves_a_brake_that_holds_the_next_time(clock: Clock) -> None:
    """A source that was wrong for a minute, and is wrong again a week later."""
    held = braked()
    assert held.holds(ALL)
    clock.now += 60
    held.forget()
    assert not held.holds(NOTHING)
    assert held.opens_at is None
    clock.now += 600_000
    held.forget()
    assert held.holds(ALL)
    assert held.opens_at == clock.now + 600


def test_what_passed_while_nobody_asked_leaves_a_brake_that_holds_for_its_whole_time(clock: Clock) -> None:
    """The store was away, the source was well, and is wrong again when the store is back."""
    held = braked()
    held.forget()
    assert held.holds(ALL)
    held.forget()
    clock.now += 6000
    held.forget()
    assert held.holds(ALL)
    assert held.opens_at == clock.now + 600


def test_other_rules_are_given_the_whole_time_also_where_the_brake_holds_already(clock: Clock) -> None:
    """What goes by them is something else; so is how long it is held."""
    held = braked()
    assert held.holds(ALL)
    clock.now += 599
    held.obey(SETTINGS, Manners(confirm=0, brake_hold=300))
    assert held.holds(ALL)
    assert held.opens_at == clock.now + 300


def test_a_brake_that_nobody_asks_when_its_time_is_over_wakes_nobody_again_and_again(clock: Clock) -> None:
    """While the store is away, or another replica leads."""
    held = braked()
    assert held.holds(ALL)
    clock.now += 700
    assert held.opens_at is None
    assert not held.holds(ALL)


def test_a_brake_that_was_shut_before_another_replica_led_holds_for_its_whole_time(clock: Clock) -> None:
    """The other one died with most of the servers, hours after all was well again."""
    held = braked()
    assert held.holds(ALL)
    held.follows()
    assert not held.is_shut
    clock.now += 6000
    assert held.holds(ALL)
    assert held.opens_at == clock.now + 600


def test_what_was_let_go_is_asked_for_again_after_another_replica_led(clock: Clock) -> None:
    """By then other servers may stand, of which nobody asked."""
    held = braked()
    assert not held.holds(removing("a"))
    clock.now += 1
    held.follows()
    assert held.holds(ALL)


def test_a_second_reading_that_agrees_lets_go(clock: Clock) -> None:
    held = doubting()
    assert held.holds(removing("a"))
    assert not held.is_second_due()
    clock.now += 5
    assert held.is_second_due()
    assert held.holds(removing("a"))
    held.heard_again(agrees=True)
    assert not held.holds(removing("a"))


def test_one_that_does_not_agree_is_followed_by_another_once_the_source_was_heard(clock: Clock) -> None:
    """Of two views that take turns a third reading would agree at once."""
    held = doubting()
    assert held.holds(removing("a"))
    clock.now += 5
    assert held.is_second_due()
    held.heard_again(agrees=False)
    assert held.holds(removing("a"))
    clock.now += 5
    assert not held.is_second_due()
    held.hears()
    assert held.holds(removing("a"))
    clock.now += 5
    assert held.is_second_due()


def test_in_a_world_that_is_never_twice_the_same_what_goes_in_each_reading_goes(clock: Clock) -> None:
    """Else a busy world kept its dead servers until it was quiet for five seconds."""
    held = doubting()
    assert held.holds(removing("a"))
    for _ in range(4):
        clock.now += 1
        held.forget()
        assert held.holds(removing("a", "b"))
    clock.now += 1
    held.forget()
    assert not held.holds(removing("a", "c"))


def test_what_comes_back_in_a_later_reading_is_no_agreement(clock: Clock) -> None:
    """A document that fills up: each reading asks for the removal of less."""
    held = doubting()
    assert held.holds(removing("a", "b", "c"))
    for paths in (("b", "c"), ("c",)):
        clock.now += 6
        held.forget()
        assert held.holds(removing(*paths))
    clock.now += 6
    held.forget()
    assert not held.holds(removing("c"))


def test_a_pass_without_another_reading_is_no_agreement(clock: Clock) -> None:
    held = doubting()
    held.forget()
    assert held.holds(removing("a"))
    clock.now += 60
    assert held.holds(removing("a"))


def test_what_waited_and_came_back_says_nothing_of_the_next_that_goes(clock: Clock) -> None:
    held = doubting()
    assert held.holds(removing("a"))
    held.forget()
    assert not held.holds(NOTHING)
    assert held.second_at is None
    clock.now += 60
    held.forget()
    assert held.holds(removing("a"))
