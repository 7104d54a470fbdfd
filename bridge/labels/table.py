"""The vocabulary: one row a label. Parser, documentation, schema and reports read the row.

Two vocabularies share it. rancher-traefik's names, meanings and defaults are those of its template 1.5.0-0 to 1.6.0-0;
Traefik's own are those of its Rancher provider in 1.7, each with the version that first had it. Names are compared
with their case, as both did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from bridge.labels import types
from bridge.labels.expressions import breaker, retry
from bridge.labels.rules import checked_rule
from bridge.labels.types import Address, Publish
from bridge.model.route import Kind, Pairs, Rule
from bridge.model.world import ADDRESS_LABEL

T_co = TypeVar("T_co", covariant=True)

PREFIX = "traefik."
SEGMENT = "<segment>"
INNER = "<name>"  # of an error page or a rate set: neither blanks nor dots
PROTECTION = "protection"  # the gate of what keeps requests away
NO_LIMIT = "published without this limit"


class Vocabulary(Enum):
    """Whose label it is. A label that both know speaks for neither."""

    SHORT = "rancher-traefik"
    NATIVE = "Traefik 1"  # a service that says one of these gets Traefik's defaults
    BOTH = "rancher-traefik and Traefik 1"
    OWN = "bridge"


@dataclass(frozen=True, slots=True)
class Label(Generic[T_co]):
    """A label that holds one value. Empty text counts as no label."""

    name: str  # with INNER in it: one label for each name
    parse: Callable[[str], T_co]  # raises ValueError with the reason
    default: T_co
    sets: str  # the setting, as `explain` names it
    means: str
    example: str
    vocabulary: Vocabulary = Vocabulary.NATIVE
    since: str = ""  # the first Traefik that had it; empty: none has
    gate: str = ""  # the gate that a bad value closes; empty: the default is used instead
    instead: str = ""  # what that means, where the default does not say it
    segmented: bool = False  # a segment may say it for itself
    native: tuple[T_co] | None = None  # a native service's default, where it is another
    needed: bool = False  # a native service must say it
    secret: bool = False  # its value stands in no report
    beats: tuple[str, ...] = ()  # rancher-traefik's labels that say the same: this one wins
    beside: tuple[str, ...] = ()  # labels without which it does nothing, or is refused; with their own examples
    unwritten: str = ""  # why it becomes no key

    @property
    def protects(self) -> bool:
        """Whether a value that cannot be kept costs the route."""
        return self.gate == PROTECTION


@dataclass(frozen=True, slots=True)
class Listed(Generic[T_co]):
    """A label that holds several values, separated by commas. Blanks around values and empty values are dropped."""

    name: str
    parse: Callable[[str], T_co]  # of one value; raises ValueError with the reason
    sets: str
    means: str
    example: str
    vocabulary: Vocabulary = Vocabulary.NATIVE
    since: str = ""
    gate: str = ""  # the gate that one bad value closes; empty: it is left out
    segmented: bool = False
    secret: bool = False
    beats: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    unwritten: str = ""

    @property
    def protects(self) -> bool:
        """Whether a value that cannot be kept costs the route."""
        return self.gate == PROTECTION


Row = Label[object] | Listed[object]


def forms(row: Row) -> Iterator[str]:
    """The names under which a label may be written."""
    yield row.name
    if row.segmented:
        yield f"{PREFIX}{SEGMENT}.{row.name.removeprefix(PREFIX)}"


# Values that only this table wants.


def as_it_is(text: str) -> str:
    """Any text: nothing is made of it."""
    return text


def host_and_port(text: str) -> str:
    """A host, or one with a port behind a colon."""
    host, colon, port = text.partition(":")
    return f"{types.host(host)}:{types.Whole(1, 65535)(port)}" if colon else types.host(text)


def file_path(text: str) -> str:
    """The path of a file on Traefik's machine."""
    if "-----BEGIN" in text:
        raise ValueError("it is no path of a file")
    return types.file_or_pem(text)


def forward_address(text: str) -> str:
    """The URL of a server that is asked."""
    address = types.url(text)
    if re.match("[a-z]+://[^/?]*//", address):
        raise ValueError("its path begins with two slashes")
    return address


def full_headers(text: str) -> Pairs:
    """As `types.header_map`, each with a value."""
    headers = types.header_map(text)
    if any(not value for _, value in headers):
        raise ValueError("a header without a value")
    return headers


def tag(text: str) -> str:
    """Text that Traefik compares with its constraints."""
    plain = types.text(text)
    if "\\" in plain:
        raise ValueError("Traefik reads no backslash in a tag")
    return plain


def breaker_expression(text: str) -> str:
    """When a circuit breaker opens."""
    return breaker(types.decoded(text))


def retry_expression(text: str) -> str:
    """When a request is sent again."""
    return retry(types.decoded(text))


_SPOKEN = types.Words(("http", "https"))


def spoken_protocol(text: str) -> str:
    """http or https: what a frontend's containers speak."""
    if text.lower() in ("tcp", "udp"):
        raise ValueError("it can be said of a whole service alone")
    return _SPOKEN(text)


_MOST_REQUESTS = 10**9  # Traefik's limiter counts whole nanoseconds from request to request


