"""The verdict on a service: its route, or the gate that closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.labels.rules import write_rule
from bridge.labels.table import TABLE
from bridge.labels.types import Address
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.problem import Problem
from bridge.model.route import Backend, Buffering, Route, Server, Setting, Verdict
from bridge.model.world import Container, Service, Snapshot
from bridge.routes import Health, Policy, judge, judge_all
from bridge.sources import open_source
from bridge.sync import lay_out

HERE = Path(__file__).parent
AUTO = Policy()
OPTIONAL = Policy(health=Health.OPTIONAL)


def container(number: int, **fields: object) -> Container:
    plain = Container(f"c-{number}", f"shop-web-{number}", "running", "healthy", f"10.42.0.{number}", {})
    return replace(plain, **fields)  # type: ignore[arg-type]  # a test names fields of several types


def service(labels: dict[str, str] | None = None, *containers: Container, **fields: object) -> Service:
    """A healthy service that asks for a route, but for what is said."""
    plain = Service(
        uuid="s-1",
        name="web",
        stack="shop",
        stack_uuid="st-1",
        environment_uuid="e-1",
        kind="service",
        state="active",
        primary="web",
        labels={"traefik.enable": "true", "traefik.port": "8080"} | (labels or {}),
        containers=containers or (container(1), container(2)),
        has_check=True,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]  # a test names fields of several types


def route(one: Service, policy: Policy = AUTO) -> Route:
    found = judge(one, policy).route
    assert found is not None
    return found


def rules(route: Route | None) -> list[str]:
    return [write_rule(frontend.rule) for frontend in route.frontends] if route else []


def urls(route: Route | None) -> list[str]:
    return sorted(map(url, route.backends[0].servers)) if route else []


def url(server: Server) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{server.scheme}://{host}:{server.port}"


def closed(verdict: Verdict) -> str:
    """The name of the gate that closed."""
    assert verdict.route is None
    assert all(gate.passed for gate in verdict.gates[:-1])
    return "" if verdict.gates[-1].passed else verdict.gates[-1].name


def faults(verdict: Verdict) -> list[Problem]:
    return [problem for problem in verdict.problems if not problem.notice]


class TestGates:
    @pytest.mark.parametrize("word", ["false", "0", "F"])
    def test_a_service_that_says_no_has_no_route_and_no_problem(self, word: str) -> None:
        verdict = judge(service({"traefik.enable": word, "traefik.port": "x"}), AUTO)
        assert closed(verdict) == "enabled"
        assert verdict.problems == ()

    @pytest.mark.parametrize(
        ("name", "policy", "notices"),
        [
            ("traefik.port", AUTO, 1),
            ("traefik.admin.frontend.rule", AUTO, 1),
            ("traefik.odd", AUTO, 0),
            ("traefik.http.routers.web.rule", AUTO, 1),
            ("traefik.weight", Policy(expose=True), 0),  # what nobody thought of is left out without a word
        ],
    )
    def test_a_service_that_says_how_and_not_whether_is_told_and_has_no_route(
        self, name: str, policy: Policy, notices: int
    ) -> None:
        """With Traefik's own provider it would have one."""
        verdict = judge(replace(service(), labels={name: "x"}), policy)
        assert closed(verdict) == "enabled"
        assert [(one.notice, one.did) for one in verdict.problems] == [(True, "no frontend")] * notices
        assert all("traefik.enable=true" in one.suggestion for one in verdict.problems)

    @pytest.mark.parametrize("name", ["traefik.enabled", "Traefik.enable", " traefik.enable", "traefik-enable"])
    @pytest.mark.parametrize("policy", [AUTO, Policy(expose=True)])
    def test_a_slip_for_enable_is_told_and_exposes_nobody_who_may_have_said_no(self, name: str, policy: Policy) -> None:
        verdict = judge(replace(service(), labels={name: "false", "traefik.port": "80"}), policy)
        assert closed(verdict) == "enabled"
        assert [(problem.label, problem.did) for problem in faults(verdict)] == [(name, "no route")]
        assert "did you mean traefik.enable?" in verdict.problems[0].reason

    @pytest.mark.parametrize("enable", [{"traefik.enable": "yes"}, {"traefik.enabled": "true"}])
    def test_who_mends_enable_is_told_at_once_of_what_else_is_wrong(self, enable: dict[str, str]) -> None:
        labels = enable | {"traefik.port": "http", "traefik.weight": "much", "traefik.sticky": "true"}
        verdict = judge(replace(service(), labels=labels), AUTO)
        assert closed(verdict) == "enabled"
        assert [one.label for one in verdict.problems] == [*enable, "traefik.port", "traefik.weight"]

    def test_a_slip_for_enable_is_seen_behind_many_labels_of_a_newer_traefik(self) -> None:
        newer = {f"traefik.http.routers.r{number}.rule": "Host(`a`)" for number in range(30)}
        labels = newer | {"traefik_enable": "false", "traefik.port": "80", "traefik.frontend.rule": "Host:a"}
        assert closed(judge(replace(service(), labels=labels), Policy(expose=True))) == "enabled"

    def test_a_slip_for_a_protection_is_seen_behind_many_labels_of_a_newer_traefik(self) -> None:
        newer = {f"traefik.http.routers.r{number}.rule": "Host(`a`)" for number in range(30)}
        labels = newer | {"traefik_fronted_whitlist_sourceRange": "::1", "traefik.frontend.rule": "Host:a"}
        assert closed(judge(service(labels), AUTO)) == "protection"

    @pytest.mark.parametrize("word", ["yes", "Stack", " true"])
    def test_any_other_word_is_a_problem_and_no_route(self, word: str) -> None:
        verdict = judge(service({"traefik.enable": word}), AUTO)
        assert closed(verdict) == "enabled"
        assert [(problem.value, problem.did) for problem in verdict.problems] == [(word, "no route")]

    @pytest.mark.parametrize(
        "kind", ["dnsService", "kubernetesService", "networkDriverService", "composeService", "odd"]
    )
    def test_a_kind_without_servers_is_a_problem_and_no_route(self, kind: str) -> None:
        verdict = judge(service(kind=kind), AUTO)
        assert closed(verdict) == "kind"
        assert len(faults(verdict)) == 1

    def test_a_sidekick_is_a_problem_and_no_route(self) -> None:
        verdict = judge(service(name="web-data"), AUTO)
        assert closed(verdict) == "kind"
        assert "sidekick of web" in verdict.problems[0].reason

    def test_labels_of_traefik_2_alone_are_a_notice_and_no_route(self) -> None:
        verdict = judge(service({"traefik.http.routers.x.rule": "Host(`a`)"}), AUTO)
        assert (verdict.route, verdict.problems, verdict.native is not None) == (None, (), True)
        wishes, problems = lay_out([verdict], TRAEFIK1, "default")
        assert (wishes, [problem.notice for problem in problems]) == ({}, [True])

    @pytest.mark.parametrize(
        ("labels", "gate"),
        [
            ({"traefik.frontend.auth.basic.users": "a:b"}, "protection"),
            ({"traefik.port": "x"}, "port"),
            ({"traefik.protocol": "ftp"}, "protocol"),
            ({"traefik.domain": ";"}, "rule"),
            ({"traefik.path": "x"}, "rule"),
        ],
    )
    def test_what_a_label_costs_is_said_by_the_gate_that_it_closes(self, labels: dict[str, str], gate: str) -> None:
        verdict = judge(service(labels), AUTO)
        assert closed(verdict) == gate
        assert next(iter(labels)) in {problem.label for problem in faults(verdict)}

    def test_every_bad_label_is_reported_at_once(self) -> None:
        verdict = judge(service({"traefik.port": "x", "traefik.protocol": "y", "traefik.weight": "z"}), AUTO)
        assert {problem.label for problem in verdict.problems} == {"traefik.port", "traefik.protocol", "traefik.weight"}

    @pytest.mark.parametrize("name", ["", "w" * 250])
    def test_a_name_that_no_key_can_have_costs_the_route(self, name: str) -> None:
        one = service({"traefik.domain.regexp": "{x}.local"}, name=name, primary=name)
        assert closed(judge(one, AUTO)) == "name"

    def test_an_open_way_shows_every_gate(self) -> None:
        names = [gate.name for gate in judge(service(), AUTO).gates]
        assert names[:5] == ["enabled", "system", "kind", "constraint", "sole"]
        assert names[5:] == ["protection", "port", "protocol", "rule", "domain", "name", "health", "address", "contest"]


