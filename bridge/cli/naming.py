"""By which words a command means a group of the store: what the store itself can tell of it."""

from __future__ import annotations

from bridge.labels.native_names import KINDS
from bridge.labels.templates import automatic_name
from bridge.model.keys import group_title

HINT = "what labels of Traefik 2 and 3 name is called so: NAME, or http.routers.NAME"
_OBJECTS = tuple(f"{protocol}.{kind}." for protocol, kinds in KINDS.items() for kind in kinds)


def service_title(said: str) -> str:
    """STACK/SERVICE as a snapshot has it, whose names are in lower case, however somebody writes it."""
    return said.strip("/").lower()


def means(wanted: str, group: str) -> bool:
    """Whether `wanted` is this group: as STACK/SERVICE, as `show` calls it, or by the name of an object of its labels.

    No record says which service's labels named an object. One that none of them names is called after its service.
    """
    if group_title(group) in (wanted.strip("/"), service_title(wanted)):  # keys by hand may have capitals
        return True
    kind = next((one for one in _OBJECTS if group.startswith(one)), "")
    stack, slash, service = service_title(wanted).partition("/")
    name = automatic_name(service, stack) if slash else wanted.partition("@")[0].lower()
    return bool(kind) and group.removeprefix(kind) == name
