"""What a pass promises where time, leases and other hands are against it; on a store in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from threading import Condition

import pytest

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.leases import REPLICA_TTL
from bridge.model.change import Check, Committed, Conflict, Create, Item, LeaseName, Reading, Transaction
from bridge.model.keys import Publisher
from bridge.model.world import Snapshot
from bridge.ownership.records import (
    FLEET,
    STANDING_FAMILY,
    Leader,
    leader_path,
    presence_path,
    replica_family,
    write_leader,
)
from bridge.report import Outcome, Report
from bridge.stores.base import LeaseLost, OutcomeUnknown, Store, Unavailable
from bridge.stores.memory import Memory, MemoryServer
from bridge.sync import Timing, sync
from bridge.writer import FAILURES, Settings, Writer
from tests.publishing import ENVIRONMENT, FailingStore, Killed, keys, service, wishes, world

TREE, RECORDS = "/traefik/", "bridge/traefik/"
LEADER = RECORDS + leader_path("default")
READ_TIME = 2.0  # seconds
PATIENCE = 5.0  # real seconds until a renewal that must come counts as missing
STOCK, LESS = world(service("shoes"), service("socks")), world(service("socks"))


@dataclass
class Hand:
    """A clock that moves only when a pass sleeps, and what happens after each nap."""

    after: Callable[[], None] = lambda: None
    time: float = 1000.0  # seconds
    naps: list[float] = field(default_factory=list)  # seconds

    @property
    def timing(self) -> Timing:
        return Timing(self.now, self.sleep)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time += seconds
        self.after()


@dataclass
class Place:
    """One prefix in one store, and passes there."""

    hand: Hand = field(default_factory=Hand)

    def __post_init__(self) -> None:
        self.server = MemoryServer(self.hand.now)

    def settings(self, *, ttl: int = 0, replica: str = "test") -> Settings:
        publisher = Publisher(TRAEFIK1, TREE, RECORDS, "default")
        return Settings(publisher, ENVIRONMENT, "1", ttl, replica, token=replica, read_time=READ_TIME)

    def sync(self, seen: Snapshot, *, store: Store | None = None, ttl: int = 0) -> Report:
        return sync(wishes(seen), store or Memory(self.server), self.settings(ttl=ttl), timing=self.hand.timing)

    def published(self) -> dict[str, str]:
        return {path: item.value for path, item in self._held(TREE).items()}

    def leases(self) -> set[LeaseName | None]:
        """Of all that Traefik reads."""
        return {item.lease for item in self._held(TREE).values()}

    def records(self) -> dict[str, Item]:
        return self._held(RECORDS)

    def _held(self, prefix: str) -> dict[str, Item]:
        eyes = Memory(self.server)
        eyes.know((FLEET, STANDING_FAMILY, "c/default"))
        return {key.removeprefix(prefix): item for key, item in eyes.read(prefix).items.items() if item is not None}


@pytest.fixture
def place() -> Place:
    return Place()


# A pass that waits.


class Renewing(Memory):
    """A store that tells when leases are renewed."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(server)
        self.renewals: dict[LeaseName, int] = {}
        self._renewed = Condition()

    def renew(self, names: Iterable[LeaseName]) -> tuple[LeaseName, ...]:
        """See `Store`."""
        wanted = tuple(names)
        with self._renewed:  # all of it, so that what is counted late did not happen early
            lost = super().renew(wanted)
            for name in wanted:
                self.renewals[name] = self.renewals.get(name, 0) + 1
            self._renewed.notify_all()
        return lost

    def await_renewal(self, *names: LeaseName) -> None:
        """Each of them once more, by whoever renews."""
        with self._renewed:
            before = dict(self.renewals)
            assert self._renewed.wait_for(
                lambda: all(self.renewals.get(name, 0) > before.get(name, 0) for name in names), PATIENCE
            ), "what stands is not renewed"


