"""The rights that `bridge policy` prints, given to real servers: all commands work, and what is others' is refused."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest

from bridge.layouts import LAYOUTS, layout
from bridge.model.change import Create, LeaseName, Transaction
from bridge.model.keys import lease_node, owned_name, records_prefix
from bridge.ownership.records import (
    FLEET,
    claim_path,
    cluster_family,
    cluster_records,
    guard_path,
    leader_path,
    presence_path,
)
from bridge.stores.base import Refused
from tests.commands import Bridge, silent
from tests.locked import NOBODY, Locked, LockedConsul, LockedEtcd, Secrets, client
from tests.rights import KINDS, RIGHTS, SHARED, TTL, A, B, Broken, Place, live_a_day, own_group
from tests.servers import running_consul, running_etcd
from tests.test_run_etcd import eventually
from tests.traefik import TraefikServer

ROOT = Path(__file__).parent.parent
_places = count(1)
bridge = pytest.fixture(silent)


@pytest.fixture(scope="module")
def locked_consul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedConsul]:
    with running_consul(tmp_path_factory.mktemp("consul"), locked=True, locked_lists=True) as server:
        yield LockedConsul(server)


@pytest.fixture(scope="module")
def locked_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedEtcd]:
    with running_etcd(tmp_path_factory.mktemp("etcd")) as server:
        yield LockedEtcd(server)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Locked:
    """Every store that gives rights, one after the other."""
    found: Locked = request.getfixturevalue(f"locked_{request.param}")
    return found


@pytest.fixture
def place(server: Locked, bridge: Bridge, tmp_path: Path) -> Place:
    return Place(server, bridge, tmp_path, f"place{next(_places)}/traefik")


# What must work


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_commands_work_for_two_clusters_with_the_rights_that_are_printed(place: Place, name: str) -> None:
    place.layout = layout(name)
    live_a_day(place, place.admit(A))


@pytest.mark.parametrize(("kind", "right"), [(kind, at) for kind in KINDS for at in range(RIGHTS[kind])])
def test_without_any_one_of_the_rights_something_is_refused(
    request: pytest.FixtureRequest, bridge: Bridge, tmp_path: Path, kind: str, right: int
) -> None:
    """So none is printed in vain."""
    place = Place(request.getfixturevalue(f"locked_{kind}"), bridge, tmp_path, f"place{next(_places)}/traefik")
    with pytest.raises(Broken, match=r"ermission denied|register the node|hand-written"):
        live_a_day(place, place.admit(A, but=right))


def test_rights_upon_what_no_label_asks_for_may_be_left_out(place: Place) -> None:
    """So a bridge goes on whose rights are those of a version that knew nothing of it."""
    place.layout = layout("traefik3")
    lines = place.policy(A).splitlines(keepends=True)
    asked = [line for line in lines if not re.search(r"/(tcp|udp|tls)/", line)]
    assert len(asked) == len(lines) - 6
    live_a_day(place, place.server.admit("".join(asked)))


def test_consul_may_ask_for_the_right_to_list(locked_consul: LockedConsul, bridge: Bridge, tmp_path: Path) -> None:
    """Then the right to read is too little for whoever reads a whole prefix."""
    place = Place(locked_consul, bridge, tmp_path, f"place{next(_places)}")
    weaker = locked_consul.admit(place.policy(A).replace('"list"', '"read"'))
    with pytest.raises(Broken, match="Permission denied"):
        place.sync(weaker, A)
    place.sync(place.admit(A), A)


@pytest.mark.parametrize("prefix", ["v3/it's", 'a"${x\\', "überall", "a--b-"])
def test_a_prefix_of_odd_characters_is_written_as_the_store_reads_it(
    server: Locked, bridge: Bridge, tmp_path: Path, prefix: str
) -> None:
    place = Place(server, bridge, tmp_path, f"{next(_places)}{prefix}")
    who = place.admit(A)
    place.sync(who, A)
    assert place.groups(who)[SHARED]["claims"] == [A]


def test_traefik_3_reads_with_the_rights_that_the_page_gives_it(server: Locked, tmp_path: Path) -> None:
    """And what changes while it runs."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    fence = "hcl" if server.kind == "consul" else "sh"
    who = server.admit(re.findall(rf"^```{fence}\n(.*?)```", page, re.M | re.S)[0])
    token, user, password = (who.get(f"BRIDGE_STORE_{name}", "") for name in ("TOKEN", "USER", "PASSWORD"))
    login = {"token": token} if token else {"username": user, "password": password}
    static = {f"providers.{server.kind}.{name}": text for name, text in login.items()}
    traefik = TraefikServer(tmp_path, server.kind, server.endpoint, "v3/traefik", static=static)
    with ExitStack() as stack:
        stack.callback(traefik.kill)
        for name in ("before", "after"):
            server.put(f"v3/traefik/http/services/{name}/loadBalancer/servers/one/url", "http://192.0.2.1")
            server.put(f"v3/traefik/http/routers/{name}/rule", f"Host(`{name}`)")
            server.put(f"v3/traefik/http/routers/{name}/service", name)
            if name == "before":
                traefik.start()
            eventually(lambda: name in traefik.objects("routers"))  # noqa: B023


