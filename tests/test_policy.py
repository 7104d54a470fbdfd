"""What the operator decides for all services: each option lets through what it says, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.wiring import policy
from bridge.config import load
from bridge.labels.fallback import Fallback
from bridge.labels.rules import parse_rule, write_rule
from bridge.labels.types import Publish
from bridge.model.problem import Problem, UsageError
from bridge.model.route import Route, Verdict
from bridge.model.world import Container, Service, Snapshot
from bridge.routes import Health, Judge, Policy, judge, judge_all
from bridge.routes.aliases import DEPTH
from bridge.routes.constraints import constraint
from bridge.routes.policy import KINDS, NoneHealthy, domain, refused_host
from tests.commands import Bridge, silent
from tests.test_routes import closed, container, faults, route, rules, service, urls

bridge = pytest.fixture(silent)

ALIASES = Policy(health=Health.OPTIONAL, kinds=frozenset(KINDS))


def judged(services: Iterable[Service], policy: Policy) -> dict[str, Verdict]:
    world = Snapshot(tuple(services), "e-1")
    return {verdict.service: verdict for verdict in judge_all(world, policy)}


def configured(*flags: tuple[str, str], variables: dict[str, str] | None = None) -> Policy:
    return policy(load("plan", {"source": "file:x", "store": "etcd://h/x", **dict(flags)}, variables or {}))


def bare(labels: dict[str, str], **fields: object) -> Service:
    """A service with just these labels."""
    return replace(service(**fields), labels=labels)  # type: ignore[arg-type]  # a test names fields of several types


class TestConstraint:
    """Traefik 1.7's expressions, against traefik.tags."""

    @pytest.mark.parametrize(
        ("text", "tags", "passes"),
        [
            ("tag==api", "api", True),
            ("tag==api", "web, api", True),
            ("tag==api", "apis", False),
            ("tag==api", "API", False),
            ("tag==api", "", False),
            ("tag==us-*", "us-east-1", True),
            ("tag==*", "", False),
            ("tag!=us-*", "us-east-1", False),
            ("tag!=us-*", "eu,us-east-1", False),
            ("tag!=us-*", "eu", True),
            ("tag!=us-*", "", True),
            ("tag==a.c", "abc", False),
        ],
    )
    def test_a_service_that_does_not_fit_has_no_route_and_no_problem(self, text: str, tags: str, passes: bool) -> None:
        verdict = judge(service({"traefik.tags": tags}), Policy(constraints=(constraint(text),)))
        if passes:
            assert verdict.route
        else:
            assert closed(verdict) == "constraint"
            assert text in verdict.gates[-1].why
            assert faults(verdict) == []

    def test_all_must_fit(self) -> None:
        both = Policy(constraints=(constraint("tag==api"), constraint("tag!=old")))
        assert judge(service({"traefik.tags": "api"}), both).route
        assert closed(judge(service({"traefik.tags": "api,old"}), both)) == "constraint"

    def test_who_does_not_fit_keeps_no_name_from_others(self) -> None:
        first = service({"traefik.tags": "old"}, stack_uuid="st-0", uuid="s-0")
        found = judge_all(Snapshot((first, service()), "e-1"), Policy(constraints=(constraint("tag!=old"),)))
        assert [bool(verdict.route) for verdict in found] == [False, True]

    @pytest.mark.parametrize("text", ["api", "tag=api", "tags==api", "tag==", "Tag==api", "tag ==api"])
    def test_another_form_is_refused_at_the_start(self, text: str) -> None:
        with pytest.raises(UsageError, match="tag==PATTERN"):
            configured(("constraint", text))


