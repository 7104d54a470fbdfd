"""What `sync` promises, on a real etcd. Time is in a hurry: what a pass sleeps has passed at once."""

from __future__ import annotations

import itertools
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.layouts import layout
from bridge.leases import Keeper
from bridge.model.change import LeaseName
from bridge.model.keys import STANDING, Publisher
from bridge.model.problem import UsageError
from bridge.model.world import Service
from bridge.ownership.mirror import Mirror
from bridge.ownership.standing import stand
from bridge.report import Outcome, Report
from bridge.sources.document import snapshot
from bridge.sync import sync, with_standing
from bridge.writer import Settings
from tests.publishing import (
    ENVIRONMENT,
    READ_TIME,
    FailingStore,
    Hurry,
    Killed,
    Publication,
    Publishing,
    container,
    external,
    keys,
    service,
    wishes,
    with_containers,
    with_labels,
    without_health,
    world,
)
from tests.servers import EtcdServer, running_etcd
from tests.worlds.generate import document

ROOT = Path(__file__).parent.parent
SYNC = (sys.executable, "-m", "bridge", "sync")
PATIENCE = 20.0  # seconds that etcd, or a process that starts, may take for what it does by itself

SHOES, SOCKS = service("shoes"), service("socks")
STOCK = world(SHOES, SOCKS)
SHOES_OPENING = "frontends/shoes__shop/backend"
SHOES_METHOD = "backends/shoes__shop/loadbalancer/method"
SHOES_SERVER = "backends/shoes__shop/servers/default--shoes-1/url"
STANDING_KEYS = keys(world())
OTHER_ENVIRONMENT = "22222222-2222-4222-8222-222222222222"

_prefixes = itertools.count(1)


@pytest.fixture
def publication(etcd_server: EtcdServer) -> Iterator[Publication]:
    with_prefix = Publication(etcd_server, f"sync{next(_prefixes)}/traefik")
    yield with_prefix
    with_prefix.close()


def of(name: str, tree: Mapping[str, str]) -> dict[str, str]:
    """The keys of one service."""
    return {path: value for path, value in tree.items() if path.split("/")[1] == f"{name}__shop"}


def without(tree: Mapping[str, str], paths: Collection[str]) -> dict[str, str]:
    return {path: value for path, value in tree.items() if path not in paths}


def servers(tree: Mapping[str, str]) -> set[str]:
    """The addresses that requests may go to."""
    return {value for path, value in tree.items() if path.endswith("/url")}


def groups(records: Collection[str], kind: str) -> set[str]:
    """The groups that have a record of this kind: c/default/claim or fleet/guard."""
    return {path.removeprefix(f"{kind}/") for path in records if path.startswith(f"{kind}/")}


def assert_settled(publication: Publishing, *services: Service) -> None:
    """Exactly what these services ask for stands, with our records of it, and nobody leads."""
    assert publication.published() == keys(world(*services))
    wanted = {STANDING, *(f"{one.name}__shop" for one in services)}
    records = publication.recorded()
    assert groups(records, "c/default/claim") == wanted
    assert groups(records, "fleet/guard") == wanted
    assert "c/default/presence" in records
    assert len(records) == 2 * len(wanted) + 1


# A sync, and another.


def test_the_first_sync_publishes_all_that_is_asked_for_with_one_wake(publication: Publication) -> None:
    since = publication.revision()
    report = publication.sync(STOCK)
    assert report.outcome is Outcome.DONE
    assert publication.wakes(since) == [keys(STOCK)]
    assert_settled(publication, SHOES, SOCKS)


def test_every_key_lives_as_long_as_whom_it_is_for(publication: Publication) -> None:
    """Servers, claims and presence with the cluster, shared keys with all clusters; guards and backstop for ever."""
    publication.sync(STOCK, publication.settings(ttl=60))
    for path, item in publication.held(publication.tree).items():
        own, standing = "/servers/" in path, f"/{STANDING}/" in path
        name = LeaseName("c/default", 60) if own else LeaseName("standing", 0) if standing else LeaseName("fleet", 60)
        assert item.lease == name, path
    for path, item in publication.held(publication.records).items():
        name = LeaseName("standing", 0) if path.startswith("fleet/guard/") else LeaseName("c/default", 60)
        assert item.lease == name, path


def test_the_second_sync_writes_nothing_and_renews(publication: Publication) -> None:
    """Not even the leader's key: the store's revision stands still."""
    publication.sync(STOCK, publication.settings(ttl=60))
    before, since = publication.everything(), publication.revision()
    store = publication.client()
    cluster, fleet = LeaseName("c/default", 60), LeaseName("fleet", 60)
    eventually(lambda: max(store.remaining(cluster) or 0, store.remaining(fleet) or 0) < 59)

    report = publication.sync(STOCK, publication.settings(ttl=60))

    assert (report.outcome, report.written, report.transactions) == (Outcome.DONE, (), 0)
    assert (store.remaining(cluster) or 0) >= 59
    assert (store.remaining(fleet) or 0) >= 59
    assert publication.moments(since) == []
    assert publication.everything() == before


