"""Native labels of all services as one tree of Traefik 3: whose word counts, what depends on what, and the keys.

Names are global. Services that ask for one object in the same words have it together, with the servers of all. Where
they do not, who asked for it first decides, else the smallest stack/service, and the others lose it. What depends on
something that is lost, or that nobody asks for, is lost too: a router is never published without a middleware that its
labels name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bridge.labels.native import DEFAULT, LOST
from bridge.labels.native_names import may_be_shown
from bridge.layouts import Claimed, Natives, Target
from bridge.layouts.server_urls import address, distinct, url
from bridge.layouts.traefik3_contests import Asker, Loss, crowded, losses, takes_all
from bridge.layouts.traefik3_lint import faults
from bridge.layouts.traefik3_names import KEEPING, native_group, server_base
from bridge.layouts.traefik3_native_fields import Unfit, plugins, read_fields
from bridge.layouts.traefik3_references import referred
from bridge.model.keys import Wish
from bridge.model.native import Asked, Native, Said
from bridge.model.problem import Problem
from bridge.model.route import Server

_SERVICES = 1 << 12  # remembered: of those that did not change nothing is read again
# Where HTTP is served as a rule, besides what the operator says.
_OF_HTTP = frozenset(("http", "https", "web", "websecure", "traefik"))


@dataclass(frozen=True, slots=True)
class Object:
    """One object as a service asks for it, in the form in which it is written."""

    place: str
    keys: tuple[tuple[str, str], ...]  # paths below the prefix, and values; without those of servers; sorted
    refers: tuple[tuple[str, str], ...]  # places of objects of this tree, and the labels that name them
    origins: tuple[tuple[str, str], ...]  # paths, and labels; sorted
    label: str
    servers: tuple[Server, ...] = ()
    retiring: tuple[str, ...] = ()
    drained: tuple[str, ...] = ()
    each: str = ""  # a key that each of its servers has, true


@dataclass(frozen=True, slots=True)
class Typed:
    """What one service asks for, as far as it can be had for itself."""

    native: Native
    objects: Mapping[str, Object]  # by place
    lost: frozenset[str]  # places of what it asks for in vain
    problems: tuple[Problem, ...]


@lru_cache(_SERVICES)
def typed(native: Native, target: Target) -> Typed:
    """What of it this Traefik can have."""
    objects, lost, problems = dict[str, Object](), set(native.lost), list(native.problems)
    for asked in native.asked:
        try:
            found = _object(native, asked, target, problems)
            if found.keys:
                objects[asked.place] = found
            else:
                lost.add(asked.place)
                why = "all that it says is switched off"
                problems.append(Problem(native.title, asked.label, "", why, LOST, notice=True))
        except Unfit as err:
            lost.add(asked.place)
            value = err.said.text if may_be_shown(err.said.label, err.said.text) else ""
            problems.append(Problem(native.title, err.said.label, value, err.reason, LOST, suggestion=err.hint))
    return Typed(native, objects, frozenset(lost), tuple(dict.fromkeys(problems)))


def _object(native: Native, asked: Asked, target: Target, problems: list[Problem]) -> Object:
    """Raises Unfit."""
    found = read_fields(native.title, asked, target.version)
    for above, (path, value) in KEEPING.items():
        if asked.place.startswith(above) and f"{path}/version" not in found.values:
            found.values.setdefault(path, value)
    if asked.place.startswith("http/routers/") and target.entry_points:
        found.values.setdefault("entryPoints", ",".join(target.entry_points))
    keys = {f"{asked.place}/{path}": value for path, value in found.values.items()}
    if taken := _http_points(asked.place, found.values, target):
        said = next(one for one in asked.fields if one.path.lower().startswith("entrypoints"))
        why = f"HTTP is served at {taken}, and this router would take its connections"
        raise Unfit(said, why, "name an entry point of its own, or a rule with HostSNI of a name, and tls")
    refers = tuple(
        (place, label if (label := found.origins[path]) != DEFAULT else asked.label)
        for place, path in referred(asked.place, found.values)
    )
    elsewhere = frozenset(place for place, _ in refers)
    if fault := next(iter(faults(keys, target.version, elsewhere)), ""):
        path, _, reason = fault.partition(": ")
        label = found.origins.get(path.removeprefix(f"{asked.place}/"), asked.label)
        said = next((one for one in asked.fields if one.label == label), Said("", "", label))
        raise Unfit(said, reason)
    problems += found.problems
    for plugin in plugins(found.values):
        why = f"it needs the plugin {plugin} in Traefik's static configuration, else its routers are disabled: 404"
        problems.append(Problem(native.title, asked.label, "", why, "published it", notice=True))
    return Object(
        place=asked.place,
        keys=tuple(sorted(keys.items())),
        refers=refers,
        origins=tuple(sorted((f"{asked.place}/{path}", label) for path, label in found.origins.items())),
        label=asked.label,
        servers=asked.servers,
        retiring=asked.retiring,
        drained=asked.drained,
        each=found.each,
    )


# All services together.


def merged(
    pieces: Iterable[Typed], cluster: str, target: Target, claimed: Claimed, routes: Mapping[str, Wish]
) -> Natives:
    """The tree of all services. `routes`: what is published beside it, by stack/service."""
    merge = _Merge(sorted(pieces, key=lambda one: one.native.title), claimed)
    merge.decide()
    merge.carry()
    for place, why in _beyond(tuple(sorted(merge.below_routers().items())), target.version):
        for title in tuple(merge.holders.get(place, ())):
            merge.lose(title, place, why)
    merge.carry()
    merge.contest(routes)
    return merge.natives(cluster)


@lru_cache(4)
def _beyond(keys: tuple[tuple[str, str], ...], version: tuple[int, int]) -> tuple[tuple[str, str], ...]:
    """Objects that only others make wrong, and why: those that lead to themselves."""
    found = dict[str, str]()
    for fault in faults(dict(keys), version, _named(keys)):
        path, _, reason = fault.partition(": ")
        found.setdefault("/".join(path.split("/")[:3]), reason)
    return tuple(sorted(found.items()))


def _named(keys: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset("/".join(path.split("/")[:3]) for path, _ in keys)


class _Merge:
    """Who holds which object, while that is found out."""

    def __init__(self, pieces: Sequence[Typed], claimed: Claimed) -> None:
        self.claimed = claimed
        self.pieces = {piece.native.title: piece for piece in pieces}
        self.holders: dict[str, list[str]] = {}  # titles, by place, in their order
        self.lost = {title: set(piece.lost) for title, piece in self.pieces.items()}
        self.problems = [problem for piece in pieces for problem in piece.problems]
        self.beaten: set[str] = set()  # of the routes beside
        for title, piece in self.pieces.items():
            for place in piece.objects:
                self.holders.setdefault(place, []).append(title)

    def object(self, title: str, place: str) -> Object:
        """As this service asks for it."""
        return self.pieces[title].objects[place]

    def lose(self, title: str, place: str, why: str, label: str = "", hint: str = "") -> None:
        """A service does not get an object that it asks for."""
        self.lost[title].add(place)
        self.holders[place].remove(title)
        if not self.holders[place]:
            del self.holders[place]
        said = label or self.object(title, place).label
        self.problems.append(Problem(title, said, "", why, LOST, suggestion=hint))

    def decide(self) -> None:
        """Of services that ask for one object in different words the first has it, with those that agree."""
        for place, titles in list(self.holders.items()):
            if len(titles) == 1:
                continue
            first = titles[0]
            if any(not _agree(self.object(title, place), self.object(first, place)) for title in titles):
                first = next((title for title in titles if self._stands(title, place)), first)
            decider = self.object(first, place)
            others = [title for title in titles if not _agree(self.object(title, place), decider)]
            what, name = _words(place)
            for title in others:
                why = f"{first} asks for the {what} {name} in other words, and comes first"
                self.lose(title, place, why, hint="say the same, or choose another name")
            if others:
                why = f"{_and_others(others)} asks for the {what} {name} in other words"
                did, do = "published this one", "say the same, or choose another name"
                self.problems.append(Problem(first, decider.label, "", why, did, suggestion=do))

    def _stands(self, title: str, place: str) -> bool:
        """Whether this cluster claims an object in a service's words."""
        return self.claimed(native_group(place)) == dict(self.object(title, place).keys)

    def carry(self) -> None:
        """What depends on what is lost, or on nothing at all, is lost."""
        going = True
        while going:
            going = False
            for place, titles in list(self.holders.items()):
                for title in tuple(titles):
                    for other, label in self.object(title, place).refers:
                        if why := self._missing(title, other):
                            self.lose(title, place, why, label)
                            going = True
                            break

    def _missing(self, title: str, place: str) -> str:
        """Why a service cannot refer to an object; empty where it can."""
        what, name = _words(place)
        if place in self.lost[title]:
            return f"the {what} {name}, which it needs, cannot be had as this service asks for it"
        return "" if place in self.holders else f"there is no {what} {name}"

    def contest(self, routes: Mapping[str, Wish]) -> None:
        """Of what asks for the same requests, routes of older vocabularies among it, not all can stay."""
        its = [(titles[0], place) for place, titles in self.holders.items() if _is_router(place)]
        if not its:
            return
        askers = [
            Asker(title, place, (_fields(place, self.object(title, place).keys),), " ".join(_words(place)))
            for title, place in its
        ]
        askers += [Asker(title, "", tuple(_routers_of(wish)), f"{title}'s route") for title, wish in routes.items()]

        def stands(asker: Asker) -> bool:
            if asker.place:
                return self._stands(asker.title, asker.place)
            wish = routes[asker.title]
            return _opened(self.claimed(wish.group) or {}) == _opened(wish.shared)

        out = set[tuple[str, str]]()
        for loss, point in crowded(askers, stands):
            why = f"at {point} {loss.other.words} comes first, and HTTP and all of TCP cannot both be there"
            self._not_published(loss.asker, why, "name another entry point")
            out.add(loss.asker.key)
        for loss in losses([one for one in askers if one.key not in out], stands):
            self._lost_contest(loss)

    def _not_published(self, asker: Asker, why: str, do: str) -> None:
        if not asker.place:
            self.beaten.add(asker.title)
            self.problems.append(Problem(asker.title, "", "", why, "published no route of it", suggestion=do))
        else:
            for title in tuple(self.holders[asker.place]):
                self.lose(title, asker.place, why, hint=do)

    def _lost_contest(self, loss: Loss) -> None:
        asker, other = loss.asker, loss.other
        do = "name another entry point" if asker.protocol == "udp" else "say another rule, or a priority"
        if loss.winner:
            why = f"{other.words} asks for the same requests, and comes first"
        else:
            why = f"{other.words} asks for the same requests and leads there with other middlewares: Traefik may ask it"
        self._not_published(asker, why, do)
        if loss.winner:
            label = self.object(other.title, other.place).label if other.place else ""
            why = f"{asker.words} asks for the same requests, and is not published"
            self.problems.append(Problem(other.title, label, "", why, "published this one", suggestion=do))

    def below_routers(self) -> dict[str, str]:
        """All keys of what routers may lead to, but for those of servers."""
        return {
            path: value
            for place, titles in self.holders.items()
            if not _is_router(place)
            for path, value in self.object(titles[0], place).keys
        }

    def natives(self, cluster: str) -> Natives:
        """What stands in the end."""
        wishes, origins = dict[str, Wish](), dict[str, str]()
        for place, titles in sorted(self.holders.items()):
            its = [self.object(title, place) for title in titles]
            own = self._servers(place, [title for title in titles if self._may_serve(title, place)], cluster)
            group = native_group(place)
            wishes[group] = Wish(
                group,
                dict(its[0].keys),
                own,
                retiring=_going(place, cluster, {name for one in its for name in one.retiring}, own),
                drained=_going(place, cluster, {name for one in its for name in one.drained}, own),
                unchecked=any(self.pieces[title].native.unchecked for title in titles),
                title=titles[0],
                holders=tuple(titles),
            )
            origins.update(its[0].origins)
            origins.update(dict.fromkeys(own, "containers"))
        return Natives(wishes, tuple(dict.fromkeys(self.problems)), origins, frozenset(self.beaten))

    def _may_serve(self, title: str, place: str) -> bool:
        """Whether no router leads to a service's servers that its labels ask for otherwise.

        They may ask for a guard that this one has not.
        """
        for router in sorted(self.lost[title]):
            if not _is_router(router) or router not in self.holders:
                continue
            first = self.holders[router][0]
            if any(to == place for to, _ in self.object(first, router).refers):
                name, label = " ".join(_words(router)), self.object(title, place).label
                why = f"{name} leads to them as {first} asks for it, and this service asks for it otherwise"
                did = "published none of its servers there"
                self.problems.append(Problem(title, label, "", why, did, suggestion="say the same, or another name"))
                return False
        return True

    def _servers(self, place: str, titles: Sequence[str], cluster: str) -> dict[str, str]:
        """The keys of all servers of a service, each url once."""
        its = [(title, self.object(title, place)) for title in titles]
        known: dict[str, Server] = {}
        bases: dict[str, str] = {}
        for title, one in its:
            for server in one.servers:
                if base := _server_base(place, cluster, server.identity):
                    bases[server.identity] = base
                    known.setdefault(server.identity, server)
                else:
                    why = "no key can be named after it"
                    self.problems.append(Problem(title, "", server.identity, why, "published no server"))
        own = {}
        for server in distinct(tuple(known[identity] for identity in sorted(known))):
            base = bases[server.identity]
            http = place.startswith("http/")
            own[f"{base}/{_where(place)}"] = url(server) if http else address(server)
            if http and server.weight != 1:
                own[f"{base}/weight"] = str(server.weight)
            if each := its[0][1].each:
                own[f"{base}/{each}"] = "true"
        return own


