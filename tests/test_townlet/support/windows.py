"""What a window of a memory has to equal: the same steps taken one by one, and its equation with the gradient."""

import torch
from torch import Tensor

from townlet.agent.memory.beside import Beside
from townlet.sequences import Hidden

Window = tuple[Tensor, Hidden, Tensor]  # features, the memory before them, reset


def a_window(memory: Beside, inputs: int = 5) -> Window:
    """Four windows of nine steps with resets, and what was held before them."""
    features, reset = torch.randn(4, 9, inputs, dtype=torch.float64), torch.rand(4, 9) < 0.2
    assert reset.any()
    return features, (torch.randn(1, 4, memory.size, dtype=torch.float64),), reset


def check_single_steps(memory: Beside, features: Tensor, hidden: Hidden, reset: Tensor) -> None:
    """A window reads what its steps read one by one, its row what it reads alone, and leaves the same memory."""
    whole, (after,) = memory(features, hidden, reset)
    alone, _ = memory(features[2:3], (hidden[0][:, 2:3],), reset[2:3])
    torch.testing.assert_close(alone[0], whole[2])
    for step in range(features.shape[1]):
        one, hidden = memory(features[:, step : step + 1], hidden, reset[:, step : step + 1])
        torch.testing.assert_close(one[:, 0], whole[:, step])
    torch.testing.assert_close(hidden[0], after)


def check_equation(memory: Beside, read: Tensor, expected: Tensor) -> tuple[Tensor, ...]:
    """What is read and its gradient are those of the equation step by step; returns the gradient."""
    torch.testing.assert_close(read, expected)
    weights = torch.randn(read.shape, dtype=torch.float64)
    mine, theirs = (torch.autograd.grad((one * weights).sum(), list(memory.parameters())) for one in (read, expected))
    torch.testing.assert_close(mine, theirs)
    return mine
