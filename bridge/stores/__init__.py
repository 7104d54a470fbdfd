"""I/O out: where keys are kept."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from bridge.model.problem import UsageError
from bridge.stores.access import Access
from bridge.stores.address import StoreAddress, parse_address
from bridge.stores.base import Store

# Imported when chosen: no other command loads a store's client.
STORES = {"etcd": "bridge.stores.etcd", "consul": "bridge.stores.consul"}


class _Module(Protocol):
    """What the module of a store offers."""

    def connect(self, address: StoreAddress, *, records_root: str, access: Access) -> Store: ...


def store_address(url: str) -> StoreAddress:
    """`--store` as a value. Raises UsageError."""
    return parse_address(url, tuple(STORES))


def open_store(
    url: str,
    *,
    records_root: str,
    ca: str = "",
    cert: str = "",
    key: str = "",
    user: str = "",
    password: str = "",
    token: str = "",
    datacenter: str = "",
) -> Store:
    """The store at `url`, not yet asked anything.

    `records_root` is `bridge/<root>`, with or without closing slash: leases are named below it. For the rest, empty
    where not given, see `Access`. Raises UsageError.
    """
    access = Access(ca, cert, key, user, password, token, datacenter)
    return connect(store_address(url), records_root=records_root, access=access)


def connect(address: StoreAddress, *, records_root: str, access: Access) -> Store:
    """As `open_store`."""
    if not address.tls and (access.ca or access.cert or access.key):
        raise UsageError(
            "--store", address.url, f"certificates are for {address.kind}+https://; use that, or leave them out"
        )
    if access.password and not access.user:
        raise UsageError("--store-user", "", "a password needs its user")
    module = cast("_Module", importlib.import_module(STORES[address.kind]))
    return module.connect(address, records_root=records_root.rstrip("/"), access=access)
