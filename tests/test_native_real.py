"""Labels of Traefik 2 and 3 as a real Traefik 3 takes them: each router enabled, or a problem that names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.layouts import Target, layout
from bridge.model.world import Container, Service
from bridge.routes import Policy, judge_all
from bridge.sync import lay_out
from tests.commands import Bridge, silent
from tests.publishing import ConsulPublication, Publication, container, service, world
from tests.servers import ConsulServer, EtcdServer
from tests.traefik import NEWEST, OLDEST, TraefikServer, running_traefik, until, web_servers

bridge = pytest.fixture(silent)

REAL = Path(__file__).parent / "samples" / "real.stacks.json"
PLUGIN = """package geoblock

import (
\t"context"
\t"net/http"
)

type Config struct {
\tAllowPrivate         bool     `json:"allowPrivate,omitempty"`
\tDatabaseFilePath     string   `json:"databaseFilePath,omitempty"`
\tDisallowedCountries  []string `json:"disallowedCountries,omitempty"`
\tDisallowedStatusCode int      `json:"disallowedStatusCode,omitempty"`
\tEnabled              bool     `json:"enabled,omitempty"`
}

func CreateConfig() *Config { return &Config{} }

func New(_ context.Context, next http.Handler, config *Config, _ string) (http.Handler, error) {
\treturn http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
\t\tcountry := r.Header.Get("X-Country")
\t\tif config.Enabled && len(config.DisallowedCountries) == 2 && country == config.DisallowedCountries[0] {
\t\t\tw.WriteHeader(config.DisallowedStatusCode)
\t\t\treturn
\t\t}
\t\tnext.ServeHTTP(w, r)
\t}), nil
}
"""
MODULE = "example.org/geoblock"


@pytest.fixture
def publication(etcd_server: EtcdServer, tmp_path: Path) -> Iterator[Publication]:
    found = Publication(etcd_server, f"native{tmp_path.name.replace('_', '-')}")
    yield found
    found.close()


@pytest.fixture
def consul(consul_server: ConsulServer, tmp_path: Path) -> Iterator[ConsulPublication]:
    found = ConsulPublication(consul_server, f"native{tmp_path.name.replace('_', '-')}")
    yield found
    found.close()


@contextmanager
def traefik(folder: Path, publication: Publication | ConsulPublication, which: str = NEWEST) -> Iterator[TraefikServer]:
    """One that has a plugin for countries, as the samples' owners have."""
    source = folder / "traefik" / "plugins-local" / "src" / MODULE
    source.mkdir(parents=True)
    source.joinpath("geoblock.go").write_text(PLUGIN)
    source.joinpath("go.mod").write_text(f"module {MODULE}\n\ngo 1.19\n")
    source.joinpath(".traefik.yml").write_text(
        f"displayName: geoblock\ntype: middleware\nimport: {MODULE}\nsummary: a test\ntestData: {{}}\n"
    )
    static = {"experimental.localPlugins.geoblock.moduleName": MODULE}
    endpoint, store = publication.server.endpoint, publication.url.partition(":")[0]
    with running_traefik(
        folder / "traefik", store, endpoint, publication.prefix, which=which, static=static
    ) as running:
        yield running


def urls(found: Mapping[str, Any]) -> list[str]:
    return sorted(one["url"] for one in found["loadBalancer"]["servers"])


