"""A T-maze: a sign at the start of a corridor tells which way to turn at its end. `import townlet` registers it."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

MOVES = ((1, 0), (0, 1), (-1, 0), (0, -1))  # cells to the east and to the north, of each action

Array = np.ndarray[Any, Any]


class TMaze(gymnasium.Env[Array, Any]):
    """The passive T-maze of Ni et al. (2023), "When Do Transformers Shine in RL?", after Bakker (2001).

    From the start a corridor of `length` cells leads east to a junction, with one goal to the north of it and one to
    the south; actions 0 to 3 are east, north, west and south, and what leads into a wall does nothing. Observations are
    [2] float32: whether this is the end of the corridor, and a sign, 1 for the north and -1 for the south. The sign of
    the right goal is there at the first step alone. In a goal the second number says which it is, when all is over.

    An episode terminates after length + 1 steps, just as many as the way takes, so nothing is truncated and no step can
    be made up for. The right goal pays 1 then. Each step before that which ends west of where it should be costs
    1 / length. So the return is 1 for all that is right, 0 for the wrong turn, -1 for never leaving the start, and .5
    on average at most for who has no memory. Bakker's own has no deadline, pays 4, and charges 0.1 for standing still.

    Raises ValueError where `length` is no whole number from 1 on.
    """

    def __init__(self, length: int = 10) -> None:
        if not isinstance(length, int) or length < 1:
            raise ValueError(f"length: expected a whole number of at least 1, got {length!r}")
        self.length = length
        self.action_space = spaces.Discrete(len(MOVES))
        self.observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Begin an episode: draw the right goal, and show its sign."""
        super().reset(seed=seed)
        self._goal = 2 * int(self.np_random.integers(2)) - 1
        self._cell = self._steps = 0
        return self._observe(self._goal), {}

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Walk, or turn at the junction: that is the last step, since all others are needed to get there."""
        east, north = MOVES[action]
        turn = north if self._cell == self.length else 0
        self._cell = min(max(self._cell + east, 0), self.length)
        self._steps += 1
        if self._steps > self.length:
            return self._observe(turn), float(turn == self._goal), True, False, {}
        behind = self._cell < self._steps
        return self._observe(0), -1.0 / self.length if behind else 0.0, False, False, {}

    def _observe(self, sign: int) -> Array:
        return np.array([self._cell == self.length, sign], dtype=np.float32)
