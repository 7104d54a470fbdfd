"""Routers, services and middlewares of Traefik 3 as a whole: which refers to which, and what that makes of them.

An object that cannot be built takes along each that refers to it, and none else. What nothing refers to is not built
at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from bridge.layouts.lint import Flaw, Grade
from bridge.layouts.traefik3_fields import Version
from bridge.layouts.traefik3_middlewares import middleware_flaws
from bridge.layouts.traefik3_routers import (
    http_router_flaws,
    option_flaws,
    store_flaws,
    tcp_router_flaws,
    udp_router_flaws,
)
from bridge.layouts.traefik3_services import has_check, http_service_flaws, layer4_service_flaws
from bridge.layouts.traefik3_tree import Node, Tree

Found = list[tuple[str, Flaw]]  # by path below the prefix

_OWN = frozenset(("consul", "etcd"))  # as Traefik calls the stores: in such a tree, itself
_ROUTERS = ("http/routers", "tcp/routers", "udp/routers")
_ENDS = (
    "the Traefik process ends within seconds (its stack overflows), with the routes of all providers, and again at "
    "each start"
)
_FILLS = "up to 3.6.2 Traefik's configuration stands still and it eats all memory, 1.3 GB a second"
_RECURSION = "Traefik sees the recursion and disables it, and each router that leads to it"


@dataclass(frozen=True, slots=True)
class Reference:
    """One object's word for another."""

    path: str  # of the key that holds it
    place: str  # where the other one is looked for
    name: str


@dataclass(slots=True)
class Object:
    """A router, a service, a middleware, a transport or a set of TLS options."""

    node: Node
    place: str
    flaws: Found
    references: tuple[Reference, ...]

    @property
    def is_lost(self) -> bool:
        return any(flaw.grade in (Grade.DEAD, Grade.LOST) for _, flaw in self.flaws)


def object_flaws(tree: Tree, version: Version, elsewhere: Collection[str] = ()) -> Found:
    """What is wrong with the objects of a tree. `elsewhere`: paths of those that stand somewhere else."""
    objects = _objects(tree, version)
    targets = {path: _resolved(one, objects, elsewhere) for path, one in objects.items()}
    _unresolved(objects, targets)
    _unchecked(objects, targets)
    _circles(objects, targets, version)
    _carry(objects, targets)
    used = _used(objects, targets)
    found = [(at, flaw if path in used else _idle(flaw)) for path, one in objects.items() for at, flaw in one.flaws]
    return found + _same_requests(objects) + _taken_over(objects)


def may_end_traefik(tree: Tree) -> bool:
    """False where surely no object does: none leads to others of its kind, and each `basicAuth` names somebody."""
    services = (node for place in _PLACES if place.endswith("/services") for node in tree.root.each(place))
    middlewares = tree.root.each("http/middlewares")
    return any(not node.below.keys() <= {"loadbalancer", "middlewares"} for node in services) or any(
        not node.text("basicAuth/users") for node in middlewares if "basicauth" in node.below
    )


def _idle(flaw: Flaw) -> Flaw:
    if flaw.grade not in (Grade.DEAD, Grade.LOST):
        return flaw
    return Flaw(Grade.WRONG, flaw.reason, f"nothing yet, since no router leads to it; then: {flaw.effect}", flaw.remedy)


def _objects(tree: Tree, version: Version) -> dict[str, Object]:
    """By place and name, as references write the name."""
    found = {}
    for place, (check, references) in _PLACES.items():
        for node in tree.root.each(place):
            flaws = [(f"{node.path}/{path}" if path else node.path, flaw) for path, flaw in check(node, version)]
            found[f"{place}/{node.name}"] = Object(node, place, flaws, tuple(references(node)))
    parents = {name for one in tree.root.each("http/routers") for name in one.items("parentRefs")}
    for name in parents:
        if one := found.get(f"http/routers/{name.partition('@')[0]}"):
            one.flaws = [(at, flaw) for at, flaw in one.flaws if not at.endswith("/service")]
    return found


# Who names whom.


def _router_references(protocol: str) -> Callable[[Node], Iterator[Reference]]:
    def found(node: Node) -> Iterator[Reference]:
        if service := node.text("service"):
            yield Reference(f"{node.path}/service", f"{protocol}/services", service)
        for name in node.items("middlewares"):
            yield Reference(f"{node.path}/middlewares", f"{protocol}/middlewares", name)
        if (option := node.text("tls/options")) not in ("", "default"):
            yield Reference(f"{node.path}/tls/options", "tls/options", option)

    return found


