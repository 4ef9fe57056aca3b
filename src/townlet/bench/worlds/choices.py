"""Random allowed actions at the same cost for every world: a draw made beforehand, and one look into a table.

A draw is an integer in [0, num_draws), the least common multiple of 1 to the number of actions, so that `draw % k` is
uniform whatever number k of actions is allowed. A row of the table stands for a set of allowed actions, action i as bit
i. Draws are made before the clock runs, the look into the table is part of the timed step.
"""

import math

import numpy as np
import torch
from torch import Tensor

from townlet.bench.worlds.plain_rules import Array

BITS = np.arange(8, dtype=np.uint8)[:, np.newaxis]  # how far up in a byte each action's lies


def num_draws(num_actions: int) -> int:
    """Return how many draws there are."""
    return math.lcm(*range(1, num_actions + 1))


def choices(num_actions: int) -> Array:
    """Return the table of actions, [2 ** num_actions, num_draws] int64; 0 where nothing is allowed."""
    table = np.zeros((2**num_actions, num_draws(num_actions)), dtype=np.int64)
    for row in range(1, len(table)):
        allowed = [action for action in range(num_actions) if row >> action & 1]
        table[row] = np.resize(allowed, table.shape[1])
    return table


def draw(steps: int, num_agents: int, num_actions: int, seed: int = 0) -> Array:
    """Return draws of `steps` steps, [steps, num_agents] int32."""
    return np.random.default_rng(seed).integers(num_draws(num_actions), size=(steps, num_agents), dtype=np.int32)


def choose_in_numpy(mask: Array, draws: Array, table: Array) -> Array:
    """Choose actions [num_agents] int64 for a mask [num_agents, num_actions] of bytes and draws [num_agents].

    By few and narrow operations, eight actions at most: for few agents it is their number that costs.
    """
    columns = mask.view(np.uint8).T  # [num_actions, num_agents]
    allowed = np.bitwise_or.reduce(columns << BITS[: len(columns)], axis=0)
    return table.ravel().take(np.multiply(allowed, table.shape[1], dtype=np.int32) + draws)


def choose_in_torch(mask: Tensor, draws: Tensor, table: Tensor) -> Tensor:
    """Do the same in PyTorch."""
    powers = 1 << torch.arange(mask.shape[1], device=mask.device)
    allowed = (mask * powers).sum(dim=1)
    return table[allowed, draws.long()]
