"""A watch of etcd in which nothing happens."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

import pytest

from bridge.model.change import Reading
from bridge.stores import open_store
from tests.servers import EtcdServer


def test_a_watch_at_rest_gives_its_sign_each_time_and_never_fails(
    etcd_server: EtcdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the server is the first to see that the time of a watch is over: else all would be read afresh."""
    monkeypatch.setattr("bridge.stores.etcd.BEAT", 0.25)  # in which a busy server begins it, too
    revision = etcd_server.revision()
    url = f"etcd://{etcd_server.endpoint}/rests"
    with closing(open_store(url, records_root="bridge/rests/")) as store:
        signs = list(islice(store.watch("/rests/", revision), 60))
    assert signs == [Reading("/rests/", revision, {}, whole=False)] * 60
