"""Headers that are set, checked or asked for, and what the container learns of the client's certificate."""

from __future__ import annotations

from bridge.labels import table
from bridge.labels.notes import Notes
from bridge.model.route import ClientCert, Headers

_INFOS = "traefik.frontend.passTLSClientCert.infos."
_SWITCHED_OFF = (
    table.ALLOWED_HOSTS,
    table.SSL_REDIRECT,
    table.SSL_TEMPORARY,
    table.SSL_HOST,
    table.SSL_FORCE_HOST,
    table.SSL_PROXY_HEADERS,
)


def headers(notes: Notes) -> Headers:
    """What the labels of headers ask for."""
    before = len(notes.refusals)
    found = Headers(
        custom_request=notes.asked(table.CUSTOM_REQUEST),
        custom_response=notes.asked(table.CUSTOM_RESPONSE),
        allowed_hosts=notes.asked_values(table.ALLOWED_HOSTS),
        hosts_proxy_headers=notes.asked_values(table.HOSTS_PROXY_HEADERS),
        ssl_redirect=notes.asked(table.SSL_REDIRECT),
        ssl_temporary_redirect=notes.asked(table.SSL_TEMPORARY),
        ssl_host=notes.asked(table.SSL_HOST),
        ssl_force_host=notes.asked(table.SSL_FORCE_HOST),
        ssl_proxy_headers=notes.asked(table.SSL_PROXY_HEADERS),
        sts_seconds=notes.asked(table.STS_SECONDS),
        sts_include_subdomains=notes.asked(table.STS_SUBDOMAINS),
        sts_preload=notes.asked(table.STS_PRELOAD),
        force_sts_header=notes.asked(table.STS_FORCE),
        frame_deny=notes.asked(table.FRAME_DENY),
        custom_frame_options=notes.asked(table.FRAME_OPTIONS),
        content_type_nosniff=notes.asked(table.NOSNIFF),
        browser_xss_filter=notes.asked(table.XSS_FILTER),
        custom_browser_xss=notes.asked(table.XSS_CUSTOM),
        content_security_policy=notes.asked(table.SECURITY_POLICY),
        public_key=notes.asked(table.PUBLIC_KEY),
        referrer_policy=notes.asked(table.REFERRER_POLICY),
        is_development=notes.asked(table.DEVELOPMENT),
    )
    if len(notes.refusals) == before:
        _check_tls(notes, found)
    protecting = [notes.view.name(row.name) for row in _SWITCHED_OFF if notes.says(row)]
    if found.is_development and protecting:
        notes.refuse(table.DEVELOPMENT, f"it would switch {' and '.join(protecting)} off")
    return found


def _check_tls(notes: Notes, found: Headers) -> None:
    """Refuse what asks for TLS and would send nobody there."""
    forces = found.ssl_force_host and bool(found.ssl_host)
    if found.ssl_force_host and not found.ssl_host:
        notes.refuse(table.SSL_FORCE_HOST, "alone it sends nobody anywhere: it needs headers.SSLHost")
    elif forces and not found.ssl_redirect:
        why = f"without headers.SSLRedirect who asks for {found.ssl_host} by http stays there"
        notes.problem(table.SSL_FORCE_HOST, why, "published it", notice=True)
    if found.ssl_redirect or forces:
        return
    for row, asks in ((table.SSL_TEMPORARY, found.ssl_temporary_redirect), (table.SSL_HOST, bool(found.ssl_host))):
        if asks:
            notes.refuse(row, "alone it sends nobody to https: it needs headers.SSLRedirect")


def client_cert(notes: Notes) -> ClientCert | None:
    """What is asked for of the certificate; None: nothing."""
    pem = notes.asked(table.CERT_PEM)
    infos = tuple(sorted(row.name.removeprefix(_INFOS) for row in table.CERT_INFOS if notes.asked(row)))
    return ClientCert(pem, infos) if pem or infos else None
