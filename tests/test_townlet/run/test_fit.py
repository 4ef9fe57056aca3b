"""Whether a network fits a level, told for rooms that differ in one thing."""

from typing import Any

import pytest

from support.rooms import room, write_level
from townlet.config import Task, load_gym_task, load_task
from townlet.run.fit import misfit


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
