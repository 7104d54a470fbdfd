"""The model of Traefik 1.7 makes of every recorded tree what the real Traefik made of it, and reads in halves."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.golden_reader import (
    Answer,
    Configuration,
    Counting,
    HalvesReader,
    Refused,
    Reply,
    Store,
    configuration,
    leaves_and_directories,
    verdict,
)
from tests.golden_reader.expressions import check_retry
from tests.golden_reader.objects import Json
from tests.golden_reader.rules import Request, parse_rule
from tests.golden_reader.urls import Url

RECORDINGS = sorted((Path(__file__).parent / "golden" / "traefik1").glob("*.json"))
DEFAULT_PREFIX = {Store.CONSUL: "traefik", Store.ETCD: "/traefik"}
ALICE = "alice:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="  # her password is `test`


def recorded_servers(server: Url, path: str) -> Reply:
    """The servers of the recordings: plain HTTP, four ports, and a path that asks for a status."""
    if server.host not in ("127.0.0.1", "") or server.port not in ("18750", "18751", "18752", "18753"):
        return Reply(502, None)
    if server.scheme != "http":
        return Reply(500, None)
    status = int(path.removeprefix("/status/")) if path.startswith("/status/") else 200
    return Reply(status, f"http://127.0.0.1:{server.port}")


@dataclass(frozen=True)
class Recording:
    """One tree, and what the real Traefik did with it."""

    name: str
    store: Store
    prefix: str  # that Traefik read
    written_under: str
    tree: Mapping[str, str]
    api: Json
    verdict: str
    requests: tuple[dict[str, Json], ...]
    live: dict[str, Json]
    starts: tuple[dict[str, Json], ...]

    def __str__(self) -> str:
        return self.name

    @property
    def configuration(self) -> Configuration | Refused:
        return configuration(self.tree, self.prefix, self.store)


def stored(value: str) -> str:
    """A recorded value; what is no UTF-8 stands there in base64."""
    if value.startswith("base64:"):
        return base64.b64decode(value.removeprefix("base64:")).decode("utf-8", "surrogateescape")
    return value


def load(path: Path) -> Recording:
    found = json.loads(path.read_text("utf-8"))
    store = Store(found["store"])
    prefixes = [flag.partition("=")[2] for flag in found.get("args") or () if ".prefix=" in flag]
    return Recording(
        name=path.stem,
        store=store,
        prefix=(prefixes or [DEFAULT_PREFIX[store]])[0],
        written_under=found["prefix"],
        tree={key: stored(value) for key, value in found["kv"].items()},
        api=found["api"],
        verdict=found["verdict"],
        requests=tuple(found["requests"]),
        live=found.get("live") or {},
        starts=tuple(found.get("starts") or ()),
    )


each_recording = pytest.mark.parametrize("recording", [load(path) for path in RECORDINGS], ids=str)


def test_recordings_are_there() -> None:
    assert len(RECORDINGS) > 250


def test_the_model_knows_nothing_of_what_it_judges() -> None:
    for module in (Path(__file__).parent / "golden_reader").glob("*.py"):
        assert "bridge" not in module.read_text("utf-8"), f"{module.name} is no independent witness"


@each_recording
def test_the_api_shows_what_the_real_one_showed(recording: Recording) -> None:
    assert recording.configuration.api() == recording.api


@each_recording
def test_the_verdict_is_the_recorded_one(recording: Recording) -> None:
    under = recording.written_under if recording.written_under != recording.prefix else None
    assert verdict(recording.tree, recording.prefix, recording.store, under) == recording.verdict


@each_recording
def test_requests_are_answered_as_recorded(recording: Recording) -> None:
    """Every request that was sent, in its order: status, server, and all else that was noted of it."""
    traefik = Counting(recording.configuration)
    for request in recording.requests:
        times = request.get("times", 1)
        assert isinstance(times, int)
        answers = [ask(traefik, request) for _ in range(times)]
        assert noted(answers, request) == {name: value for name, value in request.items() if name in NOTED}
        if certificate := request.get("certificate"):
            assert uses_certificate(recording, request["entrypoint"]) == (certificate == "the one in the tree")
        assert request.keys() <= NOTED | SENT | {"certificate"}, "something was recorded that is not compared"


SENT = {"host", "path", "method", "headers", "entrypoint", "body_bytes", "after_s", "times"}
NOTED = {"status", "server", "upstream_path", "upstream_host", "upstream_headers", "response_headers"}


def ask(traefik: Counting, request: Mapping[str, Json]) -> Answer:
    body_bytes = request.get("body_bytes", 0)
    assert isinstance(body_bytes, int)
    return traefik.answer(
        str(request["host"]),
        str(request["path"]),
        str(request.get("method", "GET")),
        texts(request, "headers"),
        str(request.get("entrypoint", "http")),
        body_bytes,
        recorded_servers,
    )


def texts(request: Mapping[str, Json], name: str) -> dict[str, str]:
    found = request.get(name, {})
    assert isinstance(found, dict)
    return {key: str(value) for key, value in found.items()}


def noted(answers: list[Answer], request: Mapping[str, Json]) -> dict[str, Json]:
    """The answers in the words of the recording; where only chance decides, with the recorded choice."""
    if "times" in request:
        statuses: dict[str, Json] = {str(status): count for status, count in Counter(a.status for a in answers).items()}
        return {"status": statuses, "server": counted_servers(answers, request["server"])}
    answer = answers[0]
    recorded = request["server"]
    server = recorded if recorded in answer.servers else next(iter(answer.servers), None)
    found: dict[str, Json] = {"status": answer.status, "server": server}
    if server is not None:
        found |= {"upstream_path": answer.path} if answer.path != request["path"] else {}
        found |= {"upstream_host": answer.host} if answer.host != request["host"] else {}
    if asked := request.get("upstream_headers"):
        found["upstream_headers"] = as_recorded(asked, texts(request, "headers") | dict(answer.upstream_headers))
    if asked := request.get("response_headers"):
        cookie = {"Set-Cookie": f"{answer.cookie}={server}; Path=/"} if answer.cookie else {}
        found["response_headers"] = as_recorded(asked, cookie | dict(answer.response_headers))
    return found


def as_recorded(asked: Json, headers: Mapping[str, str]) -> dict[str, Json]:
    """The headers that were asked for, byte by byte as they were recorded; what is not there, as null."""
    assert isinstance(asked, dict)
    return {name: headers.get(name, "").encode().decode("latin-1") or None for name in asked}


def counted_servers(answers: list[Answer], recorded: Json) -> dict[str, Json]:
    """How often each server answered; where there was a choice, as often as it was recorded."""
    assert isinstance(recorded, dict)
    counts = Counter(server for answer in answers for server in answer.servers)
    chosen = {server for answer in answers for server in answer.servers if len(answer.servers) > 1}
    return {server: recorded.get(server, 0) if server in chosen else count for server, count in counts.items()}


def uses_certificate(recording: Recording, entry_point: Json) -> bool:
    found = recording.configuration
    assert isinstance(found, Configuration)
    return any(entry_point in points for points in found.certificates.values())


@pytest.mark.parametrize("recording", [each for each in map(load, RECORDINGS) if each.live], ids=str)
def test_a_running_traefik_keeps_what_it_had_as_recorded(recording: Recording) -> None:
    """Started on the canary alone, then the whole tree, then a good frontend, then all that is bad removed."""
    canary = {key: value for key, value in recording.tree.items() if "/canary/" in key}
    later = {key.replace("canary", "later"): value.replace("canary", "later") for key, value in canary.items()}
    reader = HalvesReader(recording.prefix, recording.store)
    live: dict[str, Json] = {"process_alive": True}
    finish(reader, canary)
    finish(reader, recording.tree)
    live["canary_after_poison"] = reader.configuration.answer("canary.local", "/").status
    finish(reader, {**recording.tree, **later})
    live["later_good_change_applied"] = bool(reader.configuration.answer("later.local", "/").servers)
    finish(reader, {**canary, **later})
    live["recovers_once_removed"] = bool(reader.configuration.answer("later.local", "/").servers)
    assert live == recording.live


@pytest.mark.parametrize("recording", [each for each in map(load, RECORDINGS) if each.starts], ids=str)
def test_a_start_can_fail_where_a_leaf_is_a_directory(recording: Recording) -> None:
    """At random: that some fail is the fact."""
    failed = [start for start in recording.starts if start["failed_loads"] or not start["up_within_3s"]]
    assert failed
    assert leaves_and_directories(recording.tree, recording.prefix)


def service(name: str, rule: str, server: str = "s", **more: str) -> dict[str, str]:
    """A backend with one server and a frontend; `more`: further keys of the frontend, with `__` for a slash."""
    keys = {
        f"backends/{name}/loadbalancer/method": "drr",
        f"backends/{name}/servers/{server}/url": f"http://{server}.{name}:80",
        f"frontends/{name}/backend": name,
        f"frontends/{name}/routes/main/rule": rule,
    } | {f"frontends/{name}/{key.replace('__', '/')}": value for key, value in more.items()}
    return {f"/traefik/{key}": value for key, value in keys.items()}


Tree = Mapping[str, str]


def finish(reader: HalvesReader, tree: Tree) -> int:
    """One reading of a tree that stands still. Answers how many requests there were."""
    return sum(1 for _ in reader.run(lambda: tree))


def halves(before: Tree, after: Tree) -> Iterator[Configuration]:
    """What is served after each reading that one transaction can fall into."""
    return (cut(before, after, at) for at in range(1, max(count(before), count(after)) + 1))


def cut(before: Tree, after: Tree, at: int) -> Configuration:
    """What is served after a reading that sees `after` from its request number `at` on."""
    reader, current = HalvesReader("/traefik", Store.ETCD), before
    reading = reader.run(lambda: current)
    for request, _ in enumerate(reading, start=1):
        if request == at:
            current = after
    return reader.configuration


def count(tree: Tree) -> int:
    """How many requests a reading sends."""
    return finish(HalvesReader("/traefik", Store.ETCD), tree)


def servers_of(found: Configuration, host: str) -> frozenset[str]:
    return found.answer(host, "/").servers


def test_a_reading_sends_as_many_requests_as_the_real_one() -> None:
    """4, and 10 a backend, 4 a server, 43 a frontend, 1 a route; more for what is there."""
    plain = {**service("a", "Host:a.local"), **service("b", "Host:b.local")}
    assert count({}) == 4
    assert count(plain) == 4 + 2 * (10 + 4 + 43 + 1)
    assert count(plain | {"/traefik/frontends/a/auth/basic/users": ALICE}) == count(plain) + 7
    assert count(plain | {"/traefik/backends/a/healthcheck/path": "/"}) == count(plain) + 5
    rate = {
        "/traefik/frontends/a/ratelimit/extractorfunc": "client.ip",
        "/traefik/frontends/a/ratelimit/rateset/main/period": "1s",
    }
    assert count(plain | rate) == count(plain) + 4
    assert count(plain | {"/traefik/frontends/a/headers/customrequestheaders/X-A": "1"}) == count(plain) + 1
    assert count(plain | {"/traefik/frontends/a/entrypoints": "http"}) == count(plain) - 1


def test_a_rule_and_a_password_written_together_can_be_seen_apart() -> None:
    before = service("a", "Host:old.local")
    after = service("a", "Host:new.local", auth__basic__users=ALICE)
    assert any(servers_of(found, "new.local") for found in halves(before, after))


def test_a_password_written_a_reading_before_the_rule_is_never_missed() -> None:
    before, protected = service("a", "Host:old.local"), service("a", "Host:old.local", auth__basic__users=ALICE)
    after = service("a", "Host:new.local", auth__basic__users=ALICE)
    for found in (*halves(before, protected), *halves(protected, after)):
        assert not servers_of(found, "new.local")


def test_a_frontend_deleted_at_once_can_take_every_host_without_its_password() -> None:
    before = service("a", "Host:a.local", auth__basic__users=ALICE)
    seen = [found.answer("unknown.local", "/") for found in halves(before, {})]
    assert any(answer.servers and not answer.protections for answer in seen)


def test_a_frontend_closed_a_reading_before_the_rest_goes_takes_no_host() -> None:
    before = service("a", "Host:a.local", auth__basic__users=ALICE)
    closed = {key: value for key, value in before.items() if key != "/traefik/frontends/a/backend"}
    for found in (*halves(before, closed), *halves(closed, {})):
        assert not servers_of(found, "unknown.local")


def test_a_server_replaced_at_once_can_leave_nobody() -> None:
    before, after = service("a", "Host:a.local", "old"), service("a", "Host:a.local", "new")
    assert any(found.answer("a.local", "/").status == 503 for found in halves(before, after))
    for found in (*halves(before, before | after), *halves(before | after, after)):
        assert servers_of(found, "a.local")


def test_a_new_service_is_seen_whole_or_not_at_all() -> None:
    """Its names are listed or they are not; its backend is read before frontends are listed."""
    before = service("b", "Host:b.local")
    after = before | service("a", "Host:a.local", auth__basic__users=ALICE)
    answers = [found.answer("a.local", "/") for found in halves(before, after)]
    assert {answer.status for answer in answers} == {404, 401}


def test_a_reading_that_is_not_ended_changes_nothing() -> None:
    reader = HalvesReader("/traefik", Store.ETCD)
    finish(reader, service("a", "Host:a.local"))
    for _ in zip(reader.run(dict), range(3), strict=False):
        pass
    assert servers_of(reader.configuration, "a.local") == {"http://s.a:80"}


def test_an_answer_names_the_frontend_and_what_protects_it() -> None:
    tree = service("a", "Host:a.local", auth__basic__users=ALICE, whitelist__sourcerange="127.0.0.1/8")
    answer = configuration(tree, "/traefik", Store.ETCD).answer("a.local", "/")
    assert (answer.status, answer.frontend) == (401, "a")
    assert answer.protections == {"auth", "whitelist"}


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        ("Method:get,post", "/", True),
        ("Method:POST", "/", False),
        ("Path:/a,/b", "/b", True),
        ("Path:/a/{id:[0-9]+}", "/a/12", True),
        ("Path:/a/{id:[0-9]+}", "/a/x", False),
        ("Path:/a/{rest}", "/a/b/c", False),
        ("PathPrefix:/a b", "/a%20b/c", True),
        ("HostRegexp:{x:(?=a)a}.local", "/", False),
        ("Query:a=1,b=2", "/?b=2&a=1", True),
        ("Query:a=1,b=2", "/?a=1", False),
    ],
)
def test_a_rule_matches_as_the_reference_says(rule: str, path: str, matches: bool) -> None:
    assert parse_rule(rule).matches(Request("a.local", path)) is matches


@pytest.mark.parametrize("expression", ["Attempts() < 2 || ResponseCode() >= 500", "IsNetworkError()"])
def test_a_retry_is_taken(expression: str) -> None:
    check_retry(expression)


@pytest.mark.parametrize("expression", ["Attempts()", "!IsNetworkError()", "Attempts() < 1.0", "IsNetworkError() > 1"])
def test_a_retry_of_the_wrong_kind_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"expect|part"):
        check_retry(expression)