# What must not


@pytest.fixture
def both(place: Place) -> tuple[Secrets, Secrets]:
    """Both clusters have published."""
    a, b = place.admit(A), place.admit(B)
    place.sync(a, A)
    place.sync(b, B)
    return a, b


def test_what_is_anothers_is_refused_by_the_server_and_stays(place: Place, both: tuple[Secrets, Secrets]) -> None:
    """Also what a longer name has that begins with ours, and what Traefik takes for its own configuration."""
    for path in (leader_path(B), f"{cluster_records(B)}drain/host"):  # so that b has all that a cluster can have
        place.server.put(place.records + path, "{}")
    before = place.standing()
    its = [key for key in before if key.startswith(place.records + cluster_records(B))]
    assert {place.records + path for path in (presence_path(B), claim_path(B, SHARED), leader_path(B))} < set(its)
    absent = [
        *(place.records + path for path in (presence_path("a2"), f"{cluster_records(B)}drain/new", "other", FLEET)),
        *(records_prefix(other) + presence_path(A) for other in (f"{place.prefix}2", "other")),
        *(place.tree + path for path in ("leader", "entrypoints/http/address", "backend", "acme/account/object")),
        f"{place.tree[:-1]}2/backends/x",
        "other/backends/x/servers/a--1/url",
    ]
    for key in (*its, *absent):
        tried = dict(place.server.attempts(both[0], key))
        assert len(tried) >= 7
        assert [(way, answer) for way, answer in tried.items() if not answer.is_refusal] == [], key
    assert place.standing() == before


def test_who_drains_another_cluster_is_refused_and_writes_nothing(place: Place, both: tuple[Secrets, Secrets]) -> None:
    before = place.standing()
    ran = place.said(both[0], "drain", "--cluster", B, code=1)
    assert re.search(r"ermission denied.*bridge policy", ran.err)
    place.said(both[1], "drain", "--cluster", B)
    after = place.standing()
    assert after.keys() - before.keys() == {f"{place.records}{cluster_records(B)}drain/cluster"}
    place.said(both[0], "undrain", "--cluster", B, code=1)
    assert place.standing() == after


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_cluster_reaches_the_frontends_of_one_that_has_its_own(place: Place, name: str) -> None:
    """With the rights of --fan-in separate, by which all commands work."""
    place.layout, place.fan_in = layout(name), ("--fan-in", "separate")
    a, b = place.admit(A), place.admit(B)
    place.said(a, *place.publishes("plan", A), "--exit-code", code=4)
    place.sync(a, A)
    place.sync(b, B)
    mine = owned_name(A, own_group(A))
    with place.running(a, A) as process:
        eventually(lambda: place.leader(A) == "one", process)
        place.source(A, sick=1)
        eventually(lambda: len(place.servers(mine)) == 2, process)
        place.source(A)
        eventually(lambda: len(place.servers(mine)) == 4, process)
        process.end()
    before = place.standing()
    at = [f"{place.tree}{folder}{owned_name(B, '')}" for folder in place.layout.folders]
    its = [key for key in before if key.startswith((place.records + cluster_records(B), *at))]
    assert len(its) > 10
    for key in (*its, *(f"{folder}new/x" for folder in at), f"{place.tree}{place.layout.folders[0]}new/x"):
        tried = dict(place.server.attempts(a, key))
        assert [(way, answer) for way, answer in tried.items() if not answer.is_refusal] == [], key
    assert place.standing() == before
    place.server.end(place.records, LeaseName(cluster_family(B), TTL))
    assert not [key for key in place.standing() if key in its], "nobody has to sweep it"
    place.sync(a, A)
    place.said(a, "leave", "--cluster", A, "--read-time", "0")
    assert place.standing() == {}


def test_a_transaction_with_one_write_too_many_changes_nothing(place: Place, both: tuple[Secrets, Secrets]) -> None:
    before = place.standing()
    fleet = LeaseName(FLEET, TTL)
    with closing(client(place.server, place.prefix, place.records, both[0])) as store:
        store.ensure(fleet)
        allowed = Create(place.records + guard_path("new"), "1", fleet)
        for key in (place.records + claim_path(B, "new"), f"{place.tree}leader"):
            with pytest.raises(Refused, match=r"ermission denied.*bridge policy"):
                store.commit(Transaction((), (allowed, Create(key, "stolen", fleet))))
    assert place.standing() == before


def test_leases_of_others_are_refused_in_consul(locked_consul: LockedConsul, bridge: Bridge, tmp_path: Path) -> None:
    """Whoever ends one, or its node, ends its keys; whoever renews one keeps a dead cluster's servers."""
    place = Place(locked_consul, bridge, tmp_path, f"place{next(_places)}")
    a, b = place.admit(A), place.admit(B)
    place.sync(a, A)
    place.sync(b, B)
    before = place.standing()
    node = lease_node(place.records, cluster_family(B))
    session = locked_consul.session(place.records, LeaseName(cluster_family(B), TTL))
    tried = [
        locked_consul.ask(a, "PUT", f"session/destroy/{session}"),
        locked_consul.ask(a, "PUT", f"session/renew/{session}"),
        locked_consul.ask(a, "PUT", "session/create", {"Node": node}),
        locked_consul.ask(a, "PUT", "catalog/deregister", {"Node": node}),
        locked_consul.ask(a, "PUT", "catalog/register", {"Node": node, "Address": "192.0.2.1"}),
    ]
    assert [answer for answer in tried if not answer.is_refusal] == []
    assert place.standing() == before


