"""Where a route's requests go: a service's containers, its external addresses, or those of what it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple, TypeVar

from bridge.labels import table, types
from bridge.labels.notes import DEFAULT, Found, find
from bridge.labels.read import Asked, Pool
from bridge.labels.table import Label
from bridge.labels.types import Address
from bridge.labels.views import View, view_of
from bridge.model.keys import server_name
from bridge.model.problem import Problem
from bridge.model.route import Gate, Remark, Server, Setting
from bridge.model.world import Container, Service
from bridge.routes.drained import NOTHING, Drained, Records
from bridge.routes.policy import ALIAS, EXTERNAL, Health, NoneHealthy, Policy

# After cattle's process table; a stopped container keeps the health state that it had.
RUNNING = frozenset(("running", "updating-running"))
HEALTHY = frozenset(("healthy", "updating-healthy"))
# Only who was healthy once is any of these: one that has never been is initializing.
FELL_OUT = frozenset(("unhealthy", "updating-unhealthy", "reinitializing", "updating-reinitializing"))

NO_SERVER = "published no server"
SCALE = "--weight-factor"
_UNCHECKED = Gate("health", True, "nobody checks external addresses", closes=False)
GIVE_CHECK = "give it a health_check in rancher-compose.yml"
# Address, public and private port, protocol.
_PUBLISHED = re.compile(r"(?:(.*):)?([0-9]{1,5}):([0-9]{1,5})(?:/(tcp|udp))?")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asker:
    """A service that asks for a route, with what its servers follow from."""

    service: Service
    asked: Asked
    policy: Policy
    at: Found[Address]
    hosts: Mapping[str, str]  # addresses by uuid
    of: Sequence[Service]  # whose containers and addresses they are
    drained: Drained = NOTHING


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the requests of one of a route's backends go."""

    servers: tuple[Server, ...] = ()
    retiring: tuple[str, ...] = ()  # identities
    drained: tuple[str, ...] = ()  # of these, identities
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Remark, ...] = ()
    healthy: int = 0  # containers
    reached: int = 0  # containers and external addresses that can be servers, if their weight gives them anything


@dataclass(frozen=True, slots=True)
class _Address:
    """A healthy container or an external address: a server, if its weight gives it anything."""

    identity: str
    scheme: str
    host: str
    port: int
    weight: int  # as labels ask for it; 0: nothing
    drained: Records  # by which it gets nothing


@dataclass(frozen=True, slots=True)
class _Told:
    """What labels say of a container."""

    scheme: str
    port: int
    weight: int
    at: Address


class _Place(NamedTuple):
    """What becomes of one container or external address. A tuple, because there are thousands."""

    address: _Address | None  # None: it can be no server
    problems: Sequence[Problem] = ()
    remark: Remark | None = None


class _Unreachable(ValueError):
    """Why a container has no address, and what would give it one."""

    def __init__(self, why: str, suggestion: str = "") -> None:
        super().__init__(why)
        self.suggestion = suggestion


def address_of(service: Service, policy: Policy) -> Found[Address]:
    """Where a service's containers are reached: its label says so, or else the policy."""
    return _settled(find(table.ADDRESS, View(service.labels), service.title), Found(policy.address, "--address"))


def servers(asker: Asker, pool: Pool) -> Servers:
    """The servers of one of the service's backends."""
    external = [one for one in asker.of if one.kind == EXTERNAL]
    found = [place for one in external for place in _external(asker, one, pool)]
    healthy = 0
    if len(external) < len(asker.of):
        places, healthy = _containers(asker, pool, [one for one in asker.of if one.kind != EXTERNAL])
        found += places
    return _gathered(asker, pool, found, healthy)


def counted(asker: Asker, pool: Pool, found: Servers) -> Setting:
    """How many of its containers are servers."""
    containers = sum(len(one.containers) for one in asker.of)
    of = "those named" if asker.service.kind == EXTERNAL else f"{containers} containers"
    name = f"{pool.view.segment}: servers" if pool.view.segment else "servers"
    return Setting(name, f"{len(found.servers)} of {of}", f"health {asker.policy.health.value}")


