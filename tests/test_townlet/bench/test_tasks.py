"""Public tasks as Gymnasium environments: what is seen, when it pays, and that seeds repeat."""

import gymnasium
import numpy as np
import pytest

import townlet.bench.tasks  # noqa: F401  registers

pytestmark = pytest.mark.bench


def memory_length(steps):
    pytest.importorskip("bsuite", reason="bsuite is in the bench extra")
    return gymnasium.make("Townlet/MemoryLength-v0", memory_length=steps)


def seed_with_context(env, context):
    """A seed whose first episode shows this context."""
    return next(seed for seed in range(100) if env.reset(seed=seed)[0][2] == context)


@pytest.mark.parametrize(("context", "right"), [(1.0, 1), (-1.0, 0)])
def test_a_memory_chain_of_four_by_hand(context, right):
    """Time left falls by quarters; bsuite shows the context at the reset and once more, and asks at the fifth step."""
    env = memory_length(4)
    seed = seed_with_context(env, context)
    first, _ = env.reset(seed=seed)
    steps = [env.step(1 - right) for _ in range(4)] + [env.step(right)]
    seen = [first.tolist(), *(step[0].tolist() for step in steps)]
    assert seen == [
        [1.0, 0.0, context], [1.0, 0.0, context], [0.75, 0.0, 0.0], [0.5, 0.0, 0.0], [0.25, 0.0, 0.0], [0.0, 0.0, 0.0],
    ]  # fmt: skip
    assert [step[1] for step in steps] == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert [step[2] for step in steps] == [False] * 4 + [True]  # terminated
    assert not any(step[3] for step in steps)


def test_the_wrong_answer_costs_one():
    env = memory_length(2)
    env.reset(seed=seed_with_context(env, 1.0))
    assert [env.step(action)[1] for action in (1, 1, 0)] == [0.0, 0.0, -1.0]


def test_a_seed_repeats_the_contexts_that_follow_it():
    env = memory_length(1)

    def contexts(seed):
        return [env.reset(seed=seed if episode == 0 else None)[0][2] for episode in range(20)]

    assert contexts(3) == contexts(3) != contexts(4)
    assert {-1.0, 1.0} == set(contexts(3))


def test_observations_lie_in_their_spaces():
    for env in (memory_length(3), gymnasium.make("Townlet/CartPoleWithoutVelocities-v1", scale=(1.0, 10.0))):
        seen = [env.reset(seed=0)[0]] + [env.step(0)[0] for _ in range(3)]
        assert all(env.observation_space.contains(one) for one in seen)


def test_cart_pole_shows_position_and_angle_and_hides_velocities():
    whole, part = gymnasium.make("CartPole-v1"), gymnasium.make("Townlet/CartPoleWithoutVelocities-v1")
    pairs = [(whole.reset(seed=7)[0], part.reset(seed=7)[0])]
    pairs += [(whole.step(action)[0], part.step(action)[0]) for action in (0, 1, 1, 0)]
    for everything, shown in pairs:
        assert shown.tolist() == [everything[0], everything[2]]


def test_cart_pole_in_other_units_is_the_same_world():
    plain = gymnasium.make("Townlet/CartPoleWithoutVelocities-v1")
    scaled = gymnasium.make("Townlet/CartPoleWithoutVelocities-v1", scale=(2.0, 10.0))
    assert np.allclose(scaled.reset(seed=1)[0], plain.reset(seed=1)[0] * [2.0, 10.0])
    assert np.allclose(scaled.step(1)[0], plain.step(1)[0] * [2.0, 10.0])


def test_cart_pole_ends_at_500_steps_by_the_time_limit():
    env = gymnasium.make("Townlet/CartPoleWithoutVelocities-v1")
    assert env.spec.max_episode_steps == 500


def test_the_noisy_pole_in_other_units_is_popgyms_own_world():
    pytest.importorskip("popgym", reason="popgym is in the bench extra")
    scaled = gymnasium.make("Townlet/NoisyCartPole-v0", size="Hard", scale=(2.0, 10.0))
    plain = gymnasium.make("popgym-NoisyPositionOnlyCartPoleHard-v0")
    pairs = [(scaled.reset(seed=1)[0], plain.reset(seed=1)[0])]
    for action in (1, 0, 1):
        (seen, reward, *ends, _), (own, own_reward, *own_ends, _) = scaled.step(action), plain.step(action)
        pairs.append((seen, own))
        assert (reward, ends) == (own_reward, own_ends) == (1 / 200, [False, False])
    assert all(np.allclose(seen, own * [2.0, 10.0]) for seen, own in pairs)
    assert all(scaled.observation_space.contains(seen) for seen, _ in pairs)


def test_minigrids_memory_tells_what_is_in_sight_and_the_direction_one_hot():
    pytest.importorskip("minigrid", reason="minigrid is in the bench extra")
    env = gymnasium.make("Townlet/MiniGridMemory-v0", size=7, agent_view_size=3)
    own = gymnasium.make("MiniGrid-MemoryS7-v0", agent_view_size=3)
    seen, told = env.reset(seed=3)[0], own.reset(seed=3)[0]
    assert env.observation_space.contains(seen)
    cells, ways = seen[:-4].reshape(9, 20), seen[-4:]
    assert ways.tolist() == [1.0, 0.0, 0.0, 0.0] == np.eye(4)[told["direction"]].tolist()
    numbers = [[np.flatnonzero(part).tolist() for part in np.split(cell, [11, 17])] for cell in cells]
    assert numbers == [[[number] for number in cell] for cell in told["image"].reshape(9, 3).tolist()]
