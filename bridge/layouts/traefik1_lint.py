"""What in a tree makes Traefik 1.7 stop, lose a frontend or misread it, whoever wrote it, and what helps.

It says what was measured on 1.7.28. Traefik's own command line is not known here: what depends on its entry points and
files is a notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.layouts.lint import Finding, Flaw, Grade, worst_first
from bridge.layouts.traefik1_flaws import ELSEWHERE, FREEZES, LOST_HERE, flaws, pasting
from bridge.layouts.traefik1_guard import harmful
from bridge.layouts.traefik1_objects import Objects, object_flaws
from bridge.layouts.traefik1_reads import HEADERS, NAMED, READ, STATIC, As, shape_of
from bridge.layouts.traefik1_secrets import is_secret
from bridge.layouts.traefik1_text import unescape_value

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


@dataclass(frozen=True, slots=True)
class _Key:
    """A key below the prefix."""

    path: str
    value: str
    shape: str  # the path with a star for each name
    names: tuple[tuple[str, str], ...]  # each name and the directory that it stands in
    how: As | None  # None: Traefik does not read it


def lint(keys: Mapping[str, str], prefix: str, store_kind: str) -> tuple[Finding, ...]:
    """All findings, the worst first.

    `keys`: all that begin with `prefix` without its closing slash, as Traefik's static configuration reads them;
    `prefix`: as `tree_prefix` makes it. `store_kind`: a URL's scheme, etcd or consul.
    """
    tree = [_key(path.removeprefix(prefix), value) for path, value in keys.items() if path.startswith(prefix)]
    found = [(prefix + path, flaw) for path, flaw in _tree_flaws(tree, store_kind)]
    found += _both_leaf_and_directory(keys)
    findings = (Finding(key, _shown(key.removeprefix(prefix), keys.get(key, "")), flaw) for key, flaw in found)
    return tuple(sorted(dict.fromkeys(findings), key=worst_first))


def _shown(path: str, value: str) -> str:
    return "" if is_secret(path, value) else value


def strays(keys: Mapping[str, str], other: str, prefix: str) -> tuple[Finding, ...]:
    """Keys that stand below `other`, where a Traefik that reads `prefix` does not find them."""
    for top in ("backends/", "frontends/"):
        if key := min((key for key in keys if key.startswith(other + top)), default=""):
            reason = f"keys stand below {other}, and Traefik's default flags read {prefix} in this store"
            remedy = f"write them below {prefix}, or start Traefik with that prefix"
            return (Finding(key, "", Flaw(Grade.LOST, reason, "none of them is read", remedy)),)
    return ()


def _key(path: str, value: str) -> _Key:
    shape, names = shape_of(path)
    how = READ.get(shape)
    if how in (As.LIST, As.TAGS) and path.count("/") > shape.count("/"):  # one of its items
        how = As.TEXT if how is As.LIST else As.TAGS
    return _Key(path, value, shape, names, how)


def _tree_flaws(tree: list[_Key], store_kind: str) -> Iterator[tuple[str, Flaw]]:
    """By path below the prefix."""
    hidden = {key.path: flaw for key in tree if (flaw := _hidden(key, store_kind))}
    found = {key.path: key.value for key in tree if key.path not in hidden}
    if store_kind == "consul":  # its names are listed, and nothing is found below them
        found |= {"/".join(path.split("/")[:2]) + "/": "" for path in hidden}
    objects = Objects.of(found)
    yield from hidden.items()
    for key in tree:
        of_key = _name_flaws(key, store_kind) if key.path in hidden else _key_flaws(key, store_kind)
        yield from ((key.path, objects.weighed(place, flaw)) for place, flaw in of_key)
    yield from _static_flaws(tree)
    yield from _equal_names(tree)
    yield from object_flaws(objects)


def _hidden(key: _Key, store_kind: str) -> Flaw | None:
    """Why Traefik does not find a key by its name."""
    for directory, name in key.names:
        reason = _unfindable(name, store_kind)
        if not reason:
            continue
        if directory == "frontends":
            return Flaw(Grade.LOST, reason, f"{LOST_HERE}, without a word", "give it another name")
        return Flaw(Grade.WRONG, reason, "Traefik does not find this key", "give it another name")
    return None


def _unfindable(name: str, store_kind: str) -> str:
    """Why nothing is found below a name; empty where it is."""
    if store_kind == "consul" and name in ("", ".", ".."):
        return f"Consul takes no {name!r} as a name in a path"
    if store_kind == "etcd" and "___lock" in name:
        return "a name with ___lock is left out of each listing"
    return ""


def _key_flaws(key: _Key, store_kind: str) -> Iterator[tuple[str, Flaw]]:
    """Each with the path of what is wrong: the key, or the object of a wrong name above it."""
    if key.path.endswith("/") and not key.value and all(_is_plain(name) for _, name in key.names):
        return  # a directory's mark
    if harmful(key.path, key.value) is None:
        if key.shape in ELSEWHERE:
            yield from ((key.path, flaw) for flaw in flaws(key.shape, READ[key.shape], key.value))
        return
    yield from _name_flaws(key, store_kind)
    yield from ((key.path, flaw) for flaw in _value_flaws(key))


def _name_flaws(key: _Key, store_kind: str) -> Iterator[tuple[str, Flaw]]:
    """Of the names up to one that Traefik does not find."""
    parts, at = key.path.split("/"), 0
    for directory, name in key.names:
        at = parts.index(directory, at) + 1
        if not _is_plain(name) and (flaw := _name_flaw(directory, name, key, store_kind)):
            yield "/".join(parts[: at + 1]), flaw  # it is listed all the same
        if _unfindable(name, store_kind):
            return


def _value_flaws(key: _Key) -> Iterator[Flaw]:
    if key.how is None:
        if not key.path.endswith("/"):
            yield from _unread(key)
    elif flaw := pasting(key.how, key.value):
        yield flaw
    elif key.value:
        yield from flaws(key.shape, READ[key.shape] if key.how is As.TEXT else key.how, key.value)
        yield from _discouraged(key.shape)


def _is_plain(name: str) -> bool:
    return bool(name) and _BARE.issuperset(name)


def _name_flaw(directory: str, name: str, key: _Key, store_kind: str) -> Flaw | None:
    if store_kind == "consul" and not name.isprintable():
        reason = f"Consul answers no question with {name!r} in it"
        return Flaw(Grade.FROZEN, reason, FREEZES, "delete it, and give it another name")
    if directory in HEADERS:
        reason = f"{name!r} is no bare name of a header"
        remedy = "delete it; only letters, digits, - and _ can stand there"
        return Flaw(Grade.FROZEN, reason, FREEZES, remedy) if key.how else None
    if directory == "tls":  # read, but pasted nowhere
        return None
    try:
        read = unescape_value(name)
    except ValueError as err:
        reason = f"the name {name!r} cannot stand between quotes ({err})"
        return Flaw(Grade.FROZEN, reason, FREEZES, "delete it, and give it another name")
    if read == name:
        return None
    reason = f"Traefik reads the name {name!r} as {read!r}"
    return Flaw(Grade.WRONG, reason, "whoever refers to it must write that", "use no backslash in names")


def _unread(key: _Key) -> Iterator[Flaw]:
    """A key that is none of Traefik's."""
    path = key.shape
    if path.partition("/")[0] not in NAMED:
        return
    if path.lower() in READ:
        write = "passHostHeader" if path.lower().endswith("passhostheader") else path.lower().rpartition("/")[2]
        yield Flaw(Grade.WRONG, "names of keys are in lower case", "it is not read", f"call it {write}")
    elif path.startswith("frontends/*/passtlsclientcert/infos/issuer/"):
        yield Flaw(Grade.WRONG, "of the issuer nothing is read", "what is asked of the subject counts", "delete it")
    elif path == "frontends/*/auth/forward/authresponseheaders":
        yield Flaw(Grade.WRONG, "the key's name begins with a dot", "it is not read", "call it .authresponseheaders")
    elif path == "frontends/*/routes/*":
        return  # the frontend says it: it has no rule
    else:
        yield Flaw(Grade.NOTICE, "Traefik 1.7 has no such key", "it is not read", "delete it, or look at its spelling")


