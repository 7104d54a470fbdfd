"""How far a pass is, on stderr while it runs."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bridge.cli.render import merged, warn
from bridge.sync import Progress
from bridge.views.words import safe, span

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

PATIENCE = 1.0  # seconds that a pass may take before a terminal shows a bar


class Teller:
    """Says once what is waited for; on a terminal it shows a bar when the pass takes long."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said: set[tuple[str, str]] = set()  # what, and for which group
        self._bar: Bar | None = None
        self._waits: bool | None = None  # whether the bar shows a wait; None: there is none yet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, progress: Progress) -> None:
        """Take the news of a pass."""
        timed = [wait for wait in progress.waiting if wait.seconds is not None]
        new = [wait for wait in timed if (wait.what, wait.group) not in self._said]
        self._said.update((wait.what, wait.group) for wait in new)
        for what, seconds in merged(new):
            self._say(f"waiting {span(seconds or 0)} {what}")
        lasts = time.monotonic() - self._began + progress.seconds
        if sys.stderr.isatty() and (self._bar or lasts > PATIENCE):
            self._show(progress)

    def _say(self, line: str) -> None:
        if self._bar is None:
            warn(line)
        else:
            self._bar.console.print(safe(line), markup=False, highlight=False)

    def _show(self, progress: Progress) -> None:
        self._bar = self._bar or _started_bar()
        waits = bool(progress.waiting)
        total = None if waits else progress.planned  # a wait has no share that is done: its bar only pulses
        if waits != self._waits:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task("waiting" if waits else "writing", total=total, completed=progress.written)
            self._waits = waits
        self._bar.update(self._bar.task_ids[0], total=total, completed=progress.written)


def _started_bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    bar.start()
    return bar
