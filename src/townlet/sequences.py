"""What buffers hand to learners: windows of consecutive steps, and the memory that they begin with."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from tensordict import TensorDict

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
    beside: Tensor | None = (
        None  # [batch, burn_in + seq_len + 1, width]: see `QNetwork.read_beside`; None: not read yet
    )

    def rows(self, index: Tensor) -> "SequenceBatch":
        """Return the windows at `index` [some] int64."""
        picked = {name: getattr(self, name)[index] for name in self._fields if isinstance(getattr(self, name), Tensor)}
        return self._replace(hidden=tuple(part[:, index] for part in self.hidden), **picked)

    def to_tensordict(self) -> "TensorDict":
        """Return the windows as TorchRL keeps trajectories: [batch, time], the second dimension named "time".

        Keys: observation, action_mask, action, previous_action, is_init [batch, time, 1] (memory is zero before that
        step), mask (steps to learn from), recurrent_state_0, ... (memory before the window in its first step,
        [batch, time, num_layers, hidden_dim], zero after it, as TorchRL's recurrent modules read it), and under "next"
        observation, action_mask, reward, terminated, truncated and done, each [..., 1]. A window that ends before its
        episode, or by a time limit, is not done. Raises ImportError without the package tensordict.
        """
        from tensordict import TensorDict

        batch, time = self.actions.shape
        reset = torch.zeros_like(self.terminated) if self.reset is None else self.reset[:, :-1]
        first = torch.arange(time, device=self.actions.device).view(1, -1, 1, 1) == 0
        states = [part.transpose(0, 1).unsqueeze(1) * first for part in self.hidden]  # [batch, time, layers, hidden]
        ends = self.terminated.unsqueeze(-1)
        content = {
            "observation": self.observations[:, :-1],
            "action_mask": self.action_mask[:, :-1],
            "action": self.actions,
            "previous_action": self.previous_actions[:, :-1],
            "is_init": reset.unsqueeze(-1),
            "mask": self.valid,
            **{f"recurrent_state_{index}": state for index, state in enumerate(states)},
            "next": {
                "observation": self.observations[:, 1:],
                "action_mask": self.action_mask[:, 1:],
                "reward": self.rewards.unsqueeze(-1),
                "terminated": ends,
                "truncated": torch.zeros_like(ends),
                "done": ends,
            },
        }
        return TensorDict(content, batch_size=[batch, time], names=[None, "time"])
