"""What each transaction rests on, what may change when, and what is told: plans, before they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Conflict, Create, Delete, Limits, Transaction, Update
from bridge.model.keys import Place, Role, Wish
from bridge.ownership.pack import pack
from tests.planning import (
    FENCE,
    GROUP,
    GUARD,
    METHOD,
    OPENS,
    OTHER,
    OTHER_OPENS,
    OTHER_RULE,
    PROTECTED,
    READ_TIME,
    RECORDS,
    RULE,
    SECRET,
    SOURCES,
    TREE,
    USERS,
    Process,
    Scene,
    changes,
    claim,
    compared,
    server,
    units,
    waits,
    wish,
)

# Like Consul's, and so few that no whole service goes into one transaction.
TIGHT = Limits(operations=12, size=512 * 1024, create=2, update=1, move=3, delete=1, check=1)
# Keys that only make the group large.
MANY = {f"backends/{GROUP}/extra/{number}": "x" for number in range(9)}


def placed(path: str) -> Place:
    place = TRAEFIK1.place(path)
    assert place is not None
    return place


def shared_changes(transaction: Transaction) -> dict[str, Create | Update | Delete]:
    """What becomes of the keys that no cluster owns."""
    return {path: change for path, change in changes([transaction]).items() if placed(path).cluster is None}


def settled(*wishes: Wish, scene: Scene | None = None) -> tuple[Scene, list[Process]]:
    """Clusters c0, c1 and so on, which have published these wishes one after the other, long ago."""
    found = scene or Scene()
    processes = [found.process(f"c{number}") for number in range(len(wishes))]
    for process, wanted in zip(processes, wishes, strict=True):
        process.settle(wanted)
    for process in processes:
        process.look()
    found.now += 100
    return found, processes


# What opens.


@pytest.mark.parametrize("cluster", [0, 1])
def test_who_opens_a_route_compares_all_other_shared_keys_of_its_group(cluster: int) -> None:
    """Whoever of its claimants puts the key back."""
    wanted = wish({**PROTECTED, **OTHER})
    scene, processes = settled(wanted, wanted)
    scene.server.erase(TREE + OPENS)
    (transaction,) = processes[cluster].transactions(wanted)
    assert changes([transaction]).keys() == {OPENS}
    assert compared(transaction).keys() >= {TREE + path for path in wanted.shared}


def test_where_not_all_fit_who_opens_a_route_compares_what_protects_and_the_rules() -> None:
    wanted = wish({**PROTECTED, **OTHER, **MANY})
    scene, (process,) = settled(wanted, scene=Scene(limits=TIGHT))
    scene.server.erase(TREE + OPENS)
    (transaction,) = process.transactions(wanted)
    assert compared(transaction).keys() >= {TREE + path for path in (USERS, RULE, OTHER_RULE)}
    assert not {TREE + path for path in (METHOD, *MANY)} & compared(transaction).keys()
    process.settle(wanted)
    assert scene.values() == wanted.shared


def test_the_part_of_a_cut_change_that_opens_compares_what_protects_and_the_rules() -> None:
    """What goes comes behind it, and does not fit."""
    many = {f"backends/{GROUP}/extra/{number}": "x" for number in range(20)}
    scene, (process,) = settled(wish({**PROTECTED, **many}), scene=Scene(limits=TIGHT))
    opening, *_ = process.transactions(wish({**PROTECTED, **OTHER}))
    assert isinstance(changes([opening])[OTHER_OPENS], Create)
    assert compared(opening).keys() >= {TREE + USERS, TREE + RULE}
    process.settle(wish({**PROTECTED, **OTHER}))
    assert scene.values() == wish({**PROTECTED, **OTHER}).shared


# What protects, and the rule.


@pytest.mark.parametrize(
    ("before", "after", "changing"),
    [
        pytest.param(wish(), wish(PROTECTED), USERS, id="protection comes"),
        pytest.param(wish(PROTECTED), wish({USERS: "u:{SHA}other"}), USERS, id="protection changes"),
        pytest.param(wish(PROTECTED), wish(), USERS, id="protection goes"),
        pytest.param(wish(), wish(rule="Host:b.local"), RULE, id="the rule changes"),
        pytest.param(wish(OTHER), wish(), OTHER_RULE, id="a frontend goes"),
    ],
)
def test_who_changes_what_protects_or_the_rule_compares_what_opens(before: Wish, after: Wish, changing: str) -> None:
    """So that nobody opens the route meanwhile, and nobody's opening is overlooked."""
    scene, (process,) = settled(before)
    (rests_on,) = [compared(one) for one in process.settle(after) if changing in changes([one])]
    assert TREE + TRAEFIK1.opening(placed(changing).holder)[0] in rests_on
    assert scene.values() == after.shared


