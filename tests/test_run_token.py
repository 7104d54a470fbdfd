"""`bridge run` on a Consul that is locked, with a token of its own in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bridge.stores import open_store
from bridge.stores.base import Store
from tests.publishing import ConsulPublication
from tests.servers import MANAGEMENT, ConsulServer, running_consul
from tests.test_consul import rules
from tests.test_run_etcd import Fleet, World, eventually, revisions, servers

RULES = rules("default")


class LockedPublication(ConsulPublication):
    """Looked at with all rights."""

    def client(self) -> Store:
        """See `Publishing`."""
        self._clients.append(open_store(self.url, records_root=self.records, token=MANAGEMENT))
        return self._clients[-1]


@contextmanager
def locked_fleet(folder: Path) -> Iterator[tuple[ConsulServer, Fleet]]:
    """A Consul that refuses whoever has no token, and bridges to be started on it."""
    with running_consul(folder, locked=True) as server, ExitStack() as stack:
        publication = LockedPublication(server, "traefik")
        stack.callback(publication.close)
        yield server, Fleet(publication, World(folder / "world.json"), stack)


def test_a_token_that_was_revoked_and_replaced_in_its_file_is_taken_up_before_a_lease_ends(tmp_path: Path) -> None:
    """At the shortest TTL, and although nothing else makes it ask the store: no route key moves."""
    token = tmp_path / "token"
    with locked_fleet(tmp_path) as (server, fleet):
        publication = fleet.publication
        token.write_text(server.admit(RULES))
        process = fleet.ready(fleet.start("a", "--store-token-file", str(token), "--ttl", "20"))
        before = revisions(publication)
        revoke(server, token)
        eventually(lambda: process.said("read again from their files: others now"), process)
        uuid = fleet.world.turn("unhealthy")
        eventually(lambda: len(servers(publication)) == 3, process)
        assert revisions(publication) == {path: at for path, at in before.items() if uuid not in path}


def revoke(server: ConsulServer, token: Path) -> None:
    """Another token stands in the file, and what stood there is one no more."""
    old = tokens(server)
    fresh = token.with_suffix(".new")
    fresh.write_text(server.admit(RULES))
    fresh.replace(token)
    for accessor in old:
        server.ask("DELETE", f"acl/token/{accessor}")


def tokens(server: ConsulServer) -> list[str]:
    """The accessors of those that were given out."""
    found = server.ask("GET", "acl/tokens")
    assert isinstance(found, list)
    return [row["AccessorID"] for row in found if any(one["Name"][0] == "p" for one in row.get("Policies", ()))]
