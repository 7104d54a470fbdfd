"""A service's labels as each of its segments sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.labels.lookup import spot

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class View:
    """The labels of one segment, by their plain names: where it says nothing itself, the plain label speaks for it."""

    labels: Mapping[str, str] = field(repr=False)  # some hold secrets
    segment: str = ""  # empty: of a service without segments
    written: Mapping[str, str] = field(
        default_factory=lambda: _NOTHING
    )  # plain name: name, of what the segment says itself

    def name(self, plain: str) -> str:
        """The name under which the owner wrote the label."""
        return self.written.get(plain, plain)


def views(labels: Mapping[str, str]) -> tuple[View, ...]:
    """One view for each segment, by name; a service that has none is seen as it stands.

    As soon as there is one segment the plain labels are no frontend of their own, as in Traefik.
    """
    segments: dict[str, dict[str, str]] = {}
    for name, text in labels.items():
        found = spot(name)
        if found and found.segment and text:
            segments.setdefault(found.segment, {})[found.plain] = name
    if not segments:
        return (View(labels),)
    plain = {name: text for name, text in labels.items() if not ((found := spot(name)) and found.segment)}
    return tuple(
        View(plain | {name: labels[own] for name, own in written.items()}, segment, written)
        for segment, written in sorted(segments.items())
    )


def view_of(labels: Mapping[str, str], segment: str) -> View:
    """What a container's own labels say to a segment of its service.

    In an upgrade that brings segments, or takes them away, old and new have one view each and mean the same.
    """
    found = views(labels)
    same = [view for view in found if view.segment == segment]
    return same[0] if same else found[0] if len(found) == 1 else View({})
