"""How lines of the log are written: whatever stands in them, a line is one line, and a field is one field."""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import LogFormat
from bridge.daemon import logs
from bridge.daemon.logs import LONGEST_LINE, Lines, about, facts
from bridge.daemon.roll import REMEMBERED, Roll
from bridge.routes import Policy, judge_all
from tests.log_lines import ESSENTIAL, read_line
from tests.publishing import service, with_containers, without_health, world

ROOT = Path(__file__).parent.parent
FORMS = [form.value for form in LogFormat]
FORGED = '\n2026-12-01 03:00:00.000 ERROR forged\r\u2028\u2029\u0085\x1b[2J\x7f\u202e\u2066\ud800" level=error \\'
HASH = "$apr1$zzz0zzz0$IgXLP6ewTrSuBkTrqE8wj/"


def line(form: str, text: str, *, name: str = "bridge", fault: Exception | None = None, **its: object) -> str:
    """One event with this sentence and these fields."""
    record = logging.LogRecord(name, logging.WARNING, "", 0, "%s", (text,), None)
    record.__dict__.update(facts("problem", **its))  # type: ignore[arg-type]
    if fault is not None:
        record.exc_info = (type(fault), fault, fault.__traceback__)
    return Lines(LogFormat(form), "default", names_layout=False).format(record)


@pytest.mark.parametrize("form", FORMS)
@given(text=st.text(), value=st.text(min_size=1))
def test_no_text_begins_a_line_moves_the_cursor_or_becomes_a_field(form: str, text: str, value: str) -> None:
    event = read_line(form, line(form, text + FORGED, service=value + FORGED, went=[{"name": value + FORGED}]))
    assert event["level"] == "warning"
    if form != "text":
        assert set(event) == {*ESSENTIAL, "service", "went"}


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_what_can_be_shown_is_read_back_as_it_was(form: str) -> None:
    said = 'Grüße "a=b" \\ c=d, 東京'
    event = read_line(form, line(form, said, service=said, label="plain"))
    assert (event["msg"], event["service"], event["label"]) == (said, said, "plain")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("char", ["x", "\n", "\U0001f600", "\U000e0001", '"', "\\"])
def test_no_line_is_so_long_that_a_containers_log_splits_it(form: str, char: str) -> None:
    """What follows the cut would look like a line of its own."""
    long = char * 100_000
    found = line(form, long, service=long, key=long, reason=long, went=[dict.fromkeys(("name", "url"), long)] * 1000)
    assert len(found.encode()) <= LONGEST_LINE
    assert "…" in read_line(form, found)["msg"]  # type: ignore[operator]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "secret",
    [
        f"admin:{HASH}",
        "admin:$2y$05$zzzzzzzzzzzzzzzzzzzzzz",
        "admin:{SHA}zzz=",
        "admin:{SSHA}zzz=",
        "admin:{SSHA512}zzz=",
        "admin:traefik:0123456789abcdef0123456789abcdef",
        "admin:traefik:0123456789ABCDEF0123456789ABCDEF",
        "Authorization:Basic zzz=",
        "authorization: Bearer zzz",
        "Authorization=zzz||X-Name:a",
        "Headers:Authorization,Basic zzz",
        "https://zzz:zzz@b/$1",
        "X-Consul-Token: zzz",
        "{'X-Consul-Token': 'zzz'}",
        "/v1/kv/traefik?token=zzz&recurse=",
        '{"password": "zzz"}',
        "-----BEGIN EC PRIVATE KEY-----\nzzz\nzzz\n-----END EC PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nzzz\nzzz",
    ],
)
def test_logins_and_hashes_are_hidden_wherever_they_come_from(form: str, secret: str) -> None:
    """In a fault's text, or a library's words: nobody knows what they repeat."""
    try:
        raise ValueError(f"cannot read {secret!r}\nat all")
    except ValueError as err:
        found = line(form, f"it says {secret}", fault=err, service=secret)
    assert not re.search("(?i:zzz|0123456789abcdef|admin)", found)
    assert "ValueError: cannot read" in found
    assert "at test_logs.py:" in found
    read_line(form, found)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", ["u:realm:0123456789abcdef0123456789abcdef", "http://u:0123456789abcdef@h"])
def test_where_a_long_text_is_cut_no_half_of_a_secret_is_left(form: str, secret: str) -> None:
    """What is hidden becomes shorter, so that also what stood where it was cut may be shown."""
    for before in range(len(secret) + 1):
        assert "0123" not in line(form, " ".join(["x" * before, *[secret] * 200]))


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_whose_an_event_is_comes_from_whoever_is_at_work(form: str) -> None:
    with about(layout="traefik3"), about(cluster="berlin"):
        event = read_line(form, line(form, "x", reason="because", group="g"))
    assert (event["cluster"], event["layout"]) == ("berlin", "traefik3")
    assert list(event)[len(ESSENTIAL) :] == ["layout", "group", "reason"]
    assert "layout" not in read_line(form, line(form, "x"))


