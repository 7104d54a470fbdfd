"""What was said to one command, by flags, environment and file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from bridge.config.table import (
    CONFIG,
    ONLY,
    OTHER_VARIABLES,
    OUTPUT,
    PREFIX,
    STORE_PASSWORD,
    STORE_PASSWORD_FILE,
    STORE_TOKEN,
    STORE_TOKEN_FILE,
    TABLE,
    Option,
    default_of,
    taken_by,
)
from bridge.labels.faults import meant
from bridge.model.problem import UsageError
from bridge.stores.files import read_file

T = TypeVar("T")

_NEARLY = 0.89  # how much alike two variables are of which one is a slip for the other: BRIDGE_TLL, BRIDGE_TTL
_LARGEST = 10**18  # of a number in a file; Python refuses to write out those of thousands of digits


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said, and where."""

    text: str
    origin: str  # a flag, a variable, or a key and its file


@dataclass(frozen=True, slots=True)
class Config:
    """What was said to one command."""

    said: Mapping[str, Said] = field(repr=False)  # by the option's name; may hold a secret
    command: str = ""

    def find(self, option: Option[T]) -> T | None:
        """The option's value; None where nobody gave one and there is no default. Raises UsageError."""
        said = self.said.get(option.name)
        if said is None:
            default = default_of(option, self.command)
            return None if default is None else option.parse(default)
        return _parsed(option, said)

    def get(self, option: Option[T]) -> T:
        """The value of an option that must have one. Raises UsageError."""
        value = self.find(option)
        if value is None:
            ways = f"give {option.flag} {option.metavar}, {option.variable} or {option.name} in the --config file"
            raise UsageError(option.flag, "", f"is needed; {ways}")
        return value

    def text(self, option: Option[object]) -> str | None:
        """What counts, as a user would write it: said by somebody, or the default; None: nothing."""
        said = self.said.get(option.name)
        return said.text if said else default_of(option, self.command)

    def blamed(self, error: UsageError) -> UsageError:
        """The same error, named after where the value was said instead of after the flag."""
        for option in TABLE:
            if error.thing == option.flag and option.name in self.said:
                return UsageError(self.said[option.name].origin, error.value, error.remedy)
        return error


def load(command: str, flags: Mapping[str, str], environment: Mapping[str, str]) -> Config:
    """What `command` was told by flags (name: text), environment and file.

    An empty variable says nothing: that is how a compose file leaves one out; but what narrows a command is not lost by
    it. Raises UsageError, also for what a file says to other commands, and for a variable that is a slip for one of
    ours.
    """
    _refuse_slips(environment)
    taken = taken_by(command)
    said: dict[str, Said] = {}
    for option in taken:
        if option.name in flags:
            said[option.name] = Said(flags[option.name], option.flag)
        elif environment.get(option.variable) or (option.narrows and option.variable in environment):
            said[option.name] = Said(environment[option.variable], option.variable)
    if CONFIG.name in said:
        in_file = _read_file(said[CONFIG.name])
        names = {option.name for option in taken}
        said = {name: one for name, one in in_file.items() if name in names} | said
    config = Config(said, command)
    for option in taken:
        config.find(option)
    only = ONLY.get(config.get(OUTPUT), command)
    if only != command:
        raise UsageError(OUTPUT.flag, config.get(OUTPUT).value, f"only {only} prints so; use text or json")
    return config


def load_again(config: Config, environment: Mapping[str, str]) -> Config:
    """What the same flags, the environment and the file as it is now say. Raises as `load`."""
    flags = {name: one.text for name, one in config.said.items() if one.origin == _BY_NAME[name].flag}
    return load(config.command, flags, environment)


def store_password(config: Config) -> str:
    """The password of the store's user, or "". Raises UsageError."""
    return _secret(config, STORE_PASSWORD, STORE_PASSWORD_FILE, "the password")


def store_token(config: Config) -> str:
    """The token for the store, or "". Raises UsageError."""
    return _secret(config, STORE_TOKEN, STORE_TOKEN_FILE, "the token")


def _secret(config: Config, said: Option[str], in_file: Option[str], what: str) -> str:
    secret, path = config.get(said), config.get(in_file)
    if not path:
        return secret
    origin = config.said[in_file.name].origin
    if secret:
        raise UsageError(origin, path, f"{said.variable} is given too; leave one of them out")
    secret = _text(origin, path, f"give the path of a file that holds {what}").rstrip("\r\n")
    if not secret:
        raise UsageError(origin, path, f"is empty; give the path of a file that holds {what}")
    return secret


_BY_NAME = {option.name: option for option in TABLE}


def _refuse_slips(environment: Mapping[str, str]) -> None:
    """Raises UsageError for a variable that is nearly one of ours: nobody would hear that it says nothing.

    Any other is somebody else's: Docker's links make BRIDGE_PORT_80_TCP and the like for a service called bridge.
    """
    known = {option.variable for option in TABLE} | OTHER_VARIABLES
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and environment[name]:
            near = get_close_matches(name, known, 1, _NEARLY)
            if near:
                raise UsageError(name, "", f"is no option; you may mean {near[0]}")


def _parsed(option: Option[T], said: Said) -> T:
    try:
        return option.parse(said.text)
    except UsageError as err:
        raise UsageError(said.origin, err.value, err.remedy) from err
    except ValueError as err:
        raise UsageError(said.origin, said.text, str(err)) from err


def _read_file(path: Said) -> dict[str, Said]:
    """All that the file says; every value is checked, whichever command it is for."""
    text = _text(path.origin, path.text, "give the path of a TOML file")
    try:
        document: dict[str, object] = tomllib.loads(text)
    except (ValueError, RecursionError) as err:
        raise UsageError(path.origin, path.text, f"is no TOML: {err}") from err
    said = {name: Said(_as_text(name, value, path.text), f"{name} in {path.text}") for name, value in document.items()}
    for name, one in said.items():
        _parsed(_BY_NAME[name], one)
    return said


def _as_text(name: str, value: object, path: str) -> str:
    """A value of the file as a command line would say it."""
    option, thing = _BY_NAME.get(name), f"{name} in {path}"
    if option is not None and option.secret:
        raise UsageError(
            thing, "", f"a secret stands in no configuration file; use {option.variable} or {option.flag}-file"
        )
    if option is None or not option.in_file:
        known = [one.name for one in TABLE if one.in_file and not one.secret]
        near = meant(name.replace("_", "-"), known)
        raise UsageError(
            thing, "", f"is no option; {f'you may mean {near}' if near else 'use one of ' + ', '.join(known)}"
        )
    match value:
        case bool():
            return str(value).lower()
        case str() | float():
            return str(value)
        case int() if abs(value) <= _LARGEST:
            return str(value)
        case list() if option.repeats and all(isinstance(one, str) for one in value):
            return ",".join(value)
        case _:  # not shown: in a table or a list a secret may stand that belongs nowhere
            raise UsageError(thing, "", "use one text, number, true or false")


def _text(origin: str, path: str, remedy: str) -> str:
    try:
        return read_file(path).decode("utf-8-sig")  # some editors begin a file with a mark of their own
    except OSError as err:
        raise UsageError(origin, path, f"cannot be read ({err.strerror}); {remedy}") from err
    except UnicodeDecodeError as err:
        raise UsageError(origin, path, f"is no text in UTF-8 ({err.reason}); {remedy}") from err
    except ValueError as err:  # a NUL in the path
        raise UsageError(origin, path, f"cannot be read ({err}); {remedy}") from err
