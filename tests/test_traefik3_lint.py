"""The verdict on a whole tree is the one of the real Traefik 3, by the recordings of it, version by version.

Besides the pairs of `golden/traefik3` (whole trees, with requests) four files hold what 3.0.4 and 3.7.15 made of odd
keys, rules, objects and webs of references, on etcd: which trees they refused, which objects they called disabled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.layouts import Target, layout
from bridge.layouts.lint import Finding, Grade
from bridge.layouts.traefik3_fields import Version
from bridge.layouts.traefik3_language import http_flaws
from bridge.layouts.traefik3_lint import faults, lint, poison, strays
from bridge.routes import Policy, judge_all
from bridge.sources.document import snapshot
from bridge.sync import lay_out, with_standing
from tests.worlds.generate import document

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.stacks.json"))
PAIRS = sorted((GOLDEN / "traefik3").glob("[0-9]*.json"))
OBJECTS = json.loads((GOLDEN / "traefik3_objects.json").read_text())
GRAPHS = json.loads((GOLDEN / "traefik3_graphs.json").read_text())
TREES = json.loads((GOLDEN / "traefik3_trees.json").read_text())
RULES = json.loads((GOLDEN / "traefik3_rules.json").read_text())
KINDS = {
    "router": "http/routers",
    "service": "http/services",
    "middleware": "http/middlewares",
    "tcp router": "tcp/routers",
}
ENDS = ("process dies", "configuration goroutine dies")

# What only Traefik's own command line, or another provider, can tell.
ONLY_TRAEFIK_KNOWS = {
    ("078-native-provider-suffix", "http/routers/a"): "a middleware of another provider",
    ("111-disabled-references", "http/routers/c"): "an entry point that is not there",
    ("middlewares", "http/middlewares/m-fwdca"): "a file that is not there",
    ("middlewares", "http/routers/m-fwdca"): "a file that is not there",
    ("middlewares", "http/middlewares/m-plugin"): "a plugin that is not loaded",
    ("middlewares", "http/routers/m-plugin"): "a plugin that is not loaded",
    ("services", "http/routers/k9"): "an entry point of UDP",
    ("services", "http/routers/topt4"): "a file that is not there",
}
# Of an object that cannot be built Traefik's page tells less: it names the routers alone.
TOLD_BY_ROUTERS = {"tcp/services/st", "tcp/services/wm", "udp/services/w", "tls/options/o2", "tls/options/o3"}
# The recorded patch is a good one; some of its minor version are not, and the worst is assumed.
WORST_IS_ASSUMED = {
    ("112-services-with-two-types", "3.6.15"): "up to 3.6.2 a service that leads to itself eats all memory",
    ("138-basicauth-without-users", "3.7.15"): "up to 3.7.1 the goroutine of the configuration dies",
}
# Built with an older Go, which takes an IPv6 address without brackets.
OLDER_GO = {("3.0.4", "http/routers/u-v6"), ("3.0.4", "http/services/u-v6")}


def version_of(traefik: str) -> Version:
    major, minor, _ = traefik.split(".")
    return int(major), int(minor)


@dataclass(frozen=True)
class Case:
    """A tree, and what a Traefik made of it."""

    name: str
    traefik: str
    root: str
    keys: Mapping[str, str]
    verdict: str

    def __str__(self) -> str:
        return f"{self.name}-{self.traefik}"

    @property
    def version(self) -> Version:
        return version_of(self.traefik)

    @property
    def findings(self) -> tuple[Finding, ...]:
        prefix = f"{self.root}/"
        keys = {key: value for key, value in self.keys.items() if key.startswith(self.root)}
        return lint(keys, prefix, self.version) + strays(self.keys, prefix)


def cases() -> list[Case]:
    found = []
    for path in PAIRS:
        pair: dict[str, Any] = json.loads(path.read_text())
        keys = {key: value.replace("@PROVIDER", "@consul") for key, value in pair["kv"].items()}
        verdicts = {pair["traefik"]: pair["verdict"]}
        for traefik, other in pair.get("other_versions", {}).items():
            verdicts[traefik] = pair["verdict"] if other == "same" else other["verdict"]
        for traefik, verdict in verdicts.items():
            found.append(Case(path.stem, traefik, pair["root"], keys, verdict))
    return found


CASES = cases()


def graded(findings: tuple[Finding, ...], *grades: Grade) -> list[str]:
    return [one.key for one in findings if one.flaw.grade in grades]


def lost(findings: tuple[Finding, ...], root: str) -> set[str]:
    keys = graded(findings, Grade.DEAD, Grade.LOST)
    return {"/".join(key.removeprefix(f"{root}/").split("/")[:3]) for key in keys}


def disabled(verdict: str) -> set[str]:
    """The objects that a recorded verdict names, but for those that are served all the same."""
    told = [one.rpartition(" ") for one in verdict.removeprefix("disabled:").split(",") if "(warning)" not in one]
    return {f"{KINDS[kind]}/{name}" for kind, _, name in told}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_verdict_is_the_real_traefiks(case: Case) -> None:
    found = case.findings
    hard = graded(found, Grade.DEAD, Grade.FROZEN)
    if (case.name, case.traefik) in WORST_IS_ASSUMED:
        assert graded(found, Grade.DEAD)
        assert lost(found, case.root) == disabled(case.verdict)
    elif case.verdict == "ok":
        assert graded(found, Grade.DEAD, Grade.FROZEN, Grade.LOST) == []
    elif case.verdict == "frozen":
        assert graded(found, Grade.FROZEN)
        assert not graded(found, Grade.DEAD)
    elif case.verdict.startswith("disabled:"):
        unknown = {path for name, path in ONLY_TRAEFIK_KNOWS if name == case.name}
        assert hard == []
        assert lost(found, case.root) == disabled(case.verdict) - unknown
    elif case.verdict == "nothing loaded" and case.name == "118-leading-slash":
        assert graded(found, Grade.LOST) == ["/traefik/http/routers/good/entryPoints"]
    else:
        assert case.verdict in (*ENDS, "nothing loaded")
        assert graded(found, Grade.DEAD)


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{TREES.index(tree)}-{tree['traefik']}")
def test_odd_keys_are_refused_as_by_the_real_traefik(tree: dict[str, Any]) -> None:
    """Chosen by hand, and by chance: names and values of all types, in odd spellings and at odd places."""
    keys = {f"traefik/{path}": value for path, value in tree["kv"].items()}
    refused = graded(poison(keys, "traefik/", version_of(tree["traefik"])), Grade.FROZEN)
    if "http/middlewares/a/URLRewrite/hostname" in tree["kv"]:  # of what is ignored nothing is known here
        assert refused
        return
    assert bool(refused) is tree["frozen"]


def test_each_kind_of_verdict_was_recorded() -> None:
    kinds = {case.verdict.partition(":")[0] for case in CASES}
    assert kinds == {"ok", "frozen", "disabled", "nothing loaded", "process dies"}
    assert len(CASES) > len(PAIRS) > 80


@pytest.mark.parametrize("case", [case for case in CASES if case.verdict == "frozen"], ids=str)
def test_without_the_keys_that_are_named_traefik_takes_the_tree(case: Case) -> None:
    named = graded(case.findings, Grade.FROZEN)
    left = {key: value for key, value in case.keys.items() if key not in named}
    assert graded(lint(left, f"{case.root}/", case.version), Grade.FROZEN) == []
    assert not any("/good/" in key for key in named)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_stops_traefik_for_all_is_known_without_the_rest(case: Case) -> None:
    prefix = f"{case.root}/"
    keys = {key: value for key, value in case.keys.items() if key.startswith(case.root)}
    worst = [one for one in lint(keys, prefix, case.version) if one.flaw.grade in (Grade.DEAD, Grade.FROZEN)]
    assert list(poison(keys, prefix, case.version)) == worst


@pytest.mark.parametrize("record", OBJECTS, ids=lambda one: f"{one['name']}-{one['traefik']}")
def test_odd_objects_are_lost_as_the_real_traefik_loses_them(record: dict[str, Any]) -> None:
    case = Case(record["name"], record["traefik"], "", record["kv"], "")
    findings = lint({f"traefik/{path}": value for path, value in case.keys.items()}, "traefik/", case.version)
    unknown = {path for name, path in ONLY_TRAEFIK_KNOWS if name == case.name}
    more = lost(findings, "traefik") - set(record["disabled"])
    assert set(record["disabled"]) - lost(findings, "traefik") == unknown
    assert more <= TOLD_BY_ROUTERS | {path for traefik, path in OLDER_GO if traefik == case.traefik}
    assert record["objects"] > 100


@pytest.mark.parametrize("record", GRAPHS, ids=lambda one: f"{GRAPHS.index(one)}-{one['traefik']}")
def test_routers_are_lost_by_what_they_lead_to_as_the_real_traefik_loses_them(record: dict[str, Any]) -> None:
    """Sixty routers over services and middlewares that name each other by chance."""
    keys = {f"traefik/{path}": value for path, value in record["kv"].items()}
    findings = lint(keys, "traefik/", version_of(record["traefik"]))
    if not record["loaded"]:  # a service leads to itself, and its configuration stands still
        assert graded(findings, Grade.DEAD)
        return
    assert not graded(findings, Grade.DEAD, Grade.FROZEN)
    assert {path for path in lost(findings, "traefik") if path.startswith("http/routers/")} == set(record["disabled"])


@pytest.mark.parametrize(("rule", "taken"), RULES.items())
def test_a_rule_is_taken_or_refused_as_by_the_real_traefik(rule: str, taken: bool) -> None:
    refused = [flaw for flaw in http_flaws(rule, (3, 7)) if flaw.grade is Grade.LOST]
    assert bool(refused) is not taken


@pytest.mark.parametrize(
    "rule",
    [
        "HostRegexp(`{n:[a-z]+}.x`)",
        "Host(`{n}.x`)",
        "PathPrefix(`/v{n:[0-9]+}`)",
        "Query(`a=b`)",
        "HostRegexp(`^Shop[.]x$`)",
        "Host(`x:8080`)",
    ],
)
def test_a_rule_that_never_matches_is_told(rule: str) -> None:
    assert [flaw.grade for flaw in http_flaws(rule, (3, 7))] == [Grade.WRONG]


@pytest.mark.parametrize("rule", [r"HostRegexp(`(?i)^Shop\.x$`)", r"HostRegexp(`^[A-Za-z]\D\PL(?P<Name>x)$`)"])
def test_a_rule_that_can_match_is_not(rule: str) -> None:
    assert list(http_flaws(rule, (3, 7))) == []


@pytest.mark.parametrize("version", [(3, 0), (3, 7)])
@pytest.mark.parametrize(
    "data",
    [*(path.read_bytes() for path in SAMPLES), document(40, 3, 1, unhealthy=0.3)],
    ids=lambda data: str(len(data)),
)
def test_of_what_the_bridge_writes_nothing_is_said(data: bytes, version: Version) -> None:
    written = layout("traefik3", Target(version))
    wishes, _ = lay_out(judge_all(snapshot(data, "file:world.json"), Policy()), written, "default")
    wishes = with_standing(wishes, written)
    keys = {f"traefik/{path}": value for wish in wishes.values() for path, value in {**wish.shared, **wish.own}.items()}
    assert len(keys) > 4
    found = lint(keys, "traefik/", version)
    assert [one for one in found if not one.key.endswith("/plugin")] == []  # which Traefik's configuration must have
    assert {one.flaw.grade for one in found} <= {Grade.NOTICE}
    assert poison(keys, "traefik/", version) == ()


GOOD = {
    "http/routers/a/rule": "Host(`a.test`)",
    "http/routers/a/service": "a",
    "http/routers/a/entryPoints": "web",
    "http/routers/a/priority": "14",
    "http/routers/a/middlewares": "a--auth",
    "http/middlewares/a--auth/basicAuth/users": "me:hash",
    "http/services/a/loadBalancer/passHostHeader": "true",
    "http/services/a/loadBalancer/servers/c--1/url": "http://10.0.0.1:80",
    "http/services/a/loadBalancer/healthCheck/path": "/",
    "http/services/a/loadBalancer/healthCheck/interval": "10s",
}
URL = "http/services/a/loadBalancer/servers/c--1/url"


def test_a_good_tree_has_no_findings() -> None:
    assert lint({f"traefik/{path}": value for path, value in GOOD.items()}, "traefik/", (3, 0)) == ()
    assert faults(GOOD, (3, 0)) == ()


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"http/routers/a/service": "b"}, "there is no service 'b'"),
        ({"http/routers/a/bogus": "1"}, "knows no 'bogus'"),
        ({"http/routers/a/PRIORITY": "14"}, "the same for Traefik"),
        ({"http/routers/A/rule": "Host(`a.test`)"}, "the same for Traefik"),
        ({"http/routers/a/priority": "+14"}, "a sign or zeros"),
        ({"http/routers/a/tls": "TRUE"}, "not true"),
        ({"http/routers/a/rule": "Host(`a.test`)\n"}, "control characters"),
        ({"http/services/a/loadBalancer/healthCheck/interval": "10"}, "its unit"),
        ({"http/services/a/loadBalancer/strategy": "wrr"}, "only Traefik 3.4 and newer know"),
        ({"http/middlewares/a--auth/basicAuth/users": ""}, "it names nobody"),
        ({URL: ""}, "missing, or empty"),
        ({"frontends/a/backend": "b"}, "keys of Traefik 1"),
        ({"http/services/a/loadBalancer/servers/c--1/scheme": "http"}, "does nothing with it"),
        ({"http/routers/a/middlewares/0": "a--auth"}, "it stands beside"),
    ],
)
def test_what_must_not_be_written_is_told_with_its_path(changed: dict[str, str], word: str) -> None:
    said = faults({**GOOD, **changed}, (3, 0))
    assert any(word in one and one.startswith(tuple(changed) + tuple(GOOD)) for one in said), said


def test_a_reference_to_an_object_of_others_is_taken_where_it_stands() -> None:
    keys = {**GOOD, "http/routers/a/service": "b"}
    assert faults(keys, (3, 0), elsewhere={"http/services/b"}) == ()


@pytest.mark.parametrize(("version", "grade"), [((3, 6), Grade.DEAD), ((3, 7), Grade.LOST)])
def test_an_http_service_that_leads_to_itself_over_another_is_told_by_version(version: Version, grade: Grade) -> None:
    keys = {
        "traefik/http/routers/r/rule": "Host(`r`)",
        "traefik/http/routers/r/service": "out",
        "traefik/http/services/out/weighted/services/0/name": "a",
        "traefik/http/services/a/weighted/services/0/name": "b",
        "traefik/http/services/b/mirroring/service": "a",
    }
    named = {one.key: one.flaw.grade for one in lint(keys, "traefik/", version)}
    assert named["traefik/http/services/a/weighted/services/0/name"] is grade
    assert named["traefik/http/services/b/mirroring/service"] is grade
    assert named["traefik/http/services/out/weighted/services/0/name"] is Grade.LOST
    assert named["traefik/http/routers/r/service"] is Grade.LOST


def test_what_nothing_uses_does_no_harm_yet() -> None:
    keys = {
        "traefik/tcp/services/loop/weighted/services/0/name": "loop",
        "traefik/http/middlewares/a/basicAuth/realm": "x",
    }
    assert {one.flaw.grade for one in lint(keys, "traefik/", (3, 6))} == {Grade.WRONG}


def test_what_lets_somebody_in_is_not_shown() -> None:
    keys = {
        "traefik/http/routers/r/rule": "Host(`r`)",
        "traefik/http/routers/r/service": "s",
        "traefik/http/routers/r/middlewares": "m",
        "traefik/http/services/s/loadBalancer/servers/a/url": "foo://user:secret@x",
        "traefik/http/middlewares/m/basicAuth/users": "secret",
        "traefik/tls/certificates/0/certFile": "secret",
        "traefik/tls/certificates/0/bogus": "x",
    }
    findings = lint(keys, "traefik/", (3, 7))
    assert len(findings) >= 3
    assert "secret" not in repr(findings)


def test_what_stands_beside_the_prefix_is_a_notice() -> None:
    keys = {"traefik2/http/routers/x/bogus": "1", "traefik": "", "traefik/note": "x"}
    assert {one.flaw.grade for one in lint(keys, "traefik/", (3, 7))} == {Grade.NOTICE}


ROUTED = {
    "http/routers/r/rule": "Host(`r.test`)",
    "http/routers/r/service": "s",
    "http/services/s/loadBalancer/servers/a/url": "http://10.0.0.1:80",
}


def said(more: dict[str, str], version: Version = (3, 7)) -> list[tuple[str, Grade]]:
    keys = {f"traefik/{path}": value for path, value in {**ROUTED, **more}.items()}
    return [(one.key.removeprefix("traefik/"), one.flaw.grade) for one in lint(keys, "traefik/", version)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("http/routers/r/entryPoints", ""),
        ("http/routers/r/tls", "yes"),
        ("http/services/s/loadBalancer/sticky", "true"),
        ("http/services/s/loadBalancer/sticky/cookie", "1"),
        ("http/services/s/loadBalancer/servers", "http://10.0.0.1:80,http://10.0.0.2:80"),
        ("http/services/s/loadBalancer/servers/a/weight", "0"),
        ("http/services/s/loadBalancer/servers/b", "http://10.0.0.2:80"),
        ("http/routers/r/entryPoints/web", "web"),
        ("http/middlewares/a@b/addPrefix/prefix", "/x"),
        ("http/middlewares/m/headers/customRequestHeaders/A/b", "x"),
        ("http/middlewares/m/headers/sslRedirect", "true"),
        ("http/middlewares/m/buffering/retryExpression", "Attempts() < 2"),
    ],
)
def test_what_traefik_takes_and_reads_otherwise_is_a_warning_at_its_key(path: str, value: str) -> None:
    grades = {key: grade for key, grade in said({path: value}) if key.startswith(path) or path.startswith(key)}
    assert Grade.WRONG in grades.values()
    assert not {Grade.LOST, Grade.FROZEN, Grade.DEAD} & set(grades.values())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("http/routers/r/tls", "false"),
        ("http/routers/r/tls", "TRUE"),
        ("http/routers/r/tls", ""),
        ("http/routers/r/entryPoints/0", "web"),
        ("http/services/s/loadBalancer/servers/a/weight", "3"),
        ("http/services/s/loadBalancer/serversTransport", ""),
    ],
)
def test_of_what_traefik_reads_as_it_is_meant_nothing_is_said(path: str, value: str) -> None:
    assert said({path: value}) == []


def test_who_refers_to_a_name_of_digits_must_write_brackets() -> None:
    keys = {"http/services/7/loadBalancer/servers/a/url": "http://10.0.0.1:80"}
    name = ("http/services/7", Grade.NOTICE)
    assert said({**keys, "http/routers/r/service": "7"}) == [("http/routers/r/service", Grade.LOST), name]
    assert said({**keys, "http/routers/r/service": "[7]"}) == [name]


def test_of_two_spellings_of_one_key_the_later_counts() -> None:
    early, late = "http/routers/r/Priority", "http/routers/r/priority"
    assert said({early: "abc", late: "5"}) == [(late, Grade.WRONG)]
    assert said({early: "5", late: "abc"}) == [(late, Grade.FROZEN), (late, Grade.WRONG)]


def test_below_what_is_switched_off_no_value_counts_but_each_name_does() -> None:
    off = {"http/middlewares/m/compress": "false"}
    grades = [grade for _, grade in said({**off, "http/middlewares/m/compress/minResponseBodyBytes": "abc"})]
    assert Grade.FROZEN not in grades
    assert Grade.FROZEN in [grade for _, grade in said({**off, "http/middlewares/m/compress/bogus": "abc"})]


def test_two_routers_of_one_rule_and_priority_are_told_where_they_meet() -> None:
    other = {
        "http/routers/x/rule": "Host(`r.test`)",
        "http/routers/x/service": "t",
        "http/services/t/loadBalancer/servers/a/url": "http://10.0.0.2:80",
    }
    assert said(other) == [("http/routers/x/rule", Grade.WRONG)]
    assert said({**other, "http/routers/x/priority": "14"}) == [("http/routers/x/rule", Grade.WRONG)]
    for apart in ({"priority": "15"}, {"tls": "true"}, {"service": "s"}, {"entryPoints": "web"}):
        assert said({**other, **{f"http/routers/x/{field}": value for field, value in apart.items()}}) == []


def test_a_key_that_is_refused_is_all_that_is_said_of_its_object() -> None:
    assert said({"http/middlewares/m/rateLimiter/average": "5"}) == [
        ("http/middlewares/m/rateLimiter/average", Grade.FROZEN)
    ]


def test_a_key_of_a_newer_traefik_names_the_version() -> None:
    keys = {"traefik/http/services/s/loadBalancer/strategy": "wrr"}
    (finding,) = poison(keys, "traefik/", (3, 3))
    assert "3.4" in finding.flaw.reason
    assert poison(keys, "traefik/", (3, 4)) == ()


def test_a_slip_of_the_pen_is_told_with_what_was_meant() -> None:
    (finding,) = poison({"traefik/http/routers/r/entrypoint": "web"}, "traefik/", (3, 0))
    assert "entryPoints" in finding.flaw.remedy
