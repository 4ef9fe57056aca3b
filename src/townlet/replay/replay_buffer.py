"""Single transitions: a sequence of one."""

from townlet.replay.sequential_replay_buffer import SequentialReplayBuffer
from townlet.sequences import SequenceBatch


class ReplayBuffer(SequentialReplayBuffer):
    """The same tape, for learners without memory."""

    def sample(self, batch_size: int, intrinsic_weight: float = 0.0) -> SequenceBatch:
        """Sample transitions uniformly, as windows of one step. Raises ValueError if nothing is stored."""
        return self.sample_sequences(batch_size, 1, intrinsic_weight=intrinsic_weight)
