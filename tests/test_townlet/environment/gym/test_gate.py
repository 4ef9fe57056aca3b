"""The gate: every field that a stranger's environment hands out, as it should be, nearly so, and wrong."""

import math
from decimal import Decimal

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from support.strangers import LENGTH, SOME, ByMethod, Crowd, Stranger, at_once, by_turns, in_sync
from townlet.config import ConfigError
from townlet.environment.gym.world import GymEnvironment
from townlet.environment.types import WorldError

NEXT, SAME, DISABLED = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED
LONG = torch.ones(2, dtype=torch.int64)


def live(env, steps=1):
    """The last result of some steps, after a reset."""
    result = env.reset()
    for _ in range(steps):
        result = env.step(torch.ones(env.num_agents, dtype=torch.int64))
    return result


def refused(env, steps=1):
    """What is said where an environment is refused, in one line that names it."""
    with pytest.raises(WorldError) as told:
        live(env, steps)
    said = str(told.value)
    assert said.startswith("Some-v0: ") and "\n" not in said
    return said.removeprefix("Some-v0: ")


def second(**parts):
    """Two agents by turns, of which the second has parts of its own."""
    return by_turns(Stranger(), Stranger(**parts))


# --- masks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "got"),
    [
        (np.array([1, 0, 1, 1], np.int8), "[4] int8"),
        (np.array([1, 0], np.int8), "[2] int8"),
        (np.array([[1], [0], [1]], np.int8), "[3, 1] int8"),
        (np.array([[1, 0, 1]], np.int8), "[1, 3] int8"),
        (np.array(1), "[] int64"),
        (1, "int 1"),
        (None, "None"),
        ([1, None, 1], "list"),
        ([[1, 0], [1]], "list"),
        (["1", "0", "1"], "[3] <U1"),
        ({0: 1, 2: 1}, "dict"),
        (np.array([1, 2, 1]), "a value 2"),
        (np.array([1, -1, 1]), "a value -1"),
        (np.array([1.0, 0.5, 1.0]), "a value 0.5"),
        (np.array([1.0, np.nan, 1.0]), "a value nan"),
    ],
)
def test_a_mask_of_another_shape_or_of_other_values_is_refused_with_both(mask, got):
    said = refused(second(info=lambda env: {"action_mask": mask} if env.t == 2 else {}), steps=2)
    assert said == f"action_mask: expected [3] of 0 and 1, got {got} (agent 1, step 2)"


@pytest.mark.parametrize(
    "mask",
    [SOME, SOME.astype(bool), SOME.astype(np.uint8), SOME.astype(np.int64), SOME.astype(float), [1, 0, 1],
     [True, False, True], (1, 0, 1), torch.tensor([1, 0, 1])],
)  # fmt: skip
def test_a_mask_of_zeros_and_ones_of_any_type_is_obeyed(mask):
    env = second(info=lambda env: {"action_mask": mask})
    assert env.reset().action_mask.tolist() == [[True] * 3, [True, False, True]]
    assert live(env).observation.action_mask.tolist() == [[True] * 3, [True, False, True]]


def test_nothing_is_forbidden_to_those_who_tell_no_mask_in_a_step():
    env = second(info=lambda env: {"action_mask": SOME} if env.t % 2 else {})
    assert live(env, 1).observation.action_mask[1].tolist() == [True, False, True]
    assert live(env, 2).observation.action_mask[1].tolist() == [True, True, True]


def test_a_mask_that_allows_nothing_is_refused_where_the_agent_goes_on():
    said = refused(second(info=lambda env: {"action_mask": [0, 0, 0]} if env.t == 3 else {}), steps=3)
    assert said == "action_mask: expected an allowed action, got none (agent 1, step 3)"
    live(second(info=lambda env: {"action_mask": [0, 0, 0]} if env.t == LENGTH else {}), LENGTH)  # nobody acts there


