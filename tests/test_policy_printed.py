"""What `bridge policy` prints, and that it is enough for all keys of a layout."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from bridge.cli.policy import POLICIES
from bridge.cli.schemas import schema
from bridge.layouts import LAYOUTS, layout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_values import WRITTEN
from bridge.model.keys import lease_node, records_prefix
from bridge.ownership.records import (
    FLEET,
    STANDING_FAMILY,
    cluster_family,
)
from bridge.routes import Policy, judge_all
from bridge.sync import lay_out
from tests.commands import Bridge, silent
from tests.publishing import service
from tests.publishing import world as world_of

bridge = pytest.fixture(silent)


def test_what_is_printed_for_one_cluster(bridge: Bridge) -> None:
    """With a prefix of several segments. No store is asked."""
    store = "127.0.0.1:9/v3/traefik"
    rules = bridge("policy", "consul", "--store", f"consul://{store}", "--cluster", "berlin").out.splitlines()
    assert [line for line in rules if line[0] != "#"] == [
        'key_prefix "v3/traefik" { policy = "list" }',
        'key_prefix "v3/traefik/backends/" { policy = "write" }',
        'key_prefix "v3/traefik/frontends/" { policy = "write" }',
        'key_prefix "bridge/v3.2ftraefik/" { policy = "list" }',
        'key_prefix "bridge/v3.2ftraefik/fleet/" { policy = "write" }',
        'key_prefix "bridge/v3.2ftraefik/c/berlin/" { policy = "write" }',
        'session_prefix "bridge-v3.2ftraefik--" { policy = "read" }',
        'session "bridge-v3.2ftraefik--berlin" { policy = "write" }',
        'session "bridge-v3.2ftraefik-fleet" { policy = "write" }',
        'node "bridge-v3.2ftraefik--berlin" { policy = "write" }',
        'node "bridge-v3.2ftraefik-fleet" { policy = "write" }',
    ]
    role = "bridge-v3.2ftraefik--berlin"
    lines = bridge("policy", "etcd", "--store", f"etcd://{store}", "--cluster", "berlin").out.splitlines()
    assert [line for line in lines if line[0] != "#"] == [
        f"etcdctl role add {role}",
        f"etcdctl role grant-permission --prefix=true {role} read /v3/traefik",
        f"etcdctl role grant-permission --prefix=true {role} read v3/traefik/",
        f"etcdctl role grant-permission --prefix=true {role} readwrite /v3/traefik/backends/",
        f"etcdctl role grant-permission --prefix=true {role} readwrite /v3/traefik/frontends/",
        f"etcdctl role grant-permission --prefix=true {role} read bridge/v3.2ftraefik/",
        f"etcdctl role grant-permission --prefix=true {role} readwrite bridge/v3.2ftraefik/fleet/",
        f"etcdctl role grant-permission --prefix=true {role} readwrite bridge/v3.2ftraefik/c/berlin/",
    ]


def test_a_process_of_two_layouts_gets_the_rights_of_both(bridge: Bridge) -> None:
    printed = {}
    for layouts in ("traefik1", "traefik3=v3/traefik", "traefik1,traefik3=v3/traefik"):
        ran = bridge("policy", "consul", "--layout", layouts, "--output", "json")
        printed[layouts] = [(row["resource"], row["name"], row["access"]) for row in ran.rows("rules")]
    one, other, both_of_them = printed.values()
    assert both_of_them == [*one, *other]
    assert ("key_prefix", "v3/traefik/http/routers/", "write") in other
    assert not {name for _, name, _ in one} & {name for _, name, _ in other}


@pytest.mark.parametrize("kind", POLICIES)
def test_the_json_fits_its_schema(bridge: Bridge, kind: str) -> None:
    """And says what the text says."""
    found = bridge("policy", kind, "--cluster", "berlin", "--output", "json")
    Draft202012Validator(schema("policy")).validate(found.json)
    text = bridge("policy", kind, "--cluster", "berlin").out
    assert [row for row in found.rows("rules") if str(row["name"]) not in text or str(row["access"]) not in text] == []
    assert not Draft202012Validator(schema("policy")).is_valid(found.json | {"rules": [{}]})


def test_no_two_clusters_share_the_node_of_their_leases() -> None:
    """Else the right on one's leases is the right on the other's."""
    roots = [records_prefix(prefix) for prefix in ("traefik", "traefik-a", "traefik-fleet", "a--b", "a-", "-a")]
    clusters = ["a", "a-b", "b", "fleet", "traefik"]
    owners = [FLEET, *map(cluster_family, clusters)]
    nodes = [lease_node(root, owner) for root in roots for owner in owners]
    assert len(set(nodes)) == len(roots) * len(owners)
    assert {lease_node(root, STANDING_FAMILY) for root in roots} == {lease_node(root, FLEET) for root in roots}
    for root in roots:  # what show may read
        begin = lease_node(root, cluster_family(""))
        assert [node for node in nodes if node.startswith(begin)] == [
            lease_node(root, cluster_family(cluster)) for cluster in clusters
        ]


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_keys_of_a_layout_lie_in_its_folders(name: str) -> None:
    found = layout(name)
    laid, _ = lay_out(judge_all(world_of(service("shoes")), Policy()), found, "default")
    paths = [path for wish in laid.values() for path in (*wish.shared, *wish.own)]
    assert paths
    assert [path for path in (*found.standing(), *paths) if not path.startswith(found.folders)] == []


def test_every_key_that_is_ever_written_for_traefik_1_lies_in_a_folder() -> None:
    assert [shape for shape in WRITTEN if not shape.startswith(TRAEFIK1.folders)] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("redis",), "policy 'redis': use consul or etcd"),
        (("etcd", "--store", "consul://h"), "--store 'consul://h': is no etcd://; use that, or bridge policy consul"),
        (("consul", "--cluster", "Berlin"), "--cluster 'Berlin'"),
    ],
)
def test_what_cannot_be_is_refused(bridge: Bridge, arguments: tuple[str, ...], told: str) -> None:
    ran = bridge("policy", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
