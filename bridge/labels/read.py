"""From a service's labels to valid settings: whatever the text, never an exception, and nothing but valid values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.labels import table
from bridge.labels.backends import backend
from bridge.labels.fallback import Fallback
from bridge.labels.frontends import Whose, frontends
from bridge.labels.hosts import Bearer
from bridge.labels.lookup import SUGGESTIONS, is_native, is_newer, may_protect, meant, spot
from bridge.labels.notes import IGNORED, NO_ROUTE, Notes, Refusal, told
from bridge.labels.rules import write_rule
from bridge.labels.table import PROTECTION, Vocabulary
from bridge.labels.types import Publish
from bridge.labels.views import View, views
from bridge.model.problem import Problem
from bridge.model.route import MODIFIERS, Backend, Frontend, Kind, Rule, Setting
from bridge.model.world import is_ours, told_name

NO_FALLBACK = Fallback()
_PAIRED = (Kind.HEADERS, Kind.HEADERS_REGEXP)  # name, value, name, value


@dataclass(frozen=True, slots=True)
class Pool:
    """What a segment's labels ask for of its servers, and of the backend that they will be in."""

    view: View
    port: int
    protocol: str
    weight: int  # 0: the servers get nothing
    backend: Backend


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a service's labels ask for."""

    native: bool  # it says what only Traefik 1 knows
    pools: tuple[Pool, ...]  # not empty; one for each segment
    frontends: tuple[Frontend, ...]  # empty: no rule can be used, and a refusal says why
    settings: tuple[Setting, ...]
    problems: tuple[Problem, ...]
    refusals: tuple[Refusal, ...]
    acme: bool = False  # it asks for certificates


def read(
    title: str, service: str, stack: str, publish: Publish, labels: Mapping[str, str], fallback: Fallback = NO_FALLBACK
) -> Asked:
    """What the labels of `service` in `stack` ask for. `title` names it in problems."""
    native = any(text and is_native(name) for name, text in labels.items())
    seen = views(labels) if native else (View(labels),)
    whole = Notes(title, View(labels), native=native)
    segments = [Notes(title, view, native=native) for view in seen if view.segment]
    bearer = Bearer(service, stack, publish, fallback)
    whose = Whose(bearer, tuple(notes.view.segment for notes in segments))
    _strangers(whole)
    wanted = [(_servers(notes), frontends(notes, whose)) for notes in segments or (whole,)]
    shared = backend(whole)
    acme = whole.value(table.ACME)
    made = tuple(one for _, found in wanted for one in found)
    if native:
        whole.problems += (*_unwritten(segments or [whole]), *_beaten(title, labels, seen))
        _check_twice(whole, made)
        _check_names(whole, made)
    notes = (whole, *segments)
    problems = [problem for one in notes for problem in one.problems]
    refusals = tuple(refusal for one in notes for refusal in one.refusals)
    return Asked(
        native=native,
        pools=tuple(
            Pool(view, *servers, replace(shared, segment=view.segment) if view.segment else shared)
            for view, (servers, _) in zip(seen, wanted, strict=True)
        ),
        frontends=() if any(refusal.gate == "rule" for refusal in refusals) else made,
        settings=tuple(setting for one in notes for setting in one.settings),
        problems=tuple(dict.fromkeys(problems) if native else problems),  # a plain label is read for each segment
        refusals=refusals,
        acme=acme,
    )


def _servers(notes: Notes) -> tuple[int, str, int]:
    return notes.value(table.PORT), notes.value(table.PROTOCOL), notes.value(table.WEIGHT)


def _strangers(notes: Notes) -> None:
    """Labels that are in no row. Their values stay out of reports: they may be secret."""
    unknown = 0
    for name in sorted(notes.view.labels):
        found = spot(name)
        if found is None and is_ours(name):
            unknown += not is_newer(name)  # of which there may be many, and none is a slip
            _stranger(notes, name, meant(name) if unknown <= SUGGESTIONS else "")
        elif not notes.view.labels[name] and found and found.row.protects:
            _cost(notes, name, "it is empty, perhaps of a variable without a value, and so would protect nothing")


