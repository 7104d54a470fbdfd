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
    """The whole tree is looked at where strange keys changed, or where a bridge's key that changed stops Traefik.

    Ours are checked before they are written; but another cluster's bridge may write for a newer Traefik.
    """

    def __init__(self, layout: RouteLayout) -> None:
        self._layout = layout
        self._held: Mapping[str, Held] = {}  # what stood at the last look
        self._strange: dict[str, Held] = {}
        self.problems: tuple[Problem, ...] = ()

    def look(self, tree: Side) -> None:
        """Say anew which keys below Traefik's prefix are poison."""
        before, self._held = self._held, tree.held
        if tree.held is before:
            return
        strange = {path: held for path, held in tree.held.items() if held.lease is None}
        same, self._strange = strange == self._strange, strange
        came = {path: held for path, held in tree.held.items() if before.get(path) is not held and path not in strange}
        # A value that stands where only a branch may is poison once the last key below it has gone.
        went = bool(strange) and not before.keys() <= tree.held.keys()
        if same and not went and not self.problems and not self._poison(tree.prefix, came):
            return
        found = self._poison(tree.prefix, tree.held)
        self.problems = tuple(map(_told, found[:MOST]))
        if len(found) > MOST:
            more = f"{len(found) - MOST} keys more stop Traefik from taking any change; check --store names them"
            self.problems += (Problem("", tree.prefix, "", more, DID),)

    def _poison(self, prefix: str, held: Mapping[str, Held]) -> tuple[Finding, ...]:
        return self._layout.poison({prefix + path: one.value for path, one in held.items()}, prefix)


def _told(found: Finding) -> Problem:
    reason = f"{found.flaw.reason}: {found.flaw.effect}"
    return Problem("", found.key, found.value, reason, DID, suggestion=found.flaw.remedy)
