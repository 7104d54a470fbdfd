"""Source `metadata`: Rancher's metadata service, in all its moods."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest
from urllib3.util import connection

from bridge.model.problem import UsageError
from bridge.model.world import Snapshot
from bridge.sources import metadata, open_source
from bridge.sources.base import Source, SourceError
from bridge.sources.document import snapshot
from tests.metadata_server import Fault, MetadataServer
from tests.servers import Certificates
from tests.worlds.generate import Json, Object, encode, stacks

WORLD = stacks(12, 2, 1)
SMALLER = stacks(5, 2, 2)
WITHIN = 2.0  # seconds in which `close` ends what is under way
SOON = 10.0  # seconds; what happens at once, on a machine that runs other things too


@pytest.fixture
def server() -> Iterator[MetadataServer]:
    with MetadataServer([*WORLD]) as running:
        yield running


@pytest.fixture
def source(server: MetadataServer) -> Iterator[Source]:
    with closing(open_source(server.url)) as opened:
        yield opened


def truth(world: list[Object]) -> Snapshot:
    """What a file of the same world says."""
    return snapshot(encode(world), "file:x")


def stack(*services: Json, **fields: Json) -> Object:
    return {"name": "shop", "uuid": "st-1", "environment_uuid": "env-1", "services": list(services), **fields}


def service(index: Json = 1, name: str = "web", **fields: Json) -> Object:
    container: Object = {"uuid": f"co-{name}", "name": f"shop-{name}-1", "state": "running", "host_uuid": "h-1"}
    return {"name": name, "uuid": "se-1", "create_index": index, "containers": [container], "labels": {}, **fields}


class Following:
    """Another thread that takes what `changes` yields, as the daemon does."""

    def __init__(self, source: Source) -> None:
        self.came: Queue[Snapshot | SourceError | None] = Queue()
        self._source = source
        self.thread = Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self) -> None:
        try:
            for seen in self._source.changes():
                self.came.put(seen)
        except SourceError as err:
            self.came.put(err)
        else:
            self.came.put(None)

    def next(self) -> Snapshot | SourceError | None:
        return self.came.get(timeout=SOON)

    def other_than(self, known: Snapshot) -> Snapshot | SourceError | None:
        """What comes next that differs."""
        while (seen := self.next()) == known:
            pass
        return seen


# One reading


def test_the_live_world_is_the_one_that_a_saved_answer_describes(source: Source) -> None:
    assert source.read() == truth(WORLD)


def test_the_world_is_the_same_whatever_the_host_and_the_order_of_its_lists(
    server: MetadataServer, source: Source
) -> None:
    with MetadataServer([*WORLD]) as other, closing(open_source(other.url)) as beside:
        other.reload()
        assert server.version != other.version
        assert beside.read() == source.read()


def test_a_reading_is_one_request_to_the_version_of_the_interface_that_is_meant(
    server: MetadataServer, source: Source
) -> None:
    source.read()
    assert server.asked == ["/2016-07-29/stacks"]


def test_no_proxy_and_no_login_of_the_environment_comes_in_between(
    server: MetadataServer, source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert source.read().services
    assert "Authorization" not in server.headers


BROKEN = sorted(set(Fault) - {Fault.DRIP, Fault.DRIP_UNTIL_CLOSED, Fault.DRIP_HEADERS, Fault.SILENT}, key=str)
ENDLESS = [Fault.DRIP, Fault.DRIP_UNTIL_CLOSED, Fault.DRIP_HEADERS, Fault.SILENT]


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("small", [True, False])
def test_what_is_no_whole_answer_is_an_error_and_the_next_whole_one_counts(
    server: MetadataServer, source: Source, fault: Fault, small: bool
) -> None:
    world = [stack(service())] if small else WORLD
    server.show([*world])
    server.fault = fault
    with pytest.raises(SourceError, match="what was published stays") as caught:
        source.read()
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert caught.value.value == f"{server.url}/2016-07-29/stacks"
    server.fault = None
    assert source.read() == truth(world)


@pytest.mark.parametrize("fault", ENDLESS)
def test_an_answer_that_never_ends_is_an_error_when_its_time_is_over(
    server: MetadataServer, source: Source, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "TOTAL", 0.3)
    server.fault = fault
    began = time.monotonic()
    with pytest.raises(SourceError, match="not finished within"):
        source.read()
    assert time.monotonic() - began < WITHIN
    server.fault = None
    assert source.read() == truth(WORLD)


def test_a_silent_service_is_an_error_after_the_longest_gap(
    server: MetadataServer, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "READ", 0.2)
    server.fault = Fault.SILENT
    with pytest.raises(SourceError, match="did not answer within"):
        source.read()


def test_a_service_that_is_not_there_is_an_error(server: MetadataServer) -> None:
    with MetadataServer([*WORLD]) as gone:
        url = gone.url
    with closing(open_source(url)) as source, pytest.raises(SourceError, match="cannot be reached"):
        source.read()
    assert server.asked == []


def test_no_redirection_is_followed(server: MetadataServer, source: Source) -> None:
    server.fault = Fault.MOVED
    with pytest.raises(SourceError, match="answered 301"):
        source.read()
    assert len(server.asked) == 1


def test_an_answer_without_end_is_not_kept(
    server: MetadataServer, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "LARGEST", len(encode(WORLD)) - 1)
    with pytest.raises(SourceError, match="is larger than"):
        source.read()
    server.show([*SMALLER])
    assert source.read() == truth(SMALLER)


HALF: list[list[Json]] = [
    [stack(service(), None)],
    [stack(service(), 7)],
    [stack(service()), None],
    [stack(service()), stack(name="b", uuid="st-2", services=5)],
    [stack(service(), service(name="api", containers=[None]))],
    [stack(service(), service(name="api", containers=[{"state": "running"}]))],
    [stack(service(), service(name="api", containers="many"))],
    [stack(service(), {**service(), "name": None})],
]


@pytest.mark.parametrize("world", HALF, ids=range(len(HALF)))
def test_a_document_with_holes_in_its_lists_is_an_error(
    server: MetadataServer, source: Source, world: list[Json]
) -> None:
    """In a saved one a hole costs what is in it. From a live service it is half an answer: nothing may go by it."""
    server.show(world)
    with pytest.raises(SourceError, match="is only half there"):
        source.read()


@pytest.mark.parametrize("services", [None, [service(containers=None)]])
def test_a_document_without_any_container_is_an_error(
    server: MetadataServer, source: Source, services: list[Json] | None
) -> None:
    """The service that answers is a container itself."""
    server.show([{**stack(), "services": services}])
    with pytest.raises(SourceError, match="holds no container"):
        source.read()


def test_odd_labels_cost_no_other_service_the_live_world(server: MetadataServer, source: Source) -> None:
    """Owners write them: one of them must not be able to stop the bridge."""
    odd = service(labels={"traefik.port": 8080, "traefik.alias": ["a"], "traefik.x": None}, hostname=["a"])
    server.show([stack(odd, service(name="api"))])
    seen = source.read()
    assert [one.name for one in seen.services] == ["api", "web"]
    assert len(seen.problems) == 4


# Older documents


def test_a_document_in_which_a_service_goes_back_is_older_and_refused(server: MetadataServer, source: Source) -> None:
    """After a reboot a service serves what it saved before, with 200 and for as long as it likes."""
    new, old = [stack(service(5), service(2, "api"))], [stack(service(4), service(2, "api"))]
    server.show([*new])
    source.read()
    server.show([*old])
    for _ in range(2):
        with pytest.raises(SourceError, match="older document: create_index of service web went from 5 back to 4"):
            source.read()
    server.show([*new])
    assert source.read() == truth(new)


def test_a_service_that_was_away_is_remembered(server: MetadataServer, source: Source) -> None:
    api = service(2, "api")
    for services in ([service(5), api], [api]):
        server.show([stack(*services)])
        source.read()
    server.show([stack(service(4), api)])
    with pytest.raises(SourceError, match="older document"):
        source.read()


def test_nothing_is_learnt_from_a_document_that_is_refused(server: MetadataServer, source: Source) -> None:
    server.show([stack(service(5), service(2, "api"))])
    source.read()
    server.show([stack(service(4), service(9, "api"))])
    with pytest.raises(SourceError):
        source.read()
    server.show([stack(service(5), service(3, "api"))])
    assert source.read().services


@pytest.mark.parametrize("untold", [None, 0])
def test_a_service_that_tells_no_index_is_never_older(server: MetadataServer, source: Source, untold: Json) -> None:
    for index in (5, untold, 5):
        server.show([stack(service(index))])
        source.read()


def test_a_sidekick_has_an_index_of_its_own(server: MetadataServer, source: Source) -> None:
    """It has its primary's uuid."""
    for _ in range(2):
        server.show([stack(service(5), service(2, "data", primary_service_name="web"))])
        assert len(source.read().services) == 2


