"""Keys that somebody else wrote and that stop Traefik from taking any change: looked for after each commit."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.layouts import RouteLayout
from bridge.layouts.lint import Finding
from bridge.model.problem import Problem
from bridge.ownership.mirror import Held, Side

MOST = 20  # keys that are named: under a wrong prefix each of thousands may be one
DID = "left it alone"


class PoisonWatch:
    """Our own keys are checked before they are written, so the tree is looked at only where strange ones changed."""

    def __init__(self, layout: RouteLayout) -> None:
        self._layout = layout
        self._held: Mapping[str, Held] = {}  # what stood at the last look
        self._strange: dict[str, Held] = {}
        self.problems: tuple[Problem, ...] = ()

    def look(self, tree: Side) -> None:
        """Say anew which keys below Traefik's prefix are poison."""
        if tree.held is self._held:
            return
        self._held = tree.held
        strange = {path: held for path, held in tree.held.items() if held.lease is None}
        if strange == self._strange:
            return
        self._strange = strange
        keys = {tree.prefix + path: held.value for path, held in tree.held.items()}
        found = self._layout.poison(keys, tree.prefix) if strange else ()
        self.problems = tuple(map(_told, found[:MOST]))
        if len(found) > MOST:
            more = f"{len(found) - MOST} keys more stop Traefik from taking any change; check --store names them"
            self.problems += (Problem("", tree.prefix, "", more, DID),)


def _told(found: Finding) -> Problem:
    reason = f"{found.flaw.reason}: {found.flaw.effect}"
    return Problem("", found.key, found.value, reason, DID, suggestion=found.flaw.remedy)
