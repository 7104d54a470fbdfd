"""The linter names what Traefik 1.7 chokes on, by the recordings of the real one and by the model that was built from
them, and has nothing to say of what the bridge writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.layouts.lint import Finding, Grade
from bridge.layouts.traefik1 import TRAEFIK1
from bridge.layouts.traefik1_lint import lint, strays
from bridge.layouts.traefik1_reads import READ
from bridge.layouts.traefik1_values import WRITTEN
from bridge.routes import Policy, judge_all
from bridge.sources.document import snapshot
from bridge.sync import lay_out, with_standing
from tests.golden_reader import Store, verdict
from tests.test_golden_reader import RECORDINGS, Recording, load
from tests.worlds.generate import document

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.stacks.json"))
RECORDED = [load(path) for path in RECORDINGS]
GRADES = {"frozen": Grade.FROZEN, "dead": Grade.DEAD, "dropped": Grade.LOST, "ok": None}
ERRORS = (Grade.DEAD, Grade.FROZEN, Grade.LOST)
# What only Traefik's own command line can tell: here it has no entry point `nope`.
ONLY_TRAEFIK_KNOWS = {"178-ep-unknown": "frontends/f/entrypoints", "198-redirect-unknown-ep": "redirect/entrypoint"}
# Its text is configuration and adds a frontend of its own; had it been written a little worse, all would stand still.
INJECTION = "395-inject-toml"


def prefix_of(recording: Recording) -> str:
    return recording.prefix.removesuffix("/") + "/"


def findings(recording: Recording) -> tuple[Finding, ...]:
    prefix = prefix_of(recording)
    keys = {key: value for key, value in recording.tree.items() if key.startswith(prefix[:-1])}
    found = lint(keys, prefix, recording.store.value)
    if recording.written_under + "/" != prefix:
        found += strays(recording.tree, recording.written_under.removesuffix("/") + "/", prefix)
    return found


def of(verdict: str) -> pytest.MarkDecorator:
    chosen = [one for one in RECORDED if one.verdict.partition(":")[0] == verdict]
    assert chosen
    return pytest.mark.parametrize("recording", chosen, ids=str)


def graded(recording: Recording, grade: Grade) -> list[str]:
    return [one.key for one in findings(recording) if one.flaw.grade is grade]


@of("frozen")
def test_a_key_that_freezes_traefik_is_named_and_without_it_traefik_goes_on(recording: Recording) -> None:
    named = graded(recording, Grade.FROZEN)
    left = {key: value for key, value in recording.tree.items() if key not in named}
    assert named
    assert verdict(left, recording.prefix, recording.store) != "frozen"


@of("dead")
def test_a_key_that_ends_traefik_is_named_and_without_it_traefik_lives(recording: Recording) -> None:
    named = graded(recording, Grade.DEAD)
    left = {key: value for key, value in recording.tree.items() if key not in named}
    assert named
    assert verdict(left, recording.prefix, recording.store) != "dead"


@of("dropped")
def test_a_frontend_that_is_lost_is_named_or_its_backend(recording: Recording) -> None:
    if recording.name in ONLY_TRAEFIK_KNOWS:
        notice = findings(recording)[0]
        assert notice.key.endswith(ONLY_TRAEFIK_KNOWS[recording.name])
        assert (notice.flaw.grade, notice.flaw.effect[:22]) == (Grade.NOTICE, "this frontend is lost ")
        return
    assert not graded(recording, Grade.FROZEN) + graded(recording, Grade.DEAD)
    named = graded(recording, Grade.LOST)
    if recording.written_under + "/" != prefix_of(recording):  # nothing is read
        assert len(named) == 1
        return
    lost = recording.verdict.partition(":")[2].split(",")
    prefix = prefix_of(recording)
    places = tuple(f"{prefix}{place}/" for one in lost for place in (f"frontends/{one}", "backends/b") if one in lost)
    assert named
    assert all(key.startswith(places) for key in named)


@of("ok")
def test_a_tree_that_traefik_takes_has_no_error(recording: Recording) -> None:
    errors = [one for one in findings(recording) if one.flaw.grade in ERRORS]
    if recording.name == INJECTION:
        assert [one.flaw.grade for one in errors] == [Grade.FROZEN]
        assert "configuration of its own" in errors[0].flaw.reason
    else:
        assert errors == []


# Recordings that Traefik takes, and does otherwise than they say; the key that is named.
MISREAD = {
    "005-weight-zero-alone": "backends/b/servers/s1/weight",
    "027-case-keys": "backends/b/circuitBreaker/expression",
    "029-extra-unknown-server": "backends/b/servers/note/url",
    "036-alias": "alias",
    "064-name-empty-server-consul": "backends/b/servers//url",
    "079-value-escape-number": "frontends/f/priority",
    "086-sticky-cookiename-only": "backends/b/loadbalancer/stickiness",
    "105-maxconn-negative": "backends/b/maxconn/amount",
    "116-hc-scheme-bogus": "backends/b/healthcheck/scheme",
    "119-hc-bad-interval": "backends/b/healthcheck/interval",
    "131-buffering-unknown-child": "backends/b/buffering/zzz",
    "135-backend-marker-only": "backends/b/servers",
    "138-server-one-without-url": "backends/b/servers/s2/url",
    "141-server-url-garbage": "backends/b/servers/s1/url",
    "144-server-url-badport": "backends/b/servers/s1/url",
    "150-server-url-ftp": "backends/b/servers/s1/url",
    "174-bool-forms": "frontends/f/headers/stspreload",
    "184-ep-camel": "frontends/f/entryPoints",
    "190-whitelist-xff-only": "frontends/f/whitelist/sourcerange",
    "196-redirect-regex-only": "frontends/f/redirect/replacement",
    "204-errors-no-frontend-backend": "frontends/f/errors/e/backend",
    "225-pctc-issuer-only": "frontends/f/passtlsclientcert/infos/issuer/commonname",
    "228-frontend-no-routes": "frontends/f/routes",
    "229-frontend-rule-empty": "frontends/f/routes",
    "232-frontend-route-value": "frontends/f/routes",
    "246-headers-isdevelopment": "frontends/f/headers/isdevelopment",
    "266-auth-forward-nodot": "frontends/f/auth/forward/authresponseheaders",
    "269-auth-forward-no-address": "frontends/f/auth/forward/address",
    "272-auth-headerfield-only": "frontends/f/auth/headerfield",
    "283-rule-host-port": "frontends/f/routes/r/rule",
    "292-rule-hostregexp-bad": "frontends/f/routes/r/rule",
    "295-rule-path-noslash": "frontends/f/routes/r/rule",
    "322-rule-modifier-only": "frontends/f/routes/r/rule",
    "340-rule-unbalanced": "frontends/f/routes/r/rule",
    "351-rule-dup-two-frontends": "frontends/g/routes",
}


@pytest.mark.parametrize("recording", [one for one in RECORDED if one.name in MISREAD], ids=str)
def test_what_traefik_misreads_is_a_warning_at_its_key(recording: Recording) -> None:
    assert prefix_of(recording) + MISREAD[recording.name] in graded(recording, Grade.WRONG)


def test_a_frontend_for_every_host_is_said_to_be_one() -> None:
    effects = {
        one.flaw.effect
        for recording in RECORDED
        if recording.name in ("228-frontend-no-routes", "322-rule-modifier-only")
        for one in findings(recording)
    }
    assert effects == {"this frontend takes requests for every host"}


PLAIN = (
    *("001-minimal", "002-two-servers", "007-server-ids-cluster", "010-frontends-several", "011-routes-two-and"),
    *("032-markers-everywhere", "035-empty-tree", "072-value-escapes-all", "089-cb-all-functions", "110-hc-path-only"),
    *("122-buffering-full", "239-headers-custom", "254-auth-basic", "263-auth-digest", "282-rule-host-list"),
    *("309-rule-headersregexp", "328-rule-trailing-separators", "330-rule-spaces", "349-rule-template-chars"),
)


@pytest.mark.parametrize("recording", [one for one in RECORDED if one.name in PLAIN], ids=str)
def test_of_a_good_tree_nothing_is_said(recording: Recording) -> None:
    assert findings(recording) == ()


def test_no_finding_shows_what_lets_somebody_in() -> None:
    for recording in RECORDED:
        for finding in findings(recording):
            if "auth" in finding.key and "headerfield" not in finding.key:
                assert finding.value == ""
                secrets = [value for key, value in recording.tree.items() if "auth" in key and len(value) > 3]
                assert not any(secret in str(finding.flaw) for secret in secrets)


# What the bridge writes.


@pytest.mark.parametrize(
    "data",
    [*(path.read_bytes() for path in SAMPLES), document(40, 3, 1, unhealthy=0.3)],
    ids=lambda data: str(len(data)),
)
def test_of_what_the_bridge_writes_nothing_is_said(data: bytes) -> None:
    verdicts = judge_all(snapshot(data, "file:world.json"), Policy())
    wishes, _ = lay_out(verdicts, TRAEFIK1, "default")
    wishes = with_standing(wishes, TRAEFIK1)
    keys = {
        f"/traefik/{path}": value for wish in wishes.values() for path, value in {**wish.shared, **wish.own}.items()
    }
    assert len(keys) > 4
    assert lint(keys, "/traefik/", "etcd") == ()


def test_every_key_that_is_ever_written_is_one_that_traefik_reads() -> None:
    assert not WRITTEN.keys() - READ.keys()


# Static configuration, and what is Traefik's own.

ROUTED = {
    "/traefik/backends/b/servers/s/url": "http://10.0.0.1:80",
    "/traefik/frontends/f/backend": "b",
    "/traefik/frontends/f/routes/r/rule": "Host:f.local",
}


def said(more: Mapping[str, str], store_kind: str = "etcd") -> list[tuple[str, Grade]]:
    return [(one.key, one.flaw.grade) for one in lint({**ROUTED, **more}, "/traefik/", store_kind)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("debug", "maybe"),
        ("retry/attempts", "abc"),
        ("providersthrottleduration", "1h"),
        ("constraints", "zzz"),
    ],
)
def test_a_static_key_of_the_wrong_type_keeps_traefik_from_starting(path: str, value: str) -> None:
    assert said({f"/traefik/{path}": value}) == [(f"/traefik/{path}", Grade.DEAD)]


def test_static_keys_that_traefik_obeys_are_a_notice() -> None:
    assert said({"/traefik/debug": "true"}) == [("/traefik/debug", Grade.NOTICE)]
    assert said({"/traefik/constraints/0": "tag==x"}) == [("/traefik/constraints/0", Grade.NOTICE)]


def test_traefiks_own_keys_are_none_of_ours() -> None:
    assert said({"/traefik/leader": "x", "/traefik/leader___lock/7": "y"}) == []


def test_a_leaf_with_keys_below_it_counts_beside_the_prefix_too() -> None:
    """Traefik reads its static configuration from all that begins as its prefix does."""
    assert said({"/traefik-sib/a": "1", "/traefik-sib/a/b": "2"}) == [("/traefik-sib/a", Grade.DEAD)]
    assert said({"/traefik-sib/a": "", "/traefik-sib/a/b": "2"}) == []


def test_names_that_etcd_hides_are_lost() -> None:
    hidden = {"/traefik/frontends/a___lock/backend": "b", "/traefik/frontends/a___lock/routes/r/rule": "Host:a.local"}
    assert {grade for _, grade in said(hidden)} == {Grade.LOST}


# By the model.


@pytest.mark.parametrize(
    "expression",
    [
        *("NetworkErrorRatio() > 1", "ResponseCodeRatio(500, 600, 0, 600) > 1", "LatencyAtQuantileMS(50) > 100"),
        *(
            "LatencyAtQuantileMS(50.0) > 0.5",
            "NetworkErrorRatio()",
            "0.5 < NetworkErrorRatio()",
            "!NetworkErrorRatio()",
        ),
    ],
)
def test_an_expression_that_costs_each_frontend_of_its_backend_is_lost(expression: str) -> None:
    key = "/traefik/backends/b/circuitbreaker/expression"
    assert verdict({**ROUTED, key: expression}, "/traefik", Store.ETCD) == "dropped:f"
    assert said({key: expression}) == [(key, Grade.LOST)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("frontends/f/redirect/regex", "["),
        ("backends/b/maxconn/extractorfunc", "bogus"),
        ("backends/b/maxconn/extractorfunc", 'a"b'),
        ("backends/b/healthcheck/hostname", "a\\"),
        ("backends/b/loadbalancer/stickiness/cookiename", "a\nb"),
        ("backends/b/servers/t/weight", "-1"),
        ("backends/unused/servers/s/weight", "-1"),
        ("backends/unused/circuitbreaker/expression", "no"),
        ("frontends/f/ratelimit/rateset/r/average", "0"),
    ],
)
def test_what_traefik_does_not_use_costs_nothing_yet(path: str, value: str) -> None:
    more = {f"/traefik/{path}": value, "/traefik/backends/unused/servers/s/url": "http://10.0.0.2:80"}
    assert verdict({**ROUTED, **more}, "/traefik", Store.ETCD) == "ok"
    assert {grade for _, grade in said(more)} == {Grade.WRONG}


# Whatever stands there.

NAMES = st.sampled_from(["b", "f", "s", "a b", 'q"q', "back\\slash", "é", ".", "tab\t", "X-A", "a\\u0062"])
VALUES = st.sampled_from(
    [
        *("", "b", "f", "true", "false", "yes", "0", "1", "-1", "5", "10s", "abc", "http://10.0.0.1:80", "http://[::1"),
        *("Host:f.local", "Host:g.local;Path:/x", ";", ";;", " ;", "AddPrefix:/x", "Host:", "Query:a=b=c", "garbage"),
        *("Headers:a", "HeadersRegexp:a,[", "Host:F.local, ,", 'a"b', "a\\", "a\\n", "a\nb", "\\ud800", "a,b"),
        *("NetworkErrorRatio() > 1", "NetworkErrorRatio() > 0.5", "Attempts() < 3", "client.ip", "request.header."),
        *("10.0.0.0/8", "10.0.0.0/8,x", "404", "500-599", "5xx", "a:b", "a:b:c", "GET", "wrr", "drr", "http", "/x"),
    ]
)
# What depends on Traefik's entry points and files is left out.
ELSEWHERE = ("entrypoints", "entrypoint", "file", "passtlscert", "/ca", "/cert", "/key")
SHAPES = st.sampled_from(sorted(shape for shape in READ if not shape.endswith(ELSEWHERE)))


@st.composite
def keys(draw: st.DrawFn) -> tuple[str, str]:
    shape = draw(SHAPES)
    while "*" in shape:
        shape = shape.replace("*", draw(NAMES), 1)
    return f"traefik/{shape}", draw(VALUES)


@given(st.lists(keys(), max_size=12), st.sampled_from(Store), st.booleans())
@example(
    [("traefik/frontends/f/redirect/regex", "["), ("traefik/frontends/f/redirect/replacement", "x")], Store.ETCD, True
)
def test_what_the_model_refuses_is_found_and_what_is_found_it_refuses(
    found: list[tuple[str, str]], store: Store, routed: bool
) -> None:
    slash = "/" if store is Store.ETCD else ""
    tree = {f"{slash}{key}": value for key, value in found}
    if routed:
        tree = {slash + key.removeprefix("/"): value for key, value in ROUTED.items()} | tree
    grades = {one.flaw.grade for one in lint(tree, f"{slash}traefik/", store.value)}
    told = verdict(tree, f"{slash}traefik", store).partition(":")[0]
    if Grade.DEAD in grades or Grade.FROZEN in grades:
        assert told in ("dead", "frozen")
    elif Grade.LOST in grades:
        assert told == "dropped"
    else:
        assert told == "ok"
