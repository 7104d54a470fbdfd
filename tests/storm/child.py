"""`bridge`, as the tests run it: it tells what it committed, may be in a hurry, and stops where it shall.

The environment says it: STORM_JOURNAL names a file for the revisions that this process wrote; STORM_HURRY shortens
what else takes ten seconds and more; STORM_STOP names a path, and before the first transaction that deletes a key
which ends so, the process stops as by SIGSTOP; STORM_BLIND names a part of keys, which are then never compared.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

from bridge import leases
from bridge.cli import main
from bridge.model.change import Check, Committed, Conflict, Create, Delete, Item, Transaction, Update
from bridge.ownership import plan
from bridge.sources import file
from bridge.stores import consul
from bridge.stores.base import Store
from bridge.stores.etcd import Etcd

Commit = Callable[[Store, Transaction], Committed | Conflict]


def hurry() -> None:
    """Leases of two seconds, and what waits for ten waits for two."""
    leases.REPLICA_TTL = 2
    plan.LEAST_UNCLAIMED = 2.0
    file.LOOK = 0.1
    consul.SHORTEST_TTL = 2
    consul.LIMITS = replace(consul.LIMITS, shortest_ttl=2)
    consul.Consul.limits = consul.LIMITS


def told(commit: Commit, path: str) -> Commit:
    """Each revision that was written goes into the file before anything follows from it.

    But for those that only delete: of them Consul does not tell.
    """
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(store: Store, transaction: Transaction) -> Committed | Conflict:
        answer = commit(store, transaction)
        if isinstance(answer, Committed) and not all(isinstance(one, Delete) for one in transaction.changes):
            os.write(out, f"{answer.reading.revision}\n".encode())
        return answer

    return tell


def stopping(commit: Commit, ending: str) -> Commit:
    """Once, between a plan and its commit."""
    stopped = False

    def stop(store: Store, transaction: Transaction) -> Committed | Conflict:
        nonlocal stopped
        deletes = any(isinstance(one, Delete) and one.key.endswith(ending) for one in transaction.changes)
        if deletes and not stopped:
            stopped = True
            os.kill(os.getpid(), signal.SIGSTOP)
        return commit(store, transaction)

    return stop


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
            commit = stopping(commit, asked["STORM_STOP"])
        if "STORM_JOURNAL" in asked:
            commit = told(commit, asked["STORM_JOURNAL"])
        kind.commit = commit  # type: ignore[method-assign, assignment]
    return main()


if __name__ == "__main__":
    sys.exit(run())
