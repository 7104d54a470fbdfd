"""What the Traefik of the recordings was started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Store(Enum):
    """The store that Traefik reads; each treats odd keys in its own way."""

    CONSUL = "consul"
    ETCD = "etcd"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A port on which Traefik takes requests."""

    port: int
    tls: bool = False


ENTRY_POINTS: Mapping[str, EntryPoint] = {
    "http": EntryPoint(18741),
    "other": EntryPoint(18742),
    "https": EntryPoint(18743, tls=True),
    "traefik": EntryPoint(18744),
}
DEFAULT_ENTRY_POINTS = ("http",)
