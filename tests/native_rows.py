"""What Traefik 2's Rancher provider made of labels, row by row: each with the requests that tell, and who answers.

A row is one Rancher service, or several, with labels below `traefik.`. In them `{n}` is a name that is the row's alone,
`{h}` a host that is, `{p}` the port at which the web servers answer. Where this bridge departs from the old provider on
purpose, the row says how.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ANSWERS = "one"  # the web server of a row's first service; of its second: two


@dataclass(frozen=True)
class Row:
    """One thing that labels say."""

    what: str
    labels: Mapping[str, str]
    asks: Mapping[str, str | int]  # "[tls] [METHOD] host/path [Header=value]": the server that answers, or a status
    routers: tuple[str, ...] = ("{n}",)  # all that Traefik has of it, …
    disabled: tuple[str, ...] = ()  # … and those of them that it refuses, as Traefik 2 did
    problems: tuple[str, ...] = ()  # the labels of those that are told; sorted
    beside: Mapping[str, str] = field(default_factory=dict)  # a second service; empty: none
    containers: tuple[str, ...] = ("one",)  # of the first service: web servers, or states of containers at one
    ports: tuple[str, ...] = ()  # that they publish
    state: str = "active"  # of the first service
    enable: str = "true"  # its label; empty: none
    checks: tuple[str, ...] = ()  # a request's path, and the path that the container sees
    shows: Mapping[str, str] = field(default_factory=dict)  # a request: what must be found in its answer, an expression


def rule(text: str, asks: Mapping[str, str | int], what: str = "", **more: object) -> Row:
    """A router with this rule, and its service."""
    labels = {"http.routers.{n}.rule": text, "http.services.{n}.loadbalancer.server.port": "{p}"}
    return Row(what or text, labels, asks, **more)  # type: ignore[arg-type]


def through(kind: str, options: Mapping[str, str], asks: Mapping[str, str | int], **more: object) -> Row:
    """A router through one middleware of this kind."""
    said = {f"http.middlewares.{{n}}.{kind}{'.' if name else ''}{name}": text for name, text in options.items()}
    labels = WEB | {"http.routers.{n}.middlewares": "{n}@rancher"} | said
    found = {"what": f"{kind} {', '.join(options)}".strip(), **more}
    return Row(labels=labels, asks=asks, **found)  # type: ignore[arg-type]


PORT = {"http.services.{n}.loadbalancer.server.port": "{p}"}
WEB = {"http.routers.{n}.rule": "Host(`{h}`)", **PORT}
HERE: Mapping[str, str | int] = {"{h}/": ANSWERS}
NOWHERE: Mapping[str, str | int] = {"{h}/": 404}
USERS = "joe:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"  # the password is test
LOGIN = "Authorization=Basic#am9lOnRlc3Q="  # `#` is a blank

GATES = [
    *(Row(f"enable={text}", WEB, HERE, enable=text) for text in ("1", "t", "T", "TRUE", "True", "true")),
    *(
        Row(f"enable={text}", WEB, NOWHERE, routers=(), enable=text)
        for text in ("0", "f", "F", "FALSE", "False", "false")
    ),
    Row("enable=yes skips the service", WEB, NOWHERE, routers=(), enable="yes", problems=("enable",)),
    Row("enable with a blank skips the service", WEB, NOWHERE, routers=(), enable=" true", problems=("enable",)),
    Row("without enable what is exposed by default", WEB, NOWHERE, routers=(), enable=""),
    Row(
        "a look-alike of enable skips the service",
        WEB | {"enabled": "true"},
        NOWHERE,
        routers=(),
        enable="",
        problems=("enabled",),
    ),
    Row("a container without a check is healthy", WEB, HERE, containers=("",)),
    Row("an unhealthy container gets nothing", WEB, {"{h}/": 503}, containers=("unhealthy",)),
    Row("a container that starts gets nothing", WEB, {"{h}/": 503}, containers=("initializing",)),
    Row("a stopped container gets nothing", WEB, {"{h}/": 503}, containers=("stopped",)),
    Row("a container in an update is one", WEB, HERE, containers=("updating",)),
    # The old provider took the whole service away in the states from here on.
    *(
        Row(f"a service that is {state} stays", WEB, HERE, state=state)
        for state in ("restarting", "rolling-back", "upgraded")
    ),
    Row("no container: 503", WEB, {"{h}/": 503}, containers=()),
]

PORTS = [
    Row("the port of the label", WEB, HERE, ports=("0.0.0.0:9999:1/tcp",)),
    Row(
        "the published port, as it is inside",
        {"http.routers.{n}.rule": "Host(`{h}`)"},
        HERE,
        routers=("{n}",),
        ports=("9999:{p}/tcp",),
    ),
    # Here the old provider took 8081, the public one.
    Row("the same behind an address", {"http.routers.{n}.rule": "Host(`{h}`)"}, HERE, ports=("0.0.0.0:8081:{p}/tcp",)),
    # Here it spoke http to a port of UDP.
    Row(
        "a port of UDP is none",
        {"http.routers.{n}.rule": "Host(`{h}`)"},
        NOWHERE,
        routers=(),
        ports=("53:53/udp",),
        problems=("http.routers.{n}.rule", "http.services.{n}_shop.loadbalancer.server.port"),
    ),
    # Here it skipped the whole service.
    Row(
        "without a port a router to somewhere else stays",
        {"http.routers.{n}.rule": "Host(`{h}`) && PathPrefix(`/api`)", "http.routers.{n}.service": "api@internal"},
        {"{h}/api/overview": 200, "{h}/": 404},
    ),
    Row(
        "an odd port",
        {**WEB, "http.services.{n}.loadbalancer.server.port": "many"},
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}.rule", "http.services.{n}.loadbalancer.server.port"),
    ),
    Row("the scheme", WEB | {"http.services.{n}.loadbalancer.server.scheme": "http"}, HERE),
    Row(
        "an odd scheme",
        WEB | {"http.services.{n}.loadbalancer.server.scheme": "gopher"},
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}.rule", "http.services.{n}.loadbalancer.server.scheme"),
    ),
    Row(
        "an url is ignored",
        WEB | {"http.services.{n}.loadbalancer.server.url": "http://x"},
        HERE,
        problems=("http.services.{n}.loadbalancer.server.url",),
    ),
    Row("the same address twice is one server", WEB, HERE, containers=("one", "running")),
]

LINKS = [
    Row(
        "the automatic router and service",
        {"http.middlewares.{n}.compress": "true"},
        {"{n}-shop/": ANSWERS},
        routers=("{n}_shop",),
        ports=("1:{p}/tcp",),
    ),
    Row("no routers label: one for the one service", PORT, {"{n}-shop/": ANSWERS}, routers=("{n}_shop",)),
    Row(
        "no services label: one for the routers",
        {"http.routers.{n}.rule": "Host(`{h}`)", "http.routers.{n}b.rule": "Host(`b.{h}`)"},
        {"{h}/": ANSWERS, "b.{h}/": ANSWERS},
        routers=("{n}", "{n}b"),
        ports=("1:{p}/tcp",),
    ),
    Row(
        "a router without a rule gets the default one",
        {"http.routers.{n}.entrypoints": "web", **PORT},
        {"{n}-shop/": ANSWERS},
    ),
    Row(
        "several services and no router: none",
        PORT | {"http.services.{n}b.loadbalancer.server.port": "{p}"},
        {"{n}-shop/": 404},
        routers=(),
    ),
    Row(
        "several services: a router must name one",
        WEB
        | {
            "http.services.{n}b.loadbalancer.server.port": "{p}",
            "http.routers.{n}b.rule": "Host(`b.{h}`)",
            "http.routers.{n}b.service": "{n}b",
        },
        {"{h}/": 404, "b.{h}/": ANSWERS},
        routers=("{n}b",),
        problems=("http.routers.{n}.rule",),
    ),
    Row("a service by its name with @rancher", WEB | {"http.routers.{n}.service": "{n}@rancher"}, HERE),
    Row(
        "a service of another Rancher service",
        {"http.routers.{n}.rule": "Host(`{h}`)", "http.routers.{n}.service": "{n}two@rancher", **PORT},
        {"{h}/": "two"},
        beside={"http.services.{n}two.loadbalancer.server.port": "{p}"},
        routers=("{n}", "{n}x_shop"),
    ),
    Row(
        "a middleware of another Rancher service",
        WEB | {"http.routers.{n}.middlewares": "{n}m@rancher"},
        {"{h}/": 401, f"{{h}}/ {LOGIN}": ANSWERS},
        beside={"http.middlewares.{n}m.basicauth.users": USERS, "http.services.{n}two.loadbalancer.server.port": "{p}"},
        routers=("{n}", "{n}x_shop"),
    ),
    # Traefik 2 disabled the router of itself.
    Row(
        "a middleware of nobody",
        WEB | {"http.routers.{n}.middlewares": "{n}m@rancher"},
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}.middlewares",),
    ),
    Row(
        "a service of nobody",
        WEB | {"http.routers.{n}.service": "{n}nobody"},
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}.service",),
    ),
    Row(
        "a service of a provider that is not there",
        WEB | {"http.routers.{n}.service": "x@file"},
        NOWHERE,
        disabled=("{n}",),
    ),
    Row(
        "a reference without a name",
        WEB | {"http.routers.{n}.service": "@"},
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}.service",),
    ),
    Row(
        "the only service has a name that is refused",
        {"http.routers.{n}.rule": "Host(`{h}`)", "http.services.a@b.loadbalancer.server.port": "{p}"},
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}.rule", "http.services.a@b.loadbalancer.server.port"),
    ),
    Row(
        "names match without case",
        {
            "http.routers.{n}A.rule": "Host(`{h}`)",
            "http.routers.{n}a.Service": "{n}S",
            "http.services.{n}s.LoadBalancer.Server.Port": "{p}",
        },
        HERE,
        routers=("{n}a",),
    ),
    Row(
        "names that Traefik takes otherwise are refused",
        {"http.routers.{n}@x.rule": "Host(`{h}`)", **PORT},
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}@x.rule",),
    ),
    Row(
        "names of digits alone are refused",
        {"http.routers.7.rule": "Host(`{h}`)", **PORT},
        NOWHERE,
        routers=(),
        problems=("http.routers.7.rule",),
    ),
    Row(
        "the entry points of the label",
        WEB | {"http.routers.{n}.entrypoints": "websecure", "http.routers.{n}.tls": "true"},
        {"tls {h}/": ANSWERS, "{h}/": 404},
    ),
]

# One bad label cost the whole service; here it costs what it speaks of: the second router, {n}b, goes on.
TWO = WEB | {"http.routers.{n}b.rule": "Host(`b.{h}`)", "http.routers.{n}.middlewares": "{n}"}
OTHER: Mapping[str, str | int] = {"{h}/": 404, "b.{h}/": ANSWERS}


def odd(label: str, text: str, told: str = "") -> Row:
    """A middleware with an odd label: its router is not there without it."""
    said = f"http.middlewares.{{n}}.{label}"
    problems = tuple(sorted({told or said, "http.routers.{n}.middlewares"}))
    return Row(f"{label}={text}", TWO | {said: text}, OTHER, routers=("{n}b",), problems=problems)


ODD = [
    odd("ratelimit.avrage", "1"),
    odd("ratelimit.average", "many"),
    odd("ratelimit.period", "10 s"),
    odd("headers.framedeny", "yes"),
    odd("nothing.at", "all"),
    odd("basicauth.users", ""),
    odd("compress", "yes"),
    odd("headers.sslredirect", "true"),
    odd("headers.sslforcehost", "true"),
    odd("plugin.geo", "x"),
    odd("ratelimit..average", "1"),
    odd("headers.customrequestheaders.7", "x"),
    Row(
        "compress=false is no middleware",
        TWO | {"http.middlewares.{n}.compress": "false"},
        OTHER,
        routers=("{n}b",),
        problems=("http.routers.{n}.middlewares",),
    ),
    Row(
        "two kinds in one middleware",
        TWO | {"http.middlewares.{n}.compress": "true", "http.middlewares.{n}.addprefix.prefix": "/x"},
        OTHER,
        routers=("{n}b",),
        problems=("http.middlewares.{n}.compress", "http.routers.{n}.middlewares"),
    ),
    Row(
        "an unknown field of a router",
        WEB | {"http.routers.{n}.rul": "x", "http.routers.{n}b.rule": "Host(`b.{h}`)"},
        OTHER,
        routers=("{n}b",),
        problems=("http.routers.{n}.rul",),
    ),
    Row(
        "an odd priority",
        WEB | {"http.routers.{n}.priority": "high", "http.routers.{n}b.rule": "Host(`b.{h}`)"},
        OTHER,
        routers=("{n}b",),
        problems=("http.routers.{n}.priority",),
    ),
    Row(
        "a slip in the protocol, that may have guarded",
        WEB | {"httpx.routers.{n}.middlewares": "x"},
        NOWHERE,
        routers=(),
        problems=("httpx.routers.{n}.middlewares",),
    ),
    Row(
        "a slip in a kind",
        WEB | {"http.router.{n}b.rule": "Host(`b.{h}`)"},
        {"{h}/": ANSWERS, "b.{h}/": 404},
        problems=("http.router.{n}b.rule",),
    ),
    Row(
        "a root in other letters",
        {"TRAEFIK.http.routers.{n}.rule": "Host(`{h}`)", **PORT},
        NOWHERE,
        routers=(),
        problems=("TRAEFIK.http.routers.{n}.rule",),
    ),
    Row(
        "servers by number",
        WEB | {"http.services.{n}.loadbalancer.servers[0].url": "http://x"},
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}.rule", "http.services.{n}.loadbalancer.servers[0].url"),
    ),
    Row(
        "a weighted service",
        WEB | {"http.services.{n}b.weighted.services[0].name": "{n}", "http.routers.{n}.service": "{n}"},
        HERE,
        problems=("http.services.{n}b.weighted.services[0].name",),
    ),
]

MERGES = [
    Row("equal labels are one, with the servers of both", WEB, {"{h}/": "one two"}, beside=WEB),
    Row(
        "services may differ in their port alone",
        WEB,
        {"{h}/": "one two"},
        beside=WEB | {"http.services.{n}.loadbalancer.server.scheme": "http"},
    ),
    # Traefik 2 dropped it for both.
    Row(
        "of unequal routers the first stays",
        WEB,
        {"{h}/": ANSWERS, "b.{h}/": 404},
        beside={**WEB, "http.routers.{n}.rule": "Host(`b.{h}`)"},
        problems=("http.routers.{n}.rule", "http.routers.{n}.rule", "http.services.{n}.loadbalancer.server.port"),
    ),
]

RULES = [
    rule("Host(`{h}`)", {"{h}/": ANSWERS, "x.{h}/": 404}),
    rule("Host(`a.{h}`, `b.{h}`)", {"a.{h}/": ANSWERS, "b.{h}/": ANSWERS, "c.{h}/": 404}),
    rule(
        "Host(`{h}`,`b.{h}`) && Path(`/x`, `/y`)", {"{h}/x": ANSWERS, "b.{h}/y": ANSWERS, "{h}/z": 404, "c.{h}/x": 404}
    ),
    rule("!Host(`{h}`, `b.{h}`) && Host(`{h}`, `c.{h}`)", {"{h}/": 404, "c.{h}/": ANSWERS}),
    rule("Host(`{h}`) && Method(`POST`, `PUT`)", {"{h}/": 404, "POST {h}/": ANSWERS, "PUT {h}/": ANSWERS}),
    rule("Host(`{h}`) && ClientIP(`10.0.0.0/8`, `127.0.0.1`)", HERE),
    rule("Host(`{h}`) && ClientIP(`10.0.0.0/8`, `::1`)", NOWHERE),
    rule(
        "Host(`{h}`) && PathPrefix(`/a`, `/b/c`)",
        {"{h}/a/x": ANSWERS, "{h}/ab": ANSWERS, "{h}/b/c": ANSWERS, "{h}/b": 404},
    ),
    rule("HostHeader(`{h}`)", HERE),
    rule(
        "Host(`{h}`) && Headers(`X-Kind`, `odd`)", {"{h}/": 404, "{h}/ X-Kind=odd": ANSWERS, "{h}/ X-Kind=odder": 404}
    ),
    rule("Host(`{h}`) && HeadersRegexp(`X-Kind`, `^od+$`)", {"{h}/ X-Kind=oddd": ANSWERS, "{h}/ X-Kind=even": 404}),
    rule(
        "HostRegexp(`{{s:[a-z]+}}.{h}`)",
        {"a.{h}/": ANSWERS, "7.{h}/": 404, "a.b.{h}/": 404, "a.{h}.org/": 404, "{h}/": 404},
    ),
    rule("HostRegexp(`{{s}}.{h}`)", {"a7.{h}/": ANSWERS, "a.b.{h}/": 404}),
    rule("HostRegexp(`{h}`, `{{s:a|b}}.{h}`)", {"{h}/": ANSWERS, "a.{h}/": ANSWERS, "c.{h}/": 404}),
    rule("HostRegexp(`{h}`)", {"{h}/": ANSWERS, "x{h}/": 404, "{h}x/": 404}),
    rule("Host(`{h}`) && Path(`/p/{{id}}`)", {"{h}/p/1": ANSWERS, "{h}/p/1/2": 404, "{h}/p/": 404}),
    rule("Host(`{h}`) && Path(`/p/{{id:[0-9]+}}/x`)", {"{h}/p/12/x": ANSWERS, "{h}/p/a/x": 404, "{h}/p/1/xy": 404}),
    rule("Host(`{h}`) && PathPrefix(`/p/{{id:[0-9]+}}`)", {"{h}/p/12/x": ANSWERS, "{h}/p/x": 404}),
    rule("Host(`{h}`) && Query(`a=b`)", {"{h}/?a=b": ANSWERS, "{h}/?a=c": 404, "{h}/?c=d&a=b": ANSWERS}),
    rule("Host(`{h}`) && Query(`a=b`, `c=d`)", {"{h}/?a=b": 404, "{h}/?a=b&c=d": ANSWERS}),
    rule("Host(`{h}`) && Query(`a=`)", {"{h}/?a=7": ANSWERS, "{h}/?b=7": 404}),
    rule("Host(`{h}`) && Query(`a={{n:[0-9]+}}`)", {"{h}/?a=7": ANSWERS, "{h}/?a=x": 404}),
    rule("host(`{h}`) && PATH(`/x`)", {"{h}/x": ANSWERS, "{h}/y": 404}),
    rule('Host("{h}")', HERE),
    rule("(Host(`{h}`) || Host(`b.{h}`)) && !Path(`/x`)", {"{h}/": ANSWERS, "b.{h}/x": 404}),
    rule("Host(`{h}`) || Host(`b.{h}`) && Path(`/x`)", {"{h}/": ANSWERS, "b.{h}/": 404, "b.{h}/x": ANSWERS}),
    rule("Host(`A.{h}`)", {"a.{h}/": ANSWERS}),
    # Traefik 3's own words are taken as they are.
    rule(r"HostRegexp(`^[ab]\.{h}$`)", {"a.{h}/": ANSWERS, "c.{h}/": 404}),
    rule("Host(`{h}`) && PathRegexp(`^/p/[0-9]+$`)", {"{h}/p/1": ANSWERS, "{h}/p/x": 404}),
    rule("Host(`{h}`) && Header(`X-Kind`, `odd`)", {"{h}/ X-Kind=odd": ANSWERS, "{h}/": 404}),
    rule("Host(`{h}`) && QueryRegexp(`a`, `^b+$`)", {"{h}/?a=bb": ANSWERS, "{h}/?a=c": 404}),
    Row(
        "ruleSyntax=v2",
        WEB | {"http.routers.{n}.rule": "Host(`{h}`, `b.{h}`)", "http.routers.{n}.rulesyntax": "v2"},
        {"b.{h}/": ANSWERS},
    ),
]

_BAD_RULES = (
    *("Host({h})", "Host('{h}')", "Host()", "Host(`ä.{h}`)", "Host(`http://{h}`)", "Host(`{h}:8080`)"),
    *("Host(`{h}", "Host:{h}", "Hst(`{h}`)", "Host(`{h}`) && PathPrefixStrip(`/x`)", "Host(`{h}`) Path(`/x`)"),
    *("Host(`{h}`) &&", "Host(`{h}`) && Path(`x`)", "Host(`{h}`) && ClientIP(`nowhere`)"),
)
RULES += [rule(text, NOWHERE, routers=(), problems=("http.routers.{n}.rule",)) for text in _BAD_RULES]


def ranked(one: str, other: str, path: str, answers: str, priority: str = "", others: str = "") -> Row:
    """Two routers that both take a request, the second to web server two."""
    labels = {"http.routers.{n}.rule": one, "http.routers.{n}.priority": priority, **PORT}
    beside = {"http.routers.{n}b.rule": other, "http.services.{n}b.loadbalancer.server.port": "{p}"}
    beside |= {"http.routers.{n}b.priority": others}
    labels, beside = ({label: text for label, text in its.items() if text} for its in (labels, beside))
    what = f"{one} {priority} beside {other} {others}"
    return Row(what, labels, {path: answers}, beside=beside, routers=("{n}", "{n}b"))


ORDER = [
    ranked("Host(`{h}`)", "Host(`{h}`) && PathPrefix(`/a`)", "{h}/a", "two"),
    # The length of the rule that was written for Traefik 3 would be another.
    ranked("Host(`{h}`,`x.{h}`)", "Host(`{h}`) && Method(`GET`)", "{h}/", "two"),
    ranked("Host(`{h}`)", "HostRegexp(`{{s:.+}}`) && HostRegexp(`{{s:.+}}`) && Host(`{h}`)", "{h}/", "two"),
    ranked("Host(`{h}`)", "Host(`{h}`) && PathPrefix(`/a`)", "{h}/a", "one", priority="99"),
    ranked("Host(`{h}`)", "Host(`{h}`) && PathPrefix(`/a`)", "{h}/a", "one", others="-1"),
    ranked("Host(`{h}`)", "Host(`{h}`) && PathPrefix(`/a`)", "{h}/a", "two", priority="0"),
]

MIDDLEWARES = [
    through("basicauth", {"users": USERS}, {"{h}/": 401, f"{{h}}/ {LOGIN}": ANSWERS}),
    through("digestauth", {"users": "test:traefik:a2688e031edb4be6a3797f3882655c05"}, {"{h}/": 401}),
    through("ipwhitelist", {"sourcerange": "127.0.0.0/8, ::1"}, HERE),
    through("ipwhitelist", {"sourcerange": "10.0.0.0/8"}, {"{h}/": 403}, what="ipwhitelist of others"),
    through("ipallowlist", {"sourcerange": "10.0.0.0/8"}, {"{h}/": 403}),
    through("addprefix", {"prefix": "/added"}, HERE, checks=("/x /added/x",)),
    through("stripprefix", {"prefixes": "/a, /b,"}, HERE, checks=("/a/x /x", "/b/x /x", "/c/x /c/x")),
    through("stripprefix", {"prefixes[0]": "/a", "prefixes[1]": "/b"}, HERE, checks=("/a/x /x", "/b/x /x")),
    through("stripprefix", {"prefixes": "/a", "forceslash": "false"}, HERE, checks=("/a/x /x", "/ab /b")),
    through("stripprefixregex", {"regex": "/[a-z]"}, HERE, checks=("/a/x /x",)),
    through("replacepath", {"path": "/fixed"}, HERE, checks=("/x /fixed",)),
    through("replacepathregex", {"regex": "^/old/(.*)", "replacement": "/new/$1"}, HERE, checks=("/old/x /new/x",)),
    through("redirectscheme", {"scheme": "https"}, {"{h}/": 302}, shows={"{h}/x": "location: https://{h}/x"}),
    through("redirectscheme", {"scheme": "https", "permanent": "true"}, {"{h}/": 301}),
    through(
        "redirectregex",
        {"regex": "^http://(.*)/a$", "replacement": "http://$1/b"},
        {"{h}/a": 302, "{h}/b": ANSWERS},
        shows={"{h}/a": "location: http://{h}/b"},
    ),
    through(
        "headers",
        {"customrequestheaders.X-Told": "yes", "framedeny": "T"},
        HERE,
        shows={"{h}/": '(?s)x-frame-options: DENY.*"x-told": "yes"'},
    ),
    through(
        "headers",
        {"featurepolicy": "none", "framedeny": "true"},
        HERE,
        problems=("http.middlewares.{n}.headers.featurepolicy",),
    ),
    through("headers", {"sslhost": "x", "framedeny": "true"}, HERE, problems=("http.middlewares.{n}.headers.sslhost",)),
    through("headers", {"sslredirect": "false", "framedeny": "true"}, HERE, what="sslredirect=false is nothing"),
    through("ratelimit", {"average": "1", "period": "3600", "burst": "1"}, HERE, what="a bare number of seconds"),
    through("ratelimit", {"average": "20", "period": "1m", "sourcecriterion.ipstrategy.depth": "2"}, HERE),
    through("inflightreq", {"amount": "+07", "sourcecriterion.requesthost": "true"}, HERE),
    through("buffering", {"maxrequestbodybytes": "10"}, HERE),
    through("circuitbreaker", {"expression": "NetworkErrorRatio() > 0.5"}, HERE),
    through("retry", {"attempts": "2", "initialinterval": "100"}, HERE),
    through("compress", {"": "true"}, HERE),
    through("compress", {"": ""}, HERE, what="compress without a value"),
    through("compress", {"": "true", "minresponsebodybytes": "7"}, HERE, what="compress with options beside it"),
    through("contenttype", {"autodetect": "true"}, HERE),
    through("passtlsclientcert", {"pem": "true"}, HERE),
    through("errors", {"status": "500-599", "service": "{n}@rancher", "query": "/x"}, HERE),
    through(
        "forwardauth",
        {"address": "http://127.0.1.1:{p}/ask", "tls.caoptional": "true"},
        {"{h}/": 401, "{h}/ X-Pass=1": ANSWERS},
    ),
    Row(
        "a chain",
        WEB
        | {
            "http.routers.{n}.middlewares": "{n}",
            "http.middlewares.{n}.chain.middlewares": "{n}a@rancher, {n}b",
            "http.middlewares.{n}a.addprefix.prefix": "/a",
            "http.middlewares.{n}b.addprefix.prefix": "/b",
        },
        HERE,
        checks=("/x /b/a/x",),
    ),
]

SERVICES = [
    Row(
        "passHostHeader=false",
        WEB | {"http.services.{n}.loadbalancer.passhostheader": "false"},
        HERE,
        shows={"{h}/": '"host": "127.0.1.1:'},
    ),
    Row(
        "sticky=true with a cookie's name",
        WEB
        | {"http.services.{n}.loadbalancer.sticky": "true", "http.services.{n}.loadbalancer.sticky.cookie.name": "c"},
        HERE,
        shows={"{h}/": "set-cookie: c="},
    ),
    Row(
        "sticky.cookie=true",
        WEB | {"http.services.{n}.loadbalancer.sticky.cookie": "true"},
        HERE,
        shows={"{h}/": "set-cookie: _[0-9a-f]{{5}}="},
    ),
    Row(
        "a check's interval without a unit",
        WEB
        | {
            "http.services.{n}.loadbalancer.healthcheck.path": "/",
            "http.services.{n}.loadbalancer.healthcheck.interval": "10",
        },
        HERE,
    ),
    Row(
        "a check's interval that is none",
        WEB
        | {
            "http.services.{n}.loadbalancer.healthcheck.path": "/",
            "http.services.{n}.loadbalancer.healthcheck.interval": "often",
        },
        NOWHERE,
        routers=(),
        problems=("http.routers.{n}.rule", "http.services.{n}.loadbalancer.healthcheck.interval"),
    ),
    Row("responseForwarding", WEB | {"http.services.{n}.loadbalancer.responseforwarding.flushinterval": "10"}, HERE),
]

TLS = [
    Row("tls=true", WEB | {"http.routers.{n}.tls": "true"}, {"tls {h}/": ANSWERS}),
    Row("tls without a value", WEB | {"http.routers.{n}.tls": ""}, {"tls {h}/": ANSWERS}),
    Row(
        "tls=true with options beside it",
        WEB
        | {
            "http.routers.{n}.tls": "true",
            "http.routers.{n}.tls.domains[0].main": "{h}",
            "http.routers.{n}.tls.domains[0].sans": "a.{h}, b.{h}",
        },
        {"tls {h}/": ANSWERS},
    ),
    Row(
        "tls=false with options beside it",
        WEB | {"http.routers.{n}.tls": "false", "http.routers.{n}.tls.domains[0].main": "{h}"},
        {"{h}/": ANSWERS, "tls {h}/": 404},
    ),
    Row(
        "tls=maybe",
        TWO | {"http.middlewares.{n}.compress": "true", "http.routers.{n}.tls": "maybe"},
        OTHER,
        routers=("{n}b",),
        problems=("http.routers.{n}.tls",),
    ),
]

ROWS = [*GATES, *PORTS, *LINKS, *ODD, *MERGES, *RULES, *ORDER, *MIDDLEWARES, *SERVICES, *TLS]
