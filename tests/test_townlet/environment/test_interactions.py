"""What interactions do, cost and need, on the fixed map; expected numbers are worked out by hand."""

import pytest

from support.worlds import DAY, MULTI_TICK, fixed_town, make_env, put, tick_once, tick_through
from townlet.config import Level, load_level
from townlet.environment.rules import Tick

MIDDLING = {
    "energy": 0.24,
    "hygiene": 0.5,
    "satiation": 0.5,
    "money": 0.5,
    "mood": 0.5,
    "social": 0.5,
    "health": 0.5,
    "fitness": 0.5,
}
WAITED = {  # all full, money 0.5, after a tick of waiting
    "energy": 0.995,
    "hygiene": 0.997,
    "satiation": 0.996,
    "money": 0.5,
    "mood": 0.999,
    "social": 0.994,
    "health": 0.999495,  # 0.001 x (0.5 + 2.5 x 0.002)
    "fitness": 0.998,
}
# What an interaction adds to a tick of waiting, from MIDDLING meters. Health also has what fitness spares or costs it:
# 0.0025 x the change of fitness.
INTERACTIONS = {
    "Bed": {"money": -0.05, "energy": 0.50, "health": 0.02},
    "LuxuryBed": {"money": -0.11, "energy": 0.75, "health": 0.05},
    "Shower": {"money": -0.03, "hygiene": 0.40},
    "HomeMeal": {"money": -0.03, "satiation": 0.45, "health": 0.03},
    "FastFood": {
        "money": -0.10,
        "satiation": 0.45,
        "energy": 0.15,
        "social": 0.01,
        "fitness": -0.03,
        "health": -0.02 - 0.000075,
    },
    "Job": {"money": 0.1125, "energy": -0.15, "social": 0.02, "health": -0.03},
    "Labor": {"money": 0.15, "energy": -0.20, "fitness": -0.05, "health": -0.05 - 0.000125, "social": 0.01},
    "Gym": {"money": -0.08, "fitness": 0.30, "energy": -0.08, "health": 0.00075},
    "Bar": {
        "money": -0.15,
        "social": 0.50,
        "mood": 0.25,
        "satiation": 0.30,
        "energy": -0.20,
        "hygiene": -0.15,
        "health": -0.05,
    },
    "Park": {"fitness": 0.20, "social": 0.15, "mood": 0.15, "energy": -0.15, "health": 0.0005},
    "Recreation": {"money": -0.06, "mood": 0.25, "energy": 0.12},
    "Therapist": {"money": -0.15, "mood": 0.40},
    "Doctor": {"money": -0.08, "health": 0.25},
    "Hospital": {"money": -0.15, "health": 0.40},
}


@pytest.fixture(scope="module")
def town() -> Level:
    return fixed_town()


@pytest.fixture(scope="module")
def slow_town() -> Level:
    return fixed_town(**MULTI_TICK)


@pytest.fixture(scope="module")
def town_with_day() -> Level:
    return fixed_town(**DAY)


@pytest.fixture(scope="module")
def slow_town_with_day() -> Level:
    return fixed_town(**DAY | MULTI_TICK)


# --- interactions of one tick ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INTERACTIONS)
def test_an_interaction_does_all_of_its_row_in_one_tick(town: Level, name: str) -> None:
    done, meters = tick_once(town, "INTERACT", at=name, meters=MIDDLING)
    _, waited = tick_once(town, "WAIT", at=name, meters=MIDDLING)
    expected = {meter: value + INTERACTIONS[name].get(meter, 0.0) for meter, value in waited.items()}
    assert meters == pytest.approx(expected, abs=1e-6)
    assert list(town.affordances)[int(done.completed)] == name
    assert int(done.state.progress) == 0


def test_an_interaction_where_nothing_stands_is_a_wait(town: Level) -> None:
    done, meters = tick_once(town, "INTERACT", at=(3, 3))
    assert meters == pytest.approx(WAITED, abs=1e-6)
    assert int(done.completed) == len(town.affordances)


