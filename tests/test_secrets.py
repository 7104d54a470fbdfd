"""No output shows what lets somebody in; only `render --show-secrets` does, for a program that needs the keys whole."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path

import pytest

from bridge.cli.label_facts import facts
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_secrets import SECRETS
from tests.commands import Bridge, Ran, silent
from tests.servers import EtcdServer

_prefixes = count(1)
bridge = pytest.fixture(silent)

HASH = "$apr1$zzz0zzz0$IgXLP6ewTrSuBkTrqE8wj/"
OTHER_HASH = "$apr1$zzz1zzz1$IgXLP6ewTrSuBkTrqE8wj/"
FRONTEND = "traefik.frontend"
# On four services, since one kind of authentication alone counts. Each value that nobody may see holds "zzz".
SECRET = {
    "basic": {
        f"{FRONTEND}.auth.basic.users": f"zzz:{HASH}",
        f"{FRONTEND}.headers.customRequestHeaders": "Authorization:Basic zzz1||X-Key:zzz2",
        f"{FRONTEND}.headers.customResponseHeaders": "X-Answer:zzz3",
        f"{FRONTEND}.headers.SSLProxyHeaders": "X-Proto:zzz4",
        "traefik.backend.healthcheck.path": "/health",
        "traefik.backend.healthcheck.headers": "Authorization:Bearer zzz5",
    },
    "old": {f"{FRONTEND}.auth.basic": f"zzz:{HASH}"},
    "digest": {f"{FRONTEND}.auth.digest.users": "zzz:traefik:0123456789abcdef0123456789abcdef"},
    "forward": {
        f"{FRONTEND}.auth.forward.address": "https://auth.example.org/",
        f"{FRONTEND}.auth.forward.tls.ca": "/etc/zzz.ca",
        f"{FRONTEND}.auth.forward.tls.cert": "/etc/zzz.pem",
        f"{FRONTEND}.auth.forward.tls.key": "/etc/zzz.key",
    },
    "url": {
        f"{FRONTEND}.redirect.regex": "^http://a/(.*)",
        f"{FRONTEND}.redirect.replacement": "https://zzz:zzz@b/$1",
    },
    "template": {
        f"{FRONTEND}.redirect.regex": "^http://a/(.*)",
        f"{FRONTEND}.redirect.replacement": "https://zzz:zzz@b/{{.Host}}",
    },
}
# What is wrong, and would be repeated where it is told.
WRONG = {
    "basic": {f"{FRONTEND}.auth.basic.users": "zzz"},
    "misspelt": {f"{FRONTEND}.auth.basik.users": f"zzz:{HASH}", f"{FRONTEND}.haeders.customRequestHeaders": "A:zzz"},
    "forward": {f"{FRONTEND}.auth.forward.address": "https://zzz:zzz@auth.example.org/"},
    "header": {f"{FRONTEND}.headers.customRequestHeaders": "X-Key zzz"},
    "health": {"traefik.backend.healthcheck.path": "/", "traefik.backend.healthcheck.headers": "zzz zzz"},
}


def world(folder: Path, labels: dict[str, dict[str, str]], name: str = "world") -> str:
    services = [
        {
            "name": f"web-{name}",
            "uuid": f"s-{name}",
            "kind": "service",
            "labels": {"traefik.enable": "true", "traefik.port": "80"} | its,
            "health_check": {"port": 80},
            "containers": [
                {
                    "name": f"c-{name}",
                    "uuid": f"c-{name}",
                    "state": "running",
                    "health_state": "healthy",
                    "primary_ip": f"10.42.0.{at}",
                    "labels": its,
                }
            ],
        }
        for at, (name, its) in enumerate(labels.items(), 1)
    ]
    path = folder / f"{name}.json"
    path.write_text(json.dumps([{"name": "shop", "uuid": "st", "services": services}]))
    return f"file:{path}"


def hides(ran: Ran, *, told: bool = True) -> None:
    assert ran.code in (0, 4), ran.err
    for shown in (ran.out, ran.err):
        assert not re.search("zzz|0123456789abcdef", shown)
    assert ("(hidden)" in ran.out) is told


@pytest.mark.parametrize("output", ["text", "json"])
def test_render_and_explain_hide_what_lets_somebody_in(bridge: Bridge, tmp_path: Path, output: str) -> None:
    source = world(tmp_path, SECRET)
    hides(bridge("render", "--source", source, "--output", output))
    hides(bridge("migrate", "--source", source, "--output", output))
    for name in SECRET:
        hides(bridge("explain", f"shop/web-{name}", "--source", source, "--output", output))


@pytest.mark.parametrize("output", ["text", "json", "github"])
def test_no_problem_repeats_what_lets_somebody_in(bridge: Bridge, tmp_path: Path, output: str) -> None:
    source = world(tmp_path, WRONG)
    hides(bridge("check", "--source", source, "--output", output), told=False)
    if output != "github":
        hides(bridge("render", "--source", source, "--output", output), told=False)
        hides(bridge("migrate", "--source", source, "--output", output), told=False)
        for name in WRONG:
            hides(bridge("explain", f"shop/web-{name}", "--source", source, "--output", output))


@pytest.mark.parametrize("output", [("-v",), ("--output", "json")], ids=["text", "json"])
def test_no_command_with_a_store_shows_what_lets_somebody_in(
    bridge: Bridge, tmp_path: Path, etcd_server: EtcdServer, output: tuple[str, ...]
) -> None:
    """Whether it comes, changes or goes, whether two clusters disagree, and whoever wrote it."""
    prefix = f"secrets{next(_prefixes)}"
    place = ("--store", f"etcd://{etcd_server.endpoint}/{prefix}")
    printing = output if output != ("-v",) else ()
    source = ("--source", world(tmp_path, SECRET))
    changed = {
        name: {label: text.replace(HASH, OTHER_HASH).replace("zzz1", "zzz9") for label, text in its.items()}
        for name, its in SECRET.items()
    }
    other = ("--source", world(tmp_path, changed, "changed"))
    quick = ("--read-time", "0")

    hides(bridge("plan", *source, *place, *output))
    hides(bridge("sync", *source, *place, *quick, *output))
    hides(bridge("plan", *other, *place, *output))
    elsewhere = bridge("plan", *other, *place, "--cluster", "other", *output)
    assert "wants a value of its own" in elsewhere.err + elsewhere.out
    hides(elsewhere, told=False)
    hides(bridge("sync", *other, *place, *quick, *output))
    for path, value in {
        "frontends/web-old__shop/auth/basic/users": f"zzz:{HASH}",
        "frontends/hand/auth/basik/users": f"zzz:{HASH}",
        "frontends/hand/auth/basic/users": "zzz",
        "frontends/hand/backend": "hand",
        "backends/hand/servers/s/url": "http://zzz:zzz@10.0.0.1:80",
        "web/auth/basic/users": f"zzz:{HASH}",
        "consul/token": "zzz",
    }.items():
        etcd_server.put(f"/{prefix}/{path}", value)
    hides(bridge("plan", *other, *place, *output), told=False)
    hides(bridge("show", *place, *printing))
    hides(bridge("migrate", *place, *printing))
    hides(bridge("check", *other, *place, *printing), told=False)
    hides(bridge("leave", *place, *quick, *output), told=bool(printing))  # in text a key that goes is named alone


def test_what_a_program_needs_as_it_is_render_prints_when_it_is_asked_to(bridge: Bridge, tmp_path: Path) -> None:
    source = world(tmp_path, SECRET)
    asked = bridge("render", "--source", source, "--output", "json", "--show-secrets").json
    plain = bridge("render", "--source", source, "--output", "json").json
    assert asked.keys() == plain.keys()
    assert asked["/traefik/frontends/web-basic__shop/auth/basic/users"] == f"zzz:{HASH}"
    hidden = {key.removeprefix("/traefik/") for key, value in plain.items() if value == "(hidden)"}
    assert hidden == {path.removeprefix("/traefik/") for path, value in asked.items() if "zzz" in str(value)}
    assert f"zzz:{HASH}" in bridge("render", "--source", source, "--show-secrets").out
    assert bridge("plan", "--source", source, "--show-secrets").code == 2


def test_labels_and_keys_agree_on_what_lets_somebody_in() -> None:
    """What the table of labels hides becomes keys that are hidden, and nothing else does."""
    found = set()
    for fact in facts():
        for path, value in fact.keys.items():
            made_of_it = any(value in text or value == "" for text in (fact.row.example,))
            if TRAEFIK1.is_secret(path, value):
                assert fact.row.secret or not made_of_it, (fact.row.name, path)
                found.add(path)
            else:
                assert not (fact.row.secret and made_of_it), (fact.row.name, path)
    assert len(found) >= len(SECRETS) - len(("basicauth", "tls/*/certfile", "tls/*/keyfile"))


@pytest.mark.parametrize(
    ("path", "value", "secret"),
    [
        ("frontends/oauth__shop/routes/main/rule", "Host:a", False),
        ("frontends/a/auth/headerfield", "X-User", False),
        ("frontends/a/auth/basic/usersfile", "/etc/users", False),
        ("frontends/a/headers/customresponseheaders/X-A", "", True),
        ("frontends/a/auth/basic/users/0", "a:b", True),
        ("frontends/a/basicauth", "a:b", True),
        ("frontends/a/Auth/basic/users", "a:b", True),
        ("frontends/a/entrypoints/0", "http", False),
        ("backends/b/servers/s/url", "http://10.0.0.1:80", False),
        ("backends/b/servers/s/url", "http://u@10.0.0.1:80", True),
        ("tls/a/certificate/keyfile", "PEM", True),
        ("debug", "maybe", False),
        ("entrypoints/https", "Auth.Basic.Users:a:b", True),
    ],
)
def test_a_key_that_is_not_known_is_hidden_and_one_that_is_shown_lets_nobody_in(
    path: str, value: str, secret: bool
) -> None:
    assert TRAEFIK1.is_secret(path, value) is secret
