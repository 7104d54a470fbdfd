"""What is measured, what is told of it, and what compose/monitoring asks of it: they name the same figures."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from bridge.daemon.status import BUCKETS, Counts, Options, Pulse, Result, Status, Trouble, Vitals
from bridge.layouts import RouteLayout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import FOR_EVER, LeaseName
from bridge.model.keys import Publisher
from bridge.model.problem import Problem
from bridge.report import Outcome, Report
from bridge.web.app import make_app
from bridge.web.board import Board
from bridge.web.health import LOOP, RESTART, health, readiness
from bridge.web.metrics import NOTICE, OTHER, REASON_NAMES, exposition, reason_of
from bridge.writer import Settings
from tests.commands import silent
from tests.test_compose import services
from tests.test_label_pairs import RECORDINGS, verdicts

ROOT = Path(__file__).parent.parent
MONITORING = ROOT / "compose" / "monitoring"
DOCS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


SETTINGS = Settings(Publisher(TRAEFIK1, "/traefik/", "bridge/traefik/", "berlin"), "", "1.2.3", 300, "a", "token")


@dataclass(frozen=True)
class Shown:
    """A publisher as it is put on the board."""

    status: Status
    signs: Vitals
    layout: RouteLayout = TRAEFIK1
    settings: Settings = SETTINGS

    def vitals(self) -> Vitals:
        return self.signs


FAMILIES = ("c/berlin", "fleet", "standing", "c/berlin/replica/a")
WELL = Vitals(
    1.0,
    (Pulse("source", True, 3.0, 240.0), Pulse("leases", True, 0.0, 20.0)),
    {LeaseName(one, FOR_EVER if one == "standing" else 300): 90.0 for one in FAMILIES},
)
PROBLEMS = (Problem("shop/shoes", "traefik.port", "x\n", "no number", "no route"), Problem("", "", "", "", "", True))
REPORT = Report("berlin", "traefik1", Outcome.DONE, PROBLEMS, (), 7, servers=4)
COUNTS = Counts(
    dict.fromkeys(Result, 1), {"added": 3, "changed": 2, "removed": 1}, 5, {"source": 1, "store": 2}, (1,) * 13, 9.5
)
SYNCED = Status(
    "berlin", "traefik1", "a", "/traefik/", False, REPORT, read_at=1e9, leads=True, synced_at=1e9 + 1, counts=COUNTS
)


def board(status: Status = SYNCED, signs: Vitals = WELL) -> Board:
    return Board("1.2.3", (Shown(status, signs),), lambda: Options(1e9 + 2))


def families(shown: Board) -> dict[str, Metric]:
    return {one.name: one for one in text_string_to_metric_families(exposition(shown).decode())}


OURS = {name: one for name, one in families(board()).items() if name.startswith("bridge_")}


def promtool() -> str:
    """The one on the PATH, else the one that tests/fetch_promtool.sh brought. Without one the test fails."""
    found = shutil.which("promtool") or str(ROOT / ".cache" / "promtool")
    assert Path(found).exists(), "no promtool: make promtool"
    return found


# The figures


def test_the_text_is_read_by_the_clients_own_parser_and_says_what_the_loop_counted() -> None:
    assert OURS["bridge_syncs"].type == OURS["bridge_changes"].type == "counter"
    assert {one.labels["kind"]: one.value for one in OURS["bridge_changes"].samples} == COUNTS.changes
    ends = {one.labels["le"]: one.value for one in OURS["bridge_sync_duration_seconds"].samples if "le" in one.labels}
    assert [*ends] == [*map(str, BUCKETS), "+Inf"]
    assert [*ends.values()] == list(range(1, 14))
    ttls = {one.labels["lease"]: one.value for one in OURS["bridge_lease_ttl_seconds"].samples}
    assert ttls == {"cluster": 300, "fleet": 300, "replica": 300, "standing": math.inf}


def test_two_publishers_are_two_rows_of_one_metric() -> None:
    other = replace(SYNCED, layout="traefik3")
    both = families(Board("1", (Shown(SYNCED, WELL), Shown(other, WELL))))
    for name in ("bridge_leader", "bridge_ready", "bridge_conflicts"):
        assert [one.labels["layout"] for one in both[name].samples] == ["traefik1", "traefik3"]


def test_what_is_not_known_yet_has_no_figure() -> None:
    found = families(board(Status("berlin", "traefik1", "a", "/traefik/", False)))
    for name in ("bridge_snapshot_timestamp_seconds", "bridge_last_success_timestamp_seconds", "bridge_routes"):
        assert not found[name].samples
    assert [one.value for one in found["bridge_ready"].samples] == [0]


def test_of_several_leases_of_a_kind_the_one_nearest_to_its_end_is_told_with_its_own_ttl() -> None:
    """As where clusters have several TTLs: the age of the longest would look late beside the shortest TTL."""
    leases = {LeaseName("fleet", 30): 9.0, LeaseName("fleet", 900): 180.0, LeaseName("fleet", FOR_EVER): 1e6}
    found = families(board(signs=replace(WELL, leases=leases)))
    (renewed,) = found["bridge_lease_renewal_timestamp_seconds"].samples
    (ttl,) = found["bridge_lease_ttl_seconds"].samples
    assert ttl.value == 30
    assert time.time() - renewed.value == pytest.approx(9.0, abs=5.0)


@pytest.mark.parametrize(
    "signs",
    [
        replace(WELL, leases={**WELL.leases, LeaseName("c/berlin/replica/a", 300): 301.0}),
        replace(WELL, lost=frozenset({LeaseName("c/berlin/replica/a", 300)})),
    ],
    ids=["unrenewed", "ended"],
)
def test_one_whose_lease_of_leading_is_over_leads_no_more_whatever_it_last_knew(signs: Vitals) -> None:
    """Another leads by now: two that lead would be told of one cluster."""
    (found,) = families(board(signs=signs))["bridge_leader"].samples
    assert found.value == 0
    (before,) = OURS["bridge_leader"].samples
    assert before.value == 1


def test_of_a_dry_run_nobody_is_told_that_it_does_not_lead() -> None:
    """It shadows whoever writes until now: an alert that nobody leads would be false."""
    found = families(board(replace(SYNCED, dry_run=True, leads=False)))
    assert not found["bridge_leader"].samples
    assert found["bridge_healthy"].samples


def test_promtool_finds_no_fault_with_their_names() -> None:
    ran = subprocess.run(
        [promtool(), "check", "metrics"], input=exposition(board()), capture_output=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_a_problem_is_counted_by_what_it_comes_to_and_never_by_its_text() -> None:
    assert [reason_of(one) for one in PROBLEMS] == ["no_route", "notice"]
    assert reason_of(Problem("a/b", "traefik.weight", "x", "no number", "used the default, 5")) == OTHER
    for did, counted_as in (
        ("published none of its servers there", "no_server"),
        ("wrote the rule without it", "left_out"),
    ):
        assert reason_of(Problem("a/b", "", "", "", did)) == counted_as
    counted = {one.labels["reason"]: one.value for one in OURS["bridge_problems"].samples}
    assert counted == {**dict.fromkeys(REASON_NAMES, 0), "no_route": 1, "notice": 1}


def test_of_what_sample_worlds_come_to_only_replaced_values_count_as_such(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is also the word for what fits nowhere else, which shall be nothing."""
    bridge, found = silent(capsys, monkeypatch), list[Problem]()
    for world, name in product(("mixed", "real"), ("traefik1", "traefik3")):
        source = f"file:{ROOT / 'tests' / 'samples' / world}.stacks.json"
        told = json.loads(bridge("check", "--source", source, "--layout", name, "--output", "json").out)
        found += [Problem("", "", "", one["reason"], one["did"], notice=one["notice"]) for one in told["problems"]]
    found += [one for path in RECORDINGS for verdict in verdicts(path) for one in verdict.problems]
    assert {reason_of(one) for one in found} >= {"no_route", "no_server", "left_out", "overruled", OTHER, NOTICE}
    assert {one.did.split(",")[0] for one in found if reason_of(one) == OTHER} == {"used the default"}