def test_a_lease_that_holds_anothers_keys_is_not_revoked_in_etcd(
    locked_etcd: LockedEtcd, bridge: Bridge, tmp_path: Path
) -> None:
    place = Place(locked_etcd, bridge, tmp_path, f"place{next(_places)}")
    a, b = place.admit(A), place.admit(B)
    place.sync(b, B)
    assert locked_etcd.ask(a, "lease/revoke", ID=place.lease(cluster_family(B))).is_refusal


# What no right can limit: docs/security.md says it


def test_a_cluster_can_harm_what_is_shared(place: Place, both: tuple[Secrets, Secrets]) -> None:
    """Servers of others among it: their cluster stands behind the service's name, and rights go by prefix."""
    server = min(key for key in place.servers(SHARED) if f"/{B}--" in key)
    rule = f"{place.tree}frontends/{SHARED}/routes/main/rule"
    for key in (server, rule, place.records + guard_path(SHARED)):
        dict(place.server.attempts(both[0], key))
        assert key not in place.standing()
    place.sync(both[1], B)
    assert {server, rule} <= place.standing().keys()


def test_a_cluster_can_end_the_leases_of_the_fleet(place: Place, both: tuple[Secrets, Secrets]) -> None:
    """All routes go at once. The next pass of any cluster puts them back."""
    rule = f"{place.tree}frontends/{own_group(B)}/routes/main/rule"
    assert rule in place.standing()
    if isinstance(place.server, LockedConsul):
        node = lease_node(place.records, FLEET)
        for session in {row["ID"] for row in place.server.server.sessions(node)}:
            assert place.server.ask(both[0], "PUT", f"session/destroy/{session}").status == 200
    else:
        assert isinstance(place.server, LockedEtcd)
        assert place.server.ask(both[0], "lease/revoke", ID=place.lease(FLEET)).status == 200
    assert rule not in place.standing()
    place.sync(both[1], B)
    assert rule in place.standing()


def test_leases_of_etcd_are_open_to_whoever_reaches_it(locked_etcd: LockedEtcd, bridge: Bridge, tmp_path: Path) -> None:
    """Without a login: kept alive, listed with their keys' names, ended while they are empty, and taken beforehand:
    that keeps the bridge away until they end, and none of its keys comes on them."""
    place = Place(locked_etcd, bridge, tmp_path, f"place{next(_places)}")
    b, lease, theirs = place.admit(B), place.lease(cluster_family(B)), 7 * TTL
    assert locked_etcd.ask(NOBODY, "lease/grant", ID=lease, TTL=TTL).status == 200
    assert locked_etcd.ask(NOBODY, "lease/revoke", ID=lease).status == 200
    assert locked_etcd.ask(NOBODY, "lease/grant", ID=lease, TTL=theirs).status == 200
    refused = place.said(b, *place.publishes("sync", B), code=1)
    assert f"for {theirs} s, and not {TTL} s" in refused.err
    assert locked_etcd.ask(NOBODY, "lease/revoke", ID=lease).status == 200
    place.sync(b, B)
    told = locked_etcd.ask(NOBODY, "lease/timetolive", ID=lease, keys=True)
    assert f'"grantedTTL":"{TTL}"' in told.text
    assert b64encode((place.records + presence_path(B)).encode()).decode() in told.text
    assert f'"TTL":"{TTL}"' in locked_etcd.ask(NOBODY, "lease/keepalive", ID=lease).text
    assert locked_etcd.ask(NOBODY, "lease/revoke", ID=lease).status == 400
    assert locked_etcd.ask(NOBODY, "kv/range", key=b64encode(b"x").decode()).status == 400


def test_a_key_can_be_put_on_anothers_lease(place: Place, both: tuple[Secrets, Secrets]) -> None:
    """It then lives and ends with that one; rights count for the key alone."""
    key = f"{place.tree}backends/{SHARED}/servers/a--borrowed/url"
    if isinstance(place.server, LockedConsul):
        session = place.server.session(place.records, LeaseName(cluster_family(B), TTL))
        answer = place.server.transact(both[0], "lock", key, Session=session)
    else:
        assert isinstance(place.server, LockedEtcd)
        put = {"key": b64encode(key.encode()).decode(), "lease": place.lease(cluster_family(B))}
        answer = place.server.ask(both[0], "kv/txn", success=[{"request_put": put}])
    assert answer.status == 200, answer
    assert key in place.standing()
    place.server.end(place.records, LeaseName(cluster_family(B), TTL))
    assert key not in place.standing()
