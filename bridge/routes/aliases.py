"""What a DNS alias stands for: the services at the end of its links, which may lead over other aliases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.labels.lookup import protections
from bridge.model.problem import Problem
from bridge.model.world import Service
from bridge.routes.policy import ALIAS, KINDS

DEPTH = 8  # aliases behind one another
LEFT_OUT = "left it out"


@dataclass(frozen=True, slots=True)
class Followed:
    """The services that one stands for: itself, unless it is an alias."""

    services: tuple[Service, ...]  # no alias; in the order of the links
    problems: tuple[Problem, ...] = ()


def by_title(services: Iterable[Service]) -> Mapping[str, Service]:
    """Services as links name them; of two from linked environments the smallest (stack uuid, uuid)."""
    found: dict[str, Service] = {}
    for one in services:
        held = found.setdefault(one.title, one)
        if (one.stack_uuid, one.uuid) < (held.stack_uuid, held.uuid):
            found[one.title] = one
    return found


def follow(alias: Service, known: Mapping[str, Service]) -> Followed:
    """What an alias stands for. Each service counts once, so links that lead in a circle end."""
    found: dict[str, Service] = {}
    problems: list[Problem] = []
    seen, level = {alias.title}, [alias]
    for _ in range(DEPTH):
        ahead = [title for one in level for title in _new(one, seen)]
        level = []
        for title in ahead:
            service = known.get(title)
            if service is None or service.system or service.kind not in KINDS:
                problems.append(Problem(alias.title, "", title, _why_not(title, service), LEFT_OUT))
            elif service.kind == ALIAS:
                level.append(service)
            else:
                found[title] = service
    if level:
        why = f"more than {DEPTH} aliases stand behind one another"
        problems.append(Problem(alias.title, "", level[0].title, why, LEFT_OUT))
    if not found:
        problems.append(Problem(alias.title, "", "", "its links lead to no service", "published no server"))
    problems += [problem for service in found.values() for problem in _unprotected(alias, service)]
    return Followed(tuple(found.values()), tuple(problems))


def _unprotected(alias: Service, service: Service) -> Iterator[Problem]:
    """What the labels of a service protect by, and those of its alias do not: nothing of it comes along."""
    own = protections(alias.labels)
    for family, name in protections(service.labels).items():
        if family not in own:
            why = f"it stands for this service, whose {name} protects it, and no label of its own does so"
            do = f"say it on the alias too: {name}"
            yield Problem(alias.title, "", service.title, why, "published it without", notice=True, suggestion=do)


def _new(alias: Service, seen: set[str]) -> Iterator[str]:
    for title in alias.links:
        if title not in seen:
            seen.add(title)
            yield title


def _why_not(title: str, service: Service | None) -> str:
    if service is None:
        return f"it stands for {title}, which the source does not show"
    return f"it stands for {title}, which is {'of Rancher itself' if service.system else f'a {service.kind}'}"
