"""Labels read one by one, with what reading them brings up: settings, problems, and what costs the route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.labels import types
from bridge.labels.lookup import spot
from bridge.labels.rules import write_rule
from bridge.labels.table import INNER, PROTECTION, Label, Listed, Row
from bridge.labels.views import View
from bridge.model.problem import Problem
from bridge.model.route import Rule, Setting

T = TypeVar("T")

NO_ROUTE = "no route"
NO_KEY = "wrote no key"  # in this layout the label does nothing
IGNORED = "ignored it"
LEFT_OUT = "left it out"
DEFAULT = "default"
HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """One label's value, or its default where the label is missing or wrong."""

    value: T
    origin: str  # the label's name, or DEFAULT
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What costs a service its route."""

    gate: str
    why: str


def find(label: Label[T], view: View, title: str, native: bool = False, inner: str = "") -> Found[T]:
    """The value of one label of the service `title`; `inner` stands in the label's name."""
    plain = label.name.replace(INNER, inner) if inner else label.name
    text = view.labels.get(plain, "")
    default = label.native[0] if native and label.native else label.default
    if not text:
        return Found(default, DEFAULT)
    name = view.name(plain)
    try:
        return Found(label.parse(text), name)
    except ValueError as err:
        did = NO_ROUTE if label.gate else label.instead or f"used the default, {shown(default)}"
        return Found(default, DEFAULT, Problem(title, name, told(label, text), str(err), did))


def told(row: Row, text: str) -> str:
    """A label's text as problems repeat it: not at all where it may let somebody in."""
    return "" if row.secret or types.holds_login(text) else text


def _setting(row: Row, text: str) -> str:
    return HIDDEN if row.secret or types.holds_login(text) else text


def shown(value: object) -> str:
    """A setting's value as reports print it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return types.write_seconds(value)
    if isinstance(value, Rule):
        return write_rule(value)
    return str(value) if value or value == 0 else "none"


class Notes:
    """The labels of one service as one of its segments sees them, and what reading them has brought up so far."""

    def __init__(self, title: str, view: View, *, native: bool) -> None:
        self.title, self.view, self.labels, self.native = title, view, view.labels, native
        self.prefix = f"{view.segment}: " if view.segment else ""  # of a setting's name
        self.settings: list[Setting] = []
        self.problems: list[Problem] = []
        self.refusals: list[Refusal] = []

    def text(self, row: Row, inner: str = "") -> str:
        """What a label says; empty where it is missing."""
        return self.labels.get(row.name.replace(INNER, inner) if inner else row.name, "")

    def says(self, *rows: Row) -> bool:
        """Whether one of these labels is there."""
        return any(self.labels.get(row.name) for row in rows)

    def value(self, label: Label[T], inner: str = "") -> T:
        """A label's value, noted with its origin."""
        found = find(label, self.view, self.title, self.native, inner)
        name = label.sets.replace(INNER, inner) if inner else label.sets
        self.set(name, _setting(label, shown(found.value)), found.origin)
        if found.problem:
            self.problems.append(found.problem)
            if label.gate:
                self.refusals.append(Refusal(label.gate, f"{found.problem.label}: {found.problem.reason}"))
        elif self.native and label.needed and found.origin == DEFAULT:
            self.refuse(label, "a service with Traefik's own labels must say it", label.gate)
        return found.value

    def asked(self, label: Label[T], inner: str = "") -> T:
        """The same, but noted only where the label is there."""
        return self.value(label, inner) if self.text(label, inner) else label.default

    def items(self, row: Row, inner: str = "") -> tuple[str, ...]:
        """What stands between the commas, without blanks around it and without what is empty."""
        text = self.text(row, inner)
        return tuple(item for part in text.split(",") if (item := part.strip())) if text else ()

    def values(self, label: Listed[T], inner: str = "") -> tuple[T, ...]:
        """A label's values, without those that are wrong."""
        if not self.text(label, inner):
            return ()
        values: dict[T, None] = {}  # in order, without repeats
        for item in self.items(label, inner):
            try:
                values[label.parse(types.decoded(item))] = None
            except ValueError as err:
                self._bad_item(label, inner, item, str(err))
        return tuple(values)

    def asked_values(self, label: Listed[str], inner: str = "") -> tuple[str, ...]:
        """The same, noted where the label is there, which must then name something if it protects."""
        if not self.text(label, inner):
            return ()
        before = len(self.refusals)
        values = self.values(label, inner)
        name = self.view.name(label.name.replace(INNER, inner))
        self.set(label.sets.replace(INNER, inner), _setting(label, ",".join(values)), name)
        if label.protects and not values and len(self.refusals) == before:
            self.refuse(label, "it names nothing")
        return values

    def set(self, name: str, value: str, origin: str) -> None:
        """Notes a setting, as one of the segment where there is one."""
        self.settings.append(Setting(self.prefix + name, value, origin))

    def problem(self, row: Row, reason: str, did: str, *, notice: bool = False, inner: str = "") -> None:
        """Something wrong with a whole label."""
        name = self.view.name(row.name.replace(INNER, inner) if inner else row.name)
        self.problems.append(Problem(self.title, name, told(row, self.text(row, inner)), reason, did, notice))

    def refuse(self, row: Row, reason: str, gate: str = PROTECTION) -> None:
        """Something wrong with a label that costs the route."""
        self.problem(row, reason, NO_ROUTE)
        self.refusals.append(Refusal(gate, f"{self.view.name(row.name)}: {reason}"))

    def bad_rule(self, row: Row | None, reason: str) -> None:
        """Something that leaves no rule to publish."""
        if row:
            self.problem(row, reason, NO_ROUTE)
        else:
            self.problems.append(Problem(self.title, "", "", reason, NO_ROUTE))
        self.refusals.append(Refusal("rule", reason))

    def inners(self, *rows: Row) -> tuple[str, ...]:
        """The names that stand for INNER in these labels, sorted."""
        spots = (spot(name) for name, text in self.view.labels.items() if text)
        return tuple(sorted({one.inner for one in spots if one and one.inner and one.row in rows}))

    def _bad_item(self, label: Listed[T], inner: str, item: str, reason: str) -> None:
        name = self.view.name(label.name.replace(INNER, inner) if inner else label.name)
        did = NO_ROUTE if label.gate else LEFT_OUT
        self.problems.append(Problem(self.title, name, told(label, item), reason, did))
        if label.gate:
            self.refusals.append(Refusal(label.gate, f"{name}: {reason}"))
