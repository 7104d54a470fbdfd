"""Figures for Prometheus, made from the board at each request: nobody counts for them but the loops themselves."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from bridge.daemon.status import BUCKETS, Status, Vitals
from bridge.model.change import FOR_EVER, LeaseName
from bridge.model.problem import Problem
from bridge.web.board import Board
from bridge.web.health import health, readiness

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
WHOSE = ("cluster", "layout")  # labels of all that is a publisher's

# What a problem comes to, by how the bridge's answer to it begins: few words, whatever labels say. The first that fits.
REASONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("no_route", ("no route", "no frontend", "published no route", "left the service")),
    (
        "no_server",
        (
            "published no server",
            "published none of its servers",
            "kept new servers",
            "kept this cluster's",
            "that cluster keeps",
            "cluster ",
        ),
    ),
    ("frozen", ("froze", "left the group", "older ones")),
    ("foreign_key", ("left it alone",)),
    ("overruled", ("the decider's", "kept the decider's", "published it alone")),
    ("restored", ("wrote it again",)),
    (
        "left_out",
        (
            "left",
            "ignored",
            "wrote no key",
            "wrote the rule without",
            "published without",
            "published it without",
            "drained nothing",
            "asked for no",
        ),
    ),
)
OTHER, NOTICE = "value_replaced", "notice"
REASON_NAMES = (*(name for name, _ in REASONS), OTHER, NOTICE)


def reason_of(problem: Problem) -> str:
    """One of REASON_NAMES."""
    if problem.notice:
        return NOTICE
    return next((name for name, begins in REASONS if problem.did.startswith(begins)), OTHER)


Samples = Iterator[tuple[tuple[str, ...], float]]  # values of further labels, and the figure


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: a metric, and how it is read from a publisher."""

    name: str  # without _total
    help: str
    read: Callable[[Status, Vitals], Samples]
    counts: bool = False  # it only grows
    labels: tuple[str, ...] = ()  # besides WHOSE


def _one(read: Callable[[Status], float | None]) -> Callable[[Status, Vitals], Samples]:
    """A figure without further labels; none where there is nothing to tell."""

    def samples(status: Status, _vitals: Vitals) -> Samples:
        value = read(status)
        if value is not None:
            yield (), float(value)

    return samples


def _each(read: Callable[[Status], Mapping[str, int]]) -> Callable[[Status, Vitals], Samples]:
    """A figure with one further label."""
    return lambda status, _vitals: (((name,), float(value)) for name, value in read(status).items())


def _problems(status: Status) -> Mapping[str, int]:
    found = Counter(dict.fromkeys(REASON_NAMES, 0))
    found.update(map(reason_of, status.report.problems if status.report else ()))
    return found


def _kind(lease: LeaseName) -> str:
    """cluster, fleet, standing or replica."""
    first, _, rest = lease.family.partition("/")
    return first if first != "c" else "replica" if "/" in rest else "cluster"


def _leads(status: Status, vitals: Vitals) -> Samples:
    """One that the store does not hear any more does not know yet who leads, and it is no longer this one."""
    if not status.dry_run:
        over = {*vitals.lost, *(name for name, age in vitals.leases.items() if age > name.ttl)}
        yield (), float(status.leads and not any(_kind(name) == "replica" for name in over))


def _renewed(_status: Status, vitals: Vitals) -> Samples:
    now = time.time()
    for kind, (age, _) in _by_kind(vitals).items():
        yield (kind,), now - age


def _ttl(_status: Status, vitals: Vitals) -> Samples:
    for kind, (_, ttl) in _by_kind(vitals).items():
        yield (kind,), ttl


