"""A network for tests of the memory probe: it walks a known way, and its hidden state counts its ticks."""

import torch

from townlet.agent.networks import QNetwork
from townlet.config import Level
from townlet.environment.layout import lay_out
from townlet.sequences import Hidden


class Walker(QNetwork):
    """Goes right to the wall, then down, then up and down; its hidden state is `scale` times its ticks."""

    PREFERENCES = ("RIGHT", "DOWN", "UP", "LEFT", "INTERACT", "WAIT")

    def __init__(self, level: Level, scale: float = 1.0) -> None:
        super().__init__(lay_out(level), len(level.actions), False)
        self.scale = scale
        self.q = torch.tensor([-float(self.PREFERENCES.index(action)) for action in level.actions])

    def initial_hidden(self, batch: int) -> Hidden:
        return (torch.zeros(1, batch, 1),)

    def forward(
        self,
        features: torch.Tensor,
        hidden: Hidden,
        previous_actions: torch.Tensor | None = None,
        reset: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, Hidden]:
        batch, time, _ = features.shape
        return self.q.expand(batch, time, -1), (hidden[0] + self.scale * time,)
