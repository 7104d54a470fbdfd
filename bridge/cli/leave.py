"""Remove all that this cluster published.

What other clusters publish stays. Routes are closed first and the rest of their keys goes when no Traefik can still be
reading them; until then it waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bridge import config as options
from bridge.cli.progress import Teller
from bridge.cli.render import say_report
from bridge.cli.wiring import ends_in_order, opened_store, settings
from bridge.config import Config
from bridge.report import Report
from bridge.sync import Progress, sync
from bridge.writer import Settings

# Seconds. A leaving cluster writes no key that must outlive it, so its lease soon ends by itself.
TTL = 60


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    with ends_in_order(), Teller() as teller:
        report, chosen = remove(config, teller.tell)
    return say_report(
        report,
        chosen.publisher,
        config.get(options.OUTPUT),
        verbose=config.get(options.VERBOSE),
        nothing=f"Nothing to remove: cluster {report.cluster} publishes nothing here",
    )


def remove(config: Config, tell: Callable[[Progress], None]) -> tuple[Report, Settings]:
    """What the pass did, and how this process published. Raises BridgeError."""
    chosen = replace(settings(config, environment=""), leaving=True, ttl=TTL, keeps_ttl=False)
    with opened_store(config) as store:
        return sync({}, store, chosen, tell), chosen
