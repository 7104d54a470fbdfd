"""What the operator decides for all services."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import partial
from math import floor

from bridge.labels.fallback import Fallback
from bridge.labels.types import MOST, Address, host
from bridge.model.route import Kind, Rule
from bridge.routes.constraints import Constraint

EXTERNAL, ALIAS = "externalService", "dnsService"
CONTAINER_KINDS = frozenset(("service", "loadBalancerService"))
KINDS = ("service", "loadBalancerService", EXTERNAL, ALIAS)  # Rancher's that can be published
USUAL_KINDS = frozenset(KINDS) - {ALIAS}
EVERY_DOMAIN = "*"

_HOSTS = (Kind.HOST, Kind.HOST_REGEXP)
_NO_FALLBACK = Fallback()
_AS_IT_IS = Fraction(1)
_HALF = Fraction(1, 2)


class Health(Enum):
    """Which containers count as healthy, apart from running."""

    AUTO = "auto"  # as REQUIRE where rancher-traefik's labels speak, as OPTIONAL where Traefik's own do
    REQUIRE = "require"  # only what a health check says is healthy
    OPTIONAL = "optional"  # what has no check is healthy
    IGNORE = "ignore"  # the state alone counts


class NoneHealthy(Enum):
    """What becomes of a service none of whose containers is healthy any more."""

    EMPTY = "empty"  # it has no server, and Traefik answers 503
    KEEP = "keep"  # those that run and were healthy once stay


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decides for all services."""

    cluster: str = "default"
    health: Health = Health.AUTO
    address: Address = Address.CONTAINER
    none_healthy: NoneHealthy = NoneHealthy.EMPTY
    constraints: tuple[Constraint, ...] = ()  # all must pass
    domains: tuple[str, ...] = ()  # that hosts must be in, each as `domain` makes it; empty: any
    expose: bool = False  # also what has no traefik.enable
    kinds: frozenset[str] = USUAL_KINDS  # of KINDS
    fallback: Fallback = _NO_FALLBACK
    separate: bool = False  # frontends and backends are this cluster's alone; else clusters share them
    raised: int = 0  # added to each frontend's priority
    weight_factor: Fraction = _AS_IT_IS  # at least 0, which leaves all servers without requests

    @property
    def named(self) -> frozenset[str]:
        """The labels of services that it looks at, whomever they speak to."""
        return frozenset(self.fallback.names.union(*(one.names for one in self.constraints)))

    def closing(self, *labels: Mapping[str, str]) -> tuple[Constraint, str] | None:
        """The first constraint that a service with these labels does not fit, and why; None where it fits all."""
        if not self.constraints:
            return None
        its = {name: text for some in labels for name, text in some.items()}
        return next(((one, one.told(its)) for one in self.constraints if not one.passes(its)), None)

    def weight(self, asked: int) -> int:
        """A server's weight where labels ask for `asked`: 0 gets nothing, and nobody else is scaled down to that."""
        if self.weight_factor == 1:
            return asked
        if not asked or not self.weight_factor:
            return 0
        return min(MOST, max(1, floor(asked * self.weight_factor + _HALF)))


def kind(text: str) -> str:
    """One of KINDS. Raises ValueError."""
    if text not in KINDS:
        raise ValueError(f"use {', '.join(KINDS)}")
    return text


def domain(text: str) -> str:
    """`a.example.com`, `*.example.com` for all below it, or `*`; in canonical form. Raises ValueError."""
    if text == EVERY_DOMAIN:
        return text
    wild, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        return wild + host(name)
    except ValueError as err:
        raise ValueError(f"use a.example.com, *.example.com or *: {err}") from err


def refused_host(rule: Rule, domains: Iterable[str]) -> str | None:
    """A host of the rule that is in none of the domains; "" where it asks for any; None where all are allowed.

    What a pattern matches is not looked into: only `*` allows one.
    """
    allowed = tuple(domains)
    if not allowed or EVERY_DOMAIN in allowed:
        return None
    hosts = [value for one in rule.matchers if one.kind in _HOSTS for value in one.values]
    if not hosts:
        return ""
    return next((one for one in hosts if not _allowed(one, allowed)), None)


def host_check(domains: Collection[str]) -> Callable[[str], bool] | None:
    """Says of a host's name whether it is in one of the domains; None where any host is."""
    return None if not domains or EVERY_DOMAIN in domains else partial(_allowed, domains=tuple(domains))


def _allowed(name: str, domains: Iterable[str]) -> bool:
    if "{" in name:
        return False
    return any(name.endswith(one[1:]) if one.startswith("*") else name == one for one in domains)