class TestServers:
    def test_a_server_is_known_by_its_containers_uuid(self) -> None:
        found = route(service({"traefik.protocol": "https"}))
        assert found.backends[0].servers == (
            Server("c-1", "https", "10.42.0.1", 8080, 5),
            Server("c-2", "https", "10.42.0.2", 8080, 5),
        )

    @pytest.mark.parametrize("state", ["stopped", "stopping", "starting", "migrating", "updating-stopped", ""])
    @pytest.mark.parametrize("health", Health)
    def test_a_container_that_does_not_run_is_no_server_whatever_it_says(self, state: str, health: Health) -> None:
        one = service({}, container(1, state=state), container(2))
        assert [server.identity for server in route(one, Policy(health=health)).backends[0].servers] == ["c-2"]

    @pytest.mark.parametrize("health", [Health.AUTO, Health.REQUIRE, Health.OPTIONAL])
    @pytest.mark.parametrize("word", ["unhealthy", "updating-unhealthy", "initializing", "reinitializing", "odd", ""])
    def test_a_container_that_is_not_healthy_is_no_server(self, word: str, health: Health) -> None:
        one = service({}, container(1, health_state=word), container(2))
        assert [server.identity for server in route(one, Policy(health=health)).backends[0].servers] == ["c-2"]

    def test_healthy_while_being_updated_is_healthy(self) -> None:
        one = service({}, container(1, state="updating-running", health_state="updating-healthy"))
        assert len(route(one).backends[0].servers) == 1

    @pytest.mark.parametrize(
        ("health", "servers"), [(Health.AUTO, 0), (Health.REQUIRE, 0), (Health.OPTIONAL, 2), (Health.IGNORE, 2)]
    )
    def test_without_a_check_the_policy_decides(self, health: Health, servers: int) -> None:
        one = service({}, container(1, health_state=""), container(2, health_state=""), has_check=False)
        verdict = judge(one, Policy(health=health))
        assert verdict.route is not None
        assert len(verdict.route.backends[0].servers) == servers
        assert len(faults(verdict)) == (servers == 0)

    def test_without_regard_to_health_the_state_alone_counts(self) -> None:
        one = service({}, container(1, health_state="unhealthy"), container(2, state="stopped"))
        assert [server.identity for server in route(one, Policy(health=Health.IGNORE)).backends[0].servers] == ["c-1"]

    @pytest.mark.parametrize("state", ["", "inactive", "upgrading", "upgraded", "removing", "restarting"])
    def test_a_services_own_state_removes_nothing(self, state: str) -> None:
        assert len(route(service(state=state)).backends[0].servers) == 2

    def test_a_service_without_a_healthy_container_keeps_its_frontend(self) -> None:
        found = route(service({}, container(1, health_state="unhealthy")))
        assert found.backends[0].servers == ()
        assert rules(found) == ["Host:web.shop"]

    def test_weight_zero_retires_the_servers(self) -> None:
        """To Traefik weight 0 is weight 1."""
        found = route(service({"traefik.weight": "0"}, container(1), container(2), container(3, state="stopped")))
        assert (found.backends[0].servers, found.backends[0].retiring) == ((), ("c-1", "c-2"))

    def test_during_an_upgrade_old_containers_keep_the_labels_they_were_started_with(self) -> None:
        old = container(1, labels={"traefik.port": "80", "traefik.protocol": "http", "traefik.weight": "1"})
        new = container(2, labels={"traefik.port": "8443", "traefik.protocol": "https"})
        found = route(service({"traefik.port": "8443", "traefik.protocol": "https"}, old, new))
        assert found.backends[0].servers == (
            Server("c-1", "http", "10.42.0.1", 80, 1),
            Server("c-2", "https", "10.42.0.2", 8443, 5),
        )

    @pytest.mark.parametrize("name", ["traefik.port", "traefik.protocol"])
    def test_a_container_whose_own_label_is_bad_is_a_problem_and_no_server(self, name: str) -> None:
        verdict = judge(service({}, container(1, labels={name: "odd"}), container(2)), AUTO)
        assert urls(verdict.route) == ["http://10.42.0.2:8080"]
        assert [(problem.label, problem.value) for problem in faults(verdict)] == [(name, "odd")]

    def test_a_bad_weight_is_told_once_and_not_for_each_container(self) -> None:
        bad = {"traefik.weight": "x"}
        verdict = judge(service(bad, container(1, labels=bad), container(2, labels=bad)), AUTO)
        assert len(faults(verdict)) == 1

    @pytest.mark.parametrize("address", ["", "10.42.0.1/16", "0.0.0.0", "host", "fe80::1%eth0"])
    def test_a_container_without_an_address_is_a_problem_and_no_server(self, address: str) -> None:
        verdict = judge(service({}, container(1, address=address), container(2)), AUTO)
        assert urls(verdict.route) == ["http://10.42.0.2:8080"]
        assert "shop-web-1" in faults(verdict)[0].reason

    def test_containers_that_share_an_address_are_one_server(self) -> None:
        """As on the host network: Traefik would make one of them, with either's weight."""
        verdict = judge(service({}, container(2), container(1), container(3, address="10.42.0.1")), AUTO)
        assert verdict.route is not None
        assert [server.identity for server in verdict.route.backends[0].servers] == ["c-1", "c-2"]
        assert verdict.route.backends[0].retiring == ("c-3",)
        assert [(problem.value, problem.notice) for problem in verdict.problems] == [("c-3", True)]

    def test_a_container_that_is_listed_twice_counts_once(self) -> None:
        verdict = judge(service({}, container(1), container(1)), AUTO)
        assert len(urls(verdict.route)) == 1
        assert verdict.problems == ()

    @pytest.mark.parametrize("uuid", ["", "x" * 300])
    def test_a_container_that_no_key_can_be_named_after_is_a_problem_and_no_server(self, uuid: str) -> None:
        verdict = judge(service({}, container(1, uuid=uuid), container(2)), AUTO)
        assert urls(verdict.route) == ["http://10.42.0.2:8080"]
        assert len(faults(verdict)) == 1

    def test_a_load_balancers_containers_are_servers(self) -> None:
        assert len(route(service(kind="loadBalancerService")).backends[0].servers) == 2

    def test_a_container_on_ipv6_is_a_server(self) -> None:
        assert urls(route(service({}, container(1, address="FD00::5")))) == ["http://[fd00::5]:8080"]


