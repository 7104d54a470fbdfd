"""What Traefik's own Rancher provider made of labels, and what the bridge's keys make of the same: recorded pairs.

The keys are read by the model of Traefik that was built from other recordings. Where the two differ, the table of
differences says why, and what is served instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from bridge.labels.lookup import spot
from bridge.labels.table import Vocabulary
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.route import Verdict
from bridge.model.world import Container, Service, Snapshot
from bridge.routes import Health, Policy, judge_all
from tests.golden_reader import Configuration, Store, configuration

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Object: TypeAlias = "dict[str, Json]"
Served: TypeAlias = "list[tuple[Object, Object]]"  # frontends, each with its backend

RECORDINGS = sorted((Path(__file__).parent / "golden" / "traefik1" / "labels").glob("*.json"))
# Any label of Traefik's own, so that its defaults hold, and not rancher-traefik's. This one asks for nothing.
NATIVE = {"traefik.frontend.passTLSCert": "false"}


@cache
def recording(path: Path) -> Object:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def services(path: Path, more: Mapping[str, str]) -> tuple[Service, ...]:
    """The recorded ones. Traefik's provider publishes what does not say whether it wants to be."""
    found = recording(path)["services"]
    assert isinstance(found, list)
    return tuple(service(one, f"s-{at}", more) for at, one in enumerate(found) if isinstance(one, dict))


def service(one: Object, uuid: str, more: Mapping[str, str]) -> Service:
    labels, containers = one["labels"], one["containers"]
    assert isinstance(labels, dict)
    assert isinstance(containers, list)
    return Service(
        uuid=uuid,
        name=str(one["name"]).lower(),
        stack=str(one["stack"]).lower(),
        stack_uuid="st-1",
        environment_uuid="e-1",
        kind="service",
        state=str(one["state"]),
        primary=str(one["name"]).lower(),
        labels={"traefik.enable": "true", **{name: str(text) for name, text in labels.items()}, **more},
        containers=tuple(container(each, at) for at, each in enumerate(containers) if isinstance(each, dict)),
    )


def container(each: Object, at: int) -> Container:
    return Container(
        uuid=f"c-{at}",
        name=str(each["name"]),
        state=str(each["state"]),
        health_state=str(each["health_state"]),
        address=str(each["primary_ip"]),
        labels={},
    )


def verdicts(path: Path, more: Mapping[str, str] = NATIVE, health: Health = Health.AUTO) -> tuple[Verdict, ...]:
    return judge_all(Snapshot(services(path, more), "e-1"), Policy(health=health))


def keys(found: tuple[Verdict, ...]) -> dict[str, str]:
    routes = [one.route for one in found if one.route]
    return {f"/traefik/{entry.path}": entry.value for one in routes for entry in TRAEFIK1.entries(one, "default")}


def served(api: Json) -> Served:
    """What Traefik's API shows, without the names of frontends, backends, routes, servers and pages' backends."""
    assert isinstance(api, dict | None)
    frontends, backends = (api or {}).get("frontends") or {}, (api or {}).get("backends") or {}
    assert isinstance(frontends, dict)
    assert isinstance(backends, dict)
    found = [nameless(frontend, backends) for frontend in frontends.values() if isinstance(frontend, dict)]
    return in_order(found)


def nameless(frontend: Object, backends: Mapping[str, Json]) -> tuple[Object, Object]:
    front: Object = json.loads(json.dumps(frontend))
    back: Object = json.loads(json.dumps(backends[str(front.pop("backend"))]))
    front.pop("basicAuth", None)
    routes, servers, pages = front.pop("routes"), back.pop("servers", None) or {}, front.get("errors") or {}
    assert isinstance(routes, dict)
    assert isinstance(servers, dict)
    assert isinstance(pages, dict)
    for page in pages.values():
        assert isinstance(page, dict)
        page.pop("backend")
    # Hosts are compared without regard to case, and here nothing else has any.
    front["rule"] = ";".join(str(one["rule"]).replace("Example.COM", "example.com") for one in objects(routes))
    back["servers"] = [*sorted(f"{one['url']} {one['weight']}" for one in objects(servers))]
    return front, back


def objects(found: Object) -> list[Object]:
    return [one for one in found.values() if isinstance(one, dict)]


def in_order(found: Served) -> Served:
    return sorted(found, key=lambda pair: json.dumps(pair, sort_keys=True))


# Where they differ.


def plain(rule: str, *last: str) -> tuple[Object, Object]:
    """A service that asks for nothing else."""
    servers: list[Json] = [f"http://10.42.0.{one}:80 1" for one in last or ("11", "12")]
    return (
        {"entryPoints": ["http"], "passHostHeader": True, "priority": 0, "rule": rule},
        {"loadBalancer": {"method": "wrr"}, "servers": servers},
    )


def also(*pairs: tuple[Object, Object]) -> Callable[[Served], Served]:
    return lambda found: [*found, *pairs]


