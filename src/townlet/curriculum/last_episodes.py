"""What each agent's last episodes were, as a few sums of each: kept on the device, without a loop over agents."""

from collections.abc import Mapping

import torch
from torch import Tensor


class LastEpisodes:
    """Sums of some numbers over each of an agent's last `episodes` episodes, oldest first; changed where they lie."""

    def __init__(self, numbers: int, episodes: int, num_agents: int, device: torch.device | str = "cpu") -> None:
        self.running = torch.zeros(numbers, num_agents, device=device)  # of the episode that goes on
        self.sums = torch.zeros(numbers, episodes, num_agents, device=device)
        self.count = torch.zeros(num_agents, dtype=torch.int64, device=device)  # of episodes kept, newest last

    @property
    def full(self) -> Tensor:
        """Whose window is full, [num_agents] bool."""
        return self.count == self.sums.shape[1]

    def add(self, values: Tensor, ended: Tensor) -> None:
        """Add a step's values [numbers, num_agents]; keep the sums of those whose episode ended, [num_agents] bool."""
        self.running += values
        shifted = torch.cat([self.sums[:, 1:], self.running.unsqueeze(1)], dim=1)
        torch.where(ended, shifted, self.sums, out=self.sums)
        self.running.masked_fill_(ended, 0.0)
        self.count.add_(ended).clamp_(max=self.sums.shape[1])

    def forget(self, who: Tensor) -> None:
        """Begin the window of chosen agents [num_agents] bool anew; their running episodes go on."""
        self.count.masked_fill_(who, 0)

    def cut(self) -> None:
        """Forget the episodes that run: all agents begin others."""
        self.running.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """Return all of it."""
        return {"running": self.running, "sums": self.sums, "count": self.count}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        for name, mine in self.state_dict().items():
            mine.copy_(state[name])