@pytest.mark.parametrize("mode", [NEXT, SAME, DISABLED])
@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.ones((2, 4), np.int8), "expected [3] of 0 and 1 for each of 2 agents, got [2, 4] int8 (reset)"),
        (np.ones((2, 3, 1), np.int8), "expected [3] of 0 and 1 for each of 2 agents, got [2, 3, 1] int8 (reset)"),
        (np.ones((1, 3), np.int8), "expected [3] of 0 and 1 for each of 2 agents, got [1, 3] int8 (reset)"),
        (np.ones(3, np.int8), "expected [3] of 0 and 1 for each of 2 agents, got [3] int8 (reset)"),
        (np.array([[1, 1, 1], [1, 3, 1]]), "expected [3] of 0 and 1, got a value 3 (agent 1, reset)"),
        (np.array([np.ones(3), None], object), "expected [3] of 0 and 1, got None (agent 1, reset)"),
    ],
)
def test_a_wrong_mask_of_a_vector_environment_is_refused(mode, mask, said):
    assert refused(at_once(Crowd(mode, mask=lambda *_: mask))) == f"action_mask: {said}"


def test_rows_that_a_vector_environment_does_not_give_are_not_looked_at():
    masks = np.array([SOME, None], object)
    info = {"action_mask": masks, "_action_mask": np.array([True, False])}
    assert at_once(Crowd(NEXT, info=lambda *_: info)).reset().action_mask.tolist() == [[True, False, True], [True] * 3]
    info["_action_mask"] = np.array([1, 0])
    said = refused(at_once(Crowd(NEXT, info=lambda *_: info)))
    assert said == "_action_mask: expected a bool for each of 2 agents, got [2] int64 (reset)"


BESIDE = spaces.Dict(observation=spaces.Box(0, 1, (1,)), action_mask=spaces.MultiBinary(3))


@pytest.mark.parametrize("make", [by_turns, in_sync])
def test_a_mask_beside_what_is_seen_is_obeyed_and_no_feature(make):
    env = make(*(Stranger(BESIDE, seen=lambda env: {"observation": [0.5], "action_mask": SOME}) for _ in range(2)))
    seen = live(env, LENGTH + 2).observation
    assert seen.features.tolist() == [[0.5]] * 2 and seen.action_mask.tolist() == [[True, False, True]] * 2
    assert env.obs_dim == 1


def test_a_mask_beside_what_is_seen_is_told_apart_from_that_of_the_end():
    def seen(env):
        return {"observation": [0.0], "action_mask": [1, 1, 0] if env.t == LENGTH else SOME}

    result = live(by_turns(Stranger(BESIDE, seen=seen)), LENGTH)
    assert result.final_action_mask.tolist() == [[True, True, False]]
    assert result.observation.action_mask.tolist() == [[True, False, True]]


def test_a_wrong_mask_beside_what_is_seen_is_refused():
    said = refused(by_turns(Stranger(BESIDE, seen=lambda env: {"observation": [0.5], "action_mask": [1, 0]})))
    assert said == "action_mask: expected [3] of 0 and 1, got [2] int64 (agent 0, reset)"
    narrow = spaces.Dict(observation=spaces.Box(0, 1, (1,)), action_mask=spaces.MultiBinary(2))
    with pytest.raises(ConfigError, match=r"action_mask: expected 3 values in the observation, got MultiBinary\(2\)"):
        by_turns(Stranger(narrow))


@pytest.mark.parametrize("make", [by_turns, in_sync])
def test_a_mask_by_a_method_is_obeyed_through_wrappers(make):
    env = make(*(gymnasium.wrappers.TimeLimit(ByMethod(), 9) for _ in range(2)))
    assert live(env, 2).observation.action_mask.tolist() == [[True, False, True]] * 2


def test_a_vector_environments_own_method_is_asked_for_all():
    class Asked(Crowd):
        def action_masks(self):
            return np.array([[1, 1, 0], [0, 1, 1]])

    env = at_once(Asked(NEXT, info=lambda *_: {}))
    assert env.reset().action_mask.tolist() == [[True, True, False], [False, True, True]]


