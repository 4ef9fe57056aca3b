"""A memory that nothing but a new sight overwrites: a row for each kind of place, written when one is underfoot."""

import torch
from torch import Tensor, nn

from townlet.environment.types import ObservationLayout

PART = "underfoot"  # the one-hot part of an observation whose values have a row each, but for the last, "none"


class LastSightings(nn.Module):
    """What was written when each kind of place was last underfoot, `width` numbers a kind, zero for those not seen yet.

    A recurrent cell has to learn to hold what it saw against all that comes after. Here holding needs no learning: a
    sight of a hundred steps ago is as clear as one of now. Gradients flow to what was written within the window.
    """

    def __init__(self, layout: ObservationLayout, width: int) -> None:
        super().__init__()
        self.part = layout.slices[PART]
        self.kinds, self.width = layout.width(PART) - 1, width
        self.write = nn.Linear(layout.obs_dim, width)

    @property
    def size(self) -> int:
        """Numbers in the memory of one agent."""
        return self.kinds * self.width

    def forward(self, features: Tensor, memory: Tensor, reset: Tensor | None) -> tuple[Tensor, Tensor]:
        """Write and read at each step of a window.

        features [batch, time, obs_dim]; memory [1, batch, size] before it; reset [batch, time] bool or None. Returns
        what each step reads, its own sight included, [batch, time, size], and the memory after the last.
        """
        batch, time, _ = features.shape
        number = torch.arange(1, time + 1, device=features.device).view(1, -1, 1)
        seen = features[..., self.part][..., : self.kinds] > 0.5  # [batch, time, kinds]
        last = (seen * number).cummax(dim=1).values  # number of the last step that saw the kind, 0 for none
        kept = memory[0].view(batch, 1, self.kinds, self.width)
        if reset is not None:
            begun = (reset.unsqueeze(-1) * number).cummax(dim=1).values  # [batch, time, 1], number of the last reset
            last = torch.where(last >= begun, last, 0)
            kept = torch.where((begun == 0).unsqueeze(-1), kept, 0.0)  # [batch, time, kinds, width]
        written = torch.tanh(self.write(features))  # [batch, time, width]
        index = (last - 1).clamp(min=0).flatten(1)  # [batch, time * kinds]
        found = written.gather(1, index.unsqueeze(-1).expand(-1, -1, self.width))
        found = found.view(batch, time, self.kinds, self.width)
        now = torch.where((last > 0).unsqueeze(-1), found, kept).flatten(2)  # [batch, time, size]
        return now, now[:, -1].unsqueeze(0)
