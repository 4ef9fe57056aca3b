"""The page of a run in a browser: it opens from the disk, draws, follows keys, and asks for nothing."""

import pytest

from support.browser import NARROW, WIDE
from support.reports import page_of, write_run


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("runs"))
    page_of(run)
    return (run / "report.html").as_uri()


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_it_opens_from_the_disk_and_shows_what_was_recorded(sheet, address, size, scheme):
    page = sheet(address, size, color_scheme=scheme)
    assert page.locator(".tiles strong").first.inner_text() == "6.5"
    chart = page.locator("figure", has=page.get_by_text("What memory is worth")).locator(".chart")
    assert "300gap2.5" in chart.inner_text()
    chart.focus()
    page.keyboard.press("ArrowRight")
    assert "100gap0.5" in chart.inner_text()  # the first point
    assert page.locator("canvas").count() == page.locator("figure .chart").count() == 9
    town = page.locator(".map svg")
    assert town.is_visible() and town.bounding_box()["width"] <= size[0] and "75" in town.text_content()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    assert page.locator("canvas").count() == 9  # drawn anew in its other colours


def test_without_scripts_the_numbers_are_there(sheet, address):
    page = sheet(address, java_script_enabled=False)
    assert "which is off" in page.locator("noscript").inner_text()
    page.locator("figure summary").first.click()
    assert page.locator("figure table").first.is_visible()
