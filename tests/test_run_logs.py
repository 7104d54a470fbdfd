"""What the log of a real `bridge run` tells in each form, and what it never does."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.config import LogFormat, LogLevel
from tests.log_lines import Event, read_line
from tests.publishing import Publication
from tests.servers import EtcdServer
from tests.test_logs import FORGED
from tests.test_run_etcd import Fleet, Process, World, eventually, servers
from tests.test_secrets import HASH, OTHER_HASH, SECRET, WRONG, world
from tests.worlds.generate import Json, stacks

FORMS, LEVELS = [form.value for form in LogFormat], [level.value for level in LogLevel]
POISON = "frontends/hand/headers/customresponseheaders/X-A"  # with a bare quote in its value Traefik 1.7 reads nothing
_numbers = itertools.count(1)


@pytest.fixture
def fleet(etcd_server: EtcdServer, tmp_path: Path) -> Iterator[Fleet]:
    publication = Publication(etcd_server, f"logs{next(_numbers)}")
    with ExitStack() as stack:
        stack.callback(publication.close)
        yield Fleet(publication, World(tmp_path / "world.json"), stack)


def ended(process: Process, form: str) -> list[Event]:
    """All that it said, once it has ended."""
    process.end()
    return [read_line(form, line) for line in process.lines]


def of(events: list[Event], *kinds: str) -> list[Event]:
    return [event for event in events if event["event"] in kinds]


def labels_of(fleet: Fleet) -> dict[str, Json]:
    """Those of stack-0/web-0, to change before the world is written."""
    found = fleet.world.stacks[0]["services"][0]["labels"]  # type: ignore[index, call-overload]
    assert isinstance(found, dict)
    return found


# Secrets


def show(fleet: Fleet, labels: Mapping[str, Mapping[str, str]]) -> None:
    """A world of services with these labels, and with what else of Rancher's document nobody may see."""
    new = Path(world(fleet.world.path.parent, {name: dict(its) for name, its in labels.items()}, "new")[5:])
    document = json.loads(new.read_text())
    for service in document[0]["services"]:
        service["token"] = "zzz-token"
        service["metadata"] = {"password": "zzz"}
        for one in (service, *service["containers"]):
            one["labels"] = {**one["labels"], "com.example.password": "zzz"}
    new.write_text(json.dumps(document))
    new.replace(fleet.world.path)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", FORMS)
def test_no_form_and_no_level_tells_what_lets_somebody_in(fleet: Fleet, form: str, level: str) -> None:
    """As it comes, changes, is written over, poisons Traefik's tree, and goes."""
    publication = fleet.publication
    labels = {**SECRET, **{f"wrong-{name}": its for name, its in WRONG.items()}}
    show(fleet, labels)
    password = fleet.world.path.with_name("password")
    password.write_text("zzz-password")
    login = ("--store-user", "bridge", "--store-password-file", str(password))
    process = fleet.start("a", "--log-format", form, "--log-level", level, "--force", *login)
    users = "frontends/web-basic__shop/auth/basic/users"
    eventually(lambda: publication.published().get(users) == f"zzz:{HASH}", process)
    labels = {
        name: {label: text.replace(HASH, OTHER_HASH).replace("zzz2", "zzz9") for label, text in its.items()}
        for name, its in labels.items()
    }
    show(fleet, labels)
    eventually(lambda: publication.published().get(users) == f"zzz:{OTHER_HASH}", process)
    for path, value in {
        "frontends/web-old__shop/auth/basic/users": f"zzz:{HASH}",
        "frontends/hand/auth/basik/users": f"zzz:{HASH}",
        "frontends/hand/backend": "hand",
        "backends/hand/servers/s/url": "http://zzz:zzz@10.0.0.1:80",
        POISON: 'zzz"',
    }.items():
        publication.write(path, value)
    del labels["url"]
    show(fleet, labels)
    eventually(lambda: not any("web-url__" in path for path in publication.published()), process)
    events = ended(process, form)
    assert not re.search("zzz|0123456789abcdef", "\n".join(process.lines))
    assert {event["level"] for event in events} <= set(LEVELS[LEVELS.index(level) :])
    told = [str(event["msg"]) for event in events]
    wanted = {
        "debug": f"removed {publication.tree}frontends/web-url__shop/redirect/replacement, which was '(hidden)'",
        "info": f"changed {publication.tree}{users}: '(hidden)' -> '(hidden)'",
        "warning": "problem: shop/web-wrong-basic traefik.frontend.auth.basic.users",
        "error": f"problem: {publication.tree}{POISON}",
    }
    for name, text in wanted.items():
        assert any(text in one for one in told) == (LEVELS.index(name) >= LEVELS.index(level)), (name, text)


