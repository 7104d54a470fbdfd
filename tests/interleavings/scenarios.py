"""Who publishes what, and what may happen to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bridge.layouts.traefik1 import Traefik1
from bridge.leases import REPLICA_TTL
from bridge.model.change import LeaseName, Limits
from bridge.model.keys import Wish
from bridge.ownership.records import FLEET, claim_path, cluster_family, guard_path, presence_path, replica_family
from tests.interleavings.world import GROUP, RECORDS, TTL, Budget, Hand, Scenario, cluster_name


class ReadsWhole(Traefik1):  # a stand-in: what matters of a layout here is what its Traefik sees
    """The same keys for a Traefik that reads all of them by one request, as Traefik 3 does."""

    name = "whole"
    reads_halves = False


OPENS = f"frontends/{GROUP}/backend"
RULE = f"frontends/{GROUP}/routes/main/rule"
USERS = f"frontends/{GROUP}/auth/basic/users"
ASKS = f"frontends/{GROUP}/auth/forward/address"
SOURCES = f"frontends/{GROUP}/whitelist/sourcerange"
METHOD = f"backends/{GROUP}/loadbalancer/method"

OPEN: Mapping[str, str] = {OPENS: GROUP, RULE: "Host:a.local", METHOD: "wrr"}
PROTECTED = {**OPEN, USERS: "u:{SHA}one"}
OTHERWISE = {**OPEN, USERS: "u:{SHA}two"}
ASKING = {**OPEN, ASKS: "http://auth.local/"}
TWICE = {**PROTECTED, SOURCES: "10.0.0.0/8"}
WIDER = {**OPEN, RULE: "Host:a.local,b.local"}
WIDER_PROTECTED = {**PROTECTED, RULE: "Host:a.local,b.local"}
ELSEWHERE = {**OPEN, RULE: "Host:b.local"}
ELSEWHERE_PROTECTED = {**PROTECTED, RULE: "Host:b.local"}
TWO = {
    **OPEN,
    f"frontends/{GROUP}__x/backend": GROUP,
    f"frontends/{GROUP}__x/routes/main/rule": "Host:a.local;PathPrefix:/x",
}
TWO_PROTECTED = {**TWO, USERS: "u:{SHA}one", f"frontends/{GROUP}__x/auth/basic/users": "u:{SHA}one"}


def wish(cluster: int, shared: Mapping[str, str], servers: str = "0", drained: str = "") -> Wish:
    """What a cluster asks for, with these servers, while an operator keeps those away that still live."""
    name = cluster_name(cluster)
    holders = {one: f"backends/{GROUP}/servers/{name}--{one}" for one in servers + drained}
    own = {f"{holders[one]}/url": f"http://{name}{one}:80" for one in servers}
    gone = frozenset(holders[one] for one in drained)
    return Wish(GROUP, shared, own, gone, gone, title="shop/app")


Choice = (
    Mapping[str, str] | tuple[Mapping[str, str], str] | tuple[Mapping[str, str], str, str] | None
)  # shared keys, which servers, and which are drained; None: no such service


def menus(*choices: tuple[Choice, ...]) -> tuple[tuple[Wish | None, ...], ...]:
    """By cluster, of what it may come to ask for."""
    return tuple(tuple(_wish(cluster, one) for one in choice) for cluster, choice in enumerate(choices))


def _wish(cluster: int, choice: Choice) -> Wish | None:
    if choice is None:
        return None
    return wish(cluster, *choice) if isinstance(choice, tuple) else wish(cluster, choice)


def lease(cluster: int) -> LeaseName:
    """A cluster's."""
    return LeaseName(cluster_family(cluster_name(cluster)), TTL)


def leads(cluster: int, replica: int = 0) -> LeaseName:
    """A replica's."""
    return LeaseName(replica_family(cluster_name(cluster), f"r{replica}"), REPLICA_TTL)


FLEET_LEASE = LeaseName(FLEET, TTL)

# So few that a join, a close and a clear need several transactions.
NARROW = Limits(operations=9, size=370_000, create=2, update=1, move=3, delete=2, check=1)

