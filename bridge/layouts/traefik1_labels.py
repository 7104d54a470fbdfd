"""Keys of one frontend or backend of Traefik 1.7's tree, told as the labels that ask for the same.

So what they mean is decided once, where labels are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.labels import table
from bridge.labels.table import INNER, TABLE, Row
from bridge.labels.types import decoded, header_name
from bridge.layouts.traefik1_reads import HEADERS, READ, As, shape_of
from bridge.layouts.traefik1_text import escape_value, unescape_value

RULE = "frontends/*/routes/*/rule"
PAGE_BACKEND = "frontends/*/errors/*/backend"
# What is no label, or not one object's alone.
BESIDE = frozenset(
    ("frontends/*/backend", RULE, *(f"backends/*/servers/*/{field}" for field in ("url", "weight", "tags")))
)
SOMEWHERE = "some/where"  # a label's word for a page's backend: for what the key names there may be none
_BASES = {"frontends/*/": "traefik.frontend.", "backends/*/": "traefik.backend."}
# Where a label's name is not the key's path, letter by letter.
_OTHERWISE: Mapping[str, Row] = {
    "frontends/*/auth/forward/.authresponseheaders": table.FORWARD_HEADERS,
    "frontends/*/basicauth": table.BASIC_USERS_OLD,
    "frontends/*/passHostHeader": table.PASS_HOST_HEADER,
}
_USERS: tuple[Row, ...] = (table.BASIC_USERS, table.BASIC_USERS_OLD, table.DIGEST_USERS)


def _by_shape() -> Iterator[tuple[str, Row]]:
    for base, prefix in _BASES.items():
        for row in TABLE:
            path = base + row.name.removeprefix(prefix).replace(INNER, "*").replace(".", "/").lower()
            if row.name.startswith(prefix):
                yield from ((shape, row) for shape in (path, f"{path}/*") if shape in READ)
    yield from _OTHERWISE.items()


# Each key that a label can say: by path, with a star for each name.
ROWS: Mapping[str, Row] = dict(_by_shape())


class Fault(NamedTuple):
    """A key that no label can say."""

    path: str
    reason: str
    costs: bool  # the whole route: Traefik reads nothing at all, or what the key says protects


@dataclass(slots=True)
class Told:
    """What the keys of one frontend or backend say."""

    labels: dict[str, str] = field(default_factory=dict, repr=False)  # some hold secrets
    keys: dict[str, str] = field(default_factory=dict)  # the path that each label comes from
    names: dict[str, str] = field(default_factory=dict)  # of pages and rate sets, by what stands for each in labels
    faults: list[Fault] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)  # paths that Traefik does not read


def told(keys: Mapping[str, str]) -> Told:
    """What the keys of one frontend, or of one backend without its servers, say. By path below the prefix.

    Whatever the keys, nothing is raised.
    """
    found = Told()
    headers: dict[tuple[Row, str], dict[str, str]] = {}
    for path, value in sorted(keys.items()):
        shape, names = shape_of(path)
        row, how = ROWS.get(shape), READ.get(shape)
        if shape in BESIDE or path.endswith("/"):
            continue
        if row is None or how is None:
            found.unread.append(path)
            continue
        try:
            if names[-1][0] in HEADERS:
                name = header_name(names[-1][1])  # of two that are one header the last counts
                headers.setdefault((row, path.rpartition("/")[0]), {})[name] = _header(row, name, unescape_value(value))
            elif how is As.LIST:
                whole = path if path.count("/") == shape.count("/") else path.rpartition("/")[0]
                _say(found, row, names, whole, _list(whole, keys))
            else:
                text = as_label(unescape_value(value)) if how is As.TEXT else value
                _say(found, row, names, path, SOMEWHERE if shape == PAGE_BACKEND and text else text)
        except _NoHeader as err:
            found.faults.append(Fault(path, str(err), row.protects))
        except ValueError as err:
            found.faults.append(Fault(path, str(err), costs=True))
    for (row, directory), pairs in headers.items():
        found.labels[row.name] = "||".join(f"{name}:{text}" for name, text in sorted(pairs.items()))
        found.keys[row.name] = directory
    return found


def items_of(path: str, keys: Mapping[str, str]) -> tuple[str, ...]:
    """The items of the list at `path`: between commas, or where there are none, one a key below it.

    Raises ValueError where Traefik can read nothing.
    """
    parts = [part.strip() for part in keys.get(path, "").split(",") if part.strip()]
    below = (key for key in sorted(keys) if key.startswith(f"{path}/") and "/" not in key[len(path) + 1 :])
    return tuple(map(unescape_value, parts or [keys[key] for key in below if keys[key]]))


def _list(path: str, keys: Mapping[str, str]) -> str:
    return ",".join(as_label(item, apart=",") for item in items_of(path, keys))


def _say(found: Told, row: Row, names: tuple[tuple[str, str], ...], path: str, text: str) -> None:
    label = row.name
    if INNER in label:
        name = names[1][1]
        word = next((word for word, known in found.names.items() if known == name), f"n{len(found.names)}")
        found.names[word] = name
        label = label.replace(INNER, word)
    # What is empty says nothing, and may stand beside another key for the same; of users it means that there are none.
    if text or (row in _USERS and label not in found.labels):
        found.labels[label], found.keys[label] = text, path


def as_label(plain: str, apart: str = "") -> str:
    """`plain` as it stands in a label that is unescaped; `apart`: what separates there."""
    if decoded(plain) == plain and not (apart and apart in plain):
        return plain
    text = escape_value(plain)
    return text.replace(apart, f"\\u{ord(apart):04x}") if apart else text


class _NoHeader(ValueError):
    """A header that Traefik may send and no label can ask for."""


def _header(row: Row, name: str, plain: str) -> str:
    text = as_label(plain, apart="|")
    try:
        row.parse(f"{name}:{text}")
    except ValueError as err:
        raise _NoHeader(str(err).removeprefix("part 1: ")) from None
    return text
