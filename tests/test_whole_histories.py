"""What must hold however clusters interleave that publish for Traefik 3, by a second publisher for Traefik 1 too."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import pytest

from tests.histories import Violation
from tests.whole_histories import PLACES, WholeHistory, tell


@pytest.mark.parametrize("seed", range(12))
def test_every_history_keeps_the_promises_and_ends_with_exactly_the_wanted_keys(seed: int) -> None:
    """Crashes, stalls, lost answers and leases, drained servers and a shut brake, of up to 3 clusters."""
    assert tell(seed, events=100) == ""


# What these histories can see.


def _breaks(history: Callable[[int], WholeHistory]) -> bool:
    for seed in range(20):
        try:
            history(seed).run(100)
        except Violation:
            return True
    return False


def test_histories_find_that_servers_stand_under_less_than_they_ask_for() -> None:
    """Two clusters that do not protect alike, whose servers were merged all the same."""
    with mock.patch("bridge.ownership.plan.may_merge", return_value=True):
        assert _breaks(WholeHistory)


def test_histories_find_that_two_publishers_of_a_cluster_share_their_records() -> None:
    """Each takes the other's leader for its own, and claims speak of keys that the other's layout does not know."""
    (one, tree, records), (other, other_tree, _) = PLACES
    places = ((one, tree, records), (other, other_tree, records))
    assert _breaks(lambda seed: WholeHistory(seed, both=True, places=places))


def test_histories_find_that_a_drained_server_stays() -> None:
    """It goes though it lives, and nobody else comes."""
    with mock.patch(
        "bridge.ownership.steps.ServerSteps._may_go", side_effect=lambda holder, *more: holder not in more[2]
    ):
        assert _breaks(WholeHistory)
