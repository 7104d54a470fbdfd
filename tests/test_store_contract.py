"""What every store promises; each store runs all of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from queue import Queue
from threading import Barrier, Thread

import pytest

from bridge.model.change import FOR_EVER, Check, Create, Delete, Item, LeaseName, Reading, Transaction, Update
from bridge.stores.base import LeaseLost, Refused, Store, Unavailable
from tests.grounds import LASTING, Ground, commit, create, standing

OTHER = LeaseName("fleet", 900)
SHORT = LeaseName("c/a", 2)


@pytest.fixture
def store(ground: Ground) -> Iterator[Store]:
    """A client that has ensured LASTING and OTHER."""
    store = ground.client()
    store.ensure(LASTING)
    store.ensure(OTHER)
    yield store
    store.close()


# Reading


def test_a_reading_names_all_that_stands_below_its_prefix_and_nothing_else(ground: Ground, store: Store) -> None:
    for name in ("in/a", "in/b", "in", "inn/a", "im/z"):
        create(store, ground.prefix + name)
    reading = store.read(ground.prefix + "in/")
    assert reading.prefix == ground.prefix + "in/"
    assert reading.whole
    assert sorted(reading.items) == [ground.prefix + "in/a", ground.prefix + "in/b"]


def test_a_reading_of_nothing_is_empty_and_has_a_revision(ground: Ground, store: Store) -> None:
    reading = store.read(ground.prefix + "nothing/")
    assert reading.items == {}
    assert reading.revision > 0


def test_a_reading_is_as_new_as_the_last_write_and_says_its_revision(ground: Ground, store: Store) -> None:
    item = create(store, ground.prefix + "a", "one")
    reader = ground.client()
    reader.know([LASTING.family])
    reading = reader.read(ground.prefix)
    assert reading.items == {ground.prefix + "a": item}
    assert reading.revision == item.revision == item.created


def test_any_text_reads_back_as_it_was_written(ground: Ground, store: Store) -> None:
    text = "ü\u0000 €\n\U0001f309"
    create(store, ground.prefix + "ключ", text)
    create(store, ground.prefix + "empty", "")
    assert {name: item.value for name, item in standing(store, ground.prefix).items()} == {"ключ": text, "empty": ""}


# Writing with a comparison


def test_a_key_that_stands_is_not_created_again(ground: Ground, store: Store) -> None:
    item = create(store, ground.prefix + "a", "first")
    assert commit(store, Create(ground.prefix + "a", "second", OTHER)) is None
    assert standing(store, ground.prefix) == {"a": item}


def test_a_key_that_was_deleted_can_be_created_again_and_is_a_new_one(ground: Ground, store: Store) -> None:
    first = create(store, ground.prefix + "a")
    assert commit(store, Delete(ground.prefix + "a", first.revision)) is not None
    second = create(store, ground.prefix + "a")
    assert second.created > first.created


def test_a_write_from_a_stale_read_changes_nothing(ground: Ground, store: Store) -> None:
    read = create(store, ground.prefix + "a", "one")
    assert commit(store, Update(ground.prefix + "a", "two", LASTING, read.revision, LASTING)) is not None
    before = store.read(ground.prefix)
    other = ground.client()
    other.ensure(LASTING)
    assert commit(other, Update(ground.prefix + "a", "three", LASTING, read.revision, LASTING)) is None
    assert store.read(ground.prefix) == before


def test_a_move_from_a_stale_read_changes_nothing(ground: Ground, store: Store) -> None:
    read = create(store, ground.prefix + "a", "one")
    assert commit(store, Update(ground.prefix + "a", "two", LASTING, read.revision, LASTING)) is not None
    assert commit(store, Update(ground.prefix + "a", "three", OTHER, read.revision, LASTING)) is None
    ground.write(ground.prefix + "b", "his")
    by_hand = standing(store, ground.prefix)["b"]
    ground.write(ground.prefix + "b", "his again")
    before = store.read(ground.prefix)
    assert commit(store, Update(ground.prefix + "b", "ours", LASTING, by_hand.revision, None)) is None
    assert store.read(ground.prefix) == before
    assert standing(store, ground.prefix)["a"].lease == LASTING


def test_a_key_that_changed_is_not_deleted(ground: Ground, store: Store) -> None:
    read = create(store, ground.prefix + "a", "one")
    ground.write(ground.prefix + "a", "an operator's")
    assert commit(store, Delete(ground.prefix + "a", read.revision)) is None
    assert standing(store, ground.prefix)["a"].value == "an operator's"


def test_a_key_that_went_is_neither_updated_nor_deleted(ground: Ground, store: Store) -> None:
    read = create(store, ground.prefix + "a")
    ground.erase(ground.prefix + "a")
    assert commit(store, Update(ground.prefix + "a", "w", LASTING, read.revision, LASTING)) is None
    assert commit(store, Delete(ground.prefix + "a", read.revision)) is None
    assert standing(store, ground.prefix) == {}


def test_one_failed_comparison_stops_the_whole_transaction(ground: Ground, store: Store) -> None:
    read = create(store, ground.prefix + "a")
    changes = (
        Create(ground.prefix + "new", "v", LASTING),
        Update(ground.prefix + "a", "w", LASTING, read.revision - 1, LASTING),
    )
    assert commit(store, *changes) is None
    assert standing(store, ground.prefix) == {"a": read}


def test_a_check_holds_while_the_key_stands_as_it_was_read(ground: Ground, store: Store) -> None:
    fence = create(store, ground.prefix + "fence")
    check = (Check(ground.prefix + "fence", fence.revision),)
    assert commit(store, Create(ground.prefix + "a", "v", LASTING), checks=check) is not None
    ground.write(ground.prefix + "fence", "v")
    assert commit(store, Create(ground.prefix + "b", "v", LASTING), checks=check) is None
    ground.erase(ground.prefix + "fence")
    assert commit(store, Create(ground.prefix + "b", "v", LASTING), checks=check) is None
    assert set(standing(store, ground.prefix)) == {"a"}


def test_a_check_on_absence_holds_while_the_key_is_absent(ground: Ground, store: Store) -> None:
    check = (Check(ground.prefix + "closed", 0),)
    assert commit(store, Create(ground.prefix + "a", "v", LASTING), checks=check) is not None
    create(store, ground.prefix + "closed")
    assert commit(store, Create(ground.prefix + "b", "v", LASTING), checks=check) is None


def test_checks_may_repeat_and_may_name_a_changed_key(ground: Ground, store: Store) -> None:
    read = create(store, ground.prefix + "a")
    check = Check(ground.prefix + "a", read.revision)
    change = Update(ground.prefix + "a", "w", LASTING, read.revision, LASTING)
    assert commit(store, change, checks=(check, check)) is not None
    assert commit(store, change, checks=(check, check)) is None


def test_checks_alone_are_answered_and_change_nothing(ground: Ground, store: Store) -> None:
    read = create(store, ground.prefix + "a")
    reading = commit(store, checks=(Check(ground.prefix + "a", read.revision),))
    assert reading is not None
    assert reading.items == {}
    assert commit(store, checks=(Check(ground.prefix + "a", 0),)) is None
    assert store.read(ground.prefix).revision == read.revision


def test_of_many_writers_at_once_none_loses_an_increment(ground: Ground, store: Store) -> None:
    """Four threads on two clients count one key up, each by a comparison."""
    create(store, ground.prefix + "count", "0")
    second = ground.client()
    second.ensure(LASTING)

    def count_up(client: Store) -> None:
        done = 0
        while done < 10:
            item = standing(client, ground.prefix)["count"]
            change = Update(ground.prefix + "count", str(int(item.value) + 1), LASTING, item.revision, LASTING)
            done += commit(client, change) is not None

    threads = [Thread(target=count_up, args=(client,)) for client in (store, store, second, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert standing(store, ground.prefix)["count"].value == "40"


# What a commit answers


def test_a_commit_answers_what_a_reading_would(ground: Ground, store: Store) -> None:
    kept = create(store, ground.prefix + "kept", "one")
    gone = create(store, ground.prefix + "gone")
    moved = create(store, ground.prefix + "moved")
    answer = commit(
        store,
        Create(ground.prefix + "new", "v", OTHER),
        Update(ground.prefix + "kept", "two", LASTING, kept.revision, LASTING),
        Delete(ground.prefix + "gone", gone.revision),
        Update(ground.prefix + "moved", "v", OTHER, moved.revision, LASTING),
    )
    assert answer is not None
    assert not answer.whole
    assert answer.items[ground.prefix + "gone"] is None
    reading = store.read(ground.prefix)
    assert {key: item for key, item in answer.items.items() if item is not None} == reading.items
    assert answer.revision == reading.revision


def test_all_of_a_transaction_happens_at_one_revision(ground: Ground, store: Store) -> None:
    before = create(store, ground.prefix + "a")
    changes = [Create(f"{ground.prefix}{name}", "v", LASTING) for name in "bcd"]
    assert commit(store, *changes) is not None
    revisions = {item.revision for name, item in standing(store, ground.prefix).items() if name != "a"}
    assert len(revisions) == 1
    assert min(revisions) > before.revision


def test_a_key_keeps_its_birth_over_updates_and_moves(ground: Ground, store: Store) -> None:
    first = create(store, ground.prefix + "a")
    for value, lease in (("two", LASTING), ("two", OTHER), ("three", LASTING)):
        item = standing(store, ground.prefix)["a"]
        answer = commit(store, Update(ground.prefix + "a", value, lease, item.revision, item.lease))
        assert answer is not None
        new = answer.items[ground.prefix + "a"]
        assert new == Item(value, first.created, answer.revision, lease)
        assert answer.revision > item.revision
        assert standing(store, ground.prefix)["a"] == new


# Leases


def test_a_lease_that_is_not_renewed_takes_its_keys_along_at_once(ground: Ground, store: Store) -> None:
    store.ensure(SHORT)
    create(store, ground.prefix + "stays")
    assert commit(store, *(Create(f"{ground.prefix}{name}", "v", SHORT) for name in "abc")) is not None
    eyes = ground.client()
    told, _ = following(eyes, ground.prefix, store.read(ground.prefix).revision)
    ground.let_pass(SHORT.ttl + 0.1, until=lambda: len(standing(store, ground.prefix)) < 4)
    assert list(store.read(ground.prefix).items) == [ground.prefix + "stays"]
    _, reading = told_of(told, ground.prefix + "a")
    assert [reading.items.get(ground.prefix + name) for name in "abc"] == [None, None, None]
    assert reading.whole or len(reading.items) == 3
    eyes.close()
    assert store.remaining(SHORT) is None


def test_a_key_that_moved_lives_with_its_new_lease_alone(ground: Ground, store: Store) -> None:
    read = create(store, ground.prefix + "a")
    assert commit(store, Update(ground.prefix + "a", "v", OTHER, read.revision, LASTING)) is not None
    ground.end(LASTING)
    assert set(standing(store, ground.prefix)) == {"a"}
    ground.end(OTHER)
    assert standing(store, ground.prefix) == {}


def test_a_lease_is_adopted_by_whoever_knows_its_name(ground: Ground, store: Store) -> None:
    """A restarted bridge finds its keys alive, and changes nothing by ensuring twice."""
    item = create(store, ground.prefix + "a")
    restarted = ground.client()
    for _ in range(2):
        restarted.ensure(LASTING)
    assert standing(restarted, ground.prefix) == {"a": item}
    assert restarted.read(ground.prefix).revision == item.revision
    assert commit(restarted, Create(ground.prefix + "b", "v", LASTING)) is not None


def test_of_many_who_ensure_a_lease_at_once_each_gets_it(ground: Ground, store: Store) -> None:
    lease = LeaseName("c/new", 600)
    clients = [ground.client() for _ in range(8)]
    for client in clients:
        client.read(ground.prefix)  # it is connected
    together = Barrier(len(clients))
    failures: list[Exception] = []

    def ensure(client: Store) -> None:
        together.wait()
        try:
            client.ensure(lease)
        except Exception as err:
            failures.append(err)

    threads = [Thread(target=ensure, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.renew((lease,)) == ()


def test_a_lease_that_ended_is_granted_anew(ground: Ground, store: Store) -> None:
    create(store, ground.prefix + "a")
    ground.end(LASTING)
    assert standing(store, ground.prefix) == {}
    store.ensure(LASTING)
    create(store, ground.prefix + "a")


def test_renewing_names_the_leases_that_were_lost_and_grants_none(ground: Ground, store: Store) -> None:
    never = LeaseName("c/never", 60)
    assert store.renew(()) == ()
    assert store.renew((LASTING, OTHER)) == ()
    ground.end(OTHER)
    assert store.renew((never, LASTING, OTHER)) == (never, OTHER)
    assert store.remaining(OTHER) is None
    assert store.remaining(never) is None


def test_a_renewed_lease_lives_its_whole_time_again(ground: Ground, store: Store) -> None:
    whole_again(ground, store, renew=lambda lease: store.renew((lease,)))


def test_ensuring_a_living_lease_renews_it(ground: Ground, store: Store) -> None:
    whole_again(ground, store, renew=store.ensure)


def whole_again(ground: Ground, store: Store, renew: Callable[[LeaseName], object]) -> None:
    """Where the store tells no rest, the lease outlives the TTL that it began with."""
    lease = LeaseName("c/a", 100 if ground.tells_rest else 2)
    store.ensure(lease)
    if ground.tells_rest:
        ground.let_pass(3, until=lambda: rest(store, lease) <= 97)
        renew(lease)
        assert 97 < rest(store, lease) <= 100
        return
    assert rest(store, lease) == 2
    began = time.monotonic()
    ground.let_pass(1, until=lambda: time.monotonic() > began + 1)
    renew(lease)
    renewed = time.monotonic()
    ground.let_pass(2, until=lambda: store.remaining(lease) is None)
    assert time.monotonic() >= renewed + 1.9


def rest(store: Store, lease: LeaseName) -> float:
    seconds = store.remaining(lease)
    assert seconds is not None
    return seconds


def test_a_lease_for_ever_does_not_end(ground: Ground, store: Store) -> None:
    lease = LeaseName("standing", FOR_EVER)
    store.ensure(lease)
    assert store.remaining(lease) == math.inf
    assert store.renew((lease,)) == ()
    create(store, ground.prefix + "guard", "1", lease)
    assert standing(store, ground.prefix)["guard"].lease == lease


def test_a_key_on_no_lease_outlives_every_lease_and_is_created_by_a_comparison_too(
    ground: Ground, store: Store
) -> None:
    key = ground.prefix + "word"
    reading = commit(store, Create(key, "one", None))
    assert reading is not None
    assert commit(store, Create(key, "two", None)) is None
    ground.end(LASTING)
    item = standing(store, ground.prefix)["word"]
    assert item == reading.items[key] == Item("one", item.created, item.created, None)
    assert commit(store, Delete(key, item.revision)) is not None
    assert standing(store, ground.prefix) == {}


def test_a_write_on_a_lost_lease_writes_nothing_and_says_so(ground: Ground, store: Store) -> None:
    create(store, ground.prefix + "a", lease=OTHER)
    ground.end(LASTING)
    changes = (Create(ground.prefix + "b", "v", OTHER), Create(ground.prefix + "c", "v", LASTING))
    with pytest.raises(LeaseLost):
        commit(store, *changes)
    assert set(standing(store, ground.prefix)) == {"a"}


def test_a_failed_comparison_comes_before_a_lost_lease(ground: Ground, store: Store) -> None:
    create(store, ground.prefix + "a", lease=OTHER)
    ground.end(LASTING)
    assert commit(store, Create(ground.prefix + "a", "v", LASTING)) is None


def test_all_leases_of_a_known_family_are_recognised(ground: Ground, store: Store) -> None:
    """Whatever their TTL; one of an unknown family keeps one strange name until the family is known."""
    longer, stranger = LeaseName("c/a", 700), LeaseName("c/b", 60)
    for lease in (longer, stranger):
        store.ensure(lease)
    create(store, ground.prefix + "longer", lease=longer)
    create(store, ground.prefix + "stranger", lease=stranger)
    create(store, ground.prefix + "strange too", lease=stranger)
    reader = ground.client()
    reader.know(["c/a"])
    leases = {name: item.lease for name, item in standing(reader, ground.prefix).items()}
    assert leases["longer"] == longer
    unknown = leases["stranger"]
    assert unknown is not None
    assert unknown == leases["strange too"]
    assert unknown.family.startswith("?")
    assert unknown.ttl == 0
    reader.know(["c/b"])
    assert standing(reader, ground.prefix)["stranger"].lease == stranger
    assert standing(reader, ground.prefix)["longer"].lease == longer


def test_a_plain_write_takes_the_lease_off_where_the_store_does_so(ground: Ground, store: Store) -> None:
    """There an operator's word outlives the bridge; elsewhere the key stays on its lease."""
    item = create(store, ground.prefix + "a", "ours")
    ground.write(ground.prefix + "a", "his")
    lease = None if ground.plain_write_detaches else LASTING
    written = standing(store, ground.prefix)["a"]
    assert written == Item("his", item.created, written.revision, lease)
    assert written.revision > item.revision
    ground.end(LASTING)
    assert set(standing(store, ground.prefix)) == ({"a"} if ground.plain_write_detaches else set())


