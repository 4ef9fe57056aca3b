"""Windows of consecutive steps, sampled or the newest, for learners with memory."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.config import Priority
from townlet.sequences import Hidden, SequenceBatch
from townlet.training.priorities import Priorities
from townlet.training.replay_tape import ReplayTape


class SequentialReplayBuffer(ReplayTape):
    """A tape from which windows are sampled so that every stored transition has the same chance to be learned from.

    `generator` draws the windows; without one PyTorch's own does. With `priority` windows of large error are drawn more
    often and weigh less; the learner hands their errors back to `update_priorities`.
    """

    def __init__(
        self,
        capacity: int,
        num_agents: int,
        obs_dim: int,
        num_actions: int,
        device: torch.device | str = "cpu",
        hidden: Hidden = (),
        generator: torch.Generator | None = None,
        stored_every: int = 1,
        priority: Priority | None = None,
    ) -> None:
        super().__init__(capacity, num_agents, obs_dim, num_actions, device, hidden, stored_every)
        self.generator = generator
        self.priorities = Priorities(len(self.valid), priority, self.device) if priority else None

    def sample_sequences(
        self, batch_size: int, seq_len: int, burn_in: int = 0, intrinsic_weight: float | Tensor | None = None
    ) -> SequenceBatch:
        """Sample windows that lie within one episode each, running ones included; shorter ones are padded.

        Rewards are extrinsic plus `intrinsic_weight` times intrinsic. Raises ValueError if nothing is stored, or if
        `stored_every` divides not both lengths.
        """
        if not (self.appended or self.stored_episodes):
            raise ValueError("sample_sequences: expected at least one stored transition, got an empty buffer")
        if seq_len % self.stored_every or burn_in % self.stored_every:
            expected = f"multiples of stored_every, {self.stored_every}"
            raise ValueError(f"seq_len, burn_in: expected {expected}, got {seq_len} and {burn_in}")
        first, length, weights = self._draw(batch_size, seq_len)
        return self.windows(first, length, seq_len, burn_in, intrinsic_weight)._replace(weights=weights)

    def newest_sequences(self, seq_len: int, intrinsic_weight: float | Tensor | None = None) -> SequenceBatch:
        """Return the last `seq_len` steps of every agent, for learning from each once: see `ReplayTape.newest`."""
        return self.newest(seq_len, intrinsic_weight)

    def update_priorities(self, batch: SequenceBatch, td_error: Tensor) -> None:
        """Rank sampled windows by their errors [batch, seq_len]; without priorities there is nothing to do."""
        if self.priorities:
            self.priorities.update(batch.where, td_error, batch.valid[:, batch.burn_in :])

    def _written(self, rows: Tensor) -> None:
        if self.priorities:
            self.priorities.add(rows)

    def _draw(self, batch_size: int, seq_len: int) -> tuple[Tensor, Tensor, Tensor]:
        """First rows, greatest lengths and weights of sampled windows, each [batch].

        Windows begin where a memory is stored: in every slot, or in every k-th. Were those all, an episode's first
        steps would be in fewer of them than the rest. So windows may begin up to seq_len - 1 steps before the episode,
        and lose that part: each transition is then in exactly seq_len / k of the windows that can be drawn.
        """
        windows = self._windows_beginning(seq_len)
        masses = self.priorities.masses() if self.priorities else torch.ones_like(windows, dtype=torch.float64)
        total = (windows * masses).cumsum(0)  # exact for whole numbers
        uniform = torch.rand(batch_size, dtype=torch.float64, device=self.device, generator=self.generator)
        drawn = uniform * torch.nextafter(total[-1], torch.zeros_like(total[-1]))  # [batch], below the last total
        first = torch.searchsorted(total, drawn, right=True)
        mass = masses[first]
        which = ((drawn - (total[first] - windows[first] * mass)) / mass).long()  # of the windows that begin there
        lost = first % self.stored_every + self.stored_every * which.clamp(max=windows[first] - 1)
        if not self.priorities:
            return first, seq_len - lost, torch.ones(batch_size, device=self.device)
        return first, seq_len - lost, self.priorities.weights(mass / total[-1])

    def _windows_beginning(self, seq_len: int) -> Tensor:
        """How many windows begin in each row, those that begin before its episode included, [rows] int64."""
        place = torch.arange(len(self.valid), device=self.device) % self.stored_every
        gap = torch.where(self.valid, 0, place + 1).view(-1, self.stored_every).cummax(dim=1).values.flatten()
        # Of a step whose slot's stored memory was overwritten, and its episode's start too, the memory is not known.
        known = self.valid & (place - gap >= torch.minimum(self.episode_step, place))
        return torch.where(self.fragment_starts(known), seq_len // self.stored_every, (known & (place == 0)).long())

    def state_dict(self) -> dict[str, Any]:
        """Return all that is stored, where writing goes on, and the priorities."""
        priorities = self.priorities.state_dict() if self.priorities else None
        return super().state_dict() | {"priorities": priorities}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError for another size, width or kind of sampling."""
        if (self.priorities is None) != (state["priorities"] is None):
            expected, got = ("none", "with some") if self.priorities is None else ("some", "without")
            raise ValueError(f"priorities: expected {expected}, got a state {got}")
        super().load_state_dict(state)
        if self.priorities:
            self.priorities.load_state_dict(state["priorities"])
