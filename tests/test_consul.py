"""What only Consul has: sessions for leases, tokens, TLS, indexes that go back, and how it fails."""

from __future__ import annotations

import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from requests import adapters

from bridge.cli.policy import consul_lines, consul_rules
from bridge.cli.wiring import Site
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Check, Create, Delete, Item, LeaseName, Reading, Transaction, Update
from bridge.model.keys import lease_node
from bridge.model.problem import UsageError
from bridge.stores import consul, consulhttp, memory, open_store
from bridge.stores.access import Access, Opener
from bridge.stores.address import parse_address
from bridge.stores.base import OutcomeUnknown, Refused, Store, StoreError, Unavailable
from tests.grounds import LASTING, PATIENCE, ConsulGround, commit, create, eventually, standing
from tests.servers import MANAGEMENT, Certificates, ConsulServer, free_ports, running_consul

ROOT = "bridge/traefik"
OTHER = LeaseName("fleet", 900)
AT_ONCE = 2.0  # seconds, on a machine that runs other things too: a call that hangs fails after three


def rules(cluster: str, *, nodes: bool = True) -> str:
    """What `bridge policy consul` prints for the bridge of a cluster, with the right to register nodes or without."""
    found = consul_rules(Site(TRAEFIK1, "traefik", "consul"), cluster, separate=False)
    return "\n".join(consul_lines([rule for rule in found if nodes or rule.resource != "node"], ""))


def at(*endpoints: str, tls: bool = False) -> str:
    return f"{'consul+https' if tls else 'consul'}://{','.join(endpoints)}/traefik"


@pytest.fixture
def own_consul(tmp_path: Path) -> Iterator[ConsulServer]:
    """A Consul that the test may freeze and set back."""
    with running_consul(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def locked_consul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulServer]:
    """What is not allowed by a token is forbidden."""
    with running_consul(tmp_path_factory.mktemp("locked"), locked=True) as server:
        yield server


