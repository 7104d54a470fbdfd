"""Two clusters that publish to a locked store, each with the rights that `bridge policy` prints for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.cli.policy import POLICIES
from bridge.cli.show import BY_HAND
from bridge.cli.wiring import Site
from bridge.layouts import RouteLayout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import LeaseName
from bridge.model.keys import STANDING, Publisher, Role, records_prefix
from bridge.ownership.records import cluster_family, leader_path, read_leader
from bridge.routes import Policy, judge_all
from bridge.sources.document import snapshot
from bridge.stores.etcd import lease_id
from bridge.sync import lay_out, sync, with_standing
from bridge.writer import Settings
from tests.commands import Bridge, Ran
from tests.locked import Locked, Secrets, client, url
from tests.publishing import Hurry
from tests.test_run_etcd import Process, eventually
from tests.worlds.generate import Object, encode, stacks

ROOT = Path(__file__).parent.parent
KINDS = sorted(POLICIES)
A, B = "a", "b"
SHARED = "web-0__stack-0"  # a group of both clusters
TTL = 600  # seconds
RIGHTS = {kind: len(list(POLICIES[kind].rules(Site(TRAEFIK1, "traefik", kind), A, False))) for kind in KINDS}


class Broken(Exception):
    """What a bridge did came out otherwise than it should."""


def own_group(cluster: str) -> str:
    return f"own-{cluster}__stack-0"


@dataclass
class Place:
    """A prefix of its own in a locked store, and the bridges that publish there."""

    server: Locked
    bridge: Bridge
    folder: Path
    prefix: str
    layout: RouteLayout = TRAEFIK1
    fan_in: tuple[str, ...] = ()  # the option that says it

    @property
    def tree(self) -> str:
        return self.layout.tree_prefix(self.prefix, self.server.kind)

    @property
    def where(self) -> tuple[str, ...]:
        """The options that say so."""
        return ("--store", url(self.server, self.prefix), "--layout", self.layout.name)

    @property
    def records(self) -> str:
        return records_prefix(self.prefix)

    def policy(self, cluster: str) -> str:
        """What is printed for a cluster."""
        ran = self.bridge("policy", self.server.kind, "--cluster", cluster, *self.where, *self.fan_in)
        assert (ran.code, ran.err) == (0, "")
        return ran.out

    def admit(self, cluster: str, *, but: int | None = None) -> Secrets:
        """The bridge of a cluster with the rights that are printed for it, `but` for one of them."""
        lines = self.policy(cluster).splitlines(keepends=True)
        rights = [line for line in lines if re.match(r"[a-z_]+ \"|etcdctl role grant-permission ", line)]
        if but is not None:
            assert len(rights) == RIGHTS[self.server.kind]
            lines.remove(rights[but])
        return self.server.admit("".join(lines))

    def lease(self, family: str) -> int:
        """The id of etcd's lease."""
        return lease_id(self.records.rstrip("/"), LeaseName(family, TTL))

    def publisher(self, cluster: str) -> Publisher:
        return Publisher(self.layout, self.tree, self.records, cluster)

    def said(self, who: Secrets, *arguments: str, code: int = 0) -> Ran:
        """A command in this bridge's name. Raises Broken where it ends with another code."""
        with pytest.MonkeyPatch.context() as environment:
            for name, value in who.items():
                environment.setenv(name, value)
            ran = self.bridge(*arguments, *self.where)
        if ran.code != code:
            raise Broken(arguments, ran)
        return ran

    def sync(self, who: Secrets, cluster: str) -> Ran:
        return self.said(who, *self.publishes("sync", cluster))

    def publishes(self, command: str, cluster: str, sick: int = 0) -> tuple[str, ...]:
        """The command with all that it needs but the store. `sick`: containers of the own service, of its two."""
        source = self.source(cluster, sick)
        common = (command, "--source", f"file:{source}", "--cluster", cluster, *self.fan_in)
        return (*common, "--ttl", f"{TTL}s", "--read-time", "0")

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
        places = {key: self.layout.place(key.removeprefix(self.tree)) for key in self.standing()}
        return {key for key, at in places.items() if at and at.role is Role.SERVER and at.group == group}

    def leader(self, cluster: str) -> str:
        """The replica that leads."""
        found = read_leader(self.standing().get(self.records + leader_path(cluster), ""))
        return found.name if found else ""

    def sweep(self, who: Secrets, cluster: str) -> None:
        """A sync in this bridge's name that waits for nothing."""
        settings = Settings(self.publisher(cluster), "", "1", TTL, "test.sweep", "token-sweep", read_time=0.0)
        policy = Policy(cluster, separate=bool(self.fan_in))
        verdicts = judge_all(snapshot(self.source(cluster).read_bytes(), "world"), policy)
        wishes, _ = lay_out(verdicts, self.layout, cluster)
        with closing(client(self.server, self.prefix, self.records, who)) as store:
            sync(with_standing(wishes, self.layout), store, settings, timing=Hurry().timing)

    @contextmanager
    def running(self, who: Secrets, cluster: str) -> Iterator[Process]:
        """`bridge run` in this bridge's name."""
        arguments = [*self.publishes("run", cluster), *self.where, "--settle", "0.05"]
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


def whose(groups: Mapping[str, Mapping[str, object]]) -> set[object]:
    """To whom show ascribes keys: those on a lease that it does not know count as hand-written."""
    rows = [group[what] for group in groups.values() for what in ("servers", "rules")]
    return {one["whose"] for its in rows if isinstance(its, list) for one in its}


def live_a_day(place: Place, a: Secrets) -> None:
    """Everything that two bridges do, with these rights of `a`. Raises Broken where something comes out otherwise."""

    def expect(what: bool, step: object) -> None:
        if not what:
            raise Broken(step)

    place.said(a, *place.publishes("plan", A), "--exit-code", code=4)
    place.sync(a, A)
    place.said(a, "check")
    b = place.admit(B)
    place.sync(b, B)
    seen = place.groups(a)
    expect(seen.keys() == {SHARED, own_group(A), own_group(B), STANDING}, seen)
    expect(seen[SHARED]["claims"] == [A, B], seen)
    expect(whose(seen) == whose(place.groups(b)) == {A, B, "all clusters"}, seen)

    own = f"stack-0/own-{A}"
    place.said(a, "drain", "--cluster", A, "--service", own)
    place.sync(a, A)
    expect(place.servers(own_group(A)) == set(), "drain")
    place.said(a, "undrain", "--cluster", A, "--service", own)
    place.sync(a, A)
    expect(len(place.servers(own_group(A))) == 4, "undrain")

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
    own = f"stack-0/own-{A}"
    place.said(a, "release", own, "--cluster", A, "--read-time", "0")
    expect(place.groups(a)[own_group(A)]["state"] == BY_HAND, "release")
    place.said(a, *place.publishes("adopt", A), own)
    expect(place.groups(a)[own_group(A)]["by_hand"] == 0, "adopt")
    place.said(a, "leave", "--cluster", A, "--read-time", "0")
    expect(place.standing() == {}, place.standing())
