"""All keys that are ever written to Traefik 1.7's tree, and what each may hold.

None is a directory of another: a key that is both keeps Traefik from starting, now and then.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.labels.expressions import breaker, retry
from bridge.layouts import traefik1_checks as may
from bridge.layouts.traefik1_rules import rule_fault

_RATE = 10**9  # Traefik's limiter counts whole nanoseconds from request to request, and divides by them

TRUE = may.text(may.one_of("true"))
_WORDS = may.text(may.words)
_SET_HEADER = may.text(may.set_header_value)
_ANY_HEADER = may.text(may.header_value)
_SIZE = may.text(may.whole(0, may.LONG))
_HEADER_WORDS = may.items(may.header_word)
_CERT_PARTS = ("country", "province", "locality", "organization", "commonname", "serialnumber", "domaincomponent")
_CERT_INFOS = ("notafter", "notbefore", "sans", *(f"subject/{part}" for part in _CERT_PARTS))

# By path, with a star for each name.
WRITTEN: Mapping[str, may.Check] = {
    "backends/*/buffering/maxrequestbodybytes": _SIZE,
    "backends/*/buffering/maxresponsebodybytes": _SIZE,
    "backends/*/buffering/memrequestbodybytes": _SIZE,
    "backends/*/buffering/memresponsebodybytes": _SIZE,
    "backends/*/buffering/retryexpression": may.text(may.canonical(retry)),
    "backends/*/circuitbreaker/expression": may.text(may.canonical(breaker)),
    "backends/*/healthcheck/headers/*": _SET_HEADER,
    "backends/*/healthcheck/hostname": may.text(may.host),
    "backends/*/healthcheck/interval": may.text(may.duration),
    "backends/*/healthcheck/path": may.text(may.path),
    "backends/*/healthcheck/port": may.text(may.whole(1, 65535)),
    "backends/*/healthcheck/scheme": may.text(may.one_of("http", "https")),
    "backends/*/loadbalancer/method": may.text(may.one_of("wrr", "drr")),
    "backends/*/loadbalancer/stickiness": TRUE,
    "backends/*/maxconn/amount": may.text(may.whole(1, may.INT)),
    "backends/*/maxconn/extractorfunc": may.text(may.extractor),
    "backends/*/servers/*/tags": may.tags,
    "backends/*/servers/*/url": may.text(may.server_url),
    "backends/*/servers/*/weight": may.text(may.whole(1, may.INT)),
    "frontends/*/auth/basic/removeheader": TRUE,
    "frontends/*/auth/basic/users": may.items(may.user(2)),
    "frontends/*/auth/basic/usersfile": _WORDS,
    "frontends/*/auth/digest/removeheader": TRUE,
    "frontends/*/auth/digest/users": may.items(may.user(3)),
    "frontends/*/auth/digest/usersfile": _WORDS,
    "frontends/*/auth/forward/.authresponseheaders": _HEADER_WORDS,
    "frontends/*/auth/forward/address": may.text(may.absolute_url),
    "frontends/*/auth/forward/tls/ca": may.text(may.pem),
    "frontends/*/auth/forward/tls/caoptional": TRUE,
    "frontends/*/auth/forward/tls/cert": may.lines,
    "frontends/*/auth/forward/tls/insecureskipverify": TRUE,
    "frontends/*/auth/forward/tls/key": may.lines,
    "frontends/*/auth/forward/trustforwardheader": TRUE,
    "frontends/*/auth/headerfield": may.text(may.header_field),
    "frontends/*/backend": may.text(may.name),
    "frontends/*/entrypoints": may.items(may.words),
    "frontends/*/errors/*/backend": may.text(may.name),
    "frontends/*/errors/*/query": may.text(may.path),
    "frontends/*/errors/*/status": may.items(may.status),
    "frontends/*/headers/allowedhosts": may.items(may.host),
    "frontends/*/headers/browserxssfilter": TRUE,
    "frontends/*/headers/contentsecuritypolicy": _SET_HEADER,
    "frontends/*/headers/contenttypenosniff": TRUE,
    "frontends/*/headers/custombrowserxssvalue": _SET_HEADER,
    "frontends/*/headers/customframeoptionsvalue": _SET_HEADER,
    "frontends/*/headers/customrequestheaders/*": _ANY_HEADER,
    "frontends/*/headers/customresponseheaders/*": _ANY_HEADER,
    "frontends/*/headers/forcestsheader": TRUE,
    "frontends/*/headers/framedeny": TRUE,
    "frontends/*/headers/hostsproxyheaders": _HEADER_WORDS,
    "frontends/*/headers/publickey": _SET_HEADER,
    "frontends/*/headers/referrerpolicy": _SET_HEADER,
    "frontends/*/headers/sslforcehost": TRUE,
    "frontends/*/headers/sslhost": may.text(may.host),
    "frontends/*/headers/sslproxyheaders/*": _SET_HEADER,
    "frontends/*/headers/sslredirect": TRUE,
    "frontends/*/headers/ssltemporaryredirect": TRUE,
    "frontends/*/headers/stsincludesubdomains": TRUE,
    "frontends/*/headers/stspreload": TRUE,
    "frontends/*/headers/stsseconds": may.text(may.whole(1, may.LONG)),
    "frontends/*/passhostheader": may.text(may.one_of("false")),
    **{f"frontends/*/passtlsclientcert/infos/{info}": TRUE for info in _CERT_INFOS},
    "frontends/*/passtlsclientcert/pem": TRUE,
    "frontends/*/passtlscert": TRUE,
    "frontends/*/priority": may.text(may.whole(2, may.INT)),  # above the backstop's
    "frontends/*/ratelimit/extractorfunc": may.text(may.extractor),
    "frontends/*/ratelimit/rateset/*/average": may.text(may.whole(1, _RATE)),
    "frontends/*/ratelimit/rateset/*/burst": may.text(may.whole(1, may.INT)),
    "frontends/*/ratelimit/rateset/*/period": may.text(may.duration),
    "frontends/*/redirect/entrypoint": _WORDS,
    "frontends/*/redirect/permanent": TRUE,
    "frontends/*/redirect/regex": may.text(may.expression),
    "frontends/*/redirect/replacement": _WORDS,
    "frontends/*/routes/*/rule": may.text(rule_fault),
    "frontends/*/whitelist/sourcerange": may.items(may.cidr),
    "frontends/*/whitelist/usexforwardedfor": TRUE,
}
