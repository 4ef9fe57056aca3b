"""When curiosity has done its work."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.config import Curiosity
from townlet.curriculum.last_episodes import LastEpisodes


class NoveltyWeight:
    """What an intrinsic reward is worth: less and less, once agents live long and do so steadily.

    Survival is the share of the time limit that an episode lasts, in training, random actions included. As soon as the
    last `episodes` episodes of every agent have a mean survival of at least `survival` and a standard deviation of at
    most `spread`, all agents together, the weight is multiplied by `factor`, and the window begins anew: the next time
    is decided by new episodes alone. Without `anneal` the weight stays.
    """

    def __init__(self, config: Curiosity, num_agents: int, max_steps: int | None, device: torch.device) -> None:
        self.config, self.max_steps = config.anneal, max_steps
        self.weight = torch.tensor(config.weight, device=device)
        episodes = self.config.episodes if self.config else 1
        self.episodes = LastEpisodes(1, episodes, num_agents, device)

    def record(self, lived: Tensor, ended: Tensor) -> None:
        """Count a step of those who lived it, and the episodes that ended with it, each [num_agents] bool."""
        if self.config is None or self.max_steps is None:
            return
        self.episodes.add(lived.float().unsqueeze(0), ended)
        survival = self.episodes.sums[0] / self.max_steps  # [episodes, num_agents]
        high = survival.mean() >= self.config.survival
        steady = survival.std(correction=0) <= self.config.spread
        due = self.episodes.full.all() & high & steady
        torch.where(due, self.weight * self.config.factor, self.weight, out=self.weight)
        self.episodes.forget(due.expand(len(ended)))

    def cut(self) -> None:
        """Forget the episodes that run: all agents begin others."""
        self.episodes.cut()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on."""
        return {"weight": self.weight, "episodes": self.episodes.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.weight.copy_(state["weight"])
        self.episodes.load_state_dict(state["episodes"])
