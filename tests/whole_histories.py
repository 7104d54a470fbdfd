"""Random histories of clusters that publish in the layout of Traefik 3, which reads its tree whole.

As `tests/histories.py`, over the real layout: routes become wishes by it, servers are drained while they live, a brake
shuts and opens, and a cluster may publish in the layout of Traefik 1 as well, by a second publisher of its own. Since
Traefik sees every state of its tree, every one is judged.

    python -m tests.whole_histories FIRST LAST
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Mapping
from multiprocessing import Pool

from bridge.layouts import RouteLayout, Target, layout
from bridge.leases import REPLICA_TTL
from bridge.model.change import LeaseName, Limits
from bridge.model.keys import Publisher, Role, Wish
from bridge.model.route import (
    Auth,
    Backend,
    BasicAuth,
    ForwardAuth,
    Frontend,
    Kind,
    Matcher,
    Route,
    Rule,
    Server,
    Whitelist,
)
from bridge.ownership.claims import may_merge
from bridge.ownership.records import FLEET, cluster_family
from bridge.stores.memory import LIKE_CONSUL, LIKE_ETCD, Fault, MemoryServer
from tests.histories import QUIET, TTL, Bridge, Cluster, Mutation, Violation, claims_on, honest

TRAEFIK1, TRAEFIK3 = layout("traefik1"), layout("traefik3", Target((3, 7)))
NARROW = Limits(operations=12, size=370_000, create=2, update=1, move=3, delete=2, check=1)  # most is split
PLACES: tuple[tuple[RouteLayout, str, str], ...] = (
    (TRAEFIK3, "v3/traefik/", "bridge/v3.2ftraefik/"),
    (TRAEFIK1, "traefik/", "bridge/traefik/"),
)
SERVICES = ("app", "web")
HOSTS = (("a.local",), ("b.local",), ("a.local", "b.local"))
HASH = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="
AUTHS: tuple[BasicAuth | ForwardAuth, ...] = (
    BasicAuth((f"u:{HASH}",)),
    BasicAuth((f"v:{HASH}",)),
    ForwardAuth("http://auth.local/"),
    ForwardAuth("http://auth.local/", trust_forward_header=True),
)

Served = Mapping[str, tuple[str, frozenset[tuple[str, str]], str]]  # by router: rule, what protects, service


def disabled(keys: Mapping[str, str]) -> Mapping[str, str]:
    """The routers of keys (path below its prefix: value) that are whole, but for a middleware of two kinds, and it.

    Traefik disables both: the route answers nothing.
    """
    kinds = {tuple(path.split("/")[2:4]) for path in keys if path.startswith("http/middlewares/")}
    several = {name for name, count in Counter(name for name, _ in kinds).items() if count > 1}
    found: dict[str, str] = {}
    for path, names in keys.items():
        base, _, field = path.rpartition("/")
        if (
            base.startswith("http/routers/")
            and field == "middlewares"
            and {f"{base}/rule", f"{base}/service"} <= {*keys}
        ):
            found |= {base.rpartition("/")[2]: name for name in names.split(",") if name in several}
    return found


def served(keys: Mapping[str, str]) -> Served:
    """The routers that Traefik makes of keys (path below its prefix: value)."""
    lost = disabled(keys)
    found = {}
    for path, service in keys.items():
        base, _, field = path.rpartition("/")
        if not base.startswith("http/routers/") or field != "service" or base.rpartition("/")[2] in lost:
            continue
        names = [name for name in keys.get(f"{base}/middlewares", "").split(",") if name]
        parts = [[key for key in keys if key.startswith(f"http/middlewares/{name}/")] for name in names]
        if f"{base}/rule" not in keys or not all(parts):
            continue  # without its rule, or a middleware, Traefik drops it
        stands = [key for some in parts for key in some]
        stands += [key for key in keys if key.startswith(f"{base}/entryPoints")]
        places = {key: place for key in stands if (place := TRAEFIK3.place(key)) and place.role is Role.PROTECTS}
        protects = {(key, keys[key]) for key, place in places.items() if not place.weakens}
        weakened = {key.split("/")[2] for key, place in places.items() if place.weakens}
        protects |= {(name, "whole") for name in names if name not in weakened}
        found[base.rpartition("/")[2]] = keys[f"{base}/rule"], frozenset(protects), service
    return found


class WholeHistory:
    """One random history."""

    def __init__(
        self,
        seed: int,
        *,
        clusters: int = 2,
        replicas: int = 1,
        both: bool = False,
        hands: bool = False,
        losses: bool = False,
        limits: Limits = LIKE_ETCD,
        mutation: Mutation = honest,
        places: tuple[tuple[RouteLayout, str, str], ...] = PLACES,
    ) -> None:
        """`both`: each cluster has a second publisher. `hands`: an operator deletes keys."""
        self.random, self.now, self.count, self.mutation = random.Random(seed), 1000.0, 0, mutation
        self.server = MemoryServer(lambda: self.now, limits=limits)
        self.hands, self.losses = hands, losses
        self.judged = 0  # revision
        self.excused = False  # a hand took away what protects, and it was not put back yet
        self.places = places if both else places[:1]
        names = [f"c{number}" for number in range(clusters)]
        self.sides = {place: {name: Cluster(name) for name in names} for place in self.places}
        self.routes: dict[tuple[str, str], Route] = {}  # by cluster and service
        self.processes = [  # each with one bridge a publisher
            [
                Bridge(self, side[name], f"r{number}", Publisher(one, tree, records, name))
                for (one, tree, records), side in self.sides.items()
            ]
            for name in names
            for number in range(replicas)
        ]
        for name in names:
            self._change_world(name)

    def tree(self) -> Mapping[str, str]:
        """See `Stage`."""
        with self.server._lock:
            self.server._expire()
        return {key: item.value for key, item in self.server._items.items() if not key.startswith("bridge/")}

    def below(self, tree: str) -> dict[str, str]:
        """The keys of one Traefik, by path."""
        return {key.removeprefix(tree): value for key, value in self.tree().items() if key.startswith(tree)}

    # What happens

    def run(self, events: int) -> None:
        """Random events, then peace, then the reckoning."""
        for _ in range(events):
            self._event()
            self.judge()
        self.settle()
        self.reckon()

    def _event(self) -> None:
        dice, process = self.random.random(), self.random.choice(self.processes)
        bridge = self.random.choice(process)
        name = bridge.cluster.name
        if dice < 0.80:
            if not bridge.stalled:
                next(bridge.steps)
        elif dice < 0.88:
            self._change_world(name)
        elif dice < 0.91:
            self.pass_time(self.random.choice((0.3, 2.5, 11.0, 70.0)))
        elif dice < 0.93:
            for one in process:
                one.restart()
        elif dice < 0.95:
            stalled = not bridge.stalled
            for one in process:
                one.stalled = stalled
        elif dice < 0.97:
            bridge.store.next_commit = self.random.choice(tuple(Fault))
        elif dice < 0.98:
            for side in self.sides.values():
                side[name].held = not side[name].held
        elif dice < 0.99 and self.losses:
            self.server.end(LeaseName(self.random.choice((FLEET, cluster_family(name))), TTL))
        elif self.hands and (keys := sorted(self.tree())):
            self.server.erase(self.random.choice(keys))
            self.excused = True

    def pass_time(self, seconds: float) -> None:
        """Whoever lives renews."""
        until = self.now + seconds
        while self.now < until:
            self.now += min(until - self.now, 1.0)
            for process in self.processes:
                for bridge in process:
                    bridge.renew()
            self.judge()

    def _change_world(self, cluster: str) -> None:
        service = self.random.choice(SERVICES)
        before = self.routes.pop((cluster, service), None)
        route = None if before and self.random.random() < 0.2 else self._route(cluster, service, before)
        if route is not None:
            self.routes[cluster, service] = route
        for (one, _, _), side in self.sides.items():
            if route is None:
                side[cluster].wishes.pop(f"{service}__shop", None)
            else:
                side[cluster].want(one.wish(route, cluster))

    def _route(self, cluster: str, service: str, before: Route | None) -> Route:
        choose = self.random.choice
        lives = {f"{cluster}{n}" for n in range(4) if choose((True, False))}
        was = {server.identity for server in before.backends[0].servers} if before else set[str]()
        retiring = tuple(sorted(one for one in was - lives if choose((True, False))))
        drained = tuple(one for one in retiring if choose((True, False)))
        servers = tuple(Server(one, "http", f"{one}.local", 80) for one in sorted(lives))
        backend = Backend(servers=servers, retiring=retiring, drained=drained)
        if before and choose((True, False)):
            return Route(service, "shop", before.frontends, (backend,))
        frontends = [self._frontend("", choose(HOSTS))]
        if choose((True, False, False)):
            frontends.append(self._frontend("x", choose(HOSTS)))
        return Route(service, "shop", tuple(frontends), (backend,))

    def _frontend(self, segment: str, hosts: tuple[str, ...]) -> Frontend:
        choose = self.random.choice
        path = (Matcher(Kind.PATH_PREFIX, ("/x",)),) if segment else ()
        return Frontend(
            segment,
            Rule((Matcher(Kind.HOST, hosts), *path)),
            auth=Auth(choose(AUTHS)) if choose((True, False)) else None,
            whitelist=Whitelist(("10.0.0.0/8",)) if choose((True, False, False)) else None,
            entry_points=choose(((), (), ("web",))),
        )

    # What must hold

    def after_commit(self, before: Mapping[str, str]) -> None:
        """No transaction takes away a shared key that a living decider wishes."""
        gone = before.keys() - self.tree().keys()
        for one, tree, records in self.places:
            for path in (key.removeprefix(tree) for key in gone if key.startswith(tree)):
                place = one.place(path)
                claims = claims_on(self.server, records, place.group) if place and place.role is not Role.SERVER else []
                if place and claims and path in claims[0][2] and not place.weakens:
                    raise Violation(f"{tree}{path} was taken away while {claims[0][1]} claims it")
        self.judge()

    def judge(self) -> None:
        """What Traefik 3 serves: nothing without its protection, nobody's servers under less than they ask for."""
        self.tree()
        if self.server.revision == self.judged:
            return
        self.judged = self.server.revision
        one, tree, records = self.places[0]
        keys = self.below(tree)
        if self.excused:
            self.excused = self._is_broken(keys, records)
            return
        for name, middleware in disabled(keys).items():
            raise Violation(f"{name} answers nothing: its middleware {middleware} is of two kinds")
        clusters = self.sides[self.places[0]].values()
        for name, (rule, protects, service) in served(keys).items():
            group = "__".join(name.split("--")[0].split("__")[:2])
            asked = [served(wish.shared).get(name) for each in clusters for wish in each.history.get(group, ())]
            if not any(found and found[0] == rule and found[1] <= protects for found in asked):
                raise Violation(f"{name} is open by {rule} with {sorted(protects)}: nobody asked for that")
            for path in keys:
                place = one.place(path)
                if place is None or place.role is not Role.SERVER or f"/{service}/" not in path:
                    continue
                owner = next(each for each in clusters if each.name == place.cluster)
                if not any(_may_stand_behind(wish, name, protects) for wish in owner.history.get(group, ())):
                    raise Violation(f"{path} is reached through {name} with {sorted(protects)}")

    def _is_broken(self, keys: Mapping[str, str], records: str) -> bool:
        """Whether a shared key is missing that a decider wishes."""
        decided = (claims_on(self.server, records, f"{service}__shop")[:1] for service in SERVICES)
        return any(path not in keys for claims in decided for _, _, wished in claims for path in wished)

    # Peace

    def settle(self) -> None:
        """Everybody lives and works until nobody has anything left to do."""
        bridges = [bridge for process in self.processes for bridge in process]
        for bridge in bridges:
            bridge.restart()
            bridge.cluster.held = False
        deadline, rest = self.now + QUIET, 0
        while self.now < deadline:
            for bridge in bridges:
                for _ in range(400):
                    next(bridge.steps)
                    if bridge.idle:
                        break
            rest = 0 if any(map(_is_busy, bridges)) else rest + 1
            if rest > REPLICA_TTL + 2:
                return
            self.pass_time(1.0)
        raise Violation("it does not come to rest")

    def reckon(self) -> None:
        """Exactly the wanted keys stand, of each publisher."""
        for (one, tree, records), side in self.sides.items():
            wanted = dict(one.standing())
            for group in (f"{service}__shop" for service in SERVICES):
                claims = claims_on(self.server, records, group)
                wishes = {name: each.wishes[group] for name, each in side.items() if group in each.wishes}
                if {name for _, name, _ in claims} != wishes.keys():
                    raise Violation(f"{group} is claimed by {claims}, wanted by {sorted(wishes)}")
                decider = wishes[claims[0][1]] if claims else Wish(group, {}, {})
                wanted |= decider.shared
                for wish in wishes.values():
                    wanted |= wish.own if may_merge(wish.shared, decider.shared, one) else {}
            stands = self.below(tree)
            for path in sorted(wanted.keys() | stands.keys()):
                if wanted.get(path) != stands.get(path):
                    raise Violation(f"{tree}{path} is {stands.get(path)!r}, wanted {wanted.get(path)!r}")


