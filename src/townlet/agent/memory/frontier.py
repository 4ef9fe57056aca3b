"""A memory of the ground: where an agent has not looked yet, and what it has seen from afar alone."""

import torch
from torch import Tensor

from townlet.agent.memory.beside import Written
from townlet.agent.memory.sightings import DIRECTIONS, directions
from townlet.environment.layout import ObservationLayout

WINDOW, PLACE = "window", "position"  # parts of an observation: which cells around hold a place; where the agent is
UNSEEN, EMPTY, UNKNOWN, KNOWN = range(4)  # what is known of a cell: the more, the higher


class Frontier(Written):
    """The way to the nearest place that was seen and never stood on, and to the nearest ground never seen.

    That is where a map can grow (Yamauchi, 1997). Memory holds a number for each cell of the grid; nothing to learn.
    Distances are in steps of the grid; of several nearest cells it is the first, row by row.
    """

    columns: Tensor  # [columns] float32: 0, 1, 2
    rows: Tensor  # [rows]
    around: Tensor  # [side * side] int64: the window's cells in a map with a margin, from the first of them
    worth: Tensor  # [side * side] float32: what a place there counts more than empty ground

    def __init__(self, layout: ObservationLayout) -> None:
        super().__init__()
        assert layout.grid is not None and layout.window_size is not None
        self.window, self.place, side = layout.slices[WINDOW], layout.slices[PLACE], layout.window_size
        columns, rows = layout.grid
        self.size, self.width = columns * rows, 2 * (1 + DIRECTIONS)
        self.across, self.down = max(columns - 1, 1), max(rows - 1, 1)  # what normalised positions are in shares of
        self.reach = side // 2
        self.margined = (rows + 2 * self.reach, columns + 2 * self.reach)
        cell, middle = torch.arange(side), torch.arange(side * side) == side * side // 2
        constants = {
            "columns": torch.arange(float(columns)),
            "rows": torch.arange(float(rows)),
            "around": (cell.unsqueeze(1) * self.margined[1] + cell).flatten(),
            "worth": torch.where(middle, KNOWN - EMPTY, UNKNOWN - EMPTY).float(),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def _here(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Column and row of the agent, each [batch, time, 1], whole numbers."""
        x, y = features[..., self.place].split(1, dim=-1)
        return (x * self.across).round(), (y * self.down).round()

    def shown(self, features: Tensor) -> tuple[Tensor]:
        """Return what each step shows of each cell, [batch, time, size]: the window laid upon a map with a margin."""
        x, y = self._here(features)
        shown = EMPTY + features[..., self.window] * self.worth
        where = self.around + (y * self.margined[1] + x).long()
        empty = features.new_zeros(*features.shape[:2], self.margined[0] * self.margined[1])
        ground = empty.scatter(-1, where, shown).unflatten(-1, self.margined)
        inner = slice(self.reach, -self.reach)
        return (ground[..., inner, inner].flatten(2),)

    def write(self, held: Tensor, *sight: Tensor) -> Tensor:
        """Write what was not known of a cell, see `Written`."""
        return torch.maximum(held, *sight)

    def read(self, held: Tensor, features: Tensor) -> Tensor:
        """Read the ways, see `Written`."""
        x, y = self._here(features)
        return self._nearest(held, self.columns - x, self.rows - y)

    def _nearest(self, ground: Tensor, right: Tensor, below: Tensor) -> Tensor:
        """Read the way to the nearest cell that is unknown, and to the nearest unseen, [batch, time, width].

        How far each column lies to the right and each row below: [batch, time, columns] and [batch, time, rows].
        """
        # Each cell's distance, then its number: the least is that of the first among the nearest.
        across = right.abs() * self.size + self.columns
        down = below.abs() * self.size + self.rows * len(self.columns)
        order = (down.unsqueeze(-1) + across.unsqueeze(-2)).flatten(2)
        none = self.size**2  # more than any of them: what other cells are put behind (comparing would be slower)
        behind = torch.stack([(ground - what).abs().clamp(max=1.0) * none for what in (UNKNOWN, UNSEEN)], dim=2)
        least = (order.unsqueeze(2) + behind).amin(dim=-1)  # [batch, time, 2]
        known, cell = (least < none).float(), least % self.size
        row = (cell / len(self.columns)).floor()
        to_right = (cell - row * len(self.columns) + right[..., :1]) * known / self.across
        to_below = (row + below[..., :1]) * known / self.down
        return torch.cat([known, directions(to_right, to_below)], dim=-1)
