"""Which values of Traefik 3's tree no report shows, since they may let somebody in."""

from __future__ import annotations

import re

from bridge.labels.types import holds_login
from bridge.layouts.traefik3_fields import field_of, fold
from bridge.layouts.traefik3_names import keeps

_NEWEST = (3, 1000)  # whatever any version knows

# By path, folded. What a header says may be a token, and only its owner knows.
_SECRET = re.compile(
    r"http/middlewares/[^/]+/("
    r"(basicauth|digestauth)/users"
    r"|forwardauth/tls/(ca|cert|key)"
    r"|headers/(customrequestheaders|customresponseheaders|sslproxyheaders)/.+"
    r"|plugin/.+"
    r"|ratelimit/redis/.+"
    r")"
    r"|http/services/[^/]+/loadbalancer/healthcheck/headers/.+"
    r"|(http|tcp)/serverstransports/.+/(certfile|keyfile|rootcas)"
    r"|tls/(certificates|stores)/.+/(certfile|keyfile)",
    re.S,
)


def is_secret(path: str, value: str) -> bool:
    """Whether reports hide the value of the key at `path` below the prefix.

    A key that is not known may be a slip for one of these.
    """
    known = field_of(path, _NEWEST)
    if known is None and keeps(path, value):
        return False
    return known is None or _SECRET.fullmatch(fold(_listed(path))) is not None or holds_login(value)


def _listed(path: str) -> str:
    """`path` without the number of a list's item: it is as secret as the list."""
    return re.sub(r"/[0-9]+\Z", "", path)
