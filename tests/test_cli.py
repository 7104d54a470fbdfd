"""The program as its user meets it: what it prints, what it leaves alone, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import astuple, dataclass
from itertools import count
from pathlib import Path

import pytest

from bridge import __version__, config
from bridge.cli import COMMANDS, main, render
from bridge.cli.progress import Teller
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import LeaseName
from bridge.model.keys import group_title, records_prefix
from bridge.ownership.records import Leader, leader_path, replica_family, write_leader
from bridge.ownership.steps import Wait
from bridge.stores import etcd, open_store
from bridge.stores.base import Store
from bridge.sync import Progress
from bridge.views.words import span
from tests.grounds import create
from tests.metadata_server import Fault, MetadataServer
from tests.servers import Certificates, EtcdServer, free_ports, running_etcd
from tests.worlds.generate import document

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "tests" / "samples"
WEB_TEST = f"file:{SAMPLES / 'web-test.stacks.json'}"
MIXED = f"file:{SAMPLES / 'mixed.stacks.json'}"
WEB_TEST_KEYS = 10  # besides the backstop's four
ENVIRONMENT = "cd613e30-d8f1-4adf-a1b7-584a2265b1f5"  # of WEB_TEST
OTHER = "0000000e-d8f1-4adf-a1b7-584a2265b1f5"
PASSWORD = "correct horse"

_prefixes = count(1)


@dataclass(frozen=True)
class Ran:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """What it printed, which is one object and nothing else."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Bridge = Callable[..., Ran]


@pytest.fixture
def bridge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """Runs the program here, in an environment that says nothing to it."""
    for name in os.environ:
        if name.startswith("BRIDGE_"):
            monkeypatch.delenv(name)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="module")
