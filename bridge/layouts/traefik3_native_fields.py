"""Fields of native labels as Traefik 3's tree has them: known, of their type, in the one form that is written.

Names and options that Traefik 3 has renamed are translated; what it takes and does nothing with is left out, or costs
the object where it kept requests away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from bridge.labels.native import SERVER
from bridge.labels.native_names import may_be_shown, own
from bridge.layouts.go_values import TRUE, TRUTHS, is_whole, nanoseconds
from bridge.layouts.traefik3_fields import MAPS, Field, Type, Version, field_of, fold, shapes
from bridge.model.native import Asked, Said
from bridge.model.problem import Problem

NEWEST = (3, 99)
LEFT_OUT = "left it out"
_SERVERS = "loadbalancer/servers/"
# What labels say of each server, by what its service's place begins with.
_OF_SERVERS = {"http/services/": "preservePath", "tcp/services/": "tls"}
_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))
_DEPRECATED = "Traefik 3 knows it no more"

# Of headers: what Traefik 3 takes without doing anything, and whether it kept requests away in Traefik 2.
_DEAD = {
    "headers/sslredirect": True,
    "headers/sslforcehost": True,
    "headers/ssltemporaryredirect": False,
    "headers/sslhost": False,
    "headers/featurepolicy": False,
}
_INSTEAD = {"headers/featurepolicy": "say permissionsPolicy"}
_IDLE = frozenset(("stripprefix/forceslash", "forwardauth/tls/caoptional"))


class Unfit(ValueError):
    """What costs an object."""

    def __init__(self, said: Said, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.said, self.reason, self.hint = said, reason, hint


@dataclass(slots=True)
class Fields:
    """The keys of one object below its place, on the way."""

    title: str  # the service's
    asked: Asked
    version: Version
    values: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)  # labels, by the same paths
    problems: list[Problem] = field(default_factory=list)
    each: str = ""  # the key that each of its servers has, true: preservePath, tls; empty: none

    def put(self, path: str, value: str, label: str) -> None:
        """One key."""
        self.values[path], self.origins[path] = value, label

    def tell(self, said: Said, reason: str, did: str, hint: str = "", *, notice: bool = False) -> None:
        """A problem of one label."""
        value = said.text if may_be_shown(said.label, said.text) else ""
        self.problems.append(Problem(self.title, said.label, value, reason, did, notice=notice, suggestion=hint))


def read_fields(title: str, asked: Asked, version: Version) -> Fields:
    """All keys of an object but for its servers'. Raises Unfit where one cannot be had."""
    found = Fields(title, asked, version)
    said = [one for each in asked.fields for one in _renamed(found, each)]
    items: dict[str, dict[int, Said]] = {}
    for one in said:
        above, _, last = one.path.rpartition("/")
        if last.isdecimal() and last.isascii() and _holds_items(asked.place, above):
            items.setdefault(above, {})[int(last)] = one
    listed = {one.path for its in items.values() for one in its.values()}
    for path, its in items.items():
        _field(found, replace(its[min(its)], path=path, text=",".join(its[at].text for at in sorted(its))))
    for one in said:
        if one.path not in listed:
            _field(found, one)
    _switch(found)
    return found


def _holds_items(place: str, path: str) -> bool:
    known = field_of(f"{place}/{path}", NEWEST)
    return known is not None and known.type in (Type.LIST, Type.FREE)


# Names that Traefik 3 has not got any more.


def _renamed(found: Fields, said: Said) -> Iterator[Said]:
    """What a label comes to; nothing where it is left out. Raises Unfit."""
    kind, _, rest = said.path.partition("/")
    folded = said.path.lower()
    if "/middlewares/" in f"/{found.asked.place}":
        if kind.lower() == "ipwhitelist":
            found.tell(said, "Traefik 3 calls it ipAllowList", "wrote that", notice=True)
            yield replace(said, path=f"ipAllowList/{rest}")
            return
        if folded in _DEAD:
            _dead(found, said, folded)
            return
        if folded in _IDLE:
            found.tell(said, _DEPRECATED, LEFT_OUT, notice=True)
            return
        if folded == "contenttype/autodetect" and said.text in TRUE:
            yield replace(said, path="contentType", text="true")
            return
    yield said


def _dead(found: Fields, said: Said, folded: str) -> None:
    if said.text in TRUTHS - TRUE:
        return
    reason = "Traefik 3 takes it, and does nothing"
    if _DEAD[folded]:
        raise Unfit(said, reason, "use a middleware redirectScheme with scheme https")
    found.tell(said, reason, LEFT_OUT, _INSTEAD.get(folded, ""))


# One field.


def _field(found: Fields, said: Said) -> None:
    """Raises Unfit."""
    asked = found.asked
    name = next((name for place, name in _OF_SERVERS.items() if asked.place.startswith(place)), "")
    if name and said.path.lower() == f"{SERVER}{name}".lower():
        if _known(found, replace(said, path=f"loadBalancer/servers/x/{name}")):
            found.each = name if _truth(said) == "true" else ""
        return
    if asked.place.split("/")[1] == "services" and said.path.lower().startswith(_SERVERS):
        raise Unfit(said, "servers are containers: no label can name one", "say loadbalancer.server.port")
    known = _known(found, said)
    if known is None:
        return
    path = known.path.removeprefix(f"{asked.place}/")
    if known.type in MAPS:
        path = _entry(known, path, said)
    if known.type is Type.BRANCH:
        found.put(path, _branch(known, said), said.label)
        return
    value = _VALUES[known.type](said)
    if _refers(path):
        value = ",".join(map(own, value.split(",")))
        if not all(all(name.partition("@")[::2]) for name in value.split(",") if "@" in name):
            raise Unfit(said, "a reference has a name, and behind an @ the provider's")
    found.put(path, value, said.label)