@pytest.fixture
def opened() -> Iterator[Callable[..., Store]]:
    """Opens stores, and closes them after the test."""
    stores: list[Store] = []

    def open_one(url: str, **options: str) -> Store:
        stores.append(open_store(url, records_root=ROOT, **options))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def short_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls wait one second, so that tests of silence do not wait for longer."""
    monkeypatch.setattr(consulhttp, "TIMEOUT", 1.0)


def watched(store: Store, prefix: str, after: int) -> tuple[list[Reading | Unavailable], Thread]:
    """What a thread hears that watches `prefix` until the watch ends or fails."""
    heard: list[Reading | Unavailable] = []

    def follow() -> None:
        try:
            heard.extend(store.watch(prefix, after))
        except Unavailable as err:
            heard.append(err)

    thread = Thread(target=follow, daemon=True)
    thread.start()
    return heard, thread


# Sessions


def test_a_lease_is_a_session_of_half_its_ttl_that_takes_its_keys_along(consul_ground: ConsulGround) -> None:
    """Consul lets it live twice its own."""
    store = consul_ground.client()
    root = consul_ground.records_root
    for name, ttl in ((LeaseName("c/a", 300), "150s"), (LeaseName("c/a", 25), "13s"), (LeaseName("c/a", 0), "")):
        store.ensure(name)
        (session,) = [one for one in consul_ground.server.sessions() if one["Name"] == f"{root}/{name}"]
        assert (session.get("TTL") or "", session["Behavior"], session["LockDelay"]) == (ttl, "delete", 0)
        assert not session.get("Checks")
        assert not session.get("NodeChecks")


def test_sessions_are_on_nodes_of_their_cluster_and_of_the_fleet(consul_ground: ConsulGround) -> None:
    """So that rights on them can be given, and no agent takes them along when it goes."""
    store, root = consul_ground.client(), consul_ground.records_root.removeprefix("bridge/")
    names = (LASTING, LeaseName("c/a/replica/r1", 20), LeaseName("fleet", 60), LeaseName("standing", 0))
    for name in names:
        store.ensure(name)
    for owner, expected in (("-a", names[:2]), ("fleet", names[2:])):
        found = {one["Name"] for one in consul_ground.server.sessions(f"bridge-{root}-{owner}")}
        assert found == {f"{consul_ground.records_root}/{name}" for name in expected}


def test_a_lease_leaves_no_key_behind(consul_ground: ConsulGround) -> None:
    store = consul_ground.client()
    store.ensure(LASTING)
    item = create(store, consul_ground.prefix + "a")
    assert commit(store, Delete(consul_ground.prefix + "a", item.revision)) is not None
    assert consul_ground.server.pairs(consul_ground.records_root) == {}


@pytest.mark.parametrize("ttl", [1, 19, 48 * 3600 + 1])
def test_a_ttl_that_no_session_can_carry_is_refused(consul_server: ConsulServer, ttl: int) -> None:
    store = open_store(at(consul_server.endpoint), records_root=ROOT)
    with pytest.raises(UsageError, match="20 to 172800 seconds, or 0 for ever") as caught:
        store.ensure(LeaseName("c/a", ttl))
    assert (caught.value.thing, caught.value.value) == ("--ttl", str(ttl))
    store.close()


@pytest.mark.parametrize("ttl", [20, 48 * 3600])
def test_the_shortest_and_the_longest_ttl_are_granted(tmp_path: Path, opened: Callable[..., Store], ttl: int) -> None:
    """By a server that allows no shorter sessions than Consul does by default."""
    with running_consul(tmp_path, shortest_session="10s") as server:
        store = opened(at(server.endpoint))
        store.ensure(LeaseName("c/a", ttl))
        assert store.remaining(LeaseName("c/a", ttl)) == ttl


def test_of_two_sessions_of_one_name_the_older_stands_for_the_lease(consul_ground: ConsulGround) -> None:
    """The younger is of a process that was killed before it could end it."""
    store, server = consul_ground.client(), consul_ground.server
    store.ensure(LASTING)
    (older,) = [one for one in server.sessions() if one["Name"] == f"{consul_ground.records_root}/{LASTING}"]
    server.ask("PUT", "session/create", {"Name": older["Name"], "Node": older["Node"], "Checks": []})
    another = consul_ground.client()
    another.ensure(LASTING)
    create(another, consul_ground.prefix + "a")
    assert server.pairs(consul_ground.prefix)[consul_ground.prefix + "a"]["Session"] == older["ID"]


def test_of_those_who_make_a_session_at_once_none_takes_another_one(consul_ground: ConsulGround) -> None:
    """And of each lease one session is left."""
    for ttl in range(100, 110):
        name = LeaseName("c/a", ttl)
        clients = [consul_ground.client() for _ in range(6)]
        threads = [Thread(target=client.ensure, args=(name,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        called = f"{consul_ground.records_root}/{name}"
        assert len([one for one in consul_ground.server.sessions() if one["Name"] == called]) == 1
        for number, client in enumerate(clients):
            create(client, f"{consul_ground.prefix}{ttl}/{number}", lease=name)


def test_a_session_of_a_node_that_was_deregistered_is_lost_and_comes_again(consul_ground: ConsulGround) -> None:
    store = consul_ground.client()
    store.ensure(LASTING)
    create(store, consul_ground.prefix + "a")
    consul_ground.server.deregister(lease_node(consul_ground.records_root, LASTING.family))
    assert standing(store, consul_ground.prefix) == {}
    assert store.renew((LASTING,)) == (LASTING,)
    store.ensure(LASTING)
    create(store, consul_ground.prefix + "a")


def test_a_strangers_session_reads_as_its_id_and_its_key_can_be_taken_over(consul_ground: ConsulGround) -> None:
    """As a record of ours must be, over which another wrote."""
    store, server, key = consul_ground.client(), consul_ground.server, consul_ground.prefix + "a"
    store.ensure(LASTING)
    session = server.ask("PUT", "session/create", {"Name": "his"})
    assert isinstance(session, dict)
    server.ask("PUT", f"kv/{key}?acquire={session['ID']}", raw=b"his")
    item = standing(store, consul_ground.prefix)["a"]
    assert item.lease == LeaseName(f"?{session['ID']}", 0)
    assert commit(store, Update(key, "ours", LASTING, item.revision, item.lease)) is not None
    server.ask("PUT", f"session/destroy/{session['ID']}")
    assert standing(store, consul_ground.prefix)["a"].lease == LASTING


def test_a_lease_that_was_granted_anew_by_another_process_is_known(consul_ground: ConsulGround) -> None:
    """So keys on it can be changed and moved."""
    store, another = consul_ground.client(), consul_ground.client()
    for name in (LASTING, OTHER):
        store.ensure(name)
    consul_ground.end(LASTING)
    another.ensure(LASTING)
    key = consul_ground.prefix + "a"
    create(another, key)
    item = standing(store, consul_ground.prefix)["a"]
    assert item.lease == LASTING
    assert commit(store, Update(key, "v", OTHER, item.revision, item.lease)) is not None


def test_a_key_that_somebody_edits_stays_on_its_session_and_is_put_back(consul_ground: ConsulGround) -> None:
    store, key = consul_ground.client(), consul_ground.prefix + "a"
    store.ensure(LASTING)
    create(store, key, "ours")
    consul_ground.write(key, "his")
    item = standing(store, consul_ground.prefix)["a"]
    assert (item.value, item.lease) == ("his", LASTING)
    assert commit(store, Update(key, "ours", LASTING, item.revision, item.lease)) is not None
    assert standing(store, consul_ground.prefix)["a"].value == "ours"


def test_a_lease_that_is_not_renewed_ends_after_twenty_seconds_at_the_real_least(
    tmp_path: Path, opened: Callable[..., Store]
) -> None:
    with running_consul(tmp_path, shortest_session="10s") as server:
        store, shortest = opened(at(server.endpoint)), LeaseName("c/a", 20)
        store.ensure(shortest)
        create(store, "traefik/a", lease=shortest)
        began = time.monotonic()
        heard, _ = watched(store, "traefik/", store.read("traefik/").revision)
        eventually(20 + PATIENCE, lambda: bool(heard))
        assert 19.5 < time.monotonic() - began < 25
        assert isinstance(heard[0], Reading)
        assert heard[0].items == {}
        assert store.remaining(shortest) is None


# Keys and indexes


def test_the_memory_store_has_the_limits_of_consul() -> None:
    assert memory.LIKE_CONSUL == consul.LIMITS


@pytest.mark.parametrize("name", ["100%", "%41", "a b", "ü€", "a+b", "a?b#c&d", "a//b", ".", "..", '"\\'])
def test_a_key_of_odd_characters_is_created_changed_moved_and_deleted(consul_ground: ConsulGround, name: str) -> None:
    store, key = consul_ground.client(), f"{consul_ground.prefix}{name}"
    for lease in (LASTING, OTHER):
        store.ensure(lease)
    item = create(store, key)
    assert standing(store, consul_ground.prefix) == {name: item}
    assert commit(store, Update(key, "w", LASTING, item.revision, LASTING)) is not None
    assert commit(store, Update(key, "w", OTHER, standing(store, consul_ground.prefix)[name].revision, LASTING))
    assert commit(store, Delete(key, standing(store, consul_ground.prefix)[name].revision)) is not None
    assert standing(store, consul_ground.prefix) == {}


@pytest.mark.parametrize("prefix", ["a/../b", "..", "./a"])
def test_a_prefix_that_stands_for_another_one_in_an_address_is_refused(prefix: str) -> None:
    """On the way to Consul `..` takes the segment before it away."""
    with pytest.raises(UsageError, match="segment") as caught:
        open_store(f"consul://h/{prefix}", records_root=ROOT)
    assert caught.value.thing == "--store"


def test_bytes_that_are_no_text_are_read_and_can_be_replaced(consul_ground: ConsulGround) -> None:
    store, key = consul_ground.client(), consul_ground.prefix + "a"
    store.ensure(LASTING)
    consul_ground.server.ask("PUT", f"kv/{key}", raw=b"\xff\x00")
    item = standing(store, consul_ground.prefix)["a"]
    assert item.value.encode("utf-8", "surrogateescape") == b"\xff\x00"
    assert commit(store, Update(key, item.value, LASTING, item.revision, None)) is not None
    assert standing(store, consul_ground.prefix)["a"].value == item.value


def test_a_revision_does_not_fall_when_consul_forgets_a_deletion(
    consul_ground: ConsulGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prefix's own index does, a quarter of an hour later: here at once. All else would be read as set back."""
    store = consul_ground.client()
    store.ensure(LASTING)
    kept = create(store, consul_ground.prefix + "kept")
    gone = create(store, consul_ground.prefix + "gone")
    assert commit(store, Delete(consul_ground.prefix + "gone", gone.revision)) is not None
    before = store.read(consul_ground.prefix).revision
    pairs = consulhttp.Agent.pairs
    monkeypatch.setattr(consulhttp.Agent, "pairs", lambda *asked: (kept.revision, pairs(*asked)[1]))
    assert before > gone.revision
    assert store.read(consul_ground.prefix).revision == before


