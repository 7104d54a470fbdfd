"""Who publishes in a store, what they disagree about, and what one that is gone left: on both stores."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from bridge.cli.schemas import schema
from bridge.layouts import LAYOUTS, layout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.leases import Keeper
from bridge.model.change import LeaseName
from bridge.model.keys import STANDING
from bridge.report import Outcome, Report
from bridge.routes import Policy, judge_all
from bridge.stores.base import Store
from bridge.sync import lay_out, sync, with_standing
from bridge.writer import Writer
from tests.commands import Bridge, Ran, silent
from tests.publishing import ENVIRONMENT, ConsulPublication, Publication, Publishing, service, with_labels, world
from tests.servers import ConsulServer, EtcdServer

TTL = 60  # seconds; as short as a Consul takes it, and a bit
_prefixes = itertools.count(1)

bridge = pytest.fixture(silent)


@pytest.fixture(params=["etcd", "consul"])
def place(request: pytest.FixtureRequest) -> Iterator[Publishing]:
    """A prefix of its own in each store."""
    prefix = f"clusters{next(_prefixes)}/traefik"
    found: Publishing
    if request.param == "etcd":
        etcd: EtcdServer = request.getfixturevalue("etcd_server")
        found = Publication(etcd, prefix)
    else:
        consul: ConsulServer = request.getfixturevalue("consul_server")
        found = ConsulPublication(consul, prefix)
    yield found
    found.close()


def rows(ran: Ran) -> dict[str, dict[str, object]]:
    assert (ran.code, ran.err) == (0, "")
    found = ran.json
    Draft202012Validator(schema("clusters")).validate(found)
    listed = found["clusters"]
    assert isinstance(listed, list)
    return {row["cluster"]: row for row in listed}


@pytest.fixture
def clusters(bridge: Bridge, place: Publishing) -> Callable[[], dict[str, dict[str, object]]]:
    """What the command says as JSON, by cluster. It changes nothing."""

    def ask() -> dict[str, dict[str, object]]:
        before = place.everything()
        found = rows(bridge("clusters", "--store", place.url, "--output", "json"))
        assert place.everything() == before
        return found

    return ask


Clusters = Callable[[], dict[str, dict[str, object]]]


def publish(place: Publishing, cluster: str, *, ttl: int = TTL, **labels: str) -> None:
    """One service with two containers in each cluster, whose labels may differ."""
    settings = place.settings(cluster=cluster, ttl=ttl, environment=environment(cluster))
    place.sync(world(with_labels(service("web", 2), **labels)), settings)


def environment(cluster: str) -> str:
    """One of its own for each."""
    return ENVIRONMENT if cluster == "default" else f"of {cluster}"


def reasons(row: dict[str, object]) -> list[str]:
    found = row["problems"]
    assert isinstance(found, list)
    return [problem["reason"] for problem in found]


def test_nobody_is_told_as_nobody(bridge: Bridge, place: Publishing) -> None:
    ran = bridge("clusters", "--store", place.url)
    assert (ran.code, ran.out, ran.err) == (0, f"Nobody publishes below {place.tree}\n", "")
    assert place.everything() == {}


def test_each_cluster_is_told_with_what_it_has(place: Publishing, clusters: Clusters) -> None:
    publish(place, "default")
    publish(place, "other", ttl=0)
    found = clusters()
    assert list(found) == ["default", "other"]
    mine, other = found.values()
    assert (mine["routes"], mine["servers"], mine["ttl"], mine["version"]) == (1, 2, TTL, "1")
    assert isinstance(mine["seconds"], float)
    assert TTL - 30 < mine["seconds"] <= TTL
    assert (mine["lease"], mine["state"], mine["leader"], mine["problems"]) == (True, "not led", "", [])
    assert mine["environment"] == "11111111-1111-4111-8111-111111111111"
    assert (other["ttl"], other["seconds"], other["lease"]) == (0, None, True)


def test_two_clusters_of_one_environment_are_told_since_one_may_be_the_others_old_name(
    bridge: Bridge, place: Publishing, clusters: Clusters
) -> None:
    """After a bridge was started with another --cluster, what stands for ever would go on to be asked."""
    for cluster in ("default", "berlin"):
        place.sync(world(service("web", 2)), place.settings(cluster=cluster))
    publish(place, "other")
    told = "clusters berlin and default publish this Rancher environment: its containers may be servers of each"
    found = clusters()
    assert {name: reasons(row) for name, row in found.items()} == {"berlin": [told], "default": [told], "other": []}
    lines = bridge("clusters", "--store", place.url).out.splitlines()
    assert lines[-1].startswith("notice: ")
    assert told in lines[-1]
    at = lines[0].index("problems")
    assert [line[at:].split()[0] for line in lines[1:-1]] == ["0", "0", "0"], "a notice is no problem"
    place.leave(cluster="berlin")
    assert reasons(clusters()["default"]) == []


def test_what_is_left_of_a_lease_is_the_most_where_the_store_does_not_tell(bridge: Bridge, place: Publishing) -> None:
    """Consul tells no session's rest."""
    publish(place, "default")
    (line,) = (line for line in bridge("show", "--store", place.url).out.splitlines() if line.startswith("lease c/"))
    assert line.startswith("lease c/default  lives at most ") == place.url.startswith("consul")


