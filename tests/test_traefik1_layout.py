"""What the bridge writes for Traefik 1.7, and what it never writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.layouts import LAYOUTS, layout
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_guard import check, escape_value, harmful, unescape_value
from bridge.model.keys import STANDING, Entry, Place, Role, server_name
from bridge.model.problem import UsageError
from bridge.model.route import Backend, Frontend, Kind, Matcher, RateLimit, RateSet, Route, Rule, Server
from tests.golden_reader import Store, verdict

GOLDEN = Path(__file__).parent / "golden" / "traefik1"


def rule(host: str = "web-test.proxy-test.local") -> Rule:
    return Rule((Matcher(Kind.HOST, (host,)),))


WEB = Route(
    "web-test",
    "proxy-test",
    (Frontend("", rule()),),
    (
        Backend(
            "drr",
            breaker="NetworkErrorRatio() > 0.5",
            servers=(Server("c-1", "http", "10.42.0.1", 8080, 5), Server("c-2", "http", "10.42.0.2", 8080)),
        ),
    ),
)
LIMIT = RateLimit("client.ip", (("main", RateSet(10, 100, 200)),))


def keys(route: Route, cluster: str = "default") -> dict[str, str]:
    return {entry.path: entry.value for entry in TRAEFIK1.entries(route, cluster)}


def with_backend(**settings: object) -> Route:
    """Without servers."""
    return replace(WEB, backends=(Backend(**settings),))  # type: ignore[arg-type]  # whatever a test names


def with_frontend(frontend: Frontend) -> dict[str, str]:
    return keys(replace(WEB, frontends=(frontend,)))


# What is written.


def test_the_classic_service_becomes_these_keys() -> None:
    assert keys(WEB) == {
        "backends/web-test__proxy-test/circuitbreaker/expression": "NetworkErrorRatio() > 0.5",
        "backends/web-test__proxy-test/loadbalancer/method": "drr",
        "backends/web-test__proxy-test/servers/default--c-1/url": "http://10.42.0.1:8080",
        "backends/web-test__proxy-test/servers/default--c-1/weight": "5",
        "backends/web-test__proxy-test/servers/default--c-2/url": "http://10.42.0.2:8080",
        "frontends/web-test__proxy-test/backend": "web-test__proxy-test",
        "frontends/web-test__proxy-test/routes/main/rule": "Host:web-test.proxy-test.local",
    }


def test_entries_are_sorted_by_path() -> None:
    paths = [entry.path for entry in TRAEFIK1.entries(WEB, "default")]
    assert paths == sorted(paths)


def test_a_service_without_servers_keeps_its_constant_key_and_its_frontend() -> None:
    assert keys(with_backend()) == {
        "backends/web-test__proxy-test/loadbalancer/method": "wrr",
        "frontends/web-test__proxy-test/backend": "web-test__proxy-test",
        "frontends/web-test__proxy-test/routes/main/rule": "Host:web-test.proxy-test.local",
    }


def test_only_asked_settings_are_written() -> None:
    asked = with_frontend(Frontend("", rule(), priority=7, pass_host_header=False, rate_limit=LIMIT))
    base = "frontends/web-test__proxy-test"
    assert dict(asked.items() - keys(WEB).items()) == {
        f"{base}/passhostheader": "false",
        f"{base}/priority": "7",
        f"{base}/ratelimit/extractorfunc": "client.ip",
        f"{base}/ratelimit/rateset/main/average": "100",
        f"{base}/ratelimit/rateset/main/burst": "200",
        f"{base}/ratelimit/rateset/main/period": "10s",
    }


def test_sticky_is_one_key_alone() -> None:
    sticky = keys(with_backend(sticky=True))
    assert [path for path in sticky if "stick" in path] == ["backends/web-test__proxy-test/loadbalancer/stickiness"]
    assert sticky["backends/web-test__proxy-test/loadbalancer/stickiness"] == "true"


def test_several_frontends_share_one_backend_and_one_group() -> None:
    route = replace(WEB, frontends=(Frontend("", rule()), Frontend("path.strip", rule("a.local"))))
    written = keys(route)
    assert written["frontends/web-test__proxy-test/backend"] == "web-test__proxy-test"
    assert written["frontends/web-test__proxy-test__path.2estrip/backend"] == "web-test__proxy-test"
    assert {entry.place.group for entry in TRAEFIK1.entries(route, "default")} == {"web-test__proxy-test"}


def test_an_ipv6_server_stands_in_brackets() -> None:
    written = keys(with_backend(servers=(Server("c-1", "https", "fd00::1", 443),)))
    assert written["backends/web-test__proxy-test/servers/default--c-1/url"] == "https://[fd00::1]:443"


def test_servers_with_one_url_are_one_server() -> None:
    twins = (Server("c-1", "http", "10.42.0.1", 80), Server("c-2", "http", "10.42.0.1", 80, 9))
    assert [path for path in keys(with_backend(servers=twins)) if "/servers/" in path] == [
        "backends/web-test__proxy-test/servers/default--c-1/url"
    ]


def test_values_are_escaped_for_the_template() -> None:
    quoted = Rule((Matcher(Kind.PATH, ('/a"b\\c\n\x01d',)),))
    assert with_frontend(Frontend("", quoted))["frontends/web-test__proxy-test/routes/main/rule"] == (
        r"Path:/a\"b\\c\n\u0001d"
    )


def test_each_entry_says_what_asked_for_it() -> None:
    origins = {entry.path: entry.origin for entry in TRAEFIK1.entries(WEB, "default")}
    assert origins["backends/web-test__proxy-test/servers/default--c-1/weight"] == "containers"
    assert origins["backends/web-test__proxy-test/loadbalancer/method"] == "layout"
    assert origins["frontends/web-test__proxy-test/backend"] == "layout"
    assert origins["frontends/web-test__proxy-test/routes/main/rule"] == "labels"


def test_a_wish_holds_every_entry_once_and_names_what_retires() -> None:
    (backend,) = WEB.backends
    wish = TRAEFIK1.wish(replace(WEB, backends=(replace(backend, retiring=("c-9",)),)), "east")
    assert wish.group == "web-test__proxy-test"
    assert wish.title == "proxy-test/web-test"
    assert {**wish.shared, **wish.own} == keys(WEB, "east")
    assert set(wish.own) == {path for path in keys(WEB, "east") if "/servers/" in path}
    assert wish.retiring == {"backends/web-test__proxy-test/servers/east--c-9"}


def test_the_backstop_takes_what_nobody_asks_for_at_the_lowest_priority() -> None:
    standing = TRAEFIK1.standing()
    assert standing == {
        "backends/zz-bridge/loadbalancer/method": "wrr",
        "frontends/zz-bridge/backend": "zz-bridge",
        "frontends/zz-bridge/priority": "1",
        "frontends/zz-bridge/routes/main/rule": "PathPrefix:/",
    }
    check(entries_of(standing))
    assert {place.group for path in standing if (place := TRAEFIK1.place(path))} == {STANDING}


@pytest.mark.parametrize(
    ("prefix", "kind", "tree"),
    [
        ("traefik", "etcd", "/traefik/"),
        ("/traefik/", "etcd", "/traefik/"),
        ("a/b/traefik", "etcd", "/a/b/traefik/"),
        ("/traefik", "consul", "traefik/"),
        ("traefik/", "consul", "traefik/"),
    ],
)
def test_keys_begin_as_this_stores_traefik_reads_them(prefix: str, kind: str, tree: str) -> None:
    assert TRAEFIK1.tree_prefix(prefix, kind) == tree


def test_an_empty_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match="without a prefix"):
        TRAEFIK1.tree_prefix("//", "etcd")


def test_every_registered_layout_loads_under_its_name() -> None:
    assert [layout(name).name for name in LAYOUTS] == list(LAYOUTS)


def test_an_unknown_layout_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"--layout 'traefik9': use traefik1"):
        layout("traefik9")


# Whose a key is, and what it does: from its path alone.

F, B = "frontends/web__shop", "backends/web__shop"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (f"{F}/backend", Role.OPENS),
        (f"{F}/routes/main/rule", Role.RULE),
        (f"{F}/routes/other/rule", Role.RULE),
        *(
            (f"{F}/{rest}", Role.PROTECTS)
            for rest in (
                "auth/basic/users",
                "auth/basic/users/0",
                "auth/headerfield",
                "auth/forward/.authresponseheaders",
                "auth/forward/tls/ca",
                "auth/",
                "basicauth",
                "basicauth/0",
                "whitelist/sourcerange",
                "whitelist/sourcerange/0",
                "whitelist/usexforwardedfor",
                "entrypoints",
                "entrypoints/0",
                "redirect/entrypoint",
                "redirect/regex",
                "passtlscert",
                "headers/allowedhosts",
                "headers/allowedhosts/0",
                "headers/sslredirect",
                "headers/sslproxyheaders/X-Forwarded-Proto",
                "headers/sslproxyheaders/a\nb",
            )
        ),
        *(
            (f"{F}{rest}", Role.REST)
            for rest in (
                "",
                "/",
                "/backend/",
                "/Backend",
                "/priority",
                "/passhostheader",
                "/passHostHeader",
                "/passtlsclientcert/pem",
                "/errors/main/backend",
                "/ratelimit/rateset/main/average",
                "/headers/customrequestheaders/X-A",
                "/headers/hostsproxyheaders",
                "/headers/stsseconds",
                "/routes/main",
                "/routes/main/rule/x",
                "/routes/rule",
                "/whitelist",
                "/auth",
                "/entrypointsx",
                "/zzz",
            )
        ),
    ],
)
def test_a_frontends_key_does_what_its_path_says(path: str, role: Role) -> None:
    assert TRAEFIK1.place(path) == Place("web__shop", F, role)


@pytest.mark.parametrize(
    ("rest", "place"),
    [
        ("/loadbalancer/method", Place("web__shop", B, Role.REST)),
        ("/healthcheck/headers/X-A", Place("web__shop", B, Role.REST)),
        ("", Place("web__shop", B, Role.REST)),
        ("/servers", Place("web__shop", B, Role.REST)),
        ("/servers/", Place("web__shop", B, Role.REST)),
        ("/servers/east--c-1", Place("web__shop", B, Role.REST)),
        ("/servers/east--c-1/", Place("web__shop", f"{B}/servers/east--c-1", Role.SERVER, "east")),
        ("/servers/east--c-1/url", Place("web__shop", f"{B}/servers/east--c-1", Role.SERVER, "east")),
        ("/servers/east--c-1/tags", Place("web__shop", f"{B}/servers/east--c-1", Role.SERVER, "east")),
        ("/servers/s1/url", Place("web__shop", f"{B}/servers/s1", Role.REST)),
        ("/servers/--c-1/url", Place("web__shop", f"{B}/servers/--c-1", Role.REST)),
    ],
)
def test_a_backends_key_is_own_only_below_a_server_that_names_its_cluster(rest: str, place: Place) -> None:
    assert TRAEFIK1.place(B + rest) == place


@pytest.mark.parametrize("path", ["", "leader", "frontends", "frontends/", "frontends//backend", "tls/0/entrypoints"])
def test_what_no_route_consists_of_has_no_place(path: str) -> None:
    assert TRAEFIK1.place(path) is None


def test_a_segments_objects_are_in_the_services_group_and_hand_written_ones_in_their_own() -> None:
    for path, group in {
        "frontends/web__shop__admin/backend": "web__shop",
        "backends/web__shop__admin/loadbalancer/method": "web__shop",
        "frontends/my own/backend": "my own",
        "frontends/zz-bridge/backend": STANDING,
    }.items():
        place = TRAEFIK1.place(path)
        assert place is not None
        assert place.group == group


def test_only_a_frontend_is_opened() -> None:
    assert TRAEFIK1.opening(F) == (f"{F}/backend",)
    assert TRAEFIK1.opening(B) == ()
    assert TRAEFIK1.opening(f"{B}/servers/east--c-1") == ()


# Hosts.


def test_hosts_are_those_of_all_rules_in_lower_case() -> None:
    stored = {
        f"{F}/routes/main/rule": "Host: A.local ,b.local;PathPrefix:/c.local",
        f"{F}/routes/x/rule": r"HostRegexp:{sub:\\d+}.F.local,plain.local",
        f"{F}/backend": "Host:no-rule.local",
    }
    assert TRAEFIK1.hosts(stored) == {"a.local", "b.local", r"{sub:\d+}.f.local", "plain.local"}


@pytest.mark.parametrize("broken", ["", ";", "host:a.local", r"Host:\d.local", 'Host:"a"', "Host:a.local;Nonsense:x"])
def test_what_is_no_rule_asks_for_no_host(broken: str) -> None:
    assert TRAEFIK1.hosts({f"{F}/routes/main/rule": broken}) == frozenset()


# Escapes.


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_escaped_text_reads_back_and_holds_nothing_that_freezes(text: str) -> None:
    value = escape_value(text)
    assert unescape_value(value) == text
    assert re.fullmatch(r'(?:[^\x00-\x1f"\\]|\\["\\nrt]|\\u00[0-9a-f]{2})*', value)


@pytest.mark.parametrize("value", [r"\d", "\\", r"\u12", r"\ud800", r"\U00110000", r"\x41", 'a"', "a\nb", "a\r", "\0"])
def test_what_would_freeze_traefik_is_not_unescaped(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a TOML string"):
        unescape_value(value)


def test_a_text_that_utf8_cannot_carry_never_leaves() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        with_frontend(Frontend("", Rule((Matcher(Kind.PATH, ("/\ud800",)),))))


def test_every_escape_of_the_template_is_understood() -> None:
    assert unescape_value(r"\b\t\n\f\r\"\\\u00e9\U0001f600") == '\b\t\n\f\r"\\é😀'


# The guard.


def entries_of(stored: Mapping[str, str]) -> list[Entry]:
    nowhere = Place("", "", Role.REST)
    return [Entry(path, value, "test", TRAEFIK1.place(path) or nowhere) for path, value in stored.items()]


@dataclass(frozen=True)
class Pair:
    """A tree that the real Traefik was given, and what became of it."""

    name: str
    verdict: str
    stored: Mapping[str, str]  # path below the prefix: value, without the canary's keys

    def refused(self) -> bool:
        if any(harmful(path, value) for path, value in self.stored.items()):
            return True
        backends = {path.split("/")[1] for path in self.stored if path.startswith("backends/")}
        constant = {f"backends/{name}/loadbalancer/method": "wrr" for name in backends}
        try:
            check(entries_of({**constant, **self.stored}))
        except ValueError:
            return True
        return False


def pairs() -> list[Pair]:
    found = []
    for path in sorted(GOLDEN.glob("*.json")):
        read = json.loads(path.read_text())
        prefix = read["prefix"] + "/"
        stored = {key.removeprefix(prefix): value for key, value in read["kv"].items() if "/canary/" not in key}
        if read["group"] != "prefix":  # the same keys under a prefix that is not read
            found.append(Pair(path.stem, read["verdict"], stored))
    return found


def test_every_recorded_tree_that_hurt_traefik_is_refused() -> None:
    hurt = [pair for pair in pairs() if pair.verdict != "ok"]
    assert len(hurt) > 70
    assert [pair.name for pair in hurt if not pair.refused()] == []


def test_the_plain_good_recorded_trees_are_not_refused() -> None:
    plain = {
        "001-minimal",
        "002-two-servers",
        "007-server-ids-cluster",
        "010-frontends-several",
        "013-server-url-https",
        "017-server-url-ipv6-ok",
        "080-lb-method-drr",
        "084-sticky-stickiness",
        "165-priority",
        "210-ratelimit",
        "288-rule-hostregexp-any",
        "291-rule-hostregexp-escaped-backslash",
        "303-rule-pathprefixstrip-slash",
        "354-rule-1000-hosts",
    }
    assert {pair.name for pair in pairs() if pair.name in plain and not pair.refused()} == plain


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{F}/Backend", "web__shop"),
        (f"{F}/auth/basic/users", "a:b"),
        ("frontends/*/backend", "web__shop"),
        ("frontends/../backend", "web__shop"),
        ("frontends/a___lock/backend", "web__shop"),
        (f"frontends/{'a' * 201}/backend", "web__shop"),
        ("frontends//backend", "web__shop"),
        ("tls/0/entrypoints", "https"),
        (f"{B}/responseforwarding/flushinterval", "1s"),
        (f"{B}/loadbalancer/stickiness/cookiename", "c"),
        (f"{B}/loadbalancer/stickiness", "false"),
        (f"{B}/loadbalancer/method", "DRR"),
        (f"{B}/servers/s/weight", "0"),
        (f"{B}/servers/s/weight", "2147483648"),
        (f"{B}/servers/s/weight", "01"),
        (f"{B}/servers/s/weight", r"\u0031"),
        (f"{B}/servers/s/weight", "\u0661"),
        (f"{B}/servers/s/url", "http://10.0.0.1"),
        (f"{B}/servers/s/url", "http://10.0.0.1:0"),
        (f"{B}/servers/s/url", "http://10.0.0.1:65536"),
        (f"{B}/servers/s/url", "http://10.0.0.1:80/"),
        (f"{B}/servers/s/url", "http://u@10.0.0.1:80"),
        (f"{B}/servers/s/url", "http://fd00::1:80"),
        (f"{B}/servers/s/url", "http://[fd00::1%eth0]:80"),
        (f"{B}/servers/s/url", "http://[]:80"),
        (f"{B}/servers/s/url", "ftp://10.0.0.1:80"),
        (f"{B}/circuitbreaker/expression", "NetworkErrorRatio() > 1"),
        (f"{F}/priority", "1"),
        (f"{F}/priority", "-2"),
        (f"{F}/passhostheader", "no"),
        (f"{F}/ratelimit/extractorfunc", "client"),
        (f"{F}/ratelimit/rateset/main/period", "10"),
        (f"{F}/ratelimit/rateset/main/period", "0s"),
        (f"{F}/ratelimit/rateset/main/average", "1000000001"),
        (f"{F}/routes/main/rule", ";"),
        (f"{F}/routes/main/rule", ""),
        (f"{F}/routes/main/rule", "AddPrefix:/x"),
        (f"{F}/routes/main/rule", "Host:A.local"),
        (f"{F}/routes/main/rule", "Host:a.local."),
        (f"{F}/routes/main/rule", "Host:*.local"),
        (f"{F}/routes/main/rule", "Host:a.local:80"),
        (f"{F}/routes/main/rule", "Path:a"),
        (f"{F}/routes/main/rule", "PathPrefix:/{x"),
        (f"{F}/routes/main/rule", "HostRegexp:{x:[}.local"),
        (f"{F}/routes/main/rule", 'Path:/"'),
        (f"{F}/routes/main/rule", "Path:/a\nb"),
        (f"{F}/routes/main/rule", r"Path:/\d"),
    ],
)
def test_a_harmful_key_never_leaves(path: str, value: str) -> None:
    assert harmful(path, value)
    with pytest.raises(ValueError, match=r".+"):
        check(entries_of({**whole(), path: value}))


def whole() -> dict[str, str]:
    """A frontend and a backend with nothing missing."""
    limit = f"{F}/ratelimit"
    return {
        f"{F}/backend": "web__shop",
        f"{F}/routes/main/rule": "Host:a.local",
        f"{limit}/extractorfunc": "client.ip",
        f"{limit}/rateset/main/average": "1",
        f"{limit}/rateset/main/burst": "1",
        f"{limit}/rateset/main/period": "1s",
        f"{B}/loadbalancer/method": "wrr",
        f"{B}/servers/east--c-1/url": "http://10.0.0.1:80",
        f"{B}/servers/east--c-1/weight": "2",
    }


def test_a_whole_object_passes() -> None:
    check(entries_of(whole()))


@pytest.mark.parametrize("missing", [path for path in whole() if not path.endswith("/weight")])
def test_half_an_object_never_leaves(missing: str) -> None:
    half = {path: value for path, value in whole().items() if path != missing}
    with pytest.raises(ValueError, match="without"):
        check(entries_of(half))


def test_a_rate_limit_without_a_set_never_leaves() -> None:
    with pytest.raises(ValueError, match="without"):
        check(entries_of({path: value for path, value in whole().items() if "/rateset/" not in path}))


def test_one_path_has_one_value() -> None:
    with pytest.raises(ValueError, match="two values"):
        keys(with_backend(servers=(Server("c-1", "http", "10.0.0.1", 1), Server("c-1", "http", "10.0.0.1", 2))))


def test_one_url_stands_once_in_a_backend() -> None:
    twin = {**whole(), f"{B}/servers/west--c-1/url": "http://10.0.0.1:80"}
    with pytest.raises(ValueError, match="one url"):
        check(entries_of(twin))


# Whatever route comes.

clusters = st.sampled_from(["default", "east", "east-1", "e", "1"])
plain = st.text("ab1", min_size=1, max_size=3)
odd = st.text(st.one_of(st.sampled_from('ab_-./:;,"\\\n{}'), st.characters()), max_size=6)
expressions = st.sampled_from(["", "NetworkErrorRatio() > 0.5"])
no_words: st.SearchStrategy[str] = st.nothing()
numbers = st.integers(2, 99)
odd_numbers = st.one_of(numbers, st.integers(-1, 2**64))


def routes(
    *,
    names: st.SearchStrategy[str] = plain,
    values: st.SearchStrategy[str] = plain,
    breakers: st.SearchStrategy[str] = expressions,
    words: st.SearchStrategy[str] = no_words,
    numbers: st.SearchStrategy[int] = numbers,
    least: int = 1,
) -> st.SearchStrategy[Route]:
    """Routes that can be laid out, but for what the arguments make odd."""
    host_kinds = st.sampled_from([Kind.HOST, Kind.HOST_REGEXP])
    hosts = st.builds(Matcher, host_kinds, st.lists(values, min_size=least, max_size=2).map(tuple))
    path_kinds = st.sampled_from([kind for kind in Kind if kind.value.startswith("Path")])
    paths = st.builds(Matcher, path_kinds, values.map(lambda value: (f"/{value}",)))
    rate = st.tuples(names, st.builds(RateSet, numbers, numbers, numbers))
    sets = st.lists(rate, min_size=least, max_size=2, unique_by=lambda pair: pair[0]).map(tuple)
    frontend = st.builds(
        Frontend,
        segment=names,
        rule=st.builds(Rule, st.lists(hosts | paths, min_size=least, max_size=2).map(tuple)),
        priority=st.none() | numbers,
        pass_host_header=st.booleans(),
        rate_limit=st.none() | st.builds(RateLimit, st.just("client.ip") | words, sets),
    )
    server = st.builds(Server, names, st.sampled_from(["http", "https"]) | words, values, numbers, numbers)
    backend = st.builds(
        Backend,
        st.sampled_from(["wrr", "drr"]) | words,
        st.booleans(),
        breakers,
        servers=st.lists(server, max_size=3, unique_by=lambda one: one.identity).map(tuple),
        retiring=st.lists(names, max_size=1).map(tuple),
    )
    return st.builds(
        Route,
        service=names,
        stack=names,
        frontends=st.lists(frontend, min_size=1, max_size=2, unique_by=lambda one: one.segment).map(tuple),
        backends=st.tuples(backend),
    )


odd_routes = st.one_of(
    routes(names=odd.filter(bool)),
    routes(values=odd),
    routes(breakers=odd),
    routes(words=odd),
    routes(numbers=odd_numbers),
    routes(least=0),
)


def assert_harmless(entries: tuple[Entry, ...]) -> None:
    paths = [entry.path for entry in entries]
    assert not [path for path in paths if any(other.startswith(f"{path}/") for other in paths)]
    for entry in entries:
        assert harmful(entry.path, entry.value) is None
        assert re.fullmatch(r"(frontends|backends)(/[A-Za-z0-9_.-]+)+", entry.path)
        assert re.fullmatch(r'(?:[^\x00-\x1f"\\]|\\["\\nrt]|\\u00[0-9a-f]{2})+', entry.value)
        assert TRAEFIK1.place(entry.path) == entry.place


@given(odd_routes, clusters)
def test_no_route_whatever_lets_a_harmful_key_out(route: Route, cluster: str) -> None:
    try:
        entries = TRAEFIK1.entries(route, cluster)
    except ValueError:
        return
    assert_harmless(entries)


@given(routes() | odd_routes, clusters)
def test_a_reader_built_from_recordings_takes_all_that_leaves(route: Route, cluster: str) -> None:
    try:
        laid_out = keys(route, cluster)
    except ValueError:
        return
    tree = {f"/traefik/{path}": value for path, value in {**laid_out, **TRAEFIK1.standing()}.items()}
    assert verdict(tree, "/traefik", Store.ETCD) == "ok"


@given(routes(names=odd.filter(bool)), clusters)
def test_names_cost_no_route_whatever_they_hold(route: Route, cluster: str) -> None:
    assert_harmless(TRAEFIK1.entries(route, cluster))


@given(routes(), clusters, clusters)
def test_an_own_path_names_its_cluster_where_nothing_else_can_stand_and_a_shared_one_does_not(
    route: Route, cluster: str, other: str
) -> None:
    ours, theirs = TRAEFIK1.entries(route, cluster), TRAEFIK1.entries(route, other)
    assert [e for e in ours if e.place.cluster is None] == [e for e in theirs if e.place.cluster is None]
    for entry in ours:
        if entry.place.cluster is not None:
            server = entry.path.split("/")[3]
            assert entry.place.cluster == cluster == server.split("--")[0]
            assert server in {
                server_name(cluster, one.identity) for backend in route.backends for one in backend.servers
            }