def _discouraged(shape: str) -> Iterator[Flaw]:
    if shape.startswith("backends/*/loadbalancer/stickiness/"):
        reason = "it lies below a key that has a value"
        yield Flaw(Grade.WRONG, reason, "Traefik's next start fails, now and then, once that says true", "delete it")
    elif shape in ("frontends/*/basicauth", "backends/*/loadbalancer/sticky"):
        yield Flaw(Grade.NOTICE, "deprecated", "read", "use auth/basic/users, or loadbalancer/stickiness")


def _static_flaws(tree: list[_Key]) -> Iterator[tuple[str, Flaw]]:
    """What Traefik takes for its own static configuration."""
    for key in tree:
        top = key.path.partition("/")[0]
        if not key.value or top in NAMED:
            continue
        how = STATIC.get(key.path)
        wrong = how is As.NOTHING or (how and any(flaws(key.path, how, key.value)))
        if wrong:
            reason = "Traefik reads it as its own static configuration, and it is of the wrong type"
            yield key.path, Flaw(Grade.DEAD, reason, "Traefik does not start any more", "delete it")
        elif key.path == "alias":
            reason = f"Traefik reads the tree at {key.value!r} in place of this one"
            yield key.path, Flaw(Grade.WRONG, reason, "routes here are not read", "delete it")
        elif key.path in STATIC or top in STATIC:
            reason = "Traefik reads it as its own static configuration"
            yield key.path, Flaw(Grade.NOTICE, reason, "it counts from the next start on", "is it meant so?")
        elif top not in ("leader", "leader___lock", "acme"):  # Traefik's own
            reason = "Traefik 1.7 has no such key"
            yield key.path, Flaw(Grade.NOTICE, reason, "it is not read, but wakes Traefik", "keep it elsewhere")


def _both_leaf_and_directory(keys: Mapping[str, str]) -> Iterator[tuple[str, Flaw]]:
    full = [key for key, value in keys.items() if value]
    above = set()
    for key in full:
        at = key.find("/", 1)
        while at != -1:
            above.add(key[:at])
            at = key.find("/", at + 1)
    for key in full:
        if key in above:
            reason = "it has a value, and keys below it have one"
            yield key, Flaw(Grade.DEAD, reason, "Traefik's next start fails, now and then or always", "delete either")


def _equal_names(tree: list[_Key]) -> Iterator[tuple[str, Flaw]]:
    """Objects whose names are one once they are unescaped."""
    first: dict[str, str] = {}
    for key in tree:
        parts, found = key.path.split("/"), ""
        for at in range(1, len(parts)):
            if ("/".join(parts[at - 1 : at]), parts[at]) not in key.names or parts[at - 1] in (*HEADERS, "tls"):
                found += parts[at] + "/"
                continue
            try:
                found += unescape_value(parts[at]).replace("/", "\\") + "/"
            except ValueError:
                break
            written = "/".join(parts[: at + 1])
            if first.setdefault(parts[0] + "/" + found, written) != written:
                reason = f"{written!r} and {first[parts[0] + '/' + found]!r} are one name for Traefik"
                yield key.path, Flaw(Grade.FROZEN, reason, FREEZES, "delete one of them")
                break
