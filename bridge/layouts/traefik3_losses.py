"""What routes can ask of Traefik 1 and Traefik 3 does otherwise, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bridge.labels import table
from bridge.labels.notes import told
from bridge.labels.rules import write_rule
from bridge.labels.table import INNER, Row
from bridge.layouts import NoCounterpart, Target
from bridge.layouts.headers import counting
from bridge.layouts.traefik3_frontend import FORWARD_HEADER_FIELD, kept, kept_of_request, retries, routers
from bridge.layouts.traefik3_keys import contested
from bridge.layouts.traefik3_names import object_name
from bridge.model.problem import Problem
from bridge.model.route import Backend, ForwardAuth, Frontend, Headers, Kind, Matcher, Pairs, Redirect, Route

_FORWARDED_PROTO = (("X-Forwarded-Proto", "https"),)
_OLD_COOKIES = (3, 3)  # the first Traefik that knows the cookies of Traefik 1
_LEFT_OUT = "left it out"
_DIGITS = "Traefik 3 refuses the whole tree for a header whose name is a number"


def refuse(route: Route, target: Target) -> None:
    """Raises NoCounterpart where something that protects the route cannot be said."""
    for frontend in route.frontends:
        _refuse_of_clients(frontend)
        _refuse_of_headers(counting(frontend.headers))
        if frontend.redirect:
            _refuse_of_redirect(frontend.redirect, target)


def _refuse_of_clients(frontend: Frontend) -> None:
    if frontend.pass_tls_cert:
        raise NoCounterpart(table.PASS_TLS_CERT.name, "true", "Traefik 3 passes no certificate on to a server by TLS")
    if frontend.whitelist and frontend.whitelist.use_x_forwarded_for:
        reason = "Traefik 3 looks at one forwarded address alone, and not for any that is listed"
        raise NoCounterpart(table.WHITELIST_FORWARDED.name, "true", reason)
    kind = frontend.auth.kind if frontend.auth else None
    if isinstance(kind, ForwardAuth) and kind.tls and kind.tls.ca_optional:
        raise NoCounterpart(table.TLS_CA_OPTIONAL.name, "true", "Traefik 3 takes the key, and nothing comes of it")


def _refuse_of_headers(headers: Headers) -> None:
    if headers.ssl_force_host and headers.ssl_host:
        reason = "Traefik 3 cannot say 'any host but this one'"
        raise NoCounterpart(table.SSL_FORCE_HOST.name, "true", reason)
    odd = headers.ssl_host or headers.ssl_proxy_headers != _FORWARDED_PROTO
    if headers.ssl_redirect and headers.ssl_proxy_headers and odd:
        reason = "Traefik 3 knows what came by https from X-Forwarded-Proto alone: it would send clients in a circle"
        raise NoCounterpart(table.SSL_PROXY_HEADERS.name, "", reason)
    said = {name.lower() for name, _ in headers.custom_request}
    if headers.allowed_hosts and said & {name.lower() for name in headers.hosts_proxy_headers}:
        value = ",".join(headers.hosts_proxy_headers)
        reason = "customRequestHeaders sets one of them, and Traefik 3 looks at it before"
        raise NoCounterpart(table.HOSTS_PROXY_HEADERS.name, value, reason)


def _refuse_of_redirect(redirect: Redirect, target: Target) -> None:
    speaking = [name for name, _ in target.tls]
    if redirect.entry_point and redirect.entry_point not in speaking:
        reason = f"Traefik 3 is told a scheme and a port, and they are known of {', '.join(speaking) or 'none'} alone"
        raise NoCounterpart(table.REDIRECT_ENTRY_POINT.name, redirect.entry_point, reason)
    if "{{" in redirect.replacement:
        reason = "Traefik 3 knows no templates in it"
        value = told(table.REDIRECT_REPLACEMENT, redirect.replacement)
        raise NoCounterpart(table.REDIRECT_REPLACEMENT.name, value, reason)


def losses(route: Route, target: Target) -> Iterator[Problem]:
    """What else of `route` is done otherwise, and how."""
    for frontend in route.frontends:
        yield from _of_rule(route, frontend)
        yield from _of_clients(route, frontend, target)
        yield from _of_https(route, frontend, target)
        yield from _of_headers(route, counting(frontend.headers))
    rivals = contested(route, target) if len(route.frontends) > 1 else ()
    for frontend, router, winner in rivals:
        if winner is not None:
            reason = f"{object_name(route, winner.segment)} asks for the same requests, and gets them"
            yield _lost(route, table.RULE, write_rule(frontend.rule), reason, f"wrote no router {router.name}")
    for backend in route.backends:
        yield from _of_backend(route, backend, target)
    if route.acme:
        yield from _of_certificates(route, target)


def _of_certificates(route: Route, target: Target) -> Iterator[Problem]:
    speaking = {name for name, _ in target.tls}
    if not target.resolver:
        reason, how = "no resolver of Traefik 3's is known", "name it with --cert-resolver"
    elif not any(speaking & {*(frontend.entry_points or target.entry_points)} for frontend in route.frontends):
        reason, how = "none of its entry points speaks TLS", "name one with --entry-points"
    else:
        return
    yield replace(_lost(route, table.ACME, "true", reason, "asked for no certificate"), suggestion=how)


def _lost(route: Route, row: Row, value: str, reason: str, did: str, *, notice: bool = False) -> Problem:
    """`value`: what the label says."""
    return Problem(route.title, row.name, told(row, value), reason, did, notice)


def _of_rule(route: Route, frontend: Frontend) -> Iterator[Problem]:
    reasons = {
        Kind.PATH: "with a slash behind the path Traefik 1 sends the client to it; Traefik 3 takes no such request",
        Kind.QUERY: "of a parameter that stands twice Traefik 1 looks at the first value, Traefik 3 at each",
    }
    reasons |= dict.fromkeys((Kind.PATH_STRIP, Kind.PATH_STRIP_REGEX), reasons[Kind.PATH])
    for matcher in frontend.rule.matchers:
        if matcher.kind in reasons:
            did = "wrote the rule without it"
            yield _lost(route, table.RULE, _shown(matcher), reasons[matcher.kind], did, notice=True)


def _shown(matcher: Matcher) -> str:
    return f"{matcher.kind.value}:{','.join(matcher.values)}"


def _of_clients(route: Route, frontend: Frontend, target: Target) -> Iterator[Problem]:
    if frontend.client_cert and frontend.client_cert.infos:
        asked = f"passTLSClientCert.infos.{frontend.client_cert.infos[0]}"
        row = next(one for one in table.CERT_INFOS if one.name.endswith(asked))
        reason = "Traefik 3 tells it in another header than Traefik 1, whose ends in -Infos"
        yield _lost(route, row, "true", reason, "asked for X-Forwarded-Tls-Client-Cert-Info")
    auth = frontend.auth
    if auth and isinstance(auth.kind, ForwardAuth) and auth.header_field and target.version < FORWARD_HEADER_FIELD:
        reason = "with auth.forward only newer Traefiks know it, for their access logs"
        yield _lost(route, table.AUTH_HEADER, auth.header_field, reason, _LEFT_OUT, notice=True)


def _of_https(route: Route, frontend: Frontend, target: Target) -> Iterator[Problem]:
    """Who names no entry points has Traefik 1's default ones, and those often speak TLS."""
    if frontend.entry_points or any(router.tls for router in routers("", frontend, target)):
        return
    reason = "clients are sent to https, where Traefik 3 answers for none of its routers: 404"
    did = "sends them all the same"
    how = "name an entry point that speaks TLS with --entry-points; nothing where Traefik's own configuration says so"
    if counting(frontend.headers).ssl_redirect:
        yield replace(_lost(route, table.SSL_REDIRECT, "true", reason, did, notice=True), suggestion=how)
    if frontend.redirect and (asked := frontend.redirect.entry_point):
        yield replace(_lost(route, table.REDIRECT_ENTRY_POINT, asked, reason, did, notice=True), suggestion=how)


