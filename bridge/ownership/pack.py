"""Units into as few transactions as the store's limits allow: each transaction wakes every Traefik once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bridge.model.change import Change, Check, Create, Delete, Limits, Transaction, Update
from bridge.ownership.units import Unit

# Bytes that a store's protocol may add to one operation beside key and value, base64 of the value included.
_OVERHEAD = 160


@dataclass(frozen=True, slots=True)
class Packed:
    """One transaction and what it is made of."""

    transaction: Transaction
    units: tuple[Unit, ...]
    cut: bool = False  # only the beginning of its one unit: the rest is planned from what then stands
    fits: bool = True  # False: not even one change of its one unit does, so no store takes it


def pack(units: Iterable[Unit], limits: Limits, fence: Change | Check) -> tuple[Packed, ...]:
    """Transactions in the order of the units, each with room for `fence`, the writer's proof that it leads."""
    room = _Room(limits, fence)
    return tuple(_fill(units, room))


def fenced(transaction: Transaction, fence: Change | Check) -> Transaction:
    """The same transaction, refused by the store unless its writer leads."""
    if isinstance(fence, Check):
        return replace(transaction, checks=(fence, *transaction.checks))
    return replace(transaction, changes=(fence, *transaction.changes))


class _Room:
    """What one transaction holds beside the fence."""

    def __init__(self, limits: Limits, fence: Change | Check) -> None:
        self.limits = limits
        self.operations = limits.operations - self._cost(fence)
        self.size = limits.size - _size(fence)

    def weigh(self, unit: Unit) -> tuple[int, int]:
        """The operations and bytes of a unit, without checks that its own changes make."""
        changed = {change.key for change in unit.changes}
        checks = (check for check in (*unit.checks, *unit.wide) if check.key not in changed)
        operations = (*checks, *unit.changes)
        return sum(map(self._cost, operations)), sum(map(_size, operations))

    def holds(self, weight: tuple[int, int]) -> bool:
        """Whether so much goes into one transaction."""
        return weight[0] <= self.operations and weight[1] <= self.size

    def _cost(self, operation: Change | Check) -> int:
        match operation:
            case Check():
                return self.limits.check
            case Create():
                return self.limits.create
            case Update():
                return self.limits.update if operation.lease == operation.held_by else self.limits.move
            case Delete():
                return self.limits.delete


def _size(operation: Change | Check) -> int:
    value = operation.value if isinstance(operation, Create | Update) else ""
    return _bytes(operation.key) + _bytes(value) * 4 // 3 + _OVERHEAD


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _fill(units: Iterable[Unit], room: _Room) -> Iterator[Packed]:
    together: list[Unit] = []
    operations = size = 0
    for unit in units:
        weight = room.weigh(unit)
        if together and not room.holds((operations + weight[0], size + weight[1])):
            yield _packed(together)
            together, operations, size = [], 0, 0
        if room.holds(weight):
            together.append(unit)
            operations, size = operations + weight[0], size + weight[1]
        else:
            yield _cut(unit, room)
    if together:
        yield _packed(together)


def _packed(units: list[Unit]) -> Packed:
    checks = tuple(dict.fromkeys(check for unit in units for check in (*unit.checks, *unit.wide)))
    changes = tuple(change for unit in units for change in unit.changes)
    changed = {change.key for change in changes}
    return Packed(Transaction(tuple(check for check in checks if check.key not in changed), changes), tuple(units))


def _cut(unit: Unit, room: _Room) -> Packed:
    """As much of one unit as fits: fewer of the further checks first, then fewer changes.

    Where not even one fits, each goes beside the checks that it needs itself. What makes a protection of another kind
    is parted only where there is no other way.
    """
    narrow = replace(unit, wide=unit.narrow)
    if room.holds(room.weigh(narrow)):
        return _packed([narrow])
    ends = [end for end in range(1, len(unit.changes) + 1) if not _parts(unit, end)]
    part = _most(unit, room, ends, lambda changes: replace(narrow, changes=changes))
    if not room.holds(room.weigh(part)):
        part = _most(unit, room, ends, lambda changes: _alone(unit, changes))
    if not room.holds(room.weigh(part)):
        part = _most(unit, room, range(1, ends[0] + 1), lambda changes: _alone(unit, changes))
    return replace(_packed([part]), cut=True, fits=room.holds(room.weigh(part)))


def _parts(unit: Unit, end: int) -> bool:
    """Whether a cut there parts what makes one protection of another kind."""
    before, behind = unit.changes[end - 1], unit.changes[end : end + 1]
    turns = unit.turns.get(before.key)
    return turns is not None and any(unit.turns.get(one.key) == turns for one in behind)


def _most(unit: Unit, room: _Room, ends: Sequence[int], part: Callable[[tuple[Change, ...]], Unit]) -> Unit:
    """The longest part with one of these ends that fits, or else the shortest."""
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if room.holds(room.weigh(part(unit.changes[: ends[middle]]))):
            low = middle
        else:
            high = middle - 1
    return part(unit.changes[: ends[low]])


def _alone(unit: Unit, changes: tuple[Change, ...]) -> Unit:
    """These changes beside the checks that they need themselves."""
    needed = (check for change in changes for check in unit.each.get(change.key, ()))
    return replace(unit, changes=changes, checks=tuple(dict.fromkeys((*unit.least, *needed))), wide=())
