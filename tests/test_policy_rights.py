"""The rights that `bridge policy` prints, given to real servers: all commands work, and what is others' is refused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from bridge.cli.policy import POLICIES
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_values import WRITTEN
from bridge.model.change import LeaseName
from bridge.model.keys import STANDING, Publisher, lease_node, records_prefix
from bridge.ownership.records import (
    FLEET,
    STANDING_FAMILY,
    claim_path,
    cluster_family,
    cluster_records,
    guard_path,
    leader_path,
    presence_path,
    read_leader,
)
from bridge.sources.document import snapshot
from bridge.sync import sync
from bridge.writer import Settings
from tests.commands import Bridge, Ran, silent
from tests.locked import NOBODY, Locked, LockedConsul, LockedEtcd, Secrets, client, url
from tests.publishing import Hurry, wishes
from tests.servers import free_ports, running_consul, running_etcd
from tests.test_run_etcd import Process, eventually
from tests.worlds.generate import Object, encode, stacks

ROOT = Path(__file__).parent.parent
KINDS = sorted(POLICIES)
A, B = "a", "b"
SHARED = "web-0__stack-0"  # a group of both clusters
TTL = 600  # seconds

_places = count(1)
bridge = pytest.fixture(silent)


class Broken(Exception):
    """What a bridge did came out otherwise than it should."""


def own_group(cluster: str) -> str:
    return f"own-{cluster}__stack-0"


@pytest.fixture(scope="module")
def locked_consul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedConsul]:
    with running_consul(tmp_path_factory.mktemp("consul"), locked=True, locked_lists=True) as server:
        yield LockedConsul(server)


@pytest.fixture(scope="module")
def locked_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedEtcd]:
    with running_etcd(tmp_path_factory.mktemp("etcd")) as server:
        yield LockedEtcd(server)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Locked:
    """Every store that gives rights, one after the other."""
    found: Locked = request.getfixturevalue(f"locked_{request.param}")
    return found


@dataclass
class Place:
    """A prefix of its own in a locked store, and the bridges that publish there."""

    server: Locked
    bridge: Bridge
    folder: Path
    prefix: str

    @property
    def tree(self) -> str:
        return TRAEFIK1.tree_prefix(self.prefix, self.server.kind)

    @property
    def records(self) -> str:
        return records_prefix(self.prefix)

    def policy(self, cluster: str) -> str:
        """What is printed for a cluster."""
        ran = self.bridge("policy", self.server.kind, "--cluster", cluster, "--store", url(self.server, self.prefix))
        assert (ran.code, ran.err) == (0, "")
        return ran.out

    def admit(self, cluster: str, *, but: int | None = None) -> Secrets:
        """The bridge of a cluster with the rights that are printed for it, `but` for one of them."""
        lines = self.policy(cluster).splitlines(keepends=True)
        rights = [line for line in lines if re.match(r"[a-z_]+ \"|etcdctl role grant-permission ", line)]
        assert len(rights) == len(list(POLICIES[self.server.kind].rules(self.publisher(cluster))))
        if but is not None:
            lines.remove(rights[but])
        return self.server.admit("".join(lines))

    def publisher(self, cluster: str) -> Publisher:
        return Publisher(TRAEFIK1, self.tree, self.records, cluster)

    def said(self, who: Secrets, *arguments: str, code: int = 0) -> Ran:
        """A command in this bridge's name. Raises Broken where it ends with another code."""
        with pytest.MonkeyPatch.context() as environment:
            for name, value in who.items():
                environment.setenv(name, value)
            ran = self.bridge(*arguments, "--store", url(self.server, self.prefix))
        if ran.code != code:
            raise Broken(arguments, ran)
        return ran

    def sync(self, who: Secrets, cluster: str) -> Ran:
        return self.said(who, *self.publishes("sync", cluster))

    def publishes(self, command: str, cluster: str, sick: int = 0) -> tuple[str, ...]:
        """The command with all that it needs but the store. `sick`: containers of the own service, of its two."""
        source = self.source(cluster, sick)
        return (command, "--source", f"file:{source}", "--cluster", cluster, "--ttl", f"{TTL}s", "--read-time", "0")

    def source(self, cluster: str, sick: int = 0) -> Path:
        """A shared service and one of the cluster's own."""
        path = self.folder / f"{cluster}.json"
        new = path.with_suffix(".new")
        new.write_bytes(encode(world(cluster, sick)))
        new.replace(path)
        return path

    def groups(self, who: Secrets) -> dict[str, dict[str, object]]:
        """What show tells this bridge."""
        return {str(row["group"]): row for row in self.said(who, "show", "--output", "json").rows("groups")}

    def standing(self) -> dict[str, str]:
        """All that stands, by whole key."""
        with closing(client(self.server, self.prefix, self.records, self.server.root)) as eyes:
            found = {**eyes.read(self.tree).items, **eyes.read(self.records).items}
        return {key: item.value for key, item in found.items() if item}

    def servers(self, group: str) -> set[str]:
        """The keys of a group's servers."""
        return {key for key in self.standing() if key.startswith(f"{self.tree}backends/{group}/servers/")}

    def leader(self, cluster: str) -> str:
        """The replica that leads."""
        found = read_leader(self.standing().get(self.records + leader_path(cluster), ""))
        return found.name if found else ""

    def sweep(self, who: Secrets, cluster: str) -> None:
        """A sync in this bridge's name that waits for nothing."""
        settings = Settings(self.publisher(cluster), "", "1", TTL, "test.sweep", "token-sweep", read_time=0.0)
        wanted = wishes(snapshot(self.source(cluster).read_bytes(), "world"), cluster)
        with closing(client(self.server, self.prefix, self.records, who)) as store:
            sync(wanted, store, settings, timing=Hurry().timing)

    @contextmanager
    def running(self, who: Secrets, cluster: str) -> Iterator[Process]:
        """`bridge run` in this bridge's name."""
        arguments = [*self.publishes("run", cluster), "--store", url(self.server, self.prefix), "--settle", "0.05"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        popen = subprocess.Popen(
            [sys.executable, "-m", "bridge", *arguments, "--replica", "one"],
            cwd=ROOT,
            env={**environment, **who},
            stderr=subprocess.PIPE,
            text=True,
        )
        process = Process(popen)
        try:
            yield process
        finally:
            process.close()


def world(cluster: str, sick: int) -> list[Object]:
    made = stacks(2, 2, seed=ord(cluster))
    services = made[0]["services"]
    assert isinstance(services, list)
    own = services[1]
    assert isinstance(own, dict)
    containers = own["containers"]
    assert isinstance(containers, list)
    for one in containers[:sick]:
        assert isinstance(one, dict)
        one["health_state"] = "unhealthy"
    own["name"] = own["primary_service_name"] = f"own-{cluster}"
    own["labels"] = {"traefik.enable": "true", "traefik.domain": "local", "traefik.port": "8080"}
    for one in containers:
        assert isinstance(one, dict)
        one["service_name"] = f"own-{cluster}"
    return made


@pytest.fixture
def place(server: Locked, bridge: Bridge, tmp_path: Path) -> Place:
    return Place(server, bridge, tmp_path, f"place{next(_places)}/traefik")


# What must work


def live_a_day(place: Place, a: Secrets, b: Secrets) -> None:
    """Everything that bridges do; `a` comes first. Raises Broken where something comes out otherwise."""

    def expect(what: bool, step: object) -> None:
        if not what:
            raise Broken(step)

    place.said(a, *place.publishes("plan", A), "--exit-code", code=4)
    place.sync(a, A)
    place.sync(b, B)
    seen = place.groups(a)
    expect(seen.keys() == {SHARED, own_group(A), own_group(B), STANDING}, seen)
    expect(seen[SHARED]["claims"] == [A, B], seen)
    whose = {row["whose"] for group in seen.values() for row in group["servers"]}  # type: ignore[attr-defined]
    expect(whose == {A, B}, seen)
    expect(place.groups(b) == seen, "show")
    place.said(a, "check")

    with place.running(a, A) as process:
        eventually(lambda: place.leader(A) == "one", process)
        place.source(A, sick=1)
        eventually(lambda: len(place.servers(own_group(A))) == 2, process)
        place.source(A)
        eventually(lambda: len(place.servers(own_group(A))) == 4, process)
        process.end(signal.SIGTERM)

    place.said(b, "leave", "--cluster", B, "--read-time", "0")
    expect(place.groups(a).keys() == {SHARED, own_group(A), STANDING}, "leave")
    place.sync(b, B)
    place.server.end(place.records, LeaseName(cluster_family(B), TTL))
    place.sweep(a, A)
    expect(place.groups(a).keys() == {SHARED, own_group(A), STANDING}, "sweep")
    place.said(a, "leave", "--cluster", A, "--read-time", "0")
    expect(place.standing() == {}, place.standing())


def test_all_commands_work_for_two_clusters_with_the_rights_that_are_printed(place: Place) -> None:
    live_a_day(place, place.admit(A), place.admit(B))
