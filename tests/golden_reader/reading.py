"""The requests of one reading, in Traefik's order, and what was seen by them.

Traefik lists names first and fetches values one by one. So a change that lands in between is seen half:
`requests` pauses before each request, and what is asked then is what stands then.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field

from tests.golden_reader.flags import Store
from tests.golden_reader.text import comma_items

Names = Callable[[str], Collection[str]]
Value = Callable[[str], str | None]
Pauses = Generator[None, None, None]


@dataclass(slots=True)
class Raw:
    """What a reading saw. Paths begin below the root: `backends/b/servers/s1/url`."""

    root: str = ""  # the prefix, or what its alias names
    values: dict[str, str] = field(default_factory=dict)  # by path; absent: not found
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by path with a closing slash; sorted
    failed: str = ""  # why the store refused a request; the reading ended there


@dataclass(frozen=True, slots=True)
class If:
    """Ask; go on with `then` where a value is not empty, or where a path with a closing slash has anything below it."""

    path: str
    then: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Unless:
    """Ask; go on with `then` where the value is empty or absent."""

    path: str
    then: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """Ask for the names below `path`, then `then` for each."""

    path: str
    then: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list: commas in one value, or where there are no items, one value a name below it."""

    path: str
    then: tuple[Request, ...] = ()  # asked where the list is not empty


Request = str | If | Unless | Each | Items  # a plain text asks for one value

BACKEND: tuple[Request, ...] = (
    "/circuitbreaker/expression",
    "/responseforwarding/flushinterval",
    "/loadbalancer/method",
    If(
        "/loadbalancer/stickiness",
        tuple(f"/loadbalancer/stickiness/{name}" for name in ("cookiename", "secure", "httponly", "samesite")),
    ),
    "/loadbalancer/sticky",
    "/maxconn/amount",
    "/maxconn/extractorfunc",
    If(
        "/healthcheck/path",
        (
            "/healthcheck/interval",
            "/healthcheck/port",
            "/healthcheck/scheme",
            "/healthcheck/hostname",
            Each("/healthcheck/headers/", ("",)),
        ),
    ),
    If(
        "/buffering/",
        (
            "/buffering/maxrequestbodybytes",
            "/buffering/memrequestbodybytes",
            "/buffering/maxresponsebodybytes",
            "/buffering/memresponsebodybytes",
            "/buffering/retryexpression",
        ),
    ),
)

DISTINGUISHED = (
    "commonname",
    "country",
    "domaincomponent",
    "locality",
    "organization",
    "province",
    "serialnumber",
)
_CLIENT_CERTIFICATE: tuple[Request, ...] = (
    "/passtlsclientcert/pem",
    If(
        "/passtlsclientcert/infos/",
        (
            *(f"/passtlsclientcert/infos/{name}" for name in ("notafter", "notbefore", "sans")),
            If(
                "/passtlsclientcert/infos/subject/",
                tuple(f"/passtlsclientcert/infos/subject/{name}" for name in DISTINGUISHED),
            ),
        ),
    ),
)
_FORWARD: tuple[Request, ...] = (
    "/auth/forward/address",
    "/auth/forward/trustforwardheader",
    Items("/auth/forward/.authresponseheaders"),
    If(
        "/auth/forward/tls/",
        tuple(f"/auth/forward/tls/{name}" for name in ("ca", "caoptional", "cert", "key", "insecureskipverify")),
    ),
)
_AUTH: tuple[Request, ...] = (
    "/auth/headerfield",
    If("/auth/basic/", (Items("/auth/basic/users"), "/auth/basic/usersfile", "/auth/basic/removeheader")),
    If("/auth/digest/", (Items("/auth/digest/users"), "/auth/digest/usersfile", "/auth/digest/removeheader")),
    If("/auth/forward/", _FORWARD),
)
HEADER_TRUTHS = (
    "sslredirect",
    "ssltemporaryredirect",
    "sslforcehost",
    "stsincludesubdomains",
    "stspreload",
    "forcestsheader",
    "framedeny",
    "contenttypenosniff",
    "browserxssfilter",
    "isdevelopment",
)
HEADER_TEXTS = (
    "sslhost",
    "customframeoptionsvalue",
    "custombrowserxssvalue",
    "contentsecuritypolicy",
    "publickey",
    "referrerpolicy",
)

FRONTEND: tuple[Request, ...] = (
    "/backend",
    "/priority",
    Unless("/passhostheader", ("/passHostHeader",)),
    "/passtlscert",
    Items("/entrypoints"),
    If("/passtlsclientcert/", _CLIENT_CERTIFICATE),
    Items("/basicauth"),
    If("/auth/", _AUTH),
    Items("/whitelist/sourcerange", ("/whitelist/usexforwardedfor",)),
    "/redirect/permanent",
    "/redirect/entrypoint",
    If("/redirect/regex", ("/redirect/replacement",)),
    Each("/errors/", ("/backend", Items("/status"), "/query")),
    If("/ratelimit/extractorfunc", (Each("/ratelimit/rateset/", ("/period", "/average", "/burst")),)),
    Each("/headers/customrequestheaders/", ("",)),
    Each("/headers/customresponseheaders/", ("",)),
    Items("/headers/allowedhosts"),
    Items("/headers/hostsproxyheaders"),
    Each("/headers/sslproxyheaders/", ("",)),
    "/headers/stsseconds",
    *(f"/headers/{name}" for name in (*HEADER_TRUTHS, *HEADER_TEXTS)),
    Each("/routes/", ("/rule",)),
)

