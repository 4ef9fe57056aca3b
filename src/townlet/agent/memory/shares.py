"""What is left, within a window, of what was written before: all pairs of steps at once, without a loop."""

import torch
from torch import Tensor
from torch.nn.functional import pad


def shares_left(log_keep: Tensor, reset: Tensor | None) -> Tensor:
    """Return what is left at each step of what was held before the window, then of what each of its steps wrote.

    log_keep [batch, time]: the logarithm of what each step leaves of what was held before it, at most 0; reset [batch,
    time] bool: memory is zero before that step, None where it never is. Returns [batch, time, 1 + time]: at step t, for
    what was written at s, the product over (s, t], 0 where s comes later or a reset lies between.
    """
    time = log_keep.shape[1]
    total = log_keep.cumsum(1)
    since = total.unsqueeze(2) - pad(total, (1, 0)).unsqueeze(1)  # [batch, time, 1 + time]
    there = torch.ones(time, 1 + time, dtype=torch.bool, device=total.device).tril(1)
    if reset is not None:
        there = there & of_one_episode(reset)
    return since.masked_fill(~there, -torch.inf).exp()


def equal_shares_left(keep: float, like: Tensor, reset: Tensor | None) -> Tensor:
    """Return what `shares_left` does where each step leaves the same share: constants, which have no gradient.

    like [batch, time, ...]: what has as many steps, the same type and the same device. Returns [batch, time, 1 + time],
    and [1, time, 1 + time] where there is no reset.
    """
    time = like.shape[1]
    if reset is None:
        there = torch.ones(1, time, 1 + time, dtype=torch.bool, device=like.device)
    else:
        there = of_one_episode(reset)
    there = there.tril(1).to(like.dtype)
    if keep == 1.0:
        return there
    step = torch.arange(1 + time, dtype=like.dtype, device=like.device)
    return torch.pow(keep, step[1:].unsqueeze(1) - step).tril(1) * there


def of_one_episode(reset: Tensor) -> Tensor:
    """Whether no reset lies between, [batch, time, 1 + time], as `shares_left`."""
    episode = pad(reset.cumsum(1), (1, 0))
    return episode[:, 1:].unsqueeze(2) == episode.unsqueeze(1)
