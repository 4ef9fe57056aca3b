"""Which steps of the newest windows are looked up because a time limit cut them off."""

from collections.abc import Callable

import torch
from torch import Tensor

# From which steps were cut off, [num_agents, seq_len] bool, to which are looked up, [some] int64, counted through.
Pick = Callable[[Tensor], Tensor]


def pick_for(device: torch.device, seq_len: int, steps_between_cuts: int) -> Pick:
    """Choose how steps are picked: on a CPU those that were cut off, elsewhere a number that does not depend on them.

    A device would have to be waited for to know how many there are. `steps_between_cuts` is the least from one episode
    of an agent that is cut off to the next.
    """
    if device.type == "cpu":
        return each_cut
    return last_of_each if steps_between_cuts >= seq_len else every_step


def each_cut(cut: Tensor) -> Tensor:
    """Those that were cut off."""
    return cut.flatten().nonzero().squeeze(1)


def last_of_each(cut: Tensor) -> Tensor:
    """One of every agent, the last that was cut off: all, where no two are."""
    agents, steps = (torch.arange(size, device=cut.device) for size in cut.shape)
    return agents * cut.shape[1] + (cut * (steps + 1)).argmax(dim=1)


def every_step(cut: Tensor) -> Tensor:
    """All there are."""
    return torch.arange(cut.numel(), device=cut.device)
