"""What the operator asks of a service's labels: Traefik 1's `tag==…` on its tags, Traefik 2's expressions on any."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from bridge.labels import table
from bridge.labels.newer_rules import All, Any, Call, Not, Tree, calls, parse_tree
from bridge.routes.regexps import regexp

FORMS = "use tag==PATTERN, tag!=PATTERN or an expression of Label(`name`, `value`) and LabelRegex(`name`, `regexp`)"

_TAG = re.compile(r"tag(==|!=)(.+)", re.S)
_BEGINS_TAG = re.compile(r"\s*tag(?:==|!=)")
_QUOTED = re.compile(r"`[^`]*`|\"(?:[^\"\\]|\\.)*\"", re.S)


class Constraint(Protocol):
    """One of the two forms. Its text is what the operator wrote, in one form."""

    @property
    def names(self) -> frozenset[str]:
        """The labels that it looks at."""

    def passes(self, labels: Mapping[str, str]) -> bool:
        """Whether a service with these labels fits."""

    def told(self, labels: Mapping[str, str]) -> str:
        """Why they do not fit. Never another's label's value: it may be a secret."""


@dataclass(frozen=True, slots=True)
class TagConstraint:
    """What the tags of a service must, or must not, be like; Traefik 1.7's form and meaning."""

    pattern: str  # with * for any text
    equal: bool  # a tag must be like it; else none may

    @property
    def names(self) -> frozenset[str]:
        """As Constraint says."""
        return frozenset((table.TAGS.name,))

    def passes(self, labels: Mapping[str, str]) -> bool:
        """As Constraint says."""
        return any(_glob(self.pattern).fullmatch(tag) for tag in _tags(labels)) is self.equal

    def told(self, labels: Mapping[str, str]) -> str:
        """As Constraint says."""
        return f"its tags are {','.join(_tags(labels)) or 'none'}"

    def __str__(self) -> str:
        return f"tag{'==' if self.equal else '!='}{self.pattern}"


@dataclass(frozen=True, slots=True)
class LabelConstraint:
    """Traefik 2's form: what a service lacks is empty, and regular expressions match anywhere in a value."""

    text: str
    tree: Tree

    @property
    def names(self) -> frozenset[str]:
        """As Constraint says."""
        return frozenset(call.values[0] for call in calls(self.tree))

    def passes(self, labels: Mapping[str, str]) -> bool:
        """As Constraint says."""
        return _holds(self.tree, labels)

    def told(self, labels: Mapping[str, str]) -> str:
        """As Constraint says."""
        missing = sorted(name for name in self.names if name not in labels)
        return f"it has no label {' and no label '.join(missing)}" if missing else "its labels say otherwise"

    def __str__(self) -> str:
        return self.text


def constraint(text: str) -> Constraint:
    """`tag==api`, ``Label(`env`, `prod`) && !LabelRegex(`tier`, `^test`)``. Raises ValueError with the place."""
    if found := _TAG.fullmatch(text):
        return TagConstraint(found[2].strip(), found[1] == "==")
    try:
        tree = parse_tree(text)
    except ValueError as err:
        raise ValueError(f"{FORMS}: {err}") from err
    for call in calls(tree):
        _check(call)
    return LabelConstraint(text, tree)


def _check(call: Call) -> None:
    """Raises ValueError."""
    if call.name not in ("Label", "LabelRegex"):
        raise ValueError(f"{FORMS}: {call.name} at character {call.at + 1} is neither")
    if len(call.values) != 2 or not call.values[0]:
        raise ValueError(f"{FORMS}: {call.name} at character {call.at + 1} takes a label's name and one text more")
    if call.name == "LabelRegex":
        try:
            regexp(call.values[1])
        except ValueError as err:
            raise ValueError(f"{call.name} at character {call.at + 1}: {err}") from err


def constraints(text: str) -> tuple[Constraint, ...]:
    """Several between commas, but for those in an expression. Raises ValueError as `constraint`."""
    return tuple(dict.fromkeys(constraint(part.strip()) for part in _parts(text) if part.strip()))


def _parts(text: str) -> Iterator[str]:
    """What stands between commas; those in parentheses and quotes are an expression's own."""
    begin, at, depth = 0, 0, 0
    tag = bool(_BEGINS_TAG.match(text))
    while at < len(text):
        quoted = None if tag else _QUOTED.match(text, at)
        if quoted:
            at = quoted.end()
            continue
        depth += 0 if tag else (text[at] == "(") - (text[at] == ")")
        at += 1
        if text[at - 1] == "," and depth <= 0:
            yield text[begin : at - 1]
            begin, depth, tag = at, 0, bool(_BEGINS_TAG.match(text, at))
    yield text[begin:]


def _tags(labels: Mapping[str, str]) -> list[str]:
    return [tag.strip() for tag in labels.get(table.TAGS.name, "").split(",") if tag.strip()]


@lru_cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.S)


def _holds(tree: Tree, labels: Mapping[str, str]) -> bool:
    match tree:
        case Call(name, (label, text)):
            value = labels.get(label, "")
            return value == text if name == "Label" else regexp(text).found_in(value)
        case Not(of):
            return not _holds(of, labels)
        case All(of):
            return all(_holds(one, labels) for one in of)
        case Any(of):
            return any(_holds(one, labels) for one in of)
    raise AssertionError(tree)
