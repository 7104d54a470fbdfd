"""What only etcd has: endpoints, TLS, logins, leases by number, and how it fails."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from bridge.model.change import Check, Create, Delete, LeaseName, Transaction, Update
from bridge.model.problem import UsageError
from bridge.stores import etcd, memory, open_store
from bridge.stores.base import OutcomeUnknown, Refused, Store, Unavailable
from bridge.stores.etcd import lease_id, prefix_end
from bridge.stores.etcdrpc import RangeAnswer
from tests.grounds import LASTING, PATIENCE, EtcdGround, commit, create, standing
from tests.servers import Certificates, EtcdServer, free_ports, running_etcd
from tests.traefik import until

ROOT = "bridge/traefik"
PASSWORD = "correct horse"


def at(*endpoints: str, tls: bool = False) -> str:
    return f"{'etcd+https' if tls else 'etcd'}://{','.join(endpoints)}/traefik"


@pytest.fixture
def own_etcd(tmp_path: Path) -> Iterator[EtcdServer]:
    """An etcd that the test may stop, freeze and lock."""
    with running_etcd(tmp_path) as server:
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
    monkeypatch.setattr(etcd, "TIMEOUT", 1.0)


def dead_endpoint() -> str:
    return f"127.0.0.1:{free_ports(1)[0]}"


# Keys, values, leases


def test_the_first_key_behind_a_prefix_is_found_whatever_its_bytes() -> None:
    assert prefix_end(b"a/") == b"a0"
    assert prefix_end(b"a\xff\xff") == b"b"
    assert prefix_end(b"\xff") == b"\0"
    assert prefix_end(b"") == b"\0"


def test_the_empty_prefix_reads_every_key(own_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    own_etcd.put("a", "1")
    own_etcd.put("\u00ff", "2")
    assert set(opened(at(own_etcd.endpoint)).read("").items) == {"a", "\u00ff"}


def test_a_big_tree_is_read_in_pages_at_one_revision(etcd_ground: EtcdGround, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written between two pages belongs to the next reading."""
    monkeypatch.setattr(etcd, "PAGE", 3)
    for number in range(7):
        etcd_ground.write(f"{etcd_ground.prefix}{number}", "before")
    revision = etcd_ground.server.revision()
    store = etcd_ground.client()
    assert isinstance(store, etcd.Etcd)
    read_page = store._page

    def and_then_write(start: bytes, end: bytes, at_revision: int) -> RangeAnswer:
        page = read_page(start, end, at_revision)
        for name in ("0", "6", "7"):
            etcd_ground.write(etcd_ground.prefix + name, "after")
        return page

    monkeypatch.setattr(store, "_page", and_then_write)
    reading = store.read(etcd_ground.prefix)
    assert reading.revision == revision
    assert {key[-1]: item and item.value for key, item in reading.items.items()} == dict.fromkeys("0123456", "before")


def test_a_tree_of_several_megabytes_is_read(etcd_ground: EtcdGround) -> None:
    for number in range(5):
        etcd_ground.write(f"{etcd_ground.prefix}{number}", "x" * 1_000_000)
    assert len(etcd_ground.client().read(etcd_ground.prefix).items) == 5


def test_bytes_that_are_no_text_are_read_and_can_be_replaced(etcd_ground: EtcdGround) -> None:
    """Anybody may write them; they must not stop a reading."""
    etcd_ground.server.ask("kv/put", key="/v8=", value="/v8=")  # the bytes fe ff
    store = etcd_ground.client()
    store.ensure(LASTING)
    key = b"\xfe\xff".decode("utf-8", "surrogateescape")
    item = store.read(key).items[key]
    assert item is not None
    assert item.value == key
    updated = commit(store, Update(key, item.value, LASTING, item.revision, None))
    assert updated is not None
    assert store.read(key).items == updated.items
    assert commit(store, Delete(key, updated.revision)) is not None


def test_a_lease_is_numbered_by_root_family_and_ttl() -> None:
    """Replicas, and later versions, must find it: the number may never change."""
    family = int(hashlib.sha256(b"bridge/traefik\0c/a").hexdigest()[:10], 16)
    assert lease_id(ROOT, LeaseName("c/a", 300)) == family * 2**23 + 300
    assert lease_id(ROOT, LeaseName("c/a", 0)) == family * 2**23
    assert 0 < lease_id(ROOT, LeaseName("fleet", 8_388_607)) < 2**63
    assert lease_id("bridge/other", LeaseName("c/a", 300)) >> 23 != family


