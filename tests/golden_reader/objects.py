"""A configuration's parts, with the names that Traefik's API gives them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]

_ALWAYS = MappingProxyType({"always": True})  # the API shows it even when it is zero, false or absent
_HIDDEN = MappingProxyType({"hidden": True})  # the API never shows it


def api(value: object) -> Json:
    """`value` as the API shows it: fields that are zero, false or empty are left out."""
    match value:
        case None | bool() | int() | str():
            return value
        case tuple():
            return [api(item) for item in value]
        case Mapping():
            return {str(key): api(item) for key, item in value.items()}
    assert dataclasses.is_dataclass(value)
    shown: dict[str, Json] = {}
    for each in dataclasses.fields(value):
        item: object = getattr(value, each.name)
        if "hidden" not in each.metadata and ("always" in each.metadata or item or dataclasses.is_dataclass(item)):
            shown[each.metadata.get("name", _camel(each.name))] = api(item)
    return shown


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _named(name: str) -> Mapping[str, str]:
    return MappingProxyType({"name": name})


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    weight: int = field(default=1, metadata=_ALWAYS)


@dataclass(frozen=True, slots=True)
class Stickiness:
    cookie_name: str = ""
    secure: bool = False
    http_only: bool = False
    same_site: str = ""


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    method: str = "wrr"
    sticky: bool = False
    stickiness: Stickiness | None = None


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    expression: str


@dataclass(frozen=True, slots=True)
class MaxConn:
    amount: int
    extractor_func: str


@dataclass(frozen=True, slots=True)
class HealthCheck:
    path: str
    interval: str
    port: int = 0
    scheme: str = ""
    hostname: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Buffering:
    max_request_body_bytes: int = 0
    mem_request_body_bytes: int = 0
    max_response_body_bytes: int = 0
    mem_response_body_bytes: int = 0
    retry_expression: str = ""


@dataclass(frozen=True, slots=True)
class Backend:
    servers: Mapping[str, Server] = field(default_factory=dict)
    circuit_breaker: CircuitBreaker | None = None
    load_balancer: LoadBalancer = LoadBalancer()
    max_conn: MaxConn | None = None
    health_check: HealthCheck | None = None
    buffering: Buffering | None = None


@dataclass(frozen=True, slots=True)
class Distinguished:
    """Which parts of a certificate's subject or issuer are passed on."""

    country: bool = field(default=False, metadata=_ALWAYS)
    province: bool = field(default=False, metadata=_ALWAYS)
    locality: bool = field(default=False, metadata=_ALWAYS)
    organization: bool = field(default=False, metadata=_ALWAYS)
    common_name: bool = field(default=False, metadata=_ALWAYS)
    serial_number: bool = field(default=False, metadata=_ALWAYS)
    domain_component: bool = field(default=False, metadata=_ALWAYS)


@dataclass(frozen=True, slots=True)
class ClientCertificateInfos:
    not_after: bool = field(default=False, metadata=_ALWAYS)
    not_before: bool = field(default=False, metadata=_ALWAYS)
    sans: bool = field(default=False, metadata=_ALWAYS)
    subject: Distinguished | None = None
    issuer: Distinguished | None = None


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    pem: bool = field(default=False, metadata=_ALWAYS)
    infos: ClientCertificateInfos | None = None


@dataclass(frozen=True, slots=True)
class BasicAuth:
    users: tuple[str, ...] = field(default=(), metadata=_HIDDEN)
    users_file: str = ""
    remove_header: bool = False


@dataclass(frozen=True, slots=True)
class DigestAuth:
    users: tuple[str, ...] = field(default=(), metadata=_HIDDEN)
    users_file: str = ""
    remove_header: bool = False


@dataclass(frozen=True, slots=True)
class ForwardTls:
    ca: str = ""
    ca_optional: bool = False
    cert: str = ""
    key: str = field(default="", metadata=_HIDDEN)
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class ForwardAuth:
    address: str = ""
    tls: ForwardTls | None = None
    trust_forward_header: bool = False
    auth_response_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Auth:
    """At most one kind; none of them: every request is answered with 500."""

    basic: BasicAuth | None = None
    digest: DigestAuth | None = None
    forward: ForwardAuth | None = None
    header_field: str = ""


@dataclass(frozen=True, slots=True)
class WhiteList:
    source_range: tuple[str, ...]
    use_x_forwarded_for: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    entry_point: str = ""
    regex: str = ""
    replacement: str = ""
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class ErrorPage:
    status: tuple[str, ...]
    backend: str
    query: str


@dataclass(frozen=True, slots=True)
class RateSet:
    period: int  # nanoseconds
    average: int
    burst: int


@dataclass(frozen=True, slots=True)
class RateLimit:
    rate_set: Mapping[str, RateSet] = field(metadata=_named("rateset"))
    extractor_func: str


@dataclass(frozen=True, slots=True)
class Headers:
    custom_request_headers: Mapping[str, str] = field(default_factory=dict)
    custom_response_headers: Mapping[str, str] = field(default_factory=dict)
    allowed_hosts: tuple[str, ...] = ()
    hosts_proxy_headers: tuple[str, ...] = ()
    ssl_redirect: bool = False
    ssl_temporary_redirect: bool = False
    ssl_host: str = ""
    ssl_force_host: bool = False
    ssl_proxy_headers: Mapping[str, str] = field(default_factory=dict)
    sts_seconds: int = 0
    sts_include_subdomains: bool = False
    sts_preload: bool = False
    force_sts_header: bool = field(default=False, metadata=_named("forceSTSHeader"))
    frame_deny: bool = False
    custom_frame_options_value: str = ""
    content_type_nosniff: bool = False
    browser_xss_filter: bool = False
    custom_browser_xss_value: str = field(default="", metadata=_named("customBrowserXSSValue"))
    content_security_policy: str = ""
    public_key: str = ""
    referrer_policy: str = ""
    is_development: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    rule: str


@dataclass(frozen=True, slots=True)
class Frontend:
    entry_points: tuple[str, ...]  # those that exist
    backend: str
    routes: Mapping[str, Route] = field(default_factory=dict)  # none: every request matches
    pass_host_header: bool = False
    pass_tls_cert: bool = field(default=False, metadata=_named("passTLSCert"))
    pass_tls_client_cert: ClientCertificate | None = field(default=None, metadata=_named("passTLSClientCert"))
    priority: int = field(default=0, metadata=_ALWAYS)
    basic_auth: None = field(default=None, metadata=_ALWAYS)  # deprecated: what it holds moves into `auth`
    auth: Auth | None = None
    white_list: WhiteList | None = None
    redirect: Redirect | None = None
    errors: Mapping[str, ErrorPage] = field(default_factory=dict)
    ratelimit: RateLimit | None = None
    headers: Headers | None = None

    @property
    def protections(self) -> frozenset[str]:
        """What stands between a request and the backend, by the keys that ask for it."""
        headers = self.headers or Headers()
        standing = {
            "auth": self.auth is not None,
            "whitelist": self.white_list is not None,
            "redirect": self.redirect is not None,
            "passtlscert": self.pass_tls_cert,
            "headers/allowedhosts": bool(headers.allowed_hosts),
            "headers/sslredirect": headers.ssl_redirect,
            "headers/sslforcehost": headers.ssl_force_host,
            "ratelimit": self.ratelimit is not None and bool(self.ratelimit.rate_set),
        }
        return frozenset(name for name, stands in standing.items() if stands)
