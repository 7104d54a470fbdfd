"""A claim of the demonstration that is not so ends it; and what it plays on does as it says."""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import pytest

from bridge.demo import stage as stages
from bridge.demo import story as scenes
from bridge.demo import traffic
from bridge.demo.answers import ask
from bridge.demo.children import Child, Children
from bridge.demo.containers import Containers, who_answered
from bridge.demo.etcd import Etcd, start_again
from bridge.demo.ledger import Ledger
from bridge.demo.metadata import FAULTS, Fault, Metadata
from bridge.demo.stage import Stage, stage
from bridge.demo.story import THREE, Story
from bridge.demo.visitors import Visit
from bridge.demo.world import World
from bridge.model.problem import BridgeError
from tests.demonstration import LIMIT, ROOT, at_work, environment

KEY = "traefik/http/services/web-test__proxy-test/loadBalancer/passHostHeader"
SERVER = "servers/default--9c41f6d7-8e3a-4f52-b1c6-0a2b7e5d3f02"  # of web-test-2


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """The first world is published."""
    with stage(tmp_path, THREE) as ready:
        found = Story(ready)
        found.publish()
        yield found
    assert at_work(tmp_path) == set()


@pytest.fixture
def served(story: Story) -> Story:
    """And Traefik serves it to visitors."""
    story.serve()
    return story


def put(etcd: Etcd, key: str, **fields: object) -> None:
    host, _, port = etcd.endpoint.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("POST", "/v3/kv/put", json.dumps({"key": base64.b64encode(key.encode()).decode(), **fields}))
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def rewrite(etcd: Etcd) -> None:
    """A key of the route is written again with the value and the lease that it has."""
    put(etcd, KEY, ignore_value=True, ignore_lease=True)


def write_stray(etcd: Etcd) -> None:
    """A key that is nobody's."""
    put(etcd, "stray", value="")


def also(patch: pytest.MonkeyPatch, kind: type, method: str, act: Callable[[], None]) -> None:
    """Whenever the method is called, this happens before."""
    original = getattr(kind, method)

    def both(*arguments: object) -> object:
        act()
        return original(*arguments)

    patch.setattr(kind, method, both)


# What stands in the store


def test_a_world_that_does_not_reach_etcd_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "PATIENCE", 2.0)
    with stage(tmp_path, THREE) as ready, pytest.raises(BridgeError, match="the world is published: not within 2 s"):
        Story(ready, scenes.FIVE).publish()


def test_a_first_world_in_two_transactions_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    until = Ledger.until

    def until_twice(ledger: Ledger, *arguments: object) -> object:
        until(ledger, *arguments)  # type: ignore[arg-type]
        rewrite(ledger.stage.etcd)
        return until(ledger, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "until", until_twice)
    with stage(tmp_path, THREE) as ready, pytest.raises(BridgeError, match="were written at 2 revisions, not at one"):
        Story(ready).publish()


def test_a_change_that_writes_more_than_it_must_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Metadata, "show", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=rf"2 transactions instead of 1 wrote .*{KEY}"):
        story.flip()


def test_a_change_of_a_key_that_has_no_reason_to_change_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "parts_that_differ", lambda *_: frozenset({"web-test-3"}))
    with pytest.raises(BridgeError, match=rf"written without a reason: .*{SERVER}"):
        story.flip()


def test_a_bridge_that_ends_unasked_ends_it(story: Story) -> None:
    story.stage.bridges["a"].end(signal.SIGKILL)
    with pytest.raises(BridgeError, match=r"replica a ended unasked; last was said: .* INFO "):
        story.flip()


def test_a_restart_that_writes_a_key_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Children, "start_bridge", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=rf"it wrote bridge/traefik/c/default/leader, {KEY};"):
        story.kill_and_restart()


def test_a_restart_after_which_the_lease_has_ended_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.stores.etcd.Etcd.remaining", lambda *_: None)
    with pytest.raises(BridgeError, match="not on one living lease"):
        story.kill_and_restart()


def test_a_second_layout_that_touches_the_first_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Children, "start_bridge", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=f"written without a reason: {KEY};"):
        story.follow()


def test_a_follower_that_writes_ends_it(served: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Stage, "quote", partial(rewrite, served.stage.etcd))
    with pytest.raises(BridgeError, match=f"somebody wrote {KEY};"):
        served.follow()


def test_a_take_over_that_writes_a_key_ends_it(served: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    served.follow()
    also(monkeypatch, Child, "end", partial(rewrite, served.stage.etcd))
    with pytest.raises(BridgeError, match=f"it wrote bridge/traefik/c/default/leader, {KEY};"):
        served.take_over()


def test_a_bridge_that_does_not_end_in_order_ends_it(served: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    end = Child.end
    monkeypatch.setattr(Child, "end", lambda child, _: end(child, signal.SIGKILL))
    with pytest.raises(BridgeError, match="replica a ended with code -9"):
        served.plot.leave()


def test_an_etcd_that_comes_back_empty_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_empty(children: Children, killed: Etcd) -> Etcd:
        for bridge in story.stage.bridges.values():  # else it publishes all again
            bridge.end(signal.SIGKILL)
        shutil.rmtree(children.folder / "data")
        return start_again(children, killed)

    monkeypatch.setattr(scenes, "start_again", start_empty)
    with pytest.raises(BridgeError, match=rf"etcd has lost .*{KEY}"):
        story.restart_etcd()


def test_a_write_while_the_metadata_service_fails_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Metadata, "fail", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=f"somebody wrote {KEY};"):
        story.fail_metadata()


def test_a_fault_that_the_bridge_does_not_notice_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "PATIENCE", 1.0)
    monkeypatch.setattr(Metadata, "fail", lambda *_: None)
    with pytest.raises(BridgeError, match=r"says 'WARNING source:': not within 1 s"):
        story.fail_metadata()


