"""What is held after news: whatever comes late, twice or out of order."""

from __future__ import annotations

from bridge.model.change import Item, Reading
from bridge.ownership.mirror import REMEMBERED, Gone, Held, Mirror

TREE, RECORDS = "traefik/", "bridge/traefik/"
A, B, RECORD = f"{TREE}a", f"{TREE}b", f"{RECORDS}a"


def item(value: str, revision: int, created: int = 0) -> Item:
    return Item(value, created or revision, revision, None)


def whole(prefix: str, revision: int, **values: int) -> Reading:
    """All that stands below a prefix: names, and the revisions of their last writes."""
    return Reading(prefix, revision, {prefix + name: item(f"{name}{at}", at) for name, at in values.items()}, True)


def news(revision: int, **changes: Item | None) -> Reading:
    """What one revision changed below Traefik's prefix."""
    return Reading("", revision, {TREE + name: change for name, change in changes.items()}, False)


def read(revision: int, at: float = 0.0, **values: int) -> Mirror:
    return Mirror.empty(TREE, RECORDS).fold(whole(TREE, revision, **values), at)


def values(mirror: Mirror) -> dict[str, str]:
    return {path: held.value for path, held in mirror.tree.held.items()}


def test_a_whole_reading_is_what_is_held_and_new_since_then() -> None:
    mirror = read(5, 7.0, a=2, b=3)
    assert mirror.tree.held == {"a": Held("a2", 2, 2, None, 7.0), "b": Held("b3", 3, 3, None, 7.0)}
    assert (mirror.tree.first, mirror.tree.first_at, mirror.tree.read_at) == (7.0, 5, 5)


def test_only_a_newer_revision_of_a_key_replaces_it_and_is_new_since_then() -> None:
    mirror = read(5, 1.0, a=2, b=3).fold(news(6, a=item("new", 6, created=2)), 9.0)
    assert mirror.tree.held["a"] == Held("new", 2, 6, None, 9.0)
    assert mirror.tree.held["b"].since == 1.0


def test_an_echo_changes_nothing_not_even_the_age() -> None:
    """Of our own commit, and of a whole reading in which nothing changed."""
    before = read(5, 1.0, a=2).fold(news(6, b=item("b6", 6)), 2.0)
    echoed = before.fold(news(6, b=item("b6", 6)), 3.0)
    assert echoed == before
    assert echoed.tree.held is before.tree.held
    read_again = before.fold(whole(TREE, 7, a=2, b=6), 4.0)
    assert read_again.tree.held == before.tree.held
    assert (read_again.tree.first, read_again.tree.first_at) == (1.0, 5)


def test_a_late_event_of_a_key_that_was_changed_since_changes_nothing() -> None:
    mirror = read(7, a=7)
    assert mirror.fold(news(6, a=item("old", 6)), 1.0).tree.held is mirror.tree.held
    assert mirror.fold(news(6, a=None), 1.0).tree.held is mirror.tree.held


def test_a_late_event_of_a_key_that_was_deleted_since_does_not_bring_it_back() -> None:
    mirror = read(5, 1.0, a=2).fold(news(8, a=None), 2.0)
    assert values(mirror) == {}
    assert mirror.tree.gone == {"a": Gone(8, 2.0, Held("a2", 2, 2, None, 1.0))}
    late = mirror.fold(news(7, a=item("late", 7)), 3.0)
    assert late == mirror
    assert mirror.fold(news(8, a=None), 3.0) == mirror, "nor does it go twice"


def test_a_key_that_comes_back_is_held_and_gone_no_more() -> None:
    mirror = read(5, a=2).fold(news(8, a=None), 2.0).fold(news(9, a=item("back", 9)), 3.0)
    assert mirror.tree.held == {"a": Held("back", 9, 9, None, 3.0)}
    assert mirror.tree.gone == {}


def test_what_one_key_missed_is_not_lost_behind_a_newer_one() -> None:
    """Our own commit is answered before older news of another key come."""
    mirror = read(5, a=2, b=3).fold(news(9, a=item("a9", 9)), 1.0).fold(news(8, b=item("b8", 8)), 2.0)
    assert values(mirror) == {"a": "a9", "b": "b8"}
    assert mirror.tree.read_at == 9


def test_a_whole_reading_takes_away_what_it_misses_and_remembers_it() -> None:
    mirror = read(5, 1.0, a=2, b=3).fold(whole(TREE, 9, a=2), 4.0)
    assert values(mirror) == {"a": "a2"}
    assert mirror.tree.gone == {"b": Gone(9, 4.0, Held("b3", 3, 3, None, 1.0))}


