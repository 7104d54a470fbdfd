"""Traefik 1's rule language: text to a parsed rule, and a parsed rule to its one canonical text.

    rule  = piece *( ";" piece )
    piece = Matcher ":" value *( "," value )

All pieces must match, and any value of a piece; of Headers, HeadersRegexp and Query all values. Nothing can be quoted,
so no value can hold a `,` or a `;`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from bridge.labels.faults import NAME_LIMIT, Fault, meant, place, quoted
from bridge.labels.matchers import Word, Words, checked, settled
from bridge.labels.patterns import variables
from bridge.labels.types import decoded
from bridge.model.route import MODIFIERS, Kind, Matcher, Rule

LENGTH = 64 * 1024  # characters of a label's rule: what stores and Traefik take in one key, by a wide margin

# What Go's strings.TrimSpace takes off around a matcher's name and its values.
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))

_KINDS = {kind.value: kind for kind in Kind}
_NAME = re.compile(r":*([^:]*):*")
_COLONS = re.compile("::+")
# The first matcher of a rule in Traefik 2's language, with the beginning of its first value.
_NEWER = re.compile(r"[\s!(]*([A-Za-z]+)\s*(\()\s*[`\"']?([^`\"')]{0,40})")
_HOSTS = frozenset((Kind.HOST, Kind.HOST_REGEXP))
_WITH_PATTERNS = _HOSTS | {kind for kind in Kind if kind.value.startswith("Path")}


class RuleError(ValueError):
    """A text that is no rule: what is wrong, and at which character. Its text is one line, however long the rule."""

    def __init__(self, reason: str, text: str, at: int) -> None:
        super().__init__(reason, text, at)
        self.reason, self.text, self.at = reason, text, at  # at: counted from 0

    def __str__(self) -> str:
        return f"{self.reason} {place(self.text, self.at)}"


def write_rule(rule: Rule) -> str:
    """The canonical text: `parse_rule` reads it back as `rule`, and so does Traefik.

    Raises ValueError on a rule that Traefik would read as another one, or die of: a text of nothing but `;` ends
    its configuration loop for good, and a frontend without a usable rule takes every host.
    """
    if all(matcher.kind in MODIFIERS for matcher in rule.matchers):
        raise ValueError("a rule needs a matcher")
    return ";".join(_write_matcher(matcher) for matcher in rule.matchers)


def _write_matcher(matcher: Matcher) -> str:
    name, values = matcher.kind.value, matcher.values
    if not values:
        raise ValueError(f"{name} needs a value")
    for value in values:
        if fault := _fault(value):
            raise ValueError(f"{name} cannot hold {value!r}: {fault}")
    text = ",".join(values)
    given = tuple([Word(value, 0) for value in values])
    try:
        words = settled(matcher.kind, given)
    except Fault as err:
        raise ValueError(f"{name} cannot hold {text!r}: {err}") from err
    if words != given:
        raise ValueError(f"{name} cannot hold {text!r}: it comes back as {','.join(word.text for word in words)!r}")
    return f"{name}:{text}"


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
    where any may match counts once. Raises RuleError on all that costs Traefik the frontend, on modifiers alone,
    which take every host, and on values that Traefik drops or takes for something else. Whether any request has such
    a host or path is not asked.
    """
    try:
        return _rule([_piece(piece, at) for piece, at in _pieces(text)])
    except Fault as err:
        raise RuleError(err.reason, text, err.at) from err


def checked_rule(label: str) -> Rule:
    """The rule of a label, escaped for TOML or not, with each value in canonical form and able to match.

    Hosts as `types.host` makes them, patterns that compile, paths that begin with `/`. Raises RuleError as
    `parse_rule`, and on all that Traefik would take without a word and never match.
    """
    text = decoded(label)
    try:
        if len(text) > LENGTH:
            raise Fault(f"it is longer than {LENGTH} characters", LENGTH)
        pieces = [_checked(_piece(piece, at)) for piece, at in _pieces(text)]
        _check_together(pieces)
        return _rule(pieces)
    except Fault as err:
        raise RuleError(err.reason, text, err.at) from err