def test_two_services_that_bear_one_identity_are_no_older_document(server: MetadataServer, source: Source) -> None:
    for twins in ([], [stack(service(4), uuid="st-2")], [stack(service(4), uuid="st-2")]):
        server.show([stack(service(5)), *twins])
        assert len(source.read().services) == 1 + len(twins)


# Hosts


def test_the_addresses_of_hosts_are_read_only_where_somebody_needs_them(server: MetadataServer, source: Source) -> None:
    assert source.read().hosts == {}
    assert server.times_asked("/hosts") == 0
    with closing(open_source(server.url, hosts=True)) as asking:
        hosts = asking.read().hosts
    assert hosts["00000000-0000-4000-8000-000000000000"] == "192.0.2.1"
    assert len(hosts) == 16


def test_a_service_or_a_container_asks_for_the_hosts_by_its_label(server: MetadataServer, source: Source) -> None:
    label: Object = {"traefik.address": "host"}
    container: Object = {"uuid": "co-1", "state": "running", "host_uuid": "h-1", "labels": label}
    for asking in (service(labels=label), service(containers=[container])):
        server.show([stack(asking)])
        assert source.read().hosts == {"h-1": "192.0.2.1"}
    server.show([stack(service())])
    source.read()
    assert source.read().hosts == {}