class TestDomains:
    """A route goes only to hosts that the operator gave to this cluster."""

    @pytest.mark.parametrize(
        ("rule", "refused"),
        [
            ("Host:a.example.com", None),
            ("Host:b.example.com", "b.example.com"),
            ("Host:x.in.example.com,y.z.in.example.com", None),
            ("Host:in.example.com", "in.example.com"),
            ("Host:xin.example.com", "xin.example.com"),
            ("Host:a.example.com,evil.org", "evil.org"),
            ("HostRegexp:x.in.example.com", None),
            ("HostRegexp:{a:x}.in.example.com", "{a:x}.in.example.com"),
            ("PathPrefix:/", ""),
            ("Host:a.example.com;Host:evil.org", "evil.org"),
        ],
    )
    def test_each_host_must_be_allowed(self, rule: str, refused: str | None) -> None:
        assert refused_host(parse_rule(rule), (domain("A.example.com"), domain("*.in.example.com"))) == refused
        assert refused_host(parse_rule(rule), ("*",)) is None
        assert refused_host(parse_rule(rule), ()) is None

    def test_a_route_elsewhere_is_refused_and_named(self) -> None:
        verdict = judge(service({"traefik.domain": "evil.org"}), Policy(domains=("*.example.com",)))
        assert closed(verdict) == "domain"
        (problem,) = faults(verdict)
        assert (problem.value, problem.did) == ("web.shop.evil.org", "no route")

    def test_one_of_several_frontends_costs_the_route(self) -> None:
        labels = {
            "traefik.a.port": "1",
            "traefik.a.frontend.rule": "Host:a.example.com",
            "traefik.b.port": "2",
            "traefik.b.frontend.rule": "PathPrefix:/b",
        }
        verdict = judge(service(labels), Policy(domains=("*.example.com",)))
        assert closed(verdict) == "domain"
        assert "any host" in faults(verdict)[0].reason

    @pytest.mark.parametrize("text", ["*.*.org", "*x.org", "a b", ".org", "*.", "a.*"])
    def test_another_form_is_refused_at_the_start(self, text: str) -> None:
        with pytest.raises(UsageError, match=r"use a\.example\.com"):
            configured(("allow-domain", text))

    @given(st.lists(st.sampled_from(["a", "b", "in", "example", "com"]), min_size=1, max_size=5).map(".".join))
    def test_what_is_below_a_domain_and_nothing_else_is_in_it(self, host: str) -> None:
        refused = refused_host(parse_rule(f"Host:{host}"), ("*.example.com",))
        labels = host.split(".")
        assert (refused is None) == (labels[-2:] == ["example", "com"] and len(labels) > 2)


class TestExposeByDefault:
    EXPOSED = Policy(expose=True, health=Health.OPTIONAL)

    def test_a_service_that_names_its_port_is_published(self) -> None:
        one = bare({"traefik.port": "8080"})
        assert closed(judge(one, Policy())) == "enabled"
        found = judge(one, self.EXPOSED)
        assert found.route
        assert next(each.origin for each in found.settings if each.name == "enable") == "--expose-by-default"

    def test_the_port_of_a_segment_is_one(self) -> None:
        assert judge(bare({"traefik.x.port": "80", "traefik.x.frontend.rule": "Host:a"}), self.EXPOSED).route

    @pytest.mark.parametrize("labels", [{"traefik.weight": "1"}, {"traefik.port": ""}, {}])
    def test_a_service_that_names_none_is_not_and_nobody_complains(self, labels: dict[str, str]) -> None:
        """As with Traefik's own provider. So no database is published, and not this bridge."""
        verdict = judge(bare(labels), self.EXPOSED)
        assert closed(verdict) == "enabled"
        assert verdict.problems == ()

    def test_a_service_that_says_no_is_not(self) -> None:
        assert closed(judge(service({"traefik.enable": "false"}), self.EXPOSED)) == "enabled"

    @pytest.mark.parametrize(
        ("fields", "gate"),
        [({"system": True}, "system"), ({"name": "web-data"}, "kind"), ({"kind": "kubernetesService"}, "kind")],
    )
    def test_what_cannot_be_published_is_left_out_without_a_word(self, fields: dict[str, object], gate: str) -> None:
        verdict = judge(bare({"traefik.port": "80"}, **fields), self.EXPOSED)
        assert closed(verdict) == gate
        assert verdict.problems == ()


@pytest.mark.parametrize("expose", [True, False])
def test_a_stack_of_ranchers_own_is_never_published(expose: bool) -> None:
    verdict = judge(service(system=True), Policy(expose=expose))
    assert closed(verdict) == "system"
    assert len(faults(verdict)) == 1