# What both know, and what the bridge adds.

ENABLE = Label(
    "traefik.enable",
    types.publish,
    Publish.NO,
    sets="enable",
    means="Asks for a route; `stack` leaves the service out of the host name. Go's words for true and false.",
    example="true",
    vocabulary=Vocabulary.BOTH,
    since="1.2",
    gate="enabled",
)
DOMAIN = Listed(
    "traefik.domain",
    types.host,
    sets="hosts",
    means="Domains under which the service is reached as <service>.<stack>.<domain>. Without: as <service>.<stack>.",
    example="example.org,local",
    vocabulary=Vocabulary.BOTH,
    since="1.2",
)
PORT = Label(
    "traefik.port",
    types.Whole(1, 65535),
    80,
    sets="port",
    means="The port on which containers listen. A service with labels that only Traefik 1 knows must say it.",
    example="8080",
    vocabulary=Vocabulary.BOTH,
    since="1.2",
    gate="port",
    segmented=True,
    needed=True,
)
PROTOCOL = Label(
    "traefik.protocol",
    spoken_protocol,
    "http",
    sets="protocol",
    means="How Traefik speaks to the containers: http or https. With tcp or udp, for a whole service, it passes on "
    "what comes to the entry points that traefik.frontend.entryPoints names, as it is; in layout traefik3 alone.",
    example="https",
    vocabulary=Vocabulary.BOTH,
    since="1.2",
    gate="protocol",
    segmented=True,
)
ADDRESS: Label[Address | None] = Label(
    ADDRESS_LABEL,
    types.address_word,
    None,
    sets="address",
    means="Where Traefik reaches the containers: container: at their own IP; host: at their hosts' IP and the port "
    "that is published there. Without: as the option --address says.",
    example="host",
    vocabulary=Vocabulary.OWN,
)
WEIGHT = Label(
    "traefik.weight",
    types.Whole(0),
    5,
    sets="weight",
    means="Share of the requests that each of this service's servers gets; 0: none.",
    example="3",
    vocabulary=Vocabulary.BOTH,
    since="1.2",
    segmented=True,
    native=(1,),
)
PASS_HOST_HEADER = Label(
    "traefik.frontend.passHostHeader",
    types.truth,
    True,
    sets="pass host header",
    means="Whether the container sees the host that the client asked for.",
    example="false",
    vocabulary=Vocabulary.BOTH,
    since="1.2",
    segmented=True,
)
METHOD = Label(
    "traefik.backend.loadbalancer.method",
    types.Words(("wrr", "drr")),
    "drr",
    sets="method",
    means="How requests are spread: wrr by weight, drr by weight and how well servers answer.",
    example="wrr",
    vocabulary=Vocabulary.BOTH,
    since="1.2",
    native=("wrr",),
)
BREAKER = Label(
    "traefik.backend.circuitbreaker.expression",
    breaker_expression,
    "NetworkErrorRatio() > 0.5",
    sets="circuit breaker",
    means="When Traefik stops asking the servers for a while.",
    example="LatencyAtQuantileMS(50.0) > 100",
    vocabulary=Vocabulary.BOTH,
    since="1.2",
    native=("",),
)

# rancher-traefik's own.

PRIORITY: Label[int | None] = Label(
    "traefik.priority",
    types.number,
    None,
    sets="priority",
    means="Which rule wins where several match, the highest first, at least 2. Without: the longest rule wins.",
    example="20",
    vocabulary=Vocabulary.SHORT,
)
STICKY = Label(
    "traefik.sticky",
    types.truth,
    False,
    sets="sticky",
    means="Whether a client stays with the server that answered it first.",
    example="true",
    vocabulary=Vocabulary.SHORT,
)
ALIAS = Listed(
    "traefik.alias",
    types.host,
    sets="hosts",
    means="Further names within each of the domains: <alias>.<domain>.",
    example="www,shop",
    vocabulary=Vocabulary.SHORT,
    beside=(DOMAIN.name,),
)
ALIAS_FQDN = Listed(
    "traefik.alias.fqdn",
    types.host,
    sets="hosts",
    means="Further names, each complete with its domain.",
    example="www.example.com",
    vocabulary=Vocabulary.SHORT,
)
DOMAIN_REGEXP = Listed(
    "traefik.domain.regexp",
    types.host_pattern,
    sets="hosts",
    means="Host names with parts in braces that an RE2 expression matches; no commas within.",
    example="{sub:[a-z]+}.example.com",
    vocabulary=Vocabulary.SHORT,
)
PATH = Listed(
    "traefik.path",
    types.path_pattern,
    sets="path",
    means="Whole paths.",
    example="/login,/logout",
    vocabulary=Vocabulary.SHORT,
)
PATH_STRIP = Listed(
    "traefik.path.strip",
    types.path,
    sets="path.strip",
    means="Whole paths; the container sees / instead.",
    example="/admin",
    vocabulary=Vocabulary.SHORT,
)
PATH_PREFIX = Listed(
    "traefik.path.prefix",
    types.path_pattern,
    sets="path.prefix",
    means="Beginnings of paths, letter by letter: /foo takes /foobar too.",
    example="/api",
    vocabulary=Vocabulary.SHORT,
)
PATH_PREFIX_STRIP = Listed(
    "traefik.path.prefix.strip",
    types.path,
    sets="path.prefix.strip",
    means="Beginnings of paths, which the container does not see.",
    example="/api",
    vocabulary=Vocabulary.SHORT,
)
RATE_ENABLE = Label(
    "traefik.ratelimit.enable",
    types.truth,
    False,
    sets="rate limit",
    means="Whether each client address may send only so many requests.",
    example="true",
    vocabulary=Vocabulary.SHORT,
    instead=NO_LIMIT,
)
RATE_PERIOD = Label(
    "traefik.ratelimit.period",
    types.Whole(1),
    10,
    sets="rate limit period",
    means="The time, in seconds, for which the average counts.",
    example="60",
    vocabulary=Vocabulary.SHORT,
    beside=(RATE_ENABLE.name,),
)
RATE_AVERAGE = Label(
    "traefik.ratelimit.average",
    types.Whole(1, _MOST_REQUESTS),
    100,
    sets="rate limit average",
    means="Requests within a period, in the long run.",
    example="20",
    vocabulary=Vocabulary.SHORT,
    beside=(RATE_ENABLE.name,),
)
RATE_BURST = Label(
    "traefik.ratelimit.burst",
    types.Whole(1),
    200,
    sets="rate limit burst",
    means="Requests that may come at once.",
    example="50",
    vocabulary=Vocabulary.SHORT,
    beside=(RATE_ENABLE.name,),
)
ACME = Label(
    "traefik.acme",
    types.truth,
    False,
    sets="acme",
    means="Certificates. Traefik reads no such key: its own option acme.onhostrule asks for them by the rules.",
    example="true",
    vocabulary=Vocabulary.SHORT,
    unwritten="Traefik reads no certificates from a route",
)

