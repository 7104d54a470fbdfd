"""`bridge explain`: one screen that says why a service is published, or why it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import count, product
from pathlib import Path

import pytest

from bridge.cli.label_facts import facts
from bridge.labels.fates import Fate, fates
from bridge.labels.table import INNER
from bridge.routes import Policy, judge
from bridge.sources.document import snapshot
from tests.commands import Bridge, silent
from tests.servers import EtcdServer

SAMPLES = Path(__file__).parent / "samples"
MIXED, REAL = f"file:{SAMPLES / 'mixed.stacks.json'}", f"file:{SAMPLES / 'real.stacks.json'}"
WEB_TEST = f"file:{SAMPLES / 'web-test.stacks.json'}"

_prefixes = count(1)

bridge = pytest.fixture(silent)

Text = Mapping[str, object]


@pytest.fixture
def explained(bridge: Bridge) -> Callable[..., Text]:
    """The one service as JSON."""

    def run(service: str, source: str, *more: str) -> Text:
        ran = bridge("explain", service, "--source", source, "--output", "json", *more)
        assert (ran.code, ran.err) == (0, "")
        (found,) = ran.rows("services")
        return found

    return run


def rows(found: Text, name: str) -> list[dict[str, object]]:
    value = found[name]
    assert isinstance(value, list)
    return value


def fates_of(found: Text) -> dict[object, object]:
    return {one["name"]: one["fate"] for one in rows(found, "labels")}


def world(folder: Path, *services: dict[str, object]) -> str:
    path = folder / "world.json"
    path.write_text(json.dumps([{"name": "shop", "uuid": "st", "services": services}]))
    return f"file:{path}"


def web(labels: Mapping[str, str], **fields: object) -> dict[str, object]:
    containers = [
        {
            "name": f"shop-web-{at}",
            "uuid": f"c-{at}",
            "state": state,
            "health_state": health,
            "primary_ip": f"10.42.0.{at}",
            "labels": labels,
        }
        for at, state, health in ((1, "running", "healthy"), (2, "running", "unhealthy"), (3, "stopped", "healthy"))
    ]
    return {
        "name": "web",
        "uuid": "s",
        "kind": "service",
        "state": "active",
        "labels": {"traefik.enable": "true", "traefik.port": "8080", **labels},
        "containers": containers,
        "health_check": {"port": 8080},
        **fields,
    }


# A service that is published.


def test_the_verdict_comes_first(bridge: Bridge) -> None:
    ran = bridge("explain", "proxy-test/web-test", "--source", WEB_TEST)
    assert ran.code == 0
    assert ran.out.startswith("proxy-test/web-test  published, with 3 servers\n")


def test_each_setting_has_its_origin_and_each_key_its_own(explained: Callable[..., Text]) -> None:
    found = explained("proxy-test/web-test", WEB_TEST)
    origins = {one["name"]: one["origin"] for one in rows(found, "settings")}
    assert origins["port"] == "traefik.port"
    assert origins["weight"] == "default"
    keys = {str(one["key"]): one["origin"] for one in rows(found, "keys")}
    assert len(keys) == 10
    assert keys["/traefik/frontends/web-test__proxy-test/routes/main/rule"] == "labels"


def test_each_gate_is_told_with_its_reason(explained: Callable[..., Text]) -> None:
    gates = rows(explained("proxy-test/web-test", WEB_TEST), "gates")
    assert {one["passed"] for one in gates} == {True}
    assert {"enabled", "kind", "port", "rule", "name"} <= {one["name"] for one in gates}


def test_each_container_is_told_with_its_server_or_why_it_has_none(
    explained: Callable[..., Text], tmp_path: Path
) -> None:
    found = explained("shop/web", world(tmp_path, web({})))
    told = {one["name"]: (one["state"], one["health"], one["servers"], one["why"]) for one in rows(found, "containers")}
    assert told == {
        "shop-web-1": ("running", "healthy", ["http://10.42.0.1:8080 weight 5"], ""),
        "shop-web-2": ("running", "unhealthy", [], "it is unhealthy"),
        "shop-web-3": ("stopped", "healthy", [], "it does not run: stopped"),
    }


def test_of_each_container_that_is_no_server_or_another_one_the_reason_is_told(
    explained: Callable[..., Text], tmp_path: Path
) -> None:
    def container(name: str, **fields: object) -> dict[str, object]:
        plain = {"state": "running", "health_state": "healthy", "primary_ip": f"10.42.0.{ord(name)}"}
        return {"name": name, "uuid": f"uuid-{name}", **plain, **fields}

    containers = [
        container("a"),
        container("b", health_state="initializing"),
        container("c", health_state="reinitializing"),
        container("d", health_state=None),
        container("e", primary_ip=None),
        container("f", state="restarting"),
        container("g", state=None),
        container("h", labels={"traefik.port": "81", "traefik.weight": "2"}),
        container("i", labels={"traefik.weight": "0"}),
        container("j", labels={"traefik.port": "http"}),
        container("k", primary_ip="10.42.0.97"),
    ]
    found = explained("shop/web", world(tmp_path, web({}, containers=containers)))
    told = {str(one["name"]): (len(list_of(one["servers"])), one["why"]) for one in rows(found, "containers")}
    assert told == {
        "a": (1, ""),
        "b": (0, "it is not healthy yet: initializing"),
        "c": (0, "it is reinitializing"),
        "d": (0, "its health check has said nothing yet"),
        "e": (0, "it has no address"),
        "f": (0, "it does not run: restarting"),
        "g": (0, "it does not run: Rancher tells no state"),
        "h": (1, "its own labels say port 81, weight 2"),
        "i": (0, "its own labels say weight 0; its weight is 0, so it gets nothing"),
        "j": (0, "its own traefik.port is wrong"),
        "k": (0, "its address is that of uuid-a"),
    }
    assert fates_of(found)["traefik.port"] == "used"  # the service's, whatever a container's says


def list_of(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


@pytest.mark.parametrize(
    ("health", "labels", "why"),
    [
        ("auto", {}, "no health check says that it is healthy"),
        ("require", {"traefik.frontend.rule": "Host:a"}, "no health check says that it is healthy"),
        ("auto", {"traefik.frontend.rule": "Host:a"}, ""),
        ("optional", {}, ""),
        ("ignore", {}, ""),
    ],
)
def test_a_container_without_a_health_check_is_told_as_one_where_that_counts(
    explained: Callable[..., Text], tmp_path: Path, health: str, labels: Mapping[str, str], why: str
) -> None:
    one = {"name": "c", "uuid": "c", "state": "running", "primary_ip": "10.42.0.1"}
    source = world(tmp_path, web(labels, containers=[one], health_check=None))
    found = explained("shop/web", source, "--health", health)
    assert [each["why"] for each in rows(found, "containers")] == [why]
    gates = {each["name"]: each["passed"] for each in rows(found, "gates")}
    assert (gates["health"], gates.get("address", False)) == (not why, not why)


def test_a_service_whose_containers_are_all_sick_has_a_route_and_the_screen_says_what_it_answers(
    bridge: Bridge, tmp_path: Path
) -> None:
    sick = web({})["containers"]
    assert isinstance(sick, list)
    ran = bridge("explain", "shop/web", "--source", world(tmp_path, web({}, containers=sick[1:])))
    assert ran.out.startswith(
        "shop/web  published, without a server of this cluster: other clusters answer, else it is 503\n"
    )
    assert re.search(r"EMPTY +health +0 of 2 containers healthy\n", ran.out)
    assert re.search(r"open +rule +1 frontend\n", ran.out)
    assert "address" not in re.findall(r"(?:open|EMPTY|CLOSED) +(\w+)", ran.out)


def test_containers_that_are_kept_say_why(explained: Callable[..., Text], tmp_path: Path) -> None:
    sick = web({})["containers"]
    assert isinstance(sick, list)
    source = world(tmp_path, web({}, containers=sick[1:]))
    found = explained("shop/web", source, "--when-none-healthy", "keep")
    assert [(len(list_of(one["servers"])), one["why"]) for one in rows(found, "containers")] == [
        (1, "it is unhealthy, and kept, since none is healthy"),
        (0, "it does not run: stopped"),
    ]


def test_an_alias_shows_the_containers_that_it_leads_to(explained: Callable[..., Text], tmp_path: Path) -> None:
    alias = web({}, name="alias", uuid="l", kind="dnsService", containers=[], links={"shop/web": "web"})
    kinds = ("--kind", "service", "--kind", "dnsService")
    found = explained("shop/alias", world(tmp_path, web({}), alias), *kinds)
    assert [(one["name"], bool(one["servers"])) for one in rows(found, "containers")] == [
        ("shop-web-1", True),
        ("shop-web-2", False),
        ("shop-web-3", False),
    ]


def test_an_external_service_shows_its_addresses(explained: Callable[..., Text], tmp_path: Path) -> None:
    service = web({}, kind="externalService", containers=[], external_ips=["192.0.2.1", "nonsense"], hostname="")
    found = explained("shop/web", world(tmp_path, service))
    good, bad = rows(found, "containers")
    assert (good["name"], good["external"], good["servers"]) == ("192.0.2.1", True, ["http://192.0.2.1:8080 weight 5"])
    assert (bad["name"], bad["servers"], "nonsense" in str(bad["why"])) == ("nonsense", [], True)


def test_a_container_of_each_segment_is_told_for_each(explained: Callable[..., Text], tmp_path: Path) -> None:
    labels = {"traefik.a.port": "80", "traefik.a.frontend.rule": "Host:a", "traefik.b.frontend.rule": "Host:b"}
    service = web(labels)
    containers = list_of(service["containers"])
    for one in containers:
        assert isinstance(one, dict)
        one["labels"] = {"traefik.a.port": "http", "traefik.b.port": "8080"}
    found = explained("shop/web", world(tmp_path, service))
    first, second, _ = rows(found, "containers")
    assert (first["servers"], first["why"]) == (
        ["http://10.42.0.1:8080 weight 1"],
        "a: its own traefik.a.port is wrong",
    )
    assert second["why"] == "a: it is unhealthy; b: it is unhealthy"


# A contest.


def rivals(folder: Path, *names: str) -> str:
    """Services of these names that ask for the same requests."""
    labels = {"traefik.frontend.rule": "Host:a.example.org"}
    return world(folder, *(web(labels, name=name, uuid=name) for name in names))


def test_without_a_store_the_names_decide_a_contest_and_that_is_said(
    bridge: Bridge, explained: Callable[..., Text], tmp_path: Path
) -> None:
    source = rivals(tmp_path, "api", "web")
    assert (explained("shop/api", source)["published"], explained("shop/web", source)["published"]) == (True, False)
    for name in ("api", "web"):
        first, _ = bridge("explain", f"shop/{name}", "--source", source).out.split("\n", 1)
        assert first.endswith("(decided by name: only the store knows who was there first; give --store)")
    assert rows(explained("shop/web", source), "gates")[-1]["name"] == "contest"
    assert "give --store" not in str(explained("shop/web", rivals(tmp_path, "web"))["summary"])


def test_with_a_store_who_was_there_first_is_published_as_run_has_it(
    bridge: Bridge, explained: Callable[..., Text], tmp_path: Path, etcd_server: EtcdServer
) -> None:
    store = ("--store", f"etcd://{etcd_server.endpoint}/explain{next(_prefixes)}")
    assert bridge("sync", "--source", rivals(tmp_path, "web"), *store).code == 0
    source, revision = rivals(tmp_path, "api", "web"), etcd_server.revision()
    assert (explained("shop/api", source)["published"], explained("shop/web", source)["published"]) == (True, False)
    newcomer, incumbent = (explained(f"shop/{name}", source, *store) for name in ("api", "web"))
    assert (newcomer["published"], incumbent["published"]) == (False, True)
    assert newcomer["summary"] == ("not published: shop/web is published for requests that it asks for: a.example.org")
    assert incumbent["summary"] == "published, with 1 server"
    told = bridge("check", "--source", source, *store, "--output", "json").rows("problems")
    assert {one["service"] for one in told if one["did"] == "no route"} == {"shop/api"}
    assert etcd_server.revision() == revision


def test_where_nothing_is_contested_a_store_that_is_away_keeps_nobody_from_an_explanation(bridge: Bridge) -> None:
    """That something may be drained is said."""
    store = ("--store", "etcd://127.0.0.1:1/traefik")
    ran = bridge("explain", "proxy-test/web-test", "--source", WEB_TEST, *store)
    assert ran.code == 0
    assert ran.err.startswith("notice: what is drained is not known: ")


def test_keys_lie_where_the_store_has_them(bridge: Bridge) -> None:
    store = ("--store", "consul://127.0.0.1:1/edge")
    ran = bridge("explain", "proxy-test/web-test", "--source", WEB_TEST, "--output", "json", *store)
    (found,) = ran.rows("services")
    assert all(str(one["key"]).startswith("edge/") for one in rows(found, "keys"))


def test_upper_case_is_the_same_name(explained: Callable[..., Text]) -> None:
    assert explained("/Proxy-Test/Web-Test", WEB_TEST)["published"] is True


# What became of its labels.


def test_each_label_is_used_ignored_refused_or_unknown(explained: Callable[..., Text], tmp_path: Path) -> None:
    labels = {
        "traefik.domain": "a.example.org",
        "traefik.alias": "x",
        "traefik.weight": "much",
        "traefik.acme": "true",
        "traefik.enabled": "true",
    }
    found = explained("shop/web", world(tmp_path, web(labels)))
    assert fates_of(found) == {
        "traefik.enable": "used",
        "traefik.port": "used",
        "traefik.domain": "used",
        "traefik.alias": "used",
        "traefik.weight": "refused",
        "traefik.acme": "ignored",
        "traefik.enabled": "unknown",
    }
    why = {one["name"]: str(one["why"]) for one in rows(found, "labels")}
    assert "used the default, 5" in why["traefik.weight"]
    assert "did you mean traefik.enable?" in why["traefik.enabled"]


@pytest.mark.parametrize(
    ("labels", "name", "fate", "why"),
    [
        (
            {"traefik.frontend.rule": "Host:a", "traefik.domain": "b.org"},
            "domain",
            "not used",
            "traefik.frontend.rule says",
        ),
        ({"traefik.ratelimit.burst": "5"}, "ratelimit.burst", "not used", "nothing without traefik.ratelimit.enable"),
        ({"traefik.a.port": "1"}, "port", "not used", "each segment says it for itself"),
        ({"traefik.weight": ""}, "weight", "not used", "it is empty"),
        ({"traefik.enable": "false"}, "enable", "used", ""),
        ({"traefik.enable": "false"}, "port", "not used", "since gate enabled is closed"),
        ({"traefik.tags": "a"}, "tags", "used", ""),
        ({"traefik.frontend.rule": "Hots:a"}, "frontend.rule", "refused", "no route"),
        ({"traefik.frontend.whiteList.sourceRange": "10.0.0.0/8,office"}, "port", "used", ""),
        (
            {"traefik.frontend.whiteList.sourceRange": "10.0.0.0/8,office"},
            "frontend.whiteList.sourceRange",
            "refused",
            "no route",
        ),
        ({"traefik.domain": "a.org,b c"}, "domain", "used", "left it out"),
    ],
)
def test_what_became_of_a_label_is_told_with_the_reason(
    explained: Callable[..., Text], tmp_path: Path, labels: Mapping[str, str], name: str, fate: str, why: str
) -> None:
    found = explained("shop/web", world(tmp_path, web(labels)), "--constraint", "tag!=b")
    (said,) = [one for one in rows(found, "labels") if one["name"] == f"traefik.{name}"]
    assert said["fate"] == fate
    assert why in str(said["why"]) if why else said["why"] == ""


def test_a_label_that_is_done_otherwise_in_one_layout_is_used(explained: Callable[..., Text], tmp_path: Path) -> None:
    """Only what no key comes of is ignored."""
    labels = {"traefik.frontend.rule": "Host:a;Path:/a", "traefik.backend.loadbalancer.stickiness": "true"}
    found = explained("shop/web", world(tmp_path, web(labels)), "--layout", "traefik1,traefik3=v3/traefik")
    told = {one["name"]: one["fate"] for one in rows(found, "labels") if one["why"]}
    assert told == dict.fromkeys(labels, "used")


def test_each_label_that_is_not_used_says_why() -> None:
    """All labels of the table: a fault here is a blank line on the screen of who asks why."""
    bases = (
        {"traefik.port": "80"},
        {"traefik.a.port": "80"},
        {"traefik.port": "80", "traefik.frontend.rule": "Host:a"},
    )
    for one, base in product(facts(), bases):
        labels = {"traefik.enable": "true", **base, one.row.name.replace(INNER, "page"): one.row.example, **one.labels}
        (service,) = snapshot(
            json.dumps([{"name": "shop", "uuid": "s", "services": [web(labels)]}]).encode(), ""
        ).services
        verdict = judge(service, Policy())
        for said in fates(service.labels, verdict, verdict.problems):
            assert said.fate is Fate.USED or said.why, (labels, said)


def test_what_lets_somebody_in_is_hidden_everywhere(bridge: Bridge, tmp_path: Path) -> None:
    labels = {
        "traefik.frontend.auth.basic.users": "bob:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
        "traefik.frontend.headers.customRequestHeaders": "X-Key:secret",
        "traefik.frontend.auth.basik.secret": "secret",
    }
    source = world(tmp_path, web(labels))
    for output in ("text", "json"):
        ran = bridge("explain", "shop/web", "--source", source, "--output", output)
        assert ran.code == 0
        assert "apr1" not in ran.out
        assert "X-Key:secret" not in ran.out
        assert "(hidden)" in ran.out
    del labels["traefik.frontend.auth.basik.secret"]  # which cost the route
    ran = bridge("explain", "shop/web", "--source", world(tmp_path, web(labels)))
    assert "published, with 1 server\n" in ran.out
    assert "frontends/web__shop/auth/basic/users" in ran.out
    assert not any(part in ran.out for part in ("secret", "apr1", "IgXLP"))


# A service that is not published.


@pytest.mark.parametrize(
    ("labels", "fields", "gate", "why"),
    [
        ({"traefik.enable": "false"}, {}, "enabled", "traefik.enable is false"),
        ({"traefik.enable": "perhaps"}, {}, "enabled", ""),
        ({}, {"kind": "dnsService"}, "kind", "a dnsService has no servers of its own"),
        ({"traefik.port": "http"}, {}, "port", "traefik.port: "),
        ({"traefik.frontend.rule": "Hots:a"}, {}, "rule", "unknown matcher 'Hots' (write Host)"),
    ],
)
def test_a_service_that_is_not_published_is_told_with_the_gate_that_closed(
    explained: Callable[..., Text],
    tmp_path: Path,
    labels: Mapping[str, str],
    fields: Mapping[str, object],
    gate: str,
    why: str,
) -> None:
    found = explained("shop/web", world(tmp_path, web(labels, **fields)))
    closed = [one for one in rows(found, "gates") if not one["passed"]]
    assert [one["name"] for one in closed] == [gate]
    assert why in str(closed[0]["why"])
    assert str(found["summary"]).startswith("not published: ")
    assert (found["published"], found["keys"]) == (False, [])


def test_a_closed_gate_is_seen_at_a_glance(bridge: Bridge) -> None:
    assert "CLOSED  kind" in bridge("explain", "shop/alias", "--source", MIXED).out


def test_a_service_without_labels_is_told_as_one(explained: Callable[..., Text]) -> None:
    found = explained("redmine/db", REAL)
    assert found["summary"] == "not published: it has no label that begins with traefik."
    assert (found["published"], found["gates"]) == (False, [])


def test_two_services_of_one_name_are_both_told(bridge: Bridge, tmp_path: Path) -> None:
    """Linked environments bring them; one of the two keeps the name."""
    source = world(tmp_path, web({}), web({}, uuid="t"))
    found = bridge("explain", "shop/web", "--source", source, "--output", "json").rows("services")
    assert [(one["uuid"], one["published"]) for one in found] == [("s", True), ("t", False)]


# A service that is not there.


def test_an_unknown_service_is_told_with_the_close_ones_and_how_many_there_are(bridge: Bridge) -> None:
    ran = bridge("explain", "shop/tunde", "--source", MIXED)
    assert (ran.code, ran.out) == (2, "")
    assert "is none of the 19 services that the source has; did you mean shop/tuned" in ran.err


def test_a_name_in_another_stack_is_told_first(bridge: Bridge) -> None:
    assert "did you mean redmine/redmine or" in bridge("explain", "redmine", "--source", REAL).err


def test_without_a_name_it_says_what_it_wants(bridge: Bridge) -> None:
    ran = bridge("explain", "--source", MIXED)
    assert (ran.code, "Missing argument 'STACK/SERVICE'" in ran.err) == (2, True)


# What is printed is safe.


def test_no_label_name_or_container_forges_a_line(bridge: Bridge, tmp_path: Path) -> None:
    labels = {
        "traefik.domain": "a\nshop/web  published\x1b[2J",
        "traefik.x\r\n  gates\n": "y",
        "traefik.frontend.rule": "Host:a\x1b]0;b\x07",
    }
    service = web(labels)
    service["containers"] = [{"name": "c\n1\x1b[A", "uuid": "c", "state": "run\nning", "health_state": "\x1b[1A"}]
    ran = bridge("explain", "shop/web", "--source", world(tmp_path, service))
    assert all(line.isprintable() for line in ran.out.splitlines())
    assert sum(line.startswith("shop/web") for line in ran.out.splitlines()) == 1
    ran = bridge("explain", "sh\x1b[2Jop/\nweb", "--source", MIXED)
    assert (ran.code, ran.err.count("\n"), "\x1b" in ran.err) == (2, 1, False)


def test_a_long_label_does_not_fill_the_screen(bridge: Bridge, tmp_path: Path) -> None:
    ran = bridge("explain", "shop/web", "--source", world(tmp_path, web({"traefik.domain": "a." * 5000 + "org"})))
    assert max(map(len, ran.out.splitlines())) < 1000


# Labels of Traefik 2 and 3.


def test_labels_of_traefik_2_are_explained_for_the_layout_that_speaks_them(bridge: Bridge) -> None:
    """With each key's label; a service whose router is lost says so first."""
    both = ("--source", REAL, "--layout", "traefik3", "--output", "json")
    (found,) = bridge("explain", "taskman/apache", *both).rows("services")
    assert found["summary"] == "published, with 2 servers"
    origins = {str(one["key"]): one["origin"] for one in rows(found, "keys")}
    rule = "traefik.http.routers.taskman.rule"
    assert origins["traefik/http/routers/taskman/rule"] == origins["traefik/http/routers/taskman/priority"] == rule
    assert {one["fate"] for one in rows(found, "labels")} == {"used"}
    shown = {one["name"]: one["value"] for one in rows(found, "labels")}
    assert shown["traefik.http.middlewares.taskmanhw-ratelimit.ratelimit.average"] == "2"
    (lost,) = bridge("explain", "copernicus-land/apache", *both).rows("services")
    assert str(lost["summary"]).startswith("published without a router")
    fates = {str(one["name"]): one["fate"] for one in rows(lost, "labels")}
    assert fates["traefik.http.routers.copernicus-land.rule"] == "refused"
    (none,) = bridge("explain", "taskman/apache", "--source", REAL, "--output", "json").rows("services")
    assert none["summary"] == "not published: its labels speak to Traefik 2 and 3 only"