def test_a_preview_tells_what_a_sync_does_and_writes_nothing(publication: Publication) -> None:
    publication.sync(STOCK)
    changed = world(without_health(SHOES, "shoes-1"), service("hats"))
    since, store = publication.revision(), FailingStore(publication.client())
    planned = publication.preview(changed, store=store)
    assert publication.moments(since) == []
    assert (store.commits, store.kept) == (0, [])
    assert publication.sync(changed).differences == planned.differences


def test_one_container_flips_and_only_its_keys_change_in_one_transaction(publication: Publication) -> None:
    publication.sync(STOCK)
    sick = world(without_health(SHOES, "shoes-2"), SOCKS)
    base = "backends/shoes__shop/servers/default--shoes-2"

    before, since = publication.everything(), publication.revision()
    publication.sync(sick)
    assert publication.wakes(since) == [without(keys(STOCK), {f"{base}/url", f"{base}/weight"})]
    flipped = {publication.tree + path for path in (f"{base}/url", f"{base}/weight")}
    assert publication.everything() == {key: item for key, item in before.items() if key not in flipped}

    since = publication.revision()
    publication.sync(STOCK)
    assert publication.wakes(since) == [keys(STOCK)]


def test_a_changed_label_changes_its_key_alone_in_place(publication: Publication) -> None:
    publication.sync(STOCK)
    before, since = publication.held(publication.tree), publication.revision()
    publication.sync(world(with_labels(SHOES, backend_loadbalancer_method="wrr"), SOCKS))
    assert publication.wakes(since) == [{**keys(STOCK), SHOES_METHOD: "wrr"}]
    assert publication.held(publication.tree)[SHOES_METHOD].created == before[SHOES_METHOD].created


def test_three_hundred_services_come_in_nearly_as_few_transactions_as_fit(publication: Publication) -> None:
    seen = snapshot(document(services=300, containers=3), "a file")
    since, store = publication.revision(), FailingStore(publication.client())
    report = publication.sync(seen, publication.settings(environment=seen.environment), store=store)
    assert publication.published() == keys(seen)
    room = store.limits.operations - 1  # the leader is compared in each
    fewest = math.ceil(len(report.written) / room)
    assert len(publication.wakes(since)) <= 1.1 * fewest
    again = publication.sync(seen, publication.settings(environment=seen.environment))
    assert again.transactions == 0


# More servers than one transaction of etcd can hold.
BIG = service("big", containers=100)
BIG_OPENING = "frontends/big__shop/backend"


def test_a_service_too_large_for_one_transaction_opens_last_and_closes_first(publication: Publication) -> None:
    since = publication.revision()
    publication.sync(world(BIG))
    *opening, opened = publication.wakes(since)
    assert opening
    assert all(BIG_OPENING not in tree for tree in opening)
    assert opened == keys(world(BIG))
    assert_settled(publication, BIG)
    assert publication.sync(world(BIG)).transactions == 0

    since = publication.revision()
    publication.sync(world(), publication.settings(force=True))
    closed, *_ = publication.wakes(since)
    assert closed == without(keys(world(BIG)), {BIG_OPENING})
    assert_settled(publication)


@pytest.mark.parametrize("happened", [False, True])
def test_a_large_service_that_was_killed_at_any_commit_is_finished_by_the_next_sync(
    etcd_server: EtcdServer, happened: bool
) -> None:
    for start, end in ((world(), world(BIG)), (world(BIG), world())):
        for at in itertools.count(1):
            publication = Publication(etcd_server, f"sync{next(_prefixes)}/traefik")
            publication.sync(start)
            store = FailingStore(publication.client())
            accident(store, at, happened=happened, what=FailingStore.die)
            try:
                publication.sync(end, publication.settings(force=True), store=store)
            except Killed:
                publication.bury_leader()
            publication.sync(end, publication.settings(force=True))
            assert_settled(publication, *end.services)
            publication.close()
            if not store.dead:
                break


@pytest.mark.parametrize(("before", "after"), [(60, 120), (120, 60)])
def test_a_large_service_moves_to_another_lease_without_a_gap(
    publication: Publication, before: int, after: int
) -> None:
    publication.sync(world(BIG), publication.settings(ttl=before))
    since = publication.revision()
    publication.sync(world(BIG), publication.settings(ttl=after))
    assert all(tree == keys(world(BIG)) for tree in publication.wakes(since))
    leases = {item.lease for item in publication.everything().values()}
    assert leases == {LeaseName("c/default", after), LeaseName("fleet", after), LeaseName("standing", 0)}


