"""From a service's labels to valid settings: whatever the text, never an exception, and nothing but valid values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.labels import table, types
from bridge.labels.table import Label, Listed
from bridge.labels.types import Publish
from bridge.model.problem import Problem
from bridge.model.route import Backend, Frontend, Kind, Matcher, RateLimit, RateSet, Rule, Setting

T = TypeVar("T")

NO_ROUTE = "no route"
RULE_LIMIT = 64 * 1024  # characters of a rule's values: what stores and Traefik take in one key, by a wide margin
RATE_SET = "main"
DEFAULT = "default"

_NAMED = {label.name: label for label in table.TABLE}
# What Traefik 2 and 3 know. A segment of Traefik 1 may be called http as well: traefik.http.port.
_NEWER = re.compile(
    r"traefik\.(?:(?:http|tcp|udp)\.(?:routers|services|middlewares|serverstransports)"
    r"|tls\.(?:stores|options|certificates))\.",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """One label's value, or its default where the label is missing or wrong."""

    value: T
    origin: str  # the label's name, or DEFAULT
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What costs a service its route."""

    gate: str
    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a service's labels ask for."""

    port: int
    protocol: str
    weight: int  # 0: the servers get nothing
    frontends: tuple[Frontend, ...]  # empty: no rule can be used, and a refusal says why
    backend: Backend
    settings: tuple[Setting, ...]
    problems: tuple[Problem, ...]
    refusals: tuple[Refusal, ...]


def find(label: Label[T], labels: Mapping[str, str], title: str) -> Found[T]:
    """The value of one label of the service `title`."""
    text = labels.get(label.name, "")
    if not text:
        return Found(label.default, DEFAULT)
    try:
        return Found(label.parse(text), label.name)
    except ValueError as err:
        did = NO_ROUTE if label.gate else f"used the default, {shown(label.default)}"
        return Found(label.default, DEFAULT, Problem(title, label.name, text, str(err), did))


def shown(value: object) -> str:
    """A setting's value as reports print it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)


def speaks_only_newer(labels: Mapping[str, str]) -> str:
    """A label of Traefik 2 and 3 on a service that speaks no older language; empty where it does.

    A label that two vocabularies know speaks for none, so rancher-traefik's count where Traefik 1 has not got them, and
    Traefik 1's where rancher-traefik has not.
    """
    newer = sorted(name for name in labels if _NEWER.match(name))
    older = (name for name in labels if not _NEWER.match(name) and _is_old(name))
    return newer[0] if newer and not any(older) else ""


def _is_old(name: str) -> bool:
    row = _NAMED.get(name)
    return row.short if row else name.startswith("traefik.backend") or _may_protect(name)


def _may_protect(name: str) -> bool:
    return ".frontend." in name.lower()


def read(title: str, service: str, stack: str, publish: Publish, labels: Mapping[str, str]) -> Asked:
    """What the labels of `service` in `stack` ask for. `title` names it in problems."""
    notes = _Notes(title, labels)
    notes.strangers()
    port, protocol, weight = notes.value(table.PORT), notes.value(table.PROTOCOL), notes.value(table.WEIGHT)
    matchers = _hosts(notes, service, stack, publish)
    priority, passes, limit = _priority(notes), notes.value(table.PASS_HOST_HEADER), _rate_limit(notes)
    frontends = tuple(
        Frontend(segment, rule, priority=priority, pass_host_header=passes, rate_limit=limit)
        for segment, rule in _rules(notes, matchers)
    )
    method, sticky, breaker = notes.value(table.METHOD), notes.value(table.STICKY), notes.value(table.BREAKER)
    if notes.value(table.ACME):
        notes.problem(table.ACME.name, "Traefik reads no certificates from a route", "wrote no key", notice=True)
    return Asked(
        port=port,
        protocol=protocol,
        weight=weight,
        frontends=frontends,
        backend=Backend(method=method, sticky=sticky, breaker=breaker),
        settings=tuple(notes.settings),
        problems=tuple(notes.problems),
        refusals=tuple(notes.refusals),
    )


class _Notes:
    """The labels of one service, and what reading them has brought up so far."""

    def __init__(self, title: str, labels: Mapping[str, str]) -> None:
        self.title, self.labels = title, labels
        self.settings: list[Setting] = []
        self.problems: list[Problem] = []
        self.refusals: list[Refusal] = []

    def value(self, label: Label[T]) -> T:
        """A label's value, noted with its origin."""
        found = find(label, self.labels, self.title)
        self.settings.append(Setting(label.sets, shown(found.value), found.origin))
        if found.problem:
            self.problems.append(found.problem)
            if label.gate:
                self.refusals.append(Refusal(label.gate, f"{label.name}: {found.problem.reason}"))
        return found.value

    def items(self, label: Listed[T]) -> tuple[str, ...]:
        """What stands between the commas, without blanks around it and without what is empty."""
        found = (item.strip() for item in self.labels.get(label.name, "").split(","))
        return tuple(item for item in found if item)

    def values(self, label: Listed[T]) -> tuple[T, ...]:
        """A label's values, without those that are wrong."""
        values: dict[T, None] = {}  # in order, without repeats
        for item in self.items(label):
            try:
                values[label.parse(types.decoded(item))] = None
            except ValueError as err:
                self.problems.append(Problem(self.title, label.name, item, str(err), "left it out"))
        return tuple(values)

    def problem(self, label: str, reason: str, did: str, *, notice: bool = False) -> None:
        """Something wrong with a whole label."""
        self.problems.append(Problem(self.title, label, self.labels.get(label, ""), reason, did, notice))

    def bad_rule(self, label: str, reason: str) -> None:
        """Something that leaves no rule to publish."""
        self.problem(label, reason, NO_ROUTE)
        self.refusals.append(Refusal("rule", reason))

    def strangers(self) -> None:
        """Labels that are in no row. Their values stay out of reports: they may be secret."""
        for name in sorted(self.labels):
            if name in _NAMED or not name.startswith(table.PREFIX):
                continue
            if _may_protect(name):
                reason = "it is not known, and may ask for protection"
                self.problems.append(Problem(self.title, name, "", reason, NO_ROUTE))
                self.refusals.append(Refusal("protection", f"{name}: {reason}"))
            else:
                self.problems.append(Problem(self.title, name, "", "it is not known", "ignored it", notice=True))


