"""The page of labels: docs/labels.md, made from the table and from what the layout makes of examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from bridge.cli.label_facts import NAME, Fact, laid_out

_HEAD = """\
# Labels

<!-- Made by `make docs` from the code. Do not edit. -->

What may stand on a service, and what becomes of it. `bridge labels` prints the same, `bridge schema compose` is a JSON\
 Schema for editors, and `bridge check` says what is wrong with yours.

Two vocabularies are read: rancher-traefik's short labels, and Traefik 1.7's own. A service may use both.

- A service with any label that only Traefik 1 knows gets Traefik's defaults: the port must be said, the weight is 1, \
the method `wrr`, there is no circuit breaker, and no health check is needed. All others get rancher-traefik's, and \
their containers get requests only when a `health_check` in `rancher-compose.yml` says that they are healthy.
- Where both say the same, Traefik's label wins, with a notice. The labels that it wins over stand in its row.
- `traefik.<segment>.port`, `.weight`, `.protocol` and `.frontend.…` make a frontend and a backend for each segment; \
a label without a segment is every segment's default. Labels with **seg** in the last column have that form.
- A label with **prot** protects: when it cannot be kept as it is asked for, the service gets no route. The values of \
those with **hid** stand in no report.
- An empty text counts as no label; of a label with **prot** it costs the route. Names are compared with their case. A \
name in another case, with a blank around it or another sign for a dot is a slip: it is told, and costs the route \
where it may be meant to protect.
- In a compose file a `$` is written `$$`, as in the hashes of passwords: a single one begins a variable. The column of\
 examples has the labels as services bear them; what stands below the tables is a compose file.

