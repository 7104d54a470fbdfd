"""The status page and /api/, asked of the application itself, over real loops on a store in memory."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from bridge.cli.schemas import schema
from bridge.daemon.gate import Manners
from bridge.model.world import Snapshot
from bridge.sources.base import SourceError
from bridge.sources.document import snapshot
from bridge.web.app import host_of, is_loopback, make_app
from bridge.web.plot import HEIGHT, WIDTH, plot
from tests.boards import Stage, running
from tests.commands import Bridge, silent
from tests.publishing import service, with_labels, without_health, world
from tests.test_run_etcd import eventually
from tests.test_secrets import NATIVE, SECRET, WRONG
from tests.test_secrets import world as secret_world

SAMPLES = Path(__file__).parent / "samples"
MIXED = snapshot((SAMPLES / "mixed.stacks.json").read_bytes(), "mixed")
SHOES, SOCKS = service("shoes"), service("socks")
UNTOLD = replace(service("bare"), labels={})

bridge = pytest.fixture(silent)


def client(stage: Stage, host: str = "127.0.0.1") -> FlaskClient:
    return make_app(stage.board, host).test_client()


def text(answer: str) -> str:
    """What a person reads."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", answer).split()))


def page(asked: FlaskClient, path: str = "/") -> str:
    """Its source, without the blanks that nobody sees."""
    return re.sub(r"\s+", " ", asked.get(path).get_data(as_text=True))


@pytest.fixture(scope="module")
def mixed() -> Iterator[FlaskClient]:
    with running(MIXED, layouts=("traefik1", "traefik3")) as stage:
        yield client(stage)


def fits(name: str, answer: object) -> None:
    Draft202012Validator(schema(name)).validate(answer)


# What it tells


def test_every_labelled_service_is_told_with_its_rule_its_servers_and_their_health() -> None:
    seen = world(without_health(SHOES, "shoes-2"), SOCKS, UNTOLD)
    with running(seen) as stage:
        told = client(stage).get("/api/").json
        assert told
        shoes, socks = told["routes"]
        assert (shoes["service"], shoes["rules"], shoes["open"]) == ("shop/shoes", ["Host:shoes.shop.local"], True)
        assert shoes["clusters"] == [{"cluster": "default", "servers": 2}]
        assert [bool(one["servers"]) for one in shoes["containers"]] == [True, False, True]
        assert shoes["containers"][1]["health"] == "unhealthy"
        assert "health" in shoes["containers"][1]["why"]
        assert socks["clusters"] == [{"cluster": "default", "servers": 3}]
        assert told["unlabelled_found"] == 1
        shown = text(page(client(stage)))
        for word in ("shop/shoes", "Host:shoes.shop.local", "default: 2 servers", "2 of 3 get requests", "unhealthy"):
            assert word in shown
        assert "Beside these 1 service without a label" in shown


def test_a_service_that_is_not_published_has_a_page_that_says_why(mixed: FlaskClient) -> None:
    shown = text(page(mixed, "/routes/shop/disabled"))
    assert "not published: traefik.enable is false" in shown
    assert shown.split("why", 1)[1].split()[:2] == ["closed", "enabled"]
    assert "not asked for, since gate enabled is closed" in shown


def test_a_service_that_says_nothing_to_the_bridge_has_one_too() -> None:
    with running(world(SHOES, UNTOLD)) as stage:
        assert "it has no label that begins with traefik." in text(page(client(stage), "/routes/shop/bare"))
        assert "/routes/shop/bare" in page(client(stage), "/?q=bare")


def test_keys_are_told_in_each_layout_with_what_asked_for_them(mixed: FlaskClient) -> None:
    shown = text(page(mixed, "/routes/shop/tuned"))
    assert "Keys for traefik1" in shown
    assert "Keys for traefik3" in shown
    answer = mixed.get("/api/routes/shop/tuned").json
    assert answer
    (one,) = answer["services"]
    by_key = {each["key"]: (each["value"], each["origin"]) for each in one["keys"]}
    assert by_key["/traefik/frontends/tuned__shop/priority"] == ("20", "labels")
    assert by_key["v3/traefik/http/routers/tuned__shop/rule"][0] == "Host(`tuned.shop.local`)"


