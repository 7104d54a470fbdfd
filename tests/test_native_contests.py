"""What asks Traefik 3 for the same requests at one priority: one stays, in whichever words, and no guard is passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bridge.layouts import layout
from bridge.model.keys import Wish
from bridge.model.problem import Problem
from bridge.model.world import Service
from bridge.routes import judge_all
from bridge.sync import lay_out
from tests.publishing import service, world
from tests.test_native_objects import ANY, NEWEST, PORT, asks, publish

USERS = {"middlewares.users.basicauth.users": "joe:x"}
HERE = {"routers.web.rule": "Host(`a.test`)", "routers.web.priority": "50"} | PORT


def older(name: str, rule: str = "Host:a.test", **labels: str) -> Service:
    """A service that speaks Traefik 1's language."""
    said = {f"traefik.frontend.{label.replace('_', '.')}": text for label, text in labels.items()}
    plain = {"traefik.enable": "true", "traefik.port": "80", "traefik.frontend.rule": rule}
    return replace(service(name, 1), labels={"traefik.frontend.priority": "50"} | plain | said, has_check=False)


def routers(*services: Service, before: Mapping[str, Wish] | None = None) -> tuple[set[str], list[Problem]]:
    """Those that are published, and the problems; `before`: what this cluster claims already."""
    stood = before or {}

    def claimed(group: str) -> Mapping[str, str] | None:
        return stood[group].shared if group in stood else None

    wishes, problems = laid(*services, claimed=claimed)
    paths = (path.split("/") for wish in wishes.values() for path in wish.shared)
    return {path[2] for path in paths if path[1] == "routers"}, [one for one in problems if not one.notice]


def laid(*services: Service, claimed: object = None) -> tuple[dict[str, Wish], tuple[Problem, ...]]:
    asked = claimed if callable(claimed) else lambda _group: None
    return lay_out(judge_all(world(*services), ANY), layout("traefik3", NEWEST), "default", claimed=asked)


@pytest.mark.parametrize(("native", "translated"), [("a", "b"), ("b", "a")])
def test_of_both_vocabularies_the_first_stays_and_both_are_told(native: str, translated: str) -> None:
    found, problems = routers(asks(HERE, native), older(translated))
    assert found == ({"web"} if native == "a" else {f"{translated}__shop"})
    assert {problem.service for problem in problems} == {"shop/a", "shop/b"}
    assert {problem.did for problem in problems} & {"published no route of it", "left it out, with what depends on it"}


def test_who_stands_stays_whatever_a_newcomer_is_called() -> None:
    for first, newcomer in ((asks(HERE, "b"), older("a")), (older("b"), asks(HERE, "a"))):
        before, _ = laid(first)
        assert routers(first, newcomer, before=before)[0] == routers(first)[0]
        assert routers(first, newcomer)[0] == routers(newcomer)[0]


@pytest.mark.parametrize(
    ("rule", "labels", "meet"),
    [
        ("Host:a.test", {}, True),
        ("Host:b.test,a.test", {}, True),
        ("Host:b.test", {}, False),
        ("Host:a.test", {"priority": "51"}, False),
        ("Host:a.test", {"entryPoints": "other"}, False),
        ("Host:a.test;PathPrefix:/x", {}, False),
    ],
)
def test_they_meet_where_a_way_through_both_rules_is_the_same(rule: str, labels: dict[str, str], meet: bool) -> None:
    found, _ = routers(asks(HERE, "a"), older("b", rule, **labels))
    assert ("b__shop" in found) is not meet


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("Host(`a`) && Path(`/x`)", "Path(`/x`) && Host(`a`)", True),
        ("Host(`a`, `b`) && Path(`/x`)", "Host(`b`) && Path(`/x`)", True),
        ("!Host(`a`, `b`)", "!(Host(`b`) || Host(`a`))", True),
        ("!Host(`a`)", "Host(`a`)", False),
        ("Host(`a`) && !Path(`/x`)", "Host(`a`) && Path(`/x`)", False),
    ],
)
def test_the_order_in_a_rule_does_not_matter(one: str, other: str, meet: bool) -> None:
    said = [{"routers.r.rule": rule, "routers.r.priority": "7", **PORT} for rule in (one, other)]
    said[1] = {label.replace(".r.", ".s.").replace("web", "web2"): text for label, text in said[1].items()}
    found, _ = routers(asks(said[0], "a"), asks(said[1], "b"))
    assert found == ({"r"} if meet else {"r", "s"})


def test_the_service_of_a_route_that_lost_is_gone_with_all_its_routers() -> None:
    """One of its routers alone would answer some of its requests, and others would find another rule."""
    found, _ = routers(asks(HERE, "a"), older("b", entryPoints="http,https"), older("c", "Host:c.test"))
    assert found == {"web", "b__shop", "b__shop--tls", "c__shop"}, "they meet at no entry point"
    asked = HERE | {"routers.web.entrypoints": "http"}
    found, _ = routers(asks(asked, "a"), older("b", entryPoints="http,https"), older("c", "Host:c.test"))
    assert found == {"web", "c__shop"}


def test_an_error_page_of_a_route_that_lost_is_asked_of_nobody() -> None:
    page = older("c", "Host:c.test", errors_page_status="500", errors_page_backend="b__shop", errors_page_query="/")
    wishes, problems = laid(asks(HERE, "a"), older("b"), page)
    assert "b__shop" not in wishes
    assert not any("b__shop" in value for value in wishes["c__shop"].shared.values())
    assert any(problem.service == "shop/c" and not problem.notice for problem in problems)


def test_of_two_that_lead_to_one_service_and_are_not_guarded_alike_none_stays() -> None:
    """Traefik might ask the open one."""
    guarded = {
        "routers.safe.rule": "Host(`a.test`)",
        "routers.safe.priority": "50",
        "routers.safe.middlewares": "users",
    }
    both = HERE | USERS | guarded
    assert publish(asks(both)).places == {"services/web", "middlewares/users"}
    also = both | {"routers.web.middlewares": "users"}
    assert {"routers/web", "routers/safe"} <= publish(asks(also)).places
    apart = {"routers.safe.service": "web", **USERS, **guarded}
    found = publish(asks(HERE, "a"), asks(apart | {"services.own.loadbalancer.server.port": "80"}, "b"))
    assert not any(place.startswith("routers") for place in found.places)
    assert {problem.service for problem in found.problems} == {"shop/a", "shop/b"}


def test_servers_are_not_behind_a_router_that_their_own_labels_guard_otherwise() -> None:
    """Though the service is the same: whoever wrote these labels counts on a password."""
    guarded = HERE | USERS | {"routers.web.middlewares": "users"}
    found = publish(asks(HERE, "a"), asks(guarded, "b"))
    assert [value for path, value in found.keys.items() if path.endswith("/url")] == ["http://10.42.97.1:80"]
    assert any("published none of its servers" in problem.did for problem in found.problems)
    alike = publish(asks(guarded, "a"), asks(guarded, "b"))
    assert len([path for path in alike.keys if path.endswith("/url")]) == 2
