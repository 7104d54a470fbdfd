"""A tree of keys as Traefik 3 decodes it, and the keys for which it refuses the whole tree, of everybody.

The order of steps is Traefik's own; it agreed with seven real ones in 1 140 recorded verdicts. Of the keys below the
prefix it takes those that begin with http, tcp, udp or tls; joins those whose last part is a number; sorts by bytes;
makes one name of names that differ in case alone; and then holds names and values against what it knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bridge.layouts.go_values import TRUTHS, is_whole, nanoseconds
from bridge.layouts.lint import Flaw, Grade
from bridge.layouts.traefik3_fields import MAPS, Field, Shape, Type, Version, fold, shapes

REFUSES = "Traefik refuses the whole tree: it takes no change of anybody any more, and loads nothing when it starts"
_NEWEST = (3, 99)
_HINTS = 100  # keys of which it is told what was perhaps meant: looking for that takes long
_NAME_LIMIT = 40  # characters of a name that may be a slip
_TOPS = ("http", "tcp", "udp", "tls")
_CODE = "/GRPCStatus/code"  # unlike all other numbers it has no sign
_NUMBER = re.compile("[0-9]+", re.ASCII)

ANYTHING = Shape()  # below it nothing is looked at
_ENTRIES = {
    Type.TEXTS: Shape(Field("", Type.TEXT)),
    Type.NUMBERS: Shape(Field("{entry}", Type.WHOLE)),  # nothing can stand below it: its own value would be empty
    Type.FREE: ANYTHING,
    Type.LIST: ANYTHING,
}


class Node:
    """A place in the tree, with what stands below it."""

    __slots__ = ("below", "key", "name", "path", "shape", "value")

    def __init__(self, name: str, path: str, shape: Shape) -> None:
        self.name = name  # as references write it
        self.path = path  # as it was first written
        self.key = ""  # the path of the key that has the value
        self.value: str | None = None  # None: no key ends here
        self.shape = shape
        self.below: dict[str, Node] = {}  # by folded name

    @property
    def off(self) -> bool:
        """Whether a value of its own switches it off, with all that is below it."""
        of = self.shape.field
        return bool(of and of.empty and of.type is Type.BRANCH and self.value and fold(self.value) != "true")

    def find(self, path: str) -> Node | None:
        """What stands below it, if that is not switched off."""
        node: Node | None = self
        for name in path.split("/"):
            node = node.below.get(fold(name)) if node else None
            if node is None or node.off:
                return None
        return node

    def text(self, path: str) -> str:
        """A value below it; empty where there is none."""
        found = self.find(path)
        return (found.value or "") if found else ""

    def items(self, path: str) -> list[str]:
        """The items of a list below it."""
        text = self.text(path)
        return [item.strip() for item in text.split(",")] if text else []

    def each(self, path: str) -> list[Node]:
        """The elements of a list below it, or the entries of a map, in Traefik's order."""
        found = self.find(path)
        return list(found.below.values()) if found else []


@dataclass(frozen=True, slots=True)
class Tree:
    """What Traefik makes of the keys."""

    root: Node
    refused: tuple[tuple[str, Flaw], ...]  # by path; if any, Traefik makes nothing of any key
    twins: tuple[
        tuple[str, str], ...
    ]  # a path, and another one in other letters, earlier, that is the same for Traefik


def decode(keys: Mapping[str, str], version: Version) -> Tree:
    """Of the keys by their path below the prefix, as Traefik of this version decodes them."""
    root = Node("", "", shapes(version))
    twins = list[tuple[str, str]]()
    refused = list[tuple[str, Flaw]]()
    for path, value, key in _folded(keys, twins):
        if misplaced := _put(root, path, value, key, twins):
            node, name = misplaced
            refused.append((key, _unknown(node, name, hint=len(refused) < _HINTS)))
    refused += _misfits(root, element=False, off=False)
    return Tree(root, tuple(refused), tuple(dict.fromkeys(twins)))


def is_read(path: str) -> bool:
    """Whether Traefik looks at a key at all."""
    return fold(path[:4]).startswith(_TOPS)