# A service goes.


def test_a_removed_service_is_closed_a_read_time_before_the_rest_of_it_goes(publication: Publication) -> None:
    publication.sync(STOCK)
    since, hurry, times = publication.revision(), Hurry(), list[float]()
    store = FailingStore(publication.client(), after=lambda _: times.append(hurry.now()))

    report = publication.sync(world(SOCKS), store=store, hurry=hurry)

    gone = of("shoes", keys(STOCK))
    assert publication.wakes(since) == [without(keys(STOCK), {SHOES_OPENING}), without(keys(STOCK), gone)]
    assert times[1] - times[0] >= READ_TIME
    assert report.outcome is Outcome.DONE
    assert_settled(publication, SOCKS)


def test_a_removal_that_was_killed_between_its_steps_is_finished_by_the_next_sync(publication: Publication) -> None:
    publication.sync(STOCK)
    store = FailingStore(publication.client())
    with pytest.raises(Killed):
        publication.sync(world(SOCKS), store=store, hurry=Hurry(meanwhile=store.die))
    assert publication.published() == without(keys(STOCK), {SHOES_OPENING})
    publication.bury_leader()

    hurry = Hurry()
    publication.sync(world(SOCKS), hurry=hurry)

    assert sum(hurry.naps) > READ_TIME / 2, "it cannot know when the first process closed the service"
    assert_settled(publication, SOCKS)


def test_a_removed_service_that_comes_back_between_the_steps_is_opened_again(publication: Publication) -> None:
    publication.sync(STOCK)
    store = FailingStore(publication.client())
    with pytest.raises(Killed):
        publication.sync(world(SOCKS), store=store, hurry=Hurry(meanwhile=store.die))
    publication.bury_leader()
    since = publication.revision()
    publication.sync(STOCK)
    assert publication.wakes(since) == [keys(STOCK)]
    assert_settled(publication, SHOES, SOCKS)


# Servers are replaced.


OLD_LIST, NEW_LIST = ("192.0.2.1", "192.0.2.2"), ("192.0.2.3", "192.0.2.4")
DRAINED = tuple(replace(one, labels={"traefik.weight": "0"}) for one in SHOES.containers)
FRESH = (container("shoes-8", "10.42.0.8"), container("shoes-9", "10.42.0.9"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(external("bank", *OLD_LIST), external("bank", *NEW_LIST), id="an external service's list"),
        pytest.param(SHOES, with_containers(SHOES, *DRAINED, *FRESH), id="drained containers"),
    ],
)
def test_servers_that_still_live_go_a_read_time_after_those_that_replace_them_came(
    publication: Publication, before: Service, after: Service
) -> None:
    """So whoever reads key by key always finds one."""
    publication.sync(world(before))
    since, hurry, times = publication.revision(), Hurry(), list[float]()
    store = FailingStore(publication.client(), after=lambda _: times.append(hurry.now()))

    publication.sync(world(after), store=store, hurry=hurry)

    old, new = servers(keys(world(before))), servers(keys(world(after)))
    assert [servers(tree) for tree in publication.wakes(since)] == [old | new, new]
    assert times[1] - times[0] >= READ_TIME


def test_servers_that_are_dead_are_replaced_in_one_transaction(publication: Publication) -> None:
    publication.sync(STOCK)
    since, hurry = publication.revision(), Hurry()
    replaced = world(with_containers(SHOES, *FRESH), SOCKS)
    publication.sync(replaced, hurry=hurry)
    assert publication.wakes(since) == [keys(replaced)]
    assert hurry.naps == []


def test_a_service_that_loses_its_last_server_keeps_its_route(publication: Publication) -> None:
    """Its requests are answered with 503, by nobody else."""
    publication.sync(STOCK)
    publication.sync(world(without_health(SHOES), SOCKS))
    assert set(of("shoes", publication.published())) == {
        SHOES_METHOD,
        "backends/shoes__shop/circuitbreaker/expression",
        SHOES_OPENING,
        "frontends/shoes__shop/routes/main/rule",
    }


# The bridge dies.


def test_all_that_a_dead_bridge_published_vanishes_with_its_ttl_and_the_next_sync_tidies_up(
    publication: Publication,
) -> None:
    """Only the standing group and the guards outlive it. The guard of a service that is gone is cleared."""
    publication.sync(STOCK, publication.settings(ttl=1))
    eventually(lambda: publication.published() == STANDING_KEYS)
    eventually(lambda: all(path.startswith("fleet/guard/") for path in publication.recorded()))
    assert groups(publication.recorded(), "fleet/guard") == {"shoes__shop", "socks__shop", STANDING}

    publication.sync(world(SOCKS))

    assert_settled(publication, SOCKS)


BEFORE = world(SHOES, SOCKS, external("bank", *OLD_LIST))
AFTER = (with_labels(without_health(SHOES, "shoes-1"), priority="9"), service("hats"), external("bank", *NEW_LIST))

