"""Stages of difficulty, each agent in one of its own: up when it lives long and knows what it wants, down when not."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.config import Adversarial, Level
from townlet.curriculum.last_episodes import LastEpisodes
from townlet.environment.types import Difficulty, Environment, StepResult

STEPS, ENTROPY = 0, 1  # what is summed over an episode


class AdversarialCurriculum:
    """The stage of each agent, from 0 on, and the difficulty that it makes.

    At the end of an episode an agent is judged by its last `episodes` ones in this stage, once there are so many and it
    has stayed for `min_stay` steps. It advances when it survives more than `advance_above` of the limit, has not become
    worse (the later half of those episodes less the earlier half, in shares of the limit, is at least
    `least_progress`: at the limit nothing can improve), and its policy's entropy is under `entropy_below`. It falls
    back when it survives less than `retreat_below`. Either way it is judged anew after that.
    """

    def __init__(self, level: Level, config: Adversarial, num_agents: int, device: torch.device) -> None:
        self.config, self.max_steps = config, level.max_steps
        meters, stages = level.present_meters, config.stages
        shares = [
            [stage.passive * (stage.meters is None or name in stage.meters) for name in meters] for stage in stages
        ]
        self.shares = torch.tensor(shares, device=device)  # [num_stages, num_meters]
        self.sparse = torch.tensor([stage.reward == "sparse" for stage in stages], device=device)  # [num_stages]
        self.stage = torch.zeros(num_agents, dtype=torch.int64, device=device)
        self.stay = torch.zeros_like(self.stage)  # steps in this stage
        self.episodes = LastEpisodes(2, config.episodes, num_agents, device)

    def difficulty(self) -> Difficulty:
        """Return what each agent lives under."""
        return Difficulty(self.shares[self.stage].t().contiguous(), self.sparse[self.stage])

    def step(self, env: Environment, actions: Tensor) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64, each under the difficulty of its stage."""
        return env.step(actions, self.difficulty())

    @torch.no_grad()
    def record(self, q: Tensor, action_mask: Tensor, result: StepResult) -> None:
        """Count a step, and move those agents who are due, whose episode has just ended."""
        entropy = policy_entropy(q, action_mask, self.config.temperature)
        self.episodes.add(torch.stack([torch.ones_like(entropy), entropy]), result.ended)
        self.stay += 1
        self._move(result.ended)

    def _move(self, ended: Tensor) -> None:
        config, sums = self.config, self.episodes.sums
        survival = sums[STEPS] / self.max_steps  # [episodes, num_agents]
        half = len(survival) // 2
        mean, progress = survival.mean(dim=0), survival[-half:].mean(dim=0) - survival[:half].mean(dim=0)
        entropy = sums[ENTROPY].sum(dim=0) / sums[STEPS].sum(dim=0).clamp(min=1.0)
        judged = ended & self.episodes.full & (self.stay >= config.min_stay)
        able = (mean > config.advance_above) & (progress >= config.least_progress) & (entropy < config.entropy_below)
        up = judged & able & (self.stage < len(self.shares) - 1)
        down = judged & (mean < config.retreat_below) & (self.stage > 0)
        self.stage += up.long() - down.long()
        self.stay.masked_fill_(up | down, 0)
        self.episodes.forget(up | down)

    def read_metrics(self) -> dict[str, float]:
        """Mean stage, counted from 1, and the number of agents in each."""
        stages = torch.arange(len(self.shares), device=self.stage.device)
        counts = (self.stage == stages.unsqueeze(1)).sum(dim=1).tolist()
        metrics = {"curriculum/stage": float(self.stage.double().mean()) + 1.0}
        return metrics | {f"curriculum/agents_in_stage_{index}": float(count) for index, count in enumerate(counts, 1)}

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on."""
        return {"stage": self.stage, "stay": self.stay, "episodes": self.episodes.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.stage.copy_(state["stage"])
        self.stay.copy_(state["stay"])
        self.episodes.load_state_dict(state["episodes"])


def policy_entropy(q: Tensor, action_mask: Tensor, temperature: float) -> Tensor:
    """Entropy of softmax(q / temperature) over allowed actions, as a share of the most that it can be, [num_agents].

    0 where one action is clearly the best, or the only one; 1 where all are worth the same.
    """
    logits = (q / temperature).masked_fill(~action_mask, -torch.inf)
    log_chance = logits.log_softmax(dim=-1)
    entropy = -(log_chance.exp() * log_chance.masked_fill(~action_mask, 0.0)).sum(dim=-1)
    return entropy / action_mask.sum(dim=-1).clamp(min=2).log()
