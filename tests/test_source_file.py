"""Source `file`, and the reading of metadata documents behind it."""

from __future__ import annotations

import copy
import json
import os
import re
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Queue
from random import Random
from threading import Thread
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model.problem import Problem, UsageError
from bridge.model.world import Container, Service, Snapshot
from bridge.sources import open_source
from bridge.sources.base import SourceError
from bridge.sources.document import Reader, build, read_slowly, snapshot
from tests.worlds.generate import Json, Object, document, encode, stacks

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.stacks.json"))
GOOD = [path.read_bytes() for path in SAMPLES] + [document(25, 3, seed, unhealthy=0.3) for seed in range(3)]


def world(*stacks: Object) -> Snapshot:
    return snapshot(encode(list(stacks)), "file:world.json")


def stack(*services: Json, **fields: Json) -> Object:
    return {"name": "shop", "uuid": "st-1", "environment_uuid": "env-1", "services": list(services), **fields}


def service(*containers: Json, **fields: Json) -> Object:
    return {"name": "web", "uuid": "se-1", "stack_name": "shop", "containers": list(containers), **fields}


def container(**fields: Json) -> Object:
    return {"uuid": "co-1", "name": "shop-web-1", "state": "running", "primary_ip": "10.42.0.1", **fields}


def only(seen: Snapshot) -> Service:
    (found,) = seen.services
    return found


def only_container(seen: Snapshot) -> Container:
    (found,) = only(seen).containers
    return found


def read_text(tmp_path: Path, data: bytes) -> Snapshot:
    path = tmp_path / "world.json"
    path.write_bytes(data)
    return open_source(f"file:{path}").read()


SLIPS = (
    "Traefik.port",
    " traefik.port",
    "traefik-frontend-auth-basic-users",
    "treafik.frontend.auth.basic.users",
    "Traefikadmin.frontend.auth",
    "trafic.a.frontend.rule",
    "raefik.frontend.auth",
    "xtraefik.frontend.auth",
    "traefil.frontend.auth",
    "TRAEFIK_FRONTEND.AUTH",
    "\ufefftraefik.x",
)
STRANGERS = (
    "io.rancher.traefik.port",
    "traefikee.port",
    "traefik2.port",
    "traffic.auth",
    "terraform.frontend.auth",
    "trace.frontend.auth",
    "treasury.port",
    "_",
    "",
)


# What a source answers


@pytest.mark.parametrize("odd", [{}, {"traefik.weight": 5}], ids=["fast", "value by value"])
def test_a_label_of_ours_by_a_slip_is_no_strangers(odd: Object) -> None:
    """Dropped here, one that asks for a password would be missed by nobody."""
    labels = {**dict.fromkeys((*SLIPS, *STRANGERS), "x"), **odd}
    seen = world(stack(service(container(labels=labels), labels=labels)))
    assert only(seen).labels.keys() == only_container(seen).labels.keys() == {*SLIPS, *odd}


@pytest.mark.parametrize("odd", [{}, {"traefik.weight": 5}], ids=["fast", "value by value"])
def test_ports_are_in_ranchers_order(odd: Object) -> None:
    seen = world(stack(service(labels={"traefik.enable": "true", **odd}, ports=["9443:443/tcp", "9080:80/tcp"])))
    assert only(seen).ports == ("9443:443/tcp", "9080:80/tcp")


@pytest.mark.parametrize("odd", [{}, {"traefik.weight": 5}], ids=["fast", "value by value"])
def test_labels_of_others_are_read_only_where_they_are_named(odd: Object) -> None:
    labels = {"traefik.enable": "true", "env": "prod", "secret": "x", **odd}
    data = encode([stack(service(container(labels=labels), labels=labels))])
    (seen,) = Reader(frozenset(("env", "traefik.enable", "none"))).snapshot(data, "file:x").services
    assert (dict(seen.named), set(seen.labels)) == ({"env": "prod"}, {"traefik.enable", *odd})
    assert seen.containers[0].labels.keys() == {"traefik.enable", *odd}
    assert only(world(stack(service(labels=labels)))).named == {}


