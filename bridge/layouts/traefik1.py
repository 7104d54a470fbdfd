"""The key layout that Traefik 1.7 reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from bridge.labels.notes import NO_KEY
from bridge.labels.rules import parse_rule, write_rule
from bridge.labels.table import ACME, PROTOCOL
from bridge.layouts import NO_ROUTES, Claimed, Natives, RouteLayout, Target, nothing_claimed
from bridge.layouts.lint import Finding, Grade
from bridge.layouts.traefik1_guard import check
from bridge.layouts.traefik1_keys import name_of, route_keys, server_base
from bridge.layouts.traefik1_secrets import is_secret
from bridge.layouts.traefik1_text import stored, unescape_value
from bridge.layouts.wishes import wish_of
from bridge.model.keys import STANDING, Entry, Place, Role, Wish, group_name, server_cluster, split_owner
from bridge.model.native import Native
from bridge.model.problem import Problem
from bridge.model.route import Backend, Kind, Matcher, Route, Rule

_PLACES = 1 << 17  # paths remembered: more than a tree holds that Traefik still reads in minutes

_KINDS = ("backends", "frontends")

# What keeps requests away below `frontends/<f>/`. Lists may stand as a leaf or as children.
_PROTECTS = re.compile(
    r"(auth|whitelist|redirect)/.*|(basicauth|entrypoints)(/.*)?|passtlscert"
    r"|headers/((allowedhosts|hostsproxyheaders)(/.*)?|ssl.*)",
    re.S,
)
# Of these the first that is there counts, in this order: beside one of them the others do nothing.
_KIND = re.compile(r"auth/(basic|digest|forward)(?=/)")
# Those of them by which more requests pass: whose word counts for who asks, for which host, and whether by TLS.
_WEAKENS = re.compile(
    r"whitelist/usexforwardedfor|auth/forward/(trustforwardheader|tls/(insecureskipverify|caoptional))"
    r"|headers/(hostsproxyheaders(/.*)?|sslproxyheaders/.*)",
    re.S,
)


class Traefik1:
    """Traefik 1.7's layout; it holds nothing."""

    name = "traefik1"
    reads_halves = True
    folders = tuple(f"{kind}/" for kind in _KINDS)
    has_backstop = True
    speaks_native = False

    def entries(self, route: Route, cluster: str) -> tuple[Entry, ...]:
        """All keys of `route` as `cluster` wants them, sorted by path. Raises ValueError as `check`."""
        keys = sorted((path, stored(path, text)) for path, text in route_keys(route, cluster))
        entries = tuple(_entry(path, value) for path, value in keys)
        check(entries)
        return entries

    def wish(self, route: Route, cluster: str) -> Wish:
        """The same keys, shared and own apart. Raises ValueError as `check`."""

        def bases(backend: Backend, identity: str) -> Iterator[str]:
            yield server_base(name_of(route, backend.segment), cluster, identity)

        return wish_of(route, group_name(name_of(route, "")), self.entries(route, cluster), bases)

    def losses(self, route: Route) -> tuple[Problem, ...]:
        """Certificates alone: Traefik 1 asks for them by its own options."""
        if not route.acme:
            return ()
        return (Problem(route.title, ACME.name, "true", ACME.unwritten, NO_KEY, notice=True),)

    def grounded(
        self,
        route: Route,
        published: Collection[str],  # noqa: ARG002
    ) -> tuple[Route, tuple[Problem, ...]]:
        """The same: a backend that is missing costs Traefik 1 an error page, and nothing else."""
        return route, ()

    def natives(
        self,
        asking: Sequence[Native],
        cluster: str,  # noqa: ARG002
        claimed: Claimed = nothing_claimed,  # noqa: ARG002
        routes: Mapping[str, Wish] = NO_ROUTES,  # noqa: ARG002
    ) -> Natives:
        """Nothing: Traefik 1 knows none of it."""
        why = "its labels speak to Traefik 2 and 3 only"
        do = "say it in Traefik 1's labels too, if its requests shall come here: bridge labels lists them"
        words = {PROTOCOL.name: ("Traefik 1 knows HTTP alone", "layout traefik3 has it")}
        told = [
            Problem(one.title, one.label, "", *(said[0], "no frontend"), notice=True, suggestion=said[1])
            for one in asking
            if one.alone
            for said in [words.get(one.label, (why, do))]
        ]
        return Natives({}, tuple(told), {})

    def place(self, path: str) -> Place | None:
        """What a key at `path` below the prefix is; None outside `frontends/<name>` and `backends/<name>`."""
        return _place(path)

    def opening(self, holder: str) -> tuple[str, ...]:
        """The paths of the keys that open `holder`, whether they stand or not; none for what opens nothing."""
        return (f"{holder}/backend",) if holder.startswith("frontends/") else ()

    def narrows(self, path: str, before: str, after: str) -> bool:  # noqa: ARG002
        """Of two rules nobody tries to say."""
        return False

    def leans_on(self, keys: Mapping[str, str]) -> frozenset[str]:  # noqa: ARG002
        """None: a service has all that its frontends need."""
        return frozenset()

    def hosts(self, keys: Mapping[str, str]) -> frozenset[str]:
        """The hosts that the rules among `keys` (path: stored value) ask for, patterns as they are written.

        In lower case, patterns too: Traefik lowers them before it compiles them. What is no rule asks for nothing.
        """
        rules = (value for path, value in keys.items() if (place := _place(path)) and place.role is Role.RULE)
        return frozenset(host for value in rules for host in _hosts(value))

    def is_secret(self, path: str, value: str) -> bool:
        """Whether reports hide the value of the key at `path` below the prefix, since it may let somebody in."""
        return is_secret(path, value)

    def standing(self) -> Mapping[str, str]:
        """The backstop's keys: it takes the hosts nobody asks for, so that a frontend without its rule gets none."""
        return {
            f"backends/{STANDING}/loadbalancer/method": "wrr",
            f"frontends/{STANDING}/backend": STANDING,
            f"frontends/{STANDING}/priority": "1",
            f"frontends/{STANDING}/routes/main/rule": write_rule(Rule((Matcher(Kind.PATH_PREFIX, ("/",)),))),
        }

    def lint(
        self, keys: Mapping[str, str], elsewhere: Mapping[str, str], prefix: str, store_kind: str
    ) -> tuple[Finding, ...]:
        """What Traefik 1.7 refuses, loses or misreads, the worst first."""
        from bridge.layouts.traefik1_lint import lint, strays  # much to load that only this needs

        return (*lint(keys, prefix, store_kind), *strays(elsewhere, prefix.removeprefix("/"), prefix))

    def poison(self, keys: Mapping[str, str], prefix: str) -> tuple[Finding, ...]:
        """What ends Traefik 1.7, or stops it from taking any change."""
        from bridge.layouts.traefik1_lint import lint

        found = lint(keys, prefix, "etcd" if prefix.startswith("/") else "consul")
        return tuple(one for one in found if one.flaw.grade in (Grade.DEAD, Grade.FROZEN))

    def tree_prefix(self, prefix: str, store_kind: str) -> str:
        """`/traefik/` on etcd, `traefik/` on Consul: the only forms that Traefik 1.7 finds by its default flags.

        Raises ValueError when nothing of `prefix` is left without outer slashes.
        """
        inner = prefix.strip("/")
        if not inner:
            raise ValueError("Traefik reads no tree without a prefix")
        return f"{inner}/" if store_kind == "consul" else f"/{inner}/"


