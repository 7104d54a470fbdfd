"""What an operator drained: it gets no new request, whatever the source says of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """What can be drained."""

    CLUSTER = "cluster"
    HOST = "host"
    SERVICE = "service"
    CONTAINER = "container"


@dataclass(frozen=True, slots=True, order=True)
class Drain:
    """One record of a cluster's, which takes the requests from what it names."""

    record: str  # its key
    scope: str  # the value of a Scope
    # As `drained_name` writes it: a host's name, IP or uuid; stack/service; a container's name or uuid; empty for the
    # cluster.
    name: str
    when: str  # as it was told, in UTC

    @property
    def title(self) -> str:
        """host h1, service shop/web, the whole cluster."""
        return f"{self.scope} {self.name}" if self.name else "the whole cluster"


def drained_name(scope: Scope, text: str) -> str:
    """What `text` names, in the one form in which a record says it. Raises ValueError where it names nothing."""
    name = text.strip()
    if not name.isprintable():
        raise ValueError("it holds what cannot be printed")
    if scope is Scope.CLUSTER:
        if name:
            raise ValueError("the cluster is drained as a whole: it takes no name")
        return ""
    if scope is Scope.SERVICE:
        stack, _, service = name.strip("/").partition("/")
        if not stack or not service or "/" in service:
            raise ValueError("use STACK/SERVICE")
        return f"{stack}/{service}".lower()  # as in a snapshot
    if not name:
        raise ValueError(f"name a {scope.value}")
    return name.lower() if scope is Scope.HOST else name