def test_who_leads_is_told(place: Publishing, clusters: Clusters) -> None:
    publish(place, "default")
    with Keeper(store := place.client()) as keeper:
        lead(place, store, keeper)
        assert (clusters()["default"]["state"], clusters()["default"]["leader"]) == ("led", "here")


def lead(place: Publishing, store: Store, keeper: Keeper) -> None:
    """As a process named here does it."""
    writer = Writer(store, replace(place.settings(ttl=TTL), replica="here"), time.monotonic)
    writer.look()
    assert writer.lead(keeper)


def test_a_disagreement_is_a_problem_of_both_with_both_values_and_the_decider(
    bridge: Bridge, place: Publishing, clusters: Clusters
) -> None:
    publish(place, "other", backend_loadbalancer_method="wrr")
    publish(place, "default", backend_loadbalancer_method="drr")
    said = "cluster other decides and wants 'wrr' where cluster default wants 'drr'"
    found = clusters()
    assert reasons(found["default"]) == reasons(found["other"]) == [said]
    text = bridge("clusters", "--store", place.url).out
    assert text.count(said) == 1, "once for both"
    shown = bridge("show", "shop/web", "--store", place.url)
    assert shown.out.splitlines()[0] == "shop/web  decided by cluster other, claimed too by cluster default"
    path = "backends/web__shop/loadbalancer/method"
    assert f"  disagreement  {path}: cluster other decides and wants wrr where cluster default wants drr" in shown.out
    as_json = bridge("show", "shop/web", "--store", place.url, "--output", "json")
    Draft202012Validator(schema("show")).validate(as_json.json)
    (group,) = as_json.rows("groups")
    assert group["disagreements"] == [
        {"path": path, "decider": "other", "value": "wrr", "cluster": "default", "other": "drr"}
    ]


def test_the_decider_itself_hears_of_a_disagreement(place: Publishing) -> None:
    publish(place, "other", backend_loadbalancer_method="wrr")
    publish(place, "default", backend_loadbalancer_method="drr")
    found = world(with_labels(service("web", 2), backend_loadbalancer_method="wrr"))
    report = place.sync(found, place.settings(cluster="other", ttl=TTL, environment=environment("other")))
    assert [(problem.reason, problem.did) for problem in report.problems] == [
        ("this cluster decides and wants 'wrr' where cluster default wants 'drr'", "kept this cluster's value")
    ]


def test_no_disagreement_tells_a_secret(bridge: Bridge, place: Publishing, clusters: Clusters) -> None:
    publish(place, "other", frontend_auth_basic_users="u:{SHA}ieSV55Qc+eQOaYDRSha/AjzNTJE=")
    publish(place, "default", frontend_auth_basic_users="u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")
    found = clusters()
    assert any("a value of its own" in reason for reason in reasons(found["default"]))
    assert any("keeps its servers out" in problem for problem in dids(found["default"]))
    for arguments in (("clusters",), ("show",), ("show", "shop/web")):
        for output in ("text", "json"):
            assert "{SHA}" not in bridge(*arguments, "--store", place.url, "--output", output).out


def dids(row: dict[str, object]) -> list[str]:
    found = row["problems"]
    assert isinstance(found, list)
    return [problem["did"] for problem in found]