TRAEFIK1: RouteLayout = Traefik1()


def build(_target: Target) -> RouteLayout:
    """The layout; Traefik 1 needs nothing told."""
    return TRAEFIK1


# What a path says.


@lru_cache(_PLACES)
def _place(path: str) -> Place | None:
    kind, _, below = path.partition("/")
    name, _, rest = below.partition("/")
    if kind not in _KINDS or not name:
        return None
    group, holder, owner = group_name(name), f"{kind}/{name}", split_owner(name)[0] or None
    if kind == "frontends":
        of = _KIND.match(rest)
        weakens = _WEAKENS.fullmatch(rest) is not None
        return Place(group, holder, _frontend_role(rest), owner, weakens, f"{holder}/{of[0]}" if of else "")
    servers, _, server_path = rest.partition("/")
    server, slash, _ = server_path.partition("/")
    if servers != "servers" or not slash:
        return Place(group, holder, Role.REST, owner)
    cluster = server_cluster(server)
    # A server that names no cluster was written by hand: nobody counts it among its servers.
    return Place(group, f"{holder}/servers/{server}", Role.SERVER if cluster else Role.REST, owner or cluster)


def _frontend_role(rest: str) -> Role:
    if rest == "backend":
        return Role.OPENS
    if rest.startswith("routes/") and rest.endswith("/rule") and rest.count("/") == 2:
        return Role.RULE
    return Role.PROTECTS if _PROTECTS.fullmatch(rest) else Role.REST


def _hosts(value: str) -> tuple[str, ...]:
    try:
        rule = parse_rule(unescape_value(value))
    except ValueError:
        return ()
    asking = (matcher for matcher in rule.matchers if matcher.kind in (Kind.HOST, Kind.HOST_REGEXP))
    return tuple(host.lower() for matcher in asking for host in matcher.values)


def _entry(path: str, value: str) -> Entry:
    place = _place(path)
    if place is None:
        raise ValueError(f"{path}: no key that a route consists of")
    return Entry(path, value, _origin(path, place), place)


def _origin(path: str, place: Place) -> str:
    if place.role is Role.SERVER:
        return "containers"
    return "layout" if place.role is Role.OPENS or path.endswith("/loadbalancer/method") else "labels"