def _service_references(protocol: str) -> Callable[[Node], Iterator[Reference]]:
    place = f"{protocol}/services"

    def found(node: Node) -> Iterator[Reference]:
        for path in ("weighted/services", "highestRandomWeight/services", "mirroring/mirrors"):
            for child in node.each(path):
                if name := child.text("name"):
                    yield Reference(f"{child.path}/name", place, name)
        for path in ("mirroring/service", "failover/service", "failover/fallback"):
            if name := node.text(path):
                yield Reference(f"{node.path}/{path}", place, name)
        if transport := node.text("loadBalancer/serversTransport"):
            yield Reference(f"{node.path}/loadBalancer/serversTransport", f"{protocol}/serversTransports", transport)
        for name in node.items("middlewares"):
            yield Reference(f"{node.path}/middlewares", f"{protocol}/middlewares", name)

    return found


def _middleware_references(protocol: str) -> Callable[[Node], Iterator[Reference]]:
    def found(node: Node) -> Iterator[Reference]:
        for name in node.items("chain/middlewares"):
            yield Reference(f"{node.path}/chain/middlewares", f"{protocol}/middlewares", name)
        if node.find("errors"):
            yield Reference(f"{node.path}/errors/service", f"{protocol}/services", node.text("errors/service"))

    return found


def _no_flaws(_node: Node, _version: Version) -> Iterator[tuple[str, Flaw]]:
    yield from ()


def _no_references(_node: Node) -> Iterator[Reference]:
    yield from ()


_Check = Callable[[Node, Version], Iterator[tuple[str, Flaw]]]
_PLACES: Mapping[str, tuple[_Check, Callable[[Node], Iterator[Reference]]]] = {
    "http/routers": (http_router_flaws, _router_references("http")),
    "http/services": (http_service_flaws, _service_references("http")),
    "http/middlewares": (middleware_flaws, _middleware_references("http")),
    "http/serversTransports": (_no_flaws, _no_references),
    "tcp/routers": (tcp_router_flaws, _router_references("tcp")),
    "tcp/services": (layer4_service_flaws, _service_references("tcp")),
    "tcp/middlewares": (middleware_flaws, _middleware_references("tcp")),
    "tcp/serversTransports": (_no_flaws, _no_references),
    "udp/routers": (udp_router_flaws, _router_references("udp")),
    "udp/services": (layer4_service_flaws, _service_references("udp")),
    "tls/options": (option_flaws, _no_references),
    "tls/stores": (store_flaws, _no_references),
}

Targets = list[tuple[Reference, str]]  # with the other's path; empty: only Traefik knows it; a question mark: nobody


def _resolved(one: Object, objects: Mapping[str, Object], elsewhere: Collection[str]) -> Targets:
    found = []
    for reference in one.references:
        name, at, provider = reference.name.rpartition("@")
        path = f"{reference.place}/{name if at and provider in _OWN else reference.name}"
        if path in objects and (not at or provider in _OWN):
            found.append((reference, path))
        else:
            found.append((reference, "" if at or path in elsewhere else "?"))
    return found


def _unresolved(objects: Mapping[str, Object], targets: Mapping[str, Targets]) -> None:
    for path, one in objects.items():
        for reference, target in targets[path]:
            thing = reference.place.partition("/")[2].removesuffix("s")
            if target == "?":
                named = f"there is no {thing} {reference.name!r}" if reference.name else f"it names no {thing}"
                near = _in_other_letters(reference, objects)
                remedy = f"write {near}: capitals count here" if near else "write the name of one, as it stands there"
                one.flaws.append((reference.path, Flaw(Grade.LOST, named, _lost_with(one), remedy)))
            elif not target and "@" in reference.name:
                effect = f"where it is not there, {_lost_with(one)}"
                flaw = Flaw(Grade.NOTICE, f"only Traefik knows {reference.name!r}", effect, "look there")
                one.flaws.append((reference.path, flaw))


def _in_other_letters(reference: Reference, objects: Mapping[str, Object]) -> str:
    for name in (reference.name.lower(), reference.name.strip(), f"[{reference.name}]"):
        if f"{reference.place}/{name}" in objects:
            return name
    return ""


def _lost_with(one: Object) -> str:
    if one.place in _ROUTERS:
        return "this router is disabled: 404"
    return "it is disabled, and each router that leads to it: 404"


def _unchecked(objects: Mapping[str, Object], targets: Mapping[str, Targets]) -> None:
    """Services that ask others whether they are up, which cannot tell."""
    for path, one in objects.items():
        if one.place != "http/services":
            continue
        primary = one.node.find("failover") and not one.node.find("failover/errors")
        asking = [kind for kind in ("weighted", "highestRandomWeight") if one.node.find(f"{kind}/healthCheck")]
        for reference, target in targets[path]:
            asks = (
                reference.path.endswith("/failover/service") if primary else reference.path.endswith("/name") and asking
            )
            if asks and target in objects and not has_check(objects[target].node):
                flaw = Flaw(Grade.LOST, f"{reference.name!r} has no healthCheck", _lost_with(one), "give it one")
                one.flaws.append((reference.path, flaw))