def _of_headers(route: Route, headers: Headers) -> Iterator[Problem]:
    for row, pairs, kept_pairs in (
        (table.CUSTOM_REQUEST, headers.custom_request, kept(headers.custom_request)),
        (table.CUSTOM_RESPONSE, headers.custom_response, kept(headers.custom_response)),
        (table.SSL_PROXY_HEADERS, headers.ssl_proxy_headers, kept(headers.ssl_proxy_headers)),
    ):
        yield from _digits(route, row, pairs, kept_pairs)
    if kept(headers.custom_request) != kept_of_request(headers.custom_request):
        reason = "Traefik 1 does nothing with Host among them, and Traefik 3 would send it as the request's host"
        yield _lost(route, table.CUSTOM_REQUEST, "", reason, f"{_LEFT_OUT} of them")
    if headers.ssl_redirect and headers.ssl_temporary_redirect:
        reason = "Traefik 3 answers 302 to GET where Traefik 1 answers 307"
        yield _lost(route, table.SSL_TEMPORARY, "true", reason, "asked for that", notice=True)


def _digits(route: Route, row: Row, pairs: Pairs, kept_pairs: Pairs) -> Iterator[Problem]:
    if len(pairs) != len(kept_pairs):
        yield _lost(route, row, "", _DIGITS, f"{_LEFT_OUT} of them")


def _of_backend(route: Route, backend: Backend, target: Target) -> Iterator[Problem]:
    if backend.method == "drr":
        # Of no service: what rancher-traefik's labels ask for by default is said once.
        reason = "Traefik 3 has no such method, rancher-traefik's default: servers get their share by weight alone"
        yield Problem("", table.METHOD.name, backend.method, reason, "took wrr", notice=True)
    if backend.tags:
        reason = "Traefik 3 chooses no servers by tags from a store"
        yield _lost(route, table.TAGS, ",".join(backend.tags), reason, "published all servers, without tags")
    if backend.sticky and target.version < _OLD_COOKIES:
        reason = f"only Traefik {'.'.join(map(str, _OLD_COOKIES))} and newer know the cookies that Traefik 1 gave"
        did = "clients with such a cookie get another server once"
        yield _lost(route, table.STICKINESS, "true", reason, did, notice=True)
    if backend.buffering and backend.buffering.retry and retries(backend.buffering.retry) is None:
        reason = "Traefik 3 sends again what no server took, up to a number of times, and knows no other condition"
        yield _lost(route, table.RETRY, backend.buffering.retry, reason, "sends nothing again")
    if backend.health_check:
        yield from _digits(route, table.CHECK_HEADERS, backend.health_check.headers, kept(backend.health_check.headers))


def page_problem(route: Route, page: str, backend: str) -> Problem:
    """Of an error page that is left out."""
    label = table.PAGE_BACKEND.name.replace(INNER, page)
    reason = "no such backend is published beside it, and Traefik 3 would drop the whole route for it"
    return Problem(route.title, label, backend, reason, "left the page out")
