"""Leases are kept alive while their process lives, whatever else it does meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from threading import Event

from bridge.leases import Keeper
from bridge.model.change import LeaseName
from bridge.stores.base import Refused, StoreError, Unavailable
from bridge.stores.memory import Memory, MemoryServer

SHORT = LeaseName("c/default", 1)  # renewed every third of a second
PATIENCE = 5.0  # seconds until what must happen counts as missing


class Watched(Memory):
    """A store that tells each renewal, and in which something may happen before its answer comes."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(server)
        self.renewed: list[LeaseName] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        """See `Store`."""
        wanted = tuple(names)
        lost = super().renew(wanted)
        self.meanwhile()
        self.renewed += wanted
        return lost


def _comes_true(promise: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not promise() and time.monotonic() < until:
        time.sleep(0.01)
    return promise()


def test_a_lease_is_renewed_again_and_again_until_the_block_ends() -> None:
    """No thread is left behind."""
    store = Watched(MemoryServer())
    with Keeper(store) as keeper:
        keeper.keep([SHORT])
        assert _comes_true(lambda: len(store.renewed) >= 2)
    assert "leases" not in {thread.name for thread in threading.enumerate()}


def test_a_store_that_does_not_answer_for_a_while_is_asked_again() -> None:
    """No failure ends the thread that renews."""
    store = Watched(MemoryServer())
    failed = Event()

    def fail() -> None:
        store.meanwhile = lambda: None
        failed.set()
        raise Unavailable("the store", store.url, "no answer")

    store.meanwhile = fail
    with Keeper(store) as keeper:
        keeper.keep([SHORT])
        assert failed.wait(PATIENCE)
        assert _comes_true(lambda: bool(store.renewed))


def test_a_lease_that_was_lost_is_not_granted_by_the_thread() -> None:
    """Who lost keys has to read before it writes them again."""
    server = MemoryServer()
    store = Watched(server)
    with Keeper(store) as keeper:
        keeper.keep([SHORT])
        server.end(SHORT)
        assert _comes_true(lambda: bool(store.renewed))
        assert store.remaining(SHORT) is None

        def lives_when_kept() -> bool:
            keeper.keep([SHORT])
            return store.remaining(SHORT) is not None

        assert _comes_true(lives_when_kept)


def test_a_lease_that_was_granted_afresh_while_an_answer_was_under_way_is_kept() -> None:
    """The answer tells of the lease that was lost, not of the one that lives now."""
    server = MemoryServer()
    store = Watched(server)
    with Keeper(store) as keeper:

        def grant_afresh() -> None:
            store.meanwhile = lambda: None
            keeper.forget()
            keeper.keep([SHORT])

        store.meanwhile = grant_afresh
        keeper.keep([SHORT])
        server.end(SHORT)
        assert _comes_true(lambda: len(store.renewed) >= 2)
        assert store.remaining(SHORT) is not None


def test_a_lease_that_may_not_be_renewed_is_told_once_and_the_others_live_on() -> None:
    """Rights that were taken away: nobody else would hear of it before the routes are gone."""
    other = LeaseName("fleet", 1)

    class Locked(Watched):
        def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
            """See `Store`."""
            wanted = tuple(names)
            if other in wanted and is_locked:
                raise Refused("the store", self.url, "no rights")
            return super().renew(wanted)

    is_locked = False
    store, told = Locked(MemoryServer()), list[StoreError]()
    with Keeper(store, told.append) as keeper:
        keeper.keep([SHORT, other])
        is_locked = True
        store.renewed.clear()
        assert _comes_true(lambda: store.renewed.count(SHORT) >= 4)
        assert [str(err) for err in told] == [f"the store {store.url!r}: no rights"]
        is_locked = False
        store.renewed.clear()
        assert _comes_true(lambda: other in store.renewed)
        is_locked = True
        assert _comes_true(lambda: len(told) == 2)


def test_what_another_kept_until_now_is_renewed_at_once() -> None:
    """Though nobody grants or adopts it again."""
    store = Watched(MemoryServer())
    store.ensure(SHORT)
    with Keeper(store, known={SHORT: 0.0}) as keeper:
        assert _comes_true(lambda: len(store.renewed) >= 2)
        assert tuple(keeper.renewed) == (SHORT,)


def test_it_tells_when_each_lease_was_last_renewed_and_nothing_of_one_that_fails() -> None:
    """A time that stands still is how others learn that a lease is about to end."""
    store = Watched(MemoryServer())
    with Keeper(store) as keeper:
        keeper.keep([SHORT])
        granted = keeper.renewed[SHORT]
        assert _comes_true(lambda: keeper.renewed[SHORT] > granted)
        failed = Event()

        def fail() -> None:
            failed.set()
            raise Unavailable("the store", store.url, "no answer")

        store.meanwhile = fail
        assert failed.wait(PATIENCE)
        last = keeper.renewed[SHORT]
        failed.clear()
        assert failed.wait(PATIENCE)
        assert keeper.renewed[SHORT] == last
        store.meanwhile = lambda: None
        keeper.drop(SHORT)
        assert _comes_true(lambda: not keeper.renewed)


def test_what_was_dropped_is_renewed_no_more() -> None:
    """Another that is kept beside it tells that there was time to."""
    store, other = Watched(MemoryServer()), LeaseName("fleet", 1)
    with Keeper(store) as keeper:
        keeper.keep([SHORT, other])
        assert _comes_true(lambda: {SHORT, other} <= {*store.renewed})
        keeper.drop(SHORT)
        store.renewed.clear()
        assert _comes_true(lambda: store.renewed.count(other) >= 3)
        assert store.renewed.count(SHORT) <= 1  # one was under way
