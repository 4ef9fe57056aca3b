"""An associative memory of the ground: what was seen is held where it was seen, and read as it lies around here."""

import torch
from torch import Tensor

from townlet.agent.memory.delta import DeltaRule, Step, Window
from townlet.agent.memory.frontier import PLACE, WINDOW
from townlet.environment.layout import ObservationLayout


class Ground(DeltaRule):
    """Keys that are the cells of the map, values that are learned, read by how they lie around the agent.

    The key of a step is the cell that the agent is on, a one-hot. So the delta rule writes over what it knew of that
    cell and leaves all others alone. What is read are means over rectangles of cells: the map is cut into bands by how
    far to the right of the agent a cell lies, and by how far below, at 0, 1, 2, 3 to 5, 6 to 11 and so on, twice as far
    each time, and as many to the left and above. In each there are as many numbers as there are values.

    The first value begins as 1 for all that is seen, and what is read of it is what is missing: the share of a
    rectangle that lies on the map and was not stood on. The second begins as the middle of the window, where there is
    one: whether there is a place here. So the difference of what is seen and what is read shows a place not known yet.
    """

    cells: Tensor  # [longer side, longer side]: the identity, to look one-hots up in
    across: Tensor  # [columns, bands, columns]: for a column, the share that each column has in each band
    down: Tensor  # [rows, bands, rows]

    def __init__(self, inputs: int, layout: ObservationLayout, values: int, whole: bool = False) -> None:
        assert layout.grid is not None
        self.columns, self.rows = layout.grid
        super().__init__(inputs, self.columns * self.rows, values, values, keep=1.0, whole=whole, keyed=False)
        self.values, self.place = values, layout.slices[PLACE]
        across, down = bands(self.columns), bands(self.rows)
        self.width = across.shape[1] * down.shape[1] * values
        constants = {"cells": torch.eye(max(layout.grid)), "across": across, "down": down}
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        with torch.no_grad():
            self.address.weight[0] = 0.0
            self.address.bias[0] = 1.0
            if values > 1 and layout.window_size is not None:
                self.address.weight[1] = 0.0
                self.address.bias[1] = 0.0
                self.address.weight[1, layout.slices[WINDOW].start + layout.window_size**2 // 2] = 1.0

    def _cell(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """Column and row at a position [batch, time, 2], each [batch, time] int64."""
        x, y = position.unbind(-1)
        return (x * (self.columns - 1)).round().long(), (y * (self.rows - 1)).round().long()

    def key_of(self, features: Tensor, learned: Tensor) -> Tensor:
        """Return the cell that the agent is on, row by row, see `DeltaRule`."""
        x, y = self._cell(features[..., self.place])
        column, row = self.cells[x, : self.columns], self.cells[y, : self.rows]
        return (row.unsqueeze(-1) * column.unsqueeze(-2)).flatten(2)

    def shown_by(self, features: Tensor, learned: Tensor) -> Tensor:
        """Return the values, then the position, see `DeltaRule`."""
        return torch.cat([learned, features[..., self.place]], dim=-1)

    def value_of(self, shown: Tensor) -> Tensor:
        """All of what is shown but the position, see `DeltaRule`."""
        return shown[..., : self.values]

    def read(self, window: Window | Step, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Read the rectangles row by row, all of the first value before those of the others, see `DeltaRule`."""
        x, y = self._cell(shown[..., self.values :])
        across, down = self.across[x], self.down[y]  # [batch, time, bands, columns] and [batch, time, bands, rows]
        held = window.held()  # [batch, time, values, rows * columns]
        rows = down.unsqueeze(2) @ held.unflatten(-1, (self.rows, self.columns))
        found = rows @ across.unsqueeze(2).transpose(-2, -1)  # [batch, time, values, bands below, bands to the right]
        there = down.sum(dim=-1).unsqueeze(-1) * across.sum(dim=-1).unsqueeze(-2)  # what of each lies on the map
        missing = there.unsqueeze(2) - found[:, :, :1]
        return torch.cat([missing, found[:, :, 1:]], dim=2).flatten(2), held[:, -1].transpose(-2, -1)


def bands(side: int) -> Tensor:
    """Return the share that each cell of a side has in each band, seen from each, [side, bands, side].

    Bands are those to the left, the farthest first, then here, then those to the right. What of a band lies outside has
    its share too, so that a band that is half outside adds up to a half.
    """
    ends = [(0, 0), (1, 1), (2, 2)]
    while ends[-1][1] < side - 1:
        ends.append((ends[-1][1] + 1, 2 * ends[-1][1] + 1))
    both = [(-last, -first) for first, last in reversed(ends[1:])] + ends
    first, last = (torch.tensor(column).unsqueeze(1) for column in zip(*both, strict=True))  # [bands, 1]
    offset = (torch.arange(side) - torch.arange(side).unsqueeze(1)).unsqueeze(1)  # [side, 1, side]
    return ((offset >= first) & (offset <= last)) / (last - first + 1.0)
