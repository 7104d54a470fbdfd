"""`bridge run` while a token, a password or a certificate is replaced in its file: nobody is refused, no key moves."""

from __future__ import annotations

import functools
import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from bridge.stores import open_store
from bridge.stores.base import Store
from tests.publishing import Publication
from tests.servers import Certificates, EtcdServer, running_etcd
from tests.test_run_etcd import Fleet, Process, World, eventually, revisions, servers
from tests.test_run_token import RULES, locked_fleet, tokens

READ = "secrets and certificates were read again from their files: others now"
KEPT = "the old secrets are kept"


def troubles(process: Process) -> list[str]:
    """What it complained of."""
    return [line for line in process.lines if " WARNING " in line or " ERROR " in line]


def follows(fleet: Fleet, process: Process, before: dict[str, int]) -> None:
    """It goes on, and moved nothing since `before`."""
    assert revisions(fleet.publication) == before
    uuid = fleet.world.turn("unhealthy")
    eventually(lambda: len(servers(fleet.publication)) == 3, process)
    assert revisions(fleet.publication) == {path: at for path, at in before.items() if uuid not in path}


def replaced(path: Path, text: str) -> None:
    """At once, as a careful writer does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


@pytest.mark.parametrize("linked", [False, True], ids=["file", "links"])
def test_a_consul_token_that_is_replaced_before_it_is_deleted_costs_no_refusal(tmp_path: Path, linked: bool) -> None:
    """Also where the file is a link into a folder that is a link itself, as orchestrators mount secrets."""
    token = tmp_path / "token"
    with locked_fleet(tmp_path) as (server, fleet):
        publication = fleet.publication
        turn = turner(tmp_path, token) if linked else lambda text: replaced(token, text)
        turn(server.admit(RULES))
        process = fleet.ready(fleet.start("a", "--store-token-file", str(token), "--ttl", "20"))
        before, old = revisions(publication), tokens(server)
        turn(server.admit(RULES))
        eventually(lambda: process.said(READ), process)
        for accessor in old:
            server.ask("DELETE", f"acl/token/{accessor}")
        follows(fleet, process, before)
        fleet.world.turn("healthy")  # what watches has heard of the first change meanwhile, and asked for the next
        eventually(lambda: len(servers(publication)) == 4, process)
        assert troubles(process) == []


def test_a_token_that_is_replaced_only_once_it_was_refused_still_comes_before_a_lease_ends(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with locked_fleet(tmp_path) as (server, fleet):
        token.write_text(server.admit(RULES))
        process = fleet.ready(fleet.start("a", "--store-token-file", str(token), "--ttl", "20"))
        before = revisions(fleet.publication)
        for accessor in tokens(server):
            server.ask("DELETE", f"acl/token/{accessor}")
        eventually(lambda: troubles(process) != [], process)
        replaced(token, server.admit(RULES))
        eventually(lambda: process.said(READ), process)
        follows(fleet, process, before)


def turner(folder: Path, token: Path) -> Callable[[str], None]:
    """Puts a text behind token -> ..data/token, where ..data is a link that is turned."""
    token.symlink_to("..data/token")

    def turn(text: str) -> None:
        version = folder / f"..{len(list(folder.iterdir()))}"
        version.mkdir()
        (version / "token").write_text(text)
        (folder / "..new").symlink_to(version.name)
        os.replace(folder / "..new", folder / "..data")

    return turn


def test_a_token_file_that_is_gone_empty_or_half_written_is_told_and_the_old_token_stands(tmp_path: Path) -> None:
    """Each fault once, however often the file is looked at meanwhile."""
    token = tmp_path / "token"
    with locked_fleet(tmp_path) as (server, fleet):
        publication = fleet.publication
        token.write_text(server.admit(RULES))
        process = fleet.ready(fleet.start("a", "--store-token-file", str(token), "--ttl", "20"))
        before, fresh = revisions(publication), server.admit(RULES)
        token.unlink()
        eventually(lambda: process.said("cannot be read"), process)
        for text, why in (("", "is empty"), (fresh[:9], "knows no such token")):
            token.write_text(text)
            eventually(functools.partial(process.said, why), process)
            fleet.world.turn("unhealthy")
            eventually(lambda: len(servers(publication)) == 3, process)
            fleet.world.turn("healthy")
            eventually(lambda: len(servers(publication)) == 4, process)
        token.write_text(fresh)
        eventually(lambda: process.said(READ), process)
        assert [KEPT in line for line in troubles(process)] == [True] * 3
        after = revisions(publication)
        assert before.keys() == after.keys()
        follows(fleet, process, after)
        process.popen.send_signal(signal.SIGHUP)
        eventually(lambda: process.said("read again from their files: as before"), process)


READS_ALONE = RULES.replace('"write"', '"read"')
RENEWS_ALONE = re.sub(r'(key\w* .*)"write"', r'\1"read"', RULES)


@pytest.mark.parametrize("rules", [READS_ALONE, RENEWS_ALONE], ids=["reads alone", "renews, and writes no key"])
def test_a_token_that_may_do_less_is_told_and_the_old_one_stands(tmp_path: Path, rules: str) -> None:
    """Taken, it would let the leases end, or no change come through any more, while the old one is still good."""
    token = tmp_path / "token"
    with locked_fleet(tmp_path) as (server, fleet):
        token.write_text(server.admit(RULES))
        process = fleet.ready(fleet.start("a", "--store-token-file", str(token), "--ttl", "20"))
        before = revisions(fleet.publication)
        assert rules != RULES
        replaced(token, server.admit(rules))
        eventually(lambda: process.said(KEPT), process)
        follows(fleet, process, before)
        assert not process.said(READ)
        replaced(token, server.admit(RULES))
        eventually(lambda: process.said(READ), process)


def test_a_pipe_in_the_place_of_a_secret_holds_nobody_up(etcd_server: EtcdServer, tmp_path: Path) -> None:
    """Nobody writes into it: whoever waits for its end waits for ever."""
    password = tmp_path / "password"
    password.write_text("x")
    publication = Publication(etcd_server, "pipe")
    with ExitStack() as stack:
        stack.callback(publication.close)
        fleet = Fleet(publication, World(tmp_path / "world.json"), stack)
        login = ("--store-user", "bridge", "--store-password-file", str(password))
        process = fleet.ready(fleet.start("a", *login))
        before = revisions(publication)
        password.unlink()
        os.mkfifo(password)
        eventually(lambda: process.said("it did not end within"), process)
        follows(fleet, process, before)


class _Root(Publication):
    """Looked at with all rights."""

    def client(self) -> Store:
        """See `Publishing`."""
        self._clients.append(open_store(self.url, records_root=self.records, user="root", password="root"))
        return self._clients[-1]


def test_an_etcd_password_that_is_changed_there_and_in_its_file_is_taken_up_and_no_key_moves(tmp_path: Path) -> None:
    password = tmp_path / "password"
    folder = tmp_path / "etcd"
    folder.mkdir()
    with running_etcd(folder) as server, ExitStack() as stack:
        server.require_login("root")
        server.ask("auth/user/add", name="bridge", password="old")
        server.ask("auth/user/grant", user="bridge", role="root")
        publication = _Root(server, "traefik")
        stack.callback(publication.close)
        fleet = Fleet(publication, World(tmp_path / "world.json"), stack)
        password.write_text("old")
        login = ("--store-user", "bridge", "--store-password-file", str(password))
        process = fleet.ready(fleet.start("a", *login, "--ttl", "20"))
        before = revisions(publication)
        replaced(password, "new")
        eventually(lambda: process.said(KEPT), process)  # etcd does not know it yet
        server.ask("auth/user/changepw", name="bridge", password="new")
        eventually(lambda: process.said(READ), process)
        eventually(lambda: fleet.leader() == "a", process)
        follows(fleet, process, before)


def test_a_client_certificate_that_was_renewed_on_the_disk_is_shown_at_the_next_connection(tmp_path: Path) -> None:
    """The old one ends, and etcd is started again: who still had the old one would stay outside."""
    authority = trustme.CA()
    paths = {
        name: tmp_path / f"{name}.pem" for name in ("ca", "server_cert", "server_key", "client_cert", "client_key")
    }

    def issue(who: str, *names: str, lives: float = 3600) -> datetime:
        ends = datetime.now(UTC) + timedelta(seconds=lives)
        made = authority.issue_cert(*names, not_after=ends)
        for part, blob in (("key", made.private_key_pem), ("cert", made.cert_chain_pems[0])):
            new = tmp_path / "new"
            blob.write_to_path(new)
            new.replace(paths[f"{who}_{part}"])
        return ends

    authority.cert_pem.write_to_path(paths["ca"])
    issue("server", "127.0.0.1", "localhost")
    issue("client", "observer")
    observer = {name: tmp_path / f"observer_{name}.pem" for name in ("cert", "key")}
    for name, path in observer.items():
        path.write_bytes(paths[f"client_{name}"].read_bytes())
    told = Certificates(**{name: str(path) for name, path in paths.items()}, strange_ca="")
    folder = tmp_path / "etcd"
    folder.mkdir()
    with running_etcd(folder, certificates=told, client_certificates=True) as server, ExitStack() as stack:

        def look() -> _Shown:
            found = _Shown(server, "traefik", told.ca, *map(str, observer.values()))
            stack.callback(found.close)
            return found

        fleet = Fleet(look(), World(tmp_path / "world.json"), stack)
        ends = issue("client", "bridge", lives=20)
        shown = ("--store-ca", told.ca, "--store-cert", told.client_cert, "--store-key", told.client_key)
        process = fleet.ready(fleet.start("a", *shown))
        before = revisions(fleet.publication)
        issue("client", "bridge")
        eventually(lambda: process.said(READ), process)
        assert [line for line in troubles(process) if KEPT not in line] == []
        eventually(lambda: datetime.now(UTC) > ends + timedelta(seconds=1))
        server.kill()
        server.start()
        fleet.publication = look()
        follows(fleet, process, before)


class _Shown(Publication):
    """By TLS, with a certificate of its own."""

    def __init__(self, server: EtcdServer, prefix: str, ca: str, cert: str, key: str) -> None:
        self._files = (ca, cert, key)
        super().__init__(server, prefix)

    @property
    def url(self) -> str:
        """See `Publishing`."""
        return super().url.replace("etcd://", "etcd+https://")

    def client(self) -> Store:
        """See `Publishing`."""
        ca, cert, key = self._files
        self._clients.append(open_store(self.url, records_root=self.records, ca=ca, cert=cert, key=key))
        return self._clients[-1]
