"""Each of Traefik's own labels, by its example, and the keys that come of it: none is lost on the way to the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bridge.labels.read import read
from bridge.labels.table import INNER, TABLE, Row, Vocabulary
from bridge.labels.types import Publish
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.model.route import Route, Server
from tests.golden_reader import Configuration, Store, configuration

ROWS = {row.name: row for row in TABLE}
NATIVE = [row for row in TABLE if row.vocabulary is Vocabulary.NATIVE and not row.unwritten]
PAGE = "shop"  # stands for INNER
SERVER = Server("c-1", "http", "10.42.0.1", 80)
ALWAYS = {
    "backend": "web__shop",
    "routes/main/rule": "Host:web.shop",
    "@loadbalancer/method": "wrr",
    "@servers/default--c-1/url": "http://10.42.0.1:80",
}
USERS = "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"
# By label: path and value of each key below the frontend, or with @ below the backend.
KEYS: Mapping[str, Mapping[str, str]] = {
    "traefik.frontend.rule": {"routes/main/rule": "Host:shop.example.org;PathPrefixStrip:/api"},
    "traefik.frontend.priority": {"priority": "50"},
    "traefik.frontend.entryPoints": {"entrypoints": "http,https"},
    "traefik.frontend.auth.basic.users": {"auth/basic/users": USERS},
    "traefik.frontend.auth.basic": {"auth/basic/users": USERS},
    "traefik.frontend.auth.basic.usersFile": {"auth/basic/usersfile": "/etc/traefik/users"},
    "traefik.frontend.auth.basic.removeHeader": {"auth/basic/removeheader": "true"},
    "traefik.frontend.auth.digest.users": {"auth/digest/users": "test:traefik:a2688e031edb4be6a3797f3882655c05"},
    "traefik.frontend.auth.digest.usersFile": {"auth/digest/usersfile": "/etc/traefik/digests"},
    "traefik.frontend.auth.digest.removeHeader": {"auth/digest/removeheader": "true"},
    "traefik.frontend.auth.forward.address": {"auth/forward/address": "https://auth.example.org/check"},
    "traefik.frontend.auth.forward.trustForwardHeader": {"auth/forward/trustforwardheader": "true"},
    "traefik.frontend.auth.forward.authResponseHeaders": {"auth/forward/.authresponseheaders": "X-User,X-Groups"},
    "traefik.frontend.auth.forward.tls.ca": {"auth/forward/tls/ca": "/etc/traefik/ca.pem"},
    "traefik.frontend.auth.forward.tls.caOptional": {"auth/forward/tls/caoptional": "true"},
    "traefik.frontend.auth.forward.tls.cert": {"auth/forward/tls/cert": "/etc/traefik/client.pem"},
    "traefik.frontend.auth.forward.tls.key": {"auth/forward/tls/key": "/etc/traefik/client.key"},
    "traefik.frontend.auth.forward.tls.insecureSkipVerify": {"auth/forward/tls/insecureskipverify": "true"},
    "traefik.frontend.auth.headerField": {"auth/headerfield": "X-User"},
    "traefik.frontend.whiteList.sourceRange": {"whitelist/sourcerange": "10.0.0.0/8,192.168.1.7"},
    "traefik.frontend.whitelistSourceRange": {"whitelist/sourcerange": "10.0.0.0/8"},
    "traefik.frontend.whiteList.useXForwardedFor": {"whitelist/usexforwardedfor": "true"},
    "traefik.frontend.redirect.entryPoint": {"redirect/entrypoint": "https"},
    "traefik.frontend.redirect.regex": {"redirect/regex": "^http://(.*)"},
    "traefik.frontend.redirect.replacement": {"redirect/replacement": "https://$1"},
    "traefik.frontend.redirect.permanent": {"redirect/permanent": "true"},
    "traefik.frontend.headers.customRequestHeaders": {
        "headers/customrequestheaders/X-Secret": "",
        "headers/customrequestheaders/X-Shop": "one",
    },
    "traefik.frontend.headers.customResponseHeaders": {
        "headers/customresponseheaders/Server": "",
        "headers/customresponseheaders/X-Shop": "one",
    },
    "traefik.frontend.headers.allowedHosts": {"headers/allowedhosts": "shop.example.org"},
    "traefik.frontend.headers.hostsProxyHeaders": {"headers/hostsproxyheaders": "X-Forwarded-Host"},
    "traefik.frontend.headers.SSLRedirect": {"headers/sslredirect": "true"},
    "traefik.frontend.headers.SSLTemporaryRedirect": {"headers/ssltemporaryredirect": "true"},
    "traefik.frontend.headers.SSLHost": {"headers/sslhost": "shop.example.org"},
    "traefik.frontend.headers.SSLForceHost": {"headers/sslforcehost": "true"},
    "traefik.frontend.headers.SSLProxyHeaders": {"headers/sslproxyheaders/X-Forwarded-Proto": "https"},
    "traefik.frontend.headers.STSSeconds": {"headers/stsseconds": "315360000"},
    "traefik.frontend.headers.STSIncludeSubdomains": {"headers/stsincludesubdomains": "true"},
    "traefik.frontend.headers.STSPreload": {"headers/stspreload": "true"},
    "traefik.frontend.headers.forceSTSHeader": {"headers/forcestsheader": "true"},
    "traefik.frontend.headers.frameDeny": {"headers/framedeny": "true"},
    "traefik.frontend.headers.customFrameOptionsValue": {"headers/customframeoptionsvalue": "SAMEORIGIN"},
    "traefik.frontend.headers.contentTypeNosniff": {"headers/contenttypenosniff": "true"},
    "traefik.frontend.headers.browserXSSFilter": {"headers/browserxssfilter": "true"},
    "traefik.frontend.headers.customBrowserXSSValue": {"headers/custombrowserxssvalue": "1; mode=block"},
    "traefik.frontend.headers.contentSecurityPolicy": {"headers/contentsecuritypolicy": "script-src 'self'"},
    "traefik.frontend.headers.publicKey": {"headers/publickey": 'pin-sha256=\\"AAAA\\"; max-age=60'},
    "traefik.frontend.headers.referrerPolicy": {"headers/referrerpolicy": "same-origin"},
    "traefik.frontend.headers.isDevelopment": {},  # what it switches off is not written in the first place
    "traefik.frontend.passTLSCert": {"passtlscert": "true"},
    "traefik.frontend.passTLSClientCert.pem": {"passtlsclientcert/pem": "true"},
    "traefik.frontend.passTLSClientCert.infos.notAfter": {"passtlsclientcert/infos/notafter": "true"},
    "traefik.frontend.passTLSClientCert.infos.notBefore": {"passtlsclientcert/infos/notbefore": "true"},
    "traefik.frontend.passTLSClientCert.infos.sans": {"passtlsclientcert/infos/sans": "true"},
    **{
        f"traefik.frontend.passTLSClientCert.infos.subject.{field}": {
            f"passtlsclientcert/infos/subject/{field.lower()}": "true"
        }
        for field in (
            "commonName",
            "country",
            "domainComponent",
            "locality",
            "organization",
            "province",
            "serialNumber",
        )
    },
    "traefik.frontend.errors.<name>.status": {"errors/shop/status": "404,500-599"},
    "traefik.frontend.errors.<name>.backend": {"errors/shop/backend": "errors__web"},
    "traefik.frontend.errors.<name>.query": {"errors/shop/query": "/{status}.html"},
    "traefik.frontend.rateLimit.extractorFunc": {"ratelimit/extractorfunc": "client.ip"},
    "traefik.frontend.rateLimit.rateSet.<name>.period": {"ratelimit/rateset/shop/period": "10s"},
    "traefik.frontend.rateLimit.rateSet.<name>.average": {"ratelimit/rateset/shop/average": "100"},
    "traefik.frontend.rateLimit.rateSet.<name>.burst": {"ratelimit/rateset/shop/burst": "200"},
    "traefik.backend.loadbalancer.stickiness": {"@loadbalancer/stickiness": "true"},
    "traefik.backend.loadbalancer.sticky": {"@loadbalancer/stickiness": "true"},
    "traefik.backend.maxconn.amount": {"@maxconn/amount": "10"},
    "traefik.backend.maxconn.extractorfunc": {"@maxconn/extractorfunc": "client.ip"},
    "traefik.backend.healthcheck.path": {"@healthcheck/path": "/health"},
    "traefik.backend.healthcheck.interval": {"@healthcheck/interval": "10s"},
    "traefik.backend.healthcheck.port": {"@healthcheck/port": "8081"},
    "traefik.backend.healthcheck.scheme": {"@healthcheck/scheme": "http"},
    "traefik.backend.healthcheck.hostname": {"@healthcheck/hostname": "shop.example.org"},
    "traefik.backend.healthcheck.headers": {"@healthcheck/headers/X-Check": "traefik"},
    "traefik.backend.buffering.maxRequestBodyBytes": {"@buffering/maxrequestbodybytes": "2097152"},
    "traefik.backend.buffering.memRequestBodyBytes": {"@buffering/memrequestbodybytes": "2097152"},
    "traefik.backend.buffering.maxResponseBodyBytes": {"@buffering/maxresponsebodybytes": "2097152"},
    "traefik.backend.buffering.memResponseBodyBytes": {"@buffering/memresponsebodybytes": "2097152"},
    "traefik.backend.buffering.retryExpression": {"@buffering/retryexpression": "IsNetworkError() && Attempts() <= 2"},
    "traefik.tags": {"@servers/default--c-1/tags": "api,public"},
}
# What a Traefik must have for these, and the model's has not: these files, this entry point with TLS.
WANTING = ("usersFile", "tls.ca", "tls.cert", "tls.key", "passTLSCert")


def examples(row: Row) -> dict[str, str]:
    """A row's example, with those that must stand beside it."""
    names = (row.name, *row.beside)
    return {"traefik.port": "80", **{name.replace(INNER, PAGE): ROWS[name].example for name in names}}


