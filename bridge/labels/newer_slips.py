"""What a rule of Traefik 2 or 3 that nobody can read may have been meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from bridge.labels.newer_rules import calls, parse_tree
from bridge.labels.newer_translation import MATCHERS, TCP_MATCHERS, translated
from bridge.labels.rules import parse_rule
from bridge.model.route import Matcher

_LONGEST = 1000  # characters of a rule for which it is tried
# Those that word processors put.
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\u201a\u201b\u00b4\u201c\u201d\u201e", "'"))
_CALL = re.compile(r"(?P<name>[A-Za-z]+)\s*\((?P<values>[^()]*)\)")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
# What only Traefik 1 has in a rule: how Traefik 2 matches, and the middleware that does the rest.
_OLD = {
    "PathStrip": ("Path", "stripPrefix.prefixes"),
    "PathPrefixStrip": ("PathPrefix", "stripPrefix.prefixes"),
    "PathStripRegex": ("Path", "stripPrefixRegex.regex"),
    "PathPrefixStripRegex": ("PathPrefix", "stripPrefixRegex.regex"),
    "AddPrefix": ("", "addPrefix.prefix"),
    "ReplacePath": ("", "replacePath.path"),
    "ReplacePathRegex": ("", "replacePathRegex.regex"),
}
_HOST_PATTERNS = ("hostregexp", "hostsniregexp")
_OPERATORS = {"": "&&", ",": "&&", ";": "&&", "&": "&&", "and": "&&", "|": "||", "or": "||"}


def suggestion(text: str, *, tcp: bool = False) -> str:
    """What to write instead as the rule of an HTTP, or of a TCP router, and which middlewares beside it.

    Empty: nobody knows.
    """
    if len(text) > _LONGEST:
        return ""
    asked: dict[str, None] = {}  # middlewares, in their order
    matchers = TCP_MATCHERS if tcp else MATCHERS
    older = tuple(_of_traefik_1(text, asked))
    if tcp:  # whose matchers Traefik 1 has no names for
        older = tuple(_repaired(one, asked, matchers) for one in older)
    for better in (*older, _repaired(text, asked, matchers)):
        try:
            rule = translated(better, tcp=tcp)[0]
        except ValueError:
            continue
        if better != text and not (tcp and asked):  # they are HTTP's
            beside = f", and say traefik.http.middlewares.NAME.{' and '.join(asked)} for the rest" if asked else ""
            return f"write {rule}{beside}"
    return ""


def plain_patterns(text: str) -> tuple[str, ...]:
    """Whole hosts that a rule gives to HostRegexp, or HostSNIRegexp: for Traefik 3 they are parts of any host.

    Raises ValueError as `parse_tree`.
    """
    found = (one.values for one in calls(parse_tree(text)) if one.name.lower() in _HOST_PATTERNS)
    return tuple(dict.fromkeys(value for values in found for value in values if _PLAIN_HOST.fullmatch(value)))


def _of_traefik_1(text: str, asked: dict[str, None]) -> Iterator[str]:
    """A rule in Traefik 1's language, in Traefik 2's."""
    try:
        matchers = parse_rule(text).matchers
    except ValueError:
        return
    pieces = [piece for one in matchers if (piece := _piece(one, asked))]
    yield " && ".join(pieces)


def _piece(matcher: Matcher, asked: dict[str, None]) -> str:
    name, option = _OLD.get(matcher.kind.value, (matcher.kind.value, ""))
    if option:
        asked[option] = None
    if not name:
        return ""
    step = 2 if name in ("Headers", "HeadersRegexp") else len(matcher.values)
    values = (matcher.values[at : at + step] for at in range(0, len(matcher.values), step))
    return " && ".join(_call(name, pair) for pair in values)


def _call(name: str, values: tuple[str, ...]) -> str:
    return f"{name}({', '.join(f'`{value}`' for value in values)})"


def _repaired(text: str, asked: dict[str, None], matchers: tuple[str, ...]) -> str:
    """With back quotes around values, operators between matchers, and names that are among `matchers`."""
    text = text.translate(_QUOTES).strip()
    text += ")" * (text.count("(") - text.count(")"))
    found, at = list[str](), 0
    for call in _CALL.finditer(text):
        found.append(_between(text[at : call.start()], first=at == 0))
        at = call.end()
        values = (value.strip().strip("`'\"").strip() for value in call["values"].split(","))
        name, option = _OLD.get(call["name"], (_known(call["name"], matchers), ""))
        if option:
            asked[option] = None
        found.append(_call(name, tuple(filter(None, values))))
    return "".join((*found, text[at:].rstrip(" ,;")))


def _known(name: str, matchers: tuple[str, ...]) -> str:
    if any(name in (one, one.lower(), one.upper(), one.capitalize()) for one in matchers):
        return name
    by_folded = {one.lower(): one for one in matchers}
    near = get_close_matches(name.lower(), by_folded, 1, 0.7)
    return by_folded[near[0]] if near else name


def _between(text: str, *, first: bool) -> str:
    """What stands between two matchers, where it is a slip for an operator; else as it is."""
    word = text.strip().lower()
    return text if first or word not in _OPERATORS else f" {_OPERATORS[word]} "
