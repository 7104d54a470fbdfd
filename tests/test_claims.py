"""Who may stand behind whose protection."""

from __future__ import annotations

import pytest

from bridge.layouts.traefik1 import TRAEFIK1
from bridge.ownership.claims import may_merge

F = "frontends/web__shop"
OPEN = {f"{F}/backend": "web__shop", f"{F}/routes/main/rule": "Host:a.local"}
FORWARD = {f"{F}/auth/forward/address": "https://auth.local"}


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        ({f"{F}/whitelist/sourcerange": "10.0.0.0/8"}, "whitelist/usexforwardedfor"),
        (FORWARD, "auth/forward/trustforwardheader"),
        (FORWARD, "auth/forward/tls/insecureskipverify"),
        ({f"{F}/headers/sslredirect": "true"}, "headers/sslproxyheaders/X-Forwarded-Proto"),
        ({f"{F}/headers/allowedhosts": "a.local"}, "headers/hostsproxyheaders"),
    ],
)
def test_nobody_stands_behind_a_protection_that_another_key_weakens(asked: dict[str, str], more: str) -> None:
    wish = OPEN | asked
    assert may_merge(wish, dict(wish), TRAEFIK1)
    assert not may_merge(wish, wish | {f"{F}/{more}": "true"}, TRAEFIK1)


def test_who_asks_for_a_weaker_protection_may_stand_behind_the_whole() -> None:
    wish = OPEN | {f"{F}/whitelist/sourcerange": "10.0.0.0/8", f"{F}/whitelist/usexforwardedfor": "true"}
    whole = OPEN | {f"{F}/whitelist/sourcerange": "10.0.0.0/8"}
    assert may_merge(wish, whole, TRAEFIK1)
    assert not may_merge(wish, OPEN, TRAEFIK1)


def test_one_more_protection_of_another_kind_keeps_nobody_out() -> None:
    wish = OPEN | FORWARD
    assert may_merge(wish, wish | {f"{F}/whitelist/sourcerange": "10.0.0.0/8"}, TRAEFIK1)