def test_a_consul_that_is_set_back_to_a_snapshot_is_known_by_its_revision_and_breaks_the_watch(
    own_consul: ConsulServer, opened: Callable[..., Store]
) -> None:
    store, eyes = opened(at(own_consul.endpoint)), opened(at(own_consul.endpoint))
    store.ensure(LASTING)
    create(store, "traefik/old")
    then, snapshot = store.read("traefik/"), own_consul.snapshot()
    create(store, "traefik/new")
    later = store.read("traefik/").revision
    heard, thread = watched(eyes, "traefik/", later)
    time.sleep(0.2)  # it waits by now, or asks at once: both must tell
    own_consul.restore(snapshot)
    thread.join(PATIENCE)
    assert isinstance(heard[-1], Unavailable)
    assert "set back" in str(heard[-1])
    again = store.read("traefik/")
    assert again.revision < later
    assert again.items == then.items


def test_a_watch_in_which_nothing_happens_says_so(consul_ground: ConsulGround, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consul, "BEAT", 1.0)
    store = consul_ground.client()
    after = store.read(consul_ground.prefix).revision
    watch = store.watch(consul_ground.prefix, after)
    assert next(watch) == Reading(consul_ground.prefix, after, {}, whole=False)
    assert consul.BEAT * 17 / 16 < 30


