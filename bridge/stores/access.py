"""Who asks a store, and how the store is known to be the right one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bridge.model.problem import UsageError


@dataclass(frozen=True, slots=True)
class Access:
    """All of it may be left out; which of it a store takes is its own."""

    ca: str = ""  # paths of PEM files: of the authority that signs the store's certificate, …
    cert: str = ""  # … of the client certificate, …
    key: str = ""  # … and of its key
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    datacenter: str = ""  # empty: that of the agent which is asked

    def read_files(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """What `ca`, `cert` and `key` hold, None where one is left out. Raises UsageError."""
        return _pem("--store-ca", self.ca), _pem("--store-cert", self.cert), _pem("--store-key", self.key)


def _pem(option: str, path: str) -> bytes | None:
    if not path:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError as err:
        raise UsageError(option, path, f"cannot be read ({err.strerror}); give the path of a PEM file") from err
    if b"-----BEGIN " not in content:  # a client would only say that no connection came about
        raise UsageError(option, path, "is no PEM file; give one that begins with -----BEGIN")
    return content