HOSTS = {"h-1": "192.0.2.1", "h-2": "192.0.2.2"}
OUTSIDE = Policy(address=Address.HOST)
ON_HOST = {"traefik.address": "host"}


def published(number: int, *ports: str, **fields: object) -> Container:
    return container(number, ports=ports, host_uuid=f"h-{number}", **fields)


class TestHosts:
    def outside(self, *containers: Container, hosts: Mapping[str, str] = HOSTS) -> Verdict:
        return judge(service({}, *containers), OUTSIDE, hosts)

    def test_a_container_is_reached_at_its_host_and_the_port_that_is_published_there(self) -> None:
        verdict = self.outside(published(1, "0.0.0.0:32768:8080/tcp"), published(2, "0.0.0.0:32771:8080/tcp"))
        assert urls(verdict.route) == ["http://192.0.2.1:32768", "http://192.0.2.2:32771"]
        assert verdict.problems == ()
        assert Setting("address", "host", "--address") in verdict.settings

    @pytest.mark.parametrize(
        ("ports", "url"),
        [
            (["0.0.0.0:9:80/tcp", "0.0.0.0:8080:8080/tcp", "0.0.0.0:7:8080/udp"], "192.0.2.1:8080"),
            (["8081:8080"], "192.0.2.1:8081"),
            ([":::32768:8080/tcp"], "192.0.2.1:32768"),
            (["[::]:32768:8080/TCP"], "192.0.2.1:32768"),
            (["192.0.2.77:8081:8080/tcp"], "192.0.2.77:8081"),
            (["[fd00::7]:8081:8080/tcp"], "[fd00::7]:8081"),
            (["127.0.0.1:8081:8080/tcp", "0.0.0.0:9000:8080/tcp", "192.0.2.77:80:8080/tcp"], "192.0.2.1:9000"),
            (["0.0.0.0:32770:8080/tcp", "0.0.0.0:4000:8080/tcp"], "192.0.2.1:4000"),
        ],
    )
    def test_the_port_that_all_can_reach_comes_first_and_the_lowest_of_several(
        self, ports: list[str], url: str
    ) -> None:
        assert urls(self.outside(published(1, *ports)).route) == [f"http://{url}"]

    @pytest.mark.parametrize(
        "ports",
        [
            [],
            ["0.0.0.0:32768:80/tcp"],
            ["0.0.0.0:32768:8080/udp"],
            ["127.0.0.1:32768:8080/tcp"],
            ["8080/tcp"],
            ["0.0.0.0::8080/tcp"],
            ["0.0.0.0:0:8080/tcp"],
            ["0.0.0.0:99999:8080/tcp"],
            ["host:32768:8080/tcp"],
            ["", ":", "::", "x", "0.0.0.0:32768:8080/tcp\n"],
        ],
    )
    def test_a_port_that_is_not_published_is_one_problem_that_says_what_to_write(self, ports: list[str]) -> None:
        verdict = self.outside(published(1, *ports), published(2, *ports))
        assert urls(verdict.route) == []
        (problem,) = verdict.problems
        assert problem.reason == "port 8080 is not published on the host"
        assert (problem.did, problem.suggestion) == ("published no server", 'give the service ports: - "8080"')

    def test_a_container_on_its_hosts_own_network_is_reached_at_its_own_port(self) -> None:
        assert urls(self.outside(published(1, address="192.0.2.1")).route) == ["http://192.0.2.1:8080"]

    @pytest.mark.parametrize("hosts", [{}, {"h-1": "somewhere"}, {"h-1": "0.0.0.0"}])
    def test_a_host_without_an_address_is_a_problem_that_names_it(self, hosts: dict[str, str]) -> None:
        verdict = self.outside(published(1, "0.0.0.0:32768:8080/tcp"), hosts=hosts)
        assert urls(verdict.route) == []
        (problem,) = verdict.problems
        assert "host h-1" in problem.reason
        assert urls(self.outside(published(1, "192.0.2.77:80:8080/tcp"), hosts=hosts).route) == ["http://192.0.2.77:80"]

    def test_a_container_that_names_no_host_is_a_problem(self) -> None:
        verdict = self.outside(container(1, ports=("0.0.0.0:32768:8080/tcp",)))
        assert "host without a uuid" in verdict.problems[0].reason

    def test_a_label_chooses_for_one_service_against_the_policy(self) -> None:
        one = published(1, "0.0.0.0:32768:8080/tcp")
        assert urls(judge(service(ON_HOST, one), AUTO, HOSTS).route) == ["http://192.0.2.1:32768"]
        inside = judge(service({"traefik.address": "Container"}, one), OUTSIDE, HOSTS)
        assert urls(inside.route) == ["http://10.42.0.1:8080"]
        assert Setting("address", "container", "traefik.address") in inside.settings

    def test_a_bad_word_is_a_problem_and_the_policy_counts(self) -> None:
        bad, one = {"traefik.address": "moon"}, published(1, "0.0.0.0:32768:8080/tcp")
        for policy, url in ((AUTO, "http://10.42.0.1:8080"), (OUTSIDE, "http://192.0.2.1:32768")):
            verdict = judge(service(bad, replace(one, labels=bad)), policy, HOSTS)
            assert urls(verdict.route) == [url]
            assert [(found.value, found.did) for found in faults(verdict)] == [
                ("moon", f"used {policy.address.value}, as --address says")
            ]

    def test_during_an_upgrade_an_old_container_is_reached_where_its_own_label_says(self) -> None:
        old = published(1, "0.0.0.0:32768:8080/tcp", labels={"traefik.address": "container"})
        odd = published(2, "0.0.0.0:32768:8080/tcp", labels={"traefik.address": "moon"})
        verdict = judge(service(ON_HOST, old, odd), AUTO, HOSTS)
        assert urls(verdict.route) == ["http://10.42.0.1:8080", "http://192.0.2.2:32768"]
        assert [found.did for found in faults(verdict)] == ["used host, as traefik.address says"]

    def test_a_containers_own_port_is_the_one_that_must_be_published(self) -> None:
        old = published(1, "0.0.0.0:32768:9090/tcp", labels={"traefik.port": "9090"})
        assert urls(self.outside(old).route) == ["http://192.0.2.1:32768"]

    def test_an_external_address_is_where_it_is(self) -> None:
        outer = service(ON_HOST, kind="externalService", containers=(), external_ips=("203.0.113.9",))
        assert urls(judge(outer, OUTSIDE, HOSTS).route) == ["http://203.0.113.9:8080"]

    def test_an_address_speaks_no_vocabulary(self) -> None:
        """It is the bridge's own, so a service of Traefik 3 may say it too."""
        newer = {"traefik.http.routers.web.rule": "Host(`a`)", **ON_HOST}
        found = judge(service(newer), AUTO)
        assert (found.route, found.native and found.native.alone) == (None, True)

    def test_a_real_environment_is_reached_from_outside(self) -> None:
        """Its containers publish 8080 at ports from 32768 up, and nothing else there is asked for."""
        seen = open_source(f"file:{HERE / 'samples' / 'real.stacks.json'}").read()
        asking = {"traefik.enable": "true", "traefik.port": "8080", "traefik.address": "host"}
        services = tuple(replace(one, labels=asking) for one in seen.services if one.stack == "clms-backend")
        names = sorted({box.host_uuid for one in services for box in one.containers})
        hosts = {name: f"192.0.2.{number}" for number, name in enumerate(names, 1)}
        verdicts = judge_all(replace(seen, services=services, hosts=hosts), OPTIONAL)
        reached = {verdict.service: urls(verdict.route) for verdict in verdicts if urls(verdict.route)}
        assert all(url.startswith("http://192.0.2.") for found in reached.values() for url in found)
        assert sorted(url[-6:] for url in reached["clms-backend/plone"]) == [":32768", ":32769"]
        assert sorted(url[-6:] for url in reached["clms-backend/haproxy"]) == [":32776", ":32778"]
        (inner,) = [verdict for verdict in verdicts if verdict.service == "clms-backend/memcached"]
        assert ['ports: - "8080"' in str(problem) for problem in inner.problems] == [True]