class TestFallback:
    """What stands in the place of labels that are not there."""

    def test_a_domain_is_for_services_without_one(self) -> None:
        fallback = Policy(fallback=Fallback("example.com"))
        assert rules(route(service(), fallback)) == ["Host:web.shop.example.com"]
        assert rules(route(service({"traefik.domain": "a.org"}), fallback)) == ["Host:web.shop.a.org"]
        assert rules(route(service({"traefik.alias": "www"}), fallback)) == [
            "Host:web.shop.example.com,www.example.com"
        ]
        assert rules(route(service({"traefik.enable": "stack"}), fallback)) == ["Host:shop.example.com"]
        origins = {each.name: each.origin for each in judge(service(), fallback).settings}
        assert origins["hosts"] == "--domain"

    def test_a_bad_domain_is_not_replaced(self) -> None:
        """Whoever wrote it wanted another."""
        assert closed(judge(service({"traefik.domain": "a b"}), Policy(fallback=Fallback("example.com")))) == "rule"

    def test_a_template_is_for_services_that_ask_for_no_host_and_no_path(self) -> None:
        template = Policy(fallback=Fallback("a.org", "Host:{stack}-{service}.a.org;PathPrefix:/x"))
        assert rules(route(service(), template)) == ["Host:shop-web.a.org;PathPrefix:/x"]
        origins = {each.name: each.origin for each in judge(service(), template).settings}
        assert origins["rule"] == "--default-rule"
        for label, text in {"domain": "b.org", "alias.fqdn": "b.org", "path": "/y", "frontend.rule": "Host:b"}.items():
            assert rules(route(service({f"traefik.{label}": text}), template)) != rules(route(service(), template))
        assert rules(route(service({"traefik.enable": Publish.STACK.value}), template)) == ["Host:shop.a.org"]

    def test_braces_that_are_no_words_are_the_rules_own(self) -> None:
        template = Policy(fallback=Fallback("", "HostRegexp:{x:[a-z]{2,3}}.{service}.org"))
        with pytest.raises(UsageError):  # a comma ends a value, whatever braces are around it
            configured(("default-rule", template.fallback.template))
        assert rules(route(service(), configured(("default-rule", "HostRegexp:{x:[a-z]{2}}.{service}.org")))) == [
            "HostRegexp:{x:[a-z]{2}}.web.org"
        ]

    @pytest.mark.parametrize("name", ["a,evil.org", "a;PathPrefix:/", "a b", "{x:.*}", ".a", "a..b", "ä"])
    def test_no_name_becomes_more_of_the_rule_than_a_name(self, name: str) -> None:
        verdict = judge(service(name=name, primary=name), Policy(fallback=Fallback("", "Host:{service}.org")))
        assert closed(verdict) == "rule"

    @given(name=st.text(min_size=1, max_size=12))
    def test_a_template_gives_one_host_or_no_route(self, name: str) -> None:
        verdict = judge(service(name=name, primary=name), Policy(fallback=Fallback("", "Host:{service}.org")))
        if verdict.route:
            (rule,) = rules(verdict.route)
            assert rule == write_rule(parse_rule(rule)) == f"Host:{name.lower()}.org"

    @pytest.mark.parametrize("text", ["x", "Host:", "Host:{service}.{nothing}", "Host(`a`)", "AddPrefix:/x"])
    def test_what_is_no_rule_is_refused_at_the_start(self, text: str) -> None:
        with pytest.raises(UsageError, match="use a rule such as"):
            configured(("default-rule", text))

    def test_a_template_that_needs_a_domain_is_refused_without_one(self) -> None:
        rule = ("default-rule", "Host:{service}.{cluster}.{domain}")
        with pytest.raises(UsageError, match="give --domain too"):
            configured(rule)
        found = configured(rule, ("domain", "A.org"), ("cluster", "berlin"))
        assert rules(route(service(), found)) == ["Host:web.berlin.a.org"]

    @pytest.mark.parametrize("text", ["a b", "*.org", "a..b"])
    def test_a_bad_domain_is_refused_at_the_start(self, text: str) -> None:
        with pytest.raises(UsageError):
            configured(("domain", text))


class TestKinds:
    def test_only_the_kinds_that_are_named_are_published(self) -> None:
        only = Policy(kinds=frozenset(("service",)))
        assert judge(service(), only).route
        verdict = judge(service(kind="externalService", external_ips=("10.0.0.1",)), only)
        assert closed(verdict) == "kind"
        assert "--kind" in faults(verdict)[0].reason

    def test_without_a_word_all_but_aliases_are(self) -> None:
        assert configured().kinds == Policy().kinds == frozenset(KINDS) - {"dnsService"}

    @pytest.mark.parametrize("text", ["", " , ", "services", "service,kubernetesService"])
    def test_another_kind_is_refused_at_the_start(self, text: str) -> None:
        with pytest.raises(UsageError, match="service, loadBalancerService"):
            configured(("kind", text))


USERS = "traefik.frontend.auth.basic.users"
USER = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
RANGES, OLD_RANGES = "traefik.frontend.whiteList.sourceRange", "traefik.frontend.whitelistSourceRange"


def alias(*links: str, name: str = "alias", labels: dict[str, str] | None = None) -> Service:
    """A DNS alias that asks for a route."""
    found = service(name=name, primary=name, uuid=f"s-{name}", kind="dnsService", links=links, has_check=False)
    return replace(found, containers=(), labels=found.labels if labels is None else labels)


