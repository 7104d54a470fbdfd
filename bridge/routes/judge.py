"""From a service to its verdict: a route, or the gate that closed on the way to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress, islice

from bridge.labels import table
from bridge.labels.fallback import Fallback
from bridge.labels.lookup import SUGGESTIONS, is_newer, meant, spot
from bridge.labels.native_names import asks_newer, speaks_newer_alone
from bridge.labels.notes import NO_ROUTE, Found, find
from bridge.labels.read import Asked, read
from bridge.labels.types import Publish
from bridge.labels.views import View
from bridge.model.keys import route_name
from bridge.model.problem import Problem
from bridge.model.route import Gate, Route, Setting, Verdict
from bridge.model.world import Service, Snapshot, is_ours
from bridge.routes.aliases import Followed, by_title, follow
from bridge.routes.contests import (
    CONTESTED,
    Loss,
    Overlaps,
    Rank,
    Request,
    all_alike,
    losses,
    overlaps,
    requests,
    settle,
)
from bridge.routes.drained import NOTHING, Drained, Records
from bridge.routes.natives import Newer, asked_newer
from bridge.routes.pages import foreign_pages, passes_by
from bridge.routes.policy import ALIAS, EXTERNAL, KINDS, Policy, refused_host
from bridge.routes.servers import SCALE, Asker, Servers, address_of, counted, server_gates, servers

NO_FRONTEND = "no frontend"
NO_HOSTS: Mapping[str, str] = {}
EXPOSED = "--expose-by-default"
AHEAD = 1  # added to the priority of each route that is a cluster's alone, but for drained ones: so these come last


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict for each service taken alone, and what their routes have in common."""

    verdicts: tuple[Verdict, ...]
    overlaps: Overlaps

    def losses(self, rank: Rank) -> Mapping[str, Loss]:
        """The services that are not published, since another is that asks for the same, by name."""
        return losses(self.verdicts, self.overlaps, rank)

    def settled(self, lost: Mapping[str, Loss]) -> tuple[Verdict, ...]:
        """The verdicts without the routes of those that lost."""
        return settle(self.verdicts, self.overlaps, lost)


@dataclass(frozen=True, slots=True)
class _Wanting:
    """Whether a service asks for a route, whoever else bears its name."""

    gates: tuple[Gate, ...]  # up to the first that is closed
    problem: Problem | None = None  # of that one

    @property
    def asks(self) -> bool:
        return self.gates[-1].passed


@dataclass(frozen=True, slots=True)
class _Judged:
    """A verdict with all that it follows from, and what others must know of it."""

    service: Service
    wanting: _Wanting
    holds: bool  # its name
    alias: Followed | None  # what it stands for; None: it is no alias
    hosts: list[str]  # its containers' hosts' addresses
    drained: Sequence[Records]  # all that drains it and its containers
    verdict: Verdict
    requests: tuple[Request, ...]
    pages: tuple[tuple[str, str], ...]  # name and backend of its error pages that are others'


class Judge:
    """Judges one snapshot after another: a service of which nothing changed keeps its verdict, and costs nothing."""

    def __init__(self) -> None:
        self._policy = Policy()
        self._known: dict[tuple[str, str], _Judged] = {}
        self._asked: list[tuple[str, tuple[Request, ...]]] = []
        self._overlaps = overlaps(self._asked)

    def __call__(self, snapshot: Snapshot, policy: Policy, drained: Drained = NOTHING) -> Judgement:
        """A verdict for each service that carries one of our labels, in the snapshot's order.

        `drained`: of this very snapshot.

        Linked environments may bring services of one stack and name: the smallest (stack uuid, uuid) of those that
        ask for a route keeps the name.
        """
        if policy != self._policy:
            self._policy, self._known = policy, {}
        services = [one for one in snapshot.services if any(map(is_ours, one.labels))]
        known = [self._known.get((one.uuid, one.name)) for one in services]
        wanting = [
            before.wanting if before is not None and before.service is one else _wanting(one, policy)
            for one, before in zip(services, known, strict=True)
        ]
        asking = list(compress(services, [one.asks for one in wanting]))
        holders: dict[tuple[str, str], Service] = {}
        for one in asking:
            held = holders.setdefault((one.stack, one.name), one)
            if (one.stack_uuid, one.uuid) < (held.stack_uuid, held.uuid):
                holders[one.stack, one.name] = one
        aliases = _followed(asking, snapshot)
        judged = [
            _rejudge(
                before,
                one,
                wants,
                policy,
                holders.get((one.stack, one.name), one),
                aliases.get(one.title) if aliases else None,
                snapshot.hosts,
                drained,
            )
            for one, before, wants in zip(services, known, wanting, strict=True)
        ]
        self._known = {(one.service.uuid, one.service.name): one for one in judged if one.holds}
        asked_for = [(one.verdict.service, one.requests) for one in judged if one.requests]
        if asked_for != self._asked:
            self._asked, self._overlaps = asked_for, overlaps(asked_for)
        return Judgement(_with_pages(judged), self._overlaps)


