"""From a service to its verdict: a route, or the gate that closed on the way to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import ip_address
from itertools import compress
from typing import TypeVar

from bridge.labels import table, types
from bridge.labels.lookup import speaks_only_newer
from bridge.labels.notes import DEFAULT, NO_ROUTE, Found, find
from bridge.labels.read import Asked, Pool, read
from bridge.labels.table import Label
from bridge.labels.types import Address, Publish
from bridge.labels.views import View, view_of
from bridge.model.keys import route_name, server_name
from bridge.model.problem import Problem
from bridge.model.route import MODIFIERS, Gate, Kind, Matcher, Route, Rule, Server, Setting, Verdict
from bridge.model.world import Container, Service, Snapshot

CONTAINER_KINDS = frozenset(("service", "loadBalancerService"))
EXTERNAL = "externalService"
# After cattle's process table; a stopped container keeps the health state that it had.
RUNNING = frozenset(("running", "updating-running"))
HEALTHY = frozenset(("healthy", "updating-healthy"))

NO_SERVER = "published no server"
NO_HOSTS: Mapping[str, str] = {}
_HOSTS = (Kind.HOST, Kind.HOST_REGEXP)
_PATHS = {kind: kind.value.replace("Strip", "").replace("Regex", "") for kind in Kind if kind.value.startswith("Path")}
_PUBLISHED = re.compile(r"(?:(.*):)?([0-9]{1,5}):([0-9]{1,5})(?:/tcp)?")  # address, public and private port

T = TypeVar("T")


class Health(Enum):
    """Which containers count as healthy, apart from running."""

    AUTO = "auto"  # as REQUIRE where rancher-traefik's labels speak, as OPTIONAL where Traefik's own do
    REQUIRE = "require"  # only what a health check says is healthy
    OPTIONAL = "optional"  # what has no check is healthy
    IGNORE = "ignore"  # the state alone counts


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decides for all services."""

    cluster: str = "default"
    health: Health = Health.AUTO
    address: Address = Address.CONTAINER


@dataclass(frozen=True, slots=True)
class _Address:
    """A healthy container or an external address: a server, if its weight gives it anything."""

    identity: str
    scheme: str
    host: str
    port: int
    weight: int  # 0: nothing


@dataclass(frozen=True, slots=True)
class _Told:
    """What labels say of a container."""

    scheme: str
    port: int
    weight: int
    at: Address


@dataclass(frozen=True, slots=True)
class _Servers:
    """Where a route's requests go."""

    servers: tuple[Server, ...] = ()
    retiring: tuple[str, ...] = ()  # identities
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Judged:
    """A verdict with all that it follows from, and what others must know of it."""

    service: Service
    asks: bool  # for a route, whoever else bears its name
    policy: Policy
    holds: bool  # its name
    hosts: Sequence[str]  # its containers' hosts' addresses
    verdict: Verdict
    requests: tuple[str, ...]


