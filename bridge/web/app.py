"""The web application, made from a board."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from flask import Flask, Response, abort, request

from bridge.web import pages
from bridge.web.board import Board
from bridge.web.health import Health, health, readiness
from bridge.web.metrics import CONTENT_TYPE, exposition
from bridge.web.overview import Pages

READS = ("GET", "HEAD")
WELL, ILL, MISSING, MISDIRECTED = 200, 503, 404, 421
LONGEST_SEARCH = 200  # characters
STATIC = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}

# The page has no script and no style but its own, is framed by nobody, and sends nothing anywhere else.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def make_app(board: Board, host: str) -> Flask:
    """What answers requests. It only reads: every other method is refused. `host`: where it listens."""
    app = Flask("bridge", static_folder=None, template_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's own provider
    app.url_map.merge_slashes = False  # a stack or a service may have any name
    _answers_programs(app, board)
    _shows_pages(app, Pages(board))

    @app.before_request
    def only_read() -> None:
        if request.method not in READS:
            abort(405)

    @app.before_request
    def only_here() -> None:
        """A site whose name was made to lead to this machine would let a browser read what only this machine may."""
        if is_loopback(host) and not is_loopback(host_of(request.headers.get("Host", ""))):
            abort(MISDIRECTED, "It listens on this machine alone: ask for localhost, or for the address.")

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    return app


def _answers_programs(app: Flask, board: Board) -> None:
    app.add_url_rule("/healthz", view_func=lambda: _answer(app, health(board)), endpoint="healthz")
    app.add_url_rule("/readyz", view_func=lambda: _answer(app, readiness(board)), endpoint="readyz")
    app.add_url_rule(
        "/metrics", view_func=lambda: Response(exposition(board), content_type=CONTENT_TYPE), endpoint="metrics"
    )


def _shows_pages(app: Flask, shown: Pages) -> None:
    read = {name: Path(__file__).with_name("static").joinpath(name).read_bytes() for name in STATIC}

    @app.get("/")
    def index() -> str:
        return pages.index(shown.overview(_search()))

    @app.get("/routes/<path:title>")
    def service(title: str) -> tuple[str, int]:
        found = shown.service(title)
        return pages.service(title, found, shown.elsewhere(title), shown.version), WELL if found else MISSING

    @app.get("/api/")
    def overview_json() -> Response:
        return app.make_response(shown.overview(_search()))

    @app.get("/api/routes/<path:title>")
    def service_json(title: str) -> Response:
        found = shown.service(title)
        return app.make_response(({"services": found}, WELL if found else MISSING))

    @app.get("/static/<name>")
    def static(name: str) -> Response:
        return Response(read[name], content_type=STATIC[name]) if name in read else abort(MISSING)


def _search() -> str:
    return request.args.get("q", "")[:LONGEST_SEARCH].strip()


def host_of(header: str) -> str:
    """The name or address in a Host header, without its port."""
    host = header.strip()
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether only this machine is meant."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _answer(app: Flask, found: tuple[Health, ...]) -> Response:
    """In JSON always: who asks is a program, or a person who wants the reason."""
    publishers = [
        {"cluster": one.cluster, "layout": one.layout, "ok": not one.reasons, "reasons": list(one.reasons)}
        for one in found
    ]
    is_well = not any(one.reasons for one in found)
    return app.make_response(({"ok": is_well, "publishers": publishers}, WELL if is_well else ILL))
