"""From what a reading saw to the configuration that Traefik makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tests.golden_reader.answering import EVERYBODY_ANSWERS, Answer, Live, Upstream, answer
from tests.golden_reader.flags import DEFAULT_ENTRY_POINTS, ENTRY_POINTS
from tests.golden_reader.injection import injected
from tests.golden_reader.losses import loss
from tests.golden_reader.objects import (
    Auth,
    Backend,
    BasicAuth,
    Buffering,
    CircuitBreaker,
    ClientCertificate,
    ClientCertificateInfos,
    DigestAuth,
    Distinguished,
    ErrorPage,
    ForwardAuth,
    ForwardTls,
    Frontend,
    Headers,
    HealthCheck,
    Json,
    LoadBalancer,
    MaxConn,
    RateLimit,
    RateSet,
    Redirect,
    Route,
    Server,
    Stickiness,
    WhiteList,
    api,
)
from tests.golden_reader.reading import Raw
from tests.golden_reader.rules import Request, is_deadly
from tests.golden_reader.text import (
    Freezes,
    comma_items,
    integer,
    pasted,
    pasted_header,
    pasted_lines,
    period,
    truth,
)

T = TypeVar("T")
NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What Traefik takes, and which of it lives."""

    backends: Mapping[str, Backend]
    frontends: Mapping[str, Frontend]  # also those that are lost, as its API shows them
    lost: Mapping[str, str] = field(default_factory=dict)  # frontend: why it gets no request
    absent: frozenset[str] = frozenset()  # frontends that have no backend
    certificates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name: its entry points
    live: tuple[Live, ...] = ()  # in the order in which they are asked

    @property
    def verdict(self) -> str:
        """`ok`, or `dropped:` and the names of the frontends that get no request."""
        dropped = sorted(self.absent | self.lost.keys())
        return f"dropped:{','.join(dropped)}" if dropped else "ok"

    def api(self) -> dict[str, Json]:
        """What Traefik's API shows."""
        if not self.backends:
            return {}
        return {"backends": api(self.backends), "frontends": api(self.frontends) or None}

    def answer(
        self,
        host: str,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        entry_point: str = "http",
        body_bytes: int = 0,
        upstream: Upstream = EVERYBODY_ANSWERS,
    ) -> Answer:
        """Who may answer a request, and with what."""
        request = Request(host, path, method, headers, entry_point, body_bytes)
        return answer(self.live, self.backends, request, upstream)


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of the tree is taken. A Traefik that starts on it knows no route; a running one keeps what it had."""

    verdict: str  # frozen: until the tree is mended; dead: until Traefik is started again
    reason: str

    def api(self) -> None:
        """There is nothing to show."""

    def answer(self, *_request: object, **_more: object) -> Answer:
        """A Traefik that started on this tree answers 404."""
        return Answer(404)


def configure(raw: Raw) -> Configuration | Refused:
    """The configuration that Traefik makes of a reading."""
    if raw.failed:
        return Refused("frozen", raw.failed)
    try:
        return _configuration(raw)
    except Freezes as err:
        return Refused("frozen", str(err))


def _configuration(raw: Raw) -> Configuration | Refused:
    backends = _by_name(raw, "backends/", _backend)
    more_backends: dict[str, Backend] = {}
    more_frontends: dict[str, Frontend] = {}

    def rule(text: str) -> str:
        try:
            return pasted(text)
        except Freezes:
            left, new_backends, new_frontends = injected(text)
            more_backends.update(new_backends)
            more_frontends.update(new_frontends)
            return left

    read = _by_name(raw, "frontends/", lambda node: _frontend(node, rule))
    certificates = _by_name(raw, "tls/", _certificate)
    backends |= more_backends
    read |= more_frontends
    frontends = {name: each for name, each in read.items() if each.backend in backends}
    for name, each in frontends.items():
        if any(is_deadly(route.rule) for route in each.routes.values()):
            return Refused("dead", f"a rule of semicolons only, of {name}")
    reasons = ((name, loss(each, backends)) for name, each in frontends.items())
    lost = {name: why for name, why in reasons if why is not None}
    alive = (Live.of(name, each) for name, each in frontends.items() if name not in lost)
    return Configuration(
        backends,
        frontends,
        lost,
        frozenset(read.keys() - frontends.keys()),
        {name: points for name, points in certificates.items() if points},
        tuple(sorted(alive, key=lambda live: (-live.priority, live.name))),
    )


@dataclass(frozen=True, slots=True)
class _Node:
    """What was read of one object."""

    raw: Raw
    base: str  # its path, without a closing slash

    def plain(self, path: str) -> str:
        """A value as it stands; empty where there is none."""
        return self.raw.values.get(self.base + path, "")

    def text(self, path: str, default: str = "") -> str:
        """A value that is pasted as a string."""
        return pasted(self.raw.values.get(self.base + path, default))

    def integer(self, path: str, default: int = 0) -> int:
        return integer(self.plain(path), default)

    def truth(self, path: str, default: bool = False) -> bool:
        return truth(self.plain(path), default)

    def has(self, path: str) -> bool:
        """Whether anything stands below a path with a closing slash."""
        return self.base + path in self.raw.names

    def names(self, path: str) -> tuple[str, ...]:
        """The names below a path with a closing slash, as keys hold them."""
        return self.raw.names.get(self.base + path, ())

    def items(self, path: str) -> tuple[str, ...]:
        """A list: the commas in one value, else the values below it."""
        listed = comma_items(self.plain(path))
        if not listed:
            listed = tuple(filter(None, (self.plain(f"{path}/{name}") for name in self.names(path + "/"))))
        return tuple(pasted(item) for item in listed)

    def headers(self, path: str) -> dict[str, str]:
        """Header names and values below a path with a closing slash; of two equal names the last one counts."""
        return {pasted_header(name): self.text(path + name) for name in self.names(path)}

    def below(self, path: str, name: str) -> _Node:
        return _Node(self.raw, self.base + path + name)


def _by_name(raw: Raw, path: str, of: Callable[[_Node], T]) -> dict[str, T]:
    """The objects below `path` by their names. Raises Freezes where two names are one."""
    found: dict[str, T] = {}
    for name in raw.names.get(path, ()):
        key = pasted(name)
        if key in found:
            raise Freezes(f"{path}{key} stands twice")
        found[key] = of(_Node(raw, path + name))
    return found


def _below(node: _Node, path: str, of: Callable[[_Node], T]) -> dict[str, T]:
    return _by_name(node.raw, node.base + path, of)


def _backend(node: _Node) -> Backend:
    if node.plain("/responseforwarding/flushinterval"):
        raise Freezes("the template cannot use responseforwarding/flushinterval")
    expression = node.text("/circuitbreaker/expression")
    amount = node.plain("/maxconn/amount")
    servers = _below(node, "/servers/", _server)
    return Backend(
        servers={name: server for name, server in servers.items() if server},
        circuit_breaker=CircuitBreaker(expression) if expression else None,
        load_balancer=_load_balancer(node),
        max_conn=_max_conn(node) if amount and integer(amount, 0) == integer(amount, 1) else None,
        health_check=_health_check(node) if node.plain("/healthcheck/path") else None,
        buffering=_buffering(node) if node.has("/buffering/") else None,
    )


def _server(node: _Node) -> Server | None:
    url = node.text("/url")
    return Server(url, node.integer("/weight", 1)) if url else None


def _load_balancer(node: _Node) -> LoadBalancer:
    method = node.text("/loadbalancer/method", "wrr")
    sticky = node.truth("/loadbalancer/sticky")
    stickiness = Stickiness("_TRAEFIK_BACKEND") if sticky else None
    if node.truth("/loadbalancer/stickiness"):
        stickiness = Stickiness(
            node.text("/loadbalancer/stickiness/cookiename"),
            node.truth("/loadbalancer/stickiness/secure"),
            node.truth("/loadbalancer/stickiness/httponly"),
            node.text("/loadbalancer/stickiness/samesite"),
        )
    return LoadBalancer(method if method.lower() in ("wrr", "drr") else "wrr", sticky, stickiness)


def _max_conn(node: _Node) -> MaxConn:
    return MaxConn(node.integer("/maxconn/amount"), node.text("/maxconn/extractorfunc", "request.host"))


def _health_check(node: _Node) -> HealthCheck:
    return HealthCheck(
        node.text("/healthcheck/path"),
        node.text("/healthcheck/interval", "30s"),
        node.integer("/healthcheck/port"),
        node.text("/healthcheck/scheme"),
        node.text("/healthcheck/hostname"),
        node.headers("/healthcheck/headers/"),
    )


def _buffering(node: _Node) -> Buffering:
    return Buffering(
        node.integer("/buffering/maxrequestbodybytes"),
        node.integer("/buffering/memrequestbodybytes"),
        node.integer("/buffering/maxresponsebodybytes"),
        node.integer("/buffering/memresponsebodybytes"),
        node.text("/buffering/retryexpression"),
    )


def _frontend(node: _Node, rule: Callable[[str], str]) -> Frontend:
    routes = _below(node, "/routes/", lambda route: rule(route.plain("/rule")))
    ranges = node.items("/whitelist/sourcerange")
    extractor = node.text("/ratelimit/extractorfunc")
    return Frontend(
        entry_points=tuple(name for name in node.items("/entrypoints") or DEFAULT_ENTRY_POINTS if name in ENTRY_POINTS),
        backend=node.text("/backend"),
        routes={name: Route(text) for name, text in routes.items() if text},
        pass_host_header=truth(node.plain("/passhostheader") or node.plain("/passHostHeader"), True),
        pass_tls_cert=node.truth("/passtlscert"),
        pass_tls_client_cert=_client_certificate(node) if node.has("/passtlsclientcert/") else None,
        priority=node.integer("/priority"),
        auth=_auth(node),
        white_list=WhiteList(ranges, node.truth("/whitelist/usexforwardedfor")) if ranges else None,
        redirect=_redirect(node),
        errors=_below(node, "/errors/", _error_page),
        ratelimit=RateLimit(_rate_sets(node), extractor) if extractor else None,
        headers=_headers(node),
    )


def _client_certificate(node: _Node) -> ClientCertificate:
    infos = "/passtlsclientcert/infos"
    subject = None
    if node.has(infos + "/subject/"):
        subject = Distinguished(
            country=node.truth(infos + "/subject/country"),
            province=node.truth(infos + "/subject/province"),
            locality=node.truth(infos + "/subject/locality"),
            organization=node.truth(infos + "/subject/organization"),
            common_name=node.truth(infos + "/subject/commonname"),
            serial_number=node.truth(infos + "/subject/serialnumber"),
            domain_component=node.truth(infos + "/subject/domaincomponent"),
        )
    found = ClientCertificateInfos(
        not_after=node.truth(infos + "/notafter"),
        not_before=node.truth(infos + "/notbefore"),
        sans=node.truth(infos + "/sans"),
        subject=subject,
        issuer=subject,  # Traefik's template fills the issuer from the subject
    )
    return ClientCertificate(node.truth("/passtlsclientcert/pem"), found if node.has(infos + "/") else None)


def _auth(node: _Node) -> Auth | None:
    """The deprecated list wins; then basic, digest, forward: the first kind that is there counts."""
    if users := node.items("/basicauth"):
        return Auth(BasicAuth(users))
    if not node.has("/auth/"):
        return None
    field_name = node.text("/auth/headerfield")
    if node.has("/auth/basic/"):
        users, file = node.items("/auth/basic/users"), node.text("/auth/basic/usersfile")
        return Auth(basic=BasicAuth(users, file, node.truth("/auth/basic/removeheader")), header_field=field_name)
    if node.has("/auth/digest/"):
        users, file = node.items("/auth/digest/users"), node.text("/auth/digest/usersfile")
        return Auth(digest=DigestAuth(users, file, node.truth("/auth/digest/removeheader")), header_field=field_name)
    if node.has("/auth/forward/"):
        return Auth(forward=_forward(node), header_field=field_name)
    return Auth(header_field=field_name)


def _forward(node: _Node) -> ForwardAuth:
    tls = None
    if node.has("/auth/forward/tls/"):
        tls = ForwardTls(
            node.text("/auth/forward/tls/ca"),
            node.truth("/auth/forward/tls/caoptional"),
            pasted_lines(node.plain("/auth/forward/tls/cert")),
            pasted_lines(node.plain("/auth/forward/tls/key")),
            node.truth("/auth/forward/tls/insecureskipverify"),
        )
    return ForwardAuth(
        node.text("/auth/forward/address"),
        tls,
        node.truth("/auth/forward/trustforwardheader"),
        node.items("/auth/forward/.authresponseheaders"),
    )


def _redirect(node: _Node) -> Redirect | None:
    permanent = node.truth("/redirect/permanent")
    if entry_point := node.text("/redirect/entrypoint"):
        return Redirect(entry_point=entry_point, permanent=permanent)
    regex, replacement = node.plain("/redirect/regex"), node.plain("/redirect/replacement")
    if regex and replacement:
        return Redirect(regex=pasted(regex), replacement=pasted(replacement), permanent=permanent)
    return None


def _error_page(node: _Node) -> ErrorPage:
    return ErrorPage(node.items("/status"), node.text("/backend"), node.text("/query"))


def _rate_sets(node: _Node) -> dict[str, RateSet]:
    sets = _below(node, "/ratelimit/rateset/", _rate_set)
    return {name: each for name, each in sets.items() if each}


def _rate_set(node: _Node) -> RateSet | None:
    length = period(node.plain("/period"))
    return None if length is None else RateSet(length, node.integer("/average"), node.integer("/burst"))


def _headers(node: _Node) -> Headers | None:
    """Their keys are few and seldom there: none at all is found out by one look."""
    found = Headers(
        custom_request_headers=node.headers("/headers/customrequestheaders/"),
        custom_response_headers=node.headers("/headers/customresponseheaders/"),
        allowed_hosts=node.items("/headers/allowedhosts"),
        hosts_proxy_headers=node.items("/headers/hostsproxyheaders"),
        ssl_redirect=node.truth("/headers/sslredirect"),
        ssl_temporary_redirect=node.truth("/headers/ssltemporaryredirect"),
        ssl_host=node.text("/headers/sslhost"),
        ssl_force_host=node.truth("/headers/sslforcehost"),
        ssl_proxy_headers=node.headers("/headers/sslproxyheaders/"),
        sts_seconds=node.integer("/headers/stsseconds"),
        sts_include_subdomains=node.truth("/headers/stsincludesubdomains"),
        sts_preload=node.truth("/headers/stspreload"),
        force_sts_header=node.truth("/headers/forcestsheader"),
        frame_deny=node.truth("/headers/framedeny"),
        custom_frame_options_value=node.text("/headers/customframeoptionsvalue"),
        content_type_nosniff=node.truth("/headers/contenttypenosniff"),
        browser_xss_filter=node.truth("/headers/browserxssfilter"),
        custom_browser_xss_value=node.text("/headers/custombrowserxssvalue"),
        content_security_policy=node.text("/headers/contentsecuritypolicy"),
        public_key=node.text("/headers/publickey"),
        referrer_policy=node.text("/headers/referrerpolicy"),
        is_development=node.truth("/headers/isdevelopment"),
    )
    return None if found == Headers() else found


def _certificate(node: _Node) -> tuple[str, ...]:
    """The entry points that the certificate is for; none: it is ignored."""
    certificate = pasted_lines(node.plain("/certificate/certfile"))
    key = pasted_lines(node.plain("/certificate/keyfile"))
    return node.items("/entrypoints") if certificate or key else ()