Accident = Callable[[FailingStore], None]


def accident(store: FailingStore, at: int, *, happened: bool, what: Accident) -> None:
    """`what` befalls the commit with the number `at`, before or after it happened."""

    def strike(number: int) -> None:
        if number == at:
            what(store)

    if happened:
        store.after = strike
    else:
        store.before = strike


def commits(server: EtcdServer) -> int:
    """How many commits it takes to get from one world to the other."""
    publication = Publication(server, f"sync{next(_prefixes)}/traefik")
    publication.sync(BEFORE)
    store = FailingStore(publication.client())
    publication.sync(world(*AFTER), store=store)
    publication.close()
    return store.commits


@pytest.mark.parametrize("happened", [False, True])
def test_a_sync_that_was_killed_at_any_commit_is_finished_by_the_next(etcd_server: EtcdServer, happened: bool) -> None:
    count = commits(etcd_server)
    assert count > 2
    for at in range(1, count + 1):
        publication = Publication(etcd_server, f"sync{next(_prefixes)}/traefik")
        publication.sync(BEFORE)
        since, store = publication.revision(), FailingStore(publication.client())
        accident(store, at, happened=happened, what=FailingStore.die)
        with pytest.raises(Killed):
            publication.sync(world(*AFTER), store=store)
        publication.bury_leader()
        publication.sync(world(*AFTER))
        assert_settled(publication, *AFTER)
        assert all(servers(of("bank", tree)) for tree in publication.wakes(since))
        publication.close()


@pytest.mark.parametrize("happened", [False, True])
def test_a_lost_answer_to_any_commit_is_healed_by_the_same_sync(etcd_server: EtcdServer, happened: bool) -> None:
    """Whether the commit happened is read, never guessed."""
    count = commits(etcd_server)
    for at in range(1, count + 1):
        publication = Publication(etcd_server, f"sync{next(_prefixes)}/traefik")
        publication.sync(BEFORE)
        store = FailingStore(publication.client())
        accident(store, at, happened=happened, what=FailingStore.lose_the_answer)
        assert publication.sync(world(*AFTER), store=store).outcome is Outcome.DONE
        assert store.commits == count + (not happened and at < count), "only what did not happen is sent again"
        publication.bury_leader()  # where it was the last commit: that it leads no more
        assert_settled(publication, *AFTER)
        publication.close()


def test_an_etcd_that_was_restarted_between_two_syncs_makes_nobody_write(tmp_path: Path) -> None:
    with running_etcd(tmp_path) as server:
        publication = Publication(server, "traefik")
        publication.sync(STOCK, publication.settings(ttl=600))
        before = publication.everything()
        server.kill()
        server.start()
        report = publication.sync(STOCK, publication.settings(ttl=600))
        assert report.transactions == 0
        assert publication.everything() == before
        publication.close()


# Others write, too.


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(SHOES_OPENING, id="it opens the route"),
        pytest.param("frontends/shoes__shop/basicauth", id="it protects the route"),
        pytest.param("frontends/shoes__shop/routes/main", id="it is above a key of ours"),
        pytest.param("frontends/shoes__shop/routes/main/rule/x", id="it is below a key of ours"),
    ],
)
def test_a_hand_written_key_of_the_same_name_freezes_its_group_only(publication: Publication, path: str) -> None:
    """It is never touched, and reported; servers do not come behind what stands there. Once it is gone all comes.

    What a key says is shown only where its name is known: another may be a slip for one that holds a secret.
    """
    publication.write(path, "by hand")
    report = publication.sync(STOCK)
    assert publication.published() == {**keys(world(SOCKS)), path: "by hand"}
    assert publication.held(publication.tree)[path].lease is None
    (problem,) = [problem for problem in report.problems if problem.label]  # one names the key
    shown = "by hand" if path == SHOES_OPENING else ""
    assert (problem.service, problem.label, problem.value) == ("shop/shoes", publication.tree + path, shown)
    assert "froze" in problem.did
    assert publication.sync(STOCK).transactions == 0

    publication.erase(path)
    publication.sync(STOCK)
    assert_settled(publication, SHOES, SOCKS)


def test_in_a_frozen_group_servers_come_and_go_and_its_other_keys_stay(publication: Publication) -> None:
    publication.sync(STOCK)
    by_hand = {"frontends/shoes__shop/basicauth": "by hand"}
    publication.write(*next(iter(by_hand.items())))
    changed = with_labels(without_health(SHOES, "shoes-1"), backend_loadbalancer_method="wrr")
    report = publication.sync(world(changed, SOCKS))
    assert [problem.label for problem in report.problems] == [publication.tree + path for path in by_hand]
    assert publication.published() == {**keys(world(changed, SOCKS)), SHOES_METHOD: "drr", **by_hand}

    publication.sync(world(SOCKS))
    shared = {path: value for path, value in of("shoes", keys(STOCK)).items() if "/servers/" not in path}
    assert publication.published() == {**keys(world(SOCKS)), **shared, **by_hand}

    publication.erase(*by_hand)
    publication.sync(world(SOCKS))
    assert_settled(publication, SOCKS)


