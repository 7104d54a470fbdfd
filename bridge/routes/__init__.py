"""From services to verdicts: a route, or the gate that closed on the way to it."""

from bridge.routes.contests import Rank
from bridge.routes.judge import Judge, Judgement, judge, judge_all
from bridge.routes.policy import Health, Policy

__all__ = ["Health", "Judge", "Judgement", "Policy", "Rank", "judge", "judge_all"]
