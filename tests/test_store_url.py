"""`--store`: what it may say, and what is said where it cannot be used."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.problem import UsageError
from bridge.stores import open_store, store_address
from bridge.stores.address import Endpoint, StoreAddress


def test_the_whole_form_is_understood() -> None:
    url = "etcd+https://one:2379,two.example:12379,[2001:db8::1]:2380,10.0.0.1/v3/traefik/"
    assert store_address(url) == StoreAddress(
        url=url,
        kind="etcd",
        tls=True,
        endpoints=(
            Endpoint("one", 2379),
            Endpoint("two.example", 12379),
            Endpoint("2001:db8::1", 2380),
            Endpoint("10.0.0.1", None),
        ),
        prefix="v3/traefik",
    )


@pytest.mark.parametrize("url", ["etcd://h", "etcd://h/", "etcd://h//", "etcd://h/traefik", "etcd://h/traefik/"])
def test_the_prefix_is_traefiks_default_unless_another_is_named(url: str) -> None:
    address = store_address(url)
    assert (address.tls, address.endpoints, address.prefix) == (False, (Endpoint("h", None),), "traefik")


def test_an_endpoint_is_written_with_its_port_and_in_brackets_where_it_needs_them() -> None:
    assert Endpoint("h", None).at(2379) == "h:2379"
    assert Endpoint("h", 1).at(2379) == "h:1"
    assert Endpoint("::1", None).at(2379) == "[::1]:2379"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "etcd://"),
        ("redis://db:6379", "etcd+https://"),
        ("etcd", "etcd+https://"),
        ("etcd:/h", "etcd+https://"),
        ("etcd+http://h", "etcd+https://"),
        ("ETCD://h", "etcd+https://"),
        ("https://h:2379", "etcd+https://"),
        ("etcd://", "names no host"),
        ("etcd:///traefik", "names no host"),
        ("etcd://a,,b/traefik", "names no host"),
        ("etcd://:2379", "names no host"),
        ("etcd://h:http", "'h:http'"),
        ("etcd://h:0", "0 is no port"),
        ("etcd://h:65536", "65536 is no port"),
        ("etcd://h:123456", "'h:123456'"),
        ("etcd://::1:2379", "brackets"),
        ("etcd://[::1", "brackets"),
        ("etcd://[h]:1", "'h' is no IPv6"),
        ("etcd://a b", "'a b'"),
        ("etcd://h?tls=1", "'etcd://h?…': nothing stands behind the prefix"),
        ("etcd://-h", "'-h'"),
        ("consul://h/traefik?token=secret", "'consul://h/traefik?…': nothing stands behind the prefix"),
        ("etcd://h/a b", "no prefix"),
        ("etcd://h/a//b", "no prefix"),
        ("etcd://h/bridge", "own records"),
        ("etcd://h/bri", "own records"),
        ("etcd://h/bridge/", "own records"),
        ("etcd://h/bridge/traefik", "own records"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(url: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        store_address(url)
    assert reason in str(caught.value)
    assert "--store" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("prefix", ["bridges", "bridge2/traefik"])
def test_a_prefix_beside_our_records_is_taken(prefix: str) -> None:
    assert store_address(f"etcd://h/{prefix}").prefix == prefix


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=4).map(lambda text: f"S3{text}"))
def test_a_password_in_the_url_is_refused_and_never_shown(password: str) -> None:
    for url in (
        f"etcd://user:{password}@h:2379/traefik",
        f"user:{password}://{password}@h",
        f"redis://user:{password}@h",
        f"user:{password}@h",
    ):
        with pytest.raises(UsageError, match="environment or files") as caught:
            store_address(url)
        assert password not in str(caught.value)
        assert password not in repr(caught.value)


@given(st.text())
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    for url in (text, f"etcd://{text}", f"etcd://h/{text}"):
        try:
            address = store_address(url)
        except UsageError:
            continue
        assert address.endpoints
        assert address.prefix == address.prefix.strip("/") != ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"url": "etcd://h", "ca": "ca.pem"}, "etcd+https"),
        ({"url": "etcd://h", "cert": "c.pem", "key": "k.pem"}, "etcd+https"),
        ({"url": "etcd+https://h", "cert": "c.pem"}, "needs both"),
        ({"url": "etcd+https://h", "key": "k.pem"}, "needs both"),
        ({"url": "etcd://h", "password": "S3cret"}, "--store-user"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, str], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(**options, records_root="bridge/traefik")
    assert reason in str(caught.value)
    assert "S3cret" not in str(caught.value)


def test_reading_an_address_loads_no_client() -> None:
    """`bridge --help` does no more than this."""
    code = """
import sys
from bridge.stores import store_address
store_address("etcd://h")
assert not {"grpc", "google.protobuf", "etcd3"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