@pytest.mark.parametrize("path", [USERS, RULE])
def test_who_puts_back_what_protects_or_the_rule_compares_what_opens(path: str) -> None:
    wanted = wish(PROTECTED)
    scene, (process,) = settled(wanted)
    scene.server.erase(TREE + path)
    (transaction,) = process.transactions(wanted)
    assert changes([transaction]).keys() == {path}
    assert TREE + OPENS in compared(transaction)


# The guard.


@pytest.mark.parametrize("limits", [Scene().limits, TIGHT], ids=["whole", "cut"])
def test_who_creates_or_deletes_a_shared_key_compares_the_guard(limits: Limits) -> None:
    """In a group's whole life, and in each part of what does not fit into one transaction."""
    scene = Scene(limits=limits)
    process, wanted = scene.process(), wish({**PROTECTED, **MANY}, "c0--1")
    sent = process.settle(wanted)
    for path in (METHOD, USERS, RULE, OPENS):
        scene.server.erase(TREE + path)
        sent += process.settle(wanted)
    for path in MANY:
        scene.server.erase(TREE + path)
    sent += process.settle(wanted)
    sent += process.settle(wish(OTHER, "c0--2"))
    sent += process.settle()
    assert scene.values() == {}
    structural = [one for one in sent if any(not isinstance(change, Update) for change in shared_changes(one).values())]
    assert len(structural) > 6
    assert all(GUARD in compared(one) for one in structural)


def test_a_guard_that_is_missing_is_created_with_the_shared_key_that_is_put_back() -> None:
    wanted = wish()
    scene, (process,) = settled(wanted)
    scene.server.erase(TREE + METHOD)
    scene.server.erase(GUARD)
    (transaction,) = process.transactions(wanted)
    assert {change.key for change in transaction.changes} == {TREE + METHOD, GUARD}
    assert compared(transaction)[GUARD] == 0


def test_who_writes_a_claim_bumps_the_guard() -> None:
    """Whether it comes, says something new, or goes with what opens."""
    scene, (first, second) = settled(wish(), wish())
    for process, wanted in ((second, wish({METHOD: "drr"})), (first, wish(PROTECTED)), (scene.process("c2"), wish())):
        transaction = next(one for one in process.transactions(wanted) if claim(process.cluster) in compared(one))
        assert GUARD in {change.key for change in transaction.changes}
        process.settle(wanted)


def test_a_guest_bumps_the_guard_with_its_first_server_and_with_no_other() -> None:
    """Who decides must know that it came before it says that it will protect less."""
    _, (_, guest) = settled(wish(PROTECTED), wish(PROTECTED))
    (comes,) = guest.act(wish(PROTECTED, "c1--1"))
    assert GUARD in {change.key for change in comes.changes}
    (grows,) = guest.act(wish(PROTECTED, "c1--1", "c1--2"))
    assert GUARD not in {change.key for change in grows.changes}


def test_a_decider_that_does_not_know_of_a_guests_server_cannot_change_its_wish() -> None:
    """What it read is older than that server; with its wish changed it would take the protection away at once."""
    _, (host, guest) = settled(wish(PROTECTED), wish(PROTECTED))
    guest.act(wish(PROTECTED, "c1--1"))
    (packed,) = pack(host.plan(wish()).units, host.scene.limits, FENCE)
    assert host.store.commit(packed.transaction) == Conflict()


