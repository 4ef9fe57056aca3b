"""Public tasks of memory that no package registers with Gymnasium: importing this module does."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

SEEN = [0, 2]  # of CartPole's position, velocity, angle and angular velocity

Array = np.ndarray[Any, Any]


class MemoryLength(gymnasium.Env[Array, Any]):
    """bsuite's own memory chain of one bit (Osband et al., 2020), as a Gymnasium environment.

    Observations are [time left, query, context], [3] float32: the context, 1 or -1, is there at the first step alone,
    and `memory_length` steps later the action, 0 or 1, has to repeat it for a reward of 1, else -1. A seed begins
    bsuite's stream anew.
    """

    def __init__(self, memory_length: int) -> None:
        from bsuite.environments.memory_chain import MemoryChain  # some seconds, for this task alone

        self._make = lambda seed: MemoryChain(memory_length=memory_length, num_bits=1, seed=seed)
        self._chain = self._make(None)
        actions, seen = self._chain.action_spec(), self._chain.observation_spec()
        self.action_space = spaces.Discrete(actions.num_values)
        self.observation_space = spaces.Box(-1.0, 1.0, (int(np.prod(seen.shape)),), seen.dtype)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Begin an episode."""
        if seed is not None:
            self._chain = self._make(seed)
        return self._chain.reset().observation.ravel(), {}

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Answer; every answer but the last is ignored."""
        timestep = self._chain.step(int(action))
        terminated = timestep.last() and timestep.discount == 0.0
        truncated = timestep.last() and not terminated
        return timestep.observation.ravel(), float(timestep.reward), terminated, truncated, {}


class CartPoleWithoutVelocities(gymnasium.ObservationWrapper[Array, int, Array]):
    """CartPole-v1 that shows [position, angle] and no velocity: memory has to tell which way things move.

    Both are multiplied by `scale`.
    """

    def __init__(self, scale: tuple[float, float] = (1.0, 1.0)) -> None:
        super().__init__(gymnasium.make("CartPole-v1").unwrapped)
        self.scale = np.array(scale, dtype=np.float32)
        whole = self.env.observation_space
        assert isinstance(whole, spaces.Box)
        low, high = whole.low[SEEN] * self.scale, whole.high[SEEN] * self.scale
        self.observation_space = spaces.Box(low, high, dtype=np.float32)

    def observation(self, observation: Array) -> Array:
        """Leave the velocities out."""
        return observation[SEEN] * self.scale


gymnasium.register("Townlet/MemoryLength-v0", f"{__name__}:MemoryLength")
gymnasium.register(
    "Townlet/CartPoleWithoutVelocities-v1", f"{__name__}:CartPoleWithoutVelocities", max_episode_steps=500
)
