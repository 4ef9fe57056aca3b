"""Windows of consecutive steps, sampled or the newest, for learners with memory."""

import torch
from torch import Tensor

from townlet.sequences import Hidden, SequenceBatch
from townlet.training.replay_tape import ReplayTape


class SequentialReplayBuffer(ReplayTape):
    """A tape from which windows are sampled so that every stored transition has the same chance to be learned from.

    `generator` draws the windows; without one PyTorch's own does.
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
    ) -> None:
        super().__init__(capacity, num_agents, obs_dim, num_actions, device, hidden)
        self.generator = generator

    def sample_sequences(
        self, batch_size: int, seq_len: int, burn_in: int = 0, intrinsic_weight: float = 0.0
    ) -> SequenceBatch:
        """Sample windows that lie within one episode each, running ones included; shorter ones are padded.

        Rewards are extrinsic plus `intrinsic_weight` times intrinsic. Raises ValueError if nothing is stored.
        """
        if not (self.appended or self.stored_episodes):
            raise ValueError("sample_sequences: expected at least one stored transition, got an empty buffer")
        first, length = self._draw(batch_size, seq_len)
        return self.windows(first, length, seq_len, burn_in, intrinsic_weight)

    def newest_sequences(self, seq_len: int, intrinsic_weight: float = 0.0) -> SequenceBatch:
        """Return the last `seq_len` steps of every agent, for learning from each once: see `ReplayTape.newest`."""
        return self.newest(seq_len, intrinsic_weight)

    def _draw(self, batch_size: int, seq_len: int) -> tuple[Tensor, Tensor]:
        """First rows and greatest lengths of sampled windows, each [batch].

        Were all windows to begin at a transition, an episode's first steps would be in fewer of them than the rest. So
        windows may begin up to seq_len - 1 steps before the episode, and lose that part: each transition is then in
        exactly seq_len of the windows that can be drawn.
        """
        starts = self.fragment_starts()
        weight = self.valid.long() + (seq_len - 1) * starts.long()  # windows that begin in each row
        total = weight.cumsum(0)
        uniform = torch.rand(batch_size, dtype=torch.float64, device=self.device, generator=self.generator)
        drawn = (uniform * total[-1]).long()  # [batch], in [0, number of windows)
        first = torch.searchsorted(total, drawn, right=True)
        lost = drawn - (total[first] - weight[first])  # 0 for all but windows that begin before an episode
        return first, seq_len - lost
