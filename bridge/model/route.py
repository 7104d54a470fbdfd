"""What a service's labels ask for, free of any Traefik's key layout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bridge.model.problem import Problem

if TYPE_CHECKING:  # which is made of servers, so it looks at this file
    from bridge.model.native import Native


class Kind(Enum):
    """A matcher, or a modifier, of Traefik 1's rule language; the value is its name there."""

    HOST = "Host"
    HOST_REGEXP = "HostRegexp"
    PATH = "Path"
    PATH_STRIP = "PathStrip"
    PATH_STRIP_REGEX = "PathStripRegex"
    PATH_PREFIX = "PathPrefix"
    PATH_PREFIX_STRIP = "PathPrefixStrip"
    PATH_PREFIX_STRIP_REGEX = "PathPrefixStripRegex"
    METHOD = "Method"
    HEADERS = "Headers"  # values: name, value, name, value, …; all pairs must match
    HEADERS_REGEXP = "HeadersRegexp"  # the same with expressions
    QUERY = "Query"  # values: key=value; all must match
    ADD_PREFIX = "AddPrefix"
    REPLACE_PATH = "ReplacePath"
    REPLACE_PATH_REGEX = "ReplacePathRegex"  # one value: expression, blank, replacement


MODIFIERS = frozenset((Kind.ADD_PREFIX, Kind.REPLACE_PATH, Kind.REPLACE_PATH_REGEX))  # change a request, match none


@dataclass(frozen=True, slots=True)
class Matcher:
    """One piece of a rule: any of its values matches, where its kind says nothing else."""

    kind: Kind
    values: tuple[str, ...]  # not empty; each valid for its kind, in the order of the labels


@dataclass(frozen=True, slots=True)
class Rule:
    """All matchers must match."""

    matchers: tuple[Matcher, ...]  # not empty, and not modifiers alone


Pairs = tuple[tuple[str, str], ...]  # names and values, sorted by name


@dataclass(frozen=True, slots=True)
class RateSet:
    """At most `average` requests a period, with bursts up to `burst`."""

    period: float  # seconds, above 0
    average: int  # at least 1
    burst: int  # at least 1


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A request rate for each of what the extractor tells apart."""

    extractor: str  # client.ip, request.host or request.header.<Name>
    sets: tuple[tuple[str, RateSet], ...]  # name and set, sorted by name; not empty


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """Name and password; `users` or `users_file`."""

    users: tuple[str, ...] = ()  # name:hash
    users_file: str = ""  # a path on Traefik's machine
    remove_header: bool = False  # the container does not see the password


@dataclass(frozen=True, slots=True)
class DigestAuth:
    """The same as a digest."""

    users: tuple[str, ...] = ()  # name:realm:hash
    users_file: str = ""
    remove_header: bool = False


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How Traefik speaks TLS to a server; files on Traefik's machine, or PEM text."""

    ca: str = ""
    ca_optional: bool = False
    cert: str = ""
    key: str = ""
    skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class ForwardAuth:
    """Another server says who may pass."""

    address: str  # an absolute URL
    trust_forward_header: bool = False
    response_headers: tuple[str, ...] = ()  # of its answer, handed to the container
    tls: ClientTls | None = None


@dataclass(frozen=True, slots=True)
class Auth:
    """Who may pass: exactly one kind."""

    kind: BasicAuth | DigestAuth | ForwardAuth
    header_field: str = ""  # carries the user's name to the container