def test_a_wrong_answer_of_a_method_and_one_that_raises_are_refused():
    said = refused(by_turns(ByMethod(masks=lambda env: np.ones(4))))
    assert said == "action_mask: expected [3] of 0 and 1, got [4] float64 (agent 0, reset)"
    assert refused(by_turns(ByMethod(masks=lambda env: 1 / 0))) == (
        "action_masks: raised ZeroDivisionError: division by zero (agent 0, reset)"
    )


def test_a_method_is_not_asked_once_a_life_is_over_and_is_where_it_was_cut():
    """Who masks by a method expects to be asked before an action; of a cut episode the future still has value."""
    over = by_turns(ByMethod(masks=lambda env: SOME if env.t < LENGTH else 1 / 0))
    assert live(over, LENGTH).terminated.tolist() == [True]
    limited = ByMethod(cut=lambda env: env.t == 2, masks=lambda env: [0, 1, 1] if env.t == 2 else SOME)
    assert live(by_turns(limited), 2).final_action_mask.tolist() == [[False, True, True]]


def test_the_infos_mask_goes_before_all_others():
    env = by_turns(ByMethod(info=lambda env: {"action_mask": [0, 1, 1]}))
    assert env.reset().action_mask.tolist() == [[False, True, True]]


# --- rewards and flags -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (math.nan, "a finite number, got nan"),
        (-math.inf, "a finite number, got -inf"),
        (1e300, "a finite number, got 1e+300"),  # infinite in float32
        (np.array([1.0]), "a number, got [1] float64"),
        (np.zeros(2), "a number, got [2] float64"),
        ([1.0], "a number, got [1] float64"),
        ("1.0", "a number, got str '1.0'"),
        (None, "a number, got None"),
        (1j, "a number, got complex 1j"),
        (Decimal(1), "a number, got Decimal"),
        ({"a": 1.0}, "a number, got dict"),
    ],
)
def test_a_reward_that_is_no_finite_number_is_refused(reward, said):
    assert refused(second(paid=lambda env: reward if env.t == 2 else 0.0), 2) == (
        f"reward: expected {said} (agent 1, step 2)"
    )


@pytest.mark.parametrize("reward", [1, True, 1.0, np.float64(1), np.int8(1), np.array(1.0), torch.tensor(1.0)])
def test_a_reward_of_any_type_of_number_is_paid(reward):
    assert live(second(paid=lambda env: reward)).reward.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", ["dies", "cut"])
@pytest.mark.parametrize(
    ("flag", "got"),
    [(None, "None"), ("no", "str 'no'"), (0, "int 0"), (1.0, "float 1.0"), (np.array([True]), "[1] bool")],
)
def test_an_end_that_is_not_true_or_false_is_refused(name, flag, got):
    field = {"dies": "terminated", "cut": "truncated"}[name]
    assert refused(second(**{name: lambda env: flag})) == f"{field}: expected a bool, got {got} (agent 1, step 1)"


@pytest.mark.parametrize("flag", [True, np.bool_(True), np.array(True)])
def test_an_end_of_any_type_of_truth_is_one(flag):
    assert live(second(dies=lambda env: flag)).terminated.tolist() == [False, True]


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("reward", [1.0, np.nan], "reward: expected a finite number, got nan (agent 1, step 1)"),
        ("reward", np.ones((2, 1)), "reward: expected a number for each of 2 agents, got [2, 1] float64 (step 1)"),
        ("terminated", np.zeros(2), "terminated: expected a bool for each of 2 agents, got [2] float64 (step 1)"),
        ("truncated", np.zeros(3, bool), "truncated: expected a bool for each of 2 agents, got [3] bool (step 1)"),
        (
            "seen",
            np.zeros((3, 2)),
            "observation: expected [2] numbers for each of 2 agents, got [3, 2] float64 (reset)",
        ),
        ("seen", np.array([[0, 0], [0, np.inf]]), "observation: expected finite numbers, got inf (agent 1, reset)"),
    ],
)
def test_wrong_arrays_of_a_vector_environment_are_refused(part, value, said):
    assert refused(at_once(Crowd(NEXT, **{part: lambda *_: value}))) == said