def only(*pairs: tuple[Object, Object]) -> Callable[[Served], Served]:
    return lambda _found: list(pairs)


def with_backend(**fields: Json) -> Callable[[Served], Served]:
    return lambda found: [(front, {**back, **fields}) for front, back in found]


def without_page(name: str) -> Callable[[Served], Served]:
    def edit(found: Served) -> Served:
        for front, _ in found:
            pages = front.get("errors")
            if isinstance(pages, dict):
                pages.pop(name, None)
        return found

    return edit


REDIRECTED: Object = {"redirect": {"regex": r"^http://a\.org", "replacement": "x"}}
CHECKED: Object = {"path": "/h", "interval": "30s"}
STICKY: Object = {"method": "drr", "stickiness": {}}

# By name: why, and what is served here in place of what was recorded.
DIFFERENCES: Mapping[str, tuple[str, Callable[[Served], Served]]] = {
    "010-domain-flag": (
        "a domain for all is an option of the provider",
        only(plain("Host:web.shop"), plain("Host:b.shop.x.org")),
    ),
    "016-rule-normalise-collision": ("names come of services, not of rules", also(plain("Host:a-b.org"))),
    "018-rule-quote": ("a quote is escaped, so it stops nobody", only(plain('Headers:X,"v"'), plain("Host:good.shop"))),
    "019-rule-backslash": ("so is a backslash", only(plain(r"HostRegexp:{x:\d+}.org"), plain("Host:good.shop"))),
    "024-backend-shared": ("a service keeps its own servers", lambda found: [*found[:1], plain("Host:web.shop")]),
    "025-backend-settings": ("a cookie's name would keep Traefik from starting", with_backend(loadBalancer=STICKY)),
    "027-hc-defaults": ("a key without an interval means this one", with_backend(healthCheck=CHECKED)),
    "028-sticky": ("one way of being sticky is enough", with_backend(loadBalancer={**STICKY, "method": "wrr"})),
    "039-headers-odd-name": (
        "a bad header is left out, and stops nobody",
        only(plain("Host:web.shop"), plain("Host:good.shop")),
    ),
    "040-headers-security": ("isDevelopment would switch the protection off", only()),
    "042-errors-bad": ("a page of which nothing is known is none", without_page("x")),
    "045-redirect": (
        "a regex in either form is taken: a redirect that is left out would protect less",
        lambda found: [
            (front | REDIRECTED if front["rule"] == "Host:c.shop" else front, back) for front, back in found
        ],
    ),
    "055-tags-constraints": (
        "constraints are an option of the provider",
        also(plain("Host:b.shop"), plain("Host:c.shop")),
    ),
    "058-service-states-filter": (
        "a service's own state removes nothing",
        also(*(plain(f"Host:s-{state}.shop") for state in ("inactive", "removing", "activating", "restarting"))),
    ),
}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_same_is_served_as_by_traefiks_own_provider(path: Path) -> None:
    found = configuration(keys(verdicts(path)), "/traefik", Store.ETCD)
    assert isinstance(found, Configuration)
    _why, edit = DIFFERENCES.get(path.stem, ("", list))
    assert served(found.api()) == in_order(edit(served(recording(path)["api"])))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_no_frontend_is_lost_but_by_what_traefik_lacks(path: Path) -> None:
    """A file of users, in one recording."""
    found = configuration(keys(verdicts(path)), "/traefik", Store.ETCD)
    assert found.verdict == ("dropped:web__shop" if path.stem == "033-auth-basic" else "ok")


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_whatever_is_served_otherwise_is_told(path: Path) -> None:
    """But for what is only mended."""
    told = {
        "024-backend-shared",
        "025-backend-settings",
        "028-sticky",
        "039-headers-odd-name",
        "040-headers-security",
        "042-errors-bad",
    }
    if path.stem in told:
        assert any(one.problems for one in verdicts(path))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_labels_that_both_know_ask_for_the_same_requests_and_servers_without_any_of_traefiks_own(path: Path) -> None:
    """Method, weight and breaker are rancher-traefik's then, and a health check is asked for but by this policy."""
    if any(_speaks(one) for one in services(path, {})) or path.stem in DIFFERENCES:
        return
    mixed = {frontend["rule"]: _urls(backend) for frontend, backend in served(recording(path)["api"])}
    found = configuration(keys(verdicts(path, {}, Health.OPTIONAL)), "/traefik", Store.ETCD)
    assert {front["rule"]: _urls(back) for front, back in served(found.api())} == mixed


def _speaks(one: Service) -> bool:
    spots = [spot(name) for name in one.labels]
    return any(found and (found.segment or found.row.vocabulary is Vocabulary.NATIVE) for found in spots)


def _urls(backend: Object) -> list[str]:
    servers = backend["servers"]
    assert isinstance(servers, list)
    return [str(one).partition(" ")[0] for one in servers]
