"""Associative recall: what is shown, asked and paid, and that nothing but memory tells the answer."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import townlet.bench.tasks  # noqa: F401  registers
from townlet.train import main


def play(answer, seed=0, pairs=3, values=2):
    """What is seen, paid and ended in an episode, where `answer` names a value by what was seen so far."""
    env = gymnasium.make("Townlet/AssociativeRecall-v0", pairs=pairs, values=values)
    seen, paid, ends = [env.reset(seed=seed)[0].tolist()], [], []
    while not ends or not ends[-1]:
        observation, reward, terminated, truncated, _ = env.step(answer(seen))
        assert not truncated
        seen.append(observation.tolist())
        paid.append(reward)
        ends.append(terminated)
    return seen, paid


@pytest.mark.parametrize("seed", range(5))
def test_each_key_is_shown_once_with_a_value_and_asked_for_once_without(seed):
    seen, _ = play(lambda seen: 0, seed)
    assert len(seen) == 7 and seen[6] == seen[5]
    assert sorted(key for key, _ in seen[:3]) == sorted(key for key, _ in seen[3:6]) == [0, 1, 2]
    assert all(value in (0, 1) for _, value in seen[:3]) and all(value == 2 for _, value in seen[3:])


def test_right_answers_pay_a_share_of_one_wrong_ones_cost_it_and_others_nothing_by_hand():
    values = dict(play(lambda seen: 0, seed=1)[0][:3])
    right, wrong = (play(lambda seen, other=other: values[seen[-1][0]] ^ other, seed=1)[1] for other in (0, 1))
    assert right == pytest.approx([0, 0, 0, 1 / 3, 1 / 3, 1 / 3])
    assert wrong == pytest.approx([0, 0, 0, -1 / 3, -1 / 3, -1 / 3])


def test_who_remembers_has_one_and_who_guesses_half_of_two_values_nothing():
    def by_memory(seen):
        return dict(seen[:3])[seen[-1][0]] if len(seen) > 3 else 0

    assert [sum(play(by_memory, seed)[1]) for seed in range(9)] == pytest.approx([1.0] * 9)
    assert abs(np.mean([sum(play(lambda seen: 0, seed)[1]) for seed in range(200)])) < 0.2


def test_a_seed_repeats_the_episodes_that_follow_it():
    assert play(lambda seen: 0, 3) == play(lambda seen: 0, 3) != play(lambda seen: 0, 4)


def test_gymnasium_finds_nothing_wrong_with_it():
    check_env(gymnasium.make("Townlet/AssociativeRecall-v0").unwrapped)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pairs": 0}, "pairs: expected a whole number of at least 1, got 0"),
        ({"values": 1}, "values: expected a whole number of at least 2, got 1"),
        ({"pairs": 2.5}, "pairs: expected a whole number of at least 1, got 2.5"),
    ],
)
def test_what_it_cannot_be_is_one_line(options, said):
    with pytest.raises(ValueError, match=said):
        gymnasium.make("Townlet/AssociativeRecall-v0", **options)


def test_the_command_trains_on_it(tmp_path):
    words = ["--gym", "townlet.bench.tasks:Townlet/AssociativeRecall-v0", "--total-steps", "640", "--plain"]
    assert main([*words, "--runs-dir", str(tmp_path), "--device", "cpu"]) == 0
