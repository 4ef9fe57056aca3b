"""A memory that nothing but a new sight overwrites: where each kind of place was when it was last underfoot."""

import torch
from torch import Tensor, nn

from townlet.agent.directions import DIRECTIONS, directions
from townlet.environment.types import ObservationLayout

KIND, PLACE = "underfoot", "position"  # parts of an observation: what is there, its last value for nothing; and where


class LastSightings(nn.Module):
    """Where each kind of place was last underfoot; nothing to learn, and as clear after a hundred steps as after one.

    Memory holds three numbers of each kind, ones first, then all x, then all y; zeros for kinds not seen yet. What is
    read is the ones, and which way and how far the places lie from here: see `directions`.
    """

    def __init__(self, layout: ObservationLayout) -> None:
        super().__init__()
        self.kind, self.place = layout.slices[KIND], layout.slices[PLACE]
        self.kinds = layout.width(KIND) - 1
        self.size = 3 * self.kinds  # numbers in the memory of one agent
        self.width = (1 + DIRECTIONS) * self.kinds  # numbers read at each step

    def forward(self, features: Tensor, memory: Tensor, reset: Tensor | None) -> tuple[Tensor, Tensor]:
        """Write and read at each step of a window.

        features [batch, time, obs_dim]; memory [1, batch, size] before it; reset [batch, time] bool or None. Returns
        what each step reads, its own sight included, [batch, time, width], and the memory after the last.
        """
        seen = (features[..., self.kind] > 0.5)[..., None, : self.kinds]  # [batch, time, 1, kinds]
        here = features[..., self.place].unsqueeze(-1)  # [batch, time, 2, 1]
        written = torch.cat([torch.ones_like(here[..., :1, :]), here], dim=-2)  # [batch, time, 3, 1]
        held, steps = memory[0].view(-1, 3, self.kinds), []
        for step in range(features.shape[1]):
            if reset is not None:
                held = held.masked_fill(reset[:, step, None, None], 0.0)
            held = torch.where(seen[:, step], written[:, step], held)
            steps.append(held)
        known, x, y = torch.stack(steps, dim=1).unbind(-2)  # [batch, time, kinds] each
        ways = directions((x - here[..., 0, :]) * known, (y - here[..., 1, :]) * known)
        return torch.cat([known, ways], dim=-1), held.flatten(1).unsqueeze(0)
