"""Bring the store to what the source asks for, once.

Waits between steps where Traefik must not see a half, and ends when nothing is left to do. A second sync of the same
world writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge import config as options
from bridge.cli.progress import Teller
from bridge.cli.render import number, say_report
from bridge.cli.wiring import ask_source, ends_in_order, opened_store, settings
from bridge.config import Config
from bridge.report import Report
from bridge.sync import Progress, sync, with_verdicts
from bridge.writer import Settings


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    with ends_in_order(), Teller() as teller:
        report, chosen = publish(config, teller.tell)
    return say_report(
        report,
        chosen.publisher,
        config.get(options.OUTPUT),
        verbose=config.get(options.VERBOSE),
        nothing=f"Nothing to change: {number(report.unchanged, 'key')} unchanged",
    )


def publish(config: Config, tell: Callable[[Progress], None]) -> tuple[Report, Settings]:
    """What the pass did, and how this process published. Raises BridgeError."""
    with opened_store(config) as store:
        asked = ask_source(config)
        chosen = settings(config, asked.environment)
        report = sync(asked.wishes, store, chosen, tell)
    return with_verdicts(report, asked.verdicts, asked.problems), chosen
