"""What shall stand: the source's newest world, judged and laid out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from bridge.daemon.logs import facts, log
from bridge.daemon.roll import Roll
from bridge.layouts import RouteLayout
from bridge.model.keys import Wish
from bridge.model.problem import Problem
from bridge.model.route import Verdict
from bridge.model.world import Snapshot
from bridge.ownership.drains import Drains, read_drains
from bridge.ownership.mirror import Held
from bridge.ownership.standing import Standing
from bridge.routes import Judge, Judgement, Policy
from bridge.routes.contests import Loss
from bridge.routes.drained import needs_hosts, resolve
from bridge.sync import Laid, claims, lay_out, seniority, with_standing


class Wanted:
    """The wishes that follow from one snapshot after the other; what did not change costs next to nothing."""

    def __init__(self, policy: Policy, layout: RouteLayout, *, standing: bool) -> None:
        self._policy, self._layout, self._standing = policy, layout, standing
        self._judge = Judge()
        self._judgement: Judgement | None = None
        self._lost: Mapping[str, Loss] = {}
        self._laid: dict[str, Laid] = {}
        self._records: Mapping[str, Held] = {}  # in which was last looked for what is drained, …
        self._drains = Drains()  # … and what was found
        self._unmatched: tuple[Problem, ...] = ()
        self._closed: dict[str, str] = {}  # why services have no route, as it was last said
        self.roll = Roll()
        self.snapshot: Snapshot | None = None
        self.is_new = True  # it has seen none yet
        self.wishes: Mapping[str, Wish] = {}  # by group
        self.problems: tuple[Problem, ...] = ()
        self.verdicts: tuple[Verdict, ...] = ()  # from which the wishes follow

    @property
    def environment(self) -> str:
        """The Rancher environment's uuid; empty where it is not known."""
        return self.snapshot.environment if self.snapshot else ""

    def see(self, snapshot: Snapshot) -> bool:
        """Take a reading of the source; whether it shows another world than the last."""
        if snapshot == self.snapshot:
            return False
        if self.is_new:
            count = len(snapshot.services)
            its = facts("source-read", services=count)
            log.info("source read: %d service%s", count, "" if count == 1 else "s", extra=its)
        self.snapshot, self.is_new = snapshot, False
        self._judgement = None
        return True

    def obey(self, policy: Policy, layout: RouteLayout, *, blind: bool) -> None:
        """Wish by these from now on. `blind`: the snapshot does not hold what they look at: first another must come."""
        self._policy, self._layout = policy, layout
        self._judgement = None
        self._laid.clear()
        self.snapshot = None if blind else self.snapshot

    def needs_hosts(self, standing: Standing) -> bool:
        """Whether the snapshot cannot tell what is drained, since it has no hosts."""
        self._look_for_drains(standing)
        return self.snapshot is not None and not self.snapshot.tells_hosts and needs_hosts(self._drains.drains)

    def _look_for_drains(self, standing: Standing) -> None:
        records = standing.mirror.records
        held = records.held
        if held is not self._records:
            found = read_drains(records.prefix, self._policy.cluster, {path: one.value for path, one in held.items()})
            if found != self._drains:
                self._judgement = None
            self._records, self._drains = held, found

    def settle(self, standing: Standing) -> None:
        """Make the wishes; `standing` says what is drained, and who of those that ask for the same was there first."""
        self._look_for_drains(standing)
        if self.snapshot is None:
            return
        judgement = self._judgement
        if judgement is None:
            drained, self._unmatched = resolve(self._drains.drains, self.snapshot)
            judgement = self._judge(self.snapshot, self._policy, drained)
        lost = judgement.losses(seniority(standing, self._layout, self._policy.cluster))
        if judgement is self._judgement and lost == self._lost:
            return
        self._judgement, self._lost = judgement, lost
        self.verdicts = verdicts = judgement.settled(lost)
        self.roll.see(self.snapshot, verdicts)
        wishes, problems = lay_out(
            verdicts, self._layout, self._policy.cluster, self._laid, claims(standing, self._policy.cluster)
        )
        self.wishes = with_standing(wishes, self._layout) if self._standing else wishes
        self._say_closed(verdicts)
        said = {problem for verdict in verdicts for problem in verdict.problems}
        self.problems = tuple({*self.snapshot.problems, *problems, *said, *self._drains.problems, *self._unmatched})

    def _say_closed(self, verdicts: Iterable[Verdict]) -> None:
        """Of services that labels speak of, why they have no route: who changes a label waits for one in vain."""
        if not log.isEnabledFor(logging.DEBUG):
            return
        closed = {one.service: one.closed.why for one in verdicts if one.closed}
        for service, why in closed.items():
            if self._closed.get(service) != why:
                log.debug("%s: no route: %s", service, why, extra=facts("no-route", service=service, reason=why))
        self._closed = closed