def test_a_frozen_service_is_a_problem_and_the_key_is_named(
    bridge: Bridge, place: Publishing, clusters: Clusters
) -> None:
    publish(place, "default")
    place.write("frontends/web__shop/auth/basic/users/0", "u:{SHA}ieSV55Qc+eQOaYDRSha/AjzNTJE=")
    place.write("backends/web__shop/maxconn/amount", "7")
    found = clusters()["default"]["problems"]
    assert isinstance(found, list)
    (problem,) = found
    assert problem["label"] == f"{place.tree}frontends/web__shop/auth/basic/users/0"
    assert problem["reason"] == "this key was not written by a bridge"
    lines = bridge("show", "--store", place.url).out.splitlines()
    assert lines[0].endswith("2 keys hand-written")
    assert f"  hand-written  {place.tree}backends/web__shop/maxconn/amount = 7" in lines
    assert f"  hand-written  {place.tree}frontends/web__shop/auth/basic/users/0 = (hidden)" in lines


@pytest.mark.parametrize("path", ["c/default/claim/web__shop", "c/default/presence", "fleet/guard/web__shop"])
def test_a_record_of_a_newer_bridge_is_a_problem(place: Publishing, clusters: Clusters, path: str) -> None:
    publish(place, "default")
    place.hand.put(place.records + path, '{"format":2}')
    found = clusters()["default"]
    assert any("newer bridge wrote this record" in reason for reason in reasons(found))


def test_one_whose_lease_ended_and_that_left_something_is_told_as_gone(
    bridge: Bridge, place: Publishing, clusters: Clusters
) -> None:
    publish(place, "other")
    publish(place, "default")
    place.hand.put(place.records + "c/other/drain/host", "{}")
    place.hand.put(place.records + "c/other/claim/db__shop", "{}")
    place.end(LeaseName("c/other", TTL))
    found = clusters()
    assert (found["other"]["state"], found["other"]["servers"], found["other"]["lease"]) == ("gone", 0, False)
    assert found["default"]["servers"] == 2
    assert (
        "cluster other is gone; what it left can be removed: bridge leave --cluster other"
        in bridge("clusters", "--store", place.url).out
    )
    for path in ("claim/db__shop", "drain/host"):
        place.hand.delete(place.records + "c/other/" + path)
    assert list(clusters()) == ["default"]


def test_who_left_nothing_but_what_is_drained_is_not_told_to_leave(bridge: Bridge, place: Publishing) -> None:
    """A leave keeps these records, so it would be told for ever."""
    at = ("--store", place.url)
    publish(place, "other")
    assert bridge("drain", "--cluster", "other", *at).code == 0
    assert bridge("leave", "--cluster", "other", *at, "--read-time", "0").code == 0
    told = bridge("clusters", *at).out
    assert "bridge drain --list --cluster other" in told
    assert "leave" not in told
    assert bridge("undrain", "--cluster", "other", *at).code == 0
    assert bridge("clusters", *at).out.startswith("Nobody publishes")


def test_what_stands_by_its_name_on_no_lease_is_told_as_hand_written(place: Publishing, clusters: Clusters) -> None:
    place.write("backends/web__shop/servers/other--1/url", "http://10.0.0.1:80")
    found = clusters()["other"]
    assert (found["state"], found["servers"], found["by_hand"]) == ("gone", 0, 1)


def test_a_clusters_own_frontends_are_its_alone(bridge: Bridge, place: Publishing, clusters: Clusters) -> None:
    """By the whole program, with its own options."""
    for cluster in ("default", "other"):
        ran = bridge(
            *("sync", "--store", place.url, "--source", "file:tests/samples/web-test.stacks.json"),
            *("--cluster", cluster, "--ttl", str(TTL), "--fan-in", "separate"),
        )
        assert ran.code == 0, ran
    found = clusters()
    assert [(row["routes"], row["servers"]) for row in found.values()] == [(1, 3), (1, 3)]
    lines = bridge("show", "--store", place.url).out.splitlines()
    assert "proxy-test/web-test  of cluster default alone" in lines
    assert "proxy-test/web-test  of cluster other alone" in lines
    place.end(LeaseName("c/other", TTL))
    assert list(clusters()) == ["default"], "nothing is left of it"
    left = {path.split("/")[1] for path in place.published()}
    assert left == {"default--web-test__proxy-test", STANDING}
    assert not [path for path in place.recorded() if "other" in path]


