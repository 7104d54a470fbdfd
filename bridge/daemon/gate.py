"""What holds removals: the first must be confirmed, and too many shut the brake."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bridge.daemon.logs import facts, log
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
    standing: bool = True  # the layout's standing group shall stand
    dry_run: bool = False
    leave_on_exit: bool = False


class RemovalGate:
    """Whether the removals of the present snapshot may go. Asked anew for each snapshot."""

    def __init__(self, settings: Settings, manners: Manners) -> None:
        self._settings, self._manners = settings, manners
        self._confirmed = manners.confirm == 0 or settings.force
        self._allowed = False
        self._doubted: frozenset[str] | None = None  # the paths that were to go when a snapshot first asked so, …
        self._doubted_at = 0.0  # … and when that was
        self._seen_at = 0.0  # when the present snapshot came
        self._is_contradicted = False  # the last second reading showed another world
        self._shut_since: float | None = None
        self._is_asked = True  # whether what the present snapshot removes may go
        self.second_at: float | None = None  # when the source shall be read once more

    def obey(self, settings: Settings, manners: Manners) -> None:
        """Hold by these from now on; what was allowed before says nothing of it, nor how long it was held."""
        self._settings, self._manners = settings, manners
        self._confirmed = self._confirmed or manners.confirm == 0
        self._allowed, self._shut_since = False, None

    @property
    def opens_at(self) -> float | None:
        """When the brake opens by itself; None when that was: it opens as soon as it is asked."""
        if self._shut_since is None or self._shut_since + self._manners.brake_hold <= time.monotonic():
            return None
        return self._shut_since + self._manners.brake_hold

    @property
    def is_shut(self) -> bool:
        """Whether the brake holds removals."""
        return self._shut_since is not None

    def forget(self) -> None:
        """Another snapshot: what was allowed before says nothing of it."""
        self._allowed = False
        self._seen_at = time.monotonic()
        if self._shut_since is not None and not self._is_asked:
            self._shut_since = self._seen_at  # by the last one, while the store was away, all may have been well
        self._is_asked = False

    def hears(self) -> None:
        """The source was read as always: what it shows may be asked for again."""
        self._is_contradicted = False

    def heard_again(self, *, agrees: bool) -> None:
        """The second reading came. Of two views that take turns a third would agree: so one contradiction ends it."""
        self._confirmed = self._confirmed or agrees
        self._is_contradicted = not agrees
        self.second_at = None

    def is_second_due(self) -> bool:
        """Whether the source is to be read once more now; true once."""
        due = self.second_at is not None and time.monotonic() >= self.second_at
        if due:
            self.second_at = time.monotonic() + self._manners.confirm  # once more, should this one fail
        return due

    def holds(self, due: Plan) -> bool:
        """Whether the removals of this plan have to wait."""
        self._is_asked = True
        if not due.removes:
            self._release()
            return False
        if self._allowed:
            return False
        if self._is_doubtful(due) or self._is_shut(due):
            return True
        self._allowed = True
        self._release()
        return False

    def follows(self) -> None:
        """Another replica leads, and its brake holds. What is past here says nothing of what this process finds when it
        leads again, perhaps since the other one died with half of the servers."""
        if self.is_shut:
            log.info("the brake holds nothing here any more: this process does not lead", extra=facts("brake-over"))
        self._allowed = False
        self._doubted = self.second_at = self._shut_since = None

    def _release(self) -> None:
        """Nothing is held: the next time the brake shuts, it is shut for its whole time."""
        if self.opens_at is not None:
            log.info("the brake is open again: little enough is to go", extra=facts("brake-over"))
        self._doubted = self.second_at = self._shut_since = None

    def _is_doubtful(self, due: Plan) -> bool:
        """Whether a second reading has still to agree: one of the same world, or one in which all that goes.

        A busy world is never twice the same.
        """
        if self._confirmed:
            return False
        now, goes = time.monotonic(), due.removals
        if self._doubted is None:
            seconds = self._manners.confirm
            its = facts("doubts", seconds=seconds, removals=len(goes))
            log.info("removals wait for a second reading of the source in %g s", seconds, extra=its)
        if self._doubted is None or not self._doubted <= goes:
            self._doubted, self._doubted_at = goes, now
        self._confirmed = self._seen_at >= self._doubted_at + self._manners.confirm
        if self.second_at is None and not self._confirmed and not self._is_contradicted:
            self.second_at = now + self._manners.confirm
        return not self._confirmed

    def _is_shut(self, due: Plan) -> bool:
        if self._settings.force or brake(due.removed, due.servers, self._settings.brake) is Brake.OPEN:
            return False
        now = time.monotonic()
        if self._shut_since is None:
            self._shut_since = now
            log.error(
                "the brake holds the removal of %d of %d servers for %.0f s; additions go; "
                "a start with --force lets all go",
                due.removed,
                due.servers,
                self._manners.brake_hold,
                extra=facts("brake-shut", removed=due.removed, servers=due.servers, seconds=self._manners.brake_hold),
            )
        if now - self._shut_since < self._manners.brake_hold:
            return True
        its = facts("brake-opens", removed=due.removed, servers=due.servers)
        log.warning("the brake lets %d of %d servers go: nobody said otherwise", due.removed, due.servers, extra=its)
        return False