# Forgery


@pytest.mark.parametrize("form", FORMS)
def test_what_labels_names_and_keys_hold_begins_no_line_and_moves_no_cursor(fleet: Fleet, form: str) -> None:
    publication = fleet.publication
    odd = FORGED.replace("\ud800", "")
    labels_of(fleet)["traefik.weight"] = f"heavy{odd}"
    labels_of(fleet)[f"traefik.odd{odd}"] = odd
    fleet.world.containers(0)[0]["name"] = f"web{odd}"
    fleet.world.write()
    process = fleet.ready(fleet.start("a", "--log-format", form, "--log-level", "debug"))
    publication.write(f"frontends/web-0__stack-0/x{odd}", odd)
    publication.write(f"backends/hand/servers/s{odd}/weight", odd)
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(publication)) == 3, process)
    process.end()
    assert all(line.isprintable() for line in process.lines), ascii(process.lines)
    said = [str(read_line(form, line)["msg"]) for line in process.lines]
    assert not any(text.startswith("forged") for text in said)
    for what in ("heavy\\n", "went: web\\n", "servers/s\\n"):
        assert any(what in text and "\\u2028" in text for text in said), what


# What changed


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_which_server_left_which_service_and_why_is_one_line(fleet: Fleet, form: str) -> None:
    one = fleet.world.containers(0)[0]
    process = fleet.ready(fleet.start("a", "--log-format", form))
    fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    fleet.world.turn("healthy")
    eventually(lambda: len(servers(fleet.publication)) == 4, process)
    del fleet.world.containers(0)[0]
    fleet.world.write()
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    left, back, gone = of(ended(process, form), "changed")[-3:]
    its = {"name": one["name"], "url": f"http://{one['primary_ip']}:8080", "uuid": one["uuid"]}
    for event, field, reason in (
        (left, "went", "it is unhealthy"),
        (back, "came", ""),
        (gone, "went", "its container is no more"),
    ):
        whole = {**its, "reason": reason} if reason else its
        flat = " ".join(map(str, its.values())) + (f" ({reason})" if reason else "")
        assert event[field] == ([whole] if form == "json" else flat)
        assert {"came", "went"} & event.keys() == {field}
        about = (event["cluster"], event["layout"], event["service"], event["group"], event["reason"], event["level"])
        assert about == ("default", "traefik1", "stack-0/web-0", "web-0__stack-0", "the source changed", "info")
    assert (left["removed"], back["added"]) == ((2, 2) if form == "json" else ("2", "2"))