def server_gates(asker: Asker, found: Servers) -> tuple[Gate, ...]:
    """Whether any container is healthy and any can be reached. A route stands without, and says 503."""
    if any(one.kind == EXTERNAL for one in asker.of):
        health = _UNCHECKED
    else:
        health = _healthy(found.healthy, sum([len(one.containers) for one in asker.of]))
    return (health, _reached(found.reached)) if health.passed or found.reached else (health,)


@lru_cache
def _healthy(count: int, of: int) -> Gate:
    return Gate("health", count > 0, f"{count} of {of} containers healthy", closes=False)


@lru_cache
def _reached(count: int) -> Gate:
    return Gate("address", count > 0, f"{count} can be reached" if count else "none can be reached", closes=False)


def _settled(found: Found[Address | None], otherwise: Found[Address]) -> Found[Address]:
    """What a label chose; where it is missing or wrong, what stands above it."""
    if found.value is not None:
        return Found(found.value, found.origin)
    did = f"used {otherwise.value.value}, as {otherwise.origin} says"
    return Found(otherwise.value, otherwise.origin, replace(found.problem, did=did) if found.problem else None)


def _containers(asker: Asker, pool: Pool, of: Sequence[Service]) -> tuple[list[_Place], int]:
    """Where the healthy containers of these services are reached, why the others are not, and how many are healthy."""
    title, health, segment = asker.service.title, asker.policy.health, pool.view.segment
    if health is Health.AUTO:
        health = Health.OPTIONAL if asker.asked.native else Health.REQUIRE
    found: list[_Place] = []
    if health is Health.REQUIRE and not any(map(_has_check, of)):
        why = "it has no health check that says which containers are healthy"
        found.append(_Place(None, [Problem(title, "", "", why, NO_SERVER, suggestion=GIVE_CHECK)]))
    containers, unfit = [], []
    for service in of:
        for one in service.containers:
            if why := _unfit(one, service, health):
                unfit.append((one, why))
            else:
                containers.append(one)
    healthy = len(containers)
    if not healthy and not found and asker.policy.none_healthy is NoneHealthy.KEEP:
        containers = [one for one, _ in unfit if _fell_out(one)]
        if containers:
            did = "kept those that run and were healthy once"
            problem = Problem(title, "", "", "none of its containers is healthy", did, notice=True)
            found.append(_Place(None, [problem]))
    found += [_Place(None, (), Remark(one.uuid, _told_of(one, why, containers), segment)) for one, why in unfit]
    if asker.service.kind == ALIAS:  # what its containers say, they say of their own services' routes
        containers = [replace(one, labels={}) for one in containers]
    distinct = {one.uuid: one for one in containers}.values()
    return [*found, *[_container(asker, one, pool) for one in distinct]], healthy


def _has_check(service: Service) -> bool:
    return service.has_check or any(container.health_state for container in service.containers)


def _unfit(container: Container, service: Service, health: Health) -> str:
    """Why a container is not used, apart from its address; empty where it is."""
    says = container.health_state
    if container.state not in RUNNING:
        return f"it does not run: {container.state or 'Rancher tells no state'}"
    if health is Health.IGNORE or says in HEALTHY:
        return ""
    if says:
        return f"{'it is' if says in FELL_OUT else 'it is not healthy yet:'} {says}"
    if service.has_check:
        return "its health check has said nothing yet"
    return "" if health is Health.OPTIONAL else "no health check says that it is healthy"


def _told_of(container: Container, why: str, kept: Sequence[Container]) -> str:
    return f"{why}, and kept, since none is healthy" if container in kept else why


def _fell_out(container: Container) -> bool:
    return container.state in RUNNING and container.health_state in FELL_OUT


