"""Which row a label's name means: for all of a service or for one of its segments, and what else a name tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache

from bridge.labels.table import INNER, PREFIX, TABLE, Row, Vocabulary
from bridge.labels.types import FALSE_WORDS, truth
from bridge.model.world import MISSPELT

_NAMES = 4096  # remembered: services share most of theirs
SUGGESTIONS = 20  # for unknown labels of one service: each costs a look at the whole table
_LONGEST = 80  # characters of a name that may be a slip for another
_ALIKE = 0.7  # of 1

_ROWS = {row.name: row for row in TABLE}
# What Traefik 2 and 3 know. A segment of Traefik 1 may be called http as well: traefik.http.port.
NEWER = (
    r"traefik\.(?:(?:http|tcp|udp)\.(?:routers|services|middlewares|serverstransports)"
    r"|tls\.(?:stores|options|certificates))\."
)
_NEWER = re.compile(NEWER, re.IGNORECASE)
# As Traefik 1's provider tells segments, page names and names of rate sets.
_SEGMENTED = re.compile(
    r"traefik\.(?!(?:frontend|backend)\.)(.+?)\.(port|portIndex|portName|weight|protocol|backend|frontend\..+)"
)
_INNER = re.compile(
    "({})([^ .]+)(\\.[^ .]+)".format("|".join({re.escape(name.partition(INNER)[0]) for name in _ROWS if INNER in name}))
)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a label's name stands in the table."""

    row: Row
    plain: str  # the name without its segment
    segment: str = ""  # empty: the label is for the whole service
    inner: str = ""  # what stands for INNER


@lru_cache(_NAMES)
def spot(name: str) -> Spot | None:
    """Where this name stands; None where it is in no row."""
    if row := _ROWS.get(name):
        return Spot(row, name)
    if found := _INNER.fullmatch(name):
        row = _ROWS.get(f"{found[1]}{INNER}{found[3]}")
        return Spot(row, name, inner=found[2]) if row else None
    found = None if is_newer(name) else _SEGMENTED.fullmatch(name)
    inside = spot(PREFIX + found[2]) if found else None
    return replace(inside, segment=found[1]) if found and inside else None


@lru_cache(_NAMES)
def is_newer(name: str) -> bool:
    """Whether it is a label of Traefik 2 and 3."""
    return _NEWER.match(name) is not None


def speaks_only_newer(labels: Mapping[str, str]) -> str:
    """A label of Traefik 2 and 3 on a service that speaks no older language; empty where it does.

    A label that two vocabularies know speaks for none, so rancher-traefik's count where Traefik 1 has not got them, and
    Traefik 1's where rancher-traefik has not.
    """
    newer = sorted(name for name in labels if is_newer(name))
    return newer[0] if newer and not any(map(_is_older, labels)) else ""


def _is_older(name: str) -> bool:
    if found := spot(name):
        return bool(found.segment) or found.row.vocabulary in (Vocabulary.SHORT, Vocabulary.NATIVE)
    return name.startswith("traefik.backend") or may_protect(name)


@lru_cache(_NAMES)
def is_native(name: str) -> bool:
    """Whether only Traefik 1 knows it."""
    found = spot(name)
    return found is not None and (bool(found.segment) or found.row.vocabulary is Vocabulary.NATIVE)


# Families of frontends' labels in which nothing keeps requests away: traefik.frontend.errors and such.
_FAMILIES = {
    name.split(".")[2]: False for name in _ROWS if name.startswith("traefik.frontend.") and name.count(".") > 2
}
_FAMILIES |= {name.split(".")[2]: True for name, row in _ROWS.items() if row.protects}
# Where even the word frontend is missing or misspelt.
_PROTECTING = frozenset(("auth", "basic", "digest", "users", "whitelist", "redirect", "entrypoint", "tlscert", "ssl"))
_PROTECTING |= {"allowedhosts"}
_SIGNS = re.compile(r"[\W_]+")  # what may stand in a dot's place
_HEAD = re.compile(rf"[\W_]*(?:traefik|(?:{MISSPELT})(?=[\W_]))([\W_]?)[\W_]*", re.IGNORECASE)
_HARMLESS = frozenset(family.lower() for family, protects in _FAMILIES.items() if not protects)


@lru_cache(_NAMES)
def may_protect(name: str) -> bool:
    """Whether a label that is in no row may ask for a protection, whoever misspelt it."""
    if is_newer(name):
        return False
    dotted = _SIGNS.sub(".", name.lower())
    if ".frontend." not in dotted:
        return any(word in dotted for word in _PROTECTING)
    family, dot, _ = dotted.partition(".frontend.")[2].partition(".")
    return not dot or family not in _HARMLESS


def protections(labels: Mapping[str, str]) -> Mapping[str, str]:
    """A label by which protection is asked for, of each family: auth, whitelist, redirect, entrypoints …"""
    found: dict[str, str] = {}
    for name in sorted(labels):
        one = spot(name)
        if one and one.row.protects and not (one.row.parse is truth and labels[name] in FALSE_WORDS):
            found.setdefault(one.plain.split(".")[2].lower().removesuffix("sourcerange"), name)
    return found


_PLAIN = {name.removeprefix(PREFIX).lower(): name for name in _ROWS if INNER not in name}
_OF_SEGMENTS = [name for name, plain in _PLAIN.items() if _ROWS[plain].segmented and "." not in name]


def _without_prefix(name: str) -> str:
    """What stands behind `traefik.`, however that is written: the sign in its dot's place is one in every dot's."""
    found = _HEAD.match(name)
    rest = name[found.end() :].strip() if found else name
    return rest.replace(found[1], ".") if found and found[1] else rest


@lru_cache(_NAMES)
def meant(name: str) -> str:
    """The label that an unknown one may be a slip for, in another case or nearly so written; empty: none."""
    head, dot, tail = _without_prefix(name).partition(".frontend.")
    segment = f"{head}." if dot else ""
    word = (f"frontend.{tail}" if dot else head).lower()
    if len(word) > _LONGEST or is_newer(name):
        return ""
    near = get_close_matches(word, _PLAIN, 1, _ALIKE)
    of, its, last = word.rpartition(".")
    if not dot and its and of not in ("frontend", "backend") and (not near or last in _OF_SEGMENTS):
        segment, near = head[: len(of) + 1], get_close_matches(last, _OF_SEGMENTS, 1, _ALIKE)
    return PREFIX + segment + _PLAIN[near[0]].removeprefix(PREFIX) if near else ""
