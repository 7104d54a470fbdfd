"""Traefik 1's rule language: text to a parsed rule, and a parsed rule to its one canonical text.

    rule  = piece *( ";" piece )
    piece = Matcher ":" value *( "," value )

All pieces must match, any value of a piece. Nothing can be quoted, so no value can hold a `,` or a `;`.
"""

from __future__ import annotations

from bridge.model.route import Kind, Matcher, Rule

# What Go's strings.TrimSpace takes off around a matcher's name and its values.
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))

_KINDS = {kind.value: kind for kind in Kind}


class RuleError(ValueError):
    """A text that is no rule: what is wrong, and at which character."""

    def __init__(self, reason: str, text: str, at: int) -> None:
        super().__init__(reason, text, at)
        self.reason, self.text, self.at = reason, text, at  # at: counted from 0

    def __str__(self) -> str:
        return f"{self.reason} at character {self.at + 1} of {self.text!r}"


def write_rule(rule: Rule) -> str:
    """The canonical text: `parse_rule` reads it back as `rule`, and so does Traefik.

    Raises ValueError on a rule that Traefik would read as another one, or die of: a text of nothing but `;` ends
    its configuration loop for good, and a frontend without a usable rule takes every host.
    """
    if not rule.matchers:
        raise ValueError("a rule needs a matcher")
    return ";".join(_write_matcher(matcher) for matcher in rule.matchers)


def _write_matcher(matcher: Matcher) -> str:
    name = matcher.kind.value
    if not matcher.values:
        raise ValueError(f"{name} needs a value")
    for value in matcher.values:
        if fault := _fault(value):
            raise ValueError(f"{name} cannot hold {value!r}: {fault}")
    return f"{name}:{','.join(matcher.values)}"


def _fault(value: str) -> str | None:
    """Why `value` would not come back as it is; None where it would."""
    if not value:
        return "it is empty"
    if "," in value or ";" in value:
        return "a comma or semicolon ends a value"
    if value != value.strip(_BLANKS):
        return "blanks around a value are lost"
    if "::" in value or value != value.strip(":"):
        return "colons around a value, and all but one of several in a row, are lost"
    return None


def parse_rule(text: str) -> Rule:
    """The rule that Traefik finds in `text`, already unescaped; `write_rule` can write it.

    Forgives what Traefik forgives: empty pieces, empty values, blanks, surplus colons. A value that stands twice
    in a piece counts once. Raises RuleError on everything else, and on matchers other than those of `Kind`.
    """
    matchers = []
    at = 0
    for piece in text.split(";"):
        if piece:
            matchers.append(_parse_matcher(piece, text, at))
        at += len(piece) + 1
    if not matchers:
        raise RuleError("no matcher", text, 0)
    return Rule(tuple(matchers))


def _parse_matcher(piece: str, text: str, at: int) -> Matcher:
    """The matcher that `piece`, which stands `at` in `text`, is."""
    name, *rest = [part for part in piece.split(":") if part] or [""]
    word = name.strip(_BLANKS)
    kind = _KINDS.get(word)
    if kind is None:
        raise RuleError(f"unknown matcher {word!r}" if word else "no matcher", text, at + piece.index(name))
    found = (value.strip(_BLANKS) for value in ":".join(rest).split(","))
    values = tuple(dict.fromkeys(value for value in found if value))
    if not values:
        raise RuleError(f"{kind.value} without a value", text, at + len(piece))
    for value in values:
        if fault := _fault(value):
            raise RuleError(f"{kind.value} {value!r}: {fault}", text, max(at, text.find(value, at)))
    return Matcher(kind, values)
