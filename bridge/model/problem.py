"""What is wrong with a label, a service or a key: data, never an exception across services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong, and what the bridge did instead."""

    service: str  # stack/service; empty where no service is concerned
    label: str  # the label, or the key, that is wrong; empty where there is none
    value: str  # as it was found
    reason: str
    did: str
    notice: bool = False  # worth knowing, nothing to mend
    suggestion: str = ""  # what may help; empty: the reason says it, or nobody knows

    @property
    def kind(self) -> str:
        """What it is called before its text."""
        return "notice" if self.notice else "problem"

    def __str__(self) -> str:
        where = " ".join(part for part in (self.service, self.label) if part)
        value = f" {self.value!r}" if self.value else ""
        return "; ".join(filter(None, (f"{where}{value}: {self.reason}", self.did, self.suggestion)))


class BridgeError(Exception):
    """Ends a command. Its text names the thing, the value and the remedy; never a secret."""

    exit_code: ClassVar[int] = 1

    def __init__(self, thing: str, value: str, remedy: str) -> None:
        super().__init__(thing, value, remedy)
        self.thing, self.value, self.remedy = thing, value, remedy

    def __str__(self) -> str:
        named = f"{self.thing} {self.value!r}" if self.value else self.thing
        return f"{named}: {self.remedy}"


class UsageError(BridgeError):
    """An option, a variable or a configuration key that cannot be used."""

    exit_code = 2