@pytest.mark.parametrize("title", sorted({one.title for one in MIXED.services}))
def test_a_page_tells_what_explain_tells(mixed: FlaskClient, bridge: Bridge, title: str) -> None:
    ran = bridge(
        *("explain", title, "--source", f"file:{SAMPLES / 'mixed.stacks.json'}", "--output", "json"),
        *("--layout", "traefik1,traefik3=v3/traefik"),
    )
    told = mixed.get(f"/api/routes/{quote(title)}").json
    assert told
    assert told["services"] == ran.json["services"]


def test_what_it_answers_as_json_fits_the_schemas(mixed: FlaskClient) -> None:
    fits("page", found := mixed.get("/api/").json)
    assert found
    fits("page", mixed.get("/api/?q=shop").json)
    for one in MIXED.services:
        fits("explain", mixed.get(f"/api/routes/{one.title}").json)
    assert not Draft202012Validator(schema("page")).is_valid({**found, "new": 1})


def test_a_service_that_nobody_knows_is_not_found(mixed: FlaskClient) -> None:
    assert mixed.get("/routes/shop/nothing").status_code == 404
    assert mixed.get("/api/routes/shop/nothing").status_code == 404
    assert "no service of this name" in page(mixed, "/routes/shop/nothing")


def test_problems_come_with_their_remedy_and_notices_last(mixed: FlaskClient) -> None:
    shown = text(page(mixed))
    assert "Remedy: give it a health_check in rancher-compose.yml" in shown
    told = mixed.get("/api/").json
    assert told
    kinds = [one["notice"] for one in told["problems"]]
    assert kinds == sorted(kinds)
    assert (told["problems_found"], told["notices_found"]) == (kinds.count(False), kinds.count(True))


def test_a_search_finds_by_name_rule_address_and_words_in_any_order(mixed: FlaskClient) -> None:
    def found(words: str) -> set[str]:
        told = mixed.get(f"/api/?q={quote(words)}").json
        assert told
        return {one["service"] for one in told["routes"]}

    assert found("TUNED") == {"shop/tuned"}
    assert found("local wordpress") == {"blog/wordpress"}
    assert found("10.42.0.23") == {"shop/tuned"}
    assert found("nothing of it") == set()
    assert found("layout") == set()
    assert "None is found." in page(mixed, "/?q=nothing+of+it")


def test_last_syncs_tell_what_they_changed() -> None:
    with running(world(SHOES)) as stage:
        stage.shows(world(SHOES, SOCKS))
        told = client(stage).get("/api/").json
        assert told
        last = told["publishers"][0]["syncs"][0]
        assert last["result"] == "wrote"
        assert last["why"] == "the source changed"
        (touched,) = last["touched"]
        assert (touched["service"], touched["removed"]) == ("shop/socks", 0)
        assert touched["added"] > 3
        assert told["publishers"][0]["hour"][-1]["keys"] == last["keys"]
        shown = text(page(client(stage)))
        assert f"{touched['added']} added, 0 changed, 0 removed" in shown
        assert "because the source changed" in shown


def test_what_other_clusters_publish_is_told_as_theirs() -> None:
    with running(world(SHOES)) as stage, running(world(SHOES, SOCKS), cluster="west", server=stage.server):
        asked = client(stage)
        eventually(lambda: "shop/socks" in page(asked))
        told = asked.get("/api/").json
        assert told
        shoes, socks = told["routes"]
        assert shoes["clusters"] == [{"cluster": "default", "servers": 3}, {"cluster": "west", "servers": 3}]
        assert (socks["here"], socks["open"], socks["summary"]) == (False, True, "of cluster west")
        assert socks["rules"] == ["Host:socks.shop.local"]
        rows = {row["cluster"]: (row["state"], row["servers"]) for row in told["publishers"][0]["clusters"]}
        assert rows == {"default": ("led", 3), "west": ("led", 6)}
        fits("page", told)


def test_one_that_follows_says_who_leads() -> None:
    with running(world(SHOES)) as stage, running(world(SHOES), server=stage.server, replica="host-2") as other:
        eventually(lambda: "host-1 leads" in text(page(client(other))))
        assert "follows" in text(page(client(other)))


# What holds


