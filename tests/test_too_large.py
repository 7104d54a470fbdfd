"""A service with more routes than one transaction can compare: it is published all the same, or costs itself alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.change import Create, Limits, Transaction
from bridge.model.keys import Role
from bridge.ownership.pack import pack
from tests.planning import FENCE, GROUP, TREE, Scene, changes, compared, wish
from tests.proxied import Place, container, publication, service, world, write
from tests.servers import ConsulServer, EtcdServer

# Like Consul's, and so few that what protects fits beside a claim, but not beside an opening with all rules.
FEW = Limits(operations=14, size=512 * 1024, create=2, update=1, move=3, delete=1, check=1)
USERS = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"


def frontends(count: int) -> dict[str, str]:
    """So many more frontends of the group, each with a password."""
    found: dict[str, str] = {}
    for at in range(count):
        base = f"frontends/{GROUP}__s{at}"
        found |= {f"{base}/backend": GROUP, f"{base}/routes/main/rule": f"Host:s{at}.local"}
        found[f"{base}/basicauth"] = "u:{SHA}x"
    return found


def openings(transaction: Transaction) -> Iterator[str]:
    """The frontends that it opens."""
    for path, change in changes([transaction]).items():
        place = TRAEFIK1.place(path)
        if place and place.role is Role.OPENS and isinstance(change, Create):
            yield place.holder


def test_each_route_is_opened_beside_its_own_rule_and_password() -> None:
    wanted = wish(frontends(8))
    scene = Scene(limits=FEW)
    sent = scene.process().settle(wanted)
    assert scene.values() == {**wanted.shared, **wanted.own}
    seen = [(holder, compared(one)) for one in sent for holder in openings(one)]
    assert len(seen) == 9
    for holder, checked in seen:
        needed = {TREE + path for path in wanted.shared if path.startswith(f"{holder}/")}
        assert needed <= checked.keys()


def test_what_protects_changes_only_beside_what_opens_it() -> None:
    scene = Scene(limits=FEW)
    process = scene.process()
    process.settle(wish(frontends(8)))
    scene.now += 100
    other = {path: "u:{SHA}other" if path.endswith("/basicauth") else value for path, value in frontends(8).items()}
    sent = process.settle(wish(other))
    assert scene.values() == {**wish(other).shared, **wish(other).own}
    changed = {path: one for one in sent for path in changes([one]) if path.endswith("/basicauth")}
    assert len(changed) == 8
    for path, one in changed.items():
        assert TREE + path.replace("/basicauth", "/backend") in compared(one)


def test_what_fits_nowhere_says_so_and_is_the_only_one() -> None:
    process = Scene(limits=FEW).process()
    process.look()
    found = pack(process.plan(wish(frontends(20))).units, FEW, FENCE)
    assert [one.fits for one in found if any(unit.group == GROUP for unit in one.units)] == [False]
    assert all(one.fits for one in found if all(unit.group != GROUP for unit in one.units))


@pytest.mark.parametrize("layout", ["traefik1", "traefik3"])
@pytest.mark.parametrize("store", ["etcd", "consul"])
def test_a_service_that_is_too_large_costs_no_other_its_route(
    request: pytest.FixtureRequest, store: str, layout: str, tmp_path: Path
) -> None:
    server: EtcdServer | ConsulServer = request.getfixturevalue(f"{store}_server")
    labels = {"enable": "true", "frontend.auth.basic.users": USERS}
    for at in range(150):
        labels |= {f"s{at}.port": "80", f"s{at}.frontend.rule": f"Host:s{at}.local"}
    small = {"enable": "true", "port": "80", "domain": "local"}
    both = [
        service("many", [container("127.0.1.1", of="many")], labels),
        service("zz", [container("127.0.1.1", of="zz")], small),
    ]
    source = write(tmp_path / "world.json", world(both))
    with closing(publication(server)) as here:
        place = Place(here)
        ran = place.bridge("sync", "--source", f"file:{source}", "--layout", f"{layout}={place.root}")
        assert ran.returncode == 1
        assert "as large as shop/many needs; give that service fewer segments" in ran.stderr
        holder, opens = ("frontends", "backend") if layout == "traefik1" else ("http/routers", "service")
        tree = TRAEFIK1.tree_prefix(place.root, store) if layout == "traefik1" else f"{place.root}/"
        opened = {path for path in here.held(tree) if path.startswith(holder) and path.endswith(f"/{opens}")}
        assert {path for path in opened if "__shop" in path} == {f"{holder}/zz__shop/{opens}"}
