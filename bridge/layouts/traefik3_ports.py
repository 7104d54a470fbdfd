"""Which routers of TCP leave HTTP nothing at their entry points.

Traefik asks the routers of TCP first, and one that is not for names alone takes what HTTP's would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from bridge.labels.newer_rules import All, Any, Call, Tree, parse_tree
from bridge.layouts import Target
from bridge.routes.regexps import regexp

_RULES = 1 << 12  # remembered

# Where HTTP is served as a rule, besides what the operator says.
_OF_HTTP = frozenset(("http", "https", "web", "websecure", "traefik"))
_NOBODYS = ("nobodys.invalid", "no-body7.invalid")  # names that an expression for some names does not take


def is_secure(fields: Iterable[str]) -> bool:
    """Whether a router has TLS, by the paths of its keys below it."""
    return any(path.partition("/")[0] == "tls" for path in fields)


def is_greedy(fields: Mapping[str, str]) -> bool:
    """Whether a router of TCP takes more than connections to names that its rule asks for.

    `fields`: its keys, by the path below it.
    """
    return not is_secure(fields) or not _is_for_names(fields["rule"])


def http_point(fields: Mapping[str, str], target: Target) -> str:
    """An entry point of HTTP's that a router of TCP would take over; empty: none. `fields`: as of `is_greedy`."""
    served = {*_OF_HTTP, *target.entry_points, *(name for name, _ in target.tls)}
    taken = next((point for point in fields.get("entryPoints", "").split(",") if point in served), "")
    return taken if taken and is_greedy(fields) else ""


@lru_cache(_RULES)
def _is_for_names(rule: str) -> bool:
    """Whether each way through a rule asks for a name. Of a rule that was written here."""
    return _asks_for_names(parse_tree(rule))


def _asks_for_names(tree: Tree) -> bool:
    match tree:
        case Call("HostSNI", values):
            return "*" not in values
        case Call("HostSNIRegexp", values):
            return not any(map(_takes_any, values))
        case All(of):
            return any(map(_asks_for_names, of))
        case Any(of):
            return all(map(_asks_for_names, of))
    return False


def _takes_any(expression: str) -> bool:
    """Whether an expression takes names that nobody has; one that is not understood may."""
    try:
        return any(map(regexp(expression).found_in, _NOBODYS))
    except ValueError:
        return True
