"""Whether this process writes: one replica of a cluster leads, and one that sees the source is to be preferred."""

from __future__ import annotations

import time

from bridge.daemon.logs import facts, log
from bridge.leases import Keeper, replica_ttl
from bridge.writer import Settings, Writer

BLIND = 60.0  # seconds that the source fails, after which a leader lets another replica lead
WAITS = 30.0  # seconds that a replica whose source fails leaves the leadership to others


class Leadership:
    """Takes the leadership, follows, and gives it back."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._follows = ""  # the replica that leads instead
        self._may_replace_namesake = True  # its own earlier process, once
        self._blind_since: float | None = None  # the source fails since then
        self._has_yielded = False  # to a replica that may see more, since the source fails
        self._free_since: float | None = None  # nobody leads since then, and this process waits for one that sees

    def sees(self) -> None:
        """The source was read."""
        self._blind_since = self._free_since = None
        self._has_yielded = False

    def is_blind(self) -> None:
        """The source failed."""
        self._blind_since = self._blind_since or time.monotonic()

    @property
    def due_at(self) -> float | None:
        """When it is to be asked again, though nothing happens."""
        return None if self._free_since is None else self._free_since + WAITS

    def take(self, writer: Writer, keeper: Keeper) -> bool:
        """Whether this process leads, or comes to lead now. Raises StoreError."""
        if writer.leads:
            return not self._yields(writer)
        self._look_at_record(writer)
        if writer.other_leader():
            self._free_since = None
            return self._follow(writer, keeper)
        if self._blind_since is not None and self._leaves_it_free():
            return False
        self._free_since = None
        if not writer.lead(keeper):
            return self._follow(writer, keeper)
        own = self._settings.replica
        log.info("leads cluster %s as replica %s", writer.publisher.cluster, own, extra=facts("leads", replica=own))
        self._follows = ""
        return True

    def _look_at_record(self, writer: Writer) -> None:
        """A record of this process's own name, or of nobody, may be replaced."""
        held, leader = writer.leader()
        if self._may_replace_namesake and held is not None and leader is not None:
            writer.takes_over = held.revision if leader.name == self._settings.replica else writer.takes_over
        self._may_replace_namesake = False
        if held is not None and held.lease is None and time.monotonic() - held.since > replica_ttl(writer.store):
            writer.take_over_forged()

    def _follow(self, writer: Writer, keeper: Keeper) -> bool:
        # On Consul a record that somebody wrote over keeps its lease: were that renewed, nobody would ever lead again.
        keeper.drop(writer.replica_lease)
        other = writer.other_leader()
        if other and other != self._follows:
            its = facts("follows", leader=other, replica=self._settings.replica)
            log.info("follows: replica %s leads cluster %s", other, writer.publisher.cluster, extra=its)
            if other == self._settings.replica:
                its = facts("name-taken", replica=other)
                log.warning("another process is named replica %s too: give each its own --replica", other, extra=its)
        self._follows = other
        return False

    def _yields(self, writer: Writer) -> bool:
        """Give the leadership back where the source fails for long: another replica's may be well. Once an outage."""
        if self._blind_since is None or self._has_yielded or time.monotonic() - self._blind_since < BLIND:
            return False
        its = facts("yields", seconds=BLIND)
        log.warning("the source fails for %.0f s: another replica may lead; what stands is kept", BLIND, extra=its)
        writer.step_down()
        self._has_yielded, self._free_since = True, time.monotonic()
        return True

    def _leaves_it_free(self) -> bool:
        """Whether one that sees the source has still time to take it: what this process knows may be long past."""
        self._free_since = self._free_since or time.monotonic()
        return time.monotonic() - self._free_since < WAITS
