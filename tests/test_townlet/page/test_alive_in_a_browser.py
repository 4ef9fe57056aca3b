"""Lives that the page lives itself, as a person makes them in a browser: forks, changes by hand, games, and links."""

import re

import pytest

from support.browser import NARROW, drawn, wait_until
from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.replays import CPU, origin_of, play, recording, tampered
from townlet.config import load_level
from townlet.page.html import to_html
from townlet.page.recorder import Wanted, record
from townlet.page.replay import unpack
from townlet.population.evaluation import RandomPolicy

pytestmark = pytest.mark.browser

SHORT = {**SMALL_NETWORK, **FEW_MAPS, "meters.energy.initial": 0.3, "max_steps": 60}
AGENTS = 2


def record_lives(**wanted):
    """Greedy lives of a level with a clock, by a network that has not learned."""
    level = load_level("3", SHORT)
    return recording(level, network_of(level), AGENTS, **wanted)


@pytest.fixture(scope="module")
def packed():
    return record_lives()


@pytest.fixture(scope="module")
def lived(packed):
    return unpack(packed)


@pytest.fixture
def opened(sheet, packed, tmp_path):
    """Opens the page of these lives, or of `other` ones, at a part that `#...` names, and waits until it is drawn."""

    def open_page(part="", *size, other=None, **options):
        (tmp_path / "page.html").write_text(to_html(other or packed))
        page = sheet((tmp_path / "page.html").as_uri() + part, *size, **options)
        page.locator(".life[aria-valuenow]").wait_for()
        return page

    return open_page


def follows(page, label, after=": "):
    """Wait until the life of a label is followed and drawn, told in the bar as `LABEL: how it went`."""
    told = "document.querySelector('.lives select').selectedOptions[0]?.textContent"
    wait_until(page, f"start => {told}.startsWith(start)", label + after)
    drawn(page)


def ended(page):
    """Wait until the page has nothing left to live; returns the number of the last step."""
    wait_until(page, "() => !document.querySelector('.lives select').selectedOptions[0].textContent.endsWith('so far')")
    drawn(page)
    return int(page.locator(".life").get_attribute("aria-valuemax"))


def step_of(page):
    return int(page.locator(".life").get_attribute("aria-valuenow"))


