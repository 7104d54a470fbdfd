"""The labels of Traefik 2 and 3 that the bridge reads, made from the table of what Traefik 3 knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from bridge.layouts.traefik3_fields import Field, Type, fields

GROUP = "Traefik 2 and 3"
_PLACES = ("http/routers/", "http/services/", "http/middlewares/")
_SERVERS = "/servers/{n}"
_TYPES = {
    Type.TEXT: "text",
    Type.TRUTH: "truth",
    Type.WHOLE: "whole number",
    Type.TIME: "time",
    Type.LIST: "list",
    Type.TEXTS: "text",
    Type.NUMBERS: "whole number",
    Type.FREE: "text",
    Type.BRANCH: "truth",
}
# Of its servers a label tells what each of them shall have.
_OF_SERVERS = (
    ("port", "whole number", 0),
    ("scheme", "text", 0),
    ("weight", "whole number", 0),
    ("preservePath", "truth", 2),
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One label, with `<name>` where its owner names something."""

    name: str
    type: str
    since: int  # the minor version of Traefik 3 that first knows it


@cache
def patterns() -> tuple[Pattern, ...]:
    """All of them, sorted."""
    found = [*_of_fields()]
    server = "traefik.http.services.<name>.loadBalancer.server."
    found += [Pattern(server + name, what, since) for name, what, since in _OF_SERVERS]
    return tuple(sorted(found, key=lambda one: one.name))


def _of_fields() -> Iterator[Pattern]:
    for path, field in fields().items():
        can = field.native and not field.ignored and not field.refused
        if can and path.startswith(_PLACES) and _SERVERS not in path and (field.type is not Type.BRANCH or field.empty):
            yield Pattern(f"traefik.{_named(path, field)}", _TYPES[field.type], field.since)


def _named(path: str, field: Field) -> str:
    name = path.replace("{name}", "<name>").replace("/{n}", "[0]").replace("/", ".")
    if field.type is Type.FREE:
        return f"{name}.<plugin>.<option>"
    return f"{name}.<entry>" if field.type in (Type.TEXTS, Type.NUMBERS) else name
