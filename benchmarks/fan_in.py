"""What several clusters cost each other: a join beside a cluster that stands, and one bridge among many.

First on a real etcd and a real Consul, in both layouts: a cluster joins another one that publishes the same services,
one of its containers flips, and it rests; keys and transactions are counted, and its time is told beside that of the
first cluster in the same run.

Then in memory, without any network: what a bridge needs while few or many clusters publish those services, as a
multiple of what it needs while one does. All that a bridge reads grows with the clusters, so the number of keys is told
in the same way: a start and a join should cost no more, and news of one container far less.

python -m benchmarks.fan_in [--services 100] [--containers 3] [--store etcd consul] [--clusters 1 5 20]
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from statistics import median
from time import monotonic
from typing import cast

from benchmarks.first_sync import flipped, publications, timed
from bridge.layouts import RouteLayout, Target, layout
from bridge.leases import Keeper
from bridge.model.change import LeaseName, Reading
from bridge.model.keys import Publisher, Wish
from bridge.routes import Policy, judge_all
from bridge.sources.document import snapshot
from bridge.stores.base import Store
from bridge.stores.memory import Memory, MemoryServer
from bridge.sync import lay_out, sync, with_standing
from bridge.writer import Settings, Writer
from tests.publishing import Publishing
from tests.worlds.generate import document

LAYOUTS = (layout("traefik1"), layout("traefik3", Target((3, 7))))
ROUNDS = 5
PASSES = 15
READ_TIME = 2.0  # seconds; never waited for
TTL = 60  # seconds
TREE, RECORDS = "traefik/", "bridge/traefik/"

Wishes = dict[str, Wish]
_processes = count()


def wished(number: int, services: int, containers: int, layout: RouteLayout) -> Wishes:
    """What the cluster of this number wants: the same services in each, on containers of its own."""
    seen = snapshot(document(services, containers, seed=number), "file:made")
    found, _ = lay_out(judge_all(seen, Policy(name(number))), layout, name(number))
    return with_standing(found, layout)


def name(number: int) -> str:
    """Of a cluster."""
    return f"c{number}"


def settings(number: int, layout: RouteLayout, tree: str, records: str) -> Settings:
    """Of one more process."""
    token = f"t{next(_processes)}"
    publisher = Publisher(layout, tree, records, name(number))
    return Settings(publisher, f"environment {number}", "1", TTL, token, token, READ_TIME)


# On a real store


def beside(store: str, services: int, containers: int) -> None:
    """Print what a join, a flip and a rest cost on one store."""
    with publications(store) as fresh:
        for one in LAYOUTS:
            wishes = [wished(number, services, containers, one) for number in range(2)]
            rounds = [_joined(next(fresh), store, one, wishes) for _ in range(ROUNDS)]
            told, _, _ = rounds[0]
            first, join = (median(seconds) for seconds in zip(*(took for _, *took in rounds), strict=True))
            print(f"{store}, {one.name}: {services} services x {containers} join as many")
            print(*told, sep="\n")
            print(f"  the join takes {join / first:.2f} of the first cluster's time ({1e3 * join:.0f} ms)", flush=True)


def _joined(
    here: Publishing, store: str, one: RouteLayout, wishes: Sequence[Wishes]
) -> tuple[tuple[str, ...], float, float]:
    """What is told of one round; seconds of the first cluster's sync, and of the one that joins."""
    place = partial(settings, layout=one, tree=one.tree_prefix(here.prefix, store), records=here.records)
    first, _ = timed(partial(sync, wishes[0], here.client(), place(0)))
    told = []
    took = 0.0
    steps = {"join": wishes[1], "one flip": flipped(wishes[1]), "and back": wishes[1], "at rest": wishes[1]}
    for what, wanted in steps.items():
        before = here.revision()
        seconds, report = timed(partial(sync, wanted, here.client(), place(1)))
        took = took or seconds
        keys = [change.key for change in report.written]
        traefik = sum(key.startswith(one.tree_prefix(here.prefix, store)) for key in keys)
        line = f"  {what}: {traefik} keys of Traefik's and {len(keys) - traefik} records"
        line += f" in {report.transactions} transactions"
        told.append(line if here.revision() > before else f"  {what}: nothing is written")
    here.close()
    return tuple(told), first, took


# In memory


@dataclass(frozen=True)
class Cost:
    """What a bridge of the first cluster needs; times in seconds, the least of some."""

    keys: float  # that it reads, of ours and of Traefik's
    memory: float  # bytes that it keeps of them
    start: float  # it reads all, and plans
    rest: float  # it plans, and nothing is new
    flip: float  # one of its containers is gone: it plans and writes
    news: float  # its follower hears of that, and of nothing else, as on etcd, and plans
    whole: float  # the same where it hears of all keys again, as on Consul
    join: float  # one more cluster reads all, and plans its join


