"""Why Traefik skips a frontend that it shows in its API all the same."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from tests.golden_reader import expressions
from tests.golden_reader.flags import ENTRY_POINTS
from tests.golden_reader.objects import Auth, Backend, Frontend, RateLimit, Redirect
from tests.golden_reader.rules import go_regex, parse_rule
from tests.golden_reader.urls import parse_url

_HEADER_EXTRACTOR = "request.header."


def loss(frontend: Frontend, backends: Mapping[str, Backend]) -> str | None:
    """Why the frontend gets no request at all; None: it lives."""
    try:
        return next(_losses(frontend, backends[frontend.backend]), None)
    except ValueError as err:
        return str(err)


def status_range(text: str) -> range:
    """`404` or `500-599`. Raises ValueError."""
    low, dash, high = text.partition("-")
    return range(int(low), int(high if dash else low) + 1)


def _losses(frontend: Frontend, backend: Backend) -> Iterator[str]:
    if not frontend.entry_points:
        yield "no entry point"
    if frontend.pass_tls_cert and not all(ENTRY_POINTS[name].tls for name in frontend.entry_points):
        yield "passtlscert on an entry point without TLS"
    for route in frontend.routes.values():
        parse_rule(route.rule)
    for server in backend.servers.values():
        parse_url(server.url)
        if server.weight < 0:
            yield "negative weight"
    if backend.circuit_breaker:
        expressions.breaker(backend.circuit_breaker.expression)
    if backend.max_conn and backend.max_conn.amount:
        _check_extractor(backend.max_conn.extractor_func)
    if backend.buffering:
        if backend.buffering.retry_expression:
            expressions.check_retry(backend.buffering.retry_expression)
        if backend.buffering.max_request_body_bytes < 0 or backend.buffering.mem_request_body_bytes < 0:
            yield "negative size"
        if backend.buffering.max_response_body_bytes < 0 or backend.buffering.mem_response_body_bytes < 0:
            yield "negative size"
    for source in frontend.white_list.source_range if frontend.white_list else ():
        ipaddress.ip_network(source, strict=False)
    for page in frontend.errors.values():
        for status in page.status:
            status_range(status)
    if frontend.redirect:
        yield from _redirect_losses(frontend.redirect)
    if frontend.ratelimit and frontend.ratelimit.rate_set:
        yield from _rate_losses(frontend.ratelimit)
    if frontend.auth:
        yield from _auth_losses(frontend.auth)


def _redirect_losses(redirect: Redirect) -> Iterator[str]:
    if redirect.entry_point:
        if redirect.entry_point not in ENTRY_POINTS:
            yield "redirect to an unknown entry point"
    else:
        go_regex(redirect.regex)


def _rate_losses(limit: RateLimit) -> Iterator[str]:
    _check_extractor(limit.extractor_func)
    for each in limit.rate_set.values():
        if each.period <= 0 or each.average <= 0 or each.burst <= 0:
            yield "a rate of nothing"


def _auth_losses(auth: Auth) -> Iterator[str]:
    """The files named here lie on Traefik's machine, where none is."""
    for kind, parts in ((auth.basic, 2), (auth.digest, 3)):
        if kind:
            if kind.users_file:
                yield "no such users file"
            for user in kind.users:
                if user.count(":") < parts - 1:
                    yield f"{user!r} is no user"
    if auth.forward and auth.forward.tls:
        tls = auth.forward.tls
        if any(text and "-----BEGIN" not in text for text in (tls.ca, tls.cert, tls.key)):
            yield "no PEM text"


def _check_extractor(text: str) -> None:
    header = text.removeprefix(_HEADER_EXTRACTOR) if text.startswith(_HEADER_EXTRACTOR) else ""
    if text not in ("client.ip", "request.host") and not header:
        raise ValueError(f"unsupported limiting variable: {text!r}")