def _is_busy(bridge: Bridge) -> bool:
    if bridge.last is None or any(wait.seconds is not None for wait in bridge.last.waits):
        return True
    return bool(bridge.last.units and bridge._may_lead())


def _may_stand_behind(wish: Wish, router: str, protects: frozenset[tuple[str, str]]) -> bool:
    """Whether servers of a cluster with this wish may be reached through a router with this protection."""
    asked = served(wish.shared)
    if router in asked:
        return asked[router][1] <= protects
    return not any(found for _, found, _ in asked.values())


def tell(seed: int, events: int) -> str:
    """One history of whatever kind its seed says; what it broke, or nothing."""
    history = WholeHistory(
        seed,
        clusters=1 + seed % 3,
        replicas=1 + (seed % 5 == 0),
        both=seed % 2 == 0,
        hands=seed % 7 == 0,
        losses=seed % 4 < 2,
        limits=(LIKE_ETCD, LIKE_CONSUL, NARROW)[seed // 3 % 3],
    )
    try:
        history.run(events)
    except Violation as err:
        return f"seed {seed}: {err}"
    return ""


def _tell_long(seed: int) -> str:
    return tell(seed, 200)


def main() -> None:
    """As many as one has time for."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    with Pool() as pool:
        broken = [told for told in pool.imap_unordered(_tell_long, range(first, last)) if told]
    print(*broken, f"{last - first} histories, {len(broken)} broken", sep="\n")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