def keys(labels: Mapping[str, str], *, segment: bool = False) -> dict[str, str]:
    """Below the frontend, and with @ below the backend."""
    name = "web__shop__admin" if segment else "web__shop"
    asked = read("shop/web", "web", "shop", Publish.SERVICE, labels)
    assert asked.refusals == ()
    (pool,) = asked.pools
    backend = replace(pool.backend, servers=(SERVER,))
    entries = TRAEFIK1.entries(Route("web", "shop", asked.frontends, (backend,)), "default")
    found = {entry.path: entry.value for entry in entries}
    return {
        path.replace(f"frontends/{name}/", "").replace(f"backends/{name}/", "@"): value for path, value in found.items()
    }


def test_every_label_that_is_written_is_in_this_list() -> None:
    assert sorted(KEYS) == sorted(row.name for row in NATIVE)


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_an_example_becomes_these_keys_and_no_others(row: Row) -> None:
    asked = [KEYS[name] for name in (*row.beside, row.name)]
    wanted = {path: value for one in (ALWAYS, *asked) for path, value in one.items()}
    assert keys(examples(row)) == wanted


@pytest.mark.parametrize("row", [row for row in NATIVE if row.segmented], ids=lambda row: row.name)
def test_a_segment_may_say_it_too_and_means_the_same(row: Row) -> None:
    labels = {f"traefik.admin.{name.removeprefix('traefik.')}": text for name, text in examples(row).items()}
    wanted = keys(examples(row)) | {"backend": "web__shop__admin"}
    assert keys(labels, segment=True) == wanted


@pytest.mark.parametrize("row", NATIVE, ids=lambda row: row.name)
def test_traefik_takes_what_comes_of_an_example(row: Row) -> None:
    """And shows a setting for it: the same without the label is another configuration."""
    tree = {f"/traefik/{path}": value for path, value in tree_of(keys(examples(row))).items()}
    found = configuration(tree, "/traefik", Store.ETCD)
    assert isinstance(found, Configuration)
    wanting = any(name.endswith(WANTING) for name in (row.name, *row.beside))
    assert found.verdict == ("dropped:web__shop" if wanting else "ok")
    plain = {f"/traefik/{path}": value for path, value in tree_of(ALWAYS).items()}
    without = configuration(plain, "/traefik", Store.ETCD)
    assert isinstance(without, Configuration)
    assert (found.api() == without.api()) is (row.name in ("traefik.frontend.headers.isDevelopment", "traefik.tags"))


def tree_of(found: Mapping[str, str]) -> dict[str, str]:
    return {
        f"backends/web__shop/{path[1:]}" if path.startswith("@") else f"frontends/web__shop/{path}": value
        for path, value in found.items()
    }
