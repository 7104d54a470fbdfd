"""Print the keys that the source asks for, without a store.

Keys stand below the prefix of --store, in the form that this store's Traefik reads, or below /traefik. What may let
somebody in is hidden, unless --show-secrets asks for it.
"""

from __future__ import annotations

from bridge import config as options
from bridge.cli.render import say, say_json, warn_problems
from bridge.cli.wiring import ask_source, sites
from bridge.config import Config, Output
from bridge.model.problem import Problem
from bridge.views.words import safe, shown


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    whole = config.get(options.SHOW_SECRETS)
    keys: dict[str, str] = {}
    problems: set[Problem] = set()
    for site in sites(config):
        asked = ask_source(config, site)
        problems.update(asked.all_problems)
        for wish in asked.wishes.values():
            for path, value in (*wish.shared.items(), *wish.own.items()):
                keys[site.tree + path] = value if whole else shown(site.layout, path, value)
    warn_problems(sorted(problems))
    if config.get(options.OUTPUT) is Output.JSON:
        say_json(keys)
    else:
        say(f"{safe(key)} = {safe(value)}" for key, value in sorted(keys.items()))
    return 0
