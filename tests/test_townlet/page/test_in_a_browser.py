"""The page as a person uses it, in a browser: one file from the disk, which asks for nothing else."""

import base64
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.browser import NARROW, drawn, wait_until
from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.replays import CPU, origin_of, play, tampered
from townlet.commands.lives.notebook import Shown
from townlet.config import load_level
from townlet.page.html import SITE, to_html
from townlet.page.recorder import Wanted, record
from townlet.page.replay import unpack
from townlet.population.evaluation import RandomPolicy

pytestmark = pytest.mark.browser

SHORT = {**SMALL_NETWORK, **FEW_MAPS, "meters.energy.initial": 0.3, "max_steps": 60}


@pytest.fixture(scope="module")
def packed():
    """Three short lives of a level with a clock and hours, by agents that act at random."""
    level = load_level("3", SHORT)
    noted, _ = play(level, RandomPolicy(1, CPU), 3)
    return record(level, network_of(level), noted, Wanted(range(3)), origin_of(level))


@pytest.fixture(scope="module")
def lived(packed):
    return unpack(packed)


@pytest.fixture(scope="module")
def file(packed, tmp_path_factory):
    """The page of these lives, as an address on the disk."""
    path = tmp_path_factory.mktemp("page") / "a page.html"
    path.write_text(to_html(packed))
    return path.as_uri()


@pytest.fixture
def opened(sheet, file):
    """Opens the page of these lives, at a part of it that `#...` names, and waits until it is drawn."""

    def open_page(part="", *size, **options):
        page = sheet(file + part, *size, **options)
        page.locator(".life[aria-valuenow]").wait_for()
        return page

    return open_page


def shows(page, **wanted):
    """See that the page comes to show a `step`, by its timeline, and an `agent`, by the bar on top."""
    wait_until(page, f"wanted => Object.entries(wanted).every(([name, at]) => ({SHOWN})[name] === at)", wanted)


SHOWN = """({ step: Number(document.querySelector(".life").getAttribute("aria-valuenow")),
             agent: document.querySelector(".lives select").selectedIndex })"""


def drop(page, content, name="one.replay"):
    """Drop a file onto the page, as a mouse does."""
    page.evaluate(
        """([content, name]) => {
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), carried = new DataTransfer();
          carried.items.add(new File([bytes], name));
          const what = { dataTransfer: carried, bubbles: true, cancelable: true };
          for (const kind of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, what));
        }""",
        [base64.b64encode(content).decode(), name],
    )


# --- what is shown ------------------------------------------------------------------------------------------------


def test_numbers_that_are_shown_are_those_that_were_lived(opened, file, lived):
    page, length = opened(), lived.lives[0].length
    day = lived.header.world.day_ticks
    for frame in (0, 7, length):
        page.goto(f"{file}#agent=0&step={frame}")
        shows(page, step=frame)
        x, y = lived["position"][0, :, frame]
        tick = int(lived["tick"][0, 0, frame])
        hour = tick % day * 24 // day
        assert page.locator(".where").inner_text() == f"Step {frame} of {length}"
        assert page.locator(".town .time").inner_text() == f"{hour:02}:00"
        assert page.locator(".controls .quiet").inner_text() == f"day {tick // day + 1}, {hour:02}:00"
        told = page.locator("canvas.map").get_attribute("aria-label")
        assert told.startswith(f"The town. The agent is in column {x + 1}, row {y + 1}. ")
    assert page.locator(".doing").inner_text() == "Died: energy was empty"


def test_every_life_is_told_with_its_length_and_its_end(opened, lived):
    page = opened()
    page.get_by_role("tab", name="All lives").click()
    drawn(page)
    rows = page.locator(".population button")
    lengths = [int(re.search(r"(\d+) steps", text)[1]) for text in rows.all_inner_texts()]
    assert lengths == sorted((life.length for life in lived.lives), reverse=True)
    rows.nth(2).click()
    shortest = min(range(3), key=lambda life: (lived.lives[life].length, -life))
    shows(page, agent=shortest)
    assert rows.nth(2).get_attribute("aria-current") == "true"