def test_a_key_that_leave_leaves_ends_it(served: Story) -> None:
    write_stray(served.stage.etcd)
    with pytest.raises(BridgeError, match="etcd still holds stray;"):
        served.plot.leave()


def test_a_leave_that_fails_ends_it(served: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    start = Children.start_bridge
    monkeypatch.setattr(Children, "start_bridge", lambda its, name, _, told: start(its, name, ["leave", "--odd"], told))
    with pytest.raises(BridgeError, match="leave ended with code 2: bridge: No such option"):
        served.plot.leave()


# What comes through Traefik


def test_requests_that_do_not_go_round_end_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    always = Visit(0.0, "web-test-1", "My hostname is web-test-1\n")
    monkeypatch.setattr(scenes, "visit", lambda *_: always)
    with pytest.raises(BridgeError, match=r"do not go round: web-test-. web-test-1 web-test-1 "):
        story.serve()


def test_a_request_that_fails_ends_it(served: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a container stops at once and its key goes later."""
    also(monkeypatch, Metadata, "show", partial(served.stage.containers.stop, ["web-test-2"]))
    with pytest.raises(BridgeError, match=r"\d+ of \d+ requests failed, the first with status 502;"):
        served.flip()


def test_a_container_that_still_answers_ends_it(served: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "_round_without", lambda visits, *_: visits[0].at if visits else None)
    with pytest.raises(BridgeError, match=r"web-test-2 still answered \d+ request"):
        served.flip()


def test_a_container_that_does_not_come_to_answer_ends_it(served: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "PATIENCE", 2.0)
    with pytest.raises(BridgeError, match="answers by web-test-9: not within 2 s"):
        served.plot.traffic.joined(["web-test-9"], 0.0)


def test_a_claim_that_is_not_so_is_one_line_and_code_1(tmp_path: Path) -> None:
    lie = "from bridge.demo.world import World; World.urls = lambda *_: frozenset(['http://127.0.0.1:1'])"
    impatient = "from bridge.demo import stage; stage.PATIENCE = 3.0"
    ran = subprocess.run(
        (
            sys.executable,
            "-c",
            f"import sys; {lie}; {impatient}; from bridge.cli import main; sys.exit(main(['demo']))",
        ),
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("bridge: step 2 of the demonstration: ")
    assert len(ran.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    assert at_work(tmp_path) == set()


def test_a_round_without_a_container_is_told_from_one_in_which_it_comes_late() -> None:
    """First in one round of three and last in the next: four answers lie between."""

    def seen(names: str) -> float | None:
        return traffic._round_without([Visit(float(at), name, "") for at, name in enumerate(names)], {"b"}, 2)

    assert seen("bacacb") is None
    assert seen("bacaca") == 5.0


# Its metadata service and its containers


def fetch(service: Metadata, path: str, **query: str) -> tuple[int, bytes]:
    """Status and body."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.request("GET", f"/2016-07-29/{path}?{urlencode(query)}", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        assert answer.getheader("Content-Type") == "text/plain; charset=utf-8"
        return answer.status, answer.read()
    finally:
        connection.close()


def test_its_metadata_service_polls_until_a_change_and_no_longer_than_asked() -> None:
    with Metadata(b"[1]", b"[0]") as service:
        status, version = fetch(service, "version")
        known = str(json.loads(version))
        assert (status, fetch(service, "stacks")) == (200, (200, b"[1]"))
        assert fetch(service, "hosts") == (200, b"[0]")
        assert fetch(service, "version", wait="true", value=known, maxWait="0") == (200, version)
        waiting = Thread(target=lambda: service.show(b"[2]"))
        waiting.start()
        assert fetch(service, "version", wait="true", value=known, maxWait="600")[1] != version
        waiting.join()
        assert fetch(service, "stacks") == (200, b"[2]")
        assert fetch(service, "services")[0] == 404


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_its_metadata_service_fails_as_it_says_and_is_well_with_the_next_world(fault: Fault) -> None:
    with Metadata(b"[1]", b"[0]") as service:
        service.fail(fault)
        assert fetch(service, "stacks") == (fault.status, fault.body)
        service.show(b"[2]")
        assert fetch(service, "stacks") == (200, b"[2]")


def test_a_container_answers_while_it_runs_and_refuses_else_and_keeps_its_port() -> None:
    with Containers(["one"]) as containers:
        endpoint = f"127.0.0.1:{containers.ports['one']}"
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                ask(endpoint, "/")
            containers.start(["one"])
            assert who_answered(ask(endpoint, "/", "a.test").body) == "one"
            assert b"\nHost: a.test\n" in ask(endpoint, "/", "a.test").body
            containers.stop(["one"])