def test_meters_are_clamped_once_at_the_end_of_the_tick(town: Level) -> None:
    _, meters = tick_once(town, "INTERACT", at="Shower", meters={"hygiene": 1.0})
    assert meters["hygiene"] == 1.0  # 1 + 0.4 - 0.003: the passive change is lost in what overflows
    _, meters = tick_once(town, "WAIT", at=(3, 3), meters={"social": 0.002})
    assert meters["social"] == 0.0


@pytest.mark.parametrize(
    ("money", "slept"), [(0.05, True), (0.05 - 5e-7, True), (0.05 - 2e-6, False), (0.049, False), (0.0, False)]
)
def test_an_interaction_needs_its_cost_in_money_to_a_millionth(town: Level, money: float, slept: bool) -> None:
    env = make_env(town)
    put(env, at="Bed", meters={"money": money})
    assert bool(env.observe().action_mask[0, town.actions.index("INTERACT")]) == slept
    _, meters = tick_once(town, "INTERACT", at="Bed", meters={"money": money, "energy": 0.2})
    assert meters["energy"] == pytest.approx(0.695 if slept else 0.195, abs=1e-6)
    assert meters["money"] == pytest.approx(0.0 if slept else money, abs=1e-7)
    assert meters["money"] >= 0.0


def test_work_needs_no_money(town: Level) -> None:
    _, meters = tick_once(town, "INTERACT", at="Labor", meters={"money": 0.0})
    assert meters["money"] == pytest.approx(0.15, abs=1e-6)


def test_every_meter_that_a_cost_names_must_cover_it() -> None:
    town = fixed_town(affordances={"Gym": {"costs": {"money": 0.08, "energy": 0.3}}})
    for energy, allowed in ((0.31, True), (0.29, False)):
        env = make_env(town)
        put(env, at="Gym", meters={"energy": energy})
        assert bool(env.observe().action_mask[0, town.actions.index("INTERACT")]) == allowed


def test_costs_and_effects_on_absent_meters_are_dropped() -> None:
    done, meters = tick_once(load_level("0"), "INTERACT", at="Bed", meters={"energy": 0.25})
    assert meters == pytest.approx({"energy": 0.745}, abs=1e-6)  # and free, where there is no money
    assert int(done.completed) == 0


# --- interactions of several ticks -------------------------------------------------------------------------------


def test_an_interaction_of_several_ticks_spreads_three_quarters_and_ends_with_the_rest(slow_town: Level) -> None:
    ticks = tick_through(slow_town, ["INTERACT"] * 5, at="Bed", meters={"energy": 0.3, "money": 0.5})
    energy, money = of(slow_town, ticks, "energy"), of(slow_town, ticks, "money")
    # 0.5 x 0.75 / 5 = 0.075 a tick less the passive 0.005; the last tick adds 0.125
    assert energy == pytest.approx([0.37, 0.44, 0.51, 0.58, 0.775], abs=1e-6)
    assert money == pytest.approx([0.49, 0.48, 0.47, 0.46, 0.45], abs=1e-6)
    assert [int(done.state.progress) for done in ticks] == [1, 2, 3, 4, 0]
    bed, nothing = 0, len(slow_town.affordances)
    assert [int(done.completed) for done in ticks] == [nothing, nothing, nothing, nothing, bed]


def test_income_comes_evenly_without_a_bonus(slow_town: Level) -> None:
    ticks = tick_through(slow_town, ["INTERACT"] * 4, at="Labor", meters={"money": 0.0})
    assert of(slow_town, ticks, "money") == pytest.approx([0.0375, 0.075, 0.1125, 0.15], abs=1e-6)


def test_an_interaction_begins_anew_after_its_last_tick(slow_town: Level) -> None:
    ticks = tick_through(slow_town, ["INTERACT"] * 5, at="HomeMeal")
    assert [int(done.state.progress) for done in ticks] == [1, 0, 1, 0, 1]


def test_an_interaction_of_one_tick_is_whole_also_where_others_take_several(slow_town: Level) -> None:
    done, meters = tick_once(slow_town, "INTERACT", at="FastFood", meters=MIDDLING)
    assert meters["satiation"] == pytest.approx(0.5 + 0.45 - 0.004, abs=1e-6)
    assert int(done.state.progress) == 0


