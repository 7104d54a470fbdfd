"""Traefik 2's rules in Traefik 3's language, one matcher after the other: they take the same requests.

What both write alike is taken as Traefik 2 reads it, where Traefik 3 would read it otherwise without a word: braces in
a path or a host, `a=b` in a query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from bridge.labels.newer_rules import All, Any, Call, Not, Tree, parse_tree
from bridge.labels.patterns import check_expression, split_pattern

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_BRACES = re.compile(r"\{[A-Za-z_][A-Za-z0-9_-]*(?::(?:[^{}]|\{[^{}]*\})*)?\}")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
_HOST_PART, _PATH_PART = "[^.]+", "[^/]+"  # what {name} alone stands for

Kinds: TypeAlias = Mapping[str, Callable[[Call], Tree]]  # by a matcher's name: what it becomes


def translated(text: str, *, tcp: bool = False) -> tuple[str, Tree]:
    """The rule of an HTTP, or of a TCP router as Traefik 3 shall read it, and as a tree.

    Raises ValueError where neither Traefik takes it, and where something cannot be said. Whether a host can be one, and
    such, is not asked: who writes the rule does.
    """
    tree = _tree(parse_tree(text), _TCP if tcp else _HTTP)
    return write(tree), tree


def write(tree: Tree) -> str:
    """The one text of a tree. Raises ValueError on a value that cannot stand between quotes."""
    match tree:
        case Call(name, values):
            return f"{name}({', '.join(f'`{_quotable(value)}`' for value in values)})"
        case Not(of):
            return f"!{_inner(of, All, Any)}"
        case All(of):
            return " && ".join(_inner(one, Any) for one in of)
        case Any(of):
            return " || ".join(map(write, of))


def _inner(tree: Tree, *loose: type) -> str:
    return f"({write(tree)})" if isinstance(tree, loose) else write(tree)


def _quotable(text: str) -> str:
    if "`" in text or '"' in text or not text.isprintable():
        raise ValueError("a back quote, a quote or a line's end cannot stand in a rule of Traefik 3")
    return text


def confined(tree: Tree, allows: Callable[[str], bool]) -> bool:
    """Whether all requests that a rule takes are for hosts that `allows` allows. Of a pattern nobody knows."""
    match tree:
        case Call(name, values):
            return name in ("Host", "HostSNI") and all(map(allows, values))
        case Not():
            return False
        case All(of):
            return any(confined(one, allows) for one in of)
        case Any(of):
            return all(confined(one, allows) for one in of)


# Trees.


def _tree(tree: Tree, kinds: Kinds) -> Tree:
    match tree:
        case Call():
            return _call(tree, kinds)
        case Not(of):
            return Not(_tree(of, kinds))
        case All(of):
            return All(tuple(_flat((_tree(one, kinds) for one in of), All)))
        case Any(of):
            return Any(tuple(_flat((_tree(one, kinds) for one in of), Any)))


def _flat(trees: Iterable[Tree], kind: type) -> list[Tree]:
    """What is joined in the same way needs no parentheses."""
    found: list[Tree] = []
    for one in trees:
        found += one.of if isinstance(one, (All, Any)) and isinstance(one, kind) else (one,)
    return found


def _call(call: Call, kinds: Kinds) -> Tree:
    name = _NAMES.get(call.name, "")
    if name not in kinds:
        raise ValueError(f"{call.name} is no matcher: use {', '.join(kinds)}")
    if not any(call.values):
        raise ValueError(f"{name} without a value")
    return kinds[name](call)


def _made(call: Call, name: str, *values: str) -> Call:
    return Call(name, values, call.at, call.negated)


def _each(make: Callable[[Call, str], Call]) -> Callable[[Call], Tree]:
    """Any of the values may match."""

    def found(call: Call) -> Tree:
        made = tuple(make(call, value) for value in dict.fromkeys(call.values))
        return made[0] if len(made) == 1 else Any(made)

    return found


def _plain(name: str) -> Callable[[Call], Tree]:
    return _each(lambda call, value: _made(call, name, value))


def _host(name: str) -> Callable[[Call], Tree]:
    return _each(lambda call, value: _one_host(call, name, value))


def _one_host(call: Call, name: str, value: str) -> Call:
    if not value.isascii():
        raise ValueError(f"{value!r} has other than ASCII characters: write the host in punycode, xn--…")
    return _made(call, name, value.lower())


def _host_pattern(name: str) -> Callable[[Call], Tree]:
    """Of a matcher of this name, which has a sister for whole hosts."""

    def make(call: Call, value: str) -> Call:
        if _BRACES.search(value) and not value.startswith(("^", "(?")):
            return _made(call, name, _capitals(_regex(value, _HOST_PART, "$")))
        if _PLAIN_HOST.fullmatch(value):  # Traefik 3 would look for it anywhere in a host
            return _one_host(call, name.removesuffix("Regexp"), value)
        return _made(call, name, value)

    return _each(make)


def _capitals(pattern: str) -> str:
    """Traefik 3 compares hosts in small letters."""
    return f"(?i){pattern}" if re.search(r"(?<!\\)[A-Z]", pattern) else pattern


def _path(name: str, end: str) -> Callable[[Call], Tree]:
    def make(call: Call, value: str) -> Call:
        if not _BRACES.search(value):
            return _made(call, name, value)
        if not value.startswith("/"):
            raise ValueError(f"the path {value!r} does not begin with a slash")
        return _made(call, "PathRegexp", _regex(value, _PATH_PART, end))

    return _each(make)


def _pair(name: str) -> Callable[[Call], Tree]:
    def found(call: Call) -> Tree:
        if len(call.values) != 2:
            raise ValueError(f"{name} takes two values, a header's name and what it holds")
        return _made(call, name, *call.values)

    return found


def _query(call: Call) -> Tree:
    pairs = [value.partition("=") for value in call.values]
    if not all(sign for _, sign, _ in pairs):
        return _made(call, "Query", *call.values)
    made: list[Tree] = []
    for key, _, value in pairs:
        if _BRACES.search(value):
            made.append(_made(call, "QueryRegexp", key, _regex(value, ".*", "$")))
        else:  # an empty one is any in Traefik 2
            made.append(_made(call, "Query", key, value) if value else _made(call, "QueryRegexp", key, "^.*$"))
    return made[0] if len(made) == 1 else All(tuple(made))


def _as_it_is(name: str) -> Callable[[Call], Tree]:
    return lambda call: _made(call, name, *call.values)


def _regex(pattern: str, alone: str, end: str) -> str:
    """A pattern with braces as one expression that matches from the beginning. Raises ValueError where it is none."""
    found = ["^"]
    for at, piece in enumerate(split_pattern(pattern)):
        if at % 2 == 0:
            found.append(_META.sub(r"\\\g<0>", piece))
            continue
        expression = piece.partition(":")[2]
        if expression:
            check_expression(expression)
        found.append(_grouped(expression) if expression else alone)
    return "".join((*found, end))


def _grouped(expression: str) -> str:
    """What stands beside it must not become part of an alternative."""
    return f"({expression})" if "|" in expression else expression


_HTTP: Kinds = {
    "Host": _host("Host"),
    "HostHeader": _host("Host"),
    "HostRegexp": _host_pattern("HostRegexp"),
    "Path": _path("Path", "$"),
    "PathPrefix": _path("PathPrefix", ""),
    "PathRegexp": _plain("PathRegexp"),
    "Method": _plain("Method"),
    "Header": _pair("Header"),
    "Headers": _pair("Header"),
    "HeaderRegexp": _pair("HeaderRegexp"),
    "HeadersRegexp": _pair("HeaderRegexp"),
    "Query": _query,
    "QueryRegexp": _as_it_is("QueryRegexp"),
    "ClientIP": _plain("ClientIP"),
}
_TCP: Kinds = {
    "HostSNI": _host("HostSNI"),
    "HostSNIRegexp": _host_pattern("HostSNIRegexp"),
    "ClientIP": _plain("ClientIP"),
    "ALPN": _plain("ALPN"),
}
# A matcher's name may be written in four ways.
_NAMES = {
    written: name for name in (*_HTTP, *_TCP) for written in (name, name.lower(), name.upper(), name.capitalize())
}
MATCHERS, TCP_MATCHERS = tuple(_HTTP), tuple(_TCP)