def test_a_whole_reading_replaces_only_its_own_prefix() -> None:
    mirror = read(5, a=2).fold(whole(RECORDS, 6, a=6), 1.0)
    assert values(mirror) == {"a": "a2"}
    emptied = mirror.fold(whole(TREE, 7), 2.0)
    assert values(emptied) == {}
    assert emptied.records == mirror.records
    assert mirror.fold(whole(RECORDS, 7), 2.0).tree == mirror.tree


def test_news_of_one_revision_reach_both_sides() -> None:
    mirror = read(5, a=2).fold(whole(RECORDS, 5), 0.0)
    both = mirror.fold(Reading("", 6, {A: None, B: item("b6", 6), RECORD: item("r6", 6), "else/x": None}, False), 1.0)
    assert values(both) == {"b": "b6"}
    assert both.records.held == {"a": Held("r6", 6, 6, None, 1.0)}


def test_a_store_that_was_set_back_is_known_afresh() -> None:
    """What was seen to go may stand again, and all ages count from now."""
    mirror = read(9, 1.0, a=2, b=3).fold(news(10, a=None), 2.0)
    assert mirror.fold(whole(TREE, 9, b=3), 5.0) == read(9, 5.0, b=3)


def test_a_store_that_was_set_back_behind_our_own_commit_is_known_afresh() -> None:
    """Also where our commit changed another key than those that were read as a whole."""
    mirror = read(9, 1.0, a=2).fold(news(12, b=item("b12", 12)), 2.0)
    assert mirror.fold(whole(TREE, 11, a=2), 5.0) == read(11, 5.0, a=2)
    touched = read(9, 1.0, a=2).fold(news(12, a=item("a2", 2)), 2.0)
    assert touched.tree.held == {"a": Held("a2", 2, 2, None, 1.0)}
    assert touched.fold(whole(TREE, 11, a=2), 5.0) == read(11, 5.0, a=2), "an echo counts too"


def test_a_deletion_is_remembered_for_longer_than_any_read_and_then_forgotten() -> None:
    mirror = read(5, 0.0, a=2).fold(news(6, a=None), 1.0)
    assert "a" in mirror.fold(whole(TREE, 7), REMEMBERED).tree.gone
    assert mirror.fold(whole(TREE, 7), REMEMBERED + 1.0).tree.gone == {}


def test_a_store_that_was_set_back_and_written_on_is_known_by_any_key_that_stands_as_it_stood_before() -> None:
    """Consul counts on after a restore, so what others wrote since makes its revision newer than all we know."""
    written = read(11, 1.0, a=11).fold(news(12, a=item("a12", 12, created=11)), 2.0)
    assert written.fold(whole(TREE, 16, a=11), 5.0) == read(16, 5.0, a=11)
    deleted = read(11, 1.0, a=11, b=10).fold(news(12, a=None), 2.0)
    assert deleted.fold(whole(TREE, 16, a=11, b=10), 5.0) == read(16, 5.0, a=11, b=10)
    other = Reading(TREE, 16, {A: item("another", 11)}, whole=True)
    assert read(11, 1.0, a=11).fold(other, 5.0) == Mirror.empty(TREE, RECORDS).fold(other, 5.0)


def test_our_own_deletion_whose_revision_is_not_told_counts_from_the_reading_that_misses_the_key() -> None:
    """Consul tells none; until then a reading from before the deletion may come."""
    deleted = read(11, 1.0, a=11).fold(news(11, a=None), 2.0)
    late = deleted.fold(whole(TREE, 11, a=11), 3.0)
    assert values(late) == {}
    missed = late.fold(whole(TREE, 13), 4.0)
    assert missed.tree.gone["a"].since == 2.0
    assert missed.fold(whole(TREE, 16, a=11), 5.0) == read(16, 5.0, a=11)


def test_a_whole_reading_that_brings_nothing_new_leaves_what_is_held_as_it_is() -> None:
    """Consul tells of everything each time: a pass is made for what changed, not for our own echo."""
    before = read(5, 1.0, a=2).fold(news(6, b=item("b6", 6)), 2.0)
    assert before.fold(whole(TREE, 7, a=2, b=6), 3.0).tree.held is before.tree.held


def test_what_went_is_the_same_object_after_readings_that_miss_it_too() -> None:
    """What is another object is sorted anew."""
    deleted = read(11, 1.0, a=11).fold(news(11, a=None), 2.0).fold(whole(TREE, 13), 3.0)
    assert deleted.fold(whole(TREE, 14), 4.0).tree.gone["a"] is deleted.tree.gone["a"]
