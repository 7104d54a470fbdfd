"""`bridge check`: what is wrong with labels, before and while they run, and with what stands in a store."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import chain, count
from pathlib import Path

import pytest

from bridge.cli.render import Level, github_line
from bridge.sources.base import Place
from tests.commands import Bridge, Ran, silent
from tests.servers import ConsulServer, EtcdServer, free_ports
from tests.worlds.generate import document

SAMPLES = Path(__file__).parent / "samples"
COMPOSE, MIXED = f"compose:{SAMPLES / 'compose'}", f"file:{SAMPLES / 'mixed.stacks.json'}"
_prefixes = count(1)

bridge = pytest.fixture(silent)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes the files of stack `shop` with these labels on service `web`; the source's URL."""
    monkeypatch.chdir(tmp_path)

    def write(labels: Mapping[str, str], rancher: str = "web: {health_check: {port: 80}}\n") -> str:
        lines = [f"    {json.dumps(name)}: {json.dumps(text)}\n" for name, text in labels.items()]
        (tmp_path / "shop").mkdir(exist_ok=True)
        (tmp_path / "shop" / "docker-compose.yml").write_text("web:\n  image: x\n  labels:\n" + "".join(lines))
        (tmp_path / "shop" / "rancher-compose.yml").write_text(rancher)
        return "compose:shop"

    return write


GOOD = {"traefik.enable": "true", "traefik.port": "8080"}


# Labels.


def test_good_labels_are_no_problem(bridge: Bridge, stack: Callable[..., str]) -> None:
    ran = bridge("check", "--source", stack(GOOD))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "1 service, 1 with labels, 1 published: 0 problems, 0 notices\n"


def test_a_problem_is_told_with_stack_service_label_value_reason_remedy_and_place(
    bridge: Bridge,
    stack: Callable[..., str],
) -> None:
    ran = bridge("check", "--source", stack({**GOOD, "traefik.weight": "much"}))
    assert ran.code == 4
    assert ran.out.splitlines()[:4] == [
        "stack shop",
        "  web",
        "    problem  traefik.weight = much",
        ran.out.splitlines()[3],
    ]
    assert "instead: used the default, 5" in ran.out
    assert "for example traefik.weight=" in ran.out
    assert "shop/docker-compose.yml, line 6" in ran.out
    assert ran.out.endswith("1 service, 1 with labels, 1 published: 1 problem, 0 notices\n")


def test_a_label_that_no_key_can_say_is_not_suggested_anew(bridge: Bridge, stack: Callable[..., str]) -> None:
    ran = bridge("check", "--source", stack({**GOOD, "traefik.backend": "shared"}))
    assert ran.code == 4
    assert "take it away" in ran.out
    assert "for example" not in ran.out


def test_notices_alone_are_no_failure(bridge: Bridge, stack: Callable[..., str]) -> None:
    ran = bridge("check", "--source", stack({**GOOD, "traefik.acme": "true"}))
    assert ran.code == 0
    assert "notice   traefik.acme = true" in ran.out


def test_a_misspelt_label_is_told_with_the_one_that_was_meant(
    bridge: Bridge,
    stack: Callable[..., str],
) -> None:
    assert "did you mean traefik.enable?" in bridge("check", "--source", stack({"traefik.enabled": "true", **GOOD})).out


def test_a_variable_without_a_value_is_a_problem(bridge: Bridge, stack: Callable[..., str]) -> None:
    ran = bridge("check", "--source", stack({**GOOD, "traefik.domain": "${NO_SUCH_VARIABLE}"}))
    assert ran.code == 4
    assert "NO_SUCH_VARIABLE has no value" in ran.out


