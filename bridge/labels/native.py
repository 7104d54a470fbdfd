"""From labels of Traefik 2 and 3 to what they ask for, with the meaning that Traefik 2's Rancher provider gave them.

Where that left out a whole service for one odd label, here goes what the label speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bridge.labels.fallback import Fallback
from bridge.labels.native_names import Where, may_be_shown, own, unnameable, where
from bridge.labels.newer_rules import Tree, calls
from bridge.labels.newer_slips import plain_patterns, suggestion
from bridge.labels.newer_translation import confined, translated
from bridge.labels.templates import automatic_name, normalized
from bridge.labels.types import Whole
from bridge.model.native import Said
from bridge.model.problem import Problem
from bridge.model.route import MODIFIERS, Rule
from bridge.model.world import told_name

LOST = "left it out, with what depends on it"
IGNORED = "ignored it"
DEFAULT_RULE = "--default-rule"
DEFAULT = "default"
SERVER = "loadbalancer/server/"
RULE_LIMIT = 20_000  # characters
ANY_NAME = "HostSNI(`*`)"

_PORT, _WEIGHT = Whole(1, 65535), Whole(0, 1_000_000)
_UNBALANCED = ("weighted", "mirroring", "failover")
_SCHEMES = ("http", "https", "h2c")
T = TypeVar("T")

_AUTOMATIC_OFF = ("tcp/routers/", "tcp/services/", "udp/routers/", "udp/services/")
_PROTOCOLS = ("http", "tcp", "udp")
_NO_ENTRY_POINT = "it names no entry point, and would take the connections of all"


@dataclass(frozen=True, slots=True)
class Pool:
    """Where the requests of one service go."""

    port: int
    scheme: str
    weight: int  # 0: its servers get nothing


@dataclass(slots=True)
class Element:
    """One object on the way; it is changed while labels are read, and never afterwards."""

    place: str
    label: str = ""  # the first that asks for it; empty where it is there without
    fields: dict[str, Said] = field(default_factory=dict)  # by path in small letters
    pool: Pool | None = None  # of a service

    def text(self, path: str) -> str:
        """The value of a field; empty where it is missing."""
        said = self.fields.get(path)
        return said.text if said else ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the labels of one service ask for."""

    elements: tuple[Element, ...]  # sorted by place
    lost: tuple[str, ...]  # places of what cannot be had
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Bearer:
    """The service that asks, as far as what it asks for depends on it."""

    title: str
    service: str
    stack: str
    ports: tuple[int, ...]  # on which its containers are published, for TCP, the one to take first
    udp_ports: tuple[int, ...] = ()  # likewise
    fallback: Fallback = field(default_factory=Fallback)
    allows: Callable[[str], bool] | None = None  # hosts; None: any


def read_native(bearer: Bearer, labels: Mapping[str, str]) -> Reading:
    """What these labels ask for. Whatever the text, never an exception."""
    reader = _Reader(bearer)
    reader.collect(labels)
    for protocol in _PROTOCOLS:
        reader.complete(protocol)
    reader.services()
    reader.routers()
    kept = sorted(reader.elements.items())
    return Reading(
        tuple(one for place, one in kept if place not in reader.lost),
        tuple(sorted(reader.lost)),
        tuple(dict.fromkeys(reader.problems)),
    )


def published_port(bearer: Bearer, protocol: str, label: str) -> tuple[int, Problem | None]:
    """The port to take where `label` says none, 0 where there is none, and what is to be told of that."""
    ports, say = bearer.udp_ports if protocol == "udp" else bearer.ports, f"say {label}"
    if not ports:
        why = "no label says the port, and none is published"
        return 0, Problem(bearer.title, label, "", why, LOST, suggestion=say)
    if len(ports) == 1:
        return ports[0], None
    why, did = f"it publishes {len(ports)} ports, and no label says which", f"took the first, {ports[0]}"
    return ports[0], Problem(bearer.title, label, "", why, did, notice=True, suggestion=say)


def _scheme(text: str) -> str:
    if text.lower() not in _SCHEMES:
        raise ValueError(f"it is none of {', '.join(_SCHEMES)}")
    return text.lower()


