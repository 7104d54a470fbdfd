"""Strange keys that stop Traefik: found when they change, at no cost where there are none."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bridge.daemon.poison import MOST, PoisonWatch
from bridge.layouts import LAYOUTS, RouteLayout, Target, layout
from bridge.layouts.lint import Finding
from bridge.layouts.traefik3_secrets import is_secret
from bridge.model.change import Item, LeaseName, Reading
from bridge.ownership.mirror import Side

OURS = LeaseName("fleet", 0)
BAD = {
    "traefik1": ("frontends/theirs/backend", 'a"b'),
    "traefik3": ("http/routers/theirs/priority", "many"),
}


def side(prefix: str, strange: Mapping[str, str], ours: Mapping[str, str]) -> Side:
    leased = ((path, value, lease) for keys, lease in ((strange, None), (ours, OURS)) for path, value in keys.items())
    items = {prefix + path: Item(value, 1, 1, lease) for path, value, lease in leased}
    return Side(prefix).fold(Reading(prefix, 1, items, whole=True), 0.0)


def after(tree: Side, revision: int, path: str, item: Item | None) -> Side:
    """One key changes, or goes."""
    return tree.fold(Reading(tree.prefix, revision, {tree.prefix + path: item}, whole=False), 0.0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_strange_key_that_stops_traefik_is_named_with_what_helps(name: str) -> None:
    chosen = layout(name)
    prefix = chosen.tree_prefix("traefik", "etcd")
    path, value = BAD[name]
    watch = PoisonWatch(chosen)
    watch.look(side(prefix, {path: value}, dict(chosen.standing())))
    (problem,) = watch.problems
    assert (problem.label, problem.value, problem.notice) == (prefix + path, value, False)
    assert problem.suggestion
    watch.look(side(prefix, {}, dict(chosen.standing())))
    assert watch.problems == ()


class Counting:
    """A layout that notes how many keys it is asked about."""

    def __init__(self, real: RouteLayout) -> None:
        self.real = real
        self.asked: list[int] = []

    def poison(self, keys: Mapping[str, str], prefix: str) -> tuple[Finding, ...]:
        self.asked.append(len(keys))
        return self.real.poison(keys, prefix)


def test_only_a_change_of_a_strange_key_costs_a_look_at_the_whole_tree() -> None:
    counting = Counting(layout("traefik3"))
    watch = PoisonWatch(counting)  # type: ignore[arg-type]
    tree = side("t/", {}, dict(counting.real.standing()))
    for item, asked in (
        (None, 1),
        (("http/routers/a/rule", Item("x", 2, 2, OURS)), 1),
        (("other", Item("1", 3, 3, None)), 3),
        (("http/routers/a/rule", Item("y", 2, 4, OURS)), 1),
        (("http/routers/a/rule", None), 2),  # below `other` something might have stood
    ):
        if item is not None:
            path, one = item
            tree = after(tree, one.revision if one else 5, path, one)
        watch.look(tree)
        assert (counting.asked, watch.problems) == ([asked], ())
        counting.asked.clear()
        watch.look(tree)
        assert counting.asked == []


def test_a_key_that_another_clusters_bridge_wrote_for_a_newer_traefik_is_named_while_it_stands() -> None:
    watch = PoisonWatch(layout("traefik3", Target((3, 0))))
    path = "http/middlewares/web__shop--auth/forwardAuth/headerField"
    ours = {"http/middlewares/web__shop--auth/forwardAuth/address": "http://auth.local"}
    tree = side("t/", {}, ours)
    watch.look(tree)
    assert not watch.problems
    tree = after(tree, 2, path, Item("X-User", 2, 2, OURS))
    watch.look(tree)
    assert [problem.label for problem in watch.problems] == [f"t/{path}"]
    watch.look(after(tree, 3, path, None))
    assert not watch.problems


def test_a_value_where_only_keys_may_stand_is_named_once_the_last_of_them_has_gone() -> None:
    """Traefik ignores it until then."""
    watch = PoisonWatch(layout("traefik3"))
    branch, path = "http/services/web__shop/loadBalancer", "http/services/web__shop/loadBalancer/passHostHeader"
    tree = side("t/", {branch: "x"}, {path: "true"})
    watch.look(tree)
    assert not watch.problems
    watch.look(after(tree, 2, path, None))
    assert [problem.label for problem in watch.problems] == [f"t/{branch}"]


def test_thousands_are_not_named_one_by_one() -> None:
    watch = PoisonWatch(layout("traefik3"))
    watch.look(side("t/", {f"http/routers/r{at}/nonsense": "1" for at in range(MOST + 5)}, {}))
    assert len(watch.problems) == MOST + 1
    assert "5 keys more" in watch.problems[-1].reason


# What of Traefik 3's tree no report shows

SECRET = [
    "http/middlewares/m/basicAuth/users",
    "http/middlewares/m/BASICAUTH/USERS/0",
    "http/middlewares/m/digestAuth/users",
    "http/middlewares/m/forwardAuth/tls/key",
    "http/middlewares/m/headers/customRequestHeaders/Authorization",
    "http/middlewares/m/headers/customResponseHeaders/X",
    "http/middlewares/m/plugin/p/token",
    "http/services/s/loadBalancer/healthCheck/headers/Authorization",
    "http/serversTransports/t/certificates/0/keyFile",
    "tls/certificates/0/keyFile",
    "http/middlewares/m/basicAuth/user",  # a slip
    "secrets/of/others",
]
OPEN = [
    "http/routers/r/rule",
    "http/routers/r/tls/certResolver",
    "http/middlewares/m/basicAuth/realm",
    "http/middlewares/m/basicAuth/removeHeader",
    "http/middlewares/m/forwardAuth/address",
    "http/middlewares/m/headers/allowedHosts",
    "http/services/s/loadBalancer/servers/a/url",
]


@pytest.mark.parametrize("path", SECRET)
def test_what_may_let_somebody_in_is_a_secret(path: str) -> None:
    assert is_secret(path, "x")


@pytest.mark.parametrize("path", OPEN)
def test_what_lets_nobody_in_is_shown(path: str) -> None:
    assert not is_secret(path, "x")


def test_a_url_with_a_login_is_a_secret() -> None:
    assert is_secret("http/services/s/loadBalancer/servers/a/url", "http://me:secret@10.0.0.1")