def test_what_a_reset_pays_in_a_tick_of_its_own_is_not_looked_at():
    env = at_once(Crowd(NEXT, reward=lambda crowd, own: np.where(crowd.sight[:, 0] == 0, np.nan, own)))
    assert live(env, 3).reward.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (np.array([[0, np.nan], [0, 0]]), "final_obs: expected finite numbers, got nan (agent 0, step 2)"),
        (np.zeros((1, 2)), "final_obs: expected a row for each of 2 agents, got [1, 2] float64 (step 2)"),
        (np.array([None, None], object), "final_obs: expected [2] numbers, got None (agent 0, step 2)"),
    ],
)
def test_a_wrong_last_observation_is_refused(last, said):
    assert refused(at_once(Crowd(SAME, final=lambda *_: last)), 2) == said


# --- what calls return -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"step": lambda env: (env.seen(), 1.0, False, {})},
         "step: expected 5 values (observation, reward, terminated, truncated, info), got 4 values (agent 1, step 1)"),
        ({"step": lambda env: None},
         "step: expected 5 values (observation, reward, terminated, truncated, info), got None (agent 1, step 1)"),
        ({"reset": lambda env: np.zeros(2)},
         "reset: expected 2 values (observation, info), got [2] float64 (agent 1, reset)"),
        ({"reset": lambda env: (np.zeros(2), {}, {})},
         "reset: expected 2 values (observation, info), got 3 values (agent 1, reset)"),
        ({"info": lambda env: None}, "info: expected a dict, got None (agent 1, reset)"),
        ({"info": lambda env: [] if env.t else {}}, "info: expected a dict, got [0] float64 (agent 1, step 1)"),
        ({"paid": lambda env: [][0]}, "step: raised IndexError: list index out of range (agent 1, step 1)"),
        ({"seen": lambda env: exit(3)}, "reset: raised SystemExit: 3 (agent 1, reset)"),
        ({"seen": lambda env: (_ for _ in ()).throw(GeneratorExit)}, "reset: raised GeneratorExit (agent 1, reset)"),
    ],
)  # fmt: skip
def test_other_values_and_errors_are_told_with_the_agent_and_the_step(parts, said):
    assert refused(second(**parts)) == said


def test_the_strangers_own_error_is_kept_for_the_log():
    with pytest.raises(WorldError) as told:
        live(second(paid=lambda env: {}["the simulator"]))
    assert isinstance(told.value.__cause__, KeyError)


def test_a_long_message_is_cut_and_one_of_many_lines_is_one():
    def fail(env):
        raise RuntimeError("line\n" * 200)

    said = refused(second(paid=fail))
    assert said.startswith("step: raised RuntimeError: line line") and len(said) < 300


def test_ctrl_c_in_a_strangers_code_is_heard():
    def stop(env):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live(second(paid=stop))


def test_closing_raises_once_all_are_closed_and_says_nothing_after_another_fault():
    closed = []

    def close(env):
        closed.append(env)
        raise OSError("the window is gone")

    env = by_turns(Stranger(close=close), Stranger(close=close))
    live(env)
    with pytest.raises(WorldError, match=r"Some-v0: close: raised OSError: the window is gone \(agent 0, step 1\)"):
        env.close()
    assert len(closed) == 2
    broken = second(close=close, paid=lambda env: None)
    refused(broken)
    broken.close()
    assert len(closed) == 3