def test_a_saved_answer_is_read_as_the_world_it_describes(tmp_path: Path) -> None:
    seen = read_text(tmp_path, (SAMPLES[-1]).read_bytes())
    web = only(seen)
    assert web.title == "proxy-test/web-test"
    assert sorted(one.address for one in web.containers) == ["10.42.0.11", "10.42.0.12", "10.42.0.13"]
    assert {(one.state, one.health_state) for one in web.containers} == {("running", "healthy")}
    assert web.labels["traefik.port"] == "8080"
    assert all(name.startswith("traefik.") for name in web.labels)
    assert web.has_check
    assert seen.environment == web.environment_uuid != ""
    assert seen.problems == ()


def test_every_kind_of_service_keeps_what_its_route_needs() -> None:
    path = next(path for path in SAMPLES if path.name.startswith("mixed"))
    seen = {one.title: one for one in snapshot(path.read_bytes(), "file:mixed").services}
    assert len(seen) == 19
    kinds = {title.partition("/")[2]: one.kind for title, one in seen.items()}
    assert [kinds[name] for name in ("plain", "lb", "alias", "ext-ip")] == [
        "service",
        "loadBalancerService",
        "dnsService",
        "externalService",
    ]
    by_name = {one.name: one for one in seen.values()}
    assert by_name["ext-ip"].external_ips == ("203.0.113.10", "203.0.113.11")
    assert by_name["ext-host"].hostname == "legacy.example.org"
    assert by_name["alias"].links != ()
    assert by_name["plain"].links == ()
    assert by_name["db-data"].primary == "db"
    assert by_name["db-data"].uuid == by_name["db"].uuid
    assert by_name["healthcheck"].system
    assert not by_name["no-check"].has_check