def own(place: Publishing, cluster: str, priority: int = 0, *, name: str = "traefik1", separate: bool = True) -> None:
    """One service in a cluster that keeps it apart, or not."""
    wishes, _ = lay_out(
        judge_all(world(service("web", 1)), Policy(cluster, separate=separate, raised=priority)), layout(name), cluster
    )
    settings = place.settings(cluster=cluster, ttl=TTL, environment=environment(cluster))
    tree = layout(name).tree_prefix(place.prefix, place.url.partition(":")[0])
    settings = replace(settings, publisher=replace(settings.publisher, layout=layout(name), tree=tree))
    assert sync(wishes, place.client(), settings).outcome is Outcome.DONE


@pytest.mark.parametrize("name", LAYOUTS)
def test_frontends_of_two_clusters_with_one_rule_are_a_problem_of_both_unless_one_stands_by(
    bridge: Bridge, place: Publishing, name: str
) -> None:
    def told() -> dict[str, list[str]]:
        found = rows(bridge("clusters", "--store", place.url, "--layout", name, "--output", "json"))
        return {
            cluster: [f"{why}; {did}" for why, did in zip(reasons(row), dids(row), strict=True)]
            for cluster, row in found.items()
        }

    folder = "frontends" if name == "traefik1" else "http/routers"
    own(place, "a", name=name)
    assert told() == {"a": []}
    own(place, "b", name=name)
    either = (
        f"{folder}/a--web__shop, of cluster a alone, and {folder}/b--web__shop, of cluster b alone, ask for the same"
    )
    either += " requests; Traefik gives all of them to either"
    assert told() == {"a": [either], "b": [either]}
    own(place, "b", 1, name=name)
    assert told() == {"a": [], "b": []}
    own(place, "c", name=name, separate=False)
    mixed = told()
    assert mixed.keys() == {"a", "b", "c"}
    assert [len(its) for its in mixed.values()] == [1, 1, 2]
    assert (
        f"which clusters share, ask for the same requests; Traefik gives all of them to {folder}/a--web__shop"
        in mixed["a"][0]
    )


def test_a_cluster_that_goes_from_one_fan_in_to_the_other_is_no_problem(place: Publishing, clusters: Clusters) -> None:
    """For a while it has both."""
    own(place, "a", separate=False)
    both = lay_out(judge_all(world(service("web", 1)), Policy("a", separate=True)), TRAEFIK1, "a")[0]
    shared = lay_out(judge_all(world(service("web", 1)), Policy("a")), TRAEFIK1, "a")[0]
    sync({**shared, **both}, place.client(), place.settings(cluster="a", ttl=TTL, environment=environment("a")))
    found = clusters()["a"]
    assert (found["routes"], found["problems"]) == (2, [])


def test_what_is_drained_is_told_of_each_cluster(bridge: Bridge, place: Publishing, clusters: Clusters) -> None:
    publish(place, "default")
    publish(place, "other")
    at = ("--store", place.url, "--cluster", "other")
    for what in (("--host", "h1"), ("--service", "shop/web")):
        assert bridge("drain", *what, *at).code == 0
    found = clusters()
    drained = found["other"]["drains"]
    assert isinstance(drained, list)
    assert [(one["scope"], one["name"]) for one in drained] == [("host", "h1"), ("service", "shop/web")]
    assert found["default"]["drains"] == []
    lines = bridge("clusters", "--store", place.url).out.splitlines()
    at_line = lines.index("drained in cluster other:")
    assert [line.split("  since ")[0].strip() for line in lines[at_line + 1 : at_line + 3]] == [
        "host h1",
        "service shop/web",
    ]


def test_show_narrows_to_one_service_and_says_where_there_is_none(bridge: Bridge, place: Publishing) -> None:
    place.sync(world(service("web", 1), service("api", 1)))
    shown = bridge("show", "shop/api", "--store", place.url)
    assert "shop/api" in shown.out
    assert "shop/web" not in shown.out
    ran = bridge("show", "shop/apu", "--store", place.url)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("bridge: service 'shop/apu': nothing of it stands")