@dataclass(frozen=True, slots=True)
class Whitelist:
    """Which client addresses may pass."""

    ranges: tuple[str, ...]  # CIDR or IP, canonical; not empty
    use_x_forwarded_for: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """To an entry point, or by an expression; never both."""

    entry_point: str = ""
    regex: str = ""
    replacement: str = ""
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What answers in place of some status codes."""

    name: str  # of the page in its labels
    status: tuple[str, ...]  # 404, 500-599; not empty
    backend: str  # as the label names it
    query: str = ""


@dataclass(frozen=True, slots=True)
class ClientCert:
    """What the container learns of the client's certificate."""

    pem: bool = False
    infos: tuple[str, ...] = ()  # of notAfter, notBefore, sans and subject.<field>; sorted


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers that are set, checked or asked for."""

    custom_request: Pairs = ()  # an empty value removes the header
    custom_response: Pairs = ()
    allowed_hosts: tuple[str, ...] = ()
    hosts_proxy_headers: tuple[str, ...] = ()
    ssl_redirect: bool = False
    ssl_temporary_redirect: bool = False
    ssl_host: str = ""
    ssl_force_host: bool = False
    ssl_proxy_headers: Pairs = ()
    sts_seconds: int = 0
    sts_include_subdomains: bool = False
    sts_preload: bool = False
    force_sts_header: bool = False
    frame_deny: bool = False
    custom_frame_options: str = ""
    content_type_nosniff: bool = False
    browser_xss_filter: bool = False
    custom_browser_xss: str = ""
    content_security_policy: str = ""
    public_key: str = ""
    referrer_policy: str = ""
    is_development: bool = False


@dataclass(frozen=True, slots=True)
class Frontend:
    """One rule that leads to one of the route's backends."""

    segment: str  # the third part of its name; empty for the first frontend
    rule: Rule
    backend: str = ""  # the segment of its backend
    priority: int | None = None  # at least 2; None: the rule's length decides
    pass_host_header: bool = True
    entry_points: tuple[str, ...] = ()  # empty: Traefik's default ones
    pass_tls_cert: bool = False
    client_cert: ClientCert | None = None
    auth: Auth | None = None
    whitelist: Whitelist | None = None
    redirect: Redirect | None = None
    errors: tuple[ErrorPage, ...] = ()  # sorted by name
    rate_limit: RateLimit | None = None
    headers: Headers = Headers()


@dataclass(frozen=True, slots=True)
class MaxConn:
    """How many requests at a time, for each of what the extractor tells apart."""

    amount: int  # at least 1
    extractor: str = "request.host"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Traefik's own check of each server, beside Rancher's."""

    path: str  # begins with /
    interval: float | None = None  # seconds, above 0; None: Traefik's default
    port: int = 0  # 0: the server's
    scheme: str = ""  # http or https; empty: the server's
    hostname: str = ""  # the Host header
    headers: Pairs = ()


@dataclass(frozen=True, slots=True)
class Buffering:
    """Requests and answers are held whole; sizes in bytes, 0: no limit, or Traefik's default."""

    max_request: int = 0
    mem_request: int = 0
    max_response: int = 0
    mem_response: int = 0
    retry: str = ""  # an expression, parsed and written canonically


@dataclass(frozen=True, slots=True)
class Backend:
    """Servers, and how requests are spread over them."""

    method: str = "wrr"  # wrr or drr
    sticky: bool = False
    breaker: str = ""  # a circuit breaker's expression, parsed and written canonically; empty: none
    segment: str = ""  # the third part of its name; empty for the first
    max_conn: MaxConn | None = None
    health_check: HealthCheck | None = None
    buffering: Buffering | None = None
    tags: tuple[str, ...] = ()  # of its servers, for the constraints of a Traefik
    servers: tuple[Server, ...] = ()  # sorted by identity; empty: requests are answered with 503
    retiring: tuple[str, ...] = ()  # identities whose container still lives but which shall get nothing; sorted
    drained: tuple[str, ...] = ()  # those of them that an operator wants to get nothing, not the source; sorted


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
    backends: tuple[Backend, ...]  # not empty; each frontend's, by segment
    acme: bool = False  # its frontends shall get certificates
    unchecked: bool = False  # of external servers nobody says when they die: whoever left the list counts as alive
    owner: str = ""  # the cluster whose alone frontends and backends are; empty: clusters share them
    raised: int = (
        0  # added to each frontend's priority, that of a label or the rule's length; 0: it yields, or is shared
    )

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
    closes: bool = True  # where it is not passed there is no route; else one without servers: 503


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a route and where it comes from."""

    name: str
    value: str
    origin: str  # a label's name, "default" or a policy's option


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of one container, or one external address: why it is no server, or another one than the rest.

    Of most there is none.
    """

    identity: str  # the container's uuid, or the external IP or host name
    why: str
    segment: str = ""  # of the backend


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a service has a route, or why it has none; every command prints from this."""

    service: str  # stack/service
    gates: tuple[Gate, ...]  # in the order they were asked; after the first that closed none is asked
    settings: tuple[Setting, ...] = ()
    problems: tuple[Problem, ...] = ()
    route: Route | None = None
    remarks: tuple[Remark, ...] = ()
    stands_for: tuple[str, ...] = ()  # stack/service, whose containers an alias leads to
    native: Native | None = None  # what labels of Traefik 2 and 3 ask for, beside the route or instead

    @property
    def closed(self) -> Gate | None:
        """The gate that closed, so that there is no route; None where none did."""
        return next((gate for gate in self.gates if gate.closes and not gate.passed), None)
