"""One pass: read what stands, plan, lead, commit, and go on until nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from bridge.layouts import Claimed, NoCounterpart, RouteLayout, nothing_claimed
from bridge.leases import Keeper, replica_ttl
from bridge.model.keys import STANDING, Publisher, Wish, other_form, route_name
from bridge.model.problem import Problem
from bridge.model.route import Route, Verdict
from bridge.ownership.brake import Brake, brake
from bridge.ownership.differences import Difference
from bridge.ownership.drains import Drains, read_drains
from bridge.ownership.plan import Plan
from bridge.ownership.records import drain_records
from bridge.ownership.standing import Standing, unclaimed
from bridge.ownership.steps import Wait
from bridge.report import Outcome, Report
from bridge.routes import Rank
from bridge.stores.base import Store
from bridge.writer import Settings, Writer

_WON = "published nothing of what the service's labels of older Traefiks ask for"
POLL = 0.5  # seconds between two looks at a leader that may have died


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time comes from: in tests, a clock that is moved by hand."""

    now: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass is, for whoever shows it."""

    written: int  # changes
    planned: int  # changes, of those that are due now
    waiting: tuple[Wait, ...] = ()  # what the pass waits for before it goes on
    seconds: float = 0.0  # how long it waits


@dataclass(frozen=True, slots=True)
class Laid:
    """A route in a layout."""

    route: Route  # as far as it is published
    wish: Wish
    losses: tuple[Problem, ...]


def lay_out(
    verdicts: Iterable[Verdict],
    layout: RouteLayout,
    cluster: str,
    known: dict[str, Laid] | None = None,
    claimed: Claimed = nothing_claimed,
) -> tuple[dict[str, Wish], tuple[Problem, ...]]:
    """What the routes ask of a layout, by group; a route that cannot be laid out is a problem and nothing else.

    `claimed`: what this cluster's claims ask for, as `claims` tells it.
    `known` is kept from one call to the next by whoever wants routes that did not change to cost nothing.
    """
    verdicts = tuple(verdicts)
    both = (one for one in verdicts if one.native and one.native.asked and one.route)
    beaten = {one.service: one.native.label for one in both if one.native} if layout.speaks_native else {}
    routes = {one.route.title: one.route for one in verdicts if one.route and one.service not in beaten}
    laid, refused, missing = _lay_routes(routes, layout, cluster, known or {})
    asking = [verdict.native for verdict in verdicts if verdict.native]
    natives = layout.natives(asking, cluster, claimed, {title: one.wish for title, one in laid.items()})
    if natives.beaten:  # others may refer to what is gone
        left = {title: route for title, route in routes.items() if title not in natives.beaten}
        laid, refused, missing = _lay_routes(left, layout, cluster, laid)
    if known is not None:
        known.clear()
        known.update(laid)
    losses = (problem for one in laid.values() for problem in one.losses)
    won = (
        Problem(title, label, "", "it speaks to this Traefik itself", _WON, notice=True)
        for title, label in beaten.items()
    )
    problems = tuple(dict.fromkeys((*refused, *losses, *missing, *natives.problems, *won)))
    return {**{one.wish.group: one.wish for one in laid.values()}, **natives.wishes}, problems


def _lay_routes(
    routes: Mapping[str, Route], layout: RouteLayout, cluster: str, known: Mapping[str, Laid]
) -> tuple[dict[str, Laid], list[Problem], list[Problem]]:
    """Those that can be laid out, by title; what of the others is to be told, and of what they miss."""
    laid, refused = dict(known), dict[str, Problem]()
    while True:
        left = [route for title, route in routes.items() if title not in refused]
        grounded = _grounded(left, layout)
        before = len(refused)
        for route, _ in grounded:
            if route.title not in laid or laid[route.title].route != route:
                try:
                    laid[route.title] = Laid(route, layout.wish(route, cluster), layout.losses(route))
                except ValueError as err:
                    refused[route.title] = _cannot(route, layout, err)
        if len(refused) == before:  # else something may refer to what is refused
            break
    missing = [problem for _, problems in grounded for problem in problems]
    return {route.title: laid[route.title] for route in left}, list(refused.values()), missing


def _grounded(routes: list[Route], layout: RouteLayout) -> list[tuple[Route, tuple[Problem, ...]]]:
    """The routes without what refers to a backend of none of them."""
    if not any(frontend.errors for route in routes for frontend in route.frontends):
        return [(route, ()) for route in routes]
    backends = {
        route_name(route.service, route.stack, backend.segment) for route in routes for backend in route.backends
    }
    return [layout.grounded(route, backends) for route in routes]


def _cannot(route: Route, layout: RouteLayout, err: ValueError) -> Problem:
    did = f"published no route for {layout.name}"
    if isinstance(err, NoCounterpart):
        return Problem(route.title, err.label, err.value, err.reason, did)
    return Problem(route.title, "", "", f"no key of it may be written: {err}", did)


def with_standing(wishes: Mapping[str, Wish], layout: RouteLayout) -> dict[str, Wish]:
    """The wishes and that for the layout's standing group."""
    return {**wishes, STANDING: Wish(STANDING, layout.standing(), {}, title=STANDING)}


