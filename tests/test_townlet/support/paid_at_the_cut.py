"""A world that pays at the end of its episodes alone, where the time limit cuts them off."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.environment.layout import ObservationLayout
from townlet.environment.types import Observation, StepResult


class PaidAtTheCut:
    """Episodes of one step: a cue is seen, and the action that it names pays 1. By `dies` they end by death instead."""

    num_actions = obs_dim = 3
    device = torch.device("cpu")
    observation_layout = ObservationLayout({"cue": slice(0, 3)})
    resumes = False
    compile_failure = None

    def __init__(self, num_agents: int, dies: bool = False) -> None:
        self.num_agents, self.dies, self.causes = num_agents, dies, dict[int, str]()
        self.stream = torch.Generator().manual_seed(0)

    def _seen(self, features: Tensor) -> Observation:
        return Observation(features, torch.ones(self.num_agents, self.num_actions, dtype=torch.bool))

    def keep_in_place(self) -> bool:
        return False

    def reset(self) -> Observation:
        self.cue = torch.randint(self.num_actions, (self.num_agents,), generator=self.stream)
        return self._seen(torch.nn.functional.one_hot(self.cue, self.num_actions).float())

    def step(self, actions: Tensor, difficulty: None = None) -> StepResult:
        paid, last = (actions == self.cue).float(), self._seen(torch.zeros(self.num_agents, self.obs_dim))
        dead = torch.full((self.num_agents,), self.dies)
        return StepResult(self.reset(), paid, dead, ~dead, *last)

    def read_metrics(self) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next reset begins other episodes."""

    def cause_of_death(self, final_features: Tensor) -> Tensor:
        return torch.zeros(len(final_features), dtype=torch.int64)

    def close(self) -> None:
        """There is nothing to let go of."""
