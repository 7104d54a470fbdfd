"""What `bridge run` promises while its store neither answers nor hangs up."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ConsulServer, EtcdServer, running_consul, running_etcd
from tests.test_run_etcd import ENDS_WITHIN, Fleet, World


@pytest.mark.parametrize("kind", ["etcd", "consul"])
def test_it_ends_within_two_seconds_though_its_leadership_cannot_be_given_back(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with ExitStack() as stack:
        server: EtcdServer | ConsulServer
        publication: Publishing
        if kind == "etcd":
            server = stack.enter_context(running_etcd(folder))
            publication = Publication(server, "frozen")
        else:
            server = stack.enter_context(running_consul(folder))
            publication = ConsulPublication(server, "frozen")
        stack.callback(publication.close)
        fleet = Fleet(publication, World(tmp_path / "world.json"), stack)
        process = fleet.ready(fleet.start())
        server.freeze()
        stack.callback(server.thaw)
        assert process.end() < ENDS_WITHIN
        assert process.popen.returncode == 0
        assert process.said("ends although the store has not answered")
