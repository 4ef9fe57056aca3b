"""How stale a memory is: Q from it against Q from an unroll of the whole episode by today's weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.agent.acting import Memory
from townlet.agent.networks import QNetwork
from townlet.environment.types import Observation
from townlet.replay.replay_tape import ReplayTape
from townlet.sequences import Hidden

MOST_NUMBERS = 16_000_000  # observed, that a drift is measured on: of images there are fewer windows, agents and steps


@torch.no_grad()
def q_distance(network: QNetwork, features: Tensor, previous_actions: Tensor, reset: Tensor, hidden: Hidden) -> float:
    """Mean |difference| of Q at the last step, between `hidden`, the memory before it, and an unroll from zero.

    features [batch, time, obs_dim], previous_actions and reset [batch, time]; an episode begins at the last flag.
    """
    unrolled, _ = network(features, network.initial_hidden(len(features)), previous_actions, reset)
    remembered, _ = network(features[:, -1:], hidden, previous_actions[:, -1:])
    return float((unrolled[:, -1] - remembered[:, -1]).abs().mean())


def stored_drift(network: QNetwork, tape: ReplayTape, generator: torch.Generator, windows: int = 16) -> float | None:
    """Drift of memories on a tape, over steps whose whole past is still stored; None where there is none."""
    rows = tape.with_whole_past().nonzero().flatten()
    rows = rows[rows % tape.stored_every == 0]
    if not len(rows):
        return None
    rows = rows[torch.randint(len(rows), (windows,), generator=generator, device=rows.device)]
    past = int(tape.episode_step[rows].max())
    if not past:
        return 0.0  # all of them are first steps, which begin at zero
    rows = rows[: max(1, MOST_NUMBERS // (past * tape.obs_dim))]
    batch = tape.windows(rows, 1, 1, burn_in=past)
    assert batch.reset is not None
    until = slice(past + 1)
    seen, previous = batch.observations[:, until], batch.previous_actions[:, until]
    return q_distance(network, seen, previous, batch.reset[:, until], tape.hidden_before(rows))


class RecentPast:
    """What the first `num_agents` have seen of late, to unroll their memory again where no tape holds the episode.

    A ring of `steps`, written where it lies. `no_action` stands for an action where there was none.
    """

    def __init__(self, num_agents: int, steps: int, obs_dim: int, no_action: int, device: torch.device) -> None:
        self.num_agents, self.no_action = num_agents, no_action
        self._features = torch.zeros(steps, num_agents, obs_dim, device=device)
        self._previous = torch.zeros(steps, num_agents, dtype=torch.int64, device=device)  # actions before each step
        self._noted = torch.zeros(1, dtype=torch.int64, device=device)  # steps so far, of which the ring has the last

    def add(self, observation: Observation, memory: Memory) -> None:
        """Note a step before it is taken."""
        some, row = slice(self.num_agents), self._noted % len(self._features)
        self._features.index_copy_(0, row, observation.features[some].unsqueeze(0))
        self._previous.index_copy_(0, row, memory.previous_actions[some].unsqueeze(0))
        self._noted += 1

    def drift(self, network: QNetwork, observation: Observation, memory: Memory) -> float | None:
        """Drift of the memory that agents act with in the coming step, over those whose episode's start was noted.

        None before the first step, and where no start was noted.
        """
        some, noted = slice(self.num_agents), self._steps_noted()
        now = observation.features[some].unsqueeze(1), memory.previous_actions[some].unsqueeze(1)
        past = self._running_episodes(*(torch.cat(parts, dim=1) for parts in zip(noted, now, strict=True)))
        if not int(self._noted) or past is None:
            return None
        features, previous = past
        reset = previous == self.no_action
        whole = reset.any(dim=1)
        rows = tuple(part[:, some][:, whole] for part in memory.hidden)
        return q_distance(network, features[whole], previous[whole], reset[whole], rows)

    def _steps_noted(self) -> tuple[Tensor, Tensor]:
        """All that is in the ring, oldest first: features [num_agents, time, obs_dim], previous [num_agents, time]."""
        noted, steps = int(self._noted), len(self._features)
        rows = torch.arange(max(0, noted - steps), noted, device=self._noted.device) % steps
        return self._features[rows].transpose(0, 1), self._previous[rows].transpose(0, 1)

    def _running_episodes(self, features: Tensor, previous: Tensor) -> tuple[Tensor, Tensor] | None:
        """Both from the oldest start of an episode that is running at their end; None where no start is in them."""
        starts = previous == self.no_action  # only an episode's first step has no previous action
        if not starts.any():
            return None
        since = starts.flip(1).int().argmax(dim=1)[starts.any(dim=1)]  # steps since the newest start, of who has one
        kept = slice(-int(since.max()) - 1, None)
        return features[:, kept], previous[:, kept]

    def state_dict(self) -> dict[str, Any]:
        """Return what `drift` looks at, but for the coming step."""
        features, previous = self._running_episodes(*self._steps_noted()) or (None, None)
        return {"features": features, "previous_actions": previous}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self._noted.zero_()
        if state["features"] is None:
            return
        steps = min(state["features"].shape[1], len(self._features))
        for ring, name in ((self._features, "features"), (self._previous, "previous_actions")):
            ring[:steps].copy_(state[name][:, -steps:].transpose(0, 1))
        self._noted.fill_(steps)
