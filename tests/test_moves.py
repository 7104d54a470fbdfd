"""What was read back from any tree of Traefik 1 becomes objects that Traefik 3 takes, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.moves import Move, Moved, moves, of_tree
from bridge.layouts import Target, layout
from bridge.layouts.traefik1_back import FOREIGN, read_back
from bridge.layouts.traefik3_moved import kept_name, with_kept_names
from bridge.layouts.traefik3_tree import decode
from tests.servers import EtcdServer
from tests.test_traefik1_back import PATHS, TREES, golden
from tests.traefik import running_traefik, until, web_servers

VERSION = (3, 0)
TRAEFIK3 = layout("traefik3", Target(VERSION))

values = st.sampled_from(["b", "f", "canary", "Host:a.local", "http://10.0.0.1:80", "404", "true", "1", ""])
odd = st.text(max_size=12)


def moved(keys: dict[str, str]) -> list[Move]:
    return moves(of_tree(read_back(keys, "c1").routes, keys), TRAEFIK3, "c1")


def kept(keys: dict[str, str]) -> dict[str, str]:
    """All keys that the routes of a tree, which others named, have in Traefik 3."""
    found: dict[str, str] = {}
    for back in read_back(keys, "c1").routes:
        if back.route is None or back.route.stack != FOREIGN:
            continue
        try:
            entries = {entry.path: entry.value for entry in TRAEFIK3.entries(back.route, "c1")}
        except ValueError:
            continue
        its = with_kept_names(entries, back.route)
        assert not found.keys() & its.keys()
        found |= its
    return found


@pytest.mark.parametrize("path", TREES, ids=lambda path: path.stem)
def test_of_a_recorded_tree_traefik_3_takes_all_that_moves(path: Path) -> None:
    tree = decode(kept(golden(path)), VERSION)
    assert (tree.refused, tree.twins) == ((), ())


@pytest.mark.parametrize("path", TREES, ids=lambda path: path.stem)
def test_each_router_leads_to_a_service_that_moves_with_it(path: Path) -> None:
    for move in moved(golden(path)):
        services = {service.name for service in move.services}
        assert {router.service for router in move.routers} <= services
        for router in move.routers:
            assert all(one.fields for one in router.middlewares)
        assert (move.moved is Moved.MISSING) is not bool(move.routers)
        assert move.routers or any(not problem.notice for problem in move.problems)


@given(st.dictionaries(st.sampled_from(PATHS), values | odd, max_size=25))
def test_no_tree_whatever_costs_the_report(keys: dict[str, str]) -> None:
    assert {move.title for move in moved(keys)} == {back.title for back in read_back(keys, "c1").routes}
    assert decode(kept(keys), VERSION).refused == ()


def test_a_tree_written_by_hand_is_served_by_traefik_3_under_its_names(etcd_server: EtcdServer, tmp_path: Path) -> None:
    with web_servers("one", "pages") as servers:
        tree = {
            "frontends/Front/backend": "Back",
            "frontends/Front/routes/r/rule": "Host: hand.local",
            "frontends/Front/routes/s/rule": "PathPrefixStrip:/api",
            "frontends/Front/entrypoints": "web",
            "frontends/Front/basicauth/0": "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
            "frontends/Front/errors/e.1/backend": "42",
            "frontends/Front/errors/e.1/status": "503",
            "frontends/Front/errors/e.1/query": "/page",
            "backends/Back/servers/s/url": f"http://{servers['one'].address}:{servers['one'].port}",
            "backends/42/servers/s/url": f"http://{servers['pages'].address}:{servers['pages'].port}",
        }
        for path, value in kept(tree).items():
            etcd_server.put(f"moves/traefik/{path}", value)
        with running_traefik(tmp_path / "traefik", "etcd", etcd_server.endpoint, "moves/traefik") as traefik:
            routers = until(lambda: traefik.objects("routers"))
            assert {name: one["status"] for name, one in routers.items()} == {".46ront": "enabled"}
            assert routers[".46ront"]["priority"] == len("Host: hand.local") + len("PathPrefixStrip:/api")
            login = {"Authorization": "Basic dGVzdDp0ZXN0"}
            assert traefik.request("hand.local", "/api/x").status == 401
            reached = traefik.request("hand.local", "/api/x", headers=login)
            assert (reached.server, reached.said["path"]) == ("one", "/x")
            page = traefik.request("hand.local", "/api/status/503", headers=login)
            assert (page.status, page.server, page.said["path"]) == (503, "pages", "/page")


names = st.text("aAb_-.4", min_size=1, max_size=6) | st.text(min_size=1, max_size=6)


@given(names, names)
def test_no_two_names_become_one(one: str, other: str) -> None:
    if one != other:
        assert kept_name(one).lower() != kept_name(other).lower()
    assert not kept_name(one).isdecimal()
