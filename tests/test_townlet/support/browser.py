"""A browser without a window: one process for all tests of a file, a sheet of its own for each test."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# What a browser does by itself that no test wants: it asks its makers for news, and needs what a container has not.
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, NARROW = (1280, 800), (390, 844)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, Playwright's own or the machine's; skips where neither is there.

    For a file alone, since Playwright keeps a loop of asyncio in this thread, where others could then run none.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra `dev`)")
    with playwright.sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=_installed(driver), args=QUIET)
        except playwright.Error as error:
            pytest.skip(f"no browser can be started: {str(error).splitlines()[0]}")
        yield started
        started.close()


def _installed(driver: Any) -> str | None:
    """Where the machine's own browser lies, if Playwright has none; None lets Playwright take its own.

    One that has no windows at all, as Playwright's own, needs a third of the time of one that can open them.
    """
    if Path(driver.chromium.executable_path).exists():
        return None
    found = (
        shutil.which(name) for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    )
    return next(filter(None, found), None)


@pytest.fixture
def sheet(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address in a fresh window: `sheet(address, size=NARROW, color_scheme="dark")` is Playwright's page.

    At the end of the test nothing may have been written into the console as an error, and nothing may have been asked
    for from anywhere but where the page lies: a file for itself alone, a served page for its own origin.
    """
    windows, wrong = [], []

    def open_sheet(address: str, size: tuple[int, int] = WIDE, before: str = "", **options: Any) -> Any:
        window = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        windows.append(window)
        page = window.new_page()
        own = origin(address)
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if is_own(asked.url, own) else wrong.append(asked.url))
        page.set_default_timeout(60_000)
        page.add_init_script(before)  # what runs before the page's own
        page.goto(address)
        return page

    yield open_sheet
    for window in windows:
        window.close()
    assert wrong == []


def wait_until(page: Any, holds: str, given: Any = None) -> None:
    """Wait until a function of the page, as text, gives true. Raises AssertionError after a minute.

    It is asked from outside again and again: to wait within, Playwright would make code of a text, which the page's
    Content-Security-Policy forbids.
    """
    deadline = time.monotonic() + 60
    while not page.evaluate(holds, given):
        assert time.monotonic() < deadline, f"expected {holds} of {given}"
        page.wait_for_timeout(20)


def drawn(page: Any) -> None:
    """Wait for the screen's next frame, in which the page draws what the last key or click has changed."""
    page.evaluate("() => new Promise(requestAnimationFrame)")


def origin(address: str) -> str:
    """What all that a page may ask for begins with."""
    found = re.match(r"https?://[^/]+/", address)
    return found[0] if found else address.partition("#")[0]


def is_own(asked: str, own: str) -> bool:
    return asked.startswith((own, "data:", "about:", "blob:"))
