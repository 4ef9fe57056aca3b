"""Whether a network fits a level, told for rooms that differ in one thing."""

import re
from typing import Any

import gymnasium
import pytest

from support.rooms import room, write_level
from townlet.config import Task, load_gym_task, load_task
from townlet.environment.tables import draw_places
from townlet.run.fit import misfit, seen_maps


@pytest.fixture
def load(tmp_path):
    def load(**changes: Any) -> Task:
        return load_task(write_level(tmp_path, room(**changes)))

    return load


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"grid": {"width": 7, "height": 5}},
        {"layout": {"kind": "fixed"}},
        {"max_steps": 100, "reward": {"death": -1.0}},
        {"placed_affordances": ["Lamp", "Chair"], "layout__training_maps": 2},
        {"network": {"kind": "feed_forward", "hidden": [2]}},
        {"meters__breath__passive": -0.1},
    ],
    ids=lambda changes: " ".join(changes) or "nothing",
)
def test_a_network_fits_where_it_sees_and_does_the_same(load, changes):
    assert misfit(load(), load(**changes)) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"observation__window": 5}, "window: expected 9, got 25"),
        ({"observation__window": None}, "window: expected 9, got none"),
        ({"day_ticks": 4, "observation__clock": True}, "clock: expected none, got 2"),
        (
            {"actions": ["LEFT", "RIGHT", "INTERACT"]},
            "actions: expected 4 (LEFT, RIGHT, INTERACT, WAIT), got 3 (LEFT, RIGHT, INTERACT)",
        ),
        ({"actions": ["RIGHT", "LEFT", "INTERACT", "WAIT"]}, "actions: expected LEFT as number 1, got RIGHT"),
        ({"present_meters": ["breath"]}, "meters: expected 2, got 1"),
        ({"present_meters": ["calm", "breath"]}, "meters: expected breath as number 1, got calm"),
        ({"affordances": {"Lamp": {}, "Chair": {}}}, "underfoot: expected Chair as number 1, got Lamp"),
        ({"affordances": {"Chair": {}}}, "underfoot: expected 3, got 2"),
        (
            {"observation": {"window": 5, "age": True}},
            "window: expected 9, got 25; position: expected 2, got none; age: expected none, got 1",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_both_widths(load, changes, said):
    assert misfit(load(), load(**changes)) == said


def test_cells_in_a_list_mean_others_in_another_grid(load):
    seen = {"observation__position": "one_hot"}
    square, row = load(**seen, grid={"width": 4, "height": 4}), load(**seen, grid={"width": 8, "height": 2})
    assert misfit(square, row) == "position: expected cells of 4x4 as number 1, got cells of 8x2"


def test_an_environment_of_gymnasium_fits_itself_and_no_level(load):
    cart, other = load_gym_task("CartPole-v1"), load_gym_task("Acrobot-v1")
    assert misfit(cart, cart) is None
    assert misfit(cart, other) == "features: expected 4, got 6; actions: expected 2, got 3"
    told = misfit(load(), cart)
    assert told and "window: expected 9, got none" in told and "features: expected none, got 4" in told
    assert "actions: expected 4 (LEFT, RIGHT, INTERACT, WAIT), got 2" in told


class Choosing(gymnasium.Env):
    """Its actions are what it was told."""

    observation_space = gymnasium.spaces.Discrete(2)

    def __init__(self, actions):
        self.action_space = actions


@pytest.fixture
def choosing():
    """Registers environments by their actions, and forgets them."""
    names = []

    def register(name, actions):
        names.append(name)
        gymnasium.register(name, lambda: Choosing(actions))
        return load_gym_task(name)

    yield register
    for name in names:
        del gymnasium.registry[name]


def test_as_many_actions_of_other_choices_do_not_fit(choosing):
    by_three, by_two = gymnasium.spaces.MultiDiscrete([2, 3]), gymnasium.spaces.MultiDiscrete([3, 2])
    learned, turned = choosing("ByThree-v0", by_three), choosing("ByTwo-v0", by_two)
    plain = choosing("Plain-v0", gymnasium.spaces.Discrete(6))
    assert misfit(learned, learned) is None
    assert misfit(learned, turned) == "choices: expected 2 x 3, got 3 x 2"
    assert misfit(learned, plain) == "choices: expected 2 x 3, got none"
    assert misfit(plain, learned) == "choices: expected none, got 2 x 3"
    assert misfit(plain, choosing("OneChoice-v0", gymnasium.spaces.MultiDiscrete([6]))) is None


# --- maps --------------------------------------------------------------------------------------------------------

TWO_OF_TWELVE = {"grid": {"width": 4, "height": 3}, "placed_affordances": ["Chair", "Lamp"]}


def test_maps_of_one_seed_are_unseen_where_training_has_as_many(load):
    learned = load(**TWO_OF_TWELVE, layout__training_maps=20, layout__evaluation_maps=5)
    assert seen_maps(learned, load(**TWO_OF_TWELVE, layout__training_maps=20, layout__evaluation_maps=90)) is None
    assert seen_maps(learned, load(**TWO_OF_TWELVE, layout__training_maps=31, layout__evaluation_maps=5)) is None
    assert seen_maps(learned, load(**TWO_OF_TWELVE, layout__training_maps=19, layout__evaluation_maps=5)) == (
        "layout.training_maps: expected at least 20, since the first 20 maps were trained on, got 19"
    )


def test_maps_of_another_seed_are_told_where_some_were_trained_on(load):
    """Half of the 132 maps that there are, and the other half in another order: about half of them are the same."""
    half = {"layout__training_maps": 66, "layout__evaluation_maps": 66}
    told = seen_maps(load(**TWO_OF_TWELVE, **half), load(**TWO_OF_TWELVE, **half, training__seed=9))
    assert told is not None
    expected = "maps of evaluation that were not trained on, as with the seed 1"
    said = re.fullmatch(rf"layout: expected {expected}, got (\d+) of 66 that were", told)
    assert said and 15 < int(said[1]) < 51


@pytest.mark.parametrize(
    "other",
    [
        {"layout": {"kind": "fixed"}},  # training and evaluation share the one map
        {"grid": {"width": 5, "height": 3}},
        {"placed_affordances": ["Chair"]},
    ],
)
def test_maps_that_cannot_be_the_same_are_unseen(load, other):
    maps = {"layout__training_maps": 10, "layout__evaluation_maps": 2}
    fewer = {"layout": {"kind": "random", "training_maps": 1, "evaluation_maps": 9}}
    assert seen_maps(load(**TWO_OF_TWELVE, **maps), load(**(TWO_OF_TWELVE | fewer | other))) is None


def test_what_stands_in_the_same_places_is_the_same_map_whatever_is_named_first(load):
    """There are two maps of two places in two cells: one to train on, and one to be evaluated on."""
    learned = load(grid={"width": 2, "height": 1}, placed_affordances=["Chair", "Lamp"], layout__training_maps=1)
    swapped = load(
        grid={"width": 2, "height": 1}, placed_affordances=["Lamp", "Chair"], layout__training_maps=1, training__seed=3
    )
    trained = draw_places(learned, "training").tolist()
    assert (seen_maps(learned, swapped) is not None) == (draw_places(swapped, "evaluation").tolist() == trained)