def centre(page, lived, cell):
    """Where the middle of a cell lies on the screen."""
    box, world = page.locator("canvas.map").bounding_box(), lived.header.world
    side = min(box["width"] // world.width, box["height"] // world.height)
    left, top = ((box[of] - side * cells) / 2 for of, cells in (("width", world.width), ("height", world.height)))
    return box["x"] + left + (cell[0] + 0.5) * side, box["y"] + top + (cell[1] + 0.5) * side


def free_cell(lived, frame):
    """A cell on which nothing stands, nor the agent of the first life at a frame."""
    world, taken = lived.header.world, {*lived.lives[0].places, tuple(lived["position"][0, :, frame])}
    return next((x, y) for y in range(world.height) for x in range(world.width) if (x, y) not in taken)


def drag(page, lived, start, end):
    page.mouse.move(*centre(page, lived, start))
    page.mouse.down()
    page.mouse.move(*centre(page, lived, end))
    page.mouse.up()


# --- other lives --------------------------------------------------------------------------------------------------


def test_it_forgets_now_and_lives_on_beside_the_life_that_was_recorded(opened, lived):
    page = opened("#agent=0&step=4")
    page.keyboard.press("x")
    follows(page, "fork of agent 0 at step 4 (memory forgotten)")
    assert step_of(page) == 4 and ended(page) > 4
    numbers = page.locator(".lens-row:not(.forbidden) .number").all_inner_texts()
    assert numbers and all(real == blank for real, blank in map(str.split, numbers))
    page.get_by_role("tab", name="All lives").click()
    drawn(page)
    assert page.locator(".population .name").all_inner_texts().count("fork at 4") == 1
    page.keyboard.press("Delete")
    follows(page, "agent 0")
    assert page.locator(".lives option").count() == AGENTS


def test_a_fork_without_a_change_is_the_life_that_was_recorded(opened, lived):
    page = opened("#agent=1&step=7")
    page.keyboard.press("b")
    follows(page, "fork of agent 1 at step 7")
    assert ended(page) == lived.lives[1].length
    page.keyboard.press("End")
    x, y = lived["position"][1, :, lived.lives[1].length]
    page.locator(f"canvas.map[aria-label^='The town. The agent is in column {x + 1}, row {y + 1}.']").wait_for()


def test_a_part_of_the_memory_is_forgotten_by_itself(opened, lived):
    page = opened("#agent=0&step=4&tab=whatif")
    assert len(lived.header.memory) > 1
    page.get_by_label("What is forgotten").select_option(index=2)
    page.get_by_role("button", name="Forget now").click()
    follows(page, f"fork of agent 0 at step 4 ({lived.header.memory[1].name} of the memory forgotten)")


def test_a_link_to_a_fork_leads_to_the_same_life_elsewhere(opened, sheet):
    page = opened("#agent=0&step=4")
    page.keyboard.press("x")
    follows(page, "fork of agent 0 at step 4 (memory forgotten)")
    last = ended(page)
    page.keyboard.press("End")
    page.wait_for_url(re.compile(rf"#agent=0&step={last}&fork=4-forget"))
    elsewhere = sheet(page.url)
    follows(elsewhere, "fork of agent 0 at step 4 (memory forgotten)")
    elsewhere.locator(f".life[aria-valuenow='{last}']").wait_for()
    assert ended(elsewhere) == last
    assert elsewhere.locator("canvas.map").get_attribute("aria-label") == page.locator("canvas.map").get_attribute(
        "aria-label"
    )


def test_a_life_whose_recording_stops_goes_on(opened):
    page = opened("#agent=0&step=9", other=record_lives(steps=9))
    assert page.locator(".life").get_attribute("aria-valuemax") == "9"
    page.keyboard.press("b")
    follows(page, "fork of agent 0 at step 9")
    assert ended(page) > 9


# --- by hand ------------------------------------------------------------------------------------------------------


def test_a_house_is_dragged_to_another_cell_and_not_onto_another(opened, lived):
    page = opened("#agent=0&step=4&town=whole")
    first, second = lived.lives[0].places[:2]
    drag(page, lived, first, second)
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == (
        f"Another place stands on column {second[0] + 1}, row {second[1] + 1} already; choose a free one."
    )
    free = free_cell(lived, 4)
    drag(page, lived, first, free)
    follows(page, f"fork of agent 0 at step 4 (Bed moved to column {free[0] + 1}, row {free[1] + 1})")
    assert page.get_by_role("alert").is_hidden()
    page.mouse.click(*centre(page, lived, first))
    assert page.locator(".facts").inner_text() == "An empty cell"


def test_keys_take_a_house_and_put_it_elsewhere_and_remove_it(opened, lived):
    page = opened("#agent=0&step=0&town=whole")
    town, (x, y) = page.locator("canvas.map"), lived["position"][0, :, 0]
    (place_x, place_y), free = lived.lives[0].places[0], free_cell(lived, 0)

    def go(across, down):
        for key, times in (("ArrowRight", across), ("ArrowLeft", -across), ("ArrowDown", down), ("ArrowUp", -down)):
            for _ in range(times):
                town.press(key)

    go(place_x - x, place_y - y)
    town.press("Enter")
    go(free[0] - place_x, free[1] - place_y)
    town.press("Enter")
    moved = f"fork of agent 0 at step 0 (Bed moved to column {free[0] + 1}, row {free[1] + 1}"
    follows(page, f"{moved})")
    go(free[0] - x, free[1] - y)
    page.get_by_role("button", name="Remove it").click()
    follows(page, f"{moved}, and 1 more)")
    page.get_by_role("tab", name="What if").click()
    drawn(page)
    assert page.locator(".changes li").all_inner_texts()[1] == "Step 0: Bed removed"


def test_a_meter_and_the_clock_are_set(opened, lived):
    page = opened("#agent=0&step=4&tab=whatif")
    page.get_by_label("Which meter").select_option(index=1)
    page.get_by_label("How full").fill("7")
    name = lived.header.world.meters[1].name
    follows(page, f"fork of agent 0 at step 4 ({name} set to 7%)")
    assert page.locator(".meter b").nth(1).inner_text() == "7%"
    page.get_by_label("The clock").select_option("21:00")
    follows(page, f"fork of agent 0 at step 4 ({name} set to 7%, and 1 more)")
    assert page.locator(".town .time").inner_text() == "21:00"


# --- games --------------------------------------------------------------------------------------------------------


def test_arrow_keys_that_set_a_meter_make_one_change_of_it(opened, lived):
    page = opened("#agent=0&step=4&tab=whatif")
    full = page.get_by_label("How full")
    value, name = int(full.input_value()), lived.header.world.meters[0].name
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        full.press(key)
    follows(page, f"fork of agent 0 at step 4 ({name} set to {value + 2}%)")
    page.wait_for_url(re.compile(rf"&fork=4-meter-0-{value + 2}&tab=whatif$"))


def test_a_person_plays_to_the_end_and_is_told_who_lived_longer(opened, lived):
    page = opened("#agent=0&step=4")
    page.keyboard.press("g")
    page.get_by_role("heading", name="You play").wait_for()
    for part in ("#lens", "#story", ".timeline", ".tabs", ".switch"):
        assert page.locator(part).is_hidden(), part
    page.keyboard.press(".")
    follows(page, "you, from the start of agent 0: 1 step so far", "")
    assert page.get_by_label("Whose life").is_disabled()  # the life that is played is the one that is shown
    over = page.get_by_role("button", name="Look at both lives")
    for _ in range(SHORT["max_steps"]):
        page.keyboard.press(".")  # waits
    over.wait_for()
    told = page.locator("#game .wants li").first.inner_text()
    mine = int(re.match(r"You lived (\d+) steps and died: energy was empty\. The agent lived ", told)[1])
    its = lived.lives[0].length
    assert f"The agent lived {its} steps" in told
    longer = "It" if its > mine else "You" if mine > its else "Neither"
    assert f"{longer} lived longer" in told
    over.click()
    page.locator(f".life[aria-valuenow='{mine}']").wait_for()
    follows(page, "you, from the start of agent 0")


def focused(page):
    """What has the focus: its text, or its name."""
    return page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText")


def test_the_focus_comes_back_to_where_a_game_began(opened):
    page = opened("#agent=0&step=4&tab=whatif")
    start = page.get_by_role("button", name="Play it yourself")
    start.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You play").wait_for()
    assert focused(page) == "You play"
    page.keyboard.press(".")
    page.keyboard.press("Escape")
    page.locator(".timeline").wait_for()
    assert focused(page) == "Play it yourself"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.keyboard.press("Escape")
    page.locator(".timeline").wait_for()
    assert page.evaluate("document.activeElement === document.body")  # where keys go through time


def test_a_key_that_ended_a_life_begins_no_other(opened):
    page = opened("#agent=0&step=4")
    page.keyboard.press("g")
    wait = page.get_by_role("button", name="WAIT")
    wait.focus()
    again = page.get_by_role("button", name="Play again")
    for steps in range(1, SHORT["max_steps"] + 1):
        page.keyboard.press("Enter")
        again.or_(page.locator(".doing", has_text=f"Steps so far: {steps}")).first.wait_for()  # or it comes too early
        if again.is_visible():
            break
    assert focused(page) == "You play"


def test_fingers_play_by_buttons_and_escape_leaves(opened):
    page = opened("#agent=0&step=0&tab=whatif", NARROW, has_touch=True)
    page.get_by_role("button", name="Play it yourself").tap()
    page.get_by_role("button", name="WAIT").tap()
    page.locator(".doing", has_text="Your move. Steps so far: 1").wait_for()
    buttons = page.locator("#game .pad button")
    assert buttons.count() == 6 and page.locator("#game .pad").bounding_box()["y"] < NARROW[1]
    page.keyboard.press("Escape")
    page.locator(".timeline").wait_for()
    follows(page, "you, from the start of agent 0")


# --- what the page computes ---------------------------------------------------------------------------------------


def test_the_page_says_that_its_own_numbers_are_those_that_were_recorded(opened, lived):
    page = opened("#agent=0&step=0&tab=whatif")
    page.locator(".tools .proof.done").wait_for()
    steps = sum(life.length for life in lived.lives)
    said = page.locator(".whatif .told").inner_text()
    begins = "This page computes the world and Q itself, and both equal what was recorded: "
    found = re.fullmatch(rf"{begins}{steps} steps checked, largest difference ([\d.e-]+)\.", said)
    assert found and float(found[1]) < 1e-3
    assert page.locator(".tools .proof").get_attribute("title") == said


def test_without_weights_it_says_so_and_only_a_person_can_play(opened):
    page = opened("#agent=0&step=4&tab=whatif", other=record_lives(weights=False))
    page.locator(".tools .proof:not(.done):not(.wrong)").wait_for()  # nothing is amiss
    assert "its weights, which are not in this file" in page.locator(".whatif .told").inner_text()
    assert page.get_by_role("button", name="Fork here").is_hidden()
    page.keyboard.press("b")
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == page.locator(".whatif .told").inner_text()
    page.get_by_role("button", name="Play it yourself").click()
    page.keyboard.press(".")
    page.locator(".doing", has_text="Your move. Steps so far: 1").wait_for()


# --- side by side -------------------------------------------------------------------------------------------------


def test_others_that_began_alike_live_beside_it(sheet, packed, lived, tmp_path):
    def learned(steps):
        return lambda header: header["origin"].update(env_steps=steps)

    elsewhere = tampered(packed, lambda header: header["lives"][0].update(places=header["lives"][1]["places"]))
    page_file = tmp_path / "page.html"
    page_file.write_text(to_html(packed, beside=[tampered(packed, learned(2000)), elsewhere]))
    page = sheet(page_file.as_uri() + "#agent=0&step=5")
    page.locator(".life[aria-valuenow]").wait_for()
    page.keyboard.press("t")
    told = page.locator(".tiled figcaption")
    told.nth(2).wait_for()
    wait_until(page, "() => !document.querySelector('.tiled').textContent.includes('being lived')")
    own, other, untrained = (text.splitlines() for text in told.all_inner_texts())
    died = f"died of energy, {lived.lives[0].length} steps"
    assert own == ["before any learning", died] and other[0] == "after 2,000 steps of learning"
    assert other[1].startswith(f"{died}. ") and untrained[0] == "untrained, fresh weights of this page"
    page.keyboard.press("t")
    told.first.wait_for(state="detached")


def test_the_planner_lives_beside_it_as_long_as_it_lived_in_python(opened):
    planned = record_planned()
    lives = unpack(planned).header.planner
    assert {life.ended for life in lives} == {"death", "limit"}
    page = opened("#agent=0&step=3", other=planned)
    page.keyboard.press("t")
    beside = page.locator(".tiled figcaption").last
    for agent, life in enumerate(lives):
        page.get_by_label("Whose life").select_option(index=agent)
        steps = f"{life.length} steps"
        told = f"died of energy, {steps}" if life.ended == "death" else f"lived to the end, {steps}"
        wait_until(page, "told => document.querySelectorAll('.tiled figcaption')[2]?.innerText.includes(told)", told)
        assert beside.inner_text().splitlines()[0] == "a script that knows the whole map"


def test_where_the_page_does_not_know_the_world_it_says_why_there_is_no_planner(opened):
    page = opened("#agent=0&tab=whatif", other=tampered(record_planned(), fame))
    page.get_by_role("button", name="Side by side").click()
    drawn(page)
    assert page.locator(".absent").inner_text() == (
        "The planner is not here. This page does not know the reward's term fame. "
        "So lives are played from the recording alone."
    )
    page.locator(".tiled figcaption").first.wait_for()  # it may be drawn a moment later, and a count waits for nothing
    assert page.locator(".tiled figcaption").count() == 1


def record_planned():
    """Lives of agents that act at random, and of the planner beside, in a town in which a bed must be found at once."""
    level = load_level("2", {**SMALL_NETWORK, **FEW_MAPS, "meters.energy.initial": 0.06, "max_steps": 40})
    noted, _ = play(level, RandomPolicy(1, CPU), 4)
    return record(level, network_of(level), noted, Wanted(range(4), planner=True), origin_of(level))


def fame(header):
    header["world"]["terms"][0] = "fame"