@pytest.mark.parametrize("data", GOOD)
def test_the_slow_way_finds_the_same_world_as_the_fast_one(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = build(read_slowly(data))
    for way in ("read_slowly", "mend_service"):
        monkeypatch.delattr(f"bridge.sources.document.{way}")
    assert snapshot(data, "file:x") == slow


@pytest.mark.parametrize("data", GOOD)
def test_the_order_of_lists_does_not_matter(data: bytes) -> None:
    """Rancher gives its lists in another order after each reload."""
    shuffled = json.loads(data)
    chance = Random(1)
    for node in list(nodes(shuffled)):
        if isinstance(node, list):
            chance.shuffle(node)
    assert snapshot(encode(shuffled), "file:x") == snapshot(data, "file:x")


@pytest.mark.parametrize("data", GOOD)
def test_a_good_document_takes_the_fast_way(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.sources.document.mend", None)
    assert snapshot(data, "file:x").services


# What a document may leave out, repeat or twist


@pytest.mark.parametrize("empty", [{"services": None}, {}])
def test_a_stack_without_services_is_no_problem(empty: Object) -> None:
    """Rancher writes null for an empty list."""
    bare: Object = {"name": "empty", "uuid": "st-2", "environment_uuid": "env-1", **empty}
    assert world(stack(service()), bare) == world(stack(service()))


def test_null_and_absent_read_alike() -> None:
    fields = ("labels", "containers", "links", "external_ips", "hostname", "health_check", "system", "state", "kind")
    nulls: Object = dict.fromkeys(fields)
    absent = service()
    del absent["containers"]
    assert world(stack(service(**nulls))) == world(stack(absent))


def test_names_are_lower_case_whatever_version_answers() -> None:
    seen = only(world(stack(service(name="Web", stack_name="Shop", primary_service_name="Web"), name="Shop")))
    assert (seen.name, seen.stack, seen.primary) == ("web", "shop", "web")


def test_a_service_that_names_no_stack_is_in_the_stack_it_stands_in() -> None:
    seen = only(world(stack(service(stack_name=None))))
    assert (seen.stack, seen.stack_uuid, seen.environment_uuid) == ("shop", "st-1", "env-1")


def test_two_stacks_of_one_name_stay_two() -> None:
    """Linked environments bring stacks that have the names of ours."""
    twice = world(stack(service()), stack(service(uuid="se-2"), uuid="st-2"))
    assert [one.stack_uuid for one in twice.services] == ["st-1", "st-2"]


def test_a_sidekick_shares_the_uuid_and_stays_a_service_of_its_own() -> None:
    seen = world(stack(service(), service(name="data", primary_service_name="web")))
    assert [(one.name, one.primary) for one in seen.services] == [("data", "web"), ("web", "web")]


def test_a_container_listed_twice_counts_once_and_the_same_one_always() -> None:
    one, other = container(), container(state="stopped")
    assert only(world(stack(service(one, one)))).containers == only(world(stack(service(one)))).containers
    assert world(stack(service(one, other))) == world(stack(service(other, one)))
    assert len(only(world(stack(service(one, other)))).containers) == 1


def test_a_service_tells_how_many_containers_it_was_ever_given() -> None:
    odd: tuple[Json, ...] = (7, None, 0, "7", [7], True)
    told = [only(world(stack(service(create_index=index)))) for index in odd]
    assert [one.create_index for one in told] == [7, 0, 0, 0, 0, 0]
    assert world(stack(service(create_index="7"))).problems == (
        Problem("shop/web", "create_index", "7", "is no whole number", "left it out"),
    )


def test_a_container_publishes_the_ports_of_the_one_whose_network_it_shares() -> None:
    lender = container(uuid="co-2", ports=["0.0.0.0:80:8080/tcp"])
    borrower = container(primary_ip=None, network_from_container_uuid="co-2")
    seen = only(world(stack(service(borrower, lender))))
    assert [one.ports for one in seen.containers] == [("0.0.0.0:80:8080/tcp",)] * 2


def test_a_container_without_an_address_is_reached_at_the_one_whose_network_it_shares() -> None:
    lender = container(uuid="co-2", network_from_container_uuid="co-3", primary_ip=None)
    last = container(uuid="co-3", primary_ip="10.42.0.3")
    borrower = container(primary_ip=None, network_from_container_uuid="co-2")
    seen = world(stack(service(borrower), service(lender, last, name="vpn", uuid="se-2")))
    assert {one.address for service in seen.services for one in service.containers} == {"10.42.0.3"}


@pytest.mark.parametrize("lender", ["co-1", "co-2", "gone", "", None])
def test_a_circle_of_shared_networks_ends_without_an_address(lender: str | None) -> None:
    one = container(primary_ip=None, network_from_container_uuid=lender)
    two = container(uuid="co-2", primary_ip="", network_from_container_uuid="co-1")
    assert {one.address for one in only(world(stack(service(one, two)))).containers} == {""}


def test_a_lender_listed_twice_lends_the_same_address_whatever_the_order() -> None:
    borrower = container(primary_ip=None, network_from_container_uuid="co-2")
    one, other = container(uuid="co-2", primary_ip="10.42.0.2"), container(uuid="co-2", primary_ip="10.42.0.3")
    gone = container(uuid="co-2", primary_ip=None)
    orders = ((one, other, gone), (gone, other, one))
    seen = [world(stack(service(borrower, *order))).services[0].containers[0] for order in orders]
    assert [borrowed.address for borrowed in seen] == ["10.42.0.2", "10.42.0.2"]


def test_the_environment_is_the_one_most_stacks_name() -> None:
    ours = [stack(service(), uuid="st-1"), stack(uuid="st-2", name="b")]
    odd = stack(uuid="st-3", name="c", environment_uuid="another")
    assert world(*ours, odd).environment == "env-1"
    assert world(odd, *ours).environment == "env-1"
    assert world(stack(service(), environment_uuid=None)).environment == ""


@pytest.mark.parametrize(
    ("check", "has"),
    [(None, False), ({}, False), ({"port": None}, False), ({"port": 80}, True), ({"port": "80"}, True)],
)
def test_a_check_without_a_port_is_no_check(check: Json, has: bool) -> None:
    assert only(world(stack(service(health_check=check)))).has_check is has


# One odd value costs that value


@pytest.mark.parametrize(("odd", "text"), [(8080, "8080"), (True, "true"), (False, "false"), (None, "")])
def test_a_label_that_is_no_text_is_read_as_its_text_with_a_notice(odd: Json, text: str) -> None:
    seen = world(stack(service(labels={"traefik.port": odd, "traefik.enable": "true", "other": 1})))
    assert only(seen).labels == {"traefik.port": text, "traefik.enable": "true"}
    (problem,) = seen.problems
    assert problem.notice
    assert (problem.service, problem.label) == ("shop/web", "traefik.port")


@pytest.mark.parametrize("written", ["1.50", "1e3", "1e999", "NaN", "9" * 6000])
def test_a_number_keeps_the_text_it_was_written_with(written: str) -> None:
    data = encode([stack(service(labels={"traefik.port": "HERE"}))]).replace(b'"HERE"', written.encode())
    assert only(snapshot(data, "file:x")).labels == {"traefik.port": written}


@pytest.mark.parametrize("odd", [["a:b"], {"a": ["b", 1, None]}, []])
def test_a_label_that_is_a_list_or_an_object_is_not_lost(odd: Json) -> None:
    """It may protect the route: the label must be judged, and refused, by its own rule."""
    seen = world(stack(service(labels={"traefik.frontend.auth.basic": odd})))
    assert only(seen).labels == {"traefik.frontend.auth.basic": json.dumps(odd, separators=(",", ":"))}
    assert [one.notice for one in seen.problems] == [False]


@pytest.mark.parametrize("odd", [["bob:secret"], {"bob": "secret"}, "bob:secret\udc80"])
def test_no_problem_shows_what_a_label_holds(odd: Json) -> None:
    """It may be a password; a label that is known is shown by whoever judges it."""
    labelled = stack(service(container(labels={"traefik.x": odd}), labels={"traefik.frontend.auth.basic": odd}))
    seen = snapshot(json.dumps([labelled]).encode(), "file:x")
    assert [one.label for one in seen.problems] == ["traefik.frontend.auth.basic", "traefik.x of shop-web-1"]
    assert "secret" not in repr(seen.problems)


@pytest.mark.parametrize("field", ["state", "health_state"])
@pytest.mark.parametrize("odd", [5, True, {}, ["healthy"]])
def test_a_state_that_cannot_be_read_never_looks_like_a_good_one(field: str, odd: Json) -> None:
    """An empty health state would mean that there is no check."""
    seen = only_container(world(stack(service(container(**{"health_state": "healthy", field: odd})))))
    assert getattr(seen, field) not in ("", "running", "healthy")


def test_a_health_check_that_cannot_be_read_counts_as_one() -> None:
    assert only(world(stack(service(health_check="yes")))).has_check


def test_what_cannot_be_named_is_left_out_and_reported() -> None:
    seen = world(
        stack(service(container(uuid=None), container(uuid=["x"])), service(name=None), service(name={}), 7, None)
    )
    assert only(seen).containers == ()
    assert [(one.service, one.label, one.value) for one in seen.problems] == [
        ("", "services of stack shop", "7"),
        ("", "services of stack shop", "null"),
        ("shop/", "name", ""),
        ("shop/", "name", "{}"),
        ("shop/web", "uuid of shop-web-1", ""),
        ("shop/web", "uuid of shop-web-1", '["x"]'),
    ]


def test_a_problem_shows_no_more_of_a_value_than_a_reader_wants() -> None:
    deep: Json = "x" * 1000
    for _ in range(100):
        deep = [deep]
    seen = world(stack(service(hostname=deep, external_ips=["x" * 1000, None, 5]), environment_uuid={"a": deep}))
    assert all(len(problem.value) <= 201 for problem in seen.problems)
    assert only(seen).external_ips == ("5", "x" * 1000)


@pytest.mark.parametrize("odd", [b"\\ud800", b"\\udc80", b"\xff", b"\xed\xa0\x80"])
def test_text_that_is_no_unicode_costs_only_itself(odd: bytes) -> None:
    good = encode([stack(service(container(name="HERE"), labels={"traefik.alias": "HERE", "traefik.port": "80"}))])
    seen = snapshot(good.replace(b"HERE", b"a" + odd), "file:x")
    alias = only(seen).labels["traefik.alias"]
    assert set(alias) == {"a", "\ufffd"}
    assert only(seen).labels["traefik.port"] == "80"
    assert only_container(seen).name == alias
    assert {problem.label for problem in seen.problems} == {"traefik.alias", f"name of {alias}"}
    assert repr(seen).encode()


def test_a_byte_order_mark_and_control_characters_are_read_over() -> None:
    good = encode([stack(service(hostname="HERE"))])
    assert only(snapshot(b"\xef\xbb\xbf" + good.replace(b"HERE", b"a\tb"), "file:x")).hostname == "a\tb"


def test_of_a_name_written_twice_the_last_counts_on_both_ways() -> None:
    data = encode([stack(service())]).replace(b'"name":"web"', b'"name":"old","name":"web"')
    assert only(snapshot(data, "file:x")).name == "web"
    assert build(read_slowly(data)) == snapshot(data, "file:x")


def nodes(value: Json) -> Iterator[list[Json] | Object]:
    """Every list and object in a document, outermost first."""
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from nodes(part)


ODD: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.text(st.sampled_from("a\ud800\udc80"), max_size=3),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=4,
)
WORLD = stacks(12, 2, 5)
WHOLE = {one.title: one for one in world(*WORLD).services}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_one_odd_value_in_a_service_touches_no_other_service(data: st.DataObject) -> None:
    odd_world = copy.deepcopy(WORLD)
    services = [one for stack in odd_world for one in cast(list[Object], stack["services"])]
    chosen = data.draw(st.sampled_from(services), label="service")
    title = f"{chosen['stack_name']}/{chosen['name']}"
    places = [(node, key) for node in nodes(chosen) for key in (node if isinstance(node, dict) else range(len(node)))]
    node, key = data.draw(st.sampled_from(places), label="place")
    node[key] = data.draw(ODD, label="odd value")  # type: ignore[index]  # a key drawn with its node

    encoded = json.dumps(odd_world).encode()
    seen = snapshot(encoded, "file:x")
    others = {one.title: one for one in seen.services if one.uuid != WHOLE[title].uuid and one.title in WHOLE}
    expected = {name: one for name, one in WHOLE.items() if name != title}
    assert {name: others.get(name) for name in expected} == expected
    assert build(read_slowly(encoded)) == seen
    assert repr(seen).encode()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | ODD.map(lambda value: json.dumps(value).encode()))
