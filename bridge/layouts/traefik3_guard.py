"""What may be written for a route into Traefik 3's tree: held here once more before it leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from bridge.layouts.traefik3_lint import faults
from bridge.model.keys import Entry


def check(entries: Iterable[Entry], version: tuple[int, int], elsewhere: Collection[str]) -> None:
    """Raises ValueError unless Traefik takes these keys, whole objects, and does with them what they say.

    `elsewhere`: the services of other routes that they may refer to. Right entries come from right routes, so an error
    is a fault of this program; it costs one route, and one key that Traefik does not take would cost all of them.
    """
    keys: dict[str, str] = {}
    for entry in entries:
        if entry.path in keys:
            raise ValueError(f"{entry.path}: two values")
        keys[entry.path] = entry.value
    for fault in faults(keys, version, elsewhere):
        raise ValueError(fault)
    _check_routers(keys)
    _check_services(keys)


def _check_routers(keys: Mapping[str, str]) -> None:
    """A router without one of these takes other requests, or none; a middleware of two routers counts for both."""
    names = {path.split("/")[2] for path in keys if path.startswith("http/routers/")}
    used = []
    for name in sorted(names):
        for field in ("priority", "rule", "service"):
            if f"http/routers/{name}/{field}" not in keys:
                raise ValueError(f"router {name} without its {field}")
        used += keys.get(f"http/routers/{name}/middlewares", "").split(",")
    middlewares = {path.split("/")[2] for path in keys if path.startswith("http/middlewares/")}
    if sorted(filter(None, used)) != sorted(middlewares):
        raise ValueError("a middleware that not exactly one router uses")


def _check_services(keys: Mapping[str, str]) -> None:
    """A service must stand without servers too; a url that stands twice gets twice the requests."""
    names = {path.split("/")[2] for path in keys if path.startswith("http/services/")}
    for name in names:
        if f"http/services/{name}/loadBalancer/passHostHeader" not in keys:
            raise ValueError(f"service {name} without the key that keeps it")
    urls = []
    for path, value in keys.items():
        base, _, field = path.rpartition("/")
        if field == "url":
            urls.append((path.split("/")[2], value))
        if field == "weight" and f"{base}/url" not in keys:
            raise ValueError(f"{path}: a server without its url")
    if len(set(urls)) < len(urls):
        raise ValueError("two servers of one service with one url")
