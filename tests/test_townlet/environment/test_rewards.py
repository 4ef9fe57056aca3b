"""Each term of the reward on the fixed map; expected numbers are worked out by hand."""

from typing import Any

import pytest
import torch

from support.worlds import ALL_ACTIONS, FIXED, fixed_town, make_env, put
from townlet.config import Level, Reward, load_level

MILESTONES = {"milestones": [{"every": 10, "value": 0.5}, {"every": 100, "value": 5.0}], "death": -100.0}


def town_with(**terms: Any) -> Level:
    """Level 2 on the fixed map with these terms of the reward alone; its gamma is 0.99."""
    return fixed_town().model_copy(update={"reward": Reward.model_validate(terms)})


def reward_of(level: Level, action: str, **where: Any) -> float:
    """The reward of one tick of one agent put by `where`, as in `put`."""
    env = make_env(level)
    put(env, **{"at": (3, 3), **where})
    return float(env.step(torch.tensor([level.actions.index(action)])).reward)


def test_a_tick_survived_pays_alive_and_a_death_pays_death_instead() -> None:
    level = town_with(alive=0.1, death=-1.0)
    assert reward_of(level, "WAIT") == pytest.approx(0.1)
    assert reward_of(level, "WAIT", tick=499) == pytest.approx(0.1)  # truncated, not dead
    assert reward_of(level, "WAIT", meters={"energy": 0.001}) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("lived", "expected"),
    [(1, 0.0), (9, 0.0), (10, 0.5), (11, 0.0), (20, 0.5), (99, 0.0), (100, 5.5), (101, 0.0), (500, 5.5)],
)
def test_milestones_are_paid_at_every_multiple_of_their_ticks(lived: int, expected: float) -> None:
    assert reward_of(town_with(**MILESTONES), "WAIT", tick=lived - 1) == pytest.approx(expected)


def test_a_death_on_a_milestone_pays_the_death_alone() -> None:
    assert reward_of(town_with(**MILESTONES), "WAIT", tick=99, meters={"health": 0.0001}) == pytest.approx(-100.0)


def test_wellbeing_is_the_weighted_sum_of_the_meters_after_the_tick() -> None:
    level = town_with(wellbeing={"energy": 2.0, "social": -1.0})
    meters = {"energy": 0.505, "social": 0.306}
    assert reward_of(level, "WAIT", meters=meters) == pytest.approx(2.0 * 0.5 - 0.3, abs=1e-6)


def test_wellbeing_is_not_paid_to_the_dead() -> None:
    assert reward_of(town_with(wellbeing={"social": 1.0}), "WAIT", meters={"energy": 0.001}) == 0.0


def test_interaction_is_what_the_interaction_changed_less_what_it_cost() -> None:
    level = town_with(interaction={"energy": 1.0, "money": 2.0})
    assert reward_of(level, "INTERACT", at="Bed", meters={"energy": 0.3}) == pytest.approx(0.5 - 2.0 * 0.05, abs=1e-6)
    assert reward_of(level, "INTERACT", at="Job", meters={"money": 0.1}) == pytest.approx(
        -0.15 + 2.0 * 0.1125, abs=1e-6
    )


def test_interaction_counts_only_what_fits_into_the_meter() -> None:
    level = town_with(interaction={"energy": 1.0})
    assert reward_of(level, "INTERACT", at="Bed", meters={"energy": 0.9}) == pytest.approx(0.1, abs=1e-6)
    assert reward_of(level, "INTERACT", at="Labor", meters={"energy": 0.05}) == pytest.approx(-0.05, abs=1e-6)