def test_real_stacks_are_told_of_one_service_without_a_health_check(bridge: Bridge) -> None:
    ran = bridge("check", "--source", COMPOSE, "--output", "json")
    problems = ran.rows("problems")
    assert (ran.code, ran.json["services"], ran.json["published"]) == (4, 47, 5)
    assert [one["service"] for one in problems if not one["notice"]] == ["elk/kibana"]
    assert {one["service"] for one in problems if "Traefik 2 and 3" in str(one["reason"])} == {
        *("clms-backend/plone", "clms-backend/plone-cdse-monitor", "clms-backend/varnish"),
        *("insitu-frontend/varnish", "copernicus-land/apache", "taskman/apache"),
    }


# Worlds, each with how many services it has, has labelled and publishes, and who is told what.
MIXED_TOLD = {("shop/alias", False), ("shop/no-check", False), ("shop/tuned", True)}
REAL_TOLD = {
    *((f"clms-backend/{name}", True) for name in ("plone", "plone-cdse-monitor", "varnish")),
    *((name, True) for name in ("insitu-frontend/varnish", "copernicus-land/apache", "taskman/apache")),
    *((name, True) for name in ("apix/client", "redmine/redmine")),
}


@pytest.mark.parametrize(
    ("name", "code", "counts", "told"),
    [
        ("mixed", 4, (19, 15, 13), MIXED_TOLD),
        ("real", 0, (47, 11, 5), REAL_TOLD),
        ("web-test", 0, (1, 1, 1), set()),
        ("made", 0, (50, 50, 50), set()),
    ],
)
def test_check_and_explain_say_of_each_world_what_is_known_of_it(
    bridge: Bridge, tmp_path: Path, name: str, code: int, counts: tuple[int, int, int], told: set[tuple[str, bool]]
) -> None:
    """And the same of each of its services."""
    file = SAMPLES / f"{name}.stacks.json"
    if name == "made":
        file = tmp_path / "world.json"
        file.write_bytes(document(services=50, containers=3, seed=7, unhealthy=0.1))
    ran = bridge("check", "--source", f"file:{file}", "--output", "json")
    assert (ran.code, ran.err) == (code, "")
    assert (ran.json["services"], ran.json["labelled"], ran.json["published"]) == counts
    problems = ran.rows("problems")
    assert {(one["service"], one["notice"]) for one in problems} == told

    titles = [f"{stack['name']}/{one['name']}" for stack in json.loads(file.read_bytes()) for one in stack["services"]]
    found = [
        *chain.from_iterable(
            bridge("explain", title, "--source", f"file:{file}", "--output", "json").rows("services")
            for title in titles
        )
    ]
    assert len(found) == counts[0]
    assert sum(bool(one["published"]) for one in found) == counts[2]
    whose = [(one["service"], each["reason"]) for one in found for each in rows(one, "problems")]
    assert sorted(whose) == sorted((one["service"], one["reason"]) for one in problems)
    for one in found:
        closed = [gate["name"] for gate in rows(one, "gates") if not gate["passed"]]
        labelled = bool(rows(one, "labels"))
        newer = "Traefik 2 and 3 only" in str(one["summary"])
        assert bool(one["published"]) is (labelled and not newer and not set(closed) & {"enabled", "kind"}), closed


def rows(found: Mapping[str, object], name: str) -> list[dict[str, object]]:
    value = found[name]
    assert isinstance(value, list)
    return value


def test_json_has_the_place_and_the_suggestion(bridge: Bridge, stack: Callable[..., str]) -> None:
    ran = bridge("check", "--source", stack({**GOOD, "traefik.weight": "much"}), "--output", "json")
    (problem,) = ran.rows("problems")
    assert (problem["label"], problem["value"], problem["line"]) == ("traefik.weight", "much", 6)
    assert str(problem["file"]).endswith("docker-compose.yml")
    assert str(problem["suggestion"]).startswith("for example traefik.weight=")