def _hosts(notes: _Notes, service: str, stack: str, publish: Publish) -> tuple[Matcher, ...]:
    """The one matcher of hosts; none where no usable host is left."""
    patterns, plain = notes.values(table.DOMAIN_REGEXP), _plain_hosts(notes, service, stack, publish)
    hosts = tuple(dict.fromkeys((*patterns, *plain)))
    if not hosts:
        notes.bad_rule(table.DOMAIN.name, "no usable host is left")
        return ()
    origin = ",".join(
        label.name for label in (table.DOMAIN_REGEXP, table.DOMAIN, table.ALIAS, table.ALIAS_FQDN) if notes.items(label)
    )
    notes.settings.append(Setting(table.DOMAIN.sets, ",".join(hosts), origin or DEFAULT))
    # HostRegexp takes plain hosts too, and two matchers would both have to match.
    kind = Kind.HOST_REGEXP if any("{" in host for host in hosts) else Kind.HOST
    return (Matcher(kind, hosts),)


def _plain_hosts(notes: _Notes, service: str, stack: str, publish: Publish) -> tuple[str, ...]:
    domains, aliases = notes.values(table.DOMAIN), notes.values(table.ALIAS)
    base = stack if publish is Publish.STACK else f"{service}.{stack}"
    if len(domains) * (1 + len(aliases)) > RULE_LIMIT:  # too many even to be written out
        notes.bad_rule(table.ALIAS.name, "with the domains these are too many names")
        return ()
    if notes.items(table.DOMAIN):
        names = [f"{name}.{domain}" for name in (base, *aliases) for domain in domains]
    else:
        names = [f"{service}.{stack}"]  # a stack's name alone would be a host without any dot
        if aliases:
            notes.problem(table.ALIAS.name, f"an alias needs {table.DOMAIN.name}", "left it out")
    return (*_checked(notes, names), *notes.values(table.ALIAS_FQDN))


def _checked(notes: _Notes, names: list[str]) -> list[str]:
    """Each part may be a host name and the whole too long for one; and not every service's name is part of one."""
    hosts = []
    for name in names:
        try:
            hosts.append(types.host(name))
        except ValueError as err:
            notes.problems.append(Problem(notes.title, table.DOMAIN.name, name, str(err), "left it out"))
    return hosts


def _rules(notes: _Notes, hosts: tuple[Matcher, ...]) -> tuple[tuple[str, Rule], ...]:
    """Segment and rule of each frontend; none where a rule cannot be kept."""
    matchers = []
    for label, kind in table.PATHS:
        values = notes.values(label)
        if values:
            notes.settings.append(Setting(label.sets, ",".join(values), label.name))
            matchers.append((label.name.removeprefix(table.PREFIX), Matcher(kind, values)))
        elif notes.items(label):
            # Without its paths the frontend would take every path of its hosts.
            notes.bad_rule(label.name, "no usable path is left")
    rules = [(segment, Rule((*hosts, matcher))) for segment, matcher in matchers] or [("", Rule(hosts))]
    if any(sum(len(value) + 1 for one in rule.matchers for value in one.values) > RULE_LIMIT for _, rule in rules):
        notes.bad_rule("", f"the rule is longer than {RULE_LIMIT} characters")
    if any(refusal.gate == "rule" for refusal in notes.refusals):
        return ()
    return (("", rules[0][1]), *rules[1:])


def _priority(notes: _Notes) -> int | None:
    priority = notes.value(table.PRIORITY)
    if priority is None or priority >= 2:
        return priority
    # 0 and less mean "by length" to Traefik, and 1 is the backstop's.
    notes.problem(table.PRIORITY.name, "it is below 2", "wrote 2", notice=True)
    return 2


def _rate_limit(notes: _Notes) -> RateLimit | None:
    if not notes.value(table.RATE_ENABLE):
        return None
    period, average = notes.value(table.RATE_PERIOD), notes.value(table.RATE_AVERAGE)
    rates = RateSet(period, average, notes.value(table.RATE_BURST))
    return RateLimit("client.ip", ((RATE_SET, rates),))
