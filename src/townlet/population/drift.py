"""How stale a memory is: Q from it against Q from an unroll of the whole episode by today's weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.agent.acting import Memory
from townlet.agent.networks import QNetwork
from townlet.capture import write
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
    """What the first few agents have seen of late, to unroll their memory again where no tape holds the episode.

    A ring of `steps`, written where it lies; `hidden` is a memory for as many agents as are noted.
    """

    def __init__(self, steps: int, obs_dim: int, no_action: int, hidden: Hidden, device: torch.device) -> None:
        self.num_agents = hidden[0].shape[1] if hidden else 0
        self.no_action = no_action  # what stands for an action where there was none
        self._features = torch.zeros(steps, self.num_agents, obs_dim, device=device)
        self._previous = torch.zeros(steps, self.num_agents, dtype=torch.int64, device=device)
        self._hidden = tuple(part.clone(memory_format=torch.contiguous_format) for part in hidden)
        self._noted = torch.zeros(1, dtype=torch.int64, device=device)  # steps so far, of which the ring has the last

    @torch.no_grad()
    def add(self, observation: Observation, memory: Memory) -> None:
        """Note a step before it is taken."""
        some, row = slice(self.num_agents), self._noted % len(self._features)
        self._features.index_copy_(0, row, observation.features[some].unsqueeze(0))
        self._previous.index_copy_(0, row, memory.previous_actions[some].unsqueeze(0))
        write(self._hidden, [part[:, some] for part in memory.hidden])
        self._noted += 1

    def drift(self, network: QNetwork) -> float | None:
        """Drift of the acting memory before the newest step, over agents whose episode's start was noted."""
        if (past := self._running_episodes()) is None:
            return None
        features, previous = past
        reset = previous == self.no_action
        whole = reset.any(dim=1)
        rows = tuple(part[:, whole] for part in self._hidden)
        return q_distance(network, features[whole], previous[whole], reset[whole], rows)

    def _running_episodes(self) -> tuple[Tensor, Tensor] | None:
        """All that `drift` looks at: features [num_agents, steps, obs_dim] and previous actions [num_agents, steps].

        They begin with the oldest start of an episode that is running now; None where no start was noted.
        """
        noted, steps = int(self._noted), len(self._features)
        if not noted:
            return None
        rows = torch.arange(max(0, noted - steps), noted, device=self._noted.device) % steps
        features, previous = (part[rows].transpose(0, 1) for part in (self._features, self._previous))
        starts = previous == self.no_action  # only an episode's first step has no previous action
        if not starts.any():
            return None
        since = starts.flip(1).int().argmax(dim=1)[starts.any(dim=1)]  # steps since the newest start, of who has one
        kept = slice(-int(since.max()) - 1, None)
        return features[:, kept], previous[:, kept]

    def state_dict(self) -> dict[str, Any]:
        """Return what `drift` looks at."""
        features, previous = self._running_episodes() or (None, None)
        hidden = [part.clone() for part in self._hidden]
        return {"features": features, "previous_actions": previous, "hidden": hidden}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self._noted.zero_()
        if state["features"] is not None:
            steps = min(state["features"].shape[1], len(self._features))
            for ring, name in ((self._features, "features"), (self._previous, "previous_actions")):
                ring[:steps].copy_(state[name][:, -steps:].transpose(0, 1))
            self._noted.fill_(steps)
        for mine, part in zip(self._hidden, state["hidden"], strict=False):  # none, where no step had been noted
            mine.copy_(part)
