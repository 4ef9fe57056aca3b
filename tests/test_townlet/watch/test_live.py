"""A run in a browser: its facts and curves, its newest agent, and a server that goes and comes again."""

import shutil
from pathlib import Path

import pytest

from support.browser import wait_until
from support.rooms import room, train_briefly
from support.watching import PATIENCE, watching
from townlet.watch import hub, stream

pytestmark = pytest.mark.browser

MAPS = {"kind": "random", "training_maps": 1, "evaluation_maps": 2}
REPLAYS = {"every": 16, "keep": 2, "agents": 2}
NEWEST = ".live select"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 32 steps in the room, in which breath lasts for five ticks; lives are recorded at 16 and at 32."""
    folder = tmp_path_factory.mktemp("runs")
    return train_briefly(folder, room(layout=MAPS, replays=REPLAYS), "run", "--evaluate-every", "16")


@pytest.fixture(autouse=True)
def at_short_notice(monkeypatch):
    """The server looks into the folder more often than once a second, and a page asks again sooner."""
    monkeypatch.setattr(hub, "SECONDS_BETWEEN_LOOKS", 0.1)
    monkeypatch.setattr(stream, "RETRY", 100)


@pytest.fixture
def run(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_the_run_is_told_and_its_newest_agent_is_shown(trained, sheet):
    with watching(trained) as up:
        page = sheet(up.address)
        page.wait_for_selector("#town:visible")
        assert page.inner_text(".live .stands") == "run: The training is over, after 32 steps."
        assert page.eval_on_selector(NEWEST, "one => one.selectedOptions[0].text") == "newest agent: after 32 steps"
        assert "after 32 steps" in page.inner_text(".about")
        page.click("#tab-training")
        told = page.inner_text("#training")
        for text in ("32 of 32", "survival", "greedy 5", "memory gap", "TD error", "causes of death", "breath"):
            assert text in told
        drawn = "one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some((part) => part > 0)"
        assert page.eval_on_selector_all("#training canvas", f"all => all.map({drawn})") == [True] * 3


def test_who_chose_an_agent_stays_with_it_and_others_are_led_to_the_newest(run, sheet):
    later = run / "replays" / "step_000000032.replay"
    aside = Path(shutil.move(later, run / "later"))
    with watching(run) as up:
        stays, follows = sheet(up.address), sheet(up.address)
        for page in (stays, follows):
            page.wait_for_selector("#town:visible")
            page.keyboard.press("End")
        wait_until(stays, "() => document.querySelector('.live select').options.length === 1")
        shutil.copy(aside, run / "replays" / "step_000000024.replay")  # a link would be refused
        wait_until(follows, "() => document.querySelector('.about').textContent.includes('after 32 steps')")
        stays.select_option(NEWEST, "replays/step_000000016.replay")
        wait_until(stays, "() => document.querySelector('.about').textContent.includes('after 16 steps')")
        shutil.move(aside, later)
        wait_until(stays, "() => document.querySelector('.live select').options.length === 3")
        assert "after 16 steps" in stays.inner_text(".about")


def test_a_run_without_an_agent_shows_its_curves_and_says_what_it_waits_for(run, sheet):
    for name in ("replays", "checkpoints"):
        shutil.rmtree(run / name)
    with watching(run) as up:
        page = sheet(up.address)
        wait_until(page, "() => document.querySelector('.empty').textContent.includes('survival')")
        assert "Agents are shown once the first is saved, after about 1 steps." in page.inner_text(".empty")


def test_a_page_whose_server_is_gone_says_so_and_is_told_again_when_it_is_back(trained, browser):
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE * 1000)
    with watching(trained) as up:
        page.goto(up.address)
        page.wait_for_selector("#town:visible")
        assert page.locator(".live [role=alert]").is_hidden()
    page.wait_for_selector(".live [role=alert]:visible")
    assert "asks again by itself" in page.inner_text(".live [role=alert]")
    assert page.locator("#town").is_visible()
    with watching(trained, port=up.port):
        page.wait_for_selector(".live [role=alert]", state="hidden")
        wait_until(page, "() => document.querySelector('.live .stands').textContent.startsWith('run: ')")
    page.context.close()
