"""What may be said: how each text becomes a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TypeVar

from bridge.labels.fallback import rule_template
from bridge.labels.types import host, truth
from bridge.layouts import LAYOUTS
from bridge.model.change import FOR_EVER
from bridge.model.keys import is_cluster_name
from bridge.model.problem import UsageError
from bridge.routes.policy import KINDS, kind
from bridge.stores.address import tree_prefix

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smh]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_VERSION = re.compile(r"v?3\.([0-9]{1,3})(?:\.[0-9]{1,4})?")
_ENTRY_POINT = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_LISTEN = re.compile(
    r"(?:\[([0-9A-Fa-f:.]{2,45})\]|((?=[^:]{1,253}:)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?)):([0-9]{1,5})"
)
_REPLICA = re.compile(r"[A-Za-z0-9._-]{0,253}")  # as long as a host's name
_LONGEST_READ = 1800.0  # seconds; what was deleted is remembered for twice as long
_LARGEST_FACTOR = 1000
_LONGEST_CLUSTER = 63  # characters; a server's name holds it beside a container's uuid
_HIGHEST = 100  # priority: beyond it a short rule of one cluster would come before any longer one of another


class Output(Enum):
    """How a command prints."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"  # only check prints so
    MARKDOWN = "markdown"  # only labels does


class LogFormat(Enum):
    """How `run` writes its log."""

    TEXT = "text"
    LOGFMT = "logfmt"
    JSON = "json"


class LogLevel(Enum):
    """The least that `run` logs."""

    DEBUG = "debug"  # why nothing changed, and each key
    INFO = "info"  # what changed
    WARNING = "warning"  # something is lost or refused
    ERROR = "error"  # a person must act now


class FanIn(Enum):
    """What clusters that share a store do with one service."""

    MERGE = "merge"  # one frontend, with the servers of all
    SEPARATE = "separate"  # a frontend for each


def switch(text: str) -> bool:
    """Go's words for true and false."""
    try:
        return truth(text)
    except ValueError as err:
        raise ValueError("use true or false") from err


def whole_seconds(text: str) -> int:
    """`300`, `5m`, `1h`, or 0 for ever."""
    found = _DURATION.fullmatch(text)
    if found is None or "." in text:
        raise ValueError("use seconds, minutes or hours, such as 300, 5m or 1h; 0: for ever")
    return int(found[1]) * _UNITS[found[2]] or FOR_EVER


def read_seconds(text: str) -> float:
    """`2`, `0.5`, `2s`, `1m`."""
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else _LONGEST_READ + 1
    if seconds > _LONGEST_READ:
        raise ValueError(f"use seconds, such as 2 or 0.5, at most {_LONGEST_READ:.0f}")
    return seconds


def share(text: str) -> float:
    """`0.5` or `50%`."""
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)(%?)", text)
    value = float(found[1]) / (100 if found[2] else 1) if found else 2.0
    if value > 1:
        raise ValueError("use a share from 0 to 1 or from 0% to 100%, such as 0.5 or 50%")
    return value


def factor(text: str) -> Fraction:
    """`0.5`, `2`: from 0 to 1000."""
    found = re.fullmatch(r"[0-9]{1,4}(?:\.[0-9]{1,6})?", text)
    value = Fraction(text if found else _LARGEST_FACTOR + 1)
    if value > _LARGEST_FACTOR:
        raise ValueError(f"use a number from 0 to {_LARGEST_FACTOR}, such as 0.5 or 2")
    return value


def cluster_name(text: str) -> str:
    """What may stand in keys as it is."""
    if not is_cluster_name(text):
        raise ValueError("use lower-case letters, digits and single dashes, no dash at an end, such as berlin-2")
    if len(text) > _LONGEST_CLUSTER:
        raise ValueError(f"use at most {_LONGEST_CLUSTER} characters")
    return text


def credential(text: str) -> str:
    """What a store can be sent. Raises UsageError, which does not show it."""
    # Python keeps other bytes of the environment or the command line as halves of surrogate pairs.
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise UsageError("", "", "is not valid UTF-8; give text that is")
    return text


def replica_name(text: str) -> str:
    """What may stand as one segment of a key."""
    if not _REPLICA.fullmatch(text):
        raise ValueError("use at most 253 letters, digits, dots, dashes and underscores")
    return text


def one_of(kind: type[E]) -> Callable[[str], E]:
    """A parser of the values of `kind`."""

    def parse(text: str) -> E:
        try:
            return kind(text)
        except ValueError as err:
            raise ValueError(f"use {', '.join(str(one.value) for one in kind)}") from err

    return parse


def several(parse: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    """A parser of values between commas."""

    def parse_all(text: str) -> tuple[T, ...]:
        return tuple(dict.fromkeys(parse(part.strip()) for part in text.split(",") if part.strip()))

    return parse_all


def kinds(text: str) -> tuple[str, ...]:
    """At least one kind of service."""
    found = several(kind)(text)
    if not found:
        raise ValueError(f"name one of {', '.join(KINDS)}")
    return found


@dataclass(frozen=True, slots=True)
class Placed:
    """A layout, and where its Traefik reads."""

    layout: str  # a name in the registry of layouts
    prefix: str  # without outer slashes; empty: that of the store's URL


def placed_layouts(text: str) -> tuple[Placed, ...]:
    """`traefik1`, `traefik1,traefik3=v3/traefik`."""
    found = several(_placed)(text)
    names = [one.layout for one in found]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"name each of {', '.join(LAYOUTS)} at most once, and one at least")
    return found


def _placed(text: str) -> Placed:
    name, equals, path = text.partition("=")
    if name not in LAYOUTS:
        raise ValueError(f"{name!r} is no layout: use {' or '.join(LAYOUTS)}, each with =PREFIX where it has its own")
    return Placed(name, tree_prefix(path) if equals else "")


def traefik_version(text: str) -> tuple[int, int]:
    """`3.4`, `v3.4.1`: the minor version counts."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError("use the version of the oldest Traefik 3 that reads, such as 3.4")
    return 3, int(found[1])


def entry_point(text: str) -> str:
    """As Traefik 3's static configuration names it."""
    if not _ENTRY_POINT.fullmatch(text):
        raise ValueError(f"{text!r} is no entry point's name: use letters, digits, dots, dashes and underscores")
    return text


def tls_entry_point(text: str) -> tuple[str, int]:
    """`websecure`, `websecure=8443`."""
    name, equals, port = text.partition("=")
    if equals and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError(f"{port!r} is no port; use NAME or NAME=PORT, the port that clients use")
    return entry_point(name), int(port) if equals else 443


def raised_priority(text: str) -> int:
    """0 to 100; each is as good as one more character of a rule."""
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= _HIGHEST):
        raise ValueError(f"use a whole number from 0 to {_HIGHEST}, 0 for the cluster that only stands by")
    return int(text)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen."""

    host: str  # an IP or a name; without brackets
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen_address(text: str) -> Listen | None:
    """`127.0.0.1:8090`, `[::1]:8090`, or nothing."""
    if not text:
        return None
    found = _LISTEN.fullmatch(text)
    if found is None or not 1 <= int(found[3]) <= 65535:
        raise ValueError("use ADDRESS:PORT, such as 127.0.0.1:8090, or 0.0.0.0:8090 for all who can reach this machine")
    return Listen(found[1] or found[2], int(found[3]))


def domain_name(text: str) -> str:
    """A domain, or none."""
    return host(text) if text else ""


def template(text: str) -> str:
    """A rule's template, or none."""
    return rule_template(text) if text else ""
