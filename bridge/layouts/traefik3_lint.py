"""What in a tree makes Traefik 3 die, refuse all of it, lose or misread an object, whoever wrote it, and what helps.

It says what was measured on 3.0.4 to 3.7.15. Traefik's own command line is not known here: what depends on its entry
points, resolvers and other providers is a notice, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from bridge.layouts.lint import Finding, Flaw, Grade, worst_first
from bridge.layouts.traefik3_fields import Type, Version, field_of
from bridge.layouts.traefik3_names import keeps
from bridge.layouts.traefik3_objects import may_end_traefik, object_flaws
from bridge.layouts.traefik3_secrets import is_secret
from bridge.layouts.traefik3_tree import ANYTHING, Node, Tree, decode, is_read

_UNREAD = "Traefik 3 does not read it, but it wakes Traefik"
_BLOCKS = ", and without one middleware in the tree the last route that is deleted stays for ever"
_NAME = re.compile(r"(?![0-9]+\Z)[a-z0-9._-]+")
_NUMBER = re.compile(r"0|-?[1-9][0-9]*")
_TIME = re.compile(r"(?:0|[1-9][0-9]*)(?:ns|us|ms|s|m|h)")
_PEM = frozenset(("ca", "cert", "key", "certfile", "keyfile", "cafiles", "rootcas"))
_FAULTS = frozenset((Grade.DEAD, Grade.FROZEN, Grade.LOST, Grade.WRONG))


def lint(keys: Mapping[str, str], prefix: str, version: Version) -> tuple[Finding, ...]:
    """All findings, the worst first.

    `keys`: all that begin with `prefix` without its closing slash, as Traefik reads them; `prefix`: as `tree_prefix`
    makes it. `version`: of the oldest Traefik that reads the tree, the minor one; of its patches the worst is assumed.
    """
    below = {key.removeprefix(prefix): value for key, value in keys.items() if key.startswith(prefix)}
    tree = decode(below, version)
    found = [*tree.refused, *_of_objects(tree, version), *_misread(tree), *_unread(below)]
    findings = [Finding(prefix + path, _shown(path, below.get(path, "")), flaw) for path, flaw in found]
    findings += [Finding(key, "", flaw) for key, flaw in _beside(keys, prefix)]
    return tuple(sorted(dict.fromkeys(findings), key=worst_first))


def poison(keys: Mapping[str, str], prefix: str, version: Version) -> tuple[Finding, ...]:
    """Of the findings of `lint` those that stop Traefik from taking anything of anybody, or end it.

    0.1 s for 12 000 keys. Whether a key is refused depends on that key alone, but for keys of one name in several
    spellings, lists that are written one key an item, and a branch that also has a value.
    """
    below = {key.removeprefix(prefix): value for key, value in keys.items() if key.startswith(prefix)}
    tree = decode(below, version)
    found = [*tree.refused]
    if may_end_traefik(tree):
        found += (one for one in _of_objects(tree, version) if one[1].grade is Grade.DEAD)
    findings = (Finding(prefix + path, _shown(path, below.get(path, "")), flaw) for path, flaw in found)
    return tuple(sorted(dict.fromkeys(findings), key=worst_first))


def strays(keys: Mapping[str, str], prefix: str) -> tuple[Finding, ...]:
    """Of keys that begin with a slash: those that stand where a Traefik that reads `prefix` finds nothing."""
    for key in sorted(keys):
        if key.startswith("/") and key.lstrip("/").startswith(prefix) and is_read(key.lstrip("/").removeprefix(prefix)):
            reason = f"its path begins with a slash, and Traefik 3 reads {prefix}"
            flaw = Flaw(Grade.LOST, reason, "none of the keys there is read", "write them without the first slash")
            return (Finding(key, "", flaw),)
    return ()


def faults(keys: Mapping[str, str], version: Version, elsewhere: Collection[str] = ()) -> tuple[str, ...]:
    """Why the keys of one whole route, by path below the prefix, must not be written; empty where they may.

    Any of it that Traefik refuses, that loses an object or that does something else than it says, and what is not in
    the one form that is written. Each text names the path. `elsewhere`: the objects of others that it may refer to,
    such as `http/services/<name>`.
    """
    tree = decode(keys, version)
    found = [*tree.refused, *_of_objects(tree, version, elsewhere), *_misread(tree), *_unread(keys)]
    said = [f"{path}: {flaw.reason}" for path, flaw in found if flaw.grade in _FAULTS]
    for path, value in sorted(keys.items()):
        if fault := _unwritten(path, value, version):
            said.append(f"{path}: {fault}")
    return tuple(dict.fromkeys(said))


def _of_objects(tree: Tree, version: Version, elsewhere: Collection[str] = ()) -> Iterator[tuple[str, Flaw]]:
    """But for objects with a key that is refused: what is wrong with that key makes them look odd."""
    odd = {tuple(path.split("/")[:3]) for path, _ in tree.refused}
    return ((at, flaw) for at, flaw in object_flaws(tree, version, elsewhere) if tuple(at.split("/")[:3]) not in odd)


# What Traefik takes and reads otherwise, or not at all.


def _misread(tree: Tree) -> Iterator[tuple[str, Flaw]]:
    for path, other in tree.twins:
        if path.rpartition("/")[2].isdecimal():
            reason = f"it stands beside {path}"
            yield (
                other,
                Flaw(Grade.WRONG, reason, "the one key an item counts", "write the list in one of the two ways"),
            )
        else:
            reason = f"{other} is the same for Traefik, which ignores capitals"
            effect = f"they are one, called as in {other}; of two values this one counts"
            yield path, Flaw(Grade.WRONG, reason, effect, "write one of them")
    yield from _of_node(tree.root, element=False)


def _of_node(node: Node, element: bool) -> Iterator[tuple[str, Flaw]]:
    of, shape, value = node.shape.field, node.shape, node.value
    at = node.key or node.path
    if of and of.ignored:
        yield at, Flaw(Grade.NOTICE, "Traefik takes it, and does nothing", "nothing", "delete it")
        return
    if of and of.type is Type.LIST and node.below:
        for child in node.below.values():
            yield (
                child.key,
                Flaw(Grade.WRONG, "only numbers can stand below a list", "it is not read", f"write {at}=a,b"),
            )
    elif shape.listed and value and not keeps(at, value):
        effect = "it is not read, and the list has no such elements"
        yield at, Flaw(Grade.WRONG, "the elements of this list are branches", effect, f"write {node.path}/<name>/…")
    elif element and not node.below and value and shape.fields:
        yield at, Flaw(Grade.WRONG, "it needs keys below it", "its value is not read", "write those")
    elif of and of.empty and of.type is Type.BRANCH and node.off:
        yield from _switched_off(node, at)
        return
    elif shape.fields and node.below and value and node.path and not (of and of.empty):
        yield at, Flaw(Grade.NOTICE, "it has a value, and keys below it", "the value is not read", "delete it")
    elif of and not of.path and node.below:
        reason = "an entry of a map has a value, and nothing below it"
        yield at, Flaw(Grade.WRONG, reason, f"{node.path} is read as empty", "write the value there")
    for child in node.below.values():
        if shape.each and not shape.listed:
            yield from _of_name(child)
        if child.shape is not ANYTHING:
            yield from _of_node(child, shape.each is not None)


def _switched_off(node: Node, at: str) -> Iterator[tuple[str, Flaw]]:
    if node.below or node.value != "false":
        effect = "it is switched off, with all that is below it"
        yield at, Flaw(Grade.WRONG, "it is neither true nor empty", effect, "write true, or delete it")


def _of_name(node: Node) -> Iterator[tuple[str, Flaw]]:
    if node.name.startswith("["):
        effect = f"who refers to it must write {node.name}"
        yield node.path, Flaw(Grade.NOTICE, "its name is a number", effect, "give it a name with a letter")
    elif "@" in node.name:
        reason = f"Traefik takes {node.name.rpartition('@')[2]!r} for another provider"
        yield node.path, Flaw(Grade.WRONG, reason, "nothing in this tree can refer to it", "use no @ in names")


def _unread(below: Mapping[str, str]) -> Iterator[tuple[str, Flaw]]:
    """Keys below the prefix that Traefik 3 passes over; of each kind the first."""
    first: dict[str, str] = {}
    for path in below:
        if not is_read(path):
            top = path.partition("/")[0]
            first[top] = min(first.get(top, path), path)
    for top, path in sorted(first.items()):
        if top in ("backends", "frontends"):
            effect = "Traefik 3 does not read them, and routes that are deleted may stay"
            remedy = "give each Traefik a prefix of its own"
            yield path, Flaw(Grade.WRONG, f"keys of Traefik 1 stand below {top}", effect, remedy)
        elif path:
            yield (
                path,
                Flaw(Grade.NOTICE, "it begins with none of http, tcp, udp and tls", _UNREAD, "keep it elsewhere"),
            )


def _beside(keys: Mapping[str, str], prefix: str) -> Iterator[tuple[str, Flaw]]:
    """Keys that Traefik fetches because they begin with the same letters; of each kind the first."""
    first: dict[str, str] = {}
    for key in keys:
        if not key.startswith(prefix):
            top = key[: len(prefix) - 1] + key[len(prefix) - 1 :].partition("/")[0]
            first[top] = min(first.get(top, key), key)
    for top, key in sorted(first.items()):
        reason = f"{top} begins with the name of Traefik's prefix"
        yield key, Flaw(Grade.NOTICE, reason, _UNREAD + _BLOCKS, "keep it elsewhere")


def _shown(path: str, value: str) -> str:
    return "" if is_secret(path, value) else value


# What is written.


def _unwritten(path: str, value: str, version: Version) -> str:
    """Why a key is not in the one form that is written; empty where it is."""
    if keeps(path, value):
        return ""
    found = field_of(path, version)
    if found is None:
        return "not a key that is ever written"
    parts = path.split("/")
    if found.path != path or parts[-1].isdecimal():
        return f"not as Traefik spells it: {found.path}"
    if found.ignored:
        return "Traefik does nothing with it"
    if not _NAME.fullmatch(parts[2]):
        return "a name of other than small letters, digits, dots, dashes and underscores"
    if re.search(r"[\x00-\x1f\x7f]", value) and parts[-1].lower() not in _PEM:
        return "a value with control characters"
    match found.type:
        case Type.TRUTH if value not in ("true", "false"):
            return "neither true nor false"
        case Type.BRANCH if value != "true":
            return "not true"
        case Type.WHOLE | Type.NUMBERS if not _NUMBER.fullmatch(value):
            return "a number with a sign or zeros in front"
        case Type.TIME if not _TIME.fullmatch(value):
            return "not one whole number with its unit"
    return ""
