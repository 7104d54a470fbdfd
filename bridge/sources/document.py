"""The metadata service's documents, the answers of /2016-07-29/stacks and its kin, as a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TypeVar

import msgspec

from bridge.model.problem import Problem
from bridge.model.world import Container, Service, Snapshot
from bridge.sources.base import SourceError
from bridge.sources.mend import mend, mend_hosts
from bridge.sources.shapes import ContainerShape, HostShape, ServiceShape, StackShape, WorldShape

LABELS = "traefik."  # what the labels begin with that are kept
REMEDY = "save the whole answer of /2016-07-29/stacks, asked for as JSON"

T = TypeVar("T", Container, Service)

_DECODER = msgspec.json.Decoder(list[StackShape] | WorldShape)
_HOSTS_DECODER = msgspec.json.Decoder(list[HostShape])


def snapshot(data: bytes, url: str, remedy: str = REMEDY) -> Snapshot:
    """The world that `data` describes, a list of stacks or an object that holds one under "stacks".

    An odd value costs that value and becomes a problem. Raises SourceError, naming `url` and `remedy`, where `data` is
    no JSON, nothing of the two, an empty list (Rancher answers so before it is ready), or one in which not one service
    can be read. None of these means "no services".
    """
    with _reading(data, url, remedy):
        shape, problems = decode(data)
    if not shape.stacks:
        raise SourceError("source", url, f"holds no stack; {remedy}")
    world = build(shape, problems)
    if not world.services and world.problems:
        raise SourceError("source", url, f"no service in it can be read ({world.problems[0]}); {remedy}")
    return world


def hosts(data: bytes, url: str, remedy: str) -> tuple[Mapping[str, str], list[Problem]]:
    """Addresses of hosts by uuid, from the answer of /2016-07-29/hosts.

    Raises SourceError, naming `url` and `remedy`, where `data` is no JSON, no list, or an empty one.
    """
    with _reading(data, url, remedy):
        try:
            shapes, problems = _HOSTS_DECODER.decode(data), list[Problem]()
        except (msgspec.DecodeError, UnicodeDecodeError):
            shapes, problems = mend_hosts(data)
    if not shapes:
        raise SourceError("source", url, f"holds no host; {remedy}")
    return _addresses(shapes), problems


def decode(data: bytes) -> tuple[WorldShape, list[Problem]]:
    """A document's lists: typed and fast where all fits, else value by value. Raises as `mend`."""
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return mend(data)
    return found if isinstance(found, WorldShape) else WorldShape(stacks=found), []


def gap(problems: Iterable[Problem]) -> Problem | None:
    """The first problem by which a stack, a service, a container or a host is missing; None where nothing is.

    A saved document may have been edited, and one slip must not cost the rest of it. A live server writes its lists
    whole, whatever owners put into their labels: one with such a gap is half a document.
    """
    lists = {"stacks", "services", "containers", "hosts", "name", "uuid"}
    gaps = (one for one in problems if one.label.split(" ")[0] in lists and one.did.startswith("left"))
    return next(gaps, None)


@contextmanager
def _reading(data: bytes, url: str, remedy: str) -> Iterator[None]:
    """What goes wrong with a whole document, as a SourceError."""
    try:
        yield
    except RecursionError as err:
        raise SourceError("source", url, f"nested too deeply; {remedy}") from err
    except JSONDecodeError as err:
        why = f"is no JSON at line {err.lineno}, column {err.colno} ({err.msg.lower()})" if data.strip() else "is empty"
        raise SourceError("source", url, f"{why}; {remedy}") from err
    except ValueError as err:
        raise SourceError("source", url, f"{err}; {remedy}") from err


def build(world: WorldShape, problems: Iterable[Problem] = ()) -> Snapshot:
    """The snapshot of a decoded world: sorted, without repeats, each container with the address it is reached at."""
    found, stacks = list(problems), world.stacks or []
    containers = _by_uuid(_containers(stacks))
    services: dict[tuple[str, str, str, str], Service] = {}
    for stack in stacks:
        if not stack.name and not stack.services:
            found.append(Problem("", "stacks", "", "a stack has neither name nor services", "left it out"))
        for shape in stack.services or ():
            service = _service(shape, stack, containers, found)
            if service is not None:
                key = (service.stack, service.name, service.stack_uuid, service.uuid)
                services[key] = _one(service, services[key]) if key in services else service
    return Snapshot(
        services=tuple(service for _, service in sorted(services.items(), key=lambda pair: pair[0])),
        environment=_environment(stacks),
        problems=tuple(sorted(set(found))),
        hosts=_addresses(world.hosts or ()),
    )


def _addresses(shapes: Iterable[HostShape]) -> dict[str, str]:
    """By uuid; of two that a host is given, the same one whatever the order."""
    pairs = ((shape.uuid, shape.agent_ip) for shape in shapes if shape.uuid and shape.agent_ip)
    return dict(sorted(pairs, reverse=True))


