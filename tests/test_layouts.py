"""Several layouts in one process: what `--layout` takes, and that each is a publisher of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bridge import config
from bridge.cli.wiring import sites
from bridge.config import Config, load
from bridge.model.keys import records_prefix
from bridge.model.problem import UsageError
from tests.commands import Bridge, silent
from tests.locked import LockedEtcd, client, url
from tests.publishing import Publication
from tests.servers import EtcdServer, running_etcd
from tests.test_run_etcd import ENDS_WITHIN, Fleet, Process, World, eventually, servers
from tests.worlds.generate import document

STORE = "etcd://h:2379/traefik"
BOTH = "traefik1,traefik3={}"
bridge = pytest.fixture(silent)


def told(layout: str, store: str = STORE) -> Config:
    return load("sync", {"layout": layout, "store": store}, {})


# What may be said


def test_unsaid_there_is_traefik_1_at_the_stores_prefix() -> None:
    (site,) = sites(load("sync", {"store": STORE}, {}))
    assert (site.layout.name, site.tree, site.records) == ("traefik1", "/traefik/", "bridge/traefik/")


def test_each_layout_has_a_tree_and_records_of_its_own() -> None:
    one, three = sites(told("traefik1,traefik3=v3/traefik"))
    assert (one.tree, one.records) == ("/traefik/", "bridge/traefik/")
    assert (three.tree, three.records) == ("v3/traefik/", "bridge/v3.2ftraefik/")


def test_one_layout_may_take_the_stores_prefix_or_its_own() -> None:
    assert [site.tree for site in sites(told("traefik3"))] == ["traefik/"]
    assert [site.tree for site in sites(told("traefik3=/elsewhere/"))] == ["elsewhere/"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("traefik2", "is no layout: use traefik1 or traefik3"),
        ("traefik1,traefik1=x", "name each of"),
        (",", "name each of"),
        ("traefik3=", "is no prefix"),
        ("traefik3=a b", "is no prefix"),
        ("traefik3=bridge/x", "keeps its own records"),
    ],
)
def test_what_is_no_layout_is_refused_with_a_remedy(said: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        told(said)
    assert caught.value.thing == "--layout"
    assert why in str(caught.value)


@pytest.mark.parametrize("three", ["traefik", "traefik3", "traefik/v3"])
def test_no_prefix_may_be_the_beginning_of_another(three: str) -> None:
    """A Traefik reads, or is woken by, all that begins with its prefix, and Traefik 3 refuses what is not its own."""
    with pytest.raises(UsageError, match="give each a prefix of its own"):
        sites(told(f"traefik1,traefik3={three}"))


@pytest.mark.parametrize(
    ("text", "version"), [("3.0", (3, 0)), ("3.4", (3, 4)), ("v3.6.15", (3, 6)), ("3.12", (3, 12))]
)
def test_a_version_counts_by_its_minor(text: str, version: tuple[int, int]) -> None:
    assert config.traefik_version(text) == version


@pytest.mark.parametrize("text", ["", "3", "2.11", "1.7", "4.0", "3.x", "latest"])
def test_what_is_no_version_of_traefik_3_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 3\.4"):
        config.traefik_version(text)


def test_a_tls_entry_point_may_say_its_port() -> None:
    assert config.TLS_ENTRY_POINTS.parse("websecure=8443,https") == (("websecure", 8443), ("https", 443))
    for odd in ("websecure=", "websecure=0", "websecure=65536", "=443", "a b"):
        with pytest.raises(ValueError, match="use"):
            config.TLS_ENTRY_POINTS.parse(odd)


# What comes of it


@pytest.fixture
def publication(etcd_server: EtcdServer, tmp_path: Path) -> Iterator[Publication]:
    found = Publication(etcd_server, f"both{tmp_path.name.replace('_', '-')}")
    yield found
    found.close()


def of_both(publication: Publication, tmp_path: Path) -> tuple[str, ...]:
    """Options for both layouts and a world of two services with two containers each."""
    world = tmp_path / "world.json"
    world.write_bytes(document(2, 2))
    layouts = BOTH.format(f"v3-{publication.prefix}")
    return ("--store", publication.url, "--source", f"file:{world}", "--read-time", "0", "--layout", layouts)


def test_a_sync_writes_both_and_a_leave_takes_both_away(
    bridge: Bridge, publication: Publication, tmp_path: Path
) -> None:
    options = of_both(publication, tmp_path)
    alone = bridge("render", "--output", "json", *options[:4]).json
    printed = bridge("render", "--output", "json", *options[:4], *options[6:]).json
    ran = bridge("sync", *options)
    assert ran.code == 0
    assert "traefik1 below" in ran.out
    assert "traefik3 below" in ran.out
    three, tree = f"v3-{publication.prefix}/", publication.tree
    stands = {tree + path: item.value for path, item in publication.held(tree).items()}
    assert stands == alone
    stands |= {three + path: item.value for path, item in publication.held(three).items()}
    assert stands == printed
    shown = json.loads(bridge("show", "--output", "json", *options[:2], *options[6:]).out)
    assert [len(one["groups"]) for one in shown] == [3, 3]
    planned = json.loads(bridge("plan", "--output", "json", *options).out)
    assert [(one["layout"], one["pending"]) for one in planned] == [("traefik1", False), ("traefik3", False)]
    assert bridge("check", *options[:2], *options[6:]).code == 0
    assert bridge("leave", *options[:2], *options[4:]).code == 0
    left = {*publication.published(), *publication.held(three)}
    assert left == set()


def test_one_layout_is_left_alone_by_a_bridge_that_publishes_the_other(
    bridge: Bridge, publication: Publication, tmp_path: Path
) -> None:
    options = of_both(publication, tmp_path)
    bridge("sync", *options)
    three = f"v3-{publication.prefix}"
    before = publication.held(f"{three}/"), publication.held(records_prefix(three))
    assert bridge("leave", *options[:2], "--read-time", "0").code == 0
    assert publication.published() == {}
    assert before == (publication.held(f"{three}/"), publication.held(records_prefix(three)))


@pytest.mark.parametrize("command", ["sync", "leave"])
def test_a_layout_that_fails_keeps_the_other_from_nothing(
    bridge: Bridge, publication: Publication, tmp_path: Path, command: str
) -> None:
    options = of_both(publication, tmp_path)
    source = options[2:4] if command == "sync" else ()
    three, elsewhere = publication.prefix, f"v1-{publication.prefix}"
    bridge("sync", *options[:6], "--layout", "traefik1")  # below a prefix that holds one layout alone
    before = publication.published()
    bridge("sync", *options[:6], "--layout", f"traefik1={elsewhere}")
    if command == "sync":
        bridge("leave", *options[:2], *options[4:6], "--layout", f"traefik1={elsewhere}")
    there = bool(publication.held(f"/{elsewhere}/"))
    both = ("--layout", f"traefik3={three},traefik1={elsewhere}")
    ran = bridge(command, "--output", "json", *options[:2], *source, *options[4:6], *both)
    assert ran.code == 2
    assert ran.err.startswith("bridge: traefik3: --layout 'traefik3': this cluster publishes traefik1")
    assert [one["layout"] for one in json.loads(ran.out)] == ["traefik1"]
    assert bool(publication.held(f"/{elsewhere}/")) is not there
    assert publication.published() == before


def test_run_keeps_both_in_step(publication: Publication, tmp_path: Path) -> None:
    three = f"v3-{publication.prefix}/"
    world = World(tmp_path / "world.json")

    def in_three() -> set[str]:
        return {path for path in publication.held(three) if path.endswith("/url")}

    with ExitStack() as stack:
        fleet = Fleet(publication, world, stack)
        process = fleet.start("a", "--layout", BOTH.format(three.rstrip("/")))
        eventually(lambda: len(servers(publication)) == 4 and len(in_three()) == 4, process)
        gone = world.turn("unhealthy")
        eventually(lambda: len(servers(publication)) == 3 and len(in_three()) == 3, process)
        assert not any(gone in path for path in in_three())
        assert process.said("INFO traefik3: leads")
        assert process.said(f"publishes traefik3 to {publication.url}, below {three}, TTL")
        assert process.end() < ENDS_WITHIN
        assert process.popen.returncode == 0
    records = publication.held(records_prefix(three.rstrip("/")))
    assert "c/default/presence" in records
    assert "c/default/leader" not in records


def test_run_goes_on_with_one_layout_while_the_store_refuses_the_other(bridge: Bridge, tmp_path: Path) -> None:
    """Who adds a layout in a locked store often forgets its rights."""
    world = World(tmp_path / "world.json")
    layouts = BOTH.format("v3/locked")
    with running_etcd(tmp_path) as server, ExitStack() as stack:
        locked = LockedEtcd(server)
        here = url(locked, "locked")
        who = locked.admit(bridge("policy", "etcd", "--store", here).out)
        eyes = stack.enter_context(closing(client(locked, "locked", records_prefix("locked"), locked.root)))

        def urls(prefix: str) -> int:
            return sum(path.endswith("/url") for path in eyes.read(prefix).items)

        command = (sys.executable, "-m", "bridge", "run", "--store", here, "--source", f"file:{world.path}")
        popen = subprocess.Popen(
            [*command, "--layout", layouts, "--settle", "0.05"],
            env={**os.environ, **who},
            stderr=subprocess.PIPE,
            text=True,
        )
        process = Process(popen)
        stack.callback(process.close)
        eventually(lambda: urls("/locked/") == 4 and process.said("WARNING traefik3: store:"), process)
        world.turn("unhealthy")
        eventually(lambda: urls("/locked/") == 3, process)
        assert urls("v3/locked/") == 0
        assert process.end() < ENDS_WITHIN
        assert popen.returncode == 0


def test_a_problem_of_the_source_is_said_once(publication: Publication, tmp_path: Path) -> None:
    world = World(tmp_path / "world.json")
    world.stacks[0]["services"][0]["labels"]["traefik.port"] = "many"  # type: ignore[index, call-overload]
    world.write()
    three = f"v3-{publication.prefix}/"
    with ExitStack() as stack:
        process = Fleet(publication, world, stack).start("a", "--layout", BOTH.format(three.rstrip("/")))
        eventually(lambda: len(servers(publication)) == 2 and bool(publication.held(three)), process)
        process.end()
    assert len([line for line in process.lines if "problem:" in line and "traefik.port" in line]) == 1


def test_a_strange_key_that_stops_traefik_is_said_and_is_over_when_it_is_gone(
    publication: Publication, etcd_server: EtcdServer, tmp_path: Path
) -> None:
    """Traefik says it in its log alone, and only the last part of the path."""
    world = World(tmp_path / "world.json")
    three = f"v3-{publication.prefix}/"
    odd = f"{three}http/routers/theirs/rule/x"
    with ExitStack() as stack:
        process = Fleet(publication, world, stack).start("a", "--layout", BOTH.format(three.rstrip("/")))
        eventually(lambda: len(servers(publication)) == 4 and bool(publication.held(three)), process)
        etcd_server.put(odd, "1")
        eventually(lambda: process.said(f"ERROR traefik3: problem: {odd}"), process)
        etcd_server.delete(odd)
        eventually(lambda: process.said(f"problem over: {odd}"), process)
        process.end()
    assert not process.said("problem: /")