# In the order of their frontends: the first that a service carries names its first frontend.
PATHS: tuple[tuple[Listed[str], Kind], ...] = (
    (PATH, Kind.PATH),
    (PATH_STRIP, Kind.PATH_STRIP),
    (PATH_PREFIX, Kind.PATH_PREFIX),
    (PATH_PREFIX_STRIP, Kind.PATH_PREFIX_STRIP),
)
_SHORT_RULE = tuple(row.name for row in (ALIAS, ALIAS_FQDN, DOMAIN_REGEXP, *(path for path, _ in PATHS)))
_SHORT_RATE = tuple(row.name for row in (RATE_ENABLE, RATE_PERIOD, RATE_AVERAGE, RATE_BURST))


# Traefik's own: which requests a frontend takes.


def _flag(name: str, means: str, since: str, gate: str = "", beside: tuple[str, ...] = ()) -> Label[bool]:
    """A frontend's word for true or false."""
    return Label(
        f"traefik.frontend.{name}",
        types.truth,
        False,
        sets=name.removeprefix("headers."),
        means=means,
        example="true",
        since=since,
        gate=gate,
        segmented=True,
        beside=beside,
    )


def _text(name: str, means: str, example: str, since: str) -> Label[str]:
    """A frontend's text."""
    sets = name.removeprefix("headers.")
    return Label(f"traefik.frontend.{name}", types.text, "", sets, means, example, since=since, segmented=True)


RULE: Label[Rule | None] = Label(
    "traefik.frontend.rule",
    checked_rule,
    None,
    sets="rule",
    means="Which requests the frontend takes, in Traefik 1's rule language. Without: those for the service's hosts.",
    example="Host:shop.example.org;PathPrefixStrip:/api",
    since="1.2",
    gate="rule",
    segmented=True,
    beats=_SHORT_RULE,
)
FRONTEND_PRIORITY: Label[int | None] = Label(
    "traefik.frontend.priority",
    types.number,
    None,
    sets="priority",
    means="Which rule wins where several match, the highest first, at least 2. Without, and where it is 0 or less: "
    "the longest rule wins.",
    example="50",
    since="1.2",
    segmented=True,
    beats=(PRIORITY.name,),
)
ENTRY_POINTS = Listed(
    "traefik.frontend.entryPoints",
    types.entry_point,
    sets="entry points",
    means="Where Traefik listens for the frontend. Without: at its default entry points. One that it does not have is "
    "left out; one at least must be left. With traefik.protocol=tcp or udp: for all connections, at no entry point of "
    "HTTP's; it must be said.",
    example="http,https",
    since="1.2",
    gate=PROTECTION,
    segmented=True,
)
PASS_TLS_CERT = _flag(
    "passTLSCert",
    "Whether the container sees the client's certificate; all entry points must speak TLS. Deprecated.",
    "1.5",
    PROTECTION,
)

# What the container learns of the client's certificate.

