"""The records by which an operator drains, written and deleted by hand: what drain and undrain have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from bridge import config as options
from bridge.cli.render import heading, say, say_each_json, warn
from bridge.cli.undrained import REMEDY, WHY
from bridge.config import Config, Output
from bridge.model.change import Change, Committed, Create, Delete, Item, Transaction
from bridge.model.drain import Drain, Scope, drained_name
from bridge.model.keys import Publisher
from bridge.model.problem import BridgeError, UsageError
from bridge.ownership.drains import Drains
from bridge.ownership.records import drain_path, presence_path, read_drain, write_drain
from bridge.stores.base import Store, Unavailable
from bridge.sync import drains_in
from bridge.views.words import Json, number, safe

SCOPES = (Scope.HOST, Scope.SERVICE, Scope.CONTAINER)  # as config.DRAINED
TOLD = 5  # servers that are named, of those that no drain reaches
TRIES = 3  # at a record that others write at the same time


class Done(Enum):
    """What became of one record."""

    DRAINED = "drained"
    ALREADY = "drained already"
    UNDRAINED = "drained no more"
    NOT_DRAINED = "not drained"
    LISTED = "listed"  # none was asked for


@dataclass(frozen=True, slots=True)
class What:
    """What is to be drained, or drained no more."""

    scope: Scope
    name: str  # as `drained_name` writes it


def asked(config: Config) -> What:
    """What the command is about. Raises UsageError."""
    options_of = zip(SCOPES, options.DRAINED, strict=True)
    said = [(scope, option) for scope, option in options_of if option.name in config.said]
    if not said:
        return What(Scope.CLUSTER, "")
    (scope, option), *more = said
    if more:
        raise UsageError(more[0][1].flag, "", f"is one too many beside {option.flag}; run the command once for each")
    text = config.get(option)
    try:
        what = What(scope, drained_name(scope, text))
        drain_path(config.get(options.CLUSTER), what.scope, what.name)
    except ValueError as err:
        raise UsageError(option.flag, text, str(err)) from err
    return what


class Draining:
    """One publisher's records of what is drained. Each is written and deleted by a comparison, and leads nobody."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self._store, self.publisher = store, publisher
        self.did = Done.LISTED
        self.key = ""  # of the record that it was about
        self.found = Drains()
        self.by_hand = tuple[str, ...]()  # keys of servers that are drained in vain, where that was looked for
        self.unknown = ""  # what to say of a service that nothing is published of, where that was looked for
        self.is_published = True  # somebody publishes as this cluster

    def drain(self, what: What) -> bool:
        """Whether it was not drained before. Raises StoreError, and BridgeError for a record that cannot be read."""
        return self._change(what, stands=True)

    def undrain(self, what: What) -> bool:
        """Whether it was drained before. Raises as `drain`."""
        return self._change(what, stands=False)

    def look(self) -> None:
        """Read what is drained now. Raises StoreError."""
        self.found = drains_in(self._store, self.publisher)
        presence = self.publisher.records + presence_path(self.publisher.cluster)
        self.is_published = self._held(presence) is not None

    def _change(self, what: What, *, stands: bool) -> bool:
        """Whether the record had to be written, or deleted, so that it stands as asked."""
        cluster = self.publisher.cluster
        path = drain_path(cluster, what.scope, what.name)
        self.key = self.publisher.records + path
        for _ in range(TRIES):
            held = self._held(self.key)
            if held is not None and read_drain(cluster, path, held.value) is None:
                raise BridgeError("the record", self.key, "this bridge cannot read it: upgrade it, or delete the key")
            if (held is not None) is stands:
                return False
            change: Change
            if held is not None:
                change = Delete(self.key, held.revision)
            else:
                when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
                change = Create(self.key, write_drain(what.scope, what.name, when), None)
            if isinstance(self._store.commit(Transaction((), (change,))), Committed):
                return True
        raise Unavailable("the store", self._store.url, f"others write {self.key} all the time; try again")

    def _held(self, key: str) -> Item | None:
        return self._store.read(key).items.get(key)


def say_drained(config: Config, found: Sequence[Draining]) -> int:
    """Print what was done and what is drained, for each layout; the exit code."""
    if config.get(options.OUTPUT) is Output.JSON:
        say_each_json([_json(one) for one in found])
    else:
        for one in found:
            say([heading(one.publisher)] if len(found) > 1 else [])
            say(_lines(one))
    for one in found:
        for problem in one.found.problems:
            warn(f"problem: {problem}")
        for key in one.by_hand[:TOLD]:
            warn(f"notice: {key}: {WHY}; {REMEDY}")
        if more := len(one.by_hand[TOLD:]):
            warn(f"notice: so it is with {number(more, 'more server')}; bridge show names them")
        if one.unknown and one.is_published:
            warn(f"notice: {one.unknown}")
        if not one.is_published:
            then = "; who does will obey" if one.found.drains else ""
            warn(f"notice: nobody publishes as cluster {one.publisher.cluster} here now{then}")
    return 0


def drain_lines(drains: Sequence[Drain]) -> Iterator[str]:
    """A line each."""
    width = max((len(one.title) for one in drains), default=0)
    yield from (f"  {safe(one.title):<{width}}  since {safe(one.when)}" for one in drains)


def drained_lines(cluster: str, drains: Drains) -> Iterator[str]:
    """What is drained in a cluster, with a heading, and what nobody can read; nothing where nothing is."""
    if drains.drains:
        yield f"drained in cluster {safe(cluster)}:"
        yield from drain_lines(drains.drains)
    yield from (f"record {safe(key)} cannot be read: it may drain something" for key in drains.unreadable)


def drains_json(drains: Drains) -> Json:
    """What can be read."""
    return [{"scope": one.scope, "name": one.name, "when": one.when, "record": one.record} for one in drains.drains]


def _lines(one: Draining) -> Iterator[str]:
    if one.key:
        yield f"{one.did.value}: {safe(one.key)}"
    if not one.found.drains:
        yield f"Nothing is drained in cluster {one.publisher.cluster}"
        return
    yield f"Drained in cluster {one.publisher.cluster}:"
    yield from drain_lines(one.found.drains)


def _json(one: Draining) -> Json:
    return {
        "cluster": one.publisher.cluster,
        "layout": one.publisher.layout.name,
        "outcome": one.did.value,
        "record": one.key,
        "drains": drains_json(one.found),
        "unreadable": list(one.found.unreadable),
    }
