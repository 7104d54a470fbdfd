"""The program: its commands, and how it ends."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Protocol, TextIO, cast

import click
from click.shell_completion import CompletionItem, shell_complete

from bridge import __version__
from bridge.model.problem import BridgeError, UsageError

if TYPE_CHECKING:
    from bridge.config import Config

DEBUG = "BRIDGE_DEBUG"  # a variable: when set, a fault of this program shows where it happened
ASKED_BY_SHELL = "_BRIDGE_COMPLETE"  # a variable: set by the shell that wants to know what may follow
USAGE, INTERRUPTED, PIPE_CLOSED = 2, 130, 141  # exit codes; the last two as a shell reports these signals

EXIT_CODES = """\b
Exit codes:
  0  done, or nothing to do
  1  the source or the store failed, or the bridge itself did
  2  usage or configuration
  3  the brake held removals
  4  plan --exit-code: changes are pending; check: something is wrong; migrate: something is lost
  5  another replica leads
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the list of commands."""

    module: str  # has `run(config) -> exit code`; its docstring is the command's help
    summary: str
    # What stands behind the command, as help names it; in brackets: may stand; dots: several. `run` gets it after the
    # config.
    argument: str = ""


# Imported when chosen: `bridge --help` loads no client and no command.
COMMANDS = {
    "run": Command("bridge.cli.run", "Follow the source, and keep the store in step for as long as it runs."),
    "sync": Command("bridge.cli.sync", "Bring the store to what the source asks for, once."),
    "plan": Command("bridge.cli.plan", "Show what a sync would change; write nothing."),
    "render": Command("bridge.cli.render_keys", "Print the keys that the source asks for, without a store."),
    "check": Command("bridge.cli.check", "Say what is wrong with labels, or with what stands in the store."),
    "explain": Command("bridge.cli.explain", "Say why one service is published, or is not.", "STACK/SERVICE"),
    "migrate": Command("bridge.cli.migrate", "Say what becomes of each route of Traefik 1 and 2 in Traefik 3."),
    "show": Command(
        "bridge.cli.show", "Show what the store holds, whose it is, and how long it would live.", "[STACK/SERVICE|NAME]"
    ),
    "clusters": Command("bridge.cli.clusters", "Say who publishes in the store, and what is wrong among them."),
    "drain": Command("bridge.cli.drain", "Take the requests from a host, a service, a container, or all of a cluster."),
    "undrain": Command("bridge.cli.undrain", "Let what was drained get requests again."),
    "adopt": Command("bridge.cli.adopt", "Take over keys that were written by hand.", "[STACK/SERVICE|KEY]..."),
    "release": Command(
        "bridge.cli.release", "Let go of keys: they stand on, as hand-written ones.", "[STACK/SERVICE|NAME]..."
    ),
    "leave": Command("bridge.cli.leave", "Remove all that this cluster published, also of one that is no more."),
    "healthcheck": Command("bridge.cli.healthcheck", "Ask the bridge that runs here whether it works."),
    "policy": Command("bridge.cli.policy", "Print the rights that the bridge needs in a store.", "consul|etcd"),
    "config": Command("bridge.cli.config", "Show what run would be told, and where each value comes from."),
    "labels": Command("bridge.cli.labels", "List all labels, and the keys that they become."),
    "schema": Command("bridge.cli.schema", "Print a JSON Schema of what the bridge reads or prints.", "[NAME]"),
    "completion": Command("bridge.cli.completion", "Teach a shell to complete what the bridge knows.", "bash|zsh|fish"),
    "demo": Command("bridge.cli.demo", "See it work, with an etcd and a Traefik 3 of its own."),
    "demo-fan-in": Command(
        "bridge.cli.demo_fan_in", "See two clusters share one store: one is drained, and one is killed."
    ),
}


class _Module(Protocol):
    """What the module of a command offers."""

    __doc__: str | None

    def run(self, config: Config, *arguments: str) -> int: ...


class _Commands(click.Group):
    """The commands by name, each made when it is asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