_CERT = "passTLSClientCert"
_INFOS = f"{_CERT}.infos"
_DN_FIELDS = ("commonName", "country", "domainComponent", "locality", "organization", "province", "serialNumber")
CERT_PEM = _flag(f"{_CERT}.pem", "Whether the container sees the client's whole certificate.", "1.7")
CERT_INFOS: tuple[Label[bool], ...] = (
    _flag(f"{_INFOS}.notAfter", "Whether it sees until when the client's certificate is valid.", "1.7"),
    _flag(f"{_INFOS}.notBefore", "Whether it sees since when the client's certificate is valid.", "1.7"),
    _flag(f"{_INFOS}.sans", "Whether it sees the names that the client's certificate is for.", "1.7"),
    *(
        _flag(
            f"{_INFOS}.subject.{field}",
            f"Whether it sees {field} of the certificate's subject; Traefik adds the issuer's.",
            "1.7.7" if field == "domainComponent" else "1.7",
        )
        for field in _DN_FIELDS
    ),
)
CERT_ISSUER: tuple[Label[str | None], ...] = tuple(
    Label(
        f"traefik.frontend.{_INFOS}.issuer.{field}",
        as_it_is,
        None,
        sets=f"{_INFOS}.issuer.{field}",
        means=f"{field} of the certificate's issuer: as subject.{field} says.",
        example="true",
        since="1.7.7",
        segmented=True,
        unwritten=f"from a store Traefik reads of the issuer what it is told of the subject: write subject.{field}",
    )
    for field in _DN_FIELDS
)

# Who may pass.

_AUTH = "traefik.frontend.auth"
BASIC_USERS = Listed(
    f"{_AUTH}.basic.users",
    types.basic_user,
    sets="auth.basic.users",
    means="Who may pass with a password: name:hash, as htpasswd makes it.",
    example="test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
    secret=True,
)
BASIC_USERS_OLD = Listed(
    f"{_AUTH}.basic",
    types.basic_user,
    sets="auth.basic.users",
    means="Deprecated: auth.basic.users, and before it.",
    example="test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
    since="1.3",
    gate=PROTECTION,
    segmented=True,
    secret=True,
)
BASIC_FILE = Label(
    f"{_AUTH}.basic.usersFile",
    file_path,
    "",
    sets="auth.basic.usersFile",
    means="A file of such users on Traefik's machine; without it there Traefik drops the frontend.",
    example="/etc/traefik/users",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
)
BASIC_REMOVE = _flag(
    "auth.basic.removeHeader",
    "Whether the password is kept from the container.",
    "1.7",
    PROTECTION,
    beside=(BASIC_USERS.name,),
)
DIGEST_USERS = Listed(
    f"{_AUTH}.digest.users",
    types.digest_user,
    sets="auth.digest.users",
    means="Who may pass with a password that is not sent in clear: name:realm:hash, as htdigest makes it; the "
    "realm must be traefik.",
    example="test:traefik:a2688e031edb4be6a3797f3882655c05",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
    secret=True,
)
DIGEST_FILE = Label(
    f"{_AUTH}.digest.usersFile",
    file_path,
    "",
    sets="auth.digest.usersFile",
    means="A file of such users on Traefik's machine; without it there Traefik drops the frontend.",
    example="/etc/traefik/digests",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
)
DIGEST_REMOVE = _flag(
    "auth.digest.removeHeader",
    "Whether the digest is kept from the container.",
    "1.7",
    PROTECTION,
    beside=(DIGEST_USERS.name,),
)
FORWARD_ADDRESS = Label(
    f"{_AUTH}.forward.address",
    forward_address,
    "",
    sets="auth.forward.address",
    means="A server that is asked about each request: 2xx lets it pass, any other answer goes to the client.",
    example="https://auth.example.org/check",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
)
FORWARD_TRUST = _flag(
    "auth.forward.trustForwardHeader",
    "Whether it is told what X-Forwarded headers say.",
    "1.7",
    PROTECTION,
    beside=(FORWARD_ADDRESS.name,),
)
FORWARD_HEADERS = Listed(
    f"{_AUTH}.forward.authResponseHeaders",
    types.header_name,
    sets="auth.forward.authResponseHeaders",
    means="Headers of its answer that the container sees.",
    example="X-User,X-Groups",
    since="1.7.3",
    gate=PROTECTION,
    segmented=True,
    beside=(FORWARD_ADDRESS.name,),
)
_TLS = f"{_AUTH}.forward.tls"
TLS_CA = Label(
    f"{_TLS}.ca",
    types.file_or_pem,
    "",
    sets="auth.forward.tls.ca",
    means="Whose certificates it must have: a file on Traefik's machine, or PEM text.",
    example="/etc/traefik/ca.pem",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
    secret=True,
    beside=(
        FORWARD_ADDRESS.name,
        f"{_TLS}.insecureSkipVerify",
    ),
)
TLS_CA_OPTIONAL = _flag(
    "auth.forward.tls.caOptional",
    "Whether it may have none of these certificates.",
    "1.7",
    PROTECTION,
    beside=(
        FORWARD_ADDRESS.name,
        f"{_TLS}.insecureSkipVerify",
    ),
)
TLS_CERT = Label(
    f"{_TLS}.cert",
    types.file_or_pem,
    "",
    sets="auth.forward.tls.cert",
    means="Traefik's own certificate before it: a file on Traefik's machine, or PEM text.",
    example="/etc/traefik/client.pem",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
    secret=True,
    beside=(
        FORWARD_ADDRESS.name,
        f"{_TLS}.key",
    ),
)
TLS_KEY = Label(
    f"{_TLS}.key",
    types.file_or_pem,
    "",
    sets="auth.forward.tls.key",
    means="The key of that certificate: a file on Traefik's machine, or PEM text.",
    example="/etc/traefik/client.key",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
    secret=True,
    beside=(
        FORWARD_ADDRESS.name,
        f"{_TLS}.cert",
    ),
)
TLS_SKIP = _flag(
    "auth.forward.tls.insecureSkipVerify",
    "Whether any certificate of its is good enough.",
    "1.7",
    PROTECTION,
    beside=(FORWARD_ADDRESS.name,),
)
AUTH_HEADER = Label(
    f"{_AUTH}.headerField",
    types.header_name,
    "",
    sets="auth.headerField",
    means="The header in which the container sees who passed. Not alone: beside basic, digest or forward.",
    example="X-User",
    since="1.7",
    gate=PROTECTION,
    segmented=True,
    beside=(BASIC_USERS.name,),
)
WHITELIST = Listed(
    "traefik.frontend.whiteList.sourceRange",
    types.cidr,
    sets="whiteList.sourceRange",
    means="Client addresses and networks that may pass.",
    example="10.0.0.0/8,192.168.1.7",
    since="1.6",
    gate=PROTECTION,
    segmented=True,
)
WHITELIST_OLD = Listed(
    "traefik.frontend.whitelistSourceRange",
    types.cidr,
    sets="whiteList.sourceRange",
    means="Deprecated: whiteList.sourceRange, and behind it.",
    example="10.0.0.0/8",
    since="1.4",
    gate=PROTECTION,
    segmented=True,
)
WHITELIST_FORWARDED = _flag(
    "whiteList.useXForwardedFor",
    "Whether the address in X-Forwarded-For is the client's.",
    "1.6",
    PROTECTION,
    beside=(WHITELIST.name,),
)
REDIRECT_ENTRY_POINT = Label(
    "traefik.frontend.redirect.entryPoint",
    types.entry_point,
    "",
    sets="redirect.entryPoint",
    means="Clients are sent to this entry point. Without it at Traefik the frontend is dropped.",
    example="https",
    since="1.5",
    gate=PROTECTION,
    segmented=True,
)
REDIRECT_REGEX = Label(
    "traefik.frontend.redirect.regex",
    types.regex,
    "",
    sets="redirect.regex",
    means="Clients whose whole URL it matches are sent elsewhere; RE2.",
    example="^http://(.*)",
    since="1.5",
    gate=PROTECTION,
    segmented=True,
    beside=("traefik.frontend.redirect.replacement",),
)
REDIRECT_REPLACEMENT = Label(
    "traefik.frontend.redirect.replacement",
    types.text,
    "",
    sets="redirect.replacement",
    means="Where to; $1 is what the first parentheses matched.",
    example="https://$1",
    since="1.5",
    gate=PROTECTION,
    segmented=True,
    beside=(REDIRECT_REGEX.name,),
)
REDIRECT_PERMANENT = _flag(
    "redirect.permanent",
    "Whether browsers may remember it (301).",
    "1.6",
    PROTECTION,
    beside=(REDIRECT_ENTRY_POINT.name,),
)

