"""What a move asks of Traefik 3's own configuration: what it needs, and what must go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.cli.moves import Move
from bridge.cli.reading import World
from bridge.labels import table
from bridge.layouts.traefik3_moved import Router
from bridge.layouts.traefik3_references import elsewhere
from bridge.model.world import is_ours
from bridge.stores.address import StoreAddress
from bridge.views.words import number, safe

THROTTLE = "providers.providersThrottleDuration"
RANCHER = "providers.rancher"


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing to set in Traefik 3's own configuration, or to take away from it."""

    option: str
    value: str  # empty: what only its operator knows
    why: str


def settings(found: Iterable[Move], stores: Mapping[str, StoreAddress | None], prefix: str) -> Iterator[Setting]:
    """What to set. `stores`: by kind; several where none is named."""
    moves = tuple(found)
    routers = _routers(moves)
    for kind, address in stores.items():
        endpoints = ",".join(f"{one.host}:{one.port}" for one in address.endpoints) if address else ""
        yield Setting(f"providers.{kind}.endpoints", endpoints, f"where {kind} is, as Traefik 3 reaches it")
        why = f"where it reads in {kind}; with a slash at an end it finds nothing, and says nothing"
        yield Setting(f"providers.{kind}.rootKey", prefix, why)
    named = Counter((name, router.tls) for router in routers for name in router.entry_points)
    for name, tls in sorted(named):
        why = f"named by {number(named[name, tls], 'router')}{' with TLS' if tls else ''}"
        yield Setting(f"entryPoints.{name}", "", why)
    yield from _unnamed(moves)
    for resolver, times in sorted(Counter(router.resolver for router in routers if router.resolver).items()):
        yield Setting(f"certificatesResolvers.{resolver}", "", f"gets the certificates of {number(times, 'router')}")
    for plugin, middlewares in _plugins(moves).items():
        why = f"named by middleware {', '.join(sorted(middlewares))}; or experimental.localPlugins, as Traefik 2 has it"
        yield Setting(f"experimental.plugins.{plugin}.moduleName", "", why)
    why = "its default; a server must live for that and a second more when its key is gone"
    yield Setting(THROTTLE, "2s", why)


def _routers(moves: Iterable[Move]) -> tuple[Router, ...]:
    """Each once: services may have one together."""
    return tuple({(one.protocol, one.name): one for move in moves for one in move.routers}.values())


def _unnamed(moves: Iterable[Move]) -> Iterator[Setting]:
    """Of routers without entry points: native labels say the same as in Traefik 2, older ones another."""
    for native in (False, True):
        unnamed = [one for one in _routers(move for move in moves if move.native is native) if not one.entry_points]
        if unnamed:
            otherwise = "where Traefik 1's default ones speak TLS, name yours with --entry-points"
            why = (
                f"{number(len(unnamed), 'router')} without entry points listen at all that are default, "
                f"{'as in Traefik 2' if native else f'without TLS; {otherwise}'}"
            )
            yield Setting("entryPoints", "", why)


def _plugins(moves: Iterable[Move]) -> Mapping[str, set[str]]:
    """The middlewares that need each."""
    found: dict[str, set[str]] = {}
    for path in sorted({path for move in moves for path in move.keys}):
        parts = path.split("/")
        if parts[1] == "middlewares" and len(parts) > 4 and parts[3].lower() == "plugin":
            found.setdefault(parts[4], set()).add(parts[2])
    return found


def removed(found: Iterable[Move]) -> Iterator[Setting]:
    """What to take away."""
    if any(move.native for move in found):
        why = "with all below it, as --providers.rancher.…: a Traefik 3 whose configuration names it does not start"
        yield Setting(RANCHER, "", why)


def files(found: Iterable[Move]) -> Iterator[str]:
    """The files that Traefik 3 reads for its routers."""
    fields = (field for router in _routers(found) for one in router.middlewares for field in one.fields)
    named = Counter(value for path, value in fields if path.endswith("/usersFile"))
    for path, times in sorted(named.items()):
        yield f"{safe(path)} must stand where Traefik 3 runs: without it {number(times, 'router')} would answer 404"


def native_notes(found: Iterable[Move]) -> Iterator[str]:
    """What else is otherwise for those who come from Traefik 2."""
    moves = [move for move in found if move.native]
    if not moves:
        return
    yield "configuration that says x@rancher elsewhere, as in a file, must say x@etcd or x@consul"
    if others := _of_others(moves):
        yield f"labels name what other providers give to Traefik 2: {safe(', '.join(others))}; give it to Traefik 3 too"
    keys = {path for move in moves for path in move.keys}
    sticky = {"/".join(path.split("/")[:3]) for path in keys if "/sticky/" in path or path.endswith("/sticky")}
    if unnamed := [one for one in sticky if f"{one}/loadBalancer/sticky/cookie/name" not in keys]:
        what = number(len(unnamed), "service")
        yield f"the sticky cookies of {what} get another name with the provider: clients change their server once"


def _of_others(moves: Iterable[Move]) -> list[str]:
    """What labels name of other providers, sorted."""
    objects: dict[str, dict[str, str]] = {}
    for path, value in (item for move in moves for item in move.keys.items()):
        *place, field = path.split("/", 3)
        objects.setdefault("/".join(place), {})[field] = value
    return sorted({name for values in objects.values() for name in elsewhere(values)})


def enabled_alone(world: World) -> Iterator[str]:
    """Traefik 2 gave such a service what here a label of its own must ask for."""
    asking = {one.service for one in world.verdicts if one.route}
    its = [
        one.title
        for one in world.snapshot.services
        if one.ports and one.title in asking and [*filter(is_ours, one.labels)] == [table.ENABLE.name]
    ]
    if its:
        yield (
            f"{table.ENABLE.name} alone asks for rancher-traefik's route here, to port 80 of containers with a health "
            "check, and not for Traefik 2's default rule and published port. Say a label of Traefik 2 too, as "
            f"traefik.http.services.NAME.loadbalancer.server.port: {safe(', '.join(its))}"
        )
