"""Clusters that mean different things by one name, in any order: nobody is let past what a cluster's labels ask for."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from bridge.layouts import Target, layout
from bridge.model.keys import Wish
from tests.planning import Process, Scene, changes
from tests.test_native_objects import asks, publish

TRAEFIK3 = layout("traefik3", Target((3, 7)))
ROUTER, SERVICE, GUARD, CHAIN = (
    "http.routers.web",
    "http.services.web",
    "http.middlewares.users",
    "http.middlewares.all",
)
RUNS, STEPS = 25, 40
WORDS: tuple[Mapping[str, str], ...] = (
    {},
    {"routers.web.middlewares": "users"},
    {"routers.web.middlewares": "users", "middlewares.users.basicauth.users": "ann:x"},
    {"routers.web.middlewares": "all", "middlewares.all.chain.middlewares": "users"},
    {"middlewares.users.compress": "true"},
    {"middlewares.users.compress": "true", "routers.web.middlewares": "users"},
    {"routers.web.service": "other", "services.other.loadbalancer.server.port": "80"},
)
BASE = {
    "routers.web.rule": "Host(`a.test`)",
    "routers.web.service": "web",
    "services.web.loadbalancer.server.port": "80",
    "middlewares.users.basicauth.users": "joe:x",
}


def wishes(cluster: str, words: Mapping[str, str]) -> tuple[Wish, ...]:
    """What a cluster wants whose one service says this."""
    labels = {name: text for name, text in BASE.items() if "compress" not in str(words) or "users" not in name}
    found = publish(asks({**labels, **words}, "web")).wishes
    return tuple(
        Wish(
            one.group,
            one.shared,
            {path.replace("default--", f"{cluster}--"): value for path, value in one.own.items()},
            title=one.title,
        )
        for one in found.values()
    )


def guards(keys: Mapping[str, str]) -> list[dict[str, str]]:
    """What a request for the router passes, before it goes on."""
    found, left = [], keys.get("http/routers/web/middlewares", "").split(",")
    while left := [name for name in left if name]:
        name = left.pop()
        base = f"http/middlewares/{name}/"
        its = {path.removeprefix(base): value for path, value in keys.items() if path.startswith(base)}
        left += its.get("chain/middlewares", "").split(",")
        found.append(its)
    return sorted(found, key=str)


def wanted(its: tuple[Wish, ...]) -> dict[str, str]:
    return {path: value for wish in its for path, value in wish.shared.items()}


@pytest.mark.parametrize("seed", range(RUNS))
def test_no_servers_stand_behind_less_than_their_cluster_asks_for(seed: int) -> None:
    """Once it has nothing to do any more by what it has seen; whatever the others did in between."""
    dice, scene = random.Random(seed), Scene()
    asked: dict[str, tuple[Wish, ...]] = {}
    running: dict[str, Process] = {cluster: scene.process(cluster, layout=TRAEFIK3) for cluster in ("c0", "c1", "c2")}
    idle: set[str] = set()
    for _ in range(STEPS):
        cluster = dice.choice(sorted(running))
        if cluster not in asked or dice.random() < 0.3:
            asked[cluster] = () if dice.random() < 0.2 else wishes(cluster, dice.choice(WORDS))
            idle.discard(cluster)
        sent = running[cluster].act(*asked[cluster])
        scene.now += dice.choice((0.0, 1.0, 10.0))
        if not sent and running[cluster].plan(*asked[cluster]).done:
            idle.add(cluster)
        elif sent:
            idle.discard(cluster)
        keys = scene.values()
        for one in idle:
            mine = wanted(asked[one])
            if not mine.get("http/routers/web/rule") or "http/routers/web/service" not in keys:
                continue
            behind = keys["http/routers/web/service"]
            if any(path.startswith(f"http/services/{behind}/loadBalancer/servers/{one}--") for path in keys):
                missing = [guard for guard in guards(mine) if guard not in guards(keys)]
                assert not missing, (seed, one, missing)


def test_all_come_to_rest_and_the_first_decides() -> None:
    """None waits for ever for another that waits for it."""
    for seed in range(RUNS):
        dice, scene = random.Random(seed), Scene()
        running = {cluster: scene.process(cluster, layout=TRAEFIK3) for cluster in ("c0", "c1")}
        for _ in range(4):
            asked = {cluster: wishes(cluster, dice.choice(WORDS)) for cluster in running}
            for _ in range(12):
                done = [running[cluster].settle(*asked[cluster]) for cluster in running]
                if not any(changes(sent) for sent in done):
                    break
            else:
                raise AssertionError(f"seed {seed} goes on for ever")
            assert all(not one.due(*asked[cluster]).waits for cluster, one in running.items()), seed
