"""Print what teaches a shell to complete the bridge's commands, options and their values.

For bash, once: eval "$(bridge completion bash)"; for good, that line in ~/.bashrc. For zsh the same with zsh, in
~/.zshrc. For fish: bridge completion fish > ~/.config/fish/completions/bridge.fish.
"""

from __future__ import annotations

from click.shell_completion import get_completion_class

from bridge.cli import ASKED_BY_SHELL, BRIDGE
from bridge.cli.render import say
from bridge.config import Config
from bridge.model.problem import UsageError

SHELLS = ("bash", "zsh", "fish")


def run(_config: Config, shell: str) -> int:
    """The exit code. Raises UsageError."""
    known = get_completion_class(shell) if shell in SHELLS else None
    if known is None:
        raise UsageError("completion", shell, f"use one of {', '.join(SHELLS)}")
    say([known(BRIDGE, {}, "bridge", ASKED_BY_SHELL).source()])
    return 0
