"""What an operator carries over from Traefik 2, beside a real Traefik 3: its Go reads the same in it, requests tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from bridge.labels.templates import template
from bridge.layouts import Target, layout
from bridge.routes import judge_all
from bridge.sync import lay_out
from tests.publishing import Publication, container, world
from tests.servers import ConsulServer, EtcdServer
from tests.test_constraints import MEANINGS, REFUSED
from tests.test_native_real import asks
from tests.test_policy import configured
from tests.test_templates import FILLED, TEAM
from tests.traefik import NEWEST, OLDEST, running_traefik, until, web_servers

PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")  # what a header can hold as it is
GO_TAKES = {r"\Q", r"\pL", "(" * 60 + ")" * 60}  # and the bridge does not


@pytest.fixture
def publication(etcd_server: EtcdServer, tmp_path: Path) -> Iterator[Publication]:
    found = Publication(etcd_server, f"second{tmp_path.name.replace('_', '-')}")
    yield found
    found.close()


@pytest.mark.parametrize("which", [NEWEST, OLDEST])
def test_port_default_rule_and_constraint_decide_requests(publication: Publication, tmp_path: Path, which: str) -> None:
    said = (
        ("default-rule", TEAM),
        ("constraint", "Label(`env`, `prod`) && !LabelRegex(`team`, `^(?:te|sta)`)"),
        ("health", "ignore"),
    )
    with web_servers("blue", "none", "test", "several") as web:
        port = web["blue"].port
        listed = {
            "blue": (f"9080:{port}/tcp",),
            "none": (f"127.0.0.1:9080:{port}/tcp",),
            "test": (f"9080:{port}/tcp",),
            "several": ("53:53/udp", f"9080:{port}/tcp", "9443:443/tcp"),
        }
        labels = {"blue": {"env": "prod", "team": "blue"}, "none": {"env": "prod"}, "several": {"env": "prod"}}
        pieces = world(
            *(
                replace(
                    asks(name, container(f"c-{name}", web[name].address), http__middlewares__m__compress="true"),
                    ports=ports,
                    named=labels.get(name, {"env": "prod", "team": "test"}),
                )
                for name, ports in listed.items()
            )
        )
        wishes, problems = lay_out(judge_all(pieces, configured(*said)), layout("traefik3", Target((3, 0))), "default")
        assert [problem.service for problem in problems if not problem.notice] == []
        for wish in wishes.values():
            for path, value in (*wish.shared.items(), *wish.own.items()):
                publication.server.put(f"{publication.prefix}/{path}", value)
        endpoint = publication.server.endpoint
        with running_traefik(tmp_path / "traefik", "etcd", endpoint, publication.prefix, which=which) as running:
            until(lambda: running.request("blue-shop.blue.test").status, lambda status: status == 200)
            assert running.request("blue-shop.blue.test").server == "blue"
            assert running.request("none-shop.all.test").server == "none"
            assert running.request("several-shop.all.test").server == "several"
            assert running.request("test-shop.test.test").status == 404


def test_a_regular_expression_means_what_it_means_in_traefik(publication: Publication, tmp_path: Path) -> None:
    """Traefik's own are Go's: each row that a header can hold is asked, each that is refused is disabled there."""
    told = [row for row in MEANINGS if PLAIN.fullmatch(row[1])]
    assert len(told) > len(MEANINGS) / 2
    with web_servers("web") as web:
        expressions = [row[0] for row in told] + REFUSED
        for at, expression in enumerate(expressions):
            base = f"{publication.prefix}/http/routers/r{at}"
            rule = f"Host(`r{at}.test`) && HeaderRegexp(`X-V`, `{expression}`)"
            publication.server.put(f"{base}/rule", rule)
            publication.server.put(f"{base}/service", "web")
        url = f"http://{web['web'].address}:{web['web'].port}"
        publication.server.put(f"{publication.prefix}/http/services/web/loadBalancer/servers/0/url", url)
        with running_traefik(tmp_path / "traefik", "etcd", publication.server.endpoint, publication.prefix) as running:
            routers = until(lambda: running.objects("routers"), lambda found: len(found) == len(expressions))
            until(lambda: running.request("r0.test", headers={"X-V": "a"}).status, lambda status: status == 200)
            for at, (expression, text, found) in enumerate(told):
                status = running.request(f"r{at}.test", headers={"X-V": text}).status
                assert (expression, status) == (expression, 200 if found else 404)
            refused = {one: routers[f"r{at}"]["status"] for at, one in enumerate(expressions) if at >= len(told)}
            assert {one for one, status in refused.items() if status == "enabled"} == GO_TAKES


def test_a_template_means_what_it_means_in_traefik(
    publication: Publication, consul_server: ConsulServer, tmp_path: Path
) -> None:
    """Of its providers with such a rule that for Consul's catalog needs nothing else; its labels are tags."""
    with_labels = [row for row in FILLED if row[1]]
    cases = [text for text, labels, _ in FILLED if not labels]
    labels = {f"traefik.x{at}.{name}": text for at, row in enumerate(with_labels) for name, text in row[1].items()}
    for at, (text, its, _) in enumerate(with_labels):
        for name in its:
            text = re.sub(rf'(["`]){re.escape(name)}\1', rf"\1traefik.x{at}.{name}\1", text)
        cases.append(text)
    whole = " || ".join(f"Path(`/{at}`) && {one}" for at, one in enumerate(cases))
    service = {"Name": "web_shop", "Tags": [f"{name}={text}" for name, text in labels.items()], "Address": "127.0.0.1"}
    url = f"http://{consul_server.endpoint}/v1/agent/service"
    requests.put(f"{url}/register", json={**service, "Port": 80}, timeout=10).raise_for_status()
    static = {
        "providers.consulCatalog.endpoint.address": consul_server.endpoint,
        "providers.consulCatalog.defaultRule": whole,
        "providers.consulCatalog.refreshInterval": "1s",
    }
    endpoint = publication.server.endpoint
    try:
        with running_traefik(tmp_path / "traefik", "etcd", endpoint, publication.prefix, static=static) as running:
            rules = until(
                lambda: [one["rule"] for one in running.api("http/routers") if one["name"] == "web-shop@consulcatalog"]
            )
        assert rules == [template(whole).filled("web_shop", labels)]
    finally:
        requests.put(f"{url}/deregister/web_shop", timeout=10).raise_for_status()