ERASING = tuple(Hand(path, None) for path in (*PROTECTED, f"backends/{GROUP}/servers/c1--0/url"))
WRITING = tuple(Hand(path, value) for path, value in {OPENS: GROUP, RULE: "Host:b.local", USERS: "u:{SHA}hand"}.items())
OVERWRITING = (
    *(Hand(RECORDS + claim_path(cluster_name(number), GROUP), None) for number in range(2)),
    Hand(RECORDS + claim_path("c0", GROUP), "x"),
    Hand(RECORDS + guard_path(GROUP), None),
    Hand(RECORDS + guard_path(GROUP), "x"),
    Hand(RECORDS + presence_path("c0"), "x"),
)


def scenario(name: str, *choices: tuple[Choice, ...], budget: Budget) -> Scenario:
    """All clusters have published for long, in the order of their names."""
    everybody = tuple(range(len(choices)))
    return Scenario(name, menus(*choices), budget, processes=everybody, older=everybody)


_COMING = replace(scenario("come", (PROTECTED,), (PROTECTED,), budget=Budget(crashes=1)), older=())
_GOING = scenario("go and come back", (OPEN, None), (OPEN, None), budget=Budget(changes=2))
_GUEST = scenario(
    "protect more and less beside a guest", (OPEN, PROTECTED, None), (PROTECTED,), budget=Budget(changes=2)
)
_BOTH = scenario("both protect more and less", (OPEN, PROTECTED), (OPEN, PROTECTED), budget=Budget(changes=2))
_RULES = scenario("another rule", (OPEN, ELSEWHERE, WIDER_PROTECTED), (OPEN,), budget=Budget(changes=2))
_SCALED = scenario("servers come and go", (PROTECTED, OPEN), ((PROTECTED, ""), PROTECTED), budget=Budget(changes=2))
_OTHERS = scenario("another password", (PROTECTED, OTHERWISE), (PROTECTED, OPEN), budget=Budget(changes=2))
_KINDS = scenario(
    "a protection of another kind", (PROTECTED, ASKING), (PROTECTED, ASKING, OPEN), budget=Budget(changes=2)
)
_TWO = scenario("two frontends", (TWO, TWO_PROTECTED, OPEN), (PROTECTED,), budget=Budget(changes=2))
_LEAVING = replace(_GOING, name="bridge leave", departs=True)
_FALLING = scenario("crash", (OPEN, WIDER_PROTECTED, None), (OPEN, None), budget=Budget(changes=1, crashes=1))
_ENDING = replace(
    scenario("leases end", (PROTECTED,), (PROTECTED, OPEN), budget=Budget(ends=2)),
    ends=(lease(0), lease(1), FLEET_LEASE),
)
_LOST = scenario("lost answers", (OPEN, PROTECTED), (PROTECTED, None), budget=Budget(changes=1, losses=1, crashes=1))
_TTLS = replace(scenario("several TTLs", (OPEN, None), (OPEN, None), budget=Budget(changes=2)), ttls=(TTL, 2 * TTL))
_REPLICAS = replace(
    scenario("two replicas", (OPEN, PROTECTED), budget=Budget(changes=2, ends=1)),
    processes=(0, 0),
    ends=(leads(0, 0), leads(0, 1)),
)
_HANDS = replace(
    scenario("a hand", (PROTECTED, OPEN), (PROTECTED,), budget=Budget(changes=1, hands=1)),
    hands=(*ERASING, *WRITING, *OVERWRITING),
)
_SPLIT = replace(
    scenario("split", (PROTECTED, None), (PROTECTED,), budget=Budget(changes=1)), limits=NARROW, older=(0,)
)
_THREE = scenario("three", ((PROTECTED, ""), None), (OPEN,), ((PROTECTED, ""), PROTECTED), budget=Budget(changes=2))
_DRAINED = scenario(
    "one container is drained, another one not", ((OPEN, "0", "1"), (OPEN, "1", "0")), budget=Budget(changes=2)
)
_DRAINED_GUEST = scenario(
    "a guest's container is drained, and then the guest",
    (OPEN,),
    ((OPEN, "0", "1"), (OPEN, "1", "0"), (OPEN, "", "01")),
    budget=Budget(changes=2),
)
_DRAINED_CLUSTER = scenario(
    "a whole cluster is drained beside another", (OPEN, (OPEN, "", "0")), (OPEN, PROTECTED), budget=Budget(changes=2)
)
_HELD = replace(_DRAINED_GUEST, name="drained while the brake is shut", held=True)
_HEIRS = scenario("three heirs", (PROTECTED, None), (OPEN, None), (PROTECTED,), budget=Budget(changes=2))

