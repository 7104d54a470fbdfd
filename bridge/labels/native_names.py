"""Which object of Traefik 2 and 3 a label's name speaks of, and which it may be a slip for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bridge.labels.faults import meant
from bridge.labels.lookup import is_newer, speaks_only_newer, spot
from bridge.labels.table import PROTOCOL
from bridge.labels.types import holds_login
from bridge.model.keys import NAME_LIMIT, STANDING
from bridge.model.world import told_name

KINDS = {
    "http": ("routers", "services", "middlewares"),
    "tcp": ("routers", "services", "middlewares"),
    "udp": ("routers", "services"),
    "tls": ("stores",),
}
_UNSETTABLE = {"http": ("serverstransports",), "tcp": ("serverstransports",), "tls": ("options", "certificates")}
_NAMES = 4096  # remembered: services share most of theirs
_NAME = re.compile(r"(?=.*[a-z])[a-z0-9_-]+")
_ITEM = re.compile(r"\[([0-9]+)\]")

# Of these middlewares every value may be shown, but for the login of a redis: none lets anybody in.
_HARMLESS = frozenset(
    ("addprefix", "buffering", "chain", "circuitbreaker", "compress", "contenttype", "errors", "inflightreq")
)
_HARMLESS |= {
    "inflightconn",
    "ipallowlist",
    "ipwhitelist",
    "passtlsclientcert",
    "ratelimit",
    "redirectregex",
    "redirectscheme",
}
_HARMLESS |= {"replacepath", "replacepathregex", "retry", "stripprefix", "stripprefixregex"}


@dataclass(frozen=True, slots=True)
class Where:
    """What a label's name speaks of."""

    place: str  # http/routers/<name>, in small letters; empty: nobody knows what it may be a slip for
    path: str = ""  # below it, in the letters of the label, with slashes
    wrong: str = ""  # why it cannot be read; empty where it can
    hint: str = ""  # what may help
    name: str = ""  # of the object, where the place is empty


@lru_cache(_NAMES)
def where(label: str) -> Where | None:
    """What it speaks of; None where it has nothing to do with Traefik 2 and 3."""
    parts = label.split(".")
    if len(parts) < 4 or parts[0].lower() != "traefik" or spot(label) is not None:
        return None
    protocol, kind, name = (part.lower() for part in parts[1:4])
    path = _ITEM.sub(r"/\1", "/".join(parts[4:]))
    if kind in _UNSETTABLE.get(protocol, ()):
        return Where("", path, f"no label can set {protocol}.{kind}", name=name)
    if kind in KINDS.get(protocol, ()):
        place = f"{protocol}/{kind}/{name}"
        if parts[0] != "traefik":
            return Where(place, path, "it must begin with traefik. in small letters")
        if not path or "" in path.split("/"):
            return Where(place, path, "a part of its name is missing")
        if told_name(label) != label:
            return Where(place, path, "what stands behind a colon or an equals sign may have been meant as its value")
        if protocol == "tls" and name != "default":
            return Where(place, path, "labels can set the store default alone")
        return Where(place, path)
    near = meant(protocol, KINDS)
    close = meant(kind, KINDS[near]) if near else ""
    if close:
        better = told_name(".".join(("traefik", near, close, *parts[3:])))
        return Where(f"{near}/{close}/{name}", path, "it is not known", f"did you mean {better}?")
    return Where("", path, "it is not known", name=name) if protocol in KINDS else None


def newer(labels: Iterable[str]) -> tuple[str, ...]:
    """Those that speak of an object of Traefik 2 and 3, or are slips for one that does; sorted."""
    return tuple(name for name in sorted(labels) if (found := where(name)) and found.place)


def layer4(labels: Mapping[str, str]) -> str:
    """tcp or udp, where all of a service is that: Traefik 1 knows neither."""
    text = labels.get(PROTOCOL.name, "").lower()
    return text if text in ("tcp", "udp") else ""


def asks_newer(labels: Mapping[str, str]) -> str:
    """A label by which a service asks for what only Traefik 2 and 3 know; empty: there is none."""
    return next(iter(newer(labels)), PROTOCOL.name if layer4(labels) else "")


def speaks_newer_alone(labels: Mapping[str, str]) -> bool:
    """Whether a service speaks to Traefik 2 and 3, and no older language."""
    if layer4(labels):
        return True
    left = {name: text for name, text in labels.items() if is_newer(name) or where(name) is None}
    return bool(newer(labels)) and (not any(map(is_newer, left)) or bool(speaks_only_newer(left)))


def unnameable(name: str) -> str:
    """Why no object can have this name, in small letters; empty where one can.

    `__` stands in the names of the objects that other vocabularies come to, and only there.
    """
    if not _NAME.fullmatch(name):
        return "a name has letters, digits, dashes and underscores, and a letter among them"
    if "__" in name or name == STANDING:
        return "the bridge keeps such names for what it makes itself"
    return f"it is longer than {NAME_LIMIT} characters" if len(name) > NAME_LIMIT else ""


def own(reference: str) -> str:
    """A reference as it is written: what Traefik 2's own provider knew is known here without its name."""
    name, at, provider = reference.strip().rpartition("@")
    if at and provider.lower() == "rancher":
        return name.lower()
    return reference.strip() if at else reference.strip().lower()


def may_be_shown(label: str, text: str) -> bool:
    """Whether reports may show a label's value: it lets nobody in."""
    found = where(label)
    if found is None or found.wrong or holds_login(text):
        return False
    folded = found.path.lower()
    if found.place.startswith("tls/"):
        return not folded.endswith(("/certfile", "/keyfile"))
    if "/middlewares/" in found.place:
        return folded.partition("/")[0] in _HARMLESS and "/redis/" not in folded
    return "/healthcheck/headers/" not in f"/{folded}"
