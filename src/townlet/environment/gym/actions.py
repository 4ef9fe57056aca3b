"""Action spaces of others as one number an agent: from 0 on for the first action."""

import math

import numpy as np
from gymnasium import spaces

from townlet.config import ConfigError
from townlet.environment.gym.features import tell
from townlet.environment.gym.gate import Array

MOST_ACTIONS = 1024  # of a product: a network has an output for each
KNOWN = f"a Discrete space, or a MultiDiscrete or MultiBinary one of at most {MOST_ACTIONS:,} combinations"


class Actions:
    """The actions of a space, `count` of them, and what the environment is told for each.

    Those of a MultiDiscrete or MultiBinary are all combinations of its choices, in row-major order: the last choice
    changes first. Raises ConfigError for other spaces, and for more than 1,024 combinations.
    """

    def __init__(self, space: spaces.Space) -> None:
        choices, count = _choices(space), count_actions(space)
        if choices is None or count is None:
            raise ConfigError([f"gym: expected discrete actions ({KNOWN}), got {tell(space)}{_way_out(space)}"])
        self.count, self._dtype = count, space.dtype
        self._start = np.asarray(getattr(space, "start", np.zeros(space.shape or (), int)))  # shape of one action
        self.choices = choices

    def tell(self, chosen: Array) -> Array:
        """Return numbers [num_agents] as actions of the space, [num_agents, *its shape]."""
        choices = np.stack(np.unravel_index(chosen, self.choices), axis=-1)  # [num_agents, choices of one]
        return (choices.reshape(len(chosen), *self._start.shape) + self._start).astype(self._dtype)


def count_actions(space: spaces.Space) -> int | None:
    """Return how many actions a space has, and values a mask of it; None where `Actions` would refuse it."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if (choices := _choices(space)) is None:
        return None
    count = math.prod(choices)
    return count if count <= MOST_ACTIONS else None


def _choices(space: spaces.Space) -> tuple[int, ...] | None:
    """How many options each choice of an action has; None where it is not made of choices."""
    if isinstance(space, spaces.Discrete):
        return (int(space.n),)
    if isinstance(space, spaces.MultiDiscrete):
        return tuple(np.ravel(space.nvec).tolist())
    return (2,) * math.prod(space.shape) if isinstance(space, spaces.MultiBinary) else None


def _way_out(space: spaces.Space) -> str:
    """What to do about actions that agents here have not."""
    if isinstance(space, spaces.Box):
        return "; --set 'gym_wrappers=[{DiscretizeAction: {bins: 5}}]' makes 5 values of each number"
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        return "; a wrapper that leaves out combinations, as gym_wrappers: [module:Wrapper], makes fewer"
    return "; a wrapper that makes one choice of them, as gym_wrappers: [module:Wrapper], is a way"