def test_each_key_of_ours_that_somebody_deletes_is_put_back_and_no_other_is_touched(publication: Publication) -> None:
    publication.sync(STOCK)
    for path in (*of("shoes", keys(STOCK)), *STANDING_KEYS):
        before = publication.held(publication.tree)
        publication.erase(path)
        report = publication.sync(STOCK)
        assert report.outcome is Outcome.DONE
        after = publication.held(publication.tree)
        assert after.keys() == before.keys()
        assert {path for path in after if after[path] != before[path]} == {path}
        assert after[path].value == before[path].value
    assert_settled(publication, SHOES, SOCKS)


def test_each_record_of_ours_that_somebody_deletes_is_put_back(publication: Publication) -> None:
    """And no Traefik hears of it."""
    publication.sync(STOCK)
    before, since = publication.recorded(), publication.revision()
    for path in before:
        publication.server.delete(publication.records + path)
        publication.sync(STOCK)
        assert publication.recorded().keys() == before.keys()
    assert publication.wakes(since) == []


@pytest.mark.parametrize("path", [SHOES_METHOD, SHOES_SERVER, SHOES_OPENING])
def test_a_key_of_ours_that_somebody_overwrites_is_left_and_reported_until_it_is_deleted(
    publication: Publication, path: str
) -> None:
    publication.sync(STOCK)
    publication.write(path, "by hand")
    since = publication.revision()
    report = publication.sync(STOCK)
    assert publication.wakes(since) == []
    (problem,) = report.problems
    assert (problem.label, problem.value) == (publication.tree + path, "by hand")
    publication.erase(path)
    publication.sync(STOCK)
    assert_settled(publication, SHOES, SOCKS)


@pytest.mark.parametrize("path", ["c/default/claim/shoes__shop", "fleet/guard/shoes__shop"])
def test_a_record_that_somebody_overwrites_is_put_right_and_reported(publication: Publication, path: str) -> None:
    """Under our own prefix the path says whose a record is."""
    publication.sync(STOCK)
    before = publication.held(publication.records)[path]
    publication.server.put(publication.records + path, "by hand")
    report = publication.sync(STOCK)
    assert publication.held(publication.records)[path].lease == before.lease
    assert [problem.label for problem in report.problems] == [publication.records + path]
    assert publication.sync(STOCK).transactions == 0
    assert_settled(publication, SHOES, SOCKS)


# Who writes.


def test_while_another_process_leads_a_sync_writes_nothing_and_names_it(publication: Publication) -> None:
    publication.sync(STOCK)
    leader = publication.settings()
    followed: list[Report] = []

    def meanwhile() -> None:
        since = publication.revision()
        followed.append(publication.sync(world(SHOES, SOCKS, service("hats"))))
        assert publication.moments(since) == []

    publication.sync(world(SOCKS), leader, hurry=Hurry(meanwhile))

    assert [(report.outcome.exit_code, report.leader) for report in followed] == [(5, leader.replica)] * len(followed)
    assert followed
    assert_settled(publication, SOCKS)


def test_syncs_that_start_at_once_agree(publication: Publication) -> None:
    """One leads; the others wait for it and find their work done."""

    def run(_: int) -> Report:
        return sync(wishes(STOCK), publication.client(), publication.settings())

    since = publication.revision()
    with ThreadPoolExecutor(4) as processes:
        reports = list(processes.map(run, range(4)))
    assert [report.outcome for report in reports] == [Outcome.DONE] * 4
    assert publication.wakes(since) == [keys(STOCK)]
    assert_settled(publication, SHOES, SOCKS)


def test_a_sync_that_changes_nothing_needs_no_lead(publication: Publication) -> None:
    leader, hats = publication.settings(), service("hats")
    publication.sync(STOCK)
    store = FailingStore(publication.client())
    accident(store, 1, happened=True, what=FailingStore.die)
    with pytest.raises(Killed):
        publication.sync(world(SHOES, SOCKS, hats), leader, store=store)
    assert publication.sync(world(SHOES, SOCKS, hats)).outcome is Outcome.DONE
    assert publication.sync(STOCK).outcome is Outcome.FOLLOWS


def test_a_sync_goes_through_once_the_dead_leaders_lease_ends(publication: Publication) -> None:
    publication.sync(STOCK)
    store = FailingStore(publication.client())
    accident(store, 1, happened=True, what=FailingStore.die)
    with pytest.raises(Killed):
        publication.sync(world(SHOES), store=store)
    naps = itertools.count(1)
    report = publication.sync(STOCK, hurry=Hurry(lambda: publication.bury_leader() if next(naps) == 3 else None))
    assert report.outcome is Outcome.DONE
    assert_settled(publication, SHOES, SOCKS)


