"""Windows of consecutive steps, sampled or the newest, for learners with memory."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from townlet.config import Priority
from townlet.replay.priorities import NoPriorities, Priorities
from townlet.replay.replay_tape import ReplayTape
from townlet.replay.sum_tree import SumTree
from townlet.sequences import Hidden, SequenceBatch

ROWS_AT_ONCE = 1 << 16  # when the chances of all are worked out: their temporary tensors stay in the cache


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
        in_bytes: bool = False,
    ) -> None:
        super().__init__(capacity, num_agents, obs_dim, num_actions, device, hidden, stored_every, in_bytes)
        self.generator = generator
        self.priorities = Priorities(len(self.valid), priority, self.device) if priority else NoPriorities()
        self.chances: SumTree | None = None  # of a window in each row, from the first draw on; no part of the state
        self.chances_for = (0, 0)  # seq_len and stored episodes
        self.chances_at = 0  # steps appended

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

    def newest_sequences(
        self, seq_len: int, intrinsic_weight: float | Tensor | None = None, with_successors: bool = False
    ) -> SequenceBatch:
        """Return the last `seq_len` steps of every agent, for learning from each once: see `ReplayTape.newest`."""
        return self.newest(seq_len, intrinsic_weight, with_successors)

    def update_priorities(self, batch: SequenceBatch, td_error: Tensor) -> None:
        """Rank sampled windows by their errors [batch, seq_len]; without priorities there is nothing to do."""
        changed = self.priorities.update(batch.where, td_error, batch.valid[:, batch.burn_in :])
        if changed and self.chances:
            self.chances.set(batch.where, self._chances_of(batch.where, self.chances_for[0]))

    def _written(self, rows: Tensor) -> None:
        self.priorities.add(rows)

    def _draw(self, batch_size: int, seq_len: int) -> tuple[Tensor, Tensor, Tensor]:
        """First rows, greatest lengths and weights of sampled windows, each [batch].

        Windows begin where a memory is stored: in every slot, or in every k-th. Were those all, an episode's first
        steps would be in fewer of them than the rest. So windows may begin up to seq_len - 1 steps before the episode,
        and lose that part: each transition is then in exactly seq_len / k of the windows that can be drawn.
        """
        chances = self._todays_chances(seq_len)
        total = chances.total
        uniform = torch.rand(batch_size, dtype=torch.float64, device=self.device, generator=self.generator)
        drawn = uniform * torch.nextafter(total, torch.zeros_like(total))  # [batch], below the total
        first, beyond = chances.find(drawn)
        mass = self.priorities.masses(first)
        last = (chances.numbers[first] / mass).round() - 1.0  # of the windows that begin there
        lost = first % self.stored_every + self.stored_every * torch.minimum(beyond / mass, last).long()
        return first, seq_len - lost, self.priorities.weights(mass / total)

    def _todays_chances(self, seq_len: int) -> SumTree:
        """Chances of all rows with their sums, worked out again where steps were written since the last draw.

        A step's slot and the next one changed. What is known of a step depends on those before it in its stretch of
        `stored_every` slots, and what begins there on the step before: so up to the first slot of the next stretch.
        Where that is no less work than all rows (and always before `recent` has forgotten a step), all are.
        """
        made_for, steps = (seq_len, self.stored_episodes), self.appended - self.chances_at
        reach = torch.arange(self.stored_every + 2, device=self.device)
        rewritten, all_rows = steps * self.num_agents * len(reach), len(self.valid) * self.stored_every
        if self.chances is None or made_for != self.chances_for or rewritten * self.chances.branching > all_rows:
            every = torch.arange(len(self.valid), device=self.device).split(ROWS_AT_ONCE)
            self.chances = SumTree(torch.cat([self._chances_of(rows, seq_len) for rows in every]))
        elif steps:
            slots = (self._newest_slots(steps).unsqueeze(2) + reach) % self.slots  # [num_agents, steps, reach]
            rows = (self.base.view(-1, 1, 1) + slots).flatten()
            self.chances.set(rows, self._chances_of(rows, seq_len))
        self.chances_for, self.chances_at = made_for, self.appended
        return self.chances

    def _chances_of(self, rows: Tensor, seq_len: int) -> Tensor:
        """In proportion to the chances that a sampled window begins in some rows, [some] to [some] float64."""
        return self._windows_beginning(rows, seq_len) * self.priorities.masses(rows)

    def _windows_beginning(self, rows: Tensor, seq_len: int) -> Tensor:
        """How many windows begin in some rows, those that begin before its episode included, [some] to [some] int64."""
        known, slot = self._known(rows), rows % self.slots
        starts = known & ~self._known(rows - slot + (slot - 1) % self.slots)  # or the oldest known of its episode
        stored = known & (slot % self.stored_every == 0)
        return torch.where(starts, seq_len // self.stored_every, stored.long())

    def _known(self, rows: Tensor) -> Tensor:
        """Of which steps in some rows the memory is known, [some] to [some] bool.

        Steps back to a slot that stores memory, or to their episode's first, are stored. Of others both are gone.
        """
        place = rows % self.stored_every
        back = torch.arange(self.stored_every, device=self.device)
        past = rows.unsqueeze(1) - torch.minimum(back, place.unsqueeze(1))  # [some, stored_every], within the stretch
        stored = self.valid[past].long().cumprod(dim=1).sum(dim=1)  # without a gap
        return stored > torch.minimum(self.episode_step[rows], place)

    def state_dict(self) -> dict[str, Any]:
        """Return all that is stored, where writing goes on, and the priorities."""
        return super().state_dict() | {"priorities": self.priorities.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError for another size, width or kind of sampling."""
        self.priorities.check(state["priorities"])
        super().load_state_dict(state)
        self.priorities.load_state_dict(state["priorities"])
        self.chances = None