def test_a_closing_slash_names_the_same_leases(etcd_ground: EtcdGround) -> None:
    first = open_store(etcd_ground.url, records_root="bridge/x")
    second = open_store(etcd_ground.url, records_root="bridge/x/")
    first.ensure(LASTING)
    assert second.renew((LASTING,)) == ()
    first.close()
    second.close()


@pytest.mark.parametrize("ttl", [8_388_608, -1])
def test_a_ttl_that_no_lease_can_carry_is_refused(etcd_ground: EtcdGround, ttl: int) -> None:
    with pytest.raises(UsageError, match="8388607"):
        etcd_ground.client().ensure(LeaseName("c/a", ttl))


def test_a_lease_for_ever_lasts_a_century(etcd_ground: EtcdGround) -> None:
    for_ever = LeaseName("standing", 0)
    etcd_ground.client().ensure(for_ever)
    number = lease_id(etcd_ground.records_root.rstrip("/"), for_ever)
    rest = etcd_ground.server.ask("lease/timetolive", ID=number)["TTL"]
    assert int(str(rest)) > 99 * 365 * 24 * 3600


def test_the_longest_ttl_is_granted(etcd_ground: EtcdGround) -> None:
    store = etcd_ground.client()
    longest = LeaseName("c/a", 8_388_607)
    store.ensure(longest)
    assert (store.remaining(longest) or 0) > 8_388_000


@pytest.mark.parametrize(("wanted", "granted"), [(300, 60), (300, 301), (60, 76), (0, 600), (60, 3_155_760_000)])
def test_a_lease_that_somebody_else_granted_for_another_ttl_is_not_taken(
    etcd_ground: EtcdGround, wanted: int, granted: int
) -> None:
    """Neither renewed, so that it ends, nor taken for one that lives when it holds keys already."""
    name, store = LeaseName(f"c/x{wanted}-{granted}", wanted), etcd_ground.client()
    number = lease_id(etcd_ground.records_root.rstrip("/"), name)
    etcd_ground.server.ask("lease/grant", ID=number, TTL=granted)

    def rest() -> int:
        return int(str(etcd_ground.server.ask("lease/timetolive", ID=number)["TTL"]))

    until(lambda: rest() < granted)
    told = f"{number:x}.*for {granted} s, and not {wanted or 3_155_760_000} s.*etcdctl lease revoke {number:x}"
    with pytest.raises(Refused, match=told):
        store.ensure(name)
    assert rest() < granted
    with pytest.raises(Refused, match=told):
        store.renew((name,))
    etcd_ground.server.revoke(number)
    store.ensure(name)
    assert store.renew((name,)) == ()


def test_a_lease_that_etcd_itself_grants_for_longer_is_taken(etcd_ground: EtcdGround) -> None:
    """Its least TTL is 2 s, and up to 75 s with a longer time-out for elections."""
    name, store = LeaseName("c/least", 1), etcd_ground.client()
    store.ensure(name)
    store.ensure(name)
    assert store.renew((name,)) == ()
    etcd_ground.server.revoke(lease_id(etcd_ground.records_root.rstrip("/"), name))


def test_a_strangers_lease_reads_as_its_number(etcd_ground: EtcdGround) -> None:
    etcd_ground.server.ask("lease/grant", ID=0x3039, TTL=600)
    etcd_ground.server.ask("kv/put", key="c3RyYW5nZXI=", value="", lease=0x3039)
    item = etcd_ground.client().read("stranger").items["stranger"]
    assert item is not None
    assert item.lease == LeaseName("?3039", 0)
    etcd_ground.server.revoke(0x3039)


def test_the_memory_store_has_the_limits_of_etcd() -> None:
    assert memory.LIKE_ETCD == etcd.LIMITS


# Endpoints and silence


def test_where_nothing_listens_one_line_says_so(opened: Callable[..., Store]) -> None:
    endpoint = dead_endpoint()
    store = opened(at(endpoint), user="bridge", password=PASSWORD)
    with pytest.raises(Unavailable) as caught:
        store.read("")
    text = str(caught.value)
    assert at(endpoint) in text
    assert "Connection refused" in text
    assert "is it up" in text
    assert "\n" not in text
    assert PASSWORD not in text


def test_a_host_without_address_is_unavailable(opened: Callable[..., Store]) -> None:
    with pytest.raises(Unavailable, match=r"nowhere\.invalid"):
        opened(at("nowhere.invalid")).read("")


