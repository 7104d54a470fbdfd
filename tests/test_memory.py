"""What only the memory store has: its clock, its faults, its strictness, and Consul's ways."""

from __future__ import annotations

import pytest

from bridge.model.change import Check, Create, Delete, Item, LeaseName, Update
from bridge.stores.base import LeaseLost, OutcomeUnknown, Refused, Unavailable
from bridge.stores.memory import LIKE_CONSUL, Fault, Memory, MemoryServer
from tests.grounds import LASTING, commit, create, standing

OTHER = LeaseName("fleet", 900)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def client_of(server: MemoryServer) -> Memory:
    store = Memory(server)
    store.ensure(LASTING)
    store.ensure(OTHER)
    return store


def test_leases_end_in_the_order_of_their_ends_each_in_one_revision() -> None:
    clock = Clock()
    server = MemoryServer(clock)
    store = client_of(server)
    assert commit(store, *(Create(name, "v", LASTING) for name in "ab"), Create("c", "v", OTHER)) is not None
    before = server.revision
    clock.now += 599.9
    assert len(standing(store, "")) == 3
    clock.now += 0.1
    assert set(standing(store, "")) == {"c"}
    assert server.revision == before + 1
    clock.now += 10_000
    assert standing(store, "") == {}
    assert server.revision == before + 2


def test_an_end_is_seen_by_whatever_is_asked_first() -> None:
    for ask in (
        lambda store: store.renew((LASTING,)) == (LASTING,),
        lambda store: store.remaining(LASTING) is None,
        lambda store: commit(store, checks=(Check("a", 0),)) is not None,
    ):
        clock = Clock()
        store = client_of(MemoryServer(clock))
        create(store, "a")
        clock.now += 600
        assert ask(store)


def test_an_operators_hand_meets_the_end_of_a_lease_too() -> None:
    clock = Clock()
    server = MemoryServer(clock)
    store = client_of(server)
    create(store, "a", "ours")
    clock.now += 600
    server.write("a", "his")
    item = standing(store, "")["a"]
    assert item == Item("his", item.revision, item.revision, None)
    server.erase("a")
    before = server.revision
    server.erase("a")
    assert server.revision == before


@pytest.mark.parametrize(("fault", "happened"), [(Fault.BEFORE, False), (Fault.AFTER, True)])
def test_an_answer_can_be_lost_before_or_after_the_transaction_happened(fault: Fault, happened: bool) -> None:
    """Once: the next commit is answered."""
    store = client_of(MemoryServer())
    store.next_commit = fault
    with pytest.raises(OutcomeUnknown):
        create(store, "a")
    assert ("a" in standing(store, "")) is happened
    create(store, "b")


def test_a_store_that_is_unreachable_answers_nothing_until_it_is_back() -> None:
    store = client_of(MemoryServer())
    store.unreachable = True
    for ask in (
        lambda: store.read(""),
        lambda: create(store, "a"),
        lambda: store.ensure(LASTING),
        lambda: store.renew((LASTING,)),
        lambda: store.remaining(LASTING),
    ):
        with pytest.raises(Unavailable):
            ask()
    store.unreachable = False
    assert standing(store, "") == {}


def test_a_lease_that_this_client_did_not_ensure_is_refused() -> None:
    """Consul could not know its session."""
    server = MemoryServer()
    client_of(server)
    with pytest.raises(Refused, match="not ensured"):
        create(Memory(server), "a")


def test_an_update_that_is_wrong_about_the_lease_it_was_read_with_is_refused() -> None:
    """Consul must unlock it by that session."""
    server = MemoryServer()
    store = client_of(server)
    item = create(store, "a")
    for held_by in (OTHER, None, LeaseName("?77", 0)):
        with pytest.raises(Refused, match="not held by"):
            commit(store, Update("a", "w", LASTING, item.revision, held_by))
    assert standing(store, "") == {"a": item}


def test_an_update_may_name_a_strangers_lease_as_it_was_read() -> None:
    server = MemoryServer()
    create(client_of(server), "a")
    store = Memory(server)
    store.ensure(OTHER)
    item = standing(store, "")["a"]
    assert item.lease is not None
    assert item.lease.family.startswith("?")
    assert commit(store, Update("a", "w", OTHER, item.revision, item.lease)) is not None


def test_like_consul_a_create_and_a_deletion_cost_two_operations_and_a_move_three() -> None:
    store = client_of(MemoryServer(limits=LIKE_CONSUL))
    names = [f"{number:02}" for number in range(33)]
    creates = [Create(name, "v", LASTING) for name in names]
    with pytest.raises(Refused, match="66 operations"):
        commit(store, *creates)
    answer = commit(store, *creates[:32])
    assert answer is not None
    moves = [Update(name, "v", OTHER, answer.revision, LASTING) for name in names[:22]]
    with pytest.raises(Refused, match="66 operations"):
        commit(store, *moves)
    assert commit(store, *moves[:21]) is not None
    deletes = [Delete(name, answer.revision) for name in names[21:32]]
    updates = [Update(name, "w", OTHER, answer.revision + 1, OTHER) for name in names[:21]]
    checks = tuple(Check(f"absent {number}", 0) for number in range(22))
    with pytest.raises(Refused, match="65 operations"):
        commit(store, *deletes, *updates, checks=checks)
    assert commit(store, *deletes, *updates, checks=checks[:21]) is not None


def test_like_consul_a_plain_write_leaves_the_key_on_its_lease() -> None:
    server = MemoryServer(plain_write_detaches=False)
    store = client_of(server)
    item = create(store, "a", "ours")
    server.write("a", "his")
    assert standing(store, "")["a"] == Item("his", item.created, item.revision + 1, LASTING)
    server.end(LASTING)
    assert standing(store, "") == {}


def test_a_lease_that_was_granted_anew_holds_none_of_its_old_keys() -> None:
    server = MemoryServer()
    store = client_of(server)
    create(store, "a")
    server.end(LASTING)
    with pytest.raises(LeaseLost):
        create(store, "b")
    store.ensure(LASTING)
    assert standing(store, "") == {}