# What is told of them


def told() -> list[list[str]]:
    lines = [line for line in DOCS.splitlines() if line.startswith("| `bridge_")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_metric_is_told_with_its_type_and_its_labels() -> None:
    ending = {"counter": "_total", "info": "_info"}
    found = []
    for name, one in OURS.items():
        labels = dict.fromkeys(label for sample in one.samples for label in sample.labels if label != "le")
        kind = "gauge" if one.type == "gauge" and name.endswith("_info") else one.type
        suffix = ending.get(kind, "")
        found.append([f"`{name.removesuffix(suffix)}{suffix}`", kind, " ".join(f"`{label}`" for label in labels)])
    assert [row[:3] for row in told()] == found


def test_each_reason_and_each_outcome_is_told() -> None:
    for word in (*REASON_NAMES, *(one.value for one in Result)):
        assert f"`{word}`" in DOCS


# Health


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        (replace(WELL, loop=LOOP + 1), "the loop stands still"),
        (replace(WELL, threads=(Pulse("source", True, 241.0, 240.0),)), "the thread of source gives no sign"),
        (replace(WELL, loop=RESTART + 1, threads=(Pulse("leases", False, 0.0, 20.0),)), "the thread of leases ended"),
    ],
    ids=["loop", "hangs", "dead"],
)
def test_a_thread_that_is_stuck_is_named(signs: Vitals, said: str) -> None:
    (found,) = health(board(signs=signs))
    assert [reason for reason in found.reasons if said in reason] == list(found.reasons) != []