def asks_for_hosts(rule: Rule) -> bool:
    """False for a rule that takes requests for every host, by their path for example."""
    return any(matcher.kind in _HOSTS for matcher in rule.matchers)


class _Piece(NamedTuple):
    """One piece of a text, read."""

    kind: Kind
    words: Words


def _rule(pieces: list[_Piece]) -> Rule:
    if not pieces:
        raise Fault("no matcher", 0)
    if all(piece.kind in MODIFIERS for piece in pieces):
        raise Fault("nothing but modifiers matches every host", 0)
    return Rule(tuple([Matcher(piece.kind, tuple([word.text for word in piece.words])) for piece in pieces]))


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """Each piece, and where it begins."""
    at = 0
    for piece in text.split(";"):
        if piece:
            yield piece, at
        at += len(piece) + 1


def _piece(text: str, at: int) -> _Piece:
    """The piece that `text`, which stands `at` in the rule, is."""
    found = _NAME.match(text)
    assert found  # the expression takes the empty text too
    name = found[1].strip(_BLANKS)
    kind = _KINDS.get(name)
    if kind is None:
        raise _unknown(name, text, at, found[1])
    try:
        words = settled(kind, tuple(_words(text, found.end(), at)))
    except Fault as err:
        raise _of(kind, err) from err
    if not words:
        raise Fault(f"{kind.value} without a value", at + len(text))
    return _Piece(kind, words)


def _of(kind: Kind, fault: Fault) -> Fault:
    return Fault(f"{kind.value} {fault.reason}", fault.at)


def _words(text: str, begin: int, at: int) -> Iterator[Word]:
    """The values from `begin` of a piece that stands `at` in the rule. What is empty is no value, what is blank is."""
    at += begin
    for part in text[begin:].rstrip(":").split(","):
        if part:
            plain = _COLONS.sub(":", part) if "::" in part else part
            value = plain.strip(_BLANKS)
            where = at + (plain.index(value) if value else 0)
            if ":" in value and (fault := _fault(value)):  # nothing else can be wrong any more
                raise Fault(f"{quoted(value)}: {fault}", where)
            yield Word(value, where)
        at += len(part) + 1


def _unknown(name: str, piece: str, at: int, written: str) -> Fault:
    """What is wrong with a piece, which stands `at` in the rule, whose matcher's name is `written` with its blanks."""
    if newer := _NEWER.match(piece):
        kind, value = meant(newer[1], _KINDS) or Kind.HOST.value, newer[3].strip()
        write = f"{kind}:{value if value.isprintable() else 'VALUE'}"
        return Fault(f"that is Traefik 2's syntax; write {write}", at + newer.start(2))
    if not name:
        return Fault("no matcher", at)
    write = meant(name, _KINDS)
    if not write and ":" not in piece and len(name) <= NAME_LIMIT and name.isprintable():  # a value alone
        kind = "PathPrefix" if name.startswith("/") else "Host" if "." in name else ""
        write = f"{kind}:{name}" if kind else ""
    hint = f" (write {write})" if write else ""
    return Fault(f"unknown matcher {quoted(name)}{hint}", at + piece.index(written) + written.index(name))


def _checked(piece: _Piece) -> _Piece:
    try:
        return _Piece(piece.kind, checked(piece.kind, piece.words))
    except Fault as err:
        raise _of(piece.kind, err) from err


def _check_together(pieces: list[_Piece]) -> None:
    """Raises Fault where pieces never match together, or where Traefik refuses what stands in their braces."""
    for kind in (Kind.HOST, Kind.METHOD):
        alike = [piece for piece in pieces if piece.kind is kind]
        values = [{word.text for word in piece.words} for piece in alike]
        if alike and not set.intersection(*values):
            raise Fault(f"{kind.value} twice, without a value in common, matches nothing", alike[-1].words[0].at)
    patterns = (word.text for piece in pieces if piece.kind in _WITH_PATTERNS for word in piece.words)
    taken = {name for pattern in patterns for name in variables(pattern)}
    for word in (word for piece in pieces if piece.kind is Kind.QUERY for word in piece.words):
        names = variables(word.text)
        if not taken.isdisjoint(names):
            raise Fault(f"Query {quoted(word.text)}: the name in its braces stands in another pattern too", word.at)
        taken.update(names)
