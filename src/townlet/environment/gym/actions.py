"""Action spaces of others as one number an agent: from 0 on for the first action."""

import math

import numpy as np
from gymnasium import spaces

from townlet.config import ConfigError
from townlet.environment.gym.features import tell
from townlet.environment.gym.gate import Array

MOST_ACTIONS = 1024  # of a product: a network has an output for each


class Actions:
    """The actions of a space, `count` of them, and what the environment is told for each.

    Those of a MultiDiscrete are all combinations of its choices, in row-major order: the last choice changes first.
    Raises ConfigError for other spaces, and for more than 1,024 combinations.
    """

    def __init__(self, space: spaces.Space) -> None:
        count = count_actions(space)
        if count is None or not isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
            expected = f"a Discrete space, or a MultiDiscrete one of at most {MOST_ACTIONS:,} combinations"
            raise ConfigError([f"gym: expected discrete actions ({expected}), got {tell(space)}"])
        self.count, self._dtype = count, space.dtype
        self._start = np.asarray(space.start)  # shape of one action
        self.choices = tuple(np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec).tolist())

    def tell(self, chosen: Array) -> Array:
        """Return numbers [num_agents] as actions of the space, [num_agents, *its shape]."""
        choices = np.stack(np.unravel_index(chosen, self.choices), axis=-1)  # [num_agents, choices of one]
        return (choices.reshape(len(chosen), *self._start.shape) + self._start).astype(self._dtype)


def count_actions(space: spaces.Space) -> int | None:
    """Return how many actions a space has, and values a mask of it; None where `Actions` would refuse it."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if not isinstance(space, spaces.MultiDiscrete):
        return None
    count = math.prod(np.ravel(space.nvec).tolist())
    return count if count <= MOST_ACTIONS else None