@pytest.mark.parametrize("energy", [1.0, 0.5, 0.003])
def test_neither_moving_nor_waiting_is_an_interaction(energy: float) -> None:
    """Also where the cost of the move is more than what is left of the meter."""
    level = town_with(interaction={"energy": 1.0, "hygiene": 1.0, "satiation": 1.0})
    meters = {"energy": energy, "hygiene": 0.001, "satiation": 0.0}
    assert reward_of(level, "UP", meters=meters) == 0.0
    assert reward_of(level, "WAIT", meters=meters) == 0.0
    assert reward_of(level, "INTERACT", meters=meters) == 0.0  # nothing stands there


def test_interaction_pays_the_part_of_each_tick_where_it_takes_several() -> None:
    level = town_with(interaction={"energy": 1.0}).model_copy(update={"multi_tick": load_level("3").multi_tick})
    meters = {"energy": 0.2}
    assert reward_of(level, "INTERACT", at="Bed", meters=meters) == pytest.approx(0.075, abs=1e-6)
    assert reward_of(level, "INTERACT", at="Bed", meters=meters, progress=4) == pytest.approx(0.2, abs=1e-6)


def test_potential_pays_the_discounted_difference_of_a_concave_value() -> None:
    level = town_with(potential={"scale": 5.0, "meters": {"energy": {"weight": 2.0}}})
    # phi(0.5) = 1 - 0.25 = 0.75; phi(0.495) = 1 - 0.255025 = 0.744975; 5 x (0.99 x 0.744975 - 0.75)
    assert reward_of(level, "WAIT", meters={"energy": 0.5}) == pytest.approx(-0.06237375, abs=1e-6)


def test_potential_weighs_its_meters_and_counts_a_meter_over_full_as_full() -> None:
    meters = {"energy": {"weight": 2.0}, "money": {"weight": 1.0, "full": 0.6}}
    level = town_with(potential={"scale": 3.0, "meters": meters})
    # energy as above; money 0.3 of 0.6 is half: phi = (2 x 0.75 + 0.75) / 3 and (2 x 0.744975 + 0.75) / 3
    half = 0.99 * (2.0 * 0.744975 + 0.75) - 2.25
    assert reward_of(level, "WAIT", meters={"energy": 0.5, "money": 0.3}) == pytest.approx(half, abs=1e-5)
    full = 0.99 * (2.0 * 0.744975 + 1.0) - 2.5
    assert reward_of(level, "WAIT", meters={"energy": 0.5, "money": 0.6}) == pytest.approx(full, abs=1e-5)
    assert reward_of(level, "WAIT", meters={"energy": 0.5, "money": 0.9}) == pytest.approx(full, abs=1e-5)


def test_the_potential_is_nothing_after_death_but_counts_at_the_step_limit() -> None:
    level = town_with(potential={"scale": 5.0, "meters": {"energy": {"weight": 1.0}}})
    dying = {"energy": 0.5, "health": 0.0001}
    assert reward_of(level, "WAIT", meters=dying) == pytest.approx(5.0 * -0.75, abs=1e-5)
    assert reward_of(level, "WAIT", meters={"energy": 0.5}, tick=499) == pytest.approx(-0.06237375, abs=1e-6)


def test_potential_reads_the_old_episode_and_not_the_one_that_begins() -> None:
    """A dying agent's next episode begins with full meters, for which it is paid nothing."""
    level = town_with(potential={"scale": 1.0, "meters": {"social": {"weight": 1.0}}})
    assert reward_of(level, "WAIT", meters={"social": 0.0, "energy": 0.001}) == pytest.approx(0.0, abs=1e-6)


def test_terms_add_up() -> None:
    level = load_level("2", {**FIXED, "actions": ALL_ACTIONS, "reward": {**MILESTONES, "wellbeing": {"mood": 1.0}}})
    alone = load_level("2", {**FIXED, "actions": ALL_ACTIONS})
    where: dict[str, Any] = {"tick": 99, "meters": {"mood": 0.501}}
    expected = reward_of(alone, "WAIT", **where) + 5.5 + 0.5
    assert reward_of(level, "WAIT", **where) == pytest.approx(expected, abs=1e-5)