def _stranger(notes: Notes, name: str, better: str) -> None:
    hint = f"did you mean {better}?" if better else ""
    said = told_name(name)
    near = spot(better) if better else None
    if may_protect(name) or (near and near.row.protects):
        _cost(notes, said, "it is not known, and may ask for protection", hint)
    else:
        notes.problems.append(Problem(notes.title, said, "", "it is not known", IGNORED, notice=True, suggestion=hint))


def _cost(notes: Notes, name: str, reason: str, hint: str = "") -> None:
    """A protection that cannot be kept."""
    notes.problems.append(Problem(notes.title, name, "", reason, NO_ROUTE, suggestion=hint))
    notes.refusals.append(Refusal(PROTECTION, "; ".join(filter(None, (f"{name}: {reason}", hint)))))


def _unwritten(several: Sequence[Notes]) -> Iterator[Problem]:
    """Labels of Traefik's own provider that become no key."""
    for notes in several:
        for rows, idle in ((table.LOST, False), (table.IDLE, True)):
            for row in rows:
                if text := notes.text(row):
                    name = notes.view.name(row.name)
                    do = "" if idle else "take it away"
                    yield Problem(notes.title, name, told(row, text), row.unwritten, IGNORED, idle, do)


def _beaten(title: str, labels: Mapping[str, str], seen: Sequence[View]) -> Iterator[Problem]:
    """rancher-traefik's labels that say what Traefik's own say already, for each segment."""
    for row in table.TABLE:
        text = labels.get(row.name) if row.vocabulary is Vocabulary.SHORT else ""
        winners = [_winner(row.name, view) for view in seen] if text else []
        if text and all(winners):
            why = f"{winners[0]} says it too, and wins"
            yield Problem(title, row.name, told(row, text), why, IGNORED, notice=True)


def _winner(name: str, view: View) -> str:
    """The label that speaks in place of rancher-traefik's `name`; empty: none."""
    saying = (plain for plain, text in view.labels.items() if text and (one := spot(plain)) and name in one.row.beats)
    return view.name(min(saying, default=""))


def _check_twice(notes: Notes, made: Sequence[Frontend]) -> None:
    """Frontends of one service that ask for the same requests: Traefik chooses one, be it the less protected."""
    first: dict[tuple[object, ...], Frontend] = {}
    for one in made:
        priority = one.priority or len(write_rule(one.rule).encode())
        other = first.setdefault((_matched(one.rule), priority, frozenset(one.entry_points)), one)
        if other.segment == one.segment:
            continue
        why = f"segments {other.segment} and {one.segment} ask for the same requests"
        did = "published both, and Traefik chooses one"
        if _protection(other) != _protection(one):
            why, did = f"{why}, and do not protect them alike", NO_ROUTE
            notes.refusals.append(Refusal(PROTECTION, why))
        notes.problems.append(Problem(notes.title, "", write_rule(one.rule), why, did))


def _matched(rule: Rule) -> frozenset[object]:
    """What a rule asks of requests, in whatever order it says so."""
    return frozenset(
        (one.kind, one.values if one.kind in _PAIRED else frozenset(one.values))
        for one in rule.matchers
        if one.kind not in MODIFIERS
    )


def _protection(one: Frontend) -> tuple[object, ...]:
    heads = one.headers
    ssl = (heads.ssl_redirect, heads.ssl_temporary_redirect, heads.ssl_host, heads.ssl_force_host)
    return (one.auth, one.whitelist, one.redirect, one.pass_tls_cert, heads.allowed_hosts, *ssl)


def _check_names(notes: Notes, made: Sequence[Frontend]) -> None:
    """rancher-traefik's paths make several frontends of one segment, and another segment may be called like one."""
    names = Counter(one.segment for one in made)
    if twice := next((name for name, times in names.items() if times > 1), ""):
        notes.bad_rule(None, f"two frontends would both be called {twice}")