# The decider's claim.


@pytest.mark.parametrize(
    ("by", "before", "after"),
    [
        pytest.param(1, None, wish(PROTECTED), id="another claims"),
        pytest.param(1, None, wish(PROTECTED, "c1--1"), id="another comes with a server"),
        pytest.param(1, wish(PROTECTED), wish(PROTECTED, "c1--1"), id="another brings a server"),
        pytest.param(1, wish(PROTECTED), wish({**PROTECTED, METHOD: "drr"}), id="another changes its claim"),
        pytest.param(0, wish(), wish(PROTECTED, "c0--2"), id="the decider brings a server"),
    ],
)
def test_who_writes_a_claim_or_brings_a_server_compares_the_deciders_claim_and_its_own_protection(
    by: int, before: Wish | None, after: Wish
) -> None:
    """So no server comes to stand where the protection that it asks for went meanwhile."""
    scene, processes = settled(*[one for one in (wish(PROTECTED), before) if one])
    process = (*processes, scene.process("c1"))[by]
    (transaction,) = process.transactions(after)
    rests_on = compared(transaction)
    assert rests_on[claim("c0")] == scene.recorded()["c/c0/claim/" + GROUP].revision
    assert rests_on[TREE + USERS] == scene.published()[USERS].revision


def test_who_claims_where_its_protection_does_not_stand_compares_that_it_is_absent() -> None:
    scene, _ = settled(wish())
    (transaction,) = scene.process("c1").transactions(wish(PROTECTED, "c1--1"))
    assert compared(transaction)[TREE + USERS] == 0
    assert not changes([transaction])


@pytest.mark.parametrize("path", [METHOD, OPENS])
def test_who_puts_a_deciders_key_back_compares_its_claim(path: str) -> None:
    scene, (_, guest) = settled(wish(), wish())
    scene.server.erase(TREE + path)
    (transaction,) = guest.transactions(wish())
    assert claim("c0") in compared(transaction)


# Close and clear.


@pytest.mark.parametrize("limits", [Scene().limits, TIGHT], ids=["whole", "cut"])
def test_a_clear_compares_in_each_part_that_nothing_opens_and_nobody_claimed(limits: Limits) -> None:
    wanted = wish({**PROTECTED, **OTHER, **MANY}, "c0--1")
    scene, (process,) = settled(wanted, scene=Scene(limits=limits))
    sent = process.settle()
    clearing = [one for one in sent if any(path in MANY or path in (USERS, RULE) for path in changes([one]))]
    assert len(clearing) == (2 if limits is TIGHT else 1)
    for one in clearing:
        holders = {placed(path).holder for path in shared_changes(one)}
        opening = {TREE + path for holder in holders for path in TRAEFIK1.opening(holder)}
        assert {key: compared(one).get(key) for key in opening} == dict.fromkeys(opening, 0)
        assert GUARD in compared(one)
    *before, last = clearing
    assert all(GUARD not in {change.key for change in one.changes} for one in before)
    assert GUARD in {change.key for change in last.changes}
    assert scene.values() == {}


def test_between_close_and_clear_lies_a_read_time() -> None:
    scene, (process,) = settled(wish(PROTECTED, "c0--1"))
    (closing,) = process.act()
    assert changes([closing]).keys() == {OPENS}
    scene.now += READ_TIME - 0.1
    assert process.act() == []
    scene.now += 0.1
    assert changes(process.act()).keys() == {METHOD, USERS, RULE, server("c0--1")}


def test_a_process_that_finds_a_closed_group_clears_it_a_read_time_later() -> None:
    """Nobody tells when it was closed."""
    scene, (process,) = settled(wish())
    process.act()
    scene.now += 100
    successor = scene.process()
    assert successor.act() == []
    scene.now += READ_TIME - 0.1
    assert successor.act() == []
    scene.now += 0.1
    successor.act()
    assert scene.values() == {}


