"""Minibatches that cannot part the agents alike: fewer are made, and that is told and written down."""

import pytest

from townlet.config import load_gym_task, load_level, load_task, resolved_config
from townlet.level.file import configs_directory
from townlet.run.ladder import load_levels


def fresh(agents: int, minibatches: int) -> dict[str, object]:
    return {"training.num_agents": agents, "training.mode": {"kind": "fresh", "minibatches": minibatches}}


@pytest.mark.parametrize(
    ("agents", "minibatches", "made"),
    [(100, 8, 5), (1, 4, 1), (7, 4, 1), (6, 4, 3), (10, 9, 5), (3, 8, 3), (12, 12, 12), (1024, 4, 4)],
)
def test_as_many_are_made_as_part_the_agents_alike(agents: int, minibatches: int, made: int) -> None:
    assert load_level("2", fresh(agents, minibatches)).training.mode.minibatches == made


def test_what_was_not_made_is_told_in_a_line_and_what_was_stands_in_the_config() -> None:
    said: list[str] = []
    level = load_level("2", fresh(1_000, 7), said.append)
    line = "training.mode.minibatches: 5, the most up to 7 that part 1,000 agents alike"
    assert said == [line]
    assert "\n    minibatches: 5\n" in resolved_config(level)
    assert load_task("2", fresh(1_000, 7), said.append) == level and said == [line] * 2
    assert load_level("2", fresh(1_000, 8), said.append).training.mode.minibatches == 8 and said == [line] * 2
    load_level("2", fresh(1_000, 7))  # nobody is told where nobody listens


def test_tasks_of_gymnasium_and_the_levels_of_a_ladder_are_settled_too() -> None:
    said: list[str] = []
    recipe = configs_directory() / "fresh.yaml"
    assert load_gym_task("CartPole-v1", recipe, fresh(5, 4), said.append).training.mode.minibatches == 1
    levels = load_levels(["0", "0.5"], fresh(9, 4), said.append)
    assert [level.training.mode.minibatches for level in levels] == [3, 3]
    assert [line.split(",")[0] for line in said] == [f"training.mode.minibatches: {made}" for made in (1, 3, 3)]


def test_replay_has_none_to_part() -> None:
    said: list[str] = []
    assert load_level("2-replay", {"training.num_agents": 7}, said.append).training.mode.kind == "replay" and not said
