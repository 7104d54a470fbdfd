"""What a frontend asks for, as routers and middlewares of Traefik 3's tree.

A router of Traefik 3 speaks TLS or does not, so a frontend at entry points of both sorts becomes two. A middleware
belongs to one router: Traefik 1 counts rates and connections for each frontend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.labels.types import MOST, header_name, write_seconds
from bridge.layouts import Target
from bridge.layouts import traefik3_names as names
from bridge.layouts.headers import counting
from bridge.layouts.traefik3_rules import changes, length, translated
from bridge.model.route import (
    Auth,
    Backend,
    BasicAuth,
    Buffering,
    ClientCert,
    DigestAuth,
    ErrorPage,
    ForwardAuth,
    Frontend,
    Headers,
    MaxConn,
    Pairs,
    RateLimit,
    RateSet,
    Redirect,
)

Text = str | tuple[str, ...]  # a value, or the items of a list
Keys = Iterator[tuple[str, Text]]
Middlewares = Iterator[tuple[str, list[tuple[str, Text]]]]  # name, and below it fields with their values

HTTPS_PORT = 443
FORWARD_HEADER_FIELD = (3, 2)  # the first Traefik that knows forwardAuth/headerField
_RETRY = re.compile(
    r"IsNetworkError\(\) && Attempts\(\) (<=?) ([0-9]+)|Attempts\(\) (<=?) ([0-9]+) && IsNetworkError\(\)"
)
_REQUEST_HEADER = "request.header."


@dataclass(frozen=True, slots=True)
class Router:
    """One half of a frontend: its plain entry points, or those with TLS."""

    name: str
    entry_points: tuple[str, ...]  # empty: Traefik's default ones
    tls: bool


def routers(name: str, frontend: Frontend, target: Target) -> Iterator[Router]:
    """The routers of a frontend."""
    asked = frontend.entry_points or target.entry_points
    speaking = {entry_point for entry_point, _ in target.tls}
    plain = tuple(one for one in asked if one not in speaking)
    secure = tuple(one for one in asked if one in speaking)
    if plain or not secure:
        yield Router(name, plain, tls=False)
    if secure:
        yield Router(name + names.TLS, secure, tls=True)


def priority(frontend: Frontend) -> int:
    """Traefik 1's, always written: without it the length of the translated rule would decide, which is another one.

    Raises ValueError as `translated`.
    """
    return frontend.priority if frontend.priority is not None else length(frontend.rule)


def router_keys(
    router: Router,
    frontend: Frontend,
    backend: Backend,
    service: str,
    pages: Mapping[str, str],
    target: Target,
    raised: int,
) -> Keys:
    """The keys of a router that leads to `service`, and of its middlewares.

    `pages`: the service of each error page, by name; `raised`: added to its priority. Raises ValueError where
    a rule or a name cannot be written.
    """
    base = f"http/routers/{router.name}"
    yield f"{base}/rule", translated(frontend.rule)
    yield f"{base}/service", service
    yield f"{base}/priority", str(priority(frontend) + raised)
    if router.entry_points:
        yield f"{base}/entryPoints", router.entry_points
    if router.tls and target.resolver:
        yield f"{base}/tls/certResolver", target.resolver
    elif router.tls:
        yield f"{base}/tls", "true"
    chain = [one for one in _middlewares(router, frontend, backend, pages, target) if one[1]]
    if chain:
        yield f"{base}/middlewares", tuple(name for name, _ in chain)
    for name, fields in chain:
        for field, text in fields:
            yield f"http/middlewares/{name}/{field}", text


def _middlewares(
    router: Router, frontend: Frontend, backend: Backend, pages: Mapping[str, str], target: Target
) -> Middlewares:
    """The outermost first, as Traefik 1 has them; but what answers by itself stands before what changes the path.

    Traefik 1 gives a request its own path again before it sends the client elsewhere.
    """

    def name(what: str, inner: str = "") -> str:
        return names.middleware_name(router.name, what, inner)

    headers = counting(frontend.headers)
    for page in frontend.errors:
        if page.name in pages:
            yield name(names.ERROR, page.name), list(_error_fields(page, pages[page.name]))
    if frontend.whitelist:
        yield name(names.ALLOW), [("ipAllowList/sourceRange", frontend.whitelist.ranges)]
    if frontend.redirect:
        yield name(names.REDIRECT), list(_redirect_fields(frontend.redirect, target))
    yield name(names.HOSTS), list(_host_fields(headers))
    if headers.ssl_redirect and not router.tls:
        yield name(names.SSL), list(_ssl_fields(headers))
    for what, fields in changes(frontend.rule):
        yield name(what), list(fields)
    yield name(names.HEADERS), list(_header_fields(headers))
    if frontend.client_cert:
        yield name(names.CERT), list(_cert_fields(frontend.client_cert))
    if frontend.auth:
        yield name(names.AUTH), list(_auth_fields(frontend.auth, target))
    if backend.breaker:
        yield name(names.BREAKER), [("circuitBreaker/expression", backend.breaker)]
    if backend.buffering:
        yield name(names.BUFFERING), list(_buffering_fields(backend.buffering))
        if (attempts := retries(backend.buffering.retry) or 1) > 1:
            yield name(names.RETRY), [("retry/attempts", str(attempts))]
    if backend.max_conn:
        yield name(names.CONN), list(_conn_fields(backend.max_conn))
    if frontend.rate_limit:
        for inner, rate in frontend.rate_limit.sets:
            yield name(names.RATE, inner), list(_rate_fields(frontend.rate_limit, rate))


def retries(expression: str) -> int | None:
    """How often a request is sent at most, by a retry expression; None where Traefik 3 cannot say so."""
    found = _RETRY.fullmatch(expression)
    if not found:
        return None
    most = int(found[2] or found[4]) + ((found[1] or found[3]) == "<=")
    return most if most <= MOST else None


def kept(pairs: Pairs) -> Pairs:
    """Those headers that can be written: Traefik 3 refuses the whole tree for a name of digits."""
    return tuple((header_name(name), value) for name, value in pairs if not name.isdecimal())


def kept_of_request(pairs: Pairs) -> Pairs:
    """The same of a request, for whose Host header Traefik 1 does nothing, and Traefik 3 sends the request on so."""
    return tuple(pair for pair in kept(pairs) if pair[0] != "Host")


# Fields of middlewares.


def _flags(base: str, flags: Mapping[str, bool]) -> Keys:
    """A field for each that is set."""
    for name, flag in flags.items():
        if flag:
            yield f"{base}/{name}", "true"


def _texts(base: str, texts: Mapping[str, Text]) -> Keys:
    """A field for each that is not empty."""
    for name, text in texts.items():
        if text:
            yield f"{base}/{name}", text


def _error_fields(page: ErrorPage, service: str) -> Keys:
    yield from _texts("errors", {"status": page.status, "service": service, "query": page.query})


def _redirect_fields(redirect: Redirect, target: Target) -> Keys:
    if redirect.entry_point:
        port = dict(target.tls)[redirect.entry_point]
        yield "redirectScheme/scheme", "https"
        if port != HTTPS_PORT:
            yield "redirectScheme/port", str(port)
        yield from _flags("redirectScheme", {"permanent": redirect.permanent})
    else:
        yield "redirectRegex/regex", redirect.regex
        yield "redirectRegex/replacement", redirect.replacement
        yield from _flags("redirectRegex", {"permanent": redirect.permanent})


def _host_fields(headers: Headers) -> Keys:
    hosts = {"allowedHosts": headers.allowed_hosts, "hostsProxyHeaders": headers.hosts_proxy_headers}
    yield from _texts("headers", hosts)


def _ssl_fields(headers: Headers) -> Keys:
    """Of a router without TLS: at one with TLS all requests are as they shall be."""
    kind = "redirectRegex" if headers.ssl_host else "redirectScheme"
    if headers.ssl_host:
        yield f"{kind}/regex", "^http://[^/]*(.*)$"
        yield f"{kind}/replacement", f"https://{headers.ssl_host}${{1}}"
    else:
        yield f"{kind}/scheme", "https"
    yield from _flags(kind, {"permanent": not headers.ssl_temporary_redirect})


def _header_fields(headers: Headers) -> Keys:
    for field, pairs in (
        ("customRequestHeaders", kept_of_request(headers.custom_request)),
        ("customResponseHeaders", kept(headers.custom_response)),
        ("sslProxyHeaders", kept(headers.ssl_proxy_headers)),
    ):
        for name, value in pairs:
            yield f"headers/{field}/{name}", value
    flags = {
        "stsIncludeSubdomains": headers.sts_include_subdomains,
        "stsPreload": headers.sts_preload,
        "forceSTSHeader": headers.force_sts_header,
        "frameDeny": headers.frame_deny,
        "contentTypeNosniff": headers.content_type_nosniff,
        "browserXSSFilter": headers.browser_xss_filter,
    }
    texts = {
        "stsSeconds": str(headers.sts_seconds or ""),
        "customFrameOptionsValue": headers.custom_frame_options,
        "customBrowserXSSValue": headers.custom_browser_xss,
        "contentSecurityPolicy": headers.content_security_policy,
        "publicKey": headers.public_key,
        "referrerPolicy": headers.referrer_policy,
    }
    yield from _flags("headers", flags)
    yield from _texts("headers", texts)


def _cert_fields(cert: ClientCert) -> Keys:
    """Of the issuer what is asked of the subject, since that is what Traefik 1 tells."""
    yield from _flags("passTLSClientCert", {"pem": cert.pem})
    for info in cert.infos:
        base, _, field = info.partition(".")
        for part in (base, "issuer") if base == "subject" else (base,):
            yield f"passTLSClientCert/info/{part}{f'/{field}' if field else ''}", "true"


def _auth_fields(auth: Auth, target: Target) -> Keys:
    # Traefik sets it under just this name: in another form than Go's own a client's header would stand beside it.
    header = header_name(auth.header_field) if auth.header_field else ""
    match auth.kind:
        case BasicAuth():
            yield from _user_fields("basicAuth", auth.kind, header)
        case DigestAuth():
            yield from _user_fields("digestAuth", auth.kind, header)
        case ForwardAuth():
            yield from _forward_fields(auth.kind)
            if target.version >= FORWARD_HEADER_FIELD:
                yield from _texts("forwardAuth", {"headerField": header})


def _user_fields(base: str, auth: BasicAuth | DigestAuth, header: str) -> Keys:
    yield from _texts(base, {"users": auth.users, "usersFile": auth.users_file, "headerField": header})
    yield from _flags(base, {"removeHeader": auth.remove_header})


def _forward_fields(auth: ForwardAuth) -> Keys:
    yield "forwardAuth/address", auth.address
    yield from _flags("forwardAuth", {"trustForwardHeader": auth.trust_forward_header})
    yield from _texts("forwardAuth", {"authResponseHeaders": auth.response_headers})
    if auth.tls:
        yield from _texts("forwardAuth/tls", {"ca": auth.tls.ca, "cert": auth.tls.cert, "key": auth.tls.key})
        yield from _flags("forwardAuth/tls", {"insecureSkipVerify": auth.tls.skip_verify})


def _buffering_fields(buffering: Buffering) -> Keys:
    sizes = {
        "maxRequestBodyBytes": buffering.max_request,
        "memRequestBodyBytes": buffering.mem_request,
        "maxResponseBodyBytes": buffering.max_response,
        "memResponseBodyBytes": buffering.mem_response,
    }
    if not any(sizes.values()):
        yield "buffering/maxRequestBodyBytes", "0"  # no limit, as without; one key must stand: it switches it on
    yield from _texts("buffering", {name: str(size or "") for name, size in sizes.items()})


def _conn_fields(limit: MaxConn) -> Keys:
    yield "inFlightReq/amount", str(limit.amount)
    yield from _criterion("inFlightReq", limit.extractor, {"ipStrategy/depth": "0"})


def _rate_fields(limit: RateLimit, rate: RateSet) -> Keys:
    yield "rateLimit/period", write_seconds(rate.period)
    yield "rateLimit/average", str(rate.average)
    yield "rateLimit/burst", str(rate.burst)
    yield from _criterion("rateLimit", limit.extractor, {})


def _criterion(base: str, extractor: str, client: Mapping[str, str]) -> Keys:
    """What tells apart; `client`: how this middleware is told of a client's address."""
    found = client
    if extractor == "request.host":
        found = {"requestHost": "true"}
    elif extractor.startswith(_REQUEST_HEADER):
        found = {"requestHeaderName": extractor.removeprefix(_REQUEST_HEADER)}
    for field, value in found.items():
        yield f"{base}/sourceCriterion/{field}", value