def _known(found: Fields, said: Said) -> Field | None:
    """What Traefik knows at the path; None where a service does without. Raises Unfit."""
    place = found.asked.place
    if place.startswith("tls/") and fold(said.path).startswith("defaultcertificate"):
        reason = "one that Traefik cannot load ends the TLS of all routers, so no label can set it"
        raise Unfit(said, reason, "say it in a file of Traefik's own, or use defaultGeneratedCert")
    known = field_of(f"{place}/{said.path}", NEWEST)
    if known is None or known.ignored:
        raise Unfit(said, f"Traefik 3 knows no {said.path.replace('/', '.')} of {_thing(place)}", _near(place, said))
    if not known.native:
        raise Unfit(said, "no label can set it")
    if field_of(f"{place}/{said.path}", found.version) is not None:
        return known
    reason = f"Traefik {found.version[0]}.{found.version[1]} does not know it"
    hint = f"say --traefik-version 3.{known.since} once no older one reads"
    if "/services/" not in place:
        raise Unfit(said, reason, hint)
    found.tell(said, reason, LEFT_OUT, hint)
    return None


def _thing(place: str) -> str:
    return f"a {place.split('/')[1].removesuffix('s')}"


def _near(place: str, said: Said) -> str:
    """What an unknown field may be a slip for."""
    shape = shapes(NEWEST)
    for name in (*place.split("/"), *said.path.split("/")):
        below = shape.each or next((one for key, (_, one) in shape.fields.items() if key == fold(name)), None)
        if below is None:
            near = get_close_matches(fold(name), shape.fields, 1) if len(name) < 40 else []
            return f"did you mean {shape.fields[near[0]][0]}?" if near else ""
        shape = below
    return ""


def _entry(known: Field, path: str, said: Said) -> str:
    """The path of a map's entry. Raises Unfit."""
    head, _, name = path.rpartition("/")
    if known.type is Type.FREE:
        if path.count("/") < 2:
            raise Unfit(said, "a plugin's options stand below its name")
    elif name.isdecimal():
        if known.type is Type.NUMBERS:
            return f"{head}/{name}-{name}"
        raise Unfit(said, "Traefik 3 refuses the whole tree for a header whose name is a number")
    return path


def _refers(path: str) -> bool:
    return path in ("service", "middlewares", "chain/middlewares", "errors/service", "loadBalancer/serversTransport")


def _branch(known: Field, said: Said) -> str:
    """`true`, or `false`, which switches off all below it. Raises Unfit."""
    if not known.empty:
        raise Unfit(said, "it has no value of its own: say what stands below it")
    if said.text and said.text not in TRUTHS:
        raise Unfit(said, "it is neither true nor false")
    return "true" if not said.text or said.text in TRUE else "false"


def _switch(found: Fields) -> None:
    """Branches with a value of their own: what is off goes with all below it, what is on needs no word beside that."""
    for path, value in sorted(found.values.items()):
        known = field_of(f"{found.asked.place}/{path}", NEWEST)
        if known is None or known.type is not Type.BRANCH or path not in found.values:
            continue
        below = [other for other in found.values if other.startswith(f"{path}/")]
        if value == "false":
            for other in (path, *below):
                del found.values[other]
        elif below:
            del found.values[path]
        elif path == "loadBalancer/sticky":
            said = Said(path, value, found.origins[path])
            del found.values[path]
            found.tell(said, "without a cookie no client stays with its server", LEFT_OUT, f"say {said.label}.cookie")


# Values.


def _text(said: Said) -> str:
    return said.text


def _truth(said: Said) -> str:
    if said.text not in TRUTHS:
        raise Unfit(said, "it is neither true nor false")
    return "true" if said.text in TRUE else "false"


def _whole(said: Said) -> str:
    if not is_whole(said.text):
        raise Unfit(said, "it is no whole number")
    return str(int(said.text))


def _time(said: Said) -> str:
    try:
        length = nanoseconds(said.text)
    except ValueError as err:
        raise Unfit(said, "it is no time", "write a number with its unit, as 10s") from err
    if length < 0 or length >= 2**53:
        raise Unfit(said, "it is below 0, or longer than 100 days")
    most, unit = next((size, unit) for size, unit in _UNITS if length % size == 0)
    return f"{int(length) // most}{unit}"


def _list(said: Said) -> str:
    items = [item.strip() for item in said.text.split(",")]
    if not any(items):
        raise Unfit(said, "it is empty, perhaps of a variable without a value")
    return ",".join(filter(None, items))


_VALUES: Mapping[Type, Callable[[Said], str]] = {
    Type.TEXT: _text,
    Type.TRUTH: _truth,
    Type.WHOLE: _whole,
    Type.TIME: _time,
    Type.LIST: _list,
    Type.TEXTS: _text,
    Type.NUMBERS: _whole,
    Type.FREE: _text,
}


def plugins(values: Iterable[str]) -> Iterator[str]:
    """The plugins that an object needs, by the paths of its keys."""
    found = (re.match(r"plugin/([^/]+)/", path) for path in values)
    yield from dict.fromkeys(one[1] for one in found if one)