class _Reader:
    """The labels of one service on the way. What is lost is found on the way as well."""

    def __init__(self, bearer: Bearer) -> None:
        self.bearer = bearer
        self.elements: dict[str, Element] = {}
        self.lost: set[str] = set()
        self.unclear = False  # a label may have been meant for a router of TCP or UDP
        self.problems: list[Problem] = []

    def problem(
        self, label: str, text: str, reason: str, did: str = LOST, hint: str = "", notice: bool = False
    ) -> None:
        """Something wrong with a label, whose value is shown where it lets nobody in."""
        value = text if may_be_shown(label, text) else ""
        self.problems.append(
            Problem(self.bearer.title, told_name(label), value, reason, did, notice=notice, suggestion=hint)
        )

    def refuse(self, place: str, label: str, text: str, reason: str, hint: str = "") -> None:
        """An object that cannot be had."""
        self.lost.add(place)
        self.problem(label, text, reason, hint=hint)

    def collect(self, labels: Mapping[str, str]) -> None:
        """All objects that are named, with what is said of them."""
        nowhere: list[tuple[str, Where]] = []
        for label, text in sorted(labels.items()):
            found = where(label)
            if found is None:
                continue
            if not found.place:
                nowhere.append((label, found))
                continue
            element = self.elements.setdefault(found.place, Element(found.place, label))
            if why := found.wrong or unnameable(found.place.rpartition("/")[2]):
                self.refuse(found.place, label, text, why, found.hint)
                continue
            path = found.path.lower() if "/plugin/" not in f"/{found.path.lower()}" else found.path
            before = element.fields.setdefault(path, Said(found.path, text, label))
            if before.text != text:
                self.refuse(found.place, label, text, f"{before.label} says otherwise")
        for label, found in nowhere:  # nobody knows which of its name it speaks of
            self.problem(label, labels[label], found.wrong, hint=found.hint)
            self.lost |= {place for place in self.elements if place.endswith(f"/{found.name}")}
            self.unclear |= not label.lower().startswith("traefik.http.")

    def named(self, kind: str) -> list[str]:
        """The places of all objects of a kind, lost ones too: they are asked for."""
        return sorted(place for place in self.elements if place.startswith(kind))

    def complete(self, protocol: str) -> None:
        """The router and the service that no label names. Only of HTTP there is such a router.

        Labels of another kind bring HTTP's along too, where its port is known.
        """
        routers, services = f"{protocol}/routers/", f"{protocol}/services/"
        named = any(place.startswith(f"{protocol}/") for place in self.elements)
        brought = protocol == "http" and self.elements and self.bearer.ports and self._may_route()
        if not named and not brought:
            return
        name = automatic_name(self.bearer.service, self.bearer.stack)
        if not self.named(services) and self._wants_service(protocol):
            self._automatic(services, name)
        found = self.named(services)
        if protocol == "http" and not self.named(routers) and len(found) == 1 and self._may_route():
            self._automatic(routers, name)

    def _may_route(self) -> bool:
        return not self.unclear and not any(place.startswith(_AUTOMATIC_OFF) for place in self.elements)

    def _wants_service(self, protocol: str) -> bool:
        """Whether a router needs the service that no label names."""
        routers = self.named(f"{protocol}/routers/")
        if not routers:
            return protocol == "http" and self._may_route()
        name = automatic_name(self.bearer.service, self.bearer.stack)
        return any(own(self.elements[one].text("service")) in ("", name) for one in routers)

    def _automatic(self, kind: str, name: str) -> None:
        place = kind + name
        self.elements[place] = Element(place)
        if why := unnameable(name):
            hint = f"name one: {'.'.join(('traefik', *kind.strip('/').split('/')))}.NAME…"
            self.lost.add(place)
            self.problems.append(Problem(self.bearer.title, "", name, why, LOST, suggestion=hint))

    # Services: what is said of servers is taken out of their fields.

    def services(self) -> None:
        """The port, the scheme and the weight of each service's servers."""
        for protocol in _PROTOCOLS:
            for place in self.named(f"{protocol}/services/"):
                if place not in self.lost:
                    self._service(place, self.elements[place], protocol)

    def _service(self, place: str, element: Element, protocol: str) -> None:
        for said in element.fields.values():
            if said.path.partition("/")[0].lower() in _UNBALANCED:
                self.refuse(place, said.label, said.text, "labels can ask for a load balancer alone")
                return
        scheme, weight = protocol, 1
        if protocol == "http":
            if url := element.fields.pop(f"{SERVER}url", None):
                self.problem(url.label, url.text, "servers are containers, which have their own", IGNORED)
            scheme = self._value(place, element, "scheme", _scheme, "http")
            weight = self._value(place, element, "weight", _WEIGHT, 1)
        port = self._value(place, element, "port", _PORT, 0)
        if place not in self.lost:
            port = port or self._published(place, protocol)
        if place not in self.lost:
            element.pool = Pool(port, scheme, weight)

    def _value(self, place: str, element: Element, name: str, parse: Callable[[str], T], default: T) -> T:
        """What a label says of the servers; the default, and the service is lost, where it is wrong."""
        said = element.fields.pop(SERVER + name, None)
        if not said or not said.text:
            return default
        try:
            return parse(said.text)
        except ValueError as err:
            self.refuse(place, said.label, said.text, str(err))
            return default

    def _published(self, place: str, protocol: str) -> int:
        """The first port that the containers are published at; 0, and the service is lost, where there is none."""
        label = f"traefik.{place.replace('/', '.')}.loadbalancer.server.port"
        port, problem = published_port(self.bearer, protocol, label)
        self.lost |= set() if port else {place}
        self.problems += [problem] if problem else []
        return port

    # Routers.

    def routers(self) -> None:
        """The rule, its priority and the service of each router."""
        for protocol in _PROTOCOLS:
            services = self.named(f"{protocol}/services/")
            for place in self.named(f"{protocol}/routers/"):
                if place not in self.lost:
                    self._router(place, self.elements[place], services, protocol)

    def _router(self, place: str, element: Element, services: Collection[str], protocol: str) -> None:
        if protocol != "http" and not element.text("entrypoints").strip(", "):
            hint = f"say traefik.{place.replace('/', '.')}.entrypoints, of a port that HTTP does not use"
            self.refuse(place, element.label, "", _NO_ENTRY_POINT, hint)
        elif protocol == "udp" and self.bearer.allows is not None:
            self.refuse(place, element.label, "", _not_allowed(""))
        elif protocol == "udp" or self._rule(place, element, tcp=protocol == "tcp"):
            self._link(place, element, services)

    def _rule(self, place: str, element: Element, *, tcp: bool) -> bool:
        """The rule in Traefik 3's language, with its priority; False, and the router is lost, where it has none."""
        label = element.fields["rule"].label if element.text("rule") else DEFAULT_RULE
        syntax = element.fields.pop("rulesyntax", None)
        if tcp and not element.text("rule"):
            self.refuse(place, element.label, "", "it has no rule", f"say traefik.{place.replace('/', '.')}.rule")
            return False
        try:
            text = element.text("rule") or self._default_rule()
            if len(text) > RULE_LIMIT:
                raise ValueError(f"it is longer than {RULE_LIMIT} characters")
            rule, tree = translated(text, tcp=tcp)
        except ValueError as err:
            text = element.text("rule")
            self.refuse(place, label, text, str(err), suggestion(text, tcp=tcp))
            return False
        for name in plain_patterns(text):
            what = "HostSNI" if tcp else "Host"
            why = f"{what}Regexp of {name}, which is no pattern: Traefik 2 takes that host, Traefik 3 any that holds it"
            self.problem(label, text, why, f"wrote {what}(`{name.lower()}`)", notice=True)
        if (host := self._refused_host(tree)) is not None:
            self.refuse(place, label, text, _not_allowed(host))
            return False
        if syntax and syntax.text not in ("", "v2", "v3"):
            self.problem(syntax.label, syntax.text, "it is neither v2 nor v3", IGNORED)
        element.fields["rule"] = Said("rule", rule, label, written=text)
        if element.text("priority") in ("", "0"):
            element.fields.pop("priority", None)
            if rule != ANY_NAME:  # which comes last, with both Traefiks
                # A translated rule has another length, and that would be its priority.
                element.fields["priority"] = Said("priority", str(len(text.encode())), label)
        return True

    def _link(self, place: str, element: Element, services: Collection[str]) -> None:
        """A router that names no service gets the only one."""
        if own(element.text("service")):
            return
        if len(services) != 1:
            why = f"it names no service, and there are {len(services)}"
            hint = f"say traefik.{place.replace('/', '.')}.service"
            self.refuse(place, element.label, "", why, hint)
            return
        (to,) = services
        only = to.rpartition("/")[2]
        if to in self.lost:  # said here, since its name may be one that nobody can refer to
            why = f"the service {only}, which it needs, cannot be had as this service asks for it"
            self.refuse(place, element.label, "", why)
            return
        element.fields["service"] = Said("service", only, DEFAULT)

    def _default_rule(self) -> str:
        """What the operator says, else what Traefik 2's provider says. Raises ValueError."""
        bearer = self.bearer
        if bearer.fallback.newer:
            return bearer.fallback.text(bearer.service, bearer.stack)
        if bearer.fallback.template:
            return _newer(bearer.fallback.rule(bearer.service, bearer.stack))
        return f"Host(`{normalized(automatic_name(bearer.service, bearer.stack))}`)"

    def _refused_host(self, tree: Tree) -> str | None:
        """A host that is not allowed; empty where any may come; None where all are."""
        allows = self.bearer.allows
        if allows is None or confined(tree, allows):
            return None
        hosts = (value for one in calls(tree) if one.name.startswith("Host") for value in one.values)
        return next((host for host in hosts if not allows(host)), "")


def _not_allowed(host: str) -> str:
    return f"--allow-domain does not allow {host or 'a rule for any host'} in this cluster"


def _newer(rule: Rule) -> str:
    """A rule of Traefik 1 as Traefik 2 writes it: their patterns are alike. Raises ValueError where it cannot."""
    pieces = []
    for one in rule.matchers:
        if one.kind in MODIFIERS or "Strip" in one.kind.value:
            raise ValueError(f"{DEFAULT_RULE} holds {one.kind.value}, which these labels cannot say in a rule")
        pieces.append(f"{one.kind.value}({', '.join(f'`{value}`' for value in one.values)})")
    return " && ".join(pieces)