def test_a_dead_first_endpoint_is_passed_over(etcd_server: EtcdServer, opened: Callable[..., Store]) -> None:
    store = opened(at(dead_endpoint(), etcd_server.endpoint, dead_endpoint()))
    assert store.read("").whole
    store.ensure(LASTING)
    assert store.renew((LASTING,)) == ()
    key = f"failover/{etcd_server.revision()}"
    assert commit(store, Create(key, "v", LASTING)) is not None


def test_leases_pass_over_a_dead_endpoint_too(etcd_server: EtcdServer, opened: Callable[..., Store]) -> None:
    """The lease thread may be the first that asks after a member died."""
    opened(at(etcd_server.endpoint)).ensure(LASTING)
    for ask in (Store.ensure, Store.remaining, lambda store, name: store.renew((name,))):
        ask(opened(at(dead_endpoint(), etcd_server.endpoint)), LASTING)


def test_a_transaction_is_sent_to_one_endpoint_only(etcd_server: EtcdServer, opened: Callable[..., Store]) -> None:
    """Sent to a second one it could conflict with itself; the next call goes there."""
    store = opened(at(dead_endpoint(), etcd_server.endpoint))
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        store.commit(Transaction((Check("nothing", 0),), ()))
    assert commit(store, checks=(Check("nothing", 0),)) is not None


