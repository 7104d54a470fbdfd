"""Servers that tests share, and a place of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests.grounds import ConsulGround, EtcdGround, Ground, MemoryGround
from tests.servers import Certificates, ConsulServer, EtcdServer, running_consul, running_etcd
from tests.workers import Scheduling, sendable

settings.register_profile("suite", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("suite")

_places = itertools.count(1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """A worker cannot send half a surrogate pair, and tests log such words."""
    return sendable((yield))


@pytest.fixture(scope="session")
def etcd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """One etcd for all tests that neither stop nor lock it: each keeps to its own prefix."""
    with running_etcd(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture(scope="session")
def consul_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulServer]:
    """One Consul, as `etcd_server` is one etcd."""
    with running_consul(tmp_path_factory.mktemp("consul")) as server:
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


@pytest.fixture
def consul_ground(consul_server: ConsulServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsulGround]:
    """A real Consul with a prefix that no other test uses, and which takes leases that end soon."""
    monkeypatch.setattr("bridge.stores.consul.SHORTEST_TTL", 1)
    ground = ConsulGround(consul_server, f"t{next(_places)}/")
    yield ground
    ground.close()


@pytest.fixture(params=["memory", "etcd", "consul"])
def ground(request: pytest.FixtureRequest) -> Ground:
    """Every store, one after the other."""
    if request.param == "memory":
        return MemoryGround()
    found: Ground = request.getfixturevalue(f"{request.param}_ground")
    return found