def judge_all(snapshot: Snapshot, policy: Policy) -> tuple[Verdict, ...]:
    """The same for one snapshot alone, settled: of two that ask for one request the smaller name is published."""
    judgement = Judge()(snapshot, policy)
    return judgement.settled(judgement.losses(all_alike))


def judge(service: Service, policy: Policy, hosts: Mapping[str, str] = NO_HOSTS) -> Verdict:
    """Why this service, taken alone, has a route, or why it has none. `hosts`: addresses by uuid."""
    alias = follow(service, {}) if service.kind == ALIAS else None
    return _judge(service, _wanting(service, policy), policy, service, alias, hosts, NOTHING)


def _followed(services: Iterable[Service], snapshot: Snapshot) -> Mapping[str, Followed]:
    """What each alias among them stands for, by title."""
    aliases = [one for one in services if one.kind == ALIAS]
    known = by_title(snapshot.services) if aliases else {}
    return {one.title: follow(one, known) for one in aliases}


def _rejudge(
    known: _Judged | None,
    service: Service,
    wanting: _Wanting,
    policy: Policy,
    holder: Service,
    alias: Followed | None,
    hosts: Mapping[str, str],
    drained: Drained,
) -> _Judged:
    """What is known, if all is as it was."""
    of = alias.services if alias else (service,)
    holds, its = holder is service, _hosts_of(of, hosts) if hosts else []
    drains = drained.all_of(service, of)
    if known is not None and holds and known.hosts == its and known.alias == alias and known.drained == drains:
        if known.service is service:
            return known
        if known.service == service:
            return replace(known, service=service)
    verdict = _judge(service, wanting, policy, holder, alias, hosts, drained)
    asks, pages = requests(verdict.route), foreign_pages(verdict.route)
    return _Judged(service, wanting, holds, alias, its, drains, verdict, asks, pages)


def _with_pages(judged: Sequence[_Judged]) -> tuple[Verdict, ...]:
    """The verdicts; of one whose error pages are others', with what they must know of these."""
    verdicts = [one.verdict for one in judged]
    asking = [(at, one) for at, one in enumerate(judged) if one.pages]
    if asking:
        routed = [(one.service, one.verdict.route) for one in judged if one.holds]
        published = {
            route_name(route.service, route.stack, backend.segment): service
            for service, route in routed
            if route
            for backend in route.backends
        }
        for at, one in asking:
            found = tuple(passes_by(one.service.title, one.pages, published))
            if found:
                verdicts[at] = replace(one.verdict, problems=(*one.verdict.problems, *found))
    return tuple(verdicts)


def _hosts_of(services: Iterable[Service], hosts: Mapping[str, str]) -> list[str]:
    return [hosts.get(container.host_uuid, "") for one in services for container in one.containers]


