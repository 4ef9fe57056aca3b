"""Random allowed actions at the same cost for every world: a draw made beforehand, and one look into a table.

A draw is a row of the table, of which there are as many as the least common multiple of 1 to the number of actions: so,
whatever number k of actions is allowed, each of them is in one of k rows. It is told by where it begins in the table.
In each row a number stands for a set of allowed actions, action i as bit i. Draws are made before the clock runs, the
look into the table is part of the timed step.
"""

import math

import numpy as np
import torch
from torch import Tensor

from townlet.bench.worlds.plain_rules import Array

BITS = (1 << np.arange(8, dtype=np.uint8))[:, np.newaxis]  # each action's in a byte


def num_draws(num_actions: int) -> int:
    """Return how many draws there are."""
    return math.lcm(*range(1, num_actions + 1))


def choices(num_actions: int) -> Array:
    """Return the table of actions, [num_draws, 2 ** num_actions] int64; 0 where nothing is allowed."""
    table = np.zeros((num_draws(num_actions), 2**num_actions), dtype=np.int64)
    for column in range(1, table.shape[1]):
        allowed = [action for action in range(num_actions) if column >> action & 1]
        table[:, column] = np.resize(allowed, len(table))
    return table


def draw(steps: int, num_agents: int, num_actions: int, seed: int = 0) -> Array:
    """Return draws of `steps` steps, [steps, num_agents] int32."""
    rows = np.random.default_rng(seed).integers(num_draws(num_actions), size=(steps, num_agents), dtype=np.int32)
    return rows << num_actions


def choose_in_numpy(mask: Array, draws: Array, table: Array) -> Array:
    """Choose actions [num_agents] int64 for a mask [num_agents, num_actions] of bytes and draws [num_agents].

    By few and narrow operations, eight actions at most: for few agents it is their number that costs.
    """
    columns = mask.view(np.uint8).T  # [num_actions, num_agents]
    allowed = np.bitwise_or.reduce(columns * BITS[: len(columns)], axis=0)  # NumPy multiplies faster than it shifts
    return table.ravel().take(draws + allowed)


def choose_in_torch(mask: Tensor, draws: Tensor, table: Tensor) -> Tensor:
    """Do the same in PyTorch."""
    powers = 1 << torch.arange(mask.shape[1], device=mask.device)
    allowed = (mask * powers).sum(dim=1)
    return table.flatten()[draws + allowed]
