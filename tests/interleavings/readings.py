"""All readings of a Traefik 1.7 that may be under way at once.

It asks for names first and for values one by one. Between two of its requests anything may be written, so what it comes
to hold is a beginning of what stood before and an end of what stands now. A state carries every such beginning that
differs from what stands: thus one state stands for every moment at which a reading may have been.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.model.change import Item
from bridge.model.keys import Layout, Role, Wish
from tests.interleavings.world import GROUP, TREE, Partial


@dataclass(frozen=True, slots=True)
class Frontend:
    """An open frontend as one reading saw it."""

    name: str
    rule: str | None
    protects: Mapping[str, str]  # path: value


@dataclass(frozen=True, slots=True)
class Seen:
    """What one reading came to."""

    frontends: tuple[Frontend, ...]  # those that are open
    servers: tuple[str, ...]  # paths of their urls


class Requests:
    """The requests that matter, in Traefik's order: backends, the names of the frontends, then each of them."""

    def __init__(self, layout: Layout, wishes: list[Wish]) -> None:
        paths = sorted({path for wish in wishes for path in (*wish.shared, *wish.own)})
        places = {path: place for path in paths if (place := layout.place(path)) is not None}
        self.halves = layout.reads_halves
        self._servers = tuple(path for path in paths if places[path].role is Role.SERVER)
        holders = sorted({place.holder for place in places.values() if layout.opening(place.holder)})
        self._frontends = {
            holder: (
                *layout.opening(holder),
                *(path for path in paths if places[path].holder == holder and places[path].role is Role.PROTECTS),
                *(path for path in paths if places[path].holder == holder and places[path].role is Role.RULE),
            )
            for holder in holders
        }
        self._values = [*self._servers, *(path for asked in self._frontends.values() for path in asked)]
        listed = len(self._servers) + 2
        # Where the answer stands that names whom each request is about; -1: nobody needs to be named.
        self._about: list[tuple[int, str]] = [(-1, ""), (-1, "")]
        self._about += [(1, path) for path in self._servers]
        self._about.append((-1, ""))
        self._about += [(listed, holder) for holder, asked in self._frontends.items() for _ in asked]

    def answers(self, items: Mapping[str, Item]) -> Partial:
        """What each request would be answered now."""
        at = f"{TREE}backends/{GROUP}/"
        values = [item.value if (item := items.get(TREE + path)) else None for path in self._values]
        servers = len(self._servers)
        listed = tuple(path for path, value in zip(self._servers, values, strict=False) if value is not None)
        frontends = {key[len(TREE) :].split("/")[1] for key in items if key.startswith(f"{TREE}frontends/")}
        holders = tuple(holder for holder in self._frontends if holder.split("/")[1] in frontends)
        is_there = any(key.startswith(at) for key in items)
        return (is_there, listed, *values[:servers], holders, *values[servers:])

    def under_way(self, readings: Mapping[Partial, int], before: Partial, after: Partial) -> dict[Partial, int]:
        """The beginnings that differ from what stands, when what stands becomes another; ticks since they began."""
        found: dict[Partial, int] = {}
        for begun, age in (*readings.items(), ((), 0)):
            whole = begun + before[len(begun) :]
            for length in range(len(begun), len(whole) + 1):
                if length and self._differs(whole, length - 1, after):
                    self._add(found, self._masked(whole[:length]), age)
            if begun:
                self._add(found, self._trimmed(begun, after), age)
        return found

    def seen(self, begun: Partial, now: Partial) -> Seen:
        """What a reading comes to that goes to its end now."""
        whole = begun + now[len(begun) :]
        urls = dict(zip(self._servers, whole[2 : 2 + len(self._servers)], strict=True))
        listed, opened = whole[1], whole[2 + len(self._servers)]
        assert isinstance(listed, tuple)
        assert isinstance(opened, tuple)
        servers = tuple(path for path in listed if urls[path] is not None)
        values = iter(whole[3 + len(self._servers) :])
        return Seen(tuple(self._open(opened, values)) if whole[0] else (), servers)

    def _open(self, listed: tuple[object, ...], values: Iterator[object]) -> Iterator[Frontend]:
        for holder, paths in self._frontends.items():
            found = {path: value for path in paths if isinstance(value := next(values), str)}
            if holder not in listed or found.pop(paths[0], None) is None:
                continue
            rules = [found.pop(path) for path in paths if path.endswith("/rule") and path in found]
            yield Frontend(holder.split("/")[1], rules[0] if rules else None, found)

    def _differs(self, whole: Partial, at: int, after: Partial) -> bool:
        return self._is_asked(whole, at) and whole[at] != after[at]

    def _is_asked(self, whole: Partial, at: int) -> bool:
        list_at, about = self._about[at]
        listed = whole[list_at] if list_at >= 0 else None
        return list_at < 0 or (isinstance(listed, tuple) and about in listed)

    def _masked(self, begun: Partial) -> Partial:
        """Without answers to what was never asked."""
        return tuple(answer if self._is_asked(begun, at) else None for at, answer in enumerate(begun))

    def _trimmed(self, begun: Partial, after: Partial) -> Partial:
        """Without an end that a reading would see now, too."""
        length = len(begun)
        while length and not self._differs(begun, length - 1, after):
            length -= 1
        return begun[:length]

    def _add(self, found: dict[Partial, int], begun: Partial, age: int) -> None:
        """Of two that saw the same, the one that has more time left."""
        if begun:
            found[begun] = min(age, found.get(begun, age))
