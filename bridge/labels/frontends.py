"""From labels to the frontends of one segment, or of a service that has none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bridge.labels import table
from bridge.labels.headers import client_cert, headers
from bridge.labels.hosts import Bearer, hosts, rules
from bridge.labels.notes import LEFT_OUT, Notes
from bridge.labels.protection import auth, redirect, whitelist
from bridge.model.keys import NAME_LIMIT, escape, route_name
from bridge.model.route import ErrorPage, Frontend, RateLimit, RateSet

RATE_SET = "main"
_PAGE = (table.PAGE_STATUS, table.PAGE_BACKEND, table.PAGE_QUERY)
_SET = (table.SET_PERIOD, table.SET_AVERAGE, table.SET_BURST)


@dataclass(frozen=True, slots=True)
class Whose:
    """The service that the labels stand on, as far as its frontends depend on it."""

    bearer: Bearer
    segments: tuple[str, ...]  # of all of it


def frontends(notes: Notes, whose: Whose) -> tuple[Frontend, ...]:
    """A frontend for each rule; none where no rule can be used, and a refusal says why."""
    segment, asked = notes.view.segment, hosts(notes, whose.bearer)
    priority, passes, limit = _priority(notes), notes.value(table.PASS_HOST_HEADER), _rate_limit(notes)
    made = (
        Frontend(
            f"{segment}.{name}" if segment and name else segment or name,
            rule,
            backend=segment,
            priority=priority,
            pass_host_header=passes,
            rate_limit=limit,
        )
        for name, rule in rules(notes, asked, whose.bearer)
    )
    return tuple(_native(notes, whose, tuple(made)) if notes.native else made)


def _native(notes: Notes, whose: Whose, made: tuple[Frontend, ...]) -> Iterator[Frontend]:
    """With all that Traefik's own labels add."""
    entry_points, cert = notes.asked_values(table.ENTRY_POINTS), notes.asked(table.PASS_TLS_CERT)
    infos, who, ranges, sent = client_cert(notes), auth(notes), whitelist(notes), redirect(notes)
    pages, heads = tuple(_pages(notes, whose)), headers(notes)
    for one in made:
        yield replace(
            one,
            entry_points=entry_points,
            pass_tls_cert=cert,
            client_cert=infos,
            auth=who,
            whitelist=ranges,
            redirect=sent,
            errors=pages,
            headers=heads,
        )


def _priority(notes: Notes) -> int | None:
    if notes.says(table.FRONTEND_PRIORITY):
        priority = notes.value(table.FRONTEND_PRIORITY)
        if priority is not None and priority <= 0:  # so Traefik takes it, from labels and from keys
            notes.problem(table.FRONTEND_PRIORITY, "it is not above 0", "left it to the rule's length", notice=True)
            return None
        row = table.FRONTEND_PRIORITY
    else:
        priority, row = notes.value(table.PRIORITY), table.PRIORITY
    if priority is None or priority >= 2:
        return priority
    # 0 and less mean "by length" to Traefik, and 1 is the backstop's.
    notes.problem(row, "it is below 2", "wrote 2", notice=True)
    return 2


def _rate_limit(notes: Notes) -> RateLimit | None:
    if notes.native and (notes.says(table.RATE_EXTRACTOR) or notes.inners(*_SET)):
        return _native_rate_limit(notes)
    if not notes.value(table.RATE_ENABLE):
        return None
    period, average = notes.value(table.RATE_PERIOD), notes.value(table.RATE_AVERAGE)
    rates = RateSet(period, average, notes.value(table.RATE_BURST))
    return RateLimit("client.ip", ((RATE_SET, rates),))


def _native_rate_limit(notes: Notes) -> RateLimit | None:
    before = len(notes.problems)
    extractor = notes.asked(table.RATE_EXTRACTOR)
    found = ((name, _rate_set(notes, name)) for name in notes.inners(*_SET))
    sets = tuple((name, one) for name, one in found if one)
    if extractor and sets:
        return RateLimit(extractor, sets)
    if not notes.says(table.RATE_EXTRACTOR):
        notes.problem(table.RATE_EXTRACTOR, "without it no rate counts", table.NO_LIMIT)
    elif len(notes.problems) == before:
        notes.problem(table.RATE_EXTRACTOR, "no rate set says how many requests", table.NO_LIMIT)
    return None


def _rate_set(notes: Notes, name: str) -> RateSet | None:
    period = notes.asked(table.SET_PERIOD, name)
    average, burst = notes.asked(table.SET_AVERAGE, name), notes.asked(table.SET_BURST, name)
    for row in _SET:
        if not notes.text(row, name):
            notes.problem(row, "the rate set lacks it", LEFT_OUT, inner=name)
    if period is None or average is None or burst is None or not _can_be_named(notes, name, *_SET):
        return None
    if average > round(period * 10**9):
        notes.problem(table.SET_AVERAGE, "more requests than the period has nanoseconds", LEFT_OUT, inner=name)
        return None
    return RateSet(period, average, burst)


def _can_be_named(notes: Notes, name: str, *rows: table.Row) -> bool:
    if len(escape(name)) <= NAME_LIMIT:
        return True
    row = next(row for row in rows if notes.text(row, name))
    notes.problem(row, f"its name is longer than {NAME_LIMIT} bytes", LEFT_OUT, inner=name)
    return False


def _pages(notes: Notes, whose: Whose) -> Iterator[ErrorPage]:
    for name in notes.inners(*_PAGE):
        status = notes.asked_values(table.PAGE_STATUS, name)
        asked, query = notes.asked(table.PAGE_BACKEND, name), notes.asked(table.PAGE_QUERY, name)
        for row in (table.PAGE_STATUS, table.PAGE_BACKEND):
            if not notes.text(row, name):
                notes.problem(row, "the error page lacks it", "left the page out", inner=name)
        if not status or not asked or not _can_be_named(notes, name, *_PAGE):
            continue
        try:
            backend = _page_backend(asked, notes.view.segment, whose)
        except ValueError as err:
            notes.problem(table.PAGE_BACKEND, str(err), "left the page out", inner=name)
        else:
            yield ErrorPage(name, status, backend, query)


def _page_backend(asked: str, segment: str, whose: Whose) -> str:
    """One of the service's segments, or the name of another service's backend. Raises ValueError.

    Traefik's provider names a backend <service>-<stack>, so who wrote its labels wrote that.
    """
    if asked in whose.segments:
        if asked == segment:
            raise ValueError("the frontend's own backend is no page: Traefik ignores it")
        return asked
    stack, slash, service = asked.lower().partition("/")
    if not slash:
        service, stack = asked.lower().removesuffix(f"-{whose.bearer.stack}"), whose.bearer.stack
    if (service, stack) == (whose.bearer.service, whose.bearer.stack):
        meant = f"say which segment: {', '.join(whose.segments)}" if segment else "Traefik ignores it"
        raise ValueError(f"the frontend's own backend is no page: {meant}")
    return route_name(service, stack)