def test_a_pass_that_waits_before_its_first_commit_keeps_alive_what_stands(place: Place) -> None:
    """Another process closed a service and died: the wait until it may be cleared is twice the TTL."""
    ttl = 1
    place.sync(STOCK, ttl=ttl)
    dying = FailingStore(Memory(place.server), after=lambda _: dying.die())
    with pytest.raises(Killed):
        place.sync(LESS, ttl=ttl, store=dying)
    place.server.erase(LEADER)
    store = Renewing(place.server)
    stood = []

    def pass_slowly() -> None:
        """In a nap time moves on in steps of half a TTL, and after each somebody must renew."""
        slept = place.hand.naps[-1]
        place.hand.time -= slept
        while slept > 0:
            step = min(ttl / 2, slept)
            slept -= step
            place.hand.time += step
            store.await_renewal(LeaseName("c/default", ttl), LeaseName(FLEET, ttl))
        stood.append(keys(LESS).items() <= place.published().items())

    place.hand.after = pass_slowly
    report = place.sync(LESS, ttl=ttl, store=store)

    assert stood == [True]
    assert report.outcome is Outcome.DONE
    assert place.published() == keys(LESS)


# Who leads.


@pytest.mark.parametrize(
    "value",
    ["by hand", write_leader(Leader("other", ENVIRONMENT, "other")), '{"format":2}'],
    ids=["no record", "another replica's", "a newer format"],
)
def test_a_leader_record_that_was_written_over_by_hand_is_put_right_after_one_replica_ttl(
    place: Place, value: str
) -> None:
    """It is on no lease, so it would never end, and nobody would ever write again."""
    place.sync(LESS)
    place.server.write(LEADER, value)

    report = place.sync(STOCK)

    assert report.outcome is Outcome.DONE
    assert REPLICA_TTL < sum(place.hand.naps) < REPLICA_TTL + 2
    assert [problem.label for problem in report.problems] == [LEADER]
    assert place.published() == keys(STOCK)
    assert leader_path("default") not in place.records()


def test_a_leader_record_on_a_lease_that_lives_is_followed(place: Place) -> None:
    """However long: the other replica writes."""
    place.sync(LESS)
    before = place.records(), place.published()
    other, lease = Memory(place.server), LeaseName(replica_family("default", "other"), REPLICA_TTL)
    other.ensure(lease)
    other.commit(Transaction((), (Create(LEADER, write_leader(Leader("other", ENVIRONMENT, "other")), lease),)))

    def other_renews() -> None:
        assert other.renew((lease,)) == ()

    place.hand.after = other_renews

    report = place.sync(STOCK)

    assert (report.outcome, report.leader, report.written) == (Outcome.FOLLOWS, "other", ())
    assert REPLICA_TTL < sum(place.hand.naps) < REPLICA_TTL + 2
    records = place.records()
    del records[leader_path("default")]
    assert (records, place.published()) == before


# What others say.

ODD_PRESENCES = {
    "a read-time of 400 digits": f'{{"environment":"e","format":1,"read_time":{"9" * 400},"ttl":60,"version":"1"}}',
    "a read-time of 10 000 digits": f'{{"environment":"e","format":1,"read_time":{"9" * 10_000},"ttl":60}}',
    "an endless read-time": '{"environment":"e","format":1,"read_time":Infinity,"ttl":60,"version":"1"}',
    "a read-time that is no number": '{"environment":"e","format":1,"read_time":NaN,"ttl":60,"version":"1"}',
    "a negative read-time": '{"environment":"e","format":1,"read_time":-1,"ttl":60,"version":"1"}',
    "a TTL longer than any lease": '{"environment":"e","format":1,"read_time":4,"ttl":1000000000000,"version":"1"}',
    "a TTL that is a word": '{"environment":"e","format":1,"read_time":4,"ttl":true,"version":"1"}',
    "nested deeper than anybody reads": "[" * 100_000,
    "an object where text belongs": '{"environment":{},"format":1,"read_time":4,"ttl":60,"version":[]}',
    "a newer format": '{"environment":"e","format":2,"read_time":4,"ttl":60,"version":"1"}',
    "a format that is a word": '{"environment":"e","format":"1","read_time":4,"ttl":60,"version":"1"}',
    "a list": "[]",
    "nothing": "",
    "no JSON": "\udcff\x00",
}