def target(name: str, *containers: Container, **fields: object) -> Service:
    """A service that asks for nothing."""
    return bare({}, name=name, primary=name, uuid=f"s-{name}", **{"containers": containers, **fields})


class TestAliases:
    """An alias is published by the containers of the services at the end of its links."""

    def servers(self, *services: Service, policy: Policy = ALIASES) -> tuple[list[str], list[Problem]]:
        verdict = judged(services, policy)["shop/alias"]
        assert verdict.route
        return urls(verdict.route), faults(verdict)

    def test_its_servers_are_the_containers_of_what_it_stands_for(self) -> None:
        one, other = target("one", container(1)), target("other", container(2), container(3, health_state="unhealthy"))
        assert self.servers(alias("shop/one", "shop/other"), one, other) == (
            ["http://10.42.0.1:8080", "http://10.42.0.2:8080"],
            [],
        )

    def test_links_lead_over_other_aliases_and_each_service_counts_once(self) -> None:
        inner = alias("shop/one", "shop/alias", name="inner", labels={})
        assert self.servers(alias("shop/inner", "shop/one"), inner, target("one", container(1))) == (
            ["http://10.42.0.1:8080"],
            [],
        )

    def test_a_circle_ends_and_is_told(self) -> None:
        found, problems = self.servers(alias("shop/b"), alias("shop/c", name="b"), alias("shop/b", name="c"))
        assert found == []
        assert ["lead to no service" in one.reason for one in problems] == [True]

    def test_so_does_a_chain_that_is_too_long(self) -> None:
        chain = [alias(f"shop/a{at + 1}", name=f"a{at}") for at in range(DEPTH + 2)]
        end = target(f"a{DEPTH + 2}", container(1))
        found, problems = self.servers(alias("shop/a0"), *chain, end)
        assert found == []
        assert any("stand behind one another" in one.reason for one in problems)
        short = [alias("shop/a3"), *chain[3:], end]
        assert self.servers(*short)[0] == ["http://10.42.0.1:8080"]

    def test_an_external_service_may_stand_behind_it(self) -> None:
        far = target("far", kind="externalService", external_ips=("203.0.113.1",), has_check=False)
        assert self.servers(alias("shop/far"), far) == (["http://203.0.113.1:8080"], [])
        verdict = judged([alias("shop/far"), far], ALIASES)["shop/alias"]
        assert verdict.route is not None
        assert verdict.route.unchecked

    def test_a_link_that_leads_nowhere_is_told_and_the_others_count(self) -> None:
        gone, system = "other/gone", target("core", container(2), system=True)
        found, problems = self.servers(alias("shop/one", gone, "shop/core"), target("one", container(1)), system)
        assert found == ["http://10.42.0.1:8080"]
        assert sorted(one.value for one in problems) == [gone, "shop/core"]

    @pytest.mark.parametrize(
        ("theirs", "own", "missing"),
        [
            ({USERS: "u"}, {}, [USERS]),
            ({"traefik.admin.frontend.auth.forward.address": "u"}, {}, ["traefik.admin.frontend.auth.forward.address"]),
            ({USERS: "u", RANGES: "::1"}, {USERS: USER}, [RANGES]),
            ({OLD_RANGES: "::1"}, {RANGES: "::1"}, []),
            ({"traefik.frontend.headers.SSLRedirect": "false"}, {}, []),
            ({"traefik.frontend.rule": "Host:a", "traefik.port": "1"}, {}, []),
        ],
    )
    def test_what_protects_the_service_that_it_stands_for_does_not_come_along_and_that_is_told(
        self, theirs: dict[str, str], own: dict[str, str], missing: list[str]
    ) -> None:
        one = replace(target("one", container(1)), labels=theirs)
        told = alias("shop/one")
        verdict = judged([replace(told, labels={**told.labels, **own}), one], ALIASES)["shop/alias"]
        assert verdict.route
        notices = [problem for problem in verdict.problems if problem.notice and problem.value == "shop/one"]
        assert [problem.suggestion.rpartition(" ")[2] for problem in notices] == missing
        assert all(name in problem.reason for name, problem in zip(missing, notices, strict=True))

    def test_ports_are_the_aliass_own(self) -> None:
        """What a container's labels say they say of its own service's route."""
        one = target("one", container(1, labels={"traefik.port": "1", "traefik.enable": "false"}))
        assert self.servers(alias("shop/one"), one) == (["http://10.42.0.1:8080"], [])

    def test_one_that_does_not_ask_is_not_published(self) -> None:
        assert judged([alias("shop/one", labels={}), target("one", container(1))], ALIASES) == {}

    def test_one_without_a_check_behind_it_needs_one_where_checks_are_required(self) -> None:
        unchecked = target("one", container(1, health_state=""), has_check=False)
        found, problems = self.servers(alias("shop/one"), unchecked, policy=replace(ALIASES, health=Health.AUTO))
        assert found == []
        assert len(problems) == 1

    def test_it_is_judged_again_when_what_it_stands_for_changes(self) -> None:
        judge, one = Judge(), target("one", container(1))
        before = judge(Snapshot((alias("shop/one"), one), "e-1"), ALIASES)
        same = judge(Snapshot((alias("shop/one"), target("one", container(1))), "e-1"), ALIASES)
        after = judge(Snapshot((alias("shop/one"), target("one", container(2))), "e-1"), ALIASES)
        assert same.verdicts[0] is before.verdicts[0]
        assert urls(after.verdicts[0].route) == ["http://10.42.0.2:8080"]