def test_who_lost_the_lead_while_it_waited_writes_nothing_more(publication: Publication) -> None:
    publication.sync(STOCK)
    first, second = publication.settings(), publication.settings()
    since = list[int]()

    def take_over() -> None:
        if since:
            return
        publication.bury_leader()
        store = FailingStore(publication.client())
        accident(store, 1, happened=True, what=FailingStore.die)
        with pytest.raises(Killed):
            publication.sync(STOCK, second, store=store)
        since.append(publication.revision())

    report = publication.sync(world(SOCKS), first, hurry=Hurry(take_over))

    assert (report.outcome, report.leader) == (Outcome.FOLLOWS, second.replica)
    assert publication.moments(since[0]) == []
    assert publication.published() == keys(STOCK)


def test_another_environment_under_our_clusters_name_is_refused_before_anything_is_renewed(
    publication: Publication,
) -> None:
    """Each would remove what the other publishes."""
    publication.sync(STOCK)
    since, store = publication.revision(), FailingStore(publication.client())
    other = publication.settings(environment=OTHER_ENVIRONMENT)
    with pytest.raises(UsageError, match=f"{ENVIRONMENT}.*{OTHER_ENVIRONMENT}") as refused:
        publication.sync(world(SOCKS), other, store=store)
    assert refused.value.exit_code == 2
    assert (store.commits, store.kept) == (0, [])
    assert publication.moments(since) == []


@pytest.mark.parametrize("leaving", [False, True])
def test_another_layout_of_one_prefix_is_refused_before_anything_is_renewed(
    publication: Publication, leaving: bool
) -> None:
    """They would share records and leases: what the first left would live on with the second's, and go with its."""
    publication.sync(STOCK)
    since, store = publication.revision(), FailingStore(publication.client())
    other = publication.settings(leaving=leaving)
    layout3 = layout("traefik3")
    tree = layout3.tree_prefix(publication.prefix, "etcd")
    other = replace(other, publisher=Publisher(layout3, tree, publication.records, "default"))
    with pytest.raises(
        UsageError, match=r"publishes traefik1 .*; say --layout traefik1, .* bridge leave --layout traefik1"
    ) as refused:
        sync({}, store, other)
    assert refused.value.exit_code == 2
    assert (store.commits, store.kept) == (0, [])
    assert publication.moments(since) == []
    publication.leave()
    sync(with_standing({}, layout3), publication.client(), replace(other, leaving=False))
    assert publication.held(tree).keys() == layout3.standing().keys()


def of_another(publication: Publication, ttl: int = 0) -> Settings:
    """A process of another cluster, for another Rancher environment."""
    return publication.settings(cluster="other", environment=OTHER_ENVIRONMENT, ttl=ttl)


def test_a_cluster_leaves_and_the_route_that_it_shared_stands_without_its_servers(publication: Publication) -> None:
    publication.sync(world(SHOES))
    publication.sync(world(with_containers(SHOES, *FRESH)), of_another(publication))
    assert publication.published() == {**keys(world(SHOES)), **keys(world(with_containers(SHOES, *FRESH)), "other")}
    since = publication.revision()
    publication.leave(cluster="other")
    assert publication.wakes(since) == [keys(world(SHOES))]
    assert_settled(publication, SHOES)


def test_the_routes_of_a_cluster_that_died_are_swept_by_another_after_ten_seconds(publication: Publication) -> None:
    """So long it may come back."""
    publication.sync(world(SHOES), of_another(publication, ttl=60))
    publication.sync(world(SOCKS), publication.settings(ttl=60))
    publication.end(LeaseName("c/other", 60))
    since, hurry = publication.revision(), Hurry()

    publication.sync(world(SOCKS), publication.settings(ttl=60), hurry=hurry)

    left = {path: value for path, value in keys(world(SHOES)).items() if "/servers/" not in path}
    before = {**keys(world(SOCKS)), **left}
    assert publication.wakes(since) == [without(before, {SHOES_OPENING}), keys(world(SOCKS))]
    assert hurry.naps[0] > 9
    assert_settled(publication, SOCKS)


def test_a_sync_ends_only_when_nothing_is_left_that_it_might_clear(publication: Publication) -> None:
    """Also what came to be unclaimed while it wrote."""
    publication.sync(world(SHOES), of_another(publication, ttl=60))
    store = FailingStore(publication.client())
    accident(store, 1, happened=True, what=lambda _: publication.end(LeaseName("c/other", 60)))
    publication.sync(world(SOCKS), publication.settings(ttl=60), store=store)
    assert_settled(publication, SOCKS)