def test_show_names_whose_each_key_is(bridge: Bridge, place: Publishing) -> None:
    """A server's is its cluster's, what clusters share is of all, and one by hand of nobody; no secret is told."""
    secret = {"traefik.frontend.auth.basic.users": "eve:$2y$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"}
    for cluster, ttl in (("default", TTL), ("other", 0)):
        publish(place, cluster, ttl=ttl, **secret)
    place.hand.put(f"{place.tree}backends/web__shop/servers/mine/url", "http://192.0.2.9")
    asked = bridge("show", "shop/web", "--store", place.url, "--output", "json")
    Draft202012Validator(schema("show")).validate(asked.json)
    (group,) = asked.rows("groups")
    rows_of = group["keys"]
    assert isinstance(rows_of, list)
    told = {row["key"]: row["whose"] for row in rows_of}
    stands = {place.tree + path for path in place.published() if "web__shop" in path}
    assert told.keys() == stands
    for key, whose in told.items():
        at = key.partition("/servers/")[2]
        owner = at.partition("--")[0] if "--" in at else "hand-written" if at else "all clusters"
        assert whose == owner, key
    assert {*told.values()} == {"default", "other", "hand-written", "all clusters"}
    ran = bridge("show", "shop/web", "--store", place.url, "-v")
    lines = [line.split() for line in ran.out.splitlines()]
    assert {line[line.index("=") - 1] for line in lines if line[:1] == ["key"]} == stands
    assert "$2y$" not in ran.out + asked.out


def test_records_that_are_no_text_and_names_that_command_a_terminal_do_no_harm(
    bridge: Bridge, place: Publishing
) -> None:
    publish(place, "default")
    odd = "c/\x1b[31m" if isinstance(place, Publication) else "c/odd"  # Consul takes no such byte in a key
    place.hand.put(f"{place.records}{odd}/presence", json.dumps({"format": 1}))
    place.hand.put(f"{place.records}{odd}/leader", "\x1b")
    ran = bridge("clusters", "--store", place.url)
    assert ran.code == 0
    assert ran.out.splitlines()[1].startswith("\\x1b[31m " if isinstance(place, Publication) else "default ")
    assert "\x1b" not in ran.out


def test_a_layout_each_where_there_are_two(bridge: Bridge, place: Publishing) -> None:
    publish(place, "default")
    ran = bridge("clusters", "--store", place.url, "--layout", "traefik1,traefik3=v3/traefik", "--output", "json")
    found = json.loads(ran.out)
    Draft202012Validator(schema("clusters")).validate(found)
    assert [(one["layout"], len(one["clusters"])) for one in found] == [("traefik1", 1), ("traefik3", 0)]


def test_another_layout_below_one_prefix_is_one_problem_a_service_and_no_key_of_it(
    bridge: Bridge, place: Publishing
) -> None:
    """An environment that was started without the others' --layout: else each key of both would be a disagreement."""

    def published(cluster: str, name: str) -> Report:
        wishes, _ = lay_out(judge_all(world(service("web", 1)), Policy(cluster)), layout(name), cluster)
        tree = layout(name).tree_prefix(place.prefix, place.url.partition(":")[0])
        settings = place.settings(cluster=cluster, ttl=TTL)
        settings = replace(settings, publisher=replace(settings.publisher, layout=layout(name), tree=tree))
        return sync(with_standing(wishes, layout(name)), place.client(), settings)

    def why(report: Report) -> list[tuple[str, str]]:
        return [(problem.service, problem.reason) for problem in report.problems]

    at = ("--store", place.url)
    published("a", "traefik3")
    late = "cluster a, which decides, publishes traefik3 below this prefix, and this cluster traefik1; say --layout "
    late += "traefik3 here, or give each layout a prefix of its own"
    assert why(published("b", "traefik1")) == [("shop/web", late), (STANDING, late)]
    first = "cluster b publishes traefik1 below this prefix, and this cluster traefik3"
    assert why(published("a", "traefik3")) == [("shop/web", first), (STANDING, first)]

    told = "which decides, publishes traefik3 below this prefix, and cluster b traefik1"
    for name, other in (("traefik1", "cluster a publishes traefik3"), ("traefik3", "cluster b publishes traefik1")):
        ran = bridge("clusters", *at, "--layout", name)
        assert (ran.code, ran.out.count("problem: "), ran.out.count(told)) == (0, 2, 2)
        notice = f"notice: {other} below this prefix, and {name} was looked for; say --layout {other.split()[-1]}\n"
        assert ran.err == notice
        assert bridge("show", *at, "--layout", name).err == notice
