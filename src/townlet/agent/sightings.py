"""A memory that nothing but a new sight overwrites: where each kind of place was when it was last underfoot."""

import torch
from torch import Tensor, nn

from townlet.agent.directions import DIRECTIONS, directions
from townlet.environment.types import ObservationLayout

KIND, PLACE = "underfoot", "position"  # parts of an observation: what is there, its last value for nothing; and where


class LastSightings(nn.Module):
    """Where each kind of place was last underfoot; nothing to learn, and as clear after a hundred steps as after one.

    Memory holds 1 and the position, x and y, of each kind, zeros for those not seen yet. What is read is 1, and which
    way and how far the place lies from here: see `directions`.
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
        batch = len(features)
        seen = (features[..., self.kind] > 0.5)[..., : self.kinds, None]  # [batch, time, kinds, 1]
        here = features[..., None, self.place]  # [batch, time, 1, 2]
        written = torch.cat([torch.ones_like(here[..., :1]), here], dim=-1)  # [batch, time, 1, 3]
        held, steps = memory[0].view(batch, self.kinds, 3), []
        for step in range(features.shape[1]):
            if reset is not None:
                held = held.masked_fill(reset[:, step, None, None], 0.0)
            held = torch.where(seen[:, step], written[:, step], held)
            steps.append(held)
        now = torch.stack(steps, dim=1)  # [batch, time, kinds, 3]
        known, offset = now[..., :1], (now[..., 1:] - here) * now[..., :1]
        return torch.cat([known, directions(offset)], dim=-1).flatten(2), held.flatten(1).unsqueeze(0)
