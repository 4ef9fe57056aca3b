"""Curiosity: what a network cannot predict yet is new, and new is worth something (Burda et al., 2018)."""

import copy
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from townlet.config import Curiosity, Training
from townlet.environment.types import StepResult
from townlet.exploration.annealing import NoveltyWeight
from townlet.seeding import stream_seed
from townlet.sequences import SequenceBatch

CLIP = 5.0  # of normalised observations (Burda et al., 2018)


class RandomNetworkDistillation:
    """A predictor of a frozen random network's answers to observations; its error is how new an observation is.

    Observations are normalised by their running mean and deviation, all features alike, and clipped. A step's intrinsic
    reward is the error on the observation after it, before any reset, over the running deviation of its discounted sum
    along each agent's life, which does not end with an episode; dying shows nothing new. All stays on the device, where
    it lies.
    """

    def __init__(
        self,
        config: Curiosity,
        training: Training,
        obs_dim: int,
        num_agents: int,
        max_steps: int | None,
        device: torch.device,
    ) -> None:
        self.gamma = training.gamma
        widths = [obs_dim, *config.hidden, config.embedding]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(training.seed, "curiosity"))
            self.target, self.predictor = _layers(widths).to(device).requires_grad_(False), _layers(widths).to(device)
        self.optimizer = torch.optim.Adam(self.predictor.parameters(), lr=config.learning_rate, fused=True)
        self.seen = RunningMoments(obs_dim, device)
        self.returns = RunningMoments(1, device)
        self.discounted = torch.zeros(num_agents, device=device)  # intrinsic return up to now
        self.paid = torch.zeros(2, dtype=torch.float64, device=device)  # sum and number of rewards since the last read
        self.annealing = NoveltyWeight(config, num_agents, max_steps, device)

    @property
    def weight(self) -> Tensor:
        """What an intrinsic reward is worth now, a scalar on the device."""
        return self.annealing.weight

    @torch.no_grad()
    def reward(self, result: StepResult) -> Tensor:
        """Return the intrinsic reward of a step, [num_agents], and take note of what was seen."""
        lived = result.lived
        self.seen.update(result.final_features, lived)
        pays = lived & ~result.terminated
        new = torch.where(pays, self.novelty(result.final_features), 0.0)
        torch.where(lived, self.gamma * self.discounted + new, self.discounted, out=self.discounted)
        self.returns.update(self.discounted.unsqueeze(1), lived)
        reward = new / self.returns.deviation()
        self.paid += torch.stack([reward.double().sum(), lived.double().sum()])
        self.annealing.record(lived, result.ended)
        return reward

    def novelty(self, features: Tensor) -> Tensor:
        """Return how wrong the predictor is about observations [..., obs_dim]: mean squared error, [...]."""
        seen = ((features - self.seen.mean.float()) / self.seen.deviation()).clamp(-CLIP, CLIP)
        return (self.predictor(seen) - self.target(seen)).square().mean(dim=-1)

    def update(self, batch: SequenceBatch) -> dict[str, Tensor]:
        """Learn to predict what the steps of a batch led to, where that is paid for; return metrics on the device."""
        steps = slice(batch.burn_in, None)
        counts = batch.valid[:, steps] & ~batch.terminated[:, steps]
        within = batch.observations[:, batch.burn_in + 1 :]
        error = self.novelty(within if batch.successors is None else batch.successors)  # [batch, seq_len]
        loss = torch.where(counts, error, 0.0).sum() / counts.sum().clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {"curiosity/predictor_loss": loss.detach()}

    def read_metrics(self) -> dict[str, float]:
        """Weight, and mean reward since the last call."""
        total, count = self.paid.tolist()
        self.paid.zero_()
        mean = {"curiosity/intrinsic_mean": total / count} if count else {}
        return {"curiosity/weight": float(self.weight)} | mean

    def cut(self) -> None:
        """Forget the episodes that run: all agents begin others."""
        self.annealing.cut()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on."""
        return {
            "target": self.target.state_dict(),
            "predictor": self.predictor.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "seen": self.seen.state_dict(),
            "returns": self.returns.state_dict(),
            "discounted": self.discounted,
            "paid": self.paid,
            "annealing": self.annealing.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Go on from what `state_dict` returned. Raises ValueError for a state without curiosity."""
        if state is None:
            raise ValueError("curiosity: expected some, got a state without")
        self.load_novelty(state)
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))  # PyTorch would share the moments
        self.returns.load_state_dict(state["returns"])
        self.discounted.copy_(state["discounted"])
        self.paid.copy_(state["paid"])
        self.annealing.load_state_dict(state["annealing"])

    def load_novelty(self, state: Mapping[str, Any]) -> None:
        """Find new from now on what was new in a state, of however many agents it is."""
        self.target.load_state_dict(state["target"])
        self.predictor.load_state_dict(state["predictor"])
        self.seen.load_state_dict(state["seen"])


class RunningMoments:
    """Mean and variance of all rows so far, by the rule for joining two groups (Chan et al., 1979)."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.mean = torch.zeros(width, dtype=torch.float64, device=device)
        self.squares = torch.zeros_like(self.mean)  # summed squares of the distances to the mean
        self.count = torch.zeros((), dtype=torch.float64, device=device)

    def update(self, rows: Tensor, counts: Tensor) -> None:
        """Add those rows [num_rows, width] for which `counts` [num_rows] bool is true."""
        kept, rows = counts.double().unsqueeze(1), rows.double()
        added = kept.sum()
        mean = (rows * kept).sum(dim=0) / added.clamp(min=1.0)
        squares = ((rows - mean).square() * kept).sum(dim=0)
        total, apart = self.count + added, mean - self.mean
        share = added / total.clamp(min=1.0)
        self.mean += apart * share
        self.squares += squares + apart.square() * self.count * share
        self.count.copy_(total)

    def deviation(self) -> Tensor:
        """Return the standard deviation [width] float32; 1 where nothing has varied yet."""
        variance = self.squares / self.count.clamp(min=1.0)
        return torch.where(variance > 1e-8, variance.sqrt(), 1.0).float()

    def state_dict(self) -> dict[str, Tensor]:
        """Return all of it."""
        return {"mean": self.mean, "squares": self.squares, "count": self.count}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        for name, mine in self.state_dict().items():
            mine.copy_(state[name])


def _layers(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # no activation after the last
