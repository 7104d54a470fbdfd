"""The tests on several workers at once: most of them wait, for leases to end and for real servers."""

from __future__ import annotations

from xdist.scheduler.loadscope import LoadScopeScheduling

# Each of their tests takes seconds, and starts what it needs by itself.
ALONE = ("tests/test_run_", "tests/test_storm", "tests/test_histories", "tests/test_interleavings")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # it brings no types
    """A file goes to one worker, so that what its tests share is made once; of the long ones each test by itself.

    Files of many tests come first and single tests last, so that no worker is left alone with a long file.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(ALONE) else nodeid.split("::", 1)[0]


def sendable(value: object) -> object:
    """The same, with a question mark for each character that is none."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {sendable(key): sendable(one) for key, one in value.items()}
        case list() | tuple():
            return type(value)(map(sendable, value))
    return value