def _by_kind(vitals: Vitals) -> dict[str, tuple[float, float]]:
    """Age of the last renewal, and TTL, of the one lease of each kind that is nearest to its end.

    Of the fleet's there are several where clusters have several TTLs: the age of one says nothing beside another's TTL.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, age in sorted(vitals.leases.items(), key=lambda one: str(one[0])):
        one = (age, math.inf if name.ttl == FOR_EVER else float(name.ttl))
        found[_kind(name)] = max(found.get(_kind(name), one), one, key=lambda its: its[0] / its[1])
    return found


# The order is that of the answer and of docs/metrics.md.
FIGURES: tuple[Figure, ...] = (
    Figure(
        "bridge_syncs",
        "Passes over the source's last reading: wrote, unchanged, held, follows, failed.",
        _each(lambda status: {one.value: count for one, count in status.counts.passes.items()}),
        counts=True,
        labels=("outcome",),
    ),
    Figure(
        "bridge_changes",
        "Traefik's keys that were added, changed and removed.",
        _each(lambda status: status.counts.changes),
        counts=True,
        labels=("kind",),
    ),
    Figure(
        "bridge_conflicts",
        "Transactions that found something else in the store than was read; each is planned again.",
        _one(lambda status: status.counts.conflicts),
        counts=True,
    ),
    Figure(
        "bridge_errors",
        "Failures of the source and of the store.",
        _each(lambda status: status.counts.errors),
        counts=True,
        labels=("of",),
    ),
    Figure(
        "bridge_problems",
        "What is wrong now, by what it comes to; notice: nothing to mend.",
        _each(_problems),
        labels=("reason",),
    ),
    Figure(
        "bridge_routes",
        "Services that have a route.",
        _one(lambda status: sum(one.route is not None for one in status.report.verdicts) if status.report else None),
    ),
    Figure(
        "bridge_servers",
        "Servers of this cluster that stand in the store.",
        _one(lambda status: status.report.servers if status.report else None),
    ),
    Figure(
        "bridge_last_success_timestamp_seconds",
        "When a pass last went well, a follower's too.",
        _one(lambda status: status.synced_at),
    ),
    Figure(
        "bridge_snapshot_timestamp_seconds",
        "When the source last answered; with nothing new too.",
        _one(lambda status: status.read_at),
    ),
    Figure(
        "bridge_lease_renewal_timestamp_seconds",
        "When the lease that is nearest to its end was last renewed: cluster, fleet, standing or replica.",
        _renewed,
        labels=("lease",),
    ),
    Figure(
        "bridge_lease_ttl_seconds",
        "How long it lives unrenewed; +Inf: for ever.",
        _ttl,
        labels=("lease",),
    ),
    Figure(
        "bridge_leader",
        "1 where this process writes, 0 where it follows; a dry run does neither.",
        _leads,
    ),
    Figure("bridge_brake_shut", "1 while the brake holds removals.", _one(lambda status: status.is_shut)),
    Figure(
        "bridge_held_removals",
        "Servers whose removal waits for the brake, or for a second reading of the source.",
        _one(lambda status: status.report.held if status.report else 0),
    ),
)
DURATION = "bridge_sync_duration_seconds"
DURATION_HELP = "How long the passes that wrote took, from the first plan to the last answer of the store."
READY, HEALTHY = "bridge_ready", "bridge_healthy"
READY_HELP, HEALTHY_HELP = "1 where /readyz has no reason against it.", "1 where /healthz has no reason against it."
RELOADED = "bridge_config_last_reload_success_timestamp_seconds"
RELOADED_HELP = "When the options were last read without a fault: at the start, or at a SIGHUP."
RELOADS, RELOADS_HELP = "bridge_config_last_reload_successful", "0 where the last SIGHUP found a fault in the options."
BUILD, BUILD_HELP = "bridge_build", "Version of the bridge, and of Python."


class _Figures:
    """What prometheus_client asks at each request."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        seen = [(one.status, one.vitals()) for one in self._board.publishers]
        for figure in FIGURES:
            kind = CounterMetricFamily if figure.counts else GaugeMetricFamily
            family = kind(figure.name, figure.help, labels=(*WHOSE, *figure.labels))
            for status, vitals in seen:
                for values, value in figure.read(status, vitals):
                    family.add_metric((*_whose(status), *values), value)
            yield family
        duration = HistogramMetricFamily(DURATION, DURATION_HELP, labels=WHOSE)
        for status, _ in seen:
            duration.add_metric(_whose(status), _buckets(status), status.counts.seconds)
        yield duration
        for name, text, found in (
            (READY, READY_HELP, readiness(self._board)),
            (HEALTHY, HEALTHY_HELP, health(self._board)),
        ):
            state = GaugeMetricFamily(name, text, labels=WHOSE)
            for one in found:
                state.add_metric((one.cluster, one.layout), float(not one.reasons))
            yield state
        if self._board.options is not None:
            read = self._board.options()
            yield GaugeMetricFamily(RELOADED, RELOADED_HELP, read.read_at)
            yield GaugeMetricFamily(RELOADS, RELOADS_HELP, float(read.is_well))
        python = ".".join(map(str, sys.version_info[:3]))
        yield InfoMetricFamily(BUILD, BUILD_HELP, value={"version": self._board.version, "python": python})


def _whose(status: Status) -> tuple[str, str]:
    return status.cluster, status.layout


def _buckets(status: Status) -> list[tuple[str, float]]:
    """Each counts all below its end, as Prometheus has them."""
    ends = [*map(str, BUCKETS), "+Inf"]
    found, total = [], 0
    for end, count in zip(ends, status.counts.buckets, strict=True):
        total += count
        found.append((end, float(total)))
    return found


def exposition(board: Board) -> bytes:
    """All of it in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    figures: Collector = _Figures(board)
    registry.register(figures)
    ProcessCollector(registry=registry)
    return generate_latest(registry)