def _going(place: str, cluster: str, identities: Iterable[str], own: Mapping[str, str]) -> frozenset[str]:
    """Where the keys of these servers lie that are not among `own`."""
    bases = (_server_base(place, cluster, identity) for identity in identities)
    return frozenset(base for base in bases if base and f"{base}/{_where(place)}" not in own)


def _where(place: str) -> str:
    """The key that says where a service's server is."""
    return "url" if place.startswith("http/") else "address"


def _agree(one: Object, other: Object) -> bool:
    return one.keys == other.keys and one.each == other.each


def _is_router(place: str) -> bool:
    return place.split("/")[1] == "routers"


def _fields(place: str, keys: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The keys of an object, by the path below it."""
    return {path.removeprefix(f"{place}/"): value for path, value in keys}


def _opened(keys: Mapping[str, str]) -> dict[str, str]:
    return {path: value for path, value in keys.items() if path.startswith("http/routers/")}


def _routers_of(wish: Wish) -> Iterator[Mapping[str, str]]:
    """The routers of a route, as `_fields` has them."""
    found: dict[str, dict[str, str]] = {}
    for path, value in _opened(wish.shared).items():
        *place, field = path.split("/", 3)
        found.setdefault("/".join(place), {})[field] = value
    yield from found.values()


def _http_points(place: str, values: Mapping[str, str], target: Target) -> str:
    """An entry point of HTTP's that a router of TCP would take over; empty: none."""
    if not place.startswith("tcp/routers/") or not takes_all(values):
        return ""
    served = {*_OF_HTTP, *target.entry_points, *(name for name, _ in target.tls)}
    return next((point for point in values.get("entryPoints", "").split(",") if point in served), "")


def _server_base(place: str, cluster: str, identity: str) -> str:
    """As `server_base`; empty where no key can be named so."""
    protocol, _, service = place.split("/", 2)
    try:
        return server_base(service, cluster, identity, protocol)
    except ValueError:
        return ""


def _words(place: str) -> tuple[str, str]:
    protocol, kind, name = place.split("/", 2)
    what = kind.removesuffix("s")
    return what if protocol == "http" else f"{protocol.upper()} {what}", name


def _and_others(titles: Sequence[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{titles[0]} (and {len(titles) - 1} more)"
