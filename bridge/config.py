"""What a user decides: one row an option, from which its flag, its variable and its key in a file are made.

A flag wins over the environment, the environment over the file, the file over the default.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Generic, TypeVar

from bridge.labels.fallback import rule_template
from bridge.labels.faults import meant
from bridge.labels.types import Address, host, truth
from bridge.layouts import LAYOUTS
from bridge.model.change import FOR_EVER
from bridge.model.keys import is_cluster_name
from bridge.model.problem import UsageError
from bridge.routes import Health
from bridge.routes.constraints import Constraint, constraints
from bridge.routes.policy import KINDS, USUAL_KINDS, NoneHealthy, domain, kind
from bridge.sources import open_source
from bridge.sources.base import Source
from bridge.stores import store_address
from bridge.stores.address import StoreAddress, tree_prefix

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=Enum)


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


PREFIX = "BRIDGE_"  # of all variables
OTHER_VARIABLES = frozenset(("BRIDGE_DEBUG",))  # that are no option
_NEARLY = 0.89  # how much alike two variables are of which one is a slip for the other: BRIDGE_TLL, BRIDGE_TTL

ONLY = {Output.GITHUB: "check", Output.MARKDOWN: "labels"}  # the one command that prints so
DRAINING = frozenset(("drain", "undrain"))
HANDING = frozenset(("adopt", "release"))  # commands by which keys change hands
PRINTING = (
    frozenset(("sync", "plan", "render", "check", "explain", "migrate", "show", "clusters", "leave"))
    | DRAINING
    | HANDING
)
ALL = PRINTING | {"run", "policy"}
LAYING = frozenset(("run", "sync", "plan", "render", "adopt"))  # commands that want all keys of a source
SOURCED = LAYING | {"check", "explain", "migrate"}  # commands that read a source
PUBLISHED = LAYING | {"check", "explain"}  # commands that judge a source as it is published
STORED = SOURCED - {"render"} | {"show", "clusters", "leave"} | DRAINING | HANDING  # commands that open a store
PLANNING = frozenset(("run", "sync", "plan", "adopt"))
WRITING = frozenset(("run", "sync", "leave")) | HANDING
RUN = frozenset(("run",))


@dataclass(frozen=True, slots=True)
class Option(Generic[T_co]):
    """One row: all ways to say one thing, and what may be said."""

    name: str  # store-ca: the flag --store-ca, the variable BRIDGE_STORE_CA, the file's key store-ca
    parse: Callable[[str], T_co]  # raises ValueError that says what to use instead, or UsageError
    help: str
    commands: frozenset[str]  # that take it
    metavar: str = ""  # what follows the flag; empty: a switch, which nothing follows
    default: str | None = None  # as a user would write it; None: there is none
    run_default: str | None = None  # what `run` takes instead, where it takes another
    short: str = ""  # a second flag: -v
    repeats: bool = False  # the flag may be given again, and the file may hold a list; a text holds commas
    in_file: bool = True
    narrows: bool = False  # without it far more is meant: an empty variable counts as said, and is refused
    secret: bool = False  # only a variable: whoever lists processes sees flags, and a file is too easily shared

    @property
    def flag(self) -> str:
        """How a command line names it."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """How the environment names it."""
        return PREFIX + self.name.replace("-", "_").upper()


# What may be said.

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smh]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_VERSION = re.compile(r"v?3\.([0-9]{1,3})(?:\.[0-9]{1,4})?")
_ENTRY_POINT = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})")
_REPLICA = re.compile(r"[A-Za-z0-9._-]{0,253}")  # as long as a host's name
_LONGEST_READ = 1800.0  # seconds; what was deleted is remembered for twice as long
_LARGEST_FACTOR = 1000
_LONGEST_CLUSTER = 63  # characters; a server's name holds it beside a container's uuid
_HIGHEST = 100  # priority: beyond it a short rule of one cluster would come before any longer one of another
_LARGEST = 10**18  # of a number in a file; Python refuses to write out those of thousands of digits


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


# The rows. Their order is that of --help.

SOURCE: Option[Source] = Option(
    "source",
    open_source,
    "Where services are read: http://rancher-metadata; file:PATH, a saved answer; or compose:DIR, a stack's files.",
    SOURCED,
    "URL",
)
STORE: Option[StoreAddress] = Option(
    "store",
    store_address,
    "Where keys are kept, and Traefik's prefix: etcd://HOST:PORT,HOST:PORT/traefik or consul://HOST:PORT/traefik; "
    "etcd+https:// and consul+https:// for TLS.",
    ALL,
    "URL",
)
LAYOUT: Option[tuple[Placed, ...]] = Option(
    "layout",
    placed_layouts,
    "What is written, for which Traefik: traefik1, traefik3, or both, each below its own prefix where it is not that "
    "of --store: traefik1,traefik3=v3/traefik.",
    ALL,
    "NAME[=PREFIX]",
    "traefik1",
)
TRAEFIK_VERSION = Option(
    "traefik-version",
    traefik_version,
    "The oldest Traefik 3 that reads: one key that it does not know makes it refuse all.",
    SOURCED,
    "VERSION",
    "3.0",
)
ENTRY_POINTS: Option[tuple[str, ...]] = Option(
    "entry-points",
    several(entry_point),
    "Entry points, for traefik3, of routes whose labels name none. Unsaid, Traefik's default ones.",
    SOURCED,
    "NAME",
    "",
    repeats=True,
)
TLS_ENTRY_POINTS: Option[tuple[tuple[str, int], ...]] = Option(
    "tls-entry-points",
    several(tls_entry_point),
    "Which of Traefik 3's entry points speak TLS, with the port that clients use where it is not 443.",
    SOURCED,
    "NAME[=PORT]",
    "https,websecure",
    repeats=True,
)
CERT_RESOLVER = Option(
    "cert-resolver",
    str,
    "Traefik 3's certificate resolver for routes on TLS entry points. Unsaid, none.",
    SOURCED,
    "NAME",
    "",
)
STORE_CA = Option("store-ca", str, "PEM file of the authority that signs the store's certificate.", STORED, "FILE", "")
STORE_CERT = Option("store-cert", str, "PEM file of the client certificate for the store.", STORED, "FILE", "")
STORE_KEY = Option("store-key", str, "PEM file of the client certificate's key.", STORED, "FILE", "")
STORE_USER = Option(
    "store-user",
    credential,
    "User of etcd. Its password comes from BRIDGE_STORE_PASSWORD or a file.",
    STORED,
    "NAME",
    "",
)
STORE_PASSWORD = Option("store-password", credential, "Password of the store's user.", STORED, default="", secret=True)
STORE_PASSWORD_FILE = Option(
    "store-password-file", str, "File that holds the password of the store's user.", STORED, "FILE", ""
)
STORE_TOKEN = Option("store-token", credential, "Token for Consul.", STORED, default="", secret=True)
STORE_TOKEN_FILE = Option("store-token-file", str, "File that holds the token for Consul.", STORED, "FILE", "")
STORE_DATACENTER = Option(
    "store-datacenter", str, "Consul's datacenter, where it is another than its agent's.", STORED, "NAME", ""
)
CLUSTER = Option(
    "cluster",
    cluster_name,
    "Name of this Rancher environment among those that share the store.",
    SOURCED | WRITING | DRAINING | {"policy"},
    "NAME",
    "default",
)
FAN_IN = Option(
    "fan-in",
    one_of(FanIn),
    "Several clusters in one store: merge: a service of one name is one frontend, with the servers of all; separate: "
    "each cluster has frontends of its own, named CLUSTER--SERVICE__STACK, which go with its lease.",
    PUBLISHED | {"policy"},
    "merge|separate",
    "merge",
)
PRIORITY = Option(
    "priority",
    raised_priority,
    "With separate: added to the priority of each frontend. Of clusters with one rule the highest gets the requests, "
    "and the next one when its frontend is gone, or drained.",
    PUBLISHED,
    "NUMBER",
    "0",
)
TTL = Option(
    "ttl",
    whole_seconds,
    "How long keys outlive the bridge: seconds, or 5m, 1h; 0: for ever. Unsaid, all but run take that with which the "
    "cluster publishes already.",
    PLANNING,
    "TIME",
    "0",
    run_default="5m",
)
READ_TIME = Option(
    "read-time",
    read_seconds,
    "How long one read of Traefik's may take: the wait between steps. Unsaid, it is reckoned from the number of "
    "frontends.",
    PLANNING | WRITING,
    "TIME",
)
BRAKE = Option(
    "brake",
    share,
    "Hold removals of more than this share of the cluster's servers, if they are at least 10.",
    PLANNING,
    "SHARE",
    "50%",
)
FORCE = Option("force", switch, "Let removals go that the brake would hold.", PLANNING, default="false")
NO_BACKSTOP = Option(
    "no-backstop",
    switch,
    "Leave out the frontend that answers unknown hosts with 503: a frontend that loses its rule takes them then.",
    LAYING,
    default="false",
)
HEALTH = Option(
    "health",
    one_of(Health),
    "Which running containers count as healthy: require: only what a health check says is; optional: also those "
    "without one; ignore: all; auto: by the labels' vocabulary.",
    SOURCED,
    "auto|require|optional|ignore",
    "auto",
)
ADDRESS = Option(
    "address",
    one_of(Address),
    "Where Traefik reaches containers: container: at their own IP; host: at their host's IP and published port.",
    SOURCED,
    "container|host",
    "container",
)
NONE_HEALTHY = Option(
    "when-none-healthy",
    one_of(NoneHealthy),
    "What becomes of a service of which no container is healthy any more: empty: it answers 503; keep: those that run "
    "and were healthy once stay.",
    SOURCED,
    "empty|keep",
    "empty",
)
WEIGHT_FACTOR = Option(
    "weight-factor",
    factor,
    "What the weight of each of this cluster's servers is multiplied by, from 0 to 1000: it takes more or less than "
    "other clusters. Rounded, and at least 1; 0: its servers get nothing.",
    SOURCED,
    "FACTOR",
    "1",
)
KIND = Option(
    "kind",
    kinds,
    f"Kinds of services that are published, of {', '.join(KINDS)}.",
    SOURCED,
    "KIND",
    ",".join(one for one in KINDS if one in USUAL_KINDS),
    repeats=True,
)
CONSTRAINT: Option[tuple[Constraint, ...]] = Option(
    "constraint",
    constraints,
    "Publish only services that fit: whose traefik.tags are like tag==PATTERN or tag!=PATTERN, where * stands for any "
    "text, or whose labels fit Traefik 2's form: Label(`name`, `value`), LabelRegex(`name`, `regexp`), with &&, ||, ! "
    "and parentheses. May be repeated: all must fit.",
    SOURCED,
    "EXPR",
    "",
    repeats=True,
)
ALLOW_DOMAIN = Option(
    "allow-domain",
    several(domain),
    "Refuse routes with a host elsewhere: a.example.com, *.example.com for all below it, * for rules with patterns or "
    "without a host. May be repeated.",
    SOURCED,
    "DOMAIN",
    "",
    repeats=True,
)
EXPOSE = Option(
    "expose-by-default",
    switch,
    "Publish also services without traefik.enable, if a label names their port, or speaks to Traefik 2 and 3.",
    SOURCED,
    default="false",
)
DOMAIN = Option(
    "domain", domain_name, "Domain of services without traefik.domain: SERVICE.STACK.DOMAIN.", SOURCED, "NAME", ""
)
DEFAULT_RULE = Option(
    "default-rule",
    template,
    "Rule of services whose labels ask for no host and no path: Host:{service}.{stack}.{domain}; {cluster} too. Or as "
    "Traefik 2 has it, with .Name, index .Labels, normalize and if: Host(`{{ normalize .Name }}.example.com`).",
    SOURCED,
    "RULE",
    "",
)
REPLICA = Option(
    "replica",
    replica_name,
    "Name of this process among those of its cluster. Unsaid, it is the host's name.",
    WRITING,
    "NAME",
    "",
)
SETTLE = Option("settle", read_seconds, "Quiet that ends a burst of changes before it is written.", RUN, "TIME", "0.2")
CONFIRM = Option(
    "confirm",
    read_seconds,
    "How long after the first reading of the source a second one must agree before anything is removed; run asks for "
    "it once, after its start. Not for file:.",
    RUN | {"sync", "adopt"},
    "TIME",
    "5",
)
BRAKE_HOLD = Option("brake-hold", read_seconds, "After how long the brake opens by itself.", RUN, "TIME", "10m")
DRY_RUN = Option("dry-run", switch, "Write nothing; say what would be written.", RUN | HANDING, default="false")
EVERY = Option(
    "all",
    switch,
    "All services, or all keys of those that are named: with it, adopt takes away what the source does not ask for.",
    HANDING,
    default="false",
)
LEAVE_ON_EXIT = Option("leave-on-exit", switch, "Remove all of this cluster at the end.", RUN, default="false")
HTTP: Option[Listen | None] = Option(
    "http",
    listen_address,
    "Where run shows its page, /healthz, /readyz and /metrics, and healthcheck asks. Unsaid, nowhere. It has no login.",
    RUN | {"healthcheck"},
    "ADDRESS:PORT",
    "",
)
LOG_FORMAT = Option(
    "log-format",
    one_of(LogFormat),
    "How the log is written, a line an event: text, for people; logfmt, key=value; or json.",
    RUN,
    "text|logfmt|json",
    "text",
)
LOG_LEVEL = Option(
    "log-level",
    one_of(LogLevel),
    "The least that is logged: error: a person must act now; warning: something is lost or refused; info: what "
    "changed; debug: each key, and why nothing changed.",
    RUN,
    "debug|info|warning|error",
    "info",
)
EXIT_CODE = Option(
    "exit-code", switch, "End with code 4 when changes are pending.", frozenset(("plan",)), default="false"
)
DRAIN_HOST = Option(
    "host",
    str,
    "The host whose containers are meant: its name, IP or uuid.",
    DRAINING,
    "NAME|IP",
    in_file=False,
    narrows=True,
)
DRAIN_SERVICE = Option(
    "service",
    str,
    "The service whose containers are meant.",
    DRAINING,
    "STACK/SERVICE",
    in_file=False,
    narrows=True,
)
DRAIN_CONTAINER = Option(
    "container", str, "The container: its name or uuid.", DRAINING, "NAME|UUID", in_file=False, narrows=True
)
DRAIN_LIST = Option("list", switch, "Only say what is drained.", frozenset(("drain",)), default="false")
DRAINED = (DRAIN_HOST, DRAIN_SERVICE, DRAIN_CONTAINER)  # at most one of them is said
OUTPUT = Option(
    "output",
    one_of(Output),
    "How to print; github: for a workflow there, check only; markdown: a page, labels only.",
    PRINTING | {"labels", "policy"},
    "text|json",
    "text",
)
VERBOSE = Option(
    "verbose",
    switch,
    "Show each key that changes; show: that stands.",
    frozenset(("sync", "plan", "leave", "show")),
    default="false",
    short="-v",
)
SHOW_SECRETS = Option(
    "show-secrets",
    switch,
    "Print also what may let somebody in: hashes of passwords, values of headers, keys of TLS.",
    frozenset(("render",)),
    default="false",
)
KEEP = Option(
    "keep",
    switch,
    "Leave all running at the end, until Ctrl-C, and say how to change the world by hand.",
    frozenset(("demo",)),
    default="false",
    in_file=False,
)
CONFIG = Option(
    "config",
    str,
    'TOML file with options, a key each: store = "etcd://…".',
    ALL | {"healthcheck"},
    "FILE",
    "",
    in_file=False,
)

TABLE: tuple[Option[object], ...] = (
    SOURCE,
    STORE,
    LAYOUT,
    TRAEFIK_VERSION,
    ENTRY_POINTS,
    TLS_ENTRY_POINTS,
    CERT_RESOLVER,
    STORE_CA,
    STORE_CERT,
    STORE_KEY,
    STORE_USER,
    STORE_PASSWORD,
    STORE_PASSWORD_FILE,
    STORE_TOKEN,
    STORE_TOKEN_FILE,
    STORE_DATACENTER,
    CLUSTER,
    FAN_IN,
    PRIORITY,
    TTL,
    READ_TIME,
    BRAKE,
    FORCE,
    NO_BACKSTOP,
    HEALTH,
    ADDRESS,
    NONE_HEALTHY,
    WEIGHT_FACTOR,
    KIND,
    CONSTRAINT,
    ALLOW_DOMAIN,
    EXPOSE,
    DOMAIN,
    DEFAULT_RULE,
    REPLICA,
    SETTLE,
    CONFIRM,
    BRAKE_HOLD,
    DRY_RUN,
    EVERY,
    LEAVE_ON_EXIT,
    HTTP,
    LOG_FORMAT,
    LOG_LEVEL,
    EXIT_CODE,
    *DRAINED,
    DRAIN_LIST,
    OUTPUT,
    VERBOSE,
    SHOW_SECRETS,
    KEEP,
    CONFIG,
)


def taken_by(command: str) -> tuple[Option[object], ...]:
    """The rows that it takes; `config` takes those of `run`, whose values it shows."""
    if command == "config":
        return tuple(option for option in TABLE if "run" in option.commands or option is OUTPUT)
    return tuple(option for option in TABLE if command in option.commands)


def default_of(option: Option[object], command: str) -> str | None:
    """What `command` takes where nobody says the option, as a user would write it; None: nothing."""
    return option.run_default if command in ("run", "config") and option.run_default else option.default


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
        return Path(path).read_text(encoding="utf-8")
    except OSError as err:
        raise UsageError(origin, path, f"cannot be read ({err.strerror}); {remedy}") from err
    except ValueError as err:  # no UTF-8, or a NUL in the path
        raise UsageError(origin, path, f"cannot be read ({err}); {remedy}") from err
