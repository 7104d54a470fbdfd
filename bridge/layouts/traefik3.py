"""The key layout that Traefik 3 reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from bridge.labels.native_names import KINDS
from bridge.layouts import NO_ROUTES, Claimed, Natives, RouteLayout, Target, nothing_claimed
from bridge.layouts.lint import Finding
from bridge.layouts.traefik3_guard import check
from bridge.layouts.traefik3_keys import is_own, page_service, route_keys, services, written
from bridge.layouts.traefik3_lint import lint, poison, strays
from bridge.layouts.traefik3_losses import losses, page_problem, refuse
from bridge.layouts.traefik3_names import PROTECTING, is_native, native_group, object_name, server_base
from bridge.layouts.traefik3_native import merged, typed
from bridge.layouts.traefik3_references import leans_on
from bridge.layouts.traefik3_rules import asked_hosts
from bridge.layouts.traefik3_secrets import is_secret
from bridge.layouts.wishes import wish_of
from bridge.model.keys import STANDING, Entry, Place, Role, Wish, group_name, owned_name, server_cluster, split_owner
from bridge.model.native import Native
from bridge.model.problem import Problem
from bridge.model.route import Backend, ErrorPage, Route

_ROUTERS = ("http/routers/", "tcp/routers/", "udp/routers/")
_PLACES = 1 << 17  # paths remembered

# What takes away from a protection, of its middleware; in lower case.
_WEAKENS = frozenset(
    ("forwardauth/trustforwardheader", "forwardauth/tls/insecureskipverify", "headers/hostsproxyheaders")
)


class Traefik3:
    """The layout of Traefik 3, for one that the operator has told of."""

    name = "traefik3"
    reads_halves = False  # it reads its tree in one request
    folders: tuple[str, ...] = tuple(f"{protocol}/{kind}/" for protocol, kinds in KINDS.items() for kind in kinds)
    has_backstop = False
    speaks_native = True

    def __init__(self, target: Target) -> None:
        self.target = target

    def entries(self, route: Route, cluster: str) -> tuple[Entry, ...]:
        """All keys of `route` as `cluster` wants them, sorted by path.

        Raises NoCounterpart as `refuse`, ValueError as `check`.
        """
        refuse(route, self.target)
        keys = sorted((path, written(text)) for path, text in route_keys(route, cluster, self.target))
        entries = tuple(_entry(path, value) for path, value in keys)
        pages = {
            page_service(route, page.backend)
            for frontend in route.frontends
            for page in frontend.errors
            if not is_own(route, page.backend)
        }
        check(entries, self.target.version, frozenset(f"http/services/{name}" for name in pages))
        return entries

    def wish(self, route: Route, cluster: str) -> Wish:
        """The same keys, shared and own apart. Raises ValueError as `entries`."""

        def bases(backend: Backend, identity: str) -> Iterator[str]:
            yield from (server_base(service, cluster, identity) for service, _ in services(route, backend))

        return wish_of(route, group_name(object_name(route, "")), self.entries(route, cluster), bases)

    def losses(self, route: Route) -> tuple[Problem, ...]:
        """What of `route` has no counterpart here, and what is done instead. Of a route that has entries."""
        return tuple(dict.fromkeys(losses(route, self.target)))

    def grounded(self, route: Route, published: Collection[str]) -> tuple[Route, tuple[Problem, ...]]:
        """`route` without the error pages of backends that are missing: for such a page Traefik drops the router."""

        def stands(page: ErrorPage) -> bool:
            return page.backend in published or is_own(route, page.backend)

        lost = {page for frontend in route.frontends for page in frontend.errors if not stands(page)}
        if not lost:
            return route, ()
        frontends = tuple(
            replace(frontend, errors=tuple(filter(stands, frontend.errors))) for frontend in route.frontends
        )
        problems = {page_problem(route, page.name, page.backend) for page in lost}
        return replace(route, frontends=frontends), tuple(sorted(problems))

    def natives(
        self,
        asking: Sequence[Native],
        cluster: str,
        claimed: Claimed = nothing_claimed,
        routes: Mapping[str, Wish] = NO_ROUTES,
    ) -> Natives:
        """Routers, services, middlewares and the store of certificates under the names that labels give them."""
        return merged([typed(one, self.target) for one in asking], cluster, self.target, claimed, routes)

    def place(self, path: str) -> Place | None:
        """What a key at `path` below the prefix is; None outside routers, middlewares, services and stores."""
        return _place(path)

    def opening(self, holder: str) -> tuple[str, ...]:
        """The paths of the keys that open `holder`, whether they stand or not; none for what opens nothing."""
        return (f"{holder}/service",) if holder.startswith(_ROUTERS) else ()

    def narrows(self, path: str, before: str, after: str) -> bool:
        """Whether a router's list of middlewares becomes longer by what protects, and by nothing else."""
        left, come = before.split(","), set(after.split(",")) - set(before.split(","))
        stays = [name for name in after.split(",") if name not in come]
        return path.endswith("/middlewares") and stays == left and all(map(_protects, come))

    def leans_on(self, keys: Mapping[str, str]) -> frozenset[str]:
        """Of native labels: each object is a group of its own."""
        return leans_on(keys)

    def hosts(self, keys: Mapping[str, str]) -> frozenset[str]:
        """The hosts, and expressions for hosts, that the rules among `keys` (path: value) ask for.

        Of rules as this layout writes them: what else somebody wrote asks for nothing.
        """
        rules = (value for path, value in keys.items() if path.startswith(_ROUTERS) and path.endswith("/rule"))
        return frozenset(host for rule in rules for host in asked_hosts(rule))

    def is_secret(self, path: str, value: str) -> bool:
        """Whether reports hide the value of the key at `path` below the prefix, since it may let somebody in."""
        return is_secret(path, value)

    def standing(self) -> Mapping[str, str]:
        """The sentinel: of a tree in which no key is left Traefik goes on to serve the last routes."""
        return {f"http/middlewares/{STANDING}/addPrefix/prefix": "/"}

    def lint(
        self,
        keys: Mapping[str, str],
        elsewhere: Mapping[str, str],
        prefix: str,
        store_kind: str,  # noqa: ARG002
    ) -> tuple[Finding, ...]:
        """What Traefik 3 refuses, loses or misreads, the worst first."""
        return (*lint(keys, prefix, self.target.version), *strays(elsewhere, prefix))

    def poison(self, keys: Mapping[str, str], prefix: str) -> tuple[Finding, ...]:
        """What ends Traefik 3, or makes it refuse the whole tree."""
        return poison(keys, prefix, self.target.version)

    def tree_prefix(self, prefix: str, store_kind: str) -> str:  # noqa: ARG002
        """`traefik/` on both stores: with a leading slash Traefik 3 finds nothing, and says nothing.

        Raises ValueError when nothing of `prefix` is left without outer slashes.
        """
        inner = prefix.strip("/")
        if not inner:
            raise ValueError("Traefik reads no tree without a prefix")
        return f"{inner}/"


