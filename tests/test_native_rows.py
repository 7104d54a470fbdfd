"""Row by row: labels that Traefik 2's Rancher provider read do in a real Traefik 3 what they did there.

All rows stand in one store at once, so that one which spoiled the tree would spoil it for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bridge.layouts import Target, layout
from bridge.model.problem import Problem
from bridge.model.world import Container, Service
from bridge.routes import Policy, judge_all
from bridge.sync import lay_out
from tests.native_rows import ROWS, Row
from tests.proxied import publication
from tests.publishing import container, service, world
from tests.servers import ConsulServer, EtcdServer
from tests.traefik import NEWEST, OLDEST, Answer, TraefikServer, running_traefik, until, web_servers

COMBINATIONS = [(NEWEST, "etcd"), (OLDEST, "etcd"), (NEWEST, "consul")]
VERSIONS = {NEWEST: (3, 7), OLDEST: (3, 0)}
STATES = {
    "stopped": ("stopped", ""),
    "updating": ("updating-running", "updating-healthy"),
    "running": ("running", "healthy"),
}
NAMES = {id(row): f"r{at:03}" for at, row in enumerate(ROWS)}


@dataclass
class Stage:
    """A Traefik that reads what the rows come to."""

    traefik: TraefikServer
    port: int
    routers: Mapping[str, Any]
    problems: tuple[Problem, ...]

    def said(self, row: Row, text: str) -> str:
        return said(row, text, self.port)

    def ask(self, row: Row, text: str) -> Answer:
        """As a row writes it."""
        *before, where = (words := self.said(row, text).split(" "))[: 1 + _place_of(words)]
        headers = dict(one.replace("#", " ").split("=", 1) for one in words[len(before) + 1 :])
        host, _, path = where.partition("/")
        method = next((word for word in before if word != "tls"), "GET")
        return self.traefik.request(host, f"/{path}", method=method, headers=headers, tls="tls" in before)


def _place_of(words: list[str]) -> int:
    return next(at for at, word in enumerate(words) if "/" in word)


def said(row: Row, text: str, port: int) -> str:
    """A row's text with what is its alone. Braces of a rule are doubled in it."""
    name = NAMES[id(row)]
    return text.format(n=name, h=f"{name}.test", p=port)


def services(row: Row, port: int, addresses: Mapping[str, str]) -> Iterator[Service]:
    """The row's."""

    def labels(of: Mapping[str, str], enable: str) -> dict[str, str]:
        found = {"traefik.enable": enable} if enable else {}
        for label, text in of.items():
            name = said(row, label, port)
            found[name if name.startswith("TRAEFIK") else f"traefik.{name}"] = said(row, text, port)
        return found

    def box(kind: str) -> Container:
        one = container(f"c-{NAMES[id(row)]}-{kind}", addresses.get(kind, addresses["one"]))
        state, health = STATES.get(kind, ("running", kind if kind not in addresses else "healthy"))
        ports = tuple(said(row, text, port) for text in row.ports)
        return replace(one, state=state, health_state=health, ports=ports)

    plain = replace(service(NAMES[id(row)], 0), state=row.state, has_check="" not in row.containers)
    yield replace(plain, labels=labels(row.labels, row.enable), containers=tuple(map(box, row.containers)))
    if row.beside:
        second = service(f"{NAMES[id(row)]}x", 0)
        yield replace(second, labels=labels(row.beside, "true"), containers=(box("two"),))


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda one: "-".join(one))
def stage(
    request: pytest.FixtureRequest,
    etcd_server: EtcdServer,
    consul_server: ConsulServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    which, store = request.param
    server = etcd_server if store == "etcd" else consul_server
    folder = tmp_path_factory.mktemp(f"rows-{which}-{store}")
    with closing(publication(server)) as here, web_servers("one", "two") as web:
        port, addresses = web["one"].port, {name: one.address for name, one in web.items()}
        asking = [one for row in ROWS for one in services(row, port, addresses)]
        target = Target(VERSIONS[which])
        wishes, problems = lay_out(
            verdicts := judge_all(world(*asking), Policy()), layout("traefik3", target), "default"
        )
        problems += tuple(problem for verdict in verdicts for problem in verdict.problems)
        for wish in wishes.values():
            for path, value in (*wish.shared.items(), *wish.own.items()):
                server.put(f"{here.prefix}/{path}", value)
        with running_traefik(folder, store, server.endpoint, here.prefix, which=which) as traefik:
            wanted = {group for group in wishes if group.startswith("http.routers.")}
            routers = until(lambda: traefik.objects("routers"), lambda found: len(found) == len(wanted))
            yield Stage(traefik, port, routers, tuple(problems))


@pytest.mark.parametrize("row", ROWS, ids=[re.sub(r"[^\w.=-]+", "-", row.what)[:60] for row in ROWS])
def test_a_row(stage: Stage, row: Row) -> None:
    name = NAMES[id(row)]
    found = {router: one["status"] for router, one in stage.routers.items() if router.startswith(name)}
    disabled = {stage.said(row, router) for router in row.disabled}
    wanted = {stage.said(row, router) for router in row.routers}
    assert found == {router: "disabled" if router in disabled else "enabled" for router in wanted}
    told = [
        problem.label.removeprefix("traefik.")
        for problem in stage.problems
        if not problem.notice and problem.service in (f"shop/{name}", f"shop/{name}x")
    ]
    assert sorted(told) == sorted(stage.said(row, label) for label in row.problems)
    for text, answers in row.asks.items():
        if isinstance(answers, int):
            assert stage.ask(row, text).status == answers, text
        else:
            servers = {stage.ask(row, text).server for _ in range(1 if " " not in answers else 8)}
            assert servers == set(answers.split()), text
    for check in row.checks:
        path, seen = check.split()
        assert stage.ask(row, f"{{h}}{path}").said["path"] == seen
    for text, shown in row.shows.items():
        answer = stage.ask(row, text)
        lines = [f"{name}: {value}" for name, value in answer.headers.items()]
        assert re.search(stage.said(row, shown), "\n".join((*lines, answer.body)))


def test_traefik_refuses_nothing_else(stage: Stage) -> None:
    disabled = {stage.said(row, router) for row in ROWS for router in row.disabled}
    kinds = ("routers", "services", "middlewares")
    faulty = {name for kind in kinds for name, one in stage.traefik.objects(kind).items() if one["status"] != "enabled"}
    assert faulty == disabled
