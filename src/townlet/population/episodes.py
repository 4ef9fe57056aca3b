"""How long episodes last and what they are worth, while a population lives them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from townlet.environment.types import StepResult
from townlet.shares.share import ALONE, Share


class EpisodeTracker:
    """Returns and lengths of episodes, gathered on the device and read once an interval."""

    def __init__(self, num_agents: int, device: torch.device, share: Share = ALONE) -> None:
        self.share = share
        self.rows = torch.zeros(4, num_agents, device=device)  # of the running episodes, summed where they end
        self.running = self.rows[1:3]
        self.ones, self.returns, self.lengths, self.truncated = self.rows.unbind()
        self.ones.fill_(1.0)
        self.sums = torch.zeros(4, dtype=torch.float64, device=device)  # of ended ones: count, return, length, survived

    def record(self, result: StepResult) -> None:
        """Add one step of all agents."""
        self.returns += result.reward  # 0 for a tick that was a reset
        self.lengths += 1.0 if result.skipped is None else result.lived
        ended = result.ended
        self.truncated.copy_(result.truncated)
        self.sums += (self.rows * ended).sum(dim=1)
        self.running.masked_fill_(ended, 0.0)

    def read(self) -> dict[str, float]:
        """Means over the episodes of all shares that ended since the last call; nothing if there were none."""
        count, returns, lengths, survived = self.share.sum(self.sums).tolist()
        self.sums.zero_()
        if not count:
            return {}
        return {
            "rollout/ep_rew_mean": returns / count,
            "rollout/ep_len_mean": lengths / count,
            "rollout/survival_rate": survived / count,
        }

    def cut(self) -> None:
        """Forget the running episodes."""
        self.running.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """Return sums and running episodes."""
        return {"returns": self.returns, "lengths": self.lengths, "sums": self.sums}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        for name in ("returns", "lengths", "sums"):
            getattr(self, name).copy_(state[name])


class FirstEpisodes(NamedTuple):
    """Lengths, rewards and ends of each agent's first episode, as far as they were lived."""

    running: Tensor  # [num_agents] bool
    lengths: Tensor  # [num_agents] float64
    rewards: Tensor  # [num_agents] float64
    survived: Tensor  # [num_agents] bool: ended by a time limit
    died_of: Tensor  # [num_agents] int64: the index of a cause, -1 for none

    @classmethod
    def begin(cls, num_agents: int, device: torch.device) -> "FirstEpisodes":
        """Return those of agents who have not lived a step."""
        running = torch.ones(num_agents, dtype=torch.bool, device=device)
        nothing = torch.zeros(num_agents, dtype=torch.float64, device=device)
        return cls(running, nothing, nothing.clone(), ~running, torch.full_like(running, -1, dtype=torch.int64))

    def after(self, result: StepResult, causes: Tensor) -> "FirstEpisodes":
        """Return them with one more step; `causes` [num_agents] int64 is what those died of who died in it."""
        dies = result.terminated & self.running
        return FirstEpisodes(
            running=self.running & ~result.ended,
            lengths=self.lengths + self.running,
            rewards=self.rewards + result.reward * self.running,
            survived=self.survived | result.truncated & self.running,
            died_of=torch.where(dies, causes, self.died_of),
        )

    def rows(self, rows: slice) -> "FirstEpisodes":
        """Return those of some agents."""
        return FirstEpisodes(*(part[rows] for part in self))

    def summary(self, causes: Mapping[int, str]) -> dict[str, Any]:
        """Return what `population.evaluation.evaluate` tells of them; `causes` are names by index."""
        return {
            "episodes": len(self.lengths),
            "mean_ep_length": float(self.lengths.mean()),
            "std_ep_length": float(self.lengths.std(correction=0)),
            "mean_reward": float(self.rewards.mean()),
            "std_reward": float(self.rewards.std(correction=0)),
            "survival_rate": float(self.survived.double().mean()),
            "deaths": {name: int((self.died_of == index).sum()) for index, name in causes.items()},
            "cut": int(self.running.sum()),
        }
