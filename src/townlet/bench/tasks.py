"""Tasks of memory that no package registers with Gymnasium: importing this module does."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

NO_PICTURES: dict[str, Any] = {"render_modes": []}  # told of a class, where Gymnasium before 1.3 looks for it
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


class AssociativeRecall(gymnasium.Env[Array, Any]):
    """Associative recall (Graves et al., 2014): pairs of a key and a value are shown, and then keys alone.

    Each of `pairs` keys is shown once, in random order, with one of `values` values; then each is asked for once, in
    another order, and the action has to name the value that it was shown with. Observations are [2] int64: the key, and
    the value, which is `values` where the key is asked for. A right answer pays 1 / pairs, another one costs as much;
    what is done while pairs are shown is ignored. So the return is 1 for all that is right, and 2 / values - 1 on
    average for who has no memory. An episode terminates after 2 * pairs steps.

    Raises ValueError where `pairs` is no whole number from 1 on, or `values` none from 2 on.
    """

    def __init__(self, pairs: int = 6, values: int = 4) -> None:
        for name, number, least in (("pairs", pairs, 1), ("values", values, 2)):
            if not isinstance(number, int) or number < least:
                raise ValueError(f"{name}: expected a whole number of at least {least}, got {number!r}")
        self.pairs, self.values = pairs, values
        self.action_space = spaces.Discrete(values)
        self.observation_space = spaces.MultiDiscrete([pairs, values + 1])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Begin an episode: draw the values, and both orders of the keys."""
        super().reset(seed=seed)
        self._keys = np.concatenate([self.np_random.permutation(self.pairs) for _ in range(2)])
        self._value_of = self.np_random.integers(self.values, size=self.pairs)
        self._steps = 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Answer; nothing was asked while pairs are shown."""
        right, asked = action == self._value_of[self._keys[self._steps]], self._steps >= self.pairs
        reward = (1.0 if right else -1.0) / self.pairs if asked else 0.0
        self._steps += 1
        return self._observe(), reward, self._steps == 2 * self.pairs, False, {}

    def _observe(self) -> Array:
        key = self._keys[min(self._steps, 2 * self.pairs - 1)]  # the last once more, when all is over
        shown = self._value_of[key] if self._steps < self.pairs else self.values
        return np.array([key, shown], dtype=np.int64)


class CartPoleWithoutVelocities(gymnasium.ObservationWrapper[Array, int, Array]):
    """CartPole-v1 that shows [position, angle] and no velocity: memory has to tell which way things move.

    Both are multiplied by `scale`.
    """

    metadata = NO_PICTURES

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


class NoisyCartPole(gymnasium.ObservationWrapper[Array, int, Array]):
    """POPGym's NoisyPositionOnlyCartPole (Morad et al., 2023) of a `size`, Easy, Medium or Hard, in other units.

    Position and angle, noise included, are multiplied by `scale`: pole and noise stay what they are.
    """

    metadata = NO_PICTURES

    def __init__(self, size: str, scale: tuple[float, float] = (1.0, 1.0)) -> None:
        import popgym  # noqa: F401  registers; some seconds, for this task alone

        super().__init__(gymnasium.make(f"popgym-NoisyPositionOnlyCartPole{size}-v0").unwrapped)
        self.scale = np.array(scale, dtype=np.float32)
        whole = self.env.observation_space
        assert isinstance(whole, spaces.Box)
        self.observation_space = spaces.Box(whole.low * self.scale, whole.high * self.scale, dtype=np.float32)

    def observation(self, observation: Array) -> Array:
        """Tell both numbers in the units of `scale`."""
        return (observation * self.scale).astype(np.float32)


class MiniGridMemory(gymnasium.ObservationWrapper[Array, int, dict[str, Any]]):
    """MiniGrid's Memory (Chevalier-Boisvert et al., 2023) in a map of a `size`, told one-hot.

    Observations are [view * view * 20 + 4] float32: for each cell in sight, row by row, which of 11 kinds of things, 6
    colours and 3 states it has, and the direction that the agent looks in. MiniGrid itself tells them by their numbers,
    a key as 5 and a ball as 6. Its mission, the same in each episode, is left out. `options` are MiniGrid's.
    """

    metadata = NO_PICTURES

    def __init__(self, size: int, **options: Any) -> None:
        from minigrid.wrappers import OneHotPartialObsWrapper  # some seconds, for this task alone

        super().__init__(OneHotPartialObsWrapper(gymnasium.make(f"MiniGrid-MemoryS{size}-v0", **options).unwrapped))
        parts = self.env.observation_space
        assert isinstance(parts, spaces.Dict) and isinstance(parts["direction"], spaces.Discrete)
        self._ways: Array = np.eye(parts["direction"].n, dtype=np.float32)
        width = int(np.prod(parts["image"].shape or ())) + len(self._ways)
        self.observation_space = spaces.Box(0.0, 1.0, (width,), np.float32)

    def observation(self, observation: dict[str, Any]) -> Array:
        """Put what is in sight and the direction into one vector."""
        return np.concatenate([observation["image"].ravel(), self._ways[observation["direction"]]], dtype=np.float32)


gymnasium.register("Townlet/MemoryLength-v0", f"{__name__}:MemoryLength")
gymnasium.register("Townlet/AssociativeRecall-v0", f"{__name__}:AssociativeRecall")
gymnasium.register(
    "Townlet/CartPoleWithoutVelocities-v1", f"{__name__}:CartPoleWithoutVelocities", max_episode_steps=500
)
gymnasium.register("Townlet/NoisyCartPole-v0", f"{__name__}:NoisyCartPole")
gymnasium.register("Townlet/MiniGridMemory-v0", f"{__name__}:MiniGridMemory")
