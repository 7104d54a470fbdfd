"""What a frontend asks for, as paths and plain texts of Traefik 1.7's tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.labels.rules import write_rule
from bridge.labels.types import header_name, write_seconds
from bridge.layouts.headers import counting
from bridge.layouts.traefik1_checks import INT
from bridge.layouts.traefik1_text import Text
from bridge.model.keys import escape
from bridge.model.route import (
    Auth,
    BasicAuth,
    ClientCert,
    ClientTls,
    DigestAuth,
    ErrorPage,
    ForwardAuth,
    Frontend,
    Headers,
    Pairs,
    RateLimit,
    Redirect,
    Whitelist,
)

Keys = Iterator[tuple[str, Text]]

_NO_HEADERS = Headers()


def frontend_keys(base: str, frontend: Frontend, backend: str, pages: Mapping[str, str], raised: int) -> Keys:
    """The keys of a frontend at `base` that leads to `backend`.

    `pages`: the backend of each error page, by name; `raised`: added to its priority.
    """
    yield f"{base}/backend", backend
    if frontend.priority is None:
        yield f"{base}/routes/main/rule", _longer(write_rule(frontend.rule), raised)
    else:
        yield f"{base}/routes/main/rule", write_rule(frontend.rule)
        yield f"{base}/priority", str(min(frontend.priority + raised, INT))
    if not frontend.pass_host_header:
        yield f"{base}/passhostheader", "false"
    if frontend.entry_points:
        yield f"{base}/entrypoints", frontend.entry_points
    if frontend.pass_tls_cert:
        yield f"{base}/passtlscert", "true"
    if frontend.client_cert:
        yield from _client_cert_keys(f"{base}/passtlsclientcert", frontend.client_cert)
    if frontend.auth:
        yield from _auth_keys(f"{base}/auth", frontend.auth)
    if frontend.whitelist:
        yield from _whitelist_keys(f"{base}/whitelist", frontend.whitelist)
    if frontend.redirect:
        yield from _redirect_keys(f"{base}/redirect", frontend.redirect)
    for page in frontend.errors:
        yield from _error_keys(f"{base}/errors/{escape(page.name)}", page, pages[page.name])
    if frontend.rate_limit:
        yield from _rate_limit_keys(f"{base}/ratelimit", frontend.rate_limit)
    if frontend.headers != _NO_HEADERS:
        yield from _header_keys(f"{base}/headers", frontend.headers)


def _longer(rule: str, by: int) -> str:
    """The same rule in a longer text: without a `priority` key its length is its priority.

    A key of its own would outlive the rule in a read during which the lease ends, and then the frontend, which takes
    every host without a rule, would come before the backstop and before others' frontends.
    """
    kind, colon, rest = rule.partition(":")
    return f"{kind}{colon}{' ' * by}{rest}"


def _flags(base: str, flags: Mapping[str, bool]) -> Keys:
    """A key for each that is set."""
    for name, flag in flags.items():
        if flag:
            yield f"{base}/{name}", "true"


def _texts(base: str, texts: Mapping[str, Text]) -> Keys:
    """A key for each that is not empty."""
    for name, text in texts.items():
        if text:
            yield f"{base}/{name}", text


def _map(base: str, pairs: Pairs) -> Keys:
    """A key for each header."""
    for name, value in pairs:
        yield f"{base}/{header_name(name)}", value


def _client_cert_keys(base: str, cert: ClientCert) -> Keys:
    # Of the issuer nothing is written: Traefik's template fills it from what is asked of the subject.
    yield from _flags(base, {"pem": cert.pem})
    for info in cert.infos:
        yield f"{base}/infos/{info.lower().replace('.', '/')}", "true"


def _auth_keys(base: str, auth: Auth) -> Keys:
    if auth.header_field:
        # Traefik sets it under just this name: in another form than Go's own a client's header would stand beside it.
        yield f"{base}/headerfield", header_name(auth.header_field)
    match auth.kind:
        case BasicAuth():
            yield from _user_keys(f"{base}/basic", auth.kind)
        case DigestAuth():
            yield from _user_keys(f"{base}/digest", auth.kind)
        case ForwardAuth():
            yield from _forward_keys(f"{base}/forward", auth.kind)


def _user_keys(base: str, auth: BasicAuth | DigestAuth) -> Keys:
    yield from _texts(base, {"users": auth.users, "usersfile": auth.users_file})
    yield from _flags(base, {"removeheader": auth.remove_header})


def _forward_keys(base: str, auth: ForwardAuth) -> Keys:
    yield f"{base}/address", auth.address
    yield from _flags(base, {"trustforwardheader": auth.trust_forward_header})
    yield from _texts(base, {".authresponseheaders": auth.response_headers})  # the dot is Traefik's
    if auth.tls:
        yield from _tls_keys(f"{base}/tls", auth.tls)


def _tls_keys(base: str, tls: ClientTls) -> Keys:
    yield from _texts(base, {"ca": tls.ca, "cert": tls.cert, "key": tls.key})
    yield from _flags(base, {"caoptional": tls.ca_optional, "insecureskipverify": tls.skip_verify})


def _whitelist_keys(base: str, whitelist: Whitelist) -> Keys:
    yield f"{base}/sourcerange", whitelist.ranges
    yield from _flags(base, {"usexforwardedfor": whitelist.use_x_forwarded_for})


def _redirect_keys(base: str, redirect: Redirect) -> Keys:
    yield from _texts(
        base,
        {"entrypoint": redirect.entry_point, "regex": redirect.regex, "replacement": redirect.replacement},
    )
    yield from _flags(base, {"permanent": redirect.permanent})


def _error_keys(base: str, page: ErrorPage, backend: str) -> Keys:
    yield f"{base}/backend", backend
    yield f"{base}/status", page.status
    yield from _texts(base, {"query": page.query})


def _rate_limit_keys(base: str, limit: RateLimit) -> Keys:
    yield f"{base}/extractorfunc", limit.extractor
    for name, rate in limit.sets:
        inner = f"{base}/rateset/{escape(name)}"
        yield f"{inner}/period", write_seconds(rate.period)
        yield f"{inner}/average", str(rate.average)
        yield f"{inner}/burst", str(rate.burst)


def _header_keys(base: str, headers: Headers) -> Keys:
    headers = counting(headers)
    yield from _map(f"{base}/customrequestheaders", headers.custom_request)
    yield from _map(f"{base}/customresponseheaders", headers.custom_response)
    yield from _map(f"{base}/sslproxyheaders", headers.ssl_proxy_headers)
    yield from _flags(
        base,
        {
            "sslredirect": headers.ssl_redirect,
            "ssltemporaryredirect": headers.ssl_temporary_redirect,
            "sslforcehost": headers.ssl_force_host,
            "stsincludesubdomains": headers.sts_include_subdomains,
            "stspreload": headers.sts_preload,
            "forcestsheader": headers.force_sts_header,
            "framedeny": headers.frame_deny,
            "contenttypenosniff": headers.content_type_nosniff,
            "browserxssfilter": headers.browser_xss_filter,
        },
    )
    yield from _texts(
        base,
        {
            "allowedhosts": headers.allowed_hosts,
            "hostsproxyheaders": headers.hosts_proxy_headers,
            "sslhost": headers.ssl_host,
            "stsseconds": str(headers.sts_seconds or ""),
            "customframeoptionsvalue": headers.custom_frame_options,
            "custombrowserxssvalue": headers.custom_browser_xss,
            "contentsecuritypolicy": headers.content_security_policy,
            "publickey": headers.public_key,
            "referrerpolicy": headers.referrer_policy,
        },
    )
