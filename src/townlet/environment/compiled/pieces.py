"""Memory that results lie in, and that is used again once nobody in this process holds any of it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from sys import getrefcount
from typing import Any

import numpy as np
import torch
from torch import Tensor

from townlet.capture import leaves
from townlet.environment.compiled.kernels import Noted, Place, counter_of_holders, placed, shared_memory

KEPT = 4  # pieces of memory for one part of results that are kept to be used again
LARGE = 0.25  # the share of a result's bytes from which on a part lies alone: who holds a mask holds no features


class Piece:
    """Memory for a part of a result, of which tensors are handed out, and the tensors in it that kernels write."""

    def __init__(self, noted: Noted, allocations: Sequence[int], places: Iterable[Place]) -> None:
        memory = shared_memory(noted, allocations)
        self.tensors = {place: placed(memory, place) for place in places}
        self.storage, _ = next(iter(memory.values()))
        del memory  # which has the storage, too
        self.count, self.address = counter_of_holders(self.storage), self.storage.data_ptr()
        self.own = self.holders()

    def holders(self) -> tuple[int, ...]:
        """How many tensors lie in the memory, and how many have it as a storage."""
        return self.count(), getrefcount(self.storage)

    def is_free(self) -> bool:
        """Whether nobody else has anything in it, nor has moved it to where another process sees it."""
        return self.holders() == self.own and self.storage.data_ptr() == self.address

    def hand(self, place: Place) -> Callable[[], Any]:
        """Return what makes a new tensor of what lies in a place, for others to hold."""
        return self.tensors[place].detach

    @staticmethod
    def filler(buffer: Tensor) -> Callable[[Any], Any]:
        """Return what copies into a buffer that kernels read."""
        return buffer.copy_


class ArrayPiece(Piece):
    """Memory for a part of a result, of which arrays are handed out: for a few hundred agents it is tensors that cost.

    Every view of an array, of whatever kind, holds the array that owns the memory, or that stands for its owner; here
    that is `bytes`, so that its references tell all who hold anything.
    """

    def __init__(self, noted: Noted, allocations: Sequence[int], places: Iterable[Place]) -> None:
        super().__init__(noted, allocations, places)
        self.bytes = torch.empty(0, dtype=torch.uint8).set_(self.storage).numpy()
        self.arrays = {place: self._array(tensor) for place, tensor in self.tensors.items()}
        self.references = getrefcount(self.bytes)

    def is_free(self) -> bool:
        """Whether nobody else has an array in it, or a tensor made of one."""
        return getrefcount(self.bytes) == self.references

    def hand(self, place: Place) -> Callable[[], Any]:
        """Return what makes a new array of what lies in a place, for others to hold."""
        return self.arrays[place].view

    @staticmethod
    def filler(buffer: Tensor) -> Callable[[Any], Any]:
        """Return what copies into a buffer that kernels read."""
        return partial(np.copyto, buffer.numpy())

    def _array(self, tensor: Tensor) -> Any:
        like = tensor.numpy()
        start = tensor.data_ptr() - self.address
        return np.ndarray(like.shape, like.dtype, self.bytes, start, like.strides)


class Shelf:
    """Pieces of memory for the same part of results."""

    def __init__(self, noted: Noted, allocations: Sequence[int], kind: type[Piece]) -> None:
        self.noted, self.allocations, self.kind = noted, allocations, kind
        used = [*leaves(noted.outputs.result), *(one for call in noted.calls for one in call.arguments)]
        self.places = {one for one in used if isinstance(one, Place) and one.allocation in allocations}
        self.pieces: list[Piece] = []

    def free(self) -> Piece | None:
        """Return one that nobody has anything of."""
        for piece in self.pieces:
            if piece.is_free():
                return piece
        return None

    def add(self) -> Piece:
        """Make a new one; of too many the oldest goes to those who hold it."""
        piece = self.kind(self.noted, self.allocations, self.places)
        self.pieces = [*self.pieces[1 - KEPT :], piece]
        return piece


def apart(noted: Noted, allocations: Sequence[int]) -> list[list[int]]:
    """Which allocations of a result lie together."""
    least = LARGE * sum(noted.allocations[index] for index in allocations)
    large = [[index] for index in allocations if noted.allocations[index] >= least]
    small = [index for index in allocations if noted.allocations[index] < least]
    return [*large, small] if small else large