# --- observations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (np.zeros(3, np.float32), "[2] numbers, got [3] float32"),
        (np.zeros((1, 2)), "[2] numbers, got [1, 2] float64"),
        (0.0, "[2] numbers, got float 0.0"),
        (["a", "b"], "[2] numbers, got [2] <U1"),
        (np.array([0, None]), "[2] numbers, got ndarray"),
        (None, "[2] numbers, got None"),
        (np.array([0, np.nan]), "finite numbers, got nan"),
        (np.array([np.inf, 0]), "finite numbers, got inf"),
        (np.array([0, -1e300]), "finite numbers, got -1e+300"),
        (np.zeros(2, complex), "[2] numbers, got [2] complex128"),
    ],
)
def test_an_observation_of_another_shape_or_type_or_not_finite_is_refused(seen, said):
    assert refused(second(seen=lambda env: seen if env.t == 3 else [0, 0]), 3) == (
        f"observation: expected {said} (agent 1, step 3)"
    )


@pytest.mark.parametrize("seen", [[1, 0], (1, 0), np.array([1, 0]), np.array([True, False]), torch.tensor([1.0, 0.0])])
def test_an_observation_of_any_type_of_number_is_seen(seen):
    assert live(second(seen=lambda env: seen)).observation.features[1].tolist() == [1.0, 0.0]


def test_the_last_observation_of_an_episode_is_looked_at_too():
    said = refused(second(seen=lambda env: [np.nan, 0] if env.t == LENGTH else [0, 0]), LENGTH)
    assert said == f"final_obs: expected finite numbers, got nan (agent 1, step {LENGTH})"


NEST = spaces.Dict(a=spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (1,)))), b=spaces.MultiDiscrete([2, 3]))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"a": (0, [0.0])}, "observation: expected a part 'b', got dict"),
        ({"a": (0,), "b": [0, 0]}, "observation['a']: expected a part 1, got [1] int64"),
        ({"a": (0, [0.0, 1.0]), "b": [0, 0]}, "observation['a'][1]: expected [1] numbers, got [2] float64"),
        ({"a": (2, [0.0]), "b": [0, 0]}, "observation['a'][0]: expected one within Discrete(2), got 2"),
        ({"a": (0.5, [0.0]), "b": [0, 0]}, "observation['a'][0]: expected one within Discrete(2), got 0.5"),
        ({"a": (0, [0.0]), "b": [1, -1]}, "observation['b']: expected one within MultiDiscrete([2 3]), got -1"),
        ({"a": (0, [0.0]), "b": [np.nan, 0]}, "observation['b']: expected one within MultiDiscrete([2 3]), got nan"),
        ([0, 0], "observation: expected a part 'a', got [2] int64"),
    ],
)
def test_parts_of_nests_are_told_by_their_names(seen, said):
    right = {"a": (1, [0.5]), "b": np.array([0, 2])}
    env = by_turns(
        Stranger(NEST, seen=lambda env: right), Stranger(NEST, seen=lambda env: seen if env.t == 1 else right)
    )
    assert refused(env) == f"{said} (agent 1, step 1)"
    assert env.reset().features.tolist() == [[0, 1, 0.5, 1, 0, 0, 0, 1]] * 2


@pytest.mark.parametrize("space", [spaces.Text(3), spaces.Sequence(spaces.Discrete(2)), "a box", None])
def test_a_space_that_is_no_vector_is_one_line(space):
    with pytest.raises(ConfigError, match=r"expected an observation space of Box, Discrete, .* got") as told:
        by_turns(Stranger(space))
    assert len(told.value.errors) == 1


def test_agents_of_different_spaces_are_one_line():
    with pytest.raises(ConfigError, match=r"the same spaces for all agents, got Box.*Discrete\(2\), of agent 1"):
        by_turns(Stranger(), Stranger(spaces.Discrete(2)))


# --- whose arrays they are ---------------------------------------------------------------------------------------