def _judge(
    service: Service,
    wanting: _Wanting,
    policy: Policy,
    holder: Service,
    alias: Followed | None,
    hosts: Mapping[str, str],
    drained: Drained,
) -> Verdict:
    """The verdict, where `holder` is the service that may bear the name."""
    if not wanting.asks:
        told = wanting.problem
        others = _others(service, policy, told) if told and told.did == NO_ROUTE else ()
        return Verdict(service.title, wanting.gates, problems=(told, *others) if told else ())
    gate, problem = _sole(service, holder)
    gates = [*wanting.gates, gate]
    if problem:
        return Verdict(service.title, tuple(gates), problems=(problem,))
    of = alias.services if alias else (service,)
    found = asked_newer(service, policy, hosts, of, drained) if asks_newer(service.labels) else None
    if found and speaks_newer_alone(service.labels):
        return _newer_alone(service, policy, tuple(gates), found, alias)
    older = _older(service, policy, tuple(gates), alias, hosts, drained)
    return replace(older, native=replace(found.native, alone=False)) if found else older


def _newer_alone(
    service: Service, policy: Policy, gates: tuple[Gate, ...], found: Newer, alias: Followed | None
) -> Verdict:
    """The verdict of a service that speaks to Traefik 2 and 3 alone."""
    enable, native = _enable(service, policy), found.native
    if enable.value is Publish.STACK:
        why = "stack says a host's name in rancher-traefik's labels alone"
        problem = Problem(service.title, table.ENABLE.name, enable.value.value, why, "took true", notice=True)
        native = replace(native, problems=(problem, *native.problems))
    return Verdict(
        service.title,
        (*gates, *found.gates),
        settings=(Setting(table.ENABLE.sets, enable.value.value, enable.origin), *found.settings),
        problems=alias.problems if alias else (),
        remarks=found.remarks,
        stands_for=tuple([one.title for one in alias.services]) if alias else (),
        native=native,
    )


def _older(
    service: Service,
    policy: Policy,
    before: tuple[Gate, ...],
    alias: Followed | None,
    hosts: Mapping[str, str],
    drained: Drained,
) -> Verdict:
    """The verdict by the labels that become a route."""
    gates = [*before]
    enable = _enable(service, policy)
    asked = read(service.title, service.name, service.stack, enable.value, service.labels, _fallback(service, policy))
    gates += _label_gates(asked)
    settings = (Setting(table.ENABLE.sets, enable.value.value, enable.origin), *asked.settings)
    if not gates[-1].passed:
        return Verdict(service.title, tuple(gates), settings, asked.problems)
    for gate, problem in (_domain(service, policy, asked), _name(service, asked)):
        gates.append(gate)
        if problem:
            return Verdict(service.title, tuple(gates), settings, (*asked.problems, problem))
    of = alias.services if alias else (service,)
    asker = Asker(service, asked, policy, address_of(service, policy), hosts, of, drained)
    found = [servers(asker, pool) for pool in asked.pools]
    gates += (*server_gates(asker, found[0]), _ALONE)
    return Verdict(
        service.title,
        tuple(gates),
        settings=(
            *settings,
            *(
                ()
                if service.kind == EXTERNAL
                else (Setting(table.ADDRESS.sets, asker.at.value.value, asker.at.origin),)
            ),
            *_scale(policy),
            *_yielding(asker, found),
            *[counted(asker, pool, one) for pool, one in zip(asked.pools, found, strict=True)],
        ),
        problems=(*asked.problems, *(alias.problems if alias else ()), *_of_servers(asker, found)),
        route=_route(asker, found),
        remarks=tuple([remark for one in found for remark in one.remarks]),
        stands_for=tuple([one.title for one in alias.services]) if alias else (),
    )


def _fallback(service: Service, policy: Policy) -> Fallback:
    return policy.fallback.of(service.named, service.labels)


def _scale(policy: Policy) -> Iterator[Setting]:
    if policy.weight_factor != 1:
        yield Setting("weight factor", f"{float(policy.weight_factor):.10g}", SCALE)


def _yielding(asker: Asker, found: Sequence[Servers]) -> Iterator[Setting]:
    if asker.policy.separate and _yields(asker, found):
        yield Setting("priority", "behind other clusters' of the same rule", "drained")


def _others(service: Service, policy: Policy, told: Problem) -> Iterator[Problem]:
    """What else is wrong with the labels of a service that means to ask for a route: who mends one mends all."""
    asked = read(
        service.title, service.name, service.stack, Publish.SERVICE, service.labels, _fallback(service, policy)
    )
    return (problem for problem in asked.problems if problem.label != told.label)


