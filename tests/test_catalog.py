"""The template for Rancher's catalog: whatever is answered, its parts fit together, and Traefik 3 starts with it."""

from __future__ import annotations

import itertools
import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge import __version__
from bridge.cli.wiring import sites
from bridge.config import HTTP, STORE, TABLE, load
from tests.catalog import Question, questions, rendered
from tests.grounds import eventually
from tests.servers import STARTS_WITHIN, Certificates, ConsulServer, EtcdServer, free_ports
from tests.test_compose import (
    CHECK_KEYS,
    DOCKER_KEYS,
    OWN_NAME,
    RANCHER_KEYS,
    SCHEDULER,
    TRAEFIK_FLAGS,
    flags,
    started,
    until_it_answers,
)
from tests.test_compose import texts as texts_of
from tests.traefik import traefik_binary

FOLDER = Path(__file__).parent.parent / "compose" / "catalog" / "templates" / "bridge" / "0"
DOCKER = (FOLDER / "docker-compose.yml.tpl").read_text(encoding="utf-8")
RANCHER = (FOLDER / "rancher-compose.yml").read_text(encoding="utf-8")
ASKED = questions(FOLDER / "rancher-compose.yml")
USUAL = {one.variable: one.default for one in ASKED}

# Of Traefik 1.7, besides those of the other compose files, as its own help lists them.
MORE_FLAGS = {"metrics.prometheus", "metrics.prometheus.entrypoint", "sendanonymoususage", "insecureskipverify"}
MORE_FLAGS |= {f"respondingtimeouts.{part}" for part in ("readtimeout", "writetimeout", "idletimeout")}
MORE_FLAGS |= {f"forwardingtimeouts.{part}" for part in ("dialtimeout", "responseheadertimeout")}
POINT_OPTIONS = {"Name", "Address", "Compress", "ProxyProtocol.TrustedIPs", "ForwardedHeaders.TrustedIPs"}
POINT_OPTIONS |= {"Redirect.Regex", "Redirect.Replacement", "TLS", "TLS.MinVersion"}


def question(name: str) -> Question:
    return next(one for one in ASKED if one.variable == name)


def answer_sets() -> Iterator[dict[str, str]]:
    """Every choice with every other that changes which services there are, and the rest in turn."""
    rest = itertools.cycle(
        [
            {},
            {"compress": "false", "metrics": "true", "address": "host", "health": "require", "bridges": "1"},
            {"trusted_ips": "10.0.0.0/8,192.168.0.1", "constraints": "tag==api", "domain": "example.org"},
        ]
    )
    choices = (question(name).options for name in ("traefik", "store", "https"))
    for traefik, store, https in itertools.product(*choices):
        chosen = USUAL | {"traefik": traefik, "store": store, "https": https} | next(rest)
        if store.endswith("-elsewhere"):
            chosen |= {"store_address": "one.example.org:1234,two.example.org:1234"}
            chosen |= {"store_token": "a-token"} if "consul" in store else {"store_user": "u", "store_password": "p"}
        yield chosen


ANSWERS = list(answer_sets())


@pytest.fixture(params=ANSWERS, ids=lambda one: "-".join((one["traefik"], one["store"], one["https"])))
def answers(request: pytest.FixtureRequest) -> dict[str, str]:
    found: dict[str, str] = request.param
    return found


