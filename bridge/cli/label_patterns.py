"""The labels of Traefik 2 and 3 that the bridge reads, made from the table of what Traefik 3 knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from bridge.labels.native_names import KINDS
from bridge.layouts.traefik3_fields import Field, Type, fields

GROUP = "Traefik 2 and 3"
_PLACES = tuple(f"{protocol}/{kind}/" for protocol, kinds in KINDS.items() for kind in kinds)
_UNSET = ("/servers/{n}", "/defaultCertificate/")
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
# Of a service's servers a label tells what each of them shall have.
_OF_SERVERS = {
    "http": (
        ("port", "whole number", 0),
        ("scheme", "text", 0),
        ("weight", "whole number", 0),
        ("preservePath", "truth", 2),
    ),
    "tcp": (("port", "whole number", 0), ("tls", "truth", 0)),
    "udp": (("port", "whole number", 0),),
}


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
    for protocol, of in _OF_SERVERS.items():
        server = f"traefik.{protocol}.services.<name>.loadBalancer.server."
        found += [Pattern(server + name, what, since) for name, what, since in of]
    return tuple(sorted(found, key=lambda one: one.name))


def _of_fields() -> Iterator[Pattern]:
    for path, field in fields().items():
        can = field.native and not field.ignored and not field.refused
        if (
            can
            and path.startswith(_PLACES)
            and not any(one in path for one in _UNSET)
            and (field.type is not Type.BRANCH or field.empty)
        ):
            yield Pattern(f"traefik.{_named(path, field)}", _TYPES[field.type], field.since)


def _named(path: str, field: Field) -> str:
    name = (
        path.replace("{name}", "default" if path.startswith("tls/") else "<name>")
        .replace("/{n}", "[0]")
        .replace("/", ".")
    )
    if field.type is Type.FREE:
        return f"{name}.<plugin>.<option>"
    return f"{name}.<entry>" if field.type in (Type.TEXTS, Type.NUMBERS) else name
