"""What shall stand: the source's newest world, judged and laid out."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.daemon.told import log
from bridge.layouts import RouteLayout
from bridge.model.keys import Wish
from bridge.model.problem import Problem
from bridge.model.world import Snapshot
from bridge.ownership.standing import Standing
from bridge.routes import Judge, Judgement, Policy
from bridge.routes.contests import Loss
from bridge.sync import Laid, claims, lay_out, seniority, with_standing


class Wanted:
    """The wishes that follow from one snapshot after the other; what did not change costs next to nothing."""

    def __init__(self, policy: Policy, layout: RouteLayout, *, standing: bool) -> None:
        self._policy, self._layout, self._standing = policy, layout, standing
        self._judge = Judge()
        self._judgement: Judgement | None = None
        self._lost: Mapping[str, Loss] = {}
        self._laid: dict[str, Laid] = {}
        self.snapshot: Snapshot | None = None
        self.wishes: Mapping[str, Wish] = {}  # by group
        self.problems: tuple[Problem, ...] = ()

    @property
    def environment(self) -> str:
        """The Rancher environment's uuid; empty where it is not known."""
        return self.snapshot.environment if self.snapshot else ""

    def see(self, snapshot: Snapshot) -> bool:
        """Take a reading of the source; whether it shows another world than the last."""
        if snapshot == self.snapshot:
            return False
        if self.snapshot is None:
            count = len(snapshot.services)
            log.info("source read: %d service%s", count, "" if count == 1 else "s")
        self.snapshot = snapshot
        self._judgement = None
        return True

    def settle(self, standing: Standing) -> None:
        """Make the wishes; `standing` says which of services that ask for the same requests was there first."""
        if self.snapshot is None:
            return
        judgement = self._judgement or self._judge(self.snapshot, self._policy)
        lost = judgement.losses(seniority(standing, self._layout, self._policy.cluster))
        if judgement is self._judgement and lost == self._lost:
            return
        self._judgement, self._lost = judgement, lost
        verdicts = judgement.settled(lost)
        wishes, problems = lay_out(
            verdicts, self._layout, self._policy.cluster, self._laid, claims(standing, self._policy.cluster)
        )
        self.wishes = with_standing(wishes, self._layout) if self._standing else wishes
        said = {problem for verdict in verdicts for problem in verdict.problems}
        self.problems = tuple({*self.snapshot.problems, *problems, *said})
