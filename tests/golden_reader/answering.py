"""Who answers a request: the frontend that gets it, what stands in the way, the servers behind it.

The order of what stands in the way, from the outside: the rule's changes of the path, error pages, white list,
redirect, headers, log-in, limits, servers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tests.golden_reader import passwords
from tests.golden_reader.flags import ENTRY_POINTS
from tests.golden_reader.losses import status_range
from tests.golden_reader.objects import Auth, Backend, BasicAuth, Frontend, Headers, HealthCheck, Redirect, WhiteList
from tests.golden_reader.rules import Changes, Request, Rule, go_regex, go_replacement, parse_rule
from tests.golden_reader.text import canonical_header
from tests.golden_reader.urls import Url, parse_url

_SPOKEN = ("http", "https", "h2c")


@dataclass(frozen=True, slots=True)
class Reply:
    """What comes of asking a server."""

    status: int
    server: str | None  # scheme://host:port of the server that answered; None: nobody did


Upstream = Callable[[Url, str], Reply]  # a server's url and a path


def EVERYBODY_ANSWERS(server: Url, path: str) -> Reply:  # noqa: N802, ARG001 - a constant that is called
    """A world in which every server is well."""
    return Reply(200, server.origin)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request comes to."""

    status: int  # where servers differ, what the first by url answers
    servers: frozenset[str] = frozenset()  # scheme://host:port of those that may answer; none: Traefik itself does
    frontend: str | None = None  # whose request it is
    protections: frozenset[str] = frozenset()  # what stands before that frontend's backend
    reached: bool = False  # it came through to the backend, whether or not there is a server
    path: str = ""  # as the server sees it
    host: str = ""
    upstream_headers: Mapping[str, str] = field(default_factory=dict)  # set by Traefik; empty: taken off
    response_headers: Mapping[str, str] = field(default_factory=dict)  # likewise
    cookie: str = ""  # the name of the cookie that keeps a client at its server


@dataclass(frozen=True, slots=True)
class Live:
    """A frontend that takes requests."""

    name: str
    frontend: Frontend
    rules: tuple[Rule, ...]
    priority: int

    @classmethod
    def of(cls, name: str, frontend: Frontend) -> Live:
        """Its priority is its key's, or else the length of its rules."""
        texts = [route.rule for route in frontend.routes.values()]
        length = sum(len(text.encode("utf-8", "surrogateescape")) for text in texts)
        priority = frontend.priority if frontend.priority > 0 else length
        return cls(name, frontend, tuple(parse_rule(text) for text in texts), priority)

    def takes(self, request: Request) -> bool:
        """Whether the request is this frontend's; one without a rule takes every request."""
        return request.entry_point in self.frontend.entry_points and all(rule.matches(request) for rule in self.rules)


def answer(live: tuple[Live, ...], backends: Mapping[str, Backend], request: Request, upstream: Upstream) -> Answer:
    """The first of `live` that takes the request decides.

    Of equal priorities the first name wins; beyond some twelve frontends the real Traefik's choice is arbitrary.
    """
    found = next((each for each in live if each.takes(request)), None)
    if found is None:
        return Answer(404)
    about = Answer(404, frontend=found.name, protections=found.frontend.protections)
    changes = Changes()
    for rule in found.rules:
        if (moved := rule.slash_moved(request)) is not None:
            return replace(about, status=301, response_headers={"Location": moved})
        changes = changes.and_then(rule.changes)
    changed = changes.apply(request.path)
    if changed is None:
        return about
    path, told = changed
    about = replace(about, path=path, host=request.host, upstream_headers=told)
    inner = _guarded(about, found.frontend, backends[found.frontend.backend], request, upstream)
    return _with_error_page(inner, found.frontend, live, backends, upstream)


