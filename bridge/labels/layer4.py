"""`traefik.protocol=tcp`, or udp: a whole service whose connections are passed on as they are, in few words.

It becomes what labels of Traefik 2 and 3 would ask for: a router for all that comes to its entry points, and a service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bridge.labels import table
from bridge.labels.lookup import may_protect, meant, protections, spot
from bridge.labels.native import ANY_NAME, LOST, Bearer, Element, Pool, Reading, published_port
from bridge.labels.native_names import layer4, unnameable, where
from bridge.labels.notes import IGNORED, Notes, find, told
from bridge.labels.templates import automatic_name
from bridge.labels.types import Whole
from bridge.labels.views import View
from bridge.model.native import Said
from bridge.model.problem import Problem
from bridge.model.world import is_ours, told_name

_HEARD = frozenset(
    row.name
    for row in (
        *(table.ENABLE, table.PROTOCOL, table.PORT, table.ENTRY_POINTS),
        *(table.WEIGHT, table.ADDRESS, table.TAGS),
    )
)
_PORT = Whole(1, 65535)
_ENTRY_POINTS = "entrypoints"  # the family, of labels that protect


def read_layer4(bearer: Bearer, labels: Mapping[str, str]) -> Reading:
    """What a service asks for whose labels say so. Whatever the text, never an exception."""
    protocol, name = layer4(labels), automatic_name(bearer.service, bearer.stack)
    places = (f"{protocol}/routers/{name}", f"{protocol}/services/{name}")
    problems = [*_idle(bearer, labels, protocol)]
    wrong = _unprotected(bearer, labels, protocol)
    if why := unnameable(name):
        hint = f"name one: traefik.{protocol}.routers.NAME…"
        wrong.append(Problem(bearer.title, table.PROTOCOL.name, protocol, why, LOST, suggestion=hint))
    if bearer.allows is not None:
        why = "--allow-domain does not allow a rule for any host in this cluster"
        wrong.append(Problem(bearer.title, table.PROTOCOL.name, protocol, why, LOST))
    entry_points = _entry_points(bearer, labels, wrong)
    pool = _pool(bearer, labels, protocol, problems)
    if wrong or pool is None:
        return Reading((), places, (*problems, *wrong))
    fields = {
        "entrypoints": Said("entryPoints", entry_points, table.ENTRY_POINTS.name),
        "service": Said("service", name, table.PROTOCOL.name),
    }
    if protocol == "tcp":
        fields["rule"] = Said("rule", ANY_NAME, table.PROTOCOL.name)
    router = Element(places[0], table.PROTOCOL.name, fields)
    return Reading((router, Element(places[1], table.PROTOCOL.name, pool=pool)), (), tuple(problems))


def joined(native: Reading, short: Reading) -> Reading:
    """Both of one service; what both name is as labels of Traefik 2 and 3 have it."""
    known = {one.place for one in native.elements} | set(native.lost)
    elements = (*native.elements, *(one for one in short.elements if one.place not in known))
    return Reading(
        tuple(sorted(elements, key=lambda one: one.place)),
        tuple(sorted({*native.lost, *(place for place in short.lost if place not in known)})),
        tuple(dict.fromkeys((*native.problems, *short.problems))),
    )


def _unprotected(bearer: Bearer, labels: Mapping[str, str], protocol: str) -> list[Problem]:
    """Labels that ask for a protection, or may: none of them can be had."""
    hint = f"take it away, or use traefik.{protocol}.… with a middleware"
    found = [
        Problem(bearer.title, label, "", f"it protects HTTP alone, and not {protocol}", LOST, suggestion=hint)
        for family, label in sorted(protections(labels).items())
        if family != _ENTRY_POINTS
    ]
    for label in sorted(labels):
        if spot(label) is None and where(label) is None and is_ours(label) and may_protect(label):
            better = meant(label)
            do = f"did you mean {better}?" if better else ""
            why = "it is not known, and may ask for protection"
            found.append(Problem(bearer.title, told_name(label), "", why, LOST, suggestion=do))
    return found


def _idle(bearer: Bearer, labels: Mapping[str, str], protocol: str) -> list[Problem]:
    """Labels that speak of HTTP."""
    why = f"it says nothing where {table.PROTOCOL.name} is {protocol}"
    found = list[Problem]()
    if labels.get(table.WEIGHT.name, "0") != "0":
        text = told(table.WEIGHT, labels[table.WEIGHT.name])
        share = f"of {protocol} every server gets the same share"
        found.append(Problem(bearer.title, table.WEIGHT.name, text, share, IGNORED, notice=True))
    for label, text in sorted(labels.items()):
        at = spot(label)
        if text and at and label not in _HEARD and not at.row.protects:
            found.append(Problem(bearer.title, label, told(at.row, text), why, IGNORED, notice=True))
        elif at is None and where(label) is None and is_ours(label) and not may_protect(label):
            found.append(Problem(bearer.title, told_name(label), "", "it is not known", IGNORED, notice=True))
    return found


def _entry_points(bearer: Bearer, labels: Mapping[str, str], wrong: list[Problem]) -> str:
    """Where its connections come in, with commas between; what is wrong is added to `wrong`."""
    notes = Notes(bearer.title, View(labels), native=True)
    found = notes.values(table.ENTRY_POINTS)
    wrong += (replace(problem, did=LOST) for problem in notes.problems)
    if not found and not notes.problems:
        why = "no label names its entry points, and it would take the connections of all"
        do = f"say {table.ENTRY_POINTS.name}, of a port that HTTP does not use"
        wrong.append(Problem(bearer.title, table.PROTOCOL.name, "", why, LOST, suggestion=do))
    return ",".join(found)


def _pool(bearer: Bearer, labels: Mapping[str, str], protocol: str, told: list[Problem]) -> Pool | None:
    """Where its connections go; None where nobody knows. What is wrong is added to `told`."""
    port, weight = (find(label, View(labels), bearer.title) for label in (table.PORT, table.WEIGHT))
    bad = [replace(one.problem, did=LOST) for one in (port, weight) if one.problem]
    told += bad
    if bad:
        return None
    number, problem = port.value, None
    if not labels.get(table.PORT.name):
        number, problem = published_port(bearer, protocol, table.PORT.name)
    told += [problem] if problem else []
    return Pool(number, protocol, min(weight.value, 1)) if number else None
