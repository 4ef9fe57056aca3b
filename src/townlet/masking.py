"""Best actions and values among those that are allowed."""

import torch
from torch import Tensor


def masked_max(q: Tensor, mask: Tensor) -> Tensor:
    """Greatest Q among allowed actions, [..., num_actions] to [...]; 0 in rows without any."""
    best = q.masked_fill(~mask, -torch.inf).amax(dim=-1)
    return torch.where(mask.any(dim=-1), best, torch.zeros_like(best))


def masked_argmax(q: Tensor, mask: Tensor) -> Tensor:
    """Index of the greatest Q among allowed actions, [..., num_actions] to [...] int64."""
    return q.masked_fill(~mask, -torch.inf).argmax(dim=-1)
