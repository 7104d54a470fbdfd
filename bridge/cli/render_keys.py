"""Print the keys that the source asks for, without a store.

Keys stand below the prefix of --store, in the form that this store's Traefik reads, or below /traefik. What may let
somebody in is hidden, unless --show-secrets asks for it.
"""

from __future__ import annotations

from bridge import config as options
from bridge.cli.render import safe, say, say_json, shown, warn_problems
from bridge.cli.wiring import LAYOUT, ask_source, tree_prefix
from bridge.config import Config, Output
from bridge.layouts import layout


def run(config: Config) -> int:
    """The exit code. Raises BridgeError."""
    asked = ask_source(config)
    chosen, whole = layout(LAYOUT), config.get(options.SHOW_SECRETS)
    tree = tree_prefix(chosen, config.find(options.STORE))
    keys = {
        tree + path: value if whole else shown(chosen, path, value)
        for wish in asked.wishes.values()
        for path, value in (*wish.shared.items(), *wish.own.items())
    }
    warn_problems(asked.all_problems)
    if config.get(options.OUTPUT) is Output.JSON:
        say_json(keys)
    else:
        say(f"{safe(key)} = {safe(value)}" for key, value in sorted(keys.items()))
    return 0
