"""An associative memory of places: where something was is held as an angle, and read as seen from here."""

import torch
from torch import Tensor

from townlet.agent.memory.delta import DeltaRule, Window

SLOWEST = 1.5  # radians from one end of the map to the other: the first phase of a coordinate


class DeltaPhases(DeltaRule):
    """Values that are cosine and sine of angles phi, learned linear functions of x, and read relative to today's phi.

    All of S is read, each pair turned back by phi. Where phi is a place, that tells at each key how far off lies what
    is held there, by cosine and sine. Where a position is observed, the phases begin as 1.5, 3, 6 and so on times each
    coordinate in turn.
    """

    def __init__(self, inputs: int, keys: int, phases: int, keep: float, place: slice | None = None) -> None:
        super().__init__(inputs, keys, 2 * phases, phases, keep)
        self.width = self.size
        if place is not None:
            coordinates = place.stop - place.start
            phase = torch.arange(phases)
            with torch.no_grad():
                angle = self.address.weight[keys : keys + phases]
                angle.zero_()
                angle[phase, place.start + phase % coordinates] = SLOWEST * 2.0 ** (phase // coordinates)
                self.address.bias[keys : keys + phases] = 0.0

    def value_of(self, shown: Tensor) -> Tensor:
        """Cosines, then sines, see `DeltaRule`."""
        return torch.cat([shown.cos(), shown.sin()], dim=-1)

    def read(self, window: Window, shown: Tensor) -> Tensor:
        """Read cosines and sines of the difference to today's angles, each as long as what is held, see `DeltaRule`."""
        cosine, sine = window.held().chunk(2, dim=-1)  # [batch, time, keys, phases] each
        here = shown.unsqueeze(2)
        across, along = cosine * here.cos() + sine * here.sin(), sine * here.cos() - cosine * here.sin()
        return torch.cat([across, along], dim=-1).flatten(2)