class Judge:
    """Judges one snapshot after another: a service of which nothing changed keeps its verdict, and costs nothing."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Judged] = {}

    def __call__(self, snapshot: Snapshot, policy: Policy) -> tuple[Verdict, ...]:
        """As `judge_all`."""
        services = [one for one in snapshot.services if any(name.startswith(table.PREFIX) for name in one.labels)]
        known = [self._known.get((one.uuid, one.name)) for one in services]
        asks = [
            before.asks if before is not None and before.service is one else _asks(one)
            for one, before in zip(services, known, strict=True)
        ]
        holders: dict[tuple[str, str], Service] = {}
        for one in compress(services, asks):
            held = holders.setdefault((one.stack, one.name), one)
            if (one.stack_uuid, one.uuid) < (held.stack_uuid, held.uuid):
                holders[one.stack, one.name] = one
        judged = [
            _rejudge(before, one, asked, policy, holders.get((one.stack, one.name), one), snapshot.hosts)
            for one, before, asked in zip(services, known, asks, strict=True)
        ]
        self._known = {(one.service.uuid, one.service.name): one for one in judged if one.holds}
        return _contested(judged)


def judge_all(snapshot: Snapshot, policy: Policy) -> tuple[Verdict, ...]:
    """A verdict for each service that carries one of our labels, in the snapshot's order.

    Linked environments may bring services of one stack and name: the smallest (stack uuid, uuid) of those that ask
    for a route keeps the name.
    """
    return Judge()(snapshot, policy)


def _asks(service: Service) -> bool:
    return all(gate.passed for gate, _ in (_enabled(service), _kind(service), _vocabulary(service)))


def _rejudge(
    known: _Judged | None,
    service: Service,
    asks: bool,
    policy: Policy,
    holder: Service,
    hosts: Mapping[str, str],
) -> _Judged:
    """What is known, if all is as it was."""
    holds = holder is service
    its = [hosts.get(container.host_uuid, "") for container in service.containers] if hosts else []
    if known is not None and holds and known.policy == policy and known.hosts == its:
        if known.service is service:
            return known
        if known.service == service:
            return replace(known, service=service)
    verdict = _judge(service, policy, holder, hosts)
    return _Judged(service, asks, policy, holds, its, verdict, _requests(verdict.route))


def _contested(judged: Sequence[_Judged]) -> tuple[Verdict, ...]:
    """The verdicts, with a problem where two services ask for the same requests.

    Traefik gives them to the longer rule, and of equally long ones to either: an unrelated route decides which.
    """
    askers: dict[str, list[str]] = {}
    for one in judged:
        for request in one.requests:
            askers.setdefault(request, []).append(one.verdict.service)
    contested = {request: titles for request, titles in askers.items() if len(titles) > 1}
    if not contested:
        return tuple(one.verdict for one in judged)
    contests = ((one.verdict, tuple(_contests(one, contested))) for one in judged)
    return tuple(replace(one, problems=(*one.problems, *found)) if found else one for one, found in contests)


def _requests(route: Route | None) -> tuple[str, ...]:
    """Each host that the route's rules name, with each path; alone where a rule takes all paths."""
    asked = [_asked_by(frontend.rule) for frontend in route.frontends] if route else []
    return asked[0] if len(asked) == 1 else tuple(dict.fromkeys(request for one in asked for request in one))


def _asked_by(rule: Rule) -> tuple[str, ...]:
    """What a rule asks for by hosts and paths alone: other matchers may tell two rules of one host apart."""
    hosts = [one for one in rule.matchers if one.kind in _HOSTS]
    others = [one for one in rule.matchers if one.kind not in _HOSTS and one.kind not in MODIFIERS]
    if len(hosts) != 1 or len(others) > 1 or not all(one.kind in _PATHS for one in others):
        return ()
    return tuple([f"{host} {path}".strip() for host in hosts[0].values for path in _texts(others)])


def _texts(paths: Sequence[Matcher]) -> tuple[str, ...]:
    """Stripped or not, they are the same requests."""
    return tuple(f"{_PATHS[one.kind]}:{value}" for one in paths for value in one.values) or ("",)


