"""Bring the store to what the source asks for, once.

Waits between steps where Traefik must not see a half, and ends when nothing is left to do. A second sync of the same
world writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bridge import config as options
from bridge.cli.progress import Teller
from bridge.cli.render import say_reports
from bridge.cli.wiring import (
    Asked,
    Site,
    ask_beside,
    at_each,
    ends_in_order,
    opened_store,
    refuse_drafts,
    settings,
    sites,
)
from bridge.config import Config
from bridge.model.keys import Publisher
from bridge.ownership.steps import Wait
from bridge.report import Report
from bridge.sources.base import SourceError
from bridge.stores.base import Store
from bridge.sync import Progress, preview, sync, with_verdicts
from bridge.views.words import number

READINGS = 6  # of a source that changes all the time, before a sync gives up


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    refuse_drafts(config)
    with ends_in_order(), Teller() as teller:
        passes, failures = at_each(sites(config), lambda site: publish(config, site, teller.tell))
    return say_reports(
        passes,
        failures,
        config.get(options.OUTPUT),
        verbose=config.get(options.VERBOSE),
        nothing=lambda report: f"Nothing to change: {number(report.unchanged, 'key')} unchanged",
    )


def publish(config: Config, site: Site, tell: Callable[[Progress], None]) -> tuple[Report, Publisher]:
    """What the pass did, and whose keys it was about. Raises BridgeError."""
    with opened_store(config, site) as store:
        asked = ask_beside(config, site, store)
        chosen = settings(config, site, asked.environment)
        if not config.get(options.SOURCE).url.startswith("file:"):
            asked = confirmed(config, site, asked, store, lambda one: preview(one.wishes, store, chosen).removes, tell)
        report = sync(asked.wishes, store, chosen, tell)
    return with_verdicts(report, asked.verdicts, asked.problems), chosen.publisher


def confirmed(
    config: Config,
    site: Site,
    asked: Asked,
    store: Store,
    removes: Callable[[Asked], bool],
    tell: Callable[[Progress], None],
) -> Asked:
    """What the source asks for, read twice where something would go: a live one may tell a half, or what was."""
    seconds = config.get(options.CONFIRM)
    for _ in range(READINGS):
        if seconds == 0 or not removes(asked):
            return asked
        tell(
            Progress(
                0, 0, (Wait("", "for a second reading of the source, since something would go", seconds),), seconds
            )
        )
        time.sleep(seconds)
        again = ask_beside(config, site, store)
        if again.wishes == asked.wishes:
            return again
        asked = again
    raise SourceError(
        "source", config.get(options.SOURCE).url, "it answers another world each time; nothing was written"
    )
