"""A memory of the ground: where an agent has not looked yet, and what it has seen from afar alone."""

import torch
from torch import Tensor

from townlet.agent.beside import Beside
from townlet.agent.directions import DIRECTIONS, directions
from townlet.environment.types import ObservationLayout
from townlet.sequences import Hidden

WINDOW, PLACE = "window", "position"  # parts of an observation: which cells around hold a place; where the agent is
UNSEEN, EMPTY, UNKNOWN, KNOWN = range(4)  # what is known of a cell: the more, the higher


class Frontier(Beside):
    """The way to the nearest place that was seen and never stood on, and to the nearest ground never seen.

    That is where a map can grow (Yamauchi, 1997). Memory holds a number for each cell of the grid; nothing to learn.
    Distances are in steps of the grid; of several nearest cells it is the first, row by row.
    """

    columns: Tensor  # [columns] float32: 0, 1, 2
    rows: Tensor  # [rows]
    reach: Tensor  # [side, 1]: how far the window's rows and columns are from its middle

    def __init__(self, layout: ObservationLayout) -> None:
        super().__init__()
        assert layout.grid is not None and layout.window_size is not None
        self.window, self.place, self.side = layout.slices[WINDOW], layout.slices[PLACE], layout.window_size
        columns, rows = layout.grid
        self.size, self.width = columns * rows, 2 * (1 + DIRECTIONS)
        self.across, self.down = max(columns - 1, 1), max(rows - 1, 1)  # what normalised positions are in shares of
        self.register_buffer("columns", torch.arange(float(columns)), persistent=False)
        self.register_buffer("rows", torch.arange(float(rows)), persistent=False)
        self.register_buffer("reach", torch.arange(float(self.side)).unsqueeze(1) - self.side // 2, persistent=False)

    def forward(self, features: Tensor, hidden: Hidden, reset: Tensor | None) -> tuple[Tensor, Hidden]:
        """Write and read at each step of a window, see `Beside`."""
        x, y = features[..., self.place].unbind(-1)
        right = self.columns - (x * self.across).round().unsqueeze(-1)  # of each column, [batch, time, columns]
        below = self.rows - (y * self.down).round().unsqueeze(-1)
        sights, held, steps = self._sights(features, right, below).flatten(2), hidden[0][0], []
        for step in range(features.shape[1]):
            if reset is not None:
                held = held.masked_fill(reset[:, step, None], UNSEEN)
            held = torch.maximum(held, sights[:, step])
            steps.append(held)
        read = self._nearest(torch.stack(steps, dim=1), right, below)
        return read, (held.unsqueeze(0),)

    def _sights(self, features: Tensor, right: Tensor, below: Tensor) -> Tensor:
        """What each step shows of each cell, [batch, time, rows, columns]."""
        # Which row of the map is which of the window, [batch, time, side, rows], and so for columns.
        row, column = (below.unsqueeze(-2) == self.reach).float(), (right.unsqueeze(-2) == self.reach).float()
        window = features[..., self.window].unflatten(-1, (self.side, self.side))
        occupied = row.transpose(-1, -2) @ window @ column
        shown = row.sum(dim=-2).unsqueeze(-1) * column.sum(dim=-2).unsqueeze(-2)
        here = (below == 0).float().unsqueeze(-1) * (right == 0).float().unsqueeze(-2)
        return EMPTY * shown + occupied + occupied * here

    def _nearest(self, ground: Tensor, right: Tensor, below: Tensor) -> Tensor:
        """Read the way to the nearest cell that is unknown, and to the nearest unseen, [batch, time, width]."""
        # Each cell's distance, then its number: the least is that of the first among the nearest.
        across = right.abs() * self.size + self.columns
        down = below.abs() * self.size + self.rows * len(self.columns)
        order = (down.unsqueeze(-1) + across.unsqueeze(-2)).flatten(2)
        none = self.size**2  # more than any
        least = torch.stack([torch.where(ground == what, order, none).amin(-1) for what in (UNKNOWN, UNSEEN)], dim=-1)
        known, cell = (least < none).float(), least % self.size
        row = (cell / len(self.columns)).floor()
        to_right = (cell - row * len(self.columns) + right[..., :1]) * known / self.across
        to_below = (row + below[..., :1]) * known / self.down
        return torch.cat([known, directions(to_right, to_below)], dim=-1)
