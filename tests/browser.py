"""A real browser: Chromium, which sees only what this machine serves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, PHONE = (1200, 900), (360, 640)
PATIENCE = 30_000  # milliseconds; a machine that runs other things too

expect.set_options(timeout=PATIENCE)


@contextmanager
def started() -> Iterator[Browser]:
    """With a folder of its own, which goes with it."""
    found = shutil.which("chromium")
    if found is None:
        pytest.fail("no chromium on the PATH: run make chromium, or put one there")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Tab:
    """One page in a profile of its own, and what went on in it."""

    page: Page
    origin: str
    asked: list[str] = field(default_factory=list)  # every URL
    complaints: list[str] = field(default_factory=list)  # errors of scripts, refused styles, dialogs

    def open(self, path: str = "/") -> None:
        """Go there."""
        self.page.goto(self.origin + path)

    def violations(self) -> str:
        """What keeps people with disabilities from using it; empty where nothing does."""
        found = Axe().run(self.page)
        return found.generate_report() if found.violations_count else ""

    def well(self) -> bool:
        """Whether it asked nobody else, and nothing went wrong in it."""
        return all(one.startswith(self.origin + "/") for one in self.asked) and not self.complaints


@contextmanager
def tab(
    browser: Browser, origin: str, *, size: tuple[int, int] = WIDE, dark: bool = False, script: bool = True
) -> Iterator[Tab]:
    """Closed behind the block."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    found = Tab(context.new_page(), origin)
    page = found.page

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.complaints.append(message.text)

    def refuse(dialog: Dialog) -> None:
        found.complaints.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("request", lambda request: found.asked.append(request.url))
    page.on("console", hear)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("dialog", refuse)
    try:
        yield found
    finally:
        context.close()
