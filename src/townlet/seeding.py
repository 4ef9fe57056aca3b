"""One root seed, many named streams: each use of randomness draws from a stream of its own."""

import hashlib

import torch
from torch import Tensor

# Multipliers and shifts of lowbias32, a 32-bit mixer of low bias (Chris Wellons, hash-prospector), as signed ints.
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B - (1 << 32)


def stream_seed(root: int, name: str) -> int:
    """Derive the seed of a named stream, in [0, 2**31)."""
    digest = hashlib.sha256(f"{root}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def generator(root: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Make the generator of a named stream on a device."""
    made = torch.Generator(device=device)
    made.manual_seed(stream_seed(root, name))
    return made


def go_on(stream: torch.Generator, state: Tensor, otherwise: int) -> None:
    """Set a stream to a saved state, or to the seed `otherwise` where the state is of another kind of device."""
    if state.shape == stream.get_state().shape:
        stream.set_state(state.cpu())
    else:
        stream.manual_seed(otherwise)


def _logical_right_shift(value: Tensor, bits: int) -> Tensor:
    return (value >> bits) & ((1 << (32 - bits)) - 1)


def mix(value: Tensor) -> Tensor:
    """Scatter the bits of int32 counters: equal inputs give equal outputs on every device and at every batch size."""
    value = (value ^ _logical_right_shift(value, 16)) * _FIRST
    value = (value ^ _logical_right_shift(value, 15)) * _SECOND
    return value ^ _logical_right_shift(value, 16)


def draw_below(hashed: Tensor, limit: int) -> Tensor:
    """Map hashed int32 values to integers in [0, limit), limit at most 2**16, int32 of the same shape."""
    fraction = _logical_right_shift(hashed, 8).float() * 2.0**-24
    return (fraction * limit).int()


def draw_uniform(hashed: Tensor) -> Tensor:
    """Map hashed int32 values to the middles of 2**23 equal parts of (0, 1), float32: exact, and never 0 or 1."""
    return _logical_right_shift(hashed, 9).float() * 2.0**-23 + 2.0**-24
