"""compose/fan-in: its files fit together, and what its page says to do makes two environments answer as one."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge import __version__
from bridge.config import TABLE, load
from tests.servers import consul_binary, free_ports
from tests.test_compose import (
    CHECK_KEYS,
    COMPOSE,
    DOCKER_KEYS,
    OWN_NAME,
    RANCHER_KEYS,
    ROOT,
    SCHEDULER,
    started,
    texts,
    until_it_answers,
    with_own,
)
from tests.test_run_etcd import Process
from tests.test_run_fan_in import world
from tests.traefik import WebServer, traefik_binary, until, web_servers

FOLDER = COMPOSE / "fan-in"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
HOST = "web.shop.local"


def services(part: str, name: str = "docker-compose.yml", **answers: str) -> dict[str, dict[str, Any]]:
    """With variables as rancher-compose takes them from the environment."""
    text = (FOLDER / part / name).read_text(encoding="utf-8")
    told = re.sub(r"(?<!\$)\$\{(\w+)\}", lambda sign: answers.get(sign[1], f"A-{sign[1]}"), text).replace("$$", "$")
    found: dict[str, dict[str, Any]] = yaml.safe_load(told)["services"]
    return found


@pytest.mark.parametrize("part", ["store", "environment"])
def test_rancher_knows_every_word_and_nothing_may_write_or_has_a_capability_too_many(part: str) -> None:
    docker, rancher = services(part), services(part, "rancher-compose.yml")
    assert docker.keys() == rancher.keys()
    for name, one in docker.items():
        assert one.keys() <= DOCKER_KEYS
        assert re.fullmatch(r"[a-z0-9/-]+:v?\d+\.\d+\.\d+", one["image"]), name
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert name == "consul" or "cap_add" not in one
        assert one["labels"]["traefik.enable"] == "false"
    for one in rancher.values():
        assert one.keys() <= RANCHER_KEYS
        assert "health_check" in one
        assert one["health_check"].keys() <= CHECK_KEYS


def test_the_bridge_understands_what_it_is_told() -> None:
    bridge = services("environment", CLUSTER="berlin", STORE="consul.example.org:8500", TOKEN="t")["bridge"]
    told: dict[str, str] = bridge["environment"]
    assert told.keys() <= {row.variable for row in TABLE if "run" in row.commands}
    for row in TABLE:
        if row.variable in told:
            load("run", {}, told).find(row)
    assert bridge["image"] == f"rancher-traefik-bridge:{__version__}"
    assert bridge["labels"][f"{SCHEDULER}container_label_ne"] == OWN_NAME.replace("$$", "$")


def test_what_the_page_sets_is_what_the_files_ask_for() -> None:
    files = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.yml"))
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)\}", files))
    assert asked == set(re.findall(r"(?:^|\s)([A-Z_]+)=", PAGE)) - {"CONSUL_HTTP_ADDR"}


class Rights:
    """The page's commands for them, in a real shell with Consul's own program."""

    def __init__(self, address: str, folder: Path) -> None:
        (folder / "bridge").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bridge "$@"\n')
        (folder / "bridge").chmod(0o755)
        path = os.pathsep.join((str(folder), str(Path(consul_binary()).parent), os.environ["PATH"]))
        self.known = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "CONSUL_HTTP_ADDR": address}

    def make(self) -> dict[str, str]:
        """Tokens by the name of their policy."""
        (steps,) = re.findall(r"^2\. .*?(?=^3\. )", PAGE, re.M | re.S)
        lines = [line.strip() for line in steps.splitlines() if line.startswith("       ")]
        assert lines[:2] == ["export CONSUL_HTTP_ADDR=consul.example.org:8500", "consul acl bootstrap"]
        until(lambda: self._said(lines[1]), self._is_token)
        tokens = {}
        for line in [*lines[2:], *(line.replace("berlin", "paris") for line in lines[2:] if "berlin" in line)]:
            said = self._said(line)
            if "token create" in line:
                tokens[shlex.split(line)[-1]] = self._secret(said)
        return tokens

    def _is_token(self, said: str) -> bool:
        if "SecretID" not in said:  # it has just started, and leads nothing yet
            return False
        self.known["CONSUL_HTTP_TOKEN"] = self._secret(said)
        return True

    def _said(self, line: str) -> str:
        ran = subprocess.run(["bash", "-o", "pipefail", "-c", line], env=self.known, capture_output=True, text=True)
        assert ran.returncode == 0 or "bootstrap" in line, ran.stderr
        return ran.stdout

    @staticmethod
    def _secret(said: str) -> str:
        found = re.search(r"^SecretID:\s+(\S+)$", said, re.MULTILINE)
        assert found, said
        return found[1]


def at_its_host(cluster: str, web: WebServer) -> bytes:
    """A world in which Traefik reaches the container at a port of its host alone."""
    found: Any = world(cluster, web)
    (container,) = found[0]["services"][0]["containers"]
    container |= {"primary_ip": "10.42.0.1", "host_uuid": "h-1", "ports": [f"0.0.0.0:{web.port}:{web.port}/tcp"]}
    hosts = [{"uuid": "h-1", "name": "h-1", "hostname": "h-1", "agent_ip": web.address, "labels": {}}]
    return json.dumps({"stacks": found, "hosts": hosts}).encode()


@pytest.mark.timeout(180)
def test_two_environments_with_a_token_each_answer_as_one(tmp_path: Path) -> None:
    api, rpc, serf, web_port, ping = free_ports(5)
    store = services("store")
    agent = with_own(texts(store["consul"]["command"]), data_dir=str(tmp_path / "data"), client="127.0.0.1")
    ports = [f"-http-port={api}", f"-server-port={rpc}", f"-serf-lan-port={serf}", "-serf-wan-port=-1"]
    with ExitStack() as stack:
        alive = stack.enter_context(started([consul_binary(), *agent, *ports], tmp_path / "consul.log"))
        until_it_answers(api, "/v1/status/leader", alive, tmp_path / "consul.log")
        tokens = Rights(f"127.0.0.1:{api}", tmp_path).make()
        web = stack.enter_context(web_servers("berlin", "paris"))
        bridges = {}
        for cluster, server in web.items():
            answers = {"CLUSTER": cluster, "STORE": f"127.0.0.1:{api}", "TOKEN": tokens[f"bridge-{cluster}"]}
            told: dict[str, str] = services("environment", **answers)["bridge"]["environment"]
            (tmp_path / f"{cluster}.json").write_bytes(at_its_host(cluster[0], server))
            own = {"BRIDGE_SOURCE": f"file:{tmp_path / cluster}.json", "BRIDGE_REPLICA": cluster}
            own["BRIDGE_HTTP"] = f"127.0.0.1:{free_ports(1)[0]}"  # here they share one address
            popen = subprocess.Popen(
                [sys.executable, "-m", "bridge", "run"],
                cwd=ROOT,
                env={**os.environ, **told, **own},
                stderr=subprocess.PIPE,
                text=True,
            )
            bridges[cluster] = Process(popen)
            stack.callback(bridges[cluster].close)
        traefik = texts(services("store", TRAEFIK_TOKEN=tokens["traefik"])["traefik"]["command"])
        assert f"--providers.consul.token={tokens['traefik']}" in traefik
        here = {":8080": f"127.0.0.1:{web_port}", ":8082": f"127.0.0.1:{ping}", "consul:8500": f"127.0.0.1:{api}"}
        command = [f"{name}={here.get(value, value)}" for name, _, value in (word.partition("=") for word in traefik)]
        alive = stack.enter_context(started([traefik_binary(), *command], tmp_path / "traefik.log"))
        until_it_answers(ping, "/ping", alive, tmp_path / "traefik.log")
        until(lambda: {answer(web_port) for _ in range(8)}, lambda names: names == {"berlin", "paris"})


def answer(port: int) -> str:
    """Which web server answers; empty where none does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": HOST})
        found = connection.getresponse()
        return str(json.loads(found.read())["server"]) if found.status == 200 else ""
    finally:
        connection.close()