@pytest.mark.parametrize("value", ODD_PRESENCES.values(), ids=ODD_PRESENCES)
def test_an_odd_presence_of_another_cluster_breaks_nothing(place: Place, value: str) -> None:
    """It may ask for any TTL, so shared keys live for ever; it delays nobody."""
    place.server.write(RECORDS + presence_path("other"), value)
    place.sync(STOCK, ttl=60)
    assert place.published() == keys(STOCK)
    assert place.leases() == {LeaseName("c/default", 60), LeaseName(FLEET, 0), LeaseName(STANDING_FAMILY, 0)}
    place.sync(LESS, ttl=60)
    assert place.published() == keys(LESS)
    assert place.hand.naps == [READ_TIME]
    revision = place.server.revision
    assert place.sync(LESS, ttl=60).transactions == 0
    assert place.server.revision == revision


# A store on which nothing succeeds.


class Conflicting(Memory):
    """A store on which somebody else is always faster."""

    commits = 0

    def commit(self, transaction: Transaction) -> Committed | Conflict:
        """See `Store`."""
        self.commits += 1
        return super().commit(replace(transaction, checks=(*transaction.checks, Check(LEADER, 1))))


def _lease_lost(_: int) -> None:
    raise LeaseLost("the store", "memory:", "the lease does not live")


def _outcome_unknown(_: int) -> None:
    raise OutcomeUnknown("the store", "memory:", "no answer")


@pytest.mark.parametrize(
    ("fails", "error"), [(_lease_lost, LeaseLost), (_outcome_unknown, OutcomeUnknown)], ids=["lease", "outcome"]
)
def test_a_pass_ends_with_the_stores_own_error_when_it_goes_on_failing(
    place: Place, fails: Callable[[int], None], error: type[Exception]
) -> None:
    store = FailingStore(Memory(place.server), before=fails)
    began = time.monotonic()
    with pytest.raises(error) as ended:
        place.sync(STOCK, store=store)
    assert type(ended.value) is error
    assert store.commits == FAILURES + 1
    assert place.published() == {}
    assert time.monotonic() - began < PATIENCE


def test_a_pass_ends_when_its_commits_conflict_for_ever(place: Place) -> None:
    """And says what keeps it from writing."""
    store = Conflicting(place.server)
    with pytest.raises(Unavailable, match="faster than this bridge can"):
        place.sync(STOCK, store=store)
    assert FAILURES < store.commits < 10 * FAILURES
    assert place.published() == {}


@pytest.mark.parametrize("fails", [_lease_lost, _outcome_unknown], ids=["lease", "outcome"])
def test_a_pass_goes_on_as_long_as_it_does_not_fail_for_ever(place: Place, fails: Callable[[int], None]) -> None:
    store = FailingStore(Memory(place.server), before=lambda number: fails(number) if number <= FAILURES else None)
    assert place.sync(STOCK, store=store).outcome is Outcome.DONE
    assert place.published() == keys(STOCK)


def test_a_lease_that_ends_right_before_a_commit_is_granted_afresh(place: Place) -> None:
    """Whatever was known of it before."""

    def end(number: int) -> None:
        if number == 1:
            place.server.end(LeaseName(FLEET, 60))

    report = place.sync(STOCK, store=FailingStore(Memory(place.server), before=end), ttl=60)
    assert report.outcome is Outcome.DONE
    assert place.published() == keys(STOCK)


class Slow(Memory):
    """A store of which each reading takes its time."""

    def __init__(self, server: MemoryServer, hand: Hand) -> None:
        super().__init__(server)
        self._hand = hand

    def read(self, prefix: str) -> Reading:
        """See `Store`."""
        reading = super().read(prefix)
        self._hand.sleep(READ_TIME)
        return reading


def test_what_a_look_finds_is_new_since_both_prefixes_were_read(place: Place) -> None:
    """Between the two a server may come and go of which neither tells: its readers began before the second."""
    place.sync(STOCK)
    writer = Writer(Slow(place.server, place.hand), place.settings(), place.hand.now)
    writer.look()
    found = {held.since for side in writer.mirror.sides for held in side.held.values()}
    assert found == {side.first for side in writer.mirror.sides} == {place.hand.time}