def test_the_brake_is_told_with_what_it_holds_and_when_it_opens() -> None:
    many = [service(f"web-{at}", 4) for at in range(5)]
    with running(world(*many), manners=Manners(settle=0.0, confirm=0.0, brake_hold=500.0)) as stage:
        stage.shows(world(*map(without_health, many)))
        asked = client(stage)
        eventually(lambda: "the brake is shut" in page(asked))
        shown = text(page(asked))
        assert "The removal of 20 of 20 servers waits" in shown
        assert re.search(r"It opens by itself in 8 min \d+ s", shown)
        assert "a start with --force lets all go at once" in shown
        assert "shop/web-3" in shown.split("Held:")[1].split("Last syncs")[0]
        fits("page", asked.get("/api/").json)


def test_a_source_that_fails_is_told_with_the_age_of_what_is_shown() -> None:
    with running(world(SHOES)) as stage:
        stage.told.append(SourceError("the source", "hand:", "has gone <b>away</b>"))
        asked = client(stage)
        eventually(lambda: "the source fails" in page(asked))
        shown = page(asked)
        assert "has gone &lt;b&gt;away&lt;/b&gt;" in shown
        assert re.search(r"what is shown was read [\d.]+ s ago", text(shown))
        assert "Host:shoes.shop.local" in shown
        fits("page", asked.get("/api/").json)


def test_before_anything_was_read_it_says_so() -> None:
    with running(None) as stage:
        asked = client(stage)
        assert "the source has not been read yet" in text(page(asked))
        assert asked.get("/routes/shop/shoes").status_code == 404
        fits("page", asked.get("/api/").json)


def test_it_answers_where_the_loop_stands_still_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.web.health.LOOP", 0.1)
    with running(world(SHOES)) as stage:
        asked = client(stage)
    time.sleep(0.2)  # the loop has ended, and gives no sign
    assert "the loop stands still" in text(page(asked))
    assert "shop/shoes" in page(asked)


# Hostile words

SCRIPT = "<script>alert(1)</script>"
BREAKS = "\"'><img src=x onerror=alert(1)>"
BIDI = "a\u202egnp.exe\u2066"
LINES = "one\ntwo\r\u2028three\x1b[2J"
HALF = "half\ud800"
HOSTILE = (
    SCRIPT,
    BREAKS,
    BIDI,
    LINES,
    HALF,
    "{{ 7 * 7 }}",
    "{% raw %}",
    "../../etc",
    "a/b?c#d%41",
    "javascript:alert(1)",
)


def hostile() -> Snapshot:
    services = []
    for at, words in enumerate(HOSTILE):
        one = service(f"web-{at}")
        odd = {f"traefik.{words}": words, "traefik.frontend.rule": f"Host:{words}", "traefik.alias.fqdn": words}
        containers = tuple(replace(each, name=words, health_state=words) for each in one.containers)
        services.append(replace(one, name=words, uuid=words, labels={**one.labels, **odd}, containers=containers))
        well = with_labels(service(f"well-{at}"), frontend_rule=f"Host:well-{at}.example")
        services.append(replace(well, stack=words))
    return world(*services)


def test_names_and_labels_are_text_whatever_they_say() -> None:
    with running(hostile(), layouts=("traefik1", "traefik3")) as stage:
        asked = client(stage)
        links = re.findall(r'<a class="name"[^>]* href="([^"]*)"', page(asked))
        assert len(set(links)) >= 2 * len(HOSTILE) - 1
        for path in ("/", "/?q=" + quote(SCRIPT), "/?q=" + quote(BREAKS), *map(html.unescape, set(links))):
            answer = asked.get(path)
            assert answer.status_code == 200, path
            shown = answer.get_data(as_text=True)
            assert "<script>alert" not in shown
            assert "<img" not in shown
            assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\x1b\r]", shown)
            assert set(re.findall(r"<script[^>]*>", shown)) == {'<script src="/static/page.js" defer>'}
            assert all(one.startswith(("/", "#h-")) for one in re.findall(r'\s(?:href|src|action)="([^"]*)"', shown))
        assert html.escape(SCRIPT) in page(asked)
        assert "{{ 7 * 7 }}" in page(asked)
        assert "\\u202egnp.exe" in page(asked)
        assert "one\\ntwo\\r\\u2028three\\x1b[2J" in page(asked)
        told = asked.get("/api/").json
        assert told
        assert sum(one["open"] for one in told["routes"]) >= 2 * (len(HOSTILE) - 2)


