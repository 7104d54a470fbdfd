"""The metadata service's documents, the answers of /2016-07-29/stacks and its kin, as a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError

import msgspec

from bridge.model.problem import Problem
from bridge.model.world import Service, Snapshot
from bridge.sources.base import SourceError
from bridge.sources.mend import mend, mend_hosts, mend_service
from bridge.sources.services import Made, by_uuid, make, one_of, slim
from bridge.sources.shapes import ContainerShape, HostShape, ServiceShape, StackShape, WorldShape

REMEDY = "save the whole answer of /2016-07-29/stacks, asked for as JSON"

_DECODER = msgspec.json.Decoder(list[StackShape] | WorldShape)
_SERVICE_DECODER = msgspec.json.Decoder(ServiceShape)
_HOSTS_DECODER = msgspec.json.Decoder(list[HostShape])
_UNFIT = (msgspec.DecodeError, UnicodeDecodeError)
_EMPTY = Problem("", "stacks", "", "a stack has neither name nor services", "left it out")


@dataclass(slots=True)
class Part:
    """One service of a document."""

    shape: ServiceShape
    stack: StackShape
    problems: list[Problem]
    borrows: bool  # a container of it may be on the network of one of another service
    made: Made | None = None

    def make(self, containers: Mapping[str, ContainerShape]) -> Made:
        """The service; the same object as before where nothing of it changed."""
        if self.made is None or self.borrows:
            made = make(self.shape, self.stack, containers)
            self.made = self.made if made == self.made else made
        assert self.made is not None
        return self.made


@dataclass(frozen=True, slots=True)
class World:
    """A document, typed."""

    stacks: list[StackShape]
    parts: list[Part]  # all services
    hosts: list[HostShape]
    problems: list[Problem]


class Reader:
    """Reads one document after another: a service whose text did not change is the very object of the last time."""

    def __init__(self, named: Set[str] = frozenset()) -> None:
        """`named`: labels of services that are read, though they are not ours."""
        self._named = named
        self._kept: dict[tuple[bytes, str | None, str | None, str | None], Part] = {}

    def snapshot(self, data: bytes, url: str, remedy: str = REMEDY) -> Snapshot:
        """The world that `data` describes, a list of stacks or an object that holds one under "stacks".

        An odd value costs that value and becomes a problem. Raises SourceError, naming `url` and `remedy`, where `data`
        is no JSON, nothing of the two, an empty list (Rancher answers so before it is ready), or one in which not one
        service can be read. None of these means "no services".
        """
        with _reading(data, url, remedy):
            found = self._read(data)
        if not found.stacks:
            raise SourceError("source", url, f"holds no stack; {remedy}")
        world = build(found)
        if not world.services and world.problems:
            raise SourceError("source", url, f"no service in it can be read ({world.problems[0]}); {remedy}")
        return world

    def _read(self, data: bytes) -> World:
        """Typed and fast where all fits, else value by value. Raises as `mend`."""
        try:
            found = _DECODER.decode(data)
            stacks, hosts = (found.stacks, found.hosts) if isinstance(found, WorldShape) else (found, None)
            parts = {key: part for stack in stacks or () for key, part in self._parts(stack)}
        except (*_UNFIT, _NoService):
            return read_slowly(data, self._named)
        self._kept = parts
        problems = [_EMPTY for stack in stacks or () if not stack.name and not stack.services]
        return World([*stacks] if stacks else [], [*parts.values()], hosts or [], problems)

    def _parts(self, stack: StackShape) -> Iterator[tuple[tuple[bytes, str | None, str | None, str | None], Part]]:
        # A part lives as long as its text, and the JSON of its stack's services would keep its whole document with it.
        bare = StackShape(stack.uuid, stack.name, stack.environment_uuid)
        for raw in stack.services or ():
            text = bytes(raw)
            key = (text, stack.name, stack.uuid, stack.environment_uuid)
            yield key, self._kept.get(key) or _part(text, bare, self._named)


class _NoService(ValueError):
    """Something else stands in a list of services."""


def snapshot(data: bytes, url: str, remedy: str = REMEDY) -> Snapshot:
    """One document's world. Raises as `Reader.snapshot`."""
    return Reader().snapshot(data, url, remedy)


