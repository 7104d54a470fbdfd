"""The world of the demonstration, as Rancher's metadata service would answer it."""

from __future__ import annotations

import json
from collections.abc import Collection

STACK, SERVICE, PORT = "proxy-test", "web-test", 8080
LABELS = {"traefik.enable": "true", "traefik.domain": "local", "traefik.port": str(PORT)}
CONTAINERS = {  # name: uuid and address
    "web-test-1": ("5b8a3c52-2d0e-4b7b-9d9c-6f3f4d7a1e01", "10.42.0.11"),
    "web-test-2": ("9c41f6d7-8e3a-4f52-b1c6-0a2b7e5d3f02", "10.42.0.12"),
    "web-test-3": ("e07d2b19-54c8-4a6f-8f3e-71d9c0b6a803", "10.42.0.13"),
}
_ENVIRONMENT = "3f6e0a74-91b2-4c0d-a5e8-d2c47b1f9e00"


def document(unhealthy: Collection[str] = ()) -> str:
    """The answer of `/2016-07-29/stacks` in which the containers named in `unhealthy` fail their health check."""
    containers = [
        {
            "uuid": uuid,
            "name": name,
            "state": "running",
            "health_state": "unhealthy" if name in unhealthy else "healthy",
            "primary_ip": address,
        }
        for name, (uuid, address) in CONTAINERS.items()
    ]
    service = {
        "uuid": "6d2c9b80-1f4e-4d3a-9a57-c8e1b5f07200",
        "name": SERVICE,
        "stack_name": STACK,
        "kind": "service",
        "state": "active",
        "primary_service_name": SERVICE,
        "health_check": {"port": PORT},
        "labels": LABELS,
        "containers": containers,
    }
    stack = {
        "uuid": "b4f1d8e6-7a09-4c25-8e6b-93a0d5c2f100",
        "name": STACK,
        "environment_uuid": _ENVIRONMENT,
        "services": [service],
    }
    return json.dumps([stack], indent=2)