@pytest.mark.parametrize("said", ["right", "wrong"])
def test_nothing_that_lets_somebody_in_is_told_anywhere(tmp_path: Path, said: str) -> None:
    labels = {**(SECRET if said == "right" else WRONG), "native": NATIVE[said]}
    seen = snapshot(Path(secret_world(tmp_path, labels).removeprefix("file:")).read_bytes(), "secret")
    with running(seen, layouts=("traefik1", "traefik3")) as stage:
        asked = client(stage)
        paths = ["/", "/api/", "/?q=zz", "/api/?q=auth"]
        for one in seen.services:
            paths += [f"/routes/{one.title}", f"/api/routes/{one.title}"]
        for path in paths:
            answer = asked.get(path)
            assert answer.status_code == 200
            assert "zzz" not in answer.get_data(as_text=True), path
        assert "(hidden)" in page(asked, f"/routes/{seen.services[0].title}")


# The door


@pytest.mark.parametrize("path", ["/", "/api/", "/routes/shop/tuned", "/static/page.js"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_it_can_only_be_read(mixed: FlaskClient, path: str, method: str) -> None:
    assert mixed.open(path, method=method).status_code == 405
    assert mixed.head(path).status_code == 200
    assert mixed.head(path).data == b""


@pytest.mark.parametrize(
    "path", ["/", "/api/", "/routes/shop/nothing", "/static/page.css", "/static/..%2fapp.py", "/x"]
)
def test_every_answer_is_kept_by_nobody_and_runs_nothing_that_is_not_its_own(mixed: FlaskClient, path: str) -> None:
    headers = mixed.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_a_page_has_no_script_and_no_style_of_its_own_inside(mixed: FlaskClient) -> None:
    for path in ("/", "/routes/shop/tuned"):
        shown = page(mixed, path)
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", shown)


def test_nothing_but_its_own_files_is_served(mixed: FlaskClient) -> None:
    assert mixed.get("/static/page.css").content_type == "text/css; charset=utf-8"
    for path in (
        "/static/app.py",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/templates/base.html",
    ):
        assert mixed.get(path).status_code == 404


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost:8090", "[::1]:8090", "127.0.0.2", "LOCALHOST"])
def test_on_this_machine_it_is_asked_by_its_address_or_as_localhost(mixed: FlaskClient, host: str) -> None:
    assert mixed.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8090", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", ""]
)
@pytest.mark.parametrize("path", ["/", "/api/", "/metrics", "/healthz"])
def test_a_name_that_somebody_made_to_lead_here_gets_nothing(mixed: FlaskClient, host: str, path: str) -> None:
    answer = mixed.get(path, headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert "shop" not in answer.get_data(as_text=True)


def test_where_others_may_ask_any_name_is_good() -> None:
    with running(world(SHOES)) as stage:
        assert client(stage, "0.0.0.0").get("/", headers={"Host": "bridge.example:8090"}).status_code == 200


def test_hosts_are_told_apart() -> None:
    assert [host_of(one) for one in ("a:1", "a", "[::1]:80", "[::1]", "")] == ["a", "a", "::1", "::1", ""]
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")


# Plots


def test_a_plot_has_a_bar_for_each_minute_in_which_something_was_written() -> None:
    now = 10_000.0
    hour = [
        {"at": now - 3599, "seconds": 0.5, "keys": 4, "failed": False},
        {"at": now - 30, "seconds": 1.0, "keys": 2, "failed": False},
        {"at": now - 10, "seconds": 2.0, "keys": 6, "failed": True},
        {"at": now - 3700, "seconds": 9.0, "keys": 99, "failed": False},
    ]
    took, wrote = plot(hour, "seconds", now), plot(hour, "keys", now)
    assert [(bar.x, bar.height, bar.failed) for bar in took.bars] == [(0, HEIGHT / 4, False), (295, HEIGHT, True)]
    assert (took.most, wrote.most, took.passes, took.failed) == (2.0, 8, 3, 1)
    assert all(0 <= bar.x <= WIDTH - bar.width and bar.y + bar.height == HEIGHT for bar in wrote.bars)
    assert plot([], "keys", now).bars == ()
