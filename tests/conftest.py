"""Servers that tests share, and a place of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.grounds import EtcdGround, Ground, MemoryGround
from tests.servers import Certificates, EtcdServer, running_etcd

_places = itertools.count(1)


@pytest.fixture(scope="session")
def etcd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """One etcd for all tests that neither stop nor lock it: each keeps to its own prefix."""
    with running_etcd(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Made once: it takes a moment."""
    return Certificates.made_in(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def etcd_ground(etcd_server: EtcdServer) -> Iterator[EtcdGround]:
    """A real etcd with a prefix that no other test uses."""
    ground = EtcdGround(etcd_server, f"t{next(_places)}/")
    yield ground
    ground.close()


@pytest.fixture(params=["memory", "etcd"])
def ground(request: pytest.FixtureRequest) -> Ground:
    """Every store, one after the other."""
    if request.param == "memory":
        return MemoryGround()
    found: EtcdGround = request.getfixturevalue("etcd_ground")
    return found