def _environment(stacks: Iterable[StackShape]) -> str:
    """The uuid that most stacks carry; of equals the smallest.

    Stacks that an account link brings in carry this environment's uuid, so all should agree. Where they do not, one
    odd stack must not change who we are.
    """
    counted = Counter(stack.environment_uuid for stack in stacks if stack.environment_uuid)
    return min(counted, key=lambda uuid: (-counted[uuid], uuid), default="")


def _service(
    shape: ServiceShape, parent: StackShape, containers: Mapping[str, ContainerShape], problems: list[Problem]
) -> Service | None:
    name, stack = (shape.name or "").lower(), (shape.stack_name or parent.name or "").lower()
    title = f"{stack}/{name}"
    if not name or not stack:
        which = "stack" if name else "service"
        problems.append(Problem(title, "name", "", f"the {which} has no name", "left the service out"))
        return None
    kind = shape.kind or ""
    return Service(
        uuid=shape.uuid or "",
        name=name,
        stack=stack,
        stack_uuid=shape.stack_uuid or parent.uuid or "",
        environment_uuid=shape.environment_uuid or parent.environment_uuid or "",
        kind=kind,
        state=shape.state or "",
        primary=(shape.primary_service_name or name).lower(),
        labels=_traefik(shape.labels),
        containers=_all_containers(title, shape.containers or (), containers, problems),
        has_check=shape.health_check is not None and shape.health_check.port is not None,
        # Every kind may have links; only of an alias are they what it stands for.
        links=_sorted(link.lower() for link in shape.links or ()) if kind == "dnsService" else (),
        external_ips=_sorted(shape.external_ips or ()),
        hostname=shape.hostname or "",
        system=bool(shape.system),
        create_index=shape.create_index or 0,
    )


def _all_containers(
    title: str, shapes: Iterable[ContainerShape], containers: Mapping[str, ContainerShape], problems: list[Problem]
) -> tuple[Container, ...]:
    by_uuid: dict[str, Container] = {}
    for shape in shapes:
        if uuid := shape.uuid:
            container = _container(shape, uuid, containers)
            by_uuid[uuid] = _one(container, by_uuid[uuid]) if uuid in by_uuid else container
        else:
            label = f"uuid of {shape.name or 'a container'}"
            problems.append(Problem(title, label, "", "the container has no uuid", "left the container out"))
    return tuple(by_uuid[uuid] for uuid in sorted(by_uuid))


def _container(shape: ContainerShape, uuid: str, containers: Mapping[str, ContainerShape]) -> Container:
    lender = shape if shape.primary_ip else _lender(shape, containers)
    ports = shape.ports or lender.ports
    return Container(
        uuid=uuid,
        name=shape.name or "",
        state=shape.state or "",
        health_state=shape.health_state or "",
        address=lender.primary_ip or "",
        labels=_traefik(shape.labels),
        ports=_sorted(ports) if ports else (),
        host_uuid=shape.host_uuid or "",
    )


def _lender(shape: ContainerShape, containers: Mapping[str, ContainerShape]) -> ContainerShape:
    """The container whose network this one is on: its own, or that of one that shares its own; none in a circle."""
    seen, lender = {shape.uuid}, shape
    while not lender.primary_ip:
        uuid = lender.network_from_container_uuid
        if not uuid or uuid in seen or uuid not in containers:
            return shape
        seen.add(uuid)
        lender = containers[uuid]
    return lender


def _containers(stacks: Iterable[StackShape]) -> Iterator[ContainerShape]:
    for stack in stacks:
        for service in stack.services or ():
            yield from service.containers or ()


def _by_uuid(shapes: Iterable[ContainerShape]) -> Mapping[str, ContainerShape]:
    """Containers by uuid. One in two services stands twice: of two that differ, the same one whatever the order."""
    by_uuid: dict[str, ContainerShape] = {}
    for shape in shapes:
        if shape.uuid:
            held = by_uuid.setdefault(shape.uuid, shape)
            if held is not shape and _address_order(shape) < _address_order(held):
                by_uuid[shape.uuid] = shape
    return by_uuid


def _address_order(shape: ContainerShape) -> tuple[bool, str, str, list[str]]:
    lent = shape.primary_ip or ""
    return (not lent, lent, shape.network_from_container_uuid or "", sorted(shape.ports or ()))


def _one(this: T, other: T) -> T:
    """One of two that bear the same identity: the same one whatever the order they came in."""
    return min(this, other, key=repr)


def _traefik(labels: Mapping[str, str] | None) -> dict[str, str]:
    # A slice, because it is faster than `startswith`, and a large world has some 200 000 labels.
    return {name: value for name, value in labels.items() if name[:8] == LABELS} if labels else {}


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(filter(None, texts))))
