"""From labels to what the backends of a service do; they all do the same."""

from __future__ import annotations

from bridge.labels import table
from bridge.labels.notes import IGNORED, Notes
from bridge.labels.table import Row
from bridge.model.route import Backend, Buffering, HealthCheck, MaxConn

_CHECK: tuple[Row, ...] = (
    table.CHECK_INTERVAL,
    table.CHECK_PORT,
    table.CHECK_SCHEME,
    table.CHECK_HOSTNAME,
    table.CHECK_HEADERS,
)
_BUFFERING: tuple[Row, ...] = (
    table.MAX_REQUEST,
    table.MEM_REQUEST,
    table.MAX_RESPONSE,
    table.MEM_RESPONSE,
    table.RETRY,
)


def backend(notes: Notes) -> Backend:
    """A backend without servers."""
    method, sticky, breaker = notes.value(table.METHOD), _sticky(notes), notes.value(table.BREAKER)
    if not notes.native:
        return Backend(method=method, sticky=sticky, breaker=breaker)
    return Backend(
        method=method,
        sticky=sticky,
        breaker=breaker,
        max_conn=_max_conn(notes),
        health_check=_health_check(notes),
        buffering=_buffering(notes),
        tags=notes.asked_values(table.TAGS),
    )


def _sticky(notes: Notes) -> bool:
    if not notes.says(table.STICKINESS, table.STICKINESS_OLD):
        return notes.value(table.STICKY)
    older = notes.asked(table.STICKINESS_OLD)
    if older:
        why = "it is deprecated: from a store the cookie has another name than before"
        notes.problem(table.STICKINESS_OLD, why, f"took it for {table.STICKINESS.name}", notice=True)
    return notes.asked(table.STICKINESS) or older


def _max_conn(notes: Notes) -> MaxConn | None:
    amount, extractor = notes.asked(table.MAX_CONN), notes.asked(table.MAX_CONN_EXTRACTOR)
    if not notes.says(table.MAX_CONN) and notes.says(table.MAX_CONN_EXTRACTOR):
        _useless(notes, table.MAX_CONN_EXTRACTOR, table.MAX_CONN)
    return MaxConn(amount, extractor) if amount else None


def _health_check(notes: Notes) -> HealthCheck | None:
    path = notes.asked(table.CHECK_PATH)
    if not path:
        if not notes.says(table.CHECK_PATH):
            for row in _CHECK:
                _useless(notes, row, table.CHECK_PATH)
        return None
    return HealthCheck(
        path,
        interval=notes.asked(table.CHECK_INTERVAL),
        port=notes.asked(table.CHECK_PORT),
        scheme=notes.asked(table.CHECK_SCHEME),
        hostname=notes.asked(table.CHECK_HOSTNAME),
        headers=notes.asked(table.CHECK_HEADERS),
    )


def _useless(notes: Notes, row: Row, without: Row) -> None:
    if notes.says(row):
        notes.problem(row, f"without {without.name} it does nothing", IGNORED)


def _buffering(notes: Notes) -> Buffering | None:
    """Any of its labels switches it on, in Traefik too."""
    if not notes.says(*_BUFFERING):
        return None
    return Buffering(
        max_request=notes.asked(table.MAX_REQUEST),
        mem_request=notes.asked(table.MEM_REQUEST),
        max_response=notes.asked(table.MAX_RESPONSE),
        mem_response=notes.asked(table.MEM_RESPONSE),
        retry=notes.asked(table.RETRY),
    )