def _guarded(about: Answer, frontend: Frontend, backend: Backend, request: Request, upstream: Upstream) -> Answer:
    """What comes of a request that has found its frontend."""
    if frontend.white_list and not _allowed(frontend.white_list, request):
        return replace(about, status=403)
    if frontend.redirect and (location := _redirected(frontend.redirect, request)):
        status = 301 if frontend.redirect.permanent else 302
        return replace(about, status=status, response_headers={"Location": location})
    if frontend.headers:
        refusal = _refused_by_headers(about, frontend.headers, request)
        if refusal:
            return refusal
        about = replace(
            about,
            upstream_headers={**about.upstream_headers, **_request_headers(frontend.headers)},
            response_headers=_response_headers(frontend.headers, request),
        )
    if frontend.auth:
        refusal = _refused_by_log_in(about, frontend.auth, request, upstream)
        if refusal:
            return refusal
        told = {**about.upstream_headers, **_log_in_headers(frontend.auth, request)}
        about = replace(about, upstream_headers=told)
    if backend.max_conn and backend.max_conn.amount < 0:
        return replace(about, status=429)
    if backend.buffering and 0 < backend.buffering.max_request_body_bytes < request.body_bytes:
        return replace(about, status=413)
    return _served(replace(about, reached=True), frontend, backend, upstream)


def _served(about: Answer, frontend: Frontend, backend: Backend, upstream: Upstream) -> Answer:
    urls = sorted((parse_url(server.url) for server in backend.servers.values()), key=lambda url: url.origin)
    if backend.health_check:
        urls = [url for url in urls if _healthy(url, backend.health_check, upstream)]
    if not urls:
        return replace(about, status=503)
    replies = [_ask(url, about.path, upstream) for url in urls]
    return replace(
        about,
        status=replies[0].status,
        servers=frozenset(reply.server for reply in replies if reply.server),
        host=about.host if frontend.pass_host_header else urls[0].authority,
        cookie=_cookie(frontend.backend, backend),
    )


def _ask(url: Url, path: str, upstream: Upstream) -> Reply:
    """Go's client refuses some urls before it asks anybody."""
    if url.scheme not in _SPOKEN or not url.authority:
        return Reply(500, None)
    if int(url.port or 0) > 65535 or (":" in url.host and not url.host.startswith("[")):
        return Reply(502, None)
    return upstream(url, path)


def _healthy(url: Url, check: HealthCheck, upstream: Upstream) -> bool:
    """Whether the server stays after its first check."""
    try:
        path = parse_url(check.path).path
    except ValueError:
        return False
    scheme, port = check.scheme or url.scheme, str(check.port) if check.port else url.port
    if not port.isdecimal():
        return False
    reply = _ask(replace(url, scheme=scheme, port=port), "/" + path.removeprefix("/"), upstream)
    return reply.server is not None and 200 <= reply.status < 400


def _cookie(name: str, backend: Backend) -> str:
    if backend.load_balancer.stickiness is None:
        return ""
    digest = hashlib.sha1(f"_TRAEFIK_BACKEND_{name}".encode()).hexdigest()
    return backend.load_balancer.stickiness.cookie_name or f"_{digest[:5]}"


def _allowed(white_list: WhiteList, request: Request) -> bool:
    clients = [request.client]
    if white_list.use_x_forwarded_for and (forwarded := request.header("X-Forwarded-For")):
        clients = [part.strip() for part in forwarded.split(",")]
    ranges = [ipaddress.ip_network(source, strict=False) for source in white_list.source_range]
    try:
        return any(ipaddress.ip_address(client) in each for client in clients for each in ranges)
    except ValueError:  # a client that names itself so is not let in
        return False


def _redirected(redirect: Redirect, request: Request) -> str | None:
    here = ENTRY_POINTS[request.entry_point]
    if redirect.entry_point:
        if redirect.entry_point == request.entry_point:
            return None
        target = ENTRY_POINTS[redirect.entry_point]
        scheme = "https" if target.tls else "http"
        return f"{scheme}://{request.host_name}:{target.port}{request.path}"
    asked = f"{'https' if here.tls else 'http'}://{request.host}{request.path}"
    location = go_regex(redirect.regex).sub(go_replacement(redirect.replacement), asked)
    return None if location == asked else location


def _refused_by_headers(about: Answer, headers: Headers, request: Request) -> Answer | None:
    if headers.is_development:
        return None
    if headers.allowed_hosts and request.host.lower() not in {host.lower() for host in headers.allowed_hosts}:
        return replace(about, status=500)
    host = headers.ssl_host or request.host
    if (headers.ssl_redirect and not _is_tls(headers, request)) or (
        headers.ssl_force_host and headers.ssl_host and request.host != headers.ssl_host
    ):
        status = 307 if headers.ssl_temporary_redirect else 301
        return replace(about, status=status, response_headers={"Location": f"https://{host}{request.path}"})
    return None