def test_a_cell_is_told_in_words_and_as_the_agent_knows_it(opened, lived):
    page = opened()
    town, facts = page.locator("canvas.map"), page.locator(".facts")
    x, y = lived.lives[0].places[0]
    at = town.evaluate(
        """(canvas, [x, y, across, down]) => {
          const side = Math.floor(Math.min(canvas.clientWidth / across, canvas.clientHeight / down));
          return { x: (canvas.clientWidth - side * across) / 2 + (x + 0.5) * side,
                   y: (canvas.clientHeight - side * down) / 2 + (y + 0.5) * side };
        }""",
        [x, y, lived.header.world.width, lived.header.world.height],
    )
    page.get_by_role("button", name="As it is").click()
    town.click(position=at)
    drawn(page)
    assert facts.inner_text() == "Bed. Gives energy +50%, health +2%. Takes money \u22125%. Lasts 5 steps."
    page.get_by_role("button", name="As the agent sees it").click()
    facts.filter(has_not_text="Bed").wait_for()  # it never stood there
    page.keyboard.press("Escape")


def test_all_that_matters_is_in_sight_at_once(opened):
    wide = opened()
    assert wide.evaluate("document.documentElement.scrollHeight <= innerHeight")
    narrow = opened("", NARROW, color_scheme="dark")
    assert narrow.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for page in (wide, narrow):
        for part in ("canvas.map", ".life", ".transport"):
            box, size = page.locator(part).bounding_box(), page.viewport_size
            assert box["y"] >= 0 and box["y"] + box["height"] <= size["height"], part
            assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"], part


def test_what_is_no_list_is_in_sight_as_a_whole_below_the_panels(opened):
    page = opened()
    for tab in ("memory", "reward", "visits"):
        page.locator(f"#tab-{tab}").click()
        drawn(page)
        high, shown = page.evaluate(
            "id => ['scrollHeight', 'clientHeight'].map((of) => document.getElementById(id)[of])", tab
        )
        assert high <= shown, tab


def test_light_and_dark_can_be_chosen_against_the_machines_own(opened):
    page = opened(color_scheme="dark")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(paper)
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(paper) != dark
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(paper) == dark


# --- moving about -------------------------------------------------------------------------------------------------


def test_keys_do_what_their_list_says(opened, lived):
    page, last = opened(), lived.lives[0].length
    for key, comes in (
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("ArrowLeft", 0), ("ArrowLeft", 0),
        ("Shift+ArrowRight", 10), ("Shift+ArrowLeft", 0), ("End", last), ("ArrowRight", last), ("Home", 0),
    ):  # fmt: skip
        page.keyboard.press(key)
        shows(page, step=comes)
    for key, comes in (("j", 1), ("ArrowDown", 2), ("j", 2), ("k", 1), ("ArrowUp", 0)):
        page.keyboard.press(key)
        shows(page, agent=comes)
    page.keyboard.press("f")
    page.locator("button[aria-pressed=true]", has_text="As it is").wait_for()
    page.keyboard.press("1")
    page.locator(".fast", has_text="0.5/s").wait_for()
    page.keyboard.press("?")
    listed = page.get_by_role("dialog").locator("dt").all_inner_texts()
    assert "Space" in listed and "?" in listed
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0


def test_it_plays_to_the_end_and_stops_there(opened, lived):
    page, last = opened(), lived.lives[0].length
    page.keyboard.press("7")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause (space)").wait_for()
    shows(page, step=last)
    page.get_by_role("button", name="Play (space)").wait_for()


def test_the_timeline_is_scrubbed_by_pointer_and_by_keys(opened, lived):
    page, last = opened(), lived.lives[0].length
    life = page.locator(".life")
    box = life.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    shows(page, step=int(last / 2 + 0.5))
    page.mouse.move(box["x"] + box["width"] + 50, middle)
    page.mouse.up()
    page.mouse.move(box["x"], middle)
    shows(page, step=last)
    life.focus()
    page.keyboard.press("PageDown")
    shows(page, step=max(0, last - 50))


def test_a_link_leads_to_the_moment_and_going_back_to_the_life_before(opened):
    page = opened("#agent=1&step=5")
    shows(page, agent=1, step=5)
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("#agent=2&step=6"))
    link = page.url
    page.go_back()
    shows(page, agent=1)
    page.go_forward()
    shows(page, agent=2)
    page.goto("about:blank")
    page.goto(link)
    shows(page, agent=2, step=6)


