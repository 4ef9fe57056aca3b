"""What each agent likes to do, for good: a way to try what random actions hardly ever come to."""

import torch
from torch import Tensor

from townlet.seeding import generator


class Tastes:
    """Each agent chooses as if each action were worth a random linear function of its observation more.

    The functions stay the same for the whole training, so an agent follows its taste every time, however rare the
    occasion, until a value that was learned outweighs it; no step on the way there is disturbed that the observation
    does not tell from others (after the priors of Osband et al., 2018, which are learned around). Coefficients are
    normal with deviation `strength`, in units of what is learned.
    """

    def __init__(
        self, strength: float, num_agents: int, num_actions: int, obs_dim: int, seed: int, device: torch.device
    ) -> None:
        drawn = torch.randn(num_agents, num_actions, obs_dim, generator=generator(seed, "tastes", torch.device("cpu")))
        self.weights = strength * drawn.to(device)

    def __call__(self, q: Tensor, features: Tensor) -> Tensor:
        """Return q [num_agents, num_actions] as agents like it, who observe features [num_agents, obs_dim]."""
        return torch.baddbmm(q.unsqueeze(2), self.weights, features.unsqueeze(2)).squeeze(2)


class NoTastes:
    """Nobody likes one action more than another."""

    def __call__(self, q: Tensor, features: Tensor) -> Tensor:
        """Return q as it is."""
        return q
