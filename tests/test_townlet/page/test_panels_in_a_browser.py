"""The panels beside the town, in a browser: their numbers are the recorded ones, and their sentences lead there."""

import pytest

from support.browser import NARROW, drawn, wait_until
from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.replays import CPU, origin_of, play
from townlet.config import load_level
from townlet.page.html import to_html
from townlet.page.recorder import Wanted, record
from townlet.page.replay import unpack
from townlet.population.evaluation import RandomPolicy

pytestmark = pytest.mark.browser

SHORT = {**FEW_MAPS, "meters.energy.initial": 0.3, "max_steps": 60}
TABS = ("memory", "ending", "reward", "visits")


def page_of(name, folder, changes):
    """A short life of a level by an agent that acts at random: its page on the disk, and what was recorded."""
    level = load_level(name, SHORT | changes)
    noted, _ = play(level, RandomPolicy(1, CPU), 1)
    packed = record(level, network_of(level), noted, Wanted([0]), origin_of(level))
    path = folder / f"{name}.html"
    path.write_text(to_html(packed))
    return path.as_uri(), unpack(packed)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    return page_of("3", tmp_path_factory.mktemp("panels"), SMALL_NETWORK)


def at_step(page, address, step):
    page.goto(f"{address}#agent=0&step={step}")
    shows(page, step)


def shows(page, step):
    wait_until(page, "step => document.querySelector('.life').getAttribute('aria-valuenow') === step", str(step))


def numbers(page, selector):
    return [float(text) for text in page.locator(selector).all_inner_texts() if text != "\N{EN DASH}"]


def test_values_of_the_lens_are_the_recorded_ones_of_what_is_allowed(sheet, lived):
    address, one = lived
    page = sheet(address)
    for step in (0, 9):
        at_step(page, address, step)
        allowed = [one["allowed"][0, 0, step] >> action & 1 for action in range(len(one.header.world.actions))]
        for column, part in (("q", "first"), ("q_blank", "last")):
            wanted = [value for value, may in zip(one[column][0, :, step], allowed, strict=True) if may]
            assert numbers(page, f".lens-row .number span:{part}-child") == pytest.approx(wanted, abs=6e-4)
        assert page.locator(".lens-row.forbidden").count() == allowed.count(0)
        chosen = one.header.world.actions[one["action"][0, 0, step]].name
        assert page.locator(".lens-row.chosen .name").inner_text().startswith(chosen)


def test_meters_and_rewards_are_the_recorded_ones(sheet, lived):
    address, one = lived
    page, step = sheet(address), 9
    at_step(page, address, step)
    shown = [text.removesuffix("%") for text in page.locator(".meter b").all_inner_texts()]
    for text, value in zip(shown, one["meters"][0, :, step], strict=True):
        assert text == "<1" if 5e-5 <= value < 0.01 else abs(float(text) - 100 * value) <= 0.51
    page.locator("#tab-reward").click()
    drawn(page)
    paid = one["reward"][0, :, : step + 1]
    assert numbers(page, ".reward tbody td:nth-child(2)") == pytest.approx(paid[:, step].tolist(), abs=6e-4)
    assert numbers(page, ".reward tfoot td:last-child span") == pytest.approx([paid.sum()], abs=2e-3)


def test_a_death_is_told_and_each_of_its_sentences_leads_there(sheet, lived):
    address, one = lived
    page, life = sheet(address), one.lives[0]
    assert life.ended == "death"
    page.locator("#tab-ending").click()
    drawn(page)
    sentences = page.locator(".ending button")
    name = one.header.world.meters[life.cause].name
    assert sentences.first.inner_text() == f"It died at step {life.length}: {name} was empty."
    sentences.first.click()
    shows(page, life.length)
    assert page.locator("#story li").first.inner_text().startswith("It died at step")
    leads = int(sentences.last.get_attribute("title").removeprefix("Go to step "))
    assert leads < life.length
    sentences.last.click()
    shows(page, leads)


def test_a_meter_that_is_asked_for_is_told_of(sheet, lived):
    address, one = lived
    page = sheet(address, NARROW)
    row = page.locator(".meter").nth([meter.name for meter in one.header.world.meters].index("hygiene"))
    row.click()
    drawn(page)
    assert row.get_attribute("aria-pressed") == "true"
    assert page.locator("#meters .says").inner_text().startswith("Hygiene loses 0.3% a tick")


@pytest.mark.parametrize(("name", "network"), [("1", {"network.hidden": [12]}), ("2", SMALL_NETWORK)])
def test_panels_can_be_looked_through_with_memory_and_without(sheet, tmp_path, name, network):
    address, one = page_of(name, tmp_path, network)
    page = sheet(address, color_scheme="dark")
    at_step(page, address, 3)
    for tab in TABS:
        page.locator(f"#tab-{tab}").click()
        drawn(page)
        assert page.locator(f"#{tab}").inner_text().strip()
    remembers = bool(one.header.memory)
    page.locator("#tab-memory").click()
    drawn(page)
    assert page.locator("canvas.heat").is_visible() == remembers
    assert page.locator(".lens-row").first.locator(".worth").count() == 1 + remembers
