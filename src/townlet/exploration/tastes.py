"""What an agent likes to do for an episode: a way to try what random actions hardly ever come to."""

from collections.abc import Mapping

import torch
from torch import Tensor

from townlet.environment.types import StepResult
from townlet.seeding import generator

TASTES = 256  # different ones; each agent has all of them in turn, an episode each


class Tastes:
    """Each agent chooses as if each action were worth a random linear function of its observation more.

    The function stays the same for an episode, and in the next one it is another (as in randomised value functions,
    Osband et al., 2016). So an agent follows its taste however rare the occasion, until a value that was learned
    outweighs it, and no step on the way there is disturbed that the observation does not tell from others. Coefficients
    are normal with deviation `strength`, in units of what is learned.
    """

    def __init__(
        self, strength: float, num_agents: int, num_actions: int, obs_dim: int, seed: int, device: torch.device
    ) -> None:
        stream = generator(seed, "tastes", torch.device("cpu"))
        drawn = torch.randn(TASTES, num_actions, obs_dim, generator=stream)
        self.weights = (strength * drawn).to(device)
        first = torch.randint(TASTES, (num_agents,), generator=stream)
        self.turn = first.to(device)  # [num_agents]: which taste each has

    def __call__(self, q: Tensor, features: Tensor) -> Tensor:
        """Return q [num_agents, num_actions] as agents like it, who observe features [num_agents, obs_dim]."""
        return torch.baddbmm(q.unsqueeze(2), self.weights[self.turn], features.unsqueeze(2)).squeeze(2)

    def record(self, result: StepResult) -> None:
        """Give another taste to those whose episode ended in a step."""
        self.turn.add_(result.ended).remainder_(TASTES)

    def state_dict(self) -> dict[str, Tensor]:
        """Return which taste each agent has."""
        return {"turn": self.turn}

    def load_state_dict(self, state: Mapping[str, Tensor] | None) -> None:
        """Go on from what `state_dict` returned; without a state, as where there were no tastes before, from the first.

        Raises ValueError for those of another number of agents.
        """
        if state is None:
            return
        if state["turn"].shape != self.turn.shape:
            raise ValueError(f"tastes: expected those of {len(self.turn)} agents, got {list(state['turn'].shape)}")
        self.turn.copy_(state["turn"])


class NoTastes:
    """Nobody likes one action more than another."""

    def __call__(self, q: Tensor, features: Tensor) -> Tensor:
        """Return q as it is."""
        return q

    def record(self, result: StepResult) -> None:
        """Nobody gets a taste."""

    def state_dict(self) -> None:
        """Return None."""

    def load_state_dict(self, state: Mapping[str, Tensor] | None) -> None:
        """There is nothing to go on from."""
