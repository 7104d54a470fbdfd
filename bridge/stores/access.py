"""Who asks a store, and how the store is known to be the right one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bridge.model.problem import UsageError
from bridge.stores.base import Store
from bridge.stores.files import read_file

Pems: TypeAlias = tuple[bytes | None, bytes | None, bytes | None]


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
    pems: Pems | None = field(default=None, repr=False)  # what the three files held; None: they were not read yet

    def loaded(self) -> Access:
        """The same, with what `ca`, `cert` and `key` hold now. Raises UsageError."""
        return replace(self, pems=_read_pems(self))

    def read_files(self) -> Pems:
        """What they hold, or held when it was `loaded`; None where one is left out. Raises UsageError."""
        return self.pems or _read_pems(self)


class Opener:
    """Opens clients of one store, with the secrets that its files held when they were last taken.

    So a file that is half written, or holds a secret that the store does not know yet, shuts nobody out.
    """

    def __init__(self, connect: Callable[[Access], Store], read: Callable[[], Access], files: Iterable[str]) -> None:
        """`read` reads the files, of which these are the paths. It raises UsageError."""
        self._connect, self._read, self._files = connect, read, tuple(files)
        self._seen: tuple[object, ...] = ()  # how the files looked when they were taken
        self._taken: Access | None = None

    def __call__(self) -> Store:
        """A client, not yet asked anything. Raises UsageError."""
        if self._taken is None:
            self._seen, self._taken = self._look(), self._read()
        return self._connect(self._taken)

    @property
    def has_files(self) -> bool:
        """Whether any secret stands in one."""
        return bool(self._files)

    @property
    def is_changed(self) -> bool:
        """Whether a file was written, replaced or removed since it was taken."""
        return self._look() != self._seen

    def renewed(self, ask: Callable[[Store], object]) -> Store | None:
        """A client with what the files hold now, taken once the store answered `ask`; None where nothing is new.

        Raises UsageError and StoreError: then what was taken before stays.
        """
        seen, access = self._look(), self._read()  # in this order: what comes between is seen the next time
        store = None
        if access != self._taken:
            store = self._connect(access)
            try:
                ask(store)
            except BaseException:
                store.close()
                raise
        self._seen, self._taken = seen, access
        return store

    def _look(self) -> tuple[object, ...]:
        return tuple(map(_stamp, self._files))


def _stamp(path: str) -> object:
    """What tells a file from the one that stood there before, also where a link was turned to another."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    # A copy may bring its time along; only the file system sets that of the change.
    return found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns, found.st_size


def _read_pems(access: Access) -> Pems:
    if bool(access.cert) != bool(access.key):
        its = access.cert or access.key
        raise UsageError("--store-cert and --store-key", its, "a client certificate needs both")
    return _pem("--store-ca", access.ca), _pem("--store-cert", access.cert), _pem("--store-key", access.key)


def _pem(option: str, path: str) -> bytes | None:
    if not path:
        return None
    try:
        content = read_file(path)
    except (OSError, ValueError) as err:  # a NUL in the path
        why = err.strerror if isinstance(err, OSError) else err
        raise UsageError(option, path, f"cannot be read ({why}); give the path of a PEM file") from err
    if b"-----BEGIN " not in content:  # a client would only say that no connection came about
        raise UsageError(option, path, "is no PEM file; give one that begins with -----BEGIN")
    return content