def test_a_key_without_lease_can_be_adopted(ground: Ground, store: Store) -> None:
    ground.write(ground.prefix + "a", "his")
    item = standing(store, ground.prefix)["a"]
    assert item.lease is None
    assert commit(store, Update(ground.prefix + "a", "ours", LASTING, item.revision, None)) is not None
    ground.end(LASTING)
    assert standing(store, ground.prefix) == {}


def test_a_key_can_be_let_go_of_and_lives_on_without_its_lease(ground: Ground, store: Store) -> None:
    key = ground.prefix + "a"
    item = create(store, key, "ours")
    assert commit(store, Update(key, "ours", None, item.revision + 1, LASTING)) is None  # not as it was read
    assert commit(store, Update(key, "ours", None, item.revision, LASTING)) is not None
    ground.end(LASTING)
    free = standing(store, ground.prefix)["a"]
    assert free == Item("ours", item.created, free.revision, None)


# Limits


def test_a_transaction_at_the_limit_of_operations_is_taken_and_one_above_is_refused(
    ground: Ground, store: Store
) -> None:
    limit = store.limits.operations // store.limits.create
    changes = [Create(f"{ground.prefix}{number}", "v", LASTING) for number in range(limit + 1)]
    with pytest.raises(Refused):
        commit(store, *changes)
    assert standing(store, ground.prefix) == {}
    assert commit(store, *changes[:limit]) is not None


