"""Remove all that this cluster published.

What other clusters publish stays. Routes are closed first and the rest of their keys goes when no Traefik can still be
reading them; until then it waits.

It needs no source, so a cluster that is no more is removed from anywhere: with --cluster and its name. Beside one whose
bridge still leads it writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bridge import config as options
from bridge.cli.progress import Teller
from bridge.cli.render import say_reports, warn
from bridge.cli.seen import look
from bridge.cli.wiring import Site, at_each, ends_in_order, opened_store, settings, sites
from bridge.config import Config
from bridge.labels.faults import meant
from bridge.model.keys import Publisher
from bridge.report import Report
from bridge.sync import Progress, sync

# Seconds. A leaving cluster writes no key that must outlive it, so its lease soon ends by itself.
TTL = 60


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    with ends_in_order(), Teller() as teller:
        passes, failures = at_each(sites(config), lambda site: remove(config, site, teller.tell))
    code = say_reports(
        passes,
        failures,
        config.get(options.OUTPUT),
        verbose=config.get(options.VERBOSE),
        nothing=lambda report: f"Nothing to remove: cluster {report.cluster} publishes nothing here",
    )
    if not failures and not any(report.written or report.left for report, _ in passes):
        _tell_others(config)
    return code


def _tell_others(config: Config) -> None:
    """Who does publish: a name may have been misspelt. It stays no fault: what leaves twice has left."""
    own = config.get(options.CLUSTER)
    others = sorted({name for site in sites(config) for name in look(config, site).clusters if name != own})
    if others:
        near = meant(own, others)
        hint = f"; was {near} meant?" if near else ""
        warn(f"notice: here {'publish' if len(others) > 1 else 'publishes'} {', '.join(others)}{hint}")


def remove(config: Config, site: Site, tell: Callable[[Progress], None]) -> tuple[Report, Publisher]:
    """What the pass did, and whose keys it was about. Raises BridgeError."""
    chosen = replace(settings(config, site, environment=""), leaving=True, ttl=TTL, keeps_ttl=False)
    with opened_store(config, site) as store:
        return sync({}, store, chosen, tell), chosen.publisher