def _is_tls(headers: Headers, request: Request) -> bool:
    """A client that sends the proxy's header is believed."""
    proxied = any(request.header(name) == value for name, value in headers.ssl_proxy_headers.items())
    return ENTRY_POINTS[request.entry_point].tls or proxied


def _request_headers(headers: Headers) -> dict[str, str]:
    return {name: value for name, value in headers.custom_request_headers.items() if name != "Host"}


def _response_headers(headers: Headers, request: Request) -> dict[str, str]:
    told = {
        "X-Frame-Options": headers.custom_frame_options_value or ("DENY" if headers.frame_deny else ""),
        "X-Content-Type-Options": "nosniff" if headers.content_type_nosniff else "",
        "X-Xss-Protection": headers.custom_browser_xss_value or ("1; mode=block" if headers.browser_xss_filter else ""),
        "Content-Security-Policy": headers.content_security_policy,
        "Public-Key-Pins": "" if headers.is_development else headers.public_key,
        "Referrer-Policy": headers.referrer_policy,
    }
    strict = headers.force_sts_header or _is_tls(headers, request)
    if headers.sts_seconds and strict and not headers.is_development:
        told["Strict-Transport-Security"] = (
            f"max-age={headers.sts_seconds}"
            + "; includeSubdomains" * headers.sts_include_subdomains
            + "; preload" * headers.sts_preload
        )
    return {name: value for name, value in told.items() if value} | dict(headers.custom_response_headers)


def _refused_by_log_in(about: Answer, auth: Auth, request: Request, upstream: Upstream) -> Answer | None:
    if auth.basic:
        if _user(auth.basic, request) is None:
            return replace(about, status=401, response_headers={"Www-Authenticate": 'Basic realm="traefik"'})
        return None
    if auth.digest:  # a log-in with the right password was never recorded, so here nobody has it
        return replace(about, status=401)
    if auth.forward:
        return _refused_by_other(about, auth.forward.address, upstream)
    return replace(about, status=500)


def _log_in_headers(auth: Auth, request: Request) -> dict[str, str]:
    """What the backend is told of the user."""
    if auth.basic is None:
        return {}
    told = {canonical_header(auth.header_field): _user(auth.basic, request) or ""} if auth.header_field else {}
    return told | ({"Authorization": ""} if auth.basic.remove_header else {})


def _user(basic: BasicAuth, request: Request) -> str | None:
    """Who logs in with the right password; None: nobody."""
    kind, _, words = (request.header("Authorization") or "").partition(" ")
    try:
        name, _, password = base64.b64decode(words, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    kept = dict(user.split(":", 1) for user in basic.users).get(name, "")
    return name if kind == "Basic" and passwords.fits(password, kept) else None


def _refused_by_other(about: Answer, address: str, upstream: Upstream) -> Answer | None:
    """Another server decides; its refusal is passed on."""
    try:
        url = parse_url(address)
    except ValueError:
        return replace(about, status=500)
    reply = _ask(url, url.path, upstream)
    if reply.server is None:
        return replace(about, status=500)
    if 200 <= reply.status < 300:
        return None
    return replace(about, status=reply.status, servers=frozenset({reply.server}), path=url.path, host=url.authority)


def _with_error_page(
    inner: Answer,
    frontend: Frontend,
    live: tuple[Live, ...],
    backends: Mapping[str, Backend],
    upstream: Upstream,
) -> Answer:
    """The page of another backend where the answer's status asks for one; the status stays."""
    for page in frontend.errors.values():
        usable = page.backend in backends and page.backend != frontend.backend
        if not usable or not any(inner.status in status_range(text) for text in page.status):
            continue
        backend = backends[page.backend]
        wired = any(each.frontend.backend == page.backend for each in live) or "error" in backend.servers
        about = replace(inner, path=page.query.replace("{status}", str(inner.status)), host="0.0.0.0")
        if not wired:
            return replace(about, status=500, servers=frozenset())
        return replace(_served(about, replace(frontend, pass_host_header=True), backend, upstream), status=inner.status)
    return inner