def test_an_opening_key_that_was_seen_to_go_later_than_the_guard_puts_the_clear_off() -> None:
    """As when an operator's hand put it there and took it away."""
    scene, (process,) = settled(wish())
    process.act()
    scene.now += 2
    scene.server.write(TREE + OPENS, GROUP)
    process.look()
    scene.server.erase(TREE + OPENS)
    process.look()
    scene.now += READ_TIME - 1
    assert process.act() == []
    scene.now += 1
    process.act()
    assert scene.values() == {}


def test_a_group_whose_last_claim_another_lost_is_closed_only_after_ten_seconds() -> None:
    """So long its cluster may come back."""
    scene, (_, other) = settled(wish(), wish())
    scene.die("c1")
    other.look()
    scene.now += 100
    scene.die("c0")
    other.look()
    scene.now += 9.9
    assert other.act() == []
    scene.now += 0.1
    assert changes(other.act()).keys() == {OPENS}


# A decider's changed wish.


def test_a_decider_with_other_claimants_says_what_it_will_come_to_before_it_changes_a_key() -> None:
    """They may have to take their servers out."""
    _, (decider, _) = settled(wish(), wish({}, "c1--1"))
    after = wish({METHOD: "drr"}, "c0--1")
    said = decider.act(after)
    assert not set(shared_changes(said[0]))
    assert claim("c0") in {change.key for change in said[0].changes}
    assert shared_changes(decider.act(after)[0]).keys() == {METHOD}


def test_a_decider_alone_changes_claim_and_key_at_once() -> None:
    """One wake of Traefik."""
    _, (decider,) = settled(wish())
    (transaction,) = decider.act(wish({METHOD: "drr"}))
    assert {change.key for change in transaction.changes} == {claim("c0"), GUARD, TREE + METHOD}


# Servers that must not merge.

BACKEND = f"backends/{GROUP}__y/loadbalancer/method"
TWO_BACKENDS = {USERS: SECRET, BACKEND: "wrr"}

BARRED = [
    pytest.param(wish(PROTECTED), wish(), id="protection goes"),
    pytest.param(wish(PROTECTED), wish({USERS: "u:{SHA}other"}), id="protection changes"),
    pytest.param(wish(), wish(rule="Host:b.local"), id="the rule leaves its hosts"),
    pytest.param(wish(PROTECTED), wish({**PROTECTED, **OTHER}), id="a frontend opens"),
    pytest.param(wish(OTHER), wish(rule="Host:b.local"), id="a frontend closes"),
    pytest.param(wish(TWO_BACKENDS), wish({BACKEND: "wrr", OPENS: f"{GROUP}__y"}), id="a reference changes"),
    pytest.param(
        wish(TWO_BACKENDS),
        wish({**TWO_BACKENDS, USERS: "u:{SHA}other", OPENS: f"{GROUP}__y"}),
        id="a reference and protection change",
    ),
]


def exposing(values: Mapping[str, str]) -> dict[str, str]:
    """The keys among `values` that say which requests open frontends let through."""
    return {
        path: value
        for path, value in values.items()
        if placed(path).role not in (Role.REST, Role.SERVER)
        and values.keys() & set(TRAEFIK1.opening(placed(path).holder))
    }


@pytest.mark.parametrize(("before", "after"), BARRED)
def test_nothing_opens_or_protects_less_while_a_server_stands_that_must_not_merge(before: Wish, after: Wish) -> None:
    scene, (decider, guest) = settled(before, replace(before, own=wish({}, "c1--1").own))
    decider.settle(after)
    assert exposing(scene.values()) == exposing(before.shared)
    assert ("until cluster c1 has taken its servers out", None) in waits(decider.due(after))

    guest.settle(replace(before, own=wish({}, "c1--1").own))
    assert server("c1--1") not in scene.values()
    decider.settle(after)
    assert scene.values() == after.shared


