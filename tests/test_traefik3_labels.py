"""Each of Traefik 1's own labels, by its example, in Traefik 3's tree: it becomes keys, or a problem says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bridge.labels.read import read
from bridge.labels.table import INNER, Row
from bridge.labels.types import Publish
from bridge.layouts import NoCounterpart, Target, layout
from bridge.model.route import Route, Server
from tests.test_label_keys import NATIVE, PAGE, ROWS, examples

SERVER = Server("c-1", "http", "10.42.0.1", 80)
NEWEST = layout("traefik3", Target((3, 7)))
RULE = {"traefik.frontend.rule": "Host:web.shop"}

# What protects and cannot be said: the route is refused.
REFUSED = {
    "traefik.frontend.auth.forward.tls.caOptional",
    "traefik.frontend.headers.SSLForceHost",
    "traefik.frontend.passTLSCert",
    "traefik.frontend.whiteList.useXForwardedFor",
}
SAID = {"traefik.tags"}  # what becomes no key, and a problem instead
SILENT = {
    "traefik.frontend.headers.isDevelopment": "what it switches off is not written in the first place",
}
# What does nothing by itself, in Traefik 1 too.
BESIDE: Mapping[str, Mapping[str, str]] = {
    "traefik.frontend.headers.SSLTemporaryRedirect": {"traefik.frontend.headers.SSLRedirect": "true"},
    "traefik.frontend.headers.SSLHost": {"traefik.frontend.headers.SSLRedirect": "true"},
}
WRITTEN = [row for row in NATIVE if row.name not in {*REFUSED, *SAID, *SILENT}]


def route(labels: Mapping[str, str]) -> Route | None:
    """None: the labels are refused."""
    asked = read("shop/web", "web", "shop", Publish.SERVICE, labels)
    if asked.refusals:
        return None
    (pool,) = asked.pools
    return Route("web", "shop", asked.frontends, (replace(pool.backend, servers=(SERVER,)),))


def keys(labels: Mapping[str, str]) -> dict[str, str] | None:
    found = route(labels)
    return {entry.path: entry.value for entry in NEWEST.entries(found, "default")} if found else None


def asked(row: Row) -> dict[str, str]:
    """The row's example and what must stand beside it."""
    return {**RULE, **BESIDE.get(row.name, {}), **examples(row)}


def without(row: Row) -> dict[str, str]:
    """The same, but for the row's own label."""
    return {name: text for name, text in asked(row).items() if name != row.name.replace(INNER, PAGE)}


def test_all_lists_name_labels_that_are_written_for_traefik_1() -> None:
    assert {*REFUSED, *SAID, *SILENT, *BESIDE} <= {row.name for row in NATIVE}


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.name)
def test_a_label_makes_a_difference_in_the_keys(row: Row) -> None:
    found = keys(asked(row))
    assert found is not None
    assert found != keys(without(row))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_label_that_protects_and_cannot_be_said_costs_the_route(name: str) -> None:
    found = route(asked(ROWS[name]))
    assert found is not None
    with pytest.raises(NoCounterpart) as refusal:
        NEWEST.entries(found, "default")
    assert refusal.value.label == name


@pytest.mark.parametrize("name", sorted(SAID))
def test_a_label_that_becomes_no_key_is_said(name: str) -> None:
    found = route(asked(ROWS[name]))
    assert found is not None
    assert [problem.label for problem in NEWEST.losses(found)] == [name]
    assert keys(asked(ROWS[name])) == keys(without(ROWS[name]))


@pytest.mark.parametrize("name", SILENT)
def test_a_label_that_asks_for_nothing_leaves_no_trace(name: str) -> None:
    found = route(asked(ROWS[name]))
    assert found is not None
    assert NEWEST.losses(found) == ()
    assert keys(asked(ROWS[name])) == keys(without(ROWS[name]))