In the tables `…` is `{name}`, the name of the frontend and of the backend of service `web` in stack `shop`, which \
has one container. *Keys* are those that the example adds to such a service, or changes, with the labels that must \
stand beside it; all are below Traefik's prefix.
"""

# What one would write for the whole of a group, and for what.
_WORKED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "The service": (
        "A service on port 8080, with rancher-traefik's defaults:",
        {"traefik.enable": "true", "traefik.domain": "example.org", "traefik.port": "8080", "traefik.weight": "3"},
    ),
    "rancher-traefik": (
        "Two names, a path that the container does not see, and a limit:",
        {
            "traefik.enable": "true",
            "traefik.domain": "example.org",
            "traefik.alias": "www",
            "traefik.path.prefix.strip": "/api",
            "traefik.ratelimit.enable": "true",
        },
    ),
    "Which requests": (
        "Two segments, each with a port and a rule:",
        {
            "traefik.enable": "true",
            "traefik.public.port": "8080",
            "traefik.public.frontend.rule": "Host:shop.example.org",
            "traefik.admin.port": "8081",
            "traefik.admin.frontend.rule": "Host:shop.example.org;PathPrefixStrip:/admin",
            "traefik.admin.frontend.entryPoints": "https",
        },
    ),
    "Who may pass": (
        "A password, and only from two networks:",
        {
            "traefik.enable": "true",
            "traefik.port": "80",
            "traefik.frontend.rule": "Host:shop.example.org",
            "traefik.frontend.auth.basic.users": "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
            "traefik.frontend.whiteList.sourceRange": "10.0.0.0/8,192.168.1.7",
        },
    ),
    "Redirects": (
        "From http to https:",
        {
            "traefik.enable": "true",
            "traefik.port": "80",
            "traefik.frontend.entryPoints": "http,https",
            "traefik.frontend.redirect.entryPoint": "https",
        },
    ),
    "Headers": (
        "A header for the container, one taken from the answer, and https for browsers:",
        {
            "traefik.enable": "true",
            "traefik.port": "80",
            "traefik.frontend.headers.customRequestHeaders": "X-Shop:one",
            "traefik.frontend.headers.customResponseHeaders": "Server:",
            "traefik.frontend.headers.SSLRedirect": "true",
            "traefik.frontend.headers.STSSeconds": "315360000",
        },
    ),
    "Client certificates": (
        "The container learns whose certificate it is:",
        {
            "traefik.enable": "true",
            "traefik.port": "80",
            "traefik.frontend.passTLSClientCert.infos.subject.commonName": "true",
            "traefik.frontend.passTLSClientCert.infos.notAfter": "true",
        },
    ),
    "Error pages": (
        "Pages of the service errors in the stack web:",
        {
            "traefik.enable": "true",
            "traefik.port": "80",
            "traefik.frontend.errors.down.status": "500-599",
            "traefik.frontend.errors.down.backend": "web/errors",
            "traefik.frontend.errors.down.query": "/{status}.html",
        },
    ),
    "Rate limits": (
        "A hundred requests in ten seconds for each client:",
        {
            "traefik.enable": "true",
            "traefik.port": "80",
            "traefik.frontend.rateLimit.extractorFunc": "client.ip",
            "traefik.frontend.rateLimit.rateSet.all.period": "10s",
            "traefik.frontend.rateLimit.rateSet.all.average": "100",
            "traefik.frontend.rateLimit.rateSet.all.burst": "200",
        },
    ),
    "Servers": (
        "Clients stay with their server, and Traefik asks each for its health:",
        {
            "traefik.enable": "true",
            "traefik.port": "80",
            "traefik.backend.loadbalancer.stickiness": "true",
            "traefik.backend.healthcheck.path": "/health",
            "traefik.backend.healthcheck.interval": "10s",
            "traefik.backend.maxconn.amount": "10",
        },
    ),
    "Without a key": (
        "These are understood, and a problem or a notice says why nothing comes of them:",
        {"traefik.enable": "true", "traefik.port": "80", "traefik.backend": "shop"},
    ),
}


def page(found: Sequence[Fact]) -> Iterator[str]:
    """The lines of the page."""
    yield from _HEAD.replace("{name}", NAME).splitlines()
    for title, group in groupby(found, lambda fact: fact.group):
        yield from ("", f"## {title}", "")
        yield "| label | meaning | type | default | example | keys | whose, since | |"
        yield "|---|---|---|---|---|---|---|---|"
        yield from map(_row, group)
        yield from _worked(title)


def _row(fact: Fact) -> str:
    row = fact.row
    means = _text(row.means)
    if row.unwritten:
        means += f" **No key**: {_text(row.unwritten)}."
    if row.beats:
        means += f" Wins over {', '.join(map(_code, row.beats))}."
    if row.beside:
        means += f" Beside {', '.join(map(_code, row.beside))}."
    default = _code(fact.default)
    if fact.native_default:
        default += f"{'; ' if default else ''}with Traefik 1's labels {_word(fact.native_default)}"
    keys = "<br>".join(_code(f"{path.replace(NAME, '…', 1)} = {value}".rstrip()) for path, value in fact.keys.items())
    marks = (("seg", row.segmented), ("prot", row.protects), ("hid", row.secret))
    since = f"{row.vocabulary.value}{f', {row.since}' if row.since else ''}"
    cells = (
        _code(row.name),
        means,
        _text(fact.type),
        default,
        _code(row.example),
        keys,
        since,
        " ".join(word for word, stands in marks if stands),
    )
    return f"| {' | '.join(cells)} |"


def _word(default: str) -> str:
    return default if default == "none" else _code(default)


def _worked(title: str) -> Iterator[str]:
    what, labels = _WORKED[title]
    yield from ("", what, "", "```yaml", "labels:")
    yield from (f"  {name}: {_yaml(text)}" for name, text in labels.items())
    yield from ("```", "", "becomes", "", "```text")
    yield from (f"{path} = {value}".rstrip() for path, value in laid_out(labels).items())
    yield "```"


def _yaml(text: str) -> str:
    """As a compose file holds it: quoted, and a dollar sign doubled, since a single one begins a variable."""
    return "'" + text.replace("'", "''").replace("$", "$$") + "'"


def _code(text: str) -> str:
    """In a cell of a table: a bar ends the cell also inside of code."""
    return f"`{text}`".replace("|", r"\|") if text else ""


def _text(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;")
