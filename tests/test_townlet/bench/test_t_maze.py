"""The T-maze: what is seen and paid on every way through it, and that the sign is there once."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from townlet.commands import check_env as check_env_command
from townlet.environment.gym.checker import check_vector_env
from townlet.train import main

EAST, NORTH, WEST, SOUTH = range(4)


def walk(actions, sign, length=3):
    """What is seen, what is paid and whether it ends, step by step, in an episode with this sign."""
    env = gymnasium.make("Townlet/TMaze-v0", length=length)
    seed = next(seed for seed in range(100) if env.reset(seed=seed)[0][1] == sign)
    seen = [env.reset(seed=seed)[0].tolist()]
    steps = [env.step(action) for action in actions]
    assert not any(truncated for _, _, _, truncated, _ in steps)
    return seen + [step[0].tolist() for step in steps], [step[1] for step in steps], [step[2] for step in steps]


@pytest.mark.parametrize(("sign", "right"), [(1.0, NORTH), (-1.0, SOUTH)])
def test_the_straight_way_and_the_right_turn_by_hand(sign, right):
    seen, rewards, ends = walk([EAST, EAST, EAST, right], sign)
    assert seen == [[0.0, sign], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, sign]]
    assert rewards == [0.0, 0.0, 0.0, 1.0]
    assert ends == [False, False, False, True]


@pytest.mark.parametrize(
    ("actions", "rewards"),
    [
        ([EAST, EAST, EAST, SOUTH], [0, 0, 0, 0]),  # the wrong turn
        ([EAST, EAST, EAST, EAST], [0, 0, 0, 0]),  # into the wall behind the junction
        ([EAST, EAST, EAST, WEST], [0, 0, 0, 0]),
        ([WEST, WEST, WEST, NORTH], [-1 / 3, -1 / 3, -1 / 3, 0]),  # never leaves
        ([NORTH, EAST, EAST, EAST], [-1 / 3, -1 / 3, -1 / 3, 0]),  # one step late from the first on
        ([EAST, WEST, EAST, EAST], [0, -1 / 3, -1 / 3, 0]),
        ([EAST, EAST, NORTH, EAST], [0, 0, -1 / 3, 0]),  # reaches the junction when all is over
    ],
)
def test_what_each_mistake_costs(actions, rewards):
    _, paid, ends = walk(actions, 1.0)
    assert paid == pytest.approx(rewards)
    assert ends == [False, False, False, True]


def test_the_shortest_maze_is_a_step_and_a_turn():
    assert walk([EAST, NORTH], 1.0, length=1) == ([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0], [False, True])


@pytest.mark.parametrize("last", [EAST, NORTH, WEST, SOUTH])
def test_the_sign_is_seen_at_the_first_step_alone_so_that_no_rule_without_memory_beats_chance(last):
    """Whatever is done, both goals look alike from the second observation to the last that is acted on.

    So a rule without memory does the same at the junction for either, and one of the two pays.
    """
    for way in ([EAST] * 5, [WEST, EAST, NORTH, EAST, EAST], [EAST, SOUTH, WEST, WEST, EAST]):
        (north, paid_north, _), (south, paid_south, _) = (walk([*way, last], sign, length=5) for sign in (1.0, -1.0))
        assert north[0] == [0.0, 1.0] and south[0] == [0.0, -1.0]
        assert north[1:-1] == south[1:-1]
        assert paid_north[:-1] == paid_south[:-1]
        turns = way == [EAST] * 5 and last in (NORTH, SOUTH)
        assert paid_north[-1] + paid_south[-1] == (1.0 if turns else 0.0)


def test_both_goals_come_up_and_a_seed_repeats_those_that_follow_it():
    env = gymnasium.make("Townlet/TMaze-v0")

    def signs(seed):
        return [env.reset(seed=seed if episode == 0 else None)[0][1] for episode in range(20)]

    assert signs(3) == signs(3) != signs(4)
    assert {-1.0, 1.0} == set(signs(3))


def test_gymnasiums_checker_and_ours_find_nothing(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("Townlet/TMaze-v0", disable_env_checker=True).unwrapped)
    for mode in gymnasium.vector.AutoresetMode:
        options = {"vectorization_mode": "sync", "vector_kwargs": {"autoreset_mode": mode}}
        check_vector_env(gymnasium.make_vec("Townlet/TMaze-v0", 3, length=4, **options))
    assert check_env_command.main(["Townlet/TMaze-v0"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Townlet/TMaze-v0: right, with autoreset mode NextStep",
        "keyword arguments, --set gym_options.NAME=VALUE: length=10",
    ]


@pytest.mark.parametrize("length", [0, -3, 2.5, "ten"])
def test_a_length_that_is_none_is_refused(length):
    with pytest.raises(ValueError, match=rf"length: expected a whole number of at least 1, got {length!r}"):
        gymnasium.make("Townlet/TMaze-v0", length=length)


def test_it_is_trained_on_by_its_id_alone_and_in_any_length(tmp_path, capsys):
    words = ["--gym", "Townlet/TMaze-v0", "--plain", "--dry-run", "--runs-dir", str(tmp_path)]
    assert main([*words, "--set", "gym_options.length=100"]) == 0
    assert main([*words, "--set", "gym_options.length=0"]) == 2
    assert "expected a whole number of at least 1, got 0" in capsys.readouterr().err


def test_what_is_seen_lies_in_its_space():
    env = gymnasium.make("Townlet/TMaze-v0", length=2)
    seen = [env.reset(seed=0)[0]] + [env.step(np.int64(action))[0] for action in (EAST, EAST, NORTH)]
    assert all(env.observation_space.contains(one) for one in seen)