class TestExternal:
    def outer(self, *ips: str, hostname: str = "", **labels: str) -> Verdict:
        named = {f"traefik.{name}": text for name, text in labels.items()}
        one = service(named, kind="externalService", external_ips=ips, hostname=hostname, has_check=False)
        return judge(replace(one, containers=()), AUTO)

    def test_each_address_is_a_server_by_its_own_name(self) -> None:
        found = self.outer("203.0.113.10", "FD00:0::1", "fd00::1").route
        assert found is not None
        assert found.backends[0].servers == (
            Server("203.0.113.10", "http", "203.0.113.10", 8080, 5),
            Server("fd00::1", "http", "fd00::1", 8080, 5),
        )

    def test_a_host_name_is_a_server(self) -> None:
        assert urls(self.outer(hostname="Legacy.example.org").route) == ["http://legacy.example.org:8080"]
        assert urls(self.outer(hostname="203.0.113.9").route) == ["http://203.0.113.9:8080"]

    @pytest.mark.parametrize("bad", ["", "http://x", "a b", "203.0.113.10:80", "\ud800"])
    def test_a_bad_address_is_a_problem_and_no_server(self, bad: str) -> None:
        verdict = self.outer(bad, "203.0.113.10", hostname=bad)
        assert urls(verdict.route) == ["http://203.0.113.10:8080"]
        assert len(faults(verdict)) == 1 + bool(bad)

    def test_one_that_names_nothing_is_a_problem_and_an_empty_backend(self) -> None:
        verdict = self.outer()
        assert urls(verdict.route) == []
        assert len(faults(verdict)) == 1

    def test_weight_zero_retires_the_addresses(self) -> None:
        found = self.outer("203.0.113.10", weight="0").route
        assert found is not None
        assert (found.backends[0].servers, found.backends[0].retiring) == ((), ("203.0.113.10",))


