"""The table of Traefik 3's keys is the one that was tried on the real ones, version by version."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bridge.layouts.traefik3_fields import MAPS, Field, Type, field_of, fields, shapes

SCHEMAS = sorted((Path(__file__).parent / "golden" / "traefik3").glob("schema-*.json"))
# The newest patch of the minor version knows them, its first one refuses the tree.
LATER = {
    ("3.6", "http/middlewares/{name}/errors/errorRequestHeaders"),
    ("3.6", "http/middlewares/{name}/forwardAuth/maxResponseBodySize"),
    ("3.6", "http/middlewares/{name}/redirectScheme/forcePermanentRedirect"),
    ("3.5", "tcp/serversTransports/{name}/proxyProtocol"),
    ("3.5", "tcp/serversTransports/{name}/proxyProtocol/version"),
}
# Taken by all; from 3.4 on ignored.
IGNORED_LATER = {f"http/services/{{name}}/loadBalancer/servers/{{n}}/{name}" for name in ("port", "scheme")}


def code(of: Field) -> str:
    """As the schema writes it."""
    flags = "-" * of.ignored + "?" * of.empty + "!" * of.refused + "L" * (not of.native)
    return of.type.value + flags


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_each_version_knows_the_keys_of_its_schema_and_no_others(path: Path) -> None:
    schema = json.loads(path.read_text())
    minor = schema["minor"]
    version = (3, int(minor.removeprefix("3.")))
    wanted = {}
    for one, text in schema["paths"].items():
        if (minor, one) not in LATER:
            wanted[one] = text.partition("@")[0] + "-" * (one in IGNORED_LATER and not text.endswith("-"))
    known = {one.path: code(one) for one in fields().values() if (3, one.since) <= version}
    assert known == wanted
    assert LATER.isdisjoint((minor, one) for one in known)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_key_is_found_in_whatever_letters_and_comes_back_as_traefik_spells_it(path: Path) -> None:
    version = (3, int(path.stem.removeprefix("schema-3.")))
    for one in fields().values():
        written = re.sub(r"{name}", "Some-Name", re.sub(r"{n}", "c1--a", one.path))
        written += "/X-Name" if one.type in MAPS and not one.ignored else ""
        found = field_of(written, version)
        if (3, one.since) > version or one.refused:
            assert found is None, written
        else:
            assert found is not None, written
            assert (found.path, found.type) == (written, one.type)
            lowered = re.sub(r"[^/]+", lambda part: part[0] if part[0] in NAMES else part[0].lower(), written)
            again = field_of(lowered, version)
            assert again == found, lowered


NAMES = ("Some-Name", "c1--a", "X-Name")


@pytest.mark.parametrize(
    "path",
    [
        "http",
        "http/routers",
        "http/routers/a",
        "http/routers/a/rule/x",
        "http/routers//rule",
        "http/routers/a/bogus",
        "httpx/routers/a/rule",
        "tcp/services/a/loadBalancer/servers/0/weight",
        "http/services/a/failover/healthCheck",
        "http/services/a/weighted/sticky",
        "http/middlewares/a/headers",
        "http/middlewares/a/headers/customRequestHeaders",
        "http/middlewares/a/headers/customRequestHeaders/X/y",
        "",
    ],
)
def test_what_makes_traefik_refuse_the_tree_is_no_key(path: str) -> None:
    assert field_of(path, (3, 7)) is None


def test_what_may_be_a_leaf_is_told_from_what_may_not() -> None:
    for path, may in (("tls", True), ("observability", False)):
        found = field_of(f"http/routers/a/{path}", (3, 7))
        assert (found is not None and found.type is Type.BRANCH and found.empty) is may


def test_a_table_of_one_version_is_built_once() -> None:
    assert shapes((3, 7)) is shapes((3, 7))
