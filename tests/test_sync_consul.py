"""What `sync` promises, on a real Consul: the promises that could come out otherwise there than on etcd."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.model.change import LeaseName
from bridge.model.keys import STANDING
from bridge.report import Outcome, Report
from bridge.sources.document import snapshot
from bridge.stores.consul import LIMITS
from tests.grounds import PATIENCE, eventually
from tests.publishing import (
    READ_TIME,
    ConsulPublication,
    FailingStore,
    Hurry,
    Killed,
    keys,
    service,
    with_containers,
    with_labels,
    without_health,
    world,
)
from tests.servers import ConsulServer, running_consul
from tests.test_sync_etcd import (
    FRESH,
    SHOES,
    SHOES_METHOD,
    SHOES_OPENING,
    SHOES_SERVER,
    SOCKS,
    STANDING_KEYS,
    STOCK,
    Accident,
    accident,
    assert_settled,
    groups,
    of,
    without,
)
from tests.worlds.generate import document

_prefixes = itertools.count(1)


@pytest.fixture
def publication(consul_server: ConsulServer) -> Iterator[ConsulPublication]:
    with_prefix = ConsulPublication(consul_server, f"sync{next(_prefixes)}/traefik")
    yield with_prefix
    with_prefix.close()


class Observed(FailingStore):
    """A store that remembers what stood after each commit: Consul does not."""

    def __init__(self, publication: ConsulPublication) -> None:
        super().__init__(publication.client())
        self.publication = publication
        self.records: list[dict[str, str]] = []
        self.trees: list[dict[str, str]] = []  # each that differs from the one before: each wakes every Traefik
        self._last = publication.published()
        self.after = self._remember

    def _remember(self, _number: int) -> None:
        self.records.append(self.publication.recorded())
        now = self.publication.published()
        if now != self._last:
            self.trees.append(now)
        self._last = now


def test_the_first_sync_publishes_all_that_is_asked_for_with_one_wake(publication: ConsulPublication) -> None:
    """As Traefik finds keys in Consul: without a leading slash."""
    assert publication.tree == f"{publication.prefix}/"
    store = Observed(publication)
    report = publication.sync(STOCK, store=store)
    assert report.outcome is Outcome.DONE
    assert store.trees == [keys(STOCK)]
    assert_settled(publication, SHOES, SOCKS)


def test_every_key_lives_as_long_as_whom_it_is_for(publication: ConsulPublication) -> None:
    """And none is without a lock, which would make it look written by hand."""
    publication.sync(STOCK, publication.settings(ttl=60))
    for path, item in publication.held(publication.tree).items():
        own, standing = "/servers/" in path, f"/{STANDING}/" in path
        name = LeaseName("c/default", 60) if own else LeaseName("standing", 0) if standing else LeaseName("fleet", 60)
        assert item.lease == name, path
    for path, item in publication.held(publication.records).items():
        name = LeaseName("standing", 0) if path.startswith("fleet/guard/") else LeaseName("c/default", 60)
        assert item.lease == name, path


def test_the_second_sync_writes_nothing(tmp_path: Path) -> None:
    """On a Consul of its own: its index is that of all keys, and other tests' sessions end when they like."""
    with running_consul(tmp_path) as server, closing(ConsulPublication(server, "traefik")) as publication:
        publication.sync(STOCK, publication.settings(ttl=60))
        before, since = publication.everything(), publication.revision()
        report = publication.sync(STOCK, publication.settings(ttl=60))
        assert (report.outcome, report.written, report.transactions) == (Outcome.DONE, (), 0)
        assert publication.revision() == since
        assert publication.everything() == before


