"""A share of a population: some of its agents, in a process of its own, and sums over all shares."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from townlet.shares.sums import Link, Sums


class ShareLostError(Exception):
    """Another share is gone, and with it what it would have added."""


class Share:
    """Share `rank` of `size` equal ones; that which is all, where there is one.

    A population of N agents has shares of N / size rows: those of share r begin with agent r N / size. Before it can
    sum, each has to `meet` the others.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self._sums: Sums | None = None

    def stream(self, name: str) -> str:
        """Name this share's own part of a stream of random numbers; the first has it by its own name."""
        return f"{name}/{self.rank}" if self.rank else name

    def rows(self, values: Tensor) -> Tensor:
        """Return this share's rows of what has a row for each agent of all shares."""
        return values.chunk(self.size)[self.rank]

    def meet(self, links: Sequence[Link], memory: Path) -> None:
        """Begin to sum with the others, see `Sums`, who all name the same file. Raises OSError."""
        self._sums = Sums(self.rank, links, memory)

    def sum(self, values: Tensor) -> Tensor:
        """Make contiguous `values` the sum of those of all shares, in place, equal bit for bit in each; return them.

        All shares have to ask for the same sums in the same order. Raises ShareLostError where one is gone.
        """
        if self.size > 1:
            assert self._sums is not None
            try:
                self._sums.add(values)
            except (EOFError, OSError) as error:
                raise ShareLostError(f"share {self.rank + 1} of {self.size} hears nothing of another") from error
        return values

    def means(self, parts: Sequence[Tensor], count: Tensor) -> list[Tensor]:
        """Means over what all shares count together, of `parts`, each a mean over the `count` of this one.

        A mean of the shares' means would count what is of a share with few for more.
        """
        ones = torch.ones(1, device=count.device)
        sums = self.sum(torch.cat([*(part.flatten() for part in parts), ones]) * count)
        *summed, of_all = sums.split([*(part.numel() for part in parts), 1])
        return [(one / of_all.clamp(min=1.0)).view_as(part) for one, part in zip(summed, parts, strict=True)]

    def weight(self, other: Tensor, count: Tensor) -> Tensor:
        """What a mean over an `other` number of this share is worth, where `means` weighs it by its `count`."""
        mine = torch.stack([other, count]).float()
        other_of_all, count_of_all = self.sum(mine.clone()).clamp(min=1.0)
        return mine[0] / other_of_all * count_of_all / mine[1].clamp(min=1.0)

    def part(self) -> None:
        """Let the others go: they hear that this one adds no more."""
        if self._sums is not None:
            self._sums.close()


ALONE = Share()
