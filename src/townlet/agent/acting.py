"""Acting with a Q-network: the memory and the previous action of each agent, carried from step to step."""

from typing import NamedTuple

import torch
from torch import Tensor

from townlet.agent.networks import QNetwork
from townlet.environment.types import Observation
from townlet.sequences import Hidden


class Memory(NamedTuple):
    """What each agent carries from one step to the next."""

    hidden: Hidden  # each [num_layers, num_agents, hidden_dim]; () without memory
    previous_actions: Tensor  # [num_agents] int64, num_actions for none


def initial_memory(network: QNetwork, num_agents: int, device: torch.device) -> Memory:
    """Return what agents carry at an episode's start: nothing."""
    none = torch.full((num_agents,), network.num_actions, dtype=torch.int64, device=device)
    return Memory(network.initial_hidden(num_agents), none)


@torch.no_grad()
def q_values(network: QNetwork, observation: Observation, memory: Memory) -> tuple[Tensor, Hidden]:
    """Return q [num_agents, num_actions] and the hidden state after this observation, as plain values."""
    previous = memory.previous_actions.unsqueeze(1)  # [num_agents, 1]
    q, hidden = network(observation.features.unsqueeze(1), memory.hidden, previous)
    return q[:, 0], hidden


def carry_on(hidden: Hidden, actions: Tensor, forgets: Tensor, num_actions: int) -> Memory:
    """Keep the memory after a step; agents that begin an episode next [num_agents] bool begin it without any."""
    kept = tuple(part.masked_fill(forgets.view(1, -1, 1), 0.0) for part in hidden)
    return Memory(kept, torch.where(forgets, num_actions, actions))