@pytest.mark.parametrize(
    ("labels", "rancher", "problem"),
    [
        (
            {**GOOD, "traefik.weight": "much"},
            "",
            ("traefik.weight", "much", "it is no whole number", "used the default, 5", "for example traefik.weight="),
        ),
        (
            {**GOOD, "traefik.portt": "80"},
            "",
            ("traefik.portt", "", "it is not known", "ignored it", "did you mean traefik.port?"),
        ),
        (
            {**GOOD, "traefik.frontend.auth.basik.users": "a:b"},
            "",
            (
                "traefik.frontend.auth.basik.users",
                "",
                "it is not known, and may ask for protection",
                "no route",
                "did you mean traefik.frontend.auth.basic.users?",
            ),
        ),
        (
            GOOD,
            "web: {scale: 1}\n",
            (
                "",
                "",
                "it has no health check that says which containers are healthy",
                "published no server",
                "give it a health_check in rancher-compose.yml",
            ),
        ),
        (
            {**GOOD, "traefik.frontend.rule": "Hots:a.example.org"},
            "",
            (
                "traefik.frontend.rule",
                "Hots:a.example.org",
                "unknown matcher 'Hots' (write Host)",
                "no route",
                "for example traefik.frontend.rule=",
            ),
        ),
        (
            {**GOOD, "traefik.domain": "a.elsewhere.org"},
            "",
            (
                "",
                "web.shop.a.elsewhere.org",
                "--allow-domain does not allow web.shop.a.elsewhere.org",
                "no route",
                "use hosts in *.example.org",
            ),
        ),
    ],
    ids=["a value", "a slip", "a slip that may protect", "no health check", "a rule", "a host"],
)
def test_each_output_says_label_value_reason_what_was_done_instead_and_what_may_help(
    bridge: Bridge, stack: Callable[..., str], labels: Mapping[str, str], rancher: str, problem: tuple[str, ...]
) -> None:
    url = stack(labels, rancher) if rancher else stack(labels)
    allow = ("--allow-domain", "*.example.org") if "elsewhere" in str(labels) else ()
    label, value, reason, did, suggestion = problem

    def said(output: str) -> Ran:
        return bridge("check", "--source", url, "--output", output, *allow)

    text = said("text").out
    named = " = ".join(filter(None, (label, value))) or "the service"
    shown = re.search(rf"stack shop\n  web\n    (problem|notice )  {re.escape(named)}\n(.*\n)+", text)
    assert shown, text
    assert all(
        part in shown[0] for part in (f"             {reason}", f"instead: {did}\n", f"             {suggestion}")
    )

    (found,) = said("json").rows("problems")
    assert (found["service"], found["label"], found["value"], found["did"]) == ("shop/web", label, value, did)
    assert str(found["reason"]).startswith(reason)
    assert str(found["suggestion"]).startswith(suggestion)

    (line,) = said("github").out.splitlines()
    _, properties, told = line.split("::")
    title = ": ".join(filter(None, ("shop/web", " = ".join(filter(None, (label, value))))))
    assert f"title={title.replace(':', '%3A').replace(',', '%2C')}" in properties
    assert told.startswith(reason)
    assert f"; {did}; {suggestion}" in told
    assert {said(output).code for output in ("text", "json", "github")} == {0 if found["notice"] else 4}


def test_where_the_source_has_no_files_there_is_no_place(bridge: Bridge) -> None:
    found = bridge("check", "--source", MIXED, "--output", "json").rows("problems")
    assert {(one["file"], one["line"]) for one in found} == {(None, None)}


# GitHub.


def test_github_gets_a_command_for_each_problem(bridge: Bridge, stack: Callable[..., str]) -> None:
    url = stack({**GOOD, "traefik.weight": "50%,50:50", "traefik.acme": "true"})
    lines = bridge("check", "--source", url, "--output", "github").out.splitlines()
    error, notice = sorted(lines)
    assert error.startswith(
        "::error file=shop/docker-compose.yml,line=6,title=shop/web%3A traefik.weight = 50%25%2C50%3A50::"
    )
    assert notice.startswith("::notice file=shop/docker-compose.yml,line=7,title=shop/web%3A traefik.acme = true::")