# Headers.

_HEADERS = "traefik.frontend.headers"
CUSTOM_REQUEST: Label[Pairs] = Label(
    f"{_HEADERS}.customRequestHeaders",
    types.header_map,
    (),
    sets="customRequestHeaders",
    means="Headers that the container gets: Name:value||Name2:value2; one without a value is taken away.",
    example="X-Shop:one||X-Secret:",
    since="1.5",
    segmented=True,
    secret=True,
)
CUSTOM_RESPONSE: Label[Pairs] = Label(
    f"{_HEADERS}.customResponseHeaders",
    types.header_map,
    (),
    sets="customResponseHeaders",
    means="Headers that the client gets: Name:value||Name2:value2; one without a value is taken away.",
    example="X-Shop:one||Server:",
    since="1.5",
    segmented=True,
    secret=True,
)
ALLOWED_HOSTS = Listed(
    f"{_HEADERS}.allowedHosts",
    host_and_port,
    sets="allowedHosts",
    means="Requests for any other host are answered with 500.",
    example="shop.example.org",
    since="1.5",
    gate=PROTECTION,
    segmented=True,
)
HOSTS_PROXY_HEADERS = Listed(
    f"{_HEADERS}.hostsProxyHeaders",
    types.header_name,
    sets="hostsProxyHeaders",
    means="Headers that may name the host instead of Host.",
    example="X-Forwarded-Host",
    since="1.5",
    segmented=True,
)
SSL_REDIRECT = _flag("headers.SSLRedirect", "Whether clients are sent to https (301).", "1.5", PROTECTION)
SSL_TEMPORARY = _flag(
    "headers.SSLTemporaryRedirect",
    "Whether they are sent so for now only (307).",
    "1.5",
    PROTECTION,
    beside=(SSL_REDIRECT.name,),
)
SSL_HOST = Label(
    f"{_HEADERS}.SSLHost",
    host_and_port,
    "",
    sets="SSLHost",
    means="The host to which they are sent. Without: the one that they asked for.",
    example="shop.example.org",
    since="1.5",
    gate=PROTECTION,
    segmented=True,
    beside=(SSL_REDIRECT.name,),
)
SSL_FORCE_HOST = _flag(
    "headers.SSLForceHost",
    "Whether they are sent to that host from any other, https or not.",
    "1.7",
    PROTECTION,
    beside=(SSL_REDIRECT.name, SSL_HOST.name),
)
SSL_PROXY_HEADERS: Label[Pairs] = Label(
    f"{_HEADERS}.SSLProxyHeaders",
    full_headers,
    (),
    sets="SSLProxyHeaders",
    means="Headers by which a request counts as https, whoever sent them: Name:value||Name2:value2.",
    example="X-Forwarded-Proto:https",
    since="1.5",
    gate=PROTECTION,
    segmented=True,
    secret=True,
)
STS_SECONDS = Label(
    f"{_HEADERS}.STSSeconds",
    types.Whole(0),
    0,
    sets="STSSeconds",
    means="How long browsers shall ask by https only.",
    example="315360000",
    since="1.5",
    segmented=True,
)
STS_SUBDOMAINS = _flag("headers.STSIncludeSubdomains", "Whether all names below the host's as well.", "1.5")
STS_PRELOAD = _flag("headers.STSPreload", "Whether browsers may know so before they asked.", "1.5")
STS_FORCE = _flag("headers.forceSTSHeader", "Whether it is said on http too.", "1.5")
FRAME_DENY = _flag("headers.frameDeny", "Whether no page may show this one in a frame.", "1.5")
FRAME_OPTIONS = _text("headers.customFrameOptionsValue", "Which pages may: X-Frame-Options.", "SAMEORIGIN", "1.5")
NOSNIFF = _flag("headers.contentTypeNosniff", "Whether browsers must take the content's type as it is told.", "1.5")
XSS_FILTER = _flag("headers.browserXSSFilter", "Whether browsers shall look for injected scripts.", "1.5")
XSS_CUSTOM = _text(
    "headers.customBrowserXSSValue", "The same in its own words: X-XSS-Protection.", "1; mode=block", "1.6"
)
SECURITY_POLICY = _text(
    "headers.contentSecurityPolicy", "What pages may load: Content-Security-Policy.", "script-src 'self'", "1.5"
)
PUBLIC_KEY = _text(
    "headers.publicKey", "Which keys certificates must have: Public-Key-Pins.", 'pin-sha256="AAAA"; max-age=60', "1.5"
)
REFERRER_POLICY = _text("headers.referrerPolicy", "What links tell of this page.", "same-origin", "1.5")
DEVELOPMENT = _flag(
    "headers.isDevelopment", "Whether allowedHosts, SSL and STS count for nothing; refused where they protect.", "1.5"
)