OTHERS = """
import logging, sys, threading, warnings
from bridge.config import LogFormat, LogLevel
from bridge.daemon.logs import set_up
set_up(LogFormat(sys.argv[1]), LogLevel.DEBUG, "default", names_layout=False)
for name in ("urllib3.connectionpool", "grpc._channel", "schedule"):
    logging.getLogger(name).debug("GET /v1/kv/zzz")
    logging.getLogger(name).info("Connection zzz")
    logging.getLogger(name).warning("Retrying after %r: https://zzz:zzz@h/\\nb", OSError("broken"))
    logging.getLogger(name).error("%d of %d", "no number")
warnings.warn("odd\\nodd", stacklevel=1)
def die():
    raise ValueError("a fault\\nthat nobody thought of")
thread = threading.Thread(target=die, name="leases")
thread.start()
thread.join()
"""


@pytest.mark.parametrize("form", FORMS)
def test_what_others_say_has_the_same_form(form: str) -> None:
    """Libraries, of which only warnings count; Python's warnings; and a thread that dies."""
    run = [sys.executable, "-c", OTHERS, form]
    ran = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    events = [read_line(form, one) for one in ran.stderr.splitlines()]
    assert "zzz" not in ran.stderr
    told = [event["msg"] for event in events]
    assert sum("Retrying after" in str(text) for text in told) == 3
    assert sum("%d of %d" in str(text) for text in told) == 3
    assert len(told) == 8
    assert "a fault" in ran.stderr.splitlines()[-1]
    if form != "text":
        assert [event["event"] for event in events] == ["library"] * 7 + ["fault"]
        assert events[0]["logger"] == "urllib3.connectionpool"


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call that writes a line, and where it stands."""
    for path in sorted((ROOT / "bridge").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and re.fullmatch(
                r"log\.(debug|info|warning|error|log)", ast.unparse(node.func)
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_every_line_has_fields_and_every_event_is_told_on_its_page() -> None:
    assert [where for where, call in calls() if "extra" not in [keyword.arg for keyword in call.keywords]] == []
    written = {
        name
        for path in (ROOT / "bridge").rglob("*.py")
        for name in re.findall(r'\bfacts\(\s*"([a-z-]+)"', path.read_text(encoding="utf-8"))
    }
    page = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z`, -]+`) \|", page.partition("\n## Events\n")[2], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert told - {"event"} == written | {"key-added", "key-changed", "key-removed", "library"}


def test_the_pages_examples_are_lines_of_the_log() -> None:
    page = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    (.+)$", page, re.MULTILINE)
    assert len(shown) == 3
    for one in shown:
        assert read_line("text", one)["level"] == "info"


# Who the servers are


def test_the_roll_says_why_a_container_is_no_server() -> None:
    roll, web = Roll(), service("web", 3)
    for seen in (world(web), world(without_health(with_containers(web, *web.containers[:2]), "web-1"))):
        roll.see(seen, judge_all(seen, Policy("default")))
    assert roll.why_gone("shop/web", "web-1") == "it is unhealthy"
    assert roll.why_gone("shop/web", "web-2") == ""
    assert roll.why_gone("shop/web", "web-3") == "its container is no more"
    assert roll.why_unpublished("shop/web") == ""
    assert roll.why_unpublished("shop/other") == "the source names the service no more"
    assert roll.why_unpublished("zz-bridge") == ""


def test_the_roll_remembers_names_of_those_who_left_and_not_of_all_there_ever_were() -> None:
    roll = Roll()
    for number in range(REMEMBERED + 10):
        web = service(f"web{number}", 1)
        roll.see(world(web), ())
    assert json.dumps([roll.name("web5-1"), roll.name(f"web{number - 1}-1")])  # both are names
    assert len(roll._left) == REMEMBERED
    assert "web5-1" not in roll._left
    assert f"web{number - 1}-1" in roll._left


@pytest.mark.parametrize("length", [100, 15_000])
def test_a_log_that_nobody_reads_holds_nobody_up_and_goes_on_with_whole_lines(length: int) -> None:
    code = (
        "from bridge.config import LogFormat, LogLevel; from bridge.daemon.logs import log, set_up; import sys\n"
        "set_up(LogFormat.JSON, LogLevel.INFO, 'c', names_layout=False)\n"
        f"for n in range(2000): log.info('é' * 900, extra={{'facts': {{'event': 'e', 'why': 'x' * {length}}}}})\n"
        "print('over', flush=True); sys.stdin.readline(); log.info('last')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stderr
        watch = threading.Timer(20, child.kill)
        watch.start()
        try:
            assert child.stdout.readline() == "over\n"
            first = child.stderr.readline()  # now there is room again
            _, said = child.communicate("\n", timeout=20)
        finally:
            watch.cancel()
    lines = said.splitlines()
    assert json.loads(first)["event"] == "e"
    assert json.loads(lines[-1])["msg"] == "last"
    assert 1 < len(lines) < 2000


def test_a_reader_that_is_slow_costs_a_second_and_a_tenth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It always reads at the last moment that somebody would wait for."""
    waits: list[float] = []

    class Slow:
        def register(self, file: int, events: int) -> None: ...

        def poll(self, milliseconds: float) -> list[int]:
            waits.append(milliseconds / 1000)
            return [1]

    class Clock:
        def monotonic(self) -> float:
            return sum(waits)

    monkeypatch.setattr("bridge.daemon.logs.select.poll", Slow)
    monkeypatch.setattr(logs, "time", Clock())
    with open(os.devnull, "w") as nowhere:
        patient = logs._Patient(nowhere.fileno())
        for _ in range(1000):
            patient.write("a line\n")
    assert len(waits) == 1000
    assert 1.0 <= sum(waits) <= 1.0 + 0.1 * sum(waits) + 0.001