def test_hosts_and_world_are_of_one_version(server: MetadataServer) -> None:
    new = [stack(service(containers=[{"uuid": "co-2", "state": "running", "host_uuid": "h-2"}]))]
    server.show([stack(service())])
    server.after_stacks = lambda: server.show([*new])
    with closing(open_source(server.url, hosts=True)) as source:
        seen = source.read()
    assert [one.host_uuid for found in seen.services for one in found.containers] == [*seen.hosts] == ["h-2"]


def test_a_world_that_never_stands_still_is_an_error(server: MetadataServer) -> None:
    def change() -> None:
        server.reload()
        server.after_stacks = change

    server.after_stacks = change
    with closing(open_source(server.url, hosts=True)) as source, pytest.raises(SourceError, match="changed 3 times"):
        source.read()


@pytest.mark.parametrize(
    ("hosts", "says"),
    [([], "holds no host"), ([None], "holds no host"), ([None, {"uuid": "h-1"}], "is only half there")],
)
def test_hosts_that_are_not_all_there_are_an_error_where_they_are_needed(
    server: MetadataServer, source: Source, hosts: list[Json], says: str
) -> None:
    server.show([*WORLD], hosts)
    with closing(open_source(server.url, hosts=True)) as asking, pytest.raises(SourceError, match=says) as caught:
        asking.read()
    assert caught.value.value.endswith("/2016-07-29/hosts")
    assert source.read() == truth(WORLD)


