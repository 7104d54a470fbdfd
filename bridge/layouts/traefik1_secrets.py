"""Which values of Traefik 1.7's tree no report shows, since they may let somebody in."""

from __future__ import annotations

from bridge.labels.types import holds_login
from bridge.layouts.traefik1_reads import READ, STATIC, As, shape_of

# By path, with a star for each name. What a header says may be a token, and only its owner knows.
SECRETS = frozenset(
    (
        "backends/*/healthcheck/headers/*",
        "frontends/*/auth/basic/users",
        "frontends/*/auth/digest/users",
        "frontends/*/auth/forward/tls/ca",  # as of the labels, all three: each may be put where another belongs
        "frontends/*/auth/forward/tls/cert",
        "frontends/*/auth/forward/tls/key",
        "frontends/*/basicauth",
        "frontends/*/headers/customrequestheaders/*",
        "frontends/*/headers/customresponseheaders/*",
        "frontends/*/headers/sslproxyheaders/*",
        "tls/*/certificate/certfile",
        "tls/*/certificate/keyfile",
    )
)


def is_secret(path: str, value: str) -> bool:
    """Whether reports hide the value of the key at `path` below the prefix.

    A key that is not known may be a slip for one of these, and other parts of Traefik's own configuration hold
    passwords and tokens too.
    """
    shape, _ = shape_of(path)
    if shape in READ:
        return shape in SECRETS or holds_login(value)
    return STATIC.get(path) not in (As.TRUTH, As.WHOLE)