def test_the_backstop_is_swept_by_nobody(publication: Publication) -> None:
    """As long as a Traefik reads the tree it may be needed: only who leaves takes it away."""
    publication.sync(STOCK, publication.settings(ttl=60))
    publication.end(LeaseName("c/default", 60))
    publication.sync(world(SOCKS), of_another(publication), backstop=False)
    assert publication.published() == {**keys(world(SOCKS), "other"), **STANDING_KEYS}


# Leases change.


@pytest.mark.parametrize(("before", "after"), [(60, 120), (120, 60), (60, 0), (0, 60)])
def test_with_another_ttl_keys_move_to_the_other_lease_and_are_never_absent(
    publication: Publication, before: int, after: int
) -> None:
    publication.sync(STOCK, publication.settings(ttl=before))
    created = {key: item.created for key, item in publication.everything().items()}
    since = publication.revision()

    publication.sync(STOCK, publication.settings(ttl=after))

    moments = publication.moments(since)
    assert moments
    assert all(moment.tree == keys(STOCK) for moment in moments)
    assert all(groups(moment.records, "c/default/claim") for moment in moments)
    moved = publication.everything()
    assert {key: item.created for key, item in moved.items()} == created
    leases = {item.lease for item in moved.values()}
    assert leases == {LeaseName("c/default", after), LeaseName("fleet", after), LeaseName("standing", 0)}
    assert publication.sync(STOCK, publication.settings(ttl=after)).transactions == 0


def test_shared_keys_move_to_a_shorter_lease_only_after_others_had_time_to_ask_for_the_longer(
    publication: Publication,
) -> None:
    publication.sync(STOCK, publication.settings(ttl=120))
    hurry = Hurry()
    publication.sync(STOCK, publication.settings(ttl=60), hurry=hurry)
    assert sum(hurry.naps) > READ_TIME + 9
    publication.sync(STOCK, publication.settings(ttl=120), hurry=(longer := Hurry()))
    assert longer.naps == []


# The end.


def test_leave_takes_away_all_that_is_ours_and_nothing_else(publication: Publication) -> None:
    """What opens goes first, the backstop's too; presence goes with the lead in the last transaction."""
    publication.write("frontends/theirs/backend", "theirs")
    publication.sync(STOCK)
    since = publication.revision()

    report = publication.leave()

    assert report.outcome is Outcome.DONE
    theirs = {"frontends/theirs/backend": "theirs"}
    assert publication.published() == theirs
    assert publication.recorded() == {}
    opening = {path for path in keys(STOCK) if path.endswith("/backend")}
    assert publication.wakes(since) == [{**without(keys(STOCK), opening), **theirs}, theirs]
    *_, last_but_one, last = publication.moments(since)
    assert set(last_but_one.records) == {"c/default/leader", "c/default/presence"}
    assert last.records == {}


def test_who_left_finds_nothing_more_to_do(publication: Publication) -> None:
    publication.sync(STOCK)
    publication.leave()
    since = publication.revision()
    assert publication.leave().transactions == 0
    assert publication.moments(since) == []


def test_a_leave_that_was_killed_between_its_steps_is_finished_by_the_next(publication: Publication) -> None:
    publication.sync(STOCK)
    store = FailingStore(publication.client())
    with pytest.raises(Killed):
        publication.leave(store=store, hurry=Hurry(store.die))
    publication.bury_leader()
    assert publication.leave().outcome is Outcome.DONE
    assert publication.everything() == {}


def test_without_a_backstop_the_standing_group_is_withdrawn(publication: Publication) -> None:
    publication.sync(STOCK)
    publication.sync(STOCK, backstop=False)
    assert publication.published() == keys(STOCK, backstop=False)
    assert not [path for path in publication.recorded() if STANDING in path]
    publication.sync(STOCK)
    assert_settled(publication, SHOES, SOCKS)


# The brake.


MANY = service("many", containers=12)


@pytest.mark.parametrize("lost", [(), (without_health(MANY),)], ids=["the service is gone", "all are unhealthy"])
def test_the_brake_holds_the_loss_of_all_servers_while_additions_go(
    publication: Publication, lost: tuple[Service, ...]
) -> None:
    publication.sync(world(MANY))
    after = world(service("hats"), *lost)

    report = publication.sync(after)

    assert (report.outcome.exit_code, report.held) == (3, 12)
    assert publication.published() == {**keys(after), **keys(world(MANY))}

    forced = publication.sync(after, publication.settings(force=True))
    assert forced.outcome is Outcome.DONE
    assert_settled(publication, service("hats"), *lost)


def test_the_brake_never_holds_leave(publication: Publication) -> None:
    publication.sync(world(MANY))
    assert publication.leave().outcome is Outcome.DONE
    assert publication.everything() == {}


# Real processes.


