"""How far a pass is, on stderr while it runs."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bridge.cli.render import merged, safe, span, warn
from bridge.sync import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

PATIENCE = 1.0  # seconds that a pass may take before a terminal shows a bar


class Teller:
    """Says once what is waited for; on a terminal it shows a bar when the pass takes long."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said: set[tuple[str, str]] = set()  # what, and for which group
        self._shown: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown is not None:
            self._shown[0].stop()

    def tell(self, progress: Progress) -> None:
        """Take the news of a pass."""
        timed = [wait for wait in progress.waiting if wait.seconds is not None]
        new = [wait for wait in timed if (wait.what, wait.group) not in self._said]
        self._said.update((wait.what, wait.group) for wait in new)
        for what, seconds in merged(new):
            self._say(f"waiting {span(seconds or 0)} {what}")
        lasts = time.monotonic() - self._began + progress.seconds
        if sys.stderr.isatty() and (self._shown or lasts > PATIENCE):
            self._show(progress)

    def _say(self, line: str) -> None:
        if self._shown is None:
            warn(line)
        else:
            self._shown[0].console.print(safe(line), markup=False, highlight=False)

    def _show(self, progress: Progress) -> None:
        bar, task = self._shown or self._start()
        doing = "waiting" if progress.waiting else "writing"
        bar.update(task, description=doing, total=progress.planned, completed=progress.written)

    def _start(self) -> tuple[Bar, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        bar = Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        bar.start()
        self._shown = bar, bar.add_task("", total=None)
        return self._shown