def test_one_container_flips_and_only_its_keys_change_in_one_transaction(publication: ConsulPublication) -> None:
    publication.sync(STOCK)
    before, store = publication.everything(), Observed(publication)
    base = "backends/shoes__shop/servers/default--shoes-2"
    publication.sync(world(without_health(SHOES, "shoes-2"), SOCKS), store=store)
    assert store.trees == [without(keys(STOCK), {f"{base}/url", f"{base}/weight"})]
    flipped = {publication.tree + path for path in (f"{base}/url", f"{base}/weight")}
    assert publication.everything() == {key: item for key, item in before.items() if key not in flipped}

    store = Observed(publication)
    publication.sync(STOCK, store=store)
    assert store.trees == [keys(STOCK)]


def test_a_changed_label_changes_its_key_alone_in_place(publication: ConsulPublication) -> None:
    publication.sync(STOCK)
    before, store = publication.held(publication.tree), Observed(publication)
    publication.sync(world(with_labels(SHOES, backend_loadbalancer_method="wrr"), SOCKS), store=store)
    assert store.trees == [{**keys(STOCK), SHOES_METHOD: "wrr"}]
    after = publication.held(publication.tree)[SHOES_METHOD]
    assert (after.created, after.lease) == (before[SHOES_METHOD].created, before[SHOES_METHOD].lease)


def test_servers_that_are_dead_are_replaced_in_one_transaction(publication: ConsulPublication) -> None:
    publication.sync(STOCK)
    store = Observed(publication)
    replaced = world(with_containers(SHOES, *FRESH), SOCKS)
    publication.sync(replaced, store=store)
    assert store.trees == [keys(replaced)]


def test_a_removed_service_is_closed_a_read_time_before_the_rest_of_it_goes(publication: ConsulPublication) -> None:
    publication.sync(STOCK)
    store, hurry = Observed(publication), Hurry()
    report = publication.sync(world(SOCKS), store=store, hurry=hurry)
    gone = of("shoes", keys(STOCK))
    assert store.trees == [without(keys(STOCK), {SHOES_OPENING}), without(keys(STOCK), gone)]
    assert sum(hurry.naps) > READ_TIME / 2
    assert report.outcome is Outcome.DONE
    assert_settled(publication, SOCKS)


BIG = service("big", containers=40)  # more servers than one transaction of Consul can hold
BIG_OPENING = "frontends/big__shop/backend"


def test_a_service_too_large_for_one_transaction_opens_last_and_closes_first(publication: ConsulPublication) -> None:
    publication.sync(world())
    store = Observed(publication)
    publication.sync(world(BIG), store=store)
    *opening, opened = store.trees
    assert opening
    assert all(BIG_OPENING not in tree for tree in opening)
    assert opened == keys(world(BIG))
    assert_settled(publication, BIG)
    assert publication.sync(world(BIG)).transactions == 0

    store = Observed(publication)
    publication.sync(world(), publication.settings(force=True), store=store)
    assert store.trees[0] == without(keys(world(BIG)), {BIG_OPENING})
    assert_settled(publication)


def test_a_hundred_services_come_in_nearly_as_few_transactions_as_fit(publication: ConsulPublication) -> None:
    seen = snapshot(document(services=100, containers=3), "a file")
    report = publication.sync(seen, publication.settings(environment=seen.environment))
    assert publication.published() == keys(seen)
    fewest = math.ceil(len(report.written) * LIMITS.create / (LIMITS.operations - 1))
    assert report.transactions <= 1.3 * fewest  # a service is not cut: 29 changes, 58 operations, fill one of 64
    again = publication.sync(seen, publication.settings(environment=seen.environment))
    assert again.transactions == 0


# The bridge dies.


