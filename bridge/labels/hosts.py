"""Which requests a service's frontends take: its rule, or what its hosts and paths make of one."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.labels import table, types
from bridge.labels.fallback import Fallback
from bridge.labels.notes import DEFAULT, LEFT_OUT, Notes, shown
from bridge.labels.rules import asks_for_hosts
from bridge.labels.types import Publish
from bridge.model.problem import Problem
from bridge.model.route import Kind, Matcher, Rule

RULE_LIMIT = 64 * 1024  # characters of a rule's values: what stores and Traefik take in one key, by a wide margin
_ASKING = (table.DOMAIN, table.DOMAIN_REGEXP, table.ALIAS, table.ALIAS_FQDN, *(label for label, _ in table.PATHS))


@dataclass(frozen=True, slots=True)
class Bearer:
    """The service that asks, as far as its rules depend on it."""

    service: str
    stack: str
    publish: Publish
    fallback: Fallback


def hosts(notes: Notes, bearer: Bearer) -> tuple[Matcher, ...]:
    """The one matcher of hosts; none where no usable host is left, or where a rule says all."""
    return () if notes.says(table.RULE) or _takes_template(notes, bearer) else _hosts(notes, bearer)


def rules(notes: Notes, hosts: tuple[Matcher, ...], bearer: Bearer) -> tuple[tuple[str, Rule], ...]:
    """What a frontend's name adds to its segment, and its rule; none where a rule cannot be kept."""
    if notes.says(table.RULE):
        rule = notes.value(table.RULE)
    elif _takes_template(notes, bearer):
        rule = _templated(notes, bearer)
    else:
        return _rules(notes, hosts)
    if rule and not asks_for_hosts(rule):
        reason = "it asks for no host, so it takes requests for any"
        notes.problem(table.RULE, reason, "published it", notice=True)
    return (("", rule),) if rule else ()


def _takes_template(notes: Notes, bearer: Bearer) -> bool:
    """Whether no label says which requests are asked for, and the operator does."""
    return bool(bearer.fallback.template) and bearer.publish is not Publish.STACK and not notes.says(*_ASKING)


def _templated(notes: Notes, bearer: Bearer) -> Rule | None:
    try:
        rule = bearer.fallback.rule(bearer.service, bearer.stack)
    except ValueError as err:
        notes.bad_rule(None, f"--default-rule gives no rule: {err}")
        return None
    notes.set(table.RULE.sets, shown(rule), "--default-rule")
    return rule


def _hosts(notes: Notes, bearer: Bearer) -> tuple[Matcher, ...]:
    patterns, plain = notes.values(table.DOMAIN_REGEXP), _plain_hosts(notes, bearer)
    hosts = tuple(dict.fromkeys((*patterns, *plain)))
    if not hosts:
        notes.bad_rule(table.DOMAIN, "no usable host is left")
        return ()
    origin = ",".join(
        label.name for label in (table.DOMAIN_REGEXP, table.DOMAIN, table.ALIAS, table.ALIAS_FQDN) if notes.items(label)
    )
    if bearer.fallback.domain and not notes.items(table.DOMAIN):
        origin = f"{origin},--domain" if origin else "--domain"
    notes.set(table.DOMAIN.sets, ",".join(hosts), origin or DEFAULT)
    # HostRegexp takes plain hosts too, and two matchers would both have to match.
    kind = Kind.HOST_REGEXP if any("{" in host for host in hosts) else Kind.HOST
    return (Matcher(kind, hosts),)


def _plain_hosts(notes: Notes, bearer: Bearer) -> tuple[str, ...]:
    domains, aliases = notes.values(table.DOMAIN), notes.values(table.ALIAS)
    said = notes.items(table.DOMAIN)
    if bearer.fallback.domain and not said:
        said = domains = (bearer.fallback.domain,)
    base = bearer.stack if bearer.publish is Publish.STACK else f"{bearer.service}.{bearer.stack}"
    if len(domains) * (1 + len(aliases)) > RULE_LIMIT:  # too many even to be written out
        notes.bad_rule(table.ALIAS, "with the domains these are too many names")
        return ()
    if said:
        names = [f"{name}.{domain}" for name in (base, *aliases) for domain in domains]
    else:
        names = [f"{bearer.service}.{bearer.stack}"]  # a stack's name alone would be a host without any dot
        if aliases:
            notes.problem(table.ALIAS, f"an alias needs {table.DOMAIN.name}", LEFT_OUT)
    return (*_checked(notes, names), *notes.values(table.ALIAS_FQDN))


def _checked(notes: Notes, names: list[str]) -> list[str]:
    """Each part may be a host name and the whole too long for one; and not every service's name is part of one."""
    hosts = []
    for name in names:
        try:
            hosts.append(types.host(name))
        except ValueError as err:
            notes.problems.append(Problem(notes.title, table.DOMAIN.name, name, str(err), LEFT_OUT))
    return hosts


def _rules(notes: Notes, hosts: tuple[Matcher, ...]) -> tuple[tuple[str, Rule], ...]:
    matchers = []
    for label, kind in table.PATHS:
        values = notes.values(label)
        if values:
            notes.set(label.sets, ",".join(values), label.name)
            matchers.append((label.name.removeprefix(table.PREFIX), Matcher(kind, values)))
        elif notes.items(label):
            # Without its paths the frontend would take every path of its hosts.
            notes.bad_rule(label, "no usable path is left")
    rules = [(segment, Rule((*hosts, matcher))) for segment, matcher in matchers] or [("", Rule(hosts))]
    if any(sum(len(value) + 1 for one in rule.matchers for value in one.values) > RULE_LIMIT for _, rule in rules):
        notes.bad_rule(None, f"the rule is longer than {RULE_LIMIT} characters")
    if any(refusal.gate == "rule" for refusal in notes.refusals):
        return ()
    return (("", rules[0][1]), *rules[1:])