def test_arrays_that_all_agents_share_and_use_again_are_copied_at_each_turn():
    """One array of sight, one mask and one reward for everybody, written by each turn and by each reset."""
    sight, mask, reward = np.zeros(2, np.float32), np.ones(3, np.int8), np.zeros(())

    def seen(env):
        sight[:] = env.number + env.t / 10, env.episode
        return sight

    def info(env):
        mask[:] = 1
        mask[(env.number + env.t) % 3] = 0
        return {"action_mask": mask}

    def paid(env):
        reward[()] = env.number + env.t / 10
        return reward

    shared = {"seen": seen, "info": info, "paid": paid, "dies": lambda env: False}
    envs = [Stranger(**shared, cut=lambda env: env.t == 2 + env.number) for _ in range(2)]
    for number, env in enumerate(envs):
        env.number = number
    world = by_turns(*envs)
    begun = world.reset()
    results = [world.step(LONG) for _ in range(3)]
    ends = [begun, *(result.observation for result in results)]
    assert [torch.round(one.features, decimals=4).tolist() for one in ends] == [
        [[0.0, 1], [1.0, 1]],
        [[pytest.approx(0.1), 1], [pytest.approx(1.1), 1]],
        [[0.0, 2], [pytest.approx(1.2), 1]],
        [[pytest.approx(0.1), 2], [1.0, 2]],
    ]
    assert results[1].final_features[0].tolist() == [pytest.approx(0.2), 1]  # of its own episode, not of the next
    assert results[2].final_features[1].tolist() == [pytest.approx(1.3), 1]
    assert [(~one.action_mask).long().argmax(dim=1).tolist() for one in ends] == [[0, 1], [1, 2], [0, 0], [1, 1]]
    assert (~results[1].final_action_mask[0]).tolist() == [False, False, True]
    assert [result.reward.tolist() for result in results] == [
        pytest.approx([0.1, 1.1]), pytest.approx([0.2, 1.2]), pytest.approx([0.1, 1.3])
    ]  # fmt: skip


@pytest.mark.parametrize("mode", [NEXT, SAME, DISABLED])
def test_results_of_a_vector_environment_stay_as_they_were_when_it_goes_on(mode):
    env = at_once(Crowd(mode))
    results = [env.step(LONG) for _ in range(4) if env.resets or env.reset()]
    after = [result.observation.features.tolist() for result in results]
    first_end = results[1]
    assert first_end.terminated.tolist() == [True, False]
    assert first_end.final_features.tolist() == [[2, 1], [2, 1]]
    assert first_end.final_action_mask[0].tolist() == [False, True, True]  # after two steps action 0 is forbidden
    two = [[2, 1], [2, 1]] if mode == NEXT else [[0, 2], [2, 1]]
    three = [[0, 2], [3, 1]] if mode == NEXT else [[1, 2], [3, 1]]
    assert after[:3] == [[[1, 1], [1, 1]], two, three]
    assert [result.reward[1].item() for result in results] == [1.0] * 4


def test_a_vector_environment_without_spaces_is_one_line():
    class Bare(gymnasium.vector.VectorEnv):
        def __init__(self, num_envs):
            self.num_envs, self.metadata = num_envs, {"autoreset_mode": NEXT}

        def close(self):
            raise OSError("never opened")

    gymnasium.register("Bare-v0", vector_entry_point=Bare)
    try:
        with pytest.raises(ConfigError, match="got Bare-v0: AttributeError: 'Bare' object has no attribute") as told:
            GymEnvironment.from_id("Bare-v0", 2)
    finally:
        del gymnasium.registry["Bare-v0"]
    assert len(told.value.errors) == 1


def test_options_are_every_agents_own():
    given = {"sizes": [1]}

    class Greedy(Stranger):
        def __init__(self, sizes):
            super().__init__()
            self.sizes = sizes
            sizes.append(2)

    gymnasium.register("Greedy-v0", Greedy)
    try:
        env = GymEnvironment.from_id("Greedy-v0", 2, options=given)
    finally:
        del gymnasium.registry["Greedy-v0"]
    assert [one.unwrapped.sizes for one in env.env.envs] == [[1, 2], [1, 2]] and given == {"sizes": [1]}