CERTIFICATE: tuple[Request, ...] = (Items("/entrypoints"), "/certificate/certfile", "/certificate/keyfile")


class _Refused(Exception):
    """The store does not take a request."""


@dataclass(slots=True)
class _Asking:
    """One reading under way."""

    all_names: Names
    one_value: Value
    store: Store
    raw: Raw

    def value(self, path: str) -> str:
        """The value at `path`, as it stands now; empty where there is none."""
        found = self.one_value(self._key(path))
        if found is None:
            return ""
        self.raw.values[path] = found
        return found

    def names(self, path: str) -> tuple[str, ...]:
        """The first segments of the keys below `path`, as they stand now."""
        asked = self._key(path)
        listed = self.all_names(asked)
        if not listed:
            return ()
        root = self.raw.root + path
        below = {key.removeprefix(root).split("/", 1)[0] for key in listed if key != asked}
        if self.store is Store.ETCD:  # its client takes such keys for its own locks
            below = {name for name in below if "___lock" not in name}
        found = tuple(sorted(below))
        if found:
            self.raw.names[path] = found
        return found

    def all_of(self, base: str, requests: tuple[Request, ...]) -> Pauses:
        """The requests on one object."""
        for request in requests:
            yield
            if isinstance(request, str):
                self.value(base + request)
                continue
            match request:
                case If(path, then):
                    if (self.names if path.endswith("/") else self.value)(base + path):
                        yield from self.all_of(base, then)
                case Unless(path, then):
                    if not self.value(base + path):
                        yield from self.all_of(base, then)
                case Each(path, then):
                    yield from self.each(base + path, then)
                case Items(path, then):
                    found = bool(comma_items(self.value(base + path)))
                    if not found:
                        yield
                        yield from self.each(f"{base}{path}/", ("",))
                        found = f"{base}{path}/" in self.raw.names
                    if found:
                        yield from self.all_of(base, then)

    def each(self, path: str, then: tuple[Request, ...]) -> Pauses:
        """The names below `path` (the pause lies behind the caller), then the requests on each."""
        for name in self.names(path):
            yield from self.all_of(path + name, then)

    def servers(self, backend: str) -> Pauses:
        """All servers are looked at first; those that have a url are read after that."""
        yield
        names = self.names(f"{backend}/servers/")
        taken = []
        for name in names:
            yield from self.all_of(f"{backend}/servers/{name}", ("/url", "/tags"))
            if f"{backend}/servers/{name}/url" in self.raw.values:
                taken.append(name)
        for name in taken:
            self.raw.values.pop(f"{backend}/servers/{name}/url")  # it is asked for again, and may be gone
            yield from self.all_of(f"{backend}/servers/{name}", ("/url", "/weight"))

    def tree(self, prefix: str) -> Pauses:
        """The whole reading."""
        yield
        self.raw.root = prefix
        self.value("/alias")
        self.raw.root = self.raw.values.pop("/alias", prefix).removesuffix("/") + "/"
        yield
        for name in self.names("backends/"):
            yield from self.all_of(f"backends/{name}", BACKEND)
            yield from self.servers(f"backends/{name}")
        yield
        yield from self.each("frontends/", FRONTEND)
        yield
        yield from self.each("tls/", CERTIFICATE)

    def _key(self, path: str) -> str:
        key = self.raw.root + path
        return _as_consul_takes(key) if self.store is Store.CONSUL else key


def requests(names: Names, value: Value, prefix: str, store: Store) -> Generator[None, None, Raw]:
    """One reading of the tree under Traefik's `prefix`; pauses before each request.

    `names` answers all keys that begin with a text, `value` the value of a key.
    """
    asking = _Asking(names, value, store, Raw())
    try:
        yield from asking.tree(prefix.removesuffix("/"))
    except _Refused as err:
        asking.raw.failed = str(err)
    return asking.raw


def read(names: Names, value: Value, prefix: str, store: Store) -> Raw:
    """One reading without a pause; for the arguments see `requests`."""
    reading = requests(names, value, prefix, store)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            raw = end.value
            assert isinstance(raw, Raw)
            return raw


def _as_consul_takes(key: str) -> str:
    """The key as Consul understands it: it comes in a URL's path, which is cleaned, and must be printable."""
    if not key.isprintable():
        raise _Refused(f"Consul refuses the key {key!r}")
    if "//" in key or "/." in key:
        closing = "/" if key.endswith("/") else ""
        key = posixpath.normpath(f"/{key}") + closing
    return key.lstrip("/")
