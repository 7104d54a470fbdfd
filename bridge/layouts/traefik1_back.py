"""From the keys of Traefik 1.7's tree, whoever wrote them, back to the routes that ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.labels import table, types
from bridge.labels.notes import NO_ROUTE
from bridge.labels.read import Asked, read
from bridge.labels.rules import write_rule
from bridge.labels.types import Publish
from bridge.layouts.go_values import is_whole, parsed_url
from bridge.layouts.traefik1_labels import Told, as_label, told
from bridge.layouts.traefik1_text import unescape_value
from bridge.model.keys import STANDING, escape, group_name, group_title, server_cluster, unescape
from bridge.model.problem import Problem
from bridge.model.route import Backend, ErrorPage, Frontend, Route, Server

FOREIGN = "-"  # the stack of what is of no service: no stack is called so
LEFT_OUT = "left it out"
_HAS_NOT = "Traefik 1 has no such route either"
_PORTS = {"http": 80, "https": 443}
_NEEDED = {table.PORT.name: "80"}  # a native service must say it; servers' urls do

Keys = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Back:
    """What belongs together in a tree: frontends, and the backends that they lead to.

    Of names that the bridge makes, all of one service; of others, whatever refers to each other. Then the names
    themselves are the segments of the route, and its stack is FOREIGN.
    """

    title: str  # stack/service, or the name of the first frontend
    frontends: tuple[str, ...]  # their names in the tree
    backends: tuple[str, ...]
    route: Route | None  # None: it cannot be read back, and a problem says why
    problems: tuple[Problem, ...]  # each names a key


@dataclass(frozen=True, slots=True)
class Tree:
    """All that was read back."""

    routes: tuple[Back, ...]  # by title
    problems: tuple[Problem, ...]  # of what belongs to no route
    certificates: int  # below tls/, which no route speaks of


def read_back(keys: Keys, cluster: str) -> Tree:
    """The routes in a tree: its keys by path below the prefix. Servers of `cluster` get their identity back.

    The standing group is left out. Whatever the keys, nothing is raised.
    """
    objects = _objects(keys)
    problems = [] if "alias" not in keys else [_alias(keys["alias"])]
    found = []
    for names in _together(objects):
        frontends, backends = _names(names, "frontends"), _names(names, "backends")
        if frontends:
            found.append(_back(frontends, backends, objects, cluster))
        else:
            problems += [_unused(name) for name in backends]
    certificates = {path.split("/")[1] for path in keys if path.startswith("tls/") and path.count("/") > 1}
    return Tree(tuple(sorted(found, key=lambda one: one.title)), tuple(problems), len(certificates))


def _objects(keys: Keys) -> dict[str, dict[str, str]]:
    """The keys of each frontend and backend, by `frontends/<name>` and `backends/<name>`."""
    found: dict[str, dict[str, str]] = {}
    for path, value in sorted(keys.items()):
        kind, _, below = path.partition("/")
        name, slash, _ = below.partition("/")
        if kind in ("frontends", "backends") and name not in ("", STANDING) and (slash or kind == "backends"):
            found.setdefault(f"{kind}/{name}", {})[path] = value
    return found


def _names(objects: Iterable[str], kind: str) -> tuple[str, ...]:
    return tuple(sorted(one.partition("/")[2] for one in objects if one.startswith(f"{kind}/")))


def _alias(to: str) -> Problem:
    reason = "Traefik 1 reads the tree that it names, and this one not at all"
    return Problem("", "alias", to, reason, "read this one; name the other as the prefix of --store")


def _unused(name: str) -> Problem:
    return Problem("", f"backends/{name}", "", "no frontend leads to it", LEFT_OUT, notice=True)


# What belongs together.


def parts_of(name: str) -> tuple[str, ...]:
    """Service, stack and perhaps segment of a name that the bridge makes; empty for any other."""
    try:
        parts = tuple(unescape(part) for part in name.split("__"))
    except ValueError:
        return ()
    made = len(parts) in (2, 3) and "" not in parts and parts[1] != FOREIGN
    return parts if made and "__".join(map(escape, parts)) == name else ()


def _together(objects: Mapping[str, Keys]) -> Iterator[tuple[str, ...]]:
    """Frontends and backends that one route must hold, as sets of their own."""
    leads: dict[str, str] = {}

    def end(one: str) -> str:
        while one in leads:
            one = leads[one]
        return one

    def join(one: str, other: str) -> None:
        if end(one) != end(other):
            leads[max(end(one), end(other))] = min(end(one), end(other))

    for one, keys in objects.items():
        name = one.partition("/")[2]
        if parts_of(name):
            join(one, group_name(name))
        for other in _referred(one, keys):
            if other in objects:
                join(one, other)
    sets: dict[str, list[str]] = {}
    for one in objects:
        sets.setdefault(end(one), []).append(one)
    yield from map(tuple, sets.values())


def _referred(one: str, keys: Keys) -> Iterator[str]:
    """The backends that an object names; pages name those of other services too, which are no part of it."""
    if f"{one}/backend" in keys:
        yield f"backends/{_plain(keys[f'{one}/backend'])}"
    for path, value in keys.items():
        if path.startswith(f"{one}/errors/") and path.endswith("/backend") and not parts_of(_plain(value)):
            yield f"backends/{_plain(value)}"


def _plain(value: str) -> str:
    try:
        return unescape_value(value)
    except ValueError:
        return value


# One route.


def _back(frontends: Sequence[str], backends: Sequence[str], objects: Mapping[str, Keys], cluster: str) -> Back:
    names = (*frontends, *backends)
    groups = {group_name(name) if parts_of(name) else "" for name in names}
    ours = len(groups) == 1 and "" not in groups
    title = group_title(group_name(frontends[0])) if ours else frontends[0]
    reader = _Reader(title, objects, ours=ours, cluster=cluster)
    fronts = [one for name in frontends if (one := reader.frontend(name)) is not None]
    backs = tuple(reader.backend(name) for name in backends)
    service, stack = parts_of(frontends[0])[:2] if ours else (frontends[0], FOREIGN)
    route = Route(service, stack, tuple(fronts), backs) if fronts and not reader.lost else None
    return Back(title, tuple(frontends), tuple(backends), route, tuple(dict.fromkeys(reader.problems)))


class _Reader:
    """Reads the frontends and backends of one route, with the problems that come up."""

    def __init__(self, title: str, objects: Mapping[str, Keys], *, ours: bool, cluster: str) -> None:
        self.title, self.objects, self.ours, self.cluster = title, objects, ours, cluster
        self.problems: list[Problem] = []
        self.lost = False  # the route cannot be as it was

    def frontend(self, name: str) -> Frontend | None:
        """What its keys ask for; None where Traefik has no such frontend, or where they cannot be read."""
        base = f"frontends/{name}"
        keys = self.objects[base]
        backend = _plain(keys.get(f"{base}/backend", ""))
        if f"backends/{backend}" not in self.objects:
            reason = f"there is no backend {backend!r}" if backend else "it names no backend"
            self._problem(f"{base}/backend", reason, f"{LEFT_OUT}: {_HAS_NOT}")
            return None
        rules = self._rules(base, keys)
        if not rules:
            return None
        said = told(keys)
        said.labels[table.RULE.name], said.keys[table.RULE.name] = as_label(";".join(rules)), f"{base}/routes"
        asked = self._asked(said, base)
        if not asked.frontends or self.lost:
            self.lost = True
            return None
        found = asked.frontends[0]
        if found.priority is None and length_of(rules) != length_of((write_rule(found.rule),)):
            # As it was written, blanks and all, it decides which route wins; and so it is not written again.
            found = replace(found, priority=length_of(rules))
        limit = found.rate_limit
        if limit:
            sets = ((_inner(said.names[word]), one) for word, one in limit.sets)
            limit = replace(limit, sets=tuple(sorted(sets, key=lambda named: named[0])))
        return replace(
            found,
            segment=self._segment(name),
            backend=self._segment(backend),
            errors=tuple(sorted(self._pages(base, found.errors, said), key=lambda page: page.name)),
            rate_limit=limit,
        )

    def backend(self, name: str) -> Backend:
        """What its keys ask for, with its servers."""
        base = f"backends/{name}"
        keys = self.objects[base]
        said = told({path: value for path, value in keys.items() if not path.startswith(f"{base}/servers/")})
        said.labels[table.RULE.name] = "PathPrefix:/"
        found = self._asked(said, base).pools[0].backend
        servers = sorted(self._servers(f"{base}/servers/", keys), key=lambda one: one.identity)
        tags = [tag for path, value in keys.items() if path.endswith("/tags") for tag in _items(value)]
        return replace(found, segment=self._segment(name), tags=tuple(dict.fromkeys(tags)), servers=tuple(servers))

    def _segment(self, name: str) -> str:
        return "".join(parts_of(name)[2:]) if self.ours else name

    def _rules(self, base: str, keys: Keys) -> tuple[str, ...]:
        try:
            rules = rules_of(base, keys)
        except ValueError as err:
            self._lose(f"{base}/routes", str(err))
            return ()
        if not rules:
            self._lose(f"{base}/routes", "without a rule Traefik 1 takes requests for every host to it")
        return rules

    def _asked(self, said: Told, base: str) -> Asked:
        """What labels ask for that say what the keys say."""
        for fault in said.faults:
            self._problem(fault.path, fault.reason, NO_ROUTE if fault.costs else LEFT_OUT)
            self.lost |= fault.costs
        for path in said.unread:
            self._problem(path, "Traefik 1 reads no such key", LEFT_OUT, notice=True)
        asked = read(self.title, "s", "t", Publish.SERVICE, _NEEDED | said.labels)
        for one in asked.problems:
            if not (one.notice and one.label == table.RULE.name):  # of any host: so it was
                key = said.keys.get(one.label, base)
                self.problems.append(replace(one, label=key, suggestion=""))
        self.lost |= bool(asked.refusals)
        return asked

    def _pages(self, base: str, pages: Iterable[ErrorPage], said: Told) -> Iterator[ErrorPage]:
        for page in pages:
            name = said.names[page.name]
            path = f"{base}/errors/{name}/backend"
            backend = _plain(self.objects[base][path])
            if f"backends/{backend}" in self.objects or parts_of(backend):
                yield replace(page, name=_inner(name), backend=self._page_backend(base, backend))
            else:
                self._problem(
                    path, f"there is no backend {backend!r}", f"{LEFT_OUT}: Traefik 1 has no such page either"
                )

    def _page_backend(self, base: str, name: str) -> str:
        """Its segment where it is one of the route's own."""
        own = not self.ours or group_name(name) == group_name(base.partition("/")[2])
        return self._segment(name) if own and f"backends/{name}" in self.objects else name

    def _servers(self, base: str, keys: Keys) -> Iterator[Server]:
        names = dict.fromkeys(path.removeprefix(base).partition("/")[0] for path in keys if path.startswith(base))
        for name in names:
            url = f"{base}{name}/url"
            if not keys.get(url):
                continue  # Traefik looks at none without
            if not name:
                self._problem(url, "a server without a name", LEFT_OUT)
                continue
            value = "" if types.holds_login(keys[url]) else keys[url]
            try:
                scheme, host, port, rest = _address(unescape_value(keys[url]))
            except ValueError as err:
                self._problem(url, str(err), LEFT_OUT, value=value)
                continue
            if rest.strip("/"):
                reason = "path, query and user of a server's url count for nothing in Traefik 1"
                self._problem(url, reason, f"{LEFT_OUT} of it", value=value, notice=True)
            yield Server(self._identity(name), scheme, host, port, self._weight(f"{base}{name}/weight", keys))

    def _identity(self, name: str) -> str:
        try:
            identity = unescape(name.partition("--")[2]) if server_cluster(name) == self.cluster else ""
        except ValueError:
            return name
        return identity or name

    def _weight(self, path: str, keys: Keys) -> int:
        """As Traefik 1 takes it."""
        value = keys.get(path, "")
        if value and not is_whole(value):
            self._problem(path, "it is no whole number", "took 1, as Traefik 1 does", value=value)
        elif value and int(value) < 0:
            self._problem(path, "it is negative, so Traefik 1 has no frontend of this backend", "took 1", value=value)
        elif value and int(value) > 0:
            return int(value)
        return 1

    def _problem(self, key: str, reason: str, did: str, *, value: str = "", notice: bool = False) -> None:
        self.problems.append(Problem(self.title, key, value, reason, did, notice))

    def _lose(self, key: str, reason: str) -> None:
        self._problem(key, reason, NO_ROUTE)
        self.lost = True


