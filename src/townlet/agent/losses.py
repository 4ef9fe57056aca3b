"""Targets and losses: pure functions indexed by time, [batch, seq_len] unless said otherwise.

Index t of `next_values` is the value of the state after step t; `valid` marks steps that count; `continues` marks steps
whose successor step is in the window and in the same episode.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from townlet.config import Training
from townlet.masking import masked_argmax


def double_q_values(online: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Target network's value of the action that the online network prefers (van Hasselt et al., 2016)."""
    chosen = target.gather(-1, masked_argmax(online, mask).unsqueeze(-1)).squeeze(-1)
    return torch.where(mask.any(dim=-1), chosen, torch.zeros_like(chosen))


def lambda_returns(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, continues: Tensor, gamma: float, trace_decay: float
) -> Tensor:
    """G_t = r_t + gamma (1 - terminated_t) ((1 - l_t) V_{t+1} + l_t G_{t+1}), l_t = trace_decay where step t continues.

    With trace_decay 0 these are one-step targets. Death does not bootstrap; the end of a window, of a time-limited
    episode and of what is valid does, from the value of the stored successor.
    """
    return discounted_returns(rewards, next_values, discounts(terminated, continues, gamma, trace_decay, rewards.dtype))


def discounts(
    terminated: Tensor, continues: Tensor, gamma: float, trace_decay: float, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return what a lambda return has of V_{t+1}, and of G_{t+1}, [batch, 2, seq_len]: no update changes it."""
    bootstrap = gamma * (~terminated).to(dtype)
    decay = trace_decay * continues.to(dtype)
    return torch.stack([bootstrap * (1.0 - decay), bootstrap * decay], dim=1)


def discounted_returns(rewards: Tensor, next_values: Tensor, discounts: Tensor) -> Tensor:
    """Return lambda returns, by what `discounts` returned."""
    of_value, of_return = discounts.unbind(1)
    known = rewards + of_value * next_values  # what does not depend on G_{t+1}
    *earlier, last = zip(known.unbind(1), of_return.unbind(1), strict=True)
    returns = [last[0]]
    for step_known, step_slope in reversed(earlier):
        returns.append(torch.addcmul(step_known, step_slope, returns[-1]))
    return torch.stack(returns[::-1], dim=1)


def n_step_returns(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, continues: Tensor, gamma: float, n: int
) -> Tensor:
    """Sum of up to n discounted rewards and the bootstrap value after them.

    Cut at the end of the episode, shortened at the end of the window or of what is valid.
    """
    returns = rewards + gamma * (~terminated).to(rewards.dtype) * next_values  # one step
    for _ in range(n - 1):
        longer = rewards[:, :-1] + gamma * returns[:, 1:]  # continues implies that step t was no death
        returns = torch.cat([torch.where(continues[:, :-1], longer, returns[:, :-1]), returns[:, -1:]], dim=1)
    return returns


RESCALING_EPSILON = 0.001


def rescale(values: Tensor) -> Tensor:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x, which brings large returns close (Pohlen et al., 2018).

    Written without the difference of near numbers, so that it is exact near zero.
    """
    return values / ((values.abs() + 1.0).sqrt() + 1.0) + RESCALING_EPSILON * values


def unscale(values: Tensor) -> Tensor:
    """Inverse of `rescale`.

    With e = 0.001 and s = sqrt(1 + 4 e (|x| + 1 + e)) the textbook has sign(x) (((s - 1) / 2 e)^2 - 1). The same is
    d (d + 2) with d = (s - 1) / 2 e - 1 = 2 |x| / (s + 1 + 2 e), which loses no digits near zero.
    """
    root = (1.0 + 4.0 * RESCALING_EPSILON * (values.abs() + 1.0 + RESCALING_EPSILON)).sqrt()
    excess = 2.0 * values.abs() / (root + 1.0 + 2.0 * RESCALING_EPSILON)
    return values.sign() * excess * (excess + 2.0)


def make_loss(training: Training) -> Callable[[Tensor], Tensor]:
    """Choose the loss of each TD error that a task names."""
    return partial(elementwise_loss, huber_delta=training.huber_delta)


def elementwise_loss(error: Tensor, huber_delta: float | None) -> Tensor:
    """Huber loss of TD errors, or half their square where delta is None."""
    if huber_delta is None:
        return 0.5 * error * error
    return torch.nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=huber_delta)


def masked_mean(values: Tensor, valid: Tensor, weights: Tensor) -> Tensor:
    """Sum of weighted values over valid steps, divided by the number of valid steps; weights [batch]."""
    counted = torch.where(valid, values * weights.unsqueeze(1), 0.0)  # what is not valid may be anything, even NaN
    return counted.sum() / valid.sum().clamp(min=1)


def plain_means(values: list[Tensor], valid: Tensor) -> tuple[Tensor, ...]:
    """Return the mean of each of several values over valid steps, all of them by the same operations."""
    counted = torch.where(valid, torch.stack(values), 0.0)  # [values, batch, seq_len]
    return (counted.sum(dim=(1, 2)) / valid.sum().clamp(min=1)).unbind()
