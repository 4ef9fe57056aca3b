"""What buffers hand to learners: windows of consecutive steps, and the memory that they begin with."""

from typing import NamedTuple

from torch import Tensor

Hidden = tuple[Tensor, ...]  # (h, c), each [num_layers, batch, hidden_dim]; () without memory


class SequenceBatch(NamedTuple):
    """Windows of consecutive steps, `burn_in` steps for warming the memory first, then `seq_len` to learn from."""

    observations: Tensor  # [batch, burn_in + seq_len + 1, obs_dim]
    action_mask: Tensor  # [batch, burn_in + seq_len + 1, num_actions] bool
    actions: Tensor  # [batch, burn_in + seq_len] int64
    rewards: Tensor  # [batch, burn_in + seq_len]
    terminated: Tensor  # [batch, burn_in + seq_len] bool
    valid: Tensor  # [batch, burn_in + seq_len] bool: steps to learn from, never those of the burn-in
    previous_actions: Tensor  # [batch, burn_in + seq_len + 1] int64, num_actions for none
    hidden: Hidden  # memory before the first step, each [num_layers, batch, hidden_dim]
    weights: Tensor  # [batch]
    where: Tensor  # [batch] int64: row on the tape of the first step to learn from
    reset: Tensor | None  # [batch, burn_in + seq_len + 1] bool: memory is zero before that step; None where it never is
    burn_in: int

    def rows(self, index: Tensor) -> "SequenceBatch":
        """Return the windows at `index` [some] int64."""
        picked = {name: getattr(self, name)[index] for name in self._fields if isinstance(getattr(self, name), Tensor)}
        return self._replace(hidden=tuple(part[:, index] for part in self.hidden), **picked)
