"""What is left, within a window, of what was written before: all pairs of steps at once, without a loop."""

import torch
from torch import Tensor


def shares_left(log_keep: Tensor, reset: Tensor | None) -> Tensor:
    """Return what is left at each step of what was held before the window, then of what each of its steps wrote.

    log_keep [batch, time]: the logarithm of what each step leaves of what was held before it, at most 0; reset [batch,
    time] bool: memory is zero before that step, None where it never is. Returns [batch, time, 1 + time]: at step t, for
    what was written at s, the product over (s, t], 0 where s comes later or a reset lies between.
    """
    time = log_keep.shape[1]
    total = log_keep.cumsum(1)
    since = total.unsqueeze(2) - torch.nn.functional.pad(total, (1, 0)).unsqueeze(1)  # [batch, time, 1 + time]
    there = torch.ones(time, 1 + time, dtype=torch.bool, device=total.device).tril(1)
    if reset is not None:
        episode = reset.cumsum(1)
        there = there & (episode.unsqueeze(2) == torch.nn.functional.pad(episode, (1, 0)).unsqueeze(1))
    return since.masked_fill(~there, -torch.inf).exp()
