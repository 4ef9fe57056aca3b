"""Which way a place lies, as a network can use it."""

import torch
from torch import Tensor

DIRECTIONS = 3  # numbers for a place


def directions(offset: Tensor) -> Tensor:
    """Map offsets to the right and below, [..., 2], to their signs and the sum of their sizes, [..., 3].

    A policy needs the way to a place more than the distance, and a network is slow to learn a sign from a small number.
    """
    return torch.cat([offset.sign(), offset.abs().sum(dim=-1, keepdim=True)], dim=-1)