def _contests(one: _Judged, contested: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    title = one.verdict.service
    for request in one.requests:
        other = next((asker for asker in contested.get(request, ()) if asker != title), "")
        if other:
            why, did = f"{other} asks for the same requests", "published both, and Traefik chooses one"
            yield Problem(title, "", request, why, did)


def judge(service: Service, policy: Policy, hosts: Mapping[str, str] = NO_HOSTS) -> Verdict:
    """Why this service, taken alone, has a route, or why it has none. `hosts`: addresses by uuid."""
    return _judge(service, policy, service, hosts)


def _judge(service: Service, policy: Policy, holder: Service, hosts: Mapping[str, str]) -> Verdict:
    """The verdict, where `holder` is the service that may bear the name."""
    gates: list[Gate] = []
    for gate, problem in (_enabled(service), _kind(service), _vocabulary(service), _sole(service, holder)):
        gates.append(gate)
        if not gate.passed:
            return Verdict(service.title, tuple(gates), problems=(problem,) if problem else ())
    enable = find(table.ENABLE, View(service.labels), service.title)
    asked = read(service.title, service.name, service.stack, enable.value, service.labels)
    gates += _label_gates(asked)
    settings = (Setting(table.ENABLE.sets, enable.value.value, enable.origin), *asked.settings)
    if not gates[-1].passed:
        return Verdict(service.title, tuple(gates), settings, asked.problems)
    gate, problem = _name(service, asked)
    gates.append(gate)
    if problem:
        return Verdict(service.title, tuple(gates), settings, (*asked.problems, problem))
    at = _address(service, policy)
    found = [_servers(service, asked, pool, policy, at, hosts) for pool in asked.pools]
    problems = [problem for one in found for problem in one.problems]
    return Verdict(
        service.title,
        tuple(gates),
        settings=(
            *settings,
            *(() if service.kind == EXTERNAL else (Setting(table.ADDRESS.sets, at.value.value, at.origin),)),
            *[_counted(service, pool, one, policy) for pool, one in zip(asked.pools, found, strict=True)],
        ),
        problems=(
            *asked.problems,
            *((at.problem,) if at.problem else ()),
            *(dict.fromkeys(problems) if len(found) > 1 else problems),  # one of a container is found for each pool
        ),
        route=_route(service, asked, found),
    )


def _route(service: Service, asked: Asked, found: Sequence[_Servers]) -> Route:
    backends = [
        replace(pool.backend, servers=one.servers, retiring=one.retiring)
        for pool, one in zip(asked.pools, found, strict=True)
    ]
    return Route(service.name, service.stack, asked.frontends, tuple(backends), unchecked=service.kind == EXTERNAL)


def _servers(
    service: Service, asked: Asked, pool: Pool, policy: Policy, at: Found[Address], hosts: Mapping[str, str]
) -> _Servers:
    """The servers of one of the service's backends."""
    if service.kind == EXTERNAL:
        return _external(service, pool, policy)
    return _containers(service, asked, pool, policy, at, hosts)


def _counted(service: Service, pool: Pool, found: _Servers, policy: Policy) -> Setting:
    of = "those named" if service.kind == EXTERNAL else f"{len(service.containers)} containers"
    name = f"{pool.view.segment}: servers" if pool.view.segment else "servers"
    return Setting(name, f"{len(found.servers)} of {of}", f"health {policy.health.value}")


# Gates: each with the problem to report where it is closed.

_SPEAKS = Gate("vocabulary", True, "its labels are not Traefik 2's and 3's alone")
_SOLE = Gate("sole", True, "no other service of its name comes first")


def _enabled(service: Service) -> tuple[Gate, Problem | None]:
    found = find(table.ENABLE, View(service.labels), service.title)
    if found.problem:
        return Gate("enabled", False, found.problem.reason), found.problem
    why = f"{table.ENABLE.name} is {found.value.value}" if found.origin == table.ENABLE.name else "no label asks for it"
    return Gate("enabled", found.value is not Publish.NO, why), None


def _kind(service: Service) -> tuple[Gate, Problem | None]:
    if service.primary not in ("", service.name):
        why = f"it is a sidekick of {service.primary}"
    elif service.kind not in CONTAINER_KINDS and service.kind != EXTERNAL:
        why = f"a {service.kind} has no servers of its own"
    else:
        return Gate("kind", True, service.kind), None
    text = service.labels.get(table.ENABLE.name, "")
    return Gate("kind", False, why), Problem(service.title, table.ENABLE.name, text, why, "no frontend")


def _vocabulary(service: Service) -> tuple[Gate, Problem | None]:
    newer = speaks_only_newer(service.labels)
    if not newer:
        return _SPEAKS, None
    why = "its labels speak to Traefik 2 and 3 only"
    return Gate("vocabulary", False, why), Problem(service.title, newer, "", why, "no frontend", notice=True)


def _sole(service: Service, holder: Service) -> tuple[Gate, Problem | None]:
    if holder is service:
        return _SOLE, None
    why = f"service {holder.uuid} of stack {holder.stack_uuid} has the same name and comes first"
    return Gate("sole", False, why), Problem(service.title, "", service.uuid, why, NO_ROUTE)


def _label_gates(asked: Asked) -> tuple[Gate, ...]:
    """The gates that a label's bad value closes, up to the first that is closed."""
    open_because = {
        "protection": "no label asks for a protection that is not known",
        "port": ", ".join([f"port {pool.port}" for pool in asked.pools]),
        "protocol": ", ".join([pool.protocol for pool in asked.pools]),
        "rule": f"{len(asked.frontends)} frontends",
    }
    gates = []
    for name, why in open_because.items():
        refused = [refusal.why for refusal in asked.refusals if refusal.gate == name]
        gates.append(Gate(name, not refused, refused[0] if refused else why))
        if refused:
            break
    return tuple(gates)


def _name(service: Service, asked: Asked) -> tuple[Gate, Problem | None]:
    try:
        names = [route_name(service.name, service.stack, frontend.segment) for frontend in asked.frontends]
    except ValueError as err:
        return Gate("name", False, str(err)), Problem(service.title, "", service.title, str(err), NO_ROUTE)
    return Gate("name", True, names[0]), None


# Servers


def _address(service: Service, policy: Policy) -> Found[Address]:
    """Where a service's containers are reached: its label says so, or else the policy."""
    return _settled(find(table.ADDRESS, View(service.labels), service.title), Found(policy.address, "--address"))


def _settled(found: Found[Address | None], otherwise: Found[Address]) -> Found[Address]:
    """What a label chose; where it is missing or wrong, what stands above it."""
    if found.value is not None:
        return Found(found.value, found.origin)
    did = f"used {otherwise.value.value}, as {otherwise.origin} says"
    return Found(otherwise.value, otherwise.origin, replace(found.problem, did=did) if found.problem else None)


def _containers(
    service: Service, asked: Asked, pool: Pool, policy: Policy, at: Found[Address], hosts: Mapping[str, str]
) -> _Servers:
    """The servers of a service whose containers are asked."""
    health = policy.health
    if health is Health.AUTO:
        health = Health.OPTIONAL if asked.native else Health.REQUIRE
    if health is Health.REQUIRE and not _has_check(service):
        why = "it has no health check that says which containers are healthy"
        return _Servers(problems=(Problem(service.title, "", "", why, NO_SERVER),))
    containers = {one.uuid: one for one in service.containers if _is_healthy(one, service, health)}
    return _gathered(service, (_container(service, one, pool, at, hosts) for one in containers.values()), policy)


def _has_check(service: Service) -> bool:
    return service.has_check or any(container.health_state for container in service.containers)


def _is_healthy(container: Container, service: Service, health: Health) -> bool:
    if container.state not in RUNNING:
        return False
    if health is Health.IGNORE or container.health_state in HEALTHY:
        return True
    return health is Health.OPTIONAL and not container.health_state and not service.has_check


def _container(
    service: Service, container: Container, pool: Pool, at: Found[Address], hosts: Mapping[str, str]
) -> tuple[_Address | None, list[Problem]]:
    """Where a container is reached."""
    told: _Told | None = _Told(pool.protocol, pool.port, pool.weight, at.value)
    problems: list[Problem] = []
    if container.labels and container.labels != service.labels:
        told, problems = _told_by(service, container, pool, at)
    if told is None:
        return None, problems
    try:
        if told.at is Address.HOST:
            host, reached = _on_host(container, told.port, hosts)
        else:
            host, reached = _on_network(container), told.port
    except ValueError as err:
        value = "" if told.at is Address.HOST else container.address
        return None, [*problems, Problem(service.title, "", value, str(err), NO_SERVER)]
    return _Address(container.uuid, told.scheme, host, reached, told.weight), problems


def _told_by(
    service: Service, container: Container, pool: Pool, at: Found[Address]
) -> tuple[_Told | None, list[Problem]]:
    """What a container's own labels say. During an upgrade the old ones keep theirs, which are right for them."""
    own = view_of(container.labels, pool.view.segment)
    scheme = _own(table.PROTOCOL, pool.protocol, service, container, pool.view, own)
    port = _own(table.PORT, pool.port, service, container, pool.view, own)
    weight = _own(table.WEIGHT, pool.weight, service, container, pool.view, own)
    own_at = _settled(_own(table.ADDRESS, at.value, service, container, pool.view, own), at)
    problems = [found.problem for found in (scheme, port, weight, own_at) if found.problem]
    if scheme.problem or port.problem:
        return None, problems
    return _Told(scheme.value, port.value, weight.value, own_at.value), problems


def _on_network(container: Container) -> str:
    """A container's own address. Raises ValueError where it has none."""
    try:
        return types.address(container.address)
    except ValueError as err:
        why = err if container.address else "it has no address"
        raise ValueError(f"container {container.name}: {why}") from err


def _on_host(container: Container, port: int, hosts: Mapping[str, str]) -> tuple[str, int]:
    """Where a container's `port` is reached from outside of Rancher's network.

    Raises ValueError where it is not: without the container's name, since what is to be done is the same for all.
    """
    host = hosts.get(container.host_uuid, "")
    if container.address and container.address == host:  # it is on its host's network itself
        return types.address(host), port
    address, public = min(_published(container, port), default=("", 0))
    if not address and not host:
        raise ValueError(f"no address is known of its host {container.host_uuid or 'without a uuid'}")
    if not public:
        raise ValueError(f'port {port} is not published on the host; give the service ports: - "{port}"')
    try:
        return types.address(address or host), public
    except ValueError as err:
        raise ValueError(f"host {container.host_uuid}: {err}") from err


def _published(container: Container, port: int) -> Iterator[tuple[str, int]]:
    """Addresses and ports at which the host passes on what comes for `port`; an empty address means all it has."""
    for text in container.ports:
        found = _PUBLISHED.fullmatch(text.lower())
        if found is None or int(found[3]) != port or not 0 < int(found[2]) <= 65535:
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


def _external(service: Service, pool: Pool, policy: Policy) -> _Servers:
    """The servers of an external service: it names addresses, or one host, and nobody checks them."""
    named = [(ip, types.address) for ip in service.external_ips]
    if service.hostname:
        named.append((service.hostname, _address_or_host))
    found: list[tuple[_Address | None, list[Problem]]] = []
    for text, parse in named:
        try:
            host = parse(text)
        except ValueError as err:
            found.append((None, [Problem(service.title, "", text, str(err), NO_SERVER)]))
        else:
            found.append((_Address(host, pool.protocol, host, pool.port, pool.weight), []))
    if not named:
        found.append((None, [Problem(service.title, "", "", "it names no address and no host", NO_SERVER)]))
    return _gathered(service, found, policy)


def _address_or_host(text: str) -> str:
    try:
        return types.address(text)
    except ValueError:
        return types.host(text)


def _gathered(service: Service, found: Iterable[tuple[_Address | None, list[Problem]]], policy: Policy) -> _Servers:
    """Servers, each with a URL of its own: Traefik makes one of two that share it, with a weight at random."""
    addresses, problems = [], []
    for address, its_problems in found:
        problems += its_problems
        if address:
            addresses.append(address)
    servers: dict[tuple[str, str, int], Server] = {}
    retiring = set()
    for one in sorted(addresses, key=lambda address: address.identity):
        place = (one.scheme, one.host, one.port)
        if why := _unnameable(policy.cluster, one.identity):
            problems.append(Problem(service.title, "", one.identity, why, NO_SERVER))
        elif one.weight == 0:
            retiring.add(one.identity)
        elif place not in servers:
            servers[place] = Server(one.identity, one.scheme, one.host, one.port, one.weight)
        elif servers[place].identity != one.identity:
            why = f"its address is that of {servers[place].identity}"
            problems.append(Problem(service.title, "", one.identity, why, NO_SERVER, notice=True))
            retiring.add(one.identity)
    return _Servers(tuple(servers.values()), tuple(sorted(retiring)), tuple(dict.fromkeys(problems)))


def _unnameable(cluster: str, identity: str) -> str:
    """Why no key can be named after a server; empty where one can."""
    try:
        server_name(cluster, identity)
    except ValueError as err:
        return str(err)
    return ""
