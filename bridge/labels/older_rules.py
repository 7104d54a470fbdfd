"""Rules of Traefik 2 as rules of Traefik 1, which can join matchers, and a matcher's values, in one way alone."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.labels.newer_rules import All, Any, Call, Tree, parse_tree
from bridge.labels.rules import checked_rule
from bridge.model.route import Kind, Rule

_KINDS = {
    kind.value.lower(): kind
    for kind in (
        Kind.HOST,
        Kind.HOST_REGEXP,
        Kind.PATH,
        Kind.PATH_PREFIX,
        Kind.METHOD,
        Kind.HEADERS,
        Kind.HEADERS_REGEXP,
        Kind.QUERY,
    )
}
_KINDS |= {"hostheader": Kind.HOST, "header": Kind.HEADERS, "headerregexp": Kind.HEADERS_REGEXP}
_ALL_OF = (Kind.HEADERS, Kind.HEADERS_REGEXP, Kind.QUERY)  # their values must all match
_SIGNS = frozenset(",;")  # which divide a rule


def older(text: str) -> Rule:
    """The rule that takes the same requests. Raises ValueError where Traefik 2 takes none, or 1 cannot say it."""
    tree = parse_tree(text)
    return checked_rule(";".join(map(_piece, tree.of if isinstance(tree, All) else (tree,))))


def _piece(tree: Tree) -> str:
    """Raises ValueError."""
    found = list(_alike(tree))
    kind, values = _KINDS[found[0].name.lower()], [value for one in found for value in one.values]
    if not values or any(_SIGNS & {*value} for value in values):
        raise ValueError(f"the values of {kind.value} cannot stand in a rule of Traefik 1")
    return f"{kind.value}:{','.join(values)}"


def _alike(tree: Tree) -> Iterator[Call]:
    """Matchers of one kind of which any may match. Raises ValueError."""
    several = tree.of if isinstance(tree, Any) else (tree,)
    kinds = set[Kind]()
    for one in several:
        kind = _KINDS.get(one.name.lower()) if isinstance(one, Call) else None
        if kind is None or (kind in _ALL_OF and len(several) > 1):
            raise ValueError("labels of older Traefiks know no rule like that: use these with &&, and || of one kind")
        kinds.add(kind)
        yield one if isinstance(one, Call) else Call("", (), 0, negated=False)
    if len(kinds) > 1:
        raise ValueError("labels of older Traefiks join different matchers with && alone")
