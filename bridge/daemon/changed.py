"""What one commit changed, by service: which servers came and went, and each key with its value before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.model.change import Change, Create, Delete
from bridge.model.keys import Role, unescape
from bridge.ownership.claims import Group
from bridge.ownership.plan import Plan
from bridge.ownership.standing import Standing
from bridge.ownership.units import Unit

GOES = frozenset(("close", "clear", "leave"))  # why a unit is written that takes a group away


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One key below Traefik's prefix."""

    path: str
    before: str | None  # None: it did not stand
    after: str | None
    is_news: bool  # of a route that stands and stays, and no key of a server that comes or goes


@dataclass(frozen=True, slots=True)
class ServerChange:
    """A server of this cluster that came or went."""

    identity: str  # the container's uuid, or the external IP or host name
    url: str  # as the key has it, or had it; empty: only other keys of it were written


@dataclass(frozen=True, slots=True)
class Changed:
    """What happened to one group."""

    group: str  # empty: to this cluster's own records
    why: str  # publish, close, clear, …: as the plan calls it
    keys: tuple[KeyChange, ...]
    came: tuple[ServerChange, ...]
    went: tuple[ServerChange, ...]
    moved: int  # keys that are on another lease, with the value that they had
    records: int  # of the bridge's own


def changed(due: Plan, written: Iterable[Change], before: Standing) -> Iterator[Changed]:
    """What of a plan was committed, unit by unit. `before`: what stood when it was made."""
    happened = set(written)
    for unit in due.units:
        changes = [change for change in unit.changes if change in happened]
        if changes:
            yield _of_unit(unit, changes, before)


def _of_unit(unit: Unit, changes: list[Change], before: Standing) -> Changed:
    tree, layout = before.mirror.tree, before.publisher.layout
    group = before.groups.get(unit.group) or Group(unit.group)
    stays = bool(group.shared) and unit.why not in GOES
    keys: list[KeyChange] = []
    moved = records = 0
    touched: dict[str, dict[str, str | None]] = {}  # of this cluster's servers: what became of which key
    for change in changes:
        path = change.key.removeprefix(tree.prefix)
        if path == change.key:
            records += 1
            continue
        held, after = tree.held.get(path), None if isinstance(change, Delete) else change.value
        if held is not None and held.value == after:
            moved += 1
            continue
        place = layout.place(path)
        is_own = place is not None and place.role is Role.SERVER and place.cluster == before.publisher.cluster
        if place is not None and is_own:
            touched.setdefault(place.holder, {})[path] = after
        is_new_or_gone = isinstance(change, Create | Delete)
        keys.append(KeyChange(path, held.value if held else None, after, stays and not (is_own and is_new_or_gone)))
    came = (holder for holder in sorted(touched) if holder not in group.servers)
    went = (holder for holder in sorted(touched) if holder in group.servers and _is_gone(holder, touched, group))
    return Changed(
        unit.group,
        unit.why,
        tuple(sorted(keys, key=lambda key: key.path)),
        _servers((holder, touched[holder].get(f"{holder}/url")) for holder in came),
        _servers((holder, held.value if (held := group.mine.get(f"{holder}/url")) else None) for holder in went),
        moved,
        records,
    )


def _is_gone(holder: str, touched: Mapping[str, Mapping[str, str | None]], group: Group) -> bool:
    """Whether no key of a server is left."""
    left = {path for path in group.mine if path.startswith(f"{holder}/")}
    for path, after in touched[holder].items():
        (left.discard if after is None else left.add)(path)
    return not left


def _servers(found: Iterable[tuple[str, str | None]]) -> tuple[ServerChange, ...]:
    return tuple(dict.fromkeys(ServerChange(_identity(holder), url or "") for holder, url in found))


def _identity(holder: str) -> str:
    """What a server's key is named after: <cluster>--<identity>, escaped."""
    name = holder.rpartition("/")[2].partition("--")[2]
    try:
        return unescape(name)
    except ValueError:  # somebody's hand made it
        return name