@pytest.mark.parametrize("said", ["", '{"format":2}'], ids=["without a claim", "with a claim of a newer format"])
def test_servers_of_which_nobody_can_tell_what_they_ask_for_must_not_merge(said: str) -> None:
    scene, (decider, _) = settled(wish(PROTECTED), wish(PROTECTED, "c1--1"))
    scene.server.erase(claim("c1"))
    if said:
        scene.server.write(claim("c1"), said)
    decider.settle(wish())
    assert USERS in scene.values()


def test_who_must_not_merge_opens_nothing_before_its_own_servers_went() -> None:
    """It may create what the decider wishes, but not let requests through to what it has not taken away."""
    scene, (decider, guest) = settled(wish(PROTECTED), wish(PROTECTED, "c1--1"))
    decider.act(wish(OTHER))  # its claim only: from here on it stands still
    guests = wish(PROTECTED, "c1--1")
    guest.look()
    scene.now += 100
    (leaving,) = guest.act(guests)
    assert isinstance(changes([leaving])[server("c1--1")], Delete)
    assert OTHER_OPENS not in changes([leaving])
    scene.now += READ_TIME - 0.1
    assert OTHER_OPENS not in changes(guest.act(guests))
    scene.now += 0.2
    assert OTHER_OPENS in changes(guest.act(guests))


# A read-time after the last that asked for another.


def given_up(guests: Wish) -> tuple[Scene, Process, Process]:
    """A decider that said long ago that it gives up its protection, and a guest with this wish."""
    scene, (decider, guest) = settled(wish(PROTECTED), guests)
    decider.act(wish())
    decider.settle(wish())
    assert USERS in scene.values()
    scene.now += 100
    return scene, decider, guest


def assert_waits_a_read_time(scene: Scene, decider: Process) -> None:
    """From now on, until the protection goes."""
    assert decider.act(wish()) == []
    scene.now += READ_TIME - 0.1
    assert decider.act(wish()) == []
    scene.now += 0.1
    assert changes(decider.act(wish())).keys() == {USERS}


def test_protection_goes_a_read_time_after_the_last_server_went_that_asked_for_it() -> None:
    scene, decider, guest = given_up(wish(PROTECTED, "c1--1"))
    guest.act(wish(PROTECTED, "c1--1"))
    assert_waits_a_read_time(scene, decider)


def test_protection_goes_a_read_time_after_the_last_claim_went_that_asked_for_it() -> None:
    scene, (decider, _) = settled(wish(PROTECTED), wish(PROTECTED))
    scene.die("c1")
    assert decider.act(wish())
    scene.now += READ_TIME - 0.1
    assert USERS not in changes(decider.act(wish()))
    scene.now += 0.1
    assert changes(decider.act(wish())).keys() == {USERS}


def test_protection_goes_a_read_time_after_a_claim_asks_for_it_no_more() -> None:
    scene, decider, guest = given_up(wish(PROTECTED, "c1--1"))
    guest.act(wish({}, "c1--1"))
    assert_waits_a_read_time(scene, decider)


def test_protection_goes_a_read_time_after_the_decider_said_so_where_others_claim() -> None:
    """Of a server that came before, its watch may tell a little later."""
    scene, (decider, _) = settled(wish(PROTECTED), wish())
    decider.act(wish())
    assert [seconds for _, seconds in waits(decider.due(wish()))] == [READ_TIME]
    scene.now += READ_TIME
    assert changes(decider.act(wish())).keys() == {USERS}


def test_a_password_changes_a_read_time_after_the_last_server_went_that_asked_for_the_old_one() -> None:
    """A reader that knows the server must not find the other one's password before it."""
    scene, (decider, guest) = settled(wish(PROTECTED), wish(PROTECTED, "c1--1"))
    after = wish({USERS: "u:{SHA}other"})
    decider.act(after)
    scene.now += READ_TIME
    guest.act(wish(PROTECTED, "c1--1"))
    assert server("c1--1") not in scene.values()
    assert changes(decider.act(after)) == {}
    scene.now += READ_TIME
    assert changes(decider.act(after)).keys() == {USERS}