def test_an_odd_host_costs_its_own_address_only(server: MetadataServer) -> None:
    server.show([*WORLD], [{"uuid": "h-1", "agent_ip": ["192.0.2.1"]}, {"uuid": "h-2", "agent_ip": "192.0.2.2"}])
    with closing(open_source(server.url, hosts=True)) as source:
        seen = source.read()
    assert seen.hosts == {"h-2": "192.0.2.2"}
    assert [(one.label, one.reason) for one in seen.problems] == [("agent_ip of host h-1", "is a list, not text")]


# Following


def test_the_world_comes_at_once_and_then_each_change_when_it_happens(server: MetadataServer, source: Source) -> None:
    following = Following(source)
    assert following.next() == truth(WORLD)
    for world in (SMALLER, WORLD):
        server.wait_until_polled()
        server.show([*world])
        assert following.other_than(truth(SMALLER if world is WORLD else WORLD)) == truth(world)


def test_a_change_between_the_reading_and_the_poll_is_not_lost(server: MetadataServer, source: Source) -> None:
    """The poll asks with the version from before the reading, so it ends at once."""
    server.after_stacks = lambda: server.show([*SMALLER])
    following = Following(source)
    assert following.next() == truth(WORLD)
    assert following.other_than(truth(WORLD)) == truth(SMALLER)
    assert following.came.empty() or following.next() == truth(SMALLER)


def test_a_reload_that_changes_nothing_brings_the_same_world(server: MetadataServer, source: Source) -> None:
    following = Following(source)
    first = following.next()
    server.wait_until_polled()
    server.reload()
    server.wait_until_asked("/stacks", 2)
    assert following.next() is first


def test_a_quiet_world_is_told_to_be_alive_and_not_read_again(
    server: MetadataServer, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "LONGEST_GAP", 0.1)
    following = Following(source)
    first = following.next()
    assert following.next() is first
    assert following.next() is first
    assert server.times_asked("/stacks") == 1


def test_a_quiet_world_is_read_again_now_and_then(
    server: MetadataServer, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "REREAD", 0.1)
    monkeypatch.setattr(metadata, "LONGEST_GAP", 0.1)
    Following(source)
    server.wait_until_asked("/stacks", 2)


@pytest.mark.parametrize("moves", [False, True])
def test_a_service_that_does_not_wait_is_not_hammered(
    server: MetadataServer, source: Source, moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "LONGEST_GAP", 0.2)
    server.waits = False
    following = Following(source)
    following.next()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        if moves:
            server.reload()
        following.next()
    assert server.times_asked("/version") + server.times_asked("/stacks") < 20


def test_two_views_in_turn_are_both_told(server: MetadataServer, source: Source) -> None:
    """Who is right nobody knows: the brake and the second reading are there for that."""
    server.alternate([[*WORLD], [*SMALLER]])
    following = Following(source)
    seen = [following.next()]
    for _ in range(2):
        server.wait_until_polled()
        server.reload()
        seen.append(following.other_than(seen[-1]))  # type: ignore[arg-type]  # an error would differ from all worlds
    assert seen == [truth(WORLD), truth(SMALLER), truth(WORLD)]


@pytest.mark.parametrize("path", ["/stacks", "/version"])
@pytest.mark.parametrize("fault", BROKEN)
def test_a_failure_ends_the_following_and_it_begins_anew(
    server: MetadataServer, source: Source, fault: Fault, path: str
) -> None:
    following = Following(source)
    first = following.next()
    server.wait_until_polled()
    server.fault, server.faulty = fault, f"/2016-07-29{path}"
    server.reload()
    while (seen := following.next()) is first:
        pass
    assert isinstance(seen, SourceError)
    server.fault = None
    assert Following(source).next() == first


def test_an_older_document_is_refused_also_when_it_is_asked_anew(server: MetadataServer, source: Source) -> None:
    server.show([stack(service(5))])
    following = Following(source)
    following.next()
    server.wait_until_polled()
    server.show([stack(service(4))])
    while isinstance(seen := following.next(), Snapshot):
        assert seen.services[0].create_index == 5
    assert "older document" in str(seen)
    assert "older document" in str(Following(source).next())


