"""The first sync of a world against the same keys written by the bare client, and one flip, on a real etcd in one run.

python -m benchmarks.first_sync [--services 1000] [--containers 3]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

import grpc

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Item
from bridge.model.keys import Wish
from bridge.routes import Policy, judge_all
from bridge.sources.document import snapshot
from bridge.stores.etcd import TIMEOUT, lease_id
from bridge.stores.etcdrpc import TXN, message
from bridge.sync import lay_out, sync, with_standing
from tests.publishing import Publication
from tests.servers import EtcdServer, running_etcd
from tests.worlds.generate import document

ROUNDS = 7
TOGETHER = 128  # puts in one of the bare client's transactions: as many as etcd takes

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what came of it."""
    start = perf_counter()
    done = work()
    return perf_counter() - start, done


def bare(server: EtcdServer, items: dict[str, Item], records: str, *, compare: bool) -> None:
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
        for at in range(0, len(puts), TOGETHER):
            some = slice(at, at + TOGETHER)
            request = message("TxnRequest")(compare=absent[some] if compare else (), success=puts[some])
            TXN.ask(channel, request, TIMEOUT, ())


def flipped(wishes: dict[str, Wish]) -> dict[str, Wish]:
    """The same world but for one server that is gone."""
    name = next(group for group, wish in sorted(wishes.items()) if wish.own)
    gone = sorted(wishes[name].own)[0].rpartition("/")[0]
    own = {path: value for path, value in wishes[name].own.items() if not path.startswith(gone)}
    return {**wishes, name: replace(wishes[name], own=own)}


def publications(server: EtcdServer) -> Iterator[Publication]:
    """One prefix after the other, each empty."""
    for number in range(10_000):
        yield Publication(server, f"bench{number}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--containers", type=int, default=3, help="a service")
    asked = parser.parse_args()
    seen = snapshot(document(asked.services, asked.containers), "file:made")
    judging, (found, _) = timed(lambda: lay_out(judge_all(seen, Policy()), TRAEFIK1, "default"))
    wishes = with_standing(found, TRAEFIK1)
    ours: list[float] = []
    plain: list[float] = []
    compared: list[float] = []
    flips: list[float] = []
    with tempfile.TemporaryDirectory() as folder, running_etcd(Path(folder)) as server:
        fresh = publications(server)
        for _ in range(ROUNDS):
            here = next(fresh)
            seconds, report = timed(partial(sync, wishes, here.client(), here.settings()))
            ours.append(seconds)
            items = here.everything()
            for took, compare in ((plain, False), (compared, True)):
                took.append(written_bare(server, next(fresh), here, items, compare=compare))
            flips.append(timed(partial(sync, flipped(wishes), here.client(), here.settings()))[0])
            here.close()
    print(f"{asked.services} services x {asked.containers}: {len(items)} keys, {report.transactions} transactions")
    print(f"labels to wishes {judging * 1e3:.0f} ms, once")
    for took, name in ((plain, "the bare client"), (compared, "the bare client, comparing")):
        print(f"first sync {median(ours) * 1e3:.0f} ms, {name} {median(took) * 1e3:.0f} ms: ", end="")
        print(f"{median(took) / median(ours):.2f} of its speed")
    print(f"one flip, a whole one-shot sync with its readings: {median(flips) * 1e3:.0f} ms")


def written_bare(
    server: EtcdServer, there: Publication, here: Publication, items: dict[str, Item], *, compare: bool
) -> float:
    """Seconds to write what stands `here` over `there`, leases granted before."""
    client = there.client()
    for name in {item.lease for item in items.values() if item.lease}:
        client.ensure(name)
    moved = {key.replace(here.prefix, there.prefix): item for key, item in items.items()}
    took, _ = timed(partial(bare, server, moved, there.records.rstrip("/"), compare=compare))
    there.close()
    return took


if __name__ == "__main__":
    main()