@pytest.mark.usefixtures("short_of_time")
def test_a_frozen_server_is_unavailable_within_the_time_out(own_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    store = opened(at(own_etcd.endpoint))
    store.ensure(LASTING)
    own_etcd.freeze()
    for ask in (lambda: store.read(""), lambda: store.renew((LASTING,)), lambda: store.remaining(LASTING)):
        began = time.monotonic()
        with pytest.raises(Unavailable, match="Deadline"):
            ask()
        assert time.monotonic() - began < 1.0 + 1.0
    own_etcd.thaw()
    assert store.renew((LASTING,)) == ()


@pytest.mark.usefixtures("short_of_time")
def test_a_commit_to_a_frozen_server_has_an_unknown_outcome(own_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    store = opened(at(own_etcd.endpoint))
    store.ensure(LASTING)
    own_etcd.freeze()
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        commit(store, Create("a", "v", LASTING))
    own_etcd.thaw()
    assert set(standing(store, "")) in ({"a"}, set())


@pytest.mark.usefixtures("short_of_time")
def test_a_frozen_endpoint_is_passed_over(
    own_etcd: EtcdServer, etcd_server: EtcdServer, opened: Callable[..., Store]
) -> None:
    store = opened(at(own_etcd.endpoint, etcd_server.endpoint))
    assert store.read("").revision == own_etcd.revision()
    own_etcd.freeze()
    assert store.read("").revision == etcd_server.revision()
    began = time.monotonic()
    store.read("")
    assert time.monotonic() - began < 1.0, "the frozen endpoint was asked again"


@pytest.mark.usefixtures("short_of_time")
def test_a_watch_passes_over_endpoints_that_are_dead_or_frozen(
    own_etcd: EtcdServer, etcd_server: EtcdServer, opened: Callable[..., Store]
) -> None:
    """A daemon opens each watch afresh: where the first endpoint failed each, it read all again and again."""
    own_etcd.freeze()
    eyes, hand = opened(at(dead_endpoint(), own_etcd.endpoint, etcd_server.endpoint)), opened(at(etcd_server.endpoint))
    news = eyes.watch("passed-over/", hand.read("passed-over/").revision)
    hand.ensure(LASTING)
    assert commit(hand, Create(f"passed-over/{etcd_server.revision()}", "v", LASTING)) is not None
    assert next(news).items
    eyes.close()


def test_a_server_that_restarted_between_two_calls_is_found_again(
    own_etcd: EtcdServer, opened: Callable[..., Store]
) -> None:
    """Nothing is lost: keys, revision and lease stand."""
    store = opened(at(own_etcd.endpoint))
    store.ensure(LASTING)
    create(store, "a")
    before = store.read("")
    own_etcd.kill()
    own_etcd.start()
    assert store.read("") == before
    assert store.renew((LASTING,)) == ()
    create(store, "b")


def test_a_server_that_comes_back_is_found_again(own_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    store = opened(at(own_etcd.endpoint))
    store.read("")
    own_etcd.kill()
    with pytest.raises(Unavailable):
        store.read("")
    own_etcd.start()
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            store.read("")
            return
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_proxy_for_the_web_is_not_used(
    etcd_server: EtcdServer, opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://{dead_endpoint()}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert opened(at(etcd_server.endpoint)).read("").whole


def test_a_full_store_says_what_to_do(tmp_path: Path, opened: Callable[..., Store]) -> None:
    """Its answer does not tell whether it wrote: a server checks before and after."""
    with running_etcd(tmp_path, quota=200_000) as server:
        store = opened(at(server.endpoint))
        store.ensure(LASTING)
        with pytest.raises(OutcomeUnknown, match="it is full: compact"):
            fill(store)
        assert store.read("").whole


def fill(store: Store) -> None:
    """Until it takes no more: etcd counts what is on its disk, where a write comes up to a tenth of a second later."""
    deadline = time.monotonic() + 20
    for number in itertools.takewhile(lambda _: time.monotonic() < deadline, itertools.count()):
        create(store, f"{number}", "v" * 50_000)


# TLS


@pytest.fixture(scope="module")
def tls_etcd(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[EtcdServer]:
    """Wants a client certificate."""
    folder = tmp_path_factory.mktemp("tls")
    with running_etcd(folder, certificates=certificates, client_certificates=True) as server:
        yield server


def test_a_client_certificate_lets_in(
    tls_etcd: EtcdServer, certificates: Certificates, opened: Callable[..., Store]
) -> None:
    store = opened(
        at(tls_etcd.endpoint, tls=True),
        ca=certificates.ca,
        cert=certificates.client_cert,
        key=certificates.client_key,
    )
    store.ensure(LASTING)
    assert commit(store, Create("a", "v", LASTING)) is not None


def test_a_dead_endpoint_before_a_tls_endpoint_is_passed_over(
    tls_etcd: EtcdServer, certificates: Certificates, opened: Callable[..., Store]
) -> None:
    url = at(dead_endpoint(), f"localhost:{tls_etcd.port}", tls=True)
    store = opened(url, ca=certificates.ca, cert=certificates.client_cert, key=certificates.client_key)
    assert store.read("").whole


def test_without_a_client_certificate_the_error_names_the_option(
    tls_etcd: EtcdServer, certificates: Certificates, opened: Callable[..., Store]
) -> None:
    with pytest.raises(Unavailable, match="--store-cert"):
        opened(at(tls_etcd.endpoint, tls=True), ca=certificates.ca).read("")


def test_a_server_of_a_strange_authority_is_not_trusted(
    tls_etcd: EtcdServer, certificates: Certificates, opened: Callable[..., Store]
) -> None:
    url = at(tls_etcd.endpoint, tls=True)
    for ca in (certificates.strange_ca, ""):
        store = opened(url, ca=ca, cert=certificates.client_cert, key=certificates.client_key)
        with pytest.raises(Unavailable, match="--store-ca"):
            store.read("")


def test_the_client_library_adds_no_word_of_its_own(tls_etcd: EtcdServer, certificates: Certificates) -> None:
    """gRPC would write a failed handshake to stderr, beside our one line."""
    code = f"""
from bridge.stores import open_store
from bridge.stores.base import Unavailable
for url in ({at(tls_etcd.endpoint, tls=True)!r}, {at(dead_endpoint(), tls=True)!r}):
    try:
        open_store(url, records_root={ROOT!r}, ca={certificates.strange_ca!r}).read("")
    except Unavailable:
        print("unavailable")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("unavailable\n" * 2, "")


def test_a_plain_client_at_a_tls_port_is_told_of_https(tls_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    with pytest.raises(Unavailable, match=r"etcd\+https"):
        opened(at(tls_etcd.endpoint)).read("")


def test_a_tls_client_at_a_plain_port_is_unavailable(etcd_server: EtcdServer, opened: Callable[..., Store]) -> None:
    with pytest.raises(Unavailable, match="--store-ca"):
        opened(at(etcd_server.endpoint, tls=True)).read("")


@pytest.mark.parametrize("option", ["ca", "cert", "key"])
def test_a_file_that_cannot_be_used_is_named_with_its_option(
    certificates: Certificates, tmp_path: Path, option: str
) -> None:
    good = {"ca": certificates.ca, "cert": certificates.client_cert, "key": certificates.client_key}
    (tmp_path / "no.pem").write_text("hello")
    for bad, word in ((tmp_path / "missing", "No such file"), (tmp_path, "directory"), (tmp_path / "no.pem", "PEM")):
        with pytest.raises(UsageError, match=word) as caught:
            open_store(at("h", tls=True), records_root=ROOT, **(good | {option: str(bad)}))
        assert f"--store-{option} '{bad}'" in str(caught.value)


def test_a_broken_certificate_is_unavailable(
    tls_etcd: EtcdServer, certificates: Certificates, tmp_path: Path, opened: Callable[..., Store]
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    url = at(tls_etcd.endpoint, tls=True)
    for files in ({"ca": str(broken)}, {"ca": certificates.ca, "cert": str(broken), "key": certificates.client_key}):
        with pytest.raises(Unavailable, match="--store-ca"):
            opened(url, **files).read("")


# Logins


@pytest.fixture
def locked_etcd(tmp_path: Path) -> Iterator[EtcdServer]:
    """Wants a login; `bridge` may use what begins with `mine/`. Tokens that nobody uses live a second."""
    with running_etcd(tmp_path, token_ttl=1) as server:
        server.require_login("root's")
        server.admit("bridge", PASSWORD, "mine/")
        yield server


def test_a_user_with_a_password_may_read_and_write(locked_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    store = opened(at(locked_etcd.endpoint), user="bridge", password=PASSWORD)
    store.ensure(LASTING)
    item = create(store, "mine/a")
    assert commit(store, Update("mine/a", "w", LASTING, item.revision, LASTING)) is not None
    assert store.renew((LASTING,)) == ()


def test_without_a_user_the_error_names_the_option(locked_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    with pytest.raises(Refused, match="--store-user"):
        opened(at(locked_etcd.endpoint)).read("mine/")


@pytest.mark.parametrize(("user", "password"), [("bridge", "guess"), ("nobody", PASSWORD)])
def test_a_wrong_login_is_refused_and_told_without_the_password(
    locked_etcd: EtcdServer, opened: Callable[..., Store], user: str, password: str
) -> None:
    store = opened(at(locked_etcd.endpoint), user=user, password=password)
    with pytest.raises(Refused, match="--store-user") as caught:
        store.read("mine/")
    assert password not in str(caught.value)


def test_a_user_without_rights_is_refused_and_nothing_is_written(
    locked_etcd: EtcdServer, opened: Callable[..., Store]
) -> None:
    store = opened(at(locked_etcd.endpoint), user="bridge", password=PASSWORD)
    store.ensure(LASTING)
    with pytest.raises(Refused, match="bridge policy etcd"):
        store.read("yours/")
    with pytest.raises(Refused, match="bridge policy etcd"):
        commit(store, Create("mine/a", "v", LASTING), Create("yours/a", "v", LASTING))
    assert standing(store, "mine/") == {}


def test_an_expired_token_is_replaced_without_a_word(locked_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    """Keepalives do not keep it alive, so a quiet bridge meets this daily; a transaction happens once."""
    store = opened(at(locked_etcd.endpoint), user="bridge", password=PASSWORD)
    store.ensure(LASTING)
    store.read("mine/")
    deadline = time.monotonic() + PATIENCE
    while not token_is_refused(locked_etcd):  # it came before ours
        assert time.monotonic() < deadline
        time.sleep(2.5)  # longer than a token lives without use
    item = create(store, "mine/a")
    assert standing(store, "mine/") == {"a": item}


def token_is_refused(server: EtcdServer) -> bool:
    try:
        server.revision()
    except RuntimeError as err:
        return "invalid auth token" in str(err)
    return False


def test_a_restart_that_forgets_all_tokens_is_not_felt(locked_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    store = opened(at(locked_etcd.endpoint), user="bridge", password=PASSWORD)
    store.ensure(LASTING)
    create(store, "mine/a")
    locked_etcd.kill()
    locked_etcd.start()
    create(store, "mine/b")
    failures: list[Exception] = []

    def read() -> None:
        try:
            store.read("mine/")
        except Exception as err:
            failures.append(err)

    locked_etcd.write_out("root's")
    locked_etcd.kill()
    locked_etcd.start()
    assert locked_etcd.calls("Authenticate") == 0
    threads = [Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert locked_etcd.calls("Authenticate") == 1, "one login serves all threads"


def test_a_server_that_wants_no_login_is_used_without(etcd_ground: EtcdGround, opened: Callable[..., Store]) -> None:
    store = opened(at(etcd_ground.server.endpoint), user="bridge", password=PASSWORD)
    assert store.read(etcd_ground.prefix).whole


def test_logins_switched_off_and_on_are_followed(locked_etcd: EtcdServer, opened: Callable[..., Store]) -> None:
    store = opened(at(locked_etcd.endpoint), user="bridge", password=PASSWORD)
    store.read("mine/")
    locked_etcd.forget_logins("root's")
    assert store.read("mine/").whole
    locked_etcd.ask("auth/enable")
    assert store.read("mine/").whole
    with pytest.raises(Refused):
        store.read("yours/")
