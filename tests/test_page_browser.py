"""The status page as a person uses it: in a real Chromium, over real loops on a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bridge.daemon.gate import Manners
from bridge.sources.document import snapshot
from bridge.web.server import serve
from tests.boards import Stage, running
from tests.browser import PHONE, WIDE, Tab, started, tab
from tests.publishing import service, without_health, world
from tests.servers import free_ports
from tests.test_page import BREAKS, SCRIPT, hostile

MIXED = snapshot((Path(__file__).parent / "samples" / "mixed.stacks.json").read_bytes(), "mixed")
MANY = [service(f"web-{at:02}") for at in range(40)]
SEVERAL = 12_000  # milliseconds, in which it asks twice at least

pytestmark = pytest.mark.timeout(300)  # a browser on a machine that runs other things too


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


@contextmanager
def shown(stage: Stage) -> Iterator[str]:
    """Where it is served."""
    port = free_ports(1)[0]
    serve(stage.board, "127.0.0.1", port)
    yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def mixed() -> Iterator[str]:
    with running(MIXED, layouts=("traefik1", "traefik3")) as stage, shown(stage) as origin:
        yield origin


@contextmanager
def looking(browser: Browser, stage: Stage, *, dark: bool = False, script: bool = True) -> Iterator[Tab]:
    with ExitStack() as stack:
        origin = stack.enter_context(shown(stage))
        yield stack.enter_context(tab(browser, origin, dark=dark, script=script))


# How it looks


LIGHT, DARK = False, True


@pytest.mark.parametrize(
    ("path", "size", "dark"),
    [
        ("/", WIDE, LIGHT),
        ("/", WIDE, DARK),
        ("/", PHONE, LIGHT),
        ("/routes/shop/tuned", PHONE, DARK),
        ("/routes/shop/tuned", WIDE, LIGHT),
        ("/routes/shop/disabled", WIDE, DARK),
        ("/routes/shop/disabled", PHONE, LIGHT),
        ("/routes/shop/nothing", PHONE, DARK),
    ],
)
def test_everybody_can_use_it(browser: Browser, mixed: str, path: str, size: tuple[int, int], dark: bool) -> None:
    """On a phone nothing is wider than the screen, and by axe's rules nothing is hard to see or to reach."""
    with tab(browser, mixed, size=size, dark=dark) as found:
        found.open(path)
        for one in found.page.locator("details").all():
            one.evaluate("node => node.open = true")
        assert found.violations() == ""
        assert found.page.evaluate("document.documentElement.scrollWidth") == size[0]
        light = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, light.strip("rgb()").split(","))) < 200) is dark
        missing = path.endswith("nothing")
        assert missing or found.well()


def test_what_holds_is_seen_and_can_be_read_by_all(browser: Browser) -> None:
    many = [service(f"web-{at}", 4) for at in range(5)]
    with running(world(*many), manners=Manners(settle=0.0, confirm=0.0, brake_hold=500.0)) as stage:
        stage.shows(world(*map(without_health, many)))
        for dark in (False, True):
            with looking(browser, stage, dark=dark) as found:
                found.open()
                expect(found.page.locator(".alarm")).to_contain_text("the brake is shut")
                assert found.violations() == ""


# Hostile words


def test_hostile_names_are_read_as_text_and_run_nothing(browser: Browser) -> None:
    with running(hostile(), layouts=("traefik1", "traefik3")) as stage, looking(browser, stage) as found:
        for path in ("/", "/?q=alert", "/routes/shop/" + SCRIPT, "/routes/shop/" + BREAKS):
            found.open(path)
            expect(found.page.locator("main")).to_contain_text(BREAKS if path.endswith(BREAKS) else SCRIPT)
            assert found.page.locator("main script, main img, main style, main iframe").count() == 0
            assert found.page.title() != "49"
        found.open()
        expect(found.page.locator("main")).to_contain_text("a\\u202egnp.exe\\u2066")
        expect(found.page.locator("main")).to_contain_text("one\\ntwo\\r\\u2028three\\x1b[2J")
        found.page.get_by_role("link", name=f"shop/{SCRIPT}", exact=True).first.click()
        expect(found.page.locator("h1")).to_have_text(f"shop/{SCRIPT}")
        assert found.well(), (found.asked, found.complaints)


