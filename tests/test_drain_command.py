"""`bridge drain` and `undrain`: one record, by a comparison, and nothing else; what others say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from bridge.cli.draining import Draining, What
from bridge.cli.schemas import schema
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Committed, Conflict, Transaction
from bridge.model.drain import Scope
from bridge.model.keys import Publisher
from bridge.model.problem import BridgeError
from bridge.ownership.records import drain_path
from bridge.stores.base import Store, Unavailable
from tests.commands import Bridge, Ran, silent
from tests.grounds import LASTING, Ground, standing
from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ConsulServer, EtcdServer
from tests.test_schemas import check
from tests.worlds.generate import encode, stacks

_prefixes = count(1)
bridge = pytest.fixture(silent)
HOST = What(Scope.HOST, "one")


# One record, on every store


def publisher(ground: Ground) -> Publisher:
    return Publisher(TRAEFIK1, f"{ground.prefix}tree/", f"{ground.prefix}records/", "a")


@pytest.fixture
def store(ground: Ground) -> Iterator[Store]:
    with closing(ground.client()) as client:
        yield client


def test_a_record_is_written_once_on_no_lease_and_deleted_once(ground: Ground, store: Store) -> None:
    here = Draining(store, publisher(ground))
    store.ensure(LASTING)
    assert here.drain(HOST)
    (first,) = standing(store, ground.prefix).items()
    assert first[0] == "records/c/a/drain/host--one"
    assert first[1].lease is None
    assert not here.drain(HOST)
    assert dict([first]) == standing(store, ground.prefix)
    ground.end(LASTING)
    here.look()
    assert [one.title for one in here.found.drains] == ["host one"]
    assert here.undrain(HOST)
    assert not here.undrain(HOST)
    assert standing(store, ground.prefix) == {}


def test_what_a_newer_bridge_wrote_is_left_alone_and_told(ground: Ground, store: Store) -> None:
    here = Draining(store, publisher(ground))
    key = publisher(ground).records + drain_path("a", Scope.HOST, "one")
    ground.write(key, '{"format":2}')
    before = standing(store, ground.prefix)
    for change in (here.drain, here.undrain):
        with pytest.raises(BridgeError, match="upgrade it, or delete the key"):
            change(HOST)
    here.look()
    assert here.found.unreadable == (key,)
    assert standing(store, ground.prefix) == before


class Raced:
    """A store in which somebody else is always quicker."""

    def __init__(self, real: Store) -> None:
        self.real, self.url, self.tries = real, real.url, 0

    def read(self, prefix: str) -> object:
        return self.real.read(prefix)

    def commit(self, _: Transaction) -> Committed | Conflict:
        self.tries += 1
        return Conflict()


def test_who_loses_each_race_gives_up_and_says_so(ground: Ground, store: Store) -> None:
    raced = Raced(store)
    with pytest.raises(Unavailable, match="try again"):
        Draining(raced, publisher(ground)).drain(HOST)  # type: ignore[arg-type]  # as far as it is used
    assert raced.tries == 3


# The commands


@pytest.fixture(params=["etcd", "consul"])
def publication(request: pytest.FixtureRequest) -> Iterator[Publishing]:
    server = request.getfixturevalue(f"{request.param}_server")
    prefix = f"drain{next(_prefixes)}"
    made: Publishing
    if isinstance(server, EtcdServer):
        made = Publication(server, prefix)
    else:
        assert isinstance(server, ConsulServer)
        made = ConsulPublication(server, prefix)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> tuple[str, ...]:
    """Two services with two containers each."""
    path = tmp_path / "world.json"
    path.write_bytes(encode(stacks(2, 2)))
    return ("--source", f"file:{path}")


def listed(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def said(ran: Ran, code: int = 0) -> Ran:
    assert ran.code == code, ran
    return ran


def test_each_thing_has_its_record_and_the_list_names_them(bridge: Bridge, publication: Publishing) -> None:
    at = ("--store", publication.url, "--cluster", "a")
    for what in (("--host", "One"), ("--service", "Shop/Web"), ("--container", "web_1"), ()):
        ran = said(bridge("drain", *what, *at))
        assert ran.out.startswith(f"drained: {publication.records}c/a/drain/")
        assert "nobody publishes as cluster a here now" in ran.err
    assert sorted(publication.recorded()) == [
        "c/a/drain/cluster",
        "c/a/drain/container--web_1",
        "c/a/drain/host--one",
        "c/a/drain/service--shop--web",
    ]
    listed = said(bridge("drain", "--list", *at, "--output", "json")).json
    check("drain", listed)
    drains = listed["drains"]
    assert isinstance(drains, list)
    assert [(one["scope"], one["name"]) for one in drains] == [
        ("cluster", ""),
        ("container", "web_1"),
        ("host", "one"),
        ("service", "shop/web"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["when"]) for one in drains)
    text = said(bridge("drain", "--list", *at)).out
    assert text.splitlines()[:2] == ["Drained in cluster a:", f"  the whole cluster  since {drains[0]['when']}"]
    before = publication.recorded()
    assert said(bridge("drain", "--host", "one", *at)).out.startswith("drained already: ")
    assert publication.recorded() == before
    assert said(bridge("undrain", "--host", "ONE", *at)).out.startswith("drained no more: ")
    assert said(bridge("undrain", "--host", "one", *at)).out.startswith("not drained: ")
    assert publication.recorded().keys() == before.keys() - {"c/a/drain/host--one"}
    nothing = said(bridge("drain", "--list", "--store", publication.url, *B))
    assert "Nothing is drained in cluster b" in nothing.out
    assert nothing.err == "notice: nobody publishes as cluster b here now\n", "there is nothing to obey"
    shown = said(bridge("show", "--store", publication.url, "--output", "json")).json
    check("show", shown)
    assert shown["drains"] == {"a": [one for one in drains if one["scope"] != "host"]}
    assert "drained in cluster a:\n  the whole cluster" in said(bridge("show", "--store", publication.url)).out


B = ("--cluster", "b")


def test_records_fit_their_schema(bridge: Bridge, publication: Publishing) -> None:
    said(bridge("drain", "--container", 'a"b/ü', "--store", publication.url))
    check("records", {path: json.loads(text) for path, text in publication.recorded().items()})
    assert "drain" in str(schema("records"))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (("--host", "a", "--service", "b/c"), "--service: is one too many beside --host"),
        (("--service", "web"), "--service 'web': use STACK/SERVICE"),
        (("--container", " "), "--container ' ': name a container"),
        (("--host", "x" * 200), "longer than 200 bytes"),
        (("--list", "--host", "a"), "--list: drains nothing; leave it out, or --host"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_what_cannot_be_meant_is_refused_and_writes_nothing(
    bridge: Bridge, publication: Publishing, wrong: tuple[str, ...], why: str
) -> None:
    ran = said(bridge("drain", *wrong, "--store", publication.url), 2)
    assert why in ran.err
    assert publication.everything() == {}


@pytest.mark.parametrize("name", ["host", "service", "container"])
@pytest.mark.parametrize("command", ["drain", "undrain"])
def test_a_variable_that_was_left_empty_does_not_mean_the_whole_cluster(
    bridge: Bridge, publication: Publishing, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    publication.write("beside", "it")
    before = publication.everything()
    monkeypatch.setenv(f"BRIDGE_{name.upper()}", "")
    ran = said(bridge(command, "--store", publication.url), 2)
    assert f"BRIDGE_{name.upper()}" in ran.err
    assert publication.everything() == before


def test_both_layouts_are_drained_each_by_a_record_of_its_own(bridge: Bridge, publication: Publishing) -> None:
    both = ("--store", publication.url, "--layout", f"traefik1,traefik3=v3/{publication.prefix}")
    found = json.loads(said(bridge("drain", "--service", "shop/web", *both, "--output", "json")).out)
    check("drain", found)
    assert [(one["layout"], one["record"].split("/")[1]) for one in found] == [
        ("traefik1", publication.prefix),
        ("traefik3", f"v3.2f{publication.prefix}"),
    ]
    assert "c/default/drain/service--shop--web" in publication.recorded()
    again = json.loads(said(bridge("undrain", "--service", "shop/web", *both, "--output", "json")).out)
    assert [(one["outcome"], one["drains"]) for one in again] == [("drained no more", [])] * 2


# Who obeys


def test_sync_and_plan_obey_without_a_second_reading_and_explain_names_the_record(
    bridge: Bridge, publication: Publishing, source: tuple[str, ...]
) -> None:
    at = ("--store", publication.url)
    said(bridge("sync", *source, *at, "--read-time", "0"))
    before = publication.published()
    said(bridge("drain", "--service", "stack-0/web-0", *at))
    planned = said(bridge("plan", *source, *at, "--exit-code", "--output", "json"), 4).json
    assert (planned["removed_servers"], planned["held"]) == (0, False)
    said(bridge("sync", *source, *at, "--read-time", "0", "--brake", "0"))
    gone = before.keys() - publication.published().keys()
    assert gone
    assert all(path.startswith("backends/web-0__stack-0/servers/") for path in gone)
    ran = said(bridge("explain", "stack-0/web-0", *source, *at))
    key = f"{publication.records}c/default/drain/service--stack-0--web-0"
    assert ran.out.count(f"it is drained, by {key}") == 2
    assert "published, without a server of this cluster: other clusters answer, else it is 503" in ran.out
    assert "drained" not in said(bridge("explain", "stack-0/web-1", *source, *at)).out
    assert "drained" not in said(bridge("check", *source)).out
    said(bridge("undrain", "--service", "stack-0/web-0", *at))
    said(bridge("sync", *source, *at, "--read-time", "0"))
    assert publication.published() == before


def test_a_service_that_nothing_is_published_of_is_told_at_once(
    bridge: Bridge, publication: Publishing, source: tuple[str, ...]
) -> None:
    at = ("--store", publication.url)
    said(bridge("sync", *source, *at))
    assert said(bridge("drain", "--service", "Stack-0/web-0", *at)).err == ""
    near = said(bridge("drain", "--service", "stack-0/wep-0", *at))
    assert near.err == "notice: nothing is published as stack-0/wep-0 here now; was stack-0/web-0 meant?\n"
    far = said(bridge("drain", "--service", "x/y", *at))
    assert far.err == (
        "notice: nothing is published as x/y here now, unless its labels of Traefik 2 and 3 named it otherwise\n"
    )
    assert "c/default/drain/service--x--y" in publication.recorded(), "it may come"


@pytest.mark.parametrize(
    ("what", "kept"),
    [
        ((), {"web-0", "web-1"}),
        (("--service", "stack-0/web-0"), {"web-0"}),
        (("--host", "10.9.9.1"), {"web-1"}),
        (("--container", "lost"), {"web-0"}),
        (("--container", "other"), set()),
    ],
)
def test_servers_that_no_drain_reaches_are_told_by_drain_and_explain(
    bridge: Bridge, publication: Publishing, source: tuple[str, ...], what: tuple[str, ...], kept: set[str]
) -> None:
    at = ("--store", publication.url)
    said(bridge("sync", *source, *at, "--read-time", "0"))
    base = "backends/{}__stack-0/servers/{}/url"
    by_hand = {"web-0": base.format("web-0", "default--lost"), "web-1": base.format("web-1", "mine")}
    publication.write(by_hand["web-0"], "http://10.9.9.9:80")
    publication.write(by_hand["web-1"], "http://10.9.9.1:80")
    publication.write(base.format("web-1", "munich--c1"), "http://10.9.9.1:80")
    told = said(bridge("drain", *what, *at)).err
    assert {
        name for name, path in by_hand.items() if f"notice: {publication.tree}{path}: it was written" in told
    } == kept
    assert "munich" not in told
    for name, path in by_hand.items():
        ran = said(bridge("explain", f"stack-0/{name}", *source, *at))
        assert (f"{publication.tree}{path}" in ran.out and "bridge adopt takes it over" in ran.out) is (name in kept)
    assert "by hand" not in said(bridge("undrain", *what, *at)).err


@pytest.mark.parametrize("address", ["10.9.9.1:53", "[::1]:53"])
def test_servers_of_tcp_and_udp_that_no_drain_reaches_are_told_too(
    bridge: Bridge, publication: Publishing, address: str
) -> None:
    key = f"{publication.prefix}/udp/services/dns/loadBalancer/servers/default--lost/address"
    publication.hand.put(key, address)
    at = ("--store", publication.url, "--layout", "traefik3")
    host = address.rpartition(":")[0].strip("[]")
    assert "by hand" not in said(bridge("drain", "--host", "10.9.9.2", *at)).err
    assert f"notice: {key}: it was written by hand" in said(bridge("drain", "--host", host, *at)).err


@pytest.mark.parametrize("drained", [0, 1])
def test_explain_knows_the_records_of_each_layout_and_takes_each_for_its_own_keys(
    bridge: Bridge, publication: Publishing, source: tuple[str, ...], drained: int
) -> None:
    layouts = "traefik1", f"traefik3=v3/{publication.prefix}"
    at = ("--store", publication.url)
    said(bridge("drain", "--service", "stack-0/web-0", *at, "--layout", layouts[drained]))
    ran = said(bridge("explain", "stack-0/web-0", *source, *at, "--layout", ",".join(layouts), "--output", "json"))
    (found,) = ran.rows("services")
    records = publication.records, f"bridge/v3.2f{publication.prefix}/"
    why = f"it is drained, by {records[drained]}c/default/drain/service--stack-0--web-0"
    assert [one["why"] for one in listed(found["containers"])] == [why, why]
    urls = [str(one["key"]) for one in listed(found["keys"]) if str(one["key"]).endswith("/url")]
    assert len(urls) == 2
    assert all(("v3/" in url) is (drained == 0) for url in urls)


def test_what_is_unknown_is_kept_with_a_notice_and_what_cannot_be_read_is_a_problem(
    bridge: Bridge, publication: Publishing, source: tuple[str, ...]
) -> None:
    at = ("--store", publication.url)
    said(bridge("drain", "--host", "nowhere", *at))
    odd = f"{publication.records}c/default/drain/host--one"
    publication.hand.put(odd, '{"format":2}')
    ran = said(bridge("sync", *source, *at))
    nowhere = f"{publication.records}c/default/drain/host--nowhere"
    assert f"notice: {nowhere}: it drains host nowhere, and there is none now; kept the record" in ran.err
    assert f"problem: {odd}: this bridge cannot read what this record drains" in ran.err
    assert {"c/default/drain/host--nowhere", "c/default/drain/host--one"} <= publication.recorded().keys()
    assert sum(path.endswith("/url") for path in publication.published()) == 4
    assert f"problem: {odd}" in said(bridge("drain", "--list", *at)).err
    assert f"record {odd} cannot be read" in said(bridge("show", *at)).out


def test_a_cluster_that_leaves_and_comes_back_is_drained_as_before(
    bridge: Bridge, publication: Publishing, source: tuple[str, ...]
) -> None:
    at = ("--store", publication.url, "--read-time", "0")
    said(bridge("sync", *source, *at))
    said(bridge("drain", "--store", publication.url))
    said(bridge("leave", *at))
    assert publication.recorded().keys() == {"c/default/drain/cluster"}
    said(bridge("sync", *source, *at))
    assert not any("/servers/" in path for path in publication.published())
    assert "frontends/web-0__stack-0/backend" in publication.published()


def test_a_factor_scales_what_is_published(bridge: Bridge, publication: Publishing, source: tuple[str, ...]) -> None:
    def weights(*more: str) -> set[str]:
        said(bridge("sync", *source, "--store", publication.url, "--read-time", "0", *more))
        return {text for path, text in publication.published().items() if path.endswith("/weight")}

    (plain,) = weights()
    assert weights("--weight-factor", "3") == {str(3 * int(plain))}
    assert weights("--weight-factor", "0") == set()
    assert not any("/servers/" in path for path in publication.published())
    ran = said(bridge("explain", "stack-0/web-0", *source, "--weight-factor", "0.5"))
    assert re.search(r"weight factor +0\.5 +--weight-factor", ran.out)
    for wrong in ("-1", "1001", "half", "1e3", "\u0661"):
        assert "use a number from 0 to 1000" in said(bridge("render", *source, "--weight-factor", wrong), 2).err