def test_moving_away_forfeits_the_progress(slow_town: Level) -> None:
    actions = ["INTERACT", "INTERACT", "RIGHT", "LEFT", "INTERACT"]
    ticks = tick_through(slow_town, actions, at="Shower", meters={"hygiene": 0.2})
    assert [int(done.state.progress) for done in ticks] == [1, 2, 0, 0, 1]
    # three ticks of 0.4 x 0.75 / 3 = 0.1, no bonus, five of -0.003, two moves of -0.003; 0.2 pulls no hygiene itself
    assert of(slow_town, ticks, "hygiene")[-1] == pytest.approx(0.2 + 0.3 - 0.015 - 0.006, abs=1e-6)


@pytest.mark.parametrize("action", ["WAIT", "UP"])
def test_progress_is_kept_by_waiting_and_by_a_move_against_the_edge(slow_town: Level, action: str) -> None:
    ticks = tick_through(slow_town, ["INTERACT", action, "INTERACT"], at="Bar")  # at (7, 0), at the upper edge
    assert [int(done.state.progress) for done in ticks] == [1, 1, 0]


def test_an_interaction_pays_tick_by_tick_and_stops_where_money_ends(slow_town: Level) -> None:
    ticks = tick_through(slow_town, ["INTERACT"] * 3, at="Bed", meters={"money": 0.02, "energy": 0.3})
    assert [int(done.state.progress) for done in ticks] == [1, 2, 2]
    assert of(slow_town, ticks, "money") == pytest.approx([0.01, 0.0, 0.0], abs=1e-6)
    assert of(slow_town, ticks, "energy") == pytest.approx([0.37, 0.44, 0.435], abs=1e-6)


def test_progress_is_kept_over_closing_time_and_finished_the_next_day(slow_town_with_day: Level) -> None:
    actions = ["INTERACT"] * 3 + ["WAIT"] * 13 + ["INTERACT"] * 2
    ticks = tick_through(slow_town_with_day, actions, at="Job", tick=16, meters={"money": 0.0})
    # the ticks of 16 and 17 are worked, at 18 the door is closed, 32 is 8 o'clock
    assert [int(done.state.progress) for done in ticks] == [1, 2, 2] + [2] * 13 + [3, 0]
    assert of(slow_town_with_day, ticks, "money")[2] == pytest.approx(0.05625, abs=1e-6)
    assert of(slow_town_with_day, ticks, "money")[-1] == pytest.approx(0.1125, abs=1e-6)


# --- hours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("Job", range(8, 18)),
        ("Labor", range(8, 18)),
        ("Doctor", range(8, 18)),
        ("Therapist", range(8, 18)),
        ("Park", range(6, 22)),
        ("Recreation", range(8, 22)),
        ("Bar", [18, 19, 20, 21, 22, 23, 0, 1, 2, 3]),
        ("Bed", range(24)),
        ("Hospital", range(24)),
        ("FastFood", range(24)),
    ],
)
def test_a_door_is_open_from_its_first_hour_to_before_its_last_every_day(
    town_with_day: Level, name: str, hours: range | list[int]
) -> None:
    env, found = make_env(town_with_day), []
    for tick in range(48):
        put(env, at=name, tick=tick)
        if env.observe().action_mask[0, town_with_day.actions.index("INTERACT")]:
            found.append(tick)
    assert found == sorted(hour + day for day in (0, 24) for hour in hours)


def test_interacting_at_a_closed_door_is_a_wait(town_with_day: Level) -> None:
    _, meters = tick_once(town_with_day, "INTERACT", at="Job", tick=18)
    assert meters == pytest.approx(WAITED, abs=1e-6)
    _, meters = tick_once(town_with_day, "INTERACT", at="Job", tick=17)
    assert meters["money"] == pytest.approx(0.6125, abs=1e-6)


def test_hours_do_not_count_without_a_day(town: Level) -> None:
    _, meters = tick_once(town, "INTERACT", at="Bar", tick=12)
    assert meters["money"] == pytest.approx(0.35, abs=1e-6)


def of(level: Level, ticks: list[Tick], meter: str) -> list[float]:
    """One meter of the one agent after each tick."""
    return [float(done.state.meters[level.present_meters.index(meter), 0]) for done in ticks]