class TestNoneHealthy:
    """`keep`: when all fall out at once it is rather the check that is wrong."""

    KEEP = Policy(none_healthy=NoneHealthy.KEEP)

    def both(self, first: str, second: str, policy: Policy = KEEP, **fields: object) -> Route:
        return route(service({}, container(1, health_state=first), container(2, health_state=second, **fields)), policy)

    @pytest.mark.parametrize("health", ["unhealthy", "updating-unhealthy", "reinitializing"])
    def test_all_that_fell_out_stay(self, health: str) -> None:
        assert len(urls(self.both("unhealthy", health))) == 2
        assert urls(self.both("unhealthy", health, Policy())) == []

    def test_one_that_is_healthy_is_enough(self) -> None:
        assert urls(self.both("unhealthy", "healthy")) == ["http://10.42.0.2:8080"]

    @pytest.mark.parametrize("health", ["initializing", "", "odd"])
    def test_who_was_never_healthy_is_kept_out(self, health: str) -> None:
        assert urls(self.both("unhealthy", health)) == ["http://10.42.0.1:8080"]

    def test_who_does_not_run_is_kept_out(self) -> None:
        assert urls(self.both("unhealthy", "unhealthy", state="stopped")) == ["http://10.42.0.1:8080"]

    def test_it_is_told(self) -> None:
        verdict = judge(service({}, container(1, health_state="unhealthy")), self.KEEP)
        assert [(one.notice, one.reason) for one in verdict.problems] == [(True, "none of its containers is healthy")]


class TestSaid:
    """Each option as a flag, a variable and a key."""

    def test_several_stand_between_commas_or_in_a_list(self, tmp_path: Path) -> None:
        file = tmp_path / "bridge.toml"
        file.write_text('constraint = ["tag==api", "tag!=old"]\nallow-domain = "a.org, *.b.org"\n')
        found = configured(("config", str(file)), variables={"BRIDGE_KIND": "service,dnsService"})
        assert [str(one) for one in found.constraints] == ["tag==api", "tag!=old"]
        assert found.domains == ("a.org", "*.b.org")
        assert found.kinds == {"service", "dnsService"}

    def test_a_list_where_one_word_is_wanted_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "bridge.toml"
        file.write_text('domain = ["a.org"]\n')
        with pytest.raises(UsageError, match="use one text"):
            configured(("config", str(file)))

    def test_each_has_its_place_in_the_policy(self) -> None:
        found = configured(("when-none-healthy", "keep"), ("expose-by-default", "true"), ("domain", "a.org"))
        assert found == Policy(none_healthy=NoneHealthy.KEEP, expose=True, fallback=Fallback("a.org"))
        assert configured() == Policy()


def test_a_flag_may_be_repeated(bridge: Bridge) -> None:
    source = f"file:{Path(__file__).parent / 'samples' / 'mixed.stacks.json'}"

    def published(*arguments: str) -> set[str]:
        ran = bridge("render", "--source", source, "--output", "json", *arguments)
        assert ran.code == 0
        return {key.split("/")[3] for key in json.loads(ran.out) if key.startswith("/traefik/frontends/")}

    everything = published()
    kinds = published("--kind", "externalService", "--kind", "dnsService")
    assert {"zz-bridge"} < kinds < everything | {"alias__shop"}
    assert {name for name in kinds if name.startswith("ext-")} == {"ext-host__shop", "ext-ip__shop"}
    assert published("--constraint", "tag!=x", "--constraint", "tag==x") == {"zz-bridge"}
