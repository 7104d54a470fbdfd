"""Processes that end with the demonstration, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import bridge
from bridge.model.problem import BridgeError

HOUSE = Path(bridge.__file__).parent.parent  # whichever bridge runs, its children are of the same
ENDS_WITHIN = 10.0  # seconds from a signal; a bridge takes two at most

# On Linux the kernel ends a child with its parent (PR_SET_PDEATHSIG is 1), even where that is killed outright.
_LAUNCH = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True, slots=True)
class Child:
    """A process of ours, and what it said."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def lines(self) -> list[str]:
        """What it said until now: whole lines."""
        return self.log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]

    def has_ended(self) -> bool:
        """Whether it does not run any more."""
        return self.process.poll() is not None

    def end(self, number: signal.Signals) -> int:
        """Its exit code, once the signal ended it. Raises BridgeError where it goes on."""
        self.process.send_signal(number)
        return self.wait(ENDS_WITHIN)

    def wait(self, seconds: float) -> int:
        """Its exit code, once it ended. Raises BridgeError where that takes longer."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as err:
            raise BridgeError(self.name, "", f"has not ended within {seconds:.0f} s; is this machine busy?") from err


@dataclass(slots=True)
class Children:
    """All that were started. At the end of the `with` block those that still run are killed, the youngest first."""

    folder: Path  # for their logs; they run in it
    _started: list[Child] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in reversed(self._started):
            child.process.kill()
            child.process.wait()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """One more. What it says, on both streams, goes to its log."""
        log = self.folder / f"{len(self._started)}.log"
        with log.open("wb") as out:
            # In a session of its own: Ctrl-C is for us, and we end our children.
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _LAUNCH, *command],
                cwd=self.folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            child = Child(name, log, process)
            self._started.append(child)
        return child

    def start_bridge(self, name: str, arguments: Sequence[str], options: Mapping[str, str]) -> Child:
        """`bridge` with these arguments, and these options as variables: none of the user's reaches it."""
        environment = {variable: value for variable, value in os.environ.items() if not variable.startswith("BRIDGE_")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HOUSE), environment.get("PYTHONPATH"))))
        return self.start(name, [sys.executable, "-m", "bridge", *arguments], {**environment, **options})
