"""What must hold however several bridges, their stores, their operators and their Traefiks interleave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.leases import REPLICA_TTL
from bridge.model.change import Limits
from bridge.model.keys import Wish
from bridge.stores.memory import LIKE_CONSUL, LIKE_ETCD
from tests.histories import (
    LEADER,
    READ_TIME,
    TREE,
    Bridge,
    History,
    Mutation,
    Violation,
    honest,
    tell,
    without_comparing,
)

GROUP = "app__shop"
USERS = f"frontends/{GROUP}/auth/basic/users"
SEEDS = range(22)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_history_keeps_the_promises_and_ends_with_exactly_the_wanted_keys(seed: int) -> None:
    """Crashes, stalls, lost answers, lost leases and an operator's hand between any two steps of up to 4 clusters."""
    assert tell(seed, events=300) == ""


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_where_clusters_turn_from_one_fan_in_to_the_other(seed: int) -> None:
    """Frontends of one cluster alone, those that are shared, and both while it turns."""
    assert tell(seed, events=300, separate=True) == ""


# What each comparison is for: the same history goes well with it and breaks a promise without it.


def _wish(*, protected: bool, servers: str = "", cluster: str = "c0", headers: int = 0) -> Wish:
    shared = {
        f"backends/{GROUP}/loadbalancer/method": "wrr",
        f"frontends/{GROUP}/backend": GROUP,
        f"frontends/{GROUP}/routes/main/rule": "Host:a.local",
    }
    if protected:
        shared[USERS] = "u:{SHA}one"
    shared |= {f"frontends/{GROUP}/headers/customrequestheaders/X-{n}": "x" for n in range(headers)}
    own = {f"backends/{GROUP}/servers/{cluster}--{n}/url": f"http://{cluster}{n}:80" for n in servers}
    return Wish(GROUP, shared, own, title=GROUP)


def _quiet(mutation: Mutation, *, clusters: int, replicas: int = 1, limits: Limits = LIKE_ETCD) -> History:
    history = History(
        0, clusters=clusters, replicas=replicas, mutation=mutation, hands=False, losses=False, limits=limits
    )
    for cluster in history.clusters:
        cluster.wishes.clear()
    return history


def _until_rest(bridge: Bridge) -> None:
    """The bridge works on until it has nothing to do now."""
    for _ in range(100):
        next(bridge.steps)
        if bridge.idle:
            return
    raise AssertionError("it does not come to rest")


def _to_its_commit(bridge: Bridge) -> None:
    """The bridge reads, plans, and stands still with its first transaction in its hands."""
    while not bridge.idle:
        next(bridge.steps)
    for _ in range(3):  # our records, Traefik's keys, the plan
        next(bridge.steps)
    assert not bridge.idle, "it has nothing to commit"


def _guest_grows_while_the_decider_gives_up_its_protection(mutation: Mutation) -> None:
    """A hand took the guest's only server away, so nothing tells the decider that another one comes."""
    history = _quiet(mutation, clusters=2)
    host, guest = history.bridges
    host.cluster.want(_wish(protected=True, servers="0"))
    _until_rest(host)
    guest.cluster.want(_wish(protected=True, servers="0", cluster="c1"))
    _until_rest(guest)
    guest.cluster.want(_wish(protected=True, servers="01", cluster="c1"))
    _to_its_commit(guest)
    history.server.erase(f"{TREE}backends/{GROUP}/servers/c1--0/url")
    host.cluster.want(_wish(protected=False, servers="0"))
    _until_rest(host)
    history.pass_time(READ_TIME)
    _to_its_commit(host)
    next(guest.steps)
    next(host.steps)


def _last_one_closes_while_another_joins(mutation: Mutation) -> None:
    history = _quiet(mutation, clusters=2)
    leaver, joiner = history.bridges
    leaver.cluster.want(_wish(protected=False, servers="0"))
    _until_rest(leaver)
    del leaver.cluster.wishes[GROUP]
    _to_its_commit(leaver)
    joiner.cluster.want(_wish(protected=False, servers="0", cluster="c1"))
    _until_rest(joiner)
    next(leaver.steps)