class TestNames:
    """Linked environments bring services of one stack and name into one snapshot."""

    def both(self, first: Service, second: Service) -> tuple[Verdict, ...]:
        return judge_all(Snapshot((first, second), "e-1"), AUTO)

    def test_the_smallest_uuid_keeps_the_name(self) -> None:
        loser, holder = self.both(service(stack_uuid="st-2", uuid="a"), service(stack_uuid="st-1", uuid="b"))
        assert closed(loser) == "sole"
        assert len(faults(loser)) == 1
        assert holder.route is not None
        assert holder.problems == ()

    def test_one_that_asks_for_no_route_takes_no_name(self) -> None:
        for idle in (
            service({"traefik.enable": "false"}),
            service(kind="dnsService"),
            service({"traefik.enable": "x"}),
        ):
            _, other = self.both(idle, service(stack_uuid="st-2"))
            assert other.route is not None

    def test_only_services_with_our_labels_are_judged(self) -> None:
        plain = service(labels={})
        snapshot = Snapshot((replace(plain, labels={}), replace(plain, name="other", primary="other")), "e-1")
        assert [verdict.service for verdict in judge_all(snapshot, AUTO)] == ["shop/other"]


class TestTwelveBugs:
    """What rancher-traefik does wrong with these labels, and what is done here."""

    def test_1_unhealthy_is_not_healthy(self) -> None:
        one = service({}, container(1, health_state="unhealthy"), container(2, health_state="updating-unhealthy"))
        assert route(one).backends[0].servers == ()

    def test_2_an_external_service_has_servers(self) -> None:
        one = service(kind="externalService", external_ips=("203.0.113.10", "203.0.113.11"))
        assert urls(route(one)) == ["http://203.0.113.10:8080", "http://203.0.113.11:8080"]

    def test_3_no_frontend_is_published_whose_backend_must_stay_empty(self) -> None:
        assert judge(service(kind="dnsService"), AUTO).route is None
        assert judge(service(name="web-data"), AUTO).route is None
        assert len(route(service(kind="loadBalancerService")).backends[0].servers) == 2

    def test_4_a_pattern_beside_a_plain_host_means_either(self) -> None:
        labels = {"traefik.domain": "local", "traefik.domain.regexp": "{x:[a-z]+}.example.com"}
        assert rules(route(service(labels))) == ["HostRegexp:{x:[a-z]+}.example.com,web.shop.local"]

    def test_4_a_comma_in_a_pattern_is_a_problem(self) -> None:
        verdict = judge(service({"traefik.domain.regexp": "{x:[a-z]{2,3}}.example.com"}), AUTO)
        assert rules(verdict.route) == ["Host:web.shop"]
        assert [problem.value for problem in faults(verdict)] == ["{x:[a-z]{2", "3}}.example.com"]

    def test_5_no_separator_trails(self) -> None:
        labels = {"traefik.domain": "local", "traefik.alias.fqdn": "a.org,"}
        assert rules(route(service(labels))) == ["Host:web.shop.local,a.org"]

    def test_6_two_path_labels_are_two_frontends(self) -> None:
        labels = {"traefik.path": "/one", "traefik.path.prefix.strip": "/api"}
        assert rules(route(service(labels))) == ["Host:web.shop;Path:/one", "Host:web.shop;PathPrefixStrip:/api"]

    @pytest.mark.parametrize(
        ("domain", "rule"), [(",", "Host:web.shop"), ("local,,internal", "Host:web.shop.local,web.shop.internal")]
    )
    def test_7_empty_parts_of_a_list_are_no_hosts(self, domain: str, rule: str) -> None:
        verdict = judge(service({"traefik.domain": domain}), AUTO)
        assert rules(verdict.route) == [rule]
        assert verdict.problems == ()

    def test_7_an_empty_alias_does_not_publish_the_bare_domain(self) -> None:
        labels = {"traefik.domain": "local", "traefik.alias": ",a"}
        assert rules(route(service(labels))) == ["Host:web.shop.local,a.local"]

    @pytest.mark.parametrize("text", ['a"b', "a\nb", '"]\n[frontends.x]', "{{ .Env }}", "a\\", "\x00"])
    def test_8_no_text_of_one_service_stops_another(self, text: str) -> None:
        bad = service({row.name: text for row in TABLE if row.name != "traefik.enable"})
        good = replace(service(), name="zzz", primary="zzz")
        verdicts = judge_all(Snapshot((bad, good), "e-1"), AUTO)
        assert [verdict.route is not None for verdict in verdicts] == [False, True]

    def test_9_acme_is_a_notice_however_many_domains(self) -> None:
        verdict = judge(service({"traefik.acme": "true", "traefik.domain": "a,b,c"}), AUTO)
        assert rules(verdict.route) == ["Host:web.shop.a,web.shop.b,web.shop.c"]
        assert verdict.route is not None
        assert [(one.label, one.notice) for one in TRAEFIK1.losses(verdict.route)] == [("traefik.acme", True)]
        silent = judge(service({"traefik.acme": "false"}), AUTO)
        assert silent.problems == ()
        assert silent.route is not None
        assert TRAEFIK1.losses(silent.route) == ()

    def test_10_addresses_and_ports_are_checked(self) -> None:
        one = service({}, container(1, address=""), container(2, address="fd00::2"))
        assert urls(route(one)) == ["http://[fd00::2]:8080"]
        assert judge(service({"traefik.port": "80/x"}), AUTO).route is None

    def test_11_containers_of_one_name_are_two_servers(self) -> None:
        one = service({}, container(1, name="a.b"), container(2, name="a.b"))
        assert [server.identity for server in route(one).backends[0].servers] == ["c-1", "c-2"]

    def test_12_a_verdict_depends_on_the_present_snapshot_alone(self) -> None:
        """There, a change could wait for a refresh; here, whoever reads anew sees what is."""
        healthy, ill = service(), service({}, container(1), container(2, health_state="unhealthy"))
        counts = [len(route(one).backends[0].servers) for one in (healthy, ill, healthy)]
        assert counts == [2, 1, 2]