def _of_servers(asker: Asker, found: Sequence[Servers]) -> Iterator[Problem]:
    if asker.at.problem:
        yield asker.at.problem
    problems = [problem for one in found for problem in one.problems]
    yield from dict.fromkeys(problems) if len(found) > 1 else problems  # one of a container is found for each pool


def _route(asker: Asker, found: Sequence[Servers]) -> Route:
    backends = [
        replace(pool.backend, servers=one.servers, retiring=one.retiring, drained=one.drained)
        for pool, one in zip(asker.asked.pools, found, strict=True)
    ]
    unchecked = any(one.kind == EXTERNAL for one in asker.of)
    policy = asker.policy
    return Route(
        asker.service.name,
        asker.service.stack,
        asker.asked.frontends,
        tuple(backends),
        acme=asker.asked.acme,
        unchecked=unchecked,
        owner=policy.cluster if policy.separate else "",
        raised=0 if not policy.separate or _yields(asker, found) else AHEAD + policy.raised,
    )


def _yields(asker: Asker, found: Sequence[Servers]) -> bool:
    """Whether the route has no server, and an operator's word is a reason: then another cluster's shall come first."""
    if any(one.servers for one in found):
        return False
    word = any(one.drained for one in found) or any(asker.drained.external(asker.service, one) for one in asker.of)
    return word or asker.policy.weight_factor == 0


# Gates: each with the problem to report where it is closed.

_NOT_RANCHERS = Gate("system", True, "its stack is not Rancher's own")
_FITS = Gate("constraint", True, "its labels fit every constraint")
_SOLE = Gate("sole", True, "no other service of its name comes first")
_ALLOWED = Gate("domain", True, "its hosts are allowed")
_ALONE = Gate(CONTESTED, True, "no other service is published for the same requests")


def _wanting(service: Service, policy: Policy) -> _Wanting:
    gates = []
    for ask in (_enabled, _system, _kind, _constraint):
        gate, problem = ask(service, policy)
        gates.append(gate)
        if not gate.passed:
            return _Wanting(tuple(gates), problem)
    return _Wanting(tuple(gates))


def _enable(service: Service, policy: Policy) -> Found[Publish]:
    """What the service's label says, or the policy where it has none."""
    found = find(table.ENABLE, View(service.labels), service.title)
    if policy.expose and not service.labels.get(table.ENABLE.name):
        return Found(Publish.SERVICE, EXPOSED)
    return found


def _enabled(service: Service, policy: Policy) -> tuple[Gate, Problem | None]:
    if slip := _slip(service):
        why = f"it is not known; did you mean {table.ENABLE.name}?"
        return Gate("enabled", False, f"{slip}: {why}"), Problem(service.title, slip, "", why, NO_ROUTE)
    found = _enable(service, policy)
    if found.problem:
        return Gate("enabled", False, found.problem.reason), found.problem
    if found.origin == EXPOSED:
        # As Traefik's provider has it. So what nobody thought of, a database or this bridge, is not published.
        says = any((text and _is_port(name)) or is_newer(name) for name, text in service.labels.items())
        return Gate(
            "enabled", says, EXPOSED if says else f"no label asks for it, and without a port {EXPOSED} does not"
        ), None
    if found.origin != table.ENABLE.name:
        return Gate("enabled", False, "no label asks for it"), _forgotten(service)
    return Gate("enabled", found.value is not Publish.NO, f"{table.ENABLE.name} is {found.value.value}"), None


def _forgotten(service: Service) -> Problem | None:
    """The notice where labels say how a route shall be, and none asks for it: to Traefik's own provider all do."""
    if not any(text and spot(name) for name, text in service.labels.items()):
        return None
    why, do = (
        f"it has labels, and none is {table.ENABLE.name}",
        f"say {table.ENABLE.name}=true if it shall have a route",
    )
    return Problem(service.title, "", "", why, NO_FRONTEND, notice=True, suggestion=do)