def test_a_password_that_would_count_in_place_of_another_server_comes_as_late_as_another_password() -> None:
    """Of two kinds Traefik 1.7 takes the first, though both stand."""
    asks = {f"frontends/{GROUP}/auth/forward/address": "http://auth.local/"}
    scene, (decider, guest) = settled(wish(asks), wish(asks, "c1--1"))
    decider.act(wish(PROTECTED))
    scene.now += READ_TIME
    assert changes(decider.act(wish(PROTECTED))) == {}
    guest.act(wish(asks, "c1--1"))
    assert server("c1--1") not in scene.values()
    assert USERS not in scene.values()
    assert changes(decider.act(wish(PROTECTED))) == {}
    scene.now += READ_TIME
    assert changes(decider.act(wish(PROTECTED))).keys() == {USERS}
    scene.now += READ_TIME
    assert changes(decider.act(wish(PROTECTED))).keys() == asks.keys()


def test_a_guest_brings_no_password_that_would_count_while_another_guests_servers_ask_another_server() -> None:
    asks = {f"frontends/{GROUP}/auth/forward/address": "http://auth.local/"}
    scene, (decider, guest, _) = settled(wish(asks), wish(asks), wish(asks, "c2--1"))
    decider.act(wish(PROTECTED))
    guest.settle(wish(PROTECTED))
    assert USERS not in scene.values()


def test_what_went_before_a_process_began_to_look_counts_as_new() -> None:
    scene, _, guest = given_up(wish(PROTECTED, "c1--1"))
    guest.settle(wish(PROTECTED, "c1--1"))
    assert_waits_a_read_time(scene, scene.process("c0"))


def test_a_process_that_began_to_look_now_changes_a_rule_a_read_time_later() -> None:
    """Somebody may have relied on the old one until then."""
    scene, _ = settled(wish())
    successor, after = scene.process(), wish(rule="Host:b.local")
    successor.act(after)
    scene.now += READ_TIME - 0.1
    assert successor.act(after) == []
    scene.now += 0.1
    assert changes(successor.act(after)).keys() == {RULE}


def test_servers_of_a_cluster_that_merges_come_and_go_without_delay_for_others() -> None:
    """Or one that flaps would hold a change off for ever."""
    scene, (decider, guest) = settled(wish(PROTECTED), wish({}, "c1--1", "c1--2"))
    decider.act(wish())
    scene.now += READ_TIME
    guest.act(wish({}, "c1--1"))
    assert server("c1--2") not in scene.values()
    assert changes(decider.act(wish())).keys() == {USERS}


def test_the_rule_leaves_a_clusters_hosts_a_read_time_after_its_servers_went() -> None:
    scene, (decider, guest) = settled(wish(), wish({}, "c1--1"))
    after = wish(rule="Host:b.local")
    decider.settle(after)
    guest.act(wish({}, "c1--1"))
    assert decider.act(after) == []
    scene.now += READ_TIME
    assert changes(decider.act(after)).keys() == {RULE}


# References.


def test_an_opening_key_refers_to_something_else_only_once_that_was_surely_read() -> None:
    """And what it referred to stays for those who read it before."""
    scene, (process,) = settled(wish())
    shared = {path: value for path, value in wish().shared.items() if path != METHOD}
    after = Wish(GROUP, {**shared, OPENS: f"{GROUP}__y", BACKEND: "wrr"}, {}, title="shop/web")
    steps = []
    for _ in range(3):
        steps.append({path: type(change) for path, change in changes(process.act(after)).items()})
        scene.now += READ_TIME - 0.1
        assert process.act(after) == []
        scene.now += 0.1
    assert steps == [{BACKEND: Create}, {OPENS: Update}, {METHOD: Delete}]
    assert scene.values() == after.shared


