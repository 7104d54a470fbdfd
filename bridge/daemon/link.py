"""This process's link to its store: a client to write with, one for each watch, and the thread that keeps leases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from queue import Queue
from typing import Protocol, runtime_checkable

from bridge.daemon.logs import facts, log
from bridge.daemon.status import Pulse
from bridge.daemon.wakes import FIRST_PAUSE, Broke, Feeder, News, Wake
from bridge.leases import Keeper
from bridge.model.change import Delete, LeaseName, Reading, Transaction
from bridge.model.problem import UsageError
from bridge.ownership.records import leader_path
from bridge.stores.base import Store, StoreError, Unavailable
from bridge.writer import Settings, Writer

WATCH, LEASES = "store watch", "leases"  # how its threads are called
FIRST_SECRETS, LONGEST_SECRETS = 1.0, 60.0  # seconds between two tries to take secrets that the store does not
LONGEST_RETRY = 10.0  # seconds between two tries to reach a store that fails
HANGS = 10.0  # seconds: no renewal takes so long


@runtime_checkable
class Renewable(Protocol):
    """What opens clients with secrets that stand in files."""

    @property
    def has_files(self) -> bool:
        """Whether any secret stands in one."""

    @property
    def is_changed(self) -> bool:
        """Whether a file was written, replaced or removed since it was taken."""

    def renewed(self, ask: Callable[[Store], object]) -> Store | None:
        """A client with what the files hold now, taken once the store answered `ask`; None where nothing is new.

        Raises UsageError and StoreError: then what was taken before stays.
        """


class Link:
    """Opened afresh where it fails, and where a password, a token or a certificate was replaced."""

    def __init__(self, open_store: Callable[[], Store], settings: Settings, wakes: Queue[Wake]) -> None:
        self._open, self._settings, self._wakes = open_store, settings, wakes
        self._watches: list[tuple[Feeder, Store]] = []
        self._retry = FIRST_PAUSE
        self._writer: Writer | None = None
        self._secrets_fail = ""  # those that the files hold now do, as was told in these words, …
        self._secrets_at = 0.0  # … when they are tried again, …
        self._secrets_pause = FIRST_SECRETS  # … and how much later than now, should they fail once more
        self.retry_at = 0.0  # when the store is asked again
        self.is_current = False  # the mirror follows the store
        self.store = open_store()
        self.keeper = self._keep()

    def _keep(self, known: Mapping[LeaseName, float] = {}, lost: Iterable[LeaseName] = ()) -> Keeper:
        keeper = Keeper(self.store, lambda err: self._wakes.put(Broke(LEASES, err)), known, lost)
        keeper.start()
        return keeper

    @property
    def hand(self) -> Writer | None:
        """The hand on the store as it was last had."""
        return self._writer

    @property
    def leads(self) -> bool:
        """Whether this process leads, as last seen."""
        return self._writer is not None and self._writer.leads

    def writer(self, environment: str) -> Writer:
        """The hand on the store, with all that stands read. Raises StoreError, and UsageError as `require_environment`.

        `environment`: the Rancher environment's uuid; empty where it is not known.
        """
        writer = self._writer or Writer(self.store, self._settings, time.monotonic)
        if environment:
            writer.require_environment(environment)
        if self.is_current:
            return writer
        writer.measure()
        writer.look()
        self._writer = writer
        self.end_watches()
        for side in writer.mirror.sides:  # each is noted before the next: where that cannot be opened, this one can end
            self._watches.append(self._watch(writer, side.prefix, side.read_at))
        self.is_current = True
        return writer

    def _watch(self, writer: Writer, prefix: str, after: int) -> tuple[Feeder, Store]:
        store = self._another()
        store.know(writer.families)
        return Feeder(WATCH, lambda: map(News, store.watch(prefix, after)), self._wakes), store

    def _another(self) -> Store:
        """One more client. Raises StoreError, also where a secret cannot be read while somebody replaces it."""
        try:
            return self._open()
        except UsageError as err:
            raise Unavailable(err.thing, err.value, err.remedy) from err

    def end_watches(self) -> Writer | None:
        """Hear of nothing any more; answers the hand on the store, where there is one."""
        for feeder, store in self._watches:
            feeder.stop()
            store.close()
        self._watches = []
        return self._writer

    def fold(self, reading: Reading) -> bool:
        """A watch's news; whether they are any. A whole reading from before our last write is stale: another comes."""
        writer = self._writer
        if writer is None or not self.is_current:
            return False
        before = writer.mirror
        if reading.whole and reading.revision < before.side(reading.prefix).read_at:
            return False
        writer.fold(reading)
        self._retry = FIRST_PAUSE
        after = writer.mirror
        return any(now.held is not then.held for now, then in zip(after.sides, before.sides, strict=True))

    def reread(self) -> None:
        """Read all afresh with the next pass."""
        self.is_current = False

    def pause(self) -> float:
        """Something failed: read all afresh, after a pause that grows until a watch brings news; its seconds."""
        pause, self.is_current = self._retry, False
        self.retry_at = time.monotonic() + pause
        self._retry = min(2 * pause, LONGEST_RETRY)
        return pause

    def reopen(self) -> None:
        """Another client, and a thread that renews by it what is kept; the old ones where none can be opened.

        The leases wait for no reading: a store that is too slow for one may renew them in time.
        """
        if self._takes_secrets():
            return
        try:
            store = self._another()
        except StoreError as err:
            log.warning("store: the old connection is kept: %s", err, extra=facts("not-reopened", reason=str(err)))
            return
        self._use(store)

    def _use(self, store: Store) -> None:
        self.keeper.abandon()
        self.store.close()
        self.store = store
        self.keeper = self._keep(self.keeper.renewed, self.keeper.lost)
        if self._writer is not None:
            self._writer.use(store)

    def look_at_secrets(self, *, asked: bool = False) -> None:
        """Take those that were replaced in their files, and read all afresh by them. `asked`: say it in any case."""
        is_due = self.is_current and time.monotonic() >= self._secrets_at
        if (asked or is_due) and self._takes_secrets(asked=asked):
            self.reread()

    def _takes_secrets(self, *, asked: bool = False) -> bool:
        """Whether this process goes on by other secrets, which the store knows. Of those that fail is told once."""
        opener = self._open
        if not isinstance(opener, Renewable) or not (opener.has_files if asked else opener.is_changed):
            return False
        try:
            store = opener.renewed(self._try)
        except (StoreError, UsageError) as err:
            if asked or str(err) != self._secrets_fail:
                log.warning("store: the old secrets are kept: %s", err, extra=facts("secrets-kept", reason=str(err)))
            self._secrets_fail = str(err)
            self._secrets_at = time.monotonic() + self._secrets_pause
            self._secrets_pause = min(2 * self._secrets_pause, LONGEST_SECRETS)
            return False
        self._secrets_fail, self._secrets_at, self._secrets_pause = "", 0.0, FIRST_SECRETS
        if store is not None or asked:
            its = facts("secrets-read", changed=store is not None)
            what = "others now" if store else "as before"
            log.info("store: secrets and certificates were read again from their files: %s", what, extra=its)
        if store is not None:
            self._use(store)
        return store is not None

    def _try(self, store: Store) -> None:
        """Do by this client what the one in use does, and change nothing. Raises StoreError where it may not."""
        publisher, kept = self._settings.publisher, self.keeper.renewed
        record = publisher.records + leader_path(publisher.cluster)
        store.read(record)
        if kept:  # else this process writes nothing, as in a dry run
            store.renew(kept)
            # A store looks at rights first, and at comparisons then: what stands is not deleted as what does not.
            store.commit(Transaction((), (Delete(record, 0),)))

    def look_after(self, silent: float) -> None:
        """A thread that ended, or gave no sign for so many seconds, is begun again."""
        stands_still = any(not feeder.is_alive() or feeder.silent_for() > silent for feeder, _ in self._watches)
        if self.is_current and stands_still:
            log.warning("store: a watch stands still; all is read afresh", extra=facts("begun-again", what=WATCH))
            self.is_current = False
        if not self.keeper.is_alive():
            log.warning("leases: its thread ended; it is begun again", extra=facts("begun-again", what=LEASES))
            self.keeper.start()
        elif self.keeper.busy_for() > HANGS:
            log.warning("leases: its thread hangs; it is begun again", extra=facts("begun-again", what=LEASES))
            self.reopen()

    def pulses(self, longest: float) -> tuple[Pulse, ...]:
        """Signs of life of its threads, which may be silent for so many seconds; from any thread, waits for nothing."""
        watches = tuple(feeder for feeder, _ in self._watches) if self.is_current else ()
        keeper = self.keeper
        found = [Pulse(one.name, one.is_alive(), one.silent_for(), longest) for one in watches]
        return (*found, Pulse(LEASES, keeper.is_alive(), keeper.busy_for(), 2 * HANGS))

    def close(self) -> None:
        """Renew no lease any more, and give the connections back."""
        self.end_watches()
        self.keeper.end()
        self.store.close()