def _another_joins_between_two_parts_of_a_clear(mutation: Mutation) -> None:
    """Parts that the joiner's opening key does not stop: it may not open yet, since it protects more."""
    history = _quiet(mutation, clusters=2, limits=LIKE_CONSUL)
    leaver, joiner = history.bridges
    leaver.cluster.want(_wish(protected=False, headers=130))
    _until_rest(leaver)
    _until_rest(joiner)
    del leaver.cluster.wishes[GROUP]
    _until_rest(leaver)
    history.pass_time(READ_TIME)
    large = len(history.tree())
    _to_its_commit(leaver)
    for _ in range(3):  # the first part, and all that comes before the second
        next(leaver.steps)
    rest = len(history.tree())
    assert large - rest > 20
    joiner.cluster.want(_wish(protected=True, headers=130, cluster="c1"))
    _to_its_commit(joiner)
    next(joiner.steps)
    next(leaver.steps)


def _protection_is_deleted_by_hand_while_a_guests_server_comes(mutation: Mutation) -> None:
    history = _quiet(mutation, clusters=2)
    host, guest = history.bridges
    host.cluster.want(_wish(protected=True))
    _until_rest(host)
    guest.cluster.want(_wish(protected=True, cluster="c1"))
    _until_rest(guest)
    guest.cluster.want(_wish(protected=True, servers="0", cluster="c1"))
    _to_its_commit(guest)
    history.server.erase(TREE + USERS)
    next(guest.steps)


def _frozen_leader_wakes_up(mutation: Mutation) -> None:
    history = _quiet(mutation, clusters=1, replicas=2)
    first, second = history.bridges
    first.cluster.want(_wish(protected=False, servers="0"))
    _until_rest(first)
    first.cluster.want(_wish(protected=False, servers="01"))
    _to_its_commit(first)
    first.stalled = True
    history.pass_time(REPLICA_TTL + 1)
    first.cluster.want(_wish(protected=False, servers="2"))
    _until_rest(second)
    next(first.steps)


SCENES = [
    pytest.param(_guest_grows_while_the_decider_gives_up_its_protection, "/claim/", id="claim"),
    pytest.param(_last_one_closes_while_another_joins, "/guard/", id="guard"),
    pytest.param(_another_joins_between_two_parts_of_a_clear, "/guard/", id="guard of a part"),
    pytest.param(_protection_is_deleted_by_hand_while_a_guests_server_comes, "/auth/", id="protection"),
    pytest.param(_frozen_leader_wakes_up, LEADER, id="leader"),
]


@pytest.mark.parametrize(("scene", "_part"), SCENES)
def test_a_plan_that_rests_on_what_is_past_changes_nothing(scene: Callable[[Mutation], None], _part: str) -> None:
    """A frozen guest, leaver or leader that goes on learns of it from the store."""
    scene(honest)


@pytest.mark.parametrize(("scene", "part"), SCENES)
def test_without_the_comparison_the_same_scene_breaks_a_promise(scene: Callable[[Mutation], None], part: str) -> None:
    """So the checks that these histories make can see the fault."""
    with pytest.raises(Violation):
        scene(without_comparing(part))


def test_random_histories_without_the_guard_lose_keys() -> None:
    """The random search alone finds the fault, too."""

    def breaks(seed: int) -> bool:
        history = History(seed, clusters=3, mutation=without_comparing("/guard/"), hands=False, losses=False)
        try:
            history.run(400)
        except Violation:
            return True
        return False

    assert any(breaks(seed) for seed in range(100))


def test_what_an_operator_wrote_stands_to_the_letter() -> None:
    """A history with nothing but a hand-written frontend of the same name."""
    history = _quiet(honest, clusters=1)
    key = f"{TREE}frontends/{GROUP}/backend"
    history.server.write(key, "by-hand")
    history.foreign[key] = ("by-hand", history.server.revision)
    history.clusters[0].want(_wish(protected=False, servers="0"))
    history.settle()
    history.reckon()
    assert history.tree()[key] == "by-hand"