def test_what_a_closing_frontend_refers_to_outlives_it_by_a_read_time() -> None:
    before = wish({**OTHER, OTHER_OPENS: f"{GROUP}__y", BACKEND: "wrr"})
    scene, (process,) = settled(before)
    closing = process.act(wish())
    assert changes(closing).keys() == {OTHER_OPENS}
    scene.now += READ_TIME - 0.1
    assert process.act(wish()) == []
    scene.now += 0.1
    assert changes(process.act(wish())).keys() == {OTHER_RULE, BACKEND}


# Frozen groups.

FREEZING = [
    pytest.param(f"frontends/{GROUP}/routes/main", id="above a key of ours"),
    pytest.param(f"{RULE}/x", id="below a key of ours"),
    pytest.param(OTHER_OPENS, id="it opens"),
    pytest.param(SOURCES, id="it protects"),
]


@pytest.mark.parametrize("path", FREEZING)
def test_in_a_frozen_group_no_shared_key_changes_and_servers_go_on(path: str) -> None:
    wanted = wish(PROTECTED, "c0--1")
    scene, (process,) = settled(wanted)
    scene.server.write(TREE + path, "by hand")
    scene.server.erase(TREE + METHOD)
    stood = {**wanted.shared, path: "by hand"}
    del stood[METHOD]
    process.settle(wish({"backends/web__shop/circuitbreaker/expression": "x"}, "c0--2", rule="Host:b.local"))
    process.settle(wish({USERS: SECRET, METHOD: "drr"}))
    assert scene.values() == stood
    process.settle()
    assert scene.values() == stood, "nobody closes or clears it"
    scene.server.erase(TREE + path)
    process.settle()
    assert scene.values() == {}


@pytest.mark.parametrize("path", FREEZING)
def test_a_frozen_groups_keys_still_move_with_their_lease(path: str) -> None:
    """Or they would end although somebody lives who asks for a longer life."""
    scene, (process,) = settled(wish(PROTECTED))
    scene.server.write(TREE + path, "by hand")
    process.terms = replace(process.terms, ttl=120)
    process.settle(wish(PROTECTED))
    leases = {where: item.lease.ttl if item.lease else None for where, item in scene.published().items()}
    assert leases == {**dict.fromkeys(wish(PROTECTED).shared, 120), path: None}


def test_below_an_unreadable_claim_of_the_decider_dead_servers_go_and_nothing_else_changes() -> None:
    """A newer bridge may ask for what this one cannot know."""
    scene, (_, guest) = settled(wish(PROTECTED), wish(PROTECTED, "c1--1", "c1--2"))
    scene.server.write(claim("c0"), '{"format":2}')
    scene.server.erase(TREE + METHOD)
    guest.settle(wish(PROTECTED, "c1--2", "c1--3"))
    stood = wish(PROTECTED, "c1--2")
    assert scene.values().keys() == {*stood.shared, *stood.own} - {METHOD}
    (problem,) = guest.due(wish(PROTECTED, "c1--2", "c1--3")).problems
    assert problem.label == claim("c0")
    assert "cannot be read" in problem.reason


# What is told.


@pytest.mark.parametrize("key", [claim("c0"), GUARD], ids=["claim", "guard"])
def test_a_record_that_was_overwritten_is_written_again_and_told_without_its_value(key: str) -> None:
    """A claim holds all that the service's labels ask for, passwords too."""
    wanted = wish(PROTECTED)
    scene, (process,) = settled(wanted)
    path = key.removeprefix(RECORDS)
    before = scene.recorded()[path]
    scene.server.write(key, SECRET)
    due = process.due(wanted)
    (problem,) = due.problems
    assert (problem.service, problem.label) == ("shop/web", key)
    assert SECRET not in f"{problem!r}"
    process.settle(wanted)
    after = scene.recorded()[path]
    assert after.lease == before.lease
    assert path.startswith("fleet/") or after.value == before.value
    assert process.due(wanted).problems == ()


