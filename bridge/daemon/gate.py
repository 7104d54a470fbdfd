"""What holds removals: the first must be confirmed, and too many shut the brake."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bridge.daemon.told import log
from bridge.ownership.brake import Brake, brake
from bridge.ownership.plan import Plan
from bridge.writer import Settings


@dataclass(frozen=True, slots=True)
class Manners:
    """How the daemon behaves."""

    settle: float = 0.2  # seconds of quiet that end a burst …
    longest_settle: float = 2.0  # … and its longest
    confirm: float = 5.0  # seconds until a second reading confirms the first removal; 0: none is needed
    brake_hold: float = 600.0  # seconds after which the brake opens by itself
    backstop: bool = True
    dry_run: bool = False
    leave_on_exit: bool = False


class RemovalGate:
    """Whether the removals of the present snapshot may go. Asked anew for each snapshot."""

    def __init__(self, settings: Settings, manners: Manners) -> None:
        self._settings, self._manners = settings, manners
        self._confirmed = manners.confirm == 0 or settings.force
        self._allowed = False
        self._shut_since: float | None = None
        self.second_at: float | None = None  # when the source shall be read once more
        self.opens_at: float | None = None  # when the brake opens by itself

    def forget(self) -> None:
        """Another snapshot: what was allowed before says nothing of it."""
        self._allowed = False
        self.second_at = None

    def heard_again(self, *, agrees: bool) -> None:
        """The second reading came."""
        self._confirmed = self._confirmed or agrees
        self.second_at = None

    def is_second_due(self) -> bool:
        """Whether the source is to be read once more now; true once."""
        due = self.second_at is not None and time.monotonic() >= self.second_at
        if due:
            self.second_at = time.monotonic() + self._manners.confirm  # once more, should this one fail
        return due

    def holds(self, due: Plan) -> bool:
        """Whether the removals of this plan have to wait."""
        if self._allowed or not due.removes:
            return False
        if not self._confirmed:
            if self.second_at is None:
                log.info("removals wait for a second reading of the source in %.0f s", self._manners.confirm)
                self.second_at = time.monotonic() + self._manners.confirm
            return True
        if self._is_shut(due):
            return True
        self._allowed, self._shut_since, self.opens_at = True, None, None
        return False

    def _is_shut(self, due: Plan) -> bool:
        if self._settings.force or brake(due.removed, due.servers, self._settings.brake) is Brake.OPEN:
            return False
        now = time.monotonic()
        if self._shut_since is None:
            self._shut_since = now
            self.opens_at = now + self._manners.brake_hold
            log.error(
                "the brake holds the removal of %d of %d servers for %.0f s; additions go; --force lets all go",
                due.removed,
                due.servers,
                self._manners.brake_hold,
            )
        return now - self._shut_since < self._manners.brake_hold
