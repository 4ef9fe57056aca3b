"""How large rewards are where a task does not say it: as the largest return makes them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.environment.types import StepResult

LARGEST = 5.0  # return, as it is learned: far above the noise of a fresh network's values


class FixedScale:
    """Rewards are multiplied by what the task says."""

    def record(self, result: StepResult) -> None:
        """No reward changes it."""

    def cut(self) -> None:
        """No episode counts."""

    def state_dict(self) -> None:
        """Return None."""

    def load_state_dict(self, state: Mapping[str, Tensor] | None) -> None:
        """There is nothing to go on from."""


class LargestReturn:
    """Rewards are multiplied so that the largest return so far, discounted and without its sign, becomes LARGEST.

    A return is gamma * (that up to the step before) + reward within an episode, the largest of all agents and steps
    counts. So what is learned falls in scale, and never rises; before the first reward that is not 0 it is 1. `value`
    is the scale, a scalar on the device that is written in place.
    """

    def __init__(self, value: Tensor, gamma: float, num_agents: int) -> None:
        self.value, self.gamma = value, gamma
        self.returns = torch.zeros(num_agents, device=value.device)
        self.largest = torch.zeros_like(value)

    @torch.no_grad()
    def record(self, result: StepResult) -> None:
        """Take note of a step of all agents."""
        self.returns.mul_(self.gamma).add_(result.reward)
        torch.maximum(self.largest, self.returns.abs().max(), out=self.largest)
        self._renew()
        self.returns.masked_fill_(result.forgets, 0.0)

    def _renew(self) -> None:
        self.value.copy_(torch.where(self.largest > 0.0, LARGEST / self.largest, 1.0))

    def cut(self) -> None:
        """Forget the episodes that run: all agents begin others."""
        self.returns.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """Return everything that the next step depends on."""
        return {"returns": self.returns, "largest": self.largest}

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Go on from what `state_dict` returned; without a state, as where the scale was fixed before, from none.

        Raises ValueError where the returns are not those of as many agents.
        """
        if state is None:
            return
        returns, largest = state["returns"], state["largest"]
        if (returns.shape, largest.shape) != (self.returns.shape, self.largest.shape):
            raise ValueError(f"reward_scale: expected returns of {len(self.returns)} agents, got {list(returns.shape)}")
        self.returns.copy_(returns)
        self.largest.copy_(largest)
        self._renew()


def make_reward_scale(value: Tensor | float, gamma: float, num_agents: int) -> FixedScale | LargestReturn:
    """Choose what the learner's scale asks for: a number stays, a tensor is written to."""
    return LargestReturn(value, gamma, num_agents) if isinstance(value, Tensor) else FixedScale()