def test_a_watch_is_not_woken_by_what_happens_elsewhere(consul_ground: ConsulGround) -> None:
    store = consul_ground.client()
    store.ensure(LASTING)
    before = create(store, consul_ground.prefix + "in/a")
    heard, _ = watched(consul_ground.client(), consul_ground.prefix + "in/", before.revision)
    for number in range(10):
        create(store, f"{consul_ground.prefix}out/{number}")
    created = create(store, consul_ground.prefix + "in/b")
    eventually(PATIENCE, lambda: bool(heard))
    assert isinstance(heard[0], Reading)
    assert heard[0].revision == created.revision


# Agents and silence


def dead_endpoint() -> str:
    return f"127.0.0.1:{free_ports(1)[0]}"


def test_where_nothing_listens_one_line_says_so(opened: Callable[..., Store]) -> None:
    url = at(dead_endpoint())
    with pytest.raises(Unavailable) as caught:
        opened(url).read("")
    text = str(caught.value)
    assert url in text
    assert "refused" in text
    assert "consul+https://" in text
    assert "(host=" not in text
    assert "\n" not in text


def test_a_dead_first_agent_is_passed_over_but_by_a_commit(
    consul_server: ConsulServer, opened: Callable[..., Store]
) -> None:
    store = opened(at(dead_endpoint(), consul_server.endpoint))
    store.ensure(LASTING)
    assert store.remaining(LASTING) == LASTING.ttl
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        opened(at(dead_endpoint(), consul_server.endpoint)).commit(Transaction((Check("nothing", 0),), ()))


@pytest.mark.usefixtures("short_of_time")
def test_a_watch_passes_over_agents_that_are_dead_or_frozen(
    consul_server: ConsulServer, own_consul: ConsulServer, opened: Callable[..., Store]
) -> None:
    """A daemon opens each watch afresh: where the first agent failed each, it read all again and again."""
    own_consul.freeze()
    eyes = opened(at(dead_endpoint(), own_consul.endpoint, consul_server.endpoint))
    heard, _ = watched(eyes, "passed-over/", opened(at(consul_server.endpoint)).read("passed-over/").revision)
    consul_server.put("passed-over/a", "v")
    eventually(PATIENCE, lambda: bool(heard))
    assert [set(reading.items) for reading in heard if isinstance(reading, Reading)] == [{"passed-over/a"}]


@pytest.mark.usefixtures("short_of_time")
def test_a_frozen_agent_is_unavailable_within_the_time_out(
    own_consul: ConsulServer, opened: Callable[..., Store]
) -> None:
    store = opened(at(own_consul.endpoint))
    store.ensure(LASTING)
    own_consul.freeze()
    for ask in (lambda: store.read(""), lambda: store.renew((LASTING,)), lambda: store.remaining(LASTING)):
        began = time.monotonic()
        with pytest.raises(Unavailable, match="timed out"):
            ask()
        assert time.monotonic() - began < 1.0 + 1.0
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        commit(store, Create("a", "v", LASTING))
    own_consul.thaw()
    assert store.renew((LASTING,)) == ()
    assert set(standing(store, "")) in ({"a"}, set())