def _container(asker: Asker, container: Container, pool: Pool) -> _Place:
    """Where a container is reached."""
    service, at, hosts = asker.service, asker.at, asker.hosts
    asked = told = _Told(pool.protocol, pool.port, pool.weight, at.value)
    problems: list[Problem] = []
    if container.labels and container.labels != service.labels:
        told, problems = _told_by(service, container, pool, at)
        wrong = next((one for one in problems if one.did == NO_SERVER), None)
        if wrong:
            return _Place(None, problems, Remark(container.uuid, f"its own {wrong.label} is wrong", pool.view.segment))
    try:
        if told.at is Address.HOST:
            host, reached = _on_host(container, told.port, "udp" if told.scheme == "udp" else "tcp", hosts)
        else:
            host, reached = _on_network(container), told.port
    except _Unreachable as err:
        # What is to be done for a port of a host is the same for all, so no container is named.
        value, whose = ("", "") if told.at is Address.HOST else (container.address, f"container {container.name}: ")
        problem = Problem(service.title, "", value, f"{whose}{err}", NO_SERVER, suggestion=err.suggestion)
        return _Place(None, [*problems, problem], Remark(container.uuid, str(err), pool.view.segment))
    differs = told is not asked and told != asked
    remark = Remark(container.uuid, _differs(told, asked), pool.view.segment) if differs else None
    drained = asker.drained.container(service, container) if asker.drained else ()
    return _Place(_Address(container.uuid, told.scheme, host, reached, told.weight, drained), problems, remark)


def _differs(told: _Told, asked: _Told) -> str:
    """Where a container's own labels say something else than its service's."""
    both = (
        ("protocol", told.scheme, asked.scheme),
        ("port", told.port, asked.port),
        ("weight", told.weight, asked.weight),
        ("address", told.at.value, asked.at.value),
    )
    return f"its own labels say {', '.join(f'{name} {own}' for name, own, its in both if own != its)}"


def _told_by(service: Service, container: Container, pool: Pool, at: Found[Address]) -> tuple[_Told, list[Problem]]:
    """What a container's own labels say. During an upgrade the old ones keep theirs, which are right for them."""
    own = view_of(container.labels, pool.view.segment)
    scheme = _own(table.PROTOCOL, pool.protocol, service, container, pool.view, own)
    port = _own(table.PORT, pool.port, service, container, pool.view, own)
    weight = _own(table.WEIGHT, pool.weight, service, container, pool.view, own)
    own_at = _settled(_own(table.ADDRESS, at.value, service, container, pool.view, own), at)
    problems = [found.problem for found in (scheme, port, weight, own_at) if found.problem]
    return _Told(scheme.value, port.value, weight.value, own_at.value), problems


def _on_network(container: Container) -> str:
    """A container's own address. Raises _Unreachable where it has none."""
    try:
        return types.address(container.address)
    except ValueError as err:
        raise _Unreachable(str(err) if container.address else "it has no address") from err


def _on_host(container: Container, port: int, protocol: str, hosts: Mapping[str, str]) -> tuple[str, int]:
    """Where a container's `port` is reached from outside of Rancher's network.

    Raises _Unreachable where it is not.
    """
    host = hosts.get(container.host_uuid, "")
    if container.address and container.address == host:  # it is on its host's network itself
        address, public = host, port
    else:
        address, public = min(_published(container, port, protocol), default=("", 0))
    if not address and not host:
        raise _Unreachable(f"no address is known of its host {container.host_uuid or 'without a uuid'}")
    if not public:
        as_told = f"{port}/udp" if protocol == "udp" else f"{port}"
        raise _Unreachable(f"port {port} is not published on the host", f'give the service ports: - "{as_told}"')
    try:
        return types.address(address or host), public
    except ValueError as err:
        raise _Unreachable(f"host {container.host_uuid}: {err}") from err


def _published(container: Container, port: int, protocol: str) -> Iterator[tuple[str, int]]:
    """Addresses and ports at which the host passes on what comes for `port`; an empty address means all it has."""
    for text in container.ports:
        found = _PUBLISHED.fullmatch(text.lower())
        if found is None or (int(found[3]), found[4] or "tcp") != (port, protocol):
            continue
        if not 0 < int(found[2]) <= 65535:
            continue
        try:
            bound = ip_address((found[1] or "0.0.0.0").strip("[]"))
        except ValueError:
            continue
        if not bound.is_loopback:
            yield "" if bound.is_unspecified else str(bound), int(found[2])


