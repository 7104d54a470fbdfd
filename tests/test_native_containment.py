"""Whatever a service says in labels of Traefik 2 and 3, a real Traefik 3 serves the others, and has what it shall.

The checker built from the table of fields says that no label set freezes the tree and that each object that is
published is whole; here a real Traefik says so too, of label sets that a seed makes of all fields that labels can set.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bridge.layouts import Target
from bridge.layouts.lint import Grade
from bridge.layouts.traefik3_fields import Field, Type, fields
from bridge.layouts.traefik3_lint import lint
from tests.native_rows import USERS
from tests.servers import EtcdServer
from tests.test_native_objects import Published, asks, publish
from tests.traefik import NEWEST, OLDEST, TraefikServer, running_traefik, until

SETS = 60  # label sets, for each Traefik
SEED = 20
VERSIONS = {NEWEST: (3, 7), OLDEST: (3, 0)}
MINE = {
    "routers.mine.rule": "Host(`mine.test`)",
    "routers.mine.middlewares": "own",
    "middlewares.own.basicauth.users": USERS,
    "services.mine.loadbalancer.server.port": "80",
}
NAMES = ("a", "b", "Web", "x_y", "own-2", "7", "é", "a@b", "a__b", "mine", "own", "zz-bridge", "")
RULES = (
    "Host(`a.test`)",
    "Host(`a.test`, `b.test`)",
    "PathPrefix(`/{x}`)",
    "Host(a.test)",
    "",
    "Query(`a=b`)",
    "x" * 300,
)
REFERENCES = (
    "a",
    "b",
    "mine",
    "own",
    "web@rancher",
    "a,b",
    "x@file",
    "own,,a",
    "nobody",
    "@",
    "a b",
    "own@rancher,own",
)
VALUES: Mapping[Type, tuple[str, ...]] = {
    Type.TEXT: ("x", "", "http://127.0.1.1", "(", "^/(.*)", "é", "a\nb", "10s", "true", "`", "a, b"),
    Type.TRUTH: ("true", "false", "T", "TRUE", "0", "yes"),
    Type.WHOLE: ("1", "2", "0", "+07", "300", "-1", "many", "9" * 20),
    Type.TIME: ("10s", "10", "1h", "1.5s", "300ms", "10 s", "-1s"),
    Type.LIST: ("a,b", "127.0.0.0/8", "", ",", "/a, /b,", "500-599", "x" * 50),
    Type.BRANCH: ("", "true", "false", "x"),
}
ODD = ("", "10 s", "yes", "\n", "{{x}}", "é" * 3, "-1", "a/b", "[0]")


def label_sets(which: str) -> Iterator[dict[str, str]]:
    """As a seed makes them: of the fields of Traefik's HTTP objects, with values of their types and others."""
    dice = random.Random(f"{SEED}/{which}")
    http = [
        one for path, one in sorted(fields().items()) if path.startswith("http/") and "serversTransports" not in path
    ]
    kinds = {kind: [one for one in http if one.path.startswith(f"http/{kind}/")] for kind in ("routers", "services")}
    kinds["middlewares"] = [one for one in http if one.path.startswith("http/middlewares/")]
    for _ in range(SETS):
        labels = {"services.a.loadbalancer.server.port": "80"} if dice.random() < 0.7 else {}
        labels |= {"routers.a.rule": "Host(`a.test`)", "routers.a.service": "a"} if labels else {}
        for _ in range(dice.randint(2, 12)):
            field = dice.choice(kinds[dice.choice(sorted(kinds))])
            if field.native or dice.random() < 0.1:
                labels[_label(field, dice)] = _text(field, dice)
        yield labels


def _label(field: Field, dice: random.Random) -> str:
    its: tuple[str, ...] = ("a", "b")
    if "/middlewares/" in field.path:  # one may be of one kind alone
        its = (field.path.split("/")[3].lower(),)
    name = dice.choice(NAMES if dice.random() < 0.2 else its)
    path = field.path.removeprefix("http/").replace("{name}", name, 1).replace("{name}", "X-Foo").replace("{n}", "0")
    if field.type in (Type.TEXTS, Type.NUMBERS, Type.FREE):
        path += dice.choice(("/X-Foo", "/418", "/a/b", "", "/foo"))
    label = path.replace("/", ".")
    if dice.random() < 0.05:
        at = dice.randrange(len(label))
        label = label[:at] + dice.choice(("", ".", "x", "[1]")) + label[at + 1 :]
    return label.lower() if dice.random() < 0.5 else label


