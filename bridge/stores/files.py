"""Small files that somebody named: options, secrets, certificates."""

from __future__ import annotations

import errno
import os
import select
import time

LARGEST = 1 << 20  # bytes
PATIENCE = 5.0  # seconds; a pipe, such as a shell makes for <(command), may take a while


def read_file(path: str) -> bytes:
    """All that it holds. A pipe that says nothing, and a file without an end, hold nobody up.

    Raises OSError with its `strerror`, and ValueError for what can be no path.
    """
    until, found = time.monotonic() + PATIENCE, b""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
        ready = select.poll()
        ready.register(file, select.POLLIN)
        while len(found) <= LARGEST:
            if not ready.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TimeoutError(errno.ETIMEDOUT, f"it did not end within {PATIENCE:.0f} s")
            piece = file.read(LARGEST + 1 - len(found))
            if piece == b"":
                return found
            found += piece or b""
    raise OSError(errno.EFBIG, f"it holds more than {LARGEST} bytes")