def test_no_document_ends_in_anything_but_a_world_or_a_source_error(data: bytes) -> None:
    with suppress(SourceError):
        assert isinstance(snapshot(data, "file:x"), Snapshot)


# What is no world at all


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"[{", "is no JSON at line 1, column 3"),
        (b"<html>", "is no JSON at line 1, column 1"),
        (b"\xff\xfe[\x00]\x00", "is no JSON"),
        (b"null", "holds null"),
        (b"{}", "holds no stack"),
        (b'{"stacks":null,"hosts":null}', "holds no stack"),
        (b'{"stacks":5,"hosts":7}', "holds no stack"),
        (b'{"code":404,"message":"Not found","type":"error"}', "holds no stack"),
        (b"5", "holds a number"),
        (b'"stacks"', "holds text"),
        (b"[]", "holds no stack"),
        (b"[null]", "holds no stack"),
        (b"[{}]", "neither name nor services"),
        (b'["shop"]', "holds no stack"),
        (b'[{"name": "shop", "services": ["web"]}]', "no service in it can be read"),
        (b'[{"name": "shop", "services": 5}]', "no service in it can be read"),
        (b"[" * 200_000, "nested too deeply"),
        (b'[{"name":"shop","services":' + b'{"a":' * 200_000, "nested too deeply"),
    ],
)
def test_a_document_that_is_no_world_is_an_error_and_never_an_empty_world(
    data: bytes, says: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="save the whole answer of /2016-07-29/stacks") as caught:
        read_text(tmp_path, data)
    assert says in str(caught.value)
    assert str(tmp_path) in caught.value.value
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)