@dataclass(frozen=True, slots=True)
class Hosts:
    """A list of hosts."""

    addresses: Mapping[str, str]  # by uuid
    names: Mapping[str, tuple[str, ...]]  # by uuid
    problems: list[Problem]


def hosts(data: bytes, url: str, remedy: str) -> Hosts:
    """The answer of /2016-07-29/hosts.

    Raises SourceError, naming `url` and `remedy`, where `data` is no JSON, no list, or an empty one.
    """
    with _reading(data, url, remedy):
        try:
            shapes, problems = _HOSTS_DECODER.decode(data), list[Problem]()
        except _UNFIT:
            shapes, problems = mend_hosts(data)
    if not shapes:
        raise SourceError("source", url, f"holds no host; {remedy}")
    return Hosts(_addresses(shapes), _names(shapes), problems)


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


def _part(text: bytes, stack: StackShape, named: Set[str]) -> Part:
    """Typed where it fits, else value by value. Raises _NoService where it is no object."""
    try:
        shape, problems = slim(_SERVICE_DECODER.decode(text), named), list[Problem]()
    except _UNFIT:
        try:
            shape, problems = mend_service(text, stack.name or "", named)
        except (ValueError, RecursionError) as err:
            raise _NoService from err
    return _new(shape, stack, problems)


def _new(shape: ServiceShape, stack: StackShape, problems: list[Problem]) -> Part:
    borrows = any(not one.primary_ip and one.network_from_container_uuid for one in shape.containers or ())
    return Part(shape, stack, problems, borrows)


def read_slowly(data: bytes, named: Set[str] = frozenset()) -> World:
    """A document, value by value. Raises as `mend`."""
    found = mend(data, named)
    parts = [_new(shape, stack, []) for stack, services in found.stacks for shape in services]
    problems = [_EMPTY for stack, services in found.stacks if not stack.name and not services]
    return World([stack for stack, _ in found.stacks], parts, found.hosts, [*found.problems, *problems])


def build(world: World) -> Snapshot:
    """The snapshot of a document: sorted, without repeats, each container with the address it is reached at."""
    problems = [*world.problems]
    borrowed = any(part.borrows for part in world.parts)
    containers = by_uuid(one for part in world.parts for one in part.shape.containers or ()) if borrowed else {}
    services: dict[tuple[str, str, str, str], Service] = {}
    for part in world.parts:
        service, found = part.make(containers)
        problems += (*part.problems, *found)
        if service is not None:
            key = (service.stack, service.name, service.stack_uuid, service.uuid)
            services[key] = one_of(service, services[key]) if key in services else service
    return Snapshot(
        services=tuple(service for _, service in sorted(services.items(), key=lambda pair: pair[0])),
        environment=_environment(world.stacks),
        problems=tuple(sorted(set(problems))),
        hosts=_addresses(world.hosts),
        host_names=_names(world.hosts),
    )


def _addresses(shapes: Iterable[HostShape]) -> dict[str, str]:
    """By uuid; of two that a host is given, the same one whatever the order."""
    pairs = ((shape.uuid, shape.agent_ip) for shape in shapes if shape.uuid and shape.agent_ip)
    return dict(sorted(pairs, reverse=True))


def _names(shapes: Iterable[HostShape]) -> dict[str, tuple[str, ...]]:
    """By uuid, in lower case: the name that somebody gave to a host, and that of its machine."""
    found: dict[str, set[str]] = {}
    for shape in shapes:
        names = [name.lower() for name in (shape.name, shape.hostname) if name]
        if shape.uuid and names:
            found.setdefault(shape.uuid, set()).update(names)
    return {uuid: tuple(sorted(names)) for uuid, names in sorted(found.items())}


def _environment(stacks: Iterable[StackShape]) -> str:
    """The uuid that most stacks carry; of equals the smallest.

    Stacks that an account link brings in carry this environment's uuid, so all should agree. Where they do not, one
    odd stack must not change who we are.
    """
    counted = Counter(stack.environment_uuid for stack in stacks if stack.environment_uuid)
    return min(counted, key=lambda uuid: (-counted[uuid], uuid), default="")
