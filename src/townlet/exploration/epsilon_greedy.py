"""Epsilon-greedy actions under a mask, with an epsilon of each agent's own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from townlet.capture import CapturedStep
from townlet.config import Exploration
from townlet.masking import masked_argmax
from townlet.seeding import draw_uniform, mix, stream_seed
from townlet.shares.share import ALONE, Share

STEPS_AT_ONCE = 16  # that are drawn for together, so that drawing is no twenty operations of every step


def epsilon_ladder(num_agents: int, base: float, alpha: float, device: torch.device | str = "cpu") -> Tensor:
    """Return base ** (1 + alpha * i / (N - 1)) for agent i, [num_agents]; `base` if N is 1 (Horgan et al., 2018)."""
    share = torch.arange(num_agents, dtype=torch.float32, device=device) / max(num_agents - 1, 1)
    return base ** (1.0 + alpha * share)


class EpsilonGreedy:
    """Greedy, but with probability epsilon an allowed action at random, by `weights`, one an action.

    Random numbers are a hash of (seed, agent, step, action): agent 7 draws the same beside any number of others, on any
    device, and wherever a run was interrupted. They lie in tables for STEPS_AT_ONCE steps, which `prepare` fills. Of
    the `num_agents` it chooses for those of its share.
    """

    def __init__(
        self,
        config: Exploration,
        weights: Sequence[float],
        num_agents: int,
        seed: int,
        device: torch.device | str = "cpu",
        share: Share = ALONE,
    ) -> None:
        self.ladder = share.rows(epsilon_ladder(num_agents, config.base, config.alpha, device))
        self.warm_up = (config.warm_up or 0) / num_agents  # steps of the population on the way down from 1
        self.weights = torch.tensor(weights, device=device)
        agent = share.rows(torch.arange(num_agents, dtype=torch.int32, device=device))
        self._keys = mix(agent ^ stream_seed(seed, "exploration"))  # [rows]
        self._actions = torch.arange(1, len(weights) + 1, dtype=torch.int32, device=device)  # what each hashes with
        self._ahead = torch.arange(STEPS_AT_ONCE, device=device)
        self._drawn = -1  # which STEPS_AT_ONCE steps the tables are for, from 0 on
        self._first = torch.zeros((), dtype=torch.int64, device=device)  # of those steps
        self._explores = torch.zeros(STEPS_AT_ONCE, len(agent), dtype=torch.bool, device=device)
        self._likes = torch.zeros(STEPS_AT_ONCE, len(agent), len(weights), device=device)  # the greatest one is taken
        self.drawing = CapturedStep(self._draw, self._first.device)

    def epsilon(self, steps: int | Tensor) -> Tensor:
        """Each agent's epsilon after `steps` of the population, a row an agent: its rung, or on the way down to it."""
        if not self.warm_up:
            return self.ladder
        share = torch.as_tensor(steps, dtype=torch.float64, device=self.ladder.device) / self.warm_up
        return torch.ones_like(self.ladder).lerp(self.ladder, share.clamp(max=1.0).float())

    def prepare(self, steps: int) -> None:
        """See that the tables hold what is drawn in the step after `steps` of the population."""
        if steps // STEPS_AT_ONCE != self._drawn:
            self._drawn = steps // STEPS_AT_ONCE
            self._first.fill_(self._drawn * STEPS_AT_ONCE)
            self.drawing()

    def _draw(self) -> None:
        """Fill the tables for the steps from `_first` on."""
        steps = self._first + self._ahead
        # Steps are hashed before they meet agents: or two agents would draw the same, one some steps after the other.
        at = mix(self._keys ^ mix(steps.int()).unsqueeze(1))  # [STEPS_AT_ONCE, rows]
        torch.lt(draw_uniform(mix(at)), self.epsilon(steps.unsqueeze(1)), out=self._explores)
        uniform = draw_uniform(mix(at.unsqueeze(2) ^ self._actions))
        # The least of exponential variables divided by their weights falls on each in proportion to its weight.
        torch.div(uniform.log_(), self.weights, out=self._likes)

    def select(self, q: Tensor, action_mask: Tensor, clock: Tensor) -> Tensor:
        """Choose actions, a row an agent, int64, from q and action_mask, each [rows, num_actions].

        `clock` [1] int64 are the steps of the population so far, those that `prepare` was told.
        """
        row = clock % STEPS_AT_ONCE
        explores, likes = self._explores.index_select(0, row)[0], self._likes.index_select(0, row)[0]
        return masked_argmax(torch.where(explores.unsqueeze(1), likes, q), action_mask)