def test_a_world_without_services_is_a_world() -> None:
    assert world({"name": "empty", "services": None}).services == ()


@pytest.mark.parametrize(("name", "says"), [("missing.json", "no such file"), ("", "is a directory")])
def test_a_file_that_cannot_be_read_is_named_with_the_remedy(name: str, says: str, tmp_path: Path) -> None:
    url = f"file:{tmp_path / name}"
    with pytest.raises(SourceError, match=f"{says}.*; name a file") as caught:
        open_source(url).read()
    assert (caught.value.value, caught.value.exit_code) == (url, 1)


def test_a_file_is_read_afresh_each_time(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_bytes(document(1, 1))
    source = open_source(f"file:{path}")
    before = source.read()
    path.write_bytes(document(2, 1))
    assert (len(before.services), len(source.read().services)) == (1, 2)


def test_a_saved_answer_that_has_hosts_gives_their_addresses(tmp_path: Path) -> None:
    hosts: list[Json] = [{"uuid": "h-1", "agent_ip": "192.0.2.1"}, {"uuid": "h-2"}, {"agent_ip": "192.0.2.3"}]
    whole: Object = {"stacks": [stack(service())], "hosts": hosts, "name": "default"}
    assert read_text(tmp_path, json.dumps(whole).encode()) == replace(
        world(stack(service())), hosts={"h-1": "192.0.2.1"}
    )


@pytest.mark.parametrize(
    ("odd", "label"), [(7, "hosts"), ([None], "hosts"), ([{"uuid": "h", "agent_ip": {}}], "agent_ip of host h")]
)
def test_odd_hosts_cost_nothing_else(odd: Json, label: str, tmp_path: Path) -> None:
    seen = read_text(tmp_path, json.dumps({"stacks": [stack(service())], "hosts": odd}).encode())
    assert replace(seen, problems=()) == world(stack(service()))
    assert [one.label for one in seen.problems] == [label]


def test_a_host_that_is_told_twice_has_the_same_address_whatever_the_order(tmp_path: Path) -> None:
    hosts: list[Json] = [{"uuid": "h", "agent_ip": f"192.0.2.{number}"} for number in (2, 1, 3)]
    for _ in range(2):
        hosts.reverse()
        seen = read_text(tmp_path, json.dumps({"stacks": [stack(service())], "hosts": hosts}).encode())
        assert seen.hosts == {"h": "192.0.2.1"}


# Following the file


def test_a_file_is_followed_at_once_and_whenever_it_is_written_or_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.sources.file.LOOK", 0.01)
    path = tmp_path / "world.json"
    path.write_bytes(document(1, 1))
    changes = open_source(f"file:{path}").changes()
    assert len(next(changes).services) == 1
    path.write_bytes(document(2, 1))
    assert len(next(changes).services) == 2
    (tmp_path / "new").write_bytes(document(3, 1))
    (tmp_path / "new").replace(path)
    assert len(next(changes).services) == 3
    path.write_bytes(document(3, 1, seed=1))
    assert next(changes) == snapshot(document(3, 1, seed=1), "file:x"), "it looks at more than the size"


def test_a_file_that_only_looks_new_tells_nothing_and_one_that_rests_is_read_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock may be too coarse to show the second of two writes."""
    monkeypatch.setattr("bridge.sources.file.LOOK", 0.01)
    monkeypatch.setattr("bridge.sources.file.BEAT", 0.3)
    path = tmp_path / "world.json"
    path.write_bytes(document(1, 1))
    changes = open_source(f"file:{path}").changes()
    first, began = next(changes), time.monotonic()
    path.write_bytes(document(1, 1))
    assert next(changes) == first
    assert time.monotonic() - began >= 0.25
    looks = path.stat()
    path.write_bytes(document(1, 1, seed=1))
    os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    assert path.stat().st_size == looks.st_size
    assert next(changes) != first


def test_a_file_that_is_gone_or_half_written_is_an_error_and_is_read_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.sources.file.LOOK", 0.01)
    path, whole = tmp_path / "world.json", document(1, 1)
    source = open_source(f"file:{path}")
    with pytest.raises(SourceError, match="no such file"):
        next(source.changes())
    path.write_bytes(whole)
    changes = source.changes()
    assert next(changes).services
    path.write_bytes(whole[:-1])
    with pytest.raises(SourceError, match="is no JSON"):
        next(changes)
    path.write_bytes(whole)
    assert next(source.changes()).services


def test_closing_from_another_thread_ends_the_following_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.sources.file.LOOK", 60.0)
    path = tmp_path / "world.json"
    path.write_bytes(document(1, 1))
    source, came = open_source(f"file:{path}"), Queue[int]()

    def follow() -> None:
        for seen in source.changes():
            came.put(len(seen.services))

    thread = Thread(target=follow, daemon=True)
    thread.start()
    assert came.get(timeout=10) == 1
    source.close()
    thread.join(10)
    assert not thread.is_alive(), "it waits for the next look"
    assert list(source.changes()) == []


def test_a_file_may_be_named_by_path_or_by_whole_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "world.json").write_bytes(document(1, 1))
    monkeypatch.chdir(tmp_path)
    urls = ("file:world.json", f"file:{tmp_path}/world.json", f"file://{tmp_path}/world.json")
    assert len({open_source(url).read().environment for url in urls}) == 1


@pytest.mark.parametrize(
    "url", ["", "world.json", "redis://db", "FILE", "file:", "file://host/world.json", "file:a\0b"]
)
def test_a_url_that_names_no_source_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match=r"use .*file:PATH") as caught:
        open_source(url)
    assert (caught.value.exit_code, caught.value.value) == (2, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@rancher",
        "http://user:secret@rancher:port",
        "http://user:secret@rancher/2016-07-29",
        "http://user:se/cret:secret@rancher",
        "https:user:secret@rancher",
        "s:secret@rancher",
    ],
)
def test_a_refused_url_does_not_show_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(url)
    assert "cret" not in str(caught.value)
    assert "@rancher" in str(caught.value)


def test_a_good_world_stays_the_same_value_beside_a_problem() -> None:
    good = world(stack(service()))
    odd = world(stack(service(system="perhaps")))
    assert replace(odd, problems=()) == good
    assert odd.problems == (Problem("shop/web", "system", "perhaps", "is text, not a boolean", "read it as false"),)


# The worlds that tests and benchmarks are made of


def test_a_made_world_is_the_same_for_the_same_seed() -> None:
    assert document(25, 2, 7) == document(25, 2, 7) != document(25, 2, 8)
    seen = snapshot(document(25, 2, 7, unhealthy=0.5), "file:x")
    states = [one.health_state for service in seen.services for one in service.containers]
    assert (len(seen.services), len(states)) == (25, 50)
    assert {"healthy", "unhealthy"} == set(states)


SHARING = [
    service(container(uuid="co-l"), name="lender", uuid="se-l"),
    service(container(uuid="co-b", primary_ip=None, network_from_container_uuid="co-l"), uuid="se-b"),
]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_reader_that_lives_on_finds_what_one_finds_that_begins(data: st.DataObject) -> None:
    """Whatever was odd, lent or elsewhere before: nothing is kept but what a text alone says."""
    reader, changing = Reader(), copy.deepcopy(WORLD)
    changing[0]["services"] = [*cast(list[Json], changing[0]["services"]), *copy.deepcopy(SHARING)]
    for _ in range(5):
        places = [(node, key) for node in nodes(cast(Json, changing)) if isinstance(node, dict) for key in node]
        node, key = data.draw(st.sampled_from(places), label="place")
        before = node[key]
        node[key] = data.draw(ODD | st.just(before), label="value")
        encoded = json.dumps(changing).encode()
        try:
            afresh = snapshot(encoded, "file:x")
        except SourceError as err:
            with pytest.raises(SourceError, match=re.escape(str(err))):
                reader.snapshot(encoded, "file:x")
        else:
            assert reader.snapshot(encoded, "file:x") == afresh
        if data.draw(st.booleans(), label="mended"):
            node[key] = before


def test_a_service_whose_text_did_not_change_is_the_same_object() -> None:
    reader, changing = Reader(), copy.deepcopy(WORLD)
    before = reader.snapshot(encode(changing), "file:x")
    (first, *_) = cast(list[Object], changing[1]["services"])
    first["state"] = "upgrading"
    changing.reverse()
    after = reader.snapshot(encode(changing), "file:x")
    moved = [one.title for one, other in zip(before.services, after.services, strict=True) if one is not other]
    assert moved == [f"{first['stack_name']}/{first['name']}"]


def test_who_lends_a_network_to_a_service_that_did_not_change_may_change_its_address() -> None:
    lender = service(container(), name="lender", uuid="se-2")
    borrower = service(container(uuid="co-2", primary_ip=None, network_from_container_uuid="co-1"))
    reader = Reader()
    for address in ("10.42.0.1", "10.42.0.1", "10.42.0.9"):
        cast(list[Object], lender["containers"])[0]["primary_ip"] = address
        seen = reader.snapshot(encode([stack(borrower, lender)]), "file:x")
        assert [one.containers[0].address for one in seen.services] == [address, address]


def test_a_service_that_does_not_change_keeps_no_document_of_the_past() -> None:
    """Over weeks each service changes at another time: were its document kept with it, there would be one for each."""
    reader, changing = Reader(), stacks(30, 1)
    reader.snapshot(encode(changing), "file:x")
    tracemalloc.start()
    try:
        for stack in changing:
            for one in cast(list[Object], stack["services"]):
                one["state"] = "upgrading"
                reader.snapshot(encode(changing), "file:x")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 5 * len(encode(changing))
