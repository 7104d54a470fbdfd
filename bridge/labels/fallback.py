"""What the operator says in the place of labels that a service does not have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from bridge.labels.newer_translation import translated
from bridge.labels.older_rules import older
from bridge.labels.rules import checked_rule
from bridge.labels.templates import OPENS, automatic_name, template
from bridge.model.route import Rule

DOMAIN_WORD = "{domain}"
WORDS = ("{service}", "{stack}", DOMAIN_WORD, "{cluster}")

_PLAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_SAMPLES = ("", "a", "`a`", "/a", "Host(`a`)")  # what labels may hold for a template to become a rule
_TRIED = 3  # labels for which all of these are


@dataclass(frozen=True, slots=True)
class Fallback:
    """For services whose labels do not say which requests they ask for."""

    domain: str = ""  # in the place of traefik.domain
    # Of a rule; before the domain. In Traefik 1's language, with {service} and {stack}, or as Traefik 2 has it.
    template: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)  # of one service: see `of`

    @property
    def newer(self) -> bool:
        """Whether the template is of Traefik 2's form."""
        return is_newer(self.template)

    @property
    def names(self) -> frozenset[str]:
        """The labels that the template looks at."""
        return template(self.template).names if self.newer else frozenset()

    def of(self, *labels: Mapping[str, str]) -> Fallback:
        """For one service, which has these labels."""
        names = self.names
        if not names:
            return self
        found = {name: text for some in labels for name, text in some.items() if name in names}
        return replace(self, labels=found)

    def rule(self, service: str, stack: str) -> Rule:
        """The template's rule. Raises ValueError, also where a name would become more of the rule than a name."""
        if self.newer:
            return older(self.text(service, stack))
        for name in (service, stack):
            if not _PLAIN.fullmatch(name):
                raise ValueError(f"{name!r} cannot stand in a rule")
        return checked_rule(self.template.replace("{service}", service).replace("{stack}", stack))

    def text(self, service: str, stack: str) -> str:
        """The rule of a template of Traefik 2's form, in its language. Raises ValueError as `rule`."""
        name = automatic_name(service, stack)
        if any(char in name for char in "`\"'\\\n"):
            raise ValueError(f"{name!r} cannot stand in a rule")
        text = template(self.template).filled(name, self.labels)
        if not text:
            raise ValueError("it comes to nothing for this service")
        return text


def is_newer(text: str) -> bool:
    """Whether a template is of Traefik 2's form."""
    return OPENS in text


def filled(text: str, domain: str, cluster: str) -> str:
    """The template with what is the same for all services."""
    return text if is_newer(text) else text.replace(DOMAIN_WORD, domain).replace("{cluster}", cluster)


def rule_template(text: str) -> str:
    """A text that becomes a rule when it is filled in for a service. Raises ValueError."""
    try:
        if is_newer(text):
            _check(text)
        else:
            Fallback(template=filled(text, "example.com", "cluster")).rule("service", "stack")
    except ValueError as err:
        words = f"a rule such as Host:{'.'.join(WORDS[:3])}, with {', '.join(WORDS)}"
        raise ValueError(f"use {words}, or Traefik 2's Host(`{{{{ normalize .Name }}}}.example.com`): {err}") from err
    return text


def _check(text: str) -> None:
    """Raises ValueError where it becomes a rule of Traefik 2 by no labels."""
    found, why = template(text), ValueError("it comes to nothing")
    first, others = sorted(found.names)[:_TRIED], dict.fromkeys(found.names, _SAMPLES[1])
    for samples in product(_SAMPLES, repeat=len(first)):
        rule = found.filled("service_stack", {**others, **dict(zip(first, samples, strict=True))})
        try:
            if rule:
                translated(rule)
                return
        except ValueError as err:
            why = err
    raise why
