"""The web application, made from a board."""

from __future__ import annotations

from flask import Flask, Response, abort, request

from bridge.web.board import Board
from bridge.web.health import Health, health, readiness
from bridge.web.metrics import CONTENT_TYPE, exposition

READS = ("GET", "HEAD")
WELL, ILL = 200, 503


def make_app(board: Board) -> Flask:
    """What answers requests. It only reads: every other method is refused."""
    app = Flask("bridge", static_folder=None, template_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's own provider
    app.add_url_rule("/healthz", view_func=lambda: _answer(app, health(board)), endpoint="healthz")
    app.add_url_rule("/readyz", view_func=lambda: _answer(app, readiness(board)), endpoint="readyz")
    app.add_url_rule(
        "/metrics", view_func=lambda: Response(exposition(board), content_type=CONTENT_TYPE), endpoint="metrics"
    )

    @app.before_request
    def only_read() -> None:
        if request.method not in READS:
            abort(405)

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return app


def _answer(app: Flask, found: tuple[Health, ...]) -> Response:
    """In JSON always: who asks is a program, or a person who wants the reason."""
    publishers = [
        {"cluster": one.cluster, "layout": one.layout, "ok": not one.reasons, "reasons": list(one.reasons)}
        for one in found
    ]
    is_well = not any(one.reasons for one in found)
    return app.make_response(({"ok": is_well, "publishers": publishers}, WELL if is_well else ILL))