def _folded(keys: Mapping[str, str], twins: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Path and value of each key that Traefik reads, in its order, and whose path it was: numbers at the end joined."""
    single, joined = {}, dict[str, list[tuple[str, str]]]()
    for path, value in keys.items():
        if not is_read(path):
            continue
        if path[-1].isdecimal() and path[-1].isascii():
            above, slash, name = path.rpartition("/")
            if slash and above and _NUMBER.fullmatch(name):
                joined.setdefault(above, []).append((path, value))
                continue
        single[path] = (path, value, path)
    for above, found in joined.items():
        found.sort()
        if above in single:
            twins.append((found[0][0], above))
        single[above] = (above, ",".join(value for _, value in found), found[0][0])
    return sorted(single.values())


def _put(root: Node, path: str, value: str, key: str, twins: list[tuple[str, str]]) -> tuple[Node, str] | None:
    """The key into the tree; where that is impossible, the place and the name that cannot stand below it."""
    node, way = root, ""
    for written in path.split("/"):
        if not written:
            continue
        way = f"{way}/{written}" if way else written
        name = f"[{written}]" if written[0] in "0123456789" and _NUMBER.fullmatch(written) else written
        folded = fold(name)
        child = node.below.get(folded)
        if child is None:
            shape = _step(node.shape, folded)
            if shape is None:
                return node, written
            child = node.below[folded] = Node(name, way, shape)
        elif child.name != name and node.shape.each:
            twins.append((way, child.path))
        node = child
        if node.shape is ANYTHING:
            break
    else:
        if node.value is not None and node.key != path:
            twins.append((path, node.key))
    node.value, node.key = value, key
    return None


def _step(shape: Shape, folded: str) -> Shape | None:
    """What may stand below a place under this name; None where nothing may, or nothing is known."""
    if shape.each:
        return shape.each
    of = shape.field
    if of is None or of.type is Type.BRANCH:
        return shape.fields.get(folded, ("", None))[1]
    if of.ignored:
        return None
    return _ENTRIES.get(of.type) if of.path else ANYTHING


def _unknown(node: Node, name: str, hint: bool) -> Flaw:
    of = node.shape.field
    if of and of.type is not Type.BRANCH:
        return _refused(f"{node.path} holds a value, and nothing can stand below it", "delete it")
    place = f"below {node.path}" if node.path else "at the top of the tree"
    if since := _later(node.path, name):
        return _refused(
            f"only Traefik 3.{since} and newer know {name!r} {place}", "delete it, or replace each older Traefik first"
        )
    near = get_close_matches(fold(name), node.shape.fields, 1) if hint and len(name) <= _NAME_LIMIT else []
    remedy = f"delete it, or call it {node.shape.fields[near[0]][0]}" if near else "delete it"
    return _refused(f"Traefik knows no {name!r} {place}", remedy)


def _later(path: str, name: str) -> int:
    """The minor version that first knows a name below a path; 0 where none does."""
    shape = shapes(_NEWEST)
    for part in filter(None, path.split("/")):
        shape = shape.each or shape.fields[fold(part)][1]
    found = shape.fields.get(fold(name))
    return _first(found[1]) if found else 0


def _first(shape: Shape) -> int:
    """The first minor version that knows a place."""
    if shape.field:
        return shape.field.since
    return min(_first(below) for below in (*(found for _, found in shape.fields.values()), shape.each) if below)


def _misfits(node: Node, element: bool, off: bool) -> Iterator[tuple[str, Flaw]]:
    """Leaves that should be branches, and values of the wrong type. `element`: any name may stand there."""
    of, shape = node.shape.field, node.shape
    if node.below:
        off = off or node.off
        for child in node.below.values():
            yield from _misfits(child, bool(shape.each), off)
    elif node.value is None:
        return  # a key is refused that would stand below it
    elif of is None or of.type is Type.BRANCH or of.type in MAPS:
        may_be_leaf = element or shape.listed or shape is ANYTHING or bool(of and (of.empty or of.ignored))
        if not may_be_leaf and node.path:
            yield node.key, _refused("it can hold no value, only keys below it", "delete it, or write those")
    elif not off and not of.ignored and (fault := _wrong(of)(node.value)):
        yield node.key, fault


def _refused(reason: str, remedy: str) -> Flaw:
    return Flaw(Grade.FROZEN, reason, REFUSES, remedy)


def _no_whole(text: str) -> Flaw | None:
    return None if is_whole(text) else _refused("it is no whole number of 64 bits", "write decimal digits alone")


def _no_code(text: str) -> Flaw | None:
    fits = text.isascii() and text.isdecimal() and int(text[:20]) < 2**32
    return None if fits else _refused("it is no number of 32 bits without a sign", "write decimal digits alone")


def _no_truth(text: str) -> Flaw | None:
    return None if text in TRUTHS else _refused("it is neither true nor false", "write true or false")


def _no_time(text: str) -> Flaw | None:
    try:
        nanoseconds(text)
    except ValueError:
        return _refused("it is no time", "write a number with its unit, as 10s")
    return None


def _nothing(_text: str) -> Flaw | None:
    return None


def _wrong(of: Field) -> Callable[[str], Flaw | None]:
    return _no_code if of.path.endswith(_CODE) else _WRONG.get(of.type, _nothing)


_WRONG: Mapping[Type, Callable[[str], Flaw | None]] = {
    Type.WHOLE: _no_whole,
    Type.TRUTH: _no_truth,
    Type.TIME: _no_time,
}