def drains_in(store: Store, publisher: Publisher) -> Drains:
    """What an operator drained of the publisher's cluster. Reads only. Raises StoreError."""
    prefix = publisher.records + drain_records(publisher.cluster)
    items = store.read(prefix).items
    found = {key.removeprefix(publisher.records): item.value for key, item in items.items() if item is not None}
    return read_drains(publisher.records, publisher.cluster, found)


def survey(store: Store, settings: Settings) -> Standing:
    """What stands. Reads only. Raises StoreError, and UsageError for another environment's cluster."""
    writer = Writer(store, settings, time.monotonic)
    writer.look()
    return writer.standing


def seniority(standing: Standing, layout: RouteLayout, cluster: str) -> Rank:
    """Who of two services that ask for the same requests was there first, by what the cluster claims.

    First whose claim asks for what it asks for now, then whose claim asked for something else: nobody takes requests
    from another by changing its labels. Of two claims the older counts. Last comes what no key can be written of.
    """

    def rank(route: Route) -> tuple[int, int]:
        try:
            wish = layout.wish(route, cluster)
        except ValueError:
            return (3, 0)
        names = (wish.group, other_form(wish.group, cluster))  # the latter where --fan-in was another before
        groups = (standing.groups.get(name) for name in names)
        claim = next((claim for group in groups if group and (claim := group.claim_of(cluster))), None)
        if claim is None:
            return (2, 0)
        same = claim.keys is not None and _frontends(claim.keys, layout) == _frontends(wish.shared, layout)
        return (0 if same else 1, claim.held.created)

    return rank


def claims(standing: Standing, cluster: str) -> Claimed:
    """What the cluster's claims ask for, by group."""

    def claimed(name: str) -> Mapping[str, str] | None:
        group = standing.groups.get(name)
        claim = group.claim_of(cluster) if group else None
        return claim.keys if claim else None

    return claimed


def _frontends(keys: Mapping[str, str], layout: RouteLayout) -> Mapping[str, str]:
    """Those of `keys` (path: value) that belong to what can be opened."""
    return {path: value for path, value in keys.items() if (at := layout.place(path)) and layout.opening(at.holder)}


def preview(wishes: Mapping[str, Wish], store: Store, settings: Settings) -> Plan:
    """What a sync would change. Reads only: grants, renews and writes nothing. Raises StoreError, UsageError."""
    writer = Writer(store, settings, time.monotonic)
    writer.look()
    return writer.plan(wishes, hold=False)


def sync(
    wishes: Mapping[str, Wish],
    store: Store,
    settings: Settings,
    tell: Callable[[Progress], None] = lambda _: None,
    timing: Timing = Timing(),
) -> Report:
    """Bring the store to `wishes`, by group. Raises StoreError, and UsageError for another environment's cluster."""
    return _Pass(wishes, store, settings, timing, tell).run()