def test_a_rule_against_scripts_inside_stands_also_in_the_browser(browser: Browser, mixed: str) -> None:
    """Should a name slip through one day, what it says is not run."""
    with tab(browser, mixed) as found:
        found.open()
        found.page.evaluate("""() => {
            const one = document.createElement("script");
            one.textContent = "document.title = 'run'";
            document.body.append(one);
        }""")
        assert found.page.title() != "run"
        assert any("Content Security Policy" in one for one in found.complaints)


# It refreshes itself


def test_a_refresh_loses_nobodys_place(browser: Browser) -> None:
    """Services come above, and what is open, seen and focused stays so."""
    with running(world(*MANY)) as stage, looking(browser, stage) as found:
        page = found.page
        found.open()
        row = page.locator("li.route", has=page.get_by_role("link", name="shop/web-30"))
        row.locator("summary").click()
        row.locator("summary").focus()
        row.scroll_into_view_if_needed()
        before = row.bounding_box()
        stage.shows(world(*MANY, *(service(f"a-{at}") for at in range(5))))
        expect(page.get_by_role("link", name="shop/a-3")).to_have_count(1)
        after = row.bounding_box()
        assert before
        assert after
        assert page.evaluate("window.scrollY") > 500
        assert abs(after["y"] - before["y"]) < 2
        assert row.locator("details").evaluate("node => node.open")
        assert row.locator("summary").evaluate("node => node === document.activeElement")
        assert page.locator("li.route details[open]").count() == 1
        assert found.well(), found.complaints


def test_what_turns_unhealthy_is_seen_without_a_reload(browser: Browser) -> None:
    with running(world(*MANY[:2])) as stage, looking(browser, stage) as found:
        found.open()
        stage.shows(world(without_health(MANY[0], "web-00-1"), MANY[1]))
        expect(found.page.locator("li.route").first).to_contain_text("2 of 3 get requests")


def test_nothing_is_swapped_under_a_selection(browser: Browser) -> None:
    with running(world(*MANY[:2])) as stage, looking(browser, stage) as found:
        found.open()
        found.page.evaluate("getSelection().selectAllChildren(document.querySelector('li.route code'))")
        stage.shows(world(*MANY[:3]))
        with pytest.raises(AssertionError):
            expect(found.page.locator("li.route")).to_have_count(3, timeout=SEVERAL)
        assert found.page.evaluate("String(getSelection())") == "Host:web-00.shop.local"
        found.page.evaluate("getSelection().removeAllRanges()")
        expect(found.page.locator("li.route")).to_have_count(3)


def test_a_bridge_that_does_not_answer_is_told_and_what_was_shown_stays(browser: Browser) -> None:
    with running(world(*MANY[:2])) as stage, looking(browser, stage) as found:
        found.open()
        found.page.context.set_offline(True)
        expect(found.page.locator("#state")).to_contain_text("does not answer")
        assert found.page.locator("li.route").count() == 2
        assert found.violations() == ""
        found.page.context.set_offline(False)
        expect(found.page.locator("#state")).to_have_text("")


# Search


def test_a_search_shows_what_it_finds_while_one_types(browser: Browser) -> None:
    with running(world(*MANY)) as stage, looking(browser, stage) as found:
        found.open()
        field = found.page.get_by_label("Search")
        field.press_sequentially("web-07")
        expect(found.page.locator("li.route")).to_have_count(1)
        expect(field).to_be_focused()
        assert found.page.url.endswith("/?q=web-07")
        field.fill("")
        expect(found.page.locator("li.route")).to_have_count(40)
        assert found.well(), found.complaints


def test_without_script_one_searches_and_reads_all_the_same(browser: Browser) -> None:
    with running(world(*MANY)) as stage, looking(browser, stage, script=False) as found:
        found.open()
        found.page.get_by_label("Search").fill("web-07")
        found.page.get_by_role("button", name="Find").click()
        expect(found.page.locator("li.route")).to_have_count(1)
        found.page.get_by_role("link", name="shop/web-07").click()
        expect(found.page.locator("main")).to_contain_text("published, with 3 servers")


def test_a_service_that_is_not_published_is_found_and_explained(browser: Browser) -> None:
    bare = replace(service("bare"), labels={})
    with running(world(MANY[0], bare)) as stage, looking(browser, stage) as found:
        found.open()
        found.page.get_by_label("Search").fill("bare")
        found.page.get_by_role("link", name="shop/bare").click()
        expect(found.page.locator("main")).to_contain_text("it has no label that begins with traefik.")