def test_a_thread_that_just_ended_is_left_to_the_loop_to_begin_again() -> None:
    (found,) = health(board(signs=replace(WELL, threads=(Pulse("leases", False, 0.0, 20.0),))))
    assert not found.reasons


def test_troubles_of_source_and_store_are_no_fault_of_the_process() -> None:
    status = replace(SYNCED, source=Trouble("it is away", 0.0), store=Trouble("so is it", 0.0))
    for found in (*health(board(status)), *readiness(board(status))):
        assert not found.reasons


@pytest.mark.parametrize(
    ("leases", "said"),
    [
        ({LeaseName("fleet", 300): 301.0}, "lease fleet of 300 s is not renewed for 301 s"),
        ({LeaseName("fleet", FOR_EVER): 1e6}, ""),
        ({}, "leads, and keeps no lease"),
    ],
)
def test_leases_that_are_past_cost_readiness(leases: dict[LeaseName, float], said: str) -> None:
    (found,) = readiness(board(signs=replace(WELL, leases=leases)))
    assert bool(found.reasons) == bool(said)
    assert said in " ".join(found.reasons)


def test_the_application_shows_a_hostile_reason_as_data() -> None:
    hostile = replace(SYNCED, synced_at=None, read_at=None, source=Trouble('</script><b>"\n', 0.0))
    answer = make_app(board(hostile), "127.0.0.1").test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert '</script><b>"\n' in answer.get_json()["publishers"][0]["reasons"][0]


# compose/monitoring

FOLDER_FILES = {"README.md", "alerts.yml", "alerts_test.yml", "dashboard.json", "prometheus.yml"}


def check(*words: str) -> None:
    ran = subprocess.run([promtool(), *words], cwd=MONITORING, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_folder_holds_nothing_that_no_test_looks_at() -> None:
    assert {path.name for path in MONITORING.iterdir()} == FOLDER_FILES


@pytest.mark.parametrize(
    "words",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
)
def test_promtool_takes_it(words: tuple[str, ...]) -> None:
    check(*words)


def test_each_alert_is_tried_both_ways() -> None:
    (group,) = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    names = {rule["alert"] for rule in group["rules"]}
    tries = [
        one
        for case in yaml.safe_load((MONITORING / "alerts_test.yml").read_text())["tests"]
        for one in case["alert_rule_test"]
    ]
    assert {one["alertname"] for one in tries if one.get("exp_alerts")} == names
    assert {one["alertname"] for one in tries if not one.get("exp_alerts")} == names


def asked() -> set[str]:
    """All figures that rules and dashboard ask for."""
    text = (MONITORING / "alerts.yml").read_text() + (MONITORING / "dashboard.json").read_text()
    return set(re.findall(r"\bbridge_[a-z_]+\b", text))


def test_rules_and_dashboard_ask_for_what_there_is() -> None:
    there = {sample.name for one in OURS.values() for sample in one.samples}
    assert asked() - there == set()


def test_every_panel_has_a_place_of_its_own_and_asks_in_a_language_that_promtool_reads(tmp_path: Path) -> None:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    places: set[tuple[int, int]] = set()
    rules = []
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert 0 <= at["x"] < at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not places & cells
        places |= cells
        for target in panel["targets"]:
            expr = target["expr"].replace("$__rate_interval", "1m").replace("$cluster", ".*").replace("$layout", ".*")
            rules.append({"record": f"panel:{panel['id']}:{target['refId']}", "expr": expr})
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    check("check", "rules", str(tmp_path / "rules.yml"))


def test_prometheus_asks_where_the_compose_files_let_the_bridge_listen() -> None:
    (job,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    for folder in ("rancher", "rancher-consul"):
        environment = services(folder)["bridge"]["environment"]
        assert isinstance(environment, dict)
        assert str(environment["BRIDGE_HTTP"]).rpartition(":")[2] == str(found["port"])
    assert job["job_name"] == "bridge"
