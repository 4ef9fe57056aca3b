"""Which way a place lies, as a network can use it."""

import torch
from torch import Tensor

DIRECTIONS = 3  # numbers for a place


def directions(right: Tensor, below: Tensor) -> Tensor:
    """Map how far places lie to the right and below, [..., places] each, to [..., 3 * places].

    First the signs of the one, then of the other, then the sums of both distances. A policy needs the way to a place
    more than the distance, and a network is slow to learn a sign from a small number.
    """
    return torch.cat([right.sign(), below.sign(), right.abs() + below.abs()], dim=-1)
