"""The compose files: what each of them asks for exists, fits the others, and is what the README says of them.

No Rancher and no Docker read them here. Parsers do, the bridge's own code reads its part, and the stores start with the
flags that stand there.
"""

from __future__ import annotations

import ipaddress
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml

from bridge import __version__
from bridge.config import HTTP, SOURCE, STORE, TABLE, load
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.sources import open_source
from tests.dockerfile import instructions
from tests.publishing import keys, service, world
from tests.servers import STARTS_WITHIN, consul_binary, etcd_binary, free_ports

Yaml: TypeAlias = "bool | int | float | str | list[Yaml] | dict[str, Yaml] | None"
Service: TypeAlias = dict[str, Yaml]

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "compose"
STACKS = ("rancher", "rancher-consul")  # of Rancher, with the bridge
IN_RANCHER = (*STACKS, "web-test")
ALL = (*IN_RANCHER, "local")
BRIDGES = (*STACKS, "local")

# What Rancher 1.6's compose takes of a service in version 2, of what is used here.
DOCKER_KEYS = {
    "cap_add",
    "cap_drop",
    "command",
    "environment",
    "image",
    "labels",
    "ports",
    "read_only",
    "user",
    "volumes",
}
RANCHER_KEYS = {"health_check", "scale"}
CHECK_KEYS = {"healthy_threshold", "initializing_timeout", "interval", "port", "request_line", "response_timeout"}
CHECK_KEYS |= {"strategy", "unhealthy_threshold"}
LOCAL_KEYS = DOCKER_KEYS | {"build", "healthcheck", "networks", "restart"}
SCHEDULER = "io.rancher.scheduler.affinity:"
OWN_NAME = "io.rancher.stack_service.name=$${stack_name}/$${service_name}"  # $$: Rancher's to fill in, not compose's

# Flags of Traefik 1.7, as its own help lists them; all others are a fault there.
TRAEFIK_FLAGS = {"checknewversion", "defaultentrypoints", "entrypoints", "loglevel", "ping", "ping.entrypoint"}
TRAEFIK_FLAGS |= {f"etcd{part}" for part in ("", ".endpoint", ".prefix", ".useapiv3", ".watch")}
TRAEFIK_FLAGS |= {f"consul{part}" for part in ("", ".endpoint", ".prefix", ".watch")}


