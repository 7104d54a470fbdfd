"""Ask the bridge that runs here whether it works: for a container's health check, where there is no curl.

It asks /healthz at the address that --http, or BRIDGE_HTTP, gives to run: code 0 where it works, 1 with the reason
where it does not. A source or a store that fails is no reason: to begin again would not help.
"""

from __future__ import annotations

import http.client
import json
from threading import Thread

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
    """Why it does not work; empty where it does. What drips, or asks a name server that hangs, is left behind."""
    found: list[list[str] | BridgeError] = []

    def ask() -> None:
        try:
            found.append(_answer(listen))
        except BridgeError as err:
            found.append(err)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    match found:
        case [list(reasons)]:
            return reasons
        case [BridgeError() as err]:
            raise err
    raise BridgeError("the bridge", str(listen), f"does not answer within {PATIENCE:.0f} s")


def _answer(listen: Listen) -> list[str]:
    connection = http.client.HTTPConnection(ANYWHERE.get(listen.host, listen.host), listen.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read(MOST)
    except (OSError, http.client.HTTPException) as err:
        raise BridgeError("the bridge", str(listen), f"does not answer ({err or type(err).__name__})") from err
    finally:
        connection.close()
    return _reasons(answer.status, body)


def _reasons(status: int, body: bytes) -> list[str]:
    """What the answer says; one that is no bridge's is a reason, whatever its status."""
    try:
        said = json.loads(body)
        found = [f"{one['layout']}: {reason}" for one in said["publishers"] for reason in one["reasons"]]
        if status == http.client.OK and said["ok"] is True:
            return []
    except (ValueError, LookupError, TypeError, RecursionError):
        found = []
    return found or [f"answers {status}: perhaps something else listens there"]
