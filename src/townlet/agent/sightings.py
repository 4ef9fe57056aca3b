"""A memory that nothing but a new sight overwrites: where each kind of place was when it was last underfoot."""

import torch
from torch import Tensor, nn

from townlet.environment.types import ObservationLayout

KIND, PLACE = "underfoot", "position"  # parts of an observation: what is there, its last value for nothing; and where


class LastSightings(nn.Module):
    """Where each kind of place was last underfoot; nothing to learn, and as clear after a hundred steps as after one.

    Memory holds 1 and the position, x and y, of each kind, zeros for those not seen yet. What is read is 1 and how far
    the place lies to the right and below, in shares of the map.
    """

    def __init__(self, layout: ObservationLayout) -> None:
        super().__init__()
        self.kind, self.place = layout.slices[KIND], layout.slices[PLACE]
        self.kinds = layout.width(KIND) - 1
        self.size = 3 * self.kinds  # numbers in the memory of one agent

    def forward(self, features: Tensor, memory: Tensor, reset: Tensor | None) -> tuple[Tensor, Tensor]:
        """Write and read at each step of a window.

        features [batch, time, obs_dim]; memory [1, batch, size] before it; reset [batch, time] bool or None. Returns
        what each step reads, its own sight included, [batch, time, size], and the memory after the last.
        """
        batch, time, _ = features.shape
        number = torch.arange(1, time + 1, device=features.device).view(1, -1, 1)
        seen = features[..., self.kind][..., : self.kinds] > 0.5  # [batch, time, kinds]
        last = (seen * number).cummax(dim=1).values  # number of the last step that saw the kind, 0 for none
        held = memory[0].view(batch, 1, self.kinds, 3)
        if reset is not None:
            begun = (reset.unsqueeze(-1) * number).cummax(dim=1).values  # [batch, time, 1], number of the last reset
            last = torch.where(last >= begun, last, 0)
            held = torch.where((begun == 0).unsqueeze(-1), held, 0.0)  # [batch, time, kinds, 3]
        here = features[..., self.place]  # [batch, time, 2]
        written = torch.cat([torch.ones_like(here[..., :1]), here], dim=-1)  # [batch, time, 3]
        index = (last - 1).clamp(min=0).flatten(1)  # [batch, time * kinds]
        found = written.gather(1, index.unsqueeze(-1).expand(-1, -1, 3)).view(batch, time, self.kinds, 3)
        now = torch.where((last > 0).unsqueeze(-1), found, held)  # [batch, time, kinds, 3]
        known = now[..., :1]
        read = torch.cat([known, (now[..., 1:] - here.unsqueeze(2)) * known], dim=-1).flatten(2)
        return read, now[:, -1].flatten(1).unsqueeze(0)