def test_a_watch_and_a_read_of_a_frozen_agent_end_when_the_store_is_closed(
    own_consul: ConsulServer, opened: Callable[..., Store]
) -> None:
    store = opened(at(own_consul.endpoint))
    heard, thread = watched(store, "traefik/", store.read("traefik/").revision)
    reads: list[Unavailable] = []

    def read() -> None:
        try:
            store.read("traefik/")
        except Unavailable as err:
            reads.append(err)

    time.sleep(0.2)
    own_consul.freeze()
    reader = Thread(target=read)
    reader.start()
    time.sleep(0.2)
    began = time.monotonic()
    store.close()
    thread.join(PATIENCE)
    reader.join(PATIENCE)
    assert time.monotonic() - began < AT_ONCE
    assert heard == []
    assert len(reads) == 1


def test_an_answer_that_drips_for_ever_is_none(opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes within the time-out for silence: nothing else would let the loop go on."""
    monkeypatch.setattr(consulhttp, "LONGEST", 1.0)
    hung_up = Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: 9999\r\n\r\n[")
            while True:
                connection.sendall(b" ")
                time.sleep(0.05)
        hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=drip, args=(listening,), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no whole answer to a read within 1 s"):
            opened(at(f"127.0.0.1:{listening.getsockname()[1]}")).read("traefik/")
        assert time.monotonic() - began < 1.0 + AT_ONCE
        assert hung_up.wait(PATIENCE)


def test_a_name_server_that_hangs_holds_up_nobody_and_sends_nothing_later(
    opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for then is long past when the name is known at last."""
    monkeypatch.setattr(consulhttp, "LONGEST", 0.5)
    answers, looked_up, real = Event(), Event(), socket.getaddrinfo

    def look_up(*asked: Any, **named: Any) -> Any:
        answers.wait(PATIENCE)
        found = real(*asked, **named)
        looked_up.set()
        return found

    pretender = Pretender()
    with pretending(pretender) as endpoint:
        store = opened(at(endpoint))
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no whole answer"):
            store.ensure(LASTING)
        assert time.monotonic() - began < 0.5 + AT_ONCE
        waiting = [one for one in threading.enumerate() if one.name == "call of Consul"]
        answers.set()
        for thread in waiting:
            thread.join(PATIENCE)
        assert looked_up.is_set()
        assert pretender.asked == []
        store.read("traefik/")
        assert pretender.asked


def test_servers_without_a_leader_are_unavailable(tmp_path: Path, opened: Callable[..., Store]) -> None:
    with running_consul(tmp_path, lasting=True, servers=3) as server:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            opened(at(server.endpoint)).read("")
        assert time.monotonic() - began < consulhttp.TIMEOUT + 1


def test_a_consul_that_restarted_has_keys_and_sessions_as_before(tmp_path: Path, opened: Callable[..., Store]) -> None:
    with running_consul(tmp_path, lasting=True) as server:
        store = opened(at(server.endpoint))
        store.ensure(LASTING)
        create(store, "traefik/a")
        before = store.read("traefik/")
        server.kill()
        with pytest.raises(Unavailable):
            store.read("traefik/")
        server.start()
        assert store.read("traefik/") == before
        assert store.renew((LASTING,)) == ()
        create(store, "traefik/b")


# What answers in Consul's place


@dataclass
class Pretender:
    """An HTTP server that gives one answer to all."""

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=lambda: {"X-Consul-Index": "7"})
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # path and headers