class Unending:
    """A keeper, where no lease ends."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def keep(self, names: Iterable[LeaseName]) -> None:
        """See `Keeper`."""
        for one in names:
            self.store.ensure(one)

    def forget(self) -> None:
        """See `Keeper`."""


class Bridge:
    """One that lives on, and the store as it sees it."""

    def __init__(self, server: MemoryServer, number: int, layout: RouteLayout) -> None:
        self.store = Memory(server)
        self.keeper = Unending(self.store)
        self.pause = 0.0  # seconds that were not waited
        told = settings(number, layout, TREE, RECORDS)
        self.writer = Writer(self.store, told, lambda: monotonic() + self.pause)

    def start(self, wishes: Wishes) -> None:
        """Read all and plan."""
        self.writer.look()
        self.writer.plan(wishes, hold=False)

    def settle(self, wishes: Wishes) -> None:
        """Read all, and write until nothing is left to do."""
        self.writer.look()
        while not (due := self.writer.plan(wishes, hold=False)).done:
            self.pause += READ_TIME * bool(due.waits)
            self.writer.commit(cast(Keeper, self.keeper), due, lambda _written, _planned: None)

    def act(self, wishes: Wishes) -> None:
        """One pass: what is due now."""
        due = self.writer.plan(wishes, hold=False)
        self.writer.commit(cast(Keeper, self.keeper), due, lambda _written, _planned: None)
        self.writer.plan(wishes, hold=False)

    def hear(self, news: Reading, wishes: Wishes) -> None:
        """What its watch says, and plan."""
        self.writer.fold(news)
        self.writer.plan(wishes, hold=False)


def among(clusters: int, wishes: Sequence[Wishes], layout: RouteLayout) -> Cost:
    """What a bridge needs while so many clusters publish."""
    server = MemoryServer()
    bridges = [Bridge(server, number, layout) for number in range(clusters)]
    for one, wanted in zip(bridges, wishes, strict=False):
        one.settle(wanted)
    wanted, newcomers = wishes[0], wishes[clusters]
    tracemalloc.start()
    kept = Bridge(server, 0, layout)
    kept.start(wanted)
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    mine, follower = bridges[0], Bridge(server, 0, layout)
    mine.settle(wanted)
    follower.start(wanted)
    flips, news, whole = list[float](), list[float](), list[float]()
    for at in range(2 * PASSES):
        flip = wanted if at % 2 else flipped(wanted)
        mine.writer.forget_written()
        flips.append(timed(partial(mine.act, flip))[0])
        said = follower.store.read(TREE)
        keys = {change.key for change in mine.writer.forget_written()}
        some = replace(said, items={key: said.items.get(key) for key in keys}, whole=False)
        told, took = (said, whole) if at % 4 < 2 else (some, news)
        took.append(timed(partial(follower.hear, told, flip))[0])
    return Cost(
        keys=len(server._items),
        memory=memory,
        start=_least(lambda: Bridge(server, 0, layout).start(wanted)),
        rest=_least(lambda: mine.writer.plan(wanted, hold=False)),
        flip=min(flips),
        news=min(news),
        whole=min(whole),
        join=_least(lambda: Bridge(server, clusters, layout).start(newcomers)),
    )


def _least(work: Callable[[], object]) -> float:
    return min(timed(work)[0] for _ in range(PASSES))


def together(numbers: Sequence[int], services: int, containers: int) -> None:
    """Print what a bridge needs among few and many clusters."""
    for one in LAYOUTS:
        wishes = [wished(number, services, containers, one) for number in range(max(numbers) + 1)]
        alone = among(1, wishes, one)
        times = ", ".join(f"{what} {1e3 * getattr(alone, what):.2f}" for what in TIMES)
        print(f"{one.name}, one cluster: {alone.keys} keys, {alone.memory / 1e6:.1f} MB, in ms: {times}")
        for clusters in numbers:
            if clusters > 1:
                found = among(clusters, wishes, one)
                ratios = ((what, getattr(found, what) / getattr(alone, what)) for what in ("keys", "memory", *TIMES))
                told = ", ".join(f"{what} {ratio:.1f}" for what, ratio in ratios)
                print(f"  {clusters} clusters, times one: {told}", flush=True)


TIMES = ("start", "join", "rest", "flip", "news", "whole")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--containers", type=int, default=3, help="a service")
    parser.add_argument("--store", nargs="*", choices=("etcd", "consul"), default=("etcd", "consul"))
    parser.add_argument("--clusters", type=int, nargs="*", default=(1, 5, 20))
    asked = parser.parse_args()
    for store in asked.store:
        beside(store, asked.services, asked.containers)
    if asked.clusters:
        together(asked.clusters, asked.services, asked.containers)


if __name__ == "__main__":
    main()