def test_an_address_that_asks_for_what_is_not_there_shows_what_is(opened, file, lived):
    page, last = opened(), lived.lives[0].length
    for asked, step in (("agent=99&step=5", 5), ("agent=x&step=-3", 5), ("step=99999", last), ("%E0%A4%A", last),
                        ("agent=0&step=1&tab=nobody", 1), ("&&=", 1)):  # fmt: skip
        page.goto(f"{file}#{asked}")
        shows(page, agent=0, step=step)


# --- other files --------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_replay_is_told_in_a_sentence_and_what_was_there_stays(opened, file, packed):
    page = opened()
    alert = page.get_by_role("alert")
    damaged = "This is no whole replay of Townlet: its bytes are damaged, cut off, or of another kind of file."
    newer = tampered(packed, lambda header: header.update(format="townlet-replay/9"))
    for content, said in (
        (b"", "This file is empty; expected a replay of Townlet."),
        (packed[:-40], damaged),
        (b"<html></html>", damaged),
        (newer, "This page reads townlet-replay/1, and the file is townlet-replay/9: of another version."),
    ):  # fmt: skip
        drop(page, content)
        wait_until(page, "said => document.querySelector('[role=alert]')?.textContent === said", said)
        assert alert.is_visible() and page.locator("canvas.map").is_visible()
    drop(page, packed)
    alert.wait_for(state="hidden")


def test_a_page_without_a_replay_asks_for_one_and_shows_it(sheet, packed, served):
    page = sheet(f"{served}/index.html")
    assert page.get_by_role("heading", name="Watch small lives in a town").is_visible()
    assert page.locator("canvas.map").is_hidden() and page.locator(".proof").is_hidden()
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Open a replay …").click()
    chosen.value.set_files({"name": "a.replay", "mimeType": "", "buffer": packed})
    page.locator("canvas.map").wait_for()


def test_names_that_are_hostile_are_text(sheet, packed, tmp_path):
    hostile = "</script><img src=x onerror=alert(1)>"

    def rename(header):
        header["world"]["affordances"][0]["name"] = header["level"]["name"] = hostile
        header["world"]["meters"][0]["name"] = header["world"]["actions"][0]["name"] = hostile

    (tmp_path / "hostile.html").write_text(to_html(tampered(packed, rename), hostile))
    page = sheet((tmp_path / "hostile.html").as_uri())
    page.on("dialog", lambda dialog: pytest.fail("a name was run"))
    for tab in page.get_by_role("tab").all():
        tab.click()
    page.keyboard.press("End")
    drawn(page)
    assert page.locator("img").count() == 0 and "<img" in page.locator(".level").inner_text().lower()


# --- other places -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(packed, tmp_path_factory):
    """The address of a server that has the site and a replay, as files."""
    root = tmp_path_factory.mktemp("served")
    (root / "site").symlink_to(SITE)
    (root / "one.replay").write_bytes(packed)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/site"
        server.shutdown()


def test_a_served_page_plays_the_replay_that_its_address_names(sheet, served):
    page = sheet(f"{served}/index.html?replay=/one.replay#agent=2&step=3")
    page.locator("canvas.map").wait_for()
    shows(page, agent=2, step=3)


def test_a_replay_from_elsewhere_is_not_asked_for(sheet, served):
    page = sheet(f"{served}/index.html?replay=http://example.invalid/one.replay")
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == (
        "This page reads replays from where it lies itself alone; open the file instead."
    )


def test_it_plays_within_a_notebook(sheet, lived, tmp_path):
    (tmp_path / "notebook.html").write_text(f"<!doctype html>{Shown(lived, 700)._repr_html_()}")
    page = sheet((tmp_path / "notebook.html").as_uri())
    inside = page.frame_locator("iframe")
    inside.get_by_role("button", name="A step on (right arrow)").click()
    inside.locator(".life[aria-valuenow='1']").wait_for()
    assert inside.get_by_role("button", name="Copy a link to this moment").count() == 0