@contextmanager
def pretending(pretender: Pretender) -> Iterator[str]:
    """Where it listens."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            pretender.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(pretender.status)
            for name, value in pretender.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(pretender.body)))
            self.end_headers()
            self.wfile.write(pretender.body)

        do_GET = do_PUT = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_token_goes_as_a_header_with_every_call_and_never_in_an_address(opened: Callable[..., Store]) -> None:
    pretender = Pretender()
    with pretending(pretender) as endpoint:
        store = opened(at(endpoint), token="s3cret-token", datacenter="dc7")
        store.read("traefik/")
        store.commit(Transaction((Check("a", 0),), ()))
        store.renew((LASTING,))
        with pytest.raises(Unavailable):
            store.ensure(LASTING)
    assert {path.split("?")[0].split("/")[2] for path, _ in pretender.asked} == {"kv", "txn", "session"}
    for path, headers in pretender.asked:
        assert headers["x-consul-token"] == "s3cret-token"
        assert "s3cret" not in path
        assert "dc=dc7" in path


def test_reads_ask_whoever_leads_not_one_who_may_not_know_yet(opened: Callable[..., Store]) -> None:
    pretender = Pretender()
    with pretending(pretender) as endpoint:
        store = opened(at(endpoint))
        store.read("traefik/")
        next(store.watch("traefik/", 7))
        store.renew((LASTING,))
    assert len(pretender.asked) == 5
    assert all("consistent=1" in path for path, _ in pretender.asked)


def test_a_token_follows_no_redirect(opened: Callable[..., Store]) -> None:
    thief = Pretender()
    with (
        pretending(thief) as theirs,
        pretending(Pretender(307, b"", {"Location": f"http://{theirs}/"})) as endpoint,
        pytest.raises(Unavailable, match="redirect"),
    ):
        opened(at(endpoint), token="s3cret").read("traefik/")
    assert thief.asked == []


def test_what_the_environment_says_to_consuls_own_tools_is_not_heard(
    opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("CONSUL_HTTP_TOKEN", "theirs"),
        ("CONSUL_HTTP_ADDR", dead_endpoint()),
        ("CONSUL_HTTP_SSL", "true"),
        ("http_proxy", f"http://{dead_endpoint()}"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("no_proxy", raising=False)
    pretender = Pretender()
    with pretending(pretender) as endpoint:
        opened(at(endpoint)).read("traefik/")
    assert pretender.asked
    assert all("x-consul-token" not in headers for _, headers in pretender.asked)


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (200, b"<html>", {"X-Consul-Index": "7"}, Unavailable),
        (200, b"[]", {}, Unavailable),
        (200, b"[]", {"X-Consul-Index": "soon"}, Unavailable),
        (200, b'{"a": "b"}', {"X-Consul-Index": "7"}, Unavailable),
        (200, b"7", {"X-Consul-Index": "7"}, Unavailable),
        (200, b'[{"Value": "abc"}]', {"X-Consul-Index": "7"}, Unavailable),
        (200, b'[{"Key": "traefik/a", "Value": "YQ=="}]', {"X-Consul-Index": "7"}, Unavailable),
        (200, b'[{"Key": "traefik/a", "Value": "YQ==", "ModifyIndex": 7}, 1]', {"X-Consul-Index": "7"}, Unavailable),
        (200, b"[" * 100_000, {"X-Consul-Index": "7"}, Unavailable),
        (429, b"slower", {}, Unavailable),
        (500, b"No cluster leader", {}, Unavailable),
        (500, b"something new", {}, Unavailable),
        (502, b"<html>", {}, Unavailable),
        (500, b"No path to datacenter", {}, Refused),
        (403, b"ACL not found", {}, Refused),
        (401, b"ACL support disabled", {}, Refused),
        (418, b"a teapot", {}, Refused),
    ],
)
def test_each_answer_that_is_an_error_is_one_of_ours_on_one_line(
    opened: Callable[..., Store], status: int, body: bytes, headers: dict[str, str], kind: type[Exception]
) -> None:
    with pretending(Pretender(status, body, headers)) as endpoint:
        with pytest.raises(kind) as caught:
            opened(at(endpoint), token="s3cret").read("traefik/")
        assert endpoint in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"<html>", b'{"Results": [{}]}', b'{"Results": [{"KV": {"Key": "b", "ModifyIndex": 7}}]}']
)
def test_an_answer_that_does_not_say_what_was_written_leaves_a_commit_unknown(
    opened: Callable[..., Store], body: bytes
) -> None:
    """It may be a proxy's, and ends no daemon."""
    with pretending(Pretender(200, body)) as endpoint:
        store = opened(at(endpoint))
        stranger = LeaseName("?7", 0)  # needs not to be ensured
        with pytest.raises(OutcomeUnknown, match="may have happened"):
            commit(store, Create("a", "v", stranger))


# TLS