@contextmanager
def waiting_sync(publication: Publication, source: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`bridge sync` between two steps. At the end of the block it is killed, as by kill -9."""
    since = set(publication.published())
    process = subprocess.Popen([*SYNC, "--store", publication.url, "--source", f"file:{source}", *options], cwd=ROOT)
    try:
        eventually(lambda: bool(since - publication.published().keys()))
        yield process
    finally:
        process.kill()
        process.wait()


def run_sync(publication: Publication, source: Path, *options: str) -> int:
    """The exit code of `bridge sync` that waits for hardly anything."""
    arguments = ("--store", publication.url, "--source", f"file:{source}", "--read-time", "0.2", *options)
    return subprocess.run([*SYNC, *arguments], cwd=ROOT, capture_output=True, timeout=60, check=False).returncode


@pytest.fixture
def both_and_one(tmp_path: Path) -> tuple[Path, Path]:
    """Two documents: a world of two services, and the same without the second."""
    paths = tmp_path / "two.json", tmp_path / "one.json"
    for services, path in zip((2, 1), paths, strict=True):
        path.write_bytes(document(services, containers=2))
    return paths


def keys_in(path: Path) -> dict[str, str]:
    """What a document comes to."""
    return keys(snapshot(path.read_bytes(), str(path)))


def test_a_process_killed_between_two_steps_leaves_a_closed_service_that_the_next_one_clears(
    publication: Publication, both_and_one: tuple[Path, Path]
) -> None:
    both, one = both_and_one
    assert run_sync(publication, both) == 0
    with waiting_sync(publication, one, "--read-time", "600"):
        pass
    closed = without(keys_in(both), {"frontends/web-1__stack-0/backend"})
    assert publication.published() == closed
    publication.bury_leader()
    assert run_sync(publication, one) == 0
    assert publication.published() == keys_in(one)
    assert groups(publication.recorded(), "fleet/guard") == {"web-0__stack-0", STANDING}


def test_a_process_told_to_end_between_two_steps_gives_its_leadership_back(
    publication: Publication, both_and_one: tuple[Path, Path]
) -> None:
    """So a timer's next run does not wait for a dead one."""
    both, one = both_and_one
    assert run_sync(publication, both) == 0
    with waiting_sync(publication, one, "--read-time", "600") as process:
        assert "c/default/leader" in publication.recorded()
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert "c/default/leader" not in publication.recorded()


def test_closed_frontends_count_for_the_read_time_until_they_are_cleared(publication: Publication) -> None:
    """A read that began before still lists them: with them gone from the count, it would be thought shorter."""
    publication.sync(STOCK)
    before = frontends(publication)
    assert before
    for holder in before:
        publication.erase(f"{holder}/backend")
    assert frontends(publication) == before


def frontends(publication: Publication) -> set[str]:
    """Those that count for the read-time of a process that starts now."""
    groups = stand(looked(publication), publication.settings().publisher).groups
    return set().union(*(group.frontends for group in groups.values()))


def looked(publication: Publication) -> Mirror:
    """What a process that starts now sees."""
    store, mirror = publication.client(), Mirror.empty(publication.tree, publication.records)
    for prefix in (publication.records, publication.tree):
        mirror = mirror.fold(store.read(prefix), 0.0)
    return mirror


def test_a_waiting_process_keeps_its_keys_alive_and_once_it_is_killed_they_vanish(
    publication: Publication, both_and_one: tuple[Path, Path]
) -> None:
    """The TTL is three seconds, and it waits for five."""
    both, one = both_and_one
    with ExitStack() as processes:
        with Keeper(publication.client()) as until_it_waits:
            until_it_waits.keep((LeaseName("c/default", 3), LeaseName("fleet", 3)))
            assert run_sync(publication, both, "--ttl", "3") == 0
            processes.enter_context(waiting_sync(publication, one, "--read-time", "600", "--ttl", "3"))
        alone_until = time.monotonic() + 5
        while time.monotonic() < alone_until:
            assert publication.published().keys() >= keys_in(one).keys()
            time.sleep(0.05)
    eventually(lambda: publication.published() == STANDING_KEYS)
    publication.bury_leader()
    assert run_sync(publication, one) == 0
    assert publication.published() == keys_in(one)


def eventually(happens: Callable[[], bool]) -> None:
    """Wait for what etcd does by itself."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_signal_that_comes_before_the_answer_leaves_no_leader_behind(publication: Publication) -> None:
    """The transaction made this process the leader, and it does not know that yet."""

    def end(commit: int) -> None:
        if commit == 1:
            raise SystemExit(128 + signal.SIGTERM)

    store = FailingStore(publication.client(), after=end)
    with pytest.raises(SystemExit):
        publication.sync(STOCK, store=store)
    assert publication.published() != {}
    assert "c/default/leader" not in publication.recorded()
