"""Epsilon-greedy actions under a mask, with an epsilon of each agent's own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from townlet.config import Exploration
from townlet.masking import masked_argmax
from townlet.shares.share import ALONE, Share


def epsilon_ladder(num_agents: int, base: float, alpha: float, device: torch.device | str = "cpu") -> Tensor:
    """Return base ** (1 + alpha * i / (N - 1)) for agent i, [num_agents]; `base` if N is 1 (Horgan et al., 2018)."""
    share = torch.arange(num_agents, dtype=torch.float32, device=device) / max(num_agents - 1, 1)
    return base ** (1.0 + alpha * share)


class EpsilonGreedy:
    """Greedy, but with probability epsilon an allowed action at random, by `weights`, one an action.

    Random numbers come from `generator`, a stream of exploration's own. Of the `num_agents` it chooses for those of
    its share.
    """

    def __init__(
        self,
        config: Exploration,
        weights: Sequence[float],
        num_agents: int,
        generator: torch.Generator,
        share: Share = ALONE,
    ) -> None:
        self.generator, device = generator, generator.device
        self.ladder = share.rows(epsilon_ladder(num_agents, config.base, config.alpha, device))
        self.warm_up = config.warm_up or 0  # environment steps on the way down from 1
        self.weights = torch.tensor(weights, device=device)

    def epsilon(self, env_steps: int) -> Tensor:
        """Each agent's epsilon after `env_steps`, a row an agent: its rung, or on the way down to it from 1."""
        if env_steps >= self.warm_up:
            return self.ladder
        return 1.0 + (self.ladder - 1.0) * (env_steps / self.warm_up)

    def select(self, q: Tensor, action_mask: Tensor, env_steps: int) -> Tensor:
        """Choose actions, a row an agent, int64, from q and action_mask, each [rows, num_actions]."""
        noise = torch.empty_like(q).exponential_(generator=self.generator)
        # The least of exponential variables divided by their weights falls on each in proportion to its weight.
        random = (noise / self.weights).masked_fill(~action_mask, torch.inf).argmin(dim=-1)
        explores = torch.rand(len(q), device=q.device, generator=self.generator) < self.epsilon(env_steps)
        return torch.where(explores, random, masked_argmax(q, action_mask))
