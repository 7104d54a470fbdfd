"""A template of Rancher's catalog, rendered for one set of answers as Rancher does it.

Rancher cannot run here, and its engine, Go's text/template, is not Python's: this knows of it what our template uses
(if, else if, else, end, eq, ne, or, and the dashes that take blanks away), and fails on all else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_TRIMMED = re.compile(r"\s*(?=\{\{-)|(?<=-\}\})\s*")
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_COMPARED = re.compile(r'(eq|ne) \.Values\.(\w+) "([^"]*)"')
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)\})")


@dataclass(frozen=True)
class Question:
    """What Rancher asks before it starts the stack."""

    variable: str
    type: str
    required: bool
    default: str
    options: tuple[str, ...]


def questions(path: Path) -> list[Question]:
    """Of a rancher-compose.yml that is not yet rendered."""
    asked: Sequence[Mapping[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["catalog"]["questions"]
    return [
        Question(one["variable"], one["type"], one["required"], _text(one["default"]), tuple(one.get("options", ())))
        for one in asked
    ]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def rendered(template: str, answers: Mapping[str, str]) -> dict[str, Any]:
    """The document. Raises ValueError for what this does not know, KeyError for what nobody was asked."""
    told = "".join(_chosen(template, answers))
    found: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(lambda sign: answers[sign[1]] if sign[1] else "$", told))
    return found


def _chosen(template: str, answers: Mapping[str, str]) -> Iterator[str]:
    """What stands outside of all conditions that are not met."""
    open_ifs: list[tuple[bool, bool]] = []  # whether this branch is taken, and whether one of its `if` was
    done = 0
    template = _TRIMMED.sub("", template)
    for action in _ACTION.finditer(template):
        if all(taken for taken, _ in open_ifs):
            yield template[done : action.start()]
        word = action[1]
        if word.startswith("if "):
            met = _met(word.removeprefix("if "), answers)
            open_ifs.append((met, met))
        elif word == "end":
            open_ifs.pop()
        elif word.startswith("else"):
            _, before = open_ifs.pop()
            met = not before and (word == "else" or _met(word.removeprefix("else if "), answers))
            open_ifs.append((met, before or met))
        else:
            raise ValueError(word)
        done = action.end()
    assert not open_ifs
    yield template[done:]


def _met(condition: str, answers: Mapping[str, str]) -> bool:
    if condition.startswith("or "):
        either = re.fullmatch(r"or \((.*?)\) \((.*?)\)", condition)
        if either is None:
            raise ValueError(condition)
        return _met(either[1], answers) or _met(either[2], answers)
    compared = _COMPARED.fullmatch(condition)
    if compared is None:
        raise ValueError(condition)
    word, name, text = compared.groups()
    return (answers[name] == text) == (word == "eq")
