"""How long one lives in the town: the yardsticks that learning is measured by."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from support.worlds import FIXED, first_lives, make_env, random_valid
from townlet.config import load_level
from townlet.environment.vectorized_env import VectorizedEnv
from townlet.play.planner import Planner


def planned(env: VectorizedEnv) -> Callable[[], torch.Tensor]:
    """What the planner does in a world, asked again and again."""
    planner = Planner(env.level, env.tables)
    return lambda: planner.act(env.state)


@pytest.mark.slow
@pytest.mark.parametrize("layout", [{}, FIXED], ids=["random maps", "fixed map"])
def test_a_planner_that_knows_the_map_never_dies_on_level_2(layout: Mapping[str, Any]) -> None:
    env = make_env(load_level("2", layout), 24, seed=21, maps="evaluation")
    ticks, truncated = first_lives(env, planned(env))
    assert ticks.tolist() == [500.0] * 24
    assert truncated.all()


@pytest.mark.slow
def test_a_planner_that_knows_the_hours_never_dies_on_level_3() -> None:
    env = make_env(load_level("3"), 24, seed=22, maps="evaluation")
    ticks, truncated = first_lives(env, planned(env))
    assert ticks.tolist() == [500.0] * 24
    assert truncated.all()


@pytest.mark.slow
@pytest.mark.parametrize("layout", [{}, FIXED], ids=["random maps", "fixed map"])
def test_random_valid_actions_live_about_a_hundred_ticks_on_level_2(layout: Mapping[str, Any]) -> None:
    env, draws = make_env(load_level("2", layout), 600, seed=23), torch.Generator().manual_seed(0)
    ticks, _ = first_lives(env, lambda: random_valid(env.observe().action_mask, draws))
    assert 94.0 < float(ticks.mean()) < 108.0  # 101, standard deviation of the mean 1.6