def test_no_problem_shows_the_value_of_a_key_that_lets_somebody_in() -> None:
    """Neither an operator's, nor the decider's, nor our own."""
    digest = "frontends/web__shop/auth/digest/users"
    scene, (decider, guest) = settled(wish({USERS: f"{SECRET}-1"}), wish({USERS: f"{SECRET}-2"}, "c1--1"))
    disagreed = guest.due(wish({USERS: f"{SECRET}-2"}, "c1--1")).problems
    scene.server.write(TREE + digest, f"{SECRET}-3")
    frozen = decider.due(wish({USERS: f"{SECRET}-1"})).problems
    assert {problem.label for problem in (*disagreed, *frozen)} >= {TREE + USERS, TREE + digest}
    assert SECRET not in f"{disagreed!r}{frozen!r}"


def test_no_problem_shows_the_value_of_a_header() -> None:
    path = "frontends/web__shop/headers/customrequestheaders/Authorization"
    _, (_, guest) = settled(wish({path: f"{SECRET}-1"}), wish({path: f"{SECRET}-2"}))
    problems = guest.due(wish({path: f"{SECRET}-2"})).problems
    assert [problem.label for problem in problems] == [TREE + path]
    assert SECRET not in repr(problems)


def test_a_disagreement_names_the_decider_and_both_values() -> None:
    _, (_, guest) = settled(wish(), wish({METHOD: "drr"}))
    (problem,) = guest.due(wish({METHOD: "drr"})).problems
    assert (problem.label, problem.value) == (TREE + METHOD, "drr")
    assert "c0" in problem.reason
    assert "'wrr'" in problem.reason


# Packing.


def test_units_share_a_transaction_and_none_compares_what_another_one_changes() -> None:
    """A key that is changed is compared by its change."""
    _, (process,) = settled(wish(PROTECTED))
    hats = Wish("hats__shop", {"frontends/hats__shop/backend": "hats__shop"}, {})
    due = process.due(wish({METHOD: "drr", **PROTECTED}), hats)
    assert len(units(due)) == 2
    (packed,) = pack(due.units, Scene().limits, FENCE)
    changed = {change.key for change in packed.transaction.changes}
    assert len(changed) == len(packed.transaction.changes)
    assert not changed & {check.key for check in packed.transaction.checks}


# What is held.


@pytest.mark.parametrize("lost", [PROTECTED, OTHER], ids=["protection", "frontend"])
def test_while_removals_are_held_no_shared_key_goes_and_the_rest_is_written(lost: dict[str, str]) -> None:
    """A first reading may lack what the last process knew: a password, or a frontend, must not go by it alone."""
    scene, (process,) = settled(wish(lost, "c0--1"))
    before = scene.values()
    without = replace(wish({}, "c0--1", "c0--2"), shared={**wish().shared, METHOD: "drr"})
    due = process.due(without)
    assert due.removes
    process.look()
    held = process.plan(without, hold=True)
    assert not any(isinstance(change, Delete) for unit in held.units for change in unit.changes)
    written = {change.key for unit in held.units for change in unit.changes}
    assert {TREE + METHOD, TREE + server("c0--2")} <= written
    assert lost.items() <= before.items()
    process.settle(without)
    assert not lost.keys() & scene.values().keys()


def test_a_group_that_several_clusters_agree_on_needs_no_second_look() -> None:
    """Else each flip of one server would cost a look at every service that two clusters have."""
    wanted = wish(PROTECTED)
    _, processes = settled(wanted, wanted)
    for process in processes:
        assert process.due(wanted).settled.groups.keys() == {GROUP}


def test_a_group_that_another_cluster_asks_something_else_for_is_looked_at() -> None:
    """What it disagrees on is a problem in every pass."""
    _, (decider, guest) = settled(wish(), wish({METHOD: "drr"}))
    for process, wanted in ((decider, wish()), (guest, wish({METHOD: "drr"}))):
        due = process.due(wanted)
        assert not due.settled.groups
        assert due.problems
