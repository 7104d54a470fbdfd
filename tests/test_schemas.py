"""The schemas say what the code does: real documents, outputs, keys and records fit them, and wrong ones do not."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from itertools import count
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from jsonschema import Draft202012Validator

from bridge.cli.label_facts import facts
from bridge.cli.schemas import SCHEMAS, schema
from bridge.config import load
from bridge.labels.kinds import kind
from bridge.labels.lookup import spot
from bridge.labels.table import INNER, TABLE, Listed, forms
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_guard import harmful
from bridge.layouts.traefik1_values import WRITTEN
from bridge.model.keys import records_prefix
from bridge.model.problem import UsageError
from bridge.routes import Policy, judge_all
from bridge.sources.document import snapshot
from bridge.stores import open_store
from bridge.views.words import Json
from tests.commands import Bridge, silent
from tests.odd_labels import Odd, label_sets
from tests.publishing import keys as published
from tests.servers import EtcdServer
from tests.test_containment import entries, patient, world

ROOT = Path(__file__).parent.parent
SAMPLES = Path(__file__).parent / "samples"
DOCUMENTS = sorted(SAMPLES.glob("*.stacks.json"))
_prefixes = count(1)
bridge = pytest.fixture(silent)


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name))


def fits(name: str, value: object) -> bool:
    return validator(name).is_valid(value)


def check(name: str, value: object) -> None:
    validator(name).validate(value)


# The folder and the command


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_is_what_the_code_says_and_a_schema(name: str) -> None:
    """`make schemas` writes it anew."""
    found = json.loads((ROOT / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    assert found == schema(name)
    Draft202012Validator.check_schema(found)


def test_no_other_file_is_in_the_folder() -> None:
    assert sorted(path.name for path in (ROOT / "schemas").iterdir()) == sorted(f"{name}.json" for name in SCHEMAS)


def test_a_schema_is_printed_by_its_name_and_names_without_one(bridge: Bridge) -> None:
    ran = bridge("schema")
    assert [line.split()[0] for line in ran.out.splitlines()] == list(SCHEMAS)
    assert bridge("schema", "plan").json == schema("plan")
    wrong = bridge("schema", "plans")
    assert (wrong.code, wrong.out) == (2, "")
    assert "use one of labels, compose, metadata" in wrong.err


def patterns(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield str(value["pattern"])
        yield from value.get("patternProperties") or {}
        for each in value.values():
            yield from patterns(each)
    elif isinstance(value, list):
        for each in value:
            yield from patterns(each)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_pattern_means_the_same_in_python_and_in_an_editor(name: str) -> None:
    """JavaScript has no \\A, \\Z, no named groups and no flags inside, and takes no escape that is not needed."""
    for pattern in patterns(schema(name)):
        assert not re.search(r"\(\?(?![:!=])|\\[AZzhH]", pattern), pattern
        bare = re.sub(r"\[(?:\\.|[^\]\\])*\]", "", pattern)
        assert not re.findall(r"\\(?![.$\[\]{}()*+?|^/\\sSdDwWbn]|x[0-9a-f]{2}|u[0-9a-f]{4})", bare), pattern


# Labels


def test_all_labels_of_the_table_fit_by_their_examples() -> None:
    """Under each of their names."""
    for row in TABLE:
        for name in forms(row):
            written = name.replace(INNER, "page").replace("<segment>", "admin.two")
            check("labels", {written: row.example})
            assert fits("labels", {written: ""}) is not row.protects
            check("labels", {written: "${FROM_OUTSIDE}"})


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("docker-compose.yml")), ids=lambda path: path.parent.name)
def test_compose_files_of_others_fit(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    services = document.get("services", document)
    for service in services.values():
        for name, text in (service.get("labels") or {}).items() if isinstance(service, dict) else ():
            if spot(name) or not str(name).startswith("traefik."):
                check("labels", {name: text})
    check("compose", document)


@pytest.mark.parametrize(
    "whole", [lambda of: of, lambda of: {"version": "2", "services": of}, lambda of: {"services": of}]
)
def test_an_editor_marks_labels_in_a_compose_file_and_nothing_else(whole: Callable[[object], object]) -> None:
    others = {"image": "x", "labels": None, "environment": {"traefik.port": "http"}, "label": {"traefik.port": "http"}}
    check(
        "compose", whole({"web": {**others, "labels": {"traefik.port": 80, "com.x": "y"}}, "db": others, "cache": None})
    )
    assert not fits("compose", whole({"web": {**others, "labels": {"traefik.port": "http"}}, "db": others}))
    assert not fits("compose", whole({"web": {**others, "labels": {"traefik.prot": "80"}}}))


@pytest.mark.parametrize(
    "labels",
    [
        {"traefik.enable": "yes"},
        {"traefik.enabled": "true"},
        {"traefik.port": "http"},
        {"traefik.port": 70000},
        {"traefik.weight": -1},
        {"traefik.protocol": "h2c"},
        {"traefik.frontend.Rule": "Host:a"},
        {"Traefik.frontend.rule": "Host:a"},
        {" traefik.frontend.rule": "Host:a"},
        {"traefik-port": "80"},
        {"traefik_frontend.auth": "x"},
        {"traefikfrontend.rule": "Host:a"},
        {"traefik.frontend.rule": "example.org"},
        {"traefik.frontend.auth.basic.users": "name:password"},
        {"traefik.frontend.whiteList.sourceRange": "office"},
        {"traefik.admin.frontend.priority": "high"},
        {"traefik.frontend.errors.a.b.status": "404"},
        {"traefik.frontend.errors.page.status": "9"},
        {"traefik.path": "api"},
        {"traefik.backend.healthcheck.interval": "10"},
    ],
    ids=lambda labels: "=".join(map(str, *labels.items())),
)
def test_what_an_editor_should_mark_does_not_fit(labels: dict[str, object]) -> None:
    assert not fits("labels", labels)


def test_labels_of_others_are_let_be() -> None:
    check("labels", {"io.traefik.x": "true", "traefikee.auth": "x", "traefik2.port": "x"})
    check("labels", {"io.rancher.scheduler.global": "true", "traefik.http.routers.web.rule": "Host(`a`)"})
    check("labels", ["traefik.enable=true"])
    check("labels", {"traefik.enable": True, "traefik.port": 8080, "traefik.frontend.priority": 0})


@patient
@given(label_sets())
def test_what_the_parser_takes_fits(labels: dict[str, str]) -> None:
    """No false alarm: an editor marks nothing that the bridge takes as it is meant."""
    for name, text in labels.items():
        found = spot(name)
        if not found or "\n" in name or (found.row.protects and not text):  # an empty one that protects costs the route
            continue
        row = found.row
        if row.protects and not text.strip(" ,"):  # it names nothing, and costs the route
            continue
        try:
            for one in text.split(",") if isinstance(row, Listed) else [text]:
                if one.strip() or not isinstance(row, Listed):
                    row.parse(one.strip() if isinstance(row, Listed) else one)
        except ValueError:
            continue
        assert fits("labels", {name: text}), (name, text, kind(row))


# The metadata document


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_fits_unless_the_reader_finds_something_odd(path: Path) -> None:
    data = path.read_bytes()
    if not snapshot(data, "sample").problems:
        check("metadata", json.loads(data))


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"stacks": None},
        [{"name": 1}],
        [{"name": "a", "services": [{"name": "b", "labels": {"traefik.port": 80}}]}],
        [{"name": "a", "services": {}}],
    ],
)
def test_a_document_that_is_not_read_as_it_stands_does_not_fit(document: object) -> None:
    assert not fits("metadata", document)


# The configuration


def loaded(path: Path, text: str) -> bool:
    path.write_text(text, encoding="utf-8")
    try:
        load("sync", {"config": str(path)}, {})
    except UsageError:
        return False
    return True


@pytest.mark.parametrize(
    "line",
    [
        'store = "etcd://etcd-1:2379/traefik"',
        'ttl = "10m"',
        "ttl = 300",
        "ttl = 1.5",
        'ttl = "soon"',
        "brake = 0.5",
        'brake = "50%"',
        "brake = true",
        "force = true",
        'force = "true"',
        "force = 1",
        'force = "oui"',
        'cluster = "berlin-2"',
        'cluster = "Berlin"',
        'health = "optional"',
        'health = "perhaps"',
        'output = "json"',
        'output = "xml"',
        "verbose = false",
        "read-time = 2",
        'store-password = "secret"',
        'stores = "etcd://etcd-1:2379/traefik"',
        'config = "other.toml"',
        "replica = []",
    ],
)
def test_a_file_fits_exactly_when_it_is_taken(tmp_path: Path, line: str) -> None:
    said = tomllib.loads(line)
    taken = loaded(tmp_path / "bridge.toml", line)
    assert fits("config", said) is taken


def test_the_configuration_that_is_told_fits() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    check("config", tomllib.loads(re.findall(r"```toml\n(.*?)```", text, re.S)[0]))


# Traefik's keys


def test_all_keys_that_labels_become_fit() -> None:
    for fact in facts():
        check("keys", fact.keys)
    check("keys", dict(TRAEFIK1.standing()))
    known = schema("keys")["patternProperties"]
    assert isinstance(known, dict)
    assert len(known) == len(WRITTEN)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_all_keys_of_a_sample_fit(path: Path) -> None:
    found = published(snapshot(path.read_bytes(), "sample"))
    check("keys", dict(found))
    check("render", {f"/traefik/{key}": value for key, value in found.items()})
    check("render", {f"v1/traefik/{key}": value for key, value in found.items()})


@patient
@given(label_sets())
def test_all_keys_that_odd_labels_become_fit(labels: dict[str, str]) -> None:
    for verdict in judge_all(world([Odd("web", "shop", labels, {})]), Policy()):
        check("keys", {entry.path: entry.value for entry in entries(verdict.route)} if verdict.route else {})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("frontends/web__shop/backend", ""),
        ("frontends/web__shop/routes/main/rule", "example.org"),
        ("frontends/web__shop/passHostHeader", "false"),
        ("frontends/web__shop/passtlscert", "false"),
        ("frontends/a b/backend", "web__shop"),
        ("frontends/web__shop/headers/customresponseheaders/X.A", "one"),
        ("frontends/web__shop/headers/contentsecuritypolicy", 'a "quoted" word'),
        ("backends/web__shop/loadbalancer/method", "random"),
        ("backends/web__shop/loadbalancer/stickiness/cookiename", "shop"),
        ("backends/web__shop/servers/default--c-1/weight", "many"),
        ("backends/web__shop/servers/default--c-1/url", "10.42.0.1:80"),
        ("backends/web__shop/responseforwarding/flushinterval", "1s"),
    ],
)
def test_a_key_that_does_harm_does_not_fit(path: str, value: str) -> None:
    assert harmful(path, value)
    assert not fits("keys", {path: value})


# Outputs and records, of commands on a real etcd


def test_what_commands_print_and_keep_fits(bridge: Bridge, etcd_server: EtcdServer) -> None:
    prefix = f"schemas{next(_prefixes)}"
    store, source = f"etcd://{etcd_server.endpoint}/{prefix}", f"file:{SAMPLES / 'mixed.stacks.json'}"

    def said(*arguments: str) -> dict[str, object]:
        ran = bridge(*arguments, "--output", "json")
        assert ran.code in (0, 4), ran
        return ran.json

    sync = ("sync", "--source", source, "--store", store, "--ttl", "10m", "--read-time", "0")
    check("plan", planned := said("plan", "--source", source, "--store", store))
    assert planned["changes"]
    check("sync", done := said(*sync))
    assert done["written"]
    check("sync", said(*sync))
    etcd_server.put(f"/{prefix}/frontends/hand/backend", "hand")
    etcd_server.put(f"/{prefix}/frontends/hand/priority", 'a "quote"')
    check("show", shown := said("show", "--store", store))
    check("render", said("render", "--source", source, "--store", store))
    check("check", both := said("check", "--source", source, "--store", store))
    assert both["findings"]
    assert both["problems"]
    check("check", said("check", "--source", source))
    check("check", said("check", "--store", store))
    for service in ("shop/tuned", "shop/paths", "shop/disabled", "shop/lb"):
        check("explain", said("explain", service, "--source", source))
    check("migrate", moving := said("migrate", "--store", store))
    with closing(open_store(store, records_root=records_prefix(prefix))) as opened:
        items = opened.read(records_prefix(prefix)).items
    kept = {path.removeprefix(records_prefix(prefix)): json.loads(item.value) for path, item in items.items() if item}
    assert {path.split("/")[0] for path in kept} == {"c", "fleet"}
    assert shown["leases"]
    check("records", kept)
    check("sync", said("leave", "--store", store, "--read-time", "0"))
    for name in ("plan", "sync", "show", "check", "explain", "migrate"):  # not one takes what another prints
        of = {"plan": planned, "sync": done, "show": shown, "check": both, "migrate": moving}
        assert [other for other, value in of.items() if other != name and fits(name, value)] == []
    (without := dict(planned)).pop("held")
    assert not fits("plan", without)
    assert not fits("plan", planned | {"new": 1})
    assert not fits("sync", done | {"outcome": "fine"})


@pytest.mark.parametrize(
    "record",
    [
        {"c/default/claim/web__shop": {"format": 2, "keys": {}}},
        {"c/default/claim/web__shop": {"format": 1, "keys": {"frontends/a/backend": 1}}},
        {"c/default/presence": {"format": 1, "environment": "e", "ttl": -1, "read_time": 1, "version": "0"}},
        {"c/default/leader": {"format": 1, "name": "a"}},
        {"fleet/guard/web__shop": "many"},
    ],
)
def test_a_record_that_the_bridge_could_not_read_does_not_fit(record: dict[str, object]) -> None:
    assert not fits("records", record)