def test_checks_count_towards_the_limit_of_operations(ground: Ground, store: Store) -> None:
    limit = store.limits.operations // store.limits.check
    checks = tuple(Check(f"{ground.prefix}{number}", 0) for number in range(limit))
    assert commit(store, checks=checks) is not None
    with pytest.raises(Refused):
        commit(store, Create(ground.prefix + "a", "v", LASTING), checks=checks)


def test_a_transaction_as_large_as_the_limit_is_taken_and_a_much_larger_one_is_refused(
    ground: Ground, store: Store
) -> None:
    """Also where its keys are long and many: a store may count more than what `size` counts."""
    keys = [f"{ground.prefix}{number:0>400}" for number in range(store.limits.operations // store.limits.create)]
    value = "v" * (store.limits.size // len(keys) - len(keys[0]))
    assert commit(store, *(Create(key, value, LASTING) for key in keys)) is not None
    with pytest.raises(Refused):
        commit(store, Create(ground.prefix + "large", "v" * (store.limits.size * 2), LASTING))


def test_a_key_that_is_changed_twice_in_one_transaction_is_refused(ground: Ground, store: Store) -> None:
    with pytest.raises(Refused):
        commit(store, Create(ground.prefix + "a", "one", LASTING), Create(ground.prefix + "a", "two", LASTING))
    assert standing(store, ground.prefix) == {}


# The end


def test_a_closed_store_answers_nothing(ground: Ground) -> None:
    store = ground.client()
    store.ensure(LASTING)
    store.close()
    store.close()
    with pytest.raises(Unavailable):
        store.read(ground.prefix)
    with pytest.raises(Unavailable):
        store.commit(Transaction((), ()))
    with pytest.raises(Unavailable):
        store.renew((LASTING,))


# Watching


def following(store: Store, prefix: str, after: int) -> tuple[Queue[Reading], Thread]:
    """What a watch of `prefix` tells, taken by a thread until the store is closed."""
    told: Queue[Reading] = Queue()

    def follow() -> None:
        for reading in store.watch(prefix, after):
            told.put(reading)

    thread = Thread(target=follow, daemon=True)
    thread.start()
    return told, thread


def told_of(told: Queue[Reading], key: str) -> tuple[Item | None, Reading]:
    """What the next reading that knows of `key` says of it: an absence in a whole one counts as a deletion."""
    while True:
        reading = told.get(timeout=30)
        if key in reading.items or (reading.whole and reading.prefix and key.startswith(reading.prefix)):
            return reading.items.get(key), reading


def test_a_watch_tells_what_came_what_changed_and_what_went(ground: Ground) -> None:
    """Of its prefix alone, with the leases by name, from the revision on that was read."""
    store, eyes = ground.client(), ground.client()
    store.ensure(LASTING)
    eyes.know((LASTING.family,))
    before = create(store, ground.prefix + "a/before")
    told, _ = following(eyes, ground.prefix + "a/", eyes.read(ground.prefix + "a/").revision)
    create(store, ground.prefix + "b/elsewhere")
    made = create(store, ground.prefix + "a/new")
    found, reading = told_of(told, ground.prefix + "a/new")
    assert found == made
    assert reading.revision >= made.revision
    assert ground.prefix + "b/elsewhere" not in reading.items
    assert commit(store, Update(ground.prefix + "a/before", "v2", LASTING, before.revision, LASTING))
    while (changed := told_of(told, ground.prefix + "a/before")[0]) == before:
        pass  # a whole reading tells also what did not change
    assert changed is not None
    assert (changed.value, changed.created) == ("v2", before.created)
    assert commit(store, Delete(ground.prefix + "a/new", made.revision))
    while told_of(told, ground.prefix + "a/new")[0] is not None:
        pass
    eyes.close()


def test_a_watch_from_an_earlier_revision_tells_what_was_missed(ground: Ground) -> None:
    """Between a reading and its watch nothing is lost."""
    store, eyes = ground.client(), ground.client()
    store.ensure(LASTING)
    read = eyes.read(ground.prefix).revision
    made = create(store, ground.prefix + "missed")
    told, _ = following(eyes, ground.prefix, read)
    found, _ = told_of(told, ground.prefix + "missed")
    assert found is not None
    assert found.revision == made.revision
    eyes.close()


def test_a_watch_ends_when_its_store_is_closed(ground: Ground) -> None:
    """From another thread, and soon."""
    eyes = ground.client()
    _, thread = following(eyes, ground.prefix, eyes.read(ground.prefix).revision)
    eyes.close()
    thread.join(10)
    assert not thread.is_alive()