def services(answers: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = rendered(DOCKER, answers)["services"]
    return found


def test_each_question_has_an_answer_that_its_type_takes() -> None:
    assert len({one.variable for one in ASKED}) == len(ASKED)
    for one in ASKED:
        assert one.type in {"string", "int", "boolean", "enum", "password"}, one.variable
        assert bool(one.options) == (one.type == "enum"), one.variable
        assert all(isinstance(option, str) for option in one.options), f"{one.variable}: YAML makes no text of it"
        assert one.default in one.options or one.type != "enum", one.variable
        assert one.default or not one.required, one.variable
        assert one.type != "boolean" or one.default in ("true", "false"), one.variable
        assert one.type != "int" or one.default.isdecimal(), one.variable


def test_every_answer_is_used_and_nothing_is_used_that_nobody_was_asked_for() -> None:
    text = DOCKER + RANCHER
    used = set(re.findall(r"\.Values\.(\w+)", text)) | set(re.findall(r"(?<!\$)\$\{(\w+)\}", text))
    assert used == set(USUAL)


def test_both_files_name_the_same_services_with_words_that_rancher_knows(answers: dict[str, str]) -> None:
    docker, rancher = rendered(DOCKER, answers), rendered(RANCHER, answers)
    assert docker["services"].keys() == rancher["services"].keys()
    wanted = {"bridge"} | {answers[name] for name in ("store",) if "-" not in answers[name]}
    wanted |= {"traefik"} if "-" not in answers["traefik"] else set()
    assert docker["services"].keys() == wanted
    for one in docker["services"].values():
        assert one.keys() <= DOCKER_KEYS
        assert all(isinstance(value, str) for value in one["labels"].values())
    for one in rancher["services"].values():
        assert one.keys() <= RANCHER_KEYS
        assert one.get("health_check", {}).keys() <= CHECK_KEYS
        assert "health_check" in one
    listens = load("run", {}, docker["services"]["bridge"]["environment"]).get(HTTP)
    assert listens is not None
    assert rancher["services"]["bridge"]["health_check"]["port"] == listens.port
    mounted = {volume.split(":")[0] for one in docker["services"].values() for volume in one.get("volumes", ())}
    assert {name for name in mounted if not name.startswith("/")} == docker.get("volumes", {}).keys()


def test_the_bridge_understands_what_it_is_told(answers: dict[str, str]) -> None:
    bridge = services(answers)["bridge"]
    told: dict[str, str] = bridge["environment"]
    assert told.keys() <= {row.variable for row in TABLE if "run" in row.commands}
    assert all(isinstance(value, str) for value in told.values())
    (site,) = sites(load("run", {}, told))
    assert site.layout.name == f"traefik{answers['traefik'][0]}"
    assert site.store_kind == answers["store"].split("-")[0]
    for row in TABLE:
        if row.variable in told:
            load("run", {}, told).find(row)
    assert bridge["labels"][f"{SCHEDULER}container_label_soft_ne"] == OWN_NAME.replace("$$", "$")


def test_images_are_pinned_and_nothing_may_write_or_has_a_capability_too_many(answers: dict[str, str]) -> None:
    for name, one in services(answers).items():
        assert re.fullmatch(r"[a-z0-9/-]+:v?\d+\.\d+\.\d+", one["image"]), name
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert name == "consul" or "cap_add" not in one
        assert one["labels"]["traefik.enable"] == "false"
    assert services(answers)["bridge"]["image"] == f"rancher-traefik-bridge:{__version__}"


IN_STACK = [one for one in ANSWERS if "-" not in one["traefik"]]


@pytest.mark.parametrize("told", IN_STACK, ids=lambda one: "-".join((one["traefik"], one["store"], one["https"])))
def test_traefik_reads_the_store_that_the_bridge_writes_and_listens_where_its_ports_lead(told: dict[str, str]) -> None:
    stack = services(told)
    store = load("run", {}, stack["bridge"]["environment"]).get(STORE)
    command = flags(stack["traefik"]["command"])
    endpoints = ",".join(one.at({"etcd": 2379, "consul": 8500}[store.kind]) for one in store.endpoints)
    ports = {
        inside: outside for outside, inside in (port.split("/")[0].split(":") for port in stack["traefik"]["ports"])
    }
    wanted = {"8080": told["http_port"]} | ({"8443": told["https_port"]} if told["https"] != "false" else {})
    assert ports == wanted
    if told["traefik"] == "1.7":
        assert command.keys() <= TRAEFIK_FLAGS | MORE_FLAGS
        assert command[f"{store.kind}.endpoint"] == [endpoints]
        points = [dict(option.split(":", 1) for option in point.split(" ")) for point in command["entrypoints"]]
        assert all(point.keys() <= POINT_OPTIONS for point in points)
        assert {point["Name"]: point["Address"] for point in points} == {
            "http": ":8080",
            "ping": ":8082",
            **({"https": ":8443"} if told["https"] != "false" else {}),
        }
    else:
        assert command[f"providers.{store.kind}.endpoints"] == [endpoints]
        assert command[f"providers.{store.kind}.rootKey"] == ["traefik"]
    assert rendered(RANCHER, told)["services"]["traefik"]["health_check"]["port"] == 8082


def is_unknown(url: str, trust: ssl.SSLContext) -> bool:
    """Whether it answers with a certificate that is trusted, and knows no route."""
    try:
        urllib.request.urlopen(url, context=trust, timeout=10)
    except urllib.error.HTTPError as err:
        return err.code == 404
    except urllib.error.URLError:
        return False
    return False


@pytest.mark.parametrize("https", question("https").options)
@pytest.mark.parametrize("kind", ["etcd", "consul"])
def test_a_real_traefik_3_starts_with_these_flags(
    kind: str,
    https: str,
    etcd_server: EtcdServer,
    consul_server: ConsulServer,
    certificates: Certificates,
    tmp_path: Path,
) -> None:
    chosen = USUAL | {"traefik": "3", "store": kind, "https": https, "metrics": "true", "trusted_ips": "127.0.0.1/32"}
    http, tls, ping = free_ports(3)
    server: EtcdServer | ConsulServer = etcd_server if kind == "etcd" else consul_server
    own = {
        ":8080": f"127.0.0.1:{http}",
        ":8443": f"127.0.0.1:{tls}",
        ":8082": f"127.0.0.1:{ping}",
        f"{kind}:{2379 if kind == 'etcd' else 8500}": server.endpoint,
        "/certs/certs.yml": str(tmp_path / "certs.yml"),
    }
    command = []
    for word in texts_of(services(chosen)["traefik"]["command"]):
        name, _, value = word.partition("=")
        command.append(f"{name}={own.get(value, value)}")
    pair = {"certFile": certificates.server_cert, "keyFile": certificates.server_key}
    (tmp_path / "certs.yml").write_text(json.dumps({"tls": {"stores": {"default": {"defaultCertificate": pair}}}}))
    with started([traefik_binary(), *command], tmp_path / "log") as alive:
        until_it_answers(ping, "/ping", alive, tmp_path / "log")
        if https != "false":
            trust = ssl.create_default_context(cafile=certificates.ca)
            eventually(STARTS_WITHIN, lambda: is_unknown(f"https://localhost:{tls}/", trust))  # it reads the file late
        with urllib.request.urlopen(f"http://127.0.0.1:{ping}/metrics", timeout=10) as answer:
            assert b"traefik_" in answer.read()
    assert " ERR " not in (tmp_path / "log").read_text()
