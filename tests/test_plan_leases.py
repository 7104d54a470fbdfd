"""How long shared keys live, how long a reader is waited for, and what a cluster says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bridge.model.change import Create, LeaseName, Limits, Update
from bridge.model.keys import Wish
from bridge.ownership.records import FLEET, Presence, cluster_family, presence_path, read_presence
from bridge.ownership.terms import ReadTime, Terms, lease_names
from tests.planning import (
    METHOD,
    OPENS,
    PROTECTED,
    READ_TIME,
    RECORDS,
    TREE,
    USERS,
    Process,
    Scene,
    changes,
    waits,
    wish,
)

TIGHT = Limits(operations=8, size=512 * 1024, create=2, update=1, move=3, delete=1, check=1)
MOVE_AFTER = READ_TIME + 10  # seconds until shared keys move to a shorter lease
NEWER = '{"format":2}'
WISH = wish(PROTECTED)


def fleet(scene: Scene) -> set[int | None]:
    """The TTLs of all shared keys; None: on no lease."""
    return {item.lease.ttl if item.lease else None for item in scene.published().values()}


def presence(scene: Scene, cluster: str = "c0") -> str:
    return scene.recorded()[presence_path(cluster)].value


def pair(ttl: int, other: int, limits: Limits | None = None) -> tuple[Scene, Process, Process]:
    """Two clusters that publish the same service, with these TTLs, long ago."""
    scene = Scene(limits=limits) if limits else Scene()
    first, second = scene.process("c0", ttl=ttl), scene.process("c1", ttl=other)
    first.settle(WISH)
    second.settle(WISH)
    first.settle(WISH)
    return scene, first, second


# The fleet's lease.


@pytest.mark.parametrize(("ttl", "other", "longest"), [(60, 300, 300), (300, 60, 300), (60, 0, 0), (0, 60, 0)])
def test_shared_keys_live_as_long_as_the_longest_that_a_living_cluster_asks_for(
    ttl: int, other: int, longest: int
) -> None:
    """For ever is the longest."""
    scene, first, second = pair(ttl, other)
    assert fleet(scene) == {longest}
    assert first.due(WISH).done
    assert second.due(WISH).done


def test_a_presence_that_cannot_be_read_may_ask_for_ever() -> None:
    scene, first, _ = pair(60, 60)
    scene.server.write(RECORDS + presence_path("c1"), NEWER)
    first.settle(WISH)
    assert fleet(scene) == {0}


def test_who_leaves_keeps_no_longer_lease_for_what_stays() -> None:
    """`leave` knows nothing of the TTL with which its cluster published."""
    _, first, _ = pair(60, 60)
    first.terms = replace(first.terms, ttl=0, leaving=True)
    names = lease_names(first.memory.stand(first.mirror), first.terms)
    assert [name for name in names if name.family == FLEET] == [LeaseName(FLEET, 60)]


def test_keys_move_to_a_longer_lease_at_once_and_keep_their_values() -> None:
    scene, _, _ = pair(60, 60)
    created = {path: item.created for path, item in scene.published().items()}
    moved = changes(scene.process("c0", ttl=300).act(WISH))
    assert moved.keys() == WISH.shared.keys()
    for path, change in moved.items():
        assert isinstance(change, Update)
        assert (change.value, change.lease) == (WISH.shared[path], LeaseName(FLEET, 300))
    assert {path: item.created for path, item in scene.published().items()} == created


def assert_moves_late(scene: Scene, process: Process) -> None:
    """From now on, to the lease of 60 seconds."""
    assert changes(process.act(WISH)) == {}
    assert ("for others to ask for a longer TTL", MOVE_AFTER) in waits(process.due(WISH))
    scene.now += MOVE_AFTER - 0.1
    assert changes(process.act(WISH)) == {}
    scene.now += 0.2
    assert changes(process.act(WISH)).keys() == WISH.shared.keys()
    assert fleet(scene) == {60}


def test_keys_move_to_a_shorter_lease_late_after_the_presence_went_that_asked_for_the_longer() -> None:
    scene, first, _ = pair(60, 300)
    scene.server.end(LeaseName(cluster_family("c1"), 300))
    assert_moves_late(scene, first)


def test_keys_move_to_a_shorter_lease_late_after_a_presence_asks_for_the_longer_no_more() -> None:
    scene, first, _ = pair(60, 300)
    scene.process("c1", ttl=60).act(WISH)  # started afresh
    assert_moves_late(scene, first)


def test_a_process_that_began_to_look_now_moves_keys_to_a_shorter_lease_late() -> None:
    scene, first, _ = pair(60, 300)
    scene.server.end(LeaseName(cluster_family("c1"), 300))
    first.look()
    scene.now += 100
    assert_moves_late(scene, scene.process("c0"))


def test_keys_that_move_in_parts_to_a_shorter_lease_move_what_opens_first() -> None:
    """It shall not outlive what protects it, wherever the move is cut off."""
    scene, first, _ = pair(60, 300, TIGHT)
    scene.server.end(LeaseName(cluster_family("c1"), 300))
    first.look()
    scene.now += 100
    beginning, *rest = first.settle(WISH)
    assert OPENS in changes([beginning])
    assert USERS in changes(rest)


def test_keys_that_move_in_parts_to_a_longer_lease_move_what_opens_last() -> None:
    _, first, _ = pair(60, 60, TIGHT)
    first.terms = replace(first.terms, ttl=300)
    *beginning, last = [one for one in first.settle(WISH) if changes([one])]
    assert USERS in changes(beginning)
    assert OPENS in changes([last])


def test_a_key_that_changes_while_its_lease_does_is_written_once() -> None:
    _, first, _ = pair(60, 60)
    first.terms = replace(first.terms, ttl=300)
    after = wish({**PROTECTED, METHOD: "drr"})
    first.act(after)
    written = [change for one in first.act(after) for change in one.changes if change.key == TREE + METHOD]
    assert [change.value for change in written if isinstance(change, Update)] == ["drr"]


# The read-time.


def test_the_longest_read_time_of_those_who_publish_is_waited_for() -> None:
    """Each may have a Traefik of its own, and one of them is the slowest."""
    scene = Scene()
    slow, quick = scene.process("c1", read_time=64), scene.process("c0")
    slow.settle(wish())
    quick.settle(Wish("hats__shop", {"frontends/hats__shop/backend": "hats__shop"}, {}))
    quick.act()
    assert [seconds for _, seconds in waits(quick.due())] == [64.0]


def said_read_time(process: Process, seconds: float, wanted: Wish) -> float:
    """What a process says after its own read-time became this one."""
    process.terms = replace(process.terms, read_time=ReadTime(seconds))
    process.settle(wanted)
    said = read_presence(presence(process.scene))
    assert said is not None
    return said.read_time


def test_a_presence_says_the_read_time_rounded_up_to_a_power_of_two() -> None:
    for seconds, said in ((5.0, 8.0), (8.0, 8.0), (8.1, 16.0), (0.3, 0.5)):
        assert said_read_time(Scene().process(), seconds, wish()) == said


def test_the_read_time_that_was_said_stays_while_it_is_enough() -> None:
    """Whatever else changes: a presence wakes every bridge."""
    process = Scene().process()
    assert said_read_time(process, 9.0, wish()) == 16.0
    assert said_read_time(process, 12.0, wish({METHOD: "drr"})) == 16.0
    assert said_read_time(process, 4.0, wish()) == 16.0
    assert said_read_time(process, 16.5, wish()) == 32.0


def test_a_read_time_far_too_long_is_lowered_beside_another_change_only() -> None:
    process = Scene().process()
    assert said_read_time(process, 16.0, wish()) == 16.0
    assert said_read_time(process, 3.9, wish()) == 16.0
    assert said_read_time(process, 3.9, wish({METHOD: "drr"})) == 4.0


def test_the_read_time_counts_the_frontends_that_will_stand() -> None:
    process = Scene().process()
    process.terms = replace(process.terms, read_time=ReadTime(round_trip=0.0096))
    process.act(wish())  # one: 2 s and 1.4 s
    said = read_presence(presence(process.scene))
    assert said is not None
    assert said.read_time == 4.0


# What a cluster says of itself.


def test_who_has_nothing_to_write_and_claims_nothing_says_nothing() -> None:
    scene = Scene()
    assert scene.process().act() == []
    assert scene.recorded() == {}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda terms: replace(terms, ttl=300), id="ttl"),
        pytest.param(lambda terms: replace(terms, version="2"), id="version"),
        pytest.param(lambda terms: replace(terms, environment="other"), id="environment"),
    ],
)
def test_a_presence_is_written_again_when_it_says_something_new(change: Callable[[Terms], Terms]) -> None:
    scene = Scene()
    process = scene.process()
    process.settle(wish())
    assert process.due(wish()).done
    process.terms = change(process.terms)
    process.act(wish())
    terms = process.terms
    said = read_presence(presence(scene))
    assert said == Presence(terms.environment, terms.ttl, READ_TIME, terms.version)


def test_a_presence_that_was_overwritten_is_put_right_and_told() -> None:
    scene = Scene()
    process = scene.process()
    process.settle(wish())
    key, before = RECORDS + presence_path("c0"), scene.recorded()[presence_path("c0")]
    for value in (before.value, "by hand"):
        scene.server.write(key, value)
        (problem,) = process.due(wish()).problems
        assert (problem.service, problem.label, problem.value) == ("cluster c0", key, value)
        process.act(wish())
        after = scene.recorded()[presence_path("c0")]
        assert (after.value, after.lease) == (before.value, before.lease)
        assert process.due(wish()).done


def test_a_presence_that_was_deleted_is_written_again_where_anything_is_claimed() -> None:
    scene = Scene()
    process = scene.process()
    process.settle(wish())
    scene.server.erase(RECORDS + presence_path("c0"))
    (transaction,) = process.act(wish())
    assert [type(change) for change in transaction.changes] == [Create]