def parsed(folder: str, name: str = "docker-compose.yml") -> dict[str, Yaml]:
    found = yaml.safe_load((COMPOSE / folder / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def services(folder: str, name: str = "docker-compose.yml") -> dict[str, Service]:
    found = parsed(folder, name)["services"]
    assert isinstance(found, dict)
    return {key: mapping(value) for key, value in found.items()}


def mapping(value: Yaml) -> dict[str, Yaml]:
    assert isinstance(value, dict)
    return value


def texts(value: Yaml) -> list[str]:
    """A list of texts: what YAML makes a number or a truth of would reach Rancher as something else."""
    assert isinstance(value, list)
    assert all(isinstance(one, str) for one in value)
    return [str(one) for one in value]


def named_texts(value: Yaml) -> dict[str, str]:
    found = mapping(value)
    assert all(isinstance(one, str) for one in found.values()), found
    return {key: str(one) for key, one in found.items()}


def flags(command: Yaml) -> dict[str, list[str]]:
    """--name=value and --name of a command, each with all its values."""
    found: dict[str, list[str]] = {}
    for word in texts(command):
        if word.startswith("--"):
            name, _, value = word.removeprefix("--").partition("=")
            found.setdefault(name, []).append(value)
    return found


def kind_of(folder: str) -> str:
    """The store's, as the bridge there is told."""
    return load("run", {}, environment(folder)).get(STORE).kind


def environment(folder: str) -> dict[str, str]:
    return named_texts(services(folder)["bridge"]["environment"])


# All of them


@pytest.mark.parametrize("folder", ALL)
def test_every_image_is_pinned_by_a_tag_that_names_a_release(folder: str) -> None:
    for name, one in services(folder).items():
        assert re.fullmatch(r"[a-z0-9/-]+:v?\d+\.\d+\.\d+", str(one["image"])), name


@pytest.mark.parametrize("folder", ALL)
def test_no_service_may_write_its_image_or_has_a_capability_that_it_does_not_need(folder: str) -> None:
    for name, one in services(folder).items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert name == "consul" or "cap_add" not in one, name
        assert name in ("bridge", "etcd", "consul") or one["user"] == "65532:65532", name


@pytest.mark.parametrize("folder", IN_RANCHER)
def test_rancher_knows_every_word_and_both_files_name_the_same_services(folder: str) -> None:
    docker, rancher = services(folder), services(folder, "rancher-compose.yml")
    assert docker.keys() == rancher.keys()
    assert parsed(folder)["version"] == parsed(folder, "rancher-compose.yml")["version"] == "2"
    assert parsed(folder).keys() <= {"version", "services", "volumes"}
    for one in docker.values():
        assert one.keys() <= DOCKER_KEYS
        named_texts(one["labels"])
    for one in rancher.values():
        assert one.keys() <= RANCHER_KEYS
        assert mapping(one.get("health_check", {})).keys() <= CHECK_KEYS


@pytest.mark.parametrize("folder", ALL)
def test_every_named_volume_is_declared_and_used(folder: str) -> None:
    mounted = {name for one in services(folder).values() for name in map(source_of, texts(one.get("volumes", [])))}
    declared = mapping(parsed(folder).get("volumes", {})).keys()
    assert {name for name in mounted if not name.startswith(".")} == declared


def source_of(volume: str) -> str:
    return volume.split(":")[0]


# The bridge


@pytest.mark.parametrize("folder", BRIDGES)
def test_every_setting_of_the_bridge_is_one_that_run_takes_and_can_read(folder: str) -> None:
    told = environment(folder)
    assert told.keys() <= {row.variable for row in TABLE if "run" in row.commands}
    config = load("run", {}, told)
    assert config.get(SOURCE)
    assert config.get(STORE)


@pytest.mark.parametrize("folder", BRIDGES)
def test_the_bridge_is_the_image_of_this_version_and_runs_what_the_image_runs(folder: str) -> None:
    bridge = services(folder)["bridge"]
    (user,) = (one.text for one in instructions((ROOT / "Dockerfile").read_text()) if one.word == "USER")
    assert bridge["image"] == f"rancher-traefik-bridge:{__version__}"
    assert bridge.get("user", user) == user
    assert "command" not in bridge


@pytest.mark.parametrize("folder", STACKS)
def test_two_bridges_are_never_on_one_host_and_each_has_a_name_that_lasts(folder: str) -> None:
    bridge = services(folder)["bridge"]
    labels = named_texts(bridge["labels"])
    assert services(folder, "rancher-compose.yml")["bridge"]["scale"] == 2
    assert labels[f"{SCHEDULER}container_label_ne"] == OWN_NAME
    assert labels["io.rancher.container.hostname_override"] == "container_name"
    assert "BRIDGE_REPLICA" not in environment(folder)  # it would be the same one for both


@pytest.mark.parametrize("folder", STACKS)
def test_the_bridge_hears_of_services_from_the_metadata_service(folder: str) -> None:
    assert environment(folder)["BRIDGE_SOURCE"] == "http://rancher-metadata"


@pytest.mark.parametrize("folder", STACKS)
def test_the_stack_does_not_publish_itself(folder: str) -> None:
    for name, one in services(folder).items():
        labels = named_texts(one["labels"])
        assert published(name, labels) == {}, name
        assert labels["traefik.enable"] == "false"


def published(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """What the bridge makes of a healthy service with these labels: path and value."""
    seen = world(replace(service(name, 1), stack="proxy-test", labels=dict(labels)))
    return keys(seen, backstop=False)


# Traefik and the stores


@pytest.mark.parametrize("folder", BRIDGES)
def test_traefik_reads_what_the_bridge_writes(folder: str) -> None:
    told, store = flags(services(folder)["traefik"]["command"]), load("run", {}, environment(folder)).get(STORE)
    usual = {"etcd": 2379, "consul": 8500}[store.kind]
    assert told.keys() <= TRAEFIK_FLAGS
    assert told[f"{store.kind}.endpoint"] == [",".join(one.at(usual) for one in store.endpoints)]
    assert told[f"{store.kind}.prefix"][0] + "/" == TRAEFIK1.tree_prefix(store.prefix, store.kind)
    assert told[store.kind] == told[f"{store.kind}.watch"] == [""]
    assert ("etcd.useapiv3" in told) == (store.kind == "etcd")
    assert {one.host for one in store.endpoints} <= services(folder).keys()


@pytest.mark.parametrize("folder", BRIDGES)
def test_traefik_takes_requests_where_its_port_leads_and_pings_where_it_is_checked(folder: str) -> None:
    traefik = services(folder)["traefik"]
    told = flags(traefik["command"])
    points = dict(re.findall(r"Name:(\w+) Address::(\d+)", " ".join(told["entrypoints"])))
    (port,) = texts(traefik["ports"])
    assert points[told["defaultentrypoints"][0]] == re.split(r"[:/]", port.removeprefix("127.0.0.1:"))[1]
    assert told["ping.entrypoint"][0] not in told["defaultentrypoints"]
    ping = points[told["ping.entrypoint"][0]]
    if folder == "local":
        asked = flags(mapping(traefik["healthcheck"])["test"])
        assert asked["ping.entrypoint"] == told["ping.entrypoint"]
        assert set(asked["entrypoints"]) <= set(told["entrypoints"])
    else:
        assert check(folder, "traefik") == (int(ping), "/ping")


@pytest.mark.parametrize("folder", STACKS)
def test_traefik_runs_on_each_host_with_the_label_and_on_no_other(folder: str) -> None:
    labels = named_texts(services(folder)["traefik"]["labels"])
    assert labels["io.rancher.scheduler.global"] == "true"
    assert labels[f"{SCHEDULER}host_label"] == "traefik_lb=true"
    assert "scale" not in services(folder, "rancher-compose.yml")["traefik"]


def check(folder: str, name: str) -> tuple[int, str]:
    """Port and path of a service's health check in Rancher."""
    found = mapping(services(folder, "rancher-compose.yml")[name]["health_check"])
    line = re.fullmatch(r'GET "(/[^"]*)" "HTTP/1\.0"', str(found["request_line"]))
    assert line
    assert found["strategy"] == "recreate"
    port = found["port"]
    assert isinstance(port, int)
    return port, line[1]


@pytest.mark.parametrize("folder", STACKS)
def test_whatever_listens_is_checked(folder: str) -> None:
    checked = {name for name, one in services(folder, "rancher-compose.yml").items() if "health_check" in one}
    assert checked == services(folder).keys()


@pytest.mark.parametrize("folder", STACKS)
def test_the_bridge_is_checked_where_it_answers(folder: str) -> None:
    listens = load("run", {}, named_texts(services(folder)["bridge"]["environment"])).get(HTTP)
    assert listens is not None
    assert listens.host == "0.0.0.0"
    assert check(folder, "bridge") == (listens.port, "/healthz")


def answers(port: int, path: str) -> bool:
    """Whether an HTTP/1.0 request, as Rancher's health check sends it, gets 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return b" 200 " in connection.makefile("rb").readline()
    except OSError:
        return False


@contextmanager
def started(command: list[str], log: Path) -> Iterator[Callable[[], bool]]:
    """A server while the block runs; tells whether it still does."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield lambda: process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def with_own(words: list[str], **own: str) -> list[str]:
    """A command in which these flags have the test's own values; each must be there."""
    found = words
    for name, value in own.items():
        flag = name.replace("_", "-")
        found = [re.sub(rf"^(--?{flag}=).*", rf"\g<1>{value}", word) for word in found]
        assert found != words, f"no {flag} in {words}"
    return found


@pytest.mark.parametrize("folder", ["rancher", "local"])
def test_etcd_starts_with_these_flags_and_answers_its_health_check(folder: str, tmp_path: Path) -> None:
    client, peer = free_ports(2)
    url = f"http://127.0.0.1:{client}"
    words = texts(services(folder)["etcd"]["command"])
    assert words[0] == "/usr/local/bin/etcd"
    command = with_own(words[1:], data_dir=str(tmp_path / "data"), listen_client_urls=url, advertise_client_urls=url)
    ours = f"http://127.0.0.1:{peer}"
    peers = ["--listen-peer-urls", ours, "--initial-advertise-peer-urls", ours, "--initial-cluster", f"default={ours}"]
    with started([etcd_binary(), *command, *peers], tmp_path / "log") as alive:
        until_it_answers(client, "/health", alive, tmp_path / "log")
    assert flags(services(folder)["etcd"]["command"])["auto-compaction-retention"] == [
        "1h"
    ]  # else it keeps every revision
    if folder == "rancher":
        assert check(folder, "etcd") == (2379, "/health")
    assert f":{check('rancher', 'etcd')[0]}" in " ".join(words)


def test_consul_starts_with_these_flags_and_answers_its_health_check(tmp_path: Path) -> None:
    api, rpc, serf = free_ports(3)
    command = with_own(
        texts(services("rancher-consul")["consul"]["command"]), data_dir=str(tmp_path / "data"), client="127.0.0.1"
    )
    ports = [f"-http-port={api}", f"-server-port={rpc}", f"-serf-lan-port={serf}", "-serf-wan-port=-1"]
    port, path = check("rancher-consul", "consul")
    assert port == 8500
    with started([consul_binary(), *command, *ports], tmp_path / "log") as alive:
        until_it_answers(api, path, alive, tmp_path / "log")


def until_it_answers(port: int, path: str, alive: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while not answers(port, path):
        assert alive(), log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.05)


@pytest.mark.parametrize(("folder", "path"), [("rancher", "/etcd-data"), ("rancher-consul", "/consul/data")])
def test_the_stores_data_lie_on_a_volume(folder: str, path: str) -> None:
    store = services(folder)[kind_of(folder)]
    (volume,) = texts(store["volumes"])
    assert volume.split(":")[1] == path
    assert any(word.endswith(f"-data-dir={path}") for word in texts(store["command"]))


# The sample service, and the one that needs no Rancher


def test_the_sample_service_is_published_under_the_names_that_its_file_tells() -> None:
    labels = named_texts(services("web-test")["web-test"]["labels"])
    told = published("web-test", labels)
    rule = told["frontends/web-test__proxy-test/routes/main/rule"]
    hosts = set(rule.removeprefix("Host:").split(","))
    names = ("web-test.proxy-test", "web1", "web2")
    assert hosts == {f"{name}.{domain}" for name in names for domain in ("local", "internal")}
    (url,) = (value for path, value in told.items() if path.endswith("/url"))
    assert url.endswith(f":{check('web-test', 'web-test')[0]}")
    assert flags(services("web-test")["web-test"]["command"])["port"] == [labels["traefik.port"]]
    assert services("web-test", "rancher-compose.yml")["web-test"]["scale"] == 3


def test_the_local_world_is_that_of_the_local_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = services("local")["bridge"]
    (mounted,) = texts(bridge["volumes"])
    outside, inside, rights = mounted.split(":")
    assert rights == "ro"
    path = environment("local")["BRIDGE_SOURCE"].removeprefix("file:")
    monkeypatch.chdir(COMPOSE / "local")
    seen = open_source(f"file:{path.replace(inside, outside, 1)}", hosts=False).read()
    assert not seen.problems
    (found,) = seen.services
    assert (found.name, found.stack) == ("web-test", "proxy-test")
    assert {one.address for one in found.containers} == set(addresses().values())
    assert [one.health_state for one in found.containers] == ["healthy", "healthy", "unhealthy"]
    for name in addresses():
        assert flags(services("local")[name]["command"])["port"] == [found.labels["traefik.port"]]


def addresses() -> dict[str, str]:
    """The fixed ones, by service."""
    fixed = {name: one["networks"] for name, one in services("local").items() if "networks" in one}
    return {name: str(mapping(mapping(one)["default"])["ipv4_address"]) for name, one in fixed.items()}


def test_fixed_addresses_are_in_the_network_and_given_to_nobody_else() -> None:
    network = mapping(mapping(parsed("local")["networks"])["default"])
    configs = mapping(network["ipam"])["config"]
    assert isinstance(configs, list)
    (config,) = (named_texts(one) for one in configs)
    subnet, given = ipaddress.ip_network(config["subnet"]), ipaddress.ip_network(config["ip_range"])
    assert isinstance(subnet, ipaddress.IPv4Network)
    assert isinstance(given, ipaddress.IPv4Network)
    assert given.subnet_of(subnet)
    fixed = [ipaddress.ip_address(one) for one in addresses().values()]
    assert len(set(fixed)) == 3
    assert all(one in subnet and one not in given for one in fixed)


def test_the_local_file_uses_only_known_words_and_builds_the_image_from_here() -> None:
    assert all(one.keys() <= LOCAL_KEYS for one in services("local").values())
    assert (COMPOSE / "local" / str(services("local")["bridge"]["build"])).resolve() == ROOT


def test_nothing_of_the_local_one_can_be_reached_from_other_machines() -> None:
    ports = [port for one in services("local").values() for port in texts(one.get("ports", []))]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("folder", STACKS)
def test_what_both_stacks_have_in_common_is_the_same(folder: str) -> None:
    """They differ in the store, and in what tells bridge and Traefik of it."""
    first, other = services("rancher"), services(folder)
    assert {**first["bridge"], "environment": {}} == {**other["bridge"], "environment": {}}
    assert {**first["traefik"], "command": []} == {**other["traefik"], "command": []}