@pytest.mark.parametrize(
    ("store", "which"), [("publication", NEWEST), ("publication", OLDEST), ("consul", NEWEST), ("consul", OLDEST)]
)
def test_every_router_of_real_labels_is_enabled_or_its_problem_is_named(
    bridge: Bridge, request: pytest.FixtureRequest, tmp_path: Path, store: str, which: str
) -> None:
    publication: Publication | ConsulPublication = request.getfixturevalue(store)
    provider = "etcd" if store == "publication" else store
    said = ("--layout", "traefik3", "--store", publication.url, "--source", f"file:{REAL}", "--read-time", "0")
    ran = bridge("sync", *said, "--output", "json")
    assert ran.code == 0, ran.err
    problems = {
        (one["service"], one["label"], one["suggestion"])
        for one in ran.rows("problems")
        if not one["notice"] and "traefik.http" in str(one["label"])
    }
    assert problems == {
        (
            "copernicus-land/apache",
            "traefik.http.routers.copernicus-land.rule",
            "write Host(`land.example.org`) || Host(`www.land.example.org`)",
        )
    }
    with traefik(tmp_path, publication, which) as running:
        routers = until(lambda: running.objects("routers"))
        assert {name: one["status"] for name, one in routers.items()} == dict.fromkeys(routers, "enabled")
        native = {
            name: (one["priority"], one.get("middlewares", [])) for name, one in routers.items() if "__" not in name
        }
        assert native == {
            "land-post": (83, [f"land-post-ratelimit@{provider}"]),
            "land-dwn": (151, [f"land-dwn-ratelimit@{provider}"]),
            "land-default": (65, []),
            "insitu-front": (51, [f"insitu-front-geoblock@{provider}", f"insitu-front-ratelimit@{provider}"]),
            "taskman": (73, []),
            "taskmanhw": (72, [f"taskmanhw-ratelimit@{provider}"]),
        }
        services = running.objects("services")
        of_both = [f"http://10.42.0.{number}:8080" for number in (15, 16, 17, 18)]
        assert urls(services["land-post"]) == urls(services["land-dwn"]) == of_both
        assert urls(services["land-default"]) == ["http://10.42.0.25:8080", "http://10.42.0.26:8080"]
        assert urls(services["insitu-front"]) == ["http://10.42.0.39:3000", "http://10.42.0.40:3000"]
        assert (
            urls(services["taskman"]) == urls(services["taskmanhw"]) == ["http://10.42.0.72:80", "http://10.42.0.73:80"]
        )
        assert running.request("insitu.example.org", headers={"X-Country": "RU"}).status == 204
        assert running.request("www.insitu.example.org", headers={"X-Country": "RU"}).status == 204
    again = bridge("sync", *said, "--output", "json")
    assert (again.code, again.rows("written")) == (0, [])
    assert bridge("leave", *said[:4]).code == 0
    assert publication.held(f"{publication.prefix}/") == {}


def asks(name: str, *boxes: Container, **labels: str) -> Service:
    """A service whose labels are those alone; their dots are written as double underscores."""
    said = {"traefik." + label.replace("__", "."): text for label, text in labels.items()}
    one = service(name, 0)
    return replace(one, labels={"traefik.enable": "true", **said}, containers=boxes)


def test_requests_go_where_traefik_2_sent_them_and_none_past_its_guard(
    publication: Publication, tmp_path: Path
) -> None:
    with web_servers("one", "two", "post") as web:
        port = {name: str(one.port) for name, one in web.items()}
        get = {"http__routers__site__rule": "Host(`a.test`, `b.test`) && PathPrefix(`/{part}`)"}
        pieces = world(
            asks(
                "one",
                container("c-one", web["one"].address),
                **get,
                http__services__site__loadbalancer__server__port=port["one"],
            ),
            asks(
                "two",
                container("c-two", web["two"].address),
                **get,
                http__services__site__loadbalancer__server__port=port["two"],
            ),
            asks(
                "post",
                container("c-post", web["post"].address),
                http__routers__posts__rule="Host(`a.test`) && Method(`POST`) && PathPrefix(`/part`)",
                http__services__posts__loadbalancer__server__port=port["post"],
                http__routers__guarded__rule="Host(`c.test`)",
                http__routers__guarded__middlewares="users@rancher",
                http__middlewares__users__basicauth__users="joe:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/",
                http__routers__open__rule="Host(`d.test`)",
                http__routers__open__middlewares="odd@rancher",
                http__middlewares__odd__basicauth__usres="joe:x",
            ),
        )
        wishes, problems = lay_out(judge_all(pieces, Policy()), layout("traefik3", Target((3, 0))), "default")
        assert [problem.label for problem in problems if not problem.notice] == [
            "traefik.http.middlewares.odd.basicauth.usres",
            "traefik.http.routers.open.middlewares",
        ]
        keys = {path: value for wish in wishes.values() for path, value in (*wish.shared.items(), *wish.own.items())}
        for path, value in keys.items():
            publication.server.put(f"{publication.prefix}/{path}", value)
        with traefik(tmp_path, publication) as running:
            until(lambda: running.request("a.test", "/x").status, lambda status: status == 200)
            assert {running.request("a.test", "/x").server for _ in range(8)} == {"one", "two"}
            assert running.request("b.test", "/x").server in ("one", "two")
            assert running.request("a.test", "/part", method="POST").server == "post"
            assert running.request("c.test").status == 401
            assert running.request("d.test").status == 404
