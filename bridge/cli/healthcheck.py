"""Ask the bridge that runs here whether it works: for a container's health check, where there is no curl.

It asks /healthz at the address that --http, or BRIDGE_HTTP, gives to run: code 0 where it works, 1 with the reason
where it does not. A source or a store that fails is no reason: to begin again would not help.
"""

from __future__ import annotations

import http.client
import json

from bridge import config as options
from bridge.config import HTTP, Config, Listen
from bridge.model.problem import BridgeError, UsageError

PATIENCE = 3.0  # seconds
MOST = 64 * 1024  # bytes of an answer
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # where to ask one that listens on all addresses


def run(config: Config) -> int:
    """The exit code. Raises BridgeError where the bridge does not work, or does not answer."""
    listen = config.find(options.HTTP)
    if listen is None:
        raise UsageError(HTTP.flag, "", f"is needed; give {HTTP.flag} {HTTP.metavar} or {HTTP.variable}, as run has it")
    reasons = _ask(listen)
    if reasons:
        raise BridgeError("the bridge", str(listen), "; ".join(reasons))
    return 0


def _ask(listen: Listen) -> list[str]:
    """Why it does not work; empty where it does."""
    connection = http.client.HTTPConnection(ANYWHERE.get(listen.host, listen.host), listen.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read(MOST)
    except (OSError, http.client.HTTPException) as err:
        raise BridgeError("the bridge", str(listen), f"does not answer ({err or type(err).__name__})") from err
    finally:
        connection.close()
    return [] if answer.status == http.client.OK else _reasons(answer.status, body)


def _reasons(status: int, body: bytes) -> list[str]:
    try:
        said = json.loads(body)
        found = [f"{one['layout']}: {reason}" for one in said["publishers"] for reason in one["reasons"]]
    except (ValueError, LookupError, TypeError):
        found = []
    return found or [f"answers {status}: perhaps something else listens there"]