def _text(field: Field, dice: random.Random) -> str:
    last = field.path.rpartition("/")[2]
    if dice.random() < 0.05:
        return dice.choice(ODD)
    if last == "rule":
        return dice.choice(RULES)
    if last in ("service", "middlewares"):
        return dice.choice(REFERENCES)
    if last == "entryPoints":
        return dice.choice(("web", "web,websecure"))
    return dice.choice(VALUES.get(field.type, VALUES[Type.TEXT]))


def beyond(found: Published) -> set[str]:
    """The routers that need what is not in the store: other providers' objects, plugins, files, entry points."""
    outside = {path for path, value in found.keys.items() if _is_outside(path, value)}
    while True:
        names = {path.split("/")[2] for path in outside if path.startswith("http/middlewares/")}
        more = {path for path, value in found.keys.items() if names & set(value.split(","))} - outside
        if not more:
            return {path.split("/")[2] for path in outside if path.startswith("http/routers/")}
        outside |= more


def _is_outside(path: str, value: str) -> bool:
    field = path.split("/", 3)[3].lower()
    if field == "entrypoints":
        return not set(value.split(",")) & {"web", "websecure"}
    if field in ("service", "middlewares", "chain/middlewares"):
        return "@" in value
    return field.startswith(("plugin/", "tls/")) or "/tls/" in field or field.endswith("file")


class Stage:
    """A Traefik that reads a prefix which becomes one tree after the other."""

    def __init__(self, traefik: TraefikServer, server: EtcdServer, prefix: str) -> None:
        self.traefik, self.server, self.prefix = traefik, server, prefix
        self.held: dict[str, str] = {}
        self.turn = 0

    def show(self, keys: Mapping[str, str]) -> dict[str, str]:
        """Write a tree, and what Traefik makes of its routers once it has taken all of it."""
        self.turn += 1
        probe = {"rule": "Host(`probe.test`)", "service": "mine", "priority": str(self.turn)}
        wanted = {**keys, **{f"http/routers/zz-probe/{field}": value for field, value in probe.items()}}
        for path in self.held.keys() - wanted.keys():
            self.server.delete(f"{self.prefix}/{path}")
        for path, value in sorted(wanted.items(), key=lambda item: "/zz-probe/" in item[0]):  # last
            if self.held.get(path) != value:
                self.server.put(f"{self.prefix}/{path}", value)
        self.held = wanted
        routers = until(
            lambda: self.traefik.objects("routers"),
            lambda found: found.get("zz-probe", {}).get("priority") == self.turn,
        )
        return {name: str(one["status"]) for name, one in routers.items() if name != "zz-probe"}


@pytest.fixture(scope="module", params=(NEWEST, OLDEST))
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def stage(which: str, etcd_server: EtcdServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("contained")
    prefix = f"contained{which}"
    server = etcd_server
    server.put(f"{prefix}/http/middlewares/zz-bridge/addPrefix/prefix", "/")
    with running_traefik(folder, "etcd", server.endpoint, prefix, which=which, throttle="20ms") as traefik:
        yield Stage(traefik, server, prefix)


def test_a_real_traefik_takes_what_is_published_of_any_labels(stage: Stage, which: str) -> None:
    target = Target(VERSIONS[which])
    quiet = publish(asks(MINE, "a"), target=target)
    published = 0
    for labels in label_sets(which):
        found = publish(asks(MINE, "a"), asks(labels, "b"), target=target)
        assert found.keys.items() >= quiet.keys.items(), labels
        statuses = stage.show(found.keys)
        assert statuses.keys() == {place.partition("/")[2] for place in found.places if place.startswith("routers/")}
        assert {name for name, status in statuses.items() if status != "enabled"} <= beyond(found), labels
        published += len(found.places) - len(quiet.places)
    assert published > SETS, "hardly anything of the odd labels came through: this would say nothing"


def test_a_tree_that_the_checker_calls_frozen_is_one(stage: Stage, which: str) -> None:
    """Or the test above would take a Traefik that never says no for one that is content."""
    bad = "http/services/mine/loadBalancer/nothing"
    (finding,) = lint({f"traefik/{bad}": "x"}, "traefik/", VERSIONS[which])
    assert finding.flaw.grade is Grade.FROZEN
    stage.server.put(f"{stage.prefix}/{bad}", "x")
    until(stage.traefik.log, lambda log: "field not found, node: nothing" in log)