def test_a_key_that_changes_is_told_once_with_what_was_before(fleet: Fleet) -> None:
    """And so is one of a route that stays: somebody deleted it, and it is put back."""
    process = fleet.ready(fleet.start("a", "--log-format", "json"))
    labels_of(fleet)["traefik.domain"] = "example.org"
    fleet.world.write()
    rule, method = "frontends/web-0__stack-0/routes/main/rule", "backends/web-0__stack-0/loadbalancer/method"
    eventually(lambda: "example.org" in fleet.publication.published()[rule], process)
    fleet.publication.erase(method)
    eventually(lambda: method in fleet.publication.published(), process)
    changed, back = of(ended(process, "json"), "key-changed", "key-added")
    assert changed["key"] == fleet.publication.tree + rule
    assert (changed["before"], changed["after"]) == (
        "Host:web-0.stack-0.local,web-0.stack-0.internal,alias-0.local,alias-0.internal",
        "Host:web-0.stack-0.example.org,alias-0.example.org",
    )
    assert (back["key"], back["after"]) == (fleet.publication.tree + method, "drr")
    assert (changed["reason"], back["reason"]) == ("the source changed", "the store changed")
    assert changed["service"] == back["service"] == "stack-0/web-0"


def test_a_route_that_goes_says_why_in_each_of_its_steps(fleet: Fleet) -> None:
    process = fleet.ready(fleet.start("a", "--log-format", "json"))
    labels_of(fleet)["traefik.enable"] = "false"
    fleet.world.write()
    eventually(lambda: not any("web-0__" in path for path in fleet.publication.published()), process)
    close, clear = of(ended(process, "json"), "changed")[-2:]
    assert (close["step"], clear["step"]) == ("close", "clear")
    assert close["unpublished"] == clear["unpublished"] == "traefik.enable is false"
    assert {one["reason"] for one in clear["went"]} == {"traefik.enable is false"}  # type: ignore[attr-defined]
    assert str(close["msg"]).endswith("; no route: traefik.enable is false")
    assert str(clear["msg"]).endswith(" (each: traefik.enable is false)")


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_first_pass_has_a_line_a_service_and_with_debug_one_a_key(fleet: Fleet, level: str) -> None:
    fleet.world.stacks = stacks(12, 30)
    fleet.world.write()
    process = fleet.start("a", "--log-format", "json", "--log-level", level)
    eventually(lambda: len(servers(fleet.publication)) == 360, process)
    eventually(lambda: level == "info" or process.said('"unchanged"'), process)
    keys = len(fleet.publication.published())
    events = ended(process, "json")
    changed = of(events, "changed")
    assert len(changed) == 13
    assert len(of(events, "key-added")) == (keys if level == "debug" else 0)
    assert bool(of(events, "unchanged")) is (level == "debug")
    assert sum(int(str(event["added"])) for event in changed) == keys
    first = next(event for event in changed if event.get("service") == "stack-0/web-0")
    assert len(first["came"]) == 10  # type: ignore[arg-type]
    assert str(first["msg"]).endswith(", and 25 more")


# The form of all lines


def test_what_ends_it_is_told_in_the_logs_form(fleet: Fleet) -> None:
    """A name that another environment has: the last line, and no other form behind it."""
    process = fleet.ready(fleet.start("a"))
    other = World(fleet.world.path.with_name("other.json"), stacks(2, 2, seed=1))
    fleet.world = other
    second = fleet.start("b", "--log-format", "json")
    eventually(lambda: second.popen.poll() is not None, second)
    last = ended(second, "json")[-1]
    assert (last["event"], last["level"], last["code"]) == ("failed-for-good", "error", 2)
    assert "two Rancher environments" in str(last["reason"])
    assert process.popen.poll() is None


def test_each_layouts_lines_say_whose_they_are_also_those_of_its_threads(fleet: Fleet) -> None:
    publication = fleet.publication
    both = ("--layout", f"traefik1,traefik3=v3{publication.prefix}")
    process = fleet.start("a", "--log-format", "json", *both)
    eventually(lambda: len(servers(publication)) >= 4, process)
    fleet.world.path.write_bytes(b"nonsense")
    eventually(lambda: len([line for line in process.lines if '"failed"' in line]) == 2, process)
    events = ended(process, "json")
    for kind in ("started", "leads", "source-read", "failed"):
        assert sorted(str(event["layout"]) for event in of(events, kind)) == ["traefik1", "traefik3"], kind
    assert {"layout"} - of(events, "ended")[0].keys()
