"""Traefik 1's parsed rules in Traefik 3's language, and what their modifiers become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from bridge.labels.patterns import check_expression, split_pattern
from bridge.labels.rules import write_rule
from bridge.layouts.traefik3_names import ADD, REPLACE, REPLACE_REGEX, STRIP, STRIP_REGEX
from bridge.model.route import MODIFIERS, Kind, Matcher, Rule

_RULES = 1 << 12  # remembered: of a service each router asks for its rule, and whoever looks for what is lost

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_CANNOT_QUOTE = frozenset('`"')
_ASKED = re.compile(r"\bHost(?:SNI)?(?:Regexp)?\(`([^`]*)`\)")
_HOST_PART, _PATH_PART, _QUERY_PART = "[^.]+", "[^/]+", ".*"  # what {name} alone stands for

Change = tuple[str, tuple[tuple[str, str | tuple[str, ...]], ...]]  # a middleware's word, and its fields


@lru_cache(_RULES)
def translated(rule: Rule) -> str:
    """The rule in Traefik 3's language: it takes the same requests.

    Raises ValueError on what Traefik 1 would not take either, and on what cannot stand between quotes.
    """
    write_rule(rule)  # refuses what is none
    pieces = [_piece(matcher) for matcher in rule.matchers if matcher.kind not in MODIFIERS]
    if len(pieces) == 1:
        return " || ".join(pieces[0])
    return " && ".join(f"({' || '.join(piece)})" if len(piece) > 1 else piece[0] for piece in pieces)


@lru_cache(_RULES)
def length(rule: Rule) -> int:
    """The priority that Traefik 1 gives to a rule. Raises ValueError as `translated`."""
    return len(write_rule(rule).encode())


def changes(rule: Rule) -> Iterator[Change]:
    """What the rule does to a request's path, the first thing first; of several of one kind only the last counts.

    Raises ValueError as `translated`.
    """
    last = {matcher.kind: matcher.values for matcher in rule.matchers}
    regexes = _last(rule, Kind.PATH_STRIP_REGEX, Kind.PATH_PREFIX_STRIP_REGEX)
    prefixes = _last(rule, Kind.PATH_STRIP, Kind.PATH_PREFIX_STRIP)
    if regexes and prefixes:
        raise ValueError("it strips twice: what does not begin with the second prefix then Traefik 1 answers with 404")
    if regexes:
        patterns = (_regex(value, _PATH_PART, "^", "") for value in _longest_first(regexes))
        yield STRIP_REGEX, (("stripPrefixRegex/regex", tuple(patterns)),)
    if prefixes:
        stripped = ("stripPrefix/prefixes", tuple(map(_literal_path, _longest_first(prefixes))))
        # Where all of a path is stripped, Traefik 1 goes on with / and Traefik 3 with nothing, unless it is told.
        goes_on = MODIFIERS & last.keys()
        yield STRIP, (stripped, *([("stripPrefix/forceSlash", "true")] if goes_on else ()))
    if added := last.get(Kind.ADD_PREFIX):
        yield ADD, (("addPrefix/prefix", _new_path(added[-1])),)
    if replaced := last.get(Kind.REPLACE_PATH_REGEX):
        expression, _, replacement = replaced[-1].partition(" ")
        fields = (
            ("replacePathRegex/regex", expression),
            ("replacePathRegex/replacement", _quotable(replacement)),
        )
        yield REPLACE_REGEX, fields
    if put := last.get(Kind.REPLACE_PATH):
        yield REPLACE, (("replacePath/path", _new_path(put[-1])),)


def asked_hosts(rule: str) -> Iterator[str]:
    """The hosts, and the expressions for hosts, of a rule that `translated` wrote."""
    return (found[1] for found in _ASKED.finditer(rule))


def _last(rule: Rule, *kinds: Kind) -> tuple[str, ...]:
    """The values of the last matcher of these kinds."""
    return next((matcher.values for matcher in reversed(rule.matchers) if matcher.kind in kinds), ())


def _longest_first(values: tuple[str, ...]) -> list[str]:
    return sorted(values, key=len, reverse=True)


# Matchers: each function answers what is joined by "or".


def _piece(matcher: Matcher) -> list[str]:
    return _PIECES[matcher.kind](matcher.values)


def _hosts(values: tuple[str, ...]) -> list[str]:
    return [_call("Host", _host(value)) for value in values]


def _host_patterns(values: tuple[str, ...]) -> list[str]:
    """Traefik 1 lowers the whole pattern."""
    found = []
    for value in map(str.lower, values):
        plain = "{" not in value and "}" not in value
        pattern = "" if plain else _regex(value, _HOST_PART, "(?i)^", "$")
        found.append(_call("Host", _host(value)) if plain else _call("HostRegexp", pattern))
    return found


def _paths(values: tuple[str, ...]) -> list[str]:
    return [_path_call("Path", value, "$") for value in values]


def _prefixes(values: tuple[str, ...]) -> list[str]:
    return [_path_call("PathPrefix", value, "") for value in values]


def _stripped_paths(values: tuple[str, ...]) -> list[str]:
    return [_call("Path", _literal_path(value)) for value in values]


def _stripped_prefixes(values: tuple[str, ...]) -> list[str]:
    return [_call("PathPrefix", _literal_path(value)) for value in values]


def _methods(values: tuple[str, ...]) -> list[str]:
    return [_call("Method", value.upper()) for value in values]


def _headers(values: tuple[str, ...]) -> list[str]:
    pairs = zip(values[::2], values[1::2], strict=True)
    return [" && ".join(_call("Header", name, value) for name, value in pairs)]


def _header_patterns(values: tuple[str, ...]) -> list[str]:
    pairs = zip(values[::2], values[1::2], strict=True)
    return [" && ".join(_call("HeaderRegexp", name, value) for name, value in pairs)]


def _queries(values: tuple[str, ...]) -> list[str]:
    return [" && ".join(map(_query, values))]


def _query(pair: str) -> str:
    name, _, value = pair.partition("=")
    if not value:  # any, but the name must stand
        return _call("QueryRegexp", name, f"^{_QUERY_PART}$")
    if "{" not in value:
        return _call("Query", name, value)
    return _call("QueryRegexp", name, _regex(value, _QUERY_PART, "^", "$"))


_PIECES: Mapping[Kind, Callable[[tuple[str, ...]], list[str]]] = {
    Kind.HOST: _hosts,
    Kind.HOST_REGEXP: _host_patterns,
    Kind.PATH: _paths,
    Kind.PATH_STRIP: _stripped_paths,
    Kind.PATH_STRIP_REGEX: _paths,
    Kind.PATH_PREFIX: _prefixes,
    Kind.PATH_PREFIX_STRIP: _stripped_prefixes,
    Kind.PATH_PREFIX_STRIP_REGEX: _prefixes,
    Kind.METHOD: _methods,
    Kind.HEADERS: _headers,
    Kind.HEADERS_REGEXP: _header_patterns,
    Kind.QUERY: _queries,
}


# Texts.


def _call(name: str, *values: str) -> str:
    return f"{name}({', '.join(f'`{_quotable(value)}`' for value in values)})"


def _quotable(text: str) -> str:
    """Traefik 3 knows no escape inside back quotes, and a quote that ends them would let the rule say anything."""
    if _CANNOT_QUOTE & set(text) or not text.isprintable():
        raise ValueError("a back quote, a quote or a line's end cannot stand in a rule of Traefik 3")
    return text


def _path_call(name: str, value: str, end: str) -> str:
    if "{" not in value and "}" not in value:
        return _call(name, _path(value))
    return _call("PathRegexp", _regex(_path(value), _PATH_PART, "^", end))


def _host(text: str) -> str:
    name = text.lower()
    if not _HOST.fullmatch(name):
        raise ValueError(f"{text!r} is no host that a request can have")
    return name


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is no path: Traefik 3 drops a router for it")
    return text


def _literal_path(text: str) -> str:
    """What Traefik 1 strips is taken letter by letter."""
    if "{" in text or "}" in text:
        raise ValueError(f"{text!r} is a pattern, and only what is written can be stripped")
    return _quotable(_path(text))


def _new_path(text: str) -> str:
    return _literal_path(text)


def _regex(pattern: str, alone: str, begin: str, end: str) -> str:
    """A pattern with braces as one expression. Raises ValueError where it is none, or none of RE2's."""
    pieces = split_pattern(pattern)
    found = [begin]
    for at, piece in enumerate(pieces):
        if at % 2 == 0:
            found.append(_META.sub(r"\\\g<0>", piece))
        else:
            expression = piece.partition(":")[2]
            check_expression(expression)
            found.append(f"({expression or alone})")
    return _quotable("".join((*found, end)))
