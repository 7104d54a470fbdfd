"""The table of labels as facts: each row, and the keys that its example becomes, made by laying a service out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from bridge.labels.kinds import type_words
from bridge.labels.notes import shown
from bridge.labels.table import ENABLE, GROUPS, INNER, PORT, TABLE, Listed, Row, Vocabulary, forms
from bridge.layouts import layout
from bridge.model.world import Container, Service, Snapshot
from bridge.routes import Policy, judge_all
from bridge.sync import lay_out

LAYOUT = "traefik1"
NAME = "web__shop"  # of the frontend and of the backend
PAGE = "shop"  # stands for INNER
_ROWS = {row.name: row for row in TABLE}
# A label of Traefik's own that asks for nothing, so that its defaults hold.
_NATIVE = {"traefik.frontend.passTLSCert": "false"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One row."""

    row: Row
    group: str  # title
    type: str
    default: str  # empty: none
    native_default: str  # of a service that says what only Traefik 1 knows, where it is another; "none": none
    forms: tuple[str, ...]  # the names under which it may be written
    labels: dict[str, str]  # the example, with what must stand beside it
    keys: dict[str, str]  # that come of it, by path below Traefik's prefix


def facts() -> tuple[Fact, ...]:
    """All rows, in the table's order."""
    return tuple(_fact(title, row) for title, rows in GROUPS for row in rows)


def laid_out(labels: Mapping[str, str]) -> dict[str, str]:
    """The keys of a service web in a stack shop, with these labels and one container that has two ports."""
    container = Container(
        uuid="c-1",
        name="shop-web-1",
        state="running",
        health_state="healthy",
        address="10.42.0.11",
        labels={},
        ports=("0.0.0.0:49153:80/tcp", "0.0.0.0:49154:8080/tcp"),
        host_uuid="h-1",
    )
    service = Service(
        uuid="s-1",
        name="web",
        stack="shop",
        stack_uuid="st-1",
        environment_uuid="e-1",
        kind="service",
        state="active",
        primary="web",
        labels=labels,
        containers=(container,),
        has_check=True,
    )
    verdicts = judge_all(Snapshot((service,), "e-1", hosts={"h-1": "10.0.0.7"}), Policy())
    wishes, _ = lay_out(verdicts, layout(LAYOUT), Policy().cluster)
    keys = [pair for wish in wishes.values() for pair in {**wish.shared, **wish.own}.items()]
    return dict(sorted(keys))


def _fact(title: str, row: Row) -> Fact:
    default, native = _defaults(row)
    labels = _examples((*row.beside, row.name))
    return Fact(
        row=row,
        group=title,
        type=type_words(row),
        default=default,
        native_default=native,
        forms=tuple(forms(row)),
        labels=labels,
        keys=_keys(row, labels),
    )


def _examples(names: tuple[str, ...]) -> dict[str, str]:
    return {name.replace(INNER, PAGE): _ROWS[name].example for name in names}


def _defaults(row: Row) -> tuple[str, str]:
    """None of either where the row has none; a port that a native service must say has none there."""
    if isinstance(row, Listed) or row.unwritten:
        return "", ""
    default = _written(row.default)
    native = "" if row.needed else _written(row.native[0]) if row.native else default
    return default, "" if native == default else native or "none"


def _written(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return "" if value in (None, "", ()) else shown(value)


def _keys(row: Row, labels: dict[str, str]) -> dict[str, str]:
    """What the same service does not have without the label; nothing is taken off where it has no route without."""
    if row is ENABLE:
        return laid_out(labels)
    native = {PORT.name: PORT.example if row is not PORT else "80", **_NATIVE}
    plain = {ENABLE.name: ENABLE.example} | (native if row.vocabulary is Vocabulary.NATIVE else {})
    before = laid_out(plain | _examples(row.beside)) or laid_out(plain)
    return {path: value for path, value in laid_out(plain | labels).items() if before.get(path) != value}
