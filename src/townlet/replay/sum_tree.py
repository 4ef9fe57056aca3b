"""Numbers that change a few at a time, kept with their sums, so that drawing one of a million looks at 300."""

import math

import torch
from torch import Tensor
from torch.nn import functional


class SumTree:
    """Numbers, none below zero, with the sums of their blocks, and the sums of those.

    There are as many sums of blocks in a sum of sums as numbers in a block, and as many of these at the top: the cube
    root of how many numbers there are. Sums are float64, so of whole numbers they are exact, and are always made anew
    from what is below them, never changed by a difference: no error adds up.
    """

    def __init__(self, numbers: Tensor) -> None:
        """Take `numbers` [rows]."""
        self.branching = max(2, math.ceil(len(numbers) ** (1 / 3)))
        room = self.branching**3 - len(numbers)
        self.numbers = functional.pad(numbers.double(), (0, room))  # [branching ** 3]
        self.blocks = self._of_each(self.numbers).sum(dim=1)  # [branching ** 2]
        self.tops = self._of_each(self.blocks).sum(dim=1)  # [branching]

    def _of_each(self, below: Tensor) -> Tensor:
        return below.view(-1, self.branching)

    @property
    def total(self) -> Tensor:
        """Sum of all numbers, a scalar, added up in the order in which points are found."""
        return self.tops.cumsum(0)[-1]

    def set(self, rows: Tensor, numbers: Tensor) -> None:
        """Put `numbers` [some] into `rows` [some] int64; a row that is named more than once gets the same each time."""
        self.numbers.index_copy_(0, rows, numbers.double())
        blocks = rows // self.branching
        self.blocks.index_copy_(0, blocks, self._of_each(self.numbers)[blocks].sum(dim=1))
        self.tops = self._of_each(self.blocks).sum(dim=1)

    def find(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [batch] int64 in which `points` [batch] lie, from 0 to below the total, and how far in, [batch].

        It is the first row up to which the numbers add up to more than the point, so never one that holds zero.
        """
        place, beyond = torch.zeros_like(points, dtype=torch.int64), points
        for level in (self.tops, self.blocks, self.numbers):
            sums = functional.pad(self._of_each(level)[place].cumsum(dim=1), (1, 0))  # [batch, branching + 1]
            most = torch.nextafter(sums[:, -1], torch.zeros_like(beyond))  # what is above has been rounded
            beyond = torch.minimum(beyond, most)
            child = torch.searchsorted(sums, beyond.unsqueeze(1), right=True) - 1  # [batch, 1]
            beyond = beyond - sums.gather(1, child).squeeze(1)
            place = place * self.branching + child.squeeze(1)
        return place, beyond
