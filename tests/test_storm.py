"""Five clusters come and go by chance, as real processes on a real store, beneath requests through a real Traefik 3."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storm.weather import storm


@pytest.mark.timeout(400)  # on a machine that runs other things too
@pytest.mark.parametrize("kind", ["etcd", "consul"])
def test_five_clusters_at_random_break_no_promise_and_fail_no_request(tmp_path: Path, kind: str) -> None:
    """More of it: `python -m tests.storm etcd 7 300`."""
    told = storm(kind, tmp_path, seed=1, rounds=40)
    print(told)
    assert told.faults == [], told.log
    assert told.requests > 100
    assert sum(told.happened.values()) > 20