def build(target: Target) -> RouteLayout:
    """The layout for one Traefik."""
    return Traefik3(target)


# What a path says. Traefik merges names that differ in case, so they are one name here.


@lru_cache(_PLACES)
def _place(path: str) -> Place | None:
    protocol, kind, name, rest = (*path.lower().split("/", 3), "", "", "")[:4]
    holder = f"{protocol}/{kind}/{name}"
    if not name or kind not in KINDS.get(protocol, ()) or (protocol != "http" and not is_native(name)):
        return None
    owner = split_owner(name)[0] or None
    group = native_group(holder) if is_native(name) else _group(name)
    match kind:
        case "routers":
            return Place(group, holder, _router_role(name, rest), owner)
        case "middlewares":
            return _middleware_place(group, holder, rest, owner)
        case "services":
            return _service_place(group, holder, rest, owner)
    return Place(group, holder, Role.REST)


def _group(name: str) -> str:
    """`--` separates what we add to a service's names from them: the cluster in front, and words behind."""
    owner, rest = split_owner(name)
    return owned_name(owner, group_name(rest.partition("--")[0]))


def _router_role(name: str, rest: str) -> Role:
    field = rest.partition("/")[0]
    if field == "service":
        return Role.OPENS
    if field == "middlewares" and is_native(name):
        return Role.PROTECTS  # what they are stands elsewhere
    if field in ("rule", "middlewares"):
        return Role.RULE
    return Role.PROTECTS if field in ("entrypoints", "tls") else Role.REST


def _middleware_place(group: str, holder: str, rest: str, owner: str | None) -> Place:
    """A middleware belongs to its router: without it, or before it is there, Traefik drops the router.

    That of native labels is a group of its own, and whichever it is, a router may count on it.
    """
    name = holder.rpartition("/")[2]
    kind = f"{holder}/{rest.partition('/')[0]}"  # of two kinds it is disabled, with its routers
    if is_native(name):
        return Place(group, holder, Role.PROTECTS, kind=kind)
    router, dashes, _ = name.rpartition("--")
    if not dashes or "--" not in split_owner(name)[1]:
        return Place(group, holder, Role.REST, owner, kind=kind)
    if not _protects(name):
        return Place(group, f"http/routers/{router}", Role.REST, owner, kind=kind)
    return Place(group, f"http/routers/{router}", Role.PROTECTS, owner, rest in _WEAKENS, kind)


def _protects(middleware: str) -> bool:
    return middleware.rpartition("--")[2] in PROTECTING


def _service_place(group: str, holder: str, rest: str, owner: str | None) -> Place:
    balancer, servers, server, field = (*rest.split("/", 3), "", "", "")[:4]
    if (balancer, servers) != ("loadbalancer", "servers") or not field:
        return Place(group, holder, Role.REST, owner)
    cluster = server_cluster(server)
    # A server that names no cluster was written by hand: nobody counts it among its servers.
    role = Role.SERVER if cluster else Role.REST
    return Place(group, f"{holder}/loadBalancer/servers/{server}", role, owner or cluster)


def _entry(path: str, value: str) -> Entry:
    place = _place(path)
    if place is None:
        raise ValueError(f"{path}: no key that a route consists of")
    return Entry(path, value, _origin(path, place), place)


def _origin(path: str, place: Place) -> str:
    if place.role is Role.SERVER:
        return "containers"
    made = place.role is Role.OPENS or path.endswith(("/middlewares", "/loadBalancer/passHostHeader"))
    return "layout" if made else "labels"