class _Pass:
    """One pass on its way, with what it waits for."""

    def __init__(
        self,
        wishes: Mapping[str, Wish],
        store: Store,
        settings: Settings,
        timing: Timing,
        tell: Callable[[Progress], None],
    ) -> None:
        self.wishes, self.settings, self.timing, self.tell = wishes, settings, timing, tell
        self.writer = Writer(store, settings, timing.now)

    def run(self) -> Report:
        """Until nothing is left to do."""
        began = self.timing.now()
        writer, settings = self.writer, self.settings
        with Keeper(writer.store) as keeper:
            self._look(keeper)
            first = writer.plan(self.wishes, hold=False)
            shut = brake(first.removed, first.servers, settings.brake) is Brake.SHUT
            hold = shut and not settings.force and not settings.leaving
            try:
                last, leader = self._converge(keeper, writer.plan(self.wishes, hold=True) if hold else first, hold)
            finally:
                writer.step_down()
        writer.store.renew(writer.leases)
        outcome = Outcome.FOLLOWS if leader else Outcome.HELD if hold else Outcome.DONE
        return Report(
            cluster=writer.publisher.cluster,
            layout=writer.publisher.layout.name,
            outcome=outcome,
            problems=tuple(sorted({*first.problems, *last.problems, *writer.problems})),
            differences=first.differences,
            unchanged=first.unchanged,
            left=_unwritten(first, writer) if hold else last.differences,
            written=tuple(writer.written),
            transactions=writer.transactions,
            waits=last.waits,
            leader=leader,
            held=first.removed if hold else 0,
            servers=first.servers,
            seconds=self.timing.now() - began,
        )

    def _look(self, keeper: Keeper) -> None:
        """Read all, and let nothing end meanwhile that this cluster or the fleet holds."""
        self.writer.look()
        keeper.adopt(self.writer.leases)

    def _converge(self, keeper: Keeper, due: Plan, hold: bool) -> tuple[Plan, str]:
        """The last plan, and who leads instead where another replica does."""
        while True:
            pauses = [wait.seconds for wait in due.waits if wait.seconds is not None]
            if due.units or (due.farewell and not pauses):
                leader = self._await_leadership(keeper)
                if leader:
                    return due, leader
                self.writer.commit(keeper, due, lambda written, planned: self.tell(Progress(written, planned)))
            elif pauses:
                self._pause(due.waits, min(pauses))
                self._look(keeper)
            elif self.writer.is_fresh or self._is_all_claimed():
                return due, ""
            else:
                self._look(keeper)
            due = self.writer.plan(self.wishes, hold=hold)

    def _is_all_claimed(self) -> bool:
        """Whether no group lost its last claim while this pass wrote: else all is read again."""
        writer = self.writer
        records = writer.mirror.fold(writer.store.read(writer.publisher.records), self.timing.now()).records
        return unclaimed(records) == unclaimed(writer.mirror.records)

    def _pause(self, waits: tuple[Wait, ...], seconds: float) -> None:
        written = len(self.writer.written)
        self.tell(Progress(written, written, waits, seconds))
        self.timing.sleep(seconds)

    def _await_leadership(self, keeper: Keeper) -> str:
        """The other replica that still leads after one replica TTL, and a second: a lease may end late."""
        until = self.timing.now() + replica_ttl(self.writer.store) + 1
        while (leader := self.writer.other_leader()) and self.timing.now() < until:
            wait = Wait("", f"for replica {leader}, which leads, to end", until - self.timing.now())
            self._pause((wait,), POLL)
            self._look(keeper)
        return "" if leader and self.writer.take_over_forged() else leader


def _unwritten(first: Plan, writer: Writer) -> tuple[Difference, ...]:
    """What the brake held: a plan that holds removals says nothing of them."""
    written = {change.key for change in writer.written}
    return tuple(one for one in first.differences if writer.publisher.tree + one.path not in written)


def with_verdicts(report: Report, verdicts: tuple[Verdict, ...], problems: Iterable[Problem]) -> Report:
    """The report with what led to its wishes."""
    found = {problem for verdict in verdicts for problem in verdict.problems}
    return replace(report, verdicts=verdicts, problems=tuple(sorted({*report.problems, *found, *problems})))
