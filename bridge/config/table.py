"""One row an option, from which its flag, its variable and its key in a file are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.config.values import (
    FanIn,
    Listen,
    LogFormat,
    LogLevel,
    Output,
    Placed,
    cluster_name,
    credential,
    domain_name,
    entry_point,
    factor,
    kinds,
    listen_address,
    one_of,
    placed_layouts,
    raised_priority,
    read_seconds,
    replica_name,
    several,
    share,
    switch,
    template,
    tls_entry_point,
    traefik_version,
    whole_seconds,
)
from bridge.labels.types import Address
from bridge.routes import Health
from bridge.routes.constraints import Constraint, constraints
from bridge.routes.policy import KINDS, USUAL_KINDS, NoneHealthy, domain
from bridge.sources import open_source
from bridge.sources.base import Source
from bridge.stores import store_address
from bridge.stores.address import StoreAddress

T_co = TypeVar("T_co", covariant=True)

PREFIX = "BRIDGE_"  # of all variables
OTHER_VARIABLES = frozenset(("BRIDGE_DEBUG",))  # that are no option

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
    live: bool = False  # a `run` that runs goes by another value once it was told to read its options again
    secret: bool = False  # only a variable: whoever lists processes sees flags, and a file is too easily shared

    @property
    def flag(self) -> str:
        """How a command line names it."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """How the environment names it."""
        return PREFIX + self.name.replace("-", "_").upper()


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
    live=True,
)
TLS_ENTRY_POINTS: Option[tuple[tuple[str, int], ...]] = Option(
    "tls-entry-points",
    several(tls_entry_point),
    "Which of Traefik 3's entry points speak TLS, with the port that clients use where it is not 443.",
    SOURCED,
    "NAME[=PORT]",
    "https,websecure",
    repeats=True,
    live=True,
)
CERT_RESOLVER = Option(
    "cert-resolver",
    str,
    "Traefik 3's certificate resolver for routes on TLS entry points. Unsaid, none.",
    SOURCED,
    "NAME",
    "",
    live=True,
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
    live=True,
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
    live=True,
)
ADDRESS = Option(
    "address",
    one_of(Address),
    "Where Traefik reaches containers: container: at their own IP; host: at their host's IP and published port.",
    SOURCED,
    "container|host",
    "container",
    live=True,
)
NONE_HEALTHY = Option(
    "when-none-healthy",
    one_of(NoneHealthy),
    "What becomes of a service of which no container is healthy any more: empty: it answers 503; keep: those that run "
    "and were healthy once stay.",
    SOURCED,
    "empty|keep",
    "empty",
    live=True,
)
WEIGHT_FACTOR = Option(
    "weight-factor",
    factor,
    "What the weight of each of this cluster's servers is multiplied by, from 0 to 1000: it takes more or less than "
    "other clusters. Rounded, and at least 1; 0: its servers get nothing.",
    SOURCED,
    "FACTOR",
    "1",
    live=True,
)
KIND = Option(
    "kind",
    kinds,
    f"Kinds of services that are published, of {', '.join(KINDS)}.",
    SOURCED,
    "KIND",
    ",".join(one for one in KINDS if one in USUAL_KINDS),
    repeats=True,
    live=True,
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
    live=True,
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
    live=True,
)
EXPOSE = Option(
    "expose-by-default",
    switch,
    "Publish also services without traefik.enable, if a label names their port, or speaks to Traefik 2 and 3.",
    SOURCED,
    default="false",
    live=True,
)
DOMAIN = Option(
    "domain",
    domain_name,
    "Domain of services without traefik.domain: SERVICE.STACK.DOMAIN.",
    SOURCED,
    "NAME",
    "",
    live=True,
)
DEFAULT_RULE = Option(
    "default-rule",
    template,
    "Rule of services whose labels ask for no host and no path: Host:{service}.{stack}.{domain}; {cluster} too. Or as "
    "Traefik 2 has it, with .Name, index .Labels, normalize and if: Host(`{{ normalize .Name }}.example.com`).",
    SOURCED,
    "RULE",
    "",
    live=True,
)
REPLICA = Option(
    "replica",
    replica_name,
    "Name of this process among those of its cluster. Unsaid, it is the host's name.",
    WRITING,
    "NAME",
    "",
)
SETTLE = Option(
    "settle", read_seconds, "Quiet that ends a burst of changes before it is written.", RUN, "TIME", "0.2", live=True
)
CONFIRM = Option(
    "confirm",
    read_seconds,
    "How long after the first reading of the source a second one must agree before anything is removed; run asks for "
    "it once, after its start. Not for file:.",
    RUN | {"sync", "adopt"},
    "TIME",
    "5",
    live=True,
)
BRAKE_HOLD = Option(
    "brake-hold", read_seconds, "After how long the brake opens by itself.", RUN, "TIME", "10m", live=True
)
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
    live=True,
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
