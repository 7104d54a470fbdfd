"""TCP and UDP through a real Traefik 3: by labels of Traefik 2 and 3, and by `traefik.protocol`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import Bridge, silent
from tests.echoes import EchoServer, echo_servers, tcp_answer, udp_answer
from tests.publishing import ConsulPublication, Publication
from tests.servers import ConsulServer, EtcdServer, free_ports
from tests.traefik import NEWEST, OLDEST, TraefikServer, WebServer, running_traefik, until, web_servers

bridge = pytest.fixture(silent)

TIMES = 12  # questions to servers that share them
HTTP = "GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n"


@pytest.fixture(params=["etcd", "consul"])
def publication(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Publication | ConsulPublication]:
    prefix = f"layer4{tmp_path.name.replace('_', '-')}"
    server: EtcdServer | ConsulServer = request.getfixturevalue(f"{request.param}_server")
    found: Publication | ConsulPublication
    found = Publication(server, prefix) if isinstance(server, EtcdServer) else ConsulPublication(server, prefix)
    yield found
    found.close()


Box = EchoServer | WebServer


def service(name: str, boxes: Sequence[Box], labels: Mapping[str, str]) -> dict[str, object]:
    """As the metadata service tells of one."""
    return {
        "uuid": f"s-{name}",
        "name": name,
        "stack_name": "shop",
        "kind": "service",
        "labels": {"traefik.enable": "true", **{f"traefik.{label}": text for label, text in labels.items()}},
        "containers": [
            {
                "uuid": f"{name}-{box.name}",
                "name": box.name,
                "state": "running",
                "primary_ip": box.address,
                "labels": {},
            }
            for box in boxes
        ],
    }


Sync = Callable[..., None]


@pytest.fixture
def sync(bridge: Bridge, publication: Publication | ConsulPublication, tmp_path: Path) -> Sync:
    """One pass over a world of these services, without a problem."""

    def run(*services: dict[str, object]) -> None:
        stack = {"uuid": "st", "name": "shop", "environment_uuid": "e-1", "services": services}
        source = tmp_path / "world.json"
        source.write_text(json.dumps([stack]))
        said = ("--layout", "traefik3", "--store", publication.url, "--read-time", "0", "--force")
        ran = bridge("sync", *said, "--source", f"file:{source}", "--output", "json")
        assert ran.code == 0, ran.err + ran.out
        assert [one for one in ran.rows("problems") if not one["notice"]] == []

    return run


@dataclass
class Ports:
    """Of entry points of their own, by name."""

    sql: int
    mail: int
    dns: int
    log: int


@contextmanager
def traefik(
    folder: Path, publication: Publication | ConsulPublication, which: str
) -> Iterator[tuple[TraefikServer, Ports]]:
    ports = Ports(*free_ports(4))
    static = {
        f"entryPoints.{name}.address": f"127.0.0.1:{port}{'/udp' if name in ('dns', 'log') else ''}"
        for name, port in vars(ports).items()
    }
    store = publication.url.partition(":")[0]
    with running_traefik(
        folder / "traefik", store, publication.server.endpoint, publication.prefix, which=which, static=static
    ) as running:
        yield running, ports


def who(ask: Callable[[], str]) -> set[str]:
    return {ask().partition(" ")[0] for _ in range(TIMES)}


@pytest.mark.parametrize("which", [NEWEST, OLDEST])
def test_connections_and_datagrams_are_shared_by_servers_and_http_goes_on_beside_them(
    sync: Sync, publication: Publication | ConsulPublication, tmp_path: Path, which: str
) -> None:
    with (
        web_servers("web") as web,
        echo_servers("one", "two") as tcp,
        echo_servers("three", "four", udp=True) as udp,
        traefik(tmp_path, publication, which) as (running, ports),
    ):
        sql, dns = str(tcp["one"].port), str(udp["three"].port)
        mail = {
            "tcp.routers.mail.rule": "HostSNI(`mail.test`, `post.test`) && ClientIP(`127.0.0.0/8`)",
            "tcp.routers.mail.entrypoints": "mail",
            "tcp.routers.mail.tls": "true",
            "tcp.routers.mail.middlewares": "local@rancher",
            "tcp.routers.others.rule": "HostSNIRegexp(`{any:[a-z]+}.other.test`)",
            "tcp.routers.others.entrypoints": "mail",
            "tcp.routers.others.tls": "true",
            "tcp.routers.others.middlewares": "far",
            "tcp.middlewares.local.ipwhitelist.sourcerange": "127.0.0.1/32",
            "tcp.middlewares.far.ipallowlist.sourcerange": "192.0.2.0/24",
            "tcp.services.mail.loadbalancer.server.port": sql,
        }
        log = {"udp.routers.log.entrypoints": "log", "udp.services.log.loadbalancer.server.port": dns}

        def world(boxes: Sequence[Box], datagrams: Sequence[Box]) -> None:
            sync(
                # Its router names no entry point, so it is at those of TCP too.
                service("site", [web["web"]], {"http.routers.site.rule": "PathPrefix(`/`)"} | port("http", web["web"])),
                service("sql", boxes, {"protocol": "tcp", "port": sql, "frontend.entryPoints": "sql"}),
                service("mail", boxes, mail),
                service("dns", datagrams, {"protocol": "udp", "port": dns, "frontend.entryPoints": "dns"}),
                service("log", datagrams, log),
            )

        world([*tcp.values()], [*udp.values()])
        until(lambda: tcp_answer(ports.sql), lambda said: said.endswith(" hello\n"))
        assert who(lambda: tcp_answer(ports.sql)) == {"one", "two"}
        assert who(lambda: tcp_answer(ports.mail, name="post.test")) == {"one", "two"}
        assert who(lambda: tcp_answer(ports.mail, name="a.other.test")) == {""}
        assert who(lambda: udp_answer(ports.dns)) == who(lambda: udp_answer(ports.log)) == {"three", "four"}
        assert running.request("site.test").server == "web"

        world([tcp["two"]], [udp["four"]])
        until(lambda: who(lambda: tcp_answer(ports.sql)), lambda found: found == {"two"})
        assert who(lambda: tcp_answer(ports.mail, name="mail.test")) == {"two"}
        until(lambda: who(lambda: udp_answer(ports.dns)), lambda found: found == {"four"})

        world([], [])
        until(lambda: tcp_answer(ports.sql), lambda said: not said)
        assert tcp_answer(ports.sql, HTTP) == ""
        assert running.request("site.test").server == "web"
        for kind in ("tcp/routers", "udp/routers", "http/routers"):
            assert {one["status"] for one in running.api(kind)} == {"enabled"}

        world([tcp["one"]], [udp["three"]])
        until(lambda: tcp_answer(ports.sql), lambda said: said == "one hello\n")
        until(lambda: udp_answer(ports.dns), lambda said: said == "three hello\n")


def port(protocol: str, box: Box) -> dict[str, str]:
    return {f"{protocol}.services.site.loadbalancer.server.port": str(box.port)}