@pytest.fixture(scope="module")
def tls_consul(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[ConsulServer]:
    """Wants a client certificate."""
    with running_consul(tmp_path_factory.mktemp("tls"), certificates=certificates) as server:
        yield server


def test_a_client_certificate_lets_in(
    tls_consul: ConsulServer, certificates: Certificates, opened: Callable[..., Store]
) -> None:
    shown = {"cert": certificates.client_cert, "key": certificates.client_key}
    store = opened(at(tls_consul.endpoint, tls=True), ca=certificates.ca, **shown)
    store.ensure(LASTING)
    item = create(store, "traefik/tls")
    assert standing(store, "traefik/") == {"tls": item}
    heard, thread = watched(store, "traefik/", item.revision)
    time.sleep(0.2)
    began = time.monotonic()
    store.close()
    thread.join(PATIENCE)
    assert time.monotonic() - began < AT_ONCE
    assert heard == []


def test_without_a_client_certificate_the_error_names_the_option(
    tls_consul: ConsulServer, certificates: Certificates, opened: Callable[..., Store]
) -> None:
    with pytest.raises(Unavailable, match="--store-cert"):
        opened(at(tls_consul.endpoint, tls=True), ca=certificates.ca).read("")


def test_a_server_of_a_strange_authority_is_not_trusted(
    tls_consul: ConsulServer, certificates: Certificates, opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "DEFAULT_CA_BUNDLE_PATH", certificates.ca)  # requests' own roots do not count
    shown = {"cert": certificates.client_cert, "key": certificates.client_key}
    for ca in ({"ca": certificates.strange_ca}, {}):
        with pytest.raises(Unavailable, match=r"(?i)certificate verify failed.*--store-ca"):
            opened(at(tls_consul.endpoint, tls=True), **ca, **shown).read("")


def test_a_plain_client_at_a_tls_port_is_told_of_https(tls_consul: ConsulServer, opened: Callable[..., Store]) -> None:
    with pytest.raises(Refused, match=r"use consul\+https://"):
        opened(at(tls_consul.endpoint)).read("")


def test_a_tls_client_at_a_plain_port_is_unavailable(consul_server: ConsulServer, opened: Callable[..., Store]) -> None:
    with pytest.raises(Unavailable):
        opened(at(consul_server.endpoint, tls=True)).read("")


def with_password(key: bytes) -> bytes:
    """The same key, locked."""
    private = serialization.load_pem_private_key(key, None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return private.private_bytes(*form, serialization.BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize("option", ["ca", "cert", "key"])
def test_a_certificate_that_cannot_be_used_is_told_before_anybody_is_asked(
    certificates: Certificates, option: str, tmp_path: Path
) -> None:
    """Half written, nonsense, of something else, or locked by a password: nobody is there to type it."""
    good = {"ca": certificates.ca, "cert": certificates.client_cert, "key": certificates.client_key}
    content = Path(good[option]).read_bytes()
    bad = [content[: len(content) // 2], b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"]
    if option == "key":
        bad += [with_password(content), Path(certificates.server_key).read_bytes()]
    named = "--store-ca" if option == "ca" else "--store-cert and --store-key"
    for number, text in enumerate(bad):
        file = tmp_path / f"bad-{number}.pem"
        file.write_bytes(text)
        with pytest.raises(UsageError, match=re.escape(file.name)) as caught:
            open_store(at("h", tls=True), records_root=ROOT, **(good | {option: str(file)}))
        assert caught.value.thing == named


def test_clients_show_what_was_taken_whatever_becomes_of_the_files(
    tls_consul: ConsulServer, certificates: Certificates, tmp_path: Path
) -> None:
    """Somebody writes the next certificate there, and is not done yet; a watch opens a connection meanwhile."""
    good = {"ca": certificates.ca, "cert": certificates.client_cert, "key": certificates.client_key}
    paths = {option: tmp_path / option for option in good}
    for option, path in paths.items():
        path.write_bytes(Path(good[option]).read_bytes())
    access = Access(ca=str(paths["ca"]), cert=str(paths["cert"]), key=str(paths["key"]))
    address = parse_address(at(tls_consul.endpoint, tls=True), ("consul",))

    def connect(shown: Access) -> Store:
        return consul.connect(address, records_root=ROOT, access=shown)

    opener = Opener(connect, access.loaded, [str(path) for path in paths.values()])
    with ExitStack() as stack:
        first = opener()
        stack.callback(first.close)
        for path in paths.values():
            path.write_bytes(path.read_bytes()[:99])
        for client in (first, opener()):
            stack.callback(client.close)
            assert client.read("nothing/").items == {}
        with pytest.raises(UsageError, match="--store-ca"):
            opener.renewed(lambda store: store.read("nothing/"))


@pytest.mark.parametrize("option", ["ca", "cert", "key"])
def test_a_file_that_cannot_be_used_is_named_with_its_option(
    certificates: Certificates, option: str, tmp_path: Path
) -> None:
    good = {"ca": certificates.ca, "cert": certificates.client_cert, "key": certificates.client_key}
    (tmp_path / "text").write_text("no certificate")
    for bad, word in ((tmp_path / "missing", "cannot be read"), (tmp_path / "text", "is no PEM file")):
        with pytest.raises(UsageError, match=word) as caught:
            open_store(at("h", tls=True), records_root=ROOT, **(good | {option: str(bad)}))
        assert (caught.value.thing, caught.value.value) == (f"--store-{option}", str(bad))


# Rights


def test_a_token_with_the_rights_that_the_manual_names_does_all(
    locked_consul: ConsulServer, opened: Callable[..., Store]
) -> None:
    """Where an operator registered the nodes."""
    for node in ("bridge-traefik--a", "bridge-traefik-fleet"):
        locked_consul.register(node)
    store = opened(at(locked_consul.endpoint), token=locked_consul.admit(rules("a", nodes=False)))
    for name in (LASTING, OTHER, LeaseName("standing", 0), LeaseName("c/a/replica/r", 20)):
        store.ensure(name)
        assert store.renew((name,)) == ()
    read = create(store, "traefik/backends/a")
    create(store, "bridge/traefik/c/a/claim/x")
    moved = commit(store, Update("traefik/backends/a", "w", OTHER, read.revision, LASTING))
    assert moved is not None
    assert commit(store, Delete("traefik/backends/a", moved.revision)) is not None
    assert store.remaining(LeaseName("standing", 0)) == math.inf
    with pytest.raises(Refused, match=r"answered a transaction with 'Permission denied'; give its token \("):
        create(store, "bridge/traefik/c/b/claim/x")


def test_a_bridge_that_may_register_its_nodes_does_so_and_else_says_which_to_register(
    tmp_path: Path, opened: Callable[..., Store]
) -> None:
    with running_consul(tmp_path, locked=True) as server:
        with pytest.raises(Refused, match="register the node bridge-traefik--a "):
            opened(at(server.endpoint), token=server.admit(rules("a", nodes=False))).ensure(LASTING)
        opened(at(server.endpoint), token=server.admit(rules("a"))).ensure(LASTING)
        assert [one["Node"] for one in server.sessions()] == ["bridge-traefik--a"]


@pytest.mark.parametrize("token", ["", "99999999-9999-4999-8999-999999999999"])
def test_without_a_token_that_may_read_nothing_passes_for_empty(
    locked_consul: ConsulServer, opened: Callable[..., Store], token: str
) -> None:
    """Consul leaves out of a list what the token may not read."""
    locked_consul.put("traefik/hidden", "v")
    with pytest.raises(Refused, match="BRIDGE_STORE_TOKEN or --store-token-file") as caught:
        opened(at(locked_consul.endpoint), token=token).read("traefik/")
    assert token not in str(caught.value) or not token
    locked_consul.delete("traefik/hidden")


def test_a_token_that_may_do_all_is_no_different(locked_consul: ConsulServer, opened: Callable[..., Store]) -> None:
    store = opened(at(locked_consul.endpoint), token=MANAGEMENT)
    store.ensure(LASTING)
    item: Item = create(store, "traefik/b")
    assert commit(store, Delete("traefik/b", item.revision)) is not None


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "ü"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(UsageError, match="visible ASCII") as caught:
        open_store(at("h"), records_root=ROOT, token=token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options", "thing"),
    [
        ("consul://h/traefik", {"user": "bob", "password": "S3cret"}, "--store-user"),
        ("etcd://h/traefik", {"token": "S3cret"}, "BRIDGE_STORE_TOKEN"),
        ("etcd://h/traefik", {"datacenter": "dc1"}, "--store-datacenter"),
    ],
)
def test_what_is_for_the_other_store_is_refused(url: str, options: dict[str, str], thing: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(url, records_root=ROOT, **options)
    assert caught.value.thing == thing
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (403, b"ACL not found", "look at BRIDGE_STORE_TOKEN or --store-token-file."),
        (200, b"[]", "answered a read with 'Missing index header'; is this an agent of Consul?"),
    ],
)
def test_a_wrong_token_and_a_wrong_port_are_told_as_what_they_are(
    opened: Callable[..., Store], status: int, body: bytes, remedy: str
) -> None:
    """A token that does not exist gets no advice on rights; another server's headers are nobody's concern."""
    with pretending(Pretender(status, body, {})) as endpoint, pytest.raises(StoreError) as caught:
        opened(at(endpoint), token="s3cret").read("traefik/")
    assert str(caught.value).endswith(remedy)
