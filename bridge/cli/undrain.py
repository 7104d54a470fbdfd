"""Let a host, a service or a container of this cluster get requests again; without any, undo what drained all of it.

Deletes the record that `drain` wrote, in each layout's place; the bridge that leads sees it and brings the servers
back, at once. What other records drain stays drained: this lists them.
"""

from __future__ import annotations

from bridge import config as options
from bridge.cli.draining import Done, Draining, What, asked, say_drained
from bridge.cli.wiring import Site, opened_store, publisher, sites
from bridge.config import Config


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    what = asked(config)
    return say_drained(config, [_undrain(config, site, what) for site in sites(config)])


def _undrain(config: Config, site: Site, what: What) -> Draining:
    with opened_store(config, site) as store:
        here = Draining(store, publisher(site, config.get(options.CLUSTER)))
        here.did = Done.UNDRAINED if here.undrain(what) else Done.NOT_DRAINED
        here.look()
        return here
