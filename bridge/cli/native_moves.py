"""Traefik 2's side of a move: the routers that its Rancher provider made of native labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.labels.native import DEFAULT_RULE
from bridge.labels.native_names import where
from bridge.layouts.go_values import is_whole
from bridge.model.native import Native, Said


@dataclass(frozen=True, slots=True)
class Router2:
    """A router as Traefik 2 has it."""

    name: str
    protocol: str  # http, tcp, udp
    rule: str  # empty: none, or nobody knows it
    by_default: bool  # no label says the rule
    priority: int  # that counts
    by_length: bool  # no label says it
    entry_points: tuple[str, ...]  # empty: Traefik's default ones
    middlewares: tuple[str, ...]  # as labels name them
    service: str  # the same; empty: the only one


def routers2(labels: Mapping[str, str], native: Native) -> tuple[Router2, ...]:
    """Those that a service's labels name, and the one that no label does, whether Traefik 3 can have them or not."""
    said: dict[str, dict[str, str]] = {}
    for label, text in sorted(labels.items()):
        found = where(label)
        if found and "/routers/" in found.place:
            said.setdefault(found.place, {}).setdefault(found.path.lower(), text)
    rules = dict(_rules(native))
    made = {*rules, *native.lost}  # of HTTP alone Traefik 2 had one that no label names
    places = {*said, *(place for place in made if place.startswith("http/routers/"))}
    return tuple(_router(place, said.get(place, {}), rules.get(place)) for place in sorted(places))


def _rules(native: Native) -> Iterator[tuple[str, Said]]:
    for asked in native.asked:
        if "/routers/" in asked.place:
            yield from ((asked.place, one) for one in asked.fields if one.path == "rule")


def _router(place: str, fields: Mapping[str, str], made: Said | None) -> Router2:
    protocol, _, name = place.split("/", 2)
    rule = fields.get("rule") or (made.written if made else "")
    said = fields.get("priority", "")
    counts = is_whole(said) and int(said) != 0
    return Router2(
        name=name,
        protocol=protocol,
        rule=rule,
        by_default=protocol == "http" and (made.label == DEFAULT_RULE if made else not fields.get("rule")),
        priority=int(said) if counts else len(rule.encode()),
        by_length=bool(rule) and not counts,
        entry_points=_items(fields, "entrypoints"),
        middlewares=_items(fields, "middlewares"),
        service=fields.get("service", ""),
    )


def _items(fields: Mapping[str, str], path: str) -> tuple[str, ...]:
    """A list in one label, or in several with numbers."""
    texts = [fields.get(path, ""), *(text for name, text in fields.items() if name.startswith(f"{path}/"))]
    return tuple(one.strip() for text in texts for one in text.split(",") if one.strip())