def test_all_that_a_dead_bridge_published_vanishes_with_its_ttl_and_the_next_sync_tidies_up(
    publication: ConsulPublication, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the standing group and the guards outlive it."""
    monkeypatch.setattr("bridge.stores.consul.SHORTEST_TTL", 1)
    monkeypatch.setattr("bridge.stores.consul.Consul.limits", replace(LIMITS, shortest_ttl=1))
    publication.sync(STOCK, publication.settings(ttl=2))
    eventually(2 + PATIENCE, lambda: publication.published() == STANDING_KEYS)
    eventually(PATIENCE, lambda: all(path.startswith("fleet/guard/") for path in publication.recorded()))
    assert groups(publication.recorded(), "fleet/guard") == {"shoes__shop", "socks__shop", STANDING}
    publication.sync(world(SOCKS))
    assert_settled(publication, SOCKS)


AFTER = (with_labels(without_health(SHOES, "shoes-1"), priority="9"), service("hats"))


def commits(server: ConsulServer) -> int:
    """How many commits it takes to get from one world to the other."""
    publication = ConsulPublication(server, f"sync{next(_prefixes)}/traefik")
    publication.sync(STOCK)
    store = FailingStore(publication.client())
    publication.sync(world(*AFTER), store=store)
    publication.close()
    return store.commits


@pytest.mark.parametrize("what", [FailingStore.die, FailingStore.lose_the_answer])
@pytest.mark.parametrize("happened", [False, True])
def test_a_sync_to_which_something_happens_at_any_commit_is_finished(
    consul_server: ConsulServer, happened: bool, what: Accident
) -> None:
    """By itself where only an answer was lost; by the next one where it was killed."""
    count = commits(consul_server)
    assert count > 2
    for at in range(1, count + 1):
        publication = ConsulPublication(consul_server, f"sync{next(_prefixes)}/traefik")
        publication.sync(STOCK)
        store = FailingStore(publication.client())
        accident(store, at, happened=happened, what=what)
        report: Report | None = None
        try:
            report = publication.sync(world(*AFTER), store=store)
        except Killed:
            publication.bury_leader()
            report = publication.sync(world(*AFTER))
        assert report.outcome is Outcome.DONE
        publication.bury_leader()  # where the last commit was lost: that it leads no more
        assert_settled(publication, *AFTER)
        publication.close()


def test_a_lease_that_ends_under_a_sync_is_granted_again_with_its_keys(publication: ConsulPublication) -> None:
    """Right before it commits."""
    publication.sync(STOCK, publication.settings(ttl=60))

    def end_once(number: int) -> None:
        if number == 1:
            publication.end(LeaseName("c/default", 60))

    ended = FailingStore(publication.client(), before=end_once)
    publication.sync(world(SHOES, SOCKS, service("hats")), publication.settings(ttl=60), store=ended)
    assert_settled(publication, SHOES, SOCKS, service("hats"))


def test_a_consul_that_was_restarted_between_two_syncs_makes_nobody_write(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_consul(tmp_path_factory.mktemp("restarted"), lasting=True) as server:
        publication = ConsulPublication(server, "traefik")
        publication.sync(STOCK, publication.settings(ttl=600))
        before = publication.everything()
        server.kill()
        server.start()
        report = publication.sync(STOCK, publication.settings(ttl=600))
        assert report.transactions == 0
        assert publication.everything() == before
        publication.close()


# Others write, too.


@pytest.mark.parametrize("path", [SHOES_OPENING, "frontends/shoes__shop/basicauth"])
def test_a_hand_written_key_of_the_same_name_freezes_its_group_only(publication: ConsulPublication, path: str) -> None:
    publication.write(path, "by hand")
    report = publication.sync(STOCK)
    assert publication.published() == {**keys(world(SOCKS)), path: "by hand"}
    assert publication.held(publication.tree)[path].lease is None
    (problem,) = [problem for problem in report.problems if problem.label]
    assert (problem.service, problem.label) == ("shop/shoes", publication.tree + path)
    assert publication.sync(STOCK).transactions == 0
    publication.erase(path)
    publication.sync(STOCK)
    assert_settled(publication, SHOES, SOCKS)


@pytest.mark.parametrize("path", [SHOES_METHOD, SHOES_SERVER, SHOES_OPENING])
def test_a_key_of_ours_that_somebody_edits_keeps_its_session_and_is_put_back(
    publication: ConsulPublication, path: str
) -> None:
    """On etcd it would count as his."""
    publication.sync(STOCK)
    before = publication.held(publication.tree)[path]
    publication.write(path, "by hand")
    store = Observed(publication)
    report = publication.sync(STOCK, store=store)
    assert store.trees == [keys(STOCK)]
    after = publication.held(publication.tree)[path]
    assert (after.value, after.created, after.lease) == (before.value, before.created, before.lease)
    assert not report.problems
    assert_settled(publication, SHOES, SOCKS)


def test_each_key_and_each_record_of_ours_that_somebody_deletes_is_put_back(publication: ConsulPublication) -> None:
    publication.sync(STOCK)
    before = publication.everything()
    for key in before:
        publication.server.delete(key)
        publication.sync(STOCK)
    after = publication.everything()
    assert {key: item.lease for key, item in after.items()} == {key: item.lease for key, item in before.items()}
    assert_settled(publication, SHOES, SOCKS)


def test_of_two_clusters_each_keeps_its_servers_and_the_last_that_leaves_takes_all(
    publication: ConsulPublication,
) -> None:
    """Neither knows the other's sessions, but by the fleet's."""
    publication.sync(STOCK)
    other = publication.settings(cluster="other", environment="22222222-2222-4222-8222-222222222222")
    publication.sync(world(SHOES), other)
    assert publication.published() == {**keys(STOCK), **of("shoes", keys(world(SHOES), "other"))}
    publication.leave(cluster="default")
    assert publication.published() == {**keys(world(SHOES), "other"), **STANDING_KEYS}
    publication.leave(cluster="other")
    assert publication.everything() == {}


# Leases change, and end.


@pytest.mark.parametrize(("before", "after"), [(60, 120), (120, 60), (60, 0), (0, 60)])
def test_with_another_ttl_keys_move_to_the_other_lease_and_are_never_absent(
    publication: ConsulPublication, before: int, after: int
) -> None:
    publication.sync(STOCK, publication.settings(ttl=before))
    created = {key: item.created for key, item in publication.everything().items()}
    store = Observed(publication)
    publication.sync(STOCK, publication.settings(ttl=after), store=store)
    assert store.trees == []
    assert all(groups(records, "c/default/claim") for records in store.records)
    moved = publication.everything()
    assert {key: item.created for key, item in moved.items()} == created
    leases = {item.lease for item in moved.values()}
    assert leases == {LeaseName("c/default", after), LeaseName("fleet", after), LeaseName("standing", 0)}
    assert publication.sync(STOCK, publication.settings(ttl=after)).transactions == 0


def test_while_another_process_leads_a_sync_waits_for_as_long_as_its_lease_and_writes_nothing(
    publication: ConsulPublication,
) -> None:
    """Consul's shortest lease is twice as long as etcd's."""
    publication.sync(STOCK)
    store = FailingStore(publication.client())
    with pytest.raises(Killed):
        publication.sync(world(SOCKS), store=store, hurry=Hurry(meanwhile=store.die))
    before, hurry = publication.everything(), Hurry()
    report = publication.sync(world(SOCKS), hurry=hurry)
    assert (report.outcome, report.written) == (Outcome.FOLLOWS, ())
    assert 20 < sum(hurry.naps) < 25
    assert publication.everything() == before


def test_leave_takes_away_all_that_is_ours_and_nothing_else(publication: ConsulPublication) -> None:
    """Not one key of a session is left, for there is none."""
    publication.write("frontends/theirs/backend", "theirs")
    publication.sync(STOCK, publication.settings(ttl=60))
    store = Observed(publication)
    report = publication.leave(store=store)
    assert report.outcome is Outcome.DONE
    theirs = {"frontends/theirs/backend": "theirs"}
    assert publication.published() == theirs
    assert publication.server.pairs(publication.records) == {}
    opening = {path for path in keys(STOCK) if path.endswith("/backend")}
    assert store.trees == [{**without(keys(STOCK), opening), **theirs}, theirs]
    began = time.monotonic()
    assert publication.leave().transactions == 0
    assert time.monotonic() - began < PATIENCE