def _own(label: Label[T], asked: T, service: Service, container: Container, view: View, own: View) -> Found[T]:
    """A container's own value of a label where it has another text than its service."""
    text = own.labels.get(label.name, "")
    if text in ("", view.labels.get(label.name)):
        return Found(asked, DEFAULT)
    found = find(label, own, service.title)
    if found.problem:
        did = NO_SERVER if label.gate else found.problem.did
        problem = replace(found.problem, reason=f"container {container.name}: {found.problem.reason}", did=did)
        return replace(found, problem=problem)
    return found


def _external(asker: Asker, service: Service, pool: Pool) -> list[_Place]:
    """Where an external service is: it names addresses, or one host, and nobody checks them."""
    drained = asker.drained.external(asker.service, service)
    named = [(ip, types.address) for ip in service.external_ips]
    if service.hostname:
        named.append((service.hostname, _address_or_host))
    found: list[_Place] = []
    for text, parse in named:
        try:
            host = parse(text)
        except ValueError as err:
            problem = Problem(asker.service.title, "", text, str(err), NO_SERVER)
            found.append(_Place(None, [problem], Remark(text, str(err), pool.view.segment)))
        else:
            found.append(_Place(_Address(host, pool.protocol, host, pool.port, pool.weight, drained)))
    if not named:
        why = f"{'it' if service is asker.service else service.title} names no address and no host"
        found.append(_Place(None, [Problem(asker.service.title, "", "", why, NO_SERVER)]))
    return found


def _address_or_host(text: str) -> str:
    try:
        return types.address(text)
    except ValueError:
        return types.host(text)


def _gathered(asker: Asker, pool: Pool, found: Iterable[_Place], healthy: int) -> Servers:
    """Servers, each with a URL of its own: Traefik makes one of two that share it, with a weight at random."""
    title, segment = asker.service.title, pool.view.segment
    addresses: list[_Address] = []
    problems: list[Problem] = []
    remarks: list[Remark] = []
    for address, its_problems, remark in found:
        problems += its_problems
        if remark:
            remarks.append(remark)
        if address:
            addresses.append(address)
    servers: dict[tuple[str, str, int], Server] = {}
    retiring, drained = set(), set()
    for one in sorted(addresses, key=lambda address: address.identity):
        place = (one.scheme, one.host, one.port)
        if why := _unnameable(asker.policy.cluster, one.identity):
            problems.append(Problem(title, "", one.identity, why, NO_SERVER))
            remarks.append(Remark(one.identity, why, segment))
        elif why := _drained(one, asker.policy):
            remarks.append(Remark(one.identity, why, segment))
            retiring.add(one.identity)
            drained.add(one.identity)
        elif one.weight == 0:
            remarks.append(Remark(one.identity, "its weight is 0, so it gets nothing", segment))
            retiring.add(one.identity)
        elif place not in servers:
            weight = asker.policy.weight(one.weight)
            servers[place] = Server(one.identity, one.scheme, one.host, one.port, weight)
        elif servers[place].identity != one.identity:
            why = f"its address is that of {servers[place].identity}"
            problems.append(Problem(title, "", one.identity, why, NO_SERVER, notice=True))
            remarks.append(Remark(one.identity, why, segment))
            retiring.add(one.identity)
    return Servers(
        servers=tuple(servers.values()),
        retiring=tuple(sorted(retiring)),
        drained=tuple(sorted(drained)),
        problems=tuple(dict.fromkeys(problems)),
        remarks=tuple(remarks),
        healthy=healthy,
        reached=len(addresses),
    )


def _drained(one: _Address, policy: Policy) -> str:
    """Why the operator wants it to get nothing; empty where it may get requests."""
    if one.drained:
        return f"it is drained, by {' and '.join(one.drained)}"
    return "" if policy.weight_factor else f"{SCALE} is 0, so it gets nothing"


def _unnameable(cluster: str, identity: str) -> str:
    """Why no key can be named after a server; empty where one can."""
    try:
        server_name(cluster, identity)
    except ValueError as err:
        return str(err)
    return ""
