"""The vocabulary: one row a label. Parser, documentation and reports read the row.

Names, meanings and defaults are rancher-traefik's (its template 1.5.0-0 to 1.6.0-0), which Traefik 1's own Rancher
provider shares in part; names are compared with their case, as both did.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.labels import types
from bridge.labels.expressions import breaker
from bridge.labels.types import Address, Publish
from bridge.model.route import Kind
from bridge.model.world import ADDRESS_LABEL

T_co = TypeVar("T_co", covariant=True)

PREFIX = "traefik."


@dataclass(frozen=True, slots=True)
class Label(Generic[T_co]):
    """A label that holds one value. Empty text counts as no label."""

    name: str
    parse: Callable[[str], T_co]  # raises ValueError with the reason
    default: T_co
    sets: str  # the setting, as `explain` names it
    means: str
    example: str
    gate: str = ""  # the gate that a bad value closes; empty: the default is used instead
    short: bool = False  # of rancher-traefik alone, so who writes it speaks its language


@dataclass(frozen=True, slots=True)
class Listed(Generic[T_co]):
    """A label that holds several values, separated by commas. Blanks around values and empty values are dropped."""

    name: str
    parse: Callable[[str], T_co]  # of one value; raises ValueError with the reason
    sets: str
    means: str
    example: str
    short: bool = False


ENABLE = Label(
    "traefik.enable",
    types.publish,
    Publish.NO,
    sets="enable",
    means="Asks for a route; `stack` leaves the service out of the host name. Go's words for true and false.",
    example="true",
    gate="enabled",
)
DOMAIN = Listed(
    "traefik.domain",
    types.host,
    sets="hosts",
    means="Domains under which the service is reached as <service>.<stack>.<domain>. Without: as <service>.<stack>.",
    example="example.org,local",
)
PORT = Label(
    "traefik.port",
    types.whole(1, 65535),
    80,
    sets="port",
    means="The port on which containers listen.",
    example="8080",
    gate="port",
)
PROTOCOL = Label(
    "traefik.protocol",
    types.one_of("http", "https"),
    "http",
    sets="protocol",
    means="How Traefik speaks to the containers: http or https.",
    example="https",
    gate="protocol",
)
ADDRESS: Label[Address | None] = Label(
    ADDRESS_LABEL,
    lambda text: Address(types.one_of("container", "host")(text)),
    None,
    sets="address",
    means="Where Traefik reaches the containers: container: at their own IP; host: at their hosts' IP and the port "
    "that is published there. Without: as the option --address says.",
    example="host",
)
WEIGHT = Label(
    "traefik.weight",
    types.whole(0),
    5,
    sets="weight",
    means="Share of the requests that each of this service's servers gets; 0: none.",
    example="3",
)
PRIORITY: Label[int | None] = Label(
    "traefik.priority",
    types.number,
    None,
    sets="priority",
    means="Which rule wins where several match, the highest first, at least 2. Without: the longest rule wins.",
    example="20",
    short=True,
)
STICKY = Label(
    "traefik.sticky",
    types.truth,
    False,
    sets="sticky",
    means="Whether a client stays with the server that answered it first.",
    example="true",
    short=True,
)
ALIAS = Listed(
    "traefik.alias",
    types.host,
    sets="hosts",
    means="Further names within each of the domains: <alias>.<domain>.",
    example="www,shop",
    short=True,
)
ALIAS_FQDN = Listed(
    "traefik.alias.fqdn",
    types.host,
    sets="hosts",
    means="Further names, each complete with its domain.",
    example="www.example.com",
    short=True,
)
DOMAIN_REGEXP = Listed(
    "traefik.domain.regexp",
    types.host_pattern,
    sets="hosts",
    means="Host names with parts in braces that an RE2 expression matches; no commas within.",
    example="{sub:[a-z]+}.example.com",
    short=True,
)
PATH = Listed(
    "traefik.path",
    types.path_pattern,
    sets="path",
    means="Whole paths.",
    example="/login,/logout",
    short=True,
)
PATH_STRIP = Listed(
    "traefik.path.strip",
    types.path,
    sets="path.strip",
    means="Whole paths; the container sees / instead.",
    example="/admin",
    short=True,
)
PATH_PREFIX = Listed(
    "traefik.path.prefix",
    types.path_pattern,
    sets="path.prefix",
    means="Beginnings of paths, letter by letter: /foo takes /foobar too.",
    example="/api",
    short=True,
)
PATH_PREFIX_STRIP = Listed(
    "traefik.path.prefix.strip",
    types.path,
    sets="path.prefix.strip",
    means="Beginnings of paths, which the container does not see.",
    example="/api",
    short=True,
)
PASS_HOST_HEADER = Label(
    "traefik.frontend.passHostHeader",
    types.truth,
    True,
    sets="pass host header",
    means="Whether the container sees the host that the client asked for.",
    example="false",
)
METHOD = Label(
    "traefik.backend.loadbalancer.method",
    types.one_of("wrr", "drr"),
    "drr",
    sets="method",
    means="How requests are spread: wrr by weight, drr by weight and how well servers answer.",
    example="wrr",
)
BREAKER = Label(
    "traefik.backend.circuitbreaker.expression",
    lambda text: breaker(types.decoded(text)),
    "NetworkErrorRatio() > 0.5",
    sets="circuit breaker",
    means="When Traefik stops asking the servers for a while.",
    example="LatencyAtQuantileMS(50.0) > 100",
)
RATE_ENABLE = Label(
    "traefik.ratelimit.enable",
    types.truth,
    False,
    sets="rate limit",
    means="Whether each client address may send only so many requests.",
    example="true",
    short=True,
)
RATE_PERIOD = Label(
    "traefik.ratelimit.period",
    types.whole(1),
    10,
    sets="rate limit period",
    means="The time, in seconds, for which the average counts.",
    example="60",
    short=True,
)
RATE_AVERAGE = Label(
    "traefik.ratelimit.average",
    types.whole(1, 10**9),  # Traefik's limiter counts whole nanoseconds from request to request
    100,
    sets="rate limit average",
    means="Requests within a period, in the long run.",
    example="20",
    short=True,
)
RATE_BURST = Label(
    "traefik.ratelimit.burst",
    types.whole(1),
    200,
    sets="rate limit burst",
    means="Requests that may come at once.",
    example="50",
    short=True,
)
ACME = Label(
    "traefik.acme",
    types.truth,
    False,
    sets="acme",
    means="Certificates. Traefik reads no such key: its own option acme.onhostrule asks for them by the rules.",
    example="true",
    short=True,
)

# In the order of their frontends: the first that a service carries names its first frontend.
PATHS: tuple[tuple[Listed[str], Kind], ...] = (
    (PATH, Kind.PATH),
    (PATH_STRIP, Kind.PATH_STRIP),
    (PATH_PREFIX, Kind.PATH_PREFIX),
    (PATH_PREFIX_STRIP, Kind.PATH_PREFIX_STRIP),
)

TABLE: tuple[Label[object] | Listed[object], ...] = (
    ENABLE,
    DOMAIN,
    PORT,
    PROTOCOL,
    ADDRESS,
    WEIGHT,
    PRIORITY,
    STICKY,
    ALIAS,
    ALIAS_FQDN,
    DOMAIN_REGEXP,
    PATH,
    PATH_STRIP,
    PATH_PREFIX,
    PATH_PREFIX_STRIP,
    PASS_HOST_HEADER,
    METHOD,
    BREAKER,
    RATE_ENABLE,
    RATE_PERIOD,
    RATE_AVERAGE,
    RATE_BURST,
    ACME,
)
