"""The web server: threads of its own, so that no request holds up a loop and no loop a request."""

from __future__ import annotations

import logging
import socket
from threading import Thread

from waitress.server import create_server

from bridge.model.problem import UsageError
from bridge.web.app import make_app
from bridge.web.board import Board

THREADS = 4  # that answer; who sends slowly keeps none of them busy
CONNECTIONS = 100
IDLE = 30  # seconds until a connection on which nothing comes is closed
LARGEST = 1024  # bytes of a body, which no request needs
HEADERS = 16 * 1024  # bytes


def serve(board: Board, host: str, port: int) -> None:
    """Answer at this address as long as the process lives. Raises UsageError where it cannot be had."""
    listening = _listen(host, port)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that a request waits for another is no event
    server = create_server(
        make_app(board, host),
        sockets=[listening],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE,
        cleanup_interval=IDLE,
        max_request_body_size=LARGEST,
        max_request_header_size=HEADERS,
        ident="",  # what answers is nobody's business
        clear_untrusted_proxy_headers=True,
    )
    Thread(target=server.run, name="web", daemon=True).start()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
    except OSError as err:
        raise _refused(host, port, err) from err
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(CONNECTIONS)
    except OSError as err:
        found.close()
        raise _refused(host, port, err) from err
    return found


def _refused(host: str, port: int, err: OSError) -> UsageError:
    why = err.strerror or str(err)
    return UsageError("--http", f"{host}:{port}", f"nothing can listen there ({why}); give an address that is free")