def _circles(objects: Mapping[str, Object], targets: Mapping[str, Targets], version: Version) -> None:
    """Objects that lead to themselves."""
    onward = {path: {target for _, target in targets[path] if target in objects} for path, one in objects.items()}
    circling = _in_circles(onward)
    for path in sorted(circling):
        one = objects[path]
        for reference, target in targets[path]:
            if target not in circling:
                continue
            itself = "itself" if target == path else "another that leads back to it"
            flaw = Flaw(Grade.LOST, f"it leads to {itself}", _RECURSION, "delete it")
            if one.place in ("tcp/services", "udp/services"):
                flaw = Flaw(Grade.DEAD, flaw.reason, _ENDS, flaw.remedy)
            elif one.place == "http/services" and version <= (3, 6):
                flaw = Flaw(Grade.DEAD, flaw.reason, _FILLS, flaw.remedy)
            one.flaws.append((reference.path, flaw))


def _in_circles(onward: Mapping[str, set[str]]) -> set[str]:
    """Those that lead to themselves, or from one such to another."""
    forward = {path: set(targets) for path, targets in onward.items() if targets}
    for _ in range(2):  # who leads nowhere, then, turned round, whom nobody leads to
        back: dict[str, set[str]] = {}
        for path, targets in forward.items():
            for target in targets:
                back.setdefault(target, set()).add(path)
        ends = [path for path in back if path not in forward]
        while ends:
            end = ends.pop()
            for path in back.pop(end, set()):
                forward[path].discard(end)
                if not forward[path]:
                    del forward[path]
                    ends.append(path)
        forward = {path: sources for path, sources in back.items() if sources}
    return set(forward)


def _carry(objects: Mapping[str, Object], targets: Mapping[str, Targets]) -> None:
    """What is lost takes along what leads to it."""
    back: dict[str, list[tuple[str, Reference]]] = {}
    for path, found in targets.items():
        for reference, target in found:
            back.setdefault(target, []).append((path, reference))
    lost = [path for path, one in objects.items() if one.is_lost]
    while lost:
        for path, reference in back.get(lost.pop(), ()):
            one = objects[path]
            known = one.is_lost
            if not any(at == reference.path and flaw.grade in (Grade.DEAD, Grade.LOST) for at, flaw in one.flaws):
                thing = reference.place.partition("/")[2].removesuffix("s")
                flaw = Flaw(Grade.LOST, f"the {thing} {reference.name!r} is disabled", _lost_with(one), "mend that one")
                one.flaws.append((reference.path, flaw))
            if not known:
                lost.append(path)


def _used(objects: Mapping[str, Object], targets: Mapping[str, Targets]) -> set[str]:
    """All that a router leads to, and the routers."""
    used = {path for path, one in objects.items() if one.place in _ROUTERS}
    left = list(used)
    while left:
        new = {target for _, target in targets[left.pop()] if target in objects} - used
        used |= new
        left += new
    return used


def _same_requests(objects: Mapping[str, Object]) -> Found:
    """Routers of one rule and one priority that lead to several services: one of them takes all.

    Of UDP a router has no rule, and an entry point is enough.
    """
    found: Found = []
    first: dict[tuple[str, ...], Node] = {}
    for one in objects.values():
        node = one.node
        rule = node.text("rule")
        udp = one.place == "udp/routers"
        if one.place not in _ROUTERS or not (rule or udp):
            continue
        priority = node.text("priority").lstrip("+0") or str(len(rule))
        secure = "tls" if node.find("tls") else ""
        for entry_point in node.items("entryPoints") or ([] if udp else [""]):
            other = first.setdefault((one.place, rule, priority, secure, entry_point), node)
            if other is not node and other.text("service") != node.text("service"):
                effect = "one of the two takes all requests"
                same = "entry point" if udp else "rule and priority"
                do = "name another entry point" if udp else "set a priority"
                flaw = Flaw(Grade.WRONG, f"router {other.name} has the same {same}", effect, do)
                found.append((f"{node.path}/{'entryPoints' if udp else 'rule'}", flaw))
                break
    return found


def _taken_over(objects: Mapping[str, Object]) -> Found:
    """Routers of HTTP at an entry point of which a router of TCP takes all connections."""
    all_of = {
        point: one.node
        for one in objects.values()
        if one.place == "tcp/routers" and not one.is_lost and not one.node.find("tls")
        for point in one.node.items("entryPoints")
    }
    found: Found = []
    for one in objects.values():
        points = one.node.items("entryPoints") if all_of and one.place == "http/routers" else []
        if point := next((point for point in points if point in all_of and not one.node.find("tls")), ""):
            reason = f"the TCP router {all_of[point].name} takes all plain connections to {point}"
            flaw = Flaw(Grade.WRONG, reason, "it gets no request there", "give that one an entry point of its own")
            found.append((f"{one.node.path}/entryPoints", flaw))
    return found