def test_github_unescapes_what_was_meant() -> None:
    """As its runner does: of a text %25 %0D %0A, of a property %3A and %2C too."""
    line = github_line(Level.WARNING, "a:b,c%d\n::error::x", "e%f\r\ng", Place("x,y.yml", 3))
    assert line == r"::warning file=x%2Cy.yml,line=3,title=a%3Ab%2Cc%25d\n%3A%3Aerror%3A%3Ax::e%25f\r\ng"


def test_other_commands_print_nothing_for_github(bridge: Bridge) -> None:
    ran = bridge("render", "--source", MIXED, "--output", "github")
    assert (ran.code, "only check prints so" in ran.err) == (2, True)


@pytest.mark.parametrize("output", ["text", "github"])
def test_no_label_commands_the_terminal_or_the_workflow(
    bridge: Bridge,
    stack: Callable[..., str],
    output: str,
) -> None:
    url = stack(
        {**GOOD, "traefik.weight": "a\n::error::forged\r\x1b[2Jb", "traefik.frontend.x\n::set-env name=a::b": "c"}
    )
    ran = bridge("check", "--source", url, "--output", output)
    assert ran.code == 4
    assert all(line.isprintable() for line in ran.out.splitlines())
    if output == "github":
        assert all(line.startswith("::") and "file=" in line for line in ran.out.splitlines())
    else:
        assert not any(line.startswith("::") for line in ran.out.splitlines())


def test_no_password_is_shown(bridge: Bridge, stack: Callable[..., str]) -> None:
    labels = {
        **GOOD,
        "traefik.frontend.auth.basic.users": "bob:$$apr1$$secret,nocolon",
        "traefik.frontend.auth.basik.users": "eve:$$apr1$$secret",
        "traefik.frontend.headers.customRequestHeaders": "X-Key secret",
    }
    for output in ("text", "json", "github"):
        assert "secret" not in bridge("check", "--source", stack(labels), "--output", output).out


# What it needs.


def test_it_needs_something_to_check(bridge: Bridge) -> None:
    ran = bridge("check")
    assert (ran.code, "give --source, --store, or both" in ran.err) == (2, True)


