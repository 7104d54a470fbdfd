"""What is asked of servers on loopback: a free port, a first answer."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from bridge.demo.children import Child
from bridge.model.problem import BridgeError

LOCALHOST = "127.0.0.1"
STARTS_WITHIN = 30.0  # seconds; a machine that is busy with other things too
NO_ANSWER = (OSError, ValueError, LookupError, http.client.HTTPException)  # of a server that is not ready


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request."""

    status: int
    body: bytes


def ask(endpoint: str, path: str, host: str = "", seconds: float = 2.0) -> Answer:
    """What HOST:PORT answers to a GET, asked under the name `host`. Raises OSError, HTTPException."""
    name, _, port = endpoint.partition(":")
    connection = http.client.HTTPConnection(name, int(port), timeout=seconds)
    try:
        connection.request("GET", path, headers={"Host": host or endpoint})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read())
    finally:
        connection.close()


def free_endpoints(count: int) -> list[str]:
    """So many HOST:PORT on which nobody listens."""
    sockets = [socket.create_server((LOCALHOST, 0)) for _ in range(count)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return [f"{LOCALHOST}:{port}" for port in ports]


def version_once_up(child: Child, endpoint: str, version: Callable[[], str]) -> str:
    """What `version` returns, once it raises none of NO_ANSWER. Raises BridgeError where that does not come."""
    deadline = time.monotonic() + STARTS_WITHIN
    while not child.has_ended() and time.monotonic() < deadline:
        try:
            return version()
        except NO_ANSWER:
            time.sleep(0.02)
    said = " ".join(" ".join(child.lines()).split())
    raise BridgeError(child.name, endpoint, f"did not start: {said[-300:] or 'it said nothing'}")