# Error pages and rate limits.

PAGE_STATUS = Listed(
    f"traefik.frontend.errors.{INNER}.status",
    types.status,
    sets=f"errors.{INNER}.status",
    means="The status codes that are answered with a page of another backend.",
    example="404,500-599",
    since="1.6",
    segmented=True,
    beside=(f"traefik.frontend.errors.{INNER}.backend",),
)
PAGE_BACKEND: Label[str] = Label(
    f"traefik.frontend.errors.{INNER}.backend",
    types.text,
    "",
    sets=f"errors.{INNER}.backend",
    means="Whose page: one of this service's segments, or a service as <stack>/<service>, <service>-<stack> of its own "
    "stack, or <service> alone. It must be published; the page of one that is not is left out by Traefik.",
    example="web/errors",
    since="1.6",
    segmented=True,
    beside=(PAGE_STATUS.name,),
)
PAGE_QUERY = Label(
    f"traefik.frontend.errors.{INNER}.query",
    types.url_path,
    "",
    sets=f"errors.{INNER}.query",
    means="The page's path; {status} is the code.",
    example="/{status}.html",
    since="1.6",
    segmented=True,
    beside=(
        PAGE_STATUS.name,
        PAGE_BACKEND.name,
    ),
)
_SET = f"traefik.frontend.rateLimit.rateSet.{INNER}"
RATE_EXTRACTOR = Label(
    "traefik.frontend.rateLimit.extractorFunc",
    types.extractor,
    "",
    sets="rateLimit.extractorFunc",
    means="Whose requests are counted together: client.ip, request.host or request.header.<Name>.",
    example="client.ip",
    since="1.6",
    segmented=True,
    instead=NO_LIMIT,
    beats=_SHORT_RATE,
    beside=(
        f"{_SET}.period",
        f"{_SET}.average",
        f"{_SET}.burst",
    ),
)
SET_PERIOD: Label[float | None] = Label(
    f"{_SET}.period",
    types.period,
    None,
    sets=f"rateSet.{INNER}.period",
    means="The time for which the average counts: seconds, or with a unit.",
    example="10s",
    since="1.6",
    segmented=True,
    beats=_SHORT_RATE,
    beside=(
        RATE_EXTRACTOR.name,
        f"{_SET}.average",
        f"{_SET}.burst",
    ),
)
SET_AVERAGE: Label[int | None] = Label(
    f"{_SET}.average",
    types.Whole(1, _MOST_REQUESTS),
    None,
    sets=f"rateSet.{INNER}.average",
    means="Requests within a period, in the long run.",
    example="100",
    since="1.6",
    segmented=True,
    beats=_SHORT_RATE,
    beside=(
        RATE_EXTRACTOR.name,
        f"{_SET}.period",
        f"{_SET}.burst",
    ),
)
SET_BURST: Label[int | None] = Label(
    f"{_SET}.burst",
    types.Whole(1),
    None,
    sets=f"rateSet.{INNER}.burst",
    means="Requests that may come at once.",
    example="200",
    since="1.6",
    segmented=True,
    beats=_SHORT_RATE,
    beside=(
        RATE_EXTRACTOR.name,
        f"{_SET}.period",
        f"{_SET}.average",
    ),
)

