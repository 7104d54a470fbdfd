"""Which objects of Traefik 3's tree name which others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.layouts.traefik3_names import is_native, native_group

_KINDS = {
    "service": "services",
    "middlewares": "middlewares",
    "chain/middlewares": "middlewares",
    "errors/service": "services",
    "loadBalancer/serversTransport": "serversTransports",
}


def referred(place: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The objects of this tree that one names, and the path of the key below it that does.

    `place`: <protocol>/<kind>/<name>; `values`: by the path below it.
    """
    protocol = place.partition("/")[0]
    for path, kind in _KINDS.items():
        for name in filter(None, values.get(path, "").split(",")):
            if "@" not in name:
                yield f"{protocol}/{kind}/{name}", path


def leans_on(keys: Mapping[str, str]) -> frozenset[str]:
    """The groups of the objects that one object of native labels names; of any other keys none."""
    place = "/".join(next(iter(keys), "").split("/")[:3])
    if not is_native(place.rpartition("/")[2]):
        return frozenset()
    values = {path.removeprefix(f"{place}/"): value for path, value in keys.items()}
    return frozenset(native_group(found) for found, _ in referred(place, values))