def _slip(service: Service) -> str:
    """The label by which a service may say whether it asks for a route, where it does not say so by the right one."""
    if service.labels.get(table.ENABLE.name):
        return ""
    unknown = (name for name in sorted(service.labels) if spot(name) is None and not is_newer(name))
    return next((name for name in islice(unknown, SUGGESTIONS) if meant(name) == table.ENABLE.name), "")


def _is_port(name: str) -> bool:
    found = spot(name)
    return found is not None and found.row is table.PORT


def _unheard(service: Service, why: str) -> Problem | None:
    """The problem where a label asks for what cannot be; what the policy alone exposes is left out without a word."""
    text = service.labels.get(table.ENABLE.name, "")
    return Problem(service.title, table.ENABLE.name, text, why, NO_FRONTEND) if text else None


def _system(service: Service, _: Policy) -> tuple[Gate, Problem | None]:
    if not service.system:
        return _NOT_RANCHERS, None
    why = "its stack is Rancher's own"
    return Gate("system", False, why), _unheard(service, why)


def _kind(service: Service, policy: Policy) -> tuple[Gate, Problem | None]:
    if service.primary not in ("", service.name):
        why = f"it is a sidekick of {service.primary}"
    elif service.kind in policy.kinds:
        return Gate("kind", True, service.kind), None
    elif service.kind == ALIAS:
        why = f"a {ALIAS} has no servers of its own; --kind may name it"
    elif service.kind in KINDS:
        why = f"--kind does not name {service.kind}"
    else:
        why = f"a {service.kind} has no servers of its own"
    return Gate("kind", False, why), _unheard(service, why)


def _constraint(service: Service, policy: Policy) -> tuple[Gate, Problem | None]:
    """Who is left out by it is another bridge's, so that is no problem."""
    closing = policy.closing(service.named, service.labels)
    if closing is None:
        return _FITS, None
    return Gate("constraint", False, f"--constraint {closing[0]}: {closing[1]}"), None


def _sole(service: Service, holder: Service) -> tuple[Gate, Problem | None]:
    if holder is service:
        return _SOLE, None
    why = f"service {holder.uuid} of stack {holder.stack_uuid} has the same name and comes first"
    problem = Problem(service.title, "", service.uuid, why, NO_ROUTE, suggestion="give one of them another name")
    return Gate("sole", False, why), problem


def _label_gates(asked: Asked) -> tuple[Gate, ...]:
    """The gates that a label's bad value closes, up to the first that is closed."""
    open_because = {
        "protection": "no label asks for a protection that is not known",
        "port": ", ".join([f"port {pool.port}" for pool in asked.pools]),
        "protocol": ", ".join([pool.protocol for pool in asked.pools]),
        "rule": "1 frontend" if len(asked.frontends) == 1 else f"{len(asked.frontends)} frontends",
    }
    gates = []
    for name, why in open_because.items():
        refused = [refusal.why for refusal in asked.refusals if refusal.gate == name]
        gates.append(Gate(name, not refused, refused[0] if refused else why))
        if refused:
            break
    return tuple(gates)


def _domain(service: Service, policy: Policy, asked: Asked) -> tuple[Gate, Problem | None]:
    if not policy.domains:
        return _ALLOWED, None
    refused = (refused_host(frontend.rule, policy.domains) for frontend in asked.frontends)
    host = next((one for one in refused if one is not None), None)
    if host is None:
        return _ALLOWED, None
    why = f"--allow-domain does not allow {host or 'a rule for any host'}"
    do = f"use hosts in {' or '.join(policy.domains)}"
    problem = Problem(service.title, "", host, f"{why} in this cluster", NO_ROUTE, suggestion=do)
    return Gate("domain", False, why), problem


def _name(service: Service, asked: Asked) -> tuple[Gate, Problem | None]:
    try:
        names = [route_name(service.name, service.stack, frontend.segment) for frontend in asked.frontends]
    except ValueError as err:
        return Gate("name", False, str(err)), Problem(service.title, "", service.title, str(err), NO_ROUTE)
    return Gate("name", True, names[0]), None