# What a backend does; all segments of a service do it.

_BACKEND = "traefik.backend"
STICKINESS = Label(
    f"{_BACKEND}.loadbalancer.stickiness",
    types.truth,
    False,
    sets="sticky",
    means="Whether a client stays with the server that answered it first.",
    example="true",
    since="1.4",
    beats=(STICKY.name,),
)
STICKINESS_OLD = Label(
    f"{_BACKEND}.loadbalancer.sticky",
    types.truth,
    False,
    sets="sticky",
    means="Deprecated: stickiness, whose cookie has another name.",
    example="true",
    since="1.2",
    beats=(STICKY.name,),
)
MAX_CONN = Label(
    f"{_BACKEND}.maxconn.amount",
    types.Whole(0),
    0,
    sets="maxconn.amount",
    means="Requests at a time, 429 for any more; 0: as many as come.",
    example="10",
    since="1.2",
    instead=NO_LIMIT,
)
MAX_CONN_EXTRACTOR = Label(
    f"{_BACKEND}.maxconn.extractorfunc",
    types.extractor,
    "request.host",
    sets="maxconn.extractorfunc",
    means="Whose requests are counted together: client.ip, request.host or request.header.<Name>.",
    example="client.ip",
    since="1.2",
    beside=(MAX_CONN.name,),
)
CHECK_PATH = Label(
    f"{_BACKEND}.healthcheck.path",
    types.url_path,
    "",
    sets="healthcheck.path",
    means="What Traefik asks each server for, beside Rancher's own check; 2xx and 3xx are healthy.",
    example="/health",
    since="1.4",
)
CHECK_INTERVAL: Label[float | None] = Label(
    f"{_BACKEND}.healthcheck.interval",
    types.duration,
    None,
    sets="healthcheck.interval",
    means="How often, with a unit. Without: every 30 seconds.",
    example="10s",
    since="1.4",
    beside=(CHECK_PATH.name,),
)
CHECK_PORT = Label(
    f"{_BACKEND}.healthcheck.port",
    types.Whole(0, 65535),
    0,
    sets="healthcheck.port",
    means="At which port. Without, and 0: at the server's.",
    example="8081",
    since="1.6",
    beside=(CHECK_PATH.name,),
)
CHECK_SCHEME = Label(
    f"{_BACKEND}.healthcheck.scheme",
    types.Words(("http", "https")),
    "",
    sets="healthcheck.scheme",
    means="http or https. Without: the server's.",
    example="http",
    since="1.7",
    beside=(CHECK_PATH.name,),
)
CHECK_HOSTNAME = Label(
    f"{_BACKEND}.healthcheck.hostname",
    host_and_port,
    "",
    sets="healthcheck.hostname",
    means="The host that is asked for.",
    example="shop.example.org",
    since="1.7",
    beside=(CHECK_PATH.name,),
)
CHECK_HEADERS: Label[Pairs] = Label(
    f"{_BACKEND}.healthcheck.headers",
    full_headers,
    (),
    sets="healthcheck.headers",
    means="Headers of the check: Name:value||Name2:value2.",
    example="X-Check:traefik",
    since="1.7",
    secret=True,
    beside=(CHECK_PATH.name,),
)


def _size(name: str, means: str) -> Label[int]:
    return Label(f"{_BACKEND}.buffering.{name}", types.size, 0, f"buffering.{name}", means, "2097152", since="1.6")


MAX_REQUEST = _size("maxRequestBodyBytes", "The largest request, in bytes, 413 for any larger; 0: no limit.")
MEM_REQUEST = _size("memRequestBodyBytes", "What of a request stays in memory, in bytes; the rest goes to disk.")
MAX_RESPONSE = _size("maxResponseBodyBytes", "The largest answer, in bytes; 0: no limit.")
MEM_RESPONSE = _size("memResponseBodyBytes", "What of an answer stays in memory, in bytes; the rest goes to disk.")
RETRY = Label(
    f"{_BACKEND}.buffering.retryExpression",
    retry_expression,
    "",
    sets="buffering.retryExpression",
    means="When a request is sent again.",
    example="IsNetworkError() && Attempts() <= 2",
    since="1.6",
)
TAGS = Listed(
    "traefik.tags",
    tag,
    sets="tags",
    means="What constraints of a Traefik choose servers by.",
    example="api,public",
    since="1.3",
)

# What Traefik's own provider knows, and no key can say.


def _unwritten(
    name: str, means: str, example: str, since: str, why: str, *, segmented: bool = False
) -> Label[str | None]:
    return Label(PREFIX + name, as_it_is, None, name, means, example, since=since, segmented=segmented, unwritten=why)


