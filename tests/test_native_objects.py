"""What labels of Traefik 2 and 3 come to: row by row what its Rancher provider did, and what is done otherwise here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.labels.fallback import Fallback
from bridge.layouts import Target, layout
from bridge.layouts.traefik3_lint import lint
from bridge.model.keys import Wish
from bridge.model.problem import Problem
from bridge.model.world import Container, Service
from bridge.routes import Policy, judge_all
from bridge.sync import lay_out
from tests.publishing import container, service, world

NEWEST = Target((3, 7))
ANY = Policy()
PORT = {"services.web.loadbalancer.server.port": "80"}
RULE = {"routers.web.rule": "Host(`a.test`)"}
WEB = RULE | PORT


@dataclass(frozen=True)
class Published:
    """The keys of a world, and what was wrong."""

    keys: Mapping[str, str]
    problems: tuple[Problem, ...]
    wishes: Mapping[str, Wish]

    def of(self, place: str) -> dict[str, str]:
        """The keys of one object below http, by path below it."""
        base = f"http/{place}/"
        return {path.removeprefix(base): value for path, value in self.keys.items() if path.startswith(base)}

    @property
    def places(self) -> set[str]:
        return {"/".join(path.split("/")[1:3]) for path in self.keys}

    @property
    def told(self) -> list[tuple[str, str]]:
        """Label and suggestion of each that is no notice."""
        return [
            (problem.label.removeprefix("traefik.http."), problem.suggestion)
            for problem in self.problems
            if not problem.notice
        ]


def asks(
    labels: Mapping[str, str], name: str = "web", boxes: int = 1, containers: tuple[Container, ...] = ()
) -> Service:
    """A service of the stack shop whose labels are these, below traefik.http."""
    said = {f"traefik.http.{label}": text for label, text in labels.items()}
    plain = service(name, boxes)
    its = containers or plain.containers
    return replace(plain, labels={"traefik.enable": "true", **said}, has_check=False, containers=its)


def publish(*services: Service, policy: Policy = ANY, target: Target = NEWEST) -> Published:
    wishes, problems = lay_out(judge_all(world(*services), policy), layout("traefik3", target), "default")
    keys = {path: value for wish in wishes.values() for path, value in (*wish.shared.items(), *wish.own.items())}
    found = lint({f"traefik/{path}": value for path, value in keys.items()}, "traefik/", target.version)
    assert [one for one in found if one.flaw.grade.value in ("dead", "frozen", "lost")] == []
    return Published(keys, problems, wishes)


def boxed(*addresses: str, ports: tuple[str, ...] = ()) -> tuple[Container, ...]:
    return tuple(replace(container(f"c-{address}", address), ports=ports) for address in addresses)


# Names, the default rule, links.


def test_what_no_label_names_is_called_after_service_and_stack() -> None:
    found = publish(
        asks({"middlewares.m.compress": "true"}, containers=boxed("10.0.0.1", ports=("0.0.0.0:90:8080/tcp",)))
    )
    assert found.of("routers/web_shop") == {"rule": "Host(`web-shop`)", "priority": "16", "service": "web_shop"}
    assert found.of("services/web_shop") == {
        "loadBalancer/passHostHeader": "true",
        "loadBalancer/servers/default--c-10.2e0.2e0.2e1/url": "http://10.0.0.1:8080",
    }
    assert found.of("middlewares/m") == {"compress": "true"}
    assert found.told == []


def test_the_operators_default_rule_serves_both_vocabularies() -> None:
    fallback = Fallback(template="Host:{service}.{stack}.test;PathPrefix:/a,/b")
    found = publish(asks(PORT), policy=Policy(fallback=fallback))
    rule = "Host(`web.shop.test`) && (PathPrefix(`/a`) || PathPrefix(`/b`))"
    assert found.of("routers/web_shop")["rule"] == rule
    assert found.told == []
    strips = Fallback(template="Host:{service}.test;PathPrefixStrip:/a")
    assert publish(asks(PORT), policy=Policy(fallback=strips)).places == {"services/web"}


@pytest.mark.parametrize(
    ("labels", "routers", "services"),
    [
        (WEB, {"web": "web"}, {"web"}),
        (RULE | {"services.other.loadbalancer.server.port": "81"}, {"web": "other"}, {"other"}),
        (WEB | {"services.other.loadbalancer.server.port": "81"}, {}, {"web", "other"}),
        (PORT | {"services.other.loadbalancer.server.port": "81"}, {}, {"web", "other"}),
        (WEB | {"routers.web.service": "api@internal"}, {"web": "api@internal"}, {"web"}),
        (WEB | {"routers.web.service": "x@file"}, {"web": "x@file"}, {"web"}),
        (RULE | {"routers.web.service": "api@internal"}, {"web": "api@internal"}, set()),
        (WEB | {"routers.web.service": "WEB@Rancher"}, {"web": "web"}, {"web"}),
        (WEB | {"routers.web.service": "nobodys"}, {}, {"web"}),
        (PORT, {"web_shop": "web"}, {"web"}),
        (RULE, {}, set()),
    ],
)
def test_which_service_a_router_gets(labels: dict[str, str], routers: dict[str, str], services: set[str]) -> None:
    found = publish(asks(labels))
    assert {place.partition("/")[2] for place in found.places if place.startswith("services")} == services
    named = (place.partition("/")[2] for place in found.places if place.startswith("routers"))
    assert {name: found.of(f"routers/{name}")["service"] for name in named} == routers


@pytest.mark.parametrize(
    ("name", "stands"),
    [("a-b_c", True), ("A", True), ("a--b", True), ("7", False), ("a@b", False), ("a__b", False), ("zz-bridge", False)],
)
def test_names_stand_as_written_in_small_letters_or_are_refused(name: str, stands: bool) -> None:
    labels = {f"routers.{name}.rule": "Host(`a.test`)", **PORT}
    found = publish(asks(labels))
    assert (f"routers/{name.lower()}" in found.places) is stands
    assert ([label for label, _ in found.told] == [f"routers.{name}.rule"]) is not stands


# Addresses and ports.


@pytest.mark.parametrize(
    ("ports", "url"),
    [
        (("0.0.0.0:9080:80/tcp",), "http://10.0.0.1:80"),
        (("192.0.2.1:8081:81/tcp",), "http://10.0.0.1:81"),
        (("0.0.0.0:53:53/udp",), ""),
        ((), ""),
        (("0.0.0.0:1:81/tcp", "0.0.0.0:2:82/tcp"), "http://10.0.0.1:81"),
    ],
)
def test_a_port_that_no_label_says_is_the_one_that_is_published(ports: tuple[str, ...], url: str) -> None:
    labels = RULE | {
        "middlewares.m.compress": "true",
        "routers.api.service": "api@internal",
        "routers.api.rule": "Host(`b`)",
    }
    found = publish(asks(labels, containers=boxed("10.0.0.1", ports=ports)))
    assert [value for path, value in found.keys.items() if path.endswith("/url")] == ([url] if url else [])
    assert ("routers/web" in found.places) is bool(url)
    assert {"middlewares/m", "routers/api"} <= found.places


@pytest.mark.parametrize(
    ("listed", "port", "several"),
    [
        (("9080:80/tcp",), 80, False),
        (("8080/tcp",), 8080, False),
        (("8080",), 8080, False),
        (("0.0.0.0:8081:80/tcp",), 80, False),
        (("[fd00::1]:8081:80",), 80, False),
        (("9443:443/tcp", "9080:80/tcp", "9444:443"), 443, True),
        (("53:53/udp", "9080:80/tcp"), 80, False),
        (("99999", "0:0", "a:b", "82"), 82, False),
        (("53:53/udp",), 81, True),
    ],
)
def test_of_several_published_ports_the_first_of_rancher_is_taken_and_told(
    listed: tuple[str, ...], port: int, several: bool
) -> None:
    """The containers' own list has no order, and counts where the service's says nothing."""
    boxes = boxed("10.0.0.1", ports=("0.0.0.0:1:81/tcp", "0.0.0.0:2:82/tcp"))
    found = publish(replace(asks(RULE, containers=boxes), ports=listed))
    assert [value for path, value in found.keys.items() if path.endswith("/url")] == [f"http://10.0.0.1:{port}"]
    told = [(one.label, one.did) for one in found.problems if one.notice]
    label = "traefik.http.services.web_shop.loadbalancer.server.port"
    assert told == ([(label, f"took the first, {port}")] if several else [])
    assert found.told == []


def test_servers_are_each_once_and_never_without_an_address() -> None:
    boxes = (*boxed("10.0.0.1", "fd00::1", ""), replace(container("c-2", "10.0.0.1")))
    found = publish(asks(WEB, containers=boxes))
    urls = sorted(value for path, value in found.keys.items() if path.endswith("/url"))
    assert urls == ["http://10.0.0.1:80", "http://[fd00::1]:80"]


def test_a_server_that_no_key_can_be_named_after_is_left_out_alone() -> None:
    """Capitals take three characters in this layout."""
    long = replace(container("A" * 90, "10.0.0.1"))
    found = publish(asks(WEB, containers=(long, container("c-2", "10.0.0.2"))))
    assert [value for path, value in found.keys.items() if path.endswith("/url")] == ["http://10.0.0.2:80"]
    assert any("no key can be named" in problem.reason for problem in found.problems)


def test_a_name_that_holds_its_value_is_told_without_it() -> None:
    found = publish(asks(WEB | {"middlewares.m.basicauth.users=joe:secret": ""}))
    assert "middlewares/m" not in found.places
    assert "routers/web" in found.places
    assert not any("secret" in str(problem) for problem in found.problems)


def test_a_service_without_servers_answers_503_and_stays() -> None:
    found = publish(asks(WEB, boxes=0))
    assert found.of("services/web") == {"loadBalancer/passHostHeader": "true"}
    assert found.of("routers/web")["service"] == "web"


def test_scheme_weight_and_path_go_to_each_server() -> None:
    server = "services.web.loadbalancer.server."
    said = {
        f"{server}scheme": "h2c",
        f"{server}weight": "3",
        f"{server}preservepath": "TRUE",
        f"{server}url": "http://x",
    }
    found = publish(asks(WEB | said))
    assert sorted(found.of("services/web").items())[1:] == [
        ("loadBalancer/servers/default--web-1/preservePath", "true"),
        ("loadBalancer/servers/default--web-1/url", "h2c://10.42.62.1:80"),
        ("loadBalancer/servers/default--web-1/weight", "3"),
    ]
    older = publish(asks(WEB | said), target=Target((3, 1)))
    assert not any(path.endswith("preservePath") for path in older.keys)
    assert [label for label, _ in older.told] == [f"{server}url", f"{server}preservepath"]


# Values.


@pytest.mark.parametrize(
    ("label", "text", "keys"),
    [
        ("m.RateLimit.Average", "20", {"rateLimit/average": "20"}),
        ("m.inflightreq.amount", "+07", {"inFlightReq/amount": "7"}),
        ("m.stripprefix.prefixes", "/a, /b,", {"stripPrefix/prefixes": "/a,/b"}),
        ("m.stripprefix.prefixes[0]", "/a", {"stripPrefix/prefixes": "/a"}),
        ("m.headers.customrequestheaders.X-Foo", "", {"headers/customRequestHeaders/X-Foo": ""}),
        ("m.headers.framedeny", "T", {"headers/frameDeny": "true"}),
        ("m.compress", "", {"compress": "true"}),
        ("m.ipwhitelist.sourcerange", "10.0.0.0/8, ::1", {"ipAllowList/sourceRange": "10.0.0.0/8,::1"}),
        ("m.contenttype.autodetect", "true", {"contentType": "true"}),
        ("m.plugin.Geo.Foo.Bar", "1", {"plugin/Geo/Foo/Bar": "1"}),
        ("m.plugin.geo.list[0]", "a", {"plugin/geo/list": "a"}),
        ("m.chain.middlewares", "x@rancher,y@file", None),
        ("m.errors.statusrewrites.418", "404", None),
        ("m.ratelimit.average", "many", None),
        ("m.ratelimit.period", "10 s", None),
        ("m.headers.framedeny", "yes", None),
        ("m.compress", "yes", None),
        ("m.compress", "false", None),
        ("m.ratelimit.avrage", "1", None),
        ("m.headers.sslredirect", "true", None),
        ("m.headers.customrequestheaders.7", "x", None),
        ("m.basicauth.users", "", None),
        ("m.basicauth.users", "joe", None),
        ("m.plugin.geo", "x", None),
        ("m.headers", "true", None),
        ("m.nothing.at", "x", None),
        ("m.ratelimit.", "1", None),
        ("m.replacepathregex.regex", "(", None),
    ],
)
def test_a_value_is_typed_and_what_is_none_costs_the_middleware_and_its_routers(
    label: str, text: str, keys: dict[str, str] | None
) -> None:
    said = WEB | {f"middlewares.{label}": text, "routers.web.middlewares": "m@rancher", "routers.b.rule": "Host(`b`)"}
    found = publish(asks(said))
    assert found.of("middlewares/m") == (keys or {})
    assert ("routers/web" in found.places) is (keys is not None)
    assert "routers/b" in found.places
    assert (found.told == []) is (keys is not None)


@pytest.mark.parametrize(("text", "written"), [("60m", "3600s"), ("10", "10s"), ("1.5s", "1500ms"), ("1ns", "1ns")])
def test_a_time_is_written_with_one_unit(text: str, written: str) -> None:
    found = publish(asks({"middlewares.m.ratelimit.average": "1", "middlewares.m.ratelimit.period": text}))
    assert found.of("middlewares/m") == {"rateLimit/average": "1", "rateLimit/period": written}


def test_slips_get_a_suggestion() -> None:
    slips = {
        "middlewares.m.ratelimit.avrage": "did you mean average?",
        "router.x.rule": "did you mean traefik.http.routers.x.rule?",
        "routers.y.rul": "did you mean rule?",
        "routers.z.rule": "write Host(`a.example`)",
    }
    found = publish(asks(dict.fromkeys(slips, "Host(a.example)") | PORT))
    assert dict(found.told) == slips
    assert found.places == {"services/web"}


def test_a_pattern_that_is_none_is_taken_as_the_host_that_it_is_with_a_notice() -> None:
    found = publish(asks(PORT | {"routers.web.rule": "HostRegexp(`A.test`)"}))
    assert found.of("routers/web")["rule"] == "Host(`a.test`)"
    assert [problem.did for problem in found.problems if problem.notice] == ["wrote Host(`a.test`)"]


def test_a_slip_in_a_kinds_name_costs_the_router_that_it_may_have_guarded() -> None:
    found = publish(asks(WEB | {"router.web.middlewares": "auth"}))
    assert "routers/web" not in found.places
    assert publish(asks(WEB | {"nonsense.web.basicauth.users": "joe:x"})).places == set()
    alone = publish(asks({"router.web.rule": "Host(`a.test`)"}))
    assert ("router.web.rule", "did you mean traefik.http.routers.web.rule?") in alone.told


def test_false_switches_off_all_below_and_true_stands_beside_it() -> None:
    off = publish(asks(WEB | {"routers.web.tls": "false", "routers.web.tls.certresolver": "le"}))
    assert set(off.of("routers/web")) == {"rule", "priority", "service"}
    on = publish(asks(WEB | {"routers.web.tls": "true", "routers.web.tls.domains[0].main": "a.test"}))
    assert on.of("routers/web").items() >= {("tls/domains/0/main", "a.test")}
    assert "tls" not in on.of("routers/web")


def test_what_only_a_newer_traefik_knows_costs_a_middleware_and_not_a_service() -> None:
    said = {"middlewares.m.ipallowlist.ipstrategy.ipv6subnet": "64", "middlewares.m.ipallowlist.sourcerange": "::1"}
    said |= WEB | {"routers.web.middlewares": "m", "services.web.loadbalancer.strategy": "p2c"}
    assert publish(asks(said)).told == []
    old = publish(asks(said), target=Target((3, 0)))
    assert old.places == {"services/web"}
    assert old.of("services/web").keys() == {"loadBalancer/passHostHeader", "loadBalancer/servers/default--web-1/url"}


@pytest.mark.parametrize(
    ("said", "priority"), [({}, "24"), ({"routers.web.priority": "0"}, "24"), ({"routers.web.priority": "-3"}, "-3")]
)
def test_the_priority_is_the_length_of_the_old_rule(said: dict[str, str], priority: str) -> None:
    found = publish(asks(PORT | {"routers.web.rule": "Host(`a.test`, `b.test`)"} | said))
    assert found.of("routers/web")["rule"] == "Host(`a.test`) || Host(`b.test`)"
    assert found.of("routers/web")["priority"] == priority


def test_entry_points_are_the_labels_or_the_operators() -> None:
    target = Target((3, 7), entry_points=("web", "websecure"))
    assert publish(asks(WEB), target=target).of("routers/web")["entryPoints"] == "web,websecure"
    own = publish(asks(WEB | {"routers.web.entrypoints": "a, b"}), target=target)
    assert own.of("routers/web")["entryPoints"] == "a,b"


def test_only_allowed_hosts_are_published() -> None:
    policy = Policy(domains=("*.test",))
    both = WEB | {"routers.b.rule": "Host(`b.other`) || Host(`b.test`)", "routers.c.rule": "PathPrefix(`/`)"}
    found = publish(asks(both), policy=policy)
    assert {place for place in found.places if place.startswith("routers")} == {"routers/web"}


# Several services.


def test_equal_words_are_one_object_with_the_servers_of_all() -> None:
    found = publish(asks(WEB, "a"), asks(WEB | {"services.web.loadbalancer.server.port": "81"}, "b"))
    assert found.told == []
    urls = sorted(value for path, value in found.keys.items() if path.endswith("/url"))
    assert urls == ["http://10.42.97.1:80", "http://10.42.98.1:81"]
    assert found.wishes["http.routers.web"].holders == ("shop/a", "shop/b")


def test_of_unequal_words_the_first_counts_and_both_are_told() -> None:
    """The other's servers get no request by the first's words, nor does its router pass a guard by them."""
    guard = {"middlewares.m.basicauth.users": "joe:x", "routers.b.middlewares": "m", "routers.b.rule": "Host(`b.test`)"}
    mine = WEB | {"middlewares.m.compress": "true"}
    found = publish(asks(mine, "a"), asks(guard | PORT, "b"))
    assert found.of("middlewares/m") == {"compress": "true"}
    assert "routers/b" not in found.places
    assert {problem.service for problem in found.problems} == {"shop/a", "shop/b"}


def test_a_middleware_of_another_service_counts() -> None:
    found = publish(
        asks(WEB | {"routers.web.middlewares": "m@rancher"}, "a"), asks({"middlewares.m.compress": "true"}, "b")
    )
    assert found.of("routers/web")["middlewares"] == "m"
    assert {"middlewares/m", "services/web", "routers/web"} == found.places


def test_circles_and_routers_of_one_rule_are_lost_alone() -> None:
    said = WEB | {"middlewares.m.chain.middlewares": "n", "middlewares.n.chain.middlewares": "m"}
    said |= {"routers.round.rule": "Host(`r.test`)", "routers.round.middlewares": "m"}
    assert publish(asks(said)).places == {"routers/web", "services/web"}
    twice = PORT | {"routers.z.rule": "Host(`a.test`)", "routers.z.service": "web"}
    other = {"routers.b.rule": "Host(`a.test`)", "services.other.loadbalancer.server.port": "80"}
    found = publish(asks(twice, "a"), asks(other, "b"))
    assert "routers/z" in found.places
    assert "routers/b" not in found.places


def test_labels_of_an_older_traefik_beside_them_count_for_that_one_alone() -> None:
    both = asks(WEB)
    both = replace(both, labels={**both.labels, "traefik.frontend.rule": "Host:old.test", "traefik.port": "80"})
    found = publish(both)
    assert {path.split("/")[2] for path in found.keys} == {"web"}
    assert any(problem.notice and "speaks to this Traefik itself" in problem.reason for problem in found.problems)
    verdicts = judge_all(world(both), Policy())
    wishes, problems = lay_out(verdicts, layout("traefik1"), "default")
    assert (set(wishes), [one for one in problems if not one.notice]) == ({"web__shop"}, [])


def test_where_clusters_share_nothing_nothing_is_published_under_a_global_name() -> None:
    found = publish(asks(WEB), policy=Policy(separate=True))
    assert (found.places, len(found.told)) == (set(), 1)
    assert "--fan-in merge" in found.problems[0].suggestion


# Containment.

PARTS = st.sampled_from(("routers", "services", "middlewares", "router", "web", "m", "rule", "service", "tls", ""))
PARTS |= st.sampled_from(("loadbalancer", "server", "port", "plugin", "geo", "chain", "basicauth", "users", "headers"))
PARTS |= st.sampled_from(("sticky", "cookie", "x[0]", "7", "@"))
TEXTS = st.text(max_size=6) | st.sampled_from(("", "true", "false", "80", "m", "web", "web@rancher", "x@file", "\n"))
TEXTS |= st.sampled_from(("Host(`a.test`)", "Host(`mine.test`)", "Host(a.test)", "a:b", "10 s", "é"))
NAMES = st.lists(PARTS, min_size=1, max_size=6).map(".".join)


@given(st.dictionaries(NAMES, TEXTS, max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_labels_of_one_service_freeze_the_tree_or_change_another(labels: dict[str, str]) -> None:
    mine = {"routers.mine.rule": "Host(`mine.test`)", "services.mine.loadbalancer.server.port": "80"}
    mine |= {"routers.mine.middlewares": "own", "middlewares.own.basicauth.users": "joe:x"}
    quiet = publish(asks(mine, "a"))
    found = publish(asks(mine, "a"), asks(labels, "b"))
    assert found.keys.items() >= quiet.keys.items()
    frozen = lint({f"traefik/{path}": value for path, value in found.keys.items()}, "traefik/", (3, 7))
    assert {one.flaw.grade.value for one in frozen} <= {"notice", "wrong"}
