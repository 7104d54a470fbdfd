"""What of a snapshot an operator drained, and by which records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.model.drain import Drain, Scope
from bridge.model.problem import Problem
from bridge.model.world import Container, Service, Snapshot

Records = tuple[str, ...]  # keys of the records that drain one thing


@dataclass(frozen=True, slots=True)
class Drained:
    """The records that drain a thing of one snapshot; of most there is none."""

    cluster: Records = ()
    services: Mapping[str, Records] = field(default_factory=dict)  # by stack/service
    containers: Mapping[str, Records] = field(default_factory=dict)  # by uuid; also for its host and its own service

    def __bool__(self) -> bool:
        return bool(self.cluster or self.services or self.containers)

    def container(self, asker: Service, one: Container) -> Records:
        """Why a container gets nothing of what `asker` is asked, which may be an alias of its service."""
        return _once(self.cluster, self.services.get(asker.title, ()), self.containers.get(one.uuid, ()))

    def external(self, asker: Service, one: Service) -> Records:
        """Why the addresses that `one` names get nothing of what `asker` is asked."""
        return _once(self.cluster, self.services.get(asker.title, ()), self.services.get(one.title, ()))

    def all_of(self, asker: Service, of: Iterable[Service]) -> Sequence[Records]:
        """All that a route of `asker` to these services must know of it."""
        if not self:
            return ()
        found = [self.external(asker, one) for one in of]
        found += [self.container(asker, each) for one in of for each in one.containers]
        return found if any(found) else ()


NOTHING = Drained()


def resolve(drains: Iterable[Drain], snapshot: Snapshot) -> tuple[Drained, tuple[Problem, ...]]:
    """What the records drain of this snapshot, and a notice of each that names nothing in it."""
    cluster: list[str] = []
    services: dict[str, list[str]] = {}
    containers: dict[str, list[str]] = {}
    problems = []
    for one in drains:
        if one.scope == Scope.CLUSTER.value:
            cluster.append(one.record)
            continue
        found, is_known = _named(one, snapshot)
        for container in found:
            containers.setdefault(container.uuid, []).append(one.record)
        if is_known and one.scope == Scope.SERVICE.value:
            services.setdefault(one.name, []).append(one.record)
        if not is_known:
            problems.append(_unmatched(one, snapshot))
    return Drained(tuple(cluster), _frozen(services), _frozen(containers)), tuple(problems)


def needs_hosts(drains: Iterable[Drain]) -> bool:
    """Whether only a snapshot with its hosts can tell what is drained."""
    return any(one.scope == Scope.HOST.value for one in drains)


def _named(drain: Drain, snapshot: Snapshot) -> tuple[list[Container], bool]:
    """The containers that it names, and whether it names anything, with containers or without."""
    if drain.scope == Scope.SERVICE.value:
        services = [one for one in snapshot.services if one.title == drain.name]
        return [container for one in services for container in one.containers], bool(services)
    every = (container for one in snapshot.services for container in one.containers)
    if drain.scope == Scope.CONTAINER.value:
        found = [one for one in every if drain.name in (one.uuid, one.name)]
        return found, bool(found)
    hosts = {uuid for uuid, address in snapshot.hosts.items() if drain.name in (uuid.lower(), address)}
    hosts |= {uuid for uuid, names in snapshot.host_names.items() if drain.name in (uuid.lower(), *names)}
    found = [one for one in every if one.host_uuid in hosts or one.host_uuid.lower() == drain.name]
    return found, bool(hosts or found)


def _unmatched(drain: Drain, snapshot: Snapshot) -> Problem:
    is_untold = drain.scope == Scope.HOST.value and not snapshot.tells_hosts
    do = "this source tells no hosts: name it by its uuid" if is_untold else ""
    why = f"it drains {drain.title}, and there is none now"
    return Problem("", drain.record, "", why, "kept the record", notice=True, suggestion=do)


def _once(*records: Records) -> Records:
    return tuple(dict.fromkeys(record for some in records for record in some))


def _frozen(found: Mapping[str, Iterable[str]]) -> Mapping[str, Records]:
    return {name: tuple(records) for name, records in found.items()}
