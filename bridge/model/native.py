"""What a service's labels ask for in the vocabulary of Traefik 2 and 3: objects under names that are global.

No layout is thought of yet: what a field is, and which values it takes, says the Traefik that reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.model.problem import Problem
from bridge.model.route import Server


@dataclass(frozen=True, slots=True)
class Said:
    """One field of an object, as a label has it."""

    path: str  # below the object; its parts joined by slashes, in the letters of the label
    text: str
    label: str  # its name; what else it is of where no label says it
    written: str = ""  # as the label has it, where the text is a translation


@dataclass(frozen=True, slots=True)
class Asked:
    """One router, service, middleware or store that a service asks for."""

    place: str  # http/routers/<name>; the name in small letters
    label: str  # one that asks for it; empty where it is there without
    fields: tuple[Said, ...] = ()  # sorted by path; no two of one path
    servers: tuple[Server, ...] = ()  # of a service; sorted by identity
    retiring: tuple[str, ...] = ()  # as of a backend
    drained: tuple[str, ...] = ()  # as of a backend


@dataclass(frozen=True, slots=True)
class Native:
    """All that one service asks for in this vocabulary."""

    title: str  # stack/service
    asked: tuple[Asked, ...]  # sorted by place
    label: str  # one of its labels that only Traefik 2 and 3 know
    lost: tuple[str, ...] = ()  # places of what its labels ask for in vain
    problems: tuple[Problem, ...] = ()  # for whom it is published
    unchecked: bool = False  # as of a route
    withheld: str = ""  # why nothing that it asks for can be had, however good its labels are
    alone: bool = True  # no label asks for a route in an older vocabulary
