"""What the store holds under our prefixes, as last seen, and since when this process has seen it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bridge.model.change import Item, LeaseName, Reading

# Seconds that a deletion is remembered: longer than any read-time, so that what is forgotten is long gone.
REMEMBERED = 3600.0


@dataclass(frozen=True, slots=True)
class Held:
    """One key as the store holds it, and since when."""

    value: str
    created: int  # revision
    revision: int
    lease: LeaseName | None
    since: float  # seconds on the monotonic clock, when this process first saw this revision


@dataclass(frozen=True, slots=True)
class Gone:
    """A key that was seen to stand and then to be deleted."""

    revision: int  # the deletion's, or that of the reading that missed the key
    since: float  # as in Held
    before: Held  # what was deleted


@dataclass(frozen=True, slots=True)
class Side:
    """All keys below one prefix, by path."""

    prefix: str
    held: Mapping[str, Held] = field(default_factory=dict)
    gone: Mapping[str, Gone] = field(default_factory=dict)
    read_at: int = 0  # revision of the newest news; 0: never read as a whole
    first: float = 0.0  # when the first whole reading came, on the monotonic clock
    first_at: int = 0  # its revision

    def fold(self, news: Reading, now: float) -> Side:
        """What is held after `news`: an echo or a late event of one key changes nothing.

        A whole reading that contradicts what is known means that the store was set back: all that was known is
        forgotten. So whole readings are folded in the order in which they were asked for, behind every commit that
        was answered before.
        """
        if news.whole and self._is_set_back(news):
            return Side(self.prefix).fold(news, now)
        cut = len(self.prefix)
        changes = {key[cut:]: item for key, item in news.items.items() if self._is_news(key, item, news.revision)}
        held, gone = self.held, self.gone
        if news.whole:
            changes |= {path: None for path in held if self.prefix + path not in news.items}
            gone = {path: self._still_gone(path, news) for path, lost in gone.items() if now - lost.since < REMEMBERED}
        if changes:
            held, gone = _after(held, gone, changes, news.revision, now)
        after = replace(self, held=held, gone=gone, read_at=max(self.read_at, news.revision))
        return after if self.read_at or not news.whole else replace(after, first=now, first_at=news.revision)

    def _is_set_back(self, news: Reading) -> bool:
        """Whether a whole reading cannot come after what is known.

        Its revision alone does not say: after a restore Consul counts on from where it was, and others may have written
        meanwhile.
        """
        if news.revision < self.read_at:
            return True
        cut = len(self.prefix)
        return any(item is not None and self._contradicts(key[cut:], item) for key, item in news.items.items())

    def _contradicts(self, path: str, item: Item) -> bool:
        known = self.held.get(path)
        if known is not None:
            changed = (known.value, known.created) != (item.value, item.created)
            return item.revision < known.revision or (item.revision == known.revision and changed)
        lost = self.gone.get(path)
        return lost is not None and item.revision < lost.revision

    def _still_gone(self, path: str, news: Reading) -> Gone:
        """A deletion of our own whose revision the store does not tell is known by the first reading after it."""
        lost = self.gone[path]
        is_told = lost.revision > lost.before.revision or self.prefix + path in news.items
        return lost if is_told else replace(lost, revision=news.revision)

    def _is_news(self, key: str, item: Item | None, revision: int) -> bool:
        path = key[len(self.prefix) :]
        known = self.held.get(path)
        if item is None:
            return known is not None and known.revision <= revision
        if known is not None:
            return known.revision < item.revision
        lost = self.gone.get(path)
        return lost is None or lost.revision < item.revision


def _after(
    held: Mapping[str, Held], gone: Mapping[str, Gone], changes: Mapping[str, Item | None], revision: int, now: float
) -> tuple[Mapping[str, Held], Mapping[str, Gone]]:
    """What is held and what is gone after changes of paths; None: deleted, and held before."""
    stands, went = dict(held), dict(gone)
    for path, item in changes.items():
        if item is None:
            went[path] = Gone(revision, now, stands.pop(path))
        else:
            stands[path] = Held(item.value, item.created, item.revision, item.lease, now)
            went.pop(path, None)
    return stands, went


@dataclass(frozen=True, slots=True)
class Mirror:
    """Both sides of one publisher: Traefik's tree and our records."""

    tree: Side
    records: Side

    @classmethod
    def empty(cls, tree: str, records: str) -> Mirror:
        """Nothing was read yet; the prefixes end with a slash."""
        return cls(Side(tree), Side(records))

    @property
    def sides(self) -> tuple[Side, Side]:
        """Our records, and the tree: in this order they are read."""
        return self.records, self.tree

    def side(self, prefix: str) -> Side:
        """The side of a prefix."""
        return self.tree if prefix == self.tree.prefix else self.records

    def fold(self, news: Reading, now: float) -> Mirror:
        """The side, or sides, that `news` is of take it in."""
        if news.whole:
            if news.prefix == self.tree.prefix:
                return replace(self, tree=self.tree.fold(news, now))
            return replace(self, records=self.records.fold(news, now))
        tree = {key: item for key, item in news.items.items() if key.startswith(self.tree.prefix)}
        records = {key: item for key, item in news.items.items() if key.startswith(self.records.prefix)}
        return Mirror(
            self.tree.fold(replace(news, items=tree), now) if tree else self.tree,
            self.records.fold(replace(news, items=records), now) if records else self.records,
        )