def test_a_label_that_costs_its_middleware_is_refused(bridge: Bridge, tmp_path: Path) -> None:
    labels = {"traefik.http.middlewares.m.ratelimit.average": "many", "traefik.http.routers.r.middlewares": "m"}
    source = world(tmp_path, web({**labels, "traefik.http.services.s.loadbalancer.server.port": "80"}))
    ran = bridge("explain", "shop/web", "--source", source, "--layout", "traefik3", "--output", "json")
    (found,) = ran.rows("services")
    fates = {str(one["name"]): one["fate"] for one in rows(found, "labels")}
    assert fates["traefik.http.middlewares.m.ratelimit.average"] == "refused"
    assert fates["traefik.http.routers.r.middlewares"] == "refused"
    assert fates["traefik.http.services.s.loadbalancer.server.port"] == "used"


def test_where_clusters_share_nothing_no_label_of_traefik_2_counts_as_used(bridge: Bridge) -> None:
    separate = ("--source", REAL, "--layout", "traefik3", "--fan-in", "separate", "--output", "json")
    (found,) = bridge("explain", "taskman/apache", *separate).rows("services")
    why = "its labels name what clusters share, and --fan-in separate shares nothing"
    assert (found["summary"], found["published"]) == (f"not published: {why}", False)
    newer = [one for one in rows(found, "labels") if str(one["name"]).startswith("traefik.http.")]
    assert len(newer) > 3
    assert {one["fate"] for one in newer} == {"refused"}
    assert all(str(one["why"]).startswith(why) for one in newer)
