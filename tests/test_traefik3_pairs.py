"""What the bridge writes for Traefik 3 says what recorded trees say that answer as Traefik 1 does.

Of each pair the tree of Traefik 1 is read back into routes, and what is written of them is held against the tree of
Traefik 3, object by object, whatever the objects are called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from bridge.labels.expressions import breaker, retry
from bridge.labels.rules import parse_rule
from bridge.labels.types import period
from bridge.layouts import Target, layout
from bridge.model.route import (
    Auth,
    Backend,
    Buffering,
    DigestAuth,
    ErrorPage,
    ForwardAuth,
    Frontend,
    Headers,
    MaxConn,
    RateLimit,
    RateSet,
    Redirect,
    Route,
    Server,
)

GOLDEN = Path(__file__).parent / "golden" / "traefik3"
TREES = {
    path.stem: recorded
    for path in sorted(GOLDEN.glob("[0-9]*.json"))
    if "traefik1" in (recorded := json.loads(path.read_text()))
}
# What is not the same, and why.
OTHERWISE: Mapping[str, str] = {
    "040-weights/z": "no server has weight 0: it has no key",
    "048-circuitbreaker/c": "Traefik 1 takes no such expression, and no label may hold it",
    "048-circuitbreaker/d": "the same",
    "052-buffering/a": "Traefik 3 takes a retry expression and does nothing with it: 054 says what does",
    "052-buffering/b": "the same",
    "054-retry/b": "what sends again buffers too, and this tree does not",
    "064-headers/b": "Traefik 3 takes sslRedirect and does nothing with it",
}
SIZES = {field: field.replace("_", "") for field in ("max_request", "mem_request", "max_response", "mem_response")}
ENTRY_POINTS = {"http": "web", "https": "websecure"}  # there they have other names


class Below(NamedTuple):
    """The keys below a directory, by the rest of their paths."""

    keys: Mapping[str, str]

    def text(self, path: str) -> str:
        return self.keys.get(path, "")

    def items(self, path: str) -> tuple[str, ...]:
        return tuple(filter(None, self.text(path).split(",")))

    def flag(self, path: str) -> bool:
        return self.text(path) == "true"

    def directory(self, path: str) -> Below:
        base = path + "/"
        return Below({key.removeprefix(base): value for key, value in self.keys.items() if key.startswith(base)})

    def names(self, path: str) -> list[str]:
        return sorted({key.partition("/")[0] for key in self.directory(path).keys})


def route(tree: Below, name: str) -> Route:
    """The frontend of this name and its backend, as a service of its own."""
    keys = tree.directory(f"frontends/{name}")
    backend = tree.directory(f"backends/{keys.text('backend')}")
    frontend = Frontend(
        "",
        parse_rule(";".join(keys.text(f"routes/{one}/rule") for one in keys.names("routes"))),
        priority=int(keys.text("priority")) if keys.text("priority") else None,
        pass_host_header=keys.text("passhostheader") != "false",
        entry_points=tuple(ENTRY_POINTS[one] for one in keys.items("entrypoints")),
        auth=_auth(keys.directory("auth")),
        redirect=_redirect(keys.directory("redirect")),
        errors=tuple(_page(one, keys.directory(f"errors/{one}")) for one in keys.names("errors")),
        rate_limit=_rate_limit(keys.directory("ratelimit")),
        headers=_headers(keys.directory("headers")),
    )
    return Route(name, "s", (frontend,), (_backend(backend),))


def _auth(keys: Below) -> Auth | None:
    if keys.names("digest"):
        return Auth(DigestAuth(keys.items("digest/users")))
    if keys.names("forward"):
        trusts, headers = keys.flag("forward/trustforwardheader"), keys.items("forward/.authresponseheaders")
        return Auth(ForwardAuth(keys.text("forward/address"), trusts, headers))
    return None


def _redirect(keys: Below) -> Redirect | None:
    if not keys.keys:
        return None
    return Redirect(regex=keys.text("regex"), replacement=keys.text("replacement"), permanent=keys.flag("permanent"))


def _page(name: str, keys: Below) -> ErrorPage:
    return ErrorPage(name, keys.items("status"), f"{keys.text('backend')}__s", keys.text("query"))


def _rate_limit(keys: Below) -> RateLimit | None:
    sets = [(one, keys.directory(f"rateset/{one}")) for one in keys.names("rateset")]
    rates = tuple(
        (one, RateSet(period(its.text("period")), int(its.text("average")), int(its.text("burst"))))
        for one, its in sets
    )
    return RateLimit(keys.text("extractorfunc"), rates) if rates else None


def _headers(keys: Below) -> Headers:
    return Headers(
        custom_request=tuple(sorted(keys.directory("customrequestheaders").keys.items())),
        custom_response=tuple(sorted(keys.directory("customresponseheaders").keys.items())),
        allowed_hosts=keys.items("allowedhosts"),
        ssl_redirect=keys.flag("sslredirect"),
        sts_seconds=int(keys.text("stsseconds") or 0),
        sts_include_subdomains=keys.flag("stsincludesubdomains"),
        force_sts_header=keys.flag("forcestsheader"),
        frame_deny=keys.flag("framedeny"),
        content_type_nosniff=keys.flag("contenttypenosniff"),
        browser_xss_filter=keys.flag("browserxssfilter"),
        content_security_policy=keys.text("contentsecuritypolicy"),
        referrer_policy=keys.text("referrerpolicy"),
    )


def _backend(keys: Below) -> Backend:
    amount, buffering, servers = keys.text("maxconn/amount"), keys.directory("buffering"), keys.directory("servers")
    expression = keys.text("circuitbreaker/expression")
    sizes = {field: int(buffering.text(f"{one}bodybytes") or 0) for field, one in SIZES.items()}
    again = buffering.text("retryexpression")
    found = sorted({path.partition("/")[0] for path in servers.keys})
    return Backend(
        method=keys.text("loadbalancer/method") or "wrr",
        breaker=breaker(expression) if expression else "",
        max_conn=MaxConn(int(amount), keys.text("maxconn/extractorfunc")) if amount else None,
        buffering=Buffering(**sizes, retry=retry(again) if again else "") if buffering.keys else None,
        servers=tuple(_server(one, servers.directory(one)) for one in found),
    )


def _server(name: str, keys: Below) -> Server:
    host, _, port = keys.text("url").removeprefix("http://").partition(":")
    return Server(name, "http", host, int(port), int(keys.text("weight") or 1))


def said(tree: Below, router: str) -> Iterator[tuple[str, object]]:
    """What a router and all behind it say, without names; of what they leave to defaults only one form."""
    keys = {key.lower(): value for key, value in tree.directory(f"http/routers/{router}").keys.items()}
    yield "entry points", keys["entrypoints"]
    yield "rule", sorted(keys["rule"].replace("(", " ").replace(")", " ").split(" "))  # what is joined, in any order
    chain = tuple(filter(None, keys.get("middlewares", "").split(",")))
    for at, name in enumerate(chain):
        fields = dict(tree.directory(f"http/middlewares/{name}").keys)
        fields.pop("stripPrefix/forceSlash", None)  # of a path that is stripped whole nobody asked
        yield f"middleware {at}", {path.lower(): _unnamed(path, value) for path, value in fields.items()}
    yield "middlewares", len(chain)
    service = tree.directory(f"http/services/{keys['service']}/loadBalancer")
    urls = {
        service.text(f"servers/{one}/url"): service.text(f"servers/{one}/weight") or "1"
        for one in service.names("servers")
    }
    yield "servers", urls
    yield "passes the host on", service.text("passHostHeader") or "true"


def _unnamed(path: str, value: str) -> str:
    return value.removesuffix("__s") if path.endswith("/service") else value


CASES = [
    (pair, name)
    for pair, recorded in TREES.items()
    for name in Below(recorded["traefik1"]["kv"]).names("traefik1/frontends")
    if f"{pair}/{name}" not in OTHERWISE
]


def test_all_recorded_translations_are_held_against_what_is_written() -> None:
    assert len(TREES) == 22
    named = {
        f"{pair}/{name}" for pair in TREES for name in Below(TREES[pair]["traefik1"]["kv"]).names("traefik1/frontends")
    }
    assert set(OTHERWISE) <= named


@pytest.mark.parametrize(("pair", "name"), CASES)
def test_what_is_written_says_what_was_recorded(pair: str, name: str) -> None:
    recorded = TREES[pair]
    asked = route(Below(recorded["traefik1"]["kv"]).directory("traefik1"), name)
    entries = layout("traefik3", Target()).entries(asked, "c1")
    tree = Below({entry.path: entry.value for entry in entries})
    (router,) = tree.names("http/routers")
    ours = dict(said(tree, router))
    assert ours == dict(said(Below(recorded["kv"]).directory("traefik"), name))


@pytest.mark.parametrize("pair", ["035-priority", "070-rancher-short-labels"])
def test_a_priority_is_the_recorded_one(pair: str) -> None:
    """Of the others nobody asked: in them no rule meets another."""
    recorded = TREES[pair]
    tree = Below(recorded["traefik1"]["kv"]).directory("traefik1")
    for name in tree.names("frontends"):
        entries = layout("traefik3", Target()).entries(route(tree, name), "c1")
        (ours,) = (entry.value for entry in entries if entry.path.endswith("/priority"))
        assert ours == recorded["kv"][f"traefik/http/routers/{name}/priority"]
