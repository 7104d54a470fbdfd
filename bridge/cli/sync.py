"""Bring the store to what the source asks for, once.

Waits between steps where Traefik must not see a half, and ends when nothing is left to do. A second sync of the same
world writes nothing.
"""

from __future__ import annotations

from bridge import config as options
from bridge.cli.progress import Teller
from bridge.cli.render import number, say_report
from bridge.cli.wiring import ask_source, opened_store, settings
from bridge.config import Config
from bridge.sync import sync, with_verdicts


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    with opened_store(config) as store, Teller() as teller:
        asked = ask_source(config)
        chosen = settings(config, asked.environment)
        report = with_verdicts(sync(asked.wishes, store, chosen, teller.tell), asked.verdicts, asked.problems)
    return say_report(
        report,
        chosen.publisher,
        config.get(options.OUTPUT),
        verbose=config.get(options.VERBOSE),
        nothing=f"Nothing to change: {number(report.unchanged, 'key')} unchanged",
    )