# The end


def ends(following: Following, source: Source) -> None:
    began = time.monotonic()
    source.close()
    while isinstance(following.next(), Snapshot):
        pass
    following.thread.join(SOON)
    assert not following.thread.is_alive()
    assert following.came.empty()
    assert time.monotonic() - began < WITHIN


def test_closing_ends_a_poll_at_once() -> None:
    with MetadataServer([*WORLD], second=10) as server, closing(open_source(server.url)) as source:
        following = Following(source)
        following.next()
        server.wait_until_polled()
        ends(following, source)


@pytest.mark.parametrize("fault", ENDLESS)
def test_closing_ends_an_answer_that_never_does(server: MetadataServer, source: Source, fault: Fault) -> None:
    server.fault, server.faulty = fault, "/2016-07-29/stacks"
    following = Following(source)
    server.wait_until_asked("/stacks", 1)
    ends(following, source)


def test_closing_while_the_connection_is_made_ends_what_would_be_asked_on_it(
    server: MetadataServer, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = connection.create_connection

    def closing_meanwhile(*arguments: object, **more: object) -> object:
        made = connect(*arguments, **more)  # type: ignore[arg-type]  # handed on as they came
        source.close()
        return made

    monkeypatch.setattr(connection, "create_connection", closing_meanwhile)
    server.fault = Fault.SILENT
    began = time.monotonic()
    with pytest.raises(SourceError, match="is closed"):
        source.read()
    assert time.monotonic() - began < WITHIN


def test_closing_while_nobody_waits_ends_the_next_step(source: Source) -> None:
    changes = source.changes()
    next(changes)
    source.close()
    source.close()
    assert list(changes) == []
    assert list(source.changes()) == []
    with pytest.raises(SourceError, match="is closed"):
        source.read()


# URLs


def test_a_certificate_of_no_known_authority_is_an_error(certificates: Certificates) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server_cert, certificates.server_key)
    with (
        MetadataServer([*WORLD], tls=context) as server,
        closing(open_source(server.url)) as source,
        pytest.raises(SourceError, match="certificate that cannot be trusted"),
    ):
        source.read()


def test_tls_is_spoken_and_ended_like_plain_text(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", certificates.ca)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server_cert, certificates.server_key)
    with MetadataServer([*WORLD], second=10, tls=context) as server, closing(open_source(server.url)) as source:
        following = Following(source)
        assert following.next() == truth(WORLD)
        server.wait_until_polled()
        ends(following, source)


@pytest.mark.parametrize("url", ["http://rancher-metadata", "http://rancher-metadata/", "https://[::1]:8080"])
def test_a_server_is_named_by_scheme_host_and_port(url: str) -> None:
    with closing(open_source(url)) as source:
        assert source.url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http:",
        "http://",
        "http:///stacks",
        "http:rancher-metadata",
        "http://h:0",
        "http://h:port",
        "http://h:99999",
        "http://[::1",
        "http://h/2016-07-29",
        "http://h/?a=b",
        "http://h#a",
        "http://a b",
        "http://h\n",
        "http://h\udc80",
    ],
)
def test_a_url_that_names_no_server_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="use http://HOST or http://HOST:PORT") as caught:
        open_source(url)
    assert (caught.value.exit_code, caught.value.thing) == (2, "--source")


def test_a_host_that_no_name_can_have_is_an_error_and_no_crash() -> None:
    for host in ("a" * 70, "a..b", "-", "xn--a"):
        with closing(open_source(f"http://{host}.invalid")) as source, pytest.raises(SourceError):
            source.read()


def test_a_good_world_stays_equal_to_itself_with_its_hosts(server: MetadataServer) -> None:
    with closing(open_source(server.url, hosts=True)) as source:
        first = source.read()
        server.reload()
        assert source.read() == first != replace(first, hosts={})
