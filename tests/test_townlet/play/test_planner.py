"""A script that knows the whole map: where it can plan, and what it does in towns in which that is known."""

import pytest
import torch

from support.worlds import FIXED, ODD_TOWNS, fixed_town, make_env, odd_town, places_of, put
from townlet.config import Level, load_level
from townlet.level.file import shipped_levels
from townlet.play.planner import Planner, can_plan

WELL = dict.fromkeys(load_level("2").present_meters, 0.9)


def chosen(level: Level, **where) -> str:
    """What the planner does in a state of one agent."""
    env = make_env(level)
    put(env, **where)
    return level.actions[int(Planner(level, env.tables).act(env.state))]


def beside(level: Level, name: str) -> tuple[int, int]:
    """The cell to the right of an affordance of the fixed map, or to its left where there is none."""
    x, y = places_of(make_env(level), 0)[name]
    return (x + 1, y) if x + 1 < level.grid.width else (x - 1, y)


@pytest.mark.parametrize("name", shipped_levels())
def test_it_can_plan_in_every_shipped_level(name):
    assert can_plan(load_level(name))


def test_it_can_plan_where_something_can_be_used_and_every_cell_be_reached():
    can = {name: can_plan(odd_town(name)) for name in ODD_TOWNS}
    assert can == {name: name != "one action" for name in ODD_TOWNS}
    assert not can_plan(load_level("2", {"actions": ["UP", "DOWN", "LEFT", "INTERACT"]}))
    assert not can_plan(load_level("2", {**FIXED, "placed_affordances": []}))


def test_it_goes_to_what_fills_the_emptiest_meter_and_uses_it():
    level = fixed_town()
    (x, y), tired = places_of(make_env(level), 0)["Bed"], {**WELL, "energy": 0.1}
    aside = beside(level, "Bed")
    assert chosen(level, at="Bed", meters=tired) == "INTERACT"
    assert chosen(level, at=aside, meters=tired) == ("LEFT" if aside[0] > x else "RIGHT")
    above = (x, y + 1) if y + 1 < level.grid.height else (x, y - 1)
    assert chosen(level, at=above, meters=tired) == ("UP" if above[1] > y else "DOWN")


def test_it_waits_at_a_door_that_opens_soon():
    """In a row of three cells, in whose middle there is a change of mood from 8 o'clock on."""
    level = load_level("3", {
        **FIXED, "grid": {"width": 3, "height": 1}, "placed_affordances": ["Recreation"],
        "affordances.Recreation.place": [1, 0], "actions": ["LEFT", "RIGHT", "INTERACT", "WAIT"],
    })  # fmt: skip
    sad = {**WELL, "mood": 0.2}
    assert chosen(level, at=(0, 0), meters=sad, tick=6) == "RIGHT"
    assert chosen(level, at=(1, 0), meters=sad, tick=7) == "WAIT"
    assert chosen(level, at=(1, 0), meters=sad, tick=8) == "INTERACT"


def test_it_knows_which_door_is_open_when_it_gets_there():
    """In a row of five cells with a change of mood at either end: one by day, one by night, with company."""
    level = load_level("3", {
        **FIXED, "grid": {"width": 5, "height": 1}, "placed_affordances": ["Recreation", "Bar"],
        "affordances.Recreation.place": [0, 0], "affordances.Bar.place": [4, 0],
        "actions": ["LEFT", "RIGHT", "INTERACT", "WAIT"],
    })  # fmt: skip
    lonely = {**WELL, "mood": 0.05, "social": 0.05}
    assert chosen(level, at=(2, 0), meters=lonely, tick=12) == "LEFT"
    assert chosen(level, at=(2, 0), meters=lonely, tick=23) == "RIGHT"


def test_it_finishes_what_it_began():
    level = fixed_town(multi_tick={"spread": 0.75})
    starving = {**WELL, "satiation": 0.15}
    assert chosen(level, at="Bed", meters=starving) != "INTERACT"
    assert chosen(level, at="Bed", meters=starving, progress=1) == "INTERACT"


def test_it_does_something_in_every_odd_town_to_the_end():
    for name in ODD_TOWNS:
        level = odd_town(name)
        if not can_plan(level):
            continue
        env = make_env(level, 4)
        planner = Planner(level, env.tables)
        for _ in range(level.max_steps):
            actions = planner.act(env.state)
            assert actions.shape == (4,) and actions.dtype == torch.int64
            assert ((actions >= 0) & (actions < len(level.actions))).all()
            env.step(actions)


def test_each_agent_is_planned_for_by_its_own_map_and_meters():
    level = load_level("2")
    env = make_env(level, 6)
    planner = Planner(level, env.tables)
    together = planner.act(env.state)
    for agent in range(6):
        alone = type(env.state)(*(part[..., agent : agent + 1] for part in env.state))
        assert planner.act(alone).tolist() == [int(together[agent])]
