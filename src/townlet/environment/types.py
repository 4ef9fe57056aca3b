"""What the world hands to others: frozen records of tensors, one row an agent, and the protocol of an environment."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


class Observation(NamedTuple):
    """What agents see, and which actions they have."""

    features: Tensor  # [num_agents, obs_dim] float32
    action_mask: Tensor  # [num_agents, num_actions] bool


class StepResult(NamedTuple):
    """One tick of all agents."""

    observation: Observation  # after autoreset
    reward: Tensor  # [num_agents] float32
    terminated: Tensor  # [num_agents] bool: death, no future value
    truncated: Tensor  # [num_agents] bool: step limit, the future still has value
    final_features: Tensor  # [num_agents, obs_dim]: before the reset, for bootstrapping
    final_action_mask: Tensor  # [num_agents, num_actions]: before the reset

    @property
    def ended(self) -> Tensor:
        """Whose episode ended, in either way, [num_agents] bool."""
        return self.terminated | self.truncated


class EnvState(NamedTuple):
    """The world between two ticks: one column a meter, one entry an agent."""

    meters: Tensor  # [num_meters, num_agents] float32 in [0, 1]
    x: Tensor  # [num_agents] int32, column
    y: Tensor  # [num_agents] int32, row
    map_index: Tensor  # [num_agents] int32, row in the table of maps
    progress: Tensor  # [num_agents] int32, ticks done of the interaction underfoot
    tick: Tensor  # [num_agents] int32, ticks lived in this episode
    episode: Tensor  # [num_agents] int32, episodes begun before this one


class Environment(Protocol):
    """What a population needs of a world."""

    num_agents: int
    num_actions: int
    obs_dim: int
    device: torch.device

    def reset(self) -> Observation:
        """Begin the first episode of every agent."""
        ...

    def step(self, actions: Tensor) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64; ended episodes begin anew."""
        ...

    def read_metrics(self) -> dict[str, float]:
        """Return what happened since the last call, by metric name."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        ...
