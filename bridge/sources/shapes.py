"""What the bridge reads of the metadata documents of version 2016-07-29; all else is skipped.

Every field may be null or absent: servers differ, and Rancher writes null for most things that are empty.
No struct is tracked by the garbage collector: a document has no cycles, and ten thousand containers would wake it.
"""

from __future__ import annotations

from msgspec import Raw, Struct


class ContainerShape(Struct, gc=False):
    """A container, in `service.containers`."""

    uuid: str | None = None
    name: str | None = None
    state: str | None = None
    health_state: str | None = None
    primary_ip: str | None = None
    network_from_container_uuid: str | None = None
    host_uuid: str | None = None
    ports: list[str] | None = None
    labels: dict[str, str] | None = None


class CheckShape(Struct, gc=False):
    """A health check. One without a port checks nothing."""

    port: int | str | None = None


class ServiceShape(Struct, gc=False):
    """A service, in `stack.services`."""

    uuid: str | None = None
    name: str | None = None
    stack_name: str | None = None
    stack_uuid: str | None = None
    environment_uuid: str | None = None
    kind: str | None = None
    state: str | None = None
    primary_service_name: str | None = None
    labels: dict[str, str] | None = None
    containers: list[ContainerShape] | None = None
    health_check: CheckShape | None = None
    links: dict[str, str | None] | None = None
    external_ips: list[str] | None = None
    hostname: str | None = None
    system: bool | None = None
    create_index: int | None = None
    ports: list[str] | None = None


class StackShape(Struct, gc=False):
    """A stack; the answer of /2016-07-29/stacks is a list of these.

    A service stays JSON until somebody asks whether it is the one of the last time.
    """

    uuid: str | None = None
    name: str | None = None
    environment_uuid: str | None = None
    services: list[Raw] | None = None


class HostShape(Struct, gc=False):
    """A host; the answer of /2016-07-29/hosts is a list of these."""

    uuid: str | None = None
    agent_ip: str | None = None
    name: str | None = None
    hostname: str | None = None


class WorldShape(Struct, gc=False):
    """The answer of /2016-07-29, which holds all lists."""

    stacks: list[StackShape] | None = None
    hosts: list[HostShape] | None = None
