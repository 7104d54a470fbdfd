"""The worlds of the demonstration, as Rancher's metadata service would answer them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.demo.answers import LOCALHOST

STACK = "proxy-test"
DOMAIN = "local"
PORTS = {"web-test": 8080, "api": 9000}  # by service
CONTAINERS = {  # name: uuid and address in Rancher's network
    "web-test-1": ("5b8a3c52-2d0e-4b7b-9d9c-6f3f4d7a1e01", "10.42.0.11"),
    "web-test-2": ("9c41f6d7-8e3a-4f52-b1c6-0a2b7e5d3f02", "10.42.0.12"),
    "web-test-3": ("e07d2b19-54c8-4a6f-8f3e-71d9c0b6a803", "10.42.0.13"),
    "web-test-4": ("1d93b7ac-6e25-4f80-a4d1-58c2e09f7b04", "10.42.0.14"),
    "web-test-5": ("74f0c8e5-b31a-4962-8d7e-c90a15e64d05", "10.42.0.15"),
    "api-1": ("c2a65d90-07fb-4e13-95b8-3e41f7d80a06", "10.42.0.21"),
    "api-2": ("38e9140b-d5c7-4ba2-b06f-9f72a8c35e07", "10.42.0.22"),
}
_UUIDS = {"web-test": "6d2c9b80-1f4e-4d3a-9a57-c8e1b5f07200", "api": "f5b07e31-9c64-4d28-8a1e-46d3c0927f00"}
_STACK_UUID = "b4f1d8e6-7a09-4c25-8e6b-93a0d5c2f100"
_ENVIRONMENT = "3f6e0a74-91b2-4c0d-a5e8-d2c47b1f9e00"
_HOST = {"uuid": "a80d5f13-2c6b-4971-8e04-b7f6d92c3a00", "name": "this-machine", "agent_ip": LOCALHOST}

HOSTS = json.dumps([_HOST]).encode()  # the answer of `/2016-07-29/hosts`

Json = Mapping[str, object]
Ports = Mapping[str, int]  # at which the host passes on what comes for a container, by its name


def labels(service: str) -> dict[str, str]:
    """What the service's owner wrote on it."""
    return {"traefik.enable": "true", "traefik.domain": DOMAIN, "traefik.port": str(PORTS[service])}


def asked_as(service: str) -> str:
    """The host name that its owner thereby asked for."""
    return f"{service}.{STACK}.{DOMAIN}"


def service_of(container: str) -> str:
    """web-test of web-test-1."""
    return container.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class World:
    """What runs, and what of it fails its health check: names of CONTAINERS."""

    running: frozenset[str]
    unhealthy: frozenset[str] = frozenset()
    environment: str = _ENVIRONMENT  # its uuid

    def healthy(self, service: str) -> frozenset[str]:
        """The containers that shall answer for a service."""
        return frozenset(name for name in self.running - self.unhealthy if service_of(name) == service)

    def urls(self, ports: Ports) -> frozenset[str]:
        """Where requests shall go, worked out without the bridge."""
        return frozenset(f"http://{LOCALHOST}:{ports[name]}" for name in self.running - self.unhealthy)

    def services(self) -> frozenset[str]:
        """Those that have a container."""
        return frozenset(map(service_of, self.running))

    def parts_that_differ(self, other: World) -> frozenset[str]:
        """What a key must name to have a reason to change: a service that came or went, a container that is another."""
        containers = (self.running ^ other.running) | (self.unhealthy ^ other.unhealthy)
        services = self.services() ^ other.services()
        return frozenset(CONTAINERS[name][0] for name in containers) | {f"{name}__{STACK}" for name in services}

    def document(self, ports: Ports) -> bytes:
        """The answer of `/2016-07-29/stacks`."""
        stack = {
            "uuid": _STACK_UUID,
            "name": STACK,
            "environment_uuid": self.environment,
            "services": [self._service(name, ports) for name in sorted(self.services())],
        }
        return json.dumps([stack]).encode()

    def _service(self, name: str, ports: Ports) -> Json:
        return {
            "uuid": _UUIDS[name],
            "name": name,
            "stack_name": STACK,
            "kind": "service",
            "state": "active",
            "primary_service_name": name,
            "health_check": {"port": PORTS[name]},
            "labels": labels(name),
            "containers": [self._container(one, ports[one]) for one in sorted(self.running) if service_of(one) == name],
        }

    def _container(self, name: str, port: int) -> Json:
        uuid, address = CONTAINERS[name]
        return {
            "uuid": uuid,
            "name": name,
            "state": "running",
            "health_state": "unhealthy" if name in self.unhealthy else "healthy",
            "primary_ip": address,
            "ports": [f"0.0.0.0:{port}:{PORTS[service_of(name)]}/tcp"],
            "host_uuid": _HOST["uuid"],
        }
