"""What a service asks for in the vocabulary of Traefik 2 and 3, with the servers behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.labels import table
from bridge.labels.layer4 import joined, read_layer4
from bridge.labels.native import SERVER, Bearer, Element, read_native
from bridge.labels.native_names import asks_newer, layer4, where
from bridge.labels.read import Asked as AskedRoute
from bridge.labels.read import Pool
from bridge.labels.types import Whole
from bridge.labels.views import View
from bridge.model.native import Asked, Native
from bridge.model.problem import Problem
from bridge.model.route import Backend, Gate, Remark, Setting
from bridge.model.world import ADDRESS_LABEL, Container, Service, told_name
from bridge.routes.drained import Drained
from bridge.routes.policy import EXTERNAL, Policy, host_check
from bridge.routes.servers import Asker, Servers, address_of, counted, server_gates, servers

_PUBLISHED = re.compile(r"(?:(?:.*:)?[0-9]{1,5}:)?([0-9]{1,5})(?:/(tcp|udp))?")
_PORT = Whole(1, 65535)
_NOTHING = AskedRoute(native=True, pools=(), frontends=(), settings=(), problems=(), refusals=())


@dataclass(frozen=True, slots=True)
class Newer:
    """What comes of these labels."""

    native: Native
    gates: tuple[Gate, ...]
    settings: tuple[Setting, ...]
    remarks: tuple[Remark, ...]


def asked_newer(
    service: Service, policy: Policy, hosts: Mapping[str, str], of: Sequence[Service], drained: Drained
) -> Newer:
    """`hosts`: addresses by uuid; `of`: whose containers and addresses are the servers."""
    if policy.separate:
        return _none(service)
    bearer = Bearer(
        service.title,
        service.name,
        service.stack,
        _published(of, "tcp"),
        _published(of, "udp"),
        policy.fallback.of(service.named, service.labels),
        host_check(policy.domains),
    )
    reading = read_native(bearer, service.labels)
    if layer4(service.labels):
        reading = joined(reading, read_layer4(bearer, service.labels))
    at = address_of(service, policy)
    problems = [*reading.problems, *((at.problem,) if at.problem else ())]
    asked, gates, settings, remarks = list[Asked](), tuple[Gate, ...](), list[Setting](), list[Remark]()
    for element in reading.elements:
        fields = tuple(sorted(element.fields.values(), key=lambda said: said.path))
        found = Servers()
        if pool := _pool(element):
            plain = tuple(_plain(one, element, pool) for one in of)
            asker = Asker(service, _NOTHING, policy, at, hosts, plain, drained)
            found = servers(asker, pool)
            if element.label == table.PROTOCOL.name:
                origin = table.PORT.name if service.labels.get(table.PORT.name) else "ports"
                settings.append(Setting(f"{element.place}: port", str(pool.port), origin))
            gates = gates or server_gates(asker, found)
            count = counted(asker, replace(pool, view=replace(pool.view, segment="")), found)
            settings.append(replace(count, name=f"{element.place}: servers"))
            problems += found.problems
            remarks += (one for one in found.remarks if one not in remarks)
        asked.append(Asked(element.place, element.label, fields, found.servers, found.retiring, found.drained))
    unchecked = any(one.kind == EXTERNAL for one in of)
    label = asks_newer(service.labels)
    return Newer(
        Native(service.title, tuple(asked), label, reading.lost, tuple(dict.fromkeys(problems)), unchecked),
        gates,
        tuple(settings),
        tuple(remarks),
    )


def _none(service: Service) -> Newer:
    """Their names are global, so nobody can have one for a cluster alone."""
    label = asks_newer(service.labels)
    why = "its labels name what clusters share, and --fan-in separate shares nothing"
    did, do = "published nothing of them", "use --fan-in merge, or say it in Traefik 1's labels"
    problem = Problem(service.title, told_name(label), "", why, did, suggestion=do)
    return Newer(Native(service.title, (), label, problems=(problem,), withheld=why), (), (), ())


def _pool(element: Element) -> Pool | None:
    if element.pool is None:
        return None
    labels = {table.PORT.name: str(element.pool.port)}
    return Pool(View(labels), element.pool.port, element.pool.scheme, element.pool.weight, Backend())


def _plain(service: Service, element: Element, pool: Pool) -> Service:
    """The service as far as its servers are concerned: of Traefik 1's labels none counts."""
    containers = tuple(replace(one, labels=dict(_own(one, element, pool))) for one in service.containers)
    return replace(service, containers=containers)


def _own(container: Container, element: Element, pool: Pool) -> Iterator[tuple[str, str]]:
    """What a container says otherwise: in an upgrade the old ones keep their port."""
    if address := container.labels.get(ADDRESS_LABEL):
        yield ADDRESS_LABEL, address
    for label, text in container.labels.items():
        found = where(label)
        own = found and found.place == element.place and found.path.lower() == f"{SERVER}port"
        short = element.label == table.PROTOCOL.name and label == table.PORT.name
        if (own or short) and text != str(pool.port):
            try:
                yield table.PORT.name, str(_PORT(text))
            except ValueError:
                continue


def _published(of: Sequence[Service], protocol: str) -> tuple[int, ...]:
    """The containers' ports that their hosts pass on to, in Rancher's order.

    Its list is the service's. A document without has those of the containers, which are in no order: the smallest comes
    first.
    """
    listed = [port for one in of for port in _ports(one.ports, protocol)]
    boxes = (container for one in of for container in one.containers)
    found = listed or sorted(port for one in boxes for port in _ports(one.ports, protocol))
    return tuple(dict.fromkeys(found))


def _ports(texts: Iterable[str], protocol: str) -> Iterator[int]:
    for text in texts:
        found = _PUBLISHED.fullmatch(text.strip().lower())
        if found and (found[2] or "tcp") == protocol and 0 < int(found[1]) <= 65535:
            yield int(found[1])
