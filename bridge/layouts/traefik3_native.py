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

from bridge.labels.native import ANY_NAME, LOST
from bridge.labels.native_names import may_be_shown
from bridge.layouts import Claimed, Natives, Target
from bridge.layouts.server_urls import address, distinct, url
from bridge.layouts.traefik3_lint import faults
from bridge.layouts.traefik3_names import KEEPING, native_group, server_base
from bridge.layouts.traefik3_native_fields import Unfit, plugins, read_fields
from bridge.model.keys import Wish
from bridge.model.native import Asked, Native, Said
from bridge.model.problem import Problem
from bridge.model.route import Server

_SERVICES = 1 << 12  # remembered: of those that did not change nothing is read again
_SHARING = ("http/routers/", "tcp/routers/", "udp/routers/")
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
            objects[asked.place] = _object(native, asked, target, problems)
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
    refers = tuple(_references(found.values, found.origins, asked))
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


def _references(values: Mapping[str, str], origins: Mapping[str, str], asked: Asked) -> Iterator[tuple[str, str]]:
    """The objects of this tree that one names."""
    kinds = {"service": "services", "errors/service": "services", "loadBalancer/serversTransport": "serversTransports"}
    kinds |= dict.fromkeys(("middlewares", "chain/middlewares"), "middlewares")
    protocol = asked.place.partition("/")[0]
    for path, kind in kinds.items():
        for name in filter(None, values.get(path, "").split(",")):
            if "@" not in name:
                yield f"{protocol}/{kind}/{name}", origins.get(path, asked.label)


# All services together.


def merged(pieces: Iterable[Typed], cluster: str, target: Target, claimed: Claimed) -> Natives:
    """The tree of all services."""
    merge = _Merge(sorted(pieces, key=lambda one: one.native.title), claimed)
    merge.decide()
    merge.carry()
    merge.contest()
    merge.ports()
    merge.carry()
    for place, why in _beyond(tuple(sorted(merge.shared().items())), target.version):
        for title in tuple(merge.holders.get(place, ())):
            merge.lose(title, place, why)
    merge.carry()
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

    def contest(self) -> None:
        """Of routers that ask for the same requests at one priority Traefik gives all to either: the first stays."""
        asking: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}
        for title, piece in self.pieces.items():
            for place in sorted(piece.objects):
                if place.startswith(_SHARING) and title in self.holders.get(place, ()):
                    requests, service = _requests(piece.objects[place])
                    for one in requests:
                        asking.setdefault(one, []).append((title, place, service))
        for its in asking.values():
            if any(service != its[0][2] for _, _, service in its):
                self._settle(its)

    def _settle(self, asking: Sequence[tuple[str, str, str]]) -> None:
        """Of routers (title, place, service) that ask for the same, all go that lead elsewhere than the first."""
        left = [one for one in asking if one[0] in self.holders.get(one[1], ())]
        if not left:
            return
        _, first, to = next((one for one in left if self._stands(*one[:2])), left[0])
        for title, place, service in left:
            if service != to:
                why = f"router {_words(first)[1]} asks for the same requests, and comes first"
                self.lose(title, place, why, hint="say another rule, or a priority")

    def ports(self) -> None:
        """Of an entry point all whose connections a router of TCP takes no router of HTTP that names it gets any."""
        if not any(place.startswith("tcp/routers/") for place in self.holders):
            return
        asking: dict[str, list[tuple[str, str]]] = {}
        for title, piece in self.pieces.items():
            for place, one in sorted(piece.objects.items()):
                if title in self.holders.get(place, ()) and (place.startswith("http/routers/") or _takes_all(one)):
                    for point in filter(None, _fields(one).get("entryPoints", "").split(",")):
                        asking.setdefault(point, []).append((title, place))
        for point, found in asking.items():
            left = [one for one in found if one[0] in self.holders.get(one[1], ())]
            if len({place[:4] for _, place in left}) > 1:
                first = next((one for one in left if self._stands(*one)), left[0])[1]
                for title, place in left:
                    if place[:4] != first[:4]:
                        what, name = _words(first)
                        why = f"at {point} the {what} {name} comes first, and HTTP and all of TCP cannot both be there"
                        self.lose(title, place, why, hint="name another entry point")

    def shared(self) -> dict[str, str]:
        """All keys but for those of servers."""
        return {
            path: value for place, titles in self.holders.items() for path, value in self.object(titles[0], place).keys
        }

    def natives(self, cluster: str) -> Natives:
        """What stands in the end."""
        wishes, origins = dict[str, Wish](), dict[str, str]()
        for place, titles in sorted(self.holders.items()):
            its = [self.object(title, place) for title in titles]
            own = self._servers(place, titles, cluster)
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
        return Natives(wishes, tuple(dict.fromkeys(self.problems)), origins)

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


def _requests(router: Object) -> tuple[list[tuple[str, ...]], str]:
    """What a router asks for at each of its entry points, and who gets it."""
    fields = _fields(router)
    protocol = router.place.partition("/")[0]
    secure = "tls" if _is_secure(fields) else ""
    asked = (protocol, fields.get("rule", ""), fields.get("priority", ""), secure)  # of UDP an entry point is all
    return [(*asked, point) for point in fields.get("entryPoints", "").split(",")], fields["service"]


def _fields(one: Object) -> dict[str, str]:
    """Its keys by their paths below it."""
    return {path.removeprefix(f"{one.place}/"): value for path, value in one.keys}


def _is_secure(fields: Iterable[str]) -> bool:
    return any(path.partition("/")[0] == "tls" for path in fields)


def _takes_all(router: Object) -> bool:
    """Whether it leaves HTTP nothing at its entry points."""
    return router.place.startswith("tcp/routers/") and _is_greedy(_fields(router))


def _is_greedy(fields: Mapping[str, str]) -> bool:
    """Whether a router of TCP is not for the names alone that clients ask for."""
    rule = fields["rule"]
    return not _is_secure(fields) or ANY_NAME in rule or "HostSNI" not in rule


def _http_points(place: str, values: Mapping[str, str], target: Target) -> str:
    """An entry point of HTTP's that a router of TCP would take over; empty: none."""
    if not place.startswith("tcp/routers/") or not _is_greedy(values):
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
