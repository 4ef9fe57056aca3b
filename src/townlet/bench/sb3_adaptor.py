"""A level's world as Stable-Baselines3 knows vector environments, all agents in one step."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from townlet.environment.gym.adaptors import TownletVectorEnv

Indices = int | Iterable[int] | None


class Sb3VecEnv(VecEnv):
    """A TownletVectorEnv for Stable-Baselines3 and sb3-contrib, with their names for ends.

    An end returns the next episode's first observation; the last one is in that agent's info as "terminal_observation",
    and "TimeLimit.truncated" says that the step limit ended it. MaskablePPO finds its masks by `action_masks`. Raises
    ValueError where `env` is not in the autoreset mode "SameStep".
    """

    def __init__(self, env: TownletVectorEnv) -> None:
        if env.autoreset_mode.value != "SameStep":
            raise ValueError(f"env: expected autoreset_mode SameStep, got {env.autoreset_mode.value}")
        self.env = env
        self._actions: NDArray[Any] = np.zeros(env.num_envs, dtype=np.int64)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> NDArray[np.float32]:
        """Begin new episodes, the first of what `seed` was given if it was called before."""
        observation, _ = self.env.reset(seed=self._seeds[0])
        self._reset_seeds()
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep `actions` [num_envs] for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Advance all agents; observations, rewards, ends and an info for each agent."""
        observation, reward, terminated, truncated, step_infos = self.env.step(self._actions)
        ended, infos = terminated | truncated, [dict[str, Any]() for _ in range(self.num_envs)]
        for index in np.flatnonzero(ended):
            infos[index]["terminal_observation"] = step_infos["final_obs"][index]
            infos[index]["TimeLimit.truncated"] = bool(truncated[index])
        return observation, reward, ended, infos

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return the environment's attribute, once for each agent. Raises AttributeError where it has none."""
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Refuse: agents share one environment. Raises NotImplementedError."""
        raise NotImplementedError(f"set_attr: expected no attribute to set, got {attr_name}: agents share one world")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method that returns a row an agent, as `action_masks`; the rows of `indices`."""
        rows = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [rows[index] for index in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        """Say for each agent that nothing wraps it."""
        return [False] * len(list(self._get_indices(indices)))
