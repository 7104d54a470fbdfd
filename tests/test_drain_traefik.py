"""Requests through a real Traefik 3 while one of two containers is drained, ended, started again and brought back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread

import pytest

from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import EtcdServer
from tests.test_run_etcd import Fleet, World, beside
from tests.traefik import TraefikServer, WebServer, running_traefik, until, web_servers
from tests.worlds.generate import stacks

HOST = "web-0.stack-0.local"
CLIENTS = 4
_prefixes = count(1)


class Load:
    """Clients that ask without a pause, each request on a connection of its own."""

    def __init__(self, traefik: TraefikServer) -> None:
        self._traefik, self._ended, self._lock = traefik, Event(), Lock()
        self.answered: dict[str, int] = {}  # by server
        self.failed: list[str] = []
        self._rounds = [0] * CLIENTS  # requests that each client has had an answer to
        self._threads = [Thread(target=self._ask, args=(number,), daemon=True) for number in range(CLIENTS)]

    @contextmanager
    def going_on(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join(30)

    def _ask(self, client: int) -> None:
        while not self._ended.is_set():
            try:
                answer = self._traefik.request(HOST)
                failure = "" if answer.status == 200 else f"{answer.status} {answer.body}"
            except OSError as err:
                failure, answer = repr(err), None
            with self._lock:
                self._rounds[client] += 1
                if failure or answer is None:
                    self.failed.append(failure)
                else:
                    self.answered[answer.server] = self.answered.get(answer.server, 0) + 1

    def count(self, server: str) -> int:
        with self._lock:
            return self.answered.get(server, 0)

    def let_pass(self) -> None:
        """Return once every request is over that is on its way."""
        before = [*self._rounds]
        until(lambda: all(now > then for now, then in zip(self._rounds, before, strict=True)))

    def more(self, server: str, requests: int = 60) -> None:
        """Return once a server has answered so many more."""
        before = self.count(server)
        until(lambda: self.count(server) >= before + requests)


def urls(traefik: TraefikServer) -> set[str]:
    """The servers that Traefik knows of the service."""
    found = [one for name, one in traefik.objects("services").items() if "web-0" in name]
    return {str(server["url"]) for one in found for server in one["loadBalancer"].get("servers", ())}


@pytest.mark.parametrize("kind", ["etcd", "consul"])
def test_while_a_container_is_drained_ended_and_brought_back_no_request_fails(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    server, prefix = request.getfixturevalue(f"{kind}_server"), f"load{next(_prefixes)}"
    publication: Publishing
    publication = Publication(server, prefix) if isinstance(server, EtcdServer) else ConsulPublication(server, prefix)
    world = World(tmp_path / "world.json", stacks(1, 2))
    with ExitStack() as stack:
        stack.callback(publication.close)
        webs = stack.enter_context(web_servers("a", "b"))
        for box, web in zip(world.containers(0), webs.values(), strict=True):
            box["primary_ip"] = web.address
            box["labels"] = {"traefik.enable": "true", "traefik.port": str(web.port)}
        world.write()
        fleet = Fleet(publication, world, stack)
        fleet.start("one", "--layout", "traefik3")
        traefik = stack.enter_context(running_traefik(tmp_path / "traefik", kind, server.endpoint, prefix))
        first, other = (f"http://{web.address}:{web.port}" for web in webs.values())
        until(lambda: urls(traefik) == {first, other})
        load, drained = Load(traefik), str(world.containers(0)[0]["uuid"])
        with load.going_on():
            load.more("a")
            load.more("b")
            assert beside(fleet, "drain", "--container", drained, "--layout", "traefik3").returncode == 0
            until(lambda: urls(traefik) == {other})
            load.let_pass()
            webs["a"].stop()
            last = load.count("a")
            load.more("b")
            assert load.count("a") == last
            stack.callback(WebServer("a", webs["a"].port, webs["a"].address).stop)
            assert beside(fleet, "undrain", "--container", drained, "--layout", "traefik3").returncode == 0
            until(lambda: urls(traefik) == {first, other})
            load.more("a")
            load.more("b")
        assert load.failed == []
        assert load.answered.keys() == {"a", "b"}