def sample(name: str) -> dict[str, Verdict]:
    source = open_source(f"file:{HERE / 'samples' / name}.stacks.json")
    return {verdict.service: verdict for verdict in judge_all(source.read(), AUTO)}


class TestSamples:
    def test_the_classic_example(self) -> None:
        (verdict,) = sample("web-test").values()
        assert rules(verdict.route) == ["Host:web-test.proxy-test.local"]
        assert urls(verdict.route) == [f"http://10.42.0.{last}:8080" for last in (11, 12, 13)]
        assert verdict.problems == ()

    @pytest.mark.parametrize(
        ("name", "frontends", "servers"),
        [
            ("blog/wordpress", ["Host:wordpress.blog.local"], ["10.42.0.33:8080", "10.42.0.35:8080"]),
            (
                "shop/aliased",
                ["Host:aliased.shop.local,www.local,shop2.local,shop.example.com"],
                ["10.42.0.15:8080", "10.42.0.16:8080"],
            ),
            ("shop/as-stack", ["Host:shop.local"], ["10.42.0.17:8080", "10.42.0.18:8080"]),
            ("shop/ext-host", ["Host:ext-host.shop.local"], ["legacy.example.org:8080"]),
            ("shop/ext-ip", ["Host:ext-ip.shop.local"], ["203.0.113.10:8080", "203.0.113.11:8080"]),
            ("shop/lb", ["Host:lb.shop.local"], ["10.42.0.37:8080"]),
            ("shop/no-check", ["Host:no-check.shop.local"], []),
            ("shop/no-domain", ["Host:no-domain.shop"], ["10.42.0.25:8080", "10.42.0.26:8080"]),
            (
                "shop/paths",
                ["Host:paths.shop.local;Path:/One,/two", "Host:paths.shop.local;PathPrefixStrip:/api"],
                ["10.42.0.19:8080", "10.42.0.20:8080"],
            ),
            ("shop/plain", ["Host:plain.shop.local"], ["10.42.0.11:8080", "10.42.0.12:8080"]),
            (
                "shop/regexp",
                ["HostRegexp:{sub:[a-z]+}.example.com,regexp.shop"],
                ["10.42.0.21:8080", "10.42.0.22:8080"],
            ),
            ("shop/tuned", ["Host:tuned.shop.local"], ["10.42.0.23:8443", "10.42.0.24:8443"]),
            (
                "shop/two-domains",
                ["Host:two-domains.shop.local,two-domains.shop.internal"],
                ["10.42.0.13:8080", "10.42.0.14:8080"],
            ),
        ],
    )
    def test_mixed_each_service_has_its_route(self, name: str, frontends: list[str], servers: list[str]) -> None:
        verdict = sample("mixed")[name]
        assert rules(verdict.route) == frontends
        assert [one.partition("://")[2] for one in urls(verdict.route)] == servers

    def test_mixed_the_others_have_none(self) -> None:
        verdicts = sample("mixed")
        assert {name: closed(verdict) for name, verdict in verdicts.items() if not verdict.route} == {
            "shop/alias": "kind",
            "shop/disabled": "enabled",
        }
        assert not {"shop/unlabelled", "blog/db", "blog/db-data", "infra/healthcheck"} & set(verdicts)

    def test_mixed_problems_are_these_and_no_others(self) -> None:
        found = {
            (problem.service, problem.notice) for verdict in sample("mixed").values() for problem in verdict.problems
        }
        assert found == {("shop/alias", False), ("shop/no-check", False)}

    def test_mixed_every_setting_of_the_tuned_one_is_kept(self) -> None:
        found = sample("mixed")["shop/tuned"].route
        assert found is not None
        (frontend,) = found.frontends
        assert (frontend.priority, frontend.pass_host_header) == (20, False)
        assert frontend.rate_limit is not None
        assert frontend.rate_limit.sets[0][1].period == 5
        (backend,) = found.backends
        asked = Backend("wrr", sticky=True, breaker="LatencyAtQuantileMS(50.0) > 100")
        assert replace(backend, servers=()) == asked
        assert {(server.scheme, server.weight) for server in backend.servers} == {("https", 3)}

    @pytest.mark.parametrize(
        ("name", "rule", "servers"),
        [
            ("redmine/redmine", "Host:redmine.redmine.example.net,redmine.example.net", ["76:80", "77:80"]),
            ("cloud9/cloud9-sdk", "Host:cloud9.dev.local", ["80:8080", "81:8080"]),
            ("elk/kibana", "Host:elk.example.net,logs.example.net", ["84:5601", "85:5601"]),
        ],
    )
    def test_real_services_with_short_labels_have_their_routes(self, name: str, rule: str, servers: list[str]) -> None:
        verdict = sample("real")[name]
        assert rules(verdict.route) == [rule]
        assert urls(verdict.route) == [f"http://10.42.0.{one}" for one in servers]
        assert faults(verdict) == []

    def test_real_services_with_traefiks_own_labels_have_theirs(self) -> None:
        """A rule that ends in a semicolon, stickiness, and buffering that sends again."""
        backend, client = sample("real")["apix/backend"], sample("real")["apix/client"]
        assert rules(backend.route) == ["Host:api.example.net"]
        assert urls(backend.route) == ["http://10.42.0.88:8000", "http://10.42.0.89:8000"]
        assert backend.route is not None
        retry = Buffering(retry="IsNetworkError() && Attempts() < 5")
        assert replace(backend.route.backends[0], servers=()) == Backend("drr", sticky=True, buffering=retry)
        assert rules(client.route) == ["Host:app.example.net,www.app.example.net"]
        assert urls(client.route) == ["http://10.42.0.92:3000", "http://10.42.0.93:3000"]
        assert client.problems == ()
        assert client.route is not None
        assert client.route.acme
        assert backend.problems == ()

    def test_real_services_that_speak_to_traefik_2_have_no_route_and_what_they_ask_of_it(self) -> None:
        none = {name: verdict.native for name, verdict in sample("real").items() if not verdict.route}
        assert set(none) == {
            *("clms-backend/plone", "clms-backend/plone-cdse-monitor", "clms-backend/varnish"),
            *("copernicus-land/apache", "insitu-frontend/varnish", "taskman/apache"),
        }
        assert all(found and found.alone and found.asked for found in none.values())


