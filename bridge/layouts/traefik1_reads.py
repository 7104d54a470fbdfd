"""All keys of its tree that Traefik 1.7 reads, and how: many more than are ever written."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto


class As(Enum):
    """How a value is read."""

    TEXT = auto()  # pasted between quotes
    LIST = auto()  # items between commas, or one a key below; each pasted between quotes
    LINES = auto()  # pasted between triple quotes
    TAGS = auto()  # a list that is pasted nowhere
    WHOLE = auto()
    TRUTH = auto()
    PERIOD = auto()  # of a rate set
    NOTHING = auto()  # it cannot be read at all, and nothing else is then


_SUBJECT = ("commonname", "country", "domaincomponent", "locality", "organization", "province", "serialnumber")
_HEADER_TRUTHS = (
    *("sslredirect", "ssltemporaryredirect", "sslforcehost", "stsincludesubdomains", "stspreload", "forcestsheader"),
    *("framedeny", "contenttypenosniff", "browserxssfilter", "isdevelopment"),
)
_HEADER_TEXTS = (
    *("sslhost", "customframeoptionsvalue", "custombrowserxssvalue"),
    *("contentsecuritypolicy", "publickey", "referrerpolicy"),
)


def _all(base: str, names: tuple[str, ...], how: As) -> dict[str, As]:
    return {f"{base}/{name}": how for name in names}


_BACKEND = {
    **_all("servers/*", ("url",), As.TEXT),
    "servers/*/weight": As.WHOLE,
    "servers/*/tags": As.TAGS,
    "circuitbreaker/expression": As.TEXT,
    "responseforwarding/flushinterval": As.NOTHING,
    "loadbalancer/method": As.TEXT,
    "loadbalancer/sticky": As.TRUTH,
    "loadbalancer/stickiness": As.TRUTH,
    **_all("loadbalancer/stickiness", ("cookiename", "samesite"), As.TEXT),
    **_all("loadbalancer/stickiness", ("secure", "httponly"), As.TRUTH),
    "maxconn/amount": As.WHOLE,
    "maxconn/extractorfunc": As.TEXT,
    **_all("healthcheck", ("path", "interval", "scheme", "hostname", "headers/*"), As.TEXT),
    "healthcheck/port": As.WHOLE,
    **_all("buffering", ("maxrequestbodybytes", "memrequestbodybytes"), As.WHOLE),
    **_all("buffering", ("maxresponsebodybytes", "memresponsebodybytes"), As.WHOLE),
    "buffering/retryexpression": As.TEXT,
}

_FRONTEND = {
    "backend": As.TEXT,
    "priority": As.WHOLE,
    "passhostheader": As.TRUTH,
    "passHostHeader": As.TRUTH,  # the one name with a capital
    "passtlscert": As.TRUTH,
    "entrypoints": As.LIST,
    "passtlsclientcert/pem": As.TRUTH,
    **_all("passtlsclientcert/infos", ("notafter", "notbefore", "sans"), As.TRUTH),
    **_all("passtlsclientcert/infos/subject", _SUBJECT, As.TRUTH),
    "basicauth": As.LIST,
    "auth/headerfield": As.TEXT,
    **{f"auth/{kind}/users": As.LIST for kind in ("basic", "digest")},
    **{f"auth/{kind}/usersfile": As.TEXT for kind in ("basic", "digest")},
    **{f"auth/{kind}/removeheader": As.TRUTH for kind in ("basic", "digest")},
    "auth/forward/address": As.TEXT,
    "auth/forward/trustforwardheader": As.TRUTH,
    "auth/forward/.authresponseheaders": As.LIST,  # the dot is Traefik's
    "auth/forward/tls/ca": As.TEXT,
    **_all("auth/forward/tls", ("cert", "key"), As.LINES),
    **_all("auth/forward/tls", ("caoptional", "insecureskipverify"), As.TRUTH),
    "whitelist/sourcerange": As.LIST,
    "whitelist/usexforwardedfor": As.TRUTH,
    **_all("redirect", ("entrypoint", "regex", "replacement"), As.TEXT),
    "redirect/permanent": As.TRUTH,
    "errors/*/status": As.LIST,
    **_all("errors/*", ("backend", "query"), As.TEXT),
    "ratelimit/extractorfunc": As.TEXT,
    "ratelimit/rateset/*/period": As.PERIOD,
    **_all("ratelimit/rateset/*", ("average", "burst"), As.WHOLE),
    **{f"headers/{name}/*": As.TEXT for name in ("customrequestheaders", "customresponseheaders", "sslproxyheaders")},
    **_all("headers", ("allowedhosts", "hostsproxyheaders"), As.LIST),
    "headers/stsseconds": As.WHOLE,
    **_all("headers", _HEADER_TRUTHS, As.TRUTH),
    **_all("headers", _HEADER_TEXTS, As.TEXT),
    "routes/*/rule": As.TEXT,
}

# By path, with a star for each name.
READ: Mapping[str, As] = {
    **{f"backends/*/{path}": how for path, how in _BACKEND.items()},
    **{f"frontends/*/{path}": how for path, how in _FRONTEND.items()},
    "tls/*/entrypoints": As.LIST,
    **_all("tls/*/certificate", ("certfile", "keyfile"), As.LINES),
}

# Below which directories a name follows; of a header's name Traefik makes a bare key.
HEADERS = frozenset(("customrequestheaders", "customresponseheaders", "sslproxyheaders", "headers"))
NAMED: Mapping[str, frozenset[str]] = {
    "backends": frozenset(("backends", "servers", "headers")),
    "frontends": frozenset(("frontends", "routes", "rateset", "errors", *(HEADERS - {"headers"}))),
    "tls": frozenset(("tls",)),
}

# What stands at the top of the tree beside routes is Traefik's static configuration, read when it starts. Those of
# which it was seen, with what they must be: a wrong one keeps it from starting.
STATIC: Mapping[str, As | None] = {
    "debug": As.TRUTH,
    "insecureskipverify": As.TRUTH,
    "retry/attempts": As.WHOLE,
    "providersthrottleduration": As.WHOLE,
    "constraints": As.NOTHING,  # a list: only keys below it can be read
    **dict.fromkeys(("loglevel", "defaultentrypoints", "entrypoints", "consul", "etcd", "file", "rest", "retry")),
}


def shape_of(path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """`path` below the prefix with a star for each name, and each name behind the directory that it stands in.

    The shape of an item of a list is that of the list.
    """
    parts = path.split("/")
    named = NAMED.get(parts[0], frozenset())
    names = []
    for at in range(1, len(parts)):
        if parts[at - 1] in named and not (at == len(parts) - 1 and not parts[at]):
            names.append((parts[at - 1], parts[at]))
            parts[at] = "*"
    shape = "/".join(parts)
    above = shape.rpartition("/")[0]
    return above if shape not in READ and READ.get(above) in (As.LIST, As.TAGS) else shape, tuple(names)