def _command(name: str) -> click.Command:
    """The command with a flag for each of its rows in the table of options."""
    from bridge.config import Option, default_of, load, taken_by

    module = cast("_Module", import_module(COMMANDS[name].module))

    def flag(option: Option[object]) -> click.Option:
        taken = default_of(option, name)
        default = f"  [default: {taken}]" if option.metavar and taken else ""
        help_text = f"{option.help}{default}  [{option.variable}]"
        names = [name for name in (option.flag, option.short) if name]
        if option.metavar:
            return click.Option(
                names,
                type=str,
                metavar=option.metavar,
                help=help_text,
                multiple=option.repeats,
                shell_complete=_completes(option.metavar),
            )
        return click.Option(names, is_flag=True, help=help_text)

    def run(*, argument: str | tuple[str, ...] | None = None, **said: str | tuple[str, ...] | bool | None) -> int:
        flags = {name.replace("_", "-"): text for name, value in said.items() if (text := _as_text(value)) is not None}
        config = load(name, flags, os.environ)
        try:
            arguments = (argument,) if isinstance(argument, str) else argument or ()
            return module.run(config, *arguments)
        except UsageError as err:
            raise config.blamed(err) from err

    rows = (option for option in taken_by(name) if not option.secret)
    params: list[click.Parameter] = [flag(option) for option in rows]
    if metavar := COMMANDS[name].argument:
        many = -1 if metavar.endswith("...") else 1
        params.append(
            click.Argument(
                ["argument"],
                metavar=metavar,
                required=not metavar.startswith("["),
                nargs=many,
                shell_complete=_completes(metavar),
            )
        )
    return click.Command(name, callback=run, params=params, help=module.__doc__)


def _completes(metavar: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """What a shell may put behind an option, by the word that stands for it in help: a|b are values, FILE is one."""
    values = re.fullmatch(r"[a-z]+(?:\|[a-z]+)+", metavar)

    def found(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
        if metavar == "FILE":
            return [CompletionItem(begun, type="file")]
        return [CompletionItem(one) for one in (metavar.split("|") if values else ()) if one.startswith(begun)]

    return found


def _as_text(value: str | tuple[str, ...] | bool | None) -> str | None:
    """What a flag says, as a variable would say it; None where it is not given."""
    if isinstance(value, tuple):
        return ",".join(value) if value else None
    return value if isinstance(value, str) else "true" if value else None


BRIDGE = _Commands(
    "bridge",
    help="Publish healthy, labelled Rancher services as routes for Traefik.",
    epilog=EXIT_CODES,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            help="Show the version and exit.",
            callback=lambda ctx, _, asked: _say_version(ctx) if asked else None,
        )
    ],
)


def _say_version(ctx: click.Context) -> None:
    click.echo(f"bridge {__version__}")
    ctx.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Whatever goes wrong is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a store may hold what the terminal cannot show
    if asked := os.environ.get(ASKED_BY_SHELL):
        return shell_complete(BRIDGE, {}, "bridge", ASKED_BY_SHELL, asked)
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        if sys.stdout is not None:  # so it is where it was closed before the program began
            sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout, sys.stderr)
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BridgeError as err:
        return _fail(str(err), err.exit_code)
    except OSError as err:  # sources and stores tell theirs in their own words
        _drop(sys.stdout)
        why = (err.strerror or str(err)).lower()
        return _fail(f"cannot print ({why}); look at where the output goes", BridgeError.exit_code)
    except Exception as err:
        if os.environ.get(DEBUG):
            import traceback  # slow to load, and seldom needed

            traceback.print_exc()
        remedy = f"this is a fault of the bridge; report it with what {DEBUG}=1 adds"
        return _fail(f"{type(err).__name__}: {err}; {remedy}", BridgeError.exit_code)
    return code


def _run(arguments: list[str]) -> int:
    """Click without its own way to end a program."""
    try:
        with BRIDGE.make_context("bridge", arguments or ["--help"]) as context:
            code: int = BRIDGE.invoke(context)
            return code
    except click.exceptions.Exit as err:
        return err.exit_code
    except click.UsageError as err:
        command = " ".join(["bridge", *(name for name in arguments[:1] if name in COMMANDS)])
        return _fail(f"{err.format_message().rstrip('.')}; see {command} --help", USAGE)


def _drop(*streams: TextIO) -> None:
    """Let go of what they could not print: at its end Python would try again, complain, and take 120 for exit code."""
    for stream in filter(None, streams):  # one that was closed from the start is none
        with suppress(OSError):  # it is no file
            its = stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, its)
            os.close(nowhere)


def _fail(text: str, code: int) -> int:
    from bridge.cli.render import warn

    warn(f"bridge: {text}")
    return code
