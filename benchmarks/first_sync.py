"""The first sync of a world against the same keys written by the bare client, and one flip, on a real store in one run.

python -m benchmarks.first_sync [--services 1000] [--containers 3] [--store etcd consul]
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

import grpc
import requests

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Item
from bridge.model.keys import Wish
from bridge.routes import Policy, judge_all
from bridge.sources.document import snapshot
from bridge.stores.etcd import TIMEOUT, lease_id
from bridge.stores.etcdrpc import TXN, message
from bridge.sync import lay_out, sync, with_standing
from tests.publishing import ConsulPublication, Publication, Publishing
from tests.servers import ConsulServer, EtcdServer, running_consul, running_etcd
from tests.worlds.generate import document

ROUNDS = 7
TOGETHER = {"etcd": 128, "consul": 64}  # operations in one of the bare client's transactions: as many as go

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what came of it."""
    start = perf_counter()
    done = work()
    return perf_counter() - start, done


def bare_etcd(server: EtcdServer, items: dict[str, Item], records: str, *, compare: bool) -> None:
    """The same keys and leases by nothing but etcd's messages: no reading, no plan; with `compare` none overwritten."""
    keys = [key.encode() for key in items]
    puts = [
        {
            "request_put": {
                "key": key,
                "value": item.value.encode(),
                "lease": lease_id(records, item.lease) if item.lease else 0,
            }
        }
        for key, item in zip(keys, items.values(), strict=True)
    ]
    absent = [{"target": "MOD", "result": "EQUAL", "key": key, "mod_revision": 0} for key in keys]
    with grpc.insecure_channel(server.endpoint) as channel:
        for at in range(0, len(puts), TOGETHER["etcd"]):
            some = slice(at, at + TOGETHER["etcd"])
            request = message("TxnRequest")(compare=absent[some] if compare else (), success=puts[some])
            TXN.ask(channel, request, TIMEOUT, ())


def bare_consul(server: ConsulServer, items: dict[str, Item], records: str, *, compare: bool) -> None:
    """The same by nothing but requests to Consul; a key that is compared takes two operations."""
    found = server.ask("GET", "session/list")
    assert isinstance(found, list)
    sessions = {session["Name"]: session["ID"] for session in found}
    operations = []
    for key, item in items.items():
        value = base64.b64encode(item.value.encode()).decode()
        lock = {"Verb": "lock", "Key": key, "Value": value, "Session": sessions[f"{records}/{item.lease}"]}
        operations += [{"KV": {"Verb": "check-not-exists", "Key": key}}] if compare else []
        operations.append({"KV": lock})
    with requests.Session() as session:
        for at in range(0, len(operations), TOGETHER["consul"]):
            some = operations[at : at + TOGETHER["consul"]]
            session.put(f"http://{server.endpoint}/v1/txn", json=some, timeout=TIMEOUT).raise_for_status()


def bare(here: Publishing, items: dict[str, Item], records: str, *, compare: bool) -> None:
    """The same keys and leases by nothing but the store's own messages."""
    if isinstance(here, ConsulPublication):
        bare_consul(here.server, items, records, compare=compare)
    elif isinstance(here, Publication):
        bare_etcd(here.server, items, records, compare=compare)


def flipped(wishes: dict[str, Wish]) -> dict[str, Wish]:
    """The same world but for one server that is gone."""
    name = next(group for group, wish in sorted(wishes.items()) if wish.own)
    gone = sorted(wishes[name].own)[0].rpartition("/")[0]
    own = {path: value for path, value in wishes[name].own.items() if not path.startswith(gone)}
    return {**wishes, name: replace(wishes[name], own=own)}


@contextmanager
def publications(store: str) -> Iterator[Iterator[Publishing]]:
    """One prefix after the other, each empty, in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if store == "consul":
            with running_consul(Path(folder)) as consul:
                yield (ConsulPublication(consul, f"bench{number}x") for number in range(10_000))
        else:
            with running_etcd(Path(folder)) as etcd:
                yield (Publication(etcd, f"bench{number}x") for number in range(10_000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--containers", type=int, default=3, help="a service")
    parser.add_argument("--store", nargs="+", choices=("etcd", "consul"), default=("etcd", "consul"))
    asked = parser.parse_args()
    seen = snapshot(document(asked.services, asked.containers), "file:made")
    judging, (found, _) = timed(lambda: lay_out(judge_all(seen, Policy()), TRAEFIK1, "default"))
    print(f"{asked.services} services x {asked.containers}: labels to wishes {judging * 1e3:.0f} ms, once")
    for store in asked.store:
        measure(store, with_standing(found, TRAEFIK1))


def measure(store: str, wishes: dict[str, Wish]) -> None:
    """Print what a first sync costs on one store."""
    ours: list[float] = []
    plain: list[float] = []
    compared: list[float] = []
    flips: list[float] = []
    with publications(store) as fresh:
        for _ in range(ROUNDS):
            here = next(fresh)
            seconds, report = timed(partial(sync, wishes, here.client(), here.settings()))
            ours.append(seconds)
            items = here.everything()
            for took, compare in ((plain, False), (compared, True)):
                took.append(written_bare(next(fresh), here, items, compare=compare))
            flips.append(timed(partial(sync, flipped(wishes), here.client(), here.settings()))[0])
            here.close()
    print(f"{store}: {len(items)} keys, {report.transactions} transactions")
    for took, name in ((plain, "the bare client"), (compared, "the bare client, comparing")):
        print(f"  first sync {median(ours) * 1e3:.0f} ms, {name} {median(took) * 1e3:.0f} ms: ", end="")
        print(f"{median(took) / median(ours):.2f} of its speed")
    print(f"  one flip, a whole one-shot sync with its readings: {median(flips) * 1e3:.0f} ms")


def written_bare(there: Publishing, here: Publishing, items: dict[str, Item], *, compare: bool) -> float:
    """Seconds to write what stands `here` over `there`, leases granted before."""
    client = there.client()
    for name in {item.lease for item in items.values() if item.lease}:
        client.ensure(name)
    moved = {key.replace(here.prefix, there.prefix): item for key, item in items.items()}
    took, _ = timed(partial(bare, there, moved, there.records.rstrip("/"), compare=compare))
    there.close()
    return took


if __name__ == "__main__":
    main()