def test_a_broken_file_is_one_line_with_its_place(bridge: Bridge, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("web:\n  image: a\n  image: b\n")
    ran = bridge("check", "--source", f"compose:{tmp_path}")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "docker-compose.yml, line 3: the key 'image' stands twice" in ran.err


@pytest.mark.parametrize("output", ["text", "github"])
def test_what_it_suggests_for_a_compose_file_can_be_put_there_as_it_stands(
    bridge: Bridge, tmp_path: Path, output: str
) -> None:
    """A single $ would begin a variable."""
    label, file = "traefik.frontend.auth.basic.users", tmp_path / "docker-compose.yml"

    def check(said: str) -> Ran:
        labels = {"traefik.enable": "true", "traefik.port": "80", label: said}
        file.write_text(json.dumps({"web": {"image": "a", "labels": labels}}))
        return bridge("check", "--source", f"compose:{tmp_path}", "--output", output)

    ran = check("somebody")
    (suggested,) = re.findall(rf"for example {label}=(\S+)$", ran.out, re.M)
    assert (ran.code, check(suggested).code) == (4, 0)


@pytest.mark.parametrize("command", ["run", "sync"])
def test_files_of_what_does_not_run_are_never_published(bridge: Bridge, command: str) -> None:
    ran = bridge(command, "--source", COMPOSE, "--store", "etcd://127.0.0.1:1/traefik")
    assert ran.code == 2
    assert "nothing of it runs yet" in ran.err


# A store.


BAD = {
    "backends/b/servers/s/url": "http://10.0.0.1:80",
    "frontends/f/backend": "b",
    "frontends/f/routes/r/rule": ";",
    "frontends/g/backend": "none",
    "frontends/g/routes/r/rule": "Host:g.local",
    "frontends/h/backend": "b",
    "backends/b/loadbalancer/method": 'w"rr',
    "debug": "maybe",
    "frontends/i/auth/basic/users": "secretword",
}


def findings(ran: Ran) -> dict[str, tuple[str, str]]:
    return {
        re.sub("^/?[a-z0-9]*/", "", str(one["key"])): (str(one["grade"]), str(one["effect"]))
        for one in ran.rows("findings")
    }


def told_of_bad_keys(bridge: Bridge, url: str) -> Ran:
    ran = bridge("check", "--store", url, "--output", "json")
    found = findings(ran)
    assert ran.code == 4
    assert found["frontends/f/routes/r/rule"][0] == "dead"
    assert found["debug"] == ("dead", "Traefik does not start any more")
    assert found["backends/b/loadbalancer/method"][0] == "frozen"
    assert found["frontends/g/backend"] == ("lost", "this frontend is lost, without a word")
    assert found["frontends/h/routes"] == ("wrong", "this frontend takes requests for every host")
    assert "secretword" not in ran.out
    return ran


def test_what_hurts_traefik_is_found_in_etcd(bridge: Bridge, etcd_server: EtcdServer) -> None:
    prefix = f"check{next(_prefixes)}"
    url = f"etcd://{etcd_server.endpoint}/{prefix}"
    for path, value in BAD.items():
        etcd_server.put(f"/{prefix}/{path}", value)
    told_of_bad_keys(bridge, url)
    text = bridge("check", "--store", url)
    assert f"error    /{prefix}/frontends/f/routes/r/rule = ;" in text.out
    assert text.out.splitlines()[-1].startswith(f"9 keys below /{prefix}/: ")


def test_what_hurts_traefik_is_found_in_consul(bridge: Bridge, consul_server: ConsulServer) -> None:
    prefix = f"check{next(_prefixes)}"
    for path, value in BAD.items():
        consul_server.put(f"{prefix}/{path}", value)
    told_of_bad_keys(bridge, f"consul://{consul_server.endpoint}/{prefix}")
    assert (
        f"::error title={prefix}/frontends/f/routes/r/rule = ;::"
        in bridge("check", "--store", f"consul://{consul_server.endpoint}/{prefix}", "--output", "github").out
    )


def test_keys_that_stand_in_the_other_stores_form_are_told(bridge: Bridge, etcd_server: EtcdServer) -> None:
    prefix = f"check{next(_prefixes)}"
    etcd_server.put(f"{prefix}/frontends/f/backend", "b")
    ran = bridge("check", "--store", f"etcd://{etcd_server.endpoint}/{prefix}")
    assert ran.code == 4
    assert f"keys stand below {prefix}/, and Traefik's default flags read /{prefix}/ in this store" in ran.out


def test_of_what_a_bridge_wrote_nothing_is_said(bridge: Bridge, etcd_server: EtcdServer) -> None:
    url = f"etcd://{etcd_server.endpoint}/check{next(_prefixes)}"
    assert bridge("sync", "--source", MIXED, "--store", url).code == 0
    ran = bridge("check", "--store", url)
    assert ran.code == 0
    assert re.fullmatch(r"\d+ keys below /check\d+/: 0 errors, 0 warnings, 0 notices\n", ran.out)


@pytest.mark.parametrize("output", ["text", "json", "github"])
def test_what_is_known_of_the_source_is_told_also_where_the_store_is_down(bridge: Bridge, output: str) -> None:
    (port,) = free_ports(1)
    ran = bridge("check", "--source", MIXED, "--store", f"etcd://127.0.0.1:{port}", "--output", output)
    alone = bridge("check", "--source", MIXED, "--output", output)
    assert (ran.code, alone.code) == (1, 4)
    assert ran.out == alone.out
    assert re.fullmatch(r"bridge: the store \S+: no answer to a read .*\n", ran.err)


def test_source_and_store_may_be_checked_together(bridge: Bridge, etcd_server: EtcdServer) -> None:
    ran = bridge("check", "--source", MIXED, "--store", f"etcd://{etcd_server.endpoint}/check{next(_prefixes)}")
    assert ran.code == 4
    assert "2 problems, 1 notice\n0 keys below" in ran.out