_KINDS_SPLIT = replace(_KINDS, name="of another kind, split", limits=NARROW)

# Gone through wholly with the other tests, some seconds each at most.
BRIEF = (
    replace(_COMING, budget=Budget()),
    _GOING,
    _GUEST,
    _BOTH,
    _SCALED,
    replace(_SCALED, name="servers come and go, by watches", watches=True),
    replace(_HANDS, name="a hand deletes", hands=ERASING, budget=Budget(hands=1)),
    replace(_ENDING, name="a lease ends", budget=Budget(ends=1)),
    replace(_SPLIT, name="one joins by several transactions", budget=Budget()),
    replace(scenario("one goes by several transactions", (PROTECTED, None), budget=Budget(changes=2)), limits=NARROW),
    replace(_THREE, name="three, by watches", watches=True),
    _DRAINED,
    replace(_DRAINED_CLUSTER, budget=Budget(changes=1)),
    replace(_HELD, budget=Budget(changes=1)),
    replace(_BOTH, name="both protect more and less, read whole", layout=ReadsWhole()),
    replace(_KINDS, budget=Budget(changes=1)),
    replace(_KINDS, name="a protection of another kind, read whole", budget=Budget(changes=1), layout=ReadsWhole()),
)


def _with(scene: Scenario, **more: int) -> Scenario:
    """The same, and more of what disturbs."""
    budget = scene.budget
    added = {name: getattr(budget, name) + count for name, count in more.items()}
    return replace(scene, budget=replace(budget, **added))


_HALVES = (
    _COMING,
    _with(_GOING, changes=1),
    _with(_GOING, crashes=1),
    _with(_GUEST, changes=1),
    replace(_GUEST, name="beside a guest, by half read-times", ticks=2),
    _with(_BOTH, crashes=1),
    replace(_BOTH, name="both, by half read-times", ticks=2),
    _with(_RULES, crashes=1),
    _with(_SCALED, changes=1),
    _OTHERS,
    _with(_KINDS, crashes=1),
    replace(_KINDS, name="of another kind, by half read-times", ticks=2),
    _TWO,
    _with(_LEAVING, crashes=1),
    _with(_FALLING, changes=1),
    _with(_ENDING, changes=1),
    _LOST,
    _TTLS,
    _REPLICAS,
    _HANDS,
    replace(_HANDS, name="a hand, on a store like Consul", detaches=False),
    _SPLIT,
    replace(_SPLIT, name="split, with a crash", budget=Budget(changes=1, crashes=1)),
    _THREE,
    _HEIRS,
    _with(_DRAINED, crashes=1),
    replace(_DRAINED, name="drained, by half read-times", ticks=2),
    _DRAINED_GUEST,
    _with(_DRAINED_CLUSTER, crashes=1),
    _HELD,
)
_WATCHED = tuple(
    replace(one, name=f"{one.name}, by watches", watches=True)
    for one in (_GOING, _GUEST, _BOTH, _RULES, _SCALED, _FALLING, _THREE, _HEIRS, _DRAINED_GUEST, _DRAINED_CLUSTER)
)
_WHOLE = tuple(
    replace(one, name=f"{one.name}, read whole", layout=ReadsWhole())
    for one in (
        *(_COMING, _GOING, _GUEST, _BOTH, _RULES, _KINDS, _SCALED, _TWO, _FALLING, _HANDS, _SPLIT, _THREE, _HEIRS),
        *(_DRAINED, _DRAINED_GUEST, _DRAINED_CLUSTER, _HELD, _KINDS_SPLIT),
    )
)
LONG = (*_HALVES, *_WATCHED, *_WHOLE)
