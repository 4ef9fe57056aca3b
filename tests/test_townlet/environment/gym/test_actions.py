"""Discrete actions of others as one number: where they begin, and several choices at once."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from support.strangers import at_once, by_turns
from townlet.config import ConfigError
from townlet.environment.gym.actions import Actions, count_actions
from townlet.environment.gym.checker import check_vector_env
from townlet.environment.gym.moment import VectorEnvError
from townlet.environment.types import WorldError


class Doors(gymnasium.Env):
    """Two steps an episode, a choice of 2 and one of 3 from 5 on; `taken` is what it was told, `mask` of what it is."""

    observation_space = spaces.Discrete(2)

    def __init__(self, mask=None, space=None):
        self.mask, self.taken = mask, []
        self.action_space = space or spaces.MultiDiscrete([2, 3], start=[0, 5])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return 0, self.info()

    def step(self, action):
        assert self.action_space.contains(action)
        number = int(action[0]) * 3 + int(action[1]) - 5
        assert self.mask is None or self.mask[number], f"{action} is forbidden"
        self.taken.append(action.tolist())
        self.steps += 1
        return self.steps % 2, float(number), self.steps == 2, False, self.info()

    def info(self):
        return {} if self.mask is None else {"action_mask": np.array(self.mask, np.int8)}


@pytest.mark.parametrize(
    ("space", "told"),
    [
        (spaces.Discrete(3), [0, 1, 2]),
        (spaces.Discrete(3, start=-1), [-1, 0, 1]),
        (spaces.MultiDiscrete([2, 3]), [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]),
        (spaces.MultiDiscrete([2, 2], start=[5, -1]), [[5, -1], [5, 0], [6, -1], [6, 0]]),
        (spaces.MultiDiscrete([[1, 2], [1, 1]]), [[[0, 0], [0, 0]], [[0, 1], [0, 0]]]),
        (spaces.MultiDiscrete([32, 32]), [[row, column] for row in range(32) for column in range(32)]),
        (spaces.MultiBinary(2), [[0, 0], [0, 1], [1, 0], [1, 1]]),
        (spaces.MultiBinary((2, 1)), [[[0], [0]], [[0], [1]], [[1], [0]], [[1], [1]]]),
    ],
    ids=str,
)
def test_numbers_are_the_actions_of_a_space_in_row_major_order_by_hand(space, told):
    actions = Actions(space)
    found = actions.tell(np.arange(actions.count))
    assert (found.tolist(), found.dtype) == (told, space.dtype)
    assert all(space.contains(space.dtype.type(one) if isinstance(space, spaces.Discrete) else one) for one in found)


@pytest.mark.parametrize(
    ("space", "told"),
    [
        (spaces.MultiDiscrete([32, 33]), "MultiDiscrete([32 33]); a wrapper that leaves out combinations"),
        (
            spaces.MultiDiscrete([2**16] * 4),  # a product of 0 in 64 bits
            "MultiDiscrete([65536 65536 65536 65536]); a wrapper that leaves out combinations",
        ),
        (spaces.MultiBinary(11), "MultiBinary(11); a wrapper that leaves out combinations"),
        (
            spaces.Box(-1, 1, (2,)),
            "Box(-1.0, 1.0, (2,), float32); --set 'gym_wrappers=[{DiscretizeAction: {bins: 5}}]'",
        ),
        (spaces.Dict(a=spaces.Discrete(2)), "Dict('a': Discrete(2)); a wrapper that makes one choice of them"),
        (spaces.Tuple([spaces.Discrete(2)]), "Tuple(Discrete(2)); a wrapper that makes one choice of them"),
    ],
    ids=str,
)
def test_too_many_combinations_and_other_spaces_are_one_line_that_says_what_to_do(space, told):
    known = "a Discrete space, or a MultiDiscrete or MultiBinary one of at most 1,024 combinations"
    with pytest.raises(ConfigError) as refused:
        Actions(space)
    (line,) = refused.value.errors
    assert line.startswith(f"gym: expected discrete actions ({known}), got {told}")
    assert count_actions(space) is None


def side_by_side(*doors, mode=AutoresetMode.SAME_STEP):
    return SyncVectorEnv([lambda one=one: one for one in doors], autoreset_mode=mode)


@pytest.mark.parametrize("make", [by_turns, lambda *doors: at_once(side_by_side(*doors))], ids=["by turns", "at once"])
def test_agents_choose_among_all_combinations_and_are_bound_by_masks_of_them(make):
    doors = Doors([1, 0, 0, 1, 1, 1]), Doors([1, 1, 1, 1, 1, 0])
    env = make(*doors)
    assert env.num_actions == 6
    assert env.reset().action_mask.tolist() == [[True, False, False, True, True, True], [True] * 5 + [False]]
    result = env.step(torch.tensor([5, 2]))
    assert [one.taken for one in doors] == [[[1, 7]], [[0, 7]]]
    assert result.reward.tolist() == [5.0, 2.0]


class Apart(Doors):
    """Tells by the method, as sb3-contrib reads it, which options each choice has, one choice after the other."""

    def __init__(self, apart, nvec):
        super().__init__(space=spaces.MultiDiscrete(nvec))
        self.apart = apart

    def action_masks(self):
        return np.array(self.apart, bool)


class ApartAtOnce(SyncVectorEnv):
    """The same, by a method of its own for all agents."""

    def action_masks(self):
        return np.stack([env.action_masks() for env in self.envs])


def own_method(*doors):
    return at_once(ApartAtOnce([lambda one=one: one for one in doors], autoreset_mode=AutoresetMode.SAME_STEP))


@pytest.mark.parametrize(
    "make",
    [by_turns, lambda *doors: at_once(side_by_side(*doors)), own_method],
    ids=["by turns", "at once", "own method"],
)
@pytest.mark.parametrize(
    ("nvec", "apart", "allowed"),
    [
        ([2, 2], [1, 0, 0, 1], [0, 1, 0, 0]),  # as many values as combinations: (0, 1) alone, not (0, 0) and (1, 1)
        ([3, 2], [1, 0, 1, 0, 1], [0, 1, 0, 0, 0, 1]),  # (0, 1) and (2, 1)
        ([2, 3], [0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 0]),  # (1, 0) and (1, 1)
        ([1, 2, 2], [1, 0, 1, 1, 1], [0, 0, 1, 1]),  # (0, 1, 0) and (0, 1, 1)
    ],
    ids=str,
)
def test_a_mask_by_a_method_is_of_each_choice_by_hand(make, nvec, apart, allowed):
    everything = [1] * sum(nvec)
    doors = Apart(apart, nvec), Apart(everything, nvec)
    env = make(*doors)
    expected = [list(map(bool, allowed)), [True] * len(allowed)]
    assert env.reset().action_mask.tolist() == expected
    ending = [env.step(torch.tensor([allowed.index(1), 0])) for _ in range(2)][-1]
    assert ending.terminated.all() and ending.observation.action_mask.tolist() == expected
    check_vector_env(side_by_side(*(Apart(apart, nvec) for _ in range(2))))


def test_a_mask_by_a_method_of_all_combinations_is_refused_in_one_line():
    with pytest.raises(WorldError) as refused:
        by_turns(Apart([1] * 6, [2, 3])).reset()
    assert str(refused.value).endswith("action_mask: expected [5] of 0 and 1, got [6] bool (agent 0, reset)")


def test_the_checker_does_only_what_a_mask_of_all_combinations_allows():
    mask = [0, 1, 0, 0, 1, 0]
    doors = [Doors(mask) for _ in range(2)]
    check_vector_env(side_by_side(*doors))
    assert {tuple(action) for one in doors for action in one.taken} == {(0, 6), (1, 6)}  # both, and no other


def test_the_checker_tells_of_a_mask_of_another_number():
    with pytest.raises(VectorEnvError, match=r"action_mask.* \[1, 6\] bool or int8, got an array \[1, 5\] int8"):
        check_vector_env(side_by_side(Doors([1] * 5)))
