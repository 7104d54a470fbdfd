"""`bridge`, as the tests run it: it tells what it committed, may be in a hurry, and stops where it shall.

The environment says it: STORM_JOURNAL names a file for the transactions of this process; STORM_HURRY shortens
what else takes ten seconds and more; STORM_STOP names a path, and before the first transaction that deletes a key
which ends so, the process stops as by SIGSTOP, or, where STORM_GATE names a file, makes it and waits until it is
gone with that transaction alone; STORM_BLIND names a part of keys, which are then never compared.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bridge import leases
from bridge.cli import main
from bridge.model.change import Check, Committed, Conflict, Create, Delete, Item, Transaction, Update
from bridge.ownership import plan
from bridge.sources import file
from bridge.stores import consul
from bridge.stores.base import Store
from bridge.stores.etcd import Etcd
from tests.storm.journal import told

Commit = Callable[[Store, Transaction], Committed | Conflict]


def hurry() -> None:
    """Leases of two seconds, and what waits for ten waits for two."""
    leases.REPLICA_TTL = 2
    plan.LEAST_UNCLAIMED = 2.0
    file.LOOK = 0.1
    consul.SHORTEST_TTL = 2
    consul.LIMITS = replace(consul.LIMITS, shortest_ttl=2)
    consul.Consul.limits = consul.LIMITS


def telling(commit: Commit, path: str) -> Commit:
    """Each transaction that was committed goes into the file before anything follows from it."""
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(store: Store, transaction: Transaction) -> Committed | Conflict:
        answer = commit(store, transaction)
        if isinstance(answer, Committed):
            revision = answer.reading.revision
            if isinstance(store, consul.Consul) and all(isinstance(one, Delete) for one in transaction.changes):
                revision = _of_deletion(store, [one.key for one in transaction.changes])
            os.write(out, f"{told(transaction, revision)}\n".encode())
        return answer

    return tell


def _of_deletion(store: consul.Consul, keys: Sequence[str]) -> int:
    """At which index they went, of which Consul tells nothing; 0 where each of them came again since.

    It keeps the index of a deletion for a while, for whoever waits for news of what begins with the key.
    """
    found = [store._anywhere(lambda agent: agent.pairs(key)) for key in keys]  # noqa: B023
    return min((index for index, pairs in found if not pairs), default=0)


def stopping(commit: Commit, ending: str, wait: Callable[[], None]) -> Commit:
    """Once, between a plan and its commit."""
    stopped = False

    def stop(store: Store, transaction: Transaction) -> Committed | Conflict:
        nonlocal stopped
        deletes = any(isinstance(one, Delete) and one.key.endswith(ending) for one in transaction.changes)
        if deletes and not stopped:
            stopped = True
            wait()
        return commit(store, transaction)

    return stop


def freeze() -> None:
    """Until the process is told to go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


def stand_before(gate: Path) -> None:
    """Until the file is gone; whatever else the process does, such as renew its leases, goes on."""
    gate.touch()
    while gate.exists():
        time.sleep(0.01)


def blind(commit: Commit, part: str) -> Commit:
    """What is compared of these keys is what stands now: a comparison that never fails."""

    def look_away(store: Store, transaction: Transaction) -> Committed | Conflict:
        changes: list[Create | Update | Delete] = []
        for one in transaction.changes:
            found = store.read(one.key).items.get(one.key) if part in one.key else None
            changes += _of_now(one, found) if part in one.key else [one]
        checks = tuple(check for check in transaction.checks if part not in check.key)
        assert all(isinstance(check, Check) for check in checks)
        return commit(store, Transaction(checks, tuple(changes)))

    return look_away


def _of_now(change: Create | Update | Delete, found: Item | None) -> list[Create | Update | Delete]:
    if isinstance(change, Delete):
        return [Delete(change.key, found.revision)] if found else []
    if found is None or change.lease is None:
        return [Create(change.key, change.value, change.lease)]
    return [Update(change.key, change.value, change.lease, found.revision, found.lease)]


def run() -> int:
    """As the environment says."""
    asked = os.environ
    if "STORM_HURRY" in asked:
        hurry()
    for kind in (Etcd, consul.Consul):
        commit: Commit = kind.commit  # type: ignore[assignment]
        if "STORM_BLIND" in asked:
            commit = blind(commit, asked["STORM_BLIND"])
        if "STORM_STOP" in asked:
            wait = partial(stand_before, Path(asked["STORM_GATE"])) if "STORM_GATE" in asked else freeze
            commit = stopping(commit, asked["STORM_STOP"], wait)
        if "STORM_JOURNAL" in asked:
            commit = telling(commit, asked["STORM_JOURNAL"])
        kind.commit = commit  # type: ignore[method-assign, assignment]
    return main()


if __name__ == "__main__":
    sys.exit(run())
