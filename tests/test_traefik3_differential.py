"""Random rules and requests: the rule in a model of Traefik 1, and translated in a real Traefik 3, decide alike.

Many routers stand side by side, each with a priority of its own, so that the answer says which of them took a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bridge.labels.rules import write_rule
from bridge.layouts.traefik3_rules import translated
from bridge.model.route import Rule
from tests.golden_reader import rules as reader
from tests.golden_reader.rules import Request
from tests.servers import EtcdServer
from tests.test_rules import good_rules
from tests.test_traefik3_rules import requests
from tests.traefik import NEWEST, OLDEST, TraefikServer, running_traefik, until, web_servers

LOWEST = 1000  # priority of the first router
EACH = 5  # requests for each rule
LEAST = 200  # requests that must have been asked in one test
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-]+)*/?(?:\?[A-Za-z0-9_~=&-]*)?")  # Traefik cleans others before it looks
_TEXT = re.compile(r"[!-~](?:[ -~]*[!-~])?")


@dataclass
class Duel:
    """A Traefik 3 whose routers are exchanged, and what was asked of it."""

    traefik: TraefikServer
    etcd: EtcdServer
    service: str
    asked: int = 0
    taken: int = 0  # by a router
    stands: set[str] = field(default_factory=set)  # keys
    round: int = 0

    def publish(self, rules: list[str]) -> None:
        """Exactly these routers, by number; each says its number in its answers."""
        self.round += 1
        wanted: dict[str, str] = {}
        for at, rule in enumerate(rules):
            name, base = f"r{self.round}-{at}", f"{self.traefik.root}/http"
            wanted |= {
                f"{base}/middlewares/{name}/headers/customResponseHeaders/X-Route": str(at),
                f"{base}/routers/{name}/middlewares": name,
                f"{base}/routers/{name}/priority": str(LOWEST + at),
                f"{base}/routers/{name}/rule": rule,
                f"{base}/routers/{name}/service": self.service,
            }
        for key, value in wanted.items():
            self.etcd.put(key, value)
        for key in self.stands:
            self.etcd.delete(key)
        self.stands = {*wanted}
        names = {f"r{self.round}-{at}" for at in range(len(rules))}
        found = until(lambda: self.traefik.objects("routers"), lambda routers: routers.keys() == names)
        assert {one["status"] for one in found.values()} <= {"enabled"}, found

    def takes(self, request: Request) -> int | None:
        """The number of the router that answered."""
        answer = self.traefik.request(request.host, request.path, method=request.method, headers=request.headers)
        self.asked += 1
        route = answer.headers.get("x-route")
        self.taken += route is not None
        return None if route is None else int(route)


@pytest.fixture(scope="module", params=[NEWEST, OLDEST])
def duel(
    request: pytest.FixtureRequest, etcd_server: EtcdServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Duel]:
    root, folder = f"duel-{request.param}", Path(tmp_path_factory.mktemp("duel"))
    with (
        web_servers("web") as web,
        running_traefik(folder, "etcd", etcd_server.endpoint, root, which=request.param) as traefik,
    ):
        base = f"{root}/http/services/web/loadBalancer"
        etcd_server.put(f"{base}/passHostHeader", "true")
        etcd_server.put(f"{base}/servers/a/url", f"http://{web['web'].address}:{web['web'].port}")
        found = Duel(traefik, etcd_server, "web")
        yield found
    assert found.asked >= LEAST, "hardly anything was compared"
    assert found.taken >= found.asked / 10, "hardly any request was for a router"


def is_fair(request: Request) -> bool:
    """Whether both see the same request: what a client cannot send, or Traefik cleans before it looks, is none."""
    texts = (text for pair in request.headers.items() for text in pair)
    names = [name for name, _ in parse_qsl(request.path.partition("?")[2], keep_blank_values=True)]
    return (
        _PATH.fullmatch(request.path) is not None
        and request.path.startswith("/")
        and re.fullmatch(r"[a-z0-9.-]+", request.host) is not None
        and re.fullmatch(r"[A-Z]+", request.method) is not None
        and request.method != "CONNECT"
        and all(map(_TEXT.fullmatch, texts))
        and len(set(names)) == len(names)  # of several values Traefik 1 asks for the first, Traefik 3 for any
    )


@settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck], print_blob=False
)
@given(st.data(), st.lists(good_rules, min_size=20, max_size=30))
def test_both_traefiks_choose_the_same_of_many_rules(duel: Duel, data: st.DataObject, rules: list[Rule]) -> None:
    pairs = []
    for rule in rules:
        try:
            pairs.append((rule, translated(rule)))
        except ValueError:
            continue
    duel.publish([new for _, new in pairs])
    old = [reader.parse_rule(write_rule(rule)) for rule, _ in pairs]
    for rule, _ in pairs:
        for _ in range(EACH):
            request = data.draw(requests(rule))
            if not is_fair(request):
                continue
            expected = max((at for at, one in enumerate(old) if one.matches(request)), default=None)
            if expected is not None and old[expected].slash_moved(request):
                continue  # Traefik 3 does not send clients on
            assert duel.takes(request) == expected, (request, expected, pairs[expected or 0])
