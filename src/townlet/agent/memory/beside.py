"""What a recurrent network keeps and reads beside its cell."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from townlet.sequences import Hidden


class Beside(nn.Module):
    """A memory that the head reads beside the cell's: written by a rule, or by what is learned in it.

    It is called with all that the network takes in, the observation first, then the previous action.
    """

    parts = 1  # tensors of memory
    size: int  # numbers in the memory of one agent
    width: int  # numbers read at each step

    @property
    def learned(self) -> bool:
        """Whether anything is learned in it, so that every update reads something else."""
        return next(self.parameters(), None) is not None

    def input_layers(self) -> dict[str, slice]:
        """Return which of the inputs each weight [units, inputs] reads, by its name, as `QNetwork.input_layers`."""
        return {}

    def initial_hidden(self, batch: int, like: Tensor) -> Hidden:
        """Return the memory at an episode's start: zeros, [1, batch, size], of the kind and device of `like`."""
        return tuple(like.new_zeros(1, batch, self.size) for _ in range(self.parts))

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window.

        features [batch, time, inputs]; hidden: the memory before it; reset [batch, time] bool: memory is zero before
        that step, None where it never is. Returns what each step reads, its own sight included, [batch, time, width],
        and the memory after the last.
        """
        raise NotImplementedError

    def take_step(self, features: Tensor, hidden: Hidden) -> tuple[Tensor, Hidden]:
        """Return what a call of one step without a reset does, as a graph for other programs has it: in real numbers.

        features [batch, 1, inputs]; their number of rows must not be fixed in the graph.
        """
        return self(features, hidden, None)


class Memories(nn.ModuleList):
    """Memories side by side."""

    def __init__(self, memories: Iterable[Beside]) -> None:
        super().__init__(memories)

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Beside]: ...

    @property
    def parts(self) -> int:
        """Tensors of memory, of all of them."""
        return sum(one.parts for one in self)

    def read(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[list[Tensor], Hidden]:
        """Return what each reads at each step of a window, and all their memory after the last, see `Beside`."""
        held, read, carried = iter(hidden), [], []
        for one in self:
            found, after = one(features, tuple(islice(held, one.parts)), reset)
            read.append(found)
            carried.extend(after)
        return read, tuple(carried)


class Written(Beside):
    """A memory that what each step shows is written into, before it is read."""

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window, see `Beside`."""
        shown = [part.unbind(1) for part in self.shown(features)]
        held, steps = hidden[0][0], []  # [batch, size]
        for step, sight in enumerate(zip(*shown, strict=True)):
            if reset is not None:
                held = held.masked_fill(reset[:, step, None], 0.0)
            held = self.write(held, *sight)
            steps.append(held)
        return self.read(torch.stack(steps, dim=1), features), (held.unsqueeze(0),)

    def shown(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return what each step has to write, each [batch, time, ...]."""
        raise NotImplementedError

    def write(self, held: Tensor, *sight: Tensor) -> Tensor:
        """Write what one step shows, each [batch, ...], into what is held, [batch, size]; returns what then is."""
        raise NotImplementedError

    def read(self, held: Tensor, features: Tensor) -> Tensor:
        """Read what is held after each step, [batch, time, size], at that step: [batch, time, width]."""
        raise NotImplementedError
