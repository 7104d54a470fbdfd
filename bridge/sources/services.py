"""A service of the metadata document, with the addresses at which its containers are reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TypeAlias, TypeVar

from bridge.model.problem import Problem
from bridge.model.world import LABELS, Container, Service, is_ours
from bridge.sources.shapes import ContainerShape, ServiceShape, StackShape

_LENGTH = len(LABELS)

Made: TypeAlias = tuple[Service | None, tuple[Problem, ...]]
T = TypeVar("T", Container, Service)


def slim(shape: ServiceShape, named: Set[str] = frozenset()) -> ServiceShape:
    """The same without the labels of others, which are most of what it weighs, but for the service's `named` ones."""
    kept = {name: shape.labels[name] for name in named if name in shape.labels} if shape.labels and named else {}
    shape.labels = _traefik(shape.labels) | kept
    for container in shape.containers or ():
        container.labels = _traefik(container.labels)
    return shape


def make(shape: ServiceShape, parent: StackShape, containers: Mapping[str, ContainerShape]) -> Made:
    """The service, None where it has no name, and what is wrong with it. `containers`: all that may lend a network."""
    name, stack = (shape.name or "").lower(), (shape.stack_name or parent.name or "").lower()
    title = f"{stack}/{name}"
    if not name or not stack:
        which = "stack" if name else "service"
        return None, (Problem(title, "name", "", f"the {which} has no name", "left the service out"),)
    kind = shape.kind or ""
    problems: list[Problem] = []
    labels = _traefik(shape.labels)
    service = Service(
        uuid=shape.uuid or "",
        name=name,
        stack=stack,
        stack_uuid=shape.stack_uuid or parent.uuid or "",
        environment_uuid=shape.environment_uuid or parent.environment_uuid or "",
        kind=kind,
        state=shape.state or "",
        primary=(shape.primary_service_name or name).lower(),
        labels=labels,
        containers=_all_containers(title, shape.containers or (), containers, problems),
        has_check=shape.health_check is not None and shape.health_check.port is not None,
        # Every kind may have links; only of an alias are they what it stands for.
        links=_sorted(link.lower() for link in shape.links or ()) if kind == "dnsService" else (),
        external_ips=_sorted(shape.external_ips or ()),
        hostname=shape.hostname or "",
        system=bool(shape.system),
        create_index=shape.create_index or 0,
        ports=tuple(filter(None, shape.ports or ())),
        named={name: text for name, text in (shape.labels or {}).items() if name not in labels},
    )
    return service, tuple(problems)


def by_uuid(shapes: Iterable[ContainerShape]) -> Mapping[str, ContainerShape]:
    """Containers by uuid. One in two services stands twice: of two that differ, the same one whatever the order."""
    found: dict[str, ContainerShape] = {}
    for shape in shapes:
        if shape.uuid:
            held = found.setdefault(shape.uuid, shape)
            if held is not shape and _address_order(shape) < _address_order(held):
                found[shape.uuid] = shape
    return found


def one_of(this: T, other: T) -> T:
    """One of two that bear the same identity: the same one whatever the order they came in."""
    return min(this, other, key=repr)


def _all_containers(
    title: str, shapes: Iterable[ContainerShape], containers: Mapping[str, ContainerShape], problems: list[Problem]
) -> tuple[Container, ...]:
    found: dict[str, Container] = {}
    for shape in shapes:
        if uuid := shape.uuid:
            container = _container(shape, uuid, containers)
            found[uuid] = one_of(container, found[uuid]) if uuid in found else container
        else:
            label = f"uuid of {shape.name or 'a container'}"
            problems.append(Problem(title, label, "", "the container has no uuid", "left the container out"))
    return tuple(found[uuid] for uuid in sorted(found))


def _container(shape: ContainerShape, uuid: str, containers: Mapping[str, ContainerShape]) -> Container:
    lender = shape if shape.primary_ip else _lender(shape, containers)
    ports = shape.ports or lender.ports
    return Container(
        uuid=uuid,
        name=shape.name or "",
        state=shape.state or "",
        health_state=shape.health_state or "",
        address=lender.primary_ip or "",
        labels=shape.labels or {},
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


def _address_order(shape: ContainerShape) -> tuple[bool, str, str, list[str]]:
    lent = shape.primary_ip or ""
    return (not lent, lent, shape.network_from_container_uuid or "", sorted(shape.ports or ()))


def _traefik(labels: Mapping[str, str] | None) -> dict[str, str]:
    # A slice, because it is faster than `startswith`, and a large world has some 200 000 labels.
    if not labels:
        return {}
    return {name: value for name, value in labels.items() if name[:_LENGTH] == LABELS or is_ours(name)}


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(filter(None, texts))))
