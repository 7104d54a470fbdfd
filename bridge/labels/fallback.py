"""What the operator says in the place of labels that a service does not have."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.labels.rules import checked_rule
from bridge.model.route import Rule

DOMAIN_WORD = "{domain}"
WORDS = ("{service}", "{stack}", DOMAIN_WORD, "{cluster}")

_PLAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Fallback:
    """For services whose labels do not say which requests they ask for."""

    domain: str = ""  # in the place of traefik.domain
    template: str = ""  # of a rule in Traefik's language, with {service} and {stack}; before the domain

    def rule(self, service: str, stack: str) -> Rule:
        """The template's rule. Raises ValueError, also where a name would become more of the rule than a name."""
        for name in (service, stack):
            if not _PLAIN.fullmatch(name):
                raise ValueError(f"{name!r} cannot stand in a rule")
        return checked_rule(self.template.replace("{service}", service).replace("{stack}", stack))


def filled(template: str, domain: str, cluster: str) -> str:
    """The template with what is the same for all services."""
    return template.replace(DOMAIN_WORD, domain).replace("{cluster}", cluster)


def rule_template(text: str) -> str:
    """A text that becomes a rule when each of WORDS is replaced. Raises ValueError."""
    try:
        Fallback(template=filled(text, "example.com", "cluster")).rule("service", "stack")
    except ValueError as err:
        form = f"a rule such as Host:{'.'.join(WORDS[:3])}, with {', '.join(WORDS)}"
        raise ValueError(f"use {form}: {err}") from err
    return text
