"""Makes a Rancher world of any size as the metadata service would describe it: the same for the same arguments.

    python -m tests.worlds.generate --services 1000 --containers 3 --seed 7 > world.json

All objects have the fields of the real answers, also those that the bridge skips, so that sizes and times are real.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from random import Random
from typing import TypeAlias

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Object: TypeAlias = dict[str, Json]

PER_STACK = 10  # services


def stacks(services: int, containers: int, seed: int = 0, unhealthy: float = 0.0) -> list[Object]:
    """A world of `services` labelled services with `containers` containers each, ten services a stack.

    `unhealthy` is the share of the containers that are not healthy.
    """
    chance = Random(f"world {seed}")
    environment = _uuid(chance)
    return [
        _stack(
            first // PER_STACK,
            range(first, min(first + PER_STACK, services)),
            containers,
            unhealthy,
            environment,
            chance,
        )
        for first in range(0, services, PER_STACK)
    ]


def document(services: int, containers: int, seed: int = 0, unhealthy: float = 0.0) -> bytes:
    """The same as the answer of /2016-07-29/stacks: compact, keys sorted."""
    return encode(stacks(services, containers, seed, unhealthy))


def encode(world: list[Object]) -> bytes:
    """A world as the metadata service writes it."""
    return json.dumps(world, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _stack(number: int, services: range, containers: int, unhealthy: float, environment: str, chance: Random) -> Object:
    name, stack = f"stack-{number}", _uuid(chance)
    made: list[Json] = []
    for at in services:
        service: Object = {
            "name": f"web-{at}",
            "stack_name": name,
            "stack_uuid": stack,
            "environment_uuid": environment,
        }
        made.append(_service(service, at, containers, unhealthy, chance))
    return {
        "environment_name": "Default",
        "environment_uuid": environment,
        "metadata_kind": "stack",
        "name": name,
        "services": made,
        "system": False,
        "uuid": stack,
    }


def _service(named: Object, at: int, containers: int, unhealthy: float, chance: Random) -> Object:
    service = _uuid(chance)
    labels: Object = {
        "traefik.enable": "true",
        "traefik.domain": "local,internal",
        "traefik.port": "8080",
        "traefik.alias": f"alias-{at}",
        "io.rancher.scheduler.affinity:host_label": "role=web",
    }
    made: list[Json] = [
        _container(named, service, labels, at * containers + index, index + 1, chance.random() < unhealthy, chance)
        for index in range(containers)
    ]
    return {
        **named,
        "containers": made or None,
        "create_index": containers,
        "expose": [],
        "external_ips": [],
        "fqdn": None,
        "health_check": _check(),
        "hostname": None,
        "kind": "service",
        "labels": labels,
        "lb_config": None,
        "links": {},
        "metadata": {},
        "metadata_kind": "service",
        "ports": [],
        "primary_service_name": named["name"],
        "scale": containers,
        "sidekicks": None,
        "state": "active",
        "system": False,
        "token": None,
        "uuid": service,
        "vip": None,
    }


def _container(
    named: Object, service: str, labels: Object, number: int, index: int, sick: bool, chance: Random
) -> Object:
    container = _uuid(chance)
    name = f"{named['stack_name']}-{named['name']}-{index}"
    address = f"10.{42 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    return {
        "create_index": index,
        "dns": ["169.254.169.250"],
        "dns_search": [f"{named['stack_name']}.rancher.internal", "rancher.internal"],
        "environment_uuid": named["environment_uuid"],
        "external_id": f"{chance.getrandbits(256):064x}",
        "health_check": _check(),
        "health_check_hosts": [],
        "health_state": "unhealthy" if sick else "healthy",
        "host_uuid": f"00000000-0000-4000-8000-{number % 16:012x}",
        "hostname": name,
        "ips": [address],
        "labels": {**labels, **_rancher_labels(named, container, name, address)},
        "links": None,
        "memory_reservation": None,
        "metadata_kind": "container",
        "milli_cpu_reservation": None,
        "name": name,
        "network_from_container_uuid": None,
        "network_uuid": "00000000-0000-4000-9000-000000000000",
        "ports": None,
        "primary_ip": address,
        "primary_mac_address": "02:42:0a:2a:00:01",
        "service_index": str(index),
        "service_name": named["name"],
        "service_uuid": service,
        "stack_name": named["stack_name"],
        "stack_uuid": named["stack_uuid"],
        "start_count": 1,
        "state": "running",
        "system": False,
        "uuid": container,
    }


def _rancher_labels(named: Object, container: str, name: str, address: str) -> Object:
    return {
        "io.rancher.cni.network": "ipsec",
        "io.rancher.container.ip": f"{address}/16",
        "io.rancher.container.name": name,
        "io.rancher.container.uuid": container,
        "io.rancher.stack.name": named["stack_name"],
        "io.rancher.stack_service.name": f"{named['stack_name']}/{named['name']}",
    }


def _check() -> Object:
    return {
        "healthy_threshold": 2,
        "interval": 2000,
        "port": 8080,
        "request_line": "GET / HTTP/1.0",
        "response_timeout": 2000,
        "unhealthy_threshold": 3,
    }


def _uuid(chance: Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a Rancher world to standard output.")
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--containers", type=int, default=3, help="a service")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unhealthy", type=float, default=0.0, help="share of the containers, 0 to 1")
    asked = parser.parse_args()
    sys.stdout.buffer.write(document(asked.services, asked.containers, asked.seed, asked.unhealthy))


if __name__ == "__main__":
    main()