WORDS = st.text(max_size=12) | st.sampled_from(
    ["healthy", "running", "10.42.0.1", "::1", "80", "0", "true", "service", "local"]
)
LABELS = st.dictionaries(st.sampled_from([row.name for row in TABLE]), WORDS, max_size=4)
CONTAINERS = st.builds(Container, uuid=WORDS, name=WORDS, state=WORDS, health_state=WORDS, address=WORDS, labels=LABELS)
SERVICES = st.builds(
    Service,
    uuid=WORDS,
    name=WORDS,
    stack=WORDS,
    stack_uuid=WORDS,
    environment_uuid=WORDS,
    kind=st.sampled_from(["service", "externalService", "loadBalancerService"]),
    state=WORDS,
    primary=st.just(""),
    labels=LABELS.map(lambda labels: labels | {"traefik.enable": "true"}),
    containers=st.lists(CONTAINERS, max_size=4).map(tuple),
    has_check=st.booleans(),
    external_ips=st.lists(WORDS, max_size=3).map(tuple),
    hostname=WORDS,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(SERVICES, max_size=3), st.sampled_from(Health))
def test_no_world_whatever_raises_or_names_a_server_twice(services: list[Service], health: Health) -> None:
    for verdict in judge_all(Snapshot(tuple(services), ""), Policy(health=health)):
        assert (verdict.closed is None) is (verdict.route is not None)
        if verdict.route is None:
            assert faults(verdict)
            continue
        servers = verdict.route.backends[0].servers
        assert list(servers) == sorted(servers, key=lambda server: server.identity)
        assert len({server.identity for server in servers}) == len(set(map(url, servers))) == len(servers)
        assert not {server.identity for server in servers} & set(verdict.route.backends[0].retiring)
        assert all(server.weight >= 1 for server in servers)
        assert rules(verdict.route)
