"""A share of a population: some of its agents, in a process of its own, and sums over all shares."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from torch import Tensor

SECONDS_TO_MEET = 300  # what one share waits for another in a sum; none is asked for one while it rests


class ShareLostError(Exception):
    """Another share is gone, and with it what it would have added."""


class Share:
    """Share `rank` of `size` equal ones; that which is all, where there is one.

    A population of N agents has shares of N / size rows: those of share r begin with agent r N / size. Before it can
    sum, each has to `meet` the others.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self._group: Any = None

    def stream(self, name: str) -> str:
        """Name this share's own part of a stream of random numbers; the first has it by its own name."""
        return f"{name}/{self.rank}" if self.rank else name

    def rows(self, values: Tensor) -> Tensor:
        """Return this share's rows of what has a row for each agent of all shares."""
        return values.chunk(self.size)[self.rank]

    def meet(self, where: Path) -> None:
        """Wait for all others, who name the same file, which none of them may have written before."""
        from torch.distributed import FileStore, ProcessGroupGloo

        options = ProcessGroupGloo._Options()  # type: ignore[attr-defined]
        options._timeout = timedelta(seconds=SECONDS_TO_MEET)
        options._devices = [ProcessGroupGloo.create_device(hostname="127.0.0.1")]  # or it asks the network for a name
        self._group = ProcessGroupGloo(FileStore(str(where), self.size), self.rank, self.size, options)

    def sum(self, values: Tensor) -> Tensor:
        """Make `values` the sum of those of all shares, in place, equal bit for bit in each; return them.

        All shares have to ask for the same sums in the same order. Raises ShareLostError where one is gone.
        """
        if self.size > 1:
            try:
                self._group.allreduce([values]).wait()
            except RuntimeError as error:
                raise ShareLostError(f"share {self.rank + 1} of {self.size} hears nothing of another") from error
        return values

    def part(self) -> None:
        """Let the others go, as a process must before it ends."""
        self._group = None


ALONE = Share()
