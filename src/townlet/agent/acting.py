"""Acting with a Q-network: the memory and the previous action of each agent, carried from step to step."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from townlet.agent.networks import QNetwork
from townlet.capture import write
from townlet.environment.types import Observation
from townlet.sequences import Hidden


class Memory(NamedTuple):
    """What each agent carries from one step to the next."""

    hidden: Hidden  # each [num_layers, num_agents, hidden_dim]; () without memory
    previous_actions: Tensor  # [num_agents] int64, num_actions for none

    def with_hidden(self, hidden: Hidden) -> "Memory":
        """Return the same with a copy of `hidden`. Raises ValueError, with both shapes, where it does not fit."""
        expected, got = ([list(part.shape) for part in parts] for parts in (self.hidden, hidden))
        if expected != got:
            raise ValueError(f"hidden: expected {expected}, got {got}")
        device = self.previous_actions.device
        return self._replace(hidden=tuple(part.detach().to(device).clone() for part in hidden))

    def without(self, agents: Tensor) -> "Memory":
        """Return the same with the hidden state of chosen agents, [num_agents] bool, at zero. Raises ValueError."""
        if agents.shape != self.previous_actions.shape or agents.dtype != torch.bool:
            expected, got = f"[{len(self.previous_actions)}] torch.bool", f"{list(agents.shape)} {agents.dtype}"
            raise ValueError(f"agents: expected {expected}, got {got}")
        chosen = agents.to(self.previous_actions.device).view(1, -1, 1)
        return self._replace(hidden=tuple(part.masked_fill(chosen, 0.0) for part in self.hidden))

    def state_dict(self) -> dict[str, Any]:
        """Return both."""
        return {"hidden": list(self.hidden), "previous_actions": self.previous_actions}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Memory":
        """Return what `state_dict` returned."""
        return cls(tuple(state["hidden"]), state["previous_actions"])


def initial_memory(network: QNetwork, num_agents: int, device: torch.device) -> Memory:
    """Return what agents carry at an episode's start: nothing, in tensors of its own."""
    none = torch.full((num_agents,), network.num_actions, dtype=torch.int64, device=device)
    blank = network.initial_hidden(num_agents)
    return Memory(tuple(part.clone(memory_format=torch.contiguous_format) for part in blank), none)


@torch.no_grad()
def q_values(network: QNetwork, observation: Observation, memory: Memory) -> tuple[Tensor, Hidden]:
    """Return q [num_agents, num_actions] and the hidden state after this observation, as plain values."""
    previous = memory.previous_actions.unsqueeze(1)  # [num_agents, 1]
    q, hidden = network(observation.features.unsqueeze(1), memory.hidden, previous)
    return q[:, 0], hidden


def carry_on(hidden: Hidden, actions: Tensor, forgets: Tensor, num_actions: int, into: Memory | None = None) -> Memory:
    """Keep the memory after a step; agents that begin an episode next [num_agents] bool begin it without any.

    It is written where the memory `into` lies, by default into a new one, and returned.
    """
    if into is None:
        into = Memory(tuple(torch.empty_like(part) for part in hidden), torch.empty_like(actions))
    write([*into.hidden, into.previous_actions], [*hidden, actions])
    for part in into.hidden:
        part.masked_fill_(forgets.view(1, -1, 1), 0.0)
    into.previous_actions.masked_fill_(forgets, num_actions)
    return into