def quiet_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """No other test writes there, so its revision tells whether one of these did."""
    with running_etcd(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@dataclass(frozen=True)
class Place:
    """A prefix of Traefik's that no other test uses."""

    server: EtcdServer
    prefix: str

    @property
    def url(self) -> str:
        return f"etcd://{self.server.endpoint}/{self.prefix}"

    def key(self, path: str) -> str:
        return f"/{self.prefix}/{path}"

    def record(self, path: str) -> str:
        return records_prefix(self.prefix) + path

    def leases(self) -> set[str]:
        found = self.server.ask("lease/leases").get("leases", [])
        assert isinstance(found, list)
        return {lease["ID"] for lease in found}


@pytest.fixture
def place(quiet_etcd: EtcdServer) -> Place:
    return Place(quiet_etcd, f"cli{next(_prefixes)}")


@pytest.fixture
def world(tmp_path: Path) -> Callable[[bytes], str]:
    """Writes a document; its URL."""

    def write(data: bytes) -> str:
        path = tmp_path / "world.json"
        path.write_bytes(data)
        return f"file:{path}"

    return write


def web_test(**values: str) -> bytes:
    """The classic example with other values, each instead of one that stands in it."""
    text = (SAMPLES / "web-test.stacks.json").read_text()
    for old, new in values.items():
        text = text.replace(old.replace("__", "-"), new)
    return text.encode()


def published(bridge: Bridge, place: Place, source: str = WEB_TEST, *more: str) -> Ran:
    ran = bridge("sync", "--source", source, "--store", place.url, *more)
    assert ran.code == 0, ran
    return ran


def one_line(ran: Ran, code: int) -> str:
    """The one line on stderr of a command that failed: nothing was printed, and nobody sees a traceback."""
    assert (ran.code, ran.out) == (code, ""), ran
    (line,) = ran.err.splitlines()
    assert line.startswith("bridge: ")
    return line


# Help


def test_help_names_every_command_and_every_exit_code(bridge: Bridge) -> None:
    ran = bridge("--help")
    assert (ran.code, ran.err) == (0, "")
    assert all(f"  {name}  " in ran.out for name in COMMANDS)
    assert all(f"  {code}  " in ran.out for code in range(6))
    assert bridge() == ran


@pytest.mark.parametrize("command", sorted(config.ALL))
def test_a_commands_help_shows_each_flag_with_its_variable(bridge: Bridge, command: str) -> None:
    ran = bridge(command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "--store URL" in ran.out
    assert "[BRIDGE_STORE]" in ran.out
    assert "--store-password " not in ran.out


def test_the_version_is_told(bridge: Bridge) -> None:
    assert bridge("--version").out == f"bridge {__version__}\n"


def test_the_program_is_a_module_too() -> None:
    ran = subprocess.run([sys.executable, "-m", "bridge", "syn"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "bridge: No such command 'syn'; see bridge --help\n"


# Bad input


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("syn",), 2, ("'syn'", "bridge --help")),
        (("sync", "--tll", "5"), 2, ("'--tll'", "--ttl", "bridge sync --help")),
        (("sync", "--ttl"), 2, ("'--ttl'", "bridge sync --help")),
        (("sync", "more"), 2, ("more", "bridge sync --help")),
        (("render",), 2, ("--source", "BRIDGE_SOURCE")),
        (("sync", "--source", WEB_TEST), 2, ("--store", "BRIDGE_STORE")),
        (("show",), 2, ("--store", "BRIDGE_STORE")),
        (("leave",), 2, ("--store", "BRIDGE_STORE")),
        (("show", "--store", "redis://x:1"), 2, ("--store", "'redis://x:1'", "etcd://")),
        (("show", "--store", "http://x:2379"), 2, ("--store", "'http://x:2379'", "etcd://")),
        (("show", "--store", "etcd://x:99999/traefik"), 2, ("--store", "99999", "1 to 65535")),
        (("show", "--store", f"etcd://user:{PASSWORD}@x/traefik"), 2, ("--store", "no user and password")),
        (("show", "--store", "etcd://x", "--store-ca", "ca.pem"), 2, ("--store", "etcd+https://")),
        (("show", "--store", "etcd+https://x", "--store-ca", "/nope.pem"), 2, ("--store-ca", "'/nope.pem'", "PEM")),
        (("show", "--store", "etcd+https://x", "--store-cert", "c.pem"), 2, ("--store-cert", "needs both")),
        (("render", "--source", "ftp://x"), 2, ("--source", "'ftp://x'", "file:PATH", "http://")),
        (("render", "--source", f"http://user:{PASSWORD}/more@x"), 2, ("--source", "'http://…@x'", "http://HOST")),
        (("render", "--source", "http://x/stacks"), 2, ("--source", "'http://x/stacks'", "http://HOST")),
        (
            ("render", "--source", "http://127.0.0.1:1"),
            1,
            ("'http://127.0.0.1:1/2016-07-29/stacks'", "cannot be reached"),
        ),
        (("render", "--source", "file:"), 2, ("--source", "'file:'", "file:PATH")),
        (("render", "--source", "file:/nope.json"), 1, ("source", "'file:/nope.json'", "name a file")),
        (("render", "--source", f"file:{ROOT / 'LICENSE'}"), 1, ("source", "LICENSE", "save the whole answer")),
        (("render", "--source", WEB_TEST, "--config", "/nope.toml"), 2, ("--config", "'/nope.toml'", "TOML")),
        (("render", "--source", WEB_TEST, "--cluster", "A"), 2, ("--cluster", "'A'", "lower-case")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_input_is_one_line_with_the_thing_the_value_and_the_remedy(
    bridge: Bridge, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    line = one_line(bridge(*arguments), code)
    assert all(word in line for word in words), line
    assert PASSWORD not in line


def test_a_password_on_the_command_line_is_refused_and_not_repeated(bridge: Bridge) -> None:
    for said in (("--store-password", PASSWORD), (f"--store-password={PASSWORD}",)):
        line = one_line(bridge("show", "--store", "etcd://x", *said), 2)
        assert PASSWORD not in line
        assert "--store-password-file" in line


def test_an_error_from_further_in_names_the_variable_that_said_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_STORE", "etcd+https://x")
    monkeypatch.setenv("BRIDGE_STORE_CA", "/nope.pem")
    assert one_line(bridge("show"), 2).startswith("bridge: BRIDGE_STORE_CA '/nope.pem': ")


def test_a_store_that_does_not_answer_is_told(bridge: Bridge) -> None:
    url = f"etcd://127.0.0.1:{free_ports(1)[0]}/traefik"
    for arguments in (("show",), ("leave",), ("plan", "--source", WEB_TEST), ("sync", "--source", WEB_TEST)):
        line = one_line(bridge(*arguments, "--store", url), 1)
        assert url in line
        assert "is it up" in line


def test_refused_credentials_are_told_without_the_password(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_etcd(tmp_path) as server:
        server.require_login("root's")
        server.admit("bridge", PASSWORD, "nothing/")
        url = f"etcd://{server.endpoint}/traefik"
        assert "--store-user" in one_line(bridge("show", "--store", url), 1)
        monkeypatch.setenv("BRIDGE_STORE_PASSWORD", "guess")
        line = one_line(bridge("show", "--store", url, "--store-user", "bridge"), 1)
        assert "check --store-user and its password" in line
        assert "guess" not in line
        monkeypatch.setenv("BRIDGE_STORE_PASSWORD", PASSWORD)
        assert "bridge policy etcd" in one_line(bridge("show", "--store", url, "--store-user", "bridge"), 1)


def test_a_store_of_a_strange_authority_is_told(bridge: Bridge, tmp_path: Path, certificates: Certificates) -> None:
    with running_etcd(tmp_path, certificates=certificates) as server:
        url = f"etcd+https://{server.endpoint}/traefik"
        assert bridge("show", "--store", url, "--store-ca", certificates.ca).code == 0
        line = one_line(bridge("show", "--store", url, "--store-ca", certificates.strange_ca), 1)
        assert "--store-ca" in line
        assert url in line


def test_odd_label_values_cost_themselves_only_and_are_told(bridge: Bridge, world: Callable[[bytes], str]) -> None:
    """In text as lines on stderr; what a label says cannot command the terminal."""
    odd = json.loads((SAMPLES / "mixed.stacks.json").read_text())
    for stack in odd:
        for service in stack["services"]:
            if service["name"] == "plain":
                service["labels"]["traefik.weight"] = "heavy\n\x1b[31m"
    ran = bridge("render", "--source", world(json.dumps(odd).encode()))
    assert ran.code == 0
    (line,) = [line for line in ran.err.splitlines() if "shop/plain" in line]
    assert line.startswith("problem: shop/plain traefik.weight 'heavy\\n\\x1b[31m': ")
    assert "/traefik/frontends/plain__shop/backend = plain__shop" in ran.out


def test_a_fault_of_the_program_is_one_line_and_tells_how_to_report(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> str:
        raise RuntimeError("wires\ncrossed")

    monkeypatch.setattr("bridge.cli.render_keys.safe", fails)
    line = one_line(bridge("render", "--source", WEB_TEST), 1)
    assert "RuntimeError: wires" in line
    assert "BRIDGE_DEBUG=1" in line
    monkeypatch.setenv("BRIDGE_DEBUG", "1")
    assert "Traceback" in bridge("render", "--source", WEB_TEST).err


def test_an_interrupt_ends_without_a_word(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("bridge.cli.render_keys.safe", interrupted)
    assert bridge("render", "--source", WEB_TEST) == Ran(130, "", "")


@pytest.fixture(params=["buffered", "unbuffered"])
def printing(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a program that prints at once, or when Python thinks that it is time."""
    return os.environ | {"PYTHONUNBUFFERED": "1" if request.param == "unbuffered" else ""}


@pytest.mark.parametrize("errors", ["apart", "too"])
def test_whoever_stops_reading_ends_the_program_without_a_word(printing: dict[str, str], errors: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "bridge", "render", "--source", MIXED if errors == "too" else WEB_TEST]
    error = subprocess.STDOUT if errors == "too" else subprocess.PIPE
    ran = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=error, env=printing, timeout=60)
    os.close(writing)
    assert (ran.returncode, ran.stderr or b"") == (141, b"")


@pytest.mark.parametrize(
    ("output", "code", "told"), [("/dev/full", 1, "bridge: cannot print (no space"), ("&-", 0, "")]
)
def test_output_that_has_no_place_is_no_fault_of_the_program(
    printing: dict[str, str], output: str, code: int, told: str
) -> None:
    command = ["sh", "-c", f'"$0" -m bridge render --source "$1" >{output}', sys.executable, WEB_TEST]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=printing, timeout=60)
    assert ran.returncode == code
    assert len(ran.stderr.splitlines()) == bool(told)
    assert ran.stderr.startswith(told)


# render


def test_render_prints_sorted_keys_as_they_would_stand(bridge: Bridge) -> None:
    ran = bridge("render", "--source", WEB_TEST)
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert lines == sorted(lines)
    assert len(lines) == WEB_TEST_KEYS + 4
    assert "/traefik/frontends/web-test__proxy-test/routes/main/rule = Host:web-test.proxy-test.local" in lines


def test_render_takes_prefix_and_form_from_the_store_and_asks_it_nothing(bridge: Bridge) -> None:
    ran = bridge("render", "--source", WEB_TEST, "--store", "etcd://127.0.0.1:1/edge/one", "--output", "json")
    assert set(ran.json) >= {
        "/edge/one/frontends/web-test__proxy-test/backend",
        "/edge/one/frontends/zz-bridge/backend",
    }
    assert all(key.startswith("/edge/one/") for key in ran.json)


def test_render_as_json_prints_problems_on_stderr(bridge: Bridge) -> None:
    ran = bridge("render", "--source", MIXED, "--output", "json")
    assert len(ran.json) == 109
    assert "problem: shop/alias traefik.enable 'true': a dnsService has no servers" in ran.err
    assert "notice: shop/tuned traefik.acme" in ran.err


def test_the_live_world_is_rendered_as_a_saved_one(bridge: Bridge) -> None:
    with MetadataServer(json.loads(Path(MIXED.removeprefix("file:")).read_text())) as server:
        live = bridge("render", "--source", server.url)
        assert (live.code, live.out, live.err) == astuple(bridge("render", "--source", MIXED))
        assert server.times_asked("/hosts") == 0
        server.fault = Fault.BOOTING
        assert "answered 404, not 200; what was published stays" in one_line(
            bridge("render", "--source", server.url), 1
        )


def test_with_host_addresses_servers_are_at_their_hosts_published_ports(bridge: Bridge, tmp_path: Path) -> None:
    stacks = json.loads(web_test())
    for at, box in enumerate(stacks[0]["services"][0]["containers"]):
        box["ports"] = [f"0.0.0.0:{32768 + at}:8080/tcp"]
    with MetadataServer(stacks) as server:
        live = bridge("render", "--source", server.url, "--address", "host")
        hosts = json.loads(server.answer("/2016-07-29/hosts", "") or b"")
    saved = tmp_path / "whole.json"
    saved.write_text(json.dumps({"stacks": stacks, "hosts": hosts}))
    assert live == bridge("render", "--source", f"file:{saved}", "--address", "host")
    assert sorted(re.findall(r"http://192\.0\.2\.\d:(\d+)", live.out)) == ["32768", "32769", "32770"]
    unknown = bridge("render", "--source", WEB_TEST, "--address", "host")
    assert unknown.err.count("no address is known of its host") == len(hosts)


def test_without_the_backstop_none_is_asked_for(bridge: Bridge) -> None:
    ran = bridge("render", "--source", WEB_TEST, "--no-backstop")
    assert len(ran.out.splitlines()) == WEB_TEST_KEYS
    assert "zz-bridge" not in ran.out


def test_the_rule_of_health_is_the_users(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no-check__shop/servers" not in bridge("render", "--source", MIXED).out
    monkeypatch.setenv("BRIDGE_HEALTH", "optional")
    assert "no-check__shop/servers" in bridge("render", "--source", MIXED).out


# sync


def test_a_sync_writes_what_render_prints_and_the_second_has_nothing_to_change(bridge: Bridge, place: Place) -> None:
    wanted = bridge("render", "--source", WEB_TEST, "--store", place.url, "--output", "json").json
    first = published(bridge, place)
    assert first.err == ""
    assert first.out.splitlines()[0] == "proxy-test/web-test  10 added"
    assert first.out.splitlines()[-1].startswith("14 added, 0 changed, 0 removed, 0 unchanged; 1 transaction in ")
    assert standing(place) == wanted
    revision = place.server.revision()
    second = published(bridge, place)
    assert second.out.startswith("Nothing to change: 14 keys unchanged (")
    assert place.server.revision() == revision


def standing(place: Place) -> dict[str, str]:
    store = opened(place)
    found = {key: item.value for key, item in store.read(place.key("")).items.items() if item}
    store.close()
    return found


def opened(place: Place) -> Store:
    return open_store(place.url, records_root=place.record(""))


def test_one_container_flips_and_verbose_names_its_keys(
    bridge: Bridge, place: Place, world: Callable[[bytes], str]
) -> None:
    published(bridge, place)
    one_sick = json.loads(web_test())
    one_sick[0]["services"][0]["containers"][0]["health_state"] = "unhealthy"
    uuid = one_sick[0]["services"][0]["containers"][0]["uuid"]
    ran = published(bridge, place, world(json.dumps(one_sick).encode()), "-v")
    server = f"backends/web-test__proxy-test/servers/default--{uuid}"
    assert ran.out.splitlines()[:3] == ["proxy-test/web-test  2 removed", f"  - {server}/url", f"  - {server}/weight"]
    assert ran.out.splitlines()[3].startswith("0 added, 0 changed, 2 removed, 12 unchanged; 1 transaction in ")


def test_a_changed_value_is_shown_with_the_old_and_the_new(
    bridge: Bridge, place: Place, world: Callable[[bytes], str]
) -> None:
    published(bridge, place)
    ran = published(bridge, place, world(web_test(**{"10.42.0.11": "10.42.9.9"})), "-v")
    assert ran.out.splitlines()[0] == "proxy-test/web-test  1 changed"
    assert ran.out.splitlines()[1].startswith("  ~ ")
    assert ran.out.splitlines()[1].endswith("/url: http://10.42.0.11:8080 -> http://10.42.9.9:8080")


def test_a_sync_says_what_it_waits_for(bridge: Bridge, place: Place) -> None:
    published(bridge, place)
    ran = published(bridge, place, MIXED, "--read-time", "0.3")
    assert re.match(r"waiting 0\.\d s until no read sees proxy-test/web-test open any more\n", ran.err)
    assert "proxy-test/web-test  10 removed" in ran.out


def test_the_json_of_a_sync_is_one_object_with_stable_keys(bridge: Bridge, place: Place) -> None:
    found = published(bridge, place, MIXED, "--output", "json").json
    assert set(found) == {
        "cluster",
        "layout",
        "outcome",
        "changes",
        "left",
        "counts",
        "written",
        "transactions",
        "problems",
        "waits",
        "leader",
        "held",
        "servers",
        "seconds",
    }
    assert (found["cluster"], found["layout"], found["outcome"]) == ("default", "traefik1", "done")
    assert found["counts"] == {"added": 109, "changed": 0, "removed": 0, "unchanged": 0}
    assert {
        "action": "add",
        "service": "shop/plain",
        "key": place.key("frontends/plain__shop/backend"),
        "before": None,
        "after": "plain__shop",
    } in objects(found["changes"])
    problem = objects(found["problems"])[0]
    assert set(problem) == {"service", "label", "value", "reason", "did", "notice", "suggestion"}
    written = [one["key"] for one in objects(found["written"])]
    assert place.record("c/default/presence") in written
    assert place.record("c/default/leader") not in written


def objects(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def test_the_brake_holds_says_how_many_and_opens_with_force(
    bridge: Bridge, place: Place, world: Callable[[bytes], str]
) -> None:
    published(bridge, place, world(document(8, 2)), "--read-time", "0")
    few = world(document(3, 2))
    held = bridge("sync", "--source", few, "--store", place.url, "--read-time", "0")
    assert held.code == 3
    (line,) = [line for line in held.err.splitlines() if line.startswith("bridge: ")]
    assert "held 10 of 16 servers of cluster default" in line
    assert "--force" in line
    assert "Not done:" in held.out
    servers = [key for key in standing(place) if key.endswith("/url")]
    assert len(servers) == 16
    plan = bridge("plan", "--source", few, "--store", place.url)
    assert plan.code == 0
    assert "the brake would hold 10 of 16 servers" in plan.out
    looser = bridge("plan", "--source", few, "--store", place.url, "--brake", "70%", "--output", "json")
    assert (looser.json["held"], looser.json["removed_servers"], looser.json["servers"]) == (False, 10, 16)
    as_json = bridge("sync", "--source", few, "--store", place.url, "--read-time", "0", "--output", "json")
    assert (as_json.code, as_json.json["outcome"], as_json.json["held"]) == (3, "held", 10)
    assert as_json.json["changes"] == []
    assert {one["action"] for one in objects(as_json.json["left"])} == {"remove"}
    published(bridge, place, few, "--read-time", "0", "--force")
    assert len([key for key in standing(place) if key.endswith("/url")]) == 6


@pytest.fixture
def other_leads(place: Place, bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place that another replica leads, and which it does not leave."""
    monkeypatch.setattr("bridge.sync.replica_ttl", lambda _store: 1)
    monkeypatch.setattr("bridge.sync.POLL", 0.3)
    published(bridge, place)
    with closing(open_store(place.url, records_root=records_prefix(place.prefix))) as store:
        lease = LeaseName(replica_family("default", "web7"), 600)
        store.ensure(lease)
        create(store, place.record(leader_path("default")), write_leader(Leader("web7", ENVIRONMENT, "abc")), lease)
    return place


def test_where_another_leads_it_is_named_and_nothing_is_written(bridge: Bridge, other_leads: Place) -> None:
    before = standing(other_leads)
    for arguments in (("sync", "--source", MIXED), ("leave",)):
        ran = bridge(*arguments, "--store", other_leads.url, "--output", "json")
        assert ran.code == 5
        waited, *_, line = ran.err.splitlines()
        assert re.fullmatch(r"waiting \d\.\d s for replica web7, which leads, to end", waited)
        assert line.startswith("bridge: replica 'web7' leads cluster default: nothing was written;")
        assert (ran.json["outcome"], ran.json["leader"], ran.json["written"]) == ("follows", "web7", [])
    assert standing(other_leads) == before


def test_two_environments_of_one_name_are_a_usage_error(
    bridge: Bridge, place: Place, world: Callable[[bytes], str]
) -> None:
    published(bridge, place)
    elsewhere = world(web_test(**{ENVIRONMENT: OTHER}))
    line = one_line(bridge("sync", "--source", elsewhere, "--store", place.url), 2)
    assert line.startswith("bridge: --cluster 'default': ")
    assert ENVIRONMENT in line
    assert "a cluster name of its own" in line


def test_every_process_is_a_replica_of_its_own(bridge: Bridge, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two syncs on one host must not take each other for one."""
    names = []
    ensure = etcd.Etcd.ensure

    def noted(self: etcd.Etcd, name: LeaseName) -> None:
        names.append(name.family)
        ensure(self, name)

    monkeypatch.setattr(etcd.Etcd, "ensure", noted)
    monkeypatch.setenv("BRIDGE_REPLICA", "web1")
    published(bridge, place)
    published(bridge, place, MIXED, "--read-time", "0")
    replicas = {name for name in names if "/replica/" in name}
    assert len(replicas) == 2
    assert all(name.startswith("c/default/replica/web1.") for name in replicas)


# plan and show only look


@pytest.fixture
def only_looks(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place where neither a key, nor a lease, nor its rest changes while the test runs; publish before."""

    def never(*_: object) -> None:
        raise AssertionError("this command only looks")

    revision, leases = place.server.revision(), place.leases()
    for method in ("commit", "ensure", "renew"):
        monkeypatch.setattr(etcd.Etcd, method, never)
    yield place
    assert place.server.revision() == revision
    assert place.leases() <= leases


def test_a_plan_of_much_writes_nothing_and_grants_nothing(bridge: Bridge, only_looks: Place) -> None:
    ran = bridge("plan", "--source", MIXED, "--store", only_looks.url)
    assert ran.code == 0
    assert "109 to add, 0 to change, 0 to remove, 0 unchanged" in ran.out.splitlines()
    assert ran.out.splitlines()[-1] == "in one step: 2 transactions now"


def test_show_of_nothing_writes_nothing_and_says_so(bridge: Bridge, only_looks: Place) -> None:
    ran = bridge("show", "--store", only_looks.url)
    assert (ran.code, ran.out, ran.err) == (0, f"Nothing stands below {only_looks.key('')}\n", "")


@pytest.fixture
def full_place(bridge: Bridge, place: Place) -> Place:
    published(bridge, place, WEB_TEST, "--ttl", "5m")
    return place


def test_plan_and_sync_take_the_ttl_with_which_their_cluster_publishes_already(bridge: Bridge, place: Place) -> None:
    """Beside a `run` with another TTL they would show, and make, moves of every key from lease to lease."""
    published(bridge, place, WEB_TEST, "--ttl", "5m")
    asked = ("--source", WEB_TEST, "--store", place.url)
    assert bridge("plan", *asked, "--exit-code").code == 0
    assert bridge("plan", *asked, "--exit-code", "--ttl", "0").code == 4
    since = place.server.revision()
    published(bridge, place)
    assert place.server.revision() == since


def test_plan_and_show_of_what_stands_write_nothing(
    bridge: Bridge, full_place: Place, request: pytest.FixtureRequest
) -> None:
    only_looks: Place = request.getfixturevalue("only_looks")
    assert only_looks == full_place
    for arguments in (("plan", "--source", MIXED), ("show",)):
        assert bridge(*arguments, "--store", full_place.url).code == 0


def test_a_plan_tells_pending_changes_by_its_exit_code_when_asked(bridge: Bridge, place: Place) -> None:
    plan = ("plan", "--source", WEB_TEST, "--store", place.url)
    assert bridge(*plan).code == 0
    assert bridge(*plan, "--exit-code").code == 4
    published(bridge, place)
    ran = bridge(*plan, "--exit-code")
    assert (ran.code, ran.out) == (0, "Nothing to change: 14 keys unchanged\n")


def test_a_plan_names_each_key_when_asked_and_says_what_it_would_wait_for(bridge: Bridge, place: Place) -> None:
    published(bridge, place)
    ran = bridge("plan", "--source", MIXED, "--store", place.url, "--read-time", "7", "-v")
    lines = ran.out.splitlines()
    assert "  + frontends/plain__shop/backend = plain__shop" in lines
    assert "  - frontends/web-test__proxy-test/backend" in lines
    assert lines[-3:] == [
        "105 to add, 0 to change, 10 to remove, 4 unchanged",
        "in several steps: 2 transactions now, the rest after waits",
        "  waits 7.0 s until no read sees proxy-test/web-test open any more",
    ]
    services = [line for line in lines[:-3] if not line.startswith("  ")]
    columns = {found.end() for line in services if (found := re.search("  +", line))}
    assert len(columns) == 1, "counts are not aligned"


def test_the_json_of_a_plan_is_one_object_with_stable_keys(bridge: Bridge, place: Place) -> None:
    published(bridge, place)
    found = bridge("plan", "--source", MIXED, "--store", place.url, "--read-time", "7", "--output", "json").json
    assert set(found) == {
        "cluster",
        "layout",
        "pending",
        "changes",
        "counts",
        "transactions",
        "waits",
        "problems",
        "removed_servers",
        "servers",
        "held",
    }
    assert found["pending"] is True
    assert found["counts"] == {"added": 105, "changed": 0, "removed": 10, "unchanged": 4}
    assert objects(found["waits"])[0]["seconds"] == 7.0
    assert (found["removed_servers"], found["servers"], found["held"]) == (3, 3, False)


# show


def test_show_tells_routes_servers_whose_they_are_and_how_long_they_would_live(
    bridge: Bridge, full_place: Place
) -> None:
    published(bridge, full_place, WEB_TEST, "--cluster", "berlin", "--ttl", "0")
    ran = bridge("show", "--store", full_place.url)
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert lines[0] == "proxy-test/web-test  decided by cluster default, claimed too by cluster berlin"
    assert lines[1].startswith("  rule    all clusters  for ever ")
    assert lines[1].endswith("Host:web-test.proxy-test.local")
    servers = [line for line in lines if line.startswith("  server")]
    assert [line.split()[1] for line in servers] == ["berlin"] * 3 + ["default"] * 3
    assert all("for ever" in line and "weight 5" in line for line in servers[:3])
    assert all("4 min 5" in line for line in servers[3:])
    assert len({line.index("http://") for line in servers}) == 1, "columns are not aligned"
    assert "zz-bridge  the backstop of clusters default, berlin" in lines
    assert "lease c/berlin   lives for ever" in lines


def test_show_tells_what_was_written_by_hand(bridge: Bridge, full_place: Place) -> None:
    server = full_place.server
    server.put(full_place.key("frontends/mine/routes/main/rule"), "Host:mine\x1b[31m")
    server.put(full_place.key("frontends/mine/backend"), "theirs")
    server.put(full_place.key("backends/theirs/servers/a/url"), "http://10.0.0.1:80")
    server.put(full_place.key("frontends/web-test__proxy-test/backend"), "theirs")
    lines = bridge("show", "--store", full_place.url).out.splitlines()
    assert lines[:2] == ["mine  hand-written", "  rule  hand-written  for ever  Host:mine\\x1b[31m"]
    assert lines[2] == "proxy-test/web-test  decided by cluster default, 1 key hand-written"
    server_line = lines[lines.index("theirs  hand-written") + 1]
    assert server_line == "  server  hand-written  for ever  weight 1  http://10.0.0.1:80"


def test_show_hands_no_name_to_the_terminal_as_it_stands(bridge: Bridge, full_place: Place) -> None:
    """Whoever may write to the store may also put a key on a lease of ours."""
    key = full_place.key("backends/b\x1b[31m/servers/c\x1b[31m--1/url")
    lease = etcd.lease_id(full_place.record("").rstrip("/"), LeaseName("c/default", 300))
    full_place.server.ask("kv/put", key=raw(key.encode()), value=raw(b"http://h\x1b[31m:1"), lease=lease)
    ran = bridge("show", "--store", full_place.url)
    assert re.search(r"  server  c\\x1b\[31m  \d min", ran.out)
    assert "\x1b" not in ran.out


def test_what_changes_nothing_for_traefik_is_told_too(bridge: Bridge, full_place: Place) -> None:
    full_place.server.delete(full_place.record("c/default/presence"))
    asked = ("--store", full_place.url, "--source", WEB_TEST, "--ttl")
    assert bridge("plan", *asked, "5m").out.splitlines()[0] == "1 record of the bridge to be written"
    assert bridge("sync", *asked, "5m").out.splitlines()[0] == "1 record of the bridge written"
    assert bridge("plan", *asked, "1h").out.splitlines()[0] == f"{WEB_TEST_KEYS} keys to be moved to another lease"
    assert bridge("sync", *asked, "1h").out.splitlines()[0] == f"{WEB_TEST_KEYS} keys moved to another lease"


def test_a_hand_written_key_that_no_label_asks_for_is_not_promised_to_be_written(
    bridge: Bridge, full_place: Place
) -> None:
    """Whoever believed it would take the protection off."""
    full_place.server.put(full_place.key("frontends/web-test__proxy-test/auth/basic/users/0"), "me:secret")
    err = bridge("plan", "--store", full_place.url, "--source", WEB_TEST).err
    assert "was not written by a bridge; if nobody needs it, delete it; froze the group" in err
    assert "secret" not in err


def test_show_tells_what_nobody_claims_any_more(bridge: Bridge, full_place: Place) -> None:
    full_place.server.delete(full_place.record("c/default/claim/web-test__proxy-test"))
    full_place.server.delete(full_place.key("frontends/web-test__proxy-test/backend"))
    lines = bridge("show", "--store", full_place.url).out.splitlines()
    assert lines[0] == "proxy-test/web-test  unclaimed: the next sync takes it up or clears it"
    assert lines[1].endswith("Host:web-test.proxy-test.local (closed)")


def test_show_survives_records_that_are_no_text(bridge: Bridge, full_place: Place) -> None:
    """Anybody may have written them."""
    full_place.server.ask("kv/put", key=raw(full_place.record("c/").encode() + b"\xff/claim/x"), value="/v8=")
    full_place.server.ask("kv/put", key=raw(full_place.key("frontends/").encode() + b"\xff/backend"), value="/v8=")
    assert bridge("show", "--store", full_place.url).code == 0
    assert objects(bridge("show", "--store", full_place.url, "--output", "json").json["groups"])


def raw(key: bytes) -> str:
    return b64encode(key).decode()


def test_the_json_of_show_is_one_object_with_stable_keys(bridge: Bridge, full_place: Place) -> None:
    found = bridge("show", "--store", full_place.url, "--output", "json").json
    assert set(found) == {"groups", "leases", "leaders", "drains"}
    route, backstop = objects(found["groups"])
    listed = {"hand_written", "keys", "disagreements", "rules", "servers"}
    assert set(route) == {"service", "group", "state", "decider", "claims", "by_hand"} | listed
    assert (route["service"], route["state"], route["decider"]) == ("proxy-test/web-test", "claimed", "default")
    assert (route["claims"], route["by_hand"]) == (["default"], 0)
    (rule,) = objects(route["rules"])
    assert set(rule) == {"frontend", "rule", "open", "whose", "seconds"}
    server = objects(route["servers"])[0]
    assert set(server) == {"name", "url", "weight", "whose", "seconds"}
    assert server["whose"] == "default"
    assert isinstance(server["seconds"], float)
    assert 290 < server["seconds"] <= 300
    assert backstop["state"] == "standing"
    assert objects(backstop["rules"])[0]["seconds"] is None
    assert [lease["family"] for lease in objects(found["leases"])] == ["c/default", "fleet", "standing"]


# leave


def test_leave_removes_all_of_this_cluster_and_then_has_nothing_to_do(bridge: Bridge, place: Place) -> None:
    published(bridge, place, WEB_TEST, "--read-time", "0.2")
    published(bridge, place, MIXED, "--cluster", "berlin", "--read-time", "0.2")
    ran = bridge("leave", "--store", place.url, "--read-time", "0.2")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "proxy-test/web-test  10 removed"
    assert ran.err.splitlines()[0].startswith("waiting ")
    left = standing(place)
    assert len(left) == 109
    assert not [key for key in left if "web-test" in key]
    again = bridge("leave", "--store", place.url)
    assert again.code == 0
    assert again.out.startswith("Nothing to remove: cluster default publishes nothing here (")
    assert again.err == "notice: here publishes berlin\n"
    slip = bridge("leave", "--store", place.url, "--cluster", "berlim")
    assert (slip.code, slip.err) == (0, "notice: here publishes berlin; was berlin meant?\n")
    assert bridge("leave", "--store", place.url, "--cluster", "berlin", "--read-time", "0.2").code == 0
    assert standing(place) == {}


# What is printed


def test_waits_for_the_same_are_one_line() -> None:
    waits = [Wait(name, "until no read sees it open any more", at) for at, name in enumerate("edcba", 1)]
    assert render.merged(waits) == [("until no read sees a, b, c and 2 others open any more", 5)]
    assert render.merged([Wait("g", "until the new servers were read", 1.0)]) == [
        ("until the new servers were read (g)", 1.0)
    ]
    assert render.merged([Wait("", "for replica x, which leads, to end", None)]) == [
        ("for replica x, which leads, to end", None)
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.13, "2.1 s"), (59.4, "59 s"), (299, "4 min 59 s"), (12000, "3 h 20 min"), (float("inf"), "for ever")],
)
def test_a_time_is_told_as_a_person_would(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_groups_name_is_told_as_stack_and_service() -> None:
    place = TRAEFIK1.place("backends/a.2eb__shop/loadbalancer/method")
    assert place is not None
    assert group_title(place.group) == "shop/a.b"
    assert group_title("zz-bridge") == "zz-bridge"
    assert group_title("not.an.escape__x") == "not.an.escape__x"


def test_a_wait_is_told_once_and_before_it_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    wait = Wait("g", "until the new servers were read", 2.0)
    with Teller() as teller:
        teller.tell(Progress(1, 1, (wait,), 2.0))
        assert capsys.readouterr().err == "waiting 2.0 s until the new servers were read (g)\n"
        teller.tell(Progress(1, 1, (wait,), 1.0))
        teller.tell(Progress(1, 1, (Wait("h", wait.what, 1.0),), 1.0))
    assert capsys.readouterr().err == "waiting 1.0 s until the new servers were read (h)\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_only_when_the_pass_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Teller() as teller:
        teller.tell(Progress(1, 4))
        assert terminal.getvalue() == ""
        teller.tell(Progress(2, 4, (Wait("g", "until the new servers were read", 3.0),), 3.0))
        teller.tell(Progress(2, 4, (Wait("h", "until the new servers were read", 3.0),), 3.0))
        teller.tell(Progress(3, 4))
    assert "3/4" in terminal.getvalue()
    assert "waiting 3.0 s until the new servers were read (h)" in terminal.getvalue()


def test_a_pass_that_nobody_watches_loads_no_rich(place: Place) -> None:
    code = f"""
import sys
from bridge.cli import main
assert main(["sync", "--source", {WEB_TEST!r}, "--store", {place.url!r}]) == 0
assert "rich" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=60)
