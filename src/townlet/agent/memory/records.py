"""How what is known of each action is read: in the same way for all of them."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from townlet.agent.memory.beside import Beside
from townlet.agent.memory.counter import OutcomeCounter, PartCounter

UNITS = 32  # of the layer that reads an action's record


class Record(nn.Module):
    """Reads what is known of an action and of its neighbours as a number to add to its value; at first 0.

    Actions of two choices lie on a grid of them, others in a row; `reach` is how far neighbours lie at most in each
    direction. What lies there is read by one convolution for all actions, with a 1 wherever there is an action, which
    tells edges; and in the light of what the head makes of everything, [context].
    """

    def __init__(self, of_action: int, grid: tuple[int, int], reach: int, context: int) -> None:
        super().__init__()
        self.grid = grid
        self.near = nn.Conv2d(of_action + 1, UNITS, 2 * reach + 1, padding=reach)
        self.light = nn.Linear(context, UNITS, bias=False)
        self.output = nn.Conv2d(UNITS, 1, 1, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(self, read: Tensor, context: Tensor) -> Tensor:
        """Map records [batch, time, num_actions * of_action], context [batch, time, context], to [.., num_actions]."""
        records = read.flatten(0, 1).unflatten(-1, (*self.grid, -1)).movedim(3, 1)  # [rows, of_action, *grid]
        known = self.near(nn.functional.pad(records, (0, 0, 0, 0, 0, 1), value=1.0))
        known = known + self.light(context).flatten(0, 1)[..., None, None]  # [rows, units, *grid]
        return self.output(torch.relu(known)).reshape(*read.shape[:2], -1)  # [batch, time, num_actions]


class Records(nn.Module):
    """What all memories that tell actions apart add to their values.

    So what follows from what is known of an action, as that it was done and is not to be done again, is learned once
    and not once for each of them.
    """

    def __init__(self, memories: Iterable[Beside], num_actions: int, choices: tuple[int, ...], context: int) -> None:
        super().__init__()
        grid = (choices[0], choices[1]) if len(choices) == 2 else (num_actions, 1)
        self.parts, readers, start = list[slice](), list[Record](), 0
        for one in memories:
            if isinstance(one, OutcomeCounter | PartCounter):
                self.parts.append(slice(start, start + num_actions * one.of_action))
                readers.append(Record(one.of_action, grid, one.reach, context))
            start += one.width
        self.readers = nn.ModuleList(readers)

    def forward(self, read: Tensor, context: Tensor) -> Tensor:
        """Map what all memories read [batch, time, width], and what the head makes of it, to [.., num_actions]."""
        added = [reader(read[..., part], context) for part, reader in zip(self.parts, self.readers, strict=True)]
        return sum(added[1:], start=added[0])
