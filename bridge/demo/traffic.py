"""What comes through Traefik: each request is accounted for."""

from __future__ import annotations

from collections.abc import Callable, Collection

from bridge.demo.stage import Stage
from bridge.demo.tell import listed, number
from bridge.demo.traefik import Traefik
from bridge.demo.visitors import Visit, Visitors, visit

ROUNDS = 3  # of requests, after which a change has shown all that it does


class Traffic:
    """Visitors, and what they meet. What raises, raises BridgeError."""

    def __init__(self, stage: Stage, traefik: Traefik, host: str) -> None:
        self.stage, self.traefik, self.host = stage, traefik, host
        self.visitors = Visitors(traefik.web, host)
        self.requests = 0  # that are accounted for, and …
        self._until = 0.0  # … up to when, on the monotonic clock

    def begin(self) -> None:
        """Visitors come from now on."""
        self.stage.ending.enter_context(self.visitors)

    def end(self) -> str:
        """No more visitors; what came of all."""
        self.visitors.go_home()
        self.answered()
        return f"{number(self.requests, 'request')} in all, 0 failed"

    def answered(self) -> str:
        """What came since this was asked before: a container's answer for each."""
        return f"{number(len(self.account()), 'request')}, 0 failed"

    def account(self) -> list[Visit]:
        """All who came since this was asked before, each answered by a container."""
        visits = self.visitors.since(self._until)
        failed = [one for one in visits if not one.who]
        total = number(len(visits), "request")
        first = failed[0].said if failed else ""
        self.stage.check(not failed, f"{len(failed)} of {total} failed, the first with {first}")
        if visits:
            self._until = visits[-1].at
            self.requests += len(visits)
        return visits

    def joined(self, names: Collection[str], began: float) -> float:
        """Seconds from `began` until each of these had answered."""
        return self._seconds(lambda visits: _last_of_firsts(visits, names), began, f"answers by {listed(names)}")

    def left(self, names: Collection[str], others: int, began: float, rounds: int = ROUNDS) -> float:
        """Seconds from `began` until requests went round `others` without these, which then answer none in `rounds`."""
        told = listed(names)
        found = self._seconds(lambda visits: _round_without(visits, names, others), began, f"{told} answer no more")
        self.pause(rounds * others)
        still = [one for one in self.visitors.since(began + found) if one.who in names]
        self.stage.check(not still, f"{told} still answered {number(len(still), 'request')}")
        return found

    def pause(self, requests: int) -> None:
        """So many more requests."""
        already = len(self.visitors.since(self._until))
        self.stage.wait(lambda: len(self.visitors.since(self._until)) >= already + requests or None, "requests come")

    def curl(self) -> str:
        """The command with which anybody asks."""
        return f"curl -H 'Host: {self.host}' http://{self.traefik.web}/"

    def once(self, comes: Callable[[Visit], bool], what: str, host: str = "") -> Visit:
        """The first visit, to another host if one is named, that `comes` to this."""

        def come() -> Visit | None:
            found = visit(self.traefik.web, host or self.host)
            return found if comes(found) else None

        return self.stage.wait(come, what)

    def _seconds(self, find: Callable[[list[Visit]], float | None], began: float, what: str) -> float:
        return self.stage.wait(lambda: find(self.visitors.since(began)), what) - began


def _last_of_firsts(visits: list[Visit], names: Collection[str]) -> float | None:
    """When the last of these answered for the first time; None: not all have."""
    firsts: dict[str, float] = {}
    for one in visits:
        firsts.setdefault(one.who, one.at)
    return max(firsts[name] for name in names) if firsts.keys() >= set(names) else None


def _round_without(visits: list[Visit], names: Collection[str], others: int) -> float | None:
    """When so many in a row were answered that each of these would have been among them; None: not yet.

    Traefik asks each once a round, but not in the same order: first in one and last in the next is the most.
    """
    row = 0
    for one in visits:
        row = 0 if one.who in names else row + 1
        if row > 2 * others:
            return one.at
    return None
