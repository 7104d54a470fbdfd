"""What a service's labels ask for, free of any Traefik's key layout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bridge.model.problem import Problem


class Kind(Enum):
    """A matcher of Traefik 1's rule language; the value is its name there."""

    HOST = "Host"
    HOST_REGEXP = "HostRegexp"
    PATH = "Path"
    PATH_STRIP = "PathStrip"
    PATH_PREFIX = "PathPrefix"
    PATH_PREFIX_STRIP = "PathPrefixStrip"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One piece of a rule: any of its values matches."""

    kind: Kind
    values: tuple[str, ...]  # not empty; each valid for its kind, in the order of the labels, without repeats


@dataclass(frozen=True, slots=True)
class Rule:
    """All matchers must match."""

    matchers: tuple[Matcher, ...]  # not empty


@dataclass(frozen=True, slots=True)
class RateSet:
    """At most `average` requests a period, with bursts up to `burst`."""

    period: int  # seconds, at least 1
    average: int  # at least 1
    burst: int  # at least 1


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A request rate per client address."""

    extractor: str  # client.ip
    sets: tuple[tuple[str, RateSet], ...]  # name and set, sorted by name; not empty


@dataclass(frozen=True, slots=True)
class Frontend:
    """One rule that leads to the route's backend."""

    segment: str  # the third part of its name; empty for the first frontend
    rule: Rule
    priority: int | None = None  # at least 2; None: the rule's length decides
    pass_host_header: bool = True
    rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """How requests are spread over the servers."""

    method: str = "wrr"  # wrr or drr
    sticky: bool = False
    breaker: str = ""  # a circuit breaker's expression, parsed and written canonically; empty: none


@dataclass(frozen=True, slots=True)
class Server:
    """One healthy container, or one external address, behind a route."""

    identity: str  # the container's uuid, or the external IP or host name: never a position
    scheme: str  # http or https
    host: str  # an IP address without brackets, or a host name
    port: int  # 1 to 65535
    weight: int = 1  # at least 1


@dataclass(frozen=True, slots=True)
class Route:
    """All that one service asks for."""

    service: str
    stack: str
    frontends: tuple[Frontend, ...]  # not empty; the first has no segment unless all have one
    backend: Backend
    servers: tuple[Server, ...]  # sorted by identity; empty: requests are answered with 503
    retiring: tuple[str, ...] = ()  # identities whose container still lives but which shall get nothing; sorted
    unchecked: bool = False  # of external servers nobody says when they die: whoever left the list counts as alive

    @property
    def title(self) -> str:
        """How reports name it: stack/service."""
        return f"{self.stack}/{self.service}"


@dataclass(frozen=True, slots=True)
class Gate:
    """One question on the way to a route, and its answer."""

    name: str  # enabled, kind, name, address, …
    passed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a route and where it comes from."""

    name: str
    value: str
    origin: str  # a label's name, "default" or a policy's option


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a service has a route, or why it has none; every command prints from this."""

    service: str  # stack/service
    gates: tuple[Gate, ...]  # in the order they were asked; after the first that closed none is asked
    settings: tuple[Setting, ...] = ()
    problems: tuple[Problem, ...] = ()
    route: Route | None = None
