"""Who may pass: what cannot be kept as the labels ask for it costs the route, so no value here is ever a default."""

from __future__ import annotations

from bridge.labels import table
from bridge.labels.notes import IGNORED, Notes
from bridge.labels.table import Row
from bridge.model.route import Auth, BasicAuth, ClientTls, DigestAuth, ForwardAuth, Redirect, Whitelist

_TLS: tuple[Row, ...] = (table.TLS_CA, table.TLS_CA_OPTIONAL, table.TLS_CERT, table.TLS_KEY, table.TLS_SKIP)
_BASIC: tuple[Row, ...] = (table.BASIC_USERS, table.BASIC_USERS_OLD, table.BASIC_FILE, table.BASIC_REMOVE)
_DIGEST: tuple[Row, ...] = (table.DIGEST_USERS, table.DIGEST_FILE, table.DIGEST_REMOVE)
_FORWARD: tuple[Row, ...] = (table.FORWARD_ADDRESS, table.FORWARD_TRUST, table.FORWARD_HEADERS, *_TLS)

_REALM = "traefik"  # Traefik 1 has no way to say another


def auth(notes: Notes) -> Auth | None:
    """The one kind of authentication that is asked for, whole."""
    kinds = [
        read(notes) for rows, read in ((_BASIC, _basic), (_DIGEST, _digest), (_FORWARD, _forward)) if notes.says(*rows)
    ]
    header = notes.asked(table.AUTH_HEADER)
    if header and not kinds:
        notes.refuse(table.AUTH_HEADER, "alone it lets nobody in: it needs auth.basic, auth.digest or auth.forward")
    if len(kinds) > 1:
        rows = [
            next(row for row in rows if notes.says(row)) for rows in (_BASIC, _DIGEST, _FORWARD) if notes.says(*rows)
        ]
        names = " and ".join(notes.view.name(row.name) for row in rows)
        notes.refuse(rows[1], f"one kind of authentication alone counts, and {names} ask for several")
    return Auth(kinds[0], header) if kinds else None


def _basic(notes: Notes) -> BasicAuth:
    before = len(notes.refusals)
    older = notes.asked_values(table.BASIC_USERS_OLD)
    newer = notes.asked_values(table.BASIC_USERS)
    if older and newer:
        name = notes.view.name(table.BASIC_USERS_OLD.name)
        notes.problem(table.BASIC_USERS, f"{name} wins, as in Traefik", IGNORED, notice=True)
    found = BasicAuth(older or newer, notes.asked(table.BASIC_FILE), notes.asked(table.BASIC_REMOVE))
    if not found.users and not found.users_file and len(notes.refusals) == before:
        notes.refuse(table.BASIC_REMOVE, "auth.basic needs users or usersFile")
    return found


def _digest(notes: Notes) -> DigestAuth:
    before = len(notes.refusals)
    users = notes.asked_values(table.DIGEST_USERS)
    if elsewhere := sum(user.split(":")[1] != _REALM for user in users):
        why = f"{elsewhere} of its users can never log in: Traefik asks for passwords of the realm {_REALM} only"
        notes.problem(table.DIGEST_USERS, why, "wrote them as they are")
    found = DigestAuth(users, notes.asked(table.DIGEST_FILE), notes.asked(table.DIGEST_REMOVE))
    if not found.users and not found.users_file and len(notes.refusals) == before:
        notes.refuse(table.DIGEST_REMOVE, "auth.digest needs users or usersFile")
    return found


def _forward(notes: Notes) -> ForwardAuth:
    found = ForwardAuth(
        notes.asked(table.FORWARD_ADDRESS),
        notes.asked(table.FORWARD_TRUST),
        notes.asked_values(table.FORWARD_HEADERS),
        _tls(notes) if notes.says(*_TLS) else None,
    )
    if not notes.says(table.FORWARD_ADDRESS):
        notes.refuse(table.FORWARD_ADDRESS, "auth.forward needs an address")
    return found


def _tls(notes: Notes) -> ClientTls | None:
    before = len(notes.refusals)
    tls = ClientTls(
        notes.asked(table.TLS_CA),
        notes.asked(table.TLS_CA_OPTIONAL),
        notes.asked(table.TLS_CERT),
        notes.asked(table.TLS_KEY),
        notes.asked(table.TLS_SKIP),
    )
    if len(notes.refusals) > before:
        return tls
    if bool(tls.cert) != bool(tls.key):
        notes.refuse(table.TLS_KEY if tls.cert else table.TLS_CERT, "a certificate and its key need each other")
    elif tls != ClientTls() and not tls.cert and not tls.skip_verify:
        notes.refuse(table.TLS_CERT, "Traefik needs tls.cert and tls.key, or tls.insecureSkipVerify, to use any of tls")
    return tls if tls != ClientTls() else None


def whitelist(notes: Notes) -> Whitelist | None:
    """Which client addresses may pass."""
    before = len(notes.refusals)
    newer, older = notes.asked_values(table.WHITELIST), notes.asked_values(table.WHITELIST_OLD)
    forwarded = notes.asked(table.WHITELIST_FORWARDED)
    if newer and older:
        name = notes.view.name(table.WHITELIST.name)
        notes.problem(table.WHITELIST_OLD, f"{name} wins, as in Traefik", IGNORED, notice=True)
    if forwarded and not newer and not older and len(notes.refusals) == before:
        notes.refuse(table.WHITELIST_FORWARDED, "alone it keeps nobody out: it needs whiteList.sourceRange")
    return Whitelist(newer or older, forwarded) if newer or older else None


def redirect(notes: Notes) -> Redirect | None:
    """Where clients are sent, to an entry point or by an expression."""
    before = len(notes.refusals)
    entry_point, permanent = notes.asked(table.REDIRECT_ENTRY_POINT), notes.asked(table.REDIRECT_PERMANENT)
    regex, replacement = notes.asked(table.REDIRECT_REGEX), notes.asked(table.REDIRECT_REPLACEMENT)
    if len(notes.refusals) > before:
        return None
    if entry_point:
        for row in (table.REDIRECT_REGEX, table.REDIRECT_REPLACEMENT):
            if notes.says(row):
                notes.problem(row, "redirect.entryPoint wins, as in Traefik", IGNORED, notice=True)
        return Redirect(entry_point, permanent=permanent)
    if regex and replacement:
        return Redirect(regex=regex, replacement=replacement, permanent=permanent)
    if regex or replacement:
        half = table.REDIRECT_REGEX if regex else table.REDIRECT_REPLACEMENT
        notes.refuse(half, "redirect.regex and redirect.replacement need each other")
    elif permanent:
        notes.refuse(table.REDIRECT_PERMANENT, "alone it sends nobody anywhere: it needs redirect.entryPoint or .regex")
    return None