def rules_of(base: str, keys: Keys) -> tuple[str, ...]:
    """The rules of the frontend at `base`, all of which must match. Raises ValueError where Traefik reads nothing."""
    routes = (path for path in sorted(keys) if path.startswith(f"{base}/routes/") and path.endswith("/rule"))
    return tuple(unescape_value(keys[path]) for path in routes if keys[path])


def length_of(rules: Iterable[str]) -> int:
    """The priority that Traefik 1 gives to a frontend of these rules."""
    return sum(len(rule.encode("utf-8", "surrogatepass")) for rule in rules)


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _inner(name: str) -> str:
    """The name of a page or a rate set, unescaped where the bridge escaped it."""
    try:
        return unescape(name)
    except ValueError:
        return name


def _address(url: str) -> tuple[str, str, int, str]:
    """Scheme, host and port of a server, and what else there is. Raises ValueError where it cannot be reached so."""
    scheme, host, port, rest = parsed_url(url)
    if scheme not in _PORTS:
        raise ValueError("its scheme is neither http nor https")
    number = int(port[:9]) if port else _PORTS[scheme]
    if not 0 < number <= 65535:
        raise ValueError("its port is not between 1 and 65535")
    try:
        return scheme, types.address(host.removeprefix("[").removesuffix("]")), number, rest
    except ValueError:
        return scheme, types.host(host), number, rest