_COOKIE = "a key below stickiness would keep Traefik from starting"
_IDLE = "Traefik's own Rancher provider does nothing with it either"
LOST: tuple[Label[str | None], ...] = (
    _unwritten(
        "backend",
        "A name for the backend, which services could share.",
        "shop",
        "1.2",
        "a service's keys are its own, so no other can share its backend",
        segmented=True,
    ),
    _unwritten(
        "backend.loadbalancer.stickiness.cookieName", "The cookie's name: Traefik makes one.", "shop", "1.4", _COOKIE
    ),
    _unwritten("backend.loadbalancer.stickiness.secure", "Whether it is for https only.", "true", "1.7.23", _COOKIE),
    _unwritten("backend.loadbalancer.stickiness.httpOnly", "Whether no script sees it.", "true", "1.7.23", _COOKIE),
    _unwritten("backend.loadbalancer.stickiness.sameSite", "Whether other sites send it.", "lax", "1.7.23", _COOKIE),
    _unwritten(
        "backend.responseForwarding.flushInterval",
        "How long an answer is gathered before it is passed on.",
        "10ms",
        "1.7.4",
        "its key would stop Traefik from reading any other",
    ),
)
# The same, but with Traefik's own provider nobody has it either.
IDLE: tuple[Label[str | None], ...] = (
    _unwritten("backend.id", "A name for the backend.", "shop", "1.4", _IDLE),
    _unwritten("portName", "The port by its name: write traefik.port.", "web", "1.7", _IDLE, segmented=True),
    _unwritten("portIndex", "The port by its place: write traefik.port.", "1", "1.4", _IDLE, segmented=True),
    *CERT_ISSUER,
)

# Titles and rows as a reader looks for them.
GROUPS: tuple[tuple[str, tuple[Row, ...]], ...] = (
    ("The service", (ENABLE, DOMAIN, PORT, PROTOCOL, ADDRESS, WEIGHT, PASS_HOST_HEADER, METHOD, BREAKER)),
    (
        "rancher-traefik",
        (
            PRIORITY,
            STICKY,
            ALIAS,
            ALIAS_FQDN,
            DOMAIN_REGEXP,
            PATH,
            PATH_STRIP,
            PATH_PREFIX,
            PATH_PREFIX_STRIP,
            RATE_ENABLE,
            RATE_PERIOD,
            RATE_AVERAGE,
            RATE_BURST,
            ACME,
        ),
    ),
    ("Which requests", (RULE, FRONTEND_PRIORITY, ENTRY_POINTS)),
    (
        "Who may pass",
        (
            BASIC_USERS,
            BASIC_USERS_OLD,
            BASIC_FILE,
            BASIC_REMOVE,
            DIGEST_USERS,
            DIGEST_FILE,
            DIGEST_REMOVE,
            FORWARD_ADDRESS,
            FORWARD_TRUST,
            FORWARD_HEADERS,
            TLS_CA,
            TLS_CA_OPTIONAL,
            TLS_CERT,
            TLS_KEY,
            TLS_SKIP,
            AUTH_HEADER,
            WHITELIST,
            WHITELIST_OLD,
            WHITELIST_FORWARDED,
        ),
    ),
    ("Redirects", (REDIRECT_ENTRY_POINT, REDIRECT_REGEX, REDIRECT_REPLACEMENT, REDIRECT_PERMANENT)),
    (
        "Headers",
        (
            CUSTOM_REQUEST,
            CUSTOM_RESPONSE,
            ALLOWED_HOSTS,
            HOSTS_PROXY_HEADERS,
            SSL_REDIRECT,
            SSL_TEMPORARY,
            SSL_HOST,
            SSL_FORCE_HOST,
            SSL_PROXY_HEADERS,
            STS_SECONDS,
            STS_SUBDOMAINS,
            STS_PRELOAD,
            STS_FORCE,
            FRAME_DENY,
            FRAME_OPTIONS,
            NOSNIFF,
            XSS_FILTER,
            XSS_CUSTOM,
            SECURITY_POLICY,
            PUBLIC_KEY,
            REFERRER_POLICY,
            DEVELOPMENT,
        ),
    ),
    ("Client certificates", (PASS_TLS_CERT, CERT_PEM, *CERT_INFOS)),
    ("Error pages", (PAGE_STATUS, PAGE_BACKEND, PAGE_QUERY)),
    ("Rate limits", (RATE_EXTRACTOR, SET_PERIOD, SET_AVERAGE, SET_BURST)),
    (
        "Servers",
        (
            STICKINESS,
            STICKINESS_OLD,
            MAX_CONN,
            MAX_CONN_EXTRACTOR,
            CHECK_PATH,
            CHECK_INTERVAL,
            CHECK_PORT,
            CHECK_SCHEME,
            CHECK_HOSTNAME,
            CHECK_HEADERS,
            MAX_REQUEST,
            MEM_REQUEST,
            MAX_RESPONSE,
            MEM_RESPONSE,
            RETRY,
            TAGS,
        ),
    ),
    ("Without a key", (*LOST, *IDLE)),
)
TABLE: tuple[Row, ...] = tuple(row for _, rows in GROUPS for row in rows)
