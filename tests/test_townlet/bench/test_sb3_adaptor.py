"""Our levels under Stable-Baselines3 and sb3-contrib: one agent by Gymnasium, many by the adaptor."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from support.worlds import put
from townlet.environment.gym.adaptors import TownletVectorEnv

reason = "needs the bench extra: pip install '.[bench]'"
sb3 = pytest.importorskip("stable_baselines3", reason=reason)
contrib = pytest.importorskip("sb3_contrib", reason=reason)

from townlet.bench.sb3_adaptor import Sb3VecEnv  # noqa: E402 (where it is installed)

pytestmark = pytest.mark.bench


def adapted(num_envs: int = 4, level: str = "0", **overrides: Any) -> Sb3VecEnv:
    return Sb3VecEnv(TownletVectorEnv(level, num_envs, overrides=overrides, autoreset_mode="SameStep"))


def still(env: Sb3VecEnv) -> np.ndarray:
    return np.full(env.num_envs, env.env.world.level.actions.index("INTERACT"))


def test_ends_are_told_in_the_words_of_stable_baselines() -> None:
    env = adapted(3, max_steps=2)
    env.seed(0)
    first = env.reset()
    put(env.env.world, 1, at=(0, 0), meters={"energy": 0.004})
    observation, reward, ended, infos = env.step(still(env))
    energy = env.env.world.observation_layout.slices["meters"]
    assert ended.tolist() == [False, True, False] and reward.tolist() == np.float32([0.1, -1.0, 0.1]).tolist()
    assert infos[0] == infos[2] == {} and infos[1]["TimeLimit.truncated"] is False
    assert infos[1]["terminal_observation"][energy].tolist() == [0.0] and observation[1, energy].tolist() == [1.0]
    _, _, ended, infos = env.step(still(env))
    assert ended.tolist() == [True, False, True]
    assert [one.get("TimeLimit.truncated") for one in infos] == [True, None, True]
    env.seed(0)
    assert np.array_equal(env.reset(), first) and not np.array_equal(adapted(64, "2").reset(), adapted(64, "2").reset())


def test_masks_are_found_by_agent() -> None:
    env = adapted(5, "2")
    env.reset()
    assert contrib.common.maskable.utils.is_masking_supported(env)
    masks = contrib.common.maskable.utils.get_action_masks(env)
    assert masks.dtype == np.bool_ and np.array_equal(masks, env.env.action_masks())
    assert np.array_equal(np.stack(env.env_method("action_masks", indices=[3, 1])), masks[[3, 1]])
    assert env.get_attr("num_envs", [0, 2]) == [5, 5] and not env.has_attr("colour")


def test_other_autoreset_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected autoreset_mode SameStep, got NextStep"):
        Sb3VecEnv(TownletVectorEnv("0", 2))
    with pytest.raises(NotImplementedError, match="got colour: agents share one world"):
        adapted().set_attr("colour", 1)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("name", ["DQN", "RecurrentPPO", "MaskablePPO"])
def test_each_learner_trains(name: str, many: bool) -> None:
    env = adapted(4, "2") if many else gymnasium.make("Townlet/Level2-v0")
    small: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "seed": 0}
    rollouts = {**small, "n_steps": 16, "batch_size": 16, "n_epochs": 1}
    if name == "DQN":
        learner = sb3.DQN("MlpPolicy", env, learning_starts=32, buffer_size=1000, **small)
    elif name == "RecurrentPPO":
        rollouts["policy_kwargs"]["lstm_hidden_size"] = 8
        learner = contrib.RecurrentPPO("MlpLstmPolicy", env, **rollouts)
    else:
        learner = contrib.MaskablePPO("MlpPolicy", env, **rollouts)
    learner.set_logger(sb3.common.logger.Logger(None, []))  # by default it leaves a temporary folder behind
    before = {key: value.clone() for key, value in learner.policy.state_dict().items()}
    learner.learn(64)
    assert learner.num_timesteps == 64
    assert any(not value.equal(before[key]) for key, value in learner.policy.state_dict().items())
