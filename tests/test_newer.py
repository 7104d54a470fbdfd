"""A record that a newer bridge wrote is left alone, and told: one that it does not know is no damage to be mended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.leases import REPLICA_TTL
from bridge.model.change import Create, LeaseName, Transaction, Update
from bridge.model.keys import Publisher
from bridge.ownership.records import (
    FORMAT,
    claim_path,
    cluster_family,
    guard_path,
    is_newer,
    leader_path,
    presence_path,
    replica_family,
)
from bridge.report import Outcome
from bridge.stores.memory import Memory
from bridge.sync import sync
from bridge.writer import Settings
from tests.planning import GROUP, RECORDS, TREE, TTL, Process, Scene, server, wish
from tests.publishing import Hurry

NEWER = '{"format":2,"what":"nobody here knows"}'
UPGRADE = "a newer bridge wrote this record: upgrade this one"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def rewrite(scene: Scene, path: str, value: str = NEWER) -> None:
    """As its own cluster's newer bridge does it: on the same lease."""
    store = Memory(scene.server)
    store.know(("fleet", "standing", *(cluster_family(f"c{n}") for n in range(3))))
    item = store.read(RECORDS).items[RECORDS + path]
    assert item is not None
    assert item.lease is not None
    store.ensure(item.lease)
    store.commit(Transaction((), (Update(RECORDS + path, value, item.lease, item.revision, item.lease),)))


def said(process: Process, path: str) -> list[str]:
    """What a plan for nothing new says of a record."""
    due = process.due(wish(None, "c0--1"))
    return [problem.reason for problem in due.problems if problem.label == RECORDS + path]


def test_what_is_newer() -> None:
    assert is_newer(NEWER)
    assert is_newer(json.dumps({"format": FORMAT + 7, "keys": {}}))
    for text in (
        "",
        "7",
        "no json",
        "[]",
        '{"format":"2"}',
        f'{{"format":{FORMAT}}}',
        '{"format":0}',
        "{" * 9 + '"format"',
    ):
        assert not is_newer(text)


@pytest.mark.parametrize("path", [claim_path("c0", GROUP), guard_path(GROUP)], ids=["claim", "guard"])
def test_its_own_group_is_left_as_it_is_but_for_dead_servers(scene: Scene, path: str) -> None:
    scene.process().settle(wish(None, "c0--1", "c0--2"))
    rewrite(scene, path)
    before = scene.values()
    late = scene.process()
    late.settle(wish({"frontends/web__shop/auth/basic/users": "u:{SHA}x"}, "c0--2", "c0--3", rule="Host:b.local"))
    assert scene.recorded()[path].value == NEWER
    del before[server("c0--1")]
    assert scene.values() == before
    assert UPGRADE in said(late, path)


@pytest.mark.parametrize("path", [claim_path("c0", GROUP), guard_path(GROUP)], ids=["claim", "guard"])
def test_a_group_that_it_wants_no_more_is_not_taken_away(scene: Scene, path: str) -> None:
    """Also by a leave: the newer bridge's says what else there is to go."""
    scene.process().settle(wish(None, "c0--1"))
    rewrite(scene, path)
    before = scene.values()
    late = scene.process()
    late.settle()
    scene.now += 1000
    late.settle()
    assert scene.values() == before
    assert scene.recorded()[path].value == NEWER
    assert [problem.reason for problem in late.due().problems] == [UPGRADE]


def test_a_guard_that_is_left_over_is_not_swept(scene: Scene) -> None:
    scene.process("c1").settle(wish(None, "c1--1"))
    rewrite(scene, guard_path(GROUP))
    scene.die("c1")
    sweeper = scene.process("c0")
    sweeper.settle()
    scene.now += 1000
    sweeper.settle()
    assert scene.recorded()[guard_path(GROUP)].value == NEWER


def test_anothers_claim_that_decides_leaves_the_group_as_it_is(scene: Scene) -> None:
    scene.process("c1").settle(wish(None, "c1--1"))
    scene.process("c0").settle(wish(None, "c0--1"))
    rewrite(scene, claim_path("c1", GROUP))
    before = scene.values()
    late = scene.process("c0")
    late.settle(wish(None, "c0--1", rule="Host:b.local"))
    assert scene.values() == before
    assert said(late, claim_path("c1", GROUP)) == [
        "the claim of cluster c1, which decides, cannot be read: upgrade this bridge"
    ]


def test_anothers_claim_that_does_not_decide_is_told_and_opens_nothing_further(scene: Scene) -> None:
    first = scene.process("c0")
    first.settle(wish({"frontends/web__shop/auth/basic/users": "u:{SHA}x"}, "c0--1"))
    scene.process("c1").settle(wish({"frontends/web__shop/auth/basic/users": "u:{SHA}x"}, "c1--1"))
    rewrite(scene, claim_path("c1", GROUP))
    before = scene.values()
    first.settle(wish(None, "c0--1"))
    assert scene.values() == before, "it may ask for that protection"
    assert said(first, claim_path("c1", GROUP)) == [UPGRADE]


def test_anothers_presence_is_told_and_what_is_shared_stays_for_ever(scene: Scene) -> None:
    scene.process("c1").settle(wish(None, "c1--1"))
    rewrite(scene, presence_path("c1"))
    late = scene.process("c0")
    late.settle(wish(None, "c0--1"))
    assert scene.published()["frontends/web__shop/backend"].lease == LeaseName("fleet", 0)
    assert said(late, presence_path("c1")) == [UPGRADE]


def test_its_own_presence_is_left_alone(scene: Scene) -> None:
    scene.process().settle(wish(None, "c0--1"))
    rewrite(scene, presence_path("c0"))
    late = scene.process(ttl=2 * TTL)
    late.settle(wish(None, "c0--1", "c0--2"))
    assert scene.recorded()[presence_path("c0")].value == NEWER
    assert server("c0--2") in scene.values()
    assert said(late, presence_path("c0")) == [UPGRADE]


def test_a_leave_keeps_a_newer_presence(scene: Scene) -> None:
    """With it stands what the newer bridge has that this one does not know."""
    scene.process().settle(wish(None, "c0--1"))
    leaving = scene.process()
    leaving.terms = replace(leaving.terms, leaving=True)
    leaving.settle()
    assert [delete.key for delete in leaving.due().farewell] == [RECORDS + presence_path("c0")]
    rewrite(scene, presence_path("c0"))
    assert leaving.due().farewell == ()


def test_a_leader_record_is_followed_whatever_it_says(scene: Scene) -> None:
    """A newer replica leads: whoever cannot read its name writes nothing."""
    lease = LeaseName(replica_family("c0", "new"), 10 * REPLICA_TTL)
    newer = Memory(scene.server)
    newer.ensure(lease)
    newer.commit(Transaction((), (Create(RECORDS + leader_path("c0"), NEWER, lease),)))
    publisher = Publisher(TRAEFIK1, TREE, RECORDS, "c0")
    settings = Settings(publisher, "e", "1", TTL, "old.t", "t", read_time=0.0)
    report = sync({GROUP: wish(None, "c0--1")}, Memory(scene.server), settings, timing=Hurry().timing)
    assert (report.outcome, report.leader) == (Outcome.FOLLOWS, "unknown, of a newer bridge,")
    assert scene.values() == {}
    assert scene.recorded()[leader_path("c0")].value == NEWER
