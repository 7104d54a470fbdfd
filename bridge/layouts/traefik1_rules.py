"""Whether a rule can match: Traefik 1.7 takes some that never do, and says nothing."""

from __future__ import annotations

import re

from bridge.labels.patterns import split_pattern
from bridge.labels.rules import parse_rule
from bridge.model.route import Kind

_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_LITERAL_PATHS = (Kind.ADD_PREFIX, Kind.REPLACE_PATH)
_ANY = (Kind.METHOD, Kind.HEADERS, Kind.HEADERS_REGEXP, Kind.QUERY, Kind.REPLACE_PATH_REGEX)


def rule_fault(text: str) -> str | None:
    """What is wrong with the rule; None: nothing. Raises ValueError where it is none, or of modifiers alone."""
    for matcher in parse_rule(text).matchers:
        for value in matcher.values:
            if not _can_match(matcher.kind, value):
                return f"{matcher.kind.value} {value!r} matches nothing, or makes no path"
    return None


def _can_match(kind: Kind, value: str) -> bool:
    """False where Traefik takes the value, says nothing, and does not what it says. Raises ValueError."""
    if kind in _ANY:  # all that can be wrong with them costs Traefik the frontend, and is no rule
        return True
    if kind is Kind.HOST:
        return _HOST.fullmatch(value) is not None
    if kind not in _LITERAL_PATHS:
        split_pattern(value)
    return kind is Kind.HOST_REGEXP or value.startswith("/")
