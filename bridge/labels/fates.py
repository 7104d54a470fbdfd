"""What became of each label of a service: read off its verdict, not judged again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from bridge.labels import table
from bridge.labels.lookup import spot
from bridge.labels.native import LOST
from bridge.labels.native_names import may_be_shown, where
from bridge.labels.notes import NO_KEY, NO_ROUTE, told
from bridge.model.problem import Problem
from bridge.model.route import Verdict
from bridge.model.world import told_name


class Fate(Enum):
    """What became of a label."""

    USED = "used"
    NOT_USED = "not used"
    REFUSED = "refused"
    IGNORED = "ignored"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Said:
    """One label of a service."""

    name: str
    value: str | None  # None: no report shows it
    fate: Fate
    why: str  # empty where all of it is used


def fates(labels: Mapping[str, str], verdict: Verdict | None, problems: Iterable[Problem]) -> Iterator[Said]:
    """All labels of a service, by name. No verdict: it says nothing to the bridge."""
    used = set(_used(verdict)) if verdict else set()
    of: dict[str, list[Problem]] = {}
    for problem in problems:
        of.setdefault(problem.label, []).append(problem)
    for name, text in sorted(labels.items()):
        found = spot(name)
        said = name if found else told_name(name)
        fate, why = _fate(name, text, of.get(said, []), name in used, verdict)
        # One that is not known may be a slip for a secret one.
        shown = told(found.row, text) == text if found else may_be_shown(name, text)
        yield Said(said, text if shown else None, fate, why)


def _used(verdict: Verdict) -> Iterator[str]:
    yield table.ENABLE.name  # the first gate asks for it
    if any(gate.name == "constraint" and not gate.passed for gate in verdict.gates):
        yield table.TAGS.name
    for setting in verdict.settings:
        yield from (setting.origin, *setting.origin.split(","))  # one setting may be of several
    for asked in verdict.native.asked if verdict.native else ():
        yield from (asked.label, *(said.label for said in asked.fields))


def _fate(name: str, text: str, its: list[Problem], used: bool, verdict: Verdict | None) -> tuple[Fate, str]:
    withheld = verdict.native.withheld if verdict and verdict.native and where(name) else ""
    if withheld and not its and not _is_unknown(name):
        return Fate.REFUSED, withheld
    if its:
        why = "; ".join(text for one in its for text in (one.reason, one.did, one.suggestion) if text)
        if _is_unknown(name):
            return Fate.UNKNOWN, why
        if all(one.notice for one in its):
            done = used and any(one.did != NO_KEY for one in its)  # if otherwise than in another layout
            return Fate.USED if done else Fate.IGNORED, why
        # What costs an item of it, or a container that says it otherwise, leaves the rest of it in use.
        return Fate.USED if used and all(one.did not in (NO_ROUTE, LOST) for one in its) else Fate.REFUSED, why
    if _is_unknown(name):
        return Fate.UNKNOWN, ""
    if verdict and verdict.native and where(name):
        return Fate.USED, ""
    if not text:
        return Fate.NOT_USED, "it is empty"
    return (Fate.USED, "") if used else (Fate.NOT_USED, _unused(name, verdict))


def _is_unknown(name: str) -> bool:
    found = where(name)
    return spot(name) is None and (found is None or bool(found.wrong))


def _unused(name: str, verdict: Verdict | None) -> str:
    """Why a good label of a service plays no part."""
    if verdict and verdict.closed:
        return f"not asked for, since gate {verdict.closed.name} is closed"
    found = spot(name)
    if found and found.row.beside:
        return f"it does nothing without {' and '.join(found.row.beside)}"
    if name == table.DOMAIN.name:
        return f"{table.RULE.name} says the hosts"
    return "each segment says it for itself"
